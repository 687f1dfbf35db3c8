/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* string.h -- the four functions that a compiler may call in freestanding code. */
#ifndef KERNEL_STRING_H
#define KERNEL_STRING_H

#include <stddef.h>

void *memset(void *dst, int value, size_t size);
void *memcpy(void *dst, const void *src, size_t size);
void *memmove(void *dst, const void *src, size_t size);
int memcmp(const void *a, const void *b, size_t size);

#endif /* KERNEL_STRING_H */
