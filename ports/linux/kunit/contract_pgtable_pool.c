// SPDX-License-Identifier: GPL-2.0-only
/* contract_pgtable_pool.c -- the contract suite's cases of pgtable_pool.h. */
#include "contract/pgtable_pool.c"

/* The first time, it gets its memory. */
static int prepare_kernel(struct kunit_suite *suite)
{
	pool_kernel_reset();
	return 0;
}

SUITE_KUNIT_AFTER(prepare_kernel, suite_kunit_init, hardmap_contract_pgtable_pool);
