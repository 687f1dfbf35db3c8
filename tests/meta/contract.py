# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What must not compile does not, and says why.

A port with a hook missing or mistyped, as the contract in each header lists them; a port without a constant
or with one out of bounds, or with levels that cannot be; tokens and addresses mixed up, results ignored; and
ports/template, which fails at each line that waits for code and compiles once all have some. Each failure has
a twin that compiles. Hooks that only some key styles ask for are checked in one that asks for all, and again in
each style: those that it does not need may be missing.

Where a compiler reports many mistakes at once it is asked once, and each has to be among its errors, at its place;
a mistake alone is the first error of gcc.
"""
import pathlib
import re
import tempfile

from meta import (HERE, MODULES, ROOT, WARNINGS, add, available, compile_text, constants, first_error,
                  functions, has_error, hooks, includes, run, shows)

FOREIGN = (ROOT / 'tests' / 'contract' / 'foreign' / 'hardmap_port.h').read_text()
TEMPLATE = ROOT / 'ports' / 'template'
ALL = ''.join(f'#include <hardmap/{each.name}>\n' for each in MODULES)
COMPILERS = {'gcc': ('c', 'gnu11'), 'clang': ('c', 'gnu11'), 'g++': ('c++', 'c++17'),
             'clang++': ('c++', 'c++17')}

# What each key style needs beside what all do. The first needs everything: ports are checked in it.
REGISTER = {'hm_port_kpkeys_read', 'hm_port_kpkeys_write', 'HM_PORT_KPKEYS', 'HM_PORT_KPKEYS_REGISTER',
            'HM_PORT_KPKEYS_BASE', 'HM_PORT_KPKEYS_LEVELS'}
STYLES = {'HM_KEY_STYLE_RUN_TIME': REGISTER | {'hm_port_key_style'}, 'HM_KEY_STYLE_WINDOW': REGISTER,
          'HM_KEY_STYLE_STORE': set(), 'HM_KEY_STYLE_NONE': set()}
EVERYTHING = 'HM_KEY_STYLE_RUN_TIME'

# Values out of the bounds that the headers document.
OUT_OF_BOUNDS = {'HM_PORT_PGTABLE_LEVELS': [0, 6], 'HM_PORT_PGTABLE_ENTRIES': [1, 48],
                 'HM_PORT_PGTABLE_BLOCK_LEVEL': [3],
                 'HM_PORT_PGTABLE_POOL_ORDER': [0, 6, 14], 'HM_PORT_PGTABLE_POOL_MAGAZINE': [-1, 1, 61],
                 'HM_PORT_PGTABLE_POOL_TABLES': [-1, 17], 'HM_PORT_PGTABLE_POOL_LOCKED': [2],
                 'HM_PORT_ROX_CACHE_BLOCK_SHIFT': [11, 31],
                 'HM_PORT_KPKEYS': [2, 17], 'HM_PORT_KEY_STYLE': [4]}
# What the template's #error lines for macros are filled with.
FILLINGS = {'HM_BUG': '(message) ((void)(message))', 'HM_PORT_PGTABLE_LEVELS': ' 3',
            'HM_PORT_PGTABLE_ENTRIES': ' 32', 'HM_PORT_PGTABLE_BLOCK_LEVEL': ' 1',
            'HM_PORT_PGTABLE_POOL_ORDER': ' 3', 'HM_PORT_PGTABLE_POOL_MAGAZINE': ' 8',
            'HM_PORT_PGTABLE_POOL_TABLES': ' 4', 'HM_PORT_PGTABLE_POOL_LOCKED': ' 1',
            'HM_PORT_ROX_CACHE_BLOCK_SHIFT': ' 21', 'HM_PORT_ROX_CACHE_TRAP': ' UINT64_C(0xd4200000d4200000)',
            'HM_PORT_KPKEYS': ' 4', 'HM_PORT_KPKEYS_BASE': ' 0',
            'HM_PORT_KPKEYS_REGISTER': '(permissions) (permissions)',
            'HM_PORT_KPKEYS_LEVELS': '(LEVEL) LEVEL(7, HM_KEY_ALLOW(3, HM_KEY_WRITE))'}
# (what, constants of the foreign port that say so, what the error says; '' if it compiles)
LEVELS = [
    ('levels 4 and 7', {'HM_PORT_KPKEYS_LEVELS': 'LEVEL(4, 0) LEVEL(7, HM_KEY_ALLOW(15, HM_KEY_WRITE))'}, ''),
    ('no levels', {'HM_PORT_KPKEYS_LEVELS': '', 'HM_PORT_KPKEYS_BASE': '0'}, ''),
    ('level 8', {'HM_PORT_KPKEYS_LEVELS': 'LEVEL(8, 0)'}, 'a level is 0 to 7: 8'),
    ('level -1', {'HM_PORT_KPKEYS_LEVELS': 'LEVEL(-1, 0)'}, 'a level is 0 to 7: -1'),
    ('a level with key 15 of 15', {'HM_PORT_KPKEYS': '15', 'HM_PORT_KPKEYS_BASE': '0'}, 'no such key: 7'),
    ('a base with key 15 of 15', {'HM_PORT_KPKEYS': '15', 'HM_PORT_KPKEYS_LEVELS': ''},
     'no such key: HM_KPKEYS_DEFAULT'),
    ('a level with key 16 of 16', {'HM_PORT_KPKEYS_LEVELS': 'LEVEL(7, HM_KEY_ALLOW(16, HM_KEY_WRITE))'},
     'shift|constant'),
    ('two levels 7', {'HM_PORT_KPKEYS_LEVELS': 'LEVEL(7, 0) LEVEL(7, HM_KEY_ALLOW(15, HM_KEY_WRITE))'},
     'duplicate case'),
    ('a second level 2', {'HM_PORT_KPKEYS_LEVELS': 'LEVEL(2, 0)'}, 'duplicate case'),
]

# (what, a statement that compiles, the one that must not, what the error says)
TYPE = r'incompatible|cannot convert|could not convert|no match for|no matching|no viable'
UNUSED = r'unused-result|ignoring return value'
MISUSES = [
    ('leave with a pause token', 'hm_lazy_mmu_leave(section)', 'hm_lazy_mmu_leave(pause)', TYPE),
    ('leave with an exception token', 'hm_lazy_mmu_leave(section)', 'hm_lazy_mmu_leave(exception)', TYPE),
    ('resume with a section token', 'hm_lazy_mmu_resume(pause)', 'hm_lazy_mmu_resume(section)', TYPE),
    ('leave with a level token', 'hm_lazy_mmu_leave(section)', 'hm_lazy_mmu_leave(level)', TYPE),
    ('leaving a level with a section token', 'hm_kpkeys_leave(level)', 'hm_kpkeys_leave(section)', TYPE),
    ('leaving a level with a pause token', 'hm_kpkeys_leave(level)', 'hm_kpkeys_leave(pause)', TYPE),
    ('leaving a level with its number', 'hm_kpkeys_leave(level)', 'hm_kpkeys_leave(HM_KPKEYS_TEXT)', TYPE),
    ('exception pop with a section token', 'hm_context_exception_pop(exception)',
     'hm_context_exception_pop(section)', TYPE),
    ('exception pop with a switch token', 'hm_context_exception_pop(exception)',
     'hm_context_exception_pop(away)', TYPE),
    ('switch in with an exception token', 'hm_context_switch_in(away)', 'hm_context_switch_in(exception)', TYPE),
    ('switch in with a section token', 'hm_context_switch_in(away)', 'hm_context_switch_in(section)', TYPE),
    ('enter into a pause token', 'section = hm_lazy_mmu_enter()', 'pause = hm_lazy_mmu_enter()', TYPE),
    ('a level into a section token', 'level = hm_kpkeys_enter_text()', 'section = hm_kpkeys_enter_text()', TYPE),
    ('a level of the caller\'s choice', 'level = hm_kpkeys_enter_text()',
     'level = hm_kpkeys_enter_text(HM_KPKEYS_UNRESTRICTED)', r'too many arguments|no matching'),
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
    ('a key for a physical address', 'error = hm_direct_map_set_pkey(&map, 0, va, 4096, 1)',
     'error = hm_direct_map_set_pkey(&map, 0, pa, 4096, 1)', TYPE),
    ('a reserve for a map', 'error = hm_direct_map_repaint(&map, &reserve)',
     'error = hm_direct_map_repaint(&reserve, &reserve)', TYPE),
    ('memory added by its address', 'error = hm_direct_map_add(&map, 0, va, 4096, pte)',
     'error = hm_direct_map_add(&map, 0, va, 4096, pa)', TYPE),
    *((f'ignoring {call[:call.index("(")]}()', f'error = {call}', call, UNUSED) for call in
      ['hm_direct_map_init(&map, va, 4096, false)', 'hm_direct_map_prepare(&reserve, 4)',
       'hm_direct_map_set_pkey(&map, 0, va, 4096, 1)',
       'hm_direct_map_set_permission(&map, 0, va, 4096, HM_PERMISSION_RO)',
       'hm_direct_map_split(&map, 0, va, 4096)', 'hm_direct_map_keep_small(&map, 0, va, 4096, true)',
       'hm_direct_map_tables(&map, va, 4096, true)', 'hm_direct_map_query(&map, va, &info)',
       'hm_direct_map_collapse(&map, va, 4096)', 'hm_direct_map_repaint(&map, 0)',
       'hm_direct_map_add(&map, 0, va, 4096, pte)', 'hm_direct_map_remove(&map, 0, va, 4096)']),
    ('a page of a pool by its virtual address', 'error = hm_pgtable_pool_free(&pool, pa)',
     'error = hm_pgtable_pool_free(&pool, va)', TYPE),
    *((f'ignoring {call[:call.index("(")]}()', f'error = {call}', call, UNUSED) for call in
      ['hm_pgtable_pool_alloc(&pool, 0, &pa)', 'hm_pgtable_pool_alloc_batch(&pool, 0, &pa, 1)',
       'hm_pgtable_pool_reserve(&pool, 0, 1, &pool_token)', 'hm_pgtable_pool_adopt(&pool, pa, 1)',
       'hm_pgtable_pool_register(&pool, pa, 1)', 'hm_pgtable_pool_protect(&pool)',
       'hm_pgtable_pool_destroy(&pool)']),
    ('code at a physical address', 'error = hm_rox_cache_free(&cache, va)',
     'error = hm_rox_cache_free(&cache, pa)', TYPE),
    ('code at a plain integer', 'error = hm_rox_cache_patch(&cache, va, 0)',
     'error = hm_rox_cache_patch(&cache, va.val, 0)', TYPE),
    ('a section token for a writer', 'error = hm_rox_cache_write_end(&cache, writer)',
     'error = hm_rox_cache_write_end(&cache, section)', TYPE),
    ('a writer for a level token', 'hm_kpkeys_leave(level)', 'hm_kpkeys_leave(writer)', TYPE),
    *((f'ignoring {call[:call.index("(")]}()', f'error = {call}', call, UNUSED) for call in
      ['hm_rox_cache_add(&cache, &arena, "code", va, another_va, 0)',
       'hm_rox_cache_alloc(&cache, &arena, 4096, 64, 0, &va)', 'hm_rox_cache_free(&cache, va)',
       'hm_rox_cache_write_begin(&cache, va, 4096, &writer)',
       'hm_rox_cache_copy(&cache, writer, va, ptep, 8)', 'hm_rox_cache_write_end(&cache, writer)',
       'hm_rox_cache_patch(&cache, va, 0)',
       'hm_rox_cache_load(&cache, &arena, ptep, 8, 64, 0, 0, 0, &va)', 'hm_rox_cache_destroy(&cache)']),
    ('ignoring hm_lazy_mmu_enter()', 'section = hm_lazy_mmu_enter()', 'hm_lazy_mmu_enter()', UNUSED),
    ('ignoring hm_lazy_mmu_pause()', 'pause = hm_lazy_mmu_pause()', 'hm_lazy_mmu_pause()', UNUSED),
    ('ignoring hm_context_exception_push()', 'exception = hm_context_exception_push()',
     'hm_context_exception_push()', UNUSED),
    ('ignoring hm_pte_update()', 'answer = hm_pte_update(ptep, &pte, pte)',
     'hm_pte_update(ptep, &pte, pte)', UNUSED),
    ('ignoring hm_context_switch_out()', 'away = hm_context_switch_out()', 'hm_context_switch_out()', UNUSED),
    *((f'ignoring {enter}()', f'level = {enter}()', f'{enter}()', UNUSED) for enter in
      ['hm_kpkeys_enter_pgtables', 'hm_kpkeys_enter_text', 'hm_kpkeys_enter_unrestricted',
       'hm_kpkeys_enter_default', 'hm_kpkeys_none']),
    ('ignoring a function of HM_KPKEYS_ENTER', 'level = enter_own()', 'enter_own()', UNUSED),
    ('ignoring hm_kpkeys_guard_tables_()', 'level = hm_kpkeys_guard_tables_()', 'hm_kpkeys_guard_tables_()',
     UNUSED),
]
# The same where the scope macros are.
MISUSES_IN_C = [
    ('a guard that enters a section', 'HM_KPKEYS_GUARD(guard, hm_kpkeys_enter_text)',
     'HM_KPKEYS_GUARD(guard, hm_lazy_mmu_enter)', TYPE + '|type mismatch'),
    ('a guard by a level\'s number', 'HM_KPKEYS_GUARD(guard, hm_kpkeys_enter_text)',
     'HM_KPKEYS_GUARD(guard, HM_KPKEYS_TEXT)', 'not a function'),
]
# At file scope.
MISUSES_OF_ENTER = [(f'HM_KPKEYS_ENTER of level {level}', 'HM_KPKEYS_ENTER(own, 7)',
                     f'HM_KPKEYS_ENTER(own, {level})', 'own is 4 to 7') for level in [3, 8]]
PROGRAM = ALL + '''\
extern hm_lazy_mmu_token_t section;
extern hm_lazy_mmu_pause_t pause;
extern hm_kpkeys_token_t level;
extern hm_context_exception_t exception;
extern hm_context_switch_t away;
extern hm_pa_t pa;
extern hm_va_t va, another_va;
extern hm_pte_t pte, *ptep;
extern bool answer;
extern struct hm_direct_map map;
extern struct hm_direct_map_info info;
extern struct hm_direct_map_reserve reserve;
extern struct hm_pgtable_pool pool;
extern struct hm_pgtable_pool_token pool_token;
extern struct hm_rox_cache cache;
extern struct hm_rox_cache_arena arena;
extern hm_rox_cache_writer_t writer;
extern int error;
HM_KPKEYS_ENTER(enter_own, 7)
'''


def compiler_check(compiler, text, directory, style=EVERYTHING):
    """Compiles text with the port in directory, or with the foreign one (None); the style is the latter's."""
    language, standard = COMPILERS[compiler]
    port = ['-I' + str(directory)] if directory else includes(['tests/contract/foreign'])
    unlimited = ['-ferror-limit=0'] if 'clang' in compiler else []
    return compile_text([compiler, f'-std={standard}', *unlimited, *WARNINGS, '-Wno-unused-parameter',
                         '-Wno-unused-function', f'-DFOREIGN_KEY_STYLE={style}', '-S', '-o', '/dev/null', *port,
                         *includes(['include'])], text, language)


def in_c(compilers):
    return [each for each in compilers if COMPILERS[each][0] == 'c']


def must_compile(compiler, text, directory=None, style=EVERYTHING):
    good, messages = compiler_check(compiler, text, directory, style)
    return '' if good else 'does not compile: ' + first_error(messages)


def must_fail(compiler, text, directory, error, place=None, style=EVERYTHING):
    """It fails, the first error matches the pattern, and it or its notes show one of the lines of place."""
    good, messages = compiler_check(compiler, text, directory, style)
    if good:
        return 'compiles'
    message = first_error(messages)
    if not re.search(error, message):
        return f'the first error does not say "{error}": {message}'
    if place:
        path, first, last = place
        if not shows(message, path, range(first, last + 1)):
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


def without(*names):
    """The foreign port with those hooks under another name and without those constants; None if it has none."""
    text = FOREIGN
    for name in names:
        text, count = re.subn(rf'\b{name}\b', 'another_' + name, text)
        if not count:
            return None
    return text


def with_constants(values):
    """The foreign port with other values of its constants."""
    text = FOREIGN
    for name, value in values.items():
        text = re.sub(rf'(#define {name}(?:\(\w+\))? ).*', lambda found, v=value: found[1] + v, text)
    return text


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


def must_fail_at_each(compiler, module, directory, wanted):
    """The module does not compile with that port, and the errors say each of wanted, (hook, pattern), at the hook."""
    good, messages = compiler_check(compiler, f'#include <hardmap/{module.name}>\n', directory)
    if good:
        return 'compiles'
    return '\n'.join(f'no error says "{pattern}" at {module.name}:{hook.line}' for hook, pattern in wanted if
                     not has_error(messages, module, range(hook.line, hook.last_line + 1), pattern))


def hook_checks(compilers, directory, module):
    wanted = hooks(module)
    absent = without(*(hook.name for hook in wanted))
    target = port(directory, f'without_hooks_of_{module.stem}', absent)
    for compiler in compilers:
        add(f'hooks of {module.name} missing, {compiler}', lambda c=compiler, t=target:
            must_fail_at_each(c, module, t, [(hook, rf'\b{hook.name}\b') for hook in wanted]))
    for hook in wanted:
        target = port(directory, f'without_{hook.name}', without(hook.name))
        for compiler in compilers[:1]:
            add(f'{hook.name} missing, {compiler}', lambda c=compiler, t=target, h=hook:
                must_fail(c, f'#include <hardmap/{module.name}>\n', t, rf'\b{h.name}\b',
                          (module, h.line, h.last_line)))
    wrong = {}  # by what is wrong: (hook, its declaration)
    for hook in wanted:
        for what, line in mistyped(hook):
            wrong.setdefault(what, []).append((hook, line))
    for number, (what, each) in enumerate(wrong.items()):
        target = port(directory, f'mistyped_{number}_{module.stem}', before_the_end(
            without(*(hook.name for hook, _ in each)), '\n'.join(['struct mistyped;', *(line for _, line in each)])))
        for compiler in compilers if what == 'result' else in_c(compilers):
            is_c = COMPILERS[compiler][0] == 'c'
            errors = [(hook, re.escape(f'port hook must be: {hook.spelled()}') if is_c else rf'\b{hook.name}\b')
                      for hook, _ in each]
            add(f'hooks of {module.name} with another {what}, {compiler}', lambda c=compiler, t=target, e=errors:
                must_fail_at_each(c, module, t, e))


def contract_checks(compilers, directory):
    for module in MODULES:
        if hooks(module):
            lost = [hook.name for hook in hooks(module) if without(hook.name) is None]
            add(f'hooks of {module.name} are in the foreign port', lambda l=lost: '\n'.join(l))
            if not lost:
                hook_checks(compilers, directory, module)
    # The preprocessor's, which is the same in both languages of a compiler.
    each_once = [each for each in compilers if each in ('gcc', 'clang++')]
    for module in MODULES:
        include = f'#include <hardmap/{module.name}>\n'
        for name in constants(module):
            target = port(directory, f'without_{name}', without(name) or '')
            for compiler in each_once:
                add(f'{name} missing, {compiler}', lambda c=compiler, i=include, t=target, n=name, m=module:
                    must_fail(c, i, t, rf'{m.name}: the port must define {n}\b'))
            for value in OUT_OF_BOUNDS.get(name, []):
                target = port(directory, f'{name}_{value}', with_constants({name: str(value)}))
                for compiler in each_once:
                    add(f'{name} is {value}, {compiler}', lambda c=compiler, i=include, t=target, n=name:
                        must_fail(c, i, t, rf'{n} must be', None))
    for compiler in compilers:
        for style in STYLES:
            add(f'the foreign port compiles, {style}, {compiler}', lambda c=compiler, s=style:
                must_compile(c, ALL, None, s))


def style_checks(compilers, directory):
    """What a key style does not need may be missing, and nothing else."""
    optional = set.union(*STYLES.values())
    for style, needed in STYLES.items():
        target = port(directory, f'least_{style}', without(*sorted(optional - needed)) or '')
        for compiler in compilers:
            add(f'what {style} does not need is missing, {compiler}', lambda c=compiler, t=target, s=style:
                must_compile(c, ALL, t, s))
        for name in sorted(needed if style != EVERYTHING else []):
            for compiler in in_c(compilers):
                add(f'{name} missing, {style}, {compiler}', lambda c=compiler, n=name, s=style:
                    must_fail(c, ALL, pathlib.Path(directory) / f'without_{n}', rf'\b{n}\b', None, s))
    for number, (what, values, error) in enumerate(LEVELS):
        target = port(directory, f'levels_{number}', with_constants(values))
        for compiler in compilers:
            add(f'{what}, {compiler}', lambda c=compiler, t=target, e=error:
                must_fail(c, ALL, t, e) if e else must_compile(c, ALL, t))


def misuse_checks(compilers):
    must_use = {name for module in MODULES for name, must in functions(module).items() if must}
    covered = {found[1] for found in (re.match(r'ignoring (\w+)\(\)', what) for what, *_ in MISUSES) if found}
    # Those that are private have one only if a macro of the interface calls them.
    missing = {name for name in must_use - covered if not name.endswith('_')} | covered - must_use
    add('every must-use function has its check here', lambda:
        '\n'.join(sorted(missing)) if must_use else 'no must-use function found')
    for compiler in compilers:
        misuses = MISUSES + (MISUSES_IN_C if compiler in in_c(compilers) else [])
        # Who finds a wrong type looks for no unused result.
        for kind, some in [('misuse of a type', [each for each in misuses if each[3] != UNUSED]),
                           ('ignored result', [each for each in misuses if each[3] == UNUSED])]:
            add(f'each {kind} fails, {compiler}', lambda c=compiler, m=some: wrong_misuses(c, m))
        for what, good, bad, error in MISUSES_OF_ENTER:
            add(f'{what}, {compiler}', lambda c=compiler, g=good, b=bad, e=error:
                must_compile(c, f'{ALL}{g}\n') or must_fail(c, f'{ALL}{b}\n', None, e))


def wrong_misuses(compiler, misuses):
    """Which of them the compiler does not say the error of, each in a function of its own."""
    def program(statements):
        return PROGRAM + ''.join(f'#line {number} "misuses"\nvoid misuse_{number}(void); void misuse_{number}(void) '
                                 f'{{ {each}; }}\n' for number, each in enumerate(statements, 1))

    wrong = must_compile(compiler, program(good for _, good, _, _ in misuses))
    _, messages = compiler_check(compiler, program(bad for _, _, bad, _ in misuses), None)
    return '\n'.join([wrong] * bool(wrong) + [
        f'{what}: no error says "{error}"' for number, (what, _, _, error) in enumerate(misuses, 1)
        if not has_error(messages, ROOT / 'misuses', [number], error)])


def gaps():
    """The template's #error lines: {(file, line number): name}."""
    return {(path, number): re.match(r'#error "(\w+)', line)[1]
            for path in sorted(TEMPLATE.glob('*.h'))
            for number, line in enumerate(path.read_text().splitlines()) if line.startswith('#error')}


def filled(directory, name, but=(), style=EVERYTHING):
    """A copy of the template with every gap but some filled: hooks' with a trap, macros' with a value."""
    target = pathlib.Path(directory) / name
    target.mkdir()
    for path in TEMPLATE.glob('*.h'):
        lines = path.read_text().splitlines()
        for (gap_path, number), gap in gaps().items():
            if gap_path == path and gap not in but:
                lines[number] = f'#define {gap} {style}' if gap == 'HM_PORT_KEY_STYLE' else \
                    f'#define {gap}{FILLINGS[gap]}' if gap in FILLINGS else '\t__builtin_trap();'
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
    optional = set.union(*STYLES.values())
    for compiler in compilers:
        add(f'the template names all its gaps, {compiler}', lambda c=compiler: silent_gaps(c))
    for style, needed in STYLES.items():
        whole = filled(directory, f'template_{style}', optional - needed, style)
        for compiler in compilers:
            add(f'the template filled in for {style} compiles, {compiler}', lambda c=compiler, t=whole:
                must_compile(c, (HERE / 'every_function.c').read_text(), t))
    for name in sorted(set(gaps().values())):
        target = filled(directory, f'template_{name}', {name})
        for compiler in compilers[:1]:
            add(f'the template without {name} only, {compiler}', lambda c=compiler, t=target, n=name:
                must_fail(c, ALL, t, rf'error: (#error )?"?{n}\b'))


def vacuous():
    counts = {'hooks': sum(len(hooks(each)) for each in MODULES)}
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
            style_checks(found, temporary)
            misuse_checks(found)
            template_checks(found, temporary)
        run()
