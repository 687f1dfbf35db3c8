/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * tlbi.c -- ports/arm64/tlbi.h: operands by their bits, and that the operations of a range cover it
 * exactly.
 */
#include "suite.h"
#include <hardmap/pgtable.h>

#define PAGE_SHIFT HM_PORT_ARM64_PAGE_SHIFT
#define PAGE (UINT64_C(1) << PAGE_SHIFT)
/* An address of a page whatever the granule, with upper bits that must not leak. */
#define START (UINT64_C(0xffff800012340000))

static void suite_setup(void)
{
	hm_hosted_reset();
}

static hm_va_t va(uint64_t val)
{
	const hm_va_t address = { val };

	return address;
}

/* The operand is VA[55:12] in bits 43:0 and nothing else, whatever the upper bits of the address: they are
 * neither a level hint nor an ASID. */
CASE(operand_is_masked)
{
	EXPECT(hm_arm64_tlbi_operand(va(0x12345678)) == 0x12345);
	EXPECT(hm_arm64_tlbi_operand(va(UINT64_C(0xffff800012345678))) == UINT64_C(0xff800012345));
	EXPECT(hm_arm64_tlbi_operand(va(~UINT64_C(0))) == UINT64_C(0xfffffffffff));
}

/* The range operand: BaseADDR in pages, NUM, SCALE, and TG. */
CASE(range_operand)
{
	static const uint64_t low[] = { 0x0000400000012340, 0x00008000000048d0,
					0x0000c00000001234 };
	static const uint64_t high[] = { 0x7f9800012340, 0xbf9e000048d0, 0xff9f80001234 };
	const unsigned int granule = PAGE_SHIFT / 2 - 6;

	EXPECT(hm_arm64_tlbi_range_operand(va(0x12340000), 0, 0) == low[granule]);
	EXPECT(hm_arm64_tlbi_range_operand(va(START), 3, 31) == high[granule]);
}

/* The trace is: DSB ISHST; operations that cover each page of [start, start + pages) once, in order, all of
 * one kind; DSB ISH; ISB. Returns the number of operations, 0 if it is anything else. */
static unsigned int operations_that_cover(uint64_t start, uint64_t pages,
					  enum hm_insn_kind page_form, enum hm_insn_kind range_form)
{
	const struct hm_hosted_event *event = hm_hosted.trace;
	const struct hm_hosted_event *end = event + hm_hosted.events;
	uint64_t next = start >> PAGE_SHIFT;
	unsigned int operations = 0;

	if (end - event < 4 || event->kind != HM_INSN_DSB_ISHST ||
	    end[-2].kind != HM_INSN_DSB_ISH || end[-1].kind != HM_INSN_ISB)
		return 0;
	for (event++; event < end - 2; event++, operations++) {
		uint64_t operand = event->value;

		if (event->kind == page_form) {
			if (operand != (next << (PAGE_SHIFT - 12) & ((UINT64_C(1) << 44) - 1)))
				return 0;
			next++;
		} else if (event->kind == range_form) {
			unsigned int num = operand >> 39 & 31, scale = operand >> 44 & 3;

			if ((operand & ((UINT64_C(1) << 37) - 1)) !=
				    (next & ((UINT64_C(1) << 37) - 1)) ||
			    operand >> 46 != PAGE_SHIFT / 2 - 5)
				return 0;
			next += (uint64_t)(num + 1) << (5 * scale + 1);
		} else {
			return 0;
		}
	}
	return next - (start >> PAGE_SHIFT) == pages ? operations : 0;
}

/* Any number of pages is covered exactly, by at most one operation a scale and one for an odd page. */
CASE(ranges_are_covered_exactly)
{
	static const uint64_t pages[] = { 1,
					  2,
					  3,
					  31,
					  32,
					  62,
					  63,
					  64,
					  65,
					  511,
					  512,
					  513,
					  2047,
					  65535,
					  65536,
					  1u << 20,
					  (1u << 21) - 1 };
	const uint64_t start = START;
	unsigned int i, n;

	for (i = 0; i < sizeof(pages) / sizeof(*pages); i++) {
		suite_setup();
		hm_hosted.has_tlbi_range = true;
		hm_pgtable_invalidate(va(start), pages[i] << PAGE_SHIFT, HM_INVALIDATE_LEAVES);
		n = operations_that_cover(start, pages[i], HM_INSN_TLBI_VAALE1IS,
					  HM_INSN_TLBI_RVAALE1IS);
		EXPECT(n >= 1 && n <= 5);
		suite_setup();
		hm_hosted.has_tlbi_range = true;
		hm_pgtable_invalidate(va(start), pages[i] << PAGE_SHIFT, HM_INVALIDATE_TABLES);
		n = operations_that_cover(start, pages[i], HM_INSN_TLBI_VAAE1IS,
					  HM_INSN_TLBI_RVAAE1IS);
		EXPECT(n >= 1 && n <= 5);
	}
}

/* Without the range forms, page by page. */
CASE(pages_one_by_one)
{
	const uint64_t start = START;

	hm_pgtable_invalidate(va(start), 100 << PAGE_SHIFT, HM_INVALIDATE_LEAVES);
	EXPECT(operations_that_cover(start, 100, HM_INSN_TLBI_VAALE1IS, HM_INSN_KINDS) == 100);
	suite_setup();
	hm_pgtable_invalidate(va(start), 100 << PAGE_SHIFT, HM_INVALIDATE_TABLES);
	EXPECT(operations_that_cover(start, 100, HM_INSN_TLBI_VAAE1IS, HM_INSN_KINDS) == 100);
}

/* Bytes that touch a page invalidate it: the range is that of all pages touched. */
CASE(unaligned_bytes_round_outwards)
{
	const uint64_t start = START;

	hm_pgtable_invalidate(va(start + PAGE - 1), 2, HM_INVALIDATE_LEAVES);
	EXPECT(operations_that_cover(start, 2, HM_INSN_TLBI_VAALE1IS, HM_INSN_KINDS) == 2);
	suite_setup();
	hm_pgtable_invalidate(va(start + 1), 1, HM_INVALIDATE_LEAVES);
	EXPECT(operations_that_cover(start, 1, HM_INSN_TLBI_VAALE1IS, HM_INSN_KINDS) == 1);
}

/* The last page of the address space is one page. */
CASE(top_of_the_address_space)
{
	hm_pgtable_invalidate(va(UINT64_C(0) - PAGE), PAGE, HM_INVALIDATE_LEAVES);
	EXPECT(operations_that_cover(UINT64_C(0) - PAGE, 1, HM_INSN_TLBI_VAALE1IS, HM_INSN_KINDS) ==
	       1);
}

/* What wraps is reported and ends there. */
CASE(wrap_ends_at_the_top_of_the_address_space)
{
	hm_pgtable_invalidate(va(UINT64_C(0) - 2 * PAGE), 3 * PAGE, HM_INVALIDATE_LEAVES);
	EXPECT(hm_hosted.bugs == 1);
	EXPECT(operations_that_cover(UINT64_C(0) - 2 * PAGE, 2, HM_INSN_TLBI_VAALE1IS,
				     HM_INSN_KINDS) == 2);
}

/* Too much for either way invalidates everything, broadcast, with the same barriers. */
static bool invalidates_all(uint64_t pages)
{
	suite_setup();
	hm_pgtable_invalidate(va(0), pages << PAGE_SHIFT, HM_INVALIDATE_LEAVES);
	return hm_hosted.events == 4 && hm_hosted.trace[0].kind == HM_INSN_DSB_ISHST &&
	       hm_hosted.trace[1].kind == HM_INSN_TLBI_VMALLE1IS &&
	       hm_hosted.trace[2].kind == HM_INSN_DSB_ISH && hm_hosted.trace[3].kind == HM_INSN_ISB;
}

CASE(large_ranges_invalidate_all)
{
	EXPECT(!invalidates_all(512));
	EXPECT(invalidates_all(513));
	suite_setup();
	hm_hosted.has_tlbi_range = true;
	hm_pgtable_invalidate(va(0), PAGE << 21, HM_INVALIDATE_LEAVES);
	EXPECT(hm_hosted.events == 4 && hm_hosted.counts[HM_INSN_TLBI_VMALLE1IS] == 1);
}

/* ID_AA64ISAR0_EL1.TLB, bits 59:56, is 2 or more where a CPU has the range forms; 1 is other forms. */
CASE(detection)
{
	unsigned int field;

	for (field = 0; field < 16; field++) {
		hm_hosted.id_aa64isar0_el1 = (uint64_t)field << 56;
		EXPECT(hm_arm64_cpu_has_tlbi_range() == (field >= 2));
	}
	hm_hosted.id_aa64isar0_el1 = ~(UINT64_C(15) << 56);
	EXPECT(!hm_arm64_cpu_has_tlbi_range());
}
