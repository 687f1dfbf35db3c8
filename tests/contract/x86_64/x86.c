/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * x86.c -- the state of the x86-64 port's tests.
 */
#include "x86.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct x86 x86 = { .context = &x86.boot_context };

void x86_reset(void)
{
	memset(&x86, 0, sizeof(x86));
	x86.context = &x86.boot_context;
	x86.key_style = HM_KEY_STYLE_NONE;
	x86.bbm_level = 3;
	x86.tables_left = UINT_MAX;
	x86.has_1g_pages = true;
	x86.cr4 = X86_CR4;
}

void x86_clear(void)
{
	memset(x86.counts, 0, sizeof(x86.counts));
	x86.events = 0;
	x86.publish = x86.sync = x86.switched = x86.order = 0;
	x86.shootdowns = x86.bugs = 0;
}

void x86_bug(const char *message)
{
	(void)message;
	x86.bugs++;
}

bool x86_alloc_table(hm_pa_t *table)
{
	void *memory = x86.tables_left ? aligned_alloc(4096, 4096) : NULL;

	if (!memory)
		return false;
	memset(memory, 0xff, 4096);
	x86.tables_left--;
	x86.tables_out++;
	table->val = X86_PA(memory);
	return true;
}

void x86_free_table(hm_pa_t table)
{
	x86.tables_out--;
	free(X86_AT(table.val));
}

void x86_event(enum hm_insn_kind kind, const void *address, uint64_t value)
{
	x86.counts[kind]++;
	if (x86.events < X86_TRACE)
		x86.trace[x86.events++] = (struct x86_event){ kind, address, value };
}

void x86_check_key(const void *address)
{
	const int key = x86.key_of ? x86.key_of(address) : HM_KEY_PGTABLES;

	if (key < 0)
		x86_bug("a store to memory that is read-only");
	else if (x86.key_style == HM_KEY_STYLE_WINDOW && (x86.pkrs >> 2 * key & 3))
		x86_bug("a store to memory without its key");
}
