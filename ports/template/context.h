/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * context.h -- the architecture's barriers for <hardmap/context.h>, to be filled in. All are compiler
 * barriers too. An architecture that needs no instruction for one keeps the compiler barrier and says why.
 */
#ifndef TEMPLATE_CONTEXT_H
#define TEMPLATE_CONTEXT_H

/* Waits until the table walkers of all CPUs see every earlier table store of this CPU. Not enough: an
 * order among stores that other CPUs' loads see, as walkers are observers of their own. In style STORE keyed
 * stores too. arm64: DSB ISHST; with store keys GCSB DSYNC; DSB ISH. */
static inline void hm_port_context_publish(void)
{
#error "hm_port_context_publish: earlier table stores reach every walker"
}

/* Drops what this CPU concluded earlier, from the tables or from the key register as it was: instructions
 * fetched ahead, a fault already decided, an access already allowed. After the hook above, perhaps on another
 * CPU and much later; and after every write of the key register. arm64: ISB. */
static inline void hm_port_context_sync(void)
{
#error "hm_port_context_sync: this CPU forgets verdicts of \"invalid\", \"denied\" and \"permitted\""
}

/* In every context switch, before another CPU may run the outgoing context: that CPU may owe it nothing
 * but the hook above. As strong as publication, and ordered before the switch's own loads and stores
 * that hand the context over. arm64: DSB ISH, after a GCSB DSYNC with store keys. */
static inline void hm_port_context_switch(void)
{
#error "hm_port_context_switch: the outgoing context's table stores reach every walker"
}
#endif
