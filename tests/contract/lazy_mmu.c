/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * lazy_mmu.c -- what every port must get from lazy_mmu.h. A "write" here is what an entry writer
 * tells the module after a store: hm_lazy_mmu_queue().
 */
#include "probe.h"
#include "suite.h"
#include <hardmap/lazy_mmu.h>

static hm_lazy_mmu_token_t saved_token;
static struct probe_counts in_handler;

static void suite_setup(void)
{
	probe_reset();
}

static void writes(unsigned int n)
{
	while (n--)
		hm_lazy_mmu_queue();
}

/* The counts since the last look are that many pairs of barriers, that many bugs, and nothing else. */
static bool counted(unsigned int pairs, unsigned int bugs)
{
	struct probe_counts counts = probe_read();

	return probe_paired(&counts, pairs) && counts.bugs == bugs && !counts.switched && !counts.order && !counts.stores;
}

/* A write outside any section is published at once. */
CASE(write_outside_a_section_is_eager)
{
	EXPECT(!hm_lazy_mmu_active());
	writes(3);
	EXPECT(counted(3, 0));
}

/* A section publishes everything once, at its end. */
CASE(section_publishes_once)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	EXPECT(hm_lazy_mmu_active());
	writes(100);
	EXPECT(counted(0, 0));
	hm_lazy_mmu_leave(tok);
	EXPECT(counted(1, 0));
	EXPECT(!hm_lazy_mmu_active());
	writes(1);
	EXPECT(counted(1, 0));
}

/* A section in which nothing was written costs no barrier. */
CASE(empty_section_is_free)
{
	hm_lazy_mmu_leave(hm_lazy_mmu_enter());
	EXPECT(counted(0, 0));
}

/* Leaving an inner section publishes all that is pending, the outer one's too, and the outer stays lazy. */
CASE(inner_leave_publishes_and_the_outer_stays_lazy)
{
	hm_lazy_mmu_token_t outer = hm_lazy_mmu_enter();

	writes(1);
	{
		hm_lazy_mmu_token_t inner = hm_lazy_mmu_enter();

		EXPECT(counted(0, 0));
		hm_lazy_mmu_leave(inner);
		EXPECT(counted(1, 0));
	}
	EXPECT(hm_lazy_mmu_active());
	{
		hm_lazy_mmu_token_t inner = hm_lazy_mmu_enter();

		hm_lazy_mmu_leave(inner);
		EXPECT(counted(0, 0));
	}
	writes(2);
	EXPECT(counted(0, 0));
	hm_lazy_mmu_leave(outer);
	EXPECT(counted(1, 0));
}

static void nest(unsigned int depth)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	if (depth)
		nest(depth - 1);
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(tok);
}

/* Sections nest to any depth; a thousand levels with one write owe one pair. */
CASE(sections_nest_deeply)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	writes(1);
	nest(300);
	hm_lazy_mmu_leave(tok);
	EXPECT(counted(1, 0));
	EXPECT(!hm_lazy_mmu_active());
}

/* A flush publishes what is pending, and only that; the section goes on. */
CASE(flush_publishes_and_stays)
{
	hm_lazy_mmu_token_t tok;

	hm_lazy_mmu_flush();
	EXPECT(counted(0, 0));
	tok = hm_lazy_mmu_enter();
	hm_lazy_mmu_flush();
	EXPECT(counted(0, 0));
	writes(2);
	hm_lazy_mmu_flush();
	EXPECT(counted(1, 0));
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_flush();
	hm_lazy_mmu_leave(tok);
	EXPECT(counted(0, 0));
}

/* A pause publishes, is eager throughout, sections of callees included, and gives the section back. */
CASE(pause_is_eager_throughout)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();
	hm_lazy_mmu_pause_t pause;

	writes(1);
	pause = hm_lazy_mmu_pause();
	EXPECT(counted(1, 0));
	EXPECT(!hm_lazy_mmu_active());
	writes(2);
	EXPECT(counted(2, 0));
	{
		hm_lazy_mmu_token_t callee = hm_lazy_mmu_enter();

		EXPECT(!hm_lazy_mmu_active());
		writes(1);
		EXPECT(counted(1, 0));
		hm_lazy_mmu_leave(callee);
		EXPECT(counted(0, 0));
	}
	{
		hm_lazy_mmu_pause_t inner = hm_lazy_mmu_pause();

		hm_lazy_mmu_resume(inner);
		EXPECT(!hm_lazy_mmu_active());
	}
	hm_lazy_mmu_resume(pause);
	EXPECT(hm_lazy_mmu_active());
	writes(5);
	EXPECT(counted(0, 0));
	hm_lazy_mmu_leave(tok);
	EXPECT(counted(1, 0));
}

/* A pause outside any section holds callees' sections all the same. */
CASE(pause_outside_a_section)
{
	hm_lazy_mmu_pause_t pause = hm_lazy_mmu_pause();
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	EXPECT(!hm_lazy_mmu_active());
	hm_lazy_mmu_leave(tok);
	hm_lazy_mmu_resume(pause);
	tok = hm_lazy_mmu_enter();
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(tok);
	hm_context_assert_idle();
	EXPECT(counted(0, 0));
}

#ifdef HM_LAZY_MMU_SCOPE
static void return_from_scope(bool early)
{
	HM_LAZY_MMU_SCOPE(tok);

	writes(1);
	if (early)
		return;
	writes(1);
}

/* A scope is a section that ends however its block is left. */
CASE(scope_leaves_by_itself)
{
	return_from_scope(true);
	EXPECT(counted(1, 0));
	return_from_scope(false);
	EXPECT(counted(1, 0));
	EXPECT(!hm_lazy_mmu_active());
}
#endif

/* ---- exceptions ---- */

static void handler_that_writes(void)
{
	EXPECT(!hm_lazy_mmu_active());
	writes(2);
	in_handler = probe_read();
}

/* A handler's writes are eager, whatever it interrupted, and it leaves that as it was. */
CASE(handler_is_eager_and_disturbs_nothing)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	probe_interrupt(handler_that_writes);
	EXPECT(probe_paired(&in_handler, 2) && !in_handler.bugs);
	hm_lazy_mmu_flush();
	EXPECT(counted(0, 0)); /* nothing of the handler's is pending here */
	writes(1);
	probe_interrupt(handler_that_writes);
	EXPECT(in_handler.publish == 2);
	EXPECT(hm_lazy_mmu_active());
	EXPECT(counted(0, 0));
	hm_lazy_mmu_leave(tok);
	EXPECT(counted(1, 0)); /* what was pending before the interrupt still was */
}

static void handler_with_a_section(void)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	EXPECT(hm_lazy_mmu_active());
	writes(4);
	EXPECT(counted(0, 0));
	hm_lazy_mmu_leave(tok);
	EXPECT(counted(1, 0));
	EXPECT(!hm_lazy_mmu_active());
	saved_token = tok;
}

/* A handler may have sections of its own, in a section, in a pause, and outside both. */
CASE(handler_has_sections_of_its_own)
{
	hm_lazy_mmu_token_t tok;
	hm_lazy_mmu_pause_t pause;

	probe_interrupt(handler_with_a_section);
	tok = hm_lazy_mmu_enter();
	probe_interrupt(handler_with_a_section);
	pause = hm_lazy_mmu_pause();
	probe_interrupt(handler_with_a_section);
	EXPECT(!hm_lazy_mmu_active());
	hm_lazy_mmu_resume(pause);
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(tok);
	hm_context_assert_idle();
	EXPECT(counted(0, 0));
}

/* A token that a handler used up does not match a section opened later. */
CASE(generation_survives_an_exception)
{
	hm_lazy_mmu_token_t tok;

	probe_interrupt(handler_with_a_section);
	tok = hm_lazy_mmu_enter();
	hm_lazy_mmu_leave(saved_token);
	EXPECT(counted(0, 1));
	EXPECT(!hm_lazy_mmu_active());
	hm_lazy_mmu_leave(tok);
}

static void handler_that_leaves_the_interrupted_section(void)
{
	hm_lazy_mmu_leave(saved_token);
}

/* A handler cannot leave the section that it interrupted. */
CASE(handler_cannot_leave_what_it_interrupted)
{
	saved_token = hm_lazy_mmu_enter();
	writes(1);
	probe_interrupt(handler_that_leaves_the_interrupted_section);
	EXPECT(counted(0, 1));
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(saved_token);
	EXPECT(counted(1, 0));
}

static void handler_that_leaves_its_outermost_first(void)
{
	hm_lazy_mmu_token_t outer = hm_lazy_mmu_enter(), inner = hm_lazy_mmu_enter();

	(void)inner;
	writes(1);
	hm_lazy_mmu_leave(outer);
	EXPECT(counted(1, 1));
	hm_context_assert_idle();
	EXPECT(counted(0, 0));
}

/* A handler's misuse ends with its own outermost leave, and is not the interrupted section's. */
CASE(misuse_in_a_handler_stays_there)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	probe_interrupt(handler_that_leaves_its_outermost_first);
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(tok);
	EXPECT(counted(0, 0));
}

#if CONTRACT_EXCEPTION_PUSH
/* Exceptions nest: each handler starts eager, each return gives back what it took. */
CASE(exceptions_nest)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter(), inner;
	hm_context_exception_t irq, nmi;

	writes(1);
	irq = hm_context_exception_push();
	inner = hm_lazy_mmu_enter();
	writes(1);
	nmi = hm_context_exception_push();
	EXPECT(!hm_lazy_mmu_active());
	writes(1);
	EXPECT(counted(1, 0));
	hm_context_exception_pop(nmi);
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(inner);
	EXPECT(counted(1, 0));
	hm_context_exception_pop(irq);
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(tok);
	EXPECT(counted(1, 0));
}

/* Twenty exceptions deep still works: the depth that frames carry wraps. */
CASE(exceptions_nest_deeply)
{
	hm_context_exception_t frames[20];
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();
	unsigned int i;

	writes(1);
	for (i = 0; i < 20; i++) {
		frames[i] = hm_context_exception_push();
		hm_lazy_mmu_leave(hm_lazy_mmu_enter());
	}
	while (i--)
		hm_context_exception_pop(frames[i]);
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(tok);
	EXPECT(counted(1, 0));
}

/* A handler that forgets a leave is found at its return; what both wrote is published, and the interrupted
 * section is eager to its end. */
CASE(handler_that_forgets_a_leave_is_found)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter(), forgotten;
	hm_context_exception_t irq;

	writes(1);
	irq = hm_context_exception_push();
	forgotten = hm_lazy_mmu_enter();
	(void)forgotten;
	writes(1);
	hm_context_exception_pop(irq);
	EXPECT(counted(1, 1));
	EXPECT(!hm_lazy_mmu_active());
	writes(1);
	EXPECT(counted(1, 0));
	hm_lazy_mmu_leave(tok);
	tok = hm_lazy_mmu_enter();
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(tok);
	hm_context_assert_idle();
	EXPECT(counted(0, 0));
}

/* What either of them owes is enough to be published. */
CASE(handler_that_forgets_a_leave_loses_nothing)
{
	unsigned int who;

	for (who = 0; who < 3; who++) {
		hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter(), forgotten;
		hm_context_exception_t irq;

		writes(who == 1);
		irq = hm_context_exception_push();
		forgotten = hm_lazy_mmu_enter();
		(void)forgotten;
		writes(who == 2);
		hm_context_exception_pop(irq);
		EXPECT(counted(who != 0, 1));
		hm_lazy_mmu_leave(tok);
	}
	hm_context_assert_idle();
	EXPECT(counted(0, 0));
}

/* Over an idle context nothing is broken by it. */
CASE(handler_that_forgets_a_leave_over_an_idle_context)
{
	hm_context_exception_t irq = hm_context_exception_push();
	hm_lazy_mmu_token_t forgotten = hm_lazy_mmu_enter(), tok;

	(void)forgotten;
	hm_context_exception_pop(irq);
	EXPECT(counted(0, 1));
	tok = hm_lazy_mmu_enter();
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(tok);
	hm_context_assert_idle();
	EXPECT(counted(0, 0));
}

/* An exception token that comes back twice is reported and makes nothing lazy. */
CASE(exception_popped_twice_is_found)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();
	hm_context_exception_t irq = hm_context_exception_push();

	hm_context_exception_pop(irq);
	hm_lazy_mmu_leave(tok);
	hm_context_exception_pop(irq);
	EXPECT(counted(0, 1));
	EXPECT(!hm_lazy_mmu_active());
	writes(1);
	EXPECT(counted(1, 0));
}

/* An exception from an idle context, as from user mode, sets nothing aside and leaves nothing. */
CASE(exception_from_an_idle_context)
{
	hm_context_exception_t irq = hm_context_exception_push();

	writes(1);
	EXPECT(counted(1, 0));
	hm_context_exception_pop(irq);
	hm_context_assert_idle();
	EXPECT(counted(0, 0));
}
#endif

/* ---- contexts and switches ---- */

/* Each context has its own section; one's leave publishes nothing of the other's. */
CASE(contexts_are_independent)
{
	hm_lazy_mmu_token_t first = hm_lazy_mmu_enter(), second;

	writes(1);
	probe_run_on(1);
	EXPECT(!hm_lazy_mmu_active());
	second = hm_lazy_mmu_enter();
	probe_run_on(0);
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(first);
	EXPECT(counted(1, 0));
	probe_run_on(1);
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(second);
	EXPECT(counted(0, 0));
}

/* A switch orders the outgoing context's stores whether or not anything is known to be pending, and what the
 * context owes stays owed. */
CASE(switch_is_unconditional_and_pays_nothing)
{
	hm_lazy_mmu_token_t tok;
	hm_context_switch_t away;
	struct probe_counts counts;

	away = hm_context_switch_out();
	counts = probe_read();
	EXPECT(counts.switched == 1 && probe_paired(&counts, 0));
	hm_context_switch_in(away);
	counts = probe_read();
	EXPECT(!counts.switched && !counts.publish && counts.sync == 1);
	tok = hm_lazy_mmu_enter();
	writes(1);
	probe_read();
	away = hm_context_switch_out();
	EXPECT(!hm_lazy_mmu_active());
	counts = probe_read();
	EXPECT(counts.switched == 1 && probe_paired(&counts, 0));
	hm_context_switch_in(away);
	EXPECT(hm_lazy_mmu_active());
	counts = probe_read();
	EXPECT(!counts.switched && !counts.publish && counts.sync == 1);
	hm_lazy_mmu_leave(tok);
	EXPECT(counted(1, 0));
}

/* ---- misuse: reported once, published, eager until the outermost leave ---- */

/* An inner section that is left before the innermost. */
CASE(leave_out_of_order)
{
	hm_lazy_mmu_token_t a = hm_lazy_mmu_enter(), b = hm_lazy_mmu_enter(),
			    c = hm_lazy_mmu_enter();
	hm_lazy_mmu_token_t later;

	writes(1);
	hm_lazy_mmu_leave(b);
	EXPECT(counted(1, 1));
	EXPECT(!hm_lazy_mmu_active());
	writes(2);
	EXPECT(counted(2, 0));
	later = hm_lazy_mmu_enter();
	EXPECT(!hm_lazy_mmu_active());
	hm_lazy_mmu_leave(later);
	hm_lazy_mmu_leave(c);
	EXPECT(!hm_lazy_mmu_active());
	EXPECT(counted(0, 0));
	hm_lazy_mmu_leave(a);
	hm_context_assert_idle();
	EXPECT(counted(0, 0));
	later = hm_lazy_mmu_enter();
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(later);
	EXPECT(counted(0, 0));
}

/* The outermost section left before an inner one, as when the inner leave was forgotten: everything ends, and
 * the inner token, should it come, is reported by itself. */
CASE(leave_of_the_outermost_with_an_inner_open)
{
	hm_lazy_mmu_token_t a = hm_lazy_mmu_enter(), b = hm_lazy_mmu_enter();

	writes(1);
	hm_lazy_mmu_leave(a);
	EXPECT(counted(1, 1));
	EXPECT(!hm_lazy_mmu_active());
	hm_context_assert_idle();
	EXPECT(counted(0, 0));
	hm_lazy_mmu_leave(b);
	EXPECT(counted(0, 1));
	EXPECT(!hm_lazy_mmu_active());
}

/* A token used twice, with no section open. */
CASE(leave_twice_outside)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	hm_lazy_mmu_leave(tok);
	hm_lazy_mmu_leave(tok);
	EXPECT(counted(0, 1));
	hm_context_assert_idle();
	EXPECT(counted(0, 0));
}

/* An inner token used twice breaks the section around it, until that is left. */
CASE(leave_twice_inside)
{
	hm_lazy_mmu_token_t a = hm_lazy_mmu_enter(), b = hm_lazy_mmu_enter();

	hm_lazy_mmu_leave(b);
	writes(1);
	hm_lazy_mmu_leave(b);
	EXPECT(counted(1, 1));
	EXPECT(!hm_lazy_mmu_active());
	hm_lazy_mmu_leave(b);
	EXPECT(counted(0, 0)); /* reported once */
	hm_lazy_mmu_leave(a);
	a = hm_lazy_mmu_enter();
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(a);
	EXPECT(counted(0, 0));
}

/* A token of another context is told apart although that one has done the very same; it is broken here and
 * whole there. */
CASE(token_of_another_context)
{
	hm_lazy_mmu_token_t first = hm_lazy_mmu_enter(), second;

	writes(1);
	probe_run_on(1);
	second = hm_lazy_mmu_enter();
	writes(1);
	hm_lazy_mmu_leave(first);
	EXPECT(counted(1, 1));
	EXPECT(!hm_lazy_mmu_active());
	writes(1);
	EXPECT(counted(1, 0));
	hm_lazy_mmu_leave(second);
	hm_context_assert_idle();
	EXPECT(counted(0, 0));
	probe_run_on(0);
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(first);
	EXPECT(counted(1, 0));
}

/* A section that is never left is found where the context must be idle, and does not outlive that. */
CASE(forgotten_leave_is_found)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	writes(1);
	hm_context_assert_idle();
	EXPECT(counted(1, 1));
	EXPECT(!hm_lazy_mmu_active());
	hm_context_assert_idle();
	EXPECT(counted(0, 0));
	hm_lazy_mmu_leave(tok);
	EXPECT(counted(0, 1));
}

/* It is found also if nothing was written in it. */
CASE(forgotten_leave_of_an_empty_section_is_found)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	(void)tok;
	hm_context_assert_idle();
	EXPECT(counted(0, 1));
	EXPECT(!hm_lazy_mmu_active());
}

/* A pause that is never resumed is found by the leave around it. */
CASE(forgotten_resume_is_found)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();
	hm_lazy_mmu_pause_t pause = hm_lazy_mmu_pause();

	hm_lazy_mmu_leave(tok);
	EXPECT(counted(0, 1));
	hm_lazy_mmu_resume(pause);
	EXPECT(counted(0, 1));
	hm_context_assert_idle();
	EXPECT(counted(0, 0));
}

/* A pause resumed twice breaks the section around it, like any token used twice. */
CASE(resume_twice)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();
	hm_lazy_mmu_pause_t pause = hm_lazy_mmu_pause();

	hm_lazy_mmu_resume(pause);
	writes(1);
	hm_lazy_mmu_resume(pause);
	EXPECT(counted(1, 1));
	EXPECT(!hm_lazy_mmu_active());
	pause = hm_lazy_mmu_pause(); /* has no effect in what is broken, nor has its end */
	hm_lazy_mmu_resume(pause);
	EXPECT(!hm_lazy_mmu_active());
	hm_lazy_mmu_leave(tok);
	hm_context_assert_idle();
	EXPECT(counted(0, 0));
}

/* What was entered or paused while broken changed nothing, so its end changes nothing, however late it
 * comes. */
CASE(late_leave_of_what_was_entered_while_broken)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter(), twice = hm_lazy_mmu_enter(), late;
	hm_lazy_mmu_pause_t late_pause;

	hm_lazy_mmu_leave(twice);
	hm_lazy_mmu_leave(twice);
	EXPECT(counted(0, 1));
	late = hm_lazy_mmu_enter();
	late_pause = hm_lazy_mmu_pause();
	hm_lazy_mmu_leave(tok);
	tok = hm_lazy_mmu_enter();
	hm_lazy_mmu_resume(late_pause);
	hm_lazy_mmu_leave(late);
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(tok);
	EXPECT(counted(0, 0));
}

/* A token of zeroes, as from a variable that no enter filled, changes nothing where nothing is open, and is
 * no token of an open section. */
CASE(empty_token)
{
	const hm_lazy_mmu_token_t none = { 0, 0 };
	hm_lazy_mmu_token_t tok;

	hm_lazy_mmu_leave(none);
	EXPECT(counted(0, 0));
	tok = hm_lazy_mmu_enter();
	EXPECT(hm_lazy_mmu_active());
	writes(1);
	hm_lazy_mmu_leave(none);
	EXPECT(counted(1, 1));
	EXPECT(!hm_lazy_mmu_active());
	hm_lazy_mmu_leave(tok);
	hm_context_assert_idle();
	EXPECT(counted(0, 0));
}
