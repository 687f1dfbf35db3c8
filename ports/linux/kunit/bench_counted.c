// SPDX-License-Identifier: GPL-2.0-only
/* bench_counted.c -- the same over ports/arm64/counted. */
#define BENCH(function) bench_counted_##function
#include "bench_section.h"
