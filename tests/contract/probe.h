/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * probe.h -- what the contract suite asks of a port under test, beside the hooks: the port's
 * barriers counted, execution contexts to run on, and some entries in its format. One probe a port.
 */
#ifndef PROBE_H
#define PROBE_H
#include <hardmap/pgtable.h>

struct probe_counts {
	unsigned int publish; /* hm_port_context_publish() */
	unsigned int sync; /* hm_port_context_sync() */
	unsigned int switched; /* hm_port_context_switch() */
	unsigned int order; /* hm_port_pgtable_order_fill() */
	unsigned int stores; /* entries written, compare-and-swap included */
	unsigned int key_writes; /* hm_port_kpkeys_write() */
	unsigned int keyed_orders; /* hm_port_keyed_begin() and hm_port_keyed_end() */
	unsigned int bugs; /* HM_BUG */
};

#define PROBE_CONTEXTS 3

/* A level and a key of the port's own, if it has some: that level opens that key. */
#ifdef HM_HOSTED_LEVEL
#define PROBE_LEVEL HM_HOSTED_LEVEL
#define PROBE_KEY HM_HOSTED_KEY
#elif defined(X86_LEVEL)
#define PROBE_LEVEL X86_LEVEL
#define PROBE_KEY X86_KEY
#elif defined(FOREIGN_PAGE_BYTES)
#define PROBE_LEVEL 7
#define PROBE_KEY 15
#endif

/* Everything as new: all contexts idle, context 0 runs, counts 0, no tables. */
void probe_reset(void);
/* Since the last reset or read; starts counting anew. Barriers that are part of an invalidation do not
 * count, but for the publication before it. */
struct probe_counts probe_read(void);
/* The code that follows runs on that execution context: a switch, which does not count. */
void probe_run_on(unsigned int context);
/* Takes an interrupt here: runs the handler as the port's protocol has it (exception push and pop, or a state
 * of its own), then goes on. */
void probe_interrupt(void (*handler)(void));

/* Whether an ordinary store of the running context would reach memory of that key. */
bool probe_opens(unsigned int key);

/* What the library does may be refused from now on, and is then passed over: its stores to that entry, and
 * instructions of keys that this CPU has not; NULL: no more. Where refusals are real: elsewhere they are bugs
 * that probe_read() counts. */
void probe_may_refuse(const hm_pte_t *ptep);

/* Two tables of the port's size and alignment, zeroed by probe_reset(). */
hm_pte_t *probe_table(unsigned int number);
/* Entries: page `number` of the kernel's memory, read-write; the same readable only; the same for user
 * mode; as a block of level 1; and a link to probe_table(number). */
hm_pte_t probe_kernel_page(unsigned int number);
hm_pte_t probe_readonly_page(unsigned int number);
hm_pte_t probe_user_page(unsigned int number);
hm_pte_t probe_block(unsigned int number);
hm_pte_t probe_link(unsigned int number);
/* What to add to a page entry for the next page. */
uint64_t probe_page_step(void);
/* The bytes of a page. */
uint64_t probe_page_bytes(void);
/* An address that the top-level table translates, whose index at every level is that of the offset. */
hm_va_t probe_va(uint64_t offset);
/* The top-level table, NULL for none. */
void probe_set_root(hm_pte_t *root);

/* ---- of ports with the hooks of direct_map.h, for its suites alone ---- */

/* What those hooks answer, and what was asked of them. */
struct probe_direct_map {
	unsigned int *bbm_level; /* hm_port_bbm_level() */
	int *break_answer; /* hm_port_direct_map_break() */
	unsigned int *breaks, *mends; /* calls */
	unsigned int *tables_left; /* that hm_port_pgtable_alloc() still gives */
	unsigned int *tables_out; /* that it gave, and that did not come back */
};
struct probe_direct_map probe_direct_map(void);
/* The page entry of a linear map: that memory, of key 0, read and written. */
hm_pte_t probe_linear_page(uint64_t pa);

/* ---- in terms of these ---- */

/* Publications and synchronisations are that many; where there is a register, its writes are synchronised
 * too, and share one where both are due. */
static inline bool probe_paired(const struct probe_counts *counts, unsigned int pairs)
{
	if (hm_kpkeys_style() != HM_KEY_STYLE_WINDOW)
		return counts->publish == pairs && counts->sync == pairs && !counts->key_writes;
	return counts->publish == pairs && counts->sync >= pairs &&
	       counts->sync <= pairs + counts->key_writes;
}

/* Since the last look: that many pairs, as above, that many bugs, and nothing else. */
static inline bool probe_counted(unsigned int pairs, unsigned int bugs)
{
	struct probe_counts counts = probe_read();

	return probe_paired(&counts, pairs) && counts.bugs == bugs && !counts.switched &&
	       !counts.order && !counts.stores;
}

/* What an entry writer tells lazy_mmu.h after a store, n times. */
static inline void probe_writes(unsigned int n)
{
	while (n--)
		hm_lazy_mmu_queue();
}
#endif
