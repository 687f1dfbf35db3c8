# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# need.sh -- sourced by the scripts that install what is missing: need PACKAGE... installs Debian
# packages by apt, or says what to install where there is no apt or no right to use it.

need() {
	missing=
	if ! command -v dpkg-query >/dev/null; then
		echo "This is not a Debian system, so nothing is installed. Needed are the equivalents of:" >&2
		echo "    $*" >&2
		return 0
	fi
	for package; do
		dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
			missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	if [ "$(id -u)" = 0 ]; then
		as_root=
	elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
		as_root=sudo
	else
		echo "Missing packages; install them and start again:" >&2
		echo "    apt-get install --no-install-recommends$missing" >&2
		return 1
	fi
	echo "installing:$missing"
	# A machine that never updated its lists knows no packages, an old list names packages that are gone.
	$as_root apt-get -qq update
	# shellcheck disable=SC2086 # words, deliberately
	$as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get -qq install -y --no-install-recommends $missing >/dev/null
}
