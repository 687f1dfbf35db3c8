/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * pgtable.c -- what every port must get from pgtable.h.
 */
#include "probe.h"
#include "suite.h"
#include <hardmap/pgtable.h>
#include <stddef.h>

#define ENTRIES HM_PORT_PGTABLE_ENTRIES

static unsigned int shown_last; /* a walk is ended by the entry of that number, 0: by none */

static void suite_setup(void)
{
	probe_reset();
	shown_last = 0;
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

static uint64_t entry_bytes(unsigned int level)
{
	return UINT64_C(1) << hm_port_pgtable_shift(level);
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

/* ---- keyed stores ---- */

/* Since the last look: where tables take keyed stores, their order was asked for that often; elsewhere never,
 * and no key is written for them. Then that many publications, each with its synchronisation. */
static bool ordered(unsigned int orders, unsigned int pairs)
{
	const bool keyed = hm_kpkeys_style() == HM_KEY_STYLE_STORE;
	struct probe_counts counts = probe_read();

	return counts.keyed_orders == (keyed ? orders : 0) && probe_paired(&counts, pairs) &&
	       !counts.bugs;
}

/* Eager: before a call's stores, however many, and after, unless the publication does that. */
CASE(eager_call_is_ordered_once)
{
	hm_pte_set(probe_table(0), probe_kernel_page(1));
	EXPECT(ordered(1, 1));
	hm_pte_set_kernel(probe_table(0), probe_kernel_page(1));
	EXPECT(ordered(1, 1));
	hm_pte_set_range(probe_table(0), ENTRIES, probe_kernel_page(1), probe_page_step());
	EXPECT(ordered(1, 1));
	hm_pte_link(probe_table(0), probe_link(1));
	EXPECT(ordered(1, 1));
	hm_pte_set(probe_table(0), probe_user_page(1));
	EXPECT(ordered(2, 0));
	hm_pte_set_range(probe_table(0), ENTRIES, probe_user_page(1), probe_page_step());
	EXPECT(ordered(2, 0));
	hm_pte_clear(probe_table(0));
	EXPECT(ordered(2, 0));
	hm_pte_clear_range(probe_table(0), ENTRIES);
	EXPECT(ordered(2, 0));
	hm_pte_fill(probe_table(1), ENTRIES, probe_kernel_page(1), probe_page_step());
	EXPECT(ordered(2, 0));
}

/* In a section: before and after each call's stores; and one publication for all, when it ends or before. */
CASE(call_in_a_section_is_ordered_once)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter(), inner;
	hm_lazy_mmu_pause_t pause;

	probe_read();
	hm_pte_set(probe_table(0), probe_kernel_page(1));
	EXPECT(ordered(2, 0));
	hm_pte_set_kernel(probe_table(0), probe_kernel_page(1));
	EXPECT(ordered(2, 0));
	hm_pte_set_range(probe_table(0), ENTRIES, probe_kernel_page(1), probe_page_step());
	EXPECT(ordered(2, 0));
	hm_pte_clear_range(probe_table(0), ENTRIES);
	EXPECT(ordered(2, 0));
	hm_pte_fill(probe_table(1), ENTRIES, probe_kernel_page(1), probe_page_step());
	EXPECT(ordered(2, 0));
	hm_lazy_mmu_flush();
	EXPECT(ordered(0, 1));
	inner = hm_lazy_mmu_enter();
	EXPECT(ordered(0, 0));
	hm_pte_link(probe_table(0), probe_link(1));
	EXPECT(ordered(2, 0));
	hm_lazy_mmu_leave(inner);
	EXPECT(ordered(0, 1));
	pause = hm_lazy_mmu_pause();
	probe_read();
	hm_pte_set(probe_table(0), probe_kernel_page(1));
	EXPECT(ordered(1, 1));
	hm_lazy_mmu_resume(pause);
	probe_read();
	hm_pte_set(probe_table(0), probe_kernel_page(1));
	EXPECT(ordered(2, 0));
	hm_lazy_mmu_leave(tok);
	EXPECT(ordered(0, 1));
}

/* An update loads first; one that loses stores nothing, and there is nothing to order. */
CASE(update_is_ordered_if_it_stores)
{
	hm_pte_t expected = none();
	hm_lazy_mmu_token_t tok;

	EXPECT(hm_pte_update(probe_table(0), &expected, probe_kernel_page(1)));
	EXPECT(ordered(1, 1));
	EXPECT(!hm_pte_update(probe_table(0), &expected, probe_kernel_page(2)));
	EXPECT(ordered(0, 0));
	EXPECT(hm_pte_update(probe_table(0), &expected, probe_readonly_page(1)));
	EXPECT(ordered(2, 0));
	tok = hm_lazy_mmu_enter();
	probe_read();
	EXPECT(!hm_pte_update(probe_table(0), &expected, probe_kernel_page(2)));
	EXPECT(ordered(0, 0));
	EXPECT(hm_pte_update(probe_table(0), &expected, none()));
	EXPECT(ordered(2, 0));
	expected = none();
	EXPECT(hm_pte_update(probe_table(0), &expected, probe_kernel_page(1)));
	EXPECT(ordered(2, 0));
	hm_lazy_mmu_leave(tok);
	EXPECT(ordered(0, 1));
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

/* ---- walks ---- */

#define TOP (HM_PORT_PGTABLE_LEVELS - 1)
#define SHOWN 16 /* entries of a walk */

static struct {
	struct hm_pgtable_entry entry;
	bool as_table;
} shown[SHOWN];
static unsigned int shown_count, shown_checked;

static int show(const struct hm_pgtable_entry *entry, bool as_table)
{
	if (shown_count < SHOWN) {
		shown[shown_count].entry = *entry;
		shown[shown_count].as_table = as_table;
	}
	shown_count++;
	return shown_count == shown_last ? -(int)shown_last : 0;
}

static int show_leaf(const struct hm_pgtable_entry *entry, void *argument)
{
	EXPECT(argument == &shown_count);
	return show(entry, false);
}

static int show_table(const struct hm_pgtable_entry *entry, void *argument)
{
	EXPECT(argument == &shown_count);
	return show(entry, true);
}

static const struct hm_pgtable_visitor show_both = { show_leaf, show_table };

static int walk(hm_va_t va, uint64_t size, const struct hm_pgtable_visitor *visitor)
{
	shown_count = shown_checked = 0;
	return hm_pgtable_walk(va, size, visitor, &shown_count);
}

/* The next entry that the walk showed. */
static bool shows(bool as_table, unsigned int level, uint64_t va, hm_pte_t pte)
{
	const unsigned int i = shown_checked++;

	return i < shown_count && i < SHOWN && shown[i].as_table == as_table &&
	       shown[i].entry.level == level && shown[i].entry.va.val == va &&
	       shown[i].entry.pte.val == pte.val;
}

static bool shows_no_more(void)
{
	return shown_checked == shown_count;
}

/* The links from the top-level table to the one of level 0 that has this address. */
static bool shows_the_way_to(uint64_t va)
{
	unsigned int level;

	for (level = TOP; level; level--)
		if (!shows(true, level, va & ~(entry_bytes(level) - 1), probe_link(0)))
			return false;
	return true;
}

/* A page entry, but not valid. */
static hm_pte_t invalid_page(void)
{
	const hm_pte_t page = probe_kernel_page(5);
	hm_pte_t pte = page;
	unsigned int bit;

	for (bit = 0; hm_port_pte_is_valid(pte); bit++)
		pte.val = page.val & ~(UINT64_C(1) << bit);
	return pte;
}

/* At level 1: entry 0 links itself, 1 is a block, 2 links the table 1, which has a page, an invalid
 * entry and a page. */
static void tables_to_walk(void)
{
	hm_pte_set(table_of_every_level() + 1, probe_block(1));
	hm_pte_set(probe_table(0) + 2, probe_link(1));
	hm_pte_set(probe_table(1), probe_kernel_page(9));
	hm_pte_set(probe_table(1) + 3, invalid_page());
	hm_pte_set(probe_table(1) + 5, probe_user_page(7));
	probe_read();
}

/* Every entry that is not 0 is shown, in the order of addresses: tables before what is in them,
 * invalid entries too, holes not. Nothing is written. */
CASE(walk_shows_entries_in_order)
{
	const uint64_t start = probe_va(0).val, second = start + 2 * entry_bytes(1);

	tables_to_walk();
	EXPECT(walk(probe_va(0), 3 * entry_bytes(1), &show_both) == 0);
	EXPECT(shows_the_way_to(start));
	EXPECT(shows(false, 0, start, probe_link(0)));
	EXPECT(shows(false, 0, start + entry_bytes(0), probe_block(1)));
	EXPECT(shows(false, 0, start + 2 * entry_bytes(0), probe_link(1)));
	EXPECT(shows(false, 1, start + entry_bytes(1), probe_block(1)));
	EXPECT(shows(true, 1, second, probe_link(1)));
	EXPECT(shows(false, 0, second, probe_kernel_page(9)));
	EXPECT(shows(false, 0, second + 3 * entry_bytes(0), invalid_page()));
	EXPECT(shows(false, 0, second + 5 * entry_bytes(0), probe_user_page(7)));
	EXPECT(shows_no_more());
	EXPECT(counted(0, 0, 0, 0));
}

/* A range need not start or end where an entry does: what translates one byte of it is shown, whole. */
CASE(walk_of_a_part)
{
	const uint64_t start = probe_va(0).val, page = entry_bytes(0);

	tables_to_walk();
	EXPECT(walk(probe_va(2 * page - 1), 2, &show_both) == 0);
	EXPECT(shows_the_way_to(start));
	EXPECT(shows(false, 0, start + page, probe_block(1)));
	EXPECT(shows(false, 0, start + 2 * page, probe_link(1)) && shows_no_more());
	EXPECT(walk(probe_va(2 * page - 1), 1, &show_both) == 0);
	EXPECT(shows_the_way_to(start) && shows(false, 0, start + page, probe_block(1)));
	EXPECT(shows_no_more());
	/* In a block, up to its last byte, and one byte more. */
	EXPECT(walk(probe_va(entry_bytes(1) + page), entry_bytes(1) - page, &show_both) == 0);
	shown_checked = TOP - 1;
	EXPECT(shows(false, 1, start + entry_bytes(1), probe_block(1)) && shows_no_more());
	EXPECT(walk(probe_va(entry_bytes(1) + page), entry_bytes(1) - page + 1, &show_both) == 0);
	shown_checked = TOP;
	EXPECT(shows(true, 1, start + 2 * entry_bytes(1), probe_link(1)));
	EXPECT(shows(false, 0, start + 2 * entry_bytes(1), probe_kernel_page(9)));
	EXPECT(shows_no_more());
}

/* Where tables of several levels end, the walk goes on in the one above all of them. */
CASE(walk_leaves_several_tables_at_once)
{
	const uint64_t end = entry_bytes(2), last = probe_va(end).val - entry_bytes(0);

	hm_pte_set(table_of_every_level() + 1, probe_block(1));
	hm_pte_set(probe_table(0) + ENTRIES - 1, probe_link(1));
	hm_pte_set(probe_table(1) + ENTRIES - 1, probe_kernel_page(3));
	EXPECT(walk(probe_va(end - entry_bytes(0)), entry_bytes(0) + 1, &show_both) == 0);
	shown_checked = TOP - 1;
	EXPECT(shows(true, 1, probe_va(end).val - entry_bytes(1), probe_link(1)));
	EXPECT(shows(false, 0, last, probe_kernel_page(3)));
	EXPECT(shows(false, 2, probe_va(end).val, probe_block(1)) && shows_no_more());
}

/* What a visitor answers ends the walk, and is its answer: of a leaf, and of a table, which is not
 * entered. */
CASE(walk_is_ended_by_a_visitor)
{
	unsigned int entries;

	tables_to_walk();
	EXPECT(walk(probe_va(0), 3 * entry_bytes(1), &show_both) == 0);
	entries = shown_count;
	for (shown_last = 1; shown_last <= entries; shown_last++) {
		EXPECT(walk(probe_va(0), 3 * entry_bytes(1), &show_both) == -(int)shown_last);
		EXPECT(shown_count == shown_last);
	}
}

/* Whoever does not want leaves, or tables, is not shown them; what is in the tables is walked all the
 * same. */
CASE(walk_without_visitors)
{
	const struct hm_pgtable_visitor leaves = { show_leaf, NULL }, tables = { NULL, show_table };
	const struct hm_pgtable_visitor nobody = { NULL, NULL };
	const uint64_t start = probe_va(0).val;

	tables_to_walk();
	EXPECT(walk(probe_va(0), 3 * entry_bytes(1), &leaves) == 0);
	EXPECT(shows(false, 0, start, probe_link(0)) && shown_count == 7);
	EXPECT(walk(probe_va(0), 3 * entry_bytes(1), &tables) == 0);
	EXPECT(shows_the_way_to(start));
	EXPECT(shows(true, 1, start + 2 * entry_bytes(1), probe_link(1)) && shows_no_more());
	EXPECT(walk(probe_va(0), 3 * entry_bytes(1), &nobody) == 0);
	EXPECT(shows_no_more());
}

/* No bytes, no tables, no entries: nothing is shown. */
CASE(walk_of_nothing)
{
	tables_to_walk();
	EXPECT(walk(probe_va(0), 0, &show_both) == 0 && shows_no_more());
	probe_set_root(NULL);
	EXPECT(walk(probe_va(0), 3 * entry_bytes(1), &show_both) == 0 && shows_no_more());
	probe_set_root(probe_table(2));
	EXPECT(walk(probe_va(0), 3 * entry_bytes(1), &show_both) == 0 && shows_no_more());
}

/* A range may end where the address space does. */
CASE(walk_to_the_top)
{
	const hm_va_t top = { 0 - 2 * entry_bytes(0) };
	unsigned int level;

	for (level = 1; level <= TOP; level++)
		hm_pte_set(probe_table(0) + hm_port_pgtable_index(top, level), probe_link(0));
	hm_pte_set(probe_table(0) + ENTRIES - 2, probe_kernel_page(2));
	probe_set_root(probe_table(0));
	EXPECT(walk(top, 2 * entry_bytes(0), &show_both) == 0);
	EXPECT(shows_the_way_to(top.val));
	EXPECT(shows(false, 0, top.val, probe_kernel_page(2)));
	EXPECT(shows(false, 0, top.val + entry_bytes(0), probe_link(0)) && shows_no_more());
}

/* Beyond what the top-level table translates the walk goes on where hm_port_pgtable_index() says. */
CASE(walk_beyond_the_tables)
{
	const uint64_t first = probe_va(0).val;
	const hm_va_t last = { (first ? first : entry_bytes(TOP) * ENTRIES) - entry_bytes(0) };

	hm_pte_set(probe_table(0), probe_block(2));
	probe_set_root(probe_table(0));
	EXPECT(walk(last, 2 * entry_bytes(0), &show_both) == 0);
	EXPECT(shows(false, TOP, last.val + entry_bytes(0), probe_block(2)) && shows_no_more());
}
