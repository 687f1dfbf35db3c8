/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * every_arm64.c -- calls every inline function of ports/arm64, as every_function.c does for include/hardmap.
 */
#include <hardmap/pgtable.h>
#include <arm64/bbml2.h>

void every_barrier(void);
unsigned int every_cpu(struct hm_arm64_bbm *system, uint64_t value);
bool every_key(uint64_t esr, uint64_t entry);
uint64_t every_entry(hm_pte_t *ptep, hm_pte_t pte, hm_pa_t pa);
void every_invalidation(hm_va_t va, uint64_t size);
uint64_t every_instruction(uint64_t *address, uint64_t value);
uint64_t every_cache(uint32_t *instruction, const hm_pte_t *alias, hm_va_t code, uint64_t bytes);

void every_barrier(void)
{
	hm_port_context_publish();
	hm_port_context_sync();
	hm_port_context_switch();
	hm_port_pgtable_order_fill();
}

uint64_t every_cache(uint32_t *instruction, const hm_pte_t *alias, hm_va_t code, uint64_t bytes)
{
	hm_port_code_patch(instruction, (uint32_t)HM_PORT_ROX_CACHE_TRAP);
	hm_port_code_clean(alias, bytes);
	hm_port_code_invalidate(code, bytes);
	return hm_arm64_ctr_merge(hm_port_arm64_ctr(), hm_arm64_ctr());
}

unsigned int every_cpu(struct hm_arm64_bbm *system, uint64_t value)
{
	if (hm_arm64_bbm_add_cpu(system, hm_arm64_cpu_bbm_level()) ||
	    hm_arm64_bbm_add_cpu(system, hm_arm64_cpu_bbm_level_emulated()))
		return hm_arm64_bbm_level_of(value, value);
	return hm_arm64_bbm_system(system);
}

uint64_t every_entry(hm_pte_t *ptep, hm_pte_t pte, hm_pa_t pa)
{
	const hm_va_t va = { pa.val };
	struct hm_leaf leaf;

	hm_port_pte_store(ptep, hm_arm64_leaf(pa, 1, HM_ARM64_KERNEL_RW));
	hm_port_pte_store_keyed(ptep, pte);
	ptep = hm_port_pte_store_pair(ptep, hm_arm64_table(pa), pte);
	pte = hm_port_pte_compare_exchange(ptep, hm_port_pte_load(ptep), pte);
	if (!hm_port_pte_is_valid(pte) || hm_port_pte_is_user(pte) ||
	    !hm_port_pte_permits(pte, HM_ACCESS_EXECUTE))
		return hm_arm64_level_shift(1);
	if (hm_port_pte_is_table(pte, 1))
		return hm_port_pte_table(pte).val + hm_port_pgtable_index(va, 1);
	if (!hm_port_leaf_decode(pte, 1, &leaf))
		return hm_port_pte_link(pa).val;
	leaf.contiguous = hm_port_leaf_group(1) > 1;
	return hm_arm64_leaf_address(pte).val + hm_port_leaf_encode(&leaf, 1).val +
	       hm_port_pgtable_shift(1);
}

bool every_key(uint64_t esr, uint64_t entry)
{
	if (hm_arm64_cpu_has_poe())
		hm_arm64_poe_enable();
	else
		hm_arm64_poe_disable();
	if (hm_arm64_cpu_has_gcs())
		hm_arm64_gcs_enable();
	else
		hm_arm64_gcs_disable();
	hm_port_keyed_begin();
	hm_port_keyed_end();
	hm_port_kpkeys_write(hm_port_kpkeys_read());
	return hm_port_kpkeys_why(esr, entry) == HM_KPKEYS_FAULT_KEY;
}

void every_invalidation(hm_va_t va, uint64_t size)
{
	if (hm_arm64_cpu_has_tlbi_range() && hm_arm64_tlbi_operand(va) &&
	    hm_arm64_tlbi_range_operand(va, 1, 2))
		hm_port_pgtable_invalidate(va, size, HM_INVALIDATE_TABLES);
}

uint64_t every_instruction(uint64_t *address, uint64_t value)
{
	hm_insn_str(address, hm_insn_ldr(address));
	address = hm_insn_stp(address, value, value);
	hm_insn_dsb_ishst();
	hm_insn_dsb_ish();
	hm_insn_dmb_ishst();
	hm_insn_dmb_ish();
	hm_insn_gcsb_dsync();
	hm_insn_gcsstr(address, value);
	hm_insn_msr_gcscr_el1(hm_insn_mrs_id_aa64pfr1_el1());
	hm_insn_isb();
	hm_insn_tlbi_vmalle1is();
	hm_insn_tlbi_vaae1is(value);
	hm_insn_tlbi_vaale1is(value);
	hm_insn_tlbi_rvaae1is(value);
	hm_insn_tlbi_rvaale1is(value);
	hm_insn_tlbi_vmalle1();
	hm_insn_dsb_nsh();
	hm_insn_msr_por_el1(hm_insn_mrs_por_el1());
	hm_insn_msr_pir_el1(value);
	hm_insn_msr_pire0_el1(value);
	hm_insn_msr_tcr2_el1(hm_insn_mrs_tcr2_el1() | hm_insn_mrs_id_aa64mmfr3_el1());
	hm_insn_str(address, hm_insn_mrs_id_aa64mmfr2_el1() | hm_insn_mrs_midr_el1());
	hm_insn_str32((uint32_t *)address, (uint32_t)hm_insn_mrs_ctr_el0());
	hm_insn_dc_cvau(address);
	hm_insn_ic_ivau(value);
	hm_insn_ic_ialluis();
	return hm_insn_cas(address, value, hm_insn_mrs_id_aa64isar0_el1());
}
