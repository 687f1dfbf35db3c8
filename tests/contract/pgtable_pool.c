/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * pgtable_pool.c -- what every port with its hooks must get from pgtable_pool.h, over the kernel of
 * pool_kernel.h. After each operation what the pool says of itself, what its frames say, what the kernel
 * lent, the key of every page and the set of pages in use are reconciled.
 */
#include "pool_kernel.h"
#include "suite.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ORDER HM_PORT_PGTABLE_POOL_ORDER
#define BLOCK (1u << ORDER) /* pages */
#define MAGAZINE HM_PORT_PGTABLE_POOL_MAGAZINE
#define TABLES HM_PORT_PGTABLE_POOL_TABLES
#define LOCKED HM_PORT_PGTABLE_POOL_LOCKED
#define PAGES POOL_KERNEL_PAGES
#define CPUS POOL_KERNEL_CPUS
#define SLEEP HM_PGTABLE_POOL_MAY_SLEEP
#define ZERO HM_PGTABLE_POOL_ZERO
#define RESERVE HM_PGTABLE_POOL_RESERVE
#define SPLIT HM_PGTABLE_POOL_SPLIT
#define EVERYTHING (~UINT64_C(0))

static struct pool_kernel *const kernel = &pool_kernel;
static struct pool_kernel_pool *const kpool = &pool_kernel.pools[0];
static struct hm_pgtable_pool *const pool = &pool_kernel.pools[0].pool;

static hm_pa_t live
	[PAGES]; /* in use, of the first pool; those of the kernel's tables are not among them */
static unsigned int lives;
static bool keyed; /* hm_pgtable_pool_protect() succeeded */
static unsigned int bugs; /* HM_BUG that are expected, since the last look */
static uint64_t reserved; /* by tokens of the suite */
static uint64_t lost; /* pages in magazines that were overwritten */
static const char *where = ""; /* of a random program: which step of what */
static unsigned int failures;
/* Of calls of alloc_batch() that are within each other. */
static hm_pa_t batches[2 * PAGES];
static unsigned int batched;

static void suite_setup(void)
{
	probe_reset();
	pool_kernel_reset();
	lives = bugs = failures = batched = 0;
	keyed = false;
	reserved = lost = 0;
	where = "";
}

static void report(const char *what, int line)
{
	static char text[256];

	if (failures++)
		return;
	snprintf(text, sizeof(text), "line %d: %s %s", line, what, where);
	FAIL(text);
}

#define CHECK(condition) ((condition) ? (void)0 : report(#condition, __LINE__))

/* ---- reconciling ---- */

/* What all frames of a pool say. */
struct tally {
	uint64_t present, free, used, cached, metas, held, bare, empty, loose, adopted;
	uint64_t frames, whole;
};

static void tally_page(struct tally *tally, const struct hm_pool_frame_ *frame, unsigned int i)
{
	const unsigned int state = hm_pool_state_(frame->words, i);
	const unsigned int number = pool_kernel_number(hm_pool_page_(frame, i));
	const struct pool_kernel_page *page;

	if (number >= PAGES) {
		report("the page of a frame is no page", __LINE__);
		return;
	}
	page = &kernel->page[number];
	if (state == HM_POOL_ABSENT_)
		return;
	CHECK(hm_pool_find_(kpool->root, hm_pool_page_(frame, i)) == frame->number + 1);
	tally->present++;
	tally->adopted += page->owner == POOL_KERNEL_OWN;
	CHECK(page->owner != POOL_KERNEL_FREE);
	CHECK(page->live == (state == HM_POOL_USED_));
	tally->used += state == HM_POOL_USED_;
	tally->metas += state == HM_POOL_META_;
	tally->held += state == HM_POOL_HELD_;
	tally->free += hm_pool_is_free_(state);
	tally->cached += hm_pool_is_cached_(state);
	if (state != HM_POOL_HELD_ && !(frame->flags & HM_POOL_BARE_) && keyed)
		CHECK(page->key == HM_KEY_PGTABLES);
}

static void tally_frame(struct tally *tally, hm_pte_t *root, uint32_t number)
{
	const struct hm_pool_frame_ frame = hm_pool_load_(root, number);
	struct tally before = *tally;
	unsigned int i, page = frame.first;

	for (i = 0; i < BLOCK; i++)
		tally_page(tally, &frame, i);
	CHECK(tally->present - before.present == frame.present);
	CHECK(tally->free - before.free == frame.free);
	CHECK(tally->metas - before.metas == frame.metas);
	for (i = 0; i < frame.free && page < BLOCK; i++)
		page = hm_pool_state_(frame.words, page);
	CHECK(i == frame.free && (!i || page == HM_POOL_LAST_));
	if (frame.flags & HM_POOL_BARE_)
		tally->bare += frame.present;
	if (!(frame.flags & HM_POOL_PIECES_)) {
		tally->whole++;
		CHECK(frame.present == BLOCK);
	}
	if (!(frame.flags & (HM_POOL_PIECES_ | HM_POOL_ADOPTED_)) &&
	    frame.free + frame.metas == BLOCK)
		tally->empty += frame.free;
	if ((frame.flags & (HM_POOL_PIECES_ | HM_POOL_ADOPTED_)) == HM_POOL_PIECES_)
		tally->loose += frame.free;
}

/* Every frame with free pages is in the list that it has to be in. */
static void check_lists(hm_pte_t *root, uint64_t frames)
{
	uint64_t listed = 0, with_free = 0;
	unsigned int list;
	uint32_t i;

	for (i = 0; i < frames; i++)
		with_free += hm_pool_load_(root, i).free != 0;
	for (list = 0; list < HM_POOL_NO_LIST_; list++) {
		uint32_t link = hm_pool_half_(root + HM_POOL_HEADS_, list), previous = 0;

		if (list < BLOCK)
			CHECK((link != 0) ==
			      (hm_pool_get_(root + HM_POOL_MAP_ + list / 64) >> list % 64 & 1));
		while (link && listed <= frames) {
			const struct hm_pool_frame_ frame = hm_pool_load_(root, link - 1);

			CHECK(hm_pool_list_of_(&frame) == list);
			CHECK(hm_pool_half_(frame.words, HM_POOL_PREVIOUS_) == previous);
			previous = link;
			link = hm_pool_half_(frame.words, HM_POOL_NEXT_);
			listed++;
		}
	}
	CHECK(listed == with_free);
}

static void check_statistics(const struct tally *tally)
{
	struct hm_pgtable_pool_statistics statistics;
	uint64_t frames = 0;
	unsigned int i;

	hm_pgtable_pool_statistics(pool, &statistics);
	CHECK(statistics.present == tally->present);
	CHECK(statistics.free == tally->free);
	CHECK(statistics.cached + lost == tally->cached);
	CHECK(statistics.used == tally->used + lost);
	CHECK(statistics.metadata ==
	      (LOCKED ? tally->metas : kpool->lent + tally->adopted - tally->present));
	CHECK(statistics.quarantined == tally->held);
	CHECK(statistics.unprotected == tally->bare);
	CHECK(statistics.reserved == reserved);
	for (i = 0; i < HM_PGTABLE_POOL_CLASSES + 2; i++)
		frames += statistics.blocks[i];
	CHECK(frames == tally->whole);
	CHECK(statistics.loose_frames == tally->frames - tally->whole);
	CHECK(statistics.metadata_bytes == tally->frames * HM_POOL_FRAME_ * sizeof(hm_pte_t));
}

/* All that is known of the first pool agrees. Nothing goes on. */
static void reconcile(void)
{
	hm_pte_t *root = kpool->root;
	struct tally tally = { .frames = hm_pool_half_(root, HM_POOL_FRAMES_) };
	void (*meanwhile)(enum pool_kernel_hook) = kernel->meanwhile;
	const uint64_t unframed = hm_pool_get_(root + HM_POOL_LOST_);
	uint64_t known;
	uint32_t i;

	kernel->meanwhile = NULL;
	if (unframed) {
		tally.present = UINT64_C(1) << ((unframed & HM_POOL_FLAGS_) - 1);
		tally.held = tally.present;
	}
	for (i = 0; i < tally.frames; i++)
		tally_frame(&tally, root, i);
	check_lists(root, tally.frames);
	check_statistics(&tally);
	known = tally.present - tally.adopted + (LOCKED ? 0 : pool->metadata);
	CHECK(kpool->lent == known);
	CHECK(pool->empty == tally.empty);
	CHECK(pool->loose == tally.loose);
	CHECK(tally.used == lives + kernel->tables_out);
	CHECK(tally.free >= reserved);
	kernel->asked = 0;
	CHECK(!kpool->locked && !kpool->refilling && !kpool->pinned);
	CHECK(!hm_pool_get_(root + HM_POOL_SHRINKING_));
	CHECK(probe_read().bugs == bugs);
	bugs = 0;
	if (kernel->violations)
		report(kernel->violation, __LINE__);
	kernel->meanwhile = meanwhile;
}

/* ---- operations, with what the suite knows of them ---- */

static void note_served(hm_pa_t page, unsigned int flags)
{
	const hm_pte_t *entries = hm_port_pgtable_map(page);
	unsigned int i;

	if (flags & ZERO) {
		for (i = 0; i < HM_PORT_PGTABLE_ENTRIES && !entries[i].val; i++)
			;
		CHECK(i == HM_PORT_PGTABLE_ENTRIES);
	}
	pool_kernel_serve(pool, page, keyed);
	live[lives++] = page;
}

static int alloc(unsigned int flags)
{
	hm_pa_t page;
	const int error = hm_pgtable_pool_alloc(pool, flags, &page);

	if (!error)
		note_served(page, flags);
	return error;
}

static int alloc_batch(unsigned int flags, unsigned int n)
{
	hm_pa_t *pages = &batches[batched];
	unsigned int i;
	int error;

	CHECK(batched + n <= 2 * PAGES);
	batched += n;
	error = hm_pgtable_pool_alloc_batch(pool, flags, pages, n);
	batched -= n;
	for (i = 0; !error && i < n; i++)
		note_served(pages[i], flags);
	return error;
}

/* One of those in use is no longer; which one. */
static hm_pa_t forget(unsigned int i)
{
	const hm_pa_t page = live[i];

	live[i] = live[--lives];
	pool_kernel_free(page);
	return page;
}

static void free_one(unsigned int i)
{
	CHECK(!hm_pgtable_pool_free(pool, forget(i)));
}

static void free_all(void)
{
	while (lives)
		free_one(lives - 1);
}

/* It is no page that can be freed. */
static void free_wrong(uint64_t pa)
{
	const hm_pa_t page = { pa };

	CHECK(hm_pgtable_pool_free(pool, page) == -HM_EINVAL);
	bugs++;
}

/* All magazines are empty. */
static void empty_magazines(void)
{
	unsigned int cpu;

	for (cpu = 0; cpu < kernel->cpus; cpu++)
		hm_pgtable_pool_cpu_remove(pool, cpu);
}

/* Nothing is expected to be wanted again. */
static void forget_demand(void)
{
	unsigned int i;

	for (i = 0; i < 64; i++)
		(void)hm_pgtable_pool_shrink_count(pool);
}

/* hm_pgtable_pool_destroy(). At its end the root has the default key and gets an ordinary store, which ports
 * that know no pages take for one to a table. */
static int destroy(struct hm_pgtable_pool *which)
{
	const bool is_locked = LOCKED && hm_pool_is_protected_(which);
	const int error = hm_pgtable_pool_destroy(which);

	bugs += !error && is_locked && hm_kpkeys_style() != HM_KEY_STYLE_NONE;
	return error;
}

/* Everything went back. */
static void check_ended(void)
{
	unsigned int i;

	CHECK(!kpool->lent);
	for (i = 0; i < PAGES; i++) {
		CHECK(kernel->page[i].key == HM_KEY_DEFAULT);
		CHECK(!kernel->page[i].live);
	}
	CHECK(kpool->root_key == HM_KEY_DEFAULT);
	for (i = 0; i < HM_PORT_PGTABLE_ENTRIES; i++)
		CHECK(!kpool->root[i].val);
	CHECK(probe_read().bugs == bugs);
	if (kernel->violations)
		report(kernel->violation, __LINE__);
}

/* Everything goes back. */
static void end(void)
{
	kernel->meanwhile = NULL;
	kernel->fail_at = 0;
	kernel->reclaim = 0;
	kernel->tables = 0;
	pool_kernel_free_tables(pool, 0);
	free_all();
	reconcile();
	CHECK(!destroy(pool));
	check_ended();
}

/* ---- random programs ---- */

#define TOKENS 3
static struct {
	struct hm_pgtable_pool_token tokens[TOKENS];
	bool busy[TOKENS]; /* its owner is in a call */
	unsigned int depth; /* of CPUs that act while others wait */
	bool running[CPUS];
	bool growing;
	uint64_t seed, step;
	unsigned int adopted, registered;
	char text[128];
	bool destroyed;
} program;

static uint64_t below(uint64_t limit)
{
	return pool_kernel_random(limit);
}

static unsigned int random_flags(void)
{
	unsigned int flags = below(2) ? SLEEP : 0;

	if (!below(8))
		flags |= ZERO;
	if (!below(6))
		flags |= RESERVE;
	return flags;
}

/* Nothing stands in the way of a refill. */
static bool is_plentiful(void)
{
	return kernel->largest == ORDER && kernel->left >= 3 * BLOCK && !kernel->scatter &&
	       !kernel->tables && !kernel->fail_at && !kernel->meanwhile && !pool->quarantined;
}

static void expect_error(int error, unsigned int flags)
{
	CHECK(error == 0 || error == -HM_ENOMEM ||
	      (flags & SLEEP && (error == -HM_EBUSY || error == -HM_EIO)));
	CHECK(!error || !(flags & SLEEP) || !is_plentiful());
}

static void do_alloc(void)
{
	const unsigned int flags = random_flags();

	if (lives < PAGES - 64)
		expect_error(alloc(flags), flags);
}

static void do_alloc_batch(void)
{
	const unsigned int flags = random_flags();
	const unsigned int n = 1 + (unsigned int)below(below(4) ? 8 : BLOCK + BLOCK / 2);

	if (lives + n < PAGES - 64)
		expect_error(alloc_batch(flags, n), flags);
}

static void do_free(void)
{
	if (lives)
		free_one((unsigned int)below(lives));
}

/* Pages that were served one after the other go. */
static void do_free_many(void)
{
	unsigned int n = (unsigned int)below(BLOCK), i;

	for (i = lives ? (unsigned int)below(lives) : 0; n && i < lives; n--)
		free_one(i);
}

/* What nobody has in use. Nobody else acts meanwhile, as he might get it. */
static uint64_t wrong_page(void)
{
	unsigned int i;

	switch (below(6)) {
	case 0:
		return lives ? live[below(lives)].val + 1 + below(1023) : 1;
	case 1:
		return below(2) ? 0 : ~UINT64_C(0) << 10;
	case 2:
		return kpool->root_key + POOL_KERNEL_PA(kpool->root);
	default:
		i = (unsigned int)below(PAGES);
		while (kernel->page[i].live)
			i = (i + 1) % PAGES;
		return pool_kernel_pa(i).val;
	}
}

static void do_free_wrong(void)
{
	void (*meanwhile)(enum pool_kernel_hook) = kernel->meanwhile;

	kernel->meanwhile = NULL;
	free_wrong(wrong_page());
	kernel->meanwhile = meanwhile;
}

static void do_free_batch(void)
{
	void (*meanwhile)(enum pool_kernel_hook) = kernel->meanwhile;
	hm_pa_t pages[32];
	unsigned int n = 0, wrong = 0;
	bool may_be_wrong = !program.depth && !below(3);

	while (n < 32 && lives && below(16))
		pages[n++] = forget((unsigned int)below(lives));
	if (may_be_wrong) {
		kernel->meanwhile = NULL;
		while (n < 32 && below(3)) {
			const unsigned int place = (unsigned int)below(n + 1);
			uint64_t pa = wrong_page();

			if (n && !below(3))
				pa = pages[below(n)].val;
			if (place < n)
				pages[n] = pages[place];
			n++;
			pages[place].val = pa;
			wrong++;
		}
	}
	CHECK(hm_pgtable_pool_free_batch(pool, pages, n) == (wrong ? -HM_EINVAL : 0));
	bugs += wrong != 0;
	kernel->meanwhile = meanwhile;
}

static void do_scan(void)
{
	const uint64_t lent = kpool->lent, nr = below(4) ? 1 + below(3 * BLOCK) : EVERYTHING;
	const bool quiet = !kernel->meanwhile && !pool->quarantined;
	const uint64_t before = LOCKED ? 0 : pool->metadata; /* the kernel's own */
	const uint64_t given = pool_kernel_scan(pool, nr, below(3) ? 0 : SPLIT);
	const uint64_t after = LOCKED ? 0 : pool->metadata;

	if (quiet)
		CHECK(lent - kpool->lent == given + before - after);
	CHECK(given < nr || given - nr < BLOCK);
}

static void do_count(void)
{
	(void)hm_pgtable_pool_shrink_count(pool);
}

/*
 * A count is what a scan gives, when nothing is expected any more; somewhat more if locked metadata shrink,
 * as their pages are free then.
 */
static void do_count_and_scan(void)
{
	void (*meanwhile)(enum pool_kernel_hook) = kernel->meanwhile;
	const unsigned int tables = kernel->tables;
	uint64_t count, given, metadata;

	if (pool->quarantined)
		return;
	kernel->meanwhile = NULL;
	kernel->fail_at = 0;
	kernel->tables = 0;
	empty_magazines();
	forget_demand();
	metadata = LOCKED ? pool->metadata : 0;
	count = hm_pgtable_pool_shrink_count(pool);
	given = pool_kernel_scan(pool, EVERYTHING, 0);
	metadata -= LOCKED ? pool->metadata : 0;
	CHECK(given >= count && (given == count || metadata) && given - count < metadata + BLOCK);
	kernel->meanwhile = meanwhile;
	kernel->tables = tables;
}

static void do_shrink(void)
{
	const uint64_t target = below(2 * BLOCK);

	kernel->scanning++;
	(void)hm_pgtable_pool_shrink(pool, target);
	kernel->scanning--;
}

static void do_cpu(void)
{
	if (!program.depth)
		kernel->cpu = (unsigned int)below(kernel->cpus);
}

static void do_cpu_remove(void)
{
	unsigned int cpu = (unsigned int)below(CPUS);

	if (!program.depth)
		hm_pgtable_pool_cpu_remove(pool, cpu);
}

static void do_token(void)
{
	const unsigned int i = (unsigned int)below(TOKENS), flags = random_flags();
	struct hm_pgtable_pool_token *token = &program.tokens[i];
	hm_pa_t page;
	int error;

	if (program.busy[i])
		return;
	program.busy[i] = true;
	if (!token->pages) {
		const unsigned int n = (unsigned int)below(12);

		error = hm_pgtable_pool_reserve(pool, flags, n, token);
		expect_error(error, flags);
		CHECK(token->pages == (error ? 0 : n));
		reserved += token->pages;
	} else if (below(8)) {
		const bool taken = hm_pgtable_pool_take(pool, token, &page);

		CHECK(taken);
		if (taken) {
			note_served(page, 0);
			reserved--;
		}
	} else {
		reserved -= token->pages;
		hm_pgtable_pool_unreserve(pool, token);
		CHECK(!token->pages);
	}
	program.busy[i] = false;
}

static void do_protect(void)
{
	int error;

	if (program.depth || below(4))
		return;
	error = hm_pgtable_pool_protect(pool);
	CHECK(error == 0 || error == -HM_ENOMEM || error == -HM_EBUSY || error == -HM_EIO);
	keyed = keyed || !error;
}

/* A run of the kernel's own pages. */
static void do_bring(void)
{
	const unsigned int n = 1 + (unsigned int)below(below(2) ? 8 : BLOCK + BLOCK / 2);
	const unsigned int first = (unsigned int)below(PAGES - n);
	const bool used = below(2);
	unsigned int i;
	uint64_t present;
	hm_pa_t pa;
	int error;

	if (program.depth || kernel->meanwhile || kernel->fail_at || kernel->tables || below(4) ||
	    program.adopted > 6)
		return;
	for (i = first; i < first + n; i++)
		if (kernel->page[i].owner != POOL_KERNEL_FREE)
			return;
	program.adopted++;
	pa = pool_kernel_take(first, n);
	for (i = first; i < first + n; i++)
		kernel->page[i].pool = 0;
	error = used ? hm_pgtable_pool_register(pool, pa, n) : hm_pgtable_pool_adopt(pool, pa, n);
	/* A page for locked metadata there may be none. */
	CHECK(!error || error == -HM_ENOMEM);
	for (present = 0; present < n &&
			  hm_pool_find_(kpool->root, pool_kernel_pa(first + (unsigned int)present));
	     present++)
		;
	CHECK(error || present == n);
	for (i = first; i < first + n; i++) {
		const hm_pa_t page = pool_kernel_pa(i);

		if (i >= first + present) {
			kernel->page[i].owner = POOL_KERNEL_FREE;
			CHECK(kernel->page[i].key == HM_KEY_DEFAULT);
		} else if (used) {
			kernel->page[i].live = true;
			live[lives++] = page;
		}
	}
}

/* The kernel changes. */
static void do_knob(void)
{
	if (program.depth)
		return;
	switch (below(10)) {
	case 0:
		kernel->largest = below(3) ? ORDER : (unsigned int)below(ORDER + 1);
		break;
	case 1:
		kernel->scatter = !below(3);
		break;
	case 2:
		kernel->reclaim = below(2) ? 0 : 1 + below(2 * BLOCK);
		break;
	case 3:
		kernel->tables = below(2) ? 0 : (unsigned int)below(TABLES + 2);
		break;
	case 4:
		kernel->contended = below(2);
		break;
	case 5:
	case 6:
		kernel->fail_at = below(2) ? 0 : kernel->fallible + 1 + below(5);
		kernel->fail_times = 1 + below(below(2) ? 2 : 12);
		kernel->failure = (enum pool_kernel_failure)below(POOL_KERNEL_FAILURES);
		break;
	case 7:
		program.growing = !program.growing;
		break;
	default:
		pool_kernel_free_tables(pool, (unsigned int)below(4));
		break;
	}
}

static void ignore_line(const char *line, void *argument)
{
	uint64_t *lines = (uint64_t *)argument;

	CHECK(strlen(line) > 19);
	++*lines;
}

static void do_print(void)
{
	uint64_t lines = 0;

	hm_pgtable_pool_print(pool, ignore_line, &lines);
}

static void do_something(void)
{
	/* Within a hook, what its callers may do. */
	const unsigned int what = (unsigned int)below(program.depth ? 80 : 100);

	if (what < (program.growing ? 34 : 12))
		do_alloc();
	else if (what < 40)
		do_free();
	else if (what < 46)
		do_alloc_batch();
	else if (what < 52)
		do_free_batch();
	else if (what < (program.growing ? 53 : 60))
		do_free_many();
	else if (what < 66)
		do_scan();
	else if (what < 68)
		do_count();
	else if (what < 71)
		do_shrink();
	else if (what < 76)
		do_token();
	else if (what < 80)
		do_cpu();
	else if (what < 84)
		do_knob();
	else if (what < 86)
		do_cpu_remove();
	else if (what < 88)
		do_protect();
	else if (what < 90)
		do_bring();
	else if (what < 92)
		do_count_and_scan();
	else if (what < 97)
		do_free_wrong();
	else
		do_print();
}

/* Another CPU, or none, does something at this moment. */
static void act_meanwhile(enum pool_kernel_hook hook)
{
	const unsigned int before = kernel->cpu;
	unsigned int cpu = (unsigned int)below(CPUS);

	if (below(hook == POOL_KERNEL_LOCK ? 16 : 3) || program.depth == 2)
		return;
	if (cpu == before || program.running[cpu] || cpu >= kernel->cpus)
		return;
	program.running[before] = true;
	program.depth++;
	kernel->cpu = cpu;
	do_something();
	program.depth--;
	program.running[before] = false;
	kernel->cpu = before;
}

static void run_program(uint64_t seed, unsigned int steps, bool concurrent)
{
	unsigned int i;

	suite_setup();
	memset(&program, 0, sizeof(program));
	kernel->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	program.seed = seed;
	where = program.text;
	snprintf(program.text, sizeof(program.text), "program %u", (unsigned int)seed);
	if (below(3)) {
		pool_kernel_take(PAGES - 16, 16);
		CHECK(!hm_pgtable_pool_adopt(pool, pool_kernel_pa(PAGES - 16), 16));
	}
	if (below(3)) {
		keyed = !hm_pgtable_pool_protect(pool);
		CHECK(keyed);
	}
	for (program.step = 0; program.step < steps && !failures; program.step++) {
		snprintf(program.text, sizeof(program.text), "program %u step %u",
			 (unsigned int)seed, (unsigned int)program.step);
		kernel->meanwhile = concurrent ? act_meanwhile : NULL;
		do_something();
		reconcile();
	}
	if (failures)
		return;
	kernel->meanwhile = NULL;
	for (i = 0; i < TOKENS; i++)
		if (program.tokens[i].pages)
			hm_pgtable_pool_unreserve(pool, &program.tokens[i]);
	reserved = 0;
	end();
}

/* As many as take a second or so: blocks of many pages take long to look at. */
#define PROGRAMS (ORDER > 9 ? 2 : ORDER > 6 ? 8 : 30)
#define STEPS (ORDER > 9 ? 60 : ORDER > 6 ? 500 : 1000)

/* Whatever one CPU does, nothing is lost, nothing is served twice, and all that is known agrees. */
CASE(random_programs_of_one_cpu)
{
	uint64_t seed;

	for (seed = 1; seed <= PROGRAMS && !failures; seed++)
		run_program(seed, STEPS, false);
}

/* Nor whatever others do whenever they can. */
CASE(random_programs_of_several_cpus)
{
	uint64_t seed;

	for (seed = 1; seed <= PROGRAMS && !failures; seed++)
		run_program(seed, STEPS, true);
}

/* ---- a failure at every call of a hook ---- */

/* How many steps answered with an error. */
static unsigned int errors;

static void note_error(int error)
{
	CHECK(error == 0 || error == -HM_ENOMEM || error == -HM_EBUSY || error == -HM_EIO);
	errors += error != 0;
	reconcile();
}

/* All that a pool can do, once. */
static void run_script(void)
{
	struct hm_pgtable_pool_token token = { 0 };
	unsigned int i;
	hm_pa_t page;
	int error;

	note_error(hm_pgtable_pool_adopt(pool, pool_kernel_pa(PAGES - 8),
					 4 + 2 * TABLES < 8 ? 4 + 2 * TABLES : 8));
	note_error(alloc(SLEEP));
	error = hm_pgtable_pool_protect(pool);
	keyed = !error;
	note_error(error);
	for (i = 0; i < 2 * BLOCK; i += BLOCK / 2)
		note_error(alloc_batch(SLEEP, BLOCK / 2));
	kernel->tables = TABLES ? 1 : 0;
	note_error(alloc_batch(SLEEP | RESERVE, BLOCK));
	kernel->tables = 0;
	error = hm_pgtable_pool_reserve(pool, SLEEP, 4, &token);
	reserved = token.pages;
	note_error(error);
	kernel->largest = 1;
	note_error(alloc_batch(SLEEP | ZERO, BLOCK / 2 + 2));
	kernel->largest = ORDER;
	while (token.pages && hm_pgtable_pool_take(pool, &token, &page)) {
		reserved--;
		note_served(page, 0);
	}
	reconcile();
	/* Every block has a page in use; then most have none. */
	for (i = lives; i--;)
		if (i % (BLOCK / 2))
			free_one(i);
	(void)pool_kernel_scan(pool, EVERYTHING, 0);
	reconcile();
	forget_demand();
	pool->worth = BLOCK / 4;
	kernel->tables = TABLES ? 1 : 0;
	(void)pool_kernel_scan(pool, BLOCK, SPLIT);
	reconcile();
	pool_kernel_free_tables(pool, 0);
	kernel->tables = 0;
	(void)pool_kernel_scan(pool, BLOCK / 2, SPLIT);
	reconcile();
	free_all();
	reconcile();
	(void)pool_kernel_scan(pool, 1, 0);
	(void)pool_kernel_scan(pool, EVERYTHING, SPLIT);
	reconcile();
	if (token.pages)
		hm_pgtable_pool_unreserve(pool, &token);
	reserved = 0;
	note_error(alloc(SLEEP));
	error = hm_pgtable_pool_protect(pool);
	keyed = keyed || !error;
	note_error(error);
	free_all();
	reconcile();
}

/* The script, and from the at'th call on so many of hooks fail in that manner; how many can. */
static uint64_t run_script_failing(uint64_t at, uint64_t times, enum pool_kernel_failure failure)
{
	uint64_t fallible;
	int error = 0;

	suite_setup();
	snprintf(program.text, sizeof(program.text), "failure %u of %u from call %u",
		 (unsigned int)failure, (unsigned int)times, (unsigned int)at);
	where = program.text;
	errors = 0;
	pool_kernel_take(PAGES - 8, 8);
	kernel->fail_at = at;
	kernel->fail_times = times;
	kernel->failure = failure;
	run_script();
	error = destroy(pool);
	fallible = kernel->fallible;
	CHECK(at || (!error && !errors));
	CHECK(!at || kernel->failed || at > fallible);
	kernel->fail_at = 0;
	if (error) /* what is left goes by the next call */
		CHECK(!destroy(pool));
	check_ended();
	return fallible;
}

static void fail_everywhere(uint64_t times)
{
	const uint64_t calls = run_script_failing(0, 1, POOL_KERNEL_BUSY);
	const uint64_t stride = ORDER > 9 ? 23 : 1; /* of the largest blocks: some calls only */
	unsigned int failure;
	uint64_t at;

	CHECK(calls > 10);
	for (failure = 0; failure < POOL_KERNEL_FAILURES; failure++)
		for (at = 1; at <= calls && !failures; at += stride)
			run_script_failing(at, times, (enum pool_kernel_failure)failure);
}

/* Whichever call of a hook fails, in whatever manner, nothing is lost, and the pool goes on. */
CASE(one_failure_at_every_call)
{
	fail_everywhere(1);
}

/* Nor if the call that would undo it fails, too. */
CASE(two_failures_at_every_call)
{
	fail_everywhere(2);
}

/* Nor if from there on, for long, all do. */
CASE(many_failures_at_every_call)
{
	fail_everywhere(40);
}

/* ---- one thing at a time ---- */

/* The pool is protected, and has that many blocks, all in use but for what an allocation leaves. */
static void fill(unsigned int blocks)
{
	CHECK(!hm_pgtable_pool_protect(pool));
	keyed = true;
	if (blocks >= POOL_KERNEL_BLOCKS)
		blocks = POOL_KERNEL_BLOCKS - 1;
	while (pool->counts.refills < blocks && !failures)
		CHECK(!alloc(SLEEP));
	while (!alloc(0))
		;
}

/* Frees what is in use of all blocks but that one, or of that one only. */
static void free_block(unsigned int number, bool others)
{
	const uint64_t block = pool_kernel_pa(number * BLOCK).val;
	unsigned int i;

	for (i = lives; i--;)
		if ((hm_pool_block_of_(live[i]) == block) != others)
			free_one(i);
}

/* An allocation that may not sleep asks for no memory; one that may takes a block, whose pages get the key
 * at once. */
CASE(memory_comes_in_blocks)
{
	CHECK(!hm_pgtable_pool_protect(pool));
	keyed = true;
	CHECK(alloc(0) == -HM_ENOMEM);
	CHECK(!kernel->calls[POOL_KERNEL_MEMORY]);
	CHECK(!alloc(SLEEP));
	CHECK(pool->counts.refills == 1 && !pool->counts.loose_refills);
	CHECK(pool->present == BLOCK);
	CHECK(!alloc(0) || BLOCK - 1 <= 2 * TABLES + LOCKED);
	reconcile();
	end();
}

/* A page that was freed last is served first, and what is in it is 0 if that was asked for. */
CASE(pages_are_emptied_if_asked)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		CHECK(!alloc(SLEEP | ZERO));
		CHECK(!alloc_batch(SLEEP | ZERO, 3));
		free_all();
	}
	reconcile();
	end();
}

/* Allocations leave the reserve, half of which those for splits may have. */
CASE(the_reserve_is_left)
{
	fill(1);
	empty_magazines();
	while (!alloc(0))
		;
	CHECK(pool->free == 2 * TABLES);
	CHECK(alloc_batch(0, 1) == -HM_ENOMEM);
	while (!alloc(RESERVE))
		;
	CHECK(pool->free == TABLES);
	CHECK(alloc_batch(RESERVE, 1) == -HM_ENOMEM);
	reconcile();
	end();
}

/* What a token holds back nobody else gets, and it is had without sleeping. */
CASE(a_token_holds_pages_back)
{
	struct hm_pgtable_pool_token token = { 0 };
	hm_pa_t page = { 0 };

	CHECK(hm_pgtable_pool_reserve(pool, 0, 3, &token) == -HM_ENOMEM);
	CHECK(!token.pages);
	CHECK(!hm_pgtable_pool_reserve(pool, SLEEP, 3, &token));
	CHECK(token.pages == reserved + 3);
	reserved = 3;
	while (!alloc(RESERVE))
		;
	empty_magazines();
	while (!alloc(RESERVE))
		;
	CHECK(pool->free == 3 + TABLES);
	reconcile();
	for (; reserved; reserved--) {
		CHECK(hm_pgtable_pool_take(pool, &token, &page));
		note_served(page, 0);
	}
	CHECK(!hm_pgtable_pool_take(pool, &token, &page));
	reconcile();
	CHECK(!hm_pgtable_pool_reserve(pool, SLEEP, 2, &token));
	hm_pgtable_pool_unreserve(pool, &token);
	reconcile();
	end();
}

/* A batch is served as a whole or not at all. */
CASE(a_batch_is_all_or_nothing)
{
	const unsigned int before = lives;

	CHECK(!alloc(SLEEP));
	CHECK(alloc_batch(0, BLOCK) == -HM_ENOMEM);
	CHECK(lives == before + 1);
	CHECK(!alloc_batch(0, 0));
	CHECK(!alloc_batch(SLEEP, 2 * BLOCK));
	reconcile();
	CHECK(!hm_pgtable_pool_free_batch(pool, live, 0));
	reconcile();
	end();
}

/* Pages come from the fullest block, so that another one empties. */
CASE(the_fullest_block_serves)
{
	const unsigned int n = BLOCK / 4;
	uint64_t fullest;
	unsigned int i;

	fill(3);
	fullest = hm_pool_block_of_(live[0]);
	for (i = lives; i--;)
		if (hm_pool_block_of_(live[i]) != fullest &&
		    pool_kernel_number(live[i]) % BLOCK >= n)
			free_one(i);
	for (i = 0; i < lives && hm_pool_block_of_(live[i]) != fullest; i++)
		;
	free_one(i);
	empty_magazines();
	CHECK(!alloc_batch(0, 1));
	CHECK(hm_pool_block_of_(live[lives - 1]) == fullest || TABLES * 2 + LOCKED >= n);
	reconcile();
	end();
}

/* A scan gives back whole blocks, and nothing of those in use; with one key change each. */
CASE(empty_blocks_go_whole)
{
	uint64_t key_changes, steps;

	fill(6);
	free_block(0, true);
	empty_magazines();
	forget_demand();
	key_changes = pool->counts.key_changes;
	steps = pool->counts.steps;
	CHECK(pool_kernel_scan(pool, 1, 0) == BLOCK);
	CHECK(pool->counts.blocks_released == 1);
	CHECK(pool->counts.key_changes == key_changes + 1);
	CHECK(pool->counts.steps <= steps + 4);
	CHECK(pool_kernel_scan(pool, 2 * BLOCK, 0) == 2 * BLOCK);
	CHECK(!pool->counts.blocks_split && !kernel->calls[POOL_KERNEL_REJOIN]);
	CHECK(!pool_kernel_scan(pool, 0, 0));
	reconcile();
	end();
}

/* What was in use of late is not given back; it is forgotten by halves. */
CASE(demand_is_kept_for_a_while)
{
	uint64_t count, last = 0;
	unsigned int i;

	fill(9);
	free_all();
	empty_magazines();
	CHECK(!hm_pgtable_pool_shrink_count(pool));
	for (i = 0; i < 16; i++) {
		count = hm_pgtable_pool_shrink_count(pool);
		CHECK(count >= last);
		last = count;
	}
	CHECK(last && last % BLOCK == 0);
	CHECK(pool_kernel_scan(pool, EVERYTHING, 0) >= last);
	CHECK(hm_pgtable_pool_shrink_count(pool) == 0 || LOCKED);
	reconcile();
	end();
}

/* For kernels without a shrinker: down to that many free pages, but for what is kept. */
CASE(shrink_leaves_a_target)
{
	fill(6);
	free_all();
	empty_magazines();
	forget_demand();
	kernel->scanning++;
	CHECK(!hm_pgtable_pool_shrink(pool, pool->free));
	CHECK(hm_pgtable_pool_shrink(pool, pool->free - BLOCK - 1) == 2 * BLOCK);
	CHECK(hm_pgtable_pool_shrink(pool, 0) >= BLOCK);
	kernel->scanning--;
	reconcile();
	end();
}

/* Where there is no block, smaller pieces are taken; they are used last and go first. */
CASE(pieces_where_there_is_no_block)
{
	uint64_t loose;

	fill(2);
	kernel->largest = 1;
	CHECK(!alloc_batch(SLEEP, BLOCK));
	CHECK(pool->counts.loose_refills > 1);
	reconcile();
	kernel->largest = ORDER;
	free_all();
	empty_magazines();
	loose = pool->loose;
	CHECK(loose && pool->free - loose >= BLOCK);
	CHECK(!alloc_batch(0, BLOCK / 2));
	CHECK(pool->loose == loose);
	forget_demand();
	CHECK(pool_kernel_scan(pool, EVERYTHING, 0) >= BLOCK / 2);
	reconcile();
	end();
}

/* Some of a block are the kernel's again. */
static bool is_split(unsigned int number)
{
	unsigned int i;

	for (i = 0; i < BLOCK; i++)
		if (kernel->page[number * BLOCK + i].owner == POOL_KERNEL_FREE)
			return true;
	return false;
}

static unsigned int in_other_block(unsigned int number)
{
	unsigned int i = 0;

	while (pool_kernel_number(live[i]) / BLOCK == number)
		i++;
	return i;
}

/* That many blocks, of each of which a quarter is in use, and no more is expected to be. */
static void use_little_of(unsigned int blocks)
{
	unsigned int i;

	fill(blocks);
	for (i = lives; i--;)
		if (pool_kernel_number(live[i]) % BLOCK > BLOCK / 4)
			free_one(i);
	empty_magazines();
	forget_demand();
}

/* With SPLIT a block goes in part, if that is worth it; when the rest goes, it is rejoined. */
CASE(a_block_is_split_only_when_told)
{
	unsigned int i, split = 0;
	uint64_t given;

	use_little_of(4);
	CHECK(!hm_pgtable_pool_shrink_count(pool));
	CHECK(!pool_kernel_scan(pool, EVERYTHING, 0));
	pool->worth = BLOCK;
	CHECK(!pool_kernel_scan(pool, EVERYTHING, SPLIT));
	CHECK(!pool->counts.blocks_split);
	pool->worth = BLOCK / 2;
	given = pool_kernel_scan(pool, BLOCK / 4, SPLIT);
	CHECK(given == BLOCK / 4);
	CHECK(pool->counts.blocks_split == 1);
	reconcile();
	/* What is kept is in other blocks, and none of them may go. */
	while (!alloc(RESERVE))
		;
	while (!is_split(split))
		split++;
	for (i = 2 * TABLES; i--;)
		free_one(in_other_block(split));
	free_block(split, false);
	empty_magazines();
	forget_demand();
	(void)pool_kernel_scan(pool, EVERYTHING, 0);
	reconcile();
	/* Locked metadata may be there, and then it stays. */
	CHECK(pool->counts.blocks_rejoined == kernel->calls[POOL_KERNEL_REJOIN]);
	CHECK(pool->counts.blocks_rejoined == 1 || LOCKED);
	end();
}

/* A split whose first key change fails was none; half-way, the block is not whole, and what it is about goes
 * by the next scan. */
CASE(a_split_that_fails)
{
	use_little_of(4);
	kernel->failure = POOL_KERNEL_BUSY;
	kernel->fail_at = kernel->fallible + 1 + (MAGAZINE && !LOCKED);
	CHECK(!pool_kernel_scan(pool, BLOCK / 4, SPLIT));
	CHECK(kernel->failed == 1 && !pool->counts.blocks_split && !pool->quarantined);
	reconcile();
	kernel->failure = POOL_KERNEL_HALF_WAY;
	kernel->fail_at = kernel->fallible + 1 + (MAGAZINE && !LOCKED);
	CHECK(!pool_kernel_scan(pool, BLOCK / 4, SPLIT));
	CHECK(kernel->failed == 2 && pool->counts.blocks_split == 1);
	CHECK(pool->quarantined && pool->quarantined <= BLOCK / 4);
	reconcile();
	CHECK(pool_kernel_scan(pool, BLOCK / 4, SPLIT) == BLOCK / 4);
	CHECK(!pool->quarantined);
	reconcile();
	end();
}

/* Magazines are emptied by the shrinker; and that of a CPU which goes, when it does. */
CASE(magazines_are_emptied)
{
	struct hm_pgtable_pool_statistics statistics;
	unsigned int cpu;

	if (!MAGAZINE)
		return;
	fill(3);
	for (cpu = 0; cpu < CPUS; cpu++) {
		kernel->cpu = cpu;
		free_one(0);
		free_one(0);
	}
	hm_pgtable_pool_statistics(pool, &statistics);
	CHECK(statistics.cached >= 2 * CPUS);
	hm_pgtable_pool_cpu_remove(pool, 1);
	CHECK(!kpool->magazines[1].pages && !kpool->magazines[1].last_state);
	reconcile();
	hm_pgtable_pool_cpu_remove(pool, CPUS); /* there is none */
	(void)pool_kernel_scan(pool, 1, 0);
	hm_pgtable_pool_statistics(pool, &statistics);
	CHECK(!statistics.cached);
	reconcile();
	end();
}

/* Most pairs of calls take no lock, where metadata are not locked. */
CASE(a_magazine_takes_no_lock)
{
	uint64_t locks;
	unsigned int i;

	if (!MAGAZINE || LOCKED)
		return;
	fill(2);
	free_one(0);
	locks = kernel->calls[POOL_KERNEL_LOCK];
	for (i = 0; i < 100; i++) {
		CHECK(!alloc(0));
		free_one(lives - 1);
	}
	CHECK(kernel->calls[POOL_KERNEL_LOCK] == locks);
	reconcile();
	end();
}

/* Where the other CPUs cannot be waited for, or another one shrinks, a scan gives nothing. */
CASE(a_scan_that_may_not_run)
{
	fill(4);
	free_all();
	forget_demand();
	kernel->fail_at = kernel->fallible + 1;
	if (MAGAZINE && !LOCKED) {
		CHECK(!pool_kernel_scan(pool, EVERYTHING, 0));
		CHECK(kernel->failed);
	}
	kernel->fail_at = 0;
	reconcile();
	hm_pte_fill(kpool->root + HM_POOL_SHRINKING_, 1, (hm_pte_t){ 1 }, 0);
	CHECK(!pool_kernel_scan(pool, EVERYTHING, 0));
	CHECK(hm_pgtable_pool_protect(pool) == -HM_EBUSY);
	CHECK(destroy(pool) == -HM_EBUSY);
	hm_pte_fill(kpool->root + HM_POOL_SHRINKING_, 1, (hm_pte_t){ 0 }, 0);
	reconcile();
	end();
}

/* A release whose key change fails changes nothing; half-way, those pages are served to no one until it
 * works. */
CASE(a_release_that_fails)
{
	fill(6);
	free_block(0, true);
	empty_magazines();
	forget_demand();
	kernel->fail_at = kernel->fallible + 1 + (MAGAZINE && !LOCKED);
	CHECK(!pool_kernel_scan(pool, 1, 0));
	CHECK(kernel->failed == 1 && !pool->quarantined && pool->counts.key_failures == 1);
	reconcile();
	kernel->failure = POOL_KERNEL_HALF_WAY;
	kernel->fail_at = kernel->fallible + 1 + (MAGAZINE && !LOCKED);
	CHECK(!pool_kernel_scan(pool, 1, 0));
	CHECK(pool->quarantined == BLOCK);
	reconcile();
	kernel->fail_at = kernel->fallible + 1 + (MAGAZINE && !LOCKED);
	kernel->failure = POOL_KERNEL_BUSY;
	(void)pool_kernel_scan(pool, 1, 0);
	CHECK(pool->quarantined == BLOCK);
	(void)pool_kernel_scan(pool, 1, 0);
	CHECK(!pool->quarantined);
	reconcile();
	end();
}

/* What is no page in use of this pool is not freed, and nothing is lost. */
CASE(wrong_pages_are_not_freed)
{
	struct hm_pgtable_pool *other = &kernel->pools[1].pool;
	hm_pa_t pages[3], page;
	unsigned int i;

	pool_kernel_take(PAGES - 4, 2);
	CHECK(!hm_pgtable_pool_adopt(pool, pool_kernel_pa(PAGES - 4), 2));
	CHECK(!alloc_batch(SLEEP, 3));
	CHECK(!hm_pgtable_pool_alloc(other, SLEEP, &page));
	for (i = 0; i < 2; i++) {
		hm_pa_t mine;

		free_wrong(live[0].val + 8); /* inside */
		free_wrong(live[0].val + 1);
		free_wrong(page.val); /* of another pool */
		free_wrong(pool_kernel_pa(PAGES - 1).val); /* of none */
		free_wrong(pool_kernel_pa(PAGES - 2).val); /* of the block of adopted ones */
		free_wrong(POOL_KERNEL_PA(kpool->root));
		free_wrong(0);
		free_wrong(~UINT64_C(0));
		mine = forget(1);
		CHECK(!hm_pgtable_pool_free(pool, mine));
		free_wrong(mine.val); /* twice: it may be in a magazine */
		empty_magazines();
		free_wrong(mine.val);
		reconcile();
	}
	pages[0] = forget(0);
	pages[1].val = pages[0].val;
	pages[2].val = 1;
	CHECK(hm_pgtable_pool_free_batch(pool, pages, 3) == -HM_EINVAL);
	bugs++;
	reconcile();
	CHECK(!hm_pgtable_pool_free(other, page));
	CHECK(!destroy(other));
	end();
}

/* Metadata of the pool itself are no pages that anyone has. */
CASE(metadata_are_not_freed)
{
	uint32_t i;

	fill(2);
	for (i = 0; i < hm_pool_half_(kpool->root, HM_POOL_METAS_); i++)
		free_wrong(hm_pool_get_(hm_pool_directory_(kpool->root, i)));
	reconcile();
	end();
}

/* Adopted pages are served first and never given back; registered ones are in use. All are protected later,
 * and counted until they are. */
CASE(pages_of_early_boot)
{
	hm_pa_t tables;
	unsigned int i;

	pool_kernel_take(PAGES - BLOCK, BLOCK);
	tables = pool_kernel_take(0, 3);
	CHECK(!hm_pgtable_pool_adopt(pool, pool_kernel_pa(PAGES - BLOCK), BLOCK));
	CHECK(!hm_pgtable_pool_register(pool, tables, 3));
	for (i = 0; i < 3; i++) {
		kernel->page[i].live = true;
		live[lives++] = pool_kernel_pa(i);
	}
	CHECK(pool->unprotected == BLOCK + 3);
	reconcile();
	CHECK(!alloc(0) || 2 * TABLES + LOCKED >= BLOCK);
	CHECK(hm_pgtable_pool_adopt(pool, tables, 1) == -HM_EEXIST);
	CHECK(hm_pgtable_pool_adopt(pool, tables, 0) == -HM_EINVAL);
	tables.val++;
	CHECK(hm_pgtable_pool_register(pool, tables, 1) == -HM_EINVAL);
	reconcile();
	CHECK(!hm_pgtable_pool_protect(pool));
	keyed = true;
	CHECK(!pool->unprotected);
	reconcile();
	free_all();
	empty_magazines();
	forget_demand();
	CHECK(!pool_kernel_scan(pool, EVERYTHING, SPLIT));
	/* And what comes later gets its key at once. */
	tables = pool_kernel_take(BLOCK, 2);
	CHECK(!hm_pgtable_pool_adopt(pool, tables, 2));
	CHECK(kernel->page[BLOCK].key == HM_KEY_PGTABLES);
	reconcile();
	end();
}

/* Of a range over blocks what comes before the error is the pool's, the rest is the caller's as it was. */
CASE(a_range_of_which_one_block_fails)
{
	unsigned int i;

	pool_kernel_take(0, 3 * BLOCK);
	CHECK(!hm_pgtable_pool_adopt(pool, pool_kernel_pa(BLOCK), 1));
	CHECK(!hm_pgtable_pool_protect(pool));
	keyed = true;
	CHECK(hm_pgtable_pool_adopt(pool, pool_kernel_pa(0), 3 * BLOCK) == -HM_EEXIST);
	CHECK(pool->present == BLOCK + 1);
	for (i = 0; i < 3 * BLOCK; i++)
		CHECK((kernel->page[i].key == HM_KEY_PGTABLES) == (i <= BLOCK));
	reconcile();
	end();
}

/* Pages for which there is no frame, nor a page to make one, are the caller's as they were; if their key
 * cannot be changed back, that is told. */
CASE(pages_for_which_there_is_no_frame)
{
	const hm_pa_t tables = pool_kernel_take(0, 2);
	unsigned int i;

	fill(0);
	kernel->left = 0;
	CHECK(hm_pgtable_pool_register(pool, tables, 2) == -HM_ENOMEM);
	CHECK(kernel->calls[POOL_KERNEL_SET_KEY] == 2 + LOCKED);
	CHECK(kernel->page[0].key == HM_KEY_DEFAULT && kernel->page[1].key == HM_KEY_DEFAULT);
	reconcile();
	kernel->failure = POOL_KERNEL_HALF_WAY;
	kernel->fail_at = kernel->fallible + 3 + !LOCKED;
	CHECK(hm_pgtable_pool_register(pool, tables, 2) == -HM_EIO);
	CHECK(kernel->failed == 1 && !pool->present);
	reconcile();
	for (i = 0; i < 2; i++)
		kernel->page[i].key = HM_KEY_DEFAULT; /* the caller's own business */
	kernel->left = PAGES;
	CHECK(!alloc(SLEEP));
	reconcile();
	end();
}

/* A refill before keys work is counted as unprotected, too; protection that fails goes on where it was. */
CASE(protection_that_fails)
{
	unsigned int i;

	CHECK(!alloc_batch(SLEEP, 2 * BLOCK));
	CHECK(pool->unprotected == pool->present);
	for (i = 1; i < 6; i++) {
		kernel->fail_at = kernel->fallible + i;
		kernel->failure = POOL_KERNEL_HALF_WAY;
		if (hm_pgtable_pool_protect(pool))
			CHECK(kernel->failed);
		reconcile();
	}
	kernel->fail_at = 0;
	CHECK(!hm_pgtable_pool_protect(pool));
	keyed = true;
	CHECK(!pool->unprotected);
	reconcile();
	end();
}

/* A refill fails in each way: without memory, half-way, and where the refill lock is not to be had. */
CASE(a_refill_that_fails)
{
	unsigned int failure, i;

	fill(2);
	for (failure = 0; failure < POOL_KERNEL_FAILURES; failure++) {
		kernel->failure = (enum pool_kernel_failure)failure;
		for (i = 1; i < 6; i++) {
			const uint64_t present = pool->present;

			kernel->fail_at = kernel->fallible + i;
			if (alloc_batch(SLEEP, BLOCK))
				CHECK(kernel->failed);
			CHECK(pool->present >= present);
			reconcile();
			while (lives > BLOCK)
				free_one(lives - 1);
		}
	}
	kernel->fail_at = 0;
	kernel->left = 0;
	empty_magazines();
	CHECK(alloc_batch(SLEEP, (unsigned int)pool->free + 1) == -HM_ENOMEM);
	kernel->left = PAGES;
	kpool->refilling = true; /* another CPU's */
	CHECK(alloc_batch(SLEEP, (unsigned int)pool->free + 1) == -HM_EBUSY);
	kpool->refilling = false;
	reconcile();
	end();
}

/* A refill before protection, for the metadata of which there is no page, gives back what it took, and
 * changes no key. */
CASE(a_refill_without_a_page_for_metadata)
{
	if (LOCKED)
		return;
	kernel->fail_at = kernel->fallible + 2;
	CHECK(alloc(SLEEP) == -HM_ENOMEM);
	CHECK(kernel->failed == 1 && kernel->calls[POOL_KERNEL_GIVE] == 1);
	CHECK(!pool->present && !kpool->lent && !kernel->calls[POOL_KERNEL_SET_KEY]);
	reconcile();
	CHECK(!alloc(SLEEP));
	reconcile();
	end();
}

/* Where nothing is to be had, the pages in the magazines of others are. */
CASE(magazines_serve_when_memory_is_gone)
{
	if (!MAGAZINE)
		return;
	fill(1);
	free_one(0);
	free_one(0);
	kernel->cpu = 1;
	kernel->left = 0;
	CHECK(!alloc(SLEEP));
	kernel->left = PAGES;
	reconcile();
	end();
}

/* A key change in the refill of a pool that has nothing else takes its tables from the reserve, and no
 * refill is within a refill. */
CASE(a_refill_takes_its_tables_from_the_reserve)
{
	pool_kernel_take(0, BLOCK);
	CHECK(!hm_pgtable_pool_adopt(pool, pool_kernel_pa(0), BLOCK));
	fill(0);
	empty_magazines();
	while (!alloc(0))
		;
	CHECK(pool->free == 2 * TABLES);
	kernel->tables = TABLES;
	CHECK(!alloc(SLEEP));
	CHECK(kernel->tables_out == TABLES);
	kernel->tables = 0;
	reconcile();
	pool_kernel_free_tables(pool, 0);
	reconcile();
	end();
}

/* In a key change, on another CPU: it gets no page of the tables' token. */
static void take_all(enum pool_kernel_hook hook)
{
	kernel->cpu = 1;
	kernel->meanwhile = NULL;
	if (hook != POOL_KERNEL_SET_KEY) {
		kernel->meanwhile = take_all;
		return;
	}
	while (!alloc_batch(RESERVE, 1))
		;
	CHECK(alloc_batch(SLEEP, BLOCK) == -HM_EBUSY); /* one refill at a time */
}

/* Two CPUs that refill at once do not eat each other's tables. */
CASE(nobody_eats_the_tables_of_a_refill)
{
	pool_kernel_take(0, BLOCK);
	CHECK(!hm_pgtable_pool_adopt(pool, pool_kernel_pa(0), BLOCK));
	fill(0);
	kernel->tables = TABLES;
	kernel->meanwhile = take_all;
	CHECK(!alloc_batch(SLEEP, 2));
	CHECK(!kernel->meanwhile);
	CHECK(kernel->tables_out + 1 > TABLES);
	kernel->tables = 0;
	reconcile();
	end();
}

/* The lock that was another's is counted. */
CASE(contention_is_counted)
{
	uint64_t waits;

	CHECK(!alloc(SLEEP));
	waits = pool->counts.lock_waits;
	kernel->contended = true;
	(void)hm_pgtable_pool_shrink_count(pool);
	kernel->contended = false;
	CHECK(pool->counts.lock_waits == waits + 1);
	end();
}

/* Metadata are a small part of what they manage, where pages have as many entries as on any machine. */
CASE(metadata_are_few)
{
	if (HM_PORT_PGTABLE_ENTRIES < 512 || ORDER < 5)
		return;
	CHECK(HM_POOL_FRAME_ * sizeof(hm_pte_t) * 500 <
	      (uint64_t)BLOCK * HM_PORT_PGTABLE_ENTRIES * sizeof(hm_pte_t) + BLOCK * 500);
	CHECK(HM_POOL_PER_PAGE_ * HM_POOL_FRAME_ <= HM_PORT_PGTABLE_ENTRIES);
}

/* Overwrites a magazine in a way, which nobody notices at once. */
static void overwrite(struct hm_pgtable_pool_magazine *magazine, unsigned int how)
{
	switch (how) {
	case 0:
		magazine->pages = 0xffffffff;
		break;
	case 1:
		magazine->page[0] = live[0];
		break;
	case 2:
		magazine->page[magazine->pages - 1].val = 8;
		break;
	case 3:
		magazine->page[magazine->pages - 1] = pool_kernel_pa(PAGES - 1);
		break;
	default:
		magazine->pages--;
		magazine->page[0] = magazine->page[1];
		break;
	}
}

/* A magazine that was overwritten serves no page which its frame does not say that it has; what it had is
 * free after a scan. */
CASE(an_overwritten_magazine)
{
	unsigned int how, i;

	if (MAGAZINE < 4 || !LOCKED)
		return;
	fill(3);
	for (how = 0; how < 5; how++) {
		while (lives > BLOCK / 2)
			free_one(lives - 1);
		while (kpool->magazines[0].pages < 3)
			free_one(lives - 1);
		overwrite(&kpool->magazines[0], how);
		for (i = 0; i < MAGAZINE + 2; i++)
			(void)alloc(0); /* which checks what it gets */
		kernel->cpu = 1;
		(void)alloc(0);
		kernel->cpu = 0;
		(void)pool_kernel_scan(pool, 1, 0);
		(void)pool_kernel_scan(pool, 1, 0);
		CHECK(probe_read().bugs);
		reconcile();
		CHECK(!kpool->magazines[0].pages);
	}
	end();
}

/* A scan that believes an overwritten count finds no other place for metadata: they stay, and the count is
 * what the frames say. */
CASE(an_overwritten_count)
{
	if (!LOCKED)
		return;
	fill(1);
	free_all();
	empty_magazines();
	forget_demand();
	pool->free = PAGES;
	CHECK(!pool_kernel_scan(pool, EVERYTHING, 0));
	CHECK(pool->free == BLOCK - 1 && pool->metadata == 1);
	reconcile();
	CHECK(!alloc(SLEEP));
	reconcile();
	end();
}

static char drawing[64][128];
static unsigned int lines;

static void keep_line(const char *line, void *argument)
{
	(void)argument;
	CHECK(strlen(line) == 19 + (BLOCK < 64 ? BLOCK : 64));
	if (lines < 64)
		snprintf(drawing[lines], sizeof(drawing[0]), "%s", line);
	lines++;
}

static void draw(void)
{
	lines = 0;
	hm_pgtable_pool_print(pool, keep_line, NULL);
}

/* The picture has a line a frame: where it is, of what kind, and what its pages are. */
CASE(the_picture)
{
	char address[20];
	unsigned int i, used = 0;

	draw();
	CHECK(!lines);
	pool_kernel_take(PAGES - 2, 2);
	CHECK(!hm_pgtable_pool_adopt(pool, pool_kernel_pa(PAGES - 2), 2));
	CHECK(!alloc_batch(SLEEP, 2));
	draw();
	CHECK(lines == 2);
	snprintf(address, sizeof(address), "%016llx",
		 (unsigned long long)pool_kernel_pa(PAGES - BLOCK).val);
	CHECK(!memcmp(drawing[0], address, 16) && drawing[0][16] == ' ' && drawing[0][17] == 'A');
	CHECK(drawing[1][17] == 'B');
	CHECK(!hm_pgtable_pool_protect(pool));
	keyed = true;
	kernel->largest = 0;
	CHECK(!alloc_batch(SLEEP, BLOCK));
	draw();
	CHECK(drawing[0][17] == 'a' && drawing[1][17] == 'b' && drawing[2][17] == 'l');
	for (i = 19; drawing[1][i]; i++)
		used += drawing[1][i] == '#' || drawing[1][i] == '+';
	CHECK(used);
	if (LOCKED)
		CHECK(strchr(drawing[0], 'm') || strchr(drawing[1], 'm'));
	if (MAGAZINE) {
		free_one(0);
		draw();
		CHECK(BLOCK > 64 || strchr(drawing[0] + 19, 'c') || strchr(drawing[1] + 19, 'c') ||
		      strchr(drawing[2] + 19, 'c'));
	}
	reconcile();
	end();
}

/* A pool in use does not end. */
CASE(a_pool_in_use_does_not_end)
{
	fill(2);
	CHECK(destroy(pool) == -HM_EBUSY);
	reconcile();
	kpool->refilling = true;
	CHECK(destroy(pool) == -HM_EBUSY);
	CHECK(hm_pgtable_pool_protect(pool) == -HM_EBUSY);
	CHECK(hm_pgtable_pool_adopt(pool, pool_kernel_pa(PAGES - 1), 1) == -HM_EBUSY);
	kpool->refilling = false;
	reconcile();
	end();
}

/* If the key of its last block cannot be changed, a pool says so, and has all that it had. */
CASE(an_end_that_fails)
{
	static const int said[] = {
		[POOL_KERNEL_NO_MEMORY] = -HM_ENOMEM,
		[POOL_KERNEL_BUSY] = -HM_EBUSY,
		[POOL_KERNEL_HALF_WAY] = -HM_EIO,
	};
	unsigned int failure;

	fill(1);
	free_all();
	for (failure = 0; failure < POOL_KERNEL_FAILURES; failure++) {
		kernel->failure = (enum pool_kernel_failure)failure;
		kernel->fail_at = kernel->fallible + 2 + (MAGAZINE && !LOCKED);
		CHECK(destroy(pool) == said[failure]);
		CHECK(kernel->failed == failure + 1 && pool->present == BLOCK);
		keyed = keyed && failure != POOL_KERNEL_HALF_WAY;
		reconcile();
	}
	end();
}

/* Nor does a pool end while it has memory the key of which is not known, with a frame or without. */
CASE(an_end_while_memory_is_in_quarantine)
{
	fill(0);
	kernel->failure = POOL_KERNEL_HALF_WAY;
	kernel->fail_at = kernel->fallible + 3 + !LOCKED;
	kernel->fail_times = 2;
	CHECK(alloc(SLEEP) == -HM_EIO);
	CHECK((hm_pool_get_(kpool->root + HM_POOL_LOST_) != 0) == LOCKED);
	kernel->fail_at = kernel->fallible + 2 + (MAGAZINE && !LOCKED);
	kernel->fail_times = 1;
	CHECK(destroy(pool) == -HM_EBUSY);
	CHECK(kernel->failed == 3 && pool->quarantined == BLOCK);
	reconcile();
	end();
}

/* ---- what went wrong once ---- */

/* A batch or a token that memory is not enough for ends with -HM_ENOMEM, though some pages are free. */
CASE(a_batch_larger_than_what_there_is_fails)
{
	struct hm_pgtable_pool_token token = { 0 };

	CHECK(!alloc(SLEEP));
	kernel->left = 0;
	CHECK(alloc_batch(SLEEP, BLOCK) == -HM_ENOMEM);
	CHECK(hm_pgtable_pool_reserve(pool, SLEEP, BLOCK, &token) == -HM_ENOMEM);
	reconcile();
	end();
}

/* Nor does direct reclaim within its refill give back what it is about. */
CASE(reclaim_within_a_refill_leaves_what_the_refill_is_for)
{
	kernel->reclaim = BLOCK;
	CHECK(!alloc_batch(SLEEP, 2 * BLOCK));
	reconcile();
	end();
}

/* Direct reclaim within a refill may give back a frame, and the page of frames that had it: the refill then
 * wants one that it did not bring. */
CASE(reclaim_within_a_refill_takes_a_page_of_frames)
{
	const unsigned int n = HM_POOL_PER_PAGE_ + 1;

	if (n + 2 > POOL_KERNEL_BLOCKS)
		return;
	while (hm_pool_half_(kpool->root, HM_POOL_FRAMES_) < n)
		CHECK(!alloc_batch(SLEEP, BLOCK / 2));
	free_all();
	empty_magazines();
	forget_demand();
	kernel->reclaim = 1;
	CHECK(!alloc_batch(SLEEP, n * BLOCK));
	reconcile();
	end();
}

/* Two empty blocks, and the first of the list has the metadata: the other one goes. */
CASE(the_empty_block_without_metadata_goes)
{
	unsigned int i, n;

	CHECK(!hm_pgtable_pool_protect(pool));
	keyed = true;
	for (i = 0; pool->counts.refills < 2; i++)
		CHECK(!alloc(SLEEP));
	/* Those of the second block first. */
	for (n = lives; n--;)
		if (hm_pool_block_of_(live[n]) != hm_pool_block_of_(live[0]))
			free_one(n);
	empty_magazines();
	free_all();
	empty_magazines();
	forget_demand();
	CHECK(pool->empty == pool->free);
	CHECK(hm_pgtable_pool_shrink_count(pool) == BLOCK);
	CHECK(pool_kernel_scan(pool, EVERYTHING, 0) == BLOCK);
	reconcile();
	end();
}

/* The same when the pool ends. */
CASE(all_blocks_go_in_the_end_whichever_has_the_metadata)
{
	unsigned int i, n;

	for (i = 0; pool->counts.refills < 3; i++)
		CHECK(!alloc(SLEEP));
	for (n = lives; n--;)
		if (hm_pool_block_of_(live[n]) != hm_pool_block_of_(live[0]))
			free_one(n);
	end();
}

/* Pieces that came into the block of adopted pages are the kernel's again in the end. */
CASE(pieces_of_the_block_of_adopted_pages_go)
{
	const unsigned int first = PAGES - BLOCK;
	const unsigned int n = BLOCK / 2;

	pool_kernel_take(first, n);
	CHECK(!hm_pgtable_pool_adopt(pool, pool_kernel_pa(first), n));
	kernel->largest = 0;
	CHECK(!alloc_batch(SLEEP, BLOCK / 2 + 2));
	CHECK(kpool->lent);
	reconcile();
	end();
}

/* Pages that come with their key into a block that lacks it still are no more than counted once. */
CASE(pages_come_while_their_block_lacks_the_key)
{
	const unsigned int first = PAGES - BLOCK;

	pool_kernel_take(first, 4);
	CHECK(!hm_pgtable_pool_adopt(pool, pool_kernel_pa(first), 2));
	kernel->fail_at = kernel->fallible + (LOCKED ? 3 : MAGAZINE ? 3 : 2);
	CHECK(hm_pgtable_pool_protect(pool));
	reconcile();
	CHECK(!hm_pgtable_pool_adopt(pool, pool_kernel_pa(first + 2), 2));
	reconcile();
	CHECK(!hm_pgtable_pool_protect(pool));
	keyed = true;
	reconcile();
	end();
}

/* Where there is no place to note pages whose key is not known, they are not lost. */
CASE(a_first_refill_that_fails_half_way_twice)
{
	CHECK(!hm_pgtable_pool_protect(pool));
	keyed = true;
	kernel->fail_at = kernel->fallible + 3 + !LOCKED;
	kernel->fail_times = 2;
	kernel->failure = POOL_KERNEL_HALF_WAY;
	CHECK(alloc(SLEEP) == -HM_EIO);
	CHECK(kernel->failed == 2);
	reconcile();
	CHECK(!alloc(SLEEP));
	(void)pool_kernel_scan(pool, 1, 0);
	reconcile();
	end();
}

/* A range of which a part is the pool's already is not adopted: its other pages stay as they are. */
CASE(a_range_that_is_there_in_part)
{
	unsigned int i;

	pool_kernel_take(0, 4);
	CHECK(!hm_pgtable_pool_adopt(pool, pool_kernel_pa(0), 2));
	CHECK(!hm_pgtable_pool_protect(pool));
	keyed = true;
	CHECK(hm_pgtable_pool_adopt(pool, pool_kernel_pa(0), 4) == -HM_EEXIST);
	reconcile();
	for (i = 2; i < 4; i++)
		CHECK(kernel->page[i].key == HM_KEY_DEFAULT);
	end();
}

/* Locked metadata take no page that a token holds. */
CASE(metadata_take_no_page_of_a_token)
{
	struct hm_pgtable_pool_token token = { 0 };
	unsigned int i;

	pool_kernel_take(0, BLOCK);
	CHECK(!hm_pgtable_pool_adopt(pool, pool_kernel_pa(0), BLOCK));
	CHECK(!hm_pgtable_pool_reserve(pool, 0, (unsigned int)pool->free - 2 * TABLES, &token));
	reserved = token.pages;
	while (!alloc(RESERVE))
		;
	for (i = 1; i + 8 < POOL_KERNEL_BLOCKS; i++) {
		pool_kernel_take(i * BLOCK, 1);
		if (hm_pgtable_pool_register(pool, pool_kernel_pa(i * BLOCK), 1)) {
			kernel->page[i * BLOCK].owner = POOL_KERNEL_FREE;
			continue;
		}
		live[lives++] = pool_kernel_pa(i * BLOCK);
		kernel->page[i * BLOCK].live = true;
	}
	reconcile();
	hm_pgtable_pool_unreserve(pool, &token);
	reserved = 0;
	end();
}

/* A piece that is nothing but metadata goes in the end, too. */
CASE(a_piece_of_nothing_but_metadata_goes)
{
	unsigned int i;
	hm_pa_t pa;

	if (HM_POOL_PER_PAGE_ + 3 > POOL_KERNEL_BLOCKS)
		return;
	for (i = 0; i < HM_POOL_PER_PAGE_; i++) {
		pa = pool_kernel_take((i + 2) * BLOCK, i ? 1 : 2 * TABLES + 1);
		CHECK(!hm_pgtable_pool_adopt(pool, pa, i ? 1 : 2 * TABLES + 1));
	}
	CHECK(!hm_pgtable_pool_protect(pool));
	keyed = true;
	while (!alloc(0))
		;
	kernel->left = 1 + !LOCKED;
	(void)alloc(SLEEP);
	kernel->left = PAGES;
	CHECK(!alloc(SLEEP));
	reconcile();
	end();
}

/* A pool does not end while a token holds pages back: locked metadata might find no other place, and with
 * them blocks were forgotten. */
CASE(a_pool_does_not_end_while_a_token_has_pages)
{
	struct hm_pgtable_pool_token token = { 0 };
	unsigned int i;

	fill(3);
	/* So that the block of the highest number is the first of its list. */
	for (i = 0; i < 3; i++) {
		free_block(i, false);
		empty_magazines();
	}
	CHECK(!hm_pgtable_pool_reserve(pool, RESERVE, (unsigned int)pool->free - TABLES, &token));
	reserved = token.pages;
	CHECK(destroy(pool) == -HM_EBUSY);
	reconcile();
	hm_pgtable_pool_unreserve(pool, &token);
	reserved = 0;
	end();
}

static void overwrite_free(enum pool_kernel_hook where)
{
	if (where == POOL_KERNEL_LOCK)
		pool->free = 0;
}

/* Nor are blocks forgotten because the count of free pages is overwritten: before, or meanwhile, after which
 * the next call goes on. */
CASE(an_end_that_believes_no_count)
{
	fill(3);
	free_all();
	empty_magazines();
	pool->free = 0;
	kernel->meanwhile = overwrite_free;
	CHECK(destroy(pool) == (LOCKED ? -HM_EBUSY : 0));
	kernel->meanwhile = NULL;
	if (LOCKED)
		CHECK(!destroy(pool));
	check_ended();
}

/* Counts that are made anew have memory in quarantine that has no frame. */
CASE(counts_made_anew_have_memory_without_a_frame)
{
	if (!LOCKED)
		return;
	fill(0);
	kernel->failure = POOL_KERNEL_HALF_WAY;
	kernel->fail_at = kernel->fallible + 3;
	kernel->fail_times = 2;
	CHECK(alloc(SLEEP) == -HM_EIO);
	pool->free = PAGES;
	CHECK(alloc(0) == -HM_ENOMEM);
	CHECK(pool->present == BLOCK && !pool->free);
	reconcile();
	CHECK(!alloc(SLEEP));
	reconcile();
	end();
}
