/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * probe_machine.c -- the contract suite's probe for the adversarial machine, on one CPU and without
 * interleaving: what the suite asks of the library is then judged by the machine too. Tables carry
 * HM_KEY_PGTABLES in the machine's linear map, and whatever it reports counts as a bug.
 */
#include "probe.h"
#include <string.h>

enum { ROOT, UPPER, MIDDLE, LINEAR, FIRST_TABLE };

#ifndef CONTRACT_KEY_STYLE
#define CONTRACT_KEY_STYLE HM_KEY_STYLE_NONE
#endif
#define LINEAR_VA UINT64_C(0xffff000000000000)

static struct hm_machine machine;
static uint64_t counted_before[HM_INSN_KINDS];
static unsigned int running;
static struct {
	bool out; /* was switched out, and not in again */
	hm_context_switch_t token;
} away[PROBE_CONTEXTS];

static hm_pte_t *table(unsigned int page)
{
	return hm_port_pgtable_map(hm_machine_page(page));
}

static hm_pte_t leaf(unsigned int number, uint64_t attributes)
{
	const hm_pa_t pa = { (uint64_t)number * HM_MACHINE_PAGE_BYTES };

	return hm_arm64_leaf(pa, 0, attributes);
}

void probe_reset(void)
{
	const struct hm_machine_config config = {
		.cpus = 1, .seed = 1, .has_tlbi_range = true, .key_style = CONTRACT_KEY_STYLE
	};
	unsigned int i;

	hm_machine_start(&machine, &config);
	hm_machine_become(running = 0);
	memset(away, 0, sizeof(away));
	if (config.key_style == HM_KEY_STYLE_WINDOW)
		hm_arm64_poe_enable();
	hm_kpkeys_cpu_start();
	hm_machine_set_root(ROOT);
	for (i = 0; i < FIRST_TABLE + 3; i++)
		hm_pte_fill(table(LINEAR) + i, 1,
			    hm_arm64_leaf(hm_machine_page(i), 0,
					  HM_ARM64_KERNEL_RW | HM_ARM64_KEY(HM_KEY_PGTABLES)),
			    0);
	hm_pte_link(table(MIDDLE), hm_arm64_table(hm_machine_page(LINEAR)));
	hm_pte_link(table(UPPER), hm_arm64_table(hm_machine_page(MIDDLE)));
	hm_pte_link(table(ROOT), hm_arm64_table(hm_machine_page(UPPER)));
	hm_machine_settle();
	hm_machine_set_linear(LINEAR_VA);
	machine.software_root = NULL;
	machine.threads[0].hardmap.word = 0; /* a context as new */
	probe_read();
}

/* Executed since the last read. */
static unsigned int counted(enum hm_insn_kind kind)
{
	unsigned int n = (unsigned int)(machine.counts[kind] - counted_before[kind]);

	counted_before[kind] = machine.counts[kind];
	return n;
}

struct probe_counts probe_read(void)
{
	const unsigned int tlbis = counted(HM_INSN_TLBI_VMALLE1IS) + counted(HM_INSN_TLBI_VAAE1IS) +
				   counted(HM_INSN_TLBI_VAALE1IS) + counted(HM_INSN_TLBI_RVAAE1IS) +
				   counted(HM_INSN_TLBI_RVAALE1IS);
	const unsigned int dsb_ish = counted(HM_INSN_DSB_ISH);
	/* As in probe_arm64.c: each DSB ISH beside a TLBI ended an invalidation. */
	const unsigned int invalidations = tlbis ? dsb_ish : 0;
	const struct probe_counts counts = {
		.publish = counted(HM_INSN_DSB_ISHST) - invalidations,
		.sync = counted(HM_INSN_ISB) - invalidations,
		.switched = dsb_ish - invalidations,
		.order = counted(HM_INSN_DMB_ISHST),
		.stores = counted(HM_INSN_STR) + counted(HM_INSN_CAS),
		.key_writes = counted(HM_INSN_MSR_POR_EL1),
		.bugs = machine.bugs + (machine.violation[0] != 0),
	};

	if (machine.violation[0])
		hm_machine_report(stderr);
	machine.bugs = 0;
	machine.violation[0] = 0;
	return counts;
}

void probe_run_on(unsigned int context)
{
	uint64_t before[HM_INSN_KINDS];
	unsigned int kind;

	if (context == running)
		return;
	memcpy(before, machine.counts, sizeof(before));
	away[running].token = hm_context_switch_out();
	away[running].out = true;
	hm_machine_become(running = context);
	if (away[context].out)
		hm_context_switch_in(away[context].token);
	away[context].out = false;
	for (kind = 0; kind < HM_INSN_KINDS; kind++)
		counted_before[kind] += machine.counts[kind] - before[kind];
}

void probe_interrupt(void (*handler)(void))
{
	hm_context_exception_t interrupted;

	hm_machine_fault();
	interrupted = hm_context_exception_push();
	handler();
	hm_context_exception_pop(interrupted);
	hm_machine_fault_return();
}

bool probe_opens(unsigned int key)
{
	return hm_kpkeys_style() != HM_KEY_STYLE_WINDOW ||
	       (hm_machine_register(HM_MACHINE_POR_EL1) >> 4 * key & HM_KEY_WRITE);
}

hm_pte_t *probe_table(unsigned int number)
{
	return table(FIRST_TABLE + number);
}

hm_pte_t probe_kernel_page(unsigned int number)
{
	return leaf(number, HM_ARM64_KERNEL_RW);
}

hm_pte_t probe_readonly_page(unsigned int number)
{
	return leaf(number, HM_ARM64_KERNEL_RO);
}

hm_pte_t probe_user_page(unsigned int number)
{
	return leaf(number, HM_ARM64_USER_RW);
}

hm_pte_t probe_block(unsigned int number)
{
	const hm_pa_t pa = { (uint64_t)number << hm_arm64_level_shift(1) };

	return hm_arm64_leaf(pa, 1, HM_ARM64_KERNEL_RW);
}

hm_pte_t probe_link(unsigned int number)
{
	return hm_arm64_table(hm_machine_page(FIRST_TABLE + number));
}

uint64_t probe_page_step(void)
{
	return HM_MACHINE_PAGE_BYTES;
}

uint64_t probe_page_bytes(void)
{
	return HM_MACHINE_PAGE_BYTES;
}

hm_va_t probe_va(uint64_t offset)
{
	const hm_va_t va = { UINT64_C(0xffff000000000000) + offset };

	return va;
}

void probe_set_root(hm_pte_t *root)
{
	machine.software_root = root;
}
