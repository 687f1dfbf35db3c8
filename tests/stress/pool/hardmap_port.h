/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * hardmap_port.h -- the port of the pool's benchmarks (tests/bench/pool), but for hooks that the program
 * defines over those, so that they fail. A thread is a CPU, bench_cpu.
 */
#ifndef STRESS_POOL_HARDMAP_PORT_H
#define STRESS_POOL_HARDMAP_PORT_H
#define hm_port_pgtable_pool_memory bench_pool_memory
#define hm_port_pgtable_pool_set_key bench_pool_set_key
#define hm_port_pgtable_pool_fence bench_pool_fence
#include "../../bench/pool/hardmap_port.h"
#undef hm_port_pgtable_pool_memory
#undef hm_port_pgtable_pool_set_key
#undef hm_port_pgtable_pool_fence

bool hm_port_pgtable_pool_memory(struct hm_pgtable_pool *of, unsigned int order, hm_pa_t *pages);
int hm_port_pgtable_pool_set_key(struct hm_pgtable_pool *of, hm_pa_t start, unsigned int n,
				 unsigned int key, struct hm_pgtable_pool_token *token);
bool hm_port_pgtable_pool_fence(struct hm_pgtable_pool *of);
#endif
