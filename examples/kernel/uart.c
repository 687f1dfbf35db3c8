/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* uart.c -- the PL011 of QEMU's virt machine, polled, and the formatted output on it. */
#include "uart.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "cpu.h"
#include "mmio.h"
#include "semihost.h"
#include "spinlock.h"

#define UART 0x09000000
#define UARTDR (UART + 0x00)
#define UARTFR (UART + 0x18)
#define UARTLCR_H (UART + 0x2c)
#define UARTCR (UART + 0x30)

#define UARTFR_TXFF (1 << 5) /* the transmit FIFO is full */
#define UARTLCR_H_8N1_FIFO 0x70
#define UARTCR_TX 0x101 /* UARTEN and TXE */

static struct spinlock console_lock;

void uart_init(void)
{
	mmio_write(UARTCR, 0);
	mmio_write(UARTLCR_H, UARTLCR_H_8N1_FIFO);
	mmio_write(UARTCR, UARTCR_TX);
}

/* Devices are where they are while the MMU is off; QEMU's needs no set-up to print. */
void uart_boot_message(const char *text)
{
	for (; *text; text++)
		*(volatile uint32_t *)(uintptr_t)UARTDR = (unsigned char)*text;
}

static void put_char(char c)
{
	while (mmio_read(UARTFR) & UARTFR_TXFF)
		cpu_relax();
	mmio_write(UARTDR, (unsigned char)c);
}

static void put_string(const char *s)
{
	while (*s)
		put_char(*s++);
}

/* How to print one conversion. */
struct format {
	bool zero; /* flag 0 */
	bool left; /* flag - */
	bool group; /* flag ' */
	unsigned width;
	unsigned longs; /* how many l */
};

static void put_padding(char c, unsigned width, unsigned length)
{
	for (; length < width; length++)
		put_char(c);
}

/* Print sign (which may be empty) and text, padded. */
static void put_field(const struct format *format, const char *sign, const char *text)
{
	unsigned length = 0;

	for (const char *s = sign; *s; s++)
		length++;
	for (const char *s = text; *s; s++)
		length++;

	if (!format->left && !format->zero)
		put_padding(' ', format->width, length);
	put_string(sign);
	if (!format->left && format->zero)
		put_padding('0', format->width, length);
	put_string(text);
	if (format->left)
		put_padding(' ', format->width, length);
}

static void put_number(const struct format *format, const char *sign, uint64_t value, unsigned base)
{
	char text[32]; /* 20 digits and 6 separators at most */
	char *s = text + sizeof(text);
	unsigned digits = 0;

	*--s = '\0';
	do {
		if (format->group && digits && digits % 3 == 0)
			*--s = ',';
		*--s = "0123456789abcdef"[value % base];
		digits++;
		value /= base;
	} while (value);
	put_field(format, sign, s);
}

static void put_formatted(const char *fmt, va_list args)
{
	for (; *fmt; fmt++) {
		struct format format = { .width = 0 };

		if (*fmt != '%') {
			put_char(*fmt);
			continue;
		}
		for (fmt++; *fmt == '0' || *fmt == '-' || *fmt == '\''; fmt++) {
			format.zero |= *fmt == '0';
			format.left |= *fmt == '-';
			format.group |= *fmt == '\'';
		}
		for (; *fmt >= '0' && *fmt <= '9'; fmt++)
			format.width = 10 * format.width + (unsigned)(*fmt - '0');
		for (; *fmt == 'l'; fmt++)
			format.longs++;

		switch (*fmt) {
		case 'd': {
			/* long and long long are the same here: 64 bits. */
			int64_t value = format.longs ? va_arg(args, int64_t) : va_arg(args, int);

			/* Negated as unsigned: INT64_MIN has no positive counterpart. */
			if (value < 0)
				put_number(&format, "-", -(uint64_t)value, 10);
			else
				put_number(&format, "", (uint64_t)value, 10);
			break;
		}
		case 'u':
		case 'x': {
			uint64_t value = format.longs ? va_arg(args, uint64_t)
						      : va_arg(args, unsigned);

			put_number(&format, "", value, *fmt == 'u' ? 10 : 16);
			break;
		}
		case 'p':
			put_number(&format, "0x", (uint64_t)va_arg(args, void *), 16);
			break;
		case 's':
			put_field(&format, "", va_arg(args, const char *));
			break;
		case 'c': {
			char text[2] = { (char)va_arg(args, int), '\0' };

			put_field(&format, "", text);
			break;
		}
		case '%':
			put_char('%');
			break;
		default: /* the format attribute's warning was ignored; the arguments are lost */
			put_string("%?");
			return;
		}
	}
}

void console_printf(const char *fmt, ...)
{
	va_list args;
	uint64_t flags = spin_lock_irqsave(&console_lock);

	va_start(args, fmt);
	put_formatted(fmt, args);
	va_end(args);
	spin_unlock_irqrestore(&console_lock, flags);
}

_Noreturn void panic(const char *fmt, ...)
{
	va_list args;

	/*
	 * Wait for the console, but not for ever: its holder may be this very CPU, or
	 * one that is stuck. It is not released: this line is the last.
	 */
	irq_save();
	for (unsigned tries = 0; tries < 10000000 && !spin_trylock(&console_lock); tries++)
		cpu_relax();

	put_string("panic: ");
	va_start(args, fmt);
	put_formatted(fmt, args);
	va_end(args);
	put_char('\n');
	machine_exit(1);
}
