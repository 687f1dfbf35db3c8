/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * insn_count.c -- counters behind ports/arm64/counted.
 */
#include "insn_count.h"

static uint64_t counts[HM_INSN_KINDS];

/* Atomic, as a thread may be interrupted or moved in the middle. Nothing is ordered by it. */
void hm_insn_count(enum hm_insn_kind kind);
void hm_insn_count(enum hm_insn_kind kind)
{
	__atomic_fetch_add(&counts[kind], 1, __ATOMIC_RELAXED);
}

void insn_count_reset(void)
{
	unsigned int kind;

	for (kind = 0; kind < HM_INSN_KINDS; kind++)
		__atomic_store_n(&counts[kind], 0, __ATOMIC_RELAXED);
}

uint64_t insn_counted(enum hm_insn_kind kind)
{
	return __atomic_load_n(&counts[kind], __ATOMIC_RELAXED);
}
