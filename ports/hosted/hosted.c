/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * hosted.c -- the state of the hosted port.
 */
#include <hosted.h>
#include <string.h>

struct hm_hosted hm_hosted = { .context = &hm_hosted.boot_context, .key_style = HM_KEY_STYLE_NONE };

void hm_hosted_reset(void)
{
	memset(&hm_hosted, 0, sizeof(hm_hosted));
	hm_hosted.context = &hm_hosted.boot_context;
	hm_hosted.key_style = HM_KEY_STYLE_NONE;
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

void hm_hosted_event(enum hm_insn_kind kind, const void *address, uint64_t value)
{
	hm_hosted.counts[kind]++;
	if (hm_hosted.events < HM_HOSTED_TRACE)
		hm_hosted.trace[hm_hosted.events++] = (struct hm_hosted_event){ kind, address,
										value };
}
