// SPDX-License-Identifier: GPL-2.0-only
/*
 * tables.c -- the kernel's own page tables, those of user mode too, from the pool: so that they stand
 * in few blocks, which come and go whole. Only where the pool has no keys, as the kernel writes its
 * tables by ordinary stores; and it counts what it would have cost otherwise.
 *
 * /sys/kernel/debug/hardmap/page_tables switches it; page_table_blocks says in how many blocks of the
 * linear map page tables stand, and have ever stood: with a key for each page each of the latter would
 * have been split.
 */
#include <linux/bitmap.h>
#include <linux/debugfs.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/seq_file.h>
#include <linux/vmalloc.h>

#include "hardmap.h"
#include <hardmap/pgtable_pool.h>

#define BLOCK_SHIFT (PMD_SHIFT - PAGE_SHIFT)
/* Of what page tables may ask for, all that the pool's memory is. */
#define USUAL (GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN | __GFP_COMP | __GFP_RETRY_MAYFAIL)

static bool enabled __read_mostly;
static atomic_t *tables_in; /* by block of physical memory */
static unsigned long *ever, blocks;
static atomic64_t tables, allocated, from_pool;
static u64 peak;

/* Flags of a page in use as a table that are free there: it was counted; it is the pool's. */
#define COUNTED PG_owner_2
#define POOLED PG_checked

static void count(struct page *page)
{
	const unsigned long block = page_to_pfn(page) >> BLOCK_SHIFT;
	u64 now;

	if (block >= blocks)
		return;
	set_bit(COUNTED, &page->flags.f);
	atomic_inc(&tables_in[block]);
	set_bit(block, ever);
	atomic64_inc(&allocated);
	now = atomic64_inc_return(&tables);
	if (now > READ_ONCE(peak))
		WRITE_ONCE(peak, now); /* nearly */
}

struct page *hardmap_pagetable_alloc(gfp_t gfp, unsigned int order)
{
	const bool may_sleep = gfpflags_allow_blocking(gfp) && !(current->flags & PF_MEMALLOC);
	struct page *page;
	hm_pa_t pa;

	if (!READ_ONCE(tables_in) || order)
		return NULL;
	/* What a memory cgroup pays for is the page allocator's. */
	if (READ_ONCE(enabled) && !(gfp & ~USUAL) &&
	    !(IS_ENABLED(CONFIG_MEMCG) && (gfp & __GFP_ACCOUNT)) &&
	    !hm_pgtable_pool_alloc(&hm_linux_pool,
				   (gfp & __GFP_ZERO ? HM_PGTABLE_POOL_ZERO : 0) |
					   (may_sleep ? HM_PGTABLE_POOL_MAY_SLEEP : 0),
				   &pa)) {
		page = phys_to_page(pa.val);
		set_bit(POOLED, &page->flags.f);
		atomic64_inc(&from_pool);
	} else {
		page = alloc_pages(gfp | __GFP_COMP, order);
	}
	if (page)
		count(page);
	return page;
}

bool hardmap_pagetable_free(struct page *page)
{
	if (test_and_clear_bit(COUNTED, &page->flags.f)) {
		atomic_dec(&tables_in[page_to_pfn(page) >> BLOCK_SHIFT]);
		atomic64_dec(&tables);
	}
	if (!test_and_clear_bit(POOLED, &page->flags.f))
		return false;
	/* As the page allocator would have it for the next one: where a lock of the table is, or was. */
	set_page_private(page, 0);
	page->mapping = NULL;
	hm_linux_table_free((hm_pa_t){ page_to_phys(page) });
	return true;
}

/* ---- what it looks like ---- */

static int blocks_show(struct seq_file *file, void *unused)
{
	unsigned long now = 0, i;

	for (i = 0; i < blocks; i++)
		now += atomic_read(&tables_in[i]) > 0;
	seq_printf(file, "tables %lld\npeak %llu\nallocated %lld\nfrom_pool %lld\n",
		   atomic64_read(&tables), peak, atomic64_read(&allocated),
		   atomic64_read(&from_pool));
	seq_printf(file, "blocks_with_tables %lu\nblocks_ever_with_tables %d\n", now,
		   bitmap_weight(ever, blocks));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(blocks);

static int enabled_get(void *data, u64 *value)
{
	*value = enabled;
	return 0;
}

/* Also begins to count anew in which blocks there are tables. */
static int enabled_set(void *data, u64 value)
{
	unsigned long i;

	if (value && hm_linux_key_style != HM_KEY_STYLE_NONE) {
		pr_err("hardmap: not while the pool has keys: boot with hardmap.keys=none\n");
		return -EBUSY;
	}
	WRITE_ONCE(enabled, value);
	bitmap_zero(ever, blocks);
	for (i = 0; i < blocks; i++)
		if (atomic_read(&tables_in[i]))
			set_bit(i, ever);
	WRITE_ONCE(peak, atomic64_read(&tables));
	atomic64_set(&allocated, 0);
	atomic64_set(&from_pool, 0);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(enabled_fops, enabled_get, enabled_set, "%llu\n");

int __init hm_linux_tables_init(struct dentry *directory)
{
	atomic_t *counts;

	blocks = DIV_ROUND_UP(PHYS_PFN(memblock_end_of_DRAM()), 1ul << BLOCK_SHIFT);
	counts = vcalloc(blocks, sizeof(*counts));
	ever = bitmap_zalloc(blocks, GFP_KERNEL);
	if (!counts || !ever) {
		vfree(counts);
		bitmap_free(ever);
		return -ENOMEM;
	}
	WRITE_ONCE(enabled, hm_linux_key_style == HM_KEY_STYLE_NONE);
	WRITE_ONCE(tables_in, counts);
	debugfs_create_file("page_table_blocks", 0400, directory, NULL, &blocks_fops);
	debugfs_create_file_unsafe("page_tables", 0600, directory, NULL, &enabled_fops);
	return 0;
}
