#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""direct_map_insn.py -- what changes of a linear map cost in instructions, on arm64: what
direct_map_insn/main.c counts. Called as icount.py says."""

import sys

sys.dont_write_bytecode = True
import icount  # noqa: E402  beside this file; no cache in the source tree

# Instructions of the whole case, by gcc 12.2 -O2.
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


def read(line):
    instructions, entries, name = line.split(' ', 2)
    return name, int(instructions), int(entries)


if __name__ == '__main__':
    sys.exit(icount.main('direct_map_insn', 'entry', 'entries', MEASURED, read, '%d'))
