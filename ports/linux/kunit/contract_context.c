// SPDX-License-Identifier: GPL-2.0-only
/* contract_context.c -- the contract suite's cases of context.h. */
#include "contract/context.c"

SUITE_KUNIT(hardmap_contract_context);
