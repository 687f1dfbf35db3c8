// SPDX-License-Identifier: GPL-2.0-only
/*
 * live_code.c -- code that is loaded into the running kernel, executed, patched, and freed.
 */
#include <kunit/test.h>
#include <linux/cpumask.h>
#include <linux/kthread.h>
#include <linux/uaccess.h>

#include "hardmap.h"
#include <hardmap/rox_cache.h>

#ifdef CONFIG_ARM64
#include "code_arm64.h"
#else
#include "code_x86_64.h"
#endif

static int (*function_at(hm_va_t code))(void)
{
	return (int (*)(void))(uintptr_t)code.val;
}

static hm_va_t load(struct kunit *test, unsigned int n)
{
	const u32 text[] = { CODE_RETURNS(n) };
	hm_va_t code = { 0 };

	KUNIT_ASSERT_EQ(test,
			hm_rox_cache_load(&hm_linux_code, &hm_linux_code_arena, text, sizeof(text),
					  64, HM_ROX_CACHE_MAY_SLEEP, NULL, NULL, &code),
			0);
	return code;
}

static void code_is_loaded_and_executed(struct kunit *test)
{
	hm_va_t code[64];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(code); i++)
		code[i] = load(test, i * 7);
	for (i = 0; i < ARRAY_SIZE(code); i++)
		KUNIT_EXPECT_EQ(test, function_at(code[i])(), i * 7);
	for (i = 0; i < ARRAY_SIZE(code); i += 2)
		KUNIT_EXPECT_EQ(test, hm_rox_cache_free(&hm_linux_code, code[i]), 0);
	for (i = 1; i < ARRAY_SIZE(code); i += 2)
		KUNIT_EXPECT_EQ(test, function_at(code[i])(), i * 7);
	for (i = 1; i < ARRAY_SIZE(code); i += 2)
		KUNIT_EXPECT_EQ(test, hm_rox_cache_free(&hm_linux_code, code[i]), 0);
}

static void freed_code_traps(struct kunit *test)
{
	const hm_va_t code = load(test, 1);
	u64 word = 0;

	KUNIT_ASSERT_EQ(test, hm_rox_cache_free(&hm_linux_code, code), 0);
	if (copy_from_kernel_nofault(&word, (void *)(uintptr_t)code.val, sizeof(word)))
		return; /* the block went back */
	KUNIT_EXPECT_EQ(test, word, (u64)HM_PORT_ROX_CACHE_TRAP);
}

/* Neither where it executes, nor through the linear map. */
static void code_is_not_writable(struct kunit *test)
{
	const hm_va_t code = load(test, 3);
	const u64 other = ~0ull;

	KUNIT_EXPECT_NE(test,
			copy_to_kernel_nofault((void *)(uintptr_t)code.val, &other, sizeof(other)),
			0l);
	KUNIT_EXPECT_NE(test,
			copy_to_kernel_nofault(hm_port_rox_cache_at(&hm_linux_code, code), &other,
					       sizeof(other)),
			0l);
	KUNIT_EXPECT_EQ(test, function_at(code)(), 3);
	KUNIT_EXPECT_EQ(test, hm_rox_cache_free(&hm_linux_code, code), 0);
}

/* Where nobody executes. */
static void code_is_patched(struct kunit *test)
{
	const hm_va_t code = load(test, 1);
	const hm_va_t at = { code.val + CODE_RETURNS_AT };
	unsigned int i;

	for (i = 0; i < 100; i++) {
		KUNIT_EXPECT_EQ(
			test, hm_rox_cache_patch(&hm_linux_code, at, CODE_RETURNS_WORD(i * 5)), 0);
		KUNIT_EXPECT_EQ(test, function_at(code)(), i * 5);
	}
	KUNIT_EXPECT_EQ(test, hm_rox_cache_free(&hm_linux_code, code), 0);
}

/* ---- patched while it runs: x86-64 allows no instruction to be exchanged under who executes it ---- */
#ifdef CONFIG_ARM64

static atomic_t wrong, calls;

static int caller(void *code)
{
	while (!kthread_should_stop()) {
		const int value = function_at(*(hm_va_t *)code)();

		if (value != 1 && value != 2)
			atomic_inc(&wrong);
		atomic_inc(&calls);
		cond_resched();
	}
	return 0;
}

/* NOP and a branch change places: the one returns 1, the other 2. */
static void code_is_patched_while_it_runs(struct kunit *test)
{
	const u32 text[] = { CODE_BTI_C, CODE_NOP, CODE_MOV(1), CODE_RET, CODE_MOV(2), CODE_RET };
	struct task_struct *tasks[2];
	hm_va_t code, at;
	unsigned int i;

	KUNIT_ASSERT_EQ(test,
			hm_rox_cache_load(&hm_linux_code, &hm_linux_code_arena, text, sizeof(text),
					  64, HM_ROX_CACHE_MAY_SLEEP, NULL, NULL, &code),
			0);
	at.val = code.val + 4;
	atomic_set(&wrong, 0);
	atomic_set(&calls, 0);
	for (i = 0; i < ARRAY_SIZE(tasks); i++) {
		tasks[i] = kthread_run(caller, &code, "hardmap-caller/%u", i);
		KUNIT_ASSERT_FALSE(test, IS_ERR(tasks[i]));
	}
	for (i = 0; i < 200; i++) {
		const bool branch = i % 2 == 0;

		/* Twice, as QEMU 7.2 may go on with the old one for once: it forgets what it translated
		 * before the store, not after it. */
		KUNIT_EXPECT_EQ(
			test, hm_rox_cache_patch(&hm_linux_code, at, branch ? CODE_B(3) : CODE_NOP),
			0);
		KUNIT_EXPECT_EQ(
			test, hm_rox_cache_patch(&hm_linux_code, at, branch ? CODE_B(3) : CODE_NOP),
			0);
		KUNIT_EXPECT_EQ(test, function_at(code)(), branch ? 2 : 1);
	}
	for (i = 0; i < ARRAY_SIZE(tasks); i++)
		kthread_stop(tasks[i]);
	KUNIT_EXPECT_EQ(test, atomic_read(&wrong), 0);
	KUNIT_EXPECT_GT(test, atomic_read(&calls), 0);
	KUNIT_EXPECT_EQ(test, hm_rox_cache_free(&hm_linux_code, code), 0);
}

#endif

/* As modules come and go; every count is what it was. */
static void churn_leaves_nothing(struct kunit *test)
{
	static hm_va_t code[128];
	static const u32 text[2048] = { CODE_RETURNS(5) };
	struct hm_rox_cache_statistics before, after;
	u32 seed = 1;
	unsigned int i, slot;

	memset(code, 0, sizeof(code));
	hm_rox_cache_statistics(&hm_linux_code, &before);
	for (i = 0; i < 1000; i++) {
		seed = seed * 1103515245 + 12345;
		slot = seed >> 16 & 127;
		if (code[slot].val) {
			KUNIT_EXPECT_EQ(test, function_at(code[slot])(), 5);
			KUNIT_EXPECT_EQ(test, hm_rox_cache_free(&hm_linux_code, code[slot]), 0);
			code[slot].val = 0;
		} else {
			KUNIT_EXPECT_EQ(test,
					hm_rox_cache_load(
						&hm_linux_code, &hm_linux_code_arena, text,
						12 + (seed >> 8 & 0x1ffc) % (sizeof(text) - 12), 64,
						HM_ROX_CACHE_MAY_SLEEP, NULL, NULL, &code[slot]),
					0);
		}
	}
	for (i = 0; i < ARRAY_SIZE(code); i++)
		if (code[i].val)
			KUNIT_EXPECT_EQ(test, hm_rox_cache_free(&hm_linux_code, code[i]), 0);
	hm_rox_cache_statistics(&hm_linux_code, &after);
	KUNIT_EXPECT_EQ(test, after.live, before.live);
	KUNIT_EXPECT_EQ(test, after.live_bytes, before.live_bytes);
	KUNIT_EXPECT_EQ(test, after.parked_ranges, 0ull);
	KUNIT_EXPECT_EQ(test, after.held_blocks, 0ull);
}

/* What is empty goes back, and its memory is as writable as it came. */
static void blocks_go_back_whole(struct kunit *test)
{
	struct hm_rox_cache_statistics is;
	unsigned int i, mapped = 0;
	uint64_t offset;
	u64 word;

	for (i = 0; i < 20; i++)
		(void)hm_rox_cache_shrink_scan(&hm_linux_code, ~0ull);
	hm_rox_cache_statistics(&hm_linux_code, &is);
	KUNIT_EXPECT_EQ(test, is.blocks - is.empty, is.live ? 1ull : 0ull);
	KUNIT_EXPECT_EQ(test, is.counts.failures, 0ull);
	/* Nothing else is mapped where they executed. */
	for (offset = 0; offset < HM_LINUX_AREA_CODE; offset += PMD_SIZE)
		mapped += !copy_from_kernel_nofault(
			&word, (void *)(uintptr_t)(hm_linux_area.val + offset), sizeof(word));
	KUNIT_EXPECT_EQ(test, (u64)mapped, is.blocks);
}

static struct kunit_case cases[] = { KUNIT_CASE(code_is_loaded_and_executed),
				     KUNIT_CASE(freed_code_traps),
				     KUNIT_CASE(code_is_not_writable),
				     KUNIT_CASE(code_is_patched),
#ifdef CONFIG_ARM64
				     KUNIT_CASE(code_is_patched_while_it_runs),
#endif
				     KUNIT_CASE(churn_leaves_nothing),
				     KUNIT_CASE(blocks_go_back_whole),
				     {} };

static struct kunit_suite suite = {
	.name = "hardmap_linux_code",
	.test_cases = cases,
};
kunit_test_suite(suite);
