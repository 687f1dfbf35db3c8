/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * pages.h -- ordinary memory: between TRACE_END and SPARE_PA by aligned blocks of pages, which come back;
 * between DATA_PA and TRACE_PA for good. Any thread; not in handlers.
 */
#ifndef KERNEL_PAGES_H
#define KERNEL_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "layout.h"

/* 1 << order pages, aligned to that, of any contents; false if there are none. */
bool pages_take(unsigned int order, uint64_t *pa);

/* That many pages, of such blocks, are free again: they have to take ordinary stores. */
void pages_give(uint64_t pa, unsigned int n);

/* How many are not. */
unsigned int pages_taken(void);

/* Bytes for the kernel's own use, never freed, aligned to a page; zero. */
void *pages_reserve(uint64_t bytes);

#endif /* KERNEL_PAGES_H */
