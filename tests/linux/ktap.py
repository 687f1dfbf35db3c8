#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""ktap.py LOG [WORD,...] -- the console log of a kernel under test (init) as one flat TAP stream; status 1 if a test fails.

KUnit's results, nested by four spaces, become "suite/case" or "suite/case/parameter"; init's "WORD: what" keep their names.
What a failing test says comes with it. WORDs are those of the kernel's command line: each has to have results. A log that
ends too early, a panic, and a suite or a case with other results than planned are failures of their own, with the log's
last lines.
"""

import re
import sys

PREFIX = re.compile(r'^\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? ?')
VERSION = re.compile(r'^( *)KTAP version \d+$')
SUBTEST = re.compile(r'^( *)# Subtest: (.*)$')
PLAN = re.compile(r'^( *)1\.\.(\d+)$')
RESULT = re.compile(r'^( *)(ok|not ok) \d+ (?:- )?(.*?)(?: # SKIP ?(.*))?$')
INIT = re.compile(r'^(ok|not ok) - (.*?)(?: # SKIP ?(.*))?$')
TROUBLE = re.compile(r'Unable to handle kernel|Insufficient stack|Internal error|BUG|cut here|WARNING')
INDENT = 4
END = 'hardmap-init: end'
PANIC = 'Kernel panic - not syncing'
TAIL = 30  # lines of a log that ends badly
SAID = 60  # lines of a test that fails, or of a panic


class Level:
    """The results of what nests at one indentation: those of all suites, of a suite, of a case."""

    def __init__(self):
        self.name = '?'
        self.plan = None
        self.results = 0
        self.failed = 0


class Flat:
    """Parses a log, line by line, into points: (whether it passed, name, why it was skipped or None, lines)."""

    def __init__(self):
        self.points = []
        self.levels = []  # open ones, the outermost first
        self.said = []  # lines since the last one that means something
        self.notes = None  # where "# " lines of init go: those of its last point

    def point(self, passed, name, skip=None, lines=()):
        self.points.append((passed, name, skip, list(lines)))

    def path(self, *names):
        return '/'.join([each.name for each in self.levels[1:]] + list(names))

    def open(self, depth):
        """A level begins: deeper ones, and another of the same depth, had to be complete."""
        self.close(depth)
        while len(self.levels) <= depth:
            self.levels.append(Level())

    def close(self, depth, ended=False):
        """Closes the levels down to one; the result that should have closed each did not come, unless it has ended."""
        while len(self.levels) > depth:
            level = self.levels[-1]
            name = self.path() or 'kunit'
            # A module brings suites again, in a plan of their own: the outermost level has no result.
            outermost = len(self.levels) == 1
            wrong = level.plan is not None and level.plan != level.results
            if wrong or not (ended or outermost):
                planned = '?' if level.plan is None else level.plan
                self.point(False, f'{name}: {level.results} of {planned} planned results'
                           + ('' if ended or outermost else ', and none of its own'), None, self.said[-TAIL:])
                self.said = []
                for each in self.levels[:-1]:
                    each.failed += 1
            self.levels.pop()

    def result(self, depth, passed, name, skip):
        """A result at some depth: that of a suite at 0, of a case at 1, of a parameter at 2."""
        while len(self.levels) <= depth:  # without a header
            self.levels.append(Level())
        # The header may have named what is inside otherwise: the result names it last.
        inside = self.levels[depth + 1] if len(self.levels) > depth + 1 else None
        known = (inside.results, inside.failed) if inside else (0, 0)
        said = self.said
        self.close(depth + 1, ended=True)
        level = self.levels[depth]
        level.results += 1
        failed = not passed
        # What contains results is not one beside them, unless it fails and none of them did.
        if not known[0] or (failed and not known[1]):
            self.point(passed, self.path(name), skip, said[-SAID:] if failed else ())
        if failed:
            for each in self.levels:
                each.failed += 1
        self.said = []

    def line(self, line):
        line = PREFIX.sub('', line.rstrip('\r\n'))
        match = INIT.match(line)
        if match:
            self.point(match[1] == 'ok', match[2], match[3])
            self.notes = self.points[-1][3]
            return
        if self.notes is not None and line.startswith('# '):
            self.notes.append(line[2:])
            return
        self.notes = None
        match = VERSION.match(line)
        if match:
            self.open(len(match[1]) // INDENT)
            self.said = []
            return
        match = SUBTEST.match(line)
        if match and len(self.levels) == len(match[1]) // INDENT + 1:
            self.levels[-1].name = match[2]
            return
        match = PLAN.match(line)
        if match and len(self.levels) == len(match[1]) // INDENT + 1:
            self.levels[-1].plan = int(match[2])
            self.said = []
            return
        match = RESULT.match(line)
        # The kernel says nothing like it outside of KUnit, but a program might.
        if match and self.levels and len(match[1]) % INDENT == 0 and len(match[1]) // INDENT <= len(self.levels):
            self.result(len(match[1]) // INDENT, match[2] == 'ok', match[3], match[4])
            return
        self.said.append(line)


def flatten(lines, words=()):
    """The points of a log, with those about the log itself."""
    lines = [line.rstrip('\r\n') for line in lines]
    flat = Flat()
    for line in lines:
        flat.line(line)
    flat.close(0)
    points = flat.points
    panic = next((number for number, line in enumerate(lines) if PANIC in line), None)
    ended = any(END in line for line in lines)
    # Said once is enough: what has no results in a log that ends too early needs no lines of its own.
    tail = lines[-TAIL:]
    for word in words:
        if word == 'kunit':
            found = any(RESULT.match(PREFIX.sub('', line)) for line in lines)
        else:
            found = any(name.startswith(word + ': ') for _, name, _, _ in points)
        if not found:
            points.append((False, f'{word}: there are results', None, tail if ended else []))
    if panic is not None:
        # What is first says most; stacks may be long.
        first = next((number for number in range(max(0, panic - 5 * SAID), panic) if TROUBLE.search(lines[number])),
                     max(0, panic - TAIL))
        said = lines[first:panic + 11]
        if len(said) > SAID:
            said[SAID - 10:-10] = ['...']
        points.append((False, 'log: no panic', None, said))
    if not ended:
        points.append((False, 'log: init came to its end', None, tail if panic is None else []))
    return points


def tap(points):
    """Lines of TAP. A name holds no #, which begins a directive; a dash or a number at its beginning would get lost."""
    lines = []
    for number, (passed, name, skip, said) in enumerate(points, 1):
        name = name.replace('#', '_')
        lines.append(f'{"ok" if passed else "not ok"} {number} - {name}'
                     + (f' # SKIP {skip}'.rstrip() if skip is not None else ''))
        if not passed:
            lines += ['# ' + each for each in said]
    lines.append(f'1..{len(points)}')
    return lines


def main():
    if not 2 <= len(sys.argv) <= 3:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding='utf-8', errors='replace') as log:
        points = flatten(log, sys.argv[2].split(',') if len(sys.argv) > 2 else [])
    print('\n'.join(tap(points)))
    return 0 if all(point[0] for point in points) else 1


if __name__ == '__main__':
    sys.exit(main())
