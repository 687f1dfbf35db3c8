// SPDX-License-Identifier: GPL-2.0-only
/*
 * code.c -- the cache of code over the page allocator. A block is memory of the linear map, which is
 * the alias through which it is written, and a place in the lower half of the area, where it executes.
 */
#include <linux/bitmap.h>
#include <linux/gfp.h>
#include <linux/irqflags.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "hardmap.h"
#include <hardmap/rox_cache.h>

#define BLOCK (UINT64_C(1) << HM_PORT_ROX_CACHE_BLOCK_SHIFT)
#define ORDER (HM_PORT_ROX_CACHE_BLOCK_SHIFT - PAGE_SHIFT)
#define PLACES (HM_LINUX_AREA_CODE / BLOCK)

struct hm_rox_cache hm_linux_code;
struct hm_rox_cache_arena hm_linux_code_arena;

static struct shrinker *shrinker __ro_after_init;
static uint64_t
	memory[PLACES]; /* by place from the area's start on: where it is; 0: nothing there */
static DEFINE_SPINLOCK(memory_lock);
static DEFINE_SPINLOCK(cache_lock);
static unsigned long lock_flags; /* of who has it */
static DEFINE_MUTEX(grow_mutex);
static DEFINE_MUTEX(window_mutex);
static struct task_struct *writer; /* who has the window */

static unsigned int place_of(hm_va_t code)
{
	return (unsigned int)((code.val - hm_linux_area.val) / BLOCK);
}

static hm_pa_t block_of(hm_va_t code)
{
	return (hm_pa_t){ READ_ONCE(memory[place_of(code)]) };
}

/* ---- the cache's port: memory ---- */

/* Whether n places from that one on are the arena's, and free. With the lock. */
static bool are_free(const struct hm_rox_cache_arena *arena, unsigned int first, unsigned int n)
{
	const uint64_t start = hm_linux_area.val + first * BLOCK;
	unsigned int i;

	if (first + n > PLACES || start < arena->first.val ||
	    start + n * BLOCK - 1 > arena->last.val)
		return false;
	for (i = first; i < first + n; i++)
		if (memory[i])
			return false;
	return true;
}

static void give(uint64_t pa)
{
	if (pa)
		__free_pages(phys_to_page(pa), ORDER);
}

bool hm_port_rox_cache_memory(struct hm_rox_cache *cache, const struct hm_rox_cache_arena *arena,
			      unsigned int n, hm_va_t *code)
{
	uint64_t *blocks = kcalloc(n, sizeof(*blocks), GFP_KERNEL);
	unsigned int first = code->val ? place_of(*code) : 0, i;
	bool taken = blocks;

	for (i = 0; taken && i < n; i++) {
		struct page *page = alloc_pages(GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY, ORDER);

		taken = page;
		if (taken)
			blocks[i] = page_to_phys(page);
		if (taken && hm_linux_linear_isolate((hm_pa_t){ blocks[i] }, BLOCK))
			taken = false;
	}
	if (taken) {
		spin_lock(&memory_lock);
		while (!code->val && first < PLACES && !are_free(arena, first, n))
			first++;
		taken = are_free(arena, first, n);
		for (i = 0; taken && i < n; i++)
			WRITE_ONCE(memory[first + i], blocks[i]);
		spin_unlock(&memory_lock);
	}
	if (taken)
		code->val = hm_linux_area.val + first * BLOCK;
	for (i = 0; !taken && blocks && i < n; i++)
		give(blocks[i]);
	kfree(blocks);
	return taken;
}

void hm_port_rox_cache_give(struct hm_rox_cache *cache, hm_va_t block)
{
	const hm_pa_t pa = block_of(block);

	spin_lock(&memory_lock);
	WRITE_ONCE(memory[place_of(block)], 0);
	spin_unlock(&memory_lock);
	give(pa.val);
}

/* ---- the cache's port: where it is written ---- */

hm_pte_t *hm_port_rox_cache_at(const struct hm_rox_cache *cache, hm_va_t code)
{
	return phys_to_virt(block_of(code).val + code.val % BLOCK);
}

/* Where a part cannot be opened, or not without that the block stays in pieces, all of it is. */
int hm_port_rox_cache_alias(struct hm_rox_cache *cache, hm_va_t code, uint64_t bytes,
			    enum hm_rox_cache_alias alias)
{
	const enum hm_permission permission = alias == HM_ROX_CACHE_CLOSED ? HM_PERMISSION_RO
									   : HM_PERMISSION_RW;
	const hm_pa_t block = block_of(code), pa = { block.val + code.val % BLOCK };
	int error;

	if (hm_kpkeys_style() != HM_KEY_STYLE_NONE)
		return hm_linux_linear_set_key(
			pa, bytes, alias == HM_ROX_CACHE_MEMORY ? HM_KEY_DEFAULT : HM_KEY_TEXT);
	error = hm_linux_linear_set_permission(block, BLOCK, pa, bytes, permission);
	if (error == -HM_EBUSY && bytes < BLOCK)
		error = hm_linux_linear_set_permission(block, BLOCK, block, BLOCK, permission);
	if (!error && alias != HM_ROX_CACHE_OPEN)
		hm_linux_linear_join(block, BLOCK);
	return error;
}

/* By tasks that may sleep, which wait for each other; but for one that reclaims memory, perhaps another
 * writer's. */
bool hm_port_rox_cache_window_lock(struct hm_rox_cache *cache)
{
	if (irqs_disabled() || in_atomic() || READ_ONCE(writer) == current)
		return false;
	if (!(current->flags & PF_MEMALLOC))
		mutex_lock(&window_mutex);
	else if (!mutex_trylock(&window_mutex))
		return false;
	WRITE_ONCE(writer, current);
	return true;
}

void hm_port_rox_cache_window_unlock(struct hm_rox_cache *cache)
{
	WRITE_ONCE(writer, NULL);
	mutex_unlock(&window_mutex);
}

/* ---- the cache's port: where it executes ---- */

int hm_port_rox_cache_execute(struct hm_rox_cache *cache, hm_va_t block, bool executable)
{
	hm_pte_t *entry = hm_linux_area_entry(block);

	if (executable) {
		hm_pte_set_kernel(entry, hm_linux_leaf(block_of(block), 1, HM_PERMISSION_ROX));
	} else {
		hm_pte_clear(entry);
		hm_pgtable_invalidate(block, BLOCK, HM_INVALIDATE_LEAVES);
	}
	return 0;
}

bool hm_port_rox_cache_synchronise(struct hm_rox_cache *cache)
{
	if (irqs_disabled())
		return false;
	hm_linux_synchronise();
	return true;
}

/* ---- the cache's port: ranges, and who may do what when ---- */

struct hm_rox_cache_range *hm_port_rox_cache_range_alloc(struct hm_rox_cache *cache)
{
	return kmalloc(sizeof(struct hm_rox_cache_range),
		       in_atomic() || irqs_disabled() ? GFP_ATOMIC : GFP_KERNEL);
}

void hm_port_rox_cache_range_free(struct hm_rox_cache *cache, struct hm_rox_cache_range *range)
{
	kfree(range);
}

void hm_port_rox_cache_lock(struct hm_rox_cache *cache)
{
	unsigned long flags;

	spin_lock_irqsave(&cache_lock, flags);
	lock_flags = flags;
}

void hm_port_rox_cache_unlock(struct hm_rox_cache *cache)
{
	spin_unlock_irqrestore(&cache_lock, lock_flags);
}

/* Not out of reclaim, which may be that of a growth. */
bool hm_port_rox_cache_grow_lock(struct hm_rox_cache *cache)
{
	if (current->flags & PF_MEMALLOC)
		return false;
	mutex_lock(&grow_mutex);
	return true;
}

void hm_port_rox_cache_grow_unlock(struct hm_rox_cache *cache)
{
	mutex_unlock(&grow_mutex);
}

/* ---- the shrinker, in pages ---- */

static unsigned long count_objects(struct shrinker *self, struct shrink_control *control)
{
	const uint64_t blocks = hm_rox_cache_shrink_count(&hm_linux_code);

	return blocks ? blocks << ORDER : SHRINK_EMPTY;
}

static unsigned long scan_objects(struct shrinker *self, struct shrink_control *control)
{
	const uint64_t blocks = hm_rox_cache_shrink_scan(
		&hm_linux_code, DIV_ROUND_UP(control->nr_to_scan, 1ul << ORDER));

	return blocks ? blocks << ORDER : SHRINK_STOP;
}

/* ---- what it looks like ---- */

static void put(const char *line, void *file)
{
	seq_printf(file, "%s\n", line);
}

void hm_linux_code_print(struct seq_file *file)
{
	hm_rox_cache_print(&hm_linux_code, put, file);
}

void hm_linux_code_statistics(struct seq_file *file)
{
	struct hm_rox_cache_statistics is;

	hm_rox_cache_statistics(&hm_linux_code, &is);
	seq_printf(file, "blocks %llu\nempty %llu\nheld_blocks %llu\nheld_bytes %llu\n", is.blocks,
		   is.empty, is.held_blocks, is.held_bytes);
	seq_printf(file,
		   "live %llu\ngaps %llu\nlive_bytes %llu\nasked_bytes %llu\nfree_bytes %llu\n",
		   is.live, is.gaps, is.live_bytes, is.asked_bytes, is.free_bytes);
	seq_printf(file, "parked_ranges %llu\nparked_bytes %llu\n", is.parked_ranges,
		   is.parked_bytes);
	seq_printf(file,
		   "allocs %llu\nfrees %llu\ngrown %llu\ngiven %llu\nwindows %llu\nflips %llu\n",
		   is.counts.allocs, is.counts.frees, is.counts.grown, is.counts.given,
		   is.counts.windows, is.counts.flips);
	seq_printf(file,
		   "synchronised %llu\nwritten %llu\nparked %llu\nfailures %llu\nsteps %llu\n",
		   is.counts.synchronised, is.counts.written, is.counts.parked, is.counts.failures,
		   is.counts.steps);
}

/* ---- start ---- */

int __init hm_linux_code_init(void)
{
	const hm_va_t last = { hm_linux_area.val + HM_LINUX_AREA_CODE - 1 };
	int error;

	shrinker = shrinker_alloc(0, "hardmap-rox-cache");
	if (!shrinker)
		return -ENOMEM;
	error = hm_rox_cache_add(&hm_linux_code, &hm_linux_code_arena, "linux", hm_linux_area, last,
				 NULL);
	if (error) {
		shrinker_free(shrinker);
		return error;
	}
	shrinker->count_objects = count_objects;
	shrinker->scan_objects = scan_objects;
	shrinker->seeks = DEFAULT_SEEKS;
	shrinker->batch = 1 << ORDER;
	shrinker_register(shrinker);
	return 0;
}
