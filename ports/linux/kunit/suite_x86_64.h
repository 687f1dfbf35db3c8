/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * suite_x86_64.h -- before everything else in the contract suites on x86-64, which run on the
 * suite's own port over ports/x86_64 (contract/x86_64): its contexts, its tables, and instructions
 * that are counted and not executed, but for accesses to memory: no barrier, no INVLPG, no write of
 * CR4. So they show what the library does as a kernel's compiler builds it, and nothing of this
 * CPU; the live suites do. There are no keys: all are as those of plain.h are on arm64.
 */
#ifndef HM_LINUX_SUITE_X86_64_H
#define HM_LINUX_SUITE_X86_64_H
#include <linux/types.h>

/* Memory is static, of the page allocator, and of vmalloc(): what the suites take for a physical
 * address has its lower 48 bits, and above them which of some upper 16 bits it has; with 5-level
 * paging there are several. In probe_x86_64.c. */
u64 hm_linux_suite_pa(const void *address);
void *hm_linux_suite_at(u64 pa);
#define X86_PA(address) hm_linux_suite_pa(address)
#define X86_AT(pa) hm_linux_suite_at(pa)
#define HM_LINUX_SUITE_PA(address) hm_linux_suite_pa(address)
#define X86_TRACE 16 /* it is copied on the stack */
#ifdef __CHECKER__
#define __builtin_assume_aligned(pointer, alignment) (pointer) /* sparse does not know it */
#endif
#include "plain.h"
#endif
