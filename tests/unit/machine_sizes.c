/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * machine_sizes.c -- what the adversarial machine says of entries of several sizes: contiguous groups,
 * blocks and the tables that replace them, TLBIs that name a level, tables that are given back. Each order
 * that is right passes, and each that is wrong in one place is reported. At every granule.
 */
#include "suite.h"
#include <hardmap/pgtable.h>
#include <string.h>

#define PAGE ((uint64_t)HM_MACHINE_PAGE_BYTES)
#define BLOCK (PAGE * HM_MACHINE_ENTRIES)
#define CONTIGUOUS (UINT64_C(1) << 52)
/* Entries that the bit makes one: of pages, of the smallest blocks (Arm ARM D8.7.1). */
#define GROUP (HM_PORT_ARM64_PAGE_SHIFT == 12 ? 16u : HM_PORT_ARM64_PAGE_SHIFT == 14 ? 128u : 32u)
#define BLOCK_GROUP (HM_PORT_ARM64_PAGE_SHIFT == 12 ? 16u : 32u)
/* What is mapped: none of the machine's memory, aligned to every group. */
#define MEMORY (UINT64_C(1) << 40)
#define RW HM_ARM64_KERNEL_RW
#define RO HM_ARM64_KERNEL_RO
/* Level hints as operands of TLBIs have them: 3 is that of pages. */
#define TTL(lookup_level) \
	((uint64_t)(HM_PORT_ARM64_PAGE_SHIFT / 2 - 5) << 46 | (uint64_t)(lookup_level) << 44)
#define RANGE_TTL(lookup_level) ((uint64_t)(lookup_level) << 37)

enum { ROOT, UPPER, MIDDLE, TABLE, INNER, PAGE_A, OTHER };

static struct hm_machine machine;
static const hm_va_t va = { UINT64_C(0xffff000000000000) };

static hm_pte_t *table(unsigned int page)
{
	return hm_port_pgtable_map(hm_machine_page(page));
}

/* The table whose first entry links MIDDLE; there is one level less with 64K pages. */
static hm_pte_t *above_middle(void)
{
	return table(HM_PORT_PGTABLE_LEVELS == 3 ? ROOT : UPPER);
}

static void link_to(hm_pte_t *entry, unsigned int page)
{
	hm_port_pte_store(entry, hm_arm64_table(hm_machine_page(page)));
}

/* A machine of two CPUs whose MIDDLE (level 1) is linked. */
static void start(unsigned int bbm_level)
{
	const struct hm_machine_config config = { .cpus = 2,
						  .has_tlbi_range = true,
						  .bbm_level = bbm_level };

	hm_machine_start(&machine, &config);
	hm_machine_set_root(ROOT);
	if (HM_PORT_PGTABLE_LEVELS == 4)
		link_to(table(ROOT), UPPER);
	link_to(above_middle(), MIDDLE);
	hm_machine_settle();
}

static void suite_setup(void)
{
	start(3);
}

static bool reported(const char *what)
{
	return strstr(machine.violation, what) != NULL;
}

static hm_va_t page_va(unsigned int index)
{
	const hm_va_t at = { va.val + index * PAGE };

	return at;
}

static hm_pte_t leaf(uint64_t address, unsigned int level, uint64_t attributes)
{
	const hm_pa_t pa = { address };

	return hm_arm64_leaf(pa, level, attributes);
}

/* Entries from `first` on map consecutive memory. */
static void store_run(unsigned int number, unsigned int level, unsigned int first, unsigned int n,
		      uint64_t attributes)
{
	const uint64_t bytes = level ? BLOCK : PAGE;
	unsigned int i;

	for (i = first; i < first + n; i++)
		hm_port_pte_store(table(number) + i, leaf(MEMORY + i * bytes, level, attributes));
}

/* TABLE, linked, whose first pages are mapped so, all long ago. */
static void mapped(unsigned int n, uint64_t attributes)
{
	store_run(TABLE, 0, 0, n, attributes);
	hm_insn_dmb_ishst();
	link_to(table(MIDDLE), TABLE);
	hm_machine_settle();
}

/* The first block of MIDDLE, all long ago. */
static void mapped_by_block(uint64_t attributes)
{
	store_run(MIDDLE, 1, 0, 1, attributes);
	hm_machine_settle();
}

/* In its place, a table that says the same. */
static void split_block(uint64_t attributes)
{
	store_run(TABLE, 0, 0, HM_MACHINE_ENTRIES, attributes);
	hm_insn_dmb_ishst();
	link_to(table(MIDDLE), TABLE);
}

static void set_page(unsigned int index, uint64_t attributes)
{
	store_run(TABLE, 0, index, 1, attributes);
}

static void invalidate_page(unsigned int index, enum hm_invalidate what)
{
	hm_pgtable_invalidate(page_va(index), PAGE, what);
}

/* A TLBI that names this level, and what belongs around it. */
static void invalidate_with_hint(hm_va_t at, unsigned int lookup_level)
{
	hm_insn_dsb_ishst();
	hm_insn_tlbi_vaale1is(hm_arm64_tlbi_operand(at) | TTL(lookup_level));
	hm_insn_dsb_ish();
	hm_insn_isb();
}

/* ---- contiguous groups ---- */

/* A group is made one entry after another, where nothing was; no BBM level is needed for that. */
CASE(group_made)
{
	start(0);
	mapped(0, RW);
	store_run(TABLE, 0, 0, GROUP, RW | CONTIGUOUS);
	hm_insn_dsb_ishst();
	hm_insn_isb();
	hm_machine_access(va, HM_ACCESS_WRITE);
	hm_machine_access(page_va(GROUP - 1), HM_ACCESS_WRITE);
	EXPECT(!machine.violation[0]);
}

/* An entry may be held for all of its group, also for a neighbour that is not there. */
CASE(group_with_a_hole)
{
	mapped(0, RW);
	store_run(TABLE, 0, 0, GROUP - 1, RW | CONTIGUOUS);
	EXPECT(!machine.violation[0]);
	hm_machine_access(page_va(GROUP - 1), HM_ACCESS_READ);
	EXPECT(reported("still accessible"));
	start(3);
	mapped(GROUP, RW | CONTIGUOUS);
	hm_pte_clear(table(TABLE) + 3);
	invalidate_page(3, HM_INVALIDATE_LEAVES);
	hm_machine_access(page_va(3), HM_ACCESS_READ);
	EXPECT(reported("still accessible"));
	start(3);
	mapped(GROUP, RW);
	hm_pte_clear(table(TABLE) + 3);
	invalidate_page(3, HM_INVALIDATE_LEAVES);
	hm_machine_access(page_va(3), HM_ACCESS_READ);
	EXPECT(!machine.violation[0]);
}

/* It goes like it came; as each entry may be held by itself too, each page is invalidated. */
static void remove_group(unsigned int pages_invalidated)
{
	start(0);
	mapped(GROUP, RW | CONTIGUOUS);
	hm_pte_clear_range(table(TABLE), GROUP);
	hm_pgtable_invalidate(va, pages_invalidated * PAGE, HM_INVALIDATE_LEAVES);
}

CASE(group_removed)
{
	remove_group(GROUP);
	hm_machine_access(va, HM_ACCESS_READ);
	hm_machine_access(page_va(GROUP - 1), HM_ACCESS_READ);
	store_run(TABLE, 0, 0, GROUP, RO);
	EXPECT(!machine.violation[0]);
	remove_group(GROUP - 1);
	hm_machine_access(page_va(GROUP - 1), HM_ACCESS_READ);
	EXPECT(reported("still accessible"));
}

/* A group of one entry that never was valid, and whose neighbour's TLBI is too late or elsewhere. */
CASE(group_held_for_a_neighbour)
{
	unsigned int invalidated;

	for (invalidated = 0; invalidated <= GROUP; invalidated += GROUP) {
		start(3);
		mapped(0, RW);
		store_run(TABLE, 0, 0, 1, RW | CONTIGUOUS);
		hm_machine_settle();
		hm_pte_clear(table(TABLE));
		invalidate_page(invalidated, HM_INVALIDATE_LEAVES);
		hm_machine_access(page_va(3), HM_ACCESS_READ);
		EXPECT(reported("still accessible") == (invalidated == GROUP));
	}
}

/* The memory of a page of a group is given away. */
CASE(memory_released_that_a_group_maps)
{
	const uint64_t base = hm_machine_page(0).val;
	unsigned int i;

	if (GROUP > HM_MACHINE_PAGES)
		return;
	mapped(0, RW);
	for (i = 0; i + 1 < GROUP; i++)
		hm_port_pte_store(table(TABLE) + i, leaf(base + i * PAGE, 0, RW | CONTIGUOUS));
	hm_machine_settle();
	hm_machine_release(GROUP - 2, va, PAGE);
	EXPECT(!machine.violation[0]);
	hm_machine_release(GROUP - 1, va, GROUP * PAGE);
	EXPECT(reported("page 15 is freed") || reported("page 31 is freed"));
}

/* The bit is cleared in all, and then one differs: a DMB between the two is enough. */
static void unfold_and_change(unsigned int bbm_level, bool with_barrier)
{
	start(bbm_level);
	mapped(GROUP, RW | CONTIGUOUS);
	store_run(TABLE, 0, 0, GROUP, RW);
	if (with_barrier)
		hm_insn_dmb_ishst();
	set_page(3, RO);
}

CASE(unfolded)
{
	unfold_and_change(3, true);
	EXPECT(!machine.violation[0]);
	hm_machine_access(page_va(4), HM_ACCESS_WRITE);
	EXPECT(!machine.violation[0]);
	hm_machine_access(page_va(3), HM_ACCESS_WRITE);
	EXPECT(reported("still accessible"));
	unfold_and_change(3, true);
	invalidate_page(3, HM_INVALIDATE_LEAVES);
	hm_machine_access(page_va(3), HM_ACCESS_WRITE);
	EXPECT(!machine.violation[0]);
	unfold_and_change(3, true);
	invalidate_page(GROUP, HM_INVALIDATE_LEAVES); /* the next group */
	hm_machine_access(page_va(3), HM_ACCESS_WRITE);
	EXPECT(reported("still accessible"));
}

CASE(unfolded_without_order)
{
	unfold_and_change(3, false);
	EXPECT(reported("contiguous group"));
}

/* Before BBM level 1 the bit itself may not change; before 3, an access may meet both sizes. */
CASE(unfolded_by_bbm_level)
{
	unfold_and_change(0, true);
	EXPECT(reported("break-before-make"));
	unfold_and_change(1, true);
	EXPECT(!machine.violation[0]);
	hm_machine_access(page_va(4), HM_ACCESS_WRITE);
	EXPECT(reported("TLB conflict"));
	unfold_and_change(2, true);
	hm_pgtable_invalidate(va, GROUP * PAGE, HM_INVALIDATE_LEAVES);
	hm_machine_access(page_va(4), HM_ACCESS_WRITE);
	EXPECT(!machine.violation[0]);
}

/* While a neighbour still has the bit, nothing differs; and the bit changes by itself. */
CASE(changed_in_a_group)
{
	mapped(GROUP, RW | CONTIGUOUS);
	set_page(3, RO | CONTIGUOUS);
	EXPECT(reported("contiguous group"));
	start(3);
	mapped(GROUP, RW | CONTIGUOUS);
	store_run(TABLE, 0, 0, GROUP - 1, RW);
	hm_insn_dsb_ish();
	set_page(3, RO);
	EXPECT(reported("contiguous group"));
	start(3);
	mapped(GROUP, RW | CONTIGUOUS);
	set_page(3, RO);
	EXPECT(reported("size and attributes"));
	start(3);
	mapped(GROUP, RW | CONTIGUOUS);
	hm_port_pte_store(table(TABLE) + 3, leaf(MEMORY + (GROUP + 3) * PAGE, 0, RW | CONTIGUOUS));
	EXPECT(reported("break-before-make"));
}

/* Software bits are not compared within a group. */
CASE(software_bits_in_a_group)
{
	mapped(GROUP, RW | CONTIGUOUS);
	set_page(3, RW | CONTIGUOUS | UINT64_C(1) << 55);
	EXPECT(!machine.violation[0]);
}

/* The bit is set in one after another. */
static void fold(unsigned int bbm_level)
{
	start(bbm_level);
	mapped(GROUP, RW);
	store_run(TABLE, 0, 0, GROUP, RW | CONTIGUOUS);
}

CASE(folded)
{
	fold(0);
	EXPECT(reported("break-before-make"));
	fold(1);
	EXPECT(!machine.violation[0]);
	hm_machine_access(page_va(3), HM_ACCESS_WRITE);
	EXPECT(reported("TLB conflict"));
	fold(2);
	hm_pgtable_invalidate(va, GROUP * PAGE, HM_INVALIDATE_LEAVES);
	hm_machine_access(page_va(3), HM_ACCESS_WRITE);
	EXPECT(!machine.violation[0]);
	fold(3);
	hm_machine_access(page_va(3), HM_ACCESS_WRITE);
	EXPECT(!machine.violation[0]);
}

/* One entry differed until just now. */
static void make_equal_and_fold(bool with_barrier)
{
	start(3);
	mapped(GROUP, RW);
	set_page(3, RO);
	hm_machine_settle();
	set_page(3, RW);
	if (with_barrier)
		hm_insn_dmb_ishst();
	store_run(TABLE, 0, 0, GROUP, RW | CONTIGUOUS);
}

CASE(folded_in_order)
{
	make_equal_and_fold(true);
	EXPECT(!machine.violation[0]);
	make_equal_and_fold(false);
	EXPECT(reported("contiguous group"));
}

/* Of one entry nobody sees two values at a time: the first one folded needs no order, its neighbours do. */
CASE(folded_from_the_one_that_differed)
{
	mapped(GROUP, RW);
	set_page(3, RO);
	hm_machine_settle();
	set_page(3, RW);
	set_page(3, RW | CONTIGUOUS);
	EXPECT(!machine.violation[0]);
	hm_insn_dmb_ishst();
	store_run(TABLE, 0, 0, GROUP, RW | CONTIGUOUS);
	EXPECT(!machine.violation[0]);
}

CASE(folded_though_one_differs)
{
	mapped(GROUP, RW);
	set_page(3, RO);
	hm_machine_settle();
	store_run(TABLE, 0, 0, 1, RW | CONTIGUOUS);
	EXPECT(reported("contiguous group"));
}

/* A neighbour's old memory is held, though it is not mapped any more. */
CASE(folded_over_what_is_held)
{
	bool invalidated;

	for (invalidated = false;; invalidated = true) {
		start(3);
		mapped(0, RW);
		hm_port_pte_store(table(TABLE) + 3, leaf(MEMORY, 0, RW));
		hm_machine_settle();
		hm_pte_clear(table(TABLE) + 3);
		hm_insn_dsb_ish();
		if (invalidated)
			invalidate_page(3, HM_INVALIDATE_LEAVES);
		store_run(TABLE, 0, 0, 1, RW | CONTIGUOUS);
		EXPECT(reported("break-before-make") == !invalidated);
		if (invalidated)
			break;
	}
}

/* Before BBM level 1 a group is not made beside valid entries without the bit. */
CASE(folded_beside_single_entries)
{
	start(0);
	mapped(1, RW);
	store_run(TABLE, 0, 1, 1, RW | CONTIGUOUS);
	EXPECT(reported("break-before-make"));
}

/* A group's memory is aligned to the group. */
CASE(group_not_aligned)
{
	mapped(0, RW);
	hm_port_pte_store(table(TABLE), leaf(MEMORY + PAGE, 0, RW | CONTIGUOUS));
	EXPECT(reported("whose address is not aligned"));
}

/* What nobody sees is looked at when it is linked. */
CASE(group_in_a_table_that_is_linked)
{
	store_run(TABLE, 0, 0, GROUP, RW | CONTIGUOUS);
	set_page(3, RO);
	hm_insn_dmb_ishst();
	EXPECT(!machine.violation[0]);
	link_to(table(MIDDLE), TABLE);
	EXPECT(reported("contiguous group"));
}

/* Blocks have groups too, of which none becomes a table. */
CASE(group_of_blocks)
{
	store_run(MIDDLE, 1, 0, BLOCK_GROUP, RW | CONTIGUOUS);
	hm_machine_settle();
	hm_machine_access(page_va(3), HM_ACCESS_WRITE);
	EXPECT(!machine.violation[0]);
	split_block(RW);
	EXPECT(reported("contiguous group"));
	start(3);
	store_run(MIDDLE, 1, 0, BLOCK_GROUP, RW | CONTIGUOUS);
	hm_machine_settle();
	store_run(MIDDLE, 1, 0, BLOCK_GROUP, RW);
	split_block(RW); /* its barrier orders that too */
	EXPECT(!machine.violation[0]);
	hm_machine_access(page_va(3), HM_ACCESS_WRITE);
	EXPECT(!machine.violation[0]);
}

/* ---- blocks and tables ---- */

CASE(split)
{
	mapped_by_block(RW);
	split_block(RW);
	hm_machine_access(page_va(3), HM_ACCESS_WRITE);
	EXPECT(!machine.violation[0]);
	start(3);
	mapped_by_block(RW);
	split_block(RW | CONTIGUOUS);
	hm_machine_access(page_va(3), HM_ACCESS_WRITE);
	EXPECT(!machine.violation[0]);
	start(1);
	mapped_by_block(RW);
	split_block(RW);
	EXPECT(reported("break-before-make"));
}

CASE(split_at_level_2)
{
	start(2);
	mapped_by_block(RW);
	split_block(RW);
	EXPECT(!machine.violation[0]);
	hm_machine_access(page_va(3), HM_ACCESS_WRITE);
	EXPECT(reported("TLB conflict"));
	start(2);
	mapped_by_block(RW);
	split_block(RW);
	hm_pgtable_invalidate(va, BLOCK, HM_INVALIDATE_LEAVES);
	hm_machine_access(page_va(3), HM_ACCESS_WRITE);
	EXPECT(!machine.violation[0]);
}

/* The kernel's own stores by a linear map that is split are accesses like any other. */
CASE(split_of_the_linear_map)
{
	unsigned int i, bbm_level;

	for (bbm_level = 2; bbm_level <= 3; bbm_level++) {
		start(bbm_level);
		hm_port_pte_store(table(MIDDLE), leaf(hm_machine_page(0).val, 1, RW));
		hm_machine_settle();
		hm_machine_set_linear(va.val);
		for (i = 0; i < HM_MACHINE_ENTRIES; i++)
			hm_port_pte_store(table(TABLE) + i,
					  leaf(hm_machine_page(0).val + i * PAGE, 0, RW));
		hm_insn_dmb_ishst();
		link_to(table(MIDDLE), TABLE);
		EXPECT(!machine.violation[0]);
		hm_port_pte_store(table(INNER), leaf(MEMORY, 0, RW));
		EXPECT(reported("TLB conflict") == (bbm_level == 2));
	}
}

/* A table that says something else than the block: of one page, its memory, its permission, nothing. */
CASE(split_that_differs)
{
	mapped_by_block(RW);
	store_run(TABLE, 0, 0, HM_MACHINE_ENTRIES, RW);
	hm_port_pte_store(table(TABLE) + 3, leaf(MEMORY, 0, RW));
	hm_insn_dmb_ishst();
	link_to(table(MIDDLE), TABLE);
	EXPECT(reported("break-before-make"));
	start(3);
	mapped_by_block(RW);
	split_block(RO);
	EXPECT(reported("size and attributes"));
	start(3);
	mapped_by_block(RW);
	store_run(TABLE, 0, 1, HM_MACHINE_ENTRIES - 1, RW);
	hm_insn_dmb_ishst();
	link_to(table(MIDDLE), TABLE);
	EXPECT(reported("break-before-make"));
}

/* After the split each page goes its way; what the block said is stale until a TLBI that takes it. */
static void split_and_change(void)
{
	start(3);
	mapped_by_block(RW);
	split_block(RW);
	set_page(3, RO);
}

CASE(changed_after_a_split)
{
	split_and_change();
	EXPECT(!machine.violation[0]);
	hm_machine_access(page_va(3), HM_ACCESS_WRITE);
	EXPECT(reported("still accessible"));
	split_and_change();
	invalidate_page(3, HM_INVALIDATE_LEAVES);
	hm_machine_access(page_va(3), HM_ACCESS_WRITE);
	EXPECT(!machine.violation[0]);
	split_and_change();
	invalidate_with_hint(page_va(3), 3); /* takes the page, and the block stays */
	hm_machine_access(page_va(3), HM_ACCESS_WRITE);
	EXPECT(reported("still accessible"));
}

/* The block is held, though no entry says any more what it said. */
CASE(other_memory_after_a_split)
{
	bool hinted;

	for (hinted = false;; hinted = true) {
		start(3);
		mapped_by_block(RW);
		split_block(RW);
		hm_pte_clear(table(TABLE) + 3);
		if (hinted)
			invalidate_with_hint(page_va(3), 3);
		else
			invalidate_page(3, HM_INVALIDATE_LEAVES);
		hm_port_pte_store(table(TABLE) + 3, leaf(MEMORY, 0, RW));
		EXPECT(reported("break-before-make") == hinted);
		if (hinted)
			break;
	}
}

/* From not global to global is another translation, where the block is held. */
CASE(global_after_a_split)
{
	mapped_by_block(RW | HM_ARM64_NOT_GLOBAL);
	split_block(RW | HM_ARM64_NOT_GLOBAL);
	hm_pte_clear(table(TABLE) + 3);
	invalidate_with_hint(page_va(3), 3);
	EXPECT(!machine.violation[0]);
	set_page(3, RW);
	EXPECT(reported("break-before-make"));
}

/* The same table again: what is held of its pages is what they say. */
CASE(linked_again)
{
	mapped(1, RW);
	store_run(MIDDLE, 1, 1, 1, RW); /* there are sizes */
	hm_pte_clear(table(MIDDLE));
	link_to(table(MIDDLE), TABLE);
	EXPECT(!machine.violation[0]);
}

/* A table below a block that is held, and which says something else. */
CASE(other_table_after_a_block)
{
	bool invalidated;

	for (invalidated = false;; invalidated = true) {
		start(3);
		mapped_by_block(RW);
		hm_pte_clear(table(MIDDLE));
		hm_insn_dsb_ish();
		if (invalidated)
			invalidate_page(3, HM_INVALIDATE_LEAVES);
		split_block(RO);
		EXPECT(reported("break-before-make") == !invalidated);
		if (invalidated)
			break;
	}
}

static void collapse(unsigned int bbm_level, uint64_t attributes)
{
	start(bbm_level);
	mapped(HM_MACHINE_ENTRIES, attributes);
	store_run(MIDDLE, 1, 0, 1, RW);
}

CASE(collapsed)
{
	collapse(3, RW);
	hm_machine_access(page_va(3), HM_ACCESS_WRITE);
	EXPECT(!machine.violation[0]);
	collapse(3, RW | CONTIGUOUS);
	hm_machine_access(page_va(3), HM_ACCESS_WRITE);
	EXPECT(!machine.violation[0]);
	collapse(1, RW);
	EXPECT(reported("break-before-make"));
	collapse(2, RW);
	EXPECT(!machine.violation[0]);
	hm_machine_access(page_va(3), HM_ACCESS_WRITE);
	EXPECT(reported("TLB conflict"));
	collapse(3, RO);
	EXPECT(reported("size and attributes"));
}

CASE(collapsed_though_one_differs)
{
	mapped(HM_MACHINE_ENTRIES, RW);
	set_page(3, RO);
	hm_machine_settle();
	store_run(MIDDLE, 1, 0, 1, RW);
	EXPECT(reported("size and attributes"));
	start(3);
	mapped(HM_MACHINE_ENTRIES - 1, RW);
	store_run(MIDDLE, 1, 0, 1, RW);
	EXPECT(reported("break-before-make"));
}

/* The permission of the block may change while pages are held; they are stale. */
CASE(changed_after_a_collapse)
{
	collapse(3, RW);
	store_run(MIDDLE, 1, 0, 1, RO);
	EXPECT(!machine.violation[0]);
	hm_machine_access(page_va(3), HM_ACCESS_WRITE);
	EXPECT(reported("still accessible"));
	collapse(3, RW);
	store_run(MIDDLE, 1, 0, 1, RO);
	hm_pgtable_invalidate(va, BLOCK, HM_INVALIDATE_TABLES);
	hm_machine_access(page_va(3), HM_ACCESS_WRITE);
	EXPECT(!machine.violation[0]);
}

/* The table may be walked, and held, until it is invalidated as one, all that it translated. */
CASE(table_released_after_a_collapse)
{
	collapse(3, RW);
	hm_pgtable_invalidate(va, BLOCK, HM_INVALIDATE_LEAVES);
	hm_machine_release_table(TABLE);
	EXPECT(reported("table 3 is freed"));
	collapse(3, RW);
	hm_pgtable_invalidate(va, BLOCK, HM_INVALIDATE_TABLES);
	hm_machine_release_table(TABLE);
	EXPECT(!machine.violation[0]);
	/* It is no table any more: what it had may be replaced. */
	hm_port_pte_store(table(TABLE), leaf(MEMORY + PAGE, 0, RW));
	EXPECT(!machine.violation[0]);
}

CASE(table_released_that_is_still_linked)
{
	mapped(1, RW);
	hm_machine_release_table(TABLE);
	EXPECT(reported("table 3 is freed"));
}

/* A TLBI over a part: all but the first page, the last one, one in the middle. */
CASE(table_released_after_a_partial_invalidation)
{
	collapse(3, RW);
	hm_pgtable_invalidate(page_va(1), BLOCK - PAGE, HM_INVALIDATE_TABLES);
	hm_machine_release_table(TABLE);
	EXPECT(reported("table 3 is freed"));
	collapse(3, RW);
	hm_pgtable_invalidate(va, BLOCK - PAGE, HM_INVALIDATE_TABLES);
	hm_machine_release_table(TABLE);
	EXPECT(reported("table 3 is freed"));
	collapse(3, RW);
	hm_pgtable_invalidate(va, 8 * PAGE, HM_INVALIDATE_TABLES);
	hm_pgtable_invalidate(page_va(9), BLOCK - 9 * PAGE, HM_INVALIDATE_TABLES);
	hm_machine_release_table(TABLE);
	EXPECT(reported("table 3 is freed"));
	collapse(3, RW);
	hm_pgtable_invalidate(va, 9 * PAGE, HM_INVALIDATE_TABLES);
	hm_pgtable_invalidate(page_va(9), BLOCK - 9 * PAGE, HM_INVALIDATE_TABLES);
	hm_machine_release_table(TABLE);
	EXPECT(!machine.violation[0]);
}

/* By the table above: each level has a walk cache. */
CASE(table_released_under_another)
{
	mapped(1, RW);
	hm_pte_clear(above_middle());
	hm_pgtable_invalidate(va, BLOCK, HM_INVALIDATE_TABLES);
	hm_machine_release_table(TABLE);
	EXPECT(!machine.violation[0]);
	hm_machine_release_table(MIDDLE);
	EXPECT(reported("table 2 is freed"));
	start(3);
	mapped(1, RW);
	hm_pte_clear(above_middle());
	hm_insn_dsb_ishst();
	hm_insn_tlbi_vmalle1is();
	hm_insn_dsb_ish();
	hm_machine_release_table(MIDDLE);
	hm_machine_release_table(TABLE);
	EXPECT(!machine.violation[0]);
}

/* A linear map that has the page is no use of it as a table. */
CASE(table_released_in_the_linear_map)
{
	for (unsigned int i = 0; i < HM_MACHINE_ENTRIES; i++)
		hm_port_pte_store(table(TABLE) + i, leaf(hm_machine_page(0).val + i * PAGE, 0, RW));
	hm_insn_dmb_ishst();
	link_to(table(MIDDLE), TABLE);
	hm_machine_settle();
	hm_port_pte_store(table(MIDDLE), leaf(hm_machine_page(0).val, 1, RW));
	hm_pgtable_invalidate(va, TABLE * PAGE, HM_INVALIDATE_TABLES);
	hm_pgtable_invalidate(page_va(TABLE), BLOCK - TABLE * PAGE, HM_INVALIDATE_TABLES);
	hm_machine_release_table(TABLE);
	EXPECT(!machine.violation[0]);
	hm_machine_release(TABLE, va, BLOCK);
	EXPECT(reported("page 3 is freed"));
}

/* What a table had in another place, before it was given back, nobody holds here. */
CASE(table_in_another_place)
{
	mapped(1, RW);
	hm_pte_clear(table(MIDDLE));
	hm_pgtable_invalidate(va, BLOCK, HM_INVALIDATE_TABLES);
	hm_machine_release_table(TABLE);
	hm_pte_clear(table(TABLE));
	hm_pte_link(table(MIDDLE) + 1, hm_arm64_table(hm_machine_page(TABLE)));
	hm_pte_set(table(TABLE), leaf(MEMORY + PAGE, 0, RW));
	hm_machine_access(page_va(HM_MACHINE_ENTRIES), HM_ACCESS_WRITE);
	EXPECT(!machine.violation[0]);
}

CASE(release_of_what_is_no_table)
{
	hm_machine_release_table(PAGE_A);
	EXPECT(reported("which it is not"));
}

/* A page of memory is looked for wherever it may be mapped in the range. */
CASE(memory_released_from_a_large_range)
{
	mapped(0, RW);
	hm_pte_set(table(TABLE) + 77, leaf(hm_machine_page(PAGE_A).val, 0, RW));
	hm_pte_clear(table(TABLE) + 77);
	hm_machine_release(PAGE_A, page_va(78), UINT64_C(1) << 45);
	EXPECT(!machine.violation[0]);
	hm_machine_release(PAGE_A, va, UINT64_C(1) << 45);
	EXPECT(reported("page 5 is freed"));
	start(3);
	hm_port_pte_store(table(MIDDLE) + 1, leaf(hm_machine_page(0).val, 1, RW));
	hm_pte_clear(table(MIDDLE) + 1);
	hm_machine_release(PAGE_A, va, UINT64_C(1) << 45);
	EXPECT(reported("page 5 is freed"));
}

/* ---- level hints ---- */

static void unmap_with_hint(unsigned int lookup_level)
{
	start(3);
	mapped(1, RW);
	hm_pte_clear(table(TABLE));
	invalidate_with_hint(va, lookup_level);
	hm_machine_access(va, HM_ACCESS_READ);
}

CASE(hint)
{
	unmap_with_hint(3);
	EXPECT(!machine.violation[0]);
	unmap_with_hint(2);
	EXPECT(reported("still accessible"));
}

static void unmap_range_with_hint(unsigned int lookup_level)
{
	start(3);
	store_run(MIDDLE, 1, 0, 2, RW);
	hm_machine_settle();
	hm_pte_clear(table(MIDDLE) + 1);
	hm_insn_dsb_ishst();
	hm_insn_tlbi_rvaale1is(hm_arm64_tlbi_range_operand(page_va(HM_MACHINE_ENTRIES), 0, 0) |
			       RANGE_TTL(lookup_level));
	hm_insn_dsb_ish();
	hm_insn_isb();
	hm_machine_access(page_va(HM_MACHINE_ENTRIES), HM_ACCESS_READ);
}

CASE(hint_of_a_range)
{
	unmap_range_with_hint(2);
	EXPECT(!machine.violation[0]);
	unmap_range_with_hint(3);
	EXPECT(reported("still accessible"));
}

/* Contiguous entries are of the level that they are stored at. */
CASE(hint_for_a_group)
{
	unsigned int lookup_level;

	for (lookup_level = 2; lookup_level <= 3; lookup_level++) {
		unfold_and_change(3, true);
		invalidate_with_hint(page_va(3), lookup_level);
		hm_machine_access(page_va(3), HM_ACCESS_WRITE);
		EXPECT(reported("still accessible") == (lookup_level == 2));
	}
}

/* Of tables it takes what is above that level, and leaves of others stay, with no table to come by. */
static void unlink_with_hint(unsigned int lookup_level)
{
	hm_pte_clear(above_middle());
	hm_insn_dsb_ishst();
	hm_insn_tlbi_vaae1is(hm_arm64_tlbi_operand(va) | TTL(lookup_level));
	hm_insn_dsb_ish();
	hm_insn_isb();
}

CASE(hint_with_tables)
{
	unsigned int lookup_level;

	for (lookup_level = 2; lookup_level <= 3; lookup_level++) {
		start(3);
		mapped(1, RW);
		unlink_with_hint(lookup_level);
		hm_machine_access(va, HM_ACCESS_READ);
		EXPECT(reported("still accessible") == (lookup_level == 2));
		start(3);
		mapped_by_block(RW);
		unlink_with_hint(lookup_level);
		hm_machine_release(MIDDLE, va, PAGE);
		EXPECT(!machine.violation[0]);
		hm_machine_access(va, HM_ACCESS_READ);
		EXPECT(reported("still accessible") == (lookup_level == 3));
	}
}

/* A table is in the walk caches of the level above its own. */
CASE(hint_for_a_table)
{
	unsigned int lookup_level;

	for (lookup_level = 2; lookup_level <= 3; lookup_level++) {
		start(3);
		mapped(1, RW);
		hm_pte_clear(table(MIDDLE));
		hm_insn_dsb_ishst();
		hm_insn_tlbi_vaae1is(hm_arm64_tlbi_operand(va) | TTL(lookup_level));
		hm_insn_dsb_ish();
		hm_machine_release(TABLE, va, PAGE);
		EXPECT(reported("table 3 is freed") == (lookup_level == 2));
	}
}

CASE(hint_for_no_level)
{
	hm_insn_tlbi_vaale1is(hm_arm64_tlbi_operand(va) | TTL(0));
	EXPECT(reported("no leaves"));
	start(3);
	hm_insn_tlbi_vaale1is(hm_arm64_tlbi_operand(va) | (TTL(3) ^ UINT64_C(3) << 46));
	EXPECT(reported("another granule"));
	start(3);
	hm_insn_tlbi_rvaale1is(hm_arm64_tlbi_range_operand(page_va(1), 0, 0) | RANGE_TTL(2));
	EXPECT(reported("not aligned to"));
}

/* ---- what a level may have ---- */

CASE(block_at_a_level_that_has_none)
{
	hm_port_pte_store(table(ROOT) + 1, (hm_pte_t){ MEMORY | RW | HM_ARM64_VALID });
	EXPECT(reported("that no level has"));
	start(3);
	mapped(0, RW);
	hm_port_pte_store(table(TABLE), (hm_pte_t){ MEMORY | RW | HM_ARM64_VALID });
	EXPECT(reported("that no level has"));
	start(3);
	hm_port_pte_store(table(TABLE) + 3, (hm_pte_t){ MEMORY | RW | HM_ARM64_VALID });
	EXPECT(!machine.violation[0]);
	hm_insn_dmb_ishst();
	link_to(table(MIDDLE), TABLE);
	EXPECT(reported("that no level has"));
}

CASE(block_not_aligned)
{
	hm_port_pte_store(table(MIDDLE), (hm_pte_t){ (MEMORY + PAGE) | RW | HM_ARM64_VALID });
	EXPECT(reported("whose address is not aligned"));
}

/* A link leads into memory, a leaf anywhere. */
CASE(addresses_beyond_memory)
{
	/* The same page, but for bits that a page's number of 32 bits would not have. */
	const uint64_t beyond = UINT64_C(1) << (32 + HM_PORT_ARM64_PAGE_SHIFT);
	const hm_pa_t low = { 0 }, high = { hm_machine_page(TABLE).val + beyond };

	mapped(0, RW);
	hm_pte_set(table(TABLE), leaf(0, 0, RW));
	hm_pte_set(table(TABLE) + 1, leaf(UINT64_C(0xffff) << 32, 0, RW));
	hm_machine_access(va, HM_ACCESS_WRITE);
	hm_machine_access(page_va(1), HM_ACCESS_WRITE);
	EXPECT(!machine.violation[0]);
	hm_pte_set(table(TABLE), leaf(beyond, 0, RW));
	EXPECT(HM_PORT_ARM64_PAGE_SHIFT == 16 || reported("break-before-make"));
	start(3);
	hm_port_pte_store(table(MIDDLE), hm_arm64_table(low));
	EXPECT(reported("what is not memory"));
	start(3);
	hm_port_pte_store(table(MIDDLE), hm_arm64_table(high));
	EXPECT(HM_PORT_ARM64_PAGE_SHIFT == 16 || reported("what is not memory"));
}

/* All that a link leads to is filled before it, not just its own table. */
CASE(fill_below_a_link)
{
	bool ordered;

	for (ordered = false;; ordered = true) {
		start(3);
		hm_pte_clear(above_middle());
		hm_machine_settle();
		hm_machine_release_table(MIDDLE);
		link_to(table(MIDDLE), TABLE);
		hm_insn_dmb_ishst();
		store_run(TABLE, 0, 0, 1, RW);
		if (ordered)
			hm_insn_dmb_ishst();
		link_to(above_middle(), MIDDLE);
		EXPECT(reported("table 3 is linked") == !ordered);
		if (ordered)
			break;
	}
}

#if HM_PORT_ARM64_PAGE_SHIFT == 12
/* The first of UPPER, at level 2, as a block, and as a table of blocks whose first is a table of pages. */
static void split_large_block(uint64_t attributes)
{
	hm_pte_clear(table(UPPER));
	hm_machine_settle();
	hm_machine_release_table(MIDDLE);
	hm_port_pte_store(table(UPPER), leaf(MEMORY, 2, RW));
	hm_machine_settle();
	store_run(INNER, 0, 0, 512, attributes);
	hm_insn_dmb_ishst();
	link_to(table(MIDDLE), INNER);
	store_run(MIDDLE, 1, 1, 511, RW);
	hm_insn_dmb_ishst();
	link_to(table(UPPER), MIDDLE);
}

CASE(split_of_two_levels)
{
	split_large_block(RW | CONTIGUOUS);
	hm_machine_access(page_va(3), HM_ACCESS_WRITE);
	hm_machine_access(page_va(600), HM_ACCESS_WRITE);
	EXPECT(!machine.violation[0]);
	start(3);
	split_large_block(RO);
	EXPECT(reported("size and attributes"));
}

/* A TLBI with tables that names the level of pages leaves the blocks that were below the link. */
CASE(hint_for_two_levels)
{
	bool hinted;

	for (hinted = false;; hinted = true) {
		start(3);
		split_large_block(RW);
		hm_machine_settle();
		hm_pte_clear(table(UPPER));
		hm_insn_dsb_ishst();
		hm_insn_tlbi_rvaae1is(hm_arm64_tlbi_range_operand(va, 3, 3) |
				      (hinted ? RANGE_TTL(3) : 0));
		hm_insn_dsb_ish();
		hm_port_pte_store(table(UPPER), leaf(2 * MEMORY, 2, RW));
		EXPECT(reported("break-before-make") == hinted);
		if (hinted)
			break;
	}
}

/* A block is replaced by one of other memory, where pages are held from before it was one; of those, a TLBI
 * of the first page takes the first. */
CASE(block_over_what_is_held_in_parts)
{
	bool all;

	for (all = false;; all = true) {
		start(3);
		split_large_block(RW);
		hm_machine_settle();
		hm_port_pte_store(table(UPPER), leaf(MEMORY, 2, RW));
		store_run(OTHER, 1, 0, 512, RW);
		hm_insn_dmb_ishst();
		link_to(table(UPPER), OTHER);
		hm_pte_clear(table(OTHER));
		hm_pgtable_invalidate(va, all ? BLOCK : PAGE, HM_INVALIDATE_TABLES);
		hm_port_pte_store(table(OTHER), leaf(2 * MEMORY, 1, RW));
		EXPECT(reported("break-before-make") == !all);
		if (all)
			break;
	}
}

/* And back: the tables are given back one by one, each after what takes all of it. */
CASE(collapse_of_two_levels)
{
	split_large_block(RW);
	hm_machine_settle();
	hm_port_pte_store(table(UPPER), leaf(MEMORY, 2, RW));
	hm_machine_access(page_va(3), HM_ACCESS_WRITE);
	hm_pgtable_invalidate(va, UINT64_C(1) << 30, HM_INVALIDATE_TABLES);
	hm_machine_release_table(INNER);
	hm_machine_release_table(MIDDLE);
	EXPECT(!machine.violation[0]);
	start(3);
	split_large_block(RW);
	hm_machine_settle();
	hm_port_pte_store(table(UPPER), leaf(MEMORY, 2, RW));
	hm_pgtable_invalidate(va, BLOCK, HM_INVALIDATE_TABLES);
	hm_machine_release_table(INNER);
	EXPECT(!machine.violation[0]);
	hm_machine_release_table(MIDDLE);
	EXPECT(reported("table 2 is freed"));
}
#endif
