// SPDX-License-Identifier: GPL-2.0-only
/*
 * context.c -- execution contexts: the task's, around which the vectors push and pop; or, where no vector is
 * ours, one chosen by what executes, which is the task's own if it has one. And what a bug leads to.
 */
#include <linux/hardirq.h>
#include <linux/kernel.h>
#include <linux/percpu.h>

#include "hardmap.h"
#include <hardmap/kpkeys.h>
#include <hardmap/lazy_mmu.h>

/* Also what the suites count. */
atomic_t hm_linux_bugs = ATOMIC_INIT(0);

#ifdef HM_LINUX_KUNIT
/* That many are a test's, who makes the mistake on purpose. */
atomic_t hm_linux_expected_bugs = ATOMIC_INIT(0);
#endif

void hm_linux_bug(const char *message)
{
#ifdef HM_LINUX_KUNIT
	if (atomic_add_unless(&hm_linux_expected_bugs, -1, 0)) {
		pr_info("hardmap: found, as a test expects: %s\n", message);
		return;
	}
#endif
	atomic_inc(&hm_linux_bugs);
	WARN(1, "hardmap: BUG: %s\n", message);
}

#if defined(HM_LINUX_CONTEXT) || defined(HM_LINUX_TASK_STATE)
void hardmap_thread_init(struct hm_context *context)
{
	hm_context_reuse(context);
}
#endif

#ifdef HM_LINUX_CONTEXT
hm_context_exception_t noinstr hardmap_exception_push(void)
{
	return hm_context_exception_push();
}

/* What follows is the restoring of registers and ERET, which synchronises the key register. */
void noinstr hardmap_exception_pop(hm_context_exception_t interrupted)
{
	hm_context_exception_pop(interrupted);
}

/* An exception for the library, though none of the CPU. */
hm_context_exception_t hardmap_softirq_push(void)
{
	return hm_context_exception_push();
}

void hardmap_softirq_pop(hm_context_exception_t interrupted)
{
	hm_context_exception_pop(interrupted);
	/* No ERET follows: the key register that the pop wrote before what the task stores next. */
	if (hm_kpkeys_style() == HM_KEY_STYLE_WINDOW)
		hm_port_context_sync();
}

hm_context_switch_t hardmap_switch_out(void)
{
	return hm_context_switch_out();
}

void hardmap_switch_in(hm_context_switch_t away)
{
	hm_context_switch_in(away);
}

void hardmap_assert_idle(void)
{
	hm_context_assert_idle();
}
#else
/*
 * One for each kind of context that this CPU can be in. Of a module tasks share theirs, so a section of
 * a task is one with preemption off there, and one that is not in a section writes entries one by one,
 * which leaves no state.
 */
enum { HM_LINUX_TASK, HM_LINUX_SOFTIRQ, HM_LINUX_HARDIRQ, HM_LINUX_NMI, HM_LINUX_CONTEXTS };
static DEFINE_PER_CPU(struct hm_context[HM_LINUX_CONTEXTS], hm_linux_contexts);

struct hm_context *hm_port_context(void)
{
	unsigned int kind = HM_LINUX_TASK;

	if (in_nmi())
		kind = HM_LINUX_NMI;
	else if (in_hardirq())
		kind = HM_LINUX_HARDIRQ;
	else if (
		in_serving_softirq()) /* not in_softirq(): that is also a task that disables them */
		kind = HM_LINUX_SOFTIRQ;
#ifdef HM_LINUX_TASK_STATE
	else
		return &current->thread.hardmap;
#endif
	return &raw_cpu_ptr(hm_linux_contexts)[kind];
}
#endif
