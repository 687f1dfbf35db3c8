#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""read_insns.py -- how many arm64 instructions the hot paths of lazy_mmu.h, pgtable.h and kpkeys.h execute.

insn.c is compiled twice: "near", with the state where a paired load and store reach it from the thread's
address (504 bytes), and "far". Its functions are executed by a64.py on the path without misuse: a section is
open, entries are valid and the kernel's. What they store is checked too, as a count of something wrong is
none.

With --window it is compiled for key windows: the style is a constant of the build ("window"), or known when
the code runs ("run-time", here a constant of hm_port_key_style(), as in a kernel that patches its code). Then
writes of the key register are counted, and what it holds is checked. A context asks for its style in its first
frame, out of line; the other figures are those of every later one.

  read_insns.py --objdump PROGRAM NEAR.o FAR.o --json OUT    one JSON object per line, and a table on stdout
  read_insns.py --objdump PROGRAM NEAR.o FAR.o --check       the table, compared with the limits below
  ... --window NEAR.o FAR.o RUN-TIME-NEAR.o                  the table of these too, and their limits
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
ACTIVE = 1  # HM_CONTEXT_ACTIVE_

KEY_REGISTER = 's3_0_c10_c2_4'  # POR_EL1
# What it holds at the levels: key 0 may do everything, keys 1 (tables) and 2 (code) are read, or written too.
KEY_DEFAULT, KEY_PGTABLES, KEY_TEXT = 0x117, 0x157, 0x517
IDLE_WINDOW = 0x8000  # HM_CONTEXT_IDLE_WINDOW_
GUARDED = ['isb'] + PAIR  # open; publish and close

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
# With windows. Writes of the register and barriers are not limits but exact, see measure_window().
WINDOW_OBJECTS = ['window near', 'window far', 'run-time near']
WINDOW_LIMITS = {
    'entry': 5,
    'entry_loop': 7,
    'enter_leave': 32,
    'enter_leave_idle': 32,
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
    """A thread without an open section, and an empty table. With windows: at the default level."""

    def __init__(self, image, window=False):
        memory = a64.Memory()
        memory.add('thread', THREAD, THREAD_SIZE)
        memory.add('table', TABLE, ENTRIES * 8)
        externs = {'body': lambda machine: self.body(), 'bug': lambda machine: self.note_bug(),
                   'bench_callee': lambda machine: None}
        self.memory = memory
        # Without windows nobody knows the key register, so that an access to it is an error.
        self.system_registers = {'tpidr_el1': THREAD}
        if window:
            self.system_registers[KEY_REGISTER] = KEY_DEFAULT
        self.machine = a64.Machine(image, memory, self.system_registers, externs)
        self.body, self.bugs, self.window = None, 0, window
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
        require(self.word() & 0xFFFF == (IDLE_WINDOW if self.window else 0) and not self.pending(),
                'the state is not idle at the end')
        require(not self.bugs, 'HM_BUG was told of misuse')
        self.key(KEY_DEFAULT)

    def key(self, value):
        found = self.system_registers.get(KEY_REGISTER, value)
        require(found == value, 'the key register is 0x%x, not 0x%x' % (found, value))

    def entries(self, values):
        for i, value in enumerate(values):
            found = self.memory.load(TABLE + i * 8)
            require(found == value, 'entry %d is 0x%x, not 0x%x' % (i, found, value))

    def enter(self):
        trace = self.machine.call('enter')
        require(self.word() & ACTIVE and trace.result[1] == self.word(), 'the section is not open')
        self.executed(trace, 'an enter', ['isb'] if self.window else [], int(self.window))
        self.key(KEY_PGTABLES)
        return trace.result

    def leave(self, token, pending):
        trace = self.machine.call('leave', *token)
        self.executed(trace, 'a leave', PAIR if pending else ['isb'] if self.window else [], int(self.window))
        require(self.word() == token[0] and not self.pending(), 'a leave left the section open')
        self.key(KEY_DEFAULT)

    def executed(self, trace, what, barriers, writes):
        """Exactly these barriers, in that order, and so many writes of the key register."""
        require(trace.barriers == barriers, '%s executed %s' % (what, trace.barriers or 'no barrier'))
        require(trace.writes == [KEY_REGISTER] * writes,
                '%s wrote the key register %d times, not %d' % (what, len(trace.writes), writes))


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
    bench.leave(token, notes)
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
    bench.leave(token, True)
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


# ---- with windows ----

def warm(image):
    """A thread that has had a section: its word says the style."""
    bench = Bench(image, True)
    bench.leave(bench.enter(), False)
    bench.idle()
    return bench


def executed_work(traces, bodies=0):
    """Instructions beyond frames, barriers and calls of the body; branches to functions out of line and returns
    from them are work."""
    return sum(trace.total() - trace.kinds['frame'] - trace.kinds['barrier'] + trace.kinds['ret'] - 1
               for trace in traces) - bodies


def window_result(bench, case, traces, insn, **more):
    count = [barrier for trace in traces for barrier in trace.barriers]
    return {'case': case, 'lazy_offset': bench.offset, 'insn': tidy(insn), **more,
            'insn_frame': sum(trace.kinds['frame'] for trace in traces),
            'dsb': count.count('dsb ishst'), 'isb': count.count('isb'),
            'key_writes': sum(len(trace.writes) for trace in traces),
            'calls': [name for trace in traces for name in trace.calls if name != 'body']}


def write_one_open(bench):
    """A body that makes an entry valid, and needs no window of its own."""
    bench.key(KEY_PGTABLES)
    bench.executed(bench.machine.call('set_kernel', TABLE, PAGE), 'an entry in a section', [], 0)
    bench.entries([PAGE])


def window_entries(image, case, function, n, *arguments):
    """A writer of n entries inside a section, beyond one store each."""
    bench = warm(image)
    token = bench.enter()
    trace = bench.machine.call(function, TABLE, *arguments)
    bench.executed(trace, function + ' in a section', [], 0)
    bench.entries([PAGE + i * STEP for i in range(n)])
    bench.leave(token, bool(bench.pending()))
    bench.idle()
    return window_result(bench, case, [trace], executed_work([trace]) / n - 1, n=n)


def window_eager(image, case, function, n, *arguments):
    """The same outside of any section: a window of its own, and published at once."""
    bench = warm(image)
    trace = bench.machine.call(function, TABLE, *arguments)
    bench.executed(trace, function + ' outside', GUARDED, 2)
    bench.entries([PAGE + i * STEP for i in range(n)])
    bench.idle()
    return window_result(bench, case, [trace], executed_work([trace]) / n - 1, n=n)


def window_frame(bench, case, function, barriers, body, frames=1):
    """What a function that opens and leaves frames executes, as enter_leave()."""
    bench.body = lambda: body(bench)
    trace = bench.machine.call(function)
    bench.executed(trace, function, barriers, 2)
    bench.idle()
    return window_result(bench, case, [trace],
                         executed_work([trace], trace.calls.count('body')) / frames, frames=frames)


def window_exception(image, case, in_section):
    """An exception whose handler writes an entry. Its return synchronises, so that pop does not."""
    bench = warm(image)
    token = bench.enter() if in_section else None
    before = bench.word()
    push = bench.machine.call('exception_push')
    bench.executed(push, 'a push', ['isb'] if in_section else [], int(in_section))
    bench.key(KEY_DEFAULT)
    handler = bench.machine.call('set_kernel', TABLE, PAGE)
    bench.executed(handler, 'a handler\'s entry', GUARDED, 2)
    pop = bench.machine.call('exception_pop', *push.result)
    bench.executed(pop, 'a pop', [], int(in_section))
    bench.key(KEY_PGTABLES if in_section else KEY_DEFAULT)
    require(bench.word() == before, 'a pop does not restore the word')
    if in_section:
        bench.leave(token, False)
    bench.idle()
    return window_result(bench, case, [push, pop], executed_work([push, pop]),
                         insn_push=executed_work([push]), insn_pop=executed_work([pop]))


def measure_window(image):
    """Every case with windows; raises a64.Error if one executes other barriers or writes of the register than
    it must."""
    n = ENTRIES
    # The loop itself, of which only stores are counted as an entry's: the window is open, but not a section's.
    bare = warm(image)
    bare.system_registers[KEY_REGISTER] = KEY_PGTABLES
    loop = executed_work([bare.machine.call('store_loop', TABLE, u32(n), PAGE)]) / n - 1
    results = [
        window_entries(image, 'entry', 'set_kernel', 1, PAGE),
        window_entries(image, 'entry_loop', 'set_kernel_loop', n, u32(n), PAGE),
        window_entries(image, 'entry_range', 'set_range', n, u32(n), PAGE),
        window_eager(image, 'eager_entry', 'set_kernel', 1, PAGE),
        window_eager(image, 'eager_range', 'set_range', n, u32(n), PAGE),
        window_frame(warm(image), 'enter_leave', 'section', ['isb'] + PAIR, write_one_open),
        window_frame(warm(image), 'enter_leave_idle', 'section', ['isb', 'isb'],
                     lambda bench: bench.key(KEY_PGTABLES)),
        window_frame(Bench(image, True), 'enter_leave_first', 'section', ['isb'] + PAIR, write_one_open),
        window_frame(warm(image), 'nested_enter_leave', 'nested', ['isb'] + PAIR + PAIR, write_one_open, 2),
        window_frame(warm(image), 'text_enter_leave', 'text', ['isb', 'isb'],
                     lambda bench: bench.key(KEY_TEXT)),
        window_exception(image, 'exception_push_pop_idle', False),
        window_exception(image, 'exception_push_pop', True),
    ]
    results[1]['insn'] = round(results[1]['insn'] - loop, 2)
    return results


def check_window_results(results, name):
    for result in results:
        where = '%s, %s' % (result['case'], name)
        if result['case'] not in WINDOW_LIMITS:
            continue  # these leave the hot path, or are long ones
        if result['calls']:
            yield '%s: calls %s' % (where, ', '.join(sorted(set(result['calls']))))
        if result['insn'] > WINDOW_LIMITS[result['case']]:
            yield '%s: insn is %g, limit %d' % (where, result['insn'], WINDOW_LIMITS[result['case']])


def print_window_table(objects):
    form = '%-24s %12s %12s %14s  %4s %4s %11s  %s'
    print()
    print('with key windows, beyond barriers, frame and an entry\'s store; after a context\'s first frame')
    print(form % (('',) + tuple(WINDOW_OBJECTS) + ('DSB', 'ISB', 'key writes', 'limit')))
    for same in zip(*objects):
        first = same[0]
        limit = WINDOW_LIMITS.get(first['case'])
        print(form % ((first['case'],) + tuple('%g' % result['insn'] for result in same) +
                      (first['dsb'], first['isb'], first['key_writes'],
                       'at most %d' % limit if limit else '')))


# ---- complaints ----

def check_code(image, window=False):
    """Complaints about what no execution shows: atomics anywhere, and where misuse leads from leave. With windows
    leave may call where it does not go; that it does not, the executions check."""
    for insn in image.insns.values():
        if ATOMIC.fullmatch(insn.mnemonic):
            yield 'an atomic instruction: %s' % insn
        if insn.reloc and insn.reloc[1].startswith('__aarch64_'):
            yield 'a call of an atomic: %s -> %s' % (insn, insn.reloc[1])
    away = 0
    for insn in image.function('leave'):
        if insn.mnemonic in ('bl', 'blr') and not window:
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


def check_misuse(image, window=False):
    """Complaints if the checks are not there: a token used twice has to reach HM_BUG, by branches."""
    bench = Bench(image, window)
    token = bench.enter()
    write_one(bench)
    bench.leave(token, True)
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
    parser.add_argument('--window', nargs=3, default=[])
    parser.add_argument('objects', nargs='*')
    args = parser.parse_args()
    if args.skip:
        print('SKIP: ' + args.skip)
        return 77
    if len(args.objects) != 2 or not args.objdump:
        parser.error('needs --objdump and two objects')

    complaints, results, window_results = [], [], []
    try:
        for far, path in enumerate(args.objects):
            image = a64.Image(args.objdump, path)
            complaints += check_code(image)
            results.append(measure(image))
            complaints += check_misuse(image)
            complaints += check_results(results[-1], far)
        for name, path in zip(WINDOW_OBJECTS, args.window):
            image = a64.Image(args.objdump, path)
            complaints += check_code(image, True)
            window_results.append(measure_window(image))
            complaints += check_misuse(image, True)
            complaints += check_window_results(window_results[-1], name)
        print_table(*results)
        if args.window:
            print_window_table(window_results)
    except a64.Error as error:
        complaints.append('stopped: %s' % error)
    for complaint in complaints:
        print('FAIL ' + complaint)
    if args.must_fail:
        found = any(args.must_fail in complaint for complaint in complaints)
        print('%s a complaint about "%s"' % ('found' if found else 'FAIL: not', args.must_fail))
        return 0 if found else 1
    stopped = len(results) != 2 or len(window_results) != len(args.window)
    if args.json and not stopped:
        lines = [{'bench': 'lazy_insn', **result} for result in results[0] + results[1]]
        for name, of_object in zip(WINDOW_OBJECTS, window_results):
            lines += [{'bench': 'window_insn', 'object': name, **result} for result in of_object]
        with open(args.json, 'w', encoding='ascii') as out:
            for line in lines:
                line['calls'] = len(line['calls'])
                out.write(json.dumps(line, separators=(',', ':')) + '\n')
    return 1 if stopped or (args.check and complaints) else 0


if __name__ == '__main__':
    sys.exit(main())
