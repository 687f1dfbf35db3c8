/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * barrier.h -- the hooks of context.h on x86-64, which needs no instruction for any. Include it from
 * your hardmap_port.h, which adds hm_port_context() and HM_BUG.
 *
 * What they rest on, of the SDM, vol 3:
 *
 *	stores     of one processor are seen by all others in program order (8.2.2), and page walks are loads
 *	           of write-back memory (4.9; CR3 and links with PWT and PCD 0, an MTRR that says so)
 *	invalid    is never cached: neither a TLB nor a paging-structure cache takes anything from an entry
 *	           whose P flag is 0 (4.10.2.3, 4.10.3.1). So an entry that turns valid needs no
 *	           invalidation (4.10.4.3)
 *	spurious   faults are named for relaxations alone, as of R/W from 0 to 1 (4.10.4.3); the fault itself
 *	           drops what caused it (4.10.4.1)
 *
 * So a debt of publication is paid as soon as its stores are executed, on whatever processor. What is left
 * is that the compiler executes them before what comes after: it may not move them, as they are volatile,
 * over another volatile access, but over all else. Entries are written by ordinary stores: non-temporal ones
 * (MOVNT) are outside of that order and need an SFENCE of their own (8.2.2).
 */
#ifndef HM_X86_64_BARRIER_H
#define HM_X86_64_BARRIER_H
#include <x86_64/insn.h>

/* Table stores of this processor before any later access of it, by the mapping too: its own walks see its own
 * stores in program order, others see them in the order of all its stores. */
static inline void hm_port_context_publish(void)
{
	hm_insn_compiler();
}

/* Verdicts of "invalid" are not kept (above). Those of a key register, IA32_PKRS, are not reached ahead of a
 * write of it: no access is executed, speculatively either, before an earlier write of the register has been
 * (SDM vol 2, WRPKRU, which WRMSR of IA32_PKRS follows; see pks.h). So there is nothing to forget. */
static inline void hm_port_context_sync(void)
{
	hm_insn_compiler();
}

/* Table stores of the outgoing thread before the store that hands it over, and so before the walks of the
 * processor that takes it: by the order of stores, and causality (SDM vol 3, 8.2.3.5). */
static inline void hm_port_context_switch(void)
{
	hm_insn_compiler();
}
#endif
