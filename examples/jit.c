/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * jit.c -- jit [EXPRESSION...]: makes machine code of each, a function of x, in the code cache, and calls
 * it. Of whole numbers, x, + - * and parentheses.
 */
#include <hardmap/rox_cache.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include "jit/instructions.h"

#define X UINT64_C(7) /* that functions are called with */
#define FUNCTIONS 16

static struct hm_rox_cache cache;
static struct hm_rox_cache_arena arena;
static unsigned char code[1024]; /* of the function that is being made */
static size_t bytes;
static const char *next; /* character of its source */
static sigjmp_buf resume;

static void must(bool right, const char *what)
{
	if (!right)
		exit(fprintf(stderr, "jit: not so: %s\n", what) > 0);
}

static void emit(enum jit_piece piece)
{
	must(bytes < sizeof(code) - 16, "the function is short");
	memcpy(code + bytes, jit_pieces[piece].bytes, jit_pieces[piece].n);
	bytes += jit_pieces[piece].n;
}

/* Makes code of an expression, or of factors only, and returns what it is for X. */
static uint64_t compile(bool factors)
{
	uint64_t n = X, right;
	char *end, operation;

	next += strspn(next, " ");
	if (*next == 'x') {
		emit(JIT_GET_X);
		next++;
	} else if (*next == '(') {
		next++;
		n = compile(false);
		must(*next++ == ')', "parentheses are closed");
	} else {
		n = strtoul(next, &end, 10) & 0x7fffffff;
		must(end != next, "there is a number, x or a parenthesis");
		next = end;
		bytes += jit_number(code + bytes, (uint32_t)n);
	}
	for (next += strspn(next, " "); *next && strchr(factors ? "*" : "+-*", *next);) {
		operation = *next++;
		emit(JIT_PUSH);
		right = compile(true);
		emit(JIT_POP);
		emit(operation == '+' ? JIT_ADD : operation == '-' ? JIT_SUB : JIT_MUL);
		n = operation == '+' ? n + right : operation == '-' ? n - right : n * right;
	}
	return n;
}

static uint64_t call(hm_va_t function)
{
	return ((uint64_t(*)(uint64_t))function.val)(X);
}

static void put(const char *line, void *file)
{
	fprintf((FILE *)file, "%s\n", line);
}

static void on_trap(int signal)
{
	siglongjmp(resume, signal);
}

int main(int arguments, char **argument)
{
	char *own[] = { "jit", "(x + 1) * (x - 1)", "x * x * x - 2 * x", "12 * (3 + x)" };
	char **sources = arguments > 1 ? argument : own;
	const int n = arguments > 1 ? arguments : 4;
	hm_va_t first, last, functions[FUNCTIONS];
	uint64_t values[FUNCTIONS];
	int error, i;

	jit_start(&first, &last);
	must(!hm_rox_cache_add(&cache, &arena, "jit", first, last, NULL), "there is an arena");
	for (i = 1; i < n && i < FUNCTIONS; i++, bytes = 0) {
		next = sources[i];
		emit(JIT_START);
		values[i] = compile(false);
		emit(JIT_RETURN);
		must(!*next, "the expression ends");
		error = hm_rox_cache_load(&cache, &arena, code, bytes, 64, HM_ROX_CACHE_MAY_SLEEP,
					  NULL, NULL, &functions[i]);
		must(!error, "code is loaded");
		printf("%lx, %zu bytes: %s is %ld\n", (unsigned long)functions[i].val, bytes,
		       sources[i], (long)call(functions[i]));
		must(call(functions[i]) == values[i], "that is right");
	}
	hm_rox_cache_print(&cache, put, stdout);
	if (n > 2 && functions[2].val - functions[1].val < JIT_REACH) {
		error = hm_rox_cache_patch(&cache, functions[1],
					   jit_jump(functions[1].val, functions[2].val));
		must(!error && call(functions[1]) == values[2], "the first jumps to the second");
		printf("the first one, patched: %ld\n", (long)call(functions[1]));
	}
	while (--i)
		must(!hm_rox_cache_free(&cache, functions[i]), "code is freed");
	signal(SIGTRAP, on_trap);
	if (!sigsetjmp(resume, 1))
		must(call(functions[1]) && false, "what is freed traps");
	hm_rox_cache_print(&cache, put, stdout);
	return hm_rox_cache_destroy(&cache) != 0;
}
