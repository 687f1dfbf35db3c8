/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * x86_64_paging.c -- ports/x86_64 against the SDM: entries of paging.h by their bits, and what a linear map
 * makes of them; what the barriers are; which addresses are invalidated, and when everything; code;
 * IA32_PKRS; faults.
 */
#include "free_tables.h"
#include "suite.h"
#include <hardmap/direct_map.h>

static hm_pte_t root[512] __attribute__((aligned(4096)));

static void suite_setup(void)
{
	unsigned int i;

	x86_reset();
	for (i = 0; i < 512; i++)
		root[i].val = 0;
	x86.root = root;
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

static hm_pte_t entry(uint64_t val)
{
	const hm_pte_t pte = { val };

	return pte;
}

static uint64_t leaf(uint64_t address, unsigned int level, uint64_t attributes)
{
	return hm_x86_64_leaf(pa(address), level, attributes).val;
}

#define TOP (HM_PORT_PGTABLE_LEVELS - 1)
static const uint64_t sizes[] = { 0x1000, 0x200000, 0x40000000 };

/* ---- entries ---- */

/* The figures (SDM vol 3, tables 4-16, 4-18 and 4-20): P 0, R/W 1, U/S 2, PWT 3, PCD 4, A 5, D 6, PS 7 of
 * what is larger than a page, G 8, XD 63. */
CASE(leaves)
{
	EXPECT(leaf(0x12345000, 0, HM_X86_64_KERNEL_RW) == UINT64_C(0x8000000012345163));
	EXPECT(leaf(0x12345000, 0, HM_X86_64_KERNEL_RO) == UINT64_C(0x8000000012345121));
	EXPECT(leaf(0x12345000, 0, HM_X86_64_KERNEL_RX) == UINT64_C(0x0000000012345121));
	EXPECT(leaf(0xfee00000, 0, HM_X86_64_KERNEL_DEVICE) == UINT64_C(0x80000000fee0017b));
	EXPECT(leaf(0x12345000, 0, HM_X86_64_USER_RW) == UINT64_C(0x8000000012345067));
	EXPECT(leaf(0x12345000, 0, HM_X86_64_USER_RO) == UINT64_C(0x8000000012345025));
	EXPECT(leaf(0x12345000, 0, HM_X86_64_USER_RX) == UINT64_C(0x0000000012345025));
	EXPECT(leaf(0x40200000, 1, HM_X86_64_KERNEL_RW) == UINT64_C(0x80000000402001e3));
	EXPECT(leaf(0xc0000000, 2, HM_X86_64_KERNEL_RX) == UINT64_C(0x00000000c00001a1));
	EXPECT(leaf(0xc0000000, 2, HM_X86_64_USER_RW) == UINT64_C(0x80000000c00000e7));
}

/* Keys are bits 62:59; all of the address, 51:12, is there. */
CASE(keys_and_addresses)
{
	unsigned int key;

	for (key = 0; key < 16; key++)
		EXPECT(leaf(0, 0, HM_X86_64_KERNEL_RX | HM_X86_64_KEY(key)) ==
		       (0x121 | (uint64_t)key << 59));
	EXPECT(leaf(UINT64_C(0x000ffffffffff000), 0, HM_X86_64_KERNEL_RX | HM_X86_64_KEY(15)) ==
	       UINT64_C(0x780ffffffffff121));
	EXPECT(leaf(UINT64_C(0x000fffffffe00000), 1, HM_X86_64_KERNEL_RX) ==
	       UINT64_C(0x000fffffffe001a1));
	EXPECT(leaf(UINT64_C(0x000fffffc0000000), 2, HM_X86_64_KERNEL_RX) ==
	       UINT64_C(0x000fffffc00001a1));
}

/* PAT is bit 7 of a page and bit 12 of what is larger. */
CASE(pat_has_two_places)
{
	const uint64_t attributes = HM_X86_64_KERNEL_RO | HM_X86_64_PAT;

	EXPECT(leaf(0x12345000, 0, attributes) == UINT64_C(0x80000000123451a1));
	EXPECT(leaf(0x40200000, 1, attributes) == UINT64_C(0x80000000402011a1));
	EXPECT(leaf(0x40000000, 2, attributes) == UINT64_C(0x80000000400011a1));
	EXPECT(leaf(0x40200000, 1, HM_X86_64_KERNEL_RO) == UINT64_C(0x80000000402001a1));
}

/* The field of IA32_PAT that an entry selects: write-back (6), uncacheable (0). */
CASE(memory_types)
{
	static const uint64_t normal[] = { HM_X86_64_KERNEL_RW, HM_X86_64_KERNEL_RO,
					   HM_X86_64_KERNEL_RX, HM_X86_64_USER_RW,
					   HM_X86_64_USER_RO,   HM_X86_64_USER_RX };
	unsigned int i;

	for (i = 0; i < sizeof(normal) / sizeof(*normal); i++)
		EXPECT((HM_X86_64_IA32_PAT >> 8 * (normal[i] >> 3 & 3) & 7) == 6);
	EXPECT((HM_X86_64_IA32_PAT >> 8 * (HM_X86_64_KERNEL_DEVICE >> 3 & 3) & 7) == 0);
}

/* No leaf at a level that has none, none misaligned or out of reach, and no attribute that is address or
 * P. */
CASE(illegal_leaves_are_empty)
{
	unsigned int level, bit;

	for (level = 3; level < 8; level++)
		EXPECT(leaf(0, level, HM_X86_64_KERNEL_RW) == 0);
	for (level = 0; level < 3; level++) {
		EXPECT(leaf(sizes[level] / 2, level, HM_X86_64_KERNEL_RW) == 0);
		EXPECT(leaf(1, level, HM_X86_64_KERNEL_RW) == 0);
		EXPECT(leaf(UINT64_C(1) << 52, level, HM_X86_64_KERNEL_RW) == 0);
		EXPECT(leaf(UINT64_C(0xfff0000000000000), level, HM_X86_64_KERNEL_RW) == 0);
		EXPECT(leaf(0, level, HM_X86_64_KERNEL_RW | HM_X86_64_PRESENT) == 0);
		for (bit = 12; bit < 52; bit++)
			EXPECT(leaf(0, level, HM_X86_64_KERNEL_RW | UINT64_C(1) << bit) == 0);
	}
	EXPECT(leaf(sizes[1], 2, HM_X86_64_KERNEL_RW) == 0);
	EXPECT(leaf(sizes[0], 1, HM_X86_64_KERNEL_RW) == 0);
}

/* Where a CPU has no pages of 1G there are none. */
CASE(pages_of_1g)
{
	struct hm_leaf what;

	EXPECT(hm_port_leaf_decode(entry(leaf(0, 2, HM_X86_64_KERNEL_RW)), 2, &what));
	EXPECT(hm_port_leaf_encode(&what, 2).val);
	x86.has_1g_pages = false;
	EXPECT(leaf(0, 2, HM_X86_64_KERNEL_RW) == 0);
	EXPECT(leaf(0, 1, HM_X86_64_KERNEL_RW) != 0);
	EXPECT(!hm_port_leaf_encode(&what, 2).val && hm_port_leaf_encode(&what, 1).val);
	EXPECT(!hm_port_leaf_decode(entry(UINT64_C(0x80000000000001e3)), 2, &what));
	x86.extended_1_edx = ~(UINT32_C(1) << 26);
	EXPECT(!hm_x86_64_cpu_has_1g_pages());
	x86.extended_1_edx = UINT32_C(1) << 26;
	EXPECT(hm_x86_64_cpu_has_1g_pages());
}

/* A link says the table's address, that all is permitted, and that it was used; for the kernel, or for
 * both. */
CASE(links)
{
	EXPECT(hm_x86_64_table(pa(0x12345000)).val == 0x12345063);
	EXPECT(hm_x86_64_user_table(pa(0x12345000)).val == 0x12345067);
	EXPECT(hm_port_pte_link(pa(UINT64_C(0x000ffffffffff000))).val ==
	       UINT64_C(0x000ffffffffff063));
	EXPECT(hm_x86_64_table(pa(0x12345008)).val == 0);
	EXPECT(hm_x86_64_user_table(pa(0x12345008)).val == 0);
	EXPECT(hm_x86_64_table(pa(UINT64_C(1) << 52)).val == 0);
	EXPECT(hm_port_pte_table(entry(UINT64_C(0xfff0000012345fff))).val == 0x12345000);
}

/* Without PS there is a link at every level but the lowest, where that bit is PAT. */
CASE(link_or_leaf)
{
	unsigned int level;

	EXPECT(!hm_port_pte_is_table(entry(leaf(0, 0, HM_X86_64_KERNEL_RW)), 0));
	EXPECT(!hm_port_pte_is_table(entry(leaf(0, 0, HM_X86_64_KERNEL_RW | HM_X86_64_PAT)), 0));
	for (level = 1; level < HM_PORT_PGTABLE_LEVELS; level++)
		EXPECT(hm_port_pte_is_table(hm_x86_64_table(pa(0x1000)), level));
	for (level = 1; level <= HM_PORT_PGTABLE_BLOCK_LEVEL; level++)
		EXPECT(!hm_port_pte_is_table(entry(leaf(0, level, HM_X86_64_KERNEL_RW)), level));
}

/* Valid is P; the user's is U/S. */
CASE(valid_and_user_entries)
{
	EXPECT(hm_port_pte_is_valid(entry(1)) && !hm_port_pte_is_valid(entry(~UINT64_C(1))));
	EXPECT(hm_port_pte_is_user(entry(leaf(0, 0, HM_X86_64_USER_RO))));
	EXPECT(hm_port_pte_is_user(entry(leaf(0, 1, HM_X86_64_USER_RX))));
	EXPECT(!hm_port_pte_is_user(entry(leaf(0, 0, HM_X86_64_KERNEL_RW))));
	EXPECT(!hm_port_pte_is_user(hm_x86_64_table(pa(0x1000))));
}

/* Nine bits of the address a level, from bit 12 on. */
CASE(indices)
{
	const uint64_t pattern = UINT64_C(0x1a5); /* odd, so that a shift by one shows */
	unsigned int level;

	EXPECT(sizeof(root) == 4096 && HM_PORT_PGTABLE_ENTRIES == 512);
	for (level = 0; level < HM_PORT_PGTABLE_LEVELS; level++) {
		const hm_va_t address = va(pattern << (12 + 9 * level) | 0xfff);

		EXPECT(hm_port_pgtable_shift(level) == 12 + 9 * level);
		EXPECT(hm_port_pgtable_index(address, level) == pattern);
		EXPECT(hm_port_pgtable_index(va(~UINT64_C(0)), level) == 511);
		if (level)
			EXPECT(hm_port_pgtable_index(address, level - 1) == 0);
	}
	/* The upper half begins in the middle of the top-level table. */
	EXPECT(hm_port_pgtable_index(va(~UINT64_C(0) << (11 + 9 * HM_PORT_PGTABLE_LEVELS)), TOP) ==
	       256);
}

static bool permits(uint64_t attributes, enum hm_access access)
{
	return hm_port_pte_permits(entry(leaf(0x1000, 0, attributes)), access);
}

/* The kernel reads all, writes what is R/W, executes what is neither XD nor the user's; and sets A and D by
 * itself. */
CASE(permissions)
{
	EXPECT(permits(HM_X86_64_KERNEL_RW, HM_ACCESS_READ));
	EXPECT(permits(HM_X86_64_KERNEL_RW, HM_ACCESS_WRITE));
	EXPECT(!permits(HM_X86_64_KERNEL_RW, HM_ACCESS_EXECUTE));
	EXPECT(permits(HM_X86_64_KERNEL_RO, HM_ACCESS_READ));
	EXPECT(!permits(HM_X86_64_KERNEL_RO, HM_ACCESS_WRITE));
	EXPECT(permits(HM_X86_64_KERNEL_RX, HM_ACCESS_EXECUTE));
	EXPECT(!permits(HM_X86_64_KERNEL_RX, HM_ACCESS_WRITE));
	EXPECT(permits(HM_X86_64_USER_RW, HM_ACCESS_WRITE));
	EXPECT(!permits(HM_X86_64_USER_RX, HM_ACCESS_EXECUTE));
	EXPECT(permits(HM_X86_64_WRITABLE, HM_ACCESS_WRITE));
}

/* ---- leaves of a linear map ---- */

static struct hm_leaf decoded(hm_pte_t pte, unsigned int level)
{
	struct hm_leaf what = { .key = 99 };

	EXPECT(hm_port_leaf_decode(pte, level, &what));
	return what;
}

static const struct {
	uint64_t attributes;
	enum hm_permission permission;
} kinds[] = { { HM_X86_64_KERNEL_RW, HM_PERMISSION_RW },
	      { HM_X86_64_KERNEL_RO, HM_PERMISSION_RO },
	      { HM_X86_64_KERNEL_RX, HM_PERMISSION_ROX } };

/* Every attribute, at every level: taken apart, put together again, and as it was. */
CASE(attributes_are_kept)
{
	static const uint64_t bits[] = { HM_X86_64_PWT,       HM_X86_64_PCD,
					 HM_X86_64_PAT,       HM_X86_64_GLOBAL,
					 UINT64_C(1) << 9,    UINT64_C(1) << 10,
					 UINT64_C(1) << 11,   UINT64_C(1) << 52,
					 UINT64_C(1) << 57,   HM_X86_64_KEEP_SMALL,
					 HM_X86_64_KEY(1),    HM_X86_64_KEY(2),
					 HM_X86_64_KEY(4),    HM_X86_64_KEY(8),
					 HM_X86_64_KEY(15),   HM_X86_64_PAT | HM_X86_64_PCD,
					 UINT64_C(0x3f) << 52 };
	unsigned int i, kind, level;

	for (level = 0; level <= HM_PORT_PGTABLE_BLOCK_LEVEL; level++)
		for (kind = 0; kind < 3; kind++)
			for (i = 0; i < sizeof(bits) / sizeof(*bits); i++) {
				const uint64_t address = UINT64_C(3) << 40;
				const hm_pte_t pte = entry(
					leaf(address, level, kinds[kind].attributes ^ bits[i]));
				struct hm_leaf what = decoded(pte, level);

				EXPECT(what.pa.val == address && !what.contiguous);
				EXPECT(what.permission == kinds[kind].permission);
				EXPECT(what.key == (bits[i] >> 59 & 15));
				EXPECT(what.keep_small == (bits[i] == HM_X86_64_KEEP_SMALL));
				EXPECT((what.other & HM_X86_64_PAT) == (bits[i] & HM_X86_64_PAT));
				EXPECT(hm_port_leaf_encode(&what, level).val == pte.val);
			}
}

/* `other` of a page and of a block of the same attributes is the same. */
CASE(attributes_have_one_form)
{
	const uint64_t attributes = HM_X86_64_KERNEL_RW | HM_X86_64_PAT | HM_X86_64_PWT;
	const struct hm_leaf page = decoded(entry(leaf(0, 0, attributes)), 0);
	unsigned int level;

	for (level = 1; level <= HM_PORT_PGTABLE_BLOCK_LEVEL; level++) {
		struct hm_leaf block = decoded(entry(leaf(0, level, attributes)), level);

		EXPECT(block.other == page.other);
		EXPECT(hm_port_leaf_encode(&block, 0).val == leaf(0, 0, attributes));
		EXPECT(hm_port_leaf_encode(&page, level).val == leaf(0, level, attributes));
	}
}

/* Invalid memory keeps all but its permission; never is its entry 0, nor does it say where the memory is. */
CASE(invalid_memory)
{
	static const uint64_t memory[] = { 0, UINT64_C(0x40000000), UINT64_C(0x7ffc0000000),
					   UINT64_C(0x17ffc0000000) };
	unsigned int i, kind, level;

	for (level = 0; level <= HM_PORT_PGTABLE_BLOCK_LEVEL; level++)
		for (kind = 0; kind < 3; kind++)
			for (i = 0; i < sizeof(memory) / sizeof(*memory); i++) {
				const uint64_t more = HM_X86_64_PAT | HM_X86_64_KEY(kind + 5) |
						      HM_X86_64_KEEP_SMALL;
				const hm_pte_t pte = entry(
					leaf(memory[i], level, kinds[kind].attributes ^ more));
				struct hm_leaf what = decoded(pte, level);
				hm_pte_t invalid;

				what.permission = HM_PERMISSION_INVALID;
				invalid = hm_port_leaf_encode(&what, level);
				EXPECT(invalid.val && !hm_port_pte_is_valid(invalid));
				EXPECT(hm_x86_64_leaf_address(invalid, level).val == memory[i]);
				/* By what a cache of 44 bits tells apart, or of 46: the upper half, where
				 * there is no memory. */
				EXPECT(memory[i] >> 43 || (invalid.val >> 43 & 1));
				EXPECT(invalid.val >> 45 & 1);
				what = decoded(invalid, level);
				EXPECT(what.pa.val == memory[i] && what.key == kind + 5);
				EXPECT(what.permission == HM_PERMISSION_INVALID);
				EXPECT(what.keep_small && (what.other & HM_X86_64_PAT));
				EXPECT(hm_port_leaf_encode(&what, level).val == invalid.val);
				what.permission = kinds[kind].permission;
				EXPECT(hm_port_leaf_encode(&what, level).val == pte.val);
			}
}

/* Of two leaves whose memory follows on the entries differ by as much, valid or not; inverted, as much
 * less. */
CASE(entries_step_by_their_memory)
{
	unsigned int level;

	for (level = 0; level <= HM_PORT_PGTABLE_BLOCK_LEVEL; level++) {
		struct hm_leaf one = decoded(entry(leaf(0x40000000, level, HM_X86_64_KERNEL_RW)),
					     level);
		struct hm_leaf next = one;

		next.pa.val += sizes[level];
		EXPECT(hm_port_leaf_encode(&next, level).val ==
		       hm_port_leaf_encode(&one, level).val + sizes[level]);
		one.permission = next.permission = HM_PERMISSION_INVALID;
		EXPECT(hm_port_leaf_encode(&next, level).val ==
		       hm_port_leaf_encode(&one, level).val +
			       (HM_PORT_X86_64_INVERT ? 0 - sizes[level] : sizes[level]));
	}
}

#if HM_PORT_X86_64_INVERT
/* As Linux has what is not present: each bit of the address the other way. */
CASE(invalid_memory_as_linux_has_it)
{
	struct hm_leaf what = decoded(entry(leaf(0x40000000, 0, HM_X86_64_KERNEL_RW)), 0);

	what.permission = HM_PERMISSION_INVALID;
	EXPECT(hm_port_leaf_encode(&what, 0).val == UINT64_C(0x800fffffbffff120));
	EXPECT(hm_port_leaf_encode(&what, 1).val == UINT64_C(0x800fffffbfe001a0));
	EXPECT(hm_port_leaf_encode(&what, 2).val == UINT64_C(0x800fffff800001a0));
}
#endif

static bool refuses(uint64_t value, unsigned int level)
{
	struct hm_leaf what;

	return !hm_port_leaf_decode(entry(value), level, &what);
}

/* What a linear map does not have, or no entry can say. */
CASE(no_leaves_of_a_linear_map)
{
	const uint64_t kernel = leaf(0x40000000, 0, HM_X86_64_KERNEL_RW);
	const uint64_t block = leaf(0x40000000, 1, HM_X86_64_KERNEL_RW);
	struct hm_leaf what = decoded(entry(block), 1);
	unsigned int bit, level;

	EXPECT(refuses(leaf(0, 0, HM_X86_64_USER_RW), 0));
	EXPECT(refuses(kernel & ~HM_X86_64_NX, 0)); /* writable and executable */
	EXPECT(refuses(kernel & ~HM_X86_64_ACCESSED, 0)); /* the processor's to write */
	EXPECT(refuses(kernel & ~HM_X86_64_DIRTY, 0)); /* this too */
	EXPECT(refuses(kernel & ~HM_X86_64_WRITABLE, 0)); /* a shadow stack's */
	EXPECT(refuses(kernel & ~HM_X86_64_PRESENT, 0)); /* no form of an invalid one */
	EXPECT(refuses(kernel, 1)); /* a link there */
	EXPECT(refuses(hm_x86_64_table(pa(0x1000)).val, 2));
	for (level = 3; level < 6; level++)
		EXPECT(refuses(block, level));
	for (bit = 13; bit < 21; bit++) /* reserved; 12 is PAT */
		EXPECT(refuses(block | UINT64_C(1) << bit, 1));
	for (bit = 13; bit < 30; bit++)
		EXPECT(refuses(block | UINT64_C(1) << bit, 2));
	EXPECT(!refuses(block | UINT64_C(1) << 12, 1) && !refuses(block | UINT64_C(1) << 12, 2));
	what.key = 16;
	EXPECT(!hm_port_leaf_encode(&what, 1).val);
	what.key = 15;
	what.permission = HM_PERMISSION_NX;
	EXPECT(!hm_port_leaf_encode(&what, 1).val);
	what.permission = HM_PERMISSION_INVALID;
	EXPECT(hm_port_leaf_encode(&what, 1).val);
	what.pa.val = 0x1000;
	EXPECT(hm_port_leaf_encode(&what, 0).val && !hm_port_leaf_encode(&what, 1).val);
	what.pa.val = UINT64_C(1) << 52;
	EXPECT(!hm_port_leaf_encode(&what, 0).val);
	for (level = 0; level < HM_PORT_PGTABLE_LEVELS; level++)
		EXPECT(hm_port_leaf_group(level) == 1);
}

/* Blocks of an unusual memory type are split to pages of that type, changed, and joined again. */
CASE(split_keeps_the_memory_type)
{
	const uint64_t attributes = HM_X86_64_KERNEL_RW | HM_X86_64_PAT | HM_X86_64_PCD;
	const hm_va_t start = va(UINT64_C(0xffff888000000000));
	struct hm_direct_map map = { 0 };
	unsigned int level;

	EXPECT(!hm_direct_map_init(&map, start, 2 * sizes[1], false));
	EXPECT(!hm_direct_map_add(&map, 0, start, 2 * sizes[1],
				  entry(leaf(sizes[2], 0, attributes))));
	EXPECT(hm_pgtable_leaf(start, &level).val == leaf(sizes[2], 1, attributes));
	EXPECT(level == 1);
	EXPECT(!hm_direct_map_set_permission(&map, 0, va(start.val + 0x1000), 0x1000,
					     HM_PERMISSION_INVALID));
	EXPECT(hm_pgtable_leaf(start, &level).val == leaf(sizes[2], 0, attributes));
	EXPECT(level == 0);
	EXPECT(!hm_direct_map_set_permission(&map, 0, va(start.val + 0x1000), 0x1000,
					     HM_PERMISSION_RW));
	EXPECT(!hm_direct_map_collapse(&map, start, 2 * sizes[1]));
	EXPECT(hm_pgtable_leaf(start, &level).val == leaf(sizes[2], 1, attributes));
	EXPECT(level == 1);
	EXPECT(!hm_direct_map_remove(&map, 0, start, 2 * sizes[1]) && !x86.bugs);
	free_tables_below(root, TOP);
}

static int invalid_page(const struct hm_pgtable_entry *at, void *argument)
{
	const uint64_t start = *(const uint64_t *)argument;

	EXPECT(!at->level && !hm_port_pte_is_valid(at->pte));
	EXPECT(hm_x86_64_leaf_address(at->pte, 0).val == sizes[2] + (at->va.val - start));
	return 0;
}

/* Many pages at once become invalid, whichever way their entries step then, and valid again. */
CASE(invalid_ranges)
{
	const struct hm_pgtable_visitor visitor = { invalid_page, 0 };
	hm_va_t start = va(UINT64_C(0xffff888000000000)), second = va(start.val + sizes[0]);
	const uint64_t rest = sizes[1] - sizes[0];
	struct hm_direct_map map = { 0 };
	unsigned int level, page;

	EXPECT(!hm_direct_map_init(&map, start, sizes[1], false));
	EXPECT(!hm_direct_map_add(&map, 0, start, sizes[1],
				  entry(leaf(sizes[2], 0, HM_X86_64_KERNEL_RW))));
	EXPECT(!hm_direct_map_set_permission(&map, 0, second, rest, HM_PERMISSION_INVALID));
	EXPECT(!hm_pgtable_walk(second, rest, &visitor, &start.val));
	EXPECT(!hm_direct_map_set_permission(&map, 0, second, rest, HM_PERMISSION_RW));
	for (page = 0; page < 512; page++)
		EXPECT(hm_pgtable_leaf(va(start.val + page * sizes[0]), &level).val ==
		       leaf(sizes[2] + page * sizes[0], 0, HM_X86_64_KERNEL_RW));
	EXPECT(!hm_direct_map_remove(&map, 0, start, sizes[1]) && !x86.bugs);
	free_tables_below(root, TOP);
}

/* ---- barriers ---- */

/* What publishes, synchronises, switches and orders is the compiler's alone. */
CASE(barriers_are_no_instructions)
{
	hm_port_context_publish();
	hm_port_context_sync();
	hm_port_context_switch();
	hm_port_pgtable_order_fill();
	EXPECT(x86.events == 4 && x86.counts[HM_INSN_COMPILER] == 4);
}

/* ---- invalidation ---- */

/* Whether everything was flushed since the last look, by two writes of CR4: PGE the other way, and as it
 * was. */
static bool flushed_all(void)
{
	const unsigned int n = x86.events;
	const bool is = n >= 2 && x86.counts[HM_INSN_WRITE_CR4] == 2 &&
			!x86.counts[HM_INSN_INVLPG] && x86.trace[n - 2].kind == HM_INSN_WRITE_CR4 &&
			x86.trace[n - 2].value == (x86.cr4 ^ 0x80) &&
			x86.trace[n - 1].kind == HM_INSN_WRITE_CR4 &&
			x86.trace[n - 1].value == x86.cr4;

	x86_clear();
	return is;
}

/* Whether the pages from there on were since the last look, each once, and nothing else. */
static bool flushed(uint64_t first, unsigned int pages)
{
	unsigned int i, n = 0;
	bool is = x86.counts[HM_INSN_INVLPG] == pages && !x86.counts[HM_INSN_WRITE_CR4];

	for (i = 0; i < x86.events; i++)
		if (x86.trace[i].kind == HM_INSN_INVLPG)
			is &= x86.trace[i].value == first + n++ * UINT64_C(0x1000);
	x86_clear();
	return is && n == pages;
}

/* Each page of a small range, whatever part of it is meant, up to the last of the address space. */
CASE(small_ranges_by_page)
{
	static const struct {
		uint64_t start, bytes, first;
		unsigned int pages;
	} ranges[] = {
		{ UINT64_C(0xffff888000001000), 0x1000, UINT64_C(0xffff888000001000), 1 },
		{ UINT64_C(0xffff888000001001), 1, UINT64_C(0xffff888000001000), 1 },
		{ UINT64_C(0xffff888000001fff), 2, UINT64_C(0xffff888000001000), 2 },
		{ UINT64_C(0xffff888000000fff), 0x2002, UINT64_C(0xffff888000000000), 4 },
		{ UINT64_C(0xfffffffffffff000), 0x1000, UINT64_C(0xfffffffffffff000), 1 },
		{ UINT64_C(0xffffffffffffffff), 1, UINT64_C(0xfffffffffffff000), 1 },
		{ 0, 0x20000, 0, 32 },
	};
	unsigned int i;

	for (i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
		hm_x86_64_flush_local(va(ranges[i].start), ranges[i].bytes, HM_INVALIDATE_LEAVES);
		EXPECT(flushed(ranges[i].first, ranges[i].pages));
		hm_x86_64_flush_local(va(ranges[i].start), ranges[i].bytes, HM_INVALIDATE_TABLES);
		EXPECT(flushed(ranges[i].first, ranges[i].pages));
	}
}

/* More, or the whole address space but a page, is everything; CR4 is as it was. */
CASE(large_ranges_at_once)
{
	const uint64_t cr4 = x86.cr4;

	hm_x86_64_flush_local(va(0), 0x21000, HM_INVALIDATE_LEAVES);
	EXPECT(flushed_all());
	hm_x86_64_flush_local(va(0xfff), 0x20000, HM_INVALIDATE_LEAVES);
	EXPECT(flushed_all());
	hm_x86_64_flush_local(va(0x1000), 0 - UINT64_C(0x1000), HM_INVALIDATE_TABLES);
	EXPECT(flushed_all());
	x86.cr4 &= ~UINT64_C(0x80); /* nothing is global: it is written all the same */
	hm_x86_64_flush_local_all();
	EXPECT(flushed_all() && x86.cr4 == (cr4 & ~UINT64_C(0x80)));
}

/* INVLPG is not enough where there are other PCIDs. */
CASE(everything_with_pcids)
{
	x86.cr4 |= UINT64_C(1) << 17;
	hm_x86_64_flush_local(va(0x1000), 0x1000, HM_INVALIDATE_LEAVES);
	EXPECT(flushed_all());
}

/* Stores are visible before CPUs are asked; and each is asked once. */
CASE(invalidation_of_all_cpus)
{
	hm_pgtable_invalidate(va(0x5000), 0x2000, HM_INVALIDATE_LEAVES);
	EXPECT(x86.shootdowns == 1);
	EXPECT(x86.trace[x86.events - 3].kind == HM_INSN_MFENCE);
	EXPECT(x86.counts[HM_INSN_MFENCE] == 1 && flushed(0x5000, 2));
}

/* ---- code ---- */

/* Nothing is cleaned; stores are visible before CPUs are told; each serialises as it can. */
CASE(code)
{
	uint64_t alias[2] = { 0, ~UINT64_C(0) };
	uint32_t *instruction = (uint32_t *)(void *)alias + 1;

	hm_port_code_clean((const hm_pte_t *)(const void *)alias, sizeof(alias));
	EXPECT(x86.events == 1 && x86.trace[0].kind == HM_INSN_COMPILER);
	hm_port_code_invalidate(va(0x1000), sizeof(alias));
	EXPECT(x86.events == 2 && x86.trace[1].kind == HM_INSN_MFENCE);
	hm_x86_64_synchronise();
	EXPECT(x86.events == 3 && x86.trace[2].kind == HM_INSN_CPUID);
	x86.has_serialize = true;
	hm_x86_64_synchronise();
	EXPECT(x86.events == 4 && x86.trace[3].kind == HM_INSN_SERIALIZE);
	hm_port_code_patch(instruction, 0xccccccccu);
	EXPECT(x86.events == 5 && x86.trace[4].kind == HM_INSN_STORE32);
	EXPECT(*instruction == 0xccccccccu && alias[1] == ~UINT64_C(0) && !x86.bugs);
	EXPECT(HM_PORT_ROX_CACHE_TRAP == UINT64_C(0xcccccccccccccccc));
}

/* CPUID.(7, 0):EDX bit 14, if there is that leaf. */
CASE(cpu_has_serialize)
{
	x86.leaf_7_edx = UINT32_C(1) << 14;
	EXPECT(!hm_x86_64_cpu_has_serialize());
	x86.leaf_0_eax = 7;
	EXPECT(hm_x86_64_cpu_has_serialize());
	x86.leaf_7_edx = ~x86.leaf_7_edx;
	EXPECT(!hm_x86_64_cpu_has_serialize());
}

/* ---- faults ---- */

/* Every error code: what is reserved, of shadow stacks, SGX and the like is none of these; a key is told
 * first. */
CASE(faults)
{
	const uint64_t others = 1u << 3 | 1u << 6 | 1u << 7 | 1u << 15 | UINT64_C(1) << 31;
	uint64_t code;

	for (code = 0; code < 1u << 8; code++) {
		enum hm_kpkeys_fault expected = HM_KPKEYS_FAULT_PERMISSION;

		if (code & others)
			expected = HM_KPKEYS_FAULT_OTHER;
		else if (!(code & 1))
			expected = HM_KPKEYS_FAULT_NOT_MAPPED;
		else if (code & 1u << 5)
			expected = HM_KPKEYS_FAULT_KEY;
		EXPECT(hm_kpkeys_why(code, 0) == expected);
		EXPECT(hm_kpkeys_why(code | 1u << 15, 0) == HM_KPKEYS_FAULT_OTHER);
		EXPECT(hm_kpkeys_why(code | UINT64_C(1) << 31, 0) == HM_KPKEYS_FAULT_OTHER);
	}
}

/* ---- IA32_PKRS ---- */

#ifdef CONTRACT_KEY_STYLE
/* Two bits a key: AD, and WD. Key 0 is open at every level, no other but for reading at the default one. */
CASE(constants_of_levels)
{
	EXPECT(hm_context_constant_(HM_KPKEYS_DEFAULT) == UINT64_C(0xffffffa8));
	EXPECT(hm_context_constant_(HM_KPKEYS_PGTABLES) == UINT64_C(0xffffffa0));
	EXPECT(hm_context_constant_(HM_KPKEYS_TEXT) == UINT64_C(0xffffff88));
	EXPECT(hm_context_constant_(HM_KPKEYS_UNRESTRICTED) == 0);
	EXPECT(hm_context_constant_(X86_LEVEL) == UINT64_C(0x3fffffa8));
}

/* Of a key: what is neither read nor written is AD, what is not written is WD; execution is of no matter. */
CASE(permissions_of_keys)
{
	unsigned int key, may;

	for (key = 0; key < 16; key++)
		for (may = 0; may < 8; may++) {
			const uint64_t all = HM_PORT_KPKEYS_REGISTER(UINT64_C(0x5555555555555555));
			const uint64_t is = HM_PORT_KPKEYS_REGISTER(
				(UINT64_C(0x5555555555555555) & ~HM_KEY_ALLOW(key, 15)) |
				HM_KEY_ALLOW(key, may));

			EXPECT(!all && !(is & ~(UINT64_C(3) << 2 * key)));
			EXPECT((is >> 2 * key & 1) == !(may & HM_KEY_READ));
			EXPECT((is >> (2 * key + 1) & 1) == !(may & HM_KEY_WRITE));
		}
}

/* The register before the bit; then what a TLB knows is forgotten. The other bits of CR4 stay. */
CASE(keys_on_and_off)
{
	const uint64_t cr4 = x86.cr4, pks = UINT64_C(1) << 24;

	hm_x86_64_pks_enable();
	EXPECT(x86.events == 4 && x86.trace[0].kind == HM_INSN_WRMSR);
	EXPECT(x86.trace[0].value == UINT64_C(0xffffffa8) && x86.pkrs == UINT64_C(0xffffffa8));
	EXPECT(x86.trace[1].kind == HM_INSN_WRITE_CR4 && x86.trace[1].value == (cr4 | pks));
	EXPECT(x86.trace[2].value == ((cr4 | pks) ^ 0x80) && x86.cr4 == (cr4 | pks));
	hm_x86_64_pks_disable();
	EXPECT(x86.cr4 == cr4 && !x86.bugs);
}

/* CPUID.(7, 0):ECX bit 31, if there is that leaf. */
CASE(cpu_has_keys)
{
	x86.leaf_7_ecx = UINT32_C(1) << 31;
	EXPECT(!hm_x86_64_cpu_has_pks());
	x86.leaf_0_eax = 7;
	EXPECT(hm_x86_64_cpu_has_pks());
	x86.leaf_7_ecx = ~x86.leaf_7_ecx;
	EXPECT(!hm_x86_64_cpu_has_pks());
}

/* The window of a writer: two writes of the register, and none of anything else. */
CASE(window_of_a_writer)
{
	x86.key_style = HM_KEY_STYLE_WINDOW;
	hm_kpkeys_cpu_start();
	x86_clear();
	hm_pte_set(&root[1], hm_x86_64_table(pa(0x1000)));
	EXPECT(x86.counts[HM_INSN_WRMSR] == 2 && x86.counts[HM_INSN_STORE] == 1);
	EXPECT(!x86.counts[HM_INSN_MFENCE] && !x86.counts[HM_INSN_CPUID] && !x86.bugs);
	EXPECT(x86.pkrs == UINT64_C(0xffffffa8));
	hm_port_pte_store(&root[1], hm_x86_64_table(pa(0x2000)));
	EXPECT(x86.bugs == 1); /* without one */
	hm_port_keyed_begin();
	hm_port_pte_store_keyed(&root[1], hm_x86_64_table(pa(0x3000)));
	hm_port_keyed_end();
	EXPECT(x86.bugs == 2 && root[1].val == 0x2063); /* there is no such instruction */
}
#endif
