/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * direct_map.c -- what every port with its hooks must get from direct_map.h. Maps are made by
 * hm_direct_map_add() below an empty top-level table; a model says of each page what it has to be, and after
 * each operation tables and hm_direct_map_query() are compared with it.
 */
#include "free_tables.h"
#include "probe.h"
#include "suite.h"
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What direct_map.h calls passes by here, so that the suite sees when it does so. */
static void seen_invalidate(hm_va_t va, uint64_t bytes, enum hm_invalidate what);
static void seen_free(hm_pa_t table);
static hm_pte_t *seen_map(hm_pa_t table);
static int seen_break(hm_va_t va, uint64_t bytes);
static void seen_mend(hm_va_t va, uint64_t bytes);
#define hm_pgtable_invalidate seen_invalidate
#define hm_port_pgtable_free seen_free
#define hm_port_pgtable_map seen_map
#define hm_port_direct_map_break seen_break
#define hm_port_direct_map_mend seen_mend
#include <hardmap/direct_map.h>
#undef hm_pgtable_invalidate
#undef hm_port_pgtable_free
#undef hm_port_pgtable_map
#undef hm_port_direct_map_break
#undef hm_port_direct_map_mend

#define ENTRIES HM_PORT_PGTABLE_ENTRIES
#define TOP (HM_PORT_PGTABLE_LEVELS - 1)
#define PAGES(n) ((uint64_t)(n)*bytes_of(0))
#define BLOCKS(n) ((uint64_t)(n)*bytes_of(1)) /* of level 1 */
/* Pages of a contiguous group, and blocks of one; where the port has none, a number to go by. */
#define HAS_GROUPS (hm_port_leaf_group(0) > 1)
#define HAS_GROUPS_OF_BLOCKS (hm_port_leaf_group(1) > 1)
#define GROUP (HAS_GROUPS ? hm_port_leaf_group(0) : 4)
#define GROUP_OF_BLOCKS (HAS_GROUPS_OF_BLOCKS ? hm_port_leaf_group(1) : 4)
/* What is done to groups: that often, or never. */
#define OF_GROUPS(n) (HAS_GROUPS ? (n) : 0)
#define OF_GROUPS_OF_BLOCKS(n) (HAS_GROUPS_OF_BLOCKS ? (n) : 0)

#define MODEL_PAGES (1 << 15) /* of a larger map there is no model */
#define SEEN 32
#ifndef STACK_BYTES
#define STACK_BYTES (20 * 1024) /* that cases need of it */
#endif

struct modelled {
	uint64_t pa, other;
	unsigned int key;
	enum hm_permission permission;
	bool mapped, keep_small;
};

static struct hm_direct_map map;
static struct modelled model[MODEL_PAGES]; /* by the page's number in the map */
static struct hm_direct_map_reserve *reserve; /* of changes, NULL: none */

/* Before the last operation. */
static struct {
	struct hm_direct_map_counts counts;
	uint64_t bits;
	unsigned int tables_out, breaks, mends;
} before;

/* What it cost, and the invalidations of it. */
static struct probe_counts cost;
static struct {
	uint64_t offset, bytes;
	hm_pte_t watched; /* what was in *watched at that moment */
	enum hm_invalidate what;
	unsigned int tables_out;
} seen[SEEN];
static unsigned int seen_count;
static const hm_pte_t *watched; /* NULL: nothing */
static uint64_t seen_freed; /* tables that had been linked */
static uint64_t break_offset, break_bytes; /* that the port was asked for */
static bool broken, emptied; /* since the break; and since an invalidation after it */

#define DID(count) (map.counts.count - before.counts.count)

static uint64_t bytes_of(unsigned int level)
{
	return UINT64_C(1) << hm_port_pgtable_shift(level);
}

static hm_va_t at(uint64_t offset)
{
	const hm_va_t va = { map.start.val + offset };

	return va;
}

/* The memory that most maps have there; aligned as the address is. */
static uint64_t memory(uint64_t offset)
{
	return bytes_of(TOP) + offset;
}

static unsigned int tables_out(void)
{
	return *probe_direct_map().tables_out;
}

/* ---- maps ---- */

/* No map any more, and none of its tables. */
static __attribute__((destructor)) void forget_map(void)
{
	free_tables_below(probe_table(0), TOP);
	probe_reset();
	reserve = NULL;
	watched = NULL;
}

static void suite_setup(void)
{
	broken = emptied = false;
	forget_map();
}

static void empty_map_at(uint64_t start, uint64_t bytes, bool pages_only)
{
	const hm_va_t va = { start };

	forget_map();
	probe_set_root(probe_table(0));
	EXPECT(hm_direct_map_init(&map, va, bytes, pages_only) == 0);
	memset(model, 0, sizeof(model));
}

static void empty_map(uint64_t bytes)
{
	empty_map_at(probe_va(bytes_of(TOP)).val, bytes, false);
}

static bool is_modelled(void)
{
	return map.bytes / PAGES(1) <= MODEL_PAGES;
}

/* ---- what is in the tables ---- */

static int add_bits(const struct hm_pgtable_entry *entry, void *argument)
{
	const uint64_t words[3] = { entry->va.val, entry->pte.val, entry->level };
	uint64_t *bits = argument;
	unsigned int i;

	for (i = 0; i < 3; i++)
		*bits = ((*bits ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15)) ^ *bits >> 29;
	return 0;
}

/* Two tables with the same number of this kind have the same entries, links included, and so have their
 * neighbours. */
static uint64_t bits(void)
{
	const struct hm_pgtable_visitor visitor = { add_bits, add_bits };
	const hm_va_t from = { map.start.val - BLOCKS(1) };
	uint64_t sum = 0;

	hm_pgtable_walk(from, map.bytes + BLOCKS(1), &visitor, &sum);
	return sum;
}

/* The entry of that level. */
static hm_pte_t *entry_at(uint64_t offset, unsigned int level)
{
	hm_pte_t *table = probe_table(0);
	unsigned int at_level;

	for (at_level = TOP; at_level > level; at_level--) {
		const hm_pte_t link = table[hm_port_pgtable_index(at(offset), at_level)];

		table = hm_port_pgtable_map(hm_port_pte_table(link));
	}
	return table + hm_port_pgtable_index(at(offset), level);
}

static hm_pte_t invalid(hm_pte_t valid)
{
	hm_pte_t pte = valid;
	unsigned int bit;

	for (bit = 0; hm_port_pte_is_valid(pte); bit++)
		pte.val = valid.val & ~(UINT64_C(1) << bit);
	return pte;
}

struct check {
	uint64_t mapped; /* bytes */
	struct hm_leaf last; /* of an unfinished contiguous group */
	unsigned int group_left; /* entries that it lacks */
};

/* Contiguous entries are a whole group, aligned, of memory that is, and say the same. */
static bool is_in_its_group(const struct hm_pgtable_entry *entry, const struct hm_leaf *leaf,
			    struct check *check)
{
	const unsigned int group = hm_port_leaf_group(entry->level);
	const uint64_t bytes = bytes_of(entry->level), mask = group * bytes - 1;
	const struct hm_leaf last = check->last;

	check->last = *leaf;
	if (!leaf->contiguous)
		return !check->group_left;
	if (leaf->permission == HM_PERMISSION_INVALID)
		return false;
	if (check->group_left) {
		check->group_left--;
		return leaf->pa.val == last.pa.val + bytes && leaf->key == last.key &&
		       leaf->permission == last.permission && leaf->other == last.other;
	}
	check->group_left = group - 1;
	return group > 1 && !(entry->va.val & mask) && !(leaf->pa.val & mask);
}

static bool is_as_modelled(uint64_t offset, const struct hm_leaf *leaf)
{
	const struct modelled *page = &model[offset / PAGES(1)];

	return page->mapped && page->pa == leaf->pa.val && page->other == leaf->other &&
	       page->key == leaf->key && page->permission == leaf->permission &&
	       page->keep_small == leaf->keep_small;
}

static int check_leaf(const struct hm_pgtable_entry *entry, void *argument)
{
	struct check *check = argument;
	struct hm_leaf leaf;
	uint64_t i;

	if (!hm_port_leaf_decode(entry->pte, entry->level, &leaf) ||
	    !is_in_its_group(entry, &leaf, check))
		return 1;
	check->mapped += bytes_of(entry->level);
	for (i = 0; i < bytes_of(entry->level) && is_modelled(); i += PAGES(1)) {
		if (!is_as_modelled(entry->va.val - map.start.val + i, &leaf))
			return 1;
		leaf.pa.val += PAGES(1);
	}
	return 0;
}

/* A link permits and forbids nothing by itself; no group reaches over it. */
static int check_table(const struct hm_pgtable_entry *entry, void *argument)
{
	const struct check *check = argument;

	return check->group_left ||
	       entry->pte.val != hm_port_pte_link(hm_port_pte_table(entry->pte)).val;
}

static bool query_is_as_modelled(uint64_t offset)
{
	const struct modelled *page = &model[offset / PAGES(1)];
	struct hm_direct_map_info info = { 0 };
	int error = hm_direct_map_query(&map, at(offset), &info);

	if (error)
		return error == -HM_ENOENT && !page->mapped;
	return page->mapped && info.pa.val == page->pa && info.key == page->key &&
	       info.permission == page->permission && info.keep_small == page->keep_small;
}

static unsigned int tables_of(const struct hm_direct_map_statistics *statistics)
{
	unsigned int tables = 0, level;

	for (level = 0; level < TOP; level++)
		tables += (unsigned int)statistics->tables[level];
	return tables;
}

/* Every page is what the model says, no table is lost, and nobody wrote one without its key. */
static bool all_is_well(void)
{
	const struct hm_pgtable_visitor visitor = { check_leaf, check_table };
	const struct hm_direct_map_statistics statistics = hm_direct_map_statistics(&map);
	/* Of a large map the walk looks at all pages, and some are asked for. */
	const uint64_t stride = 1 + map.bytes / PAGES(1 << 12);
	struct check check = { 0 };
	uint64_t offset, mapped = 0;

	if (!hm_port_pgtable_root(map.start) ||
	    hm_pgtable_walk(map.start, map.bytes, &visitor, &check) || check.group_left)
		return false;
	for (offset = 0; offset < map.bytes && is_modelled(); offset += PAGES(1)) {
		if (offset % PAGES(stride) == 0 && !query_is_as_modelled(offset))
			return false;
		mapped += model[offset / PAGES(1)].mapped ? PAGES(1) : 0;
	}
	return (!is_modelled() || mapped == check.mapped) &&
	       tables_out() == tables_of(&statistics) + (reserve ? reserve->tables : 0) &&
	       probe_read().bugs == 0;
}

/* Blocks of level 1 and pages, how many of either are groups, and tables of pages. */
static bool consists_of(uint64_t blocks, uint64_t block_groups, uint64_t pages,
			uint64_t page_groups, uint64_t tables)
{
	const struct hm_direct_map_statistics s = hm_direct_map_statistics(&map);
	unsigned int level;

	for (level = 2; level <= TOP; level++)
		if (s.leaves[level] || s.groups[level])
			return false;
	return s.leaves[1] == blocks && s.groups[1] == OF_GROUPS_OF_BLOCKS(block_groups) &&
	       s.leaves[0] == pages && s.groups[0] == OF_GROUPS(page_groups) &&
	       s.tables[0] == tables;
}

/* ---- operations, by offsets in the map; each does to the model what it does to the map ---- */

static void seen_invalidate(hm_va_t va, uint64_t bytes, enum hm_invalidate what)
{
	const hm_pte_t none = { 0 };
	/* Beyond the last place they replace each other. */
	const unsigned int i = seen_count < SEEN ? seen_count : SEEN - 1;

	seen[i].offset = va.val - map.start.val;
	seen[i].bytes = bytes;
	seen[i].what = what;
	seen[i].watched = watched ? hm_pte_get(watched) : none;
	seen[i].tables_out = tables_out();
	seen_count++;
	hm_pgtable_invalidate(va, bytes, what);
	emptied = broken;
}

/* A table may lie in what was broken: before the next one is reached, the new entry is published. */
static hm_pte_t *seen_map(hm_pa_t table)
{
	EXPECT(!emptied || !hm_port_context()->pending);
	emptied = false;
	return hm_port_pgtable_map(table);
}

static int is_link_of(const struct hm_pgtable_entry *entry, void *argument)
{
	const hm_pa_t *table = argument;

	return hm_port_pte_table(entry->pte).val == table->val;
}

/* A table that was linked is not any more, and walk caches have forgotten it. The port may free it in
 * any way: it is not in a section, nor at a level of its caller. */
static void seen_free(hm_pa_t table)
{
	const struct hm_pgtable_visitor visitor = { NULL, is_link_of };

	if (DID(tables_freed) != seen_freed) {
		seen_freed++;
		EXPECT(seen_count && seen[(seen_count < SEEN ? seen_count : SEEN) - 1].what ==
					     HM_INVALIDATE_TABLES);
		EXPECT(seen_freed > 4 || !hm_pgtable_walk(map.start, map.bytes, &visitor, &table));
		EXPECT(!hm_lazy_mmu_active());
		EXPECT(hm_kpkeys_style() != HM_KEY_STYLE_WINDOW || !probe_opens(HM_KEY_PGTABLES));
	}
	hm_port_pgtable_free(table);
}

/* Whoever is asked finds nothing changed yet. */
static int seen_break(hm_va_t va, uint64_t bytes)
{
	EXPECT(bits() == before.bits);
	break_offset = va.val - map.start.val;
	break_bytes = bytes;
	broken = true;
	return hm_port_direct_map_break(va, bytes);
}

/* And of what was broken nothing is left unpublished. */
static void seen_mend(hm_va_t va, uint64_t bytes)
{
	EXPECT(!hm_port_context()->pending);
	EXPECT(va.val - map.start.val == break_offset && bytes == break_bytes);
	broken = emptied = false;
	hm_port_direct_map_mend(va, bytes);
}

static unsigned int breaks(void)
{
	return *probe_direct_map().breaks - before.breaks;
}

static void begin(void)
{
	before.counts = map.counts;
	before.bits = bits();
	before.tables_out = tables_out();
	before.breaks = *probe_direct_map().breaks;
	before.mends = *probe_direct_map().mends;
	seen_count = 0;
	seen_freed = 0;
	probe_read();
}

/* To whom the model has to do the same. */
static struct modelled *end(int error, uint64_t offset)
{
	cost = probe_read();
	return error || !is_modelled() ? NULL : &model[offset / PAGES(1)];
}

static int add_entry(uint64_t offset, uint64_t bytes, hm_pte_t first)
{
	struct modelled *page;
	struct hm_leaf leaf;
	uint64_t i;
	int error;

	begin();
	error = hm_direct_map_add(&map, reserve, at(offset), bytes, first);
	page = end(error, offset);
	if (!page || !hm_port_leaf_decode(first, 0, &leaf))
		return error;
	for (i = 0; i < bytes; i += PAGES(1), page++) {
		page->pa = leaf.pa.val + i;
		page->other = leaf.other;
		page->key = leaf.key;
		page->permission = leaf.permission;
		page->keep_small = leaf.keep_small;
		page->mapped = true;
	}
	return 0;
}

static int add(uint64_t offset, uint64_t bytes, uint64_t pa)
{
	return add_entry(offset, bytes, probe_linear_page(pa));
}

static int set_key(uint64_t offset, uint64_t bytes, unsigned int key)
{
	struct modelled *page;
	uint64_t i;
	int error;

	begin();
	error = hm_direct_map_set_pkey(&map, reserve, at(offset), bytes, key);
	page = end(error, offset);
	for (i = 0; page && i < bytes; i += PAGES(1), page++)
		page->key = key;
	return error;
}

static enum hm_permission after_request(enum hm_permission is, enum hm_permission request)
{
	if (request != HM_PERMISSION_NX)
		return request;
	return is == HM_PERMISSION_ROX ? HM_PERMISSION_RO : is;
}

static int permit(uint64_t offset, uint64_t bytes, enum hm_permission permission)
{
	struct modelled *page;
	uint64_t i;
	int error;

	begin();
	error = hm_direct_map_set_permission(&map, reserve, at(offset), bytes, permission);
	page = end(error, offset);
	for (i = 0; page && i < bytes; i += PAGES(1), page++)
		page->permission = after_request(page->permission, permission);
	return error;
}

static int split(uint64_t offset, uint64_t bytes)
{
	int error;

	begin();
	error = hm_direct_map_split(&map, reserve, at(offset), bytes);
	(void)end(error, offset);
	return error;
}

static int keep_small(uint64_t offset, uint64_t bytes, bool small)
{
	struct modelled *page;
	uint64_t i;
	int error;

	begin();
	error = hm_direct_map_keep_small(&map, reserve, at(offset), bytes, small);
	page = end(error, offset);
	for (i = 0; page && i < bytes; i += PAGES(1), page++)
		page->keep_small = small;
	return error;
}

static int collapse(uint64_t offset, uint64_t bytes)
{
	int error;

	begin();
	error = hm_direct_map_collapse(&map, at(offset), bytes);
	(void)end(error, offset);
	return error;
}

static int take_away(uint64_t offset, uint64_t bytes)
{
	struct modelled *page;
	uint64_t i;
	int error;

	begin();
	error = hm_direct_map_remove(&map, reserve, at(offset), bytes);
	page = end(error, offset);
	for (i = 0; page && i < bytes; i += PAGES(1), page++)
		memset(page, 0, sizeof(*page));
	return error;
}

/* It is allowed, and all is well after it; what it wrote is what it says that it wrote, beside the
 * list of tables; who was asked for a break was told of its end. */
static bool right(int error)
{
	const struct probe_direct_map hooks = probe_direct_map();
	const uint64_t linked = DID(tables_linked), list = linked && !reserve ? linked + 1 : 0;

	return !error && (reserve || cost.stores == DID(entries) + list) && cost.bugs == 0 &&
	       seen_count == DID(invalidations) && seen_freed == DID(tables_freed) &&
	       *hooks.breaks - before.breaks <= 1 &&
	       *hooks.breaks - before.breaks == *hooks.mends - before.mends && all_is_well();
}

/* It is refused like that, and every entry is as it was; no table is lost. */
static bool refused(int error, int with)
{
	return error == with && bits() == before.bits && tables_out() == before.tables_out &&
	       cost.bugs == 0 && seen_count == 0 && *probe_direct_map().mends == before.mends;
}

/* Nothing was to do. */
static bool idle(int error)
{
	return right(error) && bits() == before.bits && cost.stores == 0 && seen_count == 0 &&
	       cost.publish == 0;
}

/* Since the operation's begin: one invalidation, of leaves, of just that. */
static bool forgot(uint64_t offset, uint64_t bytes)
{
	return seen_count == 1 && seen[0].what == HM_INVALIDATE_LEAVES &&
	       seen[0].offset == offset && seen[0].bytes == bytes;
}

/* All of a map of that size, to memory that is aligned as the addresses are. */
static void full_map(uint64_t bytes)
{
	empty_map(bytes);
	EXPECT(right(add(0, bytes, memory(0))));
}

enum op { KEY, PERMISSION, SPLIT, SMALL, REMOVE, OPS };

static int change(enum op op, uint64_t offset, uint64_t bytes)
{
	switch (op) {
	case KEY:
		return set_key(offset, bytes, HM_KEY_TEXT);
	case PERMISSION:
		return permit(offset, bytes, HM_PERMISSION_RO);
	case SPLIT:
		return split(offset, bytes);
	case SMALL:
		return keep_small(offset, bytes, true);
	case REMOVE:
	case OPS:
		break;
	}
	return take_away(offset, bytes);
}

static int change_back(enum op op, uint64_t offset, uint64_t bytes)
{
	switch (op) {
	case KEY:
		return set_key(offset, bytes, HM_KEY_DEFAULT);
	case PERMISSION:
		return permit(offset, bytes, HM_PERMISSION_VALID);
	case SMALL:
		return keep_small(offset, bytes, false);
	case REMOVE:
		return add(offset, bytes, memory(offset));
	case SPLIT:
	case OPS:
		break;
	}
	begin();
	(void)end(0, offset);
	return 0;
}

/* ---- memory that comes ---- */

/* A range that is aligned as its memory takes the largest entries: blocks in the middle, contiguous
 * groups and then pages towards its ends; published when it returns. */
CASE(add_takes_the_largest_entries)
{
	empty_map(BLOCKS(3));
	EXPECT(right(add(0, BLOCKS(3), memory(0))));
	EXPECT(consists_of(3, 0, 0, 0, 0) && seen_count == 0);
	EXPECT(probe_paired(&cost, hm_lazy_mmu_active() ? 0 : 1));
	empty_map(BLOCKS(3));
	EXPECT(right(add(PAGES(1), BLOCKS(2) + PAGES(GROUP), memory(PAGES(1)))));
	EXPECT(consists_of(1, 0, ENTRIES + GROUP, ENTRIES / GROUP, 2));
}

/* Blocks are contiguous groups too, where all of one is there. */
CASE(add_makes_groups_of_blocks)
{
	empty_map(BLOCKS(2 * GROUP_OF_BLOCKS));
	EXPECT(right(add(0, BLOCKS(GROUP_OF_BLOCKS + 1), memory(0))));
	EXPECT(consists_of(GROUP_OF_BLOCKS + 1, 1, 0, 0, 0));
}

/* The largest entries of all, and their groups. */
CASE(add_at_the_highest_level)
{
	const unsigned int level = HM_PORT_PGTABLE_BLOCK_LEVEL, group = hm_port_leaf_group(level);
	struct hm_direct_map_statistics statistics;

	empty_map(2 * group * bytes_of(level));
	EXPECT(right(add(0, (group + 1) * bytes_of(level), memory(0))));
	statistics = hm_direct_map_statistics(&map);
	EXPECT(statistics.leaves[level] == group + 1);
	EXPECT(statistics.groups[level] == (group > 1 ? 1 : 0));
	EXPECT(!statistics.leaves[0] && !statistics.tables[0]);
}

/* Where memory is aligned otherwise than addresses, entries are as large as both allow. */
CASE(add_of_memory_that_is_aligned_otherwise)
{
	empty_map(BLOCKS(2));
	EXPECT(right(add(0, BLOCKS(2), memory(PAGES(1)))));
	EXPECT(consists_of(0, 0, 2 * ENTRIES, 0, 2));
	empty_map(BLOCKS(2));
	EXPECT(right(add(0, BLOCKS(2), memory(PAGES(GROUP)))));
	EXPECT(consists_of(0, 0, 2 * ENTRIES, 2 * ENTRIES / GROUP, 2));
	empty_map(BLOCKS(GROUP_OF_BLOCKS));
	EXPECT(right(add(0, BLOCKS(GROUP_OF_BLOCKS), memory(BLOCKS(1)))));
	EXPECT(consists_of(GROUP_OF_BLOCKS, 0, 0, 0, 0));
}

/* What is not added stays a hole, and may be added later. */
CASE(add_around_a_hole)
{
	empty_map(BLOCKS(2));
	EXPECT(right(add(0, PAGES(1), memory(0))));
	EXPECT(right(add(PAGES(2), BLOCKS(2) - PAGES(2), memory(PAGES(2)))));
	EXPECT(consists_of(1, 0, ENTRIES - 1, ENTRIES / GROUP - 1, 1));
	EXPECT(right(add(PAGES(1), PAGES(1), memory(PAGES(1)))));
	EXPECT(consists_of(1, 0, ENTRIES, ENTRIES / GROUP - 1, 1));
}

/* Where something is mapped, be it the last page, nothing is added. */
CASE(add_over_something)
{
	empty_map(BLOCKS(3));
	EXPECT(right(add(BLOCKS(1), PAGES(1), memory(0))));
	EXPECT(refused(add(0, BLOCKS(1) + PAGES(1), memory(0)), -HM_EEXIST));
	EXPECT(refused(add(BLOCKS(1), PAGES(1), memory(0)), -HM_EEXIST));
	EXPECT(right(add(BLOCKS(2), BLOCKS(1), memory(0))));
	EXPECT(refused(add(BLOCKS(2) + PAGES(3), PAGES(1), memory(0)), -HM_EEXIST));
	EXPECT(right(permit(BLOCKS(2), BLOCKS(1), HM_PERMISSION_INVALID)));
	EXPECT(refused(add(BLOCKS(2), BLOCKS(1), memory(0)), -HM_EEXIST));
}

/* The first entry says the key, permission and mark of all; memory that stays small is of pages, and
 * invalid memory of no groups. */
CASE(add_as_the_first_entry_says)
{
	struct hm_leaf leaf = { 0 };

	empty_map(BLOCKS(3));
	EXPECT(hm_port_leaf_decode(probe_linear_page(memory(0)), 0, &leaf));
	leaf.contiguous = true;
	leaf.key = HM_KEY_TEXT;
	leaf.permission = HM_PERMISSION_ROX;
	EXPECT(right(add_entry(0, BLOCKS(1) + PAGES(1), hm_port_leaf_encode(&leaf, 0))));
	EXPECT(consists_of(1, 0, 1, 0, 1));
	empty_map(BLOCKS(3));
	leaf.permission = HM_PERMISSION_INVALID;
	EXPECT(right(add_entry(0, BLOCKS(1) + PAGES(GROUP), hm_port_leaf_encode(&leaf, 0))));
	EXPECT(consists_of(1, 0, GROUP, 0, 1));
	empty_map(BLOCKS(3));
	leaf.permission = HM_PERMISSION_RO;
	leaf.keep_small = true;
	EXPECT(right(add_entry(0, BLOCKS(1) + PAGES(GROUP), hm_port_leaf_encode(&leaf, 0))));
	EXPECT(consists_of(0, 0, ENTRIES + GROUP, 0, 2));
}

/* An entry that is none of a linear map's is none to start with. */
CASE(add_of_another_entry)
{
	const hm_pte_t none = { 0 };

	empty_map(BLOCKS(3));
	EXPECT(refused(add_entry(0, PAGES(1), none), -HM_EINVAL));
	EXPECT(refused(add_entry(0, PAGES(1), probe_user_page(3)), -HM_EINVAL));
}

#ifdef HM_ARM64_VMSA_H
/* Memory that no entry can name is not added, nor what comes before it. */
CASE(add_of_memory_out_of_reach)
{
	empty_map(BLOCKS(3));
	EXPECT(refused(add(0, PAGES(2), (UINT64_C(1) << 48) - PAGES(1)), -HM_EINVAL));
	EXPECT(refused(add(0, BLOCKS(2), (UINT64_C(1) << 48) - BLOCKS(1)), -HM_EINVAL));
	EXPECT(right(add(0, BLOCKS(1), (UINT64_C(1) << 48) - BLOCKS(1))));
}

/* The memory type of memory that is invalid, split and joined is what it was. */
CASE(changes_keep_the_memory_type)
{
	const hm_pa_t pa = { memory(0) };

	empty_map(BLOCKS(3));
	EXPECT(right(add_entry(0, BLOCKS(2), hm_arm64_leaf(pa, 0, HM_ARM64_KERNEL_DEVICE))));
	EXPECT(right(permit(PAGES(1), BLOCKS(1), HM_PERMISSION_INVALID)));
	EXPECT(right(permit(PAGES(1), BLOCKS(1), HM_PERMISSION_RO)));
	if (hm_kpkeys_style() != HM_KEY_STYLE_STORE)
		EXPECT(right(set_key(PAGES(GROUP), BLOCKS(1), 3)));
	EXPECT(right(add(BLOCKS(2), BLOCKS(1), memory(BLOCKS(2)))));
	EXPECT(right(collapse(0, BLOCKS(3))));
}

/* Only Normal memory takes keyed stores: no other has a store key and is writable, whichever is first. */
CASE(store_keys_of_other_memory)
{
	const hm_pa_t pa = { memory(0) };

	if (hm_kpkeys_style() != HM_KEY_STYLE_STORE)
		return;
	empty_map(BLOCKS(2));
	EXPECT(right(add_entry(0, BLOCKS(2), hm_arm64_leaf(pa, 0, HM_ARM64_KERNEL_DEVICE))));
	EXPECT(refused(set_key(PAGES(GROUP), BLOCKS(1), HM_KEY_PGTABLES), -HM_EINVAL));
	EXPECT(right(permit(0, BLOCKS(1), HM_PERMISSION_RO)));
	EXPECT(refused(set_key(PAGES(GROUP), BLOCKS(1), HM_KEY_PGTABLES), -HM_EINVAL));
	EXPECT(right(set_key(0, BLOCKS(1), HM_KEY_PGTABLES)));
	EXPECT(refused(permit(PAGES(1), PAGES(1), HM_PERMISSION_RW), -HM_EINVAL));
	EXPECT(right(collapse(0, BLOCKS(2))));
}

/* Memory of unequal types is not joined. */
CASE(collapse_of_unequal_memory_types)
{
	const hm_pa_t pa = { memory(PAGES(1)) };

	full_map(BLOCKS(2));
	EXPECT(right(take_away(PAGES(1), PAGES(1))));
	EXPECT(right(add_entry(PAGES(1), PAGES(1), hm_arm64_leaf(pa, 0, HM_ARM64_KERNEL_DEVICE))));
	EXPECT(idle(collapse(0, BLOCKS(2))));
}
#endif

/* A map of pages only has pages only, and nothing of it is split or joined. */
CASE(map_of_pages_only)
{
	empty_map_at(probe_va(bytes_of(TOP)).val, BLOCKS(2), true);
	EXPECT(right(add(0, BLOCKS(2), memory(0))));
	EXPECT(consists_of(0, 0, 2 * ENTRIES, 0, 2));
	*probe_direct_map().tables_left = 0;
	EXPECT(right(set_key(PAGES(1), PAGES(1), HM_KEY_TEXT)));
	EXPECT(DID(entries) == 1 && forgot(PAGES(1), PAGES(1)));
	EXPECT(right(set_key(PAGES(1), PAGES(1), HM_KEY_DEFAULT)));
	EXPECT(idle(collapse(0, BLOCKS(2))));
	EXPECT(hm_direct_map_collapse(&map, at(PAGES(1)), 0) == -HM_EINVAL);
}

/* ---- keys and permissions ---- */

/* A whole block is one store and one invalidation of it; nothing is split. */
CASE(change_of_a_whole_block)
{
	full_map(BLOCKS(3));
	EXPECT(right(set_key(BLOCKS(1), BLOCKS(1), HM_KEY_TEXT)));
	EXPECT(DID(entries) == 1 && DID(splits) == 0 && DID(tables_linked) == 0);
	EXPECT(forgot(BLOCKS(1), BLOCKS(1)) && consists_of(3, 0, 0, 0, 0));
	EXPECT(right(permit(BLOCKS(1), BLOCKS(2), HM_PERMISSION_RO)));
	EXPECT(DID(entries) == 2 && forgot(BLOCKS(1), BLOCKS(2)) && consists_of(3, 0, 0, 0, 0));
}

/* Of a part of a block just that changes: the block becomes a table of groups, and only the one that
 * changes is single pages. Nothing but the part is invalidated, and the table is filled before it is
 * linked. */
CASE(change_of_a_part_of_a_block)
{
	full_map(BLOCKS(3));
	EXPECT(right(set_key(BLOCKS(1) + PAGES(1), PAGES(1), HM_KEY_TEXT)));
	EXPECT(DID(splits) == 1 && DID(unfolds) == 0 && DID(tables_linked) == 1);
	EXPECT(DID(entries) == ENTRIES + 1 + 1 && cost.order == 1);
	EXPECT(forgot(BLOCKS(1) + PAGES(1), PAGES(1)));
	EXPECT(consists_of(2, 0, ENTRIES, ENTRIES / GROUP - 1, 1));
}

/* Of a part of a contiguous group too: the group becomes single pages, all of them before the part
 * changes. */
CASE(change_of_a_part_of_a_group)
{
	empty_map(BLOCKS(1));
	EXPECT(right(add(0, PAGES(2 * GROUP), memory(0))));
	EXPECT(right(set_key(PAGES(GROUP + 1), PAGES(1), HM_KEY_TEXT)));
	EXPECT(DID(splits) == 0 && DID(unfolds) == OF_GROUPS(1) && DID(tables_linked) == 0);
	EXPECT(DID(entries) == OF_GROUPS(GROUP) + 1 && cost.order == OF_GROUPS(1));
	EXPECT(forgot(PAGES(GROUP + 1), PAGES(1)) && consists_of(0, 0, 2 * GROUP, 1, 1));
	EXPECT(right(set_key(0, PAGES(GROUP), HM_KEY_TEXT)));
	EXPECT(DID(unfolds) == OF_GROUPS(1) && DID(entries) == OF_GROUPS(GROUP) + GROUP);
	EXPECT(forgot(0, PAGES(GROUP)));
}

/* Of a group of blocks: a whole block takes no table. */
CASE(change_of_a_part_of_a_group_of_blocks)
{
	full_map(BLOCKS(GROUP_OF_BLOCKS));
	EXPECT(right(permit(BLOCKS(1), BLOCKS(1), HM_PERMISSION_RO)));
	EXPECT(DID(splits) == 0 && DID(unfolds) == OF_GROUPS_OF_BLOCKS(1));
	EXPECT(DID(entries) == OF_GROUPS_OF_BLOCKS(GROUP_OF_BLOCKS) + 1);
	EXPECT(forgot(BLOCKS(1), BLOCKS(1)) && consists_of(GROUP_OF_BLOCKS, 0, 0, 0, 0));
	full_map(BLOCKS(GROUP_OF_BLOCKS));
	EXPECT(right(permit(BLOCKS(1), PAGES(1), HM_PERMISSION_RO)));
	EXPECT(DID(splits) == 1 && DID(unfolds) == OF_GROUPS_OF_BLOCKS(1));
	EXPECT(consists_of(GROUP_OF_BLOCKS - 1, 0, ENTRIES, ENTRIES / GROUP - 1, 1));
}

/* Across blocks: those that are whole stay blocks, and one invalidation is for all. */
CASE(change_across_blocks)
{
	full_map(BLOCKS(3));
	EXPECT(right(set_key(BLOCKS(1) - PAGES(1), PAGES(2), HM_KEY_TEXT)));
	EXPECT(DID(splits) == 2 && forgot(BLOCKS(1) - PAGES(1), PAGES(2)));
	EXPECT(consists_of(1, 0, 2 * ENTRIES, 2 * (ENTRIES / GROUP - 1), 2));
	full_map(BLOCKS(3));
	EXPECT(right(set_key(PAGES(GROUP), BLOCKS(2), HM_KEY_TEXT)));
	EXPECT(DID(splits) == 2 && forgot(PAGES(GROUP), BLOCKS(2)));
	EXPECT(consists_of(1, 0, 2 * ENTRIES, ENTRIES / GROUP, 2));
}

/* What is so already is not written, split or invalidated. */
CASE(change_to_what_it_is)
{
	full_map(BLOCKS(3));
	EXPECT(idle(set_key(PAGES(1), BLOCKS(1), HM_KEY_DEFAULT)));
	EXPECT(idle(permit(PAGES(1), BLOCKS(1), HM_PERMISSION_VALID)));
	EXPECT(idle(permit(PAGES(1), BLOCKS(1), HM_PERMISSION_NX)));
	EXPECT(idle(keep_small(PAGES(1), BLOCKS(1), false)));
	EXPECT(right(set_key(BLOCKS(1), BLOCKS(1), HM_KEY_TEXT)));
	EXPECT(right(set_key(BLOCKS(1) + PAGES(1), BLOCKS(1), HM_KEY_TEXT)));
	EXPECT(DID(splits) == 1 && consists_of(2, 0, ENTRIES, ENTRIES / GROUP - 1, 1));
}

/* Each permission says all of it, whatever was there; NX only that nothing is executed. What was valid
 * and changes is invalidated; what turns valid is published. */
CASE(permissions_replace_each_other)
{
	unsigned int from, to, piece;

	for (from = HM_PERMISSION_RW; from <= HM_PERMISSION_INVALID; from++) {
		for (to = HM_PERMISSION_RW; to <= HM_PERMISSION_NX; to++) {
			for (piece = 0; piece < 3; piece++) {
				const uint64_t bytes = piece ? PAGES(piece) : BLOCKS(1);
				enum hm_permission was = (enum hm_permission)from, is;
				bool is_changed;

				full_map(BLOCKS(1));
				EXPECT(right(permit(0, bytes, was)));
				EXPECT(right(permit(0, bytes, (enum hm_permission)to)));
				is = model[0].permission;
				is_changed = is != was && is != HM_PERMISSION_INVALID;
				EXPECT(seen_count ==
				       (is != was && was != HM_PERMISSION_INVALID ? 1 : 0));
				EXPECT(probe_paired(&cost, DID(splits) || is_changed ? 1 : 0));
			}
		}
	}
}

/* Any permission and then the default is the default, bit by bit. Invalid memory keeps its key. */
CASE(the_default_is_restored)
{
	unsigned int permission;

	full_map(BLOCKS(2));
	EXPECT(right(set_key(0, BLOCKS(1), HM_KEY_TEXT)));
	for (permission = HM_PERMISSION_RO; permission <= HM_PERMISSION_INVALID; permission++) {
		uint64_t was = bits();

		EXPECT(right(permit(0, BLOCKS(2), (enum hm_permission)permission)));
		EXPECT(bits() != was);
		EXPECT(right(permit(0, BLOCKS(2), HM_PERMISSION_VALID)));
		EXPECT(bits() == was);
	}
}

/* Among what turns valid nothing is invalidated; with one page that was valid, all of the range is,
 * once. */
CASE(change_of_valid_and_invalid_memory)
{
	full_map(BLOCKS(2));
	EXPECT(right(permit(PAGES(1), PAGES(2), HM_PERMISSION_INVALID)));
	EXPECT(forgot(PAGES(1), PAGES(2)) && cost.publish <= 1);
	EXPECT(right(set_key(PAGES(1), PAGES(2), HM_KEY_TEXT)));
	EXPECT(seen_count == 0 && DID(entries) == 2 && probe_paired(&cost, 0));
	EXPECT(right(permit(PAGES(1), PAGES(1), HM_PERMISSION_RO)));
	EXPECT(seen_count == 0 && DID(entries) == 1 && probe_paired(&cost, 1));
	EXPECT(right(permit(0, PAGES(4), HM_PERMISSION_RO)));
	EXPECT(forgot(0, PAGES(4)) && DID(entries) == 3);
}

/* A part of an invalid block: its pieces are no groups, as there is nothing to cache. */
CASE(change_of_a_part_of_an_invalid_block)
{
	full_map(BLOCKS(2));
	EXPECT(right(permit(0, BLOCKS(1), HM_PERMISSION_INVALID)));
	EXPECT(right(set_key(PAGES(1), PAGES(1), HM_KEY_TEXT)));
	EXPECT(DID(splits) == 1 && seen_count == 0);
	EXPECT(consists_of(1, 0, ENTRIES, 0, 1));
	EXPECT(right(permit(0, BLOCKS(1), HM_PERMISSION_VALID)) && seen_count == 0);
	EXPECT(right(set_key(PAGES(1), PAGES(1), HM_KEY_DEFAULT)));
	EXPECT(right(collapse(0, BLOCKS(2))) && consists_of(2, 0, 0, 0, 0));
}

/* ---- ranges with any ends ---- */

struct extent {
	enum op op;
	uint64_t start, end;
};

static bool in_extent(const struct extent *range, uint64_t start, uint64_t end)
{
	return start < range->end && end > range->start;
}

static bool crosses(const struct extent *range, uint64_t start, uint64_t end)
{
	return in_extent(range, start, end) && (start < range->start || end > range->end);
}

static bool has_to_be_a_table(const struct extent *range, uint64_t start, unsigned int level)
{
	const uint64_t end = start + bytes_of(level);

	return level &&
	       (crosses(range, start, end) || (range->op == SMALL && in_extent(range, start, end)));
}

/* The fewest and largest entries of that level and below that can say it: groups stay where nothing
 * cuts them and nothing in them differs. */
static void expect_entries(struct hm_direct_map_statistics *s, const struct extent *range,
			   uint64_t start, uint64_t end, unsigned int level)
{
	const uint64_t bytes = bytes_of(level), group = bytes * hm_port_leaf_group(level);
	uint64_t at_offset;

	for (at_offset = start; at_offset < end; at_offset += bytes) {
		if (has_to_be_a_table(range, at_offset, level)) {
			s->tables[level - 1]++;
			expect_entries(s, range, at_offset, at_offset + bytes, level - 1);
		} else if (range->op != REMOVE || !in_extent(range, at_offset, at_offset + bytes)) {
			s->leaves[level]++;
		}
	}
	for (at_offset = start; group > bytes && at_offset + group <= end; at_offset += group)
		if (range->op == SPLIT ? !crosses(range, at_offset, at_offset + group)
				       : !in_extent(range, at_offset, at_offset + group))
			s->groups[level]++;
}

/* Of a map that was of entries of that level. */
static bool has_the_fewest(const struct extent *range, unsigned int level, unsigned int more_tables)
{
	const struct hm_direct_map_statistics is = hm_direct_map_statistics(&map);
	struct hm_direct_map_statistics expected = { { 0 }, { 0 }, { 0 } };

	expect_entries(&expected, range, 0, map.bytes, level);
	return !memcmp(is.leaves, expected.leaves, sizeof(is.leaves)) &&
	       !memcmp(is.groups, expected.groups, sizeof(is.groups)) &&
	       !memcmp(is.tables, expected.tables, level * sizeof(*is.tables)) &&
	       tables_of(&expected) == more_tables;
}

/* Those of the whole map: nothing is left for hm_direct_map_tables() to say. */
static bool takes_what_it_says(const struct extent *range)
{
	const uint64_t bytes = range->end - range->start;
	struct hm_direct_map_reserve prepared = { { 0 }, 0 };
	int tables = hm_direct_map_tables(&map, at(range->start), bytes, range->op == SMALL);
	bool enough = range->op == SMALL || tables <= HM_DIRECT_MAP_TABLES;

	if (tables < 0 || hm_direct_map_prepare(&prepared, (unsigned int)tables))
		return false;
	reserve = &prepared;
	*probe_direct_map().tables_left = 0;
	enough &= right(change(range->op, range->start, bytes)) && !prepared.tables;
	*probe_direct_map().tables_left = 1 << 20;
	reserve = NULL;
	return enough && DID(tables_linked) == (uint64_t)tables;
}

/* A change of the range makes the fewest pieces and takes the tables that it says; it can be undone,
 * and then a collapse gives back the map as it was, bit by bit. The map is of entries of that level.
 * */
static void change_and_restore(const struct extent *range, unsigned int level)
{
	const uint64_t bytes = range->end - range->start, was = bits();
	const unsigned int tables = tables_out();
	const bool live = *probe_direct_map().bbm_level == 3;

	EXPECT(takes_what_it_says(range));
	EXPECT(has_the_fewest(range, level, tables_out() - tables));
	EXPECT(*probe_direct_map().breaks - before.breaks ==
	       (!live && DID(splits) + DID(unfolds) ? 1 : 0));
	EXPECT(range->op == SPLIT || range->op == SMALL
		       ? seen_count == (live ? 0 : DID(splits) + DID(unfolds))
		       : seen_count == 1 + (live ? 0 : DID(splits) + DID(unfolds)));
	EXPECT(right(change_back(range->op, range->start, bytes)));
	EXPECT(right(collapse(0, map.bytes)));
	EXPECT(bits() == was && tables_out() == tables);
}

static void change_all_ranges(const uint64_t *ends, unsigned int count, unsigned int level)
{
	unsigned int op, first, last;

	for (op = 0; op < OPS; op++) {
		for (first = 0; first < count; first++) {
			for (last = first + 1; last < count; last++) {
				const struct extent range = { (enum op)op, ends[first],
							      ends[last] };

				change_and_restore(&range, level);
			}
		}
	}
}

/* In blocks, with and without BBM level 3: ends at blocks, at groups and in them, in the same and in
 * others. */
CASE(ranges_in_blocks)
{
	const uint64_t ends[] = { 0,
				  PAGES(1),
				  PAGES(GROUP),
				  PAGES(2 * GROUP + 1),
				  BLOCKS(1) - PAGES(1),
				  BLOCKS(1),
				  BLOCKS(1) + PAGES(GROUP - 1),
				  BLOCKS(2),
				  BLOCKS(3) - PAGES(GROUP) };

	full_map(BLOCKS(3));
	change_all_ranges(ends, sizeof(ends) / sizeof(*ends), 1);
	*probe_direct_map().bbm_level = 0;
	change_all_ranges(ends, sizeof(ends) / sizeof(*ends), 1);
}

/* And where the blocks are contiguous groups. */
CASE(ranges_in_groups_of_blocks)
{
	const uint64_t ends[] = { 0,
				  PAGES(1),
				  BLOCKS(1),
				  BLOCKS(GROUP_OF_BLOCKS - 1) + PAGES(GROUP),
				  BLOCKS(GROUP_OF_BLOCKS),
				  BLOCKS(GROUP_OF_BLOCKS + 1) };

	full_map(BLOCKS(2 * GROUP_OF_BLOCKS));
	change_all_ranges(ends, sizeof(ends) / sizeof(*ends), 1);
	*probe_direct_map().bbm_level = 1;
	change_all_ranges(ends, sizeof(ends) / sizeof(*ends), 1);
}

#if HM_PORT_PGTABLE_BLOCK_LEVEL > 1
/* And in blocks of blocks. */
CASE(ranges_in_blocks_of_the_highest_level)
{
	const uint64_t high = bytes_of(2);
	const uint64_t ends[] = { 0, PAGES(1), BLOCKS(GROUP_OF_BLOCKS) + PAGES(GROUP), high,
				  high + BLOCKS(1) };

	full_map(2 * high);
	change_all_ranges(ends, sizeof(ends) / sizeof(*ends), 2);
	*probe_direct_map().bbm_level = 2;
	change_all_ranges(ends, sizeof(ends) / sizeof(*ends), 2);
}
#endif

/* After a split of a range whatever is done to all of it, or beside it, takes no table; nor a break,
 * where there are no groups. */
CASE(split_is_all_that_changes_need)
{
	const uint64_t start = PAGES(GROUP - 1), end = BLOCKS(1) + PAGES(GROUP + 1);

	full_map(BLOCKS(3));
	EXPECT(right(split(start, end - start)) && seen_count == 0);
	*probe_direct_map().tables_left = 0;
	EXPECT(idle(split(start, end - start)));
	EXPECT(right(permit(start, end - start, HM_PERMISSION_INVALID)));
	EXPECT(right(permit(end, BLOCKS(3) - end, HM_PERMISSION_RO)));
	*probe_direct_map().bbm_level = 0;
	EXPECT(right(set_key(0, start, HM_KEY_TEXT)) && breaks() == 0);
}

/* ---- memory that stays small ---- */

/* What is kept small is single pages and stays so, while the rest is joined; a change of it takes no
 * table and no break. When it need not be kept small any more, the next collapse joins it. */
CASE(kept_small)
{
	const uint64_t start = PAGES(GROUP + 1), bytes = PAGES(GROUP);
	uint64_t was;

	full_map(BLOCKS(2));
	was = bits();
	EXPECT(right(keep_small(start, bytes, true)) && seen_count == 0);
	EXPECT(consists_of(1, 0, ENTRIES, ENTRIES / GROUP - 2, 1));
	EXPECT(right(set_key(0, BLOCKS(1), HM_KEY_TEXT)) && forgot(0, BLOCKS(1)));
	EXPECT(right(collapse(0, BLOCKS(2))));
	EXPECT(consists_of(1, 0, ENTRIES, ENTRIES / GROUP - 2, 1));
	*probe_direct_map().tables_left = 0;
	*probe_direct_map().bbm_level = 0;
	EXPECT(right(set_key(start + PAGES(1), PAGES(1), HM_KEY_DEFAULT)));
	EXPECT(DID(entries) == 1 && *probe_direct_map().breaks == 0);
	*probe_direct_map().bbm_level = 3;
	EXPECT(right(set_key(0, BLOCKS(1), HM_KEY_DEFAULT)));
	EXPECT(right(keep_small(start, bytes, false)) && DID(entries) == GROUP && seen_count == 0);
	EXPECT(right(collapse(start, PAGES(1))) && bits() == was);
}

/* ---- collapse ---- */

/* A collapse of a range joins there, and as far around it as the largest entry goes; not beyond. */
CASE(collapse_of_a_range)
{
	full_map(BLOCKS(3));
	EXPECT(right(set_key(PAGES(1), PAGES(1), HM_KEY_TEXT)));
	EXPECT(right(set_key(PAGES(1), PAGES(1), HM_KEY_DEFAULT)));
	EXPECT(right(set_key(BLOCKS(2) - PAGES(1), PAGES(2), HM_KEY_TEXT)));
	EXPECT(right(set_key(BLOCKS(2) - PAGES(1), PAGES(2), HM_KEY_DEFAULT)));
	EXPECT(right(collapse(BLOCKS(2) + PAGES(GROUP), PAGES(1))));
	EXPECT(DID(collapses) == 1 && DID(tables_freed) == 1 && DID(entries) == 1);
	EXPECT(consists_of(1, 0, 2 * ENTRIES, 2 * (ENTRIES / GROUP - 1), 2));
	EXPECT(right(collapse(BLOCKS(1) - PAGES(1), PAGES(1))));
	EXPECT(consists_of(2, 0, ENTRIES, ENTRIES / GROUP - 1, 1));
	EXPECT(right(collapse(0, BLOCKS(3))) && consists_of(3, 0, 0, 0, 0));
	EXPECT(idle(collapse(0, BLOCKS(3))));
}

/* Where a block is not to be had, groups are. */
CASE(collapse_to_groups)
{
	full_map(BLOCKS(2));
	EXPECT(right(set_key(0, PAGES(2 * GROUP), HM_KEY_TEXT)));
	EXPECT(consists_of(1, 0, ENTRIES, ENTRIES / GROUP - 2, 1));
	EXPECT(right(collapse(PAGES(GROUP), PAGES(1))));
	EXPECT(DID(folds) == OF_GROUPS(1) && DID(entries) == OF_GROUPS(GROUP) && seen_count == 0);
	EXPECT(consists_of(1, 0, ENTRIES, ENTRIES / GROUP - 1, 1));
	EXPECT(right(collapse(PAGES(GROUP) - PAGES(1), PAGES(1))) && DID(folds) == OF_GROUPS(1));
	EXPECT(consists_of(1, 0, ENTRIES, ENTRIES / GROUP, 1));
}

/* Unequal keys, permissions or marks, holes, and memory that does not follow or is not aligned stay
 * apart: as a block and as a group. */
CASE(collapse_joins_only_what_is_alike)
{
	full_map(BLOCKS(2));
	EXPECT(right(set_key(PAGES(1), PAGES(1), HM_KEY_TEXT)));
	EXPECT(idle(collapse(0, BLOCKS(2))));
	full_map(BLOCKS(2));
	EXPECT(right(permit(PAGES(GROUP - 1), PAGES(1), HM_PERMISSION_RO)));
	EXPECT(idle(collapse(0, BLOCKS(2))));
	full_map(BLOCKS(2));
	EXPECT(right(keep_small(PAGES(1), PAGES(1), true)));
	EXPECT(idle(collapse(0, BLOCKS(2))));
	full_map(BLOCKS(2));
	EXPECT(right(take_away(PAGES(1), PAGES(1))));
	EXPECT(idle(collapse(0, BLOCKS(2))));
	EXPECT(right(add(PAGES(1), PAGES(1), memory(PAGES(5)))));
	EXPECT(idle(collapse(0, BLOCKS(2))));
	empty_map(BLOCKS(2));
	EXPECT(right(add(0, BLOCKS(1), memory(PAGES(1)))));
	EXPECT(right(add(BLOCKS(1), PAGES(1), memory(BLOCKS(1)))));
	EXPECT(idle(collapse(0, BLOCKS(2))));
	EXPECT(consists_of(0, 0, ENTRIES + 1, 0, 2));
}

/* Invalid memory is joined to blocks, not to groups; valid memory of other permissions to both. */
CASE(collapse_of_invalid_memory)
{
	full_map(BLOCKS(2));
	EXPECT(right(permit(0, PAGES(GROUP), HM_PERMISSION_INVALID)));
	EXPECT(idle(collapse(0, BLOCKS(2))));
	EXPECT(right(permit(0, BLOCKS(1), HM_PERMISSION_INVALID)));
	EXPECT(right(collapse(0, BLOCKS(2))) && consists_of(2, 0, 0, 0, 0));
	EXPECT(right(permit(PAGES(1), BLOCKS(1), HM_PERMISSION_ROX)));
	EXPECT(right(permit(0, BLOCKS(2), HM_PERMISSION_ROX)));
	EXPECT(right(collapse(0, BLOCKS(2))) && consists_of(2, 0, 0, 0, 0));
}

/* Blocks are joined to groups of blocks, and those below a block of a higher level to that. */
CASE(collapse_of_blocks)
{
	full_map(BLOCKS(2 * GROUP_OF_BLOCKS));
	EXPECT(consists_of(2 * GROUP_OF_BLOCKS, 2, 0, 0, 0));
	EXPECT(right(set_key(PAGES(1), PAGES(1), HM_KEY_TEXT)));
	EXPECT(consists_of(2 * GROUP_OF_BLOCKS - 1, 1, ENTRIES, ENTRIES / GROUP - 1, 1));
	EXPECT(right(set_key(PAGES(1), PAGES(1), HM_KEY_DEFAULT)));
	EXPECT(right(collapse(BLOCKS(1), PAGES(1))) && DID(folds) == 0);
	EXPECT(right(collapse(PAGES(1), PAGES(1))) && DID(collapses) == 1);
	EXPECT(DID(folds) == OF_GROUPS_OF_BLOCKS(1));
	EXPECT(consists_of(2 * GROUP_OF_BLOCKS, 2, 0, 0, 0));
}

/* An entry that reaches beyond the map's bounds is not made, though what is there would do. */
CASE(collapse_within_bounds)
{
	struct hm_direct_map part = { 0 };
	uint64_t was;

	full_map(BLOCKS(2));
	EXPECT(right(set_key(PAGES(1), PAGES(1), HM_KEY_TEXT)));
	EXPECT(right(set_key(PAGES(1), PAGES(1), HM_KEY_DEFAULT)));
	was = bits();
	EXPECT(!hm_direct_map_init(&part, at(PAGES(1)), BLOCKS(2) - PAGES(1), false));
	EXPECT(!hm_direct_map_collapse(&part, part.start, part.bytes) && bits() == was);
	EXPECT(!hm_direct_map_init(&part, at(0), PAGES(GROUP - 1), false));
	EXPECT(!hm_direct_map_collapse(&part, part.start, part.bytes) && bits() == was);
	EXPECT(!hm_direct_map_init(&part, at(0), BLOCKS(1) - PAGES(1), false));
	EXPECT(!hm_direct_map_collapse(&part, part.start, part.bytes));
	EXPECT(all_is_well() && consists_of(1, 0, ENTRIES, ENTRIES / GROUP, 1));
	EXPECT(!hm_direct_map_init(&part, at(0), BLOCKS(1), false));
	EXPECT(!hm_direct_map_collapse(&part, part.start, part.bytes));
	EXPECT(consists_of(2, 0, 0, 0, 0) && part.counts.tables_freed == 1);
}

/* A group is made of entries of one level, not over a table that another collapse would join. */
CASE(collapse_beside_a_table)
{
	full_map(BLOCKS(GROUP_OF_BLOCKS));
	EXPECT(right(split(BLOCKS(1) + PAGES(1), PAGES(1))));
	EXPECT(right(collapse(0, BLOCKS(1))) && !DID(folds) && !DID(collapses));
	EXPECT(right(collapse(BLOCKS(1), PAGES(1))) && DID(collapses) == 1);
	EXPECT(DID(folds) == OF_GROUPS_OF_BLOCKS(1));
}

/* Tables are freed when an invalidation has told walk caches of it: many of them share one, of all
 * that they translated, but not all the tables of a large map. */
CASE(collapse_of_many_tables)
{
	const unsigned int blocks = 18;
	unsigned int i, out;

	empty_map(BLOCKS(blocks));
	/* No groups of blocks. */
	for (i = 0; i < blocks; i++)
		EXPECT(right(add(BLOCKS(i), BLOCKS(1), memory(BLOCKS(2 * i)))));
	for (i = 0; i < blocks; i++)
		EXPECT(right(split(BLOCKS(i) + PAGES(1), PAGES(1))));
	out = tables_out();
	EXPECT(right(collapse(PAGES(1), BLOCKS(blocks) - PAGES(2))));
	EXPECT(consists_of(blocks, 0, 0, 0, 0) && DID(tables_freed) == blocks);
	EXPECT(seen_count == 2 && seen[0].what == HM_INVALIDATE_TABLES);
	EXPECT(seen[0].offset == 0 && seen[0].bytes == BLOCKS(16) && seen[0].tables_out == out);
	EXPECT(seen[1].offset == BLOCKS(16) && seen[1].bytes == BLOCKS(2));
	EXPECT(seen[1].tables_out == out - 16);
}

/* ---- memory that goes ---- */

/* What is removed is invalidated, and tables of it that are empty come back, after an invalidation of
 * what they translated; what the top-level table links stays. */
CASE(remove_gives_tables_back)
{
	unsigned int out;

	empty_map(bytes_of(TOP) - PAGES(1));
	EXPECT(right(add(PAGES(1), BLOCKS(1), memory(0))));
	EXPECT(right(take_away(PAGES(1), BLOCKS(1))));
	EXPECT(seen[0].what == HM_INVALIDATE_LEAVES && seen[0].offset == PAGES(1) &&
	       seen[0].bytes == BLOCKS(1));
	EXPECT(seen[1].what == HM_INVALIDATE_TABLES && seen[1].offset == 0 &&
	       seen[1].bytes == BLOCKS(2));
	EXPECT(seen_count == (unsigned int)TOP && consists_of(0, 0, 0, 0, 0));
	out = tables_out();
	EXPECT(out == 1);
	EXPECT(right(add(0, BLOCKS(2), memory(PAGES(1)))));
	EXPECT(right(take_away(PAGES(1), BLOCKS(2) - PAGES(1))) && tables_out() == out + TOP - 1);
	EXPECT(right(take_away(0, PAGES(1))) && tables_out() == out);
}

/* Of a block or group a part may be removed: the rest is the fewest pieces. */
CASE(remove_of_a_part)
{
	full_map(BLOCKS(3));
	EXPECT(right(take_away(BLOCKS(1) + PAGES(1), PAGES(1))));
	EXPECT(seen_count == 1 && consists_of(2, 0, ENTRIES - 1, ENTRIES / GROUP - 1, 1));
	EXPECT(right(take_away(BLOCKS(1) + PAGES(GROUP), PAGES(GROUP + 1))));
	EXPECT(consists_of(2, 0, ENTRIES - GROUP - 2, ENTRIES / GROUP - 3, 1));
	EXPECT(right(take_away(BLOCKS(2), BLOCKS(1))));
	EXPECT(consists_of(1, 0, ENTRIES - GROUP - 2, ENTRIES / GROUP - 3, 1));
}

/* A table that translates something outside of the map's bounds is not the map's to free. */
CASE(remove_within_bounds)
{
	struct hm_direct_map part = { 0 };

	full_map(BLOCKS(2));
	EXPECT(right(split(PAGES(1), PAGES(1))));
	EXPECT(!hm_direct_map_init(&part, at(0), BLOCKS(1) - PAGES(1), false));
	EXPECT(right(take_away(BLOCKS(1) - PAGES(1), PAGES(1))));
	EXPECT(!hm_direct_map_remove(&part, NULL, part.start, part.bytes));
	EXPECT(consists_of(1, 0, 0, 0, 1) && part.counts.tables_freed == 0);
}

/* Nothing that is not there is removed, nor changed: not even what is there before it. */
CASE(changes_of_holes)
{
	const uint64_t hole = BLOCKS(1) + PAGES(2);
	unsigned int op;

	full_map(BLOCKS(3));
	EXPECT(right(take_away(hole, PAGES(1))));
	for (op = 0; op < OPS; op++) {
		EXPECT(refused(change((enum op)op, PAGES(1), BLOCKS(2)), -HM_ENOENT));
		EXPECT(refused(change((enum op)op, hole, PAGES(1)), -HM_ENOENT));
	}
	EXPECT(hm_direct_map_tables(&map, at(hole), PAGES(2), false) == -HM_ENOENT);
	EXPECT(hm_direct_map_tables(&map, at(hole), PAGES(2), true) == -HM_ENOENT);
	EXPECT(right(take_away(BLOCKS(2), BLOCKS(1))));
	EXPECT(refused(set_key(BLOCKS(2), BLOCKS(1), HM_KEY_TEXT), -HM_ENOENT));
}

/* ---- below BBM level 3 ---- */

static void break_the_map(unsigned int bbm_level)
{
	full_map(BLOCKS(GROUP_OF_BLOCKS));
	EXPECT(right(split(PAGES(1), PAGES(1))));
	*probe_direct_map().bbm_level = bbm_level;
}

/* The port is asked once, for all that has to be invalid for a moment, before anything is written. If
 * it refuses, with whatever error, nothing has changed. */
CASE(break_is_asked_for)
{
	const uint64_t blocks = BLOCKS(GROUP_OF_BLOCKS);
	unsigned int level, op;

	for (level = 0; level < 3; level++) {
		for (op = 0; op < OPS; op++) {
			break_the_map(level);
			*probe_direct_map().break_answer = -5;
			EXPECT(refused(change((enum op)op, BLOCKS(1) - PAGES(1), PAGES(2)), -5));
			EXPECT(breaks() == 1 &&
			       break_offset == BLOCKS(1) - PAGES(OF_GROUPS(GROUP)));
			EXPECT(break_bytes == PAGES(OF_GROUPS(GROUP)) + BLOCKS(1));
			EXPECT(refused(change((enum op)op, BLOCKS(1), BLOCKS(2) + PAGES(1)), -5));
			EXPECT(breaks() == 1 && break_offset == BLOCKS(op == SMALL ? 1 : 3));
			*probe_direct_map().break_answer = 0;
			EXPECT(right(change((enum op)op, BLOCKS(1) - PAGES(1), PAGES(2))));
			EXPECT(breaks() == 1);
		}
		EXPECT(right(collapse(0, blocks)) && breaks() == 1);
		*probe_direct_map().break_answer = -HM_EBUSY;
		EXPECT(refused(collapse(0, blocks), -HM_EBUSY) && breaks() == 1);
	}
}

/* A block that becomes a table is invalid, and forgotten with everything that walk caches hold of it,
 * before the table is linked. */
CASE(split_by_break_before_make)
{
	full_map(BLOCKS(3));
	*probe_direct_map().bbm_level = 2;
	watched = entry_at(BLOCKS(1), 1);
	EXPECT(right(split(BLOCKS(1) + PAGES(1), PAGES(1))) && breaks() == 1);
	EXPECT(break_offset == BLOCKS(1) && break_bytes == BLOCKS(1));
	EXPECT(seen_count == 1 && seen[0].what == HM_INVALIDATE_TABLES && !seen[0].watched.val);
	EXPECT(seen[0].offset == BLOCKS(1) && seen[0].bytes == BLOCKS(1));
	EXPECT(DID(entries) == ENTRIES + 2 && watched->val);
}

/* So is each entry of a group that becomes single pages, before any is one. */
CASE(unfold_by_break_before_make)
{
	unsigned int i;

	for (i = 0; i < OF_GROUPS(GROUP); i++) {
		empty_map(BLOCKS(1));
		EXPECT(right(add(0, PAGES(2 * GROUP), memory(0))));
		*probe_direct_map().bbm_level = 0;
		watched = entry_at(PAGES(GROUP + i), 0);
		EXPECT(right(permit(PAGES(GROUP + 1), PAGES(1), HM_PERMISSION_RO)));
		EXPECT(breaks() == 1 && break_offset == PAGES(GROUP));
		EXPECT(break_bytes == PAGES(GROUP));
		EXPECT(seen_count == 2 && seen[0].what == HM_INVALIDATE_TABLES);
		EXPECT(!seen[0].watched.val && seen[1].watched.val);
		EXPECT(seen[0].offset == PAGES(GROUP) && seen[0].bytes == PAGES(GROUP));
		EXPECT(DID(entries) == 2 * GROUP + 1);
	}
}

/* And what a collapse joins. */
CASE(collapse_by_break_before_make)
{
	full_map(BLOCKS(3));
	EXPECT(right(split(PAGES(1), PAGES(1))));
	EXPECT(right(set_key(BLOCKS(1), PAGES(GROUP), HM_KEY_TEXT)));
	*probe_direct_map().bbm_level = 1;
	watched = entry_at(0, 1);
	EXPECT(right(collapse(0, BLOCKS(1))) && breaks() == 1);
	/* The largest blocks around the range, as far as the map reaches. */
	EXPECT(break_offset == 0 && break_bytes == BLOCKS(HM_PORT_PGTABLE_BLOCK_LEVEL > 1 ? 3 : 1));
	EXPECT(seen_count == 2 && seen[0].what == HM_INVALIDATE_TABLES && !seen[0].watched.val);
	EXPECT(seen[0].offset == 0 && seen[0].bytes == BLOCKS(1) && DID(entries) == 2);
	watched = entry_at(BLOCKS(1) + PAGES(GROUP - 1), 0);
	if (!HAS_GROUPS) {
		EXPECT(idle(collapse(BLOCKS(1), PAGES(1))));
		return;
	}
	EXPECT(right(collapse(BLOCKS(1), PAGES(1))) && breaks() == 1 && DID(folds) == 1);
	EXPECT(seen_count == 1 && seen[0].what == HM_INVALIDATE_TABLES && !seen[0].watched.val);
	EXPECT(seen[0].bytes == PAGES(GROUP) && DID(entries) == 2 * GROUP);
}

/* Nobody is asked where sizes stay as they are, or where nothing is valid. */
CASE(changes_without_a_break)
{
	full_map(BLOCKS(3));
	*probe_direct_map().bbm_level = 0;
	*probe_direct_map().break_answer = -HM_EBUSY;
	EXPECT(right(set_key(0, BLOCKS(1), HM_KEY_TEXT)));
	EXPECT(right(permit(0, BLOCKS(2), HM_PERMISSION_INVALID)));
	EXPECT(right(permit(PAGES(1), BLOCKS(1), HM_PERMISSION_VALID)) && DID(splits) == 2);
	EXPECT(right(take_away(BLOCKS(2), BLOCKS(1))));
	EXPECT(right(add(BLOCKS(2), BLOCKS(1), memory(0))));
	EXPECT(*probe_direct_map().breaks == 0);
}

/* ---- what the running code stands on ---- */

/* Calls the function where the stack, and what it still needs of it, is in one block. */
static __attribute__((__noinline__)) void in_one_block_of_stack(void (*function)(uint64_t stack))
{
	volatile char space[1024];
	uint64_t stack = (uintptr_t)__builtin_frame_address(0);

	space[0] = 0;
	if ((stack & (BLOCKS(1) - 1)) < STACK_BYTES || (-stack & (BLOCKS(1) - 1)) < 2 * 1024)
		in_one_block_of_stack(function);
	else
		function(stack);
	space[1] = space[0];
}

/* A map of the block around an address, and of those beside it. Returns where the block is. */
static uint64_t map_around(uint64_t address)
{
	empty_map_at((address & ~(BLOCKS(1) - 1)) - BLOCKS(1), BLOCKS(3), false);
	EXPECT(right(add(0, BLOCKS(3), memory(0))));
	return BLOCKS(1);
}

/* A page of the stack's block that is none of the stack's. */
static uint64_t page_beside(uint64_t stack)
{
	return BLOCKS(1) + ((stack & (BLOCKS(1) - 1)) < BLOCKS(1) / 2 ? BLOCKS(1) - PAGES(1) : 0);
}

static void change_stack(uint64_t stack)
{
	const uint64_t block = map_around(stack);

	EXPECT(refused(permit(block, BLOCKS(1), HM_PERMISSION_INVALID), -HM_EBUSY));
	EXPECT(refused(permit(0, BLOCKS(3), HM_PERMISSION_RO), -HM_EBUSY));
	EXPECT(refused(permit(block, BLOCKS(1), HM_PERMISSION_ROX), -HM_EBUSY));
	EXPECT(refused(set_key(block, BLOCKS(1), HM_KEY_TEXT), -HM_EBUSY));
	EXPECT(refused(set_key(block, BLOCKS(1), HM_KEY_PGTABLES), -HM_EBUSY));
	EXPECT(refused(take_away(block, BLOCKS(1)), -HM_EBUSY));
	EXPECT(idle(permit(block, BLOCKS(1), HM_PERMISSION_VALID)));
	EXPECT(idle(permit(block, BLOCKS(1), HM_PERMISSION_NX)));
	EXPECT(idle(set_key(block, BLOCKS(1), HM_KEY_DEFAULT)));
	EXPECT(right(set_key(page_beside(stack), PAGES(1), HM_KEY_PGTABLES)));
}

/* The stack that a change runs on does not become unwritable, nor get a key that is closed; what is
 * beside it may. */
CASE(change_of_the_stack)
{
	in_one_block_of_stack(change_stack);
}

static void break_stack(uint64_t stack)
{
	const uint64_t block = map_around(stack), beside = page_beside(stack);
	unsigned int op;
	hm_pte_t link;

	*probe_direct_map().bbm_level = 2;
	for (op = 0; op < OPS; op++)
		EXPECT(refused(change((enum op)op, beside, PAGES(1)), -HM_EBUSY) && !breaks());
	*probe_direct_map().bbm_level = 3;
	EXPECT(right(split(beside, PAGES(1))));
	link = *entry_at(block, 1);
	*probe_direct_map().bbm_level = 2;
	EXPECT(right(collapse(0, BLOCKS(3))) && entry_at(block, 1)->val == link.val);
	*probe_direct_map().bbm_level = 3;
	EXPECT(right(collapse(0, BLOCKS(3))) && consists_of(3, 0, 0, 0, 0));
}

/* Below BBM level 3 the block or group that it is in is not broken: a split of it is refused, without
 * a question to the port, and a collapse leaves it as it is. */
CASE(break_of_the_stack)
{
	in_one_block_of_stack(break_stack);
}

static void fold_stack(uint64_t stack)
{
	const uint64_t block = map_around(stack), beside = page_beside(stack);
	const uint64_t top = block + (stack & (BLOCKS(1) - 1) & ~(PAGES(1) - 1));
	const uint64_t pages = (STACK_BYTES + PAGES(1) - 1) & ~(PAGES(1) - 1);

	EXPECT(right(keep_small(block, BLOCKS(1), true)));
	EXPECT(right(keep_small(block, BLOCKS(1), false)));
	EXPECT(right(keep_small(beside, PAGES(1), true)));
	*probe_direct_map().bbm_level = 2;
	EXPECT(right(collapse(0, BLOCKS(3))));
	EXPECT(HAS_GROUPS ? DID(folds) && DID(folds) < ENTRIES / GROUP - 1 : !DID(folds));
	*probe_direct_map().bbm_level = 3;
	EXPECT(right(collapse(0, BLOCKS(3))));
	EXPECT(consists_of(2, 0, ENTRIES, ENTRIES / GROUP - 1, 1));
	*probe_direct_map().bbm_level = 2;
	if (HAS_GROUPS)
		EXPECT(refused(keep_small(top - pages + PAGES(1), pages, true), -HM_EBUSY) &&
		       !breaks());
}

/* Nor the group of pages. */
CASE(break_of_a_group_of_the_stack)
{
	in_one_block_of_stack(fold_stack);
}

/* What a change itself writes does not become unwritable: the word of the context, the map's counts. */
CASE(change_of_what_is_written_meanwhile)
{
	struct hm_direct_map *own = aligned_alloc(65536, 65536);

	empty_map_at((uintptr_t)own, PAGES(1), false);
	EXPECT(right(add(0, PAGES(1), memory(0))));
	EXPECT(!hm_direct_map_init(own, at(0), PAGES(1), false));
	EXPECT(hm_direct_map_set_permission(own, NULL, at(0), PAGES(1), HM_PERMISSION_RO) ==
	       -HM_EBUSY);
	EXPECT(hm_direct_map_set_pkey(own, NULL, at(0), PAGES(1), HM_KEY_TEXT) == -HM_EBUSY);
	EXPECT(right(permit(0, PAGES(1), HM_PERMISSION_RO))); /* another's */
	free(own);
	forget_map();
	empty_map_at((uintptr_t)hm_port_context() & ~(PAGES(1) - 1), PAGES(1), false);
	EXPECT(right(add(0, PAGES(1), memory(0))));
	EXPECT(refused(permit(0, PAGES(1), HM_PERMISSION_RO), -HM_EBUSY));
}

extern const char __executable_start[], etext[]; /* the linker's */

/* Code that runs stays executable if it is, and does not become invalid; it may become executable. */
CASE(change_of_the_code)
{
	const uint64_t start = (uintptr_t)__executable_start & ~(PAGES(1) - 1);
	const uint64_t end = ((uintptr_t)etext + PAGES(1) - 1) & ~(PAGES(1) - 1);
	const uint64_t bytes = end - start;

	empty_map_at(start, bytes, false);
	EXPECT(right(add(0, bytes, memory(0))));
	EXPECT(refused(permit(0, bytes, HM_PERMISSION_INVALID), -HM_EBUSY));
	EXPECT(refused(take_away(0, bytes), -HM_EBUSY));
	EXPECT(idle(permit(0, bytes, HM_PERMISSION_NX)));
	EXPECT(right(permit(0, bytes, HM_PERMISSION_RO)));
	EXPECT(right(permit(0, bytes, HM_PERMISSION_ROX)));
	EXPECT(refused(permit(0, bytes, HM_PERMISSION_VALID), -HM_EBUSY));
	EXPECT(refused(permit(0, bytes, HM_PERMISSION_RO), -HM_EBUSY));
	EXPECT(refused(permit(0, bytes, HM_PERMISSION_NX), -HM_EBUSY));
	EXPECT(idle(permit(0, bytes, HM_PERMISSION_ROX)));
	EXPECT(right(set_key(0, bytes, HM_KEY_TEXT)));
}

/* ---- tables in the map ---- */

/* A map in which a table lies in what it translates itself; the offset of its page. */
static uint64_t map_around_its_table(void)
{
	static struct hm_direct_map_reserve one;
	uint64_t table, page;
	hm_va_t start;

	empty_map(BLOCKS(1));
	EXPECT(!hm_direct_map_prepare(&one, 1));
	table = (uintptr_t)hm_port_pgtable_map(one.first);
	start.val = (table & ~(BLOCKS(1) - 1)) - BLOCKS(1);
	page = BLOCKS(1) + (table & (BLOCKS(1) - 1) & ~(PAGES(1) - 1));
	EXPECT(!hm_direct_map_init(&map, start, BLOCKS(3), false));
	EXPECT(!add(0, BLOCKS(3), memory(0)));
	reserve = &one;
	EXPECT(right(split(page, PAGES(1))) && !one.tables);
	reserve = NULL;
	return page;
}

/* A page of tables that translate it does not become unwritable, nor get another key than theirs, nor
 * disappear. */
static void change_tables(uint64_t page)
{
	EXPECT(refused(permit(page, PAGES(1), HM_PERMISSION_RO), -HM_EBUSY));
	EXPECT(refused(permit(page, PAGES(1), HM_PERMISSION_ROX), -HM_EBUSY));
	EXPECT(refused(permit(page, PAGES(1), HM_PERMISSION_INVALID), -HM_EBUSY));
	EXPECT(refused(take_away(page, PAGES(1)), -HM_EBUSY));
	EXPECT(refused(set_key(page, PAGES(1), HM_KEY_TEXT), -HM_EBUSY));
	EXPECT(idle(permit(page, PAGES(1), HM_PERMISSION_VALID)));
	EXPECT(idle(permit(page, PAGES(1), HM_PERMISSION_NX)));
	EXPECT(right(set_key(page, PAGES(1), HM_KEY_PGTABLES)) && seen_count == 1);
	EXPECT(refused(permit(page, PAGES(1), HM_PERMISSION_RO), -HM_EBUSY));
	EXPECT(right(set_key(page, PAGES(1), HM_KEY_DEFAULT)));
}

/* The lowest table of the way, and the top-level one. */
CASE(change_of_tables)
{
	const uint64_t root = (uintptr_t)probe_table(0);

	change_tables(map_around_its_table());
	change_tables(map_around(root) + (root & (BLOCKS(1) - 1) & ~(PAGES(1) - 1)));
}

/* Below BBM level 3 what they lie in is not broken: a change is refused without a question, a collapse
 * leaves it. */
CASE(break_of_tables)
{
	const uint64_t page = map_around_its_table();
	const hm_pte_t link = *entry_at(page, 1);
	unsigned int op;

	*probe_direct_map().bbm_level = 0;
	EXPECT(right(collapse(0, BLOCKS(3))) && entry_at(page, 1)->val == link.val);
	map_around((uintptr_t)probe_table(0));
	*probe_direct_map().bbm_level = 0;
	for (op = 0; op < OPS; op++)
		EXPECT(refused(change((enum op)op, BLOCKS(1), PAGES(1)), -HM_EBUSY) && !breaks());
}

/* Nor is a group of pages that has a table on the way to it. */
CASE(break_of_a_group_of_tables)
{
	const uint64_t page = map_around_its_table(), in_block = page - BLOCKS(1);
	const uint64_t other = BLOCKS(1) + (in_block < BLOCKS(1) / 2 ? BLOCKS(1) - PAGES(1) : 0);
	const uint64_t group = page & ~(PAGES(GROUP) - 1);

	EXPECT(right(keep_small(other, PAGES(1), true)));
	EXPECT(right(collapse(0, BLOCKS(3))));
	*probe_direct_map().bbm_level = 0;
	if (HAS_GROUPS)
		EXPECT(refused(set_key(group + (page == group ? PAGES(1) : 0), PAGES(1),
				       HM_KEY_TEXT),
			       -HM_EBUSY) &&
		       !breaks());
}

/* ---- tables for changes ---- */

/* A reserve holds as many as were prepared, and gives all back. A preparation that fails leaves it as
 * it was. */
CASE(reserve_of_tables)
{
	const unsigned int many = TOP + 3; /* one more than what is added takes */
	struct hm_direct_map_reserve tables = { { 0 }, 0 };

	empty_map(BLOCKS(3));
	EXPECT(!hm_direct_map_prepare(&tables, 0) && tables_out() == 0);
	EXPECT(!hm_direct_map_prepare(&tables, 2) && tables.tables == 2 && tables_out() == 2);
	EXPECT(!hm_direct_map_prepare(&tables, 1) && tables.tables == 2 && tables_out() == 2);
	EXPECT(!hm_direct_map_prepare(&tables, many));
	EXPECT(tables.tables == many && tables_out() == many);
	*probe_direct_map().tables_left = 2;
	EXPECT(hm_direct_map_prepare(&tables, many + 3) == -HM_ENOMEM);
	EXPECT(tables.tables == many && tables_out() == many);
	reserve = &tables;
	EXPECT(right(add(0, BLOCKS(3), memory(PAGES(1)))));
	EXPECT(tables.tables == 1);
	hm_direct_map_release(&tables);
	EXPECT(tables.tables == 0 && all_is_well());
	hm_direct_map_release(&tables);
	EXPECT(all_is_well());
}

/* A change takes tables from the reserve, and from the port what the reserve lacks. */
CASE(change_with_a_reserve)
{
	struct hm_direct_map_reserve tables = { { 0 }, 0 };

	full_map(BLOCKS(3));
	reserve = &tables;
	EXPECT(!hm_direct_map_prepare(&tables, 1));
	*probe_direct_map().tables_left = 0;
	EXPECT(refused(set_key(PAGES(1), BLOCKS(1), HM_KEY_TEXT), -HM_ENOMEM) &&
	       tables.tables == 1);
	*probe_direct_map().tables_left = 1;
	EXPECT(right(set_key(PAGES(1), BLOCKS(1), HM_KEY_TEXT)) && tables.tables == 0);
	EXPECT(right(collapse(0, BLOCKS(3))));
	*probe_direct_map().tables_left = HM_DIRECT_MAP_TABLES + 2;
	EXPECT(!hm_direct_map_prepare(&tables, HM_DIRECT_MAP_TABLES + 2));
	*probe_direct_map().bbm_level = 0;
	*probe_direct_map().break_answer = -HM_EBUSY;
	EXPECT(refused(set_key(BLOCKS(2) + PAGES(1), PAGES(1), HM_KEY_TEXT), -HM_EBUSY));
	*probe_direct_map().break_answer = 0;
	EXPECT(right(set_key(BLOCKS(2) + PAGES(1), PAGES(1), HM_KEY_TEXT)));
	EXPECT(tables.tables == HM_DIRECT_MAP_TABLES + 1);
	hm_direct_map_release(&tables);
}

/* No change of a range takes more than HM_DIRECT_MAP_TABLES, and there is one that takes all. */
CASE(tables_are_enough)
{
	const unsigned int level = HM_PORT_PGTABLE_BLOCK_LEVEL;
	const uint64_t half = bytes_of(level) / 2;
	struct hm_direct_map_reserve tables = { { 0 }, 0 };

	full_map(2 * bytes_of(level));
	EXPECT(hm_direct_map_tables(&map, at(half + PAGES(1)), 2 * half, false) ==
	       HM_DIRECT_MAP_TABLES);
	EXPECT(!hm_direct_map_prepare(&tables, HM_DIRECT_MAP_TABLES));
	*probe_direct_map().tables_left = 0;
	reserve = &tables;
	EXPECT(right(set_key(half + PAGES(1), 2 * half, HM_KEY_TEXT)) && tables.tables == 0);
}

/* ---- repaint ---- */

/* Afterwards all is single pages that say what they said, holes included, and stays so; sizes change
 * while entries are in use, whatever the BBM level is by now, and then all is invalidated once. */
CASE(repaint)
{
	full_map(BLOCKS(GROUP_OF_BLOCKS));
	EXPECT(right(set_key(PAGES(1), BLOCKS(1), HM_KEY_TEXT)));
	EXPECT(right(permit(BLOCKS(1), PAGES(GROUP), HM_PERMISSION_ROX)));
	EXPECT(right(permit(BLOCKS(3), BLOCKS(1), HM_PERMISSION_INVALID)));
	EXPECT(right(take_away(BLOCKS(2) + PAGES(3), PAGES(1))));
	*probe_direct_map().bbm_level = 0;
	begin();
	EXPECT(!hm_direct_map_repaint(&map, NULL));
	cost = probe_read();
	EXPECT(right(0) && map.pages_only && breaks() == 0);
	EXPECT(seen_count == 1 && seen[0].what == HM_INVALIDATE_TABLES);
	EXPECT(seen[0].offset == 0 && seen[0].bytes == map.bytes);
	EXPECT(consists_of(0, 0, (uint64_t)GROUP_OF_BLOCKS * ENTRIES - 1, 0, GROUP_OF_BLOCKS));
	*probe_direct_map().bbm_level = 3;
	EXPECT(idle(collapse(0, map.bytes)));
	EXPECT(right(add(BLOCKS(2) + PAGES(3), PAGES(1), memory(0))));
}

/* Without tables nothing has changed, and the map may have blocks as before. */
CASE(repaint_without_tables)
{
	struct hm_direct_map_reserve one = { { 0 }, 0 };

	full_map(BLOCKS(3));
	*probe_direct_map().tables_left = 2;
	begin();
	EXPECT(refused(hm_direct_map_repaint(&map, NULL), -HM_ENOMEM));
	EXPECT(!map.pages_only);
	*probe_direct_map().tables_left = 2;
	EXPECT(!hm_direct_map_prepare(&one, 1));
	begin();
	reserve = &one;
	EXPECT(refused(hm_direct_map_repaint(&map, &one), -HM_ENOMEM) && one.tables == 1);
	EXPECT(!map.pages_only && all_is_well());
	*probe_direct_map().tables_left = 2;
	EXPECT(!hm_direct_map_repaint(&map, &one) && one.tables == 0);
	EXPECT(consists_of(0, 0, 3 * ENTRIES, 0, 3));
}

/* ---- what it looks like ---- */

/* A query says of any address, also within a page, what translates it: the memory, and the size of the
 * entry or group. */
CASE(query_of_entries)
{
	struct hm_direct_map_info info = { 0 };

	full_map(BLOCKS(GROUP_OF_BLOCKS + 1));
	EXPECT(!hm_direct_map_query(&map, at(BLOCKS(1) + PAGES(1) + 5), &info));
	EXPECT(info.pa.val == memory(BLOCKS(1) + PAGES(1) + 5) && info.level == 1);
	EXPECT(info.contiguous == HAS_GROUPS_OF_BLOCKS);
	EXPECT(info.bytes == BLOCKS(HAS_GROUPS_OF_BLOCKS ? GROUP_OF_BLOCKS : 1));
	EXPECT(!hm_direct_map_query(&map, at(map.bytes - 1), &info));
	EXPECT(info.pa.val == memory(map.bytes - 1) && info.level == 1);
	EXPECT(!info.contiguous && info.bytes == BLOCKS(1));
	EXPECT(right(set_key(PAGES(1), PAGES(1), HM_KEY_TEXT)));
	EXPECT(right(keep_small(PAGES(2), PAGES(1), true)));
	EXPECT(!hm_direct_map_query(&map, at(PAGES(2) - 1), &info));
	EXPECT(info.level == 0 && !info.contiguous && info.bytes == PAGES(1));
	EXPECT(info.key == HM_KEY_TEXT && !info.keep_small);
	EXPECT(!hm_direct_map_query(&map, at(PAGES(GROUP) + 1), &info));
	EXPECT(info.level == 0 && info.contiguous == HAS_GROUPS);
	EXPECT(info.bytes == PAGES(HAS_GROUPS ? GROUP : 1));
	EXPECT(hm_direct_map_query(&map, at(map.bytes), &info) == -HM_EINVAL);
	EXPECT(hm_direct_map_query(&map, at(0 - UINT64_C(1)), &info) == -HM_EINVAL);
}

static char lines[8][96];
static unsigned int line_count;

static void put_line(const char *line, void *argument)
{
	EXPECT(argument == &line_count);
	if (line_count < sizeof(lines) / sizeof(*lines))
		snprintf(lines[line_count], sizeof(*lines), "%s", line);
	line_count++;
}

static void print(void)
{
	line_count = 0;
	memset(lines, 0, sizeof(lines));
	hm_direct_map_print(&map, put_line, &line_count);
}

/* That line is of the address, and has those characters and then dots, 64 or less. */
static bool line_is(unsigned int number, uint64_t va, const char *drawn, unsigned int characters)
{
	char line[96];
	size_t length;

	length = (size_t)snprintf(line, sizeof(line), "%016llx  %s", (unsigned long long)va, drawn);
	memset(line + length, '.', 18 + characters - length);
	line[18 + characters] = 0;
	return number < line_count && !strcmp(lines[number], line);
}

/* Each kind of entry has its character; lines that repeat are left out, and the last one is as long as
 * the map. */
CASE(print_draws_the_map)
{
	const unsigned int group = GROUP_OF_BLOCKS;
	char drawn[65] = { 0 };
	uint64_t start;

	empty_map(BLOCKS(5 * 64 + 3) - PAGES(1));
	start = map.start.val;
	memset(drawn, '.', 64);
	EXPECT(right(add(0, BLOCKS(1), memory(0))));
	drawn[0] = '-';
	EXPECT(right(add(BLOCKS(1), BLOCKS(1), memory(PAGES(GROUP)))));
	drawn[1] = HAS_GROUPS ? 'o' : '%';
	EXPECT(right(add(BLOCKS(2), PAGES(GROUP), memory(0))));
	drawn[2] = HAS_GROUPS ? 'o' : '%';
	EXPECT(right(add(BLOCKS(3) - PAGES(1), PAGES(2), memory(PAGES(1)))));
	drawn[2] = drawn[3] = '%';
	EXPECT(right(add(BLOCKS(group), BLOCKS(group), memory(BLOCKS(group)))));
	memset(drawn + group, HAS_GROUPS_OF_BLOCKS ? '=' : '-', group);
	EXPECT(right(add(BLOCKS(4 * 64 + 1), BLOCKS(1), memory(0))));
	print();
	EXPECT(line_count == 5);
	EXPECT(line_is(0, start, drawn, 64));
	EXPECT(line_is(1, start + BLOCKS(64), "", 64));
	EXPECT(!strcmp(lines[2], "..."));
	EXPECT(line_is(3, start + BLOCKS(4 * 64), ".-", 64));
	EXPECT(line_is(4, start + BLOCKS(5 * 64), "", 3));
}

/* A map that does not start at a block is drawn from the block's start; the same lines again, and
 * shorter ones, are told apart. */
CASE(print_of_odd_maps)
{
	const uint64_t start = probe_va(bytes_of(TOP)).val;

	empty_map_at(start + PAGES(1), BLOCKS(64), false);
	print();
	EXPECT(line_count == 2 && line_is(0, start, "", 64));
	EXPECT(line_is(1, start + BLOCKS(64), "", 1));
	empty_map(BLOCKS(128));
	print();
	EXPECT(line_count == 2 && line_is(0, start, "", 64) && !strcmp(lines[1], "..."));
	/* A table that reaches beyond the map outlives what it mapped. */
	empty_map(PAGES(1));
	EXPECT(right(add(0, PAGES(1), memory(0))) && right(take_away(0, PAGES(1))));
	print();
	EXPECT(line_count == 1 && line_is(0, start, "", 1));
}

#if HM_PORT_PGTABLE_BLOCK_LEVEL > 1
/* A block of a higher level is as many characters as blocks. */
CASE(print_of_high_blocks)
{
	const unsigned int characters = ENTRIES < 64 ? ENTRIES : 64;
	char drawn[65] = { 0 };

	full_map(bytes_of(2));
	memset(drawn, '#', characters);
	print();
	EXPECT(line_is(0, map.start.val, drawn, characters));
}
#endif

/* A map may end one page below the top of the address space; all is done to its last page as to
 * others. */
CASE(map_at_the_top_of_the_address_space)
{
	const uint64_t bytes = BLOCKS(3) - PAGES(1), last = bytes - PAGES(1);
	const hm_va_t start = { 0 - BLOCKS(3) };
	uint64_t was;

	empty_map_at(start.val, bytes, false);
	EXPECT(hm_direct_map_init(&map, start, BLOCKS(3), false) == -HM_EINVAL);
	EXPECT(right(add(0, bytes, memory(0))));
	EXPECT(consists_of(2, 0, ENTRIES - 1, ENTRIES / GROUP - 1, 1));
	was = bits();
	EXPECT(right(set_key(last, PAGES(1), HM_KEY_TEXT)) && forgot(last, PAGES(1)));
	EXPECT(right(permit(PAGES(1), last, HM_PERMISSION_INVALID)));
	EXPECT(right(split(last - PAGES(GROUP), PAGES(GROUP + 1))));
	EXPECT(right(permit(PAGES(1), last, HM_PERMISSION_VALID)));
	EXPECT(right(set_key(last, PAGES(1), HM_KEY_DEFAULT)));
	EXPECT(right(collapse(0, bytes)) && bits() == was);
	EXPECT(refused(set_key(last, PAGES(2), HM_KEY_TEXT), -HM_EINVAL));
	print();
	EXPECT(line_count == 1 && line_is(0, start.val, "--%", 3));
	EXPECT(right(keep_small(0, bytes, true)));
	begin();
	EXPECT(!hm_direct_map_repaint(&map, NULL));
	EXPECT(all_is_well() && consists_of(0, 0, 3 * ENTRIES - 1, 0, 3));
	EXPECT(right(take_away(0, bytes)));
}

/* ---- errors ---- */

static void refuse_everything(uint64_t offset, uint64_t bytes, int error)
{
	unsigned int op;

	for (op = 0; op < OPS; op++)
		EXPECT(refused(change((enum op)op, offset, bytes), error));
	EXPECT(refused(keep_small(offset, bytes, false), error));
	EXPECT(hm_direct_map_tables(&map, at(offset), bytes, false) == error);
	EXPECT(hm_direct_map_tables(&map, at(offset), bytes, true) == error);
}

/* Ranges that are not pages, empty, or not of the map, in part or by wrapping, are refused by all
 * functions. */
CASE(bad_ranges)
{
	const uint64_t ranges[][2] = { { 1, PAGES(1) },
				       { 0, PAGES(1) + 1 },
				       { 0, PAGES(1) - 1 },
				       { PAGES(1) / 2, PAGES(1) / 2 },
				       { 0, 0 },
				       { 0 - PAGES(1), PAGES(2) },
				       { 0 - PAGES(1), PAGES(1) },
				       { 0, BLOCKS(2) + PAGES(1) },
				       { BLOCKS(2), PAGES(1) },
				       { BLOCKS(2) - PAGES(1), PAGES(2) },
				       { PAGES(1), 0 - PAGES(1) },
				       { PAGES(1), UINT64_C(1) << 63 } };
	unsigned int i;

	/* Something is there, on either side too. */
	full_map(BLOCKS(4));
	EXPECT(!hm_direct_map_init(&map, at(BLOCKS(1)), BLOCKS(2), false));
	for (i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
		refuse_everything(ranges[i][0], ranges[i][1], -HM_EINVAL);
		EXPECT(refused(add(ranges[i][0], ranges[i][1], memory(0)), -HM_EINVAL));
		EXPECT(refused(collapse(ranges[i][0], ranges[i][1]), -HM_EINVAL));
	}
}

/* Keys and permissions that do not exist are refused, also where nothing would have to change. */
CASE(bad_values)
{
	const enum hm_permission permissions[] = { (enum hm_permission)(HM_PERMISSION_NX + 1),
						   (enum hm_permission)100 };
	unsigned int i;

	full_map(BLOCKS(2));
	EXPECT(refused(set_key(0, PAGES(1), 16), -HM_EINVAL));
	EXPECT(refused(set_key(0, BLOCKS(2), ~0u), -HM_EINVAL));
	for (i = 0; i < 2; i++) {
		EXPECT(refused(permit(0, BLOCKS(1), permissions[i]), -HM_EINVAL));
		EXPECT(refused(permit(PAGES(1), PAGES(1), permissions[i]), -HM_EINVAL));
	}
}

/* Errors have the values of errno.h. */
CASE(values_of_errors)
{
	EXPECT(HM_ENOENT == ENOENT && HM_ENOMEM == ENOMEM && HM_EBUSY == EBUSY);
	EXPECT(HM_EEXIST == EEXIST && HM_EINVAL == EINVAL);
}

/* No map is of something else than pages, empty, without tables, or to the top of the address space.
 * What was done to a new one is nothing. */
CASE(bad_maps)
{
	const hm_va_t start = probe_va(bytes_of(TOP)), odd = { start.val + 1 };
	const hm_va_t top = { 0 - PAGES(1) };
	const struct hm_direct_map_counts count = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct hm_direct_map none;

	probe_set_root(probe_table(0));
	EXPECT(hm_direct_map_init(&none, odd, PAGES(1), false) == -HM_EINVAL);
	EXPECT(hm_direct_map_init(&none, start, PAGES(1) + 1, false) == -HM_EINVAL);
	EXPECT(hm_direct_map_init(&none, start, 0, false) == -HM_EINVAL);
	EXPECT(hm_direct_map_init(&none, top, PAGES(1), false) == -HM_EINVAL);
	EXPECT(hm_direct_map_init(&none, top, PAGES(2), false) == -HM_EINVAL);
	none.counts = count;
	EXPECT(!hm_direct_map_init(&none, start, PAGES(1), false));
	EXPECT(!none.counts.splits && !none.counts.unfolds && !none.counts.collapses);
	EXPECT(!none.counts.folds && !none.counts.invalidations && !none.counts.entries);
	EXPECT(!none.counts.tables_linked && !none.counts.tables_freed);
	probe_set_root(NULL);
	EXPECT(hm_direct_map_init(&none, start, PAGES(1), false) == -HM_EINVAL);
}

/* An entry that is none of a linear map's is left alone: ranges with it are refused, it is joined with
 * nothing, and drawn as a page. */
CASE(entries_of_others)
{
	struct hm_direct_map_info info = { 0 };

	full_map(BLOCKS(2));
	EXPECT(right(take_away(PAGES(GROUP), PAGES(GROUP))));
	hm_pte_set(entry_at(PAGES(GROUP), 0), probe_user_page(GROUP));
	refuse_everything(0, BLOCKS(2), -HM_EINVAL);
	refuse_everything(PAGES(GROUP), PAGES(1), -HM_EINVAL);
	EXPECT(refused(add(PAGES(GROUP), PAGES(1), memory(0)), -HM_EEXIST));
	EXPECT(hm_direct_map_query(&map, at(PAGES(GROUP)), &info) == -HM_EINVAL);
	begin();
	EXPECT(refused(hm_direct_map_repaint(&map, NULL), -HM_EINVAL) && !map.pages_only);
	EXPECT(!collapse(0, BLOCKS(2)) && bits() == before.bits);
	EXPECT(consists_of(1, 0, ENTRIES - GROUP + 1, ENTRIES / GROUP - 1, 1));
	print();
	EXPECT(line_is(0, map.start.val, "%-", 2));
	hm_pte_clear(entry_at(PAGES(GROUP), 0));
	EXPECT(right(add(PAGES(GROUP), PAGES(GROUP), memory(PAGES(GROUP)))));
	hm_pte_set(entry_at(BLOCKS(1), 1), invalid(probe_user_page(0)));
	print();
	EXPECT(line_is(0, map.start.val, HAS_GROUPS ? "o-" : "%-", 2));
}

/* ---- where a kernel may be when it calls ---- */

/* Everything, once; and the context is at the end what it was, with nothing owed. */
static void do_everything(void)
{
	const uint64_t word = hm_port_context()->word;
	const bool opens = probe_opens(HM_KEY_PGTABLES);
	unsigned int op;

	for (op = 0; op < OPS; op++) {
		EXPECT(right(change((enum op)op, PAGES(1), BLOCKS(1))));
		EXPECT(!hm_port_context()->pending);
		EXPECT(right(change_back((enum op)op, PAGES(1), BLOCKS(1))));
		EXPECT(!hm_port_context()->pending);
		EXPECT(right(collapse(0, BLOCKS(3))) && consists_of(3, 0, 0, 0, 0));
		EXPECT(hm_port_context()->word == word);
		EXPECT(probe_opens(HM_KEY_PGTABLES) == opens);
	}
}

/* In a section of the caller, in a pause of it, in a section in that, and at another level: it works,
 * opens the key of tables for its own stores alone, and everything is as it was. */
CASE(callers_in_sections)
{
	hm_lazy_mmu_token_t section, inner;
	hm_lazy_mmu_pause_t pause;
	hm_kpkeys_token_t level;

	full_map(BLOCKS(3));
	do_everything();
	section = hm_lazy_mmu_enter();
	do_everything();
	pause = hm_lazy_mmu_pause();
	do_everything();
	inner = hm_lazy_mmu_enter();
	do_everything();
	hm_lazy_mmu_leave(inner);
	hm_lazy_mmu_resume(pause);
	level = hm_kpkeys_enter_text();
	do_everything();
	hm_kpkeys_leave(level);
	*probe_direct_map().bbm_level = 0;
	do_everything();
	hm_lazy_mmu_leave(section);
	EXPECT(probe_read().bugs == 0);
}

/* ---- refusals at every step ---- */

/* Whatever table it is that the port refuses, nothing has changed and no table is lost; with one more
 * it works. */
CASE(no_table_at_every_step)
{
	unsigned int op, left;

	for (op = 0; op < OPS; op++) {
		full_map(BLOCKS(3));
		for (left = 0; left < 2; left++) {
			*probe_direct_map().tables_left = left;
			EXPECT(refused(change((enum op)op, PAGES(1), BLOCKS(2)), -HM_ENOMEM));
			EXPECT(all_is_well());
		}
		*probe_direct_map().tables_left = op == SMALL ? 3 : 2;
		EXPECT(right(change((enum op)op, PAGES(1), BLOCKS(2))));
		EXPECT(*probe_direct_map().tables_left == 0);
	}
}

/* And of memory that is added. */
CASE(no_table_at_every_step_of_add)
{
	unsigned int left;

	empty_map(BLOCKS(3));
	for (left = 0; left < 2 + TOP - 1; left++) {
		*probe_direct_map().tables_left = left;
		EXPECT(refused(add(PAGES(1), BLOCKS(2), memory(PAGES(1))), -HM_ENOMEM));
		EXPECT(all_is_well());
	}
	*probe_direct_map().tables_left = left;
	EXPECT(right(add(PAGES(1), BLOCKS(2), memory(PAGES(1)))));
	EXPECT(*probe_direct_map().tables_left == 0);
}

/* The tables of a refused break come back. */
CASE(no_break_at_any_change)
{
	unsigned int op;

	full_map(BLOCKS(3));
	*probe_direct_map().bbm_level = 1;
	*probe_direct_map().break_answer = -HM_EBUSY;
	for (op = 0; op < OPS; op++) {
		EXPECT(refused(change((enum op)op, PAGES(1), BLOCKS(2)), -HM_EBUSY));
		EXPECT(breaks() == 1 && all_is_well());
	}
}
