#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""direct_map_insn.py -- what changes of a linear map cost in instructions, on arm64.

    direct_map_insn.py --qemu QEMU KERNEL [--json OUT] [--check] [--must-fail COMPLAINT]
    direct_map_insn.py --skip REASON

Boots direct_map_insn/main.c twice in QEMU's virt machine, which counts instructions exactly (-icount shift=0): both
runs must say the same. Prints a table; --json writes one object per line and case; --check compares with the limits
below; --must-fail succeeds only if every case with a limit has a complaint that contains those words. A run that takes
longer than SECONDS is ended, and has failed.
"""

import argparse
import json
import subprocess
import sys

SECONDS = 60
# Instructions of the whole case, by gcc 12.2 -O2: what was measured, to be exceeded by no more than MARGIN.
MARGIN = 0.03
MEASURED = {
    'hm_pte_set_range: 512 pages': 993,
    'set_pkey: 512 pages': 6884,
    'set_pkey: 512 pages of two keys': 259409,
    'set_pkey: 512 pages in groups': 40478,
    'set_pkey: a block': 843,
    'set_pkey: 1 GiB of blocks': 6866,
    'set_pkey: 1 GiB of blocks of two keys': 265523,
    'set_pkey: 1 GiB of pages': 3431095,
    'one by one: 512 pages': 437261,
    'one by one: 512 pages in groups': 459661,
    'one by one: pages of a block': 464338,
    'one by one: 1 GiB of blocks': 431629,
    'set_pkey: a page of 1 GiB': 11284,
    'split: a page of 1 GiB': 11121,
    'collapse: that page': 12781,
    'collapse: 1 GiB of pages': 1411207,
}


class Error(Exception):
    """The kernel did not do what was asked."""


def run(qemu, kernel):
    """Boots the kernel; returns its lines: (name, instructions, entries)."""
    command = [qemu, '-M', 'virt', '-cpu', 'max', '-icount', 'shift=0', '-m', '256M', '-nographic', '-net', 'none',
               '-semihosting-config', 'enable=on,target=native', '-kernel', kernel]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise Error(f'the kernel ran for more than {SECONDS} s') from error
    if done.returncode:
        raise Error(f'the kernel ended with status {done.returncode}')
    results = []
    for line in done.stdout.decode('ascii').splitlines():
        instructions, entries, name = line.split(' ', 2)
        results.append((name, int(instructions), int(entries)))
    return results


def limit(name):
    return int(MEASURED[name] * (1 + MARGIN))


def check(results):
    complaints = [f'{name}: {instructions} instructions, limit {limit(name)}'
                  for name, instructions, _ in results if instructions > limit(name)]
    return complaints


def print_table(results):
    print('%-40s %12s %12s %8s %9s' % ('', 'instructions', 'limit', 'entries', 'per entry'))
    for name, instructions, entries in results:
        print('%-40s %12d %12d %8d %9.1f' % (name, instructions, limit(name), entries, instructions / entries))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--qemu')
    parser.add_argument('--json')
    parser.add_argument('--check', action='store_true')
    parser.add_argument('--must-fail')
    parser.add_argument('--skip')
    parser.add_argument('kernel', nargs='?')
    args = parser.parse_args()
    if args.skip:
        print('SKIP: ' + args.skip)
        return 77
    if not args.qemu or not args.kernel:
        parser.error('needs --qemu and a kernel')

    try:
        results = run(args.qemu, args.kernel)
        if results != run(args.qemu, args.kernel):
            raise Error('two runs of the same code counted differently')
        if [name for name, _, _ in results] != list(MEASURED):
            raise Error('the kernel has other cases than this script')
    except Error as error:
        print(f'FAIL {error}')
        return 1
    print_table(results)
    complaints = check(results)
    for complaint in complaints:
        print('FAIL ' + complaint)
    if args.must_fail:
        found = sum(args.must_fail in complaint for complaint in complaints)
        print(f'{found} of {len(results)} cases complain about "{args.must_fail}"')
        return 0 if found == len(results) else 1
    if args.json:
        with open(args.json, 'w', encoding='ascii') as out:
            for name, instructions, entries in results:
                line = {'bench': 'direct_map_insn', 'case': name, 'insn': instructions, 'entries': entries}
                out.write(json.dumps(line, separators=(',', ':')) + '\n')
    return 1 if args.check and complaints else 0


if __name__ == '__main__':
    sys.exit(main())
