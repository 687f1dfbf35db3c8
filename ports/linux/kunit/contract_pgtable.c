// SPDX-License-Identifier: GPL-2.0-only
/* contract_pgtable.c -- the contract suite's cases of pgtable.h. */
#include "contract/pgtable.c"

SUITE_KUNIT(hardmap_contract_pgtable);
