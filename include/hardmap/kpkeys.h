/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * kpkeys.h -- memory that only the code which means to can write: levels, guards, and the key register.
 *
 * USE      #include <hardmap/kpkeys.h>     (with your hardmap_port.h on the include path)
 *
 *          hm_kpkeys_token_t tok = hm_kpkeys_enter_text();
 *          // ... stores through the alias of code ...
 *          hm_kpkeys_leave(tok);
 *
 *          if (patch) {
 *                  HM_KPKEYS_GUARD(guard, hm_kpkeys_enter_text);      // to the end of the block
 *                  // ...
 *          }
 *
 *          A page has a key, and a level says which keys this context may write; the table of both is in
 *          context.h, compiled into one constant of the key register per level. At the default level only
 *          memory of key 0 is writable. Entering a level writes the register if that changes anything,
 *          leaving gives back the level around it; a level replaces the one around it.
 *
 *          Page tables need none of this: the writers of pgtable.h guard their stores by themselves, and
 *          a section of lazy_mmu.h does so once for all of them.
 *
 *          Where protected memory takes an instruction of its own (HM_KEY_STYLE_STORE), or where there is
 *          no protection, levels are only checked to be left as they were entered.
 *
 * STATE    That of context.h, which has the protocol of exceptions and switches. In the word and in tokens
 *          a level is a number of the table, never a value of the register.
 * CONTEXT  The owning context only; hm_kpkeys_cpu_start() on the CPU that starts. No lock, no sleep.
 * ERRORS   None at run time. Misuse is a caller bug, and ends as context.h says.
 * CONFIG   HM_KPKEYS_TYPES_ONLY  stop after part 1; for ports
 *          HM_NO_STD_HEADERS     uint64_t, uintptr_t, UINT64_C and bool are declared already
 *          HM_PORT_KPKEYS_BASE and HM_PORT_KPKEYS_LEVELS of context.h add keys and levels.
 * PORT     The hooks of context.h and of part 3. Template: ports/template
 * NOT      A defence against who runs code of his own choice in the kernel: he writes the register. It
 *          stops stray and malicious writes by code that is as it was compiled.
 */
#ifndef HM_KPKEYS_TYPES_H
#define HM_KPKEYS_TYPES_H
/* ---- 1. types: need no port ---- */
#ifndef HM_NO_STD_HEADERS
#include <stdbool.h>
#include <stdint.h>
#endif

/* Why an access failed, from hm_kpkeys_why(). */
enum hm_kpkeys_fault {
	HM_KPKEYS_FAULT_OTHER, /* none of these: alignment, access flag, external abort, not data */
	HM_KPKEYS_FAULT_NOT_MAPPED, /* no valid entry, as the CPU saw the tables */
	HM_KPKEYS_FAULT_PERMISSION, /* the page does not permit it at any level */
	HM_KPKEYS_FAULT_DIRTY, /* a store to a page that is not dirty, and hardware does not make it so */
	HM_KPKEYS_FAULT_KEY, /* the level does not open the page's key: a stray store, or no guard */
	HM_KPKEYS_FAULT_STORE_KEY, /* an ordinary store where only the keyed one writes */
	HM_KPKEYS_FAULT_NOT_KEYED, /* a keyed store to memory without that key: a table that has none */
};
#endif /* HM_KPKEYS_TYPES_H */

#if !defined(HM_KPKEYS_TYPES_ONLY) && !defined(HM_KPKEYS_H)
#define HM_KPKEYS_H
#include <hardmap/context.h>

/* What entering a level returns and hm_kpkeys_leave() wants back. Opaque. */
typedef struct {
	uint64_t outer; /* the word before */
	uint64_t self; /* the word after; both 0: nothing was entered */
} hm_kpkeys_token_t;

/* ---- 2. port: that of context.h ---- */

/* ---- 3. port contract: compiled, so it cannot go stale ---- */
/* Why: from what hardware reported of the fault, in the architecture's format (arm64: ESR_EL1), and the
 * page or block entry that translates the address, 0 if there is none. No side effects. */
HM_PORT_REQUIRE(enum hm_kpkeys_fault, hm_port_kpkeys_why, (uint64_t, uint64_t));

/* ---- 4. configuration: none ---- */

/* ---- 5. interface ---- */

/* Private, and always inline, so that no function takes a level: nobody calls one with a level of his. */
static HM_ALWAYS_INLINE_ hm_kpkeys_token_t hm_kpkeys_enter_(uint64_t level)
{
	struct hm_context *ctx = hm_context_here_();
	hm_kpkeys_token_t tok = { HM_CONTEXT_HAS_WINDOW_ ? ctx->word : hm_context_known_(ctx), 0 };

	if (HM_CONTEXT_HAS_WINDOW_ && HM_UNLIKELY_(tok.outer != HM_CONTEXT_IDLE_WINDOW_ ||
						   !hm_context_register_is_(HM_KPKEYS_DEFAULT)))
		tok.outer = hm_context_verify_(ctx);
	tok.self = hm_context_open_(ctx, hm_context_next_(ctx),
				    hm_context_inside_at_(tok.outer, level) | HM_CONTEXT_OPEN_);
	if (HM_CONTEXT_HAS_WINDOW_ && !(tok.outer & HM_CONTEXT_NO_REGISTER_) &&
	    hm_context_level_(tok.outer) != level) {
		hm_context_register_set_(level);
		hm_port_context_sync();
	}
	return tok;
}

/*
 * From here to the paired hm_kpkeys_leave() this context may write memory of key 0 and of HM_KEY_PGTABLES,
 * and no other. For those who write tables or their metadata by plain stores; entries go through pgtable.h.
 * Any context, interrupt included; never sleeps. A write of the register and a synchronisation, unless the
 * level is the one that is current.
 */
static HM_ALWAYS_INLINE_ HM_MUST_USE_ hm_kpkeys_token_t hm_kpkeys_enter_pgtables(void)
{
	return hm_kpkeys_enter_(HM_KPKEYS_PGTABLES);
}

/* The same for HM_KEY_TEXT: the writable alias of code. Entries written meanwhile are guarded and published
 * one by one, in a section too. */
static HM_ALWAYS_INLINE_ HM_MUST_USE_ hm_kpkeys_token_t hm_kpkeys_enter_text(void)
{
	return hm_kpkeys_enter_(HM_KPKEYS_TEXT);
}

/* The same for every key. */
static HM_ALWAYS_INLINE_ HM_MUST_USE_ hm_kpkeys_token_t hm_kpkeys_enter_unrestricted(void)
{
	return hm_kpkeys_enter_(HM_KPKEYS_UNRESTRICTED);
}

/* The same for no key but 0: around a callee that shall not write what its caller may. */
static HM_ALWAYS_INLINE_ HM_MUST_USE_ hm_kpkeys_token_t hm_kpkeys_enter_default(void)
{
	return hm_kpkeys_enter_(HM_KPKEYS_DEFAULT);
}

#if HM_CONTEXT_HAS_WINDOW_
#define HM_KPKEYS_HAS_(level) (HM_KPKEYS_ROWS_ >> (level)&1)
#else
#define HM_KPKEYS_HAS_(level) 1
#endif
/* Defines such a function for a level of HM_PORT_KPKEYS_LEVELS, a constant. At file scope; no semicolon. */
#define HM_KPKEYS_ENTER(function, level)                                                       \
	static HM_ALWAYS_INLINE_ HM_MUST_USE_ hm_kpkeys_token_t function(void)                 \
	{                                                                                      \
		HM_ASSERT_((level) >= HM_KPKEYS_FIRST_FREE && (level) < 8 &&                   \
				   HM_KPKEYS_HAS_(level),                                      \
			   "a level of the kernel's own is 4 to 7, of HM_PORT_KPKEYS_LEVELS"); \
		return hm_kpkeys_enter_(level);                                                \
	}

/* A token that says "nothing was entered"; hm_kpkeys_leave() takes it and does nothing. */
static inline HM_MUST_USE_ hm_kpkeys_token_t hm_kpkeys_none(void)
{
	const hm_kpkeys_token_t tok = { 0, 0 };

	return tok;
}

/* The guard of a writer of entries: nothing where the level writes tables already. If the word says so and
 * the register does not, the store faults. */
static inline HM_MUST_USE_ hm_kpkeys_token_t hm_kpkeys_guard_tables_(void)
{
	if (hm_context_opens_tables_(hm_context_level_(hm_port_context()->word)))
		return hm_kpkeys_none();
	return hm_kpkeys_enter_pgtables();
}

/* Ends a level, and publishes an entry that turned valid at it, if asked: the synchronisation is shared. */
static inline void hm_kpkeys_close_(hm_kpkeys_token_t tok, bool publish)
{
	struct hm_context *ctx = hm_context_here_();
	bool windowed = HM_CONTEXT_HAS_WINDOW_ && !(tok.self & HM_CONTEXT_NO_REGISTER_);

	if (!(tok.outer | tok.self)) {
		windowed = false; /* nothing was entered */
	} else if (HM_UNLIKELY_(ctx->word != tok.self ||
				(windowed && !hm_context_agrees_(tok.self, tok.outer)))) {
		hm_context_misuse_(ctx, tok.outer, tok.self);
		windowed = false;
	} else {
		ctx->word = tok.outer;
	}
	if (windowed) {
		hm_context_follow_(tok.outer, publish);
	} else if (publish) {
		hm_port_context_publish();
		hm_port_context_sync();
	}
}

/*
 * The level that the paired enter found is current again. It may be a raised one: that it is, the word and
 * the token have to agree on. What is pending stays pending. Same context as the enter, innermost first. At
 * most one write of the register and one synchronisation.
 */
static inline void hm_kpkeys_leave(hm_kpkeys_token_t tok)
{
	hm_kpkeys_close_(tok, false);
}

/*
 * Part of every CPU's start, before it relies on a key or lets anything else run: first boot, hot-plug,
 * resume from a state that lost registers. The key register is unknown at reset and is set to the default
 * level. Nothing may be open in the context that calls, an early or idle one as a rule: HM_BUG, and closed.
 * The port has switched keys on, or does so next; then the register must not be unknown.
 */
static inline void hm_kpkeys_cpu_start(void)
{
	struct hm_context *ctx = hm_port_context();
	bool open = ctx->word & HM_CONTEXT_OPEN_;

	/* The style too: the boot context may have looked before it was known. */
	ctx->word = hm_context_settled_(ctx->word);
	if (hm_context_has_register_()) {
		hm_context_register_set_(HM_KPKEYS_DEFAULT);
		hm_port_context_sync();
	}
	if (open)
		HM_BUG("kpkeys: a CPU started with a section or level open");
}

/*
 * Takes protection down on this CPU, on purpose and for good: before the machine is handed to what knows
 * nothing of keys (kexec, a crash kernel, the image of a hibernation). Every key is writable from here on in
 * the context that calls, and what is pending is published; exceptions that it still takes are at the
 * default level as ever. The other CPUs are stopped, and the caller does not return to who called it. The
 * port may then switch keys off altogether: on arm64 hm_arm64_poe_disable(). Where memory takes keyed stores
 * it has to, hm_arm64_gcs_disable(), and hm_port_key_style() answers NONE from then on; until that no section
 * or level is opened. Any context.
 */
static inline void hm_kpkeys_hand_over(void)
{
	struct hm_context *ctx = hm_port_context();
	hm_kpkeys_token_t tok;

	hm_context_flush_(ctx);
	tok = hm_kpkeys_enter_unrestricted();
	/* Never left; and nobody comes who would publish later what is written now.
	 * The port is about to answer NONE, where memory takes keyed stores: from here on no other one is
	 * tried, and no section is lazy. Else it may be, and the word asks again. */
	ctx->word = (tok.self & ~(HM_CONTEXT_ACTIVE_ | HM_CONTEXT_STYLE_)) | HM_CONTEXT_HELD_;
	if (hm_context_is_keyed_())
		ctx->word = (ctx->word & ~HM_CONTEXT_LEVEL_) | (uint64_t)HM_KEY_STYLE_NONE
								       << HM_CONTEXT_STYLE_SHIFT_;
}

/* How memory of keys other than 0 is protected: HM_KEY_STYLE_NONE, _WINDOW or _STORE. */
static inline unsigned int hm_kpkeys_style(void)
{
	return hm_context_style_();
}

/*
 * For a fault handler: why the access failed. syndrome is what hardware reported, entry the page or block
 * entry that translates the address, 0 if none does (hm_pgtable_leaf() of pgtable.h finds it). Any context.
 */
static inline enum hm_kpkeys_fault hm_kpkeys_why(uint64_t syndrome, uint64_t entry)
{
	return hm_port_kpkeys_why(syndrome, entry);
}

/* The same in words, for a report. */
static inline const char *hm_kpkeys_why_text(enum hm_kpkeys_fault why)
{
	switch (why) {
	case HM_KPKEYS_FAULT_NOT_MAPPED:
		return "not mapped";
	case HM_KPKEYS_FAULT_PERMISSION:
		return "the page does not permit it";
	case HM_KPKEYS_FAULT_DIRTY:
		return "the page is not dirty";
	case HM_KPKEYS_FAULT_KEY:
		return "protected by a key that the level does not open";
	case HM_KPKEYS_FAULT_STORE_KEY:
		return "only a keyed store writes this page";
	case HM_KPKEYS_FAULT_NOT_KEYED:
		return "a keyed store to a page that takes ordinary ones";
	case HM_KPKEYS_FAULT_OTHER:
		break;
	}
	return "not a matter of permission";
}

#if defined(__GNUC__) && !defined(__cplusplus)
static inline void hm_kpkeys_guard_end_(const hm_kpkeys_token_t *tok)
{
	hm_kpkeys_leave(*tok);
}

/*
 * A level from here to the end of the enclosing block, however it is left, except by longjmp or a thread's
 * end. Not together with goto into the block. enter is a function such as hm_kpkeys_enter_text. The second
 * enters only if the condition holds; the third never does, for code that has its guard elsewhere.
 */
#define HM_KPKEYS_GUARD(name, enter) HM_KPKEYS_GUARD_COND(name, enter, true)
#define HM_KPKEYS_GUARD_COND(name, enter, condition) \
	HM_KPKEYS_GUARD_(name, (condition) ? enter() : hm_kpkeys_none())
#define HM_KPKEYS_GUARD_NOOP(name) HM_KPKEYS_GUARD_(name, hm_kpkeys_none())
#define HM_KPKEYS_GUARD_(name, token) \
	const hm_kpkeys_token_t name __attribute__((cleanup(hm_kpkeys_guard_end_), unused)) = token
#endif
#endif /* HM_KPKEYS_H */
