// SPDX-License-Identifier: GPL-2.0-only
/* contract_lazy_mmu.c -- the contract suite's cases of lazy_mmu.h. */
#include "contract/lazy_mmu.c"

SUITE_KUNIT(hardmap_contract_lazy_mmu);
