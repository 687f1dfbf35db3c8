/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * rox_kernel.h -- the kernel beneath the code caches of the contract suite: blocks of memory with an alias
 * each, addresses at which they execute, what is fetched there, locks. It does what the hooks of rox_cache.h
 * ask for, distrusts whoever asks, and can be told to fail at any call. The alias is memory of the host;
 * where code executes are numbers. What is stored is fetched only after it was cleaned, then invalidated
 * where it executes, then all CPUs were synchronised. One thread: others act when a hook lets them.
 *
 * USE      rox_kernel_reset();  ... use rox_kernel.caches[0].cache ...  EXPECT(!rox_kernel.violations)
 * STATE    The global rox_kernel.
 */
#ifndef ROX_KERNEL_H
#define ROX_KERNEL_H
#include "probe.h"
#include <hardmap/rox_cache.h>

#define ROX_KERNEL_CACHES 2
#define ROX_KERNEL_BLOCKS 40 /* of memory */
#define ROX_KERNEL_RANGES 8192
#define ROX_KERNEL_BLOCK (UINT64_C(1) << HM_PORT_ROX_CACHE_BLOCK_SHIFT)
#define ROX_KERNEL_PAGES (ROX_KERNEL_BLOCK / 1024) /* of a block, at most */

/* Hooks; those before ROX_KERNEL_SURE can fail. */
enum rox_kernel_hook {
	ROX_KERNEL_MEMORY,
	ROX_KERNEL_ALIAS,
	ROX_KERNEL_EXECUTE,
	ROX_KERNEL_SYNCHRONISE,
	ROX_KERNEL_RANGE_ALLOC,
	ROX_KERNEL_GROW_LOCK,
	ROX_KERNEL_WINDOW_LOCK,
	ROX_KERNEL_SURE,
	ROX_KERNEL_GIVE = ROX_KERNEL_SURE,
	ROX_KERNEL_RANGE_FREE,
	ROX_KERNEL_LOCK,
	ROX_KERNEL_UNLOCK, /* others act once it is dropped */
	ROX_KERNEL_CLEAN,
	ROX_KERNEL_INVALIDATE,
	ROX_KERNEL_PATCH,
	ROX_KERNEL_STORE,
	ROX_KERNEL_HOOKS,
};

/* How a hook fails: nothing has changed; or the alias of some pages has. */
enum rox_kernel_failure {
	ROX_KERNEL_BUSY,
	ROX_KERNEL_NO_MEMORY,
	ROX_KERNEL_HALF_WAY,
	ROX_KERNEL_FAILURES,
};

/* Where memory is to be had that may be anywhere. */
enum rox_kernel_place {
	ROX_KERNEL_LOWEST,
	ROX_KERNEL_HIGHEST,
	ROX_KERNEL_SCATTERED,
};

struct rox_kernel_block {
	bool lent;
	unsigned char cache; /* that has it */
	bool executable;
	bool unsynchronised; /* was invalidated since all CPUs were synchronised */
	unsigned char alias[ROX_KERNEL_PAGES];
	uint64_t va; /* where it executes */
};

struct rox_kernel_cache {
	uint64_t before[8]; /* of the cache: nothing */
	struct hm_rox_cache cache;
	bool locked, growing;
	unsigned int lent; /* blocks that it has */
	unsigned int ranges; /* that it has */
	uint64_t synchronises; /* calls */
};

struct rox_kernel {
	struct rox_kernel_cache caches[ROX_KERNEL_CACHES];
	struct rox_kernel_block block[ROX_KERNEL_BLOCKS];
	bool windowed; /* the window lock is held */
	bool stuck; /* and something could not be closed since it is */

	/* What it is told. */
	unsigned int left; /* blocks that are to be had */
	enum rox_kernel_place place;
	bool no_growth_there; /* what is asked for at an address is in use */
	uint64_t wrong_place; /* that memory is said to be at, and is not; 0: none */
	unsigned int wrong_times; /* how often; 0: from now on */
	enum rox_kernel_failure failure;
	uint64_t
		fail_at; /* the number of the call of a hook that can fail, from 1, that does; 0: none */
	uint64_t fail_times; /* and how many after it; 0: as 1 */
	uint64_t out_of; /* calls of hooks that can fail one does, at random; 0: none */
	unsigned int refuse; /* hooks that fail, by bit */
	unsigned int refuse_alias; /* what no alias can become, by bit */
	unsigned int refuse_execute; /* bit 0: it stays executable; 1: it does not become it */
	bool in_window; /* the suite has one open, and at its level calls others */
	uint64_t reclaim; /* blocks that a scan is asked for wherever memory is; 0: none */
	void (*meanwhile)(enum rox_kernel_hook where); /* what others do; NULL */
	uint64_t random;

	/* What it saw. */
	uint64_t calls[ROX_KERNEL_HOOKS];
	uint64_t fallible; /* calls of hooks that can fail */
	uint64_t failed;
	uint64_t opened, closed; /* pages, for a window and after it */
	uint64_t synchronised; /* how often all CPUs were */
	unsigned int scanning;
	unsigned int violations;
	const char *violation; /* the first one */
};
extern struct rox_kernel rox_kernel;

/* As new, after probe_reset(): all memory is the kernel's, no cache has anything. */
void rox_kernel_reset(void);
void rox_kernel_violate(const char *what);
/* The block that executes at that address, NULL for none. */
struct rox_kernel_block *rox_kernel_find(uint64_t va);
/* Whether those bytes are fetched there by every CPU; and whether nothing but traps is. */
bool rox_kernel_executes(uint64_t va, const void *bytes, uint64_t n);
bool rox_kernel_traps(uint64_t va, uint64_t n);
/* Whether the memory of what executes there says so. */
bool rox_kernel_remembers(uint64_t va, const void *bytes, uint64_t n);
/* Nothing was stored but by hooks; no lock is held. */
void rox_kernel_check(void);
/* hm_rox_cache_shrink_scan(), by which no memory may be taken. */
uint64_t rox_kernel_scan(struct hm_rox_cache *cache, uint64_t blocks);
/* A number below that one. */
uint64_t rox_kernel_random(uint64_t below);
#endif
