/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * insn.h -- counted, and what hardware may refuse of them is refused without that the kernel dies: for
 * contract_attack.c, which sees to it that the library tries. Stores come back by the exception table. An
 * instruction of keys other than this CPU's is not executed, as the kernel survives no such trap.
 */
#ifndef HM_LINUX_REFUSED_INSN_H
#define HM_LINUX_REFUSED_INSN_H
#include <linux/uaccess.h>

#include "../../../ports/arm64/counted/arm64/insn.h"

static inline void hm_linux_suite_str(uint64_t *address, uint64_t value)
{
	const bool window = hm_linux_key_style == HM_KEY_STYLE_WINDOW;
	const uint64_t keys = window ? hm_insn_mrs_por_el1() : 0;

	hm_insn_count(HM_INSN_STR);
	__put_kernel_nofault(address, &value, uint64_t, refused);
	return;

refused:
	/* The handler ran at the task's level, and left that. */
	if (window) {
		hm_insn_msr_por_el1_(keys);
		hm_insn_isb_();
	}
	hm_linux_suite_refused(address);
}
#define hm_insn_str hm_linux_suite_str

static inline void hm_linux_suite_gcsstr(uint64_t *address, uint64_t value)
{
	if (hm_linux_key_style == HM_KEY_STYLE_STORE)
		hm_insn_gcsstr(address, value);
	else
		hm_linux_suite_refused(NULL);
}
#define hm_insn_gcsstr hm_linux_suite_gcsstr

static inline uint64_t hm_linux_suite_mrs_por_el1(void)
{
	if (hm_linux_key_style == HM_KEY_STYLE_WINDOW)
		return hm_insn_mrs_por_el1();
	hm_linux_suite_refused(NULL);
	return 0;
}
#define hm_insn_mrs_por_el1 hm_linux_suite_mrs_por_el1

static inline void hm_linux_suite_msr_por_el1(uint64_t value)
{
	if (hm_linux_key_style == HM_KEY_STYLE_WINDOW)
		hm_insn_msr_por_el1(value);
	else
		hm_linux_suite_refused(NULL);
}
#define hm_insn_msr_por_el1 hm_linux_suite_msr_por_el1
#endif
