#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# fuzz.sh [SECONDS] -- lets libFuzzer choose the random programs (fuzz.c), under AddressSanitizer and
# UndefinedBehaviorSanitizer, for so long (default 60). The corpus in build/fuzz/corpus is kept, and the
# next run goes on from it. Status 1 at a violation; its program is then build/fuzz/crash-*, repeated by
#
#     build/fuzz/fuzz build/fuzz/crash-...
#
# Installs what is missing on a Debian 12 machine.
set -eu
cd "$(dirname "$0")/../.."
. tests/need.sh

seconds=${1:-60}
need clang libclang-rt-14-dev
mkdir -p build/fuzz/corpus
# The machine's threads are contexts of ucontext.h. AddressSanitizer follows swapcontext(), and says once
# that it does so in part; fake stacks, which it cannot follow, stay off.
clang -std=gnu11 -O1 -g -fno-omit-frame-pointer -Wall -Wextra -Werror \
	-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
	-Iinclude -Iports/hosted/machine -Iports \
	tests/model/fuzz.c tests/model/program.c ports/hosted/machine/machine.c -o build/fuzz/fuzz

status=0
ASAN_OPTIONS=detect_stack_use_after_return=0 build/fuzz/fuzz -max_total_time="$seconds" -max_len=400 \
	-artifact_prefix=build/fuzz/ -print_final_stats=1 build/fuzz/corpus >build/fuzz/log 2>&1 || status=$?
if [ "$status" != 0 ]; then
	tail -n 200 build/fuzz/log
	exit 1
fi
sed -n 's/^stat::number_of_executed_units: */programs: /p
	s/^stat::average_exec_per_sec: */executions per second: /p' build/fuzz/log
echo "no violation; corpus: $(ls build/fuzz/corpus | wc -l) programs in build/fuzz/corpus"
