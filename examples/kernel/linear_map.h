/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* linear_map.h -- the linear map that the kernel runs on, as hm_direct_map has it, and its lock. */
#ifndef KERNEL_LINEAR_MAP_H
#define KERNEL_LINEAR_MAP_H

#include <hardmap/direct_map.h>

extern struct hm_direct_map linear_map;

/* Once, on the boot CPU. */
void linear_map_init(void);

/* Threads only: whoever waits lets others run, and whoever has it may be preempted, and go on on another
 * CPU. At most one change for each holding: what it issues is counted at the end (STAT_MAP_*). */
void linear_map_lock(void);
void linear_map_unlock(void);

/* What it consists of; takes the lock. */
struct hm_direct_map_statistics linear_map_count(void);

/* Whether that is the same; the first level at which it is not. */
bool linear_map_is_same(const struct hm_direct_map_statistics *a,
			const struct hm_direct_map_statistics *b, unsigned int *level);

#endif /* KERNEL_LINEAR_MAP_H */
