/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * code.c -- ports/arm64/code.h: which lines are cleaned and invalidated, by which addresses, between which
 * barriers; what CTR_EL0 says of that, of one CPU and of several; and the instruction that traps.
 */
#include "suite.h"
#include <hardmap/kpkeys.h>

#define LINE_64 4u /* of CTR_EL0: log2 of words */
#define IDC HM_ARM64_CTR_IDC
#define DIC HM_ARM64_CTR_DIC

/* An alias: nothing of it is read or written. Aligned so that every line begins in it. */
static _Alignas(8192) hm_pte_t alias[1024];
/* Where it executes, an address that no pointer here has. */
#define CODE UINT64_C(0xffff800012340000)

static void suite_setup(void)
{
	hm_hosted_reset();
}

static hm_va_t va(uint64_t val)
{
	const hm_va_t address = { val };

	return address;
}

/* CTR_EL0 of data and instruction lines, log2 of words, with bits that mean nothing here. */
static uint64_t ctr(unsigned int data, unsigned int instructions, uint64_t which)
{
	return UINT64_C(0x8440c000) | (uint64_t)data << 16 | instructions | which;
}

/* Whether the trace is DC CVAU of each line of the alias, a data line being so long, that the bytes are
 * in, in order, and nothing else. */
static bool cleans(uint64_t offset, uint64_t bytes, uint64_t line)
{
	const char *next = (const char *)alias + offset / line * line;
	const char *end = (const char *)alias + offset + bytes;
	unsigned int i;

	hm_hosted_clear_counts();
	hm_port_code_clean(&alias[offset / 8], bytes);
	for (i = 0; i < hm_hosted.events; i++, next += line)
		if (hm_hosted.trace[i].kind != HM_INSN_DC_CVAU ||
		    hm_hosted.trace[i].address != next)
			return false;
	return next >= end && next < end + line && hm_hosted.counts[HM_INSN_DC_CVAU] == i;
}

/* Whether the trace is DSB ISH; IC IVAU of each line that the bytes are in, in order; DSB ISH; and nothing
 * else. */
static bool invalidates(uint64_t code, uint64_t bytes, uint64_t line)
{
	const struct hm_hosted_event *event = hm_hosted.trace, *last;
	uint64_t next = code / line * line;

	hm_hosted_clear_counts();
	hm_port_code_invalidate(va(code), bytes);
	last = event + hm_hosted.events - 1;
	if (last == event || event->kind != HM_INSN_DSB_ISH || last->kind != HM_INSN_DSB_ISH)
		return false;
	while (++event < last) {
		if (event->kind != HM_INSN_IC_IVAU || event->value != next)
			return false;
		next += line;
	}
	/* From the first byte: the last one may be at the top of the address space. */
	return next - code >= bytes && next - code < bytes + line;
}

/* Whether the trace is one DSB ISH. */
static bool only_waits(void)
{
	return hm_hosted.events == 1 && hm_hosted.counts[HM_INSN_DSB_ISH] == 1;
}

/* Each line that bytes are in is cleaned once, whatever its length. */
CASE(lines_are_cleaned_once)
{
	static const uint64_t bytes[] = { 1, 4, 8, 56, 63, 64, 65, 72, 128, 200, 255, 256, 257 };
	unsigned int i, offset, words;

	for (words = 0; words < 8; words++) {
		/* The instruction lines do not matter. */
		hm_hosted.ctr_el0 = ctr(words, 9, 0);
		for (i = 0; i < sizeof(bytes) / sizeof(*bytes); i++)
			for (offset = 0; offset <= 512; offset += 8)
				EXPECT(cleans(offset, bytes[i], UINT64_C(4) << words));
	}
}

/* And invalidated, where it executes. */
CASE(lines_are_invalidated_once)
{
	static const uint64_t bytes[] = { 1, 3, 4, 5, 60, 63, 64, 65, 128, 200, 255, 256, 257 };
	unsigned int i, offset, words;

	for (words = 0; words < 8; words++) {
		hm_hosted.ctr_el0 = ctr(9, words, 0);
		for (i = 0; i < sizeof(bytes) / sizeof(*bytes); i++)
			for (offset = 0; offset <= 257; offset++)
				EXPECT(invalidates(CODE + offset, bytes[i], UINT64_C(4) << words));
	}
}

/* Of the longest lines that there can be, one is enough for all. */
CASE(longest_lines)
{
	hm_hosted.ctr_el0 = ctr(15, 15, 0);
	hm_port_code_clean(alias, sizeof(alias));
	EXPECT(hm_hosted.counts[HM_INSN_DC_CVAU] == 1 &&
	       (uintptr_t)hm_hosted.trace[0].address == ((uintptr_t)alias & ~(uintptr_t)0x1ffff));
	EXPECT(invalidates(UINT64_C(0xffff80001235ffff), 1, 0x20000));
	EXPECT(invalidates(UINT64_C(0xffff80001235ffff), 2, 0x20000));
}

/* Data that fetches see need no cleaning; what instruction caches have is invalidated all the same, behind
 * the DSB that completes the stores. */
CASE(coherent_data)
{
	hm_hosted.ctr_el0 = ctr(LINE_64, LINE_64, IDC);
	hm_port_code_clean(alias, sizeof(alias));
	EXPECT(!hm_hosted.events);
	EXPECT(invalidates(CODE + 8, 256, 64));
	EXPECT(hm_hosted.counts[HM_INSN_IC_IVAU] == 5 && hm_hosted.counts[HM_INSN_DSB_ISH] == 2);
}

/* Where fetches see all, the DSB is left. */
CASE(coherent_instructions)
{
	hm_hosted.ctr_el0 = ctr(LINE_64, LINE_64, IDC | DIC);
	hm_port_code_clean(alias, 256);
	EXPECT(!hm_hosted.events);
	hm_port_code_invalidate(va(CODE), 256);
	EXPECT(only_waits());
	hm_hosted_clear_counts();
	hm_port_code_invalidate(va(CODE), UINT64_C(1) << 30);
	EXPECT(only_waits());
}

/* DIC without IDC, which the architecture does not have, cleans, and waits for that. */
CASE(instructions_alone)
{
	hm_hosted.ctr_el0 = ctr(LINE_64, LINE_64, DIC);
	EXPECT(cleans(8, 256, 64));
	hm_hosted_clear_counts();
	hm_port_code_invalidate(va(CODE), 256);
	EXPECT(only_waits());
}

/* No bytes are in no line; what was done before is completed. */
CASE(no_bytes)
{
	hm_port_code_clean(alias + 1, 0);
	EXPECT(!hm_hosted.events);
	hm_port_code_invalidate(va(CODE + 1), 0);
	EXPECT(only_waits());
}

/* The last line of the address space is one line. */
CASE(top_of_the_address_space)
{
	EXPECT(invalidates(UINT64_C(0) - 64, 64, 64));
	EXPECT(invalidates(UINT64_C(0) - 1, 1, 64));
	EXPECT(invalidates(UINT64_C(0) - 65, 65, 64));
	EXPECT(hm_hosted.counts[HM_INSN_IC_IVAU] == 2);
	hm_hosted_clear_counts();
	hm_port_code_clean((const hm_pte_t *)(UINTPTR_MAX - 71), 72);
	EXPECT(hm_hosted.counts[HM_INSN_DC_CVAU] == 2 &&
	       (uintptr_t)hm_hosted.trace[0].address == UINTPTR_MAX - 127 &&
	       (uintptr_t)hm_hosted.trace[1].address == UINTPTR_MAX - 63);
}

/* More lines than that invalidate all instruction caches instead, between the same barriers; cleaning goes on
 * by line. */
CASE(large_ranges_invalidate_all)
{
	const uint64_t most = HM_ARM64_CODE_MAX_LINES * UINT64_C(64);

	hm_port_code_invalidate(va(CODE), most);
	EXPECT(hm_hosted.counts[HM_INSN_IC_IVAU] == HM_ARM64_CODE_MAX_LINES &&
	       !hm_hosted.counts[HM_INSN_IC_IALLUIS]);
	hm_hosted_clear_counts();
	/* A line more, at either end. */
	hm_port_code_invalidate(va(CODE + 63), most);
	EXPECT(hm_hosted.events == 3 && hm_hosted.trace[0].kind == HM_INSN_DSB_ISH &&
	       hm_hosted.trace[1].kind == HM_INSN_IC_IALLUIS &&
	       hm_hosted.trace[2].kind == HM_INSN_DSB_ISH);
	hm_hosted_clear_counts();
	hm_port_code_invalidate(va(CODE), most + 1);
	EXPECT(hm_hosted.events == 3 && hm_hosted.counts[HM_INSN_IC_IALLUIS] == 1);
	hm_hosted_clear_counts();
	hm_port_code_clean(alias, most + 64);
	EXPECT(hm_hosted.counts[HM_INSN_DC_CVAU] == HM_ARM64_CODE_MAX_LINES + 1);
}

/* What was cleaned is complete before the first IC, and no instruction is synchronised here. */
CASE(cleaning_is_complete_before_invalidation)
{
	hm_port_code_clean(alias, 128);
	hm_port_code_invalidate(va(CODE), 128);
	EXPECT(hm_hosted.events == 6 && hm_hosted.trace[1].kind == HM_INSN_DC_CVAU &&
	       hm_hosted.trace[2].kind == HM_INSN_DSB_ISH &&
	       hm_hosted.trace[3].kind == HM_INSN_IC_IVAU &&
	       hm_hosted.trace[5].kind == HM_INSN_DSB_ISH);
	EXPECT(!hm_hosted.counts[HM_INSN_ISB]);
}

/* What a CPU says is its lines, IDC and DIC, and nothing else of CTR_EL0. */
CASE(cpu_says_what_is_of_use)
{
	hm_hosted.ctr_el0 = ~UINT64_C(0);
	EXPECT(hm_arm64_ctr() == UINT64_C(0x300f000f));
	hm_hosted.ctr_el0 = UINT64_C(0x84448004); /* of a Cortex-A53 */
	EXPECT(hm_arm64_ctr() == UINT64_C(0x00040004));
	hm_hosted.ctr_el0 = ~UINT64_C(0x300f000f);
	EXPECT(!hm_arm64_ctr());
}

/* Of two CPUs the smallest lines of each kind are right, and what both need not do. In either order; with
 * itself a CPU is what it is; with one that nothing is known of there is nothing to rely on. */
CASE(cpus_are_merged)
{
	static const struct {
		uint64_t a, b, both;
	} known[] = {
		{ 0x00040004, 0x00040004, 0x00040004 }, { 0x00040003, 0x00030004, 0x00030003 },
		{ 0x00050003, 0x00040004, 0x00040003 }, { 0x000f000f, 0x00000001, 0x00000001 },
		{ 0x10040004, 0x30040004, 0x10040004 }, { 0x30040004, 0x30050005, 0x30040004 },
		{ 0x30040004, 0x00050005, 0x00040004 }, { 0x300f000f, 0, 0 },
	};
	unsigned int i;

	for (i = 0; i < sizeof(known) / sizeof(*known); i++) {
		EXPECT(hm_arm64_ctr_merge(known[i].a, known[i].b) == known[i].both);
		EXPECT(hm_arm64_ctr_merge(known[i].b, known[i].a) == known[i].both);
		EXPECT(hm_arm64_ctr_merge(known[i].a, known[i].a) == known[i].a);
		/* What does not change the merge is recognised by that. */
		EXPECT(hm_arm64_ctr_merge(known[i].both, known[i].a) == known[i].both);
	}
	EXPECT(hm_arm64_ctr_merge(ctr(4, 4, IDC | DIC), ctr(4, 4, IDC | DIC)) == 0x30040004);
}

/* Before anything is known, a line for each word is right for every CPU. */
CASE(nothing_known)
{
	hm_hosted.ctr_el0 = 0;
	EXPECT(cleans(8, 64, 4));
	EXPECT(invalidates(CODE + 2, 64, 4));
	EXPECT(hm_hosted.counts[HM_INSN_IC_IVAU] == 17);
}

/* Each instruction of a trap is BRK of that immediate. */
CASE(traps)
{
	EXPECT((uint32_t)HM_PORT_ROX_CACHE_TRAP == 0xd42909a0u);
	EXPECT(HM_PORT_ROX_CACHE_TRAP >> 32 == 0xd42909a0u);
	EXPECT((0xd42909a0u >> 5 & 0xffff) == HM_PORT_ARM64_TRAP);
	EXPECT(HM_ARM64_BRK(UINT64_C(0)) == 0xd4200000u &&
	       HM_ARM64_BRK(UINT64_C(0xffff)) == 0xd43fffe0u);
}

/* The key of what the next case stores to. */
static int key_of_code(const void *address)
{
	return address >= (const void *)alias && address < (const void *)(alias + 1024)
		       ? HM_KEY_TEXT
		       : -1;
}

/* An instruction is one store of four bytes, which leaves its neighbours alone. */
CASE(instruction_is_one_store)
{
	uint32_t *instruction = (uint32_t *)(void *)&alias[7] + 1;

	alias[7].val = ~UINT64_C(0);
	alias[8].val = ~UINT64_C(0);
	hm_port_code_patch(instruction, 0xd503201f);
	EXPECT(hm_hosted.events == 1 && hm_hosted.trace[0].kind == HM_INSN_STR32 &&
	       hm_hosted.trace[0].address == instruction && hm_hosted.trace[0].value == 0xd503201f);
	EXPECT(hm_port_pte_load(&alias[7]).val == UINT64_C(0xd503201fffffffff));
	EXPECT(hm_port_pte_load(&alias[8]).val == ~UINT64_C(0));
	EXPECT(!hm_hosted.bugs);
}

/* The hosted port judges it by the key of what it stores to: open in a window, closed outside; where keys are
 * stores it is the wrong instruction; and what is read-only nobody writes. */
CASE(instruction_by_key)
{
	uint32_t *instruction = (uint32_t *)(void *)alias, elsewhere = 0;
	hm_kpkeys_token_t level;

	hm_hosted.key_of = key_of_code;
	hm_hosted.key_style = HM_KEY_STYLE_WINDOW;
	hm_kpkeys_cpu_start();
	hm_port_code_patch(instruction, 1);
	EXPECT(hm_hosted.bugs == 1);
	level = hm_kpkeys_enter_text();
	hm_port_code_patch(instruction, 2);
	hm_port_pte_store(alias, alias[1]);
	hm_kpkeys_leave(level);
	EXPECT(hm_hosted.bugs == 1);
	level = hm_kpkeys_enter_pgtables();
	hm_port_code_patch(instruction, 3);
	hm_kpkeys_leave(level);
	EXPECT(hm_hosted.bugs == 2);
	hm_port_code_patch(&elsewhere, 4);
	EXPECT(hm_hosted.bugs == 3);
	hm_hosted.key_style = HM_KEY_STYLE_STORE;
	hm_port_code_patch(instruction, 5);
	EXPECT(hm_hosted.bugs == 4);
	hm_port_pte_store_keyed(alias, alias[1]);
	EXPECT(hm_hosted.bugs == 4);
	hm_hosted.key_style = HM_KEY_STYLE_NONE;
	hm_port_code_patch(instruction, 6);
	EXPECT(hm_hosted.bugs == 4);
}
