/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * code_cache.h -- memory for code that comes while the kernel runs: hm_rox_cache over blocks of pages.h,
 * which execute at addresses of their own from CODE_BASE on.
 */
#ifndef KERNEL_CODE_CACHE_H
#define KERNEL_CODE_CACHE_H

#include <hardmap/rox_cache.h>

/* Interrupt of one CPU to another, to synchronise its context. */
#define CODE_SGI_SYNCHRONISE 3

/* Bytes of a block. */
#define CODE_BLOCK (UINT64_C(1) << HM_PORT_ROX_CACHE_BLOCK_SHIFT)

extern struct hm_rox_cache code_cache;
/* The addresses of the first block; full: those behind it. */
extern struct hm_rox_cache_arena code_near, code_far;

/* Once, by a thread, after window_init(), with so many CPUs up. */
void code_cache_init(unsigned int count);

/* Whether code may be at that address. Any context. */
bool code_cache_covers(uint64_t address);

/* Of exception.c: that interrupt is taken, and the next may come. */
void code_cache_synchronise_cpu(void);

#endif /* KERNEL_CODE_CACHE_H */
