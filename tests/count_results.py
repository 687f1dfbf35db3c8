#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""count_results.py TESTLOG -- prints how many tests passed, failed and were skipped, by meson's testlog.json. A test that
reports subtests (TAP) counts as these."""

import json
import re
import sys

passed = failed = skipped = 0
with open(sys.argv[1], encoding='utf-8') as log:
    for line in log:
        test = json.loads(line)
        bad = test['result'] in ('FAIL', 'ERROR', 'TIMEOUT', 'INTERRUPT', 'UNEXPECTEDPASS')
        if test['result'] == 'EXPECTEDFAIL':  # that some of its points fail is what it is there for
            passed += 1
            continue
        points = re.findall(r'^(not ok|ok)\b([^\n]*)', test.get('stdout') or '', re.M)
        skips = [rest for result, rest in points if re.search(r'#\s*skip', rest, re.I)]
        oks = [result for result, rest in points if result == 'ok' and rest not in skips]
        skipped += len(skips) or (test['result'] == 'SKIP')
        passed += len(oks) or (not bad and test['result'] != 'SKIP')
        failed += sum(result == 'not ok' for result, _ in points) or bad
print(passed, failed, skipped)
