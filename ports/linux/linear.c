// SPDX-License-Identifier: GPL-2.0-only
/*
 * linear.c -- keys and permissions of memory in the kernel's linear map.
 *
 * Its tables are the kernel's: they have no key, and ordinary stores write them. HM_LINUX_PLAIN_TABLES, with
 * which this file is compiled, says so to the writers of pgtable.h; what an entry with a key is stays what it
 * is elsewhere. The kernel changes them too, by pages, each for memory of its own: so nothing here reads or
 * writes an entry that maps other memory than the caller's, and what would be shared is split before.
 */
#include <linux/debugfs.h>
#include <linux/init.h>
#include <linux/memblock.h>
#include <linux/memory_hotplug.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/version.h>

#include <asm/mmu.h>

#include "hardmap.h"
#include <hardmap/direct_map.h>

/* Taken by who reclaims memory: what is held with it waits for none. */
static DEFINE_MUTEX(linear_mutex);
static struct hm_direct_map_counts counts; /* of all maps, with the mutex */

static hm_va_t linear_address(hm_pa_t pa)
{
	return (hm_va_t){ (uintptr_t)phys_to_virt(pa.val) };
}

/* A map lasts as long as its change, so that it ends where the memory does; the counts go on. */
static void begin_change(struct hm_direct_map *map)
{
	mutex_lock(&linear_mutex);
	map->counts = counts;
}

static void end_change(const struct hm_direct_map *map)
{
	counts = map->counts;
	mutex_unlock(&linear_mutex);
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
	begin_change(&map);
	error = hm_direct_map_set_pkey(&map, NULL, linear_address(pa), bytes, key);
	end_change(&map);
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
	begin_change(&map);
	error = hm_direct_map_set_permission(&map, &reserve, linear_address(pa), bytes, permission);
	end_change(&map);
	hm_direct_map_release(&reserve);
	return error;
}

void hm_linux_linear_join(hm_pa_t isolated, uint64_t isolated_bytes)
{
	struct hm_direct_map map;

	if (hm_direct_map_init(&map, linear_address(isolated), isolated_bytes, false))
		return;
	begin_change(&map);
	/* Refused, it is right, and as small as it was. */
	(void)!hm_direct_map_collapse(&map, linear_address(isolated), isolated_bytes);
	end_change(&map);
}

/* ---- what it looks like ---- */

/* A map of all memory that there is. It and its tables stay until stop_looking(): see area.c for the lock. */
static int look_at_all(struct hm_direct_map *map)
{
	const hm_va_t start = linear_address((hm_pa_t){ memblock_start_of_DRAM() });
	int error;

	get_online_mems();
	error = hm_direct_map_init(map, start, (unsigned long)high_memory - start.val, false);
	if (error)
		put_online_mems();
	else
		mmap_read_lock(&init_mm);
	return error;
}

static void stop_looking(void)
{
	mmap_read_unlock(&init_mm);
	put_online_mems();
}

static void put(const char *line, void *file)
{
	seq_printf(file, "%s\n", line);
}

static int picture_show(struct seq_file *file, void *unused)
{
	struct hm_direct_map map;
	int error = look_at_all(&map);

	if (error)
		return error;
	hm_direct_map_print(&map, put, file);
	stop_looking();
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(picture);

static int statistics_show(struct seq_file *file, void *unused)
{
	struct hm_direct_map_statistics is;
	struct hm_direct_map_counts were;
	struct hm_direct_map map;
	unsigned int level;
	int error = look_at_all(&map);

	if (error)
		return error;
	is = hm_direct_map_statistics(&map);
	stop_looking();
	for (level = 0; level < HM_PORT_PGTABLE_LEVELS; level++)
		seq_printf(
			file, "level_%u_leaves %llu\nlevel_%u_groups %llu\nlevel_%u_tables %llu\n",
			level, is.leaves[level], level, is.groups[level], level, is.tables[level]);
	mutex_lock(&linear_mutex);
	were = counts;
	mutex_unlock(&linear_mutex);
	seq_printf(file, "splits %llu\nunfolds %llu\ncollapses %llu\nfolds %llu\n", were.splits,
		   were.unfolds, were.collapses, were.folds);
	seq_printf(file,
		   "invalidations %llu\nentries %llu\ntables_linked %llu\ntables_freed %llu\n",
		   were.invalidations, were.entries, were.tables_linked, were.tables_freed);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(statistics);

void __init hm_linux_linear_init(struct dentry *directory)
{
	struct dentry *sub = debugfs_create_dir("linear", directory);

	debugfs_create_file("picture", 0400, sub, NULL, &picture_fops);
	debugfs_create_file("statistics", 0400, sub, NULL, &statistics_fops);
}
