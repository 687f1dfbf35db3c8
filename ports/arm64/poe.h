/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * poe.h -- window keys on arm64: FEAT_S1POE over FEAT_S1PIE, EL1&0 regime. The hooks of context.h for the key
 * register, POR_EL1, and what each CPU does to switch keys on. Include it from your hardmap_port.h, which
 * adds
 *
 *	unsigned int hm_port_key_style(void);            // HM_KEY_STYLE_WINDOW if every CPU has it:
 *	                                                 // hm_arm64_cpu_has_poe(), asked on each
 *	#define HM_PORT_KPKEYS_BASE 0                    // keys and levels of your own; see context.h
 *	#define HM_PORT_KPKEYS_LEVELS(LEVEL)
 *
 * EL3 and EL2 must have given EL1 what pie.h names. A port has gcs.h beside it: which of the two is in force,
 * or none, is known when it runs.
 */
#ifndef HM_ARM64_POE_H
#define HM_ARM64_POE_H
#ifdef __ASSEMBLER__
/*
 * Exception entry and return, where the registers are saved already. They keep the token in 16 bytes of the
 * exception frame at SP + at, and clobber what a call does. All there is to decide is in C, in two functions
 * of yours that call the inline ones of context.h:
 *
 *	hm_context_exception_t hm_arm64_exception_push(void);
 *	void hm_arm64_exception_pop(hm_context_exception_t token);
 *
 * A token is returned and passed in x0 and x1 (AAPCS64, composite types of 16 bytes).
 */
/* clang-format off */
	.macro	hm_exception_push at:req
	bl	hm_arm64_exception_push
	stp	x0, x1, [sp, #\at]
	.endm

	.macro	hm_exception_pop at:req
	ldp	x0, x1, [sp, #\at]
	bl	hm_arm64_exception_pop
	.endm
/* clang-format on */
#else
#define HM_CONTEXT_TYPES_ONLY
#include <hardmap/context.h>
#undef HM_CONTEXT_TYPES_ONLY
#include <arm64/pie.h>

/* POIndex has three bits, and POR_EL1 four for each key: the encoding of context.h's permissions is POR_EL1's
 * (Arm ARM D8.4.4: bit 0 read, 1 execute, 2 write). */
#define HM_PORT_KPKEYS 8
#define HM_PORT_KPKEYS_REGISTER(permissions) (permissions)

static inline uint64_t hm_port_kpkeys_read(void)
{
	return hm_insn_mrs_por_el1();
}

/* Not cached in TLBs (Arm ARM D8.4.4): no TLBI, the synchronisation that follows is all. */
static inline void hm_port_kpkeys_write(uint64_t value)
{
	hm_insn_msr_por_el1(value);
}

/* Whether the CPU that asks has FEAT_S1PIE and FEAT_S1POE: ID_AA64MMFR3_EL1, S1PIE 11:8 and S1POE 19:16. */
static inline bool hm_arm64_cpu_has_poe(void)
{
	return hm_arm64_cpu_has_pie() && (hm_insn_mrs_id_aa64mmfr3_el1() >> 16 & 15);
}

/*
 * Switches keys on, on this CPU: from boot, hot-plug or resume, before or after the MMU is on, interrupts
 * masked. The tables in use have the attributes of vmsa.h, and mean the same before and after. The other
 * bits of TCR2_EL1 are the kernel's, who has written them before. Then, with the context that runs,
 * hm_kpkeys_cpu_start().
 */
static inline void hm_arm64_poe_enable(void)
{
	/* Unknown at reset. The default level: key 0 is open and page tables are readable from the first
	 * instruction under POE on. */
	hm_insn_msr_por_el1(HM_PORT_KPKEYS_REGISTER(HM_KPKEYS_BASE));
	hm_arm64_pie_enable_(HM_ARM64_PIR_EL1, HM_ARM64_TCR2_POE);
}

/* Switches keys off, on this CPU, after hm_kpkeys_hand_over(): whatever comes next finds pages that are as
 * writable as their attributes say. Interrupts masked. */
static inline void hm_arm64_poe_disable(void)
{
	hm_arm64_pie_disable_();
}
#endif
#endif
