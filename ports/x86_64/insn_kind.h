/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * insn_kind.h -- names for what insn.h executes, for whoever counts or traces it.
 */
#ifndef HM_X86_64_INSN_KIND_H
#define HM_X86_64_INSN_KIND_H
enum hm_insn_kind {
	HM_INSN_LOAD, /* of a table entry, as the two below */
	HM_INSN_STORE,
	HM_INSN_CMPXCHG,
	HM_INSN_STORE32, /* of an instruction */
	HM_INSN_COMPILER, /* no instruction: a barrier for the compiler alone */
	HM_INSN_MFENCE,
	HM_INSN_INVLPG,
	HM_INSN_WRITE_CR4,
	HM_INSN_WRMSR,
	HM_INSN_CPUID, /* asked, or executed because it serialises */
	HM_INSN_SERIALIZE,
	HM_INSN_KINDS,
};
#endif
