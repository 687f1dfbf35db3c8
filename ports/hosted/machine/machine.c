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
#define LEVELS 4
#define VALID UINT64_C(1)
#define TABLE UINT64_C(2) /* or page, at level 0 */
#define ADDRESS UINT64_C(0x0000fffffffff000)
#define READONLY UINT64_C(0x80)
#define USER UINT64_C(0x40)
#define ACCESSED UINT64_C(0x400)
#define NOT_GLOBAL UINT64_C(0x800)
#define DIRTY_OR_WRITE (UINT64_C(1) << 51) /* DBM; PIIndex[1] */
#define PXN (UINT64_C(1) << 53)
#define UXN (UINT64_C(1) << 54)
#define NOT_DIRTY READONLY /* with permission indirection */
#define PIE (UINT64_C(1) << 1) /* of TCR2_EL1 */
#define POE (UINT64_C(1) << 3)
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

/* ---- system registers ---- */

/* Whether TLBs may hold what it said (Arm ARM D8.17: permitted to be cached). */
static bool is_cached_in_tlbs(unsigned int which)
{
	return which != HM_MACHINE_POR_EL1;
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

/* What a reset leaves: nothing is known, but that neither indirection nor overlays are on. */
static void forget_registers(unsigned int cpu)
{
	for (unsigned int which = 0; which < HM_MACHINE_REGISTERS; which++) {
		struct hm_machine_register_state *state = &hm_machine->cpus[cpu].registers[which];

		state->value = which == HM_MACHINE_TCR2_EL1 ? 0 : UINT64_C(0x9999999977777777);
		state->possible[0] = state->value;
		state->possible_count = 1;
		state->steps = 0;
	}
}

/* What a CPU concluded from the tables so far is dropped; and of its finished TLBIs, the last effects. */
static void synchronise(unsigned int cpu)
{
	unsigned int i;

	advance(cpu, 0);
	advance(cpu, 3);
	hm_machine->cpus[cpu].synchronised = hm_machine->now;
	for (i = 0; i < hm_machine->invalidation_count; i++) {
		struct hm_machine_invalidation *each = &hm_machine->invalidations[i];

		if (each->cpu == cpu && each->completed)
			each->synchronised = true;
	}
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
	hm_machine->migrations += hm_machine->cpu != cpu;
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
	    hm_machine_random(256) >= config->interrupt)
		return;
	self->exceptions++;
	hm_machine->interrupts++;
	hm_machine->now++;
	record("exception entry", self->exceptions, 0);
	synchronise(hm_machine->cpu);
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

/* Whether whoever sees b sees a too: a store barrier of their CPU between them, or a was complete. */
static bool ordered(const struct hm_machine_version *a, const struct hm_machine_version *b)
{
	return (a->cpu == b->cpu && a->epoch < b->epoch) || a->completed < b->issued;
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

static unsigned int page_of(uint64_t value)
{
	return (unsigned int)(((value & ADDRESS) - FIRST_ADDRESS) / HM_MACHINE_PAGE_BYTES);
}

static uint64_t level_bytes(unsigned int level)
{
	return UINT64_C(1) << (12 + 9 * level);
}

static unsigned int index_at(uint64_t va, unsigned int level)
{
	return (unsigned int)(va >> (12 + 9 * level)) & (HM_MACHINE_ENTRIES - 1);
}

/* ---- TLBs: since when a CPU may have what it holds of an address ---- */

/* From the address on to the first page that it names. */
static uint64_t pages_to(const struct hm_machine_invalidation *each, uint64_t va)
{
	return (each->first_page - (va >> 12)) & ((UINT64_C(1) << 44) - 1);
}

/* Which of the pages that it names the address is in; more than it has: none. */
static uint64_t page_in(const struct hm_machine_invalidation *each, uint64_t va)
{
	return ((va >> 12) - each->first_page) & ((UINT64_C(1) << 44) - 1);
}

static bool covers(const struct hm_machine_invalidation *each, uint64_t va)
{
	return !each->pages || page_in(each, va) < each->pages;
}

/* Whether it names a page of that entry. It then takes a leaf out of the TLBs, all of it, however many
 * entries that was cached as (Arm ARM D8.17). */
static bool touches(const struct hm_machine_invalidation *each, uint64_t va, unsigned int level)
{
	const uint64_t base = va & ~(level_bytes(level) - 1);
	const uint64_t pages = level_bytes(level) / HM_MACHINE_PAGE_BYTES;

	return covers(each, base) || pages - 1 >= pages_to(each, base);
}

/*
 * The last invalidation that has taken what an entry of that level says of the address, a leaf or a
 * link to a table, out of this CPU's TLB, 0: none since the
 * start; and, for what the CPU executes right now, its pipeline: that of the CPU which invalidates
 * keeps what it had translated ahead until its next context synchronisation event.
 */
static uint64_t floor_of(unsigned int cpu, uint64_t va, unsigned int level, bool tables,
			 bool pipeline)
{
	uint64_t floor = 0;
	unsigned int i;

	for (i = hm_machine->invalidation_count; i--;) {
		const struct hm_machine_invalidation *each = &hm_machine->invalidations[i];

		if (each->issued <= floor)
			break;
		if (each->completed && (!each->local || each->cpu == cpu) &&
		    (!pipeline || each->cpu != cpu || each->synchronised) &&
		    (!tables || each->tables) &&
		    (tables ? covers(each, va) : touches(each, va, level)))
			floor = each->issued;
	}
	return floor;
}

/* Whether TLBIs of tables that were issued after `since`, each of a part, cover all of [va, va + bytes). */
static bool emptied(uint64_t since, uint64_t va, uint64_t bytes)
{
	uint64_t done = 0;

	while (done < bytes) {
		uint64_t before = done;
		unsigned int i;

		for (i = hm_machine->invalidation_count; i-- && done < bytes;) {
			const struct hm_machine_invalidation *each = &hm_machine->invalidations[i];

			if (each->issued <= since)
				break;
			if (!each->completed || !each->tables || each->local ||
			    !covers(each, va + done))
				continue;
			if (!each->pages)
				return true;
			/* To the end of what it covers. */
			done += (each->pages - page_in(each, va + done)) * HM_MACHINE_PAGE_BYTES;
		}
		if (done == before)
			return false;
	}
	return true;
}

/* ---- walks ---- */

struct walk {
	unsigned int cpu;
	uint64_t va;
	enum hm_access access;
	uint64_t leaf_floor[LEVELS], table_floor;
	uint64_t truth; /* the leaf that the tables have now; 0: none */
	unsigned int truth_level;
	unsigned int wanted; /* page that may not be reached; HM_MACHINE_PAGES: none */
	/* What was found possible. */
	bool stale, denied, permitted, reached;
	unsigned int faults; /* bit n: a translation fault at level n */
	unsigned int sizes; /* bit n: a leaf at level n */
};

#define R 1u
#define X 2u
#define W 4u
/* Base permissions by the encoding of PIR_EL1 (Arm ARM D8.4.3.1): with overlay below 8, without from there
 * on. Reserved ones give nothing; 9, GCS, is readable. */
static const uint8_t base_permissions[16] = { 0,         R,         X,         R | X, 0,     R | W,
					      R | W | X, R | W | X, R,         R,     R | X, 0,
					      R | W,     0,         R | W | X, 0 };

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
	if (((have & X) || mine == 9) && ((base_permissions[others] & W) || others == 9))
		return 0;
	if (mine < 8 && overlays)
		have &= overlay < 8 ? overlay : 0;
	/* Not both: the overlay decides for execution, without one it is writing that stays. */
	if (mine == 6 && (have & X))
		have &= overlays ? ~W : ~X;
	return value & NOT_DIRTY ? have & ~W : have;
}

struct verdict {
	bool permitted, denied; /* by some values of the registers that may be in effect */
};

/* What EL1 of that CPU may find when it uses a leaf. */
static struct verdict judge(unsigned int cpu, uint64_t value, enum hm_access access)
{
	const struct hm_machine_register_state *r = hm_machine->cpus[cpu].registers;
	const struct hm_machine_register_state *tcr2 = &r[HM_MACHINE_TCR2_EL1];
	const struct hm_machine_register_state *pir = &r[HM_MACHINE_PIR_EL1];
	const struct hm_machine_register_state *pire0 = &r[HM_MACHINE_PIRE0_EL1];
	const struct hm_machine_register_state *por = &r[HM_MACHINE_POR_EL1];
	const unsigned int wanted = access == HM_ACCESS_WRITE     ? W
				    : access == HM_ACCESS_EXECUTE ? X
								  : R;
	const unsigned int direct = R | (value & READONLY ? 0 : W) | (value & PXN ? 0 : X);
	struct verdict verdict = { false, false };
	unsigned int i, j, k, l;

	if (!(value & VALID) || !(value & ACCESSED)) {
		verdict.denied = true;
		return verdict;
	}
	for (i = 0; i < tcr2->possible_count; i++) {
		if (!(tcr2->possible[i] & PIE)) {
			*(direct & wanted ? &verdict.permitted : &verdict.denied) = true;
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

					*(have & wanted ? &verdict.permitted
							: &verdict.denied) = true;
				}
	}
	return verdict;
}

/* The page that a leaf of that level translates the address to. */
static uint64_t page_at(uint64_t value, unsigned int level, uint64_t va)
{
	return page_of(value) + (va & (level_bytes(level) - 1)) / HM_MACHINE_PAGE_BYTES;
}

static void see_leaf(struct walk *walk, uint64_t value, unsigned int level)
{
	uint64_t page = page_at(value, level, walk->va);
	struct verdict verdict;

	if (page == walk->wanted)
		walk->reached = true;
	verdict = judge(walk->cpu, value, walk->access);
	walk->permitted |= verdict.permitted;
	walk->denied |= verdict.denied;
	walk->sizes |= 1u << level;
	if (walk->truth && (page != page_at(walk->truth, walk->truth_level, walk->va) ||
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

/*
 * Every value of the entry that a walk for walk->va may have read, given that it came by that path,
 * whose last link it read at `after` at the earliest.
 */
static void explore(struct walk *walk, unsigned int level, unsigned int page,
		    const struct path *path, uint64_t after)
{
	const uint64_t synchronised = hm_machine->cpus[walk->cpu].synchronised;
	const struct hm_machine_version *version, *newer = NULL;
	static const struct hm_machine_version initial = { .completed = 0 };
	uint32_t next;

	if (page >= HM_MACHINE_PAGES) {
		hm_machine_violation("a walk leaves memory");
		return;
	}
	if (page == walk->wanted)
		walk->reached = true;
	next = hm_machine->newest[page * HM_MACHINE_ENTRIES + index_at(walk->va, level)];
	for (;;) {
		uint64_t until = newer ? newer->completed : HM_MACHINE_NEVER;

		if (newer && ordered_before_path(newer, path))
			break;
		version = next ? &hm_machine->versions[next - 1] : &initial;
		if (!is_cached(version->value, level)) {
			/* Not cached in a TLB: only what the pipeline holds since it was emptied. */
			if (until >= synchronised && until >= after)
				walk->faults |= 1u << level;
		} else if (is_link(version->value, level)) {
			const struct path longer = { version, path };

			if (until >= walk->table_floor && until >= after)
				explore(walk, level - 1, page_of(version->value), &longer,
					version->issued > after ? version->issued : after);
		} else if (until >= walk->leaf_floor[level] && until >= after) {
			see_leaf(walk, version->value, level);
		}
		if (version == &initial)
			break;
		newer = version;
		next = version->older;
	}
}

/* The leaf that the tables have now for the address, its level, 0 if there is none. */
static uint64_t truth_of(uint64_t va, unsigned int *level)
{
	unsigned int page = location(&hm_machine->root->val) / HM_MACHINE_ENTRIES;
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

static struct walk walk_all(unsigned int cpu, hm_va_t va, enum hm_access access, bool pipeline,
			    unsigned int wanted)
{
	struct walk walk = { .cpu = cpu, .va = va.val, .access = access, .wanted = wanted };
	unsigned int level;

	if (!hm_machine->root || va.val >> 48 != 0xffff) {
		hm_machine_violation("no tables for %#llx: no root, or not in the upper half",
				     (unsigned long long)va.val);
		return walk;
	}
	for (level = 0; level < LEVELS; level++)
		walk.leaf_floor[level] = floor_of(cpu, va.val, level, false, pipeline);
	walk.table_floor = floor_of(cpu, va.val, 0, true, pipeline);
	walk.truth = truth_of(va.val, &walk.truth_level);
	explore(&walk, LEVELS - 1, location(&hm_machine->root->val) / HM_MACHINE_ENTRIES, NULL, 0);
	return walk;
}

enum hm_machine_outcome hm_machine_access(hm_va_t va, enum hm_access access)
{
	struct verdict truth;
	struct walk walk;
	bool allowed;

	step(HM_INSN_KINDS, "access", va.val, access);
	hm_machine->accesses++;
	walk = walk_all(hm_machine->cpu, va, access, true, HM_MACHINE_PAGES);
	truth = judge(hm_machine->cpu, walk.truth, access);
	allowed = truth.permitted;
	if (truth.permitted && truth.denied)
		hm_machine_violation(
			"the access to %#llx may come before a register write that is not "
			"synchronised",
			(unsigned long long)va.val);
	else if ((walk.sizes & (walk.sizes - 1)) && hm_machine->config.bbm_level < 3)
		hm_machine_violation(
			"TLB conflict at %#llx: entries of two sizes before BBM level 3",
			(unsigned long long)va.val);
	else if (allowed && walk.faults)
		hm_machine_violation(
			"spurious fault at %#llx: its entry may not have been seen yet",
			(unsigned long long)va.val);
	else if (allowed && (walk.stale || walk.denied))
		hm_machine_violation("stale translation of %#llx after an owed TLBI",
				     (unsigned long long)va.val);
	else if (!allowed && walk.permitted)
		hm_machine_violation(
			"%#llx is still accessible: stale translation after an owed TLBI",
			(unsigned long long)va.val);
	return allowed ? HM_MACHINE_DONE : HM_MACHINE_FAULT;
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

enum hm_machine_outcome hm_machine_try(hm_va_t va, enum hm_access access)
{
	struct walk walk;
	bool fault;

	step(HM_INSN_KINDS, "access, may fault", va.val, access);
	hm_machine->accesses++;
	walk = walk_all(hm_machine->cpu, va, access, true, HM_MACHINE_PAGES);
	fault = walk.faults || walk.denied;
	if (fault && walk.permitted)
		fault = hm_machine_random(2);
	if (fault)
		hm_machine_fault();
	return fault ? HM_MACHINE_FAULT : HM_MACHINE_DONE;
}

bool hm_machine_may_fault(hm_va_t va, enum hm_access access)
{
	struct walk walk = walk_all(hm_machine->cpu, va, access, true, HM_MACHINE_PAGES);

	return walk.faults || walk.denied;
}

bool hm_machine_may_fault_at(hm_va_t va, unsigned int level)
{
	struct walk walk = walk_all(hm_machine->cpu, va, HM_ACCESS_READ, true, HM_MACHINE_PAGES);

	return walk.faults >> level & 1;
}

bool hm_machine_may_succeed(hm_va_t va, enum hm_access access)
{
	return walk_all(hm_machine->cpu, va, access, true, HM_MACHINE_PAGES).permitted;
}

bool hm_machine_may_reach(unsigned int cpu, hm_va_t va, unsigned int number)
{
	return walk_all(cpu, va, HM_ACCESS_READ, false, number).reached;
}

void hm_machine_release(unsigned int number, hm_va_t va, uint64_t bytes)
{
	const char *what = hm_machine->table_level[number] ? "table" : "page";
	unsigned int cpu;
	hm_va_t at = va;

	step(HM_INSN_KINDS, "release", number, va.val);
	for (; at.val - va.val < bytes; at.val += HM_MACHINE_PAGE_BYTES)
		for (cpu = 0; cpu < hm_machine->config.cpus; cpu++)
			if (hm_machine_may_reach(cpu, at, number))
				hm_machine_violation("%s %u is freed while CPU %u may hold a "
						     "translation by it of %#llx",
						     what, number, cpu, (unsigned long long)at.val);
	hm_machine->table_level[number] = 0;
}

/* ---- stores ---- */

/* The page and what it links are tables of that level and below, from now on. */
static void mark_table(unsigned int page, unsigned int level, uint64_t base)
{
	unsigned int i;

	if (page >= HM_MACHINE_PAGES) {
		hm_machine_violation("a link to page %u, which is not memory", page);
		return;
	}
	hm_machine->table_level[page] = (uint8_t)(level + 1);
	hm_machine->table_base[page] = base;
	for (i = 0; level && i < HM_MACHINE_ENTRIES; i++) {
		uint64_t value = current(page * HM_MACHINE_ENTRIES + i);

		if (is_link(value, level))
			mark_table(page_of(value), level - 1, base + i * level_bytes(level));
	}
}

/* Whether the table, at that level, says of the same memory just what the block says. */
static bool same_as_block(unsigned int page, unsigned int level, uint64_t block)
{
	unsigned int i;

	for (i = 0; page < HM_MACHINE_PAGES && i < HM_MACHINE_ENTRIES; i++) {
		uint64_t piece = block + i * level_bytes(level);

		if (!level) /* pages have the bit that blocks have not */
			piece |= TABLE;
		if (current(page * HM_MACHINE_ENTRIES + i) != piece)
			return false;
	}
	return page < HM_MACHINE_PAGES;
}

/*
 * Whether a valid entry may be replaced by another without being invalid, and invalidated, between (Arm ARM
 * D8.17.1): permissions and software bits may; from not global to global may not; nor other memory, nor
 * another type. Another size of the same memory may from BBM level 2 on.
 */
static bool may_follow(uint64_t old, uint64_t value, unsigned int level)
{
	bool was_link = is_link(old, level), links = is_link(value, level);

	if (old == value)
		return true;
	if (was_link != links)
		return hm_machine->config.bbm_level >= 2 &&
		       same_as_block(page_of(was_link ? old : value), level - 1,
				     was_link ? value : old);
	if (links || ((old & NOT_GLOBAL) && !(value & NOT_GLOBAL)))
		return false;
	return !((old ^ value) & (ADDRESS | MEMORY_TYPE));
}

/* An entry of a live table turns valid: no CPU may still hold another entry for the same address. */
static void check_break_before_make(uint32_t where, unsigned int level, uint64_t va, uint64_t value)
{
	const struct hm_machine_version *version = newest(where), *newer = NULL;
	unsigned int cpu;

	for (; version;
	     newer = version,
	     version = version->older ? &hm_machine->versions[version->older - 1] : NULL) {
		if (!is_cached(version->value, level) || may_follow(version->value, value, level))
			continue;
		for (cpu = 0; cpu < hm_machine->config.cpus; cpu++)
			if (!newer ||
			    !(is_link(version->value, level)
				      ? emptied(newer->completed, va, level_bytes(level))
				      : floor_of(cpu, va, level, false, false) > newer->completed))
				hm_machine_violation(
					"break-before-make: CPU %u may hold the old entry for %#llx",
					cpu, (unsigned long long)va);
	}
}

/* A link is stored: what fills its table is ordered before it, by the same CPU's DMB or by a DSB. */
static void check_fill(unsigned int page)
{
	const struct hm_machine_version link = { .issued = hm_machine->now,
						 .cpu = (uint8_t)hm_machine->cpu,
						 .epoch = hm_machine->cpus[hm_machine->cpu].epoch };
	unsigned int i;

	for (i = 0; page < HM_MACHINE_PAGES && i < HM_MACHINE_ENTRIES; i++) {
		const struct hm_machine_version *fill = newest(page * HM_MACHINE_ENTRIES + i);

		if (fill && !ordered(fill, &link))
			hm_machine_violation("table %u is linked: a walker may see that before its "
					     "entry %u",
					     page, i);
	}
}

static void store(uint32_t where, uint64_t value)
{
	struct hm_machine *m = hm_machine;
	unsigned int page = where / HM_MACHINE_ENTRIES, level = m->table_level[page];
	struct hm_machine_version *version;

	if (level--) {
		uint64_t va = m->table_base[page] + where % HM_MACHINE_ENTRIES * level_bytes(level);

		if (value & VALID)
			check_break_before_make(where, level, va, value);
		if (is_link(value, level)) {
			check_fill(page_of(value));
			mark_table(page_of(value), level - 1, va);
		}
	}
	if (m->version_count == HM_MACHINE_VERSIONS) {
		hm_machine_violation("the run is too long for the machine: too many stores");
		return;
	}
	version = &m->versions[m->version_count++];
	version->value = value;
	version->issued = m->now;
	version->completed = HM_MACHINE_NEVER;
	version->older = m->newest[where];
	version->cpu = (uint8_t)m->cpu;
	version->epoch = m->cpus[m->cpu].epoch;
	m->newest[where] = m->version_count;
	m->memory[page][where % HM_MACHINE_ENTRIES].val = value;
}

/* The library's own store: the linear map has to permit it, for all that this CPU may hold of it. */
static void check_linear(uint32_t where)
{
	unsigned int page = where / HM_MACHINE_ENTRIES;
	const hm_va_t va = { hm_machine->linear + (uint64_t)page * HM_MACHINE_PAGE_BYTES };
	struct walk walk;

	if (!hm_machine->linear)
		return;
	walk = walk_all(hm_machine->cpu, va, HM_ACCESS_WRITE, true, HM_MACHINE_PAGES);
	if (walk.denied)
		hm_machine_violation(
			"a store to page %u may be denied: without its key, or not yet with "
			"it",
			page);
	else if (walk.faults || !walk.permitted)
		hm_machine_violation("a store to page %u where the linear map has no translation",
				     page);
}

void hm_machine_set_linear(uint64_t linear)
{
	hm_machine->linear = linear;
}

void hm_machine_stray(unsigned int number)
{
	const hm_va_t va = { hm_machine->linear + (uint64_t)number * HM_MACHINE_PAGE_BYTES };

	step(HM_INSN_KINDS, "stray store", number, 0);
	if (walk_all(hm_machine->cpu, va, HM_ACCESS_WRITE, true, HM_MACHINE_PAGES).permitted)
		hm_machine_violation("page %u is open to a stray store of CPU %u", number,
				     hm_machine->cpu);
}

uint64_t hm_machine_load(const uint64_t *address)
{
	uint32_t where = location(address);

	step(HM_INSN_LDR, "load", where / HM_MACHINE_ENTRIES, where % HM_MACHINE_ENTRIES);
	return *address;
}

void hm_machine_store(uint64_t *address, uint64_t value)
{
	uint32_t where = location(address);

	step(HM_INSN_STR, "store", where, value);
	if (where == UINT32_MAX) {
		hm_machine_violation("a store outside of the machine's memory");
		return;
	}
	check_linear(where);
	store(where, value);
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
	check_linear(where);
	found = *address;
	if (found == expected)
		store(where, desired);
	return found;
}

/* ---- barriers and invalidation ---- */

void hm_machine_dsb(enum hm_insn_kind kind)
{
	struct hm_machine *m = hm_machine;
	unsigned int i;

	step(kind, kind == HM_INSN_DSB_ISH ? "DSB ISH" : "DSB ISHST", 0, 0);
	m->cpus[m->cpu].epoch++;
	for (i = m->version_count; i--;) {
		struct hm_machine_version *version = &m->versions[i];

		if (version->cpu == m->cpu) {
			if (version->completed != HM_MACHINE_NEVER)
				break; /* and so are all of this CPU before it */
			version->completed = m->now;
		}
	}
	if (kind != HM_INSN_DSB_ISH)
		return;
	for (i = 0; i < m->invalidation_count; i++)
		if (m->invalidations[i].cpu == m->cpu)
			m->invalidations[i].completed = true;
	advance(m->cpu, 2);
}

/* For this CPU alone: completes its local invalidations. Too weak for anything else. */
void hm_machine_dsb_nsh(void)
{
	struct hm_machine *m = hm_machine;

	step(HM_INSN_KINDS, "DSB NSH", 0, 0);
	for (unsigned int i = 0; i < m->invalidation_count; i++)
		if (m->invalidations[i].cpu == m->cpu && m->invalidations[i].local)
			m->invalidations[i].completed = true;
	advance(m->cpu, 2);
}

void hm_machine_write_register(enum hm_machine_register which, uint64_t value)
{
	struct hm_machine_register_state *state;

	step(which == HM_MACHINE_POR_EL1 ? HM_INSN_MSR_POR_EL1 : HM_INSN_KINDS, "MSR", which,
	     value);
	/* Not before: the thread may be on another CPU after the step. */
	state = &hm_machine->cpus[hm_machine->cpu].registers[which];
	if (which == HM_MACHINE_POR_EL1 && value >> 32)
		hm_machine_violation("POR_EL1: reserved bits are set: %#llx",
				     (unsigned long long)value);
	if (which == HM_MACHINE_POR_EL1 && (value & 7) != 7)
		hm_machine_violation("POR_EL1 closes key 0: %#llx", (unsigned long long)value);
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

void hm_machine_dmb(void)
{
	step(HM_INSN_DMB_ISHST, "DMB ISHST", 0, 0);
	hm_machine->cpus[hm_machine->cpu].epoch++;
}

void hm_machine_isb(void)
{
	step(HM_INSN_ISB, "ISB", 0, 0);
	synchronise(hm_machine->cpu);
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
	each = &m->invalidations[m->invalidation_count++];
	each->issued = m->now;
	each->cpu = (uint8_t)m->cpu;
	each->tables = !leaves;
	each->completed = each->synchronised = false;
	each->local = kind == HM_INSN_TLBI_VMALLE1;
	if (kind == HM_INSN_TLBI_VMALLE1IS || kind == HM_INSN_TLBI_VMALLE1) {
		advance(m->cpu, 1);
		each->first_page = each->pages = 0; /* everything */
	} else if (range) {
		/* BaseADDR is signed: VA[48:12]. */
		each->first_page = (uint64_t)((int64_t)(operand << 27) >> 27) &
				   ((UINT64_C(1) << 44) - 1);
		each->pages = ((operand >> 39 & 31) + 1) << (5 * (operand >> 44 & 3) + 1);
		if ((operand >> 46 & 3) != 1)
			hm_machine_violation("TLBI by range for another granule than 4K");
		if (operand >> 37 & 3)
			hm_machine_violation("TLBI with a level hint: no rule yet");
		if (!m->config.has_tlbi_range)
			hm_machine_violation("TLBI by range on a machine without it");
	} else {
		each->first_page = operand & ((UINT64_C(1) << 44) - 1);
		each->pages = 1;
		if (operand >> 44 & 15)
			hm_machine_violation("TLBI with a level hint: no rule yet");
	}
}

/* ---- start ---- */

void hm_machine_start(struct hm_machine *machine, const struct hm_machine_config *config)
{
	/* Versions, invalidations, events and stacks count by their own numbers; the rest is zeroed. */
	memset(machine, 0, offsetof(struct hm_machine, threads));
	for (unsigned int i = 0; i < HM_MACHINE_THREADS; i++)
		memset(&machine->threads[i], 0, offsetof(struct hm_machine_thread, stack));
	machine->thread_count = machine->running = 0;
	machine->root = machine->software_root = NULL;
	machine->scheduling = false;
	memset(machine->table_level, 0, sizeof(machine->table_level));
	memset(machine->newest, 0, sizeof(machine->newest));
	memset(machine->memory, 0, sizeof(machine->memory));
	machine->version_count = machine->invalidation_count = machine->events = 0;
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
	mark_table(number, LEVELS - 1, UINT64_C(0xffff000000000000));
}

void hm_machine_settle(void)
{
	struct hm_machine *m = hm_machine;
	unsigned int i;

	for (i = 0; i < m->version_count; i++)
		m->versions[i].completed = m->now;
	m->now++;
	/* An invalidation of everything, by nobody in particular. */
	m->invalidation_count = 1;
	m->invalidations[0] = (struct hm_machine_invalidation){
		.issued = m->now, .tables = true, .completed = true, .synchronised = true
	};
	for (i = 0; i < HM_MACHINE_CPUS; i++)
		m->cpus[i].synchronised = m->now;
}

hm_pa_t hm_machine_page(unsigned int number)
{
	const hm_pa_t pa = { FIRST_ADDRESS + (uint64_t)number * HM_MACHINE_PAGE_BYTES };

	return pa;
}
