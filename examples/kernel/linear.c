/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * linear.c -- the linear map under hm_direct_map.
 *
 * The spare memory, which nobody allocates, is divided into strips, of 2M with any granule. Of a
 * strip
 *
 *	page 0     is a worker's: it writes it and reads it back, all the time
 *	page 1     has a stamp, which all workers go on reading; it may be made read-only meanwhile
 *	others     nobody touches but the thread that changes them
 *
 * Workers do not write to the last strips at all: there whole ranges become read-only.
 */
#include "linear.h"

#include <hardmap/direct_map.h>

#include "exception.h"
#include "insn_count.h"
#include "layout.h"
#include "linear_map.h"
#include "tables.h"
#include "thread.h"
#include "uart.h"

#define STRIP_BYTES UINT64_C(0x200000)
#define STRIPS ((unsigned int)((RAM_END - SPARE_PA) / STRIP_BYTES))
#define WRITTEN_STRIPS (STRIPS / 4 * 3)
#define STRIP_PAGES ((unsigned int)(STRIP_BYTES / PAGE_SIZE))
#define STAMP UINT64_C(0x57a3900000000000)
#define ROUNDS 4

static struct thread workers[MAX_CPUS];
static unsigned int worker_count;
static uint64_t worker_rounds[MAX_CPUS];
static bool workers_stop;

/* Pages of the image's own, which boot mapped by pages. The middle one is a page away from every
 * stack, which the module keeps writable with what is beside it. */
static _Alignas(PAGE_SIZE) char image_pages[3][PAGE_SIZE];

static void must(int error, const char *what)
{
	if (error)
		panic("%s: error %d", what, error);
}

/* ---- workers ---- */

static uint64_t page_of(unsigned int strip, unsigned int page)
{
	return LINEAR_BASE + SPARE_PA + strip * STRIP_BYTES + page * (uint64_t)PAGE_SIZE;
}

/* The n-th word that a worker writes to its page of a strip, and where. */
static uint64_t *written_at(unsigned int strip, uint64_t n)
{
	return (uint64_t *)page_of(strip, 0) + n % (PAGE_SIZE / sizeof(uint64_t));
}

static void work_on(unsigned int strip, uint64_t round)
{
	volatile uint64_t *last = written_at(strip, round - 1), *next = written_at(strip, round);
	const uint64_t value = (uint64_t)(uintptr_t)last ^ round;

	if (round && *last != value)
		panic("strip %u lost what was written to it: %lx, not %lx", strip,
		      (unsigned long)*last, (unsigned long)value);
	*next = (uint64_t)(uintptr_t)next ^ (round + 1);
}

static void check_stamp(unsigned int strip)
{
	uint64_t found = *(volatile uint64_t *)page_of(strip, 1);

	if (found != (STAMP | strip))
		panic("strip %u has the stamp %lx", strip, (unsigned long)found);
}

/* What the map says about itself, while others change it. */
static void check_translation(uint64_t address)
{
	const hm_va_t va = { address };
	struct hm_direct_map_info info;

	linear_map_lock();
	if (hm_direct_map_query(&linear_map, va, &info) || info.pa.val != address - LINEAR_BASE)
		panic("page %lx leads elsewhere", (unsigned long)address);
	linear_map_unlock();
}

static void worker(void *argument)
{
	const unsigned int self = (unsigned int)(uintptr_t)argument;
	unsigned int strip;
	uint64_t round;

	for (round = 0; !__atomic_load_n(&workers_stop, __ATOMIC_RELAXED); round++) {
		for (strip = self; strip < WRITTEN_STRIPS; strip += worker_count)
			work_on(strip, round);
		for (strip = 0; strip < STRIPS; strip++)
			check_stamp(strip);
		check_translation(page_of((unsigned int)(round % STRIPS), 0));
		__atomic_store_n(&worker_rounds[self], round + 1, __ATOMIC_RELAXED);
	}
	hm_context_assert_idle();
}

/* Returns when each has done all of it once more. */
static void wait_for_workers(void)
{
	unsigned int i;

	for (i = 0; i < worker_count; i++) {
		uint64_t before = __atomic_load_n(&worker_rounds[i], __ATOMIC_RELAXED);

		while (__atomic_load_n(&worker_rounds[i], __ATOMIC_RELAXED) == before)
			thread_yield();
	}
}

static void start_workers(unsigned int cpus)
{
	uintptr_t i;

	for (i = 0; i < STRIPS; i++)
		*(uint64_t *)page_of((unsigned int)i, 1) = STAMP | i;
	worker_count = cpus;
	for (i = 0; i < cpus; i++)
		thread_create(&workers[i], "worker", worker, (void *)i);
	wait_for_workers();
}

static uint64_t stop_workers(void)
{
	uint64_t rounds = 0;
	unsigned int i;

	wait_for_workers();
	__atomic_store_n(&workers_stop, true, __ATOMIC_RELAXED);
	while (!sched_all_done())
		thread_yield();
	for (i = 0; i < worker_count; i++)
		rounds += worker_rounds[i];
	return rounds;
}

/* ---- output ---- */

static void put_line(const char *text, void *argument)
{
	(void)argument;
	console_printf("  %s\n", text);
}

static void draw(const char *what)
{
	console_printf("  %s\n", what);
	linear_map_lock();
	hm_direct_map_print(&linear_map, put_line, NULL);
	linear_map_unlock();
	console_printf("\n");
}

void linear_print_header(void)
{
	unsigned int level;

	console_printf("  %-26s", "leaves and tables by level");
	for (level = 0; level <= HM_PORT_PGTABLE_BLOCK_LEVEL; level++)
		console_printf("  leaves %u", level);
	console_printf("    groups");
	for (level = 0; level < HM_PORT_PGTABLE_LEVELS - 1; level++)
		console_printf("  tables %u", level);
	console_printf("\n");
}

void linear_print_statistics(const char *what, const struct hm_direct_map_statistics *statistics)
{
	unsigned long groups = 0;
	unsigned int level;

	console_printf("  %-26s", what);
	for (level = 0; level <= HM_PORT_PGTABLE_BLOCK_LEVEL; level++) {
		console_printf("%'10lu", (unsigned long)statistics->leaves[level]);
		groups += statistics->groups[level];
	}
	console_printf("%'10lu", groups);
	for (level = 0; level < HM_PORT_PGTABLE_LEVELS - 1; level++)
		console_printf("%'10lu", (unsigned long)statistics->tables[level]);
	console_printf("\n");
}

static void print_counts(uint64_t rounds)
{
	const struct hm_direct_map_counts *n = &linear_map.counts;
	uint64_t tlbi = 0;
	unsigned int kind;

	for (kind = HM_INSN_TLBI_VMALLE1IS; kind <= HM_INSN_TLBI_RVAALE1IS; kind++)
		tlbi += insn_counted((enum hm_insn_kind)kind);
	console_printf("\n  blocks split %'lu, joined %'lu; groups unfolded %'lu, folded %'lu\n",
		       (unsigned long)n->splits, (unsigned long)n->collapses,
		       (unsigned long)n->unfolds, (unsigned long)n->folds);
	console_printf("  entries written %'lu; invalidations %'lu, by %'lu TLBI\n",
		       (unsigned long)n->entries, (unsigned long)n->invalidations,
		       (unsigned long)tlbi);
	console_printf("  meanwhile threads wrote, read back and went on %'lu times\n\n",
		       (unsigned long)(rounds * WRITTEN_STRIPS / worker_count));
}

/* Joins all; then the pool of tables gives back what held those that are gone. */
static int try_collapse(void)
{
	int error;

	linear_map_lock();
	error = hm_direct_map_collapse(&linear_map, linear_map.start, linear_map.bytes);
	linear_map_unlock();
	tables_reclaim();
	return error;
}

/* The map consists of what it consisted of then. */
static void check_same(const struct hm_direct_map_statistics *then)
{
	const struct hm_direct_map_statistics now = linear_map_count();
	unsigned int level;

	if (!linear_map_is_same(then, &now, &level))
		panic("level %u of the linear map is not what it was", level);
}

/* ---- changes ---- */

/* What is made of a page or range. */
enum change { READONLY, EXECUTABLE, INVALID, TABLES, CHANGES };

static int try_change(uint64_t address, uint64_t bytes, enum change change)
{
	struct hm_direct_map_reserve reserve = { { 0 }, 0 };
	const hm_va_t va = { address };
	int error = tables_reserve(&reserve);

	if (error)
		return error;
	linear_map_lock();
	if (change == READONLY)
		error = hm_direct_map_set_permission(&linear_map, &reserve, va, bytes,
						     HM_PERMISSION_RO);
	else if (change == EXECUTABLE)
		error = hm_direct_map_set_permission(&linear_map, &reserve, va, bytes,
						     HM_PERMISSION_ROX);
	else if (change == INVALID)
		error = hm_direct_map_set_permission(&linear_map, &reserve, va, bytes,
						     HM_PERMISSION_INVALID);
	else
		error = hm_direct_map_set_pkey(&linear_map, &reserve, va, bytes, HM_KEY_PGTABLES);
	linear_map_unlock();
	hm_direct_map_release(&reserve);
	return error;
}

static void restore(uint64_t address, uint64_t bytes)
{
	const hm_va_t va = { address };

	linear_map_lock();
	must(hm_direct_map_set_permission(&linear_map, NULL, va, bytes, HM_PERMISSION_VALID),
	     "valid");
	must(hm_direct_map_set_pkey(&linear_map, NULL, va, bytes, HM_KEY_DEFAULT), "no key");
	linear_map_unlock();
}

/* Why an access to the page faulted; there has to be a syndrome. */
static enum hm_kpkeys_fault why(uint64_t address, uint64_t syndrome)
{
	const hm_va_t va = { address };
	unsigned int level;

	if (!syndrome)
		panic("an access to %lx did not fault", (unsigned long)address);
	return hm_kpkeys_why(syndrome, hm_pgtable_leaf(va, &level).val);
}

/* A page with a key takes an ordinary store, of what is there, or none, as the CPUs protect it. */
static void check_key(uint64_t address, uint64_t value)
{
	const uint64_t syndrome = exception_try_store(address, value);
	enum hm_kpkeys_fault due = HM_KPKEYS_FAULT_KEY;

	if (hm_kpkeys_style() == HM_KEY_STYLE_STORE)
		due = HM_KPKEYS_FAULT_STORE_KEY;
	if (hm_kpkeys_style() == HM_KEY_STYLE_NONE) {
		if (syndrome)
			panic("page %lx cannot be written", (unsigned long)address);
	} else if (why(address, syndrome) != due) {
		panic("page %lx: another fault", (unsigned long)address);
	}
}

/* A page does what it is to do, and nothing else. */
static void check(uint64_t address, enum change change)
{
	static const enum hm_permission permissions[CHANGES] = {
		HM_PERMISSION_RO, HM_PERMISSION_ROX, HM_PERMISSION_INVALID, HM_PERMISSION_RW
	};
	const hm_va_t va = { address };
	struct hm_direct_map_info info;
	uint64_t before = 0;

	linear_map_lock();
	must(hm_direct_map_query(&linear_map, va, &info), "query");
	if (info.pa.val != address - LINEAR_BASE || info.permission != permissions[change] ||
	    info.key != (change == TABLES ? HM_KEY_PGTABLES : HM_KEY_DEFAULT))
		panic("page %lx is not as it was made", (unsigned long)address);
	if (change == INVALID) {
		if (why(address, exception_try_load(address)) != HM_KPKEYS_FAULT_NOT_MAPPED)
			panic("page %lx: another fault", (unsigned long)address);
	} else {
		before = *(volatile uint64_t *)address;
	}
	if (change == READONLY || change == EXECUTABLE) {
		if (why(address, exception_try_store(address, ~before)) !=
		    HM_KPKEYS_FAULT_PERMISSION)
			panic("page %lx: another fault", (unsigned long)address);
		if (*(volatile uint64_t *)address != before)
			panic("page %lx was written", (unsigned long)address);
	} else if (change == TABLES) {
		check_key(address, before);
	}
	linear_map_unlock();
}

/* ---- rounds ---- */

struct range {
	uint64_t address, bytes;
	enum change change;
};

#define RANGES (1 + 3 * STRIPS)

/* What a round changes, in this order: a range of strips becomes read-only; and in every third strip
 * a page, some pages in a row, and the page with the stamp. False: nothing by that number. */
static bool range_of(unsigned int round, unsigned int number, struct range *range)
{
	const unsigned int strip = (number - 1) / 3, kind = (number - 1) % 3;
	unsigned int page = 1, pages = 1;

	if (!number) {
		range->address = page_of(WRITTEN_STRIPS + round, 3);
		range->bytes = page_of(STRIPS - 1 - round, 3) - range->address;
		range->change = READONLY;
		return true;
	}
	if ((strip + round) % 3)
		return false;
	range->change = (enum change)((strip / 3 + kind + round) % CHANGES);
	/* Of what is read-only already a page of tables would be no test. */
	if (kind == 2 || (strip >= WRITTEN_STRIPS && range->change == TABLES))
		range->change = READONLY;
	if (kind == 0) {
		page = 24 + (strip * 37 + round * 11) % (STRIP_PAGES - 24);
	} else if (kind == 1) {
		page = 4;
		pages = 2 + (strip + round) % 16;
	}
	range->address = page_of(strip, page);
	range->bytes = pages * (uint64_t)PAGE_SIZE;
	return true;
}

/* A store, so that this CPU's TLB holds what is to change: it shows if nobody invalidates it. */
static void touch(uint64_t address)
{
	volatile uint64_t *word = (volatile uint64_t *)address;

	*word = *word;
}

static unsigned int change_scattered(unsigned int round)
{
	unsigned int number, changed = 0;
	struct range range;

	for (number = 0; number < RANGES; number++) {
		if (!range_of(round, number, &range))
			continue;
		touch(range.address);
		touch(range.address + range.bytes - PAGE_SIZE);
	}
	for (number = 0; number < RANGES; number++) {
		if (!range_of(round, number, &range))
			continue;
		must(try_change(range.address, range.bytes, range.change), "change");
		changed++;
	}
	return changed;
}

static void check_scattered(unsigned int round)
{
	unsigned int number;
	struct range range;

	for (number = 0; number < RANGES; number++) {
		if (!range_of(round, number, &range))
			continue;
		check(range.address, range.change);
		check(range.address + range.bytes - PAGE_SIZE, range.change);
	}
}

/* Where text is executed beside it. */
static void change_image_page(void)
{
	const uint64_t address = (uintptr_t)image_pages[1];

	touch(address);
	must(try_change(address, PAGE_SIZE, READONLY), "a page of the image");
	check(address, READONLY);
	restore(address, PAGE_SIZE);
}

/* What the collapsed map consists of comes back after each round. */
static void change_and_restore(void)
{
	struct hm_direct_map_statistics collapsed, changed;
	unsigned int round, ranges = 0;

	must(try_collapse(), "collapse");
	if (!linear_map.counts.folds)
		panic("the linear map has no contiguous groups");
	draw("collapsed");
	collapsed = linear_map_count();
	for (round = 0; round < ROUNDS; round++) {
		ranges += change_scattered(round);
		check_scattered(round);
		change_image_page();
		if (!round) {
			draw("changed here and there");
			changed = linear_map_count();
		}
		restore(LINEAR_BASE + SPARE_PA, RAM_END - SPARE_PA);
		must(try_collapse(), "collapse");
		check_same(&collapsed);
	}
	draw("restored and collapsed");
	linear_print_header();
	linear_print_statistics("collapsed", &collapsed);
	linear_print_statistics("changed here and there", &changed);
	changed = linear_map_count();
	linear_print_statistics("restored and collapsed", &changed);
	console_printf("\n  changed, seen to hold, and restored: %'u ranges in %u rounds\n", ranges,
		       ROUNDS);
}

static void must_be_busy(int error, const char *what)
{
	if (error != -HM_EBUSY)
		panic("%s below BBM level 3: %d", what, error);
}

/* Below BBM level 3: nothing that changes a size; all else. */
static void change_no_sizes(void)
{
	const struct hm_direct_map_statistics before = linear_map_count();
	const hm_va_t page = { page_of(0, 2) };
	const uint64_t block = UINT64_C(1) << hm_port_pgtable_shift(1);

	must_be_busy(try_change(page.val, PAGE_SIZE, READONLY), "a page of a block");
	must_be_busy(try_collapse(), "a collapse");
	linear_map_lock();
	must_be_busy(hm_direct_map_split(&linear_map, NULL, page, PAGE_SIZE), "a split");
	linear_map_unlock();

	must(try_change(page_of(0, 0), block, TABLES), "a block");
	check(page.val, TABLES);
	restore(page_of(0, 0), block);
	change_image_page();
	check_same(&before);
	linear_print_header();
	linear_print_statistics("as boot made it", &before);
	console_printf(
		"\n  sizes cannot change live: changes in a block, split and collapse are refused\n"
		"  (-HM_EBUSY); a whole block's key and a page's permission changed and came back\n");
}

void linear_demonstrate(unsigned int cpus)
{
	const unsigned int level = hm_port_bbm_level();

	console_printf("  the kernel's linear map, %u threads in it; BBM level %u\n\n", cpus,
		       level);
	start_workers(cpus);
	draw("as boot made it");
	if (level >= 3)
		change_and_restore();
	else
		change_no_sizes();
	print_counts(stop_workers());
}
