/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * probe_body.h -- the contract suite's probe for this port: contexts that are no task's, and the
 * instructions counted. One CPU with interrupts off is enough. Included by probe_keys.c, whose tables
 * are the pool's, and by probe_plain.c, whose tables are ordinary memory.
 */
#include <linux/string.h>

#include "bench.h"
#include "hardmap.h"
#include "probe.h"
#include "probe_arm64.h"
#include "run.h"

#define TABLES 3

/* Of the file that includes this one: before each case, where nothing sleeps. */
static void probe_tables_reset(void);

struct hm_context *hm_linux_suite_context;
hm_pte_t *hm_linux_suite_root;

static struct hm_context contexts[PROBE_CONTEXTS];
static uint64_t counts[HM_INSN_KINDS];
static unsigned int bugs;

void hm_insn_count(enum hm_insn_kind kind)
{
	counts[kind]++;
}

unsigned int bench_barriers(void)
{
	static uint64_t before;
	const uint64_t now = counts[HM_INSN_DSB_ISHST] + counts[HM_INSN_DSB_ISH] +
			     counts[HM_INSN_ISB];
	const unsigned int since = (unsigned int)(now - before);

	before = now;
	return since;
}

void hm_linux_suite_bug(const char *message)
{
	bugs++;
}

void probe_arm64_reset(void)
{
	const hm_pte_t none = { 0 };
	unsigned int i;

	memset(contexts, 0, sizeof(contexts));
	hm_linux_suite_context = &contexts[0];
	for (i = 0; i < TABLES; i++)
		hm_pte_fill(probe_arm64_table(i), HM_PORT_PGTABLE_ENTRIES, none, 0);
	probe_set_root(NULL);
	probe_tables_reset();
}

uint64_t probe_arm64_counted(enum hm_insn_kind kind)
{
	return counts[kind];
}

unsigned int probe_arm64_bugs(void)
{
	const unsigned int n = bugs;

	bugs = 0;
	return n;
}

/* Not inlined: who runs may be read once in a function. */
noinline void probe_arm64_become(unsigned int context)
{
	hm_linux_suite_context = &contexts[context];
}

void probe_interrupt(void (*handler)(void))
{
	hm_context_exception_t interrupted = hm_context_exception_push();

	handler();
	hm_context_exception_pop(interrupted);
}

bool probe_opens(unsigned int key)
{
	if (hm_kpkeys_style() == HM_KEY_STYLE_WINDOW)
		return hm_insn_mrs_por_el1() >> 4 * key & HM_KEY_WRITE;
	return hm_kpkeys_style() == HM_KEY_STYLE_NONE || key == HM_KEY_DEFAULT;
}

void probe_set_root(hm_pte_t *root)
{
	hm_linux_suite_root = root;
}
