/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * pgtable_pool.c -- host threads that take pages from one pool and give them back, each a CPU; also under
 * ThreadSanitizer.
 *
 *	pgtable_pool [--cpus N] [--steps N] [--seed N] [--plant cpu|remove|busy]
 *
 * Their demand comes and goes, some of their pages are freed by others, and CPUs go away and come back.
 * Beside them the shrinker, and whoever looks at statistics and pictures of the pool. The kernel has memory
 * for little more than they want, often not in blocks, and key changes fail. Each owner of a page writes
 * its own number into it, and finds it there when it frees the page. At the end what the pool counts has to
 * be what it has, and it gives all of it back. The report is TAP.
 *
 * --plant makes a mistake that ThreadSanitizer has to report: two threads on one CPU; the removal of a CPU
 * that is not gone; CPUs that do not say that they are in their magazine. Nothing else is judged then.
 */
#include <errno.h>
#include <hardmap/pgtable_pool.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CPUS_MAX 8
#define BLOCKS 8 /* of the kernel */
#define BOOT 64 /* pages that the pool adopts */
#define OWNED 640 /* pages of a thread at most */
#define BATCH 40
#define SHELF 64 /* pages that anyone may free */
#define WORDS (BENCH_PAGE / sizeof(uint64_t))

enum plant { NOTHING, ONE_CPU, EARLY_REMOVAL, NOT_BUSY };

struct cpu {
	pthread_t thread;
	unsigned int number;
	uint64_t steps; /* to go */
	uint64_t allocations, frees, refused, waves;
	hm_pa_t page[OWNED];
	unsigned int pages;
	/* 0: it is there; 1: it is gone, until someone has told the pool and makes it 0. */
	unsigned int away;
};

static unsigned int cpus = 4;
static uint64_t steps = 20000, seed = 1;
static enum plant plant;

static struct bench_memory memory;
static struct bench_pool kernel_pool = { .memory = &memory };
static struct hm_pgtable_pool *const pool = &kernel_pool.pool;
static struct cpu cpu_of[CPUS_MAX];
static uint64_t boot; /* the first page that the pool adopts */
static unsigned int out_of; /* how many calls of a hook one fails; 0: none does */
static unsigned int running, done; /* threads that allocate; atomic */
static unsigned int failures; /* atomic */
static bool tide = true; /* all want more; atomic, as what they have */
static unsigned int owned;
static uint64_t removals, scans, given, pictures;

/* Pages that their owner has left for another to free. */
static pthread_mutex_t shelf_lock = PTHREAD_MUTEX_INITIALIZER;
static hm_pa_t shelf[SHELF];
static unsigned int shelved;

static void failed(const char *what)
{
	if (plant == NOTHING && !__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED))
		fprintf(stderr, "%s\n", what);
}

static void agree(const char *what, uint64_t is, uint64_t should_be)
{
	if (is == should_be)
		return;
	__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
	fprintf(stderr, "%s: %llu, should be %llu\n", what, (unsigned long long)is,
		(unsigned long long)should_be);
}

/* A number below n of this thread. */
static unsigned int random_below(unsigned int n)
{
	static _Thread_local uint64_t state;

	if (!state)
		state = (seed * 100 + bench_cpu + 1) * UINT64_C(0x9e3779b97f4a7c15);
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return n ? (unsigned int)((state >> 32) % n) : 0;
}

/* ---- hooks that fail ---- */

static bool fails(void)
{
	return out_of && !random_below(out_of);
}

/* Blocks more often than pieces of one. */
bool hm_port_pgtable_pool_memory(struct hm_pgtable_pool *of, unsigned int order, hm_pa_t *pages)
{
	if (fails() && (order == HM_PORT_PGTABLE_POOL_ORDER || fails()))
		return false;
	return bench_pool_memory(of, order, pages);
}

/* Before anything has changed, or half-way; and after a table was taken for it, which it has no use for
 * soon. */
int hm_port_pgtable_pool_set_key(struct hm_pgtable_pool *of, hm_pa_t start, unsigned int n,
				 unsigned int key, struct hm_pgtable_pool_token *token)
{
	const bool half = n > 1 && fails();
	int error;
	hm_pa_t table;

	if (fails())
		return -HM_ENOMEM;
	if (hm_pgtable_pool_take(of, token, &table) && hm_pgtable_pool_free(of, table))
		bench_die("a table is not taken back");
	error = bench_pool_set_key(of, start, half ? n / 2 : n, key, token);
	return half ? -HM_EIO : error;
}

bool hm_port_pgtable_pool_fence(struct hm_pgtable_pool *of)
{
	unsigned int i;

	if (plant != NOT_BUSY)
		return bench_pool_fence(of);
	for (i = 0; i < kernel_pool.cpus; i++)
		__atomic_store_n(&kernel_pool.magazines[i].busy, 0, __ATOMIC_RELAXED);
	return true;
}

/* ---- pages ---- */

static uint64_t *words_of(hm_pa_t page)
{
	return (uint64_t *)(uintptr_t)page.val;
}

/* What its owner writes at both ends. */
static uint64_t mark_of(hm_pa_t page)
{
	return page.val ^ UINT64_C(0x6d61726b);
}

static void own(struct cpu *self, hm_pa_t page, unsigned int flags)
{
	uint64_t *words = words_of(page);

	if (flags & HM_PGTABLE_POOL_ZERO &&
	    (words[0] | words[1] | words[WORDS / 2] | words[WORDS - 1]))
		failed("a page is not zero");
	words[0] = words[WORDS - 1] = mark_of(page) + self->number;
	self->page[self->pages++] = page;
	__atomic_fetch_add(&owned, 1, __ATOMIC_RELAXED);
	self->allocations++;
}

/* One of its pages, that nobody else has written. */
static hm_pa_t disown(struct cpu *self)
{
	const unsigned int i = random_below(self->pages);
	const hm_pa_t page = self->page[i];
	uint64_t *words = words_of(page);

	if (words[0] != mark_of(page) + self->number || words[WORDS - 1] != words[0])
		failed("a page has two owners");
	words[0] = words[WORDS - 1] = 0;
	self->page[i] = self->page[--self->pages];
	__atomic_fetch_sub(&owned, 1, __ATOMIC_RELAXED);
	return page;
}

static void freed(struct cpu *self, int error, unsigned int n)
{
	if (error)
		failed("a page is not taken back");
	self->frees += n;
}

/* ---- the steps of a CPU ---- */

static void refused(struct cpu *self, int error)
{
	if (error != -HM_ENOMEM && error != -HM_EBUSY && error != -HM_EIO && plant == NOTHING)
		agree("what a refused allocation answers", (uint64_t)-error, HM_ENOMEM);
	self->refused++;
}

static void alloc_one(struct cpu *self)
{
	const unsigned int flags = random_below(8);
	hm_pa_t page;
	const int error = hm_pgtable_pool_alloc(pool, flags, &page);

	if (error)
		refused(self, error);
	else
		own(self, page, flags);
}

static void alloc_batch(struct cpu *self)
{
	const unsigned int n = 1 + random_below(BATCH), flags = random_below(2);
	hm_pa_t pages[BATCH];
	int error;
	unsigned int i;

	if (self->pages + n > OWNED)
		return;
	error = hm_pgtable_pool_alloc_batch(pool, flags, pages, n);
	if (error)
		refused(self, error);
	for (i = 0; !error && i < n; i++)
		own(self, pages[i], flags);
}

static void free_batch(struct cpu *self)
{
	unsigned int n = 1 + random_below(BATCH), i;
	hm_pa_t pages[BATCH];

	if (n > self->pages)
		n = self->pages;
	for (i = 0; i < n; i++)
		pages[i] = disown(self);
	freed(self, hm_pgtable_pool_free_batch(pool, pages, n), n);
}

static void free_one(struct cpu *self)
{
	freed(self, hm_pgtable_pool_free(pool, disown(self)), 1);
}

/* Leaves a page to whoever comes, or frees one that was left. */
static void use_shelf(struct cpu *self)
{
	hm_pa_t page = { 0 };

	pthread_mutex_lock(&shelf_lock);
	if (self->pages && shelved < SHELF && random_below(2))
		shelf[shelved++] = disown(self);
	else if (shelved)
		page = shelf[--shelved];
	pthread_mutex_unlock(&shelf_lock);
	if (page.val)
		freed(self, hm_pgtable_pool_free(pool, page), 1);
}

/* What was held back is there, whatever the others do. */
static void use_token(struct cpu *self)
{
	struct hm_pgtable_pool_token token = { 0 };
	const unsigned int n = 1 + random_below(BATCH);
	unsigned int i = random_below(n + 1);
	hm_pa_t page;
	const int error = hm_pgtable_pool_reserve(pool, random_below(2), n, &token);

	if (error) {
		refused(self, error);
		return;
	}
	while (i-- && self->pages < OWNED) {
		if (!hm_pgtable_pool_take(pool, &token, &page)) {
			failed("a page that was held back is not there");
			break;
		}
		own(self, page, 0);
	}
	hm_pgtable_pool_unreserve(pool, &token);
}

/* This CPU goes away, and comes back once someone has told the pool. */
static void leave(struct cpu *self)
{
	if (plant == EARLY_REMOVAL)
		return;
	__atomic_store_n(&self->away, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&self->away, __ATOMIC_ACQUIRE))
		sched_yield();
}

static void step(struct cpu *self, bool grows)
{
	const unsigned int what = random_below(64);

	if (!random_below(1024))
		leave(self);
	else if (what < 4)
		use_token(self);
	else if (what < 8)
		use_shelf(self);
	else if (what < (grows ? 48 : 20))
		what % 16 && self->pages < OWNED ? alloc_one(self) : alloc_batch(self);
	else if (self->pages)
		what % 16 ? free_one(self) : free_batch(self);
}

static void *cpu_main(void *argument)
{
	struct cpu *self = argument;

	bench_cpu = plant == ONE_CPU ? 0 : self->number;
	/* All at once. */
	__atomic_fetch_add(&running, 1, __ATOMIC_RELAXED);
	while (__atomic_load_n(&running, __ATOMIC_RELAXED) < cpus)
		sched_yield();
	while (self->steps) {
		const bool grows = __atomic_load_n(&tide, __ATOMIC_RELAXED);

		self->steps--;
		if (grows ? self->pages > OWNED - BATCH
			  : __atomic_load_n(&owned, __ATOMIC_RELAXED) < cpus * BATCH) {
			__atomic_store_n(&tide, !grows, __ATOMIC_RELAXED);
			self->waves++;
		}
		step(self, grows);
	}
	while (self->pages)
		free_one(self);
	/* Gone for good. */
	__atomic_fetch_add(&done, 1, __ATOMIC_RELEASE);
	__atomic_store_n(&self->away, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* ---- beside them ---- */

static void remove_cpus(void)
{
	unsigned int i;

	for (i = 0; i < cpus; i++) {
		if (plant == EARLY_REMOVAL) {
			hm_pgtable_pool_cpu_remove(pool, i);
			continue;
		}
		if (!__atomic_load_n(&cpu_of[i].away, __ATOMIC_ACQUIRE))
			continue;
		hm_pgtable_pool_cpu_remove(pool, i);
		removals++;
		__atomic_store_n(&cpu_of[i].away, 0, __ATOMIC_RELEASE);
	}
}

static void *shrinker_main(void *argument)
{
	(void)argument;
	bench_cpu = cpus;
	while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) < cpus) {
		remove_cpus();
		switch (random_below(16)) {
		case 0:
			given += hm_pgtable_pool_shrink(pool, random_below(256));
			scans++;
			break;
		case 1:
			given += hm_pgtable_pool_shrink_scan(pool, 1 + random_below(1024),
							     random_below(2) ? HM_PGTABLE_POOL_SPLIT
									     : 0);
			scans++;
			break;
		case 2:
			given += hm_pgtable_pool_shrink_scan(pool,
							     hm_pgtable_pool_shrink_count(pool), 0);
			scans++;
			break;
		default:
			sched_yield();
		}
	}
	return NULL;
}

static void look_at(const char *line, void *argument)
{
	*(size_t *)argument += strlen(line);
}

static void *viewer_main(void *argument)
{
	struct hm_pgtable_pool_statistics statistics;

	(void)argument;
	bench_cpu = cpus + 1;
	while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) < cpus) {
		size_t characters = 0;

		hm_pgtable_pool_statistics(pool, &statistics);
		if (statistics.present > BLOCKS * BENCH_BLOCK ||
		    statistics.free > statistics.present ||
		    statistics.reserved > statistics.present)
			failed("the pool counts more than there is");
		hm_pgtable_pool_print(pool, look_at, &characters);
		pictures += characters != 0;
		if (!random_below(8))
			hm_pgtable_pool_shrink_scan(pool, 64, 0);
		sched_yield();
	}
	return NULL;
}

/* ---- the beginning and the end ---- */

static void prepare(void)
{
	bench_memory_init(&memory, BLOCKS);
	if (!bench_memory_take(&memory, BOOT, &boot))
		bench_die("no memory");
	kernel_pool.cpus = cpus + 2;
	hm_pgtable_pool_init(pool);
	if (hm_pgtable_pool_adopt(pool, bench_pa_of(&memory, boot), BOOT) ||
	    hm_pgtable_pool_protect(pool))
		bench_die("no pool");
}

/* All pages are free; then all is given back. */
static void check(void)
{
	struct hm_pgtable_pool_statistics statistics;
	uint64_t allocations = 0, frees = 0, refusals = 0, waves = 0;
	unsigned int i;

	out_of = 0;
	for (i = 0; i < cpus; i++) {
		allocations += cpu_of[i].allocations;
		frees += cpu_of[i].frees;
		refusals += cpu_of[i].refused;
		waves += cpu_of[i].waves;
	}
	while (shelved) {
		frees++;
		if (hm_pgtable_pool_free(pool, shelf[--shelved]))
			failed("a page is not taken back");
	}
	agree("frees", frees, allocations);
	hm_pgtable_pool_statistics(pool, &statistics);
	agree("pages in use", statistics.used, 0);
	agree("pages that are held back", statistics.reserved, 0);
	hm_pgtable_pool_shrink_scan(pool, UINT64_MAX, 0);
	hm_pgtable_pool_statistics(pool, &statistics);
	agree("pages in quarantine", statistics.quarantined, 0);
	agree("pages in magazines", statistics.cached, 0);
	agree("pages that the kernel has given", memory.held,
	      statistics.present + (HM_PORT_PGTABLE_POOL_LOCKED ? 0 : statistics.metadata));
	agree("the end of the pool", (uint64_t)hm_pgtable_pool_destroy(pool), 0);
	agree("pages that it has kept", memory.held, BOOT);
	printf("1..1\n%sok 1 - %u CPUs: %llu allocations, %llu refused, %llu waves; %llu refills, "
	       "%llu of pieces, %llu blocks and %llu pages released by %llu scans, %llu key changes "
	       "failed; %llu removals, %llu pictures, %llu waits for the lock\n",
	       failures ? "not " : "", cpus, (unsigned long long)allocations,
	       (unsigned long long)refusals, (unsigned long long)waves,
	       (unsigned long long)statistics.counts.refills,
	       (unsigned long long)statistics.counts.loose_refills,
	       (unsigned long long)statistics.counts.blocks_released,
	       (unsigned long long)statistics.counts.pages_released, (unsigned long long)scans,
	       (unsigned long long)statistics.counts.key_failures, (unsigned long long)removals,
	       (unsigned long long)pictures, (unsigned long long)statistics.counts.lock_waits);
}

static bool number(const char *text, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = text ? strtoull(text, &end, 10) : 0;
	return text && *text && !*end && !errno;
}

static bool parse(char **arguments)
{
	static const char *const plants[] = { "", "cpu", "remove", "busy" };

	for (; *arguments; arguments += 2) {
		const char *value = arguments[1];
		uint64_t n = 0;

		if (!strcmp(*arguments, "--plant") && value) {
			for (plant = NOT_BUSY; plant && strcmp(value, plants[plant]) != 0; plant--)
				;
			if (plant == NOTHING)
				return false;
			continue;
		}
		if (!number(value, &n))
			return false;
		if (!strcmp(*arguments, "--cpus") && n && n <= CPUS_MAX)
			cpus = (unsigned int)n;
		else if (!strcmp(*arguments, "--steps"))
			steps = n;
		else if (!strcmp(*arguments, "--seed"))
			seed = n;
		else
			return false;
	}
	return true;
}

static void start(pthread_t *thread, void *(*body)(void *), void *argument)
{
	if (pthread_create(thread, NULL, body, argument))
		bench_die("no thread");
}

int main(int argc, char **argv)
{
	pthread_t shrinker, viewer;
	unsigned int i;

	if (!argc || !parse(argv + 1)) {
		fprintf(stderr,
			"pgtable_pool [--cpus 1..%d] [--steps N] [--seed N] [--plant cpu|remove|busy]\n",
			CPUS_MAX);
		return 2;
	}
	if (!bench_register_fence()) {
		printf("1..0 # SKIP this host has no membarrier()\n");
		return 0;
	}
	prepare();
	out_of = 16;
	for (i = 0; i < cpus; i++) {
		cpu_of[i].number = i;
		cpu_of[i].steps = steps;
		start(&cpu_of[i].thread, cpu_main, &cpu_of[i]);
	}
	start(&shrinker, shrinker_main, NULL);
	start(&viewer, viewer_main, NULL);
	for (i = 0; i < cpus; i++)
		pthread_join(cpu_of[i].thread, NULL);
	pthread_join(shrinker, NULL);
	pthread_join(viewer, NULL);
	if (plant != NOTHING)
		return 0;
	remove_cpus();
	check();
	return failures ? 1 : 0;
}
