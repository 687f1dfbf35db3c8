// SPDX-License-Identifier: GPL-2.0-only
/* arm64.c -- what the module has to know of its CPUs, and entries that no CPU walks. */
#include <linux/cache.h>
#include <linux/smp.h>

#include "hardmap.h"

bool hm_linux_has_tlbi_range __ro_after_init;
uint64_t hm_linux_ctr __ro_after_init;

static void ask_cpu(void *lacks_ranges)
{
	if (!hm_arm64_cpu_has_tlbi_range())
		atomic_inc(lacks_ranges);
}

void hm_linux_ask_cpus(void)
{
	atomic_t lacks_ranges = ATOMIC_INIT(0);

	on_each_cpu(ask_cpu, &lacks_ranges, 1);
	hm_linux_has_tlbi_range = !atomic_read(&lacks_ranges);
}

hm_pte_t hm_linux_leaf(hm_pa_t pa, unsigned int level, enum hm_permission permission)
{
	return hm_arm64_leaf(pa, level,
			     permission == HM_PERMISSION_RW   ? HM_ARM64_KERNEL_RW
			     : permission == HM_PERMISSION_RO ? HM_ARM64_KERNEL_RO
							      : HM_ARM64_KERNEL_RX);
}
