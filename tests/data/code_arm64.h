/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* code_arm64.h -- the functions of code_arm64.S: bytes, to be copied to where they can be called. */
#ifndef CODE_ARM64_H
#define CODE_ARM64_H

#include <stdint.h>

/* 1 + 2 + ... + n */
typedef uint64_t code_sum_fn(uint64_t n);
extern const char code_sum[], code_sum_end[];

/* FNV-1a */
typedef uint64_t code_hash_fn(const void *bytes, uint64_t n);
extern const char code_hash[], code_hash_end[];

/* One more than what a function returns for x; its address has to be written to code_call_target. */
typedef uint64_t code_call_fn(uint64_t x);
extern const char code_call[], code_call_target[], code_call_end[];

/* Until *stop counts how often it came by which way: the instruction at code_patched_site is B, CODE_FIRST,
 * to the first; as NOP, CODE_SECOND, it leads to the second. */
typedef void code_patched_fn(volatile uint64_t counts[2], const volatile uint32_t *stop);
#define CODE_FIRST UINT32_C(0x14000003)
#define CODE_SECOND UINT32_C(0xd503201f)
extern const char code_patched[], code_patched_site[], code_patched_end[];

#endif /* CODE_ARM64_H */
