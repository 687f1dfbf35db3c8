// SPDX-License-Identifier: GPL-2.0-only
/*
 * live_map.c -- a map of memory in the upper half of the area, whose tables hardware walks:
 * permissions, sizes and keys are changed, and tried by accesses. And entries in sections of
 * lazy_mmu.h.
 */
#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "hardmap.h"
#include <hardmap/direct_map.h>
#include <hardmap/pgtable_pool.h>

#define BLOCKS 2
#define ORDER (PMD_SHIFT - PAGE_SHIFT + 1) /* so many */
#define BYTES (BLOCKS * (uint64_t)PMD_SIZE)

static struct hm_direct_map map;
static struct page *memory;
static hm_va_t start;

static void *at(uint64_t offset)
{
	return (void *)(uintptr_t)(start.val + offset);
}

static hm_va_t va(uint64_t offset)
{
	return (hm_va_t){ start.val + offset };
}

static bool can_read(uint64_t offset)
{
	u64 value;

	return !copy_from_kernel_nofault(&value, at(offset), sizeof(value));
}

static bool can_write(uint64_t offset)
{
	const u64 value = offset ^ 0x5555;

	return !copy_to_kernel_nofault(at(offset), &value, sizeof(value));
}

static int live_init(struct kunit *test)
{
	hm_pte_t first;

	start.val = hm_linux_area.val + HM_LINUX_AREA_CODE;
	KUNIT_ASSERT_NE(test, hm_linux_area.val, 0ull);
	memory = alloc_pages(GFP_KERNEL | __GFP_ZERO, ORDER);
	KUNIT_ASSERT_NOT_NULL(test, memory);
	first = hm_linux_leaf((hm_pa_t){ page_to_phys(memory) }, 0, HM_PERMISSION_RW);
	KUNIT_ASSERT_EQ(
		test,
		hm_direct_map_init(&map, start, HM_LINUX_AREA_BYTES - HM_LINUX_AREA_CODE, false),
		0);
	KUNIT_ASSERT_EQ(test, hm_direct_map_add(&map, NULL, start, BYTES, first), 0);
	return 0;
}

static void live_exit(struct kunit *test)
{
	if (memory && start.val) {
		KUNIT_EXPECT_EQ(test, hm_direct_map_remove(&map, NULL, start, BYTES), 0);
		KUNIT_EXPECT_FALSE(test, can_read(0));
		hm_linux_wait_for_tables();
		__free_pages(memory, ORDER);
	}
	memory = NULL;
}

static struct hm_direct_map_info query(struct kunit *test, uint64_t offset)
{
	struct hm_direct_map_info info = {};

	KUNIT_EXPECT_EQ(test, hm_direct_map_query(&map, va(offset), &info), 0);
	return info;
}

static void memory_is_mapped_by_blocks(struct kunit *test)
{
	uint64_t offset;

	KUNIT_EXPECT_EQ(test, query(test, 0).bytes, (uint64_t)PMD_SIZE);
	for (offset = 0; offset < BYTES; offset += 64 * PAGE_SIZE) {
		KUNIT_EXPECT_TRUE(test, can_write(offset));
		KUNIT_EXPECT_EQ(test, *(u64 *)(page_address(memory) + offset), offset ^ 0x5555);
	}
	KUNIT_EXPECT_FALSE(test, can_read(BYTES));
}

static void permission_of_a_page_is_its_own(struct kunit *test)
{
	const uint64_t page = 7 * PAGE_SIZE;

	KUNIT_ASSERT_EQ(
		test,
		hm_direct_map_set_permission(&map, NULL, va(page), PAGE_SIZE, HM_PERMISSION_RO), 0);
	KUNIT_EXPECT_TRUE(test, can_read(page));
	KUNIT_EXPECT_FALSE(test, can_write(page));
	KUNIT_EXPECT_TRUE(test, can_write(page - PAGE_SIZE));
	KUNIT_EXPECT_TRUE(test, can_write(page + PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, query(test, page).bytes, (uint64_t)PAGE_SIZE);
	KUNIT_ASSERT_EQ(test,
			hm_direct_map_set_permission(&map, NULL, va(page), PAGE_SIZE,
						     HM_PERMISSION_INVALID),
			0);
	KUNIT_EXPECT_FALSE(test, can_read(page));
	KUNIT_ASSERT_EQ(
		test,
		hm_direct_map_set_permission(&map, NULL, va(page), PAGE_SIZE, HM_PERMISSION_VALID),
		0);
	KUNIT_EXPECT_TRUE(test, can_write(page));
	KUNIT_ASSERT_EQ(test, hm_direct_map_collapse(&map, start, BYTES), 0);
	KUNIT_EXPECT_EQ(test, query(test, page).bytes, (uint64_t)PMD_SIZE);
	KUNIT_EXPECT_EQ(test, map.counts.splits, map.counts.collapses);
}

/* Pages of the pool that somebody has; tables that are unlinked have gone back. */
static int used_pages(void)
{
	struct hm_pgtable_pool_statistics is;

	hm_linux_wait_for_tables();
	hm_pgtable_pool_statistics(&hm_linux_pool, &is);
	return (int)is.used;
}

/* Random changes against what each page should be. */
static void any_history_is_what_it_says(struct kunit *test)
{
	static const enum hm_permission permissions[] = { HM_PERMISSION_RW, HM_PERMISSION_RO,
							  HM_PERMISSION_INVALID };
	const unsigned int pages = BYTES / PAGE_SIZE;
	u8 *is = kunit_kzalloc(test, pages, GFP_KERNEL);
	u32 seed = 7;
	unsigned int i, page, wrong = 0;

	KUNIT_ASSERT_NOT_NULL(test, is);
	for (i = 0; i < 300; i++) {
		unsigned int first, n, p;

		seed = seed * 1103515245 + 12345;
		first = (seed >> 8) % pages;
		n = 1 + (seed >> 20) % (seed & 0x8000 ? 512 : 20);
		n = min(n, pages - first);
		p = (seed >> 28) % 3;
		KUNIT_ASSERT_EQ(test,
				hm_direct_map_set_permission(&map, NULL, va(first * PAGE_SIZE),
							     n * PAGE_SIZE, permissions[p]),
				0);
		memset(is + first, p, n);
		if (!(i % 7))
			KUNIT_ASSERT_EQ(test, hm_direct_map_collapse(&map, start, BYTES), 0);
		for (page = first ? first - 1 : 0; page < min(first + n + 1, pages); page++) {
			wrong += can_read(page * PAGE_SIZE) != (is[page] != 2);
			wrong += can_write(page * PAGE_SIZE) != (is[page] == 0);
		}
	}
	KUNIT_EXPECT_EQ(test, wrong, 0u);
}

static void tables_go_back(struct kunit *test)
{
	const unsigned int rounds = 40;
	const int used = used_pages();
	unsigned int i;

	for (i = 0; i < rounds; i++) {
		KUNIT_ASSERT_EQ(test,
				hm_direct_map_set_permission(&map, NULL, va(PAGE_SIZE), PAGE_SIZE,
							     HM_PERMISSION_RO),
				0);
		KUNIT_ASSERT_EQ(test,
				hm_direct_map_set_permission(&map, NULL, va(PAGE_SIZE), PAGE_SIZE,
							     HM_PERMISSION_RW),
				0);
		KUNIT_ASSERT_EQ(test, hm_direct_map_collapse(&map, start, BYTES), 0);
	}
	KUNIT_EXPECT_EQ(test, map.counts.tables_freed, (uint64_t)rounds);
	/* Others may take some meanwhile: the kernel's tables are from there, too. */
	KUNIT_EXPECT_LT(test, used_pages(), used + (int)rounds / 2);
}

/* ---- sections ---- */

#define SCATTERED 64

static void entries_of_a_section_are_usable_after_it(struct kunit *test)
{
	const hm_va_t first = { start.val + HM_LINUX_AREA_CODE / 2 };
	unsigned int round, i;
	hm_pa_t table;
	hm_pte_t *link = hm_linux_area_entry(first), *entries;

	KUNIT_ASSERT_TRUE(test, hm_linux_table_alloc(&table));
	entries = hm_port_pgtable_map(table);
	hm_pte_link(link, hm_port_pte_link(table));
	for (round = 0; round < 50; round++) {
		hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

		for (i = 0; i < SCATTERED; i++) {
			const hm_pa_t pa = { page_to_phys(memory) +
					     ((i * 37 + round) % 1024) * PAGE_SIZE };

			hm_pte_set_kernel(entries + i, hm_linux_leaf(pa, 0, HM_PERMISSION_RW));
		}
		hm_lazy_mmu_leave(tok);
		for (i = 0; i < SCATTERED; i++)
			*(u64 *)(uintptr_t)(first.val + i * PAGE_SIZE) = round * 1000 + i;
		for (i = 0; i < SCATTERED; i++)
			KUNIT_EXPECT_EQ(test,
					*(u64 *)(page_address(memory) +
						 ((i * 37 + round) % 1024) * PAGE_SIZE),
					(u64)round * 1000 + i);
		hm_pte_clear_range(entries, SCATTERED);
		hm_pgtable_invalidate(first, SCATTERED * PAGE_SIZE, HM_INVALIDATE_LEAVES);
	}
	hm_pte_clear(link);
	hm_pgtable_invalidate(first, PMD_SIZE, HM_INVALIDATE_TABLES);
	hm_linux_table_free(table);
}

static void the_tables_can_be_walked(struct kunit *test)
{
	const struct hm_direct_map_statistics is = hm_direct_map_statistics(&map);

	KUNIT_EXPECT_EQ(test, is.leaves[1], (uint64_t)BLOCKS);
	KUNIT_EXPECT_EQ(test, is.leaves[0], 0ull);
}

static struct kunit_case cases[] = { KUNIT_CASE(memory_is_mapped_by_blocks),
				     KUNIT_CASE(permission_of_a_page_is_its_own),
				     KUNIT_CASE(any_history_is_what_it_says),
				     KUNIT_CASE(tables_go_back),
				     KUNIT_CASE(entries_of_a_section_are_usable_after_it),
				     KUNIT_CASE(the_tables_can_be_walked),
				     {} };

static struct kunit_suite suite = {
	.name = "hardmap_linux_map",
	.init = live_init,
	.exit = live_exit,
	.test_cases = cases,
};
kunit_test_suite(suite);
