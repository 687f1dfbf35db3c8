// SPDX-License-Identifier: GPL-2.0-only
/* x86_64.c -- the module's: entries that no CPU walks. */
#include "hardmap.h"

void hm_linux_ask_cpus(void)
{
}

hm_pte_t hm_linux_leaf(hm_pa_t pa, unsigned int level, enum hm_permission permission)
{
	return hm_x86_64_leaf(pa, level,
			      permission == HM_PERMISSION_RW   ? HM_X86_64_KERNEL_RW
			      : permission == HM_PERMISSION_RO ? HM_X86_64_KERNEL_RO
							       : HM_X86_64_KERNEL_RX);
}

/* No TLB holds anything of private tables. Who lets a guest or a device walk them invalidates by its
 * means. */
void hm_port_x86_64_shootdown(hm_va_t va, uint64_t bytes, enum hm_invalidate what)
{
}
