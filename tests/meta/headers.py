# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The headers compile wherever they may be included.

Every header of include/hardmap alone, twice, and all of them in either order, as C and C++; its types
without a port; all of it without standard headers; every inline function of it, in each key style; and the same
for ports/arm64 with cross compilers, its assembler macros included.
"""
import itertools
import pathlib
import re
import subprocess
import tempfile

from meta import (FOREIGN, HERE, HOSTED, MODULES, PARTS, ROOT, WARNINGS, add, available, compiles,
                  definitions, functions, have, includes, run, without_comments)

ARM64 = ['tests/meta/arm64', 'include', 'ports']
COUNTED = ['tests/meta/arm64', 'include', 'ports/arm64/counted', 'ports']
EXTERN_HEADERS = sorted((ROOT / 'ports' / 'extern').glob('*.h'))
ARM64_HEADERS = sorted((ROOT / 'ports' / 'arm64').glob('*.h'))
# Kernels do not link libgcc's out-of-line atomics.
ARM64_FLAGS = ['-ffreestanding', '-mgeneral-regs-only', '-mno-outline-atomics']

C = {'c11': ['-std=c11', '-ffreestanding'], 'gnu11': ['-std=gnu11'], 'c2x': ['-std=c2x']}
CXX = {'c++17': ['-std=c++17']}
CXX_TOO = {each: [f'-std={each}'] for each in ['c++11', 'c++20']}
UNLOCKED = ['-DHM_PORT_PGTABLE_POOL_LOCKED=0']  # the other half of pgtable_pool.h
STYLES = ['HM_KEY_STYLE_NONE', 'HM_KEY_STYLE_WINDOW', 'HM_KEY_STYLE_STORE', 'HM_KEY_STYLE_RUN_TIME']
# What users' own warnings may be, beside those of the project. gcc and clang, C.
STRICT = ['-Wshadow', '-Wcast-qual', '-Wcast-align', '-Wstrict-prototypes', '-Wmissing-prototypes',
          '-Wold-style-definition', '-Wredundant-decls', '-Wdeclaration-after-statement', '-Wvla',
          '-Wsign-conversion', '-Wpointer-arith', '-Wwrite-strings']


# An exception vector's calls, as ports/arm64/poe.h has them.
EXCEPTION = '''#include <arm64/poe.h>
	hm_exception_push 272
	bl	dispatch
	hm_exception_pop at=272
'''


def dialects(c, cxx):
    """(name, command, language) of every compiler and those standards."""
    for compiler in available('gcc', 'clang'):
        for name, flags in c.items():
            yield f'{compiler} {name}', [compiler, *flags, *WARNINGS, *STRICT], 'c'
    for compiler in available('g++', 'clang++'):
        for name, flags in cxx.items():
            yield f'{compiler} {name}', [compiler, *flags, *WARNINGS], 'c++'


def cross():
    """(name, command) of every arm64 compiler."""
    if have('aarch64-linux-gnu-gcc'):
        yield 'aarch64 gcc', ['aarch64-linux-gnu-gcc', *ARM64_FLAGS, *WARNINGS]
    if have('clang'):
        yield 'aarch64 clang', ['clang', '--target=aarch64-linux-gnu', *ARM64_FLAGS, *WARNINGS]


def including(*headers):
    return ''.join(f'#include <hardmap/{each.name}>\n' for each in headers)


def inclusions():
    """(what, text) of every way to include the modules."""
    for module in MODULES:
        yield f'{module.name} alone', including(module)
        yield f'{module.name} twice', including(module, module)
    yield 'all modules in order', including(*MODULES)
    yield 'all modules in reverse order', including(*reversed(MODULES))


def has_types(header):
    """Whether a header has types without a port."""
    return f'#ifndef HM_{header.stem.upper()}_TYPES_H' in header.read_text()


def types_only(*headers):
    """The types of the headers' part 1, then a global of each struct type, so that they are complete."""
    macros = [f'HM_{each.stem.upper()}_TYPES_ONLY' for each in headers]
    structs = sorted({name for each in headers for name in
                      re.findall(r'^struct (\w+) \{', each.read_text().split('_TYPES_H */')[0], re.M)})
    return ''.join(f'#define {macro}\n{including(each)}#undef {macro}\n'
                   for each, macro in zip(headers, macros)) + \
        ''.join(f'extern struct {each} complete_{each};\nextern char size_{each}[sizeof(complete_{each})];\n'
                for each in structs) + 'extern char never_empty;\n'


def not_recognised(path):
    """Function definitions of a header that the other checks would overlook."""
    code = without_comments(path.read_text())
    starts = len(re.findall(r'^static (?!_?assert)', code, re.M))
    return '' if starts == len(definitions(path)) else \
        f'{path.name}: {starts} lines start a static function, {len(definitions(path))} are understood'


def not_instantiated(paths, command, program, directory):
    """Inline functions that neither the program calls nor one of its -O0 objects contains."""
    target = pathlib.Path(directory) / (program.stem + '.o')
    symbols = set()
    for flags in [], UNLOCKED:
        # Those that are always inline would not show.
        done = subprocess.run([*command, *flags, '-Dalways_inline=unused', '-D__always_inline__=__unused__', '-O0',
                               '-c', str(program), '-o', str(target)], cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            return done.stderr
        symbols.update(subprocess.run(['nm', str(target)], capture_output=True, text=True, check=True)
                       .stdout.split())
    text = without_comments(program.read_text())
    wanted = {name: path for path in paths for name in functions(path)}
    if not wanted:
        return 'no functions found'
    return '\n'.join(f'{program.name} does not reach {name}() of {path.name}'
                     for name, path in sorted(wanted.items()) if name not in symbols and
                     not re.search(rf'\b{name}\(', text))


def foreign_symbols(command, program, directory):
    """What the arm64 code would need from a library: no symbol but the environment's and hooks."""
    target = pathlib.Path(directory) / (program.stem + '.linked.o')
    done = subprocess.run([*command, '-c', str(program), '-o', str(target)], cwd=ROOT, capture_output=True,
                          text=True)
    if done.returncode:
        return done.stderr
    symbols = subprocess.run(['nm', '--undefined-only', '--format=posix', str(target)],
                             capture_output=True, text=True, check=True).stdout.splitlines()
    return '\n'.join(f'{program.name} refers to {each.split()[0]}' for each in symbols
                     if not each.startswith(('environment_', 'hm_port_')))


def native_checks(directory):
    typed = [each for each in MODULES if has_types(each)]
    for dialect, command, language in dialects(C, CXX):
        check = [*command, '-fsyntax-only']
        for what, text in inclusions():
            add(f'{what}, hosted port, {dialect}',
                lambda c=[*check, *includes(HOSTED)], t=text, l=language: compiles(c, t, l))
        for name, headers in [(each.name, [each]) for each in typed] + [('all', typed)]:
            add(f'types of {name} without a port, {dialect}',
                lambda c=[*check, *includes(['include'])], h=headers, l=language:
                compiles(c, types_only(*h), l))
        for header in EXTERN_HEADERS:
            add(f'ports/extern/{header.name} alone and twice, {dialect}',
                lambda c=[*check, *includes(['include', 'ports'])], h=header, l=language:
                compiles(c, f'#include <extern/{h.name}>\n' * 2, l))
        for what, text in [('all modules', including(*MODULES)), ('types', types_only(*typed))]:
            add(f'{what} without standard headers, {dialect}',
                lambda c=[*check, '-nostdinc', '-DHM_NO_STD_HEADERS', '-include',
                          str(HERE / 'kernel_types.h'), '-DFOREIGN_KEY_STYLE=HM_KEY_STYLE_RUN_TIME',
                          *includes(FOREIGN)], t=text, l=language: compiles(c, t, l))
    # Every function in every configuration; and that another standard has all of them.
    usual, others = {'gnu11': C['gnu11']}, {each: C[each] for each in C if each != 'gnu11'}
    for dialect, command, language in dialects(others, CXX_TOO):
        add(f'every function, {dialect}', lambda c=[*command, '-fsyntax-only', *includes(HOSTED)], l=language:
            compiles(c, (HERE / 'every_function.c').read_text(), l))
    for dialect, command, language in dialects(usual, CXX):
        every = [('hosted port', HOSTED, '-O0', []), ('hosted port', HOSTED, '-O2', []),
                 ('hosted port without keys', HOSTED, '-O2', ['-DHM_HOSTED_KEYS=0']),
                 ('hosted port, unlocked metadata', HOSTED, '-O2', UNLOCKED)] + \
            [(f'foreign port, {style}', FOREIGN, '-O2', [f'-DFOREIGN_KEY_STYLE={style}']) for style in STYLES]
        for what, path, level, flags in every:
            add(f'every function {level}, {what}, {dialect}',
                lambda c=[*command, level, *flags, '-S', '-o', '/dev/null', *includes(path)], l=language:
                compiles(c, (HERE / 'every_function.c').read_text(), l))
    for compiler in available('gcc'):
        add('every_function.c reaches every function',
            lambda c=[compiler, *includes(HOSTED)]:
            not_instantiated([*MODULES, *PARTS], c, HERE / 'every_function.c', directory))


def arm64_checks(directory):
    for name, command in cross():
        for header in ARM64_HEADERS:
            text = '#define HM_PORT_ARM64_PAGE_SHIFT 12\n#define HM_PORT_KPKEYS_BASE 0\n' \
                   '#include <stdbool.h>\n#include <stdint.h>\nbool hm_port_arm64_has_tlbi_range(void);\n' \
                   'bool hm_port_arm64_has_store_keys(void);\nuint64_t hm_port_arm64_ctr(void);\n' + \
                   f'#include <arm64/{header.name}>\n' * 2
            add(f'ports/arm64/{header.name} alone and twice, {name}',
                lambda c=[*command, '-fsyntax-only', *includes(['include', 'ports'])], t=text: compiles(c, t))
        add(f'the assembler macros of poe.h, {name}',
            lambda c=[*command, '-c', '-o', '/dev/null', *includes(['include', 'ports'])]:
            compiles(c, EXCEPTION, 'assembler-with-cpp'))
        for level, (path, what), program in itertools.product(
                ['-O0', '-O2'], [(ARM64, 'arm64'), (COUNTED, 'counted arm64')],
                ['every_function.c', 'every_arm64.c']):
            add(f'{program} {level}, {what}, {name}',
                lambda c=[*command, level, '-c', '-o', '/dev/null', *includes(path)], p=program:
                compiles(c, (HERE / p).read_text()))
        add(f'all modules without standard headers, arm64, {name}',
            lambda c=[*command, '-fsyntax-only', '-nostdinc', '-DHM_NO_STD_HEADERS', '-include',
                      str(HERE / 'kernel_types.h'), *includes(ARM64)]: compiles(c, including(*MODULES)))
    if have('aarch64-linux-gnu-gcc'):
        command = ['aarch64-linux-gnu-gcc', *ARM64_FLAGS, *includes(ARM64)]
        add('every_arm64.c reaches every function', lambda:
            not_instantiated(ARM64_HEADERS, command, HERE / 'every_arm64.c', directory))
        for program in ['every_function.c', 'every_arm64.c']:
            add(f'{program} needs no library, arm64 -O2', lambda p=program:
                foreign_symbols([*command, '-O2'], HERE / p, directory))


if __name__ == '__main__':
    with tempfile.TemporaryDirectory() as temporary:
        for path in [*MODULES, *PARTS, *ARM64_HEADERS]:
            add(f'every function of {path.parent.name}/{path.name} is recognised',
                lambda p=path: not_recognised(p))
        native_checks(temporary)
        arm64_checks(temporary)
        run()
