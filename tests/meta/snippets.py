# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The examples in the documents compile.

Examples are the blocks marked ```c and ```asm in README.md and ports/README.md, and in the USE part of each module
header's manual the paragraphs whose first line is an #include or ends, its // comment aside, in ; { or }.
An example is
 - a header, if its first line is a comment that opens with a name: /* thread.h ... */. It is compiled, and
   the later examples of the document find it. A hardmap_port.h is their port from there on, otherwise the
   hosted one is; it must bear a second inclusion, as each module includes it. Only arm64 compilers see the
   arm64 port's instructions, others those of the hosted port;
 - declarations, if a line is a sole { or starts with static, extern, typedef, struct x { or enum x {;
 - statements of a function, otherwise.
Those marked ```asm are assembled for arm64.
#include lines stand before all that. A block without one is compiled as if it included every module that its
port serves. The
names that examples use freely are in snippet.h. A fragment that is to be read only is marked otherwise.
"""
import pathlib
import re
import tempfile

from meta import HERE, HOSTED, MODULES, ROOT, WARNINGS, add, available, compiles, have, includes, run

DOCUMENTS = ['README.md', 'ports/README.md']
# Of modules that a port need not serve: a hook by which it shows that it does.
OPTIONAL = {'direct_map.h': 'hm_port_bbm_level', 'pgtable_pool.h': 'hm_port_pgtable_pool_root',
            'rox_cache.h': 'hm_port_rox_cache_memory'}
# Examples leave out what is beside their point.
FLAGS = [*WARNINGS, '-std=gnu11', '-Wno-unused-parameter', '-Wno-unused-variable', '-Wno-missing-prototypes',
         '-Wno-unused-function', '-fsyntax-only']


def blocks(path, mark):
    """(line number, text) of each block of a document that is marked so."""
    found, start = [], None
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines, 1):
        if start is None and re.match(rf'```{mark}\s*$', line):
            start = number + 1
        elif start is not None and line.startswith('```'):
            found.append((start, '\n'.join(lines[start - 1:number - 1])))
            start = None
    return found


def is_code(line):
    bare = re.sub(r'\s*//.*', '', line).rstrip()
    return line.startswith('//') or bare.startswith('#include <') or bare.endswith((';', '{', '}'))


def manual_code(path):
    """(line number, text) of the code in a header's USE part: one example, whatever prose is in between."""
    lines = path.read_text().split('*/')[0].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(' * USE '))
    end = next(number for number, line in enumerate(lines) if line.startswith(' * STATE '))
    text = [re.sub(r'^ \*( USE)? ?', '', line).strip() for line in lines[start:end]]
    code, kept = [], False
    for number, line in enumerate(text):
        if not number or not text[number - 1]:
            kept = is_code(line)
        if kept:  # what follows the include in parentheses is for the reader
            code.append(re.sub(r'^(#include <[^>]*>).*', r'\1', line))
    return [(start + 1, '\n'.join(code))] if code else []


def program(name, line, text, everything):
    """The example as a translation unit, whose messages show its place in the document."""
    place = f'#line {line} "{name}"\n'
    head = [line for line in text.splitlines() if line.startswith('#include')]
    body = '\n'.join('' if line.startswith('#include') else line for line in text.splitlines())
    declarations = re.search(r'^(\{$|(static|extern|typedef) |(struct|enum) \w+ \{)', body, re.M)
    modules = everything if not head else []
    return '\n'.join(modules + head) + '\n' + \
        (place + body if declarations else
         f'void example(void);\nvoid example(void)\n{{\n{place}{body}\n}}') + '\n'


def commands(directory):
    """(name, command) of every compiler, with the document's own headers first on the include path."""
    own = ['-I' + str(directory)]
    prelude = ['-include', str(HERE / 'snippet.h')]
    for compiler in available('gcc', 'clang'):
        yield compiler, [compiler, *FLAGS, *own, *includes(HOSTED), *prelude]
    if have('aarch64-linux-gnu-gcc') and (directory / 'hardmap_port.h').exists():
        yield 'aarch64 gcc', ['aarch64-linux-gnu-gcc', '-ffreestanding', *FLAGS, *own,
                              *includes(['include', 'ports/arm64/counted', 'ports']), *prelude]


def served(directory):
    """#include lines of the modules that the port there, or else the hosted one, serves."""
    own = directory / 'hardmap_port.h'
    port = own.read_text() if own.exists() else ''.join(OPTIONAL.values())
    return [f'#include <hardmap/{each.name}>' for each in MODULES if OPTIONAL.get(each.name, '') in port]


def document(name, examples, everything, temporary):
    """Checks of a document's examples. Each that defines a header makes a new directory of headers."""
    directory = pathlib.Path(temporary) / name.replace('/', '_')
    directory.mkdir()
    for line, text in examples:
        header = re.match(r'(?:/\*|//) *([\w-]+\.h)\b', text)
        if header:
            later = directory.with_name(f'{directory.name}_{line}')
            later.mkdir()
            for each in directory.iterdir():
                (later / each.name).write_text(each.read_text())
            (later / header[1]).write_text(f'#line {line} "{name}"\n{text}\n')
            directory = later
            unit = '\n'.join([*served(directory), f'#include "{header[1]}"']) + '\n'
            if header[1] != 'hardmap_port.h':
                unit = f'#include "{header[1]}"\n'
        else:
            unit = program(name, line, text, served(directory) if everything else [])
        for compiler, command in commands(directory):
            add(f'{name}:{line}, {compiler}', lambda c=command, u=unit: compiles(c, u))


def assembler(name, text):
    """A check of an example in arm64 assembler."""
    for compiler in available('aarch64-linux-gnu-gcc'):
        add(f'{name}, aarch64 gcc', lambda: compiles(
            [compiler, *WARNINGS, '-c', '-o', '/dev/null', *includes(['include', 'ports'])], text,
            'assembler-with-cpp'))


if __name__ == '__main__':
    with tempfile.TemporaryDirectory() as temporary:
        if available('gcc', 'clang'):
            for each in DOCUMENTS:
                examples = blocks(ROOT / each, 'c')
                add(f'{each} has examples', lambda e=examples: '' if e else 'no ```c block')
                document(each, examples, True, temporary)
                for line, text in blocks(ROOT / each, 'asm'):
                    assembler(f'{each}:{line}', f'#line {line} "{each}"\n{text}\n')
            for each in MODULES:
                examples = manual_code(each)
                add(f'the USE part of {each.name} has an example', lambda e=examples: '' if e else 'no code')
                document(each.name, examples, False, temporary)
        run()
