// SPDX-License-Identifier: GPL-2.0-only
/* contract_pool_kernel.c -- the kernel beneath the pools of contract_pgtable_pool.c. */
#include "contract/pool_kernel.c"
