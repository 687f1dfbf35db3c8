/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * main.c -- uses a pool of page-table pages, and counts the instructions that QEMU retires meanwhile
 * (-icount shift=0). Prints a line for each case: instructions, calls, pages of a call, name.
 *
 *          Counted is each call by itself, in a function that does nothing else; the call of that function
 *          and its return are not. Locks, interrupt masking and the CPU's number are the port's and cost
 *          nothing here, nor do key changes.
 *
 * CONFIG   those of hardmap_port.h
 *          BENCH_FAULT  what the reader has to notice. 1: a call takes a sixteenth more than needed, and two
 *                       instructions; 2: a scan does something for each block that there is
 */
#include <hardmap/pgtable_pool.h>

#include "../bare/pmu.h"
#include "../bare/uart.h"

#ifndef BENCH_FAULT
#define BENCH_FAULT 0
#endif
#define PAGE UINT64_C(4096)
#define BLOCK (PAGE << BENCH_ORDER)
#define BLOCK_PAGES (1u << BENCH_ORDER)
#define BLOCKS 128u
#define ADOPTED 16u
#define MAGAZINE HM_PORT_PGTABLE_POOL_MAGAZINE
#define HELD (MAGAZINE + !HM_PORT_PGTABLE_POOL_LOCKED) /* pages that one holds, with the last one */
/* Beyond what is linked here, and before the end of 512 MiB. Only locked metadata are written there. */
#define MEMORY UINT64_C(0x48000000)

struct hm_context bench_context;
_Alignas(4096) hm_pte_t bench_root[HM_PORT_PGTABLE_ENTRIES];
struct hm_pgtable_pool_magazine bench_magazine;
static struct hm_pgtable_pool pool;
static _Alignas(65536) unsigned char adopted[ADOPTED][PAGE], singles[64][PAGE];
static hm_pa_t free_blocks[BLOCKS], free_singles[64];
static unsigned int n_blocks, n_singles;
/* All pages that the pool has, as they were allocated. */
static hm_pa_t pages[BLOCKS * BLOCK_PAGES + ADOPTED];
static unsigned int n_pages;
static int error;

/* Beside memset() of boot.S, what compilers call by themselves. */
void *memcpy(void *to, const void *from, unsigned long bytes);
void *memcpy(void *to, const void *from, unsigned long bytes)
{
	unsigned char *out = to;
	const unsigned char *in = from;

	while (bytes--) {
		*out++ = *in++;
		__asm__ volatile(""); /* or it would be made a call of itself */
	}
	return to;
}

/* ---- the kernel's memory: what was given back last is taken first ---- */

bool bench_memory(unsigned int order, hm_pa_t *memory)
{
	if (order == BENCH_ORDER && n_blocks)
		*memory = free_blocks[--n_blocks];
	else if (!order && n_singles)
		*memory = free_singles[--n_singles];
	else
		return false;
	return true;
}

void bench_give(hm_pa_t memory, unsigned int n)
{
	if (n == BLOCK_PAGES)
		free_blocks[n_blocks++] = memory;
	else
		free_singles[n_singles++] = memory;
}

static void clear(void *memory, uint64_t bytes)
{
	uint64_t *words = memory;

	for (; bytes; bytes -= sizeof(*words))
		*words++ = 0;
}

static void start_memory(void)
{
	for (n_blocks = 0; n_blocks < BLOCKS; n_blocks++)
		free_blocks[n_blocks].val = MEMORY + (BLOCKS - 1 - n_blocks) * BLOCK;
	for (n_singles = 0; n_singles < 64; n_singles++)
		free_singles[n_singles].val = (uintptr_t)singles[63 - n_singles];
}

/* ---- what is counted: each has a function to itself ---- */

typedef int (*operation)(hm_pa_t *page);
/* The only place where the compiler sees it; callers do not know what they call. */
#define ALONE static __attribute__((__noipa__))

ALONE int nothing(hm_pa_t *page)
{
	(void)page;
	__asm__ volatile("");
	return 0;
}

ALONE int alloc_page(hm_pa_t *page)
{
	return hm_pgtable_pool_alloc(&pool, 0, page);
}

/* A batch, as a second user of an allocation would keep the compiler from inlining it in the first. */
ALONE int alloc_sleeping(hm_pa_t *page)
{
	return hm_pgtable_pool_alloc_batch(&pool, HM_PGTABLE_POOL_MAY_SLEEP, page, 1);
}

ALONE int free_page(hm_pa_t *page)
{
	return hm_pgtable_pool_free(&pool, *page);
}

ALONE int alloc_64(hm_pa_t *page)
{
	return hm_pgtable_pool_alloc_batch(&pool, 0, page, 64);
}

ALONE int free_64(hm_pa_t *page)
{
	return hm_pgtable_pool_free_batch(&pool, page, 64);
}

ALONE int scan(hm_pa_t *page)
{
	(void)page;
	if (BENCH_FAULT == 2)
		waste(16 * pool.counts.refills);
	return hm_pgtable_pool_shrink_scan(&pool, 1, 0) != BLOCK_PAGES;
}

static uint64_t instructions;
static unsigned int pages_of_call;

ALONE uint32_t count_raw(operation operation, hm_pa_t *page)
{
	const uint32_t before = counted();

	error |= operation(page);
	if (BENCH_FAULT == 1 && operation != nothing)
		waste((counted() - before) / 16 + 2);
	return counted() - before;
}

static void count(operation operation, hm_pa_t *page)
{
	const uint32_t raw = count_raw(operation, page);

	/* But for the 0 that it returns. */
	instructions += raw - (count_raw(nothing, page) - 1);
}

/* ---- a pool ---- */

static void use_up(void)
{
	unsigned int n;

	for (n = 64; n; n /= 64)
		for (; !hm_pgtable_pool_alloc_batch(&pool, 0, pages + n_pages, n); n_pages += n)
			;
}

/* A pool of that many blocks, all pages of which are in use. */
static void start_pool(unsigned int blocks)
{
	const hm_pa_t early = { (uintptr_t)adopted };

	start_memory();
	clear(&pool, sizeof(pool));
	clear(bench_root, sizeof(bench_root));
	clear(&bench_magazine, sizeof(bench_magazine));
	n_pages = 0;
	hm_pgtable_pool_init(&pool);
	error |= hm_pgtable_pool_adopt(&pool, early, ADOPTED);
	error |= hm_pgtable_pool_protect(&pool);
	use_up();
	while (blocks--) {
		error |= hm_pgtable_pool_alloc_batch(&pool, HM_PGTABLE_POOL_MAY_SLEEP,
						     pages + n_pages, 1);
		n_pages++;
		use_up();
	}
}

/* Up to n pages of the block with that number are free; they are in no magazine. */
static void free_some(unsigned int block, unsigned int n)
{
	const uint64_t base = MEMORY + block * BLOCK;
	unsigned int i;

	for (i = 0; i < n_pages && n; i++) {
		if (pages[i].val - base < BLOCK) {
			error |= hm_pgtable_pool_free_batch(&pool, pages + i, 1);
			n--;
		}
	}
}

/* Where one is in use all the time. */
static hm_pa_t page_of(unsigned int block)
{
	const hm_pa_t page = { MEMORY + block * BLOCK };

	return page;
}

/* Pages of several blocks are free; in a magazine are pages of one, or none. */
static void start_usual_pool(bool with_magazine)
{
	hm_pa_t page;

	start_pool(16);
	free_some(3, 128);
	free_some(7, 256);
	free_some(11, 384);
	if (with_magazine) {
		error |= alloc_page(&page);
		error |= free_page(&page);
	}
}

/* ---- cases: each returns how many calls it counted ---- */

#define ROUNDS 128u

static unsigned int pair(void)
{
	unsigned int i;
	hm_pa_t page;

	start_usual_pool(true);
	for (i = 0; i < ROUNDS; i++) {
		count(alloc_page, &page);
		count(free_page, &page);
	}
	return ROUNDS;
}

#define BURST 8u

/* Of the two only one is counted. */
static unsigned int bursts(bool of_alloc)
{
	hm_pa_t burst[BURST];
	unsigned int round, i;

	start_usual_pool(true);
	for (round = 0; round < ROUNDS; round++) {
		uint64_t before = instructions;

		for (i = 0; i < BURST; i++)
			count(alloc_page, &burst[i]);
		if (!of_alloc)
			instructions = before;
		before = instructions;
		for (i = 0; i < BURST; i++)
			count(free_page, &burst[i]);
		if (of_alloc)
			instructions = before;
	}
	return ROUNDS * BURST;
}

static unsigned int alloc_bursts(void)
{
	return bursts(true);
}

static unsigned int free_bursts(void)
{
	return bursts(false);
}

/* No two pages that follow each other are of the same block. */
static unsigned int pairs_of_other_blocks(void)
{
	hm_pa_t burst[BURST];
	unsigned int round, i;

	start_pool(BURST);
	for (i = 0; i < BURST; i++)
		burst[i] = page_of(i);
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < BURST; i++)
			count(free_page, &burst[i]);
		for (i = 0; i < BURST; i++)
			count(alloc_page, &burst[i]);
	}
	return ROUNDS * BURST;
}

static unsigned int cached(void)
{
	struct hm_pgtable_pool_statistics statistics;

	hm_pgtable_pool_statistics(&pool, &statistics);
	return (unsigned int)statistics.cached;
}

/* The magazine is empty: the call takes half a magazine, and a page of it. */
static unsigned int refill(void)
{
	unsigned int round;
	hm_pa_t page;

	start_usual_pool(false);
	for (round = 0; round < ROUNDS; round++) {
		hm_pgtable_pool_cpu_remove(&pool, 0);
		count(alloc_page, &page);
		pages_of_call = 1 + cached();
		error |= hm_pgtable_pool_free_batch(&pool, &page, 1);
	}
	return ROUNDS;
}

/* The magazine is full: its older half goes to frames, the page into it. */
static unsigned int drain(void)
{
	hm_pa_t taken[HELD + 1];
	unsigned int round, i;

	start_usual_pool(false);
	for (round = 0; round < ROUNDS; round++) {
		hm_pgtable_pool_cpu_remove(&pool, 0);
		error |= hm_pgtable_pool_alloc_batch(&pool, 0, taken, HELD + 1);
		for (i = 0; i < HELD; i++)
			error |= free_page(&taken[i]);
		count(free_page, &taken[i]);
		pages_of_call = HELD + 1 - cached();
	}
	return ROUNDS;
}

static unsigned int batches(operation counted_, operation other)
{
	hm_pa_t batch[64];
	unsigned int round;

	pages_of_call = 64;
	start_usual_pool(false);
	for (round = 0; round < ROUNDS; round++) {
		if (counted_ == free_64)
			error |= other(batch);
		count(counted_, batch);
		if (counted_ == alloc_64)
			error |= other(batch);
	}
	return ROUNDS;
}

static unsigned int alloc_batches(void)
{
	return batches(alloc_64, free_64);
}

static unsigned int free_batches(void)
{
	return batches(free_64, alloc_64);
}

/* All are in use: the call takes a block from the kernel. */
static unsigned int take_block(void)
{
	unsigned int round;
	hm_pa_t page;

	pages_of_call = BLOCK_PAGES;
	for (round = 0; round < 16; round++) {
		start_pool(round);
		count(alloc_sleeping, &page);
		error |= pool.counts.refills != round + 1;
	}
	return 16;
}

#define RELEASES 16u

/* One block is empty, the others are full. Every third has a page of locked metadata, which has to find a
 * place elsewhere: blocks 2, 5, ... */
static unsigned int release(unsigned int blocks, bool with_metadata)
{
	unsigned int round, i;

	pages_of_call = BLOCK_PAGES;
	for (round = 0; round < RELEASES; round++) {
		start_pool(blocks);
		/* Of the adopted ones. */
		for (i = 0; i < ADOPTED / 2; i++)
			error |= hm_pgtable_pool_free_batch(&pool, pages + i, 1);
		free_some(round * blocks / RELEASES / 3 * 3 + (with_metadata ? 2 : 0), BLOCK_PAGES);
		/* Demand is forgotten. */
		for (i = 0; i < BENCH_ORDER + 2; i++)
			(void)hm_pgtable_pool_shrink_count(&pool);
		count(scan, 0);
		error |= pool.counts.blocks_released != 1;
	}
	return RELEASES;
}

static unsigned int release_only(void)
{
	return release(1, false);
}

static unsigned int release_of_16(void)
{
	return release(16, false);
}

static unsigned int release_of_128(void)
{
	return release(128, false);
}

static unsigned int release_with_metadata(void)
{
	return release(128, true);
}

struct bench_case {
	const char *name;
	bool wanted;
	unsigned int (*run)(void);
};

static const struct bench_case cases[] = {
	{ "alloc and free", true, pair },
	{ "alloc, 8 in a row", true, alloc_bursts },
	{ "free, 8 in a row", true, free_bursts },
	{ "alloc and free, block by block", MAGAZINE, pairs_of_other_blocks },
	{ "alloc that refills half", MAGAZINE, refill },
	{ "free that drains half", MAGAZINE, drain },
	{ "alloc of a batch of 64", true, alloc_batches },
	{ "free of a batch of 64", true, free_batches },
	{ "alloc that takes a block", MAGAZINE, take_block },
	{ "release of the only block", MAGAZINE, release_only },
	{ "release of a block of 16", MAGAZINE, release_of_16 },
	{ "release of a block of 128", MAGAZINE, release_of_128 },
	{ "release of one with metadata", HM_PORT_PGTABLE_POOL_LOCKED, release_with_metadata },
};

static const char *variant(void)
{
	if (!MAGAZINE)
		return "no magazine: ";
	if (!HM_PORT_PGTABLE_POOL_LOCKED)
		return "magazine: ";
	return BENCH_WINDOW ? "locked, key register: " : "locked: ";
}

int bench_main(void)
{
	const unsigned int n = sizeof(cases) / sizeof(*cases);
	unsigned int i;

	start_counting();
	hm_kpkeys_cpu_start();
	for (i = 0; i < n && !error; i++) {
		unsigned int calls;

		if (!cases[i].wanted)
			continue;
		instructions = 0;
		pages_of_call = 1;
		calls = cases[i].run();
		print_number(instructions);
		print_number(calls);
		print_number(pages_of_call);
		print(variant());
		print(cases[i].name);
		print("\n");
	}
	return error ? 1 : 0;
}
