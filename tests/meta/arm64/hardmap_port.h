/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * hardmap_port.h -- the least that an environment adds to ports/arm64. Compiled, never run.
 */
#ifndef META_ARM64_HARDMAP_PORT_H
#define META_ARM64_HARDMAP_PORT_H
#define HM_CONTEXT_TYPES_ONLY
#include <hardmap/context.h>
#undef HM_CONTEXT_TYPES_ONLY
#define HM_DIRECT_MAP_TYPES_ONLY
#include <hardmap/direct_map.h>
#undef HM_DIRECT_MAP_TYPES_ONLY
#define HM_PGTABLE_TYPES_ONLY
#include <hardmap/pgtable.h>
#undef HM_PGTABLE_TYPES_ONLY
#define HM_PGTABLE_POOL_TYPES_ONLY
#include <hardmap/pgtable_pool.h>
#undef HM_PGTABLE_POOL_TYPES_ONLY
#include <extern/rox_cache.h>

void environment_bug(const char *message);
extern struct hm_context *environment_context;
extern hm_pte_t *environment_root;
extern bool environment_has_tlbi_range;
extern unsigned int environment_key_style;
extern bool environment_has_store_keys;
bool environment_alloc(hm_pa_t *table);
void environment_free(hm_pa_t table);
int environment_break(hm_va_t va, uint64_t bytes);
void environment_mend(hm_va_t va, uint64_t bytes);
extern unsigned int environment_bbm_level;
extern hm_pa_t environment_pool_root;
extern struct hm_pgtable_pool_magazine environment_magazine;
extern uint64_t environment_ctr;

#define HM_BUG(message) environment_bug(message)
#define HM_PORT_ARM64_PAGE_SHIFT 12

static inline struct hm_context *hm_port_context(void)
{
	return environment_context;
}

static inline hm_pte_t *hm_port_pgtable_map(hm_pa_t table)
{
	return (hm_pte_t *)(uintptr_t)table.val;
}

static inline hm_pte_t *hm_port_pgtable_root(hm_va_t va)
{
	(void)va;
	return environment_root;
}

static inline bool hm_port_arm64_has_tlbi_range(void)
{
	return environment_has_tlbi_range;
}

static inline unsigned int hm_port_key_style(void)
{
	return environment_key_style;
}

static inline bool hm_port_arm64_has_store_keys(void)
{
	return environment_has_store_keys;
}

static inline bool hm_port_pgtable_alloc(hm_pa_t *table)
{
	return environment_alloc(table);
}

static inline void hm_port_pgtable_free(hm_pa_t table)
{
	environment_free(table);
}

static inline unsigned int hm_port_bbm_level(void)
{
	return environment_bbm_level;
}

static inline int hm_port_direct_map_break(hm_va_t va, uint64_t bytes)
{
	return environment_break(va, bytes);
}

static inline void hm_port_direct_map_mend(hm_va_t va, uint64_t bytes)
{
	environment_mend(va, bytes);
}

/* How the pool is built; the benchmark of its instructions asks for each. */
#ifndef HM_PORT_PGTABLE_POOL_LOCKED
#define HM_PORT_PGTABLE_POOL_LOCKED 1
#endif
#ifndef HM_PORT_PGTABLE_POOL_MAGAZINE
#define HM_PORT_PGTABLE_POOL_MAGAZINE 16
#endif
#define HM_PORT_PGTABLE_POOL_ORDER 9
#define HM_PORT_PGTABLE_POOL_TABLES 4
bool hm_port_pgtable_pool_memory(struct hm_pgtable_pool *pool, unsigned int order, hm_pa_t *pages);
void hm_port_pgtable_pool_give(struct hm_pgtable_pool *pool, hm_pa_t pages, unsigned int n);
int hm_port_pgtable_pool_set_key(struct hm_pgtable_pool *pool, hm_pa_t pages, unsigned int n,
				 unsigned int key, struct hm_pgtable_pool_token *tables);
void hm_port_pgtable_pool_rejoin(struct hm_pgtable_pool *pool, hm_pa_t block);
bool hm_port_pgtable_pool_lock(struct hm_pgtable_pool *pool);
void hm_port_pgtable_pool_unlock(struct hm_pgtable_pool *pool);
bool hm_port_pgtable_pool_refill_lock(struct hm_pgtable_pool *pool);
void hm_port_pgtable_pool_refill_unlock(struct hm_pgtable_pool *pool);
bool hm_port_pgtable_pool_fence(struct hm_pgtable_pool *pool);

static inline hm_pa_t hm_port_pgtable_pool_root(const struct hm_pgtable_pool *pool)
{
	(void)pool;
	return environment_pool_root;
}

static inline unsigned int hm_port_pgtable_pool_pin(struct hm_pgtable_pool *pool)
{
	(void)pool;
	return 0;
}

static inline void hm_port_pgtable_pool_unpin(struct hm_pgtable_pool *pool)
{
	(void)pool;
}

static inline struct hm_pgtable_pool_magazine *hm_port_pgtable_pool_magazine(
	struct hm_pgtable_pool *pool, unsigned int cpu)
{
	(void)pool;
	return cpu ? (struct hm_pgtable_pool_magazine *)0 : &environment_magazine;
}

#define HM_PORT_ROX_CACHE_BLOCK_SHIFT 21

static inline uint64_t hm_port_arm64_ctr(void)
{
	return environment_ctr;
}

#define HM_PORT_KPKEYS_BASE 0
#define HM_PORT_KPKEYS_LEVELS(LEVEL)

#include <arm64/barrier.h>
#include <arm64/code.h>
#include <arm64/fault.h>
#include <arm64/gcs.h>
#include <arm64/poe.h>
#include <arm64/tlbi.h>
#include <arm64/vmsa.h>
#endif
