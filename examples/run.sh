#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# run.sh [-g 4k|16k|64k] [-k store|window|none] [-p PROCESSOR] [TRACE] -- builds the example kernel and boots it in
# QEMU. There it locks its page tables, and what its pool of them knows, and tries stray stores to both; splits, changes
# and collapses the linear map that it runs on; loads, calls, patches and frees code; then replays a recorded page-table
# trace (default: tests/data/qemu-build.ptt.xz) while a thread reclaims memory from the pool, and says what the library
# did for it.
# Installs what is missing on a Debian 12 machine.
#
# -k chooses the emulator, by what its CPU locks page tables with:
#     store    (default) FEAT_GCS, QEMU 11: fetched once from a newer suite of Debian where this machine's is older
#     window   FEAT_S1POE, in no release: QEMU 7.2 with a patch, built once in 5 to 10 minutes
#     none     this machine's own QEMU
# With -p cortex-a72, which has no keys and no 16K granule, sizes in the linear map cannot change while it is in use.
set -eu
cd "$(dirname "$0")/.."
. tests/need.sh

usage() {
	sed -n '4,/^set -eu/s/^#$\|^# //p' "$0" >&2
	exit 2
}

kernel=kernel.elf
keys=store
processor=max
while getopts g:k:p: option; do
	case $option$OPTARG in
	g4k) kernel=kernel.elf ;;
	g16k | g64k) kernel=kernel_$OPTARG.elf ;;
	kstore | kwindow | knone) keys=$OPTARG ;;
	p*) processor=$OPTARG ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
trace=${1:-tests/data/qemu-build.ptt.xz}
need meson ninja-build gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user qemu-system-arm \
	xz-utils

case $keys in
store) QEMU_AARCH64=$(tests/qemu/emulator.sh -g gcs) ;;
window)
	need gcc libc6-dev libfdt-dev libglib2.0-dev libpixman-1-dev make patch pkg-config python3
	QEMU_AARCH64=$(tests/qemu/emulator.sh -g poe)
	;;
none) QEMU_AARCH64=qemu-system-aarch64 ;;
esac || {
	echo "run.sh: without it page tables stay unlocked" >&2
	QEMU_AARCH64=qemu-system-aarch64
}
export QEMU_AARCH64

log=$(mktemp)
{ [ -f build/arm64/build.ninja ] || meson setup build/arm64 --cross-file tests/arm64.ini; } >"$log" 2>&1 &&
	ninja -C build/arm64 "examples/kernel/$kernel" >>"$log" 2>&1 || {
	cat "$log"
	exit 1
}
rm -f "$log"
exec tests/qemu/boot.sh -t 300 -p "$processor" "build/arm64/examples/kernel/$kernel" "$trace"
