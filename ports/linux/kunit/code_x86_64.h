/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * code_x86_64.h -- the code that live_code.c loads.
 */
#ifndef HM_LINUX_CODE_X86_64_H
#define HM_LINUX_CODE_X86_64_H
#define CODE_ENDBR64 0xfa1e0ff3u

/* Three words: a function that returns n, below 65536. The one that says so is four bytes of mov $n, %eax,
 * whose fifth is 0 and begins the next word; ret, and two int3. */
#define CODE_RETURNS(n) CODE_ENDBR64, CODE_RETURNS_WORD(n), 0xccccc300u
#define CODE_RETURNS_AT 4
#define CODE_RETURNS_WORD(n) (0xb8u | (n) << 8)
#endif
