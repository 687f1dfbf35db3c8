#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# run.sh -- sets up and passes every test, on a clean Debian 12 machine and on any that has the
# tools. Builds in build/; each leg below is one meson build directory, so that a failure is
# repeated by one command:
#
#     meson test -C build                 hosted suites, the machine model, herd7, meta tests, counts of the
#                                         benchmarks (gcc)
#     meson test -C build/arm64           the arm64 build: user-mode QEMU; in system QEMU the example kernel, and an
#                                         arm64 Linux kernel
#     meson test -C build/sanitize        the hosted suites by clang, with AddressSanitizer and UndefinedBehaviorSanitizer
#     tests/coverage.sh                   which branches of include/hardmap no suite takes (gcc, gcov)
#     tests/style.sh                      clang-format and clang-tidy
#
# Of Linux only the arm64 kernel is built, for time. After tests/linux/kernel.sh -a amd64 the first leg boots that one,
# too.
set -eu
cd "$(dirname "$0")/.."
. tests/need.sh

need meson ninja-build gcc g++ libc6-dev pkg-config python3 libcriterion-dev clang clang-format clang-tidy \
	libclang-rt-14-dev gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user qemu-system-arm qemu-system-x86 xz-utils \
	libfdt-dev libglib2.0-dev libpixman-1-dev make patch bc bison flex cpio

tests/private-root.sh forky herdtools7 >/dev/null || echo "no herd7: the litmus tests are skipped"
for feature in gcs poe; do
	tests/qemu/emulator.sh -g $feature >/dev/null || echo "no QEMU with $feature: tests on it are skipped"
done

tests/private-root.sh -a bookworm busybox-static:arm64 >/dev/null && tests/linux/kernel.sh >/dev/null ||
	echo "no Linux kernel with hardmap: its tests are skipped"

passed=0
failed=0
skipped=0

# leg NAME DIRECTORY "SUITES" [meson setup arguments...]; no suites: all
leg() {
	name=$1
	directory=$2
	suites=
	for suite in $3; do
		suites="$suites --suite $suite"
	done
	shift 3
	echo "== $name ($directory)"
	# Anew where it was, too: emulators may have come.
	if [ -f "$directory/build.ninja" ]; then
		set -- --reconfigure
	fi
	meson setup "$directory" "$@" >"$log" 2>&1 || {
		cat "$log"
		failed=$((failed + 1))
		return
	}
	ninja -C "$directory" >"$log" 2>&1 || {
		cat "$log"
		failed=$((failed + 1))
		return
	}
	# A machine may be slower than those that the tests' time-outs are from.
	# shellcheck disable=SC2086 # words, deliberately
	meson test -C "$directory" --no-rebuild --print-errorlogs --timeout-multiplier 3 $suites || true
	# Counted from meson's own record: tests, and the subtests of those that have some.
	# shellcheck disable=SC2046
	set -- $(python3 tests/count_results.py "$directory/meson-logs/testlog.json")
	passed=$((passed + $1))
	failed=$((failed + $2))
	skipped=$((skipped + $3))
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT

hosted="contract unit model native stress examples"
# What a debugger wants takes a compiler time, and nobody reads it here.
leg "hosted, gcc" build "" -Ddebug=false
leg "arm64" build/arm64 "" -Ddebug=false --cross-file tests/arm64.ini
CC=clang leg "hosted, clang, sanitizers" build/sanitize "$hosted" -Db_sanitize=address,undefined -Db_lundef=false \
	-Doptimization=1 -Ddebug=false -Dc_args=-gline-tables-only
echo "== coverage (build/coverage)"
if tests/coverage.sh; then
	passed=$((passed + 1))
else
	failed=$((failed + 1))
fi
echo "== style"
if tests/style.sh build build/arm64; then
	passed=$((passed + 1))
else
	failed=$((failed + 1))
fi

echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
