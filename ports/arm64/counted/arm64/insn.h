/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * insn.h -- the instructions of ports/arm64/insn.h, executed and counted. Put ports/arm64/counted
 * before ports on the include path and define hm_insn_count(); it may be called in any context,
 * exception handlers included.
 */
#ifndef HM_ARM64_COUNTED_INSN_H
#define HM_ARM64_COUNTED_INSN_H
#include <arm64/insn_kind.h>

#define hm_insn_ldr hm_insn_ldr_
#define hm_insn_str hm_insn_str_
#define hm_insn_stp hm_insn_stp_
#define hm_insn_cas hm_insn_cas_
#define hm_insn_gcsstr hm_insn_gcsstr_
#define hm_insn_str32 hm_insn_str32_
#define hm_insn_dsb_ishst hm_insn_dsb_ishst_
#define hm_insn_dsb_ish hm_insn_dsb_ish_
#define hm_insn_dmb_ishst hm_insn_dmb_ishst_
#define hm_insn_dmb_ish hm_insn_dmb_ish_
#define hm_insn_gcsb_dsync hm_insn_gcsb_dsync_
#define hm_insn_isb hm_insn_isb_
#define hm_insn_tlbi_vmalle1is hm_insn_tlbi_vmalle1is_
#define hm_insn_tlbi_vaae1is hm_insn_tlbi_vaae1is_
#define hm_insn_tlbi_vaale1is hm_insn_tlbi_vaale1is_
#define hm_insn_tlbi_rvaae1is hm_insn_tlbi_rvaae1is_
#define hm_insn_tlbi_rvaale1is hm_insn_tlbi_rvaale1is_
#define hm_insn_tlbi_vmalle1 hm_insn_tlbi_vmalle1_
#define hm_insn_msr_por_el1 hm_insn_msr_por_el1_
#define hm_insn_dc_cvau hm_insn_dc_cvau_
#define hm_insn_ic_ivau hm_insn_ic_ivau_
#define hm_insn_ic_ialluis hm_insn_ic_ialluis_
#include "../../insn.h"
#undef hm_insn_ldr
#undef hm_insn_str
#undef hm_insn_stp
#undef hm_insn_cas
#undef hm_insn_gcsstr
#undef hm_insn_str32
#undef hm_insn_dsb_ishst
#undef hm_insn_dsb_ish
#undef hm_insn_dmb_ishst
#undef hm_insn_dmb_ish
#undef hm_insn_gcsb_dsync
#undef hm_insn_isb
#undef hm_insn_tlbi_vmalle1is
#undef hm_insn_tlbi_vaae1is
#undef hm_insn_tlbi_vaale1is
#undef hm_insn_tlbi_rvaae1is
#undef hm_insn_tlbi_rvaale1is
#undef hm_insn_tlbi_vmalle1
#undef hm_insn_msr_por_el1
#undef hm_insn_dc_cvau
#undef hm_insn_ic_ivau
#undef hm_insn_ic_ialluis

void hm_insn_count(enum hm_insn_kind kind);

static inline uint64_t hm_insn_ldr(const uint64_t *address)
{
	hm_insn_count(HM_INSN_LDR);
	return hm_insn_ldr_(address);
}

static inline void hm_insn_str(uint64_t *address, uint64_t value)
{
	hm_insn_count(HM_INSN_STR);
	hm_insn_str_(address, value);
}

static inline uint64_t *hm_insn_stp(uint64_t *address, uint64_t first, uint64_t second)
{
	hm_insn_count(HM_INSN_STR);
	hm_insn_count(HM_INSN_STR);
	return hm_insn_stp_(address, first, second);
}

static inline uint64_t hm_insn_cas(uint64_t *address, uint64_t expected, uint64_t desired)
{
	hm_insn_count(HM_INSN_CAS);
	return hm_insn_cas_(address, expected, desired);
}

static inline void hm_insn_gcsstr(uint64_t *address, uint64_t value)
{
	hm_insn_count(HM_INSN_GCSSTR);
	hm_insn_gcsstr_(address, value);
}

static inline void hm_insn_str32(uint32_t *address, uint32_t value)
{
	hm_insn_count(HM_INSN_STR32);
	hm_insn_str32_(address, value);
}

static inline void hm_insn_dsb_ishst(void)
{
	hm_insn_count(HM_INSN_DSB_ISHST);
	hm_insn_dsb_ishst_();
}

static inline void hm_insn_dsb_ish(void)
{
	hm_insn_count(HM_INSN_DSB_ISH);
	hm_insn_dsb_ish_();
}

static inline void hm_insn_dmb_ishst(void)
{
	hm_insn_count(HM_INSN_DMB_ISHST);
	hm_insn_dmb_ishst_();
}

static inline void hm_insn_dmb_ish(void)
{
	hm_insn_count(HM_INSN_DMB_ISH);
	hm_insn_dmb_ish_();
}

static inline void hm_insn_gcsb_dsync(void)
{
	hm_insn_count(HM_INSN_GCSB_DSYNC);
	hm_insn_gcsb_dsync_();
}

static inline void hm_insn_isb(void)
{
	hm_insn_count(HM_INSN_ISB);
	hm_insn_isb_();
}

static inline void hm_insn_tlbi_vmalle1is(void)
{
	hm_insn_count(HM_INSN_TLBI_VMALLE1IS);
	hm_insn_tlbi_vmalle1is_();
}

static inline void hm_insn_tlbi_vaae1is(uint64_t operand)
{
	hm_insn_count(HM_INSN_TLBI_VAAE1IS);
	hm_insn_tlbi_vaae1is_(operand);
}

static inline void hm_insn_tlbi_vaale1is(uint64_t operand)
{
	hm_insn_count(HM_INSN_TLBI_VAALE1IS);
	hm_insn_tlbi_vaale1is_(operand);
}

static inline void hm_insn_tlbi_rvaae1is(uint64_t operand)
{
	hm_insn_count(HM_INSN_TLBI_RVAAE1IS);
	hm_insn_tlbi_rvaae1is_(operand);
}

static inline void hm_insn_tlbi_rvaale1is(uint64_t operand)
{
	hm_insn_count(HM_INSN_TLBI_RVAALE1IS);
	hm_insn_tlbi_rvaale1is_(operand);
}

static inline void hm_insn_tlbi_vmalle1(void)
{
	hm_insn_count(HM_INSN_TLBI_VMALLE1);
	hm_insn_tlbi_vmalle1_();
}

static inline void hm_insn_msr_por_el1(uint64_t value)
{
	hm_insn_count(HM_INSN_MSR_POR_EL1);
	hm_insn_msr_por_el1_(value);
}

static inline void hm_insn_dc_cvau(const void *address)
{
	hm_insn_count(HM_INSN_DC_CVAU);
	hm_insn_dc_cvau_(address);
}

static inline void hm_insn_ic_ivau(uint64_t address)
{
	hm_insn_count(HM_INSN_IC_IVAU);
	hm_insn_ic_ivau_(address);
}

static inline void hm_insn_ic_ialluis(void)
{
	hm_insn_count(HM_INSN_IC_IALLUIS);
	hm_insn_ic_ialluis_();
}
#endif
