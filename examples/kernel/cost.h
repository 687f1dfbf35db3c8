/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * cost.h -- what it costs to write an entry, by how tables are locked and how many entries a section has.
 */
#ifndef KERNEL_COST_H
#define KERNEL_COST_H

#include <hardmap/pgtable.h>

/* Measures and prints, the instructions too where they can be counted: on one CPU, in an emulator that
 * counts them (-icount). For the only thread that writes entries. */
void cost_report(unsigned int cpus);

/* ---- for cost.c, by cost_write.c, which is compiled for each of these ---- */

#define COST_ENTRIES 256

enum cost_how { COST_EACH, COST_RANGE }; /* an entry a call, or all of a section's */

/* Makes COST_ENTRIES entries of a table valid, in sections of n entries; 0: outside of any. */
typedef void cost_write(hm_pte_t *table, hm_pte_t pte, enum cost_how how, unsigned int n);

/* As the kernel writes tables, and as it would if it protected none; with each instruction counted, and
 * without. */
cost_write cost_write_locked, cost_write_locked_counted;
cost_write cost_write_unlocked, cost_write_unlocked_counted;

#endif /* KERNEL_COST_H */
