/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * ranges.h -- what a cache of code knows of its memory: ranges of addresses. A part of rox_cache.h, which
 * includes it; all of it is private.
 *
 *          Every address of a block is in one range: of code, of traps (a gap), or in between. They are in a
 *          tree by address; gaps also in one of their arena by size, then address, in which the best fit is
 *          found. Both are treaps: search trees that chance keeps flat, as a node's priority, drawn when it
 *          comes, is never less than those below it. Gaps that meet are one.
 *
 *          A gap that contains whole blocks is in a list of its arena too: what the shrinker takes from. To
 *          take a block out of the middle of a gap needs two ranges more, where no memory may be asked for:
 *          so a block brings two, to spare.
 *
 *          Who changes or reads any of this has the cache's lock; but a range that is being written or filled
 *          with traps is its writer's, as its state says. */
#ifndef HM_ROX_CACHE_RANGES_H
#define HM_ROX_CACHE_RANGES_H

#define HM_ROX_BY_ADDRESS_ 0u
#define HM_ROX_BY_SIZE_ 1u

static inline uint64_t hm_rox_end_(const struct hm_rox_cache_range *range)
{
	return range->start + range->bytes;
}

/* ---- trees ---- */

static inline bool hm_rox_is_before_(const struct hm_rox_cache_range *range,
				     const struct hm_rox_cache_range *other, unsigned int tree)
{
	if (tree == HM_ROX_BY_SIZE_ && range->bytes != other->bytes)
		return range->bytes < other->bytes;
	return range->start < other->start;
}

static inline void hm_rox_insert_(struct hm_rox_cache_range **root,
				  struct hm_rox_cache_range *range, unsigned int tree)
{
	struct hm_rox_cache_range **left = &range->below[tree][0];
	struct hm_rox_cache_range **right = &range->below[tree][1], *rest;

	while (*root && (*root)->priority >= range->priority)
		root = &(*root)->below[tree][!hm_rox_is_before_(range, *root, tree)];
	/* What was here is below it from now on: before it to the left, the others to the right. */
	rest = *root;
	*root = range;
	while (rest) {
		if (hm_rox_is_before_(rest, range, tree)) {
			*left = rest;
			left = &rest->below[tree][1];
			rest = *left;
		} else {
			*right = rest;
			right = &rest->below[tree][0];
			rest = *right;
		}
	}
	*left = *right = HM_NULL_;
}

/* It is there. */
static inline void hm_rox_remove_(struct hm_rox_cache_range **root,
				  const struct hm_rox_cache_range *range, unsigned int tree)
{
	struct hm_rox_cache_range *left = range->below[tree][0], *right = range->below[tree][1];

	while (*root != range)
		root = &(*root)->below[tree][!hm_rox_is_before_(range, *root, tree)];
	while (left && right) {
		if (left->priority >= right->priority) {
			*root = left;
			root = &left->below[tree][1];
			left = *root;
		} else {
			*root = right;
			root = &right->below[tree][0];
			right = *root;
		}
	}
	*root = left ? left : right;
}

/* The range that contains the address; NULL: it is not the cache's. */
static inline struct hm_rox_cache_range *hm_rox_find_(struct hm_rox_cache *cache, uint64_t address)
{
	struct hm_rox_cache_range *range = cache->ranges, *found = HM_NULL_;

	while (range) {
		cache->counts.steps++;
		if (range->start <= address)
			found = range;
		range = range->below[HM_ROX_BY_ADDRESS_][range->start <= address];
	}
	return found && address - found->start < found->bytes ? found : HM_NULL_;
}

/* The first range that ends beyond the address; NULL: none does. */
static inline struct hm_rox_cache_range *hm_rox_find_next_(struct hm_rox_cache *cache,
							   uint64_t address)
{
	struct hm_rox_cache_range *range = cache->ranges, *found = HM_NULL_;

	while (range) {
		const bool before = hm_rox_end_(range) <= address;

		cache->counts.steps++;
		if (!before)
			found = range;
		range = range->below[HM_ROX_BY_ADDRESS_][before];
	}
	return found;
}

/* The arena's first gap by size, then address, that is not before one of those; NULL: there is none. */
static inline struct hm_rox_cache_range *hm_rox_find_gap_(struct hm_rox_cache *cache,
							  const struct hm_rox_cache_arena *arena,
							  uint64_t bytes, uint64_t start)
{
	struct hm_rox_cache_range *gap = arena->free, *found = HM_NULL_;

	while (gap) {
		const bool before = gap->bytes < bytes ||
				    (gap->bytes == bytes && gap->start < start);

		cache->counts.steps++;
		if (!before)
			found = gap;
		gap = gap->below[HM_ROX_BY_SIZE_][before];
	}
	return found;
}

/* ---- lists ---- */

static inline void hm_rox_push_(struct hm_rox_cache_range **list, struct hm_rox_cache_range *range)
{
	range->next = *list;
	range->link = list;
	if (range->next)
		range->next->link = &range->next;
	*list = range;
}

static inline void hm_rox_unlink_(struct hm_rox_cache_range *range)
{
	*range->link = range->next;
	if (range->next)
		range->next->link = range->link;
}

static inline struct hm_rox_cache_range *hm_rox_pop_(struct hm_rox_cache_range **list)
{
	struct hm_rox_cache_range *range = *list;

	if (range) {
		*list = range->next;
		if (range->next)
			range->next->link = list;
	}
	return range;
}

/* ---- ranges come and go ---- */

/* It belongs to the cache, in that state. */
static inline void hm_rox_add_range_(struct hm_rox_cache *cache, struct hm_rox_cache_range *range,
				     struct hm_rox_cache_arena *arena, uint64_t start,
				     uint64_t bytes, enum hm_rox_cache_state state)
{
	/* Knuth's MMIX generator, The Art of Computer Programming 3.3.4; its upper bits. */
	cache->random = cache->random * UINT64_C(6364136223846793005) +
			UINT64_C(1442695040888963407);
	range->priority = (uint32_t)(cache->random >> 32);
	range->start = start;
	range->bytes = bytes;
	range->arena = arena;
	range->state = state;
	range->generation = 0;
	range->first = range->end = range->asked = 0;
	hm_rox_insert_(&cache->ranges, range, HM_ROX_BY_ADDRESS_);
}

/* It is nobody's, in a list of such. */
static inline void hm_rox_drop_range_(struct hm_rox_cache *cache, struct hm_rox_cache_range *range,
				      struct hm_rox_cache_range **dropped)
{
	hm_rox_remove_(&cache->ranges, range, HM_ROX_BY_ADDRESS_);
	hm_rox_push_(dropped, range);
}

/* As many as blocks need to spare stay; what else was dropped is to be freed, without the lock. */
static inline void hm_rox_settle_(struct hm_rox_cache *cache, struct hm_rox_cache_range **dropped)
{
	while (cache->spares < 2 * cache->blocks && *dropped) {
		hm_rox_push_(&cache->spare, hm_rox_pop_(dropped));
		cache->spares++;
	}
	while (cache->spares > 2 * cache->blocks) {
		hm_rox_push_(dropped, hm_rox_pop_(&cache->spare));
		cache->spares--;
	}
}

static inline void hm_rox_free_ranges_(struct hm_rox_cache *cache,
				       struct hm_rox_cache_range **dropped)
{
	struct hm_rox_cache_range *range;

	while ((range = hm_rox_pop_(dropped)))
		hm_port_rox_cache_range_free(cache, range);
}

/* That many more, in a list; false: as it was. Without the lock. */
static inline bool hm_rox_alloc_ranges_(struct hm_rox_cache *cache, unsigned int n,
					struct hm_rox_cache_range **list)
{
	while (n--) {
		struct hm_rox_cache_range *range = hm_port_rox_cache_range_alloc(cache);

		if (!range) {
			hm_rox_free_ranges_(cache, list);
			return false;
		}
		hm_rox_push_(list, range);
	}
	return true;
}

/* ---- gaps ---- */

/* The first whole block of a gap, and how many there are. */
static inline uint64_t hm_rox_whole_(const struct hm_rox_cache_range *gap, uint64_t *first)
{
	const uint64_t end = hm_rox_end_(gap) & ~(HM_ROX_BLOCK_ - 1);

	*first = (gap->start + HM_ROX_BLOCK_ - 1) & ~(HM_ROX_BLOCK_ - 1);
	return *first < end ? (end - *first) >> HM_PORT_ROX_CACHE_BLOCK_SHIFT : 0;
}

static inline void hm_rox_add_gap_(struct hm_rox_cache *cache, struct hm_rox_cache_range *range)
{
	uint64_t first;
	const uint64_t whole = hm_rox_whole_(range, &first);

	range->state = HM_ROX_CACHE_FREE;
	hm_rox_insert_(&range->arena->free, range, HM_ROX_BY_SIZE_);
	if (whole)
		hm_rox_push_(&range->arena->whole, range);
	range->arena->empty += whole;
	cache->gaps++;
}

/* Before its address or size changes. */
static inline void hm_rox_remove_gap_(struct hm_rox_cache *cache, struct hm_rox_cache_range *gap)
{
	uint64_t first;
	const uint64_t whole = hm_rox_whole_(gap, &first);

	hm_rox_remove_(&gap->arena->free, gap, HM_ROX_BY_SIZE_);
	if (whole)
		hm_rox_unlink_(gap);
	gap->arena->empty -= whole;
	cache->gaps--;
}

/* The range is traps, and one with the gaps before and after it. */
static inline void hm_rox_become_gap_(struct hm_rox_cache *cache, struct hm_rox_cache_range *range,
				      struct hm_rox_cache_range **dropped)
{
	struct hm_rox_cache_range *before = hm_rox_find_(cache, range->start - 1);
	struct hm_rox_cache_range *after = hm_rox_find_(cache, hm_rox_end_(range));

	if (before && before->state == HM_ROX_CACHE_FREE && before->arena == range->arena) {
		hm_rox_remove_gap_(cache, before);
		before->bytes += range->bytes;
		hm_rox_drop_range_(cache, range, dropped);
		range = before;
	}
	if (after && after->state == HM_ROX_CACHE_FREE && after->arena == range->arena) {
		hm_rox_remove_gap_(cache, after);
		range->bytes += after->bytes;
		hm_rox_drop_range_(cache, after, dropped);
	}
	hm_rox_add_gap_(cache, range);
}

/*
 * A part of a gap is a range by itself, in that state; the rest are gaps. It takes one of the list for each
 * side on which something is left.
 */
static inline struct hm_rox_cache_range *hm_rox_cut_(struct hm_rox_cache *cache,
						     struct hm_rox_cache_range *gap, uint64_t start,
						     uint64_t bytes, enum hm_rox_cache_state state,
						     struct hm_rox_cache_range **list)
{
	struct hm_rox_cache_arena *arena = gap->arena;
	const uint64_t end = hm_rox_end_(gap), cut = start + bytes;
	struct hm_rox_cache_range *range = gap;

	hm_rox_remove_gap_(cache, gap);
	/* It may become shorter where it is: others' order in the tree by address is the same. */
	gap->bytes = start - gap->start;
	if (gap->bytes) {
		hm_rox_add_gap_(cache, gap);
		range = hm_rox_pop_(list);
		hm_rox_add_range_(cache, range, arena, start, bytes, state);
	}
	range->bytes = bytes;
	range->state = state;
	if (cut != end) {
		struct hm_rox_cache_range *rest = hm_rox_pop_(list);

		hm_rox_add_range_(cache, rest, arena, cut, end - cut, HM_ROX_CACHE_FREE);
		hm_rox_add_gap_(cache, rest);
	}
	return range;
}

#define HM_ROX_TRIES_ 8

/*
 * Where in the arena that many bytes have their place, so aligned: the best fit. Of alignments beyond a
 * granule the best of some gaps that may do, then of those that must. NULL: there is none.
 */
static inline struct hm_rox_cache_range *hm_rox_fit_(struct hm_rox_cache *cache,
						     const struct hm_rox_cache_arena *arena,
						     uint64_t bytes, uint64_t alignment,
						     uint64_t *start)
{
	struct hm_rox_cache_range *gap = hm_rox_find_gap_(cache, arena, bytes, 0);
	unsigned int tries = 0;

	while (gap) {
		*start = (gap->start + alignment - 1) & ~(alignment - 1);
		if (*start - gap->start + bytes <= gap->bytes)
			break;
		if (++tries < HM_ROX_TRIES_)
			gap = hm_rox_find_gap_(cache, arena, gap->bytes, gap->start + 1);
		else
			gap = hm_rox_find_gap_(cache, arena,
					       bytes + alignment - HM_ROX_CACHE_GRANULE, 0);
	}
	return gap;
}
#endif
