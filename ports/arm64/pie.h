/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * pie.h -- permission indirection, FEAT_S1PIE, EL1&0 regime: what PIR_EL1 and PIRE0_EL1 say of each kind of
 * page of vmsa.h, for window keys (poe.h) and store keys (gcs.h), which include it.
 *
 * Only EL1&0: a kernel at EL2 with VHE has its registers under the same names and is not tested; EL3 and EL2
 * must have given EL1 the registers (SCR_EL3.TCR2En, SCR_EL3.PIEn, HCRX_EL2.TCR2En), or their use is
 * undefined here.
 */
#ifndef HM_ARM64_PIE_H
#define HM_ARM64_PIE_H
#include <arm64/vmsa.h>

/* Which of the two it is, or none, is for the port to say when it runs: hm_port_key_style(). */
#define HM_PORT_KEY_STYLE HM_KEY_STYLE_RUN_TIME

/* PIR_EL1 and PIRE0_EL1: what an index means, four bits each (Arm ARM D8.4.3, base permissions). */
#define HM_ARM64_PIR_NONE 0x0 /* with overlay, as all below 8 */
#define HM_ARM64_PIR_R 0x1
#define HM_ARM64_PIR_RX 0x3
#define HM_ARM64_PIR_RW 0x5
#define HM_ARM64_PIR_R_ALWAYS 0x8 /* without overlay, as all from 8 on */
#define HM_ARM64_PIR_GCS 0x9 /* readable; written by GCSSTR alone */
#define HM_ARM64_PIR_RW_ALWAYS 0xc
#define HM_ARM64_PIR_FIELD_(attributes, permission) \
	((uint64_t)(permission) << (4 * HM_ARM64_PIINDEX(attributes)))

/*
 * Each kind of page of vmsa.h, by the index that its attributes are. The kernel's pages are under POR_EL1.
 * User pages are not, at EL1: their POIndex is a user key's number. At EL0 they are under POR_EL0 if the
 * kernel sets TCR2_EL1.E0POE. No index gives EL1 execution of what EL0 writes, which would take both away.
 * Every other index gives nothing.
 */
#define HM_ARM64_PIR_EL1                                                 \
	(HM_ARM64_PIR_FIELD_(HM_ARM64_KERNEL_RW, HM_ARM64_PIR_RW) |      \
	 HM_ARM64_PIR_FIELD_(HM_ARM64_KERNEL_RO, HM_ARM64_PIR_R) |       \
	 HM_ARM64_PIR_FIELD_(HM_ARM64_KERNEL_RX, HM_ARM64_PIR_RX) |      \
	 HM_ARM64_PIR_FIELD_(HM_ARM64_USER_RW, HM_ARM64_PIR_RW_ALWAYS) | \
	 HM_ARM64_PIR_FIELD_(HM_ARM64_USER_RO, HM_ARM64_PIR_R_ALWAYS) |  \
	 HM_ARM64_PIR_FIELD_(HM_ARM64_USER_RX, HM_ARM64_PIR_R_ALWAYS))
#define HM_ARM64_PIRE0_EL1                                        \
	(HM_ARM64_PIR_FIELD_(HM_ARM64_USER_RW, HM_ARM64_PIR_RW) | \
	 HM_ARM64_PIR_FIELD_(HM_ARM64_USER_RO, HM_ARM64_PIR_R) |  \
	 HM_ARM64_PIR_FIELD_(HM_ARM64_USER_RX, HM_ARM64_PIR_RX))

/* TCR2_EL1 (Arm ARM D24.2.195). */
#define HM_ARM64_TCR2_PIE (UINT64_C(1) << 1)
#define HM_ARM64_TCR2_POE (UINT64_C(1) << 3)

/* Whether the CPU that asks has FEAT_S1PIE: ID_AA64MMFR3_EL1.S1PIE, 11:8. */
static inline bool hm_arm64_cpu_has_pie(void)
{
	return hm_insn_mrs_id_aa64mmfr3_el1() >> 8 & 15;
}

/* This CPU forgets what its TLB has cached of TCR2_EL1 and PIR_EL1 (Arm ARM D8.17: permitted). */
static inline void hm_arm64_pie_forget_(void)
{
	/* The registers have to have changed before the TLBI, or an entry is made anew by the old ones. */
	hm_insn_isb();
	hm_insn_tlbi_vmalle1();
	/* Until it is done, for this PE; and nothing translated ahead survives. */
	hm_insn_dsb_nsh();
	hm_insn_isb();
}

/* Switches indirection on, by that table for EL1, and overlays with it if asked, on this CPU. The other bits
 * of TCR2_EL1 stay. */
static inline void hm_arm64_pie_enable_(uint64_t pir, uint64_t overlays)
{
	hm_insn_msr_pir_el1(pir);
	hm_insn_msr_pire0_el1(HM_ARM64_PIRE0_EL1);
	/* And indirection not before its tables: TCR2_EL1 may take effect before what precedes it. */
	hm_insn_isb();
	hm_insn_msr_tcr2_el1(hm_insn_mrs_tcr2_el1() | HM_ARM64_TCR2_PIE | overlays);
	hm_arm64_pie_forget_();
}

/* Off again, both. */
static inline void hm_arm64_pie_disable_(void)
{
	hm_insn_msr_tcr2_el1(hm_insn_mrs_tcr2_el1() & ~(HM_ARM64_TCR2_PIE | HM_ARM64_TCR2_POE));
	hm_arm64_pie_forget_();
}
#endif
