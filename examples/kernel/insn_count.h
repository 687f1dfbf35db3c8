/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * insn_count.h -- how often the library executed which instruction, on all CPUs, since boot.
 */
#ifndef KERNEL_INSN_COUNT_H
#define KERNEL_INSN_COUNT_H

#include <stdint.h>

#include <arm64/insn_kind.h>

uint64_t insn_counted(enum hm_insn_kind kind);

#endif /* KERNEL_INSN_COUNT_H */
