/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * vectors.S -- the EL1 vector table. It saves, calls C, and restores; every
 * decision is made in C. FP and SIMD registers are not saved: the kernel does
 * not use them.
 */
#include "exception.h"
#include <arm64/poe.h> /* hm_exception_push, hm_exception_pop */

#define VECTOR_BYTES 0x80

/* Save the interrupted context as a struct exception_frame at SP. */
	.macro	save_frame
	sub	sp, sp, #FRAME_SIZE
	stp	x0, x1, [sp, #FRAME_X(0)]
	stp	x2, x3, [sp, #FRAME_X(2)]
	stp	x4, x5, [sp, #FRAME_X(4)]
	stp	x6, x7, [sp, #FRAME_X(6)]
	stp	x8, x9, [sp, #FRAME_X(8)]
	stp	x10, x11, [sp, #FRAME_X(10)]
	stp	x12, x13, [sp, #FRAME_X(12)]
	stp	x14, x15, [sp, #FRAME_X(14)]
	stp	x16, x17, [sp, #FRAME_X(16)]
	stp	x18, x19, [sp, #FRAME_X(18)]
	stp	x20, x21, [sp, #FRAME_X(20)]
	stp	x22, x23, [sp, #FRAME_X(22)]
	stp	x24, x25, [sp, #FRAME_X(24)]
	stp	x26, x27, [sp, #FRAME_X(26)]
	stp	x28, x29, [sp, #FRAME_X(28)]
	mrs	x1, elr_el1
	stp	x30, x1, [sp, #FRAME_X(30)] /* FRAME_ELR follows x30 */
	mrs	x1, spsr_el1
	str	x1, [sp, #FRAME_SPSR]
	.endm

/* One entry of the table: 32 instructions at most. */
	.macro	vector function, number
	.balign	VECTOR_BYTES
	save_frame
	hm_exception_push FRAME_TOKEN
	mov	x0, sp
	mov	w1, #\number /* of no interest to exception_sync() and exception_irq() */
	bl	\function
	b	exception_return
	.endm

	.text

	.balign	2048 /* VBAR_EL1 */
	.globl	vectors
	.type	vectors, %object
vectors:
	/* From EL1 with SP_EL0. */
	vector	exception_unexpected, 0
	vector	exception_unexpected, 1
	vector	exception_unexpected, 2
	vector	exception_unexpected, 3
	/* From EL1 with SP_EL1: synchronous, IRQ, FIQ, SError. */
	vector	exception_sync, VECTOR_SYNC
	vector	exception_irq, VECTOR_IRQ
	vector	exception_unexpected, 6
	vector	exception_unexpected, 7
	/* From EL0, AArch64. */
	vector	exception_unexpected, 8
	vector	exception_unexpected, 9
	vector	exception_unexpected, 10
	vector	exception_unexpected, 11
	/* From EL0, AArch32. */
	vector	exception_unexpected, 12
	vector	exception_unexpected, 13
	vector	exception_unexpected, 14
	vector	exception_unexpected, 15

/* Restore the struct exception_frame at SP. */
	.balign	VECTOR_BYTES
	.type	exception_return, %function
exception_return:
	hm_exception_pop FRAME_TOKEN
	ldr	x1, [sp, #FRAME_SPSR]
	msr	spsr_el1, x1
	ldp	x30, x1, [sp, #FRAME_X(30)] /* FRAME_ELR follows x30 */
	msr	elr_el1, x1
	ldp	x28, x29, [sp, #FRAME_X(28)]
	ldp	x26, x27, [sp, #FRAME_X(26)]
	ldp	x24, x25, [sp, #FRAME_X(24)]
	ldp	x22, x23, [sp, #FRAME_X(22)]
	ldp	x20, x21, [sp, #FRAME_X(20)]
	ldp	x18, x19, [sp, #FRAME_X(18)]
	ldp	x16, x17, [sp, #FRAME_X(16)]
	ldp	x14, x15, [sp, #FRAME_X(14)]
	ldp	x12, x13, [sp, #FRAME_X(12)]
	ldp	x10, x11, [sp, #FRAME_X(10)]
	ldp	x8, x9, [sp, #FRAME_X(8)]
	ldp	x6, x7, [sp, #FRAME_X(6)]
	ldp	x4, x5, [sp, #FRAME_X(4)]
	ldp	x2, x3, [sp, #FRAME_X(2)]
	ldp	x0, x1, [sp, #FRAME_X(0)]
	add	sp, sp, #FRAME_SIZE
	eret
