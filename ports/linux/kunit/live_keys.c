// SPDX-License-Identifier: GPL-2.0-only
/*
 * live_keys.c -- stray stores to what is protected, from tasks, interrupts and soft interrupts, on
 * every CPU, in and out of sections; and that the library's own go through.
 */
#include <kunit/test.h>
#include <linux/cpumask.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/uaccess.h>

#include "hardmap.h"
#include <hardmap/pgtable_pool.h>

static hm_pa_t table;

static int live_init(struct kunit *test)
{
	if (hm_kpkeys_style() == HM_KEY_STYLE_NONE)
		kunit_skip(test, "this CPU has no keys; how to run it: README.md, Tests");
	KUNIT_ASSERT_TRUE(test, hm_linux_table_alloc(&table));
	return 0;
}

static void live_exit(struct kunit *test)
{
	if (table.val)
		hm_linux_table_free(table);
	table.val = 0;
}

static bool store_is_refused(void *address)
{
	const u64 value = ~0ull;
	const u64 before = READ_ONCE(*(u64 *)address);

	return copy_to_kernel_nofault(address, &value, sizeof(value)) == -EFAULT &&
	       READ_ONCE(*(u64 *)address) == before;
}

/* A table in use, the entry that links it, the pool's root, which says where everything else is. */
static bool all_are_refused(void)
{
	hm_pte_t *entry = hm_port_pgtable_map(table);

	return store_is_refused(entry) && store_is_refused(hm_linux_area_entry(hm_linux_area)) &&
	       store_is_refused(hm_port_pgtable_map(hm_port_pgtable_pool_root(&hm_linux_pool)));
}

static void a_stray_store_is_refused(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, all_are_refused());
}

static void the_writers_go_through(struct kunit *test)
{
	hm_pte_t *entry = hm_port_pgtable_map(table);
	hm_lazy_mmu_token_t tok;

	hm_pte_set(entry, (hm_pte_t){ 0x111 });
	KUNIT_EXPECT_EQ(test, hm_pte_get(entry).val, 0x111ull);
	tok = hm_lazy_mmu_enter();
	hm_pte_set(entry, (hm_pte_t){ 0x222 });
	/* Where they are windows, the task that is in one writes as it likes; with store keys nobody
	 * ever does. */
	KUNIT_EXPECT_EQ(test, store_is_refused(entry), hm_kpkeys_style() == HM_KEY_STYLE_STORE);
	hm_pte_set(entry, (hm_pte_t){ 0 });
	hm_lazy_mmu_leave(tok);
	KUNIT_EXPECT_TRUE(test, all_are_refused());
}

static bool refused, seen;

static void in_interrupt_handler(struct irq_work *work)
{
	refused = all_are_refused();
	WRITE_ONCE(seen, true);
}

static void in_soft_interrupt(struct tasklet_struct *tasklet)
{
	refused = all_are_refused();
	WRITE_ONCE(seen, true);
}

static void wait_until_seen(void)
{
	while (!READ_ONCE(seen))
		cpu_relax();
	seen = false;
}

/* The level is the task's, not the handler's; and it is the task's again. */
static void a_handler_is_at_the_default_level(struct kunit *test)
{
	struct irq_work work = IRQ_WORK_INIT_HARD(in_interrupt_handler);
	hm_pte_t *entry = hm_port_pgtable_map(table);
	struct tasklet_struct tasklet;
	hm_lazy_mmu_token_t tok;
	unsigned int i;

	tasklet_setup(&tasklet, in_soft_interrupt);
	for (i = 0; i < 100; i++) {
		tok = hm_lazy_mmu_enter();
		irq_work_queue(&work);
		wait_until_seen();
		KUNIT_EXPECT_TRUE(test, refused);
		hm_pte_set(entry, (hm_pte_t){ i * 2 });
		local_bh_disable();
		tasklet_schedule(&tasklet);
		local_bh_enable();
		wait_until_seen();
		KUNIT_EXPECT_TRUE(test, refused);
		hm_pte_set(entry, (hm_pte_t){ i * 2 + 2 });
		hm_lazy_mmu_leave(tok);
		irq_work_sync(&work);
	}
	tasklet_kill(&tasklet);
	hm_pte_set(entry, (hm_pte_t){ 0 });
}

static void on_that_cpu(void *refusals)
{
	if (all_are_refused())
		atomic_inc(refusals);
}

static void other_cpus_are_at_the_default_level(struct kunit *test)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();
	atomic_t refusals = ATOMIC_INIT(0);
	unsigned int others;

	preempt_disable();
	others = num_online_cpus() - 1;
	smp_call_function(on_that_cpu, &refusals, 1);
	preempt_enable();
	hm_lazy_mmu_leave(tok);
	KUNIT_EXPECT_EQ(test, (unsigned int)atomic_read(&refusals), others);
}

/* Moved in a section: the level comes along, and stays nowhere. */
static void the_level_moves_with_the_task(struct kunit *test)
{
	hm_pte_t *entry = hm_port_pgtable_map(table);
	hm_lazy_mmu_token_t tok;
	unsigned int cpu, i;

	for (i = 0; i < 20; i++) {
		for_each_online_cpu(cpu)
		{
			tok = hm_lazy_mmu_enter();
			hm_pte_set(entry, (hm_pte_t){ i * 2 });
			KUNIT_EXPECT_EQ(test, set_cpus_allowed_ptr(current, cpumask_of(cpu)), 0);
			hm_pte_set(entry, (hm_pte_t){ i * 2 + 2 });
			hm_lazy_mmu_leave(tok);
			KUNIT_EXPECT_TRUE(test, all_are_refused());
		}
	}
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	hm_pte_set(entry, (hm_pte_t){ 0 });
}

static void a_page_that_went_back_is_ordinary(struct kunit *test)
{
	unsigned int i;
	hm_pa_t *pages = kunit_kcalloc(test, 1024, sizeof(*pages), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, pages);
	for (i = 0; i < 1024; i++)
		KUNIT_ASSERT_TRUE(test, hm_linux_table_alloc(&pages[i]));
	for (i = 0; i < 1024; i++)
		hm_linux_table_free(pages[i]);
	for (i = 0; i < 20; i++)
		(void)hm_pgtable_pool_shrink_scan(&hm_linux_pool, ~0ull, 0);
	/* The kernel's allocator writes all it has; a page that kept the key would fault there. */
	for (i = 0; i < 64; i++) {
		struct page *page = alloc_pages(GFP_KERNEL | __GFP_ZERO, 9);

		if (page)
			__free_pages(page, 9);
	}
}

static struct kunit_case cases[] = { KUNIT_CASE(a_stray_store_is_refused),
				     KUNIT_CASE(the_writers_go_through),
				     KUNIT_CASE(a_handler_is_at_the_default_level),
				     KUNIT_CASE(other_cpus_are_at_the_default_level),
				     KUNIT_CASE(the_level_moves_with_the_task),
				     KUNIT_CASE(a_page_that_went_back_is_ordinary),
				     {} };

static struct kunit_suite suite = {
	.name = "hardmap_linux_keys",
	.init = live_init,
	.exit = live_exit,
	.test_cases = cases,
};
kunit_test_suite(suite);
