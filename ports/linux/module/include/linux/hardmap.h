/* SPDX-License-Identifier: GPL-2.0-only */
/* hardmap.h -- hooks.h by the name that it has in a kernel's tree, for kernels without it. */
#include "../../../hooks.h"
