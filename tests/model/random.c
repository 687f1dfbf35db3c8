/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * random.c -- random programs on the adversarial machine.
 *
 *	random EVENTS [SEED]         programs until so many events; status 1 at the first violation
 *	random --one SEED            the one program of that seed
 *	random --json FILE EVENTS    the first, its figures also as a line of JSON
 *	random --find PROGRAMS SEED  says after how many programs a violation is found, 0 if none is
 */
#include "program.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BYTES 400 /* of a program at most */

static struct hm_machine machine;

/* A program's bytes from its number: splitmix64. */
static size_t make(uint64_t seed, uint8_t *bytes)
{
	size_t size, i;

	for (i = 0; i < BYTES; i++) {
		uint64_t z = (seed * BYTES + i + 1) * UINT64_C(0x9e3779b97f4a7c15);

		z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
		bytes[i] = (uint8_t)(z >> 56);
	}
	size = 40 + (size_t)bytes[BYTES - 1] * (BYTES - 41) / 255;
	return size;
}

static struct program_result run(uint64_t seed)
{
	uint8_t bytes[BYTES];
	size_t size = make(seed, bytes);

	return program_run(&machine, bytes, size);
}

static int report(uint64_t seed)
{
	if (!machine.violation[0])
		return 0;
	printf("program %llu: ", (unsigned long long)seed);
	hm_machine_report(stdout);
	printf("again: random --one %llu\n", (unsigned long long)seed);
	return 1;
}

static int run_events(uint64_t events, uint64_t seed, const char *json)
{
	FILE *file;
	uint64_t done = 0, programs = 0, operations = 0, accesses = 0, interrupts = 0;
	uint64_t migrations = 0;
	clock_t start = clock();
	double seconds;

	while (done < events) {
		struct program_result result = run(seed + programs++);

		done += result.events;
		operations += result.operations;
		accesses += result.accesses;
		interrupts += result.interrupts;
		migrations += result.migrations;
		if (machine.violation[0])
			return report(seed + programs - 1);
	}
	seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
	printf("%llu programs, %llu events, %llu operations, %llu accesses, %llu interrupts, "
	       "%llu migrations: no violation; %.0f events per second\n",
	       (unsigned long long)programs, (unsigned long long)done,
	       (unsigned long long)operations, (unsigned long long)accesses,
	       (unsigned long long)interrupts, (unsigned long long)migrations,
	       seconds > 0 ? (double)done / seconds : 0);
	if (!json)
		return 0;
	file = fopen(json, "w");
	if (!file) {
		perror(json);
		return 1;
	}
	fprintf(file,
		"{\"bench\":\"model\",\"programs\":%llu,\"events\":%llu,\"accesses\":%llu,"
		"\"violations\":0,\"events_per_second\":%.0f}\n",
		(unsigned long long)programs, (unsigned long long)done,
		(unsigned long long)accesses, seconds > 0 ? (double)done / seconds : 0);
	return fclose(file) ? 1 : 0;
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 2 ? strtoull(argv[argc - 1], NULL, 0) : 1, i;

	if (argc == 3 && !strcmp(argv[1], "--one")) {
		run(seed);
		return report(seed);
	}
	if (argc == 4 && !strcmp(argv[1], "--json"))
		return run_events(seed, 1, argv[2]);
	if (argc == 4 && !strcmp(argv[1], "--find")) {
		uint64_t most = strtoull(argv[2], NULL, 0);

		for (i = 0; i < most && !machine.violation[0]; i++)
			run(seed + i);
		printf("%llu %s\n", (unsigned long long)(machine.violation[0] ? i : 0),
		       machine.violation);
		return 0;
	}
	if (argc < 2) {
		fprintf(stderr,
			"random EVENTS [SEED] | --one SEED | --json FILE EVENTS | --find PROGRAMS SEED\n");
		return 2;
	}
	return run_events(strtoull(argv[1], NULL, 0), seed, NULL);
}
