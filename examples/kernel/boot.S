/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * boot.S -- from reset to C, for the boot CPU (_start) and for the CPUs that
 * PSCI CPU_ON starts later (_start_secondary).
 *
 * Both begin at EL1 with the MMU and the data cache off and with every
 * interrupt masked. The code is linked high and runs low until the MMU is on:
 * until then it may use PC-relative addresses only (ADRP gives physical ones).
 */
#include "layout.h"
#include "mmu.h"
#include <arm64/early.h>

/* kernel.ld compares its own values with these. */
	.globl	layout_linear_base, layout_kernel_pa, layout_table_bytes
	.set	layout_linear_base, LINEAR_BASE
	.set	layout_kernel_pa, KERNEL_PA
	.set	layout_table_bytes, 1 << (2 * PAGE_SHIFT - 3) /* that a table of pages maps */

#define TCR_EPD0 (1 << 7) /* a TLB miss on a TTBR0 address faults: no table walk */

#define SCTLR_M (1 << 0) /* MMU on */
#define SCTLR_C (1 << 2) /* data accesses are cacheable */
#define SCTLR_SA (1 << 3) /* SP must be 16-byte aligned */
#define SCTLR_I (1 << 12) /* instruction fetches are cacheable */
/*
 * Bits that are RES1 on an Armv8.0 CPU. Later extensions give them a meaning,
 * and 1 keeps the Armv8.0 behaviour: EOS, TSCXT, EIS, SPAN, nTLSMD, LSMAOE.
 * EOS and EIS keep exception return and entry context synchronizing.
 */
#define SCTLR_RES1 (1 << 11 | 1 << 20 | 1 << 22 | 1 << 23 | 1 << 28 | 1 << 29)
#define SCTLR_VALUE (SCTLR_RES1 | SCTLR_I | SCTLR_SA | SCTLR_C | SCTLR_M)

#define DAIF_A 4 /* SError, as an operand of DAIFClr */

/* reg := address of symbol (+ constant), as seen from where this code runs. */
	.macro	adr_sym reg, symbol
	adrp	\reg, \symbol
	add	\reg, \reg, :lo12:\symbol
	.endm

	.text

	.globl	_start
	.type	_start, %function
_start:
	adr_sym	x0, __bss_start
	adr_sym	x1, __bss_end
1:	stp	xzr, xzr, [x0], #16
	cmp	x0, x1
	b.lo	1b

	/* The boot stack is that of CPU 0's idle thread, here by its physical address. */
	adr_sym	x0, idle_threads + STACK_SIZE
	mov	sp, x0
	mov	x29, xzr
	bl	boot_map

	/*
	 * .bss, with the page tables and the stack in it, was written with the
	 * cache off, that is in memory. A line that the loader left in the cache
	 * would hide those stores once the cache is on: drop all such lines.
	 */
	mrs	x2, ctr_el0
	ubfx	x2, x2, #16, #4 /* DminLine: log2 of the words in a line */
	mov	x3, #4
	lsl	x2, x3, x2
	adr_sym	x0, __bss_start
	adr_sym	x1, __bss_end
	/* Orders the stores above before the invalidation below, which must not undo them. */
	dmb	sy
2:	dc	ivac, x0
	add	x0, x0, x2
	cmp	x0, x1
	b.lo	2b
	/* Completes the stores and the invalidation before any cacheable access or table walk. */
	dsb	sy

	mov	x19, xzr /* x19: the number of this CPU */
	b	mmu_on

/*
 * x0 (PSCI's context ID): the number of this CPU. It is all that the CPU needs
 * to know before its MMU is on. So it reads nothing that another CPU wrote
 * through a cache, and nobody has to clean anything to the point of coherency.
 */
	.globl	_start_secondary
	.type	_start_secondary, %function
_start_secondary:
	mov	x19, x0

/* Both paths continue here. */
mmu_on:
	ldr	x0, =MMU_MAIR
	msr	mair_el1, x0
	ldr	x0, =MMU_TCR
	msr	tcr_el1, x0
	adr_sym	x0, boot_root_low
	msr	ttbr0_el1, x0
	adr_sym	x0, boot_root_high
	msr	ttbr1_el1, x0
	msr	cpacr_el1, xzr /* FP and SIMD trap: the kernel uses neither, nor saves them */

	/* The TLB may hold anything after reset. The registers above hold before it is emptied. */
	isb
	tlbi	vmalle1
	/* Completes the TLBI, and the ISB makes this CPU's next fetch see it. Local: only this CPU. */
	dsb	nsh
	isb

	ldr	x0, =SCTLR_VALUE
	msr	sctlr_el1, x0
	/* The next instruction is fetched through the MMU, at the same (identity mapped) address. */
	isb
	ldr	x0, =high
	br	x0

high:
	/*
	 * The identity map has done its work. Without it a stray low address, such
	 * as a null pointer, faults.
	 */
	mrs	x0, tcr_el1
	orr	x0, x0, #TCR_EPD0
	msr	tcr_el1, x0
	/* EPD0 holds before the TLB is emptied, so that no walk fills it again. */
	isb
	tlbi	vmalle1
	/* Completes the TLBI on this CPU before its next instruction. */
	dsb	nsh
	isb

	/* The idle thread is this CPU's context from here on: exceptions may come now. */
	adr_sym	x0, idle_threads
	hm_early_context x0, x19, THREAD_SIZE, x1

	adr_sym	x0, vectors
	msr	vbar_el1, x0
	/* Exceptions of the instructions below use the new vectors. */
	isb
	msr	daifclr, #DAIF_A /* an SError is a bug: show it; IRQs wait for sched_start() */

	mov	x1, #THREAD_SIZE
	adr_sym	x0, idle_threads + STACK_SIZE
	madd	x0, x19, x1, x0
	mov	sp, x0
	mov	x29, xzr

	mov	x0, x19
	bl	sched_init_cpu
	mov	x0, x19
	cbnz	x19, 3f
	bl	kernel_main
	brk	#0 /* not reached */
3:	bl	secondary_main
	brk	#0 /* not reached */

	.ltorg
