/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* exception.h -- what vectors.S saves, and the C functions that it calls. */
#ifndef KERNEL_EXCEPTION_H
#define KERNEL_EXCEPTION_H

/* Offsets in struct exception_frame, for the assembler. */
#define FRAME_X(n) (8 * (n))
#define FRAME_ELR 248
#define FRAME_SPSR 256
#define FRAME_TOKEN 272
#define FRAME_SIZE 288

/* Number of a vector: its offset from VBAR_EL1 / 0x80. */
#define VECTOR_SYNC 4 /* synchronous, from EL1 with SP_EL1 */
#define VECTOR_IRQ 5 /* IRQ, from EL1 with SP_EL1 */

#ifndef __ASSEMBLER__

#include <stddef.h>
#include <stdint.h>

#define HM_CONTEXT_TYPES_ONLY
#include <hardmap/context.h>
#undef HM_CONTEXT_TYPES_ONLY

/*
 * The interrupted context, on the stack of the interrupted thread; that
 * thread's SP was (uintptr_t)(frame + 1). A handler may change it, as in
 * "frame->elr += 4": vectors.S restores what it finds here.
 */
struct exception_frame {
	uint64_t x[31]; /* x0 to x30 */
	uint64_t elr; /* ELR_EL1: where to return to */
	uint64_t spsr; /* SPSR_EL1: PSTATE to return to */
	uint64_t unused; /* SP is a multiple of 16 */
	hm_context_exception_t interrupted; /* the library's token */
};

_Static_assert(offsetof(struct exception_frame, x[30]) == FRAME_X(30), "vectors.S");
_Static_assert(offsetof(struct exception_frame, elr) == FRAME_ELR, "vectors.S");
_Static_assert(offsetof(struct exception_frame, spsr) == FRAME_SPSR, "vectors.S");
_Static_assert(offsetof(struct exception_frame, interrupted) == FRAME_TOKEN, "vectors.S");
_Static_assert(sizeof(struct exception_frame) == FRAME_SIZE, "vectors.S");
_Static_assert(FRAME_SIZE % 16 == 0, "SP alignment");

/* Called by vectors.S around each of those below, with all of DAIF masked: whatever was interrupted, its
 * section and its level are set aside first and given back last. */
hm_context_exception_t hm_arm64_exception_push(void);
void hm_arm64_exception_pop(hm_context_exception_t interrupted);

/*
 * Called by vectors.S on the stack of the interrupted thread with all of DAIF
 * masked; must return so. exception_irq() may switch threads in between (see
 * sched_tick()): the frame stays on its thread's stack and waits there.
 */
void exception_sync(struct exception_frame *frame);
void exception_irq(struct exception_frame *frame);

/*
 * One store or load of 64 bits that may fault: 0 if it did not, else the syndrome (ESR_EL1) of its
 * fault, and nothing was stored. These are the only accesses whose fault the kernel survives; while one
 * lasts, the thread's `try_address` says which it is.
 */
uint64_t exception_try_store(uint64_t address, uint64_t value);
uint64_t exception_try_load(uint64_t address);

/* The same for a call of a function without arguments, whose first instruction may not be there, or be a
 * BRK. */
uint64_t exception_try_call(uint64_t address);

/* Any other vector, by its number: this kernel has no use for FIQs, SErrors or EL0. */
void exception_unexpected(struct exception_frame *frame, unsigned vector);

#endif /* __ASSEMBLER__ */

#endif /* KERNEL_EXCEPTION_H */
