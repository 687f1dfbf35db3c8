/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* stats.c -- the counters of stats.h. */
#include "stats.h"

static uint64_t counts[STAT_COUNT];

/* Atomic, as interrupts and other CPUs count too; nothing is ordered by it. */
void stat_add(enum stat stat, uint64_t n)
{
	__atomic_fetch_add(&counts[stat], n, __ATOMIC_RELAXED);
}

uint64_t stat_get(enum stat stat)
{
	return __atomic_load_n(&counts[stat], __ATOMIC_RELAXED);
}

void stat_reset(void)
{
	unsigned int stat;

	for (stat = 0; stat < STAT_COUNT; stat++)
		__atomic_store_n(&counts[stat], 0, __ATOMIC_RELAXED);
}
