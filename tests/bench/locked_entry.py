#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""locked_entry.py -- what it costs to make an entry valid, by how page tables are locked.

    locked_entry.py [--gcs QEMU] [--poe QEMU] KERNEL [--json OUT] [--check [--fault COLUMN]]

Boots the example kernel on one CPU of each emulator, by tests/qemu/boot.sh with -i, so that it counts
instructions, and prints what it measured (examples/kernel/cost.c) side by side: unlocked tables are the same on both,
window keys are the one's, store keys the other's. --json writes an object a line and case; --check compares with what
the library promises; --fault adds one to a column first, which has to be noticed. Without one of the emulators its rows are missing; without both it is skipped.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

SECONDS = 120
BOOT = pathlib.Path(__file__).resolve().parents[1] / 'qemu' / 'boot.sh'
TRACE = '0 0 a 0 0\n0 0 f 0\n'  # the kernel replays one; this one is over at once
COLUMNS = ['insn', 'stores', 'dmb', 'gcsb', 'dsb', 'isb', 'key_writes']
ROW = re.compile(r'  (unlocked|window key|store key) +(each|a range) +(\d+)((?: +[0-9.]+){7})$')
# Instructions an entry, by gcc 12.2 -O2: what was measured, to be exceeded by no more than a tenth.
MARGIN = 1.1
INSN = {
    ('unlocked', 'each', 256): 7.26, ('unlocked', 'a range', 256): 1.07,
    ('window key', 'each', 0): 135.13, ('window key', 'each', 256): 9.34, ('window key', 'a range', 256): 1.17,
    ('store key', 'each', 0): 43.13, ('store key', 'each', 256): 43.33, ('store key', 'a range', 256): 4.48,
}


class Error(Exception):
    """The kernel did not do what was asked."""


def run(qemu, kernel):
    """{(lock, written, section): {column: value an entry}} of the kernel on that emulator."""
    with tempfile.NamedTemporaryFile('w', suffix='.ptt') as trace:
        trace.write(TRACE)
        trace.flush()
        done = subprocess.run([BOOT, '-i', '-c', '1', '-t', str(SECONDS), kernel, trace.name], check=False,
                              stdout=subprocess.PIPE, env={**os.environ, 'QEMU_AARCH64': qemu})
    if done.returncode:
        raise Error(f'the kernel ended with status {done.returncode}')
    rows = {}
    for line in done.stdout.decode().splitlines():
        found = ROW.match(line)
        if found:
            values = map(float, found[4].split())
            rows[found[1], found[2], int(found[3])] = dict(zip(COLUMNS, values))
    if not rows:
        raise Error('the kernel measured nothing, or counted no instructions')
    return rows


def complaints(rows):
    """What is not as promised."""
    for case, row in rows.items():
        lock, written, section = case
        name = f'{lock}, {written}, {section}'
        publications = 1 / section if section else 1
        calls = publications if written == 'a range' else 1
        due = {'stores': 1, 'dsb': publications, 'isb': publications, 'key_writes': 0, 'gcsb': 0, 'dmb': 0}
        if lock == 'window key':  # opened and closed; the publication shares the second ISB
            due.update(isb=2 * publications, key_writes=2 * publications)
        elif lock == 'store key':  # before and after each call; an eager one's publication is the latter
            due.update(gcsb=2 * calls + (publications if section else 0), dmb=2 * calls if section else 1)
        for column, value in due.items():
            if abs(row[column] - value) > 0.011:
                yield f'{name}: {row[column]} {column}, {value:.2f} due'
        if case in INSN and row['insn'] > INSN[case] * MARGIN:
            yield f'{name}: {row["insn"]} instructions, limit {INSN[case] * MARGIN:.2f}'


def print_table(rows):
    print('%-12s %-8s %8s' % ('tables', 'written', 'section') + ''.join('%11s' % each for each in COLUMNS))
    for (lock, written, section), row in rows.items():
        print('%-12s %-8s %8s' % (lock, written, section or 'none') +
              ''.join('%11.2f' % row[each] for each in COLUMNS))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--gcs', default='')
    parser.add_argument('--poe', default='')
    parser.add_argument('--json')
    parser.add_argument('--check', action='store_true')
    parser.add_argument('--fault', choices=COLUMNS)
    parser.add_argument('kernel')
    args = parser.parse_args()
    if not args.gcs and not args.poe:
        print('SKIP: no emulator with keys: tests/qemu/emulator.sh -g gcs and -g poe get them')
        return 77

    rows = {}
    try:
        for lock, qemu in (('window key', args.poe), ('store key', args.gcs)):
            if not qemu:
                continue
            found = run(qemu, args.kernel)
            if not any(case[0] == lock for case in found):
                raise Error(f'tables are not locked by a {lock} on {qemu}')
            for case, row in found.items():
                if rows.setdefault(case, row) != row:
                    raise Error(f'{case} costs {rows[case]} on the one emulator, {row} on the other')
    except Error as error:
        print(f'FAIL {error}')
        return 1
    for row in rows.values() if args.fault else ():
        row[args.fault] += 1
    print_table(rows)
    wrong = list(complaints(rows))
    for complaint in wrong:
        print('FAIL ' + complaint)
    if args.json:
        with open(args.json, 'w', encoding='ascii') as out:
            for (lock, written, section), row in rows.items():
                line = {'bench': 'locked_entry', 'tables': lock, 'written': written, 'section': section, **row}
                out.write(json.dumps(line, separators=(',', ':')) + '\n')
    return 1 if args.check and wrong else 0


if __name__ == '__main__':
    sys.exit(main())
