#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# run.sh [-b | -k | -m | -r] [-a ARCH] [-c CONFIG]... [-p CPU] [-t SECONDS] [PARAMETER...] -- builds a Linux kernel with hardmap
# in it (kernel.sh), boots it in QEMU with more PARAMETERs on its command line, and prints what its tests say as TAP.
# The whole console log stays where standard error says.
#
#     -a, -c    as kernel.sh has them
#     -b        what a section of lazy_mmu.h costs beside the kernel's own mode, instructions counted, and no test
#     -k        KUnit alone; else the workload and the shrinkers too
#     -m        modules that come and go 100 times, and while allocations of theirs fail; two minutes, and nothing else
#     -p        another processor than QEMU's max
#     -r        with a PARAMETER hardmap.keys=, which this machine refuses: that the kernel says so
#     -t        how long it may run, in seconds (default: 600)
#
# QEMU_AARCH64 and QEMU_X86_64 may name another QEMU.
set -eu

usage() {
	sed -n '4,/^set -eu/s/^#$\|^# //p' "$0" >&2
	exit 2
}

arch=arm64
configs=
words=kunit,workload,shrink
seconds=600
processor=max
count=
while getopts a:bc:kmp:rt: option; do
	case $option in
	b)
		words=bench
		count=yes
		;;
	a) arch=$OPTARG ;;
	c) configs="$configs -c $OPTARG" ;;
	k) words=kunit ;;
	m) words=module,inject ;;
	p) processor=$OPTARG ;;
	r) words=refused ;;
	t) seconds=$OPTARG ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
here=$(cd "$(dirname "$0")" && pwd)

began=$(date +%s)

# No kernel is no TAP: meson and people read on standard error why.
# shellcheck disable=SC2086 # words, deliberately
build=$("$here/kernel.sh" -a "$arch" $configs) || {
	echo "Bail out! the kernel does not build"
	exit 1
}
case $arch in
amd64) image=$build/arch/x86/boot/bzImage ;;
*) image=$build/arch/$arch/boot/Image ;;
esac
modules=
if [ "$words" = module,inject ]; then
	modules=$(sed -n "s|^\(.*/\)*\(hardmap[^/]*\)\.o$|$build/&|p" "$build/modules.order" | sed 's/\.o$/.ko/')
fi
built=$(date +%s)
echo "# kernel: $((built - began)) s"

# Beside the build directory, one for each set of tests and machine: several may run at once.
output=$build.$words-$(printf '%s' "$processor ${QEMU_AARCH64:-} ${QEMU_X86_64:-} $*" | cksum | cut -d' ' -f1)
log=$output.log
# shellcheck disable=SC2086 # words, deliberately: kernel.sh has no space in its paths
"$here/initramfs.sh" "$arch" "$output.initramfs" $modules
echo "run.sh: booting; the console is in $log" >&2
status=0
# A log that keeps all, and a line for each that init writes.
# shellcheck disable=SC2086 # nothing, or one word
"$here/boot.sh" ${count:+-i} -t "$seconds" -a "$arch" -p "$processor" "$image" "$output.initramfs" \
	"log_buf_len=4M printk.devkmsg=on hardmap.test=$words ${count:+kunit.enable=0 }$*" >"$log" 2>&1 || status=$?
echo "# boot and tests: $(($(date +%s) - built)) s, $words"
case $status in
0) ;;
124) echo "# QEMU was ended after $seconds s" ;;
*) echo "# QEMU ended with status $status" ;;
esac
python3 "$here/ktap.py" "$log" "$words" || status=1
[ -z "$count" ] || sed -n 's/\r$//; /^instructions |/,/^ok/{/^ok/!s/^/# /p}' "$log"
echo "run.sh: the whole log: $log" >&2
[ "$status" = 0 ]
