/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * machine.c -- each thing that the adversarial machine reports, in the smallest program that
 * deserves it, beside the one that does not. Programs are straight-line, on one CPU or, by hand, on
 * two.
 */
#include "suite.h"
#include <hardmap/pgtable.h>
#include <string.h>

#define BLOCK (UINT64_C(1) << 21)

enum { ROOT, UPPER, MIDDLE, TABLE, OTHER_TABLE, PAGE_A, PAGE_B };

static struct hm_machine machine;
static const hm_va_t va = { UINT64_C(0xffff000000000000) };

/* A machine of two CPUs whose MIDDLE (level 1) is linked; its first entry is the test's. */
static void start(unsigned int bbm_level)
{
	const struct hm_machine_config config = { .cpus = 2,
						  .has_tlbi_range = true,
						  .bbm_level = bbm_level };

	hm_machine_start(&machine, &config);
	hm_machine_set_root(ROOT);
	hm_pte_link(hm_port_pgtable_map(hm_machine_page(ROOT)),
		    hm_arm64_table(hm_machine_page(UPPER)));
	hm_pte_link(hm_port_pgtable_map(hm_machine_page(UPPER)),
		    hm_arm64_table(hm_machine_page(MIDDLE)));
	hm_machine_settle();
}

static void suite_setup(void)
{
	start(0);
}

static void work(void *unused);

static bool reported(const char *what)
{
	return strstr(machine.violation, what) != NULL;
}

static hm_pte_t *middle(void)
{
	return hm_port_pgtable_map(hm_machine_page(MIDDLE));
}

static hm_pte_t *entry(unsigned int table)
{
	return hm_port_pgtable_map(hm_machine_page(table));
}

static hm_pte_t page(unsigned int number)
{
	return hm_arm64_leaf(hm_machine_page(number), 0, HM_ARM64_KERNEL_RW);
}

/* TABLE linked, its first entry mapping PAGE_A, all long ago. */
static void mapped(void)
{
	hm_port_pte_store(middle(), hm_arm64_table(hm_machine_page(TABLE)));
	hm_port_pte_store(entry(TABLE), page(PAGE_A));
	hm_machine_settle();
}

/* The entry goes, with everything that its end needs. */
static void unmapped(enum hm_invalidate what)
{
	hm_pte_clear(entry(TABLE));
	hm_pgtable_invalidate(va, 4096, what);
}

/* The page that nobody touched since the start has no history at all. */
CASE(quiet_machine)
{
	mapped();
	EXPECT(hm_machine_access(va, HM_ACCESS_WRITE) == HM_MACHINE_DONE);
	EXPECT(!machine.violation[0]);
}

/* A valid entry is not seen before DSB and ISB, in this order. */
CASE(publication)
{
	mapped();
	unmapped(HM_INVALIDATE_LEAVES);
	hm_port_pte_store(entry(TABLE), page(PAGE_B));
	EXPECT(hm_machine_may_fault(va, HM_ACCESS_READ));
	hm_insn_isb();
	EXPECT(hm_machine_may_fault(va, HM_ACCESS_READ));
	hm_insn_dsb_ishst();
	EXPECT(hm_machine_may_fault(va, HM_ACCESS_READ));
	hm_machine_access(va, HM_ACCESS_READ);
	EXPECT(reported("spurious fault"));
}

CASE(publication_by_the_pair)
{
	mapped();
	unmapped(HM_INVALIDATE_LEAVES);
	hm_pte_set(entry(TABLE), page(PAGE_B));
	EXPECT(hm_machine_access(va, HM_ACCESS_READ) == HM_MACHINE_DONE);
	EXPECT(!machine.violation[0]);
}

/* Nobody's DSB completes another CPU's store, but for one of the same entry that it came after: who has to
 * see the later value does not see what was before the earlier one. */
CASE(publication_over_another_store)
{
	hm_insn_str(&entry(TABLE)->val, page(PAGE_A).val & ~UINT64_C(1));
	hm_insn_dmb_ishst();
	hm_insn_str(&middle()->val, hm_arm64_table(hm_machine_page(TABLE)).val);
	hm_insn_dsb_ishst();
	machine.cpu = 1;
	hm_insn_str(&entry(TABLE)->val, page(PAGE_B).val & ~UINT64_C(1));
	machine.cpu = 0;
	hm_insn_str(&entry(TABLE)->val, page(PAGE_A).val);
	hm_insn_isb();
	EXPECT(hm_machine_may_fault(va, HM_ACCESS_READ)); /* neither store is complete */
	hm_insn_dsb_ishst();
	hm_insn_isb();
	EXPECT(hm_machine_access(va, HM_ACCESS_READ) == HM_MACHINE_DONE && !machine.violation[0]);
}

/* The same for a block and for a link: the walker reads every level by itself. */
CASE(publication_of_a_link)
{
	hm_pte_fill(entry(TABLE), 512, page(PAGE_A), 0);
	hm_insn_dmb_ishst();
	hm_port_pte_store(middle(), hm_arm64_table(hm_machine_page(TABLE)));
	EXPECT(hm_machine_may_fault_at(va, 1));
	EXPECT(!hm_machine_may_fault_at(va, 0));
}

/* A fill that nothing orders before its link: a walker may see the link alone, and that is reported. */
CASE(link_before_fill)
{
	hm_pte_fill(entry(TABLE), 512, page(PAGE_A), 0);
	hm_port_pte_store(middle(), hm_arm64_table(hm_machine_page(TABLE)));
	EXPECT(hm_machine_may_fault_at(va, 0));
	EXPECT(reported("table 3 is linked"));
}

/* An invalidation in pieces is one: each page by itself empties the walk caches of their table. */
CASE(invalidation_in_pieces)
{
	machine.config.has_tlbi_range = false;
	mapped();
	hm_pte_clear(middle());
	hm_pgtable_invalidate(va, BLOCK, HM_INVALIDATE_TABLES);
	hm_machine_release(TABLE, va, 4096);
	hm_pte_fill(entry(OTHER_TABLE), 512, page(PAGE_B), 0);
	hm_pte_link(middle(), hm_arm64_table(hm_machine_page(OTHER_TABLE)));
	hm_machine_access(va, HM_ACCESS_READ);
	EXPECT(!machine.violation[0]);
}

/* One TLBI within a block takes all of the block; an entry without access flag was never in a TLB. */
CASE(what_one_tlbi_takes)
{
	const hm_pa_t memory = { UINT64_C(0x40000000) };
	const hm_va_t inside = { va.val + 5 * 4096 };

	hm_port_pte_store(middle(), hm_arm64_leaf(memory, 1, HM_ARM64_KERNEL_RW));
	hm_machine_settle();
	hm_pte_clear(middle());
	hm_pgtable_invalidate(inside, 4096, HM_INVALIDATE_LEAVES);
	EXPECT(hm_machine_access(va, HM_ACCESS_READ) == HM_MACHINE_FAULT);
	EXPECT(!machine.violation[0]);
	start(0);
	hm_port_pte_store(middle(),
			  hm_arm64_leaf(memory, 1, HM_ARM64_KERNEL_RW & ~HM_ARM64_ACCESSED));
	hm_machine_settle();
	hm_pte_set(middle(), hm_arm64_leaf(memory, 1, HM_ARM64_KERNEL_RW));
	EXPECT(hm_machine_access(va, HM_ACCESS_WRITE) == HM_MACHINE_DONE);
	EXPECT(!machine.violation[0]);
}

/* Mistakes in the use of the machine are reported as such. */
CASE(misuse_of_the_machine)
{
	const hm_va_t lower = { 4096 };
	unsigned int i;

	hm_machine_access(lower, HM_ACCESS_READ);
	EXPECT(reported("no tables for"));
	start(0);
	mapped();
	entry(TABLE)->val = 0; /* a plain store */
	hm_machine_access(va, HM_ACCESS_READ);
	EXPECT(reported("none of the machine's"));
	start(0);
	for (i = 0; i <= HM_MACHINE_THREADS; i++)
		hm_machine_thread(work, NULL);
	EXPECT(reported("too many threads"));
}

/* A removed or changed entry is used on until a TLBI that covers it is complete. */
CASE(stale_translation)
{
	mapped();
	hm_pte_clear(entry(TABLE));
	hm_insn_dsb_ish();
	hm_insn_isb();
	EXPECT(hm_machine_may_succeed(va, HM_ACCESS_READ));
	hm_machine_access(va, HM_ACCESS_READ);
	EXPECT(reported("still accessible"));
}

CASE(stale_permission)
{
	mapped();
	hm_port_pte_store(entry(TABLE),
			  hm_arm64_leaf(hm_machine_page(PAGE_A), 0, HM_ARM64_KERNEL_RO));
	hm_insn_dsb_ish();
	hm_insn_isb();
	hm_machine_access(va, HM_ACCESS_WRITE);
	EXPECT(reported("still accessible"));
}

/* Each barrier around a TLBI is needed, the TLBI itself, and that it is for this address. */
CASE(every_part_of_an_invalidation)
{
	unsigned int without;

	for (without = 0; without <= 6; without++) {
		start(0);
		mapped();
		hm_pte_clear(entry(TABLE));
		if (without != 1)
			hm_insn_dsb_ishst();
		if (without != 2)
			hm_insn_tlbi_vaale1is(hm_arm64_tlbi_operand(va) + (without == 3));
		if (without == 4)
			hm_insn_dsb_ishst(); /* does not wait for TLBI */
		else if (without != 5)
			hm_insn_dsb_ish();
		if (without != 6)
			hm_insn_isb();
		EXPECT(hm_machine_may_succeed(va, HM_ACCESS_READ) == (without != 0));
	}
}

/* Memory is not given away while a TLB may lead to it. */
CASE(page_freed_too_early)
{
	mapped();
	hm_pte_clear(entry(TABLE));
	hm_machine_release(PAGE_A, va, 4096);
	EXPECT(reported("page 5 is freed"));
}

CASE(page_freed_in_time)
{
	mapped();
	unmapped(HM_INVALIDATE_LEAVES);
	hm_machine_release(PAGE_A, va, 4096);
	EXPECT(!machine.violation[0]);
}

/* A table is not given away while a walk cache may lead to it: a TLBI of leaves does not empty those. */
CASE(table_freed_in_a_walk_cache)
{
	mapped();
	hm_pte_clear(middle());
	hm_pgtable_invalidate(va, BLOCK, HM_INVALIDATE_LEAVES);
	hm_machine_release(TABLE, va, 4096);
	EXPECT(reported("table 3 is freed"));
}

CASE(table_freed_in_time)
{
	mapped();
	hm_pte_clear(middle());
	hm_pgtable_invalidate(va, BLOCK, HM_INVALIDATE_TABLES);
	hm_machine_release(TABLE, va, 4096);
	EXPECT(!machine.violation[0]);
}

/* Another page, or another memory type, only after break and invalidation. */
CASE(break_before_make)
{
	mapped();
	hm_pte_set(entry(TABLE), page(PAGE_B));
	EXPECT(reported("break-before-make"));
}

CASE(break_without_invalidation)
{
	mapped();
	hm_pte_clear(entry(TABLE));
	hm_insn_dsb_ish();
	hm_pte_set(entry(TABLE), page(PAGE_B));
	EXPECT(reported("break-before-make"));
}

CASE(break_and_make)
{
	mapped();
	unmapped(HM_INVALIDATE_LEAVES);
	hm_pte_set(entry(TABLE), page(PAGE_B));
	EXPECT(!machine.violation[0]);
}

CASE(permission_needs_no_break)
{
	mapped();
	hm_pte_set(entry(TABLE), hm_arm64_leaf(hm_machine_page(PAGE_A), 0, HM_ARM64_KERNEL_RO));
	EXPECT(!machine.violation[0]);
}

/* A block replaced by a table of the same pages: forbidden below BBM level 2, a conflict at 2, fine at 3. */
static void split(unsigned int bbm_level)
{
	const hm_pa_t memory = { UINT64_C(0x40000000) };
	unsigned int i;

	start(bbm_level);
	hm_port_pte_store(middle(), hm_arm64_leaf(memory, 1, HM_ARM64_KERNEL_RW));
	hm_machine_settle();
	for (i = 0; i < 512; i++) {
		const hm_pa_t piece = { memory.val + i * UINT64_C(4096) };

		hm_pte_fill(entry(TABLE) + i, 1, hm_arm64_leaf(piece, 0, HM_ARM64_KERNEL_RW), 0);
	}
	hm_pte_link(middle(), hm_arm64_table(hm_machine_page(TABLE)));
}

CASE(live_split)
{
	split(1);
	EXPECT(reported("break-before-make"));
	split(2);
	EXPECT(!machine.violation[0]);
	hm_machine_access(va, HM_ACCESS_READ);
	EXPECT(reported("TLB conflict"));
	split(2);
	hm_pgtable_invalidate(va, BLOCK, HM_INVALIDATE_LEAVES);
	hm_machine_access(va, HM_ACCESS_READ);
	EXPECT(!machine.violation[0]);
	split(3);
	hm_machine_access(va, HM_ACCESS_READ);
	EXPECT(!machine.violation[0]);
}

/* A table that says something else of the memory is no split, at any level. */
CASE(split_that_changes_something)
{
	split(3);
	hm_port_pte_store(middle(), hm_arm64_table(hm_machine_page(OTHER_TABLE)));
	EXPECT(reported("break-before-make"));
}

/* Operands that no machine, or not this one, knows are refused, not guessed. */
CASE(operations_without_a_rule)
{
	hm_insn_tlbi_vaae1is(UINT64_C(0xb) << 44); /* 16K, lookup level 3 */
	EXPECT(reported("level hint for another granule"));
	start(0);
	hm_insn_tlbi_vaae1is(UINT64_C(4) << 44); /* 4K, lookup level 0 */
	EXPECT(reported("level that has no leaves"));
	start(0);
	machine.config.has_tlbi_range = false;
	hm_insn_tlbi_rvaae1is(UINT64_C(1) << 46);
	EXPECT(reported("without it"));
	start(0);
	hm_insn_tlbi_rvaae1is(UINT64_C(2) << 46);
	EXPECT(reported("for another granule"));
}

/* A store that is not the machine's memory is reported, and not done. */
CASE(store_elsewhere)
{
	static uint64_t elsewhere;

	hm_insn_str(&elsewhere, 1);
	EXPECT(reported("outside of the machine's memory"));
	EXPECT(elsewhere == 0);
}

/* ---- threads ---- */

static unsigned int cpus_seen;

/* A section that is carried to another CPU; without the switch's DSB its stores stay behind. */
static void migrate(bool with_barrier)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	hm_pte_set(entry(TABLE) + 1, page(PAGE_B));
	do {
		if (with_barrier)
			hm_port_context_switch();
		hm_machine_switch();
		cpus_seen |= 1u << hm_machine_cpu_number();
	} while (cpus_seen != 3);
	hm_lazy_mmu_leave(tok);
}

static void migrate_with_barrier(void *unused)
{
	const hm_va_t next = { va.val + 4096 };

	(void)unused;
	migrate(true);
	hm_machine_access(next, HM_ACCESS_READ);
}

static void migrate_without(void *unused)
{
	const hm_va_t next = { va.val + 4096 };

	(void)unused;
	migrate(false);
	hm_machine_access(next, HM_ACCESS_READ);
}

CASE(migration_in_a_section)
{
	mapped();
	cpus_seen = 0;
	hm_machine_thread(migrate_with_barrier, NULL);
	hm_machine_run();
	EXPECT(!machine.violation[0] && cpus_seen == 3);
	start(0);
	mapped();
	cpus_seen = 0;
	hm_machine_thread(migrate_without, NULL);
	hm_machine_run();
	EXPECT(reported("spurious fault"));
}

static unsigned int interrupts;

static void count_interrupt(void)
{
	interrupts++;
}

static void work(void *unused)
{
	unsigned int i;

	(void)unused;
	for (i = 0; i < 100; i++)
		hm_insn_isb();
	hm_machine_mask(true);
	interrupts = 0;
	for (i = 0; i < 100; i++)
		hm_insn_isb();
	EXPECT(interrupts == 0);
}

/* The same seed is the same run, instruction by instruction; another one is another. */
CASE(seeds_repeat)
{
	struct hm_machine_config config = {
		.cpus = 2, .seed = 5, .interleave = 60, .interrupt = 60, .vector = count_interrupt
	};
	uint64_t lengths[3];
	unsigned int i;

	for (i = 0; i < 3; i++) {
		config.seed = i == 2 ? 6 : 5;
		hm_machine_start(&machine, &config);
		hm_machine_thread(work, NULL);
		hm_machine_thread(work, NULL);
		hm_machine_run();
		lengths[i] = machine.now;
		EXPECT(machine.interrupts > 0 && !machine.violation[0]);
	}
	EXPECT(lengths[0] == lengths[1] && lengths[0] != lengths[2]);
}
