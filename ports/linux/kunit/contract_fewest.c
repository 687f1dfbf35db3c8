// SPDX-License-Identifier: GPL-2.0-only
/* contract_fewest.c -- the contract suite's histories of linear maps. */
#include <linux/limits.h>

#include "probe.h"
#include "suite.h"
#include <hardmap/direct_map.h>

#define UINT32_MAX U32_MAX
/* Names that are the kernel's. */
#define page suite_page
#define page_count suite_page_count
#define range suite_range
/* A function of that name looks like a section's to the kernel's build. */
#define split suite_split
/* Interrupts are off in a case: seconds of an emulator less. */
#define HISTORIES(all) ((all) / 8)
#include "contract/fewest.c"

SUITE_KUNIT(hardmap_contract_fewest);
