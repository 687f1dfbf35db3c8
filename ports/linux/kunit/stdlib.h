/* SPDX-License-Identifier: GPL-2.0-only */
/* stdlib.h -- for the contract suite's bodies, which ask for it by that name. Cases cannot
 * sleep. */
#ifndef HM_LINUX_SUITE_STDLIB_H
#define HM_LINUX_SUITE_STDLIB_H
#include <linux/slab.h>

static inline void *malloc(size_t bytes)
{
	return kmalloc(bytes, GFP_ATOMIC);
}

/* The kernel's is aligned to its size, if that is a power of 2. */
static inline void *aligned_alloc(size_t alignment, size_t bytes)
{
	return bytes == alignment ? malloc(bytes) : NULL;
}

static inline void free(void *memory)
{
	kfree(memory);
}
#endif
