#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# run.sh [-g 4k|16k|64k] [-p PROCESSOR] [TRACE] -- builds the example kernel and boots it in QEMU.
# There it splits, changes and collapses the linear map that it runs on; then it replays a recorded
# page-table trace (default: tests/data/qemu-build.ptt.xz) and says what the library did for it. With
# -p cortex-a72, which has no 16K granule, sizes in the linear map cannot change while it is in use.
# Installs what is missing on a Debian 12 machine.
set -eu
cd "$(dirname "$0")/.."
. tests/need.sh

kernel=kernel.elf
processor=max
while getopts g:p: option; do
	case $option in
	g)
		case $OPTARG in
		4k) kernel=kernel.elf ;;
		16k | 64k) kernel=kernel_$OPTARG.elf ;;
		*)
			echo "run.sh: -g takes 4k, 16k or 64k" >&2
			exit 2
			;;
		esac
		;;
	p) processor=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
trace=${1:-tests/data/qemu-build.ptt.xz}
need meson ninja-build gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user qemu-system-arm \
	xz-utils

log=$(mktemp)
{ [ -f build/arm64/build.ninja ] || meson setup build/arm64 --cross-file tests/arm64.ini; } >"$log" 2>&1 &&
	ninja -C build/arm64 "examples/kernel/$kernel" >>"$log" 2>&1 || {
	cat "$log"
	exit 1
}
rm -f "$log"
exec tests/qemu/boot.sh -t 300 -p "$processor" "build/arm64/examples/kernel/$kernel" "$trace"
