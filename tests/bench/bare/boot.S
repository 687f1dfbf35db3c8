/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * boot.S -- from reset to bench_main(), and out. One CPU at EL1; MMU and caches stay off, interrupts
 * masked. QEMU has cleared .bss.
 */
	.section .text.boot, "ax"
	.globl	_start
_start:
	adrp	x0, vectors
	add	x0, x0, :lo12:vectors
	msr	vbar_el1, x0
	/* Exceptions of the instructions below use the new vectors. */
	isb
	adrp	x0, stack_end
	add	x0, x0, :lo12:stack_end
	mov	sp, x0
	mov	x29, xzr
	adrp	x0, bench_context
	add	x0, x0, :lo12:bench_context
	msr	tpidr_el1, x0
	bl	bench_main
	/* Falls through with the status in w0. */

/* Ends the machine with the status w0, by semihosting: SYS_EXIT_EXTENDED, ApplicationExit. */
	.globl	bench_exit
bench_exit:
	mov	x1, #0x26
	movk	x1, #2, lsl #16
	stp	x1, x0, [sp, #-16]!
	mov	x0, #0x20
	mov	x1, sp
	hlt	#0xf000
1:	wfi
	b	1b

/* The one function that compilers call by themselves in every benchmark. */
	.globl	memset
memset:
	mov	x3, x0
1:	cbz	x2, 2f
	strb	w1, [x3], #1
	sub	x2, x2, #1
	b	1b
2:	ret

/* No exception is expected. */
	.balign	2048
vectors:
	.rept	16
	mov	w0, #3
	b	bench_exit
	.balign	128
	.endr

	.bss
	.balign	16
	.space	16384
stack_end:
