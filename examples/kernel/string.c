/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * string.c -- memset() and its family, for us and for the compiler.
 *
 * Aligned words where both sides allow it, bytes elsewhere; never an unaligned
 * access, so these also work on Device memory and with the MMU off.
 */
#include "string.h"

#include <stdbool.h>
#include <stdint.h>

typedef uint64_t __attribute__((may_alias)) word_t;

/*
 * Compilers recognize a loop that copies or fills, and replace it by a call of
 * the very function it is in. A pointer that passes through here is opaque.
 */
#define opaque(pointer) __asm__("" : "+r"(pointer))

static bool word_aligned(const void *p)
{
	return (uintptr_t)p % sizeof(word_t) == 0;
}

void *memset(void *dst, int value, size_t size)
{
	unsigned char *d = dst;
	word_t word = (unsigned char)value * 0x0101010101010101;

	if (word_aligned(d)) {
		for (; size >= sizeof(word); size -= sizeof(word)) {
			*(word_t *)(void *)d = word;
			d += sizeof(word);
			opaque(d);
		}
	}
	for (; size; size--) {
		*d++ = (unsigned char)value;
		opaque(d);
	}
	return dst;
}

void *memcpy(void *dst, const void *src, size_t size)
{
	unsigned char *d = dst;
	const unsigned char *s = src;

	if (word_aligned(d) && word_aligned(s)) {
		for (; size >= sizeof(word_t); size -= sizeof(word_t)) {
			*(word_t *)(void *)d = *(const word_t *)(const void *)s;
			d += sizeof(word_t);
			s += sizeof(word_t);
			opaque(d);
		}
	}
	for (; size; size--) {
		*d++ = *s++;
		opaque(d);
	}
	return dst;
}

void *memmove(void *dst, const void *src, size_t size)
{
	unsigned char *d = dst;
	const unsigned char *s = src;

	/* Forwards is safe unless dst begins inside src: memcpy() above goes forwards. */
	if ((uintptr_t)d - (uintptr_t)s >= size)
		return memcpy(dst, src, size);

	while (size--) {
		d[size] = s[size];
		opaque(d);
	}
	return dst;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const unsigned char *p = a;
	const unsigned char *q = b;

	for (; size; size--, p++, q++) {
		if (*p != *q)
			return *p - *q;
	}
	return 0;
}
