/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * probe_foreign.c -- the contract suite's probe for tests/contract/foreign.
 */
#include "probe.h"
#include <hardmap/lazy_mmu.h>
#include <string.h>

struct foreign foreign;
static struct hm_lazy_mmu contexts[PROBE_CONTEXTS];
static hm_pte_t tables[3][HM_PORT_PGTABLE_ENTRIES] __attribute__((aligned(256)));

void probe_reset(void)
{
	memset(contexts, 0, sizeof(contexts));
	memset(tables, 0, sizeof(tables));
	memset(&foreign, 0, sizeof(foreign));
	probe_run_on(0);
}

struct probe_counts probe_read(void)
{
	const struct probe_counts counts = {
		.publish = foreign.publish,
		.sync = foreign.sync,
		.switched = foreign.switched,
		.order = foreign.order,
		.stores = foreign.stores,
		.bugs = foreign.bugs,
	};

	foreign.publish = foreign.sync = foreign.switched = 0;
	foreign.order = foreign.stores = foreign.bugs = 0;
	return counts;
}

void probe_run_on(unsigned int context)
{
	foreign.context = &contexts[context];
}

void probe_interrupt(void (*handler)(void))
{
	hm_lazy_mmu_exception_t interrupted = hm_lazy_mmu_exception_push();

	handler();
	hm_lazy_mmu_exception_pop(interrupted);
}

hm_pte_t *probe_table(unsigned int number)
{
	return tables[number];
}

static hm_pte_t entry(uint64_t frame, uint64_t bits)
{
	const hm_pte_t pte = { frame | FOREIGN_VALID | bits };

	return pte;
}

hm_pte_t probe_kernel_page(unsigned int number)
{
	return entry(number, FOREIGN_WRITE);
}

hm_pte_t probe_readonly_page(unsigned int number)
{
	return entry(number, 0);
}

hm_pte_t probe_user_page(unsigned int number)
{
	return entry(number, FOREIGN_WRITE | FOREIGN_USER);
}

hm_pte_t probe_block(unsigned int number)
{
	return entry((uint64_t)number * HM_PORT_PGTABLE_ENTRIES, FOREIGN_WRITE);
}

hm_pte_t probe_link(unsigned int number)
{
	return entry((uintptr_t)tables[number], FOREIGN_TABLE);
}

uint64_t probe_page_step(void)
{
	return 1;
}

uint64_t probe_page_bytes(void)
{
	return FOREIGN_PAGE_BYTES;
}

hm_va_t probe_va(uint64_t offset)
{
	const hm_va_t va = { offset };

	return va;
}

void probe_set_root(hm_pte_t *root)
{
	foreign.root = root;
}
