/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * native.c -- stores that nobody should make, made: an ordinary C store to a table of each level, from every
 * place where the level must be the default one, is a real fault. And what the library writes gets there.
 */
#include "suite.h"
#include <hardmap/kpkeys.h>
#include <hardmap/pgtable.h>
#include <native.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEVELS HM_PORT_PGTABLE_LEVELS

static const char *const names[LEVELS] = { "PTE table", "PMD table", "PUD table", "PGD table" };
static hm_pte_t *tables[LEVELS];
static struct hm_context contexts[2];

static hm_pte_t page(unsigned int number)
{
	const hm_pa_t pa = { (uint64_t)number << HM_PORT_ARM64_PAGE_SHIFT };

	return hm_arm64_leaf(pa, 0, HM_ARM64_KERNEL_RW);
}

static hm_pte_t link_to(const hm_pte_t *table)
{
	const hm_pa_t pa = { (uintptr_t)table };

	return hm_arm64_table(pa);
}

static bool no_bugs(void)
{
	if (hm_native.bugs)
		fprintf(stderr, "# HM_BUG: %s\n", hm_native.bug);
	return !hm_native.bugs;
}

/* The address of index n in every table, from the top down: n = 1 is the one that is mapped. */
static hm_va_t address(uint64_t n)
{
	const hm_va_t va = { UINT64_C(0xffff000000000000) | n << 39 | n << 30 | n << 21 | n << 12 };

	return va;
}

static void suite_setup(void)
{
	unsigned int level;

	if (!hm_native_start(HM_NATIVE_ANY)) {
		fprintf(stderr, "this host cannot do what HM_NATIVE asks for\n");
		exit(1);
	}
	memset(contexts, 0, sizeof(contexts));
	hm_native_switch_context(&contexts[0]);
	hm_kpkeys_cpu_start();
	for (level = 0; level < LEVELS; level++)
		tables[level] = hm_native_table(names[level]);
	hm_pte_set(&tables[0][1], page(42));
	for (level = 1; level < LEVELS; level++)
		hm_pte_link(&tables[level][1], link_to(tables[level - 1]));
	hm_native.root = tables[LEVELS - 1];
}

/* ---- a stray store ---- */

#define STRAY UINT64_C(0xbad)
#define VICTIM 1u /* the entry that it hits */

static void stray_store(void *entry)
{
	*(volatile uint64_t *)entry = STRAY;
}

/* To each table a stray store is refused, for the key's sake; the report names the table and the entry, which
 * still is what it was. */
static bool refused(void)
{
	unsigned int level;
	bool all = true;

	for (level = 0; level < LEVELS; level++) {
		hm_pte_t *entry = &tables[level][VICTIM];
		const hm_pte_t before = hm_pte_get(entry);
		struct hm_native_fault fault;

		if (hm_native_expect_fault(stray_store, entry, &fault) && fault.table &&
		    !strcmp(fault.table, names[level]) && fault.index == VICTIM &&
		    fault.address == entry && fault.why == HM_KPKEYS_FAULT_KEY &&
		    hm_pte_get(entry).val == before.val)
			continue;
		all = false;
		fprintf(stderr,
			"# %s, entry %u: a stray store was not refused; fault: %s, %u, %s\n",
			names[level], VICTIM, fault.table ? fault.table : "none", fault.index,
			hm_kpkeys_why_text(fault.why));
	}
	return all;
}

/* The opposite: it gets to every table. Puts the entries back. */
static bool reaches(void)
{
	unsigned int level;
	bool all = true;

	for (level = 0; level < LEVELS; level++) {
		hm_pte_t *entry = &tables[level][VICTIM];
		const hm_pte_t before = hm_pte_get(entry);
		struct hm_native_fault fault;

		if (hm_native_expect_fault(stray_store, entry, &fault) ||
		    hm_pte_get(entry).val != STRAY)
			all = false;
		else
			hm_pte_set(entry, before);
	}
	return all;
}

/* The writers of pgtable.h get through, whatever is open, and what they wrote is there to read. */
static bool writers_work(void)
{
	hm_pte_t *table = tables[0], expected = { 0 };
	const hm_pte_t none = { 0 };
	unsigned int i;
	bool all = true;

	hm_pte_set(&table[8], page(1));
	all &= hm_pte_update(&table[9], &expected, page(2));
	hm_pte_set_range(&table[10], 20, page(3), 1 << HM_PORT_ARM64_PAGE_SHIFT);
	for (i = 0; i < 22; i++)
		all &= hm_pte_get(&table[8 + i]).val == page(1 + i).val;
	hm_pte_clear(&table[8]);
	hm_pte_clear_range(&table[9], 20);
	hm_pte_fill(&table[29], 1, none, 0);
	for (i = 0; i < 22; i++)
		all &= !hm_pte_get(&table[8 + i]).val;
	return all;
}

/* ---- where they come from ---- */

/* A thread at the default level. */
CASE(default_level)
{
	EXPECT(refused());
	EXPECT(writers_work());
	EXPECT(refused());
	EXPECT(no_bugs());
}

/* The level that a section, or a guard, has opened, and where it ends. Without this the rest would show
 * nothing. */
CASE(open_window)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();
	hm_kpkeys_token_t guard;

	EXPECT(reaches());
	EXPECT(writers_work());
	hm_lazy_mmu_leave(tok);
	EXPECT(refused());
	guard = hm_kpkeys_enter_pgtables();
	EXPECT(reaches());
	EXPECT(writers_work());
	hm_kpkeys_leave(guard);
	EXPECT(refused());
	guard = hm_kpkeys_enter_unrestricted();
	EXPECT(reaches());
	hm_kpkeys_leave(guard);
	EXPECT(refused());
	EXPECT(no_bugs());
}

/* A section in a section: the inner leave does not close the outer window. */
CASE(nested_section)
{
	hm_lazy_mmu_token_t outer = hm_lazy_mmu_enter(), inner = hm_lazy_mmu_enter();

	EXPECT(reaches());
	hm_lazy_mmu_leave(inner);
	EXPECT(reaches());
	hm_lazy_mmu_leave(outer);
	EXPECT(refused());
	EXPECT(no_bugs());
}

/* A handler in the middle of a section, and a synchronous exception in that. */
CASE(nested_exceptions)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter(), inner;
	hm_context_exception_t interrupt, fault;

	hm_pte_set(&tables[0][2], page(2));
	interrupt = hm_context_exception_push();
	EXPECT(refused());
	EXPECT(writers_work());
	EXPECT(refused());
	inner = hm_lazy_mmu_enter();
	EXPECT(reaches());
	fault = hm_context_exception_push();
	EXPECT(refused());
	EXPECT(writers_work());
	hm_context_exception_pop(fault);
	EXPECT(reaches());
	hm_lazy_mmu_leave(inner);
	EXPECT(refused());
	hm_context_exception_pop(interrupt);
	EXPECT(reaches());
	hm_lazy_mmu_leave(tok);
	EXPECT(refused());
	EXPECT(no_bugs());
}

static bool refused_in_handler, writers_work_in_handler, reaches_in_its_section;

static void on_interrupt(int signal)
{
	hm_context_exception_t interrupted = hm_context_exception_push();
	hm_lazy_mmu_token_t tok;

	(void)signal;
	refused_in_handler = refused();
	writers_work_in_handler = writers_work();
	tok = hm_lazy_mmu_enter();
	reaches_in_its_section = reaches();
	hm_lazy_mmu_leave(tok);
	refused_in_handler &= refused();
	hm_context_exception_pop(interrupted);
}

/* A handler that the host runs: of a signal, in a section and at the default level. */
CASE(signal_handler)
{
	struct sigaction action;
	unsigned int i;

	memset(&action, 0, sizeof(action));
	action.sa_handler = on_interrupt;
	sigemptyset(&action.sa_mask);
	EXPECT(!sigaction(SIGUSR1, &action, NULL));
	for (i = 0; i < 2; i++) {
		hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

		raise(SIGUSR1);
		EXPECT(refused_in_handler && writers_work_in_handler && reaches_in_its_section);
		EXPECT(reaches());
		hm_lazy_mmu_leave(tok);
		EXPECT(refused());
		raise(SIGUSR1);
		EXPECT(refused_in_handler && writers_work_in_handler && reaches_in_its_section);
		EXPECT(refused());
	}
	EXPECT(no_bugs());
}

/* After the first half of a switch in the middle of a section; in the next context; and back. */
CASE(switch_in_a_section)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();
	hm_context_switch_t away = hm_context_switch_out();

	EXPECT(refused());
	EXPECT(writers_work());
	hm_native_switch_context(&contexts[1]);
	EXPECT(refused());
	EXPECT(writers_work());
	hm_native_switch_context(&contexts[0]);
	EXPECT(refused());
	hm_context_switch_in(away);
	EXPECT(reaches());
	hm_lazy_mmu_leave(tok);
	EXPECT(refused());
	EXPECT(no_bugs());
}

/* In a pause, and in a section that a callee enters there. */
CASE(pause)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter(), callee;
	hm_lazy_mmu_pause_t pause = hm_lazy_mmu_pause();

	EXPECT(refused());
	EXPECT(writers_work());
	callee = hm_lazy_mmu_enter();
	EXPECT(refused());
	EXPECT(writers_work());
	hm_lazy_mmu_leave(callee);
	hm_lazy_mmu_resume(pause);
	EXPECT(reaches());
	hm_lazy_mmu_leave(tok);
	EXPECT(refused());
	EXPECT(no_bugs());
}

/* In a guard of another key, or of none, in a section: a level replaces the one around it. */
CASE(guard_of_another_key)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	{
		HM_KPKEYS_GUARD(text, hm_kpkeys_enter_text);

		EXPECT(refused());
		EXPECT(writers_work());
		EXPECT(refused());
	}
	EXPECT(reaches());
	{
		HM_KPKEYS_GUARD(none, hm_kpkeys_enter_default);

		EXPECT(refused());
		EXPECT(writers_work());
	}
	EXPECT(reaches());
	hm_lazy_mmu_leave(tok);
	EXPECT(refused());
	EXPECT(no_bugs());
}

/* After misuse in a section: neither lazy nor raised, until its end. */
CASE(misuse)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter(), twice = hm_lazy_mmu_enter();

	hm_lazy_mmu_leave(twice);
	EXPECT(no_bugs());
	hm_lazy_mmu_leave(twice);
	EXPECT(hm_native.bugs == 1);
	EXPECT(refused());
	EXPECT(writers_work());
	hm_lazy_mmu_leave(tok);
	EXPECT(refused());
	EXPECT(hm_native.bugs == 1);
}

/* A store to the word that says PGTABLES: the register does not follow, not even where an exception returns,
 * and the next that looks reports it. */
CASE(overwritten_word)
{
	hm_lazy_mmu_token_t tok;

	contexts[0].word |= (uint64_t)HM_KPKEYS_PGTABLES << HM_CONTEXT_LEVEL_SHIFT_;
	EXPECT(refused());
	tok = hm_lazy_mmu_enter();
	EXPECT(hm_native.bugs == 1);
	EXPECT(reaches());
	hm_lazy_mmu_leave(tok);
	EXPECT(refused());
	EXPECT(writers_work());
	EXPECT(hm_native.bugs == 1);
}

/* A section's window is over at the latest where the context has to be idle. */
CASE(forgotten_leave)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	(void)tok;
	EXPECT(reaches());
	hm_context_assert_idle();
	EXPECT(hm_native.bugs == 1);
	EXPECT(refused());
}

/* ---- other threads ---- */

static bool refused_in_thread;

static void *at_default_level(void *argument)
{
	(void)argument;
	hm_kpkeys_cpu_start();
	refused_in_thread = refused();
	return NULL;
}

static bool refused_in_another_thread(void)
{
	pthread_t thread;

	refused_in_thread = false;
	return !pthread_create(&thread, NULL, at_default_level, NULL) &&
	       !pthread_join(thread, NULL) && refused_in_thread;
}

/* Another thread, while this one's window is closed. */
CASE(another_thread)
{
	EXPECT(refused_in_another_thread());
	EXPECT(no_bugs());
}

static void *in_a_section(void *argument)
{
	pthread_barrier_t *barrier = (pthread_barrier_t *)argument;
	hm_lazy_mmu_token_t tok;

	hm_kpkeys_cpu_start();
	tok = hm_lazy_mmu_enter();
	pthread_barrier_wait(barrier);
	pthread_barrier_wait(barrier);
	hm_lazy_mmu_leave(tok);
	return NULL;
}

static void stray_store_that_changes_nothing(void *entry)
{
	*(volatile uint64_t *)entry = *(volatile uint64_t *)entry;
}

/* This thread, while another one's window is open: only a register that each CPU has to itself refuses that;
 * mprotect() is not one. */
CASE(another_threads_window)
{
	struct hm_native_fault fault;
	pthread_barrier_t barrier;
	pthread_t thread;

	pthread_barrier_init(&barrier, NULL, 2);
	EXPECT(!pthread_create(&thread, NULL, in_a_section, &barrier));
	pthread_barrier_wait(&barrier);
	EXPECT(hm_native_expect_fault(stray_store_that_changes_nothing, &tables[0][VICTIM],
				      &fault) == (hm_native.way == HM_NATIVE_KEYS));
	pthread_barrier_wait(&barrier);
	EXPECT(!pthread_join(thread, NULL));
	pthread_barrier_destroy(&barrier);
	EXPECT(refused());
	EXPECT(no_bugs());
}

/* ---- reads, other memory, and the end of protection ---- */

/* Tables are readable at every level, by plain loads and by a walk. */
CASE(reads)
{
	const volatile uint64_t *entry = &tables[0][VICTIM].val;
	hm_context_exception_t interrupt;
	unsigned int level;

	EXPECT(*entry == page(42).val);
	EXPECT(hm_pgtable_leaf(address(1), &level).val == page(42).val && level == 0);
	EXPECT(!hm_pgtable_leaf(address(2), &level).val);
	interrupt = hm_context_exception_push();
	EXPECT(hm_pgtable_leaf(address(1), &level).val == page(42).val);
	hm_context_exception_pop(interrupt);
	EXPECT(no_bugs());
}

static void load(void *address)
{
	(void)*(volatile uint64_t *)address;
}

/* Faults that are not the key's are told apart, and are in no table. */
CASE(other_faults)
{
	struct hm_native_fault fault;
	static const uint64_t constant = 1;

	EXPECT(hm_native_expect_fault(load, (void *)16, &fault));
	EXPECT(fault.why == HM_KPKEYS_FAULT_NOT_MAPPED && !fault.table);
	EXPECT(hm_native_expect_fault(stray_store, (void *)(uintptr_t)&constant, &fault));
	EXPECT(fault.why == HM_KPKEYS_FAULT_PERMISSION && !fault.table);
	EXPECT(!hm_native_expect_fault(load, tables[0], &fault));
	EXPECT(refused());
}

static void fault_in_a_fault(void *argument)
{
	struct hm_native_fault inner;

	*(bool *)argument = hm_native_expect_fault(stray_store, tables[1], &inner) &&
			    !strcmp(inner.table, names[1]);
	stray_store(tables[2]);
}

/* An attempt may itself expect a fault. */
CASE(expected_faults_nest)
{
	struct hm_native_fault fault;
	bool inner = false;

	EXPECT(hm_native_expect_fault(fault_in_a_fault, &inner, &fault));
	EXPECT(inner && !strcmp(fault.table, names[2]));
}

/* Once protection is handed over the store works, in what this context does from then on. */
CASE(hand_over)
{
	hm_context_exception_t interrupt;

	EXPECT(refused());
	hm_kpkeys_hand_over();
	EXPECT(reaches());
	interrupt = hm_context_exception_push();
	EXPECT(refused());
	hm_context_exception_pop(interrupt);
	EXPECT(reaches());
	EXPECT(no_bugs());
	hm_kpkeys_cpu_start();
}
