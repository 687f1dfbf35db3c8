/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * hardmap_port.h -- the port of main.c: what a kernel on arm64 has, on one CPU. What a kernel brings of its
 * own costs nothing here: the lock and the pin are for the compiler, the number of the CPU is a constant.
 *
 * CONFIG   HM_PORT_PGTABLE_POOL_MAGAZINE, HM_PORT_PGTABLE_POOL_LOCKED
 *          BENCH_WINDOW  1: with a key register, for which another stands in that QEMU has
 */
#ifndef BENCH_POOL_INSN_HARDMAP_PORT_H
#define BENCH_POOL_INSN_HARDMAP_PORT_H
#define HM_PGTABLE_TYPES_ONLY
#include <hardmap/pgtable.h>
#undef HM_PGTABLE_TYPES_ONLY
#define HM_PGTABLE_POOL_TYPES_ONLY
#include <hardmap/pgtable_pool.h>
#undef HM_PGTABLE_POOL_TYPES_ONLY
#if BENCH_WINDOW
#define HM_PORT_KEY_STYLE HM_KEY_STYLE_WINDOW
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
#else
#define HM_PORT_KEY_STYLE HM_KEY_STYLE_NONE
#endif
#include "../bare/port.h"

/* Of main.c. */
#define BENCH_ORDER 9u /* a block of 2 MiB */
extern hm_pte_t bench_root[HM_PORT_PGTABLE_ENTRIES];
extern struct hm_pgtable_pool_magazine bench_magazine;
bool bench_memory(unsigned int order, hm_pa_t *pages);
void bench_give(hm_pa_t pages, unsigned int n);

/* Nothing is translated. */
static inline hm_pte_t *hm_port_pgtable_root(hm_va_t va)
{
	(void)va;
	return 0;
}

/* ---- the pool ---- */
#define HM_PORT_PGTABLE_POOL_ORDER BENCH_ORDER
#define HM_PORT_PGTABLE_POOL_TABLES 0

static inline hm_pa_t hm_port_pgtable_pool_root(const struct hm_pgtable_pool *pool)
{
	const hm_pa_t root = { (uintptr_t)bench_root };

	(void)pool;
	return root;
}

static inline bool hm_port_pgtable_pool_memory(struct hm_pgtable_pool *pool, unsigned int order,
					       hm_pa_t *pages)
{
	(void)pool;
	return bench_memory(order, pages);
}

static inline void hm_port_pgtable_pool_give(struct hm_pgtable_pool *pool, hm_pa_t pages,
					     unsigned int n)
{
	(void)pool;
	bench_give(pages, n);
}

/* Key changes are direct_map.h's, and direct_map_insn counts those. */
static inline int hm_port_pgtable_pool_set_key(struct hm_pgtable_pool *pool, hm_pa_t pages,
					       unsigned int n, unsigned int key,
					       struct hm_pgtable_pool_token *tables)
{
	(void)pool, (void)pages, (void)n, (void)key, (void)tables;
	return 0;
}

static inline void hm_port_pgtable_pool_rejoin(struct hm_pgtable_pool *pool, hm_pa_t block)
{
	(void)pool, (void)block;
}

static inline bool hm_port_pgtable_pool_lock(struct hm_pgtable_pool *pool)
{
	(void)pool;
	__asm__ volatile("" : : : "memory");
	return false;
}

static inline void hm_port_pgtable_pool_unlock(struct hm_pgtable_pool *pool)
{
	(void)pool;
	__asm__ volatile("" : : : "memory");
}

static inline bool hm_port_pgtable_pool_refill_lock(struct hm_pgtable_pool *pool)
{
	(void)pool;
	return true;
}

static inline void hm_port_pgtable_pool_refill_unlock(struct hm_pgtable_pool *pool)
{
	(void)pool;
}

static inline unsigned int hm_port_pgtable_pool_pin(struct hm_pgtable_pool *pool)
{
	(void)pool;
	__asm__ volatile("" : : : "memory");
	return 0;
}

static inline void hm_port_pgtable_pool_unpin(struct hm_pgtable_pool *pool)
{
	(void)pool;
	__asm__ volatile("" : : : "memory");
}

/* As if a register of the CPU led to it: its address is no constant that is made anew for each field. */
static inline struct hm_pgtable_pool_magazine *hm_port_pgtable_pool_magazine(
	struct hm_pgtable_pool *pool, unsigned int cpu)
{
	struct hm_pgtable_pool_magazine *magazine = &bench_magazine;

	(void)pool;
	__asm__("" : "+r"(magazine));
	return cpu ? 0 : magazine;
}

/* No other CPU has to pass a barrier. */
static inline bool hm_port_pgtable_pool_fence(struct hm_pgtable_pool *pool)
{
	(void)pool;
	__asm__ volatile("" : : : "memory");
	return true;
}
#endif
