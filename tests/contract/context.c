/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * context.c -- what every port must get from context.h: exceptions, switches and idle contexts, seen by the
 * sections of lazy_mmu.h that they come upon. Levels are in kpkeys.c.
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

/* A section publishes what was written in it, once: nothing that came before is left over. */
static bool section_works(void)
{
	hm_lazy_mmu_token_t tok;
	bool lazy;

	probe_read();
	tok = hm_lazy_mmu_enter();
	lazy = hm_lazy_mmu_active();
	probe_writes(2);
	lazy &= !probe_read().publish;
	hm_lazy_mmu_leave(tok);
	return lazy && probe_read().publish == 1 && !hm_lazy_mmu_active();
}

/* ---- exceptions ---- */

static void handler_that_writes(void)
{
	EXPECT(!hm_lazy_mmu_active());
	probe_writes(2);
	in_handler = probe_read();
}

/* A handler's writes are eager, whatever it interrupted, and it leaves that as it was. */
CASE(handler_is_eager_and_disturbs_nothing)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	probe_interrupt(handler_that_writes);
	EXPECT(probe_paired(&in_handler, 2) && !in_handler.bugs);
	hm_lazy_mmu_flush();
	EXPECT(probe_counted(0, 0)); /* nothing of the handler's is pending here */
	probe_writes(1);
	probe_interrupt(handler_that_writes);
	EXPECT(in_handler.publish == 2);
	EXPECT(hm_lazy_mmu_active());
	EXPECT(probe_counted(0, 0));
	hm_lazy_mmu_leave(tok);
	EXPECT(probe_counted(1, 0)); /* what was pending before the interrupt still was */
}

static void handler_that_flushes(void)
{
	hm_lazy_mmu_flush();
	EXPECT(probe_read().publish == 0);
}

/* A handler's flush is of what the handler owes, not of what it interrupted. */
CASE(handler_does_not_pay_for_what_it_interrupted)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	probe_writes(1);
	probe_interrupt(handler_that_flushes);
	hm_lazy_mmu_leave(tok);
	EXPECT(probe_counted(1, 0));
}

static void handler_with_a_section(void)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	EXPECT(hm_lazy_mmu_active());
	probe_writes(4);
	EXPECT(probe_counted(0, 0));
	hm_lazy_mmu_leave(tok);
	EXPECT(probe_counted(1, 0));
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
	EXPECT(probe_counted(0, 0));
}

static void handler_with_a_pause(void)
{
	hm_lazy_mmu_pause_t pause = hm_lazy_mmu_pause();
	hm_lazy_mmu_token_t held = hm_lazy_mmu_enter();

	EXPECT(!hm_lazy_mmu_active());
	hm_lazy_mmu_leave(held);
	hm_lazy_mmu_resume(pause);
	handler_with_a_section();
}

/* A handler's pause holds the handler's sections only. */
CASE(handler_has_pauses_of_its_own)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	probe_writes(1);
	probe_interrupt(handler_with_a_pause);
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(tok);
	EXPECT(probe_counted(1, 0));
}

/* A token that a handler used up does not match a section opened later. */
CASE(generation_survives_an_exception)
{
	hm_lazy_mmu_token_t tok;

	probe_interrupt(handler_with_a_section);
	tok = hm_lazy_mmu_enter();
	hm_lazy_mmu_leave(saved_token);
	EXPECT(probe_counted(0, 1));
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
	probe_writes(1);
	probe_interrupt(handler_that_leaves_the_interrupted_section);
	EXPECT(probe_counted(0, 1));
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(saved_token);
	EXPECT(probe_counted(1, 0));
}

static void handler_that_leaves_its_outermost_first(void)
{
	hm_lazy_mmu_token_t outer = hm_lazy_mmu_enter(), inner = hm_lazy_mmu_enter();

	(void)inner;
	probe_writes(1);
	hm_lazy_mmu_leave(outer);
	EXPECT(probe_counted(1, 1));
	hm_context_assert_idle();
	EXPECT(probe_counted(0, 0));
}

/* A handler's misuse ends with its own outermost leave, and is not the interrupted section's. */
CASE(misuse_in_a_handler_stays_there)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	probe_interrupt(handler_that_leaves_its_outermost_first);
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(tok);
	EXPECT(probe_counted(0, 0));
}

/* A misuse of the interrupted code is not the handler's: its sections are lazy all the same. */
CASE(misuse_does_not_reach_into_a_handler)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter(), twice = hm_lazy_mmu_enter();

	hm_lazy_mmu_leave(twice);
	hm_lazy_mmu_leave(twice);
	EXPECT(probe_counted(0, 1));
	probe_interrupt(handler_with_a_section);
	EXPECT(!hm_lazy_mmu_active());
	hm_lazy_mmu_leave(tok);
	hm_context_assert_idle();
	EXPECT(probe_counted(0, 0));
}

#if CONTRACT_EXCEPTION_PUSH
/* Exceptions nest: each handler starts eager, each return gives back what it took. */
CASE(exceptions_nest)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter(), inner;
	hm_context_exception_t irq, nmi;

	probe_writes(1);
	irq = hm_context_exception_push();
	inner = hm_lazy_mmu_enter();
	probe_writes(1);
	nmi = hm_context_exception_push();
	EXPECT(!hm_lazy_mmu_active());
	probe_writes(1);
	EXPECT(probe_counted(1, 0));
	hm_context_exception_pop(nmi);
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(inner);
	EXPECT(probe_counted(1, 0));
	hm_context_exception_pop(irq);
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(tok);
	EXPECT(probe_counted(1, 0));
}

/* Twenty exceptions deep still works: the depth that frames carry wraps. */
CASE(exceptions_nest_deeply)
{
	hm_context_exception_t frames[20];
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();
	unsigned int i;

	probe_writes(1);
	for (i = 0; i < 20; i++) {
		frames[i] = hm_context_exception_push();
		hm_lazy_mmu_leave(hm_lazy_mmu_enter());
	}
	while (i--)
		hm_context_exception_pop(frames[i]);
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(tok);
	EXPECT(probe_counted(1, 0));
}

/* A handler that forgets a leave is found at its return; what both wrote is published, and the interrupted
 * section is eager to its end. */
CASE(handler_that_forgets_a_leave_is_found)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter(), forgotten;
	hm_context_exception_t irq;

	probe_writes(1);
	irq = hm_context_exception_push();
	forgotten = hm_lazy_mmu_enter();
	(void)forgotten;
	probe_writes(1);
	hm_context_exception_pop(irq);
	EXPECT(probe_counted(1, 1));
	EXPECT(!hm_lazy_mmu_active());
	probe_writes(1);
	EXPECT(probe_counted(1, 0));
	hm_lazy_mmu_leave(tok);
	tok = hm_lazy_mmu_enter();
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(tok);
	hm_context_assert_idle();
	EXPECT(probe_counted(0, 0));
}

/* What either of them owes is enough to be published. */
CASE(handler_that_forgets_a_leave_loses_nothing)
{
	unsigned int who;

	for (who = 0; who < 3; who++) {
		hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter(), forgotten;
		hm_context_exception_t irq;

		probe_writes(who == 1);
		irq = hm_context_exception_push();
		forgotten = hm_lazy_mmu_enter();
		(void)forgotten;
		probe_writes(who == 2);
		hm_context_exception_pop(irq);
		EXPECT(probe_counted(who != 0, 1));
		hm_lazy_mmu_leave(tok);
	}
	hm_context_assert_idle();
	EXPECT(probe_counted(0, 0));
}

/* Over an idle context nothing is broken by it. */
CASE(handler_that_forgets_a_leave_over_an_idle_context)
{
	hm_context_exception_t irq = hm_context_exception_push();
	hm_lazy_mmu_token_t forgotten = hm_lazy_mmu_enter(), tok;

	(void)forgotten;
	hm_context_exception_pop(irq);
	EXPECT(probe_counted(0, 1));
	tok = hm_lazy_mmu_enter();
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(tok);
	hm_context_assert_idle();
	EXPECT(probe_counted(0, 0));
}

/* An exception token that comes back twice is reported and makes nothing lazy. */
CASE(exception_popped_twice_is_found)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();
	hm_context_exception_t irq = hm_context_exception_push();

	hm_context_exception_pop(irq);
	hm_lazy_mmu_leave(tok);
	hm_context_exception_pop(irq);
	EXPECT(probe_counted(0, 1));
	EXPECT(!hm_lazy_mmu_active());
	probe_writes(1);
	EXPECT(probe_counted(1, 0));
}

/* So is the outer one of two that comes back first; the inner one after it, too. */
CASE(exceptions_popped_out_of_order_are_found)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();
	hm_context_exception_t irq, nmi;

	probe_writes(1);
	irq = hm_context_exception_push();
	nmi = hm_context_exception_push();
	hm_context_exception_pop(irq);
	EXPECT(probe_counted(1, 1));
	EXPECT(!hm_lazy_mmu_active());
	hm_context_exception_pop(nmi);
	EXPECT(probe_counted(0, 1));
	EXPECT(!hm_lazy_mmu_active());
	hm_lazy_mmu_leave(tok);
	EXPECT(!hm_lazy_mmu_active());
	probe_writes(1);
	EXPECT(probe_read().publish == 1);
}

/* An exception from an idle context, as from user mode, sets nothing aside and leaves nothing. */
CASE(exception_from_an_idle_context)
{
	hm_context_exception_t irq = hm_context_exception_push();

	probe_writes(1);
	EXPECT(probe_counted(1, 0));
	hm_context_exception_pop(irq);
	hm_context_assert_idle();
	EXPECT(probe_counted(0, 0));
}

/* An interrupt that preempts a section: the handler switches, another context has a section, and both come
 * back to what they were in the middle of. */
CASE(section_is_preempted)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();
	hm_context_exception_t irq;

	probe_writes(1);
	irq = hm_context_exception_push();
	probe_run_on(1);
	EXPECT(section_works());
	hm_context_assert_idle();
	probe_run_on(0);
	EXPECT(!hm_lazy_mmu_active());
	hm_context_exception_pop(irq);
	EXPECT(hm_lazy_mmu_active());
	EXPECT(probe_counted(0, 0));
	hm_lazy_mmu_leave(tok);
	EXPECT(probe_counted(1, 0));
}
#endif

/* ---- contexts and switches ---- */

/* Each context has its own section; one's leave publishes nothing of the other's. */
CASE(contexts_are_independent)
{
	hm_lazy_mmu_token_t first = hm_lazy_mmu_enter(), second;

	probe_writes(1);
	probe_run_on(1);
	EXPECT(!hm_lazy_mmu_active());
	second = hm_lazy_mmu_enter();
	probe_run_on(0);
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(first);
	EXPECT(probe_counted(1, 0));
	probe_run_on(1);
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(second);
	EXPECT(probe_counted(0, 0));
}

/* A pause is one context's own. */
CASE(pause_holds_one_context)
{
	hm_lazy_mmu_pause_t pause = hm_lazy_mmu_pause();

	probe_run_on(1);
	EXPECT(section_works());
	probe_run_on(0);
	hm_lazy_mmu_resume(pause);
	EXPECT(section_works());
	EXPECT(probe_counted(0, 0));
}

/* A switch orders the outgoing context's stores whether or not anything is known to be pending, and what the
 * context owes stays owed. Coming back orders keyed stores after what the scheduler did. */
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
	EXPECT(counts.keyed_orders == (hm_kpkeys_style() == HM_KEY_STYLE_STORE));
	tok = hm_lazy_mmu_enter();
	probe_writes(1);
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
	EXPECT(probe_counted(1, 0));
}

/* What the scheduler writes between the halves of a switch is published at once. */
CASE(writes_between_the_halves_of_a_switch_are_eager)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();
	hm_context_switch_t away = hm_context_switch_out();

	probe_read();
	probe_writes(2);
	EXPECT(probe_counted(2, 0));
	hm_context_switch_in(away);
	probe_read();
	hm_lazy_mmu_leave(tok);
	EXPECT(probe_counted(0, 0));
}

/* A pause holds what is entered between the halves of a switch, and a misuse found before it is not forgotten
 * by it. */
CASE(switch_of_what_is_held)
{
	hm_lazy_mmu_token_t outer = hm_lazy_mmu_enter(), inner;
	hm_lazy_mmu_pause_t pause = hm_lazy_mmu_pause();
	hm_context_switch_t away = hm_context_switch_out();

	inner = hm_lazy_mmu_enter();
	EXPECT(!hm_lazy_mmu_active());
	hm_lazy_mmu_leave(inner);
	hm_context_switch_in(away);
	hm_lazy_mmu_resume(pause);
	EXPECT(hm_lazy_mmu_active());
	inner = hm_lazy_mmu_enter();
	hm_lazy_mmu_leave(inner);
	hm_lazy_mmu_leave(inner);
	EXPECT(probe_read().bugs == 1);
	away = hm_context_switch_out();
	inner = hm_lazy_mmu_enter();
	EXPECT(!hm_lazy_mmu_active());
	hm_lazy_mmu_leave(inner);
	hm_context_switch_in(away);
	EXPECT(!hm_lazy_mmu_active());
	hm_lazy_mmu_leave(outer);
	EXPECT(!probe_read().bugs);
	EXPECT(section_works());
}

/* A context that is switched in twice, or by the token of another, is found; it is eager until its outermost
 * leave. */
CASE(switched_in_twice)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();
	hm_context_switch_t away = hm_context_switch_out();

	probe_writes(1);
	hm_context_switch_in(away);
	probe_writes(1);
	probe_read();
	hm_context_switch_in(away);
	EXPECT(probe_read().bugs == 1);
	EXPECT(!hm_lazy_mmu_active());
	probe_writes(1);
	EXPECT(probe_counted(1, 0));
	hm_lazy_mmu_leave(tok);
	hm_context_assert_idle();
	EXPECT(probe_counted(0, 0));
	EXPECT(section_works());
}

CASE(switched_in_by_the_token_of_another)
{
	hm_context_switch_t away = hm_context_switch_out();
	hm_lazy_mmu_token_t tok;

	hm_context_switch_in(away);
	probe_run_on(1);
	tok = hm_lazy_mmu_enter();
	probe_writes(1);
	probe_read();
	hm_context_switch_in(away);
	EXPECT(probe_read().bugs == 1);
	EXPECT(!hm_lazy_mmu_active());
	hm_lazy_mmu_leave(tok);
	hm_context_assert_idle();
	EXPECT(section_works());
}

/* A section that is left between the halves of a switch is not the innermost frame: found, and everything is
 * published. */
CASE(section_left_between_the_halves_of_a_switch)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();
	hm_context_switch_t away;

	probe_writes(1);
	away = hm_context_switch_out();
	probe_read();
	hm_lazy_mmu_leave(tok);
	EXPECT(probe_counted(1, 1));
	hm_context_switch_in(away);
	EXPECT(probe_read().bugs == 1);
	EXPECT(!hm_lazy_mmu_active());
	hm_context_assert_idle();
	EXPECT(section_works());
}

/* ---- idle contexts ---- */

/* A context that is idle says so at no cost, however often. */
CASE(idle_context_is_found_idle)
{
	hm_context_assert_idle();
	EXPECT(section_works());
	hm_context_assert_idle();
	hm_context_assert_idle();
	EXPECT(probe_counted(0, 0));
}

/* A section that is never left is found where the context must be idle, and does not outlive that. */
CASE(forgotten_leave_is_found)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	probe_writes(1);
	hm_context_assert_idle();
	EXPECT(probe_counted(1, 1));
	EXPECT(!hm_lazy_mmu_active());
	hm_context_assert_idle();
	EXPECT(probe_counted(0, 0));
	hm_lazy_mmu_leave(tok);
	EXPECT(probe_counted(0, 1));
}

/* It is found also if nothing was written in it. */
CASE(forgotten_leave_of_an_empty_section_is_found)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	(void)tok;
	hm_context_assert_idle();
	EXPECT(probe_counted(0, 1));
	EXPECT(!hm_lazy_mmu_active());
	EXPECT(section_works());
}

/* So are a pause that is never resumed, and a switch whose second half is missing. */
CASE(forgotten_resume_and_switch_in_are_found)
{
	hm_lazy_mmu_pause_t pause = hm_lazy_mmu_pause();
	hm_context_switch_t away;

	(void)pause;
	hm_context_assert_idle();
	EXPECT(probe_counted(0, 1));
	EXPECT(section_works());
	away = hm_context_switch_out();
	(void)away;
	probe_read();
	hm_context_assert_idle();
	EXPECT(probe_counted(0, 1));
	EXPECT(section_works());
}

/* Where a misuse was found and the outermost leave never comes, the idle context ends it. */
CASE(idle_context_ends_what_is_broken)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter(), twice = hm_lazy_mmu_enter();

	(void)tok;
	hm_lazy_mmu_leave(twice);
	hm_lazy_mmu_leave(twice);
	EXPECT(probe_counted(0, 1));
	hm_context_assert_idle();
	EXPECT(probe_counted(0, 1));
	EXPECT(section_works());
}

/* Memory of a context that ended in a section, and never came back from its last switch, serves another one:
 * that one starts idle, owes nothing, and the old one's tokens do not fit. */
CASE(memory_of_an_ended_context)
{
	hm_lazy_mmu_token_t old = hm_lazy_mmu_enter(), tok;
	hm_context_switch_t away;

	probe_writes(1);
	away = hm_context_switch_out();
	(void)away;
	hm_context_reuse(hm_port_context());
	probe_read();
	hm_context_assert_idle();
	EXPECT(probe_counted(0, 0));
	EXPECT(section_works());
	tok = hm_lazy_mmu_enter();
	hm_lazy_mmu_leave(old);
	EXPECT(probe_counted(0, 1));
	hm_lazy_mmu_leave(tok);
	EXPECT(section_works());
}
