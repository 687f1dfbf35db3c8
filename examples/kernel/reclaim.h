/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * reclaim.h -- the pool of page tables while memory is wanted back: a thread that shrinks it beside the
 * replay, and what the linear map looks like for it. Panics if anything is not as it should be.
 */
#ifndef KERNEL_RECLAIM_H
#define KERNEL_RECLAIM_H

#include <stdbool.h>

/* Stray stores to a CPU's magazine, which nothing protects: no page is served that the pool did not have.
 * While no other thread takes tables. */
void reclaim_attack(void);

/* For kernel_bug(): whether those stores are to be told now. */
bool reclaim_expects_bug(void);

/* Around the replay, by the thread that watches: before it, with that many events to come; again and
 * again meanwhile, which draws the pool once, when the trace has most tables, and says whether it did;
 * and when the other threads have ended. */
void reclaim_start(unsigned int events);
bool reclaim_watch(void);
void reclaim_finish(void);

/* Prints what the pool did and what it made of the linear map. */
void reclaim_report(void);

#endif /* KERNEL_RECLAIM_H */
