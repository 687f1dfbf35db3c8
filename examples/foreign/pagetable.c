/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * pagetable.c -- the code under test. It knows nothing of hardmap, and of the machine only arch.h. With
 * FOREIGN_BUG (1, otherwise 0) it has a mistake that processors hardly ever show, and QEMU never.
 */
#include "arch.h"
#include "pagetable.h"

#define PTE_VALID UINT64_C(0x3) /* a table, or a page */
#define PTE_ADDRESS UINT64_C(0x0000fffffffff000)
#define PROT_KERNEL UINT64_C(0x0060000000000700) /* normal memory, read and write */

static pte_t *pt_entry(uint64_t va)
{
	uint64_t table = kernel_root;
	unsigned int level;

	for (level = 3; level; level--) {
		pte_t *ptep = phys_to_virt(table) + (va >> (12 + 9 * level) & 511);

		if (!*ptep)
			WRITE_PTE(ptep, alloc_table() | PTE_VALID);
		table = *ptep & PTE_ADDRESS;
	}
	return phys_to_virt(table) + (va >> 12 & 511);
}

void pt_map_page(uint64_t va, uint64_t pa)
{
	WRITE_PTE(pt_entry(va), pa | PROT_KERNEL | PTE_VALID);
	dsb(ishst);
	isb();
}

static void tlb_flush_page(uint64_t va)
{
	if (!FOREIGN_BUG)
		dsb(ishst); /* whoever walks after the TLBI sees that the entry is cleared */
	tlbi_page(va);
	dsb(ish);
	isb();
}

uint64_t pt_unmap_page(uint64_t va)
{
	pte_t *ptep = pt_entry(va);
	uint64_t pa = *ptep & PTE_ADDRESS;

	WRITE_PTE(ptep, 0);
	tlb_flush_page(va);
	return pa;
}
