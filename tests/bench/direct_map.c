/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * direct_map.c -- what changes of a linear map cost: entries written and read, tables, invalidations,
 * barriers, counted by the hosted port; a range at once beside its pages one by one.
 *
 * USE      direct_map OUT.json    one JSON object per line, case and way, and a table on stdout
 *          direct_map --check     the same table, compared with the minimum that each case promises
 *          direct_map --fault-store
 *                                 --check with one store too many in each case: fails if all notice
 *          direct_map --fault-tlbi
 *                                 the same with one invalidation too many
 */
#include <hardmap/direct_map.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Addresses of no host, so that nothing that runs is in the map. */
#define MAP UINT64_C(0xffff000000000000)
#define TOP HM_PORT_PGTABLE_BLOCK_LEVEL
#define ENTRIES HM_PORT_PGTABLE_ENTRIES
#define SHIFT(level) (HM_PORT_ARM64_PAGE_SHIFT + (level) * (HM_PORT_ARM64_PAGE_SHIFT - 3))
#define BYTES(level) (UINT64_C(1) << SHIFT(level))
#define PAGE BYTES(0)
#define BLOCK BYTES(1) /* 2M, 32M or 512M */
#define LARGEST BYTES(TOP) /* 1G, 32M or 512M */
#define GIB (UINT64_C(1) << 30)
#define GROUP(level) \
	(HM_PORT_ARM64_PAGE_SHIFT == 12 ? 16 : SHIFT(level) == 14 ? 128 : 32) /* entries */
#define KEY HM_KEY_FIRST_FREE

/* The tables on the way to the first entry of level TOP, from that level up. */
static _Alignas(ENTRIES * sizeof(hm_pte_t)) hm_pte_t spine[HM_PORT_PGTABLE_LEVELS - TOP][ENTRIES];
static struct hm_direct_map map;
static struct hm_direct_map_reserve reserve;

/* Which of the hosted port's counts are TLBIs, whatever they invalidate. */
static uint64_t tlbis(void)
{
	const uint64_t *counts = hm_hosted.counts;

	return counts[HM_INSN_TLBI_VMALLE1IS] + counts[HM_INSN_TLBI_VAAE1IS] +
	       counts[HM_INSN_TLBI_VAALE1IS] + counts[HM_INSN_TLBI_RVAAE1IS] +
	       counts[HM_INSN_TLBI_RVAALE1IS];
}

/* A map with its top-level tables and one block at the far end, so that those stay in use. */
static bool set_map_up(void)
{
	const hm_va_t start = { MAP };
	const hm_pa_t far = { (ENTRIES - 1) * BYTES(TOP) };
	unsigned int i;

	memset(spine, 0, sizeof(spine));
	hm_hosted_reset();
	for (i = 1; i < ARRAY_SIZE(spine); i++) {
		const hm_pa_t below = { (uintptr_t)spine[i - 1] };

		spine[i][0] = hm_arm64_table(below);
	}
	spine[0][ENTRIES - 1] = hm_arm64_leaf(far, TOP, HM_ARM64_KERNEL_RW);
	hm_hosted.root = spine[ARRAY_SIZE(spine) - 1];
	return !hm_direct_map_init(&map, start, ENTRIES * BYTES(TOP), false);
}

/* ---- what a case does to [MAP + from, MAP + to), `step` bytes at a time ---- */

static int run_set_pkey(hm_va_t va, uint64_t bytes)
{
	return hm_direct_map_set_pkey(&map, &reserve, va, bytes, KEY);
}

static int run_split(hm_va_t va, uint64_t bytes)
{
	return hm_direct_map_split(&map, &reserve, va, bytes);
}

static int run_collapse(hm_va_t va, uint64_t bytes)
{
	return hm_direct_map_collapse(&map, va, bytes);
}

/* The memory of a case: BYTES(n) + offset fits entries of those levels that divide it. */
static int add_memory(hm_va_t va, uint64_t bytes, uint64_t offset)
{
	const hm_pa_t pa = { 64 * GIB + va.val - MAP + offset };

	return hm_direct_map_add(&map, &reserve, va, bytes,
				 hm_arm64_leaf(pa, 0, HM_ARM64_KERNEL_RW));
}

static int run_add(hm_va_t va, uint64_t bytes)
{
	return add_memory(va, bytes, 0);
}

#if TOP > 1
static int run_add_blocks(hm_va_t va, uint64_t bytes)
{
	return add_memory(va, bytes, BLOCK);
}
#endif

static int run_remove(hm_va_t va, uint64_t bytes)
{
	return hm_direct_map_remove(&map, &reserve, va, bytes);
}

/* Every second page has the key. */
static int set_every_second(hm_va_t va, uint64_t bytes)
{
	const uint64_t end = va.val + bytes;
	int error = 0;

	for (; !error && va.val < end; va.val += 2 * PAGE)
		error = run_set_pkey(va, PAGE);
	return error;
}

/* Every second page had it. */
static int fragment(hm_va_t va, uint64_t bytes)
{
	int error = set_every_second(va, bytes);

	return error ? error : run_set_pkey(va, bytes);
}

/* ---- cases ---- */

/* What a change takes by the rules of direct_map.h, none of which is a matter of chance. */
struct promise {
	uint64_t entries; /* written, those of new tables included */
	uint64_t reads; /* of entries, at most */
	unsigned int linked, freed; /* tables */
	unsigned int ranges; /* invalidated, each by one TLBI */
};

/* What is there before, and on what of it a case runs. */
struct place {
	const char *name;
	uint64_t bytes, offset; /* mapped from MAP on, as by add_memory(); 0: nothing */
	uint64_t from, to; /* [MAP + from, MAP + to) */
	int (*prepare)(hm_va_t va, uint64_t bytes); /* what was done to that before, or NULL */
	unsigned int bbm_level;
	bool looped; /* worth a run page by page */
};

struct operation {
	const char *name;
	int (*run)(hm_va_t va, uint64_t bytes);
};

static const struct operation set_pkey = { "set_pkey", run_set_pkey };
static const struct operation split = { "split", run_split };
static const struct operation collapse = { "collapse", run_collapse };
static const struct operation add = { "add", run_add };
static const struct operation take = { "remove", run_remove };
#if TOP > 1
static const struct operation add_blocks = { "add", run_add_blocks };
#endif

struct bench_case {
	const struct operation *operation;
	const struct place *place;
	struct promise promise;
};

/* In the middle of a largest block, so that there is something on both sides at each level. */
#define MIDDLE (LARGEST / 2 + PAGE), (LARGEST / 2 + 2 * PAGE)

static const struct place block = { "a block", BLOCK, 0, 0, BLOCK, NULL, 3, true };
static const struct place grouped = {
	"a block of a group", GROUP(1) * BLOCK, 0, BLOCK, 2 * BLOCK, NULL, 3, true
};
static const struct place pages = { "a table of pages", BLOCK, PAGE, 0, BLOCK, NULL, 3, true };
static const struct place mixed = { "every second page", BLOCK, PAGE, 0, BLOCK,
				    set_every_second,    3,     true };
static const struct place groups = {
	"a table of groups", BLOCK, GROUP(0) * PAGE, 0, BLOCK, NULL, 3, true
};
static const struct place blocks = { "1 GiB of blocks", GIB, BLOCK, 0, GIB, NULL, 3, true };
static const struct place page = {
	"a page of a largest block", LARGEST, 0, MIDDLE, NULL, 3, false
};
static const struct place broken_page = {
	"a page, BBM level 0", LARGEST, 0, MIDDLE, NULL, 0, false
};
static const struct place split_page = { "that page", LARGEST, 0, MIDDLE, run_split, 3, false };
static const struct place broken_split = {
	"that page, BBM level 0", LARGEST, 0, MIDDLE, run_split, 0, false
};
static const struct place fragmented = { "1 GiB of pages", GIB, 0, 0, GIB, fragment, 3, false };
static const struct place gib = { "1 GiB", GIB, 0, 0, GIB, NULL, 3, false };
static const struct place hole = { "1 GiB", 0, 0, 0, GIB, NULL, 3, false };
#if TOP > 1
static const struct place part = {
	"a block of a largest", LARGEST, 0, BLOCK, 2 * BLOCK, NULL, 3, true
};
static const struct place block_hole = { "1 GiB of blocks", 0, 0, 0, GIB, NULL, 3, false };
#endif

/* A change looks three times: when it plans, when it changes sizes, when it writes. Each time it walks
 * to a run of entries that are alike, and reads the others of it where they are, and the one after it.
 * For each run that it is to change the plan also looks at the tables above it. */
#define WALK ((uint64_t)HM_PORT_PGTABLE_LEVELS)
#define READS(runs, entries) (3 * ((runs)*WALK + (entries)) + (runs)*WALK * (WALK + 1) / 2)
/* Entries of one new table, and its link; and those of the tables down to a page of the largest. */
#define TABLE (ENTRIES + UINT64_C(1))
#define TO_PAGE (TOP * TABLE)
/* Each table splits an entry, which is looked at again; and is asked for the next of the reserve. */
#define SPLIT_READS (TOP * (WALK + 1))
/* Each group is looked at again when it has become single entries. */
#define GROUPS (ENTRIES / GROUP(0))
#define UNFOLD_READS (GROUPS * (WALK + 1) + ENTRIES)
/* A collapse reads all entries once to compare them, those of upper tables again for what they link,
 * and some to see whether a group is possible. */
#define JOIN_READS ((2 * TOP - 1) * TABLE + 8 * GROUP(0))
/* 1 GiB: of how many largest blocks, which may fit a group; of how many tables, if all is pages. */
#define BLOCKS (GIB / LARGEST)
#define GIB_ENTRIES (BLOCKS % GROUP(TOP) ? BLOCKS : 2 * BLOCKS)
#define GIB_TABLES (TOP == 1 ? BLOCKS : BLOCKS * (ENTRIES + 1))
#define GIB_READS (GIB / PAGE + 6 * WALK * (GIB / BLOCK))
/* A removal then looks whether tables are empty. */
#define TAKE_READS(entries) ((entries)*WALK + ENTRIES)

static const struct bench_case cases[] = {
	/* Nothing but the entry. */
	{ &set_pkey, &block, { 1, READS(1, 0), 0, 0, 1 } },
	/* The group first becomes single entries, all of it: a walker may take any for all. */
	{ &set_pkey, &grouped, { GROUP(1) + 1, READS(1, 0) + WALK, 0, 0, 1 } },
#if TOP > 1
	/* One table, which says the same; then its one entry. */
	{ &set_pkey, &part, { TABLE + 1, READS(1, 0) + WALK + 1, 1, 0, 1 } },
#endif
	/* Each entry once. */
	{ &set_pkey, &pages, { ENTRIES, READS(1, ENTRIES), 0, 0, 1 } },
	/* Those that differ once: every second is a run of its own. */
	{ &set_pkey, &mixed, { ENTRIES / 2, READS(ENTRIES, ENTRIES), 0, 0, 1 } },
	/* Each twice: no store changes both size and key. */
	{ &set_pkey, &groups, { 2 * ENTRIES, READS(GROUPS, ENTRIES) + UNFOLD_READS, 0, 0, 1 } },
	{ &set_pkey, &blocks, { GIB / BLOCK, READS(1, GIB / BLOCK), 0, 0, 1 } },
	{ &set_pkey, &page, { TO_PAGE + 1, READS(1, 0) + SPLIT_READS, TOP, 0, 1 } },
	/* A table a level and its link; what is cached of the block still holds. */
	{ &split, &page, { TO_PAGE, READS(1, 0) + SPLIT_READS, TOP, 0, 0 } },
	/* The block again, and one invalidation for all its tables. */
	{ &collapse, &split_page, { 1, JOIN_READS, 0, TOP, 1 } },
	/* Break before make: each entry that is split is invalid for a moment, and invalidated. */
	{ &split, &broken_page, { TO_PAGE + TOP, READS(1, 0) + SPLIT_READS, TOP, 0, TOP } },
	{ &collapse, &broken_split, { 2, JOIN_READS, 0, TOP, 2 } },
	/* Sixteen tables, with those below them, go with one invalidation. */
	{ &collapse, &fragmented, { GIB_ENTRIES, GIB_READS, 0, GIB_TABLES, (BLOCKS + 15) / 16 } },
	/* Nothing was there, so nothing is invalidated. */
	{ &add, &hole, { BLOCKS, READS(BLOCKS, BLOCKS), 0, 0, 0 } },
	{ &take, &gib, { BLOCKS, READS(1, BLOCKS) + TAKE_READS(BLOCKS), 0, 0, 1 } },
#if TOP > 1
	/* The new table is empty first. */
	{ &add_blocks, &block_hole, { TABLE + ENTRIES, READS(ENTRIES, ENTRIES), 1, 0, 0 } },
	/* The entries, and then the table that has become empty. */
	{ &take, &blocks, { TABLE, READS(1, ENTRIES) + TAKE_READS(ENTRIES), 0, 1, 2 } },
#endif
};

struct result {
	struct promise found;
	uint64_t dsb, isb, dmb;
	uint64_t tlbi, tlbi_by_page; /* with FEAT_TLBIRANGE and without */
	unsigned int faults; /* errors, HM_BUG, lost tables, uncounted entries */
};

/* What is planted: nothing, or something that check() has to notice. */
enum fault { FAULT_NONE, FAULT_STORE, FAULT_TLBI };

static unsigned int run_steps(const struct bench_case *c, uint64_t step)
{
	unsigned int errors = 0;
	hm_va_t va = { MAP + c->place->from };

	for (; va.val < MAP + c->place->to; va.val += step)
		errors += c->operation->run(va, step) != 0;
	return errors;
}

static struct result count(const struct bench_case *c, uint64_t step, enum fault fault)
{
	const hm_va_t start = { MAP }, from = { MAP + c->place->from };
	const uint64_t *counts = hm_hosted.counts;
	struct hm_direct_map_counts before;
	struct result r = { { 0, 0, 0, 0, 0 }, 0, 0, 0, 0, 0, 0 };

	r.faults += c->place->bytes && add_memory(start, c->place->bytes, c->place->offset);
	r.faults += c->place->prepare && c->place->prepare(from, c->place->to - c->place->from);
	/* Enough for the loops too, so that what a reserve is chained by is not counted. */
	r.faults += hm_direct_map_prepare(&reserve, GIB / BLOCK + HM_DIRECT_MAP_TABLES) != 0;
	hm_hosted.bbm_level = c->place->bbm_level;
	before = map.counts;
	hm_hosted_clear_counts();

	r.faults += run_steps(c, step);
	if (fault == FAULT_STORE)
		hm_pte_set_kernel(&spine[0][ENTRIES - 1], spine[0][ENTRIES - 1]);
	if (fault == FAULT_TLBI)
		hm_pgtable_invalidate(start, PAGE, HM_INVALIDATE_LEAVES);

	r.found.entries = counts[HM_INSN_STR];
	r.found.reads = counts[HM_INSN_LDR];
	r.found.linked = (unsigned int)(map.counts.tables_linked - before.tables_linked);
	r.found.freed = (unsigned int)(map.counts.tables_freed - before.tables_freed);
	r.found.ranges = (unsigned int)(map.counts.invalidations - before.invalidations);
	r.dsb = counts[HM_INSN_DSB_ISHST] + counts[HM_INSN_DSB_ISH];
	r.isb = counts[HM_INSN_ISB];
	r.dmb = counts[HM_INSN_DMB_ISHST];
	r.tlbi = tlbis();
	r.faults += !fault && map.counts.entries - before.entries != r.found.entries;
	return r;
}

static struct result measure(const struct bench_case *c, uint64_t step, enum fault fault)
{
	const hm_va_t start = { MAP };
	struct result r = { { 0, 0, 0, 0, 0 }, 0, 0, 0, 0, 0, 0 };
	uint64_t tlbi_by_page = 0;
	unsigned int faults = 0, by_range;

	for (by_range = 0; by_range < 2; by_range++) {
		faults += !set_map_up();
		hm_hosted.has_tlbi_range = by_range;
		r = count(c, step, fault);
		if (!by_range)
			tlbi_by_page = r.tlbi;
		faults += r.faults + hm_hosted.bugs;
		if (c->operation != &take)
			faults += hm_direct_map_remove(&map, &reserve, start,
						       c->place->bytes ? c->place->bytes
								       : c->place->to) != 0;
		hm_direct_map_release(&reserve);
		faults += hm_hosted.tables_out;
	}
	r.tlbi_by_page = tlbi_by_page;
	r.faults = faults;
	return r;
}

/* ---- what was found ---- */

static bool promised(const struct bench_case *c, const char *what, uint64_t found, uint64_t wanted,
		     bool at_most)
{
	if (at_most ? found <= wanted : found == wanted)
		return true;
	printf("FAIL %s: %s: %s %llu, promised %s%llu\n", c->operation->name, c->place->name, what,
	       (unsigned long long)found, at_most ? "at most " : "", (unsigned long long)wanted);
	return false;
}

static bool check(const struct bench_case *c, const struct result *r)
{
	const struct promise *wanted = &c->promise, *found = &r->found;
	bool ok = promised(c, "entries", found->entries, wanted->entries, false);

	ok &= promised(c, "reads", found->reads, wanted->reads, true);
	ok &= promised(c, "tables linked", found->linked, wanted->linked, false);
	ok &= promised(c, "tables freed", found->freed, wanted->freed, false);
	ok &= promised(c, "ranges", found->ranges, wanted->ranges, false);
	ok &= promised(c, "TLBI", r->tlbi, wanted->ranges, false);
	ok &= promised(c, "faults", r->faults, 0, false);
	return ok;
}

static void write_json(FILE *out, const struct bench_case *c, bool loop, const struct result *r)
{
	fprintf(out,
		"{\"bench\":\"direct_map\",\"case\":\"%s: %s\",\"page\":%llu,\"by_page\":%s,"
		"\"entries\":%llu,\"reads\":%llu,\"linked\":%u,\"freed\":%u,\"ranges\":%u,"
		"\"tlbi\":%llu,\"tlbi_without_range\":%llu,\"dsb\":%llu,\"isb\":%llu,\"dmb\":%llu}\n",
		c->operation->name, c->place->name, (unsigned long long)PAGE,
		loop ? "true" : "false", (unsigned long long)r->found.entries,
		(unsigned long long)r->found.reads, r->found.linked, r->found.freed,
		r->found.ranges, (unsigned long long)r->tlbi, (unsigned long long)r->tlbi_by_page,
		(unsigned long long)r->dsb, (unsigned long long)r->isb, (unsigned long long)r->dmb);
}

static void print_line(const char *name, const struct result *r)
{
	printf("%-37s %8llu %9llu %4u %4u %7u %8llu %8llu %8llu %8llu %6llu\n", name,
	       (unsigned long long)r->found.entries, (unsigned long long)r->found.reads,
	       r->found.linked, r->found.freed, r->found.ranges, (unsigned long long)r->tlbi,
	       (unsigned long long)r->tlbi_by_page, (unsigned long long)r->dsb,
	       (unsigned long long)r->isb, (unsigned long long)r->dmb);
}

/* How many cases kept their promise; all of them, if nothing is checked. */
static unsigned int measure_all(FILE *json, bool checking, enum fault fault)
{
	unsigned int kept = 0;
	size_t i;

	printf("blocks of %lluM, largest %lluM\n%-37s %8s %9s %4s %4s %7s %8s %8s %8s %8s %6s\n",
	       (unsigned long long)(BLOCK >> 20), (unsigned long long)(LARGEST >> 20), "",
	       "entries", "reads", "new", "free", "ranges", "TLBI", "by page", "DSB", "ISB", "DMB");
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct bench_case *c = &cases[i];
		char name[64];
		struct result r = measure(c, c->place->to - c->place->from, fault);

		snprintf(name, sizeof(name), "%s: %s", c->operation->name, c->place->name);
		print_line(name, &r);
		if (json)
			write_json(json, c, false, &r);
		kept += !checking || check(c, &r);
		if (c->operation != &set_pkey || !c->place->looped || fault)
			continue;
		r = measure(c, PAGE, FAULT_NONE);
		print_line("  page by page", &r);
		if (json)
			write_json(json, c, true, &r);
	}
	return kept;
}

int main(int argc, char **argv)
{
	const enum fault fault = argc == 2 && !strcmp(argv[1], "--fault-store")  ? FAULT_STORE
				 : argc == 2 && !strcmp(argv[1], "--fault-tlbi") ? FAULT_TLBI
										 : FAULT_NONE;
	const bool checking = fault || (argc == 2 && !strcmp(argv[1], "--check"));
	FILE *json = NULL;
	unsigned int kept;

	if (argc != 2) {
		fprintf(stderr,
			"usage: direct_map OUT.json | --check | --fault-store | --fault-tlbi\n");
		return 2;
	}
	if (!checking) {
		json = fopen(argv[1], "w");
		if (!json) {
			fprintf(stderr, "direct_map: %s: %s\n", argv[1], strerror(errno));
			return 2;
		}
	}
	kept = measure_all(json, checking, fault);
	if (json && fclose(json)) {
		fprintf(stderr, "direct_map: %s: %s\n", argv[1], strerror(errno));
		return 2;
	}
	/* A fault that one case alone does not notice is not noticed. */
	if (fault)
		return kept ? 0 : 1;
	return kept == ARRAY_SIZE(cases) ? 0 : 1;
}
