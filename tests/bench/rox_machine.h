/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * rox_machine.h -- the kernel below a cache of code, on the hosted port: a linear map at BBM level 3 and
 * addresses for code, both changed by direct_map.h, whose counters and the port's say what that took.
 *
 * USE      Include it in one source file, after rox_cache.h and direct_map.h. It has the hooks of rox_cache.h
 *          that are the kernel's. machine_start(), machine_account(), machine_stop().
 *
 *          Every store to code is checked against what its alias is meanwhile. What is stored is not looked
 *          at: all blocks are the same memory. */
#ifndef BENCH_ROX_MACHINE_H
#define BENCH_ROX_MACHINE_H
#include <hardmap/direct_map.h>
#include <hardmap/rox_cache.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MACHINE_BLOCK (UINT64_C(1) << HM_PORT_ROX_CACHE_BLOCK_SHIFT)
#define MACHINE_PAGE (UINT64_C(1) << HM_PORT_ARM64_PAGE_SHIFT)
#define MACHINE_LARGEST (UINT64_C(1) << hm_port_pgtable_shift(HM_PORT_PGTABLE_BLOCK_LEVEL))
/* Addresses of no host. */
#define MACHINE_LINEAR UINT64_C(0xffff000000000000)
#define MACHINE_CODE UINT64_C(0xffff800000000000)
/* Of the linear map's first byte; aligned to what entries may be. */
#define MACHINE_MEMORY (UINT64_C(64) << 30)
#define MACHINE_NONE UINT32_MAX /* no block */
#define MACHINE_GUARD (UINT32_MAX - 1) /* nor shall there be one */

/* On whose account something is. */
enum machine_account { MACHINE_LOADS, MACHINE_UNLOADS, MACHINE_BLOCKS, MACHINE_ACCOUNTS };

struct machine_costs {
	uint64_t changes; /* of keys and permissions, of a range each */
	uint64_t invalidations; /* of ranges */
	uint64_t tlbi; /* instructions, some of which invalidate a range */
	uint64_t splits, collapses;
	uint64_t dsb, isb, dmb, gcsb, key_writes, cleaned,
		dropped; /* the latter: lines of caches, or all */
};
#define MACHINE_COSTS (sizeof(struct machine_costs) / sizeof(uint64_t))

/* Entries for single pages. */
struct machine_pages {
	uint64_t now;
	uint64_t peak; /* at any moment */
	uint64_t settled; /* at most, while nothing was being written */
};

struct machine_ranges {
	struct machine_ranges *next;
	struct hm_rox_cache_range of[512];
};

static struct machine {
	struct hm_direct_map linear, code;
	uint32_t blocks, slots; /* of memory; of addresses for code */
	uint32_t *unused; /* blocks, what was given back last at the end */
	uint32_t n_unused;
	uint32_t *at; /* the block of a slot, or MACHINE_NONE */
	uint16_t *pages; /* a block's entries for pages, in the linear map */
	int8_t *keys; /* by page of memory; negative: read-only */
	unsigned char *memory; /* where this process has the linear map */
	struct machine_pages entries;
	uint64_t taken, given; /* blocks */
	uint64_t changes;
	struct machine_costs costs[MACHINE_ACCOUNTS], before;
	enum machine_account account;
	bool open; /* something is being written */
	uint64_t synchronised;
	struct machine_ranges *ranges; /* all memory for ranges; and what of it is free */
	struct hm_rox_cache_range *free_range;
	uint64_t n_ranges; /* that are not free */
	_Alignas(4096) hm_pte_t root[HM_PORT_PGTABLE_ENTRIES];
} machine;

static _Noreturn void machine_die(const char *message)
{
	fprintf(stderr, "rox: %s\n", message);
	exit(1);
}

static void *machine_zeroed(uint64_t n, uint64_t bytes)
{
	void *memory = calloc(n ? n : 1, bytes);

	if (!memory)
		machine_die("no memory for the machine");
	return memory;
}

/* ---- what it took ---- */

static struct machine_costs machine_costs_now(void)
{
	const struct hm_direct_map_counts *linear = &machine.linear.counts;
	const struct hm_direct_map_counts *code = &machine.code.counts;
	const uint64_t *counts = hm_hosted.counts;
	const struct machine_costs now = {
		.changes = machine.changes,
		.invalidations = linear->invalidations + code->invalidations,
		.tlbi = counts[HM_INSN_TLBI_VMALLE1IS] + counts[HM_INSN_TLBI_VAAE1IS] +
			counts[HM_INSN_TLBI_VAALE1IS] + counts[HM_INSN_TLBI_RVAAE1IS] +
			counts[HM_INSN_TLBI_RVAALE1IS],
		.splits = linear->splits + code->splits,
		.collapses = linear->collapses + code->collapses,
		.dsb = counts[HM_INSN_DSB_ISHST] + counts[HM_INSN_DSB_ISH],
		.isb = counts[HM_INSN_ISB],
		.dmb = counts[HM_INSN_DMB_ISHST] + counts[HM_INSN_DMB_ISH],
		.gcsb = counts[HM_INSN_GCSB_DSYNC],
		.key_writes = counts[HM_INSN_MSR_POR_EL1],
		.cleaned = counts[HM_INSN_DC_CVAU],
		.dropped = counts[HM_INSN_IC_IVAU] + counts[HM_INSN_IC_IALLUIS],
	};

	return now;
}

/* What was done since the last call was on the account that this returns; what follows is on another. */
static inline enum machine_account machine_account(enum machine_account next)
{
	const enum machine_account last = machine.account;
	const struct machine_costs now = machine_costs_now();
	const uint64_t *is = (const uint64_t *)&now, *was = (const uint64_t *)&machine.before;
	uint64_t *costs = (uint64_t *)&machine.costs[last];
	size_t i;

	for (i = 0; i < MACHINE_COSTS; i++)
		costs[i] += is[i] - was[i];
	machine.before = now;
	machine.account = next;
	return last;
}

static int machine_count_page(const struct hm_pgtable_entry *entry, void *pages)
{
	*(unsigned int *)pages += !entry->level;
	return 0;
}

/* Entries for pages, of which there may be more or fewer now in that block. */
static void machine_count_pages(uint32_t block)
{
	const struct hm_pgtable_visitor visitor = { machine_count_page, NULL };
	const hm_va_t va = { MACHINE_LINEAR + block * MACHINE_BLOCK };
	struct machine_pages *entries = &machine.entries;
	unsigned int pages = 0;

	(void)hm_pgtable_walk(va, MACHINE_BLOCK, &visitor, &pages);
	entries->now += pages - (uint64_t)machine.pages[block];
	machine.pages[block] = (uint16_t)pages;
	if (entries->now > entries->peak)
		entries->peak = entries->now;
}

/* Nothing is being written. */
static inline void machine_settle(void)
{
	if (machine.entries.now > machine.entries.settled)
		machine.entries.settled = machine.entries.now;
}

/* ---- changes ---- */

static inline uint32_t machine_slot(uint64_t va)
{
	return (uint32_t)((va - MACHINE_CODE) / MACHINE_BLOCK);
}

/* The alias of code at that address. */
static inline hm_va_t machine_alias(uint64_t va)
{
	const uint64_t block = machine.at[machine_slot(va)];
	const hm_va_t alias = { MACHINE_LINEAR + block * MACHINE_BLOCK + va % MACHINE_BLOCK };

	return alias;
}

enum machine_change { MACHINE_KEY, MACHINE_PERMISSION };

/* Of a range within a block of the linear map; of code, if it is an address of that. */
static void machine_change(uint64_t at, uint64_t bytes, enum machine_change what,
			   unsigned int value)
{
	const bool linear = at < MACHINE_CODE;
	struct hm_direct_map *map = linear ? &machine.linear : &machine.code;
	const uint64_t before = map->counts.entries;
	const hm_va_t va = { at };
	const int error = what == MACHINE_KEY
				  ? hm_direct_map_set_pkey(map, NULL, va, bytes, value)
				  : hm_direct_map_set_permission(map, NULL, va, bytes,
								 (enum hm_permission)value);

	if (error)
		machine_die("a change of the machine's tables failed");
	machine.changes += map->counts.entries != before;
	if (!linear)
		return;
	machine_count_pages((uint32_t)((at - MACHINE_LINEAR) / MACHINE_BLOCK));
	memset(machine.keys + (at - MACHINE_LINEAR) / MACHINE_PAGE,
	       what == MACHINE_KEY         ? (int)value
	       : value == HM_PERMISSION_RO ? -1
					   : 0,
	       bytes / MACHINE_PAGE);
}

static void machine_collapse(uint64_t at, uint64_t bytes)
{
	const bool linear = at < MACHINE_CODE;
	const hm_va_t va = { at };

	if (hm_direct_map_collapse(linear ? &machine.linear : &machine.code, va, bytes))
		machine_die("a collapse of the machine's tables failed");
	if (linear)
		machine_count_pages((uint32_t)((at - MACHINE_LINEAR) / MACHINE_BLOCK));
}

/* ---- memory and addresses ---- */

/* A block, mapped where that slot is if that is to be. */
static void machine_map(uint32_t slot, uint64_t attributes)
{
	const hm_va_t va = { MACHINE_CODE + slot * MACHINE_BLOCK };
	const hm_pa_t pa = { MACHINE_MEMORY + machine.at[slot] * MACHINE_BLOCK };

	if (hm_direct_map_add(&machine.code, NULL, va, MACHINE_BLOCK,
			      hm_arm64_leaf(pa, 0, attributes)))
		machine_die("a block of code cannot be mapped");
}

static void machine_unmap(uint32_t slot)
{
	const hm_va_t va = { MACHINE_CODE + slot * MACHINE_BLOCK };

	if (hm_direct_map_remove(&machine.code, NULL, va, MACHINE_BLOCK))
		machine_die("a block of code cannot be unmapped");
}

static bool machine_is_free(uint32_t slot, uint32_t n)
{
	for (; n; n--, slot++)
		if (machine.at[slot] != MACHINE_NONE)
			return false;
	return true;
}

/* The first n free slots in a row, from that one on and before end; end if there are none. */
static uint32_t machine_find(uint32_t slot, uint32_t end, uint32_t n)
{
	for (; slot < end && end - slot >= n; slot++)
		if (machine_is_free(slot, n))
			return slot;
	return end;
}

/* Blocks for slots that are free; false if there are not so many. */
static bool machine_take(uint32_t slot, uint32_t n)
{
	if (machine.n_unused < n)
		return false;
	machine.taken += n;
	for (; n; n--)
		machine.at[slot++] = machine.unused[--machine.n_unused];
	return true;
}

static void machine_give(uint32_t slot)
{
	machine.unused[machine.n_unused++] = machine.at[slot];
	machine.at[slot] = MACHINE_NONE;
	machine.given++;
}

static inline uint32_t machine_held(void)
{
	return machine.blocks - machine.n_unused;
}

/* ---- the hooks of rox_cache.h ---- */

bool hm_port_rox_cache_memory(struct hm_rox_cache *cache, const struct hm_rox_cache_arena *arena,
			      unsigned int blocks, hm_va_t *code)
{
	const uint32_t first = machine_slot(arena->first.val + MACHINE_BLOCK - 1);
	const uint32_t end = machine_slot(arena->last.val + 1);
	uint32_t slot = machine_slot(code->val);

	(void)cache;
	if (!code->val)
		slot = machine_find(first, end, blocks);
	else if (slot < first || slot >= end || end - slot < blocks ||
		 !machine_is_free(slot, blocks))
		return false;
	if (slot == end || !machine_take(slot, blocks))
		return false;
	code->val = MACHINE_CODE + slot * MACHINE_BLOCK;
	return true;
}

void hm_port_rox_cache_give(struct hm_rox_cache *cache, hm_va_t block)
{
	(void)cache;
	machine_give(machine_slot(block.val));
}

hm_pte_t *hm_port_rox_cache_at(const struct hm_rox_cache *cache, hm_va_t code)
{
	(void)cache;
	return (hm_pte_t *)(void *)(machine.memory +
				    (machine_alias(code.val).val - MACHINE_LINEAR));
}

/* Where there are no keys: a window is closed by joining what it split. */
int hm_port_rox_cache_alias(struct hm_rox_cache *cache, hm_va_t code, uint64_t bytes,
			    enum hm_rox_cache_alias alias)
{
	const bool windowed = machine.open || alias == HM_ROX_CACHE_OPEN;
	const uint64_t at = machine_alias(code.val).val;
	const bool closed = alias == HM_ROX_CACHE_CLOSED;
	enum machine_account account = machine.account;

	(void)cache;
	if (!windowed)
		account = machine_account(MACHINE_BLOCKS);
	if (hm_kpkeys_style() == HM_KEY_STYLE_NONE)
		machine_change(at, bytes, MACHINE_PERMISSION,
			       closed ? HM_PERMISSION_RO : HM_PERMISSION_RW);
	else
		machine_change(at, bytes, MACHINE_KEY, closed ? HM_KEY_TEXT : HM_KEY_DEFAULT);
	if (alias != HM_ROX_CACHE_OPEN)
		machine_collapse(at, bytes);
	if (!windowed)
		machine_account(account);
	return 0;
}

int hm_port_rox_cache_execute(struct hm_rox_cache *cache, hm_va_t block, bool executable)
{
	const enum machine_account account = machine_account(MACHINE_BLOCKS);

	(void)cache;
	if (executable)
		machine_map(machine_slot(block.val), HM_ARM64_KERNEL_RX);
	else
		machine_unmap(machine_slot(block.val));
	machine_account(account);
	return 0;
}

bool hm_port_rox_cache_synchronise(struct hm_rox_cache *cache)
{
	(void)cache;
	machine.synchronised++;
	return true;
}

struct hm_rox_cache_range *hm_port_rox_cache_range_alloc(struct hm_rox_cache *cache)
{
	struct hm_rox_cache_range *range;

	(void)cache;
	if (!machine.free_range) {
		struct machine_ranges *ranges = machine_zeroed(1, sizeof(*ranges));
		size_t i;

		ranges->next = machine.ranges;
		machine.ranges = ranges;
		for (i = 0; i < sizeof(ranges->of) / sizeof(ranges->of[0]); i++) {
			ranges->of[i].next = machine.free_range;
			machine.free_range = &ranges->of[i];
		}
	}
	range = machine.free_range;
	machine.free_range = range->next;
	machine.n_ranges++;
	return range;
}

void hm_port_rox_cache_range_free(struct hm_rox_cache *cache, struct hm_rox_cache_range *range)
{
	(void)cache;
	range->next = machine.free_range;
	machine.free_range = range;
	machine.n_ranges--;
}

void hm_port_rox_cache_lock(struct hm_rox_cache *cache)
{
	(void)cache;
}

void hm_port_rox_cache_unlock(struct hm_rox_cache *cache)
{
	(void)cache;
}

bool hm_port_rox_cache_grow_lock(struct hm_rox_cache *cache)
{
	(void)cache;
	return true;
}

void hm_port_rox_cache_grow_unlock(struct hm_rox_cache *cache)
{
	(void)cache;
}

bool hm_port_rox_cache_window_lock(struct hm_rox_cache *cache)
{
	(void)cache;
	if (machine.open)
		return false;
	machine.open = true;
	return true;
}

void hm_port_rox_cache_window_unlock(struct hm_rox_cache *cache)
{
	(void)cache;
	machine.open = false;
}

/* ---- from boot on ---- */

/* What a store has to open. */
static int machine_key_of(const void *address)
{
	const uint64_t offset = (uintptr_t)address - (uintptr_t)machine.memory;

	if (offset >= machine.blocks * MACHINE_BLOCK)
		return HM_KEY_PGTABLES;
	return machine.keys[offset / MACHINE_PAGE];
}

/* One block of memory at the addresses of all. */
static void machine_map_memory(void)
{
	const int block = memfd_create("block", 0);
	uint32_t i;

	machine.memory = mmap(NULL, machine.blocks * MACHINE_BLOCK, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (machine.memory == MAP_FAILED || block < 0 || ftruncate(block, (off_t)MACHINE_BLOCK))
		machine_die("no addresses for the machine's memory");
	for (i = 0; i < machine.blocks; i++)
		if (mmap(machine.memory + i * MACHINE_BLOCK, MACHINE_BLOCK, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, block, 0) == MAP_FAILED)
			machine_die("no memory for the machine");
	close(block);
}

static void machine_add_memory(void)
{
	const hm_va_t start = { MACHINE_LINEAR };
	const hm_pa_t memory = { MACHINE_MEMORY };

	if (hm_direct_map_init(&machine.linear, start, machine.blocks * MACHINE_BLOCK, false) ||
	    hm_direct_map_add(&machine.linear, NULL, start, machine.blocks * MACHINE_BLOCK,
			      hm_arm64_leaf(memory, 0, HM_ARM64_KERNEL_RW)))
		machine_die("the linear map cannot be made");
}

/* That many blocks of memory, at least, and of addresses for code; keys of that style. */
static void machine_start(uint32_t blocks, uint32_t slots, unsigned int style)
{
	const uint32_t unit = (uint32_t)(MACHINE_LARGEST / MACHINE_BLOCK);
	const hm_va_t code = { MACHINE_CODE };
	uint32_t i;

	memset(&machine, 0, sizeof(machine));
	hm_hosted_reset();
	hm_hosted.root = machine.root;
	hm_hosted.has_tlbi_range = true;
	hm_hosted.key_style = style;
	if (style == HM_KEY_STYLE_WINDOW)
		hm_arm64_poe_enable();
	else if (style == HM_KEY_STYLE_STORE)
		hm_arm64_gcs_enable();
	hm_kpkeys_cpu_start();
	machine.blocks = (blocks + unit - 1) / unit * unit;
	machine.slots = slots;
	machine.unused = machine_zeroed(machine.blocks, sizeof(*machine.unused));
	machine.at = machine_zeroed(slots, sizeof(*machine.at));
	machine.pages = machine_zeroed(machine.blocks, sizeof(*machine.pages));
	while (machine.n_unused < machine.blocks) {
		machine.unused[machine.n_unused] = machine.blocks - 1 - machine.n_unused;
		machine.n_unused++;
	}
	for (i = 0; i < slots; i++)
		machine.at[i] = MACHINE_NONE;
	machine.keys = machine_zeroed(machine.blocks, MACHINE_BLOCK / MACHINE_PAGE);
	machine_map_memory();
	hm_hosted.key_of = machine_key_of;
	machine_add_memory();
	if (hm_direct_map_init(&machine.code, code, slots * MACHINE_BLOCK, false))
		machine_die("there are no addresses for code");
	machine.before = machine_costs_now();
	machine.account = MACHINE_BLOCKS;
}

/* Those that entries of a table of that level link. */
static void machine_free_tables(const hm_pte_t *table, unsigned int level)
{
	unsigned int i;

	for (i = 0; i < HM_PORT_PGTABLE_ENTRIES; i++) {
		const hm_pte_t pte = table[i];

		if (!hm_port_pte_is_valid(pte) || !hm_port_pte_is_table(pte, level))
			continue;
		machine_free_tables(hm_port_pgtable_map(hm_port_pte_table(pte)), level - 1);
		hm_port_pgtable_free(hm_port_pte_table(pte));
	}
}

/* All that was counted block by block is there; and the port has nothing to complain of. */
static void machine_stop(void)
{
	const struct hm_direct_map_statistics found = hm_direct_map_statistics(&machine.linear);

	if (found.leaves[0] != machine.entries.now)
		machine_die("entries of the linear map were miscounted");
	if (hm_hosted.bugs)
		machine_die(hm_hosted.bug);
	if (machine.n_ranges)
		machine_die("the cache has lost what it knows of ranges");
	while (machine.ranges) {
		struct machine_ranges *next = machine.ranges->next;

		free(machine.ranges);
		machine.ranges = next;
	}
	machine_free_tables(machine.root, HM_PORT_PGTABLE_LEVELS - 1);
	if (hm_hosted.tables_out)
		machine_die("tables were lost");
	free(machine.unused);
	free(machine.at);
	free(machine.pages);
	free(machine.keys);
	munmap(machine.memory, machine.blocks * MACHINE_BLOCK);
}
#endif
