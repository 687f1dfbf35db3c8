/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * rox_cache.h -- the architecture's hooks of <hardmap/rox_cache.h>, to be filled in: instructions that trap,
 * and what it takes until instruction fetches find what was stored.
 */
#ifndef TEMPLATE_ROX_CACHE_H
#define TEMPLATE_ROX_CACHE_H

/* Eight bytes that trap wherever execution comes in, as the constant that hm_port_pte_store() makes them
 * of: all code that is nobody's. arm64: BRK, twice. */
#error "HM_PORT_ROX_CACHE_TRAP: define it here"

/* What was stored by that address, whole bytes from an aligned word on, gets to where instruction caches are
 * filled from. The stores come before it in program order, keyed ones before hm_port_keyed_end(); after it
 * comes the next hook, by the same context, on another CPU only after hm_port_context_switch(). Empty where
 * fetches see data caches, or where the next hook does it all. arm64: DC CVAU by line, unless CTR_EL0.IDC. */
static inline void hm_port_code_clean(const hm_pte_t *alias, uint64_t bytes)
{
#error "hm_port_code_clean: clean data caches, by the alias"
}

/* Waits for that; then no instruction cache, of any CPU, has anything else of those addresses, where the code
 * executes and is mapped. A CPU that after this drops what it has fetched ahead, which is
 * hm_port_rox_cache_synchronise(), finds what was stored. Any length: from some on it is better to
 * invalidate all. arm64: DSB ISH; IC IVAU by line, unless CTR_EL0.DIC; DSB ISH. */
static inline void hm_port_code_invalidate(hm_va_t code, uint64_t bytes)
{
#error "hm_port_code_invalidate: wait for the cleaning, then invalidate instruction caches of all CPUs"
}

/* Four aligned bytes in one access: who fetches them meanwhile finds the old instruction or the new one. Not
 * called in style STORE. arm64: STR of a W register, in C a volatile store. */
static inline void hm_port_code_patch(uint32_t *alias, uint32_t instruction)
{
#error "hm_port_code_patch: store the instruction"
}
#endif
