/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* psci.c -- PSCI calls, by HVC: the conduit of QEMU's virt machine without EL2 and EL3. */
#include "psci.h"

#include "cpu.h"
#include "layout.h"

#define PSCI_SYSTEM_OFF 0x84000008
#define PSCI_CPU_ON_64 0xc4000003

void _start_secondary(void); /* boot.S; called by the firmware only */

/* An SMC Calling Convention call: may change x0 to x17. */
static uint64_t psci_call(uint64_t function, uint64_t arg1, uint64_t arg2, uint64_t arg3)
{
	register uint64_t x0 __asm__("x0") = function;
	register uint64_t x1 __asm__("x1") = arg1;
	register uint64_t x2 __asm__("x2") = arg2;
	register uint64_t x3 __asm__("x3") = arg3;

	__asm__ volatile("hvc #0"
			 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
			 :
			 : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14",
			   "x15", "x16", "x17", "memory");
	return x0;
}

int32_t psci_cpu_on(unsigned cpu)
{
	uint64_t mpidr = cpu; /* see cpu_id() */
	uint64_t entry = (uint64_t)_start_secondary - LINEAR_BASE;

	/*
	 * Completes this CPU's stores, also those to the page tables, as seen by the
	 * new CPU and its table walker, before the firmware starts it.
	 */
	__asm__ volatile("dsb ish" : : : "memory");
	return (int32_t)psci_call(PSCI_CPU_ON_64, mpidr, entry, cpu);
}

_Noreturn void psci_system_off(void)
{
	psci_call(PSCI_SYSTEM_OFF, 0, 0, 0);
	for (;;)
		cpu_wait_for_interrupt();
}
