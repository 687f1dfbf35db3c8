/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bench_section.h -- n pages mapped by the library; compiled as it is, and with its instructions counted.
 */
#include "hardmap.h"
#include "bench.h"
#include <hardmap/pgtable.h>

void BENCH(in_section)(hm_pte_t *entries, struct page **pages, unsigned int n, uint64_t attributes)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();
	unsigned int i;

	for (i = 0; i < n; i++)
		hm_pte_set_kernel(entries + i, hm_arm64_leaf((hm_pa_t){ page_to_phys(pages[i]) }, 0,
							     attributes));
	hm_lazy_mmu_leave(tok);
}

void BENCH(one_by_one)(hm_pte_t *entries, struct page **pages, unsigned int n, uint64_t attributes)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		hm_pte_set_kernel(entries + i, hm_arm64_leaf((hm_pa_t){ page_to_phys(pages[i]) }, 0,
							     attributes));
}
