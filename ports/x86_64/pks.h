/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * pks.h -- window keys on x86-64: protection keys for supervisor pages. The hooks of context.h for the key
 * register, IA32_PKRS, and what each CPU does to switch keys on. Include it from your hardmap_port.h, which
 * adds
 *
 *	unsigned int hm_port_key_style(void);            // HM_KEY_STYLE_WINDOW if every CPU has it:
 *	                                                 // hm_x86_64_cpu_has_pks(), asked on each; else NONE
 *	#define HM_PORT_KPKEYS_BASE 0                    // keys and levels of your own; see context.h
 *	#define HM_PORT_KPKEYS_LEVELS(LEVEL)
 *
 * or, in place of the first, HM_PORT_KEY_STYLE as HM_KEY_STYLE_WINDOW, where nothing else is booted.
 *
 *	memory     is the kernel's if U/S is 0 somewhere on its way: the key in bits 62:59 of its leaf is
 *	           under this register. That of user pages is under PKRU, with CR4.PKE (SDM vol 3, 4.6.2)
 *	execution  is by the page's permission alone; a key forbids data accesses
 *	writes     are forbidden by WD only with CR0.WP 1
 *	exceptions leave the register as it was, NMI included: they need the push of context.h, all of them
 */
#ifndef HM_X86_64_PKS_H
#define HM_X86_64_PKS_H
#ifdef __ASSEMBLER__
/*
 * Exception entry and return, where the registers are saved already. They keep the token in 16 bytes of the
 * exception frame at RSP + at, and clobber what a call does; RSP is aligned as for a call. All there is to
 * decide is in C, in two functions of yours that call the inline ones of context.h:
 *
 *	hm_context_exception_t hm_x86_64_exception_push(void);
 *	void hm_x86_64_exception_pop(hm_context_exception_t token);
 *
 * A token is returned in RAX and RDX and passed in RDI and RSI (System V ABI, structures of 16 bytes). AT&T
 * syntax.
 */
/* clang-format off */
	.macro	hm_exception_push at:req
	call	hm_x86_64_exception_push
	movq	%rax, \at(%rsp)
	movq	%rdx, \at + 8(%rsp)
	.endm

	.macro	hm_exception_pop at:req
	movq	\at(%rsp), %rdi
	movq	\at + 8(%rsp), %rsi
	call	hm_x86_64_exception_pop
	.endm
/* clang-format on */
#else
#define HM_CONTEXT_TYPES_ONLY
#include <hardmap/context.h>
#undef HM_CONTEXT_TYPES_ONLY
#include <x86_64/tlb.h>

#define HM_X86_64_IA32_PKRS 0x6e1u
#define HM_X86_64_CR4_PKS (UINT64_C(1) << 24)

/* IA32_PKRS says what is forbidden, two bits a key: AD, bit 2k, every access, and WD, bit 2k + 1, writes (SDM
 * vol 3, 4.6.2). So there is no writing without reading, and nothing of execution. Bits 63:32 are 0. */
#define HM_PORT_KPKEYS 16
#define HM_X86_64_PKRS_KEY_(permissions, key)                                        \
	((uint64_t) !((permissions)&HM_KEY_ALLOW(key, HM_KEY_READ)) << (2 * (key)) | \
	 (uint64_t) !((permissions)&HM_KEY_ALLOW(key, HM_KEY_WRITE)) << (2 * (key) + 1))
#define HM_X86_64_PKRS_KEYS_(permissions, key)                                                 \
	(HM_X86_64_PKRS_KEY_(permissions, key) | HM_X86_64_PKRS_KEY_(permissions, (key) + 1) | \
	 HM_X86_64_PKRS_KEY_(permissions, (key) + 2) |                                         \
	 HM_X86_64_PKRS_KEY_(permissions, (key) + 3))
#define HM_PORT_KPKEYS_REGISTER(permissions)                                           \
	(HM_X86_64_PKRS_KEYS_(permissions, 0) | HM_X86_64_PKRS_KEYS_(permissions, 4) | \
	 HM_X86_64_PKRS_KEYS_(permissions, 8) | HM_X86_64_PKRS_KEYS_(permissions, 12))

#ifndef HM_PORT_KEY_STYLE
#define HM_PORT_KEY_STYLE HM_KEY_STYLE_RUN_TIME
/* Stubs, which the contract of that style asks for: hm_port_key_style() does not say STORE here, so that
 * nothing calls them. */
static inline void hm_port_keyed_begin(void)
{
	hm_insn_compiler();
}

static inline void hm_port_keyed_end(void)
{
	hm_insn_compiler();
}

static inline void hm_port_pte_store_keyed(hm_pte_t *ptep, hm_pte_t pte)
{
	(void)ptep;
	(void)pte;
	HM_BUG("pks: there are no keyed stores");
}
#endif

static inline uint64_t hm_port_kpkeys_read(void)
{
	return hm_insn_rdmsr(HM_X86_64_IA32_PKRS);
}

/* Not serialising, and need not be: no access that the register judges is executed, speculatively either,
 * before every earlier write of it has taken effect (SDM vol 2, WRPKRU, whose order WRMSR of IA32_PKRS
 * shares). What was accessed before the write was judged before it. */
static inline void hm_port_kpkeys_write(uint64_t value)
{
	hm_insn_wrmsr(HM_X86_64_IA32_PKRS, value);
}

/* Whether the CPU that asks has it: CPUID.(7, 0):ECX bit 31. */
static inline bool hm_x86_64_cpu_has_pks(void)
{
	return hm_insn_cpuid(0, 0).eax >= 7 && (hm_insn_cpuid(7, 0).ecx >> 31 & 1);
}

/*
 * Switches keys on, on this CPU: from boot, hot-plug or resume, interrupts masked. The tables in use may have
 * keys already. Then, with the context that runs, hm_kpkeys_cpu_start().
 */
static inline void hm_x86_64_pks_enable(void)
{
	/* Unknown, or of whoever ran before. The default level: key 0 is open and page tables are readable
	 * from the first instruction under CR4.PKS on. WRMSR first, whose register exists without it (SDM vol
	 * 3, 4.6.2). */
	hm_insn_wrmsr(HM_X86_64_IA32_PKRS, HM_PORT_KPKEYS_REGISTER(HM_KPKEYS_BASE));
	hm_insn_write_cr4(hm_insn_read_cr4() | HM_X86_64_CR4_PKS);
	/* Whether a TLB takes keys along while they are off no manual says. */
	hm_x86_64_flush_local_all();
}

/* Switches keys off, on this CPU, after hm_kpkeys_hand_over(). Interrupts masked. */
static inline void hm_x86_64_pks_disable(void)
{
	hm_insn_write_cr4(hm_insn_read_cr4() & ~HM_X86_64_CR4_PKS);
}
#endif
#endif
