/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* cost_write.c -- the writers that cost.c measures; COST_WRITE is the name. */
#include "cost.h"

static void write_section(hm_pte_t *ptep, hm_pte_t pte, enum cost_how how, unsigned int n)
{
	const hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();
	unsigned int i;

	if (how == COST_RANGE)
		hm_pte_set_range(ptep, n, pte, 0);
	for (i = 0; how == COST_EACH && i < n; i++)
		hm_pte_set(ptep + i, pte);
	hm_lazy_mmu_leave(tok);
}

void COST_WRITE(hm_pte_t *table, hm_pte_t pte, enum cost_how how, unsigned int n)
{
	unsigned int i;

	for (i = 0; n && i < COST_ENTRIES; i += n)
		write_section(table + i, pte, how, n);
	for (i = 0; !n && i < COST_ENTRIES; i++)
		hm_pte_set(table + i, pte);
}
