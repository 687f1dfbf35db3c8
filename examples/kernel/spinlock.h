/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * spinlock.h -- a test-and-set lock; all-zero is unlocked.
 *
 * The acquire and release order every access inside the critical section after
 * the previous holder's and before the next holder's. Not a fair ticket lock:
 * under an emulator the next ticket may be that of a CPU which the host has put
 * to sleep, and then all wait for it.
 *
 * A holder has interrupts masked: a handler that wanted the same lock would
 * spin for ever. spin_lock() and spin_unlock() are for code that has masked
 * them already.
 */
#ifndef KERNEL_SPINLOCK_H
#define KERNEL_SPINLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu.h"

struct spinlock {
	uint32_t held; /* 0 or 1 */
};

static inline bool spin_trylock(struct spinlock *lock)
{
	return __atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE) == 0;
}

static inline void spin_lock(struct spinlock *lock)
{
	while (!spin_trylock(lock)) {
		/* Wait with loads only: they do not take the cache line from the holder. */
		while (__atomic_load_n(&lock->held, __ATOMIC_RELAXED))
			cpu_relax();
	}
}

static inline void spin_unlock(struct spinlock *lock)
{
	__atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}

/* Returns the interrupt masks to give to spin_unlock_irqrestore(). */
static inline uint64_t spin_lock_irqsave(struct spinlock *lock)
{
	uint64_t flags = irq_save();

	spin_lock(lock);
	return flags;
}

static inline void spin_unlock_irqrestore(struct spinlock *lock, uint64_t flags)
{
	spin_unlock(lock);
	irq_restore(flags);
}

#endif /* KERNEL_SPINLOCK_H */
