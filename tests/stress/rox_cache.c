/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * rox_cache.c -- host threads that load code into one cache, change it and free it; also under
 * ThreadSanitizer.
 *
 *	rox_cache [--threads N] [--steps N] [--seed N] [--modules FILE] [--plant window|use]
 *
 * Each thread keeps a copy of the text of its code, and finds it there whenever it looks. Some of the code
 * is freed by others, and some is everybody's: threads patch it beside one another, and find an instruction
 * that somebody wrote in every word. Beside them the shrinker, and whoever looks at statistics and pictures.
 * The kernel has memory for little more than they want, and what is asked of it fails now and then. At the
 * end what the cache counts has to be what it has, and it gives all of it back as it came. Sizes are at
 * random, or from a file with a line for each module: name, bytes of text, bytes of text for its start. The
 * report is TAP.
 *
 * --plant makes a mistake that ThreadSanitizer has to report: windows are not one at a time; code is looked
 * at by who has left it to others. Nothing else is judged then.
 */
#include <errno.h>
#include <hardmap/rox_cache.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS_MAX 8
#define BLOCK (UINT64_C(1) << HM_PORT_ROX_CACHE_BLOCK_SHIFT)
#define BLOCKS 96 /* of the kernel */
#define PAGES (BLOCK / 4096)
#define FIRST (UINT64_C(1) << 40) /* where it executes */
#define NEAR 32 /* blocks of it are an arena by themselves */
#define RANGES 4096
#define OWNED 24 /* pieces of code of a thread, at most */
#define LARGEST (3 * BLOCK)
#define SHELF 16
#define SHARED 4 /* pieces that all patch */
#define WORDS 16 /* of each */
#define TAG 0xbeef0000u
#define SIZES 8192

enum plant { NOTHING, WINDOWS, USE };

struct piece {
	hm_va_t code;
	uint64_t bytes;
	unsigned char *text;
};

struct thread {
	pthread_t thread;
	unsigned int number;
	unsigned int pieces;
	uint64_t steps; /* to go */
	uint64_t loads, refused, frees, patches, busy;
	struct piece piece[OWNED];
};

static unsigned int threads = 4;
static uint64_t steps = 20000, seed = 1;
static const char *modules;
static enum plant plant;
static uint64_t sizes[SIZES];
static unsigned int n_sizes;

static struct hm_rox_cache stressed;
static struct hm_rox_cache_arena far, near;
static struct thread thread_of[THREADS_MAX];
static hm_va_t shared[SHARED];
static unsigned int out_of; /* how many calls of a hook one fails; 0: none does */
static unsigned int running, done; /* threads that load; atomic */
static unsigned int failures; /* atomic */
static uint64_t scans, given, pictures, reclaimed;
static _Thread_local unsigned int who; /* is running */
_Thread_local uint64_t stress_register;

/* Pieces that their owner has left for another to free. */
static pthread_mutex_t shelf_lock = PTHREAD_MUTEX_INITIALIZER;
static struct piece shelf[SHELF];
static unsigned int shelved;

static void failed(const char *what)
{
	if (plant == NOTHING && !__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED))
		fprintf(stderr, "%s\n", what);
}

static void agree(const char *what, uint64_t is, uint64_t should_be)
{
	if (is == should_be)
		return;
	__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
	fprintf(stderr, "%s: %llu, should be %llu\n", what, (unsigned long long)is,
		(unsigned long long)should_be);
}

/* A number below n of this thread. */
static uint64_t random_below(uint64_t n)
{
	static _Thread_local uint64_t state;

	if (!state)
		state = (seed * 100 + who + 1) * UINT64_C(0x9e3779b97f4a7c15);
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return n ? (state >> 16) % n : 0;
}

/* ---- the kernel: blocks, whose alias is elsewhere, each beside another than where it executes ---- */

static unsigned char *memory;
static pthread_mutex_t memory_lock = PTHREAD_MUTEX_INITIALIZER;
static bool lent[BLOCKS];
static unsigned int out; /* blocks that are lent */
static bool executes[BLOCKS]; /* atomic, as what follows */
static unsigned char alias_of[BLOCKS * PAGES];
static struct hm_rox_cache_range ranges[RANGES];
static struct hm_rox_cache_range *free_ranges;
static unsigned int ranges_used, ranges_out;
static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER,
		       grow_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t window_lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local bool windowed, locked, growing;

static bool fails(void)
{
	return out_of && !random_below(out_of);
}

static void unlocked(void)
{
	if (locked)
		failed("a hook is called with the lock");
}

static unsigned int block_of(hm_va_t code)
{
	return (unsigned int)((code.val - FIRST) / BLOCK);
}

static uint64_t offset_of(hm_va_t code)
{
	return (block_of(code) ^ 1) * BLOCK + code.val % BLOCK;
}

void stress_check_store(const void *alias)
{
	const uint64_t offset = (uint64_t)((const unsigned char *)alias - memory);
	const unsigned char is = __atomic_load_n(&alias_of[offset / 4096], __ATOMIC_RELAXED);

	if (locked)
		failed("code is stored with the lock");
	if (is == HM_ROX_CACHE_MEMORY)
		return;
	if (STRESS_WINDOW ? !(stress_register & HM_KEY_ALLOW(HM_KEY_TEXT, HM_KEY_WRITE))
			  : is != HM_ROX_CACHE_OPEN || !windowed)
		failed("a store to an alias that is not writable");
}

bool hm_port_rox_cache_memory(struct hm_rox_cache *cache, const struct hm_rox_cache_arena *arena,
			      unsigned int blocks, hm_va_t *code)
{
	const uint64_t first = (arena->first.val - FIRST) / BLOCK;
	const uint64_t end = (arena->last.val + 1 - FIRST) / BLOCK;
	uint64_t start = code->val ? (code->val - FIRST) / BLOCK : first, i, n = 0;

	unlocked();
	if (!growing)
		failed("memory is asked for without the lock of growth");
	if (!random_below(4))
		__atomic_fetch_add(&reclaimed, hm_rox_cache_shrink_scan(cache, 1 + random_below(4)),
				   __ATOMIC_RELAXED);
	if (fails())
		return false;
	pthread_mutex_lock(&memory_lock);
	for (i = start; i < end && n < blocks; i++) {
		n = lent[i] ? 0 : n + 1;
		if (code->val && !n)
			break;
	}
	if (n == blocks) {
		for (start = i - n; start < i; start++) {
			lent[start] = true;
			out++;
		}
		code->val = FIRST + (i - n) * BLOCK;
	}
	pthread_mutex_unlock(&memory_lock);
	return n == blocks;
}

void hm_port_rox_cache_give(struct hm_rox_cache *cache, hm_va_t block)
{
	const unsigned int number = block_of(block);
	unsigned int i;

	(void)cache;
	unlocked();
	for (i = 0; i < PAGES; i++)
		if (__atomic_load_n(&alias_of[(number ^ 1) * PAGES + i], __ATOMIC_RELAXED) !=
		    HM_ROX_CACHE_MEMORY)
			failed("a block is given back whose alias is not as it came");
	if (__atomic_load_n(&executes[number], __ATOMIC_RELAXED))
		failed("a block is given back that can be executed");
	memset(memory + offset_of(block), 0xa5, BLOCK);
	pthread_mutex_lock(&memory_lock);
	if (!lent[number])
		failed("a block is given back that the cache had not");
	lent[number] = false;
	out--;
	pthread_mutex_unlock(&memory_lock);
}

hm_pte_t *hm_port_rox_cache_at(const struct hm_rox_cache *cache, hm_va_t code)
{
	(void)cache;
	return (hm_pte_t *)(void *)(memory + offset_of(code));
}

/* Half-way sometimes. */
int hm_port_rox_cache_alias(struct hm_rox_cache *cache, hm_va_t code, uint64_t bytes,
			    enum hm_rox_cache_alias alias)
{
	const uint64_t page = offset_of(code) / 4096, pages = bytes / 4096;
	const bool fail = fails(), half = fail && random_below(2);
	uint64_t i;

	(void)cache;
	unlocked();
	if (alias == HM_ROX_CACHE_OPEN && (STRESS_WINDOW || !windowed))
		failed("an alias is opened without the window");
	if (alias == HM_ROX_CACHE_MEMORY &&
	    __atomic_load_n(&executes[block_of(code)], __ATOMIC_RELAXED))
		failed("an alias is memory while code is there");
	for (i = 0; i < (half ? pages / 2 : fail ? 0 : pages); i++)
		__atomic_store_n(&alias_of[page + i], (unsigned char)alias, __ATOMIC_RELAXED);
	return half ? -HM_EIO : fail ? -HM_ENOMEM : 0;
}

int hm_port_rox_cache_execute(struct hm_rox_cache *cache, hm_va_t block, bool executable)
{
	(void)cache;
	unlocked();
	if (fails())
		return -HM_ENOMEM;
	__atomic_store_n(&executes[block_of(block)], executable, __ATOMIC_RELAXED);
	return 0;
}

bool hm_port_rox_cache_synchronise(struct hm_rox_cache *cache)
{
	(void)cache;
	unlocked();
	return !fails();
}

struct hm_rox_cache_range *hm_port_rox_cache_range_alloc(struct hm_rox_cache *cache)
{
	struct hm_rox_cache_range *range = NULL;

	(void)cache;
	unlocked();
	if (fails())
		return NULL;
	pthread_mutex_lock(&memory_lock);
	if (free_ranges) {
		range = free_ranges;
		free_ranges = range->next;
	} else if (ranges_used < RANGES) {
		range = &ranges[ranges_used++];
	}
	ranges_out += range != NULL;
	pthread_mutex_unlock(&memory_lock);
	return range;
}

void hm_port_rox_cache_range_free(struct hm_rox_cache *cache, struct hm_rox_cache_range *range)
{
	(void)cache;
	unlocked();
	/* Who still uses it is found. */
	memset(range, 0xa5, sizeof(*range));
	pthread_mutex_lock(&memory_lock);
	range->next = free_ranges;
	free_ranges = range;
	ranges_out--;
	pthread_mutex_unlock(&memory_lock);
}

void hm_port_rox_cache_lock(struct hm_rox_cache *cache)
{
	(void)cache;
	unlocked();
	pthread_mutex_lock(&cache_lock);
	locked = true;
}

void hm_port_rox_cache_unlock(struct hm_rox_cache *cache)
{
	(void)cache;
	locked = false;
	pthread_mutex_unlock(&cache_lock);
}

bool hm_port_rox_cache_grow_lock(struct hm_rox_cache *cache)
{
	(void)cache;
	unlocked();
	if (fails())
		return false;
	pthread_mutex_lock(&grow_lock);
	growing = true;
	return true;
}

void hm_port_rox_cache_grow_unlock(struct hm_rox_cache *cache)
{
	(void)cache;
	growing = false;
	pthread_mutex_unlock(&grow_lock);
}

bool hm_port_rox_cache_window_lock(struct hm_rox_cache *cache)
{
	(void)cache;
	unlocked();
	if (windowed || fails())
		return false;
	if (plant != WINDOWS)
		pthread_mutex_lock(&window_lock);
	windowed = true;
	return true;
}

void hm_port_rox_cache_window_unlock(struct hm_rox_cache *cache)
{
	(void)cache;
	windowed = false;
	if (plant != WINDOWS)
		pthread_mutex_unlock(&window_lock);
}

void hm_port_code_clean(const hm_pte_t *alias, uint64_t bytes)
{
	(void)alias;
	(void)bytes;
}

void hm_port_code_invalidate(hm_va_t code, uint64_t bytes)
{
	if (!__atomic_load_n(&executes[block_of(code)], __ATOMIC_RELAXED) || !bytes)
		failed("what is invalidated is not executable");
}

void hm_port_code_patch(uint32_t *alias, uint32_t instruction)
{
	stress_check_store(alias);
	__atomic_store_n(alias, instruction, __ATOMIC_RELAXED);
}

/* ---- pieces of code ---- */

static const unsigned char *text_at(hm_va_t code)
{
	return memory + offset_of(code);
}

/* Plain reads: whoever stored there before did so before this thread had it. */
static bool is_there(const struct piece *piece)
{
	uint64_t at = 0, n;

	for (; at < piece->bytes; at += n) {
		const hm_va_t code = { piece->code.val + at };

		n = BLOCK - code.val % BLOCK;
		if (n > piece->bytes - at)
			n = piece->bytes - at;
		if (memcmp(text_at(code), piece->text + at, n) != 0)
			return false;
	}
	return true;
}

static uint64_t random_size(void)
{
	if (n_sizes)
		return sizes[random_below(n_sizes)];
	return random_below(8) ? 1 + random_below(4096) : 1 + random_below(LARGEST);
}

static int relocate(struct hm_rox_cache *cache, hm_rox_cache_writer_t writer, hm_va_t code,
		    void *argument)
{
	const struct piece *piece = argument;
	uint64_t i;
	int error;

	for (i = 0; i < 4 && piece->bytes >= 8; i++) {
		const hm_va_t at = { code.val + random_below(piece->bytes - 7) };

		memcpy(piece->text + (at.val - code.val), &at.val, 8);
		error = hm_rox_cache_copy(cache, writer, at, &at.val, 8);
		if (error)
			return error;
	}
	return random_below(32) ? 0 : -1;
}

static void refused(struct thread *self, int error)
{
	if (error != -HM_ENOMEM && error != -HM_EBUSY && error != -1)
		failed("a refusal that is none");
	self->refused++;
}

static void load(struct thread *self)
{
	struct piece *piece = &self->piece[self->pieces];
	const uint64_t alignment = UINT64_C(1) << random_below(13);
	uint64_t i;
	int error;

	piece->bytes = random_size();
	piece->text = malloc(piece->bytes);
	if (!piece->text)
		bench_die("no memory");
	for (i = 0; i < piece->bytes; i++)
		piece->text[i] = (unsigned char)(i * 31 + self->loads);
	error = hm_rox_cache_load(&stressed, &near, piece->text, piece->bytes, alignment,
				  random_below(4) ? HM_ROX_CACHE_MAY_SLEEP : 0, relocate, piece,
				  &piece->code);
	if (error) {
		refused(self, error);
		free(piece->text);
		return;
	}
	if (piece->code.val % alignment)
		failed("code is not aligned");
	self->loads++;
	self->pieces++;
}

static void free_piece(struct thread *self, struct piece *piece)
{
	if (!is_there(piece))
		failed("code is not what was loaded");
	if (hm_rox_cache_free(&stressed, piece->code))
		failed("code is not freed");
	free(piece->text);
	self->frees++;
}

static struct piece take_any(struct thread *self)
{
	const unsigned int i = (unsigned int)random_below(self->pieces);
	const struct piece piece = self->piece[i];

	self->piece[i] = self->piece[--self->pieces];
	return piece;
}

/* Some bytes, by a window; or one instruction. */
static void change(struct thread *self)
{
	struct piece *piece = &self->piece[random_below(self->pieces)];
	const uint64_t offset = random_below(piece->bytes), most = piece->bytes - offset;
	const uint64_t bytes = 1 + random_below(most < 300 ? most : 300);
	const hm_va_t at = { piece->code.val + offset };
	hm_rox_cache_writer_t writer;
	unsigned char text[300];
	uint64_t i;
	int error = hm_rox_cache_write_begin(&stressed, at, bytes, &writer);

	if (error) {
		if (error != -HM_EBUSY)
			failed("a window is not opened");
		self->busy++;
		return;
	}
	for (i = 0; i < bytes; i++)
		text[i] = (unsigned char)(offset + i + self->steps);
	error = hm_rox_cache_copy(&stressed, writer, at, text, bytes);
	if (error)
		failed("a copy is refused");
	memcpy(piece->text + offset, text, bytes);
	while ((error = hm_rox_cache_write_end(&stressed, writer)) == -HM_EBUSY)
		self->busy++;
	if (error)
		failed("a window is not ended");
}

/* An instruction of what all have, and one that somebody wrote. */
static void patch(struct thread *self)
{
	const unsigned int word = (unsigned int)random_below(WORDS);
	const hm_va_t at = { shared[random_below(SHARED)].val + 4 * word };
	const uint32_t *there = (const uint32_t *)(const void *)text_at(at);
	const int error = hm_rox_cache_patch(&stressed, at, TAG | word);

	if (error && error != -HM_EBUSY)
		failed("a patch is refused");
	self->busy += error != 0;
	self->patches++;
	if (__atomic_load_n(there, __ATOMIC_RELAXED) != (TAG | word))
		failed("an instruction is nobody's");
}

/* Leaves a piece to whoever comes, or frees one that was left. */
static void use_shelf(struct thread *self)
{
	struct piece piece = { .text = NULL }, left = { .text = NULL };

	pthread_mutex_lock(&shelf_lock);
	if (self->pieces && shelved < SHELF && random_below(2)) {
		left = take_any(self);
		shelf[shelved++] = left;
	} else if (shelved) {
		piece = shelf[--shelved];
	}
	pthread_mutex_unlock(&shelf_lock);
	if (piece.text)
		free_piece(self, &piece);
	if (plant == USE && left.bytes) {
		sched_yield();
		self->busy += *(const volatile unsigned char *)text_at(left.code);
	}
}

static void step(struct thread *self)
{
	const uint64_t what = random_below(16);
	struct piece piece;

	if (what < 2) {
		use_shelf(self);
	} else if (what < 4) {
		patch(self);
	} else if (what < 9 && self->pieces < OWNED) {
		load(self);
	} else if (what < 12 && self->pieces) {
		change(self);
	} else if (what < 13 && self->pieces) {
		if (!is_there(&self->piece[random_below(self->pieces)]))
			failed("code is not what was loaded");
	} else if (self->pieces) {
		piece = take_any(self);
		free_piece(self, &piece);
	}
}

static void start_context(unsigned int number)
{
	who = number;
	stress_register = ~UINT64_C(0); /* unknown at reset */
	hm_kpkeys_cpu_start();
}

static void *thread_main(void *argument)
{
	struct thread *self = argument;

	start_context(self->number);
	/* All at once. */
	__atomic_fetch_add(&running, 1, __ATOMIC_RELAXED);
	while (__atomic_load_n(&running, __ATOMIC_RELAXED) < threads)
		sched_yield();
	for (; self->steps; self->steps--)
		step(self);
	while (self->pieces) {
		struct piece piece = take_any(self);

		free_piece(self, &piece);
	}
	hm_context_assert_idle();
	__atomic_fetch_add(&done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* ---- beside them ---- */

static void *shrinker_main(void *argument)
{
	(void)argument;
	start_context(threads);
	while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) < threads) {
		switch (random_below(16)) {
		case 0:
			given += hm_rox_cache_shrink_scan(&stressed, 1 + random_below(8));
			scans++;
			break;
		case 1:
			given += hm_rox_cache_shrink_scan(&stressed,
							  hm_rox_cache_shrink_count(&stressed));
			scans++;
			break;
		case 2:
			hm_rox_cache_retry(&stressed);
			break;
		case 3:
			if (!random_below(8))
				given += hm_rox_cache_trim(&stressed);
			break;
		default:
			sched_yield();
		}
	}
	return NULL;
}

static void look_at(const char *line, void *argument)
{
	*(size_t *)argument += strlen(line);
}

static void *viewer_main(void *argument)
{
	struct hm_rox_cache_statistics statistics;

	(void)argument;
	start_context(threads + 1);
	while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) < threads) {
		size_t characters = 0;

		hm_rox_cache_statistics(&stressed, &statistics);
		if (statistics.held_bytes > BLOCKS * BLOCK ||
		    statistics.empty > statistics.blocks ||
		    statistics.asked_bytes > statistics.live_bytes ||
		    statistics.live_bytes + statistics.free_bytes + statistics.parked_bytes !=
			    statistics.blocks * BLOCK)
			failed("the cache counts more than there is");
		hm_rox_cache_print(&stressed, look_at, &characters);
		pictures += characters != 0;
		/* A mutex is not fair: who draws all the time keeps those from it who load. */
		usleep(200);
	}
	return NULL;
}

/* ---- the beginning and the end ---- */

static void read_modules(void)
{
	FILE *file = fopen(modules, "r");
	unsigned long long text, init;
	char line[256];

	if (!file)
		bench_die("the file of modules cannot be read");
	while (n_sizes < SIZES && fgets(line, sizeof(line), file))
		if (sscanf(line, "%*s %llu %llu", &text, &init) == 2 && text && text <= LARGEST)
			sizes[n_sizes++] = text;
	fclose(file);
	if (!n_sizes)
		bench_die("the file of modules has none");
}

static void prepare(void)
{
	const hm_va_t first = { FIRST }, last = { FIRST + BLOCKS * BLOCK - 1 };
	const hm_va_t end = { FIRST + NEAR * BLOCK - 1 }, begin = { FIRST + NEAR * BLOCK };
	uint32_t text[WORDS];
	unsigned int i;

	if (modules)
		read_modules();
	memory = bench_reserve(BLOCKS * BLOCK);
	start_context(threads + 2);
	if (hm_rox_cache_add(&stressed, &far, "far", begin, last, NULL) ||
	    hm_rox_cache_add(&stressed, &near, "near", first, end, &far))
		bench_die("no arenas");
	for (i = 0; i < WORDS; i++)
		text[i] = TAG | i;
	for (i = 0; i < SHARED; i++)
		if (hm_rox_cache_load(&stressed, &near, text, sizeof(text), 64,
				      HM_ROX_CACHE_MAY_SLEEP, NULL, NULL, &shared[i]))
			bench_die("no code");
}

/* All code is freed; then all is given back. */
static void check(void)
{
	struct hm_rox_cache_statistics statistics;
	uint64_t loads = 0, frees = 0, refusals = 0, patches = 0, busy = 0;
	unsigned int i;

	out_of = 0;
	for (i = 0; i < SHARED; i++)
		if (hm_rox_cache_free(&stressed, shared[i]))
			failed("code is not freed");
	while (shelved)
		free_piece(&thread_of[0], &shelf[--shelved]);
	for (i = 0; i < threads; i++) {
		loads += thread_of[i].loads;
		frees += thread_of[i].frees;
		refusals += thread_of[i].refused;
		patches += thread_of[i].patches;
		busy += thread_of[i].busy;
	}
	agree("frees", frees, loads);
	agree("what waits", hm_rox_cache_retry(&stressed), 0);
	for (i = 0; i < BLOCKS * PAGES; i++)
		if (alias_of[i] == HM_ROX_CACHE_OPEN)
			failed("an alias is open, and nobody has a window");
	hm_rox_cache_statistics(&stressed, &statistics);
	agree("live code", statistics.live + statistics.live_bytes + statistics.asked_bytes, 0);
	agree("free bytes", statistics.free_bytes, statistics.blocks * BLOCK);
	agree("empty blocks", statistics.empty, statistics.blocks);
	agree("blocks", statistics.blocks, out);
	agree("what the cache allocated and freed", statistics.counts.allocs,
	      statistics.counts.frees);
	agree("the end of the cache", (uint64_t)hm_rox_cache_destroy(&stressed), 0);
	agree("blocks that it has kept", out, 0);
	agree("memory of ranges that it has kept", ranges_out, 0);
	printf("1..1\n%sok 1 - %u threads: %llu loads, %llu refused, %llu patches, busy %llu times; %llu "
	       "blocks came, %llu went, %llu by %llu scans and %llu from within growth; %llu ranges "
	       "were parked, %llu hooks failed for blocks; %llu pictures\n",
	       failures ? "not " : "", threads, (unsigned long long)loads,
	       (unsigned long long)refusals, (unsigned long long)patches, (unsigned long long)busy,
	       (unsigned long long)statistics.counts.grown,
	       (unsigned long long)statistics.counts.given, (unsigned long long)given,
	       (unsigned long long)scans, (unsigned long long)reclaimed,
	       (unsigned long long)statistics.counts.parked,
	       (unsigned long long)statistics.counts.failures, (unsigned long long)pictures);
}

static bool number(const char *text, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = text ? strtoull(text, &end, 10) : 0;
	return text && *text && !*end && !errno;
}

static bool parse(char **arguments)
{
	static const char *const plants[] = { "", "window", "use" };

	for (; *arguments; arguments += 2) {
		const char *value = arguments[1];
		uint64_t n = 0;

		if (!strcmp(*arguments, "--plant") && value) {
			for (plant = USE; plant && strcmp(value, plants[plant]) != 0; plant--)
				;
			if (plant == NOTHING)
				return false;
			continue;
		}
		if (!strcmp(*arguments, "--modules") && value) {
			modules = value;
			continue;
		}
		if (!number(value, &n))
			return false;
		if (!strcmp(*arguments, "--threads") && n && n <= THREADS_MAX)
			threads = (unsigned int)n;
		else if (!strcmp(*arguments, "--steps"))
			steps = n;
		else if (!strcmp(*arguments, "--seed"))
			seed = n;
		else
			return false;
	}
	return true;
}

static void start(pthread_t *thread, void *(*body)(void *), void *argument)
{
	if (pthread_create(thread, NULL, body, argument))
		bench_die("no thread");
}

int main(int argc, char **argv)
{
	pthread_t shrinker, viewer;
	unsigned int i;

	if (!argc || !parse(argv + 1)) {
		fprintf(stderr,
			"rox_cache [--threads 1..%d] [--steps N] [--seed N] [--modules FILE] "
			"[--plant window|use]\n",
			THREADS_MAX);
		return 2;
	}
	prepare();
	out_of = 24;
	for (i = 0; i < threads; i++) {
		thread_of[i].number = i;
		thread_of[i].steps = steps;
		start(&thread_of[i].thread, thread_main, &thread_of[i]);
	}
	start(&shrinker, shrinker_main, NULL);
	start(&viewer, viewer_main, NULL);
	for (i = 0; i < threads; i++)
		pthread_join(thread_of[i].thread, NULL);
	pthread_join(shrinker, NULL);
	pthread_join(viewer, NULL);
	if (plant != NOTHING)
		return 0;
	check();
	return failures ? 1 : 0;
}
