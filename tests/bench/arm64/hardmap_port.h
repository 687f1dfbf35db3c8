/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * hardmap_port.h -- the port of insn.c: what a kernel on arm64 has. The state is a member of the
 * thread, which a system register points to; misuse is checked, and told to a function that
 * returns.
 *
 * CONFIG   BENCH_LAZY_OFFSET    where in the thread the state is; a multiple of 8, not 0
 *          BENCH_KEY_STYLE      HM_KEY_STYLE_WINDOW or HM_KEY_STYLE_RUN_TIME; without it there are no keys
 *          BENCH_FAULT_ATOMIC, BENCH_FAULT_CALL, BENCH_FAULT_LONG (how many instructions),
 *          BENCH_FAULT_UNKNOWN; with windows BENCH_FAULT_SYNC, BENCH_FAULT_KEY_WRITE
 *                               make the hot paths worse in a way that the reader has to notice
 */
#ifndef BENCH_HARDMAP_PORT_H
#define BENCH_HARDMAP_PORT_H
#define HM_CONTEXT_TYPES_ONLY
#include <hardmap/context.h>
#undef HM_CONTEXT_TYPES_ONLY
#define HM_PORT_ARM64_PAGE_SHIFT 12
/* Known when the code was patched, and no load. */
static inline bool hm_port_arm64_has_store_keys(void)
{
	return false;
}
#ifdef BENCH_KEY_STYLE
#define HM_PORT_KPKEYS_BASE 0
#define HM_PORT_KPKEYS_LEVELS(LEVEL)
#include <arm64/gcs.h>
#include <arm64/poe.h>
#undef HM_PORT_KEY_STYLE
#define HM_PORT_KEY_STYLE BENCH_KEY_STYLE
/* As a kernel that patches its code has it: known when it runs, and no load. */
static inline unsigned int hm_port_key_style(void)
{
	return HM_KEY_STYLE_WINDOW;
}
#else
#define HM_PORT_KEY_STYLE HM_KEY_STYLE_NONE
#endif
#include <arm64/barrier.h>
#include <arm64/fault.h>
#include <arm64/vmsa.h>

__attribute__((cold)) void bug(const char *message);
#define HM_BUG(message) bug(message)

struct thread {
	unsigned char before[BENCH_LAZY_OFFSET];
	struct hm_context lazy;
	uint64_t after;
};
_Static_assert(BENCH_LAZY_OFFSET > 0 && BENCH_LAZY_OFFSET % 8 == 0, "a member, but not the first");

static inline void bench_fault(struct thread *thread)
{
	(void)thread;
#if defined(BENCH_FAULT_ATOMIC)
	__atomic_fetch_add(&thread->after, 1, __ATOMIC_RELAXED);
#elif defined(BENCH_FAULT_CALL)
	void bench_callee(void);

	bench_callee();
#elif defined(BENCH_FAULT_LONG)
	__asm__ volatile(".rept %0\n\tnop\n\t.endr" : : "i"(BENCH_FAULT_LONG));
#elif defined(BENCH_FAULT_UNKNOWN)
	__asm__ volatile("rbit %0, %0" : "+r"(thread));
#elif defined(BENCH_FAULT_SYNC)
	hm_insn_isb();
#elif defined(BENCH_FAULT_KEY_WRITE)
	hm_port_kpkeys_write(hm_port_kpkeys_read());
#endif
}

/* Not volatile: for one context always the same, so that the compiler may keep it. */
static inline struct hm_context *hm_port_context(void)
{
	struct thread *thread;

	__asm__("mrs %0, tpidr_el1" : "=r"(thread));
	bench_fault(thread);
	return &thread->lazy;
}

static inline hm_pte_t *hm_port_pgtable_map(hm_pa_t table)
{
	return (hm_pte_t *)(uintptr_t)table.val;
}

/* Required by pgtable.h; insn.c walks no tables and invalidates nothing. */
hm_pte_t *hm_port_pgtable_root(hm_va_t va);
void hm_port_pgtable_invalidate(hm_va_t va, uint64_t size, enum hm_invalidate what);
#endif
