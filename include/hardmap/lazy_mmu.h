/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * lazy_mmu.h -- pay for page-table publication once per batch of updates.
 *
 * USE      #include <hardmap/lazy_mmu.h>   (with your hardmap_port.h on the include path)
 *
 *          hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();
 *          // ... write entries: hm_pte_set() of pgtable.h, or your own writer,
 *          //     which calls hm_lazy_mmu_queue() after each entry it made valid ...
 *          hm_lazy_mmu_leave(tok);            // from here this CPU may use the new mappings
 *
 *          An entry that turned from invalid to valid is not usable until its store has reached the
 *          table walker and an "invalid" verdict that the CPU may already hold has been dropped: on
 *          arm64 DSB ISHST; ISB. Outside a section each entry pays for that pair; a section pays once.
 *          Sections nest to any depth. Leaving an inner one publishes all that is pending, because
 *          its caller may rely on it; the outer one stays lazy.
 *
 *          Inside a section nobody may depend on an entry that was not published yet. That includes
 *          another CPU: hand it the address only after hm_lazy_mmu_flush() or the leave, in order
 *          (release and acquire), and let it execute a context synchronisation event between learning
 *          the address, the branch on that included, and using it (unless it has FEAT_ETS2 or
 *          FEAT_ETS3). Memory needed to take a fault (stacks) may rely on nothing less.
 *          tests/litmus has each of these rules as a question to the architecture's model.
 *
 *          Where a key register protects page tables (kpkeys.h), a section is at the level that may write
 *          them, so its entries need no guard each: two writes of the register and two synchronisations a
 *          section, one of them the publication's. The whole context may then write tables: keep sections
 *          short, and pause around callbacks. Where tables take keyed stores nothing is ever open, and each
 *          write orders its stores by itself: a section saves the publication, a range the order too.
 *
 * STATE    That of context.h, which has the protocol of exceptions and switches too: both may come at any
 *          point of a section, and a context may go on on another CPU.
 * CONTEXT  The owning context only. Takes no lock, never sleeps, O(1), no atomics.
 * ERRORS   None at run time. Misuse is a caller bug, and ends as context.h says.
 * CONFIG   None of its own; HM_NO_STD_HEADERS as for context.h.
 * PORT     The hooks of context.h. Template: ports/template
 * NOT      A TLB batcher: it never decides what to invalidate. Changing or removing a valid entry
 *          needs a TLBI, and hm_pgtable_invalidate() of pgtable.h orders it after what is pending.
 */
#ifndef HM_LAZY_MMU_H
#define HM_LAZY_MMU_H
#ifdef HM_LAZY_MMU_TYPES_ONLY
#error "lazy_mmu.h: the state is struct hm_context now, by HM_CONTEXT_TYPES_ONLY and <hardmap/context.h>"
#endif
#include <hardmap/context.h>

/* ---- 1. types ---- */

/* What hm_lazy_mmu_enter() returns and hm_lazy_mmu_leave() wants back. Opaque. */
typedef struct {
	uint64_t outer; /* the word before */
	uint64_t self; /* the word after; 0 if outer is broken: the call changed nothing */
} hm_lazy_mmu_token_t;

/* The same for pause and resume; a type of its own, so that mixing them up does not compile. */
typedef struct {
	uint64_t outer;
	uint64_t self;
} hm_lazy_mmu_pause_t;

/* ---- 2. to 4. port and configuration: those of context.h ---- */

/* ---- 5. interface ---- */

/* Where there is no register: not an ordinary place to enter a section. A level is none either. */
#define HM_LAZY_MMU_ODD_ \
	(HM_CONTEXT_HELD_ | (HM_CONTEXT_HAS_WINDOW_ ? HM_CONTEXT_LEVEL_ | HM_CONTEXT_OUTER_ : 0))

/* A section entered while paused or broken. Paused: a frame, so that it is checked, but not lazy.
 * Broken: nothing, as frames are not tracked any more. */
static HM_COLD_ hm_lazy_mmu_token_t hm_lazy_mmu_enter_held_(struct hm_context *ctx)
{
	hm_lazy_mmu_token_t tok = { HM_CONTEXT_HAS_KEYS_ ? hm_context_verify_(ctx) : ctx->word, 0 };

	if (!(tok.outer & HM_CONTEXT_BROKEN_))
		tok.self = hm_context_open_(ctx, hm_context_next_(ctx),
					    hm_context_inside_(tok.outer));
	return tok;
}

/* A section with keys in play, but not an outermost one: of a thread, where there is a register. */
static HM_COLD_ hm_lazy_mmu_token_t hm_lazy_mmu_enter_nested_(struct hm_context *ctx)
{
	hm_lazy_mmu_token_t tok = { hm_context_verify_(ctx), 0 };

	if (tok.outer & HM_CONTEXT_HELD_)
		return hm_lazy_mmu_enter_held_(ctx);
	tok.self = hm_context_open_(
		ctx, hm_context_next_(ctx),
		hm_context_active_(hm_context_inside_at_(tok.outer, HM_KPKEYS_PGTABLES)) |
			HM_CONTEXT_OPEN_);
	hm_context_follow_(tok.self, 0);
	return tok;
}

/*
 * Opens a section: until the paired hm_lazy_mmu_leave(), hm_lazy_mmu_queue() only notes that a
 * publication is owed, and the level is the one that writes page tables. Inside a pause it changes
 * nothing. Any context, interrupt included; never sleeps. Cannot fail. No barrier but the synchronisation
 * of a key register that it wrote.
 */
static inline HM_MUST_USE_ hm_lazy_mmu_token_t hm_lazy_mmu_enter(void)
{
	struct hm_context *ctx = hm_context_here_();
	uint64_t generation = hm_context_next_(ctx);
	hm_lazy_mmu_token_t tok = { HM_CONTEXT_HAS_WINDOW_ ? ctx->word : hm_context_known_(ctx),
				    0 };

	if (HM_CONTEXT_HAS_WINDOW_ && !(tok.outer & HM_CONTEXT_NO_REGISTER_)) {
		if (HM_UNLIKELY_(tok.outer != HM_CONTEXT_IDLE_WINDOW_ ||
				 !hm_context_register_is_(HM_KPKEYS_DEFAULT)))
			return hm_lazy_mmu_enter_nested_(ctx);
		tok.self = hm_context_open_(
			ctx, generation,
			HM_CONTEXT_IDLE_WINDOW_ | HM_CONTEXT_OPEN_ | HM_CONTEXT_ACTIVE_ |
				(uint64_t)HM_KPKEYS_PGTABLES << HM_CONTEXT_LEVEL_SHIFT_);
		hm_context_register_set_(HM_KPKEYS_PGTABLES);
		hm_port_context_sync();
		return tok;
	}
	if (HM_CONTEXT_HAS_STORE_ && (tok.outer & HM_CONTEXT_STYLE_) == HM_CONTEXT_STYLE_) {
		if (HM_UNLIKELY_(tok.outer & HM_CONTEXT_BUSY_))
			return hm_lazy_mmu_enter_nested_(ctx);
		tok.self = hm_context_open_(ctx, generation,
					    (tok.outer & HM_CONTEXT_DEPTH_) | HM_CONTEXT_OPEN_ |
						    HM_CONTEXT_ACTIVE_KEYED_);
		return tok;
	}
	if (HM_UNLIKELY_(tok.outer & HM_LAZY_MMU_ODD_))
		return hm_lazy_mmu_enter_held_(ctx);
	tok.self = hm_context_open_(ctx, generation,
				    (tok.outer & HM_CONTEXT_FLAGS_) | HM_CONTEXT_OPEN_ |
					    HM_CONTEXT_ACTIVE_);
	return tok;
}

/* Ends a frame that is not a thread's outermost section: publishes what is pending, then the frame around
 * it is current again, at its level. */
static HM_COLD_ void hm_lazy_mmu_close_nested_(struct hm_context *ctx, uint64_t outer,
					       uint64_t self)
{
	if (!hm_context_agrees_(self, outer))
		hm_context_misuse_(ctx, outer, self);
	else
		hm_context_publish_(ctx, outer, ctx->pending);
}

static inline void hm_lazy_mmu_close_(uint64_t outer, uint64_t self)
{
	struct hm_context *ctx = hm_context_here_();
	uint64_t pending = ctx->pending;

	if (HM_UNLIKELY_(ctx->word != self)) {
		hm_context_misuse_(ctx, outer, self);
	} else if (!HM_CONTEXT_HAS_WINDOW_ || (self & HM_CONTEXT_NO_REGISTER_)) {
		/* The state first, as hm_context_publish_(). */
		ctx->word = outer;
		ctx->pending = 0;
		if (pending) {
			hm_port_context_publish();
			hm_port_context_sync();
		}
	} else if (HM_UNLIKELY_(outer != HM_CONTEXT_IDLE_WINDOW_)) {
		hm_lazy_mmu_close_nested_(ctx, outer, self);
	} else {
		ctx->word = outer;
		ctx->pending = 0;
		if (pending)
			hm_port_context_publish();
		hm_context_register_set_(HM_KPKEYS_DEFAULT);
		hm_port_context_sync();
	}
}

/*
 * Closes the section that returned tok. All that is pending, of outer sections too, is published:
 * one pair of barriers, or none if nothing was pending. The level is that of the frame around it. Same
 * context as the enter, innermost first. Misuse: HM_BUG, as in ERRORS above.
 */
static inline void hm_lazy_mmu_leave(hm_lazy_mmu_token_t tok)
{
	hm_lazy_mmu_close_(tok.outer, tok.self);
}

/*
 * Notes that an entry of this CPU's address space was made valid: owed until the section's end, or
 * published at once outside a section. For entry writers; those of pgtable.h do as much. After the
 * store.
 */
static inline void hm_lazy_mmu_queue(void)
{
	struct hm_context *ctx = hm_port_context();
	/* By address: gcc then folds the offset of a state that is itself a member into each access,
	 * which saves an addition here. */
	uint64_t *word = &ctx->word, *pending = &ctx->pending;

	if (HM_LIKELY_((*word & HM_CONTEXT_ACTIVE_) || hm_context_is_active_keyed_(*word))) {
		*pending = *word;
	} else {
		hm_port_context_publish();
		hm_port_context_sync();
	}
}

/*
 * Publishes what is pending now and stays in the section: before a new address is handed to another
 * CPU, or used by this one. Nothing if nothing is pending. Any context.
 */
static inline void hm_lazy_mmu_flush(void)
{
	hm_context_flush_(hm_port_context());
}

/*
 * Publishes what is pending, and until the paired hm_lazy_mmu_resume() the level is the default one and
 * every entry is guarded and published as it is written, also in sections that callees enter. For callees
 * that use what they map, or that must not write tables. Pauses nest. Allowed outside a section.
 */
static inline HM_MUST_USE_ hm_lazy_mmu_pause_t hm_lazy_mmu_pause(void)
{
	struct hm_context *ctx = hm_port_context();
	hm_lazy_mmu_pause_t tok = { HM_CONTEXT_HAS_KEYS_ ? hm_context_verify_(ctx) : ctx->word, 0 };
	uint64_t pending = ctx->pending;

	ctx->pending = 0;
	tok.self = hm_context_open_(
		ctx, hm_context_next_(ctx),
		(hm_context_inside_(tok.outer) & ~(HM_CONTEXT_ACTIVE_ | HM_CONTEXT_LEVEL_)) |
			HM_CONTEXT_OPEN_ | HM_CONTEXT_HELD_);
	hm_context_follow_(HM_KPKEYS_DEFAULT, pending);
	return tok;
}

/* Ends the pause that returned tok; the section around it is lazy again, at its level. As
 * hm_lazy_mmu_leave(). */
static inline void hm_lazy_mmu_resume(hm_lazy_mmu_pause_t tok)
{
	hm_lazy_mmu_close_(tok.outer, tok.self);
}

/* Whether an entry written now would be published later. */
static inline bool hm_lazy_mmu_active(void)
{
	const uint64_t word = hm_port_context()->word;

	return (word & HM_CONTEXT_ACTIVE_) || hm_context_is_active_keyed_(word);
}

#if defined(__GNUC__) && !defined(__cplusplus)
static inline void hm_lazy_mmu_scope_end_(const hm_lazy_mmu_token_t *tok)
{
	hm_lazy_mmu_leave(*tok);
}

/* A section from here to the end of the enclosing block, however it is left, except by longjmp or a
 * thread's end. Not together with goto into the block. */
#define HM_LAZY_MMU_SCOPE(name)        \
	const hm_lazy_mmu_token_t name \
		__attribute__((cleanup(hm_lazy_mmu_scope_end_), unused)) = hm_lazy_mmu_enter()
#endif
#endif /* HM_LAZY_MMU_H */
