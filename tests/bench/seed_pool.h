/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * seed_pool.h -- what pgtable_pool.h is measured beside: a pool of page-table pages with one list, as the
 * patches that it began from describe theirs; written anew from that description.
 *
 * USE      Define the hooks below, then include it, in one source file.
 *
 *          Free pages are on one list, the last that was freed first. While no more than SEED_RESERVE are
 *          on it, an allocation takes a whole block from the kernel. A page that came in a block knows so,
 *          and the block's first page knows how many of them are free.
 *
 *          The shrinker walks the list: it counts the pages that are in no block and finds the block with
 *          most free pages. One that is all free is given back as a whole, if that leaves
 *          SEED_UNSHRINKABLE. Else, if there are fewer pages outside of blocks than were asked for and than
 *          are free in that block, and the latter are SEED_WORTH at least, it gives back pages of that
 *          block: one by one, and none of its pages is in a block from there on. Else pages that are in
 *          none.
 *
 *          Not restated: zeroing, failing key changes, smaller refills, early boot.
 */
#ifndef BENCH_SEED_POOL_H
#define BENCH_SEED_POOL_H
#include <stdbool.h>
#include <stdint.h>

#define SEED_BLOCK 512u /* pages */
#define SEED_RESERVE 4u /* pages that only a split of the linear map may have */
#define SEED_UNSHRINKABLE 16u
#define SEED_WORTH (SEED_BLOCK / 8)

/* What is known of a page, as large as what Linux knows of one. */
struct seed_page {
	struct seed_page *next, *previous; /* on the list of free pages, or NULL */
	uint32_t block_free; /* of the block that it is the first page of */
	bool in_block;
} __attribute__((__aligned__(64)));

struct seed_pool {
	struct seed_page list; /* its two ends */
	struct seed_page *map; /* all pages of the machine, by number */
	uint64_t cached;
	uint64_t refills;
	uint64_t steps; /* pages of the list that the shrinker visited */
};

/* The hooks: a block of the kernel's, by its first page's number, with the default key. */
static inline bool seed_port_memory(struct seed_pool *pool, uint64_t *page);
/* Those pages are the kernel's again. */
static inline void seed_port_give(struct seed_pool *pool, uint64_t page, unsigned int n);
/* They have the key of page tables from here on, or the default one. */
static inline void seed_port_set_key(struct seed_pool *pool, uint64_t page, unsigned int n,
				     bool tables);
static inline void seed_port_lock(struct seed_pool *pool);
static inline void seed_port_unlock(struct seed_pool *pool);

static inline void seed_pool_init(struct seed_pool *pool, struct seed_page *map)
{
	pool->list.next = pool->list.previous = &pool->list;
	pool->map = map;
	pool->cached = pool->refills = pool->steps = 0;
}

static inline void seed_push(struct seed_pool *pool, struct seed_page *page)
{
	page->next = pool->list.next;
	page->previous = &pool->list;
	page->next->previous = page;
	pool->list.next = page;
	pool->cached++;
}

static inline void seed_unlink(struct seed_pool *pool, struct seed_page *page)
{
	page->previous->next = page->next;
	page->next->previous = page->previous;
	page->next = page->previous = NULL;
	pool->cached--;
}

/* The first page of its block; NULL if it is in none. */
static inline struct seed_page *seed_block(const struct seed_pool *pool, struct seed_page *page)
{
	const uint64_t number = (uint64_t)(page - pool->map);

	return page->in_block ? pool->map + number / SEED_BLOCK * SEED_BLOCK : NULL;
}

static inline void seed_mark_block(struct seed_page *first, bool in_block)
{
	unsigned int i;

	for (i = 0; i < SEED_BLOCK; i++) {
		first[i].in_block = in_block;
		first[i].block_free = 0;
	}
}

/* A new block, of which the first page is served at once. */
static inline bool seed_refill(struct seed_pool *pool, uint64_t *page)
{
	struct seed_page *first;
	unsigned int i;

	if (!seed_port_memory(pool, page))
		return false;
	seed_port_set_key(pool, *page, SEED_BLOCK, true);
	first = pool->map + *page;
	seed_mark_block(first, true);
	first->block_free = SEED_BLOCK - 1;
	seed_port_lock(pool);
	for (i = 1; i < SEED_BLOCK; i++)
		seed_push(pool, first + i);
	pool->refills++;
	seed_port_unlock(pool);
	return true;
}

static inline bool seed_pool_alloc(struct seed_pool *pool, uint64_t *number)
{
	struct seed_page *page, *block;

	seed_port_lock(pool);
	if (pool->cached <= SEED_RESERVE) {
		seed_port_unlock(pool);
		return seed_refill(pool, number);
	}
	page = pool->list.next;
	seed_unlink(pool, page);
	block = seed_block(pool, page);
	if (block)
		block->block_free--;
	*number = (uint64_t)(page - pool->map);
	seed_port_unlock(pool);
	return true;
}

static inline void seed_pool_free(struct seed_pool *pool, uint64_t number)
{
	struct seed_page *page = pool->map + number, *block;

	seed_port_lock(pool);
	seed_push(pool, page);
	block = seed_block(pool, page);
	if (block)
		block->block_free++;
	seed_port_unlock(pool);
}

static inline uint64_t seed_pool_count(const struct seed_pool *pool)
{
	return pool->cached > SEED_UNSHRINKABLE ? pool->cached - SEED_UNSHRINKABLE : 0;
}

/* What a scan found. */
struct seed_plan {
	struct seed_page *block; /* with most free pages; or whose pages go; NULL: those of none */
	uint64_t outside; /* pages that are in no block */
	uint64_t nr; /* pages that go */
	bool whole;
};

static inline struct seed_plan seed_look(struct seed_pool *pool)
{
	struct seed_plan plan = { 0 };
	struct seed_page *page;
	uint32_t most = 0;

	for (page = pool->list.next; page != &pool->list && most < SEED_BLOCK; page = page->next) {
		struct seed_page *block = seed_block(pool, page);

		pool->steps++;
		if (!block) {
			plan.outside++;
		} else if (block->block_free > most) {
			plan.block = block;
			most = block->block_free;
		}
	}
	return plan;
}

static inline void seed_decide(const struct seed_pool *pool, struct seed_plan *plan, uint64_t nr)
{
	const uint64_t most = plan->block ? plan->block->block_free : 0;
	const uint64_t shrinkable = seed_pool_count(pool);

	plan->whole = most == SEED_BLOCK;
	if (plan->whole) {
		plan->nr = shrinkable < SEED_BLOCK ? 0 : SEED_BLOCK;
		return;
	}
	if (plan->outside < most && plan->outside < nr && most >= SEED_WORTH) {
		plan->nr = nr < most ? nr : most;
	} else {
		plan->nr = nr < plan->outside ? nr : plan->outside;
		plan->block = NULL;
	}
	if (plan->nr > shrinkable)
		plan->nr = shrinkable;
}

/* Takes the pages that go off the list of free ones, and chains them. */
static inline struct seed_page *seed_isolate(struct seed_pool *pool, const struct seed_plan *plan)
{
	struct seed_page *page = pool->list.next, *chain = NULL;
	uint64_t taken = 0;

	while (page != &pool->list && taken < plan->nr) {
		struct seed_page *next = page->next;

		pool->steps++;
		if (seed_block(pool, page) == plan->block) {
			seed_unlink(pool, page);
			page->next = chain;
			chain = page;
			taken++;
		}
		page = next;
	}
	return chain;
}

static inline void seed_release_pages(struct seed_pool *pool, struct seed_page *page)
{
	while (page) {
		struct seed_page *next = page->next;

		page->next = NULL;
		seed_port_set_key(pool, (uint64_t)(page - pool->map), 1, false);
		seed_port_give(pool, (uint64_t)(page - pool->map), 1);
		page = next;
	}
}

static inline void seed_release_block(struct seed_pool *pool, struct seed_page *first)
{
	const uint64_t page = (uint64_t)(first - pool->map);
	unsigned int i;

	for (i = 0; i < SEED_BLOCK; i++)
		first[i].next = NULL;
	seed_port_set_key(pool, page, SEED_BLOCK, false);
	seed_port_give(pool, page, SEED_BLOCK);
}

/* Gives back about that many pages; how many. */
static inline uint64_t seed_pool_scan(struct seed_pool *pool, uint64_t nr)
{
	struct seed_page *chain;
	struct seed_plan plan;

	seed_port_lock(pool);
	plan = seed_look(pool);
	seed_decide(pool, &plan, nr);
	if (!plan.nr) {
		seed_port_unlock(pool);
		return 0;
	}
	chain = seed_isolate(pool, &plan);
	if (plan.block)
		seed_mark_block(plan.block, false);
	seed_port_unlock(pool);
	if (plan.whole)
		seed_release_block(pool, plan.block);
	else
		seed_release_pages(pool, chain);
	return plan.nr;
}
#endif
