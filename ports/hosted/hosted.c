/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * hosted.c -- the state of the hosted port.
 */
#include <hosted.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct hm_hosted hm_hosted = { .context = &hm_hosted.boot_context,
			       .key_style = HM_KEY_STYLE_NONE,
			       .ctr_el0 = HM_HOSTED_CTR_EL0,
			       .bbm_level = 3,
			       .tables_left = UINT_MAX };

void hm_hosted_reset(void)
{
	memset(&hm_hosted, 0, sizeof(hm_hosted));
	hm_hosted.context = &hm_hosted.boot_context;
	hm_hosted.key_style = HM_KEY_STYLE_NONE;
	hm_hosted.ctr_el0 = HM_HOSTED_CTR_EL0;
	hm_hosted.bbm_level = 3;
	hm_hosted.tables_left = UINT_MAX;
}

void hm_hosted_clear_counts(void)
{
	memset(hm_hosted.counts, 0, sizeof(hm_hosted.counts));
	hm_hosted.events = 0;
	hm_hosted.bugs = 0;
	hm_hosted.bug = NULL;
}

void hm_hosted_switch_context(struct hm_context *context)
{
	hm_hosted.context = context;
}

void hm_hosted_bug(const char *message)
{
	hm_hosted.bug = message;
	hm_hosted.bugs++;
}

bool hm_hosted_alloc_table(hm_pa_t *table, uint64_t bytes)
{
	void *memory = hm_hosted.tables_left ? aligned_alloc(bytes, bytes) : NULL;

	if (!memory)
		return false;
	memset(memory, 0xff, bytes);
	hm_hosted.tables_left--;
	hm_hosted.tables_out++;
	table->val = (uintptr_t)memory;
	return true;
}

void hm_hosted_free_table(hm_pa_t table)
{
	hm_hosted.tables_out--;
	free((void *)(uintptr_t)table.val);
}

int hm_hosted_break(void)
{
	hm_hosted.breaks++;
	return hm_hosted.break_answer;
}

void hm_hosted_event(enum hm_insn_kind kind, const void *address, uint64_t value)
{
	hm_hosted.counts[kind]++;
	if (hm_hosted.events < HM_HOSTED_TRACE)
		hm_hosted.trace[hm_hosted.events++] = (struct hm_hosted_event){ kind, address,
										value };
}
