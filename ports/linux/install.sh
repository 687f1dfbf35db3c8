#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# install.sh TREE -- puts hardmap into an unpacked Linux 7.3 tree: the headers, the port, its tests, and the patch that
# calls them. Again, it copies what has changed alone, so that make builds no more than that. Then switch CONFIG_HARDMAP on.
set -eu

[ $# = 1 ] || {
	sed -n '4,/^set -eu/s/^#$\|^# //p' "$0" >&2
	exit 2
}
tree=$1
here=$(dirname "$(readlink -f "$0")")
root=$(readlink -f "$here/../..")
fail() {
	echo "install.sh: $*" >&2
	exit 1
}

if [ ! -f "$tree/MAINTAINERS" ] || [ ! -d "$tree/arch/arm64" ]; then
	fail "$tree is no tree of the kernel's source"
fi
version=$(sed -n 's/^\(VERSION\|PATCHLEVEL\) = //p' "$tree/Makefile" | paste -s -d .)
[ "$version" = 7.3 ] || fail "$tree is Linux $version, and the patch is for 7.3"

# copy FILE DESTINATION: if they differ.
copy() {
	mkdir -p "$(dirname "$2")"
	cmp -s "$1" "$2" || cp "$1" "$2"
}

# copy_all FROM TO: the headers, sources and Makefiles below a directory; what is gone there goes here.
copy_all() {
	(cd "$1" && find . -name '*.[ch]' -o -name Makefile -o -name Kconfig) | sed 's|^\./||' | sort >"$list"
	while read -r file; do
		copy "$1/$file" "$2/$file"
	done <"$list"
	(cd "$2" && find . -name '*.[ch]') | sed 's|^\./||' | sort | comm -13 "$list" - | grep -v '^\(ports\|kunit/contract\)/' |
		while read -r file; do
			rm "$2/$file"
		done
}

# The patch whole or not at all, and first: a tree that it does not fit stays as it is.
patch=$here/linux-7.3.patch
if ! cmp -s "$patch" "$tree/.hardmap.patch"; then
	if [ -f "$tree/.hardmap.patch" ]; then
		patch -s -f -R -p1 --dry-run -d "$tree" <"$tree/.hardmap.patch" >&2 ||
			fail "what the patch has changed was changed since: an unpacked tree, please"
		patch -s -R -p1 --no-backup-if-mismatch -d "$tree" <"$tree/.hardmap.patch"
		rm "$tree/.hardmap.patch"
	fi
	patch -s -f -p1 --dry-run -d "$tree" <"$patch" >&2 || fail "the patch does not fit"
	patch -s -p1 --no-backup-if-mismatch -d "$tree" <"$patch"
	cp "$patch" "$tree/.hardmap.patch"
fi

list=$(mktemp)
trap 'rm -f "$list"' EXIT
export LC_ALL=C

copy_all "$root/include/hardmap" "$tree/include/hardmap"
copy "$here/hooks.h" "$tree/include/linux/hardmap.h"
copy_all "$here" "$tree/lib/hardmap"
copy_all "$root/ports/arm64" "$tree/lib/hardmap/ports/arm64"
copy_all "$root/ports/extern" "$tree/lib/hardmap/ports/extern"
copy_all "$root/ports/x86_64" "$tree/lib/hardmap/ports/x86_64"
for file in attack context direct_map fewest kpkeys lazy_mmu pgtable pgtable_pool pool_kernel probe_arm64 probe_x86_64 \
	rox_cache rox_kernel x86_64/x86; do
	copy "$root/tests/contract/$file.c" "$tree/lib/hardmap/kunit/contract/$file.c"
done
for file in free_tables pool_kernel probe probe_arm64 rox/hardmap_port rox_kernel x86_64/hardmap_port x86_64/x86 \
	x86_64/x86_64/insn; do
	copy "$root/tests/contract/$file.h" "$tree/lib/hardmap/kunit/contract/$file.h"
done
