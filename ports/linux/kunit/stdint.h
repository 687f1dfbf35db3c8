/* SPDX-License-Identifier: GPL-2.0-only */
/* stdint.h -- for the contract suite's bodies, which ask for it by that name. */
#ifndef HM_LINUX_SUITE_STDINT_H
#define HM_LINUX_SUITE_STDINT_H
#include <linux/types.h>

#define UINT32_C(number) number##U
#endif
