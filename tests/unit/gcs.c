/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * gcs.c -- ports/arm64/gcs.h against the Arm ARM's figures: how store keys are found, switched on and off,
 * what each hook then executes, in this style and the others, and the entries that take keyed stores.
 */
#include "suite.h"
#include <arm64/insn.h>

/* What the hosted port executes but does not trace is noted here: after how many of its events. */
enum noted { PIR, PIRE0, TCR2, GCSCR, DSB_NSH, HOSTED };
static struct {
	enum noted what;
	unsigned int event;
} notes[16];
static unsigned int noted;

static void note(enum noted what)
{
	notes[noted].what = what;
	notes[noted++].event = hm_hosted.events;
}

static inline void note_pir(uint64_t value)
{
	note(PIR);
	hm_insn_msr_pir_el1(value);
}

static inline void note_pire0(uint64_t value)
{
	note(PIRE0);
	hm_insn_msr_pire0_el1(value);
}

static inline void note_tcr2(uint64_t value)
{
	note(TCR2);
	hm_insn_msr_tcr2_el1(value);
}

static inline void note_gcscr(uint64_t value)
{
	note(GCSCR);
	hm_insn_msr_gcscr_el1(value);
}

static inline void note_dsb_nsh(void)
{
	note(DSB_NSH);
	hm_insn_dsb_nsh();
}

#define hm_insn_msr_pir_el1(value) note_pir(value)
#define hm_insn_msr_pire0_el1(value) note_pire0(value)
#define hm_insn_msr_tcr2_el1(value) note_tcr2(value)
#define hm_insn_msr_gcscr_el1(value) note_gcscr(value)
#define hm_insn_dsb_nsh() note_dsb_nsh()
#include <hardmap/pgtable.h>

#define PAGE (UINT64_C(1) << HM_PORT_ARM64_PAGE_SHIFT)

static void begin_in(unsigned int style)
{
	hm_hosted_reset();
	hm_hosted.key_style = style;
	noted = 0;
}

static void suite_setup(void)
{
	begin_in(HM_KEY_STYLE_STORE);
}

/* Since then, in order: what was noted, and the events of the hosted port between. */
static bool executed(unsigned int n, const unsigned int *sequence)
{
	unsigned int event = 0, at = 0, i;

	for (i = 0; i < n; i++) {
		if (sequence[i] >= HOSTED) {
			if (at < noted && notes[at].event == event)
				return false; /* something noted comes first */
			if (event == hm_hosted.events ||
			    hm_hosted.trace[event++].kind != sequence[i] - HOSTED)
				return false;
		} else if (at == noted || notes[at].what != sequence[i] ||
			   notes[at++].event != event) {
			return false;
		}
	}
	return at == noted && event == hm_hosted.events;
}

#define TRACED(kind) (HOSTED + HM_INSN_##kind)
#define EXECUTED(...)                                                            \
	executed(sizeof((unsigned int[]){ __VA_ARGS__ }) / sizeof(unsigned int), \
		 (unsigned int[]){ __VA_ARGS__ })

/* ---- features ---- */

/* ID_AA64PFR1_EL1.GCS is bits 47:44, ID_AA64MMFR3_EL1.S1PIE 11:8; both must be there, in this version or a
 * later one, and nothing else matters: S1POE, 19:16, neither. */
CASE(feature_detection)
{
	unsigned int gcs, s1pie;

	for (gcs = 0; gcs < 16; gcs++) {
		for (s1pie = 0; s1pie < 16; s1pie++) {
			hm_hosted.id_aa64pfr1_el1 = (uint64_t)gcs << 44;
			hm_hosted.id_aa64mmfr3_el1 = (uint64_t)s1pie << 8;
			EXPECT(hm_arm64_cpu_has_gcs() == (gcs && s1pie));
			hm_hosted.id_aa64pfr1_el1 |= ~(UINT64_C(0xf) << 44);
			hm_hosted.id_aa64mmfr3_el1 |= ~(UINT64_C(0xf) << 8);
			EXPECT(hm_arm64_cpu_has_gcs() == (gcs && s1pie));
		}
	}
}

/* ---- switching store keys on and off ---- */

/* GCSSTR is defined, and indirection has its tables, before it is on; then what the TLB knew is forgotten.
 * Overlays stay as they are. */
CASE(enable)
{
	hm_hosted.gcscr_el1 = ~UINT64_C(0); /* unknown at reset */
	hm_hosted.tcr2_el1 = 0x10;
	hm_arm64_gcs_enable();
	EXPECT(EXECUTED(GCSCR, PIR, PIRE0, TRACED(ISB), TCR2, TRACED(ISB), TRACED(TLBI_VMALLE1),
			DSB_NSH, TRACED(ISB)));
	EXPECT(hm_hosted.gcscr_el1 == 0x200); /* STREn, bit 9, alone */
	EXPECT(hm_hosted.pir_el1 == 0xc581000309800000);
	EXPECT(hm_hosted.pire0_el1 == 0x5010000000300000);
	EXPECT(hm_hosted.tcr2_el1 == (0x10 | 0x2)); /* PIE, bit 1 */
}

/* The same on a CPU that has them on, as at a resume: the TLB may know the registers' reset values. */
CASE(enable_twice)
{
	hm_arm64_gcs_enable();
	hm_hosted_clear_counts();
	hm_hosted.pir_el1 = hm_hosted.gcscr_el1 = 0;
	hm_arm64_gcs_enable();
	EXPECT(hm_hosted.counts[HM_INSN_TLBI_VMALLE1] == 1);
	EXPECT(hm_hosted.gcscr_el1 == 0x200 && hm_hosted.tcr2_el1 == 0x2);
	EXPECT(hm_hosted.pir_el1 == 0xc581000309800000);
}

/* Off: keyed stores first, then indirection, then the instruction. The other bits of TCR2_EL1 stay. */
CASE(disable)
{
	hm_hosted.tcr2_el1 = 0x17;
	hm_hosted.gcscr_el1 = 0x200;
	hm_arm64_gcs_disable();
	EXPECT(EXECUTED(TRACED(GCSB_DSYNC), TRACED(DMB_ISH), TCR2, TRACED(ISB),
			TRACED(TLBI_VMALLE1), DSB_NSH, TRACED(ISB), GCSCR, TRACED(ISB)));
	EXPECT(hm_hosted.tcr2_el1 == 0x15);
	EXPECT(!hm_hosted.gcscr_el1);
}

/* ---- permissions ---- */

#define GCS 0x9u /* readable at EL1, and written by GCSSTR (D8.4.3) */

static unsigned int field(uint64_t reg, uint64_t index)
{
	return (unsigned int)(reg >> 4 * index & 15);
}

/* What executes and what writes, of those encodings that the registers may have. */
static bool executes(unsigned int encoding)
{
	return encoding == 0x2 || encoding == 0x3 || encoding == 0x7 || encoding == 0xa ||
	       encoding == 0xe;
}

static bool writes(unsigned int encoding)
{
	return encoding >= 0x5 && encoding != 0x8 && encoding != 0xa;
}

/* One kind is written by keyed stores, and all others are what they are without. */
CASE(one_index_takes_keyed_stores)
{
	const uint64_t keyed = HM_ARM64_KERNEL_KEYED;
	const uint64_t keyed_index = (keyed >> 54 & 1) << 3 | (keyed >> 53 & 1) << 2 |
				     (keyed >> 51 & 1) << 1 | (keyed >> 6 & 1);
	unsigned int index;

	EXPECT(keyed_index == 0x6);
	EXPECT(!(keyed & HM_ARM64_READONLY)); /* nDirty, which would forbid the store */
	EXPECT(!(keyed & HM_ARM64_ATTR(7))); /* Normal write-back */
	for (index = 0; index < 16; index++) {
		if (index == keyed_index)
			EXPECT(field(HM_ARM64_PIR_EL1_GCS, index) == GCS);
		else
			EXPECT(field(HM_ARM64_PIR_EL1_GCS, index) ==
			       field(HM_ARM64_PIR_EL1, index));
		EXPECT(field(HM_ARM64_PIR_EL1, index) != GCS);
	}
	EXPECT(!field(HM_ARM64_PIRE0_EL1, keyed_index));
}

/* EL1's execution, or a control stack of it, and EL0's writing, of one index, take everything away
 * (D8.4.3). Nor does EL0 have a control stack. */
CASE(no_index_is_writable_by_el0_too)
{
	unsigned int index;

	for (index = 0; index < 16; index++) {
		unsigned int el1 = field(HM_ARM64_PIR_EL1_GCS, index);
		unsigned int el0 = field(HM_ARM64_PIRE0_EL1, index);

		EXPECT(el0 != GCS);
		EXPECT(!((executes(el1) || el1 == GCS) && writes(el0)));
		EXPECT(!(executes(el1) && writes(el1)));
	}
}

/* ---- the hooks ---- */

static void invalidate_page(void)
{
	const hm_va_t va = { PAGE };

	hm_port_pgtable_invalidate(va, PAGE, HM_INVALIDATE_LEAVES);
}

CASE(order_of_keyed_stores)
{
	hm_port_keyed_begin();
	EXPECT(EXECUTED(TRACED(DMB_ISH), TRACED(GCSB_DSYNC)));
	begin_in(HM_KEY_STYLE_STORE);
	hm_port_keyed_end();
	EXPECT(EXECUTED(TRACED(GCSB_DSYNC), TRACED(DMB_ISH)));
}

CASE(keyed_store)
{
	hm_pte_t entry = { 0 };

	hm_port_pte_store_keyed(&entry, (hm_pte_t){ 0x123 });
	EXPECT(EXECUTED(TRACED(GCSSTR)));
	EXPECT(hm_hosted.trace[0].address == &entry && hm_hosted.trace[0].value == 0x123);
	EXPECT(entry.val == 0x123 && !hm_hosted.bugs);
}

/* What waits for stores waits for keyed ones too, before anything that a GCSB does not order. */
CASE(hooks_with_store_keys)
{
	hm_port_context_publish();
	EXPECT(EXECUTED(TRACED(GCSB_DSYNC), TRACED(DSB_ISH)));
	begin_in(HM_KEY_STYLE_STORE);
	hm_port_context_switch();
	EXPECT(EXECUTED(TRACED(GCSB_DSYNC), TRACED(DSB_ISH)));
	begin_in(HM_KEY_STYLE_STORE);
	hm_port_context_sync();
	EXPECT(EXECUTED(TRACED(ISB)));
	begin_in(HM_KEY_STYLE_STORE);
	invalidate_page();
	EXPECT(EXECUTED(TRACED(GCSB_DSYNC), TRACED(DSB_ISH), TRACED(TLBI_VAALE1IS), TRACED(DSB_ISH),
			TRACED(ISB)));
}

/* Without, no instruction is added. */
CASE(hooks_without_store_keys)
{
	static const unsigned int styles[] = { HM_KEY_STYLE_NONE, HM_KEY_STYLE_WINDOW };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		begin_in(styles[i]);
		hm_port_context_publish();
		EXPECT(EXECUTED(TRACED(DSB_ISHST)));
		begin_in(styles[i]);
		hm_port_context_switch();
		EXPECT(EXECUTED(TRACED(DSB_ISH)));
		begin_in(styles[i]);
		hm_port_context_sync();
		EXPECT(EXECUTED(TRACED(ISB)));
		begin_in(styles[i]);
		invalidate_page();
		EXPECT(EXECUTED(TRACED(DSB_ISHST), TRACED(TLBI_VAALE1IS), TRACED(DSB_ISH),
				TRACED(ISB)));
	}
}

/* ---- the library over them ---- */

static hm_pte_t kernel_page(unsigned int number)
{
	return hm_arm64_leaf((hm_pa_t){ number * PAGE }, 0, HM_ARM64_KERNEL_RW);
}

/* Eager: between a begin and a publication. In a section: between a begin and an end, of one entry or many;
 * and one publication for all. */
CASE(entries)
{
	_Alignas(32) hm_pte_t table[4] = { { 0 } }; /* in one table, whatever the stack */
	hm_lazy_mmu_token_t tok;

	hm_pte_set(table, kernel_page(1));
	EXPECT(EXECUTED(TRACED(DMB_ISH), TRACED(GCSB_DSYNC), TRACED(GCSSTR), TRACED(GCSB_DSYNC),
			TRACED(DSB_ISH), TRACED(ISB)));
	begin_in(HM_KEY_STYLE_STORE);
	hm_pte_clear(table);
	EXPECT(EXECUTED(TRACED(DMB_ISH), TRACED(GCSB_DSYNC), TRACED(GCSSTR), TRACED(GCSB_DSYNC),
			TRACED(DMB_ISH)));
	begin_in(HM_KEY_STYLE_STORE);
	tok = hm_lazy_mmu_enter();
	EXPECT(!hm_hosted.events);
	hm_pte_set_range(table, 3, kernel_page(1), PAGE);
	EXPECT(EXECUTED(TRACED(DMB_ISH), TRACED(GCSB_DSYNC), TRACED(GCSSTR), TRACED(GCSSTR),
			TRACED(GCSSTR), TRACED(GCSB_DSYNC), TRACED(DMB_ISH)));
	hm_hosted_clear_counts();
	hm_lazy_mmu_leave(tok);
	EXPECT(EXECUTED(TRACED(GCSB_DSYNC), TRACED(DSB_ISH), TRACED(ISB)));
	EXPECT(!hm_hosted.bugs);
}

/* The load, the keyed store behind it; a failure is the load alone. */
CASE(update)
{
	hm_pte_t entry = kernel_page(1), expected = kernel_page(2);

	EXPECT(!hm_pte_update(&entry, &expected, kernel_page(3)));
	EXPECT(EXECUTED(TRACED(LDR)));
	hm_hosted_clear_counts();
	EXPECT(hm_pte_update(&entry, &expected, kernel_page(3)));
	EXPECT(EXECUTED(TRACED(LDR), TRACED(DMB_ISH), TRACED(GCSB_DSYNC), TRACED(GCSSTR),
			TRACED(GCSB_DSYNC), TRACED(DMB_ISH)));
	EXPECT(entry.val == kernel_page(3).val && !hm_hosted.bugs);
}

/* Off a CPU: what the other does comes after keyed stores. On it: no keyed store before what the scheduler
 * took to get here. */
CASE(context_switch)
{
	hm_context_switch_t away = hm_context_switch_out();

	EXPECT(EXECUTED(TRACED(GCSB_DSYNC), TRACED(DSB_ISH)));
	hm_hosted_clear_counts();
	hm_context_switch_in(away);
	EXPECT(EXECUTED(TRACED(DMB_ISH), TRACED(GCSB_DSYNC), TRACED(ISB)));
}

/* ---- hand-over ---- */

/* What was pending is published; the switch-off ends the style, and entries are then written by ordinary
 * stores, one by one. */
static void hand_over(void)
{
	hm_kpkeys_hand_over();
	EXPECT(!hm_lazy_mmu_active());
	hm_arm64_gcs_disable();
	EXPECT(!hm_hosted.counts[HM_INSN_STR] && !hm_hosted.bugs);
	hm_hosted.key_style = HM_KEY_STYLE_NONE;
	noted = 0;
}

static void expect_ordinary_stores(void)
{
	/* In one table, whatever the stack. */
	_Alignas(32) hm_pte_t table[4] = { { 0 } };
	hm_pte_t expected = { 0 };

	hm_hosted_clear_counts();
	hm_pte_set(table, kernel_page(1));
	EXPECT(EXECUTED(TRACED(STR), TRACED(DSB_ISHST), TRACED(ISB)));
	hm_hosted_clear_counts();
	hm_pte_set_range(table, 3, kernel_page(1), PAGE);
	EXPECT(EXECUTED(TRACED(STR), TRACED(STR), TRACED(STR), TRACED(DSB_ISHST), TRACED(ISB)));
	hm_hosted_clear_counts();
	EXPECT(hm_pte_update(table + 3, &expected, kernel_page(1)));
	EXPECT(EXECUTED(TRACED(CAS), TRACED(DSB_ISHST), TRACED(ISB)));
	hm_hosted_clear_counts();
	hm_pte_clear(table);
	EXPECT(EXECUTED(TRACED(STR)));
	EXPECT(!hm_hosted.bugs);
}

/* Until it is switched off, it is in force. */
CASE(keyed_stores_after_the_hand_over)
{
	hm_pte_t entry = { 0 };

	hm_kpkeys_hand_over();
	hm_pte_set(&entry, kernel_page(1));
	EXPECT(EXECUTED(TRACED(DMB_ISH), TRACED(GCSB_DSYNC), TRACED(GCSSTR), TRACED(GCSB_DSYNC),
			TRACED(DSB_ISH), TRACED(ISB)));
	EXPECT(!hm_hosted.bugs);
}

/* An exception that comes before the switch-off does not bring keyed stores back after it. */
CASE(exception_in_the_hand_over)
{
	hm_context_exception_t interrupted;
	hm_pte_t entry = { 0 };

	hm_kpkeys_hand_over();
	interrupted = hm_context_exception_push();
	hm_pte_set(&entry, kernel_page(1));
	EXPECT(hm_hosted.counts[HM_INSN_GCSSTR] == 1);
	hm_context_exception_pop(interrupted);
	hm_arm64_gcs_disable();
	hm_hosted.key_style = HM_KEY_STYLE_NONE;
	noted = 0;
	expect_ordinary_stores();
	interrupted = hm_context_exception_push();
	expect_ordinary_stores();
	hm_context_exception_pop(interrupted);
	hm_lazy_mmu_leave(hm_lazy_mmu_enter());
	EXPECT(!hm_hosted.bugs);
}

CASE(hand_over_of_an_idle_context)
{
	hand_over();
	EXPECT(!hm_hosted.counts[HM_INSN_DSB_ISH]); /* nothing was pending */
	expect_ordinary_stores();
}

/* The section is not left any more; sections that follow are eager. */
CASE(hand_over_in_a_section)
{
	hm_lazy_mmu_token_t section = hm_lazy_mmu_enter(), inner;
	hm_pte_t entry = { 0 };

	(void)section;
	hm_pte_set(&entry, kernel_page(1));
	EXPECT(!hm_hosted.counts[HM_INSN_DSB_ISH]);
	hand_over();
	EXPECT(hm_hosted.counts[HM_INSN_DSB_ISH] == 1);
	expect_ordinary_stores();
	inner = hm_lazy_mmu_enter();
	expect_ordinary_stores();
	hm_lazy_mmu_leave(inner);
	expect_ordinary_stores();
}

/* Nor a level or a pause in it. */
CASE(hand_over_at_a_level)
{
	hm_lazy_mmu_token_t section = hm_lazy_mmu_enter();
	hm_kpkeys_token_t level = hm_kpkeys_enter_text();
	hm_lazy_mmu_pause_t pause = hm_lazy_mmu_pause();

	(void)section, (void)level, (void)pause;
	hand_over();
	expect_ordinary_stores();
}

/* In a handler; and in one that comes after it. */
CASE(hand_over_in_an_exception)
{
	hm_lazy_mmu_token_t section = hm_lazy_mmu_enter(), inner;
	hm_context_exception_t irq = hm_context_exception_push(), later;

	(void)section, (void)irq;
	hand_over();
	expect_ordinary_stores();
	later = hm_context_exception_push();
	expect_ordinary_stores();
	inner = hm_lazy_mmu_enter();
	EXPECT(hm_lazy_mmu_active());
	hm_lazy_mmu_leave(inner);
	hm_context_exception_pop(later);
	expect_ordinary_stores();
}

/* ---- entries ---- */

static struct hm_leaf leaf_of(unsigned int key, enum hm_permission permission)
{
	const struct hm_leaf leaf = {
		.pa = { UINT64_C(3) << 40 },
		.permission = permission,
		.key = key,
		.other = HM_ARM64_KERNEL_DATA_,
	};

	return leaf;
}

static bool same(const struct hm_leaf *a, const struct hm_leaf *b)
{
	return a->pa.val == b->pa.val && a->permission == b->permission && a->key == b->key &&
	       a->contiguous == b->contiguous && a->keep_small == b->keep_small &&
	       a->other == b->other;
}

/* A key makes what is writable memory of keyed stores, and nothing else. */
CASE(keyed_entries)
{
	const hm_pa_t pa = leaf_of(0, HM_PERMISSION_RW).pa;
	unsigned int key, level;

	for (level = 0; level <= HM_PORT_PGTABLE_BLOCK_LEVEL; level++)
		for (key = 0; key < 8; key++) {
			struct hm_leaf rw = leaf_of(key, HM_PERMISSION_RW);

			EXPECT(hm_port_leaf_encode(&rw, level).val ==
			       hm_arm64_leaf(pa, level,
					     HM_ARM64_KEY(key) | (key ? HM_ARM64_KERNEL_KEYED
								      : HM_ARM64_KERNEL_RW))
				       .val);
		}
}

/* What is not writable, or has no key, is the same entry in every style; so is every entry in the others. */
CASE(entries_that_take_no_keyed_stores)
{
	static const enum hm_permission permissions[] = { HM_PERMISSION_RW, HM_PERMISSION_RO,
							  HM_PERMISSION_ROX,
							  HM_PERMISSION_INVALID };
	static const uint64_t attributes[] = { HM_ARM64_KERNEL_RW, HM_ARM64_KERNEL_RO,
					       HM_ARM64_KERNEL_RX, HM_ARM64_KERNEL_RW };
	static const unsigned int styles[] = { HM_KEY_STYLE_NONE, HM_KEY_STYLE_WINDOW,
					       HM_KEY_STYLE_STORE };
	unsigned int key, level, i, style;

	for (level = 0; level <= HM_PORT_PGTABLE_BLOCK_LEVEL; level++)
		for (key = 0; key < 8; key += 7)
			for (i = 0; i < 4; i++)
				for (style = 0; style < 3; style++) {
					struct hm_leaf leaf = leaf_of(key, permissions[i]);
					uint64_t value;

					if (styles[style] == HM_KEY_STYLE_STORE && key && !i)
						continue;
					begin_in(styles[style]);
					value = hm_arm64_leaf(leaf.pa, level,
							      HM_ARM64_KEY(key) | attributes[i])
							.val;
					if (i == 3)
						value &= ~HM_ARM64_VALID;
					EXPECT(hm_port_leaf_encode(&leaf, level).val == value);
				}
}

/* Taken apart, each says what it was put together from, in this style and after it changed. */
CASE(round_trip)
{
	static const enum hm_permission permissions[] = { HM_PERMISSION_RW, HM_PERMISSION_RO,
							  HM_PERMISSION_ROX,
							  HM_PERMISSION_INVALID };
	static const unsigned int styles[] = { HM_KEY_STYLE_NONE, HM_KEY_STYLE_WINDOW,
					       HM_KEY_STYLE_STORE };
	unsigned int key, level, i, bits, from, to;

	for (level = 0; level <= HM_PORT_PGTABLE_BLOCK_LEVEL; level++)
		for (key = 0; key < 8; key += 7)
			for (i = 0; i < 4; i++)
				for (bits = 0; bits < 4; bits++)
					for (from = 0; from < 3; from++)
						for (to = 0; to < 3; to++) {
							struct hm_leaf leaf =
								leaf_of(key, permissions[i]);
							struct hm_leaf found = { .key = 99 };
							hm_pte_t pte;

							leaf.contiguous = bits & 1;
							leaf.keep_small = bits & 2;
							begin_in(styles[from]);
							pte = hm_port_leaf_encode(&leaf, level);
							begin_in(styles[to]);
							EXPECT(hm_port_leaf_decode(pte, level,
										   &found));
							EXPECT(same(&leaf, &found));
						}
}

/* An entry of before the keys were on becomes a keyed one when it is written again, and back. */
CASE(entries_of_the_other_style)
{
	struct hm_leaf leaf = leaf_of(HM_KEY_PGTABLES, HM_PERMISSION_RW);
	hm_pte_t window, store;

	store = hm_port_leaf_encode(&leaf, 0);
	begin_in(HM_KEY_STYLE_WINDOW);
	window = hm_port_leaf_encode(&leaf, 0);
	EXPECT(window.val == (store.val | HM_ARM64_UXN) && window.val != store.val);
	EXPECT(hm_port_leaf_decode(store, 0, &leaf));
	EXPECT(hm_port_leaf_encode(&leaf, 0).val == window.val);
	begin_in(HM_KEY_STYLE_STORE);
	EXPECT(hm_port_leaf_decode(window, 0, &leaf));
	EXPECT(hm_port_leaf_encode(&leaf, 0).val == store.val);
}

/* A control stack is Normal write-back memory (D8.4.3): other memory is locked by no store key. It has any
 * other permission with the key, and any without. */
CASE(memory_that_takes_no_keyed_stores)
{
	unsigned int index, level;

	for (level = 0; level <= HM_PORT_PGTABLE_BLOCK_LEVEL; level++)
		for (index = 1; index < 8; index++) {
			struct hm_leaf leaf = leaf_of(HM_KEY_PGTABLES, HM_PERMISSION_RW);

			leaf.other |= HM_ARM64_ATTR(index);
			EXPECT(!hm_port_leaf_encode(&leaf, level).val);
			leaf.permission = HM_PERMISSION_RO;
			EXPECT(hm_port_leaf_encode(&leaf, level).val);
			leaf.permission = HM_PERMISSION_INVALID;
			EXPECT(hm_port_leaf_encode(&leaf, level).val);
			leaf.permission = HM_PERMISSION_RW;
			leaf.key = HM_KEY_DEFAULT;
			EXPECT(hm_port_leaf_encode(&leaf, level).val);
			leaf.key = HM_KEY_PGTABLES;
			begin_in(HM_KEY_STYLE_WINDOW);
			EXPECT(hm_port_leaf_encode(&leaf, level).val);
			begin_in(HM_KEY_STYLE_STORE);
		}
}
