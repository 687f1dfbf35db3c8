/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * probe_hosted.c -- the contract suite's probe for the hosted port, with either way to treat
 * exceptions.
 */
#include "probe.h"
#include "probe_arm64.h"
#include <hosted.h>
#include <string.h>

static struct hm_context contexts[PROBE_CONTEXTS];
/* Aligned for every granule. */
static hm_pte_t tables[3][HM_PORT_PGTABLE_ENTRIES] __attribute__((aligned(65536)));

void probe_arm64_reset(void)
{
	memset(contexts, 0, sizeof(contexts));
	memset(tables, 0, sizeof(tables));
	hm_hosted_reset();
	hm_hosted.has_tlbi_range = true;
#ifdef CONTRACT_KEY_STYLE
	hm_hosted.key_style = CONTRACT_KEY_STYLE;
	hm_arm64_poe_enable();
#endif
}

hm_pte_t *probe_arm64_table(unsigned int number)
{
	return tables[number];
}

uint64_t probe_arm64_counted(enum hm_insn_kind kind)
{
	return hm_hosted.counts[kind];
}

unsigned int probe_arm64_bugs(void)
{
	unsigned int bugs = hm_hosted.bugs;

	hm_hosted.bugs = 0;
	return bugs;
}

hm_pa_t probe_arm64_pa(const void *object)
{
	const hm_pa_t pa = { (uintptr_t)object };

	return pa;
}

void probe_arm64_become(unsigned int context)
{
	hm_hosted_switch_context(&contexts[context]);
}

void probe_interrupt(void (*handler)(void))
{
#if CONTRACT_EXCEPTION_PUSH
	hm_context_exception_t interrupted = hm_context_exception_push();

	handler();
	hm_context_exception_pop(interrupted);
#else
	static struct hm_context hardirq;
	struct hm_context *interrupted = hm_hosted.context;

	hm_hosted_switch_context(&hardirq);
	handler();
	hm_context_assert_idle();
	hm_hosted_switch_context(interrupted);
#endif
}

void probe_may_refuse(const hm_pte_t *ptep)
{
	(void)ptep;
}

bool probe_opens(unsigned int key)
{
	if (hm_kpkeys_style() == HM_KEY_STYLE_WINDOW)
		return (hm_hosted.por_el1 >> 4 * key & HM_KEY_WRITE);
	return hm_kpkeys_style() == HM_KEY_STYLE_NONE || key == HM_KEY_DEFAULT;
}

void probe_set_root(hm_pte_t *root)
{
	hm_hosted.root = root;
}

struct probe_direct_map probe_direct_map(void)
{
	const struct probe_direct_map hooks = {
		.bbm_level = &hm_hosted.bbm_level,
		.break_answer = &hm_hosted.break_answer,
		.breaks = &hm_hosted.breaks,
		.mends = &hm_hosted.mends,
		.tables_left = &hm_hosted.tables_left,
		.tables_out = &hm_hosted.tables_out,
	};

	return hooks;
}

hm_pte_t probe_linear_page(uint64_t pa)
{
	const hm_pa_t memory = { pa };

	return hm_arm64_leaf(memory, 0, HM_ARM64_KERNEL_RW);
}
