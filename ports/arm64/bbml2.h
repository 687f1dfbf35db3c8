/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * bbml2.h -- whether blocks and contiguous groups may change their size live: the BBM level of each CPU and
 * of the system, which hm_port_bbm_level() of direct_map.h answers. Include it from your hardmap_port.h,
 * which adds
 *
 *	extern struct hm_arm64_bbm bbm;                  // yours, one for the system; all-zero before boot
 *	static inline unsigned int hm_port_bbm_level(void)
 *	{
 *		return hm_arm64_bbm_system(&bbm);
 *	}
 *
 * Levels are those of FEAT_BBM (Arm ARM D8.17.2), by what a CPU may do while its TLB can have the old size
 * and the new one:
 *
 *	0, 1  anything: the entry has to be invalid, and invalidated, between (at level 1 but for nT,
 *	      which this library does not use)
 *	2     take a conflict abort until the invalidation
 *	3     go on: no conflict abort, ever (FEAT_BBML3, or a CPU of level 2 that is known for it)
 *
 * The protocol. Each CPU asks itself, hm_arm64_cpu_bbm_level(); the number may be handed to another, who
 * adds it to the verdict: before the new CPU uses a map, while nobody changes one.
 *
 *	boot CPU   adds itself before it changes sizes; until then all is level 0
 *	secondary  one that comes before any map is set up is added, and nothing more is to be done
 *	late CPU   one that comes later may lack what is in use. It waits, off the maps, and the others are
 *	           stopped off them too, but for one that has level 3:
 *
 *		if (hm_arm64_bbm_add_cpu(&bbm, level) && hm_direct_map_repaint(&map, &reserve))
 *			refuse(); // no memory for it. What changes sizes now has to break first
 *
 *	           or, where that is too much, it is refused, never added, and the verdict stays:
 *
 *		if (level < hm_arm64_bbm_system(&bbm))
 *			refuse();
 *
 * A verdict never rises. Adding a CPU again, after a resume, changes nothing.
 */
#ifndef HM_ARM64_BBML2_H
#define HM_ARM64_BBML2_H
#ifndef HM_NO_STD_HEADERS
#include <stdbool.h>
#include <stdint.h>
#endif
#include <arm64/insn.h>

/* The system's verdict. All-zero: no CPU has been asked. */
struct hm_arm64_bbm {
	unsigned int level; /* 0 to 3: the least of all CPUs; 0 while none is known */
	bool known; /* whether there was a first one */
};

#define HM_ARM64_MUST_USE_ \
	__attribute__((__warn_unused_result__)) /* as in context.h, which needs a port */

/* MIDR_EL1 (Arm ARM D24.2): implementer 31:24, architecture 19:16, part 15:4 say which CPU, as here; variant
 * 23:20 and revision 3:0, which of its versions. */
#define HM_ARM64_MIDR_MODEL_ UINT64_C(0xff0ffff0)

/*
 * Whether a CPU that reports level 2 never takes a conflict abort for a change of size. That is its
 * implementer's word, as Linux 7.3 has gathered it (cpu_supports_bbml3() of arch/arm64/kernel/cpufeature.c):
 * what is not there is not here. Errata bind some first versions to break-before-make; of three CPUs only
 * variant 0 was vouched for.
 */
static inline bool hm_arm64_bbm_without_aborts_(uint64_t midr)
{
	const unsigned int version = (unsigned int)((midr >> 16 & 0xf0) | (midr & 0xf)); /* rXpY */

	switch (midr & HM_ARM64_MIDR_MODEL_) {
	case 0x410fd820: /* Cortex-X4 */
		return version >= 0x03 && version <= 0x0f;
	case 0x410fd830: /* Neoverse-V3AE, erratum 3053180 */
	case 0x410fd840: /* Neoverse-V3, the same */
		return version >= 0x02 && version <= 0x0f;
	case 0x410fd8c0: /* C1-Ultra, erratum 3683289 */
	case 0x410fd900: /* C1-Premium, the same */
		return version >= 0x11;
	case 0x410fd4d0: /* Cortex-A715 */
	case 0x410fd870: /* Cortex-A725 */
	case 0x410fd880: /* Cortex-A520AE */
	case 0x410fd890: /* Cortex-A720AE */
	case 0x410fd8a0: /* C1-Nano */
	case 0x410fd8b0: /* C1-Pro */
	case 0x410fd8e0: /* Neoverse-N3 */
	case 0x4e0f0100: /* NVIDIA Olympus */
	case 0xc00fac30: /* AmpereOne */
	case 0xc00fac40: /* AmpereOne-1A */
		return true;
	default:
		return false;
	}
}

/*
 * The level, 0 to 3, of a CPU with these registers: ID_AA64MMFR2_EL1.BBM, bits 55:52 (Arm ARM D24.2), and
 * for level 2 its MIDR_EL1. The field is an ordered number: a later value says no less than 3. Any context.
 *
 * A listed CPU that reports less than 2 has what it reports: a hypervisor may have its reasons. AmpereOne
 * reports less than it does. A kernel that knows it runs on one, and under no hypervisor, may ask about a 2
 * in its place: hm_arm64_bbm_level_of(UINT64_C(2) << 52, midr).
 */
static inline unsigned int hm_arm64_bbm_level_of(uint64_t id_aa64mmfr2, uint64_t midr)
{
	const unsigned int reported = (unsigned int)(id_aa64mmfr2 >> 52 & 0xf);

	if (reported > 3 || (reported == 2 && hm_arm64_bbm_without_aborts_(midr)))
		return 3;
	return reported;
}

/* The level of the CPU that asks, and does not migrate meanwhile. A hypervisor answers for both registers. */
static inline unsigned int hm_arm64_cpu_bbm_level(void)
{
	return hm_arm64_bbm_level_of(hm_insn_mrs_id_aa64mmfr2_el1(), hm_insn_mrs_midr_el1());
}

/*
 * For emulators and tests, instead of hm_arm64_cpu_bbm_level(): QEMU's own CPU (-cpu max) reports level 2, is
 * on no list, and takes no conflict aborts: 3. Any other CPU has the level that it has, so that silicon is
 * never taken for it, nor QEMU with KVM, where the guest has the host's MIDR_EL1.
 */
static inline unsigned int hm_arm64_cpu_bbm_level_emulated(void)
{
	/* Implementer 0 is software (Arm ARM D24.2, MIDR_EL1), and part 'Q' is QEMU. */
	const bool qemu = (hm_insn_mrs_midr_el1() & HM_ARM64_MIDR_MODEL_) == 0x000f0510;
	const unsigned int level = hm_arm64_cpu_bbm_level();

	return qemu && level == 2 ? 3 : level;
}

/*
 * Adds a CPU: the verdict is the least of all from here on. True if level 3 was lost by it: sizes may have
 * changed live, which this CPU may not survive, so it must not use a map before hm_direct_map_repaint(), or
 * never. By the protocol above: whoever calls it excludes other callers, and those who change a map.
 */
static inline HM_ARM64_MUST_USE_ bool hm_arm64_bbm_add_cpu(struct hm_arm64_bbm *system,
							   unsigned int cpu_level)
{
	const bool live = system->level >= 3;

	if (!system->known || cpu_level < system->level)
		system->level = cpu_level;
	system->known = true;
	return live && cpu_level < 3;
}

/* The verdict: 0 to 3, what every CPU that was added has; 0 before the first. Any context. */
static inline unsigned int hm_arm64_bbm_system(const struct hm_arm64_bbm *system)
{
	return system->level;
}
#endif
