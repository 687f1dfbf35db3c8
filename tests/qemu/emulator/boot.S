/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * boot.S -- from reset to test_main(), and out; and accesses that may fault. One CPU at EL1, interrupts
 * masked. QEMU has cleared .bss.
 */
	.arch	armv8.1-a

	.section .text.boot, "ax"
	.globl	_start
_start:
	adrp	x0, vectors
	add	x0, x0, :lo12:vectors
	msr	vbar_el1, x0
	msr	tpidr_el1, xzr
	isb
	adrp	x0, stack_end
	add	x0, x0, :lo12:stack_end
	mov	sp, x0
	mov	x29, xzr
	bl	test_main
	/* Falls through with the status in w0. */

/* Ends the machine with the status w0, by semihosting: SYS_EXIT_EXTENDED, ApplicationExit. */
end:
	mov	x1, #0x26
	movk	x1, #2, lsl #16
	stp	x1, x0, [sp, #-16]!
	mov	x0, #0x20
	mov	x1, sp
	hlt	#0xf000
1:	wfi
	b	1b

/*
 * uint64_t NAME(uintptr_t va, uint64_t value): up to three instructions on the address x2 and the value
 * x1. Returns ESR_EL1 of the exception that they took, 0 if they took none.
 */
	.macro	attempt name:req, first:req, second, third
	.globl	\name
\name:
	adr	x9, 9f
	msr	tpidr_el1, x9
	mov	x2, x0
	mov	x0, xzr
	\first
	\second
	\third
9:	msr	tpidr_el1, xzr
	ret
	.endm

	attempt	try_load, "ldr x3, [x2]"
	attempt	try_store, "str x1, [x2]"
	/* An SVC is there. */
	attempt	try_execute, "br x2"
	attempt	try_load_unprivileged, "ldtr x3, [x2]"
	attempt	try_store_unprivileged, "sttr x1, [x2]"
	/* EL0; no interrupt is ever pending. */
	attempt	try_execute_unprivileged, "msr elr_el1, x2", "msr spsr_el1, xzr", "eret"

	attempt	try_store_exclusive, "ldxr x3, [x2]", "stxr w4, x1, [x2]"
	attempt	try_swap, "swp x1, x3, [x2]"
	attempt	try_compare_and_swap, "cas x3, x1, [x2]"
	attempt	try_zero, "dc zva, x2"
	/* GCSSTR X1, [X2]; GCSB DSYNC */
	attempt	try_gcs_store, ".inst 0xd91f0c41", "hint #19"

/* Exceptions of an attempt end it, with PSTATE.PAN as it is; no other is expected. */
	.balign	2048
vectors:
	.rept	16
	b	exception
	.balign	128
	.endr

exception:
	mrs	x9, tpidr_el1
	cbz	x9, 1f
	msr	elr_el1, x9
	mov	x9, #0x3c5
	mrs	x10, pan
	orr	x9, x9, x10
	msr	spsr_el1, x9
	mrs	x0, esr_el1
	eret
1:	mrs	x0, esr_el1
	mrs	x1, elr_el1
	mrs	x2, far_el1
	bl	test_unexpected
	mov	w0, #3
	b	end

	.bss
	.balign	16
	.space	16384
stack_end:
