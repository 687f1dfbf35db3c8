#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# run.sh [-k] [-a ARCH] [-c CONFIG] [-t SECONDS] [PARAMETER...] -- builds a Linux kernel with hardmap in it (kernel.sh),
# boots it in QEMU with more PARAMETERs on its command line, and prints what its tests say as TAP. The whole console
# log stays where standard error says.
#
#     -a, -c    as kernel.sh has them
#     -k        KUnit alone; else the workload, the shrinkers and modules that come and go too
#     -t        how long it may run, in seconds (default: 600)
#
# QEMU_AARCH64 and QEMU_X86_64 may name another QEMU.
set -eu

usage() {
	sed -n '4,/^set -eu/s/^#$\|^# //p' "$0" >&2
	exit 2
}

arch=arm64
config=
words=kunit,workload,shrink
seconds=600
while getopts a:c:kt: option; do
	case $option in
	a) arch=$OPTARG ;;
	c) config=$OPTARG ;;
	k) words=kunit ;;
	t) seconds=$OPTARG ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
here=$(cd "$(dirname "$0")" && pwd)

began=$(date +%s)
# elapsed: seconds since it was asked last.
elapsed() {
	last=$began
	began=$(date +%s)
	echo $((began - last))
}

# No kernel is no TAP: meson and people read on standard error why.
build=$("$here/kernel.sh" -a "$arch" ${config:+-c "$config"}) || {
	echo "Bail out! the kernel does not build"
	exit 1
}
case $arch in
amd64) image=$build/arch/x86/boot/bzImage ;;
*) image=$build/arch/$arch/boot/Image ;;
esac
modules=$(sed -n "s|^\(.*/\)*\(hardmap[^/]*\)\.o$|$build/&|p" "$build/modules.order" 2>/dev/null | sed 's/\.o$/.ko/') ||
	modules=
if [ -z "$modules" ]; then
	echo "# no module of hardmap's in this kernel"
elif [ "$words" != kunit ]; then
	words=$words,module
fi
elapsed=$(elapsed)
echo "# kernel: $elapsed s"

# Beside the build directory, one for each set of tests.
output=$(dirname "$build")/$words
log=$output.log
# shellcheck disable=SC2086 # words, deliberately: kernel.sh has no space in its paths
"$here/initramfs.sh" "$arch" "$output.initramfs" $modules
echo "run.sh: booting; the console is in $log" >&2
status=0
# A log that keeps all, and a line for each that init writes.
"$here/boot.sh" -t "$seconds" -a "$arch" "$image" "$output.initramfs" \
	"log_buf_len=4M printk.devkmsg=on hardmap.test=$words $*" >"$log" 2>&1 || status=$?
elapsed=$(elapsed)
echo "# boot and tests: $elapsed s, $words"
case $status in
0) ;;
124) echo "# QEMU was ended after $seconds s" ;;
*) echo "# QEMU ended with status $status" ;;
esac
python3 "$here/ktap.py" "$log" "$words" || status=1
echo "run.sh: the whole log: $log" >&2
[ "$status" = 0 ]
