/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * suite_main.c -- the plain runner as a program: TAP on standard output, status 1 if a case failed.
 */
#include "suite.h"
#include <stdarg.h>
#include <stdio.h>

static void print(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
}

int main(void)
{
	return suite_run(print) ? 1 : 0;
}
