// SPDX-License-Identifier: GPL-2.0-only
/*
 * pool.c -- the pool of page-table pages over the page allocator, with a shrinker of the kernel's.
 */
#include <linux/gfp.h>
#include <linux/irqflags.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/seq_file.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/spinlock.h>

#include "hardmap.h"
#include <hardmap/pgtable_pool.h>

struct hm_pgtable_pool hm_linux_pool;

static hm_pa_t root __ro_after_init;
static struct hm_pgtable_pool_magazine *magazines __ro_after_init; /* one a CPU */
static struct shrinker *shrinker __ro_after_init;
static DEFINE_PER_CPU(unsigned long, pin_flags);
/* Pages are allocated by tasks, and freed by soft interrupts too (RCU); the hooks have no place for flags but
 * here, which the lock guards. */
static DEFINE_SPINLOCK(pool_lock);
static unsigned long lock_flags;
static DEFINE_MUTEX(refill_mutex);

static uint64_t bytes_of(unsigned int pages)
{
	return (uint64_t)pages << PAGE_SHIFT;
}

/* ---- for the rest of the kernel ---- */

bool hm_linux_table_alloc(hm_pa_t *table)
{
	return !hm_pgtable_pool_alloc(&hm_linux_pool,
				      HM_PGTABLE_POOL_MAY_SLEEP | HM_PGTABLE_POOL_ZERO, table);
}

void hm_linux_table_free(hm_pa_t table)
{
	WARN_ON(hm_pgtable_pool_free(&hm_linux_pool, table));
}

/* ---- the pool's port: memory ---- */

hm_pa_t hm_port_pgtable_pool_root(const struct hm_pgtable_pool *pool)
{
	return root;
}

/* A block is not worth to wait for compaction: there are pieces. */
bool hm_port_pgtable_pool_memory(struct hm_pgtable_pool *pool, unsigned int order, hm_pa_t *pages)
{
	const gfp_t gfp = GFP_KERNEL | __GFP_NOWARN | (order ? __GFP_NORETRY : 0);
	struct page *page = alloc_pages(gfp, order);

	if (!page)
		return false;
	split_page(page, order);
	pages->val = page_to_phys(page);
	if (hm_linux_linear_isolate(*pages, bytes_of(1u << order))) {
		hm_port_pgtable_pool_give(pool, *pages, 1u << order);
		return false;
	}
	return true;
}

void hm_port_pgtable_pool_give(struct hm_pgtable_pool *pool, hm_pa_t pages, unsigned int n)
{
	struct page *page = phys_to_page(pages.val);

	while (n--)
		__free_page(page++);
}

/* Isolated before: takes no table. */
int hm_port_pgtable_pool_set_key(struct hm_pgtable_pool *pool, hm_pa_t pages, unsigned int n,
				 unsigned int key, struct hm_pgtable_pool_token *tables)
{
	return hm_linux_linear_set_key(pages, bytes_of(n), key);
}

/* The linear map stays as it was isolated. */
void hm_port_pgtable_pool_rejoin(struct hm_pgtable_pool *pool, hm_pa_t block)
{
}

/* ---- the pool's port: locks and CPUs ---- */

bool hm_port_pgtable_pool_lock(struct hm_pgtable_pool *pool) __acquires(&pool_lock)
{
	const bool waited = spin_is_locked(&pool_lock); /* nearly: it is a count */
	unsigned long flags;

	spin_lock_irqsave(&pool_lock, flags);
	lock_flags = flags;
	return waited;
}

void hm_port_pgtable_pool_unlock(struct hm_pgtable_pool *pool) __releases(&pool_lock)
{
	spin_unlock_irqrestore(&pool_lock, lock_flags);
}

/* Not out of reclaim, which may be that of a refill. */
bool hm_port_pgtable_pool_refill_lock(struct hm_pgtable_pool *pool)
{
	if (current->flags & PF_MEMALLOC)
		return false;
	mutex_lock(&refill_mutex);
	return true;
}

void hm_port_pgtable_pool_refill_unlock(struct hm_pgtable_pool *pool)
{
	mutex_unlock(&refill_mutex);
}

/* Interrupts too, as they free. */
unsigned int hm_port_pgtable_pool_pin(struct hm_pgtable_pool *pool)
{
	unsigned long flags;

	local_irq_save(flags);
	__this_cpu_write(pin_flags, flags);
	return smp_processor_id();
}

void hm_port_pgtable_pool_unpin(struct hm_pgtable_pool *pool)
{
	local_irq_restore(__this_cpu_read(pin_flags));
}

struct hm_pgtable_pool_magazine *hm_port_pgtable_pool_magazine(struct hm_pgtable_pool *pool,
							       unsigned int cpu)
{
	return cpu < nr_cpu_ids ? &magazines[cpu] : NULL;
}

/* An interrupt to each: who is pinned takes it after. */
bool hm_port_pgtable_pool_fence(struct hm_pgtable_pool *pool)
{
	if (irqs_disabled())
		return false;
	kick_all_cpus_sync();
	return true;
}

/* ---- the shrinker ---- */

static unsigned long count_objects(struct shrinker *self, struct shrink_control *control)
{
	const uint64_t pages = hm_pgtable_pool_shrink_count(&hm_linux_pool);

	return pages ? pages : SHRINK_EMPTY;
}

static unsigned long scan_objects(struct shrinker *self, struct shrink_control *control)
{
	const uint64_t pages = hm_pgtable_pool_shrink_scan(&hm_linux_pool, control->nr_to_scan, 0);

	return pages ? pages : SHRINK_STOP;
}

/* ---- what it looks like ---- */

static void put(const char *line, void *file)
{
	seq_printf(file, "%s\n", line);
}

void hm_linux_pool_print(struct seq_file *file)
{
	hm_pgtable_pool_print(&hm_linux_pool, put, file);
}

void hm_linux_pool_statistics(struct seq_file *file)
{
	struct hm_pgtable_pool_statistics is;
	unsigned int i;

	hm_pgtable_pool_statistics(&hm_linux_pool, &is);
	seq_puts(file, "blocks");
	for (i = 0; i < ARRAY_SIZE(is.blocks); i++)
		seq_printf(file, " %llu", is.blocks[i]);
	seq_printf(file, "\nloose_frames %llu\nmetadata_bytes %llu\n", is.loose_frames,
		   is.metadata_bytes);
	seq_printf(file, "present %llu\nused %llu\nfree %llu\ncached %llu\n", is.present, is.used,
		   is.free, is.cached);
	seq_printf(file, "metadata %llu\nquarantined %llu\nunprotected %llu\nreserved %llu\n",
		   is.metadata, is.quarantined, is.unprotected, is.reserved);
	seq_printf(file,
		   "refills %llu\nloose_refills %llu\nblocks_released %llu\npages_released %llu\n",
		   is.counts.refills, is.counts.loose_refills, is.counts.blocks_released,
		   is.counts.pages_released);
	seq_printf(file,
		   "blocks_split %llu\nblocks_rejoined %llu\nkey_changes %llu\nkey_failures %llu\n",
		   is.counts.blocks_split, is.counts.blocks_rejoined, is.counts.key_changes,
		   is.counts.key_failures);
	seq_printf(file, "lock_waits %llu\nshrinker_steps %llu\n", is.counts.lock_waits,
		   is.counts.steps);
}

/* ---- start ---- */

/* What goes wrong here leaves nothing behind. */
int __init hm_linux_pool_init(void)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);

	magazines = kcalloc(nr_cpu_ids, sizeof(*magazines), GFP_KERNEL);
	shrinker = shrinker_alloc(0, "hardmap-pgtable-pool");
	if (!page || !magazines || !shrinker)
		goto no_memory;
	root.val = page_to_phys(page);
	if (hm_linux_linear_isolate(root, PAGE_SIZE) ||
	    hm_linux_linear_set_key(root, PAGE_SIZE, HM_KEY_PGTABLES))
		goto no_memory;
	hm_pgtable_pool_init(&hm_linux_pool);
	if (hm_pgtable_pool_protect(&hm_linux_pool))
		goto no_protection;
	shrinker->count_objects = count_objects;
	shrinker->scan_objects = scan_objects;
	shrinker->seeks = 0; /* a page costs nothing to make anew */
	shrinker->batch = 1 << HM_PORT_PGTABLE_POOL_ORDER;
	shrinker_register(shrinker);
	return 0;

no_protection:
	WARN_ON(hm_linux_linear_set_key(root, PAGE_SIZE, HM_KEY_DEFAULT));
no_memory:
	if (shrinker)
		shrinker_free(shrinker);
	kfree(magazines);
	if (page)
		__free_page(page);
	return -ENOMEM;
}

#ifdef HM_LINUX_MODULE
/* The module goes: everything is back, or it says what is not, and leaves that. */
void hm_linux_pool_exit(void)
{
	int error;

	shrinker_free(shrinker);
	error = hm_pgtable_pool_destroy(&hm_linux_pool);
	if (WARN(error, "hardmap: the pool still has pages: error %d\n", error))
		return;
	WARN_ON(hm_linux_linear_set_key(root, PAGE_SIZE, HM_KEY_DEFAULT));
	__free_page(phys_to_page(root.val));
	kfree(magazines);
}
#endif
