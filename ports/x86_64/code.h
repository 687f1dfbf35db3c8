/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * code.h -- the architecture's hooks of rox_cache.h: there are no caches to maintain, and the instruction
 * that traps. Include it from your hardmap_port.h, which adds
 *
 *	bool hm_port_x86_64_has_serialize(void);   // every CPU has SERIALIZE: hm_x86_64_cpu_has_serialize(),
 *	                                           // asked on each; false is right, and slower
 *
 *	stores     reach instruction caches by themselves, by physical address (SDM vol 3, 11.6). By another
 *	           linear address, which an alias is, they need not reach what was fetched ahead: each CPU
 *	           executes a serialising instruction between the store and the code (8.1.3, 11.6)
 *	others     that is hm_port_rox_cache_synchronise(): hm_x86_64_synchronise() on every CPU, this one
 *	           included, by an interrupt to each. An IRET would do (8.3); whether the handler returns by
 *	           one (FRED has others) is not to be relied on. x2APIC: as tlb.h has it
 *	patches    No instruction may be exchanged under a CPU that executes it: cross-modifying code is
 *	           synchronised (8.1.3). What vendors allow, and kernels do, is a breakpoint in between: by
 *	           hm_rox_cache_patch() of the four aligned bytes that hold its first one, INT3 there, which a
 *	           handler sends on; then the others, with INT3 still there; then the first. Each patch ends
 *	           with a synchronisation of all CPUs
 *	entries    The mapping of the alias and the one that executes are write-back memory, of one PAT type
 */
#ifndef HM_X86_64_CODE_H
#define HM_X86_64_CODE_H
#define HM_PGTABLE_TYPES_ONLY
#include <hardmap/pgtable.h>
#undef HM_PGTABLE_TYPES_ONLY
#include <x86_64/insn.h>

/* What fills code that is nobody's: INT3, eight times. Whatever byte of it is jumped to traps, and by a
 * vector of its own, #BP (SDM vol 2, INT3). */
#define HM_PORT_ROX_CACHE_TRAP UINT64_C(0xcccccccccccccccc)

/* Whether the CPU that asks has SERIALIZE: CPUID.(7, 0):EDX bit 14. */
static inline bool hm_x86_64_cpu_has_serialize(void)
{
	return hm_insn_cpuid(0, 0).eax >= 7 && (hm_insn_cpuid(7, 0).edx >> 14 & 1);
}

/* What each CPU executes for hm_port_rox_cache_synchronise(), after it has seen that it was asked: what it
 * fetched before is dropped, and no later instruction is fetched before (SDM vol 3, 8.3). Any context. */
static inline void hm_x86_64_synchronise(void)
{
	if (hm_port_x86_64_has_serialize())
		hm_insn_serialize();
	else
		(void)hm_insn_cpuid(0, 0);
}

/* Fetches snoop: there is nothing to clean (SDM vol 3, 11.6). */
static inline void hm_port_code_clean(const hm_pte_t *alias, uint64_t bytes)
{
	(void)alias;
	(void)bytes;
	hm_insn_compiler();
}

/* Nor to invalidate. The stores of this CPU are visible to all before it tells one of them, by a store or an
 * interrupt, to synchronise: a CPU that serialises fetches from there on what they say (SDM vol 3, 8.1.3). An
 * interrupt that is sent by WRMSR is no store, which the order of stores would put after them (10.12.3). */
static inline void hm_port_code_invalidate(hm_va_t code, uint64_t bytes)
{
	(void)code;
	(void)bytes;
	hm_insn_mfence();
}

/* Single-copy atomic, as four aligned bytes are (SDM vol 3, 8.1.1): no fetch finds a part of it. */
static inline void hm_port_code_patch(uint32_t *alias, uint32_t instruction)
{
	hm_insn_store32(alias, instruction);
}
#endif
