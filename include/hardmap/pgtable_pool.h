/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * pgtable_pool.h -- page-table pages from blocks of a linear map that stay whole, and have one key.
 *
 * USE      #include <hardmap/pgtable_pool.h>  (with your hardmap_port.h on the include path)
 *
 *          hm_pgtable_pool_init(&pool);                                // one a NUMA node, say
 *          error = hm_pgtable_pool_adopt(&pool, early, 16);            // boot: pages that are there already
 *          error = hm_pgtable_pool_register(&pool, swapper_tables, 4); // tables that the image brought
 *          error = hm_pgtable_pool_protect(&pool);                     // keys are in force from here on
 *
 *          error = hm_pgtable_pool_alloc(&pool, HM_PGTABLE_POOL_MAY_SLEEP | HM_PGTABLE_POOL_ZERO, &page);
 *          error = hm_pgtable_pool_free(&pool, page);                  // unlinked and invalidated before
 *
 *          pages = hm_pgtable_pool_shrink_count(&pool);                // the shrinker of the kernel
 *          pages = hm_pgtable_pool_shrink_scan(&pool, 128, 0);
 *
 *          A kernel that changes the key of single pages breaks the blocks of its linear map. So memory is
 *          taken and given back by blocks: naturally aligned, of one order, which the linear map translates
 *          by one entry. A block gets the key of page tables as a whole and loses it as a whole. Pages come
 *          from the fullest block, so that others empty; a shrinker gives back those that have, and no part
 *          of another unless it is told to split. Where there is no memory for a block the pool takes
 *          smaller pieces: loose pages, which are used last and go first.
 *
 *          What the pool knows of a block is a frame: the block's address, how its pages are linked, and
 *          for each page whether it is free, in use, in a magazine or not the pool's. Frames are packed into
 *          pages of their own. Each CPU has a magazine of pages in front, so that most calls take no lock.
 *
 *          Metadata in locked memory (HM_PORT_PGTABLE_POOL_LOCKED) are pages of the pool itself, with its
 *          key. Then what decides which page is handed out is nowhere else: struct hm_pgtable_pool and the
 *          magazines are hints, and a page that a magazine offers is one only if its frame says so, and is
 *          claimed there by one keyed write. A stray store can make an allocation fail, not go elsewhere.
 *
 *          A key change may need tables itself, to split what lies around a block. The pool holds back two
 *          times HM_PORT_PGTABLE_POOL_TABLES pages: one for the key change of a refill, in which nothing
 *          can be refilled; one for a split elsewhere, by HM_PGTABLE_POOL_RESERVE. Whoever needs to be sure
 *          takes a token before any lock, hm_pgtable_pool_reserve(): pages that nobody else gets.
 *
 * STATE    Yours: one struct hm_pgtable_pool, all-zero before hm_pgtable_pool_init(), a page for its root,
 *          which has the key too where metadata are locked, and a magazine for each CPU.
 * CONTEXT  Alloc, free and the tokens: any in which the port's lock and pin may be taken, interrupt included
 *          if they mask it; with HM_PGTABLE_POOL_MAY_SLEEP where the caller may sleep and holds no lock
 *          that memory allocation, the shrinker or a change of keys takes. The shrinker: see there.
 *          Constant time, but for refills, zeroing and what the shrinker gives back.
 * ERRORS   Negative; then nothing has changed:
 *          -HM_ENOMEM  no page, and none to be had in this context
 *          -HM_EBUSY   the port's refill lock is not to be had; pages are in use
 *          -HM_EINVAL  not a page of this pool, inside of one, free already: HM_BUG too, nothing is lost
 *          -HM_EEXIST  it is a page of this pool already
 *          -HM_EIO     a key change failed half-way. Those pages are held in quarantine, served to no one,
 *                      and tried again by the shrinker
 * CONFIG   HM_PGTABLE_POOL_TYPES_ONLY  stop after part 1; for headers that embed the type
 *          HM_NO_STD_HEADERS           uint16_t, uint32_t, uint64_t, uintptr_t, UINT64_C, bool, true, false
 *                                      are declared already
 * PORT     The hooks of pgtable.h and of part 3. Template: ports/template
 * NOT      A page allocator: pages are single. It does not invalidate: a page that some CPU's walk cache
 *          may hold is not free yet. */
#ifndef HM_PGTABLE_POOL_TYPES_H
#define HM_PGTABLE_POOL_TYPES_H
/* ---- 1. types: need no port ---- */
#ifndef HM_NO_STD_HEADERS
#include <stdbool.h>
#include <stdint.h>
#endif

#ifndef HM_ADDRESS_TYPES /* the same block in every module header that uses addresses */
#define HM_ADDRESS_TYPES
/* A physical and a virtual address; mixing them does not compile. */
typedef struct {
	uint64_t val;
} hm_pa_t;
typedef struct {
	uint64_t val;
} hm_va_t;
#endif

#ifndef HM_ERRORS /* the same block in every module header that returns errors; values of errno.h */
#define HM_ERRORS
#define HM_ENOENT 2
#define HM_EIO 5
#define HM_ENOMEM 12
#define HM_EBUSY 16
#define HM_EEXIST 17
#define HM_EINVAL 22
#endif

/* What an allocation may do. */
#define HM_PGTABLE_POOL_MAY_SLEEP 1u /* take memory from the kernel */
#define HM_PGTABLE_POOL_ZERO 2u /* and its entries are all 0 */
#define HM_PGTABLE_POOL_RESERVE \
	4u /* it is for a split of the linear map: half of the reserve is its */
/* What a scan may do: give back a part of a block that is worth it, by which the block is split. */
#define HM_PGTABLE_POOL_SPLIT 1u

/* What was done since hm_pgtable_pool_init(). */
struct hm_pgtable_pool_counts {
	uint64_t refills; /* blocks and pieces taken from the kernel */
	uint64_t loose_refills; /* of these, pieces: no block was to be had */
	uint64_t blocks_released; /* whole, and with one key */
	uint64_t pages_released; /* of them, and one by one */
	uint64_t blocks_split; /* given back in part */
	uint64_t blocks_rejoined; /* of which the last page was given back */
	uint64_t key_changes; /* hm_port_pgtable_pool_set_key() */
	uint64_t key_failures; /* of these, that failed */
	uint64_t lock_waits; /* the port's lock was another's */
	uint64_t steps; /* frames and pages that the shrinker looked at */
};

/*
 * A pool, but for its root page. Ordinary memory: nothing here says where a page is. Numbers are of pages,
 * and change under the port's lock. Private but for the counts.
 */
struct hm_pgtable_pool {
	uint64_t present; /* of this pool */
	uint64_t free; /* to be served from frames */
	uint64_t empty; /* of these, in whole blocks that have no other pages but metadata */
	uint64_t loose; /* of these, in frames that are no whole blocks */
	uint64_t metadata; /* pages; of the pool itself if they are locked */
	uint64_t quarantined; /* the key change of which goes on, or failed half-way */
	uint64_t unprotected; /* without the key */
	uint64_t wanted; /* free pages, by a refill that goes on */
	uint64_t demand; /* in use at most, of late: what may be wanted again */
	/* A block is worth to be split, HM_PGTABLE_POOL_SPLIT, if that many of its pages are free, and
	 * nothing else can go. Half of them unless the kernel changes it, before the shrinker first
	 * runs. */
	uint64_t worth;
	bool suspect; /* a magazine was overwritten: pages that it had are in none */
	struct hm_pgtable_pool_counts counts;
};

/*
 * The pages that a CPU has in front of a pool. Zero is empty. Written by that CPU, pinned; by others under
 * the port's lock while it is closed. Private.
 */
#define HM_PGTABLE_POOL_MAGAZINE_MAX 58
struct hm_pgtable_pool_magazine {
	uint32_t busy; /* its CPU is in it, without the lock */
	uint32_t closed; /* the shrinker is about: nobody is */
	uint32_t pages; /* how many there are in page[] */
	/* These, and state[], only where metadata are not locked. */
	uint16_t *
		last_state; /* where the state of the page that was freed last is; NULL: there is none */
	hm_pa_t last; /* that page */
	uint64_t block, block_pages; /* the block of which a page was freed last; no pages: none */
	uint16_t *states; /* where the states of its pages are */
	hm_pa_t page[HM_PGTABLE_POOL_MAGAZINE_MAX];
	uint16_t *state[HM_PGTABLE_POOL_MAGAZINE_MAX]; /* of these pages */
} __attribute__((__aligned__(64)));

/* Pages that are held back for one owner: hm_pgtable_pool_reserve(). All-zero: none. */
struct hm_pgtable_pool_token {
	uint64_t pages;
};

/* Of hm_pgtable_pool_statistics(). Pages, but for the first three. */
#define HM_PGTABLE_POOL_CLASSES 8
struct hm_pgtable_pool_statistics {
	uint64_t blocks[HM_PGTABLE_POOL_CLASSES + 2]; /* whole: empty; by eighths in use; full */
	uint64_t loose_frames; /* what is left of blocks, and pieces */
	uint64_t metadata_bytes; /* in use; those pages hold somewhat more */
	uint64_t present, used, free, cached, metadata, quarantined, unprotected, reserved;
	struct hm_pgtable_pool_counts counts;
};
#endif /* HM_PGTABLE_POOL_TYPES_H */

#if !defined(HM_PGTABLE_POOL_TYPES_ONLY) && !defined(HM_PGTABLE_POOL_H)
#define HM_PGTABLE_POOL_H
/* ---- 2. port ---- */
#include <hardmap/pgtable.h>
#ifndef HM_PORT_PGTABLE_POOL_ORDER
#error "pgtable_pool.h: the port must define HM_PORT_PGTABLE_POOL_ORDER: a block has 1 << that many pages"
#endif
#ifndef HM_PORT_PGTABLE_POOL_MAGAZINE
#error "pgtable_pool.h: the port must define HM_PORT_PGTABLE_POOL_MAGAZINE, pages of a magazine, 0: none"
#endif
#ifndef HM_PORT_PGTABLE_POOL_TABLES
#error "pgtable_pool.h: the port must define HM_PORT_PGTABLE_POOL_TABLES, what one key change may take"
#endif
#ifndef HM_PORT_PGTABLE_POOL_LOCKED
#error "pgtable_pool.h: the port must define HM_PORT_PGTABLE_POOL_LOCKED, 1 if metadata have the key, or 0"
#endif

/* ---- 3. port contract: compiled, so it cannot go stale ---- */
/* The page of the pool's root: always the same one, zero before hm_pgtable_pool_init(), written where
 * hm_port_pgtable_map() says. If metadata are locked: not from memory that a stray store reaches. */
HM_PORT_REQUIRE(hm_pa_t, hm_port_pgtable_pool_root, (const struct hm_pgtable_pool *));
/* 1 << order pages, aligned to that, with the default key and of any contents; false if there are none. May
 * sleep, and call the shrinker. Not while the shrinker runs. If metadata are not locked, single pages are
 * asked for too, before the kernel has a page allocator for the first frame. */
HM_PORT_REQUIRE(bool, hm_port_pgtable_pool_memory,
		(struct hm_pgtable_pool *, unsigned int, hm_pa_t *));
/* That many consecutive pages of such memory, with the default key again, are the kernel's. */
HM_PORT_REQUIRE(void, hm_port_pgtable_pool_give, (struct hm_pgtable_pool *, hm_pa_t, unsigned int));
/* That many consecutive pages have the key from here on, and no CPU knows another. 0; or an error, and
 * nothing has changed; or -HM_EIO: some pages may have it. Tables that this takes come from the token,
 * hm_pgtable_pool_take(), or from elsewhere but this pool's allocation; if it has not enough, -HM_ENOMEM.
 * May sleep if the caller may. Nothing to do where there are no keys. */
HM_PORT_REQUIRE(int, hm_port_pgtable_pool_set_key,
		(struct hm_pgtable_pool *, hm_pa_t, unsigned int, unsigned int,
		 struct hm_pgtable_pool_token *));
/* The block of that address, of which the last page was given back one by one, may be one again in the linear
 * map: its pages have the default key, or are others'. Nothing need be done. */
HM_PORT_REQUIRE(void, hm_port_pgtable_pool_rejoin, (struct hm_pgtable_pool *, hm_pa_t));
/* The lock of that pool, for a short time, in all contexts in which it is used; whether someone had it. */
HM_PORT_REQUIRE(bool, hm_port_pgtable_pool_lock, (struct hm_pgtable_pool *));
HM_PORT_REQUIRE(void, hm_port_pgtable_pool_unlock, (struct hm_pgtable_pool *));
/* One refill at a time; may sleep. False: not now. Not taken by the shrinker. */
HM_PORT_REQUIRE(bool, hm_port_pgtable_pool_refill_lock, (struct hm_pgtable_pool *));
HM_PORT_REQUIRE(void, hm_port_pgtable_pool_refill_unlock, (struct hm_pgtable_pool *));
/* The number of this CPU, from 0: the caller stays on it, and nothing else there uses the pool, until the
 * second. At most 16384. */
HM_PORT_REQUIRE(unsigned int, hm_port_pgtable_pool_pin, (struct hm_pgtable_pool *));
HM_PORT_REQUIRE(void, hm_port_pgtable_pool_unpin, (struct hm_pgtable_pool *));
/* That CPU's magazine; NULL if there is no such CPU, nor any after it. */
HM_PORT_REQUIRE(struct hm_pgtable_pool_magazine *, hm_port_pgtable_pool_magazine,
		(struct hm_pgtable_pool *, unsigned int));
/* Earlier stores of this CPU are seen by all loads that other CPUs make after it returns, and stores of
 * theirs before are seen by this one: each has passed a full barrier (an interrupt to each, membarrier()),
 * or is not pinned. False: not from this context. Called without the lock. */
HM_PORT_REQUIRE(bool, hm_port_pgtable_pool_fence, (struct hm_pgtable_pool *));

/* ---- 4. configuration: none, but the port's constants have bounds ---- */
#define HM_POOL_PAGES_ (1u << HM_PORT_PGTABLE_POOL_ORDER)
#if HM_PORT_PGTABLE_POOL_ORDER < 1 || HM_PORT_PGTABLE_POOL_ORDER > 13
#error "pgtable_pool.h: HM_PORT_PGTABLE_POOL_ORDER must be 1 to 13"
#elif (1 << HM_PORT_PGTABLE_POOL_ORDER) > HM_PORT_PGTABLE_ENTRIES
#error "pgtable_pool.h: HM_PORT_PGTABLE_POOL_ORDER must be of no more pages than a table has entries"
#endif
#if HM_PORT_PGTABLE_POOL_MAGAZINE < 0 ||                                \
	HM_PORT_PGTABLE_POOL_MAGAZINE > HM_PGTABLE_POOL_MAGAZINE_MAX || \
	HM_PORT_PGTABLE_POOL_MAGAZINE == 1
#error "pgtable_pool.h: HM_PORT_PGTABLE_POOL_MAGAZINE must be 0, or 2 to HM_PGTABLE_POOL_MAGAZINE_MAX"
#endif
#if HM_PORT_PGTABLE_POOL_TABLES < 0 || HM_PORT_PGTABLE_POOL_TABLES > 16
#error "pgtable_pool.h: HM_PORT_PGTABLE_POOL_TABLES must be 0 to 16"
#endif
#if HM_PORT_PGTABLE_POOL_LOCKED != 0 && HM_PORT_PGTABLE_POOL_LOCKED != 1
#error "pgtable_pool.h: HM_PORT_PGTABLE_POOL_LOCKED must be 0 or 1"
#endif

/* ---- 5. interface ---- */

#include <hardmap/pgtable_pool/frames.h>

/* ---- the lock ---- */

/* With the lock, locked metadata are open to this context. */
static inline hm_kpkeys_token_t hm_pool_lock_(struct hm_pgtable_pool *pool)
{
	const bool waited = hm_port_pgtable_pool_lock(pool);

	pool->counts.lock_waits += waited;
#if HM_PORT_PGTABLE_POOL_LOCKED
	return hm_kpkeys_enter_pgtables();
#else
	return hm_kpkeys_none();
#endif
}

static inline void hm_pool_unlock_(struct hm_pgtable_pool *pool, hm_kpkeys_token_t guard)
{
	hm_kpkeys_leave(guard);
	hm_port_pgtable_pool_unlock(pool);
}

/* ---- the reserve ---- */

/* What allocations with those flags leave free. */
static inline uint64_t hm_pool_keep_(const struct hm_pgtable_pool *pool, unsigned int flags)
{
	const unsigned int splits = flags & HM_PGTABLE_POOL_RESERVE ? 1 : 2;

	return hm_pool_get_(hm_pool_root_(pool) + HM_POOL_RESERVED_) +
	       splits * HM_PORT_PGTABLE_POOL_TABLES;
}

/* Tokens hold back that many pages more; with the lock. */
static inline void hm_pool_add_reserved_(struct hm_pgtable_pool *pool, uint64_t pages)
{
	hm_pte_t *word = hm_pool_root_(pool) + HM_POOL_RESERVED_;

	if (pages)
		hm_pool_put_(word, hm_pool_get_(word) + pages);
}

/* As many pages as there are, up to that many, are the token's; with the lock. */
static inline void hm_pool_hold_back_(struct hm_pgtable_pool *pool, uint64_t pages,
				      struct hm_pgtable_pool_token *token)
{
	const uint64_t reserved = hm_pool_get_(hm_pool_root_(pool) + HM_POOL_RESERVED_);
	const uint64_t left = pool->free > reserved ? pool->free - reserved : 0;

	token->pages = pages < left ? pages : left;
	hm_pool_add_reserved_(pool, token->pages);
}

/*
 * A page of those that the token holds back, of any contents; false if it holds none. Context of allocations
 * that do not sleep, also within hm_port_pgtable_pool_set_key().
 */
static inline bool hm_pgtable_pool_take(struct hm_pgtable_pool *pool,
					struct hm_pgtable_pool_token *token, hm_pa_t *page)
{
	hm_kpkeys_token_t guard;
	bool taken;

	if (!token->pages)
		return false;
	guard = hm_pool_lock_(pool);
	taken = hm_pool_take_(pool, 1, 0, HM_POOL_USED_, page, HM_NULL_);
	if (taken) {
		token->pages--;
		hm_pool_add_reserved_(pool, ~UINT64_C(0));
	}
	hm_pool_unlock_(pool, guard);
	return taken;
}

/* What is left of the token is anyone's. Context as above. */
static inline void hm_pgtable_pool_unreserve(struct hm_pgtable_pool *pool,
					     struct hm_pgtable_pool_token *token)
{
	const hm_kpkeys_token_t guard = hm_pool_lock_(pool);

	hm_pool_add_reserved_(pool, 0 - token->pages);
	token->pages = 0;
	hm_pool_unlock_(pool, guard);
}

/* ---- magazines ---- */

/* That CPU's; NULL beyond the last, and where there are none. */
static inline struct hm_pgtable_pool_magazine *hm_pool_magazine_(struct hm_pgtable_pool *pool,
								 unsigned int cpu)
{
	return HM_PORT_PGTABLE_POOL_MAGAZINE ? hm_port_pgtable_pool_magazine(pool, cpu) : HM_NULL_;
}

/* Tells, without the lock, if a magazine was overwritten. The shrinker will look for the pages that it
 * had. */
static inline void hm_pool_suspect_(struct hm_pgtable_pool *pool, bool wrong)
{
	if (HM_LIKELY_(!wrong))
		return;
	__atomic_store_n(&pool->suspect, true, __ATOMIC_RELAXED);
	HM_BUG("pgtable_pool: a magazine was overwritten");
}

/* Gives back all pages of a magazine but that many; with the lock. What is read of it is read once: where
 * metadata are locked, others may write it, and true says that they did. */
static inline bool hm_pool_drain_(struct hm_pgtable_pool *pool,
				  struct hm_pgtable_pool_magazine *magazine, unsigned int cpu,
				  unsigned int keep)
{
	const uint32_t said = __atomic_load_n(&magazine->pages, __ATOMIC_RELAXED);
	const uint32_t pages = said > HM_PORT_PGTABLE_POOL_MAGAZINE ? 0 : said;
	const uint32_t n = pages > keep ? pages - keep : 0;
	unsigned int wrong = hm_pool_return_(pool, n, HM_POOL_CACHED_ | cpu, magazine->page), i;

#if !HM_PORT_PGTABLE_POOL_LOCKED
	if (!keep && magazine->last_state) {
		wrong += hm_pool_return_(pool, 1, HM_POOL_CACHED_ | cpu, &magazine->last);
		__atomic_store_n(&magazine->last_state, HM_NULL_, __ATOMIC_RELAXED);
	}
#endif
	for (i = n; i < pages; i++) {
		magazine->page[i - n] = magazine->page[i];
		magazine->state[i - n] = magazine->state[i];
	}
	__atomic_store_n(&magazine->pages, pages - n, __ATOMIC_RELAXED);
	return wrong || said != pages;
}

#if HM_PORT_PGTABLE_POOL_MAGAZINE && HM_PORT_PGTABLE_POOL_LOCKED
/* The page changes from one state to another, if it is in that one. With the lock. */
static HM_NOINLINE_ bool hm_pool_change_(struct hm_pgtable_pool *pool, hm_pa_t page,
					 unsigned int from, unsigned int to)
{
	struct hm_pool_frame_ frame;

	if (!hm_pool_check_(hm_pool_root_(pool), page, from, &frame))
		return false;
	hm_pool_put_state_(frame.words, hm_pool_index_of_(page), to);
	return true;
}

/* A page of this CPU's magazine, if its frame says so too. */
static inline bool hm_pool_pop_(struct hm_pgtable_pool *pool, hm_pa_t *page)
{
	const unsigned int cpu = hm_port_pgtable_pool_pin(pool);
	struct hm_pgtable_pool_magazine *magazine = hm_port_pgtable_pool_magazine(pool, cpu);
	const hm_kpkeys_token_t guard = hm_pool_lock_(pool);
	const uint32_t below = __atomic_load_n(&magazine->pages, __ATOMIC_RELAXED) - 1;
	const bool found = below < HM_PORT_PGTABLE_POOL_MAGAZINE;
	bool popped = false;

	if (found) {
		page->val = __atomic_load_n(&magazine->page[below].val, __ATOMIC_RELAXED);
		__atomic_store_n(&magazine->pages, below, __ATOMIC_RELAXED);
		popped = hm_pool_change_(pool, *page, HM_POOL_CACHED_ | cpu, HM_POOL_USED_);
	}
	hm_pool_unlock_(pool, guard);
	hm_port_pgtable_pool_unpin(pool);
	hm_pool_suspect_(pool, found && !popped);
	return popped;
}

/* The page goes there, if it was in use and there is place. */
static inline bool hm_pool_push_(struct hm_pgtable_pool *pool, hm_pa_t page)
{
	const unsigned int cpu = hm_port_pgtable_pool_pin(pool);
	struct hm_pgtable_pool_magazine *magazine = hm_port_pgtable_pool_magazine(pool, cpu);
	const hm_kpkeys_token_t guard = hm_pool_lock_(pool);
	const uint32_t pages = __atomic_load_n(&magazine->pages, __ATOMIC_RELAXED);
	const bool pushed = pages < HM_PORT_PGTABLE_POOL_MAGAZINE &&
			    hm_pool_change_(pool, page, HM_POOL_USED_, HM_POOL_CACHED_ | cpu);

	if (pushed) {
		magazine->page[pages] = page;
		__atomic_store_n(&magazine->pages, pages + 1, __ATOMIC_RELAXED);
	}
	hm_pool_unlock_(pool, guard);
	hm_port_pgtable_pool_unpin(pool);
	return pushed;
}
#elif HM_PORT_PGTABLE_POOL_MAGAZINE
/* Into this CPU's magazine, pinned, without the lock. False: it is closed. */
static HM_ALWAYS_INLINE_ bool hm_pool_enter_(struct hm_pgtable_pool_magazine *magazine)
{
	__atomic_store_n(&magazine->busy, 1, __ATOMIC_RELAXED);
	/* Against the shrinker: its hm_port_pgtable_pool_fence() is the barrier on both sides. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return HM_LIKELY_(!__atomic_load_n(&magazine->closed, __ATOMIC_ACQUIRE));
}

static HM_ALWAYS_INLINE_ void hm_pool_exit_(struct hm_pgtable_pool *pool,
					    struct hm_pgtable_pool_magazine *magazine)
{
	__atomic_store_n(&magazine->busy, 0, __ATOMIC_RELEASE);
	hm_port_pgtable_pool_unpin(pool);
}

/* A page of this CPU's magazine. The last one has a place of its own, so that what is freed and allocated in
 * turn waits for no count to be written. */
static HM_ALWAYS_INLINE_ bool hm_pool_pop_(struct hm_pgtable_pool *pool, hm_pa_t *page)
{
	struct hm_pgtable_pool_magazine *magazine =
		hm_port_pgtable_pool_magazine(pool, hm_port_pgtable_pool_pin(pool));
	hm_pool_state_t_ *state = HM_NULL_;

	if (hm_pool_enter_(magazine)) {
		state = magazine->last_state;
		if (HM_LIKELY_(state)) {
			*page = magazine->last;
			__atomic_store_n(&magazine->last_state, HM_NULL_, __ATOMIC_RELAXED);
		} else if (HM_LIKELY_(magazine->pages)) {
			const uint32_t below = magazine->pages - 1;

			state = magazine->state[below];
			*page = magazine->page[below];
			__atomic_store_n(&magazine->pages, below, __ATOMIC_RELAXED);
		}
		if (HM_LIKELY_(state))
			__atomic_store_n(state, HM_POOL_USED_, __ATOMIC_RELAXED);
	}
	hm_pool_exit_(pool, magazine);
	return state;
}

/* The page goes there, if it is in use, of the frame that the magazine remembers, and there is place. */
static HM_ALWAYS_INLINE_ bool hm_pool_push_(struct hm_pgtable_pool *pool, hm_pa_t page)
{
	const unsigned int cpu = hm_port_pgtable_pool_pin(pool);
	const unsigned int shift = hm_port_pgtable_shift(0);
	struct hm_pgtable_pool_magazine *magazine = hm_port_pgtable_pool_magazine(pool, cpu);
	bool pushed = false;

	if (hm_pool_enter_(magazine)) {
		const uint64_t offset = page.val - magazine->block;
		/* Rotated: the index of a page, or beyond that of any. */
		const uint64_t index = offset >> shift | offset << (64 - shift);
		/* Made of an integer, as it is no pointer at all unless that is a page's. */
		hm_pool_state_t_ *state =
			(hm_pool_state_t_ *)((uintptr_t)magazine->states + index * sizeof(*state));

		if (HM_LIKELY_(index < magazine->block_pages) &&
		    HM_LIKELY_(__atomic_load_n(state, __ATOMIC_RELAXED) == HM_POOL_USED_)) {
			pushed = true;
			if (HM_LIKELY_(!magazine->last_state)) {
				magazine->last = page;
				__atomic_store_n(&magazine->last_state, state, __ATOMIC_RELAXED);
			} else if (HM_LIKELY_(magazine->pages < HM_PORT_PGTABLE_POOL_MAGAZINE)) {
				const uint32_t pages = magazine->pages;

				magazine->page[pages] = page;
				magazine->state[pages] = state;
				__atomic_store_n(&magazine->pages, pages + 1, __ATOMIC_RELAXED);
			} else {
				pushed = false;
			}
		}
		if (HM_LIKELY_(pushed))
			__atomic_store_n(state, (uint16_t)(HM_POOL_CACHED_ | cpu),
					 __ATOMIC_RELAXED);
	}
	hm_pool_exit_(pool, magazine);
	return pushed;
}

/* The magazine remembers the frame of that page, if it is one. */
static inline void hm_pool_remember_(struct hm_pgtable_pool *pool, hm_pa_t page)
{
	struct hm_pgtable_pool_magazine *magazine =
		hm_port_pgtable_pool_magazine(pool, hm_port_pgtable_pool_pin(pool));
	hm_pte_t *root = hm_pool_root_(pool);
	uint32_t link;

	if (hm_pool_enter_(magazine)) {
		link = hm_pool_find_(root, page);
		if (link) {
			magazine->block = hm_pool_block_of_(page);
			magazine->block_pages = HM_POOL_PAGES_;
			magazine->states = hm_pool_states_(hm_pool_frame_(root, link - 1));
		}
	}
	hm_pool_exit_(pool, magazine);
}
#else
static inline bool hm_pool_pop_(struct hm_pgtable_pool *pool, hm_pa_t *page)
{
	(void)pool, (void)page;
	return false;
}

static inline bool hm_pool_push_(struct hm_pgtable_pool *pool, hm_pa_t page)
{
	(void)pool, (void)page;
	return false;
}
#endif

#if HM_PORT_PGTABLE_POOL_LOCKED || !HM_PORT_PGTABLE_POOL_MAGAZINE
/* There is nothing to remember. */
static inline void hm_pool_remember_(struct hm_pgtable_pool *pool, hm_pa_t page)
{
	(void)pool, (void)page;
}
#endif

/* Pages that are said to be in magazines, all of which are empty, are free. With the lock. */
static HM_COLD_ void hm_pool_sweep_(struct hm_pgtable_pool *pool)
{
	hm_pte_t *root = hm_pool_root_(pool);
	uint32_t number;

	for (number = 0; number < hm_pool_half_(root, HM_POOL_FRAMES_); number++) {
		struct hm_pool_frame_ frame = hm_pool_load_(root, number);
		unsigned int page;

		for (page = 0; page < HM_POOL_PAGES_; page++)
			if (hm_pool_is_cached_(hm_pool_state_(frame.words, page)))
				hm_pool_free_page_(&frame, page);
		hm_pool_update_(pool, root, &frame);
	}
	pool->suspect = false;
}

static inline void hm_pool_set_closed_(struct hm_pgtable_pool *pool, uint32_t closed)
{
	struct hm_pgtable_pool_magazine *magazine;
	unsigned int cpu;

	for (cpu = 0; (magazine = hm_pool_magazine_(pool, cpu)); cpu++)
		__atomic_store_n(&magazine->closed, closed, __ATOMIC_RELEASE);
}

/* Ends what hm_pool_close_() began. Without the lock. */
static inline void hm_pool_open_(struct hm_pgtable_pool *pool)
{
	const hm_kpkeys_token_t guard = hm_pool_lock_(pool);

	if (!HM_PORT_PGTABLE_POOL_LOCKED)
		hm_pool_set_closed_(pool, 0);
	hm_pool_put_(hm_pool_root_(pool) + HM_POOL_SHRINKING_, 0);
	hm_pool_unlock_(pool, guard);
}

/*
 * Empties all magazines. Until hm_pool_open_() nobody looks at frames without the lock, so they may be moved
 * and removed. False: someone is at it already, or other CPUs cannot be waited for in this context.
 */
static HM_NOINLINE_ bool hm_pool_close_(struct hm_pgtable_pool *pool)
{
	hm_kpkeys_token_t guard = hm_pool_lock_(pool);
	const bool fenced = HM_PORT_PGTABLE_POOL_MAGAZINE && !HM_PORT_PGTABLE_POOL_LOCKED;
	struct hm_pgtable_pool_magazine *magazine;
	unsigned int cpu;
	const bool alone = !hm_pool_get_(hm_pool_root_(pool) + HM_POOL_SHRINKING_);
	bool wrong = false;

	if (alone) {
		hm_pool_put_(hm_pool_root_(pool) + HM_POOL_SHRINKING_, 1);
		if (fenced)
			hm_pool_set_closed_(pool, 1);
	}
	hm_pool_unlock_(pool, guard);
	if (!alone)
		return false;
	if (fenced) {
		/* closed before their next look at it; that they are in it before ours. */
		if (!hm_port_pgtable_pool_fence(pool)) {
			hm_pool_open_(pool);
			return false;
		}
		for (cpu = 0; (magazine = hm_pool_magazine_(pool, cpu)); cpu++)
			while (__atomic_load_n(&magazine->busy, __ATOMIC_ACQUIRE))
				;
	}
	guard = hm_pool_lock_(pool);
	for (cpu = 0; (magazine = hm_pool_magazine_(pool, cpu)); cpu++) {
		wrong = hm_pool_drain_(pool, magazine, cpu, 0) || wrong;
		magazine->block_pages = 0;
	}
	if (wrong || pool->suspect)
		hm_pool_sweep_(pool);
	hm_pool_unlock_(pool, guard);
	if (wrong)
		HM_BUG("pgtable_pool: a magazine was overwritten");
	return true;
}

/*
 * A CPU that is gone, or about to go and pinned for good: what its magazine has is free. Context of
 * allocations that do not sleep.
 */
static inline void hm_pgtable_pool_cpu_remove(struct hm_pgtable_pool *pool, unsigned int cpu)
{
	struct hm_pgtable_pool_magazine *magazine = hm_pool_magazine_(pool, cpu);
	const hm_kpkeys_token_t guard = hm_pool_lock_(pool);
	const bool wrong = magazine && hm_pool_drain_(pool, magazine, cpu, 0);

	hm_pool_unlock_(pool, guard);
	hm_pool_suspect_(pool, wrong);
}

/* ---- refill: may sleep ---- */

/* A key change, counted. Without the lock. */
static inline int hm_pool_set_key_(struct hm_pgtable_pool *pool, hm_pa_t pa, unsigned int pages,
				   unsigned int key, struct hm_pgtable_pool_token *tables)
{
	const int error = hm_port_pgtable_pool_set_key(pool, pa, pages, key, tables);
	const hm_kpkeys_token_t guard = hm_pool_lock_(pool);

	pool->counts.key_changes++;
	pool->counts.key_failures += error != 0;
	hm_pool_unlock_(pool, guard);
	return error;
}

/* Adds memory without a frame, a word of the root, to the counts, or takes it away: times is 1 or minus 1.
 * With the lock. */
static inline void hm_pool_count_lost_(struct hm_pgtable_pool *pool, uint64_t lost, uint64_t times)
{
	pool->present += times * hm_pool_lost_pages_(lost);
	pool->quarantined += times * hm_pool_lost_pages_(lost);
}

/* Makes such pages the pool's, or leaves them to the kernel; with a token for the tables of both key
 * changes. */
static inline int hm_pool_accept_(struct hm_pgtable_pool *pool, hm_pa_t pa, unsigned int pages,
				  hm_pa_t *metas, struct hm_pgtable_pool_token *tables)
{
	const uint64_t flags = hm_pool_is_protected_(pool) ? 0 : HM_POOL_BARE_;
	int error = 0, undone;
	hm_kpkeys_token_t guard;

	if (!flags)
		error = hm_pool_set_key_(pool, pa, pages, HM_KEY_PGTABLES, tables);
	if (!error) {
		guard = hm_pool_lock_(pool);
		error = hm_pool_add_(pool, pa, pages, HM_POOL_LAST_, flags, metas);
		pool->counts.refills += !error;
		pool->counts.loose_refills += !error && pages < HM_POOL_PAGES_;
		hm_pool_unlock_(pool, guard);
		if (!error)
			return 0;
		undone = flags ? 0 : -HM_EIO;
	} else {
		undone = error == -HM_EIO ? error : 0;
	}
	if (undone)
		undone = hm_pool_set_key_(pool, pa, pages, HM_KEY_DEFAULT, tables);
	if (!undone) {
		hm_port_pgtable_pool_give(pool, pa, pages);
		return error;
	}
	/* Nobody gets them. Where there is no place even for a frame, the root says where they are. */
	guard = hm_pool_lock_(pool);
	if (hm_pool_add_(pool, pa, pages, HM_POOL_HELD_, flags, metas)) {
		const uint64_t lost = pa.val | ((unsigned int)__builtin_ctz(pages) + 1);

		hm_pool_put_(hm_pool_root_(pool) + HM_POOL_LOST_, lost);
		hm_pool_count_lost_(pool, lost, 1);
	}
	hm_pool_unlock_(pool, guard);
	return error;
}

/* Tries again memory that has no frame; with the refill lock, of which no second is taken before. */
static inline int hm_pool_retry_lost_(struct hm_pgtable_pool *pool)
{
	hm_pte_t *word = hm_pool_root_(pool) + HM_POOL_LOST_;
	const uint64_t lost = hm_pool_get_(word);
	const hm_pa_t pa = { lost & ~HM_POOL_FLAGS_ };
	const unsigned int pages = hm_pool_lost_pages_(lost);
	struct hm_pgtable_pool_token none = { 0 };
	hm_kpkeys_token_t guard;

	if (!lost)
		return 0;
	if (hm_pool_set_key_(pool, pa, pages, HM_KEY_DEFAULT, &none))
		return -HM_EIO;
	guard = hm_pool_lock_(pool);
	hm_pool_count_lost_(pool, lost, ~UINT64_C(0));
	hm_pool_put_(word, 0);
	hm_pool_unlock_(pool, guard);
	hm_port_pgtable_pool_give(pool, pa, pages);
	return 0;
}

/* Pages from the kernel for the metadata of the next frame, as many as that may come to take: what is asked
 * for may reclaim. 0 for those that there are not. */
static inline void hm_pool_get_metas_(struct hm_pgtable_pool *pool, hm_pa_t *metas)
{
	hm_kpkeys_token_t guard;
	unsigned int i, n;

	metas[0].val = metas[1].val = 0;
	if (HM_PORT_PGTABLE_POOL_LOCKED)
		return;
	guard = hm_pool_lock_(pool);
	n = hm_pool_half_(hm_pool_root_(pool), HM_POOL_METAS_) < HM_POOL_DIRECT_ ? 1 : 2;
	hm_pool_unlock_(pool, guard);
	for (i = 0; i < n; i++)
		if (!hm_port_pgtable_pool_memory(pool, 0, &metas[i]))
			metas[i].val = 0;
}

static inline void hm_pool_put_metas_(struct hm_pgtable_pool *pool, const hm_pa_t *metas)
{
#if HM_PORT_PGTABLE_POOL_LOCKED
	(void)pool, (void)metas;
#else
	unsigned int i;

	for (i = 0; i < 2; i++)
		if (metas[i].val)
			hm_port_pgtable_pool_give(pool, metas[i], 1);
#endif
}

/* Whether that many pages more are free than allocations with those flags leave; if not, the shrinker leaves
 * them until there are. */
static inline bool hm_pool_has_more_(struct hm_pgtable_pool *pool, unsigned int flags,
				     uint64_t pages)
{
	const hm_kpkeys_token_t guard = hm_pool_lock_(pool);
	const uint64_t wanted = hm_pool_keep_(pool, flags) + pages;
	const bool more = pool->free >= wanted;

	pool->wanted = more ? 0 : wanted;
	hm_pool_unlock_(pool, guard);
	return more;
}

/* A block, or the largest piece that is to be had, towards that many pages; with the refill lock. */
static HM_NOINLINE_ int hm_pool_refill_alone_(struct hm_pgtable_pool *pool, unsigned int flags,
					      uint64_t pages)
{
	unsigned int order = HM_PORT_PGTABLE_POOL_ORDER;
	struct hm_pgtable_pool_token tables;
	hm_kpkeys_token_t guard;
	hm_pa_t pa, metas[2];
	int error;

	error = hm_pool_retry_lost_(pool);
	if (error)
		return error;
	hm_pool_get_metas_(pool, metas);
	while (!hm_port_pgtable_pool_memory(pool, order, &pa)) {
		if (order--)
			continue;
		hm_pool_put_metas_(pool, metas);
		/* What others have in their magazines is better than nothing. */
		if (hm_pool_close_(pool))
			hm_pool_open_(pool);
		return hm_pool_has_more_(pool, flags, pages) ? 0 : -HM_ENOMEM;
	}
	guard = hm_pool_lock_(pool);
	hm_pool_hold_back_(pool, HM_PORT_PGTABLE_POOL_TABLES, &tables);
	hm_pool_unlock_(pool, guard);
	error = hm_pool_accept_(pool, pa, 1u << order, metas, &tables);
	hm_pgtable_pool_unreserve(pool, &tables);
	hm_pool_put_metas_(pool, metas);
	return error;
}

/* Until that many pages more are free than allocations with those flags leave. */
static HM_NOINLINE_ int hm_pool_refill_(struct hm_pgtable_pool *pool, unsigned int flags,
					uint64_t pages)
{
	hm_kpkeys_token_t guard;
	int error = 0;

	if (!hm_port_pgtable_pool_refill_lock(pool))
		return -HM_EBUSY;
	while (!error && !hm_pool_has_more_(pool, flags, pages))
		error = hm_pool_refill_alone_(pool, flags, pages);
	guard = hm_pool_lock_(pool);
	pool->wanted = 0;
	hm_pool_unlock_(pool, guard);
	hm_port_pgtable_pool_refill_unlock(pool);
	return error;
}

/* ---- allocation ---- */

static inline void hm_pool_zero_(hm_pa_t page, unsigned int flags)
{
	const hm_pte_t none = { 0 };

	if (flags & HM_PGTABLE_POOL_ZERO)
		hm_pte_fill(hm_port_pgtable_map(page), HM_PORT_PGTABLE_ENTRIES, none, 0);
}

#if HM_PORT_PGTABLE_POOL_MAGAZINE
/* This CPU's magazine has pages, from frames if there were none; false: there are none there, or it is
 * closed. */
static inline bool hm_pool_fill_(struct hm_pgtable_pool *pool)
{
	const unsigned int cpu = hm_port_pgtable_pool_pin(pool);
	struct hm_pgtable_pool_magazine *magazine = hm_port_pgtable_pool_magazine(pool, cpu);
	const hm_kpkeys_token_t guard = hm_pool_lock_(pool);
	bool overwritten = false;
	uint32_t pages = 0;

	if (!magazine->closed) {
		pages = __atomic_load_n(&magazine->pages, __ATOMIC_RELAXED);
		overwritten = pages > HM_PORT_PGTABLE_POOL_MAGAZINE;
		if (!pages || overwritten)
			pages = hm_pool_take_(
				pool, HM_PORT_PGTABLE_POOL_MAGAZINE / 2, hm_pool_keep_(pool, 0),
				HM_POOL_CACHED_ | cpu, magazine->page,
				HM_PORT_PGTABLE_POOL_LOCKED ? HM_NULL_ : magazine->state);
		__atomic_store_n(&magazine->pages, pages, __ATOMIC_RELAXED);
	}
	hm_pool_unlock_(pool, guard);
	hm_port_pgtable_pool_unpin(pool);
	hm_pool_suspect_(pool, overwritten);
	return pages;
}

/* The older half of this CPU's magazine, if it is full, is free; whether it was. */
static inline bool hm_pool_drain_half_(struct hm_pgtable_pool *pool)
{
	const unsigned int cpu = hm_port_pgtable_pool_pin(pool);
	struct hm_pgtable_pool_magazine *magazine = hm_port_pgtable_pool_magazine(pool, cpu);
	const hm_kpkeys_token_t guard = hm_pool_lock_(pool);
	const bool full = !magazine->closed && magazine->pages >= HM_PORT_PGTABLE_POOL_MAGAZINE;
	const bool overwritten = full && hm_pool_drain_(pool, magazine, cpu,
							HM_PORT_PGTABLE_POOL_MAGAZINE / 2);

	hm_pool_unlock_(pool, guard);
	hm_port_pgtable_pool_unpin(pool);
	hm_pool_suspect_(pool, overwritten);
	return full;
}
#else
static inline bool hm_pool_fill_(struct hm_pgtable_pool *pool)
{
	(void)pool;
	return false;
}

static inline bool hm_pool_drain_half_(struct hm_pgtable_pool *pool)
{
	(void)pool;
	return false;
}
#endif

/* One page from frames. */
static inline bool hm_pool_take_one_(struct hm_pgtable_pool *pool, unsigned int flags,
				     hm_pa_t *page)
{
	const hm_kpkeys_token_t guard = hm_pool_lock_(pool);
	const bool taken = hm_pool_take_(pool, 1, hm_pool_keep_(pool, flags), HM_POOL_USED_, page,
					 HM_NULL_);

	hm_pool_unlock_(pool, guard);
	return taken;
}

/* hm_pgtable_pool_alloc(), whether or not the magazine has a page. */
static HM_NOINLINE_ int hm_pool_alloc_slowly_(struct hm_pgtable_pool *pool, unsigned int flags,
					      hm_pa_t *page)
{
	int error = 0;

	while (!error && !hm_pool_pop_(pool, page)) {
		if (hm_pool_fill_(pool))
			continue;
		if (hm_pool_take_one_(pool, flags, page))
			break;
		error = flags & HM_PGTABLE_POOL_MAY_SLEEP ? hm_pool_refill_(pool, flags, 1)
							  : -HM_ENOMEM;
	}
	if (error)
		return error;
	hm_pool_zero_(*page, flags);
	return 0;
}

/*
 * A page for a table, with the key from hm_pgtable_pool_protect() on. flags are of HM_PGTABLE_POOL_MAY_SLEEP,
 * _ZERO (else any contents) and _RESERVE. 0, -HM_ENOMEM, -HM_EBUSY, or what a key change said.
 */
static inline HM_MUST_USE_ int hm_pgtable_pool_alloc(struct hm_pgtable_pool *pool,
						     unsigned int flags, hm_pa_t *page)
{
	hm_pa_t popped = { 0 }; /* in a register */

	if (HM_PORT_PGTABLE_POOL_LOCKED || HM_UNLIKELY_(!hm_pool_pop_(pool, &popped)))
		return hm_pool_alloc_slowly_(pool, flags, page);
	*page = popped;
	hm_pool_zero_(*page, flags);
	return 0;
}

/* The same for n pages, all or none; not from the magazine. */
static inline HM_MUST_USE_ int hm_pgtable_pool_alloc_batch(struct hm_pgtable_pool *pool,
							   unsigned int flags, hm_pa_t *pages,
							   unsigned int n)
{
	unsigned int taken = 0, i;
	int error;

	for (;;) {
		const hm_kpkeys_token_t guard = hm_pool_lock_(pool);
		const uint64_t keep = hm_pool_keep_(pool, flags);

		if (pool->free >= keep + n) {
			taken = hm_pool_take_(pool, n, keep, HM_POOL_USED_, pages, HM_NULL_);
			if (taken < n) /* free was overwritten */
				(void)hm_pool_return_(pool, taken, HM_POOL_USED_, pages);
		}
		hm_pool_unlock_(pool, guard);
		if (taken == n)
			break;
		error = flags & HM_PGTABLE_POOL_MAY_SLEEP ? hm_pool_refill_(pool, flags, n)
							  : -HM_ENOMEM;
		if (error)
			return error;
	}
	for (i = 0; i < n; i++)
		hm_pool_zero_(pages[i], flags);
	return 0;
}

/* What is wrong with a page that is not in use; with the lock. */
static HM_COLD_ const char *hm_pool_complaint_(hm_pte_t *root, hm_pa_t page)
{
	const uint32_t link = hm_pool_find_(root, page);
	unsigned int state;

	if (page.val & (hm_pool_page_bytes_() - 1))
		return "pgtable_pool: an address inside of a page was freed";
	if (!link)
		return "pgtable_pool: a page of no block of this pool was freed";
	state = hm_pool_state_(hm_pool_frame_(root, link - 1), hm_pool_index_of_(page));
	if (hm_pool_is_free_(state) || hm_pool_is_cached_(state))
		return "pgtable_pool: a page was freed twice";
	return "pgtable_pool: a page that was not allocated from this pool was freed";
}

/* n pages to frames. */
static HM_NOINLINE_ int hm_pool_free_to_frames_(struct hm_pgtable_pool *pool, const hm_pa_t *pages,
						unsigned int n)
{
	const hm_kpkeys_token_t guard = hm_pool_lock_(pool);
	const unsigned int wrong = hm_pool_return_(pool, n, HM_POOL_USED_, pages);
	const char *complaint = HM_NULL_;

	if (wrong)
		complaint = n > 1 ? "pgtable_pool: pages were freed that are not in use"
				  : hm_pool_complaint_(hm_pool_root_(pool), pages[0]);
	hm_pool_unlock_(pool, guard);
	if (complaint)
		HM_BUG(complaint);
	return wrong ? -HM_EINVAL : 0;
}

/* hm_pgtable_pool_free(), whatever the magazine remembers. */
static HM_NOINLINE_ int hm_pool_free_slowly_(struct hm_pgtable_pool *pool, hm_pa_t page)
{
	hm_pool_remember_(pool, page);
	if (hm_pool_push_(pool, page) || (hm_pool_drain_half_(pool) && hm_pool_push_(pool, page)))
		return 0;
	return hm_pool_free_to_frames_(pool, &page, 1);
}

/*
 * The page is the pool's again. It is linked nowhere, and no walk cache has it: hm_pgtable_invalidate() came
 * between. Any contents. 0; -HM_EINVAL if it is not a page of this pool that is in use, which is told to
 * HM_BUG and changes nothing.
 */
static inline int hm_pgtable_pool_free(struct hm_pgtable_pool *pool, hm_pa_t page)
{
	if (!HM_PORT_PGTABLE_POOL_LOCKED && HM_LIKELY_(hm_pool_push_(pool, page)))
		return 0;
	return hm_pool_free_slowly_(pool, page);
}

/* The same for n pages, not by the magazine. -HM_EINVAL: there was a wrong one among them; the others are
 * free. */
static inline int hm_pgtable_pool_free_batch(struct hm_pgtable_pool *pool, const hm_pa_t *pages,
					     unsigned int n)
{
	return hm_pool_free_to_frames_(pool, pages, n);
}

/*
 * That many pages for the token, all-zero before: hm_pgtable_pool_take() gives them, whatever others do
 * meanwhile. Before any lock; with HM_PGTABLE_POOL_MAY_SLEEP in flags the pool is refilled for it. 0, or
 * errors as of an allocation.
 */
static inline HM_MUST_USE_ int hm_pgtable_pool_reserve(struct hm_pgtable_pool *pool,
						       unsigned int flags, unsigned int pages,
						       struct hm_pgtable_pool_token *token)
{
	for (;;) {
		const hm_kpkeys_token_t guard = hm_pool_lock_(pool);
		const bool enough = pool->free >= hm_pool_keep_(pool, flags) + pages;
		int error = -HM_ENOMEM;

		if (enough)
			hm_pool_hold_back_(pool, pages, token);
		hm_pool_unlock_(pool, guard);
		if (enough)
			return 0;
		if (flags & HM_PGTABLE_POOL_MAY_SLEEP)
			error = hm_pool_refill_(pool, flags, pages);
		if (error)
			return error;
	}
}

/* ---- boot ---- */

/* Before anything else: of a pool that is all-zero, as its root page is, which is writable as a table. */
static inline void hm_pgtable_pool_init(struct hm_pgtable_pool *pool)
{
	pool->worth = HM_POOL_PAGES_ / 2;
}

/* Pages that the kernel has elsewhere, block by block. */
static inline int hm_pool_bring_(struct hm_pgtable_pool *pool, hm_pa_t pa, unsigned int pages,
				 unsigned int state)
{
	int error = 0;

	while (pages && !error) {
		const unsigned int left = HM_POOL_PAGES_ - hm_pool_index_of_(pa);
		const unsigned int n = pages < left ? pages : left;
		const bool protect = hm_pool_is_protected_(pool);
		const uint64_t flags = HM_POOL_ADOPTED_ | (protect ? 0 : HM_POOL_BARE_);
		struct hm_pgtable_pool_token tables;
		hm_kpkeys_token_t guard;
		hm_pa_t metas[2];

		hm_pool_get_metas_(pool, metas);
		guard = hm_pool_lock_(pool);
		if (hm_pool_has_some_(hm_pool_root_(pool), pa, n))
			error = -HM_EEXIST;
		hm_pool_hold_back_(pool, HM_PORT_PGTABLE_POOL_TABLES, &tables);
		hm_pool_unlock_(pool, guard);
		if (!error && protect)
			error = hm_pool_set_key_(pool, pa, n, HM_KEY_PGTABLES, &tables);
		if (!error) {
			guard = hm_pool_lock_(pool);
			error = hm_pool_add_(pool, pa, n, state, flags, metas);
			hm_pool_unlock_(pool, guard);
			if (error && protect &&
			    hm_pool_set_key_(pool, pa, n, HM_KEY_DEFAULT, &tables))
				error = -HM_EIO;
		}
		hm_pgtable_pool_unreserve(pool, &tables);
		hm_pool_put_metas_(pool, metas);
		pa.val += n * hm_pool_page_bytes_();
		pages -= n;
	}
	return error;
}

static inline int hm_pool_bring_alone_(struct hm_pgtable_pool *pool, hm_pa_t pa, unsigned int pages,
				       unsigned int state)
{
	int error;

	if (!pages || pa.val & (hm_pool_page_bytes_() - 1))
		return -HM_EINVAL;
	if (!hm_port_pgtable_pool_refill_lock(pool))
		return -HM_EBUSY;
	error = hm_pool_bring_(pool, pa, pages, state);
	hm_port_pgtable_pool_refill_unlock(pool);
	return error;
}

/*
 * Consecutive pages that the kernel gives for good: they are served first and never given back. The way to
 * serve tables before there is a page allocator, and to have the tables for the first key change. 0, or the
 * first error: what comes before that block's part of the range is the pool's, the rest is the caller's as it
 * was; after -HM_EIO some of that part may have the key. May sleep.
 *
 * They get the key with hm_pgtable_pool_protect(), or at once if that was. Where memory takes keyed stores by
 * now (HM_KEY_STYLE_STORE) they have it already.
 */
static inline HM_MUST_USE_ int hm_pgtable_pool_adopt(struct hm_pgtable_pool *pool, hm_pa_t pa,
						     unsigned int pages)
{
	return hm_pool_bring_alone_(pool, pa, pages, HM_POOL_LAST_);
}

/* The same for pages that are tables in use: they are protected likewise, and may be freed like any. Locked
 * metadata need a page that was adopted before. */
static inline HM_MUST_USE_ int hm_pgtable_pool_register(struct hm_pgtable_pool *pool, hm_pa_t pa,
							unsigned int pages)
{
	return hm_pool_bring_alone_(pool, pa, pages, HM_POOL_USED_);
}

/* The first page of the frame, from that one on, in a state from first to last; and where the run of such
 * pages ends. With the lock, or alone. */
static inline unsigned int hm_pool_find_run_(const struct hm_pool_frame_ *frame, unsigned int page,
					     unsigned int first, unsigned int last,
					     unsigned int *end)
{
	bool in_run = false;

	for (*end = page; *end < HM_POOL_PAGES_; (*end)++) {
		const unsigned int state = hm_pool_state_(frame->words, *end);
		const bool belongs = state >= first && state <= last;

		if (belongs && !in_run)
			page = *end;
		if (!belongs && in_run)
			break;
		in_run = belongs;
	}
	return in_run ? page : *end;
}

/* All pages of a frame get a key. Frames stay where they are: the caller is alone. */
static inline int hm_pool_set_keys_(struct hm_pgtable_pool *pool, uint32_t number, unsigned int key)
{
	struct hm_pgtable_pool_token tables;
	unsigned int page = 0, end;
	int error = 0;

	for (; !error; page = end) {
		hm_kpkeys_token_t guard = hm_pool_lock_(pool);
		const struct hm_pool_frame_ frame = hm_pool_load_(hm_pool_root_(pool), number);

		page = hm_pool_find_run_(&frame, page, 0, HM_POOL_USED_, &end);
		hm_pool_hold_back_(pool, HM_PORT_PGTABLE_POOL_TABLES, &tables);
		hm_pool_unlock_(pool, guard);
		if (page < end)
			error = hm_pool_set_key_(pool, hm_pool_page_(&frame, page), end - page, key,
						 &tables);
		hm_pgtable_pool_unreserve(pool, &tables);
		if (page == end)
			break;
	}
	return error;
}

/* Whether the frame of that number has its key, or gets it. */
static inline int hm_pool_protect_(struct hm_pgtable_pool *pool, uint32_t number)
{
	hm_pte_t *root = hm_pool_root_(pool);
	hm_kpkeys_token_t guard = hm_pool_lock_(pool);
	struct hm_pool_frame_ frame = hm_pool_load_(root, number);
	int error;

	hm_pool_unlock_(pool, guard);
	if (!(frame.flags & HM_POOL_BARE_))
		return 0;
	error = hm_pool_set_keys_(pool, number, HM_KEY_PGTABLES);
	if (error)
		return error;
	guard = hm_pool_lock_(pool);
	frame = hm_pool_load_(root, number);
	frame.flags -= HM_POOL_BARE_;
	pool->unprotected -= frame.present;
	hm_pool_update_(pool, root, &frame);
	hm_pool_unlock_(pool, guard);
	return 0;
}

/*
 * All that the pool has gets its key, its root and metadata too if they are locked, and so does whatever
 * comes later. When key changes work: at boot, or at once. 0; -HM_EBUSY if the shrinker runs or the refill
 * lock is not to be had; or what a key change said: call it again, unprotected in the pool's statistics
 * says how many pages lack the key. May sleep.
 */
static inline HM_MUST_USE_ int hm_pgtable_pool_protect(struct hm_pgtable_pool *pool)
{
	hm_pte_t *root = hm_pool_root_(pool);
	struct hm_pgtable_pool_token none = { 0 };
	hm_kpkeys_token_t guard;
	uint32_t number;
	int error = 0;

	if (!hm_port_pgtable_pool_refill_lock(pool))
		return -HM_EBUSY;
	if (hm_pool_close_(pool)) {
		if (HM_PORT_PGTABLE_POOL_LOCKED)
			error = hm_pool_set_key_(pool, hm_port_pgtable_pool_root(pool), 1,
						 HM_KEY_PGTABLES, &none);
		guard = hm_pool_lock_(pool);
		hm_pool_put_(root + HM_POOL_PROTECTED_, 1);
		hm_pool_unlock_(pool, guard);
		for (number = 0; !error && number < hm_pool_half_(root, HM_POOL_FRAMES_); number++)
			error = hm_pool_protect_(pool, number);
		hm_pool_open_(pool);
	} else {
		error = -HM_EBUSY;
	}
	hm_port_pgtable_pool_refill_unlock(pool);
	return error;
}

/* ---- the shrinker: alone, with magazines closed ---- */

/* The free pages of a frame, linked anew in ascending order. */
static inline void hm_pool_link_free_(struct hm_pool_frame_ *frame)
{
	unsigned int i;

	frame->free = 0;
	for (i = HM_POOL_PAGES_; i--;)
		if (hm_pool_is_free_(hm_pool_state_(frame->words, i)))
			hm_pool_free_page_(frame, i);
}

/* Pages for metadata that no frame needs any more; those of the kernel, for hm_pool_put_metas_(). With the
 * lock. */
static inline void hm_pool_trim_(struct hm_pgtable_pool *pool, hm_pte_t *root, hm_pa_t *metas)
{
	const uint32_t last = hm_pool_half_(root, HM_POOL_METAS_) - 1;
	const unsigned int n = hm_pool_metas_for_(last);
#if HM_PORT_PGTABLE_POOL_LOCKED
	unsigned int i;
#endif

	metas[0].val = metas[1].val = 0;
	if (hm_pool_half_(root, HM_POOL_FRAMES_) > last * HM_POOL_PER_PAGE_)
		return;
	metas[0].val = hm_pool_get_(hm_pool_directory_(root, last));
	if (n > 1)
		metas[1].val = hm_pool_get_(hm_pool_names_(root, last));
	hm_pool_put_half_(root, HM_POOL_METAS_, last);
	pool->metadata -= n;
#if HM_PORT_PGTABLE_POOL_LOCKED
	for (i = 0; i < 2; i++)
		if (metas[i].val)
			hm_pool_free_meta_(pool, root, metas[i]);
#endif
}

/* Pages of a block that are to go: held since they were chosen, so that nobody is served one. */
struct hm_pool_run_ {
	uint64_t block;
	unsigned int page, n;
	bool again; /* they were in quarantine */
};

/* Chooses free pages; with the lock. */
static inline struct hm_pool_run_ hm_pool_hold_(struct hm_pgtable_pool *pool, hm_pte_t *root,
						struct hm_pool_frame_ *frame, unsigned int page,
						unsigned int n)
{
	const struct hm_pool_run_ run = { frame->block, page, n, false };

	hm_pool_put_states_(frame->words, page, n, HM_POOL_HELD_);
	hm_pool_link_free_(frame);
	hm_pool_update_(pool, root, frame);
	pool->quarantined += n;
	return run;
}

/*
 * Gives them back to the kernel, if their key can be changed. Error: they are free again; -HM_EIO, or if they
 * were: in quarantine. Without the lock.
 */
static HM_NOINLINE_ int hm_pool_release_(struct hm_pgtable_pool *pool, struct hm_pool_run_ run,
					 struct hm_pgtable_pool_token *tables)
{
	hm_pte_t *root = hm_pool_root_(pool);
	const hm_pa_t pa = { run.block + run.page * hm_pool_page_bytes_() };
	const int error = hm_pool_set_key_(pool, pa, run.n, HM_KEY_DEFAULT, tables);
	hm_kpkeys_token_t guard = hm_pool_lock_(pool);
	struct hm_pool_frame_ frame = hm_pool_load_of_(root, pa);
	hm_pa_t metas[2] = { { 0 }, { 0 } };
	bool gone = false;

	if (!error) {
		hm_pool_put_states_(frame.words, run.page, run.n, HM_POOL_ABSENT_);
		frame.present -= run.n;
		pool->quarantined -= run.n;
		pool->unprotected -= frame.flags & HM_POOL_BARE_ ? run.n : 0;
		pool->counts.pages_released += run.n;
		pool->counts.blocks_released += run.n == HM_POOL_PAGES_;
		gone = !frame.present;
	} else if (!run.again && error != -HM_EIO) {
		hm_pool_put_states_(frame.words, run.page, run.n, HM_POOL_LAST_);
		hm_pool_link_free_(&frame);
		pool->quarantined -= run.n;
	}
	hm_pool_update_(pool, root, &frame);
	if (gone) {
		pool->counts.blocks_rejoined += run.n < HM_POOL_PAGES_;
		hm_pool_remove_(root, &frame);
		hm_pool_trim_(pool, root, metas);
	}
	hm_pool_unlock_(pool, guard);

	hm_pool_put_metas_(pool, metas);
	if (error)
		return error;
	hm_port_pgtable_pool_give(pool, pa, run.n);
	if (gone && run.n < HM_POOL_PAGES_)
		hm_port_pgtable_pool_rejoin(pool, pa);
	return 0;
}

#if HM_PORT_PGTABLE_POOL_LOCKED
/* Whatever names that page of metadata names another. With the lock. */
static inline void hm_pool_rename_(hm_pte_t *root, hm_pa_t from, hm_pa_t to)
{
	const uint32_t metas = hm_pool_half_(root, HM_POOL_METAS_);
	hm_pte_t *word = root + HM_POOL_DIRECTORY_ + HM_POOL_DIRECT_;
	uint32_t i;

	for (i = 0; i < metas; i++) {
		if (hm_pool_get_(hm_pool_directory_(root, i)) == from.val) {
			hm_pool_put_(hm_pool_directory_(root, i), to.val);
			return;
		}
	}
	/* It names others itself. */
	while (hm_pool_get_(word) != from.val)
		word++;
	hm_pool_put_(word, to.val);
}

/* One page of metadata moves elsewhere; false if there is no other place. */
static inline bool hm_pool_move_meta_(struct hm_pgtable_pool *pool, hm_pte_t *root, hm_pa_t from)
{
	unsigned int i;
	hm_pa_t to;

	if (!hm_pool_take_meta_(pool, root, &to))
		return false;
	for (i = 0; i < HM_PORT_PGTABLE_ENTRIES; i++)
		hm_pool_put_(hm_port_pgtable_map(to) + i,
			     hm_pool_get_(hm_port_pgtable_map(from) + i));
	hm_pool_rename_(root, from, to);
	hm_pool_free_meta_(pool, root, from);
	return true;
}

/* Moves metadata out of a block that has nothing else; false if there is no other place. With the lock. */
static HM_NOINLINE_ bool hm_pool_evict_(struct hm_pgtable_pool *pool, hm_pte_t *root,
					uint32_t number)
{
	struct hm_pool_frame_ frame = hm_pool_load_(root, number);
	bool moved = true, unlisted = false;
	unsigned int page;

	for (page = 0; moved && frame.metas && page < HM_POOL_PAGES_; page++) {
		if (hm_pool_state_(frame.words, page) != HM_POOL_META_)
			continue;
		/* Meanwhile nothing is taken from the block itself. */
		if (!unlisted && frame.free) {
			hm_pool_unlist_(root, &frame, hm_pool_list_of_(&frame));
			unlisted = true;
		}
		moved = hm_pool_move_meta_(pool, root, hm_pool_page_(&frame, page));
		frame = hm_pool_load_(root, number); /* it may have moved itself */
	}
	if (unlisted)
		hm_pool_enlist_(root, &frame, hm_pool_list_of_(&frame));
	return moved;
}
#endif

/* The free pages that a scan may give back: what demand there was of late is not to be met by a refill. */
static inline uint64_t hm_pool_excess_(const struct hm_pgtable_pool *pool)
{
	const uint64_t in_use = hm_pool_in_use_(pool);
	const uint64_t keep = hm_pool_keep_(pool, 0) +
			      (pool->demand > in_use ? pool->demand - in_use : 0);
	const uint64_t most = keep > pool->wanted ? keep : pool->wanted;

	return pool->free > most ? pool->free - most : 0;
}

/* Demand that does not come again is forgotten by halves, each time that the kernel wants memory. */
static inline void hm_pool_forget_(struct hm_pgtable_pool *pool)
{
	const uint64_t in_use = hm_pool_in_use_(pool);

	pool->demand = in_use + (pool->demand > in_use ? (pool->demand - in_use) / 2 : 0);
}

/* A block without a page in use, its metadata moved away. False: there is none that may go. */
static inline bool hm_pool_find_empty_(struct hm_pgtable_pool *pool, struct hm_pool_run_ *run)
{
	hm_pte_t *root = hm_pool_root_(pool);
	const hm_kpkeys_token_t guard = hm_pool_lock_(pool);
	const uint32_t link = hm_pool_half_(root + HM_POOL_HEADS_, 0);
	struct hm_pool_frame_ frame;
	bool found = link && hm_pool_excess_(pool) >= HM_POOL_PAGES_;

	pool->counts.steps++;
#if HM_PORT_PGTABLE_POOL_LOCKED
	found = found && hm_pool_evict_(pool, root, link - 1);
#endif
	if (found) {
		frame = hm_pool_load_(root, link - 1);
		*run = hm_pool_hold_(pool, root, &frame, 0, HM_POOL_PAGES_);
	}
	hm_pool_unlock_(pool, guard);
	return found;
}

/* Loose pages, at most that many. False: there are none that may go. */
static inline bool hm_pool_find_loose_(struct hm_pgtable_pool *pool, uint64_t most,
				       struct hm_pool_run_ *run)
{
	hm_pte_t *root = hm_pool_root_(pool);
	const hm_kpkeys_token_t guard = hm_pool_lock_(pool);
	const uint32_t link = hm_pool_half_(root + HM_POOL_HEADS_, HM_POOL_LOOSE_);
	const uint64_t excess = hm_pool_excess_(pool);
	const bool found = link && excess;

	pool->counts.steps++;
	if (found) {
		struct hm_pool_frame_ frame = hm_pool_load_(root, link - 1);
		unsigned int end;
		const unsigned int page = hm_pool_find_run_(&frame, 0, 0, HM_POOL_LAST_, &end);

		if (most > excess)
			most = excess;
		if (most > end - page)
			most = end - page;
		*run = hm_pool_hold_(pool, root, &frame, page, (unsigned int)most);
	}
	hm_pool_unlock_(pool, guard);
	return found;
}

/* The emptiest block of those that are not empty becomes loose, if it is worth it. */
static inline bool hm_pool_split_(struct hm_pgtable_pool *pool, uint32_t *number)
{
	hm_pte_t *root = hm_pool_root_(pool);
	const hm_kpkeys_token_t guard = hm_pool_lock_(pool);
	const unsigned int list = hm_pool_emptiest_(root);
	const bool split = list && list < HM_POOL_PAGES_ && HM_POOL_PAGES_ - list >= pool->worth;

	pool->counts.steps++;
	if (split) {
		const uint32_t link = hm_pool_half_(root + HM_POOL_HEADS_, list);
		struct hm_pool_frame_ frame = hm_pool_load_(root, link - 1);

		*number = frame.number;
		frame.flags |= HM_POOL_PIECES_;
		hm_pool_update_(pool, root, &frame);
		pool->counts.blocks_split++;
	}
	hm_pool_unlock_(pool, guard);
	return split;
}

/* None of its pages could go: it is whole. */
static inline void hm_pool_unsplit_(struct hm_pgtable_pool *pool, uint32_t number)
{
	hm_pte_t *root = hm_pool_root_(pool);
	const hm_kpkeys_token_t guard = hm_pool_lock_(pool);
	struct hm_pool_frame_ frame = hm_pool_load_(root, number);
	unsigned int end;

	if (hm_pool_find_run_(&frame, 0, HM_POOL_HELD_, HM_POOL_HELD_, &end) == end) {
		frame.flags &= ~HM_POOL_PIECES_;
		hm_pool_update_(pool, root, &frame);
		pool->counts.blocks_split--;
	}
	hm_pool_unlock_(pool, guard);
}

/* Tries again what is held since a key change failed half-way. */
static HM_COLD_ void hm_pool_retry_(struct hm_pgtable_pool *pool)
{
	hm_pte_t *root = hm_pool_root_(pool);
	struct hm_pgtable_pool_token none = { 0 };
	uint32_t number = hm_pool_half_(root, HM_POOL_FRAMES_);

	/* Downwards: a frame that goes is replaced by one that was looked at. */
	while (number--) {
		unsigned int end = 0;

		while (end < HM_POOL_PAGES_ && number < hm_pool_half_(root, HM_POOL_FRAMES_)) {
			const hm_kpkeys_token_t guard = hm_pool_lock_(pool);
			const struct hm_pool_frame_ frame = hm_pool_load_(root, number);
			const unsigned int page = hm_pool_find_run_(&frame, end, HM_POOL_HELD_,
								    HM_POOL_HELD_, &end);
			const struct hm_pool_run_ run = { frame.block, page, end - page, true };

			hm_pool_unlock_(pool, guard);
			if (run.n)
				(void)hm_pool_release_(pool, run, &none);
		}
	}
}

/* Gives loose pages back, at most that many; how many. */
static inline uint64_t hm_pool_release_loose_(struct hm_pgtable_pool *pool, uint64_t pages,
					      struct hm_pgtable_pool_token *tables)
{
	struct hm_pool_run_ run;
	uint64_t given = 0;

	while (given < pages && hm_pool_find_loose_(pool, pages - given, &run) &&
	       !hm_pool_release_(pool, run, tables))
		given += run.n;
	return given;
}

/*
 * Gives pages back to the kernel: whole blocks in which none is in use, of which the last may make it more
 * pages than were asked for; then loose ones; and with HM_PGTABLE_POOL_SPLIT in flags parts of blocks that
 * are worth it, the emptiest first. How many; 0 if nothing may go, or another CPU shrinks this pool: what
 * Linux calls SHRINK_STOP. It takes no memory, and no lock but the pool's and those of the key change; it
 * does not sleep but in those, and waits for no refill, so that it may be called by one. Not in interrupt:
 * other CPUs are to answer hm_port_pgtable_pool_fence(). Its time goes by what it gives, not by what the
 * pool has.
 */
static inline uint64_t hm_pgtable_pool_shrink_scan(struct hm_pgtable_pool *pool, uint64_t pages,
						   unsigned int flags)
{
	struct hm_pgtable_pool_token tables = { 0 };
	hm_kpkeys_token_t guard;
	struct hm_pool_run_ run;
	uint64_t given = 0;
	uint32_t number;

	if (!pages || !hm_pool_close_(pool))
		return 0;
	if (pool->quarantined)
		hm_pool_retry_(pool);
	while (given < pages && hm_pool_find_empty_(pool, &run) &&
	       !hm_pool_release_(pool, run, &tables))
		given += run.n;
	given += hm_pool_release_loose_(pool, pages > given ? pages - given : 0, &tables);
	guard = hm_pool_lock_(pool);
	if (flags & HM_PGTABLE_POOL_SPLIT)
		hm_pool_hold_back_(pool, HM_PORT_PGTABLE_POOL_TABLES, &tables);
	hm_pool_unlock_(pool, guard);
	while (flags & HM_PGTABLE_POOL_SPLIT && given < pages && hm_pool_split_(pool, &number)) {
		const uint64_t part = hm_pool_release_loose_(pool, pages - given, &tables);

		given += part;
		if (!part) {
			hm_pool_unsplit_(pool, number);
			break;
		}
	}
	hm_pgtable_pool_unreserve(pool, &tables);
	guard = hm_pool_lock_(pool);
	hm_pool_forget_(pool);
	hm_pool_unlock_(pool, guard);
	hm_pool_open_(pool);
	return given;
}

/*
 * How many pages a scan would give back now without a split. Pages in magazines are not among them, and none
 * of a block of which one is in use. A scan may give more by a block, and where metadata are locked by
 * pages of those. 0 is what Linux calls SHRINK_EMPTY; with batch = a block and seeks = 0 its shrinkers ask
 * for no less than a scan gives. Context of allocations that do not sleep.
 */
static inline uint64_t hm_pgtable_pool_shrink_count(struct hm_pgtable_pool *pool)
{
	const hm_kpkeys_token_t guard = hm_pool_lock_(pool);
	uint64_t excess = hm_pool_excess_(pool);
	uint64_t blocks = (pool->empty + HM_POOL_PAGES_ - 1) / HM_POOL_PAGES_, loose = pool->loose;

	/* Locked metadata have no place but in the last of them. */
	if (HM_PORT_PGTABLE_POOL_LOCKED && blocks && pool->empty == pool->free)
		blocks--;
	if (blocks > excess / HM_POOL_PAGES_)
		blocks = excess / HM_POOL_PAGES_;
	excess -= blocks * HM_POOL_PAGES_;
	hm_pool_forget_(pool);
	hm_pool_unlock_(pool, guard);
	return blocks * HM_POOL_PAGES_ + (loose < excess ? loose : excess);
}

/* For kernels without shrinkers: as a scan for all free pages beyond that many. */
static inline uint64_t hm_pgtable_pool_shrink(struct hm_pgtable_pool *pool, uint64_t target)
{
	const hm_kpkeys_token_t guard = hm_pool_lock_(pool);
	const uint64_t free = pool->free;

	hm_pool_unlock_(pool, guard);
	return hm_pgtable_pool_shrink_scan(pool, free > target ? free - target : 0, 0);
}

/* ---- what it looks like ---- */

/* Counts. Takes the lock for each frame; what other CPUs do meanwhile may be seen in part. */
static inline void hm_pgtable_pool_statistics(struct hm_pgtable_pool *pool,
					      struct hm_pgtable_pool_statistics *statistics)
{
	hm_pte_t *root = hm_pool_root_(pool);
	hm_kpkeys_token_t guard = hm_pool_lock_(pool);
	struct hm_pgtable_pool_magazine *magazine;
	uint32_t number;
	unsigned int cpu;

	for (cpu = 0; cpu < HM_PGTABLE_POOL_CLASSES + 2; cpu++)
		statistics->blocks[cpu] = 0;
	statistics->loose_frames = statistics->cached = 0;
	for (number = 0; number < hm_pool_half_(root, HM_POOL_FRAMES_); number++) {
		const struct hm_pool_frame_ frame = hm_pool_load_(root, number);
		const unsigned int busy = HM_POOL_PAGES_ - frame.free - frame.metas;

		if (frame.flags & HM_POOL_PIECES_)
			statistics->loose_frames++;
		else if (!busy || !frame.free)
			statistics->blocks[busy ? HM_PGTABLE_POOL_CLASSES + 1 : 0]++;
		else
			statistics->blocks[1 + busy * HM_PGTABLE_POOL_CLASSES / HM_POOL_PAGES_]++;
		hm_pool_unlock_(pool, guard);
		guard = hm_pool_lock_(pool);
	}
	statistics->metadata_bytes = (uint64_t)number * HM_POOL_FRAME_ * sizeof(*root);
	for (cpu = 0; (magazine = hm_pool_magazine_(pool, cpu)); cpu++)
		statistics->cached += __atomic_load_n(&magazine->pages, __ATOMIC_RELAXED) +
				      (__atomic_load_n(&magazine->last_state, __ATOMIC_RELAXED) !=
				       HM_NULL_);
	statistics->present = pool->present;
	statistics->free = pool->free;
	statistics->metadata = pool->metadata;
	statistics->quarantined = pool->quarantined;
	statistics->unprotected = pool->unprotected;
	statistics->reserved = hm_pool_get_(root + HM_POOL_RESERVED_);
	statistics->counts = pool->counts;
	statistics->used = hm_pool_in_use_(pool) - statistics->cached;
	hm_pool_unlock_(pool, guard);
}

#define HM_POOL_LINE_ 64

/* What a character of the drawing says of the pages from first to end. */
static inline char hm_pool_draw_(const struct hm_pool_frame_ *frame, unsigned int first,
				 unsigned int end)
{
	unsigned int used = 0, free = 0, cached = 0, held = 0, metas = 0, i;

	for (i = first; i < end; i++) {
		const unsigned int state = hm_pool_state_(frame->words, i);

		used += state == HM_POOL_USED_;
		free += hm_pool_is_free_(state);
		held += state == HM_POOL_HELD_;
		metas += state == HM_POOL_META_;
		cached += hm_pool_is_cached_(state);
	}
	if (held)
		return '!';
	if (metas)
		return 'm';
	if (used)
		return used == end - first ? '#' : '+';
	if (cached)
		return 'c';
	return free ? '.' : ' ';
}

/*
 * Draws the pool, a line a block without its newline: the address; b for a whole block, l for loose pages, a
 * for adopted ones, each in capitals while it lacks the key; 64 characters, each for as many pages of it:
 *
 * 	#  all in use    +  some in use    c  in a magazine    .  free    m  metadata    !  held, key unknown
 *
 * Context of put, which is called without the lock.
 */
static inline void hm_pgtable_pool_print(struct hm_pgtable_pool *pool,
					 void (*put)(const char *line, void *argument),
					 void *argument)
{
	static const char digits[] = "0123456789abcdef";
	hm_pte_t *root = hm_pool_root_(pool);
	const unsigned int each = (HM_POOL_PAGES_ + HM_POOL_LINE_ - 1) / HM_POOL_LINE_;
	char line[20 + HM_POOL_LINE_ + 1];
	uint32_t number;

	for (number = 0;; number++) {
		const hm_kpkeys_token_t guard = hm_pool_lock_(pool);
		const bool more = number < hm_pool_half_(root, HM_POOL_FRAMES_);
		unsigned int i, n = 0;

		if (more) {
			const struct hm_pool_frame_ frame = hm_pool_load_(root, number);
			char kind = frame.flags & HM_POOL_ADOPTED_ ? 'a' : 'b';

			if ((frame.flags & (HM_POOL_ADOPTED_ | HM_POOL_PIECES_)) == HM_POOL_PIECES_)
				kind = 'l';
			for (; n < 16; n++)
				line[n] = digits[frame.block >> (60 - 4 * n) & 15];
			line[n++] = ' ';
			line[n++] = (char)(frame.flags & HM_POOL_BARE_ ? kind - 'a' + 'A' : kind);
			line[n++] = ' ';
			for (i = 0; i < HM_POOL_PAGES_; i += each)
				line[n++] = hm_pool_draw_(&frame, i, i + each);
		}
		hm_pool_unlock_(pool, guard);
		if (!more)
			break;
		line[n] = 0;
		put(line, argument);
	}
}

/* ---- the end ---- */

/* Gives back the only block, in which nothing but its own metadata is not free; these last: after that
 * nothing of the pool is read. */
static inline int hm_pool_dissolve_(struct hm_pgtable_pool *pool)
{
	hm_pte_t *root = hm_pool_root_(pool);
	const struct hm_pool_frame_ frame = hm_pool_load_(root, 0);
	unsigned int page, end = 0, meta, meta_end;
	const int error = hm_pool_set_keys_(pool, 0, HM_KEY_DEFAULT);
	hm_kpkeys_token_t guard;

	if (error)
		return error;
	meta = hm_pool_find_run_(&frame, 0, HM_POOL_META_, HM_POOL_META_, &meta_end);
	while ((page = hm_pool_find_run_(&frame, end, 0, HM_POOL_LAST_, &end)) < end)
		hm_port_pgtable_pool_give(pool, hm_pool_page_(&frame, page), end - page);
	guard = hm_pool_lock_(pool);
	hm_pool_put_(root, 0);
	hm_pool_unlock_(pool, guard);
	hm_port_pgtable_pool_give(pool, hm_pool_page_(&frame, meta), meta_end - meta);
	pool->present = pool->free = pool->metadata = 0;
	return 0;
}

/* The first frame of pages that the kernel gets back; as many as there are frames if there is none. */
static inline uint32_t hm_pool_own_(hm_pte_t *root)
{
	const uint32_t frames = hm_pool_half_(root, HM_POOL_FRAMES_);
	uint32_t number = 0;

	while (number < frames && hm_pool_load_(root, number).flags & HM_POOL_ADOPTED_)
		number++;
	return number;
}

/* Free pages of a block that can go now: its metadata have another place. False: there is none. */
static inline bool hm_pool_find_any_(struct hm_pgtable_pool *pool, struct hm_pool_run_ *run)
{
	hm_pte_t *root = hm_pool_root_(pool);
	const hm_kpkeys_token_t guard = hm_pool_lock_(pool);
	const uint32_t frames = hm_pool_half_(root, HM_POOL_FRAMES_);
	const uint32_t number = hm_pool_own_(root);
	struct hm_pool_frame_ frame = hm_pool_load_none_();
	unsigned int page, end;
	bool found = number < frames;

#if HM_PORT_PGTABLE_POOL_LOCKED
	found = found && frames > 1 && hm_pool_evict_(pool, root, number);
#endif
	if (found) {
		frame = hm_pool_load_(root, number);
		page = hm_pool_find_run_(&frame, 0, 0, HM_POOL_LAST_, &end);
		*run = hm_pool_hold_(pool, root, &frame, page, end - page);
	}
	hm_pool_unlock_(pool, guard);
	return found;
}

/* Whether a page is not free, by the frames, or held back for a token. */
static inline bool hm_pool_is_busy_(const struct hm_pgtable_pool *pool)
{
	hm_pte_t *root = hm_pool_root_(pool);
	uint32_t number;

	for (number = 0; number < hm_pool_half_(root, HM_POOL_FRAMES_); number++) {
		const struct hm_pool_frame_ frame = hm_pool_load_(root, number);

		if (frame.free + frame.metas != frame.present)
			return true;
	}
	return hm_pool_get_(root + HM_POOL_RESERVED_);
}

static inline int hm_pool_destroy_alone_(struct hm_pgtable_pool *pool)
{
	hm_pte_t *root = hm_pool_root_(pool);
	struct hm_pgtable_pool_token none = { 0 };
	const bool protected_ = hm_pool_is_protected_(pool);
	struct hm_pool_run_ run;
	hm_kpkeys_token_t guard;
	uint32_t i;
	int error = 0;

	if (pool->quarantined)
		hm_pool_retry_(pool);
	if (hm_pool_retry_lost_(pool) || hm_pool_is_busy_(pool))
		return -HM_EBUSY;
	/* By right counts there is a place for the metadata of each block but the last. */
	guard = hm_pool_lock_(pool);
	hm_pool_recount_(pool, root);
	hm_pool_unlock_(pool, guard);
	while (!error && hm_pool_find_any_(pool, &run))
		error = hm_pool_release_(pool, run, &none);
	if (!error && hm_pool_own_(root) < hm_pool_half_(root, HM_POOL_FRAMES_))
		error = hm_pool_half_(root, HM_POOL_FRAMES_) == 1 ? hm_pool_dissolve_(pool)
								  : -HM_EBUSY;
	for (i = 0; !error && i < hm_pool_half_(root, HM_POOL_FRAMES_); i++)
		error = hm_pool_set_keys_(pool, i, HM_KEY_DEFAULT);
	if (error)
		return error;
#if !HM_PORT_PGTABLE_POOL_LOCKED
	for (i = hm_pool_half_(root, HM_POOL_METAS_); i--;) {
		hm_pa_t metas[2];

		guard = hm_pool_lock_(pool);
		hm_pool_put_half_(root, HM_POOL_FRAMES_, i * HM_POOL_PER_PAGE_);
		hm_pool_trim_(pool, root, metas);
		hm_pool_unlock_(pool, guard);
		hm_pool_put_metas_(pool, metas);
	}
#endif
	/* That it has its key the root says until it has not. */
	guard = hm_pool_lock_(pool);
	for (i = 0; i < HM_PORT_PGTABLE_ENTRIES; i++)
		if (i != HM_POOL_PROTECTED_)
			hm_pool_put_(root + i, 0);
	hm_pool_unlock_(pool, guard);
	if (HM_PORT_PGTABLE_POOL_LOCKED && protected_)
		error = hm_pool_set_key_(pool, hm_port_pgtable_pool_root(pool), 1, HM_KEY_DEFAULT,
					 &none);
	if (!error && protected_) {
#if HM_PORT_PGTABLE_POOL_LOCKED
		const hm_pte_t no = { 0 };

		hm_port_pte_store(root + HM_POOL_PROTECTED_, no); /* an ordinary page again */
#else
		hm_pool_put_(root + HM_POOL_PROTECTED_, 0);
#endif
	}
	return error;
}

/*
 * Gives back all there is; the pool, its root page, which is zero, and what was adopted are the caller's
 * again. Nobody else uses it any more. -HM_EBUSY: pages are in use, held back for a token or in quarantine,
 * or the shrinker runs; then it goes on. Or what a key change said: what is left can be seen in its picture;
 * call it again. May sleep.
 */
static inline HM_MUST_USE_ int hm_pgtable_pool_destroy(struct hm_pgtable_pool *pool)
{
	int error = -HM_EBUSY;

	if (!hm_port_pgtable_pool_refill_lock(pool))
		return -HM_EBUSY;
	if (hm_pool_close_(pool)) {
		error = hm_pool_destroy_alone_(pool);
		/* A root that was locked is zero by now, and no keyed store writes it any more. */
		if (error || !HM_PORT_PGTABLE_POOL_LOCKED)
			hm_pool_open_(pool);
	}
	hm_port_pgtable_pool_refill_unlock(pool);
	return error;
}
#endif /* HM_PGTABLE_POOL_H */
