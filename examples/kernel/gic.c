/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* gic.c -- the GICv2 of QEMU's virt machine. Register names are the GIC specification's. */
#include "gic.h"

#include "mmio.h"

#define GICD 0x08000000 /* the distributor, one for all */
#define GICD_CTLR (GICD + 0x000)
#define GICD_TYPER (GICD + 0x004)
#define GICD_ISENABLER0 (GICD + 0x100) /* IDs 0 to 31: each CPU has its own copy */
#define GICD_IPRIORITYR(id) (GICD + 0x400 + (id)) /* four IDs in each register */
#define GICD_SGIR (GICD + 0xf00)

#define GICC 0x08010000 /* the CPU interface: each CPU sees its own here */
#define GICC_CTLR (GICC + 0x000)
#define GICC_PMR (GICC + 0x004)
#define GICC_IAR (GICC + 0x00c)
#define GICC_EOIR (GICC + 0x010)

#define CTLR_ENABLE 1
#define PRIORITY_LOWEST 0xff /* as a mask: lets every better priority through */
#define PRIORITY_USED 0xa0a0a0a0 /* the same for all interrupts: none preempts another */
#define PRIVATE_IDS 32
#define SGI_IDS 0xffff /* in GICD_ISENABLER0 */

void gic_init(void)
{
	mmio_write(GICD_CTLR, CTLR_ENABLE);
}

void gic_init_cpu(void)
{
	for (unsigned id = 0; id < PRIVATE_IDS; id += 4)
		mmio_write(GICD_IPRIORITYR(id), PRIORITY_USED);
	mmio_write(GICD_ISENABLER0, SGI_IDS);
	mmio_write(GICC_PMR, PRIORITY_LOWEST);
	mmio_write(GICC_CTLR, CTLR_ENABLE);
}

unsigned gic_cpu_count(void)
{
	return (mmio_read(GICD_TYPER) >> 5 & 7) + 1;
}

void gic_enable_ppi(unsigned id)
{
	mmio_write(GICD_ISENABLER0, 1u << id); /* zeroes change nothing */
}

uint32_t gic_ack(void)
{
	uint32_t iar = mmio_read(GICC_IAR);

	/*
	 * Orders the read that took the interrupt before this CPU's reads of what the
	 * sender stored: the other half of the barrier in gic_send_sgi().
	 */
	__asm__ volatile("dmb sy" : : : "memory");
	return iar;
}

void gic_end(uint32_t iar)
{
	/* Orders the handler's accesses before the end of the interrupt, seen by the GIC. */
	__asm__ volatile("dsb sy" : : : "memory");
	mmio_write(GICC_EOIR, iar);
}

void gic_send_sgi(unsigned cpu, unsigned id)
{
	/*
	 * Completes this CPU's stores to memory, as seen by the receiving CPU, before
	 * the write that makes the GIC interrupt it.
	 */
	__asm__ volatile("dsb ishst" : : : "memory");
	mmio_write(GICD_SGIR, 1u << (16 + cpu) | id);
}
