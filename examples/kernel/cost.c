/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* cost.c -- the table of cost.h. Counts are exact; instructions are those that the emulator retires. */
#include "cost.h"

#include "cpu.h"
#include "insn_count.h"
#include "pages.h"
#include "tables.h"
#include "uart.h"
#include "window.h"

/* Event 8, INST_RETIRED, in counter 0 (Arm ARM D13.12.2, D24.5). PMCEID0_EL0 says whether it counts. */
#define INST_RETIRED 8

/* A row is a case; its columns, in this order. */
enum column { STORES, DMBS, GCSBS, DSBS, ISBS, KEY_WRITES, COLUMNS };
static const char *const column_names[COLUMNS] = { "stores", "DMB", "GCSB",
						   "DSB",    "ISB", "key writes" };

struct row {
	uint64_t columns[COLUMNS];
	uint64_t instructions;
};

static bool counts_instructions;

static uint64_t retired(void)
{
	isb();
	return sysreg_read(pmevcntr0_el0) & UINT32_MAX;
}

static void read_columns(uint64_t columns[COLUMNS])
{
	columns[STORES] = insn_counted(HM_INSN_STR) + insn_counted(HM_INSN_GCSSTR);
	columns[DMBS] = insn_counted(HM_INSN_DMB_ISH) + insn_counted(HM_INSN_DMB_ISHST);
	columns[GCSBS] = insn_counted(HM_INSN_GCSB_DSYNC);
	columns[DSBS] = insn_counted(HM_INSN_DSB_ISH) + insn_counted(HM_INSN_DSB_ISHST);
	columns[ISBS] = insn_counted(HM_INSN_ISB);
	columns[KEY_WRITES] = insn_counted(HM_INSN_MSR_POR_EL1);
}

/* The same done twice: counted, and as it is. */
static struct row measure(cost_write *counted, cost_write *plain, hm_pte_t *table,
			  enum cost_how how, unsigned int n)
{
	const hm_pte_t pte = window_page(0);
	uint64_t before[COLUMNS], start, flags = irq_save();
	struct row row;
	unsigned int i;

	read_columns(before);
	counted(table, pte, how, n);
	read_columns(row.columns);
	for (i = 0; i < COLUMNS; i++)
		row.columns[i] -= before[i];
	start = retired();
	plain(table, pte, how, n);
	row.instructions = retired() - start;
	irq_restore(flags);
	return row;
}

static void print_hundredths(uint64_t n)
{
	n = n * 100 / COST_ENTRIES;
	console_printf(" %7lu.%lu%lu", (unsigned long)(n / 100), (unsigned long)(n / 10 % 10),
		       (unsigned long)(n % 10));
}

static void print_row(const char *lock, enum cost_how how, unsigned int n, const struct row *row)
{
	unsigned int i;

	console_printf("  %-10s %-8s %8u", lock, how == COST_RANGE ? "a range" : "each", n);
	if (counts_instructions)
		print_hundredths(row->instructions);
	else
		console_printf(" %10s", "-");
	for (i = 0; i < COLUMNS; i++)
		print_hundredths(row->columns[i]);
	console_printf("\n");
}

static void report_of(const char *lock, cost_write *counted, cost_write *plain, hm_pte_t *table)
{
	static const unsigned int sections[] = { 0, 1, 16, 64, 256 };
	unsigned int i, how;

	for (how = COST_EACH; how <= COST_RANGE; how++)
		for (i = how == COST_EACH ? 0 : 2; i < sizeof(sections) / sizeof(*sections); i++) {
			const struct row row = measure(counted, plain, table, (enum cost_how)how,
						       sections[i]);

			print_row(lock, (enum cost_how)how, sections[i], &row);
		}
}

void cost_report(unsigned int cpus)
{
	static const char *const locks[] = {
		[HM_KEY_STYLE_WINDOW] = "window key", [HM_KEY_STYLE_STORE] = "store key"
	};
	const hm_pa_t pa = { table_alloc() };
	hm_pte_t *locked = hm_port_pgtable_map(pa), *unlocked = pages_reserve(PAGE_SIZE);
	unsigned int i;

	counts_instructions = cpus == 1 && (sysreg_read(pmceid0_el0) >> INST_RETIRED & 1);
	sysreg_write(pmevtyper0_el0, INST_RETIRED);
	sysreg_write(pmcntenset_el0, 1);
	sysreg_write(pmcr_el0, 1);

	console_printf("  an entry made valid and published costs\n\n");
	console_printf("  %-10s %-8s %8s %10s", "tables", "written", "section", "insn");
	for (i = 0; i < COLUMNS; i++)
		console_printf(" %10s", column_names[i]);
	console_printf("\n");
	report_of("unlocked", cost_write_unlocked_counted, cost_write_unlocked, unlocked);
	if (hm_kpkeys_style() != HM_KEY_STYLE_NONE)
		report_of(locks[hm_kpkeys_style()], cost_write_locked_counted, cost_write_locked,
			  locked);
	console_printf("\n");
	table_free(pa.val);
}
