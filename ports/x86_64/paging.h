/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * paging.h -- paging-structure entries of 4-level and 5-level paging (SDM vol 3, 4.5), and the entry hooks of
 * pgtable.h and direct_map.h over them. Include it from your hardmap_port.h, which adds
 *
 *	hm_pte_t *hm_port_pgtable_map(hm_pa_t table);    // where running code reaches a table
 *	hm_pte_t *hm_port_pgtable_root(hm_va_t va);      // the table of CR3; NULL if va is not canonical
 *	bool hm_port_x86_64_has_1g_pages(void);          // every CPU has: hm_x86_64_cpu_has_1g_pages()
 *	#define HM_PORT_X86_64_LEVELS 5                  // if CR4.LA57 is 1; else 4, the default
 *
 * It takes for granted EFER.NXE, CR0.WP and CR4.SMEP 1: what no entry has NX of is executed, what is not
 * writable the kernel does not write either, and the kernel executes no user pages. The bit that encrypts
 * memory (AMD's SME) is none of an entry's that this knows: it would be an address.
 *
 * Levels are those of pgtable.h, counted from the leaves: 0 is the page table, whose entries the SDM calls
 * PTE, 1 the page directory (PDE, 2M), 2 the page-directory-pointer table (PDPTE, 1G), 3 PML4E, 4 PML5E.
 *
 *	PAT        is bit 7 in the entry of a page, where larger ones have PS, and bit 12 in theirs.
 *	           Attributes, and `other` of struct hm_leaf, have it as a page does, whatever the level: so a
 *	           split keeps it
 *	A, D       In a linear map A is set, and D where it is writable and there alone: the processor never
 *	           writes such an entry, so that a store to it undoes nothing, and entries that say the same
 *	           are the same. Not writable, but D, is a shadow stack's (SDM vol 3, 4.6.1, "shadow-stack
 *	           page"), and one without A, or writable without D, is one that the processor may be about to
 *	           change: hm_port_leaf_decode() refuses all three
 *	invalid    entries that keep their memory say another address: loads may speculate on that of an entry
 *	           whose P flag is 0 and find what the L1 data cache has of it (L1 terminal fault,
 *	           CVE-2018-3620). HM_PORT_X86_64_INVERT 1 inverts it, as Linux does, whose own functions then
 *	           understand such entries. 0, the default, adds 40T: caches of the CPUs concerned tell 44 or
 *	           46 bits apart, and in either there is no memory up there, unless there is more than 8T or
 *	           24T of it
 *	sizes      change live: an old and a new entry may be in use side by side, and while they say the same
 *	           nobody sees which (SDM vol 3, 4.10.2.3, 4.10.4.2). So hm_port_bbm_level() is 3, but for two
 *	           kinds of CPU that are in trouble where instructions are *fetched* by two sizes: those with
 *	           "iTLB multihit" (CVE-2018-12207; IA32_ARCH_CAPABILITIES bit 6, IF_PSCHANGE_MC_NO, is 0)
 *	           and early Atoms (erratum AAH41). A linear map that never executes is as good as any there;
 *	           where it has ROX leaves answer 0 on these
 */
#ifndef HM_X86_64_PAGING_H
#define HM_X86_64_PAGING_H
#define HM_DIRECT_MAP_TYPES_ONLY
#include <hardmap/direct_map.h>
#undef HM_DIRECT_MAP_TYPES_ONLY
#define HM_PGTABLE_TYPES_ONLY
#include <hardmap/pgtable.h>
#undef HM_PGTABLE_TYPES_ONLY
#include <x86_64/insn.h>

#ifndef HM_PORT_X86_64_LEVELS
#define HM_PORT_X86_64_LEVELS 4
#elif HM_PORT_X86_64_LEVELS != 4 && HM_PORT_X86_64_LEVELS != 5
#error "paging.h: HM_PORT_X86_64_LEVELS must be 4 or 5"
#endif
#define HM_PORT_PGTABLE_LEVELS HM_PORT_X86_64_LEVELS
#define HM_PORT_PGTABLE_ENTRIES 512
#define HM_PORT_PGTABLE_BLOCK_LEVEL 2 /* 1G; where CPUs lack it hm_x86_64_leaf() refuses */

/* Fields of entries (SDM vol 3, tables 4-14 to 4-20). */
#define HM_X86_64_PRESENT UINT64_C(0x0000000000000001) /* P */
#define HM_X86_64_WRITABLE UINT64_C(0x0000000000000002) /* R/W */
#define HM_X86_64_USER UINT64_C(0x0000000000000004) /* U/S: user mode too */
#define HM_X86_64_PWT UINT64_C(0x0000000000000008)
#define HM_X86_64_PCD UINT64_C(0x0000000000000010)
#define HM_X86_64_ACCESSED UINT64_C(0x0000000000000020) /* A */
#define HM_X86_64_DIRTY UINT64_C(0x0000000000000040) /* D; ignored in a link */
#define HM_X86_64_PAT UINT64_C(0x0000000000000080) /* of a page; and of attributes */
#define HM_X86_64_PAGE_SIZE UINT64_C(0x0000000000000080) /* PS: 2M or 1G, not a link */
#define HM_X86_64_GLOBAL UINT64_C(0x0000000000000100) /* G; if CR4.PGE */
#define HM_X86_64_PAT_LARGE UINT64_C(0x0000000000001000) /* of 2M and 1G */
#define HM_X86_64_ADDRESS UINT64_C(0x000ffffffffff000) /* 51:12; MAXPHYADDR may be less */
#define HM_X86_64_KEY(key) ((uint64_t)(key) << 59) /* 62:59, with CR4.PKS or PKE; 0 to 15 */
#define HM_X86_64_NX UINT64_C(0x8000000000000000) /* XD */

/* A bit of software's, of keep_small of direct_map.h: 10:9 and 58:52 are ignored by all paging, 11 but by
 * HLAT's. For kernels that have it otherwise. */
#ifndef HM_PORT_X86_64_KEEP_SMALL
#define HM_PORT_X86_64_KEEP_SMALL UINT64_C(0x0400000000000000)
#endif
#define HM_X86_64_KEEP_SMALL HM_PORT_X86_64_KEEP_SMALL

/* What the address of an invalid entry is; see above. Inverted ones step backwards, from page to page. */
#ifndef HM_PORT_X86_64_INVERT
#define HM_PORT_X86_64_INVERT 0
#endif
#define HM_X86_64_HIDE_ UINT64_C(0x0000280000000000)

/* IA32_PAT that the mappings below assume in fields 0 and 3, which PAT, PCD and PWT choose: write-back, and
 * uncacheable. It is that at reset (SDM vol 3, 11.12.4). */
#define HM_X86_64_IA32_PAT UINT64_C(0x0007040600070406)

/*
 * What a page or block is for; HM_X86_64_KEY() may be added. All have A set, and D where they are writable.
 * The kernel's are global: where tables are switched with the mode (PTI), leave HM_X86_64_GLOBAL out.
 */
#define HM_X86_64_KERNEL_DATA_ (HM_X86_64_ACCESSED | HM_X86_64_GLOBAL)
#define HM_X86_64_KERNEL_RW \
	(HM_X86_64_KERNEL_DATA_ | HM_X86_64_WRITABLE | HM_X86_64_DIRTY | HM_X86_64_NX)
#define HM_X86_64_KERNEL_RO (HM_X86_64_KERNEL_DATA_ | HM_X86_64_NX)
#define HM_X86_64_KERNEL_RX HM_X86_64_KERNEL_DATA_
#define HM_X86_64_KERNEL_DEVICE (HM_X86_64_KERNEL_RW | HM_X86_64_PCD | HM_X86_64_PWT)
#define HM_X86_64_USER_DATA_ (HM_X86_64_ACCESSED | HM_X86_64_USER)
#define HM_X86_64_USER_RW \
	(HM_X86_64_USER_DATA_ | HM_X86_64_WRITABLE | HM_X86_64_DIRTY | HM_X86_64_NX)
#define HM_X86_64_USER_RO (HM_X86_64_USER_DATA_ | HM_X86_64_NX)
#define HM_X86_64_USER_RX HM_X86_64_USER_DATA_

/* Whether the CPU that asks has pages of 1G: CPUID.80000001H:EDX bit 26 (SDM vol 3, 4.1.4). */
static inline bool hm_x86_64_cpu_has_1g_pages(void)
{
	return hm_insn_cpuid(0x80000001u, 0).edx >> 26 & 1;
}

/* log2 of the bytes that an entry of a level translates. */
static inline unsigned int hm_x86_64_level_shift(unsigned int level)
{
	return 12 + 9 * level;
}

/* Whether entries of a level may be leaves; those of PML4 and PML5 never are. */
static inline bool hm_x86_64_has_leaves(unsigned int level)
{
	return level < HM_PORT_PGTABLE_BLOCK_LEVEL ||
	       (level == HM_PORT_PGTABLE_BLOCK_LEVEL && hm_port_x86_64_has_1g_pages());
}

/* The bits of an address that a leaf of that level has. */
static inline uint64_t hm_x86_64_frame_(unsigned int level)
{
	return HM_X86_64_ADDRESS & ~((UINT64_C(1) << hm_x86_64_level_shift(level)) - 1);
}

/*
 * The entry of a level that maps the memory at pa: a page at level 0, 2M at level 1, 1G at level 2. The entry
 * 0, which maps nothing, if the level has no leaves, if pa is not aligned to the size or has more than 52
 * bits, or if attributes has other bits than attributes (SDM vol 3, 4.5). PAT is HM_X86_64_PAT everywhere.
 */
static inline hm_pte_t hm_x86_64_leaf(hm_pa_t pa, unsigned int level, uint64_t attributes)
{
	hm_pte_t pte = { 0 };

	if (!hm_x86_64_has_leaves(level) || (pa.val & ~hm_x86_64_frame_(level)) ||
	    (attributes & (HM_X86_64_ADDRESS | HM_X86_64_PRESENT)))
		return pte;
	pte.val = pa.val | attributes | HM_X86_64_PRESENT;
	if (level) {
		if (attributes & HM_X86_64_PAT)
			pte.val |= HM_X86_64_PAT_LARGE;
		pte.val |= HM_X86_64_PAGE_SIZE;
	}
	return pte;
}

/* The entry that links the table at pa, for the kernel alone; of writing and execution what is below decides.
 * The entry 0 if pa is not a page's or has more than 52 bits (SDM vol 3, 4.5). A is set, so that no processor
 * writes the link; and D, which is ignored there, as Linux has it. */
static inline hm_pte_t hm_x86_64_table(hm_pa_t pa)
{
	hm_pte_t pte = { 0 };

	if (!(pa.val & ~HM_X86_64_ADDRESS))
		pte.val = pa.val | HM_X86_64_PRESENT | HM_X86_64_WRITABLE | HM_X86_64_ACCESSED |
			  HM_X86_64_DIRTY;
	return pte;
}

/* The same for tables of user pages: U/S has to be 1 all the way down (SDM vol 3, 4.6). */
static inline hm_pte_t hm_x86_64_user_table(hm_pa_t pa)
{
	hm_pte_t pte = hm_x86_64_table(pa);

	if (pte.val)
		pte.val |= HM_X86_64_USER;
	return pte;
}

/* What an invalid entry of that level has as its address, of memory there; and back. */
static inline uint64_t hm_x86_64_hide_(uint64_t address, unsigned int level)
{
	return (HM_PORT_X86_64_INVERT ? ~address : address + HM_X86_64_HIDE_) &
	       hm_x86_64_frame_(level);
}

static inline uint64_t hm_x86_64_seek_(uint64_t hidden, unsigned int level)
{
	return (HM_PORT_X86_64_INVERT ? ~hidden : hidden - HM_X86_64_HIDE_) &
	       hm_x86_64_frame_(level);
}

/* The memory that a leaf of that level maps; or one that is invalid and keeps it, would map. */
static inline hm_pa_t hm_x86_64_leaf_address(hm_pte_t pte, unsigned int level)
{
	const uint64_t address = pte.val & hm_x86_64_frame_(level);
	const hm_pa_t pa = { pte.val & HM_X86_64_PRESENT ? address
							 : hm_x86_64_seek_(address, level) };

	return pa;
}

/* ---- hooks of pgtable.h ---- */
static inline hm_pte_t hm_port_pte_load(const hm_pte_t *ptep)
{
	const hm_pte_t pte = { hm_insn_load(&ptep->val) };

	return pte;
}

static inline void hm_port_pte_store(hm_pte_t *ptep, hm_pte_t pte)
{
	hm_insn_store(&ptep->val, pte.val);
}

/* Two stores: a wider one is promised to be atomic by no manual that all CPUs follow, and vector registers
 * are not a kernel's to use. */
static inline hm_pte_t *hm_port_pte_store_pair(hm_pte_t *ptep, hm_pte_t first, hm_pte_t second)
{
	hm_insn_store(&ptep[0].val, first.val);
	hm_insn_store(&ptep[1].val, second.val);
	return ptep + 2;
}

static inline hm_pte_t hm_port_pte_compare_exchange(hm_pte_t *ptep, hm_pte_t expected,
						    hm_pte_t desired)
{
	const hm_pte_t found = { hm_insn_cmpxchg(&ptep->val, expected.val, desired.val) };

	return found;
}

/* Stores that fill the table are seen before the store that links it, by walkers too, as all stores of one
 * processor are (SDM vol 3, 8.2.2); the compiler keeps to it. */
static inline void hm_port_pgtable_order_fill(void)
{
	hm_insn_compiler();
}

static inline bool hm_port_pte_is_valid(hm_pte_t pte)
{
	return pte.val & HM_X86_64_PRESENT;
}

/* A link to tables of user pages counts as a user entry too, as it cannot be told from a page without the
 * level: no more than a compiler barrier is left out for it. */
static inline bool hm_port_pte_is_user(hm_pte_t pte)
{
	return pte.val & HM_X86_64_USER;
}

/* Bit 7 of a page is PAT. */
static inline bool hm_port_pte_is_table(hm_pte_t pte, unsigned int level)
{
	return level && !(pte.val & HM_X86_64_PAGE_SIZE);
}

static inline hm_pa_t hm_port_pte_table(hm_pte_t pte)
{
	const hm_pa_t pa = { pte.val & HM_X86_64_ADDRESS };

	return pa;
}

/* What is above the bits of the top level repeats its uppermost one. */
static inline unsigned int hm_port_pgtable_index(hm_va_t va, unsigned int level)
{
	return (unsigned int)(va.val >> hm_x86_64_level_shift(level)) &
	       (HM_PORT_PGTABLE_ENTRIES - 1);
}

static inline unsigned int hm_port_pgtable_shift(unsigned int level)
{
	return hm_x86_64_level_shift(level);
}

/* The kernel's view, of leaves under links of this file, which forbid nothing, and without keys (SDM vol 3,
 * 4.6). A and D are the processor's to set, and no fault. SMAP, of data on user pages, is the caller's to
 * know; SMEP forbids their execution. */
static inline bool hm_port_pte_permits(hm_pte_t pte, enum hm_access access)
{
	if (access == HM_ACCESS_WRITE)
		return pte.val & HM_X86_64_WRITABLE;
	if (access == HM_ACCESS_EXECUTE)
		return !(pte.val & (HM_X86_64_NX | HM_X86_64_USER));
	return true;
}

/* ---- hooks of direct_map.h ---- */

/* What of an entry enum hm_permission is about; and what is neither that nor in a field of its own. */
#define HM_X86_64_PERMISSION_ \
	(HM_X86_64_WRITABLE | HM_X86_64_ACCESSED | HM_X86_64_DIRTY | HM_X86_64_NX)
#define HM_X86_64_NOT_OTHER_                                                                  \
	(HM_X86_64_ADDRESS | HM_X86_64_PRESENT | HM_X86_64_PAGE_SIZE | HM_X86_64_KEEP_SMALL | \
	 HM_X86_64_KEY(15) | HM_X86_64_PERMISSION_)

/* Entries with the attributes above, for the kernel. An invalid one is in the form that Linux leaves of a
 * page of its linear map: neither writable nor dirty, as is no matter. What has a bit that is reserved in its
 * level is none. */
static inline bool hm_port_leaf_decode(hm_pte_t pte, unsigned int level, struct hm_leaf *leaf)
{
	const uint64_t pat = level ? HM_X86_64_PAT_LARGE : HM_X86_64_PAT;

	if (!hm_x86_64_has_leaves(level) || (pte.val & HM_X86_64_USER) ||
	    hm_port_pte_is_table(pte, level) ||
	    (pte.val & HM_X86_64_ADDRESS & ~hm_x86_64_frame_(level) & ~pat))
		return false;
	leaf->pa = hm_x86_64_leaf_address(pte, level);
	leaf->other = pte.val & ~HM_X86_64_NOT_OTHER_;
	if (pte.val & pat)
		leaf->other |= HM_X86_64_PAT;
	leaf->key = (unsigned int)(pte.val >> 59 & 15);
	leaf->contiguous = false;
	leaf->keep_small = pte.val & HM_X86_64_KEEP_SMALL;
	switch (pte.val & (HM_X86_64_PERMISSION_ | HM_X86_64_PRESENT)) {
	case HM_X86_64_PRESENT | HM_X86_64_ACCESSED | HM_X86_64_WRITABLE | HM_X86_64_DIRTY |
		HM_X86_64_NX:
		leaf->permission = HM_PERMISSION_RW;
		return true;
	case HM_X86_64_PRESENT | HM_X86_64_ACCESSED | HM_X86_64_NX:
		leaf->permission = HM_PERMISSION_RO;
		return true;
	case HM_X86_64_PRESENT | HM_X86_64_ACCESSED:
		leaf->permission = HM_PERMISSION_ROX;
		return true;
	case HM_X86_64_ACCESSED | HM_X86_64_NX:
		leaf->permission = HM_PERMISSION_INVALID;
		return true;
	default:
		return false;
	}
}

/* There are no contiguous groups: an entry does not say whether it is of one. */
static inline hm_pte_t hm_port_leaf_encode(const struct hm_leaf *leaf, unsigned int level)
{
	uint64_t attributes = leaf->other | HM_X86_64_KEY(leaf->key) | HM_X86_64_ACCESSED |
			      (leaf->keep_small ? HM_X86_64_KEEP_SMALL : 0);
	hm_pte_t pte = { 0 };

	if (leaf->permission != HM_PERMISSION_ROX)
		attributes |= HM_X86_64_NX;
	if (leaf->permission == HM_PERMISSION_RW)
		attributes |= HM_X86_64_WRITABLE | HM_X86_64_DIRTY;
	if (leaf->key > 15 || leaf->permission > HM_PERMISSION_INVALID)
		return pte;
	pte = hm_x86_64_leaf(leaf->pa, level, attributes);
	if (pte.val && leaf->permission == HM_PERMISSION_INVALID)
		pte.val = (pte.val & ~(hm_x86_64_frame_(level) | HM_X86_64_PRESENT)) |
			  hm_x86_64_hide_(leaf->pa.val, level);
	return pte;
}

static inline unsigned int hm_port_leaf_group(unsigned int level)
{
	(void)level;
	return 1;
}

static inline hm_pte_t hm_port_pte_link(hm_pa_t table)
{
	return hm_x86_64_table(table);
}
#endif
