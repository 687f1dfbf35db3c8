/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * suite_plain.c -- the runner of suite.h where there is no Criterion: all cases in one process, in
 * the order in which they were linked, one line of TAP each.
 */
#include "suite.h"

static struct suite_case *first;
static struct suite_case **last = &first;
static unsigned int cases;
static const char *failed_condition; /* of the case that runs, NULL: none failed yet */
static const char *failed_file;
static int failed_line;

void suite_register(struct suite_case *test)
{
	*last = test;
	last = &test->next;
	cases++;
}

void suite_failed(const char *file, int line, const char *condition)
{
	if (failed_condition)
		return;
	failed_condition = condition;
	failed_file = file;
	failed_line = line;
}

unsigned int suite_run(void (*print)(const char *format, ...))
{
	unsigned int number = 0, failures = 0;
	const struct suite_case *test;

	print("1..%u\n", cases);
	for (test = first; test; test = test->next) {
		failed_condition = 0;
		test->setup();
		test->run();
		number++;
		if (!failed_condition) {
			print("ok %u - %s\n", number, test->name);
			continue;
		}
		failures++;
		print("not ok %u - %s\n# %s:%d: %s\n", number, test->name, failed_file, failed_line,
		      failed_condition);
	}
	return failures;
}
