/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * replay.h -- a recorded trace of page-table pages, done again: each allocation of level 0 links a
 * table and fills all its entries in one section, each free unlinks and invalidates it.
 */
#ifndef KERNEL_REPLAY_H
#define KERNEL_REPLAY_H

#define REPLAY_THREADS 4

/* Reads the trace at TRACE_PA; panics with the line if it is none. Returns the number of its events. */
unsigned int replay_load(void);

/* The body of thread number (uintptr_t)number, 0 to REPLAY_THREADS - 1. */
void replay_thread(void *number);

/* Events done so far, by all threads. */
unsigned int replay_done(void);

/* How many are done when the trace has most tables, as far as threads keep to its order. */
unsigned int replay_peak(void);

/* Frees what the trace leaves, after all of them. */
void replay_free_all(void);

#endif /* KERNEL_REPLAY_H */
