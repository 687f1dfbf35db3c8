/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * probe_native.c -- the contract suite's probe for the native port: its tables are the arena's, so that a
 * store without its key ends the program.
 */
#include "probe.h"
#include <hardmap/kpkeys.h>
#include <native.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLES 3

static hm_pte_t *tables[TABLES];
static hm_pte_t *scratch; /* for stores that only ask whether they are permitted */
static struct hm_context contexts[PROBE_CONTEXTS];
static unsigned int running;
static struct {
	bool out; /* was switched out, and not in again */
	hm_context_switch_t token;
} away[PROBE_CONTEXTS];

void probe_reset(void)
{
	unsigned int i;

	if (!hm_native_start(HM_NATIVE_ANY)) {
		fprintf(stderr, "this host cannot do what HM_NATIVE asks for\n");
		exit(1);
	}
	for (i = 0; i < TABLES; i++)
		tables[i] = hm_native_table("table of the probe");
	scratch = hm_native_table("table of probe_opens()");
	memset(contexts, 0, sizeof(contexts));
	memset(away, 0, sizeof(away));
	running = 0;
	hm_native_switch_context(&contexts[0]);
	hm_kpkeys_cpu_start();
	probe_read();
}

/* Since the last read. */
static unsigned int counted(enum hm_insn_kind kind)
{
	return (unsigned int)__atomic_exchange_n(&hm_native_cpu.counts[kind], 0, __ATOMIC_RELAXED);
}

struct probe_counts probe_read(void)
{
	const unsigned int tlbis = counted(HM_INSN_TLBI_VMALLE1IS) + counted(HM_INSN_TLBI_VAAE1IS) +
				   counted(HM_INSN_TLBI_VAALE1IS) + counted(HM_INSN_TLBI_RVAAE1IS) +
				   counted(HM_INSN_TLBI_RVAALE1IS);
	const unsigned int dsb_ish = counted(HM_INSN_DSB_ISH);
	/* As in probe_arm64.c: if there was a TLBI, each DSB ISH ended an invalidation. */
	const unsigned int invalidations = tlbis ? dsb_ish : 0;
	const struct probe_counts counts = {
		.publish = counted(HM_INSN_DSB_ISHST) - invalidations,
		.sync = counted(HM_INSN_ISB) - invalidations,
		.switched = dsb_ish - invalidations,
		.order = counted(HM_INSN_DMB_ISHST),
		.stores = counted(HM_INSN_STR) + counted(HM_INSN_CAS),
		.key_writes = counted(HM_INSN_MSR_POR_EL1),
		.bugs = __atomic_exchange_n(&hm_native.bugs, 0, __ATOMIC_RELAXED),
	};

	return counts;
}

void probe_run_on(unsigned int context)
{
	uint64_t before[HM_INSN_KINDS];

	if (context == running)
		return;
	memcpy(before, hm_native_cpu.counts, sizeof(before));
	away[running].token = hm_context_switch_out();
	away[running].out = true;
	running = context;
	hm_native_switch_context(&contexts[context]);
	if (away[context].out)
		hm_context_switch_in(away[context].token);
	away[context].out = false;
	memcpy(hm_native_cpu.counts, before, sizeof(before));
}

void probe_interrupt(void (*handler)(void))
{
	hm_context_exception_t interrupted = hm_context_exception_push();

	handler();
	hm_context_exception_pop(interrupted);
}

static void store(void *argument)
{
	*(volatile uint64_t *)argument = 1;
}

/* Of page tables the store itself says it, and the register has to say the same; others are only in the
 * register. The fault that it may take is an exception of nobody's: all is as it was afterwards. */
bool probe_opens(unsigned int key)
{
	static struct hm_context nobody;
	const uint64_t value = hm_native_cpu.key_register;
	const bool opens = value >> 4 * key & HM_KEY_WRITE;
	uint64_t before[HM_INSN_KINDS];
	struct hm_native_fault fault;
	bool faulted;

	if (key != HM_KEY_PGTABLES || hm_native.way == HM_NATIVE_NOTHING)
		return opens;
	memcpy(before, hm_native_cpu.counts, sizeof(before));
	hm_native_switch_context(&nobody);
	faulted = hm_native_expect_fault(store, scratch, &fault);
	hm_native_switch_context(&contexts[running]);
	hm_native_write_register(value);
	memcpy(hm_native_cpu.counts, before, sizeof(before));
	if (faulted == opens || (faulted && fault.why != HM_KPKEYS_FAULT_KEY))
		hm_native_bug("the host does not do what the key register says");
	return !faulted;
}

hm_pte_t *probe_table(unsigned int number)
{
	return tables[number];
}

static hm_pte_t page(unsigned int number, unsigned int level, uint64_t attributes)
{
	const hm_pa_t pa = { (uint64_t)number << hm_arm64_level_shift(level) };

	return hm_arm64_leaf(pa, level, attributes);
}

hm_pte_t probe_kernel_page(unsigned int number)
{
	return page(number, 0, HM_ARM64_KERNEL_RW);
}

hm_pte_t probe_readonly_page(unsigned int number)
{
	return page(number, 0, HM_ARM64_KERNEL_RO);
}

hm_pte_t probe_user_page(unsigned int number)
{
	return page(number, 0, HM_ARM64_USER_RW);
}

hm_pte_t probe_block(unsigned int number)
{
	return page(number, 1, HM_ARM64_KERNEL_RW);
}

hm_pte_t probe_link(unsigned int number)
{
	const hm_pa_t pa = { (uintptr_t)tables[number] };

	return hm_arm64_table(pa);
}

uint64_t probe_page_step(void)
{
	return UINT64_C(1) << HM_PORT_ARM64_PAGE_SHIFT;
}

uint64_t probe_page_bytes(void)
{
	return UINT64_C(1) << HM_PORT_ARM64_PAGE_SHIFT;
}

hm_va_t probe_va(uint64_t offset)
{
	const hm_va_t va = { UINT64_C(0xffff000000000000) + offset };

	return va;
}

void probe_set_root(hm_pte_t *root)
{
	hm_native.root = root;
}
