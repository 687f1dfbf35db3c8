/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * workload.c -- makes a kernel write page tables, and checks that memory holds what was written to it.
 *
 *	workload [-r ROUNDS] [-t SECONDS] [-s SEED] [-f FREE] [-d DIRECTORY] [PART]...
 *
 * storm      forks; what the child inherits, and its own pages in distant places, are those it expects;
 *            some children execute this program, some end by a fault. The exit status says which.
 * churn      processes, each with ranges of its own: map, write, protect, move, discard, unmap.
 * tables     a process of many page tables, each for one page, which go at once.
 * pressure   memory and files of DIRECTORY (a tmpfs) until only FREE per cent are available, and back.
 *
 * Without a name all four, a round of each in turn: ROUNDS (default 2, about 20 seconds in an emulator), or
 * what begins within SECONDS. What a round does follows from SEED and its number alone, where the kernel has
 * the addresses for it. The first thing that is not as it should be is printed, and the exit status is 1.
 */
#define _GNU_SOURCE /* mremap, MAP_FIXED_NOREPLACE */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PLACES 12 /* distant pages of a process */
#define FORKS 80 /* a round */
#define AT_ONCE 6 /* children alive at most */
#define CHURNERS 4
#define STEPS 2000 /* of a churner a round */
#define RANGES 24 /* of a churner */
#define PAGES_MAX 600 /* of a range: more than a table has entries */
#define TABLES 3000 /* each for one page */
#define TABLE_SPAN ((size_t)2 << 20) /* what one of them is for, with pages of 4K */
#define CHUNK ((size_t)4 << 20) /* by which pressure takes memory */
#define CHUNKS_MAX 4096
#define EXPECTED 23 /* exit status of a child that found everything in order */

static size_t page;
static const char *self;

static _Noreturn __attribute__((format(printf, 1, 2))) void wrong(const char *format, ...)
{
	va_list arguments;

	fflush(stdout);
	fputs("workload: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	_exit(1);
}

/* splitmix64: the same numbers everywhere. */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t below(uint64_t *state, uint64_t bound)
{
	return next(state) % bound;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A place far from others: at most one of a process needs the same table, of any level but the root. */
static uintptr_t place(uint64_t *state, unsigned int which)
{
	uint64_t va = ((uint64_t)which + 8) << 39; /* 512 GiB of 256 TiB each */

	return (uintptr_t)(va | below(state, 512) << 30 | below(state, 512) << 21 |
			   (below(state, 512) << 12 & ~(uint64_t)(page - 1)));
}

/* A page there, or wherever the kernel likes: where something else is, and where addresses are fewer. */
static uint64_t *distant_page(uint64_t *state, unsigned int which)
{
	void *at = mmap((void *)place(state, which), page, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (at == MAP_FAILED)
		at = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		wrong("mmap: %s", strerror(errno));
	return at;
}

static void expect(const uint64_t *at, uint64_t value, const char *what)
{
	uint64_t is = *(const volatile uint64_t *)at;

	if (is != value)
		wrong("%s: %#" PRIx64 " at %p, should be %#" PRIx64, what, is, (const void *)at,
		      value);
}

/* ---- storm ---- */

/* Pages of its own in places that no other process of this round has; each holds what was written. */
static void touch(uint64_t state)
{
	uint64_t *at[PLACES];
	uint64_t value = next(&state);
	unsigned int i;

	for (i = 0; i < PLACES; i++) {
		at[i] = distant_page(&state, i + 100);
		expect(at[i], 0, "a new page");
		*at[i] = value + i;
	}
	for (i = 0; i < PLACES; i++)
		expect(at[i], value + i, "a page of a child");
	for (i = 0; i < PLACES / 2; i++)
		if (munmap(at[i], page))
			wrong("munmap: %s", strerror(errno));
}

enum kind { RETURNS, EXECUTES, FAULTS, KINDS };

static _Noreturn void child(enum kind kind, uint64_t seed, uint64_t *const *inherited,
			    uint64_t value)
{
	char number[32];
	unsigned int i;

	for (i = 0; i < PLACES; i++) {
		expect(inherited[i], value + i, "an inherited page");
		*inherited[i] = ~value;
	}
	touch(seed);
	for (i = 0; i < PLACES; i++)
		expect(inherited[i], ~value, "a copied page");
	if (kind == EXECUTES) {
		snprintf(number, sizeof(number), "%" PRIu64, seed);
		execl("/proc/self/exe", self, "touch", number, (char *)NULL);
		wrong("exec: %s", strerror(errno));
	}
	if (kind == FAULTS) {
		if (munmap(inherited[0], page))
			wrong("munmap: %s", strerror(errno));
		*(volatile uint64_t *)inherited[0] = 1;
		wrong("no fault at a page that is not mapped");
	}
	_exit(EXPECTED);
}

static void reap(const pid_t *pids, const enum kind *kinds, unsigned int n)
{
	unsigned int i;
	int status;

	for (i = 0; i < n; i++) {
		if (waitpid(pids[i], &status, 0) != pids[i])
			wrong("waitpid: %s", strerror(errno));
		if (kinds[i] == FAULTS ? !WIFSIGNALED(status) || WTERMSIG(status) != SIGSEGV
				       : !WIFEXITED(status) || WEXITSTATUS(status) != EXPECTED)
			wrong("a child of kind %d ended with %#x", (int)kinds[i],
			      (unsigned int)status);
	}
}

static void storm(uint64_t state)
{
	uint64_t *inherited[PLACES];
	uint64_t value = next(&state);
	pid_t pids[AT_ONCE];
	enum kind kinds[AT_ONCE];
	unsigned int i, n = 0;

	for (i = 0; i < PLACES; i++) {
		inherited[i] = distant_page(&state, i);
		*inherited[i] = value + i;
	}
	for (i = 0; i < FORKS; i++) {
		uint64_t seed = next(&state);

		kinds[n] = (enum kind)below(&state, KINDS);
		pids[n] = fork();
		if (pids[n] < 0)
			wrong("fork: %s", strerror(errno));
		if (!pids[n])
			child(kinds[n], seed, inherited, value);
		if (++n == AT_ONCE) {
			reap(pids, kinds, n);
			n = 0;
		}
	}
	reap(pids, kinds, n);
	for (i = 0; i < PLACES; i++) {
		expect(inherited[i], value + i, "a page after its copies");
		munmap(inherited[i], page);
	}
}

/* ---- churn ---- */

struct range {
	char *at; /* NULL: not mapped */
	size_t pages;
	bool writable;
	uint64_t value[PAGES_MAX]; /* the first word of each page */
};

static struct range ranges[RANGES];
static int channel[2]; /* a pipe: its system calls refuse what is not mapped, and raise no signal */

static uint64_t *word(const struct range *r, size_t i)
{
	return (uint64_t *)(r->at + i * page);
}

static void check_range(const struct range *r, uint64_t *state, const char *what)
{
	size_t i;

	/* All of a few, a few of many. */
	if (r->pages <= 16) {
		for (i = 0; i < r->pages; i++)
			expect(word(r, i), r->value[i], what);
		return;
	}
	for (i = 0; i < 16; i++) {
		size_t which = below(state, r->pages);

		expect(word(r, which), r->value[which], what);
	}
}

static void refuses_write(const struct range *r, uint64_t *state)
{
	uint64_t *at = word(r, below(state, r->pages));

	if (write(channel[1], &page, sizeof(page)) != sizeof(page))
		wrong("write: %s", strerror(errno));
	if (read(channel[0], at, sizeof(page)) >= 0 || errno != EFAULT)
		wrong("a page that may not be written was: %p", (void *)at);
	if (read(channel[0], &page, sizeof(page)) != sizeof(page))
		wrong("read: %s", strerror(errno));
}

static void refuses_read(const char *at)
{
	if (write(channel[1], at, 1) >= 0 || errno != EFAULT)
		wrong("a page that is not mapped was read: %p", (const void *)at);
}

/* n pages, if possible far away. */
static char *reserve(uint64_t *state, size_t pages)
{
	size_t bytes = pages * page;
	char *at = MAP_FAILED;

	if (below(state, 2))
		at = mmap((void *)place(state, (unsigned int)below(state, 200)), bytes,
			  PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			  -1, 0);
	if (at == MAP_FAILED)
		at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		wrong("mmap of %zu bytes: %s", bytes, strerror(errno));
	return at;
}

static size_t some_pages(uint64_t *state)
{
	return 1 + (size_t)below(state, below(state, 8) ? 32 : PAGES_MAX);
}

static void map(struct range *r, uint64_t *state)
{
	r->pages = some_pages(state);
	r->at = reserve(state, r->pages);
	r->writable = true;
	memset(r->value, 0, sizeof(r->value));
	/* Advice is all that it is. */
	if (!below(state, 4))
		madvise(r->at, r->pages * page, below(state, 2) ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

static void fill(struct range *r, uint64_t *state)
{
	size_t first = below(state, r->pages), n = 1 + below(state, r->pages - first), i;

	if (!r->writable)
		return;
	for (i = first; i < first + n; i++)
		*word(r, i) = r->value[i] = next(state);
}

static void protect(struct range *r, uint64_t *state)
{
	r->writable = !r->writable;
	if (mprotect(r->at, r->pages * page, r->writable ? PROT_READ | PROT_WRITE : PROT_READ))
		wrong("mprotect: %s", strerror(errno));
	if (!r->writable)
		refuses_write(r, state);
}

/* To another size, or to a place that was chosen: the contents go with it. */
static void move(struct range *r, uint64_t *state)
{
	size_t pages = below(state, 2) ? r->pages : some_pages(state), i;
	char *old = r->at, *at;

	if (below(state, 2))
		at = mremap(old, r->pages * page, pages * page, MREMAP_MAYMOVE | MREMAP_FIXED,
			    reserve(state, pages));
	else
		at = mremap(old, r->pages * page, pages * page, MREMAP_MAYMOVE);
	if (at == MAP_FAILED)
		wrong("mremap: %s", strerror(errno));
	for (i = r->pages; i < pages; i++)
		r->value[i] = 0;
	r->at = at;
	r->pages = pages;
	check_range(r, state, "a moved page");
}

static void discard(struct range *r, uint64_t *state)
{
	size_t first = below(state, r->pages), n = 1 + below(state, r->pages - first), i;

	if (madvise(r->at + first * page, n * page, MADV_DONTNEED))
		wrong("madvise: %s", strerror(errno));
	for (i = first; i < first + n; i++)
		r->value[i] = 0;
	expect(word(r, first), 0, "a discarded page");
}

/* All of it, or its end. */
static void unmap(struct range *r, uint64_t *state)
{
	size_t keep = below(state, 2) ? 0 : below(state, r->pages);

	check_range(r, state, "a page before it goes");
	if (munmap(r->at + keep * page, (r->pages - keep) * page))
		wrong("munmap: %s", strerror(errno));
	refuses_read(r->at + keep * page);
	r->pages = keep;
	if (!keep)
		r->at = NULL;
}

static void churner(uint64_t state)
{
	unsigned int step, i;

	if (pipe(channel))
		wrong("pipe: %s", strerror(errno));
	for (step = 0; step < STEPS; step++) {
		struct range *r = &ranges[below(&state, RANGES)];

		if (!r->at) {
			map(r, &state);
			continue;
		}
		switch (below(&state, 8)) {
		case 0:
		case 1:
		case 2:
			fill(r, &state);
			break;
		case 3:
			protect(r, &state);
			break;
		case 4:
			move(r, &state);
			break;
		case 5:
			discard(r, &state);
			break;
		case 6:
			unmap(r, &state);
			break;
		default:
			check_range(r, &state, "a page");
			break;
		}
	}
	for (i = 0; i < RANGES; i++)
		if (ranges[i].at)
			check_range(&ranges[i], &state, "a page in the end");
	_exit(EXPECTED);
}

static void churn(uint64_t state)
{
	pid_t pids[CHURNERS];
	enum kind kinds[CHURNERS];
	unsigned int i;

	for (i = 0; i < CHURNERS; i++) {
		uint64_t seed = next(&state);

		kinds[i] = RETURNS;
		pids[i] = fork();
		if (pids[i] < 0)
			wrong("fork: %s", strerror(errno));
		if (!pids[i])
			churner(seed);
	}
	reap(pids, kinds, CHURNERS);
}

/* ---- tables ---- */

static void tables(uint64_t state)
{
	char *at = mmap(NULL, TABLES * TABLE_SPAN, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint64_t value = next(&state);
	size_t i;

	if (at == MAP_FAILED)
		wrong("mmap: %s", strerror(errno));
	madvise(at, TABLES * TABLE_SPAN, MADV_NOHUGEPAGE); /* fails where there are none */
	for (i = 0; i < TABLES; i++)
		*(uint64_t *)(void *)(at + i * TABLE_SPAN) = value + i;
	for (i = 0; i < TABLES; i++)
		if (*(uint64_t *)(void *)(at + i * TABLE_SPAN) != value + i)
			wrong("page %zu of many tables is another", i);
}

/* ---- pressure ---- */

static unsigned int free_percent = 10;
static const char *directory = "/tmp";

/* A number of /proc/meminfo, in bytes. */
static uint64_t meminfo(const char *name)
{
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];
	uint64_t found = 0;

	if (!file)
		wrong("/proc/meminfo: %s", strerror(errno));
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
			found = strtoull(line + strlen(name) + 1, NULL, 10) << 10;
	fclose(file);
	return found;
}

struct chunk {
	char *at; /* NULL: in the file */
	off_t offset;
	uint64_t value;
};

static struct chunk chunks[CHUNKS_MAX];

/* False if the file system is full. */
static bool take_file(int file, struct chunk *c, char *buffer)
{
	size_t i;
	ssize_t n = 0;

	for (i = 0; i < CHUNK; i += page)
		*(uint64_t *)(buffer + i) = c->value + i;
	for (i = 0; i < CHUNK; i += (size_t)n) {
		n = pwrite(file, buffer + i, CHUNK - i, c->offset + (off_t)i);
		if (n <= 0) {
			if (n < 0 && errno != ENOSPC)
				wrong("pwrite: %s", strerror(errno));
			return false;
		}
	}
	return true;
}

static void take_memory(struct chunk *c)
{
	size_t i;

	c->at = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (c->at == MAP_FAILED)
		wrong("mmap: %s", strerror(errno));
	/* Most in large pages, where the kernel has some, as in an emulator each fault takes long. */
	if (c->value % 8)
		madvise(c->at, CHUNK, MADV_HUGEPAGE);
	for (i = 0; i < CHUNK; i += page)
		*(uint64_t *)(c->at + i) = c->value + i;
}

static void check_chunk(int file, const struct chunk *c)
{
	uint64_t is;
	size_t i;

	for (i = 0; i < CHUNK; i += page) {
		if (c->at) {
			expect((const uint64_t *)(c->at + i), c->value + i,
			       "a page under pressure");
			continue;
		}
		if (i / page % 16) /* not all: each is a system call */
			continue;
		if (pread(file, &is, sizeof(is), c->offset + (off_t)i) != sizeof(is) ||
		    is != c->value + i)
			wrong("a page of a file under pressure: %#" PRIx64 ", should be %#" PRIx64,
			      is, c->value + i);
	}
}

static void give_back(const struct chunk *c)
{
	if (c->at && munmap(c->at, CHUNK))
		wrong("munmap: %s", strerror(errno));
}

static void pressure(uint64_t state)
{
	uint64_t keep = meminfo("MemTotal") / 100 * free_percent;
	char path[256], *buffer;
	bool full = false;
	size_t n, i;
	int file;

	snprintf(path, sizeof(path), "%s/workload.XXXXXX", directory);
	file = mkstemp(path);
	if (file < 0)
		wrong("%s: %s", path, strerror(errno));
	unlink(path);
	buffer = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buffer == MAP_FAILED)
		wrong("mmap: %s", strerror(errno));
	/* Twice as much as it takes now has to be there. */
	for (n = 0; n < CHUNKS_MAX && meminfo("MemAvailable") > keep + 2 * CHUNK; n++) {
		struct chunk *c = &chunks[n];

		c->at = NULL;
		c->value = next(&state);
		c->offset = (off_t)(n * CHUNK);
		if (full || below(&state, 6) || (full = !take_file(file, c, buffer)))
			take_memory(c);
	}
	/* Every third first, from the end: what is free then is not in one piece. */
	for (i = n; i-- > 0;)
		if (i % 3 == 0) {
			check_chunk(file, &chunks[i]);
			give_back(&chunks[i]);
		}
	for (i = 0; i < n; i++)
		if (i % 3 != 0) {
			check_chunk(file, &chunks[i]);
			give_back(&chunks[i]);
		}
	munmap(buffer, CHUNK);
	close(file);
	printf("workload: pressure of %zu MiB%s\n", n * (CHUNK >> 20),
	       full ? ", the file system was full" : "");
}

/* ---- */

static const struct {
	const char *name;
	void (*run)(uint64_t state);
} parts[] = {
	{ "storm", storm }, { "churn", churn }, { "tables", tables }, { "pressure", pressure }
};

#define PARTS (sizeof(parts) / sizeof(parts[0]))

static _Noreturn void usage(void)
{
	fputs("workload [-r ROUNDS] [-t SECONDS] [-s SEED] [-f FREE] [-d DIRECTORY] "
	      "[storm | churn | tables | pressure]...\n",
	      stderr);
	exit(2);
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 0);

	if (!*text || *end)
		usage();
	return value;
}

int main(int argc, char **argv)
{
	uint64_t rounds = 0, seconds = 0, seed = 1, round;
	double began = now();
	bool chosen[PARTS] = { false }, any = false;
	int option;
	size_t i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	page = (size_t)sysconf(_SC_PAGESIZE);
	self = argv[0];
	if (argc == 3 && !strcmp(argv[1], "touch")) { /* what a child executes */
		touch(number(argv[2]));
		return EXPECTED;
	}
	while ((option = getopt(argc, argv, "r:t:s:f:d:")) != -1)
		switch (option) {
		case 'r':
			rounds = number(optarg);
			break;
		case 't':
			seconds = number(optarg);
			break;
		case 's':
			seed = number(optarg);
			break;
		case 'f':
			free_percent = (unsigned int)number(optarg);
			break;
		case 'd':
			directory = optarg;
			break;
		default:
			usage();
		}
	for (; optind < argc; optind++) {
		for (i = 0; i < PARTS && strcmp(argv[optind], parts[i].name) != 0; i++)
			;
		if (i == PARTS)
			usage();
		chosen[i] = any = true;
	}
	if (!rounds)
		rounds = seconds ? UINT64_MAX : 2;
	/* Children that fault leave no core. */
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	for (round = 1; round <= rounds && (!seconds || now() - began < (double)seconds); round++)
		for (i = 0; i < PARTS; i++) {
			uint64_t state = seed * 1000003 + round * 31 + i;
			double start = now();
			int status = 0;
			pid_t pid;

			if (any && !chosen[i])
				continue;
			/* In a process of its own, that leaves nothing to the next. */
			pid = fork();
			if (pid < 0)
				wrong("fork: %s", strerror(errno));
			if (!pid) {
				parts[i].run(next(&state));
				fflush(stdout);
				_exit(EXPECTED);
			}
			if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
			    WEXITSTATUS(status) != EXPECTED)
				wrong("failed in %s, round %" PRIu64 " of seed %" PRIu64
				      ": status %#x",
				      parts[i].name, round, seed, (unsigned int)status);
			printf("workload: %s, round %" PRIu64 ": %.1f s\n", parts[i].name, round,
			       now() - start);
		}
	printf("workload: passed %" PRIu64 " rounds of seed %" PRIu64 " in %.1f s\n", round - 1,
	       seed, now() - began);
	return 0;
}
