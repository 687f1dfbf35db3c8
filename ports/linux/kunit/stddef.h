/* SPDX-License-Identifier: GPL-2.0-only */
/* stddef.h -- for the contract suite's bodies, which ask for it by that name. */
#include <linux/stddef.h>
