#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""consume.py -- the two ways to use the project that are not a copy: installed, by pkg-config; and as a
meson subproject, by hardmap_dep. Both compile a kernel's file against a port of its own. TAP."""

import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOREIGN = (ROOT / 'tests/contract/foreign/hardmap_port.h').read_text(encoding='utf-8')
KERNEL = '''#include <hardmap/pgtable.h>
struct foreign foreign;
int main(void)
{
	static struct hm_context context;
	hm_lazy_mmu_token_t tok;

	foreign.context = &context;
	tok = hm_lazy_mmu_enter();
	hm_lazy_mmu_queue();
	hm_lazy_mmu_leave(tok);
	return foreign.publish == 1 ? 0 : 1;
}
'''
SUPER = '''project('kernel', 'c', default_options: ['c_std=gnu11'])
hardmap = subproject('hardmap')
test('kernel', executable('kernel', 'kernel.c', dependencies: hardmap.get_variable('hardmap_dep')))
'''


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    if done.returncode:
        raise RuntimeError('%s: %s' % (' '.join(map(str, command)), (done.stdout + done.stderr).strip()))
    return done.stdout


def kernel(directory):
    (directory / 'kernel.c').write_text(KERNEL, encoding='utf-8')
    (directory / 'hardmap_port.h').write_text(FOREIGN, encoding='utf-8')


def installed(directory):
    """Installed headers and ports, found by pkg-config alone."""
    build, prefix = directory / 'build', directory / 'prefix'
    run('meson', 'setup', build, ROOT, f'--prefix={prefix}', '-Dtests=disabled')
    run('meson', 'install', '-C', build)
    environment = dict(os.environ, PKG_CONFIG_PATH=str(prefix / 'share/pkgconfig'))
    flags = run('pkg-config', '--cflags', 'hardmap', env=environment).split()
    ports = run('pkg-config', '--variable=ports', 'hardmap', env=environment).strip()
    for header in ('arm64/insn.h', 'template/hardmap_port.h', 'hosted/hosted.c'):
        if not (pathlib.Path(ports) / header).is_file():
            raise RuntimeError('%s is not installed' % header)
    if any(flag.startswith(f'-I{ROOT}/') for flag in flags):
        raise RuntimeError('pkg-config names the source tree')
    kernel(directory)
    run('cc', '-std=gnu11', '-Wall', '-Wextra', '-Werror', *flags, '-I', directory, directory / 'kernel.c',
        '-o', directory / 'kernel')
    run(directory / 'kernel')


def subproject(directory):
    """A superproject gets the headers and none of the tests."""
    (directory / 'subprojects').mkdir()
    (directory / 'subprojects/hardmap').symlink_to(ROOT)
    (directory / 'meson.build').write_text(SUPER, encoding='utf-8')
    kernel(directory)
    run('meson', 'setup', directory / 'build', directory)
    if 'suite' in run('meson', 'test', '-C', directory / 'build', '--list'):
        raise RuntimeError('the subproject brings its tests')
    run('meson', 'test', '-C', directory / 'build')


def main():
    failed = 0
    print('1..2')
    for number, check in enumerate((installed, subproject), 1):
        with tempfile.TemporaryDirectory() as directory:
            try:
                check(pathlib.Path(directory))
                print('ok %d - %s' % (number, check.__doc__))
            except RuntimeError as error:
                failed = 1
                print('not ok %d - %s' % (number, check.__doc__))
                print('\n'.join('# ' + text for text in str(error).splitlines()))
    return failed


sys.exit(main())
