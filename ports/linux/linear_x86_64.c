// SPDX-License-Identifier: GPL-2.0-only
/*
 * linear_x86_64.c -- permissions of memory in the kernel's linear map, by its own set_memory_*(): no other
 * writer of those entries. There are no keys.
 */
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/set_memory.h>

#include "hardmap.h"

/* The kernel splits where it has to. */
int hm_linux_linear_isolate(hm_pa_t pa, uint64_t bytes)
{
	return 0;
}

int hm_linux_linear_set_key(hm_pa_t pa, uint64_t bytes, unsigned int key)
{
	return 0;
}

/* A part would be split off for good, as the kernel joins nothing but what becomes executable; the
 * block stays one entry if it is changed as a whole alone. */
int hm_linux_linear_set_permission(hm_pa_t isolated, uint64_t isolated_bytes, hm_pa_t pa,
				   uint64_t bytes, enum hm_permission permission)
{
	const unsigned long start = (unsigned long)phys_to_virt(pa.val);

	if (bytes < isolated_bytes)
		return -HM_EBUSY;
	if (permission == HM_PERMISSION_RO)
		return set_memory_ro(start, bytes >> PAGE_SHIFT);
	return set_memory_rw(start, bytes >> PAGE_SHIFT);
}

void hm_linux_linear_join(hm_pa_t isolated, uint64_t isolated_bytes)
{
}

/* As /sys/kernel/debug/page_tables/kernel and /proc/meminfo (DirectMap) have it. */
void __init hm_linux_linear_init(struct dentry *directory)
{
}
