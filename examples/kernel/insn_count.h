/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * insn_count.h -- how often the library executed which instruction, on all CPUs.
 */
#ifndef KERNEL_INSN_COUNT_H
#define KERNEL_INSN_COUNT_H

#include <stdint.h>

#include <arm64/insn_kind.h>

uint64_t insn_counted(enum hm_insn_kind kind);

/* From zero again; while nobody executes any. */
void insn_count_reset(void);

#endif /* KERNEL_INSN_COUNT_H */
