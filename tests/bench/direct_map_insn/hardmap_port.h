/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * hardmap_port.h -- the port of main.c: what a kernel on arm64 has, on one CPU without keys. TLBIs
 * reach a TLB that translates nothing, as the MMU is off; they are executed all the same.
 */
#ifndef BENCH_INSN_HARDMAP_PORT_H
#define BENCH_INSN_HARDMAP_PORT_H
#define HM_CONTEXT_TYPES_ONLY
#include <hardmap/context.h>
#undef HM_CONTEXT_TYPES_ONLY
#define HM_PORT_ARM64_PAGE_SHIFT 12
#define HM_PORT_KEY_STYLE HM_KEY_STYLE_NONE
static inline bool hm_port_arm64_has_store_keys(void)
{
	return false;
}
#include <arm64/barrier.h>
#include <arm64/fault.h>
#include <arm64/vmsa.h>

/* Of main.c and boot.S. */
extern hm_pte_t *const bench_root;
bool bench_alloc(hm_pa_t *table);
_Noreturn void bench_exit(int status);
#define HM_BUG(message) bench_exit(4)

/* Not volatile: for one context always the same, so that the compiler may keep it. */
static inline struct hm_context *hm_port_context(void)
{
	struct hm_context *context;

	__asm__("mrs %0, tpidr_el1" : "=r"(context));
	return context;
}

static inline hm_pte_t *hm_port_pgtable_map(hm_pa_t table)
{
	return (hm_pte_t *)(uintptr_t)table.val;
}

static inline hm_pte_t *hm_port_pgtable_root(hm_va_t va)
{
	(void)va;
	return bench_root;
}

static inline bool hm_port_arm64_has_tlbi_range(void)
{
	return true;
}

static inline bool hm_port_pgtable_alloc(hm_pa_t *table)
{
	return bench_alloc(table);
}

/* Every case starts with all tables. */
static inline void hm_port_pgtable_free(hm_pa_t table)
{
	(void)table;
}

static inline unsigned int hm_port_bbm_level(void)
{
	return 3;
}

static inline int hm_port_direct_map_break(hm_va_t va, uint64_t bytes)
{
	(void)va;
	(void)bytes;
	return 0;
}

static inline void hm_port_direct_map_mend(hm_va_t va, uint64_t bytes)
{
	(void)va;
	(void)bytes;
}
#include <arm64/tlbi.h>
#endif
