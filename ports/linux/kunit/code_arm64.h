/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * code_arm64.h -- the code that live_code.c loads.
 */
#ifndef HM_LINUX_CODE_ARM64_H
#define HM_LINUX_CODE_ARM64_H
#define CODE_MOV(n) (0x52800000u | (n) << 5) /* mov w0, #n */
#define CODE_RET 0xd65f03c0u
#define CODE_NOP 0xd503201fu
#define CODE_B(words) (0x14000000u | ((words)&0x03ffffff))
#define CODE_BTI_C 0xd503245fu

/* Three words: a function that returns n, below 65536. One of them says so. */
#define CODE_RETURNS(n) CODE_BTI_C, CODE_MOV(n), CODE_RET
#define CODE_RETURNS_AT 4
#define CODE_RETURNS_WORD(n) CODE_MOV(n)
#endif
