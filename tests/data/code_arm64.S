/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * code_arm64.S -- functions as a loader of code gets them: position-independent, linked as data that does not
 * execute. Each is the bytes from code_NAME to code_NAME_end; code_arm64.h says what they are.
 */
	.section .rodata.code, "a"

	.macro	code name
	.balign	8
	.globl	code_\name, code_\name\()_end
code_\name:
	.endm

	.macro	code_end name
	.balign	8
code_\name\()_end:
	.endm

	code	sum
	mov	x1, xzr
1:	cbz	x0, 2f
	add	x1, x1, x0
	sub	x0, x0, #1
	b	1b
2:	mov	x0, x1
	ret
	code_end sum

/* FNV-1a of 64 bits. Its constants are of its own, found by their distance. */
	code	hash
	ldr	x2, 3f
	ldr	x3, 4f
1:	cbz	x1, 2f
	ldrb	w4, [x0], #1
	eor	x2, x2, x4
	mul	x2, x2, x3
	sub	x1, x1, #1
	b	1b
2:	mov	x0, x2
	ret
	.balign	8
3:	.quad	0xcbf29ce484222325
4:	.quad	0x00000100000001b3
	code_end hash

	code	call
	.globl	code_call_target
	stp	x29, x30, [sp, #-16]!
	mov	x29, sp
	ldr	x1, code_call_target
	blr	x1
	add	x0, x0, #1
	ldp	x29, x30, [sp], #16
	ret
	.balign	8
code_call_target:
	.quad	0
	code_end call

	code	patched
	.globl	code_patched_site
1:	ldr	w2, [x1]
	cbnz	w2, 4f
code_patched_site:
	b	2f
	add	x3, x0, #8
	b	3f
2:	mov	x3, x0
3:	ldr	x4, [x3]
	add	x4, x4, #1
	str	x4, [x3]
	b	1b
4:	ret
	code_end patched
