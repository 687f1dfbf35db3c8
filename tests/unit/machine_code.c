/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * machine_code.c -- what the adversarial machine says of code: what is stored is executed after DC, DSB, IC,
 * DSB, and a context synchronisation event of each CPU (Arm ARM B2.7.4), without any one of them other
 * contents may be; and nothing is writable and executable. At every granule.
 */
#include "suite.h"
#include <hardmap/pgtable.h>
#include <string.h>

enum { ROOT, UPPER, MIDDLE, TABLE, CODE, OTHER, NEW, ABSENT };

#define PAGE ((uint64_t)HM_MACHINE_PAGE_BYTES)
#define LINE 64u
#define STREN (UINT64_C(1) << 9)

/* Instructions: ADD may not be replaced while it is executed, the others may. */
#define TRAP UINT32_C(0xd4200000)
#define NOP UINT32_C(0xd503201f)
#define BRANCH UINT32_C(0x14000001)
#define CALL UINT32_C(0x94000001)
#define ADD UINT32_C(0x91000400)
#define TWICE(instruction) ((uint64_t)(instruction) << 32 | (instruction))

static struct hm_machine machine;
static const hm_va_t linear = { UINT64_C(0xffff000000000000) };
static const hm_va_t code = { UINT64_C(0xffff000000000000) + 16 * PAGE };

static hm_pte_t *table(unsigned int page)
{
	return hm_port_pgtable_map(hm_machine_page(page));
}

static void link_to(hm_pte_t *entry, unsigned int page)
{
	hm_port_pte_store(entry, hm_arm64_table(hm_machine_page(page)));
	hm_machine_settle();
}

/* Word n of the code, by the linear map. */
static uint64_t *word(unsigned int n)
{
	return &machine.memory[CODE][n].val;
}

static hm_va_t instruction(unsigned int n)
{
	const hm_va_t va = { code.val + 4u * n };

	return va;
}

static void map(hm_va_t va, unsigned int page, uint64_t attributes)
{
	hm_port_pte_store(table(TABLE) + hm_port_pgtable_index(va, 0),
			  hm_arm64_leaf(hm_machine_page(page), 0, attributes));
}

/* Two CPUs, the code mapped where it is executed and in the linear map, traps, all long ago. */
static void start_with(struct hm_machine_config config, uint64_t alias)
{
	unsigned int i;

	config.cpus = 2;
	config.seed = 1;
	hm_machine_start(&machine, &config);
	hm_machine_set_root(ROOT);
	if (HM_PORT_PGTABLE_LEVELS == 4)
		link_to(table(ROOT), UPPER);
	link_to(table(HM_PORT_PGTABLE_LEVELS == 4 ? UPPER : ROOT), MIDDLE);
	link_to(table(MIDDLE), TABLE);
	for (i = 0; i < ABSENT; i++) {
		const hm_va_t va = { linear.val + i * PAGE };

		map(va, i, i == CODE ? alias : HM_ARM64_KERNEL_RW);
	}
	for (i = 0; i < 2 * LINE / 8; i++)
		hm_insn_str(word(i), TWICE(TRAP));
	map(code, CODE, HM_ARM64_KERNEL_RX);
	hm_machine_settle();
	hm_machine_set_linear(linear.val);
}

static void suite_setup(void)
{
	const struct hm_machine_config config = { .has_tlbi_range = true };

	start_with(config, HM_ARM64_KERNEL_RW);
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

/* CPU n goes on: for straight lines, no thread is needed. */
static void on_cpu(unsigned int n)
{
	machine.cpu = n;
}

/* What makes a store known, a letter each. */
static void execute(const char *steps)
{
	for (; *steps; steps++)
		switch (*steps) {
		case 'c': /* here, and of the next line */
			hm_insn_dc_cvau(word(0));
			break;
		case 'C':
			hm_insn_dc_cvau(word(LINE / 8));
			break;
		case 'i':
			hm_insn_ic_ivau(code.val + 4);
			break;
		case 'n':
			hm_insn_ic_ivau(code.val + LINE);
			break;
		case 'a': /* by the alias */
			hm_insn_ic_ivau(linear.val + CODE * PAGE);
			break;
		case 'I':
			hm_insn_ic_ialluis();
			break;
		case 'D':
			hm_insn_dsb_ish();
			break;
		case 'S':
			hm_insn_dsb_ishst();
			break;
		case 's':
			hm_insn_isb();
			break;
		case 'o': /* on the other CPU */
			on_cpu(1);
			hm_insn_isb();
			on_cpu(0);
			break;
		case 'O':
			on_cpu(1);
			hm_insn_dsb_ish();
			on_cpu(0);
			break;
		case 'g':
			hm_insn_gcsb_dsync();
			break;
		case 'm':
			hm_insn_dmb_ish();
			break;
		}
}

/* Whether what is there now is what each CPU executes. */
static bool is_executed(uint32_t expected)
{
	unsigned int cpu;

	for (cpu = 0; cpu < 2; cpu++) {
		on_cpu(cpu);
		hm_machine_fetch(code, expected);
	}
	on_cpu(0);
	return !machine.violation[0];
}

static bool works(const char *steps)
{
	suite_setup();
	hm_insn_str(word(0), TWICE(ADD));
	execute(steps);
	return is_executed(ADD);
}

static bool is_reported(const char *steps)
{
	return !works(steps) && reported("execution of unsynchronised code");
}

CASE(the_whole_sequence)
{
	EXPECT(works("cDiDso"));
	EXPECT(works("cDIDso"));
	EXPECT(works("cDCiDso"));
	EXPECT(works("cDniDso"));
	EXPECT(works("cDinDso"));
	EXPECT(works("DcDiDso"));
}

CASE(each_step_is_needed)
{
	EXPECT(is_reported("DiDso"));
	EXPECT(is_reported("ciDso"));
	EXPECT(is_reported("cDDso"));
	EXPECT(is_reported("cDiso"));
	EXPECT(is_reported("cDiDs"));
	EXPECT(is_reported("cDiDo"));
	EXPECT(is_reported(""));
}

CASE(weaker_steps)
{
	EXPECT(is_reported("cSiDso"));
	EXPECT(is_reported("cDiSso"));
	EXPECT(is_reported("cOiDso"));
	EXPECT(is_reported("cDiOso"));
	EXPECT(is_reported("cDisoD"));
	EXPECT(is_reported("iDcDso"));
	EXPECT(is_reported("sDcDiD"));
}

CASE(other_lines)
{
	EXPECT(is_reported("CDiDso"));
	EXPECT(is_reported("cDnDso"));
	EXPECT(is_reported("cDaDso")); /* a cache that is looked up by virtual addresses */
}

/* A clean that comes before the store, and one by a CPU to which the store need not be known. */
CASE(clean_of_what_was_there_before)
{
	execute("c");
	hm_insn_str(word(0), TWICE(ADD));
	execute("DiDso");
	EXPECT(!is_executed(ADD));
	suite_setup();
	hm_insn_str(word(0), TWICE(ADD));
	on_cpu(1);
	execute("cDiDs");
	on_cpu(0);
	execute("s");
	EXPECT(!is_executed(ADD));
	EXPECT(reported_now("execution of unsynchronised code"));
	execute("D"); /* known now */
	on_cpu(1);
	execute("cDiDs");
	on_cpu(0);
	execute("s");
	EXPECT(is_executed(ADD));
}

/* All that was there since the last invalidation may be. */
CASE(older_contents)
{
	hm_insn_str(word(0), TWICE(NOP));
	hm_insn_str(word(0), TWICE(BRANCH));
	execute("cDs");
	EXPECT(hm_machine_may_fetch(code, TRAP));
	EXPECT(hm_machine_may_fetch(code, NOP));
	EXPECT(hm_machine_may_fetch(code, BRANCH));
	EXPECT(!hm_machine_may_fetch(code, CALL));
	execute("iDs");
	EXPECT(!hm_machine_may_fetch(code, TRAP));
	EXPECT(!hm_machine_may_fetch(code, NOP));
	EXPECT(hm_machine_may_fetch(code, BRANCH));
	on_cpu(1);
	EXPECT(hm_machine_may_fetch(code, TRAP));
	EXPECT(hm_machine_may_fetch(instruction(LINE / 4), TRAP));
	EXPECT(!machine.violation[0]);
}

/* The first half is what it was, and so are the words beside it. */
CASE(four_bytes)
{
	hm_insn_str32((uint32_t *)(void *)word(0) + 1, NOP);
	EXPECT(*word(0) == ((uint64_t)NOP << 32 | TRAP));
	hm_machine_fetch(instruction(0), TRAP);
	hm_machine_fetch(instruction(2), TRAP);
	EXPECT(!machine.violation[0]);
	EXPECT(hm_machine_may_fetch(instruction(1), TRAP));
	EXPECT(hm_machine_may_fetch(instruction(1), NOP));
	execute("cDiDso");
	hm_machine_fetch(instruction(1), NOP);
	EXPECT(!machine.violation[0]);
	hm_insn_str32((uint32_t *)(void *)word(1), ADD);
	execute("cDiDso");
	hm_machine_fetch(instruction(2), ADD);
	hm_machine_fetch(instruction(3), TRAP);
	EXPECT(!machine.violation[0]);
	hm_insn_str32((uint32_t *)(void *)((char *)word(1) + 2), NOP);
	EXPECT(reported_now("that is not aligned"));
	hm_insn_str32((uint32_t *)(void *)&machine, NOP);
	EXPECT(reported_now("outside of the machine's memory"));
}

/* What may be executed while it is replaced (Arm ARM B2.2.5). */
CASE(replaced_while_it_is_executed)
{
	static const uint32_t may[] = { NOP,
					BRANCH,
					CALL,
					UINT32_C(0xd4200020), /* BRK */
					UINT32_C(0xd4000001),
					UINT32_C(0xd4000002),
					UINT32_C(0xd4000003),
					UINT32_C(0xd5033fdf) }; /* ISB */
	static const uint32_t may_not[] = { ADD,
					    UINT32_C(0xd503203f),
					    UINT32_C(0xd5033f9f),
					    UINT32_C(0xd4400000),
					    UINT32_C(0x54000000),
					    0 };
	uint32_t found;
	unsigned int i;

	for (i = 0; i < sizeof(may) / sizeof(may[0]); i++) {
		suite_setup();
		hm_insn_str32((uint32_t *)(void *)word(0), may[i]);
		EXPECT(hm_machine_fetch_try(code, &found) == HM_MACHINE_DONE);
		EXPECT((found == may[i] || found == TRAP) && !machine.violation[0]);
	}
	for (i = 0; i < sizeof(may_not) / sizeof(may_not[0]); i++) {
		suite_setup();
		hm_insn_str32((uint32_t *)(void *)word(0), may_not[i]);
		EXPECT(hm_machine_fetch_try(code, &found) == HM_MACHINE_DONE);
		EXPECT(reported_now("is no instruction to replace"));
		execute("cDiDs");
		EXPECT(hm_machine_fetch_try(code, &found) == HM_MACHINE_DONE);
		EXPECT(found == may_not[i] && !machine.violation[0]);
	}
}

/* By chance, each of what may be there. */
CASE(what_comes)
{
	unsigned int traps = 0, i;
	uint32_t found;

	hm_insn_str32((uint32_t *)(void *)word(0), NOP);
	for (i = 0; i < 100; i++) {
		EXPECT(hm_machine_fetch_try(code, &found) == HM_MACHINE_DONE);
		traps += found == TRAP;
	}
	EXPECT(traps && traps < 100);
}

static bool works_with(bool idc, bool dic, const char *steps)
{
	const struct hm_machine_config config = { .idc = idc, .dic = dic };

	start_with(config, HM_ARM64_KERNEL_RW);
	hm_insn_str(word(0), TWICE(ADD));
	execute(steps);
	return is_executed(ADD);
}

CASE(caches_that_need_less)
{
	EXPECT(works_with(true, false, "DiDso"));
	EXPECT(works_with(true, false, "SiDso"));
	EXPECT(!works_with(true, false, "iDso"));
	EXPECT(!works_with(true, false, "Dso"));
	EXPECT(works_with(false, true, "cDso"));
	EXPECT(!works_with(false, true, "Dso"));
	EXPECT(!works_with(false, true, "cDs"));
	EXPECT(works_with(true, true, "Sso"));
	EXPECT(!works_with(true, true, "so"));
	EXPECT(!works_with(true, true, "soS"));
}

CASE(cache_type)
{
	struct hm_machine_config config = { .idc = false };

	EXPECT(hm_insn_mrs_ctr_el0() == UINT64_C(0x80048004));
	config.idc = true;
	config.fetch_line = 16;
	config.data_line = 128;
	start_with(config, HM_ARM64_KERNEL_RW);
	EXPECT(hm_insn_mrs_ctr_el0() == UINT64_C(0x90058002));
	config.dic = true;
	start_with(config, HM_ARM64_KERNEL_RW);
	EXPECT(hm_insn_mrs_ctr_el0() == UINT64_C(0xb0058002));
}

/* Lines of 16 bytes to fetch, of 128 to clean. */
CASE(lines_of_other_sizes)
{
	const struct hm_machine_config config = { .data_line = 128, .fetch_line = 16 };

	start_with(config, HM_ARM64_KERNEL_RW);
	hm_insn_str(word(0), TWICE(ADD));
	hm_insn_str(word(2), TWICE(ADD));
	hm_insn_dc_cvau(word(15));
	execute("DiDso");
	hm_machine_fetch(code, ADD);
	EXPECT(!machine.violation[0]);
	hm_machine_fetch(instruction(4), ADD);
	EXPECT(reported_now("execution of unsynchronised code"));
	hm_insn_ic_ivau(code.val + 16);
	execute("Dso");
	hm_machine_fetch(instruction(4), ADD);
	EXPECT(!machine.violation[0]);
}

/* ---- permissions ---- */

CASE(writable_code)
{
	const hm_va_t va = { linear.val + 20 * PAGE };

	map(va, OTHER, HM_ARM64_KERNEL_RW & ~HM_ARM64_PXN);
	EXPECT(reported_now("is writable and executable"));
	map(va, OTHER, HM_ARM64_KERNEL_RX | HM_ARM64_PXN);
	map(va, OTHER, HM_ARM64_KERNEL_RX);
	EXPECT(!machine.violation[0]);
	map(va, OTHER, HM_ARM64_KERNEL_RX & ~HM_ARM64_READONLY);
	EXPECT(reported_now("is writable and executable"));
	hm_port_pte_store(
		table(MIDDLE) + 1,
		hm_arm64_leaf((hm_pa_t){ 0 }, 1, HM_ARM64_KERNEL_RX & ~HM_ARM64_READONLY));
	EXPECT(reported_now("is writable and executable"));
}

/* One that was filled before it was linked. */
CASE(writable_code_in_a_new_table)
{
	hm_port_pte_store(table(NEW), hm_arm64_leaf(hm_machine_page(OTHER), 0,
						    HM_ARM64_KERNEL_RW & ~HM_ARM64_PXN));
	EXPECT(!machine.violation[0]);
	hm_insn_dmb_ishst();
	hm_port_pte_store(table(MIDDLE) + 1, hm_arm64_table(hm_machine_page(NEW)));
	EXPECT(reported_now("is writable and executable"));
}

static void start_with_keys(unsigned int style)
{
	struct hm_machine_config config = { .key_style = style };
	const uint64_t alias = HM_ARM64_KEY(HM_KEY_TEXT) |
			       (style == HM_KEY_STYLE_STORE ? HM_ARM64_KERNEL_KEYED
							    : HM_ARM64_KERNEL_RW);
	unsigned int cpu;

	start_with(config, alias);
	for (cpu = 0; cpu < 2; cpu++) {
		on_cpu(cpu);
		if (style == HM_KEY_STYLE_STORE)
			hm_arm64_gcs_enable();
		else
			hm_arm64_poe_enable();
	}
	on_cpu(0);
	hm_machine_settle();
}

/* By the key register as it may be: what an overlay forbids now counts. */
CASE(writable_code_with_keys)
{
	const hm_va_t va = { linear.val + 20 * PAGE };
	const unsigned int index = HM_ARM64_PIINDEX(HM_ARM64_KERNEL_RX);

	start_with_keys(HM_KEY_STYLE_WINDOW);
	map(va, OTHER, HM_ARM64_KERNEL_RX | HM_ARM64_KEY(HM_KEY_TEXT));
	EXPECT(!machine.violation[0]);
	hm_insn_msr_pir_el1(HM_ARM64_PIR_EL1 | UINT64_C(7) << 4 * index);
	map(va, OTHER, HM_ARM64_KERNEL_RX | HM_ARM64_KEY(HM_KEY_TEXT));
	EXPECT(!machine.violation[0]); /* nDirty */
	map(va, OTHER, (HM_ARM64_KERNEL_RX & ~HM_ARM64_READONLY) | HM_ARM64_KEY(HM_KEY_TEXT));
	EXPECT(reported_now("is writable and executable"));
}

/* What a CPU executes that it may write, whenever its registers came to say so. */
CASE(writable_code_by_registers)
{
	const unsigned int index = HM_ARM64_PIINDEX(HM_ARM64_KERNEL_RX);

	start_with_keys(HM_KEY_STYLE_WINDOW);
	map(code, CODE, HM_ARM64_KERNEL_RX & ~HM_ARM64_READONLY);
	hm_machine_settle();
	hm_machine_fetch(code, TRAP);
	EXPECT(!machine.violation[0]);
	hm_insn_msr_pir_el1(HM_ARM64_PIR_EL1 | UINT64_C(7) << 4 * index);
	hm_insn_isb();
	hm_insn_tlbi_vmalle1();
	hm_insn_dsb_nsh();
	hm_insn_isb();
	hm_machine_fetch(code, TRAP);
	EXPECT(reported_now("is writable and executable"));
}

/* ---- windows ---- */

CASE(alias_with_a_key)
{
	hm_kpkeys_token_t level;

	start_with_keys(HM_KEY_STYLE_WINDOW);
	hm_kpkeys_cpu_start();
	hm_machine_stray(CODE);
	EXPECT(!machine.violation[0]);
	hm_insn_str32((uint32_t *)(void *)word(0), ADD);
	EXPECT(reported_now("a store to page 4 may be denied"));
	level = hm_kpkeys_enter_text();
	hm_insn_str32((uint32_t *)(void *)word(0), ADD);
	EXPECT(!machine.violation[0]);
	hm_machine_stray(CODE);
	EXPECT(reported_now("is open to a stray store"));
	hm_kpkeys_leave(level);
	execute("cDiDso");
	EXPECT(is_executed(ADD));
}

static bool keyed_works(const char *steps)
{
	start_with_keys(HM_KEY_STYLE_STORE);
	hm_machine_stray(CODE);
	hm_insn_gcsstr(word(0), TWICE(ADD));
	execute(steps);
	return is_executed(ADD);
}

/* A GCSB, and then a full barrier, before the clean is of it (Arm ARM D11.9). */
CASE(keyed_stores)
{
	EXPECT(keyed_works("gmcDiDso"));
	EXPECT(keyed_works("gDcDiDso"));
	EXPECT(!keyed_works("mcDiDso"));
	EXPECT(!keyed_works("gcDiDso"));
	EXPECT(!keyed_works("mgcDiDso"));
	EXPECT(!keyed_works("cgmDiDso"));
	EXPECT(reported_now("execution of unsynchronised code"));
	hm_insn_str(word(0), 0);
	EXPECT(reported_now("a store to page 4 may be denied"));
}

/* ---- mistakes ---- */

CASE(what_is_executed)
{
	const hm_va_t outside = { linear.val + 30 * PAGE }, data = { linear.val + OTHER * PAGE };

	EXPECT(hm_machine_fetch(code, NOP) == HM_MACHINE_DONE);
	EXPECT(reported_now("is 0xd4200000 and not 0xd503201f"));
	EXPECT(hm_machine_fetch(outside, NOP) == HM_MACHINE_FAULT);
	EXPECT(hm_machine_fetch(data, NOP) == HM_MACHINE_FAULT);
	EXPECT(!machine.violation[0]);
	EXPECT(!hm_machine_may_fetch(outside, NOP) && !hm_machine_may_fetch(data, 0));
	*word(0) = 1;
	hm_machine_fetch(code, 1);
	EXPECT(reported_now("a store to code in page 4 that is none of the machine's"));
	hm_port_pte_store(table(TABLE) + hm_port_pgtable_index(outside, 0),
			  hm_arm64_leaf((hm_pa_t){ 0 }, 0, HM_ARM64_KERNEL_RX));
	hm_machine_settle();
	hm_machine_fetch(outside, NOP);
	EXPECT(reported_now("is not memory"));
}

/* The translation that fetches need, as other accesses do. */
CASE(translation_of_code)
{
	hm_pte_t none = { 0 };
	uint32_t found;

	hm_port_pte_store(table(TABLE) + hm_port_pgtable_index(code, 0), none);
	execute("D");
	hm_machine_fetch(code, TRAP);
	EXPECT(reported_now("still accessible"));
	EXPECT(hm_machine_may_fetch(code, TRAP) == false);
	hm_insn_tlbi_vaae1is(code.val >> 12 & ((UINT64_C(1) << 44) - 1));
	execute("Dso");
	EXPECT(hm_machine_fetch(code, TRAP) == HM_MACHINE_FAULT);
	EXPECT(hm_machine_fetch_try(code, &found) == HM_MACHINE_FAULT);
	EXPECT(!machine.violation[0]);
	map(code, CODE, HM_ARM64_KERNEL_RX);
	hm_machine_fetch(code, TRAP);
	EXPECT(reported_now("spurious fault"));
	hm_insn_ic_ivau(code.val);
	EXPECT(reported_now("IC IVAU of 0xffff0000"));
	execute("Ss");
	hm_insn_ic_ivau(code.val);
	hm_machine_fetch(code, TRAP);
	EXPECT(!machine.violation[0]);
}

CASE(maintenance_of_what_is_not_there)
{
	hm_insn_dc_cvau(&machine);
	EXPECT(reported_now("DC CVAU outside"));
	hm_insn_dc_cvau(&machine.memory[ABSENT][0]);
	EXPECT(reported_now("DC CVAU of 0xffff"));
	hm_insn_ic_ivau(linear.val + 30 * PAGE);
	EXPECT(reported_now("IC IVAU of 0xffff"));
}

/* ---- CPUs that are told ---- */

static unsigned int taken[2]; /* interrupts, by CPU */

static void vector(void)
{
	taken[hm_machine_cpu_number()]++;
}

/* Stores, and makes it known, but for the other CPU's context, which a signal synchronises. */
static void tell(void *argument)
{
	const unsigned int other = !hm_machine_cpu_number();

	(void)argument;
	hm_insn_str(word(0), TWICE(ADD));
	execute("cDiD");
	hm_machine_mask(true);
	hm_machine_signal(!other);
	hm_machine_signal(other);
	while (hm_machine_is_signalled(other))
		hm_machine_pass();
	hm_insn_dsb_ish(); /* masked: not here */
	EXPECT(hm_machine_is_signalled(!other) && !taken[!other]);
	hm_machine_mask(false);
	hm_machine_point();
	EXPECT(!hm_machine_is_signalled(!other) && taken[!other] == 1);
	hm_machine_fetch(code, ADD);
}

static void spin(void *argument)
{
	(void)argument;
	while (!taken[hm_machine_cpu_number()])
		hm_machine_point();
	hm_machine_fetch(code, ADD);
}

static void run_told(bool idle)
{
	const struct hm_machine_config config = { .vector = vector, .interleave = 64 };

	taken[0] = taken[1] = 0;
	start_with(config, HM_ARM64_KERNEL_RW);
	hm_machine_thread(tell, NULL);
	if (!idle)
		hm_machine_thread(spin, NULL);
	hm_machine_run();
	EXPECT(!machine.violation[0]);
	EXPECT(taken[1] == !idle);
}

CASE(signals)
{
	run_told(false);
	run_told(true);
	EXPECT(!hm_machine_may_fetch(code, TRAP));
	on_cpu(1);
	EXPECT(!hm_machine_may_fetch(code, TRAP));
}

CASE(counted)
{
	execute("cCiI");
	hm_insn_str32((uint32_t *)(void *)word(0), NOP);
	EXPECT(machine.counts[HM_INSN_DC_CVAU] == 2 && machine.counts[HM_INSN_IC_IVAU] == 1);
	EXPECT(machine.counts[HM_INSN_IC_IALLUIS] == 1 && machine.counts[HM_INSN_STR32] == 1);
}

/* Of 16 bytes, of all memory. */
static uint64_t *small_line(unsigned int n)
{
	return &machine.memory[2 * n / HM_MACHINE_ENTRIES][2 * n % HM_MACHINE_ENTRIES].val;
}

CASE(limits)
{
	const struct hm_machine_config config = { .data_line = 16 };
	unsigned int i;

	start_with(config, HM_ARM64_KERNEL_RW);
	hm_machine_set_linear(0);
	for (i = 0; i < 2 * HM_MACHINE_CLEANS; i++)
		hm_insn_dc_cvau(small_line(i % HM_MACHINE_CLEANS));
	EXPECT(!machine.violation[0]);
	hm_insn_dc_cvau(small_line(HM_MACHINE_CLEANS));
	EXPECT(reported_now("too many lines cleaned without a DSB"));
	hm_insn_dsb_ish();
	hm_insn_dc_cvau(small_line(HM_MACHINE_CLEANS));
	EXPECT(!machine.violation[0]);
	for (i = 0; i < HM_MACHINE_FETCH_INVALIDATIONS; i++)
		hm_insn_ic_ialluis();
	EXPECT(reported_now("too many ICs"));
}
