// SPDX-License-Identifier: GPL-2.0-only
/*
 * live_pool.c -- the pool under many tasks and soft interrupts, and its shrinker.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "hardmap.h"
#include <hardmap/pgtable_pool.h>

#define TASKS 4
#define PAGES 700 /* each: more than a block */

static struct hm_pgtable_pool_statistics statistics(void)
{
	struct hm_pgtable_pool_statistics is;

	hm_pgtable_pool_statistics(&hm_linux_pool, &is);
	return is;
}

static bool is_zero(hm_pa_t page)
{
	return !memchr_inv(phys_to_virt(page.val), 0, PAGE_SIZE);
}

/* Everything that the pool has is somewhere, once. Nobody else uses it meanwhile, but the kernel's own
 * tables. */
static void expect_reconciled(struct kunit *test)
{
	const struct hm_pgtable_pool_statistics is = statistics();

	KUNIT_EXPECT_EQ(test, is.quarantined, 0ull);
	KUNIT_EXPECT_EQ(test, is.counts.key_failures, 0ull);
	KUNIT_EXPECT_EQ(test, is.unprotected, 0ull);
	if (hm_kpkeys_style() != HM_KEY_STYLE_NONE)
		KUNIT_EXPECT_EQ(test, is.present, is.used + is.free + is.cached + is.metadata);
}

static void pages_are_zero_and_apart(struct kunit *test)
{
	hm_pa_t *pages = kunit_kcalloc(test, PAGES, sizeof(*pages), GFP_KERNEL);
	const hm_pte_t some = { 0x1234 };
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, pages);
	for (i = 0; i < PAGES; i++) {
		KUNIT_ASSERT_TRUE(test, hm_linux_table_alloc(&pages[i]));
		KUNIT_EXPECT_TRUE(test, is_zero(pages[i]));
		hm_pte_fill(hm_port_pgtable_map(pages[i]), HM_PORT_PGTABLE_ENTRIES,
			    (hm_pte_t){ some.val + i * 2 }, 0);
	}
	for (i = 0; i < PAGES; i++)
		KUNIT_EXPECT_EQ(test, hm_pte_get(hm_port_pgtable_map(pages[i]) + 511).val,
				some.val + i * 2);
	for (i = 0; i < PAGES; i++)
		hm_linux_table_free(pages[i]);
	expect_reconciled(test);
}

/* ---- many at once ---- */

struct in_rcu {
	struct rcu_head rcu;
	hm_pa_t page;
};
static atomic_t failures, in_flight;

static void free_in_soft_interrupt(struct rcu_head *rcu)
{
	struct in_rcu *freed = container_of(rcu, struct in_rcu, rcu);

	hm_linux_table_free(freed->page);
	kfree(freed);
	atomic_dec(&in_flight);
}

static int churn_task(void *start)
{
	hm_pa_t mine[24];
	unsigned int round, i, n = 0;
	u32 seed = (u32)(uintptr_t)current;

	wait_for_completion(start);
	for (round = 0; round < 4000; round++) {
		seed = seed * 1103515245 + 12345;
		if (n < ARRAY_SIZE(mine) && (seed >> 16 & 1 || !n)) {
			if (hm_linux_table_alloc(&mine[n])) {
				if (!is_zero(mine[n]))
					atomic_inc(&failures);
				hm_pte_fill(hm_port_pgtable_map(mine[n]), 1, (hm_pte_t){ seed }, 0);
				n++;
			} else {
				atomic_inc(&failures);
			}
			continue;
		}
		if (seed >> 17 & 7) {
			hm_linux_table_free(mine[--n]);
		} else {
			struct in_rcu *freed = kmalloc(sizeof(*freed), GFP_KERNEL);

			if (freed) {
				freed->page = mine[--n];
				atomic_inc(&in_flight);
				call_rcu(&freed->rcu, free_in_soft_interrupt);
			}
		}
		if (!(round & 63))
			cond_resched();
	}
	for (i = 0; i < n; i++)
		hm_linux_table_free(mine[i]);
	while (!kthread_should_stop())
		schedule_timeout_uninterruptible(1);
	return 0;
}

static void tasks_and_soft_interrupts(struct kunit *test)
{
	struct task_struct *tasks[TASKS];
	DECLARE_COMPLETION_ONSTACK(start);
	struct hm_pgtable_pool_statistics before, after;
	unsigned int i;

	hm_linux_wait_for_tables();
	before = statistics();
	atomic_set(&failures, 0);
	for (i = 0; i < TASKS; i++) {
		tasks[i] = kthread_run(churn_task, &start, "hardmap-churn/%u", i);
		KUNIT_ASSERT_FALSE(test, IS_ERR(tasks[i]));
	}
	complete_all(&start);
	for (i = 0; i < 40; i++) { /* and the shrinker in between */
		(void)hm_pgtable_pool_shrink_scan(&hm_linux_pool, 512, 0);
		schedule_timeout_uninterruptible(1);
	}
	for (i = 0; i < TASKS; i++)
		kthread_stop(tasks[i]);
	rcu_barrier();
	after = statistics();
	KUNIT_EXPECT_EQ(test, atomic_read(&failures), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&in_flight), 0);
	if (hm_kpkeys_style() != HM_KEY_STYLE_NONE)
		KUNIT_EXPECT_EQ(test, after.used, before.used);
	expect_reconciled(test);
}

/* ---- the shrinker ---- */

static void shrinker_gives_blocks_back_whole(struct kunit *test)
{
	hm_pa_t *pages = kunit_kcalloc(test, 4 * 512, sizeof(*pages), GFP_KERNEL);
	struct hm_pgtable_pool_statistics full, after;
	uint64_t given = 0;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, pages);
	for (i = 0; i < 4 * 512; i++)
		KUNIT_ASSERT_TRUE(test, hm_linux_table_alloc(&pages[i]));
	full = statistics();
	for (i = 0; i < 4 * 512; i++)
		hm_linux_table_free(pages[i]);
	for (i = 0; i < 20; i++) /* each halves what may be wanted again */
		given += hm_pgtable_pool_shrink_scan(&hm_linux_pool, ~0ull, 0);
	after = statistics();
	KUNIT_EXPECT_GE(test, given, 3ull * 512);
	KUNIT_EXPECT_LE(test, after.present + given, full.present + 512);
	KUNIT_EXPECT_EQ(test, after.counts.blocks_split, full.counts.blocks_split);
	KUNIT_EXPECT_GE(test, after.counts.blocks_released, full.counts.blocks_released + 3);
	expect_reconciled(test);
}

static void a_page_is_freed_once(struct kunit *test)
{
	const struct hm_pgtable_pool_statistics before = statistics();
	hm_pa_t page;

	KUNIT_ASSERT_TRUE(test, hm_linux_table_alloc(&page));
	hm_linux_table_free(page);
	atomic_set(&hm_linux_expected_bugs, 1);
	KUNIT_EXPECT_EQ(test, hm_pgtable_pool_free(&hm_linux_pool, page), -HM_EINVAL);
	KUNIT_EXPECT_EQ(test, atomic_xchg(&hm_linux_expected_bugs, 0), 0);
	KUNIT_EXPECT_EQ(test, statistics().quarantined, before.quarantined);
	expect_reconciled(test);
}

static struct kunit_case cases[] = { KUNIT_CASE(pages_are_zero_and_apart),
				     KUNIT_CASE_SLOW(tasks_and_soft_interrupts),
				     KUNIT_CASE(shrinker_gives_blocks_back_whole),
				     KUNIT_CASE(a_page_is_freed_once),
				     {} };

static struct kunit_suite suite = {
	.name = "hardmap_linux_pool",
	.test_cases = cases,
};
kunit_test_suite(suite);
