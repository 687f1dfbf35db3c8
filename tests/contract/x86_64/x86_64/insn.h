/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * insn.h -- the x86-64 port's instructions as events: nothing is executed, everything is counted and traced.
 * Found as <x86_64/insn.h> because tests/contract/x86_64 comes before ports on the include path; the
 * functions are those of ports/x86_64/insn.h.
 */
#ifndef X86_INSN_H
#define X86_INSN_H
#include <x86.h>
#include <stdint.h>

static inline uint64_t hm_insn_load(const uint64_t *address)
{
	/* That there is a table is for the caller to know.
	 * NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	x86_event(HM_INSN_LOAD, address, *address);
	return *(const volatile uint64_t *)address;
}

static inline void hm_insn_store(uint64_t *address, uint64_t value)
{
	x86_check_key(address);
	x86_event(HM_INSN_STORE, address, value);
	*(volatile uint64_t *)address = value;
}

static inline uint64_t hm_insn_cmpxchg(uint64_t *address, uint64_t expected, uint64_t desired)
{
	x86_check_key(address);
	x86_event(HM_INSN_CMPXCHG, address, desired);
	__atomic_compare_exchange_n(address, &expected, desired, 0, __ATOMIC_RELAXED,
				    __ATOMIC_RELAXED);
	return expected;
}

static inline void hm_insn_store32(uint32_t *address, uint32_t value)
{
	x86_check_key(address);
	x86_event(HM_INSN_STORE32, address, value);
	*(volatile uint32_t *)address = value;
}

static inline void hm_insn_compiler(void)
{
	x86_event(HM_INSN_COMPILER, X86_NOWHERE, 0);
}

static inline void hm_insn_mfence(void)
{
	x86_event(HM_INSN_MFENCE, X86_NOWHERE, 0);
}

static inline void hm_insn_invlpg(uint64_t address)
{
	x86_event(HM_INSN_INVLPG, X86_NOWHERE, address);
}

static inline uint64_t hm_insn_read_cr4(void)
{
	return x86.cr4;
}

static inline void hm_insn_write_cr4(uint64_t value)
{
	x86_event(HM_INSN_WRITE_CR4, X86_NOWHERE, value);
	x86.cr4 = value;
}

/* The only one is IA32_PKRS, of 32 bits. */
static inline void x86_check_msr(uint32_t number, uint64_t value)
{
	if (number != 0x6e1 || value >> 32)
		x86_bug("a general protection exception");
}

static inline uint64_t hm_insn_rdmsr(uint32_t number)
{
	x86_check_msr(number, 0);
	return x86.pkrs;
}

static inline void hm_insn_wrmsr(uint32_t number, uint64_t value)
{
	x86_check_msr(number, value);
	x86_event(HM_INSN_WRMSR, X86_NOWHERE, value);
	x86.pkrs = value;
}

struct hm_insn_cpuid_answer {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct hm_insn_cpuid_answer hm_insn_cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct hm_insn_cpuid_answer answer = { 0, 0, 0, 0 };

	x86_event(HM_INSN_CPUID, X86_NOWHERE, leaf);
	if (leaf == 0) {
		answer.eax = x86.leaf_0_eax;
	} else if (leaf == 7 && !subleaf) {
		answer.ecx = x86.leaf_7_ecx;
		answer.edx = x86.leaf_7_edx;
	} else if (leaf == UINT32_C(0x80000001)) {
		answer.edx = x86.extended_1_edx;
	} else {
		x86_bug("a leaf of CPUID that nobody needs");
	}
	return answer;
}

static inline void hm_insn_serialize(void)
{
	x86_event(HM_INSN_SERIALIZE, X86_NOWHERE, 0);
}
#endif
