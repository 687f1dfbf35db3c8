/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * pages.h -- pages of the memory between TRACE_END and SPARE_PA. Any thread; not in handlers.
 */
#ifndef KERNEL_PAGES_H
#define KERNEL_PAGES_H

#include <stdint.h>

#include "layout.h"

/* The physical address of a page, panics if there is none. Its first contents are zero; after
 * page_free() they are what the last owner left. */
uint64_t page_alloc(void);
void page_free(uint64_t pa);

/* Bytes for the kernel's own bookkeeping, never freed, aligned to a page; zero. */
void *pages_reserve(uint64_t bytes);

#endif /* KERNEL_PAGES_H */
