/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * pgtable.c -- what every port must get from pgtable.h.
 */
#include "probe.h"
#include "suite.h"
#include <hardmap/pgtable.h>

#define ENTRIES HM_PORT_PGTABLE_ENTRIES

static void suite_setup(void)
{
	probe_reset();
}

/* Since the last look: that many stores, pairs of publication, orders of a fill, bugs. */
static bool counted(unsigned int stores, unsigned int pairs, unsigned int orders, unsigned int bugs)
{
	struct probe_counts counts = probe_read();

	return counts.stores == stores && probe_paired(&counts, pairs) && counts.order == orders &&
	       counts.bugs == bugs && !counts.switched;
}

static hm_pte_t none(void)
{
	const hm_pte_t pte = { 0 };

	return pte;
}

static bool holds(unsigned int index, hm_pte_t pte)
{
	return hm_pte_get(probe_table(0) + index).val == pte.val;
}

/* ---- single entries ---- */

/* A valid kernel entry is published at once outside a section, by either writer. */
CASE(set_publishes_valid_kernel_entries)
{
	hm_pte_set(probe_table(0), probe_kernel_page(1));
	EXPECT(counted(1, 1, 0, 0));
	hm_pte_set_kernel(probe_table(0) + 1, probe_kernel_page(2));
	EXPECT(counted(1, 1, 0, 0));
	EXPECT(holds(0, probe_kernel_page(1)) && holds(1, probe_kernel_page(2)));
}

/* A link is the kernel's, whichever writer writes it. */
CASE(links_are_published_by_every_writer)
{
	hm_pte_t expected = none();

	hm_pte_set(probe_table(0), probe_link(1));
	hm_pte_set_kernel(probe_table(0), probe_link(1));
	hm_pte_set_range(probe_table(0), 1, probe_link(1), 0);
	EXPECT(counted(3, 3, 0, 0));
	EXPECT(hm_pte_update(probe_table(0) + 1, &expected, probe_link(1)));
	EXPECT(counted(1, 1, 0, 0));
}

/* Invalid entries, emptied entries and user entries owe nothing. */
CASE(set_of_anything_else_owes_nothing)
{
	hm_pte_set(probe_table(0), none());
	hm_pte_set_kernel(probe_table(0), none());
	hm_pte_clear(probe_table(0));
	EXPECT(counted(3, 0, 0, 0));
	hm_pte_set(probe_table(0), probe_user_page(1));
	EXPECT(counted(1, 0, 0, 0));
	EXPECT(holds(0, probe_user_page(1)));
}

/* N entries cost N pairs outside a section and one inside. */
CASE(section_batches_entries)
{
	hm_lazy_mmu_token_t tok;
	unsigned int i;

	for (i = 0; i < ENTRIES; i++)
		hm_pte_set(probe_table(0) + i, probe_kernel_page(i));
	EXPECT(counted(ENTRIES, ENTRIES, 0, 0));
	tok = hm_lazy_mmu_enter();
	for (i = 0; i < ENTRIES; i++)
		hm_pte_set(probe_table(1) + i, probe_kernel_page(i));
	EXPECT(counted(ENTRIES, 0, 0, 0));
	hm_lazy_mmu_leave(tok);
	EXPECT(counted(0, 1, 0, 0));
}

/* A section that wrote only user entries, or cleared entries, owes nothing. */
CASE(section_without_kernel_entries_is_free)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	hm_pte_set(probe_table(0), probe_user_page(1));
	hm_pte_clear_range(probe_table(0), ENTRIES);
	hm_lazy_mmu_leave(tok);
	EXPECT(counted(1 + ENTRIES, 0, 0, 0));
}

/* ---- update ---- */

/* An update that finds what it expects writes; only invalid to valid is published. */
CASE(update_publishes_what_turned_valid)
{
	hm_pte_t expected = none();

	EXPECT(hm_pte_update(probe_table(0), &expected, probe_kernel_page(1)));
	EXPECT(counted(1, 1, 0, 0));
	expected = probe_kernel_page(1);
	EXPECT(hm_pte_update(probe_table(0), &expected, probe_readonly_page(1)));
	EXPECT(counted(1, 0, 0, 0)); /* valid to valid: the caller invalidates */
	expected = probe_readonly_page(1);
	EXPECT(hm_pte_update(probe_table(0), &expected, none()));
	expected = none();
	EXPECT(hm_pte_update(probe_table(0), &expected, probe_user_page(1)));
	EXPECT(counted(2, 0, 0, 0));
	EXPECT(holds(0, probe_user_page(1)));
}

/* An update that finds something else writes nothing, owes nothing and says what it found. */
CASE(update_that_loses_changes_nothing)
{
	hm_pte_t expected = none();

	hm_pte_set(probe_table(0), probe_kernel_page(1));
	probe_read();
	EXPECT(!hm_pte_update(probe_table(0), &expected, probe_kernel_page(2)));
	EXPECT(expected.val == probe_kernel_page(1).val);
	EXPECT(holds(0, probe_kernel_page(1)));
	EXPECT(probe_read().publish == 0);
	EXPECT(hm_pte_update(probe_table(0), &expected, probe_kernel_page(2)));
	EXPECT(holds(0, probe_kernel_page(2)));
}

/* ---- ranges ---- */

/* A range of any length at any place writes exactly its entries, and publishes once. */
CASE(range_writes_exactly_its_entries)
{
	unsigned int start, n, i;

	for (start = 0; start < 3; start++) {
		for (n = 0; n <= 20 && start + n < ENTRIES; n++) {
			probe_reset();
			hm_pte_set_range(probe_table(0) + start, n, probe_kernel_page(5),
					 probe_page_step());
			EXPECT(counted(n, n ? 1 : 0, 0, 0));
			for (i = 0; i < ENTRIES; i++)
				EXPECT(holds(i, i >= start && i < start + n
							? probe_kernel_page(5 + i - start)
							: none()));
		}
	}
}

/* A whole table in one call; in a section it joins what is pending. */
CASE(range_of_a_whole_table)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	hm_pte_set_range(probe_table(0), ENTRIES, probe_kernel_page(0), probe_page_step());
	hm_pte_set_range(probe_table(1), ENTRIES, probe_kernel_page(0), probe_page_step());
	EXPECT(counted(2 * ENTRIES, 0, 0, 0));
	hm_lazy_mmu_leave(tok);
	EXPECT(counted(0, 1, 0, 0));
	EXPECT(holds(ENTRIES - 1, probe_kernel_page(ENTRIES - 1)));
	hm_pte_clear_range(probe_table(0), ENTRIES);
	EXPECT(counted(ENTRIES, 0, 0, 0));
	EXPECT(holds(0, none()) && holds(ENTRIES - 1, none()));
}

/* A range of user entries, or of invalid ones, owes nothing. */
CASE(range_of_other_entries_owes_nothing)
{
	hm_pte_set_range(probe_table(0), 9, probe_user_page(0), probe_page_step());
	hm_pte_set_range(probe_table(0), 9, none(), 0);
	EXPECT(counted(18, 0, 0, 0));
}

/* A range that leaves its table, or does not start at an entry, is reported and writes nothing. */
CASE(range_beyond_the_table_writes_nothing)
{
	hm_pte_t *table = probe_table(0);
	unsigned int offset;

	hm_pte_set_range(table + ENTRIES - 2, 3, probe_kernel_page(0), probe_page_step());
	EXPECT(counted(0, 0, 0, 1));
	hm_pte_set_range(table, ENTRIES + 1, probe_kernel_page(0), probe_page_step());
	EXPECT(counted(0, 0, 0, 1));
	hm_pte_set_range(table + 1, ~0u, probe_kernel_page(0), probe_page_step());
	EXPECT(counted(0, 0, 0, 1));
	for (offset = 1; offset < sizeof(*table); offset++) {
		hm_pte_t *misaligned = (hm_pte_t *)(void *)((char *)table + offset);

		hm_pte_set_range(misaligned, 2, probe_kernel_page(0), probe_page_step());
		EXPECT(counted(0, 0, 0, 1));
	}
	hm_pte_clear_range(table + 1, ENTRIES);
	EXPECT(counted(0, 0, 0, 1));
	hm_pte_fill(table + 1, ENTRIES, probe_kernel_page(0), probe_page_step());
	EXPECT(counted(0, 0, 0, 1));
	EXPECT(holds(0, none()) && holds(1, none()) && holds(ENTRIES - 1, none()));
}

/* ---- tables ---- */

/* Filling a table that is not linked owes nothing; linking it orders the fill, and is published. */
CASE(link_orders_the_fill)
{
	hm_pte_fill(probe_table(1), ENTRIES, probe_kernel_page(0), probe_page_step());
	EXPECT(counted(ENTRIES, 0, 0, 0));
	hm_pte_link(probe_table(0), probe_link(1));
	EXPECT(counted(1, 1, 1, 0));
	EXPECT(holds(0, probe_link(1)));
}

/* In a section the link's publication is batched, its order is not. */
CASE(link_order_is_not_batched)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	hm_pte_link(probe_table(0), probe_link(1));
	hm_pte_link(probe_table(0) + 1, probe_link(1));
	EXPECT(counted(2, 0, 2, 0));
	hm_lazy_mmu_leave(tok);
	EXPECT(counted(0, 1, 0, 0));
}

/* ---- invalidation ---- */

/* What a section owes is published before the invalidation, once; the section goes on. */
CASE(invalidation_publishes_first)
{
	const hm_va_t va = probe_va(0);
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	hm_pte_set(probe_table(0), probe_kernel_page(0));
	hm_pgtable_invalidate(va, probe_page_bytes(), HM_INVALIDATE_LEAVES);
	EXPECT(counted(1, 1, 0, 0));
	EXPECT(hm_lazy_mmu_active());
	hm_pgtable_invalidate(va, probe_page_bytes(), HM_INVALIDATE_TABLES);
	hm_lazy_mmu_leave(tok);
	EXPECT(counted(0, 0, 0, 0));
}

/* Nothing to invalidate, not even a publication; and a range that wraps is reported. */
CASE(invalidation_of_odd_ranges)
{
	const hm_va_t top = { UINT64_C(0) - probe_page_bytes() };
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	hm_pte_set(probe_table(0), probe_kernel_page(0));
	hm_pgtable_invalidate(top, 0, HM_INVALIDATE_TABLES);
	EXPECT(counted(1, 0, 0, 0));
	hm_lazy_mmu_leave(tok);
	EXPECT(counted(0, 1, 0, 0));
	hm_pgtable_invalidate(top, probe_page_bytes(), HM_INVALIDATE_TABLES);
	EXPECT(counted(0, 0, 0, 0));
	hm_pgtable_invalidate(top, probe_page_bytes() + 1, HM_INVALIDATE_TABLES);
	EXPECT(counted(0, 0, 0, 1));
}

/* ---- spurious faults ---- */

/* A table whose entry 0 links itself serves as every level at once: the address whose index is 1 at one level
 * and 0 elsewhere is mapped by its entry 1 as an entry of that level. */
static hm_pte_t *table_of_every_level(void)
{
	hm_pte_link(probe_table(0), probe_link(0));
	probe_set_root(probe_table(0));
	return probe_table(0);
}

/* Without tables, or without an entry, a fault is real. */
CASE(fault_without_a_mapping_is_real)
{
	const hm_va_t va = probe_va(0);

	EXPECT(!hm_pgtable_fault_is_spurious(va, HM_ACCESS_READ));
	probe_set_root(probe_table(0));
	EXPECT(!hm_pgtable_fault_is_spurious(va, HM_ACCESS_READ));
	EXPECT(counted(0, 0, 0, 0));
}

/* A fault that the tables permit is spurious, and publishes so that the repeated access makes progress;
 * one that they do not permit is real. */
CASE(fault_is_judged_by_permission)
{
	const hm_va_t page = probe_va(probe_page_bytes());
	hm_pte_t *leaf = table_of_every_level() + 1;

	EXPECT(!hm_pgtable_fault_is_spurious(page, HM_ACCESS_READ));
	probe_read();
	hm_pte_set(leaf, probe_kernel_page(3));
	probe_read();
	EXPECT(hm_pgtable_fault_is_spurious(page, HM_ACCESS_READ));
	EXPECT(counted(0, 1, 0, 0));
	EXPECT(hm_pgtable_fault_is_spurious(page, HM_ACCESS_WRITE));
	EXPECT(!hm_pgtable_fault_is_spurious(page, HM_ACCESS_EXECUTE));
	hm_pte_set(leaf, probe_readonly_page(3));
	probe_read();
	EXPECT(hm_pgtable_fault_is_spurious(page, HM_ACCESS_READ));
	EXPECT(!hm_pgtable_fault_is_spurious(page, HM_ACCESS_WRITE));
	EXPECT(counted(0, 1, 0, 0));
}

/* A block above level 0 is a leaf too. */
CASE(fault_in_a_block)
{
	const hm_va_t start = probe_va(probe_page_bytes() * ENTRIES);
	const hm_va_t inside = probe_va(probe_page_bytes() * (ENTRIES + 3));

	hm_pte_set(table_of_every_level() + 1, probe_block(1));
	EXPECT(hm_pgtable_fault_is_spurious(start, HM_ACCESS_WRITE));
	EXPECT(hm_pgtable_fault_is_spurious(inside, HM_ACCESS_READ));
	EXPECT(!hm_pgtable_fault_is_spurious(inside, HM_ACCESS_EXECUTE));
}
