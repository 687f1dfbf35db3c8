/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * machine.c -- the machine of machine.h. It decodes descriptors and TLBI operands by itself, from
 * the Arm ARM (D8.3, C5.5), so that a mistake in the port is not repeated here.
 */
#include <machine.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#define FIRST_ADDRESS UINT64_C(0x40000000)
#define SHIFT HM_PORT_ARM64_PAGE_SHIFT
/* Levels count from the leaves: 0 is lookup level 3 of the Arm ARM. Then which of them may have blocks
 * (D8.3.1), and how many entries of each the contiguous bit makes one (D8.7.1). */
#if SHIFT == 12
#define LEVELS 4
#define BLOCK_LEVEL 2
static const unsigned int group_entries[LEVELS] = { 16, 16, 16, 1 };
#elif SHIFT == 14
#define LEVELS 4
#define BLOCK_LEVEL 1
static const unsigned int group_entries[LEVELS] = { 128, 32, 1, 1 };
#elif SHIFT == 16
#define LEVELS 3
#define BLOCK_LEVEL 1
static const unsigned int group_entries[LEVELS] = { 32, 32, 1 };
#else
#error "machine.c: HM_PORT_ARM64_PAGE_SHIFT must be 12, 14 or 16"
#endif
#define GRANULE (SHIFT / 2 - 5) /* TG of TLBIs by range, the upper half of TTL: 1, 2, 3 */
#define PAGE_NUMBER ((UINT64_C(1) << (56 - SHIFT)) - 1) /* as TLBIs know it: VA[55:SHIFT] */
#define UPPER_HALF UINT64_C(0xffff000000000000)
#define VALID UINT64_C(1)
#define TABLE UINT64_C(2) /* or page, at level 0 */
#define ADDRESS ((UINT64_C(1) << 48) - HM_MACHINE_PAGE_BYTES)
#define READONLY UINT64_C(0x80)
#define USER UINT64_C(0x40)
#define ACCESSED UINT64_C(0x400)
#define NOT_GLOBAL UINT64_C(0x800)
#define DIRTY_OR_WRITE (UINT64_C(1) << 51) /* DBM; PIIndex[1] */
#define CONTIGUOUS (UINT64_C(1) << 52)
#define PXN (UINT64_C(1) << 53)
#define UXN (UINT64_C(1) << 54)
#define SOFTWARE (UINT64_C(15) << 55)
#define NOT_DIRTY READONLY /* with permission indirection */
#define PIE (UINT64_C(1) << 1) /* of TCR2_EL1 */
#define POE (UINT64_C(1) << 3)
#define STREN (UINT64_C(1) << 9) /* of GCSCR_EL1 */
#define WRITE_BACK 0 /* AttrIndx of Normal write-back memory in the library's MAIR_EL1 */
/* What may not change from one valid leaf to another without break-before-make, beside the address and
 * the size: AttrIndx and SH (Arm ARM D8.17.1). */
#define MEMORY_TYPE UINT64_C(0x31c)

struct hm_machine *hm_machine;

/* ---- chance, and the record ---- */

unsigned int hm_machine_random(unsigned int n)
{
	uint64_t x = hm_machine->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	hm_machine->random = x;
	return n ? (unsigned int)((x * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % n : 0;
}

static void record(const char *what, uint64_t a, uint64_t b)
{
	struct hm_machine_event *event = &hm_machine->trace[hm_machine->events % HM_MACHINE_TRACE];

	event->what = what;
	event->time = hm_machine->now;
	event->a = a;
	event->b = b;
	event->cpu = (uint8_t)hm_machine->cpu;
	event->thread = (uint8_t)hm_machine->running;
	hm_machine->events++;
}

void hm_machine_violation(const char *format, ...)
{
	va_list arguments;

	if (hm_machine->violation[0])
		return;
	va_start(arguments, format);
	vsnprintf(hm_machine->violation, sizeof(hm_machine->violation), format, arguments);
	va_end(arguments);
}

void hm_machine_report(FILE *file)
{
	const struct hm_machine *m = hm_machine;
	unsigned int i = m->events > HM_MACHINE_TRACE ? m->events - HM_MACHINE_TRACE : 0;

	fprintf(file, "violation: %s\nseed %llu; the last events:\n", m->violation,
		(unsigned long long)m->config.seed);
	for (; i < m->events; i++) {
		const struct hm_machine_event *event = &m->trace[i % HM_MACHINE_TRACE];

		fprintf(file, "%8llu  CPU %u  thread %u  %-22s %#18llx %#18llx\n",
			(unsigned long long)event->time, event->cpu, event->thread, event->what,
			(unsigned long long)event->a, (unsigned long long)event->b);
	}
}

void hm_machine_bug(const char *message)
{
	record(message, 0, 0);
	hm_machine->bugs++;
}

/* ---- threads ---- */

static struct hm_machine_thread *running(void)
{
	return &hm_machine->threads[hm_machine->running];
}

static struct hm_machine_cpu *this_cpu(void)
{
	return &hm_machine->cpus[hm_machine->cpu];
}

/* Whose program order it is: a handler's is not that of what it interrupts. */
static uint8_t who(void)
{
	return (uint8_t)(hm_machine->running << 2 | running()->exceptions);
}

/* ---- system registers ---- */

/* Whether TLBs may hold what it said (Arm ARM D8.17: permitted to be cached). */
static bool is_cached_in_tlbs(unsigned int which)
{
	return which != HM_MACHINE_POR_EL1 && which != HM_MACHINE_GCSCR_EL1;
}

/* One of the steps after which only the value written last is in effect was done; in order, or it is void. */
static void advance(unsigned int cpu, unsigned int step)
{
	for (unsigned int which = 0; which < HM_MACHINE_REGISTERS; which++) {
		struct hm_machine_register_state *state = &hm_machine->cpus[cpu].registers[which];

		if (state->steps == step)
			state->steps++;
		if (state->steps == (is_cached_in_tlbs(which) ? 4u : 1u)) {
			state->possible[0] = state->value;
			state->possible_count = 1;
			state->steps = 0;
		}
	}
}

uint64_t hm_machine_register(enum hm_machine_register which)
{
	return hm_machine->cpus[hm_machine->cpu].registers[which].value;
}

/* What a reset leaves: nothing is known, but that neither indirection nor overlays are on; and of what is
 * unknown, what is of least use: keyed stores are off. */
static uint64_t value_after_reset(unsigned int which)
{
	const uint64_t unknown = UINT64_C(0x9999999977777777);

	if (which == HM_MACHINE_TCR2_EL1)
		return 0;
	return which == HM_MACHINE_GCSCR_EL1 ? unknown & ~STREN : unknown;
}

static void forget_registers(unsigned int cpu)
{
	for (unsigned int which = 0; which < HM_MACHINE_REGISTERS; which++) {
		struct hm_machine_register_state *state = &hm_machine->cpus[cpu].registers[which];

		state->value = value_after_reset(which);
		state->possible[0] = state->value;
		state->possible_count = 1;
		state->steps = 0;
	}
}

/* What a CPU concluded from the tables so far is dropped; and of its finished TLBIs, the last effects. */
static void synchronise(unsigned int cpu)
{
	advance(cpu, 0);
	advance(cpu, 3);
	hm_machine->cpus[cpu].synchronised = hm_machine->now;
}

/* Back to hm_machine_run(); returns when the thread is chosen again. */
static void pass(void)
{
	struct hm_machine_thread *self = running();

	if (hm_machine->scheduling)
		swapcontext(&self->context, &hm_machine->scheduler);
}

void hm_machine_pass(void)
{
	if (hm_machine->violation[0] || hm_machine_random(256) < hm_machine->config.interleave)
		pass();
}

void hm_machine_switch(void)
{
	struct hm_machine_thread *self = running();
	unsigned int cpu = hm_machine->cpu;

	if (!hm_machine->cpus[cpu].thread)
		return; /* setting up */
	hm_machine->cpus[cpu].thread = NULL;
	self->ready = true;
	pass();
	if (hm_machine->cpu == cpu)
		return;
	hm_machine->migrations++;
	self->arrived = hm_machine->now;
}

bool hm_machine_mask(bool masked)
{
	bool before = running()->masked;

	running()->masked = masked;
	return before;
}

unsigned int hm_machine_cpu_number(void)
{
	return hm_machine->cpu;
}

struct hm_context *hm_machine_context(void)
{
	struct hm_machine_cpu *cpu = &hm_machine->cpus[hm_machine->cpu];

	return cpu->thread ? &running()->hardmap : &cpu->early;
}

unsigned int hm_machine_thread_number(void)
{
	return hm_machine->running;
}

void hm_machine_point(void)
{
	const struct hm_machine_config *config = &hm_machine->config;
	struct hm_machine_thread *self = running();

	if (!hm_machine->cpus[hm_machine->cpu].thread)
		return; /* setting up */
	hm_machine_pass();
	if (!config->vector || self->masked || self->exceptions == 2 ||
	    (!this_cpu()->signalled && hm_machine_random(256) >= config->interrupt))
		return;
	self->exceptions++;
	hm_machine->interrupts++;
	hm_machine->now++;
	record("exception entry", self->exceptions, 0);
	synchronise(hm_machine->cpu);
	this_cpu()->signalled = false;
	config->vector();
	hm_machine->now++;
	record("exception return", self->exceptions, 0);
	synchronise(hm_machine->cpu);
	self->exceptions--;
}

/* Before each instruction. */
static void step(enum hm_insn_kind kind, const char *what, uint64_t a, uint64_t b)
{
	hm_machine_point();
	hm_machine->now++;
	if (kind < HM_INSN_KINDS)
		hm_machine->counts[kind]++;
	record(what, a, b);
}

static void enter_thread(void)
{
	struct hm_machine_thread *self = running();

	self->body(self->argument);
	hm_machine->cpus[hm_machine->cpu].thread = NULL;
	pass();
}

void hm_machine_thread(void (*body)(void *argument), void *argument)
{
	struct hm_machine_thread *thread = &hm_machine->threads[hm_machine->thread_count];

	if (hm_machine->thread_count == HM_MACHINE_THREADS) {
		hm_machine_violation("too many threads for the machine");
		return;
	}
	thread->number = hm_machine->thread_count++;
	thread->body = body;
	thread->argument = argument;
	thread->ready = true;
	getcontext(&thread->context);
	thread->context.uc_stack.ss_sp = thread->stack;
	thread->context.uc_stack.ss_size = sizeof(thread->stack);
	thread->context.uc_link = NULL;
	makecontext(&thread->context, enter_thread, 0);
}

/* A ready thread by chance, NULL if there is none. */
static struct hm_machine_thread *choose_ready(void)
{
	unsigned int first = hm_machine_random(hm_machine->thread_count), i;

	for (i = 0; i < hm_machine->thread_count; i++) {
		struct hm_machine_thread *thread =
			&hm_machine->threads[(first + i) % hm_machine->thread_count];

		if (thread->ready)
			return thread;
	}
	return NULL;
}

/* A CPU without a thread takes one. A thread starts as an exception returns: synchronised. */
static void give(unsigned int cpu, struct hm_machine_thread *thread)
{
	thread->ready = false;
	hm_machine->cpus[cpu].thread = thread;
	if (!thread->started)
		synchronise(cpu);
	thread->started = true;
}

void hm_machine_signal(unsigned int cpu)
{
	hm_machine->cpus[cpu].signalled = true;
}

bool hm_machine_is_signalled(unsigned int cpu)
{
	return hm_machine->cpus[cpu].signalled;
}

static void take_signals_of_idle_cpus(void)
{
	struct hm_machine *m = hm_machine;
	unsigned int i;

	for (i = 0; i < m->config.cpus; i++) {
		if (m->cpus[i].thread || !m->cpus[i].signalled)
			continue;
		m->now++;
		synchronise(i);
		m->cpus[i].signalled = false;
	}
}

void hm_machine_run(void)
{
	struct hm_machine *m = hm_machine;

	for (unsigned int i = 0; i < m->config.cpus && m->config.start; i++) {
		m->cpu = i;
		m->config.start();
	}
	for (unsigned int i = 0; i < m->config.cpus && i < m->thread_count; i++)
		give(i, &m->threads[i]);
	m->scheduling = true;

	for (;;) {
		struct hm_machine_cpu *cpu = NULL;
		unsigned int first = hm_machine_random(m->config.cpus), i;

		if (m->violation[0])
			break;
		take_signals_of_idle_cpus();
		for (i = 0; i < m->config.cpus && !cpu; i++) {
			unsigned int number = (first + i) % m->config.cpus;
			struct hm_machine_thread *ready = choose_ready();

			if (!m->cpus[number].thread && ready)
				give(number, ready);
			if (m->cpus[number].thread) {
				cpu = &m->cpus[number];
				m->cpu = number;
			}
		}
		if (!cpu)
			break;
		m->running = cpu->thread->number;
		swapcontext(&m->scheduler, &cpu->thread->context);
	}
	for (unsigned int i = 0; i < m->config.cpus; i++)
		m->cpus[i].thread = NULL;
	m->cpu = m->running = 0;
	m->scheduling = false;
}

void hm_machine_become(unsigned int thread)
{
	hm_machine->running = thread;
	hm_machine->cpus[hm_machine->cpu].thread = &hm_machine->threads[thread];
}

/* ---- table memory: what a walker may see ---- */

static uint32_t location(const uint64_t *address)
{
	uintptr_t offset = (uintptr_t)address - (uintptr_t)hm_machine->memory;

	return offset < sizeof(hm_machine->memory) ? (uint32_t)(offset / sizeof(uint64_t))
						   : UINT32_MAX;
}

static const struct hm_machine_version *newest(uint32_t where)
{
	uint32_t index = hm_machine->newest[where];

	return index ? &hm_machine->versions[index - 1] : NULL;
}

static uint64_t current(uint32_t where)
{
	const struct hm_machine_version *version = newest(where);

	return version ? version->value : 0;
}

/* Whether whoever sees b sees a too: what orders them, if they are of one CPU; or else a was complete. */
static bool ordered(const struct hm_machine_version *a, const struct hm_machine_version *b)
{
	if (a->cpu == b->cpu)
		return a->stored < (a->keyed ? b->keyed_before : b->plain_before);
	return a->completed < b->issued;
}

/* The version before, NULL: none, the entry was 0. */
static const struct hm_machine_version *before(const struct hm_machine_version *version)
{
	return version->older ? &hm_machine->versions[version->older - 1] : NULL;
}

/* Also of two times: an entry's values come in one order for all, so that what a walker may see until then
 * was replaced at the latest when any of the later ones was complete. */
static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Whether a TLB may hold it: not what faults for want of the access flag either (Arm ARM D8.17). */
static bool is_cached(uint64_t value, unsigned int level)
{
	return (value & VALID) && ((level && (value & TABLE)) || (value & ACCESSED));
}

static bool is_link(uint64_t value, unsigned int level)
{
	return level && (value & VALID) && (value & TABLE);
}

static bool is_leaf(uint64_t value, unsigned int level)
{
	return (value & VALID) && !is_link(value, level);
}

static bool is_contiguous(uint64_t value, unsigned int level)
{
	return is_leaf(value, level) && (value & CONTIGUOUS) && group_entries[level] > 1;
}

static uint64_t level_bytes(unsigned int level)
{
	return UINT64_C(1) << (SHIFT + (SHIFT - 3) * level);
}

/* Pages of memory from an address to the next that does not follow. */
static unsigned int bank_pages(void)
{
	return hm_machine->config.bank ? hm_machine->config.bank : HM_MACHINE_PAGES;
}

hm_pa_t hm_machine_page(unsigned int number)
{
	const hm_pa_t pa = { FIRST_ADDRESS + number / bank_pages() * level_bytes(BLOCK_LEVEL) +
			     (uint64_t)(number % bank_pages()) * HM_MACHINE_PAGE_BYTES };

	return pa;
}

unsigned int hm_machine_page_number(hm_pa_t pa)
{
	const uint64_t offset = pa.val - FIRST_ADDRESS, bank = offset / level_bytes(BLOCK_LEVEL);
	const uint64_t page = offset % level_bytes(BLOCK_LEVEL) / HM_MACHINE_PAGE_BYTES;

	return page < bank_pages() && bank < HM_MACHINE_PAGES / bank_pages()
		       ? (unsigned int)(bank * bank_pages() + page)
		       : HM_MACHINE_PAGES;
}

/* The page of memory that a link names; HM_MACHINE_PAGES: none. */
static unsigned int page_of(uint64_t value)
{
	const hm_pa_t pa = { value & ADDRESS };

	return hm_machine_page_number(pa);
}

/* Where the linear map has that page. */
static uint64_t linear_address(unsigned int number)
{
	return hm_machine->linear + (hm_machine_page(number).val - FIRST_ADDRESS);
}

static uint64_t group_bytes(unsigned int level)
{
	return group_entries[level] * level_bytes(level);
}

static unsigned int index_at(uint64_t va, unsigned int level)
{
	return (unsigned int)((va & ~UPPER_HALF) / level_bytes(level)) & (HM_MACHINE_ENTRIES - 1);
}

/* The first one of the group that an index, or an entry's place, is in. */
static uint32_t first_of_group(uint32_t index, unsigned int level)
{
	return index & ~(group_entries[level] - 1);
}

/* What a TLB holds of a leaf at most: all of its group if it is contiguous. */
static uint64_t held_bytes(uint64_t value, unsigned int level)
{
	return is_contiguous(value, level) ? group_bytes(level) : level_bytes(level);
}

/* What a leaf of that level, or its group, translates the address to. */
static uint64_t output_of(uint64_t value, unsigned int level, uint64_t va)
{
	const uint64_t offset = held_bytes(value, level) - 1;

	return (value & ADDRESS & ~offset) | (va & offset);
}

/* ---- TLBs: since when a CPU may have what it holds of an address ---- */

/* What is held of an address, and invalidated, in different ways: at each level a leaf by itself, one for
 * its group, and a link to a table, in a walk cache. */
#define SINGLE(level) (level)
#define GROUP(level) (LEVELS + (level))
#define LINK(level) (2 * LEVELS + (level))
#define KINDS (3 * LEVELS)
#define WALK (KINDS) /* what a walk that is done now ends at: nothing that is held */
#define BIT(kind) (1u << (kind))
#define LINKS (BIT(KINDS) - BIT(LINK(1)))
#define LEAVES (BIT(LINK(0)) - 1)

/* The kinds that may be there at all, in this run. */
static unsigned int kinds(void)
{
	return LINKS | (hm_machine->sizes ? LEAVES : BIT(SINGLE(0)));
}

/* Of a leaf of that kind. */
static uint64_t kind_bytes(unsigned int kind)
{
	return kind < LEVELS ? level_bytes(kind) : group_bytes(kind - LEVELS);
}

/* From the address on to the first page that it names. */
static uint64_t pages_to(const struct hm_machine_invalidation *each, uint64_t va)
{
	return (each->first_page - (va >> SHIFT)) & PAGE_NUMBER;
}

/* Which of the pages that it names the address is in; more than it has: none. */
static uint64_t page_in(const struct hm_machine_invalidation *each, uint64_t va)
{
	return ((va >> SHIFT) - each->first_page) & PAGE_NUMBER;
}

static bool covers(const struct hm_machine_invalidation *each, uint64_t va)
{
	return !each->pages || page_in(each, va) < each->pages;
}

/* Whether it names a page of the `bytes` around the address. It then takes a leaf of that size out of the
 * TLBs, all of it, however many entries that was cached as (Arm ARM D8.17). */
static bool touches(const struct hm_machine_invalidation *each, uint64_t va, uint64_t bytes)
{
	const uint64_t base = va & ~(bytes - 1);

	return covers(each, base) || bytes / HM_MACHINE_PAGE_BYTES - 1 >= pages_to(each, base);
}

/* Which of those kinds it takes. With a level hint: leaves of that level, and links above. */
static unsigned int taken(const struct hm_machine_invalidation *each, uint64_t va,
			  unsigned int asked)
{
	const bool covered = covers(each, va);
	unsigned int found = 0, left = asked & LEAVES;

	if (covered && each->tables)
		found = asked & (each->hint ? LINKS & ~(BIT(LINK(each->hint)) - 1) : LINKS);
	if (covered && !each->hint)
		return found | left;
	if (each->hint)
		left &= BIT(SINGLE(each->hint - 1)) | BIT(GROUP(each->hint - 1));
	else
		left &= ~BIT(SINGLE(0)); /* which is just the page */
	for (; left; left &= left - 1)
		if (touches(each, va, kind_bytes((unsigned int)__builtin_ctz(left))))
			found |= left & -left;
	return found;
}

/* Whose TLB is asked, and whether for what it executes right now; and when what was over counts: NEVER, at
 * any time, or before a store that was seen earlier than it was executed. */
struct observer {
	unsigned int cpu;
	bool pipeline;
	uint64_t by;
};

/* Whether it is over for that CPU; and, for what the CPU executes right now, for its pipeline: that of the
 * CPU which invalidates keeps what it had translated ahead until its next context synchronisation event. */
static bool is_over(const struct hm_machine_invalidation *each, const struct observer *observer)
{
	return each->completed < observer->by && (!each->local || each->cpu == observer->cpu) &&
	       (!observer->pipeline || each->cpu != observer->cpu ||
		each->completed < hm_machine->cpus[each->cpu].synchronised);
}

/*
 * Per kind that is asked about, the last invalidation that has taken what an entry of that kind says of the
 * address out of this CPU's TLB, of those issued up to `latest`; 0: none since the start.
 */
static void find_floors(uint64_t floors[KINDS], const struct observer *observer, uint64_t va,
			unsigned int asked, uint64_t latest)
{
	const struct hm_machine_invalidation *each;
	unsigned int found, i = hm_machine->invalidation_count;

	memset(floors, 0, KINDS * sizeof(floors[0]));
	for (; asked && i; i = asked & LEAVES ? i - 1 : each->older_tables) {
		each = &hm_machine->invalidations[i - 1];
		if (each->issued > latest || !is_over(each, observer))
			continue;
		found = taken(each, va, asked);
		asked &= ~found;
		for (; found; found &= found - 1)
			floors[__builtin_ctz(found)] = each->issued;
	}
}

static uint64_t floor_of(const struct observer *observer, uint64_t va, unsigned int kind)
{
	uint64_t floors[KINDS];

	find_floors(floors, observer, va, BIT(kind), HM_MACHINE_NEVER);
	return floors[kind];
}

/* Where, after first and up to last, what it names begins, and where it has ended: how many there are. */
static unsigned int limits_within(const struct hm_machine_invalidation *each, uint64_t first,
				  uint64_t last, uint64_t at[2])
{
	const uint64_t begin = UPPER_HALF | each->first_page << SHIFT;
	const uint64_t end = begin + each->pages * HM_MACHINE_PAGE_BYTES;
	unsigned int n = 0;

	if (each->pages && begin > first && begin <= last)
		at[n++] = begin;
	if (each->pages && end > first && end <= last)
		at[n++] = end;
	return n;
}

/* Whether it was over by then and takes all that came by a link of that level: the link, and whatever there
 * is below. */
static bool takes_all_below(const struct hm_machine_invalidation *each, unsigned int level,
			    uint64_t by)
{
	return each->completed < by && each->tables && !each->local &&
	       (!each->hint || (level == 1 && each->hint == 1));
}

/* Whether TLBIs of that kind that were issued after `since`, each of a part, cover all that an entry of the
 * level translates. */
static bool emptied(uint64_t since, uint64_t by, uint64_t va, unsigned int level)
{
	const uint64_t bytes = level_bytes(level);
	uint64_t done = 0;

	while (done < bytes) {
		uint64_t so_far = done;
		unsigned int i;

		for (i = hm_machine->invalidation_count; i-- && done < bytes;) {
			const struct hm_machine_invalidation *each = &hm_machine->invalidations[i];

			if (each->issued <= since)
				break;
			if (!takes_all_below(each, level, by) || !covers(each, va + done))
				continue;
			if (!each->pages)
				return true;
			/* To the end of what it covers. */
			done += (each->pages - page_in(each, va + done)) * HM_MACHINE_PAGE_BYTES;
		}
		if (done == so_far)
			return false;
	}
	return true;
}

/* ---- walks ---- */

/* An entry that is about to be made; value 0: none. */
struct making {
	uint64_t value;
	unsigned int level;
	uint64_t issued; /* a walker may see it from here on */
};

struct walk {
	struct observer observer;
	uint64_t va;
	unsigned int right; /* that is asked for */
	uint64_t floors[KINDS];
	uint64_t truth; /* the leaf that the tables have now; 0: none */
	unsigned int truth_level;
	unsigned int wanted; /* page that may not be reached; HM_MACHINE_PAGES: none */
	struct making made; /* beside which nothing that contradicts it may be held */
	/* What was found possible. */
	bool stale, denied, permitted, clash;
	bool reached, entered; /* the page that is wanted: as memory, as a table */
	unsigned int faults; /* bit n: a translation fault at level n */
	unsigned int sizes; /* SINGLE() and GROUP() kinds of leaves */
};

#define R 1u
#define X 2u
#define W 4u
#define K 8u /* to be written by keyed stores */
/* Base permissions by the encoding of PIR_EL1 (Arm ARM D8.4.3.1): with overlay below 8, without from there
 * on. Reserved ones give nothing; 9 is GCS. */
static const uint8_t base_permissions[16] = { 0,         R,         X,         R | X, 0,     R | W,
					      R | W | X, R | W | X, R,         R | K, R | X, 0,
					      R | W,     0,         R | W | X, 0 };

static unsigned int right_of(enum hm_access access)
{
	return access == HM_ACCESS_WRITE ? W : access == HM_ACCESS_EXECUTE ? X : R;
}

/* What EL1 may do with a leaf by those registers. */
static unsigned int indirect(uint64_t value, uint64_t pir, uint64_t pire0, bool overlays,
			     uint64_t por)
{
	unsigned int index = (value & UXN ? 8u : 0) | (value & PXN ? 4u : 0) |
			     (value & DIRTY_OR_WRITE ? 2u : 0) | (value & USER ? 1u : 0);
	unsigned int mine = pir >> 4 * index & 15, others = pire0 >> 4 * index & 15;
	unsigned int overlay = por >> 4 * (value >> 60 & 7) & 15;
	unsigned int have = base_permissions[mine];

	/* Privileged execution and unprivileged writing take everything from both. */
	if ((have & (X | K)) && (base_permissions[others] & (W | K)))
		return 0;
	if (mine < 8 && overlays)
		have &= overlay < 8 ? overlay : 0;
	/* Not both: the overlay decides for execution, without one it is writing that stays. */
	if (mine == 6 && (have & X))
		have &= overlays ? ~W : ~X;
	return value & NOT_DIRTY ? have & ~(W | K) : have;
}

struct verdict {
	bool permitted, denied; /* by some values of the registers that may be in effect */
};

/* Whether keyed stores may be off, wherever they write (Arm ARM D11). */
static bool may_lack_keyed_stores(unsigned int cpu)
{
	const struct hm_machine_register_state *gcscr =
		&hm_machine->cpus[cpu].registers[HM_MACHINE_GCSCR_EL1];
	unsigned int i;

	for (i = 0; i < gcscr->possible_count; i++)
		if (!(gcscr->possible[i] & STREN))
			return true;
	return false;
}

/* What EL1 of that CPU may find when it uses a leaf. */
static struct verdict judge(unsigned int cpu, uint64_t value, unsigned int right)
{
	const struct hm_machine_register_state *r = hm_machine->cpus[cpu].registers;
	const struct hm_machine_register_state *tcr2 = &r[HM_MACHINE_TCR2_EL1];
	const struct hm_machine_register_state *pir = &r[HM_MACHINE_PIR_EL1];
	const struct hm_machine_register_state *pire0 = &r[HM_MACHINE_PIRE0_EL1];
	const struct hm_machine_register_state *por = &r[HM_MACHINE_POR_EL1];
	const unsigned int direct = R | (value & READONLY ? 0 : W) | (value & PXN ? 0 : X);
	struct verdict verdict = { false, false };
	unsigned int i, j, k, l;

	if (!(value & VALID) || !(value & ACCESSED)) {
		verdict.denied = true;
		return verdict;
	}
	for (i = 0; i < tcr2->possible_count; i++) {
		if (!(tcr2->possible[i] & PIE)) {
			*(direct & right ? &verdict.permitted : &verdict.denied) = true;
			if (tcr2->possible[i] & POE)
				hm_machine_violation("overlays without indirection: no rule yet");
			continue;
		}
		for (j = 0; j < pir->possible_count; j++)
			for (k = 0; k < pire0->possible_count; k++)
				for (l = 0; l < por->possible_count; l++) {
					unsigned int have = indirect(
						value, pir->possible[j], pire0->possible[k],
						tcr2->possible[i] & POE, por->possible[l]);

					*(have & right ? &verdict.permitted
						       : &verdict.denied) = true;
				}
	}
	return verdict;
}

/* Whether the CPUs have FEAT_S1PIE. */
static bool has_indirection(void)
{
	const unsigned int style = hm_machine->config.key_style;

	return style == HM_KEY_STYLE_WINDOW || style == HM_KEY_STYLE_STORE;
}

/* Whether EL1 may write and execute by a leaf, at whatever key register, by the others as this CPU has them.
 * Where it is to have indirection, and has not, nothing is known yet. */
static bool is_writable_code(uint64_t value)
{
	const struct hm_machine_register_state *r = this_cpu()->registers;
	const uint64_t everything = UINT64_C(0x7777777777777777);
	unsigned int have;

	if (!(value & ACCESSED))
		return false;
	if (!(r[HM_MACHINE_TCR2_EL1].value & PIE))
		return !has_indirection() && !(value & (READONLY | PXN));
	have = indirect(value, r[HM_MACHINE_PIR_EL1].value, r[HM_MACHINE_PIRE0_EL1].value,
			r[HM_MACHINE_TCR2_EL1].value & POE, everything);
	return (have & X) && (have & (W | K));
}

/*
 * In which bits the entries of a table, and of those that it leads to, differ from what a block says of the
 * same memory, beside how it is cut into pieces: 0 if they say just that. Invalid ones differ in VALID.
 */
static uint64_t differences(unsigned int page, unsigned int level, uint64_t block)
{
	uint64_t found = 0;
	unsigned int i;

	if (page >= HM_MACHINE_PAGES)
		return UINT64_MAX;
	for (i = 0; i < HM_MACHINE_ENTRIES; i++) {
		uint64_t value = current(page * HM_MACHINE_ENTRIES + i);
		uint64_t piece = block + i * level_bytes(level);

		if (is_link(value, level))
			found |= differences(page_of(value), level - 1, piece);
		else /* pages have the bit that blocks have not */
			found |= (value ^ piece) & ~(CONTIGUOUS | (level ? 0 : TABLE));
	}
	return found;
}

/* Whether a TLB may hold, for the address, one beside the other: of the same memory, and where sizes may
 * differ (Arm ARM D8.17.2). For a link, what is held has to be what its table says. What is smaller than the
 * link's span came by an older link, for which there is another rule. */
static bool fits(uint64_t held, unsigned int level, const struct making *made, uint64_t va)
{
	const unsigned int bbm_level = hm_machine->config.bbm_level;

	if (is_link(made->value, made->level))
		return level < made->level ||
		       (bbm_level >= 2 &&
			!differences(page_of(made->value), made->level - 1,
				     (held & ~ADDRESS) | output_of(held, level, va)));
	if (output_of(held, level, va) != output_of(made->value, made->level, va) ||
	    ((held ^ made->value) & MEMORY_TYPE) ||
	    ((held & NOT_GLOBAL) && !(made->value & NOT_GLOBAL)))
		return false;
	if (level != made->level)
		return bbm_level >= 2;
	return bbm_level >= 1 || !((held ^ made->value) & CONTIGUOUS);
}

/* A leaf that may be held, seen up to then. */
static void see_leaf(struct walk *walk, uint64_t value, unsigned int level, uint64_t until)
{
	const uint64_t output = output_of(value, level, walk->va);
	struct verdict verdict;

	if (walk->made.value) {
		walk->clash |= !fits(value, level, &walk->made, walk->va);
		return;
	}
	if (output / HM_MACHINE_PAGE_BYTES ==
	    hm_machine_page(walk->wanted).val / HM_MACHINE_PAGE_BYTES)
		walk->reached = true;
	verdict = judge(walk->observer.cpu, value, walk->right);
	walk->permitted |= verdict.permitted;
	walk->denied |= verdict.denied;
	walk->sizes |= is_contiguous(value, level) && until >= walk->floors[GROUP(level)]
			       ? BIT(GROUP(level))
			       : BIT(SINGLE(level));
	if (walk->truth && (output != output_of(walk->truth, walk->truth_level, walk->va) ||
			    ((value ^ walk->truth) & MEMORY_TYPE)))
		walk->stale = true;
}

/* The links that a walk came by, the last one first. */
struct path {
	const struct hm_machine_version *link;
	const struct path *before;
};

static bool ordered_before_path(const struct hm_machine_version *version, const struct path *path)
{
	for (; path; path = path->before)
		if (ordered(version, path->link))
			return true;
	return false;
}

/* Whether a contiguous entry ever was in the group. */
static bool had_contiguous(unsigned int page, unsigned int index, unsigned int level)
{
	const unsigned int first = first_of_group(index, level);
	unsigned int i;

	for (i = first; i < first + group_entries[level]; i += HM_MACHINE_SMALLEST_GROUP)
		if (hm_machine->contiguous[page][i / HM_MACHINE_SMALLEST_GROUP])
			return true;
	return false;
}

/* What the others of the group may have put into a TLB for all of it. */
static void see_group(struct walk *walk, unsigned int level, unsigned int page,
		      const struct path *path, uint64_t after)
{
	const unsigned int own = index_at(walk->va, level), first = first_of_group(own, level);
	unsigned int i;

	for (i = first; i < first + group_entries[level]; i++) {
		const struct hm_machine_version *newer = NULL, *version;
		uint64_t until = HM_MACHINE_NEVER;

		version = i == own ? NULL : newest(page * HM_MACHINE_ENTRIES + i);
		for (; version; until = least(until, version->completed), newer = version,
				version = before(version)) {
			if (newer && ordered_before_path(newer, path))
				break;
			if (is_contiguous(version->value, level) &&
			    is_cached(version->value, level) &&
			    until >= walk->floors[GROUP(level)] && until >= after)
				see_leaf(walk, version->value, level, until);
		}
	}
}

/*
 * In which of those ways, each a kind of leaf that is held, or a walk that is done now, the walk may go on by
 * a link that was seen up to then. For what is held the walk caches count as they were when it was read,
 * before the last invalidation of that kind: one with a level hint may have taken links since, and left it.
 */
static unsigned int by_link(const struct walk *walk, unsigned int level, uint64_t until,
			    unsigned int ends)
{
	const uint64_t floor = walk->floors[LINK(level)];
	unsigned int left = ends, kept = 0;

	if (until >= floor)
		return ends;
	for (left &= ~BIT(WALK); left; left &= left - 1) {
		const unsigned int end = (unsigned int)__builtin_ctz(left);
		uint64_t then[KINDS];

		if (walk->floors[end] >= floor)
			continue;
		find_floors(then, &walk->observer, walk->va, BIT(LINK(level)), walk->floors[end]);
		if (until >= then[LINK(level)])
			kept |= BIT(end);
	}
	return kept;
}

/*
 * Every value of the entry that a walk for walk->va may have read, given that it came by that path,
 * whose last link it read at `after` at the earliest, and that it ends in one of those ways.
 */
static void explore(struct walk *walk, unsigned int level, unsigned int page,
		    const struct path *path, uint64_t after, unsigned int ends)
{
	const uint64_t synchronised = hm_machine->cpus[walk->observer.cpu].synchronised;
	const struct hm_machine_version *version, *newer = NULL;
	static const struct hm_machine_version initial = { .completed = 0 };
	const unsigned int index = index_at(walk->va, level);
	uint64_t until = HM_MACHINE_NEVER;

	if (page >= HM_MACHINE_PAGES) {
		hm_machine_violation("a walk leaves memory");
		return;
	}
	if (page == walk->wanted && (ends & BIT(WALK)))
		walk->entered = true;
	if ((ends & BIT(GROUP(level))) && had_contiguous(page, index, level))
		see_group(walk, level, page, path, after);
	for (version = newest(page * HM_MACHINE_ENTRIES + index);; version = before(version)) {
		if (newer && ordered_before_path(newer, path))
			break;
		if (!version)
			version = &initial;
		if (!is_cached(version->value, level)) {
			/* Not cached in a TLB: only what the pipeline holds since it was emptied. */
			if ((ends & BIT(WALK)) && until >= synchronised && until >= after)
				walk->faults |= 1u << level;
		} else if (is_link(version->value, level)) {
			const struct path longer = { version, path };
			const unsigned int left = by_link(walk, level, until, ends);

			if (left && until >= after)
				explore(walk, level - 1, page_of(version->value), &longer,
					version->issued > after ? version->issued : after, left);
		} else if ((ends & BIT(SINGLE(level))) && until >= walk->floors[SINGLE(level)] &&
			   until >= after) {
			see_leaf(walk, version->value, level, until);
		}
		if (version == &initial)
			break;
		until = least(until, version->completed);
		newer = version;
	}
}

static unsigned int root_page(void)
{
	return location(&hm_machine->root->val) / HM_MACHINE_ENTRIES;
}

/* The leaf that the tables have now for the address, its level, 0 if there is none. */
static uint64_t truth_of(uint64_t va, unsigned int *level)
{
	unsigned int page = root_page();
	uint64_t value;

	for (*level = LEVELS - 1;; (*level)--) {
		value = current(page * HM_MACHINE_ENTRIES + index_at(va, *level));
		if (hm_machine->memory[page][index_at(va, *level)].val != value)
			hm_machine_violation("a store to table %u that is none of the machine's: "
					     "no walker sees it",
					     page);
		if (!(value & VALID))
			return 0;
		if (!is_link(value, *level))
			return value;
		page = page_of(value);
		if (page >= HM_MACHINE_PAGES)
			return 0;
	}
}

/* All walks that the CPU may have done and hold the end of, or do now. */
static void do_walk(struct walk *walk)
{
	const unsigned int known = kinds();

	find_floors(walk->floors, &walk->observer, walk->va, known, HM_MACHINE_NEVER);
	explore(walk, LEVELS - 1, root_page(), NULL, 0, (known & LEAVES) | BIT(WALK));
}

static struct walk walk_all(unsigned int cpu, hm_va_t va, unsigned int right, bool pipeline,
			    unsigned int wanted)
{
	struct walk walk = { .observer = { cpu, pipeline, HM_MACHINE_NEVER },
			     .va = va.val,
			     .right = right,
			     .wanted = wanted };

	if (!hm_machine->root || va.val >> 48 != 0xffff) {
		hm_machine_violation("no tables for %#llx: no root, or not in the upper half",
				     (unsigned long long)va.val);
		return walk;
	}
	walk.truth = truth_of(va.val, &walk.truth_level);
	do_walk(&walk);
	return walk;
}

/* Whether the CPU may find entries of two sizes for the address, where it may abort for that. */
static bool check_conflict(const struct walk *walk)
{
	if (hm_machine->config.bbm_level >= 3 || !(walk->sizes & (walk->sizes - 1)))
		return false;
	hm_machine_violation("TLB conflict at %#llx: entries of two sizes before BBM level 3",
			     (unsigned long long)walk->va);
	return true;
}

/* Relies on the translation; whether it permits that. */
static bool rely_on(struct walk *walk, hm_va_t va, enum hm_access access)
{
	struct verdict truth;
	bool allowed;

	hm_machine->accesses++;
	*walk = walk_all(hm_machine->cpu, va, right_of(access), true, HM_MACHINE_PAGES);
	truth = judge(hm_machine->cpu, walk->truth, right_of(access));
	allowed = truth.permitted;
	if (truth.permitted && truth.denied)
		hm_machine_violation(
			"the access to %#llx may come before a register write that is not "
			"synchronised",
			(unsigned long long)va.val);
	else if (check_conflict(walk))
		return allowed;
	else if (allowed && walk->faults)
		hm_machine_violation(
			"spurious fault at %#llx: its entry may not have been seen yet",
			(unsigned long long)va.val);
	else if (allowed && (walk->stale || walk->denied))
		hm_machine_violation("stale translation of %#llx after an owed TLBI",
				     (unsigned long long)va.val);
	else if (!allowed && walk->permitted)
		hm_machine_violation(
			"%#llx is still accessible: stale translation after an owed TLBI",
			(unsigned long long)va.val);
	return allowed;
}

enum hm_machine_outcome hm_machine_access(hm_va_t va, enum hm_access access)
{
	struct walk walk;

	step(HM_INSN_KINDS, "access", va.val, access);
	return rely_on(&walk, va, access) ? HM_MACHINE_DONE : HM_MACHINE_FAULT;
}

void hm_machine_fault(void)
{
	hm_machine->now++;
	record("fault", 0, 0);
	synchronise(hm_machine->cpu);
}

void hm_machine_fault_return(void)
{
	hm_machine->now++;
	record("return from the fault", 0, 0);
	synchronise(hm_machine->cpu);
}

/* Takes what comes; whether it is a fault. */
static bool try_to(struct walk *walk, hm_va_t va, enum hm_access access)
{
	bool fault;

	hm_machine->accesses++;
	*walk = walk_all(hm_machine->cpu, va, right_of(access), true, HM_MACHINE_PAGES);
	fault = walk->faults || walk->denied;
	if (fault && walk->permitted)
		fault = hm_machine_random(2);
	if (fault)
		hm_machine_fault();
	return fault;
}

enum hm_machine_outcome hm_machine_try(hm_va_t va, enum hm_access access)
{
	struct walk walk;

	step(HM_INSN_KINDS, "access, may fault", va.val, access);
	return try_to(&walk, va, access) ? HM_MACHINE_FAULT : HM_MACHINE_DONE;
}

bool hm_machine_may_fault(hm_va_t va, enum hm_access access)
{
	struct walk walk = walk_all(hm_machine->cpu, va, right_of(access), true, HM_MACHINE_PAGES);

	return walk.faults || walk.denied;
}

bool hm_machine_may_fault_at(hm_va_t va, unsigned int level)
{
	struct walk walk = walk_all(hm_machine->cpu, va, R, true, HM_MACHINE_PAGES);

	return walk.faults >> level & 1;
}

bool hm_machine_may_succeed(hm_va_t va, enum hm_access access)
{
	return walk_all(hm_machine->cpu, va, right_of(access), true, HM_MACHINE_PAGES).permitted;
}

bool hm_machine_may_reach(unsigned int cpu, hm_va_t va, unsigned int number)
{
	const struct walk walk = walk_all(cpu, va, R, false, number);

	return walk.reached || walk.entered;
}

/* ---- fetches: what a CPU may execute ---- */

static uint64_t line_bytes(unsigned int configured)
{
	return configured ? configured : 64;
}

static unsigned int log2_of(uint64_t value)
{
	return (unsigned int)__builtin_ctzll(value);
}

/* Instruction caches are VIPT. */
uint64_t hm_machine_ctr(void)
{
	const struct hm_machine_config *config = &hm_machine->config;

	return UINT64_C(1) << 31 | (uint64_t)config->dic << 29 | (uint64_t)config->idc << 28 |
	       (uint64_t)(log2_of(line_bytes(config->data_line)) - 2) << 16 | 2u << 14 |
	       (log2_of(line_bytes(config->fetch_line)) - 2);
}

/*
 * Since when this CPU may have fetched what it executes at an address: the last IC there that was over before
 * its last context synchronisation event, or that event itself.
 */
static uint64_t fetched_since(uint64_t va)
{
	const uint64_t synchronised = this_cpu()->synchronised;
	unsigned int i;

	if (hm_machine->config.dic)
		return synchronised;
	for (i = hm_machine->fetch_invalidation_count; i--;) {
		const struct hm_machine_fetch_invalidation *each =
			&hm_machine->fetch_invalidations[i];

		if (each->completed < synchronised &&
		    (!each->bytes || va - each->first < each->bytes))
			return each->issued;
	}
	return 0;
}

/* Instructions that it may be, each once; the one that was stored last is the first. */
struct fetched {
	uint32_t instruction[HM_MACHINE_FETCHED];
	unsigned int count;
};

static void add_fetched(struct fetched *fetched, uint64_t word, unsigned int half)
{
	const uint32_t instruction = (uint32_t)(word >> 32 * half);
	unsigned int i;

	for (i = 0; i < fetched->count; i++)
		if (fetched->instruction[i] == instruction)
			return;
	if (fetched->count < HM_MACHINE_FETCHED)
		fetched->instruction[fetched->count++] = instruction;
}

static void report_writable_code(uint64_t va)
{
	hm_machine_violation("%#llx is writable and executable", (unsigned long long)va);
}

/* What this CPU may execute at an address, by the leaf that the walk has found. */
static struct fetched fetch(const struct walk *walk)
{
	const uint64_t va = walk->va, output = output_of(walk->truth, walk->truth_level, va);
	const hm_pa_t pa = { output };
	const unsigned int page = hm_machine_page_number(pa), half = output >> 2 & 1;
	const uint32_t where = page * HM_MACHINE_ENTRIES +
			       (uint32_t)(output % HM_MACHINE_PAGE_BYTES / 8);
	const uint64_t since = fetched_since(va);
	const struct hm_machine_version *version;
	uint64_t until = HM_MACHINE_NEVER;
	struct fetched fetched = { .count = 0 };

	if (page >= HM_MACHINE_PAGES) {
		hm_machine_violation("the code at %#llx is not memory", (unsigned long long)va);
		return fetched;
	}
	if (is_writable_code(walk->truth))
		report_writable_code(va);
	if (hm_machine->memory[page][where % HM_MACHINE_ENTRIES].val != current(where))
		hm_machine_violation("a store to code in page %u that is none of the machine's",
				     page);
	for (version = newest(where); version && until >= since; version = before(version)) {
		if (!(version->halves >> half & 1))
			continue;
		add_fetched(&fetched, version->value, half);
		until = least(until, version->cleaned);
		if (hm_machine->config.idc)
			until = least(until, version->completed);
	}
	if (until >= since)
		add_fetched(&fetched, 0, half);
	return fetched;
}

enum hm_machine_outcome hm_machine_fetch_now(hm_va_t va, uint32_t expected)
{
	struct fetched fetched;
	struct walk walk;

	record("fetch", va.val, expected);
	if (!rely_on(&walk, va, HM_ACCESS_EXECUTE))
		return HM_MACHINE_FAULT;
	fetched = fetch(&walk);
	if (fetched.count && fetched.instruction[0] != expected)
		hm_machine_violation("the instruction at %#llx is %#x and not %#x",
				     (unsigned long long)va.val, fetched.instruction[0], expected);
	else if (fetched.count > 1)
		hm_machine_violation("execution of unsynchronised code at %#llx: it may be %#x",
				     (unsigned long long)va.val, fetched.instruction[1]);
	return HM_MACHINE_DONE;
}

enum hm_machine_outcome hm_machine_fetch(hm_va_t va, uint32_t expected)
{
	step(HM_INSN_KINDS, "instruction", va.val, expected);
	return hm_machine_fetch_now(va, expected);
}

/* Whether it may be replaced, or may replace another such, while it is executed: B, BL, BRK, HVC, ISB, NOP,
 * SMC, SVC (Arm ARM B2.2.5). */
static bool is_replaceable(uint32_t instruction)
{
	const uint32_t exception = instruction & UINT32_C(0xffe0001f);

	return (instruction & UINT32_C(0x7c000000)) == UINT32_C(0x14000000) ||
	       (exception >= UINT32_C(0xd4000001) && exception <= UINT32_C(0xd4000003)) ||
	       exception == UINT32_C(0xd4200000) || instruction == UINT32_C(0xd503201f) ||
	       (instruction & UINT32_C(0xfffff0ff)) == UINT32_C(0xd50330df);
}

enum hm_machine_outcome hm_machine_fetch_try(hm_va_t va, uint32_t *instruction)
{
	struct fetched fetched;
	struct walk walk;
	unsigned int i;

	step(HM_INSN_KINDS, "fetch of what comes", va.val, 0);
	if (try_to(&walk, va, HM_ACCESS_EXECUTE))
		return HM_MACHINE_FAULT;
	fetched = fetch(&walk);
	for (i = 0; fetched.count > 1 && i < fetched.count; i++)
		if (!is_replaceable(fetched.instruction[i]))
			hm_machine_violation("%#x at %#llx is no instruction to replace while it "
					     "is executed",
					     fetched.instruction[i], (unsigned long long)va.val);
	*instruction = fetched.instruction[hm_machine_random(fetched.count)];
	return HM_MACHINE_DONE;
}

bool hm_machine_may_fetch(hm_va_t va, uint32_t instruction)
{
	const struct walk walk = walk_all(hm_machine->cpu, va, X, true, HM_MACHINE_PAGES);
	struct fetched fetched;
	unsigned int i;

	if (!walk.permitted || !walk.truth)
		return false;
	fetched = fetch(&walk);
	for (i = 0; i < fetched.count; i++)
		if (fetched.instruction[i] == instruction)
			return true;
	return false;
}

/* Cache maintenance by address needs a translation, and EL1 no permission. */
static void check_maintained(const char *what, uint64_t address)
{
	const hm_va_t va = { address };
	const struct walk walk = walk_all(hm_machine->cpu, va, R, true, HM_MACHINE_PAGES);

	if (walk.faults || !walk.truth)
		hm_machine_violation("%s of %#llx may fault: there may be no translation", what,
				     (unsigned long long)address);
	else if (walk.stale)
		hm_machine_violation("stale translation of %#llx after an owed TLBI",
				     (unsigned long long)address);
}

/* Whether a DC of this CPU finds it: a store of its own, if that is ordered before it (Arm ARM D7.5, D11.9);
 * another's, if it is complete. */
static bool is_found(const struct hm_machine_version *version)
{
	if (version->cpu != hm_machine->cpu)
		return version->completed != HM_MACHINE_NEVER;
	return !version->keyed || version->stored < this_cpu()->drained;
}

void hm_machine_clean(const void *address)
{
	const uint32_t words = (uint32_t)line_bytes(hm_machine->config.data_line) / 8;
	uint32_t where = location(address), i, index;
	struct hm_machine_cpu *cpu;

	step(HM_INSN_DC_CVAU, "DC CVAU", where, 0);
	if (where == UINT32_MAX) {
		hm_machine_violation("DC CVAU outside of the machine's memory");
		return;
	}
	if (hm_machine->linear)
		check_maintained("DC CVAU", linear_address(where / HM_MACHINE_ENTRIES));
	where &= ~(words - 1);
	cpu = this_cpu();
	if (!(hm_machine->cleaning[where] >> hm_machine->cpu & 1)) {
		if (cpu->clean_count == HM_MACHINE_CLEANS) {
			hm_machine_violation("the run is too long for the machine: too many lines "
					     "cleaned without a DSB");
			return;
		}
		cpu->cleans[cpu->clean_count++] = where;
	}
	hm_machine->cleaning[where] |= (uint8_t)(1u << hm_machine->cpu);
	hm_machine->used[where / HM_MACHINE_ENTRIES] = true;
	for (i = where; i < where + words; i++)
		for (index = hm_machine->newest[i]; index;) {
			struct hm_machine_version *version = &hm_machine->versions[index - 1];

			if (version->cleaned != HM_MACHINE_NEVER)
				break;
			if (is_found(version))
				version->cleaning |= (uint8_t)(1u << hm_machine->cpu);
			index = version->older;
		}
}

/* That CPU's DCs are over: from memory on, nobody finds older contents. */
static void complete_cleans(unsigned int number)
{
	struct hm_machine_cpu *cpu = &hm_machine->cpus[number];
	const uint32_t words = (uint32_t)line_bytes(hm_machine->config.data_line) / 8;
	uint32_t i, index;

	for (; cpu->clean_count; cpu->clean_count--) {
		const uint32_t where = cpu->cleans[cpu->clean_count - 1];

		hm_machine->cleaning[where] &= (uint8_t) ~(1u << number);
		for (i = where; i < where + words; i++)
			for (index = hm_machine->newest[i]; index;) {
				struct hm_machine_version *version =
					&hm_machine->versions[index - 1];

				if (version->cleaned != HM_MACHINE_NEVER)
					break;
				if (version->cleaning >> number & 1)
					version->cleaned = hm_machine->now;
				index = version->older;
			}
	}
}

static void invalidate_fetches(uint64_t first, uint64_t bytes)
{
	struct hm_machine *m = hm_machine;
	struct hm_machine_cpu *cpu = this_cpu();
	struct hm_machine_fetch_invalidation *last =
		cpu->fetch_last ? &m->fetch_invalidations[cpu->fetch_last - 1] : NULL;

	if (last && bytes && last->bytes && last->first + last->bytes == first) {
		last->bytes += bytes;
		return;
	}
	if (m->fetch_invalidation_count == HM_MACHINE_FETCH_INVALIDATIONS) {
		hm_machine_violation("the run is too long for the machine: too many ICs");
		return;
	}
	m->fetch_invalidations[m->fetch_invalidation_count++] =
		(struct hm_machine_fetch_invalidation){ m->now, HM_MACHINE_NEVER, first, bytes,
							(uint8_t)m->cpu };
	cpu->fetch_last = m->fetch_invalidation_count;
}

void hm_machine_fetch_invalidate(uint64_t va)
{
	const uint64_t bytes = line_bytes(hm_machine->config.fetch_line);

	step(HM_INSN_IC_IVAU, "IC IVAU", va, 0);
	check_maintained("IC IVAU", va);
	invalidate_fetches(va & ~(bytes - 1), bytes);
}

void hm_machine_fetch_invalidate_all(void)
{
	step(HM_INSN_IC_IALLUIS, "IC IALLUIS", 0, 0);
	invalidate_fetches(0, 0);
}

static void complete_fetch_invalidations(struct hm_machine_cpu *cpu)
{
	struct hm_machine *m = hm_machine;
	unsigned int i;

	for (i = cpu->fetch_invalidating; i < m->fetch_invalidation_count; i++) {
		struct hm_machine_fetch_invalidation *each = &m->fetch_invalidations[i];

		if (each->cpu == m->cpu && each->completed == HM_MACHINE_NEVER)
			each->completed = m->now;
	}
	cpu->fetch_invalidating = m->fetch_invalidation_count;
	cpu->fetch_last = 0;
}

/* ---- release ---- */

/* A page that nobody may reach by the addresses from first to last; as a table only, or as memory too. */
struct release {
	unsigned int number;
	uint64_t first, last;
	bool table_only;
};

static void check_release_at(const struct release *release, uint64_t va)
{
	const char *what = hm_machine->table_level[release->number] ? "table" : "page";
	unsigned int cpu;

	for (cpu = 0; cpu < hm_machine->config.cpus; cpu++) {
		const hm_va_t at = { va };
		const struct walk walk = walk_all(cpu, at, R, false, release->number);

		if (walk.entered || (walk.reached && !release->table_only))
			hm_machine_violation("%s %u is freed while CPU %u may hold a translation "
					     "by it of %#llx",
					     what, release->number, cpu, (unsigned long long)va);
	}
}

/* The page as a table, by a link that translates from first to last and was seen up to `since`. Whether a
 * walk cache has it differs only from one of the invalidations after that to the next. */
static void check_release_by_link(const struct release *release, uint64_t first, uint64_t last,
				  uint64_t since)
{
	unsigned int i;

	check_release_at(release, first);
	for (i = hm_machine->invalidation_count; i--;) {
		const struct hm_machine_invalidation *each = &hm_machine->invalidations[i];
		uint64_t at[2];
		unsigned int n;

		if (each->issued <= since)
			break;
		for (n = limits_within(each, first, last, at); n--;)
			check_release_at(release, at[n]);
	}
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void check_release_in(const struct release *release, unsigned int level, unsigned int page,
			     uint64_t base, uint64_t since);

/* Whatever the entry led to, ever: where that may be the page, it is looked at as the CPUs may do. */
static void check_release_entry(const struct release *release, unsigned int level, uint32_t where,
				uint64_t va, uint64_t since)
{
	const uint64_t memory = hm_machine_page(release->number).val;
	const struct hm_machine_version *version = newest(where);
	uint64_t looked_at = 0, tables = 0; /* an address; a bit for each page */

	for (; version; since = least(since, version->completed), version = before(version)) {
		const uint64_t value = version->value;
		const uint64_t bytes = held_bytes(value, level);
		const uint64_t at = (va & ~(bytes - 1)) + (memory - output_of(value, level, 0));
		const unsigned int next = page_of(value);

		if (is_leaf(value, level)) {
			if (!release->table_only && memory - output_of(value, level, 0) < bytes &&
			    at >= release->first && at <= release->last && at != looked_at)
				check_release_at(release, looked_at = at);
		} else if (is_link(value, level) && next < HM_MACHINE_PAGES &&
			   !(tables >> next & 1)) {
			tables |= UINT64_C(1) << next;
			if (next == release->number)
				check_release_by_link(
					release, most(va, release->first),
					least(va + level_bytes(level) - 1, release->last), since);
			check_release_in(release, level - 1, next, va, since);
		}
	}
}

static void check_release_in(const struct release *release, unsigned int level, unsigned int page,
			     uint64_t base, uint64_t since)
{
	const uint64_t bytes = level_bytes(level);
	unsigned int i = release->first > base ? (unsigned int)((release->first - base) / bytes)
					       : 0;

	for (; i < HM_MACHINE_ENTRIES && base + i * bytes <= release->last; i++)
		check_release_entry(release, level, page * HM_MACHINE_ENTRIES + i, base + i * bytes,
				    since);
}

static void check_release(const struct release *release)
{
	if (hm_machine->root && root_page() == release->number)
		check_release_at(release, release->first);
	else if (hm_machine->root)
		check_release_in(release, LEVELS - 1, root_page(), UPPER_HALF, HM_MACHINE_NEVER);
	hm_machine->table_level[release->number] = 0;
}

void hm_machine_release(unsigned int number, hm_va_t va, uint64_t bytes)
{
	const uint64_t first = va.val & ~(uint64_t)(HM_MACHINE_PAGE_BYTES - 1);
	const struct release release = { number, first, va.val + bytes - 1, false };

	step(HM_INSN_KINDS, "release", number, va.val);
	check_release(&release);
}

void hm_machine_release_table(unsigned int number)
{
	struct release release = { .number = number, .table_only = true };
	unsigned int level;

	step(HM_INSN_KINDS, "release of a table", number, 0);
	level = hm_machine->table_level[number];
	if (!level) {
		hm_machine_violation("page %u is released as a table, which it is not", number);
		return;
	}
	release.first = hm_machine->table_base[number];
	release.last = level == LEVELS ? UINT64_MAX : release.first + level_bytes(level) - 1;
	check_release(&release);
}

/* ---- stores ---- */

/* A leaf that is live, or becomes so, has a size that its level has, and is not writable and executable. */
static void check_shape(uint64_t value, unsigned int level, uint64_t va)
{
	if (!is_leaf(value, level))
		return;
	if (is_writable_code(value))
		report_writable_code(va);
	if (level ? level > BLOCK_LEVEL : !(value & TABLE))
		hm_machine_violation("a block at %#llx that no level has", (unsigned long long)va);
	else if (value & ADDRESS & (level_bytes(level) - 1))
		hm_machine_violation("a block at %#llx whose address is not aligned",
				     (unsigned long long)va);
	else if (is_contiguous(value, level) && ((value ^ va) & ADDRESS & (group_bytes(level) - 1)))
		hm_machine_violation("a contiguous entry at %#llx whose address is not aligned",
				     (unsigned long long)va);
}

/* Whether two valid entries, at those places of one group, are of one mapping: if one is contiguous, the
 * other has to be (Arm ARM D8.7.2). Software bits are none of hardware's business. */
static bool is_consistent(uint64_t a, uint32_t where_a, uint64_t b, uint32_t where_b,
			  unsigned int level)
{
	const uint64_t first_a = a -
				 (where_a - first_of_group(where_a, level)) * level_bytes(level);
	const uint64_t first_b = b -
				 (where_b - first_of_group(where_b, level)) * level_bytes(level);

	return !((first_a ^ first_b) & ~(CONTIGUOUS | SOFTWARE));
}

static void report_group(uint64_t va)
{
	hm_machine_violation(
		"contiguous group at %#llx: entries differ while a walker may see the bit",
		(unsigned long long)va);
}

/* Whether a walker may see, together with an entry of the group that is stored now, a valid value of that one
 * which is not consistent with it, where one of the two is contiguous. */
static bool contradicts(uint32_t sibling, uint32_t where, unsigned int level,
			const struct hm_machine_version *stored)
{
	const bool contiguous = sibling != where && is_contiguous(stored->value, level);
	const struct hm_machine_version *version = newest(sibling);

	for (; version; version = ordered(version, stored) ? NULL : before(version))
		if ((version->value & VALID) &&
		    (contiguous || is_contiguous(version->value, level)) &&
		    !is_consistent(version->value, sibling, stored->value, where, level))
			return true;
	return false;
}

/* A valid entry is stored in a group. Invalid ones are not looked at: a group is made, and removed, one entry
 * after another. */
static void check_group(uint32_t where, unsigned int level, uint64_t va,
			const struct hm_machine_version *stored)
{
	const uint32_t first = first_of_group(where, level);
	uint32_t i;

	for (i = first; i < first + group_entries[level]; i++)
		if (contradicts(i, where, level, stored))
			report_group(va);
}

/* The groups of a table that becomes live, where nobody sees what was there before. */
static void check_new_groups(unsigned int page, unsigned int level, uint64_t base)
{
	unsigned int i, k;

	for (i = 0; i < HM_MACHINE_ENTRIES; i++) {
		const uint32_t where = page * HM_MACHINE_ENTRIES + i;
		const uint32_t first = first_of_group(where, level);

		if (!is_contiguous(current(where), level))
			continue;
		for (k = 0; k < group_entries[level]; k++)
			if ((current(first + k) & VALID) &&
			    !is_consistent(current(first + k), first + k, current(where), where,
					   level))
				report_group(base + i * level_bytes(level));
	}
}

/* A link makes a table live, and what that leads to: all that fills it is ordered before the link, by the
 * same CPU's DMB or by a DSB. The root has no link. */
static void make_live(unsigned int page, unsigned int level, uint64_t base,
		      const struct hm_machine_version *link)
{
	unsigned int i;

	if (page >= HM_MACHINE_PAGES) {
		hm_machine_violation("a link for %#llx to what is not memory",
				     (unsigned long long)base);
		return;
	}
	if (!hm_machine->table_level[page])
		hm_machine->table_since[page] = hm_machine->now;
	hm_machine->table_level[page] = (uint8_t)(level + 1);
	hm_machine->table_base[page] = base;
	hm_machine->used[page] = true;
	for (i = 0; i < HM_MACHINE_ENTRIES; i++) {
		const struct hm_machine_version *fill = newest(page * HM_MACHINE_ENTRIES + i);
		const uint64_t va = base + i * level_bytes(level);

		if (!fill)
			continue;
		if (link && !ordered(fill, link))
			hm_machine_violation("table %u is linked: a walker may see that before its "
					     "entry %u",
					     page, i);
		check_shape(fill->value, level, va);
		if (is_link(fill->value, level))
			make_live(page_of(fill->value), level - 1, va, link);
	}
	if (hm_machine->sizes)
		check_new_groups(page, level, base);
}

/*
 * Whether a valid entry may be replaced by another without being invalid, and invalidated, between (Arm ARM
 * D8.17.1): permissions and software bits may; from not global to global may not; nor other memory, nor
 * another type. Another size of just the same may: of a group from BBM level 1 on, of a block from 2 on.
 */
static bool may_follow(uint64_t old, uint64_t value, unsigned int level)
{
	const unsigned int bbm_level = hm_machine->config.bbm_level;
	bool was_link = is_link(old, level), links = is_link(value, level);

	if (old == value)
		return true;
	if (was_link != links)
		return bbm_level >= 2 && !differences(page_of(was_link ? old : value), level - 1,
						      was_link ? value : old);
	if (links || ((old & NOT_GLOBAL) && !(value & NOT_GLOBAL)))
		return false;
	if ((old ^ value) & CONTIGUOUS)
		return bbm_level >= 1 && (old ^ value) == CONTIGUOUS;
	return !((old ^ value) & (ADDRESS | MEMORY_TYPE));
}

/* Whether it is a change of size, where those may be, that would be right if it were nothing else. */
static bool changes_more_than_size(uint64_t old, uint64_t value, unsigned int level)
{
	const unsigned int bbm_level = hm_machine->config.bbm_level;
	bool was_link = is_link(old, level), links = is_link(value, level);

	if (was_link != links)
		return bbm_level >= 2 && !(differences(page_of(was_link ? old : value), level - 1,
						       was_link ? value : old) &
					   (ADDRESS | VALID));
	return bbm_level >= 1 && !links && ((old ^ value) & CONTIGUOUS) &&
	       !((old ^ value) & ADDRESS);
}

static void report_break_before_make(unsigned int cpu, uint64_t va)
{
	hm_machine_violation("break-before-make: CPU %u may hold the old entry for %#llx", cpu,
			     (unsigned long long)va);
}

/* Nobody may hold what that version, or one that it replaced, says of the entry's addresses, if it is not
 * what `made` says. Those of an earlier life of the table do not count. */
static void check_held(const struct hm_machine_version *newer, uint32_t where, unsigned int level,
		       uint64_t va, const struct making *made, bool same_place)
{
	const uint64_t since = hm_machine->table_since[where / HM_MACHINE_ENTRIES];
	const struct hm_machine_version *version;
	unsigned int cpu;

	for (; newer->stored >= since && (version = before(newer)); newer = version) {
		if (!is_cached(version->value, level) ||
		    (same_place ? may_follow(version->value, made->value, level)
				: is_leaf(version->value, level) &&
					  fits(version->value, level, made, va)))
			continue;
		for (cpu = 0; cpu < hm_machine->config.cpus; cpu++) {
			const struct observer observer = { cpu, false, made->issued };

			if (!(is_link(version->value, level)
				      ? emptied(newer->completed, made->issued, va, level)
				      : floor_of(&observer, va, SINGLE(level)) > newer->completed))
				report_break_before_make(cpu, va);
		}
	}
}

static void check_held_at(uint64_t va, const struct making *made)
{
	/* But for TLBIs of its own, every CPU may hold what the first one may. */
	const unsigned int cpus = hm_machine->locals ? hm_machine->config.cpus : 1;
	unsigned int cpu;

	for (cpu = 0; cpu < cpus && hm_machine->root; cpu++) {
		struct walk walk = { .observer = { cpu, false, made->issued },
				     .va = va,
				     .wanted = HM_MACHINE_PAGES,
				     .made = *made };

		do_walk(&walk);
		if (walk.clash)
			report_break_before_make(cpu, va);
	}
}

/* The same of all that may be held of the address by other entries: of other levels, and of the group. What
 * is smaller may be held in parts, which invalidations have left. */
static void check_held_elsewhere(uint64_t va, const struct making *made)
{
	const uint64_t last = va + level_bytes(made->level) - 1;
	unsigned int i;

	check_held_at(va, made);
	for (i = hm_machine->invalidation_count; made->level && i--;) {
		const struct hm_machine_invalidation *each = &hm_machine->invalidations[i];
		uint64_t at[2];
		unsigned int n;

		if (!each->pages && takes_all_below(each, made->level, made->issued))
			break;
		for (n = limits_within(each, va, last, at); n--;)
			check_held_at(at[n], made);
	}
}

/* A contiguous entry is made: it may be held for its neighbours' addresses. That those which
 * are valid say the same, if not in the same size, is for check_group() to see. */
static void check_held_of_group(uint32_t where, unsigned int level, uint64_t va,
				const struct making *made)
{
	const uint32_t first = first_of_group(where, level);
	uint32_t i;

	for (i = first; i < first + group_entries[level]; i++) {
		const struct hm_machine_version *last = i == where ? NULL : newest(i);
		const uint64_t neighbour = va + (uint64_t)((int64_t)i - where) * level_bytes(level);

		if (!last)
			continue;
		if (!(last->value & VALID))
			check_held(last, i, level, neighbour, made, false);
		else if (!hm_machine->config.bbm_level && !(last->value & CONTIGUOUS))
			report_break_before_make(0, neighbour);
	}
}

/* An entry of a live table turns valid, or another: no CPU may still hold another one for the same address.
 * Where the last one was valid, all that may be held beside it was held against it when it was stored. */
static void check_break_before_make(uint32_t where, unsigned int level, uint64_t va,
				    const struct hm_machine_version *stored)
{
	const struct hm_machine_version *last = newest(where);
	const uint64_t value = stored->value;
	const struct making made = { value, level, stored->issued };

	if (is_contiguous(value, level))
		check_held_of_group(where, level, va, &made);
	if (last && (last->value & VALID) && may_follow(last->value, value, level))
		return;
	if (last && is_cached(last->value, level)) {
		if (changes_more_than_size(last->value, value, level))
			hm_machine_violation("size and attributes of %#llx change in one step",
					     (unsigned long long)va);
		report_break_before_make(0, va);
		return;
	}
	if (last)
		check_held(last, where, level, va, &made, true);
	if (hm_machine->sizes)
		check_held_elsewhere(va, &made);
}

/* What a table that walkers may use is given. */
static void check_live_store(uint32_t where, unsigned int level,
			     const struct hm_machine_version *stored)
{
	const uint64_t value = stored->value;
	const unsigned int page = where / HM_MACHINE_ENTRIES, index = where % HM_MACHINE_ENTRIES;
	const uint64_t va = hm_machine->table_base[page] + index * level_bytes(level);

	if (!(value & VALID))
		return;
	check_shape(value, level, va);
	check_break_before_make(where, level, va, stored);
	if (is_contiguous(value, level) || had_contiguous(page, index, level))
		check_group(where, level, va, stored);
	if (is_link(value, level))
		make_live(page_of(value), level - 1, va, stored);
}

/* Blocks lack the bit that links and pages have. */
static void note_size(uint32_t where, uint64_t value)
{
	const uint32_t index = where % HM_MACHINE_ENTRIES;

	if (!(value & VALID) || (value & (TABLE | CONTIGUOUS)) == TABLE)
		return;
	hm_machine->sizes = true;
	if (value & CONTIGUOUS)
		hm_machine->contiguous[where / HM_MACHINE_ENTRIES]
				      [index / HM_MACHINE_SMALLEST_GROUP] = true;
}

/* Of a word, as instructions. */
#define LOW 1u
#define HIGH 2u
#define BOTH 3u

/* What a store leaves, by what this CPU's barriers say of it. A keyed one is ordered by a GCSB alone, and may
 * be seen from the last one on (Arm ARM D11.9); but for what waits for a DSB. */
static void make_version(struct hm_machine_version *version, uint64_t value, bool keyed,
			 unsigned int halves)
{
	const struct hm_machine_cpu *cpu = this_cpu();

	version->value = value;
	version->stored = hm_machine->now;
	version->issued = keyed ? most(cpu->gcsb, cpu->dsb) + 1 : hm_machine->now;
	version->completed = HM_MACHINE_NEVER;
	version->plain_before = keyed ? cpu->opened : cpu->store_barrier;
	version->keyed_before = keyed ? cpu->gcsb : cpu->drained;
	version->left = keyed ? HM_MACHINE_NEVER : hm_machine->now;
	version->cpu = (uint8_t)hm_machine->cpu;
	version->who = who();
	version->cleaned = HM_MACHINE_NEVER;
	version->seen = version->cleaning = 0;
	version->halves = (uint8_t)halves;
	version->keyed = keyed;
}

/*
 * Stores to one entry come in program order, and in that of the lock that was handed over, but for keyed and
 * ordinary ones of one CPU, and keyed ones of several (Arm ARM D11.9). Of the lock nothing is seen: the CPU
 * that had it has to have executed a GCSB after its keyed store, and the one that got it another before its
 * own.
 */
static void check_coherence(uint32_t where, const struct hm_machine_version *stored)
{
	const struct hm_machine_version *last = newest(where);

	if (!last || !(last->keyed || stored->keyed))
		return;
	if (last->cpu == stored->cpu
		    ? (last->keyed && stored->keyed) || ordered(last, stored)
		    : last->left < (stored->keyed ? stored->keyed_before : stored->stored))
		return;
	hm_machine_violation(
		"two stores to entry %u of table %u are not ordered: the first may win",
		where % HM_MACHINE_ENTRIES, where / HM_MACHINE_ENTRIES);
}

static void store(uint32_t where, uint64_t value, bool keyed, unsigned int halves)
{
	struct hm_machine *m = hm_machine;
	unsigned int page = where / HM_MACHINE_ENTRIES, level = m->table_level[page];
	struct hm_machine_version *version = &m->versions[m->version_count];

	if (m->version_count == HM_MACHINE_VERSIONS) {
		hm_machine_violation("the run is too long for the machine: too many stores");
		return;
	}
	make_version(version, value, keyed, halves);
	check_coherence(where, version);
	if (level--)
		check_live_store(where, level, version);
	version->older = m->newest[where];
	note_size(where, value);
	m->version_count++;
	m->used[page] = true;
	m->newest[where] = m->version_count;
	m->memory[page][where % HM_MACHINE_ENTRIES].val = value;
}

/* The library's own store: the linear map has to permit it, for all that this CPU may hold of it. */
static void check_linear(uint32_t where, unsigned int right)
{
	unsigned int page = where / HM_MACHINE_ENTRIES;
	const hm_va_t va = { linear_address(page) };
	const char *what = right == K ? "keyed store" : "store";
	struct walk walk;

	if (!hm_machine->linear)
		return;
	walk = walk_all(hm_machine->cpu, va, right, true, HM_MACHINE_PAGES);
	if (walk.denied || (right == K && may_lack_keyed_stores(hm_machine->cpu)))
		hm_machine_violation("a %s to page %u may be denied: %s", what, page,
				     right == K ? "it is not for these, or they are not yet on"
						: "without its key, or not yet with it");
	else if (walk.faults || !walk.permitted)
		hm_machine_violation("a %s to page %u where the linear map has no translation",
				     what, page);
	else if (right == K && (walk.truth >> 2 & 7) != WRITE_BACK)
		hm_machine_violation("a keyed store to page %u, which is not write-back memory",
				     page);
	else if (!check_conflict(&walk) && walk.stale)
		hm_machine_violation("stale translation of %#llx after an owed TLBI",
				     (unsigned long long)va.val);
}

void hm_machine_set_linear(uint64_t linear)
{
	hm_machine->linear = linear;
}

void hm_machine_stray(unsigned int number)
{
	const hm_va_t va = { linear_address(number) };

	step(HM_INSN_KINDS, "stray store", number, 0);
	if (walk_all(hm_machine->cpu, va, W, true, HM_MACHINE_PAGES).permitted)
		hm_machine_violation("page %u is open to a stray store of CPU %u", number,
				     hm_machine->cpu);
}

/* For the keyed stores that follow. */
static void note_load(uint32_t where)
{
	struct hm_machine_cpu *cpu = this_cpu();
	struct hm_machine_entry_load *load = &cpu->loads[cpu->load_count++ % HM_MACHINE_LOADS];

	load->time = hm_machine->now;
	load->where = where;
	load->who = who();
}

/* The thread's own keyed store, if it is sure to find it: the GCSB after it, and then a full barrier; on
 * another CPU, whatever made it wait for the one that it left (Arm ARM D11.9). */
static void check_own_load(uint32_t where, const struct hm_machine_version *version)
{
	if (version->cpu == hm_machine->cpu ? version->stored >= this_cpu()->drained
					    : version->left == HM_MACHINE_NEVER)
		hm_machine_violation("a load of entry %u of table %u may miss its thread's own "
				     "keyed store",
				     where % HM_MACHINE_ENTRIES, where / HM_MACHINE_ENTRIES);
}

/* Another's keyed stores that have not left: one of the values, by chance; but none that was there before one
 * that was found. What another CPU finds, all others do. */
static uint64_t find(uint32_t where)
{
	const unsigned int cpu = hm_machine->cpu;
	uint32_t index = hm_machine->newest[where];
	struct hm_machine_version *version = NULL;

	for (; index; index = version->older) {
		version = &hm_machine->versions[index - 1];
		if (version->left != HM_MACHINE_NEVER || (version->seen >> cpu & 1) ||
		    hm_machine_random(2))
			break;
	}
	if (!index)
		return 0;
	version->seen |= (uint8_t)(version->cpu == cpu ? 1u << cpu : ~(1u << version->cpu));
	return version->value;
}

/* What the load, or the compare and swap, of this instruction finds. */
static uint64_t load(const uint64_t *address, uint32_t where)
{
	const struct hm_machine_version *version;

	if (hm_machine->config.key_style != HM_KEY_STYLE_STORE || where == UINT32_MAX)
		return *address;
	note_load(where);
	version = newest(where);
	if (!version || !version->keyed)
		return *address;
	if (version->who != who())
		return find(where);
	check_own_load(where, version);
	return *address;
}

uint64_t hm_machine_load(const uint64_t *address)
{
	uint32_t where = location(address);

	step(HM_INSN_LDR, "load", where / HM_MACHINE_ENTRIES, where % HM_MACHINE_ENTRIES);
	return load(address, where);
}

void hm_machine_store(uint64_t *address, uint64_t value)
{
	uint32_t where = location(address);

	step(HM_INSN_STR, "store", where, value);
	if (where == UINT32_MAX) {
		hm_machine_violation("a store outside of the machine's memory");
		return;
	}
	check_linear(where, W);
	store(where, value, false, BOTH);
}

/* Four bytes of a word, which is what else it was. */
void hm_machine_store32(uint32_t *address, uint32_t value)
{
	const bool high = (uintptr_t)address & 4;
	const uint32_t where = location((const uint64_t *)((uintptr_t)address & ~(uintptr_t)7));
	uint64_t word;

	step(HM_INSN_STR32, "store of four bytes", where, value);
	if (where == UINT32_MAX || ((uintptr_t)address & 3)) {
		hm_machine_violation("a store of four bytes that is not aligned, or outside of the "
				     "machine's memory");
		return;
	}
	check_linear(where, W);
	word = current(where);
	word = high ? (word & UINT32_MAX) | (uint64_t)value << 32
		    : (word & ~(uint64_t)UINT32_MAX) | value;
	store(where, word, false, high ? HIGH : LOW);
}

/* What its thread did before, and whatever that was told, is before a keyed store only by a GCSB of the same
 * CPU (Arm ARM D11.9): after the thread came there, and after the loads of the entry, with a full barrier
 * between. */
static void check_keyed_order(uint32_t where)
{
	const struct hm_machine_cpu *cpu = this_cpu();
	const unsigned int table = where / HM_MACHINE_ENTRIES, entry = where % HM_MACHINE_ENTRIES;
	unsigned int i;

	if (running()->arrived && cpu->gcsb <= running()->arrived)
		hm_machine_violation("a keyed store to entry %u of table %u may come before what "
				     "its thread did on the CPU that it left",
				     entry, table);
	for (i = 0; i < HM_MACHINE_LOADS && i < cpu->load_count; i++)
		if (cpu->loads[i].where == where && cpu->loads[i].who == who() &&
		    cpu->loads[i].time >= cpu->opened)
			hm_machine_violation("a keyed store to entry %u of table %u may come "
					     "before the load that it follows",
					     entry, table);
}

void hm_machine_keyed_store(uint64_t *address, uint64_t value)
{
	uint32_t where = location(address);

	step(HM_INSN_GCSSTR, "keyed store", where, value);
	if (where == UINT32_MAX) {
		hm_machine_violation("a keyed store outside of the machine's memory");
		return;
	}
	if (hm_machine->config.key_style != HM_KEY_STYLE_STORE)
		hm_machine_violation("a keyed store on a machine without FEAT_GCS");
	check_linear(where, K);
	check_keyed_order(where);
	store(where, value, true, BOTH);
}

uint64_t hm_machine_compare_exchange(uint64_t *address, uint64_t expected, uint64_t desired)
{
	uint32_t where = location(address);
	uint64_t found;

	step(HM_INSN_CAS, "compare and swap", where, desired);
	if (where == UINT32_MAX) {
		hm_machine_violation("a compare and swap outside of the machine's memory");
		return expected;
	}
	check_linear(where, W);
	found = load(address, where);
	if (found == expected)
		store(where, desired, false, BOTH);
	return found;
}

/* ---- barriers and invalidation ---- */

/* Stores before it, keyed ones before a GCSB that was before it, are before all accesses after it. */
static void order_all(struct hm_machine_cpu *cpu)
{
	cpu->store_barrier = cpu->full_barrier = hm_machine->now;
	cpu->drained = cpu->gcsb;
}

/* This CPU's stores, of the keyed ones those that a GCSB has handed over before (Arm ARM D11.9); if `keyed`,
 * which a DSB of stores alone is not for. */
static void complete_stores(struct hm_machine_cpu *cpu, bool keyed)
{
	struct hm_machine *m = hm_machine;
	unsigned int left = m->version_count, i;

	for (i = m->version_count; i-- > cpu->incomplete;) {
		struct hm_machine_version *version = &m->versions[i];

		if (version->cpu != m->cpu || version->completed != HM_MACHINE_NEVER)
			continue;
		if (version->keyed && !(keyed && version->stored < cpu->gcsb))
			left = i;
		else
			version->completed = m->now;
	}
	cpu->incomplete = left;
}

/* This CPU's, or of these only the local ones. */
static void complete_invalidations(const struct hm_machine_cpu *cpu, bool local)
{
	struct hm_machine *m = hm_machine;
	unsigned int i;

	for (i = cpu->invalidating; i < m->invalidation_count; i++) {
		struct hm_machine_invalidation *each = &m->invalidations[i];

		if (each->cpu == m->cpu && (each->local || !local) &&
		    each->completed == HM_MACHINE_NEVER)
			each->completed = m->now;
	}
}

void hm_machine_dsb(enum hm_insn_kind kind)
{
	struct hm_machine *m = hm_machine;
	struct hm_machine_cpu *cpu;

	step(kind, kind == HM_INSN_DSB_ISH ? "DSB ISH" : "DSB ISHST", 0, 0);
	cpu = this_cpu();
	cpu->store_barrier = m->now;
	complete_stores(cpu, kind == HM_INSN_DSB_ISH);
	if (kind != HM_INSN_DSB_ISH)
		return;
	order_all(cpu);
	cpu->dsb = m->now;
	complete_invalidations(cpu, false);
	cpu->invalidating = m->invalidation_count;
	complete_cleans(m->cpu);
	complete_fetch_invalidations(cpu);
	advance(m->cpu, 2);
}

/* For this CPU alone: completes its local invalidations. Too weak for anything else. */
void hm_machine_dsb_nsh(void)
{
	step(HM_INSN_KINDS, "DSB NSH", 0, 0);
	complete_invalidations(this_cpu(), true);
	advance(hm_machine->cpu, 2);
}

/* Values that no kernel writes, and registers that this machine has not. */
static void check_register(enum hm_machine_register which, uint64_t value)
{
	const bool keyed_stores = hm_machine->config.key_style == HM_KEY_STYLE_STORE;

	if (which == HM_MACHINE_POR_EL1 && value >> 32)
		hm_machine_violation("POR_EL1: reserved bits are set: %#llx",
				     (unsigned long long)value);
	if (which == HM_MACHINE_POR_EL1 && (value & 7) != 7)
		hm_machine_violation("POR_EL1 closes key 0: %#llx", (unsigned long long)value);
	if (which == HM_MACHINE_GCSCR_EL1 && (value & ~STREN))
		hm_machine_violation("GCSCR_EL1: more than keyed stores is on: %#llx",
				     (unsigned long long)value);
	if (which == HM_MACHINE_GCSCR_EL1 && !keyed_stores)
		hm_machine_violation("GCSCR_EL1 on a machine without FEAT_GCS");
	if (keyed_stores &&
	    (which == HM_MACHINE_POR_EL1 || (which == HM_MACHINE_TCR2_EL1 && (value & POE))))
		hm_machine_violation("overlays on a machine without FEAT_S1POE");
}

void hm_machine_write_register(enum hm_machine_register which, uint64_t value)
{
	struct hm_machine_register_state *state;

	step(which == HM_MACHINE_POR_EL1 ? HM_INSN_MSR_POR_EL1 : HM_INSN_KINDS, "MSR", which,
	     value);
	/* Not before: the thread may be on another CPU after the step. */
	state = &hm_machine->cpus[hm_machine->cpu].registers[which];
	check_register(which, value);
	if (state->possible_count == HM_MACHINE_VALUES) {
		hm_machine_violation("register %u is written and never synchronised", which);
		return;
	}
	state->value = value;
	state->possible[state->possible_count++] = value;
	state->steps = 0;
	/* Before plain code that follows: no other instruction may come between. */
	hm_machine_point();
}

void hm_machine_reset_cpu(void)
{
	struct hm_machine *m = hm_machine;

	step(HM_INSN_KINDS, "CPU reset", 0, 0);
	forget_registers(m->cpu);
	synchronise(m->cpu);
}

void hm_machine_dmb(enum hm_insn_kind kind)
{
	step(kind, kind == HM_INSN_DMB_ISH ? "DMB ISH" : "DMB ISHST", 0, 0);
	if (kind == HM_INSN_DMB_ISH)
		order_all(this_cpu());
	else
		this_cpu()->store_barrier = hm_machine->now;
}

void hm_machine_gcsb(void)
{
	struct hm_machine *m = hm_machine;
	struct hm_machine_cpu *cpu;

	step(HM_INSN_GCSB_DSYNC, "GCSB DSYNC", 0, 0);
	cpu = this_cpu();
	for (; cpu->staying < m->version_count; cpu->staying++) {
		struct hm_machine_version *version = &m->versions[cpu->staying];

		if (version->cpu == m->cpu && version->keyed)
			version->left = m->now;
	}
	cpu->gcsb = m->now;
	cpu->opened = cpu->full_barrier;
}

void hm_machine_isb(void)
{
	step(HM_INSN_ISB, "ISB", 0, 0);
	synchronise(hm_machine->cpu);
}

/* A level as operands of TLBIs have it, 3 for the leaves: only entries of that one need go. */
static void hint(struct hm_machine_invalidation *each, uint64_t lookup_level)
{
	each->hint = (uint8_t)(4 - lookup_level);
	if (each->hint > BLOCK_LEVEL + 1)
		hm_machine_violation("TLBI with a level hint for a level that has no leaves");
}

/* RVA*: BaseADDR (36:0) is a page's number, signed; TTL (38:37), NUM, SCALE, TG. */
static void name_range(struct hm_machine_invalidation *each, uint64_t operand)
{
	each->first_page = (uint64_t)((int64_t)(operand << 27) >> 27) & PAGE_NUMBER;
	each->pages = ((operand >> 39 & 31) + 1) << (5 * (operand >> 44 & 3) + 1);
	if (operand >> 37 & 3)
		hint(each, operand >> 37 & 3);
	if (each->hint &&
	    (each->first_page & (level_bytes(each->hint - 1u) / HM_MACHINE_PAGE_BYTES - 1)))
		hm_machine_violation("TLBI by range with a level hint that it is not aligned to");
	if ((operand >> 46 & 3) != GRANULE)
		hm_machine_violation("TLBI by range for another granule");
	if (!hm_machine->config.has_tlbi_range)
		hm_machine_violation("TLBI by range on a machine without it");
}

/* VA*: VA[55:12] in 43:0 whatever the granule, which ignores the low ones; TTL (47:44). */
static void name_page(struct hm_machine_invalidation *each, uint64_t operand)
{
	each->first_page = (operand & ((UINT64_C(1) << 44) - 1)) >> (SHIFT - 12);
	each->pages = 1;
	if (!(operand >> 44 & 15))
		return;
	hint(each, operand >> 44 & 3);
	if ((operand >> 46 & 3) != GRANULE)
		hm_machine_violation("TLBI with a level hint for another granule");
}

/* The last invalidation that took walk caches too, + 1, 0: none. */
static uint16_t last_tables(void)
{
	const unsigned int count = hm_machine->invalidation_count;
	const struct hm_machine_invalidation *last;

	if (!count)
		return 0;
	last = &hm_machine->invalidations[count - 1];
	return last->tables ? (uint16_t)count : last->older_tables;
}

void hm_machine_tlbi(enum hm_insn_kind kind, uint64_t operand)
{
	struct hm_machine *m = hm_machine;
	bool range = kind == HM_INSN_TLBI_RVAAE1IS || kind == HM_INSN_TLBI_RVAALE1IS;
	bool leaves = kind == HM_INSN_TLBI_VAALE1IS || kind == HM_INSN_TLBI_RVAALE1IS;
	struct hm_machine_invalidation *each;

	step(kind,
	     kind == HM_INSN_TLBI_VMALLE1IS ? "TLBI VMALLE1IS"
	     : kind == HM_INSN_TLBI_VMALLE1 ? "TLBI VMALLE1"
	     : range                        ? (leaves ? "TLBI RVAALE1IS" : "TLBI RVAAE1IS")
					    : (leaves ? "TLBI VAALE1IS" : "TLBI VAAE1IS"),
	     operand, 0);
	if (m->invalidation_count == HM_MACHINE_INVALIDATIONS) {
		hm_machine_violation("the run is too long for the machine: too many TLBIs");
		return;
	}
	each = &m->invalidations[m->invalidation_count];
	each->issued = m->now;
	each->cpu = (uint8_t)m->cpu;
	each->tables = !leaves;
	each->older_tables = last_tables();
	each->completed = HM_MACHINE_NEVER;
	each->local = kind == HM_INSN_TLBI_VMALLE1;
	each->hint = 0;
	each->first_page = each->pages = 0; /* everything */
	m->locals |= each->local;
	if (kind == HM_INSN_TLBI_VMALLE1IS || kind == HM_INSN_TLBI_VMALLE1)
		advance(m->cpu, 1);
	else if (range)
		name_range(each, operand);
	else
		name_page(each, operand);
	m->invalidation_count++;
}

/* ---- start ---- */

static void clear_page(struct hm_machine *machine, unsigned int page)
{
	machine->used[page] = false;
	machine->table_level[page] = 0;
	memset(machine->contiguous[page], 0, sizeof(machine->contiguous[page]));
	memset(&machine->newest[page * HM_MACHINE_ENTRIES], 0,
	       HM_MACHINE_ENTRIES * sizeof(machine->newest[0]));
	memset(&machine->cleaning[page * HM_MACHINE_ENTRIES], 0, HM_MACHINE_ENTRIES);
	memset(machine->memory[page], 0, sizeof(machine->memory[page]));
}

void hm_machine_start(struct hm_machine *machine, const struct hm_machine_config *config)
{
	/* Versions, invalidations, events and stacks count by their own numbers; of memory only what was used
	 * is cleared, which is little of it; the rest is zeroed. */
	memset(machine, 0, offsetof(struct hm_machine, threads));
	for (unsigned int i = 0; i < HM_MACHINE_THREADS; i++)
		memset(&machine->threads[i], 0, offsetof(struct hm_machine_thread, stack));
	machine->thread_count = machine->running = 0;
	machine->root = machine->software_root = NULL;
	machine->scheduling = false;
	for (unsigned int i = 0; i < HM_MACHINE_PAGES; i++)
		if (machine->used[i])
			clear_page(machine, i);
	machine->sizes = machine->locals = false;
	machine->version_count = machine->invalidation_count = machine->events = 0;
	machine->fetch_invalidation_count = 0;
	machine->config = *config;
	machine->random = config->seed * 2 + 1; /* never 0, where the generator would stay */
	hm_machine = machine;
	machine->linear = 0;
	for (unsigned int i = 0; i < HM_MACHINE_CPUS; i++)
		forget_registers(i);
}

void hm_machine_set_root(unsigned int number)
{
	hm_machine->root = hm_machine->software_root = hm_machine->memory[number];
	make_live(number, LEVELS - 1, UPPER_HALF, NULL);
}

static void settle_cpu(struct hm_machine_cpu *cpu)
{
	cpu->synchronised = cpu->gcsb = hm_machine->now;
	order_all(cpu);
	cpu->opened = hm_machine->now;
	cpu->incomplete = cpu->staying = hm_machine->version_count;
	cpu->invalidating = hm_machine->invalidation_count;
	cpu->fetch_last = 0;
	cpu->fetch_invalidating = hm_machine->fetch_invalidation_count;
}

void hm_machine_settle(void)
{
	struct hm_machine *m = hm_machine;
	unsigned int i;

	for (i = 0; i < m->version_count; i++)
		m->versions[i].completed = m->versions[i].left = m->versions[i].cleaned = m->now;
	m->now++;
	/* An invalidation of everything, by nobody in particular. */
	m->locals = false;
	m->invalidation_count = 1;
	m->invalidations[0] = (struct hm_machine_invalidation){ .issued = m->now,
								.completed = m->now - 1,
								.tables = true };
	m->fetch_invalidation_count = 1;
	m->fetch_invalidations[0] =
		(struct hm_machine_fetch_invalidation){ .issued = m->now, .completed = m->now - 1 };
	for (i = 0; i < HM_MACHINE_CPUS; i++) {
		complete_cleans(i);
		settle_cpu(&m->cpus[i]);
	}
}
