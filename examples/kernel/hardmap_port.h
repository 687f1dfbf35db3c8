/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * hardmap_port.h -- this kernel's side of the library's contract; the other is ports/arm64.
 *
 * ports/arm64/counted comes first on the include path, so that the kernel can say which barriers
 * the library issued: see insn_count.c.
 */
#ifndef KERNEL_HARDMAP_PORT_H
#define KERNEL_HARDMAP_PORT_H

#include "mmu.h"
#include "thread.h"

#define HM_DIRECT_MAP_TYPES_ONLY
#include <hardmap/direct_map.h>
#undef HM_DIRECT_MAP_TYPES_ONLY
#define HM_PGTABLE_TYPES_ONLY
#include <hardmap/pgtable.h>
#undef HM_PGTABLE_TYPES_ONLY
#include <extern/pgtable_pool.h>
#include <extern/rox_cache.h>

#define HM_BUG(message) kernel_bug(message)
#define HM_PORT_ARM64_PAGE_SHIFT PAGE_SHIFT

/* Defined by each program that is built on this kernel. */
void kernel_bug(const char *message);

/* Handlers run on the state of the thread that they interrupt: exception.c pushes and pops. */
static inline struct hm_context *hm_port_context(void)
{
	return &thread_current()->hardmap;
}

static inline hm_pte_t *hm_port_pgtable_map(hm_pa_t table)
{
	return (hm_pte_t *)(table.val + LINEAR_BASE);
}

/* One table: the kernel has no lower half, and its fault handler knows no lower address. */
static inline hm_pte_t *hm_port_pgtable_root(hm_va_t va)
{
	return va.val >> 63 ? mmu_root : NULL;
}

static inline bool hm_port_arm64_has_tlbi_range(void)
{
	return mmu_has_tlbi_range;
}

static inline bool hm_port_arm64_has_store_keys(void)
{
#ifdef KERNEL_UNLOCKED
	return false;
#else
	return mmu_key_style == HM_KEY_STYLE_STORE;
#endif
}

/* Tables for the linear map: tables.c. */
bool hm_port_pgtable_alloc(hm_pa_t *table);
void hm_port_pgtable_free(hm_pa_t table);

/* And where all come from. A block is what an entry of level 1 of the linear map translates, 2M or 32M; with
 * 64K pages that were 512M: there it is a contiguous group of pages, of 2M. */
#define HM_PORT_PGTABLE_POOL_ORDER (PAGE_SHIFT == 16 ? 5 : PAGE_SHIFT - 3)
#define HM_PORT_PGTABLE_POOL_MAGAZINE 16
#define HM_PORT_PGTABLE_POOL_TABLES (2 * HM_PORT_PGTABLE_BLOCK_LEVEL) /* HM_DIRECT_MAP_TABLES */
#define HM_PORT_PGTABLE_POOL_LOCKED 1

/* Code: code_cache.c. Blocks as those. */
#define HM_PORT_ROX_CACHE_BLOCK_SHIFT (PAGE_SHIFT + HM_PORT_PGTABLE_POOL_ORDER)

static inline uint64_t hm_port_arm64_ctr(void)
{
	return mmu_ctr;
}

static inline unsigned int hm_port_bbm_level(void)
{
	return hm_arm64_bbm_system(&mmu_bbm);
}

/* The kernel stands on its linear map with all CPUs, and stops none of them. */
static inline int hm_port_direct_map_break(hm_va_t va, uint64_t bytes)
{
	(void)va;
	(void)bytes;
	return -HM_EBUSY;
}

/* Not reached: nothing is ever broken. */
static inline void hm_port_direct_map_mend(hm_va_t va, uint64_t bytes)
{
	(void)va;
	(void)bytes;
}

/* Keys of its own it has none. */
#define HM_PORT_KPKEYS_BASE 0
#define HM_PORT_KPKEYS_LEVELS(LEVEL)

static inline unsigned int hm_port_key_style(void)
{
	return mmu_key_style;
}

#include <arm64/barrier.h>
#include <arm64/code.h>
#include <arm64/fault.h>
#include <arm64/gcs.h>
#include <arm64/poe.h>
#include <arm64/tlbi.h>
#include <arm64/vmsa.h>

/* cost_write.c is also compiled as if there were no keys, to be compared. */
#ifdef KERNEL_UNLOCKED
#undef HM_PORT_KEY_STYLE
#define HM_PORT_KEY_STYLE HM_KEY_STYLE_NONE
#endif

#endif /* KERNEL_HARDMAP_PORT_H */
