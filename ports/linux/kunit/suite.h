/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * suite.h -- the spelling of tests/suite.h for KUnit: each CASE is one of KUnit's. It runs with
 * interrupts off, as its contexts are no task's; what fails first is told after that.
 */
#ifndef HM_LINUX_SUITE_H
#define HM_LINUX_SUITE_H
#include <kunit/test.h>

/* Runs a case of the suite that has that set-up: run.h. */
void suite_kunit_run(struct kunit *test, void (*setup)(void), void (*run)(void));
/* Of the case that runs. */
void suite_failed(const char *file, int line, const char *condition);
/* Before and after each case, where it may sleep. */
int suite_kunit_init(struct kunit *test);
void suite_kunit_exit(struct kunit *test);

#ifdef SUITE
static void suite_setup(void);

/* Filled by constructors, before KUnit looks; the last one stays empty. */
#define SUITE_CASES 80
static struct kunit_case suite_cases[SUITE_CASES];
static unsigned int suite_count;

static inline void suite_register(struct kunit_case test)
{
	if (!WARN_ON(suite_count == SUITE_CASES - 1))
		suite_cases[suite_count++] = test;
}
#endif

#define CASE(id)                                                     \
	static void id##_run(void);                                  \
	static void id(struct kunit *test)                           \
	{                                                            \
		suite_kunit_run(test, suite_setup, id##_run);        \
	}                                                            \
	static __attribute__((constructor)) void id##_register(void) \
	{                                                            \
		suite_register((struct kunit_case)KUNIT_CASE(id));   \
	}                                                            \
	static void id##_run(void)
#define EXPECT(condition) ((condition) ? (void)0 : suite_failed(__FILE__, __LINE__, #condition))
#define FAIL(text) suite_failed(__FILE__, __LINE__, text)

#define SUITE_KUNIT(text) SUITE_KUNIT_AFTER(NULL, suite_kunit_init, text)
/* After something that is done once, and another thing before each case, where they may sleep. */
#define SUITE_KUNIT_AFTER(prepare, each, text) \
	static struct kunit_suite suite = {    \
		.name = #text,                 \
		.suite_init = prepare,         \
		.init = each,                  \
		.exit = suite_kunit_exit,      \
		.test_cases = suite_cases,     \
	};                                     \
	kunit_test_suite(suite)
#endif
