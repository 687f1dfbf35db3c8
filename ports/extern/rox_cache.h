/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * rox_cache.h -- the hooks of hardmap/rox_cache.h, declared: for a hardmap_port.h whose port has
 * them as functions of a file. What each has to do: part 3 there.
 */
#ifndef EXTERN_ROX_CACHE_H
#define EXTERN_ROX_CACHE_H
#define HM_PGTABLE_TYPES_ONLY
#include <hardmap/pgtable.h>
#undef HM_PGTABLE_TYPES_ONLY
#define HM_ROX_CACHE_TYPES_ONLY
#include <hardmap/rox_cache.h>
#undef HM_ROX_CACHE_TYPES_ONLY

bool hm_port_rox_cache_memory(struct hm_rox_cache *cache, const struct hm_rox_cache_arena *arena,
			      unsigned int blocks, hm_va_t *code);
void hm_port_rox_cache_give(struct hm_rox_cache *cache, hm_va_t block);
hm_pte_t *hm_port_rox_cache_at(const struct hm_rox_cache *cache, hm_va_t code);
int hm_port_rox_cache_alias(struct hm_rox_cache *cache, hm_va_t code, uint64_t bytes,
			    enum hm_rox_cache_alias alias);
int hm_port_rox_cache_execute(struct hm_rox_cache *cache, hm_va_t block, bool executable);
bool hm_port_rox_cache_synchronise(struct hm_rox_cache *cache);
struct hm_rox_cache_range *hm_port_rox_cache_range_alloc(struct hm_rox_cache *cache);
void hm_port_rox_cache_range_free(struct hm_rox_cache *cache, struct hm_rox_cache_range *range);
void hm_port_rox_cache_lock(struct hm_rox_cache *cache);
void hm_port_rox_cache_unlock(struct hm_rox_cache *cache);
bool hm_port_rox_cache_grow_lock(struct hm_rox_cache *cache);
void hm_port_rox_cache_grow_unlock(struct hm_rox_cache *cache);
bool hm_port_rox_cache_window_lock(struct hm_rox_cache *cache);
void hm_port_rox_cache_window_unlock(struct hm_rox_cache *cache);
#endif
