/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * pmu.h -- how many instructions the CPU has retired. Event 8, INST_RETIRED, in counter 0 (Arm ARM D13.12.2,
 * D24.5): at EL1, 32 bits of it.
 */
#ifndef BENCH_PMU_H
#define BENCH_PMU_H
#include <stdint.h>

static inline void start_counting(void)
{
	const uint64_t event = 8, enable = 1;

	__asm__ volatile("msr pmevtyper0_el0, %0\n\t"
			 "msr pmcntenset_el0, %1\n\t"
			 "msr pmcr_el0, %1\n\t"
			 "isb"
			 :
			 : "r"(event), "r"(enable));
}

static inline uint32_t counted(void)
{
	uint64_t count;

	__asm__ volatile("isb\n\t"
			 "mrs %0, pmevcntr0_el0"
			 : "=r"(count)
			 :
			 : "memory");
	return (uint32_t)count;
}

/* What a fault adds, for the reader to notice: a few instructions each time. */
static inline void waste(uint64_t times)
{
	while (times--)
		__asm__ volatile("");
}
#endif
