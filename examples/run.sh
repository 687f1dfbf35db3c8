#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# run.sh [TRACE] -- builds the example kernel and boots it in QEMU, where it replays a recorded
# page-table trace (default: tests/data/qemu-build.ptt.xz) and says what the library did for it.
# Installs what is missing on a Debian 12 machine.
set -eu
cd "$(dirname "$0")/.."
. tests/need.sh

trace=${1:-tests/data/qemu-build.ptt.xz}
need meson ninja-build gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user qemu-system-arm \
	xz-utils

log=$(mktemp)
{ [ -f build/arm64/build.ninja ] || meson setup build/arm64 --cross-file tests/arm64.ini; } >"$log" 2>&1 &&
	ninja -C build/arm64 examples/kernel/kernel.elf >>"$log" 2>&1 || {
	cat "$log"
	exit 1
}
rm -f "$log"
exec tests/qemu/boot.sh -t 300 build/arm64/examples/kernel/kernel.elf "$trace"
