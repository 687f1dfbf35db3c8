/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * load_failing.c -- loads a module while one allocation of memory after the other fails, and unloads it so.
 *
 *	load_failing MODULE.ko
 *
 * The kernel fails the first allocation that this task asks it for while it loads the module, then the
 * second, and so on (CONFIG_FAULT_INJECTION, /proc/self/fail-nth), until all have failed once. Each time the
 * module is not there afterwards, or it is there whole and goes. Then the same while it goes, which always
 * succeeds. Whether anything was left behind is for who compares the kernel's counts before and after.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ALLOCATIONS_MAX 5000

static _Noreturn __attribute__((format(printf, 1, 2))) void wrong(const char *format, ...)
{
	va_list arguments;

	fflush(stdout);
	fputs("load_failing: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

/* The n-th allocation from now on fails; 0: none does. */
static void fail_nth(int file, unsigned int n)
{
	char text[16];
	const int length = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(file, text, (size_t)length, 0) != length)
		wrong("/proc/self/fail-nth: %s", strerror(errno));
}

/* Whether it has failed; and none does from now on. */
static bool has_failed(int file)
{
	char text[16] = { 0 };

	if (pread(file, text, sizeof(text) - 1, 0) <= 0)
		wrong("/proc/self/fail-nth: %s", strerror(errno));
	fail_nth(file, 0);
	return atoi(text) == 0;
}

static bool is_there(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/module/%s", name);
	return access(path, F_OK) == 0;
}

/* "hardmap" of ".../hardmap.ko". */
static char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *name = strdup(slash ? slash + 1 : path);
	char *dot;

	if (!name)
		wrong("no memory");
	dot = strstr(name, ".ko");
	if (!dot)
		wrong("no module: %s", path);
	*dot = 0;
	return name;
}

int main(int argc, char **argv)
{
	unsigned int n, failed = 0, loaded = 0;
	int module, nth;
	char *name;
	bool fails;

	if (argc != 2)
		wrong("one module, please");
	name = name_of(argv[1]);
	module = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (module < 0)
		wrong("%s: %s", argv[1], strerror(errno));
	nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (nth < 0)
		wrong("/proc/thread-self/fail-nth: %s", strerror(errno));

	for (n = 1, fails = true; fails; n++) {
		int error = 0;

		if (n > ALLOCATIONS_MAX)
			wrong("more than %u allocations", ALLOCATIONS_MAX);
		fail_nth(nth, n);
		if (syscall(SYS_finit_module, module, "", 0))
			error = errno;
		fails = has_failed(nth);
		if (error && (!fails || (error != ENOMEM && error != ENOSPC)))
			wrong("allocation %u: %s", n, strerror(error));
		if (is_there(name) != !error)
			wrong("allocation %u: the module is %s", n, error ? "there" : "not there");
		failed += !!error;
		loaded += !error;
		if (!error && syscall(SYS_delete_module, name, O_NONBLOCK))
			wrong("allocation %u: it does not go: %s", n, strerror(errno));
	}
	printf("%u allocations: %u failures were errors, with %u it was loaded\n", n - 2, failed,
	       loaded - 1);

	for (n = 1, fails = true; fails; n++) {
		if (syscall(SYS_finit_module, module, "", 0))
			wrong("without a failure: %s", strerror(errno));
		fail_nth(nth, n);
		if (syscall(SYS_delete_module, name, O_NONBLOCK))
			wrong("allocation %u of its end: %s", n, strerror(errno));
		fails = has_failed(nth);
		if (is_there(name))
			wrong("allocation %u of its end: the module is there", n);
	}
	printf("%u allocations of its end\n", n - 2);
	free(name);
	return 0;
}
