#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# expect_race.sh PROGRAM [ARGUMENT...] -- passes if ThreadSanitizer reports a data race in it.
set -u
report=$(mktemp)
trap 'rm -f "$report"' EXIT

# What it has forgotten of the other access it does not report.
TSAN_OPTIONS="${TSAN_OPTIONS:-} history_size=7 halt_on_error=1 exitcode=66" "$@" >"$report" 2>&1
status=$?
if [ $status = 66 ] && grep -q 'ThreadSanitizer: data race' "$report"; then
	exit 0
fi
cat "$report" >&2
echo "no data race was reported; status $status" >&2
exit 1
