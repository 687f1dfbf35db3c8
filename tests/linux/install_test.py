#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""install_test.py -- ports/linux/install.sh installs whole or not at all. On trees that have of Linux what its patch
names, made of the patch's own context. TAP."""

import contextlib
import hashlib
import pathlib
import re
import subprocess
import sys
import tempfile

PORT = pathlib.Path(__file__).resolve().parents[2] / 'ports' / 'linux'
PATCH = (PORT / 'linux-7.3.patch').read_text()


def files_of(patch):
    """Each file as it is before the patch: its context in place, other lines between."""
    for part in re.split(r'^(?=--- a/)', patch, flags=re.M)[1:]:
        lines, name = [], re.match(r'--- a/(\S+)', part)[1]
        for hunk in re.split(r'^(?=@@ )', part, flags=re.M)[1:]:
            first = int(re.match(r'@@ -(\d+)', hunk)[1])
            lines += [f'/* {name} {n} */' for n in range(len(lines) + 1, first)]
            lines += [line[1:] for line in hunk.splitlines()[1:] if line[:1] in (' ', '-')]
        yield name, '\n'.join(lines) + '\n'


@contextlib.contextmanager
def tree(version='7.3'):
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        for name, text in [*files_of(PATCH), ('MAINTAINERS', ''),
                           ('Makefile', 'VERSION = {}\nPATCHLEVEL = {}\n'.format(*version.split('.')))]:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        yield root


def contents(root):
    return {str(each.relative_to(root)): (hashlib.sha256(each.read_bytes()).hexdigest(), each.stat().st_mtime_ns)
            for each in sorted(root.rglob('*')) if each.is_file()}


def install(root):
    return subprocess.run([PORT / 'install.sh', root], capture_output=True, text=True, check=False)


def refused(root, says):
    before = contents(root)
    done = install(root)
    changed = sorted(name for name, _ in set(contents(root).items()) ^ set(before.items()))
    return '\n'.join(([] if done.returncode else ['it has no objection']) +
                     ([] if says in done.stderr else [f'it says: {done.stderr}']) +
                     [f'{name} has changed' for name in changed])


def installs():
    """into a tree of 7.3; again, it changes nothing"""
    with tree() as root:
        done = install(root)
        if done.returncode or not (root / 'lib/hardmap/pool.c').is_file():
            return f'status {done.returncode}: {done.stderr}'
        if 'hardmap' not in (root / 'arch/arm64/kernel/process.c').read_text():
            return 'the patch is not there'
        before = contents(root)
        done = install(root)
        return done.stderr if done.returncode else \
            '\n'.join(sorted(name for name, _ in set(contents(root).items()) ^ set(before.items())))


def other_version():
    """not into another version, which stays as it was"""
    with tree('6.12') as root:
        return refused(root, 'is Linux 6.12')


def other_files():
    """not into a tree that the patch does not fit, in its last file, and that stays as it was"""
    with tree() as root:
        last = list(files_of(PATCH))[-1][0]
        (root / last).write_text('int something_else;\n')
        return refused(root, 'does not fit')


def no_tree():
    """not into any directory"""
    with tempfile.TemporaryDirectory() as directory:
        return refused(pathlib.Path(directory), 'is no tree')


def main():
    checks = [installs, other_version, other_files, no_tree]
    status = 0
    for number, check in enumerate(checks, 1):
        wrong = check()
        print(f'{"not ok" if wrong else "ok"} {number} - install.sh: {check.__doc__}')
        for line in wrong.splitlines():
            print('# ' + line)
        status |= bool(wrong)
    print(f'1..{len(checks)}')
    return status


sys.exit(main())
