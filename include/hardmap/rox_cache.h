/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * rox_cache.h -- memory for code: read-only-execute blocks that are shared, stay whole and are never writable
 * where they execute.
 *
 * USE      #include <hardmap/rox_cache.h>    (with your hardmap_port.h on the include path)
 *
 *          error = hm_rox_cache_add(&cache, &plt, "plt", start, last, 0);  // an arena: addresses, and a kind
 *          error = hm_rox_cache_add(&cache, &direct, "direct", va, last, &plt);  // or, if it is full, plt
 *          error = hm_rox_cache_add(&cache, &init, "init", va, last, 0);   // what soon goes, by itself
 *
 *          error = hm_rox_cache_alloc(&cache, &direct, bytes, 64, HM_ROX_CACHE_MAY_SLEEP, &code);
 *          error = hm_rox_cache_write_begin(&cache, code, bytes, &writer);
 *          error = hm_rox_cache_copy(&cache, writer, code, text, bytes);  // as often as there are pieces
 *          error = hm_rox_cache_write_end(&cache, writer);                // from here on it may be called
 *          error = hm_rox_cache_patch(&cache, code, instruction);         // one, live
 *          error = hm_rox_cache_free(&cache, code);                       // nobody executes it any more
 *
 *          error = hm_rox_cache_load(&cache, &direct, text, bytes, 64, HM_ROX_CACHE_MAY_SLEEP,
 *                                    relocate, argument, &code);          // the first four in one
 *
 *          A kernel that makes single pages of its memory writable, then executable, breaks the blocks of
 *          its linear map and never gets them back. So code has blocks: each naturally aligned, one entry of
 *          the linear map, filled with instructions that trap, and mapped at a second address, where it can
 *          be executed and nothing else. Code is cut from them by 64 bytes and written through the linear
 *          map, the alias, which never executes. The mapping of a block where it executes does not change
 *          while anything lives there: a neighbour goes on running while code is written beside it.
 *
 *          Between writes the alias is closed; what opens it for one, the window, is what protection of keys
 *          the kernel has (hm_kpkeys_style()):
 *
 *          WINDOW    it has HM_KEY_TEXT: the writer raises the level of its context. No permission changes,
 *                    nothing is invalidated, no entry is split
 *          STORE     it has HM_KEY_TEXT: nothing opens it, keyed stores write it
 *          NONE      it is read-only: the pages concerned are made writable and read-only again, one writer
 *                    at a time
 *
 *          A live instruction is patched by one store: four aligned bytes in one access, or by keyed store
 *          the eight around it, read before. What others may execute meanwhile is the architecture's to
 *          say: on arm64 the old instruction and the new one each are one of B, BL, BRK, HVC, ISB, NOP,
 *          SMC, SVC (Arm ARM B2.2.5), or nobody is there.
 *
 *          Freed code is traps again before its memory serves anything. Where that cannot be done now, the
 *          range is parked: nobody's, counted, tried again by hm_rox_cache_retry(), the shrinker and
 *          whoever finds no memory. The shrinker gives empty blocks back as they came, and keeps as many as
 *          were of use of late, so that code that is unloaded and loaded again finds its block.
 *
 * STATE    Yours: a struct hm_rox_cache, all-zero, and its arenas, which may share addresses if the port
 *          gives each blocks of its own. What is known of a range of code is one small object of the port's:
 *          one for each range, one for each gap between, two for each block.
 * CONTEXT  hm_rox_cache_alloc() without HM_ROX_CACHE_MAY_SLEEP, _print(), _statistics() and the counts: any
 *          in which the port's lock may be taken. Writing, _free() and _retry(): where the port can
 *          synchronise all CPUs, and where there are no keys, change a permission; from elsewhere writing is
 *          refused and what is freed is parked. A writer is one context, from begin to end; where keys are
 *          windows it is at the level of code meanwhile, and ends what it entered in between.
 *          Logarithmic time in the ranges, but for growth, writing and what the shrinker gives back.
 * ERRORS   Negative; then nothing has changed:
 *          -HM_EINVAL  no size, one that is too large, no such alignment, no arena; not a range of this
 *                      cache, inside of one, beyond it, free already: for these HM_BUG too
 *          -HM_ENOMEM  no memory, or none within the arena's bounds, or none in this context
 *          -HM_EBUSY   it is being written; the window is another's; CPUs cannot be synchronised now
 *          Where the port fails half-way with a block, it is held in quarantine, and tried again
 * CONFIG   HM_ROX_CACHE_TYPES_ONLY  stop after part 1; for ports
 *          HM_NO_STD_HEADERS        uint32_t, uint64_t, uintptr_t, UINT64_C, bool, true, false are declared
 *                                   already
 * PORT     The hooks of pgtable.h and of part 3. Template: ports/template
 * NOT      A loader: what code needs to be at its address is the caller's. It does not know who executes a
 *          range that is freed. */
#ifndef HM_ROX_CACHE_TYPES_H
#define HM_ROX_CACHE_TYPES_H
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

#define HM_ROX_CACHE_GRANULE 64 /* bytes; code starts and ends at a multiple */
#define HM_ROX_CACHE_MAX (UINT64_C(1) << 32) /* bytes of one range */
/* What an allocation may do. */
#define HM_ROX_CACHE_MAY_SLEEP 1u /* take blocks from the kernel */

/* What the alias of memory is, for the port. */
enum hm_rox_cache_alias {
	HM_ROX_CACHE_MEMORY, /* as the kernel's other memory: key 0, writable */
	HM_ROX_CACHE_CLOSED, /* HM_KEY_TEXT, writable; where there are no keys: read-only */
	HM_ROX_CACHE_OPEN, /* where there are no keys: writable, for a window */
};

/* What a range is. Private. */
enum hm_rox_cache_state {
	HM_ROX_CACHE_FREE, /* traps */
	HM_ROX_CACHE_LIVE, /* its owner's */
	HM_ROX_CACHE_WRITING, /* and in a window */
	HM_ROX_CACHE_SEALING, /* that is about to close */
	HM_ROX_CACHE_SYNCHRONISING, /* that has closed: the CPUs may not know yet */
	HM_ROX_CACHE_CLOSING, /* freed, but not traps yet */
	HM_ROX_CACHE_PARKED, /* nor soon */
	HM_ROX_CACHE_HELD, /* a block that comes or goes; what the port made of it is not known */
	HM_ROX_CACHE_STATES,
};

/* Consecutive addresses of one arena, in one state. Memory of the port's, HM_PORT_REQUIRE below; all else is
 * private. */
struct hm_rox_cache_range {
	uint64_t start, bytes; /* where it executes */
	struct hm_rox_cache_arena *arena;
	/* In the tree by address; and if it is free, by size. */
	struct hm_rox_cache_range *below[2][2];
	/* In a list: free, with whole blocks; parked; held; to spare. */
	struct hm_rox_cache_range *next, **link;
	uint32_t priority; /* in both trees */
	enum hm_rox_cache_state state;
	uint64_t asked; /* bytes of its owner; what granules add is traps */
	uint64_t first, end; /* of the window */
	uint64_t generation; /* of windows */
	uint64_t level[2]; /* of the writer before */
};

/* Addresses for code of one kind. Private but for reading the numbers, of blocks, under the port's lock. */
struct hm_rox_cache_arena {
	hm_va_t first, last; /* code is nowhere else; inclusive */
	const char *name; /* for the drawing; 8 characters of it */
	struct hm_rox_cache_arena *fallback; /* if there is nothing; or NULL */
	struct hm_rox_cache_arena *next; /* of the cache */
	struct hm_rox_cache_range *free; /* by size */
	struct hm_rox_cache_range *whole; /* those that have whole blocks */
	uint64_t end; /* of what it grew by last */
	uint64_t blocks;
	uint64_t empty; /* of these; whole, no granule in use */
	uint64_t peak; /* not empty, at most, of late */
};

/* What was done since the start. */
struct hm_rox_cache_counts {
	uint64_t allocs, frees;
	uint64_t grown; /* blocks that came */
	uint64_t given; /* blocks that went back */
	uint64_t windows; /* opened, for writing and to fill with traps */
	uint64_t flips; /* of the alias of pages: hm_port_rox_cache_alias() for a window */
	uint64_t synchronised; /* hm_port_rox_cache_synchronise() */
	uint64_t written; /* bytes, traps not counted */
	uint64_t parked; /* ranges, ever */
	uint64_t failures; /* of the port's hooks for blocks */
	uint64_t steps; /* ranges that searches looked at */
};

struct hm_rox_cache {
	struct hm_rox_cache_range *ranges; /* by address, of all arenas */
	struct hm_rox_cache_range *parked, *held, *spare;
	struct hm_rox_cache_arena *arenas;
	uint64_t blocks; /* of all arenas, and in quarantine */
	uint64_t spares; /* ranges to spare: two for each of them */
	uint64_t random, generation;
	/* Under the window's lock: what could not be closed; no bytes: nothing. */
	uint64_t unsealed, unsealed_end;
	uint64_t live_bytes, asked_bytes; /* of code; of these, without what granules add */
	uint64_t live, gaps; /* ranges; these free */
	uint64_t parked_ranges, parked_bytes, held_blocks;
	struct hm_rox_cache_counts counts;
};

/* A window, of one context: by value, and to be ended. */
typedef struct {
	uint64_t start, generation;
} hm_rox_cache_writer_t;

/* Of hm_rox_cache_statistics(). */
struct hm_rox_cache_statistics {
	uint64_t blocks, empty; /* and of these, without code */
	uint64_t held_blocks; /* beside: in quarantine */
	uint64_t held_bytes; /* of all blocks */
	uint64_t live, gaps; /* ranges of code; and of traps */
	uint64_t live_bytes, asked_bytes, free_bytes;
	uint64_t parked_ranges, parked_bytes;
	struct hm_rox_cache_counts counts;
};
#endif /* HM_ROX_CACHE_TYPES_H */

#if !defined(HM_ROX_CACHE_TYPES_ONLY) && !defined(HM_ROX_CACHE_H)
#define HM_ROX_CACHE_H
/* ---- 2. port ---- */
#include <hardmap/pgtable.h>
#ifndef HM_PORT_ROX_CACHE_BLOCK_SHIFT
#error "rox_cache.h: the port must define HM_PORT_ROX_CACHE_BLOCK_SHIFT: a block has 1 << that many bytes"
#endif
#ifndef HM_PORT_ROX_CACHE_TRAP
#error "rox_cache.h: the port must define HM_PORT_ROX_CACHE_TRAP, eight bytes of instructions that trap"
#endif

/* ---- 3. port contract: compiled, so it cannot go stale ---- */
/* That many blocks, at virtually consecutive addresses that start at a multiple of a block, all within the
 * arena's bounds, and not in use: at the address given, or if that is 0 anywhere. Each block is consecutive
 * memory, aligned to its size, of any contents; its alias is HM_ROX_CACHE_MEMORY; nothing is mapped where it
 * is to execute. False: there are none. May sleep, and call the shrinker. */
HM_PORT_REQUIRE(bool, hm_port_rox_cache_memory,
		(struct hm_rox_cache *, const struct hm_rox_cache_arena *, unsigned int,
		 hm_va_t *));
/* The block at that address is the kernel's, and as it came. */
HM_PORT_REQUIRE(void, hm_port_rox_cache_give, (struct hm_rox_cache *, hm_va_t));
/* Where the alias of that address is: aligned to 8 bytes if the address is. The alias of a block is
 * consecutive, and readable. Any context. */
HM_PORT_REQUIRE(hm_pte_t *, hm_port_rox_cache_at, (const struct hm_rox_cache *, hm_va_t));
/* The alias of those bytes, whole pages within one block, is that from here on, and no CPU knows another; if
 * it is so already, nothing is done. OPEN and CLOSED are asked for pages, where there are no keys, by who has
 * the window; pages that are closed again leave no split entry behind if the port can help it. MEMORY and
 * CLOSED are asked for blocks. 0; or an error, and nothing has changed; or -HM_EIO: some pages may have. */
HM_PORT_REQUIRE(int, hm_port_rox_cache_alias,
		(struct hm_rox_cache *, hm_va_t, uint64_t, enum hm_rox_cache_alias));
/* True: the block at that address is readable and executable there from here on, and no more than that.
 * False: nothing is there any more, or never was, and no CPU holds a translation. 0; or an error, and nothing
 * has changed. */
HM_PORT_REQUIRE(int, hm_port_rox_cache_execute, (struct hm_rox_cache *, hm_va_t, bool));
/* Instruction fetches will find what was stored through that alias, whole bytes from a word on, once
 * hm_port_code_invalidate() of where they execute has returned: data caches are cleaned to the point of
 * unification. arm64: DC CVAU by line, unless CTR_EL0.IDC (Arm ARM B2.7.4). */
HM_PORT_REQUIRE(void, hm_port_code_clean, (const hm_pte_t *, uint64_t));
/* First all cleaning of this CPU is complete; then no CPU's instruction cache holds what was there before.
 * arm64: DSB ISH; IC IVAU by line, unless CTR_EL0.DIC; DSB ISH. */
HM_PORT_REQUIRE(void, hm_port_code_invalidate, (hm_va_t, uint64_t));
/* Every CPU that may execute code of the cache has passed a context synchronisation event since this was
 * called, this one included: none executes what it fetched before. False: not from this context. */
HM_PORT_REQUIRE(bool, hm_port_rox_cache_synchronise, (struct hm_rox_cache *));
/* One store of four bytes, aligned, to an alias that is writable. arm64: STR (Arm ARM B2.2.1). */
HM_PORT_REQUIRE(void, hm_port_code_patch, (uint32_t *, uint32_t));
/* Memory of a range, of any contents; NULL: there is none. Called without the lock, in the context of the
 * caller. Not memory that the cache guards. */
HM_PORT_REQUIRE(struct hm_rox_cache_range *, hm_port_rox_cache_range_alloc,
		(struct hm_rox_cache *));
HM_PORT_REQUIRE(void, hm_port_rox_cache_range_free,
		(struct hm_rox_cache *, struct hm_rox_cache_range *));
/* The lock of that cache, for a short time, in all contexts in which it is used. */
HM_PORT_REQUIRE(void, hm_port_rox_cache_lock, (struct hm_rox_cache *));
HM_PORT_REQUIRE(void, hm_port_rox_cache_unlock, (struct hm_rox_cache *));
/* One at a time grows; may sleep. False: not now. */
HM_PORT_REQUIRE(bool, hm_port_rox_cache_grow_lock, (struct hm_rox_cache *));
HM_PORT_REQUIRE(void, hm_port_rox_cache_grow_unlock, (struct hm_rox_cache *));
/* Where there are no keys: one window at a time, of all caches whose aliases share what a change of
 * permission locks. False: not now, not in this context, or this context has it. */
HM_PORT_REQUIRE(bool, hm_port_rox_cache_window_lock, (struct hm_rox_cache *));
HM_PORT_REQUIRE(void, hm_port_rox_cache_window_unlock, (struct hm_rox_cache *));

/* ---- 4. configuration: none, but the port's constant has bounds ---- */
#if HM_PORT_ROX_CACHE_BLOCK_SHIFT < 12 || HM_PORT_ROX_CACHE_BLOCK_SHIFT > 30
#error "rox_cache.h: HM_PORT_ROX_CACHE_BLOCK_SHIFT must be 12 to 30"
#endif
#define HM_ROX_BLOCK_ (UINT64_C(1) << HM_PORT_ROX_CACHE_BLOCK_SHIFT)

/* ---- 5. interface ---- */

#include <hardmap/rox_cache/ranges.h>

/* Of what is done without the lock. */
static inline void hm_rox_count_(struct hm_rox_cache *cache, uint64_t *count, uint64_t n)
{
	hm_port_rox_cache_lock(cache);
	*count += n;
	hm_port_rox_cache_unlock(cache);
}

/* From there to the end, as far as it is in one block. */
static inline uint64_t hm_rox_piece_(uint64_t at, uint64_t end)
{
	const uint64_t left = HM_ROX_BLOCK_ - (at & (HM_ROX_BLOCK_ - 1));

	return end - at < left ? end - at : left;
}

static inline hm_va_t hm_rox_va_(uint64_t address)
{
	const hm_va_t va = { address };

	return va;
}

/* ---- stores: of aligned words, through the alias ---- */

/* Those bytes of the word are others. */
static inline hm_pte_t hm_rox_merge_(hm_pte_t word, unsigned int skip, const unsigned char *source,
				     unsigned int bytes)
{
	unsigned char *to = (unsigned char *)&word.val + skip;

	while (bytes--) {
		*to++ = *source++;
		__atomic_signal_fence(__ATOMIC_SEQ_CST); /* so that it becomes no call */
	}
	return word;
}

/* Of eight bytes; by bytes only where the compiler may not load others than aligned words, and it is none. */
static HM_ALWAYS_INLINE_ hm_pte_t hm_rox_word_(const unsigned char *source)
{
	hm_pte_t word;

	if ((uintptr_t)source & 7)
		__builtin_memcpy(&word.val, source, sizeof(word.val));
	else
		__builtin_memcpy(&word.val, __builtin_assume_aligned(source, 8), sizeof(word.val));
	return word;
}

/* Both by the instruction that memory with a store key takes, or not. */
static HM_ALWAYS_INLINE_ void hm_rox_store_word_(hm_pte_t *to, hm_pte_t word, bool keyed)
{
	if (keyed)
		hm_pte_store_by_key_(to, 1, word, 0);
	else
		hm_port_pte_store(to, word);
}

static HM_ALWAYS_INLINE_ hm_pte_t *hm_rox_store_pair_(hm_pte_t *to, hm_pte_t first, hm_pte_t second,
						      bool keyed)
{
	if (!keyed)
		return hm_port_pte_store_pair(to, first, second);
	hm_rox_store_word_(to, first, true);
	hm_rox_store_word_(to + 1, second, true);
	return to + 2;
}

/* Consecutive bytes of one block. Words at both ends of which a part stays are the writer's too: a granule
 * has one owner. */
static HM_ALWAYS_INLINE_ void hm_rox_copy_piece_(hm_pte_t *to, unsigned int skip,
						 const unsigned char *source, uint64_t bytes,
						 bool keyed)
{
	const unsigned int room = skip ? 8 - skip : 0;
	const unsigned int lead = bytes < room ? (unsigned int)bytes : room;
	const uint64_t words = (bytes - lead) / 8;
	const unsigned int trail = (unsigned int)(bytes - lead) & 7;
	hm_pte_t first = { 0 }, last = { 0 };
	uint64_t i;

	if (lead)
		first = hm_rox_merge_(hm_port_pte_load(to), skip, source, lead);
	if (trail)
		last = hm_rox_merge_(hm_port_pte_load(to + !!lead + words), 0,
				     source + bytes - trail, trail);
	if (keyed)
		hm_context_keyed_begin_();
	if (lead)
		hm_rox_store_word_(to++, first, keyed);
	source += lead;
	for (i = 0; i + 2 <= words; i += 2, source += 16)
		to = hm_rox_store_pair_(to, hm_rox_word_(source), hm_rox_word_(source + 8), keyed);
	if (i < words)
		hm_rox_store_word_(to++, hm_rox_word_(source), keyed);
	if (trail)
		hm_rox_store_word_(to, last, keyed);
	if (keyed)
		hm_context_keyed_end_();
}

static HM_ALWAYS_INLINE_ void hm_rox_copy_any_(struct hm_rox_cache *cache, uint64_t at,
					       const unsigned char *source, uint64_t end,
					       bool keyed)
{
	uint64_t bytes;

	for (; at < end; at += bytes, source += bytes) {
		bytes = hm_rox_piece_(at, end);
		hm_rox_copy_piece_(hm_port_rox_cache_at(cache, hm_rox_va_(at & ~UINT64_C(7))),
				   (unsigned int)at & 7, source, bytes, keyed);
	}
}

/* Of a range that is written, within its window. */
static HM_NOINLINE_ void hm_rox_copy_(struct hm_rox_cache *cache, uint64_t at,
				      const unsigned char *source, uint64_t bytes)
{
	if (hm_context_is_keyed_()) {
		hm_rox_copy_any_(cache, at, source, at + bytes, true);
	} else if (bytes == 4 && !(at & 3)) {
		/* An instruction that another CPU may fetch now: it finds the one or the other, and its
		 * neighbours are not touched. */
		hm_pte_t *word = hm_port_rox_cache_at(cache, hm_rox_va_(at & ~UINT64_C(7)));
		uint32_t instruction;

		__builtin_memcpy(&instruction, source, sizeof(instruction));
		hm_port_code_patch((uint32_t *)((uintptr_t)word + (at & 4)), instruction);
	} else {
		hm_rox_copy_any_(cache, at, source, at + bytes, false);
	}
}

/* Traps in whole granules, by keyed stores or not. */
static HM_NOINLINE_ void hm_rox_fill_(struct hm_rox_cache *cache, uint64_t at, uint64_t end,
				      bool keyed)
{
	const hm_pte_t trap = { HM_PORT_ROX_CACHE_TRAP };
	unsigned int words;

	for (; at < end; at += words * sizeof(trap)) {
		hm_pte_t *to = hm_port_rox_cache_at(cache, hm_rox_va_(at));

		words = (unsigned int)(hm_rox_piece_(at, end) / sizeof(trap));
		if (keyed) {
			hm_context_keyed_begin_();
			hm_pte_store_by_key_(to, words, trap, 0);
			hm_context_keyed_end_();
		} else {
			hm_pte_store_range_(to, words, trap, 0);
		}
	}
}

/* What was stored there is what instruction fetches find, once CPUs are synchronised. */
static inline void hm_rox_publish_(struct hm_rox_cache *cache, uint64_t at, uint64_t end)
{
	const uint64_t start = at;
	uint64_t bytes;

	/* Each line after the stores to it, by the address that they had: they are in order of themselves
	 * (Arm ARM D7.5.9), keyed ones by hm_port_keyed_end(). */
	for (; at < end; at += bytes) {
		const unsigned int skip = (unsigned int)at & 7;

		bytes = hm_rox_piece_(at, end);
		hm_port_code_clean(hm_port_rox_cache_at(cache, hm_rox_va_(at - skip)),
				   bytes + skip);
	}
	hm_port_code_invalidate(hm_rox_va_(start), end - start);
}

static inline bool hm_rox_synchronise_(struct hm_rox_cache *cache)
{
	hm_rox_count_(cache, &cache->counts.synchronised, 1);
	return hm_port_rox_cache_synchronise(cache);
}

/* ---- windows ---- */

/* Where there are no keys: the alias of the pages concerned is that. An error says how far it came. */
static inline int hm_rox_flip_(struct hm_rox_cache *cache, uint64_t at, uint64_t end,
			       enum hm_rox_cache_alias alias, uint64_t *reached)
{
	const uint64_t page = UINT64_C(1) << hm_port_pgtable_shift(0);
	int error = 0;

	end = (end + page - 1) & ~(page - 1);
	for (at &= ~(page - 1); at < end && !error; at = *reached) {
		*reached = at + hm_rox_piece_(at, end);
		error = hm_port_rox_cache_alias(cache, hm_rox_va_(at), *reached - at, alias);
		hm_rox_count_(cache, &cache->counts.flips, 1);
	}
	return error;
}

/* With the window's lock: closes the alias of the pages concerned, or remembers that it has to. */
static inline int hm_rox_seal_(struct hm_rox_cache *cache, uint64_t at, uint64_t end)
{
	uint64_t reached;
	const int error = hm_rox_flip_(cache, at, end, HM_ROX_CACHE_CLOSED, &reached);

	cache->unsealed = error ? at : 0;
	cache->unsealed_end = error ? end : 0;
	return error;
}

/* With the window's lock: nothing is left open. */
static inline int hm_rox_seal_rest_(struct hm_rox_cache *cache)
{
	return cache->unsealed_end ? hm_rox_seal_(cache, cache->unsealed, cache->unsealed_end) : 0;
}

/* Where there are no keys: the same, with no lock. */
static inline int hm_rox_seal_left_(struct hm_rox_cache *cache)
{
	int error;

	if (!hm_port_rox_cache_window_lock(cache))
		return -HM_EBUSY;
	error = hm_rox_seal_rest_(cache);
	hm_port_rox_cache_window_unlock(cache);
	return error;
}

/* From here on this context may write those bytes. Fails only where there are no keys; then the window is not
 * open, and its lock is not taken. */
static inline HM_MUST_USE_ int hm_rox_open_(struct hm_rox_cache *cache, uint64_t at, uint64_t end,
					    hm_kpkeys_token_t *level)
{
	uint64_t reached;
	int error;

	*level = hm_kpkeys_none();
	switch (hm_kpkeys_style()) {
	case HM_KEY_STYLE_WINDOW:
		*level = hm_kpkeys_enter_text();
		return 0;
	case HM_KEY_STYLE_STORE:
		return 0;
	default:
		break;
	}
	if (!hm_port_rox_cache_window_lock(cache))
		return -HM_EBUSY;
	error = hm_rox_seal_rest_(cache);
	if (!error) {
		error = hm_rox_flip_(cache, at, end, HM_ROX_CACHE_OPEN, &reached);
		/* Those that are open, and those of which the port does not know. */
		if (error)
			hm_rox_seal_(cache, at, end < reached ? end : reached);
	}
	if (error)
		hm_port_rox_cache_window_unlock(cache);
	return error ? -HM_EBUSY : 0;
}

/* Nobody may write them any more, but in another window; drops the window's lock. If not, that is
 * remembered. */
static inline HM_MUST_USE_ int hm_rox_close_(struct hm_rox_cache *cache, uint64_t at, uint64_t end)
{
	int error;

	if (hm_kpkeys_style() != HM_KEY_STYLE_NONE)
		return 0;
	error = hm_rox_seal_(cache, at, end);
	hm_port_rox_cache_window_unlock(cache);
	return error;
}

/* Traps in a range that is nobody's: 0, and no CPU executes what was there. */
static inline HM_MUST_USE_ int hm_rox_poison_(struct hm_rox_cache *cache, uint64_t at, uint64_t end)
{
	hm_kpkeys_token_t level;
	int error = hm_rox_open_(cache, at, end, &level);

	if (error)
		return error;
	hm_rox_count_(cache, &cache->counts.windows, 1);
	hm_rox_fill_(cache, at, end, hm_context_is_keyed_());
	hm_kpkeys_leave(level);
	hm_rox_publish_(cache, at, end);
	error = hm_rox_close_(cache, at, end);
	return error || hm_rox_synchronise_(cache) ? error : -HM_EBUSY;
}

/* ---- ranges that wait ---- */

/* A range that is nobody's becomes a gap, or is parked. Whether it did. */
static inline bool hm_rox_reclaim_(struct hm_rox_cache *cache, struct hm_rox_cache_range *range)
{
	const bool parked = range->state == HM_ROX_CACHE_PARKED;
	const int error = hm_rox_poison_(cache, range->start, hm_rox_end_(range));
	struct hm_rox_cache_range *dropped = HM_NULL_;

	hm_port_rox_cache_lock(cache);
	if (parked && !error) {
		cache->parked_ranges--;
		cache->parked_bytes -= range->bytes;
	} else if (!parked && error) {
		cache->parked_ranges++;
		cache->parked_bytes += range->bytes;
		cache->counts.parked++;
	}
	if (error) {
		range->state = HM_ROX_CACHE_PARKED;
		hm_rox_push_(&cache->parked, range);
	} else {
		hm_rox_become_gap_(cache, range, &dropped);
		hm_rox_settle_(cache, &dropped);
	}
	hm_port_rox_cache_unlock(cache);
	hm_rox_free_ranges_(cache, &dropped);
	return !error;
}

/* A block in quarantine, of no list, goes back as it came, or to quarantine. Whether it did. */
static inline bool hm_rox_let_go_(struct hm_rox_cache *cache, struct hm_rox_cache_range *held)
{
	const hm_va_t block = hm_rox_va_(held->start);
	struct hm_rox_cache_range *dropped = HM_NULL_;
	/* Nobody executes there, and no CPU knows how, before the memory may be written. */
	const bool gone = !hm_port_rox_cache_execute(cache, block, false) &&
			  !hm_port_rox_cache_alias(cache, block, HM_ROX_BLOCK_,
						   HM_ROX_CACHE_MEMORY);

	hm_port_rox_cache_lock(cache);
	if (gone) {
		hm_rox_drop_range_(cache, held, &dropped);
		cache->blocks--;
		cache->held_blocks--;
		cache->counts.given++;
		hm_rox_settle_(cache, &dropped);
	} else {
		cache->counts.failures++;
		hm_rox_push_(&cache->held, held);
	}
	hm_port_rox_cache_unlock(cache);
	hm_rox_free_ranges_(cache, &dropped);
	if (gone)
		hm_port_rox_cache_give(cache, block);
	return gone;
}

/* Tries all of that list once. */
static inline void hm_rox_retry_all_(struct hm_rox_cache *cache, struct hm_rox_cache_range **list,
				     bool (*again)(struct hm_rox_cache *,
						   struct hm_rox_cache_range *))
{
	struct hm_rox_cache_range *waiting, *range;

	hm_port_rox_cache_lock(cache);
	waiting = *list;
	*list = HM_NULL_;
	if (waiting)
		waiting->link = &waiting;
	hm_port_rox_cache_unlock(cache);
	while ((range = hm_rox_pop_(&waiting)))
		again(cache, range);
}

/*
 * Tries again what could not be done when it was due: windows that did not close, freed code that is not
 * traps yet, blocks in quarantine. How many ranges and blocks are left. Context as of hm_rox_cache_free();
 * for a kernel's timer or work queue, where statistics say that something waits.
 */
static inline uint64_t hm_rox_cache_retry(struct hm_rox_cache *cache)
{
	uint64_t left;

	if (hm_kpkeys_style() == HM_KEY_STYLE_NONE)
		hm_rox_seal_left_(cache);
	hm_rox_retry_all_(cache, &cache->parked, hm_rox_reclaim_);
	hm_rox_retry_all_(cache, &cache->held, hm_rox_let_go_);
	hm_port_rox_cache_lock(cache);
	left = cache->parked_ranges + cache->held_blocks;
	hm_port_rox_cache_unlock(cache);
	return left;
}

/* ---- arenas ---- */

/*
 * Code may be at [first, last], inclusive, of that arena; if it has no place there, at fallback's, unless
 * that is NULL. Code of one kind, that lives about as long, has an arena by itself; several arenas may have
 * the same bounds, if the port gives each its own blocks. The arena, all-zero, is in use until
 * hm_rox_cache_destroy(), its name too. -HM_EINVAL: not one block fits. Any context.
 */
static inline HM_MUST_USE_ int hm_rox_cache_add(struct hm_rox_cache *cache,
						struct hm_rox_cache_arena *arena, const char *name,
						hm_va_t first, hm_va_t last,
						struct hm_rox_cache_arena *fallback)
{
	/* The last block of all is never used, so that what ends there has an end. */
	const uint64_t top = ~UINT64_C(0) - HM_ROX_BLOCK_;
	const uint64_t end = last.val < top ? last.val : top;
	const uint64_t start = (first.val + HM_ROX_BLOCK_ - 1) & ~(HM_ROX_BLOCK_ - 1);

	if (start < first.val || start > end || end - start < HM_ROX_BLOCK_ - 1)
		return -HM_EINVAL;
	arena->first = first;
	arena->last.val = end;
	arena->name = name;
	arena->fallback = fallback;
	arena->free = arena->whole = HM_NULL_;
	arena->end = arena->blocks = arena->empty = arena->peak = 0;
	hm_port_rox_cache_lock(cache);
	arena->next = cache->arenas;
	cache->arenas = arena;
	hm_port_rox_cache_unlock(cache);
	return 0;
}

/* ---- growth ---- */

/* Whether the port gave what was asked for. With the lock. */
static inline bool hm_rox_is_new_(struct hm_rox_cache *cache,
				  const struct hm_rox_cache_arena *arena, uint64_t start,
				  uint64_t bytes)
{
	const struct hm_rox_cache_range *next = hm_rox_find_next_(cache, start);

	return !(start & (HM_ROX_BLOCK_ - 1)) && start >= arena->first.val &&
	       start <= arena->last.val && arena->last.val - start >= bytes - 1 &&
	       (!next || next->start >= start + bytes);
}

/* The block, new, is as blocks are. */
static inline HM_MUST_USE_ int hm_rox_protect_(struct hm_rox_cache *cache, uint64_t block)
{
	const hm_va_t va = { block };
	int error;

	/* Ordinary memory still: before it can be executed anywhere. */
	hm_rox_fill_(cache, block, block + HM_ROX_BLOCK_, false);
	hm_port_code_clean(hm_port_rox_cache_at(cache, va), HM_ROX_BLOCK_);
	error = hm_port_rox_cache_alias(cache, va, HM_ROX_BLOCK_, HM_ROX_CACHE_CLOSED);
	if (!error)
		error = hm_port_rox_cache_execute(cache, va, true);
	/* The memory may have been code before: by another address, or by this one. */
	if (!error)
		hm_port_code_invalidate(va, HM_ROX_BLOCK_);
	return error;
}

/*
 * The blocks, of the port, are the arena's; or in quarantine, of no list, and on their way back. The list has
 * three ranges for each: one that says where it is, and two to spare.
 */
static inline HM_MUST_USE_ int hm_rox_adopt_(struct hm_rox_cache *cache,
					     struct hm_rox_cache_arena *arena, uint64_t start,
					     unsigned int blocks, struct hm_rox_cache_range **list)
{
	const uint64_t end = start + blocks * HM_ROX_BLOCK_;
	uint64_t block;
	int error = 0;

	for (block = start; block != end && !error; block += HM_ROX_BLOCK_)
		error = hm_rox_protect_(cache, block);
	if (!error && !hm_rox_synchronise_(cache))
		error = -HM_EBUSY;
	hm_port_rox_cache_lock(cache);
	cache->counts.failures += !!error;
	if (!error) {
		for (block = start; block != end; block += HM_ROX_BLOCK_)
			hm_rox_become_gap_(cache, hm_rox_find_(cache, block), list);
		arena->blocks += blocks;
		arena->end = end;
		cache->held_blocks -= blocks;
		hm_rox_settle_(cache, list);
	}
	hm_port_rox_cache_unlock(cache);
	return error;
}

/* That many blocks more, there or anywhere; with the lock of growth, without the other. */
static inline HM_MUST_USE_ int hm_rox_grow_by_(struct hm_rox_cache *cache,
					       struct hm_rox_cache_arena *arena,
					       unsigned int blocks, uint64_t where)
{
	const uint64_t bytes = blocks * HM_ROX_BLOCK_;
	struct hm_rox_cache_range *list = HM_NULL_;
	hm_va_t va = { where };
	uint64_t block;
	bool sound;
	int error;

	if (!hm_rox_alloc_ranges_(cache, 3 * blocks, &list))
		return -HM_ENOMEM;
	if (!hm_port_rox_cache_memory(cache, arena, blocks, &va)) {
		hm_rox_free_ranges_(cache, &list);
		return -HM_ENOMEM;
	}
	hm_port_rox_cache_lock(cache);
	sound = hm_rox_is_new_(cache, arena, va.val, bytes) && (!where || va.val == where);
	if (sound) {
		cache->blocks += blocks;
		cache->held_blocks += blocks;
		cache->counts.grown += blocks;
		for (block = va.val; block != va.val + bytes; block += HM_ROX_BLOCK_)
			hm_rox_add_range_(cache, hm_rox_pop_(&list), arena, block, HM_ROX_BLOCK_,
					  HM_ROX_CACHE_HELD);
		hm_rox_settle_(cache, &list);
	}
	hm_port_rox_cache_unlock(cache);
	if (!sound) {
		hm_rox_free_ranges_(cache, &list);
		HM_BUG("rox_cache: the port gave blocks that are elsewhere, or in use");
		return -HM_ENOMEM;
	}
	error = hm_rox_adopt_(cache, arena, va.val, blocks, &list);
	hm_rox_free_ranges_(cache, &list);
	for (block = va.val; error && block != va.val + bytes; block += HM_ROX_BLOCK_) {
		struct hm_rox_cache_range *held;

		hm_port_rox_cache_lock(cache);
		held = hm_rox_find_(cache, block);
		hm_port_rox_cache_unlock(cache);
		hm_rox_let_go_(cache, held);
	}
	return error ? -HM_ENOMEM : 0;
}

/* How many blocks behind what the arena grew by last make a place for that, with the gap that may be before
 * them; 0: it knows no such place. With the lock. */
static inline unsigned int hm_rox_lacks_(struct hm_rox_cache *cache,
					 const struct hm_rox_cache_arena *arena, uint64_t bytes,
					 uint64_t alignment)
{
	const struct hm_rox_cache_range *gap = hm_rox_find_(cache, arena->end - 1);
	uint64_t start = arena->end;

	if (gap && gap->state == HM_ROX_CACHE_FREE && gap->arena == arena)
		start = (gap->start + alignment - 1) & ~(alignment - 1);
	if (!arena->end || start + bytes <= arena->end)
		return 0;
	return (unsigned int)((start + bytes - arena->end + HM_ROX_BLOCK_ - 1) >>
			      HM_PORT_ROX_CACHE_BLOCK_SHIFT);
}

/* The arena has a gap for it, or had for a moment. Where it has not, again: what the gap was to begin with
 * went meanwhile, to the shrinker, which the port's memory calls, or to others. May sleep. */
static inline HM_MUST_USE_ int hm_rox_grow_(struct hm_rox_cache *cache,
					    struct hm_rox_cache_arena *arena, uint64_t bytes,
					    uint64_t alignment, bool again)
{
	const uint64_t blocks = (bytes + HM_ROX_BLOCK_ - 1) >> HM_PORT_ROX_CACHE_BLOCK_SHIFT;
	unsigned int lacks;
	uint64_t start, where;
	int error = -HM_ENOMEM;

	if (bytes - 1 > arena->last.val - arena->first.val || !hm_port_rox_cache_grow_lock(cache))
		return -HM_ENOMEM;
	hm_port_rox_cache_lock(cache);
	if (hm_rox_fit_(cache, arena, bytes, alignment, &start))
		error = 0; /* another made it, before the lock was free */
	lacks = hm_rox_lacks_(cache, arena, bytes, alignment);
	where = arena->end;
	hm_port_rox_cache_unlock(cache);
	if (error && lacks && !again)
		error = hm_rox_grow_by_(cache, arena, lacks, where);
	if (error)
		error = hm_rox_grow_by_(cache, arena, (unsigned int)blocks, 0);
	hm_port_rox_cache_grow_unlock(cache);
	return error;
}

/* ---- allocation ---- */

/* A range of the arena, if it has a gap for it. The list is of one range for a size, two for an alignment. */
static inline bool hm_rox_take_(struct hm_rox_cache *cache, struct hm_rox_cache_arena *arena,
				uint64_t asked, uint64_t alignment,
				struct hm_rox_cache_range **list, hm_va_t *code)
{
	const uint64_t bytes = (asked + HM_ROX_CACHE_GRANULE - 1) &
			       ~(uint64_t)(HM_ROX_CACHE_GRANULE - 1);
	struct hm_rox_cache_range *gap, *range;
	uint64_t start;

	hm_port_rox_cache_lock(cache);
	gap = hm_rox_fit_(cache, arena, bytes, alignment, &start);
	if (gap) {
		range = hm_rox_cut_(cache, gap, start, bytes, HM_ROX_CACHE_LIVE, list);
		range->asked = asked;
		if (arena->peak < arena->blocks - arena->empty)
			arena->peak = arena->blocks - arena->empty;
		cache->live++;
		cache->live_bytes += bytes;
		cache->asked_bytes += asked;
		cache->counts.allocs++;
		code->val = start;
	}
	hm_port_rox_cache_unlock(cache);
	return gap;
}

/* In that arena, which grows if it may. */
static inline bool hm_rox_alloc_from_(struct hm_rox_cache *cache, struct hm_rox_cache_arena *arena,
				      uint64_t bytes, uint64_t alignment, unsigned int flags,
				      struct hm_rox_cache_range **list, hm_va_t *code)
{
	bool taken = hm_rox_take_(cache, arena, bytes, alignment, list, code), again = false;

	while (!taken && (flags & HM_ROX_CACHE_MAY_SLEEP) &&
	       !hm_rox_grow_(cache, arena, bytes, alignment, again)) {
		taken = hm_rox_take_(cache, arena, bytes, alignment, list, code);
		again = true;
	}
	return taken;
}

/*
 * A range of that many bytes in the arena, or in its fallbacks, that nobody else has: traps, executable. Its
 * address is a multiple of the alignment, a power of two up to a block. Any context in which the port has
 * memory for a range; with HM_ROX_CACHE_MAY_SLEEP where the caller may sleep, and holds no lock that memory
 * allocation, the shrinker or a change of permissions takes. -HM_EINVAL, -HM_ENOMEM.
 */
static inline HM_MUST_USE_ int hm_rox_cache_alloc(struct hm_rox_cache *cache,
						  struct hm_rox_cache_arena *arena, uint64_t bytes,
						  uint64_t alignment, unsigned int flags,
						  hm_va_t *code)
{
	const uint64_t aligned = alignment < HM_ROX_CACHE_GRANULE ? HM_ROX_CACHE_GRANULE
								  : alignment;
	struct hm_rox_cache_range *list = HM_NULL_;
	struct hm_rox_cache_arena *from;
	bool taken = false, waiting;

	if (!arena || !bytes || bytes > HM_ROX_CACHE_MAX || !alignment ||
	    (alignment & (alignment - 1)) || alignment > HM_ROX_BLOCK_ ||
	    (flags & ~HM_ROX_CACHE_MAY_SLEEP))
		return -HM_EINVAL;
	if (!hm_rox_alloc_ranges_(cache, aligned > HM_ROX_CACHE_GRANULE ? 2 : 1, &list))
		return -HM_ENOMEM;
	for (from = arena; from && !taken; from = from->fallback)
		taken = hm_rox_alloc_from_(cache, from, bytes, aligned, flags, &list, code);
	if (!taken && (flags & HM_ROX_CACHE_MAY_SLEEP)) {
		/* What waits to be a gap may be the place. */
		hm_port_rox_cache_lock(cache);
		waiting = cache->parked_ranges + cache->held_blocks;
		hm_port_rox_cache_unlock(cache);
		if (waiting)
			hm_rox_cache_retry(cache);
		for (from = arena; from && !taken && waiting; from = from->fallback)
			taken = hm_rox_alloc_from_(cache, from, bytes, aligned, flags, &list, code);
	}
	hm_rox_free_ranges_(cache, &list);
	return taken ? 0 : -HM_ENOMEM;
}

/* Of a caller that is wrong. */
static inline HM_MUST_USE_ int hm_rox_misuse_(const char *message)
{
	(void)message;
	HM_BUG(message);
	return -HM_EINVAL;
}

/* Whether it is in a window that is not over. */
static inline bool hm_rox_is_written_(const struct hm_rox_cache_range *range)
{
	return range->state >= HM_ROX_CACHE_WRITING && range->state <= HM_ROX_CACHE_SYNCHRONISING;
}

/*
 * The range that starts there is nobody's: no CPU executes it, nor will. It traps when this returns, or it is
 * parked. -HM_EBUSY: it is being written. -HM_EINVAL, with HM_BUG: no range starts there. Context: see above;
 * never sleeps but in the port's window lock and changes of permissions.
 */
static inline HM_MUST_USE_ int hm_rox_cache_free(struct hm_rox_cache *cache, hm_va_t code)
{
	struct hm_rox_cache_range *range;
	int error = -HM_EINVAL;

	hm_port_rox_cache_lock(cache);
	range = hm_rox_find_(cache, code.val);
	if (range && range->start == code.val) {
		if (hm_rox_is_written_(range))
			error = -HM_EBUSY;
		else if (range->state == HM_ROX_CACHE_LIVE)
			error = 0;
	}
	if (!error) {
		range->state = HM_ROX_CACHE_CLOSING;
		cache->live--;
		cache->live_bytes -= range->bytes;
		cache->asked_bytes -= range->asked;
		cache->counts.frees++;
	}
	hm_port_rox_cache_unlock(cache);
	if (error == -HM_EINVAL)
		return hm_rox_misuse_("rox_cache: no code starts there");
	if (!error)
		hm_rox_reclaim_(cache, range);
	return error;
}

/* ---- writing ---- */

/* A range in a window of that writer; NULL: there is none. With the lock. */
static inline struct hm_rox_cache_range *hm_rox_written_(struct hm_rox_cache *cache,
							 hm_rox_cache_writer_t writer)
{
	struct hm_rox_cache_range *range = hm_rox_find_(cache, writer.start);

	return range && range->start == writer.start && range->generation == writer.generation &&
			       hm_rox_is_written_(range)
		       ? range
		       : HM_NULL_;
}

static inline void hm_rox_set_state_(struct hm_rox_cache *cache, struct hm_rox_cache_range *range,
				     enum hm_rox_cache_state state)
{
	hm_port_rox_cache_lock(cache);
	range->state = state;
	hm_port_rox_cache_unlock(cache);
}

/*
 * Opens a window: from here to the paired hm_rox_cache_write_end() this context may write those bytes,
 * which one range has, by hm_rox_cache_copy(). One window a range at a time, and where there are no keys
 * one in all. -HM_EBUSY: it has one; the window's lock is not to be had; a permission cannot be changed.
 * -HM_EINVAL, with HM_BUG: not one range's.
 */
static inline HM_MUST_USE_ int hm_rox_cache_write_begin(struct hm_rox_cache *cache, hm_va_t at,
							uint64_t bytes,
							hm_rox_cache_writer_t *writer)
{
	struct hm_rox_cache_range *range;
	hm_kpkeys_token_t level;
	int error = -HM_EINVAL;

	hm_port_rox_cache_lock(cache);
	range = hm_rox_find_(cache, at.val);
	if (range && bytes && at.val - range->start < range->asked &&
	    bytes <= range->asked - (at.val - range->start) &&
	    (range->state == HM_ROX_CACHE_LIVE || hm_rox_is_written_(range))) {
		error = -HM_EBUSY;
		if (range->state == HM_ROX_CACHE_LIVE) {
			range->state = HM_ROX_CACHE_WRITING;
			range->first = at.val;
			range->end = at.val + bytes;
			range->generation = ++cache->generation;
			error = 0;
		}
	}
	hm_port_rox_cache_unlock(cache);
	if (error == -HM_EINVAL)
		return hm_rox_misuse_("rox_cache: no range has those bytes");
	if (error)
		return error;
	writer->start = range->start;
	writer->generation = range->generation;
	error = hm_rox_open_(cache, at.val, at.val + bytes, &level);
	if (error) {
		hm_rox_set_state_(cache, range, HM_ROX_CACHE_LIVE);
		return error;
	}
	hm_rox_count_(cache, &cache->counts.windows, 1);
	range->level[0] = level.outer;
	range->level[1] = level.self;
	return 0;
}

/*
 * Writes there, within the window; any alignment. Four aligned bytes are one store, of an instruction that
 * may be executed meanwhile, by keyed stores one of the eight around it. The context of
 * hm_rox_cache_write_begin(). -HM_EINVAL, with HM_BUG: outside of it, or it is over.
 */
static inline HM_MUST_USE_ int hm_rox_cache_copy(struct hm_rox_cache *cache,
						 hm_rox_cache_writer_t writer, hm_va_t at,
						 const void *source, uint64_t bytes)
{
	const struct hm_rox_cache_range *range;
	bool inside;

	hm_port_rox_cache_lock(cache);
	range = hm_rox_written_(cache, writer);
	inside = range && range->state == HM_ROX_CACHE_WRITING && at.val >= range->first &&
		 at.val <= range->end && bytes <= range->end - at.val;
	cache->counts.written += inside ? bytes : 0;
	hm_port_rox_cache_unlock(cache);
	if (!inside)
		return hm_rox_misuse_("rox_cache: a write outside of its window");
	if (bytes)
		hm_rox_copy_(cache, at.val, (const unsigned char *)source, bytes);
	return 0;
}

/*
 * Closes the window; what was written may be executed by all CPUs when this has returned 0: data caches are
 * cleaned, instruction caches know nothing else, every CPU has synchronised its context. One of each for
 * all that was written. The context of hm_rox_cache_write_begin(). -HM_EBUSY: that could not be done from
 * here or now; nothing more can be written, and the window is still to be ended: call it again. -HM_EINVAL,
 * with HM_BUG: it is over.
 */
static inline HM_MUST_USE_ int hm_rox_cache_write_end(struct hm_rox_cache *cache,
						      hm_rox_cache_writer_t writer)
{
	enum hm_rox_cache_state state = HM_ROX_CACHE_LIVE;
	struct hm_rox_cache_range *range;
	hm_kpkeys_token_t level;
	int error = 0;

	hm_port_rox_cache_lock(cache);
	range = hm_rox_written_(cache, writer);
	if (range)
		state = range->state;
	hm_port_rox_cache_unlock(cache);
	if (!range)
		return hm_rox_misuse_("rox_cache: a window that is over");
	if (state == HM_ROX_CACHE_WRITING) {
		level.outer = range->level[0];
		level.self = range->level[1];
		hm_kpkeys_leave(level);
		hm_rox_publish_(cache, range->first, range->end);
		error = hm_rox_close_(cache, range->first, range->end);
	} else if (state == HM_ROX_CACHE_SEALING) {
		/* What this one left open, or who came after it, and closed that first. */
		error = hm_rox_seal_left_(cache);
	}
	if (state != HM_ROX_CACHE_SYNCHRONISING)
		hm_rox_set_state_(cache, range,
				  error ? HM_ROX_CACHE_SEALING : HM_ROX_CACHE_SYNCHRONISING);
	if (error)
		return -HM_EBUSY;
	if (!hm_rox_synchronise_(cache))
		return -HM_EBUSY;
	hm_rox_set_state_(cache, range, HM_ROX_CACHE_LIVE);
	return 0;
}

/* Ends a window whatever it takes: of a caller who cannot call again. */
static inline void hm_rox_abandon_(struct hm_rox_cache *cache, hm_rox_cache_writer_t writer)
{
	struct hm_rox_cache_range *range;

	if (!hm_rox_cache_write_end(cache, writer))
		return;
	/* Nothing is writable by this context any more. What is open is remembered, and who opens the next
	 * window closes it; as nobody was told of the code, nobody has to be synchronised. */
	hm_port_rox_cache_lock(cache);
	range = hm_rox_written_(cache, writer);
	if (range)
		range->state = HM_ROX_CACHE_LIVE;
	hm_port_rox_cache_unlock(cache);
}

/*
 * One aligned instruction of four bytes, of a range's, is another: a window by itself. Others may execute
 * it meanwhile as the architecture allows, see above. As hm_rox_cache_write_begin(); but if -HM_EBUSY is of
 * the end the instruction is written, and CPUs may execute either: patch it again.
 */
static inline HM_MUST_USE_ int hm_rox_cache_patch(struct hm_rox_cache *cache, hm_va_t at,
						  uint32_t instruction)
{
	hm_rox_cache_writer_t writer;
	int error;

	if (at.val & 3)
		return hm_rox_misuse_("rox_cache: an instruction is aligned");
	error = hm_rox_cache_write_begin(cache, at, sizeof(instruction), &writer);
	if (error)
		return error;
	error = hm_rox_cache_copy(cache, writer, at, &instruction, sizeof(instruction));
	if (!error)
		error = hm_rox_cache_write_end(cache, writer);
	if (error)
		hm_rox_abandon_(cache, writer);
	return error;
}

/*
 * Allocates as hm_rox_cache_alloc(), writes those bytes, calls relocate(), if it is not NULL, which writes
 * what depends on the address by hm_rox_cache_copy(), and ends the window: all of it, or nothing is left
 * and the error is returned, of relocate() too. relocate() runs within the window. May sleep where
 * hm_rox_cache_alloc() and hm_rox_cache_write_begin() may.
 */
static inline HM_MUST_USE_ int hm_rox_cache_load(struct hm_rox_cache *cache,
						 struct hm_rox_cache_arena *arena,
						 const void *source, uint64_t bytes,
						 uint64_t alignment, unsigned int flags,
						 int (*relocate)(struct hm_rox_cache *cache,
								 hm_rox_cache_writer_t writer,
								 hm_va_t code, void *argument),
						 void *argument, hm_va_t *code)
{
	hm_rox_cache_writer_t writer;
	hm_va_t at;
	int error = hm_rox_cache_alloc(cache, arena, bytes, alignment, flags, &at), freed;

	if (error)
		return error;
	error = hm_rox_cache_write_begin(cache, at, bytes, &writer);
	if (!error) {
		error = hm_rox_cache_copy(cache, writer, at, source, bytes);
		if (!error && relocate)
			error = relocate(cache, writer, at, argument);
		if (!error)
			error = hm_rox_cache_write_end(cache, writer);
		if (error)
			hm_rox_abandon_(cache, writer);
	}
	if (!error) {
		*code = at;
		return 0;
	}
	freed = hm_rox_cache_free(cache, at);
	return freed ? freed : error;
}

/* ---- the shrinker ---- */

/* What the arena's peak is after the next scan: half of what it is beyond the use goes. */
static inline uint64_t hm_rox_decayed_(const struct hm_rox_cache_arena *arena)
{
	const uint64_t used = arena->blocks - arena->empty;

	return arena->peak > used ? arena->peak - (arena->peak - used + 1) / 2 : used;
}

/* How many blocks hm_rox_cache_shrink_scan() would give back now. Any context. */
static inline uint64_t hm_rox_cache_shrink_count(struct hm_rox_cache *cache)
{
	const struct hm_rox_cache_arena *arena;
	uint64_t blocks = 0;

	hm_port_rox_cache_lock(cache);
	for (arena = cache->arenas; arena; arena = arena->next)
		if (arena->blocks > hm_rox_decayed_(arena))
			blocks += arena->blocks - hm_rox_decayed_(arena);
	hm_port_rox_cache_unlock(cache);
	return blocks;
}

/* Gives back empty blocks of the arena: all, or those beyond its peak; not more than so many. How many. */
static inline uint64_t hm_rox_shrink_(struct hm_rox_cache *cache, struct hm_rox_cache_arena *arena,
				      bool all, uint64_t most)
{
	uint64_t given = 0;
	bool gone = true;

	while (gone && given < most) {
		struct hm_rox_cache_range *list = HM_NULL_, *held = HM_NULL_;
		uint64_t first;

		hm_port_rox_cache_lock(cache);
		gone = arena->whole && (all || arena->blocks > arena->peak);
		if (gone) {
			hm_rox_whole_(arena->whole, &first);
			hm_rox_push_(&list, hm_rox_pop_(&cache->spare));
			hm_rox_push_(&list, hm_rox_pop_(&cache->spare));
			cache->spares -= 2;
			held = hm_rox_cut_(cache, arena->whole, first, HM_ROX_BLOCK_,
					   HM_ROX_CACHE_HELD, &list);
			arena->blocks--;
			if (arena->end == first + HM_ROX_BLOCK_)
				arena->end = first;
			cache->held_blocks++;
			hm_rox_settle_(cache, &list);
		}
		hm_port_rox_cache_unlock(cache);
		if (gone)
			gone = hm_rox_let_go_(cache, held);
		given += gone;
	}
	return given;
}

/*
 * Gives back up to that many empty blocks, as they came, and tries again what waits; how many it gave. Each
 * arena keeps as many blocks as it had in use of late, which falls towards what it uses from scan to scan.
 * Takes no memory. Context of hm_rox_cache_free(), also within the port's memory allocation, in which it
 * does not wait for who grows.
 */
static inline uint64_t hm_rox_cache_shrink_scan(struct hm_rox_cache *cache, uint64_t blocks)
{
	struct hm_rox_cache_arena *arena;
	uint64_t given = 0;

	hm_rox_cache_retry(cache);
	hm_port_rox_cache_lock(cache);
	for (arena = cache->arenas; arena; arena = arena->next)
		arena->peak = hm_rox_decayed_(arena);
	arena = cache->arenas;
	hm_port_rox_cache_unlock(cache);
	for (; arena; arena = arena->next)
		given += hm_rox_shrink_(cache, arena, false, blocks - given);
	return given;
}

/* Gives back all empty blocks, whatever was in use of late; how many. Context as above. */
static inline uint64_t hm_rox_cache_trim(struct hm_rox_cache *cache)
{
	struct hm_rox_cache_arena *arena;
	uint64_t given = 0;

	hm_rox_cache_retry(cache);
	hm_port_rox_cache_lock(cache);
	arena = cache->arenas;
	hm_port_rox_cache_unlock(cache);
	for (; arena; arena = arena->next)
		given += hm_rox_shrink_(cache, arena, true, ~UINT64_C(0));
	return given;
}

/*
 * Gives back all there is; the cache and its arenas, as new, are the caller's again. Nobody else uses it
 * any more. -HM_EBUSY: there is code, or something waits that cannot be done now; what is empty went back.
 * Context of hm_rox_cache_free().
 */
static inline HM_MUST_USE_ int hm_rox_cache_destroy(struct hm_rox_cache *cache)
{
	hm_rox_cache_trim(cache);
	if (cache->blocks) /* what a window left open is in one */
		return -HM_EBUSY;
	cache->arenas = HM_NULL_;
	return 0;
}

/* ---- for people ---- */

/* The numbers, all of one moment. Any context; time in proportion to the arenas. */
static inline void hm_rox_cache_statistics(struct hm_rox_cache *cache,
					   struct hm_rox_cache_statistics *statistics)
{
	const struct hm_rox_cache_arena *arena;

	hm_port_rox_cache_lock(cache);
	statistics->blocks = statistics->empty = 0;
	for (arena = cache->arenas; arena; arena = arena->next) {
		statistics->blocks += arena->blocks;
		statistics->empty += arena->empty;
	}
	statistics->held_blocks = cache->held_blocks;
	statistics->held_bytes = cache->blocks * HM_ROX_BLOCK_;
	statistics->live = cache->live;
	statistics->gaps = cache->gaps;
	statistics->live_bytes = cache->live_bytes;
	statistics->asked_bytes = cache->asked_bytes;
	statistics->parked_ranges = cache->parked_ranges;
	statistics->parked_bytes = cache->parked_bytes;
	statistics->counts = cache->counts;
	hm_port_rox_cache_unlock(cache);
	statistics->free_bytes = statistics->blocks * HM_ROX_BLOCK_ - statistics->live_bytes -
				 statistics->parked_bytes;
}

#define HM_ROX_LINE_ 64
#define HM_ROX_NAME_ 8

/* What a character of the drawing says of those addresses. With the lock. */
static inline char hm_rox_draw_(struct hm_rox_cache *cache, uint64_t at, uint64_t end)
{
	static const char drawn[HM_ROX_CACHE_STATES + 1] = ".#wwwpp!";
	bool seen[HM_ROX_CACHE_STATES] = { false };
	unsigned int state;

	while (at < end) {
		const struct hm_rox_cache_range *range = hm_rox_find_(cache, at);

		/* A block can go between two lines, not within one. */
		if (!range)
			return ' ';
		seen[range->state] = true;
		at = hm_rox_end_(range);
	}
	for (state = HM_ROX_CACHE_STATES - 1; state > HM_ROX_CACHE_LIVE; state--)
		if (seen[state])
			return drawn[state];
	if (seen[HM_ROX_CACHE_LIVE])
		return seen[HM_ROX_CACHE_FREE] ? '+' : '#';
	return drawn[HM_ROX_CACHE_FREE];
}

/*
 * Draws the cache, a line a block without its newline, by address: where it executes; its arena's name, eight
 * characters; 64 characters, each for as many bytes of it:
 *
 * 	#  all code    +  some    w  being written    p  freed, no traps yet    .  traps    !  in quarantine
 *
 * Context of put, which is called without the lock.
 */
static inline void hm_rox_cache_print(struct hm_rox_cache *cache,
				      void (*put)(const char *line, void *argument), void *argument)
{
	static const char digits[] = "0123456789abcdef";
	char line[16 + 1 + HM_ROX_NAME_ + 1 + HM_ROX_LINE_ + 1];
	uint64_t block = 0;
	bool more;

	do {
		const struct hm_rox_cache_range *range;
		unsigned int i, n = 0;

		hm_port_rox_cache_lock(cache);
		range = hm_rox_find_next_(cache, block);
		more = range;
		if (more) {
			const char *name = range->arena->name;

			if (block < range->start)
				block = range->start & ~(HM_ROX_BLOCK_ - 1);
			for (; n < 16; n++)
				line[n] = digits[block >> (60 - 4 * n) & 15];
			line[n++] = ' ';
			for (i = 0; i < HM_ROX_NAME_; i++)
				line[n++] = *name ? *name++ : ' ';
			line[n++] = ' ';
			for (i = 0; i < HM_ROX_LINE_; i++, block += HM_ROX_BLOCK_ / HM_ROX_LINE_)
				line[n++] = hm_rox_draw_(cache, block,
							 block + HM_ROX_BLOCK_ / HM_ROX_LINE_);
			line[n] = 0;
		}
		hm_port_rox_cache_unlock(cache);
		if (more)
			put(line, argument);
	} while (more);
}
#endif /* HM_ROX_CACHE_H */
