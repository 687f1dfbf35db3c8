/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* code.c -- see code.h. */
#include "code.h"

#include <code_arm64.h>

#include "code_cache.h"
#include "cpu.h"
#include "exception.h"
#include "linear.h"
#include "linear_map.h"
#include "pages.h"
#include "string.h"
#include "tables.h"
#include "thread.h"
#include "uart.h"

#define CALLS 200 /* by each CPU */
#define LOADS_BESIDE 100
#define PATCHES 100
#define LOOPS 100 /* between two patches, at least */
/* Of the picture: so many of 5/4 characters each, which is more than a block. */
#define PIECES 56
#define PIECE_BYTES (CODE_BLOCK / 64 * 5 / 4)
/* After so many scans an arena remembers no demand: each halves it. */
#define SCANS 20

enum { SUM, HASH, CALL, PATCHED, FUNCTIONS };

static int relocate_call(struct hm_rox_cache *cache, hm_rox_cache_writer_t writer, hm_va_t code,
			 void *argument);

static const struct source {
	const char *name, *start, *end;
	int (*relocate)(struct hm_rox_cache *, hm_rox_cache_writer_t, hm_va_t, void *);
} sources[FUNCTIONS] = {
	[SUM] = { "sum", code_sum, code_sum_end, NULL },
	[HASH] = { "hash", code_hash, code_hash_end, NULL },
	[CALL] = { "call", code_call, code_call_end, relocate_call },
	[PATCHED] = { "patched", code_patched, code_patched_end, NULL },
};

/* The cache, the linear map and the memory at one time. */
struct sight {
	struct hm_rox_cache_statistics cache;
	struct hm_direct_map_statistics map;
	unsigned int taken; /* pages that are not free */
};

static hm_va_t functions[FUNCTIONS], pieces[PIECES];
static struct thread callers[MAX_CPUS], runner;
static uint64_t calls[MAX_CPUS];
static uint64_t runs;
static volatile uint64_t ways[2]; /* that the patched function came by */
static uint32_t stop;

static void must(int error, const char *what)
{
	if (error)
		panic("%s: error %d", what, error);
}

/* ---- output ---- */

static void put_line(const char *text, void *lines)
{
	++*(unsigned int *)lines;
	console_printf("  %s\n", text);
}

static void draw(const char *what)
{
	unsigned int lines = 0;

	console_printf("  %s\n", what);
	hm_rox_cache_print(&code_cache, put_line, &lines);
	console_printf(lines ? "\n" : "  no block\n\n");
}

static void line(const char *what, uint64_t n)
{
	console_printf("  %-34s %'14lu\n", what, (unsigned long)n);
}

static struct sight look(void)
{
	struct sight now;

	tables_reclaim();
	hm_rox_cache_statistics(&code_cache, &now.cache);
	now.map = linear_map_count();
	now.taken = pages_taken();
	return now;
}

/* ---- functions ---- */

static uint64_t callee(uint64_t x)
{
	return 3 * x;
}

static int relocate_call(struct hm_rox_cache *cache, hm_rox_cache_writer_t writer, hm_va_t code,
			 void *argument)
{
	const hm_va_t at = { code.val + (uint64_t)(code_call_target - code_call) };
	const uint64_t target = (uintptr_t)callee;

	(void)argument;
	return hm_rox_cache_copy(cache, writer, at, &target, sizeof(target));
}

static hm_va_t load(unsigned int function)
{
	const struct source *source = &sources[function];
	hm_va_t code;

	must(hm_rox_cache_load(&code_cache, &code_near, source->start,
			       (uint64_t)(source->end - source->start), 64, HM_ROX_CACHE_MAY_SLEEP,
			       source->relocate, NULL, &code),
	     source->name);
	return code;
}

/* Of each what is known of it. */
static void call(unsigned int function, hm_va_t code)
{
	bool right = true;

	if (function == SUM)
		right = ((code_sum_fn *)code.val)(1000) == 500500;
	else if (function == HASH)
		right = ((code_hash_fn *)code.val)("foobar", 6) == 0x85944171f73967e8;
	else if (function == CALL)
		right = ((code_call_fn *)code.val)(14) == 43;
	if (!right)
		panic("the function %s at %lx is wrong", sources[function].name,
		      (unsigned long)code.val);
}

/* ---- on every CPU ---- */

static bool all_called(unsigned int cpus)
{
	unsigned int cpu;

	for (cpu = 0; cpu < cpus; cpu++)
		if (__atomic_load_n(&calls[cpu], __ATOMIC_RELAXED) < CALLS)
			return false;
	return true;
}

static void caller_thread(void *cpus)
{
	unsigned int function;
	uint64_t flags;

	while (!all_called((unsigned int)(uintptr_t)cpus)) {
		flags = irq_save();
		for (function = SUM; function <= CALL; function++)
			call(function, functions[function]);
		__atomic_fetch_add(&calls[cpu_id()], 1, __ATOMIC_RELAXED);
		irq_restore(flags);
		thread_yield();
	}
}

static void wait_for_threads(void)
{
	while (!sched_all_done())
		thread_yield();
}

static void call_on_every_cpu(unsigned int cpus)
{
	unsigned int i;

	for (i = 0; i < FUNCTIONS; i++)
		functions[i] = load(i);
	for (i = 0; i < cpus; i++)
		thread_create(&callers[i], "caller", caller_thread, (void *)(uintptr_t)cpus);
	wait_for_threads();
	console_printf("  loaded %u functions; each called on %u CPUs, with the right result\n",
		       FUNCTIONS, cpus);
}

/* ---- beside code that runs ---- */

static void runner_thread(void *ignored)
{
	(void)ignored;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		call(SUM, functions[SUM]);
		__atomic_fetch_add(&runs, 1, __ATOMIC_RELAXED);
	}
}

static void start_runner(void (*thread)(void *))
{
	__atomic_store_n(&stop, 0, __ATOMIC_RELAXED);
	thread_create(&runner, "runner", thread, NULL);
}

static void stop_runner(void)
{
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	wait_for_threads();
}

static void wait_for_runs(uint64_t n)
{
	const uint64_t start = __atomic_load_n(&runs, __ATOMIC_RELAXED);

	while (__atomic_load_n(&runs, __ATOMIC_RELAXED) - start < n)
		thread_yield();
}

static void write_beside(void)
{
	unsigned int i;

	start_runner(runner_thread);
	wait_for_runs(1);
	for (i = 0; i < LOADS_BESIDE; i++) {
		const hm_va_t code = load(HASH);

		if ((code.val ^ functions[SUM].val) / PAGE_SIZE)
			panic("%lx is in another page", (unsigned long)code.val);
		call(HASH, code);
		must(hm_rox_cache_free(&code_cache, code), "free");
	}
	wait_for_runs(1);
	stop_runner();
	console_printf("  in the page of one that ran %'lu times meanwhile: %u loaded, called and "
		       "freed\n",
		       (unsigned long)runs, LOADS_BESIDE);
}

/* ---- patched while it runs ---- */

static void patched_thread(void *ignored)
{
	(void)ignored;
	((code_patched_fn *)functions[PATCHED].val)(ways, &stop);
}

static void wait_for_way(unsigned int way, uint64_t n)
{
	const uint64_t start = ways[way];

	while (ways[way] - start < n)
		thread_yield();
}

/*
 * Twice what hardware needs once. IC IVAU is nothing to QEMU: it drops a translation when it sees a store to
 * what it was made of, and another CPU may be making one meanwhile, of what is there before the store. When
 * all CPUs have synchronised none is being made any more, and the second store drops it.
 */
static void patch_for_emulator(hm_va_t site, uint32_t instruction)
{
	must(hm_rox_cache_patch(&code_cache, site, instruction), "patch");
	must(hm_rox_cache_patch(&code_cache, site, instruction), "patch");
}

/* From then on nobody goes the way that there was, but who was on it already, once. */
static void patch(void)
{
	const hm_va_t site = { functions[PATCHED].val +
			       (uint64_t)(code_patched_site - code_patched) };
	unsigned int i;

	start_runner(patched_thread);
	wait_for_way(0, LOOPS);
	for (i = 1; i <= PATCHES; i++) {
		const unsigned int way = i % 2;
		uint64_t gone;

		patch_for_emulator(site, way ? CODE_SECOND : CODE_FIRST);
		gone = ways[!way];
		wait_for_way(way, LOOPS);
		if (ways[!way] - gone > 1)
			panic("what was patched was executed: %lu times",
			      (unsigned long)(ways[!way] - gone));
	}
	stop_runner();
	console_printf(
		"  a B that became a NOP, and back, %u times, in a loop that went %'lu times by the "
		"one and %'lu by the other\n",
		PATCHES, (unsigned long)ways[0], (unsigned long)ways[1]);
}

/* ---- what is refused ---- */

static enum hm_kpkeys_fault why(uint64_t address, uint64_t syndrome)
{
	const hm_va_t va = { address };
	unsigned int level;

	return hm_kpkeys_why(syndrome, hm_pgtable_leaf(va, &level).val);
}

static void refused(const char *what, uint64_t address, uint64_t syndrome, enum hm_kpkeys_fault due)
{
	enum hm_kpkeys_fault found;

	if (!syndrome)
		panic("%s went through", what);
	found = why(address, syndrome);
	if (found != due)
		panic("%s was refused for another reason: %s", what, hm_kpkeys_why_text(found));
	console_printf("  %-30s refused: %s\n", what, hm_kpkeys_why_text(found));
}

/* Writable or executable, never both; and that only in a window. */
static void attack(void)
{
	/* Of a store to the alias, and of a call of it: no level executes it. */
	static const enum hm_kpkeys_fault due[][2] = {
		[HM_KEY_STYLE_NONE] = { HM_KPKEYS_FAULT_PERMISSION, HM_KPKEYS_FAULT_PERMISSION },
		[HM_KEY_STYLE_WINDOW] = { HM_KPKEYS_FAULT_KEY, HM_KPKEYS_FAULT_KEY },
		[HM_KEY_STYLE_STORE] = { HM_KPKEYS_FAULT_STORE_KEY, HM_KPKEYS_FAULT_PERMISSION },
	};
	const enum hm_kpkeys_fault store = due[hm_kpkeys_style()][0];
	const enum hm_kpkeys_fault execute = due[hm_kpkeys_style()][1];
	const uint64_t code = functions[SUM].val;
	const uint64_t alias = (uintptr_t)hm_port_rox_cache_at(&code_cache, functions[SUM]);
	const uint64_t word = *(const volatile uint64_t *)alias;
	hm_rox_cache_writer_t writer;
	uint64_t syndrome;

	console_printf("\n");
	refused("a store where it executes", code, exception_try_store(code, ~word),
		HM_KPKEYS_FAULT_PERMISSION);
	refused("a store to its alias", alias, exception_try_store(alias, ~word), store);
	refused("a call of its alias", alias, exception_try_call(alias), execute);

	must(hm_rox_cache_write_begin(&code_cache, functions[SUM], sizeof(word), &writer), "write");
	refused("in a window, the same: a store", code, exception_try_store(code, ~word),
		HM_KPKEYS_FAULT_PERMISSION);
	refused("  a call of its alias", alias, exception_try_call(alias), execute);
	syndrome = exception_try_store(alias, word);
	if (hm_kpkeys_style() == HM_KEY_STYLE_STORE)
		refused("  a store to its alias", alias, syndrome, store);
	else if (syndrome)
		panic("a window is not open");
	call(SUM, functions[SUM]);
	must(hm_rox_cache_write_end(&code_cache, writer), "write");
	refused("after it: a store to its alias", alias, exception_try_store(alias, ~word), store);
	call(SUM, functions[SUM]);
	console_printf("\n");
}

/* ---- blocks ---- */

/* Piece by piece: what is not written is traps. */
static hm_va_t load_piece(void)
{
	const uint64_t bytes = (uint64_t)(code_sum_end - code_sum);
	hm_rox_cache_writer_t writer;
	hm_va_t code;

	must(hm_rox_cache_alloc(&code_cache, &code_near, PIECE_BYTES, 64, HM_ROX_CACHE_MAY_SLEEP,
				&code),
	     "alloc");
	must(hm_rox_cache_write_begin(&code_cache, code, bytes, &writer), "write");
	must(hm_rox_cache_copy(&code_cache, writer, code, code_sum, bytes), "copy");
	must(hm_rox_cache_write_end(&code_cache, writer), "write");
	return code;
}

/* An address that was of use, and is not any more. */
static void call_freed(hm_va_t code)
{
	const uint64_t syndrome = exception_try_call(code.val);

	if (syndrome >> 26 != 0x3c)
		panic("a call of freed code: ESR %lx", (unsigned long)syndrome);
}

static void fill(void)
{
	unsigned int i;

	for (i = 0; i < PIECES; i++)
		pieces[i] = load_piece();
	for (i = 0; i < PIECES; i++)
		call(SUM, pieces[i]);
	draw("full, and more: the next block");
}

static void free_some(void)
{
	unsigned int i;

	for (i = 0; i < PIECES; i += 3)
		must(hm_rox_cache_free(&code_cache, pieces[i]), "free");
	draw("every third one is freed");
	call_freed(pieces[0]);
	call_freed(pieces[PIECES / 6 * 3]);
	for (i = 0; i < PIECES; i++)
		if (i % 3)
			call(SUM, pieces[i]);
}

static void free_all(void)
{
	unsigned int i;

	for (i = 0; i < PIECES; i++)
		if (i % 3)
			must(hm_rox_cache_free(&code_cache, pieces[i]), "free");
	for (i = 0; i < FUNCTIONS; i++)
		must(hm_rox_cache_free(&code_cache, functions[i]), "free");
	console_printf("\n");
	draw("all is freed");
	for (i = 0; i < SCANS; i++)
		(void)hm_rox_cache_shrink_scan(&code_cache, ~UINT64_C(0));
	draw("and given back");
}

/* ---- all of it ---- */

static void report(const struct sight *before, const struct sight *full, const struct sight *after)
{
	const struct hm_rox_cache_counts *n = &after->cache.counts;

	line("ranges of code, in all", n->allocs);
	line("blocks of memory taken for them", n->grown);
	line("given back whole", n->given);
	line("windows", n->windows);
	line("changes of permission for them", n->flips);
	line("times all CPUs were synchronised", n->synchronised);
	line("bytes written", n->written);
	line("with most: bytes of code", full->cache.live_bytes);
	line("  of what its blocks hold", full->cache.held_bytes);
	console_printf("\n");
	linear_print_header();
	linear_print_statistics("before", &before->map);
	linear_print_statistics("with most code", &full->map);
	linear_print_statistics("after it", &after->map);
	console_printf("\n");
}

/* The kernel has what it had. */
static void check(const struct sight *before, const struct sight *after)
{
	const struct hm_rox_cache_statistics *cache = &after->cache;
	unsigned int level;

	if (cache->blocks || cache->live || cache->parked_ranges || cache->held_blocks)
		panic("the code cache has something left");
	if (cache->counts.given != cache->counts.grown || cache->counts.failures ||
	    cache->counts.parked)
		panic("a block came back otherwise");
	if (hm_kpkeys_style() != HM_KEY_STYLE_NONE && cache->counts.flips)
		panic("a window changed permissions");
	if (!linear_map_is_same(&before->map, &after->map, &level))
		panic("level %u of the linear map is not what it was", level);
	if (before->taken != after->taken)
		panic("memory is missing");
}

void code_demonstrate(unsigned int cpus)
{
	static const char *const windows[] = {
		[HM_KEY_STYLE_NONE] = "changes of permission",
		[HM_KEY_STYLE_WINDOW] = "the key register",
		[HM_KEY_STYLE_STORE] = "keyed stores",
	};
	const struct sight before = look();
	struct sight full, after;

	console_printf("  code for the kernel, in blocks of %luM, written by %s\n\n",
		       (unsigned long)(CODE_BLOCK >> 20), windows[hm_kpkeys_style()]);
	draw("before");
	call_on_every_cpu(cpus);
	write_beside();
	patch();
	attack();
	fill();
	full = look();
	free_some();
	free_all();
	after = look();
	report(&before, &full, &after);
	check(&before, &after);
}
