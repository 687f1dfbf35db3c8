/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * pages.c -- a stack of free pages, linked through an array beside them: a page that a walker may
 * still read holds no link.
 */
#include "pages.h"

#include "spinlock.h"
#include "string.h"
#include "uart.h"

#define PAGES ((SPARE_PA - TRACE_END) / PAGE_SIZE)

static struct spinlock lock;
static uint32_t next_free[PAGES]; /* by page number; index + 1 of the next free page, 0: none */
static uint32_t first_free; /* likewise */
static uint32_t never_used; /* pages from here on were never handed out */

static uint64_t page_address(uint32_t number)
{
	return TRACE_END + (uint64_t)number * PAGE_SIZE;
}

uint64_t page_alloc(void)
{
	uint64_t flags = spin_lock_irqsave(&lock);
	uint32_t number = first_free ? first_free - 1 : never_used;
	bool fresh = !first_free;

	if (fresh)
		never_used++;
	else
		first_free = next_free[number];
	spin_unlock_irqrestore(&lock, flags);
	if (number >= PAGES)
		panic("out of memory: the trace needs more than %u pages", (unsigned int)PAGES);
	if (fresh)
		memset((void *)(page_address(number) + LINEAR_BASE), 0, PAGE_SIZE);
	return page_address(number);
}

void page_free(uint64_t pa)
{
	uint32_t number = (uint32_t)((pa - TRACE_END) / PAGE_SIZE);
	uint64_t flags;

	if (pa < TRACE_END || number >= PAGES)
		panic("page %lx was not allocated", (unsigned long)pa);
	flags = spin_lock_irqsave(&lock);
	next_free[number] = first_free;
	first_free = number + 1;
	spin_unlock_irqrestore(&lock, flags);
}

void *pages_reserve(uint64_t bytes)
{
	uint32_t pages = (uint32_t)((bytes + PAGE_SIZE - 1) / PAGE_SIZE);
	uint64_t flags = spin_lock_irqsave(&lock);
	void *start = (void *)(page_address(never_used) + LINEAR_BASE);

	if (pages > PAGES - never_used)
		panic("out of memory: the trace is too long");
	never_used += pages;
	spin_unlock_irqrestore(&lock, flags);
	memset(start, 0, bytes);
	return start;
}
