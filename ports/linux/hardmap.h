/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hardmap.h -- what the files of the Linux port offer each other, and the rest of a kernel.
 */
#ifndef HM_LINUX_HARDMAP_H
#define HM_LINUX_HARDMAP_H
#include "hardmap_port.h"

struct dentry;
struct seq_file;

/* context.c: how often hm_linux_bug() was called. */
extern atomic_t hm_linux_bugs;
#ifdef HM_LINUX_KUNIT
extern atomic_t hm_linux_expected_bugs;
#endif

/*
 * linear.c, or linear_x86_64.c: the kernel's linear map, whose tables are the kernel's own and have no
 * key. Memory is the caller's: nobody else changes how it is mapped, and what is beside it stays as it
 * is. May sleep, but isolated memory changes its key and permission under a lock that never waits for
 * memory. Errors: negative.
 */
/* No entry and no contiguous group reaches over an end of the memory; takes tables where it has to split. */
int hm_linux_linear_isolate(hm_pa_t pa, uint64_t bytes);
/* What was isolated has that key, or permission, on every CPU. A part of it too: then the rest is as it was,
 * and hm_linux_linear_join() makes the sizes what they were, where hardware can. -HM_EBUSY: a part can only
 * be changed with the rest. */
int hm_linux_linear_set_key(hm_pa_t pa, uint64_t bytes, unsigned int key);
int hm_linux_linear_set_permission(hm_pa_t isolated, uint64_t isolated_bytes, hm_pa_t pa,
				   uint64_t bytes, enum hm_permission permission);
void hm_linux_linear_join(hm_pa_t isolated, uint64_t isolated_bytes);
/* In that directory of debugfs its sizes and what was changed, where those are the library's to count. */
void hm_linux_linear_init(struct dentry *directory);

/* pool.c: the pool of page-table pages. */
extern struct hm_pgtable_pool hm_linux_pool;
int hm_linux_pool_init(void);
void hm_linux_pool_exit(void); /* of the module alone */
void hm_linux_pool_print(struct seq_file *file);
void hm_linux_pool_statistics(struct seq_file *file);
/* A zero page with the key of page tables, or back. May sleep. */
bool hm_linux_table_alloc(hm_pa_t *table);
void hm_linux_table_free(hm_pa_t table);

/* area.c: an aligned gigabyte of kernel addresses, whose tables are the library's, from the pool. */
#define HM_LINUX_AREA_BYTES PUD_SIZE
#define HM_LINUX_AREA_CODE \
	(HM_LINUX_AREA_BYTES / 2) /* the lower half executes; the upper one is for maps */
extern hm_va_t hm_linux_area;
int hm_linux_area_init(void);
/* The entry that maps a block at that address of the area. */
hm_pte_t *hm_linux_area_entry(hm_va_t va);
/* Tables that were unlinked are the pool's again. May sleep. */
void hm_linux_wait_for_tables(void);

/* arm64.c, x86_64.c: the architecture. */
/* An entry of the area, or of a private table of the module: RW, RO or ROX, for the kernel. */
hm_pte_t hm_linux_leaf(hm_pa_t pa, unsigned int level, enum hm_permission permission);
/* That entry of the kernel's tables links a table of the library's. Errors: negative. */
int hm_linux_link_area(pud_t *entry, hm_pa_t table);
/* All CPUs fetch instructions anew. Interrupts on. */
void hm_linux_synchronise(void);
void hm_linux_ask_cpus(void); /* of the module alone: what they all have */

/* code.c: the cache of code. */
extern struct hm_rox_cache hm_linux_code;
extern struct hm_rox_cache_arena hm_linux_code_arena;
int hm_linux_code_init(void);
void hm_linux_code_print(struct seq_file *file);
void hm_linux_code_statistics(struct seq_file *file);

/* tables.c: the kernel's own page tables from the pool. */
#ifdef CONFIG_HARDMAP_PAGE_TABLES
int hm_linux_tables_init(struct dentry *directory);
#else
static inline int hm_linux_tables_init(struct dentry *directory)
{
	return 0;
}
#endif
#endif
