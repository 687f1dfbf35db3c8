/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* pages.c -- a byte for each page of the blocks says whether it is taken. Other memory is handed out once. */
#include "pages.h"

#include "spinlock.h"
#include "string.h"
#include "uart.h"

#define PAGES ((SPARE_PA - TRACE_END) / PAGE_SIZE)

static struct spinlock lock;
static uint8_t taken[PAGES];
static unsigned int taken_count;
static uint64_t reserved = DATA_PA; /* up to here */

/* Whether n pages from that one on are free. */
static bool are_free(unsigned int first, unsigned int n)
{
	unsigned int i;

	for (i = first; i < first + n; i++)
		if (taken[i])
			return false;
	return true;
}

/* The lowest, so that others stay whole. */
bool pages_take(unsigned int order, uint64_t *pa)
{
	const unsigned int n = 1u << order;
	uint64_t flags = spin_lock_irqsave(&lock);
	unsigned int first = 0;
	bool found;

	while (first + n <= PAGES && !are_free(first, n))
		first += n;
	found = first + n <= PAGES;
	if (found) {
		memset(taken + first, 1, n);
		taken_count += n;
		*pa = TRACE_END + (uint64_t)first * PAGE_SIZE;
	}
	spin_unlock_irqrestore(&lock, flags);
	return found;
}

void pages_give(uint64_t pa, unsigned int n)
{
	const unsigned int first = (unsigned int)((pa - TRACE_END) / PAGE_SIZE);
	uint64_t flags;
	unsigned int i;

	for (i = 0; i < n; i++) /* it faults if the page is still locked */
		*(volatile uint64_t *)(pa + LINEAR_BASE + (uint64_t)i * PAGE_SIZE) = ~UINT64_C(0);
	flags = spin_lock_irqsave(&lock);
	for (i = first; i < first + n; i++) {
		if (pa < TRACE_END || i >= PAGES || !taken[i])
			panic("page %lx was not taken", (unsigned long)pa);
		taken[i] = 0;
	}
	taken_count -= n;
	spin_unlock_irqrestore(&lock, flags);
}

unsigned int pages_taken(void)
{
	return __atomic_load_n(&taken_count, __ATOMIC_RELAXED);
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
