/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * with_keys.c -- with_keys PROGRAM [ARGUMENT...] runs a test by the host's protection keys
 * (HM_NATIVE=keys), or says in TAP that it is skipped where the host has none.
 */
#include <native.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	if (!hm_native_has_keys()) {
		printf("1..0 # SKIP no protection keys on this CPU (x86 PKU, arm64 POE); "
		       "elsewhere HM_NATIVE=keys %s, or tests/native/in_qemu.sh\n",
		       argv[1]);
		return 0;
	}
	setenv("HM_NATIVE", "keys", 1);
	execv(argv[1], argv + 1);
	perror(argv[1]);
	return 2;
}
