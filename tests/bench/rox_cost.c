/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * rox_cost.c -- what an allocation of code and a free cost with many ranges alive, and how much of its blocks
 * a JIT's code takes, by rox_cache.h and by what Linux documents of its cache (execmem.h).
 *
 * USE      rox_cost [--json OUT] [--check] [--fault]
 *
 *          --check    compares with what is promised: steps of a pair grow with the logarithm of what is
 *                     alive at most; and from 16 blocks of code on, nine tenths of all blocks are code
 *          --fault    has but execmem.h, and its numbers are taken for rox_cache.h's: --check has to fail
 *
 *          A JIT's code has 64 bytes to 4 KiB, of any length: as many of each (uniform), or as many between
 *          64 and 128 as between 2048 and 4096 (short). Beside it there is code of up to 64 KiB, alike to
 *          short: execmem.h has but pages, so that a JIT's code always finds the first free one. What is
 *          alive is first allocated; then it is freed, a range at a time, and other code allocated, in any
 *          order: each range once on the average before a pair is measured, twice to see what is used.
 *
 *          Steps: ranges that searches look at, of a pair: one is freed and another allocated. ns: the least
 *          of some runs; with rox_cache.h what is freed is filled with traps, in a cache of the CPU. The
 *          kernel's part, permissions and blocks, costs nothing. */
#include <hardmap/rox_cache.h>
#include <errno.h>
#include <math.h>
#include <time.h>
#include "execmem.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define LEAST 64u /* bytes of code */
#define MOST 4096u
#define LONGEST 65536u
#define ROUNDS 2u
#define PAIRS 10000u
#define RUNS 3u
#define USED 90.0 /* percent */
/* A treap of n nodes is 2 ln n deep on the average. A pair searches for the gap, for what is freed, and for
 * both its neighbours; the margin is for what is deeper. */
#define STEPS_OF_PAIR(n) (4 * 1.2 * 2 * log(2 * (double)(n)))

/* ---- the contenders ---- */

struct contender {
	const char *name;
	void (*start)(void);
	bool (*alloc)(uint64_t bytes, uint64_t *at);
	bool (*free)(uint64_t at);
	uint64_t (*steps)(void);
	void (*stop)(void); /* nothing is alive */
};

static struct hm_rox_cache cache;
static struct hm_rox_cache_arena arena;

static void rox_start(void)
{
	const hm_va_t first = { BENCH_CODE };
	const hm_va_t last = { BENCH_CODE + BENCH_CODE_BLOCKS * BENCH_CODE_BLOCK - 1 };

	memset(&cache, 0, sizeof(cache));
	memset(&arena, 0, sizeof(arena));
	if (hm_rox_cache_add(&cache, &arena, "jit", first, last, NULL))
		bench_die("rox_cost: rox_cache.h takes no arena");
}

static bool rox_alloc(uint64_t bytes, uint64_t *at)
{
	hm_va_t code;

	if (hm_rox_cache_alloc(&cache, &arena, bytes, HM_ROX_CACHE_GRANULE, HM_ROX_CACHE_MAY_SLEEP,
			       &code))
		return false;
	*at = code.val;
	return true;
}

static bool rox_free(uint64_t at)
{
	const hm_va_t code = { at };

	return !hm_rox_cache_free(&cache, code);
}

static uint64_t rox_steps(void)
{
	return cache.counts.steps;
}

static void rox_stop(void)
{
	(void)hm_rox_cache_trim(&cache);
	if (hm_rox_cache_destroy(&cache))
		bench_die("rox_cost: rox_cache.h has lost something");
}

#define EXECMEM_PAGES ((uint64_t)BENCH_CODE_BLOCKS * EXECMEM_BLOCK)

static struct execmem execmem;

/* A block between two areas stays free. */
static inline bool execmem_port_memory(struct execmem *execmem, uint32_t blocks, uint64_t *page)
{
	uint32_t block;

	(void)execmem;
	if (!bench_code_find(blocks + 1, &block))
		return false;
	bench_code_take(block, blocks + 1);
	bench_code.held--;
	*page = (uint64_t)block * EXECMEM_BLOCK;
	return true;
}

static inline void execmem_port_give(struct execmem *execmem, uint64_t page, uint32_t blocks)
{
	(void)execmem;
	bench_code.held++;
	bench_code_give((uint32_t)(page / EXECMEM_BLOCK), blocks + 1);
}

static inline void execmem_port_permission(struct execmem *execmem, uint64_t page, uint32_t pages,
					   enum execmem_permission permission)
{
	(void)execmem, (void)page, (void)pages, (void)permission;
}

static inline void execmem_port_traps(struct execmem *execmem, uint64_t page, uint32_t pages)
{
	(void)execmem, (void)page, (void)pages;
}

static void execmem_start(void)
{
	memset(&execmem, 0, sizeof(execmem));
	execmem.pages = EXECMEM_PAGES;
	execmem.starts = bench_reserve(EXECMEM_PAGES / 8);
	execmem.free = bench_reserve(EXECMEM_PAGES * sizeof(*execmem.free));
	execmem.busy = bench_reserve(EXECMEM_PAGES * sizeof(*execmem.busy));
	execmem.area = bench_reserve(EXECMEM_PAGES * sizeof(*execmem.area));
}

static bool execmem_take(uint64_t bytes, uint64_t *at)
{
	if (!execmem_alloc(&execmem, bytes, at))
		return false;
	execmem_seal(&execmem, *at);
	return true;
}

static bool execmem_put(uint64_t at)
{
	execmem_free(&execmem, at);
	return true;
}

static uint64_t execmem_steps(void)
{
	return execmem.steps;
}

static void execmem_stop(void)
{
	munmap(execmem.starts, EXECMEM_PAGES / 8);
	munmap(execmem.free, EXECMEM_PAGES * sizeof(*execmem.free));
	munmap(execmem.busy, EXECMEM_PAGES * sizeof(*execmem.busy));
	munmap(execmem.area, EXECMEM_PAGES * sizeof(*execmem.area));
}

static const struct contender contenders[] = {
	{ "rox_cache", rox_start, rox_alloc, rox_free, rox_steps, rox_stop },
	{ "execmem", execmem_start, execmem_take, execmem_put, execmem_steps, execmem_stop },
};

/* ---- code that is alive ---- */

static uint64_t random_state;

/* SplitMix64 (Steele, Lea and Flood 2014). */
static uint64_t next_random(void)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

enum mix { MIX_UNIFORM, MIX_SHORT, MIX_LONG, MIXES };

static const char *const mixes[MIXES] = { "uniform", "short", "long" };

static uint32_t next_bytes(enum mix mix)
{
	const double chance = (double)(next_random() >> 11) * 0x1p-53;

	if (mix == MIX_UNIFORM)
		return LEAST + (uint32_t)(chance * (MOST - LEAST + 1));
	return (uint32_t)(LEAST * pow((mix == MIX_SHORT ? MOST : LONGEST) / (double)LEAST, chance) +
			  0.5);
}

#define LIVE 200000u

static struct live {
	uint64_t at[LIVE];
	uint32_t bytes[LIVE];
	uint32_t n;
	uint64_t total; /* bytes */
} live;

static void allocate(const struct contender *contender, enum mix mix)
{
	const uint32_t bytes = next_bytes(mix);

	if (live.n == LIVE || !contender->alloc(bytes, &live.at[live.n]))
		bench_die("rox_cost: there is no memory for code");
	live.bytes[live.n++] = bytes;
	live.total += bytes;
}

static void release(const struct contender *contender, uint32_t i)
{
	if (!contender->free(live.at[i]))
		bench_die("rox_cost: code cannot be freed");
	live.total -= live.bytes[i];
	live.n--;
	live.at[i] = live.at[live.n];
	live.bytes[i] = live.bytes[live.n];
}

static void replace(const struct contender *contender, enum mix mix)
{
	release(contender, (uint32_t)(next_random() % live.n));
	allocate(contender, mix);
}

static void start(const struct contender *contender)
{
	memset(&bench_code, 0, sizeof(bench_code));
	live.n = 0;
	live.total = 0;
	random_state = 1;
	contender->start();
}

static void stop(const struct contender *contender)
{
	while (live.n)
		release(contender, live.n - 1);
	contender->stop();
	if (bench_code.held)
		bench_die("rox_cost: blocks were lost");
}

/* ---- what a pair costs ---- */

static const uint32_t sizes[] = { 10, 1000, 100000 };
static const enum mix pair_mixes[] = { MIX_UNIFORM, MIX_LONG };
#define SIZES ARRAY_SIZE(sizes)
#define PAIR_MIXES ARRAY_SIZE(pair_mixes)

static struct pair {
	double steps, ns;
	uint64_t most; /* steps of one */
} pairs[ARRAY_SIZE(contenders)][PAIR_MIXES][SIZES];

static uint64_t nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void measure_pairs(const struct contender *contender, enum mix mix, uint32_t n,
			  struct pair *pair)
{
	uint32_t i, run;

	start(contender);
	while (live.n < n)
		allocate(contender, mix);
	for (i = 0; i < n; i++)
		replace(contender, mix);
	*pair = (struct pair){ 0, INFINITY, 0 };
	for (run = 0; run < RUNS; run++) {
		const uint64_t before = nanoseconds();
		double ns;

		for (i = 0; i < PAIRS; i++)
			replace(contender, mix);
		ns = (double)(nanoseconds() - before) / PAIRS;
		pair->ns = ns < pair->ns ? ns : pair->ns;
	}
	for (i = 0; i < PAIRS; i++) {
		const uint64_t before = contender->steps();
		uint64_t steps;

		replace(contender, mix);
		steps = contender->steps() - before;
		pair->steps += (double)steps / PAIRS;
		pair->most = steps > pair->most ? steps : pair->most;
	}
	stop(contender);
}

/* ---- how much of the blocks is code ---- */

static const uint32_t volumes[] = { 16, 32 }; /* blocks */
#define VOLUMES ARRAY_SIZE(volumes)
#define SHARE_MIXES MIX_LONG /* a JIT's */

static struct share {
	double filled, churned, least; /* percent; least: at any time after it was filled */
} shares[ARRAY_SIZE(contenders)][SHARE_MIXES][VOLUMES];

static double used_percent(void)
{
	return 100 * (double)live.total / (double)(bench_code.held * BENCH_CODE_BLOCK);
}

/* Code of so many bytes is alive, or a little more. */
static void fill(const struct contender *contender, enum mix mix, uint64_t bytes)
{
	while (live.total < bytes)
		allocate(contender, mix);
}

static void measure_share(const struct contender *contender, enum mix mix, uint32_t blocks,
			  struct share *share)
{
	const uint64_t bytes = blocks * BENCH_CODE_BLOCK;
	uint32_t n;

	start(contender);
	fill(contender, mix, bytes);
	share->filled = share->least = used_percent();
	for (n = ROUNDS * live.n; n; n--) {
		release(contender, (uint32_t)(next_random() % live.n));
		fill(contender, mix, bytes);
		if (used_percent() < share->least)
			share->least = used_percent();
	}
	share->churned = used_percent();
	stop(contender);
}

/* Of all contenders from that one on. */
static void measure_all(size_t first)
{
	size_t c, m, i;

	for (c = first; c < ARRAY_SIZE(contenders); c++) {
		for (m = 0; m < PAIR_MIXES; m++)
			for (i = 0; i < SIZES; i++)
				measure_pairs(&contenders[c], pair_mixes[m], sizes[i],
					      &pairs[c][m][i]);
		for (m = 0; m < SHARE_MIXES; m++)
			for (i = 0; i < VOLUMES; i++)
				measure_share(&contenders[c], (enum mix)m, volumes[i],
					      &shares[c][m][i]);
	}
}

/* ---- what was found ---- */

static void print_pair(size_t c, size_t m, size_t i)
{
	const struct pair *pair = &pairs[c][m][i];

	printf("%-10s %8s %8u %12.1f %12llu %10.0f\n", contenders[c].name, mixes[pair_mixes[m]],
	       sizes[i], pair->steps, (unsigned long long)pair->most, pair->ns);
}

static void print_share(size_t c, size_t m, size_t i)
{
	const struct share *share = &shares[c][m][i];

	printf("%-10s %8s %8u %12.2f %12.2f %10.2f\n", contenders[c].name, mixes[m], volumes[i],
	       share->filled, share->churned, share->least);
}

static void print_tables(size_t first)
{
	size_t c, m, i;

	printf("%-10s %8s %8s %12s %12s %10s\n", "", "code", "alive", "steps/pair", "at most",
	       "ns/pair");
	for (c = first; c < ARRAY_SIZE(contenders); c++)
		for (m = 0; m < PAIR_MIXES; m++)
			for (i = 0; i < SIZES; i++)
				print_pair(c, m, i);
	printf("\n%-10s %8s %8s %12s %12s %10s\n", "", "code", "blocks", "filled, %", "churned, %",
	       "least, %");
	for (c = first; c < ARRAY_SIZE(contenders); c++)
		for (m = 0; m < SHARE_MIXES; m++)
			for (i = 0; i < VOLUMES; i++)
				print_share(c, m, i);
}

static void write_pair(FILE *out, size_t c, size_t m, size_t i)
{
	const struct pair *pair = &pairs[c][m][i];

	fprintf(out,
		"{\"bench\":\"rox_cost\",\"policy\":\"%s\",\"code\":\"%s\",\"live\":%u,"
		"\"steps_per_pair\":%.2f,\"most_steps\":%llu,\"ns_per_pair\":%.1f}\n",
		contenders[c].name, mixes[pair_mixes[m]], sizes[i], pair->steps,
		(unsigned long long)pair->most, pair->ns);
}

static void write_share(FILE *out, size_t c, size_t m, size_t i)
{
	const struct share *share = &shares[c][m][i];

	fprintf(out,
		"{\"bench\":\"rox_cost\",\"policy\":\"%s\",\"code\":\"%s\",\"blocks_of_code\":%u,"
		"\"filled_percent\":%.2f,\"churned_percent\":%.2f,\"least_percent\":%.2f}\n",
		contenders[c].name, mixes[m], volumes[i], share->filled, share->churned,
		share->least);
}

static void write_json(FILE *out)
{
	size_t c, m, i;

	for (c = 0; c < ARRAY_SIZE(contenders); c++) {
		for (m = 0; m < PAIR_MIXES; m++)
			for (i = 0; i < SIZES; i++)
				write_pair(out, c, m, i);
		for (m = 0; m < SHARE_MIXES; m++)
			for (i = 0; i < VOLUMES; i++)
				write_share(out, c, m, i);
	}
}

static bool check_pair(size_t c, size_t m, size_t i)
{
	const double limit = STEPS_OF_PAIR(sizes[i]);

	if (pairs[c][m][i].steps <= limit)
		return true;
	printf("FAIL %s, %u alive: %.1f steps a pair, limit %.1f\n", mixes[pair_mixes[m]], sizes[i],
	       pairs[c][m][i].steps, limit);
	return false;
}

static bool check_share(size_t c, size_t m, size_t i)
{
	if (shares[c][m][i].least >= USED)
		return true;
	printf("FAIL %s, %u blocks of code: %.2f %% used, limit %.0f\n", mixes[m], volumes[i],
	       shares[c][m][i].least, USED);
	return false;
}

/* What that contender does, compared with what is promised. */
static bool check(size_t c)
{
	unsigned int bad = 0;
	size_t m, i;

	for (m = 0; m < PAIR_MIXES; m++)
		for (i = 0; i < SIZES; i++)
			bad += !check_pair(c, m, i);
	for (m = 0; m < SHARE_MIXES; m++)
		for (i = 0; i < VOLUMES; i++)
			bad += !check_share(c, m, i);
	return !bad;
}

/* ---- the command line ---- */

static void write_to(const char *path)
{
	FILE *json = fopen(path, "w");

	if (json)
		write_json(json);
	if (!json || fclose(json)) {
		fprintf(stderr, "rox_cost: %s: %s\n", path, strerror(errno));
		exit(1);
	}
}

int main(int argc, char **argv)
{
	bool checking = false, fault = false;
	const char *json = NULL;
	int i;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--check")) {
			checking = true;
		} else if (!strcmp(argv[i], "--fault")) {
			fault = true;
		} else if (!strcmp(argv[i], "--json") && i + 1 < argc) {
			json = argv[++i];
		} else {
			fprintf(stderr, "usage: rox_cost [--json OUT] [--check] [--fault]\n");
			return 2;
		}
	}
	measure_all(fault);
	print_tables(fault);
	if (json)
		write_to(json);
	return checking && !check(fault) ? 1 : 0;
}
