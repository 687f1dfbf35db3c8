/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * hardmap_port.h -- the smallest port, to be copied and filled in. Here is the environment's part
 * (assertions, the running context, where tables and code are and come from); context.h, kpkeys.h, pgtable.h,
 * direct_map.h and rox_cache.h beside it are the architecture's. Every #error line stands where code of yours
 * goes and names the hook. There are no defaults: a port with a gap does not compile, and an empty hook is a
 * decision that somebody made.
 *
 * Signatures are held to the contract by tests/meta; the protocol around them is in ports/README.md.
 *
 * On arm64 fill in this file only; add HM_PORT_ARM64_PAGE_SHIFT, hm_port_arm64_has_tlbi_range(),
 * hm_port_arm64_has_store_keys(), hm_port_arm64_ctr(), and of kpkeys.h here hm_port_key_style(),
 * HM_PORT_KPKEYS_BASE and HM_PORT_KPKEYS_LEVELS; and end it with <arm64/barrier.h>, <arm64/bbml2.h>,
 * <arm64/code.h>, <arm64/fault.h>, <arm64/gcs.h>, <arm64/poe.h>, <arm64/tlbi.h> and <arm64/vmsa.h>
 * instead of the five files. Without keys hm_port_arm64_has_store_keys() is false, and HM_PORT_KEY_STYLE is
 * HM_KEY_STYLE_NONE, defined by you, in place of all that of kpkeys.h, gcs.h and poe.h. For lazy_mmu.h
 * alone leave out what is under the names of other modules, and hm_port_kpkeys_why(). Of "direct_map.h",
 * "pgtable_pool.h" and "rox_cache.h" leave out what you do not use; code.h and hm_port_arm64_ctr() are the
 * last one's. */
#ifndef TEMPLATE_HARDMAP_PORT_H
#define TEMPLATE_HARDMAP_PORT_H
/* The types that the hooks speak of; the modules themselves are not known yet: they include this file. */
#define HM_CONTEXT_TYPES_ONLY
#include <hardmap/context.h>
#undef HM_CONTEXT_TYPES_ONLY
#define HM_KPKEYS_TYPES_ONLY
#include <hardmap/kpkeys.h>
#undef HM_KPKEYS_TYPES_ONLY
#define HM_DIRECT_MAP_TYPES_ONLY
#include <hardmap/direct_map.h>
#undef HM_DIRECT_MAP_TYPES_ONLY
#define HM_PGTABLE_TYPES_ONLY
#include <hardmap/pgtable.h>
#undef HM_PGTABLE_TYPES_ONLY
#define HM_PGTABLE_POOL_TYPES_ONLY
#include <hardmap/pgtable_pool.h>
#undef HM_PGTABLE_POOL_TYPES_ONLY
#define HM_ROX_CACHE_TYPES_ONLY
#include <hardmap/rox_cache.h>
#undef HM_ROX_CACHE_TYPES_ONLY

/* A macro that takes a string, the caller's bug, and is one statement: panic, or report and go on. Any
 * context, exception entry included. hardmap has made things safe before it tells and expects nothing. */
#error "HM_BUG(message): define it here, also where it is to do nothing"

/* ---- context.h ---- */

/* The state of the execution context that runs now: a look-up without side effects, for one context
 * always the same address. Also right in interrupt, and where a preemption may follow: a thread's state
 * is the thread's, not the CPU's. Before there are threads, this CPU's static one. arm64: a member of the
 * thread that SP_EL0 or TPIDR_EL1 leads to. */
static inline struct hm_context *hm_port_context(void)
{
#error "hm_port_context: return the state of the running context"
}

/* ---- pgtable.h ---- */

/* Where running code reads and writes the table at that physical address; no mapping may have to be
 * made for it. arm64: its place in the linear map. */
static inline hm_pte_t *hm_port_pgtable_map(hm_pa_t table)
{
#error "hm_port_pgtable_map: return the table's address for loads and stores"
}

/* The top-level table that the walker would start from for this address on this CPU now; NULL if it would
 * refuse the address. arm64: bit 55 chooses the table of TTBR0_EL1 or TTBR1_EL1. */
static inline hm_pte_t *hm_port_pgtable_root(hm_va_t va)
{
#error "hm_port_pgtable_root: return the top-level table that translates va"
}

/* ---- direct_map.h ---- */

/* A page for a table, of any contents; false if there is none. Must be right to write it as a table where
 * hm_port_pgtable_map() says: with HM_KEY_PGTABLES, if tables have it. */
static inline bool hm_port_pgtable_alloc(hm_pa_t *table)
{
#error "hm_port_pgtable_alloc: take a page for a table"
}

/* It is no table any more: no hardware walks it. Software that walks without the map's lock may still be
 * in it: what it serves next waits for that (a grace period; nothing, if nobody does). */
static inline void hm_port_pgtable_free(hm_pa_t table)
{
#error "hm_port_pgtable_free: give a table's page back"
}

/* Below BBM level 3: may the range be invalid until the mend? 0: nobody uses it from here on: interrupts
 * that might are masked, the other CPUs stopped. Else -HM_EBUSY, also before it is known what CPUs there
 * are. */
static inline int hm_port_direct_map_break(hm_va_t va, uint64_t bytes)
{
#error "hm_port_direct_map_break: keep everybody off the range, or refuse"
}

/* The range is valid again. CPUs that were stopped synchronise their context before they go on. */
static inline void hm_port_direct_map_mend(hm_va_t va, uint64_t bytes)
{
#error "hm_port_direct_map_mend: let everybody go on"
}

/* ---- pgtable_pool.h ---- */

/* Pages of a block: 1 << this. What one entry of the linear map translates: 9 for 2 MiB of 4K pages. */
#error "HM_PORT_PGTABLE_POOL_ORDER: define it here"

/* How many pages each CPU has in front, 2 to 60; 0: none, every call takes the lock. */
#error "HM_PORT_PGTABLE_POOL_MAGAZINE: define it here"

/* How many tables one key change of consecutive pages may take from the pool, 0 to 16. Over direct_map.h:
 * HM_DIRECT_MAP_TABLES as a number; 0 if your own set_memory-like call brings its own. */
#error "HM_PORT_PGTABLE_POOL_TABLES: define it here"

/* 1: what decides which page is handed out has the key too. 0: ordinary memory, and faster. */
#error "HM_PORT_PGTABLE_POOL_LOCKED: define it here"

/* The pool's root page, zero at first. Locked: a page of the image, by a constant address, which the boot map
 * gives the key or hm_pgtable_pool_protect() does; not through a pointer that a stray store reaches. */
static inline hm_pa_t hm_port_pgtable_pool_root(const struct hm_pgtable_pool *pool)
{
#error "hm_port_pgtable_pool_root: return the page of the pool's root"
}

/* 1 << order pages from your page allocator, aligned to that; false if there are none. May sleep, and
 * reclaim. Do not try hard for a block: smaller pieces are asked for next. */
static inline bool hm_port_pgtable_pool_memory(struct hm_pgtable_pool *pool, unsigned int order,
					       hm_pa_t *pages)
{
#error "hm_port_pgtable_pool_memory: take pages from the kernel"
}

/* n consecutive pages of such memory, not always all of one piece, to your page allocator. */
static inline void hm_port_pgtable_pool_give(struct hm_pgtable_pool *pool, hm_pa_t pages,
					     unsigned int n)
{
#error "hm_port_pgtable_pool_give: give pages back to the kernel"
}

/* The key of n consecutive pages; all or nothing, or -HM_EIO. Over direct_map.h: with the map's lock as many
 * of hm_pgtable_pool_take()'s tables as hm_direct_map_tables() says into a reserve by hm_direct_map_give(),
 * hm_direct_map_set_pkey() of where the linear map has the pages, hm_direct_map_collapse() of them; unlock,
 * hm_direct_map_release(). Return 0 and do nothing where hm_kpkeys_style() is HM_KEY_STYLE_NONE. */
static inline int hm_port_pgtable_pool_set_key(struct hm_pgtable_pool *pool, hm_pa_t pages,
					       unsigned int n, unsigned int key,
					       struct hm_pgtable_pool_token *tables)
{
#error "hm_port_pgtable_pool_set_key: change the key of pages in the linear map"
}

/* The linear map of that block may be joined. Over direct_map.h: hm_direct_map_collapse(), if that can be had
 * now. */
static inline void hm_port_pgtable_pool_rejoin(struct hm_pgtable_pool *pool, hm_pa_t block)
{
#error "hm_port_pgtable_pool_rejoin: collapse the linear map of the block, or do nothing"
}

/* A spinlock of that pool, which masks the interrupts that allocate; true if it was another's at first. */
static inline bool hm_port_pgtable_pool_lock(struct hm_pgtable_pool *pool)
{
#error "hm_port_pgtable_pool_lock: take the pool's spinlock"
}

static inline void hm_port_pgtable_pool_unlock(struct hm_pgtable_pool *pool)
{
#error "hm_port_pgtable_pool_unlock: drop the pool's spinlock"
}

/* A mutex of that pool, by one who may sleep; false if he shall not wait, being killed say. */
static inline bool hm_port_pgtable_pool_refill_lock(struct hm_pgtable_pool *pool)
{
#error "hm_port_pgtable_pool_refill_lock: take the pool's mutex"
}

static inline void hm_port_pgtable_pool_refill_unlock(struct hm_pgtable_pool *pool)
{
#error "hm_port_pgtable_pool_refill_unlock: drop the pool's mutex"
}

/* This CPU's number. No preemption, and no interrupt that uses the pool, until the second. */
static inline unsigned int hm_port_pgtable_pool_pin(struct hm_pgtable_pool *pool)
{
#error "hm_port_pgtable_pool_pin: stay on this CPU, and return its number"
}

static inline void hm_port_pgtable_pool_unpin(struct hm_pgtable_pool *pool)
{
#error "hm_port_pgtable_pool_unpin: allow preemption again"
}

/* Of an array that you have for each pool; NULL from the first number that no CPU has. */
static inline struct hm_pgtable_pool_magazine *hm_port_pgtable_pool_magazine(
	struct hm_pgtable_pool *pool, unsigned int cpu)
{
#error "hm_port_pgtable_pool_magazine: return the CPU's magazine, or NULL"
}

/* A full barrier on every other CPU, waited for: an interrupt to each. False if this context cannot. Not
 * called where metadata are locked, or without magazines. */
static inline bool hm_port_pgtable_pool_fence(struct hm_pgtable_pool *pool)
{
#error "hm_port_pgtable_pool_fence: have every other CPU execute a full barrier"
}

/* ---- rox_cache.h ---- */

/* Bytes of a block: 1 << this, 12 to 30. What one entry of the linear map translates: 21 for 2 MiB. */
#error "HM_PORT_ROX_CACHE_BLOCK_SHIFT: define it here"

/* That many blocks of memory, each of one piece, aligned and of any contents; and addresses within the
 * arena's bounds for all of them, of one piece and aligned: those from *code on, or if that is 0 any, which
 * *code is then. Nothing is mapped there yet. Your own record says of each address, block by block, where
 * its memory is. False if there is no memory, or no such addresses are free. May sleep, and reclaim, by the
 * shrinker too. */
static inline bool hm_port_rox_cache_memory(struct hm_rox_cache *cache,
					    const struct hm_rox_cache_arena *arena,
					    unsigned int blocks, hm_va_t *code)
{
#error "hm_port_rox_cache_memory: take blocks and addresses from the kernel"
}

/* One block of these, with its addresses. No CPU executes there, and its alias is ordinary memory again. */
static inline void hm_port_rox_cache_give(struct hm_rox_cache *cache, hm_va_t block)
{
#error "hm_port_rox_cache_give: give a block and its addresses back"
}

/* Where the linear map has what executes at that address: by your record, in any context. */
static inline hm_pte_t *hm_port_rox_cache_at(const struct hm_rox_cache *cache, hm_va_t code)
{
#error "hm_port_rox_cache_at: return the alias of the address"
}

/* What the linear map says of the memory of those bytes; all or nothing, or -HM_EIO. Over direct_map.h,
 * with the map's lock: where hm_kpkeys_style() is HM_KEY_STYLE_NONE, hm_direct_map_set_permission(), of
 * HM_PERMISSION_RO for CLOSED, of HM_PERMISSION_RW for the others; elsewhere hm_direct_map_set_pkey(), of
 * HM_KEY_TEXT for CLOSED, of HM_KEY_DEFAULT for MEMORY. Whole blocks take no tables; pages of one may:
 * have them before the map's lock, and hm_direct_map_collapse() the block when they are closed. */
static inline int hm_port_rox_cache_alias(struct hm_rox_cache *cache, hm_va_t code, uint64_t bytes,
					  enum hm_rox_cache_alias alias)
{
#error "hm_port_rox_cache_alias: change the key or the permission in the linear map"
}

/* The block where it executes: true maps it, by as few entries as may be, read-only and executable for the
 * kernel, with the default key, and makes it visible to all CPUs; false unmaps and invalidates it, and
 * does nothing if it is not mapped. */
static inline int hm_port_rox_cache_execute(struct hm_rox_cache *cache, hm_va_t block,
					    bool executable)
{
#error "hm_port_rox_cache_execute: map the block for execution, or unmap it"
}

/* An interrupt to every other CPU, waited for; each, and this one, passes a context synchronisation event.
 * One that is off passes one when it comes. False where that cannot be waited for, as interrupts are
 * masked, say. arm64: the exception is one, if SCTLR_EL1.EIS is 1; here ISB. */
static inline bool hm_port_rox_cache_synchronise(struct hm_rox_cache *cache)
{
#error "hm_port_rox_cache_synchronise: have every CPU synchronise its context"
}

/* A small object from your allocator; NULL if there is none. Without the cache's lock, in whatever context
 * allocates code. Who changes one leads a writer astray: memory that stray stores do not reach is better. */
static inline struct hm_rox_cache_range *hm_port_rox_cache_range_alloc(struct hm_rox_cache *cache)
{
#error "hm_port_rox_cache_range_alloc: allocate a range"
}

static inline void hm_port_rox_cache_range_free(struct hm_rox_cache *cache,
						struct hm_rox_cache_range *range)
{
#error "hm_port_rox_cache_range_free: free a range"
}

/* A spinlock of that cache, which masks the interrupts that use it. */
static inline void hm_port_rox_cache_lock(struct hm_rox_cache *cache)
{
#error "hm_port_rox_cache_lock: take the cache's spinlock"
}

static inline void hm_port_rox_cache_unlock(struct hm_rox_cache *cache)
{
#error "hm_port_rox_cache_unlock: drop the cache's spinlock"
}

/* A mutex of that cache, by one who may sleep; false if he shall not wait, being killed say. */
static inline bool hm_port_rox_cache_grow_lock(struct hm_rox_cache *cache)
{
#error "hm_port_rox_cache_grow_lock: take the mutex for growth"
}

static inline void hm_port_rox_cache_grow_unlock(struct hm_rox_cache *cache)
{
#error "hm_port_rox_cache_grow_unlock: drop the mutex for growth"
}

/* A lock of all caches over one linear map, held from the first change of permission for a window to the
 * last: a mutex if writers may sleep. False where it may not be waited for, or this context has it
 * already. Not called where there are keys. */
static inline bool hm_port_rox_cache_window_lock(struct hm_rox_cache *cache)
{
#error "hm_port_rox_cache_window_lock: take the lock of windows"
}

static inline void hm_port_rox_cache_window_unlock(struct hm_rox_cache *cache)
{
#error "hm_port_rox_cache_window_unlock: drop the lock of windows"
}

#include "context.h"
#include "direct_map.h"
#include "kpkeys.h"
#include "pgtable.h"
#include "rox_cache.h"
#endif
