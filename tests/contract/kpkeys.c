/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * kpkeys.c -- what every port must get from kpkeys.h, and from the other modules where levels are open: which
 * keys each level opens, what that costs, who gives it back. Where there is no key register every key is
 * open always; then this is about tokens.
 */
#include "probe.h"
#include "suite.h"
#include <hardmap/kpkeys.h>

#define PGTABLES (1u << HM_KEY_PGTABLES)
#define TEXT (1u << HM_KEY_TEXT)
#define EVERYTHING (~0u)

#if HM_CONTEXT_HAS_WINDOW_
#define KEYS HM_PORT_KPKEYS
#else
#define KEYS 3
#endif

#ifdef PROBE_LEVEL
HM_KPKEYS_ENTER(enter_own, PROBE_LEVEL)
#endif

static const struct {
	hm_kpkeys_token_t (*enter)(void);
	unsigned int keys; /* that it opens */
} levels[] = {
	{ hm_kpkeys_enter_default, 0 }, { hm_kpkeys_enter_pgtables, PGTABLES },
	{ hm_kpkeys_enter_text, TEXT }, { hm_kpkeys_enter_unrestricted, EVERYTHING },
#ifdef PROBE_LEVEL
	{ enter_own, 1u << PROBE_KEY },
#endif
};
#define LEVELS (sizeof(levels) / sizeof(*levels))

static hm_kpkeys_token_t saved_token;

static void suite_setup(void)
{
	probe_reset();
}

static bool has_window(void)
{
	return hm_kpkeys_style() == HM_KEY_STYLE_WINDOW;
}

/* Where there is a register, these keys are open, key 0 is, and no other; with store keys only key 0 is. */
static bool opens(unsigned int keys)
{
	unsigned int key;

	for (key = 0; key < KEYS; key++) {
		bool open = hm_kpkeys_style() == HM_KEY_STYLE_NONE || key == HM_KEY_DEFAULT ||
			    (has_window() && (keys >> key & 1));

		if (probe_opens(key) != open)
			return false;
	}
	return true;
}

/* Since the last look: so many writes of the key register, synchronisations and publications, and no bug.
 * Where there is no register, it is not written, and each publication has a synchronisation. */
static bool costs(unsigned int key_writes, unsigned int syncs, unsigned int publications)
{
	struct probe_counts counts = probe_read();

	if (!has_window()) {
		key_writes = 0;
		syncs = publications;
	}
	return counts.key_writes == key_writes && counts.sync == syncs &&
	       counts.publish == publications && !counts.bugs;
}

static unsigned int bugs(void)
{
	return probe_read().bugs;
}

static void set_entry(void)
{
	hm_pte_set(probe_table(0), probe_kernel_page(1));
}

/* Entries written now are guarded and published each by itself, at that level. */
static bool eager(unsigned int keys)
{
	struct probe_counts counts;

	probe_read();
	set_entry();
	counts = probe_read();
	return counts.publish == 1 && counts.stores == 1 && !counts.bugs && opens(keys);
}

/* Nothing of what came before is left over: a section batches, an entry outside is guarded, and at the end
 * nothing is open. */
static bool starts_afresh(void)
{
	hm_lazy_mmu_token_t tok;
	struct probe_counts counts;

	hm_context_assert_idle();
	probe_read();
	tok = hm_lazy_mmu_enter();
	set_entry();
	if (!hm_lazy_mmu_active() || !opens(PGTABLES))
		return false;
	hm_lazy_mmu_leave(tok);
	set_entry();
	hm_context_assert_idle();
	counts = probe_read();
	return opens(0) && counts.publish == 2 && counts.stores == 2 && !counts.bugs;
}

/* ---- levels ---- */

/* Outside of any level and section no key but 0 is open. */
CASE(default_level)
{
	EXPECT(opens(0));
}

/* Each level opens its keys and no other, and its leave closes them. */
CASE(level_opens_its_keys)
{
	unsigned int i;

	for (i = 0; i < LEVELS; i++) {
		hm_kpkeys_token_t tok = levels[i].enter();

		EXPECT(opens(levels[i].keys));
		hm_kpkeys_leave(tok);
		EXPECT(opens(0));
		EXPECT(costs(levels[i].keys ? 2 : 0, levels[i].keys ? 2 : 0, 0));
	}
	hm_context_assert_idle();
	EXPECT(costs(0, 0, 0));
}

/* A level replaces the one around it, whichever the two are, and gives it back. */
CASE(levels_replace_each_other)
{
	unsigned int i, j;

	for (i = 0; i < LEVELS; i++) {
		for (j = 0; j < LEVELS; j++) {
			hm_kpkeys_token_t outer = levels[i].enter(), inner;

			probe_read();
			inner = levels[j].enter();
			EXPECT(opens(levels[j].keys));
			hm_kpkeys_leave(inner);
			EXPECT(opens(levels[i].keys));
			EXPECT(costs(i == j ? 0 : 2, i == j ? 0 : 2, 0));
			hm_kpkeys_leave(outer);
			EXPECT(opens(0));
		}
	}
	hm_context_assert_idle();
	EXPECT(!bugs());
}

static void nest(unsigned int depth)
{
	hm_kpkeys_token_t tok = levels[depth % LEVELS].enter();

	if (depth)
		nest(depth - 1);
	EXPECT(opens(levels[depth % LEVELS].keys));
	hm_kpkeys_leave(tok);
}

/* Levels nest to any depth; less where the stack is a kernel's. */
#ifndef LEVELS_DEEP
#define LEVELS_DEEP 300
#endif
CASE(levels_nest_deeply)
{
	nest(LEVELS_DEEP);
	EXPECT(opens(0));
	hm_context_assert_idle();
	EXPECT(!bugs());
}

/* The register is written if that changes it, and only then. */
CASE(same_level_costs_nothing)
{
	hm_kpkeys_token_t outer = hm_kpkeys_enter_pgtables(), inner;

	EXPECT(costs(1, 1, 0));
	inner = hm_kpkeys_enter_pgtables();
	hm_kpkeys_leave(inner);
	EXPECT(costs(0, 0, 0));
	hm_kpkeys_leave(outer);
	EXPECT(costs(1, 1, 0));
	hm_kpkeys_leave(hm_kpkeys_enter_default());
	EXPECT(costs(0, 0, 0));
}

/* A token that says "nothing was entered" is left without effect, wherever. */
CASE(leave_of_nothing)
{
	hm_kpkeys_token_t tok;

	hm_kpkeys_leave(hm_kpkeys_none());
	tok = hm_kpkeys_enter_text();
	hm_kpkeys_leave(hm_kpkeys_none());
	EXPECT(opens(TEXT));
	hm_kpkeys_leave(tok);
	hm_kpkeys_leave(hm_kpkeys_none());
	EXPECT(opens(0));
	hm_context_assert_idle();
	EXPECT(costs(2, 2, 0));
}

/* ---- entry writers outside of sections ---- */

/* An entry outside of a section is guarded by itself: two writes of the register, and its publication shares
 * a synchronisation with the second. */
CASE(eager_entry_is_guarded)
{
	set_entry();
	EXPECT(costs(2, 2, 1));
	EXPECT(opens(0));
	hm_pte_set_kernel(probe_table(0), probe_kernel_page(2));
	EXPECT(costs(2, 2, 1));
}

/* So is every other way to write entries, whether anything is to be published or not. */
CASE(every_writer_is_guarded)
{
	const hm_pte_t none = { 0 };
	hm_pte_t expected = none;

	hm_pte_set(probe_table(0), probe_user_page(1));
	EXPECT(costs(2, 2, 0));
	hm_pte_clear(probe_table(0));
	EXPECT(costs(2, 2, 0));
	EXPECT(hm_pte_update(probe_table(0), &expected, probe_kernel_page(1)));
	EXPECT(costs(2, 2, 1));
	expected = none;
	EXPECT(!hm_pte_update(probe_table(0), &expected, probe_kernel_page(2)));
	EXPECT(costs(2, 2, 0));
	hm_pte_set_range(probe_table(0), 17, probe_kernel_page(1), probe_page_step());
	EXPECT(costs(2, 2, 1));
	hm_pte_clear_range(probe_table(0), 17);
	EXPECT(costs(2, 2, 0));
	hm_pte_fill(probe_table(1), HM_PORT_PGTABLE_ENTRIES, probe_kernel_page(1),
		    probe_page_step());
	EXPECT(costs(2, 2, 0));
	hm_pte_link(probe_table(0), probe_link(1));
	EXPECT(costs(2, 2, 1));
	EXPECT(opens(0));
	hm_context_assert_idle();
	EXPECT(!bugs());
}

/* At a level that opens page tables entries are published at once, and need no guard. */
CASE(entries_at_a_level_that_opens_tables)
{
	hm_kpkeys_token_t tok = hm_kpkeys_enter_pgtables();

	EXPECT(!hm_lazy_mmu_active());
	probe_read();
	set_entry();
	EXPECT(costs(0, 1, 1));
	hm_pte_clear(probe_table(0));
	EXPECT(costs(0, 0, 0));
	hm_kpkeys_leave(tok);
	tok = hm_kpkeys_enter_unrestricted();
	probe_read();
	set_entry();
	EXPECT(costs(0, 1, 1));
	hm_kpkeys_leave(tok);
	EXPECT(opens(0));
}

/* At another level they are guarded, and the level is as it was. */
CASE(entries_at_another_level)
{
	hm_kpkeys_token_t tok = hm_kpkeys_enter_text();

	probe_read();
	set_entry();
	EXPECT(costs(2, 2, 1));
	EXPECT(opens(TEXT));
	hm_pte_clear_range(probe_table(0), 3);
	EXPECT(costs(2, 2, 0));
	EXPECT(opens(TEXT));
	hm_kpkeys_leave(tok);
	EXPECT(opens(0));
	EXPECT(!bugs());
}

/* ---- sections ---- */

/* A section is at the level that writes page tables. It costs two writes of the register and two
 * synchronisations, one of which is the publication's; its entries cost none. */
CASE(section_opens_tables_once)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();
	unsigned int i;

	EXPECT(costs(1, 1, 0));
	EXPECT(opens(PGTABLES));
	for (i = 0; i < HM_PORT_PGTABLE_ENTRIES; i++)
		hm_pte_set(probe_table(0) + i, probe_kernel_page(i));
	hm_pte_clear_range(probe_table(0), 5);
	hm_pte_set_range(probe_table(1), 9, probe_kernel_page(0), probe_page_step());
	EXPECT(costs(0, 0, 0));
	hm_lazy_mmu_leave(tok);
	EXPECT(costs(1, 1, 1));
	EXPECT(opens(0));
}

/* One in which nothing was written costs as many, and publishes nothing. */
CASE(empty_section)
{
	hm_lazy_mmu_leave(hm_lazy_mmu_enter());
	EXPECT(costs(2, 2, 0));
	EXPECT(opens(0));
}

/* A flush leaves the level alone. */
CASE(flush_in_a_section)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	set_entry();
	probe_read();
	hm_lazy_mmu_flush();
	EXPECT(costs(0, 1, 1));
	EXPECT(opens(PGTABLES));
	hm_lazy_mmu_leave(tok);
	EXPECT(costs(1, 1, 0));
}

/* Nested sections do not write the register; an inner leave publishes all the same. */
CASE(nested_sections)
{
	hm_lazy_mmu_token_t outer = hm_lazy_mmu_enter(), inner;

	probe_read();
	inner = hm_lazy_mmu_enter();
	set_entry();
	EXPECT(costs(0, 0, 0));
	hm_lazy_mmu_leave(inner);
	EXPECT(costs(0, 1, 1));
	EXPECT(opens(PGTABLES) && hm_lazy_mmu_active());
	hm_lazy_mmu_leave(hm_lazy_mmu_enter());
	EXPECT(costs(0, 0, 0));
	hm_lazy_mmu_leave(outer);
	EXPECT(costs(1, 1, 0));
	EXPECT(opens(0));
}

/* The level of page tables in a section, and a section at that level, change nothing. */
CASE(section_and_the_level_of_tables)
{
	hm_lazy_mmu_token_t section = hm_lazy_mmu_enter();
	hm_kpkeys_token_t level;

	probe_read();
	level = hm_kpkeys_enter_pgtables();
	EXPECT(hm_lazy_mmu_active());
	set_entry();
	hm_kpkeys_leave(level);
	EXPECT(costs(0, 0, 0));
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(section);
	EXPECT(costs(1, 1, 1));
	level = hm_kpkeys_enter_pgtables();
	probe_read();
	section = hm_lazy_mmu_enter();
	EXPECT(hm_lazy_mmu_active());
	set_entry();
	EXPECT(costs(0, 0, 0));
	hm_lazy_mmu_leave(section);
	EXPECT(costs(0, 1, 1));
	EXPECT(opens(PGTABLES));
	hm_kpkeys_leave(level);
	EXPECT(opens(0));
}

/* A section at another level replaces it, and gives it back at its end. */
CASE(section_at_another_level)
{
	hm_kpkeys_token_t level = hm_kpkeys_enter_text();
	hm_lazy_mmu_token_t section;

	probe_read();
	section = hm_lazy_mmu_enter();
	EXPECT(opens(PGTABLES) && hm_lazy_mmu_active());
	set_entry();
	EXPECT(costs(1, 1, 0));
	hm_lazy_mmu_leave(section);
	EXPECT(costs(1, 1, 1));
	EXPECT(opens(TEXT));
	hm_kpkeys_leave(level);
	EXPECT(opens(0));
	EXPECT(costs(1, 1, 0));
}

/* At a level that does not open page tables a section is suspended: its entries are guarded and published one
 * by one. After it the section batches again, and what it owed before is not lost. */
CASE(section_under_another_level)
{
	hm_kpkeys_token_t (*const enter[])(void) = { hm_kpkeys_enter_text,
						     hm_kpkeys_enter_default };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		hm_lazy_mmu_token_t section = hm_lazy_mmu_enter();
		hm_kpkeys_token_t level;

		probe_read();
		set_entry();
		level = enter[i]();
		EXPECT(costs(1, 1, 0));
		EXPECT(opens(i ? 0 : TEXT));
		if (has_window()) {
			EXPECT(!hm_lazy_mmu_active());
			set_entry();
			EXPECT(costs(2, 2, 1));
			hm_pte_clear(probe_table(1));
			EXPECT(costs(2, 2, 0));
			EXPECT(opens(i ? 0 : TEXT));
		}
		hm_kpkeys_leave(level);
		EXPECT(costs(1, 1, 0));
		EXPECT(opens(PGTABLES) && hm_lazy_mmu_active());
		hm_lazy_mmu_leave(section);
		EXPECT(costs(1, 1, 1));
		EXPECT(opens(0));
	}
}

/* At one that does, the section goes on. */
CASE(section_under_the_unrestricted_level)
{
	hm_lazy_mmu_token_t section = hm_lazy_mmu_enter();
	hm_kpkeys_token_t level;

	probe_read();
	level = hm_kpkeys_enter_unrestricted();
	EXPECT(opens(EVERYTHING) && hm_lazy_mmu_active());
	set_entry();
	EXPECT(costs(1, 1, 0));
	hm_kpkeys_leave(level);
	EXPECT(costs(1, 1, 0));
	EXPECT(opens(PGTABLES));
	hm_lazy_mmu_leave(section);
	EXPECT(costs(1, 1, 1));
}

/* A section inside a level inside a section: each is what it says, and each gives back what was. */
CASE(section_under_a_level_in_a_section)
{
	hm_lazy_mmu_token_t outer = hm_lazy_mmu_enter(), inner;
	hm_kpkeys_token_t level = hm_kpkeys_enter_text();

	inner = hm_lazy_mmu_enter();
	EXPECT(opens(PGTABLES) && hm_lazy_mmu_active());
	set_entry();
	probe_read();
	hm_lazy_mmu_leave(inner);
	EXPECT(costs(1, 1, 1));
	EXPECT(opens(TEXT));
	hm_kpkeys_leave(level);
	EXPECT(opens(PGTABLES) && hm_lazy_mmu_active());
	hm_lazy_mmu_leave(outer);
	EXPECT(opens(0));
	EXPECT(!bugs());
}

/* A pause is at the default level: entries are guarded one by one, callees' sections too. The resume is at
 * the level of what was paused. */
CASE(pause_lowers_and_resume_raises)
{
	hm_lazy_mmu_token_t section = hm_lazy_mmu_enter(), callee;
	hm_lazy_mmu_pause_t pause, inner;

	set_entry();
	probe_read();
	pause = hm_lazy_mmu_pause();
	EXPECT(costs(1, 1, 1));
	EXPECT(opens(0));
	set_entry();
	EXPECT(costs(2, 2, 1));
	callee = hm_lazy_mmu_enter();
	inner = hm_lazy_mmu_pause();
	EXPECT(opens(0));
	EXPECT(costs(0, 0, 0));
	set_entry();
	EXPECT(costs(2, 2, 1));
	hm_lazy_mmu_resume(inner);
	hm_lazy_mmu_leave(callee);
	EXPECT(opens(0));
	EXPECT(costs(0, 0, 0));
	hm_lazy_mmu_resume(pause);
	EXPECT(costs(1, 1, 0));
	EXPECT(opens(PGTABLES) && hm_lazy_mmu_active());
	hm_lazy_mmu_leave(section);
	EXPECT(opens(0));
	EXPECT(costs(1, 1, 0));
}

/* Levels are entered in a pause as anywhere; a section in one of them is held, and opens nothing. */
CASE(levels_in_a_pause)
{
	hm_lazy_mmu_token_t section = hm_lazy_mmu_enter(), held;
	hm_lazy_mmu_pause_t pause = hm_lazy_mmu_pause();
	hm_kpkeys_token_t level = hm_kpkeys_enter_text();

	EXPECT(opens(TEXT));
	held = hm_lazy_mmu_enter();
	EXPECT(!hm_lazy_mmu_active());
	EXPECT(eager(TEXT) || eager(0)); /* at the level around it or lower */
	hm_lazy_mmu_leave(held);
	EXPECT(opens(TEXT));
	hm_kpkeys_leave(level);
	EXPECT(opens(0));
	hm_lazy_mmu_resume(pause);
	EXPECT(opens(PGTABLES));
	hm_lazy_mmu_leave(section);
	EXPECT(opens(0));
	EXPECT(!bugs());
}

/* ---- guards ---- */

#ifdef HM_KPKEYS_GUARD
static void return_from_guard(bool early)
{
	HM_KPKEYS_GUARD(guard, hm_kpkeys_enter_text);

	EXPECT(opens(TEXT));
	if (early)
		return;
	{
		HM_KPKEYS_GUARD(inner, hm_kpkeys_enter_pgtables);

		EXPECT(opens(PGTABLES));
	}
	EXPECT(opens(TEXT));
}

/* A guard is a level that ends however its block is left. */
CASE(guard_leaves_by_itself)
{
	return_from_guard(true);
	EXPECT(opens(0));
	EXPECT(costs(2, 2, 0));
	return_from_guard(false);
	EXPECT(opens(0));
	EXPECT(costs(4, 4, 0));
	hm_context_assert_idle();
	EXPECT(!bugs());
}

static void return_from_conditional_guard(bool condition)
{
	HM_KPKEYS_GUARD_COND(guard, hm_kpkeys_enter_text, condition);

	EXPECT(opens(condition ? TEXT : 0));
}

/* A conditional guard enters if the condition holds; it is evaluated once. */
CASE(conditional_guard)
{
	unsigned int evaluated = 0;

	return_from_conditional_guard(true);
	EXPECT(costs(2, 2, 0));
	return_from_conditional_guard(false);
	EXPECT(costs(0, 0, 0));
	{
		HM_KPKEYS_GUARD_COND(guard, hm_kpkeys_enter_unrestricted, ++evaluated);

		EXPECT(opens(EVERYTHING));
	}
	EXPECT(evaluated == 1);
	EXPECT(opens(0));
}

/* A guard that is none never enters, inside another one either. */
CASE(guard_that_is_none)
{
	HM_KPKEYS_GUARD(guard, hm_kpkeys_enter_text);

	probe_read();
	{
		HM_KPKEYS_GUARD_NOOP(noop);

		EXPECT(opens(TEXT));
	}
	EXPECT(opens(TEXT));
	EXPECT(costs(0, 0, 0));
}

#ifdef PROBE_LEVEL
/* The port's own level in a guard. */
CASE(guard_of_a_level_of_the_port)
{
	{
		HM_KPKEYS_GUARD(guard, enter_own);

		EXPECT(opens(1u << PROBE_KEY));
		EXPECT(eager(1u << PROBE_KEY));
	}
	EXPECT(opens(0));
}
#endif
#endif

/* ---- exceptions ---- */

static void handler_at_default(void)
{
	EXPECT(opens(0));
	EXPECT(eager(0));
}

/* A handler is at the default level whatever was open, and what it interrupted goes on at its own. */
CASE(handler_starts_at_default)
{
	unsigned int i;

	probe_interrupt(handler_at_default);
	for (i = 0; i < LEVELS; i++) {
		hm_kpkeys_token_t tok = levels[i].enter();

		if (CONTRACT_EXCEPTION_PUSH || !has_window())
			probe_interrupt(handler_at_default);
		EXPECT(opens(levels[i].keys));
		hm_kpkeys_leave(tok);
	}
	EXPECT(opens(0));
	EXPECT(!bugs());
}

static void handler_with_levels_and_sections(void)
{
	hm_lazy_mmu_token_t section;
	hm_kpkeys_token_t level;
	unsigned int i;

	for (i = 0; i < LEVELS; i++) {
		level = levels[i].enter();
		EXPECT(opens(levels[i].keys));
		section = hm_lazy_mmu_enter();
		EXPECT(opens(PGTABLES) && hm_lazy_mmu_active());
		set_entry();
		hm_lazy_mmu_leave(section);
		EXPECT(opens(levels[i].keys));
		hm_kpkeys_leave(level);
		EXPECT(opens(0));
	}
	EXPECT(!bugs());
}

/* A handler has levels and sections of its own. */
CASE(handler_has_levels_of_its_own)
{
	hm_lazy_mmu_token_t section;
	hm_kpkeys_token_t level;

	probe_interrupt(handler_with_levels_and_sections);
	section = hm_lazy_mmu_enter();
	set_entry();
	probe_interrupt(handler_with_levels_and_sections);
	EXPECT(opens(PGTABLES) && hm_lazy_mmu_active());
	level = hm_kpkeys_enter_unrestricted();
	probe_interrupt(handler_with_levels_and_sections);
	EXPECT(opens(EVERYTHING));
	hm_kpkeys_leave(level);
	probe_read();
	hm_lazy_mmu_leave(section);
	EXPECT(costs(1, 1, 1));
	EXPECT(opens(0));
}

static void handler_that_leaves_the_interrupted_level(void)
{
	hm_kpkeys_leave(saved_token);
	EXPECT(bugs() == 1);
	EXPECT(opens(0));
}

/* A handler cannot leave the level that it interrupted. */
CASE(handler_cannot_leave_the_interrupted_level)
{
	saved_token = hm_kpkeys_enter_text();
	probe_interrupt(handler_that_leaves_the_interrupted_level);
	EXPECT(opens(TEXT));
	hm_kpkeys_leave(saved_token);
	EXPECT(opens(0));
	EXPECT(!bugs());
}

#if CONTRACT_EXCEPTION_PUSH
/* Exceptions nest, each handler at the default level, each return at the level of what it goes on with. Entry
 * writes the register if it was raised, and synchronises; the return does not, being one itself. */
CASE(exceptions_nest)
{
	hm_kpkeys_token_t outer = hm_kpkeys_enter_text(), inner;
	hm_context_exception_t irq, nmi;

	probe_read();
	irq = hm_context_exception_push();
	EXPECT(costs(1, 1, 0));
	EXPECT(opens(0));
	inner = hm_kpkeys_enter_unrestricted();
	probe_read();
	nmi = hm_context_exception_push();
	EXPECT(costs(1, 1, 0));
	EXPECT(opens(0));
	hm_context_exception_pop(nmi);
	EXPECT(costs(1, 0, 0));
	EXPECT(opens(EVERYTHING));
	hm_kpkeys_leave(inner);
	EXPECT(opens(0));
	probe_read();
	hm_context_exception_pop(irq);
	EXPECT(costs(1, 0, 0));
	EXPECT(opens(TEXT));
	hm_kpkeys_leave(outer);
	EXPECT(opens(0));
}

/* An exception from an idle context, as from user mode, does not write the register. */
CASE(exception_from_an_idle_context)
{
	hm_context_exception_t irq = hm_context_exception_push();

	EXPECT(opens(0));
	EXPECT(costs(0, 0, 0));
	hm_context_exception_pop(irq);
	EXPECT(opens(0));
	EXPECT(costs(0, 0, 0));
	EXPECT(starts_afresh());
}

/* A handler that leaves a level open is found at its return: neither its level nor the interrupted one goes
 * on, and the interrupted code's entries guard themselves. */
CASE(handler_that_forgets_a_level_is_found)
{
	hm_lazy_mmu_token_t section = hm_lazy_mmu_enter();
	hm_context_exception_t irq;
	hm_kpkeys_token_t forgotten;

	set_entry();
	irq = hm_context_exception_push();
	forgotten = hm_kpkeys_enter_unrestricted();
	(void)forgotten;
	probe_read();
	hm_context_exception_pop(irq);
	EXPECT(probe_counted(1, 1));
	EXPECT(opens(0));
	EXPECT(!hm_lazy_mmu_active());
	EXPECT(eager(0));
	hm_lazy_mmu_leave(section);
	EXPECT(opens(0));
	EXPECT(starts_afresh());
}

/* An exception that is popped twice does not raise the level a second time. */
CASE(exception_popped_twice)
{
	hm_kpkeys_token_t tok = hm_kpkeys_enter_text();
	hm_context_exception_t irq = hm_context_exception_push();

	hm_context_exception_pop(irq);
	hm_kpkeys_leave(tok);
	EXPECT(opens(0));
	hm_context_exception_pop(irq);
	EXPECT(bugs() == 1);
	EXPECT(opens(0));
	EXPECT(eager(0));
}
#endif

/* ---- switches ---- */

/* A context takes its level along: another one runs at its own, a new one at the default. */
CASE(contexts_have_levels_of_their_own)
{
	hm_kpkeys_token_t first = hm_kpkeys_enter_text(), second;

	probe_run_on(1);
	EXPECT(opens(0));
	EXPECT(eager(0));
	second = hm_kpkeys_enter_unrestricted();
	EXPECT(opens(EVERYTHING));
	probe_run_on(2);
	EXPECT(opens(0));
	EXPECT(starts_afresh());
	probe_run_on(0);
	EXPECT(opens(TEXT));
	hm_kpkeys_leave(first);
	EXPECT(opens(0));
	probe_run_on(1);
	EXPECT(opens(EVERYTHING));
	hm_kpkeys_leave(second);
	EXPECT(opens(0));
	EXPECT(!bugs());
}

/* A section that is switched out is lowered, and raised where it goes on, on whichever CPU: its register is
 * at the default level between two contexts. What the section owes stays owed. */
CASE(switch_lowers_and_raises)
{
	hm_lazy_mmu_token_t section = hm_lazy_mmu_enter();
	struct probe_counts counts;
	hm_context_switch_t away;

	set_entry();
	probe_read();
	away = hm_context_switch_out();
	counts = probe_read();
	EXPECT(counts.switched == 1 && !counts.publish && !counts.bugs);
	EXPECT(counts.key_writes == has_window() && counts.sync == has_window());
	EXPECT(opens(0));
	EXPECT(eager(0));
	probe_read();
	hm_context_switch_in(away);
	counts = probe_read();
	EXPECT(!counts.switched && !counts.publish && !counts.bugs);
	EXPECT(counts.key_writes == has_window() && counts.sync == 1);
	EXPECT(opens(PGTABLES) && hm_lazy_mmu_active());
	hm_lazy_mmu_leave(section);
	EXPECT(costs(1, 1, 1));
	EXPECT(opens(0));
}

/* Where nothing is open a switch does not write the register. */
CASE(switch_of_an_idle_context)
{
	hm_context_switch_t away = hm_context_switch_out();
	struct probe_counts counts = probe_read();

	EXPECT(!counts.key_writes && !counts.sync);
	hm_context_switch_in(away);
	counts = probe_read();
	EXPECT(!counts.key_writes && counts.sync == 1);
	EXPECT(opens(0));
}

/* A context that comes back twice is not raised twice. */
CASE(switched_in_twice)
{
	hm_kpkeys_token_t tok = hm_kpkeys_enter_text();
	hm_context_switch_t away = hm_context_switch_out();

	hm_context_switch_in(away);
	hm_kpkeys_leave(tok);
	probe_read();
	hm_context_switch_in(away);
	EXPECT(bugs() == 1);
	EXPECT(opens(0));
	EXPECT(starts_afresh());
}

/* ---- the register ---- */

#if HM_CONTEXT_HAS_WINDOW_
/* Somebody writes the register behind the library's back. */
static void write_register(uint64_t permissions)
{
	if (has_window())
		hm_port_kpkeys_write(HM_PORT_KPKEYS_REGISTER(permissions));
	probe_read();
}

static void open_register(void)
{
	write_register(HM_KPKEYS_BASE | HM_KPKEYS_EVERYTHING_);
}

#if CONTRACT_EXCEPTION_PUSH
/* A register that was left raised, by a level's value or another, is lowered by an exception, and not raised
 * at its return. */
CASE(raised_register_is_lowered_by_an_exception)
{
	hm_context_exception_t irq;

	open_register();
	irq = hm_context_exception_push();
	EXPECT(opens(0));
	hm_context_exception_pop(irq);
	EXPECT(opens(0));
	write_register(HM_KPKEYS_BASE | HM_KEY_ALLOW(HM_KEY_PGTABLES, HM_KEY_WRITE) |
		       HM_KEY_ALLOW(HM_KEY_TEXT, HM_KEY_WRITE));
	irq = hm_context_exception_push();
	EXPECT(opens(0));
	hm_context_exception_pop(irq);
	EXPECT(opens(0));
	EXPECT(!bugs());
	EXPECT(starts_afresh());
}
#endif

/* It is lowered by a switch. */
CASE(raised_register_is_lowered_by_a_switch)
{
	hm_context_switch_t away;

	open_register();
	away = hm_context_switch_out();
	EXPECT(opens(0));
	hm_context_switch_in(away);
	EXPECT(opens(0));
}

/* Whoever opens something finds it, and opens what he would have. */
CASE(raised_register_is_found_by_an_enter)
{
	hm_lazy_mmu_token_t section;
	hm_kpkeys_token_t level;

	open_register();
	section = hm_lazy_mmu_enter();
	EXPECT(bugs() == has_window());
	EXPECT(opens(PGTABLES));
	hm_lazy_mmu_leave(section);
	EXPECT(opens(0));
	open_register();
	level = hm_kpkeys_enter_text();
	EXPECT(bugs() == has_window());
	EXPECT(opens(TEXT));
	hm_kpkeys_leave(level);
	EXPECT(opens(0));
	EXPECT(starts_afresh());
}

/* So does a writer. */
CASE(raised_register_is_found_by_a_writer)
{
	open_register();
	set_entry();
	EXPECT(bugs() == has_window());
	EXPECT(opens(0));
	EXPECT(starts_afresh());
}

/* A pause lowers it. */
CASE(raised_register_is_lowered_by_a_pause)
{
	hm_lazy_mmu_token_t section = hm_lazy_mmu_enter();
	hm_lazy_mmu_pause_t pause;

	open_register();
	pause = hm_lazy_mmu_pause();
	EXPECT(opens(0));
	hm_lazy_mmu_resume(pause);
	hm_lazy_mmu_leave(section);
	EXPECT(opens(0));
}

/* It is found where the context must be idle. */
CASE(raised_register_is_found_where_nothing_is_open)
{
	open_register();
	hm_context_assert_idle();
	EXPECT(bugs() == has_window());
	EXPECT(opens(0));
	EXPECT(starts_afresh());
}

/* A register that is raised, or lowered, in a section is found by what is opened inside: at the default level
 * from there on, until the section is left. */
CASE(register_is_not_at_the_level_of_the_section)
{
	unsigned int raised;

	for (raised = 0; raised < 2 && has_window(); raised++) {
		hm_lazy_mmu_token_t outer = hm_lazy_mmu_enter(), inner;

		set_entry();
		if (raised)
			open_register();
		else
			write_register(HM_KPKEYS_BASE);
		inner = hm_lazy_mmu_enter();
		EXPECT(probe_counted(1, 1));
		EXPECT(opens(0));
		EXPECT(!hm_lazy_mmu_active());
		EXPECT(eager(0));
		hm_lazy_mmu_leave(inner);
		EXPECT(opens(0));
		hm_lazy_mmu_leave(outer);
		EXPECT(opens(0));
		EXPECT(!bugs());
		EXPECT(starts_afresh());
	}
}

/* A raised register does not outlive the section that is left, nor the level. */
CASE(raised_register_does_not_outlive_a_leave)
{
	hm_lazy_mmu_token_t section = hm_lazy_mmu_enter(), inner = hm_lazy_mmu_enter();
	hm_kpkeys_token_t level;

	open_register();
	hm_lazy_mmu_leave(inner);
	EXPECT(opens(PGTABLES));
	open_register();
	hm_lazy_mmu_leave(section);
	EXPECT(opens(0));
	level = hm_kpkeys_enter_default();
	open_register();
	hm_kpkeys_leave(level);
	EXPECT(opens(0));
}

/* ---- CPUs that start and stop ---- */

/* A CPU that starts has an unknown register, and then the default level's, whatever the context says. On
 * arm64 the code itself runs under keys 0 and 1. */
CASE(cpu_start_sets_the_register)
{
	if (has_window())
		hm_port_kpkeys_write(UINT64_C(0x2d2d2d57));
	probe_read();
	hm_kpkeys_cpu_start();
	EXPECT(costs(1, 1, 0));
	EXPECT(opens(0));
	EXPECT(starts_afresh());
}
#endif

/* A CPU that starts with anything open is a bug, and nothing is open then. */
CASE(cpu_start_with_something_open)
{
	hm_kpkeys_token_t level = hm_kpkeys_enter_text();
	hm_lazy_mmu_token_t section;

	(void)level;
	probe_read();
	hm_kpkeys_cpu_start();
	EXPECT(bugs() == 1);
	EXPECT(opens(0));
	EXPECT(starts_afresh());
	section = hm_lazy_mmu_enter();
	(void)section;
	probe_read();
	hm_kpkeys_cpu_start();
	EXPECT(bugs() == 1);
	EXPECT(opens(0));
	EXPECT(starts_afresh());
}

/* Who takes protection down finds everything published and open. */
CASE(hand_over_opens_everything)
{
	hm_lazy_mmu_token_t section = hm_lazy_mmu_enter();

	(void)section;
	set_entry();
	probe_read();
	hm_kpkeys_hand_over();
	EXPECT(costs(1, 2, 1));
	EXPECT(opens(EVERYTHING));
	set_entry();
	EXPECT(!bugs());
}

/* From an idle context and from a handler it does the same. */
CASE(hand_over_from_anywhere)
{
	hm_kpkeys_hand_over();
	EXPECT(opens(EVERYTHING));
	EXPECT(costs(1, 1, 0));
#if CONTRACT_EXCEPTION_PUSH
	{
		hm_kpkeys_token_t level;
		hm_context_exception_t irq;

		probe_reset();
		level = hm_kpkeys_enter_text();
		(void)level;
		irq = hm_context_exception_push();
		(void)irq;
		hm_kpkeys_hand_over();
		EXPECT(opens(EVERYTHING));
		EXPECT(!bugs());
	}
#endif
}

#if CONTRACT_EXCEPTION_PUSH
/* Exceptions after it are still at the default level, and return to where everything is open. */
CASE(exceptions_after_the_hand_over)
{
	hm_context_exception_t irq;

	hm_kpkeys_hand_over();
	irq = hm_context_exception_push();
	EXPECT(opens(0));
	handler_with_levels_and_sections();
	hm_context_exception_pop(irq);
	EXPECT(opens(EVERYTHING));
	EXPECT(!bugs());
}
#endif

/* ---- misuse: reported once, published, at the default level until the outermost leave ---- */

/* A level that is left twice, with nothing open. */
CASE(leave_twice_outside)
{
	hm_kpkeys_token_t tok = hm_kpkeys_enter_text();

	hm_kpkeys_leave(tok);
	EXPECT(!bugs());
	hm_kpkeys_leave(tok);
	EXPECT(bugs() == 1);
	EXPECT(opens(0));
	EXPECT(starts_afresh());
}

/* An inner one that is left twice: the level around it is not to be trusted any more. Entries guard
 * themselves, levels may still be entered, and it ends with the outermost leave. */
CASE(leave_twice_inside)
{
	hm_kpkeys_token_t outer = hm_kpkeys_enter_unrestricted(), inner = hm_kpkeys_enter_text(),
			  later;

	hm_kpkeys_leave(inner);
	EXPECT(opens(EVERYTHING));
	hm_kpkeys_leave(inner);
	EXPECT(bugs() == 1);
	EXPECT(opens(0));
	EXPECT(eager(0));
	hm_kpkeys_leave(inner);
	EXPECT(!bugs()); /* reported once */
	EXPECT(opens(0));
	later = hm_kpkeys_enter_pgtables();
	EXPECT(opens(PGTABLES));
	hm_kpkeys_leave(later);
	EXPECT(opens(0));
	hm_kpkeys_leave(outer);
	EXPECT(opens(0));
	EXPECT(!bugs());
	EXPECT(starts_afresh());
}

/* A level that is left before the innermost. */
CASE(leave_out_of_order)
{
	hm_kpkeys_token_t a = hm_kpkeys_enter_pgtables(), b = hm_kpkeys_enter_text(),
			  c = hm_kpkeys_enter_unrestricted();

	probe_read();
	hm_kpkeys_leave(b);
	EXPECT(bugs() == 1);
	EXPECT(opens(0));
	EXPECT(eager(0));
	hm_kpkeys_leave(c);
	EXPECT(opens(0));
	hm_kpkeys_leave(a);
	EXPECT(opens(0));
	EXPECT(!bugs());
	EXPECT(starts_afresh());
}

/* The outermost level left with an inner one open: everything ends, and the inner token, should it come, is
 * reported by itself. */
CASE(leave_of_the_outermost_with_an_inner_open)
{
	hm_kpkeys_token_t a = hm_kpkeys_enter_text(), b = hm_kpkeys_enter_unrestricted();

	probe_read();
	hm_kpkeys_leave(a);
	EXPECT(bugs() == 1);
	EXPECT(opens(0));
	hm_context_assert_idle();
	EXPECT(!bugs());
	hm_kpkeys_leave(b);
	EXPECT(bugs() == 1);
	EXPECT(opens(0));
	EXPECT(starts_afresh());
}

/* A token of another context, which has done the very same: the level is broken here and whole there. */
CASE(token_of_another_context)
{
	hm_kpkeys_token_t first = hm_kpkeys_enter_text(), second;

	probe_run_on(1);
	second = hm_kpkeys_enter_text();
	probe_read();
	hm_kpkeys_leave(first);
	EXPECT(bugs() == 1);
	EXPECT(opens(0));
	EXPECT(eager(0));
	hm_kpkeys_leave(second);
	EXPECT(opens(0));
	EXPECT(starts_afresh());
	probe_run_on(0);
	EXPECT(opens(TEXT));
	hm_kpkeys_leave(first);
	EXPECT(opens(0));
	EXPECT(!bugs());
}

/* With nothing open it raises nothing either. */
CASE(token_of_another_context_outside)
{
	hm_kpkeys_token_t outer = hm_kpkeys_enter_unrestricted(), tok = hm_kpkeys_enter_default();

	probe_run_on(1);
	probe_read();
	hm_kpkeys_leave(tok);
	EXPECT(bugs() == 1);
	EXPECT(opens(0));
	EXPECT(starts_afresh());
	probe_run_on(0);
	EXPECT(opens(0));
	hm_kpkeys_leave(tok);
	EXPECT(opens(EVERYTHING));
	hm_kpkeys_leave(outer);
	EXPECT(opens(0));
	EXPECT(!bugs());
}

/* A section that is left with a level open in it: published and closed; the level's own leave is reported. */
CASE(section_left_before_the_level_in_it)
{
	hm_lazy_mmu_token_t section = hm_lazy_mmu_enter();
	hm_kpkeys_token_t level;

	set_entry();
	level = hm_kpkeys_enter_unrestricted();
	probe_read();
	hm_lazy_mmu_leave(section);
	EXPECT(probe_counted(1, 1));
	EXPECT(opens(0));
	hm_kpkeys_leave(level);
	EXPECT(probe_counted(0, 1));
	EXPECT(opens(0));
	EXPECT(starts_afresh());
}

/* A level that is left with a section open in it. */
CASE(level_left_before_the_section_in_it)
{
	hm_kpkeys_token_t level = hm_kpkeys_enter_text();
	hm_lazy_mmu_token_t section = hm_lazy_mmu_enter();

	set_entry();
	probe_read();
	hm_kpkeys_leave(level);
	EXPECT(probe_counted(1, 1));
	EXPECT(opens(0));
	EXPECT(!hm_lazy_mmu_active());
	hm_lazy_mmu_leave(section);
	EXPECT(probe_counted(0, 1));
	EXPECT(opens(0));
	EXPECT(starts_afresh());
}

/* The same two inside a section: it is broken until it is left, and nothing that it owed is lost. */
CASE(sections_and_levels_interleaved_in_a_section)
{
	unsigned int section_first;

	for (section_first = 0; section_first < 2; section_first++) {
		hm_lazy_mmu_token_t outer = hm_lazy_mmu_enter(), section;
		hm_kpkeys_token_t level;

		set_entry();
		if (section_first) {
			section = hm_lazy_mmu_enter();
			level = hm_kpkeys_enter_unrestricted();
		} else {
			level = hm_kpkeys_enter_unrestricted();
			section = hm_lazy_mmu_enter();
		}
		probe_read();
		if (section_first)
			hm_lazy_mmu_leave(section);
		else
			hm_kpkeys_leave(level);
		EXPECT(probe_counted(1, 1));
		EXPECT(opens(0));
		EXPECT(!hm_lazy_mmu_active());
		EXPECT(eager(0));
		if (section_first)
			hm_kpkeys_leave(level);
		else
			hm_lazy_mmu_leave(section);
		EXPECT(opens(0));
		hm_lazy_mmu_leave(outer);
		EXPECT(opens(0));
		EXPECT(!bugs());
		EXPECT(starts_afresh());
	}
}

/* A pause that is resumed with a level open in it, and a level that is left with a pause open in it. */
CASE(pauses_and_levels_interleaved)
{
	hm_lazy_mmu_token_t section = hm_lazy_mmu_enter();
	hm_lazy_mmu_pause_t pause = hm_lazy_mmu_pause();
	hm_kpkeys_token_t level = hm_kpkeys_enter_text();

	probe_read();
	hm_lazy_mmu_resume(pause);
	EXPECT(bugs() == 1);
	EXPECT(opens(0));
	EXPECT(eager(0));
	hm_kpkeys_leave(level);
	EXPECT(opens(0));
	hm_lazy_mmu_leave(section);
	EXPECT(!bugs());
	EXPECT(starts_afresh());
	section = hm_lazy_mmu_enter();
	level = hm_kpkeys_enter_unrestricted();
	pause = hm_lazy_mmu_pause();
	probe_read();
	hm_kpkeys_leave(level);
	EXPECT(bugs() == 1);
	EXPECT(opens(0));
	hm_lazy_mmu_resume(pause);
	EXPECT(opens(0));
	hm_lazy_mmu_leave(section);
	EXPECT(opens(0));
	EXPECT(!bugs());
	EXPECT(starts_afresh());
}

/* A section that is broken, a level entered in it, and the level's leave forgotten: the outermost leave
 * closes it all the same. */
CASE(level_entered_while_broken_and_forgotten)
{
	hm_lazy_mmu_token_t section = hm_lazy_mmu_enter(), twice = hm_lazy_mmu_enter();
	hm_kpkeys_token_t level;

	hm_lazy_mmu_leave(twice);
	hm_lazy_mmu_leave(twice);
	EXPECT(bugs() == 1);
	EXPECT(opens(0));
	level = hm_kpkeys_enter_unrestricted();
	EXPECT(opens(EVERYTHING));
	(void)level;
	hm_lazy_mmu_leave(section);
	EXPECT(opens(0));
	EXPECT(starts_afresh());
}

/* A pause while broken is a pause of a level entered while broken, which its end gives back. */
CASE(pause_of_a_level_entered_while_broken)
{
	hm_lazy_mmu_token_t section = hm_lazy_mmu_enter(), twice = hm_lazy_mmu_enter();
	hm_kpkeys_token_t level;
	hm_lazy_mmu_pause_t pause;

	hm_lazy_mmu_leave(twice);
	hm_lazy_mmu_leave(twice);
	level = hm_kpkeys_enter_text();
	probe_read();
	pause = hm_lazy_mmu_pause();
	EXPECT(opens(0));
	EXPECT(eager(0));
	hm_lazy_mmu_resume(pause);
	EXPECT(eager(opens(TEXT) ? TEXT : 0)); /* raised again or not, its writers work */
	hm_kpkeys_leave(level);
	EXPECT(opens(0));
	hm_lazy_mmu_leave(section);
	EXPECT(opens(0));
	EXPECT(!bugs());
	EXPECT(starts_afresh());
}

/* A level that is never left is found where the context must be idle, also if it opened nothing. */
CASE(forgotten_leave_is_found)
{
	hm_kpkeys_token_t tok = hm_kpkeys_enter_text();

	hm_context_assert_idle();
	EXPECT(bugs() == 1);
	EXPECT(opens(0));
	hm_context_assert_idle();
	EXPECT(costs(0, 0, 0));
	hm_kpkeys_leave(tok);
	EXPECT(bugs() == 1);
	EXPECT(opens(0));
	tok = hm_kpkeys_enter_default();
	(void)tok;
	hm_context_assert_idle();
	EXPECT(bugs() == 1);
	EXPECT(starts_afresh());
}

/* ---- faults ---- */

static bool equal(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

/* Every reason has words of its own. */
CASE(reasons_in_words)
{
	static const enum hm_kpkeys_fault reasons[] = {
		HM_KPKEYS_FAULT_OTHER,     HM_KPKEYS_FAULT_NOT_MAPPED, HM_KPKEYS_FAULT_PERMISSION,
		HM_KPKEYS_FAULT_DIRTY,     HM_KPKEYS_FAULT_KEY,        HM_KPKEYS_FAULT_STORE_KEY,
		HM_KPKEYS_FAULT_NOT_KEYED,
	};
	const unsigned int n = sizeof(reasons) / sizeof(*reasons);
	unsigned int i, j;

	for (i = 0; i < n; i++) {
		EXPECT(*hm_kpkeys_why_text(reasons[i]));
		for (j = 0; j < i; j++)
			EXPECT(!equal(hm_kpkeys_why_text(reasons[i]),
				      hm_kpkeys_why_text(reasons[j])));
	}
	/* Of a port that says something else, the first. */
	EXPECT(equal(hm_kpkeys_why_text((enum hm_kpkeys_fault)99), hm_kpkeys_why_text(reasons[0])));
}
