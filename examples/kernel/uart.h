/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* uart.h -- the console, on the PL011. Any context, once uart_init() ran. */
#ifndef KERNEL_UART_H
#define KERNEL_UART_H

/* Once, on the boot CPU, with the MMU on. */
void uart_init(void);

/* Print as it is, on the boot CPU with the MMU off. */
void uart_boot_message(const char *text);

/*
 * Print one piece of output, never mixed with that of another CPU. Conversions:
 * %s %c %d %u %x %p %%, with an l or ll before d, u and x, and before that a width
 * and the flags 0 (pad with zeroes), - (pad on the right) and ' (1,000,000).
 */
__attribute__((format(printf, 1, 2))) void console_printf(const char *fmt, ...);

/* Print a last line and end the machine with status 1. */
__attribute__((format(printf, 1, 2))) _Noreturn void panic(const char *fmt, ...);

#endif /* KERNEL_UART_H */
