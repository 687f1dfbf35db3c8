/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * main.c -- uses a cache of code, and counts the instructions that QEMU retires meanwhile (-icount shift=0).
 * Prints a line for each case: instructions, calls, bytes of a call, name.
 *
 *          Counted is each call by itself, in a function that does nothing else; the call of that function
 *          and its return are not. Locks and other CPUs are the port's and cost nothing here.
 *
 * CONFIG   BENCH_STYLE  of hardmap_port.h
 *          BENCH_ALIVE  1: what an allocation and a free cost, not what writing does
 *          BENCH_FAULT  what the reader has to notice. 1: a call takes a sixteenth more than needed, and two
 *                       instructions; 2: a call does something for each range that is alive */
#include <hardmap/direct_map.h>
#include <hardmap/rox_cache.h>

#include "../bare/pmu.h"
#include "../bare/uart.h"

#ifndef BENCH_FAULT
#define BENCH_FAULT 0
#endif
#ifndef BENCH_ALIVE
#define BENCH_ALIVE 0
#endif
#define PAGE UINT64_C(4096)
#define CODE UINT64_C(0xffff800000000000) /* addresses of code */
#define BLOCKS 1024u
#define LINEAR \
	UINT64_C(0xffff000000000000) /* of one GiB of memory, of which the block is the third */
#define BLOCK_AT (LINEAR + 2 * BENCH_BLOCK)
#define GIB (UINT64_C(1) << 30)
#define TABLES 16u
#define RANGES 220000u
#define LARGEST 20480u /* bytes of code: as a module of tests/data has on the average */

struct hm_context bench_context;
static _Alignas(4096) hm_pte_t root[HM_PORT_PGTABLE_ENTRIES];
hm_pte_t *const bench_root = root;
static _Alignas(4096) hm_pte_t tables[TABLES][HM_PORT_PGTABLE_ENTRIES];
static hm_pa_t free_tables[TABLES];
static unsigned int n_tables, n_blocks;
static struct hm_rox_cache_range ranges[RANGES], *free_ranges;
static struct hm_direct_map map;
static struct hm_rox_cache cache;
static struct hm_rox_cache_arena arena;
static _Alignas(16) unsigned char source[LARGEST];
static int error;

/* Beside memset() of boot.S, what compilers call by themselves. */
void *memcpy(void *to, const void *from, unsigned long bytes);
void *memcpy(void *to, const void *from, unsigned long bytes)
{
	unsigned char *out = to;
	const unsigned char *in = from;

	while (bytes--) {
		*out++ = *in++;
		__asm__ volatile(""); /* or it would be made a call of itself */
	}
	return to;
}

/* ---- the kernel below ---- */

bool bench_table(hm_pa_t *table)
{
	if (!n_tables)
		return false;
	*table = free_tables[--n_tables];
	return true;
}

void bench_free_table(hm_pa_t table)
{
	free_tables[n_tables++] = table;
}

/* One after the other. */
bool bench_blocks(unsigned int n, hm_va_t *code)
{
	const uint64_t next = CODE + n_blocks * BENCH_BLOCK;

	if ((code->val && code->val != next) || BLOCKS - n_blocks < n)
		return false;
	code->val = next;
	n_blocks += n;
	return true;
}

int bench_alias(uint64_t offset, uint64_t bytes, bool writable)
{
	const hm_va_t va = { BLOCK_AT + offset };
	int failed = hm_direct_map_set_permission(&map, 0, va, bytes,
						  writable ? HM_PERMISSION_RW : HM_PERMISSION_RO);

	if (!failed && !writable)
		failed = hm_direct_map_collapse(&map, va, bytes);
	return failed;
}

struct hm_rox_cache_range *bench_range(void)
{
	struct hm_rox_cache_range *range = free_ranges;

	if (range)
		free_ranges = range->next;
	return range;
}

void bench_free_range(struct hm_rox_cache_range *range)
{
	range->next = free_ranges;
	free_ranges = range;
}

static void start_kernel(void)
{
	const hm_va_t start = { LINEAR };
	const hm_pa_t memory = { BENCH_MEMORY & ~(GIB - 1) };
	unsigned int i;

	for (i = 0; i < TABLES; i++) {
		const hm_pa_t table = { (uintptr_t)tables[i] };

		bench_free_table(table);
	}
	for (i = RANGES; i; i--)
		bench_free_range(&ranges[i - 1]);
	if (BENCH_STYLE == HM_KEY_STYLE_NONE) {
		error |= hm_direct_map_init(&map, start, GIB, false);
		error |= hm_direct_map_add(&map, 0, start, GIB,
					   hm_arm64_leaf(memory, 0, HM_ARM64_KERNEL_RW));
	}
}

static void start_cache(void)
{
	const hm_va_t first = { CODE }, last = { CODE + BLOCKS * BENCH_BLOCK - 1 };

	error |= hm_rox_cache_add(&cache, &arena, "code", first, last, 0);
}

/* ---- what is counted: each has a function to itself ---- */

typedef int (*operation)(hm_va_t *code, uint64_t bytes);
/* The only place where the compiler sees it; callers do not know what they call. */
#define ALONE static __attribute__((__noipa__))

ALONE int nothing(hm_va_t *code, uint64_t bytes)
{
	(void)code, (void)bytes;
	__asm__ volatile("");
	return 0;
}

ALONE int alloc(hm_va_t *code, uint64_t bytes)
{
	return hm_rox_cache_alloc(&cache, &arena, bytes, 64, HM_ROX_CACHE_MAY_SLEEP, code);
}

ALONE int load(hm_va_t *code, uint64_t bytes)
{
	return hm_rox_cache_load(&cache, &arena, source, bytes, 64, HM_ROX_CACHE_MAY_SLEEP, 0, 0,
				 code);
}

ALONE int patch(hm_va_t *code, uint64_t bytes)
{
	(void)bytes;
	return hm_rox_cache_patch(&cache, *code, 0xd503201f); /* NOP */
}

ALONE int release(hm_va_t *code, uint64_t bytes)
{
	(void)bytes;
	return hm_rox_cache_free(&cache, *code);
}

static uint64_t instructions;

ALONE uint32_t count_raw(operation operation, hm_va_t *code, uint64_t bytes)
{
	const uint32_t before = counted();

	error |= operation(code, bytes);
	if (BENCH_FAULT == 1 && operation != nothing)
		waste((counted() - before) / 16 + 2);
	if (BENCH_FAULT == 2 && operation != nothing)
		waste(cache.live);
	return counted() - before;
}

static void count(operation operation, hm_va_t *code, uint64_t bytes)
{
	const uint32_t raw = count_raw(operation, code, bytes);

	/* But for the 0 that it returns. */
	instructions += raw - (count_raw(nothing, code, bytes) - 1);
}

static void report(const char *name, unsigned int calls, uint64_t bytes)
{
	static const char *const styles[] = { [HM_KEY_STYLE_NONE] = "flip",
					      [HM_KEY_STYLE_WINDOW] = "key",
					      [HM_KEY_STYLE_STORE] = "store" };

	print_number(instructions);
	print_number(calls);
	print_number(bytes);
	print(BENCH_ALIVE ? "alive" : styles[BENCH_STYLE]);
	print(": ");
	print(name);
	print("\n");
	instructions = 0;
}

/* ---- writing: of a few ranges in one block ---- */

#define ROUNDS 16u

static void loads(const char *name, uint64_t bytes)
{
	hm_va_t code[2];
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		error |= alloc(&code[0], 64 + 64 * i); /* so that it is elsewhere */
		count(load, &code[1], bytes);
		error |= release(&code[1], 0);
		error |= release(&code[0], 0);
	}
	report(name, ROUNDS, bytes);
}

static void frees(const char *name, uint64_t bytes)
{
	unsigned int i;
	hm_va_t code;

	for (i = 0; i < ROUNDS; i++) {
		error |= alloc(&code, bytes);
		count(release, &code, 0);
	}
	report(name, ROUNDS, bytes);
}

static void patches(const char *name)
{
	unsigned int i;
	hm_va_t code;

	error |= load(&code, PAGE);
	for (i = 0; i < ROUNDS; i++, code.val += 4)
		count(patch, &code, 0);
	report(name, ROUNDS, 4);
	code.val -= 4 * ROUNDS;
	error |= release(&code, 0);
}

static void write_code(void)
{
	hm_va_t code;

	error |= alloc(&code, 64); /* the block has come */
	loads("a load of 64 bytes", 64);
	loads("a load of 4096 bytes", 4096);
	loads("a load of 20480 bytes", LARGEST);
	frees("a free of 64 bytes", 64);
	frees("a free of 4096 bytes", 4096);
	frees("a free of 20480 bytes", LARGEST);
	patches("a patch");
}

/* ---- many that are alive ---- */

#define PAIRS 512u

static uint64_t random_state = 1;

/* Numerical Recipes' generator of 64 bits: its upper half. */
static uint32_t next_random(uint32_t bound)
{
	random_state = random_state * UINT64_C(3935559000370003845) + UINT64_C(2691343689449507681);
	return (uint32_t)((random_state >> 32) * bound >> 32);
}

static hm_va_t live[100000];

static uint64_t next_bytes(void)
{
	return 64 + next_random(4096 - 64 + 1);
}

/* So many of 64 bytes to 4 KiB, all of which were freed once on the average; and pairs of the least. */
static void pairs(const char *name, uint32_t n)
{
	hm_va_t code;
	uint32_t i;

	for (i = (uint32_t)cache.live; i < n; i++)
		error |= alloc(&live[i], next_bytes());
	for (i = 0; i < n; i++) {
		hm_va_t *any = &live[next_random(n)];

		error |= release(any, 0);
		error |= alloc(any, next_bytes());
	}
	for (i = 0; i < PAIRS; i++) {
		count(alloc, &code, 64 + i % 64 * 64);
		error |= release(&code, 0);
	}
	report(name, PAIRS, 1);
	for (i = 0; i < PAIRS; i++) {
		hm_va_t *any = &live[next_random(n)];

		error |= release(any, 0);
		error |= alloc(any, 64);
		count(release, any, 0);
		error |= alloc(any, next_bytes());
	}
}

static void keep_alive(void)
{
	pairs("an allocation, 10 alive", 10);
	report("a free of 64 bytes, 10 alive", PAIRS, 1);
	pairs("an allocation, 1000 alive", 1000);
	report("a free of 64 bytes, 1000 alive", PAIRS, 1);
	pairs("an allocation, 100000 alive", 100000);
	report("a free of 64 bytes, 100000 alive", PAIRS, 1);
}

int bench_main(void)
{
	start_counting();
	hm_kpkeys_cpu_start();
	start_kernel();
	start_cache();
	if (BENCH_ALIVE)
		keep_alive();
	else
		write_code();
	return error ? 1 : 0;
}
