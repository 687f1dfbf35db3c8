#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# debian.sh [-k] [6.12 | 7.3] -- builds the module of ports/linux for Debian's own arm64 kernel of that version (default:
# 7.3), with W=1 and sparse, without a warning; boots that kernel, loads and unloads the module 100 times, and prints TAP.
# Kernel, headers, sparse and busybox come from newer suites by tests/private-root.sh.
#
#     -k    builds the module alone
#
# The tools of Debian's 7.3 want a newer libc than this machine may have: those of the kernel that kernel.sh builds, of
# the same version, are taken then.
set -eu
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
port=$here/../../ports

build_only=
while getopts k option; do
	case $option in
	k) build_only=yes ;;
	*)
		sed -n '4,/^set -eu/s/^#$\|^# //p' "$0" >&2
		exit 2
		;;
	esac
done
shift $((OPTIND - 1))
case ${1:-7.3} in
6.12)
	suite=bookworm-backports
	version=6.12.95+deb12
	image=linux-image-$version-arm64-unsigned
	;;
7.3)
	suite=trixie-backports
	version=7.3.4+deb13
	image=linux-binary-unsigned-$version-arm64
	;;
*)
	echo "debian.sh: 6.12 or 7.3, not $1" >&2
	exit 2
	;;
esac
root=$("$here/../private-root.sh" -a $suite "linux-headers-$version-arm64:arm64" "linux-headers-$version-common" \
	"linux-kbuild-$version" "$image:arm64")

# A copy whose paths make can hold, and that leads to itself.
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
trap 'exit 1' HUP INT TERM
cp -a "$root/usr/src/linux-headers-$version-arm64" "$temporary/arch"
cp -a "$root/usr/src/linux-headers-$version-common" "$temporary/common"
cp -a "$root/usr/lib/linux-kbuild-$version" "$temporary/kbuild"
for directory in arch common; do
	for link in scripts tools; do
		ln -sfn "../kbuild/$link" "$temporary/$directory/$link"
	done
done
sed -i "s|/usr/src/linux-headers-.*-arm64\$|$temporary/arch|;s|/usr/src/linux-headers-.*-common|$temporary/common|" \
	"$temporary/arch/Makefile"
rm -f "$temporary/arch/vmlinux" # or debugging information would be made of it
# A wrapper, and what it starts.
if for tool in "$temporary"/kbuild/scripts/mod/modpost*; do "$tool" || :; done 2>&1 | grep -q 'GLIBC.*not found'; then
	own=$("$here/kernel.sh" -n 2>/dev/null || "$here/kernel.sh")
	for tool in basic/fixdep mod/modpost; do
		cp "$own/scripts/$tool" "$temporary/kbuild/scripts/$tool"
	done
fi
# What the compiler can that Debian has built it with, and this machine's cannot: align cold functions too.
sed -i '/CONFIG_CC_HAS_\(MIN\|SANE\)_FUNCTION_ALIGNMENT/d' "$temporary/arch/include/config/auto.conf" \
	"$temporary/arch/include/generated/autoconf.h"

mkdir "$temporary/ports"
cp -a "$port/linux" "$port/arm64" "$port/extern" "$port/x86_64" "$temporary/ports/"
cp -a "$port/../include" "$temporary/"
log=$temporary/log
sparse=$("$here/../private-root.sh" forky sparse)/run/sparse
make -C "$temporary/arch" "M=$temporary/ports/linux/module" W=1 C=2 "CHECK=$sparse" CC=aarch64-linux-gnu-gcc modules >"$log" 2>&1 </dev/null || {
	cat "$log" >&2
	exit 1
}
if grep 'warning:' "$log" | grep -v 'the compiler differs\|pahole'; then
	echo "debian.sh: the module does not build without warnings" >&2
	exit 1
fi
module=$temporary/ports/linux/module/hardmap.ko
echo "# built for $version: $(stat -c %s "$module") bytes"
[ -z "$build_only" ] || exit 0

kernel=$(find "$root" -name 'vmlinuz*' -type f)
"$here/initramfs.sh" arm64 "$temporary/initramfs" "$module"
status=0
"$here/boot.sh" -t 600 "$kernel" "$temporary/initramfs" "log_buf_len=4M printk.devkmsg=on hardmap.test=module" \
	>"$temporary/console" 2>&1 || status=$?
python3 "$here/ktap.py" "$temporary/console" module || {
	tail -n 30 "$temporary/console" >&2
	exit 1
}
[ "$status" = 0 ]
