/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * probe_x86_64.c -- the contract suite's probe for tests/contract/x86_64.
 */
#include "probe.h"
#include <string.h>

static struct hm_context contexts[PROBE_CONTEXTS];
static unsigned int running;
static struct {
	bool out; /* was switched out, and not in again */
	hm_context_switch_t token;
} away[PROBE_CONTEXTS];
/* Three are used. */
static hm_pte_t tables[3][HM_PORT_PGTABLE_ENTRIES] __attribute__((aligned(4096)));

void probe_reset(void)
{
	memset(contexts, 0, sizeof(contexts));
	memset(tables, 0, sizeof(tables));
	memset(away, 0, sizeof(away));
	x86_reset();
	running = 0;
	x86.context = &contexts[0];
#ifdef CONTRACT_KEY_STYLE
	x86.key_style = CONTRACT_KEY_STYLE;
	x86.pkrs = UINT32_MAX; /* unknown at reset */
	hm_x86_64_pks_enable();
#endif
	hm_kpkeys_cpu_start();
	probe_read();
}

struct probe_counts probe_read(void)
{
	const struct probe_counts counts = {
		.publish = x86.publish,
		.sync = x86.sync,
		.switched = x86.switched,
		.order = x86.order,
		.stores = (unsigned int)(x86.counts[HM_INSN_STORE] + x86.counts[HM_INSN_CMPXCHG]),
		.key_writes = (unsigned int)x86.counts[HM_INSN_WRMSR],
		.bugs = x86.bugs,
	};

	x86_clear();
	return counts;
}

void probe_run_on(unsigned int context)
{
	const struct x86 before = x86;
	uint64_t pkrs;

	if (context == running)
		return;
	away[running].token = hm_context_switch_out();
	away[running].out = true;
	running = context;
	x86.context = &contexts[context];
	if (away[context].out)
		hm_context_switch_in(away[context].token);
	away[context].out = false;
	pkrs = x86.pkrs;
	x86 = before;
	x86.context = &contexts[context];
	x86.pkrs = pkrs;
}

void probe_may_refuse(const hm_pte_t *ptep)
{
	(void)ptep;
}

bool probe_opens(unsigned int key)
{
	if (hm_kpkeys_style() == HM_KEY_STYLE_WINDOW)
		return !(x86.pkrs >> 2 * key & 3);
	return true;
}

void probe_interrupt(void (*handler)(void))
{
	hm_context_exception_t interrupted = hm_context_exception_push();

	handler();
	hm_context_exception_pop(interrupted);
}

hm_pte_t *probe_table(unsigned int number)
{
	return tables[number];
}

static hm_pte_t leaf(uint64_t address, unsigned int level, uint64_t attributes)
{
	const hm_pa_t pa = { address };

	return hm_x86_64_leaf(pa, level, attributes);
}

hm_pte_t probe_kernel_page(unsigned int number)
{
	return leaf((uint64_t)number << 12, 0, HM_X86_64_KERNEL_RW);
}

hm_pte_t probe_readonly_page(unsigned int number)
{
	return leaf((uint64_t)number << 12, 0, HM_X86_64_KERNEL_RO);
}

hm_pte_t probe_user_page(unsigned int number)
{
	return leaf((uint64_t)number << 12, 0, HM_X86_64_USER_RW);
}

hm_pte_t probe_block(unsigned int number)
{
	return leaf((uint64_t)number << 21, 1, HM_X86_64_KERNEL_RW);
}

hm_pte_t probe_link(unsigned int number)
{
	const hm_pa_t pa = { X86_PA(tables[number]) };

	return hm_x86_64_table(pa);
}

uint64_t probe_page_step(void)
{
	return 4096;
}

uint64_t probe_page_bytes(void)
{
	return 4096;
}

/* Above all that the top-level table translates: nobody asks whether it is canonical. */
hm_va_t probe_va(uint64_t offset)
{
	const hm_va_t va = { (~UINT64_C(0) << hm_x86_64_level_shift(HM_PORT_PGTABLE_LEVELS)) +
			     offset };

	return va;
}

void probe_set_root(hm_pte_t *root)
{
	x86.root = root;
}

struct probe_direct_map probe_direct_map(void)
{
	const struct probe_direct_map hooks = {
		.bbm_level = &x86.bbm_level,
		.break_answer = &x86.break_answer,
		.breaks = &x86.breaks,
		.mends = &x86.mends,
		.tables_left = &x86.tables_left,
		.tables_out = &x86.tables_out,
	};

	return hooks;
}

hm_pte_t probe_linear_page(uint64_t pa)
{
	return leaf(pa, 0, HM_X86_64_KERNEL_RW);
}
