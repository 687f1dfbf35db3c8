/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * lazy_mmu.c -- what every port must get from lazy_mmu.h. A "write" here is what an entry writer
 * tells the module after a store: hm_lazy_mmu_queue(). Exceptions and switches are in context.c.
 */
#include "probe.h"
#include "suite.h"
#include <hardmap/lazy_mmu.h>

static void suite_setup(void)
{
	probe_reset();
}

/* A write outside any section is published at once. */
CASE(write_outside_a_section_is_eager)
{
	EXPECT(!hm_lazy_mmu_active());
	probe_writes(3);
	EXPECT(probe_counted(3, 0));
}

/* A section publishes everything once, at its end. */
CASE(section_publishes_once)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	EXPECT(hm_lazy_mmu_active());
	probe_writes(100);
	EXPECT(probe_counted(0, 0));
	hm_lazy_mmu_leave(tok);
	EXPECT(probe_counted(1, 0));
	EXPECT(!hm_lazy_mmu_active());
	probe_writes(1);
	EXPECT(probe_counted(1, 0));
}

/* A section in which nothing was written publishes nothing. */
CASE(empty_section_publishes_nothing)
{
	hm_lazy_mmu_leave(hm_lazy_mmu_enter());
	EXPECT(probe_counted(0, 0));
}

/* Leaving an inner section publishes all that is pending, the outer one's too, and the outer stays lazy. */
CASE(inner_leave_publishes_and_the_outer_stays_lazy)
{
	hm_lazy_mmu_token_t outer = hm_lazy_mmu_enter();

	probe_writes(1);
	{
		hm_lazy_mmu_token_t inner = hm_lazy_mmu_enter();

		EXPECT(probe_counted(0, 0));
		hm_lazy_mmu_leave(inner);
		EXPECT(probe_counted(1, 0));
	}
	EXPECT(hm_lazy_mmu_active());
	{
		hm_lazy_mmu_token_t inner = hm_lazy_mmu_enter();

		hm_lazy_mmu_leave(inner);
		EXPECT(probe_counted(0, 0));
	}
	probe_writes(2);
	EXPECT(probe_counted(0, 0));
	hm_lazy_mmu_leave(outer);
	EXPECT(probe_counted(1, 0));
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

	probe_writes(1);
	nest(300);
	hm_lazy_mmu_leave(tok);
	EXPECT(probe_counted(1, 0));
	EXPECT(!hm_lazy_mmu_active());
}

/* A flush publishes what is pending, and only that; the section goes on. */
CASE(flush_publishes_and_stays)
{
	hm_lazy_mmu_token_t tok;

	hm_lazy_mmu_flush();
	EXPECT(probe_counted(0, 0));
	tok = hm_lazy_mmu_enter();
	hm_lazy_mmu_flush();
	EXPECT(probe_counted(0, 0));
	probe_writes(2);
	hm_lazy_mmu_flush();
	EXPECT(probe_counted(1, 0));
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_flush();
	hm_lazy_mmu_leave(tok);
	EXPECT(probe_counted(0, 0));
}

/* A pause publishes, is eager throughout, sections of callees included, and gives the section back. */
CASE(pause_is_eager_throughout)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();
	hm_lazy_mmu_pause_t pause;

	probe_writes(1);
	pause = hm_lazy_mmu_pause();
	EXPECT(probe_counted(1, 0));
	EXPECT(!hm_lazy_mmu_active());
	probe_writes(2);
	EXPECT(probe_counted(2, 0));
	{
		hm_lazy_mmu_token_t callee = hm_lazy_mmu_enter();

		EXPECT(!hm_lazy_mmu_active());
		probe_writes(1);
		EXPECT(probe_counted(1, 0));
		hm_lazy_mmu_leave(callee);
		EXPECT(probe_counted(0, 0));
	}
	{
		hm_lazy_mmu_pause_t inner = hm_lazy_mmu_pause();

		hm_lazy_mmu_resume(inner);
		EXPECT(!hm_lazy_mmu_active());
	}
	hm_lazy_mmu_resume(pause);
	EXPECT(hm_lazy_mmu_active());
	probe_writes(5);
	EXPECT(probe_counted(0, 0));
	hm_lazy_mmu_leave(tok);
	EXPECT(probe_counted(1, 0));
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
	EXPECT(probe_counted(0, 0));
}

#ifdef HM_LAZY_MMU_SCOPE
static void return_from_scope(bool early)
{
	HM_LAZY_MMU_SCOPE(tok);

	probe_writes(1);
	if (early)
		return;
	probe_writes(1);
}

/* A scope is a section that ends however its block is left. */
CASE(scope_leaves_by_itself)
{
	return_from_scope(true);
	EXPECT(probe_counted(1, 0));
	return_from_scope(false);
	EXPECT(probe_counted(1, 0));
	EXPECT(!hm_lazy_mmu_active());
}
#endif

/* ---- misuse: reported once, published, eager until the outermost leave ---- */

/* An inner section that is left before the innermost. */
CASE(leave_out_of_order)
{
	hm_lazy_mmu_token_t a = hm_lazy_mmu_enter(), b = hm_lazy_mmu_enter(),
			    c = hm_lazy_mmu_enter();
	hm_lazy_mmu_token_t later;

	probe_writes(1);
	hm_lazy_mmu_leave(b);
	EXPECT(probe_counted(1, 1));
	EXPECT(!hm_lazy_mmu_active());
	probe_writes(2);
	EXPECT(probe_counted(2, 0));
	later = hm_lazy_mmu_enter();
	EXPECT(!hm_lazy_mmu_active());
	hm_lazy_mmu_leave(later);
	hm_lazy_mmu_leave(c);
	EXPECT(!hm_lazy_mmu_active());
	EXPECT(probe_counted(0, 0));
	hm_lazy_mmu_leave(a);
	hm_context_assert_idle();
	EXPECT(probe_counted(0, 0));
	later = hm_lazy_mmu_enter();
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(later);
	EXPECT(probe_counted(0, 0));
}

/* The outermost section left before an inner one, as when the inner leave was forgotten: everything ends, and
 * the inner token, should it come, is reported by itself. */
CASE(leave_of_the_outermost_with_an_inner_open)
{
	hm_lazy_mmu_token_t a = hm_lazy_mmu_enter(), b = hm_lazy_mmu_enter();

	probe_writes(1);
	hm_lazy_mmu_leave(a);
	EXPECT(probe_counted(1, 1));
	EXPECT(!hm_lazy_mmu_active());
	hm_context_assert_idle();
	EXPECT(probe_counted(0, 0));
	hm_lazy_mmu_leave(b);
	EXPECT(probe_counted(0, 1));
	EXPECT(!hm_lazy_mmu_active());
}

/* A token used twice, with no section open. */
CASE(leave_twice_outside)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	hm_lazy_mmu_leave(tok);
	hm_lazy_mmu_leave(tok);
	EXPECT(probe_counted(0, 1));
	hm_context_assert_idle();
	EXPECT(probe_counted(0, 0));
}

/* An inner token used twice breaks the section around it, until that is left. */
CASE(leave_twice_inside)
{
	hm_lazy_mmu_token_t a = hm_lazy_mmu_enter(), b = hm_lazy_mmu_enter();

	hm_lazy_mmu_leave(b);
	probe_writes(1);
	hm_lazy_mmu_leave(b);
	EXPECT(probe_counted(1, 1));
	EXPECT(!hm_lazy_mmu_active());
	hm_lazy_mmu_leave(b);
	EXPECT(probe_counted(0, 0)); /* reported once */
	hm_lazy_mmu_leave(a);
	a = hm_lazy_mmu_enter();
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(a);
	EXPECT(probe_counted(0, 0));
}

/* A token of another context is told apart although that one has done the very same; it is broken here and
 * whole there. */
CASE(token_of_another_context)
{
	hm_lazy_mmu_token_t first = hm_lazy_mmu_enter(), second;

	probe_writes(1);
	probe_run_on(1);
	second = hm_lazy_mmu_enter();
	probe_writes(1);
	hm_lazy_mmu_leave(first);
	EXPECT(probe_counted(1, 1));
	EXPECT(!hm_lazy_mmu_active());
	probe_writes(1);
	EXPECT(probe_counted(1, 0));
	hm_lazy_mmu_leave(second);
	hm_context_assert_idle();
	EXPECT(probe_counted(0, 0));
	probe_run_on(0);
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(first);
	EXPECT(probe_counted(1, 0));
}

/* A pause that is never resumed is found by the leave around it. */
CASE(forgotten_resume_is_found)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();
	hm_lazy_mmu_pause_t pause = hm_lazy_mmu_pause();

	hm_lazy_mmu_leave(tok);
	EXPECT(probe_counted(0, 1));
	hm_lazy_mmu_resume(pause);
	EXPECT(probe_counted(0, 1));
	hm_context_assert_idle();
	EXPECT(probe_counted(0, 0));
}

/* A pause resumed twice breaks the section around it, like any token used twice. */
CASE(resume_twice)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();
	hm_lazy_mmu_pause_t pause = hm_lazy_mmu_pause();

	hm_lazy_mmu_resume(pause);
	probe_writes(1);
	hm_lazy_mmu_resume(pause);
	EXPECT(probe_counted(1, 1));
	EXPECT(!hm_lazy_mmu_active());
	pause = hm_lazy_mmu_pause(); /* its end is not the end of what is broken */
	hm_lazy_mmu_resume(pause);
	EXPECT(!hm_lazy_mmu_active());
	hm_lazy_mmu_leave(tok);
	hm_context_assert_idle();
	EXPECT(probe_counted(0, 0));
}

/* A section that was entered while broken opened nothing: its end closes nothing, however late it comes. */
CASE(late_leave_of_what_was_entered_while_broken)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter(), twice = hm_lazy_mmu_enter(), late;

	hm_lazy_mmu_leave(twice);
	hm_lazy_mmu_leave(twice);
	EXPECT(probe_counted(0, 1));
	late = hm_lazy_mmu_enter();
	hm_lazy_mmu_leave(tok);
	tok = hm_lazy_mmu_enter();
	hm_lazy_mmu_leave(late);
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(tok);
	EXPECT(probe_counted(0, 0));
}

/* A pause is one then, too, and is found where its end does not come in time. */
CASE(late_resume_of_what_was_paused_while_broken)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter(), twice = hm_lazy_mmu_enter();
	hm_lazy_mmu_pause_t late;

	hm_lazy_mmu_leave(twice);
	hm_lazy_mmu_leave(twice);
	late = hm_lazy_mmu_pause();
	hm_lazy_mmu_leave(tok);
	hm_context_assert_idle();
	EXPECT(probe_counted(0, 1));
	tok = hm_lazy_mmu_enter();
	EXPECT(hm_lazy_mmu_active());
	probe_writes(1);
	hm_lazy_mmu_resume(late);
	EXPECT(probe_counted(1, 1));
	EXPECT(!hm_lazy_mmu_active());
	hm_lazy_mmu_leave(tok);
	hm_context_assert_idle();
	EXPECT(probe_counted(0, 0));
}

/* A token of zeroes, as from a variable that no enter filled, changes nothing where nothing is open, reported
 * or not, and is no token of an open section. */
CASE(empty_token)
{
	const hm_lazy_mmu_token_t none = { 0, 0 };
	hm_lazy_mmu_token_t tok;
	struct probe_counts counts;

	hm_lazy_mmu_leave(none);
	counts = probe_read();
	EXPECT(probe_paired(&counts, 0) && counts.bugs <= 1);
	tok = hm_lazy_mmu_enter();
	EXPECT(hm_lazy_mmu_active());
	probe_writes(1);
	hm_lazy_mmu_leave(none);
	EXPECT(probe_counted(1, 1));
	EXPECT(!hm_lazy_mmu_active());
	hm_lazy_mmu_leave(tok);
	hm_context_assert_idle();
	EXPECT(probe_counted(0, 0));
}
