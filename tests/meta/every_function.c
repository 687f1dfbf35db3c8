/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * every_function.c -- calls every inline function of include/hardmap, so that the compiler looks into each;
 * headers.py says which is missing. C and C++. Compiled, never run.
 */
#include <hardmap/context.h>
#include <hardmap/direct_map.h>
#include <hardmap/kpkeys.h>
#include <hardmap/lazy_mmu.h>
#include <hardmap/pgtable.h>
#include <hardmap/pgtable_pool.h>
#include <hardmap/rox_cache.h>

void every_context(void);
void every_lazy_mmu(void);
const char *every_level(uint64_t syndrome, hm_va_t va);
bool every_pgtable(hm_pte_t *ptep, hm_pte_t pte, hm_va_t va);
int every_direct_map(struct hm_direct_map *map, hm_va_t va, uint64_t bytes, hm_pte_t first,
		     void (*put)(const char *line, void *argument));
uint64_t every_pgtable_pool(struct hm_pgtable_pool *pool, hm_pa_t *pages,
			    void (*put)(const char *line, void *argument));
uint64_t every_rox_cache(struct hm_rox_cache *cache, struct hm_rox_cache_arena *arena,
			 hm_va_t first, hm_va_t last,
			 void (*put)(const char *line, void *argument));

void every_context(void)
{
	hm_context_exception_t interrupted = hm_context_exception_push();

	hm_context_switch_in(hm_context_switch_out());
	hm_context_reuse(hm_port_context());
	hm_context_exception_pop(interrupted);
	hm_context_assert_idle();
}

void every_lazy_mmu(void)
{
	hm_lazy_mmu_token_t section = hm_lazy_mmu_enter();
	hm_lazy_mmu_pause_t pause;

	hm_lazy_mmu_queue();
	hm_lazy_mmu_flush();
	pause = hm_lazy_mmu_pause();
	hm_lazy_mmu_resume(pause);
	if (hm_lazy_mmu_active())
		hm_lazy_mmu_leave(section);
#ifdef HM_LAZY_MMU_SCOPE
	{
		HM_LAZY_MMU_SCOPE(scope);

		hm_lazy_mmu_queue();
	}
#endif
}

#ifdef HM_HOSTED_LEVEL
HM_KPKEYS_ENTER(enter_own, HM_HOSTED_LEVEL)
#endif

const char *every_level(uint64_t syndrome, hm_va_t va)
{
	hm_kpkeys_token_t outer, inner;
	unsigned int level;

	hm_kpkeys_cpu_start();
	outer = hm_kpkeys_enter_unrestricted();
	inner = hm_kpkeys_enter_default();
	hm_kpkeys_leave(inner);
	hm_kpkeys_leave(outer);
	outer = hm_kpkeys_enter_text();
	inner = hm_kpkeys_enter_pgtables();
	hm_kpkeys_leave(inner);
	hm_kpkeys_leave(outer);
#ifdef HM_HOSTED_LEVEL
	hm_kpkeys_leave(enter_own());
#endif
#ifdef HM_KPKEYS_GUARD
	{
		HM_KPKEYS_GUARD(guard, hm_kpkeys_enter_text);
		HM_KPKEYS_GUARD_COND(maybe, hm_kpkeys_enter_pgtables, syndrome);
		HM_KPKEYS_GUARD_NOOP(never);

		hm_lazy_mmu_queue();
	}
#endif
	hm_kpkeys_leave(hm_kpkeys_none());
	if (hm_kpkeys_style() == HM_KEY_STYLE_NONE)
		hm_kpkeys_hand_over();
	return hm_kpkeys_why_text(hm_kpkeys_why(syndrome, hm_pgtable_leaf(va, &level).val));
}

bool every_pgtable(hm_pte_t *ptep, hm_pte_t pte, hm_va_t va)
{
	hm_pte_t expected = hm_pte_get(ptep);

	hm_pte_set(ptep, pte);
	hm_pte_set_kernel(ptep, pte);
	hm_pte_clear(ptep);
	hm_pte_set_range(ptep, 8, pte, 4096);
	hm_pte_clear_range(ptep, 8);
	hm_pte_fill(ptep, 8, pte, 4096);
	hm_pte_link(ptep, pte);
	hm_pgtable_invalidate(va, 4096, HM_INVALIDATE_LEAVES);
	return hm_pte_update(ptep, &expected, pte) &&
	       hm_pgtable_fault_is_spurious(va, HM_ACCESS_READ);
}

int every_direct_map(struct hm_direct_map *map, hm_va_t va, uint64_t bytes, hm_pte_t first,
		     void (*put)(const char *line, void *argument))
{
	struct hm_direct_map_reserve reserve = { { 0 }, 0 };
	const hm_pa_t table = { 4096 };
	struct hm_direct_map_info info;
	int error = hm_direct_map_init(map, va, bytes, false);

	error |= hm_direct_map_tables(map, va, bytes, true);
	error |= hm_direct_map_prepare(&reserve, HM_DIRECT_MAP_TABLES);
	hm_direct_map_give(&reserve, table);
	error |= hm_direct_map_add(map, &reserve, va, bytes, first);
	error |= hm_direct_map_set_pkey(map, &reserve, va, bytes, HM_KEY_PGTABLES);
	error |= hm_direct_map_set_permission(map, 0, va, bytes, HM_PERMISSION_ROX);
	error |= hm_direct_map_split(map, 0, va, bytes);
	error |= hm_direct_map_keep_small(map, 0, va, bytes, true);
	error |= hm_direct_map_collapse(map, va, bytes);
	error |= hm_direct_map_query(map, va, &info);
	error |= hm_direct_map_repaint(map, 0);
	error |= hm_direct_map_remove(map, 0, va, bytes);
	hm_direct_map_release(&reserve);
	hm_direct_map_print(map, put, 0);
	return error | (int)hm_direct_map_statistics(map).leaves[0];
}

uint64_t every_pgtable_pool(struct hm_pgtable_pool *pool, hm_pa_t *pages,
			    void (*put)(const char *line, void *argument))
{
	struct hm_pgtable_pool_statistics statistics;
	struct hm_pgtable_pool_token token = { 0 };
	int error;

	hm_pgtable_pool_init(pool);
	error = hm_pgtable_pool_adopt(pool, pages[0], 1);
	error |= hm_pgtable_pool_register(pool, pages[1], 1);
	error |= hm_pgtable_pool_protect(pool);
	error |= hm_pgtable_pool_reserve(pool, HM_PGTABLE_POOL_MAY_SLEEP, 1, &token);
	if (hm_pgtable_pool_take(pool, &token, &pages[2]))
		error |= hm_pgtable_pool_free(pool, pages[2]);
	hm_pgtable_pool_unreserve(pool, &token);
	error |= hm_pgtable_pool_alloc(pool, HM_PGTABLE_POOL_ZERO, &pages[3]);
	error |= hm_pgtable_pool_alloc_batch(pool, 0, pages + 4, 2);
	error |= hm_pgtable_pool_free_batch(pool, pages + 3, 3);
	hm_pgtable_pool_cpu_remove(pool, 0);
	hm_pgtable_pool_statistics(pool, &statistics);
	hm_pgtable_pool_print(pool, put, 0);
	if (hm_pgtable_pool_shrink_count(pool))
		statistics.used += hm_pgtable_pool_shrink_scan(pool, 1, HM_PGTABLE_POOL_SPLIT);
	statistics.used += hm_pgtable_pool_shrink(pool, 0);
	return statistics.used + (unsigned int)(error | hm_pgtable_pool_destroy(pool));
}

static int relocate(struct hm_rox_cache *cache, hm_rox_cache_writer_t writer, hm_va_t code,
		    void *argument)
{
	return hm_rox_cache_copy(cache, writer, code, argument, 4);
}

uint64_t every_rox_cache(struct hm_rox_cache *cache, struct hm_rox_cache_arena *arena,
			 hm_va_t first, hm_va_t last, void (*put)(const char *line, void *argument))
{
	static const uint64_t text[] = { HM_PORT_ROX_CACHE_TRAP, HM_PORT_ROX_CACHE_TRAP };
	struct hm_rox_cache_statistics statistics;
	uint32_t target = 0;
	hm_rox_cache_writer_t writer;
	hm_va_t code, other;
	int error = hm_rox_cache_add(cache, arena, "code", first, last, 0);

	error |= hm_rox_cache_alloc(cache, arena, sizeof(text), 64, HM_ROX_CACHE_MAY_SLEEP, &code);
	error |= hm_rox_cache_write_begin(cache, code, sizeof(text), &writer);
	error |= hm_rox_cache_copy(cache, writer, code, text, sizeof(text));
	error |= hm_rox_cache_write_end(cache, writer);
	error |= hm_rox_cache_patch(cache, code, 0);
	error |= hm_rox_cache_load(cache, arena, text, sizeof(text), 64, 0, relocate, &target,
				   &other);
	error |= hm_rox_cache_free(cache, code);
	error |= hm_rox_cache_free(cache, other);
	hm_rox_cache_statistics(cache, &statistics);
	hm_rox_cache_print(cache, put, 0);
	statistics.blocks += hm_rox_cache_retry(cache);
	if (hm_rox_cache_shrink_count(cache))
		statistics.blocks += hm_rox_cache_shrink_scan(cache, 1);
	statistics.blocks += hm_rox_cache_trim(cache);
	return statistics.blocks + (unsigned int)(error | hm_rox_cache_destroy(cache));
}
