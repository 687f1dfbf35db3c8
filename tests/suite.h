/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * suite.h -- one spelling for test cases that run under Criterion on the host and, where there is
 * no Criterion (bare metal, emulated user mode), under a small runner.
 *
 *	#define SUITE lazy_mmu_hosted       (usually -DSUITE=... from the build)
 *	CASE(a_write_outside_a_section_is_published_at_once) { ... EXPECT(condition); ... FAIL(text); }
 *
 * suite_setup() is the suite's own and runs before each case. Under Criterion a case is a process;
 * in the plain runner (suite_plain.c, with suite_main.c where there is an operating system) all
 * share one, so suite_setup() must put everything back.
 */
#ifndef SUITE_H
#define SUITE_H

#ifdef SUITE
static void suite_setup(void);
#endif

/* In the runner. A call and no more: Criterion's own assertion at each EXPECT takes half of a compiler's
 * time. */
void suite_failed(const char *file, int line, const char *condition);
#define EXPECT(condition) ((condition) ? (void)0 : suite_failed(__FILE__, __LINE__, #condition))
#define FAIL(text) suite_failed(__FILE__, __LINE__, text)

#ifdef SUITE_CRITERION
#include <criterion/criterion.h>
#define SUITE_TEST_(suite, name) Test(suite, name, .init = suite_setup)
#define CASE(name) SUITE_TEST(SUITE, name)
#define SUITE_TEST(suite, name) SUITE_TEST_(suite, name)
#else
struct suite_case {
	const char *name;
	void (*setup)(void);
	void (*run)(void);
	struct suite_case *next;
};

/* In suite_plain.c. */
void suite_register(struct suite_case *test);
/* Runs everything that was registered; returns the number of cases that failed. */
unsigned int suite_run(void (*print)(const char *format, ...)
			       __attribute__((format(printf, 1, 2))));

#define SUITE_TEXT_(text) #text
#define SUITE_TEXT(text) SUITE_TEXT_(text)
#define CASE(id)                                                                                \
	static void id(void);                                                                   \
	static struct suite_case id##_case = { SUITE_TEXT(SUITE) "/" #id, suite_setup, id, 0 }; \
	static __attribute__((constructor)) void id##_register(void)                            \
	{                                                                                       \
		suite_register(&id##_case);                                                     \
	}                                                                                       \
	static void id(void)
#endif
#endif
