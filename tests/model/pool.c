/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * pool.c -- random programs over pgtable_pool.h: threads on several CPUs take page tables from one pool, fill
 * and link them, walk by them, unlink, invalidate and free them; interrupts do that too; a shrinker gives
 * blocks back, and other threads use what the kernel has again by ordinary stores. The keys of blocks are
 * those of a linear map, changed by direct_map.h, whose tables come from the pool. Metadata are locked: each
 * store of the pool is judged by that map. The decoder of program.h for them: random.c, fuzz.c and mutants.py
 * run it.
 *
 * The machine's memory is in banks, each within a block of its own of the linear map. The first has what is
 * there from the start; the others are the kernel's, to be lent to the pool. A bank that the pool gives back
 * becomes one block again when the map is collapsed, and its tables pages of the pool.
 *
 *	-DATTACK     someone overwrites words of the pool's ordinary memory, at any moment: allocations may
 *	             fail then, and HM_BUG be told, but nothing else goes wrong
 *	-DPLANT=...  a kernel that does something wrong; the machine has to say so
 */
#include "program.h"
#include <hardmap/direct_map.h>
#include <hardmap/pgtable_pool.h>
#include <stddef.h>
#include <string.h>

#define PLANT_NOTHING 0
#define PLANT_FREE_WITHOUT_INVALIDATION 1 /* tables are unlinked, and freed at once */
#define PLANT_LEAVES_ONLY 2 /* and invalidated, but not in walk caches */
#define PLANT_KEY_WITHOUT_INVALIDATION 3 /* CPUs know the key of before for ever */
#define PLANT_KEY_OF_FIRST_PAGE 4 /* the others keep theirs */
#define PLANT_MEMORY_IN_USE 5 /* a block is lent while someone stores to it */
#ifndef PLANT
#define PLANT PLANT_NOTHING
#endif
#ifdef ATTACK
#define ATTACKED true
#else
#define ATTACKED false
#endif

#define THREADS 3
#define BANK 16
#define PAGES HM_MACHINE_PAGES
#define PAGE HM_MACHINE_PAGE_BYTES
#define START UINT64_C(0xffff000000000000) /* of the linear map */
#define TOP (HM_PORT_PGTABLE_LEVELS - 1)
/* What the threads map: a table of the second level, in which each has its place. */
#define WINDOWS (START + hm_direct_map_bytes_(TOP))
#define HAS_MIDDLE (TOP > 2) /* tables between that one and those with pages */

/* The first bank: tables from the start, the pool's root, and pages for more tables, which the pool adopts or
 * the kernel keeps for key changes that the pool has no pages for. */
enum { ROOT, WINDOWS_TABLE, FIRST_TABLE, POOL_ROOT = 7, MORE_TABLES };

#define ORDINARY 3 /* pages that a thread has for its own use */
#define SPARE 6 /* and pages of the pool that it has for nothing yet */
#define LOCKS 20000 /* that one operation of the pool takes at most */
#define CANARY UINT64_C(0x0123456789abcdef)

enum owner { KERNEL, FIXED, TABLE, USER, POOL };

/* A table with pages, and where it is linked. */
struct window {
	bool linked;
	hm_pa_t table;
	unsigned int
		target[2]; /* what its first and last entry map: an ordinary page + 1, 0: nothing */
};

struct ordinary {
	unsigned int number;
	unsigned int mapped; /* by entries of the thread's windows */
	bool readonly; /* or it is turning so */
};

struct worker {
	unsigned int number;
	unsigned int masks; /* interrupts, how often */
	bool masked_before;
	unsigned int sections;
	struct hm_pgtable_pool_token *tables; /* where a change of the linear map takes them */
	bool has_middle;
	hm_pa_t middle;
	struct window windows[2];
	struct ordinary ordinary[ORDINARY];
	unsigned int ordinaries;
	hm_pa_t spare[SPARE];
	unsigned int spares;
	unsigned int locks; /* since its operation began */
};

static struct {
	const uint8_t *bytes;
	size_t left;
	unsigned int threads, running;
	struct worker workers[THREADS + 1]; /* and who attacks */
	struct hm_direct_map map;
	struct hm_pgtable_pool pool;
	uint64_t before_magazines[64];
	struct hm_pgtable_pool_magazine magazines[HM_MACHINE_CPUS];
	uint64_t after_magazines[64];
	bool booting;
	bool locked, refilling, mapping; /* the pool, a refill, the linear map */
	enum owner owner[PAGES];
	bool served[PAGES]; /* by the pool, and not freed since */
	bool written[PAGES]; /* by whoever did not wait until it was seen */
	bool keyed[PAGES]; /* nobody stores to it, and nobody is changing that */
	unsigned int users[PAGES]; /* who tries to, right now */
	bool keys;
	bool protected; /* whatever is served has its key */
	unsigned int overwrites; /* to come */
	uint64_t operations;
} program;

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

static hm_pte_t *table_at(hm_pa_t table)
{
	return hm_port_pgtable_map(table);
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
}

/* Someone who should not stores to a page with the key; whoever changes the key waits meanwhile. */
static void stray_store(unsigned int number)
{
	if (!program.keys || !program.keyed[number])
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
	self->ordinary[self->ordinaries++] = (struct ordinary){ .number = i };
	use_ordinary(i);
}

static void give_ordinary(struct worker *self, unsigned int choice)
{
	unsigned int i;

	if (!self->ordinaries)
		return;
	i = choice % self->ordinaries;
	if (self->ordinary[i].mapped)
		return;
	use_ordinary(self->ordinary[i].number);
	program.owner[self->ordinary[i].number] = KERNEL;
	self->ordinary[i] = self->ordinary[--self->ordinaries];
}

/* ---- what the pool serves ---- */

/* What the frames say of a page, and whether it is one of frames itself. */
static unsigned int state_of(hm_pa_t page, bool *is_meta)
{
	hm_pte_t *root = hm_pool_root_(&program.pool);
	const hm_kpkeys_token_t guard = hm_pool_lock_(&program.pool);
	unsigned int state = HM_POOL_ABSENT_;
	uint32_t i;

	for (i = 0; i < hm_pool_half_(root, HM_POOL_FRAMES_); i++) {
		const struct hm_pool_frame_ frame = hm_pool_load_(root, i);

		if (frame.block == hm_pool_block_of_(page) && state == HM_POOL_ABSENT_)
			state = hm_pool_state_(frame.words, hm_pool_index_of_(page));
	}
	*is_meta = false;
	for (i = 0; i < hm_pool_half_(root, HM_POOL_METAS_); i++) {
		const hm_pa_t meta = { hm_pool_get_(hm_pool_directory_(root, i)) };
		const unsigned int number = hm_machine_page_number(meta);

		*is_meta |= meta.val == page.val;
		if (number >= PAGES || program.owner[number] != POOL)
			hm_machine_violation("page %u is one of frames, and not the pool's",
					     number);
	}
	hm_pool_unlock_(&program.pool, guard);
	return state;
}

/* A page that the pool has served. */
static void check_served(hm_pa_t page)
{
	const unsigned int number = hm_machine_page_number(page);
	bool is_meta;

	if (number < PAGES && (state_of(page, &is_meta) != HM_POOL_USED_ || is_meta))
		hm_machine_violation("page %u is served, and not said to be in use", number);
	if (number >= PAGES || page.val != hm_machine_page(number).val ||
	    program.owner[number] != POOL)
		hm_machine_violation("%#llx is served, which is not the pool's",
				     (unsigned long long)page.val);
	else if (program.served[number])
		hm_machine_violation("page %u is served twice", number);
	else if (program.protected && program.keys && !program.keyed[number])
		hm_machine_violation("page %u is served without its key", number);
	else
		program.served[number] = true;
}

/* ---- hooks of the pool ---- */

hm_pa_t hm_port_pgtable_pool_root(const struct hm_pgtable_pool *pool)
{
	(void)pool;
	return hm_machine_page(POOL_ROOT);
}

bool hm_port_pgtable_pool_memory(struct hm_pgtable_pool *pool, unsigned int order, hm_pa_t *pages)
{
	const unsigned int n = 1u << order, first = hm_machine_random(PAGES / n) * n;
	unsigned int start, i;

	if (!hm_machine_random(8))
		return false;
	if (!hm_machine_random(8))
		hm_pgtable_pool_shrink_scan(pool, 1 + hm_machine_random(2 * HM_POOL_PAGES_), 0);
	for (start = 0; start < PAGES; start += n) {
		const unsigned int number = (first + start) % PAGES;

		for (i = 0; i < n; i++)
			if (program.owner[number + i] != KERNEL &&
			    !(PLANT == PLANT_MEMORY_IN_USE && program.owner[number + i] == USER))
				break;
		if (i < n)
			continue;
		for (i = 0; i < n; i++)
			program.owner[number + i] = POOL;
		*pages = hm_machine_page(number);
		return true;
	}
	return false;
}

void hm_port_pgtable_pool_give(struct hm_pgtable_pool *pool, hm_pa_t pages, unsigned int n)
{
	const unsigned int first = hm_machine_page_number(pages);
	unsigned int i;

	(void)pool;
	for (i = first; i < first + n; i++) {
		if (i >= PAGES || program.owner[i] != POOL || program.served[i] ||
		    hm_machine->table_level[i]) {
			hm_machine_violation(
				"page %u is given back by who has it not, or is in use", i);
			return;
		}
		use_ordinary(i);
		program.owner[i] = KERNEL;
	}
}

void hm_port_pgtable_pool_rejoin(struct hm_pgtable_pool *pool, hm_pa_t block)
{
	const hm_va_t va = linear(hm_machine_page_number(block));

	(void)pool;
	sleeping_lock(&program.mapping);
	if (hm_direct_map_collapse(&program.map, va, PAGE))
		hm_machine_violation("a collapse fails");
	program.mapping = false;
}

/* What the tables of the linear map were before is what all CPUs go on with, as far as they can. */
static void forget_invalidations(unsigned int since)
{
	if (PLANT != PLANT_KEY_WITHOUT_INVALIDATION)
		return;
	for (; since < hm_machine->invalidation_count; since++)
		hm_machine->invalidations[since].completed = HM_MACHINE_NEVER;
}

static int change_key(unsigned int first, unsigned int n, unsigned int key,
		      struct hm_direct_map_reserve *reserve)
{
	const unsigned int invalidations = hm_machine->invalidation_count;
	int error;

	if (PLANT == PLANT_KEY_OF_FIRST_PAGE)
		n = 1;
	error = hm_direct_map_set_pkey(&program.map, reserve, linear(first), (uint64_t)n * PAGE,
				       key);
	forget_invalidations(invalidations);
	return error;
}

/* The tables are taken before, or one by one as they are needed. */
int hm_port_pgtable_pool_set_key(struct hm_pgtable_pool *pool, hm_pa_t pages, unsigned int n,
				 unsigned int key, struct hm_pgtable_pool_token *tables)
{
	const unsigned int first = hm_machine_page_number(pages);
	const unsigned int chance = program.booting ? 2 : hm_machine_random(10);
	struct hm_direct_map_reserve reserve = { { 0 }, 0 };
	struct worker *self = this_worker();
	unsigned int i;
	int error;

	if (!chance)
		return -HM_EBUSY;
	for (i = first; i < first + n; i++) {
		program.keyed[i] = false;
		while (program.users[i])
			yield();
	}
	self->tables = tables;
	if (chance & 1)
		while (hm_pgtable_pool_take(pool, tables, &pages)) {
			check_served(pages);
			hm_direct_map_give(&reserve, pages);
		}
	sleeping_lock(&program.mapping);
	error = change_key(first, chance == 1 && n > 1 ? n / 2 : n, key, &reserve);
	program.mapping = false;
	self->tables = NULL;
	hm_direct_map_release(&reserve);
	if (chance == 1 && n > 1 && !error)
		return -HM_EIO;
	for (i = first; i < first + n; i++)
		program.keyed[i] = (key == HM_KEY_PGTABLES) == !error;
	return error;
}

bool hm_port_pgtable_pool_lock(struct hm_pgtable_pool *pool)
{
	bool waited = false;

	(void)pool;
	if (++this_worker()->locks > LOCKS)
		hm_machine_violation("an operation of the pool does not end");
	mask();
	while (program.locked) {
		waited = true;
		hm_machine_pass();
	}
	program.locked = true;
	return waited;
}

void hm_port_pgtable_pool_unlock(struct hm_pgtable_pool *pool)
{
	(void)pool;
	if (!program.locked)
		hm_machine_violation("a lock is dropped that nobody has");
	program.locked = false;
	unmask();
}

bool hm_port_pgtable_pool_refill_lock(struct hm_pgtable_pool *pool)
{
	(void)pool;
	if (program.refilling && hm_machine_random(2))
		return false;
	sleeping_lock(&program.refilling);
	return true;
}

void hm_port_pgtable_pool_refill_unlock(struct hm_pgtable_pool *pool)
{
	(void)pool;
	program.refilling = false;
}

unsigned int hm_port_pgtable_pool_pin(struct hm_pgtable_pool *pool)
{
	(void)pool;
	mask();
	return hm_machine_cpu_number();
}

void hm_port_pgtable_pool_unpin(struct hm_pgtable_pool *pool)
{
	(void)pool;
	unmask();
}

struct hm_pgtable_pool_magazine *hm_port_pgtable_pool_magazine(struct hm_pgtable_pool *pool,
							       unsigned int cpu)
{
	(void)pool;
	return cpu < hm_machine->config.cpus ? &program.magazines[cpu] : NULL;
}

bool hm_port_pgtable_pool_fence(struct hm_pgtable_pool *pool)
{
	(void)pool;
	return true;
}

/* ---- pages of the pool ---- */

static void free_page(hm_pa_t page)
{
	program.served[hm_machine_page_number(page)] = false;
	this_worker()->locks = 0;
	if (hm_pgtable_pool_free(&program.pool, page))
		hm_machine_violation("page %u is not taken back", hm_machine_page_number(page));
}

static bool alloc_page(unsigned int flags, hm_pa_t *page)
{
	int error;

	this_worker()->locks = 0;
	error = hm_pgtable_pool_alloc(&program.pool, flags, page);
	if (error > 0 || (error && !(flags & HM_PGTABLE_POOL_MAY_SLEEP) && error != -HM_ENOMEM))
		hm_machine_violation("an allocation answers %d", error);
	if (error)
		return false;
	check_served(*page);
	return true;
}

/* Hooks of direct_map.h: its tables are the token's of a key change, and what the kernel keeps for those; or
 * else the reserve. */
static bool alloc_table(hm_pa_t *table)
{
	struct worker *self = this_worker();
	unsigned int i;

	if (program.owner[POOL_ROOT] == FIXED && !self->tables)
		return alloc_page(HM_PGTABLE_POOL_RESERVE, table);
	if (self->tables && hm_pgtable_pool_take(&program.pool, self->tables, table)) {
		check_served(*table);
		return true;
	}
	for (i = FIRST_TABLE; i < BANK && program.owner[i] != TABLE; i++)
		;
	if (i == BANK)
		return false;
	program.owner[i] = FIXED;
	*table = hm_machine_page(i);
	return true;
}

static void free_table(hm_pa_t table)
{
	const unsigned int number = hm_machine_page_number(table);

	if (hm_machine->table_level[number])
		hm_machine_release_table(number);
	else /* of a reserve, which has written it */
		program.written[number] = true;
	if (program.owner[number] == FIXED)
		program.owner[number] = TABLE;
	else
		free_page(table);
}

/* ---- tables of the threads ---- */

static bool is_empty(hm_pa_t table)
{
	const hm_pte_t *entries = table_at(table);
	unsigned int i;

	for (i = 0; i < HM_PORT_PGTABLE_ENTRIES; i++)
		if (entries[i].val)
			return false;
	return true;
}

/* A page for a table, empty: by the pool, by its new owner, or as its last one has left it. */
static bool new_table(struct worker *self, unsigned int choice, hm_pa_t *table)
{
	const hm_pte_t none = { 0 };
	unsigned int flags = choice & 1 ? HM_PGTABLE_POOL_MAY_SLEEP : 0;

	if (!(choice & 14))
		flags |= HM_PGTABLE_POOL_ZERO;
	if (self->spares && (choice & 16)) {
		*table = self->spare[--self->spares];
		flags = 0;
	} else if (!alloc_page(flags, table)) {
		return false;
	}
	if (flags & HM_PGTABLE_POOL_ZERO ? !is_empty(*table) : false)
		hm_machine_violation("a page is served that should be empty");
	if (!is_empty(*table) || program.written[hm_machine_page_number(*table)])
		hm_pte_fill(table_at(*table), HM_PORT_PGTABLE_ENTRIES, none, 0);
	program.written[hm_machine_page_number(*table)] = false;
	return true;
}

/* What nobody walks by any more is the pool's. */
static void free_unlinked(hm_pa_t *tables, unsigned int n, bool batch)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		hm_machine_release_table(hm_machine_page_number(tables[i]));
	for (i = 0; i < n && !batch; i++)
		free_page(tables[i]);
	if (!batch)
		return;
	for (i = 0; i < n; i++)
		program.served[hm_machine_page_number(tables[i])] = false;
	if (hm_pgtable_pool_free_batch(&program.pool, tables, n))
		hm_machine_violation("pages are not taken back");
}

static void invalidate_tables(uint64_t va, uint64_t bytes)
{
	const hm_va_t start = { va };

	if (PLANT != PLANT_FREE_WITHOUT_INVALIDATION)
		hm_pgtable_invalidate(start, bytes,
				      PLANT == PLANT_LEAVES_ONLY ? HM_INVALIDATE_LEAVES
								 : HM_INVALIDATE_TABLES);
}

/* Where a thread's place begins, and what a window of it has. */
static uint64_t place_of(const struct worker *self)
{
	return WINDOWS + self->number * (HAS_MIDDLE ? hm_direct_map_bytes_(TOP - 1)
						    : 2 * hm_direct_map_bytes_(TOP - 1));
}

static unsigned int index_of_window(const struct worker *self, unsigned int which)
{
	if (!HAS_MIDDLE)
		return 2 * self->number + which;
	return which ? HM_PORT_PGTABLE_ENTRIES - 1 : 0;
}

static hm_pte_t *link_of_window(const struct worker *self, unsigned int which)
{
	const hm_pa_t parent = HAS_MIDDLE ? self->middle : hm_machine_page(WINDOWS_TABLE);

	return table_at(parent) + index_of_window(self, which);
}

static uint64_t address_of_window(const struct worker *self, unsigned int which)
{
	if (!HAS_MIDDLE)
		return WINDOWS + index_of_window(self, which) * hm_direct_map_bytes_(1);
	return place_of(self) + index_of_window(self, which) * hm_direct_map_bytes_(1);
}

static hm_va_t address_of_entry(const struct worker *self, unsigned int which, unsigned int entry)
{
	const hm_va_t va = { address_of_window(self, which) +
			     (entry ? HM_PORT_PGTABLE_ENTRIES - UINT64_C(1) : 0) * PAGE };

	return va;
}

static hm_pte_t *entry_of_window(const struct worker *self, unsigned int which, unsigned int entry)
{
	return table_at(self->windows[which].table) + (entry ? HM_PORT_PGTABLE_ENTRIES - 1 : 0);
}

static bool make_middle(struct worker *self, unsigned int choice)
{
	if (!HAS_MIDDLE || self->has_middle)
		return true;
	if (!new_table(self, choice, &self->middle))
		return false;
	self->has_middle = true;
	hm_pte_link(table_at(hm_machine_page(WINDOWS_TABLE)) + self->number,
		    hm_arm64_table(self->middle));
	return true;
}

static void map_ordinary(struct worker *self, unsigned int which, unsigned int entry,
			 unsigned int choice)
{
	struct ordinary *ordinary = &self->ordinary[choice % self->ordinaries];

	hm_pte_set(entry_of_window(self, which, entry),
		   hm_arm64_leaf(hm_machine_page(ordinary->number), 0, HM_ARM64_KERNEL_RW));
	self->windows[which].target[entry] = ordinary->number + 1;
	ordinary->mapped++;
}

/* Maps a page of the thread's own; by a new table, that is filled before or after it is linked. */
static void map(struct worker *self, unsigned int choice)
{
	const unsigned int which = choice & 1, entry = choice >> 1 & 1;
	struct window *window = &self->windows[which];
	hm_pa_t table;

	if (!self->ordinaries || window->target[entry])
		return;
	if (window->linked) {
		map_ordinary(self, which, entry, choice >> 2);
		return;
	}
	if (!make_middle(self, choice >> 2) || !new_table(self, choice >> 2, &table))
		return;
	window->table = table;
	window->linked = true;
	if (choice & 4)
		map_ordinary(self, which, entry, choice >> 3);
	hm_pte_link(link_of_window(self, which), hm_arm64_table(table));
	if (!(choice & 4))
		map_ordinary(self, which, entry, choice >> 3);
}

static void use_window(struct worker *self, unsigned int choice)
{
	const unsigned int which = choice & 1, entry = choice >> 1 & 1;

	if (self->windows[which].target[entry] &&
	    hm_machine_access(address_of_entry(self, which, entry), HM_ACCESS_WRITE) !=
		    HM_MACHINE_DONE)
		hm_machine_violation("what was mapped is not there");
}

static void forget_target(struct worker *self, unsigned int which, unsigned int entry)
{
	unsigned int *target = &self->windows[which].target[entry], i;

	if (!*target)
		return;
	hm_machine_release(*target - 1, address_of_entry(self, which, entry), PAGE);
	for (i = 0; i < self->ordinaries; i++)
		self->ordinary[i].mapped -= self->ordinary[i].number + 1 == *target;
	*target = 0;
}

static void unmap(struct worker *self, unsigned int choice)
{
	const unsigned int which = choice & 1, entry = choice >> 1 & 1;

	if (!self->windows[which].target[entry])
		return;
	hm_pte_clear(entry_of_window(self, which, entry));
	hm_pgtable_invalidate(address_of_entry(self, which, entry), PAGE, HM_INVALIDATE_LEAVES);
	forget_target(self, which, entry);
}

/* A table that is unlinked and invalidated is empty again, but for what the program did not write. */
static void empty_window(struct worker *self, unsigned int which)
{
	unsigned int entry;

	self->windows[which].linked = false;
	for (entry = 0; entry < 2; entry++) {
		if (!self->windows[which].target[entry])
			continue;
		forget_target(self, which, entry);
	}
}

static void unlink_window(struct worker *self, unsigned int choice)
{
	const unsigned int which = choice & 1;

	if (!self->windows[which].linked)
		return;
	hm_pte_clear(link_of_window(self, which));
	invalidate_tables(address_of_window(self, which), hm_direct_map_bytes_(1));
	empty_window(self, which);
	free_unlinked(&self->windows[which].table, 1, choice & 2);
}

/* All at once: what is below a table goes with it. */
static void unlink_all(struct worker *self, bool batch)
{
	hm_pa_t tables[3];
	unsigned int n = 0, which;

	if (!HAS_MIDDLE || !self->has_middle) {
		unlink_window(self, 0);
		unlink_window(self, 1);
		return;
	}
	hm_pte_clear(table_at(hm_machine_page(WINDOWS_TABLE)) + self->number);
	invalidate_tables(place_of(self), hm_direct_map_bytes_(TOP - 1));
	for (which = 0; which < 2; which++) {
		if (!self->windows[which].linked)
			continue;
		empty_window(self, which);
		tables[n++] = self->windows[which].table;
	}
	self->has_middle = false;
	tables[n++] = self->middle;
	free_unlinked(tables, n, batch);
}

/* ---- operations ---- */

static void take_spare(struct worker *self, unsigned int choice)
{
	hm_pa_t pages[3];
	const unsigned int n = 1 + choice % 3, flags = choice & 4 ? HM_PGTABLE_POOL_MAY_SLEEP : 0;
	unsigned int i;

	if (self->spares + n > SPARE)
		return;
	if (n == 1) {
		if (alloc_page(flags, &pages[0]))
			self->spare[self->spares++] = pages[0];
		return;
	}
	if (hm_pgtable_pool_alloc_batch(&program.pool, flags, pages, n))
		return;
	for (i = 0; i < n; i++) {
		check_served(pages[i]);
		self->spare[self->spares++] = pages[i];
	}
}

static void free_spare(struct worker *self, unsigned int choice)
{
	if (!self->spares)
		return;
	choice %= self->spares;
	{
		const hm_pa_t page = self->spare[choice];

		self->spare[choice] = self->spare[--self->spares];
		free_page(page);
	}
}

/* What was held back is there, whatever others do. */
static void use_token(struct worker *self, unsigned int choice)
{
	struct hm_pgtable_pool_token token = { 0 };
	const unsigned int n = 1 + choice % 4;
	unsigned int i;
	hm_pa_t page;

	if (self->spares + n > SPARE ||
	    hm_pgtable_pool_reserve(&program.pool, choice & 8 ? HM_PGTABLE_POOL_MAY_SLEEP : 0, n,
				    &token))
		return;
	for (i = 0; i < choice >> 4; i++)
		yield();
	for (i = choice & 16 ? 1 : 0; i < n; i++) {
		if (hm_pgtable_pool_take(&program.pool, &token, &page)) {
			check_served(page);
			self->spare[self->spares++] = page;
		} else if (!ATTACKED) {
			hm_machine_violation("a page that was held back is not there");
		}
	}
	hm_pgtable_pool_unreserve(&program.pool, &token);
}

/* A page of the thread's own cannot be written for a while: that splits the linear map around it, by tables
 * that were put aside before, or by what the reserve has. */
static void change_permission(struct worker *self, unsigned int choice)
{
	struct hm_pgtable_pool_token tables = { 0 };
	struct ordinary *ordinary;

	if (!self->ordinaries)
		return;
	ordinary = &self->ordinary[choice % self->ordinaries];
	if (ordinary->readonly)
		return;
	if ((choice & 8) && hm_pgtable_pool_reserve(&program.pool, HM_PGTABLE_POOL_MAY_SLEEP,
						    HM_PORT_PGTABLE_POOL_TABLES, &tables))
		return;
	ordinary->readonly = true;
	sleeping_lock(&program.mapping);
	self->tables = choice & 8 ? &tables : NULL;
	if (!hm_direct_map_set_permission(&program.map, NULL, linear(ordinary->number), PAGE,
					  HM_PERMISSION_RO)) {
		if (hm_machine_access(linear(ordinary->number), HM_ACCESS_WRITE) !=
		    HM_MACHINE_FAULT)
			hm_machine_violation("what may not be written can be");
		if (hm_direct_map_set_permission(&program.map, NULL, linear(ordinary->number), PAGE,
						 HM_PERMISSION_RW))
			hm_machine_violation("what was changed cannot be changed back");
	} else if ((choice & 8) && !ATTACKED) {
		hm_machine_violation("a change takes more tables than were reserved");
	}
	self->tables = NULL;
	program.mapping = false;
	ordinary->readonly = false;
	hm_pgtable_pool_unreserve(&program.pool, &tables);
	use_ordinary(ordinary->number);
}

static void collapse(void)
{
	sleeping_lock(&program.mapping);
	if (hm_direct_map_collapse(&program.map, program.map.start, program.map.bytes))
		hm_machine_violation("a collapse fails");
	program.mapping = false;
}

static void shrink(unsigned int choice)
{
	const unsigned int flags = choice & 1 ? HM_PGTABLE_POOL_SPLIT : 0;
	uint64_t count;

	switch (choice >> 1 & 7) {
	case 0:
		count = hm_pgtable_pool_shrink_count(&program.pool);
		hm_pgtable_pool_shrink_scan(&program.pool, count, flags);
		break;
	case 1:
		hm_pgtable_pool_shrink(&program.pool, choice >> 4);
		break;
	case 2:
		hm_pgtable_pool_shrink_scan(&program.pool, UINT64_MAX, flags);
		break;
	default:
		hm_pgtable_pool_shrink_scan(&program.pool, 1 + (choice >> 4), flags);
	}
}

static void leave_cpu(void)
{
	hm_pgtable_pool_cpu_remove(&program.pool, hm_port_pgtable_pool_pin(&program.pool));
	hm_port_pgtable_pool_unpin(&program.pool);
}

/* Beside the table writes of a thread, and in handlers: whatever is not to be written. */
static void use_memory(struct worker *self, unsigned int choice)
{
	struct ordinary *ordinary = &self->ordinary[choice % ORDINARY];

	if (!self->sections)
		stray_store(choice % PAGES);
	if (choice % ORDINARY < self->ordinaries && !ordinary->readonly)
		use_ordinary(ordinary->number);
}

static void interrupt(struct worker *self)
{
	const unsigned int sections = self->sections;
	hm_pa_t page;

	self->sections = 0;
	use_memory(self, hm_machine_random(256));
	if (!hm_machine_random(4) &&
	    alloc_page(hm_machine_random(2) ? HM_PGTABLE_POOL_RESERVE : 0, &page)) {
		if (hm_machine_random(2))
			yield();
		free_page(page);
	} else if (hm_machine_random(2)) { /* preempted, in the middle of a refill perhaps */
		yield();
	}
	self->sections = sections;
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
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	self->sections++;
	operate(self);
	self->sections--;
	hm_lazy_mmu_leave(tok);
}

static void operate(struct worker *self)
{
	const unsigned int byte = next_byte(), choice = next_byte();

	program.operations++;
	self->locks = 0;
	switch (byte % 20) {
	case 0:
		use_token(self, choice);
		break;
	case 1:
	case 2:
		take_ordinary(self, choice);
		break;
	case 3:
		give_ordinary(self, choice);
		break;
	case 4:
	case 5:
	case 6:
		map(self, choice);
		break;
	case 7:
		unmap(self, choice);
		break;
	case 8:
	case 9:
		unlink_window(self, choice);
		break;
	case 10:
		unlink_all(self, choice & 1);
		break;
	case 11:
	case 12:
		take_spare(self, choice);
		break;
	case 13:
	case 14:
		free_spare(self, choice);
		break;
	case 15:
	case 16:
		shrink(choice);
		break;
	case 17:
		if (choice % 3 == 0)
			collapse();
		else
			change_permission(self, choice);
		break;
	case 18:
		if (self->sections || choice % 4 == 0)
			leave_cpu();
		else
			operate_in_section(self);
		break;
	default:
		use_memory(self, choice);
	}
	if (!self->sections)
		use_window(self, choice);
}

/* Whether the machine still remembers all that one more operation can do, on every thread. */
static bool is_short(void)
{
	return hm_machine->version_count < HM_MACHINE_VERSIONS / 2 &&
	       hm_machine->invalidation_count < HM_MACHINE_INVALIDATIONS / 2;
}

/* What the pool says of itself, by the last thread. */
static void check_counts(void)
{
	struct hm_pgtable_pool_statistics statistics;
	uint64_t owned = 0, served = 0;
	unsigned int i;

	hm_pgtable_pool_statistics(&program.pool, &statistics);
	for (i = 0; i < PAGES; i++) {
		owned += program.owner[i] == POOL;
		served += program.served[i];
	}
	if (statistics.present > owned || statistics.present + statistics.quarantined < owned ||
	    statistics.used != served || statistics.reserved || statistics.unprotected)
		hm_machine_violation("the pool counts %llu pages present, %llu used",
				     (unsigned long long)statistics.present,
				     (unsigned long long)statistics.used);
}

static void protect(void)
{
	int error;

	do
		error = hm_pgtable_pool_protect(&program.pool);
	while (error && (program.booting || hm_machine_random(8)));
	program.protected = !error;
	if (program.protected && program.keys && !program.keyed[POOL_ROOT])
		hm_machine_violation("the root has not its key");
}

static void body(void *argument)
{
	struct worker *self = argument;
	unsigned int i;
	hm_pa_t page;

	while (program.left && is_short())
		operate(self);
	unlink_all(self, false);
	while (self->spares)
		free_spare(self, 0);
	while (self->ordinaries)
		give_ordinary(self, 0);
	hm_context_assert_idle();
	if (--program.running)
		return;
	if (!program.protected)
		protect();
	hm_pgtable_pool_shrink_scan(&program.pool, UINT64_MAX, HM_PGTABLE_POOL_SPLIT);
	collapse();
	/* Demand is forgotten by and by, and all but the last block goes. */
	for (i = 0; i < 4; i++) {
		self->locks = 0;
		hm_pgtable_pool_shrink_scan(&program.pool, UINT64_MAX, 0);
		if (alloc_page(HM_PGTABLE_POOL_MAY_SLEEP, &page))
			free_page(page);
	}
	if (program.protected && !ATTACKED)
		check_counts();
}

/* ---- the attack ---- */

/* A word, or half of one, of what the pool keeps in ordinary memory: of its own, of a magazine, the token
 * of a key change. */
static void *word_to_overwrite(bool *half)
{
	const size_t halves = offsetof(struct hm_pgtable_pool_magazine, page) / sizeof(uint32_t);
	struct hm_pgtable_pool_magazine *magazine =
		&program.magazines[hm_machine_random(hm_machine->config.cpus)];
	struct hm_pgtable_pool_token *tables =
		program.workers[hm_machine_random(program.threads)].tables;

	*half = true;
	switch (hm_machine_random(8)) {
	case 0:
		return &magazine->pages;
	case 1:
		return (uint32_t *)(void *)magazine + hm_machine_random((unsigned int)halves);
	default:
		break;
	}
	*half = false;
	switch (hm_machine_random(6)) {
	case 0:
	case 1:
	case 2:
		return &magazine->page[hm_machine_random(HM_PORT_PGTABLE_POOL_MAGAZINE)];
	case 3:
		return tables ? &tables->pages : &program.pool.free;
	default:
		return (uint64_t *)(void *)&program.pool +
		       hm_machine_random(sizeof(program.pool) / sizeof(uint64_t));
	}
}

/* What a stray store might leave there: numbers, and places in memory. */
static uint64_t value_to_write(uint64_t old)
{
	const uint64_t page = hm_machine_page(hm_machine_random(PAGES)).val;

	switch (hm_machine_random(10)) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX;
	case 2:
		return hm_machine_random(HM_PORT_PGTABLE_POOL_MAGAZINE + 1);
	case 3:
		return hm_machine_random(100);
	case 4:
		return old ^ UINT64_C(1) << hm_machine_random(64);
	case 5:
		return page + hm_machine_random(PAGE);
	case 6:
		return program.magazines[hm_machine_random(HM_MACHINE_CPUS)].page[0].val;
	case 7:
		return page + 1;
	default:
		return page;
	}
}

static void overwrite(void)
{
	bool half;
	void *word = word_to_overwrite(&half);

	if (half)
		*(volatile uint32_t *)word = (uint32_t)value_to_write(*(volatile uint32_t *)word);
	else
		*(volatile uint64_t *)word = value_to_write(*(volatile uint64_t *)word);
}

/* What a magazine offers becomes another page, which is in use perhaps. */
static void overwrite_entry(void)
{
	struct hm_pgtable_pool_magazine *magazine =
		&program.magazines[hm_machine_random(hm_machine->config.cpus)];
	const unsigned int i = hm_machine_random(HM_PORT_PGTABLE_POOL_MAGAZINE);
	const uint64_t old = magazine->page[i].val;

	*(volatile uint64_t *)&magazine->page[i].val = old ^ (1 + hm_machine_random(7)) * PAGE;
}

/* A CPU that does nothing else, at some moment of what the others do; or all the time, to what is to be
 * believed least. */
static void attack(void *argument)
{
	const bool always = !hm_machine_random(3);

	(void)argument;
	while (always && program.running) {
		hm_machine_pass();
		overwrite_entry();
	}
	while (program.overwrites && program.running) {
		unsigned int moments = hm_machine_random(4096);

		while (moments-- && program.running)
			hm_machine_pass();
		/* All at once, or another time. */
		do
			overwrite();
		while (--program.overwrites && hm_machine_random(2));
	}
}

static void watch_magazines(bool begin)
{
	unsigned int i;

	for (i = 0; i < 64; i++) {
		if (begin)
			program.before_magazines[i] = program.after_magazines[i] = CANARY;
		else if (program.before_magazines[i] != CANARY ||
			 program.after_magazines[i] != CANARY)
			hm_machine_violation("something beside the magazines was written");
	}
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

/* The linear map, of the largest blocks but for the first bank. What is a table there has the key; what is to
 * be one has it only if it cannot be written otherwise. */
static void make_map(bool adopts)
{
	const uint64_t bytes = PAGES / BANK * hm_direct_map_bytes_(HM_PORT_PGTABLE_BLOCK_LEVEL);
	const hm_va_t start = { START };
	unsigned int keyed = POOL_ROOT, i;

	if (hm_kpkeys_style() != HM_KEY_STYLE_WINDOW)
		keyed = BANK;
	for (i = 0; i < BANK; i++)
		program.owner[i] = i < FIRST_TABLE ? FIXED : TABLE;
	hm_machine_set_root(ROOT);
	if (hm_direct_map_init(&program.map, start, bytes, false) ||
	    hm_direct_map_add(&program.map, NULL, start, bytes,
			      hm_arm64_leaf(hm_machine_page(0), 0, HM_ARM64_KERNEL_RW)) ||
	    hm_direct_map_set_pkey(&program.map, NULL, start, keyed * PAGE, HM_KEY_PGTABLES) ||
	    (!adopts && hm_direct_map_set_pkey(&program.map, NULL, linear(MORE_TABLES),
					       (BANK - MORE_TABLES) * PAGE, HM_KEY_PGTABLES)))
		hm_machine_violation("no map");
	for (i = FIRST_TABLE; i <= POOL_ROOT; i++)
		program.owner[i] = FIXED;
	hm_pte_link(table_at(hm_machine_page(ROOT)) + 1,
		    hm_arm64_table(hm_machine_page(WINDOWS_TABLE)));
	for (i = 0; i < BANK; i++)
		program.keyed[i] = i < keyed || (!adopts && i >= MORE_TABLES);
}

static void make_pool(unsigned int choice, bool adopts)
{
	unsigned int i;

	hm_pgtable_pool_init(&program.pool);
	for (i = MORE_TABLES; adopts && i < BANK; i++)
		program.owner[i] = POOL;
	if (adopts &&
	    hm_pgtable_pool_adopt(&program.pool, hm_machine_page(MORE_TABLES), BANK - MORE_TABLES))
		hm_machine_violation("no pool");
	if (adopts && (choice & 1)) {
		program.owner[WINDOWS_TABLE] = POOL;
		program.served[WINDOWS_TABLE] = true;
		if (hm_pgtable_pool_register(&program.pool, hm_machine_page(WINDOWS_TABLE), 1))
			hm_machine_violation("a table is not registered");
	}
	/* Late, or at once: where blocks cannot be written without their key. */
	if ((choice & 6) || hm_kpkeys_style() == HM_KEY_STYLE_STORE)
		protect();
}

struct program_result program_run(struct hm_machine *machine, const uint8_t *bytes, size_t size)
{
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
	config.interrupt = next_byte() / 32;
	choice = next_byte();
	for (i = 0; i < 4; i++)
		config.seed = config.seed << 8 | next_byte();
	if (HM_MACHINE_KEYS && choice % 8) {
		config.key_style = choice & 8 ? HM_KEY_STYLE_STORE : HM_KEY_STYLE_WINDOW;
		config.start = start_cpu;
	}
	hm_machine_start(machine, &config);
	program.keys = config.start;
	program.booting = true;
	if (config.start)
		config.start(); /* the boot CPU, which sets up the tables */
	make_map(!(choice & 128));
	hm_machine_settle();
	hm_machine_set_linear(START);
	make_pool(choice >> 4, !(choice & 128));
	program.booting = false;
	for (i = 0; i < program.threads; i++) {
		program.workers[i].number = i;
		hm_machine_thread(body, &program.workers[i]);
	}
	watch_magazines(true);
	if (ATTACKED) {
		machine->config.cpus++;
		program.overwrites = 1 + hm_machine_random(2);
		hm_machine_thread(attack, NULL);
	}
	hm_machine_run();
	watch_magazines(false);
	if (machine->bugs && !ATTACKED)
		hm_machine_violation("HM_BUG");
	result.events = machine->now;
	result.operations = program.operations;
	result.accesses = machine->accesses;
	result.interrupts = machine->interrupts;
	result.migrations = machine->migrations;
	return result;
}
