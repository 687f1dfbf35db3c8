/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * pool_cost.c -- what a page costs: nanoseconds of allocation and free together, by pgtable_pool.h,
 * by what it began from (seed_pool.h) and by two allocators of user space; and the release of one
 * block, by how much else is free.
 *
 * USE      pool_cost [--json OUT.json]  tables on stdout, one JSON object per line and case in OUT.json
 *          pool_cost --check            what is counted, locks and steps, beside what is promised
 *          pool_cost --check --fault    the same with the seed in the place of ours: must fail
 *
 *          Built of this file twice: with HM_PORT_PGTABLE_POOL_LOCKED=1 it is only that contender.
 *          Exit status 77: the kernel has no membarrier(), without which there is no shrinker.
 *
 *          Contenders take turns, so that what else the machine does hits all of them; of one thread
 *          the least time counts, of more the median. A thread takes 1, 8 or 64 pages, then gives
 *          them back in some order. Each has a CPU.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_setaffinity() */
#endif
#include <hardmap/pgtable_pool.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>
#include <time.h>
#if !HM_PORT_PGTABLE_POOL_LOCKED
#include "seed_pool.h"
#endif

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define THREADS 2u
#define MOST 64u /* pages of a working set */
#define ORDERS 16u
#define BLOCKS 4096u

/* Orders in which working sets are freed. */
struct orders {
	uint8_t of[ORDERS][MOST];
};

/* One that gives pages. Those that are no pools have no more than the first four. */
struct contender {
	const char *name;
	const char *missing; /* how to get it, where start() says that it is not there */
	bool (*start)(void);
	void (*run)(unsigned int set, unsigned int rounds, const struct orders *orders);
	const struct bench_lock *lock;
	const struct bench_memory *memory;
	void (*stop)(void);
	bool (*alloc)(uint64_t *page);
	void (*free)(uint64_t page);
	void (*settle)(void); /* so that the shrinker expects no demand */
	uint64_t (*scan)(uint64_t nr);
	uint64_t (*steps)(void);
};

/* Inlined, and what it calls with it. */
static inline __attribute__((__always_inline__)) void run_set(uint64_t (*take)(void),
							      void (*give)(uint64_t),
							      unsigned int set, unsigned int rounds,
							      const struct orders *orders)
{
	uint64_t pages[MOST];
	unsigned int i;

	while (rounds--) {
		const uint8_t *order = orders->of[rounds % ORDERS];

		if (set == 1) {
			give(take());
			continue;
		}
		for (i = 0; i < set; i++)
			pages[i] = take();
		for (i = 0; i < set; i++)
			give(pages[order[i]]);
	}
}

/* ---- pgtable_pool.h ---- */

static struct bench_memory hardmap_memory;
static struct bench_pool hardmap;

static bool hardmap_start(void)
{
	memset(&hardmap, 0, sizeof(hardmap));
	bench_memory_init(&hardmap_memory, BLOCKS);
	hardmap.memory = &hardmap_memory;
	hardmap.cpus = THREADS;
	hm_pgtable_pool_init(&hardmap.pool);
	return !hm_pgtable_pool_protect(&hardmap.pool);
}

static void hardmap_stop(void)
{
	bench_memory_release(&hardmap_memory);
}

static inline uint64_t hardmap_take(void)
{
	hm_pa_t page;

	if (hm_pgtable_pool_alloc(&hardmap.pool, HM_PGTABLE_POOL_MAY_SLEEP, &page))
		bench_die("pgtable_pool.h has no page");
	return page.val;
}

static inline void hardmap_give(uint64_t address)
{
	const hm_pa_t page = { address };

	if (hm_pgtable_pool_free(&hardmap.pool, page))
		bench_die("pgtable_pool.h does not take a page back");
}

static void hardmap_run(unsigned int set, unsigned int rounds, const struct orders *orders)
{
	run_set(hardmap_take, hardmap_give, set, rounds, orders);
}

static bool hardmap_alloc(uint64_t *page)
{
	const hm_pa_t pa = { hardmap_take() };

	*page = bench_page_of(&hardmap_memory, pa);
	return true;
}

static void hardmap_free(uint64_t page)
{
	hardmap_give(bench_pa_of(&hardmap_memory, page).val);
}

static uint64_t hardmap_scan(uint64_t nr)
{
	return hm_pgtable_pool_shrink_scan(&hardmap.pool, nr, 0);
}

static void hardmap_settle(void)
{
	unsigned int i;

	for (i = 0; i < 64; i++)
		if (hm_pgtable_pool_shrink_count(&hardmap.pool) + hardmap_scan(1))
			bench_die("a block was to be given back that has a page in use");
}

static uint64_t hardmap_steps(void)
{
	return hardmap.pool.counts.steps;
}

#if HM_PORT_PGTABLE_POOL_LOCKED
extern const struct contender hardmap_locked;
const struct contender hardmap_locked = {
	.name = "hardmap, locked metadata",
#else
static const struct contender hardmap_unlocked = {
	.name = "hardmap",
#endif
	.start = hardmap_start,
	.run = hardmap_run,
	.lock = &hardmap.lock,
	.memory = &hardmap_memory,
	.stop = hardmap_stop,
	.alloc = hardmap_alloc,
	.free = hardmap_free,
	.settle = hardmap_settle,
	.scan = hardmap_scan,
	.steps = hardmap_steps,
};

#if !HM_PORT_PGTABLE_POOL_LOCKED
extern const struct contender hardmap_locked;

/* ---- seed_pool.h ---- */

static struct bench_memory seed_memory;
static struct bench_lock seed_lock;
static struct seed_pool seed;

static inline bool seed_port_memory(struct seed_pool *pool, uint64_t *page)
{
	(void)pool;
	return bench_memory_take(&seed_memory, SEED_BLOCK, page);
}

static inline void seed_port_give(struct seed_pool *pool, uint64_t page, unsigned int n)
{
	(void)pool;
	bench_memory_give(&seed_memory, page, n);
}

static inline void seed_port_set_key(struct seed_pool *pool, uint64_t page, unsigned int n,
				     bool tables)
{
	(void)pool;
	bench_memory_set_key(&seed_memory, page, n, tables);
}

static inline void seed_port_lock(struct seed_pool *pool)
{
	(void)pool;
	bench_take_lock(&seed_lock);
}

static inline void seed_port_unlock(struct seed_pool *pool)
{
	(void)pool;
	bench_drop_lock(&seed_lock);
}

static bool seed_start(void)
{
	bench_memory_init(&seed_memory, BLOCKS);
	seed_pool_init(&seed, bench_reserve((uint64_t)BLOCKS * SEED_BLOCK * sizeof(*seed.map)));
	return true;
}

static void seed_stop(void)
{
	munmap(seed.map, (uint64_t)BLOCKS * SEED_BLOCK * sizeof(*seed.map));
	bench_memory_release(&seed_memory);
}

static inline uint64_t seed_take(void)
{
	uint64_t page;

	if (!seed_pool_alloc(&seed, &page))
		bench_die("seed_pool.h has no page");
	return page;
}

static inline void seed_give(uint64_t page)
{
	seed_pool_free(&seed, page);
}

static void seed_run(unsigned int set, unsigned int rounds, const struct orders *orders)
{
	run_set(seed_take, seed_give, set, rounds, orders);
}

static bool seed_alloc(uint64_t *page)
{
	return seed_pool_alloc(&seed, page);
}

static uint64_t seed_scan(uint64_t nr)
{
	return seed_pool_scan(&seed, nr);
}

static void seed_settle(void)
{
}

static uint64_t seed_steps(void)
{
	return seed.steps;
}

static const struct contender seed_contender = {
	.name = "seed",
	.start = seed_start,
	.run = seed_run,
	.lock = &seed_lock,
	.memory = &seed_memory,
	.stop = seed_stop,
	.alloc = seed_alloc,
	.free = seed_give,
	.settle = seed_settle,
	.scan = seed_scan,
	.steps = seed_steps,
};

/* ---- allocators of user space, if they are there ---- */

static void *(*mimalloc_alloc)(size_t size, size_t alignment);
static void (*mimalloc_free)(void *page);
static void *(*jemalloc_alloc)(size_t alignment, size_t size);
static void (*jemalloc_free)(void *page);

/* A function of a library; the cast by way of memory is POSIX's. */
static bool find_function(void *library, const char *name, void **function)
{
	*function = dlsym(library, name);
	return *function != NULL;
}

static bool mimalloc_start(void)
{
	void *library = dlopen("libmimalloc.so.2", RTLD_NOW | RTLD_LOCAL);

	return library && find_function(library, "mi_malloc_aligned", (void **)&mimalloc_alloc) &&
	       find_function(library, "mi_free", (void **)&mimalloc_free);
}

static inline uint64_t mimalloc_take(void)
{
	return (uintptr_t)mimalloc_alloc(BENCH_PAGE, BENCH_PAGE);
}

static inline void mimalloc_give(uint64_t page)
{
	mimalloc_free((void *)(uintptr_t)page);
}

static void mimalloc_run(unsigned int set, unsigned int rounds, const struct orders *orders)
{
	run_set(mimalloc_take, mimalloc_give, set, rounds, orders);
}

static bool jemalloc_start(void)
{
	void *library = dlopen("libjemalloc.so.2", RTLD_NOW | RTLD_LOCAL);

	return library && find_function(library, "aligned_alloc", (void **)&jemalloc_alloc) &&
	       find_function(library, "free", (void **)&jemalloc_free);
}

static inline uint64_t jemalloc_take(void)
{
	return (uintptr_t)jemalloc_alloc(BENCH_PAGE, BENCH_PAGE);
}

static inline void jemalloc_give(uint64_t page)
{
	jemalloc_free((void *)(uintptr_t)page);
}

static void jemalloc_run(unsigned int set, unsigned int rounds, const struct orders *orders)
{
	run_set(jemalloc_take, jemalloc_give, set, rounds, orders);
}

static const struct contender mimalloc = {
	.name = "mimalloc",
	.missing = "install Debian package libmimalloc2.0",
	.start = mimalloc_start,
	.run = mimalloc_run,
};

static const struct contender jemalloc = {
	.name = "jemalloc",
	.missing = "install Debian package libjemalloc2",
	.start = jemalloc_start,
	.run = jemalloc_run,
};

static const struct contender *const contenders[] = { &seed_contender, &hardmap_unlocked,
						      &hardmap_locked, &mimalloc, &jemalloc };
#define CONTENDERS ARRAY_SIZE(contenders)
#define POOLS 3u /* the first of them */

/* ---- numbers ---- */

static uint32_t random_state;

/* Numerical Recipes' generator: the same numbers each time. */
static uint32_t next_random(uint32_t bound)
{
	random_state = random_state * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)random_state * bound >> 32);
}

static struct orders orders_of(unsigned int set)
{
	struct orders orders = { 0 };
	unsigned int order, i;

	for (order = 0; order < ORDERS; order++) {
		for (i = 0; i < set; i++)
			orders.of[order][i] = (uint8_t)i;
		for (i = set; i > 1; i--) {
			const uint32_t other = next_random(i);
			const uint8_t last = orders.of[order][i - 1];

			orders.of[order][i - 1] = orders.of[order][other];
			orders.of[order][other] = last;
		}
	}
	return orders;
}

static uint64_t nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* What nothing disturbed: what else the machine does only adds to a time of one thread. */
static double least(double *values, unsigned int n)
{
	qsort(values, n, sizeof(*values), compare);
	return values[0];
}

static double median(double *values, unsigned int n)
{
	qsort(values, n, sizeof(*values), compare);
	return values[n / 2];
}

/* ---- allocation and free ---- */

#define SETS 3u
#define REPETITIONS 101u
#define PAIRS 8192u
#define TRIES 4u /* at most, until no other process had a CPU meanwhile */

static const unsigned int sets[SETS] = { 1, 8, 64 };
static bool present[CONTENDERS];
static double pair_ns[CONTENDERS][SETS][THREADS]; /* by one thread, by all */
static unsigned int timings, noisy; /* of them, those that another process disturbed nevertheless */

/* ns of a pair, and whether that says something. */
struct timing {
	double ns;
	bool quiet;
};

/* What the threads do together. */
static struct together {
	pthread_barrier_t barrier;
	unsigned int waiting; /* threads that are not ready yet */
	unsigned int running; /* and that are not done */
	const struct contender *contender; /* NULL: no more */
	unsigned int set;
	const struct orders *orders;
	struct timing timings[THREADS];
} together;

static void run_on(unsigned int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	/* Where there are fewer CPUs, it runs where it may. */
	(void)sched_setaffinity(0, sizeof(one), &one);
	bench_cpu = cpu;
}

/* How often this thread was taken off its CPU. */
static long interruptions(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nivcsw;
}

static struct timing time_pairs(const struct contender *contender, unsigned int set,
				const struct orders *orders)
{
	const long before = interruptions();
	const uint64_t start = nanoseconds();
	struct timing timing;

	contender->run(set, PAIRS / set, orders);
	timing.ns = (double)(nanoseconds() - start) / PAIRS;
	timing.quiet = interruptions() == before;
	return timing;
}

static double time_alone(const struct contender *contender, unsigned int set,
			 const struct orders *orders)
{
	struct timing timing = { 0 };
	unsigned int i;

	for (i = 0; i < TRIES && !timing.quiet; i++)
		timing = time_pairs(contender, set, orders);
	timings++;
	noisy += !timing.quiet;
	return timing.ns;
}

/* Starts when all threads have come here, and keeps the others company until they are done. */
static void take_part(unsigned int thread)
{
	const struct contender *contender = together.contender;

	__atomic_sub_fetch(&together.waiting, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&together.waiting, __ATOMIC_ACQUIRE))
		;
	together.timings[thread] = time_pairs(contender, together.set, together.orders);
	__atomic_sub_fetch(&together.running, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&together.running, __ATOMIC_ACQUIRE))
		contender->run(together.set, ORDERS, together.orders);
}

static void *serve(void *thread)
{
	const unsigned int number = *(const unsigned int *)thread;

	run_on(number);
	for (;;) {
		pthread_barrier_wait(&together.barrier);
		if (!together.contender)
			return NULL;
		take_part(number);
		pthread_barrier_wait(&together.barrier);
	}
}

/* The mean of the threads. */
static struct timing time_once_together(void)
{
	struct timing mean = { 0, true };
	unsigned int i;

	together.waiting = together.running = THREADS;
	pthread_barrier_wait(&together.barrier);
	take_part(0);
	pthread_barrier_wait(&together.barrier);
	for (i = 0; i < THREADS; i++) {
		mean.ns += together.timings[i].ns / THREADS;
		mean.quiet &= together.timings[i].quiet;
	}
	return mean;
}

static double time_together(const struct contender *contender, unsigned int set,
			    const struct orders *orders)
{
	struct timing timing = { 0 };
	unsigned int i;

	together.contender = contender;
	together.set = set;
	together.orders = orders;
	for (i = 0; i < TRIES && !timing.quiet; i++)
		timing = time_once_together();
	timings++;
	noisy += !timing.quiet;
	return timing.ns;
}

static void measure_set(unsigned int i)
{
	static double alone[CONTENDERS][REPETITIONS], both[CONTENDERS][REPETITIONS];
	const struct orders orders = orders_of(sets[i]);
	unsigned int repetition, c;

	for (repetition = 0; repetition < REPETITIONS; repetition++) {
		for (c = 0; c < CONTENDERS; c++)
			if (present[c])
				alone[c][repetition] = time_alone(contenders[c], sets[i], &orders);
		for (c = 0; c < CONTENDERS; c++)
			if (present[c])
				both[c][repetition] = time_together(contenders[c], sets[i],
								    &orders);
	}
	for (c = 0; c < CONTENDERS; c++) {
		pair_ns[c][i][0] = least(alone[c], REPETITIONS);
		pair_ns[c][i][1] = median(both[c], REPETITIONS);
	}
}

static void measure_pairs(void)
{
	unsigned int i, numbers[THREADS];
	pthread_t threads[THREADS];

	pthread_barrier_init(&together.barrier, NULL, THREADS);
	for (i = 1; i < THREADS; i++) {
		numbers[i] = i;
		if (pthread_create(&threads[i], NULL, serve, &numbers[i]))
			bench_die("no thread");
	}
	run_on(0);
	for (i = 0; i < CONTENDERS; i++)
		present[i] = contenders[i]->start();
	for (i = 0; i < SETS; i++)
		measure_set(i);
	together.contender = NULL;
	pthread_barrier_wait(&together.barrier);
	for (i = 1; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < CONTENDERS; i++)
		if (present[i] && contenders[i]->stop)
			contenders[i]->stop();
}

static void write_pairs(FILE *json, unsigned int c, unsigned int threads)
{
	unsigned int i;

	for (i = 0; i < SETS; i++)
		fprintf(json,
			"{\"bench\":\"pool_cost\",\"case\":\"pair\",\"policy\":\"%s\",\"threads\":%u,"
			"\"set\":%u,\"ns\":%.2f,\"of_seed\":%.3f}\n",
			contenders[c]->name, threads + 1, sets[i], pair_ns[c][i][threads],
			pair_ns[c][i][threads] / pair_ns[0][i][threads]);
}

static void print_pairs(FILE *json)
{
	unsigned int c, i, threads;

	printf("ns of an allocation and a free; of the seed's\n%-34s %14s %14s %14s\n", "",
	       "1 page", "8 pages", "64 pages");
	for (threads = 0; threads < THREADS; threads++) {
		for (c = 0; c < CONTENDERS; c++) {
			if (!present[c])
				continue;
			printf("%u thread%s %-25s", threads + 1, threads ? "s" : " ",
			       contenders[c]->name);
			for (i = 0; i < SETS; i++)
				printf(" %8.1f %5.2f", pair_ns[c][i][threads],
				       pair_ns[c][i][threads] / pair_ns[0][i][threads]);
			printf("\n");
			if (json)
				write_pairs(json, c, threads);
		}
	}
	if (noisy > timings / 10)
		printf("do not trust this: other processes disturbed %u of %u timings\n", noisy,
		       timings);
	for (c = 0; c < CONTENDERS; c++)
		if (!present[c])
			printf("without %s: %s\n", contenders[c]->name, contenders[c]->missing);
}

/* ---- locks that are taken for it ---- */

/* So many of a pair, once the pool has run for a while; none if it is not said. */
static const double promised_locks[POOLS][SETS] = { { 2, 2, 2 }, { 0, 0, 0.125 }, { 2, 2, 2.25 } };

static double count_locks(const struct contender *contender, unsigned int set)
{
	const struct orders orders = orders_of(set);
	uint64_t before;

	contender->run(set, PAIRS / set, &orders);
	before = contender->lock->times;
	contender->run(set, PAIRS / set, &orders);
	return (double)(contender->lock->times - before) / PAIRS;
}

/* Whether the second kept what the first, whose place it takes, promises. */
static bool check_locks(unsigned int c, const struct contender *contender, FILE *json)
{
	bool ok = true;
	unsigned int i;

	if (!contender->start())
		bench_die("a pool cannot be set up");
	printf("%-34s", contenders[c]->name);
	for (i = 0; i < SETS; i++) {
		const double locks = count_locks(contender, sets[i]);

		printf(" %8.3f%6s", locks, locks <= promised_locks[c][i] ? "" : " FAIL");
		ok &= locks <= promised_locks[c][i];
		if (json)
			fprintf(json,
				"{\"bench\":\"pool_cost\",\"case\":\"locks\",\"policy\":\"%s\","
				"\"set\":%u,\"locks\":%.4f}\n",
				contenders[c]->name, sets[i], locks);
	}
	printf("\n");
	contender->stop();
	return ok;
}

/* ---- release of a block ---- */

#define SIZES 3u
#define RELEASES 5u
#define CACHES (64u << 20) /* bytes: more than they hold */
/* Steps with most pages free by steps with fewest: no more than that. */
#define FLAT 1.5

static const uint32_t sizes[SIZES] = { 1u << 10, 1u << 16, 1u << 20 };

struct release {
	double ns;
	uint64_t steps, pages, splits;
};

/* Frees all of those pages but one of each block, in no order; returns one of the latter. */
static uint64_t scatter(const struct contender *contender, uint64_t *pages, uint32_t n)
{
	static bool kept[BLOCKS];
	uint64_t last = 0;
	uint32_t i;

	memset(kept, 0, sizeof(kept));
	for (i = n; i > 1; i--) {
		const uint32_t other = next_random(i);
		const uint64_t page = pages[i - 1];

		pages[i - 1] = pages[other];
		pages[other] = page;
	}
	for (i = 0; i < n; i++) {
		bool *block = &kept[pages[i] / BENCH_BLOCK];

		if (*block)
			contender->free(pages[i]);
		else
			last = pages[i];
		*block = true;
	}
	return last;
}

/* What was set up is not in the caches, be it little or much. */
static void empty_caches(void)
{
	static volatile unsigned char other[CACHES];
	size_t i;

	for (i = 0; i < CACHES; i += 64)
		other[i]++;
}

/* One block comes to be without pages in use, and that many other pages are free. */
static struct release release_one(const struct contender *contender, uint32_t cached)
{
	const uint32_t n = cached + cached / BENCH_BLOCK + BENCH_BLOCK;
	uint64_t *pages = malloc(n * sizeof(*pages));
	struct release release = { 0 };
	uint64_t page, steps, start;
	uint32_t i;

	random_state = 1;
	if (!pages || !contender->start())
		bench_die("a pool cannot be set up");
	for (i = 0; i < n; i++)
		if (!contender->alloc(&pages[i]))
			bench_die("a pool has no page");
	page = scatter(contender, pages, n);
	contender->settle();
	contender->free(page);
	empty_caches();
	steps = contender->steps();
	start = nanoseconds();
	release.pages = contender->scan(BENCH_BLOCK);
	release.ns = (double)(nanoseconds() - start);
	release.steps = contender->steps() - steps;
	release.splits = contender->memory->splits;
	contender->stop();
	free(pages);
	return release;
}

static struct release measure_release(const struct contender *contender, uint32_t cached)
{
	double ns[RELEASES];
	struct release release = { 0 };
	unsigned int i;

	for (i = 0; i < RELEASES; i++) {
		release = release_one(contender, cached);
		ns[i] = release.ns;
	}
	release.ns = median(ns, RELEASES);
	return release;
}

static void print_release(FILE *json, const char *name, uint32_t cached,
			  const struct release *release)
{
	printf("%-34s %14u %14llu %14.1f\n", name, cached, (unsigned long long)release->steps,
	       release->ns / 1000);
	if (json)
		fprintf(json,
			"{\"bench\":\"pool_cost\",\"case\":\"release\",\"policy\":\"%s\","
			"\"cached\":%u,\"steps\":%llu,\"us\":%.2f}\n",
			name, cached, (unsigned long long)release->steps, release->ns / 1000);
}

/* Whether one block went, whole, by steps that do not grow; but the seed's do, or nothing was seen. */
static bool check_release(unsigned int c, const struct contender *contender, FILE *json)
{
	struct release release[SIZES];
	bool ok = true, flat;
	unsigned int i;

	for (i = 0; i < SIZES; i++) {
		release[i] = measure_release(contender, sizes[i]);
		print_release(json, contenders[c]->name, sizes[i], &release[i]);
		ok &= release[i].pages == BENCH_BLOCK && !release[i].splits;
	}
	flat = (double)release[SIZES - 1].steps <= FLAT * (double)release[0].steps;
	if (!ok)
		printf("FAIL %s: not one block, whole\n", contenders[c]->name);
	if (flat != (c != 0))
		printf("FAIL %s: steps %s\n", contenders[c]->name,
		       c ? "grow" : "do not grow: nothing was measured");
	return ok && flat == (c != 0);
}

static bool check_pools(FILE *json, bool fault)
{
	const struct contender *pools[POOLS];
	bool ok = true;
	unsigned int c;

	for (c = 0; c < POOLS; c++)
		pools[c] = fault ? &seed_contender : contenders[c];
	printf("locks of a pair\n");
	for (c = 0; c < POOLS; c++)
		ok &= check_locks(c, pools[c], json);
	printf("release of one block\n%-34s %14s %14s %14s\n", "", "pages free", "steps", "us");
	for (c = 0; c < POOLS; c++)
		ok &= check_release(c, pools[c], json);
	return ok;
}

static int usage(void)
{
	fprintf(stderr, "usage: pool_cost [--json OUT.json] | --check [--fault]\n");
	return 2;
}

/* dlopen() has too little of the thread-local memory that jemalloc wants, unless libc knew at its start. */
static void make_room(char **argv)
{
	if (getenv("GLIBC_TUNABLES"))
		return;
	if (!setenv("GLIBC_TUNABLES", "glibc.rtld.optional_static_tls=65536", 1))
		execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
	const bool checking = argc > 1 && !strcmp(argv[1], "--check");
	const bool fault = checking && argc == 3 && !strcmp(argv[2], "--fault");
	const char *path = argc == 3 && !strcmp(argv[1], "--json") ? argv[2] : NULL;
	FILE *json = NULL;
	bool ok;

	if (argc > 1 && !path && !fault && !(checking && argc == 2))
		return usage();
	if (!checking)
		make_room(argv);
	if (!bench_register_fence()) {
		printf("SKIP: no membarrier()\n");
		return 77;
	}
	if (path && !(json = fopen(path, "w"))) {
		fprintf(stderr, "pool_cost: %s: %s\n", path, strerror(errno));
		return 1;
	}
	if (!checking) {
		measure_pairs();
		print_pairs(json);
	}
	ok = check_pools(json, fault);
	if (json && fclose(json)) {
		fprintf(stderr, "pool_cost: %s: %s\n", path, strerror(errno));
		return 1;
	}
	return checking && !ok;
}
#endif
