/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * fewest.c -- after any history a collapse leaves a linear map the fewest entries that its keys, permissions
 * and marks allow: random histories of all changes; then the entries and tables are counted and compared with
 * what two searches find that know nothing of tables, but only what each page is. One tries all ways to tile
 * a tiny map; the other one decides region by region, and is compared with the first.
 */
#include "free_tables.h"
#include "probe.h"
#include "suite.h"
#include <hardmap/direct_map.h>
#include <string.h>

#define ENTRIES HM_PORT_PGTABLE_ENTRIES
#define TOP (HM_PORT_PGTABLE_LEVELS - 1)
#define MAX_PAGES (1 << 18)
#define TINY_PAGES 2048 /* at most, of what all ways are tried of */
#define STEPS 24 /* of a history */
#define PAGES_OF_HISTORIES (1 << 22) /* so many pages, together, are checked in all */
/* How many of so many histories are tried: fewer where time is short. */
#ifndef HISTORIES
#define HISTORIES(all) (all)
#endif

struct page {
	uint64_t pa;
	unsigned int key;
	enum hm_permission permission;
	bool mapped, keep_small;
};

/* What a way to map takes. */
struct price {
	uint64_t leaves; /* a contiguous group is one */
	uint64_t tables;
};

static struct hm_direct_map map;
static struct page pages[MAX_PAGES];
static uint64_t page_count;
static uint64_t random_state;

static uint64_t page_bytes(void)
{
	return UINT64_C(1) << hm_port_pgtable_shift(0);
}

/* Pages of an entry of a level. */
static uint64_t pages_of(unsigned int level)
{
	return UINT64_C(1) << (hm_port_pgtable_shift(level) - hm_port_pgtable_shift(0));
}

static uint64_t group_of(unsigned int level)
{
	return pages_of(level) * hm_port_leaf_group(level);
}

static hm_va_t at(uint64_t page)
{
	const hm_va_t va = { map.start.val + page * page_bytes() };

	return va;
}

static uint64_t below(uint64_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 16) % limit;
}

/* ---- what is possible: by what each page is, and the architecture's rules ---- */

static bool is_empty(uint64_t first, uint64_t count)
{
	uint64_t i;

	for (i = first; i < first + count && i < page_count; i++)
		if (pages[i].mapped)
			return false;
	return true;
}

static bool follows(const struct page *first, const struct page *page, uint64_t distance)
{
	return page->mapped && page->pa == first->pa + distance * page_bytes() &&
	       page->key == first->key && page->permission == first->permission &&
	       !page->keep_small;
}

/* Whether that many pages can be one piece: aligned, as is the memory, all there, and alike. */
static bool is_piece(uint64_t first, uint64_t count)
{
	uint64_t i;

	if (first % count || first + count > page_count || pages[first].pa % (count * page_bytes()))
		return false;
	for (i = 0; i < count; i++)
		if (!follows(&pages[first], &pages[first + i], i))
			return false;
	return true;
}

static bool is_entry(uint64_t first, unsigned int level)
{
	if (!level)
		return pages[first].mapped;
	return level <= HM_PORT_PGTABLE_BLOCK_LEVEL && is_piece(first, pages_of(level));
}

static bool is_group(uint64_t first, unsigned int level)
{
	return hm_port_leaf_group(level) > 1 && is_piece(first, group_of(level)) &&
	       pages[first].permission != HM_PERMISSION_INVALID;
}

static struct price sum(struct price a, struct price b)
{
	const struct price both = { a.leaves + b.leaves, a.tables + b.tables };

	return both;
}

static struct price cheaper(struct price a, struct price b)
{
	return a.leaves + a.tables < b.leaves + b.tables ? a : b;
}

/* ---- all ways to tile ---- */

/* The tables that begin where a tile of that level does: of all levels above, as far as there begins
 * one. */
static uint64_t tables_at(uint64_t first, unsigned int level)
{
	uint64_t tables = 0;

	while (++level <= TOP && first % pages_of(level) == 0)
		tables++;
	return tables;
}

/* From each page on, of a tiny map: the end, and before it what was found for what comes after. */
static struct price fewest_from[TINY_PAGES + 1];

static struct price price_with(uint64_t first, uint64_t count, unsigned int level, uint64_t leaves)
{
	const struct price tile = { leaves, tables_at(first, level) };

	return sum(tile, fewest_from[first + count < page_count ? first + count : page_count]);
}

/* At every page every tile that fits there, with the best way to tile what comes after it. */
static struct price price_of_all_ways(void)
{
	const struct price none = { 0, 0 };
	uint64_t first = page_count;
	unsigned int level;

	fewest_from[page_count] = none;
	while (first--) {
		struct price best = { UINT32_MAX, 0 };

		for (level = 0; level <= TOP; level++) {
			const uint64_t entry = pages_of(level);

			if (first % entry == 0 && is_empty(first, entry))
				best = cheaper(price_with(first, entry, level, 0), best);
			if (is_entry(first, level))
				best = cheaper(price_with(first, entry, level, 1), best);
			if (is_group(first, level))
				best = cheaper(price_with(first, group_of(level), level, 1), best);
		}
		fewest_from[first] = best;
	}
	return fewest_from[0];
}

/* ---- region by region ---- */

static struct price price_of_table(uint64_t first, unsigned int level);

/* The region of one entry of that level, by itself. */
static struct price price_of_region(uint64_t first, unsigned int level)
{
	const struct price none = { 0, 0 }, entry = { 1, 0 }, table = { 0, 1 };
	struct price by_table;

	if (is_empty(first, pages_of(level)))
		return none;
	if (!level)
		return entry;
	by_table = sum(table, price_of_table(first, level - 1));
	return is_entry(first, level) ? cheaper(entry, by_table) : by_table;
}

/* The entries of that level in one table, with the groups that they can be. */
static struct price price_of_table(uint64_t first, unsigned int level)
{
	const uint64_t end = first + pages_of(level) * ENTRIES;
	struct price all = { 0, 0 };

	while (first < end && first < page_count) {
		const struct price group = { 1, 0 };
		struct price singles = { 0, 0 };
		unsigned int i;

		for (i = 0; i < hm_port_leaf_group(level); i++)
			singles = sum(singles, price_of_region(first + i * pages_of(level), level));
		all = sum(all, is_group(first, level) ? cheaper(group, singles) : singles);
		first += group_of(level);
	}
	return all;
}

static struct price price_of_regions(void)
{
	struct price all = { 0, 0 };
	uint64_t first;

	for (first = 0; first < page_count; first += pages_of(TOP))
		all = sum(all, price_of_region(first, TOP));
	return all;
}

/* ---- what it is ---- */

static struct price price_of(uint64_t first, uint64_t count)
{
	struct hm_direct_map_statistics s;
	struct hm_direct_map part = { 0 };
	struct price price = { 0, 0 };
	unsigned int level;

	EXPECT(!hm_direct_map_init(&part, at(first), count * page_bytes(), false));
	s = hm_direct_map_statistics(&part);
	for (level = 0; level <= TOP; level++) {
		price.leaves += s.leaves[level] - s.groups[level] * (hm_port_leaf_group(level) - 1);
		price.tables += s.tables[level];
	}
	return price;
}

/* But for tables of the top-level table below which nothing is any more: those stay. */
static struct price price_of_map(void)
{
	struct price all = { 0, 0 };
	uint64_t first, count;

	for (first = 0; first < page_count; first += count) {
		count = pages_of(TOP) < page_count - first ? pages_of(TOP) : page_count - first;
		if (!is_empty(first, count))
			all = sum(all, price_of(first, count));
	}
	return all;
}

static bool same_price(struct price a, struct price b)
{
	return a.leaves == b.leaves && a.tables == b.tables;
}

static bool is_as_it_should(uint64_t page)
{
	const struct page *should = &pages[page];
	struct hm_direct_map_info info;
	int error = hm_direct_map_query(&map, at(page), &info);

	if (error)
		return error == -HM_ENOENT && !should->mapped;
	return should->mapped && info.pa.val == should->pa && info.key == should->key &&
	       info.permission == should->permission && info.keep_small == should->keep_small;
}

static bool all_is_as_it_should(void)
{
	uint64_t i;

	for (i = 0; i < page_count; i++)
		if (!is_as_it_should(i))
			return false;
	return probe_read().bugs == 0;
}

/* ---- histories ---- */

static __attribute__((destructor)) void forget_map(void)
{
	free_tables_below(probe_table(0), TOP);
	probe_reset();
}

static void suite_setup(void)
{
	forget_map();
}

static void empty_map(uint64_t count)
{
	forget_map();
	probe_set_root(probe_table(0));
	page_count = count;
	memset(pages, 0, count * sizeof(*pages));
	EXPECT(!hm_direct_map_init(&map, probe_va(UINT64_C(1) << hm_port_pgtable_shift(TOP)),
				   count * page_bytes(), false));
}

/* What is done to pages. */
struct range {
	uint64_t first, count;
};

/* Of every size; most of them begin and end where entries or groups could. */
static struct range some_range(void)
{
	const uint64_t units[] = { 1, group_of(0), pages_of(1), group_of(1), pages_of(2) };
	struct range range;
	uint64_t unit;

	do
		unit = units[below(sizeof(units) / sizeof(*units))];
	while (unit > page_count);
	range.first = below(page_count / unit) * unit;
	range.count = (1 + below(3)) * unit;
	if (!below(8))
		range.count--;
	if (!below(8) && range.first + 1 < page_count)
		range.first++;
	if (range.first + range.count > page_count)
		range.count = page_count - range.first;
	if (!range.count)
		range.count = 1;
	return range;
}

static bool is_full(struct range range)
{
	uint64_t i;

	for (i = 0; i < range.count; i++)
		if (!pages[range.first + i].mapped)
			return false;
	return true;
}

static void add(struct range range, uint64_t pa)
{
	int expected = is_empty(range.first, range.count) ? 0 : -HM_EEXIST;
	uint64_t i;

	EXPECT(hm_direct_map_add(&map, NULL, at(range.first), range.count * page_bytes(),
				 probe_linear_page(pa)) == expected);
	for (i = 0; !expected && i < range.count; i++) {
		struct page *page = &pages[range.first + i];

		memset(page, 0, sizeof(*page));
		page->mapped = true;
		page->pa = pa + i * page_bytes();
	}
}

/* As its address is aligned, or by so much less. */
static uint64_t some_memory(struct range range)
{
	const uint64_t off[] = { 0, 0, 0, 1, group_of(0), pages_of(1), group_of(1) };

	return (pages_of(TOP) + range.first + off[below(sizeof(off) / sizeof(*off))]) *
	       page_bytes();
}

static void take_away(struct range range)
{
	int expected = is_full(range) ? 0 : -HM_ENOENT;

	EXPECT(hm_direct_map_remove(&map, NULL, at(range.first), range.count * page_bytes()) ==
	       expected);
	if (!expected)
		memset(&pages[range.first], 0, range.count * sizeof(*pages));
}

static void set_key(struct range range, unsigned int key)
{
	int expected = is_full(range) ? 0 : -HM_ENOENT;
	uint64_t i;

	EXPECT(hm_direct_map_set_pkey(&map, NULL, at(range.first), range.count * page_bytes(),
				      key) == expected);
	for (i = 0; !expected && i < range.count; i++)
		pages[range.first + i].key = key;
}

static void permit(struct range range, enum hm_permission permission)
{
	int expected = is_full(range) ? 0 : -HM_ENOENT;
	uint64_t i;

	EXPECT(hm_direct_map_set_permission(&map, NULL, at(range.first), range.count * page_bytes(),
					    permission) == expected);
	for (i = 0; !expected && i < range.count; i++)
		pages[range.first + i].permission = permission;
}

static void keep_small(struct range range, bool small)
{
	int expected = is_full(range) ? 0 : -HM_ENOENT;
	uint64_t i;

	EXPECT(hm_direct_map_keep_small(&map, NULL, at(range.first), range.count * page_bytes(),
					small) == expected);
	for (i = 0; !expected && i < range.count; i++)
		pages[range.first + i].keep_small = small;
}

static void split(struct range range)
{
	EXPECT(hm_direct_map_split(&map, NULL, at(range.first), range.count * page_bytes()) ==
	       (is_full(range) ? 0 : -HM_ENOENT));
}

static void collapse(struct range range)
{
	EXPECT(!hm_direct_map_collapse(&map, at(range.first), range.count * page_bytes()));
}

static void some_change(void)
{
	const struct range range = some_range();

	switch (below(9)) {
	case 0:
		add(range, some_memory(range));
		break;
	case 1:
		take_away(range);
		break;
	case 2:
	case 3:
		set_key(range, (unsigned int)below(3));
		break;
	case 4:
	case 5:
		permit(range, (enum hm_permission)below(4));
		break;
	case 6:
		keep_small(range, below(2));
		break;
	case 7:
		split(range);
		break;
	default:
		collapse(range);
		break;
	}
}

/* Fills the holes, and makes all of the range alike: much can be joined. */
static void make_alike(struct range range)
{
	struct range hole = { range.first, 0 };

	for (; hole.first < range.first + range.count; hole.first += hole.count + 1) {
		hole.count = 0;
		while (hole.first + hole.count < range.first + range.count &&
		       !pages[hole.first + hole.count].mapped)
			hole.count++;
		if (hole.count)
			add(hole, (pages_of(TOP) + hole.first) * page_bytes());
	}
	set_key(range, HM_KEY_DEFAULT);
	permit(range, (enum hm_permission)below(4));
	keep_small(range, false);
}

/* A map of so many pages; changes; and then all is collapsed. */
static void live_through(uint64_t count)
{
	const struct range all = { 0, count };
	unsigned int i;

	empty_map(count);
	*probe_direct_map().bbm_level = (unsigned int)below(4);
	add(all, (pages_of(TOP) + (below(4) ? 0 : pages_of(1))) * page_bytes());
	for (i = 0; i < STEPS; i++)
		some_change();
	if (below(2))
		make_alike(below(2) ? all : some_range());
	EXPECT(all_is_as_it_should());
	collapse(all);
}

/* ---- the claims ---- */

/* Of a tiny map, with all ways to tile it tried out; the other search finds the same. */
CASE(tiny_maps_have_the_fewest)
{
	/* Of two blocks, or of what groups all ways are still to be tried of. */
	const uint64_t count = ENTRIES <= 32 ? 2 * ENTRIES : 10 * group_of(0);
	unsigned int history;

	random_state = 20261125;
	for (history = 0; history < HISTORIES(100); history++) {
		struct price fewest;

		live_through(count);
		fewest = price_of_all_ways();
		EXPECT(same_price(fewest, price_of_regions()));
		EXPECT(same_price(fewest, price_of_map()));
		EXPECT(all_is_as_it_should());
	}
}

/* Of a map with all that the port has: blocks and groups of them, and blocks of a higher level where
 * they are no more pages than that. */
CASE(maps_have_the_fewest)
{
	const uint64_t high = pages_of(HM_PORT_PGTABLE_BLOCK_LEVEL) * 2;
	const uint64_t count = high <= MAX_PAGES && ENTRIES <= 32 ? high : 32 * pages_of(1);
	unsigned int history;

	random_state = 20261126;
	for (history = 0; history < HISTORIES(8 + PAGES_OF_HISTORIES / count); history++) {
		live_through(count);
		EXPECT(same_price(price_of_regions(), price_of_map()));
		EXPECT(all_is_as_it_should());
	}
}

#if HM_PORT_PGTABLE_BLOCK_LEVEL > 1
/* Of one block of the highest level. */
CASE(a_high_block_has_the_fewest)
{
	unsigned int history;

	random_state = 20261127;
	for (history = 0; history < HISTORIES(32); history++) {
		live_through(pages_of(2));
		EXPECT(same_price(price_of_regions(), price_of_map()));
		EXPECT(all_is_as_it_should());
	}
}
#endif
