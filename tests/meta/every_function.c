/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * every_function.c -- calls every inline function of include/hardmap, so that the compiler looks into each;
 * headers.py says which is missing. C and C++. Compiled, never run.
 */
#include <hardmap/lazy_mmu.h>
#include <hardmap/pgtable.h>

void every_lazy_mmu(void);
bool every_pgtable(hm_pte_t *ptep, hm_pte_t pte, hm_va_t va);

void every_lazy_mmu(void)
{
	hm_lazy_mmu_token_t section = hm_lazy_mmu_enter();
	hm_context_exception_t interrupted;
	hm_lazy_mmu_pause_t pause;

	hm_lazy_mmu_queue();
	hm_lazy_mmu_flush();
	pause = hm_lazy_mmu_pause();
	interrupted = hm_context_exception_push();
	hm_context_switch_in(hm_context_switch_out());
	hm_context_exception_pop(interrupted);
	hm_lazy_mmu_resume(pause);
	if (hm_lazy_mmu_active())
		hm_lazy_mmu_leave(section);
	hm_context_assert_idle();
#ifdef HM_LAZY_MMU_SCOPE
	{
		HM_LAZY_MMU_SCOPE(scope);

		hm_lazy_mmu_queue();
	}
#endif
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
