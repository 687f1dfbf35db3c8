/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* reclaim.c -- see reclaim.h. */
#include "reclaim.h"

#include "cpu.h"
#include "layout.h"
#include "linear.h"
#include "linear_map.h"
#include "pages.h"
#include "replay.h"
#include "stats.h"
#include "tables.h"
#include "thread.h"
#include "uart.h"

/* A scan comes after so many events of the trace. */
#define EVENTS_A_SCAN 64

/* The pool and the linear map at one time. */
struct sight {
	struct hm_pgtable_pool_statistics pool;
	struct hm_direct_map_statistics map;
	unsigned int taken; /* pages that are not free */
};

static struct thread reclaimer;
static unsigned int event_count, scans;
static struct sight before, peak, after;
static bool peak_was_seen;
static unsigned int bugs_expected;

static struct sight look(void)
{
	struct sight now;

	hm_pgtable_pool_statistics(&table_pool, &now.pool);
	now.map = linear_map_count();
	now.taken = pages_taken();
	return now;
}

static void put_line(const char *text, void *argument)
{
	(void)argument;
	console_printf("  %s\n", text);
}

static void draw(const char *what)
{
	console_printf("  %s\n", what);
	hm_pgtable_pool_print(&table_pool, put_line, NULL);
	console_printf("\n");
}

/* ---- a magazine that is overwritten ---- */

bool reclaim_expects_bug(void)
{
	if (!bugs_expected)
		return false;
	bugs_expected--;
	return true;
}

/* On this CPU, from the stores to the allocation. */
static hm_pa_t alloc_by(uint64_t stray)
{
	const uint64_t flags = irq_save();
	struct hm_pgtable_pool_magazine *magazine = hm_port_pgtable_pool_magazine(&table_pool,
										  cpu_id());
	hm_pa_t page;
	int error;

	bugs_expected = 1;
	magazine->page[0].val = stray;
	magazine->pages = 1; /* what it had the shrinker finds again */
	error = hm_pgtable_pool_alloc(&table_pool, 0, &page);
	if (error || bugs_expected)
		panic("an overwritten magazine: error %d, %s", error,
		      bugs_expected ? "and nobody is told" : "");
	irq_restore(flags);
	return page;
}

void reclaim_attack(void)
{
	struct hm_pgtable_pool_token token = { 0 };
	const uint64_t used = table_alloc();
	/* A table in use, a word in it, ordinary memory, the pool's own, nothing at all. */
	const uint64_t stray[] = {
		used,
		used + sizeof(hm_pte_t),
		SPARE_PA,
		hm_port_pgtable_pool_root(&table_pool).val,
		(uintptr_t)tables_frame_word() - LINEAR_BASE,
		UINT64_C(0x123456789),
	};
	const unsigned int n = sizeof(stray) / sizeof(*stray);
	hm_pa_t served[sizeof(stray) / sizeof(*stray)];
	struct sight then;
	unsigned int i, j;

	/* So many there are, as each is served with a new magazine. */
	if (hm_pgtable_pool_reserve(&table_pool, HM_PGTABLE_POOL_MAY_SLEEP,
				    n * HM_PORT_PGTABLE_POOL_MAGAZINE, &token))
		panic("no tables");
	hm_pgtable_pool_unreserve(&table_pool, &token);
	then = look();
	for (i = 0; i < n; i++) {
		served[i] = alloc_by(stray[i]);
		for (j = 0; j < n; j++)
			if (served[i].val == stray[j] || (j < i && served[i].val == served[j].val))
				panic("page %lx was served", (unsigned long)served[i].val);
	}
	for (i = 0; i < n; i++)
		table_free(served[i].val);
	/* What a magazine had is found again. */
	tables_reclaim();
	if (look().pool.used != then.pool.used)
		panic("pages of a magazine were lost");
	table_free(used);
	console_printf(
		"  stray stores to a magazine of the pool: %u, each told by HM_BUG; no wrong page "
		"was served, none lost\n\n",
		n);
}

/* ---- beside the replay ---- */

/* As a shrinker of a kernel is called. */
static void scan(void)
{
	const uint64_t pages = hm_pgtable_pool_shrink_count(&table_pool);

	if (pages)
		(void)hm_pgtable_pool_shrink_scan(&table_pool, pages, 0);
	scans++;
}

static void reclaim_thread(void *ignored)
{
	unsigned int next = EVENTS_A_SCAN;

	(void)ignored;
	while (replay_done() < event_count) {
		if (replay_done() >= next) {
			scan();
			next = replay_done() + EVENTS_A_SCAN;
		}
		thread_yield();
	}
	hm_context_assert_idle();
}

void reclaim_start(unsigned int events)
{
	tables_reclaim();
	before = look();
	event_count = events;
	thread_create(&reclaimer, "reclaim", reclaim_thread, NULL);
}

bool reclaim_watch(void)
{
	if (peak_was_seen || replay_done() < replay_peak())
		return false;
	peak_was_seen = true;
	peak = look();
	console_printf("\n");
	draw("the pool when the trace has most tables");
	return true;
}

void reclaim_finish(void)
{
	replay_free_all();
	tables_reclaim();
	after = look();
	draw("the pool in the end");
}

/* ---- what it was ---- */

static void line(const char *what, uint64_t n)
{
	console_printf("  %-34s %'14lu\n", what, (unsigned long)n);
}

/* No block of the linear map is split for the pool; all that it took came back. */
static void check(void)
{
	const struct hm_pgtable_pool_counts *n = &after.pool.counts;
	unsigned int level;

	if (n->blocks_split || n->key_failures || n->loose_refills)
		panic("the pool split a block, or took pieces");
	if (after.pool.used != before.pool.used || after.pool.present != before.pool.present ||
	    after.taken != before.taken)
		panic("the pool has more than before the replay");
	if (!linear_map_is_same(&before.map, &after.map, &level))
		panic("level %u of the linear map is not what it was", level);
	for (level = 0; level < HM_PORT_PGTABLE_LEVELS; level++)
		if (peak.map.tables[level] != before.map.tables[level])
			panic("blocks of the linear map are split for the pool");
}

void reclaim_report(void)
{
	const struct hm_pgtable_pool_counts *n = &after.pool.counts, *then = &before.pool.counts;

	check();
	line("pages served by the pool", stat_get(STAT_TABLES_SERVED));
	line(hm_kpkeys_style() == HM_KEY_STYLE_NONE ? "  stray stores to them: gone through"
						    : "  stray stores to them: refused",
	     stat_get(STAT_STRAY_STORES));
	line("  blocks of memory taken for them", n->refills - then->refills);
	line("  given back whole", n->blocks_released - then->blocks_released);
	line("  split", n->blocks_split);
	line("  key changes, each of a block", n->key_changes - then->key_changes);
	line("  scans of the reclaim thread", scans);
	line("  waits for the pool's lock", n->lock_waits - then->lock_waits);
	console_printf("\n");
	linear_print_header();
	linear_print_statistics("before the replay", &before.map);
	linear_print_statistics("with most tables", &peak.map);
	linear_print_statistics("after it, all tables freed", &after.map);
	console_printf("\n");
}
