/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * code.h -- the architecture's hooks of rox_cache.h: caches, made coherent for instruction fetches, and the
 * instruction that traps. Include it from your hardmap_port.h, which adds
 *
 *	uint64_t hm_port_arm64_ctr(void);          // CTR_EL0 as all CPUs have it: the smallest lines, IDC and
 *	                                           // DIC if all have them
 *
 * Your decision, as only you know all CPUs. Each asks itself, hm_arm64_ctr(), and hm_arm64_ctr_merge() makes
 * one of two answers, until all are known. Before that 0 is right, and slow: a line for each word. A CPU that
 * comes after that and changes what was merged is refused; or waits, executing no code of a cache, until all
 * such code has been cleaned and invalidated once more, by what is merged then.
 *
 *	stores     need no barrier before hm_port_code_clean(): with the DC CVAU of their line, by one
 *	           address, they are in program order (Arm ARM D7.5.9.15). But keyed ones come with
 *	           hm_port_keyed_end(), as a GCSB alone orders them (D11.9).
 *	fetches    hm_port_code_invalidate() makes what was stored coherent with fetches of all PEs
 *	           (B2.7.4.2); what one has fetched before, its next context synchronisation event drops,
 *	           which is hm_port_rox_cache_synchronise(). No ISB here would be another CPU's.
 *	addresses  Lines are cleaned by the alias, at any level of keys (D7.5.9.14), and invalidated by where
 *	           they execute, which is mapped then (D7.5.9.1): a VIPT cache may hold that memory by other
 *	           addresses too (D7.5.9.13), but nothing executes there. Both are Normal memory, write-back,
 *	           inner shareable.
 *	errata     Cortex-A53 up to r0p2 needs DC CIVAC in place of DC CVAU (819472, 824069, 826319, 827319):
 *	           where such a CPU is supported, in an insn.h of your own.
 */
#ifndef HM_ARM64_CODE_H
#define HM_ARM64_CODE_H
#define HM_PGTABLE_TYPES_ONLY
#include <hardmap/pgtable.h>
#undef HM_PGTABLE_TYPES_ONLY
#include <arm64/insn.h>

/* What fills code that is nobody's: BRK with that immediate, which ESR_EL1 has in bits 15:0 of EC 0x3c. "HM",
 * of which Linux makes no use; define another where it means something else. */
#ifndef HM_PORT_ARM64_TRAP
#define HM_PORT_ARM64_TRAP UINT64_C(0x484d)
#endif
#define HM_ARM64_BRK(immediate) (UINT64_C(0xd4200000) | (immediate) << 5)
#define HM_PORT_ROX_CACHE_TRAP \
	(HM_ARM64_BRK(HM_PORT_ARM64_TRAP) << 32 | HM_ARM64_BRK(HM_PORT_ARM64_TRAP))

/* CTR_EL0 (Arm ARM D24.2): log2 of the words in the smallest line of all instruction caches, and of all data
 * caches; and whether fetches see what is stored without cleaning, and without invalidation. */
#define HM_ARM64_CTR_IMINLINE UINT64_C(0x0000000f)
#define HM_ARM64_CTR_DMINLINE UINT64_C(0x000f0000)
#define HM_ARM64_CTR_IDC UINT64_C(0x10000000)
#define HM_ARM64_CTR_DIC UINT64_C(0x20000000)

/* More lines than an instruction cache of 64 KiB has, one by one, cost more than refilling it. */
#define HM_ARM64_CODE_MAX_LINES 1024

/* Of CTR_EL0 of the CPU that asks, what is of use here; of others, hm_arm64_ctr_merge() of theirs. */
static inline uint64_t hm_arm64_ctr(void)
{
	return hm_insn_mrs_ctr_el0() & (HM_ARM64_CTR_IMINLINE | HM_ARM64_CTR_DMINLINE |
					HM_ARM64_CTR_IDC | HM_ARM64_CTR_DIC);
}

/* What is right for CPUs of both. */
static inline uint64_t hm_arm64_ctr_merge(uint64_t a, uint64_t b)
{
	const uint64_t imin_a = a & HM_ARM64_CTR_IMINLINE, imin_b = b & HM_ARM64_CTR_IMINLINE;
	const uint64_t dmin_a = a & HM_ARM64_CTR_DMINLINE, dmin_b = b & HM_ARM64_CTR_DMINLINE;

	return (imin_a < imin_b ? imin_a : imin_b) | (dmin_a < dmin_b ? dmin_a : dmin_b) |
	       (a & b & (HM_ARM64_CTR_IDC | HM_ARM64_CTR_DIC));
}

/* How many lines of 1 << shift bytes those bytes, not none, are in. */
static inline uint64_t hm_arm64_lines_(uint64_t start, uint64_t bytes, unsigned int shift)
{
	const uint64_t within = start & ((UINT64_C(1) << shift) - 1);

	/* Counted from the last byte: the range may end at the top of the address space. */
	return ((within + bytes - 1) >> shift) + 1;
}

static inline void hm_port_code_clean(const hm_pte_t *alias, uint64_t bytes)
{
	const uint64_t ctr = hm_port_arm64_ctr();
	const unsigned int shift = (unsigned int)((ctr & HM_ARM64_CTR_DMINLINE) >> 16) + 2;
	uintptr_t line = (uintptr_t)alias & ~(((uintptr_t)1 << shift) - 1);
	uint64_t lines;

	/* With IDC a store that is complete is all: by the DSB that follows (Arm ARM B2.7.4.2). */
	if ((ctr & HM_ARM64_CTR_IDC) || !bytes)
		return;
	for (lines = hm_arm64_lines_((uintptr_t)alias, bytes, shift); lines; lines--) {
		hm_insn_dc_cvau((const void *)line);
		line += (uintptr_t)1 << shift;
	}
}

static inline void hm_port_code_invalidate(hm_va_t code, uint64_t bytes)
{
	const uint64_t ctr = hm_port_arm64_ctr();
	const unsigned int shift = (unsigned int)(ctr & HM_ARM64_CTR_IMINLINE) + 2;
	uint64_t line = code.val & ~((UINT64_C(1) << shift) - 1), lines;

	/* Completes each DC CVAU of this PE, with IDC its stores, before the IC below: what any PE of the
	 * inner shareable domain fetches after that is what was stored (Arm ARM B2.7.4.2). Nothing weaker
	 * will do: a DSB alone orders IC, one for loads and stores alone completes DC (D7.5.9.15). With DIC
	 * there is no IC: before whatever tells a PE to synchronise and to execute. */
	hm_insn_dsb_ish();
	if ((ctr & HM_ARM64_CTR_DIC) || !bytes)
		return;
	lines = hm_arm64_lines_(code.val, bytes, shift);
	if (lines > HM_ARM64_CODE_MAX_LINES) {
		hm_insn_ic_ialluis();
	} else {
		for (; lines; lines--) {
			hm_insn_ic_ivau(line);
			line += UINT64_C(1) << shift;
		}
	}
	/* Completes each IC, on every PE of the inner shareable domain, before whatever tells one of them, a
	 * store or an interrupt, to synchronise and to execute (Arm ARM B2.7.4.2, D7.5.9.15). */
	hm_insn_dsb_ish();
}

/* Single-copy atomic, as an aligned word is (Arm ARM B2.2.1): a fetch finds the old instruction or the new
 * one, if both are of those that B2.2.5 allows. */
static inline void hm_port_code_patch(uint32_t *alias, uint32_t instruction)
{
	hm_insn_str32(alias, instruction);
}
#endif
