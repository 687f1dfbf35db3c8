#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# initramfs.sh ARCH OUTPUT [FILE...] -- a small initramfs for tests of a kernel of ARCH (arm64 or amd64): Debian 12's
# busybox, init, workload and load_failing of this directory, and each FILE as /modules/FILE, in their order in /modules/order.
# The same files make the same bytes. Busybox is fetched once, of whatever architecture, by tests/private-root.sh.
set -eu
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../need.sh"

fail() {
	echo "initramfs.sh: $*" >&2
	exit 1
}

[ $# -ge 2 ] || fail "an architecture and an output, please"
arch=$1
output=$2
shift 2
case $arch in
arm64) triplet=aarch64-linux-gnu ;;
amd64) triplet=x86_64-linux-gnu ;;
*) fail "arm64 or amd64, not $arch" ;;
esac
# The machine's own compiler has the triplet in its name, too.
command -v cpio >/dev/null || need cpio >&2
command -v $triplet-gcc >/dev/null || case $arch in
arm64) need gcc-aarch64-linux-gnu libc6-dev-arm64-cross >&2 ;;
amd64) need gcc-x86-64-linux-gnu libc6-dev-amd64-cross >&2 ;;
esac

busybox=$("$here/../private-root.sh" -a bookworm "busybox-static:$arch")/bin/busybox

temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
trap 'exit 1' HUP INT TERM
root=$temporary/root
mkdir "$root"
(cd "$root" && mkdir bin dev modules proc sys tmp)
cp "$busybox" "$root/bin/busybox"
ln -s busybox "$root/bin/sh"
cp "$here/init" "$root/init"
chmod 755 "$root/init" "$root/bin/busybox"
for program in workload load_failing; do
	$triplet-gcc -std=gnu11 -O2 -Wall -Wextra -static -s -o "$root/$program" "$here/$program.c"
done
for file; do
	cp "$file" "$root/modules/"
	basename "$file"
done >"$root/modules/order"

# No time of now and no order of a directory's gets in.
find "$root" -exec touch -h -d @0 {} +
(cd "$root" && find . | sort | cpio --quiet --reproducible -R 0:0 -H newc -o) | gzip -n -9 >"$temporary/initramfs"
mv "$temporary/initramfs" "$output"
