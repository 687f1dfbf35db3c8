/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * machine_keys.c -- the machine's rules of permission indirection and overlays, against tables of the Arm ARM
 * (D8.4.3, D8.4.4) written out here; and of system registers whose writes are not synchronised yet.
 */
#include "suite.h"
#include <hardmap/pgtable.h>
#include <string.h>

enum { ROOT, UPPER, MIDDLE, TABLE, PAGE, KEYED_PAGE };

#define KEY 5
#define ALL_OPEN UINT64_C(0x77777777)

static struct hm_machine machine;
static const hm_va_t va = { UINT64_C(0xffff000000000000) };
static const hm_va_t keyed = { UINT64_C(0xffff000000001000) };

static hm_pte_t *table(unsigned int page)
{
	return hm_port_pgtable_map(hm_machine_page(page));
}

/* The registers, long ago. */
static void set(uint64_t tcr2, uint64_t pir, uint64_t pire0, uint64_t por)
{
	hm_insn_msr_por_el1(por);
	hm_insn_msr_pir_el1(pir);
	hm_insn_msr_pire0_el1(pire0);
	hm_insn_msr_tcr2_el1(tcr2);
	hm_insn_isb();
	hm_insn_tlbi_vmalle1();
	hm_insn_dsb_nsh();
	hm_insn_isb();
}

/* The entry that maps PAGE at va, long ago. */
static void map(uint64_t attributes)
{
	hm_port_pte_store(table(TABLE), hm_arm64_leaf(hm_machine_page(PAGE), 0, attributes));
	hm_machine_settle();
}

static void suite_setup(void)
{
	const struct hm_machine_config config = { .cpus = 2,
						  .seed = 1,
						  .key_style = HM_KEY_STYLE_WINDOW };

	hm_machine_start(&machine, &config);
	hm_machine_set_root(ROOT);
	hm_port_pte_store(table(ROOT), hm_arm64_table(hm_machine_page(UPPER)));
	hm_port_pte_store(table(UPPER), hm_arm64_table(hm_machine_page(MIDDLE)));
	hm_port_pte_store(table(MIDDLE), hm_arm64_table(hm_machine_page(TABLE)));
	hm_port_pte_store(table(TABLE) + 1, hm_arm64_leaf(hm_machine_page(KEYED_PAGE), 0,
							  HM_ARM64_KERNEL_RW | HM_ARM64_KEY(KEY)));
	map(HM_ARM64_KERNEL_RW);
	hm_machine_settle();
	machine.violation[0] = 0; /* the fills were not ordered; nobody looked */
}

static bool may(hm_va_t where, enum hm_access access, bool expected)
{
	return hm_machine_may_succeed(where, access) == expected &&
	       hm_machine_may_fault(where, access) == !expected;
}

/* What EL1 may do: "r", "w" and "x" in some order. */
static bool grants(hm_va_t where, const char *letters)
{
	return may(where, HM_ACCESS_READ, strchr(letters, 'r') != NULL) &&
	       may(where, HM_ACCESS_WRITE, strchr(letters, 'w') != NULL) &&
	       may(where, HM_ACCESS_EXECUTE, strchr(letters, 'x') != NULL);
}

/* Every encoding of the base permission, without and with an overlay that opens everything. */
CASE(base_permissions)
{
	/* 6 is not both writable and executable: by itself the former, if an overlay opens it the latter. */
	static const char *const base[16] = { "",  "r", "x",  "rx", "",   "rw", "rw",  "rwx",
					      "r", "r", "rx", "",   "rw", "",   "rwx", "" };
	static const char *const open[16] = { "",  "r", "x",  "rx", "",   "rw", "rx",  "rwx",
					      "r", "r", "rx", "",   "rw", "",   "rwx", "" };
	unsigned int index = HM_ARM64_PIINDEX(HM_ARM64_KERNEL_RW), encoding;

	for (encoding = 0; encoding < 16; encoding++) {
		set(HM_ARM64_TCR2_PIE | HM_ARM64_TCR2_POE, (uint64_t)encoding << 4 * index, 0,
		    ALL_OPEN);
		EXPECT(grants(va, open[encoding]));
		set(HM_ARM64_TCR2_PIE, (uint64_t)encoding << 4 * index, 0, 7);
		EXPECT(grants(va, base[encoding]));
	}
	EXPECT(!machine.violation[0]);
}

/* Every encoding of the overlay over a page that permits all, and over one that no overlay touches. */
CASE(overlays)
{
	static const char *const overlay[16] = { "", "r", "x", "rx", "w", "rw", "wx", "rwx",
						 "", "",  "",  "",   "",  "",   "",   "" };
	unsigned int index = HM_ARM64_PIINDEX(HM_ARM64_KERNEL_RW), encoding;

	for (encoding = 0; encoding < 16; encoding++) {
		uint64_t por = 7 | (uint64_t)encoding << 4 * KEY;

		set(HM_ARM64_TCR2_PIE | HM_ARM64_TCR2_POE, UINT64_C(7) << 4 * index, 0, por);
		EXPECT(grants(keyed, overlay[encoding]));
		EXPECT(grants(va, "rwx")); /* of key 0 */
		set(HM_ARM64_TCR2_PIE | HM_ARM64_TCR2_POE, UINT64_C(0xe) << 4 * index, 0, por);
		EXPECT(grants(keyed, "rwx"));
	}
	EXPECT(!machine.violation[0]);
}

/* A page whose entry says "not dirty" is not written, whatever the rest permits; and without indirection the
 * same bit says "read-only". */
CASE(dirty_state)
{
	unsigned int index = HM_ARM64_PIINDEX(HM_ARM64_KERNEL_RW);

	map(HM_ARM64_KERNEL_RW | HM_ARM64_READONLY);
	set(HM_ARM64_TCR2_PIE, UINT64_C(0xc) << 4 * index, 0, ALL_OPEN);
	EXPECT(grants(va, "r"));
	set(0, 0, 0, ALL_OPEN);
	EXPECT(grants(va, "r"));
}

/* What EL1 executes and EL0 writes is nobody's. */
CASE(privileged_execution_and_unprivileged_writing)
{
	unsigned int index = HM_ARM64_PIINDEX(HM_ARM64_KERNEL_RX), mine, others;

	map(HM_ARM64_KERNEL_RX);
	for (mine = 0; mine < 16; mine++) {
		bool executes = strchr("\2\3\6\7\11\12\16", (int)mine) && mine; /* 9 is GCS */

		for (others = 0; others < 16; others++) {
			bool writes = strchr("\5\6\7\11\14\16", (int)others) && others;

			set(HM_ARM64_TCR2_PIE, (uint64_t)mine << 4 * index,
			    (uint64_t)others << 4 * index, ALL_OPEN);
			if (executes && writes)
				EXPECT(grants(va, ""));
			else if (executes && mine != 9 && mine != 6)
				EXPECT(may(va, HM_ACCESS_EXECUTE, true));
		}
	}
}

/* The overlay register: old and new value until the synchronisation, on the CPU that wrote it. */
CASE(overlay_register_is_synchronised)
{
	set(HM_ARM64_TCR2_PIE | HM_ARM64_TCR2_POE, HM_ARM64_PIR_EL1, HM_ARM64_PIRE0_EL1, 7);
	EXPECT(grants(keyed, ""));
	hm_insn_msr_por_el1(ALL_OPEN);
	EXPECT(hm_machine_may_succeed(keyed, HM_ACCESS_WRITE));
	EXPECT(hm_machine_may_fault(keyed, HM_ACCESS_WRITE));
	hm_machine_access(keyed, HM_ACCESS_WRITE);
	EXPECT(strstr(machine.violation, "not synchronised"));
	machine.violation[0] = 0;
	hm_insn_dsb_ish(); /* is none */
	EXPECT(hm_machine_may_fault(keyed, HM_ACCESS_WRITE));
	hm_insn_isb();
	EXPECT(grants(keyed, "rw"));
	EXPECT(hm_machine_access(keyed, HM_ACCESS_WRITE) == HM_MACHINE_DONE);
	EXPECT(!machine.violation[0]);
	machine.cpu = 1;
	set(HM_ARM64_TCR2_PIE | HM_ARM64_TCR2_POE, HM_ARM64_PIR_EL1, HM_ARM64_PIRE0_EL1, 7);
	EXPECT(grants(keyed, ""));
}

/* An exception's entry and its return synchronise too. */
CASE(exceptions_synchronise)
{
	set(HM_ARM64_TCR2_PIE | HM_ARM64_TCR2_POE, HM_ARM64_PIR_EL1, HM_ARM64_PIRE0_EL1, 7);
	hm_insn_msr_por_el1(ALL_OPEN);
	hm_machine_fault();
	EXPECT(grants(keyed, "rw"));
	hm_insn_msr_por_el1(7);
	EXPECT(hm_machine_may_succeed(keyed, HM_ACCESS_WRITE));
	hm_machine_fault_return();
	EXPECT(grants(keyed, ""));
}

/* What TLBs may hold of a register is in effect until they have forgotten it, in all of these steps. */
CASE(control_registers_are_cached)
{
	unsigned int without;

	for (without = 0; without < 5; without++) {
		suite_setup();
		set(0, HM_ARM64_PIR_EL1, HM_ARM64_PIRE0_EL1, 7);
		EXPECT(grants(keyed, "rw"));
		hm_insn_msr_tcr2_el1(HM_ARM64_TCR2_PIE | HM_ARM64_TCR2_POE);
		if (without != 1)
			hm_insn_isb();
		if (without != 2)
			hm_insn_tlbi_vmalle1();
		if (without != 3)
			hm_insn_dsb_nsh();
		if (without != 4)
			hm_insn_isb();
		EXPECT(hm_machine_may_succeed(keyed, HM_ACCESS_WRITE) == (without != 0));
		EXPECT(hm_machine_may_fault(keyed, HM_ACCESS_WRITE));
	}
}

/* A local invalidation is no other CPU's. */
CASE(local_invalidation_is_local)
{
	set(0, 0, 0, 7);
	hm_port_pte_store(table(TABLE),
			  hm_arm64_leaf(hm_machine_page(PAGE), 0, HM_ARM64_KERNEL_RO));
	hm_insn_dsb_ishst();
	hm_insn_tlbi_vmalle1();
	hm_insn_dsb_nsh();
	hm_insn_isb();
	EXPECT(grants(va, "r"));
	machine.cpu = 1;
	EXPECT(hm_machine_may_succeed(va, HM_ACCESS_WRITE));
}

/* Values that no kernel writes are reported. */
CASE(register_values)
{
	hm_insn_msr_por_el1(UINT64_C(1) << 32 | 7);
	EXPECT(strstr(machine.violation, "reserved bits"));
	machine.violation[0] = 0;
	hm_insn_msr_por_el1(5);
	EXPECT(strstr(machine.violation, "closes key 0"));
}

/* The library's own stores are judged by the linear map: without the key, and without a translation. */
CASE(stores_by_the_linear_map)
{
	const uint64_t linear = va.val - PAGE * HM_MACHINE_PAGE_BYTES; /* PAGE is at va */

	set(HM_ARM64_TCR2_PIE | HM_ARM64_TCR2_POE, HM_ARM64_PIR_EL1, HM_ARM64_PIRE0_EL1, 7);
	hm_machine_set_linear(linear);
	hm_machine_store(&table(PAGE)->val, 1);
	EXPECT(!machine.violation[0]);
	hm_machine_stray(KEYED_PAGE);
	EXPECT(!machine.violation[0]);
	hm_machine_store(&table(KEYED_PAGE)->val, 1);
	EXPECT(strstr(machine.violation, "without its key"));
	machine.violation[0] = 0;
	hm_machine_compare_exchange(&table(KEYED_PAGE)->val, 1, 0);
	EXPECT(strstr(machine.violation, "without its key"));
	machine.violation[0] = 0;
	hm_machine_stray(PAGE);
	EXPECT(strstr(machine.violation, "stray store"));
	machine.violation[0] = 0;
	hm_machine_store(&table(KEYED_PAGE + 1)->val, 1);
	EXPECT(strstr(machine.violation, "no translation"));
}

/* After a reset nothing is known but that keys are off. */
CASE(reset)
{
	set(HM_ARM64_TCR2_PIE | HM_ARM64_TCR2_POE, HM_ARM64_PIR_EL1, HM_ARM64_PIRE0_EL1, 7);
	EXPECT(grants(keyed, ""));
	hm_machine_reset_cpu();
	EXPECT(grants(keyed, "rw"));
	hm_arm64_poe_enable();
	EXPECT(!machine.violation[0]);
	EXPECT(grants(va, "rw"));
}
