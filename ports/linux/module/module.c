// SPDX-License-Identifier: GPL-2.0-only
/*
 * module.c -- what a module can have of hardmap on a kernel that is as it is: the pool with its
 * shrinker, and private tables, which map memory for whoever walks them (a device, a guest, this file)
 * and no CPU's kernel. The linear map is the kernel's alone, so that there are no keys.
 *
 *	insmod hardmap.ko [changes=20]    so many changes of a private map are tried when it is loaded
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#include "hardmap.h"
#include <hardmap/direct_map.h>

#define MAP_START UINT64_C(0x0000100000000000)
#define BLOCKS 2 /* as many as the page allocator gives in one piece */
#define BYTES (BLOCKS * (uint64_t)PMD_SIZE)

static unsigned int changes = 20;
module_param(changes, uint, 0400);
MODULE_PARM_DESC(changes, "how many changes of a private map are tried when the module is loaded");

static struct dentry *directory;
static hm_pa_t private_root;

/* ---- the port ---- */

hm_pte_t *hm_port_pgtable_root(hm_va_t va)
{
	return hm_port_pgtable_map(private_root);
}

bool hm_port_pgtable_alloc(hm_pa_t *table)
{
	return hm_linux_table_alloc(table);
}

/* Nobody walks them but who changes them. */
void hm_port_pgtable_free(hm_pa_t table)
{
	hm_linux_table_free(table);
}

unsigned int hm_port_bbm_level(void)
{
	return 3; /* no TLB holds anything of these tables */
}

int hm_port_direct_map_break(hm_va_t va, uint64_t bytes)
{
	return -HM_EBUSY;
}

void hm_port_direct_map_mend(hm_va_t va, uint64_t bytes)
{
}

/* The linear map is not touched. */
int hm_linux_linear_isolate(hm_pa_t pa, uint64_t bytes)
{
	return 0;
}

int hm_linux_linear_set_key(hm_pa_t pa, uint64_t bytes, unsigned int key)
{
	return 0;
}

/* ---- a private map, changed at random and compared with what it should be ---- */

static u64 next(u64 *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return *seed >> 33;
}

/* Tables for it are taken before: what is a section inside runs on one CPU, as context.c has it. */
static int change(struct hm_direct_map *map, u8 *is, u64 *seed)
{
	struct hm_direct_map_reserve reserve = { { 0 }, 0 };
	static const enum hm_permission permissions[] = { HM_PERMISSION_RW, HM_PERMISSION_RO,
							  HM_PERMISSION_INVALID };
	const unsigned int pages = BYTES >> PAGE_SHIFT, first = next(seed) % pages;
	const unsigned int n = min_t(unsigned int, 1 + next(seed) % 700, pages - first),
			   kind = next(seed) % 3;
	const hm_va_t va = { MAP_START + ((u64)first << PAGE_SHIFT) };
	int error = hm_direct_map_prepare(&reserve, HM_DIRECT_MAP_TABLES);

	if (error)
		return error;
	preempt_disable();
	error = hm_direct_map_set_permission(map, &reserve, va, (u64)n << PAGE_SHIFT,
					     permissions[kind]);
	if (!error)
		memset(is + first, kind, n);
	if (!error && next(seed) % 8 == 0)
		error = hm_direct_map_collapse(map, map->start, BYTES);
	preempt_enable();
	hm_direct_map_release(&reserve);
	return error;
}

static int compare(const struct hm_direct_map *map, const u8 *is, const struct page *memory)
{
	static const enum hm_permission permissions[] = { HM_PERMISSION_RW, HM_PERMISSION_RO,
							  HM_PERMISSION_INVALID };
	unsigned int i;

	for (i = 0; i < BYTES >> PAGE_SHIFT; i++) {
		const hm_va_t va = { MAP_START + ((u64)i << PAGE_SHIFT) };
		struct hm_direct_map_info info;
		int error = hm_direct_map_query(map, va, &info);

		if (error || info.permission != permissions[is[i]] ||
		    info.pa.val != page_to_phys(memory) + ((u64)i << PAGE_SHIFT)) {
			pr_err("hardmap: page %u of the private map is not as it should be: error %d\n",
			       i, error);
			return -EILSEQ;
		}
	}
	return 0;
}

static int try_private_map(void)
{
	const unsigned int order = get_order(BYTES);
	struct page *memory = alloc_pages(GFP_KERNEL, order);
	u8 *is = kzalloc(BYTES >> PAGE_SHIFT, GFP_KERNEL);
	struct hm_direct_map_reserve reserve = { { 0 }, 0 };
	struct hm_direct_map map;
	u64 seed = 1;
	unsigned int i;
	int error = -ENOMEM, removed;
	hm_pte_t link;

	if (!memory || !is || !hm_linux_table_alloc(&private_root))
		goto free;
	/* All that one entry of the top-level table translates, so that no table below is shared. */
	error = hm_direct_map_init(&map, (hm_va_t){ MAP_START },
				   1ull << hm_port_pgtable_shift(HM_PORT_PGTABLE_LEVELS - 1),
				   false);
	if (error)
		goto free_root;
	error = hm_direct_map_prepare(&reserve, HM_PORT_PGTABLE_LEVELS + BLOCKS);
	preempt_disable();
	if (!error)
		error = hm_direct_map_add(
			&map, &reserve, map.start, BYTES,
			hm_linux_leaf((hm_pa_t){ page_to_phys(memory) }, 0, HM_PERMISSION_RW));
	preempt_enable();
	hm_direct_map_release(&reserve);
	for (i = 0; !error && i < changes; i++) {
		error = change(&map, is, &seed);
		if (!error && (i % 100 == 99 || i == changes - 1))
			error = compare(&map, is, memory);
	}
	/* Whatever went wrong: all of it goes, which needs no table. */
	preempt_disable();
	removed = hm_direct_map_remove(&map, NULL, map.start, BYTES);
	preempt_enable();
	if (!error)
		error = removed;
	if (!error)
		pr_info("hardmap: a private map: %u changes, %llu splits, %llu collapses, %llu entries\n",
			i, map.counts.splits, map.counts.collapses, map.counts.entries);
	/* What the top-level table links stays linked. */
	link = hm_pte_get(hm_port_pgtable_map(private_root) +
			  hm_port_pgtable_index(map.start, HM_PORT_PGTABLE_LEVELS - 1));
	if (hm_port_pte_is_valid(link))
		hm_linux_table_free(hm_port_pte_table(link));
free_root:
	hm_linux_table_free(private_root);
free:
	kfree(is);
	if (memory)
		__free_pages(memory, order);
	return error;
}

/* ---- the module ---- */

static int pool_show(struct seq_file *file, void *unused)
{
	hm_linux_pool_print(file);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(pool);

static int pool_statistics_show(struct seq_file *file, void *unused)
{
	hm_linux_pool_statistics(file);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(pool_statistics);

static int __init hardmap_init(void)
{
	int error;

	hm_linux_ask_cpus();
	error = hm_linux_pool_init();
	if (error) {
		pr_err("hardmap: no pool of page-table pages: error %d\n", error);
		return error;
	}
	error = try_private_map();
	if (error) {
		pr_err("hardmap: private tables: error %d\n", error);
		hm_linux_pool_exit();
		return error;
	}
	directory = debugfs_create_dir("hardmap-module", NULL);
	debugfs_create_file("picture", 0400, directory, NULL, &pool_fops);
	debugfs_create_file("statistics", 0400, directory, NULL, &pool_statistics_fops);
	return 0;
}
module_init(hardmap_init);

static void __exit hardmap_exit(void)
{
	debugfs_remove(directory);
	hm_linux_pool_exit();
}
module_exit(hardmap_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("hardmap: page-table pages in blocks of the linear map");
