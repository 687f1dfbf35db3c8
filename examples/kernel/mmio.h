/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * mmio.h -- 32-bit device registers, by physical address, through the linear map.
 *
 * In assembler, not through a volatile pointer: a compiler may then choose a
 * load or store with writeback, whose trap a hypervisor cannot emulate from
 * the syndrome alone.
 *
 * The map is Device-nGnRnE: the accesses of one CPU to one device stay in
 * program order. Nothing here orders them with accesses to Normal memory;
 * a caller that needs it says so with a barrier.
 */
#ifndef KERNEL_MMIO_H
#define KERNEL_MMIO_H

#include <stdint.h>

#include "layout.h"

static inline uint32_t mmio_read(uint64_t pa)
{
	uint32_t value;

	__asm__ volatile("ldr %w0, [%1]" : "=r"(value) : "r"(pa + LINEAR_BASE) : "memory");
	return value;
}

static inline void mmio_write(uint64_t pa, uint32_t value)
{
	__asm__ volatile("str %w0, [%1]" : : "rZ"(value), "r"(pa + LINEAR_BASE) : "memory");
}

#endif /* KERNEL_MMIO_H */
