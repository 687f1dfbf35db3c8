/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * instructions.h -- what functions of x are made of, on x86-64 and arm64. A value is in the register in which
 * functions return one.
 */
#ifndef JIT_INSTRUCTIONS_H
#define JIT_INSTRUCTIONS_H
#include <stddef.h>
#include <stdint.h>

/* START: a NOP of four bytes, that can be patched; then x goes where it stays. PUSH: the value goes to the
 * stack. POP: that one is the value, and the one that was is the other. ADD, SUB and MUL are of the two. */
enum jit_piece { JIT_START, JIT_GET_X, JIT_PUSH, JIT_POP, JIT_ADD, JIT_SUB, JIT_MUL, JIT_RETURN };

struct jit_bytes {
	const char *bytes;
	size_t n;
};

#define JIT_BYTES_(string)                  \
	{                                   \
		string, sizeof(string) - 1, \
	}
static const struct jit_bytes jit_pieces[] = {
#if defined(__x86_64__)
	[JIT_START] = JIT_BYTES_("\x0f\x1f\x40\x00"), /* nopl 0(%rax); x is in rdi */
	[JIT_GET_X] = JIT_BYTES_("\x48\x89\xf8"), /* mov %rdi, %rax */
	[JIT_PUSH] = JIT_BYTES_("\x50"), /* push %rax */
	[JIT_POP] = JIT_BYTES_("\x48\x89\xc1\x58"), /* mov %rax, %rcx; pop %rax */
	[JIT_ADD] = JIT_BYTES_("\x48\x01\xc8"), /* add %rcx, %rax */
	[JIT_SUB] = JIT_BYTES_("\x48\x29\xc8"), /* sub %rcx, %rax */
	[JIT_MUL] = JIT_BYTES_("\x48\x0f\xaf\xc1"), /* imul %rcx, %rax */
	[JIT_RETURN] = JIT_BYTES_("\xc3"), /* ret */
#elif defined(__aarch64__)
	[JIT_START] = JIT_BYTES_("\x1f\x20\x03\xd5\xe9\x03\x00\xaa"), /* nop; mov x9, x0 */
	[JIT_GET_X] = JIT_BYTES_("\xe0\x03\x09\xaa"), /* mov x0, x9 */
	[JIT_PUSH] = JIT_BYTES_("\xe0\x0f\x1f\xf8"), /* str x0, [sp, #-16]! */
	[JIT_POP] =
		JIT_BYTES_("\xe1\x03\x00\xaa\xe0\x07\x41\xf8"), /* mov x1, x0; ldr x0, [sp], #16 */
	[JIT_ADD] = JIT_BYTES_("\x00\x00\x01\x8b"), /* add x0, x0, x1 */
	[JIT_SUB] = JIT_BYTES_("\x00\x00\x01\xcb"), /* sub x0, x0, x1 */
	[JIT_MUL] = JIT_BYTES_("\x00\x7c\x01\x9b"), /* mul x0, x0, x1 */
	[JIT_RETURN] = JIT_BYTES_("\xc0\x03\x5f\xd6"), /* ret */
#else
#error "instructions.h: for x86-64 and arm64"
#endif
};

/* n, of 31 bits, is the value: eight bytes at most. How many. */
static inline size_t jit_number(unsigned char *code, uint32_t n)
{
#ifdef __x86_64__
	__builtin_memcpy(code, "\x48\xc7\xc0", 3); /* mov $n, %rax */
	__builtin_memcpy(code + 3, &n, 4);
	return 7;
#else
	/* movz x0, n; movk x0, n, lsl 16 */
	const uint32_t move[] = { 0xd2800000 | (n & 0xffff) << 5, 0xf2a00000 | n >> 16 << 5 };

	__builtin_memcpy(code, move, 8);
	return 8;
#endif
}

/* Four bytes that jump from there to code behind it, less than JIT_REACH bytes away. */
#ifdef __x86_64__
#define JIT_REACH 128
#else
#define JIT_REACH 0x8000000
#endif
static inline uint32_t jit_jump(uint64_t from, uint64_t to)
{
#ifdef __x86_64__
	return UINT32_C(0x909000eb) | ((uint32_t)(to - from - 2) & 0x7f) << 8; /* jmp; nop; nop */
#else
	return UINT32_C(0x14000000) | ((uint32_t)(to - from) / 4 & 0x3ffffff); /* b */
#endif
}
#endif
