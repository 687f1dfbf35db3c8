/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * insn.h -- the arm64 port's instructions as events of the hosted port: nothing is executed,
 * everything is counted and traced. Found as <arm64/insn.h> because ports/hosted comes before ports
 * on the include path; the functions are those of ports/arm64/insn.h.
 */
#ifndef HM_HOSTED_INSN_H
#define HM_HOSTED_INSN_H
#include <hosted.h>
#include <stdint.h>

static inline uint64_t hm_insn_ldr(const uint64_t *address)
{
	hm_hosted_event(HM_INSN_LDR, address, *address);
	return *(const volatile uint64_t *)address;
}

/* Ordinary stores to tables and code come here alone: where keys are windows, theirs has to be open; where
 * they are stores, none may come. */
static inline void hm_hosted_check_key(const void *address)
{
	const int key = hm_hosted.key_of ? hm_hosted.key_of(address) : HM_KEY_PGTABLES;

	if (key < 0)
		hm_hosted_bug("a store to memory that is read-only");
	if (key <= 0)
		return;
	if (hm_hosted.key_style == HM_KEY_STYLE_STORE)
		hm_hosted_bug("an ordinary store to memory that takes keyed ones");
	if (hm_hosted.key_style == HM_KEY_STYLE_WINDOW &&
	    !(hm_hosted.por_el1 & HM_KEY_ALLOW(key, HM_KEY_WRITE)))
		hm_hosted_bug("a store to memory without its key");
}

static inline void hm_insn_str(uint64_t *address, uint64_t value)
{
	hm_hosted_check_key(address);
	hm_hosted_event(HM_INSN_STR, address, value);
	*(volatile uint64_t *)address = value;
}

static inline void hm_insn_str32(uint32_t *address, uint32_t value)
{
	hm_hosted_check_key(address);
	hm_hosted_event(HM_INSN_STR32, address, value);
	*(volatile uint32_t *)address = value;
}

static inline uint64_t *hm_insn_stp(uint64_t *address, uint64_t first, uint64_t second)
{
	hm_insn_str(address, first);
	hm_insn_str(address + 1, second);
	return address + 2;
}

static inline void hm_insn_gcsstr(uint64_t *address, uint64_t value)
{
	if (hm_hosted.key_style != HM_KEY_STYLE_STORE ||
	    (hm_hosted.key_of && hm_hosted.key_of(address) <= 0))
		hm_hosted_bug("a keyed store to memory that takes ordinary ones");
	hm_hosted_event(HM_INSN_GCSSTR, address, value);
	*(volatile uint64_t *)address = value;
}

static inline uint64_t hm_insn_cas(uint64_t *address, uint64_t expected, uint64_t desired)
{
	hm_hosted_check_key(address);
	hm_hosted_event(HM_INSN_CAS, address, desired);
	__atomic_compare_exchange_n(address, &expected, desired, 0, __ATOMIC_RELAXED,
				    __ATOMIC_RELAXED);
	return expected;
}

static inline void hm_insn_dsb_ishst(void)
{
	hm_hosted_event(HM_INSN_DSB_ISHST, 0, 0);
}

static inline void hm_insn_dsb_ish(void)
{
	hm_hosted_event(HM_INSN_DSB_ISH, 0, 0);
}

static inline void hm_insn_dmb_ishst(void)
{
	hm_hosted_event(HM_INSN_DMB_ISHST, 0, 0);
}

static inline void hm_insn_dmb_ish(void)
{
	hm_hosted_event(HM_INSN_DMB_ISH, 0, 0);
}

static inline void hm_insn_gcsb_dsync(void)
{
	hm_hosted_event(HM_INSN_GCSB_DSYNC, 0, 0);
}

static inline void hm_insn_isb(void)
{
	hm_hosted_event(HM_INSN_ISB, 0, 0);
}

static inline void hm_insn_tlbi_vmalle1is(void)
{
	hm_hosted_event(HM_INSN_TLBI_VMALLE1IS, 0, 0);
}

static inline void hm_insn_tlbi_vaae1is(uint64_t operand)
{
	hm_hosted_event(HM_INSN_TLBI_VAAE1IS, 0, operand);
}

static inline void hm_insn_tlbi_vaale1is(uint64_t operand)
{
	hm_hosted_event(HM_INSN_TLBI_VAALE1IS, 0, operand);
}

static inline void hm_insn_tlbi_rvaae1is(uint64_t operand)
{
	hm_hosted_event(HM_INSN_TLBI_RVAAE1IS, 0, operand);
}

static inline void hm_insn_tlbi_rvaale1is(uint64_t operand)
{
	hm_hosted_event(HM_INSN_TLBI_RVAALE1IS, 0, operand);
}

static inline void hm_insn_tlbi_vmalle1(void)
{
	hm_hosted_event(HM_INSN_TLBI_VMALLE1, 0, 0);
}

/* Not counted: it is only there for that TLBI. */
static inline void hm_insn_dsb_nsh(void)
{
}

static inline void hm_insn_dc_cvau(const void *address)
{
	hm_hosted_event(HM_INSN_DC_CVAU, address, 0);
}

static inline void hm_insn_ic_ivau(uint64_t address)
{
	hm_hosted_event(HM_INSN_IC_IVAU, 0, address);
}

static inline void hm_insn_ic_ialluis(void)
{
	hm_hosted_event(HM_INSN_IC_IALLUIS, 0, 0);
}

static inline uint64_t hm_insn_mrs_ctr_el0(void)
{
	return hm_hosted.ctr_el0;
}

static inline uint64_t hm_insn_mrs_por_el1(void)
{
	return hm_hosted.por_el1;
}

static inline void hm_insn_msr_por_el1(uint64_t value)
{
	hm_hosted_event(HM_INSN_MSR_POR_EL1, 0, value);
	hm_hosted.por_el1 = value;
}

static inline void hm_insn_msr_pir_el1(uint64_t value)
{
	hm_hosted.pir_el1 = value;
}

static inline void hm_insn_msr_pire0_el1(uint64_t value)
{
	hm_hosted.pire0_el1 = value;
}

static inline uint64_t hm_insn_mrs_tcr2_el1(void)
{
	return hm_hosted.tcr2_el1;
}

static inline void hm_insn_msr_tcr2_el1(uint64_t value)
{
	hm_hosted.tcr2_el1 = value;
}

static inline void hm_insn_msr_gcscr_el1(uint64_t value)
{
	hm_hosted.gcscr_el1 = value;
}

/* The CPU that the tests ask for. */
static inline uint64_t hm_insn_mrs_id_aa64pfr1_el1(void)
{
	return hm_hosted.id_aa64pfr1_el1;
}

static inline uint64_t hm_insn_mrs_id_aa64mmfr3_el1(void)
{
	return hm_hosted.id_aa64mmfr3_el1;
}

static inline uint64_t hm_insn_mrs_id_aa64mmfr2_el1(void)
{
	return hm_hosted.id_aa64mmfr2_el1;
}

static inline uint64_t hm_insn_mrs_midr_el1(void)
{
	return hm_hosted.midr_el1;
}

static inline uint64_t hm_insn_mrs_id_aa64isar0_el1(void)
{
	return hm_hosted.id_aa64isar0_el1;
}
#endif
