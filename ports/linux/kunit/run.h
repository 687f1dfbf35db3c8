/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * run.h -- the rest of a probe: cases are run. For one source file of each set of suites.
 */
#ifndef HM_LINUX_RUN_H
#define HM_LINUX_RUN_H
#include <linux/irqflags.h>

#include "probe.h"
#include "suite.h"

static const char *failed_condition,
	*failed_file; /* of the case that runs; NULL: none failed yet */
static int failed_line;

void suite_failed(const char *file, int line, const char *condition)
{
	if (failed_condition)
		return;
	failed_condition = condition;
	failed_file = file;
	failed_line = line;
}

void suite_kunit_run(struct kunit *test, void (*setup)(void), void (*run)(void))
{
	unsigned long flags;

	failed_condition = NULL;
	local_irq_save(flags);
	setup();
	run();
	probe_reset(); /* the register is as this task has it */
	local_irq_restore(flags);
	if (failed_condition)
		KUNIT_FAIL(test, "%s:%d: %s", failed_file, failed_line, failed_condition);
}
#endif
