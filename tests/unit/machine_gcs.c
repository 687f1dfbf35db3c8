/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * machine_gcs.c -- the machine's rules of keyed stores: who may write a page that is a Guarded Control Stack
 * (Arm ARM D8.4, D11), and what orders GCSSTR (D11.9). Each order that is right passes, and each that lacks
 * one barrier is reported. At every granule.
 */
#include "suite.h"
#include <hardmap/pgtable.h>
#include <string.h>

enum { ROOT, UPPER, MIDDLE, TABLE, OTHER, KEYED_PAGE, PLAIN_PAGE, READONLY_PAGE, PAGE_A, PAGE_B };

#define BYTES ((uint64_t)HM_MACHINE_PAGE_BYTES)
#define RW HM_ARM64_KERNEL_RW
#define RO HM_ARM64_KERNEL_RO
#define KEYED (RW & ~HM_ARM64_PXN) /* a PIIndex of its own */
#define FIELD(attributes, permission) \
	((uint64_t)(permission) << 4 * (unsigned int)HM_ARM64_PIINDEX(attributes))
#define PIR (FIELD(RW, 0xc) | FIELD(RO, 0x8) | FIELD(KEYED, 0x9))
#define PIE HM_ARM64_TCR2_PIE
#define STREN (UINT64_C(1) << 9)

static struct hm_machine machine;
static const hm_va_t va = { UINT64_C(0xffff000000000000) };

static uint64_t *entry(unsigned int page, unsigned int index)
{
	return &machine.memory[page][index].val;
}

static uint64_t link_to(unsigned int page)
{
	return hm_arm64_table(hm_machine_page(page)).val;
}

static uint64_t leaf(unsigned int page, uint64_t attributes)
{
	return hm_arm64_leaf(hm_machine_page(page), 0, attributes).val;
}

/* A machine of two CPUs whose MIDDLE (level 1) is linked; there is one level less with 64K pages. */
static void start(unsigned int key_style, uint64_t seed)
{
	const struct hm_machine_config config = { .cpus = 2, .seed = seed, .key_style = key_style };
	const bool three = HM_PORT_PGTABLE_LEVELS == 3;

	hm_machine_start(&machine, &config);
	hm_machine_set_root(ROOT);
	if (!three)
		hm_insn_str(entry(ROOT, 0), link_to(UPPER));
	hm_insn_str(entry(three ? ROOT : UPPER, 0), link_to(MIDDLE));
	hm_machine_settle();
}

static void suite_setup(void)
{
	start(HM_KEY_STYLE_STORE, 1);
}

static bool reported(const char *what)
{
	return machine.violation[0] && strstr(machine.violation, what);
}

/* Whether that was reported since the last time. */
static bool reported_now(const char *what)
{
	bool found = reported(what);

	machine.violation[0] = 0;
	return found;
}

/* TABLE, linked, whose first page maps PAGE_A, all long ago. */
static void mapped(void)
{
	hm_insn_gcsstr(entry(TABLE, 0), leaf(PAGE_A, RW));
	hm_machine_settle();
	hm_insn_gcsstr(entry(MIDDLE, 0), link_to(TABLE));
	hm_machine_settle();
}

/* ---- barriers, a letter each, up to the next dot ---- */

static const char *execute(const char *barriers)
{
	for (; *barriers && *barriers != '.'; barriers++)
		switch (*barriers) {
		case 'g':
			hm_insn_gcsb_dsync();
			break;
		case 'm':
			hm_insn_dmb_ish();
			break;
		case 's':
			hm_insn_dmb_ishst();
			break;
		case 'D':
			hm_insn_dsb_ish();
			break;
		case 'S':
			hm_insn_dsb_ishst();
			break;
		case 'i':
			hm_insn_isb();
			break;
		}
	return *barriers ? barriers + 1 : barriers;
}

typedef void program_t(const char *barriers);

static bool passes(program_t *program, const char *barriers)
{
	suite_setup();
	program(barriers);
	return !machine.violation[0];
}

static bool reports(program_t *program, const char *barriers, const char *what)
{
	suite_setup();
	program(barriers);
	return reported(what);
}

/* It passes with these, and without any of them does not. */
static bool needs(program_t *program, const char *barriers, const char *what)
{
	char fewer[16];
	size_t i, size = strlen(barriers);

	for (i = 0; i < size; i++) {
		memcpy(fewer, barriers, i);
		memcpy(fewer + i, barriers + i + 1, size - i);
		if (barriers[i] != '.' && !reports(program, fewer, what))
			return false;
	}
	return passes(program, barriers);
}

/* ---- order: two entries ---- */

static void fill_and_link(const char *barriers)
{
	hm_insn_gcsstr(entry(TABLE, 0), leaf(PAGE_A, RW));
	execute(barriers);
	hm_insn_gcsstr(entry(MIDDLE, 0), link_to(TABLE));
}

CASE(keyed_before_keyed)
{
	EXPECT(needs(fill_and_link, "g", "is linked"));
	EXPECT(reports(fill_and_link, "s", "is linked"));
	EXPECT(reports(fill_and_link, "m", "is linked"));
	EXPECT(reports(fill_and_link, "S", "is linked"));
	EXPECT(reports(fill_and_link, "D", "is linked"));
}

static void keyed_fill_and_plain_link(const char *barriers)
{
	hm_insn_gcsstr(entry(TABLE, 0), leaf(PAGE_A, RW));
	execute(barriers);
	hm_insn_str(entry(MIDDLE, 0), link_to(TABLE));
}

CASE(keyed_before_plain)
{
	EXPECT(needs(keyed_fill_and_plain_link, "gm", "is linked"));
	EXPECT(passes(keyed_fill_and_plain_link, "gD"));
	EXPECT(reports(keyed_fill_and_plain_link, "gs", "is linked"));
	EXPECT(reports(keyed_fill_and_plain_link, "gS", "is linked"));
	EXPECT(reports(keyed_fill_and_plain_link, "mg", "is linked"));
}

static void plain_fill_and_keyed_link(const char *barriers)
{
	hm_insn_str(entry(TABLE, 0), leaf(PAGE_A, RW));
	execute(barriers);
	hm_insn_gcsstr(entry(MIDDLE, 0), link_to(TABLE));
}

CASE(plain_before_keyed)
{
	EXPECT(needs(plain_fill_and_keyed_link, "mg", "is linked"));
	EXPECT(needs(plain_fill_and_keyed_link, "Dg", "is linked"));
	EXPECT(reports(plain_fill_and_keyed_link, "sg", "is linked"));
	EXPECT(reports(plain_fill_and_keyed_link, "Sg", "is linked"));
	EXPECT(reports(plain_fill_and_keyed_link, "gm", "is linked"));
}

static void plain_fill_and_link(const char *barriers)
{
	hm_insn_str(entry(TABLE, 0), leaf(PAGE_A, RW));
	execute(barriers);
	hm_insn_str(entry(MIDDLE, 0), link_to(TABLE));
}

/* Between ordinary stores a full barrier is one of stores; a GCSB is none. */
CASE(plain_before_plain)
{
	EXPECT(needs(plain_fill_and_link, "m", "is linked"));
	EXPECT(needs(plain_fill_and_link, "s", "is linked"));
	EXPECT(needs(plain_fill_and_link, "S", "is linked"));
	EXPECT(reports(plain_fill_and_link, "g", "is linked"));
}

static void fill_by_another(const char *barriers)
{
	machine.cpu = 1;
	barriers = execute(barriers);
	machine.cpu = 0;
	hm_insn_gcsstr(entry(TABLE, 0), leaf(PAGE_A, RW));
	barriers = execute(barriers);
	machine.cpu = 1;
	execute(barriers);
	hm_insn_gcsstr(entry(MIDDLE, 0), link_to(TABLE));
}

/* The link may be seen from its CPU's last GCSB on, which is to be after the other CPU's DSB. */
CASE(fill_of_another_cpu)
{
	EXPECT(needs(fill_by_another, ".gD.g", "is linked"));
	EXPECT(reports(fill_by_another, "g.gD.", "is linked"));
	EXPECT(reports(fill_by_another, ".gS.g", "is linked"));
	EXPECT(passes(fill_by_another, ".gD.D")); /* nothing that follows has begun */
}

/* ---- completion ---- */

static void map_and_access(const char *barriers)
{
	mapped();
	hm_insn_gcsstr(entry(TABLE, 1), leaf(PAGE_A, RW));
	execute(barriers);
	hm_machine_access((hm_va_t){ va.val + BYTES }, HM_ACCESS_READ);
}

CASE(publication)
{
	EXPECT(needs(map_and_access, "gDi", "spurious fault"));
	EXPECT(reports(map_and_access, "gSi", "spurious fault"));
	EXPECT(reports(map_and_access, "gmi", "spurious fault"));
	EXPECT(reports(map_and_access, "Dgi", "spurious fault"));
	EXPECT(passes(map_and_access, "gSDi"));
}

/* What a DSB completes is what came before the GCSB, not what came after, nor what another CPU stored. */
CASE(publication_of_some)
{
	mapped();
	hm_insn_gcsstr(entry(TABLE, 1), leaf(PAGE_A, RW));
	hm_insn_gcsb_dsync();
	hm_insn_gcsstr(entry(TABLE, 2), leaf(PAGE_A, RW));
	hm_insn_str(entry(TABLE, 3), leaf(PAGE_A, RW));
	machine.cpu = 1;
	hm_insn_gcsstr(entry(TABLE, 4), leaf(PAGE_A, RW));
	hm_insn_gcsb_dsync();
	machine.cpu = 0;
	execute("SDi");
	hm_machine_access((hm_va_t){ va.val + 1 * BYTES }, HM_ACCESS_READ);
	hm_machine_access((hm_va_t){ va.val + 3 * BYTES }, HM_ACCESS_READ);
	EXPECT(!machine.violation[0]);
	EXPECT(hm_machine_may_fault((hm_va_t){ va.val + 2 * BYTES }, HM_ACCESS_READ));
	EXPECT(hm_machine_may_fault((hm_va_t){ va.val + 4 * BYTES }, HM_ACCESS_READ));
	execute("gDi"); /* what was left over is not forgotten */
	EXPECT(!hm_machine_may_fault((hm_va_t){ va.val + 2 * BYTES }, HM_ACCESS_READ));
	EXPECT(hm_machine_may_fault((hm_va_t){ va.val + 4 * BYTES }, HM_ACCESS_READ));
	hm_machine_settle();
	EXPECT(!hm_machine_may_fault((hm_va_t){ va.val + 4 * BYTES }, HM_ACCESS_READ));
}

/* One keyed store that never is complete; around it what was complete before the invalidation stays so. */
CASE(completed_once)
{
	mapped();
	hm_insn_gcsstr(entry(TABLE, 1), leaf(PAGE_A, RW));
	hm_insn_str(entry(TABLE, 0), 0);
	hm_insn_dsb_ish();
	hm_insn_tlbi_vaale1is(hm_arm64_tlbi_operand(va));
	execute("Di");
	hm_machine_access(va, HM_ACCESS_READ);
	EXPECT(!machine.violation[0]);
}

static void unmap(const char *barriers)
{
	mapped();
	hm_insn_gcsstr(entry(TABLE, 0), 0);
	barriers = execute(barriers);
	hm_insn_tlbi_vaale1is(hm_arm64_tlbi_operand(va));
	execute(barriers);
}

static void unmap_and_access(const char *barriers)
{
	unmap(barriers);
	hm_machine_access(va, HM_ACCESS_READ);
}

static void unmap_and_release(const char *barriers)
{
	unmap(barriers);
	hm_machine_release(PAGE_A, va, BYTES);
}

static void unmap_and_map(const char *barriers)
{
	unmap(barriers);
	hm_insn_gcsstr(entry(TABLE, 0), leaf(PAGE_B, RW));
}

CASE(invalidation)
{
	EXPECT(needs(unmap_and_access, "gD.Di", "still accessible"));
	EXPECT(reports(unmap_and_access, "gS.Di", "still accessible"));
	EXPECT(reports(unmap_and_access, "S.Di", "still accessible"));
	EXPECT(reports(unmap_and_access, "Dg.Di", "still accessible"));
	EXPECT(needs(unmap_and_release, "gD.D", "is freed"));
	EXPECT(reports(unmap_and_release, "gS.D", "is freed"));
	EXPECT(needs(unmap_and_map, "gD.D", "break-before-make"));
	EXPECT(reports(unmap_and_map, "gS.D", "break-before-make"));
}

/* Who executes the DSB, and which. */
CASE(completion_of_invalidations)
{
	unmap("gD");
	machine.cpu = 1;
	hm_insn_dsb_ish();
	EXPECT(hm_machine_may_succeed(va, HM_ACCESS_READ));
	machine.cpu = 0;
	hm_insn_dsb_nsh();
	hm_insn_isb();
	EXPECT(hm_machine_may_succeed(va, HM_ACCESS_READ));
	hm_insn_dsb_ish();
	hm_insn_isb();
	EXPECT(!hm_machine_may_succeed(va, HM_ACCESS_READ));
	suite_setup();
	mapped();
	hm_insn_gcsstr(entry(TABLE, 0), 0);
	execute("gD");
	hm_insn_tlbi_vmalle1();
	hm_insn_dsb_nsh();
	execute("iD"); /* it was over before */
	EXPECT(!hm_machine_may_succeed(va, HM_ACCESS_READ));
}

/* What the table had in this life counts, though a walker may have seen it before the link was stored. */
CASE(break_before_make_seen_early)
{
	hm_insn_isb(); /* time goes by since the last GCSB */
	hm_insn_gcsstr(entry(MIDDLE, 0), link_to(TABLE));
	hm_insn_gcsstr(entry(TABLE, 0), leaf(PAGE_A, RW));
	hm_insn_gcsstr(entry(TABLE, 0), 0);
	EXPECT(!machine.violation[0]);
	hm_insn_gcsstr(entry(TABLE, 0), leaf(PAGE_B, RW));
	EXPECT(reported("break-before-make"));
}

/* The new entry is another CPU's, which has executed barriers while the invalidation was under way. */
static void map_elsewhere(const char *barriers)
{
	unmap("gD.");
	machine.cpu = 1;
	barriers = execute(barriers);
	machine.cpu = 0;
	hm_insn_dsb_ish();
	machine.cpu = 1;
	execute(barriers);
	hm_insn_gcsstr(entry(TABLE, 0), leaf(PAGE_B, RW));
}

static void link_elsewhere(const char *barriers)
{
	mapped();
	hm_insn_gcsstr(entry(MIDDLE, 0), 0);
	execute("gD");
	hm_insn_tlbi_vmalle1is();
	machine.cpu = 1;
	barriers = execute(barriers);
	machine.cpu = 0;
	hm_insn_dsb_ish();
	machine.cpu = 1;
	execute(barriers);
	hm_insn_gcsstr(entry(MIDDLE, 0), link_to(OTHER));
}

CASE(break_before_make_elsewhere)
{
	EXPECT(passes(link_elsewhere, ".g"));
	EXPECT(reports(link_elsewhere, "g.", "break-before-make"));
	EXPECT(passes(map_elsewhere, ".g"));
	EXPECT(reports(map_elsewhere, "g.", "break-before-make"));
	EXPECT(reports(map_elsewhere, "g.mi", "break-before-make"));
}

/* A table goes the same way: what was below its link, and then another link. */
static void replace_table(const char *barriers)
{
	mapped();
	hm_insn_gcsstr(entry(MIDDLE, 0), 0);
	barriers = execute(barriers);
	hm_insn_tlbi_vmalle1is();
	barriers = execute(barriers);
	hm_machine_release_table(TABLE);
	hm_insn_gcsstr(entry(TABLE, 0), 0);
	hm_insn_gcsstr(entry(OTHER, 0), leaf(PAGE_B, RW));
	execute(barriers);
	hm_insn_gcsstr(entry(MIDDLE, 0), link_to(OTHER));
}

CASE(table_replaced)
{
	EXPECT(needs(replace_table, "gD.D.g", ""));
	EXPECT(reports(replace_table, "gS.D.g", "table 3 is freed"));
}

/* ---- order: one entry ---- */

static void keyed_twice(const char *barriers)
{
	hm_insn_gcsstr(entry(TABLE, 0), 1);
	execute(barriers);
	hm_insn_gcsstr(entry(TABLE, 0), 0);
}

static void keyed_then_plain(const char *barriers)
{
	hm_insn_gcsstr(entry(TABLE, 0), 1);
	execute(barriers);
	hm_insn_str(entry(TABLE, 0), 0);
}

static void plain_then_keyed(const char *barriers)
{
	hm_insn_str(entry(TABLE, 0), 1);
	execute(barriers);
	hm_insn_gcsstr(entry(TABLE, 0), 0);
}

CASE(two_stores_to_one_entry)
{
	EXPECT(passes(keyed_twice, ""));
	EXPECT(needs(keyed_then_plain, "gm", "not ordered"));
	EXPECT(reports(keyed_then_plain, "gs", "not ordered"));
	EXPECT(reports(keyed_then_plain, "mg", "not ordered"));
	EXPECT(needs(plain_then_keyed, "mg", "not ordered"));
	EXPECT(reports(plain_then_keyed, "sg", "not ordered"));
	EXPECT(reports(plain_then_keyed, "gm", "not ordered"));
}

/* A compare and swap is an ordinary store. */
static void keyed_then_swapped(const char *barriers)
{
	hm_insn_gcsstr(entry(TABLE, 0), 1);
	execute(barriers);
	hm_machine_become(1);
	while (hm_insn_cas(entry(TABLE, 0), 1, 2) != 1)
		;
}

CASE(compare_and_swap_after_a_keyed_store)
{
	EXPECT(needs(keyed_then_swapped, "gm", "not ordered"));
}

/* A lock goes from one CPU to the other. */
static void keyed_handed_over(const char *barriers)
{
	hm_insn_gcsstr(entry(TABLE, 0), 1);
	barriers = execute(barriers);
	machine.cpu = 1;
	execute(barriers);
	hm_insn_gcsstr(entry(TABLE, 0), 0);
}

static void keyed_handed_to_plain(const char *barriers)
{
	hm_insn_gcsstr(entry(TABLE, 0), 1);
	execute(barriers);
	machine.cpu = 1;
	hm_insn_str(entry(TABLE, 0), 0);
}

static void plain_handed_to_keyed(const char *barriers)
{
	hm_insn_str(entry(TABLE, 0), 1);
	machine.cpu = 1;
	barriers = execute(barriers);
	machine.cpu = 0;
	execute(barriers); /* of no interest */
	machine.cpu = 1;
	hm_insn_gcsstr(entry(TABLE, 0), 0);
}

static void two_handed_over(const char *barriers)
{
	hm_insn_gcsstr(entry(TABLE, 1), 1);
	keyed_handed_over(barriers);
	hm_insn_gcsstr(entry(TABLE, 1), 0);
}

CASE(lock_handed_over)
{
	EXPECT(needs(keyed_handed_over, "g.g", "not ordered"));
	EXPECT(reports(keyed_handed_over, "g.D", "not ordered"));
	EXPECT(reports(keyed_handed_over, "D.g", "not ordered"));
	EXPECT(needs(keyed_handed_to_plain, "g", "not ordered"));
	EXPECT(needs(plain_handed_to_keyed, "g", "not ordered"));
	EXPECT(passes(plain_handed_to_keyed, "g.g"));
	EXPECT(needs(two_handed_over, "g.g", "not ordered"));
}

/* ---- loads ---- */

static uint64_t loaded;

static void load_own(const char *barriers)
{
	hm_insn_gcsstr(entry(TABLE, 0), 5);
	execute(barriers);
	loaded = hm_insn_ldr(entry(TABLE, 0));
}

static void load_own_elsewhere(const char *barriers)
{
	hm_insn_gcsstr(entry(TABLE, 0), 5);
	execute(barriers);
	machine.cpu = 1;
	loaded = hm_insn_ldr(entry(TABLE, 0));
}

CASE(own_load)
{
	EXPECT(needs(load_own, "gm", "own keyed store") && loaded == 5);
	EXPECT(needs(load_own, "gD", "own keyed store") && loaded == 5);
	EXPECT(reports(load_own, "gs", "own keyed store"));
	EXPECT(reports(load_own, "gS", "own keyed store"));
	EXPECT(reports(load_own, "mg", "own keyed store"));
	EXPECT(needs(load_own_elsewhere, "g", "own keyed store") && loaded == 5);
}

enum reader { ANOTHER_CPU, ANOTHER_THREAD, HANDLER, READERS };

/* Which of two values somebody else finds, a bit each, by chance; then, whether it stays that. */
static unsigned int found_by(enum reader reader, const char *barriers)
{
	unsigned int found = 0;
	uint64_t seed, value;

	for (seed = 1; seed < 40; seed++) {
		start(HM_KEY_STYLE_STORE, seed);
		hm_insn_gcsstr(entry(TABLE, 0), 1);
		hm_machine_settle();
		hm_insn_gcsstr(entry(TABLE, 0), 2);
		execute(barriers);
		if (reader != HANDLER)
			hm_machine_become(1);
		machine.threads[0].exceptions = reader == HANDLER;
		machine.cpu = reader == ANOTHER_CPU;
		value = hm_insn_ldr(entry(TABLE, 0));
		found |= 1u << value;
		while (value == 1 && hm_insn_ldr(entry(TABLE, 0)) == 1)
			;
		EXPECT(hm_insn_ldr(entry(TABLE, 0)) == 2);
	}
	EXPECT(!machine.violation[0]);
	return found;
}

CASE(load_by_another)
{
	unsigned int reader;

	for (reader = 0; reader < READERS; reader++) {
		EXPECT(found_by(reader, "mDS") == 6);
		EXPECT(found_by(reader, "g") == 4);
	}
}

/* What one CPU has found, a third finds too; not the one that stored it, another thread of which may be early
 * with its load. */
CASE(load_by_two_others)
{
	unsigned int found = 0;
	uint64_t seed;

	for (seed = 1; seed < 40; seed++) {
		start(HM_KEY_STYLE_STORE, seed);
		hm_insn_gcsstr(entry(TABLE, 0), 2);
		hm_machine_become(1);
		machine.cpu = 1;
		while (hm_insn_ldr(entry(TABLE, 0)) != 2)
			;
		machine.cpu = 2;
		EXPECT(hm_insn_ldr(entry(TABLE, 0)) == 2);
		machine.cpu = 0;
		found |= 1u << hm_insn_ldr(entry(TABLE, 0));
	}
	EXPECT(found == 5);
}

static void load_and_store(const char *barriers)
{
	hm_insn_ldr(entry(TABLE, 0));
	execute(barriers);
	hm_insn_gcsstr(entry(TABLE, 0), 1);
}

static void compare_and_store(const char *barriers)
{
	hm_insn_cas(entry(TABLE, 0), 1, 2);
	execute(barriers);
	hm_insn_gcsstr(entry(TABLE, 0), 1);
}

CASE(load_before_store)
{
	EXPECT(needs(load_and_store, "mg", "before the load"));
	EXPECT(needs(load_and_store, "Dg", "before the load"));
	EXPECT(reports(load_and_store, "sg", "before the load"));
	EXPECT(reports(load_and_store, "Sg", "before the load"));
	EXPECT(reports(load_and_store, "gm", "before the load"));
	EXPECT(needs(compare_and_store, "mg", "before the load"));
}

/* Loads of other entries, of other threads, and of what was interrupted, do not matter. */
CASE(unrelated_loads)
{
	hm_insn_ldr(entry(TABLE, 1));
	hm_insn_gcsstr(entry(TABLE, 0), 1);
	EXPECT(!machine.violation[0]);
	hm_insn_ldr(entry(TABLE, 2));
	machine.threads[0].exceptions = 1;
	hm_insn_gcsstr(entry(TABLE, 2), 1);
	machine.threads[0].exceptions = 0;
	EXPECT(!machine.violation[0]);
	hm_insn_ldr(entry(TABLE, 3));
	hm_machine_become(1);
	hm_insn_gcsstr(entry(TABLE, 3), 1);
	EXPECT(!machine.violation[0]);
}

/* ---- threads that migrate ---- */

static const char *barriers_of_body;

static void migrate(void)
{
	const unsigned int cpu = hm_machine_cpu_number();

	while (hm_machine_cpu_number() == cpu)
		hm_machine_switch();
}

static void store_after_migration(void *unused)
{
	const char *barriers = execute(barriers_of_body);

	(void)unused;
	migrate();
	execute(barriers);
	hm_insn_gcsstr(entry(TABLE, 0), 1);
}

static void link_after_migration(void *unused)
{
	const char *barriers;

	(void)unused;
	hm_insn_gcsstr(entry(TABLE, 0), leaf(PAGE_A, RW));
	barriers = execute(barriers_of_body);
	migrate();
	execute(barriers);
	hm_insn_gcsstr(entry(MIDDLE, 0), link_to(TABLE));
}

static void load_after_migration(void *unused)
{
	(void)unused;
	hm_insn_gcsstr(entry(TABLE, 0), 5);
	execute(barriers_of_body);
	migrate();
	loaded = hm_insn_ldr(entry(TABLE, 0));
}

static void store_after_switch(void *unused)
{
	(void)unused;
	execute(barriers_of_body);
	hm_machine_switch();
	hm_insn_gcsstr(entry(TABLE, 0), 1);
}

static void run(void (*body)(void *argument), const char *barriers)
{
	barriers_of_body = barriers;
	hm_machine_thread(body, NULL);
	hm_machine_run();
}

static void store_migrated(const char *barriers)
{
	run(store_after_migration, barriers);
}

static void link_migrated(const char *barriers)
{
	run(link_after_migration, barriers);
}

static void load_migrated(const char *barriers)
{
	run(load_after_migration, barriers);
}

CASE(migration)
{
	EXPECT(needs(store_migrated, ".g", "the CPU that it left"));
	EXPECT(reports(store_migrated, "g.D", "the CPU that it left"));
	EXPECT(needs(link_migrated, "gD.g", ""));
	EXPECT(reports(link_migrated, "gD.", "the CPU that it left"));
	EXPECT(needs(load_migrated, "g", "own keyed store") && loaded == 5);
}

/* Who comes back to the CPU that it was on has left none. */
CASE(no_migration)
{
	const struct hm_machine_config config = { .cpus = 1,
						  .seed = 1,
						  .key_style = HM_KEY_STYLE_STORE };

	hm_machine_start(&machine, &config);
	run(store_after_switch, "");
	EXPECT(machine.counts[HM_INSN_GCSSTR] == 1 && !machine.violation[0]);
}

/* ---- permissions ---- */

/* The registers, long ago. */
static void set(uint64_t tcr2, uint64_t pir, uint64_t pire0, uint64_t gcscr)
{
	hm_insn_msr_gcscr_el1(gcscr);
	hm_insn_msr_pir_el1(pir);
	hm_insn_msr_pire0_el1(pire0);
	hm_insn_msr_tcr2_el1(tcr2);
	hm_insn_isb();
	hm_insn_tlbi_vmalle1();
	hm_insn_dsb_nsh();
	hm_insn_isb();
}

/* Three pages of memory are in the linear map, one of them as that says. */
static void linear_map(uint64_t keyed)
{
	suite_setup();
	hm_insn_gcsstr(entry(TABLE, KEYED_PAGE), leaf(KEYED_PAGE, keyed));
	hm_insn_gcsstr(entry(TABLE, PLAIN_PAGE), leaf(PLAIN_PAGE, RW));
	hm_insn_gcsstr(entry(TABLE, READONLY_PAGE), leaf(READONLY_PAGE, RO));
	hm_machine_settle();
	hm_insn_gcsstr(entry(MIDDLE, 0), link_to(TABLE));
	hm_machine_settle();
	hm_machine_set_linear(va.val);
}

static void keyed_store(unsigned int page)
{
	hm_insn_gcsstr(entry(page, 0), 1);
}

CASE(permissions)
{
	const hm_va_t keyed = { va.val + KEYED_PAGE * BYTES };

	linear_map(KEYED);
	set(PIE, PIR, 0, STREN);
	keyed_store(KEYED_PAGE);
	hm_insn_str(entry(PLAIN_PAGE, 0), 1);
	EXPECT(hm_machine_access(keyed, HM_ACCESS_READ) == HM_MACHINE_DONE);
	EXPECT(hm_machine_access(keyed, HM_ACCESS_WRITE) == HM_MACHINE_FAULT);
	EXPECT(hm_machine_access(keyed, HM_ACCESS_EXECUTE) == HM_MACHINE_FAULT);
	hm_machine_stray(KEYED_PAGE);
	EXPECT(!machine.violation[0]);
	hm_insn_str(entry(KEYED_PAGE, 1), 1);
	EXPECT(reported_now("a store to page 5 may be denied"));
	hm_insn_cas(entry(KEYED_PAGE, 2), 0, 1);
	EXPECT(reported_now("a store to page 5 may be denied"));
	keyed_store(PLAIN_PAGE);
	EXPECT(reported_now("a keyed store to page 6 may be denied"));
	keyed_store(READONLY_PAGE);
	EXPECT(reported_now("a keyed store to page 7 may be denied"));
	keyed_store(PAGE_A);
	EXPECT(reported_now("a keyed store to page 8 where the linear map has no translation"));
	hm_insn_gcsstr(&loaded, 1);
	EXPECT(reported_now("a keyed store outside"));
}

/* Without each of what makes the page one for keyed stores. */
CASE(permissions_that_lack_something)
{
	linear_map(KEYED);
	set(0, PIR, 0, STREN);
	keyed_store(KEYED_PAGE);
	EXPECT(reported_now("a keyed store to page 5 may be denied"));
	set(PIE, PIR, 0, 0);
	keyed_store(KEYED_PAGE);
	EXPECT(reported_now("a keyed store to page 5 may be denied"));
	set(PIE, PIR ^ FIELD(KEYED, 0x9 ^ 0xc), 0, STREN);
	keyed_store(KEYED_PAGE);
	EXPECT(reported_now("a keyed store to page 5 may be denied"));
	linear_map(KEYED | HM_ARM64_READONLY); /* nDirty */
	set(PIE, PIR, 0, STREN);
	keyed_store(KEYED_PAGE);
	EXPECT(reported_now("a keyed store to page 5 may be denied"));
	linear_map(KEYED | HM_ARM64_ATTR(1));
	set(PIE, PIR, 0, STREN);
	keyed_store(KEYED_PAGE);
	EXPECT(reported_now("a keyed store to page 5, which is not write-back memory"));
}

/* What EL0 writes, in either way, EL1 has no GCS in. */
CASE(unprivileged_writing)
{
	const hm_va_t keyed = { va.val + KEYED_PAGE * BYTES };
	unsigned int others;

	linear_map(KEYED);
	for (others = 0; others < 16; others++) {
		bool writes = others && strchr("\5\6\7\11\14\16", (int)others);

		set(PIE, PIR, FIELD(KEYED, others), STREN);
		keyed_store(KEYED_PAGE);
		EXPECT(reported_now("may be denied") == writes);
		EXPECT(hm_machine_may_succeed(keyed, HM_ACCESS_READ) == !writes);
	}
}

/* GCSCR_EL1: in effect from the next synchronisation on, and no TLB has it. */
CASE(control_register_is_synchronised)
{
	linear_map(KEYED);
	set(PIE, PIR, 0, 0);
	hm_insn_msr_gcscr_el1(STREN);
	keyed_store(KEYED_PAGE);
	EXPECT(reported_now("may be denied"));
	hm_insn_dsb_ish(); /* is none */
	keyed_store(KEYED_PAGE);
	EXPECT(reported_now("may be denied"));
	hm_insn_isb();
	keyed_store(KEYED_PAGE);
	EXPECT(!machine.violation[0]);
	hm_insn_msr_gcscr_el1(0);
	keyed_store(KEYED_PAGE);
	EXPECT(reported_now("may be denied"));
	hm_insn_msr_gcscr_el1(STREN);
	hm_machine_fault();
	keyed_store(KEYED_PAGE);
	EXPECT(!machine.violation[0]);
}

/* PIR_EL1 may be in TLBs, where another page's encoding lives on. */
CASE(indirection_is_cached)
{
	linear_map(KEYED);
	set(PIE, PIR ^ FIELD(KEYED, 0x9 ^ 0xc), 0, STREN);
	hm_insn_msr_pir_el1(PIR);
	hm_insn_isb();
	keyed_store(KEYED_PAGE);
	EXPECT(reported_now("may be denied"));
	hm_machine_stray(KEYED_PAGE);
	EXPECT(reported_now("open to a stray store"));
	hm_insn_tlbi_vmalle1();
	hm_insn_dsb_nsh();
	hm_insn_isb();
	keyed_store(KEYED_PAGE);
	hm_machine_stray(KEYED_PAGE);
	EXPECT(!machine.violation[0]);
}

/* A reset leaves keyed stores off, whatever else is set again. */
CASE(reset)
{
	linear_map(KEYED);
	set(PIE, PIR, 0, STREN);
	hm_machine_reset_cpu();
	hm_insn_msr_pir_el1(PIR);
	hm_insn_msr_pire0_el1(0);
	hm_insn_msr_tcr2_el1(PIE);
	hm_insn_isb();
	hm_insn_tlbi_vmalle1();
	hm_insn_dsb_nsh();
	hm_insn_isb();
	keyed_store(KEYED_PAGE);
	EXPECT(reported_now("may be denied"));
	hm_insn_msr_gcscr_el1(STREN);
	hm_insn_isb();
	keyed_store(KEYED_PAGE);
	EXPECT(!machine.violation[0]);
	hm_machine_reset_cpu();
	hm_insn_msr_gcscr_el1(hm_machine_register(HM_MACHINE_GCSCR_EL1) | STREN);
	EXPECT(reported_now("GCSCR_EL1: more than keyed stores"));
}

/* Values, and registers of what the CPUs have not. */
CASE(register_values)
{
	unsigned int bit;

	for (bit = 0; bit < 64; bit++) {
		suite_setup();
		hm_insn_msr_gcscr_el1(UINT64_C(1) << bit);
		EXPECT(reported_now("GCSCR_EL1: more than keyed stores") == (bit != 9));
	}
	hm_insn_msr_tcr2_el1(PIE | HM_ARM64_TCR2_POE);
	EXPECT(reported_now("without FEAT_S1POE"));
	hm_insn_msr_por_el1(7);
	EXPECT(reported_now("without FEAT_S1POE"));
	start(HM_KEY_STYLE_WINDOW, 1);
	hm_insn_msr_gcscr_el1(STREN);
	EXPECT(reported_now("without FEAT_GCS"));
	start(HM_KEY_STYLE_NONE, 1);
	hm_insn_gcsstr(entry(TABLE, 0), 1);
	EXPECT(reported_now("without FEAT_GCS"));
}

/* All that was done before is long past: no barrier between that and what follows is due. */
CASE(settled)
{
	mapped();
	unmap("gD.D");
	hm_machine_settle();
	hm_insn_gcsstr(entry(TABLE, 0), leaf(PAGE_A, RW));
	hm_insn_str(entry(TABLE, 1), leaf(PAGE_A, RW));
	hm_insn_ldr(entry(TABLE, 2));
	hm_machine_settle();
	hm_insn_ldr(entry(TABLE, 0));
	hm_machine_access(va, HM_ACCESS_READ);
	hm_insn_str(entry(TABLE, 0), 0);
	hm_insn_gcsstr(entry(TABLE, 1), 0);
	hm_insn_gcsstr(entry(TABLE, 2), 0);
	hm_machine_settle();
	hm_machine_access(va, HM_ACCESS_READ);
	hm_insn_gcsb_dsync();
	machine.cpu = 1;
	hm_insn_gcsstr(entry(TABLE, 1), leaf(PAGE_B, RW));
	EXPECT(!machine.violation[0]);
	hm_machine_settle();
	hm_insn_gcsstr(entry(TABLE, 1), 0);
	execute("gD");
	machine.cpu = 0;
	hm_insn_tlbi_vmalle1is();
	execute("Di");
	hm_machine_access((hm_va_t){ va.val + BYTES }, HM_ACCESS_READ);
	EXPECT(!machine.violation[0]);
}

CASE(counts)
{
	execute("gggmms");
	hm_insn_gcsstr(entry(TABLE, 0), 1);
	EXPECT(machine.counts[HM_INSN_GCSB_DSYNC] == 3 && machine.counts[HM_INSN_DMB_ISH] == 2);
	EXPECT(machine.counts[HM_INSN_DMB_ISHST] == 1 && machine.counts[HM_INSN_GCSSTR] == 1);
}
