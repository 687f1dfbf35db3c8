/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * barrier.h -- the hooks of context.h as arm64 barriers. Include it from your hardmap_port.h,
 * which adds hm_port_context(), HM_BUG and
 *
 *	bool hm_port_arm64_has_store_keys(void);         // of gcs.h; false where there is no gcs.h
 */
#ifndef HM_ARM64_BARRIER_H
#define HM_ARM64_BARRIER_H
#include <arm64/insn.h>

/* Orders earlier table stores of this PE before any translation table walk, by any PE of the inner
 * shareable domain, of an access after it in program order; ISHST is enough as only stores are
 * ordered (Arm ARM D8.17.1). The walk of this PE's own next access needs the ISB too. */
static inline void hm_port_context_publish(void)
{
	if (hm_port_arm64_has_store_keys()) {
		/* GCS stores before the GCSB; that, which is no store, before the walks (Arm ARM D11.9). */
		hm_insn_gcsb_dsync();
		hm_insn_dsb_ish();
	} else {
		hm_insn_dsb_ishst();
	}
}

/* Discards what this PE has fetched or translated ahead: a translation fault that it determined
 * before the DSB completed is not taken afterwards (Arm ARM D8.17.1). */
static inline void hm_port_context_sync(void)
{
	hm_insn_isb();
}

/* Orders table stores of the outgoing thread before the walks of the PE that runs it next: that PE
 * executes the owed ISB without a DSB for these stores. ISH, not ISHST: a switch also hands over
 * the thread's loads and its TLB and cache maintenance. GCS stores before the GCSB, before that. */
static inline void hm_port_context_switch(void)
{
	if (hm_port_arm64_has_store_keys())
		hm_insn_gcsb_dsync();
	hm_insn_dsb_ish();
}
#endif
