/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * exception.c -- exceptions taken to EL1.
 */
#include "exception.h"

#include <hardmap/pgtable.h>

#include "code_cache.h"
#include "cpu.h"
#include "gic.h"
#include "irq_window.h"
#include "protect.h"
#include "stats.h"
#include "thread.h"
#include "timer.h"
#include "uart.h"

#define ESR_EC(esr) ((esr) >> 26 & 0x3f)
#define ESR_EC_UNDEFINED 0x00
#define ESR_EC_INSTRUCTION_ABORT 0x21 /* these two without a change of exception level */
#define ESR_EC_DATA_ABORT 0x25
#define ESR_EC_BRK 0x3c
#define ESR_WNR (1 << 6)
#define ESR_FSC_LEVEL_MASK 0x3c
#define ESR_FSC_TRANSLATION 0x04

static _Noreturn void die(const struct exception_frame *frame, const char *what,
			  unsigned int vector)
{
	panic("%s (vector %u): thread %s, ESR %lx, FAR %lx, ELR %lx", what, vector,
	      thread_current()->name, (unsigned long)sysreg_read(esr_el1),
	      (unsigned long)sysreg_read(far_el1), (unsigned long)frame->elr);
}

static enum hm_kpkeys_fault why(uint64_t esr, hm_va_t far)
{
	unsigned int level;

	return hm_kpkeys_why(esr, hm_pgtable_leaf(far, &level).val);
}

hm_context_exception_t hm_arm64_exception_push(void)
{
	thread_current()->interrupted_in_section = hm_lazy_mmu_active();
	return hm_context_exception_push();
}

void hm_arm64_exception_pop(hm_context_exception_t interrupted)
{
	hm_context_exception_pop(interrupted);
}

/* Whether the fault is the answer to exception_try_*(): then its access, one instruction, is passed
 * over; or one that this CPU lacks, for keys that it does not have; and a call returns. */
static bool was_tried(struct exception_frame *frame, uint64_t esr, uint64_t far)
{
	struct thread *self = thread_current();

	if (!self->try_address)
		return false;
	switch (ESR_EC(esr)) {
	case ESR_EC_DATA_ABORT:
		if (self->try_address != far)
			return false;
		frame->elr += 4;
		break;
	case ESR_EC_UNDEFINED:
		frame->elr += 4;
		break;
	case ESR_EC_INSTRUCTION_ABORT:
	case ESR_EC_BRK:
		if (self->try_address != frame->elr)
			return false;
		frame->elr = frame->x[30];
		break;
	default:
		return false;
	}
	self->try_syndrome = esr;
	return true;
}

/* "memory": the window is open before the access, and what the handler left is read after it. A handler's
 * own may come between. */
uint64_t exception_try_store(uint64_t address, uint64_t value)
{
	struct thread *self = thread_current();
	const uint64_t outer = self->try_address;

	self->try_syndrome = 0;
	self->try_address = address;
	__asm__ volatile("str %0, [%1]" : : "r"(value), "r"(address) : "memory");
	self->try_address = outer;
	return self->try_syndrome;
}

uint64_t exception_try_load(uint64_t address)
{
	struct thread *self = thread_current();
	const uint64_t outer = self->try_address;
	uint64_t ignored;

	self->try_syndrome = 0;
	self->try_address = address;
	__asm__ volatile("ldr %0, [%1]" : "=r"(ignored) : "r"(address) : "memory");
	self->try_address = outer;
	return self->try_syndrome;
}

uint64_t exception_try_call(uint64_t address)
{
	struct thread *self = thread_current();
	const uint64_t outer = self->try_address;

	self->try_syndrome = 0;
	self->try_address = address;
	((void (*)(void))address)();
	self->try_address = outer;
	return self->try_syndrome;
}

void exception_sync(struct exception_frame *frame)
{
	uint64_t esr = sysreg_read(esr_el1);
	const hm_va_t far = { sysreg_read(far_el1) };

	if (ESR_EC(esr) == ESR_EC_BRK && code_cache_covers(frame->elr))
		console_printf("  trap: BRK #0x%x at %lx, called from %lx by thread %s\n",
			       (unsigned int)(esr & 0xffff), (unsigned long)frame->elr,
			       (unsigned long)frame->x[30] - 4, thread_current()->name);
	if (was_tried(frame, esr, far.val))
		return;
	if (ESR_EC(esr) == ESR_EC_BRK && code_cache_covers(frame->elr))
		die(frame, "there is no code", VECTOR_SYNC);
	if (ESR_EC(esr) == ESR_EC_BRK) {
		protect_in_exception();
		frame->elr += 4;
		return;
	}
	if (ESR_EC(esr) == ESR_EC_DATA_ABORT && why(esr, far) >= HM_KPKEYS_FAULT_PERMISSION)
		die(frame, hm_kpkeys_why_text(why(esr, far)), VECTOR_SYNC);
	if (ESR_EC(esr) != ESR_EC_DATA_ABORT || (esr & ESR_FSC_LEVEL_MASK) != ESR_FSC_TRANSLATION ||
	    !hm_pgtable_fault_is_spurious(far, esr & ESR_WNR ? HM_ACCESS_WRITE : HM_ACCESS_READ))
		die(frame, "synchronous exception", VECTOR_SYNC);
	stat_add(STAT_SPURIOUS_FAULTS, 1);
}

void exception_irq(struct exception_frame *frame)
{
	struct thread *self = thread_current();
	bool in_section = self->interrupted_in_section;
	uint32_t iar = gic_ack();

	if (gic_id(iar) == TIMER_IRQ) {
		uint64_t switches = self->switches, migrations = self->migrations;

		timer_rearm();
		irq_window_use();
		gic_end(iar);
		stat_add(STAT_INTERRUPTS, 1);
		stat_add(STAT_INTERRUPTS_IN_SECTION, in_section);
		sched_tick();
		/* Counted when the thread is back, perhaps on another CPU. */
		stat_add(STAT_SWITCHES_IN_SECTION, in_section && self->switches != switches);
		stat_add(STAT_MIGRATIONS_IN_SECTION, in_section && self->migrations != migrations);
	} else if (gic_id(iar) == PROTECT_SGI_ATTACK) {
		protect_in_interrupt();
		gic_end(iar);
	} else if (gic_id(iar) == CODE_SGI_SYNCHRONISE) {
		code_cache_synchronise_cpu();
		gic_end(iar);
	} else if (gic_id(iar) == PROTECT_SGI_STOP) {
		gic_end(iar);
		protect_stop_cpu();
	} else if (gic_id(iar) != GIC_SPURIOUS) {
		die(frame, "interrupt that nobody asked for", VECTOR_IRQ);
	}
}

void exception_unexpected(struct exception_frame *frame, unsigned vector)
{
	die(frame, "unexpected exception", vector);
}

hm_context_switch_t sched_switch_out(void)
{
	stat_add(STAT_SWITCHES_OUT, 1);
	return hm_context_switch_out();
}

void sched_thread_starts(struct thread *thread)
{
	hm_context_reuse(&thread->hardmap);
}

void sched_thread_ends(void)
{
	hm_context_assert_idle();
}

void sched_switch_in(hm_context_switch_t away)
{
	hm_context_switch_in(away);
	stat_add(STAT_SWITCHES, 1);
}
