/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * protect.h -- page tables that stray stores do not reach: shown, on every CPU and in every context, and
 * ended by a hand-over.
 */
#ifndef KERNEL_PROTECT_H
#define KERNEL_PROTECT_H

/* Interrupts that the demonstration sends: to a CPU itself, and to all others at the end. */
#define PROTECT_SGI_ATTACK 1
#define PROTECT_SGI_STOP 2

/* Says what is enforced, and tries it, the CPUs from 0 to that number. For a thread that may wait; panics
 * if a store that should be refused is not, or the other way round. */
void protect_demonstrate(unsigned int cpus);

/* Stops the other CPUs, takes protection down, and sees that the tables work without. For the last thread;
 * interrupts are masked from here on. */
void protect_hand_over(unsigned int cpus);

/* Of exception.c: a BRK, and the interrupts above. */
void protect_in_exception(void);
void protect_in_interrupt(void);
_Noreturn void protect_stop_cpu(void);

#endif /* KERNEL_PROTECT_H */
