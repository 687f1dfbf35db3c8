/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * stress.c -- contexts that move between host threads, on the native port; also under ThreadSanitizer.
 *
 *	stress [--cpus N] [--steps N | --seconds N] [--seed N] [--plant context|switch]
 *
 * Each host thread is a CPU. There are more tasks than CPUs, each a context and a program of random steps:
 * sections, pauses and guards that nest, entries of its own between those of others in the same tables, a
 * counter in an entry that all update, and switches at any point, after which any CPU goes on with it; the
 * run queue's lock is all that orders that. Meanwhile signals of two kinds interrupt the CPUs, and each
 * other, and write entries too.
 *
 * Every step knows what it owes. At the end entries, the counter, and the numbers of stores, publications
 * and orders that the CPUs counted have to agree with that; at each step the level and whether a write is
 * batched; and nobody may have called HM_BUG. The report is TAP.
 *
 * --plant makes a mistake that ThreadSanitizer has to report: two CPUs on one context; a task that is given
 * to the others before the CPU has switched out of it. Nothing else is judged then.
 */
#include <errno.h>
#include <hardmap/pgtable.h>
#include <native.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CPUS_MAX 8
#define TASKS_PER_CPU 3
#define TASKS_MAX (CPUS_MAX * TASKS_PER_CPU)
#define FRAMES 6 /* that a task has open at most */
#define STRETCH 16 /* consecutive entries of one task */
#define OWN 16 /* entries of one task, each between those of others */
#define STEPS_AT_ONCE 32 /* before a switch, at most */
#define PAGE (UINT64_C(1) << HM_PORT_ARM64_PAGE_SHIFT)

_Static_assert(TASKS_MAX *STRETCH <= HM_PORT_PGTABLE_ENTRIES, "a stretch for each task");
_Static_assert(TASKS_MAX *OWN <= HM_PORT_PGTABLE_ENTRIES, "entries for each task");

/* What somebody's writes owe; summed up and compared with what the CPUs counted. */
struct account {
	uint64_t stores;
	uint64_t attempts; /* compare-and-swap, of which */
	uint64_t updates; /* succeeded, each adding one to the counter */
	uint64_t publications;
	uint64_t orders; /* DMB: fills before their link */
	uint64_t invalidations;
	uint64_t switches;
	uint64_t interrupts;
	uint64_t stray; /* stores that were refused */
};

enum kind { SECTION, PAUSE, GUARD };

struct frame {
	enum kind kind;
	unsigned int level;
	bool active, held;
	hm_lazy_mmu_token_t section;
	hm_lazy_mmu_pause_t pause;
	hm_kpkeys_token_t guard;
};

struct task {
	struct hm_context context;
	hm_context_switch_t away;
	bool out; /* away is its token */
	unsigned int number;
	uint64_t random;
	uint64_t steps; /* to go */
	struct frame frames[FRAMES];
	unsigned int depth;
	bool owed; /* entries that are not published yet */
	uint64_t own[OWN], stretch[STRETCH]; /* what its entries have to be */
	struct account account;
	struct task *next;
};

/* One kind of signal on one CPU: these do not interrupt each other. */
struct interrupt {
	uint64_t random;
	uint64_t entry; /* what its entry has to be */
	struct account account;
};

struct cpu {
	pthread_t thread;
	struct interrupt interrupts[2];
	uint64_t moved; /* tasks that ran elsewhere before */
	struct task *last;
};

static unsigned int cpus = 4;
static uint64_t steps = 50000, seconds, seed = 1;
static enum { NOTHING, ONE_CONTEXT, EARLY_RELEASE } plant;

static hm_pte_t *counter, *own_entries, *stretches, *interrupt_entries, *links;
static struct task tasks[TASKS_MAX];
static struct cpu cpu_of[CPUS_MAX];
static __thread struct cpu *this_cpu; /* NULL: a thread that is none */
static unsigned int failures;

/* The run queue. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct task *first, **last = &first;
static unsigned int unfinished;
static uint64_t counted[HM_INSN_KINDS]; /* by CPUs that are done */
static unsigned int done; /* CPUs; atomic, as the next two */
static bool stop; /* tasks come to an end */
static bool quiet; /* no more signals are sent */

static void failed(const char *what, unsigned int number)
{
	if (plant == NOTHING && !__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED))
		fprintf(stderr, "task or CPU %u: %s\n", number, what);
}

static unsigned int random_below(uint64_t *state, unsigned int n)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return n ? (unsigned int)((*state >> 32) % n) : 0;
}

/* Not 0, and another for each. */
static uint64_t random_state(uint64_t number)
{
	return (seed * 1000 + number + 1) * UINT64_C(0x9e3779b97f4a7c15) | 1;
}

static hm_pte_t page(uint64_t number, uint64_t attributes)
{
	const hm_pa_t pa = { number * PAGE };

	return hm_arm64_leaf(pa, 0, attributes);
}

/* Adds one to the entry that everyone updates. */
static void count_one(struct account *account)
{
	hm_pte_t expected = hm_pte_get(counter), next;

	do {
		next.val = expected.val + PAGE;
		account->attempts++;
	} while (!hm_pte_update(counter, &expected, next));
	account->updates++;
}

/* ---- interrupts ---- */

static void interrupt_writes(struct interrupt *interrupt, hm_pte_t *entry)
{
	struct account *account = &interrupt->account;
	const hm_pte_t pte = page(random_below(&interrupt->random, 1000), HM_ARM64_KERNEL_RW);
	hm_lazy_mmu_token_t tok;

	if (hm_lazy_mmu_active())
		failed("a handler started in a section", 0);
	hm_pte_set(entry, pte);
	account->stores++;
	account->publications++;
	if (random_below(&interrupt->random, 2)) {
		tok = hm_lazy_mmu_enter();
		hm_pte_clear(entry);
		hm_pte_set(entry, pte);
		count_one(account);
		hm_lazy_mmu_leave(tok);
		account->stores += 2;
		account->publications++;
	}
	interrupt->entry = pte.val;
}

static void on_interrupt(int signal)
{
	const unsigned int kind = signal == SIGUSR2;
	const int error = errno;
	hm_context_exception_t interrupted = hm_context_exception_push();

	if (this_cpu) {
		this_cpu->interrupts[kind].account.interrupts++;
		interrupt_writes(&this_cpu->interrupts[kind],
				 &interrupt_entries[2 * (this_cpu - cpu_of) + kind]);
	}
	hm_context_exception_pop(interrupted);
	errno = error;
}

/* From another thread they come at any instruction; ThreadSanitizer runs handlers only where the thread calls
 * the libc, so it does that too. */
static void interrupt_self(struct task *task)
{
	pthread_kill(pthread_self(), random_below(&task->random, 2) ? SIGUSR1 : SIGUSR2);
}

/* ---- the steps of a task ---- */

static const struct frame *innermost(const struct task *task)
{
	static const struct frame idle = { .level = HM_KPKEYS_DEFAULT };

	return task->depth ? &task->frames[task->depth - 1] : &idle;
}

static void publish_owed(struct task *task)
{
	task->account.publications += task->owed;
	task->owed = false;
}

/* A valid entry of the kernel was written: published later, or by itself; that pays nothing of what is
 * owed. */
static void owe(struct task *task)
{
	if (innermost(task)->active)
		task->owed = true;
	else
		task->account.publications++;
}

static void open_frame(struct task *task)
{
	const struct frame *outer = innermost(task);
	struct frame *frame = &task->frames[task->depth];

	frame->kind = SECTION;
	frame->level = outer->held ? outer->level : HM_KPKEYS_PGTABLES;
	frame->active = !outer->held;
	frame->held = outer->held;
	switch (random_below(&task->random, 8)) {
	case 0:
		frame->kind = PAUSE;
		frame->level = HM_KPKEYS_DEFAULT;
		frame->active = false;
		frame->held = true;
		frame->pause = hm_lazy_mmu_pause();
		publish_owed(task);
		break;
	case 1:
		frame->kind = GUARD;
		frame->level = HM_KPKEYS_TEXT;
		frame->active = false;
		frame->guard = hm_kpkeys_enter_text();
		break;
	case 2:
		frame->kind = GUARD;
		frame->level = HM_KPKEYS_PGTABLES;
		frame->active = outer->active;
		frame->guard = hm_kpkeys_enter_pgtables();
		break;
	case 3:
		frame->kind = GUARD;
		frame->level = HM_KPKEYS_DEFAULT;
		frame->active = false;
		frame->guard = hm_kpkeys_enter_default();
		break;
	default:
		frame->section = hm_lazy_mmu_enter();
	}
	task->depth++;
}

static void close_frame(struct task *task)
{
	const struct frame *frame = &task->frames[--task->depth];

	if (frame->kind == SECTION)
		hm_lazy_mmu_leave(frame->section);
	else if (frame->kind == PAUSE)
		hm_lazy_mmu_resume(frame->pause);
	else
		hm_kpkeys_leave(frame->guard);
	if (frame->kind != GUARD)
		publish_owed(task);
}

static void write_entry(struct task *task)
{
	const unsigned int i = random_below(&task->random, OWN);
	hm_pte_t *entry = &own_entries[i * cpus * TASKS_PER_CPU + task->number];
	hm_pte_t pte = page(random_below(&task->random, 1000), HM_ARM64_KERNEL_RW);

	if (hm_pte_get(entry).val != task->own[i])
		failed("an entry changed", task->number);
	switch (random_below(&task->random, 4)) {
	case 0:
		pte.val = 0;
		hm_pte_clear(entry);
		break;
	case 1:
		pte.val |= HM_ARM64_USER;
		hm_pte_set(entry, pte);
		break;
	default:
		hm_pte_set(entry, pte);
		owe(task);
	}
	task->account.stores++;
	task->own[i] = pte.val;
}

static void write_range(struct task *task)
{
	const unsigned int start = random_below(&task->random, STRETCH);
	const unsigned int n = 1 + random_below(&task->random, STRETCH - start);
	hm_pte_t *entries = &stretches[task->number * STRETCH + start];
	hm_pte_t pte = page(random_below(&task->random, 1000), HM_ARM64_KERNEL_RW);
	uint64_t step = PAGE;
	unsigned int i;

	switch (random_below(&task->random, 3)) {
	case 0:
		pte.val = step = 0;
		hm_pte_clear_range(entries, n);
		break;
	case 1:
		hm_pte_fill(entries, n, pte, step);
		break;
	default:
		hm_pte_set_range(entries, n, pte, step);
		owe(task);
	}
	for (i = 0; i < n; i++)
		task->stretch[start + i] = pte.val + i * step;
	task->account.stores += n;
}

static void link_table(struct task *task)
{
	const hm_pa_t pa = { (uintptr_t)stretches };

	hm_pte_link(&links[task->number], hm_arm64_table(pa));
	owe(task);
	task->account.stores++;
	task->account.orders++;
}

static void invalidate(struct task *task)
{
	const hm_va_t va = { UINT64_C(0xffff000000000000) };

	hm_pgtable_invalidate(va, PAGE, HM_INVALIDATE_LEAVES);
	publish_owed(task);
	task->account.invalidations++;
}

static void store(void *entry)
{
	*(volatile uint64_t *)entry = 0;
}

/* Where the host keeps CPUs apart, a store at a level that does not open tables is refused. */
static void stray_store(struct task *task)
{
	struct hm_native_fault fault;

	if (hm_native.way != HM_NATIVE_KEYS || innermost(task)->level == HM_KPKEYS_PGTABLES)
		return;
	if (!hm_native_expect_fault(store, counter, &fault) || fault.why != HM_KPKEYS_FAULT_KEY)
		failed("a stray store went through", task->number);
	task->account.stray++;
}

static uint64_t register_of(unsigned int level)
{
	uint64_t permissions = HM_KPKEYS_BASE;

	if (level == HM_KPKEYS_PGTABLES)
		permissions |= HM_KEY_ALLOW(HM_KEY_PGTABLES, HM_KEY_WRITE);
	else if (level == HM_KPKEYS_TEXT)
		permissions |= HM_KEY_ALLOW(HM_KEY_TEXT, HM_KEY_WRITE);
	return HM_PORT_KPKEYS_REGISTER(permissions);
}

static void step(struct task *task)
{
	switch (random_below(&task->random, 16)) {
	case 0:
	case 1:
		if (task->depth < FRAMES)
			open_frame(task);
		break;
	case 2:
	case 3:
		if (task->depth)
			close_frame(task);
		break;
	case 4:
		count_one(&task->account);
		break;
	case 5:
	case 6:
		write_range(task);
		break;
	case 7:
		hm_lazy_mmu_flush();
		publish_owed(task);
		break;
	case 8:
		link_table(task);
		break;
	case 9:
		invalidate(task);
		break;
	case 10:
		interrupt_self(task);
		break;
	case 11:
		stray_store(task);
		break;
	default:
		write_entry(task);
	}
	if (hm_lazy_mmu_active() != innermost(task)->active)
		failed("whether writes are batched", task->number);
	if (hm_port_kpkeys_read() != register_of(innermost(task)->level))
		failed("the key register", task->number);
}

/* ---- CPUs ---- */

/* The halves of a switch; the CPU is in no task between them, as a scheduler is. */
static void switch_to(struct task *task)
{
	hm_native_switch_context(&task->context);
	if (task->out)
		hm_context_switch_in(task->away);
	task->out = false;
}

static void switch_from(struct task *task)
{
	task->account.switches++;
	task->away = hm_context_switch_out();
	task->out = true;
	hm_native_switch_context(NULL);
}

/* Runs it for a while; whether it is over. */
static bool run(struct task *task)
{
	unsigned int n = 1 + random_below(&task->random, STEPS_AT_ONCE);

	while (n-- && task->steps && !__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		task->steps--;
		step(task);
	}
	if (task->steps && !__atomic_load_n(&stop, __ATOMIC_RELAXED))
		return false;
	while (task->depth)
		close_frame(task);
	hm_context_assert_idle();
	return true;
}

static struct task *take(unsigned int *left)
{
	struct task *task;

	pthread_mutex_lock(&lock);
	task = first;
	if (task) {
		first = task->next;
		if (!first)
			last = &first;
	}
	*left = unfinished;
	pthread_mutex_unlock(&lock);
	return task;
}

/* To whoever takes it next. */
static void give(struct task *task, bool finished)
{
	pthread_mutex_lock(&lock);
	if (finished) {
		unfinished--;
	} else {
		task->next = NULL;
		*last = task;
		last = &task->next;
	}
	pthread_mutex_unlock(&lock);
}

static void schedule(void)
{
	unsigned int left;

	do {
		struct task *task = take(&left);
		bool finished;

		if (!task) {
			sched_yield();
			continue;
		}
		this_cpu->moved += task->out && task != this_cpu->last;
		this_cpu->last = task;
		switch_to(task);
		finished = run(task);
		if (plant == EARLY_RELEASE)
			give(task, finished);
		switch_from(task);
		if (plant != EARLY_RELEASE)
			give(task, finished);
		hm_context_assert_idle();
	} while (left);
}

static void share_a_context(void)
{
	static unsigned int here;
	uint64_t i;

	/* All at once. */
	__atomic_fetch_add(&here, 1, __ATOMIC_RELAXED);
	while (__atomic_load_n(&here, __ATOMIC_RELAXED) < cpus)
		sched_yield();
	hm_native_switch_context(&tasks[0].context);
	for (i = 0; i < steps; i++) {
		hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

		hm_pte_set(&own_entries[this_cpu - cpu_of], page(i % 1000, HM_ARM64_KERNEL_RW));
		hm_lazy_mmu_leave(tok);
	}
	hm_native_switch_context(NULL);
}

static void *cpu_main(void *argument)
{
	const struct timespec moment = { 0, 100000 };
	unsigned int kind;

	this_cpu = (struct cpu *)argument;
	hm_kpkeys_cpu_start();
	if (plant == ONE_CONTEXT)
		share_a_context();
	else
		schedule();
	__atomic_fetch_add(&done, 1, __ATOMIC_RELAXED);
	/* Nobody sends a signal to a thread that has ended. */
	while (!__atomic_load_n(&quiet, __ATOMIC_ACQUIRE))
		nanosleep(&moment, NULL);
	hm_context_assert_idle();
	if (hm_port_kpkeys_read() != register_of(HM_KPKEYS_DEFAULT))
		failed("the key register of a CPU that is done", (unsigned int)(this_cpu - cpu_of));
	pthread_mutex_lock(&lock);
	for (kind = 0; kind < HM_INSN_KINDS; kind++)
		counted[kind] += hm_native_cpu.counts[kind];
	pthread_mutex_unlock(&lock);
	return NULL;
}

/* ---- the end ---- */

static void add(struct account *sum, const struct account *account)
{
	sum->stores += account->stores;
	sum->attempts += account->attempts;
	sum->updates += account->updates;
	sum->publications += account->publications;
	sum->orders += account->orders;
	sum->invalidations += account->invalidations;
	sum->switches += account->switches;
	sum->interrupts += account->interrupts;
	sum->stray += account->stray;
}

static void agree(const char *what, uint64_t is, uint64_t should_be)
{
	if (is == should_be)
		return;
	failures++;
	fprintf(stderr, "%s: %llu, should be %llu\n", what, (unsigned long long)is,
		(unsigned long long)should_be);
}

static void check_task(const struct task *task)
{
	unsigned int i;

	for (i = 0; i < OWN; i++)
		agree("an entry",
		      hm_pte_get(&own_entries[i * cpus * TASKS_PER_CPU + task->number]).val,
		      task->own[i]);
	for (i = 0; i < STRETCH; i++)
		agree("an entry of a range", hm_pte_get(&stretches[task->number * STRETCH + i]).val,
		      task->stretch[i]);
}

static void check(uint64_t counter_before)
{
	struct account sum = { 0 };
	uint64_t moved = 0;
	unsigned int i, kind;

	for (i = 0; i < cpus * TASKS_PER_CPU; i++) {
		add(&sum, &tasks[i].account);
		check_task(&tasks[i]);
	}
	for (i = 0; i < cpus; i++) {
		for (kind = 0; kind < 2; kind++) {
			const struct interrupt *interrupt = &cpu_of[i].interrupts[kind];

			add(&sum, &interrupt->account);
			agree("an interrupt's entry",
			      hm_pte_get(&interrupt_entries[2 * i + kind]).val, interrupt->entry);
		}
		moved += cpu_of[i].moved;
	}
	agree("the counter", (hm_pte_get(counter).val - counter_before) / PAGE, sum.updates);
	agree("stores", counted[HM_INSN_STR], sum.stores);
	agree("compare-and-swaps", counted[HM_INSN_CAS], sum.attempts);
	agree("DSB ISHST", counted[HM_INSN_DSB_ISHST], sum.publications + sum.invalidations);
	agree("DSB ISH", counted[HM_INSN_DSB_ISH], sum.switches + sum.invalidations);
	agree("DMB ISHST", counted[HM_INSN_DMB_ISHST], sum.orders);
	agree("TLBI", counted[HM_INSN_TLBI_VAALE1IS], sum.invalidations);
	if (counted[HM_INSN_ISB] >
	    sum.publications + sum.invalidations + sum.switches + counted[HM_INSN_MSR_POR_EL1])
		agree("ISBs at most", counted[HM_INSN_ISB], 0);
	agree("HM_BUG", hm_native.bugs, 0);
	if (hm_native.bug)
		fprintf(stderr, "%s\n", hm_native.bug);
	printf("1..1\n%sok 1 - %u CPUs, %u tasks: %llu stores, %llu publications, %llu updates in "
	       "%llu attempts, %llu switches, %llu moves, %llu interrupts, %llu stray stores refused\n",
	       failures ? "not " : "", cpus, cpus * TASKS_PER_CPU, (unsigned long long)sum.stores,
	       (unsigned long long)sum.publications, (unsigned long long)sum.updates,
	       (unsigned long long)sum.attempts, (unsigned long long)sum.switches,
	       (unsigned long long)moved, (unsigned long long)sum.interrupts,
	       (unsigned long long)sum.stray);
}

/* ---- the beginning ---- */

static void prepare(void)
{
	unsigned int i, kind;

	counter = hm_native_table("the counter's table");
	own_entries = hm_native_table("the tasks' table");
	stretches = hm_native_table("the ranges' table");
	interrupt_entries = hm_native_table("the interrupts' table");
	links = hm_native_table("the links' table");
	for (i = 0; i < cpus * TASKS_PER_CPU; i++) {
		tasks[i].number = i;
		tasks[i].random = random_state(i);
		tasks[i].steps = seconds ? UINT64_MAX : steps;
		give(&tasks[i], false);
	}
	unfinished = cpus * TASKS_PER_CPU;
	for (i = 0; i < cpus; i++)
		for (kind = 0; kind < 2; kind++)
			cpu_of[i].interrupts[kind].random = random_state(1000 + 2 * i + kind);
}

static void handle(int signal)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = on_interrupt;
	action.sa_flags = SA_RESTART;
	sigemptyset(&action.sa_mask); /* either interrupts the other */
	sigaction(signal, &action, NULL);
}

/* Sends signals until every CPU is done. */
static void interrupt_cpus(void)
{
	const struct timespec moment = { 0, 20000 };
	const time_t end = time(NULL) + (time_t)seconds;
	uint64_t random = random_state(2000);

	while (__atomic_load_n(&done, __ATOMIC_RELAXED) < cpus) {
		if (seconds && time(NULL) >= end)
			__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
		pthread_kill(cpu_of[random_below(&random, cpus)].thread,
			     random_below(&random, 2) ? SIGUSR1 : SIGUSR2);
		nanosleep(&moment, NULL);
	}
	__atomic_store_n(&quiet, true, __ATOMIC_RELEASE);
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
	for (; *arguments; arguments += 2) {
		const char *value = arguments[1];
		uint64_t n = 0;
		bool known;

		if (!strcmp(*arguments, "--plant") && value) {
			plant = strcmp(value, "context") ? EARLY_RELEASE : ONE_CONTEXT;
			known = plant == ONE_CONTEXT || !strcmp(value, "switch");
		} else if (!number(value, &n)) {
			known = false;
		} else if (!strcmp(*arguments, "--cpus")) {
			cpus = n <= CPUS_MAX ? (unsigned int)n : 0;
			known = cpus;
		} else if (!strcmp(*arguments, "--steps")) {
			steps = n;
			known = true;
		} else if (!strcmp(*arguments, "--seconds")) {
			seconds = n;
			known = true;
		} else {
			seed = n;
			known = !strcmp(*arguments, "--seed");
		}
		if (!known)
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	uint64_t counter_before;
	unsigned int i;

	if (!argc || !parse(argv + 1)) {
		fprintf(stderr,
			"stress [--cpus 1..%d] [--steps N | --seconds N] [--seed N] "
			"[--plant context|switch]\n",
			CPUS_MAX);
		return 2;
	}
	if (!hm_native_start(HM_NATIVE_ANY)) {
		fprintf(stderr, "this host cannot do what HM_NATIVE asks for\n");
		return 2;
	}
	hm_kpkeys_cpu_start();
	prepare();
	hm_pte_set(counter, page(1, HM_ARM64_KERNEL_RW));
	counter_before = hm_pte_get(counter).val;
	handle(SIGUSR1);
	handle(SIGUSR2);
	for (i = 0; i < cpus; i++)
		if (pthread_create(&cpu_of[i].thread, NULL, cpu_main, &cpu_of[i])) {
			perror("pthread_create");
			return 2;
		}
	interrupt_cpus();
	for (i = 0; i < cpus; i++)
		pthread_join(cpu_of[i].thread, NULL);
	if (plant != NOTHING)
		return 0;
	check(counter_before);
	return failures ? 1 : 0;
}
