// SPDX-License-Identifier: GPL-2.0-only
/* contract_kpkeys.c -- the contract suite's cases of kpkeys.h. */
/* 16 KiB of stack. */
#define LEVELS_DEEP 100
#include "contract/kpkeys.c"

SUITE_KUNIT(hardmap_contract_kpkeys);
