#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# in_qemu.sh [SECONDS] -- runs the native suites and the stress program by protection keys on an emulated x86
# CPU that has them: Debian's kernel in Debian's QEMU, both unpacked by tests/private-root.sh, and nothing
# else but the programs. Status 1 if one fails, or if all take more than SECONDS (default 300). For an x86 machine.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-300}

suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
root=$(tests/private-root.sh "$suite" qemu-system-x86 linux-image-cloud-amd64 | tail -n 1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/root"

# program NAME SOURCE... [-DARGUMENT...]
program() {
	name=$1
	shift
	${CC:-cc} -std=gnu11 -O2 -g -static -pthread -Wall -Wextra -Werror \
		-Iinclude -Iports/hosted/native -Iports -Itests -Itests/contract "$@" ports/hosted/native/native.c -o "$work/root/$name"
	names="${names:-} $name"
}

# suite.h declares a function for the cases that the runner has not.
runner='-Wno-unused-function tests/suite_plain.c tests/suite_main.c'
# shellcheck disable=SC2086 # words, deliberately
program native -DSUITE=native tests/native/native.c $runner
for module in context kpkeys lazy_mmu pgtable; do
	# shellcheck disable=SC2086
	program "$module" "-DSUITE=$module" -DCONTRACT_EXCEPTION_PUSH=1 "tests/contract/$module.c" \
		tests/native/probe_native.c $runner
done
program stress tests/stress/stress.c
${CC:-cc} -std=gnu11 -O2 -static -Wall -Wextra -Werror tests/native/init.c -o "$work/root/init"

# An archive in the form of cpio's "newc", which nothing else here needs cpio for.
python3 - "$work" <<'END'
import pathlib, sys

work = pathlib.Path(sys.argv[1])
archive = b''
for path in [*sorted((work / 'root').iterdir()), None]:
    name = (path.name if path else 'TRAILER!!!').encode() + b'\0'
    data = path.read_bytes() if path else b''
    fields = [1, 0o100755, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0]
    archive += b'070701' + b''.join(b'%08x' % field for field in fields) + name
    archive += b'\0' * (-len(archive) % 4) + data
    archive += b'\0' * (-len(archive) % 4)
(work / 'initrd').write_bytes(archive)
END

QEMU_MODULE_DIR=$(find "$root/usr/lib" -type d -path '*-linux-gnu/qemu')
export QEMU_MODULE_DIR
# shellcheck disable=SC2086
timeout "$seconds" "$root/run/qemu-system-x86_64" -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" \
	-cpu max -smp 2 -m 512M -nographic -monitor none -net none -no-reboot \
	-kernel "$root"/boot/vmlinuz-* -initrd "$work/initrd" \
	-append "console=ttyS0 quiet panic=-1 rdinit=/init --$names" </dev/null | tr -d '\r' | tee "$work/log"
grep -q 'programs, 0 failed$' "$work/log"
