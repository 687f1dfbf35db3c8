# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""What a mutated tree is put to: the random programs on the adversarial machine (tests/model), and the
contract and unit suites under the plain runner. Used by tests/model/mutants.py and tests/mutate/mutate.py.

Everything is copied at the start, so that a tree that is being edited does not change under the run, and
what does not depend on the mutated headers' code is compiled once."""
import concurrent.futures
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLAGS = ['-std=gnu11', '-w', '-O0']  # each is run for less time than it is compiled
# Seconds of a CPU, of what takes a fraction of one otherwise; and by the clock, of what waits for ever.
TIMEOUT = 20
LIMITED = ['prlimit', f'--cpu={TIMEOUT}']
WAITING = 30 * TIMEOUT

# Compiled once: sources that see types of the headers only, no function of them. (object: port, source)
COMMON = {
    'machine': ('model', 'ports/hosted/machine/machine.c'),
    'random': ('model', 'tests/model/random.c'),
    'hosted': ('hosted', 'ports/hosted/hosted.c'),
    'suite_main': (None, 'tests/suite_main.c'),
    'suite_plain': (None, 'tests/suite_plain.c'),
}
# Include paths by port, in the tree; before them, those of the tests.
PORTS = {
    'model': ['include', 'ports/hosted/machine', 'ports'],
    'hosted': ['ports/hosted', 'include', 'ports'],
    'foreign': ['tests/contract/foreign', 'include'],
    None: [],
}
PLAIN = ['suite_main', 'suite_plain']
UNIT = [f'tests/unit/{each}.c' for each in ('fault', 'gcs', 'order', 'poe', 'tlbi', 'vmsa')]
HOSTED_PROBE = ['tests/contract/probe_arm64.c', 'tests/contract/probe_hosted.c']
FOREIGN_PROBE = ['tests/contract/probe_foreign.c']
WINDOW = ['-DCONTRACT_EXCEPTION_PUSH=1', '-DCONTRACT_KEY_STYLE=HM_KEY_STYLE_WINDOW']
STORE = ['-DCONTRACT_EXCEPTION_PUSH=1', '-DCONTRACT_KEY_STYLE=HM_KEY_STYLE_STORE',
         '-DFOREIGN_KEY_STYLE=HM_KEY_STYLE_STORE']
# The contract suite, a program a module, as most mutants are noticed by their own. variant: (port, probe, objects of
# COMMON, defines)
BODIES = ['lazy_mmu', 'pgtable', 'context', 'kpkeys']
VARIANTS = {
    'contract_window': ('hosted', HOSTED_PROBE, ['hosted'], WINDOW),
    'contract_no_keys': ('hosted', HOSTED_PROBE, ['hosted'], ['-DCONTRACT_EXCEPTION_PUSH=1', '-DHM_HOSTED_KEYS=0']),
    'contract_selected': ('hosted', HOSTED_PROBE, ['hosted'], ['-DCONTRACT_EXCEPTION_PUSH=0']),
    'contract_store': ('hosted', HOSTED_PROBE, ['hosted'], STORE),
    'contract_foreign': ('foreign', FOREIGN_PROBE, [], ['-DCONTRACT_EXCEPTION_PUSH=1']),
    'contract_foreign_store': ('foreign', FOREIGN_PROBE, [], STORE),
}
OF_A_LINEAR_MAP = ('direct_map', 'fewest')
# program: (port, sources compiled against the tree, objects of COMMON, defines)
PROGRAMS = {
    'model': ('model', ['tests/model/program.c'], ['machine', 'random'], []),
    'model_plain': ('model', ['tests/model/program.c'], ['machine', 'random'], ['-DHM_MACHINE_KEYS=0']),
    'model_direct_map': ('model', ['tests/model/direct_map.c'], ['machine', 'random'], []),
    'unit': ('hosted', UNIT, ['hosted'] + PLAIN, ['-DSUITE=unit']),
    'unit_16k': ('hosted', UNIT, ['hosted'] + PLAIN, ['-DSUITE=unit', '-DHM_PORT_ARM64_PAGE_SHIFT=14']),
    'unit_64k': ('hosted', UNIT, ['hosted'] + PLAIN, ['-DSUITE=unit', '-DHM_PORT_ARM64_PAGE_SHIFT=16']),
    'contract_attack': ('hosted', ['tests/contract/attack.c'] + HOSTED_PROBE, ['hosted'] + PLAIN,
                        ['-DSUITE=attack'] + WINDOW),
    **{f'contract_{each}': ('hosted', [f'tests/contract/{each}.c', *HOSTED_PROBE], ['hosted'] + PLAIN,
                            [f'-DSUITE={each}'] + WINDOW) for each in OF_A_LINEAR_MAP},
    **{f'contract_foreign_{each}': ('foreign', [f'tests/contract/{each}.c', *FOREIGN_PROBE], PLAIN,
                                    [f'-DSUITE={each}', '-DCONTRACT_EXCEPTION_PUSH=1']) for each in OF_A_LINEAR_MAP},
    **{f'{variant}_{body}': (port, [f'tests/contract/{body}.c', *probe], objects + PLAIN,
                             [f'-DSUITE={body}', *defines])
       for variant, (port, probe, objects, defines) in VARIANTS.items() for body in BODIES},
}
MODELS = [each for each in PROGRAMS if each.startswith('model')]
SUITES = [each for each in PROGRAMS if each not in MODELS]
# For pgtable_pool.h alone: programs over a pool of page tables, those in which someone overwrites its ordinary
# memory, and a kernel that does something wrong around it, by its number in pool.c.
POOLS = {'model_pool': [], 'model_pool_attack': ['-DATTACK']}
PLANTS = {f'model_pool_plant_{each}': [f'-DPLANT={each}'] for each in range(1, 6)}
PROGRAMS.update({each: ('model', ['tests/model/pool.c'], ['machine', 'random'], defines)
                 for each, defines in {**POOLS, **PLANTS}.items()})
# For rox_cache.h and code.h alone: programs over a cache of code, and such kernels around it, by their number in
# rox.c.
CODES = {'model_rox': [], 'model_rox_plain': ['-DHM_MACHINE_KEYS=0']}
CODE_PLANTS = {f'model_rox_plant_{each}': [f'-DPLANT={each}'] for each in range(1, 5)}
PROGRAMS.update({each: ('model', ['tests/model/rox.c'], ['machine', 'random'], defines)
                 for each, defines in {**CODES, **CODE_PLANTS}.items()})


class DoesNotCompile(Exception):
    """The tree does not compile; the text says why."""


class Suites:
    """A context: its directory goes when it ends."""

    def __init__(self, compiler=None):
        self.compiler = shlex.split(compiler or os.environ.get('CC') or 'cc')
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix='hardmap-mutants-'))
        self.pristine = self.directory / 'pristine'

    def __enter__(self):
        try:
            for each in ('include', 'ports', 'tests/contract', 'tests/unit', 'tests/model'):
                shutil.copytree(ROOT / each, self.pristine / each)
            for each in (ROOT / 'tests').glob('suite*'):
                shutil.copy(each, self.pristine / 'tests')
            for name, (port, source) in COMMON.items():
                self.compile(self.pristine, port, ['-O2', '-c', self.pristine / source, '-o', self.object(name)])
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.directory, ignore_errors=True)

    def object(self, name):
        return self.directory / f'{name}.o'

    def compile(self, tree, port, arguments):
        tests = self.pristine / 'tests'
        paths = [f'-I{(self.pristine if each.startswith("tests") else tree) / each}' for each in PORTS[port]]
        command = [*self.compiler, *FLAGS, *paths, f'-I{tests}', f'-I{tests / "contract"}', *arguments]
        result = subprocess.run([str(each) for each in command], capture_output=True, text=True)
        if result.returncode:
            raise DoesNotCompile(result.stderr)

    def tree(self, file, text):
        """The sources with that file's text instead of its own. The caller removes it."""
        tree = pathlib.Path(tempfile.mkdtemp(prefix='tree-', dir=self.directory))
        for each in ('include', 'ports'):
            shutil.copytree(self.pristine / each, tree / each)
        (tree / file).write_text(text)
        return tree

    def build(self, program, tree):
        port, sources, objects, defines = PROGRAMS[program]
        executable = tree / program
        self.compile(tree, port, [*defines, *(self.pristine / each for each in sources),
                                  *map(self.object, objects), '-o', executable])
        return executable

    def run_suite(self, program, tree):
        """What that suite, built against the tree, finds wrong; empty if nothing."""
        executable = self.build(program, tree)
        try:
            result = subprocess.run([*LIMITED, executable], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                    text=True, errors='replace', timeout=WAITING)
        except subprocess.TimeoutExpired:
            return 'by time-out'
        if result.returncode < 0:
            return by_signal(result.returncode)
        failed = re.findall(r'^not ok \d+ - (.*)', result.stdout, re.M)
        if result.returncode and failed:
            return ', '.join(failed)
        if result.returncode or failed or not re.search(r'^1\.\.[1-9]', result.stdout, re.M):
            return f'status {result.returncode} without a failed case'
        return ''


def own_first(programs, file):
    """The programs, those that have a mutated header's name before others."""
    return sorted(programs, key=lambda each: not each.endswith('_' + pathlib.Path(file).stem))


def by_signal(status):
    return 'by time-out' if -status == signal.SIGXCPU else f'by signal {-status}'


def programs_of(model, programs):
    """How many of a model's programs do as much as that many of the plain one: those of a linear map, and of a pool
    or of code in one, are long."""
    return programs if model in ('model', 'model_plain') else programs // 10


def find(executable, programs, seed):
    """After how many programs from that seed the model finds something, 0 if it does not; and what."""
    try:
        result = subprocess.run([*LIMITED, executable, '--find', str(programs), str(seed)], stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True, errors='replace', timeout=WAITING)
    except subprocess.TimeoutExpired:
        return programs, 'by time-out'
    if result.returncode < 0:
        return programs, by_signal(result.returncode)
    count, _, what = result.stdout.strip().partition(' ')
    return (int(count), what) if not result.returncode and count.isdigit() else (programs, 'a broken run')


def in_parallel(function, items):
    """function(item) of each, in the order of the items; as many at once as there are CPUs."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as executor:
        yield from executor.map(function, items)
