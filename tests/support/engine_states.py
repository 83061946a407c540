"""Random states and programs of any machine, for tests of generated code: registers, memory, instructions, edges."""

from __future__ import annotations

import io
import os
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from machines import SPEC
from popek_grammar import machine as m
from popek_grammar.assembly.decode import encode, to_cells
from popek_grammar.assembly.words import split_cells
from popek_grammar.load import machine_and_key
from popek_vmm.consoles import Stream
from popek_vmm.engine.layout import memory_region
from popek_vmm.interpreter import Machine

SMALL = 1 << 18
"""Cells of memory of a machine that many programs are run on."""
LONG = {"riscv/hypervisor.isa", "x86/svm.isa"}
"""Two stages of translation: what takes a minute or more to compile, and is tried where POPEK_STATES asks for more."""
ELEMENTS = 256
"""Elements of an array that are given values."""


def small(file: str, config: str) -> Machine:
    """The interpreter of a shipped machine, its memory cut down to SMALL cells. The code is that of the whole machine."""
    made, key = machine_and_key(str(SPEC / file), config)
    low, cells = memory_region(made)
    ram = m.Region("cut down", low, min(cells, SMALL), None, next(iter(made.scalars.values())).span)
    devices = {name: region for name, region in made.regions.items() if region.device is not None}
    return Machine(replace(made, regions={ram.name: ram, **devices}), key, Stream(io.BytesIO()))


def not_too_long(file: str) -> None:
    """Skips a machine that compiles for long."""
    if file in LONG and "POPEK_STATES" not in os.environ:
        pytest.skip("compiles for a minute or more; POPEK_STATES=1 tries it")


# -- numbers -----------------------------------------------------------------------------------------------------------


def number(rng: random.Random, width: int, boundary: bool) -> int:
    if boundary:
        return rng.choice([0, 1, (1 << width) - 1, 1 << (width - 1), (1 << (width - 1)) - 1])
    return rng.getrandbits(width)


def legal_value(rng: random.Random, scalar: m.Scalar, boundary: bool) -> int:
    if scalar.legal is None:
        return number(rng, max(scalar.width, 1), boundary)
    return rng.randint(*rng.choice(scalar.legal))


def edge(rng: random.Random, low: int, size: int, width: int) -> int:
    """An address in guest memory, at its first or last cells, just outside, or where addresses wrap."""
    near = rng.choice([low, low, low + size, low + size, 0, 1 << width, 1 << (width - 1), low + rng.randrange(size)])
    return (near + rng.randint(-20, 20)) & ((1 << width) - 1)


def element(rng: random.Random, array: m.Array, boundary: bool, low: int, size: int) -> int:
    """Often an address in guest memory, so that loads and stores complete."""
    if rng.random() < 0.5 and array.width >= (low + size).bit_length():
        return low + rng.randrange(size)
    return number(rng, array.width, boundary)


# -- instructions ------------------------------------------------------------------------------------------------------


def word_of(rng: random.Random, made: m.Machine, instruction: m.Instruction, small: bool = False) -> list[int]:
    """The cells of one encoding of an instruction, operands at random. `small`: wide ones (displacements) are often so."""
    encoding = rng.choice(instruction.encodings)
    present = {piece.operand for piece in encoding.pieces}
    operands = {o.name: rng.getrandbits(o.width) & o.present for o in instruction.operands if o.name in present}
    for operand in instruction.operands if small else ():
        if operand.name in present and operand.width > 5 and rng.random() < 0.6:
            operands[operand.name] = rng.choice((0, 0, 8, 16, 32)) & operand.present
    if instruction.split and rng.random() < 0.9:
        operands[instruction.split[0]] = rng.choice(list(made.csrs))
    return to_cells(*encode(made, encoding, operands), made)


# -- putting them into the interpreter ---------------------------------------------------------------------------------


def wipe(running: Machine) -> None:
    """Empties memory, what was decoded from it, and the arrays; every scalar to its reset value."""
    for block in (running.core.memory, running.core.entries, running.core.flags):
        block.bytes[:] = bytes(block.size)
    restart(running)


def restart(running: Machine) -> None:
    """Empties the arrays beside memory; every scalar to its reset value, and fresh devices."""
    for array in beside_memory(running.machine):
        slot = running.built.shape.layout.slots[array.name]
        running.core.state.bytes[slot.offset : slot.offset + slot.size * slot.count] = bytes(slot.size * slot.count)
    running.reset()


def beside_memory(made: m.Machine) -> list[m.Array]:
    return [array for array in made.arrays.values() if array.name != made.main_memory]


def fill(running: Machine, cells: Sequence[int]) -> None:
    """Puts cells into memory, from its start on again and again."""
    size = running.core.shape.cell_bytes
    data = b"".join(cell.to_bytes(size, "little") for cell in cells)
    whole = running.core.cells * size
    running.core.memory.bytes[:whole] = (data * (whole // len(data) + 1))[:whole]
    running.core.forget_all()


def addresses(running: Machine, rng: random.Random) -> None:
    """Some words of memory become addresses, as tables, vectors and saved states hold them."""
    made, cells = running.machine, running.core.cells
    memory = made.arrays[made.main_memory or ""]
    count = max(1, -(-made.scalars[made.pc].width // memory.width))
    for _ in range(cells // 64):
        at = rng.randrange(cells // count) * count
        value = wild(rng, running, memory.width * count)
        for offset, cell in enumerate(split_cells(value, memory.width * count, memory.width, memory.big_endian)):
            running.core.put_cell(running.core.low + at + offset, cell)


# -- random registers --------------------------------------------------------------------------------------------------


def registers(running: Machine, rng: random.Random) -> None:
    """Random registers, and pc somewhere in memory. In a calm state what is not the guest's is as after reset, by and large."""
    made = running.machine
    calm = rng.random() < 0.7
    for scalar in made.scalars.values():
        running.set(scalar.name, scalar_value(rng, scalar, running, calm and scalar.role is not m.Role.GUEST))
    for array in beside_memory(made):
        pick = rng.choice((zero, zero, random_bits, wild)) if array.role is not m.Role.GUEST else wild
        for index in range(min(1 << array.index_width, array.count, ELEMENTS)):
            running.set(array.name, pick(rng, running, array.width), index)
    running.set(made.pc, place_to_start(rng, running))


def scalar_value(rng: random.Random, scalar: m.Scalar, running: Machine, calm: bool) -> int:
    """As after reset in a calm state, but for where traps may go."""
    if scalar.legal is None and scalar.width >= 12 and not calm:
        return wild(rng, running, scalar.width)
    if calm and scalar.role is m.Role.CONTROL and scalar.width >= 12 and scalar.legal is None:
        return running.core.low + rng.randrange(running.core.cells) >> rng.choice((0, 0, 1, 2))
    return scalar.initial if calm else legal_value(rng, scalar, rng.random() < 0.5)


def zero(rng: random.Random, running: Machine, width: int) -> int:
    return 0


def random_bits(rng: random.Random, running: Machine, width: int) -> int:
    return rng.getrandbits(width)


def wild(rng: random.Random, running: Machine, width: int) -> int:
    """A number that is likely an address, or one shifted as tables and vectors hold it."""
    if rng.random() < 0.2:
        return number(rng, width, rng.random() < 0.5)
    return edge(rng, running.core.low, running.core.cells, max(width, 1)) >> rng.choice((0, 0, 0, 0, 2, 12))


def place_to_start(rng: random.Random, running: Machine) -> int:
    low, cells, parcel = running.core.low, running.core.cells, running.core.shape.parcel_cells
    longest = running.core.shape.longest
    at = rng.choice([rng.randrange(cells), rng.randrange(min(64, cells)), cells - 1 - rng.randrange(min(4 * longest, cells))])
    return low + at // parcel * parcel & (1 << running.machine.scalars[running.machine.pc].width) - 1


def hot_places(running: Machine, rng: random.Random) -> list[int]:
    """Where a program starts, and two places of its data, one of them near: above what tables and vectors take."""
    low, cells = running.core.low, running.core.cells
    first = min(1 << 16, cells // 4)
    start, data = (low + rng.randrange(first, max(cells - 256, first + 1)) & -32 for _ in range(2))
    return [start, start + 64, data]


def near(running: Machine, rng: random.Random, hot: list[int]) -> None:
    """Most registers of the guest hold addresses close to hot ones, so that what is there is read and written again and again."""
    made = running.machine
    for array in beside_memory(made):
        for index in range(array.count if array.role is m.Role.GUEST and array.width >= 16 else 0):
            if rng.random() < 0.75:
                at = rng.choice(hot) + (rng.randint(-4, 4) * 8 if rng.random() < 0.5 else 0)
                running.set(array.name, at & (1 << array.width) - 1, index)
