/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * hardmap_port.h -- the port of main.c: what a kernel on arm64 has, on one CPU without keys.
 */
#ifndef BENCH_INSN_HARDMAP_PORT_H
#define BENCH_INSN_HARDMAP_PORT_H
#define HM_PORT_KEY_STYLE HM_KEY_STYLE_NONE
#include "../bare/port.h"

/* Of main.c. */
extern hm_pte_t *const bench_root;
bool bench_alloc(hm_pa_t *table);

static inline hm_pte_t *hm_port_pgtable_root(hm_va_t va)
{
	(void)va;
	return bench_root;
}

static inline bool hm_port_pgtable_alloc(hm_pa_t *table)
{
	return bench_alloc(table);
}

/* Every case starts with all tables. */
static inline void hm_port_pgtable_free(hm_pa_t table)
{
	(void)table;
}

static inline unsigned int hm_port_bbm_level(void)
{
	return 3;
}

static inline int hm_port_direct_map_break(hm_va_t va, uint64_t bytes)
{
	(void)va;
	(void)bytes;
	return 0;
}

static inline void hm_port_direct_map_mend(hm_va_t va, uint64_t bytes)
{
	(void)va;
	(void)bytes;
}
#endif
