/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * uart.h -- the console: the UART of QEMU's virt machine, which prints what is stored in it.
 */
#ifndef BENCH_UART_H
#define BENCH_UART_H
#include <stdint.h>

void print(const char *text);
/* And a space. */
void print_number(uint64_t number);
#endif
