#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""read_insns.py -- how many arm64 instructions the hot paths of lazy_mmu.h and pgtable.h execute.

insn.c is compiled twice: "near", with the state where a paired load and store reach it from the thread's
address (504 bytes), and "far". Its functions are executed by a64.py on the path without misuse: a section is
open, entries are valid and the kernel's. What they store is checked too, as a count of something wrong is
none.

  read_insns.py --objdump PROGRAM NEAR.o FAR.o --json OUT    one JSON object per line, and a table on stdout
  read_insns.py --objdump PROGRAM NEAR.o FAR.o --check       the table, compared with the limits below
  ... --must-fail TEXT     succeeds only if something is wrong and a complaint contains TEXT
  ... --skip REASON        says why there is nothing to read, and exits with 77
"""

import argparse
import json
import re
import sys

sys.dont_write_bytecode = True
import a64  # noqa: E402  beside this file; no cache in the source tree

THREAD, THREAD_SIZE = 0xFFFF000081234000, 0x2000
TABLE, ENTRIES = 0xFFFF000085678000, 512
# A page, valid, for kernel data: UXN, PXN, AF, inner shareable; see ports/arm64/vmsa.h.
PAGE, STEP = 0x0060000040000703, 4096
PAIR = ['dsb ishst', 'isb']
ACTIVE = 1  # HM_LAZY_ACTIVE_

# Published for Linux 7.3.4, not measured here: instructions of a batched kernel entry, and of enter and
# leave, which have an atomic besides.
LINUX_PER_ENTRY, LINUX_ENTER_LEAVE = 16, 27

LIMITS = {
    'set_kernel': ('insn_per_entry', 5),
    'set_kernel_loop': ('insn_per_entry', 5),
    'set_range': ('insn_per_entry', 1),
    'set_range_step': ('insn_per_entry', 1),
    'clear_range': ('insn_per_entry', 1),
    'enter_leave': ('insn_enter_leave', 16),
    'enter_leave_idle': ('insn_enter_leave', 16),
    'nested_enter_leave': ('insn_enter_leave', 16),
}

# Exclusive accesses, compare-and-swap, swap, and LD<op>/ST<op> of LSE; not acquire and release.
ATOMIC = re.compile(r'(ld|st)a?l?x[rp][bh]?|ldax[rp][bh]?|stlx[rp][bh]?|casp?a?l?[bh]?|swpa?l?[bh]?|'
                    r'(ld|st)(add|clr|eor|set|[su]max|[su]min)a?l?[bh]?')


def require(condition, message):
    if not condition:
        raise a64.Error(message)


def tidy(number):
    return int(number) if number == int(number) else round(number, 3)


class Bench:
    """A thread without an open section, and an empty table."""

    def __init__(self, image):
        memory = a64.Memory()
        memory.add('thread', THREAD, THREAD_SIZE)
        memory.add('table', TABLE, ENTRIES * 8)
        externs = {'body': lambda machine: self.body(), 'bug': lambda machine: self.note_bug(),
                   'bench_callee': lambda machine: None}
        self.memory = memory
        self.machine = a64.Machine(image, memory, {'tpidr_el1': THREAD}, externs)
        self.body, self.bugs = None, 0
        self.lazy = self.machine.call('state').result[0]
        self.offset = self.lazy - THREAD
        require(0 < self.offset <= THREAD_SIZE - 24, 'the state is not a member of the thread')

    def note_bug(self):
        self.bugs += 1

    # struct hm_context
    def word(self):
        return self.memory.load(self.lazy + 8)

    def pending(self):
        return self.memory.load(self.lazy + 16)

    def state_loads(self, trace):
        return sum(self.lazy <= at < self.lazy + 24 for at in trace.loads)

    def idle(self):
        require(not self.word() & 0xFFFF and not self.pending(), 'the state is not idle at the end')
        require(not self.bugs, 'HM_BUG was told of misuse')

    def entries(self, values):
        for i, value in enumerate(values):
            found = self.memory.load(TABLE + i * 8)
            require(found == value, 'entry %d is 0x%x, not 0x%x' % (i, found, value))

    def enter(self):
        token = self.machine.call('enter').result
        require(self.word() & ACTIVE and token[1] == self.word(), 'the section is not open')
        return token

    def leave(self, token, barriers):
        trace = self.machine.call('leave', *token)
        require(trace.barriers == barriers, 'a leave executed %s' % (trace.barriers or 'no barrier'))
        require(self.word() == token[0] and not self.pending(), 'a leave left the section open')


def u32(number):
    """An argument of 32 bits; what is above them is anything."""
    return number | 0xBAD << 32


def per_entry(image, case, function, n, arguments, values, notes=True):
    """A writer of n entries inside a section."""
    bench = Bench(image)
    for i in range(ENTRIES):
        bench.memory.store(TABLE + i * 8, 0xDEAD)  # invalid, and not what anyone writes
    token = bench.enter()
    trace = bench.machine.call(function, TABLE, *arguments)
    bench.entries(values + [0xDEAD] * (ENTRIES - n))
    require(trace.barriers == [], '%s executed barriers in a section' % function)
    require(bool(bench.pending()) == notes, '%s notes the wrong thing' % function)
    bench.leave(token, PAIR if notes else [])
    bench.idle()
    total = trace.total() / n
    return {'case': case, 'lazy_offset': bench.offset, 'n': n,
            'insn_per_entry': tidy(total - 1), 'insn_total_per_entry': tidy(total),
            'state_loads': bench.state_loads(trace), 'calls': trace.calls}


def beyond(bare, loop):
    """What a loop of a writer executes beyond the same loop of bare stores, of which it has the control."""
    loop['insn_per_entry'] = round(loop['insn_total_per_entry'] - bare['insn_total_per_entry'], 2)
    return loop


def enter_leave(image, case, function, pairs, body, sections=1):
    """What a function that opens and leaves sections executes beyond its frame, barriers and calls of
    the body."""
    bench = Bench(image)
    bench.body = lambda: body(bench)
    trace = bench.machine.call(function)
    require(trace.barriers == PAIR * pairs, '%s executed %s' % (function, trace.barriers))
    bench.idle()
    return {'case': case, 'lazy_offset': bench.offset,
            'insn_enter_leave': tidy(trace.kinds['code'] / sections), 'sections': sections,
            'insn_frame': trace.kinds['frame'], 'dsb': pairs, 'isb': pairs,
            'state_loads': bench.state_loads(trace),
            'calls': [name for name in trace.calls if name != 'body']}


def write_one(bench):
    """A body that makes an entry valid."""
    require(bench.word() & ACTIVE, 'the section is not open in its body')
    require(not bench.machine.call('set_kernel', TABLE, PAGE).barriers, 'a barrier in a section')


def enter_leave_apart(image):
    """Enter and leave as two functions."""
    bench = Bench(image)
    enter = bench.machine.call('enter')
    write_one(bench)
    leave = bench.machine.call('leave', *enter.result)
    require(enter.barriers + leave.barriers == PAIR, 'enter and leave are not one pair')
    bench.idle()
    return {'case': 'enter_leave_apart', 'lazy_offset': bench.offset,
            'insn_enter_leave': enter.kinds['code'] + leave.kinds['code'],
            'insn_enter': enter.kinds['code'], 'insn_leave': leave.kinds['code'],
            'insn_frame': enter.kinds['frame'] + leave.kinds['frame'], 'dsb': 1, 'isb': 1,
            'state_loads': bench.state_loads(enter) + bench.state_loads(leave),
            'calls': enter.calls + leave.calls}


def exception_push_pop(image):
    """An exception that interrupts a section which owes a publication, and writes an entry itself."""
    bench = Bench(image)
    token = bench.enter()
    write_one(bench)
    before = bench.word(), bool(bench.pending())
    push = bench.machine.call('exception_push')
    require(not bench.word() & ACTIVE and not bench.pending(), 'a handler does not start idle')
    handler = bench.machine.call('set_kernel', TABLE + 8, PAGE)
    require(handler.barriers == PAIR, 'a handler\'s write is not published at once')
    pop = bench.machine.call('exception_pop', *push.result)
    require((bench.word(), bool(bench.pending())) == before, 'a pop does not restore the section')
    require(not push.barriers and not pop.barriers, 'an exception executed barriers')
    bench.leave(token, PAIR)
    bench.idle()
    return {'case': 'exception_push_pop', 'lazy_offset': bench.offset,
            'insn_push_pop': push.kinds['code'] + pop.kinds['code'],
            'insn_push': push.kinds['code'], 'insn_pop': pop.kinds['code'],
            'insn_frame': push.kinds['frame'] + pop.kinds['frame'], 'dsb': 0, 'isb': 0,
            'state_loads': bench.state_loads(push) + bench.state_loads(pop),
            'calls': push.calls + pop.calls}


def measure(image):
    """Every case; raises a64.Error if one does not do what it is there for."""
    pages = [PAGE + i * STEP for i in range(ENTRIES)]
    one, n = (PAGE,), ENTRIES
    bare = per_entry(image, 'store_loop', 'store_loop', n, (u32(n), PAGE), pages, False)
    results = [
        per_entry(image, 'set_kernel', 'set_kernel', 1, one, pages[:1]),
        per_entry(image, 'set', 'set', 1, one, pages[:1]),
        beyond(bare, per_entry(image, 'set_kernel_loop', 'set_kernel_loop', n, (u32(n), PAGE), pages)),
        beyond(bare, per_entry(image, 'set_loop', 'set_loop', n, (u32(n), PAGE), pages)),
    ]
    for i in (1, 7, 8, 16, 64, 512):
        results.append(per_entry(image, 'set_range', 'set_range', i, (u32(i), PAGE), pages[:i]))
    results.append(per_entry(image, 'set_range_step', 'set_range_step', n, (u32(n), PAGE, STEP), pages))
    results.append(per_entry(image, 'clear_range', 'clear_range', n, (u32(n),), [0] * n, False))
    results.append(enter_leave(image, 'enter_leave', 'section', 1, write_one))
    results.append(enter_leave(image, 'enter_leave_idle', 'section', 0, lambda bench: None))
    results.append(enter_leave(image, 'nested_enter_leave', 'nested', 2, write_one, 2))
    results.append(enter_leave_apart(image))
    results.append(exception_push_pop(image))
    return results


def check_code(image):
    """Complaints about what no execution shows: atomics anywhere, and where misuse leads from leave."""
    for insn in image.insns.values():
        if ATOMIC.fullmatch(insn.mnemonic):
            yield 'an atomic instruction: %s' % insn
        if insn.reloc and insn.reloc[1].startswith('__aarch64_'):
            yield 'a call of an atomic: %s -> %s' % (insn, insn.reloc[1])
    away = 0
    for insn in image.function('leave'):
        if insn.mnemonic in ('bl', 'blr'):
            yield 'leave calls: %s' % insn
        elif insn.mnemonic.partition('.')[0] in ('b', 'cbz', 'cbnz', 'tbz', 'tbnz'):
            there = image.insns.get(image.target(insn))
            if there and there.function == 'leave':
                continue
            away += 1
            if not there or not there.section.startswith('.text.unlikely'):
                yield 'leave branches to what is not in .text.unlikely: %s' % insn
    if not away:
        yield 'leave has no cold path'


def check_misuse(image):
    """Complaints if the checks are not there: a token used twice has to reach HM_BUG, by branches."""
    bench = Bench(image)
    token = bench.enter()
    write_one(bench)
    bench.leave(token, PAIR)
    trace = bench.machine.call('leave', *token)
    if bench.bugs != 1 or trace.calls[-1] != 'bug':
        yield 'leave does not notice a token that was used'


def check_results(results, far):
    for result in results:
        where = '%s, %s, n = %d' % (result['case'], 'far' if far else 'near', result.get('n', 1))
        if result['calls']:
            yield '%s: calls %s' % (where, ', '.join(sorted(set(result['calls']))))
        if 'range' in result['case'] and result['state_loads'] > 1:
            yield '%s: loads the state %d times' % (where, result['state_loads'])
        if result['case'] in LIMITS and ('range' not in result['case'] or result['n'] == ENTRIES):
            field, limit = LIMITS[result['case']]
            if result[field] > limit:
                yield '%s: %s is %g, limit %g' % (where, field, result[field], limit)


def print_table(near, far):
    def value(result):
        return next(result[field] for field in ('insn_per_entry', 'insn_enter_leave', 'insn_push_pop')
                    if field in result)

    def line(case, n, *cells):
        print('%-20s %4s  %12s %12s  %-24s %s' % ((case, n) + cells))

    def limit(result):
        if result['case'] not in LIMITS or ('range' in result['case'] and result['n'] != ENTRIES):
            return ''
        return 'at most %d' % LIMITS[result['case']][1]

    print('arm64 instructions; state at byte %d (near) or %d (far) of the thread'
          % (near[0]['lazy_offset'], far[0]['lazy_offset']))
    line('', 'n', 'near', 'far', 'Linux 7.3.4, published', 'limit')
    print('per entry, beyond one store (a paired store is one instruction for two entries); ranges with their loop')
    for a, b in zip(near, far):
        if 'insn_per_entry' not in a:
            continue
        linux = LINUX_PER_ENTRY if a['case'] in ('set_kernel', 'set') else ''
        line(a['case'], a['n'], '%.2f' % value(a), '%.2f' % value(b), linux, limit(a))
    print('per section or exception, beyond barriers and frame')
    for a, b in zip(near, far):
        if 'insn_per_entry' in a:
            continue
        linux = '%d + 1 atomic' % LINUX_ENTER_LEAVE if a['case'] == 'enter_leave' else ''
        line(a['case'], '', '%g' % value(a), '%g' % value(b), linux, limit(a))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--objdump')
    parser.add_argument('--json')
    parser.add_argument('--check', action='store_true')
    parser.add_argument('--must-fail')
    parser.add_argument('--skip')
    parser.add_argument('objects', nargs='*')
    args = parser.parse_args()
    if args.skip:
        print('SKIP: ' + args.skip)
        return 77
    if len(args.objects) != 2 or not args.objdump:
        parser.error('needs --objdump and two objects')

    complaints, results = [], []
    try:
        for far, path in enumerate(args.objects):
            image = a64.Image(args.objdump, path)
            complaints += check_code(image)
            results.append(measure(image))
            complaints += check_misuse(image)
            complaints += check_results(results[-1], far)
        print_table(*results)
    except a64.Error as error:
        complaints.append('stopped: %s' % error)
    for complaint in complaints:
        print('FAIL ' + complaint)
    if args.must_fail:
        found = any(args.must_fail in complaint for complaint in complaints)
        print('%s a complaint about "%s"' % ('found' if found else 'FAIL: not', args.must_fail))
        return 0 if found else 1
    if args.json and len(results) == 2:
        with open(args.json, 'w', encoding='ascii') as out:
            for result in results[0] + results[1]:
                result['calls'] = len(result['calls'])
                out.write(json.dumps({'bench': 'lazy_insn', **result}, separators=(',', ':')) + '\n')
    stopped = len(results) != 2
    return 1 if stopped or (args.check and complaints) else 0


if __name__ == '__main__':
    sys.exit(main())
