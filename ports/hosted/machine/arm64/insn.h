/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * insn.h -- the arm64 port's instructions as acts of the machine of machine.h. The functions are those
 * of ports/arm64/insn.h; found as <arm64/insn.h> because ports/hosted/machine comes before ports on
 * the include path.
 */
#ifndef HM_MACHINE_INSN_H
#define HM_MACHINE_INSN_H
#include <machine.h>

static inline uint64_t hm_insn_ldr(const uint64_t *address)
{
	return hm_machine_load(address);
}

static inline void hm_insn_str(uint64_t *address, uint64_t value)
{
	hm_machine_store(address, value);
}

/* In no order: the machine stores them in either. */
static inline uint64_t *hm_insn_stp(uint64_t *address, uint64_t first, uint64_t second)
{
	if (hm_machine_random(2)) {
		hm_machine_store(address + 1, second);
		hm_machine_store(address, first);
	} else {
		hm_machine_store(address, first);
		hm_machine_store(address + 1, second);
	}
	return address + 2;
}

static inline void hm_insn_gcsstr(uint64_t *address, uint64_t value)
{
	hm_machine_keyed_store(address, value);
}

static inline void hm_insn_str32(uint32_t *address, uint32_t value)
{
	hm_machine_store32(address, value);
}

static inline uint64_t hm_insn_cas(uint64_t *address, uint64_t expected, uint64_t desired)
{
	return hm_machine_compare_exchange(address, expected, desired);
}

static inline void hm_insn_dsb_ishst(void)
{
	hm_machine_dsb(HM_INSN_DSB_ISHST);
}

static inline void hm_insn_dsb_ish(void)
{
	hm_machine_dsb(HM_INSN_DSB_ISH);
}

static inline void hm_insn_dmb_ishst(void)
{
	hm_machine_dmb(HM_INSN_DMB_ISHST);
}

static inline void hm_insn_dmb_ish(void)
{
	hm_machine_dmb(HM_INSN_DMB_ISH);
}

static inline void hm_insn_gcsb_dsync(void)
{
	hm_machine_gcsb();
}

static inline void hm_insn_isb(void)
{
	hm_machine_isb();
}

static inline void hm_insn_tlbi_vmalle1is(void)
{
	hm_machine_tlbi(HM_INSN_TLBI_VMALLE1IS, 0);
}

static inline void hm_insn_tlbi_vaae1is(uint64_t operand)
{
	hm_machine_tlbi(HM_INSN_TLBI_VAAE1IS, operand);
}

static inline void hm_insn_tlbi_vaale1is(uint64_t operand)
{
	hm_machine_tlbi(HM_INSN_TLBI_VAALE1IS, operand);
}

static inline void hm_insn_tlbi_rvaae1is(uint64_t operand)
{
	hm_machine_tlbi(HM_INSN_TLBI_RVAAE1IS, operand);
}

static inline void hm_insn_tlbi_rvaale1is(uint64_t operand)
{
	hm_machine_tlbi(HM_INSN_TLBI_RVAALE1IS, operand);
}

static inline void hm_insn_tlbi_vmalle1(void)
{
	hm_machine_tlbi(HM_INSN_TLBI_VMALLE1, 0);
}

static inline void hm_insn_dsb_nsh(void)
{
	hm_machine_dsb_nsh();
}

static inline void hm_insn_dc_cvau(const void *address)
{
	hm_machine_clean(address);
}

static inline void hm_insn_ic_ivau(uint64_t address)
{
	hm_machine_fetch_invalidate(address);
}

static inline void hm_insn_ic_ialluis(void)
{
	hm_machine_fetch_invalidate_all();
}

static inline uint64_t hm_insn_mrs_ctr_el0(void)
{
	return hm_machine_ctr();
}

static inline uint64_t hm_insn_mrs_por_el1(void)
{
	return hm_machine_register(HM_MACHINE_POR_EL1);
}

static inline void hm_insn_msr_por_el1(uint64_t value)
{
	hm_machine_write_register(HM_MACHINE_POR_EL1, value);
}

static inline void hm_insn_msr_pir_el1(uint64_t value)
{
	hm_machine_write_register(HM_MACHINE_PIR_EL1, value);
}

static inline void hm_insn_msr_pire0_el1(uint64_t value)
{
	hm_machine_write_register(HM_MACHINE_PIRE0_EL1, value);
}

static inline uint64_t hm_insn_mrs_tcr2_el1(void)
{
	return hm_machine_register(HM_MACHINE_TCR2_EL1);
}

static inline void hm_insn_msr_tcr2_el1(uint64_t value)
{
	hm_machine_write_register(HM_MACHINE_TCR2_EL1, value);
}

static inline void hm_insn_msr_gcscr_el1(uint64_t value)
{
	hm_machine_write_register(HM_MACHINE_GCSCR_EL1, value);
}

/* S1PIE for both ways to lock, S1POE for windows, GCS for keyed stores. */
static inline uint64_t hm_insn_mrs_id_aa64mmfr3_el1(void)
{
	switch (hm_machine->config.key_style) {
	case HM_KEY_STYLE_WINDOW:
		return UINT64_C(0x10101);
	case HM_KEY_STYLE_STORE:
		return UINT64_C(0x101);
	default:
		return 0;
	}
}

static inline uint64_t hm_insn_mrs_id_aa64pfr1_el1(void)
{
	return hm_machine->config.key_style == HM_KEY_STYLE_STORE ? UINT64_C(1) << 44 : 0;
}

static inline uint64_t hm_insn_mrs_id_aa64mmfr2_el1(void)
{
	return (uint64_t)hm_machine->config.bbm_level << 52;
}

/* Software (implementer 0), and no CPU that is known for anything. */
static inline uint64_t hm_insn_mrs_midr_el1(void)
{
	return UINT64_C(0xf0000);
}

static inline uint64_t hm_insn_mrs_id_aa64isar0_el1(void)
{
	return hm_machine->config.has_tlbi_range ? UINT64_C(2) << 56 : 0;
}
#endif
