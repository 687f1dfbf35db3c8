#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# kernel.sh [-n | -k | -s] [-a ARCH] [-c CONFIG]... [-m JOBS] -- builds a Linux kernel with hardmap in it, and prints its
# build directory, as the last line of standard output.
#
#     -a    arm64 (default) or amd64
#     -c    the options: tinyconfig with base.config, ARCH.config and CONFIG.config of this directory (default: checked);
#           one that does not come true is an error
#     -k    configures, and builds nothing
#     -m    how many jobs at once (default: as many as there are CPUs)
#     -n    only what is in the cache: builds nothing, and fails if there is none
#     -s    checks: hardmap alone with W=1 and a sparse of a newer suite; a warning is an error
#
# The source is that of Debian's linux-source-7.3, fetched once by tests/private-root.sh; ports/linux/install.sh puts
# hardmap into it. It stays in a cache outside of this tree, as long as its version and the patches in ports/linux are
# the same, ${HARDMAP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hardmap}/linux/VERSION-HASH/source, with a build directory
# ARCH-CONFIG beside it: 5 minutes on two CPUs and 2 GB, once, then only what has changed. One hour is the limit.
set -eu
export LC_ALL=C

fail() {
	echo "kernel.sh: $*" >&2
	exit 1
}

usage() {
	sed -n '4,/^set -eu/s/^#$\|^# //p' "$0" >&2
	exit 2
}

arch=arm64
configs=
jobs=$(nproc)
cached=
configure=
sparse=
while getopts a:c:m:nks option; do
	case $option in
	a) arch=$OPTARG ;;
	c) configs="$configs $OPTARG" ;;
	m) jobs=$OPTARG ;;
	n) cached=yes ;;
	k) configure=yes ;;
	s) sparse=yes ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[ $# = 0 ] || usage
configs=${configs:-checked}
here=$(cd "$(dirname "$0")" && pwd)
port=$here/../../ports/linux
install=${HARDMAP_LINUX_INSTALL:-$port/install.sh} # another, to try this script
suite=trixie-backports
package=linux-source-7.3

case $arch in
arm64)
	linux_arch=arm64
	triplet=aarch64-linux-gnu
	image=Image
	compiler='gcc-aarch64-linux-gnu'
	;;
amd64)
	linux_arch=x86_64
	triplet=x86_64-linux-gnu
	image=bzImage
	compiler=gcc-x86-64-linux-gnu
	;;
*) fail "arm64 or amd64, not $arch" ;;
esac
# The machine's own compiler has that name, too, and Debian's package of it another.
! command -v $triplet-gcc >/dev/null || compiler=
[ "$arch" != amd64 ] || compiler="$compiler libelf-dev" # objtool
files="base.config $arch.config"
name=$arch
for config in $configs; do
	case $config in
	*[!a-z0-9_]*) fail "a name of a configuration, please: $config" ;;
	esac
	[ -f "$here/$config.config" ] || fail "no such configuration: $config.config"
	files="$files $config.config"
	name=$name-$config
done
# shellcheck disable=SC2086 # words, deliberately
wanted() {
	(cd "$here" && cat $files)
}

if [ -n "$cached" ]; then
	root=$("$here/../private-root.sh" -n -a $suite $package 2>/dev/null) || root=
else
	root=$("$here/../private-root.sh" -a $suite $package)
fi
# Where its version names the directory, characters that make, sed or a regular expression could take for theirs go.
version=$(basename "$root" | sed 's/.*=//' | tr -c 'A-Za-z0-9.\n-' .)
hash=$(
	for patch in "$port"/*.patch; do
		[ ! -f "$patch" ] || cat "$patch"
	done | sha256sum | cut -c 1-16
)
kernels=${HARDMAP_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/hardmap}/linux
case $kernels in
/*) ;;
*) fail "the cache must be an absolute path: $kernels" ;;
esac
case $kernels in
*[!A-Za-z0-9._/+-]*) fail "the cache's path must be one that the kernel's makefiles can hold: $kernels" ;;
esac
kernel=$kernels/$version-$hash
tree=$kernel/source
build=$kernel/$name

if [ -n "$cached" ]; then
	if [ -z "$root" ] || [ ! -f "$build.built" ] || ! wanted | cmp -s - "$build.config"; then
		fail "no $name Linux with hardmap; tests/linux/kernel.sh -a $arch$(
			for config in $configs; do printf ' -c %s' "$config"; done
		) builds it"
	fi
	echo "$build"
	exit 0
fi

. "$here/../need.sh"
# shellcheck disable=SC2086 # words, deliberately
(need bc bison flex gcc libc6-dev make patch xz-utils $compiler >&2) # has variables of its own
[ -x "$install" ] || fail "no $install"

# Two at once would write the same files.
mkdir -p "$kernels"
exec 9>"$kernels/lock"
flock -n 9 || {
	echo "kernel.sh: waiting for another one, which builds" >&2
	flock 9
}

# By the system's own tools, whatever else is first on PATH or in the environment; no name of a machine gets in.
plainly() {
	env -i PATH=/usr/bin:/bin LC_ALL=C KBUILD_BUILD_USER=hardmap KBUILD_BUILD_HOST=hardmap "$@" 9>&-
}

in_build() {
	plainly make -C "$tree" "O=$build" "ARCH=$linux_arch" "CROSS_COMPILE=$triplet-" "$@" </dev/null
}

# Versions and patches that are no longer: each is a tree of its own.
for old in "$kernels"/*; do
	[ ! -d "$old" ] || [ "$old" = "$kernel" ] || rm -rf "$old"
done
if [ ! -d "$tree" ]; then
	echo "kernel.sh: unpacking $package $version" >&2
	mkdir -p "$kernel"
	rm -rf "$kernel/new"
	mkdir "$kernel/new"
	plainly tar -C "$kernel/new" --strip-components=1 -xf "$root/usr/src/$package.tar.xz"
	mv "$kernel/new" "$tree"
fi
"$install" "$tree" >&2

# lost: what the options want and .config has not, or has though it should not.
lost() {
	wanted | sed -n 's/^\(CONFIG_[A-Za-z0-9_]*\)=\(.*\)/\1 \2/p' | while read -r name value; do
		case $value in
		n) ! grep -q "^$name=" "$build/.config" || echo "$name=n" ;;
		*) grep -qxF "$name=$value" "$build/.config" || echo "$name=$value" ;;
		esac
	done
}

# build.config is what a .config that has it all was made of. hardmap's own options may have changed since.
mkdir -p "$build"
log=$build.log
{
	if ! wanted | cmp -s - "$build.config"; then
		rm -f "$build.config" "$build.built"
		wanted >"$build.wanted" && in_build tinyconfig &&
			(cd "$build" && plainly "$tree/scripts/kconfig/merge_config.sh" -m -O "$build" .config "$build.wanted")
	fi && in_build olddefconfig
} >"$log" 2>&1 || {
	tail -n 20 "$log" >&2
	fail "cannot configure it"
}
wrong=$(lost)
if [ -n "$wrong" ]; then
	rm -f "$build.config"
	echo "$wrong" | sed 's/^/kernel.sh: not as the options want it: /' >&2
	exit 1
fi
[ ! -f "$build.wanted" ] || mv "$build.wanted" "$build.config"
if [ -n "$configure" ]; then
	echo "$build"
	exit 0
fi

if [ -n "$sparse" ]; then
	sparse=$("$here/../private-root.sh" forky sparse)/run/sparse
	in_build "-j$jobs" W=1 C=2 "CHECK=$sparse" CF=-fmemcpy-max-count=4000000 lib/hardmap/ >"$log" 2>&1 || {
		cat "$log" >&2
		fail "cannot build it"
	}
	[ "$(grep -c '^  CHECK ' "$log")" -gt 20 ] || fail "sparse looked at nothing"
	# What Linux has to be made first is its own.
	! grep '\(lib\|include\)/\(linux/\)\?hardmap[/.].*\(warning\|error\):' "$log" >&2 || fail "sparse or W=1 finds something"
	echo "kernel.sh: $(grep -c '^  CHECK ' "$log") files checked" >&2
	exit 0
fi

targets=$image
! grep -qx CONFIG_MODULES=y "$build/.config" || targets="$image modules"
rm -f "$build.built"
: >"$log"
# For who watches. It ends within a second, as what waits for this script's output would wait for it.
began=$(date +%s)
(
	while sleep 1; do
		elapsed=$(($(date +%s) - began))
		[ $((elapsed % 20)) != 0 ] ||
			echo "kernel.sh: building for $elapsed s: $(grep -c '^  \(AS\|CC\|HOSTCC\) ' "$log") objects" >&2
	done
) >/dev/null 9>&- &
watcher=$!
trap 'kill "$watcher" 2>/dev/null || :' EXIT
trap 'exit 1' HUP INT TERM
# shellcheck disable=SC2086 # words, deliberately
plainly nice timeout --foreground -k 10 3600 \
	make -C "$tree" "O=$build" "ARCH=$linux_arch" "CROSS_COMPILE=$triplet-" "-j$jobs" $targets \
	</dev/null >"$log" 2>&1 || {
	grep -n -e 'error:' -e '\*\*\*' "$log" | head -n 20 >&2 || :
	tail -n 10 "$log" >&2
	fail "cannot build it; all that make said is in $log"
}
: >"$build.built"
echo "kernel.sh: built in $(($(date +%s) - began)) s, $(grep -c '^  \(AS\|CC\|HOSTCC\) ' "$log" || :) objects" >&2
echo "$build"
