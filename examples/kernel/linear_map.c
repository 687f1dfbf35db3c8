/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* linear_map.c -- see linear_map.h. */
#include "linear_map.h"

#include "layout.h"
#include "stats.h"
#include "thread.h"
#include "uart.h"

struct hm_direct_map linear_map;
static bool locked;
static struct hm_direct_map_counts counted; /* up to here */

void linear_map_init(void)
{
	const hm_va_t start = { LINEAR_BASE + RAM_START };
	const int error = hm_direct_map_init(&linear_map, start, RAM_END - RAM_START, false);

	if (error)
		panic("the linear map: error %d", error);
}

/* Not a spinlock, which masks interrupts. */
void linear_map_lock(void)
{
	while (__atomic_exchange_n(&locked, true, __ATOMIC_ACQUIRE))
		thread_yield();
}

/* A change publishes once, at its end or before its invalidation, and orders its unfolded groups once; a
 * split orders one link. */
void linear_map_unlock(void)
{
	const struct hm_direct_map_counts now = linear_map.counts;

	stat_add(STAT_INVALIDATIONS, now.invalidations - counted.invalidations);
	stat_add(STAT_MAP_CHANGES, now.entries != counted.entries);
	stat_add(STAT_MAP_ORDERED,
		 (now.unfolds != counted.unfolds) + (now.tables_linked - counted.tables_linked));
	counted = now;
	__atomic_store_n(&locked, false, __ATOMIC_RELEASE);
}

struct hm_direct_map_statistics linear_map_count(void)
{
	struct hm_direct_map_statistics found;

	linear_map_lock();
	found = hm_direct_map_statistics(&linear_map);
	linear_map_unlock();
	return found;
}

bool linear_map_is_same(const struct hm_direct_map_statistics *a,
			const struct hm_direct_map_statistics *b, unsigned int *level)
{
	for (*level = 0; *level < HM_PORT_PGTABLE_LEVELS; ++*level)
		if (a->leaves[*level] != b->leaves[*level] ||
		    a->groups[*level] != b->groups[*level] ||
		    a->tables[*level] != b->tables[*level])
			return false;
	return true;
}
