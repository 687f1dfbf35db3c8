/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* window.c -- the window's frames, slots and upper tables. */
#include "window.h"

#include "layout.h"
#include "pages.h"
#include "spinlock.h"
#include "tables.h"
#include "uart.h"

#define STAMP UINT64_C(0x5ca1ab1e00000000)

static uint64_t frames[WINDOW_FRAMES]; /* physical addresses */
static hm_pte_t *links[WINDOW_SLOTS / HM_PORT_PGTABLE_ENTRIES]; /* tables of level 1 */
static struct spinlock lock;
static uint16_t free_slots[WINDOW_SLOTS]; /* a stack, once used */
static unsigned int free_count;
static unsigned int never_used;

/* A table, linked above it. New pages are zero, so it is filled when it is linked. */
static hm_pte_t *new_table(hm_pte_t *link)
{
	const hm_pa_t pa = { table_alloc() };

	hm_pte_link(link, hm_arm64_table(pa));
	return hm_port_pgtable_map(pa);
}

void window_init(void)
{
	const hm_va_t base = { WINDOW_BASE };
	unsigned int level = HM_PORT_PGTABLE_LEVELS - 1;
	hm_pte_t *upper = hm_port_pgtable_root(base) + hm_port_pgtable_index(base, level);
	hm_lazy_mmu_token_t tok;
	unsigned int i;

	for (i = 0; i < WINDOW_FRAMES; i++) {
		uint64_t *frame = pages_reserve(PAGE_SIZE);

		*frame = STAMP | i;
		frames[i] = (uintptr_t)frame - LINEAR_BASE;
	}
	/* All tables above the slots at once. */
	tok = hm_lazy_mmu_enter();
	for (; level > 2; level--)
		upper = new_table(upper);
	for (i = 0; i < WINDOW_SLOTS / HM_PORT_PGTABLE_ENTRIES; i++)
		links[i] = new_table(upper + i);
	hm_lazy_mmu_leave(tok);
}

unsigned int window_slot_alloc(void)
{
	uint64_t flags = spin_lock_irqsave(&lock);
	unsigned int slot = free_count ? free_slots[--free_count] : never_used++;

	spin_unlock_irqrestore(&lock, flags);
	if (slot >= WINDOW_SLOTS)
		panic("the trace has more than %u tables live at once", (unsigned int)WINDOW_SLOTS);
	return slot;
}

void window_slot_free(unsigned int slot)
{
	uint64_t flags = spin_lock_irqsave(&lock);

	free_slots[free_count++] = (uint16_t)slot;
	spin_unlock_irqrestore(&lock, flags);
}

hm_va_t window_va(unsigned int slot, unsigned int index)
{
	const hm_va_t va = { WINDOW_BASE + slot * WINDOW_SLOT_BYTES + (uint64_t)index * PAGE_SIZE };

	return va;
}

hm_pte_t *window_link_entry(unsigned int slot)
{
	return links[slot / HM_PORT_PGTABLE_ENTRIES] + slot % HM_PORT_PGTABLE_ENTRIES;
}

hm_pte_t window_page(unsigned int frame)
{
	const hm_pa_t pa = { frames[frame] };

	return hm_arm64_leaf(pa, 0, HM_ARM64_KERNEL_RW);
}

bool window_leads_to(hm_va_t va, unsigned int frame)
{
	return *(const volatile uint64_t *)va.val == (STAMP | frame);
}
