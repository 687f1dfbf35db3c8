/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * vmsa.c -- descriptors of ports/arm64/vmsa.h against the Arm ARM's figures (D8.3), by their bits.
 */
#include "suite.h"
#include <hardmap/pgtable.h>

static void suite_setup(void)
{
	hm_hosted_reset();
}

static hm_pa_t pa(uint64_t val)
{
	const hm_pa_t address = { val };

	return address;
}

static hm_va_t va(uint64_t val)
{
	const hm_va_t address = { val };

	return address;
}

static uint64_t leaf(uint64_t address, unsigned int level, uint64_t attributes)
{
	return hm_arm64_leaf(pa(address), level, attributes).val;
}

/* The block of level 1, of any granule. */
#define BLOCK (UINT64_C(1) << (2 * HM_PORT_ARM64_PAGE_SHIFT - 3))

/* Literal figures, one column a granule: bytes of a page, a block, a larger block (0: none). */
static const uint64_t sizes[][3] = { { 0x1000, 0x200000, 0x40000000 },
				     { 0x4000, 0x2000000, 0 },
				     { 0x10000, 0x20000000, 0 } };
#define SIZES sizes[HM_PORT_ARM64_PAGE_SHIFT / 2 - 6]

CASE(sizes_of_levels)
{
	EXPECT(UINT64_C(1) << hm_arm64_level_shift(0) == SIZES[0]);
	EXPECT(UINT64_C(1) << hm_arm64_level_shift(1) == SIZES[1] && BLOCK == SIZES[1]);
	EXPECT((leaf(0, 2, HM_ARM64_KERNEL_RW) != 0) == (SIZES[2] != 0));
	EXPECT(HM_PORT_PGTABLE_ENTRIES * sizeof(hm_pte_t) == SIZES[0]);
	/* All levels together reach over 48 bits, and without the top one they do not. */
	EXPECT(hm_arm64_level_shift(HM_PORT_PGTABLE_LEVELS) >= 48);
	EXPECT(hm_arm64_level_shift(HM_PORT_PGTABLE_LEVELS - 1) < 48);
}

/* A page has type 0b11, a block 0b01; kernel data is AF, inner shareable, PXN and UXN. */
CASE(leaves_have_the_type_of_their_level)
{
	EXPECT(leaf(0x12340000, 0, HM_ARM64_KERNEL_RW) == 0x0068000012340703);
	EXPECT(leaf(0x40000000, 1, HM_ARM64_KERNEL_RW) == 0x0068000040000701);
	EXPECT(leaf(0x40000000, 1, HM_ARM64_KERNEL_RO) == 0x0060000040000781);
	EXPECT(leaf(0x12340000, 0, HM_ARM64_KERNEL_RX) == 0x0040000012340783);
	EXPECT(leaf(0x09000000, 0, HM_ARM64_KERNEL_DEVICE) == 0x0068000009000407);
	EXPECT(leaf(0x12340000, 0, HM_ARM64_USER_RW) == 0x0068000012340f43);
	EXPECT(leaf(0x12340000, 0, HM_ARM64_USER_RX) == 0x0020000012340fc3);
	if (SIZES[2])
		EXPECT(leaf(0x40000000, 2, HM_ARM64_KERNEL_RW) == 0x0068000040000701);
}

/* The field of MAIR_EL1 that an entry selects: Normal write-back (0xff), Device-nGnRnE (0x00). */
CASE(memory_types)
{
	static const uint64_t normal[] = { HM_ARM64_KERNEL_RW, HM_ARM64_KERNEL_RO,
					   HM_ARM64_KERNEL_RX, HM_ARM64_USER_RW,
					   HM_ARM64_USER_RO,   HM_ARM64_USER_RX };
	unsigned int i;

	for (i = 0; i < sizeof(normal) / sizeof(*normal); i++)
		EXPECT((HM_ARM64_MAIR >> 8 * (normal[i] >> 2 & 7) & 0xff) == 0xff);
	EXPECT((HM_ARM64_MAIR >> 8 * (HM_ARM64_KERNEL_DEVICE >> 2 & 7) & 0xff) == 0x00);
}

/* No block at a level that has none, none misaligned or out of reach, and no attribute that is address
 * or type. */
CASE(illegal_leaves_are_empty)
{
	unsigned int level;

	for (level = SIZES[2] ? 3 : 2; level < 40; level++)
		EXPECT(leaf(0, level, HM_ARM64_KERNEL_RW) == 0);
	EXPECT(leaf(SIZES[0] / 2, 0, HM_ARM64_KERNEL_RW) == 0);
	EXPECT(leaf(SIZES[1] / 2, 1, HM_ARM64_KERNEL_RW) == 0);
	EXPECT(leaf(SIZES[0], 1, HM_ARM64_KERNEL_RW) == 0);
	EXPECT(leaf(SIZES[1], 2, HM_ARM64_KERNEL_RW) == 0);
	EXPECT(leaf(UINT64_C(1) << 48, 0, HM_ARM64_KERNEL_RW) == 0);
	EXPECT(leaf(UINT64_C(0xffff000040000000), 0, HM_ARM64_KERNEL_RW) == 0);
	EXPECT(leaf(0x12340000, 0, HM_ARM64_KERNEL_RW | SIZES[0]) == 0);
	EXPECT(leaf(0x12340000, 0, HM_ARM64_KERNEL_RW | HM_ARM64_VALID) == 0);
	EXPECT(leaf((UINT64_C(1) << 48) - SIZES[0], 0, HM_ARM64_KERNEL_RW) ==
	       (UINT64_C(0x0069000000000703) - SIZES[0]));
}

/* A link has type 0b11 and no other bit than the table's address; a misaligned table is no link. */
CASE(links)
{
	EXPECT(hm_arm64_table(pa(0x12340000)).val == 0x12340003);
	EXPECT(hm_arm64_table(pa(0x12340008)).val == 0);
	EXPECT(hm_arm64_table(pa(SIZES[0] / 2)).val == 0);
	EXPECT(hm_arm64_table(pa(UINT64_C(1) << 48)).val == 0);
	EXPECT(hm_port_pte_table(hm_arm64_table(pa(0x12340000))).val == 0x12340000);
}

/* 0b11 is a link above level 0 and a page at level 0; a block is never a link. */
CASE(link_or_leaf)
{
	unsigned int level;

	EXPECT(!hm_port_pte_is_table(hm_arm64_leaf(pa(0x10000), 0, HM_ARM64_KERNEL_RW), 0));
	for (level = 1; level < HM_PORT_PGTABLE_LEVELS; level++)
		EXPECT(hm_port_pte_is_table(hm_arm64_table(pa(0x10000)), level));
	for (level = 1; level <= HM_PORT_PGTABLE_BLOCK_LEVEL; level++)
		EXPECT(!hm_port_pte_is_table(hm_arm64_leaf(pa(0), level, HM_ARM64_KERNEL_RW),
					     level));
}

/* What EL0 can read is a user entry; a link is not, nor is a page that EL0 only executes. */
CASE(user_entries)
{
	EXPECT(hm_port_pte_is_user(hm_arm64_leaf(pa(0), 0, HM_ARM64_USER_RW)));
	EXPECT(hm_port_pte_is_user(hm_arm64_leaf(pa(0), 1, HM_ARM64_USER_RO)));
	EXPECT(hm_port_pte_is_user(hm_arm64_leaf(pa(0), 0, HM_ARM64_USER_RX)));
	EXPECT(!hm_port_pte_is_user(hm_arm64_leaf(pa(0), 0, HM_ARM64_KERNEL_RX & ~HM_ARM64_UXN)));
	EXPECT(!hm_port_pte_is_user(hm_arm64_leaf(pa(0), 0, HM_ARM64_KERNEL_RW)));
	EXPECT(!hm_port_pte_is_user(hm_arm64_leaf(pa(0), 0, HM_ARM64_KERNEL_RX)));
	EXPECT(!hm_port_pte_is_user(hm_arm64_table(pa(0x10000))));
}

/* Each level takes the bits of the address that index a page of entries. */
CASE(indices)
{
	static const unsigned int top[] = { 511, 1,
					    63 }; /* of a table of 512, 2, 64 entries in use */
	const unsigned int bits = HM_PORT_ARM64_PAGE_SHIFT - 3;
	const uint64_t pattern = UINT64_C(0x1a5); /* odd, so that a shift by one shows */
	unsigned int level;

	EXPECT(hm_port_pgtable_index(va(~UINT64_C(0)), HM_PORT_PGTABLE_LEVELS - 1) ==
	       top[HM_PORT_ARM64_PAGE_SHIFT / 2 - 6]);
	for (level = 0; level < HM_PORT_PGTABLE_LEVELS; level++) {
		const hm_va_t address = va(pattern << (HM_PORT_ARM64_PAGE_SHIFT + level * bits) |
					   (SIZES[0] - 1));

		/* What is beyond 48 bits is not part of an index. */
		EXPECT(hm_port_pgtable_index(address, level) ==
		       ((pattern << (HM_PORT_ARM64_PAGE_SHIFT + level * bits)) &
			((UINT64_C(1) << 48) - 1)) >>
			       (HM_PORT_ARM64_PAGE_SHIFT + level * bits));
		if (level)
			EXPECT(hm_port_pgtable_index(address, level - 1) == 0);
	}
}

static bool permits(uint64_t attributes, enum hm_access access)
{
	return hm_port_pte_permits(hm_arm64_leaf(pa(0x10000), 0, attributes), access);
}

/* EL1 reads all, writes what is not read-only, executes what is neither PXN nor writable at EL0, and may do
 * nothing to what has no access flag. */
CASE(permissions)
{
	EXPECT(permits(HM_ARM64_KERNEL_RW, HM_ACCESS_READ));
	EXPECT(permits(HM_ARM64_KERNEL_RW, HM_ACCESS_WRITE));
	EXPECT(!permits(HM_ARM64_KERNEL_RW, HM_ACCESS_EXECUTE));
	EXPECT(!permits(HM_ARM64_KERNEL_RO, HM_ACCESS_WRITE));
	EXPECT(permits(HM_ARM64_KERNEL_RX, HM_ACCESS_EXECUTE));
	EXPECT(!permits(HM_ARM64_KERNEL_RX, HM_ACCESS_WRITE));
	EXPECT(!permits(HM_ARM64_USER_RW & ~HM_ARM64_PXN, HM_ACCESS_EXECUTE));
	EXPECT(permits(HM_ARM64_USER_RO & ~HM_ARM64_PXN, HM_ACCESS_EXECUTE));
	EXPECT(!permits(HM_ARM64_KERNEL_RW & ~HM_ARM64_ACCESSED, HM_ACCESS_READ));
}

static struct hm_leaf decoded(hm_pte_t pte, unsigned int level)
{
	struct hm_leaf leaf = { .key = 99 };

	EXPECT(hm_port_leaf_decode(pte, level, &leaf));
	return leaf;
}

/* A leaf of the linear map: taken apart, put together again, and all that it may say. */
CASE(leaves_of_a_linear_map)
{
	const uint64_t attributes[] = { HM_ARM64_KERNEL_RW, HM_ARM64_KERNEL_RO,
					HM_ARM64_KERNEL_RX };
	const enum hm_permission permissions[] = { HM_PERMISSION_RW, HM_PERMISSION_RO,
						   HM_PERMISSION_ROX };
	unsigned int i, level;

	for (level = 0; level <= HM_PORT_PGTABLE_BLOCK_LEVEL; level++)
		for (i = 0; i < 3; i++) {
			const uint64_t more = HM_ARM64_KEY(i + 5) | UINT64_C(1) << 52 |
					      (i ? UINT64_C(1) << 55 : 0);
			hm_pte_t pte = hm_arm64_leaf(pa(UINT64_C(3) << 40), level,
						     attributes[i] | more);
			struct hm_leaf leaf = decoded(pte, level);

			EXPECT(leaf.pa.val == UINT64_C(3) << 40 && leaf.key == i + 5);
			EXPECT(leaf.permission == permissions[i] && leaf.contiguous);
			EXPECT(leaf.keep_small == (i != 0));
			EXPECT(hm_port_leaf_encode(&leaf, level).val == pte.val);
			leaf.permission = HM_PERMISSION_INVALID;
			pte = hm_port_leaf_encode(&leaf, level);
			EXPECT(pte.val && !(pte.val & 1));
			leaf = decoded(pte, level);
			EXPECT(leaf.permission == HM_PERMISSION_INVALID && leaf.key == i + 5);
		}
}

/* What a linear map does not have, or no entry can say. */
CASE(no_leaves_of_a_linear_map)
{
	const uint64_t kernel = HM_ARM64_KERNEL_RW;
	struct hm_leaf leaf;
	hm_pte_t pte = hm_arm64_leaf(pa(0), 0, HM_ARM64_USER_RW);

	EXPECT(!hm_port_leaf_decode(pte, 0, &leaf));
	pte = hm_arm64_leaf(pa(0), 0, kernel & ~HM_ARM64_PXN); /* writable and executable */
	EXPECT(!hm_port_leaf_decode(pte, 0, &leaf));
	pte = hm_arm64_leaf(pa(0), 0, kernel);
	EXPECT(!hm_port_leaf_decode(pte, 1, &leaf)); /* a link there */
	pte = hm_arm64_leaf(pa(0), 1, kernel);
	EXPECT(!hm_port_leaf_decode(pte, 0, &leaf)); /* reserved there */
	EXPECT(!hm_port_leaf_decode(pte, HM_PORT_PGTABLE_BLOCK_LEVEL + 1, &leaf));
	leaf = decoded(pte, 1);
	leaf.key = 8;
	EXPECT(!hm_port_leaf_encode(&leaf, 1).val);
	leaf.key = 7;
	leaf.permission = HM_PERMISSION_NX;
	EXPECT(!hm_port_leaf_encode(&leaf, 1).val);
	leaf.permission = HM_PERMISSION_RW;
	EXPECT(hm_port_leaf_encode(&leaf, 1).val);
	leaf.pa.val = SIZES[0];
	EXPECT(hm_port_leaf_encode(&leaf, 0).val && !hm_port_leaf_encode(&leaf, 1).val);
}

/* Groups as D8.7.1 has them, and links that forbid nothing. */
CASE(groups_and_links)
{
	static const unsigned int groups[][4] = { { 16, 16, 16, 1 },
						  { 128, 32, 1, 1 },
						  { 32, 32, 1, 1 } };
	unsigned int level;

	for (level = 0; level < HM_PORT_PGTABLE_LEVELS; level++) {
		EXPECT(hm_port_leaf_group(level) ==
		       groups[HM_PORT_ARM64_PAGE_SHIFT / 2 - 6][level]);
		EXPECT(hm_port_pgtable_shift(level) ==
		       HM_PORT_ARM64_PAGE_SHIFT + level * (HM_PORT_ARM64_PAGE_SHIFT - 3));
	}
	EXPECT(hm_port_pte_link(pa(0x10000)).val == 0x10003);
}
