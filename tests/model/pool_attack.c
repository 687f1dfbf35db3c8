/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * pool_attack.c -- stray stores to what pgtable_pool.h knows. What is locked cannot be written: the machine
 * says so of each word. What is ordinary memory is overwritten, word by word and in pairs, by numbers and by
 * addresses of all kinds, and then the pool is used: whatever it serves, its locked frames have to say that
 * it was free, or cached by that CPU; and it comes to an end. pool.c with -DATTACK does that at any moment
 * of what other CPUs do.
 */
#include "suite.h"
#include <hardmap/direct_map.h>
#include <hardmap/pgtable_pool.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define PAGES HM_MACHINE_PAGES
#define CPUS 2
#define START UINT64_C(0xffff000000000000) /* of the linear map */
#define STEPS 14 /* that follow each overwrite */
#define LOCKS 2000 /* that one of them may take */
#define LIVE 24
#define BATCH 3

/* Pages: tables of the linear map, the pool's root, what it adopts, what it has from the kernel. */
enum { TABLES, POOL_ROOT = 6, FOREIGN, ADOPTED, LENT = 16 };
_Static_assert(HM_POOL_PAGES_ == 8, "as many are adopted, and from there on they are aligned");

static struct hm_machine machine;

static struct {
	struct hm_pgtable_pool_magazine magazines[CPUS];
	struct hm_pgtable_pool pool;
	struct hm_pgtable_pool_token token;
	struct hm_direct_map map;
	unsigned int tables; /* of the linear map */
	unsigned int lives, locks;
	bool fails; /* key changes do, half-way */
	bool lent[PAGES], live[PAGES];
	hm_pa_t pages[LIVE]; /* the live ones */
	uint64_t random;
	const char *wrong; /* the first that was */
	jmp_buf endless;
} attack;

static unsigned int random_below(unsigned int n)
{
	attack.random ^= attack.random << 13;
	attack.random ^= attack.random >> 7;
	attack.random ^= attack.random << 17;
	return (unsigned int)((attack.random >> 32) % n);
}

static void wrong(const char *what)
{
	if (!attack.wrong)
		attack.wrong = what;
}

/* ---- the kernel ---- */

hm_pa_t hm_port_pgtable_pool_root(const struct hm_pgtable_pool *pool)
{
	(void)pool;
	return hm_machine_page(POOL_ROOT);
}

bool hm_port_pgtable_pool_memory(struct hm_pgtable_pool *pool, unsigned int order, hm_pa_t *pages)
{
	const unsigned int n = 1u << order;
	unsigned int number, i;

	(void)pool;
	for (number = LENT; number < PAGES; number += n) {
		for (i = number; i < number + n && !attack.lent[i]; i++)
			;
		if (i < number + n)
			continue;
		for (i = number; i < number + n; i++)
			attack.lent[i] = true;
		*pages = hm_machine_page(number);
		return true;
	}
	return false;
}

void hm_port_pgtable_pool_give(struct hm_pgtable_pool *pool, hm_pa_t pages, unsigned int n)
{
	const unsigned int number = hm_machine_page_number(pages);
	unsigned int i;

	(void)pool;
	for (i = number; i < number + n; i++) {
		if (i >= PAGES || !attack.lent[i] || attack.live[i]) {
			wrong("a page is given back that was not lent, or is in use");
			return;
		}
		attack.lent[i] = false;
	}
}

static hm_va_t linear(unsigned int number)
{
	const hm_va_t va = { START + (uint64_t)number * HM_MACHINE_PAGE_BYTES };

	return va;
}

int hm_port_pgtable_pool_set_key(struct hm_pgtable_pool *pool, hm_pa_t pages, unsigned int n,
				 unsigned int key, struct hm_pgtable_pool_token *tables)
{
	const unsigned int number = hm_machine_page_number(pages);
	unsigned int i;

	(void)pool;
	(void)tables;
	for (i = number; i < number + n; i++)
		if (i >= PAGES || !(attack.lent[i] || i == POOL_ROOT) || attack.live[i])
			wrong("the key of a page is changed that is not the pool's, or in use");
	if (attack.fails)
		return -HM_EIO;
	return machine.linear ? hm_direct_map_set_pkey(&attack.map, NULL, linear(number),
						       (uint64_t)n * HM_MACHINE_PAGE_BYTES, key)
			      : 0;
}

void hm_port_pgtable_pool_rejoin(struct hm_pgtable_pool *pool, hm_pa_t block)
{
	(void)pool;
	(void)block;
}

bool hm_port_pgtable_pool_lock(struct hm_pgtable_pool *pool)
{
	(void)pool;
	if (++attack.locks > LOCKS)
		longjmp(attack.endless, 1);
	return false;
}

void hm_port_pgtable_pool_unlock(struct hm_pgtable_pool *pool)
{
	(void)pool;
}

bool hm_port_pgtable_pool_refill_lock(struct hm_pgtable_pool *pool)
{
	(void)pool;
	return true;
}

void hm_port_pgtable_pool_refill_unlock(struct hm_pgtable_pool *pool)
{
	(void)pool;
}

unsigned int hm_port_pgtable_pool_pin(struct hm_pgtable_pool *pool)
{
	(void)pool;
	return hm_machine_cpu_number();
}

void hm_port_pgtable_pool_unpin(struct hm_pgtable_pool *pool)
{
	(void)pool;
}

struct hm_pgtable_pool_magazine *hm_port_pgtable_pool_magazine(struct hm_pgtable_pool *pool,
							       unsigned int cpu)
{
	(void)pool;
	return cpu < CPUS ? &attack.magazines[cpu] : NULL;
}

bool hm_port_pgtable_pool_fence(struct hm_pgtable_pool *pool)
{
	(void)pool;
	return true;
}

static bool alloc_table(hm_pa_t *table)
{
	*table = hm_machine_page(TABLES + attack.tables++);
	return attack.tables <= POOL_ROOT;
}

/* ---- what the frames say ---- */

struct said {
	unsigned int state[PAGES];
	bool meta[PAGES];
};

static void fail_if(bool condition, const char *what)
{
	if (condition)
		wrong(what);
}

/* The pages of one frame; they are what it counts, and its free ones are linked, each once. */
static void read_frame(const struct hm_pool_frame_ *frame, struct said *said)
{
	const hm_pa_t block = { frame->block };
	const unsigned int first = hm_machine_page_number(block);
	unsigned int free = 0, present = 0, metas = 0, i, next;

	for (i = 0; i < HM_POOL_PAGES_; i++) {
		const unsigned int state = hm_pool_state_(frame->words, i);

		if (state == HM_POOL_ABSENT_)
			continue;
		if (first + i >= PAGES || said->state[first + i] != HM_POOL_ABSENT_) {
			wrong("two frames say something of one page");
			return;
		}
		said->state[first + i] = state;
		free += hm_pool_is_free_(state);
		present++;
		metas += state == HM_POOL_META_;
	}
	fail_if(free != frame->free || present != frame->present || metas != frame->metas,
		"a frame counts what it has not");
	for (i = 0, next = frame->first; i < free && next < HM_POOL_PAGES_; i++) {
		const unsigned int state = hm_pool_state_(frame->words, next);

		fail_if(!hm_pool_is_free_(state),
			"a page that is not free is linked as if it were");
		next = state;
	}
	fail_if(i < free, "a free page is not linked");
}

static void read_frames(struct said *said)
{
	hm_pte_t *root = hm_pool_root_(&attack.pool);
	uint32_t i;

	for (i = 0; i < PAGES; i++)
		said->state[i] = HM_POOL_ABSENT_;
	for (i = 0; i < hm_pool_half_(root, HM_POOL_FRAMES_); i++) {
		const struct hm_pool_frame_ frame = hm_pool_load_(root, i);

		read_frame(&frame, said);
	}
	for (i = 0; i < PAGES; i++)
		fail_if((said->state[i] != HM_POOL_ABSENT_) && !attack.lent[i],
			"a frame says something of a page that is the kernel's");
	for (i = 0; i < PAGES; i++)
		fail_if(attack.live[i] && said->state[i] != HM_POOL_USED_,
			"a page is in use, and its frame does not say so");
}

/* ---- steps ---- */

static void served(hm_pa_t page, const struct said *before)
{
	const unsigned int number = hm_machine_page_number(page), cpu = hm_machine_cpu_number();

	if (number >= PAGES || !attack.lent[number]) {
		wrong("a page is served that is not the pool's");
		return;
	}
	fail_if(attack.live[number], "a page is served twice");
	fail_if(!hm_pool_is_free_(before->state[number]) &&
			before->state[number] != (HM_POOL_CACHED_ | cpu) &&
			before->state[number] != HM_POOL_ABSENT_,
		"a page is served that was neither free nor this CPU's");
	attack.live[number] = true;
	attack.pages[attack.lives++] = page;
}

static hm_pa_t next_to_free(void)
{
	const unsigned int i = random_below(attack.lives);
	const hm_pa_t page = attack.pages[i];

	attack.pages[i] = attack.pages[--attack.lives];
	attack.live[hm_machine_page_number(page)] = false;
	return page;
}

static void alloc_some(const struct said *before)
{
	const unsigned int flags = random_below(8) & ~(unsigned int)HM_PGTABLE_POOL_ZERO;
	hm_pa_t pages[BATCH];
	unsigned int i, n = 1 + random_below(BATCH);

	if (attack.lives + n > LIVE)
		return;
	if (n == 1 ? hm_pgtable_pool_alloc(&attack.pool, flags, pages)
		   : hm_pgtable_pool_alloc_batch(&attack.pool, flags, pages, n))
		return;
	for (i = 0; i < n; i++)
		served(pages[i], before);
}

static void free_some(void)
{
	hm_pa_t pages[BATCH];
	unsigned int i, n = 1 + random_below(BATCH);

	if (attack.lives < n)
		return;
	for (i = 0; i < n; i++)
		pages[i] = next_to_free();
	fail_if(n == 1 ? hm_pgtable_pool_free(&attack.pool, pages[0])
		       : hm_pgtable_pool_free_batch(&attack.pool, pages, n),
		"a page that was served is not taken back");
}

static void use_token(const struct said *before)
{
	hm_pa_t page;

	if (!attack.token.pages)
		(void)!hm_pgtable_pool_reserve(&attack.pool, HM_PGTABLE_POOL_MAY_SLEEP,
					       1 + random_below(3), &attack.token);
	else if (random_below(2))
		hm_pgtable_pool_unreserve(&attack.pool, &attack.token);
	else if (attack.lives < LIVE && hm_pgtable_pool_take(&attack.pool, &attack.token, &page))
		served(page, before);
}

static void shrink(void)
{
	const unsigned int flags = random_below(2) ? HM_PGTABLE_POOL_SPLIT : 0;

	attack.fails = !random_below(6);
	if (random_below(2))
		hm_pgtable_pool_shrink_scan(&attack.pool, 1 + random_below(40), flags);
	else
		hm_pgtable_pool_shrink_scan(&attack.pool,
					    hm_pgtable_pool_shrink_count(&attack.pool), flags);
	attack.fails = false;
}

static void step(void)
{
	struct hm_pgtable_pool_statistics statistics;
	struct said before, after;

	machine.cpu = random_below(CPUS);
	hm_machine_become(machine.cpu);
	attack.locks = 0;
	read_frames(&before);
	switch (random_below(10)) {
	case 0:
	case 1:
	case 2:
	case 3:
		alloc_some(&before);
		break;
	case 4:
	case 5:
		free_some();
		break;
	case 6:
		use_token(&before);
		break;
	case 7:
		hm_pgtable_pool_cpu_remove(&attack.pool, random_below(CPUS));
		hm_pgtable_pool_statistics(&attack.pool, &statistics);
		break;
	default:
		shrink();
	}
	read_frames(&after);
}

/* ---- set-up ---- */

static void start_cpu(void)
{
	if (hm_kpkeys_style() == HM_KEY_STYLE_STORE)
		hm_arm64_gcs_enable();
	else
		hm_arm64_poe_enable();
	hm_kpkeys_cpu_start();
}

/* A machine, a linear map if there are keys, and a pool that has pages of every kind. */
static void set_up(unsigned int key_style, uint64_t seed)
{
	const struct hm_machine_config config = { .cpus = CPUS,
						  .seed = 1,
						  .key_style = key_style,
						  .bbm_level = 3,
						  .alloc_table = alloc_table };
	const hm_va_t start = { START };
	unsigned int i;

	memset(&attack, 0, sizeof(attack));
	attack.random = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
	hm_machine_start(&machine, &config);
	if (key_style != HM_KEY_STYLE_NONE) {
		for (machine.cpu = CPUS; machine.cpu-- > 0;)
			start_cpu();
		machine.cpu = 0;
		attack.tables = 1;
		hm_machine_set_root(TABLES);
		fail_if(hm_direct_map_init(&attack.map, start, hm_direct_map_bytes_(1), false) ||
				hm_direct_map_add(
					&attack.map, NULL, start, hm_direct_map_bytes_(1),
					hm_arm64_leaf(hm_machine_page(0), 0, HM_ARM64_KERNEL_RW)) ||
				hm_direct_map_set_pkey(&attack.map, NULL, start,
						       (uint64_t)LENT * HM_MACHINE_PAGE_BYTES,
						       HM_KEY_PGTABLES),
			"no map");
		hm_machine_settle();
		hm_machine_set_linear(START);
	}
	for (machine.cpu = CPUS; machine.cpu-- > 0;)
		hm_machine_become(machine.cpu);
	machine.cpu = machine.running = 0;
	for (i = ADOPTED; i < LENT; i++)
		attack.lent[i] = true;
	hm_pgtable_pool_init(&attack.pool);
	fail_if(hm_pgtable_pool_adopt(&attack.pool, hm_machine_page(ADOPTED), LENT - ADOPTED) ||
			hm_pgtable_pool_protect(&attack.pool),
		"no pool");
	for (i = 0; i < 3 * STEPS; i++)
		step();
}

static void suite_setup(void)
{
	set_up(HM_KEY_STYLE_NONE, 0);
}

/* ---- what is ordinary memory ---- */

/* In halves of words: the pool, each magazine with what it has in use and one entry more, the token. */
#define POOL ((unsigned int)(sizeof(struct hm_pgtable_pool) / sizeof(uint32_t)))
#define MAGAZINE                                                                              \
	((unsigned int)(offsetof(struct hm_pgtable_pool_magazine, page) / sizeof(uint32_t)) + \
	 2 * (HM_PORT_PGTABLE_POOL_MAGAZINE + 1))
#define HALVES (POOL + CPUS * MAGAZINE + 2)

static uint32_t *half_at(unsigned int i)
{
	if (i < POOL)
		return (uint32_t *)(void *)&attack.pool + i;
	i -= POOL;
	if (i < CPUS * MAGAZINE)
		return (uint32_t *)(void *)&attack.magazines[i / MAGAZINE] + i % MAGAZINE;
	return (uint32_t *)(void *)&attack.token + (i - CPUS * MAGAZINE);
}

/* A page in that state by the frames; 0 if there is none. */
static uint64_t page_in_state(unsigned int first, unsigned int last)
{
	struct said said;
	unsigned int i;

	read_frames(&said);
	for (i = 0; i < PAGES; i++)
		if (said.state[i] >= first && said.state[i] <= last)
			return hm_machine_page(i).val;
	return 0;
}

#define VALUES 18

static uint64_t value_at(unsigned int which, uint64_t old)
{
	switch (which) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX;
	case 2:
		return 1;
	case 3:
		return old + 1;
	case 4:
		return old - 1;
	case 5:
		return page_in_state(HM_POOL_USED_, HM_POOL_USED_);
	case 6:
		return page_in_state(0, HM_POOL_LAST_);
	case 7:
		return page_in_state(HM_POOL_CACHED_, HM_POOL_CACHED_);
	case 8:
		return page_in_state(HM_POOL_CACHED_ | 1, HM_POOL_CACHED_ | 1);
	case 9:
		return page_in_state(HM_POOL_META_, HM_POOL_META_);
	case 10:
		return page_in_state(HM_POOL_HELD_, HM_POOL_HELD_);
	case 11:
		return hm_machine_page(FOREIGN).val;
	case 12:
		return hm_machine_page(POOL_ROOT).val;
	case 13:
		return page_in_state(0, HM_POOL_LAST_) + 8;
	case 14:
		return page_in_state(HM_POOL_USED_, HM_POOL_USED_) + 1;
	case 15:
		return (uint64_t)random_below(UINT32_MAX) << 32 | random_below(UINT32_MAX);
	case 16:
		return random_below(64);
	default:
		return old ^ UINT64_C(1) << random_below(64);
	}
}

/* A whole word, or half of one where i is odd or the value says so. */
static void overwrite(unsigned int i, unsigned int which, bool half)
{
	uint32_t *word = half_at(half ? i : i & ~1u);
	uint64_t value;

	memcpy(&value, half_at(i & ~1u), sizeof(value));
	value = value_at(which, half ? *word : value);
	memcpy(word, &value, half ? sizeof(*word) : sizeof(value));
}

/* What goes wrong when those two words, or one, have been overwritten after some steps; NULL: nothing. */
static const char *try_one(uint64_t seed, unsigned int first, unsigned int second,
			   unsigned int which)
{
	volatile unsigned int i;

	if (setjmp(attack.endless)) {
		wrong("an operation of the pool does not end");
		return attack.wrong;
	}
	for (i = 0; i < seed % 5; i++)
		step();
	overwrite(first, which % VALUES, which / VALUES & 1);
	if (second < HALVES)
		overwrite(second, which / VALUES / 2 % VALUES, which / VALUES / 2 / VALUES & 1);
	for (i = 0; i < STEPS; i++)
		step();
	if (machine.violation[0])
		wrong(machine.violation);
	return attack.wrong;
}

static unsigned int failures;

static void report(const char *what, uint64_t seed, unsigned int first, unsigned int second,
		   unsigned int which)
{
	if (what && !failures++)
		fprintf(stderr, "seed %llu, halves %u and %u, values %u: %s\n",
			(unsigned long long)seed, first, second, which, what);
}

/* Each word and half word of it by each value, in several states of a pool whose stores are judged. */
CASE(one_overwritten_word)
{
	unsigned int i, which;

	failures = 0;
	for (i = 0; i < HALVES; i++)
		for (which = 0; which < 2 * VALUES; which++) {
			const uint64_t seed = i * 64 + which;

			set_up(HM_KEY_STYLE_WINDOW, seed);
			report(try_one(seed, i, HALVES, which), seed, i, HALVES, which);
		}
	EXPECT(!failures);
}

/* Every two of them, by values of which each pair has some. */
CASE(two_overwritten_words)
{
	unsigned int i, k, n;

	failures = 0;
	for (i = 0; i < HALVES; i++)
		for (k = 0; k < i; k++)
			for (n = 0; n < 2; n++) {
				const uint64_t seed = (i * HALVES + k) * UINT64_C(2) + n;
				const unsigned int which = (unsigned int)(seed * 2654435761u >> 4) %
							   (4 * VALUES * VALUES);

				set_up(HM_KEY_STYLE_NONE, seed);
				report(try_one(seed, i, k, which), seed, i, k, which);
			}
	EXPECT(!failures);
}

/* ---- what is locked ---- */

/* Each word of a page, by an ordinary store of code that has opened nothing. */
static bool faults_everywhere(unsigned int number)
{
	hm_pte_t *words = hm_port_pgtable_map(hm_machine_page(number));
	unsigned int i;

	for (i = 0; i < HM_PORT_PGTABLE_ENTRIES; i++) {
		const uint64_t old = words[i].val;

		machine.violation[0] = 0;
		hm_machine_store(&words[i].val, old ^ 1);
		if (!strstr(machine.violation, "without its key"))
			return false;
		hm_machine_store(&words[i].val, old);
	}
	machine.violation[0] = 0;
	return true;
}

static void attack_locked(unsigned int key_style)
{
	unsigned int cpu, number, open = 0, metas = 0;
	struct said said;

	set_up(key_style, 1);
	EXPECT(!attack.wrong);
	EXPECT(!machine.violation[0]);
	read_frames(&said);
	for (cpu = 0; cpu < CPUS; cpu++) {
		machine.cpu = cpu;
		hm_machine_become(cpu);
		for (number = 0; number < PAGES; number++) {
			/* Whatever is the pool's, and its root; nothing of what is not. */
			const bool keyed = said.state[number] != HM_POOL_ABSENT_ || number < LENT;

			open += hm_machine_may_succeed(linear(number), HM_ACCESS_WRITE) == keyed;
			if (said.state[number] != HM_POOL_META_ && number != POOL_ROOT)
				continue;
			metas += said.state[number] == HM_POOL_META_;
			EXPECT(faults_everywhere(number));
		}
	}
	EXPECT(!open);
	EXPECT(metas);
}

/* The root page and every page of frames, by window keys. */
CASE(locked_words_cannot_be_written)
{
	attack_locked(HM_KEY_STYLE_WINDOW);
}

/* The same where nothing but keyed stores writes them. */
CASE(locked_words_take_keyed_stores_only)
{
	attack_locked(HM_KEY_STYLE_STORE);
}
