/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * gic.h -- the GICv2: private timer interrupts and interrupts between CPUs.
 *
 * A handler does: iar = gic_ack(); look at gic_id(iar); make the device drop its
 * request; gic_end(iar). A spurious interrupt needs no gic_end().
 */
#ifndef KERNEL_GIC_H
#define KERNEL_GIC_H

#include <stdint.h>

#define GIC_SGI_COUNT 16 /* interrupt IDs 0 to 15: sent by gic_send_sgi() */
#define GIC_SPURIOUS 1023 /* nothing was pending after all */

/* Once, on the boot CPU. */
void gic_init(void);

/* On every CPU, the boot CPU too, after gic_init(). SGIs are enabled from here on. */
void gic_init_cpu(void);

/* How many CPUs the machine has, as far as a GICv2 can tell: 1 to 8. */
unsigned gic_cpu_count(void);

/* Let this CPU take interrupt `id`, a private one (16 to 31). */
void gic_enable_ppi(unsigned id);

/*
 * Take the pending interrupt: the result is for gic_id() and gic_end(). What the
 * sender of an SGI stored before gic_send_sgi() is visible afterwards.
 */
uint32_t gic_ack(void);

/* The interrupt ID in what gic_ack() returned; GIC_SPURIOUS if there was none. */
static inline unsigned gic_id(uint32_t iar)
{
	return iar & 0x3ff;
}

/* The interrupt is handled: this CPU may take the next one. */
void gic_end(uint32_t iar);

/*
 * Interrupt `cpu`, which may be the caller's, with SGI `id` (0 to 15). What the
 * caller stored before is visible to the handler after gic_ack().
 */
void gic_send_sgi(unsigned cpu, unsigned id);

#endif /* KERNEL_GIC_H */
