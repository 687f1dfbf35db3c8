/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * rox_kernel.c -- memory, what is fetched from it, and locks for code caches, and the hooks of rox_cache.h
 * over them.
 */
#include "rox_kernel.h"
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

struct rox_kernel rox_kernel;

#define BLOCK ROX_KERNEL_BLOCK
#define BLOCKS ROX_KERNEL_BLOCKS
#define FOUL 0xa5
#define POISON 0x5a

/* The alias of all blocks; and as much again each: what was stored there by hooks, what of it was cleaned,
 * what instruction caches may have, what every CPU fetches. */
static unsigned char *memory, *stored, *cleaned, *cached, *fetched;

static uint64_t trap[BLOCK / 8 + 1]; /* nothing else */
static const unsigned char *const traps = (const unsigned char *)trap;

static struct hm_rox_cache_range ranges[ROX_KERNEL_RANGES];
static struct {
	bool out, used;
	unsigned char cache;
} range_of[ROX_KERNEL_RANGES];
static unsigned int next_range;

static uint64_t page_bytes(void)
{
	return UINT64_C(1) << hm_port_pgtable_shift(0);
}

void rox_kernel_violate(const char *what)
{
	if (!rox_kernel.violations++)
		rox_kernel.violation = what;
}

uint64_t rox_kernel_random(uint64_t below)
{
	uint64_t *random = &rox_kernel.random;

	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return below ? (*random >> 11) % below : 0;
}

static void get_memory(void)
{
	unsigned char *start = mmap(NULL, (5 * BLOCKS + 1) * BLOCK, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	unsigned int i;

	if (start == MAP_FAILED)
		__builtin_trap();
	for (i = 0; i < BLOCK / 8 + 1; i++)
		trap[i] = HM_PORT_ROX_CACHE_TRAP;
	memory = start + (-(uintptr_t)start & (BLOCK - 1));
	stored = memory + BLOCKS * BLOCK;
	cleaned = stored + BLOCKS * BLOCK;
	cached = cleaned + BLOCKS * BLOCK;
	fetched = cached + BLOCKS * BLOCK;
}

/* Nobody relies on what was there. */
static void foul(unsigned int number)
{
	memset(memory + number * BLOCK, FOUL, BLOCK);
	memset(stored + number * BLOCK, FOUL, BLOCK);
	memset(cleaned + number * BLOCK, FOUL, BLOCK);
	memset(cached + number * BLOCK, FOUL, BLOCK);
	memset(fetched + number * BLOCK, FOUL, BLOCK);
}

void rox_kernel_reset(void)
{
	unsigned int i;

	if (!memory)
		get_memory();
	for (i = 0; i < BLOCKS; i++)
		foul(i);
	memset(&rox_kernel, 0, sizeof(rox_kernel));
	memset(range_of, 0, sizeof(range_of));
	next_range = 0;
	rox_kernel.left = BLOCKS;
	rox_kernel.random = UINT64_C(0x9e3779b97f4a7c15);
}

/* ---- blocks ---- */

static unsigned int number_of(const struct rox_kernel_block *block)
{
	return (unsigned int)(block - rox_kernel.block);
}

struct rox_kernel_block *rox_kernel_find(uint64_t va)
{
	static unsigned int last;
	unsigned int i;

	for (i = 0; i < BLOCKS; i++, last = (last + 1) % BLOCKS)
		if (rox_kernel.block[last].lent && va - rox_kernel.block[last].va < BLOCK)
			return &rox_kernel.block[last];
	return NULL;
}

static uint64_t offset_of(const struct rox_kernel_block *block, uint64_t va)
{
	return number_of(block) * BLOCK + (va - block->va);
}

/* By pieces of one block each: what is done with them; false ends it. */
static bool each_piece(uint64_t va, uint64_t n,
		       bool (*act)(struct rox_kernel_block *block, uint64_t offset,
				   const unsigned char *bytes, uint64_t n),
		       const void *bytes)
{
	const unsigned char *from = bytes;

	while (n) {
		struct rox_kernel_block *block = rox_kernel_find(va);
		uint64_t piece = n;

		if (!block)
			return false;
		if (piece > BLOCK - (va - block->va))
			piece = BLOCK - (va - block->va);
		if (!act(block, offset_of(block, va), from, piece))
			return false;
		va += piece;
		n -= piece;
		from = from ? from + piece : NULL;
	}
	return true;
}

/* Without bytes: nothing but traps. */
static bool same(const unsigned char *there, const unsigned char *bytes, uint64_t offset,
		 uint64_t n)
{
	return !memcmp(there + offset, bytes ? bytes : traps + offset % 8, n);
}

static bool is_fetched(struct rox_kernel_block *block, uint64_t offset, const unsigned char *bytes,
		       uint64_t n)
{
	return block->executable && same(fetched, bytes, offset, n);
}

static bool is_stored(struct rox_kernel_block *block, uint64_t offset, const unsigned char *bytes,
		      uint64_t n)
{
	return block->lent && same(memory, bytes, offset, n);
}

bool rox_kernel_executes(uint64_t va, const void *bytes, uint64_t n)
{
	return each_piece(va, n, is_fetched, bytes);
}

bool rox_kernel_traps(uint64_t va, uint64_t n)
{
	return each_piece(va, n, is_fetched, NULL);
}

bool rox_kernel_remembers(uint64_t va, const void *bytes, uint64_t n)
{
	return each_piece(va, n, is_stored, bytes);
}

static void check_memory(unsigned int number)
{
	if (memcmp(memory + number * BLOCK, stored + number * BLOCK, BLOCK) != 0)
		rox_kernel_violate("something was stored, but not by a hook");
}

void rox_kernel_check(void)
{
	unsigned int i;

	/* Those that are not lent are looked at when they are again. */
	for (i = 0; i < BLOCKS; i++)
		if (rox_kernel.block[i].lent)
			check_memory(i);
	for (i = 0; i < ROX_KERNEL_CACHES; i++)
		if (rox_kernel.caches[i].locked || rox_kernel.caches[i].growing)
			rox_kernel_violate("a lock was not dropped");
}

static struct rox_kernel_cache *around(const struct hm_rox_cache *cache)
{
	unsigned int i;

	for (i = 0; i < ROX_KERNEL_CACHES; i++)
		if (cache == &rox_kernel.caches[i].cache)
			return &rox_kernel.caches[i];
	rox_kernel_violate("this is no cache");
	return &rox_kernel.caches[0];
}

static unsigned char index_of(const struct rox_kernel_cache *kcache)
{
	return (unsigned char)(kcache - rox_kernel.caches);
}

uint64_t rox_kernel_scan(struct hm_rox_cache *cache, uint64_t blocks)
{
	uint64_t given;

	rox_kernel.scanning++;
	given = hm_rox_cache_shrink_scan(cache, blocks);
	rox_kernel.scanning--;
	return given;
}

/* ---- how hooks are entered ---- */

/* What other CPUs do here: this one waits for nothing and has no lock but that of windows, and that by which
 * it grows. */
static void meanwhile(enum rox_kernel_hook where)
{
	void (*act)(enum rox_kernel_hook) = rox_kernel.meanwhile;
	const unsigned int scanning = rox_kernel.scanning;

	if (!act)
		return;
	rox_kernel.scanning = 0;
	act(where);
	rox_kernel.scanning = scanning;
}

/* Nothing is asked of the kernel while a lock is held that others spin for. */
static void unlocked(void)
{
	unsigned int i;

	for (i = 0; i < ROX_KERNEL_CACHES; i++)
		if (rox_kernel.caches[i].locked)
			rox_kernel_violate("a hook is called with the lock");
	if (!rox_kernel.in_window && probe_opens(HM_KEY_TEXT) &&
	    hm_kpkeys_style() != HM_KEY_STYLE_NONE)
		rox_kernel_violate("a hook is called at the level of code");
}

static struct rox_kernel_cache *enter(const struct hm_rox_cache *cache, enum rox_kernel_hook hook)
{
	struct rox_kernel_cache *kcache = around(cache);

	rox_kernel.calls[hook]++;
	unlocked();
	meanwhile(hook);
	return kcache;
}

/* Whether this call has to fail; refused: it does anyway. */
static bool fails(enum rox_kernel_hook hook, bool refused)
{
	const uint64_t times = rox_kernel.fail_times ? rox_kernel.fail_times : 1;
	const uint64_t call = ++rox_kernel.fallible;
	const bool now = refused || (rox_kernel.refuse >> hook & 1) ||
			 (rox_kernel.out_of && !rox_kernel_random(rox_kernel.out_of)) ||
			 (rox_kernel.fail_at && call >= rox_kernel.fail_at &&
			  call - rox_kernel.fail_at < times);

	rox_kernel.failed += now;
	return now;
}

static int failure(void)
{
	return rox_kernel.failure == ROX_KERNEL_NO_MEMORY ? -HM_ENOMEM : -HM_EBUSY;
}

/* That block of the cache; NULL, a violation, if it is none. */
static struct rox_kernel_block *block_at(const struct rox_kernel_cache *kcache, uint64_t va,
					 uint64_t bytes)
{
	struct rox_kernel_block *block = rox_kernel_find(va);

	if (block && block->cache == index_of(kcache) && bytes && bytes <= BLOCK &&
	    va - block->va <= BLOCK - bytes)
		return block;
	rox_kernel_violate("this is not in a block of the cache");
	return NULL;
}

/* ---- hooks: memory ---- */

/* How many blocks fit between an arena's bounds. */
static uint64_t places(const struct hm_rox_cache_arena *arena, uint64_t *lowest)
{
	const uint64_t first = arena->first.val, last = arena->last.val;

	*lowest = first + (-first & (BLOCK - 1));
	if (last < first || *lowest < first || *lowest > last)
		return 0;
	return (last - *lowest) / BLOCK + ((last - *lowest) % BLOCK == BLOCK - 1);
}

static bool is_in_use(uint64_t va, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (rox_kernel_find(va + i * BLOCK))
			return true;
	return false;
}

/* An address for that many blocks anywhere in the arena. */
static bool find_place(const struct hm_rox_cache_arena *arena, unsigned int n, uint64_t *va)
{
	uint64_t lowest, count = places(arena, &lowest), start = 0, i;

	if (count < n)
		return false;
	count -= n - 1;
	if (rox_kernel.place == ROX_KERNEL_SCATTERED)
		start = rox_kernel_random(count);
	for (i = 0; i < count && i < UINT64_C(8) * BLOCKS; i++) {
		const uint64_t place = (start + i) % count;

		*va = lowest +
		      (rox_kernel.place == ROX_KERNEL_HIGHEST ? count - 1 - place : place) * BLOCK;
		if (!is_in_use(*va, n))
			return true;
	}
	return false;
}

/* Whether the cache may have them there. */
static bool is_allowed(const struct hm_rox_cache_arena *arena, uint64_t va, unsigned int n)
{
	uint64_t lowest;
	const uint64_t count = places(arena, &lowest);

	if (va % BLOCK)
		rox_kernel_violate("memory is asked for at no block's address");
	return va >= lowest && n <= count && (va - lowest) / BLOCK <= count - n &&
	       !rox_kernel.no_growth_there && !is_in_use(va, n);
}

/* Blocks that follow each other do so in memory as seldom as can be. */
static void lend(struct rox_kernel_cache *kcache, uint64_t va)
{
	unsigned int i = (unsigned int)rox_kernel_random(BLOCKS);

	while (rox_kernel.block[i].lent)
		i = (i + 1) % BLOCKS;
	memset(&rox_kernel.block[i], 0, sizeof(rox_kernel.block[i]));
	rox_kernel.block[i].lent = true;
	rox_kernel.block[i].cache = index_of(kcache);
	rox_kernel.block[i].va = va;
	check_memory(i);
	foul(i);
	rox_kernel.left--;
	kcache->lent++;
}

bool hm_port_rox_cache_memory(struct hm_rox_cache *cache, const struct hm_rox_cache_arena *arena,
			      unsigned int blocks, hm_va_t *code)
{
	struct rox_kernel_cache *kcache = enter(cache, ROX_KERNEL_MEMORY);
	unsigned int i;

	if (!kcache->growing || !blocks)
		rox_kernel_violate("memory is asked for in a wrong way");
	if (rox_kernel.scanning)
		rox_kernel_violate("memory is asked for by the shrinker");
	if (rox_kernel.windowed)
		rox_kernel_violate("memory is asked for in a window");
	if (rox_kernel.reclaim)
		rox_kernel_scan(cache, rox_kernel.reclaim);
	if (fails(ROX_KERNEL_MEMORY, false) || rox_kernel.left < blocks)
		return false;
	if (rox_kernel.wrong_place) {
		code->val = rox_kernel.wrong_place;
		if (rox_kernel.wrong_times && !--rox_kernel.wrong_times)
			rox_kernel.wrong_place = 0;
		return true;
	}
	if (code->val ? !is_allowed(arena, code->val, blocks)
		      : !find_place(arena, blocks, &code->val))
		return false;
	for (i = 0; i < blocks; i++)
		lend(kcache, code->val + i * BLOCK);
	return true;
}

void hm_port_rox_cache_give(struct hm_rox_cache *cache, hm_va_t block)
{
	struct rox_kernel_cache *kcache = enter(cache, ROX_KERNEL_GIVE);
	struct rox_kernel_block *there = block_at(kcache, block.val, BLOCK);
	unsigned int i;

	if (!there)
		return;
	if (there->executable)
		rox_kernel_violate("a block is given back that can be executed");
	for (i = 0; i < BLOCK / page_bytes(); i++)
		if (there->alias[i] != HM_ROX_CACHE_MEMORY)
			rox_kernel_violate("a block is given back whose alias is not as it came");
	check_memory(number_of(there));
	there->lent = false;
	foul(number_of(there));
	rox_kernel.left++;
	kcache->lent--;
}

hm_pte_t *hm_port_rox_cache_at(const struct hm_rox_cache *cache, hm_va_t code)
{
	const struct rox_kernel_block *block = block_at(around(cache), code.val, 1);

	return (hm_pte_t *)(void *)(memory + (block ? offset_of(block, code.val) : 0));
}

/* ---- hooks: permissions ---- */

static void check_alias(const struct rox_kernel_block *block, uint64_t first, uint64_t n,
			enum hm_rox_cache_alias what)
{
	const bool is_whole = n * page_bytes() == BLOCK,
		   has_keys = hm_kpkeys_style() != HM_KEY_STYLE_NONE;
	uint64_t i;

	if (what == HM_ROX_CACHE_OPEN && (has_keys || !rox_kernel.windowed))
		rox_kernel_violate("an alias is opened without the window");
	if (what == HM_ROX_CACHE_MEMORY && (!is_whole || block->executable))
		rox_kernel_violate("an alias is memory again while code is there");
	for (i = first; i < first + n; i++) {
		if (what == HM_ROX_CACHE_OPEN && block->alias[i] == HM_ROX_CACHE_MEMORY)
			rox_kernel_violate("an alias is opened that is memory");
		if (what == HM_ROX_CACHE_CLOSED && block->alias[i] == HM_ROX_CACHE_MEMORY &&
		    (!is_whole || block->executable))
			rox_kernel_violate("an alias is closed page by page that is memory");
		if (what == HM_ROX_CACHE_CLOSED && block->alias[i] == HM_ROX_CACHE_OPEN &&
		    !rox_kernel.windowed)
			rox_kernel_violate("an alias is closed without the window");
	}
}

int hm_port_rox_cache_alias(struct hm_rox_cache *cache, hm_va_t code, uint64_t bytes,
			    enum hm_rox_cache_alias alias)
{
	struct rox_kernel_cache *kcache = enter(cache, ROX_KERNEL_ALIAS);
	struct rox_kernel_block *block = block_at(kcache, code.val, bytes);
	const bool fail = fails(ROX_KERNEL_ALIAS, rox_kernel.refuse_alias >> alias & 1);
	uint64_t first, n = bytes / page_bytes(), i;

	if (!block)
		return -HM_EIO;
	if ((code.val | bytes) % page_bytes())
		rox_kernel_violate("an alias changes, but not by pages");
	first = (code.val - block->va) / page_bytes();
	check_alias(block, first, n, alias);
	check_memory(number_of(block));
	rox_kernel.stuck |= fail && alias == HM_ROX_CACHE_CLOSED;
	for (i = first; i < first + n; i++) {
		/* Of one page it is not known either. */
		if (fail && (rox_kernel.failure != ROX_KERNEL_HALF_WAY ||
			     (n == 1 ? rox_kernel_random(2) : i % 2 == rox_kernel.failed % 2)))
			continue;
		rox_kernel.opened += alias == HM_ROX_CACHE_OPEN;
		rox_kernel.closed += alias == HM_ROX_CACHE_CLOSED &&
				     block->alias[i] == HM_ROX_CACHE_OPEN;
		block->alias[i] = (unsigned char)alias;
	}
	return !fail ? 0 : rox_kernel.failure == ROX_KERNEL_HALF_WAY ? -HM_EIO : failure();
}

int hm_port_rox_cache_execute(struct hm_rox_cache *cache, hm_va_t block, bool executable)
{
	struct rox_kernel_cache *kcache = enter(cache, ROX_KERNEL_EXECUTE);
	struct rox_kernel_block *there = block_at(kcache, block.val, BLOCK);
	const bool fail = fails(ROX_KERNEL_EXECUTE, rox_kernel.refuse_execute >> executable & 1);
	unsigned int i;

	if (!there || fail)
		return failure();
	if (there->executable == executable)
		return 0;
	for (i = 0; i < BLOCK / page_bytes(); i++)
		if (there->alias[i] != HM_ROX_CACHE_CLOSED)
			rox_kernel_violate(
				"a block changes where it executes while its alias is writable");
	check_memory(number_of(there));
	if (!same(memory, NULL, number_of(there) * BLOCK, BLOCK))
		rox_kernel_violate("a block changes where it executes that is not traps");
	if (executable && !same(cleaned, NULL, number_of(there) * BLOCK, BLOCK))
		rox_kernel_violate("a block can be executed before its traps are visible");
	there->executable = executable;
	return 0;
}

/* ---- hooks: what is stored and fetched ---- */

bool rox_kernel_is_code(const void *address)
{
	return memory && (uintptr_t)address - (uintptr_t)memory < BLOCKS * BLOCK;
}

/* Whether that store reaches memory. */
static bool is_writable(const struct rox_kernel_block *block, uint64_t offset, bool keyed)
{
	const unsigned int style = hm_kpkeys_style();

	switch (block->alias[offset % BLOCK / page_bytes()]) {
	case HM_ROX_CACHE_MEMORY:
		return block->lent && !keyed;
	case HM_ROX_CACHE_CLOSED:
		return style == HM_KEY_STYLE_STORE
			       ? keyed
			       : style == HM_KEY_STYLE_WINDOW && !keyed && probe_opens(HM_KEY_TEXT);
	default:
		return style == HM_KEY_STYLE_NONE && !keyed && rox_kernel.windowed;
	}
}

static void store(void *address, const void *bytes, unsigned int n, bool keyed)
{
	const uint64_t offset = (uintptr_t)address - (uintptr_t)memory;
	unsigned int i;

	for (i = 0; i < ROX_KERNEL_CACHES; i++)
		if (rox_kernel.caches[i].locked)
			rox_kernel_violate("code is stored with the lock");
	if (offset >= BLOCKS * BLOCK || offset % n)
		rox_kernel_violate("a store to no alias, or misaligned");
	else if (!is_writable(&rox_kernel.block[offset / BLOCK], offset, keyed))
		rox_kernel_violate("a store to an alias that is not writable");
	if (offset >= BLOCKS * BLOCK)
		return;
	memcpy(memory + offset, bytes, n);
	memcpy(stored + offset, bytes, n);
}

void rox_kernel_store(hm_pte_t *ptep, hm_pte_t pte, bool keyed)
{
	rox_kernel.calls[ROX_KERNEL_STORE]++;
	store(ptep, &pte.val, 8, keyed);
}

void hm_port_code_patch(uint32_t *alias, uint32_t instruction)
{
	rox_kernel.calls[ROX_KERNEL_PATCH]++;
	store(alias, &instruction, 4, false);
}

void hm_port_code_clean(const hm_pte_t *alias, uint64_t bytes)
{
	const uint64_t offset = (uintptr_t)alias - (uintptr_t)memory;

	rox_kernel.calls[ROX_KERNEL_CLEAN]++;
	meanwhile(ROX_KERNEL_CLEAN);
#ifdef FOREIGN_PAGE_BYTES
	if (foreign.stored)
		rox_kernel_violate("cleaned, but keyed stores may come after it");
#endif
	if (offset % 8 || offset >= BLOCKS * BLOCK || !bytes || bytes > BLOCK - offset % BLOCK ||
	    !rox_kernel.block[offset / BLOCK].lent)
		rox_kernel_violate("what is cleaned is no alias");
	else
		memcpy(cleaned + offset, memory + offset, bytes);
}

static bool invalidate(struct rox_kernel_block *block, uint64_t offset, const unsigned char *bytes,
		       uint64_t n)
{
	(void)bytes;
	if (!block->executable)
		return false;
	memcpy(cached + offset, cleaned + offset, n);
	block->unsynchronised = true;
	return true;
}

void hm_port_code_invalidate(hm_va_t code, uint64_t bytes)
{
	rox_kernel.calls[ROX_KERNEL_INVALIDATE]++;
	meanwhile(ROX_KERNEL_INVALIDATE);
	if (!bytes || !each_piece(code.val, bytes, invalidate, NULL))
		rox_kernel_violate("what is invalidated is not executable");
}

bool hm_port_rox_cache_synchronise(struct hm_rox_cache *cache)
{
	unsigned int i;

	enter(cache, ROX_KERNEL_SYNCHRONISE)->synchronises++;
	if (rox_kernel.windowed)
		rox_kernel_violate("CPUs are waited for in a window");
	if (fails(ROX_KERNEL_SYNCHRONISE, false))
		return false;
	for (i = 0; i < BLOCKS; i++) {
		if (rox_kernel.block[i].lent && rox_kernel.block[i].unsynchronised)
			memcpy(fetched + i * BLOCK, cached + i * BLOCK, BLOCK);
		rox_kernel.block[i].unsynchronised = false;
	}
	rox_kernel.synchronised++;
	return true;
}

/* ---- hooks: memory of ranges ---- */

static bool is_poisoned(unsigned int i)
{
	const unsigned char *bytes = (const unsigned char *)&ranges[i];
	size_t j;

	for (j = 0; j < sizeof(ranges[i]) && range_of[i].used; j++)
		if (bytes[j] != POISON)
			return false;
	return true;
}

struct hm_rox_cache_range *hm_port_rox_cache_range_alloc(struct hm_rox_cache *cache)
{
	struct rox_kernel_cache *kcache = enter(cache, ROX_KERNEL_RANGE_ALLOC);
	unsigned int i = next_range, n;

	if (rox_kernel.scanning)
		rox_kernel_violate("memory of a range is asked for by the shrinker");
	if (fails(ROX_KERNEL_RANGE_ALLOC, false))
		return NULL;
	for (n = 0; n < ROX_KERNEL_RANGES && range_of[i].out; n++)
		i = (i + 1) % ROX_KERNEL_RANGES;
	if (range_of[i].out)
		return NULL;
	next_range = (i + 1) % ROX_KERNEL_RANGES;
	if (!is_poisoned(i))
		rox_kernel_violate("the memory of a range is used after it went back");
	memset(&ranges[i], FOUL, sizeof(ranges[i]));
	range_of[i].out = range_of[i].used = true;
	range_of[i].cache = index_of(kcache);
	kcache->ranges++;
	return &ranges[i];
}

void hm_port_rox_cache_range_free(struct hm_rox_cache *cache, struct hm_rox_cache_range *range)
{
	struct rox_kernel_cache *kcache = enter(cache, ROX_KERNEL_RANGE_FREE);
	const uintptr_t offset = (uintptr_t)range - (uintptr_t)ranges;
	const size_t i = offset / sizeof(*range);

	if (offset >= sizeof(ranges) || offset % sizeof(*range) || !range_of[i].out ||
	    range_of[i].cache != index_of(kcache)) {
		rox_kernel_violate("the memory of a range goes back that the cache had not");
		return;
	}
	memset(range, POISON, sizeof(*range));
	range_of[i].out = false;
	kcache->ranges--;
}

/* ---- hooks: locks ---- */

void hm_port_rox_cache_lock(struct hm_rox_cache *cache)
{
	struct rox_kernel_cache *kcache = around(cache);

	rox_kernel.calls[ROX_KERNEL_LOCK]++;
	if (kcache->locked)
		rox_kernel_violate("the lock is taken twice");
	meanwhile(ROX_KERNEL_LOCK);
	kcache->locked = true;
}

void hm_port_rox_cache_unlock(struct hm_rox_cache *cache)
{
	struct rox_kernel_cache *kcache = around(cache);

	rox_kernel.calls[ROX_KERNEL_UNLOCK]++;
	if (!kcache->locked)
		rox_kernel_violate("the lock is dropped that nobody has");
	kcache->locked = false;
	meanwhile(ROX_KERNEL_UNLOCK);
}

bool hm_port_rox_cache_grow_lock(struct hm_rox_cache *cache)
{
	struct rox_kernel_cache *kcache = enter(cache, ROX_KERNEL_GROW_LOCK);

	if (rox_kernel.scanning || rox_kernel.windowed)
		rox_kernel_violate("the lock of growth is taken where it may not");
	if (fails(ROX_KERNEL_GROW_LOCK, false) || kcache->growing)
		return false;
	kcache->growing = true;
	return true;
}

void hm_port_rox_cache_grow_unlock(struct hm_rox_cache *cache)
{
	struct rox_kernel_cache *kcache = around(cache);

	if (!kcache->growing)
		rox_kernel_violate("the lock of growth is dropped that nobody has");
	kcache->growing = false;
}

bool hm_port_rox_cache_window_lock(struct hm_rox_cache *cache)
{
	enter(cache, ROX_KERNEL_WINDOW_LOCK);
	if (hm_kpkeys_style() != HM_KEY_STYLE_NONE)
		rox_kernel_violate("the lock of windows is taken where keys are");
	if (fails(ROX_KERNEL_WINDOW_LOCK, false) || rox_kernel.windowed)
		return false;
	rox_kernel.windowed = true;
	rox_kernel.stuck = false;
	return true;
}

void hm_port_rox_cache_window_unlock(struct hm_rox_cache *cache)
{
	unsigned int i;
	uint64_t page;

	(void)around(cache);
	if (!rox_kernel.windowed)
		rox_kernel_violate("the lock of windows is dropped that nobody has");
	rox_kernel.windowed = false;
	for (i = 0; i < BLOCKS; i++)
		for (page = 0; page < BLOCK / page_bytes(); page++)
			if (rox_kernel.block[i].lent &&
			    rox_kernel.block[i].alias[page] == HM_ROX_CACHE_OPEN &&
			    !rox_kernel.stuck)
				rox_kernel_violate("a window ends, but an alias is open");
}
