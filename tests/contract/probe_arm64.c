/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * probe_arm64.c -- the part of a probe that all ports over ports/arm64 share: entries and tables in
 * its format, and what its instruction counts say of the hooks.
 */
#include "probe_arm64.h"
#include "probe.h"

static uint64_t counted_before[HM_INSN_KINDS];
static unsigned int running;
static struct {
	bool out; /* was switched out, and not in again */
	hm_context_switch_t token;
} away[PROBE_CONTEXTS];

void probe_reset(void)
{
	unsigned int i;

	for (i = 0; i < PROBE_CONTEXTS; i++)
		away[i].out = false;
	probe_arm64_reset();
	probe_arm64_become(running = 0);
	hm_kpkeys_cpu_start();
	probe_read();
}

/* Halves of a switch, each by itself: a port may read who runs once in a function. */
static __attribute__((__noinline__)) void leave(unsigned int context)
{
	away[context].token = hm_context_switch_out();
	away[context].out = true;
}

static __attribute__((__noinline__)) void come_back(unsigned int context)
{
	if (away[context].out)
		hm_context_switch_in(away[context].token);
	away[context].out = false;
}

void probe_run_on(unsigned int context)
{
	uint64_t before[HM_INSN_KINDS];
	unsigned int kind;

	if (context == running)
		return;
	for (kind = 0; kind < HM_INSN_KINDS; kind++)
		before[kind] = probe_arm64_counted(kind);
	leave(running);
	probe_arm64_become(running = context);
	come_back(running);
	for (kind = 0; kind < HM_INSN_KINDS; kind++)
		counted_before[kind] += probe_arm64_counted(kind) - before[kind];
}

/* Executed since the last read. */
static unsigned int counted(enum hm_insn_kind kind)
{
	uint64_t now = probe_arm64_counted(kind);
	unsigned int n = (unsigned int)(now - counted_before[kind]);

	counted_before[kind] = now;
	return n;
}

static struct probe_counts read_ordinary(unsigned int tlbis)
{
	const unsigned int dsb_ish = counted(HM_INSN_DSB_ISH);
	/* The suite never switches and invalidates between two reads: if there was a TLBI, each DSB ISH
	 * ended an invalidation that a DSB ISHST began and an ISB followed. */
	const unsigned int invalidations = tlbis ? dsb_ish : 0;
	const struct probe_counts counts = {
		.publish = counted(HM_INSN_DSB_ISHST) - invalidations,
		.sync = counted(HM_INSN_ISB) - invalidations,
		.switched = dsb_ish - invalidations,
		.order = counted(HM_INSN_DMB_ISHST),
		.stores = counted(HM_INSN_STR) + counted(HM_INSN_CAS),
		.key_writes = counted(HM_INSN_MSR_POR_EL1),
		.keyed_orders = counted(HM_INSN_DMB_ISH),
		.bugs = probe_arm64_bugs(),
	};

	return counts;
}

/*
 * Where tables take keyed stores, whose GCSBs are not looked at. A DSB ISH then ends a publication, which an
 * ISB follows, or a switch's first half, which none does; or it begins and ends an invalidation.
 */
static struct probe_counts read_keyed(unsigned int tlbis)
{
	const unsigned int dsb = counted(HM_INSN_DSB_ISH), isb = counted(HM_INSN_ISB);
	const unsigned int invalidations = tlbis ? dsb - isb : 0;
	const unsigned int publish = tlbis || dsb < isb ? dsb - 2 * invalidations : isb;
	const struct probe_counts counts = {
		.publish = publish,
		.sync = isb - invalidations,
		.switched = dsb - 2 * invalidations - publish,
		.order = counted(HM_INSN_DMB_ISHST),
		.stores = counted(HM_INSN_GCSSTR),
		.key_writes = counted(HM_INSN_MSR_POR_EL1),
		.keyed_orders = counted(HM_INSN_DMB_ISH),
		.bugs = probe_arm64_bugs(),
	};

	return counts;
}

struct probe_counts probe_read(void)
{
	const unsigned int tlbis = counted(HM_INSN_TLBI_VMALLE1IS) + counted(HM_INSN_TLBI_VAAE1IS) +
				   counted(HM_INSN_TLBI_VAALE1IS) + counted(HM_INSN_TLBI_RVAAE1IS) +
				   counted(HM_INSN_TLBI_RVAALE1IS);

	return hm_port_arm64_has_store_keys() ? read_keyed(tlbis) : read_ordinary(tlbis);
}

hm_pte_t *probe_table(unsigned int number)
{
	return probe_arm64_table(number);
}

hm_pte_t probe_kernel_page(unsigned int number)
{
	const hm_pa_t pa = { (uint64_t)number << HM_PORT_ARM64_PAGE_SHIFT };

	return hm_arm64_leaf(pa, 0, HM_ARM64_KERNEL_RW);
}

hm_pte_t probe_readonly_page(unsigned int number)
{
	const hm_pa_t pa = { (uint64_t)number << HM_PORT_ARM64_PAGE_SHIFT };

	return hm_arm64_leaf(pa, 0, HM_ARM64_KERNEL_RO);
}

hm_pte_t probe_user_page(unsigned int number)
{
	const hm_pa_t pa = { (uint64_t)number << HM_PORT_ARM64_PAGE_SHIFT };

	return hm_arm64_leaf(pa, 0, HM_ARM64_USER_RW);
}

hm_pte_t probe_block(unsigned int number)
{
	const hm_pa_t pa = { (uint64_t)number << hm_arm64_level_shift(1) };

	return hm_arm64_leaf(pa, 1, HM_ARM64_KERNEL_RW);
}

hm_pte_t probe_link(unsigned int number)
{
	return hm_arm64_table(probe_arm64_pa(probe_arm64_table(number)));
}

uint64_t probe_page_step(void)
{
	return UINT64_C(1) << HM_PORT_ARM64_PAGE_SHIFT;
}

uint64_t probe_page_bytes(void)
{
	return UINT64_C(1) << HM_PORT_ARM64_PAGE_SHIFT;
}

/* In the upper half: TTBR1_EL1's, where a kernel has its tables. */
hm_va_t probe_va(uint64_t offset)
{
	const hm_va_t va = { UINT64_C(0xffff000000000000) + offset };

	return va;
}
