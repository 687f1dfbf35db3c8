/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * tables.h -- memory for page tables: hm_pgtable_pool over blocks of pages.h, which get the key of page
 * tables in the linear map as a whole. Its metadata are locked as the tables are.
 */
#ifndef KERNEL_TABLES_H
#define KERNEL_TABLES_H

#include <hardmap/direct_map.h>
#include <hardmap/pgtable_pool.h>

extern struct hm_pgtable_pool table_pool;

/* Once, on the boot CPU, after linear_map_init(). */
void tables_init(void);

/* The physical address of an empty page for a table; panics if there is none. A thread that does not hold
 * the linear map's lock. */
uint64_t table_alloc(void);

/* Nothing walks it any more. Any thread. */
void table_free(uint64_t pa);

/* The tables that any change of the linear map takes, for it; negative if they are not to be had. Context
 * of table_alloc(). */
int tables_reserve(struct hm_direct_map_reserve *reserve);

/* All blocks without a page in use go back. */
void tables_reclaim(void);

/* A word of the locked metadata, for a stray store: of the root page, or of a frame. */
hm_pte_t *tables_root_word(void);
hm_pte_t *tables_frame_word(void);

#endif /* KERNEL_TABLES_H */
