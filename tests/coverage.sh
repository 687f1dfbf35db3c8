#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# coverage.sh -- every branch of include/hardmap is taken both ways by the contract, unit and model suites, or
# coverage_gaps.txt says why not. Builds them with gcc --coverage in build/coverage, and writes coverage.json
# there; coverage.py counts. Status 1 if a suite fails too.
set -eu
cd "$(dirname "$0")/.."
build=build/coverage

log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() {
	"$@" >"$log" 2>&1 || {
		cat "$log"
		exit 1
	}
}

# What is inlined at -O0 too would be counted as its callers', each with branches of its own.
whole='-Dalways_inline=unused -D__always_inline__=__unused__'
# Anew where it was, too: tests may have come.
again=
[ ! -f "$build/build.ninja" ] || again=--reconfigure
# shellcheck disable=SC2086 # a word or none
CC=gcc quietly meson setup "$build" $again -Db_coverage=true -Doptimization=0 -Ddebug=false -Dc_args="$whole"
find "$build" -name '*.gcda' -exec rm -f {} +

# One granule is enough: the others are the same code in include/hardmap.
status=0
if ! meson test -C "$build" --no-rebuild --list --suite contract --suite unit --suite model 2>/dev/null |
	sed -n 's|^hardmap:[a-z]* / ||p' | grep -v -e '\(16\|64\)k$' -e '^rox_cache .*\(16\|64\)k,' |
	xargs -d '\n' meson test -C "$build" --timeout-multiplier 4 >"$log" 2>&1; then
	cat "$log"
	status=1
fi
# And what no suite calls, with a key register and without.
for keys in 0 1; do
	# shellcheck disable=SC2086 # words, deliberately
	quietly gcc -std=gnu11 --coverage -O0 $whole "-DHM_HOSTED_KEYS=$keys" -Iinclude -Iports/hosted -Iports \
		-c tests/meta/every_function.c -o "$build/every_$keys.o"
done
python3 tests/coverage.py "$build" || status=1
exit "$status"
