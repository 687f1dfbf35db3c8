// SPDX-License-Identifier: GPL-2.0-only
/*
 * x86_64.c -- the area's entries, and what takes an interrupt to all CPUs: invalidation, and new code.
 */
#include <linux/cc_platform.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/smp.h>

#include <asm/cpufeature.h>
#include <asm/page.h>
#include <asm/processor.h>
#include <asm/tlbflush.h>

#include "hardmap.h"
#include <hardmap/direct_map.h>

/* What executes, of an area with blocks of both kinds, changes no size live on CPUs that do not bear it. */
unsigned int hm_port_bbm_level(void)
{
	return boot_cpu_has_bug(X86_BUG_ITLB_MULTIHIT) ? 0 : 3;
}

/* The table of the fourth level from the leaves: with 5-level paging one entry of the kernel's links it. */
hm_pte_t *hm_port_pgtable_root(hm_va_t va)
{
	const pgd_t *entry = pgd_offset_k(va.val);

	if ((int64_t)va.val >= 0 || !__is_canonical_address(va.val, boot_cpu_data.x86_virt_bits))
		return NULL;
	if (!pgtable_l5_enabled())
		return (hm_pte_t *)init_mm.pgd;
	return pgd_present(*entry) ? (hm_pte_t *)pgd_page_vaddr(*entry) : NULL;
}

/* ---- the area ---- */

/* As the kernel's own: not global where user mode runs on other tables. */
hm_pte_t hm_linux_leaf(hm_pa_t pa, unsigned int level, enum hm_permission permission)
{
	const uint64_t attributes = permission == HM_PERMISSION_RW   ? HM_X86_64_KERNEL_RW
				    : permission == HM_PERMISSION_RO ? HM_X86_64_KERNEL_RO
								     : HM_X86_64_KERNEL_RX;

	return hm_x86_64_leaf(pa, level,
			      attributes & (__default_kernel_pte_mask | ~(uint64_t)_PAGE_GLOBAL));
}

/* The library's entries do not say that memory is encrypted, they have NX, map blocks, and are written by no
 * hypercall. */
int hm_linux_link_area(pud_t *entry, hm_pa_t table)
{
	if (cc_platform_has(CC_ATTR_MEM_ENCRYPT) || !(__supported_pte_mask & _PAGE_NX) ||
	    !boot_cpu_has(X86_FEATURE_PSE) || boot_cpu_has(X86_FEATURE_XENPV))
		return -ENODEV;
	set_pud(entry, __pud(table.val | _KERNPG_TABLE));
	return 0;
}

/* ---- all CPUs ---- */

/* Where a table was linked, of all PCIDs: the kernel's way of a range leaves others the links that they have
 * cached. */
void hm_port_x86_64_shootdown(hm_va_t va, uint64_t bytes, enum hm_invalidate what)
{
	if (what == HM_INVALIDATE_TABLES)
		flush_tlb_all();
	else
		flush_tlb_kernel_range(va.val & PAGE_MASK, PAGE_ALIGN(va.val + bytes));
}

static void synchronise_cpu(void *unused)
{
	hm_x86_64_synchronise();
}

void hm_linux_synchronise(void)
{
	on_each_cpu(synchronise_cpu, NULL, 1);
}
