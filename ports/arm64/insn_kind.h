/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * insn_kind.h -- names for what insn.h executes, for whoever counts or traces it.
 */
#ifndef HM_ARM64_INSN_KIND_H
#define HM_ARM64_INSN_KIND_H
enum hm_insn_kind {
	HM_INSN_LDR, /* of a table entry, as the two below; an STP is two STR */
	HM_INSN_STR,
	HM_INSN_CAS,
	HM_INSN_GCSSTR, /* the keyed store */
	HM_INSN_STR32, /* of an instruction */
	HM_INSN_DSB_ISHST,
	HM_INSN_DSB_ISH,
	HM_INSN_DMB_ISHST,
	HM_INSN_DMB_ISH,
	HM_INSN_GCSB_DSYNC,
	HM_INSN_ISB,
	HM_INSN_TLBI_VMALLE1IS,
	HM_INSN_TLBI_VAAE1IS,
	HM_INSN_TLBI_VAALE1IS,
	HM_INSN_TLBI_RVAAE1IS,
	HM_INSN_TLBI_RVAALE1IS,
	HM_INSN_TLBI_VMALLE1, /* this CPU only, when keys are switched on or off */
	HM_INSN_MSR_POR_EL1, /* the key register */
	HM_INSN_DC_CVAU, /* caches, for code */
	HM_INSN_IC_IVAU,
	HM_INSN_IC_IALLUIS,
	HM_INSN_KINDS,
};
#endif
