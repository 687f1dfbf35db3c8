/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * probe_foreign.c -- the contract suite's probe for tests/contract/foreign.
 */
#include "probe.h"
#include <hardmap/lazy_mmu.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct foreign foreign;
static struct hm_context contexts[PROBE_CONTEXTS];
static unsigned int running;
static struct {
	bool out; /* was switched out, and not in again */
	hm_context_switch_t token;
} away[PROBE_CONTEXTS];
/* Three are used; pages of their own. */
static hm_pte_t tables[4][HM_PORT_PGTABLE_ENTRIES] __attribute__((aligned(1024)));

bool foreign_alloc_table(hm_pa_t *table)
{
	const size_t bytes = HM_PORT_PGTABLE_ENTRIES * sizeof(hm_pte_t);
	void *memory = foreign.tables_left ? aligned_alloc(bytes, bytes) : NULL;

	if (!memory)
		return false;
	memset(memory, 0xff, bytes);
	foreign.tables_left--;
	foreign.tables_out++;
	table->val = (uintptr_t)memory;
	return true;
}

void foreign_free_table(hm_pa_t table)
{
	foreign.tables_out--;
	free((void *)(uintptr_t)table.val);
}

void probe_reset(void)
{
	memset(contexts, 0, sizeof(contexts));
	memset(tables, 0, sizeof(tables));
	memset(&foreign, 0, sizeof(foreign));
	memset(away, 0, sizeof(away));
	running = 0;
	foreign.context = &contexts[0];
	foreign.bbm_level = 3;
	foreign.tables_left = UINT_MAX;
	foreign.forbidden = ~UINT64_C(0); /* unknown at reset */
	hm_kpkeys_cpu_start();
	probe_read();
}

struct probe_counts probe_read(void)
{
	const struct probe_counts counts = {
		.publish = foreign.publish,
		.sync = foreign.sync,
		.switched = foreign.switched,
		.order = foreign.order,
		.stores = foreign.stores,
		.key_writes = foreign.key_writes,
		.keyed_orders = foreign.keyed_orders,
		.bugs = foreign.bugs,
	};

	foreign.publish = foreign.sync = foreign.switched = 0;
	foreign.order = foreign.stores = foreign.key_writes = foreign.bugs = 0;
	foreign.keyed_orders = 0;
	return counts;
}

void probe_run_on(unsigned int context)
{
	struct foreign before = foreign;

	if (context == running)
		return;
	away[running].token = hm_context_switch_out();
	away[running].out = true;
	running = context;
	foreign.context = &contexts[context];
	if (away[context].out)
		hm_context_switch_in(away[context].token);
	away[context].out = false;
	before.context = foreign.context;
	before.forbidden = foreign.forbidden;
	foreign = before;
}

void probe_may_refuse(const hm_pte_t *ptep)
{
	(void)ptep;
}

bool probe_opens(unsigned int key)
{
	if (hm_kpkeys_style() == HM_KEY_STYLE_WINDOW)
		return !(foreign.forbidden >> 2 * key & 3);
	return hm_kpkeys_style() == HM_KEY_STYLE_NONE || key == HM_KEY_DEFAULT;
}

void probe_interrupt(void (*handler)(void))
{
	hm_context_exception_t interrupted = hm_context_exception_push();

	handler();
	hm_context_exception_pop(interrupted);
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

struct probe_direct_map probe_direct_map(void)
{
	const struct probe_direct_map hooks = {
		.bbm_level = &foreign.bbm_level,
		.break_answer = &foreign.break_answer,
		.breaks = &foreign.breaks,
		.mends = &foreign.mends,
		.tables_left = &foreign.tables_left,
		.tables_out = &foreign.tables_out,
	};

	return hooks;
}

hm_pte_t probe_linear_page(uint64_t pa)
{
	return entry(pa / FOREIGN_PAGE_BYTES, FOREIGN_WRITE | FOREIGN_LEAF);
}
