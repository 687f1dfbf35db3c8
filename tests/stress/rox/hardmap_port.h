/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * hardmap_port.h -- the port of the pool's benchmarks (tests/bench/pool) with caches of code: the kernel
 * beneath them is tests/stress/rox_cache.c, which sees every store to an alias. A thread is a CPU and a
 * context.
 *
 * CONFIG   STRESS_WINDOW  1: keys are windows, of a register that each thread has; 0: there are no keys
 */
#ifndef STRESS_ROX_HARDMAP_PORT_H
#define STRESS_ROX_HARDMAP_PORT_H
#define hm_port_pte_store bench_pte_store
#define hm_port_pte_store_pair bench_pte_store_pair
#include "../../bench/pool/hardmap_port.h"
#undef hm_port_pte_store
#undef hm_port_pte_store_pair
#include <extern/rox_cache.h>

void stress_check_store(const void *alias);

static inline void hm_port_pte_store(hm_pte_t *ptep, hm_pte_t pte)
{
	stress_check_store(ptep);
	bench_pte_store(ptep, pte);
}

static inline hm_pte_t *hm_port_pte_store_pair(hm_pte_t *ptep, hm_pte_t first, hm_pte_t second)
{
	hm_port_pte_store(ptep, first);
	hm_port_pte_store(ptep + 1, second);
	return ptep + 2;
}

#if STRESS_WINDOW
#undef HM_PORT_KEY_STYLE
#define HM_PORT_KEY_STYLE HM_KEY_STYLE_WINDOW
#define HM_PORT_KPKEYS 3
#define HM_PORT_KPKEYS_REGISTER(permissions) (permissions)
#define HM_PORT_KPKEYS_BASE 0
#define HM_PORT_KPKEYS_LEVELS(LEVEL)
extern _Thread_local uint64_t stress_register;

static inline uint64_t hm_port_kpkeys_read(void)
{
	return stress_register;
}

static inline void hm_port_kpkeys_write(uint64_t value)
{
	stress_register = value;
}
#endif

#define HM_PORT_ROX_CACHE_BLOCK_SHIFT 16
#define HM_PORT_ROX_CACHE_TRAP UINT64_C(0x00c0ffee00c0ffee)
void hm_port_code_clean(const hm_pte_t *alias, uint64_t bytes);
void hm_port_code_invalidate(hm_va_t code, uint64_t bytes);
void hm_port_code_patch(uint32_t *alias, uint32_t instruction);
#endif
