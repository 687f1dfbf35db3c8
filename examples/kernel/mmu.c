/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * mmu.c -- the kernel's first tables, and what it knows about its CPUs' MMUs.
 */
#include "mmu.h"

#include <hardmap/pgtable.h>

_Static_assert(MMU_MAIR == HM_ARM64_MAIR, "mmu.h repeats it for the assembler");

#define TABLE _Alignas(4096) hm_pte_t
#define LEVEL(level) (UINT64_C(1) << (12 + 9 * (level))) /* bytes that its entry translates */

/* Linker symbols: addresses, of nothing. */
extern char __text_start[], __text_end[], __rodata_start[], __rodata_end[];

/* TTBR1: linear map, then the window. boot.S knows the two roots. */
TABLE boot_root_high[512];
TABLE boot_root_low[512];
static TABLE linear_1g[512]; /* level 2: entries of 1 GiB */
static TABLE linear_2m[512]; /* level 1, of the first GiB of memory */
static TABLE image_4k[512]; /* level 0, of the 2 MiB that hold the kernel's text and rodata */
static TABLE identity_1g[512];

void *mmu_root = boot_root_high;
bool mmu_has_tlbi_range = true;
unsigned int mmu_key_style = HM_KEY_STYLE_NONE;

/* Symbols are PC-relative here: physical addresses, as the MMU is off. */
static hm_pte_t table(const void *symbol)
{
	const hm_pa_t pa = { (uintptr_t)symbol };

	return hm_arm64_table(pa);
}

static hm_pte_t leaf(uint64_t address, unsigned int level, uint64_t attributes)
{
	const hm_pa_t pa = { address };

	return hm_arm64_leaf(pa, level, attributes);
}

/* Text is executable, rodata is neither executable nor writable, everything else is data. */
static uint64_t image_attributes(uint64_t pa)
{
	if (pa >= (uintptr_t)__text_start && pa < (uintptr_t)__text_end)
		return HM_ARM64_KERNEL_RX;
	if (pa >= (uintptr_t)__rodata_start && pa < (uintptr_t)__rodata_end)
		return HM_ARM64_KERNEL_RO;
	return HM_ARM64_KERNEL_RW;
}

/*
 * The tables are plain memory here: no walker reads them before boot.S turns the MMU on, and its
 * DSB and ISB publish them all. So they are written by plain stores, not by hm_pte_set(): with the
 * caches off there is no use for the counting, atomic or not, that those do.
 */
void boot_map(void)
{
	const uint64_t image = RAM_START & ~(LEVEL(2) - 1);
	const uint64_t image_block = KERNEL_PA & ~(LEVEL(1) - 1);
	uint64_t pa;

	for (pa = image_block; pa < image_block + LEVEL(1); pa += LEVEL(0))
		image_4k[(pa - image_block) / LEVEL(0)] = leaf(pa, 0, image_attributes(pa));
	for (pa = RAM_START; pa < RAM_END; pa += LEVEL(1))
		linear_2m[(pa - image) / LEVEL(1)] = leaf(pa, 1, HM_ARM64_KERNEL_RW);
	linear_2m[(image_block - image) / LEVEL(1)] = table(image_4k);
	linear_1g[0] = leaf(0, 2, HM_ARM64_KERNEL_DEVICE);
	linear_1g[RAM_START / LEVEL(2)] = table(linear_2m);
	boot_root_high[0] = table(linear_1g);

	/* What executes between MMU on and the jump to the upper half. */
	identity_1g[RAM_START / LEVEL(2)] = leaf(image, 2, HM_ARM64_KERNEL_RX);
	boot_root_low[0] = table(identity_1g);
}

void mmu_init_cpu(void)
{
	mmu_has_tlbi_range = mmu_has_tlbi_range && hm_arm64_cpu_has_tlbi_range();
	hm_kpkeys_cpu_start();
}
