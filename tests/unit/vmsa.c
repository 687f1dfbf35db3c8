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

/* A page has type 0b11, a block 0b01; kernel data is AF, inner shareable, PXN and UXN. */
CASE(leaves_have_the_type_of_their_level)
{
	EXPECT(leaf(0x12345000, 0, HM_ARM64_KERNEL_RW) == 0x0060000012345703);
	EXPECT(leaf(0x12200000, 1, HM_ARM64_KERNEL_RW) == 0x0060000012200701);
	EXPECT(leaf(0x40000000, 2, HM_ARM64_KERNEL_RO) == 0x0060000040000781);
	EXPECT(leaf(0x12345000, 0, HM_ARM64_KERNEL_RX) == 0x0040000012345783);
	EXPECT(leaf(0x09000000, 0, HM_ARM64_KERNEL_DEVICE) == 0x0060000009000407);
	EXPECT(leaf(0x12345000, 0, HM_ARM64_USER_RW) == 0x0060000012345f43);
	EXPECT(leaf(0x12345000, 0, HM_ARM64_USER_RX) == 0x0020000012345fc3);
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

/* No block at a level that has none (512G without FEAT_LPA2, nor above), none misaligned or out of reach,
 * and no attribute that is address or type. */
CASE(illegal_leaves_are_empty)
{
	unsigned int level;

	for (level = 3; level < 40; level++)
		EXPECT(leaf(0, level, HM_ARM64_KERNEL_RW) == 0);
	EXPECT(leaf(0x12345800, 0, HM_ARM64_KERNEL_RW) == 0);
	EXPECT(leaf(0x12345000, 1, HM_ARM64_KERNEL_RW) == 0);
	EXPECT(leaf(0x12200000, 2, HM_ARM64_KERNEL_RW) == 0);
	EXPECT(leaf(UINT64_C(1) << 48, 0, HM_ARM64_KERNEL_RW) == 0);
	EXPECT(leaf(UINT64_C(0xffff000040000000), 0, HM_ARM64_KERNEL_RW) == 0);
	EXPECT(leaf(0x12345000, 0, HM_ARM64_KERNEL_RW | 0x1000) == 0);
	EXPECT(leaf(0x12345000, 0, HM_ARM64_KERNEL_RW | HM_ARM64_VALID) == 0);
	EXPECT(leaf(UINT64_C(0x0000fffffffff000), 0, HM_ARM64_KERNEL_RW) ==
	       UINT64_C(0x0060fffffffff703));
}

/* A link has type 0b11 and no other bit than the table's address; a misaligned table is no link. */
CASE(links)
{
	EXPECT(hm_arm64_table(pa(0x12345000)).val == 0x12345003);
	EXPECT(hm_arm64_table(pa(0x12345008)).val == 0);
	EXPECT(hm_arm64_table(pa(UINT64_C(1) << 48)).val == 0);
	EXPECT(hm_port_pte_table(hm_arm64_table(pa(0x12345000))).val == 0x12345000);
}

/* 0b11 is a link above level 0 and a page at level 0; a block is never a link. */
CASE(link_or_leaf)
{
	unsigned int level;

	EXPECT(!hm_port_pte_is_table(hm_arm64_leaf(pa(0x1000), 0, HM_ARM64_KERNEL_RW), 0));
	for (level = 1; level < 4; level++)
		EXPECT(hm_port_pte_is_table(hm_arm64_table(pa(0x1000)), level));
	for (level = 1; level < 3; level++)
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
	EXPECT(!hm_port_pte_is_user(hm_arm64_table(pa(0x1000))));
}

/* Each level takes nine bits of the address. */
CASE(indices)
{
	const hm_va_t address = va(UINT64_C(0xffff) << 48 | UINT64_C(0x101) << 39 |
				   UINT64_C(0x1ff) << 30 | UINT64_C(0x0aa) << 21 |
				   UINT64_C(0x155) << 12 | 0xfff);

	EXPECT(hm_port_pgtable_index(address, 3) == 0x101);
	EXPECT(hm_port_pgtable_index(address, 2) == 0x1ff);
	EXPECT(hm_port_pgtable_index(address, 1) == 0x0aa);
	EXPECT(hm_port_pgtable_index(address, 0) == 0x155);
}

static bool permits(uint64_t attributes, enum hm_access access)
{
	return hm_port_pte_permits(hm_arm64_leaf(pa(0x1000), 0, attributes), access);
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
