/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * contract.c -- another main: the contract suite over this kernel's own port, with the real
 * instructions executed at EL1 and counted. Its contexts are threads that never run; the CPU just
 * says that it is in one of them.
 */
#include <hardmap/pgtable.h>

#include "cpu.h"
#include "insn_count.h"
#include "probe.h"
#include "probe_arm64.h"
#include "semihost.h"
#include "string.h"
#include "suite.h"
#include "thread.h"
#include "uart.h"

static struct thread contexts[PROBE_CONTEXTS];
static MMU_LOCKED _Alignas(PAGE_SIZE) hm_pte_t tables[3][HM_PORT_PGTABLE_ENTRIES];
static unsigned int bugs;

void kernel_bug(const char *message)
{
	(void)message;
	bugs++;
}

void probe_arm64_reset(void)
{
	const hm_pte_t none = { 0 };
	unsigned int i;

	memset(contexts, 0, sizeof(contexts));
	for (i = 0; i < PROBE_CONTEXTS; i++)
		contexts[i].name = "of the suite";
	for (i = 0; i < 3; i++)
		hm_pte_fill(tables[i], HM_PORT_PGTABLE_ENTRIES, none, 0);
	probe_set_root(NULL);
}

hm_pte_t *probe_arm64_table(unsigned int number)
{
	return tables[number];
}

uint64_t probe_arm64_counted(enum hm_insn_kind kind)
{
	return insn_counted(kind);
}

unsigned int probe_arm64_bugs(void)
{
	unsigned int n = bugs;

	bugs = 0;
	return n;
}

hm_pa_t probe_arm64_pa(const void *object)
{
	const hm_pa_t pa = { (uintptr_t)object - LINEAR_BASE };

	return pa;
}

/* Not inlined, nor the code that runs next with it: thread_current() may be read once in a function. */
__attribute__((noinline)) void probe_arm64_become(unsigned int context)
{
	sysreg_write(tpidr_el1, (uintptr_t)&contexts[context]);
}

void probe_interrupt(void (*handler)(void))
{
	hm_context_exception_t interrupted = hm_context_exception_push();

	handler();
	hm_context_exception_pop(interrupted);
}

void probe_may_refuse(const hm_pte_t *ptep)
{
	thread_current()->try_address = (uintptr_t)ptep;
}

bool probe_opens(unsigned int key)
{
	if (hm_kpkeys_style() == HM_KEY_STYLE_WINDOW)
		return (hm_insn_mrs_por_el1() >> 4 * key & HM_KEY_WRITE);
	return hm_kpkeys_style() == HM_KEY_STYLE_NONE || key == HM_KEY_DEFAULT;
}

void probe_set_root(hm_pte_t *root)
{
	mmu_root = root;
}

_Noreturn void kernel_main(void);
_Noreturn void kernel_main(void)
{
	/* Each CASE registers itself in a constructor. */
	extern void (*const __init_array_start[])(void), (*const __init_array_end[])(void);
	void (*const *constructor)(void);
	unsigned int failed;

	uart_init();
	mmu_init_cpu();
	for (constructor = __init_array_start; constructor != __init_array_end; constructor++)
		(*constructor)();
	failed = suite_run(console_printf);
	machine_exit(failed ? 1 : 0);
}

/* One CPU is enough. */
_Noreturn void secondary_main(unsigned int cpu);
_Noreturn void secondary_main(unsigned int cpu)
{
	panic("CPU %u was not started", cpu);
}
