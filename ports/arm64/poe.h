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
 * Only EL1&0: a kernel at EL2 with VHE has its registers under the same names and is not tested; EL3 and EL2
 * must have given EL1 the registers (SCR_EL3.TCR2En, SCR_EL3.PIEn, HCRX_EL2.TCR2En), or their use is
 * undefined here.
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
#include <arm64/vmsa.h>

#define HM_PORT_KEY_STYLE HM_KEY_STYLE_RUN_TIME

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

/* PIR_EL1 and PIRE0_EL1: what an index means, four bits each (Arm ARM D8.4.3, base permissions). */
#define HM_ARM64_PIR_NONE 0x0 /* with overlay, as all below 8 */
#define HM_ARM64_PIR_R 0x1
#define HM_ARM64_PIR_RX 0x3
#define HM_ARM64_PIR_RW 0x5
#define HM_ARM64_PIR_R_ALWAYS 0x8 /* without overlay, as all from 8 on */
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

/* Whether the CPU that asks has FEAT_S1PIE and FEAT_S1POE: ID_AA64MMFR3_EL1, S1PIE 11:8 and S1POE 19:16. */
static inline bool hm_arm64_cpu_has_poe(void)
{
	uint64_t features = hm_insn_mrs_id_aa64mmfr3_el1();

	return (features >> 8 & 15) && (features >> 16 & 15);
}

/* This CPU forgets what its TLB has cached of TCR2_EL1 and PIR_EL1 (Arm ARM D8.17: permitted). */
static inline void hm_arm64_poe_forget_(void)
{
	/* The registers have to have changed before the TLBI, or an entry is made anew by the old ones. */
	hm_insn_isb();
	hm_insn_tlbi_vmalle1();
	/* Until it is done, for this PE; and nothing translated ahead survives. */
	hm_insn_dsb_nsh();
	hm_insn_isb();
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
	hm_insn_msr_pir_el1(HM_ARM64_PIR_EL1);
	hm_insn_msr_pire0_el1(HM_ARM64_PIRE0_EL1);
	/* And indirection not before its tables: TCR2_EL1 may take effect before what precedes it. */
	hm_insn_isb();
	hm_insn_msr_tcr2_el1(hm_insn_mrs_tcr2_el1() | HM_ARM64_TCR2_PIE | HM_ARM64_TCR2_POE);
	hm_arm64_poe_forget_();
}

/* Switches keys off, on this CPU, after hm_kpkeys_hand_over(): whatever comes next finds pages that are as
 * writable as their attributes say. Interrupts masked. */
static inline void hm_arm64_poe_disable(void)
{
	hm_insn_msr_tcr2_el1(hm_insn_mrs_tcr2_el1() & ~(HM_ARM64_TCR2_PIE | HM_ARM64_TCR2_POE));
	hm_arm64_poe_forget_();
}
#endif
#endif
