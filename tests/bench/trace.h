/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * trace.h -- recorded traces of page-table pages (tests/data), read at once and checked.
 *
 * USE      if (!trace_read(&trace, path))   // it has said why, with the line
 *              return 1;
 *          for (i = 0; i < trace.n; i++)
 *              use(&trace.events[i]);
 *          trace_release(&trace);
 *
 *          A line is `<us> <cpu> a <id> <level>` or `<us> <cpu> f <id>`; a file whose name ends in .xz is
 *          read through xz.
 */
#ifndef BENCH_TRACE_H
#define BENCH_TRACE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACE_IDS (1u << 26) /* bound of ids */
#define TRACE_CPUS 1024u /* and of CPUs */
#define TRACE_FREE 0xffu /* the level of an event that is a free */

struct trace_event {
	uint64_t us; /* since the trace began; never less than the one before */
	uint32_t id;
	uint16_t cpu;
	uint8_t level; /* 0: table of pages, to 4; or TRACE_FREE */
};

struct trace {
	struct trace_event *events;
	size_t n;
	uint32_t ids, cpus; /* one more than the largest that occurs */
	uint32_t peak_live; /* pages alive at most */
};

/* Reads that file; false, and a message to stderr, if it is not a trace. */
bool trace_read(struct trace *trace, const char *path);
void trace_release(struct trace *trace);
#endif
