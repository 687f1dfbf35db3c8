# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""icount.py -- boots bare-metal kernels that count instructions, and compares with what was measured. For
scripts that are called

    SCRIPT --qemu QEMU KERNEL... [--json OUT] [--check] [--must-fail KIND]
    SCRIPT --skip REASON

Boots each kernel twice in QEMU's virt machine, which counts instructions exactly (-icount shift=0): both runs
must say the same. Prints a table; --json writes one object per line and case; --check compares with the
limits, and wants all of them to be there; --must-fail succeeds only if every case complains that may have a
complaint of that kind: limit, or one of the script's own. A run that takes longer than SECONDS is ended, and
has failed.
"""

import argparse
import json
import subprocess

SECONDS = 60
MARGIN = 0.03  # what was measured is exceeded by no more


class Error(Exception):
    """A kernel did not do what was asked."""


def boot(qemu, kernel):
    """Boots the kernel; returns its lines."""
    command = [qemu, '-M', 'virt', '-cpu', 'max', '-icount', 'shift=0', '-m', '512M', '-nographic',
               '-net', 'none', '-semihosting-config', 'enable=on,target=native', '-kernel', kernel]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=SECONDS,
                              check=False)
    except subprocess.TimeoutExpired as error:
        raise Error(f'{kernel} ran for more than {SECONDS} s') from error
    if done.returncode:
        raise Error(f'{kernel} ended with status {done.returncode}')
    return done.stdout.decode('ascii').splitlines()


def measure(args, measured, read, variant):
    """What the kernels counted: (name, instructions, parts)."""
    lines = []
    for kernel in args.kernels:
        once = boot(args.qemu, kernel)
        if once != boot(args.qemu, kernel):
            raise Error('two runs of the same code counted differently')
        lines += once
    results = [read(line) for line in lines]
    variants = {variant(name) for name, _, _ in results}
    expected = [name for name in measured if args.check or variant(name) in variants]
    if not results or [name for name, _, _ in results] != expected:
        raise Error('the kernels have other cases than this script')
    return results


def main(bench, part, parts, measured, read, number, *, variant=lambda name: '', checks=lambda results: [],
         note=''):
    """What the script of that benchmark does; returns its status. A case changes or gives so many parts.

    measured  {name: instructions}, in the order in which the kernels have the cases
    read      makes (name, instructions, parts) of a kernel's line
    number    the format of instructions
    variant   makes of a name which kernel has the case
    checks    what else may be complained about: (kind, whether it is, the complaint)
    note      is printed before the table
    """
    parser = argparse.ArgumentParser()
    parser.add_argument('--qemu')
    parser.add_argument('--json')
    parser.add_argument('--check', action='store_true')
    parser.add_argument('--must-fail')
    parser.add_argument('--skip')
    parser.add_argument('kernels', nargs='*')
    args = parser.parse_args()
    if args.skip:
        print('SKIP: ' + args.skip)
        return 77
    if not args.qemu or not args.kernels:
        parser.error('needs --qemu and a kernel')

    try:
        results = measure(args, measured, read, variant)
    except Error as error:
        print(f'FAIL {error}')
        return 1
    print(note + '%-52s %12s %12s %8s %9s' % ('', 'instructions', 'limit', parts, 'per ' + part))
    found = []
    for name, instructions, n in results:
        limit = measured[name] * (1 + MARGIN)
        print('%-52s %12s %12s %8d %9.2f'
              % (name, number % instructions, number % limit, n, instructions / n))
        found.append(('limit', instructions > limit,
                      f'{name}: {number % instructions} instructions, limit {number % limit}'))
    found += checks(results)
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
            for name, instructions, n in results:
                line = {'bench': bench, 'case': name, 'insn': round(instructions, 2), parts: n}
                out.write(json.dumps(line, separators=(',', ':')) + '\n')
    return 1 if args.check and complaints else 0
