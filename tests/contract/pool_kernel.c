/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * pool_kernel.c -- memory, keys, locks and CPUs for pools, and the hooks of pgtable_pool.h over them.
 */
#include "pool_kernel.h"
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

struct pool_kernel pool_kernel;

#define POOL_KERNEL_ENOUGH \
	(4000 * (HM_PORT_PGTABLE_POOL_ORDER + 2)) /* requests for memory by one call */

static unsigned char *memory; /* of the kernel, by blocks */
static hm_pte_t roots[POOL_KERNEL_POOLS][65536 / sizeof(hm_pte_t)] __attribute__((aligned(65536)));

static uint64_t page_bytes(void)
{
	return UINT64_C(1) << hm_port_pgtable_shift(0);
}

void pool_kernel_violate(const char *what)
{
	if (!pool_kernel.violations++)
		pool_kernel.violation = what;
}

uint64_t pool_kernel_random(uint64_t below)
{
	uint64_t *random = &pool_kernel.random;

	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return below ? (*random >> 11) % below : 0;
}

static void get_memory(void)
{
	const uint64_t block = page_bytes() << HM_PORT_PGTABLE_POOL_ORDER;
	unsigned char *start = mmap(NULL, (POOL_KERNEL_BLOCKS + UINT64_C(1)) * block,
				    PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (start == MAP_FAILED)
		__builtin_trap();
	memory = start + (-(uintptr_t)start & (block - 1));
}

void pool_kernel_reset(void)
{
	unsigned int i;

	if (!memory)
		get_memory();
	memset(&pool_kernel, 0, sizeof(pool_kernel));
	for (i = 0; i < POOL_KERNEL_POOLS; i++) {
		memset(roots[i], 0, page_bytes());
		pool_kernel.pools[i].root = roots[i];
		hm_pgtable_pool_init(&pool_kernel.pools[i].pool);
	}
	pool_kernel.cpus = POOL_KERNEL_CPUS;
	pool_kernel.largest = HM_PORT_PGTABLE_POOL_ORDER;
	pool_kernel.left = POOL_KERNEL_PAGES;
	pool_kernel.foul = true;
	pool_kernel.random = UINT64_C(0x9e3779b97f4a7c15);
}

/* ---- pages ---- */

unsigned int pool_kernel_number(hm_pa_t page)
{
	const uint64_t number = (page.val - POOL_KERNEL_PA(memory)) / page_bytes();

	return number < POOL_KERNEL_PAGES && !(page.val % page_bytes()) ? (unsigned int)number
									: POOL_KERNEL_PAGES;
}

hm_pa_t pool_kernel_pa(unsigned int number)
{
	const hm_pa_t pa = { POOL_KERNEL_PA(memory) + number * page_bytes() };

	return pa;
}

/* Those consecutive pages; NULL, a violation, if not all are the kernel's memory. */
static struct pool_kernel_page *pages_at(hm_pa_t pa, unsigned int n)
{
	const unsigned int number = pool_kernel_number(pa);

	if (n && n <= POOL_KERNEL_PAGES && number <= POOL_KERNEL_PAGES - n)
		return &pool_kernel.page[number];
	pool_kernel_violate("these are no pages");
	return NULL;
}

/* Nobody relies on what was there. */
static void foul(hm_pa_t pa, unsigned int n)
{
	const uint64_t bytes = page_bytes() < 1024 ? page_bytes() : 1024;
	unsigned char *start = memory + (pa.val - POOL_KERNEL_PA(memory));
	unsigned int i;

	for (i = 0; i < n && i < 512; i++)
		memset(start + i * page_bytes(), 0xa5, bytes);
}

hm_pa_t pool_kernel_take(unsigned int first, unsigned int n)
{
	unsigned int i;

	for (i = first; i < first + n; i++) {
		if (pool_kernel.page[i].owner != POOL_KERNEL_FREE)
			pool_kernel_violate("the suite takes what is not free");
		pool_kernel.page[i].owner = POOL_KERNEL_OWN;
	}
	foul(pool_kernel_pa(first), n);
	return pool_kernel_pa(first);
}

static struct pool_kernel_pool *around(const struct hm_pgtable_pool *pool)
{
	unsigned int i;

	for (i = 0; i < POOL_KERNEL_POOLS; i++)
		if (pool == &pool_kernel.pools[i].pool)
			return &pool_kernel.pools[i];
	pool_kernel_violate("this is no pool");
	return &pool_kernel.pools[0];
}

static unsigned char index_of(const struct pool_kernel_pool *kpool)
{
	return (unsigned char)(kpool - pool_kernel.pools);
}

void pool_kernel_serve(struct hm_pgtable_pool *pool, hm_pa_t page, bool keyed)
{
	struct pool_kernel_page *record = pages_at(page, 1);

	if (!record)
		return;
	if (record->owner == POOL_KERNEL_FREE || record->pool != index_of(around(pool)))
		pool_kernel_violate("a page is served that is not the pool's");
	if (record->live)
		pool_kernel_violate("a page is served twice");
	if (keyed && record->key != HM_KEY_PGTABLES)
		pool_kernel_violate("a page is served without its key");
	record->live = true;
	foul(page, 1);
}

void pool_kernel_free(hm_pa_t page)
{
	struct pool_kernel_page *record = pages_at(page, 1);

	if (!record)
		return;
	if (!record->live)
		pool_kernel_violate("the suite frees what it has not");
	record->live = false;
}

void pool_kernel_free_tables(struct hm_pgtable_pool *pool, unsigned int keep)
{
	while (pool_kernel.tables_out > keep) {
		const hm_pa_t table = pool_kernel.table[--pool_kernel.tables_out];

		pool_kernel_free(table);
		if (hm_pgtable_pool_free(pool, table))
			pool_kernel_violate("a table of a key change is not taken back");
	}
}

uint64_t pool_kernel_scan(struct hm_pgtable_pool *pool, uint64_t pages, unsigned int flags)
{
	uint64_t given;

	pool_kernel.scanning++;
	given = hm_pgtable_pool_shrink_scan(pool, pages, flags);
	pool_kernel.scanning--;
	return given;
}

/* ---- how hooks are entered ---- */

/* What other CPUs do here: this one waits for nothing and has no lock. */
static void meanwhile(enum pool_kernel_hook where)
{
	void (*act)(enum pool_kernel_hook) = pool_kernel.meanwhile;
	const unsigned int cpu = pool_kernel.cpu, scanning = pool_kernel.scanning;
	const unsigned int key_changes = pool_kernel.key_changes;
	unsigned int pinned[POOL_KERNEL_POOLS], i;

	if (!act)
		return;
	for (i = 0; i < POOL_KERNEL_POOLS; i++) {
		pinned[i] = pool_kernel.pools[i].pinned;
		pool_kernel.pools[i].pinned = 0;
	}
	pool_kernel.scanning = pool_kernel.key_changes = 0;
	act(where);
	pool_kernel.scanning = scanning;
	pool_kernel.key_changes = key_changes;
	pool_kernel.cpu = cpu;
	for (i = 0; i < POOL_KERNEL_POOLS; i++)
		pool_kernel.pools[i].pinned = pinned[i];
}

/* A hook is called that may sleep, or that takes locks of its own. */
static struct pool_kernel_pool *enter(const struct hm_pgtable_pool *pool,
				      enum pool_kernel_hook hook)
{
	struct pool_kernel_pool *kpool = around(pool);

	pool_kernel.calls[hook]++;
	if (kpool->locked)
		pool_kernel_violate("a hook is called with the lock");
	if (kpool->pinned)
		pool_kernel_violate("a hook is called pinned");
	meanwhile(hook);
	return kpool;
}

/* Whether this call has to fail. */
static bool fails(void)
{
	const uint64_t times = pool_kernel.fail_times ? pool_kernel.fail_times : 1;
	const uint64_t call = ++pool_kernel.fallible;

	if (!pool_kernel.fail_at || call < pool_kernel.fail_at ||
	    call - pool_kernel.fail_at >= times)
		return false;
	pool_kernel.failed++;
	return true;
}

/* ---- hooks: memory ---- */

hm_pa_t hm_port_pgtable_pool_root(const struct hm_pgtable_pool *pool)
{
	const hm_pa_t pa = { POOL_KERNEL_PA(around(pool)->root) };

	return pa;
}

static bool is_free(unsigned int first, unsigned int n)
{
	unsigned int i;

	for (i = first; i < first + n; i++)
		if (pool_kernel.page[i].owner != POOL_KERNEL_FREE)
			return false;
	return true;
}

/* Blocks from below, pieces from above, or both from anywhere; POOL_KERNEL_PAGES: none. */
static unsigned int find_free(unsigned int n)
{
	const unsigned int places = POOL_KERNEL_PAGES / n;
	const unsigned int start = pool_kernel.scatter ? (unsigned int)pool_kernel_random(places)
						       : 0;
	unsigned int i;

	for (i = 0; i < places; i++) {
		unsigned int place = (start + i) % places;

		if (!pool_kernel.scatter && n < 1u << HM_PORT_PGTABLE_POOL_ORDER)
			place = places - 1 - i;
		if (is_free(place * n, n))
			return place * n;
	}
	return POOL_KERNEL_PAGES;
}

bool hm_port_pgtable_pool_memory(struct hm_pgtable_pool *pool, unsigned int order, hm_pa_t *pages)
{
	struct pool_kernel_pool *kpool = enter(pool, POOL_KERNEL_MEMORY);
	const unsigned int n = 1u << order;
	unsigned int first, i;

	if (pool_kernel.scanning)
		pool_kernel_violate("memory is asked for by the shrinker");
	if (pool_kernel.key_changes)
		pool_kernel_violate("memory is asked for by a key change");
	if (order > HM_PORT_PGTABLE_POOL_ORDER ||
	    (HM_PORT_PGTABLE_POOL_LOCKED && !kpool->refilling))
		pool_kernel_violate("memory is asked for in a wrong way");
	if (pool_kernel.asked++ == POOL_KERNEL_ENOUGH)
		pool_kernel_violate("memory is asked for without end");
	if (pool_kernel.reclaim && pool_kernel.asked < POOL_KERNEL_ENOUGH)
		pool_kernel_scan(pool, pool_kernel.reclaim, 0);
	if ((fails() || order > pool_kernel.largest || pool_kernel.left < n) &&
	    pool_kernel.asked < POOL_KERNEL_ENOUGH)
		return false;
	first = find_free(n);
	if (first == POOL_KERNEL_PAGES)
		return false;
	for (i = first; i < first + n; i++) {
		pool_kernel.page[i].owner = POOL_KERNEL_LENT;
		pool_kernel.page[i].pool = index_of(kpool);
	}
	pool_kernel.left -= pool_kernel.left < n ? pool_kernel.left : n;
	kpool->lent += n;
	*pages = pool_kernel_pa(first);
	foul(*pages, n);
	return true;
}

void hm_port_pgtable_pool_give(struct hm_pgtable_pool *pool, hm_pa_t pages, unsigned int n)
{
	struct pool_kernel_pool *kpool = enter(pool, POOL_KERNEL_GIVE);
	struct pool_kernel_page *page = pages_at(pages, n);
	unsigned int i;

	for (i = 0; page && i < n; i++, page++) {
		if (page->owner != POOL_KERNEL_LENT || page->pool != index_of(kpool))
			pool_kernel_violate("a page is given back that the pool had not");
		if (page->live)
			pool_kernel_violate("a page is given back that is in use");
		if (page->key != HM_KEY_DEFAULT)
			pool_kernel_violate("a page is given back with its key");
		page->owner = POOL_KERNEL_FREE;
		pool_kernel.left++;
		kpool->lent--;
	}
	if (pool_kernel.foul)
		foul(pages, n);
}

/* ---- hooks: keys ---- */

/* Tables out of the token; false, and none, if there are not enough. */
static bool take_tables(struct hm_pgtable_pool *pool, struct hm_pgtable_pool_token *tokens)
{
	const unsigned int before = pool_kernel.tables_out;
	unsigned int i;

	for (i = 0; i < pool_kernel.tables; i++) {
		hm_pa_t table;

		if (pool_kernel.tables_out == POOL_KERNEL_TABLES ||
		    !hm_pgtable_pool_take(pool, tokens, &table)) {
			pool_kernel_free_tables(pool, before);
			return false;
		}
		pool_kernel_serve(pool, table, false);
		pool_kernel.table[pool_kernel.tables_out++] = table;
	}
	return true;
}

int hm_port_pgtable_pool_set_key(struct hm_pgtable_pool *pool, hm_pa_t pages, unsigned int n,
				 unsigned int key, struct hm_pgtable_pool_token *tables)
{
	struct pool_kernel_pool *kpool = enter(pool, POOL_KERNEL_SET_KEY);
	const bool is_root = pages.val == POOL_KERNEL_PA(kpool->root);
	struct pool_kernel_page *page = is_root ? NULL : pages_at(pages, n);
	const bool fail = fails();
	unsigned int i;
	bool tabled;

	if (key != HM_KEY_PGTABLES && key != HM_KEY_DEFAULT)
		pool_kernel_violate("a key change to a wrong key");
	if (is_root && n != 1)
		pool_kernel_violate("a key change of more than the root");
	if (hm_pool_block_of_(pages) !=
		    hm_pool_block_of_(pool_kernel_pa(pool_kernel_number(pages) + n - 1)) &&
	    !is_root)
		pool_kernel_violate("a key change of more than a block");
	for (i = 0; page && i < n; i++) {
		if (page[i].owner == POOL_KERNEL_FREE)
			pool_kernel_violate("a key change of what the pool has not");
		if (page[i].live && page[i].owner == POOL_KERNEL_LENT && key == HM_KEY_DEFAULT)
			pool_kernel_violate("a page in use loses its key");
	}
	if (fail && pool_kernel.failure != POOL_KERNEL_HALF_WAY)
		return pool_kernel.failure == POOL_KERNEL_BUSY ? -HM_EBUSY : -HM_ENOMEM;
	pool_kernel.key_changes++;
	tabled = take_tables(pool, tables);
	pool_kernel.key_changes--;
	if (!tabled)
		return -HM_ENOMEM;
	/* Of one page it is not known either. */
	if (fail && n == 1 && pool_kernel.failed % 2)
		return -HM_EIO;
	for (i = 0; page && i < n; i++)
		if (!fail || n == 1 || i % 2 == pool_kernel.failed % 2)
			page[i].key = (unsigned char)key;
	if (is_root)
		kpool->root_key = key;
	return fail ? -HM_EIO : 0;
}

void hm_port_pgtable_pool_rejoin(struct hm_pgtable_pool *pool, hm_pa_t block)
{
	enter(pool, POOL_KERNEL_REJOIN);
	pool_kernel.rejoined = block;
}

/* ---- hooks: locks, CPUs ---- */

bool hm_port_pgtable_pool_lock(struct hm_pgtable_pool *pool)
{
	struct pool_kernel_pool *kpool = around(pool);

	pool_kernel.calls[POOL_KERNEL_LOCK]++;
	if (kpool->locked)
		pool_kernel_violate("the lock is taken twice");
	meanwhile(POOL_KERNEL_LOCK);
	kpool->locked = true;
	return pool_kernel.contended;
}

void hm_port_pgtable_pool_unlock(struct hm_pgtable_pool *pool)
{
	struct pool_kernel_pool *kpool = around(pool);

	if (!kpool->locked)
		pool_kernel_violate("the lock is dropped that nobody has");
	kpool->locked = false;
}

bool hm_port_pgtable_pool_refill_lock(struct hm_pgtable_pool *pool)
{
	struct pool_kernel_pool *kpool = enter(pool, POOL_KERNEL_REFILL_LOCK);

	if (pool_kernel.scanning || pool_kernel.key_changes)
		pool_kernel_violate("the refill lock is taken where it may not");
	if (fails() || kpool->refilling)
		return false;
	kpool->refilling = true;
	return true;
}

void hm_port_pgtable_pool_refill_unlock(struct hm_pgtable_pool *pool)
{
	struct pool_kernel_pool *kpool = around(pool);

	if (!kpool->refilling)
		pool_kernel_violate("the refill lock is dropped that nobody has");
	kpool->refilling = false;
}

unsigned int hm_port_pgtable_pool_pin(struct hm_pgtable_pool *pool)
{
	struct pool_kernel_pool *kpool = around(pool);

	pool_kernel.calls[POOL_KERNEL_PIN]++;
	if (kpool->locked || kpool->pinned++)
		pool_kernel_violate("pinned twice, or with the lock");
	return pool_kernel.cpu;
}

void hm_port_pgtable_pool_unpin(struct hm_pgtable_pool *pool)
{
	struct pool_kernel_pool *kpool = around(pool);

	if (kpool->locked || kpool->pinned != 1)
		pool_kernel_violate("unpinned, but not pinned");
	kpool->pinned = 0;
}

struct hm_pgtable_pool_magazine *hm_port_pgtable_pool_magazine(struct hm_pgtable_pool *pool,
							       unsigned int cpu)
{
	return cpu < pool_kernel.cpus ? &around(pool)->magazines[cpu] : NULL;
}

bool hm_port_pgtable_pool_fence(struct hm_pgtable_pool *pool)
{
	enter(pool, POOL_KERNEL_FENCE);
	if (HM_PORT_PGTABLE_POOL_LOCKED || !HM_PORT_PGTABLE_POOL_MAGAZINE)
		pool_kernel_violate("a fence that nobody needs");
	return !fails();
}
