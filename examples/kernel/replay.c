/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * replay.c -- the trace: text lines "<us> <cpu> a <id> <level>" and "<us> <cpu> f <id>", level 0
 * being tables of pages.
 *
 * Two threads share the events of each recorded CPU. Each does its own in the trace's order, and a
 * free waits for the allocation that another thread may still owe: as the trace itself has them in
 * order, the first event that is not done can always be done, and nobody waits for ever.
 */
#include "replay.h"

#include <hardmap/pgtable.h>

#include "exception.h"
#include "layout.h"
#include "pages.h"
#include "stats.h"
#include "string.h"
#include "tables.h"
#include "thread.h"
#include "uart.h"
#include "window.h"

#define ENTRIES HM_PORT_PGTABLE_ENTRIES

enum kind { ALLOC_LEAF_TABLE, ALLOC_UPPER_TABLE, FREE };

struct event {
	uint32_t id;
	uint8_t kind; /* enum kind */
	uint8_t thread; /* who does it */
};

/* One table of the trace. Written by the thread that allocates it, before `live` is set. */
struct table {
	uint64_t pa;
	uint32_t slot;
	uint8_t leaf; /* of level 0: filled, and linked in the window */
	uint8_t live; /* 1: allocated and not freed; stored with release, loaded with acquire */
};

static const struct event *events;
static struct table *tables; /* by id */
static unsigned int event_count;
static unsigned int peak; /* after that many of them most tables are live, as they were recorded */
static unsigned int done;

/* ---- reading ---- */

static const char *text = (const char *)(TRACE_PA + LINEAR_BASE);

static _Noreturn void bad_line(unsigned int line, const char *why)
{
	panic("the trace's line %u is wrong: %s", line + 1, why);
}

/* A decimal number and the blank or line end behind it. */
static uint64_t number(const char **at, unsigned int line)
{
	uint64_t value = 0;

	if (**at < '0' || **at > '9')
		bad_line(line, "a number is missing");
	for (; **at >= '0' && **at <= '9'; (*at)++) {
		value = value * 10 + (uint64_t)(**at - '0');
		if (value > UINT32_MAX)
			value = UINT32_MAX; /* a time may be long; an id so large is refused below */
	}
	if (**at == ' ')
		(*at)++;
	return value;
}

unsigned int replay_load(void)
{
	const char *at;
	unsigned int lines = 0, live = 0, most = 0, i;
	struct event *event;

	for (at = text; *at; at++)
		lines += *at == '\n';
	if (!lines)
		panic("there is no trace at %x: start QEMU with -device loader,file=TRACE",
		      TRACE_PA);
	event = pages_reserve(lines * sizeof(*event));
	events = event;
	tables = pages_reserve(lines *
			       sizeof(*tables)); /* ids count allocations: fewer than lines */
	for (at = text, i = 0; i < lines; i++, event++) {
		uint64_t cpu;
		char what;

		number(&at, i); /* when; the replay does not wait */
		cpu = number(&at, i);
		what = *at;
		if ((what != 'a' && what != 'f') || at[1] != ' ')
			bad_line(i, "neither a nor f");
		at += 2;
		event->id = (uint32_t)number(&at, i);
		if (event->id >= lines)
			bad_line(i, "its id is larger than the trace is long");
		event->kind = FREE;
		if (what == 'a')
			event->kind = number(&at, i) ? ALLOC_UPPER_TABLE : ALLOC_LEAF_TABLE;
		event->thread = (uint8_t)((cpu & 1) * 2 + (event->id & 1));
		if (*at++ != '\n')
			bad_line(i, "something follows its last field");
		live += what == 'a' ? 1 : ~0u;
		if (what == 'a' && live > most) {
			most = live;
			peak = i + 1;
		}
	}
	event_count = lines;
	return lines;
}

/* ---- doing ---- */

/* The frame behind an entry: scattered, as memory is after a while, so that no two neighbours are. */
static unsigned int frame_of(uint32_t id, unsigned int index)
{
	return (index * 37 + id) % WINDOW_FRAMES;
}

/* A page of the pool takes no stray store; or, where nothing is locked, one of what is there. */
static void check_locked(hm_pte_t *entry)
{
	const bool locked = hm_kpkeys_style() != HM_KEY_STYLE_NONE;
	const uint64_t syndrome = exception_try_store((uintptr_t)entry, hm_pte_get(entry).val);

	if (!syndrome == locked)
		panic("a stray store to a table is %s", locked ? "not refused" : "refused");
	stat_add(STAT_STRAY_STORES, 1);
}

static void fill(uint32_t id, struct table *table)
{
	const hm_pa_t pa = { table->pa };
	hm_pte_t *entries = hm_port_pgtable_map(pa);
	hm_lazy_mmu_token_t tok;
	unsigned int i;

	table->slot = window_slot_alloc();
	tok = hm_lazy_mmu_enter();
	/* Empty, so that the link orders nothing but its zeroes; the section publishes it with the rest. */
	hm_pte_link(window_link_entry(table->slot), hm_arm64_table(pa));
	for (i = 0; i < ENTRIES; i++)
		hm_pte_set(entries + i, window_page(frame_of(id, i)));
	hm_lazy_mmu_leave(tok);
	stat_add(STAT_TABLES_FILLED, 1);
	stat_add(STAT_ENTRIES_SET, ENTRIES + 1);

	check_locked(entries);
	for (i = 0; i < ENTRIES; i += 73) {
		if (!window_leads_to(window_va(table->slot, i), frame_of(id, i)))
			panic("page %u of table %u leads elsewhere", i, id);
		stat_add(STAT_TOUCHES, 1);
	}
}

/* Its entries stay: who is served the page next has it emptied. */
static void clear(const struct table *table)
{
	hm_pte_clear(window_link_entry(table->slot));
	/* Before the slot and the page serve anybody else: no CPU may go on translating by them. */
	hm_pgtable_invalidate(window_va(table->slot, 0), WINDOW_SLOT_BYTES, HM_INVALIDATE_TABLES);
	stat_add(STAT_INVALIDATIONS, 1);
	stat_add(STAT_TABLES_CLEARED, 1);
	window_slot_free(table->slot);
}

static void free_table(struct table *table)
{
	if (table->leaf)
		clear(table);
	table_free(table->pa);
	__atomic_store_n(&table->live, 0, __ATOMIC_RELEASE);
}

static void do_event(const struct event *event)
{
	struct table *table = &tables[event->id];

	if (event->kind == FREE) {
		while (!__atomic_load_n(&table->live, __ATOMIC_ACQUIRE))
			thread_yield();
		free_table(table);
		return;
	}
	table->pa = table_alloc();
	table->leaf = event->kind == ALLOC_LEAF_TABLE;
	if (table->leaf)
		fill(event->id, table);
	else
		stat_add(STAT_UPPER_TABLES, 1);
	__atomic_store_n(&table->live, 1, __ATOMIC_RELEASE);
}

void replay_thread(void *number)
{
	unsigned int i;

	for (i = 0; i < event_count; i++) {
		if (events[i].thread != (uintptr_t)number)
			continue;
		do_event(&events[i]);
		__atomic_fetch_add(&done, 1, __ATOMIC_RELAXED);
	}
	/* A thread ends like a return to user mode: nothing may be open. */
	hm_context_assert_idle();
}

unsigned int replay_done(void)
{
	return __atomic_load_n(&done, __ATOMIC_RELAXED);
}

unsigned int replay_peak(void)
{
	return peak;
}

void replay_free_all(void)
{
	unsigned int id;

	for (id = 0; id < event_count; id++)
		if (tables[id].live)
			free_table(&tables[id]);
}
