/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * frames.h -- what a pool of page-table pages knows of its blocks. A part of pgtable_pool.h, which includes
 * it; all of it is private.
 *
 *          Metadata are words in page-table pages: those of the root page, and frames, one a block (two
 *          where it has adopted pages and others), packed into pages of their own. A frame has the block's
 *          address, its counts, its place in a list and in a hash, and the state of each page of it. Lists
 *          are by how many pages of a block are in use, so that the fullest and the emptiest are found by
 *          their bits. The root names the pages of frames, and pages that name others.
 *
 *          Who changes anything has the pool's lock. A read is one load; a change one store, keyed where
 *          metadata are locked. struct hm_pool_frame_ is a frame that was read: changed there, then
 *          written by hm_pool_update_(), which sees what it was by what it still says. */
#ifndef HM_PGTABLE_POOL_FRAMES_H
#define HM_PGTABLE_POOL_FRAMES_H

/* ---- words of metadata: in the root page, in pages of frames ---- */

static inline uint64_t hm_pool_get_(const hm_pte_t *word)
{
#if HM_PORT_PGTABLE_POOL_LOCKED
	return hm_pte_get(word).val;
#else
	return __atomic_load_n(&word->val, __ATOMIC_RELAXED);
#endif
}

/* What a word links is written before it: hm_pool_find_() follows links without the lock. With the lock, by
 * which locked metadata are open: no guard for each word. */
static inline void hm_pool_put_(hm_pte_t *word, uint64_t value)
{
#if HM_PORT_PGTABLE_POOL_LOCKED
	const hm_pte_t pte = { value };

	if (hm_context_is_keyed_())
		hm_pte_fill(word, 1, pte, 0);
	else
		hm_port_pte_store(word, pte);
#else
	__atomic_store_n(&word->val, value, __ATOMIC_RELEASE);
#endif
}

/* One of the halves of words that follow each other. */
static inline uint32_t hm_pool_half_(const hm_pte_t *words, uint32_t i)
{
	return (uint32_t)(hm_pool_get_(words + i / 2) >> (i % 2 * 32));
}

static inline void hm_pool_put_half_(hm_pte_t *words, uint32_t i, uint32_t value)
{
	const unsigned int shift = i % 2 * 32;
	const uint64_t others = hm_pool_get_(words + i / 2) & ~(UINT64_C(0xffffffff) << shift);

	hm_pool_put_(words + i / 2, others | (uint64_t)value << shift);
}

/* ---- the root page ---- */
#define HM_POOL_FRAMES_ 0u /* halves: how many frames there are */
#define HM_POOL_METAS_ 1u /* and how many pages of them */
#define HM_POOL_PROTECTED_ 1 /* words: whether hm_pgtable_pool_protect() was called */
#define HM_POOL_SHRINKING_ 2 /* whether someone is alone, hm_pool_close_() */
#define HM_POOL_RESERVED_ 3 /* pages that tokens hold back */
#define HM_POOL_LOST_ 4 /* memory in quarantine that has no frame: its address, and its order + 1 */
#define HM_POOL_SUMMARY_ 5 /* which words of the map are not 0 */
#define HM_POOL_MAP_ 7 /* which of the lists by use have frames, a bit each */
/* Halves: the heads of lists, number + 1. */
#define HM_POOL_HEADS_ (HM_POOL_MAP_ + (HM_POOL_PAGES_ + 63) / 64)
/* By how many pages are neither free nor metadata; then two lists for frames that are no whole blocks. None
 * has frames without a free page. */
#define HM_POOL_LOOSE_ HM_POOL_PAGES_ /* pieces, and what is left of blocks */
#define HM_POOL_FIXED_ (HM_POOL_PAGES_ + 1) /* adopted pages: they are never given back */
#define HM_POOL_NO_LIST_ (HM_POOL_PAGES_ + 2)
/* Where the pages of frames are: the first half of this, words, names them, the second names pages that
 * do. */
#define HM_POOL_DIRECTORY_ (HM_POOL_HEADS_ + HM_POOL_PAGES_ / 2 + 1)
#define HM_POOL_DIRECT_ ((HM_PORT_PGTABLE_ENTRIES - HM_POOL_DIRECTORY_) / 2)
#define HM_POOL_METAS_MAX_                                                                    \
	(HM_POOL_DIRECT_ + (HM_PORT_PGTABLE_ENTRIES - HM_POOL_DIRECTORY_ - HM_POOL_DIRECT_) * \
				   HM_PORT_PGTABLE_ENTRIES)

/* ---- frames: what is known of a block ---- */
#define HM_POOL_BLOCK_ 0 /* words: its address, and flags */
#define HM_POOL_COUNTS_ 1 /* 16 bits each: pages free, the first of them, metadata, present */
#define HM_POOL_LINKS_ 2 /* halves 4 and 5: previous and next of its list, number + 1 */
#define HM_POOL_PREVIOUS_ 4
#define HM_POOL_NEXT_ 5
/* Halves 6 and 7: frames are found by a hash of their address, which has as many buckets as there are frames:
 * the first of the bucket that this place stands for; the next in its own bucket. */
#define HM_POOL_BUCKET_ 6
#define HM_POOL_CHAIN_ 7
#define HM_POOL_STATES_ 4 /* words: 16 bits a page */
#define HM_POOL_FRAME_ (HM_POOL_STATES_ + (HM_POOL_PAGES_ + 3) / 4) /* words in all */
#define HM_POOL_PER_PAGE_ (HM_PORT_PGTABLE_ENTRIES / HM_POOL_FRAME_)

#if HM_POOL_DIRECTORY_ + 2 > HM_PORT_PGTABLE_ENTRIES || HM_POOL_FRAME_ > HM_PORT_PGTABLE_ENTRIES
#error "pgtable_pool.h: HM_PORT_PGTABLE_POOL_ORDER is too large for a root and a frame in a page each"
#endif

/* Of a block. */
#define HM_POOL_PIECES_ UINT64_C(1) /* it is not whole, or was not when it came */
#define HM_POOL_ADOPTED_ UINT64_C(2) /* some pages are not the kernel's to have back */
#define HM_POOL_BARE_ UINT64_C(4) /* not protected yet */
#define HM_POOL_FLAGS_ UINT64_C(0xff)

/* Of a page: free, and the number of the next such page of the block; or one of these. */
#define HM_POOL_LAST_ 0x7fffu /* free, and no next */
#define HM_POOL_CACHED_ 0x8000u /* in the magazine of the CPU of the lower 14 bits */
#define HM_POOL_ABSENT_ 0xffffu /* not the pool's */
#define HM_POOL_USED_ 0xfffeu
#define HM_POOL_META_ 0xfffdu /* of frames, of the pool itself */
#define HM_POOL_HELD_ 0xfffcu /* its key changes now, or did half-way */

static inline bool hm_pool_is_free_(unsigned int state)
{
	return state <= HM_POOL_LAST_;
}

static inline bool hm_pool_is_cached_(unsigned int state)
{
	return state >= HM_POOL_CACHED_ && state < HM_POOL_HELD_;
}

static inline uint64_t hm_pool_page_bytes_(void)
{
	return UINT64_C(1) << hm_port_pgtable_shift(0);
}

static inline uint64_t hm_pool_block_bytes_(void)
{
	return UINT64_C(1) << (hm_port_pgtable_shift(0) + HM_PORT_PGTABLE_POOL_ORDER);
}

static inline uint64_t hm_pool_block_of_(hm_pa_t page)
{
	return page.val & ~(hm_pool_block_bytes_() - 1);
}

static inline unsigned int hm_pool_index_of_(hm_pa_t page)
{
	return (unsigned int)((page.val & (hm_pool_block_bytes_() - 1)) >>
			      hm_port_pgtable_shift(0));
}

static inline hm_pte_t *hm_pool_root_(const struct hm_pgtable_pool *pool)
{
	return hm_port_pgtable_map(hm_port_pgtable_pool_root(pool));
}

static inline bool hm_pool_is_protected_(const struct hm_pgtable_pool *pool)
{
	return hm_pool_get_(hm_pool_root_(pool) + HM_POOL_PROTECTED_);
}

/* Of a page of frames that the root does not name itself: where it names the page that does. */
static inline hm_pte_t *hm_pool_names_(hm_pte_t *root, uint32_t meta)
{
	return root + HM_POOL_DIRECTORY_ + HM_POOL_DIRECT_ +
	       (meta - HM_POOL_DIRECT_) / HM_PORT_PGTABLE_ENTRIES;
}

/* How many pages one more of frames takes: the first that another page names brings that one. */
static inline unsigned int hm_pool_metas_for_(uint32_t meta)
{
	return meta >= HM_POOL_DIRECT_ && !((meta - HM_POOL_DIRECT_) % HM_PORT_PGTABLE_ENTRIES) ? 2
												: 1;
}

/* Where that page of frames is named. */
static inline hm_pte_t *hm_pool_directory_(hm_pte_t *root, uint32_t meta)
{
	hm_pa_t names;

	if (meta < HM_POOL_DIRECT_)
		return root + HM_POOL_DIRECTORY_ + meta;
	names.val = hm_pool_get_(hm_pool_names_(root, meta));
	return hm_port_pgtable_map(names) + (meta - HM_POOL_DIRECT_) % HM_PORT_PGTABLE_ENTRIES;
}

/* The words of that frame. */
static inline hm_pte_t *hm_pool_frame_(hm_pte_t *root, uint32_t number)
{
	const hm_pa_t page = { hm_pool_get_(hm_pool_directory_(root, number / HM_POOL_PER_PAGE_)) };

	return hm_port_pgtable_map(page) + number % HM_POOL_PER_PAGE_ * HM_POOL_FRAME_;
}

/* The state of a page: 16 bits that nobody else writes by the same store where CPUs write without the
 * lock. */
typedef uint16_t __attribute__((__may_alias__)) hm_pool_state_t_;

/* Where metadata are not locked: the states of the frame's pages. */
static inline hm_pool_state_t_ *hm_pool_states_(hm_pte_t *words)
{
	return (hm_pool_state_t_ *)(void *)(words + HM_POOL_STATES_);
}

static inline unsigned int hm_pool_state_(const hm_pte_t *words, unsigned int page)
{
#if HM_PORT_PGTABLE_POOL_LOCKED
	return (unsigned int)(hm_pool_get_(words + HM_POOL_STATES_ + page / 4) >> (page % 4 * 16)) &
	       0xffff;
#else
	return __atomic_load_n((const hm_pool_state_t_ *)(words + HM_POOL_STATES_) + page,
			       __ATOMIC_RELAXED);
#endif
}

static inline void hm_pool_put_state_(hm_pte_t *words, unsigned int page, unsigned int state)
{
#if HM_PORT_PGTABLE_POOL_LOCKED
	const unsigned int shift = page % 4 * 16;
	hm_pte_t *word = words + HM_POOL_STATES_ + page / 4;

	hm_pool_put_(word, (hm_pool_get_(word) & ~(UINT64_C(0xffff) << shift)) | (uint64_t)state
											 << shift);
#else
	__atomic_store_n(hm_pool_states_(words) + page, (uint16_t)state, __ATOMIC_RELAXED);
#endif
}

static inline void hm_pool_put_states_(hm_pte_t *words, unsigned int page, unsigned int n,
				       unsigned int state)
{
	const unsigned int end = page + n;

#if HM_PORT_PGTABLE_POOL_LOCKED
	/* Whole words by one call, which guards and orders once. */
	const hm_pte_t four = { state * UINT64_C(0x0001000100010001) };

	for (; page < end && page % 4; page++)
		hm_pool_put_state_(words, page, state);
	if (end - page >= 4) {
		hm_pte_fill(words + HM_POOL_STATES_ + page / 4, (end - page) / 4, four, 0);
		page += (end - page) / 4 * 4;
	}
#endif
	for (; page < end; page++)
		hm_pool_put_state_(words, page, state);
}

/* A frame, read; what changes of it hm_pool_update_() writes. */
struct hm_pool_frame_ {
	hm_pte_t *words;
	uint64_t block, flags;
	uint32_t number;
	unsigned int free, first, metas, present; /* pages; the first free one */
};

static inline struct hm_pool_frame_ hm_pool_load_at_(hm_pte_t *words, uint32_t number)
{
	struct hm_pool_frame_ frame;
	uint64_t counts;

	frame.number = number;
	frame.words = words;
	frame.block = hm_pool_get_(frame.words + HM_POOL_BLOCK_);
	frame.flags = frame.block & HM_POOL_FLAGS_;
	frame.block -= frame.flags;
	counts = hm_pool_get_(frame.words + HM_POOL_COUNTS_);
	frame.free = counts & 0xffff;
	frame.first = counts >> 16 & 0xffff;
	frame.metas = counts >> 32 & 0xffff;
	frame.present = (unsigned int)(counts >> 48);
	return frame;
}

static inline struct hm_pool_frame_ hm_pool_load_(hm_pte_t *root, uint32_t number)
{
	return hm_pool_load_at_(hm_pool_frame_(root, number), number);
}

static inline hm_pa_t hm_pool_page_(const struct hm_pool_frame_ *frame, unsigned int page)
{
	const hm_pa_t pa = { frame->block + page * hm_pool_page_bytes_() };

	return pa;
}

/* ---- lists of frames ---- */

/* The list that it has to be in. */
static inline unsigned int hm_pool_list_of_(const struct hm_pool_frame_ *frame)
{
	if (!frame->free)
		return HM_POOL_NO_LIST_;
	if (frame->flags & HM_POOL_ADOPTED_)
		return HM_POOL_FIXED_;
	if (frame->flags & HM_POOL_PIECES_)
		return HM_POOL_LOOSE_;
	return HM_POOL_PAGES_ - frame->free - frame->metas;
}

/* Notes whether the list has frames. */
static inline void hm_pool_note_(hm_pte_t *root, unsigned int list, bool any)
{
	hm_pte_t *word = root + HM_POOL_MAP_ + list / 64;
	const uint64_t bit = UINT64_C(1) << list % 64;
	uint64_t old, new_;

	if (list >= HM_POOL_PAGES_)
		return;
	old = hm_pool_get_(word);
	new_ = any ? old | bit : old & ~bit;
	hm_pool_put_(word, new_);
	if (!old != !new_) {
		word = root + HM_POOL_SUMMARY_ + list / 4096;
		hm_pool_put_(word, hm_pool_get_(word) ^ UINT64_C(1) << list / 64 % 64);
	}
}

static inline void hm_pool_unlist_(hm_pte_t *root, const struct hm_pool_frame_ *frame,
				   unsigned int list)
{
	const uint32_t previous = hm_pool_half_(frame->words, HM_POOL_PREVIOUS_);
	const uint32_t next = hm_pool_half_(frame->words, HM_POOL_NEXT_);

	if (list == HM_POOL_NO_LIST_)
		return;
	if (next)
		hm_pool_put_half_(hm_pool_frame_(root, next - 1), HM_POOL_PREVIOUS_, previous);
	if (previous) {
		hm_pool_put_half_(hm_pool_frame_(root, previous - 1), HM_POOL_NEXT_, next);
	} else {
		hm_pool_put_half_(root + HM_POOL_HEADS_, list, next);
		if (!next)
			hm_pool_note_(root, list, false);
	}
}

static inline void hm_pool_enlist_(hm_pte_t *root, const struct hm_pool_frame_ *frame,
				   unsigned int list)
{
	uint32_t next;

	if (list == HM_POOL_NO_LIST_)
		return;
	next = hm_pool_half_(root + HM_POOL_HEADS_, list);
	hm_pool_put_(frame->words + HM_POOL_LINKS_, (uint64_t)next << 32);
	if (next)
		hm_pool_put_half_(hm_pool_frame_(root, next - 1), HM_POOL_PREVIOUS_,
				  frame->number + 1);
	hm_pool_put_half_(root + HM_POOL_HEADS_, list, frame->number + 1);
	if (!next)
		hm_pool_note_(root, list, true);
}

/* The most used of the lists by use that have frames; HM_POOL_NO_LIST_ if none has. */
static inline unsigned int hm_pool_fullest_(const hm_pte_t *root)
{
	unsigned int i = 1 + (HM_POOL_PAGES_ > 4096);

	while (i--) {
		const uint64_t words = hm_pool_get_(root + HM_POOL_SUMMARY_ + i);
		unsigned int word;

		if (!words)
			continue;
		word = i * 64 + 63 - (unsigned int)__builtin_clzll(words);
		return word * 64 + 63 -
		       (unsigned int)__builtin_clzll(hm_pool_get_(root + HM_POOL_MAP_ + word) | 1);
	}
	return HM_POOL_NO_LIST_;
}

/* The least used one, likewise. */
static inline unsigned int hm_pool_emptiest_(const hm_pte_t *root)
{
	unsigned int i;

	for (i = 0; i < 1 + (HM_POOL_PAGES_ > 4096); i++) {
		const uint64_t words = hm_pool_get_(root + HM_POOL_SUMMARY_ + i);
		unsigned int word;

		if (!words)
			continue;
		word = i * 64 + (unsigned int)__builtin_ctzll(words);
		return word * 64 +
		       (unsigned int)__builtin_ctzll(hm_pool_get_(root + HM_POOL_MAP_ + word) |
						     UINT64_C(1) << 63);
	}
	return HM_POOL_NO_LIST_;
}

static inline bool hm_pool_is_empty_(const struct hm_pool_frame_ *frame)
{
	return !hm_pool_list_of_(frame);
}

/* Adds a frame to the counts, or takes it away: times is 1 or minus 1. */
static inline void hm_pool_count_(struct hm_pgtable_pool *pool, const struct hm_pool_frame_ *frame,
				  uint64_t times)
{
	pool->free += times * frame->free;
	pool->present += times * frame->present;
	pool->empty += times * (hm_pool_is_empty_(frame) ? frame->free : 0);
	pool->loose += times * (hm_pool_list_of_(frame) == HM_POOL_LOOSE_ ? frame->free : 0);
}

/* Writes what has changed of a frame, and what follows from it. */
static inline void hm_pool_update_(struct hm_pgtable_pool *pool, hm_pte_t *root,
				   const struct hm_pool_frame_ *frame)
{
	const struct hm_pool_frame_ before = hm_pool_load_at_(frame->words, frame->number);
	const unsigned int old = hm_pool_list_of_(&before), list = hm_pool_list_of_(frame);

	if (before.flags != frame->flags)
		hm_pool_put_(frame->words + HM_POOL_BLOCK_, frame->block | frame->flags);
	hm_pool_put_(frame->words + HM_POOL_COUNTS_,
		     frame->free | (uint64_t)frame->first << 16 | (uint64_t)frame->metas << 32 |
			     (uint64_t)(frame->present & 0xffff) << 48);
	if (old != list) {
		hm_pool_unlist_(root, frame, old);
		hm_pool_enlist_(root, frame, list);
	}
	hm_pool_count_(pool, &before, ~UINT64_C(0));
	hm_pool_count_(pool, frame, 1);
}

/* ---- frames by address: linear hashing ---- */

static inline uint32_t hm_pool_bucket_(uint64_t block, uint32_t frames)
{
	const uint32_t hash =
		(uint32_t)((block / hm_pool_block_bytes_()) * UINT64_C(0x9e3779b97f4a7c15) >> 32);
	const uint32_t mask = (uint32_t)((UINT64_C(2) << (31 - __builtin_clz(frames | 1))) - 1);
	const uint32_t bucket = hash & mask;

	return bucket < frames ? bucket : bucket & mask >> 1;
}

/* The number + 1 of the first frame in the bucket of that block, 0 if there is none. */
static inline uint32_t hm_pool_first_(hm_pte_t *root, uint64_t block, uint32_t frames)
{
	if (!frames)
		return 0;
	return hm_pool_half_(hm_pool_frame_(root, hm_pool_bucket_(block, frames)), HM_POOL_BUCKET_);
}

/*
 * The number + 1 of the frame of that page, 0 if it is not of the pool. With the lock; or without, where
 * metadata are not locked, by a CPU that is in its magazine: then frames are added meanwhile but not
 * removed. What it finds is right if the page is in use or cached; that it finds nothing then says nothing.
 */
static inline uint32_t hm_pool_find_(hm_pte_t *root, hm_pa_t page)
{
	const uint64_t block = hm_pool_block_of_(page);
	const uint32_t frames = hm_pool_half_(root, HM_POOL_FRAMES_);
	uint32_t link = hm_pool_first_(root, block, frames), steps;

	/* In a chain that changes meanwhile it might go round. */
	for (steps = 0; link && steps < frames; steps++) {
		const hm_pte_t *words = hm_pool_frame_(root, link - 1);

		if ((hm_pool_get_(words + HM_POOL_BLOCK_) & ~HM_POOL_FLAGS_) == block &&
		    hm_pool_state_(words, hm_pool_index_of_(page)) != HM_POOL_ABSENT_)
			return link;
		link = hm_pool_half_(words, HM_POOL_CHAIN_);
	}
	return 0;
}

/* The same of the block's frame for adopted pages, or for others: they do not mix, as only those can be given
 * back. With the lock. */
static inline uint32_t hm_pool_find_kind_(hm_pte_t *root, uint64_t block, uint64_t adopted)
{
	const uint32_t frames = hm_pool_half_(root, HM_POOL_FRAMES_);
	uint32_t link = hm_pool_first_(root, block, frames);

	while (link) {
		const hm_pte_t *words = hm_pool_frame_(root, link - 1);
		const uint64_t found = hm_pool_get_(words + HM_POOL_BLOCK_);

		if ((found & ~HM_POOL_FLAGS_) == block && (found & HM_POOL_ADOPTED_) == adopted)
			break;
		link = hm_pool_half_(words, HM_POOL_CHAIN_);
	}
	return link;
}

/* No frame. */
static inline struct hm_pool_frame_ hm_pool_load_none_(void)
{
	const struct hm_pool_frame_ none = { HM_NULL_, 0, 0, 0, 0, 0, 0, 0 };

	return none;
}

/* The frame of a page; no words if there is none. With the lock. */
static inline struct hm_pool_frame_ hm_pool_load_of_(hm_pte_t *root, hm_pa_t page)
{
	const uint32_t link = hm_pool_find_(root, page);

	return link ? hm_pool_load_(root, link - 1) : hm_pool_load_none_();
}

/* Puts a frame into its bucket, of that many. */
static inline void hm_pool_chain_(hm_pte_t *root, uint32_t number, uint32_t frames)
{
	hm_pte_t *words = hm_pool_frame_(root, number);
	const uint64_t block = hm_pool_get_(words + HM_POOL_BLOCK_) & ~HM_POOL_FLAGS_;
	hm_pte_t *bucket = hm_pool_frame_(root, hm_pool_bucket_(block, frames));

	hm_pool_put_half_(words, HM_POOL_CHAIN_, hm_pool_half_(bucket, HM_POOL_BUCKET_));
	hm_pool_put_half_(bucket, HM_POOL_BUCKET_, number + 1);
}

/* Puts all frames of a bucket where they belong among that many. */
static inline void hm_pool_rehash_(hm_pte_t *root, uint32_t bucket, uint32_t frames)
{
	hm_pte_t *words = hm_pool_frame_(root, bucket);
	uint32_t link = hm_pool_half_(words, HM_POOL_BUCKET_);

	hm_pool_put_half_(words, HM_POOL_BUCKET_, 0);
	while (link) {
		const uint32_t next = hm_pool_half_(hm_pool_frame_(root, link - 1), HM_POOL_CHAIN_);

		hm_pool_chain_(root, link - 1, frames);
		link = next;
	}
}

/* Whatever links that frame by hash links another, number + 1. */
static inline void hm_pool_relink_(hm_pte_t *root, const struct hm_pool_frame_ *frame,
				   uint32_t frames, uint32_t to)
{
	hm_pte_t *words = hm_pool_frame_(root, hm_pool_bucket_(frame->block, frames));
	uint32_t half = HM_POOL_BUCKET_;

	while (hm_pool_half_(words, half) != frame->number + 1) {
		words = hm_pool_frame_(root, hm_pool_half_(words, half) - 1);
		half = HM_POOL_CHAIN_;
	}
	hm_pool_put_half_(words, half, to);
}

/* ---- pages from frames and back; with the lock ---- */

/* Pages in use, and in magazines; with the lock. */
static inline uint64_t hm_pool_in_use_(const struct hm_pgtable_pool *pool)
{
	return pool->present - pool->free - pool->quarantined -
	       (HM_PORT_PGTABLE_POOL_LOCKED ? pool->metadata : 0);
}

/* How many pages that word of the root, HM_POOL_LOST_, stands for. */
static inline unsigned int hm_pool_lost_pages_(uint64_t lost)
{
	return 1u << (lost & 31) >> 1;
}

/* What the frames say, where the counts were overwritten. */
static HM_COLD_ void hm_pool_recount_(struct hm_pgtable_pool *pool, hm_pte_t *root)
{
	uint32_t number;

	pool->free = pool->empty = pool->loose = 0;
	pool->present = hm_pool_lost_pages_(hm_pool_get_(root + HM_POOL_LOST_));
	for (number = 0; number < hm_pool_half_(root, HM_POOL_FRAMES_); number++) {
		const struct hm_pool_frame_ frame = hm_pool_load_(root, number);

		hm_pool_count_(pool, &frame, 1);
	}
}

/*
 * Up to n pages, which get that state, as long as more than keep are free: those that cannot be given back
 * anyway, then of the fullest block, then loose ones. How many. Where their states are, if that is asked
 * for.
 */
static HM_NOINLINE_ unsigned int hm_pool_take_(struct hm_pgtable_pool *pool, unsigned int n,
					       uint64_t keep, unsigned int state, hm_pa_t *pages,
					       uint16_t **states)
{
	hm_pte_t *root = hm_pool_root_(pool);
	unsigned int taken = 0;

	while (taken < n && pool->free > keep) {
		unsigned int list = HM_POOL_FIXED_, most;
		struct hm_pool_frame_ frame;

		if (!hm_pool_half_(root + HM_POOL_HEADS_, list))
			list = hm_pool_fullest_(root);
		if (list == HM_POOL_NO_LIST_)
			list = HM_POOL_LOOSE_;
		if (!hm_pool_half_(root + HM_POOL_HEADS_, list)) {
			hm_pool_recount_(pool, root);
			break;
		}
		frame = hm_pool_load_(root, hm_pool_half_(root + HM_POOL_HEADS_, list) - 1);
		most = n - taken;
		if (most > pool->free - keep)
			most = (unsigned int)(pool->free - keep);
		if (most > frame.free)
			most = frame.free;
		for (; most; most--) {
			const unsigned int page = frame.first;

			frame.first = hm_pool_state_(frame.words, page);
			frame.free--;
			hm_pool_put_state_(frame.words, page, state);
			if (states)
				states[taken] = hm_pool_states_(frame.words) + page;
			pages[taken++] = hm_pool_page_(&frame, page);
		}
		hm_pool_update_(pool, root, &frame);
	}
	if (state != HM_POOL_HELD_ && pool->demand < hm_pool_in_use_(pool))
		pool->demand = hm_pool_in_use_(pool);
	return taken;
}

/* A page of a frame is free. */
static inline void hm_pool_free_page_(struct hm_pool_frame_ *frame, unsigned int page)
{
	hm_pool_put_state_(frame->words, page, frame->free ? frame->first : HM_POOL_LAST_);
	frame->first = page;
	frame->free++;
}

/* The frame of that page, if it is one and in that state. */
static inline bool hm_pool_check_(hm_pte_t *root, hm_pa_t page, unsigned int state,
				  struct hm_pool_frame_ *frame)
{
	*frame = hm_pool_load_of_(root, page);
	return frame->words && !(page.val & (hm_pool_page_bytes_() - 1)) &&
	       hm_pool_state_(frame->words, hm_pool_index_of_(page)) == state;
}

/* Pages in that state are free again. How many were not in it, which stay as they are. Each is read once:
 * they may be in memory that others write. */
static HM_NOINLINE_ unsigned int hm_pool_return_(struct hm_pgtable_pool *pool, unsigned int n,
						 unsigned int state, const hm_pa_t *pages)
{
	hm_pte_t *root = hm_pool_root_(pool);
	struct hm_pool_frame_ frame = hm_pool_load_none_();
	unsigned int wrong = 0, i;

	for (i = 0; i < n; i++) {
		const hm_pa_t page = { __atomic_load_n(&pages[i].val, __ATOMIC_RELAXED) };

		if (!frame.words || hm_pool_block_of_(page) != frame.block ||
		    hm_pool_state_(frame.words, hm_pool_index_of_(page)) == HM_POOL_ABSENT_) {
			if (frame.words)
				hm_pool_update_(pool, root, &frame);
			frame = hm_pool_load_of_(root, page);
		}
		if (!frame.words || (page.val & (hm_pool_page_bytes_() - 1)) ||
		    hm_pool_state_(frame.words, hm_pool_index_of_(page)) != state)
			wrong++;
		else
			hm_pool_free_page_(&frame, hm_pool_index_of_(page));
	}
	if (frame.words)
		hm_pool_update_(pool, root, &frame);
	return wrong;
}

/* ---- frames come and go; with the lock ---- */

/* How many pages for metadata one more frame takes: the second names others. */
static inline unsigned int hm_pool_metas_wanted_(const hm_pte_t *root)
{
	const uint32_t metas = hm_pool_half_(root, HM_POOL_METAS_);

	if (hm_pool_half_(root, HM_POOL_FRAMES_) < metas * HM_POOL_PER_PAGE_)
		return 0;
	return hm_pool_metas_for_(metas);
}

static inline void hm_pool_add_metas_(struct hm_pgtable_pool *pool, hm_pte_t *root, unsigned int n,
				      const hm_pa_t *pages)
{
	const uint32_t metas = hm_pool_half_(root, HM_POOL_METAS_);

	if (n > 1)
		hm_pool_put_(hm_pool_names_(root, metas), pages[1].val);
	if (n) {
		hm_pool_put_(hm_pool_directory_(root, metas), pages[0].val);
		hm_pool_put_half_(root, HM_POOL_METAS_, metas + 1);
	}
	pool->metadata += n;
}

/* A new frame, which says of no page that it is the pool's. There is a place for it. */
static inline uint32_t hm_pool_new_(hm_pte_t *root, uint64_t block)
{
	const uint32_t number = hm_pool_half_(root, HM_POOL_FRAMES_);
	hm_pte_t *words = hm_pool_frame_(root, number);
	unsigned int i;

	hm_pool_put_(words + HM_POOL_BLOCK_, block);
	for (i = HM_POOL_COUNTS_; i < HM_POOL_STATES_; i++)
		hm_pool_put_(words + i, 0);
	hm_pool_put_states_(words, 0, HM_POOL_PAGES_, HM_POOL_ABSENT_);
	hm_pool_put_half_(root, HM_POOL_FRAMES_, number + 1);
	/* A place more is a bucket more: it takes its own out of one other. */
	if (number)
		hm_pool_rehash_(root, number ^ 1u << (31 - __builtin_clz(number)), number + 1);
	hm_pool_chain_(root, number, number + 1);
	return number;
}

/* Forgets a frame: the last one takes its place. Magazines are closed. */
static inline void hm_pool_remove_(hm_pte_t *root, const struct hm_pool_frame_ *frame)
{
	const uint32_t last = hm_pool_half_(root, HM_POOL_FRAMES_) - 1;
	hm_pte_t *words = frame->words;
	struct hm_pool_frame_ moved;
	unsigned int i;

	hm_pool_relink_(root, frame, last + 1, hm_pool_half_(frame->words, HM_POOL_CHAIN_));
	hm_pool_rehash_(root, last, last);
	if (last != frame->number) {
		unsigned int list;
		uint32_t bucket;

		moved = hm_pool_load_(root, last);
		list = hm_pool_list_of_(&moved);
		hm_pool_unlist_(root, &moved, list);
		hm_pool_relink_(root, &moved, last, frame->number + 1);
		bucket = hm_pool_half_(words, HM_POOL_BUCKET_); /* the place's own */
		for (i = 0; i < HM_POOL_FRAME_; i++)
			hm_pool_put_(words + i, hm_pool_get_(moved.words + i));
		hm_pool_put_half_(words, HM_POOL_BUCKET_, bucket);
		moved.words = words;
		moved.number = frame->number;
		hm_pool_enlist_(root, &moved, list);
	}
	hm_pool_put_half_(root, HM_POOL_FRAMES_, last);
}

/* A page for metadata out of the pool; false if there is none. */
static inline bool hm_pool_take_meta_(struct hm_pgtable_pool *pool, hm_pte_t *root, hm_pa_t *page)
{
	struct hm_pool_frame_ frame;

	if (!hm_pool_take_(pool, 1, hm_pool_get_(root + HM_POOL_RESERVED_), HM_POOL_HELD_, page,
			   HM_NULL_))
		return false;
	frame = hm_pool_load_of_(root, *page);
	frame.metas++;
	hm_pool_put_state_(frame.words, hm_pool_index_of_(*page), HM_POOL_META_);
	hm_pool_update_(pool, root, &frame);
	return true;
}

/* That page of metadata is free: it may be the last of its block that was not. */
static inline void hm_pool_free_meta_(struct hm_pgtable_pool *pool, hm_pte_t *root, hm_pa_t page)
{
	struct hm_pool_frame_ frame;

	frame = hm_pool_load_of_(root, page);
	frame.metas--;
	hm_pool_free_page_(&frame, hm_pool_index_of_(page));
	hm_pool_update_(pool, root, &frame);
}

/* Whether some of these pages, all of one block, are the pool's; with the lock. */
static inline bool hm_pool_has_some_(hm_pte_t *root, hm_pa_t pa, unsigned int pages)
{
	const uint32_t links[2] = {
		hm_pool_find_kind_(root, hm_pool_block_of_(pa), 0),
		hm_pool_find_kind_(root, hm_pool_block_of_(pa), HM_POOL_ADOPTED_),
	};
	unsigned int i, kind;

	for (kind = 0; kind < 2; kind++)
		for (i = 0; links[kind] && i < pages; i++)
			if (hm_pool_state_(hm_pool_frame_(root, links[kind] - 1),
					   hm_pool_index_of_(pa) + i) != HM_POOL_ABSENT_)
				return true;
	return false;
}

/*
 * These pages, all of one block, are the pool's from here on: free, in use, or held. With metadata unlocked
 * there are pages for them in metas; those that were used are no longer named there.
 */
static HM_NOINLINE_ int hm_pool_add_(struct hm_pgtable_pool *pool, hm_pa_t pa, unsigned int pages,
				     unsigned int state, uint64_t flags, hm_pa_t *metas)
{
	hm_pte_t *root = hm_pool_root_(pool);
	const uint64_t block = hm_pool_block_of_(pa);
	const unsigned int start = hm_pool_index_of_(pa);
	uint32_t link = hm_pool_find_kind_(root, block, flags & HM_POOL_ADOPTED_);
	unsigned int i, wanted = 0, carved = 0;
	struct hm_pool_frame_ frame;

	if (hm_pool_has_some_(root, pa, pages))
		return -HM_EEXIST;
	if (link) {
		frame = hm_pool_load_(root, link - 1);
	} else {
		wanted = hm_pool_metas_wanted_(root);
		if (wanted && hm_pool_half_(root, HM_POOL_METAS_) == HM_POOL_METAS_MAX_)
			return -HM_ENOMEM;
#if !HM_PORT_PGTABLE_POOL_LOCKED
		for (i = 0; i < wanted; i++)
			if (!metas[i].val)
				return -HM_ENOMEM;
#else
		for (i = 0; i < wanted; i++) {
			/* Of what comes, from the end; else of what there is. */
			if (state == HM_POOL_LAST_ && pages > carved) {
				carved++;
				metas[i].val = pa.val + (pages - carved) * hm_pool_page_bytes_();
			} else if (!hm_pool_take_meta_(pool, root, &metas[i])) {
				while (i-- > carved)
					hm_pool_free_meta_(pool, root, metas[i]);
				return -HM_ENOMEM;
			}
		}
#endif
		hm_pool_add_metas_(pool, root, wanted, metas);
		for (i = 0; i < wanted; i++)
			metas[i].val = 0;
		link = hm_pool_new_(root, block) + 1;
		frame = hm_pool_load_(root, link - 1);
	}
	if (state != HM_POOL_LAST_ || pages != HM_POOL_PAGES_ || (flags & HM_POOL_ADOPTED_))
		flags |= HM_POOL_PIECES_;
	frame.flags |= flags;
	frame.present += pages;
	frame.metas += carved;
	hm_pool_put_states_(frame.words, start + pages - carved, carved, HM_POOL_META_);
	if (state == HM_POOL_LAST_)
		for (i = start + pages - carved; i-- > start;)
			hm_pool_free_page_(&frame, i);
	else
		hm_pool_put_states_(frame.words, start, pages, state);
	hm_pool_update_(pool, root, &frame);
	if (frame.flags & HM_POOL_BARE_) /* also with the key, as long as others lack it */
		pool->unprotected += pages;
	if (state == HM_POOL_HELD_)
		pool->quarantined += pages;
	return 0;
}
#endif
