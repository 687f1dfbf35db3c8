/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * insn.h -- every instruction of the arm64 port that C cannot express, one function each, and the
 * accesses to translation tables and to code.
 *
 * The other headers of this port include it as <arm64/insn.h>, never by a relative path: whoever
 * puts another arm64/insn.h earlier on the include path (the hosted port, the example kernel's
 * counters) sees every instruction and every table access that the port executes.
 */
#ifndef HM_ARM64_INSN_H
#define HM_ARM64_INSN_H
#ifndef HM_NO_STD_HEADERS
#include <stdint.h>
#endif

/* Translation table accesses: single-copy atomic (Arm ARM B2.2.1), never torn, merged or repeated. */
static inline uint64_t hm_insn_ldr(const uint64_t *address)
{
	/* That there is a table is for the caller to know.
	 * NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	return *(const volatile uint64_t *)address;
}

static inline void hm_insn_str(uint64_t *address, uint64_t value)
{
	*(volatile uint64_t *)address = value;
}

/* Two single-copy atomic stores of 64 bits each, in no order; returns address + 2. */
static inline uint64_t *hm_insn_stp(uint64_t *address, uint64_t first, uint64_t second)
{
	__asm__ volatile("stp %x1, %x2, [%0], #16"
			 : "+r"(address)
			 : "rZ"(first), "rZ"(second)
			 : "memory");
	return address;
}

/* GCSSTR (Arm ARM C6.2, D11): writes eight aligned bytes of a page that is a Guarded Control Stack, and
 * faults on any other. By encoding, as assemblers know it only from Armv9.4 on. */
static inline void hm_insn_gcsstr(uint64_t *address, uint64_t value)
{
	register uint64_t *x0 __asm__("x0") = address;
	register uint64_t x1 __asm__("x1") = value;

	__asm__ volatile(".inst 0xd91f0c01 // gcsstr x1, [x0]" : : "r"(x0), "r"(x1) : "memory");
}

/* An instruction: four aligned bytes, single-copy atomic too. */
static inline void hm_insn_str32(uint32_t *address, uint32_t value)
{
	*(volatile uint32_t *)address = value;
}

/* Relaxed; returns what was found. */
static inline uint64_t hm_insn_cas(uint64_t *address, uint64_t expected, uint64_t desired)
{
	__atomic_compare_exchange_n(address, &expected, desired, 0, __ATOMIC_RELAXED,
				    __ATOMIC_RELAXED);
	return expected;
}

/* Barriers. All are compiler barriers too. */
static inline void hm_insn_dsb_ishst(void)
{
	__asm__ volatile("dsb ishst" : : : "memory");
}

static inline void hm_insn_dsb_ish(void)
{
	__asm__ volatile("dsb ish" : : : "memory");
}

static inline void hm_insn_dmb_ishst(void)
{
	__asm__ volatile("dmb ishst" : : : "memory");
}

static inline void hm_insn_dmb_ish(void)
{
	__asm__ volatile("dmb ish" : : : "memory");
}

/* GCSB DSYNC, a hint: nothing where there is no FEAT_GCS. */
static inline void hm_insn_gcsb_dsync(void)
{
	__asm__ volatile("hint #19" : : : "memory");
}

static inline void hm_insn_isb(void)
{
	__asm__ volatile("isb" : : : "memory");
}

/* Cache maintenance to the point of unification, inner shareable (Arm ARM C5.3): cleans the line of data at
 * that address; invalidates the line of instructions at that address; or all such lines. */
static inline void hm_insn_dc_cvau(const void *address)
{
	__asm__ volatile("dc cvau, %0" : : "r"(address) : "memory");
}

static inline void hm_insn_ic_ivau(uint64_t address)
{
	__asm__ volatile("ic ivau, %x0" : : "r"(address) : "memory");
}

static inline void hm_insn_ic_ialluis(void)
{
	__asm__ volatile("ic ialluis" : : : "memory");
}

/* TLB maintenance, EL1&0 regime, all ASIDs, inner shareable (Arm ARM C5.5). The range forms are
 * written as SYS, as assemblers know them only from Armv8.4 on; op1 = 0, CRn = 8. */
static inline void hm_insn_tlbi_vmalle1is(void)
{
	__asm__ volatile("tlbi vmalle1is" : : : "memory");
}

static inline void hm_insn_tlbi_vaae1is(uint64_t operand)
{
	__asm__ volatile("tlbi vaae1is, %x0" : : "r"(operand) : "memory");
}

static inline void hm_insn_tlbi_vaale1is(uint64_t operand)
{
	__asm__ volatile("tlbi vaale1is, %x0" : : "r"(operand) : "memory");
}

static inline void hm_insn_tlbi_rvaae1is(uint64_t operand)
{
	__asm__ volatile("sys #0, c8, c2, #3, %x0" : : "r"(operand) : "memory");
}

static inline void hm_insn_tlbi_rvaale1is(uint64_t operand)
{
	__asm__ volatile("sys #0, c8, c2, #7, %x0" : : "r"(operand) : "memory");
}

/* This PE only: for a change of what its control registers say of translations. */
static inline void hm_insn_tlbi_vmalle1(void)
{
	__asm__ volatile("tlbi vmalle1" : : : "memory");
}

static inline void hm_insn_dsb_nsh(void)
{
	__asm__ volatile("dsb nsh" : : : "memory");
}

/* The registers of permission indirection and overlay, EL1&0 regime, by encoding, as assemblers know them
 * only from Armv8.9 on (Arm ARM D24.2: POR_EL1, PIR_EL1, PIRE0_EL1, TCR2_EL1). A write takes effect with
 * the next context synchronisation event at the latest. */
static inline uint64_t hm_insn_mrs_por_el1(void)
{
	uint64_t value;

	__asm__ volatile("mrs %x0, s3_0_c10_c2_4" : "=r"(value));
	return value;
}

static inline void hm_insn_msr_por_el1(uint64_t value)
{
	__asm__ volatile("msr s3_0_c10_c2_4, %x0" : : "r"(value) : "memory");
}

static inline void hm_insn_msr_pir_el1(uint64_t value)
{
	__asm__ volatile("msr s3_0_c10_c2_3, %x0" : : "r"(value) : "memory");
}

static inline void hm_insn_msr_pire0_el1(uint64_t value)
{
	__asm__ volatile("msr s3_0_c10_c2_2, %x0" : : "r"(value) : "memory");
}

static inline uint64_t hm_insn_mrs_tcr2_el1(void)
{
	uint64_t value;

	__asm__ volatile("mrs %x0, s3_0_c2_c0_3" : "=r"(value));
	return value;
}

static inline void hm_insn_msr_tcr2_el1(uint64_t value)
{
	__asm__ volatile("msr s3_0_c2_c0_3, %x0" : : "r"(value) : "memory");
}

/* GCSCR_EL1, of FEAT_GCS (Arm ARM D24.2): STREn is bit 9. A write takes effect with the next context
 * synchronisation event at the latest. */
static inline void hm_insn_msr_gcscr_el1(uint64_t value)
{
	__asm__ volatile("msr s3_0_c2_c5_0, %x0" : : "r"(value) : "memory");
}

/* CTR_EL0: IminLine 3:0, DminLine 19:16, IDC 28, DIC 29. */
static inline uint64_t hm_insn_mrs_ctr_el0(void)
{
	uint64_t value;

	__asm__("mrs %x0, ctr_el0" : "=r"(value));
	return value;
}

/* ID_AA64PFR1_EL1: GCS 47:44. */
static inline uint64_t hm_insn_mrs_id_aa64pfr1_el1(void)
{
	uint64_t value;

	__asm__("mrs %x0, id_aa64pfr1_el1" : "=r"(value));
	return value;
}

/* ID_AA64MMFR3_EL1: TCRX 3:0, S1PIE 11:8, S1POE 19:16. Reads as zero on CPUs from before it was given out. */
static inline uint64_t hm_insn_mrs_id_aa64mmfr3_el1(void)
{
	uint64_t value;

	__asm__("mrs %x0, s3_0_c0_c7_3" : "=r"(value));
	return value;
}

/* ID_AA64MMFR2_EL1: BBM 55:52. By encoding, as it is of Armv8.2; zero on CPUs from before. */
static inline uint64_t hm_insn_mrs_id_aa64mmfr2_el1(void)
{
	uint64_t value;

	__asm__("mrs %x0, s3_0_c0_c7_2" : "=r"(value));
	return value;
}

/* MIDR_EL1: implementer 31:24, variant 23:20, architecture 19:16, part 15:4, revision 3:0. At EL1 it is what
 * EL2 has put into VPIDR_EL2. */
static inline uint64_t hm_insn_mrs_midr_el1(void)
{
	uint64_t value;

	__asm__("mrs %x0, midr_el1" : "=r"(value));
	return value;
}

/* Other system registers. ID_AA64ISAR0_EL1: TLB, bits 59:56, is 2 where the range forms exist. */
static inline uint64_t hm_insn_mrs_id_aa64isar0_el1(void)
{
	uint64_t value;

	__asm__("mrs %x0, id_aa64isar0_el1" : "=r"(value));
	return value;
}
#endif
