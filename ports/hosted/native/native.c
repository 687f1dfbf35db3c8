/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * native.c -- the arena of the native port, and the host's protection of it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pkey_alloc() and its like */
#endif
#include <hardmap/pgtable.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define DEFAULT_REGISTER HM_PORT_KPKEYS_REGISTER(HM_KPKEYS_BASE)
#define TABLE_BYTES (HM_PORT_PGTABLE_ENTRIES * sizeof(hm_pte_t))
#define ARENA_BYTES (HM_NATIVE_TABLES * TABLE_BYTES)

_Static_assert(ARENA_BYTES % 65536 == 0, "the arena is whole pages of any host");

struct hm_native hm_native;
__thread struct hm_native_cpu hm_native_cpu = { .key_register = DEFAULT_REGISTER };

static hm_pte_t (*arena)[HM_PORT_PGTABLE_ENTRIES];
static const char *names[HM_NATIVE_TABLES]; /* accessed atomically, as is the next */
static unsigned int tables; /* given out; more than there are after the last */

/* MPROTECT: how many CPUs have their window open. Signals are blocked by who holds the lock, as handlers take
 * it too. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int windows;

/* The host failed in something that it has done before, or the program asks for more than there is. */
static _Noreturn void give_up(const char *what)
{
	perror(what);
	abort();
}

/* ---- the host's protection keys ---- */

#ifdef PKEY_DISABLE_WRITE
static int key = -1; /* the host's, that stands for HM_KEY_PGTABLES; -1: none allocated */

bool hm_native_has_keys(void)
{
	if (key == -1)
		key = pkey_alloc(0, PKEY_DISABLE_WRITE);
	return key != -1;
}

static void protect_by_key(void)
{
	if (pkey_mprotect(arena, ARENA_BYTES, PROT_READ | PROT_WRITE, key))
		give_up("native: pkey_mprotect");
}

/* This thread's own register lets it do what ours says. */
static void follow_by_key(uint64_t value)
{
	const uint64_t access = value >> 4 * HM_KEY_PGTABLES;
	unsigned int rights = 0;

	if (!(access & HM_KEY_WRITE))
		rights = PKEY_DISABLE_WRITE;
	if (!(access & HM_KEY_READ))
		rights = PKEY_DISABLE_ACCESS;
	if (pkey_get(key) != (int)rights && pkey_set(key, rights))
		give_up("native: pkey_set");
}
#else /* a libc that does not know them */
bool hm_native_has_keys(void)
{
	return false;
}

static void protect_by_key(void)
{
}

static void follow_by_key(uint64_t value)
{
	(void)value;
}
#endif

/* ---- mprotect ---- */

static void follow_by_mprotect(uint64_t value)
{
	const bool window = value & HM_KEY_ALLOW(HM_KEY_PGTABLES, HM_KEY_WRITE);
	sigset_t all, before;
	bool change;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_mutex_lock(&lock);
	if (window && !hm_native_cpu.window)
		change = !windows++;
	else if (!window && hm_native_cpu.window)
		change = !--windows;
	else
		change = false;
	if (change && mprotect(arena, ARENA_BYTES, window ? PROT_READ | PROT_WRITE : PROT_READ))
		give_up("native: mprotect");
	hm_native_cpu.window = window;
	hm_native_cpu.key_register = value;
	pthread_mutex_unlock(&lock);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* ---- the register ---- */

/*
 * With the host's keys a read, too, makes the thread's own register follow. Linux starts a signal handler
 * with one that opens nothing, not even for reads, and gives the thread's back where the handler returns,
 * although the handler may have closed the window that the thread was about to close. Ours survives, as
 * hardware's would, and whoever relies on the register without writing it reads it.
 */
uint64_t hm_native_read_register(void)
{
	const uint64_t value = hm_native_cpu.key_register;

	if (hm_native.way == HM_NATIVE_KEYS)
		follow_by_key(value);
	return value;
}

void hm_native_write_register(uint64_t value)
{
	hm_native_count(HM_INSN_MSR_POR_EL1);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (hm_native.way == HM_NATIVE_MPROTECT) {
		follow_by_mprotect(value);
	} else {
		/* In this order: after a signal in between the thread still executes the second. */
		hm_native_cpu.key_register = value;
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		if (hm_native.way == HM_NATIVE_KEYS)
			follow_by_key(value);
	}
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* ---- contexts and bugs ---- */

void hm_native_switch_context(struct hm_context *context)
{
	hm_native_cpu.context = context;
}

void hm_native_bug(const char *message)
{
	__atomic_store_n(&hm_native.bug, message, __ATOMIC_RELAXED);
	__atomic_fetch_add(&hm_native.bugs, 1, __ATOMIC_RELAXED);
}

/* ---- tables ---- */

hm_pte_t *hm_native_table(const char *name)
{
	unsigned int number = __atomic_fetch_add(&tables, 1, __ATOMIC_RELAXED);

	if (number >= HM_NATIVE_TABLES) {
		fprintf(stderr, "native: there are only %u tables\n", HM_NATIVE_TABLES);
		abort();
	}
	__atomic_store_n(&names[number], name, __ATOMIC_RELAXED);
	return arena[number];
}

/* The number of the table that the address is in, HM_NATIVE_TABLES if it is in none. */
static unsigned int table_of(const void *address)
{
	uintptr_t offset = (uintptr_t)address - (uintptr_t)arena;

	return offset < ARENA_BYTES ? (unsigned int)(offset / TABLE_BYTES) : HM_NATIVE_TABLES;
}

const char *hm_native_name(const void *address)
{
	unsigned int number = table_of(address);

	return number < HM_NATIVE_TABLES ? __atomic_load_n(&names[number], __ATOMIC_RELAXED) : NULL;
}

/* ---- faults ---- */

/* The entry by which a kernel would reach the address: the arena's pages are tagged; of others nothing is
 * known. */
static hm_pte_t entry_of(const void *address)
{
	const hm_pa_t page = { (uintptr_t)address & ~(TABLE_BYTES - 1) };
	const hm_pte_t none = { 0 };

	if (table_of(address) == HM_NATIVE_TABLES)
		return none;
	return hm_arm64_leaf(page, 0, HM_ARM64_KERNEL_RW | HM_ARM64_KEY(HM_KEY_PGTABLES));
}

static __thread struct {
	sigjmp_buf *resume; /* NULL: no fault is expected */
	struct hm_native_fault *fault;
} expected;
static struct sigaction action_before;

static void on_fault(int signal, siginfo_t *information, void *machine)
{
	struct hm_native_fault *fault = expected.fault;
	const void *address = information->si_addr;
	hm_context_exception_t interrupted;

	(void)machine;
	if (!expected.resume) { /* the access repeats, and is theirs */
		sigaction(signal, &action_before, NULL);
		return;
	}
	interrupted = hm_context_exception_push();
	fault->address = address;
	fault->table = hm_native_name(address);
	fault->index = (unsigned int)((uintptr_t)address % TABLE_BYTES / sizeof(hm_pte_t));
	fault->why = hm_kpkeys_why((uint64_t)information->si_code, entry_of(address).val);
	hm_context_exception_pop(interrupted);
	siglongjmp(*expected.resume, 1);
}

/* Once: a second handler would find ours before it. */
static void catch_faults(void)
{
	static bool installed;
	struct sigaction action;

	if (installed)
		return;
	installed = true;
	memset(&action, 0, sizeof(action));
	action.sa_sigaction = on_fault;
	/* Not deferred, as no return from the handler would end that; and for whoever faults in a handler. */
	action.sa_flags = SA_SIGINFO | SA_NODEFER;
	sigemptyset(&action.sa_mask);
	if (sigaction(SIGSEGV, &action, &action_before))
		give_up("native: sigaction");
}

bool hm_native_expect_fault(void (*attempt)(void *argument), void *argument,
			    struct hm_native_fault *fault)
{
	sigjmp_buf resume;
	sigjmp_buf *const outer_resume = expected.resume;
	struct hm_native_fault *const outer_fault = expected.fault;
	bool faulted;

	memset(fault, 0, sizeof(*fault));
	if (sigsetjmp(resume, 1)) {
		faulted = true;
	} else {
		expected.fault = fault;
		expected.resume = &resume;
		attempt(argument);
		faulted = false;
	}
	expected.resume = outer_resume;
	expected.fault = outer_fault;
	return faulted;
}

/* ---- start ---- */

static enum hm_native_way way_of_environment(void)
{
	const char *way = getenv("HM_NATIVE");

	if (!way)
		return hm_native_has_keys() ? HM_NATIVE_KEYS : HM_NATIVE_MPROTECT;
	if (!strcmp(way, "keys"))
		return HM_NATIVE_KEYS;
	if (!strcmp(way, "mprotect"))
		return HM_NATIVE_MPROTECT;
	if (!strcmp(way, "nothing"))
		return HM_NATIVE_NOTHING;
	fprintf(stderr, "native: HM_NATIVE is keys, mprotect or nothing, not %s\n", way);
	return HM_NATIVE_ANY;
}

bool hm_native_start(enum hm_native_way way)
{
	const int protection = PROT_READ | PROT_WRITE;
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	void *memory;

	if (way == HM_NATIVE_ANY)
		way = way_of_environment();
	if (way == HM_NATIVE_ANY || (way == HM_NATIVE_KEYS && !hm_native_has_keys()))
		return false;
	/* Always in the same place, so that what is left of the last run points to tables, not elsewhere. */
	memory = mmap(arena, ARENA_BYTES, protection, arena ? flags | MAP_FIXED : flags, -1, 0);
	if (memory == MAP_FAILED)
		give_up("native: mmap");
	arena = (hm_pte_t(*)[HM_PORT_PGTABLE_ENTRIES])memory;
	memset(&hm_native, 0, sizeof(hm_native));
	memset(&hm_native_cpu, 0, sizeof(hm_native_cpu));
	memset(names, 0, sizeof(names));
	tables = 0;
	windows = 0;
	hm_native.way = way;
	hm_native_cpu.key_register = DEFAULT_REGISTER;
	if (way == HM_NATIVE_KEYS) {
		protect_by_key();
		follow_by_key(DEFAULT_REGISTER);
	} else if (way == HM_NATIVE_MPROTECT && mprotect(arena, ARENA_BYTES, PROT_READ)) {
		give_up("native: mprotect");
	}
	catch_faults();
	return true;
}
