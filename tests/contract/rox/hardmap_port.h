/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * hardmap_port.h -- the port that comes next on the include path, for the suite of rox_cache.h: stores to
 * the alias of code, and what makes them visible to fetches, go to the kernel of rox_kernel.c, which knows
 * who may store there. All other stores are the port's.
 */
#ifndef CONTRACT_ROX_HARDMAP_PORT_H
#define CONTRACT_ROX_HARDMAP_PORT_H
#define hm_port_pte_store port_pte_store
#define hm_port_pte_store_pair port_pte_store_pair
#define hm_port_pte_store_keyed port_pte_store_keyed
#define hm_port_code_clean port_code_clean
#define hm_port_code_invalidate port_code_invalidate
#define hm_port_code_patch port_code_patch
#include_next <hardmap_port.h>
#undef hm_port_pte_store
#undef hm_port_pte_store_pair
#undef hm_port_pte_store_keyed
#undef hm_port_code_clean
#undef hm_port_code_invalidate
#undef hm_port_code_patch

bool rox_kernel_is_code(const void *address);
/* Stores there, if that is allowed now. */
void rox_kernel_store(hm_pte_t *ptep, hm_pte_t pte, bool keyed);
void hm_port_code_clean(const hm_pte_t *alias, uint64_t bytes);
void hm_port_code_invalidate(hm_va_t code, uint64_t bytes);
void hm_port_code_patch(uint32_t *alias, uint32_t instruction);

static inline void hm_port_pte_store(hm_pte_t *ptep, hm_pte_t pte)
{
	if (rox_kernel_is_code(ptep))
		rox_kernel_store(ptep, pte, false);
	else
		port_pte_store(ptep, pte);
}

static inline hm_pte_t *hm_port_pte_store_pair(hm_pte_t *ptep, hm_pte_t first, hm_pte_t second)
{
	hm_port_pte_store(ptep, first);
	hm_port_pte_store(ptep + 1, second);
	return ptep + 2;
}

#if HM_PORT_KEY_STYLE == HM_KEY_STYLE_RUN_TIME || HM_PORT_KEY_STYLE == HM_KEY_STYLE_STORE
static inline void hm_port_pte_store_keyed(hm_pte_t *ptep, hm_pte_t pte)
{
	if (rox_kernel_is_code(ptep))
		rox_kernel_store(ptep, pte, true);
	port_pte_store_keyed(ptep, pte);
}
#endif
#endif
