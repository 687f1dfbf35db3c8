/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * gcs.h -- store keys on arm64: FEAT_GCS over FEAT_S1PIE, EL1&0 regime. A page that PIR_EL1 calls a Guarded
 * Control Stack is readable, and written by one instruction, GCSSTR: an ordinary store to it faults in every
 * context at every time, as there is no register that could be open. Here such pages hold page tables, not
 * stacks: no call is guarded. The hooks of context.h and pgtable.h for keyed stores, and what each CPU does
 * to switch them on. Include it from your hardmap_port.h, which adds
 *
 *	unsigned int hm_port_key_style(void);            // HM_KEY_STYLE_STORE once it is on
 *	bool hm_port_arm64_has_store_keys(void);         // whether it is going to be: hm_arm64_cpu_has_gcs(),
 *	                                                 // asked on each CPU; final before a key is given
 *
 * EL3 and EL2 must have given EL1 the registers and the instruction (SCR_EL3.GCSEn, HFGITR_EL2.nGCSSTR_EL1,
 * HFGRTR_EL2 and HFGWTR_EL2.nGCS_EL1, beside what pie.h names), or their use traps.
 *
 * The protocol. Memory with a key, writable, is such a page: hm_port_leaf_encode() of vmsa.h sees to it. So
 *
 *	before     all tables get HM_KEY_PGTABLES while ordinary stores still write them: without indirection
 *	           the same entries mean ordinary memory. Then every CPU calls hm_arm64_gcs_enable(), and the
 *	           first one makes the style known: from that instruction to the other nobody writes a table.
 *	a table    is such memory from before it is first written as a table to after it was freed. GCSSTR to
 *	           any other page faults, so that it is no way to write what is not protected.
 *	execution  is by the page's permission alone: a store key says nothing of what is not writable.
 *	aliases    Nothing else maps that memory writable. The page is locked by its mapping, not by itself.
 *	memory     Normal write-back. GCSSTR with the MMU off, or to other types, is not defined; a table that
 *	           is filled there is filled by ordinary stores, before.
 *	updates    No compare-and-swap, no exclusives, no DC ZVA, no DC IVAC: all fault. hm_pte_update()
 *	           loads, compares and stores: who writes an entry holds the lock that all its writers hold.
 *	           GCSSTR may clear the exclusive monitor: not between LDXR and STXR.
 *	hardware   updates neither access flag nor dirty state (TCR_EL1.HA and HD are 0, or the entries have
 *	           AF set and nDirty, bit 7, clear, as those of vmsa.h that are writable have).
 *	order      is the library's: each write waits for what precedes it and is waited for by what follows
 *	           (hm_port_keyed_begin(), hm_port_keyed_end()): locks and loads are as with other stores.
 *
 * With FEAT_S1POE too the port may choose; no overlay applies to these pages.
 */
#ifndef HM_ARM64_GCS_H
#define HM_ARM64_GCS_H
#define HM_CONTEXT_TYPES_ONLY
#include <hardmap/context.h>
#undef HM_CONTEXT_TYPES_ONLY
#include <arm64/pie.h>

/*
 * GCS stores are ordered neither against ordinary accesses, even to the same address by the same PE, nor
 * against each other at different addresses. GCSB DSYNC orders those before it against those after it, and
 * is itself ordered against ordinary accesses by a full barrier between, by an acquire before it or a release
 * after it (Arm ARM D11.9).
 */
static inline void hm_port_keyed_begin(void)
{
	/* Earlier accesses, the load of the entry that is to be changed among them, before the GCSB. */
	hm_insn_dmb_ish();
	/* And that before the stores. */
	hm_insn_gcsb_dsync();
}

static inline void hm_port_keyed_end(void)
{
	/* The stores before the GCSB, and whatever releases a lock after it. */
	hm_insn_gcsb_dsync();
	/* And that before later loads, which may be of what was stored. */
	hm_insn_dmb_ish();
}

static inline void hm_port_pte_store_keyed(hm_pte_t *ptep, hm_pte_t pte)
{
	hm_insn_gcsstr(&ptep->val, pte.val);
}

/* As HM_ARM64_PIR_EL1, and what is locked by a store key. */
#define HM_ARM64_PIR_EL1_GCS \
	(HM_ARM64_PIR_EL1 | HM_ARM64_PIR_FIELD_(HM_ARM64_KERNEL_KEYED, HM_ARM64_PIR_GCS))

/* GCSCR_EL1 (Arm ARM D24.2): GCSSTR is defined at EL1. All else off: no control stack, no other instruction
 * that writes one. */
#define HM_ARM64_GCSCR_STREN (UINT64_C(1) << 9)

/* Whether the CPU that asks has FEAT_S1PIE and FEAT_GCS: ID_AA64PFR1_EL1.GCS, 47:44. */
static inline bool hm_arm64_cpu_has_gcs(void)
{
	return hm_arm64_cpu_has_pie() && (hm_insn_mrs_id_aa64pfr1_el1() >> 44 & 15);
}

/*
 * Switches store keys on, on this CPU: from boot, hot-plug or resume, before or after the MMU is on,
 * interrupts masked. From here on pages with a key take keyed stores alone. The other bits of TCR2_EL1 are
 * the kernel's, who has written them before. Then, with the context that runs, hm_kpkeys_cpu_start().
 */
static inline void hm_arm64_gcs_enable(void)
{
	hm_insn_msr_gcscr_el1(HM_ARM64_GCSCR_STREN);
	hm_arm64_pie_enable_(HM_ARM64_PIR_EL1_GCS, 0);
}

/* Switches them off, on this CPU, after hm_kpkeys_hand_over(): ordinary stores write all pages as their
 * attributes say, and the style is NONE. Interrupts masked. */
static inline void hm_arm64_gcs_disable(void)
{
	/* Keyed stores before the ordinary ones to come. */
	hm_port_keyed_end();
	hm_arm64_pie_disable_();
	hm_insn_msr_gcscr_el1(0);
	/* GCSSTR is not defined any more from the next instruction on. */
	hm_insn_isb();
}
#endif
