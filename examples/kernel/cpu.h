/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* cpu.h -- this CPU: its system registers, its number, its interrupt masks. */
#ifndef KERNEL_CPU_H
#define KERNEL_CPU_H

#include <stdbool.h>
#include <stdint.h>

#define sysreg_read(name)                                          \
	({                                                         \
		uint64_t value_;                                   \
		__asm__ volatile("mrs %0, " #name : "=r"(value_)); \
		value_;                                            \
	})

/* The effect on later instructions may need an isb(). */
#define sysreg_write(name, value) __asm__ volatile("msr " #name ", %0" : : "r"((uint64_t)(value)))

/* Context synchronization: later instructions see the system register writes before it. */
static inline void isb(void)
{
	__asm__ volatile("isb" : : : "memory");
}

/*
 * The number of the CPU this runs on: 0 is the boot CPU. It comes from MPIDR_EL1
 * (Aff0 numbers the CPUs of this machine), not from the current thread: so it is
 * right in every context, also before there is a thread. The read is volatile:
 * a thread that migrates has to see the change. For the same reason the answer
 * may be stale at once, unless interrupts are masked.
 */
static inline unsigned cpu_id(void)
{
	return sysreg_read(mpidr_el1) & 0xff;
}

/*
 * Interrupt masks, as DAIF holds them. 0: nothing is masked. Writes of DAIF take
 * effect in program order, without a barrier; the "memory" clobbers keep the
 * compiler from moving accesses out of the masked region.
 */
static inline uint64_t irq_save(void)
{
	uint64_t flags = sysreg_read(daif);

	__asm__ volatile("msr daifset, #2" : : : "memory");
	return flags;
}

static inline void irq_restore(uint64_t flags)
{
	__asm__ volatile("msr daif, %0" : : "r"(flags) : "memory");
}

static inline bool irq_masked(void)
{
	return sysreg_read(daif) & 0x80;
}

/* A hint that this CPU is in a loop that waits for another CPU. */
static inline void cpu_relax(void)
{
	__asm__ volatile("yield" : : : "memory");
}

/* Sleep until an interrupt is pending, masked or not. */
static inline void cpu_wait_for_interrupt(void)
{
	__asm__ volatile("wfi" : : : "memory");
}

#endif /* KERNEL_CPU_H */
