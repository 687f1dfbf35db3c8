/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * irq_window.h -- page-table entries that belong to interrupt handlers: one for each CPU, mapped,
 * used and unmapped within one interrupt, whatever the interrupted thread is in the middle of.
 */
#ifndef KERNEL_IRQ_WINDOW_H
#define KERNEL_IRQ_WINDOW_H

/* Once, after window_init(): from here on handlers use it. */
void irq_window_init(void);

/* In a handler: maps a page, uses it at once, and unmaps it, if the window is open. */
void irq_window_use(void);

/* No handler uses the window any more once it returns: for who wants to count. Threads only. */
void irq_window_close(void);

#endif /* KERNEL_IRQ_WINDOW_H */
