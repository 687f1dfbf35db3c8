/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * tables.c -- the pool of page tables, and its side of the library's contract.
 *
 * It begins with pages of the image, which boot locked: they serve the tables that stay, and those that the
 * first key change may take.
 */
#include "tables.h"

#include "layout.h"
#include "linear_map.h"
#include "pages.h"
#include "spinlock.h"
#include "stats.h"
#include "thread.h"
#include "uart.h"

#define ENTRIES HM_PORT_PGTABLE_ENTRIES
/* The window's, the demonstrations', what the pool holds back, and its own. */
#define EARLY_TABLES (WINDOW_SLOTS / ENTRIES + 2 * HM_PORT_PGTABLE_POOL_TABLES + 8)
/* After so many scans the pool remembers no demand: each halves it. */
#define SCANS 20

struct hm_pgtable_pool table_pool;
static struct hm_pgtable_pool_magazine magazines[MAX_CPUS];
static MMU_LOCKED _Alignas(PAGE_SIZE) hm_pte_t pool_root[ENTRIES];
static MMU_LOCKED _Alignas(PAGE_SIZE) hm_pte_t early[EARLY_TABLES][ENTRIES];

static struct spinlock lock;
static uint64_t lock_flags; /* of who has it */
static uint64_t pin_flags[MAX_CPUS];
static bool refilling;

static hm_pa_t pa_of(const void *object)
{
	const hm_pa_t pa = { (uintptr_t)object - LINEAR_BASE };

	return pa;
}

static void must(int error, const char *what)
{
	if (error)
		panic("%s: error %d", what, error);
}

/* ---- for the rest of the kernel ---- */

void tables_init(void)
{
	hm_pa_t table;
	unsigned int i;

	hm_pgtable_pool_init(&table_pool);
	must(hm_pgtable_pool_adopt(&table_pool, pa_of(early), EARLY_TABLES), "early tables");
	for (i = 0; mmu_boot_table(i, &table.val); i++)
		must(hm_pgtable_pool_register(&table_pool, table, 1), "boot's tables");
	must(hm_pgtable_pool_protect(&table_pool), "the pool's key");
}

uint64_t table_alloc(void)
{
	hm_pa_t table;

	must(hm_pgtable_pool_alloc(&table_pool, HM_PGTABLE_POOL_MAY_SLEEP | HM_PGTABLE_POOL_ZERO,
				   &table),
	     "no page for a table");
	stat_add(STAT_TABLES_SERVED, 1);
	return table.val;
}

void table_free(uint64_t pa)
{
	const hm_pa_t table = { pa };

	must(hm_pgtable_pool_free(&table_pool, table), "a table is freed");
}

void tables_reclaim(void)
{
	unsigned int i;

	for (i = 0; i < SCANS; i++)
		(void)hm_pgtable_pool_shrink_scan(&table_pool, ~UINT64_C(0), 0);
}

hm_pte_t *tables_root_word(void)
{
	return pool_root;
}

/* The first frame is of the early pages, as far as they are in one block, and in the last of these. */
hm_pte_t *tables_frame_word(void)
{
	const uint64_t bytes = (uint64_t)PAGE_SIZE << HM_PORT_PGTABLE_POOL_ORDER;
	const uint64_t start = pa_of(early).val, block = start & ~(bytes - 1);
	const uint64_t pages = (block + bytes - start) / PAGE_SIZE;
	hm_pte_t *word = early[(pages < EARLY_TABLES ? pages : EARLY_TABLES) - 1];

	if ((hm_pte_get(word).val & ~(uint64_t)(PAGE_SIZE - 1)) != block)
		panic("the pool's first frame is elsewhere");
	return word;
}

/* ---- tables for changes of the linear map ---- */

/* From what the token holds back, until the reserve has so many. */
static void fill_reserve(struct hm_direct_map_reserve *reserve, int tables,
			 struct hm_pgtable_pool_token *token)
{
	hm_pa_t table;

	while ((int)reserve->tables < tables && hm_pgtable_pool_take(&table_pool, token, &table))
		hm_direct_map_give(reserve, table);
}

int tables_reserve(struct hm_direct_map_reserve *reserve)
{
	struct hm_pgtable_pool_token token = { 0 };
	const int error = hm_pgtable_pool_reserve(&table_pool, HM_PGTABLE_POOL_MAY_SLEEP,
						  HM_DIRECT_MAP_TABLES, &token);

	if (!error)
		fill_reserve(reserve, HM_DIRECT_MAP_TABLES, &token);
	hm_pgtable_pool_unreserve(&table_pool, &token);
	return error;
}

/* With the map's lock, which a refill takes: so there is none. */
bool hm_port_pgtable_alloc(hm_pa_t *table)
{
	return !hm_pgtable_pool_alloc(&table_pool, HM_PGTABLE_POOL_RESERVE, table);
}

/* Nobody walks the linear map's tables but under its lock: the page may serve anybody at once. */
void hm_port_pgtable_free(hm_pa_t table)
{
	table_free(table.val);
}

/* ---- the pool's port: memory ---- */

/* A constant address. */
hm_pa_t hm_port_pgtable_pool_root(const struct hm_pgtable_pool *pool)
{
	(void)pool;
	return pa_of(pool_root);
}

bool hm_port_pgtable_pool_memory(struct hm_pgtable_pool *pool, unsigned int order, hm_pa_t *pages)
{
	(void)pool;
	return pages_take(order, &pages->val);
}

void hm_port_pgtable_pool_give(struct hm_pgtable_pool *pool, hm_pa_t pages, unsigned int n)
{
	(void)pool;
	pages_give(pages.val, n);
}

/* A contiguous group that the pages were in, or are now, is one again as far as keys are alike. Below BBM
 * level 3 there are no groups, and this is refused. */
static void collapse(hm_pa_t pages, uint64_t bytes)
{
	const hm_va_t va = { pages.val + LINEAR_BASE };
	int error;

	linear_map_lock();
	error = hm_direct_map_collapse(&linear_map, va, bytes);
	linear_map_unlock();
	if (error && error != -HM_EBUSY)
		panic("collapse: error %d", error);
}

/* Where there are no keys too: what becomes of the linear map can be seen there as well. */
int hm_port_pgtable_pool_set_key(struct hm_pgtable_pool *pool, hm_pa_t pages, unsigned int n,
				 unsigned int key, struct hm_pgtable_pool_token *tables)
{
	struct hm_direct_map_reserve reserve = { { 0 }, 0 };
	const hm_va_t va = { pages.val + LINEAR_BASE };
	const uint64_t bytes = (uint64_t)n * PAGE_SIZE;
	int error, needed;

	(void)pool;
	linear_map_lock();
	needed = hm_direct_map_tables(&linear_map, va, bytes, false);
	fill_reserve(&reserve, needed, tables);
	error = needed < 0 ? needed : (int)reserve.tables < needed ? -HM_ENOMEM : 0;
	if (!error)
		error = hm_direct_map_set_pkey(&linear_map, &reserve, va, bytes, key);
	linear_map_unlock();
	hm_direct_map_release(&reserve);
	if (!error)
		collapse(pages, bytes);
	return error;
}

void hm_port_pgtable_pool_rejoin(struct hm_pgtable_pool *pool, hm_pa_t block)
{
	(void)pool;
	collapse(block, (uint64_t)PAGE_SIZE << HM_PORT_PGTABLE_POOL_ORDER);
}

/* ---- the pool's port: who may do what when ---- */

bool hm_port_pgtable_pool_lock(struct hm_pgtable_pool *pool)
{
	const uint64_t flags = irq_save();
	const bool waited = !spin_trylock(&lock);

	(void)pool;
	if (waited)
		spin_lock(&lock);
	lock_flags = flags;
	return waited;
}

void hm_port_pgtable_pool_unlock(struct hm_pgtable_pool *pool)
{
	(void)pool;
	spin_unlock_irqrestore(&lock, lock_flags);
}

/* By threads alone, which wait for each other; boot's is not contended. */
bool hm_port_pgtable_pool_refill_lock(struct hm_pgtable_pool *pool)
{
	(void)pool;
	while (__atomic_exchange_n(&refilling, true, __ATOMIC_ACQUIRE))
		thread_yield();
	return true;
}

void hm_port_pgtable_pool_refill_unlock(struct hm_pgtable_pool *pool)
{
	(void)pool;
	__atomic_store_n(&refilling, false, __ATOMIC_RELEASE);
}

unsigned int hm_port_pgtable_pool_pin(struct hm_pgtable_pool *pool)
{
	const uint64_t flags = irq_save();
	const unsigned int cpu = cpu_id();

	(void)pool;
	pin_flags[cpu] = flags;
	return cpu;
}

void hm_port_pgtable_pool_unpin(struct hm_pgtable_pool *pool)
{
	(void)pool;
	irq_restore(pin_flags[cpu_id()]);
}

struct hm_pgtable_pool_magazine *hm_port_pgtable_pool_magazine(struct hm_pgtable_pool *pool,
							       unsigned int cpu)
{
	(void)pool;
	return cpu < MAX_CPUS ? &magazines[cpu] : NULL;
}

/* Not called: with locked metadata magazines are under the lock. There is no interrupt for it. */
bool hm_port_pgtable_pool_fence(struct hm_pgtable_pool *pool)
{
	(void)pool;
	return false;
}
