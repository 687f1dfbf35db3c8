/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * main.c -- tests an emulator: whether permission indirection, overlays and Guarded Control Stacks give and
 * deny what the Arm ARM says (D8.4, D8.5), and say why. A test of protection by keys is worth what the
 * emulator under it is. The models here are the manual's, and know nothing of how an emulator does it.
 *
 * Each test counts the accesses that end otherwise than its model says. It runs twice: in the first run one
 * expectation is wrong, and must be the one that is noticed. Prints TAP.
 *
 * CONFIG   TEST_POE, TEST_GCS  1: FEAT_S1POE, FEAT_GCS must be there; with 0 it is skipped where it is not
 */
#include <stdbool.h>
#include <stdint.h>

#define PAGE 4096
#define VA UINT64_C(0x80000000) /* of the page under test, where key 0 maps it; other keys follow */
#define BLOCK UINT64_C(0x200000)
#define GIB UINT64_C(0x40000000)

#define MRS(reg)                                                 \
	({                                                       \
		uint64_t value_;                                 \
		__asm__ volatile("mrs %0, " reg : "=r"(value_)); \
		value_;                                          \
	})
#define MSR(reg, value) __asm__ volatile("msr " reg ", %0" : : "r"((uint64_t)(value)) : "memory")

#define ID_AA64MMFR3_EL1 "s3_0_c0_c7_3"
#define TCR2_EL1 "s3_0_c2_c0_3"
#define GCSCR_EL1 "s3_0_c2_c5_0"
#define PIRE0_EL1 "s3_0_c10_c2_2"
#define PIR_EL1 "s3_0_c10_c2_3"
#define POR_EL1 "s3_0_c10_c2_4"
#define POR_EL0 "s3_3_c10_c2_4"

#define TCR2_PIE (1U << 1)
#define TCR2_E0POE (1U << 2)
#define TCR2_POE (1U << 3)
#define GCSCR_STREN (1U << 9)
/* M, C, EOS, I, EIS, SPAN, and bits that are 1 where features are missing. */
#define SCTLR UINT64_C(0x30d01805)
#define SCTLR_WXN (UINT64_C(1) << 19)

/* Descriptors. */
#define LEAF_BLOCK UINT64_C(0x701) /* AF, inner shareable, device */
#define LEAF_NORMAL UINT64_C(0x4) /* attributes 1 */
#define LEAF_PAGE UINT64_C(0x2)
#define LEAF_NDIRTY UINT64_C(0x80) /* with direct permissions: read-only */
#define LEAF_EL0 UINT64_C(0x40) /* these: direct permissions */
#define LEAF_PXN (UINT64_C(1) << 53)
#define LEAF_UXN (UINT64_C(1) << 54)
#define LEAF_KEY(key) ((uint64_t)(key) << 60)
#define TABLE UINT64_C(3)
#define TABLE_RO_NO_EL0_NO_X (UINT64_C(0xf) << 59) /* APTable, UXNTable, PXNTable */

/* The kernel's own memory: index 0, RWX without overlay; with direct permissions two keys. */
#define KERNEL_PIR UINT64_C(0xe)
#define KERNEL_KEYS 6 /* and above: data, text */
#define KERNEL_POR UINT64_C(0x35000000)

/* Of boot.S: the exception's ESR_EL1, 0 if there was none. */
uint64_t try_load(uintptr_t va, uint64_t value);
uint64_t try_store(uintptr_t va, uint64_t value);
uint64_t try_execute(uintptr_t va, uint64_t value);
uint64_t try_load_unprivileged(uintptr_t va, uint64_t value);
uint64_t try_store_unprivileged(uintptr_t va, uint64_t value);
uint64_t try_execute_unprivileged(uintptr_t va, uint64_t value);
uint64_t try_store_exclusive(uintptr_t va, uint64_t value);
uint64_t try_swap(uintptr_t va, uint64_t value);
uint64_t try_compare_and_swap(uintptr_t va, uint64_t value);
uint64_t try_zero(uintptr_t va, uint64_t value);
uint64_t try_gcs_store(uintptr_t va, uint64_t value);
int test_main(void);
void test_unexpected(uint64_t esr, uint64_t elr, uint64_t far);

static _Alignas(PAGE) uint64_t root[512], ram[512], middle[512], pages[512];
/* The page under test: an SVC, and half a page on the word that is loaded and stored. */
static _Alignas(PAGE) uint64_t target[512];
#define WORD 256

/* ---- output ---- */

static unsigned int points;
static bool failed;

/* The UART of QEMU's virt machine prints what is stored there. */
static void print(const char *text)
{
	while (*text)
		*(volatile uint32_t *)0x09000000 = (unsigned char)*text++;
}

static void print_number(uint64_t number, unsigned int base)
{
	char digits[21];
	unsigned int i = sizeof(digits) - 1;

	digits[i] = 0;
	do
		digits[--i] = "0123456789abcdef"[number % base];
	while (number /= base);
	print(base == 16 ? "0x" : "");
	print(digits + i);
}

static void print_value(const char *name, uint64_t value)
{
	print(name);
	print_number(value, 16);
}

static void point(bool ok, const char *name, const char *more)
{
	failed |= !ok;
	print(ok ? "ok " : "not ok ");
	print_number(++points, 10);
	print(" - ");
	print(name);
	print(more);
	print("\n");
}

void test_unexpected(uint64_t esr, uint64_t elr, uint64_t far)
{
	print_value("# unexpected exception: ESR ", esr);
	print_value(", ELR ", elr);
	print_value(", FAR ", far);
	print("\n");
}

/* ---- the machine's state ---- */

/* What the model has to know of it. */
static bool poe, e0poe, wxn, pan, ndirty;
static unsigned int index, pir, pire0; /* of the page under test, and its encodings */
static unsigned int por[2]; /* the encodings of the key under test, for EL1 and EL0 */

static void forget_translations(void)
{
	__asm__ volatile("dsb ish\n\t"
			 "tlbi vmalle1\n\t"
			 "dsb ish\n\t"
			 "isb"
			 :
			 :
			 : "memory");
}

/* The page under test, once for each key. */
static void map(uint64_t attributes)
{
	unsigned int key;

	for (key = 0; key < 8; key++)
		pages[key] = 0;
	forget_translations();
	for (key = 0; key < 8; key++)
		pages[key] = (uintptr_t)target | LEAF_BLOCK | LEAF_PAGE | LEAF_NORMAL |
			     LEAF_KEY(key) | attributes;
	forget_translations();
}

/* Bits 54, 53, 51 and 6 of a descriptor. */
static void map_index(unsigned int new_index, bool new_ndirty)
{
	index = new_index;
	ndirty = new_ndirty;
	map((uint64_t)(index >> 2) << 53 | (uint64_t)(index >> 1 & 1) << 51 | (index & 1) << 6 |
	    (ndirty ? LEAF_NDIRTY : 0));
}

static void set_pir(unsigned int privileged, unsigned int unprivileged)
{
	pir = privileged;
	pire0 = unprivileged;
	MSR(PIR_EL1, KERNEL_PIR | (uint64_t)pir << (4 * index));
	MSR(PIRE0_EL1, (uint64_t)pire0 << (4 * index));
	forget_translations();
}

static void set_tcr2(unsigned int tcr2)
{
	poe = tcr2 & TCR2_POE;
	e0poe = tcr2 & TCR2_E0POE;
	MSR(TCR2_EL1, tcr2);
	__asm__ volatile("isb");
	forget_translations();
}

/* The MMU is on from the first of these. */
static void set_wxn(bool new_wxn)
{
	wxn = new_wxn;
	MSR("sctlr_el1", SCTLR | (wxn ? SCTLR_WXN : 0));
	__asm__ volatile("isb");
	forget_translations();
}

/* Gives what the encoding does not. */
static unsigned int opposite(unsigned int encoding)
{
	return encoding < 8 ? encoding ^ 7 : 7;
}

/* Without TLBI: no TLB holds what a POR says. Other keys have the opposite. */
static void set_por(unsigned int key, unsigned int encoding, bool user)
{
	const uint64_t mask = UINT64_C(0xf) << (4 * key);
	uint64_t value = UINT64_C(0x11111111) * opposite(encoding);

	if (key < KERNEL_KEYS)
		value = (value & 0xffffff) | KERNEL_POR;
	value = (value & ~mask) | (uint64_t)encoding << (4 * key);
	por[user] = encoding;
	if (user)
		MSR(POR_EL0, value);
	else
		MSR(POR_EL1, value);
	__asm__ volatile("isb");
}

/* ---- what the Arm ARM says ---- */

/* Permissions, as POR has them, and what else there is to a base permission. */
#define R 1U
#define X 2U
#define W 4U
#define WXN 8U /* not both: without overlay no X, with one that has X no W */
#define GCS 16U
#define OVERLAY 32U /* applies */

/* PIR and PIRE0. */
static const uint8_t indirect[16] = { OVERLAY,
				      OVERLAY | R,
				      OVERLAY | X,
				      OVERLAY | R | X,
				      OVERLAY,
				      OVERLAY | R | W,
				      OVERLAY | R | W | X | WXN,
				      OVERLAY | R | W | X,
				      R,
				      R | GCS,
				      R | X,
				      0,
				      R | W,
				      0,
				      R | W | X,
				      0 };

enum access { LOAD, STORE, EXECUTE, ACCESSES };

enum outcome { GRANTED, DENIED, BY_OVERLAY, BY_NDIRTY, UNALIGNED, TRAPPED, OTHERWISE };

/* By the base permissions of EL1 and EL0. */
static enum outcome model(const uint8_t base[2], bool pan_denies, bool user, enum access access)
{
	const unsigned int needs = access == LOAD ? R : access == STORE ? W : X;
	const bool overlay = (user ? e0poe : poe) && (base[user] & OVERLAY);
	unsigned int gives = base[user];

	if (overlay) {
		unsigned int key = por[user] < 8 ? por[user] : 0;

		if ((gives & WXN) && (key & X))
			key &= ~W;
		if (!(key & needs))
			return BY_OVERLAY;
	} else if (gives & WXN) {
		gives &= ~X;
	}
	if (!user && pan_denies)
		gives &= ~(R | W);
	if (!(gives & needs))
		return DENIED;
	return access == STORE && ndirty ? BY_NDIRTY : GRANTED;
}

static enum outcome model_indirect(bool user, enum access access)
{
	uint8_t base[2] = { indirect[pir], indirect[pire0] };

	if ((base[0] & (X | GCS)) && (base[1] & (W | GCS))) {
		base[0] &= OVERLAY | WXN;
		base[1] &= OVERLAY | WXN;
	}
	return model(base, pan && pire0, user, access);
}

/* ---- how accesses end ---- */

typedef uint64_t attempt_fn(uintptr_t va, uint64_t value);

static attempt_fn *const attempts[2][ACCESSES] = {
	{ try_load, try_store, try_execute },
	{ try_load_unprivileged, try_store_unprivileged, try_execute_unprivileged },
};

static bool planted; /* the next expectation is to be wrong */
static unsigned int mismatches;

static enum outcome outcome(uint64_t esr, bool user, enum access access)
{
	/* Data or instruction abort of this or a lower level, WnR. */
	const uint32_t ec = access != EXECUTE ? 0x25 : user ? 0x20 : 0x21;
	const uint32_t abort = ec << 26 | 1 << 25 | (access == STORE ? 1 << 6 : 0);

	if (access == EXECUTE ? esr >> 26 == 0x15 : !esr)
		return GRANTED;
	if (esr == (abort | 0x21))
		return UNALIGNED;
	if ((uint32_t)esr != (abort | 0xf)) /* permission fault, level 3 */
		return OTHERWISE;
	switch (esr >> 32) { /* ISS2 */
	case 0:
		return DENIED;
	case 1 << 5:
		return BY_NDIRTY;
	case 1 << 6:
		return BY_OVERLAY;
	default:
		return OTHERWISE;
	}
}

static void compare(enum outcome expected, enum outcome actual, uint64_t esr, const char *what)
{
	static const char *const names[] = {
		"granted",   "denied",  "denied by the overlay", "denied by nDirty",
		"unaligned", "trapped", "another fault"
	};

	if (planted)
		expected = expected == GRANTED ? DENIED : GRANTED;
	else if (expected != actual && !mismatches) {
		print("# ");
		print(what);
		print_value(": PIR ", pir);
		print_value(", PIRE0 ", pire0);
		print_value(", POR_EL1 ", por[0]);
		print_value(", POR_EL0 ", por[1]);
		print(", expected: ");
		print(names[expected]);
		print(", is: ");
		print(names[actual]);
		print_value(", ESR ", esr);
		print("\n");
	}
	planted = false;
	mismatches += expected != actual;
}

/* An access to the page by a key, and whether it stored what it should. */
static void check(enum outcome expected, unsigned int key, bool user, enum access access)
{
	static const char *const names[2][ACCESSES] = {
		{ "load", "store", "execution" },
		{ "unprivileged load", "unprivileged store", "execution at EL0" },
	};
	static uint64_t value;
	const uintptr_t va = VA + key * PAGE + (access == EXECUTE ? 0 : WORD * sizeof(*target));
	enum outcome actual;
	uint64_t esr;

	value++;
	if (ndirty && TEST_GCS)
		forget_translations(); /* QEMU 11 forgets nDirty with a load */
	MSR("s3_0_c4_c2_3", (uint64_t)pan << 22); /* PSTATE.PAN */
	esr = attempts[user][access](va, value);
	MSR("s3_0_c4_c2_3", 0);
	actual = outcome(esr, user, access);
	if (access == STORE &&
	    (*(volatile uint64_t *)&target[WORD] == value) != (actual == GRANTED))
		actual = OTHERWISE;
	compare(expected, actual, esr, names[user][access]);
}

static void check_indirect(unsigned int key)
{
	unsigned int user, access;

	for (user = 0; user < 2; user++)
		for (access = 0; access < ACCESSES; access++)
			check(model_indirect(user, access), key, user, access);
}

/* ---- permission indirection ---- */

static void test_encodings(void)
{
	unsigned int privileged, unprivileged;

	map_index(1, false);
	set_tcr2(TCR2_PIE);
	for (privileged = 0; privileged < 16; privileged++) {
		for (unprivileged = 0; unprivileged < 16; unprivileged++) {
			set_pir(privileged, unprivileged);
			check_indirect(0);
			/* Whether PAN sees permissions in a reserved encoding is implementation defined. */
			pan = indirect[unprivileged] & (R | W | X);
			check_indirect(0);
			pan = false;
		}
	}
}

/* Each of bits 54, 53, 51 and 6 counts. Index 0 is the kernel's own. */
static void test_indices(void)
{
	unsigned int i;

	set_tcr2(TCR2_PIE);
	for (i = 1; i < 16; i++) {
		map_index(i, false);
		set_pir(0x3, 0);
		check_indirect(0);
		set_pir(0, 0x5);
		check_indirect(0);
	}
}

static void check_encodings(void)
{
	unsigned int encoding;

	for (encoding = 0; encoding < 16; encoding++) {
		set_pir(encoding, 0);
		check_indirect(0);
		set_pir(0, encoding);
		check_indirect(0);
	}
}

static void test_ndirty(void)
{
	map_index(1, true);
	set_tcr2(TCR2_PIE);
	check_encodings();
	map_index(1, false);
}

static void test_wxn(void)
{
	map_index(1, false);
	set_tcr2(TCR2_PIE);
	set_wxn(true);
	check_encodings();
	set_wxn(false);
}

/* ---- direct permissions ---- */

/* Bits 54, 53, 7 and 6 of a descriptor. */
static uint64_t map_direct(unsigned int bits)
{
	const uint64_t attributes = (uint64_t)(bits >> 2) << 53 | (uint64_t)(bits & 3) << 6;

	ndirty = false;
	map(attributes);
	return attributes;
}

static void check_direct(uint64_t attributes, unsigned int key)
{
	const unsigned int rw = attributes & LEAF_NDIRTY ? R : R | W;
	const bool el0 = attributes & LEAF_EL0;
	uint8_t base[2] = { (uint8_t)(OVERLAY | rw), (uint8_t)(OVERLAY | (el0 ? rw : 0)) };
	unsigned int user, access;

	if (!(attributes & LEAF_PXN) && !(base[1] & W))
		base[0] |= X;
	if (!(attributes & LEAF_UXN))
		base[1] |= X;
	for (user = 0; user < 2; user++) {
		if (wxn && (base[user] & W) && (base[user] & X))
			base[user] |= WXN;
		for (access = 0; access < ACCESSES; access++)
			check(model(base, pan && el0, user, access), key, user, access);
	}
}

/* Of tables: they count without any of the features, and with none. */
static void test_hierarchy(void)
{
	uint64_t attributes;
	unsigned int bits;

	middle[0] |= TABLE_RO_NO_EL0_NO_X;
	set_tcr2(0);
	for (bits = 0; bits < 16; bits++) {
		attributes = map_direct(bits);
		check_direct((attributes & ~LEAF_EL0) | LEAF_NDIRTY | LEAF_PXN | LEAF_UXN, 0);
	}
	set_tcr2(TCR2_PIE);
	map_index(1, false);
	check_encodings();
	middle[0] &= ~TABLE_RO_NO_EL0_NO_X;
}

/* ---- overlays ---- */

static void set_pors(unsigned int key, unsigned int encoding)
{
	set_por(key, encoding, false);
	set_por(key, encoding, true);
}

static void test_overlay(void)
{
	unsigned int base, user, key, encoding, access;

	map_index(1, false);
	set_tcr2(TCR2_PIE | TCR2_POE | TCR2_E0POE);
	for (base = 0; base < 16; base++) {
		for (user = 0; user < 2; user++) {
			set_pir(user ? 0 : base, user ? base : 0);
			for (key = 0; key < 8; key++) {
				for (encoding = 0; encoding < 16; encoding++) {
					set_por(key, encoding, user);
					set_por(key, opposite(encoding), !user);
					for (access = 0; access < ACCESSES; access++)
						check(model_indirect(user, access), key, user,
						      access);
				}
			}
		}
	}
}

static void test_overlay_enables(void)
{
	unsigned int enables;

	map_index(1, false);
	set_pors(0, 0);
	for (enables = 0; enables < 4; enables++) {
		set_tcr2(TCR2_PIE | (enables & 1 ? TCR2_POE : 0) | (enables & 2 ? TCR2_E0POE : 0));
		check_encodings();
	}
}

static void test_overlay_ndirty(void)
{
	unsigned int encoding;

	map_index(1, true);
	set_tcr2(TCR2_PIE | TCR2_POE | TCR2_E0POE);
	for (encoding = 0; encoding < 16; encoding++) {
		set_pors(0, encoding);
		check_encodings();
	}
	map_index(1, false);
}

static void test_overlay_pan(void)
{
	unsigned int encoding;

	map_index(1, false);
	set_tcr2(TCR2_PIE | TCR2_POE | TCR2_E0POE);
	pan = true;
	for (encoding = 0; encoding < 16; encoding++) {
		set_pors(0, encoding);
		set_pir(0x7, 0);
		check_indirect(0);
		set_pir(0x7, 0x1);
		check_indirect(0);
	}
	pan = false;
}

static void check_overlay_direct(void)
{
	unsigned int bits, key, encoding;
	uint64_t attributes;

	for (bits = 0; bits < 16; bits++) {
		attributes = map_direct(bits);
		for (key = 0; key < KERNEL_KEYS; key++) {
			for (encoding = 0; encoding < 16; encoding++) {
				set_pors(key, encoding);
				check_direct(attributes, key);
			}
		}
	}
}

static void test_overlay_direct(void)
{
	set_pors(0, 0);
	set_tcr2(TCR2_POE | TCR2_E0POE);
	check_overlay_direct();
	set_wxn(true);
	check_overlay_direct();
	set_wxn(false);
	pan = true;
	check_overlay_direct();
	pan = false;
}

static void test_overlay_hierarchy(void)
{
	unsigned int bits;

	middle[0] |= TABLE_RO_NO_EL0_NO_X;
	set_pors(0, 7);
	for (bits = 0; bits < 16; bits++) {
		set_tcr2(TCR2_POE);
		check_direct(map_direct(bits), 0);
		set_tcr2(TCR2_E0POE);
		check_direct(map_direct(bits), 0);
	}
	middle[0] &= ~TABLE_RO_NO_EL0_NO_X;
}

/*
 * ---- Guarded Control Stacks, as memory that one instruction writes ----
 *
 * QEMU 11 is laxer than the Arm ARM, which is not tested: DC IVAC to such a page does not fault, its memory
 * need not be write-back, no order needs a GCSB, and a store to any page with nDirty = 1 is granted once a
 * load from it has filled the TLB.
 */

static void set_gcscr(uint64_t value)
{
	MSR(GCSCR_EL1, value);
	__asm__ volatile("isb");
}

static void check_gcs_store(enum outcome expected, uintptr_t offset)
{
	static uint64_t value = UINT64_C(1) << 32;
	enum outcome actual = OTHERWISE;
	uint64_t esr;

	value++;
	esr = try_gcs_store(VA + WORD * sizeof(*target) + offset, value);
	if (esr >> 26 == 0x2d) /* with the instruction and its registers, X2 and X1 */
		actual = (esr & 0xffffff) == 0x200820 ? TRAPPED : OTHERWISE;
	else if (!esr || (esr >> 40 & 1)) /* ISS2.GCS: by an instruction for them */
		actual = outcome(esr & ~(UINT64_C(1) << 40), false, STORE);
	if ((*(volatile uint64_t *)&target[WORD] == value) != (actual == GRANTED))
		actual = OTHERWISE;
	compare(expected, actual, esr, "GCSSTR");
}

static void test_gcs_store(void)
{
	unsigned int encoding;

	map_index(1, false);
	set_tcr2(TCR2_PIE);
	set_gcscr(GCSCR_STREN);
	for (encoding = 0; encoding < 16; encoding++) {
		set_pir(encoding, 0);
		check_gcs_store(encoding == 0x9 ? GRANTED : DENIED, 0);
		set_pir(0x9, encoding);
		check_gcs_store(indirect[encoding] & (W | GCS) ? DENIED : GRANTED, 0);
	}
	set_pir(0x9, 0);
	check_gcs_store(UNALIGNED, 1);
	check_gcs_store(UNALIGNED, 4);
	map_index(1, true);
	check_gcs_store(BY_NDIRTY, 0);
	set_tcr2(0);
	map_direct(0);
	check_gcs_store(DENIED, 0);
	set_gcscr(0);
}

static void test_gcs_enable(void)
{
	map_index(1, false);
	set_tcr2(TCR2_PIE);
	set_pir(0x9, 0);
	check_gcs_store(TRAPPED, 0);
	set_gcscr(GCSCR_STREN);
	check_gcs_store(GRANTED, 0);
	set_gcscr(0);
	check_gcs_store(TRAPPED, 0);
}

/* Loads and stores are among the encodings of PIR. */
static void test_gcs_other_stores(void)
{
	static attempt_fn *const others[] = { try_store_exclusive, try_swap, try_compare_and_swap,
					      try_zero };
	const uint64_t before = target[WORD];
	unsigned int i;
	uint64_t esr;

	map_index(1, false);
	set_tcr2(TCR2_PIE);
	set_pir(0x9, 0);
	set_gcscr(GCSCR_STREN);
	for (i = 0; i < sizeof(others) / sizeof(*others); i++) {
		esr = others[i](VA + WORD * sizeof(*target), before + 1);
		compare(DENIED, outcome(esr, false, STORE), esr, "STXR, SWP, CAS or DC ZVA");
	}
	compare(DENIED, *(volatile uint64_t *)&target[WORD] == before ? DENIED : GRANTED, 0,
		"their effect");
	set_gcscr(0);
}

/* ---- all ---- */

static void run(const char *name, void (*test)(void))
{
	bool noticed;

	planted = true;
	mismatches = 0;
	test();
	noticed = mismatches == 1;
	mismatches = 0;
	test();
	point(!mismatches, name, "");
	point(noticed, name, ": notices a wrong expectation");
}

static void start_mmu(void)
{
	/* Text is before it, in another block. */
	const uintptr_t data = (uintptr_t)ram / BLOCK * BLOCK;
	uintptr_t pa;
	unsigned int i;

	for (i = 0; i < 512; i++) {
		pa = GIB + i * BLOCK;
		/* With direct permissions text is read-only, or it would not be executable with WXN. */
		ram[i] = pa | LEAF_BLOCK | LEAF_NORMAL |
			 (pa < data ? LEAF_NDIRTY | LEAF_KEY(KERNEL_KEYS + 1)
				    : LEAF_KEY(KERNEL_KEYS));
	}
	root[0] = LEAF_BLOCK | LEAF_KEY(KERNEL_KEYS);
	root[1] = (uintptr_t)ram | TABLE;
	root[VA / GIB] = (uintptr_t)middle | TABLE;
	middle[0] = (uintptr_t)pages | TABLE;

	MSR("mair_el1", 0xff00);
	/* 39 bits of virtual, 40 of physical addresses; 4K, write-back, inner shareable; no TTBR1. */
	MSR("tcr_el1", 25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23 | UINT64_C(2) << 32);
	MSR("ttbr0_el1", (uintptr_t)root);
	forget_translations();
	set_wxn(false);
}

int test_main(void)
{
	const uint64_t features = MRS(ID_AA64MMFR3_EL1);
	const bool has_pie = features >> 8 & 0xf, has_poe = features >> 16 & 0xf;
	const bool has_gcs = MRS("id_aa64pfr1_el1") >> 44 & 0xf;

	point(has_pie && (!TEST_POE || has_poe) && (!TEST_GCS || has_gcs),
	      "the ID registers have the features", "");
	if (failed)
		return 1;
	if (TEST_POE) /* architecturally UNKNOWN: what gives nothing, even if it is ORed into */
		point(MRS(PIR_EL1) == UINT64_MAX && MRS(PIRE0_EL1) == UINT64_MAX &&
			      MRS(POR_EL1) == UINT32_MAX && MRS(POR_EL0) == UINT32_MAX,
		      "PIR and POR are reserved encodings at reset", "");
	target[0] = 0xd4000001; /* SVC #0 */
	start_mmu();
	set_pir(0, 0);
	run("PIR and PIRE0: each encoding, with and without PAN", test_encodings);
	run("PIR and PIRE0: each index", test_indices);
	run("nDirty", test_ndirty);
	run("SCTLR.WXN is ignored", test_wxn);
	run("permissions of tables are ignored", test_hierarchy);
	if (has_poe) {
		run("POR: each encoding, base permission and key", test_overlay);
		run("POE and E0POE", test_overlay_enables);
		run("nDirty under an overlay", test_overlay_ndirty);
		run("PAN under an overlay", test_overlay_pan);
		run("overlays over direct permissions", test_overlay_direct);
		run("permissions of tables are ignored with overlays", test_overlay_hierarchy);
	} else
		print("# no FEAT_S1POE: overlays are skipped\n");
	if (has_gcs) {
		run("GCSSTR: each encoding", test_gcs_store);
		run("GCSSTR: GCSCR_EL1.STREn", test_gcs_enable);
		run("no other store to a Guarded Control Stack", test_gcs_other_stores);
	} else
		print("# no FEAT_GCS: Guarded Control Stacks are skipped\n");
	print("1..");
	print_number(points, 10);
	print("\n");
	return failed;
}
