/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * pgtable_pool.h -- the hooks of hardmap/pgtable_pool.h, declared: for a hardmap_port.h whose port has
 * them as functions of a file. What each has to do: part 3 there.
 */
#ifndef EXTERN_PGTABLE_POOL_H
#define EXTERN_PGTABLE_POOL_H
#define HM_PGTABLE_POOL_TYPES_ONLY
#include <hardmap/pgtable_pool.h>
#undef HM_PGTABLE_POOL_TYPES_ONLY

hm_pa_t hm_port_pgtable_pool_root(const struct hm_pgtable_pool *pool);
bool hm_port_pgtable_pool_memory(struct hm_pgtable_pool *pool, unsigned int order, hm_pa_t *pages);
void hm_port_pgtable_pool_give(struct hm_pgtable_pool *pool, hm_pa_t pages, unsigned int n);
int hm_port_pgtable_pool_set_key(struct hm_pgtable_pool *pool, hm_pa_t pages, unsigned int n,
				 unsigned int key, struct hm_pgtable_pool_token *tables);
void hm_port_pgtable_pool_rejoin(struct hm_pgtable_pool *pool, hm_pa_t block);
bool hm_port_pgtable_pool_lock(struct hm_pgtable_pool *pool);
void hm_port_pgtable_pool_unlock(struct hm_pgtable_pool *pool);
bool hm_port_pgtable_pool_refill_lock(struct hm_pgtable_pool *pool);
void hm_port_pgtable_pool_refill_unlock(struct hm_pgtable_pool *pool);
unsigned int hm_port_pgtable_pool_pin(struct hm_pgtable_pool *pool);
void hm_port_pgtable_pool_unpin(struct hm_pgtable_pool *pool);
struct hm_pgtable_pool_magazine *hm_port_pgtable_pool_magazine(struct hm_pgtable_pool *pool,
							       unsigned int cpu);
bool hm_port_pgtable_pool_fence(struct hm_pgtable_pool *pool);
#endif
