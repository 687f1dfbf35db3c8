/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * pool_kernel.h -- the kernel beneath the pools of the contract suite: memory in blocks, keys page by page,
 * locks, CPUs. It does what the hooks of pgtable_pool.h ask for, distrusts whoever asks, and can be told to
 * fail at any call. Physical addresses are addresses of the host, unless the build says otherwise. One
 * thread: other CPUs act when a hook lets them.
 *
 * USE      pool_kernel_reset();  ... use pool_kernel.pool[0].pool ...  EXPECT(!pool_kernel.violations)
 * STATE    The global pool_kernel.
 */
#ifndef POOL_KERNEL_H
#define POOL_KERNEL_H
#include "probe.h"
#include <hardmap/pgtable_pool.h>

#define POOL_KERNEL_CPUS 3
#define POOL_KERNEL_POOLS 2
/* Blocks of memory. A table of the smallest port has so few entries that this many take more than one page to
 * name their frames' pages. */
#define POOL_KERNEL_BLOCKS \
	(HM_PORT_PGTABLE_POOL_ORDER > 9 ? 6 : HM_PORT_PGTABLE_POOL_ORDER > 5 ? 24 : 96)
#define POOL_KERNEL_PAGES (POOL_KERNEL_BLOCKS << HM_PORT_PGTABLE_POOL_ORDER)
#define POOL_KERNEL_TABLES 64
/* The physical address of what is there. */
#ifndef POOL_KERNEL_PA
#define POOL_KERNEL_PA(address) ((uint64_t)(uintptr_t)(address))
#endif

/* Hooks; those before POOL_KERNEL_SURE can fail. */
enum pool_kernel_hook {
	POOL_KERNEL_MEMORY,
	POOL_KERNEL_SET_KEY,
	POOL_KERNEL_REFILL_LOCK,
	POOL_KERNEL_FENCE,
	POOL_KERNEL_SURE,
	POOL_KERNEL_GIVE = POOL_KERNEL_SURE,
	POOL_KERNEL_REJOIN,
	POOL_KERNEL_LOCK,
	POOL_KERNEL_PIN,
	POOL_KERNEL_HOOKS,
};

/* How a hook fails: there is nothing, or the key stays as it is; the key of some pages changes. */
enum pool_kernel_failure {
	POOL_KERNEL_NO_MEMORY,
	POOL_KERNEL_BUSY,
	POOL_KERNEL_HALF_WAY,
	POOL_KERNEL_FAILURES,
};

enum pool_kernel_owner {
	POOL_KERNEL_FREE,
	POOL_KERNEL_LENT, /* to the pool; only the kernel's own can be given back */
	POOL_KERNEL_OWN, /* of the kernel itself: what is adopted and registered */
};

struct pool_kernel_page {
	unsigned char owner;
	unsigned char pool; /* that has it */
	unsigned char key;
	bool live; /* served, and not freed: by the suite */
};

struct pool_kernel_pool {
	uint64_t before[8]; /* of the pool: nothing */
	struct hm_pgtable_pool pool;
	struct hm_pgtable_pool_magazine magazines[POOL_KERNEL_CPUS];
	hm_pte_t *root;
	unsigned int root_key;
	bool locked, refilling;
	unsigned int pinned;
	uint64_t lent; /* pages that it has of the kernel */
};

struct pool_kernel {
	struct pool_kernel_pool pools[POOL_KERNEL_POOLS];
	struct pool_kernel_page page[POOL_KERNEL_PAGES];

	/* What it is told. */
	unsigned int cpu; /* that runs */
	unsigned int cpus; /* that there are: POOL_KERNEL_CPUS, or less */
	unsigned int largest; /* order that memory is to be had in */
	bool scatter; /* pieces and blocks from anywhere */
	bool contended; /* the lock was another's */
	bool foul; /* memory that is given back is overwritten at once */
	enum pool_kernel_failure failure;
	unsigned int
		tables; /* that a key change takes, of its token; and keeps until they are freed */
	uint64_t
		fail_at; /* the number of the call of a hook that can fail, from 1, that does; 0: none */
	uint64_t fail_times; /* and how many after it; 0: as 1 */
	uint64_t left; /* pages that are to be had */
	uint64_t reclaim; /* pages that a scan is asked for wherever memory is; 0: none */
	void (*meanwhile)(enum pool_kernel_hook where); /* what others do; NULL */
	uint64_t random;

	/* What it saw. */
	uint64_t calls[POOL_KERNEL_HOOKS];
	uint64_t fallible; /* calls of hooks that can fail */
	uint64_t failed;
	unsigned int asked; /* for memory; the suite sets it to 0 before a call */
	unsigned int scanning, key_changes; /* that go on now */
	unsigned int violations;
	const char *violation; /* the first one */
	hm_pa_t table[POOL_KERNEL_TABLES]; /* that key changes have */
	unsigned int tables_out;
	hm_pa_t rejoined; /* the last block */
};
extern struct pool_kernel pool_kernel;

/* As new, after probe_reset(): all memory is the kernel's, no pool has anything. */
void pool_kernel_reset(void);
void pool_kernel_violate(const char *what);
/* The number of a page, POOL_KERNEL_PAGES if it is none; and the address of one. */
unsigned int pool_kernel_number(hm_pa_t page);
hm_pa_t pool_kernel_pa(unsigned int number);
/* Consecutive pages that are the kernel's own from here on. */
hm_pa_t pool_kernel_take(unsigned int first, unsigned int n);
/* The pool serves a page, it has the key if it should; and its user frees it. */
void pool_kernel_serve(struct hm_pgtable_pool *pool, hm_pa_t page, bool keyed);
void pool_kernel_free(hm_pa_t page);
/* The tables that key changes have, but that many, to the pool. */
void pool_kernel_free_tables(struct hm_pgtable_pool *pool, unsigned int keep);
/* hm_pgtable_pool_shrink_scan(), by which no memory may be taken. */
uint64_t pool_kernel_scan(struct hm_pgtable_pool *pool, uint64_t pages, unsigned int flags);
/* A number below that one. */
uint64_t pool_kernel_random(uint64_t below);
#endif
