#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# says.sh LOCK ARGUMENT... -- boots the example kernel by boot.sh, and fails unless it ends well and says that its page
# tables are locked that way: "store keys" or "window keys".
set -eu

lock=${1%s}
shift
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
"$(dirname "$0")/boot.sh" "$@" >"$log" 2>&1 || status=$?
cat "$log"
[ "$status" = 0 ] || exit "$status"
grep -q "^  protection in force: $lock " "$log" || {
	echo "says.sh: its page tables are not locked by $lock" >&2
	exit 1
}
