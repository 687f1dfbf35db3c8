#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""ktap_test.py -- ktap.py finds what is wrong in planted logs, and nothing in good ones. TAP."""

import sys

sys.dont_write_bytecode = True  # the next line would write into the source tree
import ktap

GOOD = '''Booting Linux on physical CPU 0x0000000000 [0x000f0510]
KTAP version 1
1..2
    KTAP version 1
    # Subtest: hardmap_pool
    # module: hardmap_kunit
    1..3
    ok 1 takes a page
        KTAP version 1
        # Subtest: sizes
        1..2
        ok 1 4 pages
        ok 2 8 pages # SKIP too large
    # sizes: pass:1 fail:0 skip:1 total:2
    ok 2 sizes
    ok 3 keys # SKIP no FEAT_S1POE
# hardmap_pool: pass:2 fail:0 skip:1 total:3
# Totals: pass:2 fail:0 skip:2 total:4
ok 1 hardmap_pool
    KTAP version 1
    # Subtest: hardmap_rox
    1..1
    ok 1 loads
ok 2 hardmap_rox
Freeing unused kernel memory: 448K
hardmap-init: begin
workload: passed 2 rounds of seed 1 in 20.0 s
ok - workload: memory holds what was written to it
ok - shrink: hardmap-pool when asked for 64 # SKIP it has nothing to give back
ok - log: the kernel log has no warning
hardmap-init: end
reboot: Power down
'''
NAMES = ['hardmap_pool/takes a page', 'hardmap_pool/sizes/4 pages', 'hardmap_pool/sizes/8 pages', 'hardmap_pool/keys',
         'hardmap_rox/loads', 'workload: memory holds what was written to it', 'shrink: hardmap-pool when asked for 64',
         'log: the kernel log has no warning']
WORDS = ['kunit', 'workload', 'shrink']
FAILURE = '''    # takes a page: EXPECTATION FAILED at lib/hardmap/kunit.c:25
    Expected page == 1, but
        page == 0 (0x0)
    not ok 1 takes a page
'''


def stamped(log, stamp='[    1.234567] '):
    return ''.join(stamp + line for line in log.splitlines(True))


def parse(log, words=WORDS):
    return ktap.flatten(log.splitlines(True), words)


def failed(log, words=WORDS):
    return [name for passed, name, skip, said in parse(log, words) if not passed]


def equal(is_, should_be):
    return '' if is_ == should_be else f'{is_!r}\nshould be {should_be!r}'


def changed(old, new, log=GOOD):
    assert log.count(old) == 1, old
    return log.replace(old, new)


def good():
    """a good log: its names, in order, and nothing else"""
    points = parse(GOOD)
    return equal([point[1] for point in points], NAMES) + equal([name for ok, name, _, _ in points if not ok], [])


def skipped():
    """what is skipped says why"""
    return equal({name: skip for _, name, skip, _ in parse(GOOD) if skip is not None},
                 {NAMES[2]: 'too large', NAMES[3]: 'no FEAT_S1POE', NAMES[6]: 'it has nothing to give back'})


def prefixes():
    """time stamps, callers and carriage returns do not matter"""
    return ''.join(equal([point[1] for point in parse(log)], NAMES) for log in (
        stamped(GOOD), stamped(GOOD, '[   12.000001][    T1] '), GOOD.replace('\n', '\r\n')))


def interleaved():
    """lines of the kernel between those of KUnit do not matter"""
    lines = GOOD.splitlines()
    noise = 'random: crng init done\n        # a line, indented\n# hash\nhardmap: 3 of 4 ok 1 in vain\n    1..x\n'
    return equal([point[1] for point in parse(noise + noise.join(line + '\n' for line in lines))], NAMES)


def failing():
    """a failing case, with what KUnit said about it, and no more"""
    log = changed('    ok 1 takes a page\n', FAILURE)
    points = [point for point in parse(changed('ok 1 hardmap_pool', 'not ok 1 hardmap_pool', log)) if not point[0]]
    return equal([(point[1], point[3]) for point in points],
                 [(NAMES[0], FAILURE.splitlines()[:-1])])


def failing_parameter():
    """a failing parameter is one failure, not also its case and suite"""
    log = changed('        ok 1 4 pages', '        not ok 1 4 pages')
    log = changed('    ok 2 sizes', '    not ok 2 sizes', log)
    return equal(failed(changed('ok 1 hardmap_pool', 'not ok 1 hardmap_pool', log)), [NAMES[1]])


def failing_suite():
    """a suite or a case that fails while all within passes is a failure"""
    return equal(failed(changed('ok 2 hardmap_rox', 'not ok 2 hardmap_rox')), ['hardmap_rox']) + \
        equal(failed(changed('    ok 2 sizes', '    not ok 2 sizes')), ['hardmap_pool/sizes'])


def suite_without_cases():
    """a suite that could not begin"""
    suite = GOOD[GOOD.index('    KTAP version 1\n    # Subtest: hardmap_rox'):GOOD.index('ok 2 hardmap_rox')]
    log = changed(suite, '    # hardmap_rox: # failed to initialize (-12)\n')
    return equal(failed(changed('ok 2 hardmap_rox', 'not ok 2 hardmap_rox', log)), ['hardmap_rox']) + \
        equal(failed(log), [])


def fewer():
    """fewer results than planned: of a suite, of parameters, of all"""
    return equal(failed(changed('    ok 3 keys # SKIP no FEAT_S1POE\n', '')),
                 ['hardmap_pool: 2 of 3 planned results']) + \
        equal(failed(changed('        ok 2 8 pages # SKIP too large\n', '')),
              ['hardmap_pool/sizes: 1 of 2 planned results']) + \
        equal(failed(changed('1..2\n    KTAP version 1\n    # Subtest: hardmap_pool',
                             '1..3\n    KTAP version 1\n    # Subtest: hardmap_pool')),
              ['kunit: 2 of 3 planned results'])


def truncated():
    """wherever a log ends, that is a failure with its last lines"""
    lines = GOOD.splitlines(True)
    last = lines.index('hardmap-init: end\n')
    for end in range(last + 1):
        points = [point for point in parse(''.join(lines[:end])) if not point[0]]
        if 'log: init came to its end' not in [point[1] for point in points]:
            return f'cut after line {end}: {points}'
        if points[-1][3] != [line.rstrip() for line in lines[:end]][-ktap.TAIL:]:
            return f'cut after line {end}: other lines {points[-1][3]}'
    within = GOOD[:GOOD.index('        ok 2 8 pages')]
    return equal(failed(within, []), ['hardmap_pool/sizes: 1 of 2 planned results, and none of its own',
                                      'hardmap_pool: 1 of 3 planned results, and none of its own',
                                      'kunit: 0 of 2 planned results', 'log: init came to its end'])


def panicking():
    """a panic is a failure, with the lines around it"""
    oops = 'Unable to handle kernel paging request\nCall trace:\nKernel panic - not syncing: Oops\n---[ end\n'
    points = parse(GOOD[:GOOD.index('workload: passed')] + oops)
    said = [said for passed, name, _, said in points if name == 'log: no panic' and not passed]
    return equal([point[1] for point in points if not point[0]],
                 ['workload: there are results', 'shrink: there are results', 'log: no panic',
                  'log: init came to its end']) + \
        equal(said, [oops.splitlines()])


def asked():
    """what was asked for and has no results is a failure"""
    without = '\n'.join(line for line in GOOD.splitlines() if 'ok ' not in line or ' - ' in line).replace('1..', '#')
    return equal(failed(GOOD, [*WORDS, 'module']), ['module: there are results']) + \
        equal([name for name in failed(without) if name.startswith('kunit')][-1:], ['kunit: there are results']) + \
        equal(failed('KTAP version 1\n1..0\nhardmap-init: end\n', ['kunit']), ['kunit: there are results'])


def notes():
    """a verdict of init comes with the lines that explain it"""
    log = changed('ok - log: the kernel log has no warning\n',
                  'not ok - log: the kernel log has no warning\n# WARNING: at mm/x.c:3\n# Call trace:\nother\n# no\n')
    return equal([(point[1], point[3]) for point in parse(log) if not point[0]],
                 [(NAMES[-1], ['WARNING: at mm/x.c:3', 'Call trace:'])])


def again():
    """suites of a module that comes later, after init has begun, count as well"""
    module = 'KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: late\n    1..1\n    {}ok 1 case\n{}ok 3 late\n'
    where = 'ok - workload'
    return equal(failed(changed(where, module.format('', '') + where)), []) + \
        equal(failed(changed(where, module.format('not ', 'not ') + where)), ['late/case'])


def printed():
    """TAP: numbers, a plan, no directive by accident"""
    return equal(ktap.tap([(True, 'a # b', None, ['x']), (False, 'c', None, ['why']), (True, 'd', '', [])]),
                 ['ok 1 - a _ b', 'not ok 2 - c', '# why', 'ok 3 - d # SKIP', '1..3'])


CHECKS = [good, skipped, prefixes, interleaved, failing, failing_parameter, failing_suite, suite_without_cases, fewer,
          truncated, panicking, asked, notes, again, printed]


def main():
    status = 0
    for number, check in enumerate(CHECKS, 1):
        wrong = check()
        print(f'{"not ok" if wrong else "ok"} {number} - {check.__doc__}')
        for line in wrong.splitlines():
            print('# ' + line)
        status |= bool(wrong)
    print(f'1..{len(CHECKS)}')
    return status


sys.exit(main())
