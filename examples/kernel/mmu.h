/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * mmu.h -- the kernel's address space: the linear map, and the window in which the replay maps.
 */
#ifndef KERNEL_MMU_H
#define KERNEL_MMU_H

#include "layout.h"

/* MAIR_EL1: HM_ARM64_MAIR of ports/arm64/vmsa.h, which the assembler cannot read; mmu.c compares. */
#define MMU_MAIR 0x00ff

/* The granule in TCR_EL1 (TG0, and TG1 with its other encoding), and its name. */
#if PAGE_SHIFT == 12
#define MMU_TCR_GRANULE (0 << 14 | 2 << 30)
#define MMU_GRANULE_NAME "4K"
#elif PAGE_SHIFT == 14
#define MMU_TCR_GRANULE (2 << 14 | 1 << 30)
#define MMU_GRANULE_NAME "16K"
#elif PAGE_SHIFT == 16
#define MMU_TCR_GRANULE (1 << 14 | 3 << 30)
#define MMU_GRANULE_NAME "64K"
#else
#error "PAGE_SHIFT must be 12, 14 or 16"
#endif

/* TCR_EL1: both halves 48 bits (TxSZ 16), tables inner shareable and write-back (SHx 3, ORGNx 1,
 * IRGNx 1), 48-bit physical addresses (IPS 5). Hardware does not manage access flag or dirty state
 * (HA, HD 0). */
#define MMU_TCR_HALF (16 | 1 << 8 | 1 << 10 | 3 << 12)
#define MMU_TCR (MMU_TCR_HALF | MMU_TCR_HALF << 16 | MMU_TCR_GRANULE | 5 << 32)

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stdint.h>

#include <arm64/bbml2.h>

/* What only the page tables' own key opens: the first tables, and the next variables. */
#define MMU_LOCKED __attribute__((section(".bss.tables")))

/* The top-level table that hm_port_pgtable_root() gives for upper addresses: boot_root_high. */
extern void *mmu_root;

/* Whether all CPUs that are up have FEAT_TLBIRANGE. */
extern bool mmu_has_tlbi_range;

/* Whether all CPUs that are up can take blocks that change their size live. */
extern struct hm_arm64_bbm mmu_bbm;

/* What cleaning and invalidation of caches all CPUs that are up need: CTR_EL0, merged. */
extern uint64_t mmu_ctr;

/* The first tables, by number from 0: where one is; false from the first number that none has. */
bool mmu_boot_table(unsigned int number, uint64_t *pa);

/* How page tables are protected: HM_KEY_STYLE_*, by what the boot CPU has; the others have to have
 * it too. Zero, which is no style, before boot_map(). */
extern unsigned int mmu_key_style;

/* That in words. */
const char *mmu_protection(void);

/* On each CPU before it writes a table: takes its features into account, and protects tables from its
 * stores. Not concurrently. */
void mmu_init_cpu(void);

/* The same for a CPU that lost its registers, and for one that is about to: a simulation, on a CPU that
 * stays up. Interrupts are masked from before the latter until after the former. */
void mmu_resume_cpu(void);
void mmu_suspend_cpu(void);

/* No CPU but this one runs; interrupts are masked. Tables are ordinary memory from here on. */
void mmu_hand_over(void);

/* The kernel's first tables, with the MMU off; ends the machine on a CPU without the granule. Called
 * by boot.S. */
void boot_map(void);

#endif /* __ASSEMBLER__ */

#endif /* KERNEL_MMU_H */
