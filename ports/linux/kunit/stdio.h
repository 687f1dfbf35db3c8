/* SPDX-License-Identifier: GPL-2.0-only */
/* stdio.h -- for the contract suite's bodies, which ask for it by that name: snprintf(). */
#include <linux/sprintf.h>
