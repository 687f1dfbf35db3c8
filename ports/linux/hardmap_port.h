/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hardmap_port.h -- the Linux port: the environment's side of the library's contract over kernel APIs. The
 * architecture's side is ports/arm64 or ports/x86_64.
 *
 * Each module's hooks are in the file of its name: context.c, pool.c, code.c; tables in area.c. All modules
 * may be used in one kernel, by any number of files; there is one pool and one cache.
 */
#ifndef HM_LINUX_HARDMAP_PORT_H
#define HM_LINUX_HARDMAP_PORT_H
#include <linux/hardmap.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/sched.h>

/* What of it there is: all that the kernel was configured for, but in a module. */
#ifndef HM_LINUX_MODULE
#ifdef CONFIG_HARDMAP_CONTEXT
#define HM_LINUX_CONTEXT
#endif
#ifdef CONFIG_HARDMAP_TASK_STATE
#define HM_LINUX_TASK_STATE
#endif
#ifdef CONFIG_HARDMAP_KEYS
#define HM_LINUX_KEYS
#endif
#ifdef CONFIG_HARDMAP_KUNIT_TEST
#define HM_LINUX_KUNIT
#endif
#endif

#define HM_DIRECT_MAP_TYPES_ONLY
#include <hardmap/direct_map.h>
#undef HM_DIRECT_MAP_TYPES_ONLY
#define HM_PGTABLE_TYPES_ONLY
#include <hardmap/pgtable.h>
#undef HM_PGTABLE_TYPES_ONLY
#include <extern/pgtable_pool.h>
#include <extern/rox_cache.h>

#ifdef __CHECKER__
#define __builtin_assume_aligned(pointer, alignment) (pointer) /* sparse does not know it */
#endif
/* Nothing, where the compiler would not align such functions, as ftrace wants all to be. */
#define HM_PORT_COLD __cold

#ifdef HM_LINUX_SUITE
void hm_linux_suite_bug(const char *message); /* counts: kunit/probe_body.h */
/* kunit/probe_keys.c: a store to that address was; NULL: an instruction of keys that this CPU has not. Where
 * that was not expected it counts as a bug. */
void hm_linux_suite_refused(const void *address);
#define HM_BUG(message) hm_linux_suite_bug(message)
#else
/* Reports, with a trace of the stack, and returns: the library goes on at the default level. */
void hm_linux_bug(const char *message);
#define HM_BUG(message) hm_linux_bug(message)
#endif

/* ---- contexts ---- */

#ifdef HM_LINUX_SUITE
/* The contract suite's contexts, which are no task's: kunit/probe_body.h. */
extern struct hm_context *hm_linux_suite_context;
static inline struct hm_context *hm_port_context(void)
{
	return hm_linux_suite_context;
}
#elif defined(HM_LINUX_CONTEXT)
/* Of the task: exceptions push and pop, and soft interrupts too. */
static inline struct hm_context *hm_port_context(void)
{
	return &current->thread.hardmap;
}
#else
/* By what executes, as no vector is ours: context.c. */
struct hm_context *hm_port_context(void);
#endif

/* ---- tables ---- */

#ifdef HM_LINUX_SUITE
extern hm_pte_t *hm_linux_suite_root;
static inline hm_pte_t *hm_port_pgtable_root(hm_va_t va)
{
	return hm_linux_suite_root;
}
#else
hm_pte_t *hm_port_pgtable_root(hm_va_t va);
#endif

#if defined(HM_LINUX_SUITE) && defined(HM_LINUX_PLAIN_TABLES)
/* The contract suite's without keys, whose memory may be anywhere: what it takes for a physical
 * address is the lower bits of a kernel's. */
#define HM_LINUX_SUITE_PA(address) ((uint64_t)(uintptr_t)(address) & ((UINT64_C(1) << 48) - 1))
static inline hm_pte_t *hm_port_pgtable_map(hm_pa_t table)
{
	return (hm_pte_t *)(uintptr_t)(table.val | ~UINT64_C(0) << 48);
}
#else
static inline hm_pte_t *hm_port_pgtable_map(hm_pa_t table)
{
	return phys_to_virt(table.val);
}
#endif

#if defined(HM_LINUX_SUITE) && defined(HM_LINUX_PLAIN_TABLES)
/* What these hooks answer, and what was asked of them: kunit/probe_plain.c. */
struct hm_linux_suite_direct_map {
	unsigned int bbm_level;
	int break_answer;
	unsigned int breaks, mends;
	unsigned int tables_left, tables_out;
};
extern struct hm_linux_suite_direct_map hm_linux_suite_direct_map;
bool hm_linux_suite_table_alloc(hm_pa_t *table);
void hm_linux_suite_table_free(hm_pa_t table);

static inline bool hm_port_pgtable_alloc(hm_pa_t *table)
{
	return hm_linux_suite_table_alloc(table);
}

static inline void hm_port_pgtable_free(hm_pa_t table)
{
	hm_linux_suite_table_free(table);
}

static inline unsigned int hm_port_bbm_level(void)
{
	return hm_linux_suite_direct_map.bbm_level;
}

static inline int hm_port_direct_map_break(hm_va_t va, uint64_t bytes)
{
	hm_linux_suite_direct_map.breaks++;
	return hm_linux_suite_direct_map.break_answer;
}

static inline void hm_port_direct_map_mend(hm_va_t va, uint64_t bytes)
{
	hm_linux_suite_direct_map.mends++;
}
#else
#ifdef HM_LINUX_PLAIN_TABLES
/* Of linear.c, whose tables have no key: none from the pool, if that has one. */
bool hm_linux_plain_table_alloc(hm_pa_t *table);
#define hm_port_pgtable_alloc hm_linux_plain_table_alloc
#else
bool hm_port_pgtable_alloc(hm_pa_t *table);
#endif
void hm_port_pgtable_free(hm_pa_t table);
unsigned int hm_port_bbm_level(void);
int hm_port_direct_map_break(hm_va_t va, uint64_t bytes);
void hm_port_direct_map_mend(hm_va_t va, uint64_t bytes);
#endif

/* ---- the pool ---- */

#ifndef HM_PORT_PGTABLE_POOL_ORDER /* else a suite's */
#define HM_PORT_PGTABLE_POOL_ORDER \
	(PMD_SHIFT - PAGE_SHIFT) /* what one entry of the linear map translates */
#endif
#define HM_PORT_PGTABLE_POOL_MAGAZINE 32
#define HM_PORT_PGTABLE_POOL_TABLES 0 /* memory is isolated before: a key change takes none */
#ifdef HM_LINUX_KEYS
#define HM_PORT_PGTABLE_POOL_LOCKED 1
#else
#define HM_PORT_PGTABLE_POOL_LOCKED 0
#endif

/* ---- the cache of code ---- */

#ifndef HM_PORT_ROX_CACHE_BLOCK_SHIFT /* else a suite's */
#define HM_PORT_ROX_CACHE_BLOCK_SHIFT PMD_SHIFT
#endif

/* ---- the architecture ---- */

#ifdef CONFIG_ARM64
#define HM_PORT_ARM64_PAGE_SHIFT PAGE_SHIFT
/* Bit 55 is Linux's PTE_DIRTY, which every entry of the linear map has; 58 is free in entries of the
 * kernel. */
#define HM_PORT_ARM64_KEEP_SMALL UINT64_C(0x0400000000000000)
/* The linear map is MT_NORMAL_TAGGED, field 1 of MAIR_EL1: write-back as field 0 is, whether tags are in use
 * or not. */
#define HM_PORT_ARM64_WRITE_BACK (1u << MT_NORMAL | 1u << MT_NORMAL_TAGGED)

extern bool hm_linux_has_tlbi_range; /* read-only after init, as these */
extern uint64_t hm_linux_ctr;
#ifdef HM_LINUX_KEYS
extern unsigned int hm_linux_key_style;
#else
#define hm_linux_key_style HM_KEY_STYLE_NONE
#endif

static inline bool hm_port_arm64_has_tlbi_range(void)
{
	return hm_linux_has_tlbi_range;
}

static inline uint64_t hm_port_arm64_ctr(void)
{
	return hm_linux_ctr;
}

#include <asm/memory.h> /* MT_NORMAL */
#if defined(HM_LINUX_SUITE) && defined(HM_LINUX_PLAIN_TABLES)
static inline bool hm_port_arm64_has_store_keys(void)
{
	return false;
}
#else
/* Also what the leaves of linear.c are; its own tables take ordinary stores. */
static inline bool hm_port_arm64_has_store_keys(void)
{
	return hm_linux_key_style == HM_KEY_STYLE_STORE;
}
#endif

#if defined(HM_LINUX_KEYS) && !defined(HM_LINUX_PLAIN_TABLES)
static inline unsigned int hm_port_key_style(void)
{
	return hm_linux_key_style;
}

#define HM_PORT_KPKEYS_BASE 0
#define HM_PORT_KPKEYS_LEVELS(LEVEL)
#include <arm64/gcs.h>
#include <arm64/poe.h>
#else
#define HM_PORT_KEY_STYLE HM_KEY_STYLE_NONE
#endif
#include <arm64/barrier.h>
#include <arm64/bbml2.h>
#include <arm64/code.h>
#include <arm64/fault.h>
#include <arm64/tlbi.h>
#include <arm64/vmsa.h>
#elif defined(CONFIG_X86_64)
/* Also with 5-level paging: hm_port_pgtable_root() is the table of the fourth level then. */
#define HM_PORT_X86_64_LEVELS 4
#define HM_PORT_KEY_STYLE HM_KEY_STYLE_NONE
#define hm_linux_key_style HM_KEY_STYLE_NONE

#include <asm/cpufeature.h>
static inline bool hm_port_x86_64_has_1g_pages(void)
{
	return boot_cpu_has(X86_FEATURE_GBPAGES);
}

static inline bool hm_port_x86_64_has_serialize(void)
{
	return boot_cpu_has(X86_FEATURE_SERIALIZE);
}

/* So an invalidation is for who has interrupts on. */
void hm_port_x86_64_shootdown(hm_va_t va, uint64_t bytes, enum hm_invalidate what);
#include <x86_64/barrier.h>
#include <x86_64/code.h>
#include <x86_64/fault.h>
#include <x86_64/paging.h>
#include <x86_64/tlb.h>
#else
#error "hardmap_port.h: no architecture port for this kernel"
#endif
#endif
