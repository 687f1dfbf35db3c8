/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * fault.c -- ports/arm64/fault.h: every exception class and fault status code, with every combination of
 * what else ESR_EL1 says of it, against the Arm ARM's tables (D24.2.40) as they are written down here.
 */
#include "suite.h"
#include <hardmap/pgtable.h>

static void suite_setup(void)
{
	hm_hosted_reset();
}

/* What a code is; those that are not here are reserved, or of other translation regimes. */
enum code {
	RESERVED,
	ADDRESS_SIZE,
	TRANSLATION,
	ACCESS_FLAG,
	PERMISSION,
	EXTERNAL, /* aborts and parity errors, of the access or of its walk */
	TAG,
	ALIGNMENT,
	GRANULE, /* granule protection faults */
	CONFLICT,
	UNSUPPORTED,
};

static const enum code
	codes[64] = {
		[0x00] = ADDRESS_SIZE, /* level 0, ... */
		[0x01] = ADDRESS_SIZE,
		[0x02] = ADDRESS_SIZE,
		[0x03] = ADDRESS_SIZE, /* ... 3 */
		[0x04] = TRANSLATION,
		[0x05] = TRANSLATION,
		[0x06] = TRANSLATION,
		[0x07] = TRANSLATION,
		[0x08] = ACCESS_FLAG,
		[0x09] = ACCESS_FLAG,
		[0x0a] = ACCESS_FLAG,
		[0x0b] = ACCESS_FLAG,
		[0x0c] = PERMISSION,
		[0x0d] = PERMISSION,
		[0x0e] = PERMISSION,
		[0x0f] = PERMISSION,
		[0x10] = EXTERNAL,
		[0x11] = TAG,
		[0x12] = EXTERNAL, /* of a walk, level -2 */
		[0x13] = EXTERNAL, /* level -1 */
		[0x14] = EXTERNAL,
		[0x15] = EXTERNAL,
		[0x16] = EXTERNAL,
		[0x17] = EXTERNAL,
		[0x18] = EXTERNAL, /* parity or ECC */
		[0x1b] = EXTERNAL,
		[0x1c] = EXTERNAL,
		[0x1d] = EXTERNAL,
		[0x1e] = EXTERNAL,
		[0x1f] = EXTERNAL,
		[0x21] = ALIGNMENT,
		[0x22] = GRANULE,
		[0x23] = GRANULE,
		[0x24] = GRANULE,
		[0x25] = GRANULE,
		[0x26] = GRANULE,
		[0x27] = GRANULE,
		[0x28] = GRANULE,
		[0x29] = ADDRESS_SIZE, /* level -1 */
		[0x2a] = TRANSLATION, /* level -2 */
		[0x2b] = TRANSLATION, /* level -1 */
		[0x2c] = ADDRESS_SIZE, /* level -2 */
		[0x30] = CONFLICT,
		[0x31] = UNSUPPORTED, /* update of access flag or dirty state by hardware */
		[0x34] = UNSUPPORTED, /* lockdown */
		[0x35] = UNSUPPORTED, /* exclusive or atomic access */
	};

#define WNR 1u
#define OVERLAY 2u
#define DIRTY 4u
#define STORE_PAGE 8u /* the entry is one that only the keyed store writes */
#define GCS 16u /* the access was GCSSTR's */
#define COMBINATIONS 32u

/* Of a permission fault, by what else is said; bits as above. */
static const enum hm_kpkeys_fault permission_faults[GCS] = {
	[0] = HM_KPKEYS_FAULT_PERMISSION,
	[WNR] = HM_KPKEYS_FAULT_PERMISSION,
	[OVERLAY] = HM_KPKEYS_FAULT_KEY,
	[OVERLAY | WNR] = HM_KPKEYS_FAULT_KEY,
	[DIRTY] = HM_KPKEYS_FAULT_DIRTY,
	[DIRTY | WNR] = HM_KPKEYS_FAULT_DIRTY,
	[DIRTY | OVERLAY] = HM_KPKEYS_FAULT_KEY,
	[DIRTY | OVERLAY | WNR] = HM_KPKEYS_FAULT_KEY,
	[STORE_PAGE] = HM_KPKEYS_FAULT_PERMISSION, /* a fetch or a load */
	[STORE_PAGE | WNR] = HM_KPKEYS_FAULT_STORE_KEY,
	[STORE_PAGE | OVERLAY] = HM_KPKEYS_FAULT_KEY,
	[STORE_PAGE | OVERLAY | WNR] = HM_KPKEYS_FAULT_KEY,
	[STORE_PAGE | DIRTY] = HM_KPKEYS_FAULT_DIRTY,
	[STORE_PAGE | DIRTY | WNR] = HM_KPKEYS_FAULT_DIRTY,
	[STORE_PAGE | DIRTY | OVERLAY] = HM_KPKEYS_FAULT_KEY,
	[STORE_PAGE | DIRTY | OVERLAY | WNR] = HM_KPKEYS_FAULT_KEY,
};

/* ESR_EL1: EC 31:26, IL 25, ISS 24:0 with DFSC 5:0 and WnR 6, ISS2 55:32 with DirtyBit 5, Overlay 6 and
 * GCS 8. */
static uint64_t syndrome(uint64_t class, uint64_t code, unsigned int also)
{
	return class << 26 | UINT64_C(1) << 25 | code | (also & WNR ? UINT64_C(1) << 6 : 0) |
	       (also & DIRTY ? UINT64_C(1) << (32 + 5) : 0) |
	       (also & OVERLAY ? UINT64_C(1) << (32 + 6) : 0) |
	       (also & GCS ? UINT64_C(1) << (32 + 8) : 0);
}

/* A page of the index that keyed stores write, UXN and DBM set; and every other index. */
static uint64_t entry_of(unsigned int index)
{
	const hm_pa_t pa = { 0x10000 };
	uint64_t entry = hm_arm64_leaf(pa, 0, HM_ARM64_KERNEL_RO).val;

	entry &= ~(UINT64_C(0x0068000000000040));
	return entry | (uint64_t)(index >> 3 & 1) << 54 | (uint64_t)(index >> 2 & 1) << 53 |
	       (uint64_t)(index >> 1 & 1) << 51 | (uint64_t)(index & 1) << 6;
}

static enum hm_kpkeys_fault expected(unsigned int class, unsigned int code, unsigned int also)
{
	bool data = class == 0x24 || class == 0x25; /* from EL0, from EL1 */

	if (!data && class != 0x20 && class != 0x21) /* no instruction abort either */
		return HM_KPKEYS_FAULT_OTHER;
	if (codes[code] == TRANSLATION)
		return HM_KPKEYS_FAULT_NOT_MAPPED;
	if (codes[code] != PERMISSION)
		return HM_KPKEYS_FAULT_OTHER;
	if ((also & GCS) && !(also & (OVERLAY | DIRTY)))
		return HM_KPKEYS_FAULT_NOT_KEYED;
	also &= ~GCS;
	return permission_faults[data ? also : also & ~WNR]; /* that bit is data's */
}

/* Every class, every code, every combination of the bits that say more. */
CASE(every_syndrome)
{
	unsigned int class, code, also, wrong = 0;

	for (class = 0; class < 64; class ++)
		for (code = 0; code < 64; code++)
			for (also = 0; also < COMBINATIONS; also++)
				wrong += hm_kpkeys_why(syndrome(class, code, also),
						       entry_of(also & STORE_PAGE ? 6 : 14)) !=
					 expected(class, code, also);
	EXPECT(!wrong);
}

/* Of all indices one is the keyed store's: UXN and DBM. */
CASE(every_index)
{
	unsigned int index;

	for (index = 0; index < 16; index++) {
		EXPECT(hm_kpkeys_why(syndrome(0x25, 0x0f, WNR), entry_of(index)) ==
		       (index == 6 ? HM_KPKEYS_FAULT_STORE_KEY : HM_KPKEYS_FAULT_PERMISSION));
		EXPECT(hm_kpkeys_why(syndrome(0x25, 0x0f, 0), entry_of(index)) ==
		       HM_KPKEYS_FAULT_PERMISSION);
	}
}

/* No bit that says nothing of the reason changes it: of the syndrome, all but EC, DFSC, WnR, DirtyBit,
 * Overlay and GCS; of the entry, all but the index. Nor is there an entry needed. */
CASE(other_bits_do_not_matter)
{
	const uint64_t matter = UINT64_C(0x160fc00007f), index = UINT64_C(0x0068000000000040);
	unsigned int code, also, bit, wrong = 0;

	for (code = 0; code < 64; code++) {
		for (also = 0; also < COMBINATIONS; also++) {
			uint64_t esr = syndrome(0x25, code, also);
			uint64_t entry = entry_of(also & STORE_PAGE ? 6 : 14);
			enum hm_kpkeys_fault why = hm_kpkeys_why(esr, entry);

			for (bit = 0; bit < 64; bit++) {
				uint64_t flip = UINT64_C(1) << bit;

				if (!(matter & flip))
					wrong += hm_kpkeys_why(esr ^ flip, entry) != why;
				if (!(index & flip))
					wrong += hm_kpkeys_why(esr, entry ^ flip) != why;
			}
			if (!(also & STORE_PAGE))
				wrong += hm_kpkeys_why(esr, 0) != why;
		}
	}
	EXPECT(!wrong);
}
