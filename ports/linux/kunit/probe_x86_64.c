// SPDX-License-Identifier: GPL-2.0-only
/*
 * probe_x86_64.c -- the contract suite's own port and probe (suite_x86_64.h), and what runs its cases.
 */
#include "contract/x86_64/x86.c"
#include "contract/probe_x86_64.c"
#include "run.h"

#define LOWER(value) ((value) & ((UINT64_C(1) << 48) - 1))
static u16 upper[16]; /* in the order in which they were asked for */

u64 hm_linux_suite_pa(const void *address)
{
	const u64 value = (uintptr_t)address;
	u64 i;

	for (i = 0; i < ARRAY_SIZE(upper) - 1 && upper[i]; i++)
		if (upper[i] == value >> 48)
			break;
	upper[i] = value >> 48;
	return LOWER(value) | i << 48;
}

void *hm_linux_suite_at(u64 pa)
{
	return (void *)(uintptr_t)(LOWER(pa) | (u64)upper[pa >> 48 & 15] << 48);
}

int suite_kunit_init(struct kunit *test)
{
	return 0;
}

void suite_kunit_exit(struct kunit *test)
{
}
