// SPDX-License-Identifier: GPL-2.0-only
/* contract_attack.c -- the contract suite's attacks on saved state, where there are keys. */

/* Interrupts are off in a case: seconds of an emulator less. */
#define ATTACK_EVERY 7
#include "contract/attack.c"

static int attack_init(struct kunit *test)
{
	if (hm_kpkeys_style() == HM_KEY_STYLE_NONE)
		kunit_skip(test, "this CPU has no keys; how to run it: README.md, Tests");
	return suite_kunit_init(test);
}

SUITE_KUNIT_AFTER(NULL, attack_init, hardmap_contract_attack);
