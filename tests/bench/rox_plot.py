#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""rox_plot.py -- draws what rox_replay saw: entries of the linear map for single pages, and memory for code.

    rox_plot.py REPLAY OUT.svg SIZES [--seed N]
    rox_plot.py OUT.svg SERIES.csv

Replays by that rox_replay, or takes what its --series wrote. Of rox_cache.h's windows the one with most entries
is drawn.
"""

import argparse
import csv
import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import pool_plot as plot  # noqa: E402  beside this file; no cache in the source tree

MIB = 1 << 20
COLOURS = {'execmem': '#c0562a', 'rox_cache': '#1c66a8', 'code': '#666'}
NAMES = {'execmem': "Linux' execmem, restated", 'rox_cache': 'rox_cache.h', 'code': 'the code itself'}
TITLES = ['entries of the linear map for single pages', 'MiB of blocks']
MARGIN = {**plot.MARGIN, 'top': 60}


def read_series(path):
    """What each panel has: {line: [(step, value)]}"""
    entries, held, code = {}, {}, {}
    with open(path, encoding='ascii', newline='') as file:
        for row in csv.DictReader(file):
            policy, step = row['policy'], int(row['step'])
            known = entries.setdefault(policy, {})
            known[step] = max(known.get(step, 0), int(row['page_entries']))
            held.setdefault(policy, {})[step] = int(row['bytes_held']) / MIB
            code[step] = int(row['bytes_used']) / MIB
    if not code:
        raise plot.Error(f'{path}: has no points')
    panels = [entries, {**held, 'code': code}]
    return [{name: sorted(points.items()) for name, points in panel.items()} for panel in panels]


def replay(binary, sizes, seed):
    with tempfile.NamedTemporaryFile(suffix='.csv') as out:
        command = [binary, '--series', out.name, sizes, str(seed)]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise plot.Error(f'{" ".join(command)}: status {done.returncode}')
        return read_series(out.name)


def draw_panel(left, top, panel):
    width, height = plot.PANEL
    end = max(points[-1][0] for points in panel.values())
    ys = plot.ticks(max(y for points in panel.values() for _, y in points))
    lines = plot.draw_axes(left, top, end, ys)
    for name, points in panel.items():
        placed = [(round(left + x / end * width, 1), round(top + height - y / ys[-1] * height, 1))
                  for x, y in points]
        text = ' '.join(f'{x:g},{y:g}' for x, y in plot.thin(placed))
        lines.append(f'<polyline stroke="{COLOURS[name]}" stroke-width="1.5" points="{text}"/>')
    return lines


def draw_legend(left, top):
    lines = []
    for name, text in NAMES.items():
        lines.append(f'<line x1="{left}" x2="{left + 24}" y1="{top}" y2="{top}" stroke="{COLOURS[name]}" '
                     'stroke-width="3"/>')
        lines.append(f'<text x="{left + 30}" y="{top + 4}">{text}</text>')
        left += 200
    return lines


def draw(panels):
    width = MARGIN['left'] + len(panels) * (plot.PANEL[0] + plot.GAP[0]) - plot.GAP[0] + MARGIN['right']
    height = MARGIN['top'] + plot.PANEL[1] + MARGIN['bottom']
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
             f'viewBox="0 0 {width} {height}">', f'<style>{plot.STYLE}</style>',
             '<rect width="100%" height="100%" fill="#fff"/>']
    lines += draw_legend(MARGIN['left'], 18)
    for i, (title, panel) in enumerate(zip(TITLES, panels)):
        left = MARGIN['left'] + i * (plot.PANEL[0] + plot.GAP[0])
        lines.append(f'<text x="{left}" y="{MARGIN["top"] - 10}">{title}</text>')
        lines += draw_panel(left, MARGIN['top'], panel)
        lines.append(f'<text class="m" x="{left + plot.PANEL[0] // 2}" y="{height - 12}">'
                     'modules loaded and unloaded</text>')
    return '\n'.join(lines + ['</svg>', ''])


def main():
    parser = argparse.ArgumentParser(usage='%(prog)s [--seed N] REPLAY OUT.svg SIZES | OUT.svg SERIES.csv')
    parser.add_argument('words', nargs='+')
    parser.add_argument('--seed', type=int, default=1)
    arguments = parser.parse_args()
    words = arguments.words
    if len(words) != (2 if words[0].endswith('.svg') else 3):
        parser.error('the arguments are too few or too many')
    try:
        if len(words) == 2:
            out, panels = words[0], read_series(words[1])
        else:
            out, panels = words[1], replay(words[0], words[2], arguments.seed)
        pathlib.Path(out).write_text(draw(panels), encoding='ascii')
    except (plot.Error, OSError, KeyError, ValueError) as error:
        print(f'rox_plot: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
