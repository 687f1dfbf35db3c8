/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hooks.h -- what the kernel's own files call; in the tree it is <linux/hardmap.h>. Nothing of it remains
 * without CONFIG_HARDMAP, nor on an architecture whose vectors are not patched.
 */
#ifndef _LINUX_HARDMAP_H
#define _LINUX_HARDMAP_H

#include <linux/types.h>

#ifndef HM_NO_STD_HEADERS
#define HM_NO_STD_HEADERS
#endif
#ifndef UINT64_C
#define UINT64_C(number) number##ULL
#endif
#define HM_CONTEXT_TYPES_ONLY
#include <hardmap/context.h>
#undef HM_CONTEXT_TYPES_ONLY

struct page;

#if defined(CONFIG_HARDMAP_CONTEXT) || defined(CONFIG_HARDMAP_TASK_STATE)
/* Of a new thread, a copy of its parent's: nothing is open, and no token of either fits. */
void hardmap_thread_init(struct hm_context *context);
#endif

#ifdef CONFIG_HARDMAP_CONTEXT
/* Boot CPU, before there is a second thread: how protected memory is protected, for good. */
void hardmap_setup(void);
/* Every CPU that starts or resumes, interrupts off, before it is online. */
void hardmap_cpu_start(void);
/* The contexts: see <hardmap/context.h>. The first two around every exception that is taken in the kernel. */
hm_context_exception_t hardmap_exception_push(void);
void hardmap_exception_pop(hm_context_exception_t interrupted);
hm_context_switch_t hardmap_switch_out(void);
void hardmap_switch_in(hm_context_switch_t away);
/* Around soft interrupts, which run on the state of the thread that they borrow. */
hm_context_exception_t hardmap_softirq_push(void);
void hardmap_softirq_pop(hm_context_exception_t interrupted);
void hardmap_assert_idle(void);
#else
static inline void hardmap_setup(void)
{
}
static inline void hardmap_cpu_start(void)
{
}
static inline hm_context_exception_t hardmap_softirq_push(void)
{
	return (hm_context_exception_t){};
}
static inline void hardmap_softirq_pop(hm_context_exception_t interrupted)
{
}
static inline void hardmap_assert_idle(void)
{
}
#endif

#if defined(CONFIG_HARDMAP_KUNIT_TEST) && defined(CONFIG_ARM64)
#include <linux/jump_label.h>
/* The kernel's own barriers after entries, counted while it is measured; else a NOP. */
DECLARE_STATIC_KEY_FALSE(hardmap_count_barriers);
extern unsigned int hardmap_barriers;
static __always_inline void hardmap_count_barrier(void)
{
	if (static_branch_unlikely(&hardmap_count_barriers))
		hardmap_barriers += 2;
}
#else
static inline void hardmap_count_barrier(void)
{
}
#endif

#ifdef CONFIG_HARDMAP_PAGE_TABLES
/* A page for one of the kernel's own page tables, NULL: take it elsewhere. */
struct page *hardmap_pagetable_alloc(gfp_t gfp, unsigned int order);
/* Whether it was one. Any context. */
bool hardmap_pagetable_free(struct page *page);
#else
static inline struct page *hardmap_pagetable_alloc(gfp_t gfp, unsigned int order)
{
	return NULL;
}
static inline bool hardmap_pagetable_free(struct page *page)
{
	return false;
}
#endif
#endif
