/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * pages.h -- memory for page tables, between TRACE_END and SPARE_PA, which boot gives the key of page
 * tables as a whole; and for everything else, between DATA_PA and TRACE_PA. Any thread; not in handlers.
 */
#ifndef KERNEL_PAGES_H
#define KERNEL_PAGES_H

#include <stdint.h>

#include "layout.h"

/* The physical address of a page for a table, panics if there is none. It is empty; so has it to be
 * when it is given back. */
uint64_t table_alloc(void);
void table_free(uint64_t pa);

/* Bytes for the kernel's own use, never freed, aligned to a page; zero. */
void *pages_reserve(uint64_t bytes);

#endif /* KERNEL_PAGES_H */
