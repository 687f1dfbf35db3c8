/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * probe_machine.c -- the contract suite's probe for the adversarial machine, on one CPU and without
 * interleaving: what the suite asks of the library is then judged by the machine too. Tables carry
 * HM_KEY_PGTABLES in the machine's linear map, and whatever it reports counts as a bug.
 */
#include "probe.h"
#include "probe_arm64.h"

enum { ROOT, UPPER, MIDDLE, LINEAR, FIRST_TABLE };

#ifndef CONTRACT_KEY_STYLE
#define CONTRACT_KEY_STYLE HM_KEY_STYLE_NONE
#endif
#define LINEAR_VA UINT64_C(0xffff000000000000)

static struct hm_machine machine;

static hm_pte_t *table(unsigned int page)
{
	return hm_port_pgtable_map(hm_machine_page(page));
}

void probe_arm64_reset(void)
{
	const struct hm_machine_config config = {
		.cpus = 1, .seed = 1, .has_tlbi_range = true, .key_style = CONTRACT_KEY_STYLE
	};
	unsigned int i;

	hm_machine_start(&machine, &config);
	hm_machine_become(0);
	if (config.key_style == HM_KEY_STYLE_WINDOW)
		hm_arm64_poe_enable();
	else if (config.key_style == HM_KEY_STYLE_STORE)
		hm_arm64_gcs_enable();
	hm_kpkeys_cpu_start();
	hm_machine_set_root(ROOT);
	for (i = 0; i < FIRST_TABLE + 3; i++)
		hm_pte_fill(table(LINEAR) + i, 1,
			    hm_arm64_leaf(hm_machine_page(i), 0,
					  (config.key_style == HM_KEY_STYLE_STORE
						   ? HM_ARM64_KERNEL_KEYED
						   : HM_ARM64_KERNEL_RW) |
						  HM_ARM64_KEY(HM_KEY_PGTABLES)),
			    0);
	hm_pte_link(table(MIDDLE), hm_arm64_table(hm_machine_page(LINEAR)));
	hm_pte_link(table(UPPER), hm_arm64_table(hm_machine_page(MIDDLE)));
	/* With 64K pages there is one level less. */
	hm_pte_link(table(ROOT),
		    hm_arm64_table(hm_machine_page(HM_PORT_PGTABLE_LEVELS == 3 ? MIDDLE : UPPER)));
	hm_machine_settle();
	hm_machine_set_linear(LINEAR_VA);
	machine.software_root = NULL;
	machine.threads[0].hardmap.word = 0; /* a context as new */
}

hm_pte_t *probe_arm64_table(unsigned int number)
{
	return table(FIRST_TABLE + number);
}

uint64_t probe_arm64_counted(enum hm_insn_kind kind)
{
	return machine.counts[kind];
}

unsigned int probe_arm64_bugs(void)
{
	unsigned int bugs = machine.bugs + (machine.violation[0] != 0);

	if (machine.violation[0])
		hm_machine_report(stderr);
	machine.bugs = 0;
	machine.violation[0] = 0;
	return bugs;
}

hm_pa_t probe_arm64_pa(const void *object)
{
	const hm_pte_t *entry = object;

	return hm_machine_page((unsigned int)(entry - machine.memory[0]) / HM_MACHINE_ENTRIES);
}

void probe_arm64_become(unsigned int context)
{
	hm_machine_become(context);
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
	if (hm_kpkeys_style() == HM_KEY_STYLE_WINDOW)
		return (hm_machine_register(HM_MACHINE_POR_EL1) >> 4 * key & HM_KEY_WRITE);
	return hm_kpkeys_style() == HM_KEY_STYLE_NONE || key == HM_KEY_DEFAULT;
}

void probe_set_root(hm_pte_t *root)
{
	machine.software_root = root;
}
