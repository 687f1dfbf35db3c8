/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * tlbi.h -- hm_port_pgtable_invalidate() as arm64 TLB maintenance: EL1&0 regime, any granule, all
 * ASIDs, inner shareable. Include it from your hardmap_port.h, which adds
 *
 *	#define HM_PORT_ARM64_PAGE_SHIFT 12        // the granule, as for vmsa.h
 *	bool hm_port_arm64_has_tlbi_range(void);   // FEAT_TLBIRANGE on every CPU
 *	bool hm_port_arm64_has_store_keys(void);   // as for barrier.h
 *
 * Your decision, as only you know all CPUs: hm_arm64_cpu_has_tlbi_range() answers for this one.
 */
#ifndef HM_ARM64_TLBI_H
#define HM_ARM64_TLBI_H
#define HM_PGTABLE_TYPES_ONLY
#include <hardmap/pgtable.h>
#undef HM_PGTABLE_TYPES_ONLY
#include <arm64/barrier.h>

#ifndef HM_PORT_ARM64_PAGE_SHIFT
#error "tlbi.h: the port must define HM_PORT_ARM64_PAGE_SHIFT, 12, 14 or 16"
#endif
/* Without the range forms, more pages than this cost more one by one than refilling the whole TLB. */
#define HM_ARM64_TLBI_MAX_PAGES 512

/* Whether this CPU has the range forms (Arm ARM D23.2, ID_AA64ISAR0_EL1.TLB). */
static inline bool hm_arm64_cpu_has_tlbi_range(void)
{
	return (hm_insn_mrs_id_aa64isar0_el1() >> 56 & 0xf) >= 2;
}

/* The operand of TLBI VA*: VA[55:12] in bits 43:0 whatever the granule; TTL (47:44) 0, so that no
 * level is hinted; ASID (63:48) ignored by the all-ASID forms. The mask keeps VA[63:56] out of TTL. */
static inline uint64_t hm_arm64_tlbi_operand(hm_va_t va)
{
	return va.val >> 12 & ((UINT64_C(1) << 44) - 1);
}

/* The operand of TLBI RVA*: BaseADDR, the page's number, in bits 36:0, TTL (38:37) 0, NUM (43:39), SCALE
 * (45:44), TG (47:46) 1, 2, 3 for 4K, 16K, 64K. It covers (num + 1) << (5 * scale + 1) pages. */
static inline uint64_t hm_arm64_tlbi_range_operand(hm_va_t va, unsigned int scale, unsigned int num)
{
	return (va.val >> HM_PORT_ARM64_PAGE_SHIFT & ((UINT64_C(1) << 37) - 1)) |
	       (uint64_t)num << 39 | (uint64_t)scale << 44 |
	       (uint64_t)(HM_PORT_ARM64_PAGE_SHIFT / 2 - 5) << 46;
}

/* One page: any entry that translates it, with the walk caches on its way for TABLES. */
static inline void hm_arm64_tlbi_page_(hm_va_t va, enum hm_invalidate what)
{
	if (what == HM_INVALIDATE_LEAVES)
		hm_insn_tlbi_vaale1is(hm_arm64_tlbi_operand(va));
	else
		hm_insn_tlbi_vaae1is(hm_arm64_tlbi_operand(va));
}

/* The pages by range forms: an odd page by itself, then from the smallest scale up, as each form
 * takes an even number and scale 3 alone reaches 2^21 pages. */
static inline void hm_arm64_tlbi_ranges_(hm_va_t va, uint64_t pages, enum hm_invalidate what)
{
	unsigned int scale;

	if (pages & 1) {
		hm_arm64_tlbi_page_(va, what);
		va.val += UINT64_C(1) << HM_PORT_ARM64_PAGE_SHIFT;
	}
	for (scale = 0; scale < 4; scale++) {
		unsigned int units = (unsigned int)(pages >> (5 * scale + 1)) & 31;
		uint64_t operand = hm_arm64_tlbi_range_operand(va, scale, units - 1);

		if (!units)
			continue;
		if (what == HM_INVALIDATE_LEAVES)
			hm_insn_tlbi_rvaale1is(operand);
		else
			hm_insn_tlbi_rvaae1is(operand);
		va.val += (uint64_t)units << (5 * scale + 1 + HM_PORT_ARM64_PAGE_SHIFT);
	}
}

static inline void hm_port_pgtable_invalidate(hm_va_t va, uint64_t size, enum hm_invalidate what)
{
	const uint64_t page = UINT64_C(1) << HM_PORT_ARM64_PAGE_SHIFT;
	const hm_va_t start = { va.val & ~(page - 1) };
	/* Counted from the last byte: the range may end at the top of the address space. */
	const uint64_t pages = ((va.val + size - 1) >> HM_PORT_ARM64_PAGE_SHIFT) -
			       (va.val >> HM_PORT_ARM64_PAGE_SHIFT) + 1;
	uint64_t i;

	/* Orders the table stores of this PE before the invalidation: a walk that starts after the TLBI
	 * on any PE sees them (Arm ARM D8.17.1). */
	hm_port_context_publish();
	if (hm_port_arm64_has_tlbi_range() && pages < UINT64_C(1) << 21) {
		hm_arm64_tlbi_ranges_(start, pages, what);
	} else if (pages <= HM_ARM64_TLBI_MAX_PAGES) {
		for (i = 0; i < pages; i++) {
			const hm_va_t each = { start.val + i * page };

			hm_arm64_tlbi_page_(each, what);
		}
	} else {
		hm_insn_tlbi_vmalle1is();
	}
	/* Waits until every PE of the domain has finished the TLBI and the accesses that used the old
	 * translations; ISHST would not wait for TLBI. */
	hm_insn_dsb_ish();
	/* And nothing that this PE fetched or translated ahead uses them. */
	hm_insn_isb();
}
#endif
