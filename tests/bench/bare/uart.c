/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* uart.c -- prints, a character at a time. */
#include "uart.h"

void print(const char *text)
{
	while (*text)
		*(volatile uint32_t *)0x09000000 = (unsigned char)*text++;
}

void print_number(uint64_t number)
{
	char digits[22];
	unsigned int i = sizeof(digits) - 1;

	digits[i] = 0;
	digits[--i] = ' ';
	do
		digits[--i] = (char)('0' + number % 10);
	while (number /= 10);
	print(digits + i);
}
