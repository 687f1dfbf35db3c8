#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""run_litmus.py [--herd7 PATH] [--self-test] [FILE...] -- asks herd7 each litmus test of this directory and compares its
verdict with the one that the test expects. Prints TAP, one line a test.

herd7 is what --herd7 or the environment's HERD7 names, otherwise the first on PATH or in the cache of
tests/private-root.sh that is new enough for this model; without one, all is skipped. It always exits with 0 and says much
that is no verdict, so a test passes only if there is exactly one Observation, of the expected kind, over at least one
execution, and nothing else that would make it moot: no flag (such as requires-BBM) but the one that every test has, no
warning or error.

A test says in its opening comment
    Expect: Allowed or Forbidden
    Shows: the protocol
    Reached: (optional) text that a final state must contain, or the verdict says nothing
    Tolerate: (optional) a part of a warning that does not matter to it
    Question:, Why:
"""
import argparse
import glob
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

HERE = pathlib.Path(__file__).resolve().parent
VERSION = (7, 58)  # by which the verdicts were measured; models differ
TIMEOUT = 20
# All CPUs are in one inner shareable domain: true of every kernel that this is for.
KNOWN_FLAGS = {'Assuming-common-inner-shareable-domain'}
VERDICTS = {'Never': 'Forbidden', 'Sometimes': 'Allowed', 'Always': 'Allowed'}
GET = 'tests/private-root.sh forky herdtools7'


class Herd:
    """One herd7 with its folder of models: that beside its program, as it may have been unpacked anywhere."""

    def __init__(self, path):
        self.path = path
        home = pathlib.Path(path).parent.parent
        models = [each for each in (home / 'share/herdtools7/herd', home / 'usr/share/herdtools7/herd')
                  if (each / 'aarch64.cat').is_file()]
        self.command = [path] + (['-set-libdir', str(models[0])] if models else [])
        try:
            answer = subprocess.run([path, '-version'], capture_output=True, text=True, timeout=TIMEOUT, check=False)
            self.version = answer.stdout.strip()
        except (OSError, subprocess.TimeoutExpired) as error:
            self.version = str(error)
        number = re.match(r'(\d+)\.(\d+)', self.version)
        self.usable = bool(number) and tuple(map(int, number.groups())) >= VERSION

    def ask(self, text):
        """Standard output and error of a test, given by its text."""
        with tempfile.NamedTemporaryFile('w', suffix='.litmus', encoding='utf-8') as file:
            file.write(text)
            file.flush()
            answer = subprocess.run([*self.command, file.name], capture_output=True, text=True, timeout=TIMEOUT,
                                    check=False)
            return answer.stdout, answer.stderr.replace(file.name, 'test')


def find_herd(option):
    """A Herd, or why there is none. One that was named is the only choice."""
    named = option or os.environ.get('HERD7')
    if named:
        herd = Herd(shutil.which(named) or named)
        if not herd.usable:
            print(f'Bail out! {named} is no herd7 of at least {VERSION[0]}.{VERSION[1]}: {herd.version}')
            sys.exit(1)
        return herd, ''
    cache = os.environ.get('HARDMAP_CACHE') or os.path.join(
        os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'hardmap')
    roots = glob.glob(os.path.join(glob.escape(cache), '*', '*herdtools7=*', 'run', 'herd7'))
    candidates = [shutil.which('herd7')] + sorted(roots, key=os.path.getmtime, reverse=True)
    old = ''
    for herd in map(Herd, filter(None, candidates)):
        if herd.usable:
            return herd, ''
        old = f' ({herd.path} is too old: {herd.version})'
    return None, f'no herd7 of at least {VERSION[0]}.{VERSION[1]}{old}; get it by: {GET}'


def fields(text):
    """What a test's opening comment says."""
    comment = re.search(r'\(\*(.*?)\*\)', text, re.S)
    return dict(re.findall(r'^ \* (\w+): (.+)$', comment.group(1), re.M)) if comment else {}


def check(herd, text, name):
    """Why the test named so does not pass; '' if it does."""
    said = fields(text)
    if text.split('\n', 1)[0] != f'AArch64 {name}':
        return f'the first line is not "AArch64 {name}"'
    if said.get('Expect') not in ('Allowed', 'Forbidden') or not {'Shows', 'Question', 'Why'} <= set(said):
        return 'the opening comment lacks Expect: Allowed or Forbidden, Shows:, Question: or Why:'
    if not re.search(r'^Variant=vmsa\b', text, re.M) or re.search(r'^Variant=.*ETS', text, re.M):
        return 'not of the base model with translation: Variant=vmsa, without ETS2 or ETS3'
    try:
        out, err = herd.ask(text)
    except subprocess.TimeoutExpired:
        return f'no answer within {TIMEOUT} s'
    tolerated = said.get('Tolerate')
    complaints = [line for line in err.splitlines() if line.strip() and not (tolerated and tolerated in line)]
    complaints += [line for line in out.splitlines() if re.search('undefined|warning|error', line, re.I)]
    if complaints:
        return '\n'.join(complaints)
    flags = set(re.findall(r'^Flag (\S+)', out, re.M)) - KNOWN_FLAGS
    if flags:
        return f'flagged {", ".join(sorted(flags))}: the verdict is moot'
    observations = re.findall(r'^Observation (\S+) (\S+) (\d+) (\d+)$', out, re.M)
    if len(observations) != 1 or observations[0][0] != name or observations[0][1] not in VERDICTS:
        return f'not one Observation of {name}:\n{out}'
    _, kind, positive, negative = observations[0]
    if not int(positive) + int(negative):
        return 'no execution at all: the test cannot show anything'
    states = out.partition('\nStates ')[2].partition('\nWitnesses')[0]
    if said.get('Reached') and said['Reached'] not in states:
        return f'no final state has {said["Reached"]}:\n{states}'
    if VERDICTS[kind] != said['Expect']:
        return f'{VERDICTS[kind]}, expected {said["Expect"]} ({kind} {positive} {negative}):\n{states}'
    return ''


def table(names):
    """What the table of README.md has wrong."""
    rows = dict(re.findall(r'^\| `(\S+)` .*\| (Allowed|Forbidden) \|[^|]*\|$', (HERE / 'README.md').read_text(), re.M))
    wrong = [f'no row for {each}' for each in sorted(names.keys() - rows.keys())]
    wrong += [f'a row for {each}, which is no test' for each in sorted(rows.keys() - names.keys())]
    wrong += [f'{each} is {rows[each]}, the test expects {names[each]}' for each in sorted(names.keys() & rows.keys())
              if names[each] != rows[each]]
    return '\n'.join(wrong)


def broken(read):
    """(what is wrong with it, a test with that fault, its name, a part of the complaint that it must cause)."""
    pair, nothing = read('publish-pair'), read('publish-nothing')
    message, exception = read('message-flush-isb'), read('message-flush-exception')
    return [
        ('a Forbidden that is expected to be Allowed', pair.replace('Expect: Forbidden', 'Expect: Allowed'),
         'publish-pair', 'Forbidden, expected Allowed'),
        ('an Allowed that is expected to be Forbidden', nothing.replace('Expect: Allowed', 'Expect: Forbidden'),
         'publish-nothing', 'Allowed, expected Forbidden'),
        ('a protocol that lost its ISB', re.sub(r'^ ISB.*\n', '', pair, flags=re.M), 'publish-pair',
         'Allowed, expected Forbidden'),
        ('a protocol that lost its DSB', pair.replace('DSB ISHST', 'NOP      '), 'publish-pair',
         'Allowed, expected Forbidden'),
        ('an exception that was left out', exception.replace('SVC #0', 'NOP   '), 'message-flush-exception',
         'Allowed, expected Forbidden'),
        ('a verdict over nothing', message.replace('MOV W6,#1', 'MOV W6,#2'),
         'message-flush-isb', 'no final state has 1:X7=1'),
        ('a page changed without break before make',
         pair.replace('(oa:PA(x),valid:0); x=7', '(oa:PA(x)); x=7; y=8').replace('(oa:PA(x),valid:1)', '(oa:PA(y))'),
         'publish-pair', 'flagged requires-BBM'),
        ('a warning', re.sub(r'^ \* Tolerate: .*\n', '', exception, flags=re.M), 'message-flush-exception', 'limit exceeded'),
        ('a test that herd7 cannot read', pair.replace('STR X2', 'STORE X2'), 'publish-pair', 'error'),
        ('a test of another model', pair.replace('Variant=vmsa', 'Variant=vmsa,ETS2'), 'publish-pair', 'not of the base model'),
        ('a test without an expectation', re.sub(r'^ \* Expect: .*\n', '', pair, flags=re.M), 'publish-pair', 'lacks Expect'),
        ('a test under another name', pair, 'publish-nothing', 'first line'),
    ]


def main():
    parser = argparse.ArgumentParser(description='runs the litmus tests by herd7')
    parser.add_argument('--herd7', metavar='PATH')
    parser.add_argument('--self-test', action='store_true', help='see that faults planted in tests are noticed')
    parser.add_argument('files', nargs='*', type=pathlib.Path)
    args = parser.parse_args()

    herd, reason = find_herd(args.herd7)
    if not herd:
        print(f'1..0 # SKIP {reason}')
        return 0
    files = args.files or sorted(HERE.glob('*.litmus'))
    texts = {each.stem: each.read_text() for each in files}
    jobs = []  # (its name in the report, what says why it fails)
    if args.self_test:
        def noticed(text, name, complaint):
            if text == (HERE / f'{name}.litmus').read_text() and complaint != 'first line':
                return 'the fault was not planted'
            found = check(herd, text, name)
            return '' if complaint in found and found else f'not noticed; instead: {found or "passed"}'
        for what, text, name, complaint in broken(lambda name: (HERE / f'{name}.litmus').read_text()):
            jobs.append((f'notices {what}', lambda t=text, n=name, c=complaint: noticed(t, n, c)))
    else:
        for name, text in texts.items():
            jobs.append((name, lambda t=text, n=name: check(herd, t, n)))
        if not args.files:
            jobs.append(('README.md has the verdicts', lambda: table(
                {name: fields(text).get('Expect') for name, text in texts.items()})))

    def timed(job):
        start = time.monotonic()
        wrong = job()
        return wrong, time.monotonic() - start

    print('TAP version 13')
    print(f'1..{len(jobs)}')
    print(f'# herd7 {herd.version}')
    start = time.monotonic()
    failed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(timed, [job for _, job in jobs])
        for number, ((name, _), (wrong, seconds)) in enumerate(zip(jobs, results), 1):
            print(f'{"not ok" if wrong else "ok"} {number} - {name} # {seconds:.2f} s', flush=True)
            for line in wrong.splitlines():
                print(f'#   {line}')
            failed += bool(wrong)
    print(f'# {len(jobs)} tests in {time.monotonic() - start:.1f} s, {failed} failed')
    return int(bool(failed))


if __name__ == '__main__':
    sys.exit(main())
