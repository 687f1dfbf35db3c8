#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# emulator.sh [-g] FEATURE -- prints the path of a qemu-system-aarch64 whose -cpu max has a feature that the one
# of Debian 12 lacks:
#
#     gcs    FEAT_GCS and FEAT_S1PIE: QEMU 11 or newer, this machine's own or that of a newer suite of Debian
#     poe    FEAT_S1POE and FEAT_S1PIE: QEMU 7.2.0 with the patch in poe/, as no release has the former
#
# Without -g it looks at PATH and into the cache of tests/private-root.sh, and fails if there is none. With -g,
# one that is not there is fetched (gcs), or built from the source package of Debian 12 (poe): once, in 5 to 10
# minutes on two CPUs; one hour is the limit. Nothing is installed, and signatures are checked.
set -eu
export LC_ALL=C

fail() {
	echo "emulator.sh: $*" >&2
	exit 1
}

get=
while getopts g option; do
	case $option in
	g) get=yes ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
here=$(cd "$(dirname "$0")" && pwd)

private_root() {
	"$here/../private-root.sh" "$@"
}

gcs() {
	own=$(command -v qemu-system-aarch64) || own=
	version=$([ -z "$own" ] || "$own" --version | sed -n 's/^QEMU emulator version \([0-9]*\)\..*/\1/p')
	if [ "${version:-0}" -ge 11 ]; then
		echo "$own"
		return
	fi
	if [ -n "$get" ]; then
		root=$(private_root forky qemu-system-arm)
	else
		root=$(private_root -n forky qemu-system-arm 2>/dev/null) ||
			fail "no QEMU with FEAT_GCS; tests/qemu/emulator.sh -g gcs fetches one"
	fi
	echo "$root/run/qemu-system-aarch64"
}

poe() {
	patch=$(echo "$here"/poe/*.patch)
	builds=${HARDMAP_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/hardmap}/qemu-poe
	build=$builds/$(basename "$patch" .patch)-$(sha256sum <"$patch" | cut -c 1-16)
	if ! "$build/qemu-system-aarch64" --version >/dev/null 2>&1; then # none, or its libraries are gone
		[ -n "$get" ] || fail "no QEMU with FEAT_S1POE; tests/qemu/emulator.sh -g poe builds one"
		make_poe >&2
	fi
	echo "$build/qemu-system-aarch64"
}

# By the system's own tools, whatever else is first on PATH or in the environment.
plainly() {
	env -i PATH=/usr/bin:/bin "$@"
}

# What bare-metal kernels and Linux need on the virt machine.
make_poe() {
	mkdir -p "$builds"
	exec 9>"$builds/lock"
	flock 9
	if "$build/qemu-system-aarch64" --version >/dev/null 2>&1; then # by someone else, while this one waited
		return
	fi
	rm -rf "$builds"/new.* # of one that was killed: this one has the lock
	temporary=$(mktemp -d "$builds/new.XXXXXX")
	trap 'rm -rf "$temporary"' EXIT
	trap 'exit 1' HUP INT TERM
	source=$(private_root -s bookworm qemu)
	tar -C "$temporary" --strip-components=1 -xf "$source"/qemu_*.orig.tar.xz
	patch -d "$temporary" -s -p1 <"$patch"
	# Firmware that Debian's tarball leaves out, and that configure looks for; nothing uses it.
	for firmware in aarch64-code arm-code arm-vars i386-code i386-secure-code i386-vars x86_64-code \
		x86_64-secure-code; do
		: >"$temporary/pc-bios/edk2-$firmware.fd.bz2"
	done
	mkdir "$temporary/build" "$temporary/result"

	echo "emulator.sh: building $(basename "$patch" .patch): 5 to 10 minutes, once"
	progress=$temporary/log
	[ ! -t 1 ] || progress=/dev/stdout
	(
		cd "$temporary/build"
		plainly ../configure --target-list=aarch64-softmmu --with-devices-aarch64=minimal \
			--without-default-features --enable-system --enable-tcg --enable-fdt=system \
			--disable-debug-info --disable-docs --disable-werror --disable-install-blobs \
			>>"$progress" 2>&1 &&
			plainly nice timeout --foreground -k 10 3600 ninja qemu-system-aarch64 >>"$progress" 2>&1
	) || {
		[ -t 1 ] || tail -n 20 "$temporary/log"
		fail "cannot build it; needed are Debian packages gcc libc6-dev libfdt-dev libglib2.0-dev" \
			"libpixman-1-dev make meson ninja-build patch pkg-config python3 xz-utils"
	}
	strip -o "$temporary/result/qemu-system-aarch64" "$temporary/build/qemu-system-aarch64"
	"$temporary/result/qemu-system-aarch64" --version >/dev/null
	rm -rf "$build"
	mv "$temporary/result" "$build"
}

case $* in
gcs | poe) "$1" ;;
*) fail "one feature, please: gcs or poe" ;;
esac
