/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * init.c -- the first and only process of the machine of in_qemu.sh: runs the programs that the kernel's
 * command line names after "--", by the CPU's protection keys, and switches the machine off.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

static int run(const char *program)
{
	char *const arguments[] = { (char *)(uintptr_t)program, NULL };
	int status = -1;
	pid_t child;

	printf("== %s\n", program);
	fflush(stdout);
	child = fork();
	if (!child) {
		execv(program, arguments);
		perror(program);
		_exit(127);
	}
	if (child == -1 || waitpid(child, &status, 0) != child || status)
		printf("%s failed: status %#x\n", program, (unsigned int)status);
	fflush(stdout);
	return status != 0;
}

int main(int argc, char **argv)
{
	int i, failures = 0;

	setenv("HM_NATIVE", "keys", 1);
	for (i = 1; i < argc; i++)
		failures += run(argv[i]);
	printf("%d programs, %d failed\n", argc - 1, failures);
	fflush(stdout);
	reboot(RB_POWER_OFF);
	return 1;
}
