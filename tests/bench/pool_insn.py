#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""pool_insn.py -- what pages of a pool cost in instructions, on arm64: what each build of
pool_insn/main.c counts. Called as icount.py says; a kind of complaint of its own is flat."""

import sys

sys.dont_write_bytecode = True
import icount  # noqa: E402  beside this file; no cache in the source tree

NOTE = """\
Instructions of a call, or of a pair. Locks, interrupt masking, the number of the CPU and key changes are
the port's, and not counted.

"""
# On the average, by gcc 12.2 -O2.
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
# What else there is in the pool does not matter: of these the second takes as many instructions as the
# first, within the margin. The only block of a pool takes fewer: it leaves no gap among the frames, into
# which another is moved.
FLAT = ('release of a block of 16', 'release of a block of 128')


def read(line):
    instructions, calls, pages, name = line.split(' ', 3)
    return name, int(instructions) / int(calls), int(pages)


def variant(name):
    return name.rsplit(': ', 1)[0]


def flat(results):
    by_name = {name: instructions for name, instructions, _ in results}
    for each in {variant(name): None for name in by_name}:
        few, many = (by_name.get(f'{each}: {name}') for name in FLAT)
        if few and many:
            yield ('flat', many > few * (1 + icount.MARGIN),
                   f'{each}: {FLAT[1]} takes {many:.2f} instructions, {FLAT[0]} {few:.2f}')


if __name__ == '__main__':
    sys.exit(icount.main('pool_insn', 'page', 'pages', MEASURED, read, '%.2f', variant=variant, checks=flat,
                         note=NOTE))
