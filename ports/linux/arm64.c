// SPDX-License-Identifier: GPL-2.0-only
/*
 * arm64.c -- what each CPU has and switches on: protection keys, sizes that change live, range TLBI. And the
 * entries of the area.
 */
#include <linux/cache.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/smp.h>
#include <linux/string.h>

#include <asm/cpu_ops.h>
#include <asm/mmu.h>
#include <asm/pgtable.h>
#include <asm/smp.h>
#include <asm/sysreg.h>
#include <asm/tlbflush.h>

#include "hardmap.h"
#include <hardmap/kpkeys.h>

bool hm_linux_has_tlbi_range __ro_after_init;
#ifdef CONFIG_HARDMAP_KEYS
unsigned int hm_linux_key_style __ro_after_init = HM_KEY_STYLE_NONE;
#endif
uint64_t hm_linux_ctr __ro_after_init;

static struct hm_arm64_bbm bbm __ro_after_init;
/* hardmap.keys=: which keys are used if the CPU has them; and whether somebody asked. */
static bool want_store __ro_after_init = true, want_window __ro_after_init = true;
static bool asked __initdata;

unsigned int hm_port_bbm_level(void)
{
	return hm_arm64_bbm_system(&bbm);
}

hm_pte_t *hm_port_pgtable_root(hm_va_t va)
{
	return va.val >> 55 & 1 ? (hm_pte_t *)init_mm.pgd : NULL;
}

/* ---- the area ---- */

/* As the kernel's own: not global where user mode runs on other tables. */
hm_pte_t hm_linux_leaf(hm_pa_t pa, unsigned int level, enum hm_permission permission)
{
	const uint64_t attributes = permission == HM_PERMISSION_RW   ? HM_ARM64_KERNEL_RW
				    : permission == HM_PERMISSION_RO ? HM_ARM64_KERNEL_RO
								     : HM_ARM64_KERNEL_RX;

	return hm_arm64_leaf(pa, level,
			     attributes | (arm64_use_ng_mappings ? HM_ARM64_NOT_GLOBAL : 0));
}

int hm_linux_link_area(pud_t *entry, hm_pa_t table)
{
	set_pud(entry, __pud(table.val | PUD_TYPE_TABLE | PUD_TABLE_UXN));
	return 0;
}

/* An interrupt to each of the others is an exception entry and return; an ISB here. */
void hm_linux_synchronise(void)
{
	kick_all_cpus_sync();
	hm_port_context_sync();
}

/* ---- keys ---- */

static int __init keys_option(char *text)
{
	want_store = !strcmp(text, "store") || !strcmp(text, "auto");
	want_window = !strcmp(text, "window") || !strcmp(text, "auto");
	asked = strcmp(text, "auto") && strcmp(text, "none");
	if (!want_store && !want_window && asked)
		pr_err("hardmap: hardmap.keys=%s is none of auto, store, window, none: no keys\n",
		       text);
	return 0;
}
early_param("hardmap.keys", keys_option);

#ifdef CONFIG_HARDMAP_KEYS
/* What this CPU could do, if asked to. */
static unsigned int __ref style_of_cpu(void)
{
	if (want_window && hm_arm64_cpu_has_poe())
		return HM_KEY_STYLE_WINDOW;
	if (want_store && hm_arm64_cpu_has_gcs())
		return HM_KEY_STYLE_STORE;
	return HM_KEY_STYLE_NONE;
}

/*
 * Of Linux's PIR_EL1 only what the kernel's own pages mean: with window keys they get the overlay that
 * POR_EL1 is; with store keys a kind of page more, of an index that Linux does not use.
 */
static uint64_t indirection(uint64_t pir)
{
	const uint64_t overlaid = HM_ARM64_PIR_FIELD_(HM_ARM64_KERNEL_RW, 0xf) |
				  HM_ARM64_PIR_FIELD_(HM_ARM64_KERNEL_RO, 0xf) |
				  HM_ARM64_PIR_FIELD_(HM_ARM64_KERNEL_RX, 0xf);

	if (hm_linux_key_style == HM_KEY_STYLE_WINDOW)
		return (pir & ~overlaid) | (HM_ARM64_PIR_EL1 & overlaid);
	return pir | HM_ARM64_PIR_FIELD_(HM_ARM64_KERNEL_KEYED, HM_ARM64_PIR_GCS);
}

static void enable_keys(void)
{
	if (hm_linux_key_style == HM_KEY_STYLE_NONE)
		return;
	if (hm_linux_key_style == HM_KEY_STYLE_STORE)
		hm_insn_msr_gcscr_el1(HM_ARM64_GCSCR_STREN);
	else /* unknown at reset; all is readable and key 0 is open from the first instruction under it on */
		hm_insn_msr_por_el1(HM_PORT_KPKEYS_REGISTER(HM_KPKEYS_BASE));
	write_sysreg_s(indirection(read_sysreg_s(SYS_PIR_EL1)), SYS_PIR_EL1);
	/* And overlays not before what they are for. */
	isb();
	if (hm_linux_key_style == HM_KEY_STYLE_WINDOW)
		sysreg_clear_set_s(SYS_TCR2_EL1, 0, TCR2_EL1_POE);
	isb();
	/* This CPU's TLB may hold what either register said before. */
	local_flush_tlb_all();
}
#else
static unsigned int __ref style_of_cpu(void)
{
	return HM_KEY_STYLE_NONE;
}

static void enable_keys(void)
{
}
#endif

void __init hardmap_setup(void)
{
	static const char *const text[] = {
		[HM_KEY_STYLE_NONE] = "not protected by keys",
		[HM_KEY_STYLE_WINDOW] = "protected by window keys (FEAT_S1POE)",
		[HM_KEY_STYLE_STORE] = "protected by store keys (FEAT_GCS)",
	};

#ifdef CONFIG_HARDMAP_KEYS
	hm_linux_key_style = style_of_cpu();
#endif
	hm_linux_has_tlbi_range = hm_arm64_cpu_has_tlbi_range();
	hm_linux_ctr = hm_arm64_ctr();
	WARN_ON(hm_arm64_bbm_add_cpu(&bbm,
				     hm_arm64_cpu_bbm_level())); /* the first: nothing is lost */
	enable_keys();
	hm_kpkeys_cpu_start();
	if (hm_linux_key_style == HM_KEY_STYLE_NONE && asked && (want_store || want_window))
		pr_err("hardmap: hardmap.keys= asks for %s keys, and %s\n",
		       want_store ? "store" : "window",
		       !IS_ENABLED(CONFIG_HARDMAP_KEYS)
			       ? "this kernel is without CONFIG_HARDMAP_KEYS"
		       : want_store ? "this CPU lacks FEAT_GCS or FEAT_S1PIE"
				    : "this CPU lacks FEAT_S1POE");
	pr_info("hardmap: page tables and code are %s; block sizes: BBM level %u\n",
		text[hm_linux_key_style], hm_port_bbm_level());
}

/* All have what the first has, or stay away: what was decided with it is in use. */
void hardmap_cpu_start(void)
{
	const bool lacks = style_of_cpu() != hm_linux_key_style ||
			   hm_arm64_cpu_bbm_level() < hm_port_bbm_level() ||
			   hm_linux_has_tlbi_range > hm_arm64_cpu_has_tlbi_range() ||
			   hm_arm64_ctr_merge(hm_linux_ctr, hm_arm64_ctr()) != hm_linux_ctr;

	if (lacks) {
		pr_crit("hardmap: CPU%u lacks what the first CPU has; it is not used\n",
			smp_processor_id());
		cpu_die_early();
	}
	enable_keys();
	hm_kpkeys_cpu_start();
}
