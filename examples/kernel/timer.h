/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* timer.h -- a periodic interrupt on each CPU from the EL1 virtual timer. */
#ifndef KERNEL_TIMER_H
#define KERNEL_TIMER_H

#define TIMER_IRQ 27 /* PPI, level-sensitive */

/* Interrupt this CPU hz times a second, from now on. After gic_init_cpu(). */
void timer_start(unsigned hz);

/*
 * At a TIMER_IRQ: drop the request and ask for the next. Before gic_end(), or the
 * GIC sees the old request as a new one.
 */
void timer_rearm(void);

#endif /* KERNEL_TIMER_H */
