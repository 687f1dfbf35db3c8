// SPDX-License-Identifier: GPL-2.0-only
/* contract_kpkeys.c -- the contract suite's cases of kpkeys.h. */
#include "contract/kpkeys.c"

SUITE_KUNIT(hardmap_contract_kpkeys);
