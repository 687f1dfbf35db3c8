/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * program.h -- random programs on the adversarial machine: over lazy_mmu.h, kpkeys.h and pgtable.h in
 * program.c, over direct_map.h in direct_map.c. One
 * decoder turns bytes into a program, whoever made the bytes: the random test, the fuzzer, or the
 * search for a mutant.
 */
#ifndef PROGRAM_H
#define PROGRAM_H
#include <machine.h>
#include <stddef.h>

struct program_result {
	uint64_t events; /* instructions and accesses */
	uint64_t operations; /* of the library, on whole ranges in direct_map.c */
	uint64_t accesses, interrupts, migrations;
};

/*
 * Runs the program that the bytes say, on the machine. The first bytes choose the number of CPUs
 * and threads and the machine's seed; each later one is an operation of the thread that asks next.
 * Any bytes are a program. machine->violation says whether it found something.
 */
struct program_result program_run(struct hm_machine *machine, const uint8_t *bytes, size_t size);
#endif
