/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * hardmap_port.h -- the hosted port: the arm64 port's descriptors, barriers and TLB maintenance
 * over the instructions of hosted/arm64/insn.h. Physical addresses are host addresses. Include
 * path: include, ports/hosted, ports, in this order; link ports/hosted/hosted.c.
 */
#ifndef HM_HOSTED_HARDMAP_PORT_H
#define HM_HOSTED_HARDMAP_PORT_H
#include <hosted.h>

#define HM_BUG(message) hm_hosted_bug(message)

/* The granule, where the build does not choose another. */
#ifndef HM_PORT_ARM64_PAGE_SHIFT
#define HM_PORT_ARM64_PAGE_SHIFT 12
#endif

static inline struct hm_lazy_mmu *hm_port_lazy_mmu(void)
{
	return hm_hosted.context;
}

static inline hm_pte_t *hm_port_pgtable_map(hm_pa_t table)
{
	return (hm_pte_t *)(uintptr_t)table.val;
}

static inline hm_pte_t *hm_port_pgtable_root(hm_va_t va)
{
	(void)va;
	return hm_hosted.root;
}

static inline bool hm_port_arm64_has_tlbi_range(void)
{
	return hm_hosted.has_tlbi_range;
}

#include <arm64/barrier.h>
#include <arm64/tlbi.h>
#include <arm64/vmsa.h>
#endif
