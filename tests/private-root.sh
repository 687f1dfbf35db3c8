#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# private-root.sh -- tools from a newer suite of the Debian archive that this machine already uses, without installing:
#
#     tests/private-root.sh [-a] [-u] SUITE PACKAGE...       prints the root, as the last line of standard output
#     tests/private-root.sh --run ROOT PROGRAM [ARGUMENT...]
#
# The packages and all that they depend on are unpacked into a directory of a cache outside the tree,
# ${HARDMAP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hardmap}/SUITE/PACKAGE=VERSION,...; one that is there already is used
# as it is, without asking the archive. A PACKAGE may be given as PACKAGE:ARCHITECTURE.
#
#     -a    the packages alone, without what they depend on (a kernel, a firmware)
#     -u    ask the archive whether there are newer versions
#
# --run starts a program of such a root by the root's own dynamic linker and libraries, as those of this machine may be too
# old for it; ROOT/run/PROGRAM does the same and needs no script. Programs that look for files of their own at fixed paths
# must be told where they are (herd7 -set-libdir, qemu-system-* -L).
#
# The system's own sources, lists and packages are only read. Signatures are checked, always: with the archive's keyring of
# this machine or, where the newer suite is signed by a key that it does not have, with the keyring package of this machine's
# own suite, which its keys vouch for.
set -eu
export LC_ALL=C

usage() {
	sed -n '4,/^set -eu/s/^# \{0,1\}//p' "$0" >&2
	exit 2
}

fail() {
	echo "private-root.sh: $*" >&2
	exit 1
}

case ${1:-} in
--run)
	[ $# -ge 3 ] || usage
	program=$2/run/$3
	[ -x "$program" ] || fail "no program $3 in $2"
	shift 3
	exec "$program" "$@"
	;;
esac

alone=
update=
while getopts au option; do
	case $option in
	a) alone=yes ;;
	u) update=yes ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 2 ] || usage
suite=$1
shift
packages=$(printf '%s\n' "$@" | sort -u)
case "$suite $packages" in
*[!a-z0-9+.:' '"
"-]*) fail "a suite and names of packages, please" ;;
esac

cache=${HARDMAP_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/hardmap}
case $cache in
/*) ;;
*) fail "the cache must be an absolute path: $cache" ;;
esac
case $cache in
*[\ :\;\"]*) fail "the cache's path must be one that library paths and apt can hold: $cache" ;;
esac

# The newest root with these packages, whatever their versions. A name is complete, as it is given last. Colons (of an
# architecture or a version) would separate the parts of a library path.
find_root() {
	pattern=
	for package in $packages; do
		pattern=$pattern${pattern:+,}$(echo "$package" | sed 's/:/%/')=*
	done
	for root in "$cache/$suite${alone:+/alone}/"$pattern; do
		# An asterisk also matches the packages of a larger root.
		[ -d "$root" ] && [ "$(echo "${root##*/}" | tr -cd , | wc -c)" = "$(($(echo "$packages" | wc -l) - 1))" ] || continue
		printf '%s\n' "$root"
	done | xargs -r ls -td | head -n 1
}

root=$(find_root)
if [ -n "$root" ] && [ -z "$update" ]; then
	echo "$root"
	exit 0
fi

for tool in apt-get apt-cache dpkg dpkg-deb flock; do
	command -v "$tool" >/dev/null || fail "$tool is missing; this needs a Debian machine"
done
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
root=$(find_root) # by someone else, while this one waited
if [ -n "$root" ] && [ -z "$update" ]; then
	echo "$root"
	exit 0
fi

apt=$cache/apt/$suite
temporary=$(mktemp -d "$cache/new.XXXXXX")
trap 'rm -rf "$temporary"' EXIT
trap 'exit 1' HUP INT TERM

# configuration NAME: apt with a state of its own and the sources in NAME.list. Proxies and the like stay the machine's; its
# hooks and preferences, which concern its own packages, go.
configuration() {
	mkdir -p "$apt/lists/partial" "$temporary/archives/partial"
	: >"$temporary/status"
	native=$(dpkg --print-architecture)
	{
		for hook in APT::Update::Pre-Invoke APT::Update::Post-Invoke APT::Update::Post-Invoke-Success \
			DPkg::Pre-Invoke DPkg::Post-Invoke DPkg::Pre-Install-Pkgs APT::Architectures; do
			echo "#clear $hook;"
		done
		echo "APT::Architectures { \"$native\"; };"
		echo "$packages" | sed -n 's/.*:\(.*\)/APT::Architectures:: "\1";/p' | sort -u | grep -v "\"$native\"" || true
		cat <<-END
			APT::Install-Recommends "false";
			APT::Sandbox::User "$(id -un)";
			APT::Default-Release "";
			Dir::Etc::SourceList "$temporary/$1.list";
			Dir::Etc::SourceParts "/dev/null";
			Dir::Etc::Preferences "/dev/null";
			Dir::Etc::PreferencesParts "/dev/null";
			Dir::State "$apt";
			Dir::State::Lists "$apt/lists";
			Dir::State::status "$temporary/status";
			Dir::State::extended_states "$temporary/extended_states";
			Dir::Cache "$temporary";
			Dir::Cache::Archives "$temporary/archives";
			Dir::Cache::pkgcache "";
			Dir::Cache::srcpkgcache "";
			Dir::Log "$temporary";
			Debug::NoLocking "true";
		END
	} >"$temporary/$1.conf"
}

# update NAME: the lists of NAME.list, their signatures checked; standard output of the failure on failure.
update() {
	configuration "$1"
	apt-get -c "$temporary/$1.conf" -qq -o APT::Update::Error-Mode=any update >"$temporary/log" 2>&1
}

# Which archive: what apt itself makes of the machine's sources, in whatever form and files they are. One without fetched
# lists does not know its label: then by the suite's name.
# shellcheck disable=SC1091 # the system's
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
# shellcheck disable=SC2016 # apt's variables
apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT) $(LABEL)' 'Created-By: Packages' >"$temporary/targets"
archive=$(awk -v codename="$codename" '
	$4 == "Debian" || ($4 !~ /^Debian/ && ($2 == codename || $2 ~ /^(oldstable|stable|testing|unstable|sid)$/)) {
		if (!uri)
			uri = $1
		if ($1 == uri && !seen[$3]++)
			components = components " " $3
		if ($1 == uri && !listed[$2]++)
			suites = suites " " $2
	}
	END { if (uri) print uri; print components; print suites }' "$temporary/targets")
uri=$(echo "$archive" | sed -n 1p)
components=$(echo "$archive" | sed -n 2p)
suites=$(echo "$archive" | sed -n 3p)
[ -n "$uri" ] && [ -n "$components" ] || fail "the sources of this machine's apt name no Debian archive"

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -f "$keyring" ] || keyring=
[ ! -f "$apt/keyring.gpg" ] || keyring=$apt/keyring.gpg
echo "deb ${keyring:+[signed-by=$keyring] }$uri $suite$components" >"$temporary/suite.list"
if ! update suite; then
	grep -q -e NO_PUBKEY -e 'not signed' "$temporary/log" || {
		cat "$temporary/log" >&2
		fail "cannot fetch the lists of $suite"
	}
	echo "private-root.sh: $suite is signed by a key that is not on this machine; fetching the keyring package" >&2
	for each in $suites; do
		echo "deb ${keyring:+[signed-by=$keyring] }$uri $each$components"
	done >"$temporary/own.list"
	apt=$cache/apt/own # beside the lists of the suite, which an update would remove
	update own || {
		cat "$temporary/log" >&2
		fail "cannot fetch the lists of$suites"
	}
	(cd "$temporary" && apt-get -c own.conf -qq download debian-archive-keyring >&2 &&
		dpkg-deb -x debian-archive-keyring_*.deb keyring)
	apt=$cache/apt/$suite
	cp "$temporary/keyring/usr/share/keyrings/debian-archive-keyring.gpg" "$temporary/keyring.gpg"
	mv "$temporary/keyring.gpg" "$apt/keyring.gpg"
	echo "deb [signed-by=$apt/keyring.gpg] $uri $suite$components" >"$temporary/suite.list"
	update suite || {
		cat "$temporary/log" >&2
		fail "cannot fetch the lists of $suite, or its signature is by no key that this machine's suite vouches for"
	}
fi

# Their versions name the root.
name=
for package in $packages; do
	version=$(apt-cache -c "$temporary/suite.conf" show --no-all-versions "$package" 2>/dev/null |
		sed -n 's/^Version: //p' | head -n 1)
	[ -n "$version" ] || fail "$suite has no package $package"
	name=$name${name:+,}$(printf '%s=%s' "$package" "$version" | tr : %)
done
root=$cache/$suite${alone:+/alone}/$name
if [ -d "$root" ]; then
	touch "$root"
	echo "$root"
	exit 0
fi

# Nothing counts as installed, so the suite's libc comes too.
echo "private-root.sh: fetching $name from $suite" >&2
# shellcheck disable=SC2086 # words, deliberately
if [ -n "$alone" ]; then
	(cd "$temporary/archives" && apt-get -c ../suite.conf -qq download $packages >"$temporary/log" 2>&1)
else
	apt-get -c "$temporary/suite.conf" -qq -y --download-only install $packages >"$temporary/log" 2>&1
fi || {
	cat "$temporary/log" >&2
	fail "cannot fetch $name"
}

new=$temporary/root
mkdir "$new"
# A root of today: /bin, /lib and /sbin lead to /usr, whatever order the packages come in.
mkdir -p "$new/usr"
for directory in bin lib lib64 sbin; do
	mkdir "$new/usr/$directory"
	ln -s "usr/$directory" "$new/$directory"
done
for package in "$temporary"/archives/*.deb; do
	# What would replace such a link by a directory is unpacked beside it and moved.
	dpkg-deb --fsys-tarfile "$package" | tar -C "$new" -x --keep-directory-symlink --no-same-owner
	basename "$package"
done >"$new/packages"

# One small script for each program. Directories of libraries are relative, so that a root may be moved.
linker=$(cd "$new" && find usr/lib usr/lib64 -maxdepth 2 -type f -name 'ld-linux*.so.[0-9]*' | head -n 1)
libraries=$(cd "$new" && find usr/lib usr/lib64 -name '*.so.[0-9]*' -exec dirname {} + |
	awk '!seen[$0]++ { print length($0), $0 }' | sort -n | cut -d' ' -f2)
mkdir "$new/run"
if [ -n "$linker" ]; then
	path=
	for directory in $libraries; do
		path=$path${path:+:}\$root/$directory
	done
	for program in "$new"/usr/bin/* "$new"/usr/sbin/*; do
		[ -f "$program" ] && [ -x "$program" ] || continue
		[ "$(dd if="$program" bs=1 skip=1 count=3 2>/dev/null)" = ELF ] || continue
		cat >"$new/run/${program##*/}" <<-END
			#!/bin/sh
			root=\$(dirname "\$(dirname "\$0")")
			exec "\$root/$linker" --library-path "$path" "\$root/${program#"$new/"}" "\$@"
		END
		chmod +x "$new/run/${program##*/}"
	done
fi

mkdir -p "${root%/*}"
mv "$new" "$root"
echo "$root"
