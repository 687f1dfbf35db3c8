#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""pool_insn.py -- what pages of a pool cost in instructions, on arm64.

    pool_insn.py --qemu QEMU KERNEL... [--json OUT] [--check] [--must-fail COMPLAINT]
    pool_insn.py --skip REASON

Boots each build of pool_insn/main.c twice in QEMU's virt machine, which counts instructions exactly (-icount shift=0):
both runs must say the same. Prints a table; --json writes one object per line and case; --check compares with the
limits below, and wants all of them to be there; --must-fail succeeds only if every case complains that may have a
complaint of that kind: limit, flat. A run that takes longer than SECONDS is ended, and has failed.
"""

import argparse
import json
import subprocess
import sys

SECONDS = 60
# Instructions of a call, or of a pair of them, on the average, by gcc 12.2 -O2: what was measured, to be exceeded by
# no more than MARGIN.
MARGIN = 0.03
MEASURED = {
    'magazine: alloc and free': 47,
    'magazine: alloc, 8 in a row': 24.12,
    'magazine: free, 8 in a row': 35.12,
    'magazine: alloc and free, block by block': 200.5,
    'magazine: alloc that refills half': 767,
    'magazine: free that drains half': 1306,
    'magazine: alloc of a batch of 64': 1671,
    'magazine: free of a batch of 64': 2816,
    'magazine: alloc that takes a block': 11338.5,
    'magazine: release of the only block': 10362,
    'magazine: release of a block of 16': 11607.88,
    'magazine: release of a block of 128': 11541.5,
    'no magazine: alloc and free': 682,
    'no magazine: alloc, 8 in a row': 328,
    'no magazine: free, 8 in a row': 354,
    'no magazine: alloc of a batch of 64': 1661,
    'no magazine: free of a batch of 64': 2992,
    'locked: alloc and free': 335,
    'locked: alloc, 8 in a row': 172,
    'locked: free, 8 in a row': 163,
    'locked: alloc and free, block by block': 342.5,
    'locked: alloc that refills half': 808,
    'locked: free that drains half': 1375,
    'locked: alloc of a batch of 64': 1483,
    'locked: free of a batch of 64': 3198,
    'locked: alloc that takes a block': 9990.69,
    'locked: release of the only block': 5602,
    'locked: release of a block of 16': 6350.31,
    'locked: release of a block of 128': 6247.25,
    'locked: release of one with metadata': 17434.81,
    'locked, key register: alloc and free': 396,
    'locked, key register: alloc, 8 in a row': 202,
    'locked, key register: free, 8 in a row': 194,
    'locked, key register: alloc and free, block by block': 403.5,
    'locked, key register: alloc that refills half': 900,
    'locked, key register: free that drains half': 1467,
    'locked, key register: alloc of a batch of 64': 1509,
    'locked, key register: free of a batch of 64': 3233,
    'locked, key register: alloc that takes a block': 10384.69,
    'locked, key register: release of the only block': 6074,
    'locked, key register: release of a block of 16': 6821.38,
    'locked, key register: release of a block of 128': 6718.25,
    'locked, key register: release of one with metadata': 17905.81,
}
# What else there is in the pool does not matter: of these the second takes as many instructions as the first, within
# MARGIN. The only block of a pool takes fewer: it leaves no gap among the frames, into which another is moved.
FLAT = ('release of a block of 16', 'release of a block of 128')


class Error(Exception):
    """The kernel did not do what was asked."""


def run(qemu, kernel):
    """Boots the kernel; returns its lines: (name, instructions of a call, pages of a call)."""
    command = [qemu, '-M', 'virt', '-cpu', 'max', '-icount', 'shift=0', '-m', '512M', '-nographic', '-net', 'none',
               '-semihosting-config', 'enable=on,target=native', '-kernel', kernel]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise Error(f'{kernel} ran for more than {SECONDS} s') from error
    if done.returncode:
        raise Error(f'{kernel} ended with status {done.returncode}')
    results = []
    for line in done.stdout.decode('ascii').splitlines():
        instructions, calls, pages, name = line.split(' ', 3)
        results.append((name, int(instructions) / int(calls), int(pages)))
    return results


def variant(name):
    return name.rsplit(': ', 1)[0]


def limit(name):
    return MEASURED[name] * (1 + MARGIN)


def checks(results):
    """What may be complained about: (kind, whether it is, the complaint)."""
    found = [('limit', instructions > limit(name), f'{name}: {instructions:.2f} instructions, limit {limit(name):.2f}')
             for name, instructions, _ in results]
    by_name = {name: instructions for name, instructions, _ in results}
    for each in {variant(name): None for name in by_name}:
        few, many = (by_name.get(f'{each}: {name}') for name in FLAT)
        if few and many:
            found.append(('flat', many > few * (1 + MARGIN), f'{each}: {FLAT[1]} takes {many:.2f} instructions, '
                          f'{FLAT[0]} {few:.2f}'))
    return found


def print_table(results):
    print('Instructions of a call, or of a pair. Locks, interrupt masking, the number of the CPU and key changes are\n'
          'the port\'s, and not counted.\n')
    print('%-52s %12s %10s %6s %9s' % ('', 'instructions', 'limit', 'pages', 'per page'))
    for name, instructions, pages in results:
        print('%-52s %12.2f %10.2f %6d %9.2f' % (name, instructions, limit(name), pages, instructions / pages))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--qemu')
    parser.add_argument('--json')
    parser.add_argument('--check', action='store_true')
    parser.add_argument('--must-fail', choices=('limit', 'flat'))
    parser.add_argument('--skip')
    parser.add_argument('kernels', nargs='*')
    args = parser.parse_args()
    if args.skip:
        print('SKIP: ' + args.skip)
        return 77
    if not args.qemu or not args.kernels:
        parser.error('needs --qemu and a kernel')

    results = []
    try:
        for kernel in args.kernels:
            once = run(args.qemu, kernel)
            if once != run(args.qemu, kernel):
                raise Error('two runs of the same code counted differently')
            results += once
        variants = {variant(name) for name, _, _ in results}
        if [name for name, _, _ in results] != [name for name in MEASURED if args.check or variant(name) in variants]:
            raise Error('the kernels have other cases than this script')
    except Error as error:
        print(f'FAIL {error}')
        return 1
    print_table(results)
    found = checks(results)
    complaints = [(kind, text) for kind, wrong, text in found if wrong]
    for _, text in complaints:
        print('FAIL ' + text)
    if args.must_fail:
        possible = sum(kind == args.must_fail for kind, _, _ in found)
        actual = sum(kind == args.must_fail for kind, _ in complaints)
        print(f'{actual} of {possible} complain, kind {args.must_fail}')
        return 0 if possible and actual == possible else 1
    if args.json:
        with open(args.json, 'w', encoding='ascii') as out:
            for name, instructions, pages in results:
                line = {'bench': 'pool_insn', 'case': name, 'insn': round(instructions, 2), 'pages': pages}
                out.write(json.dumps(line, separators=(',', ':')) + '\n')
    return 1 if args.check and complaints else 0


if __name__ == '__main__':
    sys.exit(main())
