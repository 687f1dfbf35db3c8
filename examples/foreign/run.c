/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * run.c -- another kernel's page tables on the machine: three threads on two CPUs map, use, unmap and free
 * pages, in a thousand interleavings. Prints the report of the first violation. Status 0 if there is one
 * with the mistake of pagetable.c, and none without it.
 */
#include "arch.h"
#include "pagetable.h"

#define RUNS 1000
#define ROUNDS 10
#define VA UINT64_C(0xffff800000000000)
enum { ROOT, FIRST_TABLE, FIRST_PAGE = 8 }; /* pages of the machine's memory */

uint64_t kernel_root;
static struct hm_machine machine;
static unsigned int tables;

uint64_t alloc_table(void)
{
	return hm_machine_page(FIRST_TABLE + tables++).val;
}

static void context_switch(void)
{
	dsb(ish);
	hm_machine_switch();
	isb();
}

static void thread(void *argument)
{
	unsigned int i, number = hm_machine_thread_number(), page = FIRST_PAGE + number;
	const hm_va_t va = { VA + number * UINT64_C(4096) };

	(void)argument;
	for (i = 0; i < ROUNDS; i++) {
		pt_map_page(va.val, hm_machine_page(page).val);
		hm_machine_access(va, HM_ACCESS_WRITE); /* must work */
		if (hm_machine_random(2))
			context_switch();
		hm_machine_access(va, HM_ACCESS_READ); /* and here, perhaps on the other CPU */
		pt_unmap_page(va.val);
		hm_machine_release(page, va, 4096); /* no CPU may reach the page any more */
		hm_machine_access(va, HM_ACCESS_READ); /* must fault */
	}
}

int main(void)
{
	struct hm_machine_config config = { .cpus = 2, .interleave = 32 };
	unsigned long long events = 0;

	for (config.seed = 1; config.seed <= RUNS && !machine.violation[0]; config.seed++) {
		hm_machine_start(&machine, &config);
		hm_machine_set_root(ROOT);
		kernel_root = hm_machine_page(ROOT).val;
		tables = 0;
		pt_map_page(VA + 3 * 4096, 0); /* makes the tables that the threads use */
		hm_machine_settle();
		for (unsigned int i = 0; i < 3; i++)
			hm_machine_thread(thread, NULL);
		hm_machine_run();
		events += machine.now;
	}
	if (machine.violation[0])
		hm_machine_report(stdout);
	else
		printf("%d runs, %llu events: no violation\n", RUNS, events);
	return (machine.violation[0] != 0) != FOREIGN_BUG;
}
