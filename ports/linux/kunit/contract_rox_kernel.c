// SPDX-License-Identifier: GPL-2.0-only
/* contract_rox_kernel.c -- the kernel beneath the caches of contract_rox_cache.c. */
#include "contract/rox_kernel.c"
