# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What the scripts of this directory share: TAP, the compilers, and the source files' contents.

A script adds checks, each a name and a function without arguments that returns what is wrong, one line or
several ('' if nothing), and ends with run(). Checks run in parallel, as they mostly wait for a compiler.
"""
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / 'tests' / 'meta'
MODULES = sorted((ROOT / 'include' / 'hardmap').glob('*.h'))
PARTS = sorted((ROOT / 'include' / 'hardmap').glob('*/*.h'))  # of modules, which include them

WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Wundef', '-Werror']
HOSTED = ['include', 'ports/hosted', 'ports']  # the include path of the hosted port, in its order
FOREIGN = ['tests/contract/foreign', 'include']

# Debian's package of each compiler that the checks ask for.
PACKAGES = {
    'gcc': 'gcc', 'g++': 'g++', 'clang': 'clang', 'clang++': 'clang',
    'aarch64-linux-gnu-gcc': 'gcc-aarch64-linux-gnu',
}

_checks = []
_missing = set()


def add(name, function):
    _checks.append((name, function))


def have(compiler):
    """Whether that compiler is installed; if not, a skipped check says so, once."""
    if shutil.which(compiler):
        return True
    _missing.add(compiler)
    return False


def available(*compilers):
    return [each for each in compilers if have(each)]


def includes(directories):
    return ['-I' + str(ROOT / each) for each in directories]


def compile_text(command, text, language='c'):
    """Compiles text as the standard input of command; returns (whether it compiled, the messages)."""
    done = subprocess.run([*command, '-x', language, '-'], input=text, capture_output=True, text=True,
                          cwd=ROOT, env=dict(os.environ, LC_ALL='C'))
    return done.returncode == 0, done.stderr


def compiles(command, text, language='c'):
    """As a check: nothing if it compiles, the first messages if not."""
    good, messages = compile_text(command, text, language)
    return '' if good else '\n'.join(messages.splitlines()[:12]) or 'failed without a message'


def errors(messages):
    """Each error with the notes that belong to it."""
    return re.split(r'^(?=.*\berror:)', messages, flags=re.M)[1:]


def first_error(messages):
    return (errors(messages) or [messages])[0].rstrip('\n')


def shows(error, path, lines):
    """Whether an error or one of its notes is at one of those lines of the file."""
    return any((ROOT / name).resolve() == path and int(line) in lines
               for name, line in re.findall(r'^(\S+?):(\d+):', error, re.M))


def has_error(messages, path, lines, pattern):
    return any(re.search(pattern, error) and shows(error, path, lines) for error in errors(messages))


def without_comments(text):
    """C without comments; lines keep their numbers."""
    return re.sub(r'/\*.*?\*/|//[^\n]*', lambda found: '\n' * found[0].count('\n') or ' ', text, flags=re.S)


class Function:
    """One function that a header defines. The same name twice: in two branches of the preprocessor."""

    def __init__(self, name, marks):
        self.name, self.must_use = name, 'HM_MUST_USE_' in marks


def definitions(path):
    """The functions that a header defines at file scope, in order: static, with any of the HM_ marks."""
    found = re.findall(r'^static ((?:inline |HM_\w+_ )*)[\w ]+[ *](\w+)\([^;{]*\)\n\{',
                       without_comments(path.read_text()), re.M)
    return [Function(name, marks.split()) for marks, name in found]


def functions(path):
    """Those by name: {name: whether its result must be used}."""
    return {each.name: each.must_use for each in definitions(path)}


class Hook:
    """One line of a module's compiled contract."""

    def __init__(self, path, line, last_line, ret, name, params):
        self.path, self.line, self.last_line = path, line, last_line
        self.ret, self.name, self.params = ret, name, params

    def spelled(self):
        return f'{self.ret} {self.name}{self.params}'


def hooks(path):
    """The contract of a module header: every HM_PORT_REQUIRE(ret, hook, (params)); in it."""
    text = without_comments(path.read_text())
    return [Hook(path, text.count('\n', 0, found.start()) + 1, text.count('\n', 0, found.end()) + 1,
                 ' '.join(found[1].split()), found[2], ' '.join(found[3].split()))
            for found in re.finditer(r'^HM_PORT_REQUIRE\(([^,]+),\s*(\w+),\s*(\([^()]*\))\);', text, re.M)]


def constants(path):
    """The macros that a module header demands of the port: #ifndef NAME, then #error."""
    return re.findall(r'^#ifndef (HM_\w+)\n#error ', path.read_text(), re.M)


def run():
    """Runs all checks and prints TAP; ends the program with 0, or 1 if a check failed."""
    sys.stdout.reconfigure(line_buffering=True)
    if not _checks:
        print('1..0 # SKIP ' + '; '.join(_skipped()) if _missing else 'Bail out! no checks')
        sys.exit(0 if _missing else 1)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda check: check[1](), _checks)
        number = 0
        for number, ((name, _), wrong) in enumerate(zip(_checks, results), 1):
            print(('not ok' if wrong else 'ok') + f' {number} - {name}')
            for line in wrong.splitlines():
                print('# ' + line)
            failed += bool(wrong)
    for number, why in enumerate(_skipped(), number + 1):
        print(f'ok {number} - # SKIP {why}')
    print(f'1..{number}')
    sys.exit(1 if failed else 0)


def _skipped():
    return [f'no {each}: install the Debian package {PACKAGES[each]}' for each in sorted(_missing)]
