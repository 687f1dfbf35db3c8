// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench.c -- n pages are mapped at consecutive addresses: by the kernel's lazy MMU mode, and by a section of
 * lazy_mmu.h. Instructions and barriers of each. /sys/kernel/debug/hardmap/bench is read to run it; it counts
 * instructions where QEMU does (-icount shift=0 -smp 1), and says so where it does not.
 */
#include <linux/debugfs.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/jump_label.h>
#include <linux/preempt.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include <asm/sysreg.h>

#include "bench.h"
#include "hardmap.h"
#include <hardmap/pgtable.h>

#define PAGES 256

static struct page *pages[PAGES];
static struct vm_struct *area;
static pte_t *kernel_ptes; /* of the area */
static hm_pte_t *entries; /* of a table of the library's */
static hm_va_t entries_va;

/* ---- ways to map n pages ---- */

static void kernel_map(unsigned int n)
{
	const unsigned long start = (unsigned long)area->addr;

	WARN_ON(vm_area_map_pages(area, start, start + n * PAGE_SIZE, pages));
}

static void kernel_in_section(unsigned int n)
{
	const unsigned long start = (unsigned long)area->addr;
	unsigned int i;

	lazy_mmu_mode_enable();
	for (i = 0; i < n; i++)
		set_pte_at(&init_mm, start + i * PAGE_SIZE, kernel_ptes + i,
			   mk_pte(pages[i], PAGE_KERNEL));
	lazy_mmu_mode_disable();
}

static void kernel_one_by_one(unsigned int n)
{
	const unsigned long start = (unsigned long)area->addr;
	unsigned int i;

	for (i = 0; i < n; i++)
		set_pte_at(&init_mm, start + i * PAGE_SIZE, kernel_ptes + i,
			   mk_pte(pages[i], PAGE_KERNEL));
}

static void hardmap_in_section(unsigned int n)
{
	bench_plain_in_section(entries, pages, n, HM_ARM64_KERNEL_RW);
}

static void hardmap_one_by_one(unsigned int n)
{
	bench_plain_one_by_one(entries, pages, n, HM_ARM64_KERNEL_RW);
}

static void counted_in_section(unsigned int n)
{
	bench_counted_in_section(entries, pages, n, HM_ARM64_KERNEL_RW);
}

static void counted_one_by_one(unsigned int n)
{
	bench_counted_one_by_one(entries, pages, n, HM_ARM64_KERNEL_RW);
}

/* ---- what they cost ---- */

/* By emit_pte_barriers() of the kernel, while the key is on: a DSB and an ISB. */
DEFINE_STATIC_KEY_FALSE(hardmap_count_barriers);
unsigned int hardmap_barriers;

static uint64_t instructions_now(void)
{
	isb();
	return read_sysreg(pmevcntr0_el0);
}

static void unmap_kernels(unsigned int n)
{
	const unsigned long start = (unsigned long)area->addr;

	vm_area_unmap_pages(area, start, start + n * PAGE_SIZE);
}

static void unmap_hardmaps(unsigned int n)
{
	hm_pte_clear_range(entries, n);
	hm_pgtable_invalidate(entries_va, n * PAGE_SIZE, HM_INVALIDATE_LEAVES);
}

static const struct way {
	const char *name;
	void (*map)(unsigned int n);
	void (*map_counted)(unsigned int n);
	void (*unmap)(unsigned int n);
	bool kernels;
} ways[] = {
	{ "Linux, vm_area_map_pages()", kernel_map, kernel_map, unmap_kernels, true },
	{ "Linux, lazy MMU mode", kernel_in_section, kernel_in_section, unmap_kernels, true },
	{ "Linux, no mode", kernel_one_by_one, kernel_one_by_one, unmap_kernels, true },
	{ "hardmap, section", hardmap_in_section, counted_in_section, unmap_hardmaps, false },
	{ "hardmap, no section", hardmap_one_by_one, counted_one_by_one, unmap_hardmaps, false },
};

static uint64_t instructions_of(const struct way *way, unsigned int n)
{
	uint64_t best = ~0ull, before, empty, after;
	unsigned int i;

	/* The least of some is without interrupts. */
	for (i = 0; i < 16; i++) {
		before = instructions_now();
		empty = instructions_now();
		way->map(n);
		after = instructions_now();
		best = min(best, after - empty - (empty - before));
		way->unmap(n);
	}
	return best;
}

static unsigned int barriers_of(const struct way *way, unsigned int n)
{
	unsigned int barriers;

	static_branch_enable(&hardmap_count_barriers);
	migrate_disable();
	(void)bench_barriers();
	hardmap_barriers = 0;
	way->map_counted(n);
	barriers = way->kernels ? hardmap_barriers : bench_barriers();
	migrate_enable();
	static_branch_disable(&hardmap_count_barriers);
	way->unmap(n);
	return barriers;
}

static int remember_pte(pte_t *pte, unsigned long address, void *unused)
{
	if (address == (unsigned long)area->addr)
		kernel_ptes = pte;
	return 0;
}

static int bench_show(struct seq_file *file, void *unused)
{
	static const unsigned int sizes[] = { 1, 16, 64, 256 };
	const bool counts = num_online_cpus() == 1 && (read_sysreg(pmceid0_el0) >> 8 & 1);
	unsigned int i, j;

	write_sysreg(8, pmevtyper0_el0); /* INST_RETIRED */
	write_sysreg(1, pmcntenset_el0);
	write_sysreg(1, pmcr_el0);
	if (!counts)
		seq_puts(file, "no instruction counts: boot by QEMU -icount shift=0 -smp 1\n");
	seq_printf(file, "%-28s", counts ? "instructions | DSBs + ISBs" : "DSBs + ISBs");
	for (j = 0; j < ARRAY_SIZE(sizes); j++)
		seq_printf(file, " %9u pages", sizes[j]);
	seq_puts(file, "   an entry  a section\n");
	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		uint64_t of[ARRAY_SIZE(sizes)] = {};

		seq_printf(file, "%-28s", ways[i].name);
		for (j = 0; j < ARRAY_SIZE(sizes); j++) {
			if (counts)
				of[j] = instructions_of(&ways[i], sizes[j]);
			seq_printf(file, " %9llu | %3u", of[j], barriers_of(&ways[i], sizes[j]));
		}
		/* By what 240 entries more cost; the rest is the section's. */
		seq_printf(file, " %6llu.%01llu %10lld\n", (of[3] - of[1]) / 240,
			   (of[3] - of[1]) % 240 / 24,
			   (long long)(of[1] - (of[3] - of[1]) * 16 / 240));
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(bench);

static int __init bench_init(void)
{
	struct dentry *directory = debugfs_lookup("hardmap", NULL);
	hm_pa_t table;
	unsigned int i;

	area = get_vm_area(PMD_SIZE,
			   VM_SPARSE | VM_IOREMAP); /* of one table, as the latter aligns it */
	entries_va.val = hm_linux_area.val + HM_LINUX_AREA_BYTES - PMD_SIZE;
	if (!directory || !area || !hm_linux_area.val || !hm_linux_table_alloc(&table))
		return -ENOMEM;
	for (i = 0; i < PAGES; i++)
		pages[i] = alloc_page(GFP_KERNEL);
	entries = hm_port_pgtable_map(table);
	hm_pte_link(hm_linux_area_entry(entries_va), hm_arm64_table(table));
	if (!pages[PAGES - 1] || apply_to_page_range(&init_mm, (unsigned long)area->addr,
						     PAGES * PAGE_SIZE, remember_pte, NULL))
		return -ENOMEM;
	debugfs_create_file("bench", 0400, directory, NULL, &bench_fops);
	dput(directory);
	return 0;
}
late_initcall(bench_init);
