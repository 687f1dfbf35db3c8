#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""mutate.py [--sample N] [--seed S] [--file TEXT] [--cc COMPILER] [--verbose] [--self-test]

Changes one token or statement of the headers at a time, and asks the contract and unit suites and 300
random programs of the model who notices. What nobody notices survives; survivors.txt lists those that
somebody has looked at, with the reason why they may. A survivor that is not listed fails, and so does a
listed one that is killed or that no mutation makes any more. Prints TAP.

--sample takes N of the mutants that are not listed, by chance (S): for every day; 40 take two minutes on two
CPUs. All of them, listed ones too, take most of an hour: for a change of the headers or of the tests.

Not mutated: ports/arm64/insn.h, in whose place the hosted port and the machine have their own; and what is
compiled only, the port contract and conditions of the preprocessor: tests/meta asks about those."""
import argparse
import collections
import hashlib
import pathlib
import re
import shutil
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from suites import (BODIES, MODELS, SUITES, VARIANTS, DoesNotCompile, Suites, find, in_parallel,  # noqa: E402
                    programs_of)

FILES = ['include/hardmap/context.h', 'include/hardmap/kpkeys.h', 'include/hardmap/lazy_mmu.h',
         'include/hardmap/pgtable.h', 'ports/arm64/barrier.h', 'ports/arm64/fault.h', 'ports/arm64/poe.h',
         'ports/arm64/tlbi.h', 'ports/arm64/vmsa.h']
SURVIVORS = pathlib.Path(__file__).resolve().parent / 'survivors.txt'
PROGRAMS = 300
SEED = 1
# Cheapest first: most mutants do not get to the model.
ORDER = ['unit', 'contract_window', 'contract_no_keys', 'model', 'model_plain', 'contract_attack', 'unit_16k',
         'unit_64k', 'contract_selected', 'contract_foreign', 'contract_store', 'contract_foreign_store',
         'contract_direct_map', 'contract_fewest', 'contract_foreign_direct_map', 'contract_foreign_fewest',
         'model_direct_map']
ORDER = [program for each in ORDER
         for program in ([f'{each}_{body}' for body in BODIES] if each in VARIANTS else [each])]
assert sorted(ORDER) == sorted(SUITES + MODELS)

TOKEN = re.compile(r'''
    (?P<comment>/\*.*?\*/|//[^\n]*)
  | (?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
  | (?P<number>0[xX][0-9a-fA-F]+[uUlL]*|\d+[uUlL]*)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<operator><<=|>>=|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[-+*/%&|^~!<>=?:;,.(){}\[\]\#])
''', re.X | re.S)
BINARY = {'==': ['!='], '!=': ['=='], '<': ['<=', '>'], '<=': ['<', '>='], '>': ['>=', '<'],
          '>=': ['>', '<='], '&&': ['||'], '||': ['&&'], '+': ['-'], '-': ['+'], '&': ['|'], '|': ['&'],
          '^': ['|'], '<<': ['>>'], '>>': ['<<'], '*': ['+'], '%': ['/'], '/': ['*'],
          '+=': ['-='], '-=': ['+='], '|=': ['&='], '&=': ['|='], '++': ['--'], '--': ['++']}
EITHER = ('+', '-', '&', '*')  # also unary
DECLARES = re.compile(r'(const|static|struct|enum|unsigned|typedef|volatile|bool|int|\w+_t)\b(?!\()')
WORDS = {'true': 'false', 'false': 'true'}
# Contract, includes and conditions; attributes and what is a type are no code that runs.
SKIPPED = re.compile(r'^\s*(HM_PORT_REQUIRE\(|HM_ASSERT_\(|#\s*(if|ifdef|ifndef|elif|else|endif|error|include|undef)\b'
                     r'|#\s*define (HM_PORT_REQUIRE|HM_LIKELY_|HM_UNLIKELY_|HM_MUST_USE_|HM_COLD_|HM_KPKEYS_CHECK_|HM_KPKEYS_HAS_|HM_KPKEYS_ENTER)\b)')

Token = collections.namedtuple('Token', 'kind text start end')
Mutation = collections.namedtuple('Mutation', 'file function start end new key')


def skipped_ranges(text):
    """Logical lines that are not mutated, and statements of the port contract up to their end."""
    ranges, position = [], 0
    lines = re.findall(r'(?:[^\n]*\\\n)*[^\n]*\n', text)
    for line in lines:
        end = position + len(line)
        if SKIPPED.match(line):
            if line.startswith('HM_PORT_REQUIRE('):
                end = text.index(';', position)
            ranges.append((position, end))
        position += len(line)
    return ranges


def tokens_of(text):
    skipped = skipped_ranges(text)
    for match in TOKEN.finditer(text):
        if match.lastgroup != 'comment' and not any(start <= match.start() < end for start, end in skipped):
            yield Token(match.lastgroup, match.group(), match.start(), match.end())


def functions_of(tokens):
    """For each token its function, '' outside, and whether it is in the body; how deep in braces."""
    names, depths, depth, current, candidate = [], [], 0, '', ''
    for index, token in enumerate(tokens):
        if depth == 0 and token.kind == 'name' and not token.text.startswith('__') and \
                index + 1 < len(tokens) and tokens[index + 1].text == '(':
            candidate = token.text
        if token.text == '{':
            current = candidate if depth == 0 and tokens[index - 1].text == ')' else current
            depth += 1
        names.append((current, depth > 0 and bool(current)))
        depths.append(depth)
        if token.text == '}':
            depth -= 1
            if depth == 0:
                current = candidate = ''
    return names, depths


def number_changes(text):
    digits = text.rstrip('uUlL')
    suffix, value = text[len(digits):], int(digits, 0 if digits[:2].lower() == '0x' else 10)
    form = hex if digits[:2].lower() == '0x' else str
    values = [value + 1, value - 1] if value else [1]
    return [form(each) + suffix for each in values]


def changes_of(tokens, index):
    token = tokens[index]
    before = tokens[index - 1] if index else None
    operand_before = before and (before.kind in ('name', 'number') and before.text != 'return' or
                                 before.text in (')', ']'))
    if token.kind == 'number':
        return number_changes(token.text)
    if token.text in WORDS:
        return [WORDS[token.text]]
    if token.text in ('!', '~'):
        return ['']
    if token.text in BINARY and (token.text not in EITHER or operand_before):
        return BINARY[token.text]
    return []


def closing(tokens, index):
    """The index of the parenthesis that closes the one at index."""
    depth = 0
    for number in range(index, len(tokens)):
        depth += (tokens[number].text == '(') - (tokens[number].text == ')')
        if not depth:
            return number
    raise ValueError('parentheses do not match')


def statements(tokens, names, depths):
    """(first, last), without the ;, of each statement that could be missing: calls, assignments, jumps."""
    index = 0
    while index < len(tokens):
        if not names[index][1]:
            index += 1
            continue
        first = index
        while tokens[first].text in ('if', 'for', 'while', 'switch') and tokens[first + 1].text == '(':
            first = closing(tokens, first + 1) + 1
        while tokens[first].text in ('{', '}', 'else', ';'):
            first += 1
            if first >= len(tokens) or not names[first][1] or tokens[first].text in ('if', 'for', 'while'):
                break
        if first >= len(tokens) or not names[first][1] or \
                tokens[first].text in ('if', 'for', 'while', '{', '}'):
            index = first if first > index else index + 1
            continue
        last, depth = first, 0
        while last < len(tokens) and not (depth == 0 and tokens[last].text in (';', '{', '}')):
            depth += (tokens[last].text in ('(', '[')) - (tokens[last].text in (')', ']'))
            last += 1
        if last < len(tokens) and tokens[last].text == ';' and last > first and \
                not DECLARES.match(tokens[first].text) and \
                not (tokens[first].text == 'return' and tokens[last + 1].text == '}' and
                     depths[last + 1] == 1):
            yield first, last - 1
        index = max(last, index + 1)


def squeeze(text):
    return re.sub(r'\s+', ' ', re.sub(r'/\*.*?\*/', ' ', text, flags=re.S)).strip()


def mutations_of(file, text):
    tokens = list(tokens_of(text))
    names, depths = functions_of(tokens)
    found = []

    def add(index, start, end, new, what):
        found.append((names[index][0], start, end, new, what))

    def on_line(start, end, new):
        """The lines around it as they were and as they are, as one stable text."""
        first, last = text.rfind('\n', 0, start) + 1, text.find('\n', end)
        return f'{squeeze(text[first:last])} => {squeeze(text[first:start] + new + text[end:last])}'

    for index, token in enumerate(tokens):
        line = text[text.rfind('\n', 0, token.start) + 1:token.start]
        if not names[index][1] and not line.startswith('#define') and \
                not line.lstrip().startswith(('(', 'HM_')):
            continue  # outside of functions only what macros say
        for new in changes_of(tokens, index):
            add(index, token.start, token.end, new, on_line(token.start, token.end, new))
        if token.text == 'if' and names[index][1]:
            end = closing(tokens, index + 1)
            start, stop = tokens[index + 1].end, tokens[end].start
            add(index, start, stop, f'!({text[start:stop]})', f'if ({squeeze(text[start:stop])}) => negated')
    for first, last in statements(tokens, names, depths):
        start, end = tokens[first].start, tokens[last].end
        add(first, start, end, '', f'{squeeze(text[start:end])}; => removed')
    found.sort(key=lambda each: each[1:4])
    seen = collections.Counter()
    for function, start, end, new, what in found:
        key = f'{file.split("/")[-1]} | {function or "(macros)"} | {what}'
        seen[key] += 1
        yield Mutation(file, function, start, end, new, key + (f' #{seen[key]}' if seen[key] > 1 else ''))


def examine(suites, mutation, text):
    """Who kills it, '' if nobody does."""
    tree = suites.tree(mutation.file, text[:mutation.start] + mutation.new + text[mutation.end:])
    try:
        for program in ORDER:
            if program.startswith('contract_foreign') and mutation.file.startswith('ports/'):
                continue
            if program in MODELS:
                count, what = find(suites.build(program, tree), programs_of(program, PROGRAMS), SEED)
                if count:
                    return f'{program}, {count} programs: {what}'
            else:
                what = suites.run_suite(program, tree)
                if what:
                    return f'{program}: {what}'
        return ''
    except DoesNotCompile:
        return 'does not compile'
    finally:
        shutil.rmtree(tree)


def listed():
    """The reviewed survivors: key to reason."""
    survivors = {}
    for number, line in enumerate(SURVIVORS.read_text().splitlines(), 1):
        if not line or line.startswith('#'):
            continue
        key, separator, reason = line.partition(' -- ')
        if not separator or not reason.strip():
            sys.exit(f'{SURVIVORS.name}:{number}: not "file | function | mutation -- reason"')
        if key in survivors:
            sys.exit(f'{SURVIVORS.name}:{number}: listed twice')
        survivors[key] = reason.strip()
    return survivors


class Tap:
    """The whole verdict; one point a mutant that is as expected would be a thousand lines."""

    def __init__(self):
        self.number, self.good = 0, True

    def point(self, good, name, remark=''):
        self.number += 1
        self.good &= good
        print(f'{"ok" if good else "not ok"} {self.number} - {name}' + (f' # {remark}' if remark else ''),
              flush=True)


def run(suites, arguments):
    tap = Tap()
    def wrong_as_it_is(program):
        return find(suites.build(program, suites.pristine), programs_of(program, PROGRAMS), SEED)[1] \
            if program in MODELS else suites.run_suite(program, suites.pristine)

    for program, wrong in zip(ORDER, in_parallel(wrong_as_it_is, ORDER)):
        tap.point(not wrong, f'{program} passes the headers as they are', wrong)
    if not tap.good:
        print(f'1..{tap.number}')
        return False
    texts = {file: (suites.pristine / file).read_text() for file in FILES if arguments.file in file}
    mutations = [each for file, text in texts.items() for each in mutations_of(file, text)]
    survivors = listed()
    keys = {each.key for each in mutations}
    short = tuple(file.split('/')[-1] + ' |' for file in texts)
    for key in survivors:
        if key.startswith(short) and key not in keys:
            tap.point(False, key, 'stale: listed in survivors.txt, but no mutation makes it any more')
    if arguments.sample:
        candidates = [each for each in mutations if each.key not in survivors]
        # By a hash of each, so that a survivor more in the list does not choose all anew.
        mutations = sorted(candidates, key=lambda each: hashlib.sha256(
            f'{arguments.seed} {each.key}'.encode()).digest())[:arguments.sample]
    killers = collections.Counter()
    verdicts = in_parallel(lambda each: examine(suites, each, texts[each.file]), mutations)
    for mutation, killer in zip(mutations, verdicts):
        killers[re.split('[:,]', killer)[0] or 'nobody'] += 1
        if arguments.verbose:
            print(f'# {mutation.key}: {killer or "survives"}', flush=True)
        if not killer and mutation.key not in survivors:
            tap.point(False, mutation.key, 'survives, and is not listed in survivors.txt')
        elif killer and mutation.key in survivors:
            tap.point(False, mutation.key, f'stale: listed in survivors.txt, but killed by {killer}')
    tap.point(bool(mutations), f'{len(mutations)} mutants: ' + ', '.join(
        f'{count} killed by {who}' if who != 'nobody' else f'{count} survive, of {len(survivors)} reviewed'
        for who, count in killers.most_common()))
    print(f'1..{tap.number}')
    return tap.good


SAMPLE = '''/* comment: a == b */
#if A == 1
#define SHIFT 12
static inline int f(int a, struct s *p)
{
	/* if (a) */
	int b = -a;

	if (a && !p->x) /* why */
		g("a == b", &b);
	else
		b = 0x10 & 3;
	return b;
}
#endif
'''
EXPECTED = {
    'x.h | (macros) | #define SHIFT 12 => #define SHIFT 13',
    'x.h | (macros) | #define SHIFT 12 => #define SHIFT 11',
    'x.h | f | if (a && !p->x) => if (a || !p->x)', 'x.h | f | if (a && !p->x) => if (a && p->x)',
    'x.h | f | if (a && !p->x) => negated', 'x.h | f | g("a == b", &b); => removed',
    'x.h | f | b = 0x10 & 3; => b = 0x11 & 3;', 'x.h | f | b = 0x10 & 3; => b = 0xf & 3;',
    'x.h | f | b = 0x10 & 3; => b = 0x10 | 3;', 'x.h | f | b = 0x10 & 3; => b = 0x10 & 4;',
    'x.h | f | b = 0x10 & 3; => b = 0x10 & 2;', 'x.h | f | b = 0x10 & 3; => removed',
}


def self_test(suites):
    """It can fail: a mutation that changes nothing survives, one that removes a barrier does not."""
    tap = Tap()
    found = {each.key for each in mutations_of('x.h', SAMPLE)}
    tap.point(found == EXPECTED, 'the mutations of a sample', '; '.join(sorted(found ^ EXPECTED)))
    file = 'ports/arm64/barrier.h'
    text = (suites.pristine / file).read_text()
    start = text.index('hm_insn_isb')
    for name, new, expected in [
            ('a mutation that changes nothing survives', 'hm_insn_isb()', r'^$'),
            ('one that removes a barrier does not', '(void)0', r'^(unit|contract|model)'),
            ('one that does not compile is killed', 'hm_insn_gone', r'^does not compile$')]:
        killer = examine(suites, Mutation(file, '', start, start + len('hm_insn_isb()'), new, ''), text)
        tap.point(bool(re.match(expected, killer)), name, killer)
    print(f'1..{tap.number}')
    return tap.good


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--sample', type=int)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--file', default='', help='only files whose name contains this')
    parser.add_argument('--cc')
    parser.add_argument('--verbose', action='store_true')
    parser.add_argument('--self-test', action='store_true')
    arguments = parser.parse_args()
    with Suites(arguments.cc) as suites:
        good = self_test(suites) if arguments.self_test else run(suites, arguments)
    sys.exit(0 if good else 1)


if __name__ == '__main__':
    main()
