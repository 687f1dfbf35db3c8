/* SPDX-License-Identifier: GPL-2.0-only */
/* limits.h -- for the contract suite's bodies, which ask for it by that name. */
#include <linux/limits.h>
