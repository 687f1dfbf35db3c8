#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# boot.sh [-t SECONDS] [-a ARCH] [-q QEMU] [-p CPU] [-i] IMAGE INITRD "COMMAND LINE" -- boots a Linux kernel in QEMU with
# two CPUs and 1 GiB, its console on standard output. Exits with QEMU's status, 0 once the machine is off, also
# after a panic; 124 if that takes more than SECONDS (default 600). To the command line it adds the console.
#
#     -a    arm64 (default) or amd64
#     -i    QEMU counts instructions: time is what they take, and two runs take the same
#     -q    another QEMU (default: QEMU_AARCH64 or QEMU_X86_64 of the environment, or the machine's own)
set -eu

seconds=600
arch=arm64
qemu=
processor=max
count=
while getopts t:a:q:p:i option; do
	case $option in
	t) seconds=$OPTARG ;;
	a) arch=$OPTARG ;;
	q) qemu=$OPTARG ;;
	p) processor=$OPTARG ;;
	i) count=yes ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# = 3 ] || {
	echo "boot.sh: an image, an initrd and a command line, please" >&2
	exit 2
}
image=$1
initrd=$2
line=$3

case $arch in
arm64)
	qemu=${qemu:-${QEMU_AARCH64:-qemu-system-aarch64}}
	machine=virt,gic-version=3
	console=ttyAMA0
	;;
amd64)
	qemu=${qemu:-${QEMU_X86_64:-qemu-system-x86_64}}
	machine=q35
	console=ttyS0
	;;
*)
	echo "boot.sh: arm64 or amd64, not $arch" >&2
	exit 2
	;;
esac

# One CPU is what counts are of.
set -- -smp 2
[ -z "$count" ] || set -- -icount shift=0 -smp 1
# -no-reboot: a panic ends QEMU, as panic=-1 makes the kernel restart. -net none: no boot ROM is looked for.
exec timeout "$seconds" "$qemu" -M "$machine" -cpu "$processor" -m 1G -nographic -net none -no-reboot \
	-kernel "$image" -initrd "$initrd" -append "console=$console panic=-1 $line" "$@" </dev/null
