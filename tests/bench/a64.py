# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""a64.py -- executes the functions of an arm64 object file, as objdump prints them, one instruction at a
time. It knows the few instructions that a compiler uses for integer code, and stops at any other one with
an error: what it counts was really executed, and what it cannot execute it does not count."""

import re
import subprocess

MASK = (1 << 64) - 1
CODE_BASE = 0xFFFF800008000000  # of the first section; each has 1 MiB
EXTERN_BASE = 0xFFFF800010000000  # of functions that are not in the object
STACK_BASE = 0xFFFF800020000000
STACK_SIZE = 0x1000
RETURN = 0xFFFF800030000000  # where the outermost call returns to


class Error(Exception):
    """The execution cannot go on, or must not: an instruction, access or register outside the model."""


class Insn:
    """One instruction: its address, function, section, mnemonic, operands and relocation."""

    def __init__(self, address, function, section, text):
        text = text.split('//')[0].strip()
        self.address, self.function, self.section, self.text = address, function, section, text
        self.mnemonic, _, rest = text.replace('\t', ' ').partition(' ')
        # At commas, but not inside brackets.
        self.operands = [part.strip() for part in re.findall(r'(?:\[[^]]*\]!?|[^,])+', rest)]
        self.reloc = None  # (type, symbol or section, addend)

    def __str__(self):
        return '%s+0x%x: %s' % (self.function, self.address & 0xFFFFF, ' '.join(self.text.split()))


class Image:
    """The code of an object file."""

    LABEL = re.compile(r'^([0-9a-f]+) <(.+)>:$')
    INSN = re.compile(r'^\s+([0-9a-f]+):\t(.+)$')
    RELOC = re.compile(r'^\s+[0-9a-f]+: (R_AARCH64_\w+)\s+(\S+?)(?:([+-])0x([0-9a-f]+))?$')

    def __init__(self, objdump, path):
        # no-aliases: one name for one instruction, so that there are fewer of them to know.
        command = [objdump, '-dr', '--no-show-raw-insn', '-M', 'no-aliases', path]
        self.insns, self.symbols, self.bases, self.externs = {}, {}, {}, {}
        section = function = last = None
        listing = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        for line in listing.splitlines():
            if line.startswith('Disassembly of section '):
                section = line[len('Disassembly of section '):-1]
                continue
            match = self.LABEL.match(line)
            if match:
                function = match.group(2)
                self.symbols[function] = self.base(section) + int(match.group(1), 16)
                continue
            match = self.INSN.match(line)
            if match:
                address = self.base(section) + int(match.group(1), 16)
                last = self.insns[address] = Insn(address, function, section, match.group(2))
                continue
            match = self.RELOC.match(line)
            if match:
                addend = int(match.group(4) or '0', 16)
                last.reloc = (match.group(1), match.group(2),
                              -addend if match.group(3) == '-' else addend)
            elif 'R_AARCH64' in line:
                raise Error('cannot read the relocation: ' + line.strip())
        if not self.insns:
            raise Error('%s: no code' % path)
        self.constants = self.read_constants(objdump, path)

    CONSTANTS = re.compile(r'^ ([0-9a-f]+) ((?:[0-9a-f]{2,8} ){1,4})')

    def read_constants(self, objdump, path):
        """The bytes of .rodata, such as a table that a switch became; empty if there are none."""
        command = [objdump, '-s', '-r', '-j', '.rodata', path]
        listing = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
        if 'R_AARCH64' in listing:
            raise Error('%s: constants with relocations' % path)
        rows = filter(None, map(self.CONSTANTS.match, listing.splitlines()))
        return bytes.fromhex(''.join(row.group(2) for row in rows))

    def base(self, section):
        return self.bases.setdefault(section, CODE_BASE + len(self.bases) * 0x100000)

    def symbol(self, name):
        """The address of a section, a function, or something outside the object."""
        if name.startswith('.'):
            return self.base(name)
        if name in self.symbols:
            return self.symbols[name]
        return self.externs.setdefault(name, EXTERN_BASE + len(self.externs) * 16)

    def target(self, insn):
        """Where a branch goes."""
        if insn.reloc:
            kind, name, addend = insn.reloc
            if kind not in ('R_AARCH64_CALL26', 'R_AARCH64_JUMP26', 'R_AARCH64_CONDBR19'):
                raise Error('unknown relocation %s at %s' % (kind, insn))
            return self.symbol(name) + addend
        return self.base(insn.section) + int(insn.operands[-1].split()[0], 16)

    def extern_at(self, address):
        return next((name for name, at in self.externs.items() if at == address), None)

    def function(self, name):
        return [insn for insn in self.insns.values() if insn.function == name]


class Memory:
    """Named regions; an access outside them is an error."""

    def __init__(self):
        self.regions = []

    def add(self, name, base, size):
        self.regions.append((name, base, bytearray(size)))

    def fill(self, region, content):
        next(data for name, _, data in self.regions if name == region)[:] = content

    def find(self, address, size):
        if address % size:
            raise Error('misaligned access to 0x%x' % address)
        for name, base, data in self.regions:
            if base <= address and address + size <= base + len(data):
                return name, address - base, data
        raise Error('access to 0x%x, where there is nothing' % address)

    def load(self, address, size=8):
        _, offset, data = self.find(address, size)
        return int.from_bytes(data[offset:offset + size], 'little')

    def store(self, address, value, size=8):
        _, offset, data = self.find(address, size)
        data[offset:offset + size] = (value & ((1 << 8 * size) - 1)).to_bytes(size, 'little')


class Trace:
    """What one call executed, without what its callees did."""

    def __init__(self):
        self.kinds = {'code': 0, 'frame': 0, 'barrier': 0, 'call': 0, 'ret': 0}
        self.writes = []  # system registers written
        self.barriers, self.calls = [], []
        self.loads, self.stores = [], []  # addresses; (address, value)
        self.result = None  # x0, x1

    def total(self):
        """All instructions but the return."""
        return sum(self.kinds.values()) - self.kinds['ret']


CONDITIONS = {
    'eq': lambda n, z, c, v: z, 'ne': lambda n, z, c, v: not z,
    'cs': lambda n, z, c, v: c, 'cc': lambda n, z, c, v: not c,
    'mi': lambda n, z, c, v: n, 'pl': lambda n, z, c, v: not n,
    'vs': lambda n, z, c, v: v, 'vc': lambda n, z, c, v: not v,
    'hi': lambda n, z, c, v: c and not z, 'ls': lambda n, z, c, v: not c or z,
    'ge': lambda n, z, c, v: n == v, 'lt': lambda n, z, c, v: n != v,
    'gt': lambda n, z, c, v: not z and n == v, 'le': lambda n, z, c, v: z or n != v,
}
CALLEE_SAVED = range(19, 31)


def immediate(text):
    if not text.startswith('#'):
        raise Error('not an immediate: ' + text)
    return int(text[1:], 0)


class Machine:
    """One CPU. Functions outside the object are Python functions of the machine, by name."""

    def __init__(self, image, memory, system_registers, externs):
        self.image, self.memory = image, memory
        self.system_registers, self.externs = system_registers, externs
        if not any(name == 'stack' for name, _, _ in memory.regions):
            memory.add('stack', STACK_BASE, STACK_SIZE)
            memory.add('constants', image.base('.rodata'), len(image.constants))
            memory.fill('constants', image.constants)
        self.sp = STACK_BASE + STACK_SIZE

    def call(self, function, *arguments):
        """Executes one function to its return. Registers that hold nothing by the procedure call
        standard are None: reading one is an error."""
        if function not in self.image.symbols:
            raise Error('no function ' + function)
        outer = vars(self).copy()
        self.x = [None] * 31
        self.x[:len(arguments)] = [argument & MASK for argument in arguments]
        for r in CALLEE_SAVED:
            self.x[r] = 0xCA11EE5AFE000000 + r
        self.x[30] = RETURN
        self.flags, self.entry, self.trace = None, list(self.x), Trace()
        self.sp = entry_sp = self.sp - 64  # what the caller has there is the caller's
        self.pc = self.image.symbols[function]
        for _ in range(100000):
            if self.pc == RETURN:
                break
            self.step()
        else:
            raise Error(function + ' does not end')
        if self.sp != entry_sp or self.x[19:30] != self.entry[19:30]:
            raise Error(function + ' does not restore what is its caller\'s')
        trace = self.trace
        trace.result = (self.x[0], self.x[1])
        vars(self).clear()
        vars(self).update(outer)
        return trace

    # ---- registers ----
    def width(self, name):
        return 32 if name.startswith('w') else 64

    def get(self, name):
        if name in ('xzr', 'wzr'):
            return 0
        if name == 'sp':
            return self.sp
        if not re.fullmatch(r'[xw](30|[12]?\d)', name):
            raise Error('unknown register ' + name)
        value = self.x[int(name[1:])]
        if value is None:
            raise Error('reads %s, which holds nothing' % name)
        return value & ((1 << self.width(name)) - 1)

    def set(self, name, value):
        value &= (1 << self.width(name)) - 1
        if name == 'sp':
            self.sp = value
        elif name not in ('xzr', 'wzr'):
            if not re.fullmatch(r'[xw](30|[12]?\d)', name):
                raise Error('unknown register ' + name)
            self.x[int(name[1:])] = value

    def condition(self, name):
        if self.flags is None:
            raise Error('uses flags that hold nothing')
        if name not in CONDITIONS:
            raise Error('unknown condition ' + name)
        return bool(CONDITIONS[name](*self.flags))

    def shifted(self, operands, width):
        """The last operand of an arithmetic instruction: an immediate or a register, shifted or
        extended."""
        if operands[0].startswith('#'):
            value = immediate(operands[0])
        else:
            value = self.get(operands[0])
        if len(operands) > 2:
            raise Error('unknown operands ' + ', '.join(operands))
        if len(operands) == 2:
            how, _, amount = operands[1].partition(' ')
            amount = immediate(amount or '#0')
            if how in ('uxtw', 'uxtx'):
                value <<= amount
            elif how == 'sxtw':
                value = (value - ((value & 0x80000000) << 1)) << amount
            elif how == 'lsl':
                value <<= amount
            elif how == 'lsr':
                value >>= amount
            else:
                raise Error('unknown operand ' + operands[1])
        return value & ((1 << width) - 1)

    def add(self, a, b, carry, width):
        """The sum and its flags."""
        mask, sign = (1 << width) - 1, 1 << (width - 1)
        total = a + b + carry
        result = total & mask
        return result, (bool(result & sign), not result, total > mask,
                        bool(~(a ^ b) & (a ^ result) & sign))

    # ---- one instruction ----
    def step(self):
        insn = self.image.insns.get(self.pc)
        if insn is None:
            raise Error('executes 0x%x, where there is no instruction' % self.pc)
        try:
            execute = self.EXECUTE.get(insn.mnemonic.partition('.')[0])
            if execute is None:
                raise Error('unknown instruction')
            self.kind, self.next = 'code', self.pc + 4
            execute(self, insn, insn.mnemonic, insn.operands)
        except Error as error:
            raise Error('%s: %s' % (insn, error)) from None
        except (IndexError, ValueError) as error:
            raise Error('%s: cannot read the operands (%s)' % (insn, error)) from None
        self.trace.kinds[self.kind] += 1
        self.pc = self.next

    def do_arithmetic(self, insn, mnemonic, ops):
        width = self.width(ops[0])
        mask = (1 << width) - 1
        if insn.reloc:
            kind, name, addend = insn.reloc
            if kind != 'R_AARCH64_ADD_ABS_LO12_NC':
                raise Error('unknown relocation ' + kind)
            b = (self.image.symbol(name) + addend) & 0xFFF
        else:
            b = self.shifted(ops[2:], width)
        a = self.get(ops[1])
        if mnemonic.startswith('sub'):
            result, flags = self.add(a, ~b & mask, 1, width)
        else:
            result, flags = self.add(a, b, 0, width)
        if mnemonic.endswith('s'):
            self.flags = flags
        if ops[0] == 'sp' or (ops[0] == 'x29' and ops[1] == 'sp'):
            self.kind = 'frame'
        self.set(ops[0], result)

    def do_logic(self, insn, mnemonic, ops):
        width = self.width(ops[0])
        a, b = self.get(ops[1]), self.shifted(ops[2:], width)
        if mnemonic in ('bic', 'bics', 'orn', 'eon'):
            b = ~b & ((1 << width) - 1)
        if mnemonic in ('and', 'ands', 'bic', 'bics'):
            result = a & b
        elif mnemonic in ('orr', 'orn'):
            result = a | b
        else:
            result = a ^ b
        if mnemonic in ('ands', 'bics'):
            self.flags = (bool(result >> (width - 1)), not result, False, False)
        self.set(ops[0], result)

    def do_move(self, insn, mnemonic, ops):
        shift = immediate(ops[2].partition(' ')[2]) if len(ops) > 2 else 0
        value = immediate(ops[1]) << shift
        if mnemonic == 'movn':
            value = ~value
        elif mnemonic == 'movk':
            value |= self.get(ops[0]) & ~(0xFFFF << shift)
        self.set(ops[0], value)

    def do_bitfield(self, insn, mnemonic, ops):
        width, value = self.width(ops[0]), self.get(ops[1])
        right, top = immediate(ops[2]), immediate(ops[3])
        if top >= right:
            length, low, value = top - right + 1, 0, value >> right
        else:
            length, low = top + 1, width - right
        ones = (1 << length) - 1
        value &= ones
        if mnemonic == 'bfm':
            value = (self.get(ops[0]) & ~(ones << low)) | value << low
        elif mnemonic == 'sbfm':
            value = (value - ((value >> (length - 1)) << length)) << low
        else:
            value <<= low
        self.set(ops[0], value)

    def do_shift(self, insn, mnemonic, ops):
        amount = self.get(ops[2]) % self.width(ops[0])
        value = self.get(ops[1])
        self.set(ops[0], value << amount if mnemonic == 'lslv' else value >> amount)

    def do_multiply_add(self, insn, mnemonic, ops):
        self.set(ops[0], self.get(ops[1]) * self.get(ops[2]) + self.get(ops[3]))

    def do_select(self, insn, mnemonic, ops):
        value = self.get(ops[2])
        if self.condition(ops[3]):
            value = self.get(ops[1])
        elif mnemonic == 'csinc':
            value += 1
        elif mnemonic == 'csinv':
            value = ~value
        self.set(ops[0], value)

    def do_conditional_compare(self, insn, mnemonic, ops):
        width = self.width(ops[0])
        if self.condition(ops[3]):
            b = self.shifted(ops[1:2], width)
            if mnemonic == 'ccmp':
                _, self.flags = self.add(self.get(ops[0]), ~b & ((1 << width) - 1), 1, width)
            else:
                _, self.flags = self.add(self.get(ops[0]), b, 0, width)
        else:
            nzcv = immediate(ops[2])
            self.flags = tuple(bool(nzcv & bit) for bit in (8, 4, 2, 1))

    def do_address(self, insn, mnemonic, ops):
        if not insn.reloc or insn.reloc[0] != 'R_AARCH64_ADR_PREL_PG_HI21':
            raise Error('without a relocation that is known')
        self.set(ops[0], (self.image.symbol(insn.reloc[1]) + insn.reloc[2]) & ~0xFFF)

    def do_memory(self, insn, mnemonic, ops):
        if insn.reloc:
            raise Error('unknown relocation ' + insn.reloc[0])
        registers = ops[:2] if mnemonic.endswith('p') else ops[:1]
        where, after = ops[len(registers)], ops[len(registers) + 1:]
        match = re.fullmatch(r'\[(\w+)(?:, (.*?))?\](!?)', where)
        if not match:
            raise Error('unknown address ' + where)
        base, index, pre = match.group(1), match.group(2), match.group(3)
        address = start = self.get(base)
        if index and index.startswith('#'):
            address += immediate(index)
        elif index:
            address += self.shifted(index.split(', '), 64)
        address &= MASK
        if pre:
            start = address
        elif after:
            start = (start + immediate(after[0])) & MASK
        size = self.width(registers[0]) // 8
        if self.width(registers[-1]) // 8 != size:
            raise Error('registers of two widths')
        saved = base == 'sp'
        for i, register in enumerate(registers):
            at = address + i * size
            if mnemonic.startswith('ld'):
                value = self.memory.load(at, size)
                self.trace.loads.append(at)
                self.set(register, value)
            else:
                value = self.get(register)
                self.trace.stores.append((at, value))
                self.memory.store(at, value, size)
            # Part of the frame only if it keeps a callee-saved register for the caller: a spill of
            # something else is work.
            number = int(register[1:]) if register[1:].isdigit() else 0
            saved = saved and number in CALLEE_SAVED and value == self.entry[number]
        if pre or after:
            self.set(base, start)
        if saved:
            self.kind = 'frame'

    def go(self, insn, link):
        """A branch: inside the function, or to another one or to an extern, which is a call even if it
        does not return here."""
        target = self.image.target(insn)
        extern = self.image.extern_at(target)
        there = self.image.insns.get(target)
        if not link and not extern and there and there.function == insn.function:
            self.next = target
            return
        self.kind = 'call'
        self.trace.calls.append(extern or (there.function if there else hex(target)))
        if link:
            self.x[30] = self.pc + 4
        self.next = target
        if not extern:
            return
        if extern not in self.externs:
            raise Error('calls ' + extern)
        self.externs[extern](self)
        self.next = self.x[30]
        self.x[:19], self.x[30], self.flags = [None] * 19, None, None

    def do_branch(self, insn, mnemonic, ops):
        if '.' not in mnemonic or self.condition(mnemonic.partition('.')[2]):
            self.go(insn, mnemonic == 'bl')

    def do_compare_branch(self, insn, mnemonic, ops):
        if (self.get(ops[0]) == 0) == (mnemonic == 'cbz'):
            self.go(insn, False)

    def do_test_branch(self, insn, mnemonic, ops):
        if (self.get(ops[0]) >> immediate(ops[1]) & 1) == (mnemonic == 'tbnz'):
            self.go(insn, False)

    def do_return(self, insn, mnemonic, ops):
        self.kind, self.next = 'ret', self.get(ops[0] if ops else 'x30')

    def do_read_system(self, insn, mnemonic, ops):
        if ops[1] not in self.system_registers:
            raise Error('unknown system register')
        self.set(ops[0], self.system_registers[ops[1]])

    def do_write_system(self, insn, mnemonic, ops):
        if ops[0] not in self.system_registers:
            raise Error('unknown system register')
        self.system_registers[ops[0]] = self.get(ops[1])
        self.trace.writes.append(ops[0])

    def do_barrier(self, insn, mnemonic, ops):
        self.kind = 'barrier'
        self.trace.barriers.append(' '.join([mnemonic] + ops))

    def do_hint(self, insn, mnemonic, ops):
        if ops != ['#0x0']:  # NOP
            raise Error('unknown hint')

    EXECUTE = {
        'add': do_arithmetic, 'adds': do_arithmetic, 'sub': do_arithmetic, 'subs': do_arithmetic,
        'and': do_logic, 'ands': do_logic, 'bic': do_logic, 'bics': do_logic, 'orr': do_logic,
        'orn': do_logic, 'eor': do_logic, 'eon': do_logic,
        'movz': do_move, 'movn': do_move, 'movk': do_move,
        'ubfm': do_bitfield, 'sbfm': do_bitfield, 'bfm': do_bitfield,
        'lslv': do_shift, 'lsrv': do_shift,
        'madd': do_multiply_add, 'umaddl': do_multiply_add,
        'csel': do_select, 'csinc': do_select, 'csinv': do_select,
        'ccmp': do_conditional_compare, 'ccmn': do_conditional_compare,
        'adrp': do_address,
        'ldr': do_memory, 'ldur': do_memory, 'ldp': do_memory,
        'str': do_memory, 'stur': do_memory, 'stp': do_memory,
        'b': do_branch, 'bl': do_branch, 'cbz': do_compare_branch, 'cbnz': do_compare_branch,
        'tbz': do_test_branch, 'tbnz': do_test_branch, 'ret': do_return,
        'mrs': do_read_system, 'msr': do_write_system, 'dsb': do_barrier, 'dmb': do_barrier, 'isb': do_barrier,
        'hint': do_hint,
    }
