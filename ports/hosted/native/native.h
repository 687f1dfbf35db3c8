/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * native.h -- the native port's machine: page tables in memory of the host that a stray C store cannot
 * write, and host threads as CPUs. No walker and no TLB: it shows who can write tables, not who sees what
 * was written.
 *
 * USE      hm_native_start(HM_NATIVE_ANY);            // the arena, protected
 *          hm_kpkeys_cpu_start();                     // in every host thread: each is a CPU
 *          hm_native_switch_context(&context);        // on whose behalf this CPU runs from now on
 *          hm_pte_t *table = hm_native_table("PTE table");
 *          ... pgtable.h, lazy_mmu.h, kpkeys.h ...
 *          hm_native_expect_fault(attempt, argument, &fault);
 *
 *          A signal handler is an exception: hm_context_exception_push() first, _pop() last.
 * STATE    The global hm_native; hm_native_cpu of each host thread. Both in native.c.
 * CONTEXT  Any host thread, and signal handlers, but for hm_native_start().
 */
#ifndef HM_NATIVE_H
#define HM_NATIVE_H
#define HM_CONTEXT_TYPES_ONLY
#include <hardmap/context.h>
#undef HM_CONTEXT_TYPES_ONLY
#define HM_KPKEYS_TYPES_ONLY
#include <hardmap/kpkeys.h>
#undef HM_KPKEYS_TYPES_ONLY
#define HM_PGTABLE_TYPES_ONLY
#include <hardmap/pgtable.h>
#undef HM_PGTABLE_TYPES_ONLY
#include <arm64/insn_kind.h>

/* What the host does to the arena when a CPU's key register is written. */
enum hm_native_way {
	/* What HM_NATIVE of the environment says, "keys", "mprotect" or "nothing"; without it KEYS where
	 * the host has them, else MPROTECT. */
	HM_NATIVE_ANY,
	/* The host's own protection keys (x86 PKU, arm64 POE), which every thread has to itself. */
	HM_NATIVE_KEYS,
	/* mprotect(). Weaker: while the window of one CPU is open, the stores of all go through. */
	HM_NATIVE_MPROTECT,
	/* Nothing, the register is only kept. For race detectors: the lock that MPROTECT takes would order
	 * the CPUs, and hide from them what the library leaves unordered. */
	HM_NATIVE_NOTHING,
};

#define HM_NATIVE_TABLES 32 /* in the arena, of 4 KiB */

struct hm_native {
	enum hm_native_way way; /* never ANY once started */
	hm_pte_t *root; /* top-level table of the whole address space, NULL: none */
	unsigned int bugs; /* calls of HM_BUG; this and the next are accessed atomically */
	const char *bug; /* the last one's message, NULL: none */
};
extern struct hm_native hm_native;

struct hm_native_cpu {
	struct hm_context *context; /* who runs; NULL: boot_context */
	struct hm_context boot_context;
	uint64_t key_register; /* in context.h's encoding of permissions */
	bool window; /* MPROTECT: this CPU is one of those that keep the arena writable */
	uint64_t counts[HM_INSN_KINDS]; /* signal handlers count too: added to atomically */
};
extern __thread struct hm_native_cpu hm_native_cpu;

/* Whether the host has protection keys for a program's memory. */
bool hm_native_has_keys(void);
/*
 * As after start: an empty arena, protected, no counts, no bugs; this CPU idle, in its boot context, its
 * register at the default level. False, and nothing happened, if the host cannot do that. One thread at a
 * time; the windows of all others are closed.
 */
bool hm_native_start(enum hm_native_way way);
/* Code runs on behalf of that context from now on, on this CPU. */
void hm_native_switch_context(struct hm_context *context);
/* What HM_BUG does here: it is counted, and the caller goes on. */
void hm_native_bug(const char *message);

/* A table of the arena, empty; the name, which has to stay, is what a report calls it. Ends the program if
 * none is left. Any thread. */
hm_pte_t *hm_native_table(const char *name);
/* The name of the table that the address is in, NULL if it is in none. */
const char *hm_native_name(const void *address);

struct hm_native_fault {
	const void *address;
	const char *table; /* its name, NULL: not in one */
	unsigned int index; /* of the entry there */
	enum hm_kpkeys_fault why;
};

/*
 * Calls attempt, and returns whether it ended in a fault (SIGSEGV), which is then described. The fault is
 * an exception: pushed and popped around what is found out here, so sections and level are as they were
 * where attempt was called. It must not leave any open that it opened itself. Faults outside of it go to
 * whoever had SIGSEGV before.
 */
bool hm_native_expect_fault(void (*attempt)(void *argument), void *argument,
			    struct hm_native_fault *fault);

/* ---- for hardmap_port.h and arm64/insn.h ---- */
uint64_t hm_native_read_register(void);
void hm_native_write_register(uint64_t value);

static inline void hm_native_count(enum hm_insn_kind kind)
{
	__atomic_fetch_add(&hm_native_cpu.counts[kind], 1, __ATOMIC_RELAXED);
}
#endif
