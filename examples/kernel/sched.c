/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * sched.c -- the run queue, and who may run a thread when.
 *
 * A thread must not be picked up by another CPU before its registers are saved
 * and its old CPU is off its stack. Here the run queue's lock says so: a CPU
 * queues its old thread, takes the new one, switches, and only then, as the new
 * thread, releases the lock. So whoever finds the old thread in the queue
 * acquired the lock after that, and the release and acquire order the saved
 * registers before their use. The lock thus passes from thread to thread, and
 * belongs to the CPU. An on_cpu flag for each thread would let the lock go
 * earlier, at the price of a second protocol; one lock is enough here.
 */
#include "thread.h"

#include "cpu.h"
#include "spinlock.h"
#include "uart.h"

/* At stack[0]: it is still there unless the stack overflowed. */
#define STACK_GUARD 0x5afe57ac5afe57ac

#define DAIF_NONE 0 /* no interrupt is masked */

void cpu_switch(struct thread *from, struct thread *to);

static struct {
	struct spinlock lock;
	struct thread *head; /* NULL: empty */
	struct thread *tail; /* valid unless empty */
	unsigned created;
	unsigned alive; /* created and not exited */
} run_queue;

struct thread idle_threads[MAX_CPUS];

static void run_queue_push(struct thread *thread)
{
	thread->next = NULL;
	if (run_queue.head)
		run_queue.tail->next = thread;
	else
		run_queue.head = thread;
	run_queue.tail = thread;
}

/* The oldest thread of the queue, or NULL. */
static struct thread *run_queue_pop(void)
{
	struct thread *thread = run_queue.head;

	if (thread)
		run_queue.head = thread->next;
	return thread;
}

/*
 * Run the next thread, if it is another one. Called, and in the end returns, with
 * the run queue locked; in between other threads ran, here or on other CPUs.
 */
static void schedule(void)
{
	struct thread *self = thread_current();
	unsigned cpu = cpu_id();
	struct thread *idle = &idle_threads[cpu];
	hm_context_switch_t away;
	struct thread *next;

	if (self->stack[0] != STACK_GUARD)
		panic("%s: stack overflow", self->name);

	if (self->state == THREAD_RUNNING) {
		self->state = THREAD_READY;
		if (self != idle)
			run_queue_push(self);
	}
	next = run_queue_pop();
	if (!next)
		next = idle;
	next->state = THREAD_RUNNING;
	if (next == self)
		return;

	next->switches++;
	if (next->cpu != cpu && next->cpu != THREAD_NO_CPU)
		next->migrations++;
	next->cpu = cpu;

	/* All that self did is before this; the lock keeps it off other CPUs until after. */
	away = sched_switch_out();
	cpu_switch(self, next);
	sched_switch_in(away);
}

/* Where cpu_switch() returns to in a new thread. */
static _Noreturn void thread_start(void)
{
	struct thread *self = thread_current();

	/* The other half of the schedule() that switched here. */
	spin_unlock_irqrestore(&run_queue.lock, DAIF_NONE);
	self->fn(self->arg);
	thread_exit();
}

void thread_create(struct thread *thread, const char *name, void (*fn)(void *arg), void *arg)
{
	uint64_t flags;

	thread->stack[0] = STACK_GUARD;
	thread->context = (struct thread_context){
		.x[30 - 19] = (uint64_t)thread_start,
		.sp = (uint64_t)thread->stack + STACK_SIZE,
	};
	thread->state = THREAD_READY;
	thread->name = name;
	thread->fn = fn;
	thread->arg = arg;
	thread->cpu = THREAD_NO_CPU;
	thread->switches = 0;
	thread->migrations = 0;
	sched_thread_starts(thread);

	flags = spin_lock_irqsave(&run_queue.lock);
	thread->id = MAX_CPUS + run_queue.created++;
	run_queue.alive++;
	run_queue_push(thread);
	spin_unlock_irqrestore(&run_queue.lock, flags);
}

void thread_yield(void)
{
	uint64_t flags = spin_lock_irqsave(&run_queue.lock);

	schedule();
	spin_unlock_irqrestore(&run_queue.lock, flags);
}

_Noreturn void thread_exit(void)
{
	sched_thread_ends();
	spin_lock_irqsave(&run_queue.lock);
	thread_current()->state = THREAD_EXITED;
	/* Nobody can see this before the lock is released, and then this stack is free. */
	run_queue.alive--;
	schedule();
	panic("an exited thread runs");
}

bool sched_all_done(void)
{
	uint64_t flags = spin_lock_irqsave(&run_queue.lock);
	unsigned self = thread_current()->id >= MAX_CPUS; /* an idle thread is not in alive */
	bool done = run_queue.alive == self;

	spin_unlock_irqrestore(&run_queue.lock, flags);
	return done;
}

void sched_tick(void)
{
	thread_yield();
}

void sched_init_cpu(unsigned cpu)
{
	struct thread *idle = &idle_threads[cpu];

	idle->stack[0] = STACK_GUARD;
	idle->state = THREAD_RUNNING;
	idle->id = cpu;
	idle->name = "idle";
	idle->cpu = cpu; /* boot.S has made it the current thread */
}

_Noreturn void sched_start(void)
{
	irq_restore(DAIF_NONE);
	for (;;) {
		/*
		 * Masked from before the look at the queue: an interrupt after it stays
		 * pending, ends the sleep, and is taken when the mask goes.
		 */
		uint64_t flags = irq_save();

		thread_yield();
		cpu_wait_for_interrupt();
		irq_restore(flags);
	}
}
