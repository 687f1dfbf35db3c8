/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * rox.c -- random programs over rox_cache.h: threads on several CPUs load, write, patch, execute and free
 * code of one cache with two arenas; interrupts execute it, allocate and free too; a shrinker gives blocks
 * back, whose pages other threads use by ordinary stores. The aliases are those of a linear map, changed by
 * direct_map.h; where code executes is a region of the kernel's own tables, one of which comes and goes. The
 * decoder of program.h for them: random.c and mutants.py run it.
 *
 * What each byte of code has to be is known here, and is what every CPU executes from when its writer was
 * told so to when that one writes again or frees it. What was freed traps, or is not there. Hooks refuse at
 * random.
 *
 *	-DPLANT=...  a kernel that does something wrong; the machine has to say so
 */
#include "program.h"
#include <hardmap/direct_map.h>
#include <hardmap/rox_cache.h>
#include <string.h>

#define PLANT_NOTHING 0
#define PLANT_NO_SYNCHRONISATION 1 /* nobody is interrupted */
#define PLANT_NO_INVALIDATION 2 /* CPUs know for ever where code was */
#define PLANT_OPEN_ALIAS 3 /* one page of a block stays the kernel's */
#define PLANT_BLOCK_IN_USE 4 /* memory is lent while someone stores to it */
#ifndef PLANT
#define PLANT PLANT_NOTHING
#endif

#define THREADS 3
#define BANK 16
#define PAGES HM_MACHINE_PAGES
#define PAGE ((uint64_t)HM_MACHINE_PAGE_BYTES)
#define BLOCK (UINT64_C(1) << HM_PORT_ROX_CACHE_BLOCK_SHIFT)
#define BLOCK_PAGES ((unsigned int)(BLOCK / PAGE))
#define START UINT64_C(0xffff000000000000) /* of the linear map */
#define TOP (HM_PORT_PGTABLE_LEVELS - 1)

/* Where code executes: the near arena in the last blocks of one table, the far one in the first of the next,
 * which is there while it has blocks. The near one's bounds are none of a block. */
#define NEAR_BLOCKS 3u
#define FAR_BLOCKS 5u
#define SLOTS (NEAR_BLOCKS + FAR_BLOCKS)
#define FAR (START + hm_direct_map_bytes_(TOP) + hm_direct_map_bytes_(1))
#define NEAR (FAR - NEAR_BLOCKS * BLOCK)

/* The first bank: tables from the start, and those to come. */
enum { ROOT, REGION, TABLES, NEAR_TABLE, FIRST_TABLE };

#define CODES 4 /* of a thread */
#define TEMPORARY 2 /* and of its handlers */
#define MAX_CODE (2 * BLOCK + 4096)
#define ORDINARY 2 /* pages that a thread has for its own use */
#define RANGES 256
#define TRIES 4000 /* of what ends by chance */

enum owner { KERNEL, SPARE, TABLE, USER, CACHE, FIXED };

struct code {
	bool live; /* allocated */
	bool known; /* anyone may execute it */
	uint64_t va, bytes;
	unsigned int index; /* of its bytes */
	/* An instruction that is being replaced, and who may execute either right now. */
	bool patching;
	uint64_t patch_at;
	uint32_t before, after;
	unsigned int users;
};

/* A block's place in the region. */
struct slot {
	bool lent, executable;
	unsigned int page; /* the first one of its memory */
};

struct worker {
	unsigned int number;
	unsigned int masks; /* interrupts, how often */
	bool masked_before;
	unsigned int exceptions; /* that it is in */
	bool writes; /* in a window of its own */
	bool has_window_lock;
	struct code codes[CODES + TEMPORARY];
	unsigned int ordinary[ORDINARY];
	unsigned int ordinaries;
	uint64_t freed[4]; /* where code was */
	unsigned int locks; /* since its operation began */
};

static struct {
	const uint8_t *bytes;
	size_t left;
	unsigned int threads, running;
	struct worker workers[THREADS];
	struct hm_direct_map map;
	struct hm_rox_cache cache;
	struct hm_rox_cache_arena near, far;
	struct slot slots[SLOTS];
	struct hm_rox_cache_range ranges[RANGES];
	bool range_used[RANGES];
	bool locked, growing, mapping, windowed;
	bool calm; /* no hook refuses */
	unsigned int often; /* they do, in this program, so many times as often */
	bool keys;
	enum owner owner[PAGES];
	bool closed[PAGES]; /* nobody stores to it, and nobody is changing that */
	unsigned int users[PAGES]; /* who tries to, right now */
	hm_pa_t far_table;
	bool has_far_table;
	unsigned int tables, boot_tables; /* in use, and at the start */
	uint64_t operations;
} program;

static uint8_t expected[THREADS * (CODES + TEMPORARY)][MAX_CODE + HM_ROX_CACHE_GRANULE];

static unsigned int next_byte(void)
{
	if (!program.left)
		return 0;
	program.left--;
	return *program.bytes++;
}

static struct worker *this_worker(void)
{
	return &program.workers[hm_machine_thread_number()];
}

static hm_va_t linear(unsigned int number)
{
	const hm_va_t va = { START + (hm_machine_page(number).val - hm_machine_page(0).val) };

	return va;
}

static hm_va_t va_of(uint64_t address)
{
	const hm_va_t va = { address };

	return va;
}

static hm_pte_t *table_at(hm_pa_t table)
{
	return hm_port_pgtable_map(table);
}

/* Whether a hook refuses this time, one of n. */
static bool refuses(unsigned int n)
{
	return !program.calm && hm_machine_random(n) < program.often;
}

/* ---- the kernel around it ---- */

/* Another thread runs; who waits does that too, as there may be fewer CPUs than threads. */
static void yield(void)
{
	hm_context_switch_t away = hm_context_switch_out();

	hm_machine_switch();
	hm_context_switch_in(away);
}

static void mask(void)
{
	struct worker *self = this_worker();

	if (!self->masks++)
		self->masked_before = hm_machine_mask(true);
}

static void unmask(void)
{
	struct worker *self = this_worker();

	if (!--self->masks)
		hm_machine_mask(self->masked_before);
}

static void sleeping_lock(bool *lock)
{
	while (*lock)
		yield();
	*lock = true;
}

/* ---- ordinary memory ---- */

/* The kernel stores to a page of its own. */
static void use_ordinary(unsigned int number)
{
	if (hm_machine_access(linear(number), HM_ACCESS_WRITE) != HM_MACHINE_DONE)
		hm_machine_violation("page %u is the kernel's, which cannot write it", number);
	hm_insn_str(&hm_machine->memory[number][hm_machine_random(HM_MACHINE_ENTRIES)].val,
		    hm_machine_random(UINT32_MAX));
}

/* Someone who should not stores to code; whoever opens the alias waits meanwhile. */
static void stray_store(unsigned int number)
{
	const struct worker *self = this_worker();

	if (!program.closed[number] ||
	    (self->writes && !self->exceptions && hm_kpkeys_style() == HM_KEY_STYLE_WINDOW))
		return;
	program.users[number]++;
	hm_machine_stray(number);
	program.users[number]--;
}

static void take_ordinary(struct worker *self, unsigned int choice)
{
	unsigned int i;

	if (self->ordinaries == ORDINARY)
		return;
	for (i = 0; i < PAGES && program.owner[(choice + i) % PAGES] != KERNEL; i++)
		;
	if (i == PAGES)
		return;
	i = (choice + i) % PAGES;
	program.owner[i] = USER;
	self->ordinary[self->ordinaries++] = i;
	use_ordinary(i);
}

static void give_ordinary(struct worker *self, unsigned int choice)
{
	unsigned int i;

	if (!self->ordinaries)
		return;
	i = choice % self->ordinaries;
	use_ordinary(self->ordinary[i]);
	program.owner[self->ordinary[i]] = KERNEL;
	self->ordinary[i] = self->ordinary[--self->ordinaries];
}

/* Tables of the linear map, and of the region. */
static bool alloc_table(hm_pa_t *table)
{
	unsigned int i;

	if (refuses(40))
		return false;
	for (i = FIRST_TABLE; i < BANK && program.owner[i] != SPARE; i++)
		;
	if (i == BANK)
		return false;
	program.owner[i] = TABLE;
	program.tables++;
	*table = hm_machine_page(i);
	return true;
}

static void free_table(hm_pa_t table)
{
	const unsigned int number = hm_machine_page_number(table);

	if (hm_machine->table_level[number]) /* not of a reserve */
		hm_machine_release_table(number);
	program.owner[number] = SPARE;
	program.tables--;
}

/* ---- the region where code executes ---- */

static uint64_t address_of(unsigned int slot)
{
	return NEAR + slot * BLOCK;
}

/* SLOTS: it is in none. */
static unsigned int slot_of(uint64_t address)
{
	return address >= NEAR && address - NEAR < SLOTS * BLOCK
		       ? (unsigned int)((address - NEAR) / BLOCK)
		       : SLOTS;
}

static hm_pte_t *entries_of(unsigned int slot)
{
	const hm_pa_t table = slot < NEAR_BLOCKS ? hm_machine_page(NEAR_TABLE) : program.far_table;

	return table_at(table) + hm_port_pgtable_index(va_of(address_of(slot)), 0);
}

static hm_pte_t *link_of_far_table(void)
{
	return table_at(hm_machine_page(TABLES)) + hm_port_pgtable_index(va_of(FAR), 1);
}

static bool make_far_table(void)
{
	const hm_pte_t none = { 0 };

	if (program.has_far_table)
		return true;
	if (!alloc_table(&program.far_table))
		return false;
	program.has_far_table = true;
	hm_pte_fill(table_at(program.far_table), HM_PORT_PGTABLE_ENTRIES, none, 0);
	hm_pte_link(link_of_far_table(), hm_arm64_table(program.far_table));
	return true;
}

static void drop_far_table(void)
{
	unsigned int i;

	for (i = NEAR_BLOCKS; i < SLOTS; i++)
		if (program.slots[i].executable)
			return;
	if (!program.has_far_table || hm_machine_random(2))
		return;
	hm_pte_clear(link_of_far_table());
	hm_pgtable_invalidate(va_of(FAR), hm_direct_map_bytes_(1), HM_INVALIDATE_TABLES);
	program.has_far_table = false;
	free_table(program.far_table);
}

static bool is_live(uint64_t start, uint64_t end)
{
	unsigned int i, k;

	for (i = 0; i < program.threads; i++)
		for (k = 0; k < CODES + TEMPORARY; k++) {
			const struct code *code = &program.workers[i].codes[k];

			if (code->live && code->va < end && code->va + code->bytes > start)
				return true;
		}
	return false;
}

/* ---- hooks of the cache ---- */

static bool has_memory(unsigned int first)
{
	unsigned int i;

	for (i = first; i < first + BLOCK_PAGES; i++)
		if (program.owner[i] != KERNEL &&
		    !(PLANT == PLANT_BLOCK_IN_USE && program.owner[i] == USER))
			return false;
	return true;
}

/* Whether the machine remembers all that one more operation can do, on every thread; blocks most of all. */
static bool is_short(void)
{
	return hm_machine->version_count < HM_MACHINE_VERSIONS * 3 / 8 &&
	       hm_machine->invalidation_count < HM_MACHINE_INVALIDATIONS / 2 &&
	       hm_machine->fetch_invalidation_count < HM_MACHINE_FETCH_INVALIDATIONS / 2;
}

/* Memory for a block; PAGES: there is none. */
static unsigned int find_memory(void)
{
	const unsigned int start = hm_machine_random(PAGES / BLOCK_PAGES);
	unsigned int i, first;

	for (i = 0; i < PAGES / BLOCK_PAGES; i++) {
		first = (start + i) % (PAGES / BLOCK_PAGES) * BLOCK_PAGES;
		if (first >= BANK && has_memory(first))
			return first;
	}
	return PAGES;
}

static void lend(unsigned int slot, unsigned int page)
{
	unsigned int i;

	program.slots[slot] = (struct slot){ .lent = true, .page = page };
	for (i = page; i < page + BLOCK_PAGES; i++)
		program.owner[i] = CACHE;
}

static void take_back(unsigned int slot)
{
	unsigned int i;

	program.slots[slot].lent = false;
	for (i = 0; i < BLOCK_PAGES; i++)
		program.owner[program.slots[slot].page + i] = KERNEL;
}

static bool is_free_slot(const struct hm_rox_cache_arena *arena, unsigned int slot)
{
	return slot < SLOTS && !program.slots[slot].lent && address_of(slot) >= arena->first.val &&
	       address_of(slot) + BLOCK - 1 <= arena->last.val;
}

static bool lend_all(const struct hm_rox_cache_arena *arena, unsigned int first, unsigned int n)
{
	unsigned int i;

	for (i = first; i < first + n; i++)
		if (!is_free_slot(arena, i))
			return false;
	for (i = first; i < first + n; i++) {
		const unsigned int page = find_memory();

		if (page == PAGES)
			break;
		lend(i, page);
	}
	if (i == first + n)
		return true;
	while (i-- > first)
		take_back(i);
	return false;
}

bool hm_port_rox_cache_memory(struct hm_rox_cache *cache, const struct hm_rox_cache_arena *arena,
			      unsigned int blocks, hm_va_t *code)
{
	const unsigned int start = hm_machine_random(SLOTS);
	unsigned int i;

	if (refuses(8) || !is_short())
		return false;
	if (refuses(8))
		hm_rox_cache_shrink_scan(cache, 1 + hm_machine_random(SLOTS));
	if (code->val)
		return lend_all(arena, slot_of(code->val), blocks);
	for (i = 0; i < SLOTS; i++) {
		const unsigned int slot = (start + i) % SLOTS;

		code->val = address_of(slot);
		if (lend_all(arena, slot, blocks))
			return true;
	}
	return false;
}

void hm_port_rox_cache_give(struct hm_rox_cache *cache, hm_va_t block)
{
	const unsigned int slot = slot_of(block.val);
	unsigned int i;

	(void)cache;
	if (slot == SLOTS || !program.slots[slot].lent || program.slots[slot].executable ||
	    block.val != address_of(slot)) {
		hm_machine_violation("a block is given back that is not lent, or still executable");
		return;
	}
	for (i = 0; i < BLOCK_PAGES; i++) {
		const unsigned int page = program.slots[slot].page + i;

		if (program.closed[page])
			hm_machine_violation("page %u is given back without its alias", page);
		hm_machine_release(page, va_of(block.val + i * PAGE), PAGE);
		use_ordinary(page);
	}
	take_back(slot);
}

hm_pte_t *hm_port_rox_cache_at(const struct hm_rox_cache *cache, hm_va_t code)
{
	const unsigned int slot = slot_of(code.val);

	(void)cache;
	if (slot == SLOTS || !program.slots[slot].lent) {
		hm_machine_violation("%#llx has no alias", (unsigned long long)code.val);
		return hm_machine->memory[0];
	}
	return hm_machine->memory[program.slots[slot].page] + (code.val & (BLOCK - 1)) / 8;
}

static int change_alias(unsigned int page, unsigned int n, enum hm_rox_cache_alias alias)
{
	const hm_va_t va = linear(page);
	int error;

	if (PLANT == PLANT_OPEN_ALIAS && n == BLOCK_PAGES && alias == HM_ROX_CACHE_CLOSED)
		n--;
	if (program.keys)
		error = hm_direct_map_set_pkey(&program.map, NULL, va, n * PAGE,
					       alias == HM_ROX_CACHE_CLOSED ? HM_KEY_TEXT
									    : HM_KEY_DEFAULT);
	else
		error = hm_direct_map_set_permission(
			&program.map, NULL, va, n * PAGE,
			alias == HM_ROX_CACHE_CLOSED ? HM_PERMISSION_RO : HM_PERMISSION_RW);
	if (!error && alias != HM_ROX_CACHE_OPEN && hm_machine_random(4) &&
	    hm_direct_map_collapse(&program.map, va, n * PAGE))
		hm_machine_violation("a collapse fails");
	return error;
}

/* A page is opened only for who writes there. */
static bool is_written(struct hm_rox_cache *cache, uint64_t page)
{
	uint64_t at = page;

	while (at < page + PAGE) {
		const struct hm_rox_cache_range *range = hm_rox_find_(cache, at);

		if (!range)
			return false;
		if (range->state == HM_ROX_CACHE_CLOSING || range->state == HM_ROX_CACHE_PARKED ||
		    (range->state == HM_ROX_CACHE_WRITING && range->first < page + PAGE &&
		     range->end > page))
			return true;
		at = range->start + range->bytes;
	}
	return false;
}

int hm_port_rox_cache_alias(struct hm_rox_cache *cache, hm_va_t code, uint64_t bytes,
			    enum hm_rox_cache_alias alias)
{
	const unsigned int slot = slot_of(code.val), n = (unsigned int)(bytes / PAGE);
	const unsigned int page = program.slots[slot].page +
				  (unsigned int)((code.val & (BLOCK - 1)) / PAGE);
	const unsigned int some = refuses(24) ? (n + 1) / 2 : 0;
	unsigned int i;
	int error;

	if (slot == SLOTS || !program.slots[slot].lent || !n || n > BLOCK_PAGES ||
	    ((code.val | bytes) & (PAGE - 1)) || (code.val & (BLOCK - 1)) + bytes > BLOCK) {
		hm_machine_violation("an alias of what is no block's pages");
		return -HM_EINVAL;
	}
	if (alias == HM_ROX_CACHE_OPEN ? program.keys || !this_worker()->has_window_lock
				       : n != BLOCK_PAGES && !this_worker()->has_window_lock)
		hm_machine_violation("an alias is opened without the window's lock");
	for (i = 0; i < n && alias == HM_ROX_CACHE_OPEN; i++)
		if (!is_written(cache, code.val + i * PAGE))
			hm_machine_violation("a page is opened that nobody writes");
	if (alias == HM_ROX_CACHE_MEMORY && program.slots[slot].executable)
		hm_machine_violation("memory that can be executed is the kernel's");
	if (this_worker()->exceptions || refuses(alias == HM_ROX_CACHE_CLOSED ? 8 : 16))
		return -HM_EBUSY;
	for (i = page; i < page + n && alias != HM_ROX_CACHE_CLOSED; i++) {
		program.closed[i] = false;
		while (program.users[i])
			yield();
	}
	sleeping_lock(&program.mapping);
	error = change_alias(page, some ? some : n, alias);
	program.mapping = false;
	if (!error && some)
		return -HM_EIO;
	for (i = page; i < page + n && !error && alias == HM_ROX_CACHE_CLOSED; i++)
		program.closed[i] = true;
	return error;
}

static void invalidate_block(hm_va_t block)
{
	if (PLANT != PLANT_NO_INVALIDATION)
		hm_pgtable_invalidate(block, BLOCK, HM_INVALIDATE_LEAVES);
}

int hm_port_rox_cache_execute(struct hm_rox_cache *cache, hm_va_t block, bool executable)
{
	const unsigned int slot = slot_of(block.val);
	unsigned int i;
	int error = 0;

	(void)cache;
	if (slot == SLOTS || !program.slots[slot].lent || block.val != address_of(slot)) {
		hm_machine_violation("what is to execute is no block");
		return -HM_EINVAL;
	}
	if (is_live(block.val, block.val + BLOCK))
		hm_machine_violation("a block changes while code lives in it");
	for (i = 0; i < BLOCK_PAGES && executable; i++)
		if (!program.closed[program.slots[slot].page + i])
			hm_machine_violation("what is to execute can be written");
	if (this_worker()->exceptions || refuses(16))
		return -HM_EBUSY;
	sleeping_lock(&program.mapping);
	if (executable && slot >= NEAR_BLOCKS && !make_far_table()) {
		error = -HM_ENOMEM;
	} else if (executable) {
		program.slots[slot].executable = true;
		hm_pte_set_range(entries_of(slot), BLOCK_PAGES,
				 hm_arm64_leaf(hm_machine_page(program.slots[slot].page), 0,
					       HM_ARM64_KERNEL_RX),
				 PAGE);
	} else if (program.slots[slot].executable) {
		hm_pte_clear_range(entries_of(slot), BLOCK_PAGES);
		invalidate_block(block);
		program.slots[slot].executable = false;
		drop_far_table();
	}
	hm_lazy_mmu_flush(); /* from here on, in a section too */
	program.mapping = false;
	return error;
}

/* Every CPU is interrupted. */
bool hm_port_rox_cache_synchronise(struct hm_rox_cache *cache)
{
	struct worker *self = this_worker();
	unsigned int i;

	(void)cache;
	if (program.locked && self->masks)
		hm_machine_violation("CPUs are waited for with the lock");
	if (self->exceptions || refuses(16))
		return false;
	if (PLANT == PLANT_NO_SYNCHRONISATION)
		return true;
	for (i = 0; i < hm_machine->config.cpus; i++)
		hm_machine_signal(i);
	for (i = 0; i < hm_machine->config.cpus; i++)
		while (hm_machine_is_signalled(i)) {
			hm_machine_point();
			if (!hm_machine_random(8))
				yield();
		}
	return true;
}

struct hm_rox_cache_range *hm_port_rox_cache_range_alloc(struct hm_rox_cache *cache)
{
	unsigned int i;

	(void)cache;
	if (program.locked && this_worker()->masks)
		hm_machine_violation("memory is asked for with the lock");
	for (i = 0; i < RANGES && program.range_used[i]; i++)
		;
	if (i == RANGES || refuses(24))
		return NULL;
	program.range_used[i] = true;
	memset(&program.ranges[i], 0xa5, sizeof(program.ranges[i]));
	return &program.ranges[i];
}

void hm_port_rox_cache_range_free(struct hm_rox_cache *cache, struct hm_rox_cache_range *range)
{
	const unsigned int i = (unsigned int)(range - program.ranges);

	(void)cache;
	if (i >= RANGES || !program.range_used[i])
		hm_machine_violation("a range is freed twice");
	else
		program.range_used[i] = false;
	memset(range, 0x5a, sizeof(*range));
}

void hm_port_rox_cache_lock(struct hm_rox_cache *cache)
{
	(void)cache;
	if (++this_worker()->locks > 100 * TRIES)
		hm_machine_violation("an operation of the cache does not end");
	mask();
	while (program.locked)
		hm_machine_pass();
	program.locked = true;
	hm_machine_pass();
}

/* No step: what is done when the lock is dropped is so when this has returned. */
void hm_port_rox_cache_unlock(struct hm_rox_cache *cache)
{
	(void)cache;
	if (!program.locked)
		hm_machine_violation("a lock is dropped that nobody has");
	program.locked = false;
	unmask();
}

bool hm_port_rox_cache_grow_lock(struct hm_rox_cache *cache)
{
	(void)cache;
	if (this_worker()->exceptions)
		hm_machine_violation("a handler grows");
	if (program.growing && !program.calm && hm_machine_random(2))
		return false;
	sleeping_lock(&program.growing);
	return true;
}

void hm_port_rox_cache_grow_unlock(struct hm_rox_cache *cache)
{
	(void)cache;
	program.growing = false;
}

bool hm_port_rox_cache_window_lock(struct hm_rox_cache *cache)
{
	struct worker *self = this_worker();

	(void)cache;
	if (program.keys)
		hm_machine_violation("a window's lock where there are keys");
	if (self->exceptions || self->has_window_lock || refuses(16))
		return false;
	sleeping_lock(&program.windowed);
	self->has_window_lock = true;
	return true;
}

/* Whatever is open now is to be closed by who comes next. */
void hm_port_rox_cache_window_unlock(struct hm_rox_cache *cache)
{
	unsigned int i, k;

	for (i = 0; i < SLOTS; i++)
		for (k = 0; k < BLOCK_PAGES && program.slots[i].executable; k++) {
			const uint64_t at = address_of(i) + k * PAGE;

			if (!program.closed[program.slots[i].page + k] &&
			    (at + PAGE <= cache->unsealed || at >= cache->unsealed_end))
				hm_machine_violation("page %u stays open, and nobody knows",
						     program.slots[i].page + k);
		}
	if (!this_worker()->has_window_lock)
		hm_machine_violation("a window's lock is dropped that nobody has");
	this_worker()->has_window_lock = false;
	program.windowed = false;
}

/* ---- code, as it has to be ---- */

static uint32_t word_at(const uint8_t *bytes)
{
	uint32_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

static uint32_t trap_at(uint64_t address)
{
	return (uint32_t)(HM_PORT_ROX_CACHE_TRAP >> 8 * (address & 4));
}

/* Some that may be replaced while they are executed, and others. */
static uint32_t some_instruction(bool replaceable)
{
	switch (hm_machine_random(replaceable ? 3 : 4)) {
	case 0:
		return UINT32_C(0xd503201f); /* NOP */
	case 1:
		return UINT32_C(0x14000000) | hm_machine_random(1u << 26); /* B */
	case 2:
		return UINT32_C(0x94000000) | hm_machine_random(1u << 26); /* BL */
	default:
		return UINT32_C(0x91000000) | hm_machine_random(1u << 22); /* ADD */
	}
}

static bool is_replaceable(uint32_t instruction)
{
	return instruction == UINT32_C(0xd503201f) ||
	       (instruction & UINT32_C(0x7c000000)) == UINT32_C(0x14000000);
}

static uint64_t granules(uint64_t bytes)
{
	return (bytes + HM_ROX_CACHE_GRANULE - 1) & ~(uint64_t)(HM_ROX_CACHE_GRANULE - 1);
}

static struct code *new_code(struct worker *self, bool handler)
{
	unsigned int i = handler ? CODES : 0;
	const unsigned int end = handler ? CODES + TEMPORARY : CODES;

	for (; i < end; i++)
		if (!self->codes[i].live)
			return &self->codes[i];
	return NULL;
}

/* One of a thread's that lives; NULL: it has none. */
static struct code *some_code(struct worker *owner, unsigned int choice)
{
	unsigned int i;

	for (i = 0; i < CODES; i++)
		if (owner->codes[(choice + i) % CODES].live)
			return &owner->codes[(choice + i) % CODES];
	return NULL;
}

/* An instruction of it, at this moment: the first ones, the last, at a block's end, or any. */
static uint64_t some_place(const struct code *code)
{
	const uint64_t bytes = granules(code->bytes);
	const uint64_t edge = (BLOCK - (code->va & (BLOCK - 1))) & (BLOCK - 1);
	uint64_t at = hm_machine_random((unsigned int)bytes);

	switch (hm_machine_random(4)) {
	case 0:
		at = hm_machine_random(16);
		break;
	case 1:
		at = bytes - 1 - hm_machine_random(64);
		break;
	case 2:
		at = edge + hm_machine_random(16) - 8;
		break;
	default:
		break;
	}
	return (at < bytes ? at : 0) & ~UINT64_C(3);
}

/* What this CPU executes there now: nothing goes on between the look at what is expected and that. */
static void execute_code(struct code *code)
{
	uint64_t at;
	uint32_t before, after, found;

	hm_machine_point();
	if (!code->live || !code->known)
		return;
	at = code->patching && hm_machine_random(2) ? code->patch_at : some_place(code);
	if (!code->patching || at != code->patch_at) {
		if (hm_machine_fetch_now(va_of(code->va + at),
					 word_at(expected[code->index] + at)) != HM_MACHINE_DONE)
			hm_machine_violation("code cannot be executed");
		return;
	}
	before = code->before;
	after = code->after;
	code->users++; /* who replaces it by a third waits */
	if (hm_machine_fetch_try(va_of(code->va + at), &found) != HM_MACHINE_DONE)
		hm_machine_violation("code cannot be executed");
	else if (found != before && found != after)
		hm_machine_violation("%#x is neither the old instruction nor the new one", found);
	code->users--;
}

/* A gap's address, at this moment, traps; what is no block's is not there. */
static void execute_free(uint64_t address)
{
	const struct hm_rox_cache_range *range;
	const unsigned int slot = slot_of(address);

	hm_machine_point();
	if (slot == SLOTS)
		return;
	range = hm_rox_find_(&program.cache, address);
	if (range && range->state == HM_ROX_CACHE_FREE &&
	    hm_machine_fetch_now(va_of(address), trap_at(address)) != HM_MACHINE_DONE)
		hm_machine_violation("a gap that is not there");
}

static void execute_some(struct worker *self, unsigned int choice)
{
	struct code *code = some_code(&program.workers[choice % program.threads], choice >> 2);

	if (choice & 128 || !code)
		execute_free(choice & 64 ? self->freed[choice & 3]
					 : address_of(choice % SLOTS) +
						   hm_machine_random((unsigned int)BLOCK / 4) * 4);
	else
		execute_code(code);
}

/* Nobody is about to execute an instruction that was replaced. */
static void wait_for_users(const struct code *code)
{
	while (code->users)
		yield();
}

/* What was allocated is nobody else's, lies within an arena, and traps. */
static void check_allocated(struct code *code, uint64_t alignment, bool near)
{
	const uint64_t end = code->va + granules(code->bytes);
	const unsigned int first = slot_of(code->va), last = slot_of(end - 1);
	unsigned int i;

	if (first == SLOTS || last == SLOTS || (!near && first < NEAR_BLOCKS) ||
	    (first < NEAR_BLOCKS) != (last < NEAR_BLOCKS)) {
		hm_machine_violation("code is outside of its arena");
		return;
	}
	for (i = first; i <= last; i++)
		if (!program.slots[i].executable)
			hm_machine_violation("code is where no block is");
	if (code->va & (alignment - 1) || code->va & (HM_ROX_CACHE_GRANULE - 1))
		hm_machine_violation("code is not aligned");
	if (is_live(code->va, end))
		hm_machine_violation("code is allocated twice");
	for (i = 0; i < granules(code->bytes); i += 4) {
		const uint32_t trap = trap_at(code->va + i);

		memcpy(expected[code->index] + i, &trap, sizeof(trap));
	}
}

static uint64_t some_size(unsigned int choice)
{
	switch (choice % 16) {
	case 0:
	case 1:
		return BLOCK + 1 + hm_machine_random(3000);
	case 2:
		return 2 * BLOCK - hm_machine_random(130);
	case 3:
		return BLOCK - HM_ROX_CACHE_GRANULE * (uint64_t)hm_machine_random(3);
	case 4:
		return 1 + hm_machine_random((unsigned int)BLOCK);
	case 5:
	case 6:
		return 1 + hm_machine_random(HM_ROX_CACHE_GRANULE);
	default:
		return 1 + hm_machine_random(700);
	}
}

static uint64_t some_alignment(void)
{
	const unsigned int n = hm_machine_random(8);

	if (n == 7)
		return BLOCK;
	return n < 3 ? 1u << n : n == 3 ? 1024 : UINT64_C(32) << (n - 3);
}

static struct code *allocate(struct worker *self, unsigned int choice, bool handler)
{
	const uint64_t alignment = some_alignment();
	struct hm_rox_cache_arena *arena = choice & 1 ? &program.near : &program.far;
	struct code *code = new_code(self, handler);
	struct code made = { .live = false };
	hm_va_t va = { 0 };
	int error;

	if (!code)
		return NULL;
	made.index = (unsigned int)(self->number * (CODES + TEMPORARY) +
				    (unsigned int)(code - self->codes));
	made.bytes = handler ? 1 + choice : some_size(choice >> 1);
	error = hm_rox_cache_alloc(&program.cache, arena, made.bytes, alignment,
				   handler || choice & 64 ? 0 : HM_ROX_CACHE_MAY_SLEEP, &va);
	if (error && error != -HM_ENOMEM)
		hm_machine_violation("an allocation answers %d", error);
	if (error)
		return NULL;
	made.va = va.val;
	check_allocated(&made, alignment, choice & 1);
	made.live = made.known = true;
	*code = made;
	return code;
}

static void free_code(struct worker *self, struct code *code)
{
	const uint64_t at = code->va + some_place(code);
	const struct hm_rox_cache_range *range;
	int error;

	code->known = false;
	wait_for_users(code);
	code->live = false; /* somebody else has it before this returns, perhaps */
	error = hm_rox_cache_free(&program.cache, va_of(code->va));
	if (error) {
		hm_machine_violation("a free answers %d", error);
		return;
	}
	range = hm_rox_find_(&program.cache, at);
	if (range && range->state == HM_ROX_CACHE_FREE &&
	    hm_machine_fetch_now(va_of(at), trap_at(at)) != HM_MACHINE_DONE)
		hm_machine_violation("a gap that is not there");
	self->freed[hm_machine_random(4)] = at;
}

static void some_bytes(uint8_t *to, unsigned int bytes)
{
	unsigned int i;

	for (i = 0; i < bytes; i++)
		to[i] = (uint8_t)hm_machine_random(256);
}

/* Instructions where that is what the place is for. */
static void some_text(uint8_t *to, uint64_t at, unsigned int bytes)
{
	unsigned int i;

	some_bytes(to, bytes);
	for (i = (unsigned int)(0 - at) & 3; i + 4 <= bytes; i += 4) {
		const uint32_t instruction = some_instruction(hm_machine_random(2));

		memcpy(to + i, &instruction, sizeof(instruction));
	}
}

#define MAX_COPY 600

static void copy(struct code *code, hm_rox_cache_writer_t writer, uint64_t first, uint64_t end)
{
	static uint8_t text[THREADS][MAX_COPY];
	uint8_t *from = text[this_worker()->number];
	unsigned int bytes = hm_machine_random(4) ? 1 + hm_machine_random(40)
						  : 1 + hm_machine_random(MAX_COPY);
	uint64_t at = first + hm_machine_random((unsigned int)(end - first));

	if (!hm_machine_random(4)) {
		bytes = 4;
		at &= ~UINT64_C(3);
	}
	if (at < first)
		at = first;
	if (bytes > end - at)
		bytes = (unsigned int)(end - at);
	some_text(from, at, bytes);
	if (hm_rox_cache_copy(&program.cache, writer, va_of(code->va + at), from, bytes))
		hm_machine_violation("a copy is refused");
	memcpy(expected[code->index] + at, from, bytes);
}

/* It can be ended, by and by. */
static void end_writing(struct worker *self, hm_rox_cache_writer_t writer)
{
	unsigned int tries = 0, i;
	int error;

	while ((error = hm_rox_cache_write_end(&program.cache, writer))) {
		self->writes = false;
		if (error != -HM_EBUSY || ++tries > TRIES)
			hm_machine_violation("the end of a window answers %d", error);
		for (i = hm_machine_random(16); i; i--) /* others open theirs */
			yield();
	}
	self->writes = false;
}

static void write_code(struct worker *self, struct code *code, unsigned int choice)
{
	const uint64_t edge = (BLOCK - (code->va & (BLOCK - 1))) & (BLOCK - 1);
	hm_rox_cache_writer_t writer, other;
	uint64_t first = hm_machine_random((unsigned int)code->bytes);
	uint64_t end;
	unsigned int i;
	int error;

	if (edge >= 50 && edge < code->bytes && (choice & 3))
		first = edge - 1 - hm_machine_random(50);
	end = first + 1 + hm_machine_random((unsigned int)(code->bytes - first));
	if (!(choice & 2) && end > first + 200)
		end = first + 200;
	if (!hm_machine_random(4) && ((code->va + end) & -PAGE) > code->va + first)
		end = ((code->va + end) & -PAGE) - code->va;
	code->known = false;
	wait_for_users(code);
	error = hm_rox_cache_write_begin(&program.cache, va_of(code->va + first), end - first,
					 &writer);
	if (error) {
		if (error != -HM_EBUSY || program.keys)
			hm_machine_violation("the beginning of a window answers %d", error);
		code->known = true;
		return;
	}
	self->writes = true;
	if (hm_rox_cache_free(&program.cache, va_of(code->va)) != -HM_EBUSY)
		hm_machine_violation("code is freed while it is written");
	if (hm_rox_cache_write_begin(&program.cache, va_of(code->va), 1, &other) != -HM_EBUSY)
		hm_machine_violation("code is written twice at once");
	for (i = 0; i < 1 + (choice >> 2 & 3); i++) {
		copy(code, writer, first, end);
		if (choice & 16)
			yield();
	}
	end_writing(self, writer);
	code->known = true;
	execute_code(code);
}

/* An instruction is replaced while others execute it. */
static void patch_code(struct code *code)
{
	const uint64_t at = some_place(code);
	uint8_t *bytes = expected[code->index] + at;
	unsigned int tries = 0;
	int error;

	if (at + 4 > code->bytes ||
	    !(is_replaceable(word_at(bytes)) || word_at(bytes) == trap_at(code->va + at)))
		return;
	wait_for_users(code);
	code->before = word_at(bytes);
	code->after = some_instruction(true);
	code->patch_at = at;
	code->patching = true;
	while ((error = hm_rox_cache_patch(&program.cache, va_of(code->va + at), code->after))) {
		if (error != -HM_EBUSY || ++tries > TRIES)
			hm_machine_violation("a patch answers %d", error);
		yield();
	}
	memcpy(bytes, &code->after, sizeof(code->after));
	code->patching = false;
	execute_code(code);
}

/* What depends on the address: its first instruction, where there is one. */
static int relocate(struct hm_rox_cache *cache, hm_rox_cache_writer_t writer, hm_va_t code,
		    void *argument)
{
	uint32_t *instruction = argument;

	this_worker()->writes = true;
	*instruction = some_instruction(false);
	if (hm_rox_cache_copy(cache, writer, code, instruction, sizeof(*instruction)))
		hm_machine_violation("a copy is refused");
	this_worker()->writes = false;
	return hm_machine_random(4) ? 0 : -1000;
}

static void load_code(struct worker *self, unsigned int choice)
{
	static uint8_t text[THREADS][MAX_COPY];
	uint8_t *from = text[self->number];
	struct code *code = new_code(self, false), made = { .live = false };
	uint32_t first = 0;
	hm_va_t va = { 0 };
	int error;

	if (!code)
		return;
	made.index = (unsigned int)(self->number * (CODES + TEMPORARY) +
				    (unsigned int)(code - self->codes));
	made.bytes = 4 + hm_machine_random(MAX_COPY - 4);
	some_text(from, 0, (unsigned int)made.bytes);
	error = hm_rox_cache_load(&program.cache, choice & 1 ? &program.near : &program.far, from,
				  made.bytes, HM_ROX_CACHE_GRANULE,
				  choice & 2 ? HM_ROX_CACHE_MAY_SLEEP : 0,
				  choice & 4 ? relocate : NULL, &first, &va);
	if (error) {
		if (error != -HM_ENOMEM && error != -HM_EBUSY && (error != -1000 || !(choice & 4)))
			hm_machine_violation("a load answers %d", error);
		return;
	}
	made.va = va.val;
	check_allocated(&made, 1, choice & 1);
	memcpy(expected[made.index], from, made.bytes);
	if (choice & 4)
		memcpy(expected[made.index], &first, sizeof(first));
	made.live = made.known = true;
	*code = made;
	execute_code(code);
}

/* ---- operations ---- */

static void collapse(void)
{
	sleeping_lock(&program.mapping);
	if (hm_direct_map_collapse(&program.map, program.map.start, program.map.bytes))
		hm_machine_violation("a collapse fails");
	program.mapping = false;
}

static void shrink(unsigned int choice)
{
	uint64_t count;

	switch (choice % 4) {
	case 0:
		count = hm_rox_cache_shrink_count(&program.cache);
		if (hm_rox_cache_shrink_scan(&program.cache, count) > count && program.threads == 1)
			hm_machine_violation("a scan gives more than it was asked for");
		break;
	case 1:
		hm_rox_cache_shrink_scan(&program.cache, choice >> 2);
		break;
	case 2:
		hm_rox_cache_trim(&program.cache);
		break;
	default:
		hm_rox_cache_retry(&program.cache);
	}
}

static void check_line(const char *line, void *argument)
{
	(void)argument;
	if (strlen(line) != 16 + 1 + 8 + 1 + 64)
		hm_machine_violation("a line of the drawing is no line");
}

static void look(void)
{
	struct hm_rox_cache_statistics statistics;
	uint64_t code = 0, ranges = 0, blocks = 0;
	unsigned int i;

	hm_rox_cache_statistics(&program.cache, &statistics);
	for (i = 0; i < RANGES; i++)
		ranges += program.range_used[i];
	for (i = 0; i < SLOTS; i++)
		blocks += program.slots[i].lent;
	for (i = 0; i < program.threads * (CODES + TEMPORARY); i++) {
		const struct code *each =
			&program.workers[i / (CODES + TEMPORARY)].codes[i % (CODES + TEMPORARY)];

		code += each->live ? granules(each->bytes) : 0;
	}
	if (statistics.live_bytes < code || statistics.blocks + statistics.held_blocks > blocks ||
	    statistics.free_bytes + statistics.live_bytes + statistics.parked_bytes !=
		    statistics.blocks * BLOCK ||
	    statistics.live + statistics.gaps + statistics.parked_ranges + statistics.held_blocks +
			    2 * statistics.blocks >
		    ranges)
		hm_machine_violation("the statistics say something else");
	hm_rox_cache_print(&program.cache, check_line, NULL);
}

/* Beside the writes of a thread, and in handlers: whatever is not to be written. */
static void use_memory(struct worker *self, unsigned int choice)
{
	stray_store(choice % PAGES);
	if (choice % ORDINARY < self->ordinaries)
		use_ordinary(self->ordinary[choice % ORDINARY]);
}

static void interrupt(struct worker *self)
{
	struct code *code;

	self->exceptions++;
	use_memory(self, hm_machine_random(256));
	execute_some(self, hm_machine_random(256));
	if (!program.calm && !hm_machine_random(8) && self->exceptions == 1) {
		code = allocate(self, hm_machine_random(256) & ~64u, true);
		if (code && hm_machine_random(2))
			yield();
		if (code)
			free_code(self, code);
	} else if (!hm_machine_random(4)) { /* preempted */
		yield();
	}
	self->exceptions--;
}

static void vector(void)
{
	hm_context_exception_t interrupted = hm_context_exception_push();

	interrupt(this_worker());
	hm_context_exception_pop(interrupted);
}

static void operate(struct worker *self);

static void operate_in_section(struct worker *self)
{
	hm_lazy_mmu_token_t section = hm_lazy_mmu_enter();

	operate(self);
	hm_lazy_mmu_leave(section);
}

static void operate(struct worker *self)
{
	const unsigned int byte = next_byte(), choice = next_byte();
	struct code *code = some_code(self, choice);

	program.operations++;
	self->locks = 0;
	switch (byte % 20) {
	case 0:
	case 1:
	case 2:
		allocate(self, choice, false);
		break;
	case 3:
	case 4:
		load_code(self, choice);
		break;
	case 5:
	case 6:
	case 7:
	case 8:
		if (code)
			write_code(self, code, choice >> 3);
		break;
	case 9:
	case 10:
		if (code)
			patch_code(code);
		break;
	case 11:
	case 12:
	case 13:
		if (code)
			free_code(self, code);
		break;
	case 14:
		shrink(choice);
		break;
	case 15:
		if (choice & 1)
			take_ordinary(self, choice);
		else
			give_ordinary(self, choice);
		break;
	case 16:
		if (choice & 3)
			look();
		else
			collapse();
		break;
	case 17:
		if (choice & 3)
			use_memory(self, choice);
		else
			operate_in_section(self);
		break;
	default:
		use_memory(self, choice);
	}
	execute_some(self, choice);
	execute_some(self, hm_machine_random(256));
	stray_store(hm_machine_random(PAGES));
}

/* Nothing is left: all memory is the kernel's, and as it was. */
static void check_end(void)
{
	unsigned int i;

	if (hm_rox_cache_destroy(&program.cache))
		hm_machine_violation("an empty cache is not destroyed");
	for (i = 0; i < SLOTS; i++)
		if (program.slots[i].lent)
			hm_machine_violation("a block was not given back");
	for (i = 0; i < RANGES; i++)
		if (program.range_used[i])
			hm_machine_violation("a range was not given back");
	for (i = BANK; i < PAGES; i++)
		use_ordinary(i);
	sleeping_lock(&program.mapping);
	while (program.has_far_table)
		drop_far_table();
	program.mapping = false;
	collapse();
	if (program.tables != program.boot_tables)
		hm_machine_violation("the linear map is split");
}

static void body(void *argument)
{
	struct worker *self = argument;
	struct code *code;
	unsigned int tries = 0;

	while (program.left && is_short())
		operate(self);
	while ((code = some_code(self, 0)))
		free_code(self, code);
	while (self->ordinaries)
		give_ordinary(self, 0);
	hm_context_assert_idle();
	if (--program.running)
		return;
	program.calm = true;
	while (hm_rox_cache_retry(&program.cache))
		if (++tries > TRIES)
			hm_machine_violation("something waits for ever");
	check_end();
}

/* ---- the beginning ---- */

static void start_cpu(void)
{
	if (hm_kpkeys_style() == HM_KEY_STYLE_STORE)
		hm_arm64_gcs_enable();
	else
		hm_arm64_poe_enable();
	hm_kpkeys_cpu_start();
}

/* The linear map, of the largest blocks but for the first bank, which has all tables; and the region. */
static void make_map(void)
{
	const uint64_t bytes = PAGES / BANK * hm_direct_map_bytes_(HM_PORT_PGTABLE_BLOCK_LEVEL);
	const hm_va_t start = { START };
	unsigned int above = ROOT, i;

	for (i = 0; i < BANK; i++)
		program.owner[i] = i < FIRST_TABLE ? TABLE : SPARE;
	hm_machine_set_root(ROOT);
	if (hm_direct_map_init(&program.map, start, bytes, false) ||
	    hm_direct_map_add(&program.map, NULL, start, bytes,
			      hm_arm64_leaf(hm_machine_page(0), 0, HM_ARM64_KERNEL_RW)) ||
	    (program.keys &&
	     hm_direct_map_set_pkey(&program.map, NULL, start, BANK * PAGE, HM_KEY_PGTABLES)))
		hm_machine_violation("no map");
	if (TOP > 2) {
		hm_pte_link(table_at(hm_machine_page(ROOT)) +
				    hm_port_pgtable_index(va_of(NEAR), TOP),
			    hm_arm64_table(hm_machine_page(REGION)));
		above = REGION;
	}
	hm_pte_link(table_at(hm_machine_page(above)) + hm_port_pgtable_index(va_of(NEAR), 2),
		    hm_arm64_table(hm_machine_page(TABLES)));
	hm_pte_link(table_at(hm_machine_page(TABLES)) + hm_port_pgtable_index(va_of(NEAR), 1),
		    hm_arm64_table(hm_machine_page(NEAR_TABLE)));
}

static void make_cache(void)
{
	const uint64_t spare = HM_ROX_CACHE_GRANULE;

	if (hm_rox_cache_add(&program.cache, &program.far, "far", va_of(FAR),
			     va_of(FAR + FAR_BLOCKS * BLOCK - 1), NULL) ||
	    hm_rox_cache_add(&program.cache, &program.near, "near", va_of(NEAR - spare),
			     va_of(FAR + spare), &program.far))
		hm_machine_violation("no arenas");
}

struct program_result program_run(struct hm_machine *machine, const uint8_t *bytes, size_t size)
{
	static const unsigned int data_lines[8] = { 0, 0, 0, 0, 0, 32, 128, 128 };
	static const unsigned int fetch_lines[8] = { 0, 0, 0, 0, 0, 8, 128, 32 };
	static const unsigned int often[4] = { 0, 1, 4, 6 };
	struct hm_machine_config config = { .vector = vector,
					    .bbm_level = 3,
					    .bank = BANK,
					    .alloc_table = alloc_table,
					    .free_table = free_table };
	struct program_result result;
	unsigned int i, choice;

	memset(&program, 0, sizeof(program));
	program.bytes = bytes;
	program.left = size;
	config.cpus = 2 + next_byte() % 2;
	program.threads = program.running = 2 + next_byte() % (THREADS - 1);
	config.has_tlbi_range = next_byte() & 1;
	config.interleave = 1 + next_byte() / 8;
	config.interrupt = next_byte() / 64;
	choice = next_byte();
	config.idc = !(choice & 7);
	config.dic = !(choice & 56);
	config.data_line = data_lines[choice & 7];
	config.fetch_line = fetch_lines[choice >> 3 & 7];
	choice = next_byte();
	program.often = often[choice / 3 % 4];
	for (i = 0; i < 4; i++)
		config.seed = config.seed << 8 | next_byte();
	if (HM_MACHINE_KEYS && choice % 3) {
		config.key_style = choice % 3 == 2 ? HM_KEY_STYLE_STORE : HM_KEY_STYLE_WINDOW;
		config.start = start_cpu;
	}
	hm_machine_start(machine, &config);
	program.keys = config.start;
	program.calm = true;
	if (config.start)
		config.start(); /* the boot CPU, which sets up the tables */
	make_map();
	hm_machine_settle();
	hm_machine_set_linear(START);
	make_cache();
	program.boot_tables = program.tables;
	program.calm = false;
	/* What is not to be had, at any time. */
	for (i = hm_machine_random(16); i < 10; i++)
		program.owner[BANK + (i * BLOCK_PAGES) % (PAGES - BANK)] = FIXED;
	for (i = 0; i < program.threads; i++) {
		program.workers[i].number = i;
		hm_machine_thread(body, &program.workers[i]);
	}
	hm_machine_run();
	if (!machine->violation[0] && machine->bugs)
		hm_machine_violation("HM_BUG");
	result.events = machine->now;
	result.operations = program.operations;
	result.accesses = machine->accesses;
	result.interrupts = machine->interrupts;
	result.migrations = machine->migrations;
	return result;
}
