/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * vmsa.h -- VMSAv8-64 stage 1 descriptors, EL1&0 regime, 48-bit addresses, any granule (Arm ARM
 * D8.3), and the entry hooks of pgtable.h over them. Include it from your hardmap_port.h, which
 * adds
 *
 *	#define HM_PORT_ARM64_PAGE_SHIFT 12              // the granule: 12 (4K), 14 (16K), 16 (64K)
 *	hm_pte_t *hm_port_pgtable_map(hm_pa_t table);    // where running code reaches a table
 *	hm_pte_t *hm_port_pgtable_root(hm_va_t va);      // the table of TTBR0 or TTBR1
 *	bool hm_port_arm64_has_store_keys(void);         // what a key makes of a page: see gcs.h
 *
 * Levels are those of pgtable.h, counted from the leaves: level 0 here is lookup level 3 of the Arm
 * ARM.
 */
#ifndef HM_ARM64_VMSA_H
#define HM_ARM64_VMSA_H
#define HM_DIRECT_MAP_TYPES_ONLY
#include <hardmap/direct_map.h>
#undef HM_DIRECT_MAP_TYPES_ONLY
#define HM_PGTABLE_TYPES_ONLY
#include <hardmap/pgtable.h>
#undef HM_PGTABLE_TYPES_ONLY
#include <arm64/insn.h>

/* A table is a page of entries. The levels reach over 48 bits of address; blocks exist up to 1G, 32M and
 * 512M, as larger ones need FEAT_LPA2 (Arm ARM D8.2, D8.3.1). */
#ifndef HM_PORT_ARM64_PAGE_SHIFT
#error "vmsa.h: the port must define HM_PORT_ARM64_PAGE_SHIFT, 12, 14 or 16"
#elif HM_PORT_ARM64_PAGE_SHIFT == 12
#define HM_PORT_PGTABLE_LEVELS 4
#define HM_PORT_PGTABLE_ENTRIES 512
#define HM_PORT_PGTABLE_BLOCK_LEVEL 2
#elif HM_PORT_ARM64_PAGE_SHIFT == 14
#define HM_PORT_PGTABLE_LEVELS 4 /* two entries of the top level are in use */
#define HM_PORT_PGTABLE_ENTRIES 2048
#define HM_PORT_PGTABLE_BLOCK_LEVEL 1
#elif HM_PORT_ARM64_PAGE_SHIFT == 16
#define HM_PORT_PGTABLE_LEVELS 3 /* 64 entries of the top level are in use */
#define HM_PORT_PGTABLE_ENTRIES 8192
#define HM_PORT_PGTABLE_BLOCK_LEVEL 1
#else
#error "vmsa.h: HM_PORT_ARM64_PAGE_SHIFT must be 12, 14 or 16"
#endif

/* Descriptor fields (Arm ARM D8.3.1, D8.3.2). */
#define HM_ARM64_VALID UINT64_C(0x0000000000000001)
#define HM_ARM64_TABLE UINT64_C(0x0000000000000002) /* or page, at level 0; 0: block */
#define HM_ARM64_ATTR(n) ((uint64_t)(n) << 2) /* AttrIndx: which field of MAIR_EL1, 0 to 7 */
#define HM_ARM64_USER UINT64_C(0x0000000000000040) /* AP[1]: EL0 too */
#define HM_ARM64_READONLY UINT64_C(0x0000000000000080) /* AP[2] */
#define HM_ARM64_INNER_SHAREABLE UINT64_C(0x0000000000000300) /* SH */
#define HM_ARM64_ACCESSED UINT64_C(0x0000000000000400) /* AF */
#define HM_ARM64_NOT_GLOBAL UINT64_C(0x0000000000000800) /* nG */
#define HM_ARM64_ADDRESS /* bits 47 down to the page's */ \
	((UINT64_C(1) << 48) - (UINT64_C(1) << HM_PORT_ARM64_PAGE_SHIFT))
#define HM_ARM64_WRITABLE UINT64_C(0x0008000000000000) /* DBM; with FEAT_S1PIE part of PIIndex */
#define HM_ARM64_CONTIGUOUS UINT64_C(0x0010000000000000) /* of a group that a TLB may hold as one */
#define HM_ARM64_PXN UINT64_C(0x0020000000000000) /* EL1 does not execute it */
#define HM_ARM64_UXN UINT64_C(0x0040000000000000) /* EL0 does not execute it */

/* A bit of software's (58:55), of keep_small of direct_map.h; and which fields of MAIR_EL1 are Normal
 * write-back memory, bit n for field n, as store keys need it. For kernels that have it otherwise. */
#ifndef HM_PORT_ARM64_KEEP_SMALL
#define HM_PORT_ARM64_KEEP_SMALL UINT64_C(0x0080000000000000)
#endif
#ifndef HM_PORT_ARM64_WRITE_BACK
#define HM_PORT_ARM64_WRITE_BACK 1u
#endif
#define HM_ARM64_KEEP_SMALL HM_PORT_ARM64_KEEP_SMALL
#define HM_ARM64_KEY(key) ((uint64_t)(key) << 60) /* POIndex: of FEAT_S1POE, else ignored; 0 to 7 */

/* With FEAT_S1PIE, the index into PIR_EL1 and PIRE0_EL1: bits 54, 53, 51 and 6 (Arm ARM D8.4.3). */
#define HM_ARM64_PIINDEX(entry) \
	(((entry) >> 51 & 0xc) | ((entry) >> 50 & 0x2) | ((entry) >> 6 & 0x1))

/* MAIR_EL1 that the mappings below assume in fields 0 and 1: Normal write-back, Device-nGnRnE. */
#define HM_ARM64_MAIR 0x00ff

/*
 * What a page or block is for; HM_ARM64_KEY() may be added. KERNEL_KEYED is KERNEL_RW with a store key: by
 * PIR_EL1 of gcs.h only the keyed store writes it. Its index is free, as nothing else is EL0's to execute and
 * EL1's to write; without FEAT_S1PIE it is ordinary memory, executable at EL0, which cannot read it. All have
 * AF set: the port has no access-flag handler. They say the same with and without FEAT_S1PIE: there bits 54,
 * 53, 51 and 6 are PIIndex, which PIR_EL1 and PIRE0_EL1 of pie.h translate back, and bit 7 is nDirty, 0 in
 * what is writable (Arm ARM D8.4).
 */
#define HM_ARM64_KERNEL_DATA_ \
	(HM_ARM64_ATTR(0) | HM_ARM64_INNER_SHAREABLE | HM_ARM64_ACCESSED | HM_ARM64_UXN)
#define HM_ARM64_KERNEL_RW (HM_ARM64_KERNEL_DATA_ | HM_ARM64_PXN | HM_ARM64_WRITABLE)
#define HM_ARM64_KERNEL_KEYED (HM_ARM64_KERNEL_RW & ~HM_ARM64_UXN)
#define HM_ARM64_KERNEL_RO (HM_ARM64_KERNEL_DATA_ | HM_ARM64_PXN | HM_ARM64_READONLY)
#define HM_ARM64_KERNEL_RX (HM_ARM64_KERNEL_DATA_ | HM_ARM64_READONLY)
#define HM_ARM64_KERNEL_DEVICE \
	(HM_ARM64_ATTR(1) | HM_ARM64_ACCESSED | HM_ARM64_PXN | HM_ARM64_UXN | HM_ARM64_WRITABLE)
#define HM_ARM64_USER_DATA_                                                               \
	(HM_ARM64_ATTR(0) | HM_ARM64_INNER_SHAREABLE | HM_ARM64_ACCESSED | HM_ARM64_PXN | \
	 HM_ARM64_USER | HM_ARM64_NOT_GLOBAL)
#define HM_ARM64_USER_RW (HM_ARM64_USER_DATA_ | HM_ARM64_UXN | HM_ARM64_WRITABLE)
#define HM_ARM64_USER_RO (HM_ARM64_USER_DATA_ | HM_ARM64_UXN | HM_ARM64_READONLY)
#define HM_ARM64_USER_RX (HM_ARM64_USER_DATA_ | HM_ARM64_READONLY)

/* log2 of the bytes that an entry of a level translates. */
static inline unsigned int hm_arm64_level_shift(unsigned int level)
{
	return HM_PORT_ARM64_PAGE_SHIFT + level * (HM_PORT_ARM64_PAGE_SHIFT - 3);
}

/*
 * The entry of a level that maps the memory at pa: a page at level 0, a block above: 2M and 1G with 4K
 * pages, 32M with 16K, 512M with 64K. The entry 0, which maps nothing, if the level has no blocks, if
 * pa is not aligned to the size or has more than 48 bits, or if attributes has other bits than
 * attributes (Arm ARM D8.3.1).
 */
static inline hm_pte_t hm_arm64_leaf(hm_pa_t pa, unsigned int level, uint64_t attributes)
{
	const uint64_t reserved = HM_ARM64_ADDRESS | HM_ARM64_VALID | HM_ARM64_TABLE;
	hm_pte_t pte = { 0 };

	if (level > HM_PORT_PGTABLE_BLOCK_LEVEL ||
	    (pa.val & ((UINT64_C(1) << hm_arm64_level_shift(level)) - 1)) ||
	    (pa.val & ~HM_ARM64_ADDRESS) || (attributes & reserved))
		return pte;
	pte.val = pa.val | attributes | HM_ARM64_VALID | (level ? 0 : HM_ARM64_TABLE);
	return pte;
}

/*
 * The entry that links the table at pa, without hierarchical permissions: what is below decides.
 * The entry 0 if pa is not a page's or has more than 48 bits (Arm ARM D8.3.1).
 */
static inline hm_pte_t hm_arm64_table(hm_pa_t pa)
{
	hm_pte_t pte = { 0 };

	if (!(pa.val & ~HM_ARM64_ADDRESS))
		pte.val = pa.val | HM_ARM64_VALID | HM_ARM64_TABLE;
	return pte;
}

/* The memory that a valid page or block entry maps; its own bits below the block's size are 0. */
static inline hm_pa_t hm_arm64_leaf_address(hm_pte_t pte)
{
	const hm_pa_t pa = { pte.val & HM_ARM64_ADDRESS };

	return pa;
}

/* ---- hooks of pgtable.h ---- */
static inline hm_pte_t hm_port_pte_load(const hm_pte_t *ptep)
{
	const hm_pte_t pte = { hm_insn_ldr(&ptep->val) };

	return pte;
}

static inline void hm_port_pte_store(hm_pte_t *ptep, hm_pte_t pte)
{
	hm_insn_str(&ptep->val, pte.val);
}

static inline hm_pte_t *hm_port_pte_store_pair(hm_pte_t *ptep, hm_pte_t first, hm_pte_t second)
{
	return (hm_pte_t *)(void *)hm_insn_stp(&ptep->val, first.val, second.val);
}

static inline hm_pte_t hm_port_pte_compare_exchange(hm_pte_t *ptep, hm_pte_t expected,
						    hm_pte_t desired)
{
	const hm_pte_t found = { hm_insn_cas(&ptep->val, expected.val, desired.val) };

	return found;
}

/* DMB ISHST: stores that fill the table before the store that links it, for every observer of the
 * inner shareable domain; a walker that reads the link reads by address dependency what it leads to
 * (Arm ARM D8.17.1, B2.3.7). */
static inline void hm_port_pgtable_order_fill(void)
{
	hm_insn_dmb_ishst();
}

static inline bool hm_port_pte_is_valid(hm_pte_t pte)
{
	return pte.val & HM_ARM64_VALID;
}

/* EL0 may read it: AP[1], which is ignored, and 0, in a link. What EL0 may only execute counts as the
 * kernel's and is published without need: a link cannot be told from it without the level. */
static inline bool hm_port_pte_is_user(hm_pte_t pte)
{
	return pte.val & HM_ARM64_USER;
}

static inline bool hm_port_pte_is_table(hm_pte_t pte, unsigned int level)
{
	return level && (pte.val & HM_ARM64_TABLE);
}

static inline hm_pa_t hm_port_pte_table(hm_pte_t pte)
{
	return hm_arm64_leaf_address(pte);
}

/* Of 48 bits: those above only say which root it is, and would index beyond the part of a top-level
 * table that is in use. */
static inline unsigned int hm_port_pgtable_index(hm_va_t va, unsigned int level)
{
	return (unsigned int)((va.val & ((UINT64_C(1) << 48) - 1)) >> hm_arm64_level_shift(level)) &
	       (HM_PORT_PGTABLE_ENTRIES - 1);
}

static inline unsigned int hm_port_pgtable_shift(unsigned int level)
{
	return hm_arm64_level_shift(level);
}

/* EL1's view without hierarchical permissions and overlays, of entries with the attributes above (Arm ARM
 * D8.4.1, D8.4.3). Not accessed: an access flag fault is no spurious one. PAN is the caller's to know: it
 * concerns user entries only. */
static inline bool hm_port_pte_permits(hm_pte_t pte, enum hm_access access)
{
	if (!(pte.val & HM_ARM64_ACCESSED))
		return false;
	if (access == HM_ACCESS_WRITE)
		return (pte.val & (HM_ARM64_READONLY | HM_ARM64_WRITABLE)) == HM_ARM64_WRITABLE;
	if (access == HM_ACCESS_EXECUTE)
		return !(pte.val & HM_ARM64_PXN) &&
		       (pte.val & (HM_ARM64_USER | HM_ARM64_READONLY)) != HM_ARM64_USER;
	return true;
}

/* ---- hooks of direct_map.h ---- */

/* What of an entry enum hm_permission is about. */
#define HM_ARM64_PERMISSION_ (HM_ARM64_PXN | HM_ARM64_READONLY | HM_ARM64_WRITABLE)
#define HM_ARM64_NOT_OTHER_                                                         \
	(HM_ARM64_ADDRESS | HM_ARM64_VALID | HM_ARM64_TABLE | HM_ARM64_CONTIGUOUS | \
	 HM_ARM64_KEEP_SMALL | HM_ARM64_KEY(7) | HM_ARM64_PERMISSION_)

/* Whether a valid entry is KERNEL_KEYED. */
static inline bool hm_arm64_is_keyed_(uint64_t value)
{
	return (value & (HM_ARM64_PERMISSION_ | HM_ARM64_UXN | HM_ARM64_USER)) ==
	       (HM_ARM64_KERNEL_KEYED & HM_ARM64_PERMISSION_);
}

/* Entries with the attributes above, for the kernel; whether one with a key is KERNEL_KEYED is no attribute
 * but the system's way to lock it. An invalid one has those of its memory, writable. A block and a page
 * differ in bit 1, which a link has too: an invalid link is none of a linear map's. */
static inline bool hm_port_leaf_decode(hm_pte_t pte, unsigned int level, struct hm_leaf *leaf)
{
	if ((pte.val & HM_ARM64_USER) || !(pte.val & HM_ARM64_TABLE) != (level > 0) ||
	    level > HM_PORT_PGTABLE_BLOCK_LEVEL)
		return false;
	leaf->pa = hm_arm64_leaf_address(pte);
	leaf->other = pte.val & ~HM_ARM64_NOT_OTHER_;
	leaf->key = (unsigned int)(pte.val >> 60 & 7);
	if (leaf->key && hm_arm64_is_keyed_(pte.val))
		leaf->other |= HM_ARM64_UXN;
	leaf->contiguous = pte.val & HM_ARM64_CONTIGUOUS;
	leaf->keep_small = pte.val & HM_ARM64_KEEP_SMALL;
	switch (pte.val & (HM_ARM64_PERMISSION_ | HM_ARM64_VALID)) {
	case HM_ARM64_VALID | HM_ARM64_PXN | HM_ARM64_WRITABLE:
		leaf->permission = HM_PERMISSION_RW;
		return true;
	case HM_ARM64_VALID | HM_ARM64_PXN | HM_ARM64_READONLY:
		leaf->permission = HM_PERMISSION_RO;
		return true;
	case HM_ARM64_VALID | HM_ARM64_READONLY:
		leaf->permission = HM_PERMISSION_ROX;
		return true;
	case HM_ARM64_PXN | HM_ARM64_WRITABLE:
		leaf->permission = HM_PERMISSION_INVALID;
		return true;
	default:
		return false;
	}
}

/* With a store key, memory that is not Normal write-back is not writable: it takes no keyed stores. */
static inline hm_pte_t hm_port_leaf_encode(const struct hm_leaf *leaf, unsigned int level)
{
	uint64_t attributes = leaf->other | HM_ARM64_KEY(leaf->key) |
			      (leaf->contiguous ? HM_ARM64_CONTIGUOUS : 0) |
			      (leaf->keep_small ? HM_ARM64_KEEP_SMALL : 0);
	hm_pte_t pte = { 0 };

	if (leaf->permission == HM_PERMISSION_RO)
		attributes |= HM_ARM64_PXN | HM_ARM64_READONLY;
	else if (leaf->permission == HM_PERMISSION_ROX)
		attributes |= HM_ARM64_READONLY;
	else
		attributes |= HM_ARM64_PXN | HM_ARM64_WRITABLE;
	if (leaf->key > 7 || leaf->permission > HM_PERMISSION_INVALID)
		return pte;
	pte = hm_arm64_leaf(leaf->pa, level, attributes);
	if (leaf->permission == HM_PERMISSION_INVALID)
		pte.val &= ~HM_ARM64_VALID;
	else if (leaf->permission == HM_PERMISSION_RW && leaf->key &&
		 hm_port_arm64_has_store_keys())
		pte.val = HM_PORT_ARM64_WRITE_BACK >> (leaf->other >> 2 & 7) & 1
				  ? pte.val & ~HM_ARM64_UXN
				  : 0;
	return pte;
}

/* Groups are of 64K, 32M and 16G with 4K pages, 2M and 1G with 16K, 2M and 16G with 64K (Arm ARM D8.7.1). */
static inline unsigned int hm_port_leaf_group(unsigned int level)
{
	if (level > HM_PORT_PGTABLE_BLOCK_LEVEL)
		return 1;
	if (HM_PORT_ARM64_PAGE_SHIFT == 12)
		return 16;
	return HM_PORT_ARM64_PAGE_SHIFT == 14 && !level ? 128 : 32;
}

static inline hm_pte_t hm_port_pte_link(hm_pa_t table)
{
	return hm_arm64_table(table);
}
#endif
