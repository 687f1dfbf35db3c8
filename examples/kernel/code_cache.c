/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * code_cache.c -- the code cache's side of the library's contract.
 *
 * A block is what one entry of level 1 translates, 2M or 32M; with 64K pages a contiguous group of pages, of
 * 2M. Its alias is the linear map's.
 */
#include "code_cache.h"

#include "cpu.h"
#include "gic.h"
#include "layout.h"
#include "linear_map.h"
#include "pages.h"
#include "spinlock.h"
#include "tables.h"
#include "thread.h"
#include "uart.h"

#define ORDER HM_PORT_PGTABLE_POOL_ORDER
/* The level of the entries that map a block, and how many do. */
#define LEVEL (PAGE_SHIFT == 16 ? 0 : 1)
#define ENTRIES ((unsigned int)(CODE_BLOCK >> hm_port_pgtable_shift(LEVEL)))
#define RANGES 512

_Static_assert(CODE_BLOCK == (uint64_t)PAGE_SIZE << ORDER, "a block of code is one of pages.h");

struct hm_rox_cache code_cache;
struct hm_rox_cache_arena code_near, code_far;

static unsigned int cpus;
static hm_pte_t *entries; /* of the table that maps all blocks where they execute */
static uint64_t memory[CODE_BLOCKS]; /* by place from CODE_BASE on: where it is; 0: nothing there */
static struct spinlock memory_lock;

static struct spinlock lock;
static uint64_t lock_flags; /* of who has it */
static bool growing;
static struct thread *writer; /* who has the window; NULL: nobody */

static struct hm_rox_cache_range ranges[RANGES], *free_ranges;
static struct spinlock ranges_lock;

static uint32_t synchronisations; /* asked for */
static uint32_t synchronised[MAX_CPUS]; /* that a CPU has done all up to */

static void must(int error, const char *what)
{
	if (error)
		panic("%s: error %d", what, error);
}

/* ---- for the rest of the kernel ---- */

static void add(struct hm_rox_cache_arena *arena, const char *name, unsigned int first,
		unsigned int end, struct hm_rox_cache_arena *fallback)
{
	const hm_va_t start = { CODE_BASE + first * CODE_BLOCK };
	const hm_va_t last = { CODE_BASE + end * CODE_BLOCK - 1 };

	must(hm_rox_cache_add(&code_cache, arena, name, start, last, fallback), name);
}

void code_cache_init(unsigned int count)
{
	const hm_va_t base = { CODE_BASE };
	unsigned int level, i;

	cpus = count;
	entries = hm_port_pgtable_root(base);
	for (level = HM_PORT_PGTABLE_LEVELS - 1; level > LEVEL; level--) {
		hm_pte_t *link = entries + hm_port_pgtable_index(base, level);

		if (!hm_port_pte_is_valid(hm_pte_get(link))) {
			const hm_pa_t table = { table_alloc() };

			hm_pte_link(link, hm_arm64_table(table));
		}
		entries = hm_port_pgtable_map(hm_port_pte_table(hm_pte_get(link)));
	}
	for (i = 0; i < RANGES; i++)
		hm_port_rox_cache_range_free(&code_cache, &ranges[i]);
	add(&code_far, "far", 1, CODE_BLOCKS, NULL);
	add(&code_near, "near", 0, 1, &code_far);
}

bool code_cache_covers(uint64_t address)
{
	return address - CODE_BASE < CODE_BLOCKS * CODE_BLOCK;
}

/* ---- the cache's port: memory ---- */

static unsigned int place_of(hm_va_t code)
{
	return (unsigned int)((code.val - CODE_BASE) / CODE_BLOCK);
}

/* Whether n places from that one on are the arena's, and free. */
static bool are_free(const struct hm_rox_cache_arena *arena, unsigned int first, unsigned int n)
{
	const uint64_t start = CODE_BASE + first * CODE_BLOCK;
	unsigned int i;

	if (start < arena->first.val || start + n * CODE_BLOCK - 1 > arena->last.val)
		return false;
	for (i = first; i < first + n; i++)
		if (i >= CODE_BLOCKS || memory[i])
			return false;
	return true;
}

static bool take(unsigned int first, unsigned int n)
{
	unsigned int i;

	for (i = first; i < first + n; i++)
		if (!pages_take(ORDER, &memory[i]))
			break;
	if (i == first + n)
		return true;
	while (i-- > first) {
		pages_give(memory[i], 1u << ORDER);
		memory[i] = 0;
	}
	return false;
}

bool hm_port_rox_cache_memory(struct hm_rox_cache *cache, const struct hm_rox_cache_arena *arena,
			      unsigned int n, hm_va_t *blocks)
{
	const uint64_t flags = spin_lock_irqsave(&memory_lock);
	unsigned int first = blocks->val ? place_of(*blocks) : 0;
	bool taken;

	(void)cache;
	while (!blocks->val && first < CODE_BLOCKS && !are_free(arena, first, n))
		first++;
	taken = are_free(arena, first, n) && take(first, n);
	if (taken)
		blocks->val = CODE_BASE + first * CODE_BLOCK;
	spin_unlock_irqrestore(&memory_lock, flags);
	return taken;
}

/* It faults if a page is closed still. */
void hm_port_rox_cache_give(struct hm_rox_cache *cache, hm_va_t block)
{
	const uint64_t flags = spin_lock_irqsave(&memory_lock);
	const unsigned int place = place_of(block);

	(void)cache;
	pages_give(memory[place], 1u << ORDER);
	memory[place] = 0;
	spin_unlock_irqrestore(&memory_lock, flags);
}

/* ---- the cache's port: where it is written ---- */

hm_pte_t *hm_port_rox_cache_at(const struct hm_rox_cache *cache, hm_va_t code)
{
	(void)cache;
	return (hm_pte_t *)(memory[place_of(code)] + code.val % CODE_BLOCK + LINEAR_BASE);
}

static int change(hm_va_t va, uint64_t bytes, enum hm_rox_cache_alias alias)
{
	struct hm_direct_map_reserve reserve = { { 0 }, 0 };
	int error = tables_reserve(&reserve);

	if (error)
		return error;
	linear_map_lock();
	if (hm_kpkeys_style() != HM_KEY_STYLE_NONE)
		error = hm_direct_map_set_pkey(&linear_map, &reserve, va, bytes,
					       alias == HM_ROX_CACHE_MEMORY ? HM_KEY_DEFAULT
									    : HM_KEY_TEXT);
	else
		error = hm_direct_map_set_permission(
			&linear_map, &reserve, va, bytes,
			alias == HM_ROX_CACHE_CLOSED ? HM_PERMISSION_RO : HM_PERMISSION_RW);
	linear_map_unlock();
	hm_direct_map_release(&reserve);
	return error;
}

/* Where the size of a block cannot change live all of it is opened. */
int hm_port_rox_cache_alias(struct hm_rox_cache *cache, hm_va_t code, uint64_t bytes,
			    enum hm_rox_cache_alias alias)
{
	const hm_va_t va = { (uintptr_t)hm_port_rox_cache_at(cache, code) };
	const hm_va_t block = { va.val - code.val % CODE_BLOCK };
	int error = change(va, bytes, alias);

	if (error == -HM_EBUSY && bytes < CODE_BLOCK)
		error = change(block, CODE_BLOCK, alias);
	if (error || alias == HM_ROX_CACHE_OPEN)
		return error;
	linear_map_lock();
	error = hm_direct_map_collapse(&linear_map, block, CODE_BLOCK);
	linear_map_unlock();
	return error == -HM_EBUSY ? 0 : error;
}

/* By threads alone, which wait for each other. */
bool hm_port_rox_cache_window_lock(struct hm_rox_cache *cache)
{
	struct thread *nobody = NULL;

	(void)cache;
	if (irq_masked() || __atomic_load_n(&writer, __ATOMIC_RELAXED) == thread_current())
		return false;
	while (!__atomic_compare_exchange_n(&writer, &nobody, thread_current(), false,
					    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		nobody = NULL;
		thread_yield();
	}
	return true;
}

void hm_port_rox_cache_window_unlock(struct hm_rox_cache *cache)
{
	(void)cache;
	__atomic_store_n(&writer, NULL, __ATOMIC_RELEASE);
}

/* ---- the cache's port: where it executes ---- */

int hm_port_rox_cache_execute(struct hm_rox_cache *cache, hm_va_t block, bool executable)
{
	const uint64_t contiguous = ENTRIES > 1 ? HM_ARM64_CONTIGUOUS : 0;
	const hm_pa_t pa = { memory[place_of(block)] };
	hm_pte_t *entry = entries + hm_port_pgtable_index(block, LEVEL);

	(void)cache;
	if (executable) {
		hm_pte_set_range(entry, ENTRIES,
				 hm_arm64_leaf(pa, LEVEL, HM_ARM64_KERNEL_RX | contiguous),
				 PAGE_SIZE);
	} else {
		hm_pte_clear_range(entry, ENTRIES);
		hm_pgtable_invalidate(block, CODE_BLOCK, HM_INVALIDATE_LEAVES);
	}
	return 0;
}

/* Each CPU takes an interrupt that was sent after the number was asked for: a handler that finds the number
 * synchronises after it. The caller's own, too, whatever CPU it is on by then. */
bool hm_port_rox_cache_synchronise(struct hm_rox_cache *cache)
{
	uint32_t number;
	unsigned int cpu;

	(void)cache;
	if (irq_masked())
		return false;
	number = __atomic_add_fetch(&synchronisations, 1, __ATOMIC_SEQ_CST);
	for (cpu = 0; cpu < cpus; cpu++)
		gic_send_sgi(cpu, CODE_SGI_SYNCHRONISE);
	for (cpu = 0; cpu < cpus; cpu++)
		while ((int32_t)(__atomic_load_n(&synchronised[cpu], __ATOMIC_ACQUIRE) - number) <
		       0)
			cpu_relax();
	return true;
}

void code_cache_synchronise_cpu(void)
{
	const uint32_t number = __atomic_load_n(&synchronisations, __ATOMIC_ACQUIRE);

	/* The load is complete before the ISB: what that drops was fetched before or after the call. */
	__asm__ volatile("dsb ish" : : : "memory");
	isb();
	__atomic_store_n(&synchronised[cpu_id()], number, __ATOMIC_RELEASE);
}

/* ---- the cache's port: ranges, and who may do what when ---- */

struct hm_rox_cache_range *hm_port_rox_cache_range_alloc(struct hm_rox_cache *cache)
{
	const uint64_t flags = spin_lock_irqsave(&ranges_lock);
	struct hm_rox_cache_range *range = free_ranges;

	(void)cache;
	if (range)
		free_ranges = range->next;
	spin_unlock_irqrestore(&ranges_lock, flags);
	return range;
}

void hm_port_rox_cache_range_free(struct hm_rox_cache *cache, struct hm_rox_cache_range *range)
{
	const uint64_t flags = spin_lock_irqsave(&ranges_lock);

	(void)cache;
	range->next = free_ranges;
	free_ranges = range;
	spin_unlock_irqrestore(&ranges_lock, flags);
}

void hm_port_rox_cache_lock(struct hm_rox_cache *cache)
{
	const uint64_t flags = spin_lock_irqsave(&lock);

	(void)cache;
	lock_flags = flags;
}

void hm_port_rox_cache_unlock(struct hm_rox_cache *cache)
{
	(void)cache;
	spin_unlock_irqrestore(&lock, lock_flags);
}

/* As the window. */
bool hm_port_rox_cache_grow_lock(struct hm_rox_cache *cache)
{
	(void)cache;
	if (irq_masked())
		return false;
	while (__atomic_exchange_n(&growing, true, __ATOMIC_ACQUIRE))
		thread_yield();
	return true;
}

void hm_port_rox_cache_grow_unlock(struct hm_rox_cache *cache)
{
	(void)cache;
	__atomic_store_n(&growing, false, __ATOMIC_RELEASE);
}
