/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * context.h -- what one execution context owes and may do: the word that lazy_mmu.h and kpkeys.h share.
 *
 * USE      #include <hardmap/context.h>    (with your hardmap_port.h on the include path)
 *
 *          hm_context_exception_t interrupted = hm_context_exception_push();   // exception entry
 *          hm_context_exception_pop(interrupted);                              // exception return
 *
 *          hm_context_switch_t away = hm_context_switch_out();                 // every context switch
 *          // ... another context runs here ...
 *          hm_context_switch_in(away);
 *
 *          hm_context_assert_idle();                                           // return to user, exit
 *
 *          These are all that exception entry, the scheduler and the return to user mode have to do,
 *          whichever modules are in use. ports/README.md says where each stands.
 *
 *          Sections (lazy_mmu.h) and levels (kpkeys.h) are frames: what opens one returns a token, what
 *          closes it wants that token back, innermost first. The word names the innermost open frame and
 *          holds what it says: whether publication is batched, the level of access to protected memory,
 *          how that memory is protected. The token holds the word before. The word is written first, then
 *          the hardware follows.
 *
 * STATE    Yours: one struct hm_context per execution context, written by that context alone; all-zero is
 *          "nothing open, default level". Memory that served one context serves the next after
 *          hm_context_reuse(); zeroing it would make tokens of the old one fit again. An execution context is
 *          one of
 *            thread           if exception entry calls hm_context_exception_push() and return calls
 *                             _pop(): a handler then runs on the thread's state, from a clean start;
 *            thread, softirq, if the port has no vectors of its own: hm_port_context() selects by what
 *            hardirq, NMI     is *executing* (not by "bottom halves are off"). Synchronous exceptions
 *                             then share the interrupted section. Not with window keys: an interrupt
 *                             would run at the level that it interrupted.
 *          Before there are threads each CPU has a static one.
 * CONTEXT  The owning context only. Takes no lock, never sleeps, O(1), no atomics.
 * ERRORS   None at run time. Misuse (a token left out of order, twice, or by another context; a forgotten
 *          leave; saved state that was overwritten) is a caller bug: HM_BUG is told, all that is pending is
 *          published, the level is the default one, and every write is guarded and published by itself
 *          until the outermost frame is left.
 *          No single stray store to a word or a token raises the level: what sets a level aside believes
 *          neither the word nor the register alone, what restores one compares its two copies, in the word
 *          and in the token, and takes the register's value from a constant.
 * CONFIG   HM_CONTEXT_TYPES_ONLY  stop after part 1; for headers that embed the types
 *          HM_NO_STD_HEADERS      uint64_t, uintptr_t, UINT64_C and bool are declared already
 *          HM_PORT_COLD           the attribute of functions that are rarely called, where it is another; gcc
 *                                 before 14 forgets the kernel's alignment of functions for its own, cold
 * PORT     HM_BUG, HM_PORT_KEY_STYLE and the hooks of part 3. Template: ports/template
 * NOT      A thread: it knows neither stack nor registers.
 */
#ifndef HM_CONTEXT_TYPES_H
#define HM_CONTEXT_TYPES_H
/* ---- 1. types: need no port ---- */
#ifndef HM_NO_STD_HEADERS
#include <stdbool.h>
#include <stdint.h>
#endif

/* The state of one execution context. Private. */
struct hm_context {
	/* The generation of the youngest frame, counted in bits 63:16. Only ever grows, also across
	 * exceptions, so that a used token never matches again. 2^48 frames outlast the machine. */
	uint64_t generation;
	/* Bits 63:16 name the innermost open frame (its generation and this context), 0 for none;
	 * bits 15:0 are HM_CONTEXT_*_ fields. Between its neighbours, as enter and leave each use it
	 * with one of them: one paired load, one paired store. */
	uint64_t word;
	/* Not zero: entries were made valid since the last publication. */
	uint64_t pending;
};

/* What hm_context_exception_push() returns and _pop() wants back; keep it in the exception frame. */
typedef struct {
	uint64_t outer; /* the word before */
	uint64_t self; /* the word after */
} hm_context_exception_t;

/* The same for switch_out and switch_in; keep it on the stack of the context that is switched out. */
typedef struct {
	uint64_t outer;
	uint64_t self;
} hm_context_switch_t;

/* How memory of the keys other than 0 is protected: HM_PORT_KEY_STYLE is one of these. */
#define HM_KEY_STYLE_RUN_TIME 0 /* hm_port_key_style() knows, and never says this */
#define HM_KEY_STYLE_NONE 1 /* not at all: an ordinary store writes it */
#define HM_KEY_STYLE_WINDOW 2 /* a register opens a window for stores (arm64 POE, x86 PKS) */
#define HM_KEY_STYLE_STORE 3 /* only a store instruction of its own writes it (arm64 GCS) */

/* Keys: what a page is tagged with. Those from HM_KEY_FIRST_FREE to 15 are the kernel's own. */
#define HM_KEY_DEFAULT 0 /* everything else; always readable, writable and executable */
#define HM_KEY_PGTABLES 1 /* page tables, and what decides where they are */
#define HM_KEY_TEXT 2 /* the writable alias of code */
#define HM_KEY_FIRST_FREE 3

/* What a level lets the kernel do to a key's memory, beside what the page itself permits. */
#define HM_KEY_READ 1
#define HM_KEY_EXECUTE 2
#define HM_KEY_WRITE 4
#define HM_KEY_ALLOW(key, access) ((uint64_t)(access) << (4 * (key)))

/* Levels: which keys are open. Each replaces the one around it, none adds to it. Those from
 * HM_KPKEYS_FIRST_FREE to 7 are the kernel's own. */
#define HM_KPKEYS_DEFAULT 0 /* no key but the default one is writable */
#define HM_KPKEYS_PGTABLES 1 /* HM_KEY_PGTABLES is too */
#define HM_KPKEYS_TEXT 2 /* HM_KEY_TEXT is too */
#define HM_KPKEYS_UNRESTRICTED 3 /* every key is */
#define HM_KPKEYS_FIRST_FREE 4

/*
 * What every level allows, the default one included; the rows of the table add to it. The port's
 * HM_PORT_KPKEYS_BASE speaks of keys from HM_KEY_FIRST_FREE on: HM_KEY_ALLOW(3, HM_KEY_READ) | ..., 0 if
 * there are none.
 */
#define HM_KPKEYS_BASE                                                                         \
	(HM_KEY_ALLOW(HM_KEY_DEFAULT, HM_KEY_READ | HM_KEY_EXECUTE | HM_KEY_WRITE) |           \
	 HM_KEY_ALLOW(HM_KEY_PGTABLES, HM_KEY_READ) | HM_KEY_ALLOW(HM_KEY_TEXT, HM_KEY_READ) | \
	 (HM_PORT_KPKEYS_BASE))
#endif /* HM_CONTEXT_TYPES_H */

#if !defined(HM_CONTEXT_TYPES_ONLY) && !defined(HM_CONTEXT_H)
#define HM_CONTEXT_H
/* ---- 2. port ---- */
#include "hardmap_port.h" /* yours, on the include path; start from ports/template */
#ifndef HM_BUG
#error "context.h: the port must define HM_BUG(message), also where it is to do nothing"
#endif
#ifndef HM_PORT_KEY_STYLE
#error "context.h: the port must define HM_PORT_KEY_STYLE, HM_KEY_STYLE_NONE if it knows no keys"
#endif

/* ---- 3. port contract: compiled, so it cannot go stale ---- */
#ifndef HM_PORT_REQUIRE /* what all module headers share; the others get it from here */
#ifdef __cplusplus
#define HM_ASSERT_(condition, text) static_assert(condition, text)
#define HM_PORT_REQUIRE(ret, hook, params) \
	static_assert(sizeof(static_cast<ret(*) params>(&hook)) != 0, "port hook")
#else
#define HM_ASSERT_(condition, text) _Static_assert(condition, text)
#define HM_PORT_REQUIRE(ret, hook, params)                              \
	_Static_assert(_Generic(&hook, ret(*) params : 1, default : 0), \
		       "port hook must be: " #ret " " #hook #params)
#endif
#ifdef __cplusplus
#define HM_NULL_ nullptr
#else
#define HM_NULL_ ((void *)0)
#endif
#define HM_LIKELY_(condition) __builtin_expect(!!(condition), 1)
#define HM_UNLIKELY_(condition) __builtin_expect(!!(condition), 0)
#define HM_MUST_USE_ __attribute__((__warn_unused_result__))
#ifndef HM_PORT_COLD
#define HM_PORT_COLD __attribute__((__cold__))
#endif
#define HM_COLD_ HM_PORT_COLD __attribute__((__noinline__, __unused__))
#define HM_NOINLINE_ \
	__attribute__((__noinline__, __unused__)) /* called from many places, and long */
#define HM_ALWAYS_INLINE_ inline __attribute__((__always_inline__))
#endif
/* The state of the execution context that runs now. No side effects; for one context always the
 * same address. */
HM_PORT_REQUIRE(struct hm_context *, hm_port_context, (void));
/* Every earlier table store of this CPU is visible to the table walkers of all CPUs before a later
 * instruction that follows hm_port_context_sync(). arm64: DSB ISHST (Arm ARM D8.17). */
HM_PORT_REQUIRE(void, hm_port_context_publish, (void));
/* Later instructions of this CPU are fetched and translated anew, by the registers as they now are: no
 * verdict of "invalid" or "denied" that was reached earlier survives, nor one of "permitted". arm64: ISB
 * (Arm ARM D1.3, context synchronisation). */
HM_PORT_REQUIRE(void, hm_port_context_sync, (void));
/* As hm_port_context_publish(), and also ordered before whatever lets another CPU run the outgoing
 * context. arm64: DSB ISH. */
HM_PORT_REQUIRE(void, hm_port_context_switch, (void));

#if HM_PORT_KEY_STYLE == HM_KEY_STYLE_RUN_TIME
/* NONE, WINDOW or STORE: what protection is in force. Final before a second context exists, the same on
 * every CPU, until a hand-over; not from memory that a stray store reaches. Any context. */
HM_PORT_REQUIRE(unsigned int, hm_port_key_style, (void));
#elif HM_PORT_KEY_STYLE != HM_KEY_STYLE_NONE && HM_PORT_KEY_STYLE != HM_KEY_STYLE_WINDOW && \
	HM_PORT_KEY_STYLE != HM_KEY_STYLE_STORE
#error "context.h: HM_PORT_KEY_STYLE must be one of HM_KEY_STYLE_*"
#endif

/* Whether there may be a key register. */
#if HM_PORT_KEY_STYLE == HM_KEY_STYLE_RUN_TIME || HM_PORT_KEY_STYLE == HM_KEY_STYLE_WINDOW
#define HM_CONTEXT_HAS_WINDOW_ 1
/* This CPU's key register, of the kernel's own accesses. Called in style WINDOW only. A write is a
 * compiler barrier; it takes effect with hm_port_context_sync() or an exception return and no later. */
HM_PORT_REQUIRE(uint64_t, hm_port_kpkeys_read, (void));
HM_PORT_REQUIRE(void, hm_port_kpkeys_write, (uint64_t));
#ifndef HM_PORT_KPKEYS
#error "context.h: the port must define HM_PORT_KPKEYS, how many keys there are, 3 to 16"
#endif
#ifndef HM_PORT_KPKEYS_REGISTER
#error "context.h: the port must define HM_PORT_KPKEYS_REGISTER(permissions), a constant expression"
#endif
#ifndef HM_PORT_KPKEYS_BASE
#error "context.h: the port must define HM_PORT_KPKEYS_BASE, what each level allows of the kernel's own keys"
#endif
#ifndef HM_PORT_KPKEYS_LEVELS
#error "context.h: the port must define HM_PORT_KPKEYS_LEVELS(LEVEL), the kernel's own levels"
#endif
#else
#define HM_CONTEXT_HAS_WINDOW_ 0
#endif

/* Whether there may be keyed stores: ordinary accesses do not order them, nor they each other. */
#if HM_PORT_KEY_STYLE == HM_KEY_STYLE_RUN_TIME || HM_PORT_KEY_STYLE == HM_KEY_STYLE_STORE
#define HM_CONTEXT_HAS_STORE_ 1
/* Both called in style STORE only, where hm_port_context_publish() and _switch() are the second, too. */
/* Every earlier access of this CPU, and whatever was before it (another CPU's, by a lock that was taken), is
 * before every later keyed store of this CPU. arm64: DMB ISH; GCSB DSYNC (Arm ARM D11.9). */
HM_PORT_REQUIRE(void, hm_port_keyed_begin, (void));
/* Every earlier keyed store of this CPU is before every later access of it, a load of the same entry and the
 * store that drops a lock included. arm64: GCSB DSYNC; DMB ISH. */
HM_PORT_REQUIRE(void, hm_port_keyed_end, (void));
#else
#define HM_CONTEXT_HAS_STORE_ 0
#endif
#define HM_CONTEXT_HAS_KEYS_ (HM_CONTEXT_HAS_WINDOW_ || HM_CONTEXT_HAS_STORE_)

/* ---- 4. configuration: the table of levels and keys ---- */
#if HM_CONTEXT_HAS_WINDOW_
#if HM_PORT_KPKEYS < 3 || HM_PORT_KPKEYS > 16
#error "context.h: HM_PORT_KPKEYS must be 3 to 16"
#endif
#define HM_KPKEYS_EVERYTHING_ \
	(UINT64_C(0x5555555555555555) & (~UINT64_C(0) >> (64 - 4 * HM_PORT_KPKEYS)))
/* A row is a level and what it allows beyond the base. HM_PORT_KPKEYS_LEVELS(LEVEL) continues the table:
 * LEVEL(4, HM_KEY_ALLOW(3, HM_KEY_WRITE)) ..., or nothing. */
#define HM_KPKEYS_TABLE_(LEVEL)                                                \
	LEVEL(HM_KPKEYS_DEFAULT, 0)                                            \
	LEVEL(HM_KPKEYS_PGTABLES, HM_KEY_ALLOW(HM_KEY_PGTABLES, HM_KEY_WRITE)) \
	LEVEL(HM_KPKEYS_TEXT, HM_KEY_ALLOW(HM_KEY_TEXT, HM_KEY_WRITE))         \
	LEVEL(HM_KPKEYS_UNRESTRICTED, HM_KPKEYS_EVERYTHING_)                   \
	HM_PORT_KPKEYS_LEVELS(LEVEL)

#define HM_KPKEYS_CHECK_(level, permissions)                                             \
	HM_ASSERT_((level) >= 0 && (level) < 8, "a level is 0 to 7: " #level);           \
	HM_ASSERT_(!((HM_KPKEYS_BASE | (permissions)) >> (4 * HM_PORT_KPKEYS - 4) >> 4), \
		   "no such key: " #level);                                              \
	HM_ASSERT_(HM_PORT_KPKEYS_REGISTER(HM_KPKEYS_BASE | (permissions)) || 1,         \
		   "HM_PORT_KPKEYS_REGISTER() must be a constant expression");
HM_KPKEYS_TABLE_(HM_KPKEYS_CHECK_)
#undef HM_KPKEYS_CHECK_
/* Which levels there are: bit n for level n. */
#define HM_KPKEYS_BIT_(level, permissions) | 1u << (level)
#define HM_KPKEYS_ROWS_ (0 HM_KPKEYS_TABLE_(HM_KPKEYS_BIT_))
#endif

/* ---- 5. interface ---- */

#define HM_CONTEXT_ACTIVE_ \
	UINT64_C(0x0001) /* entries are written by ordinary stores, and published later */
#define HM_CONTEXT_OPEN_ UINT64_C(0x0002) /* a frame is open, at this exception depth */
#define HM_CONTEXT_HELD_ UINT64_C(0x0004) /* paused or broken: a section entered now is not lazy */
#define HM_CONTEXT_BROKEN_ UINT64_C(0x0008) /* misuse was found; ends at the outermost leave */
/* How many exceptions deep, modulo 8. Keeps a handler's frames apart from those of a section that
 * it interrupted between reading the generation and writing it back. */
#define HM_CONTEXT_DEPTH_ UINT64_C(0x0070)
#define HM_CONTEXT_DEPTH_ONE_ UINT64_C(0x0010)
/* Only in the token of an exception: the interrupted section owes a publication. */
#define HM_CONTEXT_PENDING_ UINT64_C(0x0080)
/* The level of this frame, and of the one around it: what a token says of that must agree. Both 0 where
 * there is no register. */
#define HM_CONTEXT_LEVEL_ UINT64_C(0x0700)
#define HM_CONTEXT_LEVEL_SHIFT_ 8
#define HM_CONTEXT_OUTER_ UINT64_C(0x3800)
#define HM_CONTEXT_OUTER_FIELD_ 11
#define HM_CONTEXT_OUTER_SHIFT_ 3 /* from the one to the other */
/* HM_KEY_STYLE_*, 0 until it was asked for. Its lower bit: there is no register; both: keyed stores. */
#define HM_CONTEXT_STYLE_ UINT64_C(0xc000)
#define HM_CONTEXT_STYLE_SHIFT_ 14
#define HM_CONTEXT_NO_REGISTER_ UINT64_C(0x4000)
/* Entries are written by keyed stores, and published later: where there is no register, the level's lowest
 * bit is free for it. With the style, so that no level is taken for it. */
#define HM_CONTEXT_ACTIVE_KEYED_ (HM_CONTEXT_STYLE_ | UINT64_C(0x0100))
#define HM_CONTEXT_FLAGS_ UINT64_C(0xffff)
/* What is 0 while nothing is open. */
#define HM_CONTEXT_BUSY_                                                                 \
	(HM_CONTEXT_ACTIVE_ | HM_CONTEXT_OPEN_ | HM_CONTEXT_HELD_ | HM_CONTEXT_BROKEN_ | \
	 HM_CONTEXT_PENDING_ | HM_CONTEXT_LEVEL_)

#define HM_CONTEXT_GENERATION_ONE_ UINT64_C(0x10000)
/* The word of a thread with nothing open, where there is a register. */
#define HM_CONTEXT_IDLE_WINDOW_ ((uint64_t)HM_KEY_STYLE_WINDOW << HM_CONTEXT_STYLE_SHIFT_)

/* ---- the register ---- */

/* HM_KEY_STYLE_NONE, _WINDOW or _STORE. */
static inline unsigned int hm_context_style_(void)
{
#if HM_PORT_KEY_STYLE == HM_KEY_STYLE_RUN_TIME
	return hm_port_key_style();
#else
	return HM_PORT_KEY_STYLE;
#endif
}

/* Whether there is one. For whoever does not trust the word. */
static inline bool hm_context_has_register_(void)
{
	return hm_context_style_() == HM_KEY_STYLE_WINDOW;
}

/* Whether protected memory takes keyed stores, likewise. */
static inline bool hm_context_is_keyed_(void)
{
	return HM_CONTEXT_HAS_STORE_ && hm_context_style_() == HM_KEY_STYLE_STORE;
}

static inline void hm_context_keyed_begin_(void)
{
#if HM_CONTEXT_HAS_STORE_
	hm_port_keyed_begin();
#endif
}

static inline void hm_context_keyed_end_(void)
{
#if HM_CONTEXT_HAS_STORE_
	hm_port_keyed_end();
#endif
}

#if HM_CONTEXT_HAS_WINDOW_
/* The constant of a level; of a number that is none, of the default level. Where the level is not known when
 * it is compiled, from code or from a table in read-only data, as the compiler sees fit. */
static HM_ALWAYS_INLINE_ uint64_t hm_context_constant_(uint64_t level)
{
#define HM_KPKEYS_CASE_(row, permissions) \
	case row:                         \
		return HM_PORT_KPKEYS_REGISTER(HM_KPKEYS_BASE | (permissions));
	switch (level) {
	default:
		HM_KPKEYS_TABLE_(HM_KPKEYS_CASE_)
	}
#undef HM_KPKEYS_CASE_
}

/* Whether the level's constant, and no other, is in the register. */
static HM_ALWAYS_INLINE_ bool hm_context_register_is_(uint64_t level)
{
	return hm_port_kpkeys_read() == hm_context_constant_(level);
}

static HM_ALWAYS_INLINE_ void hm_context_register_set_(uint64_t level)
{
	hm_port_kpkeys_write(hm_context_constant_(level));
}
#else
static HM_ALWAYS_INLINE_ bool hm_context_register_is_(uint64_t level)
{
	(void)level;
	return true;
}

static HM_ALWAYS_INLINE_ void hm_context_register_set_(uint64_t level)
{
	(void)level;
}
#endif

/* Whether ordinary stores of that level reach page tables. */
static HM_ALWAYS_INLINE_ bool hm_context_opens_tables_(uint64_t level)
{
#if HM_CONTEXT_HAS_WINDOW_
#define HM_KPKEYS_CASE_(row, permissions) \
	case row:                         \
		return (permissions)&HM_KEY_ALLOW(HM_KEY_PGTABLES, HM_KEY_WRITE);
	switch (level) {
	default:
		HM_KPKEYS_TABLE_(HM_KPKEYS_CASE_)
	}
#undef HM_KPKEYS_CASE_
#else
	(void)level;
	return true;
#endif
}

/* ---- the word ---- */

/* The state of the context, its address opaque to the compiler: were the offset of a state that is itself
 * a member folded into each access, one beyond 504 bytes would break up arm64's paired accesses. */
static inline struct hm_context *hm_context_here_(void)
{
	struct hm_context *ctx = hm_port_context();

	__asm__("" : "+r"(ctx));
	return ctx;
}

/* The context's part of a frame's name. XORed over the generation's upper bits, so that no other
 * context within 4 GiB gives its frames the same name before it has opened a million of them. */
static inline uint64_t hm_context_identity_(const struct hm_context *ctx)
{
	return (uint64_t)(uintptr_t)ctx << 32;
}

static inline uint64_t hm_context_next_(const struct hm_context *ctx)
{
	return ctx->generation + HM_CONTEXT_GENERATION_ONE_;
}

static inline uint64_t hm_context_level_(uint64_t word)
{
	return (word & HM_CONTEXT_LEVEL_) >> HM_CONTEXT_LEVEL_SHIFT_;
}

/* The word with the style as the port knows it, not as somebody left it. */
static inline uint64_t hm_context_styled_(uint64_t word)
{
	if (!HM_CONTEXT_HAS_KEYS_)
		return word;
	return (word & ~HM_CONTEXT_STYLE_) | (uint64_t)hm_context_style_()
						     << HM_CONTEXT_STYLE_SHIFT_;
}

/* The first frame of a context asks how memory is protected, once. */
static HM_COLD_ uint64_t hm_context_ask_(struct hm_context *ctx)
{
	ctx->word = hm_context_styled_(ctx->word);
	return ctx->word;
}

/* The word, which says how memory is protected: no frame is opened on one that does not. */
static inline uint64_t hm_context_known_(struct hm_context *ctx)
{
	uint64_t word = ctx->word;

	if (HM_CONTEXT_HAS_KEYS_ && HM_UNLIKELY_(!(word & HM_CONTEXT_STYLE_)))
		return hm_context_ask_(ctx);
	return word;
}

/* Whether entries written by keyed stores are published later. */
static inline bool hm_context_is_active_keyed_(uint64_t word)
{
	return HM_CONTEXT_HAS_STORE_ &&
	       (word & HM_CONTEXT_ACTIVE_KEYED_) == HM_CONTEXT_ACTIVE_KEYED_;
}

/* The flags of a section that is lazy, in the way of the style. */
static inline uint64_t hm_context_active_(uint64_t flags)
{
	if (HM_CONTEXT_HAS_STORE_ && (flags & HM_CONTEXT_STYLE_) == HM_CONTEXT_STYLE_)
		return flags | HM_CONTEXT_ACTIVE_KEYED_;
	return flags | HM_CONTEXT_ACTIVE_;
}

/* Whether the word of a frame and the word around it, from its token, agree on the level outside and on the
 * style, which no frame changes. */
static inline bool hm_context_agrees_(uint64_t self, uint64_t outer)
{
	return !((self >> HM_CONTEXT_OUTER_SHIFT_ ^ outer) & HM_CONTEXT_LEVEL_) &&
	       !((self ^ outer) & HM_CONTEXT_STYLE_);
}

/* The flags of a frame at the level of the word around it, before anything is set. */
static inline uint64_t hm_context_inside_(uint64_t outer)
{
	uint64_t flags = outer & HM_CONTEXT_FLAGS_;

	if (!HM_CONTEXT_HAS_WINDOW_)
		return flags;
	return (flags & ~HM_CONTEXT_OUTER_) | (flags & HM_CONTEXT_LEVEL_)
						      << HM_CONTEXT_OUTER_SHIFT_;
}

/* Those of a frame at another level, which writes entries only if that level lets it. */
static HM_ALWAYS_INLINE_ uint64_t hm_context_inside_at_(uint64_t outer, uint64_t level)
{
	uint64_t flags = hm_context_inside_(outer);

	if (!HM_CONTEXT_HAS_WINDOW_ || (outer & HM_CONTEXT_NO_REGISTER_))
		return flags;
	flags = (flags & ~HM_CONTEXT_LEVEL_) | level << HM_CONTEXT_LEVEL_SHIFT_;
	return hm_context_opens_tables_(level) ? flags : flags & ~HM_CONTEXT_ACTIVE_;
}

/* The word around an outermost frame, a handler's or 0's, with nothing open whatever it says. */
static inline uint64_t hm_context_settled_(uint64_t outer)
{
	return hm_context_styled_(outer) & ~HM_CONTEXT_BUSY_;
}

/* The word of a frame whose nesting is not known any more: eager, and so are sections inside; at the
 * default level. */
static inline uint64_t hm_context_broken_(uint64_t word)
{
	return (hm_context_styled_(word) &
		~(HM_CONTEXT_ACTIVE_ | HM_CONTEXT_LEVEL_ | HM_CONTEXT_OUTER_)) |
	       HM_CONTEXT_HELD_ | HM_CONTEXT_BROKEN_;
}

/*
 * Opens a frame of the next generation with those flags; returns its word. Plain accesses, here and
 * below: an exception leaves the state as it found it, but for the generation (see HM_CONTEXT_DEPTH_).
 */
static inline uint64_t hm_context_open_(struct hm_context *ctx, uint64_t generation, uint64_t flags)
{
	uint64_t name = (generation ^ hm_context_identity_(ctx)) & ~HM_CONTEXT_FLAGS_;

	ctx->generation = generation;
	ctx->word = name | flags;
	return ctx->word;
}

/* ---- the hardware follows the word ---- */

/* The register as the word of the running context says, a level of the table. Takes no level from its
 * caller, so that nobody who gets here chooses one. */
static HM_COLD_ void hm_context_raise_(void)
{
	hm_context_register_set_(hm_context_level_(hm_port_context()->word));
}

/* The register is not at the default level: now it is. */
static HM_COLD_ uint64_t hm_context_lower_raised_(uint64_t word)
{
	uint64_t level = hm_context_level_(word);

	if (!hm_context_register_is_(level))
		level = HM_KPKEYS_DEFAULT;
	hm_context_register_set_(HM_KPKEYS_DEFAULT);
	hm_port_context_sync();
	return level;
}

/*
 * The default level, whatever is open; returns the one to give back: what the word and the register agree on.
 * Where they do not, the word is a step ahead, and whoever wrote it writes the register next; or one of them
 * was overwritten.
 */
static inline uint64_t hm_context_lower_(uint64_t word)
{
	if (hm_context_has_register_() && HM_UNLIKELY_(!hm_context_register_is_(HM_KPKEYS_DEFAULT)))
		return hm_context_lower_raised_(word);
	return HM_KPKEYS_DEFAULT;
}

/*
 * The word was written: what is pending is published, and the register opens no more and no less than the
 * level. One context synchronisation for both; nothing at all if neither is needed.
 */
static inline void hm_context_follow_(uint64_t word, uint64_t pending)
{
	if (pending)
		hm_port_context_publish();
	if (hm_context_has_register_() && !hm_context_register_is_(hm_context_level_(word))) {
		if (HM_LIKELY_(hm_context_level_(word) == HM_KPKEYS_DEFAULT))
			hm_context_register_set_(HM_KPKEYS_DEFAULT);
		else
			hm_context_raise_();
		hm_port_context_sync();
	} else if (pending) {
		hm_port_context_sync();
	}
}

/* What is pending is published; the word stays. */
static inline void hm_context_flush_(struct hm_context *ctx)
{
	if (ctx->pending) {
		ctx->pending = 0; /* first the state, as below */
		hm_port_context_publish();
		hm_port_context_sync();
	}
}

/* The word is that one, and nothing is pending any more. */
static inline void hm_context_publish_(struct hm_context *ctx, uint64_t word, uint64_t pending)
{
	/* First the state, then the hardware: an exception in between saves and restores the state, and
	 * this CPU, or the one that the context was moved to, still executes what is left. */
	ctx->word = word;
	ctx->pending = 0;
	hm_context_follow_(word, pending);
}

/*
 * The word, after a look at whether it can be believed: its level is in the register, and nothing in it says
 * otherwise than that. If not, somebody overwrote the word, or wrote the register: HM_BUG, default level.
 */
static HM_COLD_ uint64_t hm_context_verify_(struct hm_context *ctx)
{
	uint64_t word = hm_context_known_(ctx);

	if ((hm_context_has_register_() && !hm_context_register_is_(hm_context_level_(word))) ||
	    word != hm_context_styled_(word) ||
	    (!(word & HM_CONTEXT_OPEN_) && (word & HM_CONTEXT_BUSY_))) {
		word = word & HM_CONTEXT_OPEN_ ? hm_context_broken_(word)
					       : hm_context_settled_(word);
		hm_context_publish_(ctx, word, ctx->pending);
		HM_BUG("context: the word was overwritten, or the key register");
	}
	return word;
}

/* ---- frames ---- */

/* A leave, resume or switch_in whose frame is not the innermost of this context, or whose token or word was
 * overwritten. */
static HM_COLD_ void hm_context_misuse_(struct hm_context *ctx, uint64_t outer, uint64_t self)
{
	uint64_t word = ctx->word;
	uint64_t generation = (self ^ hm_context_identity_(ctx)) & ~HM_CONTEXT_FLAGS_;
	bool own = generation <= ctx->generation;
	bool outermost = own && !(outer & HM_CONTEXT_OPEN_) &&
			 !((outer ^ word) & HM_CONTEXT_DEPTH_);
	bool open;

	if (!self && (outer & HM_CONTEXT_BROKEN_))
		return; /* entered while broken: that call changed nothing, nor does this one */
	if (word & HM_CONTEXT_BROKEN_) {
		/* Reported when it broke; or only the bit was overwritten, and the register is open. */
		hm_context_publish_(
			ctx, outermost ? hm_context_settled_(outer) : hm_context_broken_(word),
			ctx->pending);
		return;
	}
	open = word & HM_CONTEXT_OPEN_;
	if (!open)
		word = hm_context_settled_(word);
	else
		word = outermost ? hm_context_settled_(outer) : hm_context_broken_(word);
	hm_context_publish_(ctx, word, ctx->pending);

	if (!own)
		HM_BUG("context: token of another context, or overwritten");
	else if (!open)
		HM_BUG("context: left twice, or outside any frame");
	else
		HM_BUG("context: left out of order, twice, overwritten, or an inner leave was forgotten");
}

/* Memory of a context that has ended is to serve a new one: nothing is open, and its tokens still do not fit.
 * For whoever creates contexts, before the new one runs. */
static inline void hm_context_reuse(struct hm_context *ctx)
{
	ctx->word = 0;
	ctx->pending = 0;
}

/* The cold end of hm_context_assert_idle(). */
static HM_COLD_ void hm_context_not_idle_(struct hm_context *ctx)
{
	hm_context_publish_(ctx,
			    hm_context_styled_(ctx->word) & (HM_CONTEXT_DEPTH_ | HM_CONTEXT_STYLE_),
			    ctx->pending);
	HM_BUG("context: a section or level is still open, a leave was forgotten");
}

/*
 * Says that no section and no level may be open here: call it at return to user mode and at thread exit.
 * If one is, HM_BUG is told, what is pending is published and the context is idle again, at the default
 * level.
 */
static inline void hm_context_assert_idle(void)
{
	struct hm_context *ctx = hm_port_context();

	if (HM_UNLIKELY_(
		    (ctx->word & HM_CONTEXT_BUSY_) || ctx->pending ||
		    (ctx->word & HM_CONTEXT_STYLE_ && ctx->word != hm_context_styled_(ctx->word)) ||
		    (hm_context_has_register_() && !hm_context_register_is_(HM_KPKEYS_DEFAULT))))
		hm_context_not_idle_(ctx);
}

/* Whether a frame that hm_context_lower_() went into has a level to give back, and its token says another. */
static inline bool hm_context_took_another_(uint64_t self, uint64_t outer)
{
	return HM_CONTEXT_HAS_WINDOW_ && HM_UNLIKELY_(self & HM_CONTEXT_OUTER_) &&
	       !hm_context_agrees_(self, outer);
}

/* That level, once the word around the frame is current again: not before, or an exception in between takes
 * it away for good. */
static inline void hm_context_give_back_(uint64_t self)
{
	if (HM_CONTEXT_HAS_WINDOW_ && HM_UNLIKELY_(self & HM_CONTEXT_OUTER_))
		hm_context_raise_();
}

/* ---- exceptions ---- */

/*
 * Exception entry, interrupts and synchronous ones alike, from user mode too: sets the section and the
 * level of the interrupted context aside. The handler starts idle, at the default level, whatever the
 * register was: its writes are guarded and published at once, it may open sections of its own, and it can
 * neither see nor disturb what it interrupted. No barrier but the synchronisation of a register that was
 * not at the default.
 */
static inline HM_MUST_USE_ hm_context_exception_t hm_context_exception_push(void)
{
	struct hm_context *ctx = hm_port_context();
	hm_context_exception_t tok = { hm_context_known_(ctx), 0 };

	if (ctx->pending)
		tok.outer |= HM_CONTEXT_PENDING_;
	ctx->pending = 0;
	tok.self = hm_context_open_(
		ctx, hm_context_next_(ctx),
		((tok.outer + HM_CONTEXT_DEPTH_ONE_) & HM_CONTEXT_DEPTH_) | hm_context_styled_(0) |
			hm_context_lower_(tok.outer) << HM_CONTEXT_OUTER_FIELD_);
	return tok;
}

/* A handler left something open, an exception token came back twice, out of order or overwritten: what it
 * interrupted goes on, but neither lazy nor raised. */
static HM_COLD_ void hm_context_exception_misuse_(struct hm_context *ctx,
						  hm_context_exception_t tok)
{
	uint64_t word = tok.outer & ~HM_CONTEXT_PENDING_;

	hm_context_publish_(
		ctx, word & HM_CONTEXT_OPEN_ ? hm_context_broken_(word) : hm_context_settled_(word),
		ctx->pending | (tok.outer & HM_CONTEXT_PENDING_));
	HM_BUG("context: exception return with a section or level open, or out of order");
}

/*
 * Exception return: the state that the paired push set aside is current again, with what it owed, and at
 * its level. Call it last, with nothing between it and the return that writes entries. No barrier: the
 * return is the synchronisation. A section or level that the handler left open: HM_BUG, published, and
 * what was interrupted goes on neither lazy nor raised.
 */
static inline void hm_context_exception_pop(hm_context_exception_t tok)
{
	struct hm_context *ctx = hm_port_context();

	if (HM_UNLIKELY_(ctx->word != tok.self || ctx->pending ||
			 hm_context_took_another_(tok.self, tok.outer))) {
		hm_context_exception_misuse_(ctx, tok);
		return;
	}
	ctx->word = tok.outer & ~HM_CONTEXT_PENDING_;
	ctx->pending = tok.outer & HM_CONTEXT_PENDING_;
	hm_context_give_back_(tok.self);
}

/* ---- switches ---- */

/*
 * The first half of every context switch, unconditionally: on the CPU that the context leaves, after its
 * last store and before another CPU may run it. Unconditionally, because the interrupt that preempts a
 * section has set the word aside that would say "pending", and because a TLBI that the context has begun
 * is completed here or not at all. What a section owes stays owed; whichever CPU executes the leave pays
 * it. The level goes with the context: from here on this CPU is at the default one. One barrier, and a
 * synchronisation if the level was raised.
 */
static inline HM_MUST_USE_ hm_context_switch_t hm_context_switch_out(void)
{
	struct hm_context *ctx = hm_port_context();
	hm_context_switch_t tok = { hm_context_known_(ctx), 0 };

	tok.self = hm_context_open_(
		ctx, hm_context_next_(ctx),
		(tok.outer &
		 (HM_CONTEXT_DEPTH_ | HM_CONTEXT_STYLE_ | HM_CONTEXT_HELD_ | HM_CONTEXT_BROKEN_)) |
			HM_CONTEXT_OPEN_ | hm_context_lower_(tok.outer) << HM_CONTEXT_OUTER_FIELD_);
	hm_port_context_switch();
	return tok;
}

/*
 * The second half, in the same context, on whichever CPU it runs again: sections and level are as they
 * were. A new context, which was never switched out, starts without it. One synchronisation: an "invalid"
 * that this CPU concluded before what the context published elsewhere is dropped. After whatever the
 * scheduler acquired to take the context from the CPU that it left: no keyed store that comes next is before
 * that.
 */
static inline void hm_context_switch_in(hm_context_switch_t tok)
{
	struct hm_context *ctx = hm_port_context();

	if (HM_UNLIKELY_(ctx->word != tok.self || hm_context_took_another_(tok.self, tok.outer))) {
		hm_context_misuse_(ctx, tok.outer, tok.self);
	} else {
		ctx->word = tok.outer;
		hm_context_give_back_(tok.self);
	}
	if (hm_context_is_keyed_())
		hm_context_keyed_begin_();
	hm_port_context_sync();
}
#endif /* HM_CONTEXT_H */
