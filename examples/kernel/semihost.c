/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* semihost.c -- one semihosting call: SYS_EXIT_EXTENDED. */
#include "semihost.h"

#include <stdbool.h>
#include <stdint.h>

#include "cpu.h"
#include "layout.h"
#include "psci.h"

#define SYS_EXIT_EXTENDED 0x20
#define ADP_STOPPED_APPLICATION_EXIT 0x20026

static bool exiting[MAX_CPUS]; /* each CPU its own entry */

_Noreturn void machine_exit(int status)
{
	uint64_t block[2] = { ADP_STOPPED_APPLICATION_EXIT, (uint64_t)status };
	bool again;

	irq_save();
	again = exiting[cpu_id()];
	exiting[cpu_id()] = true;

	/*
	 * Without semihosting HLT is an undefined instruction, and its exception ends
	 * in a panic and here again: then switch off without a status.
	 */
	if (!again) {
		register uint64_t x0 __asm__("x0") = SYS_EXIT_EXTENDED;
		register uint64_t *x1 __asm__("x1") = block;

		/* The host reads block[]: "memory" has the compiler store it before. */
		__asm__ volatile("hlt #0xf000" : "+r"(x0) : "r"(x1) : "memory");
	}
	psci_system_off();
}
