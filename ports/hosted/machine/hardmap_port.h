/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * hardmap_port.h -- the real arm64 port on the machine of machine.h, which says the granule. Include
 * path: include, ports/hosted/machine, ports, in this order; link machine.c.
 */
#ifndef HM_MACHINE_HARDMAP_PORT_H
#define HM_MACHINE_HARDMAP_PORT_H
#include <machine.h>
#include <extern/pgtable_pool.h>
#include <extern/rox_cache.h>

#define HM_BUG(message) hm_machine_bug(message)

/* A place for interrupts between instructions: around each use of the state. */
static inline struct hm_context *hm_port_context(void)
{
	hm_machine_point();
	return hm_machine_context();
}

/* A key and a level of the kernel's own: the last key, so that a register that is cut short lacks it. */
#define HM_MACHINE_KEY 7
#define HM_MACHINE_LEVEL HM_KPKEYS_FIRST_FREE
#define HM_PORT_KPKEYS_BASE HM_KEY_ALLOW(HM_MACHINE_KEY, HM_KEY_READ)
#define HM_PORT_KPKEYS_LEVELS(LEVEL) \
	LEVEL(HM_MACHINE_LEVEL, HM_KEY_ALLOW(HM_MACHINE_KEY, HM_KEY_WRITE))
static inline unsigned int hm_port_key_style(void)
{
	return hm_machine->config.key_style ? hm_machine->config.key_style : HM_KEY_STYLE_NONE;
}
static inline bool hm_port_arm64_has_store_keys(void)
{
	return hm_machine->config.key_style == HM_KEY_STYLE_STORE;
}
#include <arm64/gcs.h>
#include <arm64/poe.h>

/* Keys by the build: 1, what the machine's configuration says; 0, none, as a port without them compiles. */
#ifndef HM_MACHINE_KEYS
#define HM_MACHINE_KEYS 1
#endif
#if !HM_MACHINE_KEYS
#undef HM_PORT_KEY_STYLE
#define HM_PORT_KEY_STYLE HM_KEY_STYLE_NONE
#endif

/* Physical addresses start at 1 GiB, so that none is mistaken for an index or a null. */
static inline hm_pte_t *hm_port_pgtable_map(hm_pa_t table)
{
	return hm_machine->memory[hm_machine_page_number(table)];
}

static inline hm_pte_t *hm_port_pgtable_root(hm_va_t va)
{
	return va.val >> 63 ? hm_machine->software_root : NULL;
}

static inline bool hm_port_arm64_has_tlbi_range(void)
{
	return hm_machine->config.has_tlbi_range;
}

static inline bool hm_port_pgtable_alloc(hm_pa_t *table)
{
	return hm_machine->config.alloc_table(table);
}

static inline void hm_port_pgtable_free(hm_pa_t table)
{
	hm_machine->config.free_table(table);
}

static inline unsigned int hm_port_bbm_level(void)
{
	return hm_machine->config.bbm_level;
}

static inline int hm_port_direct_map_break(hm_va_t va, uint64_t bytes)
{
	return hm_machine->config.break_range(va, bytes);
}

static inline void hm_port_direct_map_mend(hm_va_t va, uint64_t bytes)
{
	hm_machine->config.mend_range(va, bytes);
}

/* Blocks of a pool that are small enough for there to be several. Its kernel is the program: whoever includes
 * pgtable_pool.h defines these hooks. */
#ifndef HM_PORT_PGTABLE_POOL_ORDER
#define HM_PORT_PGTABLE_POOL_ORDER 3
#endif
#ifndef HM_PORT_PGTABLE_POOL_MAGAZINE
#define HM_PORT_PGTABLE_POOL_MAGAZINE 4
#endif
#define HM_PORT_PGTABLE_POOL_TABLES 2 /* a block, or less, of one bank: one a level */
#define HM_PORT_PGTABLE_POOL_LOCKED 1

/* Blocks of code of four pages, a bank or less; the kernel is the program. */
#ifndef HM_PORT_ROX_CACHE_BLOCK_SHIFT
#define HM_PORT_ROX_CACHE_BLOCK_SHIFT (HM_PORT_ARM64_PAGE_SHIFT + 2)
#endif

static inline uint64_t hm_port_arm64_ctr(void)
{
	return hm_machine_ctr();
}

#include <arm64/barrier.h>
#include <arm64/code.h>
#include <arm64/fault.h>
#include <arm64/tlbi.h>
#include <arm64/vmsa.h>
#endif
