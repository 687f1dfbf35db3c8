// SPDX-License-Identifier: GPL-2.0-only
/*
 * area.c -- kernel addresses whose tables are the library's: all below one entry of the kernel's
 * tables, which no other address shares. From the pool, so with its key.
 */
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include <asm/pgalloc.h>
#include <asm/pgtable.h>

#include "hardmap.h"
#include <hardmap/direct_map.h>

/* Of pgtable.h, counted from the leaves: the table that the area is, whose entries map blocks. */
#define AREA_LEVEL 1

hm_va_t hm_linux_area __ro_after_init;
static hm_pa_t area_table __ro_after_init;

hm_pte_t *hm_linux_area_entry(hm_va_t va)
{
	return hm_port_pgtable_map(area_table) + hm_port_pgtable_index(va, AREA_LEVEL);
}

/* ---- tables that come and go ---- */

bool hm_port_pgtable_alloc(hm_pa_t *table)
{
	return hm_linux_table_alloc(table);
}

/* Unlinked, but the dumper of /sys/kernel/debug/kernel_page_tables may be in it: it has the lock of
 * init_mm. A join in the linear map may unlink a table that the kernel made: it goes back to where that
 * came from. */
static LIST_HEAD(unlinked);
static DEFINE_SPINLOCK(unlinked_lock);

static void free_unlinked(struct work_struct *work)
{
	struct page *page, *next;
	LIST_HEAD(mine);

	spin_lock_irq(&unlinked_lock);
	list_splice_init(&unlinked, &mine);
	spin_unlock_irq(&unlinked_lock);
	mmap_write_lock(&init_mm);
	mmap_write_unlock(&init_mm);
	list_for_each_entry_safe(page, next, &mine, lru)
	{
		list_del(&page->lru);
		if (PageTable(page))
			pagetable_dtor_free(page_ptdesc(page));
		else if (PageReserved(page))
			free_reserved_page(page);
		else
			hm_linux_table_free((hm_pa_t){ page_to_phys(page) });
	}
}
static DECLARE_WORK(free_unlinked_work, free_unlinked);

void hm_linux_wait_for_tables(void)
{
	flush_work(&free_unlinked_work);
}

void hm_port_pgtable_free(hm_pa_t table)
{
	unsigned long flags;

	spin_lock_irqsave(&unlinked_lock, flags);
	list_add(&phys_to_page(table.val)->lru, &unlinked);
	spin_unlock_irqrestore(&unlinked_lock, flags);
	schedule_work(&free_unlinked_work);
}

/* ---- sizes below BBM level 3 ---- */

/* Who changes a map of the area is the only one who uses those addresses, and says so to his own users. */
int hm_port_direct_map_break(hm_va_t va, uint64_t bytes)
{
	return va.val - hm_linux_area.val < HM_LINUX_AREA_BYTES ? 0 : -HM_EBUSY;
}

void hm_port_direct_map_mend(hm_va_t va, uint64_t bytes)
{
}

/* ---- start ---- */

int __init hm_linux_area_init(void)
{
	struct vm_struct *area = get_vm_area(HM_LINUX_AREA_BYTES, VM_IOREMAP | VM_NO_GUARD);
	unsigned long start;
	p4d_t *p4d;
	pud_t *pud = NULL;
	int error;

	if (!area)
		return -ENOMEM;
	start = (unsigned long)area->addr;
	p4d = p4d_alloc(&init_mm, pgd_offset_k(start), start);
	if (p4d)
		pud = pud_alloc(&init_mm, p4d, start);
	if (!pud || !IS_ALIGNED(start, HM_LINUX_AREA_BYTES) || !pud_none(pudp_get(pud)) ||
	    !hm_linux_table_alloc(&area_table)) {
		free_vm_area(area);
		return -ENOMEM;
	}
	/* The pool's zeroes before the link, for every walker; the kernel's table is written by the kernel's
	 * writer. */
	hm_port_pgtable_order_fill();
	error = hm_linux_link_area(pud, area_table);
	if (error) {
		hm_linux_table_free(area_table);
		free_vm_area(area);
		return error;
	}
	hm_linux_area.val = start;
	return 0;
}
