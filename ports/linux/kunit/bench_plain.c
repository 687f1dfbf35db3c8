// SPDX-License-Identifier: GPL-2.0-only
/* bench_plain.c -- bench_section.h as a kernel has it. */
#define BENCH(function) bench_plain_##function
#include "bench_section.h"
