#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""mutants.py [--json FILE] [--programs N] [--cc COMPILER] [--self-test] [NAME...] -- removes or weakens the
barriers, TLBIs, orders and hook calls of the headers and of the arm64 port one at a time, and says who
notices: the random programs on the adversarial machine, else the contract and unit suites. Prints TAP, one
line a mutant; --json writes a line a mutant with the median number of programs to FILE.

The old text of a mutant stands exactly once in its file, white space apart, or the run fails, so that the
table cannot go stale. Each must be noticed by the model; where only a suite can, the mutant says why.
Noticed by the model means: within N programs (2000) in most of five series of programs.

Not in the table, as nothing can tell them from the original:
  hm_lazy_mmu_publish_(): the barriers before the state. A handler that comes between them leaves the state
      as it was.
  hm_port_pgtable_invalidate(): start not aligned. Operands begin at bit 12 of the address, and whole pages
      are added to it.
  hm_lazy_mmu_queue(): *pending = 1 instead of the word. An active word is not 0 either.
All of this takes two minutes on two CPUs."""
import argparse
import json
import pathlib
import re
import shutil
import statistics
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'mutate'))
from suites import SUITES, DoesNotCompile, Suites, find, in_parallel  # noqa: E402

SEEDS = [1, 10_000_000, 200_000_000, 3_000_000_000, 40_000_000_000]
# Who must notice, where it is not the model: the suites, for one of these reasons.
COST = 'costs barriers only, which are correct'
MISUSE = 'after a misuse the model relies on a flush only'
ISOLATED = 'the machine interrupts around uses of the state, not between the accesses of one'
HOOK = "the arm64 hook's own barriers publish as well"
SMALL = 'no program of the model invalidates that much'
ALIGNED = 'every range of the model is aligned'
READS = 'the model asks about faults of reads only'
LEVELS = 'the model has pages at the lowest level only'


class Mutant:
    def __init__(self, name, file, old, new, only_suites=''):
        folder = 'ports/arm64/' if file in ('barrier.h', 'tlbi.h', 'vmsa.h') else 'include/hardmap/'
        self.name, self.file, self.old, self.new = name, folder + file, old, new
        self.only_suites = only_suites

    def apply(self, text):
        """The file's text with the mutation."""
        pattern = r'\s+'.join(map(re.escape, self.old.split()))
        found = list(re.finditer(pattern, text))
        if len(found) != 1:
            raise ValueError(f'{self.name}: stands {len(found)} times in {self.file}, not once: {self.old}')
        return text[:found[0].start()] + self.new + text[found[0].end():]


def group(file, *mutants):
    return [Mutant(mutant[0], file, *mutant[1:]) for mutant in mutants]


PAIR = 'hm_port_context_publish(); hm_port_context_sync();'
OWED = 'mmu->word = word; mmu->pending = 0; if (pending) { '
EAGER = '*pending = *word; } else { '
SPURIOUS = 'DSB before the repeated walk, whoever owes it. */ '
SET = ('hm_port_pte_store(ptep, pte); '
       'if (hm_port_pte_is_valid(pte) && !hm_port_pte_is_user(pte)) hm_lazy_mmu_queue();')
SET_KERNEL = 'hm_port_pte_store(ptep, pte); if (hm_port_pte_is_valid(pte)) hm_lazy_mmu_queue();'
RANGE = ('hm_pte_store_range_(ptep, n, first, step); '
         'if (hm_port_pte_is_valid(first) && !hm_port_pte_is_user(first)) hm_lazy_mmu_queue();')
UPDATE = ('if (hm_port_pte_is_valid(desired) && !hm_port_pte_is_user(desired) && '
          '!hm_port_pte_is_valid(old)) hm_lazy_mmu_queue();')
LINK = 'hm_port_pgtable_order_fill(); hm_pte_set_kernel(ptep, table);'
INVALIDATE = 'hm_lazy_mmu_flush(); hm_port_pgtable_invalidate(va, size, what);'
PAGES = '((va.val + size - 1) >> HM_PORT_ARM64_PAGE_SHIFT) - (va.val >> HM_PORT_ARM64_PAGE_SHIFT) + 1'
POP = 'mmu->word = tok.outer & ~HM_LAZY_PENDING_; mmu->pending = tok.outer & HM_LAZY_PENDING_;'

MUTANTS = group(
    'lazy_mmu.h',
    # The end of a section.
    ('publication without its DSB', OWED + PAIR, OWED + 'hm_port_context_sync();'),
    ('publication without its context synchronisation', OWED + PAIR, OWED + 'hm_port_context_publish();'),
    ('publication in the wrong order', OWED + PAIR, OWED + 'hm_port_context_sync(); '
     'hm_port_context_publish();'),
    ('publication without barriers', OWED + PAIR, OWED),
    ('publication that stays owed', 'mmu->pending = 0; if (pending) {', 'if (pending) {'),
    ('publication that forgets before it looks', OWED, 'mmu->word = word; mmu->pending = 0; if '
     '(mmu->pending) { '),
    ('publication where nothing is owed', OWED, 'mmu->word = word; mmu->pending = 0; if (1) { ', COST),
    ('publication of the state only', 'mmu->word = word; mmu->pending = 0; if', 'mmu->pending = 0; if'),
    ('leave that only closes', 'hm_lazy_mmu_publish_(mmu, outer, pending);', 'mmu->word = outer;'),
    ('leave that forgets what is owed', 'hm_lazy_mmu_publish_(mmu, outer, pending);',
     'hm_lazy_mmu_publish_(mmu, outer, 0);'),
    ('inner leave that publishes nothing', 'hm_lazy_mmu_publish_(mmu, outer, pending);',
     'if (outer & HM_LAZY_OPEN_) mmu->word = outer; else hm_lazy_mmu_publish_(mmu, outer, pending);'),
    ('leave without a check of its token', 'if (HM_UNLIKELY_(mmu->word != self))', 'if (0)', MISUSE),
    # Writers.
    ('eager entry without its DSB', EAGER + PAIR, EAGER + 'hm_port_context_sync();'),
    ('eager entry without its context synchronisation', EAGER + PAIR, EAGER + 'hm_port_context_publish();'),
    ('eager entry with its barriers in the wrong order', EAGER + PAIR,
     EAGER + 'hm_port_context_sync(); hm_port_context_publish();'),
    ('eager entry without barriers', EAGER + PAIR, EAGER),
    ('lazy entry that is not noted', '*pending = *word;', '(void)pending;'),
    ('every entry lazy', 'if (HM_LIKELY_(*word & HM_LAZY_ACTIVE_)) {', 'if (1) {'),
    ('every entry in a frame lazy', 'if (HM_LIKELY_(*word & HM_LAZY_ACTIVE_)) {',
     'if (*word & ~HM_LAZY_FLAGS_) {'),
    ('every entry eager', 'if (HM_LIKELY_(*word & HM_LAZY_ACTIVE_)) {', 'if (0) {', COST),
    # Sections, pauses, flushes.
    ('section that is not lazy', 'tok.outer, HM_LAZY_OPEN_ | HM_LAZY_ACTIVE_);', 'tok.outer, HM_LAZY_OPEN_);',
     COST),
    ('section that is lazy in a pause', 'if (HM_UNLIKELY_(tok.outer & HM_LAZY_HELD_))', 'if (0)'),
    ('section in a pause without a frame', 'if (!(tok.outer & HM_LAZY_BROKEN_)) tok.self = '
     'hm_lazy_mmu_open_(mmu, '
     'hm_lazy_mmu_next_(mmu), tok.outer, 0);', ''),
    ('pause that publishes nothing', 'hm_lazy_mmu_publish_(mmu, tok.outer, mmu->pending);', ''),
    ('pause that forgets what is owed', 'hm_lazy_mmu_publish_(mmu, tok.outer, mmu->pending);',
     'mmu->pending = 0;'),
    ('pause that stays lazy', 'tok.outer & ~HM_LAZY_ACTIVE_,', 'tok.outer,'),
    ("pause that does not hold callees' sections", 'HM_LAZY_OPEN_ | HM_LAZY_HELD_);', 'HM_LAZY_OPEN_);'),
    ('flush that does nothing', 'hm_lazy_mmu_publish_(mmu, mmu->word, mmu->pending);', ''),
    ('flush that forgets what is owed', 'hm_lazy_mmu_publish_(mmu, mmu->word, mmu->pending);',
     'mmu->pending = 0;'),
    ('flush that ends laziness', 'hm_lazy_mmu_publish_(mmu, mmu->word, mmu->pending);',
     'hm_lazy_mmu_publish_(mmu, mmu->word & ~HM_LAZY_ACTIVE_, mmu->pending);'),
    ('idle check that publishes nothing', 'hm_lazy_mmu_publish_(mmu, mmu->word & HM_LAZY_DEPTH_, '
     'mmu->pending);',
     'mmu->word &= HM_LAZY_DEPTH_; mmu->pending = 0;', MISUSE),
    ('idle check that does not reset', 'hm_lazy_mmu_publish_(mmu, mmu->word & HM_LAZY_DEPTH_, mmu->pending);',
     'hm_lazy_mmu_publish_(mmu, mmu->word, mmu->pending);', MISUSE),
    ('idle check that ignores open sections', '(mmu->word & HM_LAZY_OPEN_) || mmu->pending', 'mmu->pending',
     MISUSE),
    # Exceptions.
    ('handler on the section that it interrupted', 'tok.self = hm_lazy_mmu_open_(mmu, '
     'hm_lazy_mmu_next_(mmu), '
     '(tok.outer + HM_LAZY_DEPTH_ONE_) & HM_LAZY_DEPTH_, 0);', 'tok.self = mmu->word;'),
    ('handler that starts lazy', '(tok.outer + HM_LAZY_DEPTH_ONE_) & HM_LAZY_DEPTH_, 0);',
     '(tok.outer + HM_LAZY_DEPTH_ONE_) & (HM_LAZY_DEPTH_ | HM_LAZY_ACTIVE_), 0);'),
    ('handler that starts held', '(tok.outer + HM_LAZY_DEPTH_ONE_) & HM_LAZY_DEPTH_, 0);',
     '(tok.outer + HM_LAZY_DEPTH_ONE_) & (HM_LAZY_DEPTH_ | HM_LAZY_HELD_), 0);', COST),
    ('handler that starts owing', 'tok.outer |= HM_LAZY_PENDING_; mmu->pending = 0;',
     'tok.outer |= HM_LAZY_PENDING_;'),
    ('exception entry that forgets what is owed', 'if (mmu->pending) tok.outer |= HM_LAZY_PENDING_;', ''),
    ('exception return that forgets what is owed', POP, 'mmu->word = tok.outer & ~HM_LAZY_PENDING_;'),
    ("exception return that keeps the handler's word", POP, 'mmu->pending = tok.outer & HM_LAZY_PENDING_;'),
    ('exception return that keeps its own bit', POP,
     'mmu->word = tok.outer; mmu->pending = tok.outer & HM_LAZY_PENDING_;'),
    ('exception return without a check', 'if (HM_UNLIKELY_(mmu->word != tok.self || mmu->pending)) {',
     'if (0) {', MISUSE),
    ('exception depth that is not counted', '(tok.outer + HM_LAZY_DEPTH_ONE_) & HM_LAZY_DEPTH_, 0);',
     'tok.outer & HM_LAZY_DEPTH_, 0);', ISOLATED),
    ('exception misuse that forgets what is owed', 'mmu->pending | (tok.outer & HM_LAZY_PENDING_)',
     'mmu->pending', MISUSE),
    ("exception misuse that forgets what the handler owes", 'mmu->pending | (tok.outer & HM_LAZY_PENDING_)',
     'tok.outer & HM_LAZY_PENDING_', MISUSE),
    ('exception misuse that stays lazy', 'word & HM_LAZY_OPEN_ ? hm_lazy_mmu_broken_(word) : word', 'word',
     MISUSE),
    ('exception misuse that is not told', 'HM_BUG("lazy_mmu: exception return with a section open, or out of '
     'order");', '',
     MISUSE),
    # Switches and names.
    ('switch without its DSB', 'hm_port_context_switch(); }', '}'),
    ('generation that does not advance', 'mmu->generation = generation;', '', MISUSE),
    ('frames without the name of their context', 'return (uint64_t)(uintptr_t)mmu << 32;', 'return 0;',
     MISUSE),
    # Misuse.
    ('misuse that publishes nothing', 'hm_lazy_mmu_publish_(mmu, word, mmu->pending);', 'mmu->word = word;'),
    ('misuse that forgets what is owed', 'hm_lazy_mmu_publish_(mmu, word, mmu->pending);',
     'hm_lazy_mmu_publish_(mmu, word, 0);'),
    ('misuse that stays lazy', '(word & ~HM_LAZY_ACTIVE_) | HM_LAZY_HELD_', 'word | HM_LAZY_HELD_'),
    ('misuse that does not hold sections', '| HM_LAZY_HELD_ | HM_LAZY_BROKEN_;', '| HM_LAZY_BROKEN_;',
     MISUSE),
    ('misuse that breaks nothing', 'outermost ? outer : hm_lazy_mmu_broken_(word);',
     'outermost ? outer : word;', MISUSE),
    ('misuse that is told with every leave', '| HM_LAZY_HELD_ | HM_LAZY_BROKEN_;', '| HM_LAZY_HELD_;',
     MISUSE),
    ('misuse that never ends', 'if (outermost) mmu->word = outer;', '', MISUSE),
    ('misuse that any leave ends', 'if (outermost) mmu->word = outer;', 'mmu->word = outer;', MISUSE),
) + group(
    'pgtable.h',
    ('set_kernel that publishes nothing', SET_KERNEL, 'hm_port_pte_store(ptep, pte);'),
    ('set_kernel that publishes before the store', SET_KERNEL,
     'if (hm_port_pte_is_valid(pte)) hm_lazy_mmu_queue(); hm_port_pte_store(ptep, pte);'),
    ('set that publishes nothing', SET, 'hm_port_pte_store(ptep, pte);'),
    ('set that publishes before the store', SET,
     'if (hm_port_pte_is_valid(pte) && !hm_port_pte_is_user(pte)) hm_lazy_mmu_queue(); '
     'hm_port_pte_store(ptep, pte);'),
    ('set that publishes everything', SET, 'hm_port_pte_store(ptep, pte); hm_lazy_mmu_queue();', COST),
    ('set_range that publishes nothing', RANGE, 'hm_pte_store_range_(ptep, n, first, step);'),
    ('set_range that publishes before the stores', RANGE, 'if (hm_port_pte_is_valid(first) && '
     '!hm_port_pte_is_user(first)) hm_lazy_mmu_queue(); hm_pte_store_range_(ptep, n, first, step);'),
    ('update that publishes nothing', UPDATE, ''),
    ('update that publishes before the store', 'hm_pte_t found = hm_port_pte_compare_exchange(ptep, old, '
     'desired);',
     'hm_lazy_mmu_queue(); hm_pte_t found = hm_port_pte_compare_exchange(ptep, old, desired); if (found.val '
     '== old.val) '
     'return true;'),
    ('update that publishes valid to valid', ' && !hm_port_pte_is_user(desired) && '
     '!hm_port_pte_is_valid(old))',
     ' && !hm_port_pte_is_user(desired))', COST),
    ('update that ignores a failure', 'if (found.val != old.val) {', 'if (0) {',
     "no two of the model's threads write one entry"),
    ('update that ignores what it found', '*expected = found;', '',
     "no two of the model's threads write one entry"),
    ('range that forgets its tail', 'for (; ptep != end; ptep++, pte = hm_pte_advance_(pte, step))',
     'for (; 0;)'),
    ('range that steps wrongly', 'pte = hm_pte_advance_(pte, 8 * step);',
     'pte = hm_pte_advance_(pte, 7 * step);',
     'no range of the model is that long'),
    ('range without a check', 'if (HM_LIKELY_(!(offset % sizeof(*ptep)) && n <= (size - offset) / '
     'sizeof(*ptep)))', 'if (1)',
     'every range of the model fits'),
    ('clear_range one entry short', 'hm_pte_store_range_(ptep, n, none, 0);',
     'hm_pte_store_range_(ptep, n - 1, none, 0);'),
    ('fill one entry short', 'if (hm_pte_range_fits_(ptep, n)) hm_pte_store_range_(ptep, n, first, step);',
     'if (hm_pte_range_fits_(ptep, n)) hm_pte_store_range_(ptep, n - 1, first, step);'),
    ('clear that clears nothing', 'const hm_pte_t none = { 0 }; hm_port_pte_store(ptep, none);',
     '(void)ptep;'),
    ('link without its order', LINK, 'hm_pte_set_kernel(ptep, table);'),
    ('link before its order', LINK, 'hm_pte_set_kernel(ptep, table); hm_port_pgtable_order_fill();'),
    ('link that is not published', LINK, 'hm_port_pgtable_order_fill(); hm_port_pte_store(ptep, table);'),
    ('invalidation that publishes nothing first', INVALIDATE, 'hm_port_pgtable_invalidate(va, size, what);',
     HOOK),
    ('invalidation that publishes afterwards', INVALIDATE,
     'hm_port_pgtable_invalidate(va, size, what); hm_lazy_mmu_flush();', HOOK),
    ('invalidation that only publishes', INVALIDATE, 'hm_lazy_mmu_flush();'),
    ('invalidation of one page only', INVALIDATE, 'hm_lazy_mmu_flush(); hm_port_pgtable_invalidate(va, 1, '
     'what);'),
    ('invalidation of leaves only', INVALIDATE,
     'hm_lazy_mmu_flush(); hm_port_pgtable_invalidate(va, size, HM_INVALIDATE_LEAVES);'),
    ('invalidation of nothing that goes on', 'if (!size) return;', '', 'no range of the model is empty'),
    ('spurious fault without its DSB', SPURIOUS + PAIR, SPURIOUS + 'hm_port_context_sync();'),
    ('spurious fault without its context synchronisation', SPURIOUS + PAIR,
     SPURIOUS + 'hm_port_context_publish();'),
    ('spurious fault with its barriers in the wrong order', SPURIOUS + PAIR,
     SPURIOUS + 'hm_port_context_sync(); hm_port_context_publish();'),
    ('spurious fault whatever the permission', 'if (!hm_port_pte_permits(pte, access)) return false;', '',
     READS),
    ('spurious fault of an invalid entry', 'if (!hm_port_pte_is_valid(pte)) return false;', '',
     'the model asks about mapped pages only'),
    ('spurious fault without tables', 'if (!table) return false;', '', 'the model always has tables'),
    ('spurious fault judged by a link', 'if (!level || !hm_port_pte_is_table(pte, level)) break;', 'break;'),
    ('no fault is spurious', PAIR + ' return true;', PAIR + ' return false;'),
) + group(
    'barrier.h',
    ('publish as DMB ISHST', 'hm_insn_dsb_ishst();', 'hm_insn_dmb_ishst();'),
    ('publish as nothing', 'hm_insn_dsb_ishst();', ''),
    ('publish as DSB ISH', 'hm_insn_dsb_ishst();', 'hm_insn_dsb_ish();', COST),
    ('context synchronisation as nothing', 'hm_insn_isb();', ''),
    ('switch as DSB ISHST', 'hm_insn_dsb_ish();', 'hm_insn_dsb_ishst();'),
    ('switch as DMB ISHST', 'hm_insn_dsb_ish();', 'hm_insn_dmb_ishst();'),
    ('switch as nothing', 'hm_insn_dsb_ish();', ''),
) + group(
    'tlbi.h',
    ('TLBI before its stores are complete', 'hm_insn_dsb_ishst();', ''),
    ('TLBI after a DMB ISHST', 'hm_insn_dsb_ishst();', 'hm_insn_dmb_ishst();'),
    ('TLBI that is not waited for', 'hm_insn_dsb_ish();', ''),
    ('TLBI before a DSB ISHST', 'hm_insn_dsb_ish();', 'hm_insn_dsb_ishst();'),
    ('TLBI without context synchronisation', 'hm_insn_isb();', ''),
    ('TLBI without context synchronisation after it', 'hm_insn_dsb_ish(); /* And nothing that this PE '
     'fetched or translated '
     'ahead uses them. */ hm_insn_isb();', 'hm_insn_isb(); hm_insn_dsb_ish();'),
    ('TLBI of a page for TABLES by the leaf form', 'hm_insn_tlbi_vaae1is(', 'hm_insn_tlbi_vaale1is('),
    ('TLBI of a page for LEAVES by the full form', 'hm_insn_tlbi_vaale1is(', 'hm_insn_tlbi_vaae1is(',
     'costs walks only'),
    ('TLBI of a range for TABLES by the leaf form', 'hm_insn_tlbi_rvaae1is(', 'hm_insn_tlbi_rvaale1is('),
    ('TLBI of a page that is none', 'if (what == HM_INVALIDATE_LEAVES) '
     'hm_insn_tlbi_vaale1is(hm_arm64_tlbi_operand(va)); '
     'else hm_insn_tlbi_vaae1is(hm_arm64_tlbi_operand(va));', ''),
    ('TLBI of a range that is none', 'if (what == HM_INVALIDATE_LEAVES) hm_insn_tlbi_rvaale1is(operand); '
     'else hm_insn_tlbi_rvaae1is(operand);', ''),
    ('TLBI one page short', PAGES, PAGES[:-len(' + 1')]),
    ('TLBI by the bytes, not by the pages touched', PAGES, '((size - 1) >> HM_PORT_ARM64_PAGE_SHIFT) + 1',
     ALIGNED),
    ('TLBI of the first page again and again', 'start.val + i * page', 'start.val'),
    ('TLBI by range with NUM one short', 'scale, units - 1);', 'scale, units > 1 ? units - 2 : 0);'),
    ('TLBI by range with NUM one over', 'scale, units - 1);', 'scale, units);',
     'invalidates more than asked for'),
    ('TLBI by range without the odd page', 'if (pages & 1) { hm_arm64_tlbi_page_(va, what);',
     'if (pages & 1) {'),
    ('TLBI by range from the odd page', 'va.val += UINT64_C(1) << HM_PORT_ARM64_PAGE_SHIFT;', ''),
    ('TLBI by range with one scale', 'scale < 4;', 'scale < 1;'),
    ('TLBI by range without the largest scale', 'scale < 4;', 'scale < 3;', SMALL),
    ('TLBI by ranges at one address', 'va.val += (uint64_t)units << (5 * scale + 1 + HM_PORT_ARM64_PAGE_SHIFT);',
     '', SMALL),
    ('TLBI by range of too much', 'pages < UINT64_C(1) << 21)', 'pages <= UINT64_C(1) << 21)', SMALL),
    ('TLBI by range where there is none', 'hm_port_arm64_has_tlbi_range() && pages', 'pages'),
    ('TLBI by range without TG', ' | (uint64_t)(HM_PORT_ARM64_PAGE_SHIFT / 2 - 5) << 46;', ';'),
    ('TLBI of all that is none', 'hm_insn_tlbi_vmalle1is();', ''),
    ('operand with the upper bits of the address', 'return va.val >> 12 & ((UINT64_C(1) << 44) - 1);',
     'return va.val >> 12;'),
    ('operand that is an address', 'return va.val >> 12 & ((UINT64_C(1) << 44) - 1);',
     'return va.val & ((UINT64_C(1) << 44) - 1);'),
    ('operand shifted by another granule', 'return va.val >> 12 & ((UINT64_C(1) << 44) - 1);',
     'return va.val >> 16 & ((UINT64_C(1) << 44) - 1);'),
    ('range operand with the upper bits of the address',
     'return (va.val >> HM_PORT_ARM64_PAGE_SHIFT & ((UINT64_C(1) << 37) - 1)) |',
     'return va.val >> HM_PORT_ARM64_PAGE_SHIFT |'),
) + group(
    'vmsa.h',
    ('order of a fill as nothing', 'hm_insn_dmb_ishst();', ''),
    ('order of a fill as DSB ISHST', 'hm_insn_dmb_ishst();', 'hm_insn_dsb_ishst();', COST),
    ('nothing is valid', 'return pte.val & HM_ARM64_VALID;', 'return false;'),
    ('everything is valid', 'return pte.val & HM_ARM64_VALID;', 'return true;'),
    ('everything is a user entry', 'return pte.val & HM_ARM64_USER;', 'return true;'),
    ('nothing is a user entry', 'return pte.val & HM_ARM64_USER;', 'return false;', COST),
    ('user entries by another bit', 'return pte.val & HM_ARM64_USER;', 'return pte.val & HM_ARM64_ACCESSED;'),
    ('user entries by what EL0 executes', 'return pte.val & HM_ARM64_USER;',
     'return !(pte.val & HM_ARM64_UXN);',
     'the model links by hm_pte_link() only'),
    ('no table is linked', 'return level && (pte.val & HM_ARM64_TABLE);', 'return false;'),
    ('a page is a table', 'return level && (pte.val & HM_ARM64_TABLE);', 'return pte.val & HM_ARM64_TABLE;',
     LEVELS),
    ('a block is a table', 'return level && (pte.val & HM_ARM64_TABLE);', 'return level;', LEVELS),
    ('permits without the access flag', 'if (!(pte.val & HM_ARM64_ACCESSED)) return false;', '', READS),
    ('permits writes to read-only memory', 'return !(pte.val & HM_ARM64_READONLY);', 'return true;', READS),
    ('permits execution of everything', 'return !(pte.val & HM_ARM64_PXN) &&', 'return true ||', READS),
    ('permits nothing', 'HM_ARM64_USER; return true; }', 'HM_ARM64_USER; return false; }'),
    ('addresses without their lowest bit', '(UINT64_C(1) << 48) - (UINT64_C(1) << HM_PORT_ARM64_PAGE_SHIFT)',
     '(UINT64_C(1) << 48) - (UINT64_C(2) << HM_PORT_ARM64_PAGE_SHIFT)'),
    ('index of the level above', '>> hm_arm64_level_shift(level)) &',
     '>> hm_arm64_level_shift(level + 1)) &'),
    ('pair of the first entry twice', 'first.val, second.val);', 'first.val, first.val);'),
    ('compare and swap that writes nothing', '{ hm_insn_cas(&ptep->val, expected.val, desired.val) };',
     '{ hm_insn_ldr(&ptep->val) };'),
)


class Verdict:
    """Who caught a mutant (model, contract, unit; None: nobody), after how many programs; a remark."""

    def __init__(self, caught_by, programs=None, remark='', error=False):
        self.caught_by, self.programs, self.remark, self.error = caught_by, programs, remark, error


def examine(suites, mutant, programs):
    try:
        text = mutant.apply((suites.pristine / mutant.file).read_text())
    except ValueError as error:
        return Verdict(None, remark=str(error), error=True)
    tree = suites.tree(mutant.file, text)
    try:
        executable = suites.build('model', tree)
        found = [find(executable, programs, SEEDS[0])]
        if found[0][0] or not mutant.only_suites:
            found += [find(executable, programs, seed) for seed in SEEDS[1:]]
        counts = [count or float('inf') for count, _ in found]
        median = statistics.median_low(counts)
        if median != float('inf'):
            return Verdict('model', median, next(what for count, what in found if count))
        some = sum(count != float('inf') for count in counts)
        for suite in SUITES:
            what = suites.run_suite(suite, tree)
            if what:
                rarely = f'; the model found it in {some} of {len(counts)} series' if some else ''
                return Verdict(suite.split('_')[0], remark=what[:80] + rarely)
        return Verdict(None, remark='nobody noticed')
    except DoesNotCompile as error:
        return Verdict(None, remark=f'does not compile: {error}', error=True)
    finally:
        shutil.rmtree(tree)


def accepted(mutant, verdict):
    return not verdict.error and bool(
        verdict.caught_by == 'model' or mutant.only_suites and verdict.caught_by)


def describe(verdict):
    if verdict.caught_by == 'model':
        return f'model, median {verdict.programs} programs: {verdict.remark}'
    return f'{verdict.caught_by or "not caught"}: {verdict.remark}'


def unmutated(suites, programs):
    """What is wrong with the tree as it is; empty if nothing."""
    executable = suites.build('model', suites.pristine)
    for seed in SEEDS:
        count, what = find(executable, programs, seed)
        if count:
            return f'the model finds {what}'
    for suite in SUITES:
        what = suites.run_suite(suite, suites.pristine)
        if what:
            return f'{suite}: {what}'
    return ''


def report(number, good, name, remark):
    first, *rest = (remark or '').strip().splitlines() or ['']
    print(f'{"ok" if good else "not ok"} {number} - {name}' + (f' # {first}' if first else ''), flush=True)
    for line in rest[:20]:
        print(f'# {line}')
    return good


def run_all(suites, mutants, programs, json_file):
    wrong = unmutated(suites, programs)
    print(f'1..{len(mutants) + 1}')
    good = report(1, not wrong, 'the tree as it is passes', wrong)
    totals, medians = {}, []
    verdicts = in_parallel(lambda mutant: examine(suites, mutant, programs), mutants) if good else []
    for number, (mutant, verdict) in enumerate(zip(mutants, verdicts), 2):
        name = f'{mutant.file.split("/")[-1]}: {mutant.name}'
        good &= report(number, accepted(mutant, verdict), name, describe(verdict))
        totals[verdict.caught_by] = totals.get(verdict.caught_by, 0) + 1
        medians += [verdict.programs] if verdict.programs else []
        if json_file:
            print(json.dumps({'bench': 'mutants', 'name': name, 'caught_by': verdict.caught_by,
                              'programs_median': verdict.programs}), file=json_file)
    print('# ' + ', '.join(f'{count} by {who or "nobody"}' for who, count in totals.items()))
    if medians:
        print(f'# median of the medians {statistics.median(medians):g}, most {max(medians)} programs')
    return good


def self_test(suites, programs):
    """It can fail: a mutant that changes nothing is not caught, and a wrong row of the table is an error."""
    barrier = ('barrier.h', 'hm_insn_isb();')
    cases = [
        ('a mutant that does nothing is not caught', Mutant('', *barrier, 'hm_insn_isb(); (void)0;'),
         lambda verdict: not verdict.caught_by and not verdict.error),
        ('nor is it accepted where a suite would do', Mutant('', *barrier, 'hm_insn_isb(); (void)0;', COST),
         lambda verdict: not verdict.caught_by and not verdict.error),
        ('a mutant whose text does not stand in the file is an error',
         Mutant('', 'barrier.h', 'hm_insn_gone();', ''),
         lambda verdict: verdict.error),
        ('a mutant whose text stands in it twice is an error',
         Mutant('', 'lazy_mmu.h', 'hm_port_context_publish();', ''),
         lambda verdict: verdict.error),
        ('a mutant that does not compile is an error', Mutant('', *barrier, 'hm_insn_gone()'),
         lambda verdict: verdict.error),
        ('a mutant without the barrier is caught by the model', Mutant('', *barrier, ''),
         lambda verdict: verdict.caught_by == 'model'),
    ]
    print(f'1..{len(cases)}')
    good = True
    verdicts = in_parallel(lambda case: examine(suites, case[1], programs), cases)
    for number, ((name, mutant, expected), verdict) in enumerate(zip(cases, verdicts), 1):
        right = expected(verdict) and accepted(mutant, verdict) == (verdict.caught_by == 'model')
        good &= report(number, right, name, describe(verdict).splitlines()[0])
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--json', type=argparse.FileType('w'))
    parser.add_argument('--programs', type=int, default=2000)
    parser.add_argument('--cc')
    parser.add_argument('--self-test', action='store_true')
    parser.add_argument('names', nargs='*', metavar='NAME', help='mutants whose name contains one of these')
    arguments = parser.parse_args()
    names = [mutant.name for mutant in MUTANTS]
    if len(set(names)) != len(names):
        sys.exit('two mutants have one name: ' + ', '.join({each for each in names if names.count(each) > 1}))
    chosen = [mutant for mutant in MUTANTS
              if not arguments.names or any(each in mutant.name for each in arguments.names)]
    with Suites('-O1', arguments.cc) as suites:
        good = self_test(suites, arguments.programs) if arguments.self_test else \
            run_all(suites, chosen, arguments.programs, arguments.json)
    sys.exit(0 if good else 1)


if __name__ == '__main__':
    main()
