/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * protect.c -- stray stores to entries of every level, and to what the pool of tables knows: from threads,
 * interrupts and synchronous exceptions; in the middle of a section, beside one, after a switch, on another
 * CPU, after a CPU was off. Where nothing is protected a store of what is there already shows that it goes
 * through.
 */
#include "protect.h"

#include <hardmap/pgtable.h>

#include "cpu.h"
#include "exception.h"
#include "gic.h"
#include "layout.h"
#include "tables.h"
#include "thread.h"
#include "uart.h"
#include "window.h"

#define LEVELS HM_PORT_PGTABLE_LEVELS
/* And what decides which page is a table next. */
#define POOL_ROOT LEVELS
#define POOL_FRAME (LEVELS + 1)
#define VICTIMS (LEVELS + 2)
#define SECTION_THREADS 3
#define SECTION_ROUNDS 400

enum from { FROM_THREAD, FROM_INTERRUPT, FROM_EXCEPTION, FROMS };

static const char *const from_text[FROMS] = { "a thread", "an interrupt",
					      "a synchronous exception" };

static unsigned int slot;
static hm_pte_t *entries; /* of the slot's table */
/* An entry of each level, on the way to the slot's first page; and a word of the pool's metadata each. */
static hm_pte_t *victims[VICTIMS];

/* What was refused, by CPU: each counts its own. */
struct refusals {
	unsigned int refused[FROMS][VICTIMS];
	enum hm_kpkeys_fault why;
};
static struct refusals refusals[MAX_CPUS];

static struct thread attackers[MAX_CPUS];
static struct thread section_threads[SECTION_THREADS], bystander;
static unsigned int switched, migrated; /* in the middle of a section */
static bool sections_end;

/* ---- one stray store ---- */

static enum hm_kpkeys_fault why(const hm_pte_t *address, uint64_t syndrome)
{
	const hm_va_t va = { (uintptr_t)address };
	unsigned int level;

	return hm_kpkeys_why(syndrome, hm_pgtable_leaf(va, &level).val);
}

/* What a fault of a protected table is put down to. */
static enum hm_kpkeys_fault expected_fault(void)
{
	return hm_kpkeys_style() == HM_KEY_STYLE_STORE ? HM_KPKEYS_FAULT_STORE_KEY
						       : HM_KPKEYS_FAULT_KEY;
}

/* Refused, for the right reason, and nothing changed. */
static void attack(hm_pte_t *victim, const char *where)
{
	const uint64_t before = hm_pte_get(victim).val;
	const bool is_protected = hm_kpkeys_style() != HM_KEY_STYLE_NONE;
	const uint64_t syndrome = exception_try_store((uintptr_t)victim,
						      is_protected ? ~before : before);

	if (is_protected && !syndrome)
		panic("a stray store to an entry went through: %s", where);
	if (!is_protected && syndrome)
		panic("an entry that is not protected cannot be written: %s", where);
	if (is_protected && why(victim, syndrome) != expected_fault())
		panic("a stray store was refused for another reason: %s, %s",
		      hm_kpkeys_why_text(why(victim, syndrome)), where);
	if (hm_pte_get(victim).val != before)
		panic("a stray store was refused, and changed the entry: %s", where);
}

/* To all of them, on the CPU that runs this: it does not change meanwhile. */
static void attack_all(enum from from)
{
	struct refusals *mine = &refusals[cpu_id()];
	unsigned int i;

	for (i = 0; i < VICTIMS; i++) {
		attack(victims[i], from_text[from]);
		mine->refused[from][i]++;
	}
}

void protect_in_exception(void)
{
	attack_all(FROM_EXCEPTION);
}

void protect_in_interrupt(void)
{
	attack_all(FROM_INTERRUPT);
}

/* All three here; interrupts are enabled when the second one is due, so that it may come after a switch. */
static void attack_from_everywhere(void)
{
	uint64_t flags = irq_save();

	attack_all(FROM_THREAD);
	__asm__ volatile("brk #0" : : : "memory");
	gic_send_sgi(cpu_id(), PROTECT_SGI_ATTACK);
	irq_restore(flags);
}

/* ---- the same on every CPU ---- */

static bool all_refused(unsigned int cpus)
{
	unsigned int cpu, from;

	for (cpu = 0; cpu < cpus; cpu++)
		for (from = 0; from < FROMS; from++)
			if (!__atomic_load_n(&refusals[cpu].refused[from][0], __ATOMIC_RELAXED))
				return false;
	return true;
}

static void attacker_thread(void *cpus)
{
	while (!all_refused((unsigned int)(uintptr_t)cpus)) {
		attack_from_everywhere();
		thread_yield();
	}
}

/* One more thread than CPUs, with the caller, so that none of them is idle. */
static void attack_on_every_cpu(unsigned int cpus)
{
	unsigned int i;

	for (i = 0; i < cpus; i++)
		thread_create(&attackers[i], "attacker", attacker_thread, (void *)(uintptr_t)cpus);
	while (!sched_all_done())
		thread_yield();
}

/* ---- sections ---- */

/* Whether ordinary stores of this thread reach tables, as its section says. */
static void check_open(bool in_section)
{
	hm_pte_t *mine = entries + HM_PORT_PGTABLE_ENTRIES - 1;
	const bool opens = hm_kpkeys_style() == HM_KEY_STYLE_NONE ||
			   (hm_kpkeys_style() == HM_KEY_STYLE_WINDOW && in_section);

	/* The last entry is nobody's: always 0. */
	if (!exception_try_store((uintptr_t)mine, 0) != opens)
		panic("the level is %s in a section, or not out of one", opens ? "lost" : "leaked");
}

/* Writes two entries with all sorts of things between, and uses them. */
static void write_section(unsigned int first)
{
	struct thread *self = thread_current();
	const uint64_t switches = self->switches, migrations = self->migrations;
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();
	const hm_va_t va = { window_va(slot, 0).val + first * (uint64_t)PAGE_SIZE };

	hm_pte_set(entries + first, window_page(first));
	check_open(true);
	__asm__ volatile("brk #0"
			 :
			 :
			 : "memory"); /* which runs at the default level, and returns */
	check_open(true);
	gic_send_sgi(cpu_id(), PROTECT_SGI_ATTACK);
	thread_yield(); /* to threads in and out of sections, and back, perhaps on another CPU */
	check_open(true);
	hm_pte_set(entries + first + 1, window_page(first + 1));
	hm_lazy_mmu_leave(tok);
	check_open(false);
	__atomic_fetch_add(&switched, self->switches != switches, __ATOMIC_RELAXED);
	__atomic_fetch_add(&migrated, self->migrations != migrations, __ATOMIC_RELAXED);
	if (!window_leads_to(va, first))
		panic("an entry of a section leads elsewhere");

	hm_pte_clear_range(entries + first, 2);
	hm_pgtable_invalidate(va, UINT64_C(2) * PAGE_SIZE, HM_INVALIDATE_LEAVES);
}

static void section_thread(void *number)
{
	const unsigned int first = 2 + 2 * (unsigned int)(uintptr_t)number;
	unsigned int round;

	for (round = 0; round < SECTION_ROUNDS; round++)
		write_section(first);
	hm_context_assert_idle();
}

/* Never in a section, and beside all of them. */
static void bystander_thread(void *ignored)
{
	(void)ignored;
	while (!__atomic_load_n(&sections_end, __ATOMIC_RELAXED)) {
		check_open(false);
		attack_from_everywhere();
		thread_yield();
	}
}

static void run_sections(void)
{
	uintptr_t i;

	thread_create(&bystander, "bystander", bystander_thread, NULL);
	for (i = 0; i < SECTION_THREADS; i++)
		thread_create(&section_threads[i], "section", section_thread, (void *)i);
	for (i = 0; i < SECTION_THREADS; i++)
		while (__atomic_load_n(&section_threads[i].state, __ATOMIC_ACQUIRE) !=
		       THREAD_EXITED)
			thread_yield();
	__atomic_store_n(&sections_end, true, __ATOMIC_RELAXED);
	while (!sched_all_done())
		thread_yield();
	if (!switched)
		panic("no section was switched");
}

/* ---- writes that are meant ---- */

static void write_eagerly(void)
{
	const hm_va_t va = window_va(slot, 0);

	hm_pte_clear(entries);
	hm_pgtable_invalidate(va, PAGE_SIZE, HM_INVALIDATE_LEAVES);
	hm_pte_set(entries, window_page(7));
	if (!window_leads_to(va, 7))
		panic("an entry leads elsewhere");
}

/* ---- a CPU that was off ---- */

/* Simulated: while this CPU's registers say nothing of keys, a store goes through; after its resume none. */
static void suspend_and_resume(void)
{
	uint64_t flags = irq_save();
	const uint64_t entry = hm_pte_get(victims[0]).val;

	mmu_suspend_cpu();
	if (exception_try_store((uintptr_t)victims[0], entry))
		panic("a CPU without protection refuses a store");
	mmu_resume_cpu();
	attack_all(FROM_THREAD);
	irq_restore(flags);
}

/* ---- all of it ---- */

static void find_victims(void)
{
	const hm_va_t va = window_va(slot, 0);
	hm_pte_t *table = hm_port_pgtable_root(va);
	unsigned int level;

	for (level = LEVELS; level--;) {
		victims[level] = table + hm_port_pgtable_index(va, level);
		if (level)
			table = hm_port_pgtable_map(hm_port_pte_table(hm_pte_get(victims[level])));
	}
	entries = table;
	victims[POOL_ROOT] = tables_root_word();
	victims[POOL_FRAME] = tables_frame_word();
}

static unsigned int refused(unsigned int from, unsigned int victim)
{
	unsigned int cpu, all = 0;

	for (cpu = 0; cpu < MAX_CPUS; cpu++)
		all += refusals[cpu].refused[from][victim];
	return all;
}

static void print_refusals(void)
{
	unsigned int from, level;

	for (from = 0; from < FROMS; from++) {
		console_printf("  stray store from %-24s", from_text[from]);
		for (level = 0; level < LEVELS; level++)
			console_printf("  level %u: %'u", level, refused(from, level));
		console_printf("  the pool's root: %'u  its frames: %'u\n",
			       refused(from, POOL_ROOT), refused(from, POOL_FRAME));
	}
}

void protect_demonstrate(unsigned int cpus)
{
	const hm_pa_t pa = { table_alloc() };
	const char *what = hm_kpkeys_style() == HM_KEY_STYLE_NONE ? "gone through" : "refused";

	slot = window_slot_alloc();
	hm_pte_link(window_link_entry(slot), hm_arm64_table(pa));
	find_victims();
	hm_pte_set(entries, window_page(7));

	attack_on_every_cpu(cpus);
	write_eagerly();
	suspend_and_resume();
	run_sections();
	write_eagerly();

	console_printf("  protection in force: %s\n\n", mmu_protection());
	print_refusals();
	console_printf("  %s, each: %s\n", what,
		       hm_kpkeys_style() == HM_KEY_STYLE_NONE
			       ? "nothing protects the tables"
			       : hm_kpkeys_why_text(expected_fault()));
	console_printf("  sections written %'u, switched %'u, moved to another CPU %'u: no level "
		       "leaked or was lost\n",
		       SECTION_THREADS * SECTION_ROUNDS, switched, migrated);
	console_printf(
		"  CPUs that came up protected: %u; a CPU that was off (simulated): again\n\n",
		cpus);
}

/* ---- hand-over ---- */

static unsigned int stopped;

_Noreturn void protect_stop_cpu(void)
{
	irq_save();
	__atomic_fetch_add(&stopped, 1, __ATOMIC_RELEASE);
	for (;;)
		cpu_wait_for_interrupt();
}

void protect_hand_over(unsigned int cpus)
{
	unsigned int cpu;

	irq_save();
	for (cpu = 0; cpu < cpus; cpu++)
		if (cpu != cpu_id())
			gic_send_sgi(cpu, PROTECT_SGI_STOP);
	while (__atomic_load_n(&stopped, __ATOMIC_ACQUIRE) != cpus - 1)
		cpu_relax();

	mmu_hand_over();
	/* Ordinary stores and the library's, to all levels, and what they map. */
	attack_all(FROM_THREAD);
	write_eagerly();
	console_printf("  handed over: all tables are ordinary memory, and translate as before\n");
}
