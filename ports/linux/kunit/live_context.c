// SPDX-License-Identifier: GPL-2.0-only
/*
 * live_context.c -- sections of real tasks: interrupted by real interrupts, soft interrupts and exceptions,
 * preempted, moved to other CPUs, forked.
 */
#include <kunit/test.h>
#include <linux/bottom_half.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

#include "hardmap.h"
#include <hardmap/kpkeys.h>
#include <hardmap/lazy_mmu.h>

#define ROUNDS 100

static int bugs_before;

static int live_init(struct kunit *test)
{
	bugs_before = atomic_read(&hm_linux_bugs);
	return 0;
}

static void expect_no_bug(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, atomic_read(&hm_linux_bugs), bugs_before);
	KUNIT_EXPECT_FALSE(test, hm_lazy_mmu_active());
}

/* What a handler finds, and does: by itself it is not lazy, and its own section is none of the task's. */
static bool handler_is_clean(void)
{
	const bool clean = !hm_lazy_mmu_active();
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();
	const bool lazy = hm_lazy_mmu_active();

	hm_lazy_mmu_queue();
	hm_lazy_mmu_leave(tok);
	return clean && lazy && !hm_lazy_mmu_active();
}

static bool seen_clean, seen;

static void in_interrupt_handler(struct irq_work *work)
{
	seen_clean = in_hardirq() && handler_is_clean();
	WRITE_ONCE(seen, true);
}

static void wait_until_seen(void)
{
	while (!READ_ONCE(seen))
		cpu_relax();
	seen = false;
}

static void interrupt_finds_an_idle_context(struct kunit *test)
{
	struct irq_work work = IRQ_WORK_INIT_HARD(in_interrupt_handler);
	hm_lazy_mmu_token_t outer, inner;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		outer = hm_lazy_mmu_enter();
		hm_lazy_mmu_queue();
		inner = hm_lazy_mmu_enter();
		irq_work_queue(&work);
		wait_until_seen();
		KUNIT_EXPECT_TRUE(test, seen_clean);
		KUNIT_EXPECT_TRUE(test, hm_lazy_mmu_active());
		hm_lazy_mmu_leave(inner);
		hm_lazy_mmu_leave(outer);
		irq_work_sync(&work);
	}
	expect_no_bug(test);
}

static void in_soft_interrupt(struct tasklet_struct *tasklet)
{
	seen_clean = in_serving_softirq() && handler_is_clean();
	WRITE_ONCE(seen, true);
}

/* On the task's stack, where it enables them again; not by an interrupt. */
static void soft_interrupt_finds_an_idle_context(struct kunit *test)
{
	hm_lazy_mmu_token_t tok;
	struct tasklet_struct tasklet;
	unsigned int i;

	tasklet_setup(&tasklet, in_soft_interrupt);
	for (i = 0; i < ROUNDS; i++) {
		tok = hm_lazy_mmu_enter();
		local_bh_disable();
		KUNIT_EXPECT_TRUE(test, hm_lazy_mmu_active()); /* that alone is no other context */
		tasklet_schedule(&tasklet);
		local_bh_enable();
		wait_until_seen();
		KUNIT_EXPECT_TRUE(test, seen_clean);
		KUNIT_EXPECT_TRUE(test, hm_lazy_mmu_active());
		hm_lazy_mmu_leave(tok);
	}
	tasklet_kill(&tasklet);
	expect_no_bug(test);
}

/* Where "in interrupt" is asked, a task that disables them stays lazy for ever. */
static void bottom_halves_off_between_enter_and_leave(struct kunit *test)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	local_bh_disable();
	hm_lazy_mmu_leave(tok);
	KUNIT_EXPECT_FALSE(test, hm_lazy_mmu_active());
	local_bh_enable();
	KUNIT_EXPECT_FALSE(test, hm_lazy_mmu_active());

	local_bh_disable();
	tok = hm_lazy_mmu_enter();
	local_bh_enable();
	KUNIT_EXPECT_TRUE(test, hm_lazy_mmu_active());
	hm_lazy_mmu_leave(tok);
	expect_no_bug(test);
}

static void exception_returns_to_the_section(struct kunit *test)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();
	unsigned long value;

	/* The upper half of the area maps nothing yet. */
	KUNIT_EXPECT_NE(test,
			copy_from_kernel_nofault(&value,
						 (void *)(hm_linux_area.val + HM_LINUX_AREA_CODE),
						 sizeof(value)),
			0l);
	KUNIT_EXPECT_TRUE(test, hm_lazy_mmu_active());
	hm_lazy_mmu_leave(tok);
	expect_no_bug(test);
}

static void section_survives_sleep(struct kunit *test)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	msleep(2);
	KUNIT_EXPECT_TRUE(test, hm_lazy_mmu_active());
	hm_lazy_mmu_leave(tok);
	expect_no_bug(test);
}

/* ---- many tasks ---- */

#define TASKS 6
static atomic_t failures, migrations;

static int section_task(void *start)
{
	unsigned int round;

	wait_for_completion(start);
	for (round = 0; round < ROUNDS; round++) {
		hm_lazy_mmu_token_t outer = hm_lazy_mmu_enter(), inner;
		const unsigned int cpu = raw_smp_processor_id();
		hm_lazy_mmu_pause_t pause;

		hm_lazy_mmu_queue();
		set_cpus_allowed_ptr(current, cpumask_of(cpumask_next_wrap(cpu, cpu_online_mask)));
		atomic_add(raw_smp_processor_id() != cpu, &migrations);
		if (!hm_lazy_mmu_active())
			atomic_inc(&failures);
		inner = hm_lazy_mmu_enter();
		yield();
		pause = hm_lazy_mmu_pause();
		cond_resched();
		if (hm_lazy_mmu_active())
			atomic_inc(&failures);
		hm_lazy_mmu_resume(pause);
		hm_lazy_mmu_leave(inner);
		if (!hm_lazy_mmu_active())
			atomic_inc(&failures);
		hm_lazy_mmu_leave(outer);
		if (hm_lazy_mmu_active())
			atomic_inc(&failures);
	}
	hm_context_assert_idle();
	while (!kthread_should_stop())
		msleep(1);
	return 0;
}

static void sections_move_with_their_tasks(struct kunit *test)
{
	struct task_struct *tasks[TASKS];
	DECLARE_COMPLETION_ONSTACK(start);
	unsigned int i;

	atomic_set(&failures, 0);
	atomic_set(&migrations, 0);
	for (i = 0; i < TASKS; i++) {
		tasks[i] = kthread_run(section_task, &start, "hardmap-section/%u", i);
		KUNIT_ASSERT_FALSE(test, IS_ERR(tasks[i]));
	}
	complete_all(&start);
	for (i = 0; i < TASKS; i++)
		kthread_stop(tasks[i]);
	KUNIT_EXPECT_EQ(test, atomic_read(&failures), 0);
	if (num_online_cpus() > 1)
		KUNIT_EXPECT_GT(test, atomic_read(&migrations), TASKS * ROUNDS / 2);
	expect_no_bug(test);
}

static int look_at_new_task(void *idle)
{
	*(bool *)idle = !hm_lazy_mmu_active() && !(hm_port_context()->word & HM_CONTEXT_BUSY_);
	while (!kthread_should_stop())
		msleep(1);
	return 0;
}

/* Its memory was a copy of one in a section; kthreadd's in truth, so this task's is what is looked at. */
static void new_task_is_idle(struct kunit *test)
{
	struct hm_context child;
	struct task_struct *task;
	hm_lazy_mmu_token_t tok;
	bool idle = false;

	task = kthread_run(look_at_new_task, &idle, "hardmap-idle");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	msleep(10);
	kthread_stop(task);
	KUNIT_EXPECT_TRUE(test, idle);

	tok = hm_lazy_mmu_enter();
	child = *hm_port_context();
	hardmap_thread_init(&child);
	KUNIT_EXPECT_EQ(test, child.word, 0ull);
	KUNIT_EXPECT_EQ(test, child.pending, 0ull);
	KUNIT_EXPECT_EQ(test, child.generation, hm_port_context()->generation);
	hm_lazy_mmu_leave(tok);
	expect_no_bug(test);
}

static struct kunit_case cases[] = { KUNIT_CASE(interrupt_finds_an_idle_context),
				     KUNIT_CASE(soft_interrupt_finds_an_idle_context),
				     KUNIT_CASE(bottom_halves_off_between_enter_and_leave),
				     KUNIT_CASE(exception_returns_to_the_section),
				     KUNIT_CASE(section_survives_sleep),
				     KUNIT_CASE(sections_move_with_their_tasks),
				     KUNIT_CASE(new_task_is_idle),
				     {} };

static struct kunit_suite suite = {
	.name = "hardmap_linux_context",
	.init = live_init,
	.test_cases = cases,
};
kunit_test_suite(suite);
