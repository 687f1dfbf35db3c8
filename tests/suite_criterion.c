/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * suite_criterion.c -- the suites under Criterion, which has its own main() and runs each case in a process.
 */
#include "suite.h"
#include <criterion/abort.h>
#include <criterion/event.h>

void suite_failed(const char *file, int line, const char *condition)
{
	struct criterion_assert_stats stats = {
		.message = condition,
		.file = file,
		.line = (unsigned int)line,
	};

	criterion_send_assert(&stats);
	criterion_continue_test();
}
