/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * probe_arm64.c -- the contract suite's probe for ports whose entries are ports/arm64/vmsa.h and whose
 * instructions are counted in hm_hosted: the hosted port, and the counted real one.
 */
#include "probe.h"
#include <hardmap/lazy_mmu.h>
#include <hosted.h>
#include <string.h>

static struct hm_lazy_mmu contexts[PROBE_CONTEXTS];
static hm_pte_t tables[3][HM_PORT_PGTABLE_ENTRIES] __attribute__((aligned(4096)));

void probe_reset(void)
{
	memset(contexts, 0, sizeof(contexts));
	memset(tables, 0, sizeof(tables));
	hm_hosted_reset();
	hm_hosted.has_tlbi_range = true;
	probe_run_on(0);
}

struct probe_counts probe_read(void)
{
	const uint64_t *n = hm_hosted.counts;
	/* The suite never switches and invalidates between two looks: if there was a TLBI, each DSB ISH
	 * ended an invalidation that a DSB ISHST began and an ISB followed. */
	const uint64_t tlbis = n[HM_INSN_TLBI_VMALLE1IS] + n[HM_INSN_TLBI_VAAE1IS] +
			       n[HM_INSN_TLBI_VAALE1IS] + n[HM_INSN_TLBI_RVAAE1IS] +
			       n[HM_INSN_TLBI_RVAALE1IS];
	const uint64_t invalidations = tlbis ? n[HM_INSN_DSB_ISH] : 0;
	const struct probe_counts counts = {
		.publish = (unsigned int)(n[HM_INSN_DSB_ISHST] - invalidations),
		.sync = (unsigned int)(n[HM_INSN_ISB] - invalidations),
		.switched = (unsigned int)(n[HM_INSN_DSB_ISH] - invalidations),
		.order = (unsigned int)n[HM_INSN_DMB_ISHST],
		.stores = (unsigned int)(n[HM_INSN_STR] + n[HM_INSN_CAS]),
		.bugs = hm_hosted.bugs,
	};

	hm_hosted_clear_counts();
	return counts;
}

void probe_run_on(unsigned int context)
{
	hm_hosted_switch_context(&contexts[context]);
}

void probe_interrupt(void (*handler)(void))
{
#if CONTRACT_EXCEPTION_PUSH
	hm_lazy_mmu_exception_t interrupted = hm_lazy_mmu_exception_push();

	handler();
	hm_lazy_mmu_exception_pop(interrupted);
#else
	static struct hm_lazy_mmu hardirq;
	struct hm_lazy_mmu *interrupted = hm_hosted.context;

	hm_hosted_switch_context(&hardirq);
	handler();
	hm_lazy_mmu_assert_idle();
	hm_hosted_switch_context(interrupted);
#endif
}

hm_pte_t *probe_table(unsigned int number)
{
	return tables[number];
}

hm_pte_t probe_kernel_page(unsigned int number)
{
	const hm_pa_t pa = { (uint64_t)number << HM_ARM64_PAGE_SHIFT };

	return hm_arm64_leaf(pa, 0, HM_ARM64_KERNEL_RW);
}

hm_pte_t probe_readonly_page(unsigned int number)
{
	const hm_pa_t pa = { (uint64_t)number << HM_ARM64_PAGE_SHIFT };

	return hm_arm64_leaf(pa, 0, HM_ARM64_KERNEL_RO);
}

hm_pte_t probe_user_page(unsigned int number)
{
	const hm_pa_t pa = { (uint64_t)number << HM_ARM64_PAGE_SHIFT };

	return hm_arm64_leaf(pa, 0, HM_ARM64_USER_RW);
}

hm_pte_t probe_block(unsigned int number)
{
	const hm_pa_t pa = { (uint64_t)number << hm_arm64_level_shift(1) };

	return hm_arm64_leaf(pa, 1, HM_ARM64_KERNEL_RW);
}

hm_pte_t probe_link(unsigned int number)
{
	const hm_pa_t pa = { (uintptr_t)tables[number] };

	return hm_arm64_table(pa);
}

uint64_t probe_page_step(void)
{
	return UINT64_C(1) << HM_ARM64_PAGE_SHIFT;
}

uint64_t probe_page_bytes(void)
{
	return UINT64_C(1) << HM_ARM64_PAGE_SHIFT;
}

void probe_set_root(hm_pte_t *root)
{
	hm_hosted.root = root;
}
