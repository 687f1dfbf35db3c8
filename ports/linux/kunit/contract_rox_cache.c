// SPDX-License-Identifier: GPL-2.0-only
/* contract_rox_cache.c -- the contract suite's cases of rox_cache.h. */
#include <linux/limits.h>

#define UINT64_MAX U64_MAX
/* Interrupts are off in a case: seconds of an emulator less. */
#define FAILURES_IN_A_ROW 2
#include "contract/rox_cache.c"

/* The first time, it gets its memory. */
static int prepare_kernel(struct kunit_suite *suite)
{
	rox_kernel_reset();
	return 0;
}

SUITE_KUNIT_AFTER(prepare_kernel, suite_kunit_init, hardmap_contract_rox_cache);
