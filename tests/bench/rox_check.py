#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""rox_check.py -- what rox_cache.h does with modules that come and go, beside what Linux documents of its own.

    rox_check.py REPLAY SIZES [--seed N]... [--json OUT] [--check] [--fault] [--must-fail COMPLAINT]...

Runs rox_replay once a seed and prints a table; --json writes its lines with the seed; --check compares with what
is promised: with keys no entry of the linear map is ever for a single page, no load or unload changes a
permission or invalidates anything; without, no such entry is left while nothing is written; and at full load, at
the least, USED percent of the bytes of all blocks are code. --fault has rox_replay use rox_cache.h wrongly;
--must-fail succeeds only if for each there is a complaint that contains those words.
"""

import argparse
import json
import subprocess
import sys

USED = 95  # percent
BLOCK = 2 << 20  # bytes
COUNTS = [f'{what}_per_{when}' for when in ('load', 'unload') for what in ('tlbi', 'permission_changes')]
STAGES = ['loaded', 'churned', 'half_unloaded', 'half_unloaded_shrunk']
HEADER = ['entries: peak', 'settled', 'end', 'TLBI/load', 'changes/load', 'TLBI/unload', 'changes/unload',
          'loaded %', 'churned %', 'half %', 'shrunk %']


class Error(Exception):
    """A replay failed."""


def replay(binary, sizes, seed, fault):
    """The objects of that replay, by seed, policy and window."""
    command = [binary, *(['--fault'] if fault else []), sizes, str(seed)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise Error(f'{" ".join(command)}: status {done.returncode}')
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {(seed, each['policy'], each['window']): {**each, 'seed': seed} for each in found}


def complaints(results):
    """What is not as promised."""
    for (seed, policy, window), found in results.items():
        if policy != 'rox_cache':
            continue
        where = f'seed {seed}, {window}'
        entries = found['linear_map_page_entries']
        for when in ('settled', 'end') if window == 'flip' else ('peak', 'settled', 'end'):
            if entries[when]:
                yield f'{where}: {when} entries for pages are {entries[when]}, limit 0'
        for name in COUNTS if window != 'flip' else ():
            if found[name]:
                yield f'{where}: {name} is {found[name]}, limit 0'
        used = 100 * found['bytes_used'] / (found['most_blocks'] * BLOCK or 1)
        if found['most_blocks'] and used < USED:
            yield f'{where}: {used:.2f} percent of the blocks are used, limit {USED}'


def print_table(results):
    widths = [max(len(title), 9) for title in HEADER]
    print('%-25s' % '', ' '.join(f'{title:>{width}}' for title, width in zip(HEADER, widths)))
    for (seed, policy, window), found in results.items():
        cells = [*found['linear_map_page_entries'].values()]
        cells += [f'{found[name]:.2f}' for name in COUNTS]
        percents = (found[stage]['used_percent'] for stage in STAGES)
        cells += ['-' if percent is None else f'{percent:.1f}' for percent in percents]
        print('%-25s' % f'{seed}: {policy}, {window}',
              ' '.join(f'{cell:>{width}}' for cell, width in zip(cells, widths)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('replay', metavar='REPLAY')
    parser.add_argument('sizes', metavar='SIZES')
    parser.add_argument('--seed', type=int, action='append')
    parser.add_argument('--json', metavar='OUT')
    parser.add_argument('--check', action='store_true')
    parser.add_argument('--fault', action='store_true')
    parser.add_argument('--must-fail', metavar='COMPLAINT', action='append')
    arguments = parser.parse_args()
    results = {}
    try:
        for seed in arguments.seed or [1]:
            results.update(replay(arguments.replay, arguments.sizes, seed, arguments.fault))
    except (Error, OSError, ValueError) as error:
        print(f'rox_check: {error}', file=sys.stderr)
        return 1
    print_table(results)
    if arguments.json:
        with open(arguments.json, 'w', encoding='ascii') as out:
            for found in results.values():
                print(json.dumps({**found, 'bench': 'rox_check'}), file=out)
    if not arguments.check and not arguments.must_fail:
        return 0
    found = list(complaints(results))
    for complaint in found:
        print(f'FAIL {complaint}')
    if arguments.must_fail:
        missing = [words for words in arguments.must_fail if not any(words in each for each in found)]
        return 1 if missing else 0
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
