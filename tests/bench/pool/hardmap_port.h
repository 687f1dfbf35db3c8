/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * hardmap_port.h -- the port of the pool's benchmarks: a native process without keys, and a kernel of its
 * own, struct bench_memory, which has blocks of a linear map to give and sees when one is split. Physical
 * addresses are addresses of the process.
 *
 * CONFIG   HM_PORT_PGTABLE_POOL_MAGAZINE  pages of a magazine; 32
 *          HM_PORT_PGTABLE_POOL_LOCKED    whether metadata are the pool's own pages; 0
 */
#ifndef BENCH_POOL_HARDMAP_PORT_H
#define BENCH_POOL_HARDMAP_PORT_H
#define HM_CONTEXT_TYPES_ONLY
#include <hardmap/context.h>
#undef HM_CONTEXT_TYPES_ONLY
#define HM_KPKEYS_TYPES_ONLY
#include <hardmap/kpkeys.h>
#undef HM_KPKEYS_TYPES_ONLY
#define HM_PGTABLE_TYPES_ONLY
#include <hardmap/pgtable.h>
#undef HM_PGTABLE_TYPES_ONLY
#define HM_PGTABLE_POOL_TYPES_ONLY
#include <hardmap/pgtable_pool.h>
#undef HM_PGTABLE_POOL_TYPES_ONLY
#include <linux/membarrier.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HM_PORT_KEY_STYLE HM_KEY_STYLE_NONE
#define HM_PORT_PGTABLE_LEVELS 4
#define HM_PORT_PGTABLE_ENTRIES 512
#define HM_PORT_PGTABLE_POOL_ORDER 9
#define HM_PORT_PGTABLE_POOL_TABLES 4
#ifndef HM_PORT_PGTABLE_POOL_MAGAZINE
#define HM_PORT_PGTABLE_POOL_MAGAZINE 32
#endif
#ifndef HM_PORT_PGTABLE_POOL_LOCKED
#define HM_PORT_PGTABLE_POOL_LOCKED 0
#endif

#define BENCH_PAGE UINT64_C(4096)
#define BENCH_BLOCK (1u << HM_PORT_PGTABLE_POOL_ORDER) /* pages */
#define BENCH_NONE UINT32_MAX /* no block */
#define BENCH_CPUS 256u /* at most */

static inline _Noreturn void bench_die(const char *message)
{
	fprintf(stderr, "%s\n", message);
	exit(1);
}

/* A benchmark that misuses a pool measures nothing. */
#define HM_BUG(message) bench_die(message)

/* ---- locks, barriers ---- */

/* A lock that spins, alone in its cache line. */
struct bench_lock {
	bool taken;
	uint64_t times; /* that it was taken */
} __attribute__((__aligned__(64)));

static inline bool bench_try_lock(struct bench_lock *lock)
{
	return !__atomic_test_and_set(&lock->taken, __ATOMIC_ACQUIRE);
}

/* Whether someone else had it. */
static inline bool bench_take_lock(struct bench_lock *lock)
{
	unsigned int spins = 0;

	while (!bench_try_lock(lock)) {
		/* With more threads than CPUs, whoever has it may be waiting for this one. */
		while (__atomic_load_n(&lock->taken, __ATOMIC_RELAXED))
			if (++spins % 1024 == 0)
				sched_yield();
		spins++;
	}
	lock->times++;
	return spins != 0;
}

static inline void bench_drop_lock(struct bench_lock *lock)
{
	__atomic_clear(&lock->taken, __ATOMIC_RELEASE);
}

static inline bool bench_membarrier(int command)
{
	return !syscall(SYS_membarrier, command, 0, 0);
}

/* Before the first fence; false where the kernel has none. */
static inline bool bench_register_fence(void)
{
	return bench_membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
}

/* ---- memory ---- */

struct bench_block {
	uint32_t next; /* of the whole ones that are to be had; BENCH_NONE */
	uint16_t given; /* pages that are someone's */
	uint16_t keyed; /* pages with the key of page tables */
	bool split; /* its pages had two keys, and it was not joined since */
};

/* The kernel: blocks of 2 MiB, and what the linear map has of them. */
struct bench_memory {
	struct bench_lock lock;
	unsigned char *start, *base; /* of the address space; of the first block */
	struct bench_block *blocks;
	uint8_t *keyed; /* per page */
	uint32_t n, fresh; /* blocks; of these, that were ever given */
	uint32_t whole; /* the first that came back, BENCH_NONE */
	uint32_t pieces; /* the block that smaller requests come from, BENCH_NONE */
	unsigned int piece; /* the next page of it */
	uint64_t held; /* pages that are someone's */
	uint64_t splits; /* how often a block was split */
};

static inline void *bench_reserve(uint64_t bytes)
{
	void *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (start == MAP_FAILED)
		bench_die("no address space for the benchmark's memory");
	return start;
}

static inline void bench_memory_init(struct bench_memory *memory, uint32_t blocks)
{
	const uintptr_t block = BENCH_BLOCK * BENCH_PAGE;

	memset(memory, 0, sizeof(*memory));
	memory->start = bench_reserve((blocks + UINT64_C(1)) * block);
	memory->base = memory->start + (-(uintptr_t)memory->start & (block - 1));
	memory->blocks = bench_reserve(blocks * sizeof(*memory->blocks));
	memory->keyed = bench_reserve((uint64_t)blocks * BENCH_BLOCK);
	memory->n = blocks;
	memory->whole = memory->pieces = BENCH_NONE;
}

static inline void bench_memory_release(struct bench_memory *memory)
{
	munmap(memory->start, (memory->n + UINT64_C(1)) * BENCH_BLOCK * BENCH_PAGE);
	munmap(memory->blocks, memory->n * sizeof(*memory->blocks));
	munmap(memory->keyed, (uint64_t)memory->n * BENCH_BLOCK);
}

static inline uint64_t bench_page_of(const struct bench_memory *memory, hm_pa_t pa)
{
	return (pa.val - (uintptr_t)memory->base) / BENCH_PAGE;
}

static inline hm_pa_t bench_pa_of(const struct bench_memory *memory, uint64_t page)
{
	const hm_pa_t pa = { (uintptr_t)memory->base + page * BENCH_PAGE };

	return pa;
}

/* A whole block, by number; BENCH_NONE if there is none. */
static inline uint32_t bench_take_block(struct bench_memory *memory)
{
	const uint32_t block = memory->whole;

	if (block == BENCH_NONE)
		return memory->fresh < memory->n ? memory->fresh++ : BENCH_NONE;
	memory->whole = memory->blocks[block].next;
	return block;
}

/* A block of which nobody has a page, and that is whole, can be had again. */
static inline void bench_put_block(struct bench_memory *memory, uint32_t block)
{
	if (memory->blocks[block].given || memory->blocks[block].split)
		return;
	memory->blocks[block].next = memory->whole;
	memory->whole = block;
}

/* Pages from the block that is there for what is smaller than one. */
static inline uint64_t bench_take_piece(struct bench_memory *memory, unsigned int n)
{
	memory->piece = (memory->piece + n - 1) & ~(n - 1);
	if (memory->pieces == BENCH_NONE || memory->piece + n > BENCH_BLOCK) {
		const uint32_t old = memory->pieces;

		memory->pieces = bench_take_block(memory);
		memory->piece = 0;
		if (old != BENCH_NONE)
			bench_put_block(memory, old);
	}
	memory->piece += n;
	return (uint64_t)memory->pieces * BENCH_BLOCK + memory->piece - n;
}

/* That many pages, a power of two, aligned to that. The number of the first; false if there are none. */
static inline bool bench_memory_take(struct bench_memory *memory, unsigned int n, uint64_t *page)
{
	uint32_t block;

	bench_take_lock(&memory->lock);
	*page = n == BENCH_BLOCK ? (uint64_t)bench_take_block(memory) * BENCH_BLOCK
				 : bench_take_piece(memory, n);
	block = (uint32_t)(*page / BENCH_BLOCK);
	if (block != BENCH_NONE) {
		memory->blocks[block].given = (uint16_t)(memory->blocks[block].given + n);
		memory->held += n;
	}
	bench_drop_lock(&memory->lock);
	return block != BENCH_NONE;
}

static inline void bench_memory_give(struct bench_memory *memory, uint64_t page, unsigned int n)
{
	struct bench_block *block = &memory->blocks[page / BENCH_BLOCK];

	bench_take_lock(&memory->lock);
	if (block->given < n)
		bench_die("pages were given back that nobody had");
	block->given = (uint16_t)(block->given - n);
	memory->held -= n;
	if (page / BENCH_BLOCK != memory->pieces)
		bench_put_block(memory, (uint32_t)(page / BENCH_BLOCK));
	bench_drop_lock(&memory->lock);
}

/* Pages of one block have that key; the linear map has them by one entry while all of its pages do. */
static inline void bench_memory_set_key(struct bench_memory *memory, uint64_t page, unsigned int n,
					bool tables)
{
	struct bench_block *block = &memory->blocks[page / BENCH_BLOCK];
	unsigned int i;

	bench_take_lock(&memory->lock);
	for (i = 0; i < n; i++) {
		block->keyed = (uint16_t)(block->keyed + tables - memory->keyed[page + i]);
		memory->keyed[page + i] = tables;
	}
	if (!block->split && block->keyed && block->keyed != BENCH_BLOCK) {
		block->split = true;
		memory->splits++;
	}
	bench_drop_lock(&memory->lock);
}

/* The block is one again, if its pages have one key. */
static inline void bench_memory_rejoin(struct bench_memory *memory, uint64_t page)
{
	struct bench_block *block = &memory->blocks[page / BENCH_BLOCK];

	bench_take_lock(&memory->lock);
	if (block->split && (!block->keyed || block->keyed == BENCH_BLOCK)) {
		block->split = false;
		if (page / BENCH_BLOCK != memory->pieces)
			bench_put_block(memory, (uint32_t)(page / BENCH_BLOCK));
	}
	bench_drop_lock(&memory->lock);
}

/* ---- context.h, kpkeys.h: no keys, no walker ---- */

static _Thread_local struct hm_context bench_context;

static inline struct hm_context *hm_port_context(void)
{
	return &bench_context;
}

static inline void hm_port_context_publish(void)
{
}

static inline void hm_port_context_sync(void)
{
}

static inline void hm_port_context_switch(void)
{
}

static inline enum hm_kpkeys_fault hm_port_kpkeys_why(uint64_t syndrome, uint64_t entry)
{
	(void)syndrome;
	(void)entry;
	return HM_KPKEYS_FAULT_OTHER;
}

/* ---- pgtable.h: entries are words; none is walked ---- */

static inline hm_pte_t hm_port_pte_load(const hm_pte_t *ptep)
{
	const hm_pte_t pte = { __atomic_load_n(&ptep->val, __ATOMIC_RELAXED) };

	return pte;
}

static inline void hm_port_pte_store(hm_pte_t *ptep, hm_pte_t pte)
{
	__atomic_store_n(&ptep->val, pte.val, __ATOMIC_RELAXED);
}

static inline hm_pte_t *hm_port_pte_store_pair(hm_pte_t *ptep, hm_pte_t first, hm_pte_t second)
{
	hm_port_pte_store(ptep, first);
	hm_port_pte_store(ptep + 1, second);
	return ptep + 2;
}

static inline hm_pte_t hm_port_pte_compare_exchange(hm_pte_t *ptep, hm_pte_t expected,
						    hm_pte_t desired)
{
	__atomic_compare_exchange_n(&ptep->val, &expected.val, desired.val, false, __ATOMIC_RELAXED,
				    __ATOMIC_RELAXED);
	return expected;
}

static inline void hm_port_pgtable_order_fill(void)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static inline bool hm_port_pte_is_valid(hm_pte_t pte)
{
	return pte.val & 1;
}

static inline bool hm_port_pte_is_user(hm_pte_t pte)
{
	(void)pte;
	return false;
}

static inline bool hm_port_pte_is_table(hm_pte_t pte, unsigned int level)
{
	return level && (pte.val & 2);
}

static inline hm_pa_t hm_port_pte_table(hm_pte_t pte)
{
	const hm_pa_t pa = { pte.val & ~(BENCH_PAGE - 1) };

	return pa;
}

static inline hm_pte_t *hm_port_pgtable_map(hm_pa_t table)
{
	return (hm_pte_t *)(uintptr_t)table.val;
}

static inline hm_pte_t *hm_port_pgtable_root(hm_va_t va)
{
	(void)va;
	return NULL;
}

static inline unsigned int hm_port_pgtable_shift(unsigned int level)
{
	return 12 + 9 * level;
}

static inline unsigned int hm_port_pgtable_index(hm_va_t va, unsigned int level)
{
	return (unsigned int)(va.val >> hm_port_pgtable_shift(level)) &
	       (HM_PORT_PGTABLE_ENTRIES - 1);
}

static inline bool hm_port_pte_permits(hm_pte_t pte, enum hm_access access)
{
	(void)pte;
	(void)access;
	return true;
}

static inline void hm_port_pgtable_invalidate(hm_va_t va, uint64_t bytes, enum hm_invalidate what)
{
	(void)va;
	(void)bytes;
	(void)what;
}

/* ---- pgtable_pool.h ---- */

/* A pool and what the hooks know of it. */
struct bench_pool {
	_Alignas(4096) unsigned char root[4096];
	struct hm_pgtable_pool pool;
	struct bench_memory *memory;
	unsigned int cpus;
	struct bench_lock lock, refill_lock;
	/* In no cache set of the first frame: AMD's caches take lines of one set for each other by chance. */
	unsigned char apart[2048];
	struct hm_pgtable_pool_magazine magazines[BENCH_CPUS];
};

/* The CPU that this thread stands for. */
static _Thread_local unsigned int bench_cpu;

static inline struct bench_pool *bench_pool_of(const struct hm_pgtable_pool *pool)
{
	return (struct bench_pool *)((uintptr_t)pool - offsetof(struct bench_pool, pool));
}

static inline hm_pa_t hm_port_pgtable_pool_root(const struct hm_pgtable_pool *pool)
{
	const hm_pa_t root = { (uintptr_t)bench_pool_of(pool)->root };

	return root;
}

static inline bool hm_port_pgtable_pool_memory(struct hm_pgtable_pool *pool, unsigned int order,
					       hm_pa_t *memory)
{
	uint64_t page;

	if (!bench_memory_take(bench_pool_of(pool)->memory, 1u << order, &page))
		return false;
	*memory = bench_pa_of(bench_pool_of(pool)->memory, page);
	return true;
}

static inline void hm_port_pgtable_pool_give(struct hm_pgtable_pool *pool, hm_pa_t start,
					     unsigned int n)
{
	struct bench_memory *memory = bench_pool_of(pool)->memory;

	bench_memory_give(memory, bench_page_of(memory, start), n);
}

static inline int hm_port_pgtable_pool_set_key(struct hm_pgtable_pool *pool, hm_pa_t start,
					       unsigned int n, unsigned int key,
					       struct hm_pgtable_pool_token *token)
{
	struct bench_memory *memory = bench_pool_of(pool)->memory;

	(void)token;
	if (start.val == hm_port_pgtable_pool_root(pool).val)
		return 0; /* not of that memory */
	bench_memory_set_key(memory, bench_page_of(memory, start), n, key == HM_KEY_PGTABLES);
	return 0;
}

static inline void hm_port_pgtable_pool_rejoin(struct hm_pgtable_pool *pool, hm_pa_t block)
{
	struct bench_memory *memory = bench_pool_of(pool)->memory;

	bench_memory_rejoin(memory, bench_page_of(memory, block));
}

static inline bool hm_port_pgtable_pool_lock(struct hm_pgtable_pool *pool)
{
	return bench_take_lock(&bench_pool_of(pool)->lock);
}

static inline void hm_port_pgtable_pool_unlock(struct hm_pgtable_pool *pool)
{
	bench_drop_lock(&bench_pool_of(pool)->lock);
}

static inline bool hm_port_pgtable_pool_refill_lock(struct hm_pgtable_pool *pool)
{
	bench_take_lock(&bench_pool_of(pool)->refill_lock);
	return true;
}

static inline void hm_port_pgtable_pool_refill_unlock(struct hm_pgtable_pool *pool)
{
	bench_drop_lock(&bench_pool_of(pool)->refill_lock);
}

static inline unsigned int hm_port_pgtable_pool_pin(struct hm_pgtable_pool *pool)
{
	(void)pool;
	return bench_cpu;
}

static inline void hm_port_pgtable_pool_unpin(struct hm_pgtable_pool *pool)
{
	(void)pool;
}

static inline struct hm_pgtable_pool_magazine *hm_port_pgtable_pool_magazine(
	struct hm_pgtable_pool *pool, unsigned int cpu)
{
	struct bench_pool *bench = bench_pool_of(pool);

	return cpu < bench->cpus ? &bench->magazines[cpu] : NULL;
}

static inline bool hm_port_pgtable_pool_fence(struct hm_pgtable_pool *pool)
{
	(void)pool;
	return bench_membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}
#endif
