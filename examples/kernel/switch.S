/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* switch.S -- from one thread to another on this CPU. */
#include "thread.h"

	.text

/*
 * void cpu_switch(struct thread *from, struct thread *to);
 *
 * Saves in `from` what a call preserves, and returns in `to`: to where that
 * called cpu_switch() itself, or to thread_start() the first time. DAIF is the
 * caller's business. The stores to `from` become visible to the next CPU that
 * runs it through the run queue's lock, held from before until after this call.
 */
	.balign	16
	.globl	cpu_switch
	.type	cpu_switch, %function
cpu_switch:
	add	x8, x0, #THREAD_CONTEXT
	stp	x19, x20, [x8, #CONTEXT_X(19)]
	stp	x21, x22, [x8, #CONTEXT_X(21)]
	stp	x23, x24, [x8, #CONTEXT_X(23)]
	stp	x25, x26, [x8, #CONTEXT_X(25)]
	stp	x27, x28, [x8, #CONTEXT_X(27)]
	stp	x29, x30, [x8, #CONTEXT_X(29)]
	mov	x9, sp
	str	x9, [x8, #CONTEXT_SP]

	add	x8, x1, #THREAD_CONTEXT
	ldp	x19, x20, [x8, #CONTEXT_X(19)]
	ldp	x21, x22, [x8, #CONTEXT_X(21)]
	ldp	x23, x24, [x8, #CONTEXT_X(23)]
	ldp	x25, x26, [x8, #CONTEXT_X(25)]
	ldp	x27, x28, [x8, #CONTEXT_X(27)]
	ldp	x29, x30, [x8, #CONTEXT_X(29)]
	ldr	x9, [x8, #CONTEXT_SP]
	mov	sp, x9
	msr	tpidr_el1, x1 /* MRS sees it in program order */
	/*
	 * What `to` published on another CPU before it came here is synchronised by
	 * its sched_switch_in(); a new thread has published nothing.
	 */
	ret
