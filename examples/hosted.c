/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * hosted.c -- the library on your own machine: maps 512 pages one by one, without and with a
 * section, and prints what the processor would have had to do. Nothing here is privileged; the
 * hosted port counts.
 */
#include <hardmap/pgtable.h>
#include <stdio.h>

static hm_pte_t top[HM_PORT_PGTABLE_ENTRIES] __attribute__((aligned(4096)));
static hm_pte_t table[HM_PORT_PGTABLE_ENTRIES] __attribute__((aligned(4096)));

static void map_pages(void)
{
	unsigned int i;

	for (i = 0; i < HM_PORT_PGTABLE_ENTRIES; i++) {
		const hm_pa_t page = { UINT64_C(0x80000000) + i * UINT64_C(4096) };

		hm_pte_set(&table[i], hm_arm64_leaf(page, 0, HM_ARM64_KERNEL_RW));
	}
}

static void unmap_pages(void)
{
	const hm_va_t va = { UINT64_C(0xffff800000000000) };

	hm_pte_clear_range(table, HM_PORT_PGTABLE_ENTRIES);
	hm_pgtable_invalidate(va, HM_PORT_PGTABLE_ENTRIES * UINT64_C(4096), HM_INVALIDATE_LEAVES);
}

static void report(const char *what)
{
	printf("%-36s %6lu %6lu %6lu %6lu\n", what, (unsigned long)hm_hosted.counts[HM_INSN_STR],
	       (unsigned long)hm_hosted.counts[HM_INSN_DSB_ISHST],
	       (unsigned long)hm_hosted.counts[HM_INSN_ISB],
	       (unsigned long)hm_hosted.counts[HM_INSN_DMB_ISHST]);
	hm_hosted_clear_counts();
}

int main(void)
{
	const hm_pa_t table_pa = { (uintptr_t)table };
	hm_lazy_mmu_token_t tok;

	printf("%-36s %6s %6s %6s %6s\n", "", "stores", "DSB", "ISB", "DMB");
	hm_pte_link(&top[0], hm_arm64_table(table_pa));
	report("link an empty table");
	map_pages();
	report("map 512 pages, one by one");
	unmap_pages();
	report("unmap and invalidate them");

	tok = hm_lazy_mmu_enter();
	map_pages();
	hm_lazy_mmu_leave(tok);
	report("map 512 pages in a section");

	hm_lazy_mmu_leave(
		tok); /* a bug: the token is used up. It is reported and changes nothing. */
	printf("left twice: \"%s\"\n", hm_hosted.bug);
	return hm_hosted.bugs == 1 ? 0 : 1;
}
