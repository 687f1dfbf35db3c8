#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# run.sh -- sets up and passes every test, on a clean Debian 12 machine and on any that has the
# tools. Builds in build/; each leg below is one meson build directory, so that a failure is
# repeated by one command:
#
#     meson test -C build                 hosted suites, meta tests, counts of the benchmarks (gcc)
#     meson test -C build/arm64           the arm64 build: user-mode QEMU, and the example kernel in system QEMU
#     meson test -C build/clang           the hosted suites built by clang
#     meson test -C build/sanitize        the hosted suites under AddressSanitizer and UndefinedBehaviorSanitizer
#     tests/style.sh                      clang-format and clang-tidy
set -eu
cd "$(dirname "$0")/.."
. tests/need.sh

need meson ninja-build gcc g++ libc6-dev pkg-config python3 libcriterion-dev clang clang-format clang-tidy \
	gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user qemu-system-arm xz-utils

passed=0
failed=0
skipped=0

# leg NAME DIRECTORY [meson setup arguments...]
leg() {
	name=$1
	directory=$2
	shift 2
	echo "== $name ($directory)"
	[ -f "$directory/build.ninja" ] || meson setup "$directory" "$@" >"$log" 2>&1 || {
		cat "$log"
		failed=$((failed + 1))
		return
	}
	ninja -C "$directory" >"$log" 2>&1 || {
		cat "$log"
		failed=$((failed + 1))
		return
	}
	meson test -C "$directory" --no-rebuild --print-errorlogs || true
	# Counted from meson's own record: tests, and the subtests of those that have some.
	set -- $(python3 tests/count_results.py "$directory/meson-logs/testlog.json")
	passed=$((passed + $1))
	failed=$((failed + $2))
	skipped=$((skipped + $3))
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT

leg "hosted, gcc" build
leg "arm64" build/arm64 --cross-file tests/arm64.ini
CC=clang leg "hosted, clang" build/clang
leg "hosted, sanitizers" build/sanitize -Db_sanitize=address,undefined -Db_lundef=false
echo "== style"
if tests/style.sh build build/arm64; then
	passed=$((passed + 1))
else
	failed=$((failed + 1))
fi

echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
