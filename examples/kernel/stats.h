/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* stats.h -- what happened, counted over all CPUs. Any context. */
#ifndef KERNEL_STATS_H
#define KERNEL_STATS_H

#include <stdint.h>

enum stat {
	STAT_TABLES_FILLED,
	STAT_TABLES_CLEARED,
	STAT_UPPER_TABLES, /* pages that the trace uses for tables of upper levels */
	STAT_ENTRIES_SET, /* made valid by the replay, in sections */
	STAT_TOUCHES, /* accesses through entries that were just published */
	STAT_STRAY_STORES, /* tried on a table of the replay each */
	STAT_INVALIDATIONS, /* those of the linear map too */
	STAT_TABLES_SERVED, /* pages from the pool */
	STAT_MAP_CHANGES, /* of the linear map, each published once */
	STAT_MAP_ORDERED, /* DMB ISHST that they took: links, and groups that became single entries */
	STAT_INTERRUPTS,
	STAT_INTERRUPTS_IN_SECTION,
	STAT_INTERRUPT_ENTRIES, /* made valid by interrupt handlers */
	STAT_SWITCHES_OUT,
	STAT_SWITCHES, /* of threads that came back */
	STAT_SWITCHES_IN_SECTION,
	STAT_MIGRATIONS_IN_SECTION,
	STAT_SPURIOUS_FAULTS,
	STAT_COUNT,
};

void stat_add(enum stat stat, uint64_t n);
uint64_t stat_get(enum stat stat);

/* All from zero again; exact while nobody counts. */
void stat_reset(void);

#endif /* KERNEL_STATS_H */
