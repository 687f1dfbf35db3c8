/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * fuzz.c -- the programs of program.h with bytes chosen by libFuzzer, for coverage of the library and of
 * the machine. tests/model/fuzz.sh builds and runs it; a violation aborts, with the machine's report.
 */
#include "program.h"
#include <stdlib.h>

/* Of a program at most: what random.c runs. A longer one may exceed the machine's stores and TLBIs, which
 * the machine reports and which says nothing about the library. */
#define BYTES 400

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct hm_machine machine;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	if (size > BYTES)
		return 0;
	program_run(&machine, bytes, size);
	if (machine.violation[0]) {
		hm_machine_report(stderr);
		abort();
	}
	return 0;
}
