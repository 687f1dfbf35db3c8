#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""coverage.py BUILD -- what of include/hardmap no suite of BUILD executed: functions never called and outcomes
of branches never taken, by gcov's counts. coverage.sh makes them.

A header is compiled into many objects, for ports of several key styles, where conditions that are constant have
no branches. So a branch is known by function, line, and how many outcomes the line has there; what one object
executes is executed. (Not gcovr 5.2: it adds up by line alone, and stops at a function with two definitions.)

Each gap is either executed by a new test or explained in coverage_gaps.txt:

    file | function | never called -- reason
    file | function | the line's text | outcome K of N -- reason

with [2] after a function that is the second of that name in the file, or a line that is in its function.

Status 1 if a gap has no explanation, or an explanation no gap. Writes BUILD/coverage.json.
"""
import collections
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
HEADERS = ROOT / 'include' / 'hardmap'
GAPS = ROOT / 'tests' / 'coverage_gaps.txt'


def gcov(build):
    """gcov's report of each object: of those that ran, and of every_*.o, which are there to be compiled."""
    files = [str(path.resolve()) for path in [*build.rglob('*.gcda'), *build.glob('every_*.gcno')]]
    if not any(each.endswith('.gcda') for each in files):
        sys.exit(f'coverage.py: {build}: nothing was executed')
    command = ['gcov', '--json-format', '--branch-probabilities', '--stdout', *files]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return map(json.loads, done.stdout.splitlines())


def read(build):
    """Counts of all objects together: {(header, function, line): calls} and {(header, function, line, number of
    outcomes): [times each was taken]}."""
    functions, branches = collections.Counter(), {}
    for report in gcov(build):
        for file in report['files']:
            path = pathlib.Path(os.path.normpath(os.path.join(report['current_working_directory'], file['file'])))
            if HEADERS not in path.parents:
                continue
            for each in file['functions']:
                functions[path.name, each['name'], each['start_line']] += each['execution_count']
            for line in file['lines']:
                taken = [branch['count'] for branch in line['branches']]
                if taken and 'function_name' not in line:
                    sys.exit(f'coverage.py: {path.name}:{line["line_number"]}: of a function that was inlined')
                if taken:
                    key = path.name, line['function_name'], line['line_number'], len(taken)
                    branches[key] = [a + b for a, b in zip(branches.get(key, [0] * len(taken)), taken)]
    return functions, branches


def numbered(found, one, others):
    """What tells apart those of a name: nothing for the first one in the file, else [2], [3]..."""
    place = sorted(others).index(one)
    return f'{found} [{place + 1}]' if place else found


def find_gaps(functions, branches):
    """{gap as coverage_gaps.txt names it: (header, line)}. Of a function never called that is the gap, not its
    branches."""
    source = {path.name: path.read_text().splitlines() for path in HEADERS.rglob('*.h')}
    starts, lines = collections.defaultdict(set), collections.defaultdict(set)
    for header, function, line in functions:
        starts[header, function].add(line)
    for header, function, line, _ in branches:
        lines[header, function, ' '.join(source[header][line - 1].split())].add(line)

    gaps, called = {}, set()
    for (header, function, line), calls in functions.items():
        if calls:
            called.add((header, function))
        else:
            name = numbered(function, line, starts[header, function])
            gaps[f'{header} | {name} | never called'] = header, line
    for (header, function, line, outcomes), taken in branches.items():
        text = ' '.join(source[header][line - 1].split())
        where = f'{header} | {function} | {numbered(text, line, lines[header, function, text])}'
        for number, count in enumerate(taken, 1):
            if not count and (header, function) in called:
                gaps[f'{where} | outcome {number} of {outcomes}'] = header, line
    return gaps


def explanations():
    """{gap: reason} of coverage_gaps.txt."""
    lines = [line for line in GAPS.read_text().splitlines() if line and not line.startswith('#')]
    wrong = [line for line in lines if not re.fullmatch(r'.+? -- \S.*', line)]
    if wrong:
        sys.exit('coverage.py: coverage_gaps.txt: no reason: ' + wrong[0])
    return dict(line.split(' -- ', 1) for line in lines)


def main():
    build = pathlib.Path(sys.argv[1])
    functions, branches = read(build)
    gaps, reasons = find_gaps(functions, branches), explanations()

    rows = []
    for name in sorted(path.name for path in HEADERS.rglob('*.h')):
        calls = [count for key, count in functions.items() if key[0] == name]
        taken = [count for key, counts in branches.items() if key[0] == name for count in counts]
        mine = [gap for gap, (header, _) in gaps.items() if header == name]
        rows.append({'header': name, 'functions': len(calls), 'called': sum(map(bool, calls)),
                     'outcomes': len(taken), 'taken': sum(map(bool, taken)), 'gaps': len(mine),
                     'explained': sum(gap in reasons for gap in mine)})
    print(f'{"include/hardmap":<16}{"functions called":>20}{"branch outcomes":>20}{"gaps":>8}{"explained":>11}')
    for row in rows:
        print('{header:<16}{called:>14} / {functions:<3}{taken:>14} / {outcomes:<3}{gaps:>8}{explained:>11}'
              .format(**row))

    unexplained = [gap for gap in gaps if gap not in reasons]
    needless = [gap for gap in reasons if gap not in gaps]
    for gap in sorted(unexplained, key=gaps.get):
        print(f'FAIL not executed: {gap} (line {gaps[gap][1]})')
    for gap in needless:
        print(f'FAIL explained, but executed or gone: {gap}')
    (build / 'coverage.json').write_text(json.dumps({
        'headers': rows, 'unexplained': unexplained, 'needless': needless,
        'explained': {gap: reasons[gap] for gap in gaps if gap in reasons}}, indent=1) + '\n')
    return 1 if unexplained or needless else 0


if __name__ == '__main__':
    sys.exit(main())
