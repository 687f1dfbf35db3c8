/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * main.c -- starts the CPUs; has the linear map split and collapsed under them, and code loaded; has the
 * trace replayed while timer interrupts preempt the threads and memory is reclaimed, and says what that cost
 * and what it would have cost without batching. Ends the machine with status 0 if all was right.
 */
#include <hardmap/pgtable.h>

#include "code.h"
#include "code_cache.h"
#include "cost.h"
#include "cpu.h"
#include "gic.h"
#include "insn_count.h"
#include "irq_window.h"
#include "linear.h"
#include "linear_map.h"
#include "protect.h"
#include "psci.h"
#include "reclaim.h"
#include "replay.h"
#include "semihost.h"
#include "stats.h"
#include "tables.h"
#include "thread.h"
#include "timer.h"
#include "uart.h"
#include "window.h"

#define TIMER_HZ 1000

static struct thread threads[REPLAY_THREADS];
static struct thread keeper;
static unsigned int cpus_up = 1;

void kernel_bug(const char *message)
{
	if (!reclaim_expects_bug())
		panic("HM_BUG: %s", message);
}

static void start_cpu(void)
{
	mmu_init_cpu();
	gic_init_cpu();
	timer_start(TIMER_HZ);
}

void secondary_main(unsigned int cpu);
void secondary_main(unsigned int cpu)
{
	(void)cpu;
	start_cpu();
	__atomic_fetch_add(&cpus_up, 1, __ATOMIC_RELEASE);
	sched_start();
}

static void start_other_cpus(void)
{
	unsigned int cpu, count = gic_cpu_count();

	if (count > MAX_CPUS)
		count = MAX_CPUS;
	for (cpu = 1; cpu < count; cpu++) {
		if (psci_cpu_on(cpu) != PSCI_SUCCESS)
			panic("CPU %u does not start", cpu);
		while (__atomic_load_n(&cpus_up, __ATOMIC_ACQUIRE) == cpu)
			cpu_relax();
	}
}

static void watch(unsigned int events)
{
	unsigned int tenths = 0;

	console_printf("  replaying  ");
	while (!sched_all_done()) {
		for (; tenths < replay_done() * 10ul / events; tenths++)
			console_printf("#");
		if (reclaim_watch())
			console_printf("  replaying  %s", "##########" + 10 - tenths);
		thread_yield();
	}
	console_printf("%s\n\n", "##########" + tenths);
	(void)reclaim_watch(); /* the end may be the peak */
}

static void row(const char *what, uint64_t issued, uint64_t unbatched)
{
	console_printf("  %-34s %'14lu %'14lu\n", what, issued, unbatched);
}

static void line(const char *what, uint64_t n)
{
	console_printf("  %-34s %'14lu\n", what, n);
}

/* Says what happened; whether every barrier is accounted for. */
static bool report(void)
{
	uint64_t sections = stat_get(STAT_TABLES_FILLED);
	/* One link for the handlers' table. */
	uint64_t eager = stat_get(STAT_INTERRUPT_ENTRIES) + 1 + stat_get(STAT_SPURIOUS_FAULTS);
	uint64_t links = stat_get(STAT_TABLES_FILLED) + 1;
	uint64_t changes = stat_get(STAT_MAP_CHANGES), ordered = stat_get(STAT_MAP_ORDERED);
	uint64_t entries = stat_get(STAT_ENTRIES_SET) + eager;
	uint64_t invalidations = stat_get(STAT_INVALIDATIONS);
	bool keyed = hm_kpkeys_style() == HM_KEY_STYLE_STORE;
	/* A publication or the first half of an invalidation each; a keyed one looks as a switch does,
	 * and as the second half. */
	uint64_t dsb = keyed ? insn_counted(HM_INSN_DSB_ISH) - 2 * invalidations -
				       stat_get(STAT_SWITCHES_OUT)
			     : insn_counted(HM_INSN_DSB_ISHST) - invalidations;
	uint64_t isb = insn_counted(HM_INSN_ISB) - invalidations - stat_get(STAT_SWITCHES);
	uint64_t dmb = insn_counted(HM_INSN_DMB_ISHST);
	uint64_t key_writes = insn_counted(HM_INSN_MSR_POR_EL1);
	/* The register's own ISBs are beside those of publication. */
	bool ok = dsb == sections + eager + changes && dmb == links + ordered &&
		  (key_writes ? isb > dsb : isb == dsb) &&
		  !key_writes == (hm_kpkeys_style() != HM_KEY_STYLE_WINDOW);

	line("page tables filled", stat_get(STAT_TABLES_FILLED));
	line("page tables cleared", stat_get(STAT_TABLES_CLEARED));
	line("entries made valid", entries);
	console_printf("\n  %-34s %14s %14s\n", "publication", "issued", "pair per entry");
	row(keyed ? "DSB ISH" : "DSB ISHST", dsb, entries);
	row("ISB", isb, entries);
	row("DMB ISHST (one a link)", dmb, dmb);
	line("DMB ISH (keyed stores)", insn_counted(HM_INSN_DMB_ISH));
	line("GCSB DSYNC (keyed stores)", insn_counted(HM_INSN_GCSB_DSYNC));
	line("key register writes", key_writes);
	console_printf("\n");
	line("switches of threads (DSB ISH, ISB)", stat_get(STAT_SWITCHES));
	line("changes of the linear map, for keys", changes);
	line("invalidations", invalidations);
	line("timer interrupts", stat_get(STAT_INTERRUPTS));
	line("  in the middle of a section", stat_get(STAT_INTERRUPTS_IN_SECTION));
	line("  entries that they made and used", stat_get(STAT_INTERRUPT_ENTRIES));
	line("switches in the middle of a section", stat_get(STAT_SWITCHES_IN_SECTION));
	line("  that moved to another CPU", stat_get(STAT_MIGRATIONS_IN_SECTION));
	line("pages used right after publication", stat_get(STAT_TOUCHES));
	line("spurious faults repaired", stat_get(STAT_SPURIOUS_FAULTS));
	console_printf("\n  protection in force: %s\n", mmu_protection());
	if (!ok)
		console_printf("\n  WRONG: %lu pairs and %lu DMBs were due\n",
			       sections + eager + changes, links + ordered);
	return ok;
}

/* The only thread but for those that it creates: when they have ended, nobody executes what is
 * counted. */
static void keep(void *argument)
{
	const unsigned int events = (unsigned int)(uintptr_t)argument;
	uintptr_t i;
	bool ok;

	window_init();
	code_cache_init(cpus_up);
	protect_demonstrate(cpus_up);
	cost_report(cpus_up);
	linear_demonstrate(cpus_up);
	code_demonstrate(cpus_up);
	reclaim_attack();
	tables_reclaim();
	insn_count_reset();
	stat_reset();

	irq_window_init();
	line("events in the trace", events);
	line("replayed by threads", REPLAY_THREADS);
	reclaim_start(events);
	for (i = 0; i < REPLAY_THREADS; i++)
		thread_create(&threads[i], "replay", replay_thread, (void *)i);
	watch(events);
	irq_window_close(); /* nobody writes entries while they are counted */
	reclaim_finish();
	reclaim_report();
	ok = report();
	console_printf("\n  %s\n", ok ? "every barrier is accounted for" : "FAILED");
	protect_hand_over(cpus_up);
	machine_exit(ok ? 0 : 1);
}

_Noreturn void kernel_main(void);
_Noreturn void kernel_main(void)
{
	unsigned int events;

	uart_init();
	gic_init();
	start_cpu();
	linear_map_init();
	tables_init();
	events = replay_load();
	start_other_cpus();
	console_printf(
		"\nhardmap's example kernel: arm64, %s granule, %u CPUs, TLBI by range: %s\n\n",
		MMU_GRANULE_NAME, cpus_up, mmu_has_tlbi_range ? "yes" : "no");
	thread_create(&keeper, "keeper", keep, (void *)(uintptr_t)events);
	sched_start();
}
