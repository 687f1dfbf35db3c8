/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * arch.h -- what another kernel has in its <asm/barrier.h>, <asm/tlbflush.h> and <asm/memory.h>: all that
 * changes when its page-table code moves onto the machine.
 */
#ifndef FOREIGN_ARCH_H
#define FOREIGN_ARCH_H
#include <arm64/insn.h> /* ports/hosted/machine's */

typedef uint64_t pte_t;

#define dsb(option) hm_insn_dsb_##option() /* ish, ishst */
#define isb() hm_insn_isb()
#define WRITE_PTE(ptep, pte) hm_insn_str(ptep, pte)

/* TLBI VAALE1IS: the page, in all address spaces; the tables that lead to it stay. */
static inline void tlbi_page(uint64_t va)
{
	hm_insn_tlbi_vaale1is(va >> 12 & ((UINT64_C(1) << 44) - 1));
}

static inline pte_t *phys_to_virt(uint64_t pa)
{
	return &hm_machine->memory[(pa - hm_machine_page(0).val) / HM_MACHINE_PAGE_BYTES][0].val;
}
#endif
