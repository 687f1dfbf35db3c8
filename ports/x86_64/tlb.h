/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * tlb.h -- hm_port_pgtable_invalidate() on x86-64. An instruction reaches the TLB of its own logical
 * processor alone, so that the other ones are the environment's to interrupt. Include it from your
 * hardmap_port.h, which adds
 *
 *	void hm_port_x86_64_shootdown(hm_va_t va, uint64_t bytes, enum hm_invalidate what);
 *
 * When that returns, every CPU that may use the range, this one included, has executed
 * hm_x86_64_flush_local(va, bytes, what) or hm_x86_64_flush_local_all() since it was called; one that cannot
 * (it is idle, it runs user mode without the kernel's mappings) does so before it uses the range next. va and
 * bytes are as the caller of hm_pgtable_invalidate() had them: any, of at least one byte. An interrupt to
 * each other CPU, waited for. Who asks by x2APIC has MFENCE; LFENCE before the WRMSR that sends, which no
 * store is ordered before (SDM vol 3, 10.12.3). AMD's INVLPGB and TLBSYNC, of all PCIDs and global
 * translations, are another way to do it.
 */
#ifndef HM_X86_64_TLB_H
#define HM_X86_64_TLB_H
#define HM_PGTABLE_TYPES_ONLY
#include <hardmap/pgtable.h>
#undef HM_PGTABLE_TYPES_ONLY
#include <x86_64/barrier.h>

#define HM_X86_64_CR4_PGE (UINT64_C(1) << 7)
#define HM_X86_64_CR4_PCIDE (UINT64_C(1) << 17)

/* More pages than this cost more one by one, at a hundred cycles and more each, than refilling the TLB. */
#define HM_X86_64_INVLPG_MAX_PAGES 32

/*
 * On this CPU: every translation, of all PCIDs, global or not, and all paging-structure caches. A write of
 * CR4 that changes PGE does that, in either direction (SDM vol 3, 4.10.4.1); the second one is of what was
 * translated between the two. Nobody else writes CR4 here meanwhile: interrupts are masked, or none of their
 * handlers does.
 */
static inline void hm_x86_64_flush_local_all(void)
{
	const uint64_t cr4 = hm_insn_read_cr4();

	hm_insn_write_cr4(cr4 ^ HM_X86_64_CR4_PGE);
	hm_insn_write_cr4(cr4);
}

/*
 * On this CPU: what it knows of the range. Both kinds of invalidation are the same here, as each INVLPG drops
 * all paging-structure caches too. Page by page, whatever the size of the entries that translated it: one
 * INVLPG takes the whole page whatever pieces a TLB holds it in, but what was split or joined may be held in
 * several sizes side by side, and each of them by itself (SDM vol 3, 4.10.2.3, 4.10.4.2). Context as above.
 *
 * Where processes have PCIDs INVLPG leaves those of the others what is not global, and their
 * paging-structure caches (4.10.4.1); by an erratum of Alder Lake and its relatives what is global, too. So
 * there no range is small.
 */
static inline void hm_x86_64_flush_local(hm_va_t va, uint64_t bytes, enum hm_invalidate what)
{
	/* Counted from the last byte: the range may end at the top of the address space. */
	uint64_t pages = ((va.val + bytes - 1) >> 12) - (va.val >> 12) + 1;
	uint64_t address = va.val & ~UINT64_C(0xfff);

	(void)what;
	if (pages > HM_X86_64_INVLPG_MAX_PAGES || (hm_insn_read_cr4() & HM_X86_64_CR4_PCIDE)) {
		hm_x86_64_flush_local_all();
		return;
	}
	/* INVLPG is serialising: it is after every earlier store of this CPU, and no later instruction was
	 * fetched or translated before it (SDM vol 3, 8.3). */
	for (; pages; pages--) {
		hm_insn_invlpg(address);
		address += UINT64_C(1) << 12;
	}
}

static inline void hm_port_pgtable_invalidate(hm_va_t va, uint64_t size, enum hm_invalidate what)
{
	hm_port_context_publish();
	/* Table stores of this CPU are visible to all before the environment looks which CPUs there are to
	 * ask, by loads that TSO would have pass them (SDM vol 3, 8.2.3.4): one that is not asked, as it was
	 * not using the range, finds the new entries when it is. */
	hm_insn_mfence();
	hm_port_x86_64_shootdown(va, size, what);
}
#endif
