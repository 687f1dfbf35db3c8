/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * mmu.c -- the kernel's first tables, and what it knows about its CPUs' MMUs.
 */
#include "mmu.h"

#include <hardmap/pgtable.h>

#include "cpu.h"
#include "semihost.h"
#include "uart.h"

_Static_assert(MMU_MAIR == HM_ARM64_MAIR, "mmu.h repeats it for the assembler");

#define TABLE MMU_LOCKED _Alignas(PAGE_SIZE) hm_pte_t
#define LEVEL(level) \
	(UINT64_C(1) << hm_arm64_level_shift(level)) /* bytes that its entry translates */
#define TOP (HM_PORT_PGTABLE_LEVELS - 1)

/* Linker symbols: addresses, of nothing. */
extern char __text_start[], __text_end[], __rodata_start[], __rodata_end[];
extern char __tables_start[], __tables_end[];

/* boot.S knows the two roots. TTBR1: linear map, then the window; TTBR0: identity map. */
TABLE boot_root_high[HM_PORT_PGTABLE_ENTRIES];
TABLE boot_root_low[HM_PORT_PGTABLE_ENTRIES];
/* Below them, with 4K pages: high one of level 2, two of level 1 (devices, memory) and one of level 0
 * (the image); low one of level 2 and one of level 1. Larger tables reach further, and need fewer. */
static TABLE boot_tables[6][HM_PORT_PGTABLE_ENTRIES];
static unsigned int boot_tables_used;

void *mmu_root = boot_root_high;
bool mmu_has_tlbi_range = true;
struct hm_arm64_bbm mmu_bbm;
uint64_t mmu_ctr;
/* Written with the MMU off, and at the hand-over. */
MMU_LOCKED unsigned int mmu_key_style;

/* Window keys close the tables for ordinary stores unless a register opens them; store keys do
 * always. Who has both prefers the latter. */
static unsigned int cpu_key_style(void)
{
	if (hm_arm64_cpu_has_gcs())
		return HM_KEY_STYLE_STORE;
	return hm_arm64_cpu_has_poe() ? HM_KEY_STYLE_WINDOW : HM_KEY_STYLE_NONE;
}

/* Of the memory of tables, before any CPU is protected: it means ordinary memory until then. */
static uint64_t table_attributes(void)
{
	switch (mmu_key_style) {
	case HM_KEY_STYLE_STORE:
		return HM_ARM64_KERNEL_KEYED | HM_ARM64_KEY(HM_KEY_PGTABLES);
	case HM_KEY_STYLE_WINDOW:
		return HM_ARM64_KERNEL_RW | HM_ARM64_KEY(HM_KEY_PGTABLES);
	default:
		return HM_ARM64_KERNEL_RW;
	}
}

/* ID_AA64MMFR0_EL1 (Arm ARM D24.2): 4K and 64K are there unless the field is negative, 16K if it is
 * not 0. */
static bool cpu_has_granule(void)
{
	const uint64_t features = sysreg_read(id_aa64mmfr0_el1);

	if (PAGE_SHIFT == 12)
		return !(features >> 31 & 1); /* TGran4, bits 31 to 28 */
	if (PAGE_SHIFT == 16)
		return !(features >> 27 & 1); /* TGran64, bits 27 to 24 */
	return features >> 20 & 0xf; /* TGran16 */
}

/* The table that an entry links; a new one if there is none. Symbols are PC-relative here: physical
 * addresses, as the MMU is off. */
static hm_pte_t *table_below(hm_pte_t *link)
{
	hm_pte_t *fresh = boot_tables[boot_tables_used];
	const hm_pa_t pa = { (uintptr_t)fresh };

	if (hm_port_pte_is_valid(*link))
		return (hm_pte_t *)hm_port_pte_table(*link).val;
	*link = hm_arm64_table(pa);
	boot_tables_used++;
	return fresh;
}

/* The entry of a level that translates an address, with the tables on the way to it. */
static hm_pte_t *entry_of(hm_pte_t *table, hm_va_t va, unsigned int level)
{
	unsigned int above;

	for (above = TOP; above > level; above--)
		table = table_below(table + hm_port_pgtable_index(va, above));
	return table + hm_port_pgtable_index(va, level);
}

/* The page or block at pa, at the same offset from base. */
static void map(hm_pte_t *root, uint64_t base, uint64_t pa, unsigned int level, uint64_t attributes)
{
	const hm_va_t va = { base + pa };
	const hm_pa_t to = { pa };

	*entry_of(root, va, level) = hm_arm64_leaf(to, level, attributes);
}

/* Text is executable, rodata is neither executable nor writable, tables have a key, everything else
 * is data. */
static uint64_t attributes_of(uint64_t pa)
{
	if (pa >= (uintptr_t)__tables_start && pa < (uintptr_t)__tables_end)
		return table_attributes();
	if (pa >= (uintptr_t)__text_start && pa < (uintptr_t)__text_end)
		return HM_ARM64_KERNEL_RX;
	if (pa >= (uintptr_t)__rodata_start && pa < (uintptr_t)__rodata_end)
		return HM_ARM64_KERNEL_RO;
	return HM_ARM64_KERNEL_RW;
}

/* A block of the linear map; by pages where not all of it is the same. */
static void map_memory(uint64_t block)
{
	const uint64_t end = block + LEVEL(1);
	uint64_t pa;

	if (block >= (uintptr_t)__tables_end || end <= (uintptr_t)__text_start) {
		map(boot_root_high, LINEAR_BASE, block, 1, attributes_of(block));
		return;
	}
	for (pa = block; pa < end; pa += LEVEL(0))
		map(boot_root_high, LINEAR_BASE, pa, 0, attributes_of(pa));
}

/*
 * The tables are plain memory here: no walker reads them before boot.S turns the MMU on, and its
 * DSB and ISB publish them all. So they are written by plain stores, not by hm_pte_set(): with the
 * caches off there is no use for the counting, atomic or not, that those do.
 *
 * Level 1 is the one that has blocks with every granule: of 2M, 32M and 512M.
 */
void boot_map(void)
{
	uint64_t pa;

	if (!cpu_has_granule()) {
		uart_boot_message("\nhardmap's example kernel: this CPU has no " MMU_GRANULE_NAME
				  " granule\n");
		machine_exit(1);
	}
	mmu_key_style = cpu_key_style();
	for (pa = DEVICES_START & ~(LEVEL(1) - 1); pa < DEVICES_END; pa += LEVEL(1))
		map(boot_root_high, LINEAR_BASE, pa, 1, HM_ARM64_KERNEL_DEVICE);
	for (pa = RAM_START; pa < RAM_END; pa += LEVEL(1))
		map_memory(pa);

	/* What executes between MMU on and the jump to the upper half. */
	map(boot_root_low, 0, KERNEL_PA & ~(LEVEL(1) - 1), 1, HM_ARM64_KERNEL_RX);
}

bool mmu_boot_table(unsigned int number, uint64_t *pa)
{
	const hm_pte_t *table = number ? boot_root_low : boot_root_high;

	if (number >= 2 + boot_tables_used)
		return false;
	if (number >= 2)
		table = boot_tables[number - 2];
	*pa = (uintptr_t)table - LINEAR_BASE;
	return true;
}

void mmu_init_cpu(void)
{
	/* QEMU's own CPU counts as one that never aborts: the kernel is for QEMU. All CPUs are up
	 * before any size changes, so it is nothing to them if a level is lost. */
	bool lost = hm_arm64_bbm_add_cpu(&mmu_bbm, hm_arm64_cpu_bbm_level_emulated());

	(void)lost;
	mmu_has_tlbi_range = mmu_has_tlbi_range && hm_arm64_cpu_has_tlbi_range();
	mmu_ctr = cpu_id() ? hm_arm64_ctr_merge(mmu_ctr, hm_arm64_ctr()) : hm_arm64_ctr();
	if (cpu_key_style() != mmu_key_style)
		panic("CPU %u cannot protect page tables as CPU 0 does", cpu_id());
	mmu_resume_cpu();
}

void mmu_resume_cpu(void)
{
	/* No other bit of it is this kernel's to set. Where the register is not, nor is its field. */
	if (mmu_key_style != HM_KEY_STYLE_NONE)
		hm_insn_msr_tcr2_el1(0);
	if (mmu_key_style == HM_KEY_STYLE_STORE)
		hm_arm64_gcs_enable();
	else if (mmu_key_style == HM_KEY_STYLE_WINDOW)
		hm_arm64_poe_enable();
	hm_kpkeys_cpu_start();
}

/* Of what a reset leaves unknown, the worst that this code survives: all open. */
void mmu_suspend_cpu(void)
{
	if (mmu_key_style == HM_KEY_STYLE_STORE) {
		hm_arm64_gcs_disable();
	} else if (mmu_key_style == HM_KEY_STYLE_WINDOW) {
		hm_arm64_poe_disable();
		hm_insn_msr_por_el1(UINT64_C(0x77777777));
		isb();
	}
}

void mmu_hand_over(void)
{
	hm_kpkeys_hand_over();
	if (mmu_key_style == HM_KEY_STYLE_STORE)
		hm_arm64_gcs_disable();
	else if (mmu_key_style == HM_KEY_STYLE_WINDOW)
		hm_arm64_poe_disable();
	mmu_key_style = HM_KEY_STYLE_NONE;
}

const char *mmu_protection(void)
{
	switch (mmu_key_style) {
	case HM_KEY_STYLE_STORE:
		return "store key (FEAT_GCS): no store but GCSSTR writes page tables";
	case HM_KEY_STYLE_WINDOW:
		return "window key (FEAT_S1POE): page tables are closed but to guarded writes";
	default:
		return "none (page tables are ordinary memory)";
	}
}
