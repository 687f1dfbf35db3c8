#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# private-root.sh -- tools from a newer suite of the Debian archive that this machine already uses, without installing:
#
#     tests/private-root.sh [-a] [-n | -u] SUITE PACKAGE...  prints the root, as the last line of standard output
#     tests/private-root.sh -s [-n | -u] SUITE PACKAGE       prints a directory with a source package's files
#     tests/private-root.sh --run ROOT PROGRAM [ARGUMENT...]
#
# The packages and all that they depend on are unpacked into a directory of a cache outside the tree,
# ${HARDMAP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hardmap}/SUITE/PACKAGE=VERSION,...; one that is there already is used
# as it is, without asking the archive. A PACKAGE may be given as PACKAGE:ARCHITECTURE.
#
#     -a    the packages alone, without what they depend on (a kernel, a firmware)
#     -n    only what is in the cache
#     -s    the source package, as it was published: nothing is unpacked or patched
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
	sed -n '4,/^set -eu/s/^#$\|^# //p' "$0" >&2
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
cached=
source=
update=
while getopts ansu option; do
	case $option in
	a) alone=yes ;;
	n) cached=yes ;;
	s) source=yes ;;
	u) update=yes ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 2 ] || usage
[ -z "$source" ] || [ $# = 2 ] || usage
[ -z "$cached" ] || [ -z "$update" ] || usage
suite=$1
shift
packages=$(printf '%s\n' "$@" | sort -u)
case "$suite $packages" in
[!a-z]* | *[!a-z0-9+.:' '"
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

# Where roots of this kind are.
roots=$cache/$suite${alone:+/alone}${source:+/source}

# The newest root with these packages, whatever their versions. A name is complete, as it is given last. Colons (of an
# architecture or a version) would separate the parts of a library path.
find_root() {
	pattern=$(echo "$packages" | tr : % | sed 's/$/=*/' | paste -s -d , -)
	for root in "$roots/"$pattern; do
		# An asterisk also matches the packages of a larger root.
		if [ -d "$root" ] && [ "$(echo "${root##*/}" | tr , '\n' | wc -l)" = "$(echo "$packages" | wc -l)" ]; then
			echo "$root"
		fi
	done | xargs -r ls -td | head -n 1
}

root=$(find_root)
if [ -n "$root" ] && [ -z "$update" ]; then
	echo "$root"
	exit 0
fi
[ -z "$cached" ] || fail "not in the cache: $(echo "$packages" | paste -s -d ' ' -) of $suite"

for tool in apt-get apt-cache dpkg dpkg-deb flock awk tar; do
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

rm -rf "$cache"/new.* # of one that was killed: this one has the lock
temporary=$(mktemp -d "$cache/new.XXXXXX")
trap 'rm -rf "$temporary"' EXIT
trap 'exit 1' HUP INT TERM

# configuration NAME: apt with a state of its own; its sources are those of NAME.list, or the machine's where there is no such
# file. Proxies and the like stay the machine's; its hooks and preferences, which concern its own packages, go.
configuration() {
	mkdir -p "$cache/apt/$1/lists/partial" "$temporary/archives/partial"
	: >"$temporary/status"
	{
		for hook in APT::Update::Pre-Invoke APT::Update::Post-Invoke APT::Update::Post-Invoke-Success \
			DPkg::Pre-Invoke DPkg::Post-Invoke DPkg::Pre-Install-Pkgs APT::Architectures; do
			echo "#clear $hook;"
		done
		{
			dpkg --print-architecture
			echo "$packages" | sed -n 's/.*://p' | sort -u
		} | awk '!seen[$0]++ { print "APT::Architectures:: \"" $0 "\";" }'
		if [ -f "$temporary/$1.list" ]; then
			echo "Dir::Etc::SourceList \"$temporary/$1.list\";"
			echo 'Dir::Etc::SourceParts "/dev/null";'
		fi
		cat <<-END
			APT::Install-Recommends "false";
			APT::Sandbox::User "$(id -un)";
			APT::Default-Release "";
			Dir::Etc::Preferences "/dev/null";
			Dir::Etc::PreferencesParts "/dev/null";
			Dir::State "$cache/apt/$1";
			Dir::State::Lists "$cache/apt/$1/lists";
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

# update NAME [option]: fetches the lists of these sources and checks their signatures; what apt says is in the log.
update() {
	configuration "$1"
	apt-get -c "$temporary/$1.conf" -qq ${2:+-o "$2"} update >"$temporary/log" 2>&1
}

# targets [option...]: the first Debian archive among what apt makes of the machine's sources, in whatever form and files
# they are: "URI component...". Security updates have a label of their own.
targets() {
	# shellcheck disable=SC2016 # apt's variables
	apt-get "$@" indextargets --format '$(REPO_URI) $(COMPONENT) $(LABEL)' 'Created-By: Packages' |
		awk '$3 == "Debian" && NF == 3 && !/^cdrom:/ {
			if (!uri)
				uri = $1
			if ($1 == uri && !seen[$2]++)
				components = components " " $2
		}
		END { if (uri) print uri components }'
}

archive=$(targets)
if [ -z "$archive" ]; then # the machine never fetched lists: fetch some of our own
	update machine || cat "$temporary/log" >&2
	archive=$(targets -c "$temporary/machine.conf")
fi
[ -n "$archive" ] || fail "the sources of this machine's apt name no Debian archive"
uri=${archive%% *}
components=${archive#* }

# source_list: where the suite is, and which keys it must be signed by. Lists of sources have a state of their own, as apt
# removes those that are not asked for.
lists=$suite${source:+,source}
source_list() {
	echo "deb${source:+-src} ${keyring:+[signed-by=$keyring] }$uri $suite $components" >"$temporary/$lists.list"
}

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -f "$keyring" ] || keyring= # then those that this machine's apt trusts
[ ! -f "$cache/apt/$suite/keyring.gpg" ] || keyring=$cache/apt/$suite/keyring.gpg
source_list
if ! update "$lists" APT::Update::Error-Mode=any; then
	if ! grep -q NO_PUBKEY "$temporary/log"; then
		cat "$temporary/log" >&2
		fail "cannot fetch the lists of $suite"
	fi
	echo "private-root.sh: $suite is signed by a key that is not on this machine; fetching the keyring package" >&2
	update machine || cat "$temporary/log" >&2
	(cd "$temporary" && apt-get -c machine.conf -qq download debian-archive-keyring >&2 &&
		dpkg-deb -x debian-archive-keyring_*.deb keyring) || fail "cannot fetch the keyring package"
	cp "$temporary/keyring/usr/share/keyrings/debian-archive-keyring.gpg" "$temporary/keyring.gpg"
	keyring=$cache/apt/$suite/keyring.gpg
	mkdir -p "${keyring%/*}"
	mv "$temporary/keyring.gpg" "$keyring"
	source_list
	update "$lists" APT::Update::Error-Mode=any || {
		cat "$temporary/log" >&2
		rm "$keyring"
		fail "cannot fetch the lists of $suite, or no key that this machine's own suite vouches for has signed them"
	}
fi

# apt checks each file against the signed lists.
if [ -n "$source" ]; then
	echo "private-root.sh: fetching the source of $packages from $suite" >&2
	new=$temporary/source
	mkdir "$new"
	(cd "$new" && apt-get -c "$temporary/$lists.conf" -qq --download-only source "$packages" >"$temporary/log" 2>&1) || {
		cat "$temporary/log" >&2
		fail "cannot fetch the source of $packages"
	}
	version=$(basename "$new"/*.dsc .dsc)
	root=$roots/$packages=${version#*_}
	mkdir -p "$roots"
	if [ -d "$root" ]; then
		touch "$root"
	else
		mv "$new" "$root"
	fi
	echo "$root"
	exit 0
fi

# Their versions name the root.
name=
for package in $packages; do
	version=$(apt-cache -c "$temporary/$suite.conf" show --no-all-versions "$package" 2>/dev/null |
		sed -n 's/^Version: //p' | head -n 1)
	[ -n "$version" ] || fail "$suite has no package $package"
	name=$name${name:+,}$(printf '%s=%s' "$package" "$version" | tr : %)
done
root=$roots/$name
if [ -d "$root" ]; then
	touch "$root"
	echo "$root"
	exit 0
fi

# Nothing counts as installed, so the suite's libc comes too.
echo "private-root.sh: fetching $name from $suite" >&2
# shellcheck disable=SC2086 # words, deliberately
if [ -n "$alone" ]; then
	(cd "$temporary/archives" && apt-get -c "../$suite.conf" -qq download $packages >"$temporary/log" 2>&1)
else
	apt-get -c "$temporary/$suite.conf" -qq -y --download-only install $packages >"$temporary/log" 2>&1
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
	dpkg-deb --fsys-tarfile "$package" >"$temporary/tar"
	tar -C "$new" -x -f "$temporary/tar" --keep-directory-symlink --no-same-owner
	basename "$package"
done >"$new/packages"

# machine FILE: the architecture of an ELF file, nothing for another.
machine() {
	[ "$(dd if="$1" bs=1 skip=1 count=3 2>/dev/null)" = ELF ] && od -An -tx1 -j 18 -N 2 "$1"
}

# One small script for each program. Its paths are relative to itself, so that a root may be moved.
# shellcheck disable=SC2016 # the script's variable
libraries=$(cd "$new" && find usr/lib usr/lib64 -name '*.so.[0-9]*' -exec dirname {} + |
	awk '!seen[$0]++ { print length($0), $0 }' | sort -n | cut -d' ' -f2 | sed 's/^/$root\//' | paste -s -d : -)
linkers=$(cd "$new" && find usr/lib usr/lib64 -maxdepth 2 -type f -name 'ld-linux*.so.[0-9]*')
mkdir "$new/run"
for program in "$new"/usr/bin/* "$new"/usr/sbin/*; do
	if [ ! -x "$program" ] || ! kind=$(machine "$program"); then
		continue
	fi
	command="\"\$root/${program#"$new/"}\""
	if grep -q -a -e /ld-linux "$program"; then # not linked statically
		for linker in $linkers; do
			[ "$(machine "$new/$linker")" != "$kind" ] ||
				command="\"\$root/$linker\" --library-path \"$libraries\" $command"
		done
	fi
	cat >"$new/run/${program##*/}" <<-END
		#!/bin/sh
		root=\$(dirname "\$(dirname "\$(readlink -f "\$0")")")
		exec $command "\$@"
	END
	chmod +x "$new/run/${program##*/}"
done

mkdir -p "${root%/*}"
mv "$new" "$root"
echo "$root"
