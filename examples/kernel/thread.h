/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * thread.h -- preemptive threads. One FIFO queue of ready threads serves all
 * CPUs: any CPU runs any ready thread, so threads migrate.
 *
 * Threads end, and their struct belongs to the caller: static, or at least
 * alive until the thread has exited. Each CPU has one more thread, its idle
 * thread, which is what the CPU was booting in; it never migrates.
 */
#ifndef KERNEL_THREAD_H
#define KERNEL_THREAD_H

#include "layout.h"

/* Offsets in struct thread and struct thread_context, for switch.S. */
#define THREAD_CONTEXT STACK_SIZE
#define CONTEXT_X(n) (8 * ((n)-19))
#define CONTEXT_SP 96

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HM_CONTEXT_TYPES_ONLY
#include <hardmap/context.h>
#undef HM_CONTEXT_TYPES_ONLY

/* What a call preserves: x19 to x30, and SP. cpu_switch() is a call. */
struct thread_context {
	uint64_t x[12]; /* x19 to x30; x30 is where the thread continues */
	uint64_t sp;
};

enum thread_state {
	THREAD_READY, /* in the run queue; or an idle thread that does not run */
	THREAD_RUNNING, /* on the CPU thread->cpu */
	THREAD_EXITED, /* for good; reusable once sched_all_done() has said so */
};

#define THREAD_NO_CPU (~0u)

/*
 * Written by thread_create(), then by the scheduler with the run queue locked;
 * `stack` and `hardmap` by the thread itself.
 */
struct thread {
	_Alignas(THREAD_ALIGN) uint64_t stack[STACK_SIZE / 8]; /* grows down to stack[0] */
	struct thread_context context; /* while it does not run */
	struct thread *next; /* in the run queue */
	enum thread_state state;
	unsigned id; /* idle threads: the CPU; others: MAX_CPUS and up; never changes */
	const char *name; /* never changes, as fn and arg */
	void (*fn)(void *arg);
	void *arg;
	unsigned cpu; /* runs here or ran here last; THREAD_NO_CPU: has not run yet */
	uint64_t switches; /* how often a CPU switched to this thread */
	uint64_t migrations; /* how many of these to another CPU than the time before */
	/* The thread's own: no lock. */
	struct hm_context hardmap;
	bool interrupted_in_section; /* by the youngest exception; for the statistics */
	uint64_t try_address; /* what exception_try_*() is accessing; 0: nothing */
	uint64_t try_syndrome; /* of its fault; 0: none */
};

_Static_assert(offsetof(struct thread, stack) == 0, "boot.S");
_Static_assert(sizeof(struct thread) == THREAD_SIZE, "boot.S");
_Static_assert(offsetof(struct thread, context) == THREAD_CONTEXT, "switch.S");
_Static_assert(offsetof(struct thread_context, x[11]) == CONTEXT_X(30), "switch.S");
_Static_assert(offsetof(struct thread_context, sp) == CONTEXT_SP, "switch.S");

/* The idle threads, by CPU. boot.S puts each CPU on the stack of its own. */
extern struct thread idle_threads[MAX_CPUS];

/*
 * The thread that calls. TPIDR_EL1 holds it on each CPU, and cpu_switch()
 * updates it. The asm is not volatile, so the compiler may read it once and
 * keep the value across calls, switches and migrations. That is right: seen from
 * one thread it never changes, whichever CPU executes the read. In an exception
 * handler it is the interrupted thread.
 */
static inline struct thread *thread_current(void)
{
	struct thread *thread;

	__asm__("mrs %0, tpidr_el1" : "=r"(thread));
	return thread;
}

/*
 * Make a thread that runs fn(arg) with interrupts enabled; returning from fn is
 * thread_exit(). It is ready at once. Any context; `thread` must be new or done
 * (see sched_all_done()).
 */
void thread_create(struct thread *thread, const char *name, void (*fn)(void *arg), void *arg);

/*
 * Let the other ready threads run first; returns at once if there are none.
 * Not while holding a spinlock. May return on another CPU.
 */
void thread_yield(void);

/* End the current thread. Not from an idle thread. */
_Noreturn void thread_exit(void);

/*
 * Whether every thread other than the caller has exited and is off its stack.
 * Idle threads do not count.
 */
bool sched_all_done(void);

/*
 * Preempt the current thread: it continues after the others, inside this call,
 * perhaps on another CPU. For exception_irq() at a timer interrupt, after
 * gic_end(): without that the CPU would take no further interrupt, whichever
 * thread it runs. Interrupts must be masked, and no spinlock held.
 */
void sched_tick(void);

/* Called by boot.S, once for each CPU, on the stack of idle_threads[cpu]. */
void sched_init_cpu(unsigned cpu);

/*
 * The caller, for each CPU, becomes the CPU's idle thread: enables interrupts,
 * runs what is ready, and sleeps between. The CPU's timer must be on: a sleeping
 * CPU looks for ready threads at each tick.
 */
_Noreturn void sched_start(void);

/*
 * Called by the scheduler, in the thread, with the run queue locked: on the CPU
 * that switches away from it, after its last store and before another CPU can run
 * it; and on the CPU that it came back to, first thing. Supplied by the user of the
 * page tables (exception.c).
 */
hm_context_switch_t sched_switch_out(void);
void sched_switch_in(hm_context_switch_t away);

/* The same for a thread's start, by whoever creates it, and for its end, by itself: nothing is open. */
void sched_thread_starts(struct thread *thread);
void sched_thread_ends(void);

#endif /* __ASSEMBLER__ */

#endif /* KERNEL_THREAD_H */
