/* SPDX-License-Identifier: GPL-2.0-only */
/* string.h -- for the contract suite's bodies, which ask for it by that name. */
#include <linux/string.h>
