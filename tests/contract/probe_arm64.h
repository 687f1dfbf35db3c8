/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * probe_arm64.h -- what probe_arm64.c asks of the environment that the port runs in, beside the
 * functions of probe.h that it leaves to it: probe_interrupt(), probe_opens(), probe_set_root().
 */
#ifndef PROBE_ARM64_H
#define PROBE_ARM64_H
#include <arm64/insn_kind.h>
#include <hardmap/pgtable.h>

/* All contexts idle, no tables. */
void probe_arm64_reset(void);
/* Executed so far. */
uint64_t probe_arm64_counted(enum hm_insn_kind kind);
/* Calls of HM_BUG since the last call of this. */
unsigned int probe_arm64_bugs(void);
/* Table `number`, 0 to 2: of the granule's size and alignment, zeroed by probe_arm64_reset(). */
hm_pte_t *probe_arm64_table(unsigned int number);
/* The CPU is in that context: no switch, just that. */
void probe_arm64_become(unsigned int context);
/* The physical address of an object of the probe. */
hm_pa_t probe_arm64_pa(const void *object);
#endif
