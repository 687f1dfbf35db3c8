/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * hardmap_port.h -- the port of main.c: what a kernel on arm64 has, on one CPU. What a kernel brings of its
 * own costs next to nothing here: locks are for the compiler, no other CPU has to synchronise. Where there
 * are no keys, permissions change by direct_map.h.
 *
 * CONFIG   BENCH_STYLE  how code is protected: HM_KEY_STYLE_NONE, _WINDOW, _STORE of context.h */
#ifndef BENCH_ROX_INSN_HARDMAP_PORT_H
#define BENCH_ROX_INSN_HARDMAP_PORT_H
#define HM_PGTABLE_TYPES_ONLY
#include <hardmap/pgtable.h>
#undef HM_PGTABLE_TYPES_ONLY
#define HM_ROX_CACHE_TYPES_ONLY
#include <hardmap/rox_cache.h>
#undef HM_ROX_CACHE_TYPES_ONLY
#define HM_PORT_KEY_STYLE BENCH_STYLE
#include "../bare/port.h"
#if BENCH_STYLE == HM_KEY_STYLE_WINDOW
#define HM_PORT_KPKEYS 8
#define HM_PORT_KPKEYS_REGISTER(permissions) (permissions)
#define HM_PORT_KPKEYS_BASE 0
#define HM_PORT_KPKEYS_LEVELS(LEVEL)
/* As POR_EL1 in arm64/poe.h: an instruction each. */
static inline uint64_t hm_port_kpkeys_read(void)
{
	uint64_t value;

	__asm__ volatile("mrs %0, tpidr_el0" : "=r"(value));
	return value;
}

static inline void hm_port_kpkeys_write(uint64_t value)
{
	__asm__ volatile("msr tpidr_el0, %0" : : "r"(value) : "memory");
}
#elif BENCH_STYLE == HM_KEY_STYLE_STORE
/* As in arm64/gcs.h; but an ordinary store stands in for GCSSTR, by the same registers. */
static inline void hm_port_keyed_begin(void)
{
	hm_insn_dmb_ish();
	hm_insn_gcsb_dsync();
}

static inline void hm_port_keyed_end(void)
{
	hm_insn_gcsb_dsync();
	hm_insn_dmb_ish();
}

static inline void hm_port_pte_store_keyed(hm_pte_t *ptep, hm_pte_t pte)
{
	register uint64_t *x0 __asm__("x0") = &ptep->val;
	register uint64_t x1 __asm__("x1") = pte.val;

	__asm__ volatile("str x1, [x0]" : : "r"(x0), "r"(x1) : "memory");
}
#endif

/* Lines of 64 bytes, neither IDC nor DIC. */
static inline uint64_t hm_port_arm64_ctr(void)
{
	return UINT64_C(0x80040004);
}
#include <arm64/code.h>

/* Of main.c. */
#define BENCH_BLOCK_SHIFT 21
#define BENCH_BLOCK (UINT64_C(1) << BENCH_BLOCK_SHIFT)
extern hm_pte_t *const bench_root;
bool bench_table(hm_pa_t *table);
void bench_free_table(hm_pa_t table);
bool bench_blocks(unsigned int n, hm_va_t *code);
int bench_alias(uint64_t offset, uint64_t bytes, bool writable);
struct hm_rox_cache_range *bench_range(void);
void bench_free_range(struct hm_rox_cache_range *range);
/* All blocks are the same memory: nobody reads it. */
#define BENCH_MEMORY UINT64_C(0x48000000)

static inline hm_pte_t *hm_port_pgtable_root(hm_va_t va)
{
	(void)va;
	return bench_root;
}

static inline bool hm_port_pgtable_alloc(hm_pa_t *table)
{
	return bench_table(table);
}

static inline void hm_port_pgtable_free(hm_pa_t table)
{
	bench_free_table(table);
}

static inline unsigned int hm_port_bbm_level(void)
{
	return 3;
}

static inline int hm_port_direct_map_break(hm_va_t va, uint64_t bytes)
{
	(void)va, (void)bytes;
	return 0;
}

static inline void hm_port_direct_map_mend(hm_va_t va, uint64_t bytes)
{
	(void)va, (void)bytes;
}

/* ---- the cache ---- */
#define HM_PORT_ROX_CACHE_BLOCK_SHIFT BENCH_BLOCK_SHIFT

static inline bool hm_port_rox_cache_memory(struct hm_rox_cache *cache,
					    const struct hm_rox_cache_arena *arena, unsigned int n,
					    hm_va_t *code)
{
	(void)cache, (void)arena;
	return bench_blocks(n, code);
}

static inline void hm_port_rox_cache_give(struct hm_rox_cache *cache, hm_va_t block)
{
	(void)cache, (void)block;
}

static inline hm_pte_t *hm_port_rox_cache_at(const struct hm_rox_cache *cache, hm_va_t code)
{
	(void)cache;
	return (hm_pte_t *)(uintptr_t)(BENCH_MEMORY + (code.val & (BENCH_BLOCK - 1)));
}

/* What blocks take when they come is not measured. */
static inline int hm_port_rox_cache_alias(struct hm_rox_cache *cache, hm_va_t code, uint64_t bytes,
					  enum hm_rox_cache_alias alias)
{
	(void)cache;
	if (BENCH_STYLE != HM_KEY_STYLE_NONE)
		return 0;
	return bench_alias(code.val & (BENCH_BLOCK - 1), bytes, alias != HM_ROX_CACHE_CLOSED);
}

static inline int hm_port_rox_cache_execute(struct hm_rox_cache *cache, hm_va_t block,
					    bool executable)
{
	(void)cache, (void)block, (void)executable;
	return 0;
}

/* Of this CPU. */
static inline bool hm_port_rox_cache_synchronise(struct hm_rox_cache *cache)
{
	(void)cache;
	hm_insn_isb();
	return true;
}

static inline struct hm_rox_cache_range *hm_port_rox_cache_range_alloc(struct hm_rox_cache *cache)
{
	(void)cache;
	return bench_range();
}

static inline void hm_port_rox_cache_range_free(struct hm_rox_cache *cache,
						struct hm_rox_cache_range *range)
{
	(void)cache;
	bench_free_range(range);
}

static inline void hm_port_rox_cache_lock(struct hm_rox_cache *cache)
{
	(void)cache;
	__asm__ volatile("" : : : "memory");
}

static inline void hm_port_rox_cache_unlock(struct hm_rox_cache *cache)
{
	(void)cache;
	__asm__ volatile("" : : : "memory");
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
	__asm__ volatile("" : : : "memory");
	return true;
}

static inline void hm_port_rox_cache_window_unlock(struct hm_rox_cache *cache)
{
	(void)cache;
	__asm__ volatile("" : : : "memory");
}
#endif
