/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * probe.h -- what the contract suite asks of a port under test, beside the hooks: the port's
 * barriers counted, execution contexts to run on, and some entries in its format. One probe a port.
 */
#ifndef PROBE_H
#define PROBE_H
#include <hardmap/pgtable.h>

struct probe_counts {
	unsigned int publish; /* hm_port_lazy_publish() */
	unsigned int sync; /* hm_port_lazy_context_sync() */
	unsigned int switched; /* hm_port_lazy_switch() */
	unsigned int order; /* hm_port_pgtable_order_fill() */
	unsigned int stores; /* entries written, compare-and-swap included */
	unsigned int bugs; /* HM_BUG */
};

#define PROBE_CONTEXTS 3

/* Everything as new: all contexts idle, context 0 runs, counts 0, no tables. */
void probe_reset(void);
/* Since the last reset or read; starts counting anew. Barriers that are part of an invalidation do not
 * count, but for the publication before it. */
struct probe_counts probe_read(void);
/* The code that follows runs on that execution context. */
void probe_run_on(unsigned int context);
/* Takes an interrupt here: runs the handler as the port's protocol has it (exception push and pop, or a state
 * of its own), then goes on. */
void probe_interrupt(void (*handler)(void));

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
#endif
