#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""mutants.py [--json FILE] [--programs N] [--cc COMPILER] [--self-test] [NAME...] -- removes or weakens the
barriers, TLBIs, orders and hook calls of the headers and of the arm64 port one at a time, and says who
notices: the random programs on the adversarial machine, else the contract and unit suites. Prints TAP, one
line a mutant; --json writes a line a mutant with the median number of programs to FILE.

The old text of a mutant stands exactly once in its file, white space apart, or the run fails, so that the
table cannot go stale. Each must be noticed by the model; where only a suite can, the mutant says why.
Noticed by the model means: within N programs (1000; 100 of those that change a linear map) in most of five
series of programs.

Not in the table, as nothing can tell them from the original:
  hm_context_follow_(): the barriers before the state. A handler that comes between them leaves the state
      as it was.
  hm_port_pgtable_invalidate(): start not aligned. Operands begin at bit 12 of the address, and whole pages
      are added to it.
  hm_lazy_mmu_close_(): the register before the word. An exception in between gives back what both agree on,
      the default level, and that is where the register is to be.
  hm_lazy_mmu_queue(): *pending = 1 instead of the word. An active word is not 0 either.
All of this takes minutes on two CPUs, more since there are those of a linear map; NAMEs take seconds each."""
import argparse
import itertools
import json
import pathlib
import re
import shutil
import statistics
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'mutate'))
from suites import (CODES, MODELS, OF_A_LINEAR_MAP, POOLS, SUITES, DoesNotCompile, Suites, find,  # noqa: E402
                    in_parallel, own_first, programs_of)

SOON = 60  # programs
SEEDS = [1, 10_000_000, 200_000_000, 3_000_000_000, 40_000_000_000]
# Who must notice, where it is not the model: the suites, for one of these reasons.
COST = 'costs barriers only, which are correct'
MISUSE = 'after a misuse the model relies on a flush only'
ISOLATED = 'the machine interrupts around uses of the state, not between the accesses of one'
HOOK = "the arm64 hook's own barriers publish as well"
SMALL = 'no program of the model invalidates that much'
OVERWRITTEN = 'the model overwrites no saved state, tests/contract/attack.c does'
ALIGNED = 'every range of the model is aligned'
READS = 'the model asks about faults of reads only'
LEVELS = 'the model has pages at the lowest level only'
CONSECUTIVE = 'all memory of the model is one piece, aligned like its addresses'
UNBROKEN = 'nobody of the model stands on what is broken: its tables are elsewhere'
ARM64_FILES = ('barrier.h', 'code.h', 'fault.h', 'gcs.h', 'pie.h', 'poe.h', 'tlbi.h', 'vmsa.h')


class Mutant:
    def __init__(self, name, file, old, new, only_suites='', of_a_linear_map=False):
        folder = 'ports/arm64/' if file in ARM64_FILES else 'include/hardmap/'
        self.name, self.file, self.old, self.new = name, folder + file, old, new
        self.only_suites = only_suites
        # Programs that change a linear map see nothing else of the headers than what others do, and take longer.
        linear_map = of_a_linear_map or file == 'direct_map.h'
        self.models = [each for each in MODELS if ('direct_map' in each) == linear_map]
        self.suites = sorted((each for each in own_first(SUITES, file)
                              if linear_map or not each.endswith(OF_A_LINEAR_MAP)),
                             key=lambda each: not each.endswith(OF_A_LINEAR_MAP))
        if file.startswith('pgtable_pool'):
            self.models, self.suites = list(POOLS), []
        if file.startswith('rox_cache') or file == 'code.h':
            self.models, self.suites = list(CODES), []

    def apply(self, text):
        """The file's text with the mutation."""
        pattern = r'\s*'.join(map(re.escape, re.findall(r'\w+|[^\w\s]', self.old)))
        found = list(re.finditer(pattern, text))
        if len(found) != 1:
            raise ValueError(f'{self.name}: stands {len(found)} times in {self.file}, not once: {self.old}')
        return text[:found[0].start()] + self.new + text[found[0].end():]


def group(file, *mutants):
    return [Mutant(mutant[0], file, *mutant[1:]) for mutant in mutants]


PAIR = 'hm_port_context_publish(); hm_port_context_sync();'
EAGER = '*pending = *word; } else { '
SPURIOUS = 'DSB before the repeated walk, whoever owes it. */ '
FOLLOW_REGISTER = ('if (hm_context_has_register_() && '
                   '!hm_context_register_is_(hm_context_level_(word))) {')
FOLLOW = 'if (pending) hm_port_context_publish(); ' + FOLLOW_REGISTER
LOWER_OR_RAISE = 'hm_context_register_set_(HM_KPKEYS_DEFAULT); else hm_context_raise_();'
PUBLISH = 'ctx->word = word; ctx->pending = 0; hm_context_follow_(word, pending);'
PUSH = '((tok.outer + HM_CONTEXT_DEPTH_ONE_) & HM_CONTEXT_DEPTH_) |'
PUSHED = 'hm_context_styled_(0) | hm_context_lower_(tok.outer) << HM_CONTEXT_OUTER_FIELD_); return tok;'
POP = ('ctx->word = tok.outer & ~HM_CONTEXT_PENDING_; ctx->pending = tok.outer & HM_CONTEXT_PENDING_; '
       'hm_context_give_back_(tok.self);')
GIVE_BACK = 'ctx->word = tok.outer; hm_context_give_back_(tok.self); }'
OUT = 'HM_CONTEXT_OPEN_ | hm_context_lower_(tok.outer) << HM_CONTEXT_OUTER_FIELD_); hm_port_context_switch();'
LOWER = 'if (!hm_context_register_is_(level)) level = HM_KPKEYS_DEFAULT; '
LOWERED = 'hm_context_register_set_(HM_KPKEYS_DEFAULT); hm_port_context_sync(); return level;'
SECTION = 'hm_context_register_set_(HM_KPKEYS_PGTABLES); hm_port_context_sync(); return tok;'
CLOSE = ('ctx->word = outer; ctx->pending = 0; if (pending) hm_port_context_publish(); '
         'hm_context_register_set_(HM_KPKEYS_DEFAULT); hm_port_context_sync();')
UNKEYED = 'ctx->word = outer; ctx->pending = 0; if (pending) { ' + PAIR + ' }'
PLAIN = ('hm_pte_store_plainly_(ptep, n, first, step); '
         'if (hm_pte_is_published_(first, kind)) hm_lazy_mmu_queue(); }')
BATCHED = ('hm_pte_store_plainly_(ptep, n, first, step); '
           'if (hm_pte_is_published_(first, kind)) *pending = state;')
GUARDED = ('hm_pte_store_range_(ptep, n, first, step); '
           'hm_kpkeys_close_(guard, hm_pte_is_published_(first, kind));')
UPDATE = ('publish = found.val == old.val && hm_pte_is_published_(desired, HM_PTE_EITHER_) && '
          '!hm_port_pte_is_valid(old);')
SWITCH = 'if (hm_port_arm64_has_store_keys()) hm_insn_gcsb_dsync(); hm_insn_dsb_ish();'
SWITCHED = 'if (hm_port_arm64_has_store_keys()) hm_insn_gcsb_dsync(); '
BEGIN = 'hm_insn_dmb_ish(); /* And that before the stores. */ hm_insn_gcsb_dsync();'
END = ('hm_insn_gcsb_dsync(); /* And that before later loads, which may be of what was stored. */ '
       'hm_insn_dmb_ish();')
KEYED_END = 'hm_context_keyed_end_(); '
LINK = 'hm_port_pgtable_order_fill(); hm_pte_set_kernel(ptep, table);'
INVALIDATE = 'hm_lazy_mmu_flush(); hm_port_pgtable_invalidate(va, size, what);'
PAGES = '((va.val + size - 1) >> HM_PORT_ARM64_PAGE_SHIFT) - (va.val >> HM_PORT_ARM64_PAGE_SHIFT) + 1'

MUTANTS = group(
    'context.h',
    # The hardware follows the word.
    ('publication without its DSB', FOLLOW, FOLLOW_REGISTER),
    ('publication without its context synchronisation', 'else if (pending) { hm_port_context_sync(); }', ''),
    ('publication in the wrong order', FOLLOW, 'if (pending) { hm_port_context_sync(); '
     'hm_port_context_publish(); return; } ' + FOLLOW_REGISTER),
    ('publication that stays owed', PUBLISH, 'ctx->word = word; hm_context_follow_(word, pending);'),
    ('publication that forgets before it looks', PUBLISH,
     'ctx->word = word; ctx->pending = 0; hm_context_follow_(word, ctx->pending);'),
    ('publication where nothing is owed', PUBLISH,
     'ctx->word = word; ctx->pending = 0; hm_context_follow_(word, 1);', COST),
    ('publication of the state only', PUBLISH, 'ctx->pending = 0; hm_context_follow_(word, pending);'),
    ('flush that does nothing', 'if (ctx->pending) { ctx->pending = 0;', 'if (0) { ctx->pending = 0;'),
    ('flush that forgets what is owed', '/* first the state, as below */ ' + PAIR, ''),
    ('flush without its DSB', '/* first the state, as below */ ' + PAIR, 'hm_port_context_sync();'),
    ('flush without its context synchronisation', '/* first the state, as below */ ' + PAIR,
     'hm_port_context_publish();'),
    ('flush that ends laziness', '/* first the state, as below */ ' + PAIR,
     'ctx->word &= ~HM_CONTEXT_ACTIVE_; ' + PAIR),
    ('register that does not follow', FOLLOW, 'if (pending) hm_port_context_publish(); if (0) {'),
    ('register that is only raised', LOWER_OR_RAISE, '; else hm_context_raise_();'),
    ('register that is only lowered', LOWER_OR_RAISE, 'hm_context_register_set_(HM_KPKEYS_DEFAULT);'),
    ('register that is lowered where it is raised', LOWER_OR_RAISE,
     'hm_context_register_set_(HM_KPKEYS_DEFAULT); else hm_context_register_set_(HM_KPKEYS_DEFAULT);'),
    ('register that opens everything', 'hm_context_register_set_(hm_context_level_(hm_port_context()->word));',
     'hm_context_register_set_(HM_KPKEYS_UNRESTRICTED);'),
    ('register that is written with what was saved',
     'hm_context_register_set_(hm_context_level_(hm_port_context()->word));',
     'hm_port_kpkeys_write(hm_port_context()->word);'),
    ('register without context synchronisation', 'hm_context_raise_(); hm_port_context_sync(); } else if',
     'hm_context_raise_(); } else if'),
    ('register that is written for nothing', FOLLOW,
     'if (pending) hm_port_context_publish(); if (hm_context_has_register_()) {', COST),
    ('register cut to 16 bits', 'return HM_PORT_KPKEYS_REGISTER(HM_KPKEYS_BASE | (permissions));',
     'return (uint16_t)HM_PORT_KPKEYS_REGISTER(HM_KPKEYS_BASE | (permissions));'),
    ('register cut to an int', 'return HM_PORT_KPKEYS_REGISTER(HM_KPKEYS_BASE | (permissions));',
     'return (uint64_t)(int)(HM_PORT_KPKEYS_REGISTER(HM_KPKEYS_BASE | (permissions)) | 1u << 31);'),
    ('level that every level is', 'return hm_port_kpkeys_read() == hm_context_constant_(level);',
     'return (void)level, true;'),
    ('every level opens tables', 'return (permissions)&HM_KEY_ALLOW(HM_KEY_PGTABLES, HM_KEY_WRITE);',
     'return true || (permissions);'),
    ('no level opens tables', 'return (permissions)&HM_KEY_ALLOW(HM_KEY_PGTABLES, HM_KEY_WRITE);',
     'return false && (permissions);', COST),
    ('level that stays lazy where it cannot write',
     'return hm_context_opens_tables_(level) ? flags : flags & ~HM_CONTEXT_ACTIVE_;', 'return flags;'),
    ('frame that does not say its level',
     'flags = (flags & ~HM_CONTEXT_LEVEL_) | level << HM_CONTEXT_LEVEL_SHIFT_;', ''),
    ('frame that forgets the level around it',
     'return (flags & ~HM_CONTEXT_OUTER_) | (flags & HM_CONTEXT_LEVEL_) << HM_CONTEXT_OUTER_SHIFT_;',
     'return flags;'),
    ('levels that always agree', 'return !((self >> HM_CONTEXT_OUTER_SHIFT_ ^ outer) & HM_CONTEXT_LEVEL_) &&',
     'return', OVERWRITTEN),
    ('word that is believed', 'hm_context_publish_(ctx, word, ctx->pending); HM_BUG("context: the word was',
     'HM_BUG("context: the word was', OVERWRITTEN),
    # Exceptions.
    ('handler on the section that it interrupted', PUSH, 'ctx->word |'),
    ('handler that starts lazy', PUSH,
     '((tok.outer + HM_CONTEXT_DEPTH_ONE_) & (HM_CONTEXT_DEPTH_ | HM_CONTEXT_ACTIVE_)) |'),
    ('handler that starts held', PUSH,
     '((tok.outer + HM_CONTEXT_DEPTH_ONE_) & (HM_CONTEXT_DEPTH_ | HM_CONTEXT_HELD_)) |', COST),
    ('handler that starts owing', 'tok.outer |= HM_CONTEXT_PENDING_; ctx->pending = 0;',
     'tok.outer |= HM_CONTEXT_PENDING_;'),
    ('handler that starts raised', PUSHED, 'hm_context_styled_(0) | '
     'hm_context_level_(tok.outer) << HM_CONTEXT_OUTER_FIELD_); return tok;'),
    ('handler that starts raised and says so', PUSHED, '(tok.outer & (HM_CONTEXT_STYLE_ | HM_CONTEXT_LEVEL_)) | '
     'hm_context_level_(tok.outer) << HM_CONTEXT_OUTER_FIELD_); return tok;'),
    ('exception entry that forgets what is owed', 'if (ctx->pending) tok.outer |= HM_CONTEXT_PENDING_;', ''),
    ('exception entry that forgets the level', PUSHED,
     '(tok.outer & HM_CONTEXT_STYLE_)); hm_context_lower_(tok.outer); return tok;'),
    ('lowered without context synchronisation', LOWER + LOWERED,
     LOWER + 'hm_context_register_set_(HM_KPKEYS_DEFAULT); return level;'),
    ('lowered by word alone', LOWER + LOWERED, LOWERED, OVERWRITTEN),
    ('nothing lowered', 'return hm_context_lower_raised_(word);', 'return hm_context_level_(word);'),
    ('exception return that forgets what is owed', POP,
     'ctx->word = tok.outer & ~HM_CONTEXT_PENDING_; hm_context_give_back_(tok.self);'),
    ("exception return that keeps the handler's word", POP,
     'ctx->pending = tok.outer & HM_CONTEXT_PENDING_; hm_context_give_back_(tok.self);'),
    ('exception return that keeps its own bit', POP, POP.replace(' & ~HM_CONTEXT_PENDING_', '')),
    ('exception return to the default level', POP, POP.replace('hm_context_give_back_(tok.self);', '')),
    ('exception return that raises before the word does', POP,
     'if (tok.self & HM_CONTEXT_OUTER_) hm_context_register_set_( '
     'hm_context_level_(tok.outer)); ' + POP.replace('hm_context_give_back_(tok.self);', '')),
    ('given back whatever the token says', 'return HM_CONTEXT_HAS_WINDOW_ && HM_UNLIKELY_(self & '
     'HM_CONTEXT_OUTER_) && !hm_context_agrees_(self, outer);', 'return (void)self, (void)outer, false;',
     OVERWRITTEN),
    ('exception return without a check', 'if (HM_UNLIKELY_(ctx->word != tok.self || ctx->pending || hm_context_took_another_',
     'if (HM_UNLIKELY_(0 && hm_context_took_another_', MISUSE),
    ('exception depth that is not counted', PUSH, '(tok.outer & HM_CONTEXT_DEPTH_) |', ISOLATED),
    ('exception misuse that forgets what is owed', 'ctx->pending | (tok.outer & HM_CONTEXT_PENDING_)',
     'ctx->pending', MISUSE),
    ('exception misuse that forgets what the handler owes', 'ctx->pending | (tok.outer & HM_CONTEXT_PENDING_)',
     'tok.outer & HM_CONTEXT_PENDING_', MISUSE),
    ('exception misuse that stays lazy', 'word & HM_CONTEXT_OPEN_ ? hm_context_broken_(word) : '
     'hm_context_settled_(word), ctx->pending |', 'word, ctx->pending |', MISUSE),
    ('exception misuse that is not told',
     'HM_BUG("context: exception return with a section or level open, or out of order");', '', MISUSE),
    # Switches and names.
    ('switch without its DSB', OUT, OUT.replace(' hm_port_context_switch();', '')),
    ('switch that leaves its level behind', OUT,
     'HM_CONTEXT_OPEN_ | hm_context_level_(tok.outer) << HM_CONTEXT_OUTER_FIELD_); hm_port_context_switch();'),
    ('switch whose level an interrupt brings back', '| HM_CONTEXT_HELD_ | HM_CONTEXT_BROKEN_)) | ' + OUT,
     '| HM_CONTEXT_HELD_ | HM_CONTEXT_BROKEN_ | HM_CONTEXT_LEVEL_)) | HM_CONTEXT_OPEN_ | '
     'hm_context_level_(tok.outer) << HM_CONTEXT_OUTER_FIELD_); hm_port_context_switch();'),
    ('switch that stays lazy', '| HM_CONTEXT_HELD_ | HM_CONTEXT_BROKEN_)) | ' + OUT,
     '| HM_CONTEXT_HELD_ | HM_CONTEXT_BROKEN_ | HM_CONTEXT_ACTIVE_)) | ' + OUT,
     'nothing of the model writes entries between the halves of a switch'),
    ('switch back without context synchronisation', 'hm_context_keyed_begin_(); hm_port_context_sync(); }',
     'hm_context_keyed_begin_(); }'),
    ('switch back without the order of keyed stores',
     'if (hm_context_is_keyed_()) hm_context_keyed_begin_(); hm_port_context_sync(); }', 'hm_port_context_sync(); }'),
    ('switch back to the default level', GIVE_BACK, 'ctx->word = tok.outer; }'),
    ('switch back without a check', 'hm_context_misuse_(ctx, tok.outer, tok.self); } else { ctx->word = tok.outer; hm_context_give_back_',
     'ctx->word = tok.outer; } else { ctx->word = tok.outer; hm_context_give_back_', MISUSE),
    ('generation that does not advance', 'ctx->generation = generation;', '', MISUSE),
    ('frames without the name of their context', 'return (uint64_t)(uintptr_t)ctx << 32;', 'return 0;',
     MISUSE),
    # Misuse.
    ('misuse that publishes nothing', 'hm_context_publish_(ctx, word, ctx->pending); if (!own)',
     'ctx->word = word; if (!own)'),
    ('misuse that forgets what is owed', 'hm_context_publish_(ctx, word, ctx->pending); if (!own)',
     'hm_context_publish_(ctx, word, 0); if (!own)'),
    ('misuse that stays lazy', '~(HM_CONTEXT_ACTIVE_ | HM_CONTEXT_LEVEL_ | HM_CONTEXT_OUTER_)) |',
     '~(HM_CONTEXT_LEVEL_ | HM_CONTEXT_OUTER_)) |'),
    ('misuse that stays raised', '~(HM_CONTEXT_ACTIVE_ | HM_CONTEXT_LEVEL_ | HM_CONTEXT_OUTER_)) |',
     '~(HM_CONTEXT_ACTIVE_ | HM_CONTEXT_OUTER_)) |', MISUSE),
    ('misuse that does not hold sections', 'HM_CONTEXT_HELD_ | HM_CONTEXT_BROKEN_; }', 'HM_CONTEXT_BROKEN_; }',
     MISUSE),
    ('misuse that breaks nothing', 'outermost ? hm_context_settled_(outer) : hm_context_broken_(word);',
     'outermost ? hm_context_settled_(outer) : word;', MISUSE),
    ('misuse that is told with every leave', 'HM_CONTEXT_HELD_ | HM_CONTEXT_BROKEN_; }', 'HM_CONTEXT_HELD_; }',
     MISUSE),
    ('misuse that never ends', 'outermost ? hm_context_settled_(outer) : hm_context_broken_(word), ctx->pending);',
     'hm_context_broken_(word), ctx->pending);', MISUSE),
    ('misuse that any leave ends',
     'outermost ? hm_context_settled_(outer) : hm_context_broken_(word), ctx->pending);',
     'hm_context_settled_(outer), ctx->pending);', MISUSE),
    ('misuse that believes that it broke before', 'hm_context_publish_(ctx, outermost ? '
     'hm_context_settled_(outer) : hm_context_broken_(word), ctx->pending);',
     'if (outermost) ctx->word = hm_context_settled_(outer);', OVERWRITTEN),
    # The return to user mode.
    ('idle check that publishes nothing',
     'hm_context_publish_( ctx, hm_context_styled_(ctx->word) & (HM_CONTEXT_DEPTH_ | HM_CONTEXT_STYLE_), ctx->pending);',
     'ctx->word &= HM_CONTEXT_DEPTH_ | HM_CONTEXT_STYLE_; ctx->pending = 0;', MISUSE),
    ('idle check that does not reset',
     'hm_context_publish_( ctx, hm_context_styled_(ctx->word) & (HM_CONTEXT_DEPTH_ | HM_CONTEXT_STYLE_), ctx->pending);',
     'hm_context_publish_(ctx, ctx->word, ctx->pending);', MISUSE),
    ('idle check that ignores open sections', '(ctx->word & HM_CONTEXT_BUSY_) ||', '',
     MISUSE),
    ('idle check that ignores the register',
     '|| (hm_context_has_register_() && !hm_context_register_is_(HM_KPKEYS_DEFAULT))', '', OVERWRITTEN),
) + group(
    'kpkeys.h',
    ('level without its register', 'hm_context_level_(tok.outer) != level) { hm_context_register_set_(level);',
     'hm_context_level_(tok.outer) != level) {'),
    ('level without context synchronisation', 'hm_context_register_set_(level); hm_port_context_sync();',
     'hm_context_register_set_(level);'),
    ('level that is entered for nothing', 'hm_context_level_(tok.outer) != level) {', '1) {', COST),
    ('level that does not end', 'hm_context_follow_(tok.outer, publish);',
     'if (publish) { ' + PAIR + ' }'),
    ('level that ends for the register only', '} else { ctx->word = tok.outer; }', '}'),
    ('guard that publishes nothing', 'hm_context_follow_(tok.outer, publish);',
     'hm_context_follow_(tok.outer, 0);'),
    ('guard that always publishes', 'hm_context_follow_(tok.outer, publish);',
     'hm_context_follow_(tok.outer, 1);', COST),
    ('guard of nothing that publishes nothing', '} else if (publish) { ' + PAIR, '} else if (0) { ' + PAIR),
    ('guard that is never needed', 'if (hm_context_opens_tables_(hm_context_level_(hm_port_context()->word)))',
     'if (1)'),
    ('guard that is always needed', 'if (hm_context_opens_tables_(hm_context_level_(hm_port_context()->word)))',
     'if (0)', COST),
    ('level that ends without a check', '} else if (HM_UNLIKELY_(ctx->word != tok.self ||', '} else if '
     '(HM_UNLIKELY_(0 &&', MISUSE),
    ('nothing entered that is left', 'if (!(tok.outer | tok.self)) {', 'if (0) {'),
    ('CPU that starts as it was', 'hm_context_register_set_(HM_KPKEYS_DEFAULT); hm_port_context_sync(); }',
     '}', 'hm_arm64_poe_enable() has written the same'),
    ('CPU that starts at every level', 'hm_context_register_set_(HM_KPKEYS_DEFAULT); hm_port_context_sync(); }',
     'hm_context_register_set_(HM_KPKEYS_UNRESTRICTED); hm_port_context_sync(); }'),
    ('hand-over that publishes nothing', 'hm_context_flush_(ctx); tok = hm_kpkeys_enter_unrestricted();',
     'tok = hm_kpkeys_enter_unrestricted();', 'the model hands nothing over'),
    ('hand-over that stays protected', 'hm_context_flush_(ctx); tok = hm_kpkeys_enter_unrestricted();',
     'hm_context_flush_(ctx); tok = hm_kpkeys_enter_default();', 'the model hands nothing over'),
) + group(
    'lazy_mmu.h',
    ('leave that publishes nothing', UNKEYED, 'ctx->word = outer; ctx->pending = 0;'),
    ('leave without its DSB', UNKEYED, UNKEYED.replace('hm_port_context_publish();', '')),
    ('leave without its context synchronisation', UNKEYED, UNKEYED.replace('hm_port_context_sync();', '')),
    ('leave with its barriers in the wrong order', UNKEYED,
     UNKEYED.replace(PAIR, 'hm_port_context_sync(); hm_port_context_publish();')),
    ('leave that stays owed', UNKEYED, UNKEYED.replace('ctx->pending = 0; ', '')),
    ('leave that forgets before it looks', UNKEYED, UNKEYED.replace('if (pending)', 'if (ctx->pending)')),
    ('inner leave that publishes nothing', 'hm_context_publish_(ctx, outer, ctx->pending);',
     'ctx->word = outer; hm_context_follow_(outer, 0);'),
    ('inner leave without a check of its level', 'if (!hm_context_agrees_(self, outer))', 'if (0)', OVERWRITTEN),
    ('leave without a check of its token', 'if (HM_UNLIKELY_(ctx->word != self))', 'if (0)', MISUSE),
    ('section whose register stays closed', SECTION, 'return tok;'),
    ('section without context synchronisation', SECTION,
     'hm_context_register_set_(HM_KPKEYS_PGTABLES); return tok;'),
    ('section at every level', SECTION,
     'hm_context_register_set_(HM_KPKEYS_UNRESTRICTED); hm_port_context_sync(); return tok;'),
    ('section whose word does not say its level',
     '| (uint64_t)HM_KPKEYS_PGTABLES << HM_CONTEXT_LEVEL_SHIFT_); hm_context_register_set_',
     '); hm_context_register_set_'),
    ('section that stays open', CLOSE, 'ctx->word = outer; ctx->pending = 0; '
     'if (pending) { hm_port_context_publish(); hm_port_context_sync(); }'),
    ('section that is closed without context synchronisation', CLOSE, CLOSE.replace('hm_port_context_sync();', '')),
    ('section that publishes nothing', CLOSE, CLOSE.replace('if (pending) hm_port_context_publish();', '')),
    ('section that publishes after its synchronisation', CLOSE,
     CLOSE.replace('if (pending) hm_port_context_publish();', '') + ' if (pending) hm_port_context_publish();'),
    ('section on a register that is not looked at',
     '|| !hm_context_register_is_(HM_KPKEYS_DEFAULT))) return hm_lazy_mmu_enter_nested_(ctx);',
     ')) return hm_lazy_mmu_enter_nested_(ctx);', OVERWRITTEN),
    ('inner section whose register stays closed', 'hm_context_follow_(tok.self, 0);', ''),
            ('inner section at the level around it', 'hm_context_inside_at_(tok.outer, HM_KPKEYS_PGTABLES))',
     'hm_context_inside_(tok.outer))'),
    # Writers.
    ('eager entry without its DSB', EAGER + PAIR, EAGER + 'hm_port_context_sync();'),
    ('eager entry without its context synchronisation', EAGER + PAIR, EAGER + 'hm_port_context_publish();'),
    ('eager entry with its barriers in the wrong order', EAGER + PAIR,
     EAGER + 'hm_port_context_sync(); hm_port_context_publish();'),
    ('eager entry without barriers', EAGER + PAIR, EAGER),
    ('lazy entry that is not noted', '*pending = *word;', '(void)pending;'),
    ('every entry lazy', 'if (HM_LIKELY_((*word & HM_CONTEXT_ACTIVE_) || hm_context_is_active_keyed_(*word))) {', 'if (1) {'),
    ('every entry in a frame lazy', 'if (HM_LIKELY_((*word & HM_CONTEXT_ACTIVE_) || hm_context_is_active_keyed_(*word))) {',
     'if (*word & ~HM_CONTEXT_FLAGS_) {'),
    ('every entry eager', 'if (HM_LIKELY_((*word & HM_CONTEXT_ACTIVE_) || hm_context_is_active_keyed_(*word))) {', 'if (0) {', COST),
    # Sections and pauses.
    ('section that is not lazy', '(tok.outer & HM_CONTEXT_FLAGS_) | HM_CONTEXT_OPEN_ | HM_CONTEXT_ACTIVE_);',
     '(tok.outer & HM_CONTEXT_FLAGS_) | HM_CONTEXT_OPEN_);', COST),
    ('section that is lazy in a pause', 'if (HM_UNLIKELY_(tok.outer & HM_LAZY_MMU_ODD_))', 'if (0)'),
            ('guarded section that is lazy in a pause', 'if (tok.outer & HM_CONTEXT_HELD_) return', 'if (0) return'),
    ('section in a pause without a frame', 'if (!(tok.outer & HM_CONTEXT_BROKEN_)) tok.self = '
     'hm_context_open_(ctx, hm_context_next_(ctx), hm_context_inside_(tok.outer));', ''),
    ('pause that forgets what is owed', 'hm_context_follow_(HM_KPKEYS_DEFAULT, pending);',
     'hm_context_follow_(HM_KPKEYS_DEFAULT, 0);'),
    ('pause that stays raised', 'hm_context_follow_(HM_KPKEYS_DEFAULT, pending);',
     'if (pending) { ' + PAIR + ' }'),
    ('pause that stays lazy', '~(HM_CONTEXT_ACTIVE_ | HM_CONTEXT_LEVEL_)) | HM_CONTEXT_OPEN_ | HM_CONTEXT_HELD_);',
     '~HM_CONTEXT_LEVEL_) | HM_CONTEXT_OPEN_ | HM_CONTEXT_HELD_);'),
    ("pause that does not hold callees' sections", 'HM_CONTEXT_OPEN_ | HM_CONTEXT_HELD_);', 'HM_CONTEXT_OPEN_);'),
) + group(
    'pgtable.h',
    ('entry that is not published', PLAIN, 'hm_pte_store_plainly_(ptep, n, first, step); }'),
    ('entry that is published before the store', PLAIN, 'if (hm_pte_is_published_(first, kind)) '
     'hm_lazy_mmu_queue(); hm_pte_store_plainly_(ptep, n, first, step); }'),
    ('entry that is published whatever it is', PLAIN,
     'hm_pte_store_plainly_(ptep, n, first, step); hm_lazy_mmu_queue(); }', COST),
    ('entry of a section that owes nothing', BATCHED, 'hm_pte_store_plainly_(ptep, n, first, step);'),
    ('entry of a section that always owes', BATCHED,
     'hm_pte_store_plainly_(ptep, n, first, step); *pending = state;', COST),
    ('guarded entry that is not published', GUARDED,
     'hm_pte_store_range_(ptep, n, first, step); hm_kpkeys_close_(guard, false);'),
    ('guarded entry whose guard ends early', GUARDED,
     'hm_kpkeys_close_(guard, hm_pte_is_published_(first, kind)); hm_pte_store_range_(ptep, n, first, step);'),
    ('guarded entry without its guard', 'hm_kpkeys_guard_tables_(); hm_pte_store_range_',
     'hm_kpkeys_none(); hm_pte_store_range_'),
    ('no entry guarded', 'if (HM_UNLIKELY_(!(state & HM_CONTEXT_ACTIVE_))) {', 'if (0) {'),
    ('every entry guarded', 'if (HM_UNLIKELY_(!(state & HM_CONTEXT_ACTIVE_))) {', 'if (1) {', COST),
    ('kernel entry taken for quiet', 'hm_pte_store_(ptep, 1, pte, 0, HM_PTE_KERNEL_);',
     'hm_pte_store_(ptep, 1, pte, 0, HM_PTE_QUIET_);'),
    ('entry taken for quiet', 'hm_pte_store_(ptep, 1, pte, 0, HM_PTE_EITHER_);',
     'hm_pte_store_(ptep, 1, pte, 0, HM_PTE_QUIET_);'),
    ('range taken for quiet', 'hm_pte_store_(ptep, n, first, step, HM_PTE_EITHER_);',
     'hm_pte_store_(ptep, n, first, step, HM_PTE_QUIET_);'),
    ('keyed entry that nothing precedes', 'hm_context_keyed_begin_(); hm_pte_store_by_key_(ptep, n, first, step);',
     'hm_pte_store_by_key_(ptep, n, first, step);'),
    ('keyed entry that nothing follows', KEYED_END, ''),
    ('keyed entry that is not published', 'if (publish && !hm_context_is_active_keyed_(ctx->word)) {', 'if (0) {'),
    ('keyed entry of a section that owes nothing', 'if (publish) ctx->pending = ctx->word;', ''),
    ('keyed entry of a section that is eager', 'if (publish && !hm_context_is_active_keyed_(ctx->word)) {',
     'if (publish) {', COST),
    ('keyed update that publishes nothing', '!hm_port_pte_is_valid(old) && hm_pte_is_published_(desired, HM_PTE_EITHER_));',
     'false);'),
    ('keyed update of whatever is there', 'if (found.val == old.val) hm_pte_store_keyed_(', 'hm_pte_store_keyed_(',
     "no two of the model's threads update one entry"),
    ('update that publishes nothing', UPDATE, 'publish = false;'),
    ('update without its guard', 'if (guarded) guard = hm_kpkeys_guard_tables_();', ''),
    ('update that leaves its guard', 'if (guarded) hm_kpkeys_close_(guard, publish); else if', 'if'),
    ('update of a section that owes nothing', 'else if (publish) hm_lazy_mmu_queue();', ''),
    ('update that publishes valid to valid', UPDATE,
     'publish = found.val == old.val && hm_pte_is_published_(desired, HM_PTE_EITHER_);', COST),
    ('update that ignores a failure', 'return found.val == old.val; }', 'return true; }',
     "no two of the model's threads write one entry"),
    ('update that ignores what it found', '*expected = found;', '',
     "no two of the model's threads write one entry"),
    ('range that forgets its tail', 'for (; ptep != end; ptep++, pte = hm_pte_advance_(pte, step)) hm_port_pte_store(ptep, pte);',
     ''),
    ('range that steps wrongly', 'pte = hm_pte_advance_(pte, 8 * step);',
     'pte = hm_pte_advance_(pte, 7 * step);',
     'no range of the model is that long'),
    ('range without a check', 'if (HM_LIKELY_(!(offset % sizeof(*ptep)) && n <= (size - offset) / '
     'sizeof(*ptep)))', 'if (1)',
     'every range of the model fits'),
    ('clear_range one entry short', 'hm_pte_store_(ptep, n, none, 0, HM_PTE_QUIET_);',
     'hm_pte_store_(ptep, n - 1, none, 0, HM_PTE_QUIET_);'),
    ('fill one entry short', 'hm_pte_store_(ptep, n, first, step, HM_PTE_QUIET_);',
     'hm_pte_store_(ptep, n - 1, first, step, HM_PTE_QUIET_);'),
    ('clear that clears nothing', 'hm_pte_store_(ptep, 1, none, 0, HM_PTE_QUIET_);', '(void)none, (void)ptep;'),
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
    ('spurious fault whatever the permission', 'if (!pte.val || !hm_port_pte_permits(pte, access)) return false;',
     'if (!pte.val) return false;', READS),
    ('spurious fault of an invalid entry', 'if (!hm_port_pte_is_valid(pte)) pte.val = 0;', '',
     'the model asks about mapped pages only'),
    ('spurious fault without tables', 'table && *level;', '*level;', 'the model always has tables'),
    ('spurious fault judged by a link', 'if (!pte.val || !hm_port_pte_is_table(pte, *level)) break;', 'break;'),
    ('no fault is spurious', PAIR + ' return true;', PAIR + ' return false;'),
) + group(
    'barrier.h',
    ('publish as DMB ISHST', 'hm_insn_dsb_ishst();', 'hm_insn_dmb_ishst();'),
    ('publish as nothing', 'hm_insn_dsb_ishst();', ''),
    ('keyed publication without GCSB', 'hm_insn_gcsb_dsync(); hm_insn_dsb_ish(); } else', 'hm_insn_dsb_ish(); } else'),
    ('keyed publication by stores only', 'hm_insn_dsb_ish(); } else', 'hm_insn_dsb_ishst(); } else'),
    ('keyed publication with GCSB after its DSB', 'hm_insn_gcsb_dsync(); hm_insn_dsb_ish(); } else',
     'hm_insn_dsb_ish(); hm_insn_gcsb_dsync(); } else'),
    ('keyed switch without GCSB', 'if (hm_port_arm64_has_store_keys()) hm_insn_gcsb_dsync();', ''),
    ('switch with GCSB after its DSB', SWITCH, 'hm_insn_dsb_ish(); if (hm_port_arm64_has_store_keys()) hm_insn_gcsb_dsync();'),
    ('publish as DSB ISH', 'hm_insn_dsb_ishst();', 'hm_insn_dsb_ish();', COST),
    ('context synchronisation as nothing', 'hm_insn_isb();', ''),
    ('switch as DSB ISHST', SWITCH, SWITCHED + 'hm_insn_dsb_ishst();'),
    ('switch as DMB ISHST', SWITCH, SWITCHED + 'hm_insn_dmb_ishst();'),
    ('switch as nothing', SWITCH, SWITCHED),
) + group(
    'gcs.h',
    ('keyed store not after what was loaded', 'hm_insn_dmb_ish(); /* And that before the stores. */', ''),
    ('keyed store before its GCSB', '/* And that before the stores. */ hm_insn_gcsb_dsync();', ''),
    ('keyed store with GCSB before its DMB', BEGIN, 'hm_insn_gcsb_dsync(); hm_insn_dmb_ish();'),
    ('keyed store that no GCSB follows', 'whatever releases a lock after it. */ hm_insn_gcsb_dsync();', '*/'),
    ('keyed store that loads may miss', 'which may be of what was stored. */ hm_insn_dmb_ish();', '*/'),
    ('keyed store with DMB before its GCSB', END, 'hm_insn_dmb_ish(); hm_insn_gcsb_dsync();'),
    ('keyed store as an ordinary one', 'hm_insn_gcsstr(&ptep->val, pte.val);', 'hm_insn_str(&ptep->val, pte.val);'),
    ('store keys without their instruction', 'hm_insn_msr_gcscr_el1(HM_ARM64_GCSCR_STREN);', ''),
    ('store keys with a control stack', 'hm_insn_msr_gcscr_el1(HM_ARM64_GCSCR_STREN);',
     'hm_insn_msr_gcscr_el1(HM_ARM64_GCSCR_STREN | 1);'),
    ('store keys whose pages are ordinary', 'HM_ARM64_KERNEL_KEYED, HM_ARM64_PIR_GCS)', 'HM_ARM64_KERNEL_KEYED, HM_ARM64_PIR_RW)'),
    ('store keys whose pages are read-only', 'HM_ARM64_KERNEL_KEYED, HM_ARM64_PIR_GCS)', 'HM_ARM64_KERNEL_KEYED, HM_ARM64_PIR_R)'),
) + group(
    'poe.h',
    ('indirection without overlays', 'hm_arm64_pie_enable_(HM_ARM64_PIR_EL1, HM_ARM64_TCR2_POE);',
     'hm_arm64_pie_enable_(HM_ARM64_PIR_EL1, 0);'),
    ('keys on before the register is known', 'hm_insn_msr_por_el1(HM_PORT_KPKEYS_REGISTER(HM_KPKEYS_BASE));', '',
     'the model executes nothing between hm_arm64_poe_enable() and hm_kpkeys_cpu_start()'),
    ('register that is not written', 'hm_insn_msr_por_el1(value);', '(void)value;'),
    ('register read as another', 'return hm_insn_mrs_por_el1();', 'return hm_insn_mrs_por_el1() & 0xffff;'),
) + group(
    'pie.h',
    ('keys on without TLBI', 'hm_insn_tlbi_vmalle1();', ''),
    ('keys on before the TLBI is complete', 'hm_insn_dsb_nsh();', ''),
    ('keys on with the TLBI before the registers', 'or an entry is made anew by the old ones. */ hm_insn_isb();',
     '*/'),
    ('keys on without context synchronisation', 'hm_insn_dsb_nsh(); hm_insn_isb();', 'hm_insn_dsb_nsh();',
     'hm_kpkeys_cpu_start() follows, and synchronises'),
    ('kernel data under no overlay', 'HM_ARM64_PIR_FIELD_(HM_ARM64_KERNEL_RW, HM_ARM64_PIR_RW) |',
     'HM_ARM64_PIR_FIELD_(HM_ARM64_KERNEL_RW, HM_ARM64_PIR_RW_ALWAYS) |'),
    ('kernel data that is read-only', 'HM_ARM64_PIR_FIELD_(HM_ARM64_KERNEL_RW, HM_ARM64_PIR_RW) |',
     'HM_ARM64_PIR_FIELD_(HM_ARM64_KERNEL_RW, HM_ARM64_PIR_R) |'),
) + group(
    'tlbi.h',
    ('TLBI before its stores are complete', 'hm_port_context_publish();', ''),
    ('TLBI after a DMB ISHST', 'hm_port_context_publish();', 'hm_insn_dmb_ishst();'),
    ('TLBI after a DSB ISHST whatever the stores', 'hm_port_context_publish();', 'hm_insn_dsb_ishst();'),
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
    ('permits writes to read-only memory',
     'return (pte.val & (HM_ARM64_READONLY | HM_ARM64_WRITABLE)) == HM_ARM64_WRITABLE;', 'return true;', READS),
    ('writable pages that indirection does not know', 'HM_ARM64_KERNEL_DATA_ | HM_ARM64_PXN | HM_ARM64_WRITABLE)',
     'HM_ARM64_KERNEL_DATA_ | HM_ARM64_PXN)', 'PIR_EL1 is computed from the same attributes'),
    ('keys in another field', '#define HM_ARM64_KEY(key) ((uint64_t)(key) << 60)',
     '#define HM_ARM64_KEY(key) ((uint64_t)(key) << 59)'),
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

F_SPLIT = 'hm_pte_link(slot->ptep, hm_port_pte_link(table)); hm_direct_map_made_(change->live);'
UNFOLDED = 'if (unfolded) hm_port_pgtable_order_fill();'
CROSSES = ('return hm_direct_map_crosses_(change, hm_direct_map_group_start_(&entries->slot), '
           'hm_direct_map_group_end_(&entries->slot));')
RANGE = ('hm_direct_map_invalidate_(change->map, change->start, change->end, HM_INVALIDATE_LEAVES);')
UNLINKED = 'hm_direct_map_invalidate_(map, unlinked->start, unlinked->end, HM_INVALIDATE_TABLES);'
BREAK = ('map->counts.entries += n; hm_direct_map_invalidate_(map, slot->start, '
         'slot->start + ((uint64_t)n << hm_port_pgtable_shift(slot->level)), HM_INVALIDATE_TABLES);')
DEEPEN = ('hm_pte_fill(hm_port_pgtable_map(table), HM_PORT_PGTABLE_ENTRIES, none, 0); '
          'hm_pte_link(slot.ptep, hm_port_pte_link(table));')
SET = ('hm_pte_set_range(entries.slot.ptep, entries.n, entries.wanted, '
       'hm_direct_map_wanted_step_(change, &entries));')
ADDED = ('hm_pte_set_range( slot.ptep, n, hm_port_leaf_encode(&leaf, level), '
         'hm_direct_map_step_(hm_port_leaf_encode(&leaf, level), leaf, level)); map->counts.entries += n; va +=')
RESIZES = ('change->resizes = true; error = hm_direct_map_plan_break_(change, slot, '
           'hm_direct_map_group_start_(slot),')
REMOVED = 'hm_pte_clear(slot.ptep); map->counts.entries++; hm_direct_map_unlink_(map, &unlinked, &slot);'
SAME = 'leaf.pa.val - same->pa.val != va - start ||'
GROUPS = ('leaf.contiguous = group > 1 && hm_port_pte_is_valid(slot->pte) && '
          '(va + bytes <= change->start || va >= change->end || ')
CUT = '(change->what == HM_DIRECT_MAP_SPLIT_ && !hm_direct_map_crosses_(change, va, va + bytes))'

MUTANTS += group(
    'direct_map.h',
    # Sizes.
    ('split whose fill is not ordered', F_SPLIT, F_SPLIT.replace('hm_pte_link(', 'hm_pte_set_kernel(', 1)),
    ('split that changes permissions too', 'struct hm_leaf leaf = entries->leaf; uint64_t va; unsigned int i;',
     'struct hm_leaf leaf = entries->leaf; uint64_t va; unsigned int i; '
     '(void)hm_port_leaf_decode(entries->wanted, slot->level, &leaf);'),
    ('split of other memory', 'leaf.pa.val = entries->leaf.pa.val + (va - slot->start);',
     'leaf.pa.val = entries->leaf.pa.val;'),
    ('split into groups of what is to change', GROUPS, GROUPS.replace('(va +', '(1 || va +'), COST),
    ('split into groups of what is cut', CUT, 'change->what == HM_DIRECT_MAP_SPLIT_', COST),
    ('split into single entries', GROUPS, 'leaf.contiguous = false && (va == change->start || ', COST),
    ('split of a table of another level', 'if (!hm_direct_map_is_link_(slot)) return; }', 'return; }'),
    ('groups that stay closed', CROSSES + ' return true;', CROSSES + ' return false;'),
    ('groups at the ends that stay closed', CROSSES, 'return false;'),
    ('groups that are looked at as one', 'if (entries->leaf.contiguous && hm_direct_map_group_end_(slot) < end) '
     'end = hm_direct_map_group_end_(slot);', ''),
    ('groups that the plan forgets', RESIZES, RESIZES.replace('change->resizes = true;', '')),
    ('groups whose opening is not ordered before the change', UNFOLDED, ''),
    ('run beyond the range', 'if (left < n) n = (unsigned int)left;', ''),
    # Changes.
    ('change that is not invalidated', 'if (hm_direct_map_change_entries_(change)) ' + RANGE,
     'hm_direct_map_change_entries_(change);'),
    ('change whose first half is invalidated', RANGE,
     RANGE.replace('change->end', 'change->start + (change->end - change->start + 1) / 2')),
    ('change that forgets what was valid', 'stale |= hm_port_pte_is_valid(entries.slot.pte);',
     'stale = hm_port_pte_is_valid(entries.slot.pte);'),
    ('change that is always invalidated', 'if (hm_direct_map_change_entries_(change)) ' + RANGE,
     'hm_direct_map_change_entries_(change); ' + RANGE, COST),
    ('valid entries that are not published', SET, SET.replace('hm_pte_set_range', 'hm_pte_fill')),
    ('marks that are invalidated', 'return stale && change->what != HM_DIRECT_MAP_SMALL_ && '
     'change->what != HM_DIRECT_MAP_LARGE_;', 'return stale;', COST),
    # Collapse.
    ('collapse that invalidates leaves only', UNLINKED, UNLINKED.replace('TABLES', 'LEAVES')),
    ('collapse that invalidates nothing', UNLINKED, ''),
    ('collapse that invalidates its last table', 'if (!unlinked->n) unlinked->start = slot->start;',
     'unlinked->start = slot->start;', 'rarely are two tables joined at once'),
    ('collapse of two keys', 'leaf.key != same->key ||', ''),
    ('collapse of two permissions', 'leaf.permission != same->permission ||', ''),
    ('collapse of two memory types', '|| leaf.other != same->other) return false;', ') return false;',
     'all memory of the model is of one type'),
    ('collapse of what is to stay small', '|| leaf.keep_small) return false;',
     ') return false;'),
    ('collapse of memory here and there', SAME, '', CONSECUTIVE),
    ('collapse of memory that is not aligned', '(same->pa.val & (end - start - 1)) ||',
     '', CONSECUTIVE),
    ('collapse of a group that has a table', 'slot.level < lowest ||', '', CONSECUTIVE),
    ('collapse beyond the map', 'return slot->start >= collapse->start && end - 1 <= collapse->last &&', 'return',
     'nothing lies beside the map of the model'),
    ('tables that are freed twice', 'map->counts.tables_freed++; hm_port_pgtable_free(tables[at]);',
     'map->counts.tables_freed++; hm_port_pgtable_free(tables[at]); hm_port_pgtable_free(tables[at]);', COST),
    ('tables below that are not freed', 'if (hm_port_pte_is_valid(pte) && hm_port_pte_is_table(pte, at)) { at--;',
     'if (0) { at--;', COST),
    # Break-before-make.
    ('break that breaks nothing', 'if (live || !hm_port_pte_is_valid(slot->pte)) return; hm_pte_clear_range',
     'if (1) return; hm_pte_clear_range'),
    ('break that is not invalidated', BREAK, 'map->counts.entries += n;'),
    ('break that leaves walk caches', BREAK, BREAK.replace('TABLES', 'LEAVES')),
    ('break of one entry of a group', 'hm_direct_map_break_(map, live, &first, n);',
     'hm_direct_map_break_(map, live, &first, 1);'),
    ('break that nobody is asked for', 'if (!error && change->broken_end) error = hm_port_direct_map_break('
     'broken, bytes);', ''),
    ('break whose end is not published', 'if (!live) hm_lazy_mmu_flush();', '', UNBROKEN),
    ('change that is live at level 2', 'hm_port_bbm_level() >= 3, 0, 0, false, 0, 0',
     'hm_port_bbm_level() >= 2, 0, 0, false, 0, 0'),
    ('collapse that is live at level 2', 'collapse.live = hm_port_bbm_level() >= 3;',
     'collapse.live = hm_port_bbm_level() >= 2;'),
    ('repaint that is not invalidated', 'hm_direct_map_invalidate_(map, change.start, change.end, '
     'HM_INVALIDATE_TABLES);', '', 'no CPU of the model comes late'),
    # Memory that comes and goes.
    ('tables that are removed without invalidation', REMOVED,
     'hm_pte_clear(slot.ptep); hm_direct_map_free_(map, slot.pte, level);'),
    ('tables that are removed from under others', '|| !hm_direct_map_is_empty_(hm_port_pte_table(slot.pte))) '
     'continue;', ') continue;'),
    ('added tables that are linked before they are empty', DEEPEN,
     'hm_pte_set_kernel(slot.ptep, hm_port_pte_link(table)); '
     'hm_pte_fill(hm_port_pgtable_map(table), HM_PORT_PGTABLE_ENTRIES, none, 0);'),
    ('added tables that are never emptied', DEEPEN, 'hm_pte_link(slot.ptep, hm_port_pte_link(table));',
     'most tables of the model are empty when they are taken'),
    ('added memory that is not published', ADDED, ADDED.replace('hm_pte_set_range(', 'hm_pte_fill(')),
) + [
    Mutant('hint of the last level', 'tlbi.h', 'return va.val >> 12 & ((UINT64_C(1) << 44) - 1);',
           'return (va.val >> 12 & ((UINT64_C(1) << 44) - 1)) | UINT64_C(7) << 44;', of_a_linear_map=True),
    Mutant('range hint of the last level', 'tlbi.h', '(uint64_t)num << 39 |',
           '(uint64_t)num << 39 | UINT64_C(3) << 37 |', of_a_linear_map=True),
    Mutant('leaf without its key', 'vmsa.h', 'leaf->key = (unsigned int)(pte.val >> 60 & 7);', 'leaf->key = 0;',
           of_a_linear_map=True),
    Mutant('groups of eight', 'vmsa.h', 'if (HM_PORT_ARM64_PAGE_SHIFT == 12) return 16;',
           'if (HM_PORT_ARM64_PAGE_SHIFT == 12) return 8;', of_a_linear_map=True),
]


class Plant(Mutant):
    """The headers as they are, under a kernel that does something wrong."""

    def __init__(self, name, number, of='pool'):
        super().__init__(name, 'rox_cache.h' if of == 'rox' else 'pgtable_pool.h', '', '')
        self.models = [f'model_{of}_plant_{number}']

    def apply(self, text):
        return text


CHANGE_BACK = 'const int error = hm_pool_set_key_(pool, pa, run.n, HM_KEY_DEFAULT, tables);'
EVICT = ('for (i = 0; i < HM_PORT_PGTABLE_ENTRIES; i++) hm_pool_put_(hm_port_pgtable_map(to) + i, '
         'hm_pool_get_(hm_port_pgtable_map(from) + i)); hm_pool_rename_(root, from, to);')
PUT = 'if (hm_context_is_keyed_()) hm_pte_fill(word, 1, pte, 0); else hm_port_pte_store(word, pte);'
CLAIM = 'if (!hm_pool_check_(hm_pool_root_(pool), page, from, &frame)) return false;'
RETURN = 'wrong++; else hm_pool_free_page_(&frame, hm_pool_index_of_(page));'

MUTANTS += group(
    'pgtable_pool/frames.h',
    # Metadata.
    ('metadata by ordinary stores', PUT, 'hm_port_pte_store(word, pte);'),
    ('states by ordinary stores', 'hm_pte_fill(words + HM_POOL_STATES_ + page / 4, (end - page) / 4, four, 0);',
     'for (unsigned int i = 0; i < (end - page) / 4; i++) '
     'hm_port_pte_store(words + HM_POOL_STATES_ + page / 4 + i, four);'),
    # What a stray store leaves.
    ('page that is read again after it was looked at', RETURN, RETURN.replace('(page)', '(pages[i])')),
    ('empty lists that are believed to have pages', 'hm_pool_recount_(pool, root); break;', 'break;'),
) + group(
    'pgtable_pool.h',
    # Metadata.
    ('metadata without their guard', 'return hm_kpkeys_enter_pgtables(); #else return hm_kpkeys_none(); #endif }',
     'return hm_kpkeys_none();\n#else\nreturn hm_kpkeys_none();\n#endif\n}'),
    ('page out of a magazine without the lock', 'guard = hm_pool_lock_(pool); const uint32_t below',
     'guard = hm_kpkeys_enter_pgtables(); const uint32_t below'),
    ('page into a magazine without the lock', 'guard = hm_pool_lock_(pool); const uint32_t pages',
     'guard = hm_kpkeys_enter_pgtables(); const uint32_t pages'),
    ('pages from frames without the lock',
     'guard = hm_pool_lock_(pool); taken = hm_pool_take_(pool, 1, 0, HM_POOL_USED_, page, HM_NULL_);',
     'guard = hm_kpkeys_enter_pgtables(); taken = hm_pool_take_(pool, 1, 0, HM_POOL_USED_, page, HM_NULL_); '
     'hm_pool_unlock_(pool, guard); guard = hm_pool_lock_(pool);'),
    # Keys.
    ('block that is given back before its key', CHANGE_BACK,
     'hm_port_pgtable_pool_give(pool, pa, run.n); ' + CHANGE_BACK),
    ('block that is given back with its key', CHANGE_BACK, 'const int error = 0; (void)tables;'),
    ('block that is served without its key',
     'if (!flags) error = hm_pool_set_key_(pool, pa, pages, HM_KEY_PGTABLES, tables);', ''),
    ('block that is served before it has its key',
     'if (!flags) error = hm_pool_set_key_(pool, pa, pages, HM_KEY_PGTABLES, tables); if (!error) {',
     'if (!error) { if (!flags) { guard = hm_pool_lock_(pool); error = hm_pool_add_(pool, pa, pages, HM_POOL_LAST_, '
     'flags, metas); hm_pool_unlock_(pool, guard); return error ? error : hm_pool_set_key_(pool, pa, pages, '
     'HM_KEY_PGTABLES, tables); }'),
    ('refill half of which has its key', 'undone = error == -HM_EIO ? error : 0;', 'undone = 0;'),
    ('release half of which has its key', '} else if (!run.again && error != -HM_EIO) {', '} else if (!run.again) {'),
    ('pages that are served while their key changes', 'hm_pool_put_states_(frame->words, page, n, HM_POOL_HELD_); '
     'hm_pool_link_free_(frame);', ''),
    ('frames that are not protected', 'error = hm_pool_protect_(pool, number);', 'error = 0;'),
    ('root that is not protected', 'if (HM_PORT_PGTABLE_POOL_LOCKED) error = hm_pool_set_key_(pool, '
     'hm_port_pgtable_pool_root(pool), 1, HM_KEY_PGTABLES, &none);', '(void)none;'),
    ('refills that are not protected', 'hm_pool_put_(root + HM_POOL_PROTECTED_, 1);', ''),
    # Metadata move.
    ('block that takes its metadata along', 'found = found && hm_pool_evict_(pool, root, link - 1);', ''),
    ('metadata that move without what is in them', EVICT, 'hm_pool_rename_(root, from, to); (void)i;'),
    ('metadata that nobody finds', EVICT, EVICT.replace('hm_pool_rename_(root, from, to);', '')),
    # What is held back.
    ('pages of tokens that others get', 'return hm_pool_get_(hm_pool_root_(pool) + HM_POOL_RESERVED_) +',
     'return 0 * hm_pool_get_(hm_pool_root_(pool) + HM_POOL_RESERVED_) +'),
    ('page that is not emptied', 'if (flags & HM_PGTABLE_POOL_ZERO)', 'if (0)'),
    # What a stray store leaves.
    ('magazine that is believed', CLAIM, '(void)hm_pool_check_(hm_pool_root_(pool), page, from, &frame);'),
    ("magazine that has another CPU's page", 'HM_POOL_CACHED_ | cpu, HM_POOL_USED_); }',
     'HM_POOL_CACHED_ | !cpu, HM_POOL_USED_); }'),
) + [
    Plant('tables that are freed without invalidation', 1),
    Plant('tables that are freed while walk caches have them', 2),
    Plant('key change that is not invalidated', 3),
    Plant('key change of one page', 4),
    Plant('block that is lent while it is in use', 5),
]

PUBLISH_CODE = 'hm_port_code_clean(hm_port_rox_cache_at(cache, hm_rox_va_(at - skip)), bytes + skip); }'
INVALIDATE_CODE = 'hm_port_code_invalidate(hm_rox_va_(start), end - start);'
POISON = 'hm_kpkeys_leave(level); hm_rox_publish_(cache, at, end);'
END_WRITING = 'hm_kpkeys_leave(level); hm_rox_publish_(cache, range->first, range->end);'
LEAVE_BLOCK = ('!hm_port_rox_cache_execute(cache, block, false) && '
               '!hm_port_rox_cache_alias(cache, block, HM_ROX_BLOCK_, HM_ROX_CACHE_MEMORY);')
FILL_BLOCK = 'hm_rox_fill_(cache, block, block + HM_ROX_BLOCK_, false);'
CLEAN_BLOCK = 'hm_port_code_clean(hm_port_rox_cache_at(cache, va), HM_ROX_BLOCK_);'
CLOSE_BLOCK = 'error = hm_port_rox_cache_alias(cache, va, HM_ROX_BLOCK_, HM_ROX_CACHE_CLOSED);'
EXECUTE_BLOCK = 'if (!error) error = hm_port_rox_cache_execute(cache, va, true);'
SYNCHRONISED = 'if (!hm_rox_synchronise_(cache)) return -HM_EBUSY; hm_rox_set_state_(cache, range, HM_ROX_CACHE_LIVE);'

MUTANTS += group(
    'rox_cache.h',
    # Windows.
    ('code that is written at the default level', '*level = hm_kpkeys_enter_text();', ''),
    ('window that leaves its level open', END_WRITING, 'hm_rox_publish_(cache, range->first, range->end); (void)level;'),
    ('traps that leave their level open', POISON, 'hm_rox_publish_(cache, at, end);'),
    ('alias that stays open', 'error = hm_rox_seal_(cache, at, end); hm_port_rox_cache_window_unlock(cache);',
     'error = 0; hm_port_rox_cache_window_unlock(cache);'),
    ('window without its last page', 'end = (end + page - 1) & ~(page - 1);', 'end &= ~(page - 1);'),
    ('window of one page more', 'end = (end + page - 1) & ~(page - 1);', 'end = (end + page) & ~(page - 1);'),
    ('open pages that are forgotten', 'cache->unsealed_end = error ? end : 0;', 'cache->unsealed_end = 0;'),
    ("window over another's open pages", 'error = hm_rox_seal_rest_(cache); if (!error) {', 'error = 0; {'),
    ('open pages of a window that does not open', 'hm_rox_seal_(cache, at, end < reached ? end : reached);', ';'),
    ("window that closes itself and forgets another's open pages", 'error = hm_rox_seal_left_(cache); }',
     'error = hm_port_rox_cache_window_lock(cache) ? hm_rox_close_(cache, range->first, range->end) : -HM_EBUSY; }'),
    ('window that two have', 'error = -HM_EBUSY; if (range->state == HM_ROX_CACHE_LIVE) {',
     'if (range->state <= HM_ROX_CACHE_WRITING) {'),
    ('window beyond a block', 'return end - at < left ? end - at : left;', '(void)left; return end - at;'),
    # What instruction fetches find.
    ('code that is not cleaned', PUBLISH_CODE, '(void)skip; }'),
    ('code that is not invalidated', INVALIDATE_CODE, '(void)start;'),
    ('code that is invalidated before it is cleaned', PUBLISH_CODE + ' ' + INVALIDATE_CODE,
     'hm_port_code_invalidate(hm_rox_va_(at), bytes); ' + PUBLISH_CODE + ' (void)start;'),
    ('code whose first words are cleaned only', PUBLISH_CODE, PUBLISH_CODE.replace('bytes + skip', '8')),
    ('code whose other blocks are not cleaned', PUBLISH_CODE, PUBLISH_CODE.replace('; }', '; break; }')),
    ('code that CPUs are not told of', SYNCHRONISED, 'hm_rox_set_state_(cache, range, HM_ROX_CACHE_LIVE);'),
    ('code that CPUs are told of before it is there', END_WRITING,
     'if (!hm_rox_synchronise_(cache)) return -HM_EBUSY; ' + END_WRITING + ' if (!hm_rox_close_(cache, range->first, range->end)) '
     '{ hm_rox_set_state_(cache, range, HM_ROX_CACHE_LIVE); return 0; }'),
    ('CPUs that need not be told', SYNCHRONISED, SYNCHRONISED.replace('if (!hm_rox_synchronise_(cache)) return -HM_EBUSY;',
                                                                      '(void)hm_rox_synchronise_(cache);')),
    ('code whose end is not written', 'if (trail) hm_rox_store_word_(to, last, keyed);', ''),
    ('keyed stores that are not waited for', 'if (keyed) hm_context_keyed_end_();', ''),
    ('keyed stores that do not wait', 'if (keyed) hm_context_keyed_begin_();', ''),
    ('keyed traps that are not waited for', 'hm_pte_store_by_key_(to, words, trap, 0); hm_context_keyed_end_();',
     'hm_pte_store_by_key_(to, words, trap, 0);'),
    ('keyed traps that do not wait', 'hm_context_keyed_begin_(); hm_pte_store_by_key_(to, words, trap, 0);',
     'hm_pte_store_by_key_(to, words, trap, 0);'),
    # What is freed.
    ('free without traps', 'hm_rox_fill_(cache, at, end, hm_context_is_keyed_());', ''),
    ('traps but for the last ones', 'hm_pte_store_range_(to, words, trap, 0);',
     'hm_pte_store_range_(to, words - 2, trap, 0);'),
    ('traps by ordinary stores', 'hm_rox_fill_(cache, at, end, hm_context_is_keyed_());',
     'hm_rox_fill_(cache, at, end, false);'),
    ('traps that nobody fetches', POISON, 'hm_kpkeys_leave(level);'),
    ('traps that CPUs are not told of', 'return error || hm_rox_synchronise_(cache) ? error : -HM_EBUSY;',
     'return error;'),
    ('range that is free before it traps', 'if (error) { range->state = HM_ROX_CACHE_PARKED; '
     'hm_rox_push_(&cache->parked, range); } else {', '{'),
    ('free of what is written', 'if (hm_rox_is_written_(range)) error = -HM_EBUSY; else if (',
     'if (range->state == HM_ROX_CACHE_SYNCHRONISING) error = -HM_EBUSY; else if ('),
    # Blocks.
    ('block without traps', FILL_BLOCK, ''),
    ('block that is not cleaned', CLEAN_BLOCK, ''),
    ('block that is not closed', CLOSE_BLOCK, 'error = 0;'),
    ('block that is closed when it can be executed', CLOSE_BLOCK + ' ' + EXECUTE_BLOCK,
     'error = hm_port_rox_cache_execute(cache, va, true); if (!error) ' + CLOSE_BLOCK),
    ('block that is not invalidated', 'if (!error) hm_port_code_invalidate(va, HM_ROX_BLOCK_);', ''),
    ('block that is invalidated where nothing is', EXECUTE_BLOCK,
     'if (!error) hm_port_code_invalidate(va, HM_ROX_BLOCK_); ' + EXECUTE_BLOCK),
    ('block that CPUs are not told of', 'if (!error && !hm_rox_synchronise_(cache)) error = -HM_EBUSY;', ''),
    ('block that is given back while it can be executed', LEAVE_BLOCK,
     '!hm_port_rox_cache_alias(cache, block, HM_ROX_BLOCK_, HM_ROX_CACHE_MEMORY);'),
    ('block that is memory while it can be executed', LEAVE_BLOCK,
     '!hm_port_rox_cache_alias(cache, block, HM_ROX_BLOCK_, HM_ROX_CACHE_MEMORY) && '
     '!hm_port_rox_cache_execute(cache, block, false);'),
    ('block that is given back without its alias', LEAVE_BLOCK,
     '!hm_port_rox_cache_execute(cache, block, false);'),
    ('block that is given back from quarantine', 'if (gone) hm_port_rox_cache_give(cache, block);',
     'hm_port_rox_cache_give(cache, block);'),
    ('code that is left when a load fails', 'freed = hm_rox_cache_free(cache, at);', 'freed = 0;'),
    ('granules that two have', 'const uint64_t bytes = (asked + HM_ROX_CACHE_GRANULE - 1) &',
     'const uint64_t bytes = asked &'),
) + group(
    'rox_cache/ranges.h',
    ('gaps of two arenas that are one', 'if (before && before->state == HM_ROX_CACHE_FREE && before->arena == range->arena) {',
     'if (before && before->state == HM_ROX_CACHE_FREE) {'),
    ('gaps that stay two', 'if (after && after->state == HM_ROX_CACHE_FREE && after->arena == range->arena) {',
     'if (0) {'),
    ('block that is whole from its second half on', '*first = (gap->start + HM_ROX_BLOCK_ - 1) & ~(HM_ROX_BLOCK_ - 1);',
     '*first = (gap->start + HM_ROX_BLOCK_ / 2) & ~(HM_ROX_BLOCK_ - 1);'),
    ('block that is whole up to its second half', 'const uint64_t end = hm_rox_end_(gap) & ~(HM_ROX_BLOCK_ - 1);',
     'const uint64_t end = (hm_rox_end_(gap) + HM_ROX_BLOCK_ / 2) & ~(HM_ROX_BLOCK_ - 1);'),
    ('gap that has no place for an alignment', 'if (*start - gap->start + bytes <= gap->bytes) break;',
     'if (bytes <= gap->bytes) break;'),
    ('gap that is lost behind what was cut', 'if (cut != end) {', 'if (cut + HM_ROX_CACHE_GRANULE != end && cut != end) {'),
) + group(
    'code.h',
    ('nothing is cleaned', 'hm_insn_dc_cvau((const void *)line);', ''),
    ('nothing is invalidated', 'hm_insn_ic_ivau(line);', ''),
    ('nothing is invalidated in whole', 'hm_insn_ic_ialluis();', ''),
    ('invalidation without a barrier before', 'hm_insn_dsb_ish(); if ((ctr & HM_ARM64_CTR_DIC)',
     'if ((ctr & HM_ARM64_CTR_DIC)'),
    ('invalidation after a barrier of stores', 'hm_insn_dsb_ish(); if ((ctr & HM_ARM64_CTR_DIC)',
     'hm_insn_dsb_ishst(); if ((ctr & HM_ARM64_CTR_DIC)'),
    ('invalidation without a barrier after', 'hm_insn_dsb_ish(); }', '}'),
    ('invalidation before a barrier of stores', 'hm_insn_dsb_ish(); }', 'hm_insn_dsb_ishst(); }'),
    ('data lines of twice the size', '>> 16) + 2;', '>> 16) + 3;'),
    ('instruction lines of twice the size', '(ctr & HM_ARM64_CTR_IMINLINE) + 2;', '(ctr & HM_ARM64_CTR_IMINLINE) + 3;'),
    ('lines without the last one', 'return ((within + bytes - 1) >> shift) + 1;',
     'return ((within * 0 + bytes - 1) >> shift) + 1;'),
    ('no cleaning where none need be invalidated', 'if ((ctr & HM_ARM64_CTR_IDC) || !bytes)',
     'if ((ctr & HM_ARM64_CTR_DIC) || !bytes)'),
    ('no invalidation where none need be cleaned', 'if ((ctr & HM_ARM64_CTR_DIC) || !bytes)',
     'if ((ctr & HM_ARM64_CTR_IDC) || !bytes)'),
) + [
    Plant('code that CPUs are not told of by the kernel', 1, 'rox'),
    Plant('block that CPUs know for ever', 2, 'rox'),
    Plant('block with an open page', 3, 'rox'),
    Plant('block for code that is lent while it is in use', 4, 'rox'),
]


class Verdict:
    """Who caught a mutant (model, contract, unit; None: nobody), after how many programs; a remark."""

    def __init__(self, caught_by, programs=None, remark='', error=False):
        self.caught_by, self.programs, self.remark, self.error = caught_by, programs, remark, error


noticed_last = {}  # suite by kind of mutant


def examine(suites, mutant, programs):
    try:
        text = mutant.apply((suites.pristine / mutant.file).read_text())
    except ValueError as error:
        return Verdict(None, remark=str(error), error=True)
    tree = suites.tree(mutant.file, text)
    try:
        some, counts = 0, []
        models = [] if mutant.only_suites else mutant.models
        executables = {}
        # Each model for a short time first, as most mutants are found then, and not all by the first.
        for limit, model in itertools.product(sorted({min(programs, SOON), programs}), models):
            if model not in executables:
                executables[model] = suites.build(model, tree)
            found = []
            for seed in SEEDS:  # not all, once most have found nothing
                if sum(not count for count, _ in found) <= len(SEEDS) // 2:
                    found.append(find(executables[model], programs_of(model, limit), seed))
            counts = [count or float('inf') for count, _ in found]
            median = statistics.median_low(counts)
            if median != float('inf'):
                return Verdict('model', median, next(what for count, what in found if count))
            some = sum(count != float('inf') for count in counts)
        # What has noticed the last one of its kind may notice this one: each has to be compiled.
        kind = mutant.file, mutant.only_suites
        for suite in sorted(mutant.suites, key=lambda each: each != noticed_last.get(kind)):
            what = suites.run_suite(suite, tree)
            if what:
                noticed_last[kind] = suite
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
    def of_model(model):
        executable = suites.build(model, suites.pristine)
        for seed in SEEDS:
            count, what = find(executable, programs_of(model, programs), seed)
            if count:
                return f'the model finds {what}'
        return ''

    def of_suite(suite):
        what = suites.run_suite(suite, suites.pristine)
        return f'{suite}: {what}' if what else ''

    models = MODELS + list(POOLS) + list(CODES)
    return next(filter(None, in_parallel(lambda each: of_model(each) if each in models else of_suite(each),
                                         models + SUITES)), '')


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
    parser.add_argument('--programs', type=int, default=1000)
    parser.add_argument('--cc')
    parser.add_argument('--self-test', action='store_true')
    parser.add_argument('names', nargs='*', metavar='NAME', help='mutants whose name contains one of these')
    arguments = parser.parse_args()
    names = [mutant.name for mutant in MUTANTS]
    if len(set(names)) != len(names):
        sys.exit('two mutants have one name: ' + ', '.join({each for each in names if names.count(each) > 1}))
    chosen = [mutant for mutant in MUTANTS
              if not arguments.names or any(each in mutant.name for each in arguments.names)]
    with Suites(arguments.cc) as suites:
        good = self_test(suites, arguments.programs) if arguments.self_test else \
            run_all(suites, chosen, arguments.programs, arguments.json)
    sys.exit(0 if good else 1)


if __name__ == '__main__':
    main()
