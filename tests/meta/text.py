# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What every file must look like, and what the module headers must have in common."""
import os
import re

from meta import MODULES, ROOT, add, run

HEADINGS = ['USE', 'STATE', 'CONTEXT', 'ERRORS', 'CONFIG', 'PORT', 'NOT']
SPDX = 'SPDX-License-Identifier: MIT OR GPL-2.0-only'
SOURCES = ('.c', '.h', '.S', '.s', '.ld', '.py', '.sh')
COLUMNS = 110
# Blocks that stand, byte for byte, in every module header that needs them.
SHARED = ['HM_PORT_REQUIRE', 'HM_ADDRESS_TYPES']


def sources():
    """The repository's source files: not those of version control, build directories and caches."""
    for directory, names, files in os.walk(ROOT):
        names[:] = [] if 'build.ninja' in files else \
            [each for each in names if each[0] != '.' and each not in ('subprojects', '__pycache__')]
        for each in sorted(files):
            if each.endswith(SOURCES):
                yield os.path.relpath(os.path.join(directory, each), ROOT)


def read(name):
    return (ROOT / name).read_text()


def spdx(name):
    """The licence is in the first line; in a script after the line that names its interpreter."""
    lines = read(name).splitlines() or ['']
    first = lines[1:2] if lines[0].startswith('#!') else lines[:1]
    return '' if first and SPDX in first[0] else f'{name}:1: no "{SPDX}"'


def columns(name):
    return '\n'.join(f'{name}:{number}: {len(line.expandtabs(8))} columns, more than {COLUMNS}'
                     for number, line in enumerate(read(name).splitlines(), 1)
                     if len(line.expandtabs(8)) > COLUMNS)


def whitespace(name):
    text = read(name)
    wrong = [f'{name}:{number}: white space at the end of the line'
             for number, line in enumerate(text.splitlines(), 1) if line != line.rstrip()]
    return '\n'.join(wrong + ([] if not text or text.endswith('\n') else [f'{name}: no newline at the end']))


def manual(path):
    """The opening comment of a module header: its headings, in order, are those of every other."""
    found = re.findall(r'^ \* ([A-Z]{2,}) {2,}', path.read_text().split('*/')[0], re.M)
    return '' if found == HEADINGS else f'{path.name}: headings {" ".join(found)}, not {" ".join(HEADINGS)}'


def block(path, name):
    """The lines from #ifndef name to its #endif, None if the header has none."""
    lines = path.read_text().splitlines()
    starts = [number for number, line in enumerate(lines) if re.match(rf'#ifndef {name}\b', line)]
    if not starts:
        return None
    depth = 0
    for number in range(starts[0], len(lines)):
        depth += bool(re.match(r'#\s*if', lines[number])) - bool(re.match(r'#\s*endif', lines[number]))
        if not depth:
            return '\n'.join(lines[starts[0]:number + 1])
    return 'not closed'


def shared(name):
    blocks = {path.name: block(path, name) for path in MODULES}
    found = {file: text for file, text in blocks.items() if text is not None}
    first = next(iter(found), None)
    return '\n'.join(f'{file}: the block {name} is not that of {first}'
                     for file, text in found.items() if text != found[first]) if found else \
        f'no header has the block {name}'


if __name__ == '__main__':
    files = list(sources())
    code = [each for each in files if each.endswith(('.c', '.h'))]
    known = {'include/hardmap/lazy_mmu.h', 'tests/meta/text.py', 'ports/arm64/insn.h'}
    add('the sources were found', lambda: '\n'.join(f'{each}: not found' for each in known - set(files)))
    for path in MODULES:
        add(f'{path.name} opens with its manual', lambda p=path: manual(p))
    for each in SHARED:
        add(f'the block {each} is the same everywhere', lambda n=each: shared(n))
    for what, function, names in [('its licence', spdx, files), ('no long line', columns, code),
                                  ('clean white space', whitespace, files)]:
        add(f'each of {len(names)} files has {what}', lambda f=function, n=names:
            '\n'.join(filter(None, map(f, n))))
    run()
