/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * direct_map.c -- random programs over direct_map.h: threads on several CPUs change keys, permissions and
 * sizes of one linear map, add and remove memory, and use the map all the time, as a kernel does that runs on
 * it. The decoder of program.h for them: random.c, fuzz.c and mutants.py run either.
 *
 * The map is cut at places where blocks, contiguous groups and pages end, into cells. All of a cell has
 * one key and one permission, which the program remembers; an access to any page of a cell that nobody is
 * changing has to do what they say, at any time, on any CPU, whatever is split or collapsed meanwhile.
 * Tables lie in the map themselves. With keys they have HM_KEY_PGTABLES in it, and the machine judges
 * every store of the library by it. */
#include "program.h"
#include <hardmap/direct_map.h>
#include <string.h>

#define THREADS 3
#define CELLS 24
#define ROOT 0 /* page of the machine's memory; the others are tables, as they are needed */

#define PAGE HM_MACHINE_PAGE_BYTES
#define START UINT64_C(0xffff000000000000)
#define MEMORY UINT64_C(0x40000000) /* what START translates to */

struct worker;

/* Where a cell begins, and what all of its pages say. */
struct cell {
	uint64_t start;
	bool mapped;
	unsigned int key;
	enum hm_permission permission;
	unsigned int users; /* threads and handlers that rely on it right now */
	/* When each worker made it valid last: whoever used "invalid" before, but for that worker, for
	 * whom it is published at once, needs a context synchronisation event. */
	uint64_t turned_valid[THREADS];
};

struct worker {
	unsigned int number;
	bool walking; /* without the lock: tables are not given out again meanwhile */
	uint64_t synchronised;
};

static struct {
	const uint8_t *bytes;
	size_t left;
	unsigned int threads;
	struct worker workers[THREADS];
	struct hm_direct_map map;
	struct cell cells[CELLS];
	unsigned int cell_count;
	uint64_t end; /* of the last cell */
	bool locked;
	const struct worker *holder; /* of the lock */
	uint64_t changing,
		changing_end; /* cells that somebody is changing: nobody else relies on them */
	uint64_t broken, broken_end; /* addresses that nobody uses: a break below BBM level 3 */
	uint64_t changes, operations;
	bool free[HM_MACHINE_PAGES], limbo[HM_MACHINE_PAGES];
	bool keys;
} program;

static unsigned int next_byte(void)
{
	if (!program.left)
		return 0;
	program.left--;
	return *program.bytes++;
}

/* ---- the kernel around the map ---- */

/* Another thread runs; who waits does that too, as there may be fewer CPUs than threads. */
static void yield(void)
{
	hm_context_switch_t away = hm_context_switch_out();

	hm_machine_switch();
	hm_context_switch_in(away);
}

static bool anybody_walks(void)
{
	unsigned int i;

	for (i = 0; i < program.threads; i++)
		if (program.workers[i].walking)
			return true;
	return false;
}

static bool alloc_table(hm_pa_t *table)
{
	unsigned int i;

	if (!anybody_walks())
		for (i = 0; i < HM_MACHINE_PAGES; i++) {
			program.free[i] |= program.limbo[i];
			program.limbo[i] = false;
		}
	if (!hm_machine_random(40)) /* somebody else took it */
		return false;
	for (i = 0; i < HM_MACHINE_PAGES && !program.free[i]; i++)
		;
	if (i == HM_MACHINE_PAGES)
		return false;
	program.free[i] = false;
	*table = hm_machine_page(i);
	return true;
}

static void free_table(hm_pa_t table)
{
	unsigned int number = (unsigned int)((table.val - MEMORY) / PAGE);

	if (hm_machine->table_level[number]) /* not of a reserve */
		hm_machine_release_table(number);
	program.limbo[number] = true;
}

static uint64_t end_of(unsigned int cell)
{
	return cell + 1 < program.cell_count ? program.cells[cell + 1].start : program.end;
}

/* Nobody begins to use the range any more; nor does anybody still. */
static void wait_for_users(uint64_t start, uint64_t end)
{
	unsigned int i;

	for (i = 0; i < program.cell_count; i++)
		while (end_of(i) > start && program.cells[i].start < end && program.cells[i].users)
			yield();
}

/* The memory that the tables are in cannot be broken: everything stands on it. Others keep off the rest. */
static int break_range(hm_va_t va, uint64_t bytes)
{
	if (va.val < START + HM_MACHINE_PAGES * PAGE || !hm_machine_random(4))
		return -HM_EBUSY;
	program.broken = va.val;
	program.broken_end = va.val + bytes;
	wait_for_users(va.val, va.val + bytes);
	hm_machine_mask(true);
	return 0;
}

static void mend_range(hm_va_t va, uint64_t bytes)
{
	unsigned int i;

	(void)va;
	(void)bytes;
	program.changes++;
	for (i = 0; i < program.cell_count; i++)
		program.cells[i].turned_valid[program.holder->number] = program.changes;
	program.broken_end = 0;
	hm_machine_mask(false);
}

static void lock(const struct worker *self)
{
	while (program.locked)
		yield();
	program.locked = true;
	program.holder = self;
}

static void unlock(void)
{
	program.locked = false;
}

/* ---- cells ---- */

/* Whether all cells of that range are mapped (or none is). */
static bool all_mapped(unsigned int first, unsigned int last, bool mapped)
{
	for (; first <= last; first++)
		if (program.cells[first].mapped != mapped)
			return false;
	return true;
}

static bool allows(const struct cell *cell, enum hm_access access)
{
	if (!cell->mapped || cell->permission == HM_PERMISSION_INVALID)
		return false;
	/* The default level lets a key's memory be read; a store key only speaks of stores. */
	if (program.keys && cell->key &&
	    (access == HM_ACCESS_WRITE ||
	     (access == HM_ACCESS_EXECUTE && hm_kpkeys_style() == HM_KEY_STYLE_WINDOW)))
		return false;
	return access == HM_ACCESS_READ ||
	       cell->permission ==
		       (access == HM_ACCESS_WRITE ? HM_PERMISSION_RW : HM_PERMISSION_ROX);
}

/* The first page of a cell, its last one, or one in between. */
static hm_va_t page_of_cell(unsigned int cell, unsigned int choice)
{
	uint64_t start = program.cells[cell].start, pages = (end_of(cell) - start) / PAGE;
	const hm_va_t va = { start + PAGE * (choice % 3 == 0   ? 0
					     : choice % 3 == 1 ? pages - 1
							       : pages / 2) };

	return va;
}

static bool is_relied_on(hm_va_t va)
{
	return (va.val < program.changing || va.val >= program.changing_end) &&
	       (va.val < program.broken || va.val >= program.broken_end);
}

/* Whether somebody else made it valid, and the worker has not synchronised since. */
static bool was_invalid_for(const struct worker *self, const struct cell *cell)
{
	unsigned int i;

	for (i = 0; i < THREADS; i++)
		if (i != self->number && cell->turned_valid[i] > self->synchronised)
			return true;
	return false;
}

/* Uses a page of a cell, as a thread does that has learnt of all changes which are over. */
static void use_cell(struct worker *self, unsigned int number, unsigned int choice)
{
	struct cell *cell = &program.cells[number];
	enum hm_access access = (enum hm_access)(choice % 3);
	hm_va_t va = page_of_cell(number, choice / 3);

	if (!is_relied_on(va))
		return;
	cell->users++; /* who wants to change it waits from here on */
	if (was_invalid_for(self, cell)) {
		self->synchronised = program.changes;
		hm_port_context_sync();
	}
	if ((hm_machine_access(va, access) == HM_MACHINE_DONE) != allows(cell, access))
		hm_machine_violation("%#llx: the tables do not say what was asked for",
				     (unsigned long long)va.val);
	cell->users--;
}

static void use(struct worker *self, unsigned int choice)
{
	use_cell(self, choice % program.cell_count, choice / 3);
}

/* Looks an address up without the lock, as a fault handler does. */
static void look_up(struct worker *self, unsigned int choice)
{
	unsigned int number = choice % program.cell_count, level;
	const struct cell before = program.cells[number];
	hm_va_t va = page_of_cell(number, choice / 9);
	uint64_t changes = program.changes;
	bool relied_on = is_relied_on(va);
	struct hm_leaf leaf;
	hm_pte_t pte;

	self->walking = true;
	pte = hm_pgtable_leaf(va, &level);
	self->walking = false;
	if (!relied_on || !is_relied_on(va) || changes != program.changes)
		return;
	if (!allows(&before, HM_ACCESS_READ)) {
		if (pte.val)
			hm_machine_violation("a walk finds what is not mapped");
	} else if (!pte.val || !hm_port_leaf_decode(pte, level, &leaf) ||
		   leaf.pa.val + (va.val & ((UINT64_C(1) << hm_port_pgtable_shift(level)) - 1)) !=
			   MEMORY + (va.val - START) ||
		   leaf.permission != before.permission || leaf.key != before.key) {
		hm_machine_violation("a walk without the lock finds something else at %#llx",
				     (unsigned long long)va.val);
	}
}

/* ---- operations ---- */

enum operation { SET_KEY, SET_PERMISSION, SPLIT, COLLAPSE, KEEP_SMALL, ADD, REMOVE, OPERATIONS };

static int do_operation(enum operation what, unsigned int value, hm_va_t va, uint64_t bytes,
			struct hm_direct_map_reserve *reserve)
{
	switch (what) {
	case SET_KEY:
		return hm_direct_map_set_pkey(&program.map, reserve, va, bytes, value);
	case SET_PERMISSION:
		return hm_direct_map_set_permission(&program.map, reserve, va, bytes,
						    (enum hm_permission)value);
	case SPLIT:
		return hm_direct_map_split(&program.map, reserve, va, bytes);
	case KEEP_SMALL:
		return hm_direct_map_keep_small(&program.map, reserve, va, bytes, value & 1);
	case ADD: {
		const hm_pa_t pa = { MEMORY + (va.val - START) };

		return hm_direct_map_add(&program.map, reserve, va, bytes,
					 hm_arm64_leaf(pa, 0, HM_ARM64_KERNEL_RW));
	}
	case REMOVE:
		return hm_direct_map_remove(&program.map, reserve, va, bytes);
	case COLLAPSE:
	default:
		return hm_direct_map_collapse(&program.map, va, bytes);
	}
}

/* What a cell is once that was done to it. */
static void note(struct cell *cell, enum operation what, unsigned int value)
{
	bool was_valid = cell->mapped && cell->permission != HM_PERMISSION_INVALID;

	if (what == SET_KEY)
		cell->key = value;
	if (what == SET_PERMISSION && value != HM_PERMISSION_NX)
		cell->permission = (enum hm_permission)value;
	if (what == SET_PERMISSION && value == HM_PERMISSION_NX &&
	    cell->permission == HM_PERMISSION_ROX)
		cell->permission = HM_PERMISSION_RO;
	if (what == ADD) {
		cell->mapped = true;
		cell->key = HM_KEY_DEFAULT;
		cell->permission = HM_PERMISSION_RW;
	}
	if (what == REMOVE)
		cell->mapped = false;
	if (!was_valid && cell->mapped && cell->permission != HM_PERMISSION_INVALID)
		cell->turned_valid[program.holder->number] = program.changes;
}

/* Whether a kernel would do that to those cells: the tables' own stay as they are. */
static bool spares_tables(enum operation what, unsigned int first)
{
	return first || what == SPLIT || what == COLLAPSE;
}

static void check_result(enum operation what, int error, unsigned int first, unsigned int last)
{
	bool possible = what == COLLAPSE || all_mapped(first, last, what != ADD);

	if (!error ? !possible
		   : error != (what == ADD ? -HM_EEXIST : -HM_ENOENT) && error != -HM_ENOMEM &&
			     error != -HM_EBUSY)
		hm_machine_violation("operation %u answers %d", what, error);
	if (possible && (error == -HM_ENOENT || error == -HM_EEXIST))
		hm_machine_violation("operation %u answers %d where it is possible", what, error);
	if (error == -HM_EBUSY && hm_machine->config.bbm_level >= 3)
		hm_machine_violation("operation %u is refused at BBM level 3", what);
}

static void operate_on_map(struct worker *self, enum operation what)
{
	unsigned int first = next_byte() % program.cell_count;
	unsigned int last = first + next_byte() % 4, value = next_byte(), i;
	struct hm_direct_map_reserve reserve = { { 0 }, 0 };
	bool prepared = false,
	     translations = what != SPLIT && what != COLLAPSE && what != KEEP_SMALL;
	hm_va_t va = { program.cells[first].start };
	int error;

	if (last >= program.cell_count)
		last = program.cell_count - 1;
	if (!spares_tables(what, first))
		return;
	if (what == SET_PERMISSION)
		value %= HM_PERMISSION_NX + 1;
	else if (what == SET_KEY)
		value = (const unsigned int[]){ HM_KEY_DEFAULT, HM_KEY_PGTABLES,
						HM_MACHINE_KEY }[value % 3];
	/* To pages only what does not take all tables there are. */
	if (what == KEEP_SMALL && end_of(last) - va.val > hm_direct_map_bytes_(1))
		last = first;
	if (what == KEEP_SMALL && end_of(last) - va.val > hm_direct_map_bytes_(1))
		return;
	if (value & 8)
		prepared = !hm_direct_map_prepare(&reserve, HM_DIRECT_MAP_TABLES);
	lock(self);
	program.changes++;
	if (translations) {
		program.changing = va.val;
		program.changing_end = end_of(last);
		wait_for_users(va.val, end_of(last));
	}
	program.operations++;
	error = do_operation(what, value, va, end_of(last) - va.val, value & 16 ? NULL : &reserve);
	check_result(what, error, first, last);
	if (error == -HM_ENOMEM && prepared && !(value & 16) && what <= SPLIT)
		hm_machine_violation("operation %u takes more tables than were prepared", what);
	program.changes++;
	for (i = first; i <= last && !error; i++)
		note(&program.cells[i], what, value);
	program.changing_end = 0;
	unlock();
	if (!error) /* read, as in a section of the caller's tables may be written */
		use_cell(self, first, 3 * value);
	hm_direct_map_release(&reserve);
}

static void vector(void)
{
	hm_context_exception_t interrupted = hm_context_exception_push();

	use(&program.workers[hm_machine_thread_number()], hm_machine_random(256));
	if (hm_machine_random(2)) /* preempted, in the middle of a change perhaps */
		yield();
	hm_context_exception_pop(interrupted);
}

static void operate(struct worker *self)
{
	unsigned int byte = next_byte();

	switch (byte & 15) {
	case 0:
		yield();
		break;
	case 1:
		look_up(self, byte + next_byte());
		break;
	case 2:
	case 3:
	case 4:
		operate_on_map(self, (byte >> 4) % 2 ? SET_KEY : SET_PERMISSION);
		break;
	case 5:
		operate_on_map(self, (byte >> 4) % 3 ? SPLIT : KEEP_SMALL);
		break;
	case 6:
	case 7:
		operate_on_map(self, COLLAPSE);
		break;
	case 8:
		operate_on_map(self, (byte >> 4) % 2 ? REMOVE : ADD);
		break;
	case 9: { /* in a section of the caller's: what is deferred may not be overtaken */
		hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

		operate_on_map(self, (enum operation)((byte >> 4) % OPERATIONS));
		hm_lazy_mmu_leave(tok);
		break;
	}
	default:
		use(self, byte + next_byte());
		break;
	}
}

/* Whether the machine still remembers all that one more operation can do, on every thread. */
static bool is_short(void)
{
	return hm_machine->version_count < HM_MACHINE_VERSIONS / 2 &&
	       hm_machine->invalidation_count < HM_MACHINE_INVALIDATIONS / 2;
}

static void body(void *argument)
{
	struct worker *self = argument;
	unsigned int i;

	while (program.left && is_short())
		operate(self);
	lock(self);
	if (hm_direct_map_collapse(&program.map, program.map.start, program.map.bytes) &&
	    hm_machine->config.bbm_level >= 3)
		hm_machine_violation("a collapse fails");
	unlock();
	for (i = 0; i < program.cell_count; i++)
		use(self, 3 * i * 9 + i);
	hm_context_assert_idle();
}

static void start_cpu(void)
{
	if (hm_kpkeys_style() == HM_KEY_STYLE_STORE)
		hm_arm64_gcs_enable();
	else
		hm_arm64_poe_enable();
	hm_kpkeys_cpu_start();
}

static void add_cell(uint64_t offset)
{
	unsigned int i = program.cell_count;

	while (i && program.cells[i - 1].start > START + offset)
		i--;
	if (i && program.cells[i - 1].start == START + offset)
		return;
	memmove(&program.cells[i + 1], &program.cells[i],
		(program.cell_count - i) * sizeof(*program.cells));
	program.cells[i] = (struct cell){ .start = START + offset,
					  .mapped = true,
					  .permission = HM_PERMISSION_RW };
	program.cell_count++;
}

/* Where pages, contiguous groups and blocks of every level end, and next to that. */
static void make_cells(void)
{
	const uint64_t group = hm_direct_map_group_bytes_(0), block = hm_direct_map_bytes_(1);
	const uint64_t blocks = hm_direct_map_group_bytes_(1);
	const uint64_t top = HM_PORT_PGTABLE_BLOCK_LEVEL == 2 ? hm_direct_map_bytes_(2) : blocks;
	const uint64_t ends[] = { 0,
				  HM_MACHINE_PAGES * PAGE,
				  block - group,
				  block - PAGE,
				  block,
				  block + PAGE,
				  block + group,
				  2 * block,
				  blocks,
				  blocks + block,
				  top - PAGE,
				  top,
				  top + PAGE,
				  top + group,
				  top + block,
				  top + block + PAGE,
				  top + blocks,
				  2 * top - block,
				  2 * top - PAGE };
	size_t i;

	program.cell_count = 0;
	for (i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (ends[i] < 2 * top)
			add_cell(ends[i]);
	program.end = START + 2 * top;
}

/* The map, before anything runs: all of it, and the tables' memory with its key. */
static void make_map(void)
{
	const hm_va_t start = { START };
	const hm_pa_t pa = { MEMORY };

	make_cells();
	memset(program.free, true, sizeof(program.free));
	memset(program.limbo, false, sizeof(program.limbo));
	program.free[ROOT] = false;
	hm_machine_set_root(ROOT);
	if (hm_direct_map_init(&program.map, start, program.end - START, false))
		hm_machine_violation("no map");
	while (hm_direct_map_add(&program.map, NULL, start, program.end - START,
				 hm_arm64_leaf(pa, 0, HM_ARM64_KERNEL_RW)))
		; /* alloc_table() fails by chance */
	program.cells[0].key = HM_KEY_PGTABLES;
	while (hm_direct_map_set_pkey(&program.map, NULL, start, HM_MACHINE_PAGES * PAGE,
				      HM_KEY_PGTABLES))
		;
	hm_machine_settle();
	hm_machine_set_linear(START);
}

struct program_result program_run(struct hm_machine *machine, const uint8_t *bytes, size_t size)
{
	struct hm_machine_config config = { .vector = vector,
					    .bbm_level = 3,
					    .alloc_table = alloc_table,
					    .free_table = free_table,
					    .break_range = break_range,
					    .mend_range = mend_range };
	struct program_result result;
	unsigned int i, level;

	memset(&program, 0, sizeof(program));
	program.bytes = bytes;
	program.left = size;
	config.cpus = 1 + next_byte() % 3;
	program.threads = 1 + next_byte() % THREADS;
	config.has_tlbi_range = next_byte() & 1;
	config.interleave = next_byte() / 8;
	config.interrupt = next_byte() / 32;
	level = next_byte();
	for (i = 0; i < 4; i++)
		config.seed = config.seed << 8 | next_byte();
	if (HM_MACHINE_KEYS && config.seed & 1) {
		config.key_style = config.seed & 2 ? HM_KEY_STYLE_STORE : HM_KEY_STYLE_WINDOW;
		config.start = start_cpu;
	}
	hm_machine_start(machine, &config);
	if (config.start)
		config.start(); /* the boot CPU, which sets up the tables */
	make_map();
	program.keys = config.start;
	machine->config.bbm_level = level & 1 ? 3 : level >> 1 & 3;
	for (i = 0; i < program.threads; i++) {
		program.workers[i].number = i;
		hm_machine_thread(body, &program.workers[i]);
	}
	hm_machine_run();
	if (machine->bugs)
		hm_machine_violation("HM_BUG");
	result.events = machine->now;
	result.operations = program.operations;
	result.accesses = machine->accesses;
	result.interrupts = machine->interrupts;
	result.migrations = machine->migrations;
	return result;
}
