/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* semihost.h -- end the machine with a status that the host can see. */
#ifndef KERNEL_SEMIHOST_H
#define KERNEL_SEMIHOST_H

/*
 * End the machine, on all CPUs. The emulator's exit status is the low 8 bits of
 * `status`; without semihosting it is 0 (PSCI SYSTEM_OFF has none). Any context.
 */
_Noreturn void machine_exit(int status);

#endif /* KERNEL_SEMIHOST_H */
