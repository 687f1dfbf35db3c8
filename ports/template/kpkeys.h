/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * kpkeys.h -- keys, which protect memory from ordinary stores, for <hardmap/context.h> and
 * <hardmap/kpkeys.h>: the architecture's register, and the environment's own keys and levels. To be filled
 * in, as far as the style asks for it.
 */
#ifndef TEMPLATE_KPKEYS_H
#define TEMPLATE_KPKEYS_H

/* How memory of a key other than 0 is protected, one of
 *	HM_KEY_STYLE_NONE      not at all. Only hm_port_kpkeys_why() is left to fill in
 *	HM_KEY_STYLE_WINDOW    by a register, on whatever this kernel boots
 *	HM_KEY_STYLE_STORE     by pages that only an instruction of its own writes, on whatever this kernel
 *	                       boots: hm_port_pte_store_keyed() of pgtable.h here is that instruction
 *	HM_KEY_STYLE_RUN_TIME  only the system knows: hm_port_key_style() says which of these it is
 * arm64: RUN_TIME, defined by gcs.h and poe.h; or NONE without them. */
#error "HM_PORT_KEY_STYLE: define it here, HM_KEY_STYLE_NONE if there are no keys"

#if HM_PORT_KEY_STYLE == HM_KEY_STYLE_RUN_TIME
/* NONE, WINDOW or STORE: one answer for all CPUs, final before a second context exists; a CPU that is started
 * later and differs is refused. A variable that holds it is in memory that is read-only by that time: a stray
 * store that makes it NONE takes all protection down. arm64: STORE if hm_arm64_cpu_has_gcs(),
 * WINDOW if hm_arm64_cpu_has_poe(). */
static inline unsigned int hm_port_key_style(void)
{
#error "hm_port_key_style: return how this system protects memory"
}
#endif

#if HM_PORT_KEY_STYLE == HM_KEY_STYLE_RUN_TIME || HM_PORT_KEY_STYLE == HM_KEY_STYLE_WINDOW
/* ---- the architecture's register; in other styles nothing calls or needs what follows ---- */

/* How many keys there are, 3 to 16. arm64: 8. */
#error "HM_PORT_KPKEYS: define it here"

/* The register's value for those permissions: HM_KEY_READ, _WRITE and _EXECUTE of each key by
 * HM_KEY_ALLOW(), four bits a key. A constant expression of a constant: no value of the register is ever
 * computed from memory. arm64: permissions itself, as POR_EL1 has the same encoding. */
#error "HM_PORT_KPKEYS_REGISTER(permissions): define it here"

/* This CPU's register, for the kernel's own accesses: what was last written, synchronised or not. arm64: MRS
 * of POR_EL1. */
static inline uint64_t hm_port_kpkeys_read(void)
{
#error "hm_port_kpkeys_read: return the key register"
}

/* A compiler barrier both ways. No synchronisation: hm_port_context_sync() or an exception return follows.
 * Key 0 is open in every value. arm64: MSR to POR_EL1. */
static inline void hm_port_kpkeys_write(uint64_t value)
{
#error "hm_port_kpkeys_write: write the key register"
}

/* ---- the environment's own keys and levels ---- */

/* What every level, the default one included, allows of keys from HM_KEY_FIRST_FREE on:
 * HM_KEY_ALLOW(HM_KEY_FIRST_FREE, HM_KEY_READ), or 0 if there are none. */
#error "HM_PORT_KPKEYS_BASE: define it here"

/* A row LEVEL(number, permissions) for each level of your own, from HM_KPKEYS_FIRST_FREE to 7, without commas
 * between: what it allows beyond the base. Nothing if there are none. */
#error "HM_PORT_KPKEYS_LEVELS(LEVEL): define it here"
#endif

#if HM_PORT_KEY_STYLE == HM_KEY_STYLE_RUN_TIME || HM_PORT_KEY_STYLE == HM_KEY_STYLE_STORE
/* ---- the order of keyed stores; in other styles nothing calls or needs what follows. What publishes and
 * switches, in context.h here, orders them too ---- */

/* Loads and stores before it, and what another CPU did before this one took a lock from it, come before keyed
 * stores after it. Where those are ordered as others are, the compiler barrier is left.
 * arm64: DMB ISH; GCSB DSYNC. */
static inline void hm_port_keyed_begin(void)
{
#error "hm_port_keyed_begin: everything so far is before the keyed stores to come"
}

/* Keyed stores before it come before all loads and stores after it: of the same entry, and of a lock that is
 * given back. arm64: GCSB DSYNC; DMB ISH. */
static inline void hm_port_keyed_end(void)
{
#error "hm_port_keyed_end: the keyed stores so far are before everything to come"
}
#endif

/* ---- faults ---- */

/* Why a data access failed: from the syndrome that hardware reported, and the page or block entry that
 * translates the address, 0 if none does. Everything else is HM_KPKEYS_FAULT_OTHER. To call a key's fault
 * NOT_MAPPED or PERMISSION has it repeated for ever: the handler asks the tables about those two, and repeats
 * what they permit. No side effects. arm64: fault.h, by ESR_EL1 with its Overlay and DirtyBit. */
static inline enum hm_kpkeys_fault hm_port_kpkeys_why(uint64_t syndrome, uint64_t entry)
{
#error "hm_port_kpkeys_why: say why the access failed"
}
#endif
