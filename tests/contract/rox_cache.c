/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * rox_cache.c -- what every port with its hooks must get from rox_cache.h, over the kernel of rox_kernel.h.
 * After each operation a drawing by granules is made of what the cache knows, and compared with the one
 * before: nothing may have changed but what the operation is for. Counts, trees and lists are counted anew,
 * and all code has to be there, in memory and as it is fetched.
 */
#include "rox_kernel.h"
#include "suite.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK ROX_KERNEL_BLOCK
#define BLOCKS ROX_KERNEL_BLOCKS
#define GRANULE ((uint64_t)HM_ROX_CACHE_GRANULE)
#define GRANULES (BLOCK / GRANULE)
#define SLEEP HM_ROX_CACHE_MAY_SLEEP
#define STYLE_NONE (hm_kpkeys_style() == HM_KEY_STYLE_NONE)
#define EVERYTHING (~UINT64_C(0))
#define CODES 1024
#define NOWHERE (~UINT64_C(0))
#define SPACE (UINT64_C(64) * BLOCK) /* between arenas */
#ifndef FAILURES_IN_A_ROW
#define FAILURES_IN_A_ROW 5 /* at most, or all from one on; less where time is short */
#endif
#define BASE (UINT64_C(16) * SPACE)

static struct rox_kernel *const kernel = &rox_kernel;
static struct rox_kernel_cache *const kcache = &rox_kernel.caches[0];
static struct hm_rox_cache *const cache = &rox_kernel.caches[0].cache;
static struct hm_rox_cache_arena arenas[4];

/* Code that is live. */
struct code {
	uint64_t start, asked;
	unsigned char *text; /* of whole granules */
	hm_rox_cache_writer_t writer;
	uint64_t sure; /* all CPUs have its text once they were synchronised so often */
	bool used;
	bool pending; /* its window is not ended */
};
static struct code codes[CODES];
static unsigned int live[CODES], lives;
static unsigned int pendings;
static unsigned int open_windows; /* of the suite, at this moment */
static unsigned int bugs; /* HM_BUG that are expected, since the last look */
static const char *where = ""; /* of a random program: which step of what */
static unsigned int failures;

/* Who has each granule. */
enum { FREE, PARKED, HELD, FIRST_CODE, NOBODY = 0xffff };
struct picture {
	unsigned int blocks;
	struct {
		uint64_t va;
		const struct hm_rox_cache_arena *arena;
		unsigned short owner[GRANULES];
	} block[BLOCKS];
};
static struct picture now;
/* What the next operation may do to it. */
enum { MAY_GROW = 1, MAY_SHRINK = 2, MAY_RETRY = 4, MAY_PARK = 8 };

static void suite_setup(void)
{
	unsigned int i;

	probe_reset();
	rox_kernel_reset();
	for (i = 0; i < CODES; i++) {
		free(codes[i].text);
		memset(&codes[i], 0, sizeof(codes[i]));
	}
	memset(arenas, 0, sizeof(arenas));
	memset(&now, 0, sizeof(now));
	lives = pendings = open_windows = bugs = failures = 0;
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

static hm_va_t va_of(uint64_t address)
{
	const hm_va_t va = { address };

	return va;
}

static uint64_t page_bytes(void)
{
	return UINT64_C(1) << hm_port_pgtable_shift(0);
}

static uint64_t rounded(uint64_t bytes)
{
	return (bytes + GRANULE - 1) & ~(GRANULE - 1);
}

static uint64_t below(uint64_t limit)
{
	return rox_kernel_random(limit);
}

/* ---- reconciling ---- */

static const struct hm_rox_cache_range *ranges[ROX_KERNEL_RANGES];
static unsigned int n_ranges;

/* What all ranges say, of one arena or of all. */
struct tally {
	uint64_t bytes, live, gaps, live_bytes, asked, free_bytes, parked, parked_bytes, held;
	uint64_t whole, wholes; /* blocks within gaps; gaps with some */
	uint64_t closing, writing;
};

static void collect(const struct hm_rox_cache_range *range, unsigned int tree)
{
	unsigned int side;

	if (!range || n_ranges >= ROX_KERNEL_RANGES)
		return;
	for (side = 0; side < 2; side++)
		if (range->below[tree][side])
			CHECK(range->priority >= range->below[tree][side]->priority);
	collect(range->below[tree][0], tree);
	ranges[n_ranges++] = range;
	collect(range->below[tree][1], tree);
}

static unsigned int count_list(struct hm_rox_cache_range *const *list)
{
	unsigned int n = 0;

	for (; *list && n < ROX_KERNEL_RANGES; list = &(*list)->next, n++)
		CHECK((*list)->link == list);
	return n;
}

static uint64_t whole_blocks(const struct hm_rox_cache_range *range)
{
	const uint64_t first = (range->start + BLOCK - 1) / BLOCK;
	const uint64_t end = (range->start + range->bytes) / BLOCK;

	return end > first ? end - first : 0;
}

/* Nothing but traps is fetched, and stored. */
static void check_traps(uint64_t start, uint64_t bytes)
{
	CHECK(rox_kernel_traps(start, bytes));
	CHECK(rox_kernel_remembers(start, NULL, bytes));
}

/* The code that starts there; CODES: none does. */
static unsigned int find_code(uint64_t start)
{
	unsigned int i;

	for (i = 0; i < lives; i++)
		if (codes[live[i]].start == start)
			return live[i];
	return CODES;
}

static void check_code(const struct hm_rox_cache_range *range)
{
	const unsigned int i = find_code(range->start);
	const struct code *code = &codes[i % CODES];

	if (i == CODES) {
		report("code is live that nobody has", __LINE__);
		return;
	}
	CHECK(range->asked == code->asked);
	CHECK(range->bytes == rounded(code->asked));
	if (open_windows)
		return;
	CHECK((range->state != HM_ROX_CACHE_LIVE) == code->pending);
	CHECK(rox_kernel_remembers(range->start, code->text, range->bytes));
	if (!code->pending && kernel->synchronised >= code->sure)
		CHECK(rox_kernel_executes(range->start, code->text, range->bytes));
}

static void tally_range(struct tally *tally, const struct hm_rox_cache_range *range)
{
	CHECK(range->bytes && !(range->start % GRANULE) && !(range->bytes % GRANULE));
	if (range->state != HM_ROX_CACHE_HELD)
		tally->bytes += range->bytes;
	switch (range->state) {
	case HM_ROX_CACHE_FREE:
		tally->gaps++;
		tally->free_bytes += range->bytes;
		tally->whole += whole_blocks(range);
		tally->wholes += whole_blocks(range) != 0;
		check_traps(range->start, range->bytes);
		break;
	case HM_ROX_CACHE_LIVE:
	case HM_ROX_CACHE_WRITING:
	case HM_ROX_CACHE_SEALING:
	case HM_ROX_CACHE_SYNCHRONISING:
		tally->writing += range->state != HM_ROX_CACHE_LIVE;
		tally->live++;
		tally->live_bytes += range->bytes;
		tally->asked += range->asked;
		check_code(range);
		break;
	case HM_ROX_CACHE_PARKED:
		tally->parked++;
		tally->parked_bytes += range->bytes;
		break;
	case HM_ROX_CACHE_HELD:
		CHECK(range->bytes == BLOCK && !(range->start % BLOCK));
		tally->held++;
		break;
	default:
		tally->closing++;
	}
}

/* The block is as it has to be: pages that are open are remembered by who could not close them. */
static void check_block(const struct rox_kernel_block *block)
{
	uint64_t page;

	CHECK(block->executable);
	for (page = 0; page < BLOCK / page_bytes(); page++) {
		const uint64_t va = block->va + page * page_bytes();

		if (block->alias[page] == HM_ROX_CACHE_OPEN && !open_windows)
			CHECK(cache->unsealed < va + page_bytes() && cache->unsealed_end > va);
		else if (block->alias[page] != HM_ROX_CACHE_OPEN)
			CHECK(block->alias[page] == HM_ROX_CACHE_CLOSED);
	}
}

static void draw(struct picture *picture)
{
	unsigned int i;
	uint64_t at;

	picture->blocks = 0;
	for (i = 0; i < n_ranges; i++) {
		const struct hm_rox_cache_range *range = ranges[i];
		unsigned int owner = FREE;

		if (range->state == HM_ROX_CACHE_PARKED || range->state == HM_ROX_CACHE_CLOSING)
			owner = PARKED;
		else if (range->state == HM_ROX_CACHE_HELD)
			owner = HELD;
		else if (range->state != HM_ROX_CACHE_FREE)
			owner = FIRST_CODE + find_code(range->start);
		for (at = range->start; at < range->start + range->bytes; at += GRANULE) {
			unsigned int last = picture->blocks - 1;

			if (!(at % BLOCK)) {
				const struct rox_kernel_block *block = rox_kernel_find(at);

				if (!block || picture->blocks == BLOCKS) {
					report("a range is in no block", __LINE__);
					return;
				}
				if (owner != HELD)
					check_block(block);
				last = picture->blocks++;
				picture->block[last].va = at;
				picture->block[last].arena = range->arena;
			}
			if (last >= BLOCKS || at - picture->block[last].va >= BLOCK ||
			    picture->block[last].arena != range->arena) {
				report("a block has a hole", __LINE__);
				return;
			}
			picture->block[last].owner[at % BLOCK / GRANULE] = (unsigned short)owner;
		}
	}
}

static void check_arena(const struct hm_rox_cache_arena *arena)
{
	struct tally tally = { 0 };
	unsigned int i, n = n_ranges;

	for (i = 0; i < n_ranges; i++) {
		const struct hm_rox_cache_range *range = ranges[i];

		if (range->arena != arena)
			continue;
		CHECK(range->start >= arena->first.val &&
		      range->start + range->bytes - 1 <= arena->last.val);
		if (i && ranges[i - 1]->arena == arena &&
		    ranges[i - 1]->start + ranges[i - 1]->bytes == range->start)
			CHECK(range->state != HM_ROX_CACHE_FREE ||
			      ranges[i - 1]->state != HM_ROX_CACHE_FREE);
		if (range->state == HM_ROX_CACHE_FREE) {
			tally.gaps++;
			tally.whole += whole_blocks(range);
			tally.wholes += whole_blocks(range) != 0;
		}
		tally.bytes += range->state == HM_ROX_CACHE_HELD ? 0 : range->bytes;
	}
	CHECK(tally.bytes == arena->blocks * BLOCK);
	CHECK(tally.whole == arena->empty);
	CHECK(arena->peak >= arena->blocks - arena->empty || tally.closing);
	CHECK(count_list(&arena->whole) == tally.wholes);
	collect(arena->free, HM_ROX_BY_SIZE_);
	CHECK(n_ranges - n == tally.gaps);
	for (i = n; i < n_ranges; i++) {
		CHECK(ranges[i]->arena == arena && ranges[i]->state == HM_ROX_CACHE_FREE);
		if (i > n)
			CHECK(ranges[i - 1]->bytes < ranges[i]->bytes ||
			      (ranges[i - 1]->bytes == ranges[i]->bytes &&
			       ranges[i - 1]->start < ranges[i]->start));
	}
	n_ranges = n;
}

static void check_statistics(const struct tally *tally)
{
	struct hm_rox_cache_statistics statistics;

	hm_rox_cache_statistics(cache, &statistics);
	CHECK(statistics.blocks * BLOCK == tally->bytes);
	CHECK(statistics.empty == tally->whole);
	CHECK(statistics.held_blocks == tally->held);
	CHECK(statistics.held_bytes == kcache->lent * BLOCK);
	CHECK(statistics.live == tally->live && statistics.live == lives);
	CHECK(statistics.gaps == tally->gaps);
	CHECK(statistics.live_bytes == tally->live_bytes);
	CHECK(statistics.asked_bytes == tally->asked);
	CHECK(statistics.free_bytes == tally->free_bytes);
	CHECK(statistics.parked_ranges == tally->parked);
	CHECK(statistics.parked_bytes == tally->parked_bytes);
	CHECK(statistics.counts.allocs - statistics.counts.frees == tally->live);
	CHECK(statistics.counts.synchronised == kcache->synchronises);
	CHECK(statistics.counts.flips <= kernel->calls[ROX_KERNEL_ALIAS]);
	CHECK(statistics.counts.grown - statistics.counts.given ==
	      statistics.blocks + statistics.held_blocks);
}

/* All that is known agrees, and is drawn. Nothing goes on. */
static void take_stock(struct picture *picture)
{
	void (*meanwhile)(enum rox_kernel_hook) = kernel->meanwhile;
	const struct hm_rox_cache_arena *arena;
	struct tally tally = { 0 };
	unsigned int i;

	kernel->meanwhile = NULL;
	n_ranges = 0;
	collect(cache->ranges, HM_ROX_BY_ADDRESS_);
	for (i = 0; i < n_ranges; i++) {
		tally_range(&tally, ranges[i]);
		if (i)
			CHECK(ranges[i - 1]->start + ranges[i - 1]->bytes <= ranges[i]->start);
	}
	draw(picture);
	for (arena = cache->arenas; arena; arena = arena->next)
		check_arena(arena);
	check_statistics(&tally);
	CHECK(tally.bytes + tally.held * BLOCK == kcache->lent * BLOCK);
	CHECK(cache->blocks == kcache->lent);
	CHECK(tally.writing == pendings && !tally.closing);
	CHECK(count_list(&cache->parked) == tally.parked);
	CHECK(count_list(&cache->held) == tally.held);
	CHECK(count_list(&cache->spare) == cache->spares);
	CHECK(cache->spares <= 2 * cache->blocks);
	CHECK(cache->spares >= 2 * (cache->blocks - tally.held));
	CHECK(kcache->ranges == n_ranges + cache->spares);
	if (!open_windows)
		CHECK(!kernel->windowed);
	rox_kernel_check();
	CHECK(probe_read().bugs == bugs);
	bugs = 0;
	if (kernel->violations)
		report(kernel->violation, __LINE__);
	kernel->meanwhile = meanwhile;
}

static int index_in(const struct picture *picture, uint64_t va)
{
	unsigned int i;

	for (i = 0; i < picture->blocks; i++)
		if (picture->block[i].va == va)
			return (int)i;
	return -1;
}

static void check_change(unsigned int was, unsigned int is, unsigned int what, unsigned int came,
			 unsigned int went)
{
	const bool gone = was == went && was >= FIRST_CODE;

	if (was == is)
		return;
	if (is >= FIRST_CODE)
		CHECK(is == came && (was == FREE || (was == PARKED && what & MAY_RETRY) ||
				     (was == HELD && what & MAY_GROW)));
	else if (is == FREE)
		CHECK(gone || (was == PARKED && what & MAY_RETRY) ||
		      (was == HELD && what & MAY_GROW));
	else if (is == PARKED)
		CHECK(gone || what & MAY_PARK);
	else
		CHECK(what & MAY_SHRINK && (was == FREE || was == PARKED || gone));
}

/* Nothing has changed but what may: that code came, that one went. */
static void compare(const struct picture *was, const struct picture *is, unsigned int what,
		    unsigned int came, unsigned int went)
{
	unsigned int i;
	uint64_t j;

	for (i = 0; i < was->blocks; i++) {
		const int k = index_in(is, was->block[i].va);

		for (j = 0; j < GRANULES; j++)
			if (k >= 0)
				check_change(was->block[i].owner[j], is->block[k].owner[j], what,
					     came, went);
			else
				CHECK((was->block[i].owner[j] < FIRST_CODE ||
				       was->block[i].owner[j] == went) &&
				      (what & MAY_SHRINK ||
				       (what & MAY_RETRY && was->block[i].owner[j] == HELD)));
	}
	for (i = 0; i < is->blocks; i++) {
		if (index_in(was, is->block[i].va) >= 0)
			continue;
		CHECK(what & MAY_GROW);
		for (j = 0; j < GRANULES; j++)
			CHECK(is->block[i].owner[j] == FREE || is->block[i].owner[j] == HELD ||
			      is->block[i].owner[j] == came ||
			      (is->block[i].owner[j] == PARKED && what & MAY_PARK));
	}
}

static void reconcile_after(unsigned int what, unsigned int came, unsigned int went)
{
	static struct picture next;

	take_stock(&next);
	compare(&now, &next, what, came, went);
	now = next;
}

static void reconcile(void)
{
	reconcile_after(0, 0, 0);
}

/* ---- the oracle of places ---- */

/* The smallest gap of the arena, the lowest of these, that many bytes fit into: its start. As if that code
 * were not there. */
static uint64_t best_fit(const struct picture *picture, const struct hm_rox_cache_arena *arena,
			 uint64_t bytes, unsigned int without)
{
	const uint64_t wanted = rounded(bytes) / GRANULE;
	uint64_t best = NOWHERE, best_size = NOWHERE, start = 0, size = 0, end = NOWHERE, j;
	unsigned int i;

	for (i = 0; i <= picture->blocks; i++)
		for (j = 0; j < GRANULES; j++) {
			const bool is_free = i < picture->blocks &&
					     picture->block[i].arena == arena &&
					     (picture->block[i].owner[j] == FREE ||
					      picture->block[i].owner[j] == without);
			const uint64_t at = i < picture->blocks ? picture->block[i].va + j * GRANULE
								: NOWHERE;

			if (!is_free || at != end) {
				if (size >= wanted && size < best_size) {
					best = start;
					best_size = size;
				}
				start = at;
				size = 0;
			}
			size += is_free;
			end = is_free ? at + GRANULE : NOWHERE;
		}
	return best;
}

/* Whether an allocation in that arena, from what was before, has the place that it has to have. */
static void check_place(const struct hm_rox_cache_arena *arena, uint64_t bytes, unsigned int came,
			const struct picture *was, const struct picture *is)
{
	const struct code *code = &codes[came - FIRST_CODE];
	const struct hm_rox_cache_arena *from;
	uint64_t place = NOWHERE;

	/* In the first arena that had a gap it is there; and everywhere it is in the best of the gaps. */
	for (from = arena; from && place == NOWHERE; from = from->fallback) {
		place = best_fit(was, from, bytes, NOBODY);
		if (code->start >= from->first.val && code->start <= from->last.val) {
			CHECK(best_fit(is, from, bytes, came) == code->start);
			CHECK(place == NOWHERE || place == code->start);
			return;
		}
	}
	report("code has no place, or in the wrong arena", __LINE__);
}

static void check_no_place(const struct hm_rox_cache_arena *arena, uint64_t bytes,
			   const struct picture *is)
{
	for (; arena; arena = arena->fallback)
		CHECK(best_fit(is, arena, bytes, NOBODY) == NOWHERE);
}

/* ---- operations, with what the suite knows of them ---- */

/* Arenas that do not meet, each of so many blocks. */
static void add(unsigned int number, uint64_t blocks, struct hm_rox_cache_arena *fallback)
{
	static const char *const names[] = { "far", "near", "initial-code", "" };
	const uint64_t first = BASE + number * SPACE;

	CHECK(!hm_rox_cache_add(cache, &arenas[number], names[number], va_of(first),
				va_of(first + blocks * BLOCK - 1), fallback));
}

static void random_text(unsigned char *to, uint64_t n)
{
	for (; n >= 8; n -= 8, to += 8) {
		const uint64_t word = rox_kernel_random(EVERYTHING) * 2047;

		memcpy(to, &word, 8);
	}
	while (n--)
		*to++ = (unsigned char)below(256);
}

/* That code is live; NULL for no text. */
static unsigned int note_code(uint64_t start, uint64_t asked, const void *text)
{
	static const uint64_t trap = HM_PORT_ROX_CACHE_TRAP;
	unsigned int i;
	uint64_t at;

	for (i = 0; i < CODES && codes[i].used; i++)
		;
	if (i == CODES)
		__builtin_trap();
	memset(&codes[i], 0, sizeof(codes[i]));
	codes[i].used = true;
	codes[i].start = start;
	codes[i].asked = asked;
	codes[i].text = malloc(rounded(asked));
	if (!codes[i].text)
		__builtin_trap();
	for (at = 0; at < rounded(asked); at += sizeof(trap))
		memcpy(codes[i].text + at, &trap, sizeof(trap));
	if (text)
		memcpy(codes[i].text, text, asked);
	live[lives++] = i;
	return i;
}

static void forget_code(unsigned int i)
{
	unsigned int k;

	for (k = 0; k < lives && live[k] != i; k++)
		;
	live[k] = live[--lives];
	free(codes[i].text);
	memset(&codes[i], 0, sizeof(codes[i]));
}

/* What is allocated, and with a text written. */
struct wish {
	unsigned int arena;
	uint64_t bytes, alignment;
	unsigned int flags;
	const void *text;
	int (*relocate)(struct hm_rox_cache *of, hm_rox_cache_writer_t writer, hm_va_t at,
			void *argument);
};

static bool is_waiting(void)
{
	return cache->parked_ranges || cache->held_blocks;
}

static int grant(const struct wish *wish, unsigned int *code)
{
	static struct picture was;
	struct hm_rox_cache_arena *arena = &arenas[wish->arena];
	const uint64_t failed = kernel->failed, sleeps = wish->flags & SLEEP;
	const bool is_plain = wish->alignment <= GRANULE && !is_waiting() && !kernel->reclaim &&
			      !kernel->meanwhile;
	hm_va_t va = { NOWHERE };
	int error;

	*code = CODES;
	if (wish->text)
		error = hm_rox_cache_load(cache, arena, wish->text, wish->bytes, wish->alignment,
					  wish->flags, wish->relocate, NULL, &va);
	else
		error = hm_rox_cache_alloc(cache, arena, wish->bytes, wish->alignment, wish->flags,
					   &va);
	if (!error)
		*code = note_code(va.val, wish->bytes, wish->text);
	CHECK(!error || va.val == NOWHERE);
	CHECK(!error || error == -HM_ENOMEM || (wish->text && error == -HM_EBUSY) ||
	      wish->relocate);
	was = now;
	reconcile_after((sleeps ? MAY_GROW | MAY_RETRY : 0) | (kernel->reclaim ? MAY_SHRINK : 0) |
				(wish->text && error && kernel->failed != failed ? MAY_PARK : 0),
			error ? NOBODY : FIRST_CODE + *code, NOBODY);
	if (!error)
		CHECK(!(va.val % wish->alignment));
	if (!error && is_plain && kernel->failed == failed)
		check_place(arena, wish->bytes, FIRST_CODE + *code, &was, &now);
	if (error == -HM_ENOMEM && is_plain && kernel->failed == failed)
		check_no_place(arena, wish->bytes, &now);
	return error;
}

static int alloc(unsigned int arena, uint64_t bytes, unsigned int flags, unsigned int *code)
{
	const struct wish wish = { arena, bytes, 1, flags, NULL, NULL };

	return grant(&wish, code);
}

/* Some code, of which nothing is to fail. */
static unsigned int load(unsigned int arena, uint64_t bytes)
{
	static unsigned char text[BLOCKS * BLOCK];
	const struct wish wish = { arena, bytes, 64, SLEEP, text, NULL };
	unsigned int code;

	random_text(text, bytes);
	if (grant(&wish, &code)) {
		report("code cannot be loaded", __LINE__);
		return 0;
	}
	return code;
}

static int free_code(unsigned int i)
{
	const int error = hm_rox_cache_free(cache, va_of(codes[i].start));

	if (!error)
		forget_code(i);
	CHECK(!error || (error == -HM_EBUSY && (codes[i].pending || open_windows)));
	reconcile_after(0, NOBODY, error ? NOBODY : FIRST_CODE + i);
	return error;
}

static void free_all(void)
{
	while (lives && !failures)
		CHECK(!free_code(live[lives - 1]));
}

/* It is no code that can be freed. */
static void free_wrong(uint64_t va)
{
	CHECK(hm_rox_cache_free(cache, va_of(va)) == -HM_EINVAL);
	bugs++;
	reconcile();
}

/* A window of that code, ended or not; what is written is random, in pieces. */
static int end_window(struct code *code)
{
	const int error = hm_rox_cache_write_end(cache, code->writer);

	CHECK(!error || error == -HM_EBUSY);
	if (!error && code->pending)
		pendings--;
	if (error && !code->pending)
		pendings++;
	code->pending = error;
	code->sure = 0;
	return error;
}

static int begin_window(struct code *code, uint64_t offset, uint64_t bytes)
{
	return hm_rox_cache_write_begin(cache, va_of(code->start + offset), bytes, &code->writer);
}

static void copy_random(struct code *code, uint64_t offset, uint64_t bytes)
{
	static unsigned char text[4096];
	uint64_t piece;

	for (; bytes; bytes -= piece, offset += piece) {
		piece = 1 + below(bytes < sizeof(text) ? bytes : sizeof(text));
		random_text(text, piece);
		CHECK(!hm_rox_cache_copy(cache, code->writer, va_of(code->start + offset), text,
					 piece));
		memcpy(code->text + offset, text, piece);
	}
}

static int write_code(unsigned int i, uint64_t offset, uint64_t bytes)
{
	int error = begin_window(&codes[i], offset, bytes);

	if (!error) {
		copy_random(&codes[i], offset, bytes);
		error = end_window(&codes[i]);
	}
	CHECK(!error || error == -HM_EBUSY);
	reconcile();
	return error;
}

static int patch_code(unsigned int i, uint64_t offset, uint32_t instruction)
{
	struct code *code = &codes[i];
	const int error = hm_rox_cache_patch(cache, va_of(code->start + offset), instruction);

	CHECK(!error || error == -HM_EBUSY);
	/* It may be written without being sure that all CPUs know it. */
	if (!error || !rox_kernel_remembers(code->start + offset, code->text + offset, 4))
		memcpy(code->text + offset, &instruction, 4);
	if (error)
		code->sure = kernel->synchronised + 1;
	reconcile();
	return error;
}

static uint64_t retry(void)
{
	const uint64_t left = hm_rox_cache_retry(cache);

	reconcile_after(MAY_RETRY, NOBODY, NOBODY);
	CHECK(left == cache->parked_ranges + cache->held_blocks);
	return left;
}

static uint64_t scan(uint64_t blocks)
{
	const uint64_t lent = kcache->lent, held = cache->held_blocks;
	const uint64_t count = hm_rox_cache_shrink_count(cache);
	const bool is_plain = !is_waiting() && !kernel->meanwhile;
	const uint64_t failed = kernel->failed, given = rox_kernel_scan(cache, blocks);

	reconcile_after(MAY_SHRINK | MAY_RETRY, NOBODY, NOBODY);
	CHECK(given <= blocks && lent - kcache->lent >= given);
	if (is_plain && kernel->failed == failed) {
		CHECK(given == (count < blocks ? count : blocks));
		CHECK(lent - kcache->lent == given && held == cache->held_blocks);
	}
	return given;
}

static uint64_t trim(void)
{
	const uint64_t lent = kcache->lent;
	uint64_t given;

	kernel->scanning++;
	given = hm_rox_cache_trim(cache);
	kernel->scanning--;
	reconcile_after(MAY_SHRINK | MAY_RETRY, NOBODY, NOBODY);
	CHECK(lent - kcache->lent >= given);
	return given;
}

/* Everything went back, as it came. */
static void check_ended(void)
{
	CHECK(!kcache->lent && !kcache->ranges && !kernel->windowed);
	CHECK(!cache->ranges && !cache->arenas && !cache->spare && !cache->held && !cache->parked);
	rox_kernel_check();
	CHECK(probe_read().bugs == bugs);
	bugs = 0;
	if (kernel->violations)
		report(kernel->violation, __LINE__);
}

static void nothing_fails(void)
{
	kernel->meanwhile = NULL;
	kernel->fail_at = kernel->fail_times = kernel->out_of = kernel->reclaim = 0;
	kernel->refuse = kernel->refuse_alias = kernel->refuse_execute = 0;
}

/* Everything goes back. */
static void end(void)
{
	unsigned int i;

	nothing_fails();
	for (i = 0; i < lives; i++)
		if (codes[live[i]].pending)
			CHECK(!end_window(&codes[live[i]]));
	reconcile();
	free_all();
	CHECK(!hm_rox_cache_destroy(cache));
	check_ended();
	memset(&now, 0, sizeof(now));
}

/* ---- arenas ---- */

static bool is_arena(uint64_t first, uint64_t last)
{
	struct hm_rox_cache_arena arena = { 0 };
	const int error = hm_rox_cache_add(cache, &arena, "", va_of(first), va_of(last), NULL);

	CHECK(!error || error == -HM_EINVAL);
	CHECK(cache->arenas == (error ? NULL : &arena));
	cache->arenas = NULL;
	return !error;
}

/* Bounds are inclusive: a block may begin at the first and end at the last. */
CASE(bounds_of_an_arena_are_exact)
{
	const uint64_t first = BASE, top = UINT64_MAX - BLOCK;

	CHECK(is_arena(first, first + BLOCK - 1));
	CHECK(!is_arena(first, first + BLOCK - 2));
	CHECK(!is_arena(first + 1, first + BLOCK - 1));
	CHECK(!is_arena(first + 1, first + 2 * BLOCK - 2));
	CHECK(is_arena(first + 1, first + 2 * BLOCK - 1));
	CHECK(!is_arena(first, first));
	CHECK(!is_arena(first, first - 1));
	CHECK(!is_arena(first + BLOCK, first));
	CHECK(is_arena(0, BLOCK - 1));
	CHECK(is_arena(0, UINT64_MAX));
	CHECK(!is_arena(0, 0));
	CHECK(is_arena(top - BLOCK + 1, UINT64_MAX));
	CHECK(is_arena(top - BLOCK + 1, top));
	CHECK(!is_arena(top - BLOCK + 1, top - 1));
	CHECK(!is_arena(top - BLOCK + 2, UINT64_MAX));
	CHECK(!is_arena(top + 1, UINT64_MAX));
	CHECK(!is_arena(UINT64_MAX, UINT64_MAX));
	check_ended();
}

/* And nothing is ever anywhere else, whichever way it grows. */
CASE(growth_stays_within_the_bounds)
{
	unsigned int code, place;

	for (place = ROX_KERNEL_LOWEST; place <= ROX_KERNEL_SCATTERED && !failures; place++) {
		memset(arenas, 0, sizeof(arenas));
		kernel->place = place;
		CHECK(!hm_rox_cache_add(cache, &arenas[0], "narrow", va_of(BASE + 1),
					va_of(BASE + 4 * BLOCK - 2), NULL));
		CHECK(!alloc(0, BLOCK, SLEEP, &code));
		CHECK(alloc(0, BLOCK + 1, SLEEP, &code) == -HM_ENOMEM);
		CHECK(!alloc(0, BLOCK, SLEEP, &code));
		CHECK(alloc(0, 1, SLEEP, &code) == -HM_ENOMEM);
		CHECK(kcache->lent == 2);
		end();
	}
}

/* At both ends of the address space. The last block of all is nobody's. */
CASE(code_at_the_ends_of_the_address_space)
{
	unsigned int code, first;

	CHECK(!hm_rox_cache_add(cache, &arenas[0], "lowest", va_of(0), va_of(2 * BLOCK - 1), NULL));
	CHECK(!hm_rox_cache_add(cache, &arenas[1], "highest", va_of(UINT64_MAX - 3 * BLOCK + 1),
				va_of(UINT64_MAX), NULL));
	first = load(0, 5);
	CHECK(codes[first].start == 0);
	CHECK(!alloc(0, 2 * BLOCK - GRANULE, SLEEP, &code));
	CHECK(codes[code].start == GRANULE);
	CHECK(alloc(0, 1, SLEEP, &code) == -HM_ENOMEM);
	CHECK(!write_code(first, 1, 3));
	code = load(1, BLOCK + 1);
	CHECK(codes[code].start == UINT64_MAX - 3 * BLOCK + 1);
	code = load(1, BLOCK - GRANULE);
	CHECK(codes[code].start + BLOCK - GRANULE == UINT64_MAX - BLOCK + 1);
	CHECK(alloc(1, 1, SLEEP, &code) == -HM_ENOMEM);
	free_wrong(UINT64_MAX);
	free_wrong(UINT64_MAX - BLOCK);
	free_wrong(UINT64_MAX - BLOCK + 1);
	end();
}

CASE(an_arena_that_is_full_has_fallbacks)
{
	unsigned int code, i;

	add(2, 1, NULL);
	add(0, 2, &arenas[2]);
	add(1, 1, &arenas[0]);
	for (i = 0; i < 4; i++) {
		CHECK(!alloc(1, BLOCK, SLEEP, &code));
		CHECK(codes[code].start == BASE +
						   (i == 0   ? SPACE
						    : i == 3 ? 2 * SPACE
							     : 0) +
						   (i == 2 ? BLOCK : 0));
	}
	CHECK(alloc(1, 1, SLEEP, &code) == -HM_ENOMEM);
	CHECK(alloc(1, 1, 0, &code) == -HM_ENOMEM);
	/* What does not fit into one may into the next. */
	free_all();
	code = load(1, 2 * BLOCK);
	CHECK(codes[code].start == BASE);
	CHECK(alloc(1, 2 * BLOCK, SLEEP, &code) == -HM_ENOMEM);
	CHECK(!alloc(1, BLOCK, 0, &code));
	CHECK(codes[code].start == BASE + SPACE);
	CHECK(!alloc(1, BLOCK, 0, &code));
	CHECK(codes[code].start == BASE + 2 * SPACE);
	end();
}

/* Several arenas may have the same addresses: blocks are of one of them. */
CASE(arenas_with_the_same_bounds)
{
	unsigned int i, code;

	for (i = 0; i < 2; i++)
		CHECK(!hm_rox_cache_add(cache, &arenas[i], i ? "data" : "code", va_of(BASE),
					va_of(BASE + 8 * BLOCK - 1), NULL));
	for (i = 0; i < 6; i++)
		load(i % 2, BLOCK);
	CHECK(arenas[0].blocks == 3 && arenas[1].blocks == 3);
	free_all();
	CHECK(cache->gaps == 6);
	CHECK(alloc(0, BLOCK + 1, 0, &code) == -HM_ENOMEM);
	end();
}

/* ---- allocation ---- */

static bool is_refused(struct hm_rox_cache_arena *arena, uint64_t bytes, uint64_t alignment,
		       unsigned int flags)
{
	hm_va_t va = { NOWHERE };
	const uint64_t fallible = kernel->fallible;
	const int error = hm_rox_cache_alloc(cache, arena, bytes, alignment, flags, &va);

	reconcile();
	CHECK(va.val == NOWHERE);
	return error == -HM_EINVAL && kernel->fallible == fallible;
}

CASE(arguments_of_an_allocation_are_checked)
{
	unsigned int code;
	struct wish wish = { 0, HM_ROX_CACHE_MAX, 1, SLEEP, NULL, NULL };

	add(0, 4, NULL);
	CHECK(is_refused(&arenas[0], 0, 1, SLEEP));
	CHECK(is_refused(&arenas[0], HM_ROX_CACHE_MAX + 1, 1, SLEEP));
	CHECK(is_refused(&arenas[0], UINT64_MAX, 1, SLEEP));
	CHECK(is_refused(&arenas[0], UINT64_MAX - GRANULE + 2, 1, SLEEP));
	CHECK(is_refused(&arenas[0], 1, 0, SLEEP));
	CHECK(is_refused(&arenas[0], 1, 3, SLEEP));
	CHECK(is_refused(&arenas[0], 1, 96, SLEEP));
	CHECK(is_refused(&arenas[0], 1, 2 * BLOCK, SLEEP));
	CHECK(is_refused(&arenas[0], 1, UINT64_C(1) << 63, SLEEP));
	CHECK(is_refused(&arenas[0], 1, 1, 2));
	CHECK(is_refused(&arenas[0], 1, 1, SLEEP | 4));
	CHECK(is_refused(NULL, 1, 1, SLEEP));
	CHECK(grant(&wish, &code) == -HM_ENOMEM);
	wish.bytes = 5 * BLOCK;
	CHECK(grant(&wish, &code) == -HM_ENOMEM);
	wish.flags = 0;
	CHECK(grant(&wish, &code) == -HM_ENOMEM);
	wish.bytes = 1;
	CHECK(grant(&wish, &code) == -HM_ENOMEM);
	CHECK(!kcache->lent && !kcache->ranges);
	CHECK(!kernel->calls[ROX_KERNEL_ALIAS]);
	end();
}

/* Who may not sleep takes what is there. */
CASE(without_sleeping_nothing_grows)
{
	unsigned int code;

	add(0, 8, NULL);
	CHECK(alloc(0, 1, 0, &code) == -HM_ENOMEM);
	CHECK(!kernel->calls[ROX_KERNEL_GROW_LOCK] && !kernel->calls[ROX_KERNEL_MEMORY]);
	CHECK(!alloc(0, 1, SLEEP, &code));
	CHECK(kernel->calls[ROX_KERNEL_MEMORY] == 1);
	CHECK(!alloc(0, BLOCK - GRANULE, 0, &code));
	CHECK(alloc(0, 1, 0, &code) == -HM_ENOMEM);
	CHECK(kernel->calls[ROX_KERNEL_MEMORY] == 1);
	end();
}

CASE(every_alignment_is_honoured)
{
	struct wish wish = { 0, 1, 1, SLEEP, NULL, NULL };
	uint64_t alignment;
	unsigned int code, i;

	add(0, 32, NULL);
	for (i = 0; i < 3; i++)
		for (alignment = 1; alignment <= BLOCK; alignment *= 2) {
			wish.bytes = 1 + below(i == 2 ? BLOCK : 3 * GRANULE);
			wish.alignment = alignment;
			CHECK(!grant(&wish, &code));
		}
	while (lives > 8)
		free_code(live[below(lives)]);
	for (alignment = BLOCK; alignment; alignment /= 2) {
		wish.bytes = 1 + below(2 * GRANULE);
		wish.alignment = alignment;
		CHECK(!grant(&wish, &code));
	}
	end();
}

/* Of gaps that may do or not only some are looked at; then those that must do. */
CASE(an_alignment_that_many_gaps_do_not_have)
{
	struct wish wish = { 0, 2 * GRANULE, 4 * GRANULE, 0, NULL, NULL };
	unsigned int code[40], other, i;

	add(0, 32, NULL);
	/* Gaps of 2 at addresses of 1 modulo 4 granules. */
	CHECK(!alloc(0, GRANULE, SLEEP, &other));
	for (i = 0; i < 28; i++) {
		CHECK(!alloc(0, 2 * GRANULE, SLEEP, &code[i]));
		CHECK(!alloc(0, 2 * GRANULE, SLEEP, &other));
	}
	while (!alloc(0, GRANULE, 0, &other))
		;
	for (i = 0; i < 28; i++)
		free_code(code[i]);
	CHECK(grant(&wish, &other) == -HM_ENOMEM);
	/* One that is large enough wherever it starts. */
	wish.flags = SLEEP;
	CHECK(!grant(&wish, &other));
	CHECK(!(codes[other].start % BLOCK));
	free_code(other);
	wish.flags = 0;
	CHECK(!grant(&wish, &other));
	end();
}

/* The smallest gap, the lowest of these. */
CASE(the_best_fit_is_taken)
{
	static const unsigned int sizes[] = { 5, 3, 9, 3, 4, 5, 2 };
	unsigned int gap[7], code, i;
	uint64_t start[7];

	add(0, 32, NULL);
	for (i = 0; i < 7; i++) {
		gap[i] = load(0, sizes[i] * GRANULE);
		start[i] = codes[gap[i]].start;
		load(0, 1);
	}
	while (!alloc(0, 16 * GRANULE, 0, &code))
		;
	while (!alloc(0, 1, 0, &code))
		;
	for (i = 0; i < 7; i++)
		free_code(gap[i]);
	CHECK(!alloc(0, 3 * GRANULE - 1, 0, &code));
	CHECK(codes[code].start == start[1]);
	CHECK(!alloc(0, 3 * GRANULE, 0, &code));
	CHECK(codes[code].start == start[3]);
	CHECK(!alloc(0, 3 * GRANULE, 0, &code));
	CHECK(codes[code].start == start[4]);
	CHECK(!alloc(0, 5 * GRANULE, 0, &code));
	CHECK(codes[code].start == start[0]);
	CHECK(!alloc(0, 1, 0, &code));
	CHECK(codes[code].start == start[4] + 3 * GRANULE);
	CHECK(!alloc(0, 1, 0, &code));
	CHECK(codes[code].start == start[6]);
	CHECK(!alloc(0, 9 * GRANULE, 0, &code));
	CHECK(codes[code].start == start[2]);
	end();
}

/* Gaps that meet are one, in whichever order they come. */
CASE(gaps_become_one_with_both_neighbours)
{
	static const unsigned char orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
						    { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	unsigned int code[3], i, j, around;

	add(0, 8, NULL);
	around = load(0, 3 * GRANULE);
	for (i = 0; i < 6; i++) {
		unsigned int after;

		for (j = 0; j < 3; j++)
			code[j] = load(0, (1 + j) * GRANULE);
		after = load(0, 1);
		for (j = 0; j < 3; j++) {
			free_code(code[orders[i][j]]);
			CHECK(cache->gaps == (j == 1 && orders[i][2] == 1 ? 3 : 2));
		}
		free_code(after);
		CHECK(cache->gaps == 1);
	}
	free_code(around);
	CHECK(cache->gaps == 1 && arenas[0].empty == 1);
	end();
}

/* Across blocks whose memory is not consecutive. */
CASE(code_over_several_blocks)
{
	unsigned int first, second;
	uint64_t offset;

	add(0, 16, NULL);
	first = load(0, 3 * BLOCK + BLOCK / 2 + 1);
	CHECK(kcache->lent == 4 && !arenas[0].empty);
	second = load(0, 2 * BLOCK);
	CHECK(codes[second].start == codes[first].start + rounded(codes[first].asked));
	CHECK(kcache->lent == 6);
	for (offset = BLOCK - 5; offset < BLOCK + 5; offset++)
		CHECK(!write_code(first, offset, 1 + below(2 * BLOCK)));
	CHECK(!patch_code(first, BLOCK - 4, 0x12345678));
	CHECK(!patch_code(first, BLOCK, 0x9abcdef0));
	free_code(first);
	CHECK(cache->gaps == 2 && arenas[0].empty == 3);
	free_code(second);
	CHECK(cache->gaps == 1 && arenas[0].empty == 6);
	end();
}

/* It grows where it grew last, by what is lacking there. */
CASE(growth_is_exactly_behind)
{
	unsigned int code;

	add(0, 20, NULL);
	load(0, BLOCK / 2);
	code = load(0, BLOCK);
	CHECK(codes[code].start == BASE + BLOCK / 2 && kcache->lent == 2);
	code = load(0, 2 * BLOCK + BLOCK / 2);
	CHECK(codes[code].start == BASE + BLOCK + BLOCK / 2 && kcache->lent == 4);
	/* There is no gap at the end: still behind. */
	code = load(0, BLOCK - 1);
	CHECK(codes[code].start == BASE + 4 * BLOCK && kcache->lent == 5);
	/* Only in the last gap, aligned. */
	load(0, BLOCK - GRANULE);
	{
		const struct wish wish = { 0, BLOCK + 1, BLOCK, SLEEP, NULL, NULL };

		CHECK(!grant(&wish, &code));
	}
	CHECK(codes[code].start == BASE + 6 * BLOCK && kcache->lent == 8);
	/* Not there: anywhere, as many blocks as it takes without the gap. */
	kernel->no_growth_there = true;
	kernel->place = ROX_KERNEL_HIGHEST;
	code = load(0, BLOCK + 1);
	CHECK(codes[code].start == BASE + 18 * BLOCK && kcache->lent == 10);
	kernel->no_growth_there = false;
	/* Behind is beyond the bounds. */
	kernel->place = ROX_KERNEL_LOWEST;
	code = load(0, BLOCK);
	CHECK(codes[code].start == BASE + 7 * BLOCK + GRANULE && kcache->lent == 11);
	end();
}

/* What it grew by last went back: it does not matter. */
CASE(growth_after_its_last_block_went_back)
{
	unsigned int first, second;

	add(0, 20, NULL);
	first = load(0, BLOCK);
	second = load(0, BLOCK);
	free_code(second);
	CHECK(trim() == 1);
	second = load(0, 2 * BLOCK);
	CHECK(codes[second].start == BASE + BLOCK);
	free_code(first);
	CHECK(trim() == 1);
	kernel->no_growth_there = true;
	load(0, BLOCK);
	end();
}

/* Behind the arena's last gap is another's, or what is being written. */
CASE(growth_behind_what_is_no_gap_of_the_arena)
{
	unsigned int i, code;

	for (i = 0; i < 2; i++)
		CHECK(!hm_rox_cache_add(cache, &arenas[i], "", va_of(BASE),
					va_of(BASE + 16 * BLOCK - 1), NULL));
	load(0, GRANULE);
	load(1, GRANULE);
	/* Where the first would go on is the second's. */
	code = load(0, BLOCK);
	CHECK(codes[code].start >= BASE + 2 * BLOCK);
	/* The block at whose end the second grew last is the first's now. */
	free_code(find_code(BASE + BLOCK));
	trim();
	kernel->place = ROX_KERNEL_LOWEST;
	load(0, 3 * BLOCK);
	load(1, BLOCK);
	end();
}

static void grow_another(enum rox_kernel_hook hook)
{
	hm_va_t va = { NOWHERE };

	if (hook != ROX_KERNEL_GROW_LOCK)
		return;
	kernel->meanwhile = NULL;
	if (hm_rox_cache_alloc(cache, &arenas[0], GRANULE, 1, SLEEP, &va))
		rox_kernel_violate("the other has no memory");
	note_code(va.val, GRANULE, NULL);
}

/* Whoever waited for the lock of growth looks first. */
CASE(another_grew_meanwhile)
{
	unsigned int code;
	hm_va_t va = { NOWHERE };

	add(0, 8, NULL);
	kernel->meanwhile = grow_another;
	CHECK(!hm_rox_cache_alloc(cache, &arenas[0], GRANULE, 1, SLEEP, &va));
	note_code(va.val, GRANULE, NULL);
	take_stock(&now);
	CHECK(kcache->lent == 1 && kernel->calls[ROX_KERNEL_MEMORY] == 1);
	CHECK(!alloc(0, 2, 0, &code));
	end();
}

static void wrong_place(uint64_t va, uint64_t blocks, unsigned int attempts)
{
	hm_va_t code;

	kernel->wrong_place = va;
	CHECK(hm_rox_cache_alloc(cache, &arenas[0], blocks * BLOCK, 1, SLEEP, &code) == -HM_ENOMEM);
	kernel->wrong_place = 0;
	bugs += attempts;
	reconcile();
}

/* A port that gives what was not asked for. What it gave is left alone. */
CASE(memory_that_is_not_where_it_should_be)
{
	add(0, 8, NULL);
	add(1, 8, NULL);
	wrong_place(BASE + GRANULE, 1, 1);
	wrong_place(BASE - BLOCK, 1, 1);
	wrong_place(BASE + 8 * BLOCK, 1, 1);
	wrong_place(BASE + 7 * BLOCK, 2, 1);
	kernel->place = ROX_KERNEL_HIGHEST;
	load(0, 1);
	/* Behind, then anywhere. */
	wrong_place(BASE + 7 * BLOCK, 1, 2);
	wrong_place(BASE + 6 * BLOCK, 2, 2);
	wrong_place(BASE + SPACE, 1, 2);
	/* Where it could be, but not where it was asked for. */
	kernel->wrong_place = BASE + 2 * BLOCK;
	kernel->wrong_times = 1;
	bugs = 1;
	load(0, BLOCK);
	end();
}

/* ---- frees that are wrong ---- */

CASE(only_the_start_of_live_code_is_freed)
{
	unsigned int code, other;
	uint64_t at;

	add(0, 8, NULL);
	free_wrong(0);
	free_wrong(BASE);
	code = load(0, 2 * GRANULE + 1);
	other = load(0, BLOCK);
	for (at = 1; at < 4 * GRANULE; at++)
		if (at != 3 * GRANULE)
			free_wrong(codes[code].start + at);
	free_wrong(codes[code].start - 1);
	free_wrong(BASE + 2 * BLOCK - GRANULE);
	free_wrong(BASE + 2 * BLOCK);
	free_wrong(NOWHERE);
	at = codes[code].start;
	free_code(code);
	free_wrong(at);
	free_wrong(at + GRANULE);
	free_code(other);
	free_wrong(at);
	end();
}

CASE(what_is_being_written_is_not_freed)
{
	unsigned int code;

	add(0, 8, NULL);
	code = load(0, 100);
	CHECK(!begin_window(&codes[code], 10, 20));
	CHECK(hm_rox_cache_free(cache, va_of(codes[code].start)) == -HM_EBUSY);
	CHECK(hm_rox_cache_destroy(cache) == -HM_EBUSY);
	copy_random(&codes[code], 10, 20);
	kernel->refuse = 1u << ROX_KERNEL_SYNCHRONISE;
	CHECK(end_window(&codes[code]) == -HM_EBUSY);
	reconcile();
	CHECK(free_code(code) == -HM_EBUSY);
	kernel->refuse = 0;
	CHECK(!end_window(&codes[code]));
	reconcile();
	CHECK(!free_code(code));
	end();
}

/* ---- writing ---- */

static void no_window(uint64_t at, uint64_t bytes)
{
	hm_rox_cache_writer_t writer;

	CHECK(hm_rox_cache_write_begin(cache, va_of(at), bytes, &writer) == -HM_EINVAL);
	bugs++;
	reconcile();
}

/* A window is within what the owner asked for. */
CASE(a_window_is_within_one_range)
{
	const uint64_t bytes = 2 * GRANULE + 1;
	uint64_t start, offset;
	unsigned int code, other;

	add(0, 8, NULL);
	no_window(BASE, 1);
	code = load(0, bytes);
	other = load(0, GRANULE);
	start = codes[code].start;
	no_window(start - 1, 1);
	no_window(start - 1, 2);
	no_window(start, 0);
	no_window(start, bytes + 1);
	no_window(start, 3 * GRANULE);
	no_window(start + bytes, 1);
	no_window(start + bytes - 1, 2);
	no_window(start + 1, bytes);
	no_window(start, EVERYTHING);
	no_window(start + 1, EVERYTHING);
	no_window(start + 1, 0 - start);
	no_window(start + bytes, 0);
	no_window(codes[other].start + GRANULE, 1);
	no_window(NOWHERE, 1);
	no_window(BASE + BLOCK, 1);
	for (offset = 0; offset < bytes; offset++) {
		CHECK(!write_code(code, offset, bytes - offset));
		CHECK(!write_code(code, 0, offset + 1));
	}
	free_code(code);
	no_window(start, 1);
	end();
}

static void no_copy(hm_rox_cache_writer_t writer, uint64_t at, uint64_t bytes)
{
	static unsigned char text[4 * HM_ROX_CACHE_GRANULE] = { 1 };

	CHECK(hm_rox_cache_copy(cache, writer, va_of(at), text, bytes) == -HM_EINVAL);
	bugs++;
}

CASE(a_copy_is_within_its_window)
{
	hm_rox_cache_writer_t stale, wrong;
	unsigned int code, other;
	struct code *written;
	uint64_t start;

	add(0, 8, NULL);
	code = load(0, 3 * GRANULE);
	other = load(0, GRANULE);
	written = &codes[code];
	start = written->start;
	CHECK(!begin_window(written, 10, 20));
	stale = written->writer;
	no_copy(stale, start + 9, 1);
	no_copy(stale, start + 9, 2);
	no_copy(stale, start + 10, 21);
	no_copy(stale, start + 29, 2);
	no_copy(stale, start + 30, 1);
	no_copy(stale, start + 31, 0);
	no_copy(stale, start + 9, 0);
	no_copy(stale, start + 10, EVERYTHING);
	no_copy(stale, start + 11, 0 - start);
	no_copy(stale, codes[other].start, 1);
	CHECK(!hm_rox_cache_copy(cache, stale, va_of(start + 10), NULL, 0));
	CHECK(!hm_rox_cache_copy(cache, stale, va_of(start + 30), NULL, 0));
	/* Not that window. */
	wrong = stale;
	wrong.generation++;
	no_copy(wrong, start + 10, 1);
	wrong = stale;
	wrong.start = codes[other].start;
	no_copy(wrong, start + 10, 1);
	no_copy(wrong, codes[other].start, 1);
	wrong.start = start + GRANULE;
	no_copy(wrong, start + 10, 1);
	wrong.start = NOWHERE;
	no_copy(wrong, start + 10, 1);
	CHECK(hm_rox_cache_write_end(cache, wrong) == -HM_EINVAL);
	bugs++;
	copy_random(written, 10, 20);
	CHECK(!end_window(written));
	reconcile();
	/* It is over. */
	no_copy(stale, start + 10, 1);
	CHECK(hm_rox_cache_write_end(cache, stale) == -HM_EINVAL);
	bugs++;
	CHECK(!begin_window(written, 10, 20));
	no_copy(stale, start + 10, 1);
	CHECK(hm_rox_cache_write_end(cache, stale) == -HM_EINVAL);
	bugs++;
	CHECK(!end_window(written));
	reconcile();
	free_code(code);
	no_copy(stale, start + 10, 1);
	reconcile();
	CHECK(!alloc(0, 3 * GRANULE, 0, &code) && codes[code].start == start);
	no_copy(stale, start + 10, 1);
	CHECK(hm_rox_cache_write_end(cache, stale) == -HM_EINVAL);
	bugs++;
	reconcile();
	/* Nothing is left of a window that is closed but not over. */
	kernel->refuse = 1u << ROX_KERNEL_SYNCHRONISE;
	CHECK(!begin_window(&codes[code], 0, 8));
	copy_random(&codes[code], 0, 8);
	CHECK(end_window(&codes[code]) == -HM_EBUSY);
	no_copy(codes[code].writer, start, 1);
	reconcile();
	end();
}

/* One window a range; of all ranges at once, but where it opens what others share. */
CASE(two_writers)
{
	unsigned int code, other;
	hm_rox_cache_writer_t writer;
	const uint64_t enough = 200;

	add(0, 8, NULL);
	code = load(0, enough);
	other = load(0, enough);
	CHECK(!begin_window(&codes[code], 0, 10));
	CHECK(hm_rox_cache_write_begin(cache, va_of(codes[code].start + 20), 10, &writer) ==
	      -HM_EBUSY);
	CHECK(hm_rox_cache_patch(cache, va_of(codes[code].start + 20), 1) == -HM_EBUSY);
	CHECK(begin_window(&codes[other], 0, 10) == (STYLE_NONE ? -HM_EBUSY : 0));
	if (!STYLE_NONE) {
		kernel->in_window = true;
		copy_random(&codes[other], 0, 10);
		copy_random(&codes[code], 0, 5);
		CHECK(!end_window(&codes[other]));
		kernel->in_window = false;
	}
	copy_random(&codes[code], 0, 10);
	CHECK(!end_window(&codes[code]));
	reconcile();
	CHECK(!write_code(other, 0, enough));
	end();
}

/* As memcpy(): from anywhere to anywhere, and what is around stays. */
CASE(a_copy_of_any_alignment_and_length)
{
	unsigned int before, code, after;
	unsigned char source[64];
	uint64_t to, from, n;
	const uint64_t around = 64, size = 128;

	add(0, 8, NULL);
	/* In the middle of a block, and with its end in the midst of the code. */
	for (n = 0; n < 2; n++) {
		before = load(0, n ? BLOCK - 6 * GRANULE : around);
		code = load(0, size);
		after = load(0, around);
		(void)before;
		(void)after;
		for (to = 0; to < 16; to++)
			for (from = 0; from <= 40; from++) {
				struct code *written = &codes[code];
				const uint64_t at = 56 + to, skip = below(9);

				random_text(source, sizeof(source));
				CHECK(!begin_window(written, 0, size));
				CHECK(!hm_rox_cache_copy(cache, written->writer,
							 va_of(written->start + at), source + skip,
							 from));
				memcpy(written->text + at, source + skip, from);
				CHECK(!end_window(written));
				if (from % 8 == to % 8)
					reconcile();
			}
		reconcile();
	}
	end();
}

/* Four aligned bytes are one store; no other is made. */
CASE(a_patch_is_one_store)
{
	const bool is_keyed = hm_kpkeys_style() == HM_KEY_STYLE_STORE;
	unsigned int code, i;

	add(0, 8, NULL);
	code = load(0, 2 * GRANULE + 12);
	for (i = 0; i < 2 * GRANULE + 12; i += 4) {
		uint64_t stores, patches, cleans, invalidates, synchronised;

		stores = kernel->calls[ROX_KERNEL_STORE];
		patches = kernel->calls[ROX_KERNEL_PATCH];
		cleans = kernel->calls[ROX_KERNEL_CLEAN];
		invalidates = kernel->calls[ROX_KERNEL_INVALIDATE];
		synchronised = kernel->synchronised;
		CHECK(!patch_code(code, i, (uint32_t)below(UINT64_C(1) << 32)));
		CHECK(kernel->calls[ROX_KERNEL_STORE] == stores + is_keyed);
		CHECK(kernel->calls[ROX_KERNEL_PATCH] == patches + !is_keyed);
		CHECK(kernel->calls[ROX_KERNEL_CLEAN] == cleans + 1);
		CHECK(kernel->calls[ROX_KERNEL_INVALIDATE] == invalidates + 1);
		CHECK(kernel->synchronised == synchronised + 1);
	}
	CHECK(cache->counts.written == 2 * (2 * GRANULE + 12));
	end();
}

CASE(a_patch_that_is_wrong)
{
	unsigned int code, i;

	add(0, 8, NULL);
	code = load(0, 10);
	for (i = 0; i < 128; i++) {
		if (i % 4 == 0 && i < 8)
			continue;
		CHECK(hm_rox_cache_patch(cache, va_of(codes[code].start + i), 0) == -HM_EINVAL);
		bugs++;
		reconcile();
	}
	CHECK(hm_rox_cache_patch(cache, va_of(codes[code].start - 4), 0) == -HM_EINVAL);
	CHECK(hm_rox_cache_patch(cache, va_of(NOWHERE - 3), 0) == -HM_EINVAL);
	bugs += 2;
	reconcile();
	end();
}

/* The level is left as it was entered: also by who has one, or a section. */
CASE(windows_within_levels_and_sections)
{
	hm_kpkeys_token_t outer = hm_kpkeys_enter_pgtables();
	hm_lazy_mmu_token_t section;
	unsigned int code;

	add(0, 8, NULL);
	CHECK(!alloc(0, 64, SLEEP, &code));
	CHECK(!write_code(code, 3, 30));
	hm_kpkeys_leave(outer);
	section = hm_lazy_mmu_enter();
	CHECK(!patch_code(code, 8, 77));
	CHECK(!free_code(code));
	hm_lazy_mmu_leave(section);
	hm_context_assert_idle();
	end();
}

static struct code *interrupted;
static int interrupt_error;

static void patch_another(void)
{
	CHECK(STYLE_NONE || !probe_opens(HM_KEY_TEXT));
	interrupt_error = hm_rox_cache_patch(cache, va_of(interrupted->start), 5);
}

/* An interrupt within a window is at no level; it has windows of its own where they are not one in all. */
CASE(a_patch_from_an_interrupt_in_a_window)
{
	const uint32_t patched = 5;
	unsigned int code, other;

	add(0, 8, NULL);
	code = load(0, 100);
	other = load(0, 100);
	interrupted = &codes[other];
	CHECK(!begin_window(&codes[code], 0, 100));
	copy_random(&codes[code], 0, 50);
	probe_interrupt(patch_another);
	CHECK(interrupt_error == (STYLE_NONE ? -HM_EBUSY : 0));
	if (!interrupt_error)
		memcpy(interrupted->text, &patched, 4);
	copy_random(&codes[code], 50, 50);
	CHECK(!end_window(&codes[code]));
	reconcile();
	end();
}

/* ---- loading ---- */

static int relocate_error;
static uint64_t relocated;

static int relocate(struct hm_rox_cache *of, hm_rox_cache_writer_t writer, hm_va_t at,
		    void *argument)
{
	const uint64_t address = at.val ^ (uintptr_t)argument;

	relocated++;
	if (hm_rox_cache_copy(of, writer, va_of(at.val + 5), &address, sizeof(address)))
		rox_kernel_violate("a relocation is refused");
	return relocate_error;
}

/* What depends on the address is written within the window: one for all. */
CASE(code_is_loaded_with_its_relocations)
{
	unsigned char text[300];
	const uint64_t windows = cache->counts.windows;
	unsigned int code;
	uint64_t address;
	hm_va_t va = { NOWHERE };

	add(0, 8, NULL);
	random_text(text, sizeof(text));
	relocate_error = 0;
	relocated = 0;
	CHECK(!hm_rox_cache_load(cache, &arenas[0], text, sizeof(text), 256, SLEEP, relocate, text,
				 &va));
	CHECK(relocated == 1 && !(va.val % 256));
	address = va.val ^ (uintptr_t)text;
	memcpy(text + 5, &address, sizeof(address));
	code = note_code(va.val, sizeof(text), text);
	reconcile_after(MAY_GROW, FIRST_CODE + code, NOBODY);
	CHECK(cache->counts.windows == windows + 1);
	CHECK(cache->counts.written == sizeof(text) + sizeof(address));
	end();
}

/* All or nothing. */
CASE(a_load_that_fails_leaves_nothing)
{
	static const unsigned char text[300] = { 1, 2, 3 };
	struct wish wish = { 0, sizeof(text), 64, SLEEP, text, relocate };
	unsigned int code;

	add(0, 8, NULL);
	relocate_error = -42;
	CHECK(grant(&wish, &code) == -42);
	CHECK(!cache->live && cache->gaps == 1 && arenas[0].empty == 1);
	relocate_error = 1;
	CHECK(grant(&wish, &code) == 1);
	CHECK(cache->gaps == 1 && !is_waiting());
	/* What cannot be undone at once waits. */
	kernel->refuse = 1u << ROX_KERNEL_SYNCHRONISE;
	CHECK(grant(&wish, &code) == 1);
	wish.relocate = NULL;
	CHECK(grant(&wish, &code) == -HM_EBUSY);
	CHECK(cache->parked_ranges == 2 && !cache->live);
	kernel->refuse = 0;
	CHECK(!retry());
	CHECK(cache->gaps == 1);
	wish.bytes = 0;
	CHECK(hm_rox_cache_load(cache, &arenas[0], text, 0, 64, SLEEP, NULL, NULL,
				&(hm_va_t){ 0 }) == -HM_EINVAL);
	end();
}

static bool frees;

static int end_it(struct hm_rox_cache *of, hm_rox_cache_writer_t writer, hm_va_t at, void *argument)
{
	(void)argument;
	CHECK(!hm_rox_cache_write_end(of, writer));
	if (frees)
		CHECK(!hm_rox_cache_free(of, at));
	return relocate_error;
}

/* Who relocates does not end what others began. */
CASE(a_relocation_that_ends_the_window)
{
	static const unsigned char text[300] = { 1, 2, 3 };
	const struct wish wish = { 0, sizeof(text), 64, SLEEP, text, end_it };
	unsigned int code;

	add(0, 8, NULL);
	relocate_error = -42;
	frees = false;
	bugs = 1;
	CHECK(grant(&wish, &code) == -42);
	relocate_error = 0;
	bugs = 2;
	CHECK(grant(&wish, &code) == -HM_EINVAL);
	CHECK(cache->gaps == 1);
	relocate_error = -42;
	frees = true;
	bugs = 2;
	CHECK(grant(&wish, &code) == -HM_EINVAL);
	CHECK(cache->gaps == 1);
	end();
}

static uint64_t windows_before;

/* Somebody guesses the writer: the window is over, and what was to be written in it is not. */
static void end_by_guess(enum rox_kernel_hook hook)
{
	const struct hm_rox_cache_range *range = hm_rox_find_(cache, BASE);
	hm_rox_cache_writer_t writer;

	if (hook != ROX_KERNEL_LOCK || !range || range->state != HM_ROX_CACHE_WRITING ||
	    cache->counts.windows == windows_before)
		return;
	writer.start = range->start;
	writer.generation = range->generation;
	kernel->meanwhile = NULL;
	CHECK(!hm_rox_cache_write_end(cache, writer));
}

CASE(a_window_that_somebody_else_ended)
{
	static const unsigned char text[300] = { 1, 2, 3 };
	hm_va_t va = { NOWHERE };
	unsigned int code;

	add(0, 8, NULL);
	windows_before = cache->counts.windows;
	kernel->meanwhile = end_by_guess;
	CHECK(hm_rox_cache_load(cache, &arenas[0], text, sizeof(text), 64, SLEEP, NULL, NULL,
				&va) == -HM_EINVAL);
	CHECK(va.val == NOWHERE);
	bugs = 2;
	take_stock(&now);
	code = load(0, 300);
	CHECK(codes[code].start == BASE);
	windows_before = cache->counts.windows;
	kernel->meanwhile = end_by_guess;
	CHECK(hm_rox_cache_patch(cache, va_of(BASE), 1) == -HM_EINVAL);
	bugs = 2;
	reconcile();
	end();
}

/* Where there are no keys the window is another's, or does not open. */
CASE(a_load_that_has_no_window)
{
	static const unsigned char text[300] = { 1, 2, 3 };
	const struct wish wish = { 0, sizeof(text), 64, SLEEP, text, NULL };
	unsigned int code;

	if (!STYLE_NONE)
		return;
	add(0, 8, NULL);
	kernel->refuse = 1u << ROX_KERNEL_WINDOW_LOCK;
	CHECK(grant(&wish, &code) == -HM_EBUSY);
	CHECK(cache->parked_ranges == 1);
	kernel->refuse = 0;
	CHECK(!retry());
	for (kernel->failure = 0; kernel->failure < ROX_KERNEL_FAILURES; kernel->failure++) {
		kernel->refuse_alias = 1u << HM_ROX_CACHE_OPEN;
		CHECK(grant(&wish, &code) == -HM_EBUSY);
		kernel->refuse_alias = 0;
		CHECK(!retry());
	}
	end();
}

/* ---- what waits ---- */

/* All that makes a free impossible now: hooks, aliases, failure. */
static bool refuse(unsigned int way)
{
	static const struct {
		unsigned int hooks, alias;
		enum rox_kernel_failure failure;
	} ways[] = {
		{ 1u << ROX_KERNEL_SYNCHRONISE, 0, ROX_KERNEL_BUSY },
		{ 1u << ROX_KERNEL_WINDOW_LOCK, 0, ROX_KERNEL_BUSY },
		{ 0, 1u << HM_ROX_CACHE_OPEN, ROX_KERNEL_BUSY },
		{ 0, 1u << HM_ROX_CACHE_OPEN, ROX_KERNEL_NO_MEMORY },
		{ 0, 1u << HM_ROX_CACHE_OPEN, ROX_KERNEL_HALF_WAY },
		{ 0, 1u << HM_ROX_CACHE_OPEN | 1u << HM_ROX_CACHE_CLOSED, ROX_KERNEL_HALF_WAY },
		{ 0, 1u << HM_ROX_CACHE_CLOSED, ROX_KERNEL_BUSY },
		{ 0, 1u << HM_ROX_CACHE_CLOSED, ROX_KERNEL_HALF_WAY },
	};

	if (way >= (STYLE_NONE ? sizeof(ways) / sizeof(ways[0]) : 1))
		return false;
	kernel->refuse = ways[way].hooks;
	kernel->refuse_alias = ways[way].alias;
	kernel->failure = ways[way].failure;
	return true;
}

static void refuse_nothing(void)
{
	kernel->refuse = kernel->refuse_alias = kernel->refuse_execute = 0;
}

/* Freed code that cannot be traps now is nobody's, until it can. */
CASE(freed_code_is_parked)
{
	unsigned int way, code, other;
	uint64_t parked = 0;

	add(0, 8, NULL);
	for (way = 0; !failures; way++) {
		uint64_t start, bytes;

		code = load(0, 3 * page_bytes() + 5);
		other = load(0, 5);
		start = codes[code].start;
		bytes = rounded(codes[code].asked);
		if (!refuse(way))
			break;
		CHECK(!free_code(code));
		CHECK(cache->parked_ranges == 1 && cache->parked_bytes == bytes);
		CHECK(cache->counts.parked == ++parked);
		CHECK(retry() == 1);
		CHECK(scan(EVERYTHING) == 0);
		CHECK(hm_rox_cache_destroy(cache) == -HM_EBUSY);
		reconcile();
		free_wrong(start);
		no_window(start, 1);
		CHECK(cache->counts.parked == parked);
		refuse_nothing();
		CHECK(!retry());
		CHECK(!cache->parked_bytes);
		CHECK(rox_kernel_traps(start, bytes));
		CHECK(!free_code(other));
		CHECK(cache->gaps == 1);
		trim();
		CHECK(!kcache->lent);
	}
	end();
}

/* Who finds no memory tries again, then the shrinker, then who trims. */
CASE(parked_ranges_are_tried_again)
{
	unsigned int code, i;

	add(1, 1, NULL);
	add(0, 1, &arenas[1]);
	for (i = 0; i < 4; i++) {
		code = load(0, BLOCK);
		kernel->refuse = 1u << ROX_KERNEL_SYNCHRONISE;
		CHECK(!free_code(code));
		kernel->left = 0;
		CHECK(alloc(0, 1, SLEEP, &code) == -HM_ENOMEM);
		CHECK(cache->parked_ranges == 1);
		kernel->refuse = 0;
		CHECK(alloc(0, 1, 0, &code) == -HM_ENOMEM);
		CHECK(cache->parked_ranges == 1);
		if (i == 0)
			CHECK(!alloc(0, 1, SLEEP, &code) && codes[code].start == BASE);
		else if (i == 1)
			CHECK(scan(EVERYTHING) == 1);
		else if (i == 2)
			CHECK(trim() == 1);
		else
			CHECK(!hm_rox_cache_destroy(cache));
		kernel->left = BLOCKS - kcache->lent;
		CHECK(!cache->parked_ranges);
		if (i == 0)
			free_code(code);
	}
	check_ended();
}

/* Many, of which some are neighbours. */
CASE(many_parked_ranges)
{
	unsigned int i, n;

	add(0, 8, NULL);
	for (i = 0; i < 20; i++)
		load(0, 1 + below(5 * GRANULE));
	kernel->refuse = 1u << ROX_KERNEL_SYNCHRONISE;
	for (i = 0; i < 10; i++)
		CHECK(!free_code(live[below(lives)]));
	CHECK(retry() == 10);
	/* Some of them, one after the other. */
	kernel->refuse = 0;
	kernel->fail_at = kernel->fallible + (STYLE_NONE ? 12 : 4);
	n = (unsigned int)retry();
	CHECK(n && n < 10);
	kernel->fail_at = 0;
	CHECK(!retry());
	end();
}

/* A window that is not over has its owner try again, and nobody else. */
CASE(a_window_that_cannot_be_ended)
{
	unsigned int way, code, other;
	hm_rox_cache_writer_t writer;

	add(0, 8, NULL);
	code = load(0, 2 * page_bytes());
	other = load(0, 2 * page_bytes());
	for (way = 0; !failures; way++) {
		const bool closes = way == 0 || way >= 6;
		int error;

		CHECK(!begin_window(&codes[code], 5, page_bytes()));
		copy_random(&codes[code], 5, page_bytes());
		if (!refuse(way)) {
			CHECK(!end_window(&codes[code]));
			break;
		}
		error = end_window(&codes[code]);
		CHECK(error == (closes || way == 5 ? -HM_EBUSY : 0));
		reconcile();
		if (error) {
			CHECK(end_window(&codes[code]) == -HM_EBUSY);
			reconcile();
			CHECK(free_code(code) == -HM_EBUSY);
			CHECK(begin_window(&(struct code){ .start = codes[code].start }, 0, 1) ==
			      -HM_EBUSY);
			no_copy(codes[code].writer, codes[code].start + 5, 1);
			/* Another's is not in the way, once it can. */
			if (STYLE_NONE && way) {
				kernel->refuse = 1u << ROX_KERNEL_WINDOW_LOCK;
				kernel->refuse_alias = 0;
				CHECK(end_window(&codes[code]) == -HM_EBUSY);
				reconcile();
			}
			refuse_nothing();
			if (way % 2)
				CHECK(!write_code(other, 0, 2 * page_bytes()));
			writer = codes[code].writer;
			CHECK(!end_window(&codes[code]));
			CHECK(hm_rox_cache_write_end(cache, writer) == -HM_EINVAL);
			bugs++;
		}
		refuse_nothing();
		reconcile();
		CHECK(!write_code(code, 0, 2 * page_bytes()));
	}
	end();
}

/* Two windows in one another's way: what one could not close is not forgotten because the other could. */
CASE(what_is_open_is_remembered)
{
	unsigned int code, other, i;

	if (!STYLE_NONE)
		return;
	add(0, 8, NULL);
	for (i = 0; i < 3 && !failures; i++) {
		code = load(0, page_bytes());
		load(0, 2 * page_bytes());
		other = load(0, page_bytes());
		CHECK(!begin_window(&codes[code], 0, page_bytes()));
		copy_random(&codes[code], 0, page_bytes());
		kernel->refuse_alias = 1u << HM_ROX_CACHE_CLOSED;
		CHECK(end_window(&codes[code]) == -HM_EBUSY);
		reconcile();
		/* The other closes what is open, and cannot close its own. */
		kernel->refuse_alias = 0;
		CHECK(!begin_window(&codes[other], 0, page_bytes()));
		copy_random(&codes[other], 0, page_bytes());
		kernel->refuse_alias = 1u << HM_ROX_CACHE_CLOSED;
		CHECK(end_window(&codes[other]) == -HM_EBUSY);
		reconcile();
		if (i == 1) {
			CHECK(end_window(&codes[code]) == -HM_EBUSY);
			reconcile();
		}
		kernel->refuse_alias = 0;
		if (i == 2)
			retry();
		CHECK(!end_window(&codes[code]));
		reconcile();
		CHECK(!end_window(&codes[other]));
		reconcile();
		free_all();
	}
	end();
}

/* A patch does not say that it is to be ended again. */
CASE(a_patch_that_cannot_be_ended)
{
	unsigned int way, code, other;

	add(0, 8, NULL);
	code = load(0, GRANULE);
	load(0, 2 * page_bytes());
	other = load(0, GRANULE);
	for (way = 0; !failures && refuse(way); way++) {
		CHECK(patch_code(code, 4, 1000 + way) == -HM_EBUSY);
		CHECK(patch_code(code, 4, 2000 + way) == -HM_EBUSY);
		CHECK(patch_code(other, 8, 3000 + way) == -HM_EBUSY);
		refuse_nothing();
		CHECK(!patch_code(code, 4, 1000 + way));
		CHECK(!patch_code(other, 8, 1000 + way));
		if (way % 2) {
			refuse(way);
			CHECK(patch_code(other, 8, 4000 + way) == -HM_EBUSY);
			CHECK(!free_code(other));
			refuse_nothing();
			CHECK(!retry());
			other = load(0, GRANULE);
		}
		CHECK(!cache->unsealed_end);
	}
	refuse_nothing();
	end();
}

/* ---- quarantine ---- */

/* Blocks that come: what has failed is undone, or held. */
CASE(growth_that_fails)
{
	unsigned int code, i, n;
	uint64_t call;

	for (i = 0; i < ROX_KERNEL_FAILURES; i++)
		for (n = 1; n <= 3; n += 2) {
			memset(arenas, 0, sizeof(arenas));
			add(0, 8, NULL);
			kernel->failure = i;
			for (call = 1; !failures; call++) {
				kernel->fail_at = kernel->fallible + call;
				if (!alloc(0, n * BLOCK, SLEEP, &code))
					break;
				CHECK(!is_waiting() && !kcache->lent);
			}
			CHECK(call > 5 * n + 3);
			end();
		}
	memset(arenas, 0, sizeof(arenas));
	add(0, 8, NULL);
	/* And what cannot be undone. */
	for (n = 0; n < 2; n++) {
		kernel->refuse_execute = n ? 1 : 2;
		kernel->refuse_alias = 1u << HM_ROX_CACHE_MEMORY;
		kernel->refuse = n ? 1u << ROX_KERNEL_SYNCHRONISE : 0;
		CHECK(alloc(0, 2 * BLOCK, SLEEP, &code) == -HM_ENOMEM);
		/* It tried twice. */
		CHECK(cache->held_blocks == 4 && !arenas[0].blocks);
		CHECK(retry() == 4);
		CHECK(hm_rox_cache_destroy(cache) == -HM_EBUSY);
		free_wrong(BASE);
		no_window(BASE, 1);
		kernel->refuse_execute = 0;
		CHECK(retry() == 4);
		refuse_nothing();
		CHECK(!retry());
		CHECK(!kcache->lent);
	}
	end();
}

/* Who finds no memory gets that of blocks that go back only now. */
CASE(memory_in_quarantine_is_tried_again)
{
	unsigned int code;

	add(0, 2, NULL);
	kernel->refuse_execute = 2;
	kernel->refuse_alias = 1u << HM_ROX_CACHE_MEMORY;
	CHECK(alloc(0, 2 * BLOCK, SLEEP, &code) == -HM_ENOMEM);
	CHECK(cache->held_blocks == 2);
	CHECK(alloc(0, 1, SLEEP, &code) == -HM_ENOMEM);
	CHECK(cache->held_blocks == 2);
	refuse_nothing();
	CHECK(alloc(0, 1, 0, &code) == -HM_ENOMEM);
	CHECK(!alloc(0, 2 * BLOCK, SLEEP, &code));
	CHECK(!cache->held_blocks);
	end();
}

/* Blocks that go. */
CASE(a_release_that_fails)
{
	unsigned int code, n;

	add(0, 8, NULL);
	for (n = 0; n < 4; n++) {
		code = load(0, 3 * BLOCK + BLOCK / 2);
		load(0, BLOCK / 2);
		CHECK(!free_code(code));
		if (n & 1)
			kernel->refuse_execute = 1;
		else
			kernel->refuse_alias = 1u << HM_ROX_CACHE_MEMORY;
		kernel->failure = n & 2 ? ROX_KERNEL_HALF_WAY : ROX_KERNEL_BUSY;
		CHECK(scan(EVERYTHING) == 0);
		CHECK(trim() == 0);
		CHECK(cache->held_blocks && cache->held_blocks + arenas[0].blocks == 4);
		CHECK(retry() == cache->held_blocks);
		refuse_nothing();
		CHECK(!retry());
		free_all();
		trim();
		CHECK(!kcache->lent);
	}
	end();
}

/* ---- the shrinker ---- */

/* Code that is unloaded and loaded again between two scans finds its blocks. */
CASE(what_was_of_use_of_late_is_kept)
{
	unsigned int code[4], i, round;
	uint64_t grown;

	add(0, 16, NULL);
	for (i = 0; i < 4; i++)
		code[i] = load(0, 2 * BLOCK);
	CHECK(!hm_rox_cache_shrink_count(cache));
	grown = cache->counts.grown;
	for (round = 0; round < 5; round++) {
		for (i = 0; i < 4; i++)
			free_code(code[i]);
		for (i = 0; i < 4; i++)
			code[i] = load(0, 2 * BLOCK);
		CHECK(scan(EVERYTHING) == 0);
	}
	CHECK(cache->counts.grown == grown);
	for (i = 0; i < 4; i++)
		free_code(code[i]);
	/* Half of what nobody used goes each time. */
	CHECK(hm_rox_cache_shrink_count(cache) == 4);
	CHECK(scan(EVERYTHING) == 4);
	CHECK(scan(EVERYTHING) == 2);
	CHECK(scan(0) == 0);
	CHECK(scan(EVERYTHING) == 2);
	CHECK(!kcache->lent && !hm_rox_cache_shrink_count(cache));
	CHECK(scan(EVERYTHING) == 0);
	end();
}

/* Not more than was asked for, and in the end all. */
CASE(scans_give_back_as_many_as_they_are_asked_for)
{
	unsigned int code, i, n, rest;

	add(0, 16, NULL);
	add(1, 16, &arenas[0]);
	for (n = 1; n < 5; n++) {
		rest = load(0, 1);
		load(1, BLOCK / 2);
		code = load(0, 7 * BLOCK);
		free_code(code);
		code = load(1, 5 * BLOCK);
		free_code(code);
		for (i = 0; i < 100 && hm_rox_cache_shrink_count(cache); i++)
			scan(n);
		CHECK(i < 50 && kcache->lent == 2);
		free_code(rest);
		free_all();
		CHECK(trim() == 2);
		CHECK(trim() == 0);
	}
	end();
}

/* Blocks go out of the middle of a gap, where no memory of a range may be asked for. */
CASE(a_block_goes_out_of_the_middle_of_a_gap)
{
	unsigned int code, n;

	add(0, 16, NULL);
	for (n = 0; n < 6; n++) {
		unsigned int first = load(0, BLOCK / 2), last;

		code = load(0, (1 + n) * BLOCK);
		last = load(0, BLOCK / 4);
		free_code(code);
		kernel->refuse = 1u << ROX_KERNEL_RANGE_ALLOC;
		while (arenas[0].empty && !failures)
			CHECK(scan(1) == 1 || trim() >= 1);
		kernel->refuse = 0;
		CHECK(kcache->lent && kcache->lent <= 2);
		CHECK(!write_code(first, 0, BLOCK / 2));
		free_code(first);
		free_code(last);
		trim();
		CHECK(!kcache->lent);
	}
	end();
}

/* Memory is short: the port asks the shrinker, from within growth. */
CASE(the_shrinker_within_growth)
{
	unsigned int code, i;

	add(0, 40, NULL);
	add(1, 40, NULL);
	for (i = 0; i < 8; i++) {
		code = load(i % 2, 3 * BLOCK);
		load(i % 2, 1);
		free_code(code);
		kernel->reclaim = i % 3 ? EVERYTHING : 1;
		load(i % 2, 3 * BLOCK + BLOCK / 2);
		kernel->reclaim = 0;
		while (lives > 3)
			free_code(live[below(lives)]);
	}
	end();
}

/* And takes what was to be a part of the place: it does not go on like that through all of the arena. */
CASE(the_shrinker_takes_what_growth_counts_on)
{
	unsigned int code;
	uint64_t calls;

	add(0, 60, NULL);
	code = load(0, BLOCK);
	free_code(code);
	kernel->reclaim = EVERYTHING;
	calls = kernel->calls[ROX_KERNEL_MEMORY];
	load(0, 2 * BLOCK);
	CHECK(kernel->calls[ROX_KERNEL_MEMORY] - calls <= 3);
	CHECK(cache->counts.grown <= 5);
	end();
}

CASE(a_cache_with_code_does_not_end)
{
	unsigned int code;

	CHECK(!hm_rox_cache_destroy(cache));
	add(0, 4, NULL);
	CHECK(!hm_rox_cache_destroy(cache));
	check_ended();
	add(0, 4, NULL);
	code = load(0, BLOCK + 1);
	CHECK(hm_rox_cache_destroy(cache) == -HM_EBUSY);
	reconcile();
	free_code(code);
	CHECK(!hm_rox_cache_destroy(cache));
	check_ended();
	memset(&now, 0, sizeof(now));
	/* And begins anew, with the same arena. */
	add(0, 4, NULL);
	load(0, 1);
	end();
}

/* ---- others act meanwhile ---- */

static char drawn[BLOCKS][16 + 1 + 8 + 1 + 64 + 1];
static unsigned int lines;

static void put(const char *line, void *argument)
{
	CHECK(argument == &lines);
	CHECK(strlen(line) == sizeof(drawn[0]) - 1);
	CHECK(!kcache->locked);
	if (lines < BLOCKS)
		snprintf(drawn[lines++], sizeof(drawn[0]), "%s", line);
}

static void print(void)
{
	lines = 0;
	hm_rox_cache_print(cache, put, &lines);
}

/* What a character stands for, from the picture by granules. */
static void check_drawn(void)
{
	unsigned int i, j;
	uint64_t k;

	CHECK(lines == now.blocks);
	for (i = 0; i < lines; i++) {
		char start[40];

		snprintf(start, sizeof(start), "%016llx %-8.8s ",
			 (unsigned long long)now.block[i].va, now.block[i].arena->name);
		CHECK(!strncmp(drawn[i], start, 26));
		for (j = 0; j < 64; j++) {
			bool seen[4] = { false };
			char is = drawn[i][26 + j];

			for (k = j * GRANULES / 64; k < (j + 1) * GRANULES / 64; k++)
				seen[now.block[i].owner[k] < FIRST_CODE ? now.block[i].owner[k]
									: FIRST_CODE] = true;
			CHECK(is == (seen[HELD]              ? '!'
				     : seen[PARKED]          ? 'p'
				     : !seen[FIRST_CODE]     ? '.'
				     : is == 'w' && pendings ? 'w'
				     : seen[FREE]            ? '+'
							     : '#'));
		}
	}
}

CASE(the_drawing)
{
	unsigned int i;

	add(0, 8, NULL);
	add(1, 8, NULL);
	add(2, 8, NULL);
	add(3, 8, NULL);
	print();
	CHECK(!lines);
	for (i = 0; i < 12; i++)
		load(i % 4, 1 + below(BLOCK));
	load(2, 3 * BLOCK);
	for (i = 0; i < 6; i++)
		free_code(live[below(lives)]);
	print();
	check_drawn();
	end();
}

CASE(the_drawing_of_what_waits)
{
	unsigned int code, other;

	add(0, 8, NULL);
	code = load(0, BLOCK / 2);
	other = load(0, 2 * BLOCK);
	load(0, BLOCK / 4);
	free_code(other);
	other = load(0, GRANULE);
	kernel->refuse = 1u << ROX_KERNEL_SYNCHRONISE;
	CHECK(write_code(code, 0, 8) == -HM_EBUSY);
	free_code(other);
	kernel->refuse_execute = 1;
	trim();
	print();
	check_drawn();
	CHECK(drawn[0][26] == 'w' && drawn[0][26 + 31] == 'w');
	CHECK(!strncmp(drawn[0], "0000", 4));
	end();
}

/* What every hook sees of a range that is freed, and one that is written: it is nobody else's. */
static struct code *freed;
static unsigned int seen_freed;

static void use_the_freed(enum rox_kernel_hook hook)
{
	hm_rox_cache_writer_t writer;

	(void)hook;
	if (kcache->locked || !freed)
		return;
	kernel->meanwhile = NULL;
	print();
	if (strchr(drawn[0] + 26, 'p')) {
		seen_freed++;
		CHECK(hm_rox_cache_free(cache, va_of(freed->start)) == -HM_EINVAL);
		CHECK(hm_rox_cache_write_begin(cache, va_of(freed->start), 1, &writer) ==
		      -HM_EINVAL);
		CHECK(hm_rox_cache_patch(cache, va_of(freed->start), 1) == -HM_EINVAL);
		bugs += 3;
		hm_rox_cache_retry(cache);
		CHECK(hm_rox_cache_shrink_scan(cache, 1) == 0);
	}
	kernel->meanwhile = use_the_freed;
}

CASE(code_that_is_being_freed_is_nobodys)
{
	unsigned int code;

	add(0, 8, NULL);
	code = load(0, 2 * page_bytes());
	load(0, 1);
	freed = &codes[code];
	seen_freed = 0;
	kernel->meanwhile = use_the_freed;
	CHECK(!hm_rox_cache_free(cache, va_of(codes[code].start)));
	kernel->meanwhile = NULL;
	freed = NULL;
	forget_code(code);
	take_stock(&now);
	CHECK(seen_freed > 2);
	end();
}

static unsigned int seen_writing;

static void use_the_written(enum rox_kernel_hook hook)
{
	hm_rox_cache_writer_t writer;

	(void)hook;
	if (kcache->locked || !interrupted)
		return;
	kernel->meanwhile = NULL;
	print();
	if (strchr(drawn[0] + 26, 'w')) {
		seen_writing++;
		CHECK(hm_rox_cache_free(cache, va_of(interrupted->start)) == -HM_EBUSY);
		CHECK(hm_rox_cache_write_begin(cache, va_of(interrupted->start), 1, &writer) ==
		      -HM_EBUSY);
		CHECK(hm_rox_cache_destroy(cache) == -HM_EBUSY);
	}
	kernel->meanwhile = use_the_written;
}

CASE(code_that_is_being_written_is_its_writers)
{
	unsigned int code;

	add(0, 8, NULL);
	code = load(0, 2 * page_bytes());
	load(0, 1);
	interrupted = &codes[code];
	seen_writing = 0;
	kernel->meanwhile = use_the_written;
	kernel->in_window = true;
	CHECK(!begin_window(&codes[code], 1, page_bytes()));
	copy_random(&codes[code], 1, page_bytes());
	CHECK(!end_window(&codes[code]));
	kernel->meanwhile = NULL;
	interrupted = NULL;
	reconcile();
	CHECK(seen_writing > 3);
	end();
}

/* Caches share nothing but the window, where there are no keys. */
CASE(two_caches)
{
	struct hm_rox_cache *second = &kernel->caches[1].cache;
	static struct hm_rox_cache_arena arena;
	hm_rox_cache_writer_t writer;
	unsigned int code;
	hm_va_t va = { NOWHERE };

	memset(&arena, 0, sizeof(arena));
	add(0, 8, NULL);
	CHECK(!hm_rox_cache_add(second, &arena, "other", va_of(BASE), va_of(BASE + 8 * BLOCK - 1),
				NULL));
	code = load(0, 100);
	CHECK(!hm_rox_cache_alloc(second, &arena, 100, 64, SLEEP, &va));
	CHECK(!begin_window(&codes[code], 0, 100));
	if (STYLE_NONE) {
		CHECK(hm_rox_cache_patch(second, va, 1) == -HM_EBUSY);
	} else {
		CHECK(!hm_rox_cache_write_begin(second, va, 100, &writer));
		kernel->in_window = true;
		CHECK(!hm_rox_cache_write_end(second, writer));
		kernel->in_window = false;
	}
	copy_random(&codes[code], 0, 100);
	CHECK(!end_window(&codes[code]));
	reconcile();
	CHECK(hm_rox_cache_free(second, va_of(codes[code].start)) == -HM_EINVAL);
	bugs++;
	CHECK(!hm_rox_cache_patch(second, va, 1));
	CHECK(!hm_rox_cache_free(second, va));
	CHECK(!hm_rox_cache_destroy(second));
	CHECK(!kernel->caches[1].lent && !kernel->caches[1].ranges);
	end();
}

/* ---- programs ---- */

static unsigned char random_bytes[4 * BLOCK];

/* One of those that are live and in no window; CODES: there is none. */
static unsigned int any_code(void)
{
	const unsigned int i = lives ? live[below(lives)] : CODES;

	return i == CODES || codes[i].pending ? CODES : i;
}

static int relocate_or_fail(struct hm_rox_cache *of, hm_rox_cache_writer_t writer, hm_va_t at,
			    void *argument)
{
	(void)argument;
	if (hm_rox_cache_copy(of, writer, at, random_bytes, 1))
		rox_kernel_violate("a relocation is refused");
	return below(4) ? 0 : -42;
}

static unsigned int try_grant(const struct wish *wish)
{
	unsigned int code;

	grant(wish, &code);
	return code;
}

static unsigned int try_load(unsigned int arena, uint64_t bytes)
{
	const struct wish wish = { arena, bytes, 1, SLEEP, random_bytes, NULL };

	random_text(random_bytes, bytes);
	return try_grant(&wish);
}

static void try_write(unsigned int code, uint64_t offset, uint64_t bytes)
{
	if (code != CODES && !codes[code].pending)
		write_code(code, offset, bytes);
}

static void try_patch(unsigned int code, uint64_t offset)
{
	if (code != CODES && !codes[code].pending)
		patch_code(code, offset, (uint32_t)below(UINT64_C(1) << 32));
}

static void try_free(unsigned int code)
{
	if (code != CODES)
		free_code(code);
}

static void try_end(unsigned int code)
{
	if (code == CODES || !codes[code].pending)
		return;
	end_window(&codes[code]);
	reconcile();
}

/* A little of everything. */
static void go_through_all(void)
{
	const struct wish aligned = { 0, BLOCK / 4, BLOCK / 2, SLEEP, NULL, NULL };
	const struct wish awake = { 1, 300, 1, 0, NULL, NULL };
	unsigned int code[6];

	add(0, 16, NULL);
	add(1, 1, &arenas[0]);
	code[0] = try_load(1, 100);
	code[1] = try_load(1, 2 * BLOCK + BLOCK / 2);
	try_write(code[1], BLOCK - 20, BLOCK + 40);
	try_patch(code[0], 8);
	code[2] = try_grant(&aligned);
	try_patch(code[2], 0);
	code[3] = try_grant(&awake);
	try_free(code[1]);
	try_end(code[1]);
	retry();
	try_write(code[3], 7, 100);
	code[4] = try_load(0, 4 * BLOCK);
	try_free(code[0]);
	scan(1);
	code[5] = try_load(0, BLOCK);
	try_end(code[3]);
	try_free(code[4]);
	try_free(code[3]);
	scan(EVERYTHING);
	try_free(code[2]);
	trim();
	try_free(code[5]);
	if (!hm_rox_cache_destroy(cache))
		memset(&now, 0, sizeof(now));
	else
		reconcile_after(MAY_SHRINK | MAY_RETRY, NOBODY, NOBODY);
}

/* Each call of a hook that can fail does, in each way, alone or with some or all that follow. */
static void fail_everywhere(enum rox_kernel_failure failure, uint64_t times)
{
	static char text[64];
	uint64_t call;

	for (call = 1; !failures; call++) {
		unsigned int i;

		suite_setup();
		snprintf(text, sizeof(text), "(call %llu, failure %u, %llu times)",
			 (unsigned long long)call, failure, (unsigned long long)times);
		where = text;
		kernel->failure = failure;
		kernel->fail_at = call;
		kernel->fail_times = times;
		go_through_all();
		i = (unsigned int)kernel->failed;
		end();
		if (!i)
			break;
	}
	CHECK(call > 60);
}

CASE(any_hook_fails)
{
	fail_everywhere(ROX_KERNEL_BUSY, 1);
	fail_everywhere(ROX_KERNEL_NO_MEMORY, 1);
	fail_everywhere(ROX_KERNEL_HALF_WAY, 1);
}

CASE(any_hook_fails_and_some_that_follow)
{
	uint64_t times;

	for (times = 2; times <= FAILURES_IN_A_ROW; times++) {
		fail_everywhere(ROX_KERNEL_BUSY, times);
		fail_everywhere(ROX_KERNEL_HALF_WAY, times);
	}
}

CASE(from_some_hook_on_all_fail)
{
	fail_everywhere(ROX_KERNEL_BUSY, EVERYTHING);
	fail_everywhere(ROX_KERNEL_HALF_WAY, EVERYTHING);
}

static uint64_t random_size(void)
{
	switch (below(8)) {
	case 0:
		return 1 + below(3 * BLOCK);
	case 1:
		return (1 + below(2)) * BLOCK;
	case 2:
	case 3:
		return (1 + below(8)) * GRANULE;
	default:
		return 1 + below(BLOCK / 8);
	}
}

static void do_alloc(void)
{
	struct wish wish = { (unsigned int)below(3), random_size(), 1,
			     below(4) ? SLEEP : 0,   NULL,          NULL };

	if (!below(3))
		wish.alignment = UINT64_C(1) << below(HM_PORT_ROX_CACHE_BLOCK_SHIFT + 1);
	if (below(4)) {
		random_text(random_bytes, wish.bytes);
		wish.text = random_bytes;
	}
	if (lives < CODES - 1)
		try_grant(&wish);
}

/* The text that is undone is not known to be there: only those that fail are of use. */
static void do_fail_to_load(void)
{
	const struct wish wish = { (unsigned int)below(3), random_size(),   1, SLEEP,
				   random_bytes,           relocate_or_fail };

	if (lives < CODES - 1)
		try_grant(&wish);
}

static void do_write(void)
{
	const unsigned int code = any_code();
	uint64_t offset;

	if (code == CODES)
		return;
	offset = below(codes[code].asked);
	try_write(code, offset, 1 + below(codes[code].asked - offset));
}

static void do_patch(void)
{
	const unsigned int code = any_code();

	if (code != CODES && codes[code].asked >= 4)
		try_patch(code, below(codes[code].asked / 4) * 4);
}

static void do_free(void)
{
	if (lives)
		try_free(live[below(lives)]);
}

static void do_free_many(void)
{
	uint64_t n = below(lives + 1);

	while (n--)
		do_free();
}

static void do_wrong(void)
{
	const uint64_t at = BASE + below(3 * SPACE / GRANULE) * GRANULE;

	if (find_code(at) == CODES)
		free_wrong(below(2) ? at : at + 1 + below(GRANULE - 1));
}

static void do_end(void)
{
	unsigned int i;

	for (i = 0; i < lives; i++)
		try_end(live[i]);
}

static void do_shrink(void)
{
	switch (below(6)) {
	case 0:
		trim();
		break;
	case 1:
		scan(EVERYTHING);
		break;
	default:
		scan(below(4));
	}
}

static void change_the_weather(void)
{
	kernel->failure = (enum rox_kernel_failure)below(ROX_KERNEL_FAILURES);
	kernel->out_of = below(3) ? 0 : 2 + below(40);
	kernel->refuse = below(8) ? 0 : 1u << below(ROX_KERNEL_SURE);
	kernel->refuse_alias = below(8) ? 0 : 1u << below(3);
	kernel->refuse_execute = below(8) ? 0 : 1u << below(2);
	kernel->place = (enum rox_kernel_place)below(3);
	kernel->no_growth_there = !below(4);
	kernel->reclaim = below(4) ? 0 : 1 + below(4);
}

static void run_program(uint64_t seed, bool in_storms)
{
	static void (*const acts[])(void) = {
		do_alloc, do_alloc,  do_alloc,        do_alloc, do_write,     do_write,
		do_patch, do_free,   do_free,         do_free,  do_free_many, do_wrong,
		do_end,   do_shrink, do_fail_to_load, do_patch,
	};
	/* It looks at all memory after each step. */
	const unsigned int steps = BLOCK > 16384 ? 100 : 300;
	static char text[64];
	unsigned int step;

	suite_setup();
	kernel->random = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
	add(0, 28, NULL);
	add(1, 4, &arenas[0]);
	add(2, 8, NULL);
	kernel->left = 20 + (unsigned int)below(BLOCKS - 19);
	kernel->place = (enum rox_kernel_place)below(3);
	for (step = 0; step < steps && !failures; step++) {
		const unsigned int act = (unsigned int)below(sizeof(acts) / sizeof(acts[0]));

		snprintf(text, sizeof(text), "(seed %llu, step %u, act %u)",
			 (unsigned long long)seed, step, act);
		where = text;
		if (in_storms && !below(8))
			change_the_weather();
		acts[act]();
		if (!below(32))
			retry();
		if (!below(64)) {
			print();
			check_drawn();
		}
	}
	end();
}

CASE(random_programs)
{
	uint64_t seed;

	for (seed = 1; seed <= 12 && !failures; seed++)
		run_program(seed, false);
}

CASE(random_programs_whose_hooks_fail)
{
	uint64_t seed;

	for (seed = 101; seed <= 124 && !failures; seed++)
		run_program(seed, true);
}
