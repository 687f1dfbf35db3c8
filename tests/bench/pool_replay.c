/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * pool_replay.c -- a recorded trace of page-table pages, replayed by pgtable_pool.h and by what it
 * began from (seed_pool.h), with a shrinker that asks for some pages every so often.
 *
 * USE      pool_replay [--series OUT.csv] [--fault NAME] TRACE PERIOD_MS NR
 *
 *          One JSON object per line and policy. Every PERIOD_MS of the trace's time, if pages can be
 *          given back, a scan is asked for NR.
 *
 *          --series       writes `policy,us,blocks_split,cached` before and after each scan
 *          --fault NAME   what is wrong with the use of pgtable_pool.h, which pool_check.py has to
 *                         notice: split, keep or none
 *
 *          refills: blocks taken from the kernel; blocks_split: how often pages of one block got two
 *          keys; cached: pages taken from the kernel and not in use, metadata and magazines included;
 *          avg_: in the mean over time; scan_steps_per_release: pages and frames that the shrinker looked
 *          at, by scans that gave something back, null if none did. Exit status 77: the kernel has no
 *          membarrier(), without which pgtable_pool.h's shrinker does not run.
 */
#include <hardmap/pgtable_pool.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "seed_pool.h"
#include "trace.h"

#define BLOCKS (32u << 10) /* 64 GiB of address space */

/* ---- the policies, and the memory that they take ---- */

static struct bench_memory memory;
static struct seed_pool seed;
static struct bench_pool hardmap;
/* What is planted in pgtable_pool.h's replay, which pool_check.py has to notice. */
static enum fault {
	FAULT_NONE,
	FAULT_SPLIT, /* whatever it says, it is told to split blocks, however full they are */
	FAULT_KEEP, /* it is never asked for pages */
} fault;

static inline bool seed_port_memory(struct seed_pool *pool, uint64_t *page)
{
	(void)pool;
	return bench_memory_take(&memory, SEED_BLOCK, page);
}

static inline void seed_port_give(struct seed_pool *pool, uint64_t page, unsigned int n)
{
	(void)pool;
	bench_memory_give(&memory, page, n);
}

static inline void seed_port_set_key(struct seed_pool *pool, uint64_t page, unsigned int n,
				     bool tables)
{
	(void)pool;
	bench_memory_set_key(&memory, page, n, tables);
}

static inline void seed_port_lock(struct seed_pool *pool)
{
	(void)pool;
}

static inline void seed_port_unlock(struct seed_pool *pool)
{
	(void)pool;
}

static void seed_start(unsigned int cpus)
{
	(void)cpus;
	seed_pool_init(&seed, bench_reserve((uint64_t)BLOCKS * SEED_BLOCK * sizeof(*seed.map)));
}

static bool seed_alloc(uint64_t *page)
{
	return seed_pool_alloc(&seed, page);
}

static bool seed_free(uint64_t page)
{
	seed_pool_free(&seed, page);
	return true;
}

static uint64_t seed_count(void)
{
	return seed_pool_count(&seed);
}

static uint64_t seed_scan(uint64_t nr)
{
	return seed_pool_scan(&seed, nr);
}

static struct hm_pgtable_pool_counts seed_counts(void)
{
	const struct hm_pgtable_pool_counts counts = { .refills = seed.refills,
						       .steps = seed.steps };

	return counts;
}

static void seed_end(uint64_t live)
{
	if (memory.held != live + seed.cached)
		bench_die("seed_pool.h has lost pages");
	munmap(seed.map, (uint64_t)BLOCKS * SEED_BLOCK * sizeof(*seed.map));
}

static void hardmap_start(unsigned int cpus)
{
	hardmap.memory = &memory;
	hardmap.cpus = cpus;
	memset(&hardmap.pool, 0, sizeof(hardmap.pool));
	hm_pgtable_pool_init(&hardmap.pool);
	if (hm_pgtable_pool_protect(&hardmap.pool))
		bench_die("the pool cannot be protected");
}

static bool hardmap_alloc(uint64_t *page)
{
	hm_pa_t pa;

	if (hm_pgtable_pool_alloc(&hardmap.pool, HM_PGTABLE_POOL_MAY_SLEEP, &pa))
		return false;
	*page = bench_page_of(&memory, pa);
	return true;
}

static bool hardmap_free(uint64_t page)
{
	return !hm_pgtable_pool_free(&hardmap.pool, bench_pa_of(&memory, page));
}

static uint64_t hardmap_count(void)
{
	return fault ? fault == FAULT_SPLIT : hm_pgtable_pool_shrink_count(&hardmap.pool);
}

static uint64_t hardmap_scan(uint64_t nr)
{
	if (fault != FAULT_SPLIT)
		return hm_pgtable_pool_shrink_scan(&hardmap.pool, nr, 0);
	hardmap.pool.worth = 1;
	hardmap.pool.demand = 0;
	return hm_pgtable_pool_shrink_scan(&hardmap.pool, nr, HM_PGTABLE_POOL_SPLIT);
}

static struct hm_pgtable_pool_counts hardmap_counts(void)
{
	return hardmap.pool.counts;
}

/* All that it took from the kernel is there: metadata are its own pages if they are locked. */
static void hardmap_end(uint64_t live)
{
	struct hm_pgtable_pool_statistics found;

	hm_pgtable_pool_statistics(&hardmap.pool, &found);
	if (found.used != live ||
	    memory.held != found.present + (HM_PORT_PGTABLE_POOL_LOCKED ? 0 : found.metadata))
		bench_die("pgtable_pool.h has lost pages");
}

static const struct policy {
	const char *name;
	void (*start)(unsigned int cpus);
	bool (*alloc)(uint64_t *page); /* on CPU bench_cpu */
	bool (*free)(uint64_t page);
	uint64_t (*count)(void);
	uint64_t (*scan)(uint64_t nr);
	struct hm_pgtable_pool_counts (*counts)(void);
	void (*end)(uint64_t live); /* pages that are still in use */
} policies[] = {
	{ "seed", seed_start, seed_alloc, seed_free, seed_count, seed_scan, seed_counts, seed_end },
	{ "hardmap", hardmap_start, hardmap_alloc, hardmap_free, hardmap_count, hardmap_scan,
	  hardmap_counts, hardmap_end },
};

/* ---- a replay ---- */

struct replay {
	const struct policy *policy;
	const struct trace *trace;
	uint64_t period, nr; /* us, pages */
	uint64_t *pages; /* by id */
	FILE *series; /* or NULL */
	uint64_t us; /* until when it is accounted */
	uint64_t live, peak_live, peak_cached, scans, releases, released;
	double page_us; /* cached pages by microseconds */
};

static uint64_t cached(const struct replay *replay)
{
	return memory.held - replay->live;
}

/* What was cached until then was cached all the time. */
static void account(struct replay *replay, uint64_t us)
{
	replay->page_us += (double)cached(replay) * (double)(us - replay->us);
	replay->us = us;
}

static void write_point(const struct replay *replay)
{
	if (replay->series)
		fprintf(replay->series, "%s,%llu,%llu,%llu\n", replay->policy->name,
			(unsigned long long)replay->us, (unsigned long long)memory.splits,
			(unsigned long long)cached(replay));
}

static void reclaim(struct replay *replay, uint64_t us)
{
	uint64_t released;

	account(replay, us);
	write_point(replay);
	if (replay->policy->count()) {
		released = replay->policy->scan(replay->nr);
		replay->scans++;
		replay->releases += released != 0;
		replay->released += released;
		write_point(replay);
	}
}

static void play(struct replay *replay, const struct trace_event *event)
{
	const struct policy *policy = replay->policy;

	account(replay, event->us);
	bench_cpu = event->cpu;
	if (event->level == TRACE_FREE) {
		if (!policy->free(replay->pages[event->id]))
			bench_die("a page of the trace cannot be freed");
		replay->live--;
	} else {
		if (!policy->alloc(&replay->pages[event->id]))
			bench_die("no page for the trace: the benchmark's memory is used up");
		replay->live++;
	}
	if (replay->live > replay->peak_live)
		replay->peak_live = replay->live;
	if (cached(replay) > replay->peak_cached)
		replay->peak_cached = cached(replay);
}

static void report(const struct replay *replay)
{
	const struct hm_pgtable_pool_counts counts = replay->policy->counts();
	const uint64_t us = replay->us - replay->trace->events[0].us;

	printf("{\"bench\":\"pool_replay\",\"policy\":\"%s\",\"peak_live\":%llu,\"refills\":%llu,"
	       "\"blocks_split\":%llu,\"avg_cached\":%.1f,\"peak_cached\":%llu,",
	       replay->policy->name, (unsigned long long)replay->peak_live,
	       (unsigned long long)counts.refills, (unsigned long long)memory.splits,
	       us ? replay->page_us / (double)us : (double)cached(replay),
	       (unsigned long long)replay->peak_cached);
	if (replay->releases)
		printf("\"scan_steps_per_release\":%.1f,",
		       (double)counts.steps / (double)replay->releases);
	else
		printf("\"scan_steps_per_release\":null,");
	printf("\"scans\":%llu,\"releases\":%llu,\"pages_released\":%llu,\"steps\":%llu}\n",
	       (unsigned long long)replay->scans, (unsigned long long)replay->releases,
	       (unsigned long long)replay->released, (unsigned long long)counts.steps);
}

static void run(struct replay *replay)
{
	const struct trace *trace = replay->trace;
	uint64_t tick = trace->events[0].us + replay->period;
	size_t i;

	bench_memory_init(&memory, BLOCKS);
	replay->policy->start(trace->cpus);
	replay->us = trace->events[0].us;
	for (i = 0; i < trace->n; i++) {
		for (; tick <= trace->events[i].us; tick += replay->period)
			reclaim(replay, tick);
		play(replay, &trace->events[i]);
	}
	report(replay);
	replay->policy->end(replay->live);
	bench_memory_release(&memory);
}

static void run_policies(const struct trace *trace, uint64_t period, uint64_t nr, FILE *series)
{
	uint64_t *pages = calloc(trace->ids, sizeof(*pages));
	size_t i;

	if (!pages)
		bench_die("no memory for the trace's pages");
	for (i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		struct replay replay = { .policy = &policies[i],
					 .trace = trace,
					 .period = period,
					 .nr = nr,
					 .pages = pages,
					 .series = series };

		run(&replay);
	}
	free(pages);
}

/* ---- the command line ---- */

static uint64_t read_number(const char *what, const char *text)
{
	const uint64_t most = UINT32_MAX;
	unsigned long long value = 0;
	char *end;

	errno = 0;
	if (*text >= '0' && *text <= '9')
		value = strtoull(text, &end, 10);
	if (!value || errno || *end || value > most) {
		fprintf(stderr, "pool_replay: %s is not a number from 1 to %llu: %s\n", what,
			(unsigned long long)most, text);
		exit(1);
	}
	return value;
}

static FILE *open_series(const char *path)
{
	FILE *series = path ? fopen(path, "w") : NULL;

	if (path && !series) {
		fprintf(stderr, "pool_replay: %s: %s\n", path, strerror(errno));
		exit(1);
	}
	if (series)
		fprintf(series, "policy,us,blocks_split,cached\n");
	return series;
}

static bool read_fault(const char *name)
{
	static const char *const names[] = { "none", "split", "keep" };
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(name, names[i])) {
			fault = (enum fault)i;
			return true;
		}
	}
	return false;
}

static int usage(void)
{
	fprintf(stderr,
		"usage: pool_replay [--series OUT.csv] [--fault NAME] TRACE PERIOD_MS NR\n");
	return 2;
}

int main(int argc, char **argv)
{
	const char *series_path = NULL;
	uint64_t period, nr;
	struct trace trace;
	FILE *series;

	for (; argc > 2 && !strncmp(argv[1], "--", 2); argc -= 2, argv += 2) {
		if (!strcmp(argv[1], "--series"))
			series_path = argv[2];
		else if (strcmp(argv[1], "--fault") != 0 || !read_fault(argv[2]))
			return usage();
	}
	if (argc != 4)
		return usage();
	period = 1000 * read_number("PERIOD_MS", argv[2]);
	nr = read_number("NR", argv[3]);
	if (!trace_read(&trace, argv[1]))
		return 1;
	if (!bench_register_fence()) {
		printf("SKIP: no membarrier()\n");
		return 77;
	}
	series = open_series(series_path);
	run_policies(&trace, period, nr, series);
	trace_release(&trace);
	if (series && fclose(series)) {
		fprintf(stderr, "pool_replay: %s: %s\n", series_path, strerror(errno));
		return 1;
	}
	return 0;
}
