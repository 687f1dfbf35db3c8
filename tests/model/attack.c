/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * attack.c -- who cannot write page tables: stray stores to a table of every level, and to the state that
 * sections and levels save, from every context there is, on the adversarial machine with window keys. The
 * machine judges a store by whatever the CPU may hold and by every register value that may be in effect.
 */
#include "suite.h"
#include <hardmap/pgtable.h>
#include <string.h>

/* Tables of level 3 to 0 that the machine walks by, and the linear map's own. */
enum { PGD, PUD, PMD, PTE, LINEAR, PAGE };

#define LINEAR_VA UINT64_C(0xffff000000000000)
#define OTHER_VA (LINEAR_VA + (UINT64_C(1) << 21))

static struct hm_machine machine;

static hm_pte_t *table(unsigned int page)
{
	return hm_port_pgtable_map(hm_machine_page(page));
}

static void start_cpu(void)
{
	hm_arm64_poe_enable();
	hm_kpkeys_cpu_start();
}

static void suite_setup(void)
{
	const struct hm_machine_config config = { .cpus = 2,
						  .seed = 1,
						  .key_style = HM_KEY_STYLE_WINDOW };
	unsigned int i;

	hm_machine_start(&machine, &config);
	for (machine.cpu = 2; machine.cpu-- > 0;)
		start_cpu();
	machine.cpu = 0;
	hm_machine_become(0);
	hm_machine_set_root(PGD);
	for (i = PGD; i <= PAGE; i++) {
		uint64_t key = i == PAGE ? HM_KEY_DEFAULT : HM_KEY_PGTABLES;

		hm_pte_fill(table(LINEAR) + i, 1,
			    hm_arm64_leaf(hm_machine_page(i), 0,
					  HM_ARM64_KERNEL_RW | HM_ARM64_KEY(key)),
			    0);
	}
	hm_pte_link(table(PMD), hm_arm64_table(hm_machine_page(LINEAR)));
	hm_pte_link(table(PMD) + 1, hm_arm64_table(hm_machine_page(PTE)));
	hm_pte_link(table(PUD), hm_arm64_table(hm_machine_page(PMD)));
	hm_pte_link(table(PGD), hm_arm64_table(hm_machine_page(PUD)));
	hm_machine_settle();
	hm_machine_set_linear(LINEAR_VA);
}

static hm_va_t linear(unsigned int page)
{
	const hm_va_t va = { LINEAR_VA + (uint64_t)page * HM_MACHINE_PAGE_BYTES };

	return va;
}

/* Whether a store to some table may go through here and now. */
static bool open_somewhere(void)
{
	unsigned int i;

	for (i = PGD; i <= LINEAR; i++)
		if (hm_machine_may_succeed(linear(i), HM_ACCESS_WRITE))
			return true;
	return false;
}

/* Whether a store to every table may go through. */
static bool open_everywhere(void)
{
	unsigned int i;

	for (i = PGD; i <= LINEAR; i++)
		if (!hm_machine_may_succeed(linear(i), HM_ACCESS_WRITE))
			return false;
	return true;
}

/* The library still writes tables, with and without a section, and memory without a key was never closed. */
static bool works(void)
{
	const hm_va_t va = { OTHER_VA };
	hm_lazy_mmu_token_t tok;

	hm_pte_set(table(PTE), hm_arm64_leaf(hm_machine_page(PAGE), 0, HM_ARM64_KERNEL_RW));
	tok = hm_lazy_mmu_enter();
	hm_pte_set(table(PTE) + 1, hm_arm64_leaf(hm_machine_page(PAGE), 0, HM_ARM64_KERNEL_RW));
	hm_lazy_mmu_leave(tok);
	if (hm_machine_access(va, HM_ACCESS_WRITE) != HM_MACHINE_DONE)
		return false;
	hm_pte_clear_range(table(PTE), 2);
	hm_pgtable_invalidate(va, 2 * HM_MACHINE_PAGE_BYTES, HM_INVALIDATE_LEAVES);
	return hm_machine_access(linear(PAGE), HM_ACCESS_WRITE) == HM_MACHINE_DONE &&
	       !open_somewhere() && !machine.violation[0];
}

/* A thread with nothing open; and the machine reports a store that goes through where it should not. */
CASE(idle_thread)
{
	hm_lazy_mmu_token_t tok;

	EXPECT(!open_somewhere());
	EXPECT(works());
	tok = hm_lazy_mmu_enter();
	EXPECT(open_everywhere());
	hm_machine_stray(PMD);
	EXPECT(strstr(machine.violation, "open to a stray store"));
	hm_lazy_mmu_leave(tok);
}

/* A section opens tables to its whole context, as the header says; a pause in it, a level of another key and
 * the default level close them until they end. */
CASE(section_with_something_else_inside)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter();
	hm_lazy_mmu_pause_t pause;
	hm_kpkeys_token_t level;

	EXPECT(open_everywhere());
	pause = hm_lazy_mmu_pause();
	EXPECT(!open_somewhere());
	hm_lazy_mmu_resume(pause);
	EXPECT(open_everywhere());
	level = hm_kpkeys_enter_text();
	EXPECT(!open_somewhere());
	hm_kpkeys_leave(level);
	EXPECT(open_everywhere());
	level = hm_kpkeys_enter_default();
	EXPECT(!open_somewhere());
	hm_kpkeys_leave(level);
	EXPECT(open_everywhere());
	hm_lazy_mmu_leave(tok);
	EXPECT(works());
}

/* An interrupt in a section, one in its handler, and one in the handler's own section. */
CASE(interrupts)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter(), inner;
	hm_context_exception_t irq, nmi;

	hm_machine_fault();
	irq = hm_context_exception_push();
	EXPECT(!open_somewhere());
	hm_machine_fault();
	nmi = hm_context_exception_push();
	EXPECT(!open_somewhere());
	hm_context_exception_pop(nmi);
	hm_machine_fault_return();
	EXPECT(!open_somewhere());
	inner = hm_lazy_mmu_enter();
	EXPECT(open_everywhere());
	hm_machine_fault();
	nmi = hm_context_exception_push();
	EXPECT(!open_somewhere());
	hm_context_exception_pop(nmi);
	hm_machine_fault_return();
	EXPECT(open_everywhere());
	hm_lazy_mmu_leave(inner);
	EXPECT(!open_somewhere());
	EXPECT(works());
	hm_context_exception_pop(irq);
	hm_machine_fault_return();
	EXPECT(open_everywhere());
	hm_lazy_mmu_leave(tok);
	EXPECT(works());
}

/* A synchronous exception in a section: the fault handler is closed, and says why the store failed. */
CASE(synchronous_exceptions)
{
	/* A data abort without a change of level, permission fault at level 3, WnR, Overlay. */
	const uint64_t esr = UINT64_C(0x25) << 26 | UINT64_C(1) << 38 | 1 << 6 | 0x0f;
	hm_kpkeys_token_t text = hm_kpkeys_enter_text();
	hm_context_exception_t fault;
	unsigned int level;

	EXPECT(hm_machine_try(linear(PMD), HM_ACCESS_WRITE) == HM_MACHINE_FAULT);
	fault = hm_context_exception_push();
	EXPECT(!open_somewhere());
	EXPECT(hm_kpkeys_why(esr, hm_pgtable_leaf(linear(PMD), &level).val) == HM_KPKEYS_FAULT_KEY);
	EXPECT(level == 0);
	hm_context_exception_pop(fault);
	hm_machine_fault_return();
	EXPECT(!open_somewhere());
	hm_kpkeys_leave(text);
	EXPECT(works());
}

/* The scheduler, a thread that was switched in the middle of a section, one that is new, and the first one
 * again on another CPU, whose register nobody raised meanwhile. */
CASE(switches)
{
	hm_lazy_mmu_token_t tok = hm_lazy_mmu_enter(), other;
	hm_context_switch_t away = hm_context_switch_out(), other_away;

	EXPECT(!open_somewhere());
	hm_machine_become(1);
	EXPECT(!open_somewhere());
	other = hm_lazy_mmu_enter();
	EXPECT(open_everywhere());
	other_away = hm_context_switch_out();
	EXPECT(!open_somewhere());
	machine.cpu = 1;
	hm_machine_become(0);
	EXPECT(!open_somewhere());
	hm_context_switch_in(away);
	EXPECT(open_everywhere());
	machine.cpu = 0;
	hm_machine_become(1);
	EXPECT(!open_somewhere());
	hm_context_switch_in(other_away);
	EXPECT(open_everywhere());
	hm_lazy_mmu_leave(other);
	EXPECT(works());
	machine.cpu = 1;
	hm_machine_become(0);
	EXPECT(open_everywhere());
	hm_lazy_mmu_leave(tok);
	EXPECT(works());
}

/* The return to user mode with a section open, and the next system call. */
CASE(user_mode)
{
	hm_lazy_mmu_token_t forgotten = hm_lazy_mmu_enter();
	hm_context_exception_t call;

	(void)forgotten;
	hm_context_assert_idle();
	EXPECT(machine.bugs == 1);
	EXPECT(!open_somewhere());
	/* Whatever the register was raised by meanwhile: the entry does not trust it. */
	hm_insn_msr_por_el1(UINT64_C(0x557));
	hm_machine_fault();
	EXPECT(open_everywhere());
	call = hm_context_exception_push();
	EXPECT(!open_somewhere());
	EXPECT(works());
	hm_context_exception_pop(call);
	hm_machine_fault_return();
	EXPECT(!open_somewhere());
}

/* A CPU that resumes with its registers lost, and one that starts in the middle of a section by mistake. */
CASE(resume)
{
	hm_machine_reset_cpu();
	start_cpu();
	EXPECT(works());
	{
		hm_lazy_mmu_token_t open = hm_lazy_mmu_enter();

		(void)open;
		hm_machine_reset_cpu();
		start_cpu();
		EXPECT(machine.bugs == 1);
		EXPECT(!open_somewhere());
		hm_context_assert_idle();
		EXPECT(works());
	}
}

/* The hand-over opens everything on purpose, and with keys off the same tables go on translating. */
CASE(hand_over)
{
	hm_pte_set(table(PTE), hm_arm64_leaf(hm_machine_page(PAGE), 0, HM_ARM64_KERNEL_RW));
	hm_kpkeys_hand_over();
	EXPECT(open_everywhere());
	hm_arm64_poe_disable();
	EXPECT(hm_machine_access(linear(PGD), HM_ACCESS_WRITE) == HM_MACHINE_DONE);
	EXPECT(hm_machine_access(linear(PTE), HM_ACCESS_WRITE) == HM_MACHINE_DONE);
	EXPECT(hm_machine_access(linear(PTE), HM_ACCESS_EXECUTE) == HM_MACHINE_FAULT);
	EXPECT(!machine.violation[0]);
}

/* ---- saved state ---- */

enum frame { OUTERMOST, INNER, LEVEL, PAUSE, EXCEPTION, SWITCH, FRAMES };

/* Opens that frame inside of what is named, overwrites one of the three words that it left, closes it. */
static void close_overwritten(enum frame frame, unsigned int which, uint64_t flip)
{
	hm_lazy_mmu_token_t section = { 0, 0 };
	hm_kpkeys_token_t level = { 0, 0 };
	hm_lazy_mmu_pause_t pause = { 0, 0 };
	hm_context_exception_t exception = { 0, 0 };
	hm_context_switch_t away = { 0, 0 };
	uint64_t *words[3];

	switch (frame) {
	case OUTERMOST:
	case INNER:
		section = hm_lazy_mmu_enter();
		words[0] = &section.outer;
		words[1] = &section.self;
		break;
	case LEVEL:
		level = hm_kpkeys_enter_text();
		words[0] = &level.outer;
		words[1] = &level.self;
		break;
	case PAUSE:
		pause = hm_lazy_mmu_pause();
		words[0] = &pause.outer;
		words[1] = &pause.self;
		break;
	case EXCEPTION:
		hm_machine_fault();
		exception = hm_context_exception_push();
		words[0] = &exception.outer;
		words[1] = &exception.self;
		break;
	default:
		away = hm_context_switch_out();
		words[0] = &away.outer;
		words[1] = &away.self;
		break;
	}
	words[2] = &hm_machine_context()->word;
	*words[which] ^= flip;
	switch (frame) {
	case OUTERMOST:
	case INNER:
		hm_lazy_mmu_leave(section);
		break;
	case LEVEL:
		hm_kpkeys_leave(level);
		break;
	case PAUSE:
		hm_lazy_mmu_resume(pause);
		break;
	case EXCEPTION:
		hm_context_exception_pop(exception);
		hm_machine_fault_return();
		break;
	default:
		hm_context_switch_in(away);
		break;
	}
}

/* No bit of a token or of the word that a stray store flips opens a table: not when the frame ends in an idle
 * context, and once the context around it has ended, nowhere. */
CASE(overwritten_state_opens_nothing)
{
	unsigned int frame, which, bit, inside, opened = 0, left = 0, broken = 0;

	for (frame = 0; frame < FRAMES; frame++)
		for (which = 0; which < 3; which++)
			for (bit = 0; bit < 64; bit++)
				for (inside = 0; inside < 2; inside++) {
					hm_lazy_mmu_token_t around = { 0, 0 };

					suite_setup();
					if (inside)
						around = hm_lazy_mmu_enter();
					close_overwritten(frame, which, UINT64_C(1) << bit);
					opened += !inside && open_somewhere();
					if (inside)
						hm_lazy_mmu_leave(around);
					hm_context_assert_idle();
					left += open_somewhere();
					broken += !works();
				}
	EXPECT(!opened);
	EXPECT(!left);
	EXPECT(!broken);
}
