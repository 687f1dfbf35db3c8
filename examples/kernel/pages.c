/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * pages.c -- a stack of free page-table pages, linked through an array beside them: they hold no
 * links, and ordinary stores do not write them. Other memory is handed out once.
 */
#include "pages.h"

#include <hardmap/pgtable.h>

#include "spinlock.h"
#include "string.h"
#include "uart.h"

#define TABLES ((SPARE_PA - TRACE_END) / PAGE_SIZE)

static struct spinlock lock;
static uint32_t next_free[TABLES]; /* by page number; index + 1 of the next free page, 0: none */
static uint32_t first_free; /* likewise */
static uint32_t never_used; /* pages from here on were never handed out */
static uint64_t reserved = DATA_PA; /* up to here */

uint64_t table_alloc(void)
{
	uint64_t flags = spin_lock_irqsave(&lock);
	uint32_t number = first_free ? first_free - 1 : never_used;
	const hm_pa_t pa = { TRACE_END + (uint64_t)number * PAGE_SIZE };
	const hm_pte_t none = { 0 };
	bool fresh = !first_free;

	if (fresh)
		never_used++;
	else
		first_free = next_free[number];
	spin_unlock_irqrestore(&lock, flags);
	if (number >= TABLES)
		panic("out of memory: the trace needs more than %u tables", (unsigned int)TABLES);
	if (fresh)
		hm_pte_fill(hm_port_pgtable_map(pa), HM_PORT_PGTABLE_ENTRIES, none, 0);
	return pa.val;
}

void table_free(uint64_t pa)
{
	uint32_t number = (uint32_t)((pa - TRACE_END) / PAGE_SIZE);
	uint64_t flags;

	if (pa < TRACE_END || number >= TABLES)
		panic("table %lx was not allocated", (unsigned long)pa);
	flags = spin_lock_irqsave(&lock);
	next_free[number] = first_free;
	first_free = number + 1;
	spin_unlock_irqrestore(&lock, flags);
}

void *pages_reserve(uint64_t bytes)
{
	uint64_t flags = spin_lock_irqsave(&lock);
	void *start = (void *)(reserved + LINEAR_BASE);

	bytes = (bytes + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
	if (bytes > TRACE_PA - reserved)
		panic("out of memory: the trace is too long");
	reserved += bytes;
	spin_unlock_irqrestore(&lock, flags);
	memset(start, 0, bytes);
	return start;
}
