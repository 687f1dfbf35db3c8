/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * hardmap_port.h -- the hosted port: the arm64 port's descriptors, barriers and TLB maintenance
 * over the instructions of hosted/arm64/insn.h. Physical addresses are host addresses. Include
 * path: include, ports/hosted, ports, in this order; link ports/hosted/hosted.c.
 */
#ifndef HM_HOSTED_HARDMAP_PORT_H
#define HM_HOSTED_HARDMAP_PORT_H
#include <hosted.h>
#include <extern/pgtable_pool.h>
#include <extern/rox_cache.h>

#define HM_BUG(message) hm_hosted_bug(message)

/* The granule, where the build does not choose another. */
#ifndef HM_PORT_ARM64_PAGE_SHIFT
#define HM_PORT_ARM64_PAGE_SHIFT 12
#endif

static inline struct hm_context *hm_port_context(void)
{
	return hm_hosted.context;
}

static inline hm_pte_t *hm_port_pgtable_map(hm_pa_t table)
{
	return (hm_pte_t *)(uintptr_t)table.val;
}

static inline hm_pte_t *hm_port_pgtable_root(hm_va_t va)
{
	(void)va;
	return hm_hosted.root;
}

static inline bool hm_port_arm64_has_tlbi_range(void)
{
	return hm_hosted.has_tlbi_range;
}

static inline bool hm_port_arm64_has_store_keys(void)
{
	return hm_hosted.key_style == HM_KEY_STYLE_STORE;
}

static inline bool hm_port_pgtable_alloc(hm_pa_t *table)
{
	return hm_hosted_alloc_table(table, UINT64_C(1) << HM_PORT_ARM64_PAGE_SHIFT);
}

static inline void hm_port_pgtable_free(hm_pa_t table)
{
	hm_hosted_free_table(table);
}

static inline unsigned int hm_port_bbm_level(void)
{
	return hm_hosted.bbm_level;
}

static inline int hm_port_direct_map_break(hm_va_t va, uint64_t bytes)
{
	(void)va;
	(void)bytes;
	return hm_hosted_break();
}

static inline void hm_port_direct_map_mend(hm_va_t va, uint64_t bytes)
{
	(void)va;
	(void)bytes;
	hm_hosted.mends++;
}

/* Blocks of 2 MiB, an entry or a contiguous group. The kernel below a pool is the program: whoever includes
 * pgtable_pool.h defines these hooks. */
#ifndef HM_PORT_PGTABLE_POOL_ORDER
#define HM_PORT_PGTABLE_POOL_ORDER (21 - HM_PORT_ARM64_PAGE_SHIFT)
#endif
#ifndef HM_PORT_PGTABLE_POOL_MAGAZINE
#define HM_PORT_PGTABLE_POOL_MAGAZINE 32
#endif
#ifndef HM_PORT_PGTABLE_POOL_TABLES
#define HM_PORT_PGTABLE_POOL_TABLES 4
#endif
#ifndef HM_PORT_PGTABLE_POOL_LOCKED
#define HM_PORT_PGTABLE_POOL_LOCKED 1
#endif

/* Blocks of code as those of a pool; the kernel is the program. */
#ifndef HM_PORT_ROX_CACHE_BLOCK_SHIFT
#define HM_PORT_ROX_CACHE_BLOCK_SHIFT 21
#endif

static inline uint64_t hm_port_arm64_ctr(void)
{
	return hm_hosted.ctr_el0;
}

/* Keys by the build: 0, none, and no code for them; 1, what hm_hosted.key_style says. */
#ifndef HM_HOSTED_KEYS
#define HM_HOSTED_KEYS 1
#endif
#if HM_HOSTED_KEYS
/* A key and a level of the kernel's own, so that the tests see some. */
#define HM_HOSTED_KEY HM_KEY_FIRST_FREE
#define HM_HOSTED_LEVEL HM_KPKEYS_FIRST_FREE
#define HM_PORT_KPKEYS_BASE 0
#define HM_PORT_KPKEYS_LEVELS(LEVEL) \
	LEVEL(HM_HOSTED_LEVEL, HM_KEY_ALLOW(HM_HOSTED_KEY, HM_KEY_READ | HM_KEY_WRITE))
static inline unsigned int hm_port_key_style(void)
{
	return hm_hosted.key_style;
}
#include <arm64/gcs.h>
#include <arm64/poe.h>
#else
#define HM_PORT_KEY_STYLE HM_KEY_STYLE_NONE
#endif
#include <arm64/barrier.h>
#include <arm64/code.h>
#include <arm64/fault.h>
#include <arm64/tlbi.h>
#include <arm64/vmsa.h>
#endif
