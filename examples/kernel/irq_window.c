/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* irq_window.c -- one slot of the window, whose table has an entry for each CPU. */
#include "irq_window.h"

#include "cpu.h"
#include "layout.h"
#include "stats.h"
#include "tables.h"
#include "uart.h"
#include "window.h"

static unsigned int slot;
static hm_pte_t *entries; /* by CPU: no two CPUs write the same */
static unsigned int next_frame[MAX_CPUS];
static unsigned int users; /* handlers inside irq_window_use() */
static bool open;

void irq_window_init(void)
{
	const hm_pa_t pa = { table_alloc() };

	slot = window_slot_alloc();
	entries = hm_port_pgtable_map(pa);
	hm_pte_link(window_link_entry(slot), hm_arm64_table(pa));
	/* A handler learns by it that there is a window; its own entry's ISB is after that. */
	__atomic_store_n(&open, true, __ATOMIC_SEQ_CST);
}

static void use(void)
{
	unsigned int cpu = cpu_id();
	unsigned int frame = next_frame[cpu]++ % WINDOW_FRAMES;
	hm_va_t va = window_va(slot, cpu);

	/* No section is open in a handler, so this is published here and now. */
	hm_pte_set(entries + cpu, window_page(frame));
	stat_add(STAT_INTERRUPT_ENTRIES, 1);
	if (!window_leads_to(va, frame))
		panic("an interrupt handler's mapping leads elsewhere");
	hm_pte_clear(entries + cpu);
	hm_pgtable_invalidate(va, PAGE_SIZE, HM_INVALIDATE_LEAVES);
	stat_add(STAT_INVALIDATIONS, 1);
}

/* Sequentially consistent: of a handler that counts itself and then looks, and a closer that closes and then
 * counts, at least one sees the other. */
void irq_window_use(void)
{
	__atomic_fetch_add(&users, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&open, __ATOMIC_SEQ_CST))
		use();
	__atomic_fetch_sub(&users, 1, __ATOMIC_SEQ_CST);
}

void irq_window_close(void)
{
	__atomic_store_n(&open, false, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&users, __ATOMIC_SEQ_CST))
		cpu_relax();
}
