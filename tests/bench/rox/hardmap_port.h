/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * hardmap_port.h -- the port of rox_cost.c: that of the pool's benchmarks, a native process without keys, and
 * what rox_cache.h asks for beside. What is a kernel's own to do costs nothing here: permissions, caches,
 * other CPUs. */
#ifndef BENCH_ROX_HARDMAP_PORT_H
#define BENCH_ROX_HARDMAP_PORT_H
#include "../pool/hardmap_port.h"
#define HM_ROX_CACHE_TYPES_ONLY
#include <hardmap/rox_cache.h>
#undef HM_ROX_CACHE_TYPES_ONLY

#define HM_PORT_ROX_CACHE_BLOCK_SHIFT 21
#define HM_PORT_ROX_CACHE_TRAP UINT64_C(0xcccccccccccccccc)
#define BENCH_CODE UINT64_C(0x100000000000) /* where code is: addresses of no memory */
#define BENCH_CODE_BLOCKS 4096u
#define BENCH_CODE_BLOCK (UINT64_C(1) << HM_PORT_ROX_CACHE_BLOCK_SHIFT)

/* Which blocks are taken, and the memory of each: the same, as nobody reads it. */
static struct bench_code {
	_Alignas(4096) unsigned char memory[BENCH_CODE_BLOCK];
	bool taken[BENCH_CODE_BLOCKS];
	uint32_t held;
} bench_code;

/* The first n in a row that are free; false if there are none. */
static inline bool bench_code_find(uint32_t n, uint32_t *block)
{
	uint32_t at, run = 0;

	for (at = 0; at < BENCH_CODE_BLOCKS; at++) {
		run = bench_code.taken[at] ? 0 : run + 1;
		if (run == n) {
			*block = at + 1 - n;
			return true;
		}
	}
	return false;
}

static inline void bench_code_take(uint32_t block, uint32_t n)
{
	memset(bench_code.taken + block, true, n);
	bench_code.held += n;
}

static inline void bench_code_give(uint32_t block, uint32_t n)
{
	memset(bench_code.taken + block, false, n);
	bench_code.held -= n;
}

static inline bool hm_port_rox_cache_memory(struct hm_rox_cache *cache,
					    const struct hm_rox_cache_arena *arena, unsigned int n,
					    hm_va_t *va)
{
	uint32_t block = (uint32_t)((va->val - BENCH_CODE) / BENCH_CODE_BLOCK), i;

	(void)cache, (void)arena;
	if (!va->val && !bench_code_find(n, &block))
		return false;
	for (i = 0; i < n; i++)
		if (block + i >= BENCH_CODE_BLOCKS || bench_code.taken[block + i])
			return false;
	bench_code_take(block, n);
	va->val = BENCH_CODE + block * BENCH_CODE_BLOCK;
	return true;
}

static inline void hm_port_rox_cache_give(struct hm_rox_cache *cache, hm_va_t va)
{
	(void)cache;
	bench_code_give((uint32_t)((va.val - BENCH_CODE) / BENCH_CODE_BLOCK), 1);
}

static inline hm_pte_t *hm_port_rox_cache_at(const struct hm_rox_cache *cache, hm_va_t va)
{
	(void)cache;
	return (hm_pte_t *)(void *)(bench_code.memory + va.val % BENCH_CODE_BLOCK);
}

static inline int hm_port_rox_cache_alias(struct hm_rox_cache *cache, hm_va_t va, uint64_t bytes,
					  enum hm_rox_cache_alias alias)
{
	(void)cache, (void)va, (void)bytes, (void)alias;
	return 0;
}

static inline int hm_port_rox_cache_execute(struct hm_rox_cache *cache, hm_va_t va, bool executable)
{
	(void)cache, (void)va, (void)executable;
	return 0;
}

static inline void hm_port_code_clean(const hm_pte_t *alias, uint64_t bytes)
{
	(void)alias, (void)bytes;
}

static inline void hm_port_code_invalidate(hm_va_t va, uint64_t bytes)
{
	(void)va, (void)bytes;
}

static inline bool hm_port_rox_cache_synchronise(struct hm_rox_cache *cache)
{
	(void)cache;
	return true;
}

static inline void hm_port_code_patch(uint32_t *alias, uint32_t instruction)
{
	__atomic_store_n(alias, instruction, __ATOMIC_RELAXED);
}

static inline struct hm_rox_cache_range *hm_port_rox_cache_range_alloc(struct hm_rox_cache *cache)
{
	(void)cache;
	return malloc(sizeof(struct hm_rox_cache_range));
}

static inline void hm_port_rox_cache_range_free(struct hm_rox_cache *cache,
						struct hm_rox_cache_range *range)
{
	(void)cache;
	free(range);
}

/* One thread. */
static inline void hm_port_rox_cache_lock(struct hm_rox_cache *cache)
{
	(void)cache;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void hm_port_rox_cache_unlock(struct hm_rox_cache *cache)
{
	(void)cache;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
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

static inline bool hm_port_rox_cache_window_lock(struct hm_rox_cache *cache)
{
	(void)cache;
	return true;
}

static inline void hm_port_rox_cache_window_unlock(struct hm_rox_cache *cache)
{
	(void)cache;
}
#endif
