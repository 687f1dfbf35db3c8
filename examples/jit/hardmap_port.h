/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * hardmap_port.h -- a program of a host as the kernel below rox_cache.h: code is a file in memory, mapped
 * twice, to be executed and to be written. One thread. Include path: include, examples/jit; link
 * examples/jit/memory.c.
 *
 * Hosts: Linux on x86-64 and arm64. Windows are changes of permission, mprotect(): the host's own protection
 * keys are left out. Nothing here is privileged.
 */
#ifndef JIT_HARDMAP_PORT_H
#define JIT_HARDMAP_PORT_H
#define HM_CONTEXT_TYPES_ONLY
#include <hardmap/context.h>
#undef HM_CONTEXT_TYPES_ONLY
#define HM_KPKEYS_TYPES_ONLY
#include <hardmap/kpkeys.h>
#undef HM_KPKEYS_TYPES_ONLY
#define HM_PGTABLE_TYPES_ONLY
#include <hardmap/pgtable.h>
#undef HM_PGTABLE_TYPES_ONLY
#define HM_ROX_CACHE_TYPES_ONLY
#include <hardmap/rox_cache.h>
#undef HM_ROX_CACHE_TYPES_ONLY
#include <stdio.h>
#include <stdlib.h>

#define HM_BUG(message) (fprintf(stderr, "%s\n", message), abort())
#define HM_PORT_KEY_STYLE HM_KEY_STYLE_NONE

/* ---- rox_cache.h ---- */

#define JIT_BLOCKS 64u /* places for them, at most */
#define HM_PORT_ROX_CACHE_BLOCK_SHIFT 16 /* a page at least, on any host */
#if defined(__x86_64__)
#define HM_PORT_ROX_CACHE_TRAP UINT64_C(0xcccccccccccccccc) /* INT3 */
#elif defined(__aarch64__)
#define HM_PORT_ROX_CACHE_TRAP UINT64_C(0xd4200000d4200000) /* BRK #0 */
#else
#error "hardmap_port.h: for x86-64 and arm64"
#endif

/* Once, first of all: reserves addresses, [first, last], for code. Ends the program if it cannot. */
void jit_start(hm_va_t *first, hm_va_t *last);

bool hm_port_rox_cache_memory(struct hm_rox_cache *cache, const struct hm_rox_cache_arena *arena,
			      unsigned int n, hm_va_t *blocks);
void hm_port_rox_cache_give(struct hm_rox_cache *cache, hm_va_t block);
hm_pte_t *hm_port_rox_cache_at(const struct hm_rox_cache *cache, hm_va_t code);
int hm_port_rox_cache_alias(struct hm_rox_cache *cache, hm_va_t code, uint64_t bytes,
			    enum hm_rox_cache_alias alias);
int hm_port_rox_cache_execute(struct hm_rox_cache *cache, hm_va_t block, bool executable);
void hm_port_code_invalidate(hm_va_t code, uint64_t bytes);
bool hm_port_rox_cache_window_lock(struct hm_rox_cache *cache);
void hm_port_rox_cache_window_unlock(struct hm_rox_cache *cache);
struct hm_rox_cache_range *hm_port_rox_cache_range_alloc(struct hm_rox_cache *cache);
void hm_port_rox_cache_range_free(struct hm_rox_cache *cache, struct hm_rox_cache_range *range);

/* hm_port_code_invalidate() cleans too: the caches of data know memory by one address. */
static inline void hm_port_code_clean(const hm_pte_t *alias, uint64_t bytes)
{
	(void)alias;
	(void)bytes;
}

static inline void hm_port_code_patch(uint32_t *alias, uint32_t instruction)
{
	__atomic_store_n(alias, instruction, __ATOMIC_RELAXED);
}

/* The thread that asks has synchronised: by hm_port_code_invalidate() on arm64, by its next jump on x86. With
 * more of them: membarrier(), PRIVATE_EXPEDITED_SYNC_CORE. */
static inline bool hm_port_rox_cache_synchronise(struct hm_rox_cache *cache)
{
	(void)cache;
	return true;
}

/* With more threads: a mutex each. */
static inline void hm_port_rox_cache_lock(struct hm_rox_cache *cache)
{
	(void)cache;
}

static inline void hm_port_rox_cache_unlock(struct hm_rox_cache *cache)
{
	(void)cache;
}

static inline bool hm_port_rox_cache_grow_lock(struct hm_rox_cache *cache)
{
	(void)cache;
	return true;
}

static inline void hm_port_rox_cache_grow_unlock(struct hm_rox_cache *cache)
{
	(void)cache;
}

/* ---- stores, by which code is written ---- */

static inline hm_pte_t hm_port_pte_load(const hm_pte_t *ptep)
{
	const hm_pte_t pte = { __atomic_load_n(&ptep->val, __ATOMIC_RELAXED) };

	return pte;
}

static inline void hm_port_pte_store(hm_pte_t *ptep, hm_pte_t pte)
{
	__atomic_store_n(&ptep->val, pte.val, __ATOMIC_RELAXED);
}

static inline hm_pte_t *hm_port_pte_store_pair(hm_pte_t *ptep, hm_pte_t first, hm_pte_t second)
{
	hm_port_pte_store(ptep, first);
	hm_port_pte_store(ptep + 1, second);
	return ptep + 2;
}

/* log2 of the host's page. */
extern unsigned int jit_page_shift;

static inline unsigned int hm_port_pgtable_shift(unsigned int level)
{
	(void)level;
	return jit_page_shift;
}

/* ---- what a program has not: page tables, and contexts that switch ---- */

#define HM_PORT_PGTABLE_LEVELS 2
#define HM_PORT_PGTABLE_ENTRIES 2

static inline struct hm_context *hm_port_context(void)
{
	static struct hm_context context;

	return &context;
}

static inline void hm_port_context_publish(void)
{
}

static inline void hm_port_context_sync(void)
{
}

static inline void hm_port_context_switch(void)
{
}

static inline enum hm_kpkeys_fault hm_port_kpkeys_why(uint64_t syndrome, uint64_t entry)
{
	(void)syndrome;
	(void)entry;
	return HM_KPKEYS_FAULT_OTHER;
}

static inline hm_pte_t hm_port_pte_compare_exchange(hm_pte_t *ptep, hm_pte_t expected,
						    hm_pte_t desired)
{
	__atomic_compare_exchange_n(&ptep->val, &expected.val, desired.val, 0, __ATOMIC_RELAXED,
				    __ATOMIC_RELAXED);
	return expected;
}

static inline void hm_port_pgtable_order_fill(void)
{
}

static inline bool hm_port_pte_is_valid(hm_pte_t pte)
{
	(void)pte;
	return false;
}

static inline bool hm_port_pte_is_user(hm_pte_t pte)
{
	(void)pte;
	return false;
}

static inline bool hm_port_pte_is_table(hm_pte_t pte, unsigned int level)
{
	(void)pte;
	(void)level;
	return false;
}

static inline hm_pa_t hm_port_pte_table(hm_pte_t pte)
{
	const hm_pa_t pa = { pte.val };

	return pa;
}

static inline hm_pte_t *hm_port_pgtable_map(hm_pa_t table)
{
	(void)table;
	return NULL;
}

static inline hm_pte_t *hm_port_pgtable_root(hm_va_t va)
{
	(void)va;
	return NULL;
}

static inline unsigned int hm_port_pgtable_index(hm_va_t va, unsigned int level)
{
	(void)va;
	(void)level;
	return 0;
}

static inline bool hm_port_pte_permits(hm_pte_t pte, enum hm_access access)
{
	(void)pte;
	(void)access;
	return false;
}

static inline void hm_port_pgtable_invalidate(hm_va_t va, uint64_t bytes, enum hm_invalidate what)
{
	(void)va;
	(void)bytes;
	(void)what;
}
#endif
