// SPDX-License-Identifier: GPL-2.0-only
/* contract_direct_map.c -- the contract suite's cases of direct_map.h. */

/* What a hosted linker calls the ends of the code. */
extern const char suite_text[] asm("_text"), suite_etext[] asm("_etext");
#define __executable_start suite_text
#define etext suite_etext
/* A function of that name looks like a section's to the kernel's build. */
#define split suite_split
/* A kernel's stack is in one block wherever in it that is. */
#define STACK_BYTES 8192
#include "contract/direct_map.c"

SUITE_KUNIT(hardmap_contract_direct_map);
