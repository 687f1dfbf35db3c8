// SPDX-License-Identifier: GPL-2.0-only
/*
 * linear.c -- keys and permissions of memory in the kernel's linear map.
 *
 * Its tables are the kernel's: they have no key, and ordinary stores write them. HM_LINUX_PLAIN_TABLES, with
 * which this file is compiled, says so to the writers of pgtable.h; what an entry with a key is stays what it
 * is elsewhere. The kernel changes them too, by pages, each for memory of its own: so nothing here reads or
 * writes an entry that maps other memory than the caller's, and what would be shared is split before.
 */
#include <linux/mutex.h>
#include <linux/version.h>

#include <asm/mmu.h>

#include "hardmap.h"
#include <hardmap/direct_map.h>

/* Taken by who reclaims memory: what is held with it waits for none. */
static DEFINE_MUTEX(linear_mutex);

static hm_va_t linear_address(hm_pa_t pa)
{
	return (hm_va_t){ (uintptr_t)phys_to_virt(pa.val) };
}

bool hm_linux_plain_table_alloc(hm_pa_t *table)
{
	return hm_linux_key_style == HM_KEY_STYLE_NONE && hm_linux_table_alloc(table);
}

int hm_linux_linear_isolate(hm_pa_t pa, uint64_t bytes)
{
	const unsigned long start = (unsigned long)linear_address(pa).val;

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
	return split_kernel_leaf_mapping(start, start + bytes);
#else
	(void)start;
	return 0; /* pages from boot on, or blocks that never change their size */
#endif
}

int hm_linux_linear_set_key(hm_pa_t pa, uint64_t bytes, unsigned int key)
{
	struct hm_direct_map map;
	int error;

	if (hm_linux_key_style == HM_KEY_STYLE_NONE)
		return 0;
	error = hm_direct_map_init(&map, linear_address(pa), bytes, false);
	if (error)
		return error;
	mutex_lock(&linear_mutex);
	error = hm_direct_map_set_pkey(&map, NULL, linear_address(pa), bytes, key);
	mutex_unlock(&linear_mutex);
	return error;
}

int hm_linux_linear_set_permission(hm_pa_t isolated, uint64_t isolated_bytes, hm_pa_t pa,
				   uint64_t bytes, enum hm_permission permission)
{
	struct hm_direct_map_reserve reserve = { { 0 }, 0 };
	struct hm_direct_map map;
	int error = hm_direct_map_init(&map, linear_address(isolated), isolated_bytes, false);

	if (!error && bytes < isolated_bytes)
		error = hm_direct_map_prepare(&reserve, HM_DIRECT_MAP_TABLES);
	if (error)
		return error;
	mutex_lock(&linear_mutex);
	error = hm_direct_map_set_permission(&map, &reserve, linear_address(pa), bytes, permission);
	mutex_unlock(&linear_mutex);
	hm_direct_map_release(&reserve);
	return error;
}

void hm_linux_linear_join(hm_pa_t isolated, uint64_t isolated_bytes)
{
	struct hm_direct_map map;

	if (hm_direct_map_init(&map, linear_address(isolated), isolated_bytes, false))
		return;
	mutex_lock(&linear_mutex);
	/* Refused, it is right, and as small as it was. */
	(void)!hm_direct_map_collapse(&map, linear_address(isolated), isolated_bytes);
	mutex_unlock(&linear_mutex);
}
