/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * rox_replay.c -- modules are loaded, unloaded and loaded again, by rox_cache.h with each kind of window and
 * by what Linux documents of its cache (execmem.h), over a linear map that is direct_map.h's.
 *
 * USE      rox_replay [--series OUT.csv] [--fault] SIZES SEED
 *
 *          SIZES has a module a line: its name, bytes of text, bytes of text that is freed once it is loaded;
 *          # begins a comment. One JSON object per line, policy and window.
 *
 *          --series       writes `policy,window,step,page_entries,bytes_held,bytes_used`, a step is a module
 *                         that is loaded or unloaded
 *          --fault        uses rox_cache.h wrongly, which rox_check.py has to notice
 *
 *          All are loaded, in the order of the file. Then up to 32 at a time are unloaded and loaded again,
 *          in another order, until each module was four times on the average. A half is unloaded; the
 *          shrinker is asked for all that it has; they are loaded again; all are unloaded, and what is left
 *          goes back.
 *
 *          linear_map_page_entries: entries of the linear map for single pages: peak, at any moment; settled,
 *          at most while nothing was being written; end, when all code and all blocks are gone. tlbi_: TLBI
 *          instructions, with FEAT_TLBIRANGE; permission_changes_: of keys too, of a range each;
 *          barriers_per_load: with key writes, and lines of caches that are cleaned (dc) and dropped (ic),
 *          but not what makes other CPUs synchronise. per_load: of a module, with what it frees then, without
 *          what taking a block costs, which is block_. bytes_held: of all blocks; bytes_used: of code, as
 *          asked for; both at full load, after the last round. */
#define _GNU_SOURCE
#include <hardmap/rox_cache.h>
#include <errno.h>
#include <inttypes.h>
#include "execmem.h"
#include "rox_machine.h"

#define ROUNDS 4u
#define BATCH 32u
#define SLOTS 128u /* 256 MiB of addresses for modules, at least */
#define INIT_SLOTS 32u
#define TEXT_MAX (UINT64_C(4) << 30)
#define STEPS_OF_POINT 64u

/* ---- modules ---- */

struct module {
	uint64_t text, init; /* bytes */
	uint64_t at; /* by the policy, if it is loaded and has text */
};

static struct modules {
	struct module *of;
	uint32_t n, room;
	uint64_t text, largest, largest_init;
} modules;

static bool complain(const char *path, unsigned int line, const char *what)
{
	fprintf(stderr, "%s:%u: %s\n", path, line, what);
	return false;
}

/* A decimal number up to that, and what delimits it. */
static bool read_number(const char **text, uint64_t most, uint64_t *number)
{
	char *end;

	*text += strspn(*text, " \t");
	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	*number = strtoull(*text, &end, 10);
	*text = end;
	return !errno && *number <= most && (!*end || strchr(" \t\r\n", *end));
}

static bool add_module(const char *path, unsigned int line, const struct module *module)
{
	if (modules.n == modules.room) {
		const uint32_t room = modules.room ? 2 * modules.room : 1024;
		struct module *of = realloc(modules.of, room * sizeof(*of));

		if (!of)
			return complain(path, line, "no memory");
		modules.of = of;
		modules.room = room;
	}
	modules.of[modules.n++] = *module;
	modules.text += module->text;
	if (modules.text > TEXT_MAX)
		return complain(path, line, "all modules together have more than 4 GiB of text");
	if (module->text > modules.largest)
		modules.largest = module->text;
	if (module->init > modules.largest_init)
		modules.largest_init = module->init;
	return true;
}

static bool read_line(const char *path, unsigned int line, const char *text)
{
	struct module module = { 0 };

	text += strspn(text, " \t\r\n");
	if (!*text || *text == '#')
		return true;
	text += strcspn(text, " \t\r\n");
	if (!read_number(&text, HM_ROX_CACHE_MAX, &module.text) ||
	    !read_number(&text, HM_ROX_CACHE_MAX, &module.init))
		return complain(path, line,
				"not `<name> <text bytes> <init bytes>', up to 4 GiB each");
	text += strspn(text, " \t\r\n");
	if (*text && *text != '#')
		return complain(path, line, "something follows the bytes of init text");
	return add_module(path, line, &module);
}

static bool read_modules(const char *path)
{
	FILE *file = fopen(path, "r");
	unsigned int line = 0;
	char *text = NULL;
	size_t room = 0;
	bool ok = true;

	if (!file) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return false;
	}
	while (ok && getline(&text, &room, file) >= 0)
		ok = read_line(path, ++line, text);
	if (ok && !feof(file)) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		ok = false;
	} else if (ok && !modules.n) {
		fprintf(stderr, "%s: has no modules\n", path);
		ok = false;
	}
	free(text);
	fclose(file);
	return ok;
}

/* ---- chance ---- */

static uint64_t random_state;

/* SplitMix64 (Steele, Lea and Flood 2014). */
static uint64_t next_random(uint64_t bound)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % bound;
}

/* The first n of them are any, in any order. */
static void shuffle(uint32_t *order, uint32_t n, uint32_t all)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		const uint32_t other = i + (uint32_t)next_random(all - i), last = order[i];

		order[i] = order[other];
		order[other] = last;
	}
}

/* ---- rox_cache.h ---- */

/* Whether it is used wrongly: code is asked for by pages, of which the first has another key for a moment. */
static bool fault;

static struct hm_rox_cache cache;
static struct hm_rox_cache_arena core, init;
static const void *zeroes; /* as many as the largest module has */

static uint32_t slots_for(uint64_t bytes, uint32_t least)
{
	const uint64_t slots = 2 * ((bytes + MACHINE_BLOCK - 1) / MACHINE_BLOCK);

	return slots < least ? least : (uint32_t)slots;
}

static void add_arena(struct hm_rox_cache_arena *arena, const char *name, uint32_t slot, uint32_t n)
{
	const hm_va_t first = { MACHINE_CODE + slot * MACHINE_BLOCK };
	const hm_va_t last = { first.val + n * MACHINE_BLOCK - 1 };

	memset(arena, 0, sizeof(*arena));
	if (hm_rox_cache_add(&cache, arena, name, first, last, NULL))
		machine_die("rox_cache.h takes no arena");
}

static void rox_start(unsigned int style)
{
	const uint32_t slots = slots_for(modules.text, SLOTS);
	const uint32_t init_slots = slots_for(modules.largest_init, INIT_SLOTS);

	machine_start(slots + init_slots, slots + init_slots, style);
	memset(&cache, 0, sizeof(cache));
	add_arena(&core, "modules", 0, slots);
	add_arena(&init, "init", slots, init_slots);
}

static uint64_t rox_load(uint64_t bytes, bool is_init)
{
	const uint64_t asked = fault ? execmem_pages(bytes) * EXECMEM_PAGE : bytes;
	hm_va_t code;

	if (hm_rox_cache_load(&cache, is_init ? &init : &core, zeroes, asked, HM_ROX_CACHE_GRANULE,
			      HM_ROX_CACHE_MAY_SLEEP, NULL, NULL, &code))
		machine_die("rox_cache.h has no memory for a module");
	if (fault) {
		const uint64_t page = machine_alias(code.val).val & ~(MACHINE_PAGE - 1);

		machine_change(page, MACHINE_PAGE, MACHINE_KEY, HM_KEY_PGTABLES);
		machine_change(page, MACHINE_PAGE, MACHINE_KEY, HM_KEY_TEXT);
	}
	return code.val;
}

static void rox_unload(uint64_t at)
{
	const hm_va_t code = { at };

	if (hm_rox_cache_free(&cache, code) || cache.parked_ranges)
		machine_die("rox_cache.h does not free a module");
}

static void rox_shrink(void)
{
	(void)hm_rox_cache_shrink_scan(&cache, UINT64_MAX);
}

static void rox_stop(void)
{
	(void)hm_rox_cache_trim(&cache);
	if (hm_rox_cache_destroy(&cache))
		machine_die("rox_cache.h has lost something");
}

/* ---- execmem.h ---- */

static struct execmem execmem;

static inline bool execmem_port_memory(struct execmem *execmem, uint32_t blocks, uint64_t *page)
{
	const uint32_t slot = machine_find(0, machine.slots, blocks + 1);
	uint32_t i;

	(void)execmem;
	if (slot == machine.slots || !machine_take(slot, blocks))
		return false;
	machine.at[slot + blocks] = MACHINE_GUARD;
	for (i = 0; i < blocks; i++)
		machine_map(slot + i, HM_ARM64_KERNEL_RW);
	*page = (uint64_t)slot * EXECMEM_BLOCK;
	return true;
}

/* Of the aliases, a block at a time as they need not be adjacent. */
static void change_aliases(uint64_t at, uint64_t bytes, enum hm_permission permission)
{
	while (bytes) {
		const uint64_t left = MACHINE_BLOCK - at % MACHINE_BLOCK;
		const uint64_t part = bytes < left ? bytes : left;

		machine_change(machine_alias(at).val, part, MACHINE_PERMISSION, permission);
		at += part;
		bytes -= part;
	}
}

static inline void execmem_port_give(struct execmem *execmem, uint64_t page, uint32_t blocks)
{
	const enum machine_account account = machine_account(MACHINE_BLOCKS);
	const uint32_t slot = (uint32_t)(page / EXECMEM_BLOCK);
	uint32_t i;

	(void)execmem;
	change_aliases(MACHINE_CODE + page * EXECMEM_PAGE, blocks * MACHINE_BLOCK,
		       HM_PERMISSION_RW);
	for (i = 0; i < blocks; i++) {
		machine_unmap(slot + i);
		machine_give(slot + i);
	}
	machine.at[slot + blocks] = MACHINE_NONE;
	machine_account(account);
}

static inline void execmem_port_permission(struct execmem *execmem, uint64_t page, uint32_t pages,
					   enum execmem_permission permission)
{
	static const enum hm_permission mapped[] = { HM_PERMISSION_NX, HM_PERMISSION_RW,
						     HM_PERMISSION_ROX };
	/* What is nobody's yet is a new area. */
	const enum machine_account account = machine_account(execmem->busy[page] ? machine.account
										 : MACHINE_BLOCKS);
	const uint64_t at = MACHINE_CODE + page * EXECMEM_PAGE, bytes = pages * EXECMEM_PAGE;

	machine_change(at, bytes, MACHINE_PERMISSION, mapped[permission]);
	if (permission != EXECMEM_NX)
		change_aliases(at, bytes,
			       permission == EXECMEM_RW ? HM_PERMISSION_RW : HM_PERMISSION_RO);
	if (permission == EXECMEM_ROX)
		machine_collapse(at, bytes);
	machine_account(account);
}

/* What was written is seen by instruction fetches. */
static void publish_code(uint64_t page, uint32_t pages)
{
	const hm_va_t start = { MACHINE_CODE + page * EXECMEM_PAGE };
	hm_va_t va = start;
	uint32_t i;

	for (i = 0; i < pages; i++, va.val += EXECMEM_PAGE)
		hm_port_code_clean(hm_port_rox_cache_at(NULL, va), EXECMEM_PAGE);
	hm_port_code_invalidate(start, pages * EXECMEM_PAGE);
}

static inline void execmem_port_traps(struct execmem *execmem, uint64_t page, uint32_t pages)
{
	const enum machine_account account = machine_account(execmem->busy[page] ? machine.account
										 : MACHINE_BLOCKS);

	publish_code(page, pages);
	machine_account(account);
}

/* Areas and the guards between them take twice the addresses. */
static void execmem_start(unsigned int style)
{
	const uint32_t blocks = slots_for(modules.text, SLOTS) +
				slots_for(modules.largest_init, INIT_SLOTS);
	uint64_t pages;

	machine_start(blocks, 4 * blocks, style);
	pages = (uint64_t)machine.slots * EXECMEM_BLOCK;
	memset(&execmem, 0, sizeof(execmem));
	execmem.pages = pages;
	execmem.starts = machine_zeroed(pages / 64, sizeof(*execmem.starts));
	execmem.free = machine_zeroed(pages, sizeof(*execmem.free));
	execmem.busy = machine_zeroed(pages, sizeof(*execmem.busy));
	execmem.area = machine_zeroed(pages, sizeof(*execmem.area));
}

static uint64_t execmem_load(uint64_t bytes, bool is_init)
{
	uint64_t page;

	(void)is_init;
	if (!execmem_alloc(&execmem, bytes, &page))
		machine_die("execmem.h has no memory for a module");
	publish_code(page, execmem_pages(bytes));
	execmem_seal(&execmem, page);
	return page;
}

static void execmem_unload(uint64_t page)
{
	execmem_free(&execmem, page);
}

static void execmem_shrink(void)
{
}

static void execmem_stop(void)
{
	free(execmem.starts);
	free(execmem.free);
	free(execmem.busy);
	free(execmem.area);
}

/* ---- a replay ---- */

struct policy {
	const char *name, *window;
	unsigned int style;
	void (*start)(unsigned int style);
	uint64_t (*load)(uint64_t bytes, bool is_init); /* not 0 bytes */
	void (*unload)(uint64_t at);
	void (*shrink)(void);
	void (*stop)(void); /* nothing is loaded: all blocks are given back */
};

static const struct policy policies[] = {
	{ "rox_cache", "key", HM_KEY_STYLE_WINDOW, rox_start, rox_load, rox_unload, rox_shrink,
	  rox_stop },
	{ "rox_cache", "store", HM_KEY_STYLE_STORE, rox_start, rox_load, rox_unload, rox_shrink,
	  rox_stop },
	{ "rox_cache", "flip", HM_KEY_STYLE_NONE, rox_start, rox_load, rox_unload, rox_shrink,
	  rox_stop },
	{ "execmem", "flip", HM_KEY_STYLE_NONE, execmem_start, execmem_load, execmem_unload,
	  execmem_shrink, execmem_stop },
};

struct usage {
	uint64_t blocks, used; /* used: bytes */
};

struct replay {
	const struct policy *policy;
	FILE *series; /* or NULL */
	uint32_t *order; /* of the modules */
	uint64_t used, loads, unloads;
	struct usage loaded, churned, part, shrunk, end;
	uint64_t most_blocks; /* at full load */
};

static uint64_t load_text(struct replay *replay, uint64_t bytes, bool is_init)
{
	if (!bytes)
		return 0;
	replay->used += bytes;
	return replay->policy->load(bytes, is_init);
}

static void unload_text(struct replay *replay, uint64_t bytes, uint64_t at)
{
	if (!bytes)
		return;
	replay->used -= bytes;
	replay->policy->unload(at);
}

/* A module was loaded or unloaded. */
static void end_step(struct replay *replay)
{
	const struct policy *policy = replay->policy;
	const uint64_t step = replay->loads + replay->unloads;

	machine_account(MACHINE_BLOCKS);
	machine_settle();
	if (replay->series && step % STEPS_OF_POINT == 0)
		fprintf(replay->series, "%s,%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n",
			policy->name, policy->window, step, machine.entries.now,
			machine_held() * MACHINE_BLOCK, replay->used);
}

static void load(struct replay *replay, struct module *module)
{
	uint64_t at;

	machine_account(MACHINE_LOADS);
	module->at = load_text(replay, module->text, false);
	at = load_text(replay, module->init, true);
	machine_settle();
	unload_text(replay, module->init, at);
	replay->loads++;
	end_step(replay);
}

static void unload(struct replay *replay, struct module *module)
{
	machine_account(MACHINE_UNLOADS);
	unload_text(replay, module->text, module->at);
	replay->unloads++;
	end_step(replay);
}

static void load_some(struct replay *replay, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		load(replay, &modules.of[replay->order[i]]);
}

static void unload_some(struct replay *replay, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		unload(replay, &modules.of[replay->order[i]]);
}

static struct usage usage(const struct replay *replay)
{
	const struct usage usage = { machine_held(), replay->used };

	return usage;
}

static void churn(struct replay *replay)
{
	const uint32_t most = modules.n < BATCH ? modules.n : BATCH;
	const uint64_t end = replay->unloads + (uint64_t)(fault ? 1 : ROUNDS) * modules.n;

	while (replay->unloads < end) {
		const uint32_t n = 1 + (uint32_t)next_random(most);

		shuffle(replay->order, n, modules.n);
		unload_some(replay, n);
		shuffle(replay->order, n, n);
		load_some(replay, n);
		if (machine_held() > replay->most_blocks)
			replay->most_blocks = machine_held();
	}
}

static void run(struct replay *replay)
{
	load_some(replay, modules.n);
	replay->loaded = usage(replay);
	replay->most_blocks = replay->loaded.blocks;
	churn(replay);
	replay->churned = usage(replay);
	shuffle(replay->order, modules.n, modules.n);
	unload_some(replay, modules.n / 2);
	replay->part = usage(replay);
	replay->policy->shrink();
	replay->shrunk = usage(replay);
	shuffle(replay->order, modules.n / 2, modules.n / 2);
	load_some(replay, modules.n / 2);
	shuffle(replay->order, modules.n, modules.n);
	unload_some(replay, modules.n);
	replay->end = usage(replay);
	replay->policy->stop();
	if (machine_held() || replay->used)
		machine_die("blocks were lost");
}

/* ---- what was found ---- */

static double per(uint64_t what, uint64_t n)
{
	return n ? (double)what / (double)n : 0;
}

static void print_usage(const char *name, const struct usage *usage)
{
	const uint64_t held = usage->blocks * MACHINE_BLOCK;

	printf(",\"%s\":{\"bytes_held\":%" PRIu64 ",\"bytes_used\":%" PRIu64 ",\"blocks\":%" PRIu64
	       ",\"used_percent\":",
	       name, held, usage->used, usage->blocks);
	if (held)
		printf("%.2f}", 100 * per(usage->used, held));
	else
		printf("null}");
}

static void report(const struct replay *replay)
{
	const struct machine_costs *loads = &machine.costs[MACHINE_LOADS];
	const struct machine_costs *unloads = &machine.costs[MACHINE_UNLOADS];
	const struct machine_costs *blocks = &machine.costs[MACHINE_BLOCKS];
	const struct machine_pages *entries = &machine.entries;

	printf("{\"bench\":\"rox_replay\",\"policy\":\"%s\",\"window\":\"%s\",\"modules\":%" PRIu32
	       ",\"loads\":%" PRIu64 ",\"unloads\":%" PRIu64,
	       replay->policy->name, replay->policy->window, modules.n, replay->loads,
	       replay->unloads);
	printf(",\"linear_map_page_entries\":{\"peak\":%" PRIu64 ",\"settled\":%" PRIu64
	       ",\"end\":%" PRIu64 "}",
	       entries->peak, entries->settled, entries->now);
	printf(",\"tlbi_per_load\":%.3f,\"permission_changes_per_load\":%.3f"
	       ",\"splits_per_load\":%.3f",
	       per(loads->tlbi, replay->loads), per(loads->changes, replay->loads),
	       per(loads->splits, replay->loads));
	printf(",\"tlbi_per_unload\":%.3f,\"permission_changes_per_unload\":%.3f"
	       ",\"splits_per_unload\":%.3f",
	       per(unloads->tlbi, replay->unloads), per(unloads->changes, replay->unloads),
	       per(unloads->splits, replay->unloads));
	printf(",\"barriers_per_load\":{\"dsb\":%.3f,\"isb\":%.3f,\"dmb\":%.3f,\"gcsb\":%.3f"
	       ",\"msr\":%.3f,\"dc\":%.1f,\"ic\":%.1f}",
	       per(loads->dsb, replay->loads), per(loads->isb, replay->loads),
	       per(loads->dmb, replay->loads), per(loads->gcsb, replay->loads),
	       per(loads->key_writes, replay->loads), per(loads->cleaned, replay->loads),
	       per(loads->dropped, replay->loads));
	printf(",\"bytes_held\":%" PRIu64 ",\"bytes_used\":%" PRIu64 ",\"blocks\":%" PRIu64
	       ",\"most_blocks\":%" PRIu64,
	       replay->churned.blocks * MACHINE_BLOCK, replay->churned.used, replay->churned.blocks,
	       replay->most_blocks);
	print_usage("loaded", &replay->loaded);
	print_usage("churned", &replay->churned);
	print_usage("half_unloaded", &replay->part);
	print_usage("half_unloaded_shrunk", &replay->shrunk);
	print_usage("all_unloaded", &replay->end);
	printf(",\"blocks_taken\":%" PRIu64 ",\"blocks_given\":%" PRIu64 ",\"block_tlbi\":%" PRIu64
	       ",\"block_permission_changes\":%" PRIu64 "}\n",
	       machine.taken, machine.given, blocks->tlbi, blocks->changes);
}

static void replay_all(uint64_t seed, FILE *series)
{
	uint32_t *order = machine_zeroed(modules.n, sizeof(*order)), i;
	size_t p;

	for (p = 0; p < sizeof(policies) / sizeof(policies[0]); p++) {
		struct replay replay = { .policy = &policies[p], .series = series, .order = order };

		for (i = 0; i < modules.n; i++)
			order[i] = i;
		random_state = seed;
		replay.policy->start(replay.policy->style);
		run(&replay);
		report(&replay);
		fflush(stdout);
		machine_stop();
	}
	free(order);
}

/* ---- the command line ---- */

static FILE *open_series(const char *path)
{
	FILE *series = path ? fopen(path, "w") : NULL;

	if (path && !series) {
		fprintf(stderr, "rox_replay: %s: %s\n", path, strerror(errno));
		exit(1);
	}
	if (series)
		fprintf(series, "policy,window,step,page_entries,bytes_held,bytes_used\n");
	return series;
}

static const void *map_zeroes(uint64_t bytes)
{
	const void *start = mmap(NULL, bytes, PROT_READ,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (start == MAP_FAILED)
		machine_die("no addresses for a module");
	return start;
}

static int usage_of(void)
{
	fprintf(stderr, "usage: rox_replay [--series OUT.csv] [--fault] SIZES SEED\n");
	return 2;
}

int main(int argc, char **argv)
{
	const char *series_path = NULL, *text;
	FILE *series;
	uint64_t seed;
	int i;

	for (i = 1; i < argc && !strncmp(argv[i], "--", 2); i++) {
		if (!strcmp(argv[i], "--fault"))
			fault = true;
		else if (!strcmp(argv[i], "--series") && i + 1 < argc)
			series_path = argv[++i];
		else
			return usage_of();
	}
	if (argc - i != 2)
		return usage_of();
	text = argv[i + 1];
	if (!read_number(&text, UINT64_MAX, &seed) || *text) {
		fprintf(stderr, "rox_replay: SEED is not a number from 0 to 2^64 - 1: %s\n",
			argv[i + 1]);
		return 1;
	}
	if (!read_modules(argv[i]))
		return 1;
	series = open_series(series_path);
	zeroes = map_zeroes(EXECMEM_PAGE + (modules.largest > modules.largest_init
						    ? modules.largest
						    : modules.largest_init));
	replay_all(seed, series);
	free(modules.of);
	if (series && fclose(series)) {
		fprintf(stderr, "rox_replay: %s: %s\n", series_path, strerror(errno));
		return 1;
	}
	return 0;
}
