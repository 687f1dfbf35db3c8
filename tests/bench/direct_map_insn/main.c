/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * main.c -- changes a linear map, which the CPU does not use as its MMU is off, and counts the
 * instructions that QEMU retires meanwhile (-icount shift=0). Prints a line for each case:
 * instructions, entries, name.
 *
 * CONFIG   BENCH_FAULT  1: a sixteenth more instructions than needed, which the reader has to notice
 */
#include <hardmap/direct_map.h>

#include "../bare/pmu.h"
#include "../bare/uart.h"

#ifndef BENCH_FAULT
#define BENCH_FAULT 0
#endif
#define MAP UINT64_C(0xffff000000000000)
#define PAGE (UINT64_C(1) << 12)
#define BLOCK (UINT64_C(1) << 21)
#define GIB (UINT64_C(1) << 30)
#define ENTRIES HM_PORT_PGTABLE_ENTRIES
#define KEY HM_KEY_FIRST_FREE

struct hm_context bench_context;
static _Alignas(4096) hm_pte_t root[ENTRIES], gibs[ENTRIES], tables[ENTRIES + 16][ENTRIES];
static unsigned int next;
hm_pte_t *const bench_root = root;
static struct hm_direct_map map;
static struct hm_direct_map_reserve reserve;

bool bench_alloc(hm_pa_t *table)
{
	if (next == ENTRIES + 16)
		return false;
	table->val = (uintptr_t)tables[next++];
	return true;
}

/* ---- what is there before ---- */

static hm_pte_t leaf(unsigned int level, uint64_t offset, uint64_t attributes)
{
	const hm_pa_t pa = { 64 * GIB + offset };

	return hm_arm64_leaf(pa, level, HM_ARM64_KERNEL_RW | attributes);
}

static hm_pte_t *new_table(hm_pte_t *link)
{
	hm_pa_t table = { 0 };

	(void)bench_alloc(&table);
	*link = hm_arm64_table(table);
	return hm_port_pgtable_map(table);
}

/* Leaves of a whole table, the second of each pair with other attributes. */
static void fill(hm_pte_t *table, unsigned int level, uint64_t offset, uint64_t even, uint64_t odd)
{
	const uint64_t bytes = UINT64_C(1) << hm_port_pgtable_shift(level);
	unsigned int i;

	for (i = 0; i < ENTRIES; i++)
		table[i] = leaf(level, offset + i * bytes, i % 2 ? odd : even);
}

static void map_block(void)
{
	new_table(&gibs[0])[0] = leaf(1, 0, 0);
}

static void map_pages(void)
{
	fill(new_table(new_table(&gibs[0])), 0, 0, 0, 0);
}

static void map_pages_of_two_keys(void)
{
	fill(new_table(new_table(&gibs[0])), 0, 0, HM_ARM64_KEY(1), HM_ARM64_KEY(2));
}

static void map_groups(void)
{
	fill(new_table(new_table(&gibs[0])), 0, 0, HM_ARM64_CONTIGUOUS, HM_ARM64_CONTIGUOUS);
}

static void map_blocks(void)
{
	fill(new_table(&gibs[0]), 1, 0, 0, 0);
}

static void map_blocks_of_two_keys(void)
{
	fill(new_table(&gibs[0]), 1, 0, HM_ARM64_KEY(1), HM_ARM64_KEY(2));
}

static void map_gib(void)
{
	gibs[0] = leaf(2, 0, 0);
}

static void map_gib_of_pages(void)
{
	hm_pte_t *blocks = new_table(&gibs[0]);
	unsigned int i;

	for (i = 0; i < ENTRIES; i++)
		fill(new_table(&blocks[i]), 0, i * BLOCK, 0, 0);
}

/* ---- what is counted ---- */

static const hm_va_t start = { MAP };
/* In the middle, so that there is something on both sides at each level. */
static const hm_va_t middle = { MAP + GIB / 2 + PAGE };

static int write_range(void)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	hm_pte_set_range(tables[1], ENTRIES, leaf(0, 0, HM_ARM64_KEY(KEY)), PAGE);
	hm_pgtable_invalidate(start, BLOCK, HM_INVALIDATE_LEAVES);
	hm_lazy_mmu_leave(tok);
	return 0;
}

static int set_block(void)
{
	return hm_direct_map_set_pkey(&map, &reserve, start, BLOCK, KEY);
}

static int set_gib(void)
{
	return hm_direct_map_set_pkey(&map, &reserve, start, GIB, KEY);
}

static int set_one_by_one(uint64_t bytes, uint64_t step)
{
	hm_va_t va = start;
	int error = 0;

	for (; !error && va.val < MAP + bytes; va.val += step)
		error = hm_direct_map_set_pkey(&map, &reserve, va, step, KEY);
	return error;
}

static int set_pages(void)
{
	return set_one_by_one(BLOCK, PAGE);
}

static int set_blocks(void)
{
	return set_one_by_one(GIB, BLOCK);
}

static int set_page(void)
{
	return hm_direct_map_set_pkey(&map, &reserve, middle, PAGE, KEY);
}

static int split_page(void)
{
	return hm_direct_map_split(&map, &reserve, middle, PAGE);
}

static int collapse_page(void)
{
	return hm_direct_map_collapse(&map, middle, PAGE);
}

static int collapse_gib(void)
{
	return hm_direct_map_collapse(&map, start, GIB);
}

static int nothing(void)
{
	return 0;
}

struct bench_case {
	const char *name;
	void (*map)(void);
	int (*prepare)(void); /* not counted */
	int (*run)(void);
	unsigned int entries; /* changed; of a split those written, of a collapse those read */
};

static const struct bench_case cases[] = {
	{ "hm_pte_set_range: 512 pages", map_pages, nothing, write_range, 512 },
	{ "set_pkey: 512 pages", map_pages, nothing, set_block, 512 },
	{ "set_pkey: 512 pages of two keys", map_pages_of_two_keys, nothing, set_block, 512 },
	{ "set_pkey: 512 pages in groups", map_groups, nothing, set_block, 512 },
	{ "set_pkey: a block", map_block, nothing, set_block, 1 },
	{ "set_pkey: 1 GiB of blocks", map_blocks, nothing, set_gib, 512 },
	{ "set_pkey: 1 GiB of blocks of two keys", map_blocks_of_two_keys, nothing, set_gib, 512 },
	{ "set_pkey: 1 GiB of pages", map_gib_of_pages, nothing, set_gib, 512 * 512 },
	{ "one by one: 512 pages", map_pages, nothing, set_pages, 512 },
	{ "one by one: 512 pages in groups", map_groups, nothing, set_pages, 512 },
	{ "one by one: pages of a block", map_block, nothing, set_pages, 512 },
	{ "one by one: 1 GiB of blocks", map_blocks, nothing, set_blocks, 512 },
	{ "set_pkey: a page of 1 GiB", map_gib, nothing, set_page, 2 * 513 + 1 },
	{ "split: a page of 1 GiB", map_gib, nothing, split_page, 2 * 513 },
	{ "collapse: that page", map_gib, split_page, collapse_page, 2 * 512 },
	{ "collapse: 1 GiB of pages", map_gib_of_pages, nothing, collapse_gib, 512 * 512 },
};

static int count(const struct bench_case *c)
{
	const hm_pa_t first = { (uintptr_t)gibs };
	uint32_t before, reading;
	int error;

	next = 0;
	reserve.tables = 0;
	root[0] = hm_arm64_table(first);
	c->map();
	error = hm_direct_map_init(&map, start, GIB, false);
	error |= hm_direct_map_prepare(&reserve, HM_DIRECT_MAP_TABLES);
	error |= c->prepare();

	before = counted();
	reading = counted() - before;
	before = counted();
	error |= c->run();
	if (BENCH_FAULT)
		waste((counted() - before) / 32);
	print_number(counted() - before - reading);
	print_number(c->entries);
	print(c->name);
	print("\n");
	return error;
}

int bench_main(void)
{
	unsigned int i;
	int error = 0;

	start_counting();
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		error |= count(&cases[i]);
	return error ? 1 : 0;
}
