/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * mmu.h -- the kernel's address space: the linear map, and the window in which the replay maps.
 */
#ifndef KERNEL_MMU_H
#define KERNEL_MMU_H

#include "layout.h"

/* MAIR_EL1: HM_ARM64_MAIR of ports/arm64/vmsa.h, which the assembler cannot read; mmu.c compares. */
#define MMU_MAIR 0x00ff

/* TCR_EL1: both halves 48 bits (TxSZ 16), 4K granule (TG0 0, TG1 2), tables inner shareable and
 * write-back (SHx 3, ORGNx 1, IRGNx 1), 48-bit physical addresses (IPS 5). Hardware does not manage
 * access flag or dirty state (HA, HD 0). */
#define MMU_TCR_HALF (16 | 1 << 8 | 1 << 10 | 3 << 12)
#define MMU_TCR (MMU_TCR_HALF | MMU_TCR_HALF << 16 | 2 << 30 | 5 << 32)

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stdint.h>

/* The top-level table that hm_port_pgtable_root() gives for upper addresses: boot_root_high. */
extern void *mmu_root;

/* Whether all CPUs that are up have FEAT_TLBIRANGE. */
extern bool mmu_has_tlbi_range;

/* How page tables are protected: HM_KEY_STYLE_*. */
extern unsigned int mmu_key_style;

/* On each CPU before it invalidates anything: takes its features into account. Not concurrently. */
void mmu_init_cpu(void);

/* The kernel's first tables, with the MMU off. Called by boot.S. */
void boot_map(void);

#endif /* __ASSEMBLER__ */

#endif /* KERNEL_MMU_H */
