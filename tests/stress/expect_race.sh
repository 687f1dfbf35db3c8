#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# expect_race.sh PROGRAM [ARGUMENT...] -- passes if ThreadSanitizer reports a data race in one of some runs:
# what threads do in one of them may miss it.
set -u
report=$(mktemp)
trap 'rm -f "$report"' EXIT

for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
	# What it has forgotten of the other access it does not report.
	TSAN_OPTIONS="${TSAN_OPTIONS:-} history_size=7 halt_on_error=1 exitcode=66" "$@" >"$report" 2>&1
	status=$?
	if [ $status = 66 ] && grep -q 'ThreadSanitizer: data race' "$report"; then
		exit 0
	fi
done
cat "$report" >&2
echo "no data race was reported; status $status" >&2
exit 1
