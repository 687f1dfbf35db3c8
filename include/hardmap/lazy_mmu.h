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
 * STATE    Yours: one struct hm_lazy_mmu per execution context, written by that context alone; all-zero
 *          is "nothing open". Memory that served one context may serve the next as it is, idle; zeroing
 *          it would make tokens of the old one fit again. An execution context is one of
 *            thread           if exception entry calls hm_lazy_mmu_exception_push() and return calls
 *                             _pop(): a handler then runs on the thread's state, from a clean start;
 *            thread, softirq, if the port has no vectors of its own: hm_port_lazy_mmu() selects by
 *            hardirq, NMI     what is *executing* (not by "bottom halves are off"). Synchronous
 *                             exceptions then share the interrupted section: their writes stay pending.
 * CONTEXT  The owning context only. Takes no lock, never sleeps, O(1), no atomics. A context may be
 *          switched out and migrated inside a section: hm_lazy_mmu_switch() is part of every switch.
 * ERRORS   None at run time. Misuse (a token left out of order, twice, or by another context; a
 *          forgotten leave) is a caller bug: HM_BUG is told, all that is pending is published, and
 *          every write is published at once until the outermost section is left.
 * CONFIG   HM_LAZY_MMU_TYPES_ONLY  stop after part 1; for headers that embed struct hm_lazy_mmu
 *          HM_NO_STD_HEADERS       uint64_t, uintptr_t, UINT64_C and bool are declared already
 * PORT     HM_BUG and the hooks of part 3. Template: ports/template
 * NOT      A TLB batcher: it never decides what to invalidate. Changing or removing a valid entry
 *          needs a TLBI, and hm_pgtable_invalidate() of pgtable.h orders it after what is pending.
 */
#ifndef HM_LAZY_MMU_TYPES_H
#define HM_LAZY_MMU_TYPES_H
/* ---- 1. types: need no port ---- */
#ifndef HM_NO_STD_HEADERS
#include <stdbool.h>
#include <stdint.h>
#endif

/* The state of one execution context. Private: read it with hm_lazy_mmu_active(). */
struct hm_lazy_mmu {
	/* The generation of the youngest frame, counted in bits 63:16. Only ever grows, also across
	 * exceptions, so that a used token never matches again. 2^48 frames outlast the machine. */
	uint64_t generation;
	/* Bits 63:16 name the innermost open frame (its generation and this context), 0 for none;
	 * bits 15:0 are HM_LAZY_*_ flags. Between its neighbours, as enter and leave each use it
	 * with one of them: one paired load, one paired store. */
	uint64_t word;
	/* Not zero: entries were made valid since the last publication. */
	uint64_t pending;
};

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

/* The same for exception entry and return; keep it in the exception frame. */
typedef struct {
	uint64_t outer;
	uint64_t self;
} hm_lazy_mmu_exception_t;
#endif /* HM_LAZY_MMU_TYPES_H */

#if !defined(HM_LAZY_MMU_TYPES_ONLY) && !defined(HM_LAZY_MMU_H)
#define HM_LAZY_MMU_H
/* ---- 2. port ---- */
#include "hardmap_port.h" /* yours, on the include path; start from ports/template */
#ifndef HM_BUG
#error "lazy_mmu.h: the port must define HM_BUG(message), also where it is to do nothing"
#endif

/* ---- 3. port contract: compiled, so it cannot go stale ---- */
#ifndef HM_PORT_REQUIRE /* the same block in every module header; tests/meta compares them */
#ifdef __cplusplus
#define HM_PORT_REQUIRE(ret, hook, params) \
	static_assert(sizeof(static_cast<ret(*) params>(&hook)) != 0, "port hook")
#else
#define HM_PORT_REQUIRE(ret, hook, params)                              \
	_Static_assert(_Generic(&hook, ret(*) params : 1, default : 0), \
		       "port hook must be: " #ret " " #hook #params)
#endif
#define HM_LIKELY_(condition) __builtin_expect(!!(condition), 1)
#define HM_UNLIKELY_(condition) __builtin_expect(!!(condition), 0)
#define HM_MUST_USE_ __attribute__((warn_unused_result))
#define HM_COLD_ __attribute__((cold, noinline, unused))
#endif
/* The state of the execution context that runs now. No side effects; for one context always the
 * same address. */
HM_PORT_REQUIRE(struct hm_lazy_mmu *, hm_port_lazy_mmu, (void));
/* Every earlier table store of this CPU is visible to the table walkers of all CPUs before a later
 * instruction that follows hm_port_lazy_context_sync(). arm64: DSB ISHST (Arm ARM D8.17). */
HM_PORT_REQUIRE(void, hm_port_lazy_publish, (void));
/* Later instructions of this CPU are fetched and translated anew: no verdict of "invalid" that was
 * reached earlier survives. arm64: ISB (Arm ARM D1.3, context synchronisation). */
HM_PORT_REQUIRE(void, hm_port_lazy_context_sync, (void));
/* As hm_port_lazy_publish(), and also ordered before whatever lets another CPU run the outgoing
 * context. arm64: DSB ISH. */
HM_PORT_REQUIRE(void, hm_port_lazy_switch, (void));

/* ---- 4. configuration: none ---- */

/* ---- 5. interface ---- */

#define HM_LAZY_ACTIVE_ UINT64_C(0x0001) /* entries written now are published later */
#define HM_LAZY_OPEN_ UINT64_C(0x0002) /* a section or pause is open, at this exception depth */
#define HM_LAZY_HELD_ UINT64_C(0x0004) /* paused or broken: a section entered now has no effect */
#define HM_LAZY_BROKEN_ UINT64_C(0x0008) /* misuse was found; ends at the outermost leave */
/* How many exceptions deep, modulo 16. Keeps a handler's frames apart from those of a section that
 * it interrupted between reading the generation and writing it back. */
#define HM_LAZY_DEPTH_ UINT64_C(0x00f0)
#define HM_LAZY_DEPTH_ONE_ UINT64_C(0x0010)
/* Only in the token of an exception: the interrupted section owes a publication. */
#define HM_LAZY_PENDING_ UINT64_C(0x0100)
#define HM_LAZY_FLAGS_ UINT64_C(0xffff)
#define HM_LAZY_GENERATION_ONE_ UINT64_C(0x10000)

/* The state of the context, its address opaque to the compiler: were the offset of a state that is itself
 * a member folded into each access, one beyond 504 bytes would break up arm64's paired accesses. */
static inline struct hm_lazy_mmu *hm_lazy_mmu_here_(void)
{
	struct hm_lazy_mmu *mmu = hm_port_lazy_mmu();

	__asm__("" : "+r"(mmu));
	return mmu;
}

/* The context's part of a frame's name. XORed over the generation's upper bits, so that no other
 * context within 4 GiB gives its frames the same name before it has opened a million of them. */
static inline uint64_t hm_lazy_mmu_identity_(const struct hm_lazy_mmu *mmu)
{
	return (uint64_t)(uintptr_t)mmu << 32;
}

static inline uint64_t hm_lazy_mmu_next_(const struct hm_lazy_mmu *mmu)
{
	return mmu->generation + HM_LAZY_GENERATION_ONE_;
}

/*
 * Opens a frame of the next generation with the flags of outer and those in set; returns its word.
 * Plain accesses, here and below: an exception leaves the state as it found it, but for the
 * generation (see HM_LAZY_DEPTH_).
 */
static inline uint64_t hm_lazy_mmu_open_(struct hm_lazy_mmu *mmu, uint64_t generation,
					 uint64_t outer, uint64_t set)
{
	uint64_t name = (generation ^ hm_lazy_mmu_identity_(mmu)) & ~HM_LAZY_FLAGS_;

	mmu->generation = generation;
	mmu->word = (name | (outer & HM_LAZY_FLAGS_)) | set;
	return mmu->word;
}

/* The current frame becomes word, and what is pending is published; no barrier if nothing is. */
static inline void hm_lazy_mmu_publish_(struct hm_lazy_mmu *mmu, uint64_t word, uint64_t pending)
{
	/* First the state, then the barriers: an exception in between saves and restores the state, and
	 * this CPU, or the one that the context was moved to, still executes the pair. */
	mmu->word = word;
	mmu->pending = 0;
	if (pending) {
		hm_port_lazy_publish();
		hm_port_lazy_context_sync();
	}
}

/* The word of a frame whose nesting is not known any more: eager, and so are sections inside. */
static inline uint64_t hm_lazy_mmu_broken_(uint64_t word)
{
	return (word & ~HM_LAZY_ACTIVE_) | HM_LAZY_HELD_ | HM_LAZY_BROKEN_;
}

/* A leave or resume whose frame is not the innermost of this context. */
static HM_COLD_ void hm_lazy_mmu_misuse_(struct hm_lazy_mmu *mmu, uint64_t outer, uint64_t self)
{
	uint64_t word = mmu->word;
	uint64_t generation = (self ^ hm_lazy_mmu_identity_(mmu)) & ~HM_LAZY_FLAGS_;
	bool own = generation <= mmu->generation;
	bool outermost = own && !(outer & HM_LAZY_OPEN_) && !((outer ^ word) & HM_LAZY_DEPTH_);
	bool open;

	if (!self && (outer & HM_LAZY_BROKEN_))
		return; /* entered while broken: that call changed nothing, nor does this one */
	if (word & HM_LAZY_BROKEN_) { /* reported when it broke */
		if (outermost)
			mmu->word = outer;
		return;
	}
	open = word & HM_LAZY_OPEN_;
	if (open)
		word = outermost ? outer : hm_lazy_mmu_broken_(word);
	hm_lazy_mmu_publish_(mmu, word, mmu->pending);

	if (!own)
		HM_BUG("lazy_mmu: token of another context");
	else if (!open)
		HM_BUG("lazy_mmu: left twice, or outside any section");
	else
		HM_BUG("lazy_mmu: left out of order, twice, or an inner leave was forgotten");
}

/* Ends a frame: publishes what is pending, then the frame around it is current again. */
static inline void hm_lazy_mmu_close_(uint64_t outer, uint64_t self)
{
	struct hm_lazy_mmu *mmu = hm_lazy_mmu_here_();
	uint64_t pending = mmu->pending;

	if (HM_UNLIKELY_(mmu->word != self))
		hm_lazy_mmu_misuse_(mmu, outer, self);
	else
		hm_lazy_mmu_publish_(mmu, outer, pending);
}

/* A section entered while paused or broken. Paused: a frame, so that it is checked, but not lazy.
 * Broken: nothing, as frames are not tracked any more. */
static HM_COLD_ hm_lazy_mmu_token_t hm_lazy_mmu_enter_held_(struct hm_lazy_mmu *mmu)
{
	hm_lazy_mmu_token_t tok = { mmu->word, 0 };

	if (!(tok.outer & HM_LAZY_BROKEN_))
		tok.self = hm_lazy_mmu_open_(mmu, hm_lazy_mmu_next_(mmu), tok.outer, 0);
	return tok;
}

/*
 * Opens a section: until the paired hm_lazy_mmu_leave(), hm_lazy_mmu_queue() only notes that a
 * publication is owed. Inside a pause it changes nothing. Any context, interrupt included; no
 * barrier, never sleeps. Cannot fail.
 */
static inline HM_MUST_USE_ hm_lazy_mmu_token_t hm_lazy_mmu_enter(void)
{
	struct hm_lazy_mmu *mmu = hm_lazy_mmu_here_();
	uint64_t generation = hm_lazy_mmu_next_(mmu);
	hm_lazy_mmu_token_t tok = { mmu->word, 0 };

	if (HM_UNLIKELY_(tok.outer & HM_LAZY_HELD_))
		return hm_lazy_mmu_enter_held_(mmu);
	tok.self = hm_lazy_mmu_open_(mmu, generation, tok.outer, HM_LAZY_OPEN_ | HM_LAZY_ACTIVE_);
	return tok;
}

/*
 * Closes the section that returned tok. All that is pending, of outer sections too, is published:
 * one pair of barriers, or none if nothing was pending. Same context as the enter, innermost first.
 * Misuse: HM_BUG, as in ERRORS above.
 */
static inline void hm_lazy_mmu_leave(hm_lazy_mmu_token_t tok)
{
	hm_lazy_mmu_close_(tok.outer, tok.self);
}

/*
 * Notes that an entry of this CPU's address space was made valid: owed until the section's end, or
 * published at once outside a section. For entry writers; those of pgtable.h call it. After the
 * store.
 */
static inline void hm_lazy_mmu_queue(void)
{
	struct hm_lazy_mmu *mmu = hm_port_lazy_mmu();
	/* By address: gcc then folds the offset of a state that is itself a member into each access,
	 * which saves an addition here. */
	uint64_t *word = &mmu->word, *pending = &mmu->pending;

	if (HM_LIKELY_(*word & HM_LAZY_ACTIVE_)) {
		*pending = *word;
	} else {
		hm_port_lazy_publish();
		hm_port_lazy_context_sync();
	}
}

/*
 * Publishes what is pending now and stays in the section: before a new address is handed to another
 * CPU, or used by this one. Nothing if nothing is pending. Any context.
 */
static inline void hm_lazy_mmu_flush(void)
{
	struct hm_lazy_mmu *mmu = hm_port_lazy_mmu();

	hm_lazy_mmu_publish_(mmu, mmu->word, mmu->pending);
}

/*
 * Publishes what is pending, and until the paired hm_lazy_mmu_resume() every entry is published as
 * it is written, also in sections that callees enter. For callees that use what they map. Pauses
 * nest. Allowed outside a section.
 */
static inline HM_MUST_USE_ hm_lazy_mmu_pause_t hm_lazy_mmu_pause(void)
{
	struct hm_lazy_mmu *mmu = hm_port_lazy_mmu();
	hm_lazy_mmu_pause_t tok = { mmu->word, 0 };

	hm_lazy_mmu_publish_(mmu, tok.outer, mmu->pending);
	if (!(tok.outer & HM_LAZY_BROKEN_))
		tok.self = hm_lazy_mmu_open_(mmu, hm_lazy_mmu_next_(mmu),
					     tok.outer & ~HM_LAZY_ACTIVE_,
					     HM_LAZY_OPEN_ | HM_LAZY_HELD_);
	return tok;
}

/* Ends the pause that returned tok; the section around it is lazy again. As hm_lazy_mmu_leave(). */
static inline void hm_lazy_mmu_resume(hm_lazy_mmu_pause_t tok)
{
	hm_lazy_mmu_close_(tok.outer, tok.self);
}

/* Whether an entry written now would be published later. */
static inline bool hm_lazy_mmu_active(void)
{
	return hm_port_lazy_mmu()->word & HM_LAZY_ACTIVE_;
}

/* The cold end of hm_lazy_mmu_assert_idle(). */
static HM_COLD_ void hm_lazy_mmu_not_idle_(struct hm_lazy_mmu *mmu)
{
	hm_lazy_mmu_publish_(mmu, mmu->word & HM_LAZY_DEPTH_, mmu->pending);
	HM_BUG("lazy_mmu: section still open, a leave was forgotten");
}

/*
 * Says that no section may be open here: call it at return to user mode and at thread exit. If one
 * is, HM_BUG is told, what is pending is published and the context is idle again.
 */
static inline void hm_lazy_mmu_assert_idle(void)
{
	struct hm_lazy_mmu *mmu = hm_port_lazy_mmu();

	if (HM_UNLIKELY_((mmu->word & HM_LAZY_OPEN_) || mmu->pending))
		hm_lazy_mmu_not_idle_(mmu);
}

/*
 * Exception entry, interrupts and synchronous ones alike, from user mode too: sets the section of
 * the interrupted context aside. The handler starts idle: its writes are published at once, it may
 * open sections of its own, and it can neither see nor disturb what it interrupted. No barrier.
 */
static inline HM_MUST_USE_ hm_lazy_mmu_exception_t hm_lazy_mmu_exception_push(void)
{
	struct hm_lazy_mmu *mmu = hm_port_lazy_mmu();
	hm_lazy_mmu_exception_t tok = { mmu->word, 0 };

	if (mmu->pending)
		tok.outer |= HM_LAZY_PENDING_;
	mmu->pending = 0;
	tok.self = hm_lazy_mmu_open_(mmu, hm_lazy_mmu_next_(mmu),
				     (tok.outer + HM_LAZY_DEPTH_ONE_) & HM_LAZY_DEPTH_, 0);
	return tok;
}

/* A handler left a section open, or an exception token came back twice or out of order: the section
 * that it names goes on, but no longer lazy. */
static HM_COLD_ void hm_lazy_mmu_exception_misuse_(struct hm_lazy_mmu *mmu,
						   hm_lazy_mmu_exception_t tok)
{
	uint64_t word = tok.outer & ~HM_LAZY_PENDING_;

	hm_lazy_mmu_publish_(mmu, word & HM_LAZY_OPEN_ ? hm_lazy_mmu_broken_(word) : word,
			     mmu->pending | (tok.outer & HM_LAZY_PENDING_));
	HM_BUG("lazy_mmu: exception return with a section open, or out of order");
}

/*
 * Exception return: the state that the paired push set aside is current again, with what it owed.
 * Call it last, with nothing between it and the return that writes entries. No barrier. A section
 * that the handler left open: HM_BUG, published, and the interrupted section is no longer lazy.
 */
static inline void hm_lazy_mmu_exception_pop(hm_lazy_mmu_exception_t tok)
{
	struct hm_lazy_mmu *mmu = hm_port_lazy_mmu();

	if (HM_UNLIKELY_(mmu->word != tok.self || mmu->pending)) {
		hm_lazy_mmu_exception_misuse_(mmu, tok);
		return;
	}
	mmu->word = tok.outer & ~HM_LAZY_PENDING_;
	mmu->pending = tok.outer & HM_LAZY_PENDING_;
}

/*
 * Part of every context switch, unconditionally: on the CPU that the context leaves, after its last
 * store and before another CPU may run it. Unconditionally, because the interrupt that preempts a
 * section has set the word aside that would say "pending", and because a TLBI that the context has
 * begun is completed here or not at all. What a section owes stays owed; whichever CPU executes the
 * leave pays it. On that CPU a context synchronisation event comes before the context goes on: the
 * return from an exception is one, a switch by call needs hm_port_lazy_context_sync(). One barrier.
 */
static inline void hm_lazy_mmu_switch(void)
{
	hm_port_lazy_switch();
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
