/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * direct_map.h -- change keys and permissions of a live linear map; split and collapse it.
 *
 * USE      #include <hardmap/direct_map.h>   (with your hardmap_port.h on the include path)
 *
 *          error = hm_direct_map_init(&map, start, size, false);          // once; the tables exist already
 *
 *          error = hm_direct_map_prepare(&reserve, HM_DIRECT_MAP_TABLES); // may sleep; before the map's lock
 *          // ... take the map's lock ...
 *          error = hm_direct_map_set_pkey(&map, &reserve, va, 4096, HM_KEY_PGTABLES); // lacks no table
 *          // ... and give it back ...
 *          hm_direct_map_release(&reserve);
 *
 *          error = hm_direct_map_set_permission(&map, 0, va, 65536, HM_PERMISSION_ROX);
 *          error = hm_direct_map_set_permission(&map, 0, va, 65536, HM_PERMISSION_VALID); // the default
 *          error = hm_direct_map_collapse(&map, va, 65536);       // as large as it can be again
 *
 *          A linear map is made of the largest entries: blocks of several levels, and contiguous groups that
 *          a TLB holds as one. To change a part of one it is split, into the fewest and largest pieces; a
 *          collapse joins what has become alike again. Neither changes what any address translates to, so
 *          where hardware permits (BBM level 3) all CPUs go on using the map meanwhile.
 *
 *          A change takes these steps, in this order: all is looked at; tables are taken; below BBM level 3
 *          the port is asked whether memory may be invalid for a moment; from here on nothing fails. Sizes
 *          change; then permissions; then one invalidation of the range. Never both in one store.
 *
 *          BBM level   sizes change (Arm ARM D8.17.2)
 *          3           live: one store. Old and new entry may be in use side by side until an invalidation
 *          0 to 2      by break-before-make: hm_port_direct_map_break(); the entry invalid; invalidation; the
 *                      new entry. Refused (-HM_EBUSY) where the code that runs stands on it: its stack, its
 *                      instructions, the map, the tables on the way. Level 2 too: without the break a CPU may
 *                      take a conflict abort, which no handler that uses the map survives
 *
 *          A map whose sizes must never change (realms, a debugging page allocator) has pages only from the
 *          start: say so to hm_direct_map_init(). If a CPU appears that lacks the level in use, call
 *          hm_direct_map_repaint() before that CPU uses the map.
 *
 * STATE    Yours: one struct hm_direct_map for a range of kernel addresses, and a struct
 *          hm_direct_map_reserve, all-zero is empty, for whoever prepares a change.
 * CONTEXT  The map's lock is yours: all functions that take a map exclude each other by it. It may be a
 *          spinlock: after hm_direct_map_prepare() of enough tables the port is asked for none, and else only
 *          before anything is written. Those that change something do not nest in interrupt; none sleeps by
 *          itself. Walkers without the lock (hm_pgtable_leaf(), hm_pgtable_walk()) are safe by the contract
 *          of hm_port_pgtable_free(). They take time in proportion to the entries of the range; collapse to
 *          those of the blocks around it.
 * ERRORS   Negative; then every entry is as it was:
 *          -HM_EINVAL  not pages, empty, outside of the map, no such key or permission, or an entry that is
 *                      none of a linear map's (hm_port_leaf_decode())
 *          -HM_ENOENT  nothing is mapped at some address of the range
 *          -HM_EEXIST  something is, where memory is to be added
 *          -HM_ENOMEM  no table
 *          -HM_EBUSY   the port refuses a break; or the running code stands on what would be broken or lost
 * CONFIG   HM_DIRECT_MAP_TYPES_ONLY  stop after part 1; for ports
 *          HM_NO_STD_HEADERS         uint64_t, uintptr_t, UINT64_C, bool, true, false are declared already
 * PORT     The hooks of pgtable.h and of part 3. Template: ports/template
 * NOT      A cache maintainer: other memory types are never set. It does not know who uses a page. */
#ifndef HM_DIRECT_MAP_TYPES_H
#define HM_DIRECT_MAP_TYPES_H
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

/*
 * What the kernel may do with memory, whole: each of the first four says all of it, whatever was there
 * before. An invalid entry keeps its address, key and memory type.
 */
enum hm_permission {
	HM_PERMISSION_RW, /* read and write; the default of a linear map */
	HM_PERMISSION_RO, /* read */
	HM_PERMISSION_ROX, /* read and execute */
	HM_PERMISSION_INVALID, /* nothing */
	HM_PERMISSION_NX, /* a request only: no execution, and else as it is */
	HM_PERMISSION_VALID = HM_PERMISSION_RW,
};

/* What a page or block entry of a linear map says, in no architecture's format. */
struct hm_leaf {
	hm_pa_t pa; /* the memory, aligned to the entry's size */
	uint64_t other; /* memory type and the like, in the port's format; never changed */
	unsigned int key; /* HM_KEY_* of context.h, or the kernel's own */
	enum hm_permission permission;
	bool contiguous; /* one of a group that a TLB may hold as one entry */
	bool keep_small; /* never collapsed */
};

/* What hm_direct_map_query() finds. */
struct hm_direct_map_info {
	hm_pa_t pa; /* of the address asked about */
	uint64_t bytes; /* of the entry, or of its contiguous group */
	unsigned int level; /* of the entry, from the leaves */
	unsigned int key;
	enum hm_permission permission;
	bool contiguous, keep_small;
};

/* What was done to a map since hm_direct_map_init(). */
struct hm_direct_map_counts {
	uint64_t splits; /* blocks replaced by a table */
	uint64_t unfolds; /* contiguous groups that became single entries */
	uint64_t collapses; /* tables, with those below them, replaced by a block */
	uint64_t folds; /* single entries that became a contiguous group */
	uint64_t invalidations; /* ranges: hm_pgtable_invalidate() */
	uint64_t entries; /* written, those of new tables included */
	uint64_t tables_linked, tables_freed;
};

struct hm_direct_map {
	hm_va_t start; /* the first address; aligned to a page */
	uint64_t bytes; /* whole pages, not 0 */
	bool pages_only; /* sizes never change: all entries are single pages */
	struct hm_direct_map_counts counts;
};

/* Tables for a change, taken before its lock. All-zero: none. One owner at a time. */
struct hm_direct_map_reserve {
	hm_pa_t first; /* each leads to the next by its first entry */
	unsigned int tables;
};
#endif /* HM_DIRECT_MAP_TYPES_H */

#if !defined(HM_DIRECT_MAP_TYPES_ONLY) && !defined(HM_DIRECT_MAP_H)
#define HM_DIRECT_MAP_H
/* ---- 2. port ---- */
#include <hardmap/pgtable.h>
#ifndef HM_PORT_PGTABLE_BLOCK_LEVEL
#error "direct_map.h: the port must define HM_PORT_PGTABLE_BLOCK_LEVEL, the highest level of blocks, 0: none"
#endif

/* ---- 3. port contract: compiled, so it cannot go stale ---- */
/* Whether an entry, not 0, of that level that links no table is one of a linear map, the kernel's own and
 * without anything that enum hm_permission cannot say; and what it says. Pure. */
HM_PORT_REQUIRE(bool, hm_port_leaf_decode, (hm_pte_t, unsigned int, struct hm_leaf *));
/* The entry of that level that says so; 0 if there is none: no blocks at that level, the memory not
 * aligned to its size, no such key or permission. Of two leaves that differ in their memory alone the
 * entries differ by a step that the level decides, and whether they are valid. What was decoded is encoded
 * as it was. Pure. */
HM_PORT_REQUIRE(hm_pte_t, hm_port_leaf_encode, (const struct hm_leaf *, unsigned int));
/* How many entries of that level make a contiguous group, a power of two; 1 if it has none. Aligned to the
 * size of all, as is the memory (Arm ARM D8.7). */
HM_PORT_REQUIRE(unsigned int, hm_port_leaf_group, (unsigned int));
/* The entry that links the table, without any permission of its own: what is below decides. */
HM_PORT_REQUIRE(hm_pte_t, hm_port_pte_link, (hm_pa_t));
/* A page for a table, of any contents; false if there is none. The kernel writes it where
 * hm_port_pgtable_map() says, as a table: it has HM_KEY_PGTABLES if tables have that. May sleep if the
 * caller of this module may. */
HM_PORT_REQUIRE(bool, hm_port_pgtable_alloc, (hm_pa_t *));
/* A table that is unlinked and invalidated: no CPU's hardware holds anything of it. Software may still be
 * in it that found the link before, without a lock: the page serves nothing else until no such walker is
 * left (a grace period, an interrupt to each CPU, or never where only the lock's holders walk). Does not
 * sleep. */
HM_PORT_REQUIRE(void, hm_port_pgtable_free, (hm_pa_t));
/* 0 to 3, as above: what every CPU that uses the map has. May fall only by the protocol of
 * hm_direct_map_repaint(); before it is known, 0. */
HM_PORT_REQUIRE(unsigned int, hm_port_bbm_level, (void));
/* Below level 3: whether [va, va + bytes) may be invalid for a moment. 0: from here to the mend no CPU
 * uses it: not this one's interrupts (masked, or standing elsewhere), and the others are stopped off it.
 * Otherwise negative, -HM_EBUSY as a rule, and nothing has changed. Stack, code and tables of the caller
 * were looked at. */
HM_PORT_REQUIRE(int, hm_port_direct_map_break, (hm_va_t, uint64_t));
/* The end of that: all is valid and published; whoever was stopped synchronises its context before it goes
 * on. */
HM_PORT_REQUIRE(void, hm_port_direct_map_mend, (hm_va_t, uint64_t));

/* ---- 4. configuration: none, but the port's constant has bounds ---- */
#if HM_PORT_PGTABLE_BLOCK_LEVEL < 0 || HM_PORT_PGTABLE_BLOCK_LEVEL >= HM_PORT_PGTABLE_LEVELS
#error "direct_map.h: HM_PORT_PGTABLE_BLOCK_LEVEL must be 0 to HM_PORT_PGTABLE_LEVELS - 1"
#endif
/* More tables than this no change of a range takes, whatever the map looks like: all levels, at both ends. */
#define HM_DIRECT_MAP_TABLES (2 * HM_PORT_PGTABLE_BLOCK_LEVEL)
#define HM_DIRECT_MAP_TOP_ (HM_PORT_PGTABLE_LEVELS - 1)

/* ---- 5. interface ---- */

/* ---- tables ---- */

/* Forgets nothing that it holds: gives all tables of the reserve back. Context of hm_port_pgtable_free(). */
static inline void hm_direct_map_release(struct hm_direct_map_reserve *reserve)
{
	while (reserve->tables) {
		hm_pa_t table = reserve->first;

		reserve->first.val = hm_pte_get(hm_port_pgtable_map(table)).val;
		reserve->tables--;
		hm_port_pgtable_free(table);
	}
}

/* Adds a page to the reserve, as hm_port_pgtable_alloc() would give one. Context as below. */
static inline void hm_direct_map_give(struct hm_direct_map_reserve *reserve, hm_pa_t table)
{
	const hm_pte_t next = { reserve->first.val };

	hm_pte_fill(hm_port_pgtable_map(table), 1, next, 0);
	reserve->first = table;
	reserve->tables++;
}

/*
 * The reserve holds at least that many tables; HM_DIRECT_MAP_TABLES are enough for any one change of a range
 * but those that hm_direct_map_tables() speaks of. -HM_ENOMEM: it holds what it held. Without the map's lock.
 */
static inline HM_MUST_USE_ int hm_direct_map_prepare(struct hm_direct_map_reserve *reserve,
						     unsigned int tables)
{
	struct hm_direct_map_reserve taken = { { 0 }, 0 };
	hm_pa_t last = { 0 };

	while (reserve->tables + taken.tables < tables) {
		hm_pa_t table;

		if (!hm_port_pgtable_alloc(&table)) {
			hm_direct_map_release(&taken);
			return -HM_ENOMEM;
		}
		if (!taken.tables)
			last = table;
		hm_direct_map_give(&taken, table);
	}
	if (taken.tables) {
		const hm_pte_t next = { reserve->first.val };

		hm_pte_fill(hm_port_pgtable_map(last), 1, next, 0);
		reserve->first = taken.first;
		reserve->tables += taken.tables;
	}
	return 0;
}

/* One of the tables that were planned for. */
static inline hm_pa_t hm_direct_map_take_(struct hm_direct_map *map,
					  struct hm_direct_map_reserve *reserve)
{
	hm_pa_t table = reserve->first;

	reserve->first.val = hm_pte_get(hm_port_pgtable_map(table)).val;
	reserve->tables--;
	map->counts.tables_linked++;
	return table;
}

/* ---- places in the map ---- */

/* The bytes that an entry of a level translates. */
static inline uint64_t hm_direct_map_bytes_(unsigned int level)
{
	return UINT64_C(1) << hm_port_pgtable_shift(level);
}

/* Where that range ends; its last address, if it reaches the top of the address space: that page is in no
 * map. */
static inline uint64_t hm_direct_map_after_(uint64_t start, uint64_t bytes)
{
	return start + bytes ? start + bytes : ~UINT64_C(0);
}

/* An entry: where it is, what it was, and what it translates. */
struct hm_direct_map_slot_ {
	hm_pte_t *ptep;
	hm_pte_t pte;
	uint64_t start, end; /* addresses */
	unsigned int level;
};

/* The entry that decides about the address: of that level, or a leaf or hole above it. */
static HM_NOINLINE_ struct hm_direct_map_slot_ hm_direct_map_at_(uint64_t va, unsigned int level)
{
	const hm_va_t address = { va };
	struct hm_direct_map_slot_ slot = { hm_port_pgtable_root(address), { 0 }, 0, 0, 0 };

	for (slot.level = HM_DIRECT_MAP_TOP_;; slot.level--) {
		slot.ptep += hm_port_pgtable_index(address, slot.level);
		slot.pte = hm_port_pte_load(slot.ptep);
		if (slot.level == level || !hm_port_pte_is_valid(slot.pte) ||
		    !hm_port_pte_is_table(slot.pte, slot.level))
			break;
		slot.ptep = hm_port_pgtable_map(hm_port_pte_table(slot.pte));
	}
	slot.start = va & ~(hm_direct_map_bytes_(slot.level) - 1);
	slot.end = hm_direct_map_after_(slot.start, hm_direct_map_bytes_(slot.level));
	return slot;
}

static inline struct hm_direct_map_slot_ hm_direct_map_find_(uint64_t va)
{
	return hm_direct_map_at_(va, 0);
}

static inline bool hm_direct_map_is_link_(const struct hm_direct_map_slot_ *slot)
{
	return hm_port_pte_is_valid(slot->pte) && hm_port_pte_is_table(slot->pte, slot->level);
}

/* From one entry to that of an address after it; from none if ptep is NULL. */
static inline void hm_direct_map_next_(struct hm_direct_map_slot_ *slot, uint64_t va)
{
	const unsigned int shift = hm_port_pgtable_shift(slot->level);

	if (slot->ptep && ((va ^ slot->start) >> shift) < HM_PORT_PGTABLE_ENTRIES) {
		slot->ptep += (va - slot->start) >> shift;
		slot->pte = hm_port_pte_load(slot->ptep);
		slot->start = va & ~(hm_direct_map_bytes_(slot->level) - 1);
		slot->end = hm_direct_map_after_(slot->start, hm_direct_map_bytes_(slot->level));
		if (!hm_direct_map_is_link_(slot))
			return;
	}
	*slot = hm_direct_map_find_(va);
}

/* What is added from that entry of a level, which says that, to the next one, for memory that follows on. */
static inline uint64_t hm_direct_map_step_(hm_pte_t pte, struct hm_leaf leaf, unsigned int level)
{
	uint64_t other;

	leaf.pa.val ^= hm_direct_map_bytes_(level);
	other = hm_port_leaf_encode(&leaf, level).val;
	return leaf.pa.val & hm_direct_map_bytes_(level) ? other - pte.val : pte.val - other;
}

/*
 * How many entries from this one on, of its table, continue it: consecutive memory, all else the same. At
 * least one; not beyond `end`, but for the first.
 */
static inline unsigned int hm_direct_map_run_(const struct hm_direct_map_slot_ *slot, uint64_t step,
					      uint64_t end)
{
	const hm_va_t va = { slot->start };
	const uint64_t left = (end - slot->start) >> hm_port_pgtable_shift(slot->level);
	unsigned int n = HM_PORT_PGTABLE_ENTRIES - hm_port_pgtable_index(va, slot->level);
	const hm_pte_t *ptep = slot->ptep + 1, *last;
	uint64_t wanted = slot->pte.val + step;

	if (left < n)
		n = (unsigned int)left;
	last = slot->ptep + n;
	/* By four while there are so many, as in hm_pte_store_range_(). */
	while (last - ptep >= 4 && hm_port_pte_load(ptep).val == wanted &&
	       !((hm_port_pte_load(ptep + 1).val ^ (wanted + step)) |
		 (hm_port_pte_load(ptep + 2).val ^ (wanted + 2 * step)) |
		 (hm_port_pte_load(ptep + 3).val ^ (wanted + 3 * step)))) {
		ptep += 4;
		wanted += 4 * step;
	}
	for (; ptep < last && hm_port_pte_load(ptep).val == wanted; ptep++)
		wanted += step;
	return (unsigned int)(ptep - slot->ptep);
}

static inline uint64_t hm_direct_map_down_(uint64_t va, uint64_t bytes)
{
	return va & ~(bytes - 1);
}

/* The bytes of a contiguous group of that level; and where the one that the entry would be in begins and
 * ends. */
static inline uint64_t hm_direct_map_group_bytes_(unsigned int level)
{
	return hm_direct_map_bytes_(level) * hm_port_leaf_group(level);
}

static inline uint64_t hm_direct_map_group_start_(const struct hm_direct_map_slot_ *slot)
{
	return hm_direct_map_down_(slot->start, hm_direct_map_group_bytes_(slot->level));
}

static inline uint64_t hm_direct_map_group_end_(const struct hm_direct_map_slot_ *slot)
{
	return hm_direct_map_after_(hm_direct_map_group_start_(slot),
				    hm_direct_map_group_bytes_(slot->level));
}

static inline bool hm_direct_map_contains_(const struct hm_direct_map *map, uint64_t start,
					   uint64_t end)
{
	return start >= map->start.val && end - map->start.val - 1 < map->bytes;
}

/* ---- what may not be broken ---- */

static inline bool hm_direct_map_overlaps_(uint64_t start, uint64_t end, uint64_t object,
					   uint64_t bytes)
{
	return object + bytes > start && object < end;
}

/* Whether what is written meanwhile is in that range: the stack of the code that runs, with what it will
 * still push, the word of its context, the map's counts; and if asked, the code. */
static HM_COLD_ bool hm_direct_map_runs_on_(const struct hm_direct_map *map, uint64_t start,
					    uint64_t end, bool code)
{
	const uint64_t page = hm_direct_map_bytes_(0);
	uint64_t stack = (uintptr_t)__builtin_frame_address(0);

	return hm_direct_map_overlaps_(start, end, stack - page, 2 * page) ||
	       hm_direct_map_overlaps_(start, end, (uintptr_t)hm_port_context(),
				       sizeof(struct hm_context)) ||
	       hm_direct_map_overlaps_(start, end, (uintptr_t)map, sizeof(*map)) ||
	       (code && hm_direct_map_overlaps_(start, end, (uintptr_t)&hm_direct_map_runs_on_, 1));
}

/* Whether a table on the way to what translates the address is in that range. */
static inline bool hm_direct_map_tables_in_(uint64_t va, uint64_t start, uint64_t end)
{
	const hm_va_t address = { va };
	const hm_pte_t *ptep = hm_port_pgtable_root(address);
	unsigned int level = HM_DIRECT_MAP_TOP_;
	hm_pte_t pte;

	for (;; level--) {
		ptep += hm_port_pgtable_index(address, level);
		if (hm_direct_map_overlaps_(start, end, (uintptr_t)ptep, sizeof(*ptep)))
			return true;
		pte = hm_port_pte_load(ptep);
		if (!hm_port_pte_is_valid(pte) || !hm_port_pte_is_table(pte, level))
			return false;
		ptep = hm_port_pgtable_map(hm_port_pte_table(pte));
	}
}

/* ---- changes of a range ---- */

enum hm_direct_map_what_ {
	HM_DIRECT_MAP_KEY_,
	HM_DIRECT_MAP_PERMISSION_,
	HM_DIRECT_MAP_SPLIT_, /* no entry crosses an end of the range */
	HM_DIRECT_MAP_SMALL_, /* single pages, and they stay so */
	HM_DIRECT_MAP_LARGE_, /* they need not any more */
	HM_DIRECT_MAP_PAGES_, /* single pages; holes are passed over */
	HM_DIRECT_MAP_REMOVE_,
};

/* A change in the making. */
struct hm_direct_map_change_ {
	struct hm_direct_map *map;
	struct hm_direct_map_reserve *reserve;
	enum hm_direct_map_what_ what;
	unsigned int value; /* a key or permission */
	uint64_t start, end;
	bool live; /* sizes may change while entries are in use */
	/* From the plan. */
	unsigned int tables; /* that it takes */
	uintptr_t looked; /* the table that was looked at last, with those above it */
	bool resizes; /* something has to be split or unfolded */
	uint64_t broken, broken_end; /* what is invalid for a moment if not live; end 0: nothing */
};

/* What a run of entries says, and is to say. */
struct hm_direct_map_entries_ {
	struct hm_direct_map_slot_ slot; /* the first */
	struct hm_leaf leaf;
	hm_pte_t wanted;
	uint64_t step; /* of what they say; of what they are to say, too, if it is as valid */
	unsigned int n;
	bool differs, splits;
};

static inline struct hm_leaf hm_direct_map_wanted_leaf_(const struct hm_direct_map_change_ *change,
							struct hm_leaf leaf)
{
	switch (change->what) {
	case HM_DIRECT_MAP_KEY_:
		leaf.key = change->value;
		break;
	case HM_DIRECT_MAP_PERMISSION_:
		if (change->value != HM_PERMISSION_NX)
			leaf.permission = (enum hm_permission)change->value;
		else if (leaf.permission == HM_PERMISSION_ROX)
			leaf.permission = HM_PERMISSION_RO;
		break;
	case HM_DIRECT_MAP_SMALL_:
		leaf.keep_small = true;
		break;
	case HM_DIRECT_MAP_LARGE_:
		leaf.keep_small = false;
		break;
	case HM_DIRECT_MAP_REMOVE_:
	case HM_DIRECT_MAP_SPLIT_:
	case HM_DIRECT_MAP_PAGES_:
	default:
		break;
	}
	return leaf;
}

static inline hm_pte_t hm_direct_map_wanted_(const struct hm_direct_map_change_ *change,
					     struct hm_leaf leaf, unsigned int level)
{
	const hm_pte_t none = { 0 };

	if (change->what == HM_DIRECT_MAP_REMOVE_)
		return none;
	leaf = hm_direct_map_wanted_leaf_(change, leaf);
	return hm_port_leaf_encode(&leaf, level);
}

static inline bool hm_direct_map_to_pages_(const struct hm_direct_map_change_ *change)
{
	return change->what == HM_DIRECT_MAP_SMALL_ || change->what == HM_DIRECT_MAP_PAGES_;
}

/* Whether [start, end), which is partly in the range of the change, is partly not. */
static inline bool hm_direct_map_crosses_(const struct hm_direct_map_change_ *change,
					  uint64_t start, uint64_t end)
{
	return start < change->start || change->end < end;
}

/* Whether the first of the entries has to become a table. */
static inline bool hm_direct_map_splits_(const struct hm_direct_map_change_ *change,
					 const struct hm_direct_map_entries_ *entries)
{
	const struct hm_direct_map_slot_ *slot = &entries->slot;

	return entries->differs && slot->level &&
	       (hm_direct_map_to_pages_(change) ||
		hm_direct_map_crosses_(change, slot->start, slot->end));
}

/* The entries at the address that are alike; 0, or negative if there are none that could be changed. */
static HM_NOINLINE_ int hm_direct_map_entries_at_(const struct hm_direct_map_change_ *change,
						  uint64_t va,
						  struct hm_direct_map_entries_ *entries)
{
	struct hm_direct_map_slot_ *slot = &entries->slot;
	uint64_t end;

	hm_direct_map_next_(slot, va);
	entries->n = 1;
	if (!slot->pte.val)
		return -HM_ENOENT;
	if (!hm_port_leaf_decode(slot->pte, slot->level, &entries->leaf))
		return -HM_EINVAL;
	entries->wanted = hm_direct_map_wanted_(change, entries->leaf, slot->level);
	if (!entries->wanted.val && change->what != HM_DIRECT_MAP_REMOVE_)
		return -HM_EINVAL;
	entries->step = hm_direct_map_step_(slot->pte, entries->leaf, slot->level);
	/* One group at a time: whether it is to be opened is a question to each. */
	end = change->end;
	if (entries->leaf.contiguous && hm_direct_map_group_end_(slot) < end)
		end = hm_direct_map_group_end_(slot);
	entries->differs =
		entries->wanted.val != slot->pte.val || change->what == HM_DIRECT_MAP_SPLIT_ ||
		(hm_direct_map_to_pages_(change) && (slot->level || entries->leaf.contiguous));
	/* Whoever splits the first does not ask for the rest. */
	entries->splits = hm_direct_map_splits_(change, entries);
	if (!entries->splits)
		entries->n = hm_direct_map_run_(slot, entries->step, end);
	return 0;
}

static inline uint64_t hm_direct_map_entries_end_(const struct hm_direct_map_entries_ *entries)
{
	return hm_direct_map_after_(entries->slot.start,
				    entries->n * hm_direct_map_bytes_(entries->slot.level));
}

/*
 * Whether the contiguous groups of the entries that are to change have to become single entries first: what
 * differs from its neighbours may not stand in a group that a walker still sees as one (Arm ARM D8.7.2:
 * address and permissions may then be those of none of them).
 */
static inline bool hm_direct_map_unfolds_(const struct hm_direct_map_change_ *change,
					  const struct hm_direct_map_entries_ *entries)
{
	if (!entries->differs || !entries->leaf.contiguous)
		return false;
	if (change->what == HM_DIRECT_MAP_SPLIT_ || change->what == HM_DIRECT_MAP_REMOVE_)
		return hm_direct_map_crosses_(change, hm_direct_map_group_start_(&entries->slot),
					      hm_direct_map_group_end_(&entries->slot));
	return true;
}

/* How many tables it takes to have an end of the range within an entry of that level between two entries. */
static inline unsigned int hm_direct_map_cuts_(uint64_t end, unsigned int level)
{
	unsigned int tables = 0;

	for (; end & (hm_direct_map_bytes_(level) - 1); level--)
		tables++;
	return tables;
}

/* How many tables the entry, which is to be split, takes. */
static inline unsigned int hm_direct_map_tables_of_(const struct hm_direct_map_change_ *change,
						    const struct hm_direct_map_slot_ *slot)
{
	uint64_t start = change->start > slot->start ? change->start : slot->start;
	uint64_t end = change->end < slot->end ? change->end : slot->end;
	unsigned int tables = 0, level = slot->level;

	if (hm_direct_map_to_pages_(change)) {
		for (; level; level--)
			tables += (unsigned int)(((end - 1) >> hm_port_pgtable_shift(level)) -
						 (start >> hm_port_pgtable_shift(level)) + 1);
		return tables;
	}
	/* Both ends, but what they share counts once. */
	tables = hm_direct_map_cuts_(start, level) + hm_direct_map_cuts_(end, level);
	for (; level && (start & (hm_direct_map_bytes_(level) - 1)) &&
	       !((start ^ end) >> hm_port_pgtable_shift(level));
	     level--)
		tables--;
	return tables;
}

/* That range will be invalid for a moment, if the change is not live. */
static inline int hm_direct_map_plan_break_(struct hm_direct_map_change_ *change,
					    const struct hm_direct_map_slot_ *slot, uint64_t start,
					    uint64_t end)
{
	if (change->live || !hm_port_pte_is_valid(slot->pte))
		return 0;
	if (hm_direct_map_runs_on_(change->map, start, end, true) ||
	    hm_direct_map_tables_in_(slot->start, start, end))
		return -HM_EBUSY;
	if (!change->broken_end || start < change->broken)
		change->broken = start;
	if (end > change->broken_end)
		change->broken_end = end;
	return 0;
}

/* Whether the change takes from the code that runs what it stands on. */
static inline bool hm_direct_map_cuts_its_branch_(struct hm_direct_map_change_ *change,
						  const struct hm_direct_map_entries_ *entries)
{
	bool permission = change->what == HM_DIRECT_MAP_PERMISSION_;
	bool removed = change->what == HM_DIRECT_MAP_REMOVE_ ||
		       (permission && change->value == HM_PERMISSION_INVALID);
	bool unwritable = removed || (permission && (change->value == HM_PERMISSION_RO ||
						     change->value == HM_PERMISSION_ROX));
	bool inexecutable = removed || (permission && change->value != HM_PERMISSION_ROX);
	bool keyed = change->what == HM_DIRECT_MAP_KEY_ && change->value != HM_KEY_DEFAULT;
	uintptr_t table = (uintptr_t)entries->slot.ptep &
			  ~(HM_PORT_PGTABLE_ENTRIES * sizeof(hm_pte_t) - 1);

	if (!entries->differs)
		return false;
	if (inexecutable && entries->leaf.permission == HM_PERMISSION_ROX &&
	    hm_direct_map_runs_on_(change->map, change->start, change->end, true))
		return true;
	/* The same for all entries of a table. */
	if (!(unwritable || keyed) || change->looked == table)
		return false;
	change->looked = table;
	return hm_direct_map_runs_on_(change->map, change->start, change->end, removed) ||
	       ((unwritable || change->value != HM_KEY_PGTABLES) &&
		hm_direct_map_tables_in_(entries->slot.start, change->start, change->end));
}

/* Looks at all, changes nothing: whether the change is possible, and what it takes. */
static HM_NOINLINE_ int hm_direct_map_plan_(struct hm_direct_map_change_ *change)
{
	struct hm_direct_map_entries_ entries;
	const struct hm_direct_map_slot_ *slot = &entries.slot;
	uint64_t va;

	entries.slot.ptep = HM_NULL_;
	entries.slot.level = 0;
	for (va = change->start; va < change->end; va = hm_direct_map_entries_end_(&entries)) {
		int error = hm_direct_map_entries_at_(change, va, &entries);

		if (error == -HM_ENOENT && change->what == HM_DIRECT_MAP_PAGES_)
			continue;
		if (!error && hm_direct_map_cuts_its_branch_(change, &entries))
			error = -HM_EBUSY;
		if (!error && entries.splits) {
			change->tables += hm_direct_map_tables_of_(change, slot);
			change->resizes = true;
			error = hm_direct_map_plan_break_(change, slot, slot->start, slot->end);
		}
		if (!error && hm_direct_map_unfolds_(change, &entries)) {
			change->resizes = true;
			error = hm_direct_map_plan_break_(change, slot,
							  hm_direct_map_group_start_(slot),
							  hm_direct_map_group_end_(slot));
		}
		if (error)
			return error;
	}
	return 0;
}

static inline void hm_direct_map_invalidate_(struct hm_direct_map *map, uint64_t start,
					     uint64_t end, enum hm_invalidate what)
{
	const hm_va_t va = { start };

	map->counts.invalidations++;
	hm_pgtable_invalidate(va, end - start, what);
}

/* Break-before-make, its first half: n entries are gone from the table, every TLB and every walk cache: a
 * page or block that a TLB holds, a link that a walk cache does. Nothing where entries may change live. */
static inline void hm_direct_map_break_(struct hm_direct_map *map, bool live,
					const struct hm_direct_map_slot_ *slot, unsigned int n)
{
	if (live || !hm_port_pte_is_valid(slot->pte))
		return;
	hm_pte_clear_range(slot->ptep, n);
	map->counts.entries += n;
	hm_direct_map_invalidate_(map, slot->start,
				  slot->start + ((uint64_t)n << hm_port_pgtable_shift(slot->level)),
				  HM_INVALIDATE_TABLES);
}

/* And its second: what was made is published before anything stands on it, the next table for one. */
static inline void hm_direct_map_made_(bool live)
{
	if (!live)
		hm_lazy_mmu_flush();
}

/* The contiguous bit of all entries of a group, to that. Their order does not matter: all say the same. */
static inline void hm_direct_map_set_group_(struct hm_direct_map *map, bool live,
					    const struct hm_direct_map_entries_ *entries,
					    bool contiguous)
{
	const unsigned int level = entries->slot.level, n = hm_port_leaf_group(level);
	const uint64_t bytes = hm_direct_map_group_bytes_(level);
	const uint64_t start = hm_direct_map_group_start_(&entries->slot);
	struct hm_direct_map_slot_ first = entries->slot;
	struct hm_leaf leaf = entries->leaf;

	first.ptep -= (first.start - start) >> hm_port_pgtable_shift(level);
	first.start = start;
	leaf.pa.val &= ~(bytes - 1);
	leaf.contiguous = contiguous;
	hm_direct_map_break_(map, live, &first, n);
	hm_pte_set_range(first.ptep, n, hm_port_leaf_encode(&leaf, level),
			 hm_direct_map_step_(hm_port_leaf_encode(&leaf, level), leaf, level));
	hm_direct_map_made_(live);
	map->counts.entries += n;
	if (contiguous)
		map->counts.folds++;
	else
		map->counts.unfolds++;
}

/*
 * An entry becomes a table of the level below that says the same: contiguous groups outside of the range,
 * single entries where the next steps change or cut them. Nothing to invalidate: what is cached of the block
 * still holds.
 */
static inline void hm_direct_map_split_entry_(const struct hm_direct_map_change_ *change,
					      struct hm_direct_map_reserve *reserve,
					      const struct hm_direct_map_entries_ *entries)
{
	const struct hm_direct_map_slot_ *slot = &entries->slot;
	const unsigned int level = slot->level - 1, group = hm_port_leaf_group(level);
	const uint64_t bytes = hm_direct_map_group_bytes_(level);
	const hm_pa_t table = hm_direct_map_take_(change->map, reserve);
	hm_pte_t *ptep = hm_port_pgtable_map(table);
	struct hm_leaf leaf = entries->leaf;
	uint64_t va;
	unsigned int i;

	for (i = 0; i < HM_PORT_PGTABLE_ENTRIES; i += group) {
		va = slot->start + (uint64_t)i * hm_direct_map_bytes_(level);
		leaf.pa.val = entries->leaf.pa.val + (va - slot->start);
		leaf.contiguous = group > 1 && hm_port_pte_is_valid(slot->pte) &&
				  (va + bytes <= change->start || va >= change->end ||
				   (change->what == HM_DIRECT_MAP_SPLIT_ &&
				    !hm_direct_map_crosses_(change, va, va + bytes)));
		hm_pte_fill(ptep + i, group, hm_port_leaf_encode(&leaf, level),
			    hm_direct_map_step_(hm_port_leaf_encode(&leaf, level), leaf, level));
	}
	hm_direct_map_break_(change->map, change->live, slot, 1);
	hm_pte_link(slot->ptep, hm_port_pte_link(table));
	hm_direct_map_made_(change->live);
	change->map->counts.entries += HM_PORT_PGTABLE_ENTRIES + 1;
	change->map->counts.splits++;
}

/* Entries cross no end of the range, and those that are to change are in no contiguous group. */
static inline void hm_direct_map_change_sizes_(const struct hm_direct_map_change_ *change,
					       struct hm_direct_map_reserve *reserve)
{
	struct hm_direct_map_entries_ entries;
	uint64_t va = change->start;
	bool unfolded = false;

	entries.slot.ptep = HM_NULL_;
	entries.slot.level = 0;
	while (va < change->end) {
		(void)hm_direct_map_entries_at_(change, va, &entries);
		if (entries.slot.pte.val && hm_direct_map_unfolds_(change, &entries)) {
			hm_direct_map_set_group_(change->map, change->live, &entries, false);
			unfolded = true;
		} else if (entries.slot.pte.val && entries.splits) {
			hm_direct_map_split_entry_(change, reserve, &entries);
		} else {
			va = hm_direct_map_entries_end_(&entries);
		}
	}
	/* No walker sees an entry that differs before it sees that the others are no group any more. */
	if (unfolded)
		hm_port_pgtable_order_fill();
}

static inline uint64_t hm_direct_map_wanted_step_(const struct hm_direct_map_change_ *change,
						  const struct hm_direct_map_entries_ *entries)
{
	if (hm_port_pte_is_valid(entries->wanted) == hm_port_pte_is_valid(entries->slot.pte))
		return entries->step;
	return hm_direct_map_step_(entries->wanted,
				   hm_direct_map_wanted_leaf_(change, entries->leaf),
				   entries->slot.level);
}

/* Writes what is wanted; whether anything valid was changed that a TLB may hold. */
static inline bool hm_direct_map_change_entries_(const struct hm_direct_map_change_ *change)
{
	struct hm_direct_map_entries_ entries;
	bool stale = false;
	uint64_t va;

	entries.slot.ptep = HM_NULL_;
	entries.slot.level = 0;
	for (va = change->start; va < change->end; va = hm_direct_map_entries_end_(&entries)) {
		(void)hm_direct_map_entries_at_(change, va, &entries);
		if (!entries.slot.pte.val || entries.wanted.val == entries.slot.pte.val)
			continue;
		if (entries.wanted.val)
			hm_pte_set_range(entries.slot.ptep, entries.n, entries.wanted,
					 hm_direct_map_wanted_step_(change, &entries));
		else
			hm_pte_clear_range(entries.slot.ptep, entries.n);
		change->map->counts.entries += entries.n;
		stale |= hm_port_pte_is_valid(entries.slot.pte);
	}
	/* The mark is software's. */
	return stale && change->what != HM_DIRECT_MAP_SMALL_ &&
	       change->what != HM_DIRECT_MAP_LARGE_;
}

/* Whether pages of the map, and at least one, are meant; if not, -HM_EINVAL. */
static inline int hm_direct_map_check_(const struct hm_direct_map *map, hm_va_t va, uint64_t bytes)
{
	if (((va.val | bytes) & (hm_direct_map_bytes_(0) - 1)) || !bytes ||
	    va.val < map->start.val || bytes > map->bytes ||
	    va.val - map->start.val > map->bytes - bytes)
		return -HM_EINVAL;
	return 0;
}

static HM_NOINLINE_ int hm_direct_map_do_(const struct hm_direct_map_change_ *change)
{
	struct hm_direct_map_reserve own = { { 0 }, 0 };
	struct hm_direct_map_reserve *reserve = change->reserve ? change->reserve : &own;
	const hm_va_t broken = { change->broken };
	const uint64_t bytes = change->broken_end - change->broken;
	hm_lazy_mmu_token_t tok;
	int error;

	error = hm_direct_map_prepare(reserve, change->tables);
	if (!error && change->broken_end)
		error = hm_port_direct_map_break(broken, bytes);
	if (error) {
		hm_direct_map_release(&own);
		return error;
	}
	/* One window and one publication for all; an invalidation publishes what it has to follow. */
	tok = hm_lazy_mmu_enter();
	if (change->resizes)
		hm_direct_map_change_sizes_(change, reserve);
	if (hm_direct_map_change_entries_(change))
		hm_direct_map_invalidate_(change->map, change->start, change->end,
					  HM_INVALIDATE_LEAVES);
	hm_lazy_mmu_leave(tok);
	if (change->broken_end)
		hm_port_direct_map_mend(broken, bytes);
	return 0;
}

static inline struct hm_direct_map_change_ hm_direct_map_intend_(
	struct hm_direct_map *map, struct hm_direct_map_reserve *reserve,
	enum hm_direct_map_what_ what, unsigned int value, hm_va_t va, uint64_t bytes)
{
	const struct hm_direct_map_change_ change = {
		map, reserve, what,  value, va.val, va.val + bytes, hm_port_bbm_level() >= 3,
		0,   0,       false, 0,     0
	};

	return change;
}

static HM_NOINLINE_ int hm_direct_map_change_(struct hm_direct_map *map,
					      struct hm_direct_map_reserve *reserve,
					      enum hm_direct_map_what_ what, unsigned int value,
					      hm_va_t va, uint64_t bytes)
{
	struct hm_direct_map_change_ change = hm_direct_map_intend_(map, reserve, what, value, va,
								    bytes);
	int error = hm_direct_map_check_(map, va, bytes);

	if (!error)
		error = hm_direct_map_plan_(&change);
	return error ? error : hm_direct_map_do_(&change);
}

/*
 * Sets a map up over tables that exist: [start, start + bytes) of the kernel's addresses, holes allowed. No
 * entry but links reaches beyond the range. pages_only: all its entries are single pages, and sizes never
 * change. Before any other function. -HM_EINVAL: not pages, empty, no tables there, or it has the last page
 * of the address space.
 */
static inline HM_MUST_USE_ int hm_direct_map_init(struct hm_direct_map *map, hm_va_t start,
						  uint64_t bytes, bool pages_only)
{
	struct hm_direct_map_counts *counts = &map->counts;

	if (((start.val | bytes) & (hm_direct_map_bytes_(0) - 1)) || !bytes ||
	    start.val + bytes <= start.val || !hm_port_pgtable_root(start))
		return -HM_EINVAL;
	map->start = start;
	map->bytes = bytes;
	map->pages_only = pages_only;
	counts->splits = counts->unfolds = counts->collapses = counts->folds = 0;
	counts->invalidations = counts->entries = 0;
	counts->tables_linked = counts->tables_freed = 0;
	return 0;
}

/*
 * All memory of the range has that key. A valid entry that changes is invalidated before this returns. Tables
 * come from the reserve, and what it lacks from the port; reserve may be NULL. -HM_EBUSY: the range has the
 * page of the running stack, of the context or of the map; or a table on the way to it, and the key is
 * neither 0 nor HM_KEY_PGTABLES. At most HM_DIRECT_MAP_TABLES tables.
 */
static inline HM_MUST_USE_ int hm_direct_map_set_pkey(struct hm_direct_map *map,
						      struct hm_direct_map_reserve *reserve,
						      hm_va_t va, uint64_t bytes, unsigned int key)
{
	return hm_direct_map_change_(map, reserve, HM_DIRECT_MAP_KEY_, key, va, bytes);
}

/*
 * The kernel may do just that with all memory of the range. As hm_direct_map_set_pkey(); what turns valid is
 * published. -HM_EBUSY: the same, and the running code, would lose what they need.
 */
static inline HM_MUST_USE_ int hm_direct_map_set_permission(struct hm_direct_map *map,
							    struct hm_direct_map_reserve *reserve,
							    hm_va_t va, uint64_t bytes,
							    enum hm_permission permission)
{
	return hm_direct_map_change_(map, reserve, HM_DIRECT_MAP_PERMISSION_,
				     (unsigned int)permission, va, bytes);
}

/* No entry and no contiguous group reaches over an end of the range: what lies on either side can be
 * changed without tables. Translations are the same. */
static inline HM_MUST_USE_ int hm_direct_map_split(struct hm_direct_map *map,
						   struct hm_direct_map_reserve *reserve,
						   hm_va_t va, uint64_t bytes)
{
	return hm_direct_map_change_(map, reserve, HM_DIRECT_MAP_SPLIT_, 0, va, bytes);
}

/*
 * true: the range becomes single pages, which no collapse joins, so that a change of them never takes a
 * table: for memory that is changed where none can be had, in interrupt for one. false: it may be joined
 * again, and is by the next collapse. Takes more than HM_DIRECT_MAP_TABLES: as many as hm_direct_map_tables()
 * says.
 */
static inline HM_MUST_USE_ int hm_direct_map_keep_small(struct hm_direct_map *map,
							struct hm_direct_map_reserve *reserve,
							hm_va_t va, uint64_t bytes, bool small)
{
	return hm_direct_map_change_(
		map, reserve, small ? HM_DIRECT_MAP_SMALL_ : HM_DIRECT_MAP_LARGE_, 0, va, bytes);
}

/*
 * How many tables a change of that range takes, as the map is now: set_pkey, set_permission, split or remove;
 * or, if `small`, keep_small. A dry run: negative if the change has no chance.
 */
static inline HM_MUST_USE_ int hm_direct_map_tables(struct hm_direct_map *map, hm_va_t va,
						    uint64_t bytes, bool small)
{
	struct hm_direct_map_change_ change = hm_direct_map_intend_(
		map, HM_NULL_, small ? HM_DIRECT_MAP_SMALL_ : HM_DIRECT_MAP_SPLIT_, 0, va, bytes);
	int error = hm_direct_map_check_(map, va, bytes);

	change.live = true; /* nobody breaks anything now */
	if (!error)
		error = hm_direct_map_plan_(&change);
	return error ? error : (int)change.tables;
}

/*
 * The whole map becomes single pages and stays so, keeping keys and permissions: for a system that turns out
 * to have a CPU of a lower BBM level than the one in use. On one CPU that has level 3, whatever
 * hm_port_bbm_level() says by now; all others are stopped off the map, and the new one has not used it.
 * Afterwards each of them executes an invalidation of all and a context synchronisation event. -HM_ENOMEM:
 * nothing has changed, and the CPU has to be refused.
 */
static inline HM_MUST_USE_ int hm_direct_map_repaint(struct hm_direct_map *map,
						     struct hm_direct_map_reserve *reserve)
{
	struct hm_direct_map_change_ change = hm_direct_map_intend_(
		map, reserve, HM_DIRECT_MAP_PAGES_, 0, map->start, map->bytes);
	int error;

	change.live = true; /* on this CPU, and there is no other */
	error = hm_direct_map_plan_(&change);

	if (!error)
		error = hm_direct_map_do_(&change);
	if (error)
		return error;
	map->pages_only = true;
	/* The large entries may be cached still, and the CPU that comes may not meet both sizes. */
	hm_direct_map_invalidate_(map, change.start, change.end, HM_INVALIDATE_TABLES);
	return 0;
}

/* What translates the address. -HM_ENOENT: nothing; -HM_EINVAL: not of the map, or none of its entries. */
static inline HM_MUST_USE_ int hm_direct_map_query(const struct hm_direct_map *map, hm_va_t va,
						   struct hm_direct_map_info *info)
{
	const uint64_t page = hm_direct_map_bytes_(0);
	const hm_va_t aligned = { va.val & ~(page - 1) };
	struct hm_direct_map_slot_ slot;
	struct hm_leaf leaf;
	int error = hm_direct_map_check_(map, aligned, page);

	if (error)
		return error;
	slot = hm_direct_map_find_(va.val);
	if (!slot.pte.val)
		return -HM_ENOENT;
	if (!hm_port_leaf_decode(slot.pte, slot.level, &leaf))
		return -HM_EINVAL;
	info->pa.val = leaf.pa.val + (va.val - slot.start);
	info->bytes = leaf.contiguous ? hm_direct_map_group_bytes_(slot.level)
				      : hm_direct_map_bytes_(slot.level);
	info->level = slot.level;
	info->key = leaf.key;
	info->permission = leaf.permission;
	info->contiguous = leaf.contiguous;
	info->keep_small = leaf.keep_small;
	return 0;
}

/* ---- tables that are not needed any more ---- */

/* Unlinked tables, each with those below it, which CPUs may still walk. */
struct hm_direct_map_unlinked_ {
	uint64_t start, end; /* what they translate is in there */
	unsigned int level; /* of the entries that linked them */
	unsigned int n;
	hm_pte_t links[16]; /* so many are worth one invalidation: the array is on the stack */
};

/* The table of that link and all below it, from the lowest up. */
static inline void hm_direct_map_free_(struct hm_direct_map *map, hm_pte_t link, unsigned int level)
{
	hm_pa_t tables[HM_PORT_PGTABLE_LEVELS];
	unsigned int next[HM_PORT_PGTABLE_LEVELS], at = level - 1;

	tables[at] = hm_port_pte_table(link);
	next[at] = 0;
	while (at < level) {
		if (at && next[at] < HM_PORT_PGTABLE_ENTRIES) {
			hm_pte_t pte =
				hm_port_pte_load(hm_port_pgtable_map(tables[at]) + next[at]++);

			if (hm_port_pte_is_valid(pte) && hm_port_pte_is_table(pte, at)) {
				at--;
				tables[at] = hm_port_pte_table(pte);
				next[at] = 0;
			}
		} else {
			map->counts.tables_freed++;
			hm_port_pgtable_free(tables[at]);
			at++;
		}
	}
}

/* No CPU walks them from here on: walk caches forget their links, TLBs what was read from them. */
static HM_NOINLINE_ void hm_direct_map_free_unlinked_(struct hm_direct_map *map,
						      struct hm_direct_map_unlinked_ *unlinked)
{
	hm_lazy_mmu_pause_t pause;

	if (!unlinked->n)
		return;
	hm_direct_map_invalidate_(map, unlinked->start, unlinked->end, HM_INVALIDATE_TABLES);
	pause = hm_lazy_mmu_pause(); /* the port need not write tables to free them */
	while (unlinked->n)
		hm_direct_map_free_(map, unlinked->links[--unlinked->n], unlinked->level);
	hm_lazy_mmu_resume(pause);
}

/* The link was replaced. */
static inline void hm_direct_map_unlink_(struct hm_direct_map *map,
					 struct hm_direct_map_unlinked_ *unlinked,
					 const struct hm_direct_map_slot_ *slot)
{
	if (unlinked->n == sizeof(unlinked->links) / sizeof(*unlinked->links))
		hm_direct_map_free_unlinked_(map, unlinked);
	if (!unlinked->n)
		unlinked->start = slot->start;
	unlinked->end = slot->end;
	unlinked->level = slot->level;
	unlinked->links[unlinked->n++] = slot->pte;
}

/* ---- collapse ---- */

/*
 * Whether [start, end) is one piece of memory, aligned to its size, whose entries are of that level at the
 * lowest and say the same but for the contiguous bit; and what they say.
 */
static HM_NOINLINE_ bool hm_direct_map_is_uniform_(uint64_t start, uint64_t end,
						   unsigned int lowest, struct hm_leaf *same)
{
	struct hm_direct_map_slot_ slot;
	uint64_t va, step;
	struct hm_leaf leaf;

	for (va = start; va < end; va = slot.start + (hm_direct_map_run_(&slot, step, end) *
						      hm_direct_map_bytes_(slot.level))) {
		slot = hm_direct_map_find_(va);
		if (!slot.pte.val || slot.level < lowest ||
		    !hm_port_leaf_decode(slot.pte, slot.level, &leaf) || leaf.keep_small)
			return false;
		if (va == start)
			*same = leaf;
		if ((same->pa.val & (end - start - 1)) ||
		    leaf.pa.val - same->pa.val != va - start || leaf.key != same->key ||
		    leaf.permission != same->permission || leaf.other != same->other)
			return false;
		step = hm_direct_map_step_(slot.pte, leaf, slot.level);
	}
	return true;
}

/* A collapse in the making. */
struct hm_direct_map_collapse_ {
	struct hm_direct_map *map;
	bool live;
	uint64_t start, last; /* addresses: entries and groups that reach beyond stay as they are */
	struct hm_direct_map_unlinked_ unlinked;
};

/* Whether the entries of [start, end), of which slot is the first, may be replaced. */
static inline bool hm_direct_map_may_join_(const struct hm_direct_map_collapse_ *collapse,
					   const struct hm_direct_map_slot_ *slot, uint64_t end)
{
	return slot->start >= collapse->start && end - 1 <= collapse->last &&
	       (collapse->live || (!hm_direct_map_runs_on_(collapse->map, slot->start, end, true) &&
				   !hm_direct_map_tables_in_(slot->start, slot->start, end)));
}

/* The tables below that entry, if it is one link too many, become a block. */
static inline void hm_direct_map_join_table_(struct hm_direct_map_collapse_ *collapse,
					     const struct hm_direct_map_slot_ *slot)
{
	struct hm_leaf leaf = { { 0 }, 0, 0, HM_PERMISSION_RW, false, false };
	hm_pte_t block;

	if (!hm_direct_map_is_link_(slot) || !hm_direct_map_may_join_(collapse, slot, slot->end) ||
	    !hm_direct_map_is_uniform_(slot->start, slot->end, 0, &leaf))
		return;
	leaf.contiguous = false;
	block = hm_port_leaf_encode(&leaf, slot->level);
	hm_direct_map_break_(collapse->map, collapse->live, slot, 1);
	hm_pte_set_kernel(slot->ptep, block);
	hm_direct_map_made_(collapse->live);
	collapse->map->counts.entries++;
	collapse->map->counts.collapses++;
	hm_direct_map_unlink_(collapse->map, &collapse->unlinked, slot);
}

/* The entries from that one on, if they could be a contiguous group, become it. */
static inline void hm_direct_map_join_group_(struct hm_direct_map_collapse_ *collapse,
					     const struct hm_direct_map_slot_ *slot)
{
	const uint64_t end = hm_direct_map_group_end_(slot);
	struct hm_direct_map_entries_ entries;

	entries.slot = *slot;
	if (!hm_port_pte_is_valid(slot->pte) || hm_direct_map_is_link_(slot) ||
	    !hm_port_leaf_decode(slot->pte, slot->level, &entries.leaf) ||
	    entries.leaf.contiguous || !hm_direct_map_may_join_(collapse, slot, end) ||
	    !hm_direct_map_is_uniform_(slot->start, end, slot->level, &entries.leaf))
		return;
	hm_direct_map_set_group_(collapse->map, collapse->live, &entries, true);
}

/*
 * Joins what is alike in and around the range: after any history the map has the fewest entries there that
 * its keys, permissions and marks allow, of tables, blocks and contiguous groups. Translations are the same.
 * For everything: the map's own start and size. Nothing in a map of pages only.
 *
 * Walkers that do not hold the map's lock may go on: see hm_port_pgtable_free(). Below BBM level 3 -HM_EBUSY
 * if the port refuses to break the range with the largest blocks around it; groups that reach beyond those
 * stay single, and what the running code stands on is left as it is.
 */
static inline HM_MUST_USE_ int hm_direct_map_collapse(struct hm_direct_map *map, hm_va_t va,
						      uint64_t bytes)
{
	const uint64_t largest = hm_direct_map_bytes_(HM_PORT_PGTABLE_BLOCK_LEVEL);
	const uint64_t end = va.val + bytes;
	struct hm_direct_map_collapse_ collapse;
	struct hm_direct_map_slot_ slot;
	hm_lazy_mmu_token_t tok;
	unsigned int level;
	hm_va_t broken;
	uint64_t at;
	int error = hm_direct_map_check_(map, va, bytes);

	if (error || map->pages_only)
		return error;
	collapse.map = map;
	collapse.live = hm_port_bbm_level() >= 3;
	collapse.start = map->start.val;
	collapse.last = map->start.val + (map->bytes - 1);
	collapse.unlinked.n = 0;
	if (!collapse.live) {
		if (hm_direct_map_down_(va.val, largest) > collapse.start)
			collapse.start = hm_direct_map_down_(va.val, largest);
		if (((end - 1) | (largest - 1)) < collapse.last)
			collapse.last = (end - 1) | (largest - 1);
		broken.val = collapse.start;
		error = hm_port_direct_map_break(broken, collapse.last - collapse.start + 1);
	}
	if (error)
		return error;
	tok = hm_lazy_mmu_enter();
	for (level = HM_PORT_PGTABLE_BLOCK_LEVEL; level; level--) {
		for (at = va.val; at < end; at = slot.end) {
			slot = hm_direct_map_at_(at, level);
			if (slot.level == level)
				hm_direct_map_join_table_(&collapse, &slot);
		}
		hm_direct_map_free_unlinked_(map, &collapse.unlinked);
	}
	for (level = 0; level <= HM_PORT_PGTABLE_BLOCK_LEVEL; level++) {
		const uint64_t group = hm_direct_map_group_bytes_(level);

		for (at = hm_direct_map_down_(va.val, group);
		     at<end; at = slot.level> level ? slot.end : hm_direct_map_after_(at, group)) {
			slot = hm_direct_map_at_(at, level);
			if (slot.level == level && hm_port_leaf_group(level) > 1)
				hm_direct_map_join_group_(&collapse, &slot);
		}
	}
	hm_lazy_mmu_leave(tok);
	if (!collapse.live) {
		broken.val = collapse.start;
		hm_port_direct_map_mend(broken, collapse.last - collapse.start + 1);
	}
	return 0;
}

/* ---- memory that comes and goes ---- */

/* The largest level at which an entry may map that memory there. */
static inline unsigned int hm_direct_map_fitting_(const struct hm_direct_map *map,
						  const struct hm_direct_map_slot_ *hole,
						  uint64_t va, uint64_t end,
						  const struct hm_leaf *leaf)
{
	const uint64_t pa = leaf->pa.val;
	unsigned int level = hole->level;

	if (level > HM_PORT_PGTABLE_BLOCK_LEVEL)
		level = HM_PORT_PGTABLE_BLOCK_LEVEL;
	if (map->pages_only || leaf->keep_small)
		level = 0;
	while (level && (((va | pa) & (hm_direct_map_bytes_(level) - 1)) ||
			 end - va < hm_direct_map_bytes_(level)))
		level--;
	return level;
}

/* How many tables it takes to map [va, end) as the leaf says of its first page; negative if something is
 * mapped there. */
static inline int hm_direct_map_plan_add_(const struct hm_direct_map *map, uint64_t va,
					  uint64_t end, struct hm_leaf leaf)
{
	uint64_t counted[HM_PORT_PGTABLE_LEVELS]; /* by level: the end of the last new table */
	unsigned int level;
	int tables = 0;

	for (level = 0; level < HM_PORT_PGTABLE_LEVELS; level++)
		counted[level] = 0;
	while (va < end) {
		const struct hm_direct_map_slot_ slot = hm_direct_map_find_(va);
		const unsigned int fitting = hm_direct_map_fitting_(map, &slot, va, end, &leaf);

		if (slot.pte.val)
			return -HM_EEXIST;
		for (level = fitting; level < slot.level; level++) {
			uint64_t span = hm_direct_map_bytes_(level + 1);

			if (va < counted[level])
				continue;
			counted[level] = hm_direct_map_after_(hm_direct_map_down_(va, span), span);
			tables++;
		}
		va += hm_direct_map_bytes_(fitting);
		leaf.pa.val += hm_direct_map_bytes_(fitting);
	}
	return tables;
}

/* Empty tables on the way to an entry of that level. */
static inline struct hm_direct_map_slot_ hm_direct_map_deepen_(
	struct hm_direct_map *map, struct hm_direct_map_reserve *reserve, uint64_t va,
	unsigned int level)
{
	struct hm_direct_map_slot_ slot = hm_direct_map_at_(va, level);
	const hm_pte_t none = { 0 };

	while (slot.level > level) {
		const hm_pa_t table = hm_direct_map_take_(map, reserve);

		hm_pte_fill(hm_port_pgtable_map(table), HM_PORT_PGTABLE_ENTRIES, none, 0);
		hm_pte_link(slot.ptep, hm_port_pte_link(table));
		map->counts.entries += HM_PORT_PGTABLE_ENTRIES + 1;
		slot = hm_direct_map_at_(va, level);
	}
	return slot;
}

/* Maps [va, end), of which nothing is mapped, as the leaf says of its first page. */
static inline void hm_direct_map_fill_(struct hm_direct_map *map,
				       struct hm_direct_map_reserve *reserve, uint64_t va,
				       uint64_t end, struct hm_leaf leaf)
{
	while (va < end) {
		struct hm_direct_map_slot_ slot = hm_direct_map_find_(va);
		const unsigned int level = hm_direct_map_fitting_(map, &slot, va, end, &leaf);
		const uint64_t group = hm_direct_map_group_bytes_(level);
		unsigned int n = 1;

		leaf.contiguous = hm_port_leaf_group(level) > 1 && !map->pages_only &&
				  !leaf.keep_small && leaf.permission != HM_PERMISSION_INVALID &&
				  !((va | leaf.pa.val) & (group - 1)) && end - va >= group;
		if (leaf.contiguous)
			n = hm_port_leaf_group(level);
		slot = hm_direct_map_deepen_(map, reserve, va, level);
		hm_pte_set_range(
			slot.ptep, n, hm_port_leaf_encode(&leaf, level),
			hm_direct_map_step_(hm_port_leaf_encode(&leaf, level), leaf, level));
		map->counts.entries += n;
		va += n * hm_direct_map_bytes_(level);
		leaf.pa.val += n * hm_direct_map_bytes_(level);
	}
}

/*
 * Memory appears: the range, all of it a hole of the map, is mapped by the largest entries. first is the page
 * entry of its first page, and says everything of the others too: hm_arm64_leaf(pa, 0, HM_ARM64_KERNEL_RW).
 * Published when it returns, on this CPU. Tables as hm_direct_map_set_pkey(), but as many as it takes.
 * -HM_EINVAL, -HM_EEXIST, -HM_ENOMEM.
 */
static inline HM_MUST_USE_ int hm_direct_map_add(struct hm_direct_map *map,
						 struct hm_direct_map_reserve *reserve, hm_va_t va,
						 uint64_t bytes, hm_pte_t first)
{
	struct hm_direct_map_reserve own = { { 0 }, 0 };
	hm_lazy_mmu_token_t tok;
	struct hm_leaf leaf, last;
	int tables = hm_direct_map_check_(map, va, bytes);

	if (tables || !first.val || !hm_port_leaf_decode(first, 0, &leaf))
		return -HM_EINVAL;
	last = leaf;
	last.pa.val += bytes - hm_direct_map_bytes_(0);
	if (!hm_port_leaf_encode(&last, 0)
		     .val) /* the architecture's addresses end before the memory */
		return -HM_EINVAL;
	tables = hm_direct_map_plan_add_(map, va.val, va.val + bytes, leaf);
	if (tables < 0)
		return tables;
	if (!reserve)
		reserve = &own;
	if (hm_direct_map_prepare(reserve, (unsigned int)tables))
		return -HM_ENOMEM;
	tok = hm_lazy_mmu_enter();
	hm_direct_map_fill_(map, reserve, va.val, va.val + bytes, leaf);
	hm_lazy_mmu_leave(tok);
	return 0;
}

static inline bool hm_direct_map_is_empty_(hm_pa_t table)
{
	const hm_pte_t *ptep = hm_port_pgtable_map(table);
	unsigned int i;

	for (i = 0; i < HM_PORT_PGTABLE_ENTRIES; i++)
		if (hm_port_pte_load(ptep + i).val)
			return false;
	return true;
}

/*
 * Memory disappears: nothing of the range is mapped any more, nor cached, and tables that have become empty
 * are free, but for those that the top-level table links: other address spaces may have copies of their
 * links. All of it must have been mapped. As hm_direct_map_set_pkey(); -HM_EBUSY if the running code, its
 * stack or tables in use are in the range.
 */
static inline HM_MUST_USE_ int hm_direct_map_remove(struct hm_direct_map *map,
						    struct hm_direct_map_reserve *reserve,
						    hm_va_t va, uint64_t bytes)
{
	struct hm_direct_map_unlinked_ unlinked;
	struct hm_direct_map_slot_ slot;
	hm_lazy_mmu_token_t tok;
	unsigned int level;
	uint64_t at;
	int error = hm_direct_map_change_(map, reserve, HM_DIRECT_MAP_REMOVE_, 0, va, bytes);

	if (error)
		return error;
	unlinked.n = 0;
	tok = hm_lazy_mmu_enter();
	for (level = 1; level < HM_DIRECT_MAP_TOP_; level++) {
		for (at = va.val; at < va.val + bytes; at = slot.end) {
			slot = hm_direct_map_at_(at, level);
			if (slot.level != level || !hm_direct_map_is_link_(&slot) ||
			    !hm_direct_map_contains_(map, slot.start, slot.end) ||
			    !hm_direct_map_is_empty_(hm_port_pte_table(slot.pte)))
				continue;
			hm_pte_clear(slot.ptep);
			map->counts.entries++;
			hm_direct_map_unlink_(map, &unlinked, &slot);
		}
		hm_direct_map_free_unlinked_(map, &unlinked);
	}
	hm_lazy_mmu_leave(tok);
	return 0;
}

/* ---- what it looks like ---- */

/* What a map consists of, by level from the leaves. */
struct hm_direct_map_statistics {
	uint64_t leaves[HM_PORT_PGTABLE_LEVELS]; /* entries, those of groups included */
	uint64_t groups[HM_PORT_PGTABLE_LEVELS]; /* contiguous ones */
	uint64_t tables[HM_PORT_PGTABLE_LEVELS]; /* but for the top-level table */
};

static inline int hm_direct_map_count_leaf_(const struct hm_pgtable_entry *entry, void *argument)
{
	struct hm_direct_map_statistics *statistics = (struct hm_direct_map_statistics *)argument;
	const hm_va_t va = entry->va;
	struct hm_leaf leaf;

	statistics->leaves[entry->level]++;
	if (hm_port_leaf_decode(entry->pte, entry->level, &leaf) && leaf.contiguous &&
	    !(va.val & (hm_direct_map_group_bytes_(entry->level) - 1)))
		statistics->groups[entry->level]++;
	return 0;
}

static inline int hm_direct_map_count_table_(const struct hm_pgtable_entry *entry, void *argument)
{
	struct hm_direct_map_statistics *statistics = (struct hm_direct_map_statistics *)argument;

	statistics->tables[entry->level - 1]++;
	return 0;
}

/* Counts. Reads only; with the lock, or as hm_pgtable_walk() allows without. */
static inline struct hm_direct_map_statistics hm_direct_map_statistics(
	const struct hm_direct_map *map)
{
	const struct hm_pgtable_visitor visitor = { hm_direct_map_count_leaf_,
						    hm_direct_map_count_table_ };
	struct hm_direct_map_statistics statistics;
	unsigned int level;

	for (level = 0; level < HM_PORT_PGTABLE_LEVELS;
	     level++) /* compilers call memset() for = { 0 } */
		statistics.leaves[level] = statistics.groups[level] = statistics.tables[level] = 0;
	(void)hm_pgtable_walk(map->start, map->bytes, &visitor, &statistics);
	return statistics;
}

#define HM_DIRECT_MAP_LINE_ 64

static inline int hm_direct_map_is_single_(const struct hm_pgtable_entry *entry, void *argument)
{
	struct hm_leaf leaf;

	(void)argument;
	return !hm_port_leaf_decode(entry->pte, entry->level, &leaf) || !leaf.contiguous;
}

/* The character of what translates the bytes of a block of level 1 there. */
static inline char hm_direct_map_draw_(uint64_t va)
{
	const struct hm_pgtable_visitor visitor = { hm_direct_map_is_single_, HM_NULL_ };
	const struct hm_direct_map_slot_ slot = hm_direct_map_at_(va, 1);
	const hm_va_t start = { slot.start };
	struct hm_leaf leaf;

	if (hm_direct_map_is_link_(&slot) && !hm_direct_map_is_empty_(hm_port_pte_table(slot.pte)))
		return hm_pgtable_walk(start, slot.end - slot.start, &visitor, HM_NULL_) ? '%'
											 : 'o';
	if (!slot.pte.val || hm_direct_map_is_link_(&slot))
		return '.';
	if (slot.level > 1)
		return '#';
	return hm_port_leaf_decode(slot.pte, 1, &leaf) && leaf.contiguous ? '=' : '-';
}

/* Whether the line is the first, or not as it was. All but the last are full. */
static inline bool hm_direct_map_draw_line_(uint64_t va, uint64_t end, bool first, char *line)
{
	static const char digits[] = "0123456789abcdef";
	bool changed = first;
	unsigned int i;

	for (i = 0; i < 16; i++)
		line[i] = digits[va >> (60 - 4 * i) & 15];
	line[16] = line[17] = ' ';
	for (i = 18; i < 18 + HM_DIRECT_MAP_LINE_ && va < end; i++) {
		char drawn = hm_direct_map_draw_(va);

		changed = changed || line[i] != drawn;
		line[i] = drawn;
		va = hm_direct_map_after_(va, hm_direct_map_bytes_(1));
	}
	changed = changed || line[i];
	line[i] = 0;
	return changed;
}

/*
 * Draws the map, a line of 64 characters at a time without its newline: one a block of level 1 (2M, 32M or
 * 512M on arm64), first the address. A line like the one before is left out; "..." stands for any number of
 * them.
 *
 * 	#  in a block of a higher level        o  a table, all of it contiguous groups
 * 	=  a block, in a contiguous group      %  a table with single pages
 * 	-  a block by itself                   .  nothing is mapped
 *
 * Context of put. With the lock, or as hm_pgtable_walk() allows without.
 */
static inline void hm_direct_map_print(const struct hm_direct_map *map,
				       void (*put)(const char *line, void *argument),
				       void *argument)
{
	const uint64_t end = map->start.val + map->bytes;
	const uint64_t start = hm_direct_map_down_(map->start.val, hm_direct_map_bytes_(1));
	char line[18 + HM_DIRECT_MAP_LINE_ + 1];
	bool left_out = false;
	uint64_t va;

	for (va = start;; va += HM_DIRECT_MAP_LINE_ * hm_direct_map_bytes_(1)) {
		if (hm_direct_map_draw_line_(va, end, va == start, line)) {
			put(line, argument);
			left_out = false;
		} else if (!left_out) {
			put("...", argument);
			left_out = true;
		}
		if (end - va <= HM_DIRECT_MAP_LINE_ * hm_direct_map_bytes_(1))
			break;
	}
}
#endif /* HM_DIRECT_MAP_H */
