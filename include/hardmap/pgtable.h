/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * pgtable.h -- the way to write a page-table entry.
 *
 * USE      #include <hardmap/pgtable.h>    (with your hardmap_port.h on the include path)
 *
 *          hm_pte_fill(table, 512, first, 4096);  // a table that is not linked yet owes nothing
 *          hm_pte_link(parent, table_descriptor); // its fill is ordered before the link
 *
 *          hm_pte_set_range(ptep, n, first, 4096);        // one decision, one publication
 *
 *          hm_pte_clear_range(ptep, n);
 *          hm_pgtable_invalidate(va, n * 4096, HM_INVALIDATE_LEAVES);  // before the memory is reused
 *
 *          Tables may carry HM_KEY_PGTABLES: every writer here opens it for its own stores, and in a section
 *          of lazy_mmu.h it is open already. Ordinary stores to them fault. Where they take keyed stores
 *          (HM_KEY_STYLE_STORE) all tables carry it, from before they are filled, and writers use those.
 *
 *          Levels are counted from the leaves: 0 is the table whose entries map pages, 1 the one
 *          above, and so on (Arm's level 3, 2, ...).
 * STATE    None of its own. Publication and guard are batched in a section of lazy_mmu.h, immediate outside.
 * CONTEXT  Any, interrupt included; never sleeps. Writers of one entry exclude each other by the lock
 *          of the caller, or use hm_pte_update(). The tables walked must not be freed meanwhile.
 * ERRORS   hm_pte_update() and hm_pgtable_fault_is_spurious() answer with a bool. A range that leaves
 *          its table is a caller bug: HM_BUG, and nothing is written.
 * CONFIG   HM_PGTABLE_TYPES_ONLY  stop after part 1; for ports
 *          HM_NO_STD_HEADERS      uint64_t, uintptr_t, UINT64_C, bool, true, false are declared
 * PORT     The hooks of context.h, of kpkeys.h and of part 3. Template: ports/template
 * NOT      A manager of address spaces: it allocates no table and decides no permission.
 *
 *          Publication is for entries that turn from invalid to valid. Changing or removing a valid
 *          entry, a relaxation too, needs hm_pgtable_invalidate().
 */
#ifndef HM_PGTABLE_TYPES_H
#define HM_PGTABLE_TYPES_H
/* ---- 1. types: need no port ---- */
#ifndef HM_NO_STD_HEADERS
#include <stdbool.h>
#include <stdint.h>
#endif

/* One entry (descriptor) of a table of any level, in the architecture's format. */
typedef struct {
	uint64_t val;
} hm_pte_t;

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

/* What an access wanted; for hm_pgtable_fault_is_spurious(). */
enum hm_access { HM_ACCESS_READ, HM_ACCESS_WRITE, HM_ACCESS_EXECUTE };

/* What may be cached of the range that hm_pgtable_invalidate() is asked to forget. */
enum hm_invalidate {
	HM_INVALIDATE_LEAVES, /* page and block entries changed, no table was unlinked */
	HM_INVALIDATE_TABLES, /* tables were unlinked: walk caches too */
};
/* What hm_pgtable_walk() shows of an entry. */
struct hm_pgtable_entry {
	hm_va_t va; /* the first address that it translates */
	hm_pte_t pte; /* as it was read, once */
	unsigned int level;
};

/* What is done with them; either may be NULL. Not 0 ends the walk. */
struct hm_pgtable_visitor {
	int (*leaf)(const struct hm_pgtable_entry *entry,
		    void *argument); /* or an invalid entry, not 0 */
	int (*table)(const struct hm_pgtable_entry *entry,
		     void *argument); /* before what is in it */
};
#endif /* HM_PGTABLE_TYPES_H */

#if !defined(HM_PGTABLE_TYPES_ONLY) && !defined(HM_PGTABLE_H)
#define HM_PGTABLE_H
/* ---- 2. port ---- */
#include <hardmap/kpkeys.h>
#include <hardmap/lazy_mmu.h>
#ifndef HM_PORT_PGTABLE_LEVELS
#error "pgtable.h: the port must define HM_PORT_PGTABLE_LEVELS, the levels of a full walk, 1 to 5"
#endif
#ifndef HM_PORT_PGTABLE_ENTRIES
#error "pgtable.h: the port must define HM_PORT_PGTABLE_ENTRIES, the entries of a table, a power of two"
#endif

/* ---- 3. port contract: compiled, so it cannot go stale ---- */
/* Entries: the only ways in which tables are read and written. Each entry is one single-copy atomic
 * 64-bit access (Arm ARM B2.2.1). */
HM_PORT_REQUIRE(hm_pte_t, hm_port_pte_load, (const hm_pte_t *));
HM_PORT_REQUIRE(void, hm_port_pte_store, (hm_pte_t *, hm_pte_t));
/* Stores two consecutive entries, in any order, and returns the address after them. May be two
 * stores; a port with a paired store halves the work of the range writers. */
HM_PORT_REQUIRE(hm_pte_t *, hm_port_pte_store_pair, (hm_pte_t *, hm_pte_t, hm_pte_t));
/* Stores the third if the entry equals the second; returns what was found. Atomic against hardware
 * updates of access flag and dirty state and against other writers. Relaxed. */
HM_PORT_REQUIRE(hm_pte_t, hm_port_pte_compare_exchange, (hm_pte_t *, hm_pte_t, hm_pte_t));
#if HM_CONTEXT_HAS_STORE_
/* The keyed store of an entry, in style STORE only. Every table is then memory that takes it, from before it
 * is first written as a table. arm64: GCSSTR (Arm ARM C6.2). */
HM_PORT_REQUIRE(void, hm_port_pte_store_keyed, (hm_pte_t *, hm_pte_t));
#endif
/* Every earlier ordinary store of this CPU to a table is visible to all observers, walkers included, no
 * later than the later store that links it. arm64: DMB ISHST. */
HM_PORT_REQUIRE(void, hm_port_pgtable_order_fill, (void));
/* Whether walkers may use the entry (0 is never valid); and whether it maps a page or block for user
 * mode too, so that its publication may wait for a fault. In doubt false, as for a link. */
HM_PORT_REQUIRE(bool, hm_port_pte_is_valid, (hm_pte_t));
HM_PORT_REQUIRE(bool, hm_port_pte_is_user, (hm_pte_t));
/* Whether a valid entry of that level links a table; which one; and where running code reaches it. */
HM_PORT_REQUIRE(bool, hm_port_pte_is_table, (hm_pte_t, unsigned int));
HM_PORT_REQUIRE(hm_pa_t, hm_port_pte_table, (hm_pte_t));
HM_PORT_REQUIRE(hm_pte_t *, hm_port_pgtable_map, (hm_pa_t));
/* The top-level table that translates an address here and now, NULL if there is none; and the index
 * of the address in the table of a level. */
HM_PORT_REQUIRE(hm_pte_t *, hm_port_pgtable_root, (hm_va_t));
HM_PORT_REQUIRE(unsigned int, hm_port_pgtable_index, (hm_va_t, unsigned int));
/* log2 of the bytes that an entry of a level translates. */
HM_PORT_REQUIRE(unsigned int, hm_port_pgtable_shift, (unsigned int));
/* Whether a valid page or block entry lets the kernel do that. */
HM_PORT_REQUIRE(bool, hm_port_pte_permits, (hm_pte_t, enum hm_access));
/* No CPU uses a translation of [address, address + bytes) from before the call, nor walks by tables
 * unlinked before it, once it returns. Orders earlier table stores of this CPU before the
 * invalidation. Bytes are not 0 and the range does not wrap. */
HM_PORT_REQUIRE(void, hm_port_pgtable_invalidate, (hm_va_t, uint64_t, enum hm_invalidate));

/* ---- 4. configuration: none, but the port's constants have bounds ---- */
#if HM_PORT_PGTABLE_LEVELS < 1 || HM_PORT_PGTABLE_LEVELS > 5
#error "pgtable.h: HM_PORT_PGTABLE_LEVELS must be 1 to 5"
#endif
#if HM_PORT_PGTABLE_ENTRIES < 2 || (HM_PORT_PGTABLE_ENTRIES & (HM_PORT_PGTABLE_ENTRIES - 1))
#error "pgtable.h: HM_PORT_PGTABLE_ENTRIES must be a power of two, at least 2"
#endif

/* ---- 5. interface ---- */

/* The entry as it stands now. Inside a section it may be one that the walkers do not see yet. */
static inline hm_pte_t hm_pte_get(const hm_pte_t *ptep)
{
	return hm_port_pte_load(ptep);
}

/* Which of the entries that are stored make something valid that has to be published. */
enum hm_pte_kind_ {
	HM_PTE_QUIET_, /* none: emptied, or of a table that no walker reaches */
	HM_PTE_KERNEL_, /* valid ones */
	HM_PTE_EITHER_, /* valid ones of the kernel; a fault handler makes up for user entries */
};

static HM_ALWAYS_INLINE_ bool hm_pte_is_published_(hm_pte_t pte, enum hm_pte_kind_ kind)
{
	return kind != HM_PTE_QUIET_ && hm_port_pte_is_valid(pte) &&
	       (kind == HM_PTE_KERNEL_ || !hm_port_pte_is_user(pte));
}

/* Whether n entries from ptep lie in one table; the caller's bug if not. */
static inline bool hm_pte_range_fits_(const hm_pte_t *ptep, unsigned int n)
{
	const uintptr_t size = HM_PORT_PGTABLE_ENTRIES * sizeof(*ptep);
	uintptr_t offset = (uintptr_t)ptep & (size - 1);

	if (HM_LIKELY_(!(offset % sizeof(*ptep)) && n <= (size - offset) / sizeof(*ptep)))
		return true;
	HM_BUG("pgtable: the range is misaligned or leaves its table");
	return false;
}

static inline hm_pte_t hm_pte_advance_(hm_pte_t pte, uint64_t bits)
{
	pte.val += bits;
	return pte;
}

/* n stores: pte, pte + step, ... By eight, as a loop would cost more than the stores themselves. */
static inline void hm_pte_store_range_(hm_pte_t *ptep, unsigned int n, hm_pte_t pte, uint64_t step)
{
	const hm_pte_t *end = ptep + n;
	const hm_pte_t *end_of_eights = end - n % 8;

	while (ptep != end_of_eights) {
		ptep = hm_port_pte_store_pair(ptep, pte, hm_pte_advance_(pte, step));
		ptep = hm_port_pte_store_pair(ptep, hm_pte_advance_(pte, 2 * step),
					      hm_pte_advance_(pte, 3 * step));
		ptep = hm_port_pte_store_pair(ptep, hm_pte_advance_(pte, 4 * step),
					      hm_pte_advance_(pte, 5 * step));
		ptep = hm_port_pte_store_pair(ptep, hm_pte_advance_(pte, 6 * step),
					      hm_pte_advance_(pte, 7 * step));
		pte = hm_pte_advance_(pte, 8 * step);
	}
	for (; ptep != end; ptep++, pte = hm_pte_advance_(pte, step))
		hm_port_pte_store(ptep, pte);
}

static HM_ALWAYS_INLINE_ void hm_pte_store_plainly_(hm_pte_t *ptep, unsigned int n, hm_pte_t first,
						    uint64_t step)
{
	if (n == 1)
		hm_port_pte_store(ptep, first);
	else
		hm_pte_store_range_(ptep, n, first, step);
}

#if HM_CONTEXT_HAS_STORE_
static inline void hm_pte_store_by_key_(hm_pte_t *ptep, unsigned int n, hm_pte_t pte, uint64_t step)
{
	const hm_pte_t *end = ptep + n;

	for (; ptep != end; ptep++, pte = hm_pte_advance_(pte, step))
		hm_port_pte_store_keyed(ptep, pte);
}
#else
static inline void hm_pte_store_by_key_(hm_pte_t *ptep, unsigned int n, hm_pte_t pte, uint64_t step)
{
	(void)ptep, (void)n, (void)pte, (void)step;
}
#endif

/* n entries by keyed stores, which are ordered against all that precedes and follows; the publication does
 * the latter too. */
static HM_NOINLINE_ void hm_pte_store_keyed_(hm_pte_t *ptep, unsigned int n, hm_pte_t first,
					     uint64_t step, bool publish)
{
	struct hm_context *ctx = hm_port_context();

	hm_context_keyed_begin_();
	hm_pte_store_by_key_(ptep, n, first, step);
	if (publish && !hm_context_is_active_keyed_(ctx->word)) {
		hm_port_context_publish();
		hm_port_context_sync();
		return;
	}
	hm_context_keyed_end_();
	if (publish)
		ctx->pending = ctx->word;
}

/* n entries outside of any section, or where the word does not say yet that keyed stores write them: with a
 * guard of their own, and published at once. */
static HM_COLD_ void hm_pte_store_guarded_(hm_pte_t *ptep, unsigned int n, hm_pte_t first,
					   uint64_t step, enum hm_pte_kind_ kind)
{
	hm_kpkeys_token_t guard;

	if (hm_context_is_keyed_()) {
		hm_pte_store_keyed_(ptep, n, first, step, hm_pte_is_published_(first, kind));
		return;
	}
	guard = hm_kpkeys_guard_tables_();
	hm_pte_store_range_(ptep, n, first, step);
	hm_kpkeys_close_(guard, hm_pte_is_published_(first, kind));
}

/* n entries that are alike but for the step: in a section they need no guard, and publication is owed. */
static HM_ALWAYS_INLINE_ void hm_pte_store_(hm_pte_t *ptep, unsigned int n, hm_pte_t first,
					    uint64_t step, enum hm_pte_kind_ kind)
{
	if (HM_CONTEXT_HAS_KEYS_) {
		struct hm_context *ctx = hm_port_context();
		/* By address: as in hm_lazy_mmu_queue(). */
		uint64_t *word = &ctx->word, *pending = &ctx->pending, state = *word;

		if (HM_UNLIKELY_(!(state & HM_CONTEXT_ACTIVE_))) {
			if (HM_CONTEXT_HAS_STORE_ &&
			    (state & HM_CONTEXT_STYLE_) == HM_CONTEXT_STYLE_) {
				hm_pte_store_keyed_(ptep, n, first, step,
						    hm_pte_is_published_(first, kind));
				return;
			}
			hm_pte_store_guarded_(ptep, n, first, step, kind);
			return;
		}
		hm_pte_store_plainly_(ptep, n, first, step);
		if (hm_pte_is_published_(first, kind))
			*pending = state;
	} else {
		hm_pte_store_plainly_(ptep, n, first, step);
		if (hm_pte_is_published_(first, kind))
			hm_lazy_mmu_queue();
	}
}

/*
 * Writes an entry that is known to be the kernel's and publishes it (or notes that in a section) if
 * it is valid. The old entry must be invalid, or an invalidation follows. Any context.
 */
static inline void hm_pte_set_kernel(hm_pte_t *ptep, hm_pte_t pte)
{
	hm_pte_store_(ptep, 1, pte, 0, HM_PTE_KERNEL_);
}

/*
 * The same for an entry of either kind. User entries are not published: a fault that the walker's
 * late sight of one causes is repaired by the fault handler (hm_pgtable_fault_is_spurious()).
 */
static inline void hm_pte_set(hm_pte_t *ptep, hm_pte_t pte)
{
	hm_pte_store_(ptep, 1, pte, 0, HM_PTE_EITHER_);
}

/*
 * Empties an entry. Nothing to publish; if it was valid, hm_pgtable_invalidate() must follow before
 * what it mapped is used for anything else. Any context.
 */
static inline void hm_pte_clear(hm_pte_t *ptep)
{
	const hm_pte_t none = { 0 };

	hm_pte_store_(ptep, 1, none, 0, HM_PTE_QUIET_);
}

/* Desired in the place of old, published if due; returns what was found. By keyed stores: under a lock. */
static HM_NOINLINE_ hm_pte_t hm_pte_exchange_keyed_(hm_pte_t *ptep, hm_pte_t old, hm_pte_t desired)
{
	const hm_pte_t found = hm_port_pte_load(ptep);

	if (found.val == old.val)
		hm_pte_store_keyed_(ptep, 1, desired, 0,
				    !hm_port_pte_is_valid(old) &&
					    hm_pte_is_published_(desired, HM_PTE_EITHER_));
	return found;
}

/* The same by a compare-and-swap. */
static inline hm_pte_t hm_pte_exchange_(hm_pte_t *ptep, hm_pte_t old, hm_pte_t desired)
{
	bool guarded = HM_CONTEXT_HAS_WINDOW_ && !hm_lazy_mmu_active();
	hm_kpkeys_token_t guard = hm_kpkeys_none();
	hm_pte_t found;
	bool publish;

	if (guarded)
		guard = hm_kpkeys_guard_tables_();
	found = hm_port_pte_compare_exchange(ptep, old, desired);
	publish = found.val == old.val && hm_pte_is_published_(desired, HM_PTE_EITHER_) &&
		  !hm_port_pte_is_valid(old);
	if (guarded)
		hm_kpkeys_close_(guard, publish);
	else if (publish)
		hm_lazy_mmu_queue();
	return found;
}

/*
 * Replaces *expected by desired if it is still there, as a compare-and-swap; otherwise writes
 * nothing and puts what was found into *expected. Publishes if the entry turned valid and is the
 * kernel's. For entries that hardware (access flag, dirty state) or lock-free writers change too.
 * Any context.
 *
 * No compare-and-swap where tables take keyed stores (hm_kpkeys_style() is HM_KEY_STYLE_STORE): there all who
 * write the entry hold one lock, also around this call, and hardware updates neither access flag nor dirty
 * state.
 */
static inline HM_MUST_USE_ bool hm_pte_update(hm_pte_t *ptep, hm_pte_t *expected, hm_pte_t desired)
{
	const hm_pte_t old = *expected;
	const hm_pte_t found = hm_context_is_keyed_() ? hm_pte_exchange_keyed_(ptep, old, desired)
						      : hm_pte_exchange_(ptep, old, desired);

	*expected = found;
	return found.val == old.val;
}

/*
 * Writes n consecutive entries of one table: first, first + step, ... (step in the entry's own
 * format: for pages, their size). As n calls of hm_pte_set(), but what first is decides for all,
 * once: all valid or none, all the kernel's or none. n = 0 does nothing.
 */
static inline void hm_pte_set_range(hm_pte_t *ptep, unsigned int n, hm_pte_t first, uint64_t step)
{
	if (n && hm_pte_range_fits_(ptep, n))
		hm_pte_store_(ptep, n, first, step, HM_PTE_EITHER_);
}

/* Empties n consecutive entries of one table; as n calls of hm_pte_clear(). */
static inline void hm_pte_clear_range(hm_pte_t *ptep, unsigned int n)
{
	const hm_pte_t none = { 0 };

	if (hm_pte_range_fits_(ptep, n))
		hm_pte_store_(ptep, n, none, 0, HM_PTE_QUIET_);
}

/*
 * Writes n consecutive entries of a table that no walker can reach yet: nothing is owed but the
 * order before the link, which hm_pte_link() gives. With an entry of 0 and a step of 0 it zeroes a
 * table.
 */
static inline void hm_pte_fill(hm_pte_t *ptep, unsigned int n, hm_pte_t first, uint64_t step)
{
	if (hm_pte_range_fits_(ptep, n))
		hm_pte_store_(ptep, n, first, step, HM_PTE_QUIET_);
}

/*
 * Links a table that this context filled: its entries become visible to walkers no later than the
 * link. The link itself is published like any entry. Not batched away: one barrier a link.
 */
static inline void hm_pte_link(hm_pte_t *ptep, hm_pte_t table)
{
	hm_port_pgtable_order_fill();
	hm_pte_set_kernel(ptep, table);
}

/*
 * No CPU uses a translation of [va, va + size) from before this call once it returns. Call it after
 * entries there were changed or cleared, and before the memory or the tables that they pointed to
 * are used for anything else. What a section still owes is published first. size 0 does nothing; a
 * range that wraps is a caller bug: HM_BUG, and it ends at the top of the address space.
 */
static inline void hm_pgtable_invalidate(hm_va_t va, uint64_t size, enum hm_invalidate what)
{
	if (!size)
		return;
	if (HM_UNLIKELY_(va.val + size - 1 < va.val)) {
		HM_BUG("pgtable: the range to invalidate wraps");
		size = 0 - va.val;
	}
	hm_lazy_mmu_flush();
	hm_port_pgtable_invalidate(va, size, what);
}

/*
 * The page or block entry that translates the address now, as it is in the tables, and its level; the
 * entry 0 if there is none. Reads only. Any context; no table on the way may be freed meanwhile.
 */
static inline hm_pte_t hm_pgtable_leaf(hm_va_t va, unsigned int *level)
{
	const hm_pte_t *table = hm_port_pgtable_root(va);
	hm_pte_t pte = { 0 };

	for (*level = HM_PORT_PGTABLE_LEVELS; table && *level;
	     table = hm_port_pgtable_map(hm_port_pte_table(pte))) {
		(*level)--;
		pte = hm_port_pte_load(table + hm_port_pgtable_index(va, *level));
		if (!hm_port_pte_is_valid(pte))
			pte.val = 0;
		if (!pte.val || !hm_port_pte_is_table(pte, *level))
			break;
	}
	return pte;
}

static inline int hm_pgtable_visit_(int (*visit)(const struct hm_pgtable_entry *entry,
						 void *argument),
				    const struct hm_pgtable_entry *entry, void *argument)
{
	return visit ? visit(entry, argument) : 0;
}

/*
 * Shows every entry that translates some address of [va, va + size), in ascending order, holes left out: for
 * dumpers and counters. Returns what ended it, 0 at the end. Reads only, and writes nothing that a visitor is
 * shown. Any context that the visitor allows.
 *
 * Others may change entries meanwhile: each is read once, and what is shown is what it was then. A table may
 * even be unlinked while the walk is in it (a collapse): its entries go on to say what was true at that
 * moment, and the walk goes on in it up to its end. So the caller either excludes whoever unlinks tables of
 * the range by that one's lock, or is in a section in which hm_port_pgtable_free() of direct_map.h waits for
 * it (interrupts masked, a read-side section of RCU: what the port chose), from before the walk to after it.
 */
static inline int hm_pgtable_walk(hm_va_t va, uint64_t size,
				  const struct hm_pgtable_visitor *visitor, void *argument)
{
	const uint64_t last = va.val + (size - 1);
	const hm_pte_t *tables[HM_PORT_PGTABLE_LEVELS];
	struct hm_pgtable_entry entry = { va, { 0 }, HM_PORT_PGTABLE_LEVELS - 1 };
	int result = 0;

	tables[entry.level] = hm_port_pgtable_root(va);
	if (!size || !tables[entry.level])
		return 0;
	while (!result) {
		const uint64_t bytes = UINT64_C(1) << hm_port_pgtable_shift(entry.level);

		entry.pte = hm_port_pte_load(tables[entry.level] +
					     hm_port_pgtable_index(va, entry.level));
		entry.va.val = va.val & ~(bytes - 1);
		if (hm_port_pte_is_valid(entry.pte) &&
		    hm_port_pte_is_table(entry.pte, entry.level)) {
			result = hm_pgtable_visit_(visitor->table, &entry, argument);
			entry.level--;
			tables[entry.level] = hm_port_pgtable_map(hm_port_pte_table(entry.pte));
			continue;
		}
		if (entry.pte.val)
			result = hm_pgtable_visit_(visitor->leaf, &entry, argument);
		if (entry.va.val + (bytes - 1) >= last)
			break;
		va.val = entry.va.val + bytes;
		/* Out of every table that ends there. */
		while (entry.level < HM_PORT_PGTABLE_LEVELS - 1 &&
		       !hm_port_pgtable_index(va, entry.level))
			entry.level++;
	}
	return result;
}

/*
 * For the fault handler: whether the tables permit the access that faulted, so that the fault came
 * from a verdict of "invalid" that outlived the entry's publication, and repeating the access is
 * right. Such a fault is what another CPU sees that used an address before a context
 * synchronisation event, and what a user entry may cause. If true, everything this CPU wrote is
 * published too, so that the repetition makes progress. Any context; no table on the way may be
 * freed meanwhile. Not for a fault that hm_kpkeys_why() puts down to a key, a store key or the dirty state:
 * the tables permit that one, and it would come again.
 */
static inline bool hm_pgtable_fault_is_spurious(hm_va_t va, enum hm_access access)
{
	unsigned int level;
	hm_pte_t pte = hm_pgtable_leaf(va, &level);

	if (!pte.val || !hm_port_pte_permits(pte, access))
		return false;
	/* The handler itself runs eager, but in a port without exception push the store may be one that
	 * the interrupted section still owes: DSB before the repeated walk, whoever owes it. */
	hm_port_context_publish();
	hm_port_context_sync();
	return true;
}
#endif /* HM_PGTABLE_H */
