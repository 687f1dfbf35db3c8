/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * program.c -- the decoder and its operations. Each thread maps, uses and unmaps pages of its own
 * (slots), fills and links tables of its own, opens and leaves sections and levels, and tells other
 * threads of its pages. What it may rely on it knows from the contract alone: an entry is `usable` after a
 * publication that the headers promise, and only then is it accessed without a net.
 *
 * Half of the programs run with keys, half of those with window keys and half with store keys: page tables
 * carry HM_KEY_PGTABLES in a linear map, by which the machine judges every store of the library. Each thread
 * knows at which level it is, and so what a store of its own to a table must find there: at the default
 * level, in handlers, between two threads, and after a return from user mode or from a CPU's sleep, a fault;
 * always a fault with store keys.
 */
#include "program.h"
#include <hardmap/pgtable.h>

#define THREADS 3
#define SLOTS 8
#define TABLES 2
#define FRAMES 2 /* a slot maps one or the other */
#define NESTING 6

/* Pages of the machine's memory. */
enum {
	ROOT,
	UPPER, /* level 2 */
	MIDDLE, /* level 1 */
	SLOT_TABLE, /* level 0: the threads' slots */
	HANDLER_TABLE, /* level 0: an entry a CPU and depth for interrupt handlers */
	HANDLER_FRAME,
	KEYED_FRAME = HANDLER_FRAME, /* data with a key of the kernel's own in the linear map */
	FIRST_TABLE_FRAME, /* what the threads' own tables map: FRAMES pages, by turns */
	/* The threads' own tables: THREADS * TABLES pages. */
	FIRST_TABLE = FIRST_TABLE_FRAME + FRAMES,
	LINEAR_TABLE = FIRST_TABLE + THREADS * TABLES, /* level 0: every page of memory */
	FIRST_FRAME, /* THREADS * FRAMES * SLOTS pages */
	SHARED_FRAME = FIRST_FRAME + THREADS * FRAMES * SLOTS, /* what the shared slot maps */
};
_Static_assert(SHARED_FRAME < HM_MACHINE_PAGES, "memory is too small");

/* What the entries of MIDDLE translate. */
#define WINDOW UINT64_C(0xffff800000000000)
#define HANDLER_REGION 1
#define LINEAR_REGION 2
#define FIRST_TABLE_REGION 8

#define SHARED_SLOT (THREADS * SLOTS) /* of SLOT_TABLE, behind those of the threads */

enum frame_kind { SECTION, PAUSE, LEVEL };

struct frame {
	enum frame_kind kind;
	hm_lazy_mmu_token_t section;
	hm_lazy_mmu_pause_t pause;
	hm_kpkeys_token_t level;
	unsigned int entered; /* which level */
};

struct mapping {
	bool mapped;
	bool usable; /* published, for this thread */
	bool read_only;
	bool told; /* another thread knows the address and has not used it yet */
	unsigned int frame; /* 0 or 1: which of its frames it maps, or mapped last */
};

struct worker {
	unsigned int number;
	struct mapping slots[SLOTS], tables[TABLES];
	struct frame frames[NESTING];
	unsigned int depth;
	bool has_used, misused;
	hm_lazy_mmu_token_t used; /* a section's token after its leave */
};

/* A page that its receiver is told of. */
struct message {
	bool full;
	hm_va_t va;
	struct mapping *mapping; /* of the sender */
};

static struct {
	const uint8_t *bytes;
	size_t left;
	unsigned int threads;
	struct worker workers[THREADS];
	struct message messages[THREADS];
	unsigned int handler_depth[THREADS];
	bool locked, shared; /* the lock of the shared slot; whether it is mapped */
	bool misused, keys;
	uint64_t operations;
} program;

static unsigned int next_byte(void)
{
	if (!program.left)
		return 0;
	program.left--;
	return *program.bytes++;
}

static hm_pte_t *table(unsigned int page)
{
	return hm_port_pgtable_map(hm_machine_page(page));
}

static hm_va_t va_of(unsigned int region, unsigned int index)
{
	const hm_va_t va = { WINDOW + (uint64_t)region * (UINT64_C(1) << 21) +
			     (uint64_t)index * HM_MACHINE_PAGE_BYTES };

	return va;
}

static hm_pte_t leaf(unsigned int page, bool read_only)
{
	return hm_arm64_leaf(hm_machine_page(page), 0,
			     read_only ? HM_ARM64_KERNEL_RO : HM_ARM64_KERNEL_RW);
}

/* ---- what the contract promises ---- */

/* Everything this thread wrote is published. */
static void published(struct worker *self)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++)
		self->slots[i].usable = self->slots[i].mapped;
	for (i = 0; i < TABLES; i++)
		self->tables[i].usable = self->tables[i].mapped;
}

/* Whether an entry written now is published at once. After a misuse nothing but a flush is relied on. */
static bool eager(const struct worker *self)
{
	unsigned int i;

	if (self->misused)
		return false;
	for (i = 0; i < self->depth; i++)
		if (self->frames[i].kind == PAUSE)
			return true;
	return !self->depth;
}

static void wrote(struct worker *self, struct mapping *mapping)
{
	mapping->mapped = true;
	mapping->usable = eager(self);
}

/* The level that this thread is at, where there are any. */
static unsigned int level_of(const struct worker *self)
{
	unsigned int level = HM_KPKEYS_DEFAULT, i;
	bool held = false;

	for (i = 0; i < self->depth; i++) {
		const struct frame *frame = &self->frames[i];

		if (frame->kind == LEVEL) {
			level = frame->entered;
		} else if (frame->kind == PAUSE) {
			held = true;
			level = HM_KPKEYS_DEFAULT;
		} else if (!held) {
			level = HM_KPKEYS_PGTABLES;
		}
	}
	return level;
}

/* ---- operations ---- */

static unsigned int frame_page(const struct worker *self, unsigned int slot)
{
	return FIRST_FRAME + (self->number * FRAMES + self->slots[slot].frame) * SLOTS + slot;
}

static unsigned int slot_index(const struct worker *self, unsigned int slot)
{
	return self->number * SLOTS + slot;
}

static hm_va_t slot_va(const struct worker *self, unsigned int slot)
{
	return va_of(0, slot_index(self, slot));
}

static hm_pte_t *slot_entry(const struct worker *self, unsigned int slot)
{
	return table(SLOT_TABLE) + slot_index(self, slot);
}

static void enter(struct worker *self)
{
	struct frame *frame = &self->frames[self->depth];

	if (self->depth == NESTING)
		return;
	frame->kind = SECTION;
	frame->section = hm_lazy_mmu_enter();
	self->depth++;
}

HM_KPKEYS_ENTER(enter_machine_level, HM_MACHINE_LEVEL)

static void enter_level(struct worker *self, unsigned int level)
{
	struct frame *frame = &self->frames[self->depth];

	if (self->depth == NESTING || self->misused)
		return;
	frame->kind = LEVEL;
	frame->entered = level;
	if (level == HM_KPKEYS_PGTABLES)
		frame->level = hm_kpkeys_enter_pgtables();
	else if (level == HM_KPKEYS_TEXT)
		frame->level = hm_kpkeys_enter_text();
	else if (level == HM_KPKEYS_UNRESTRICTED)
		frame->level = hm_kpkeys_enter_unrestricted();
	else if (level == HM_MACHINE_LEVEL)
		frame->level = enter_machine_level();
	else
		frame->level = hm_kpkeys_enter_default();
	self->depth++;
}

static void pause(struct worker *self)
{
	struct frame *frame = &self->frames[self->depth];

	if (self->depth == NESTING)
		return;
	frame->kind = PAUSE;
	frame->pause = hm_lazy_mmu_pause();
	self->depth++;
	published(self);
}

static void leave(struct worker *self)
{
	struct frame *frame;

	if (!self->depth)
		return;
	frame = &self->frames[--self->depth];
	if (frame->kind == LEVEL) {
		hm_kpkeys_leave(frame->level);
	} else if (frame->kind == PAUSE) {
		hm_lazy_mmu_resume(frame->pause);
		published(self);
	} else {
		hm_lazy_mmu_leave(frame->section);
		self->used = frame->section;
		self->has_used = true;
		published(self);
	}
	if (!self->depth && self->misused) {
		hm_lazy_mmu_flush();
		self->misused = false;
	}
}

static void flush(struct worker *self)
{
	hm_lazy_mmu_flush();
	published(self);
}

/* A token used up is used again: reported, and nothing published is lost by it. */
static void misuse(struct worker *self)
{
	if (!self->has_used)
		return;
	program.misused = true;
	self->misused = self->depth != 0;
	hm_lazy_mmu_leave(self->used);
	published(self);
}

static void map(struct worker *self, unsigned int slot)
{
	struct mapping *mapping = &self->slots[slot];

	if (mapping->mapped)
		return;
	mapping->frame ^= 1;
	mapping->read_only = false;
	hm_pte_set(slot_entry(self, slot), leaf(frame_page(self, slot), false));
	wrote(self, mapping);
}

static void map_by_update(struct worker *self, unsigned int slot)
{
	struct mapping *mapping = &self->slots[slot];
	hm_pte_t expected = { 0 };

	if (mapping->mapped)
		return;
	mapping->frame ^= 1;
	mapping->read_only = true;
	if (!hm_pte_update(slot_entry(self, slot), &expected, leaf(frame_page(self, slot), true)))
		hm_machine_violation("an update of an empty entry failed");
	wrote(self, mapping);
}

/* Slots from there on that are as the first: n of them at most. */
static unsigned int run_of(const struct worker *self, unsigned int slot, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n && slot + i < SLOTS; i++)
		if (self->slots[slot + i].mapped != self->slots[slot].mapped ||
		    self->slots[slot + i].frame != self->slots[slot].frame ||
		    self->slots[slot + i].told)
			break;
	return i;
}

static void map_range(struct worker *self, unsigned int slot, unsigned int n)
{
	unsigned int i;

	n = run_of(self, slot, n);
	if (!n || self->slots[slot].mapped)
		return;
	for (i = 0; i < n; i++) {
		self->slots[slot + i].frame ^= 1;
		self->slots[slot + i].read_only = false;
	}
	hm_pte_set_range(slot_entry(self, slot), n, leaf(frame_page(self, slot), false),
			 HM_MACHINE_PAGE_BYTES);
	for (i = 0; i < n; i++)
		wrote(self, &self->slots[slot + i]);
}

static void unmap_range(struct worker *self, unsigned int slot, unsigned int n)
{
	unsigned int i;

	n = run_of(self, slot, n);
	if (!n || !self->slots[slot].mapped)
		return;
	if (n == 1)
		hm_pte_clear(slot_entry(self, slot));
	else
		hm_pte_clear_range(slot_entry(self, slot), n);
	hm_pgtable_invalidate(slot_va(self, slot), (uint64_t)n * HM_MACHINE_PAGE_BYTES,
			      HM_INVALIDATE_LEAVES);
	for (i = 0; i < n; i++) {
		self->slots[slot + i].mapped = false;
		hm_machine_release(frame_page(self, slot + i), slot_va(self, slot + i),
				   HM_MACHINE_PAGE_BYTES);
	}
	published(self); /* the invalidation did */
}

/* Writable to read-only or back: valid to valid, so it needs an invalidation and nothing else. */
static void change_permission(struct worker *self, unsigned int slot)
{
	struct mapping *mapping = &self->slots[slot];
	hm_pte_t expected;

	if (!mapping->mapped || mapping->told)
		return;
	expected = leaf(frame_page(self, slot), mapping->read_only);
	mapping->read_only = !mapping->read_only;
	if (!hm_pte_update(slot_entry(self, slot), &expected,
			   leaf(frame_page(self, slot), mapping->read_only)))
		hm_machine_violation("an update of an entry that nobody else writes failed");
	hm_pgtable_invalidate(slot_va(self, slot), HM_MACHINE_PAGE_BYTES, HM_INVALIDATE_LEAVES);
	published(self);
}

/* An access whose outcome is known, and so is what the tables must say. */
static void expect(hm_va_t va, enum hm_access access, bool permitted)
{
	if ((hm_machine_access(va, access) == HM_MACHINE_DONE) != permitted)
		hm_machine_violation("the tables do not say what was written to them");
}

/* Uses the page, if the contract says that this works; and that what it forbids does not. */
static void use(struct worker *self, unsigned int slot, enum hm_access access)
{
	const struct mapping *mapping = &self->slots[slot];

	if (mapping->mapped && !mapping->usable)
		return;
	expect(slot_va(self, slot), access,
	       mapping->mapped && !(access == HM_ACCESS_WRITE && mapping->read_only));
}

/* Uses a page that may not be published, as a kernel does that can take the fault. */
static void use_with_handler(struct worker *self, unsigned int slot)
{
	hm_va_t va = slot_va(self, slot);
	hm_context_exception_t interrupted;

	if (!self->slots[slot].mapped || hm_machine_try(va, HM_ACCESS_READ) == HM_MACHINE_DONE)
		return;
	interrupted = hm_context_exception_push();
	if (!hm_pgtable_fault_is_spurious(va, HM_ACCESS_READ))
		hm_machine_violation("a fault that the tables do not explain is not spurious");
	if (hm_machine_random(2)) /* the handler needs the page itself */
		expect(va, HM_ACCESS_READ, true);
	hm_context_exception_pop(interrupted);
	hm_machine_fault_return();
	expect(va, HM_ACCESS_READ, true);
}

static void link_table(struct worker *self, unsigned int which)
{
	unsigned int number = self->number * TABLES + which;
	struct mapping *mapping = &self->tables[which];

	if (mapping->mapped)
		return;
	/* Another frame than last time: a walk that follows the link before the fill finds the old one. */
	mapping->frame ^= 1;
	hm_pte_fill(table(FIRST_TABLE + number), 9, leaf(FIRST_TABLE_FRAME + mapping->frame, false),
		    0);
	hm_pte_link(table(MIDDLE) + FIRST_TABLE_REGION + number,
		    hm_arm64_table(hm_machine_page(FIRST_TABLE + number)));
	wrote(self, mapping);
}

static void use_table(struct worker *self, unsigned int which, unsigned int index)
{
	unsigned int number = self->number * TABLES + which;

	if (self->tables[which].usable)
		expect(va_of(FIRST_TABLE_REGION + number, 8 - index % 9), HM_ACCESS_WRITE, true);
}

static void unlink_table(struct worker *self, unsigned int which)
{
	unsigned int number = self->number * TABLES + which;
	hm_va_t va = va_of(FIRST_TABLE_REGION + number, 0);
	const hm_pte_t none = { 0 };

	if (!self->tables[which].mapped)
		return;
	hm_pte_clear(table(MIDDLE) + FIRST_TABLE_REGION + number);
	/* What was used of it; or so much that it is not one TLBI a page. */
	hm_pgtable_invalidate(va, (which ? 513 : 9) * HM_MACHINE_PAGE_BYTES, HM_INVALIDATE_TABLES);
	hm_machine_release(FIRST_TABLE + number, va, 9 * HM_MACHINE_PAGE_BYTES);
	hm_pte_fill(table(FIRST_TABLE + number), 9, none, 0);
	self->tables[which].mapped = false;
	published(self);
}

/* Tells another thread of a page: flushed first. */
static void tell(struct worker *self, unsigned int slot, unsigned int whom)
{
	struct message *message = &program.messages[whom % program.threads];
	struct mapping *mapping = &self->slots[slot];

	if (!mapping->mapped || mapping->told || message->full)
		return;
	flush(self);
	message->va = slot_va(self, slot);
	message->mapping = mapping;
	mapping->told = true;
	message->full = true;
}

/* Uses a page that another thread told of, after a context synchronisation event. */
static void listen(struct worker *self)
{
	struct message *message = &program.messages[self->number];

	if (!message->full)
		return;
	hm_port_context_sync();
	expect(message->va, HM_ACCESS_READ, true);
	message->mapping->told = false;
	message->full = false;
}

/* Maps or unmaps a slot that all threads share, under its lock: who does not get it goes on. Memory is in
 * order on this machine, as it is by a lock's acquire and release: but not for keyed stores. */
static void change_shared(struct worker *self)
{
	hm_pte_t *entry = table(SLOT_TABLE) + SHARED_SLOT;
	const hm_va_t va = va_of(0, SHARED_SLOT);
	const hm_pte_t mapped = leaf(SHARED_FRAME, false);

	if (program.locked)
		return;
	program.locked = true;
	if (hm_pte_get(entry).val != (program.shared ? mapped.val : 0))
		hm_machine_violation("the shared entry is not what the last thread wrote");
	program.shared = !program.shared;
	if (program.shared) {
		hm_pte_set(entry, mapped);
		flush(self);
	} else {
		hm_pte_clear(entry);
		hm_pgtable_invalidate(va, HM_MACHINE_PAGE_BYTES, HM_INVALIDATE_LEAVES);
		published(self);
	}
	if (!self->misused)
		expect(va, HM_ACCESS_READ, program.shared);
	program.locked = false;
}

/* Nobody who is at the default level writes a table. */
static void stray(unsigned int choice)
{
	static const unsigned int tables[] = { ROOT,          UPPER,        MIDDLE,     SLOT_TABLE,
					       HANDLER_TABLE, LINEAR_TABLE, FIRST_TABLE };

	if (program.keys)
		hm_machine_stray(tables[choice % (sizeof(tables) / sizeof(*tables))]);
}

/* A store of the thread's own to a page of each key finds what its level says. */
static void store_by_level(struct worker *self, unsigned int choice)
{
	static const unsigned int pages[] = { FIRST_FRAME, MIDDLE, KEYED_FRAME };
	const hm_va_t va = va_of(LINEAR_REGION, pages[choice % 3]);
	unsigned int level = level_of(self);
	bool open = level == HM_KPKEYS_UNRESTRICTED ||
		    level == (choice % 3 == 1 ? HM_KPKEYS_PGTABLES : HM_KPKEYS_FIRST_FREE);

	if (hm_kpkeys_style() == HM_KEY_STYLE_STORE)
		open = false;
	if (choice % 3 == 0)
		open = true;
	if (program.keys && !self->misused)
		expect(va, HM_ACCESS_WRITE, open);
}

/* A voluntary switch. */
static void yield(void)
{
	hm_context_switch_t away = hm_context_switch_out();

	stray(hm_machine_random(8));
	hm_machine_switch();
	stray(hm_machine_random(8));
	hm_context_switch_in(away);
}

/* To user mode and back. */
static void visit_user(struct worker *self)
{
	hm_context_exception_t entry;

	if (self->depth)
		return;
	hm_context_assert_idle();
	stray(hm_machine_random(8));
	hm_machine_fault_return();
	hm_machine_fault(); /* a system call */
	entry = hm_context_exception_push();
	stray(hm_machine_random(8));
	hm_context_exception_pop(entry);
	hm_machine_fault_return();
	published(self); /* nothing was owed, or it was a misuse and is published */
}

/* What each CPU does before it runs anything, and again when it wakes up with its registers lost. */
static void start_cpu(void)
{
	if (hm_kpkeys_style() == HM_KEY_STYLE_STORE)
		hm_arm64_gcs_enable();
	else
		hm_arm64_poe_enable();
	hm_kpkeys_cpu_start();
	stray(hm_machine_random(8));
}

static void sleep_and_resume(struct worker *self)
{
	if (!program.keys || self->depth)
		return;
	hm_machine_mask(true);
	hm_machine_reset_cpu();
	start_cpu();
	hm_machine_mask(false);
}

/* ---- interrupts ---- */

static void handle_interrupt(unsigned int depth)
{
	unsigned int index = hm_machine_cpu_number() * 2 + depth;
	hm_pte_t *entry = table(HANDLER_TABLE) + index;
	hm_va_t va = va_of(HANDLER_REGION, index);

	stray(depth + index);
	if (hm_machine_random(2)) {
		hm_pte_set(entry, leaf(HANDLER_FRAME, false));
	} else {
		hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();

		hm_pte_set(entry, leaf(HANDLER_FRAME, false));
		hm_lazy_mmu_leave(tok);
	}
	expect(va, HM_ACCESS_WRITE, true);
	hm_pte_clear(entry);
	hm_pgtable_invalidate(va, HM_MACHINE_PAGE_BYTES, HM_INVALIDATE_LEAVES);
}

static void vector(void)
{
	hm_context_exception_t interrupted = hm_context_exception_push();
	unsigned int thread = hm_machine_thread_number();
	unsigned int depth = program.handler_depth[thread]++;

	if (hm_machine_random(4))
		handle_interrupt(depth);
	program.handler_depth[thread]--;
	if (!depth && hm_machine_random(2)) /* preempted */
		yield();
	hm_context_exception_pop(interrupted);
}

/* ---- the decoder ---- */

static void operate(struct worker *self)
{
	unsigned int byte = next_byte(), slot = byte >> 5; /* three bits of operand */

	program.operations++;
	switch (byte & 31) {
	case 0:
	case 1:
		enter(self);
		break;
	case 2:
		if (slot < 4)
			enter(self);
		else
			enter_level(self, next_byte() % (HM_KPKEYS_FIRST_FREE + 1));
		break;
	case 3:
	case 4:
	case 5:
		leave(self);
		break;
	case 6:
		flush(self);
		break;
	case 7:
		pause(self);
		break;
	case 8:
		if (slot == 0) /* rarely: what follows is checked less */
			misuse(self);
		break;
	case 9:
	case 10:
		map(self, slot);
		break;
	case 11:
		store_by_level(self, slot);
		break;
	case 12:
		map_by_update(self, slot);
		break;
	case 13:
	case 14:
		map_range(self, slot, 2 + next_byte() % SLOTS);
		break;
	case 15:
	case 16:
		unmap_range(self, slot, 1);
		break;
	case 17:
		unmap_range(self, slot, 2 + next_byte() % SLOTS);
		break;
	case 18:
		change_permission(self, slot);
		break;
	case 19:
	case 20:
		use(self, slot, HM_ACCESS_READ);
		break;
	case 21:
		use(self, slot, HM_ACCESS_WRITE);
		break;
	case 22:
		if (slot < 4)
			use(self, slot, HM_ACCESS_WRITE);
		else if (slot < 6)
			visit_user(self);
		else
			sleep_and_resume(self);
		break;
	case 23:
		use_with_handler(self, slot);
		break;
	case 24:
	case 25:
		link_table(self, slot % TABLES);
		break;
	case 26:
		use_table(self, slot % TABLES, slot);
		break;
	case 27:
		unlink_table(self, slot % TABLES);
		break;
	case 28:
		tell(self, slot, next_byte());
		break;
	case 29:
		listen(self);
		break;
	case 30:
		if (slot < 4)
			listen(self);
		else
			change_shared(self);
		break;
	default:
		yield();
		break;
	}
}

static void body(void *argument)
{
	struct worker *self = argument;
	unsigned int i;

	stray(self->number); /* whoever ran here before left nothing open */
	while (program.left)
		operate(self);
	while (self->depth)
		leave(self);
	hm_context_assert_idle();
	stray(self->number);
	for (i = 0; i < SLOTS; i++)
		use(self, i, HM_ACCESS_WRITE);
	for (i = 0; i < TABLES; i++)
		use_table(self, i, i);
}

/* Every page of memory once more, tables with their key. */
static void map_linear(void)
{
	unsigned int i;

	for (i = 0; i < HM_MACHINE_PAGES; i++) {
		bool is_table = i <= HANDLER_TABLE || i == LINEAR_TABLE ||
				(i >= FIRST_TABLE && i < FIRST_TABLE + THREADS * TABLES);
		uint64_t key = is_table           ? HM_ARM64_KEY(HM_KEY_PGTABLES)
			       : i == KEYED_FRAME ? HM_ARM64_KEY(HM_MACHINE_KEY)
						  : 0;

		uint64_t attributes = key && hm_port_arm64_has_store_keys() ? HM_ARM64_KERNEL_KEYED
									    : HM_ARM64_KERNEL_RW;

		hm_pte_fill(table(LINEAR_TABLE) + i, 1,
			    hm_arm64_leaf(hm_machine_page(i), 0, attributes | key), 0);
	}
	hm_pte_link(table(MIDDLE) + LINEAR_REGION, hm_arm64_table(hm_machine_page(LINEAR_TABLE)));
	hm_machine_set_linear(va_of(LINEAR_REGION, 0).val);
}

struct program_result program_run(struct hm_machine *machine, const uint8_t *bytes, size_t size)
{
	struct hm_machine_config config = { .vector = vector };
	struct program_result result;
	unsigned int i;

	program.bytes = bytes;
	program.left = size;
	program.misused = program.locked = program.shared = false;
	program.operations = 0;
	config.cpus = 1 + next_byte() % 3;
	program.threads = 1 + next_byte() % THREADS;
	config.has_tlbi_range = next_byte() & 1;
	config.interleave = next_byte();
	config.interrupt = next_byte() / 4;
	for (i = 0; i < 4; i++)
		config.seed = config.seed << 8 | next_byte();
	program.keys = false; /* not yet */
	if (HM_MACHINE_KEYS && config.seed & 1) {
		config.key_style = config.seed & 2 ? HM_KEY_STYLE_STORE : HM_KEY_STYLE_WINDOW;
		config.start = start_cpu;
	}
	hm_machine_start(machine, &config);
	if (config.start)
		config.start(); /* the boot CPU, which sets up the tables */
	hm_machine_set_root(ROOT);
	hm_pte_link(table(ROOT) + hm_port_pgtable_index(va_of(0, 0), 3),
		    hm_arm64_table(hm_machine_page(UPPER)));
	hm_pte_link(table(UPPER), hm_arm64_table(hm_machine_page(MIDDLE)));
	hm_pte_link(table(MIDDLE), hm_arm64_table(hm_machine_page(SLOT_TABLE)));
	hm_pte_link(table(MIDDLE) + HANDLER_REGION, hm_arm64_table(hm_machine_page(HANDLER_TABLE)));
	if (config.start) {
		map_linear();
		program.keys = true;
	}
	for (i = 0; i < program.threads; i++) {
		const struct worker fresh = { .number = i };

		program.workers[i] = fresh;
		program.messages[i].full = false;
		program.handler_depth[i] = 0;
		hm_machine_thread(body, &program.workers[i]);
	}
	hm_machine_run();
	if (machine->bugs && !program.misused)
		hm_machine_violation("HM_BUG without a misuse");
	result.events = machine->now;
	result.operations = program.operations;
	result.accesses = machine->accesses;
	result.interrupts = machine->interrupts;
	result.migrations = machine->migrations;
	return result;
}
