/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * order.c -- the order in which pgtable.h's functions store and issue barriers, seen in the hosted
 * port's trace.
 */
#include "suite.h"
#include <hardmap/pgtable.h>
#include <string.h>

#define PAGE (UINT64_C(1) << HM_PORT_ARM64_PAGE_SHIFT)

static hm_pte_t table[HM_PORT_PGTABLE_ENTRIES] __attribute__((aligned(65536)));

static void suite_setup(void)
{
	unsigned int i;

	hm_hosted_reset();
	for (i = 0; i < HM_PORT_PGTABLE_ENTRIES; i++)
		table[i].val = 0;
}

static hm_pte_t page(unsigned int number)
{
	const hm_pa_t pa = { (uint64_t)number << HM_PORT_ARM64_PAGE_SHIFT };

	return hm_arm64_leaf(pa, 0, HM_ARM64_KERNEL_RW);
}

static bool traced(unsigned int n, const enum hm_insn_kind *kinds)
{
	unsigned int i;

	if (hm_hosted.events != n)
		return false;
	for (i = 0; i < n; i++)
		if (hm_hosted.trace[i].kind != kinds[i])
			return false;
	return true;
}

#define TRACED(...)                                                                      \
	traced(sizeof((enum hm_insn_kind[]){ __VA_ARGS__ }) / sizeof(enum hm_insn_kind), \
	       (enum hm_insn_kind[]){ __VA_ARGS__ })

/* An eager entry: store, then DSB, then ISB. */
CASE(eager_entry)
{
	hm_pte_set(table, page(1));
	EXPECT(TRACED(HM_INSN_STR, HM_INSN_DSB_ISHST, HM_INSN_ISB));
	EXPECT(hm_hosted.trace[0].address == table && hm_hosted.trace[0].value == page(1).val);
}

/* A section: all stores, then the pair. */
CASE(section)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	hm_pte_set(table, page(1));
	hm_pte_set_kernel(table + 1, page(2));
	hm_lazy_mmu_leave(tok);
	EXPECT(TRACED(HM_INSN_STR, HM_INSN_STR, HM_INSN_DSB_ISHST, HM_INSN_ISB));
}

/* A link: fill, DMB, link, publication; in a section the DMB keeps its place. */
CASE(link_after_fill)
{
	const hm_pa_t pa = { (uintptr_t)table };
	hm_lazy_mmu_token_t tok;

	hm_pte_fill(table + 8, 3, page(1), PAGE);
	hm_pte_link(table, hm_arm64_table(pa));
	EXPECT(TRACED(HM_INSN_STR, HM_INSN_STR, HM_INSN_STR, HM_INSN_DMB_ISHST, HM_INSN_STR,
		      HM_INSN_DSB_ISHST, HM_INSN_ISB));
	hm_hosted_clear_counts();
	tok = hm_lazy_mmu_enter();
	hm_pte_fill(table + 8, 1, page(1), PAGE);
	hm_pte_link(table, hm_arm64_table(pa));
	hm_lazy_mmu_leave(tok);
	EXPECT(TRACED(HM_INSN_STR, HM_INSN_DMB_ISHST, HM_INSN_STR, HM_INSN_DSB_ISHST, HM_INSN_ISB));
}

/* An invalidation inside a section: the owed pair first, then DSB ISHST, TLBI, DSB ISH, ISB. */
CASE(invalidation_in_a_section)
{
	const hm_va_t va = { PAGE };
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

	hm_pte_set(table, page(1));
	hm_pte_clear(table + 1);
	hm_pgtable_invalidate(va, PAGE, HM_INVALIDATE_LEAVES);
	hm_lazy_mmu_leave(tok);
	EXPECT(TRACED(HM_INSN_STR, HM_INSN_STR, HM_INSN_DSB_ISHST, HM_INSN_ISB, HM_INSN_DSB_ISHST,
		      HM_INSN_TLBI_VAALE1IS, HM_INSN_DSB_ISH, HM_INSN_ISB));
}

/* A range: its stores in the order of the entries, then one pair. */
CASE(range)
{
	unsigned int i;

	hm_pte_set_range(table, 13, page(7), PAGE);
	EXPECT(hm_hosted.events == 15);
	for (i = 0; i < 13; i++)
		EXPECT(hm_hosted.trace[i].kind == HM_INSN_STR &&
		       hm_hosted.trace[i].address == table + i &&
		       hm_hosted.trace[i].value == page(7 + i).val);
	EXPECT(hm_hosted.trace[13].kind == HM_INSN_DSB_ISHST &&
	       hm_hosted.trace[14].kind == HM_INSN_ISB);
}

/* A switch is one DSB ISH on the way out and one ISB on the way in, in a section too. */
CASE(context_switch)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();
	hm_context_switch_t away = hm_context_switch_out();

	EXPECT(TRACED(HM_INSN_DSB_ISH));
	hm_context_switch_in(away);
	EXPECT(TRACED(HM_INSN_DSB_ISH, HM_INSN_ISB));
	hm_lazy_mmu_leave(tok);
}

/* An entry that is not valid is none, whatever else it says. */
CASE(invalid_entries_with_bits)
{
	const hm_va_t va = { 0 };
	const hm_pte_t invalid = { page(1).val & ~HM_ARM64_VALID };
	unsigned int level;

	hm_hosted.root = table;
	hm_port_pte_store(table, invalid);
	EXPECT(hm_pgtable_leaf(va, &level).val == 0);
	EXPECT(level == HM_PORT_PGTABLE_LEVELS - 1);
	EXPECT(!hm_pgtable_fault_is_spurious(va, HM_ACCESS_READ));
	hm_hosted.root = NULL;
	EXPECT(hm_pgtable_leaf(va, &level).val == 0);
	EXPECT(level == HM_PORT_PGTABLE_LEVELS);
}

/* A spurious fault is answered by DSB, then ISB: the walk that is repeated sees what was stored. */
CASE(spurious_fault)
{
	const hm_pa_t pa = { (uintptr_t)table };
	const hm_va_t va = { UINT64_C(1) << HM_PORT_ARM64_PAGE_SHIFT };

	hm_hosted.root = table;
	hm_port_pte_store(table, hm_arm64_table(pa));
	hm_port_pte_store(table + 1, page(1));
	hm_hosted_clear_counts();
	EXPECT(hm_pgtable_fault_is_spurious(va, HM_ACCESS_READ));
	EXPECT(hm_hosted.counts[HM_INSN_LDR] == HM_PORT_PGTABLE_LEVELS);
	EXPECT(hm_hosted.trace[HM_PORT_PGTABLE_LEVELS].kind == HM_INSN_DSB_ISHST);
	EXPECT(hm_hosted.trace[HM_PORT_PGTABLE_LEVELS + 1].kind == HM_INSN_ISB);
	hm_hosted.root = NULL;
}

/* Two contexts whose addresses differ by any small multiple of their size never name a frame alike. */
CASE(names_of_frames_differ_between_contexts)
{
	static struct hm_context contexts[64];
	static uint64_t names[64 * 64];
	unsigned int i, j, n = 0, same = 0;

	for (i = 0; i < 64; i++) {
		hm_hosted_switch_context(&contexts[i]);
		for (j = 0; j < 64; j++) {
			hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

			names[n++] = contexts[i].word;
			hm_lazy_mmu_leave(tok);
		}
	}
	for (i = 0; i < n; i++)
		for (j = i + 1; j < n; j++)
			same += names[i] == names[j];
	EXPECT(n == 64 * 64 && same == 0);
}

/* An exception between enter's reading of the generation and its writing it back: the handler's frames have
 * had the generations of the frames that follow, but not their names. */
CASE(names_of_frames_differ_from_those_of_a_handler)
{
	uint64_t generation = hm_hosted.context->generation;
	hm_context_exception_t irq = hm_context_exception_push();
	hm_lazy_mmu_token_t handlers = hm_lazy_mmu_enter(), outer, inner;

	hm_lazy_mmu_leave(handlers);
	hm_context_exception_pop(irq);
	hm_hosted.context->generation = generation;
	outer = hm_lazy_mmu_enter();
	inner = hm_lazy_mmu_enter();
	hm_lazy_mmu_leave(handlers);
	EXPECT(hm_hosted.bugs == 1);
	hm_lazy_mmu_leave(inner);
	hm_lazy_mmu_leave(outer);
}

/* Generations are counted from bit 16 on, and also where the name of the context lies over the count. */
CASE(names_of_frames_differ_however_many_there_were)
{
	const uint64_t identity = (uint64_t)(uintptr_t)hm_hosted.context << 32;
	hm_lazy_mmu_token_t first = hm_lazy_mmu_enter(), second;

	hm_lazy_mmu_leave(first);
	EXPECT(hm_hosted.context->generation == UINT64_C(1) << 16);
	hm_hosted.context->generation = identity & (0 - identity); /* one bit of it */
	second = hm_lazy_mmu_enter();
	hm_lazy_mmu_leave(first);
	EXPECT(hm_hosted.bugs == 1);
	hm_lazy_mmu_leave(second);
}

static bool told(const char *what)
{
	return hm_hosted.bug && strstr(hm_hosted.bug, what);
}

/* HM_BUG says which misuse it was. */
CASE(misuse_is_named)
{
	static struct hm_context other;
	struct hm_context *own = hm_hosted.context;
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter(), inner;

	hm_lazy_mmu_leave(tok);
	hm_lazy_mmu_leave(tok);
	EXPECT(told("left twice, or outside"));
	tok = hm_lazy_mmu_enter();
	inner = hm_lazy_mmu_enter();
	hm_lazy_mmu_leave(tok);
	EXPECT(told("out of order"));
	hm_lazy_mmu_leave(inner);
	tok = hm_lazy_mmu_enter();
	hm_hosted_switch_context(&other);
	hm_lazy_mmu_leave(tok);
	EXPECT(told("another context"));
	hm_hosted_switch_context(own);
	hm_lazy_mmu_leave(tok);
}
