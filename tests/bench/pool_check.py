#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""pool_check.py -- what pgtable_pool.h does with recorded traces, beside what it began from.

    pool_check.py REPLAY TRACE... [--json OUT] [--check] [--fault NAME] [--must-fail COMPLAINT]

Runs pool_replay over each trace in each regime of reclaim and prints a table; --json writes its lines with trace and
regime; --check compares with what is promised: no block is split; on average no more than SLACK pages are free beyond
what the seed has where it is asked for 128 pages every 100 ms; and where 512 are asked for, no more refills than the
seed takes. --fault plants what pool_replay knows by that name; --must-fail succeeds only if there is a complaint that
contains those words.
"""

import argparse
import json
import pathlib
import subprocess
import sys

REGIMES = [(100, 512), (100, 128), (10, 512)]  # milliseconds, pages
RELAXED = (100, 128)
SKIPPED = 77  # meson's exit status for that
SLACK = 256  # pages: half a block
COLUMNS = [('refills', 7), ('blocks_split', 12), ('avg_cached', 10), ('peak_cached', 11),
           ('scan_steps_per_release', 22), ('pages_released', 14)]


class Error(Exception):
    """A replay failed."""


def name_of(trace):
    return pathlib.Path(trace).name.split('.')[0]


def replay(binary, trace, regime, fault):
    """{policy: its object} of that trace in that regime."""
    command = [binary, '--fault', fault, trace, *map(str, regime)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode == SKIPPED:
        print(done.stdout.decode().strip())
        sys.exit(SKIPPED)
    if done.returncode:
        raise Error(f'{" ".join(command)}: status {done.returncode}')
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {each['policy']: {**each, 'trace': name_of(trace), 'period_ms': regime[0], 'nr': regime[1]}
            for each in found}


def complaints(results):
    """What is not as promised in {(trace, regime): {policy: object}}."""
    found = []
    for (trace, regime), policies in results.items():
        seed, ours = policies['seed'], policies['hardmap']
        where = f'{trace}, {regime[1]} pages every {regime[0]} ms'
        limit = results[trace, RELAXED]['seed']['avg_cached'] + SLACK
        if ours['blocks_split']:
            found.append(f'{where}: blocks_split is {ours["blocks_split"]}, limit 0')
        if ours['avg_cached'] > limit:
            found.append(f'{where}: avg_cached is {ours["avg_cached"]}, limit {limit:.1f}')
        if regime[1] == 512 and ours['refills'] > seed['refills']:
            found.append(f'{where}: refills is {ours["refills"]}, limit {seed["refills"]}')
    return found


def print_table(results):
    print('%-20s %7s %-8s' % ('', 'ms/nr', ''), ' '.join(f'{column:>{width}}' for column, width in COLUMNS))
    for (trace, regime), policies in results.items():
        for policy, found in policies.items():
            cells = ('-' if found[column] is None else found[column] for column, _ in COLUMNS)
            row = ' '.join(f'{cell:>{width}}' for cell, (_, width) in zip(cells, COLUMNS))
            print('%-20s %7s %-8s' % (trace, '%d/%d' % regime, policy), row)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('replay', metavar='REPLAY')
    parser.add_argument('traces', metavar='TRACE', nargs='+')
    parser.add_argument('--json', metavar='OUT')
    parser.add_argument('--check', action='store_true')
    parser.add_argument('--fault', metavar='NAME', default='none')
    parser.add_argument('--must-fail', metavar='COMPLAINT')
    arguments = parser.parse_args()
    try:
        results = {(name_of(trace), regime): replay(arguments.replay, trace, regime, arguments.fault)
                   for trace in arguments.traces for regime in REGIMES}
    except (Error, OSError, ValueError) as error:
        print(f'pool_check: {error}', file=sys.stderr)
        return 1
    print_table(results)
    if arguments.json:
        with open(arguments.json, 'w', encoding='ascii') as out:
            for policies in results.values():
                for found in policies.values():
                    print(json.dumps({**found, 'bench': 'pool_check'}), file=out)
    if not arguments.check and not arguments.must_fail:
        return 0
    found = complaints(results)
    for complaint in found:
        print(f'FAIL {complaint}')
    if arguments.must_fail:
        return 0 if any(arguments.must_fail in complaint for complaint in found) else 1
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
