/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * attack.c -- one store to saved state by somebody who must not have it. For each nesting of frames below, at
 * each point of it, each word of saved state (the context's three and the two of each open frame's token) is
 * overwritten once, by each of the values of collect_corruptions(); then the nesting goes on as the code has
 * it. Whatever that does, no key is ever open that the true nesting would not have open there, nothing is
 * open at its end, and what comes after finds everything in order.
 *
 * Of store keys none is ever open. An entry is written by keyed stores and published, at once or when the
 * section ends; only where the word was overwritten by one that says "by ordinary stores" is that tried, and
 * refused.
 */
#include "probe.h"
#include "suite.h"
#include <stddef.h>
#include <hardmap/kpkeys.h>

#define PGTABLES (1u << HM_KEY_PGTABLES)
#define TEXT (1u << HM_KEY_TEXT)
#define EVERYTHING (~0u)

#define FRAMES 5 /* open at once */
#define OPENS 8 /* in one nesting */
#define WORDS (3 + 2 * FRAMES)
#define CORRUPTIONS 400
/* Of the values every how many-th is tried, others at each point and word: fewer where time is short. */
#ifndef ATTACK_EVERY
#define ATTACK_EVERY 1
#endif

/* A nesting is a text: a capital opens a frame, ')' closes the innermost one, 'e' writes an entry. */
enum kind {
	SECTION = 'S',
	PAUSE = 'P',
	EXCEPTION = 'E',
	SWITCH = 'W', /* switched out; comes back where it is closed */
	DEFAULT_LEVEL = 'D',
	PGTABLES_LEVEL = 'G',
	TEXT_LEVEL = 'T',
	EVERY_LEVEL = 'U',
	CLOSE = ')',
	ENTRY = 'e',
};

struct frame {
	enum kind kind;
	union {
		hm_lazy_mmu_token_t section;
		hm_lazy_mmu_pause_t pause;
		hm_kpkeys_token_t level;
		hm_context_exception_t exception;
		hm_context_switch_t away;
		uint64_t words[2]; /* outer, self */
	} token;
	unsigned int keys; /* that may be open in it, beside key 0 */
};
_Static_assert(sizeof(((struct frame *)0)->token) == 2 * sizeof(uint64_t), "a token is two words");

static struct {
	struct frame frames[FRAMES + 1]; /* the first one: nothing is open */
	unsigned int depth;
	/* Words of tokens as they were, for an attacker who has kept them. */
	uint64_t old_words[2 * OPENS];
	unsigned int old;
} nesting;

static uint64_t corruptions[CORRUPTIONS];
static unsigned int corruption_count;

static void suite_setup(void)
{
	probe_reset();
}

/* ---- the nesting, and what it truly opens ---- */

static void open_frame(enum kind kind)
{
	const struct frame *outer = &nesting.frames[nesting.depth];
	struct frame *frame = &nesting.frames[++nesting.depth];

	frame->kind = kind;
	frame->keys = outer->keys;
	switch (kind) {
	case SECTION:
		frame->token.section = hm_lazy_mmu_enter();
		/* Whether it is held, or broken by what was overwritten, only the word knows: it may open
		 * what its code asks for, or change nothing. That it replaces the level, kpkeys.c says. */
		frame->keys = outer->keys | PGTABLES;
		break;
	case PAUSE:
		frame->token.pause = hm_lazy_mmu_pause();
		frame->keys = 0;
		break;
	case EXCEPTION:
		frame->token.exception = hm_context_exception_push();
		frame->keys = 0;
		break;
	case SWITCH:
		frame->token.away = hm_context_switch_out();
		frame->keys = 0;
		break;
	case DEFAULT_LEVEL:
		frame->token.level = hm_kpkeys_enter_default();
		frame->keys = 0;
		break;
	case PGTABLES_LEVEL:
		frame->token.level = hm_kpkeys_enter_pgtables();
		frame->keys = PGTABLES;
		break;
	case TEXT_LEVEL:
		frame->token.level = hm_kpkeys_enter_text();
		frame->keys = TEXT;
		break;
	case EVERY_LEVEL:
		frame->token.level = hm_kpkeys_enter_unrestricted();
		frame->keys = EVERYTHING;
		break;
	case CLOSE:
	case ENTRY:
		break;
	}
	if (hm_kpkeys_style() == HM_KEY_STYLE_STORE)
		frame->keys = 0;
	nesting.old_words[nesting.old++] = frame->token.words[0];
	nesting.old_words[nesting.old++] = frame->token.words[1];
}

static void close_frame(void)
{
	const struct frame *frame = &nesting.frames[nesting.depth--];

	switch (frame->kind) {
	case SECTION:
		hm_lazy_mmu_leave(frame->token.section);
		break;
	case PAUSE:
		hm_lazy_mmu_resume(frame->token.pause);
		break;
	case EXCEPTION:
		hm_context_exception_pop(frame->token.exception);
		break;
	case SWITCH:
		hm_context_switch_in(frame->token.away);
		break;
	default:
		hm_kpkeys_leave(frame->token.level);
		break;
	}
}

/* The keys beside key 0 that are open now. */
static unsigned int open_keys(void)
{
	unsigned int key, keys = 0;

	for (key = 0; key < HM_PORT_KPKEYS; key++)
		if (key != HM_KEY_DEFAULT && probe_opens(key))
			keys |= 1u << key;
	return keys;
}

/* ---- the attacker ---- */

/* A word of saved state; NULL if that frame is not open. */
static uint64_t *word_of(unsigned int number)
{
	struct hm_context *ctx = hm_port_context();

	switch (number) {
	case 0:
		return &ctx->generation;
	case 1:
		return &ctx->word;
	case 2:
		return &ctx->pending;
	default:
		number -= 3;
		if (number / 2 >= nesting.depth)
			return NULL;
		return &nesting.frames[number / 2 + 1].token.words[number % 2];
	}
}

static void corrupt_to(uint64_t value)
{
	if (corruption_count < CORRUPTIONS)
		corruptions[corruption_count++] = value;
}

/* The values that the word is overwritten with: each bit flipped, patterns, every level in either field or in
 * both, every other word that there is or was, and random ones, some of which leave the frame's name. */
static void collect_corruptions(uint64_t word)
{
	const uint64_t levels = HM_CONTEXT_LEVEL_ | HM_CONTEXT_OUTER_;
	uint64_t random = UINT64_C(0x9e3779b97f4a7c15);
	const uint64_t *other;
	unsigned int i;

	corruption_count = 0;
	for (i = 0; i < 64; i++)
		corrupt_to(word ^ UINT64_C(1) << i);
	corrupt_to(0);
	corrupt_to(~UINT64_C(0));
	corrupt_to(UINT64_C(0x4141414141414141));
	for (i = 0; i < 64; i++)
		corrupt_to((word & ~levels) | (uint64_t)i << HM_CONTEXT_LEVEL_SHIFT_);
	corrupt_to(HM_CONTEXT_IDLE_WINDOW_);
	for (i = 0; i < WORDS; i++) {
		other = word_of(i);
		if (other)
			corrupt_to(*other);
	}
	for (i = 0; i < nesting.old; i++)
		corrupt_to(nesting.old_words[i]);
	for (i = 0; i < 48; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		corrupt_to(i % 3 ? (word & ~HM_CONTEXT_FLAGS_) | (random & HM_CONTEXT_FLAGS_)
				 : random);
	}
}

/* ---- one attack ---- */

enum verdict {
	WITHSTOOD,
	RAISED, /* a key was open that no frame so far has opened */
	KEPT, /* a key was open that another frame had opened */
	UNLOCKED, /* an ordinary store reached a table of store keys */
	LOST, /* an entry, which hardware did not refuse, or its publication */
	SECTION_BROKEN, /* a section afterwards is not one */
	ENTRY_BROKEN, /* an entry outside of sections afterwards is not guarded and published */
	NOT_IDLE, /* the context is not idle after that, or a key is open */
};

struct attack {
	const char *nesting;
	bool used; /* the context was used before */
	unsigned int point; /* before that step */
	unsigned int word; /* as word_of() numbers them */
	unsigned int corruption;
	uint64_t from, to;
	unsigned int step; /* where it was found out */
	unsigned int keys; /* open then */
};

static unsigned int keys_of_a_section(void)
{
	return hm_kpkeys_style() == HM_KEY_STYLE_WINDOW ? PGTABLES : 0;
}

/* Writes an entry that differs from what is there. */
static enum verdict set_entry(void)
{
	const struct hm_context *ctx = hm_port_context();
	const bool plainly = ctx->word & HM_CONTEXT_ACTIVE_;
	hm_pte_t *ptep = probe_table(0), pte = probe_kernel_page(3);
	struct probe_counts counts;
	bool written;

	if (hm_pte_get(ptep).val == pte.val)
		pte = probe_kernel_page(4);
	probe_read();
	probe_may_refuse(ptep);
	hm_pte_set(ptep, pte);
	probe_may_refuse(NULL);
	if (hm_kpkeys_style() != HM_KEY_STYLE_STORE)
		return WITHSTOOD; /* where its key is not open, that was refused */
	written = hm_pte_get(ptep).val == pte.val;
	counts = probe_read();
	if (plainly)
		return written && !counts.bugs ? UNLOCKED : WITHSTOOD;
	if (counts.bugs)
		return UNLOCKED;
	return written && (hm_lazy_mmu_active() ? ctx->pending : counts.publish == 1) ? WITHSTOOD
										      : LOST;
}

static enum verdict step(char what)
{
	if (what == ENTRY)
		return set_entry();
	/* A word that says "by a register" leads to one that this CPU may not have. */
	probe_may_refuse(probe_table(0));
	if (what == CLOSE)
		close_frame();
	else
		open_frame((enum kind)what);
	probe_may_refuse(NULL);
	return WITHSTOOD;
}

/* What comes after an attack is as if there had been none. */
static enum verdict aftermath(struct attack *attack)
{
	hm_lazy_mmu_token_t section;
	hm_context_exception_t exception;
	struct probe_counts counts;

	hm_context_assert_idle();
	attack->keys = open_keys();
	if (attack->keys)
		return NOT_IDLE;
	probe_read();
	section = hm_lazy_mmu_enter();
	hm_pte_set(probe_table(0), probe_kernel_page(1));
	exception = hm_context_exception_push();
	attack->keys = open_keys();
	hm_context_exception_pop(exception);
	if (attack->keys || !hm_lazy_mmu_active() || open_keys() != keys_of_a_section())
		return SECTION_BROKEN;
	hm_lazy_mmu_leave(section);
	counts = probe_read();
	if (counts.publish != 1 || counts.bugs)
		return SECTION_BROKEN;
	hm_pte_set(probe_table(0), probe_kernel_page(2));
	counts = probe_read();
	if (counts.publish != 1 || counts.bugs)
		return ENTRY_BROKEN;
	hm_context_assert_idle();
	attack->keys = open_keys();
	return attack->keys || probe_read().bugs ? NOT_IDLE : WITHSTOOD;
}

/* The context as new, and what it may have left. probe_reset() does as much, and takes ten times as long. */
static void renew(void)
{
	struct hm_context *ctx = hm_port_context();

	ctx->generation = ctx->word = ctx->pending = 0;
	hm_kpkeys_cpu_start();
	probe_read();
	nesting.depth = nesting.old = 0;
}

static enum verdict run(struct attack *attack)
{
	unsigned int opened = 0; /* so far, truly */
	enum verdict verdict;
	uint64_t *word;

	renew();
	if (attack->used)
		hm_lazy_mmu_leave(hm_lazy_mmu_enter());
	else
		hm_context_reuse(hm_port_context());
	for (attack->step = 0; attack->nesting[attack->step]; attack->step++) {
		if (attack->step == attack->point) {
			word = word_of(attack->word);
			attack->from = *word;
			if (attack->corruption < ATTACK_EVERY) /* every run gets here alike */
				collect_corruptions(*word);
			*word = attack->to = corruptions[attack->corruption];
		}
		verdict = step(attack->nesting[attack->step]);
		if (verdict != WITHSTOOD)
			return verdict;
		opened |= nesting.frames[nesting.depth].keys;
		attack->keys = open_keys() & ~nesting.frames[nesting.depth].keys;
		if (attack->keys)
			return attack->keys & ~opened ? RAISED : KEPT;
	}
	return aftermath(attack);
}

/* ---- all of them ---- */

/* By how bad it is; each has a report of its own. */
enum harm { OPENS_A_KEY, KEEPS_A_KEY_OPEN, LASTS, HARMS };

static struct finding {
	unsigned int attacks;
	struct attack first;
	enum verdict verdict; /* of the first */
	char report[160];
} findings[HARMS];

static char *report;

static void tell(const char *text)
{
	unsigned int i = 0;

	while (report[i])
		i++;
	while (*text && i < sizeof(findings->report) - 1)
		report[i++] = *text++;
	report[i] = 0;
}

static void tell_number(uint64_t number)
{
	char text[19];
	unsigned int i = 18;

	text[i] = 0;
	do {
		text[--i] = "0123456789abcdef"[number & 15];
		number >>= 4;
	} while (number);
	text[--i] = 'x';
	text[--i] = '0';
	tell(text + i);
}

/* "S) before step 0x1, word from 0x9000000018103 to 0x9000000018303: keys 0x4 opened by step 0x1; one of
 * 0x6" */
static const char *describe(struct finding *finding)
{
	static const char *const verdicts[] = {
		[RAISED] = " opened by step ",
		[KEPT] = " kept open by step ",
		[UNLOCKED] = " open, a table was written by an ordinary store at step ",
		[LOST] = " open, an entry was lost at step ",
		[SECTION_BROKEN] = " open, a section afterwards is broken",
		[ENTRY_BROKEN] = " open, an entry afterwards is broken",
		[NOT_IDLE] = " open, not idle afterwards",
	};
	static const char *const words[] = { "generation", "word", "pending", "outer", "self" };
	const struct attack *attack = &finding->first;

	report = finding->report;
	tell(attack->nesting);
	tell(attack->used ? " before step " : " in a new context before step ");
	tell_number(attack->point);
	tell(", ");
	tell(words[attack->word < 3 ? attack->word : 3 + (attack->word - 3) % 2]);
	if (attack->word >= 3) {
		tell(" of frame ");
		tell_number((attack->word - 3) / 2);
	}
	tell(" from ");
	tell_number(attack->from);
	tell(" to ");
	tell_number(attack->to);
	tell(": keys ");
	tell_number(attack->keys);
	tell(verdicts[finding->verdict]);
	if (finding->verdict <= LOST)
		tell_number(attack->step);
	tell("; one of ");
	tell_number(finding->attacks);
	return report;
}

static void note(const struct attack *attack, enum verdict verdict)
{
	enum harm harm = verdict == RAISED || verdict == UNLOCKED ? OPENS_A_KEY
			 : verdict == KEPT                        ? KEEPS_A_KEY_OPEN
								  : LASTS;

	if (findings[harm].attacks++)
		return;
	findings[harm].first = *attack;
	findings[harm].verdict = verdict;
}

/* Every attack on that nesting, in a new context and in one that was used before. Fails for the first one of
 * each harm. */
static void attack_all(const char *text)
{
	struct attack attack = { .nesting = text };
	unsigned int harm, depth = 0, i;
	enum verdict verdict;

	for (harm = 0; harm < HARMS; harm++) {
		findings[harm].attacks = 0;
		findings[harm].report[0] = 0;
	}
	for (i = 0; i < 2; i++) {
		attack.used = i;
		for (attack.point = 0; text[attack.point]; attack.point++) {
			for (attack.word = 0; attack.word < 3 + 2 * depth; attack.word++) {
				attack.corruption = (attack.point + attack.word) % ATTACK_EVERY;
				do {
					verdict = run(&attack);
					if (verdict != WITHSTOOD)
						note(&attack, verdict);
					attack.corruption += ATTACK_EVERY;
				} while (attack.corruption < corruption_count);
			}
			if (text[attack.point] != ENTRY)
				depth = text[attack.point] == CLOSE ? depth - 1 : depth + 1;
		}
	}
	for (harm = 0; harm < HARMS; harm++)
		if (findings[harm].attacks)
			FAIL(describe(&findings[harm]));
}

#define ATTACK(name, text)        \
	CASE(name)                \
	{                         \
		attack_all(text); \
	}

ATTACK(section, "S)")
ATTACK(nested_section, "SSS)))")
ATTACK(level, "T)")
ATTACK(level_in_a_section, "ST))")
ATTACK(default_level_in_a_section, "SD))")
ATTACK(nested_levels, "GTUD))))")
ATTACK(section_in_a_level, "TS))")
ATTACK(pause, "SP))")
ATTACK(pause_of_a_level, "UPTS))))")
ATTACK(section_in_a_pause, "PS))")
ATTACK(level_in_a_pause, "SPT)))")
ATTACK(exception, "E)")
ATTACK(exception_in_a_section, "SE))")
ATTACK(exception_in_a_level, "TE))")
ATTACK(nested_exception, "SETE))))")
ATTACK(section_in_an_exception, "SES)))")
ATTACK(switch_of_an_idle_context, "W)")
ATTACK(switched_out_section, "SW))")
ATTACK(preempted_section, "SEW)))")
ATTACK(one_after_the_other, "S)T)E)S)")
ATTACK(entries, "eSe)Te)")
ATTACK(entries_inside, "STeEe)e)DSe)ePe)e))")

/* A word that says of an idle context what cannot be is found by whoever opens something next, and he opens
 * what he would have. */
CASE(idle_word_that_is_none)
{
	unsigned int bit;

	for (bit = 0; bit < HM_CONTEXT_OUTER_FIELD_; bit++) {
		struct hm_context *ctx = hm_port_context();
		hm_lazy_mmu_token_t section;

		if (!(HM_CONTEXT_BUSY_ & ~HM_CONTEXT_OPEN_ & UINT64_C(1) << bit))
			continue;
		hm_lazy_mmu_leave(hm_lazy_mmu_enter());
		ctx->word |= UINT64_C(1) << bit;
		probe_read();
		section = hm_lazy_mmu_enter();
		EXPECT(probe_read().bugs == 1);
		EXPECT(hm_lazy_mmu_active());
		EXPECT(open_keys() == keys_of_a_section());
		hm_lazy_mmu_leave(section);
		hm_context_assert_idle();
		EXPECT(!open_keys());
		EXPECT(!probe_read().bugs);
	}
}
