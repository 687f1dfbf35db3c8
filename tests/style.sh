#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# style.sh BUILD ARM64_BUILD -- the form of the sources (.clang-format) and what clang-tidy finds in
# them (.clang-tidy; the headers are read through the sources that include them), by the compile
# commands of two build directories.
set -eu
cd "$(dirname "$0")/.."

git ls-files '*.c' '*.h' | xargs clang-format --dry-run --Werror
# clang-tidy takes every command that a file is compiled by; here one each, with window keys where there is one. Its
# analyzer gives up a function after a tenth of its usual steps: all of them take five times as long.
tidy() {
	build=$1
	shift
	mkdir -p "$build/tidy"
	python3 -c 'import json, sys
chosen = {}
for each in sorted(json.load(sys.stdin), key=lambda each: "WINDOW" in each["command"]):
    chosen[each["file"]] = each
json.dump(list(chosen.values()), sys.stdout)' <"$build/compile_commands.json" >"$build/tidy/compile_commands.json"
	printf '%s\n' "$@" | xargs -P "$(nproc)" -n 1 clang-tidy -p "$build/tidy" --quiet \
		--extra-arg=-Xclang --extra-arg=-analyzer-config --extra-arg=-Xclang --extra-arg=max-nodes=20000 \
		--extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-unused-command-line-argument 2>/dev/null
}
tidy "$1" tests/contract/*.c tests/unit/*.c tests/bench/lazy_section.c tests/bench/direct_map.c \
	tests/bench/pool_replay.c tests/bench/pool_cost.c tests/bench/rox_*.c tests/bench/trace.c tests/model/*.c \
	tests/linux/*.c tests/stress/*.c tests/litmus/*.c tests/native/*.c examples/*.c examples/foreign/*.c examples/jit/*.c \
	ports/hosted/*.c ports/hosted/machine/*.c ports/hosted/native/*.c tests/suite_criterion.c
tidy "$2" examples/kernel/*.c tests/qemu/emulator/*.c tests/suite_main.c tests/suite_plain.c
