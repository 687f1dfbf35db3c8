#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""rox_insn.py -- what code in a cache costs in instructions, on arm64: what each build of rox_insn/main.c
counts. Called as icount.py says; a kind of complaint of its own is growth."""

import math
import sys

sys.dont_write_bytecode = True
import icount  # noqa: E402  beside this file; no cache in the source tree

NOTE = """\
Instructions of a call, which writes or fills with traps so many bytes, and makes them coherent for fetches,
line by line of 64. Of flip they include direct_map.h's, which splits a block and joins it. Locks and other CPUs
are the port's, and not counted.

"""
# On the average, by gcc 12.2 -O2.
MEASURED = {
    'key: a load of 64 bytes': 608.62,
    'key: a load of 4096 bytes': 2437.75,
    'key: a load of 20480 bytes': 9855,
    'key: a free of 64 bytes': 372,
    'key: a free of 4096 bytes': 1318.5,
    'key: a free of 20480 bytes': 5157,
    'key: a patch': 310,
    'store: a load of 64 bytes': 578.44,
    'store: a load of 4096 bytes': 3667.5,
    'store: a load of 20480 bytes': 16204.94,
    'store: a free of 64 bytes': 359,
    'store: a free of 4096 bytes': 2943.5,
    'store: a free of 20480 bytes': 13438,
    'store: a patch': 319,
    'flip: a load of 64 bytes': 11652.62,
    'flip: a load of 4096 bytes': 13549.75,
    'flip: a load of 20480 bytes': 21075,
    'flip: a free of 64 bytes': 11402,
    'flip: a free of 4096 bytes': 12416.5,
    'flip: a free of 20480 bytes': 16363,
    'flip: a patch': 11353,
    'alive: an allocation, 10 alive': 321.11,
    'alive: a free of 64 bytes, 10 alive': 501.24,
    'alive: an allocation, 1000 alive': 476.74,
    'alive: a free of 64 bytes, 1000 alive': 547.03,
    'alive: an allocation, 100000 alive': 540.51,
    'alive: a free of 64 bytes, 100000 alive': 743,
}
# What takes no more than the logarithm of what is alive says: of code and as many gaps.
GROWING = ('alive: an allocation', 'alive: a free of 64 bytes')
ALIVE = (10, 1000, 100000)


def read(line):
    instructions, calls, size, name = line.split(' ', 3)
    return name, int(instructions) / int(calls), int(size)


def variant(name):
    return name.split(': ')[0]


def growth(results):
    by_name = {name: instructions for name, instructions, _ in results}
    for name in GROWING:
        few = by_name.get(f'{name}, {ALIVE[0]} alive')
        for alive in ALIVE[1:] if few else ():
            found = by_name[f'{name}, {alive} alive']
            limit = few * math.log(2 * alive) / math.log(2 * ALIVE[0])
            yield ('growth', found > limit * (1 + icount.MARGIN),
                   f'{name}, {alive} alive: {found:.2f} instructions, limit {limit:.2f}')


if __name__ == '__main__':
    sys.exit(icount.main('rox_insn', 'byte', 'bytes', MEASURED, read, '%.2f', variant=variant, checks=growth,
                         note=NOTE))
