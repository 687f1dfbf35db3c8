/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * bbml2.c -- ports/arm64/bbml2.h against the list written down once more here, by implementer, part and
 * version: the level of every CPU that there can be, and the system's verdict over them.
 */
#include "suite.h"
#include <arm64/bbml2.h>

static struct hm_arm64_bbm bbm;

static void suite_setup(void)
{
	const struct hm_arm64_bbm nobody_asked = { 0, false };

	hm_hosted_reset();
	bbm = nobody_asked;
}

/* ---- the level of a CPU ---- */

/* Versions as 0xVR, both ends included. */
static const struct listed {
	unsigned int implementer, part, first, last;
} list[] = {
	{ 0x41, 0xd4d, 0x00, 0xff }, /* Cortex-A715 */
	{ 0x41, 0xd82, 0x03, 0x0f }, /* Cortex-X4 */
	{ 0x41, 0xd83, 0x02, 0x0f }, /* Neoverse-V3AE */
	{ 0x41, 0xd84, 0x02, 0x0f }, /* Neoverse-V3 */
	{ 0x41, 0xd87, 0x00, 0xff }, /* Cortex-A725 */
	{ 0x41, 0xd88, 0x00, 0xff }, /* Cortex-A520AE */
	{ 0x41, 0xd89, 0x00, 0xff }, /* Cortex-A720AE */
	{ 0x41, 0xd8a, 0x00, 0xff }, /* C1-Nano */
	{ 0x41, 0xd8b, 0x00, 0xff }, /* C1-Pro */
	{ 0x41, 0xd8c, 0x11, 0xff }, /* C1-Ultra */
	{ 0x41, 0xd8e, 0x00, 0xff }, /* Neoverse-N3 */
	{ 0x41, 0xd90, 0x11, 0xff }, /* C1-Premium */
	{ 0x4e, 0x010, 0x00, 0xff }, /* NVIDIA Olympus */
	{ 0xc0, 0xac3, 0x00, 0xff }, /* AmpereOne */
	{ 0xc0, 0xac4, 0x00, 0xff }, /* AmpereOne-1A */
};
#define LISTED (sizeof(list) / sizeof(*list))

#define NEOVERSE_V3_R0P1 0x410fd841
#define NEOVERSE_V3_R0P2 0x410fd842
#define NEOVERSE_V2_R0P2 0x410fd4f2 /* on no list */
#define QEMU_MAX 0x000f0510

static uint64_t midr(unsigned int implementer, unsigned int part, unsigned int version)
{
	return (uint64_t)implementer << 24 | (uint64_t)(version >> 4) << 20 | 0xf0000 |
	       (uint64_t)part << 4 | (version & 15);
}

/* ID_AA64MMFR2_EL1 with that field. */
static uint64_t reports(unsigned int level)
{
	return (uint64_t)level << 52;
}

static bool is_listed(unsigned int implementer, unsigned int part, unsigned int version)
{
	unsigned int i;

	for (i = 0; i < LISTED; i++) {
		if (list[i].implementer == implementer && list[i].part == part)
			return version >= list[i].first && version <= list[i].last;
	}
	return false;
}

/* The field alone, on a CPU that is on no list: up to 3 the level is what it says, and values to come say no
 * less than 3; the rest of the register is of no interest. */
CASE(field_of_a_cpu_that_is_not_listed)
{
	unsigned int field;

	for (field = 0; field < 16; field++) {
		unsigned int level = field < 3 ? field : 3;
		uint64_t others = ~reports(15);

		EXPECT(hm_arm64_bbm_level_of(reports(field), NEOVERSE_V2_R0P2) == level);
		EXPECT(hm_arm64_bbm_level_of(reports(field) | others, NEOVERSE_V2_R0P2) == level);
	}
}

/* A CPU that is listed has level 3 where it reports 2, and not where it, or a hypervisor, reports less. */
CASE(field_of_a_cpu_that_is_listed)
{
	unsigned int field, i;

	for (i = 0; i < LISTED; i++) {
		uint64_t cpu = midr(list[i].implementer, list[i].part, list[i].first);

		for (field = 0; field < 16; field++)
			EXPECT(hm_arm64_bbm_level_of(reports(field), cpu) ==
			       (field < 2 ? field : 3));
	}
}

/* Versions that are listed and those beside them, by the figures in manuals. */
CASE(first_and_last_versions)
{
	static const struct {
		uint64_t midr;
		unsigned int level;
	} rows[] = {
		{ 0x410fd820, 2 },       { 0x410fd822, 2 }, /* Cortex-X4 r0p0, r0p2 */
		{ 0x410fd823, 3 },       { 0x410fd82f, 3 }, /* r0p3, r0p15 */
		{ 0x411fd820, 2 },       { 0x411fd823, 2 }, /* r1p0, r1p3 */
		{ NEOVERSE_V3_R0P1, 2 }, { NEOVERSE_V3_R0P2, 3 },
		{ 0x411fd840, 2 },       { 0x411fd842, 2 }, /* r1p0, r1p2 */
		{ 0x410fd831, 2 },       { 0x410fd832, 3 }, /* Neoverse-V3AE r0p1, r0p2 */
		{ 0x411fd830, 2 },       { 0x411fd832, 2 }, /* r1p0, r1p2 */
		{ 0x410fd8cf, 2 },       { 0x411fd8c0, 2 }, /* C1-Ultra r0p15, r1p0 */
		{ 0x411fd8c1, 3 },       { 0x412fd8c0, 3 }, /* r1p1, r2p0 */
		{ 0x410fd901, 2 },       { 0x411fd900, 2 }, /* C1-Premium r0p1, r1p0 */
		{ 0x411fd901, 3 },       { 0x412fd900, 3 }, /* r1p1, r2p0 */
		{ 0x410fd8e0, 3 },       { 0x411fd8e0, 3 }, /* Neoverse-N3 r0p0, r1p0 */
		{ 0x4e0f0100, 3 },       { 0xc00fac30, 3 }, /* NVIDIA Olympus, AmpereOne r0p0 */
	};
	unsigned int i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		EXPECT(hm_arm64_bbm_level_of(reports(2), rows[i].midr) == rows[i].level);
}

/* Every version of the CPUs on the list. */
CASE(versions)
{
	unsigned int version, i, wrong = 0;

	for (i = 0; i < LISTED; i++) {
		for (version = 0; version < 256; version++) {
			uint64_t cpu = midr(list[i].implementer, list[i].part, version);
			bool is = version >= list[i].first && version <= list[i].last;

			wrong += hm_arm64_bbm_level_of(reports(2), cpu) != (is ? 3 : 2);
		}
	}
	EXPECT(!wrong);
}

/* No CPU but these is taken for one that takes no aborts: every part of every implementer, as r0p3 and as
 * r1p1, of which each CPU on the list has at least one there. */
CASE(nobody_else)
{
	static const unsigned int versions[] = { 0x03, 0x11 };
	unsigned int implementer, part, i, wrong = 0;

	for (implementer = 0; implementer < 256; implementer++) {
		for (part = 0; part < 4096; part++) {
			for (i = 0; i < 2; i++) {
				uint64_t cpu = midr(implementer, part, versions[i]);
				bool is = is_listed(implementer, part, versions[i]);

				wrong += hm_arm64_bbm_level_of(reports(2), cpu) != (is ? 3 : 2);
			}
		}
	}
	EXPECT(!wrong);
}

/* MIDR_EL1.Architecture is 15 on all of them, and nothing above bit 31 says which CPU it is. */
CASE(rest_of_the_midr)
{
	unsigned int architecture;

	for (architecture = 0; architecture < 16; architecture++) {
		uint64_t cpu = (uint64_t)(NEOVERSE_V3_R0P2 & ~0xf0000) | architecture << 16;

		EXPECT(hm_arm64_bbm_level_of(reports(2), cpu) == (architecture == 15 ? 3 : 2));
	}
	EXPECT(hm_arm64_bbm_level_of(reports(2), NEOVERSE_V3_R0P2 | ~UINT64_C(0xffffffff)) == 3);
}

/* The CPU that runs is asked by its registers, both of them. */
CASE(this_cpu)
{
	hm_hosted.id_aa64mmfr2_el1 = reports(2);
	hm_hosted.midr_el1 = NEOVERSE_V3_R0P1;
	EXPECT(hm_arm64_cpu_bbm_level() == 2);
	hm_hosted.midr_el1 = NEOVERSE_V3_R0P2;
	EXPECT(hm_arm64_cpu_bbm_level() == 3);
	hm_hosted.id_aa64mmfr2_el1 = reports(1);
	EXPECT(hm_arm64_cpu_bbm_level() == 1);
}

/* The override makes level 3 of an emulator's level 2, of no other level and of no other CPU. */
CASE(override_for_emulators)
{
	static const uint64_t others[] = { 0x000f0000, 0x000f0500,       0x000e0510,
					   0x010f0510, NEOVERSE_V3_R0P1, NEOVERSE_V2_R0P2 };
	unsigned int field, i;

	for (field = 0; field < 16; field++) {
		hm_hosted.id_aa64mmfr2_el1 = reports(field);
		hm_hosted.midr_el1 = QEMU_MAX;
		EXPECT(hm_arm64_cpu_bbm_level() == (field < 3 ? field : 3));
		EXPECT(hm_arm64_cpu_bbm_level_emulated() == (field < 2 ? field : 3));
		hm_hosted.midr_el1 = QEMU_MAX | 0x100001; /* another version of it */
		EXPECT(hm_arm64_cpu_bbm_level_emulated() == (field < 2 ? field : 3));
		for (i = 0; i < sizeof(others) / sizeof(*others); i++) {
			hm_hosted.midr_el1 = others[i];
			EXPECT(hm_arm64_cpu_bbm_level_emulated() == (field < 3 ? field : 3));
		}
		hm_hosted.midr_el1 = NEOVERSE_V3_R0P2;
		EXPECT(hm_arm64_cpu_bbm_level_emulated() == (field < 2 ? field : 3));
	}
}

/* ---- the system's verdict ---- */

/* Before a CPU has been asked nothing may change live; the first one says what may, and there was nothing to
 * lose. */
CASE(verdict_of_the_first_cpu)
{
	unsigned int level;

	for (level = 0; level < 4; level++) {
		suite_setup();
		EXPECT(hm_arm64_bbm_system(&bbm) == 0);
		EXPECT(!hm_arm64_bbm_add_cpu(&bbm, level));
		EXPECT(hm_arm64_bbm_system(&bbm) == level);
	}
}

/* Of four CPUs in any order the least one decides, after each of them as in the end, and the one that takes
 * level 3 away is told, no other. */
CASE(verdict_of_all_cpus)
{
	unsigned int all, cpu;

	for (all = 0; all < 256; all++) {
		unsigned int least = 3;

		suite_setup();
		for (cpu = 0; cpu < 4; cpu++) {
			unsigned int level = all >> 2 * cpu & 3;
			bool loses = cpu && least == 3 && level < 3;

			least = level < least ? level : least;
			EXPECT(hm_arm64_bbm_add_cpu(&bbm, level) == loses);
			EXPECT(hm_arm64_bbm_system(&bbm) == least);
		}
	}
}

/* A late CPU that cannot do what the others do is noticed as it is added, once, and the verdict stays down
 * when it, or a better one, is added again. */
CASE(late_cpu)
{
	EXPECT(!hm_arm64_bbm_add_cpu(&bbm, 3));
	EXPECT(!hm_arm64_bbm_add_cpu(&bbm, 3));
	EXPECT(hm_arm64_bbm_add_cpu(&bbm, 2));
	EXPECT(hm_arm64_bbm_system(&bbm) == 2);
	EXPECT(!hm_arm64_bbm_add_cpu(&bbm, 2));
	EXPECT(!hm_arm64_bbm_add_cpu(&bbm, 3));
	EXPECT(hm_arm64_bbm_system(&bbm) == 2);
	EXPECT(!hm_arm64_bbm_add_cpu(&bbm, 0));
	EXPECT(hm_arm64_bbm_system(&bbm) == 0);
}
