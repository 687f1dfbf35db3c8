/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * port.h -- the part of a hardmap_port.h that is the same in each bare-metal benchmark: one CPU, the MMU off.
 * TLBIs reach a TLB that translates nothing; they are executed all the same. HM_PORT_KEY_STYLE comes before.
 */
#ifndef BENCH_BARE_PORT_H
#define BENCH_BARE_PORT_H
#define HM_CONTEXT_TYPES_ONLY
#include <hardmap/context.h>
#undef HM_CONTEXT_TYPES_ONLY
#define HM_PORT_ARM64_PAGE_SHIFT 12
static inline bool hm_port_arm64_has_store_keys(void)
{
	return HM_PORT_KEY_STYLE == HM_KEY_STYLE_STORE;
}
#include <arm64/barrier.h>
#include <arm64/fault.h>
#include <arm64/vmsa.h>

/* Of main.c, for boot.S: what runs, and returns the status; and what TPIDR_EL1 leads to. */
int bench_main(void);
extern struct hm_context bench_context;
/* Of boot.S: ends the machine. */
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

static inline bool hm_port_arm64_has_tlbi_range(void)
{
	return true;
}
#include <arm64/tlbi.h>
#endif
