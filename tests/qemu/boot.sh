#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# boot.sh [-t SECONDS] [-c CPUS] [-p PROCESSOR] [-i] KERNEL [TRACE] -- boots a bare-metal kernel in
# QEMU's virt machine, its console on standard output, with a trace (plain or .xz) in memory where
# examples/kernel/layout.h has it. Exits with the status that the kernel ended the machine with; 124
# if that takes more than SECONDS (default 120). With -i QEMU counts instructions, for the kernel to read.
set -eu

seconds=120
cpus=2
processor=max
count=
while getopts t:c:p:i option; do
	case $option in
	t) seconds=$OPTARG ;;
	c) cpus=$OPTARG ;;
	p) processor=$OPTARG ;;
	i) count=yes ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
kernel=$1
trace=${2:-}

if [ -n "$trace" ]; then
	plain=$(mktemp)
	trap 'rm -f "$plain"' EXIT
	xz -dcf -- "$trace" >"$plain" # -f: passes through what is not compressed
	set -- -device "loader,file=$plain,addr=0x48000000,force-raw=on"
else
	set --
fi

[ -z "$count" ] || set -- -icount shift=0 "$@"
# -net none: no boot ROM is looked for.
timeout "$seconds" "${QEMU_AARCH64:-qemu-system-aarch64}" -M virt -cpu "$processor" -smp "$cpus" -m 1G \
	-nographic -net none -semihosting-config enable=on,target=native -kernel "$kernel" "$@" </dev/null
