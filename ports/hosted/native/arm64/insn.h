/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * insn.h -- the arm64 port's instructions as the host's: table accesses are C accesses to the arena, which
 * the host may refuse; barriers are the host's; TLB maintenance, for which there is no TLB, is counted.
 * Found as <arm64/insn.h> because ports/hosted/native comes before ports on the include path; the functions
 * are those of ports/arm64/insn.h that the headers in use here call.
 */
#ifndef HM_NATIVE_INSN_H
#define HM_NATIVE_INSN_H
#include <native.h>
#include <stdint.h>

static inline uint64_t hm_insn_ldr(const uint64_t *address)
{
	hm_native_count(HM_INSN_LDR);
	return __atomic_load_n(address, __ATOMIC_RELAXED);
}

/* Before the store, which the host does not refuse while MPROTECT has the arena open for another CPU. */
static inline void hm_native_check_key(void)
{
	if (!(hm_native_cpu.key_register & HM_KEY_ALLOW(HM_KEY_PGTABLES, HM_KEY_WRITE)))
		hm_native_bug("a store to a table without its key");
}

static inline void hm_insn_str(uint64_t *address, uint64_t value)
{
	hm_native_check_key();
	hm_native_count(HM_INSN_STR);
	__atomic_store_n(address, value, __ATOMIC_RELAXED);
}

static inline uint64_t *hm_insn_stp(uint64_t *address, uint64_t first, uint64_t second)
{
	hm_insn_str(address, first);
	hm_insn_str(address + 1, second);
	return address + 2;
}

static inline uint64_t hm_insn_cas(uint64_t *address, uint64_t expected, uint64_t desired)
{
	hm_native_check_key();
	hm_native_count(HM_INSN_CAS);
	__atomic_compare_exchange_n(address, &expected, desired, 0, __ATOMIC_RELAXED,
				    __ATOMIC_RELAXED);
	return expected;
}

static inline void hm_insn_dsb_ishst(void)
{
	hm_native_count(HM_INSN_DSB_ISHST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline void hm_insn_dsb_ish(void)
{
	hm_native_count(HM_INSN_DSB_ISH);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline void hm_insn_dmb_ishst(void)
{
	hm_native_count(HM_INSN_DMB_ISHST);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

/* No memory here takes keyed stores: hm_port_arm64_has_store_keys() is false. */
static inline void hm_insn_gcsb_dsync(void)
{
}

/* The host's protection changes with the system call or instruction that changes it: the compiler is all that
 * has to be held. */
static inline void hm_insn_isb(void)
{
	hm_native_count(HM_INSN_ISB);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void hm_insn_tlbi_vmalle1is(void)
{
	hm_native_count(HM_INSN_TLBI_VMALLE1IS);
}

static inline void hm_insn_tlbi_vaae1is(uint64_t operand)
{
	(void)operand;
	hm_native_count(HM_INSN_TLBI_VAAE1IS);
}

static inline void hm_insn_tlbi_vaale1is(uint64_t operand)
{
	(void)operand;
	hm_native_count(HM_INSN_TLBI_VAALE1IS);
}

static inline void hm_insn_tlbi_rvaae1is(uint64_t operand)
{
	(void)operand;
	hm_native_count(HM_INSN_TLBI_RVAAE1IS);
}

static inline void hm_insn_tlbi_rvaale1is(uint64_t operand)
{
	(void)operand;
	hm_native_count(HM_INSN_TLBI_RVAALE1IS);
}

/* Has the range forms, as hm_port_arm64_has_tlbi_range() says. */
static inline uint64_t hm_insn_mrs_id_aa64isar0_el1(void)
{
	return UINT64_C(2) << 56;
}
#endif
