/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* psci.h -- the firmware's power control: start a CPU, switch the machine off. */
#ifndef KERNEL_PSCI_H
#define KERNEL_PSCI_H

#include <stdint.h>

#define PSCI_SUCCESS 0

/*
 * Start CPU `cpu` (1 to MAX_CPUS - 1), which then calls secondary_main(cpu). It
 * sees all that the caller stored before. Returns PSCI_SUCCESS or PSCI's error,
 * a negative number.
 */
int32_t psci_cpu_on(unsigned cpu);

_Noreturn void psci_system_off(void);

#endif /* KERNEL_PSCI_H */
