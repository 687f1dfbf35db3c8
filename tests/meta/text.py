# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What every file must look like, and what the module headers must have in common."""
import os
import re

from meta import MODULES, ROOT, add, run, without_comments

HEADINGS = ['USE', 'STATE', 'CONTEXT', 'ERRORS', 'CONFIG', 'PORT', 'NOT']
SPDX = 'SPDX-License-Identifier: MIT OR GPL-2.0-only'
# What uses the interfaces of that kernel, and its scripts, which need not.
LINUX = 'ports/linux/'
LINUX_SPDX = 'SPDX-License-Identifier: GPL-2.0-only'
SOURCES = ('.c', '.h', '.S', '.s', '.ld', '.py', '.sh')
COLUMNS = 110
# Named in ports/hosted/README.md as what the machine would grow.
PLANNED = {'hm_machine_fetch'}
# Blocks that a module header has before it uses what they define: as a copy, byte for byte that of the others,
# or by including a header that has it.
SHARED = ['HM_PORT_REQUIRE', 'HM_ADDRESS_TYPES']


def sources(endings=SOURCES):
    """The repository's files with those endings: not those of version control, build directories and caches."""
    for directory, names, files in os.walk(ROOT):
        names[:] = [] if 'build.ninja' in files else \
            [each for each in names if each[0] != '.' and each not in ('subprojects', '__pycache__')]
        for each in sorted(files):
            if each.endswith(endings):
                yield os.path.relpath(os.path.join(directory, each), ROOT)


def read(name):
    return (ROOT / name).read_text()


def spdx(name):
    """The licence is in the first line; in a script after the line that names its interpreter."""
    lines = read(name).splitlines() or ['']
    first = lines[1:2] if lines[0].startswith('#!') else lines[:1]
    if name.startswith(LINUX) and first and LINUX_SPDX in first[0]:
        return ''
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


def stale_names(code, prose):
    """Functions, macros and constants that comments and documents speak of and no code knows."""
    known = set(PLANNED)
    for name in code:
        known.update(re.findall(r'\b(?:hm|HM)_\w+', without_comments(read(name))))
    return '\n'.join(f'{name}:{number}: there is no {each}'
                     for name in [*code, *prose] for number, line in enumerate(read(name).splitlines(), 1)
                     for each in re.findall(r'\bhm_\w+(?=\()|\bHM_\w*[A-Z0-9]\b', line) if each not in known)


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


def included(path):
    """The module headers that a header includes, itself and all."""
    found, new = set(), {path}
    while new:
        found |= new
        new = {path.with_name(each) for known in new for each in
               re.findall(r'^#include <hardmap/(\w+\.h)>', known.read_text(), re.M)} - found
    return found


def defines(text):
    """The macros and types that a block defines."""
    return set(re.findall(r'^#define (\w+)', text, re.M)) | set(re.findall(r'^\} (\w+);', text, re.M))


def shared(name):
    blocks = {path: block(path, name) for path in MODULES}
    found = [path for path in MODULES if blocks[path] is not None]
    if not found:
        return f'no header has the block {name}'
    names = defines(blocks[found[0]])
    used = re.compile(rf'\b({"|".join(sorted(names))})\b')
    wrong = [f'{path.name}: the block {name} is not that of {found[0].name}'
             for path in found if blocks[path] != blocks[found[0]]]
    for path in MODULES:
        text = path.read_text().replace(blocks[path] or '', '')
        wrong += [f'{path.name}: {each} is defined outside of the block {name}'
                  for each in sorted(names & defines(text))]
        if used.search(text) and not included(path) & set(found):
            wrong.append(f'{path.name}: uses {used.search(text)[1]} and neither has the block {name} '
                         'nor includes a header that has it')
    return '\n'.join(wrong)


if __name__ == '__main__':
    files = list(sources())
    code = [each for each in files if each.endswith(('.c', '.h'))]
    known = {'include/hardmap/context.h', 'tests/meta/text.py', 'ports/arm64/insn.h'}
    add('the sources were found', lambda: '\n'.join(f'{each}: not found' for each in known - set(files)))
    for path in MODULES:
        add(f'{path.name} opens with its manual', lambda p=path: manual(p))
    for each in SHARED:
        add(f'the block {each} is everywhere, and the same', lambda n=each: shared(n))
    for what, function, names in [('its licence', spdx, files), ('no long line', columns, code),
                                  ('clean white space', whitespace, files)]:
        add(f'each of {len(names)} files has {what}', lambda f=function, n=names:
            '\n'.join(filter(None, map(f, n))))
    # The changelog speaks of what was.
    prose = [each for each in sources(('.md', '.litmus')) if each != 'CHANGELOG.md']
    add('what is spoken of exists', lambda: stale_names(code, prose))
    run()
