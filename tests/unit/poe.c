/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * poe.c -- ports/arm64/poe.h against the Arm ARM's figures: the key register's constants, what the attributes
 * of vmsa.h permit with and without FEAT_S1PIE, by the rules written down once more here, and how keys are
 * switched on and off.
 */
#include "suite.h"
#include <arm64/insn.h>

/* What the hosted port executes but does not trace is noted here: after how many of its events. */
enum noted { PIR, PIRE0, TCR2, DSB_NSH, HOSTED };
static struct {
	enum noted what;
	unsigned int event;
	uint64_t value;
} notes[16];
static unsigned int noted;

static void note(enum noted what, uint64_t value)
{
	notes[noted].what = what;
	notes[noted].event = hm_hosted.events;
	notes[noted++].value = value;
}

static inline void note_pir(uint64_t value)
{
	note(PIR, value);
	hm_insn_msr_pir_el1(value);
}

static inline void note_pire0(uint64_t value)
{
	note(PIRE0, value);
	hm_insn_msr_pire0_el1(value);
}

static inline void note_tcr2(uint64_t value)
{
	note(TCR2, value);
	hm_insn_msr_tcr2_el1(value);
}

static inline void note_dsb_nsh(void)
{
	note(DSB_NSH, 0);
	hm_insn_dsb_nsh();
}

#define hm_insn_msr_pir_el1(value) note_pir(value)
#define hm_insn_msr_pire0_el1(value) note_pire0(value)
#define hm_insn_msr_tcr2_el1(value) note_tcr2(value)
#define hm_insn_dsb_nsh() note_dsb_nsh()
#include <hardmap/pgtable.h>

static void suite_setup(void)
{
	hm_hosted_reset();
	hm_hosted.key_style = HM_KEY_STYLE_WINDOW;
	noted = 0;
}

/* ---- the key register ---- */

/* POR_EL1 of each level: four bits a key, 1 read, 2 execute, 4 write. Key 0 is open always. */
CASE(constants_of_levels)
{
	EXPECT(hm_context_constant_(HM_KPKEYS_DEFAULT) == 0x117);
	EXPECT(hm_context_constant_(HM_KPKEYS_PGTABLES) == 0x157);
	EXPECT(hm_context_constant_(HM_KPKEYS_TEXT) == 0x517);
	EXPECT(hm_context_constant_(HM_KPKEYS_UNRESTRICTED) == 0x55555557);
	EXPECT(hm_context_constant_(HM_HOSTED_LEVEL) == 0x5117);
}

/* A number that is no level's is the default level's. */
CASE(constants_of_no_level)
{
	static const uint64_t numbers[] = { 5, 6, 7, 8, 0x17, ~UINT64_C(0), UINT64_C(1) << 32 };
	unsigned int i;

	for (i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		EXPECT(hm_context_constant_(numbers[i]) == 0x117);
}

/* Entering and leaving writes these and nothing else. */
CASE(register_in_use)
{
	hm_kpkeys_token_t tok;

	hm_kpkeys_cpu_start();
	EXPECT(hm_hosted.por_el1 == 0x117);
	tok = hm_kpkeys_enter_text();
	EXPECT(hm_hosted.por_el1 == 0x517);
	hm_kpkeys_leave(tok);
	EXPECT(hm_hosted.por_el1 == 0x117);
	hm_lazy_mmu_leave(hm_lazy_mmu_enter());
	EXPECT(hm_hosted.trace[hm_hosted.events - 4].value == 0x157);
	EXPECT(hm_hosted.por_el1 == 0x117);
}

/* ---- permissions ---- */

#define READ 1u
#define EXECUTE 2u
#define WRITE 4u

struct permissions {
	unsigned int el1, el0;
};

static const uint64_t kinds[] = { HM_ARM64_KERNEL_RW,    HM_ARM64_KERNEL_RO, HM_ARM64_KERNEL_RX,
				  HM_ARM64_USER_RW,      HM_ARM64_USER_RO,   HM_ARM64_USER_RX,
				  HM_ARM64_KERNEL_DEVICE };
#define KINDS (sizeof(kinds) / sizeof(*kinds))

/* Direct permissions, no hierarchical ones, SCTLR_EL1.WXN 0, no hardware management of dirty state (D8.4.1):
 * AP[2:1] are bits 7:6, PXN 53, UXN 54. What EL0 may write EL1 does not execute. */
static struct permissions direct(uint64_t entry)
{
	bool readonly = entry >> 7 & 1, user = entry >> 6 & 1;
	struct permissions may = { READ, 0 };

	if (!readonly)
		may.el1 |= WRITE;
	if (user)
		may.el0 |= readonly ? READ : READ | WRITE;
	if (!(entry >> 53 & 1) && !(may.el0 & WRITE))
		may.el1 |= EXECUTE;
	if (!(entry >> 54 & 1))
		may.el0 |= EXECUTE;
	return may;
}

/* The base permissions of an encoding of PIR_EL1 and PIRE0_EL1 (D8.4.3); reserved ones give nothing, and that
 * of guarded control stacks (9) lets no ordinary store through. */
static unsigned int base(uint64_t encoding)
{
	static const unsigned int permissions[16] = {
		[0x0] = 0,
		[0x1] = READ,
		[0x2] = EXECUTE,
		[0x3] = READ | EXECUTE,
		[0x5] = READ | WRITE,
		[0x6] = READ | WRITE, /* execute, too, were it not writable */
		[0x7] = READ | WRITE | EXECUTE,
		[0x8] = READ,
		[0x9] = READ,
		[0xa] = READ | EXECUTE,
		[0xc] = READ | WRITE,
		[0xe] = READ | WRITE | EXECUTE,
	};

	return permissions[encoding & 15];
}

/* Encodings below 8 are under the overlay; those from 8 on are not. */
static bool has_overlay(uint64_t encoding)
{
	return !(encoding & 8);
}

static uint64_t field(uint64_t reg, uint64_t index)
{
	return reg >> 4 * index & 15;
}

static uint64_t index_of(uint64_t entry)
{
	return (entry >> 54 & 1) << 3 | (entry >> 53 & 1) << 2 | (entry >> 51 & 1) << 1 |
	       (entry >> 6 & 1);
}

/* Indirect permissions (D8.4.3) under these overlays (D8.4.4); bit 7 is nDirty, and hardware does not manage
 * dirty state: with 1 no store goes through. EL1 execution and EL0 writing of one index take both away. */
static struct permissions indirect(uint64_t entry, uint64_t por_el1, uint64_t por_el0)
{
	const uint64_t index = index_of(entry), key = entry >> 60 & 7;
	const uint64_t el1 = field(HM_ARM64_PIR_EL1, index), el0 = field(HM_ARM64_PIRE0_EL1, index);
	struct permissions may = { base(el1), base(el0) };

	if ((may.el1 & EXECUTE) && (may.el0 & WRITE))
		may.el1 = may.el0 = 0;
	if (has_overlay(el1))
		may.el1 &= (unsigned int)(por_el1 >> 4 * key & 7);
	if (has_overlay(el0))
		may.el0 &= (unsigned int)(por_el0 >> 4 * key & 7);
	if (entry >> 7 & 1) {
		may.el1 &= ~WRITE;
		may.el0 &= ~WRITE;
	}
	return may;
}

static uint64_t entry_of(uint64_t attributes, unsigned int level)
{
	const hm_pa_t pa = { 0 };

	return hm_arm64_leaf(pa, level, attributes).val;
}

/* The figures: every kind of page by its index. */
CASE(indirection_registers)
{
	EXPECT(HM_ARM64_PIR_EL1 == 0xc581000300800000);
	EXPECT(HM_ARM64_PIRE0_EL1 == 0x5010000000300000);
	EXPECT(index_of(HM_ARM64_KERNEL_RW) == 0xe && index_of(HM_ARM64_KERNEL_DEVICE) == 0xe);
	EXPECT(index_of(HM_ARM64_KERNEL_RO) == 0xc);
	EXPECT(index_of(HM_ARM64_KERNEL_RX) == 0x8);
	EXPECT(index_of(HM_ARM64_USER_RW) == 0xf);
	EXPECT(index_of(HM_ARM64_USER_RO) == 0xd);
	EXPECT(index_of(HM_ARM64_USER_RX) == 0x5);
}

/* The port computes the index as the architecture does, of every entry, and keeps one for keyed stores that
 * no kind of page has, nor do the registers permit anything by it. */
CASE(index_of_an_entry)
{
	unsigned int index, i;

	for (index = 0; index < 16; index++) {
		uint64_t entry = (uint64_t)(index >> 3 & 1) << 54 |
				 (uint64_t)(index >> 2 & 1) << 53 |
				 (uint64_t)(index >> 1 & 1) << 51 | (uint64_t)(index & 1) << 6;

		EXPECT(HM_ARM64_PIINDEX(entry) == index);
		EXPECT(HM_ARM64_PIINDEX(~entry) == (index ^ 15));
		EXPECT(index_of(entry) == index);
	}
	for (i = 0; i < KINDS; i++)
		EXPECT(index_of(kinds[i]) != HM_ARM64_PIINDEX(HM_ARM64_KERNEL_KEYED));
	EXPECT(!field(HM_ARM64_PIR_EL1, HM_ARM64_PIINDEX(HM_ARM64_KERNEL_KEYED)));
	EXPECT(!field(HM_ARM64_PIRE0_EL1, HM_ARM64_PIINDEX(HM_ARM64_KERNEL_KEYED)));
}

/* What each kind is for. */
CASE(permissions_of_each_kind)
{
	static const struct permissions may[KINDS] = {
		{ READ | WRITE, 0 },   { READ, 0 },
		{ READ | EXECUTE, 0 }, { READ | WRITE, READ | WRITE },
		{ READ, READ },        { READ, READ | EXECUTE },
		{ READ | WRITE, 0 },
	};
	unsigned int i;

	for (i = 0; i < KINDS; i++) {
		struct permissions is = direct(entry_of(kinds[i], 0));

		EXPECT(is.el1 == may[i].el1 && is.el0 == may[i].el0);
	}
}

/* Each kind permits the same to both without FEAT_S1PIE and with it, as page and as block, at the default
 * level (key 0, and user keys open at EL0). */
CASE(same_with_and_without_indirection)
{
	unsigned int i, level;

	for (i = 0; i < KINDS; i++) {
		for (level = 0; level <= HM_PORT_PGTABLE_BLOCK_LEVEL; level++) {
			uint64_t entry = entry_of(kinds[i], level);
			struct permissions without = direct(entry);
			struct permissions with = indirect(entry, 0x117, 0x77777777);

			EXPECT(entry);
			EXPECT(with.el1 == without.el1 && with.el0 == without.el0);
			EXPECT(hm_port_pte_permits((hm_pte_t){ entry }, HM_ACCESS_READ) ==
			       !!(with.el1 & READ));
			EXPECT(hm_port_pte_permits((hm_pte_t){ entry }, HM_ACCESS_WRITE) ==
			       !!(with.el1 & WRITE));
			EXPECT(hm_port_pte_permits((hm_pte_t){ entry }, HM_ACCESS_EXECUTE) ==
			       !!(with.el1 & EXECUTE));
		}
	}
}

/* No index, of a kind or not, lets EL1 execute what EL0 writes, nor anybody execute what he writes; and those
 * of no kind give nothing. */
CASE(no_index_is_writable_and_executable)
{
	unsigned int index, i;

	for (index = 0; index < 16; index++) {
		unsigned int el1 = base(field(HM_ARM64_PIR_EL1, index));
		unsigned int el0 = base(field(HM_ARM64_PIRE0_EL1, index));
		bool used = false;

		EXPECT(!((el1 & EXECUTE) && (el0 & WRITE)));
		EXPECT(!((el1 & EXECUTE) && (el1 & WRITE)));
		EXPECT(!((el0 & EXECUTE) && (el0 & WRITE)));
		for (i = 0; i < KINDS; i++)
			used |= index_of(kinds[i]) == index;
		EXPECT(used || (!el1 && !el0));
	}
}

/* A key takes writing away from EL1 but at a level that opens it, reading never; it does not give what the
 * page does not permit. */
CASE(keys_of_kernel_pages)
{
	static const struct {
		unsigned int level;
		unsigned int key;
		unsigned int may; /* of a writable page */
	} rows[] = {
		{ HM_KPKEYS_DEFAULT, HM_KEY_DEFAULT, READ | WRITE },
		{ HM_KPKEYS_DEFAULT, HM_KEY_PGTABLES, READ },
		{ HM_KPKEYS_DEFAULT, HM_KEY_TEXT, READ },
		{ HM_KPKEYS_DEFAULT, HM_HOSTED_KEY, 0 },
		{ HM_KPKEYS_PGTABLES, HM_KEY_DEFAULT, READ | WRITE },
		{ HM_KPKEYS_PGTABLES, HM_KEY_PGTABLES, READ | WRITE },
		{ HM_KPKEYS_PGTABLES, HM_KEY_TEXT, READ },
		{ HM_KPKEYS_TEXT, HM_KEY_PGTABLES, READ },
		{ HM_KPKEYS_TEXT, HM_KEY_TEXT, READ | WRITE },
		{ HM_KPKEYS_UNRESTRICTED, HM_KEY_PGTABLES, READ | WRITE },
		{ HM_KPKEYS_UNRESTRICTED, 7, READ | WRITE },
		{ HM_HOSTED_LEVEL, HM_HOSTED_KEY, READ | WRITE },
		{ HM_HOSTED_LEVEL, HM_KEY_TEXT, READ },
	};
	unsigned int i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint64_t key = HM_ARM64_KEY(rows[i].key);
		uint64_t por = hm_context_constant_(rows[i].level);

		EXPECT(indirect(entry_of(HM_ARM64_KERNEL_RW | key, 0), por, 0).el1 == rows[i].may);
		EXPECT(indirect(entry_of(HM_ARM64_KERNEL_RO | key, 0), por, 0).el1 ==
		       (rows[i].may & READ));
		EXPECT(!indirect(entry_of(HM_ARM64_KERNEL_RW | key, 0), por, ~UINT64_C(0)).el0);
	}
}

/* User pages are under the user's keys at EL0, and at EL1 under none. */
CASE(keys_of_user_pages)
{
	unsigned int key;

	for (key = 0; key < 8; key++) {
		uint64_t entry = entry_of(HM_ARM64_USER_RW | HM_ARM64_KEY(key), 0);
		struct permissions closed = indirect(entry, 0x117, 0);
		struct permissions readable = indirect(entry, 0x117, UINT64_C(1) << 4 * key);

		EXPECT(closed.el1 == (READ | WRITE) && !closed.el0);
		EXPECT(readable.el1 == (READ | WRITE) && readable.el0 == READ);
	}
}

/* ---- switching keys on and off ---- */

/* Since setup, in order: what was noted, and the events of the hosted port between. */
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

#define TRACED(kind) (HOSTED + (kind))
#define EXECUTED(...)                                                            \
	executed(sizeof((unsigned int[]){ __VA_ARGS__ }) / sizeof(unsigned int), \
		 (unsigned int[]){ __VA_ARGS__ })

/* The registers, synchronised before indirection is on; then what the TLB knew of them is forgotten. */
CASE(enable)
{
	hm_hosted.por_el1 = ~UINT64_C(0);
	hm_hosted.tcr2_el1 = 0x10;
	hm_arm64_poe_enable();
	EXPECT(EXECUTED(TRACED(HM_INSN_MSR_POR_EL1), PIR, PIRE0, TRACED(HM_INSN_ISB), TCR2,
			TRACED(HM_INSN_ISB), TRACED(HM_INSN_TLBI_VMALLE1), DSB_NSH,
			TRACED(HM_INSN_ISB)));
	EXPECT(hm_hosted.por_el1 == 0x117);
	EXPECT(hm_hosted.pir_el1 == 0xc581000300800000);
	EXPECT(hm_hosted.pire0_el1 == 0x5010000000300000);
	EXPECT(hm_hosted.tcr2_el1 == (0x10 | 0x2 | 0x8)); /* PIE bit 1, POE bit 3 */
}

/* The same on a CPU that has them on, as at a resume: the TLB may know the registers' reset values. */
CASE(enable_twice)
{
	hm_arm64_poe_enable();
	hm_hosted_clear_counts();
	noted = 0;
	hm_hosted.pir_el1 = hm_hosted.por_el1 = 0;
	hm_arm64_poe_enable();
	EXPECT(hm_hosted.counts[HM_INSN_TLBI_VMALLE1] == 1);
	EXPECT(hm_hosted.por_el1 == 0x117 && hm_hosted.tcr2_el1 == 0xa);
	EXPECT(hm_hosted.pir_el1 == 0xc581000300800000);
}

/* Off: the other bits of the register stay. */
CASE(disable)
{
	hm_hosted.tcr2_el1 = 0x1f;
	hm_arm64_poe_disable();
	EXPECT(EXECUTED(TCR2, TRACED(HM_INSN_ISB), TRACED(HM_INSN_TLBI_VMALLE1), DSB_NSH,
			TRACED(HM_INSN_ISB)));
	EXPECT(hm_hosted.tcr2_el1 == 0x15);
}

/* ---- features ---- */

/* ID_AA64MMFR3_EL1: S1PIE is bits 11:8, S1POE 19:16; both must be there, in this version or a later one, and
 * nothing else matters. */
CASE(feature_detection)
{
	unsigned int s1pie, s1poe;

	for (s1pie = 0; s1pie < 16; s1pie++) {
		for (s1poe = 0; s1poe < 16; s1poe++) {
			uint64_t fields = (uint64_t)s1pie << 8 | (uint64_t)s1poe << 16;

			hm_hosted.id_aa64mmfr3_el1 = fields;
			EXPECT(hm_arm64_cpu_has_poe() == (s1pie && s1poe));
			hm_hosted.id_aa64mmfr3_el1 = fields | ~UINT64_C(0xf0f00);
			EXPECT(hm_arm64_cpu_has_poe() == (s1pie && s1poe));
		}
	}
}
