/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * machine.h -- an arm64 machine that is as unhelpful as the architecture allows: several CPUs whose
 * table walkers see a store as late, and as early, as they may, and whose TLBs, walk caches and
 * pipelines hold whatever they could have read. The code under test is the real port, over the
 * instructions of machine/arm64/insn.h. A simulation: it executes no table walk, it asks which were
 * possible.
 *
 * USE      hm_machine_start(&machine, &config);
 *          hm_machine_set_root(page);  ... tables ...  hm_machine_settle();
 *          hm_machine_thread(body, argument);             ... some of them ...
 *          hm_machine_run();                              until all bodies have returned
 *          if (machine.violation[0]) hm_machine_report(stdout);
 *
 *          A body calls the library, and says what it relies on: hm_machine_access() for a
 *          translation that must work, hm_machine_release() for memory that nobody may still
 *          translate to. See ports/hosted/README.md.
 *
 * HOW      Time is the number of instructions so far. Each table entry keeps every value it had,
 *          with two times: from when a walker may see it (its store), and until when one may still
 *          see the value before it (the DSB that completed the store; never, without one). A DMB
 *          between two stores orders them for a walker that reads the second before the first.
 *          What a CPU may use for an access now is then a set: every entry that a walk could have
 *          read since a TLBI covered it; every "invalid" since its last context
 *          synchronisation event. One member of that set that disagrees with what the tables say is a
 *          violation: nothing has to be hit by luck, only the interleaving is random.
 *
 * STRICTER than the architecture, deliberately: no DSB of another CPU completes this one's stores;
 *          the CPU that invalidates needs its own context synchronisation event, for data too.
 * KEYS     With config.key_style WINDOW the CPUs have FEAT_S1PIE and FEAT_S1POE, EL1's view (Arm ARM D8.4).
 *          A register's old and new value are both in effect until the context synchronisation event that
 *          follows the write, and for TCR2_EL1 and PIR_EL1 until a TLBI after that one. The library's
 *          stores are judged by the descriptors of the linear map (hm_machine_set_linear()).
 *          With STORE they have FEAT_S1PIE and FEAT_GCS: pages that GCSSTR alone writes, once
 *          GCSCR_EL1.STREn is in effect (D8.4, D11). Such a keyed store is ordered by a GCSB alone, against
 *          ordinary accesses before and after it, and other keyed stores but to the same entry; and the GCSB
 *          against ordinary accesses by a full barrier, DMB ISH or DSB ISH (D11.9).
 * SIZES    A contiguous entry (bit 52) may be held for all of its group, blocks and tables may replace one
 *          another from BBM level 2 on, and a TLBI with a level hint takes leaves of that level alone. The
 *          granule is the build's: HM_PORT_ARM64_PAGE_SHIFT, for machine.c too.
 * CODE     What is stored by these instructions is found by fetches once it is cleaned to the point of
 *          unification, invalidated where it executes, each completed by a DSB, and the CPU that fetches
 *          has had a context synchronisation event (Arm ARM B2.7.4); until then any of the contents since the
 *          last invalidation is. No leaf is writable and executable.
 * NOT HERE Loads and stores of plain memory, and loads of entries but for keyed stores, are in order. User
 *          mode has no rules yet: see "To be added" in ports/hosted/README.md.
 * STATE    struct hm_machine, the caller's, large, all-zero before its first start; one runs at a time in a
 *          host thread.
 */
#ifndef HM_MACHINE_H
#define HM_MACHINE_H
#define HM_CONTEXT_TYPES_ONLY
#include <hardmap/context.h>
#undef HM_CONTEXT_TYPES_ONLY
#define HM_PGTABLE_TYPES_ONLY
#include <hardmap/pgtable.h>
#undef HM_PGTABLE_TYPES_ONLY
#include <arm64/insn_kind.h>
#include <stdio.h>
#include <ucontext.h>

#define HM_MACHINE_CPUS 4
#define HM_MACHINE_THREADS 8
#define HM_MACHINE_PAGES 64 /* of memory, tables and data */
#ifndef HM_PORT_ARM64_PAGE_SHIFT
#define HM_PORT_ARM64_PAGE_SHIFT 12 /* the granule: 12 (4K), 14 (16K), 16 (64K) */
#endif
#define HM_MACHINE_PAGE_BYTES (1 << HM_PORT_ARM64_PAGE_SHIFT)
#define HM_MACHINE_ENTRIES (HM_MACHINE_PAGE_BYTES / 8)
#define HM_MACHINE_SMALLEST_GROUP 16 /* entries that the contiguous bit makes one, at the least */
#define HM_MACHINE_VERSIONS (128 * HM_MACHINE_ENTRIES) /* stores to tables that one run may do */
#define HM_MACHINE_INVALIDATIONS 16384 /* TLBIs that one run may do */
#define HM_MACHINE_FETCH_INVALIDATIONS 8192 /* ICs, of consecutive lines at once */
/* Lines that a CPU may clean without a DSB: all, of 32 bytes. */
#define HM_MACHINE_CLEANS (HM_MACHINE_PAGES * HM_MACHINE_ENTRIES / 4)
#define HM_MACHINE_FETCHED 8 /* instructions at one address that are looked at */
#define HM_MACHINE_LOADS 16 /* last ones of a CPU that a keyed store is checked against */
#define HM_MACHINE_TRACE 64 /* last events, for the report */
#define HM_MACHINE_STACK (64 * 1024)
#define HM_MACHINE_NEVER UINT64_MAX

struct hm_machine_config {
	unsigned int cpus; /* 1 to HM_MACHINE_CPUS */
	uint64_t seed; /* of all that is left to chance */
	/* Chances of 256, at each instruction, that another CPU goes on, and that an interrupt comes. */
	unsigned int interleave, interrupt;
	bool has_tlbi_range;
	unsigned int key_style; /* HM_KEY_STYLE_NONE, _WINDOW or _STORE; 0 is the first */
	/* What may change its size without break-before-make (Arm ARM D8.17.2, FEAT_BBM). 0: nothing; 1: the
	 * contiguous bit; 2: blocks and tables too. A conflict abort may come until the TLBI, but for 3: none
	 * comes. */
	unsigned int bbm_level;
	/* CTR_EL0: whether fetches find what was stored without cleaning data caches to the point of
	 * unification, without invalidating instruction caches (IDC, DIC); and bytes of a line of either, 0:
	 * 64. */
	bool idc, dic;
	unsigned int data_line, fetch_line;
	/* Pages of memory that follow each other; the next as many begin where the next of the largest blocks
	 * does, so that each such bank can be a block of the linear map by itself. 0: all follow each
	 * other. */
	unsigned int bank;
	/* The exception vector: runs on the interrupted thread, between two context synchronisation
	 * events (SCTLR_EL1.EIS and EOS are 1), and does what the kernel does there. NULL: no
	 * interrupts. Interrupts nest two deep. */
	void (*vector)(void);
	/* What each CPU executes first, when hm_machine_run() begins; registers are as after a reset. NULL:
	 * nothing. */
	void (*start)(void);
	/* The kernel's side of direct_map.h, if the code under test uses it: hm_port_pgtable_alloc(),
	 * _free(), hm_port_direct_map_break(), _mend(). */
	bool (*alloc_table)(hm_pa_t *table);
	void (*free_table)(hm_pa_t table);
	int (*break_range)(hm_va_t va, uint64_t bytes);
	void (*mend_range)(hm_va_t va, uint64_t bytes);
};

enum hm_machine_outcome { HM_MACHINE_DONE, HM_MACHINE_FAULT };

/* A value that an entry has or had. */
struct hm_machine_version {
	uint64_t value;
	uint64_t stored; /* when the instruction was */
	uint64_t issued; /* a walker may see it from here on; keyed, perhaps before that */
	uint64_t completed; /* none sees what was there before from here on; NEVER: not yet */
	/* The CPU's stores up to then, ordinary and keyed, are seen by whoever sees this one. */
	uint64_t plain_before, keyed_before;
	uint64_t left; /* at once, or keyed, the first GCSB of the CPU after it; NEVER: not yet */
	uint64_t cleaned; /* no fetch from memory finds what was there before; NEVER: not yet */
	uint32_t older; /* the version before, + 1; 0: this is the oldest */
	uint8_t cpu;
	uint8_t who; /* thread, and how deep in exceptions it was */
	uint8_t seen; /* bit n: a load of CPU n has found it, though nothing ordered it */
	uint8_t cleaning; /* bit n: a DC of CPU n took it, and a DSB is due */
	uint8_t halves; /* bit n: it stored instruction n of the two */
	bool keyed;
};

struct hm_machine_invalidation {
	uint64_t issued;
	uint64_t completed; /* by a DSB ISH of that CPU; NEVER: not yet */
	uint64_t first_page, pages; /* of virtual addresses; no pages: of all */
	uint16_t older_tables; /* the one before it that took walk caches, + 1; 0: none */
	uint8_t cpu;
	uint8_t hint; /* the level of leaves that it names + 1, 0: it names none */
	bool tables; /* walk caches too */
	bool local; /* of that CPU only */
};

/* Of instruction caches: IC IVAU, one for lines that follow each other, and IC IALLUIS. */
struct hm_machine_fetch_invalidation {
	uint64_t issued; /* the first of them */
	uint64_t completed; /* by a DSB ISH of that CPU; NEVER: not yet */
	uint64_t first, bytes; /* no bytes: everything */
	uint8_t cpu;
};

enum hm_machine_register {
	HM_MACHINE_POR_EL1,
	HM_MACHINE_PIR_EL1,
	HM_MACHINE_PIRE0_EL1,
	HM_MACHINE_TCR2_EL1,
	HM_MACHINE_GCSCR_EL1,
	HM_MACHINE_REGISTERS,
};

#define HM_MACHINE_VALUES 8 /* of a register that may be in effect at once */

/* A register whose writes take effect some time up to the next context synchronisation event; and, where
 * TLBs may hold its value, up to the end of an invalidation of everything after that. */
struct hm_machine_register_state {
	uint64_t value; /* written last */
	uint64_t possible[HM_MACHINE_VALUES]; /* any of them may be in effect */
	unsigned int possible_count;
	/* Of synchronise, invalidate, complete, synchronise: how many are done. */
	unsigned int steps;
};

/* A load of an entry, for the keyed stores to it that follow. */
struct hm_machine_entry_load {
	uint64_t time;
	uint32_t where;
	uint8_t who; /* as a version's */
};

struct hm_machine_cpu {
	struct hm_machine_register_state registers[HM_MACHINE_REGISTERS];
	struct hm_context early; /* of code that runs before there are threads */
	/* When the last one was: context synchronisation event, store barrier, full one, DSB ISH, GCSB. */
	uint64_t synchronised, store_barrier, full_barrier, dsb, gcsb;
	/* Ordinary accesses up to then are before keyed stores from now on: the full barrier before a GCSB.
	 * And keyed stores up to then before ordinary accesses: the GCSB before a full barrier. */
	uint64_t opened, drained;
	/* Versions before these are complete, or other CPUs'; have left; and the same of invalidations. */
	unsigned int incomplete, staying, invalidating;
	struct hm_machine_entry_load loads[HM_MACHINE_LOADS];
	unsigned int load_count; /* ever */
	uint32_t cleans[HM_MACHINE_CLEANS]; /* first entries of lines, since the last DSB ISH */
	unsigned int clean_count;
	/* Of instruction caches, the last invalidation since then + 1, 0: none; those before that are
	 * complete, or other CPUs'. */
	unsigned int fetch_last, fetch_invalidating;
	struct hm_machine_thread *thread; /* that runs, NULL: none */
	bool signalled; /* by hm_machine_signal(), and has not taken it */
};

struct hm_machine_thread {
	struct hm_context hardmap; /* the state of whatever uses the library on it */
	ucontext_t context;
	void (*body)(void *argument);
	void *argument;
	unsigned int number;
	unsigned int exceptions; /* how deep in handlers it is */
	uint64_t arrived; /* when it came here from another CPU, 0: never did */
	bool ready, started, masked;
	char stack[HM_MACHINE_STACK];
};

struct hm_machine_event {
	const char *what;
	uint64_t time, a, b;
	uint8_t cpu, thread;
};

struct hm_machine {
	struct hm_machine_config config;
	uint64_t random; /* state of the generator */
	uint64_t now; /* instructions so far */
	uint64_t counts[HM_INSN_KINDS];
	uint64_t accesses, interrupts, migrations;
	unsigned int bugs; /* calls of HM_BUG */
	char violation[256]; /* the first one; empty: none */

	struct hm_machine_cpu cpus[HM_MACHINE_CPUS];
	unsigned int cpu; /* that executes now */
	struct hm_machine_thread threads[HM_MACHINE_THREADS];
	unsigned int thread_count, running;
	bool scheduling; /* inside hm_machine_run() */
	ucontext_t scheduler;

	hm_pte_t *root; /* top-level table, of the upper half of the address space */
	/* What hm_port_pgtable_root() answers: the same, but for some tests. */
	hm_pte_t *software_root;
	uint64_t linear; /* where memory is mapped for the kernel's own stores, 0: unchecked */
	/* Per page: the level of the live table in it + 1, 0: no table; and what it translates. */
	uint8_t table_level[HM_MACHINE_PAGES];
	uint64_t table_base[HM_MACHINE_PAGES];
	uint64_t table_since[HM_MACHINE_PAGES]; /* when it was linked */
	bool used[HM_MACHINE_PAGES]; /* stored to, or a table: what the next start has to clear */
	/* Whether a contiguous entry ever was there: only then a walk has to look at the neighbours. */
	bool contiguous[HM_MACHINE_PAGES][HM_MACHINE_ENTRIES / HM_MACHINE_SMALLEST_GROUP];
	/* Whether entries of more than one size, TLBIs of one CPU alone, were ever there: what costs to look
	 * for only then. */
	bool sizes, locals;
	uint32_t newest[HM_MACHINE_PAGES * HM_MACHINE_ENTRIES]; /* version + 1, 0: always was 0 */
	/* Bit n: CPU n has cleaned the line that begins there, and a DSB is due. */
	uint8_t cleaning[HM_MACHINE_PAGES * HM_MACHINE_ENTRIES];
	struct hm_machine_version versions[HM_MACHINE_VERSIONS];
	unsigned int version_count;
	struct hm_machine_invalidation invalidations[HM_MACHINE_INVALIDATIONS];
	unsigned int invalidation_count;
	struct hm_machine_fetch_invalidation fetch_invalidations[HM_MACHINE_FETCH_INVALIDATIONS];
	unsigned int fetch_invalidation_count;
	struct hm_machine_event trace[HM_MACHINE_TRACE];
	unsigned int events; /* ever; the trace holds the last ones */
	_Alignas(HM_MACHINE_PAGE_BYTES) hm_pte_t memory[HM_MACHINE_PAGES][HM_MACHINE_ENTRIES];
};

/* The machine that the instructions act on; set by hm_machine_start(). */
extern struct hm_machine *hm_machine;

/* A machine as new: memory zero (but for plain stores to what never was a table), no tables, every CPU
 * synchronised. Outside hm_machine_run() code runs on CPU 0 as thread 0, without interleaving or interrupts:
 * for setting tables up. */
void hm_machine_start(struct hm_machine *machine, const struct hm_machine_config *config);
/* Memory page `number` is the top-level table, empty. */
void hm_machine_set_root(unsigned int number);
/* From now on the kernel reaches memory at linear + its distance from page 0: each of its stores to a table
 * is an access there, and must be permitted, whatever the CPU may hold. */
void hm_machine_set_linear(uint64_t linear);
/* All that was done so far is long past: stores complete, TLBs and pipelines of all CPUs empty. For the
 * end of setting up. */
void hm_machine_settle(void);
void hm_machine_thread(void (*body)(void *argument), void *argument);
/* Until every body has returned, or there is a violation. */
void hm_machine_run(void);

/* The physical address of a page of memory; its number by an address in it, HM_MACHINE_PAGES: there is none;
 * and a number below n, from the seed (0 if n is). */
hm_pa_t hm_machine_page(unsigned int number);
unsigned int hm_machine_page_number(hm_pa_t pa);
/* CPU 0 is in the context of that thread, which never runs: no switch, just that. For straight-line tests. */
void hm_machine_become(unsigned int thread);
unsigned int hm_machine_random(unsigned int n);

/* Relies on the translation: as the tables stand, the access is permitted (or not), and every walk that
 * this CPU could have done, or cached, must agree. Returns what the tables say. */
enum hm_machine_outcome hm_machine_access(hm_va_t va, enum hm_access access);
/* A store to that page through the linear map that nobody should make: it must be denied, whatever the CPU
 * may hold. For code that claims to be at the default level, of a page whose key is not that level's. */
void hm_machine_stray(unsigned int number);
/* Does the access and takes what comes: one of the possible outcomes, by chance, without complaint.
 * For code that handles the fault. */
enum hm_machine_outcome hm_machine_try(hm_va_t va, enum hm_access access);
/* Relies on the instruction at that address: it is executed, whatever translation the CPU may hold, and is
 * that one, whatever it may have fetched. A fault, if the tables say so. */
enum hm_machine_outcome hm_machine_fetch(hm_va_t va, uint32_t expected);
/* The same at this moment: nobody else goes on before, for who has just looked at what is expected. */
enum hm_machine_outcome hm_machine_fetch_now(hm_va_t va, uint32_t expected);
/* Executes what may be there, by chance, as hm_machine_try(); which may be several only where all of them may
 * be replaced while they are executed (Arm ARM B2.2.5). */
enum hm_machine_outcome hm_machine_fetch_try(hm_va_t va, uint32_t *instruction);
/* Whether that instruction is among those that this CPU may execute there now; nothing happens. */
bool hm_machine_may_fetch(hm_va_t va, uint32_t instruction);
/* Whether a fault, a translation fault at a level, or a success is among the possible outcomes now;
 * nothing happens. */
bool hm_machine_may_fault(hm_va_t va, enum hm_access access);
bool hm_machine_may_fault_at(hm_va_t va, unsigned int level);
bool hm_machine_may_succeed(hm_va_t va, enum hm_access access);
/* Whether some possible walk for va leads to page `number`, as data or as a table. */
bool hm_machine_may_reach(unsigned int cpu, hm_va_t va, unsigned int number);
/* The page is given to another use: no CPU may reach it by [va, va + bytes). */
void hm_machine_release(unsigned int number, hm_va_t va, uint64_t bytes);
/* The page was a table, and is given to another use: no CPU may come by it, for any address that it
 * translated. Tables below it are released by themselves. That it is mapped, in a linear map for one, does
 * not matter. */
void hm_machine_release_table(unsigned int number);

/* Says what is wrong, once. */
void hm_machine_violation(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The violation, the seed, and the events that led to it. */
void hm_machine_report(FILE *file);

/* ---- what code that runs on the machine does ---- */

/* Another thread may run on this CPU from here on; returns when this one runs again, perhaps on
 * another. No barrier is implied, before or after: the caller issues what its kernel does. */
void hm_machine_switch(void);
/* By chance, other CPUs go on before this one does. */
void hm_machine_pass(void);
/* That, and an interrupt may come. All instructions begin with it; code between them may have more. */
void hm_machine_point(void);
/* An interrupt for that CPU, which it takes at its next point with interrupts unmasked, whatever
 * config.interrupt says; or if it has no thread, at once. And whether it has not taken it yet. */
void hm_machine_signal(unsigned int cpu);
bool hm_machine_is_signalled(unsigned int cpu);
/* An exception is taken, and returned from: each is a context synchronisation event. */
void hm_machine_fault(void);
void hm_machine_fault_return(void);
/* This CPU was off: its registers are unknown, its TLB is empty. For a resume. */
void hm_machine_reset_cpu(void);
/* Interrupts masked, for the running thread; returns what it was before. */
bool hm_machine_mask(bool masked);
unsigned int hm_machine_cpu_number(void);
/* The state of what runs: the thread's, or the CPU's early one before hm_machine_run() gives it a thread. */
struct hm_context *hm_machine_context(void);
unsigned int hm_machine_thread_number(void);

/* ---- for machine/arm64/insn.h ---- */
uint64_t hm_machine_load(const uint64_t *address);
void hm_machine_store(uint64_t *address, uint64_t value);
void hm_machine_store32(uint32_t *address, uint32_t value);
void hm_machine_keyed_store(uint64_t *address, uint64_t value);
uint64_t hm_machine_compare_exchange(uint64_t *address, uint64_t expected, uint64_t desired);
void hm_machine_dsb(enum hm_insn_kind kind);
void hm_machine_dmb(enum hm_insn_kind kind);
void hm_machine_gcsb(void);
void hm_machine_isb(void);
void hm_machine_tlbi(enum hm_insn_kind kind, uint64_t operand);
void hm_machine_dsb_nsh(void);
/* DC CVAU of the line of that memory, by the linear map; IC IVAU of the line of that address where it
 * executes; IC IALLUIS; CTR_EL0. */
void hm_machine_clean(const void *address);
void hm_machine_fetch_invalidate(uint64_t va);
void hm_machine_fetch_invalidate_all(void);
uint64_t hm_machine_ctr(void);
uint64_t hm_machine_register(enum hm_machine_register which);
void hm_machine_write_register(enum hm_machine_register which, uint64_t value);
void hm_machine_bug(const char *message);
#endif
