/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * insn.h -- every instruction of the x86-64 port that C cannot express, one function each, and the
 * accesses to paging structures and to code.
 *
 * The other headers of this port include it as <x86_64/insn.h>, never by a relative path: whoever
 * puts another x86_64/insn.h earlier on the include path (the contract suite's port) sees every
 * instruction and every table access that the port executes.
 *
 * "SDM" is Intel's Software Developer's Manual, with its volume; sections of volume 3 are numbered as
 * in the editions where chapter 4 is "Paging", 8 "Multiple-Processor Management", 10 "APIC" and 11
 * "Memory Cache Control". Later editions shift them by one or two; titles stay. AMD's APM is cited
 * where it says something else.
 */
#ifndef HM_X86_64_INSN_H
#define HM_X86_64_INSN_H
#ifndef HM_NO_STD_HEADERS
#include <stdint.h>
#endif

/* Accesses to paging-structure entries: aligned, so single-copy atomic (SDM vol 3, 8.1.1), never torn,
 * merged or repeated by the compiler. */
static inline uint64_t hm_insn_load(const uint64_t *address)
{
	/* That there is a table is for the caller to know.
	 * NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	return *(const volatile uint64_t *)address;
}

static inline void hm_insn_store(uint64_t *address, uint64_t value)
{
	*(volatile uint64_t *)address = value;
}

/* LOCK CMPXCHG: atomic against the processor's locked updates of accessed and dirty flags too (SDM vol 3,
 * 8.1.2.1, "setting the A and D flags"); relaxed for the compiler. Returns what was found. */
static inline uint64_t hm_insn_cmpxchg(uint64_t *address, uint64_t expected, uint64_t desired)
{
	__atomic_compare_exchange_n(address, &expected, desired, 0, __ATOMIC_RELAXED,
				    __ATOMIC_RELAXED);
	return expected;
}

/* Four aligned bytes of code, single-copy atomic too. */
static inline void hm_insn_store32(uint32_t *address, uint32_t value)
{
	*(volatile uint32_t *)address = value;
}

/* What follows is a compiler barrier too, where it has effects. This one is nothing else: for where the
 * processor's own order is enough. */
static inline void hm_insn_compiler(void)
{
	__asm__ volatile("" : : : "memory");
}

/* Earlier loads and stores are globally visible before any later one (SDM vol 3, 8.2.5): the only order that
 * TSO does not have by itself, of a store before a later load. */
static inline void hm_insn_mfence(void)
{
	__asm__ volatile("mfence" : : : "memory");
}

/* Translations of the page at that address, of this logical processor: of the current PCID, or global. And
 * all entries of its paging-structure caches for that PCID, whatever their address (SDM vol 3, 4.10.4.1).
 * Serialising (8.3). */
static inline void hm_insn_invlpg(uint64_t address)
{
	__asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

/* CR4: PGE 7, PCIDE 17, PKS 24 (SDM vol 3, 2.5). The write is serialising (8.3). */
static inline uint64_t hm_insn_read_cr4(void)
{
	uint64_t value;

	__asm__ volatile("mov %%cr4, %0" : "=r"(value));
	return value;
}

static inline void hm_insn_write_cr4(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr4" : : "r"(value) : "memory");
}

/* A model-specific register. Writes of some are not serialising: IA32_PKRS, those of the x2APIC (SDM vol 3,
 * 8.3). */
static inline uint64_t hm_insn_rdmsr(uint32_t number)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
	return (uint64_t)high << 32 | low;
}

static inline void hm_insn_wrmsr(uint32_t number, uint64_t value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(number), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

/* What CPUID answers to a leaf and subleaf. Serialising (SDM vol 3, 8.3); in a virtual machine an exit. */
struct hm_insn_cpuid_answer {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct hm_insn_cpuid_answer hm_insn_cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct hm_insn_cpuid_answer answer;

	__asm__ volatile("cpuid"
			 : "=a"(answer.eax), "=b"(answer.ebx), "=c"(answer.ecx), "=d"(answer.edx)
			 : "a"(leaf), "c"(subleaf)
			 : "memory");
	return answer;
}

/* SERIALIZE (SDM vol 2B): the same as an instruction of its own, without registers and without an exit. By
 * encoding, as assemblers know it only from 2020 on. */
static inline void hm_insn_serialize(void)
{
	__asm__ volatile(".byte 0x0f, 0x01, 0xe8 # serialize" : : : "memory");
}
#endif
