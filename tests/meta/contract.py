# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What must not compile does not, and says why.

A port with a hook missing or mistyped, as the contract in each header lists them; a port without a constant
or with one out of bounds; tokens and addresses mixed up, results ignored; and ports/template, which fails at
each line that waits for code and compiles once all have some. Each failure has a twin that compiles.
"""
import pathlib
import re
import tempfile

from meta import (HERE, MODULES, ROOT, WARNINGS, add, available, compile_text, constants, first_error,
                  functions, hooks, includes, run)

FOREIGN = (ROOT / 'tests' / 'contract' / 'foreign' / 'hardmap_port.h').read_text()
TEMPLATE = ROOT / 'ports' / 'template'
ALL = ''.join(f'#include <hardmap/{each.name}>\n' for each in MODULES)
COMPILERS = {'gcc': ('c', 'gnu11'), 'clang': ('c', 'gnu11'), 'g++': ('c++', 'c++17'),
             'clang++': ('c++', 'c++17')}

# Values out of the bounds that the headers document.
OUT_OF_BOUNDS = {'HM_PORT_PGTABLE_LEVELS': [0, 6], 'HM_PORT_PGTABLE_ENTRIES': [1, 48]}
# What the template's #error lines for macros are filled with.
FILLINGS = {'HM_BUG': '(message) ((void)(message))', 'HM_PORT_PGTABLE_LEVELS': ' 3',
            'HM_PORT_PGTABLE_ENTRIES': ' 32'}

# (what, a statement that compiles, the one that must not, what the error says)
TYPE = r'incompatible|cannot convert|could not convert|no match for|no matching|no viable'
UNUSED = r'unused-result|ignoring return value'
MISUSES = [
    ('leave with a pause token', 'hm_lazy_mmu_leave(section)', 'hm_lazy_mmu_leave(pause)', TYPE),
    ('leave with an exception token', 'hm_lazy_mmu_leave(section)', 'hm_lazy_mmu_leave(exception)', TYPE),
    ('resume with a section token', 'hm_lazy_mmu_resume(pause)', 'hm_lazy_mmu_resume(section)', TYPE),
    ('exception pop with a section token', 'hm_context_exception_pop(exception)',
     'hm_context_exception_pop(section)', TYPE),
    ('enter into a pause token', 'section = hm_lazy_mmu_enter()', 'pause = hm_lazy_mmu_enter()', TYPE),
    ('invalidation of a physical address', 'hm_pgtable_invalidate(va, 1, HM_INVALIDATE_LEAVES)',
     'hm_pgtable_invalidate(pa, 1, HM_INVALIDATE_LEAVES)', TYPE),
    ('invalidation of a plain integer', 'hm_pgtable_invalidate(va, 1, HM_INVALIDATE_LEAVES)',
     'hm_pgtable_invalidate(va.val, 1, HM_INVALIDATE_LEAVES)', TYPE),
    ('mapping a table by virtual address', 'ptep = hm_port_pgtable_map(pa)',
     'ptep = hm_port_pgtable_map(va)', TYPE),
    ('assigning a physical to a virtual address', 'va = another_va', 'va = pa', TYPE),
    ('an address as an entry', 'hm_pte_set(ptep, pte)', 'hm_pte_set(ptep, pa)', TYPE),
    ('an integer as an entry', 'hm_pte_set(ptep, pte)', 'hm_pte_set(ptep, pte.val)', TYPE),
    ('an entry\'s bits as its place', 'hm_pte_clear(ptep)', 'hm_pte_clear(&ptep->val)', TYPE),
    ('ignoring hm_lazy_mmu_enter()', 'section = hm_lazy_mmu_enter()', 'hm_lazy_mmu_enter()', UNUSED),
    ('ignoring hm_lazy_mmu_pause()', 'pause = hm_lazy_mmu_pause()', 'hm_lazy_mmu_pause()', UNUSED),
    ('ignoring hm_context_exception_push()', 'exception = hm_context_exception_push()',
     'hm_context_exception_push()', UNUSED),
    ('ignoring hm_pte_update()', 'answer = hm_pte_update(ptep, &pte, pte)',
     'hm_pte_update(ptep, &pte, pte)', UNUSED),
]
PROGRAM = ALL + '''\
extern hm_lazy_mmu_token_t section;
extern hm_lazy_mmu_pause_t pause;
extern hm_context_exception_t exception;
extern hm_pa_t pa;
extern hm_va_t va, another_va;
extern hm_pte_t pte, *ptep;
extern bool answer;
void program(void);
void program(void)
{
	%s;
}
'''


def compiler_check(compiler, text, directory):
    """Compiles text with the port in directory, or with the foreign one (None)."""
    language, standard = COMPILERS[compiler]
    port = ['-I' + str(directory)] if directory else includes(['tests/contract/foreign'])
    unlimited = ['-ferror-limit=0'] if 'clang' in compiler else []
    return compile_text([compiler, f'-std={standard}', *unlimited, *WARNINGS, '-Wno-unused-parameter', '-S',
                         '-o', '/dev/null', *port, *includes(['include'])], text, language)


def in_c(compilers):
    return [each for each in compilers if COMPILERS[each][0] == 'c']


def must_compile(compiler, text, directory=None):
    good, messages = compiler_check(compiler, text, directory)
    return '' if good else 'does not compile: ' + first_error(messages)


def must_fail(compiler, text, directory, error, place=None):
    """It fails, the first error matches the pattern, and it or its notes show one of the lines of place."""
    good, messages = compiler_check(compiler, text, directory)
    if good:
        return 'compiles'
    message = first_error(messages)
    if not re.search(error, message):
        return f'the first error does not say "{error}": {message}'
    if place:
        path, first, last = place
        shown = [(pathlib.Path(name).resolve(), int(line)) for name, line in
                 re.findall(r'^(\S+?):(\d+):', message, re.M)]
        if not any(name == path and first <= line <= last for name, line in shown):
            return f'the first error is not at {path.name}:{first}: {message}'
    return ''


def port(directory, name, text):
    """A directory that holds that hardmap_port.h."""
    target = pathlib.Path(directory) / name
    target.mkdir()
    (target / 'hardmap_port.h').write_text(text)
    return target


def before_the_end(text, line):
    """The port with one more line before its last #endif."""
    head, tail = text.rsplit('#endif', 1)
    return f'{head}{line}\n#endif{tail}'


def without(hook):
    """The foreign port with that hook under another name."""
    text, count = re.subn(rf'\b{hook.name}\b', 'another_' + hook.name, FOREIGN)
    return text if count else None


def mistyped(hook):
    """Declarations of a hook that are almost right: another result, another parameter."""
    yield 'result', f'extern struct mistyped *{hook.name}{hook.params};'
    params = [each.strip() for each in hook.params[1:-1].split(',')]
    for number, each in enumerate(params):
        other = {'void': 'int'}.get(each) or (
            each.replace('const ', '') if 'const ' in each else
            each.replace('unsigned ', '') if 'unsigned ' in each else
            f'const {each}' if '*' in each else f'{each} *')
        changed = params[:number] + [other] + params[number + 1:]
        yield f'parameter {number + 1}', f'extern {hook.ret} {hook.name}({", ".join(changed)});'


def contract_checks(compilers, directory):
    for hook in [hook for module in MODULES for hook in hooks(module)]:
        include = f'#include <hardmap/{hook.path.name}>\n'
        place = (hook.path, hook.line, hook.last_line)
        absent = without(hook)
        if absent is None:
            add(f'{hook.name} is in the foreign port', lambda h=hook: f'it has no {h.name}()')
            continue
        target = port(directory, f'without_{hook.name}', absent)
        for compiler in compilers:
            add(f'{hook.name} missing, {compiler}', lambda c=compiler, i=include, t=target, h=hook, p=place:
                must_fail(c, i, t, rf'\b{h.name}\b', p))
        for number, (what, line) in enumerate(mistyped(hook)):
            target = port(directory, f'mistyped_{number}_{hook.name}',
                          before_the_end(absent, 'struct mistyped;\n' + line))
            for compiler in compilers if what == 'result' else in_c(compilers):
                error = rf'\b{hook.name}\b' if COMPILERS[compiler][0] == 'c++' else \
                    re.escape(f'port hook must be: {hook.ret} {hook.name}{hook.params}')
                add(f'{hook.name} with another {what}, {compiler}',
                    lambda c=compiler, i=include, t=target, e=error, p=place: must_fail(c, i, t, e, p))
    for module in MODULES:
        include = f'#include <hardmap/{module.name}>\n'
        for name in constants(module):
            target = port(directory, f'without_{name}', before_the_end(FOREIGN, f'#undef {name}'))
            for compiler in compilers:
                add(f'{name} missing, {compiler}', lambda c=compiler, i=include, t=target, n=name, m=module:
                    must_fail(c, i, t, rf'{m.name}: the port must define {n}\b'))
            for value in OUT_OF_BOUNDS.get(name, []):
                text = re.sub(rf'(#define {name}\s+).*', rf'\g<1>{value}', FOREIGN)
                target = port(directory, f'{name}_{value}', text)
                for compiler in compilers:
                    add(f'{name} is {value}, {compiler}', lambda c=compiler, i=include, t=target, n=name:
                        must_fail(c, i, t, rf'{n} must be', None))
    for compiler in compilers:
        add(f'the foreign port compiles, {compiler}', lambda c=compiler: must_compile(c, ALL))


def misuse_checks(compilers):
    must_use = {name for module in MODULES for name, must in functions(module).items() if must}
    covered = {re.sub(r'\W+|ignoring', '', what) for what, *_, error in MISUSES if error is UNUSED}
    add('every must-use function has its check here', lambda:
        '\n'.join(sorted(must_use ^ covered)) if must_use else 'no must-use function found')
    for what, good, bad, error in MISUSES:
        for compiler in compilers:
            add(f'{what}, {compiler}', lambda c=compiler, g=good, b=bad, e=error:
                must_compile(c, PROGRAM % g) or must_fail(c, PROGRAM % b, None, e))


def gaps():
    """The template's #error lines: {(file, line number): name}."""
    return {(path, number): re.match(r'#error "(\w+)', line)[1]
            for path in sorted(TEMPLATE.glob('*.h'))
            for number, line in enumerate(path.read_text().splitlines()) if line.startswith('#error')}


def filled(directory, name, but=None):
    """A copy of the template with every gap but one filled: hooks' with a trap, macros' with a value."""
    target = pathlib.Path(directory) / name
    target.mkdir()
    for path in TEMPLATE.glob('*.h'):
        lines = path.read_text().splitlines()
        for (gap_path, number), gap in gaps().items():
            if gap_path == path and gap != but:
                lines[number] = f'#define {gap}{FILLINGS[gap]}' if gap in FILLINGS else \
                    '\t__builtin_trap();'
        (target / path.name).write_text('\n'.join(lines) + '\n')
    return target


def wrong_gaps():
    """The template has one gap for each hook and constant of the contract, and no others."""
    wanted = [hook.name for module in MODULES for hook in hooks(module)] + \
        [name for module in MODULES for name in constants(module)]
    found = list(gaps().values())
    return '\n'.join([f'{name}: missing in ports/template' for name in sorted(set(wanted) - set(found))] +
                     [f'{name}: not in the contract' for name in sorted(set(found) - set(wanted))] +
                     [f'{name}: twice' for name in sorted(set(found)) if found.count(name) > 1])


def silent_gaps(compiler):
    """The template as it stands names every one of its gaps."""
    good, messages = compiler_check(compiler, ALL, TEMPLATE)
    reported = set(re.findall(r'error: (?:#error )?"?(\w+)', messages))
    return 'compiles' if good else '\n'.join(f'{name}: not reported' for name in
                                             sorted(set(gaps().values()) - reported))


def template_checks(compilers, directory):
    add('the template has exactly the gaps of the contract', wrong_gaps)
    whole = filled(directory, 'template')
    for compiler in compilers:
        add(f'the template names all its gaps, {compiler}', lambda c=compiler: silent_gaps(c))
        add(f'the template filled in compiles, {compiler}', lambda c=compiler:
            must_compile(c, (HERE / 'every_function.c').read_text(), whole))
    for name in sorted(set(gaps().values())):
        target = filled(directory, f'template_{name}', but=name)
        for compiler in in_c(compilers):
            add(f'the template without {name} only, {compiler}', lambda c=compiler, t=target, n=name:
                must_fail(c, ALL, t, rf'error: (#error )?"?{n}\b'))


def vacuous():
    counts = {f'hooks of {each.name}': len(hooks(each)) for each in MODULES}
    counts['constants'] = sum(len(constants(each)) for each in MODULES)
    counts['gaps of the template'] = len(gaps())
    # Every HM_PORT_REQUIRE line is understood as a hook.
    for each in MODULES:
        lines = len(re.findall(r'^HM_PORT_REQUIRE\(', each.read_text(), re.M))
        counts[f'HM_PORT_REQUIRE in {each.name} understood'] = lines == len(hooks(each))
    return '\n'.join(f'{what}: none' for what, count in counts.items() if not count)


if __name__ == '__main__':
    with tempfile.TemporaryDirectory() as temporary:
        found = available(*COMPILERS)
        if found:
            add('the contract was understood', vacuous)
            contract_checks(found, temporary)
            misuse_checks(found)
            template_checks(found, temporary)
        run()
