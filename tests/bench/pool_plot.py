#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""pool_plot.py -- draws what pool_replay saw: split blocks and free pages over time, one column a trace.

    pool_plot.py REPLAY OUT.svg TRACE... [--period MS] [--pages NR]
    pool_plot.py OUT.svg SERIES.csv...

Replays each trace by that pool_replay, reclaiming NR pages every MS milliseconds, or takes what its --series wrote.
"""

import argparse
import csv
import math
import pathlib
import subprocess
import sys
import tempfile
from xml.sax.saxutils import escape

PANEL = (280, 150)  # width, height
GAP = (70, 50)
MARGIN = {'left': 64, 'top': 64, 'right': 16, 'bottom': 48}
COLOURS = {'seed': '#c0562a', 'hardmap': '#1c66a8'}
NAMES = {'seed': 'the seed: pages off one list', 'hardmap': 'hardmap: whole blocks'}
ROWS = [('blocks_split', 'blocks split so far'), ('cached', 'pages taken and not in use')]
STYLE = ('text{font:11px sans-serif;fill:#333}.t{font-size:13px;font-weight:bold}.e{text-anchor:end}'
         '.m{text-anchor:middle}.g{stroke:#e4e4e4}.a{stroke:#888}polyline{fill:none;stroke-linejoin:round}')


class Error(Exception):
    """There is nothing to draw."""


def read_series(path):
    """{policy: [(seconds, {column: value})]}"""
    found = {}
    with open(path, encoding='ascii', newline='') as file:
        for row in csv.DictReader(file):
            point = {column: int(row[column]) for column, _ in ROWS}
            found.setdefault(row['policy'], []).append((int(row['us']) / 1e6, point))
    if not found:
        raise Error(f'{path}: has no points')
    return found


def replay(binary, trace, period, pages):
    with tempfile.NamedTemporaryFile(suffix='.csv') as out:
        command = [binary, '--series', out.name, trace, str(period), str(pages)]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise Error(f'{" ".join(command)}: status {done.returncode}')
        return read_series(out.name)


def ticks(most, n=4):
    """0 and up to n more round numbers; the last is most or beyond."""
    step = 10 ** math.floor(math.log10(max(most, 1) / n))
    step = next(step * factor for factor in (1, 2, 2.5, 5, 10, 20) if step * factor * n >= most)
    if step < 1:
        step = 1
    return [i * step for i in range(math.ceil(max(most, 1) / step) + 1)]


def thin(points):
    """Of the points (x, y) of each pixel the extremes, in their order; none that repeats its neighbours."""
    columns = {}
    for point in points:
        columns.setdefault(int(point[0]), []).append(point)
    kept = []
    for column in columns.values():
        for point in sorted({min(column, key=lambda p: p[1]), max(column, key=lambda p: p[1])}):
            if len(kept) > 1 and kept[-1][1] == kept[-2][1] == point[1]:
                kept.pop()
            kept.append(point)
    return kept


def number(value):
    return f'{value:g}' if value < 1000 else f'{value / 1000:g}k'


def draw_axes(left, top, end, ys):
    """A panel's frame, with lines across at ys and marks at round numbers up to end."""
    width, height = PANEL
    lines = []
    for y in ys:
        at = top + height - y / ys[-1] * height
        lines.append(f'<line class="g" x1="{left}" x2="{left + width}" y1="{at:.1f}" y2="{at:.1f}"/>')
        lines.append(f'<text class="e" x="{left - 6}" y="{at + 4:.1f}">{number(y)}</text>')
    for x in (x for x in ticks(end) if x <= end):
        at = left + x / end * width
        lines.append(f'<line class="a" x1="{at:.1f}" x2="{at:.1f}" y1="{top + height}" y2="{top + height + 4}"/>')
        lines.append(f'<text class="m" x="{at:.1f}" y="{top + height + 17}">{number(x)}</text>')
    lines.append(f'<line class="a" x1="{left}" x2="{left + width}" y1="{top + height}" y2="{top + height}"/>')
    return lines


def draw_panel(left, top, series, column):
    """Both policies' values of a column."""
    width, height = PANEL
    end = max(points[-1][0] for points in series.values())
    ys = ticks(max(point[column] for points in series.values() for _, point in points))
    lines = draw_axes(left, top, end, ys)
    for policy, points in series.items():
        # Saw teeth are drawn finer than the line that they are beside.
        stroke = f'stroke="{COLOURS[policy]}" stroke-width="{1.8 if policy == "hardmap" else 1}"'
        placed = [(round(left + x / end * width, 1), round(top + height - point[column] / ys[-1] * height, 1))
                  for x, point in points]
        text = ' '.join(f'{x:g},{y:g}' for x, y in thin(placed))
        lines.append(f'<polyline {stroke} points="{text}"/>')
    return lines


def draw_legend(left, top, regime):
    lines = []
    for policy, name in NAMES.items():
        lines.append(f'<line x1="{left}" x2="{left + 24}" y1="{top}" y2="{top}" stroke="{COLOURS[policy]}" '
                     'stroke-width="3"/>')
        lines.append(f'<text x="{left + 30}" y="{top + 4}">{name}</text>')
        left += 220
    lines.append(f'<text x="{left}" y="{top + 4}">{escape(regime)}</text>')
    return lines


def draw(columns, regime):
    """The picture of [(name, series)]."""
    width = MARGIN['left'] + len(columns) * (PANEL[0] + GAP[0]) - GAP[0] + MARGIN['right']
    height = MARGIN['top'] + len(ROWS) * (PANEL[1] + GAP[1]) - GAP[1] + MARGIN['bottom']
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
             f'viewBox="0 0 {width} {height}">', f'<style>{STYLE}</style>',
             '<rect width="100%" height="100%" fill="#fff"/>']
    lines += draw_legend(MARGIN['left'], 18, regime)
    for i, (name, series) in enumerate(columns):
        left = MARGIN['left'] + i * (PANEL[0] + GAP[0])
        for j, (column, title) in enumerate(ROWS):
            top = MARGIN['top'] + j * (PANEL[1] + GAP[1])
            heading = f'{name}: {title}' if not j else title
            lines.append(f'<text{" class=" + chr(34) + "t" + chr(34) if not j else ""} x="{left}" '
                         f'y="{top - 10}">{escape(heading)}</text>')
            lines += draw_panel(left, top, series, column)
        lines.append(f'<text class="m" x="{left + PANEL[0] // 2}" y="{height - 12}">seconds</text>')
    return '\n'.join(lines + ['</svg>', ''])


def name_of(path):
    return pathlib.Path(path).name.split('.')[0]


def main():
    parser = argparse.ArgumentParser(usage='%(prog)s [--period MS] [--pages NR] REPLAY OUT.svg TRACE... | '
                                           'OUT.svg SERIES.csv...')
    parser.add_argument('words', nargs='+')
    parser.add_argument('--period', type=int, default=100)
    parser.add_argument('--pages', type=int, default=512)
    arguments = parser.parse_args()
    words = arguments.words
    drawn = words[0].endswith('.svg')
    if len(words) < (2 if drawn else 3):
        parser.error('too few arguments')
    try:
        if drawn:
            out, columns, regime = words[0], [(name_of(path), read_series(path)) for path in words[1:]], ''
        else:
            out = words[1]
            columns = [(name_of(path), replay(words[0], path, arguments.period, arguments.pages))
                       for path in words[2:]]
            regime = f'{arguments.pages} pages reclaimed every {arguments.period} ms'
        pathlib.Path(out).write_text(draw(columns, regime), encoding='ascii')
    except (Error, OSError, KeyError, ValueError) as error:
        print(f'pool_plot: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
