/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * probe_native.c -- the contract suite's probe for the native port: its tables are the arena's, so that a
 * store without its key ends the program.
 */
#include "probe.h"
#include "probe_arm64.h"
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

void probe_arm64_reset(void)
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
}

hm_pte_t *probe_arm64_table(unsigned int number)
{
	return tables[number];
}

uint64_t probe_arm64_counted(enum hm_insn_kind kind)
{
	return hm_native_cpu.counts[kind];
}

unsigned int probe_arm64_bugs(void)
{
	return (unsigned int)__atomic_exchange_n(&hm_native.bugs, 0, __ATOMIC_RELAXED);
}

hm_pa_t probe_arm64_pa(const void *object)
{
	const hm_pa_t pa = { (uintptr_t)object };

	return pa;
}

void probe_arm64_become(unsigned int context)
{
	running = context;
	hm_native_switch_context(&contexts[context]);
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

void probe_set_root(hm_pte_t *root)
{
	hm_native.root = root;
}
