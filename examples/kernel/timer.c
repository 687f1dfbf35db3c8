/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * timer.c -- the EL1 virtual timer: CNTV. Each tick is one interval after the
 * last was handled; a tick that came late is not made up for.
 */
#include "timer.h"

#include "cpu.h"
#include "gic.h"
#include "layout.h"

#define CNTV_CTL_ENABLE 1 /* and IMASK (bit 1) clear */

static uint64_t interval[MAX_CPUS]; /* in counts of CNTVCT_EL0; each CPU its own entry */

void timer_start(unsigned hz)
{
	interval[cpu_id()] = sysreg_read(cntfrq_el0) / hz;
	timer_rearm();
	sysreg_write(cntv_ctl_el0, CNTV_CTL_ENABLE);
	gic_enable_ppi(TIMER_IRQ);
}

void timer_rearm(void)
{
	sysreg_write(cntv_tval_el0, interval[cpu_id()]);
	/* The timer has dropped its request before what follows, the end of the interrupt. */
	isb();
}
