/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * hardmap_port.h -- the port over ports/x86_64 that the contract suite and tests/unit run on: its entries,
 * its invalidation and its keys, over the instructions of x86_64/insn.h here. Physical addresses are host
 * addresses. Include path: tests/contract/x86_64, include, ports, in this order; link x86.c.
 */
#ifndef X86_64_HARDMAP_PORT_H
#define X86_64_HARDMAP_PORT_H
#include <x86.h>
#include <extern/pgtable_pool.h>
#include <extern/rox_cache.h>

#define HM_BUG(message) x86_bug(message)

static inline struct hm_context *hm_port_context(void)
{
	return x86.context;
}

static inline hm_pte_t *hm_port_pgtable_map(hm_pa_t table)
{
	return (hm_pte_t *)X86_AT(table.val);
}

static inline hm_pte_t *hm_port_pgtable_root(hm_va_t va)
{
	(void)va;
	return x86.root;
}

static inline bool hm_port_x86_64_has_1g_pages(void)
{
	return x86.has_1g_pages;
}

static inline bool hm_port_x86_64_has_serialize(void)
{
	return x86.has_serialize;
}

/* Keys by the build: none, and no code for them; or what x86.key_style says. */
#ifdef CONTRACT_KEY_STYLE
#define X86_KEYS 1
#else
#define X86_KEYS 0
#endif

/* The barriers are no instructions: their calls are x86. */
#define hm_port_context_publish port_context_publish
#define hm_port_context_sync port_context_sync
#define hm_port_context_switch port_context_switch
#define hm_port_pgtable_order_fill port_pgtable_order_fill
static inline void hm_port_x86_64_shootdown(hm_va_t va, uint64_t bytes, enum hm_invalidate what);
#if X86_KEYS
/* A key and a level of the kernel's own, so that the tests see some. */
#define X86_KEY 15
#define X86_LEVEL 6
#define HM_PORT_KPKEYS_BASE HM_KEY_ALLOW(HM_KEY_FIRST_FREE, HM_KEY_READ)
#define HM_PORT_KPKEYS_LEVELS(LEVEL) \
	LEVEL(X86_LEVEL, HM_KEY_ALLOW(X86_KEY, HM_KEY_READ | HM_KEY_WRITE))
static inline unsigned int hm_port_key_style(void)
{
	return x86.key_style;
}
#include <x86_64/pks.h>
#else
#define HM_PORT_KEY_STYLE HM_KEY_STYLE_NONE
#endif
#include <x86_64/barrier.h>
#include <x86_64/code.h>
#include <x86_64/fault.h>
#include <x86_64/paging.h>
#include <x86_64/tlb.h>
#undef hm_port_context_publish
#undef hm_port_context_sync
#undef hm_port_context_switch
#undef hm_port_pgtable_order_fill

static inline void hm_port_context_publish(void)
{
	x86.publish++;
	port_context_publish();
}

static inline void hm_port_context_sync(void)
{
	x86.sync++;
	port_context_sync();
}

static inline void hm_port_context_switch(void)
{
	x86.switched++;
	port_context_switch();
}

static inline void hm_port_pgtable_order_fill(void)
{
	x86.order++;
	port_pgtable_order_fill();
}

/* There is one CPU. */
static inline void hm_port_x86_64_shootdown(hm_va_t va, uint64_t bytes, enum hm_invalidate what)
{
	x86.shootdowns++;
	hm_x86_64_flush_local(va, bytes, what);
}

/* ---- direct_map.h ---- */

static inline bool hm_port_pgtable_alloc(hm_pa_t *table)
{
	return x86_alloc_table(table);
}

static inline void hm_port_pgtable_free(hm_pa_t table)
{
	x86_free_table(table);
}

static inline unsigned int hm_port_bbm_level(void)
{
	return x86.bbm_level;
}

static inline int hm_port_direct_map_break(hm_va_t va, uint64_t bytes)
{
	(void)va;
	(void)bytes;
	x86.breaks++;
	return x86.break_answer;
}

static inline void hm_port_direct_map_mend(hm_va_t va, uint64_t bytes)
{
	(void)va;
	(void)bytes;
	x86.mends++;
}

/* ---- pgtable_pool.h: the kernel of tests/contract/pool_kernel.c ---- */

#ifndef HM_PORT_PGTABLE_POOL_ORDER
#define HM_PORT_PGTABLE_POOL_ORDER 9
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

/* ---- rox_cache.h: the kernel of tests/contract/rox_kernel.c ---- */

#ifndef HM_PORT_ROX_CACHE_BLOCK_SHIFT
#define HM_PORT_ROX_CACHE_BLOCK_SHIFT 21
#endif
#endif
