/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * rox_write.c -- what writing code takes by each kind of window: stores, barriers, key writes, lines of
 * caches, changes of permissions, TLBIs, counted by the hosted port.
 *
 * USE      rox_write OUT.json     one JSON object per line, window and case, and a table on stdout
 *          rox_write --check      the same table, compared with what each window promises
 *          rox_write --fault      --check with a barrier, a key write and a TLBI too many in each case:
 *                                 fails if all notice */
#define _GNU_SOURCE
#include <hardmap/rox_cache.h>
#include <errno.h>
#include <inttypes.h>
#include "rox_machine.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define MOST 20480u /* bytes of code: as a module of tests/data has on the average */
#define LINE 64u

static struct hm_rox_cache cache;
static struct hm_rox_cache_arena arena;
static unsigned char source[MOST];

/* ---- cases ---- */

struct counts {
	uint64_t stores, dsb, isb, dmb, gcsb, key_writes, cleaned, dropped, changes, tlbi,
		synchronised;
};

static const char *const names[] = { "stores", "DSB", "ISB",     "DMB",  "GCSB",  "key writes",
				     "DC",     "IC",  "changes", "TLBI", "others" };
#define COUNTS ARRAY_SIZE(names)
_Static_assert(sizeof(struct counts) == COUNTS * sizeof(uint64_t), "each has a name");

enum operation { LOAD, FREE, PATCH };

static const struct bench_case {
	const char *name;
	enum operation operation;
	uint32_t bytes;
} cases[] = {
	{ "load", LOAD, 64 },  { "load", LOAD, 4096 }, { "load", LOAD, MOST },
	{ "free", FREE, 64 },  { "free", FREE, 4096 }, { "free", FREE, MOST },
	{ "patch", PATCH, 4 },
};

static const struct style {
	const char *window;
	unsigned int number;
} styles[] = {
	{ "key", HM_KEY_STYLE_WINDOW },
	{ "store", HM_KEY_STYLE_STORE },
	{ "flip", HM_KEY_STYLE_NONE },
};

/*
 * What is to be: whatever there is to write, a DSB before instruction caches are invalidated and one after
 * it, and the other CPUs synchronised once. Keys in a register: two writes of that, each with an ISB. Keyed
 * stores: what orders them. No keys: of pages two changes of permission, the first of which splits a block: a
 * table, of which the reserve writes two entries, and its link; and a join. Each of the three is published (a
 * DSB, an ISB), and invalidates (two DSBs, an ISB).
 */
static struct counts promised(const struct style *style, const struct bench_case *c)
{
	const uint64_t lines = (c->bytes + LINE - 1) / LINE;
	const uint64_t pages = (c->bytes + MACHINE_PAGE - 1) / MACHINE_PAGE;
	struct counts counts = { .stores = (c->bytes + 7) / 8,
				 .dsb = 2,
				 .cleaned = lines,
				 .dropped = lines,
				 .synchronised = 1 };

	if (style->number == HM_KEY_STYLE_WINDOW) {
		counts.isb = counts.key_writes = 2;
	} else if (style->number == HM_KEY_STYLE_STORE) {
		counts.dmb = counts.gcsb = 2;
	} else {
		counts.stores += 2 + HM_PORT_PGTABLE_ENTRIES + 1 + 2 * pages + 1;
		counts.dsb += 9;
		counts.isb = 6;
		counts.dmb = 1;
		counts.changes = 2;
		/* An odd page is invalidated by itself, but not of a block. */
		counts.tlbi = pages > 1 && pages % 2 ? 5 : 3;
	}
	return counts;
}

static struct counts counts_now(void)
{
	const uint64_t *counts = hm_hosted.counts;
	const struct machine_costs costs = machine_costs_now();
	const struct counts now = {
		.stores = counts[HM_INSN_STR] + counts[HM_INSN_STR32] + counts[HM_INSN_GCSSTR],
		.dsb = costs.dsb,
		.isb = costs.isb,
		.dmb = costs.dmb,
		.gcsb = costs.gcsb,
		.key_writes = costs.key_writes,
		.cleaned = costs.cleaned,
		.dropped = costs.dropped,
		.changes = costs.changes,
		.tlbi = costs.tlbi,
		.synchronised = machine.synchronised,
	};

	return now;
}

static struct counts measure(const struct style *style, const struct bench_case *c, bool fault)
{
	const hm_va_t first = { MACHINE_CODE }, last = { MACHINE_CODE + 4 * MACHINE_BLOCK - 1 };
	struct counts before, after;
	uint64_t *to = (uint64_t *)&after;
	hm_va_t code = { 0 };
	int error;
	size_t i;

	machine_start(4, 4, style->number);
	memset(&cache, 0, sizeof(cache));
	memset(&arena, 0, sizeof(arena));
	error = hm_rox_cache_add(&cache, &arena, "code", first, last, NULL);
	/* The block is there already. */
	error |= hm_rox_cache_load(&cache, &arena, source, c->bytes, LINE, HM_ROX_CACHE_MAY_SLEEP,
				   NULL, NULL, &code);
	if (c->operation == LOAD)
		error |= hm_rox_cache_free(&cache, code);
	before = counts_now();
	if (c->operation == LOAD)
		error |= hm_rox_cache_load(&cache, &arena, source, c->bytes, LINE, 0, NULL, NULL,
					   &code);
	else if (c->operation == FREE)
		error |= hm_rox_cache_free(&cache, code);
	else
		error |= hm_rox_cache_patch(&cache, code, 0xd503201f); /* NOP */
	if (fault) {
		hm_port_context_publish();
		hm_port_context_sync();
		hm_port_kpkeys_write(hm_port_kpkeys_read());
		hm_port_pgtable_invalidate(first, MACHINE_PAGE, HM_INVALIDATE_LEAVES);
	}
	after = counts_now();
	for (i = 0; i < COUNTS; i++)
		to[i] -= ((const uint64_t *)&before)[i];
	if (c->operation != FREE)
		error |= hm_rox_cache_free(&cache, code);
	(void)hm_rox_cache_trim(&cache);
	error |= hm_rox_cache_destroy(&cache);
	if (error)
		machine_die("rox_cache.h failed");
	machine_stop();
	return after;
}

/* ---- what was found ---- */

static void print_line(const struct style *style, const struct bench_case *c,
		       const struct counts *counts)
{
	const uint64_t *found = (const uint64_t *)counts;
	size_t i;

	printf("%-6s %-6s %6" PRIu32, style->window, c->name, c->bytes);
	for (i = 0; i < COUNTS; i++)
		printf(" %10" PRIu64, found[i]);
	printf("\n");
}

static void write_json(FILE *out, const struct style *style, const struct bench_case *c,
		       const struct counts *r)
{
	fprintf(out,
		"{\"bench\":\"rox_write\",\"window\":\"%s\",\"case\":\"%s\",\"bytes\":%" PRIu32
		",\"stores\":%" PRIu64 ",\"dsb\":%" PRIu64 ",\"isb\":%" PRIu64 ",\"dmb\":%" PRIu64
		",\"gcsb\":%" PRIu64 ",\"key_writes\":%" PRIu64 ",\"dc\":%" PRIu64
		",\"ic\":%" PRIu64 ",\"permission_changes\":%" PRIu64 ",\"tlbi\":%" PRIu64
		",\"synchronised\":%" PRIu64 "}\n",
		style->window, c->name, c->bytes, r->stores, r->dsb, r->isb, r->dmb, r->gcsb,
		r->key_writes, r->cleaned, r->dropped, r->changes, r->tlbi, r->synchronised);
}

static bool check(const struct style *style, const struct bench_case *c,
		  const struct counts *counts)
{
	const struct counts wanted = promised(style, c);
	const uint64_t *found = (const uint64_t *)counts;
	bool ok = true;
	size_t i;

	for (i = 0; i < COUNTS; i++) {
		const uint64_t limit = ((const uint64_t *)&wanted)[i];

		if (found[i] == limit)
			continue;
		printf("FAIL %s: %s of %" PRIu32 " bytes: %s %" PRIu64 ", promised %" PRIu64 "\n",
		       style->window, c->name, c->bytes, names[i], found[i], limit);
		ok = false;
	}
	return ok;
}

/* How many cases kept their promise. */
static unsigned int measure_all(FILE *json, bool checking, bool fault)
{
	unsigned int kept = 0;
	size_t s, i;

	printf("%-20s", "");
	for (i = 0; i < COUNTS; i++)
		printf(" %10s", names[i]);
	printf("\n");
	for (s = 0; s < ARRAY_SIZE(styles); s++) {
		for (i = 0; i < ARRAY_SIZE(cases); i++) {
			const struct counts counts = measure(&styles[s], &cases[i], fault);

			print_line(&styles[s], &cases[i], &counts);
			if (json)
				write_json(json, &styles[s], &cases[i], &counts);
			kept += !checking || check(&styles[s], &cases[i], &counts);
		}
	}
	return kept;
}

int main(int argc, char **argv)
{
	const bool fault = argc == 2 && !strcmp(argv[1], "--fault");
	const bool checking = fault || (argc == 2 && !strcmp(argv[1], "--check"));
	FILE *json = NULL;
	unsigned int kept;

	if (argc != 2) {
		fprintf(stderr, "usage: rox_write OUT.json | --check | --fault\n");
		return 2;
	}
	if (!checking)
		json = fopen(argv[1], "w");
	if (!checking && !json) {
		fprintf(stderr, "rox_write: %s: %s\n", argv[1], strerror(errno));
		return 2;
	}
	kept = measure_all(json, checking, fault);
	if (json && fclose(json)) {
		fprintf(stderr, "rox_write: %s: %s\n", argv[1], strerror(errno));
		return 2;
	}
	/* A fault that one case alone does not notice is not noticed. */
	if (fault)
		return kept ? 0 : 1;
	return kept == ARRAY_SIZE(styles) * ARRAY_SIZE(cases) ? 0 : 1;
}
