/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * snippet.h -- what the examples in the documents take for granted: the names that a reader understands
 * without a declaration. snippets.py includes it before each. Compiled, never run.
 */
#ifndef SNIPPET_H
#define SNIPPET_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HM_CONTEXT_TYPES_ONLY
#include <hardmap/context.h>
#undef HM_CONTEXT_TYPES_ONLY
#define HM_DIRECT_MAP_TYPES_ONLY
#include <hardmap/direct_map.h>
#undef HM_DIRECT_MAP_TYPES_ONLY
#define HM_PGTABLE_TYPES_ONLY
#include <hardmap/pgtable.h>
#undef HM_PGTABLE_TYPES_ONLY
#define HM_PGTABLE_POOL_TYPES_ONLY
#include <hardmap/pgtable_pool.h>
#undef HM_PGTABLE_POOL_TYPES_ONLY
#define HM_ROX_CACHE_TYPES_ONLY
#include <hardmap/rox_cache.h>
#undef HM_ROX_CACHE_TYPES_ONLY

/* Tables and entries. */
extern hm_pte_t *table, *parent, *ptep, *kernel_root;
extern hm_pte_t first, pte, table_descriptor;
extern hm_pa_t pa;
extern hm_va_t va, start;
extern uint64_t size;
extern int error;
extern struct hm_direct_map map;
extern struct hm_direct_map_reserve reserve;
extern struct hm_pgtable_pool pool;
extern hm_pa_t early, swapper_tables, page;
extern uint64_t pages;
extern unsigned int n;
extern bool patch;

/* Code. */
extern struct hm_rox_cache cache;
extern struct hm_rox_cache_arena plt, direct, init;
extern hm_rox_cache_writer_t writer;
extern hm_va_t last, code;
extern uint64_t bytes;
extern uint32_t instruction;
extern const unsigned char text[];
extern void *argument;
int relocate(struct hm_rox_cache *of, hm_rox_cache_writer_t into, hm_va_t at, void *with);

/* The kernel around the library. */
struct exception_frame;
struct thread;
struct thread *current_thread(void);
void panic(const char *message);
void lock_linear_map(void);
void unlock_linear_map(void);
void report(const char *why, uint64_t address);
void dispatch(struct exception_frame *frame);
bool to_user(const struct exception_frame *frame);
void cpu_switch(struct thread *self, struct thread *next);
#endif
