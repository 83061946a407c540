"""Instruction words to instructions and back: the decoder and its inverse, both from the clauses' encodings.

A word is one integer of the encoding's width. In a `little` machine it is stored low parcel first; in a `big` or
`stream` machine it is the bit string in storage order, so the first parcel is the most significant. In a `stream`
machine an operand of several whole bytes stands in the stream low byte first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import TypeAlias

from popek_grammar.machine import Encoding, Instruction, Machine

ReadParcel: TypeAlias = Callable[[int], int]
GuardHolds: TypeAlias = "Callable[[Decoded, int], bool]"


@dataclass(frozen=True, slots=True)
class Decoded:
    """An instruction word taken apart.

    `operands` has all the instruction's operands, zero where this encoding lacks them; `constants` the family's fields
    and, as `FRAGMENT.alt`, the ordinal of each alternative in force.
    """

    instruction: Instruction
    encoding: Encoding
    word: int
    operands: dict[str, int]
    constants: dict[str, int]


class Decoder:
    """Decodes words of one machine. Built once; look-ups take a few dictionary accesses.

    `longest` is the width of the longest encoding.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        rows = _rows(machine)
        widths = sorted({row.encoding.width for row in rows})
        self._whole = {width: _tree([_pattern(row) for row in rows if row.encoding.width == width]) for width in widths}
        self.longest = widths[-1] if widths else 0
        steps = range(machine.parcel, self.longest, machine.parcel)
        self._longer = {width: _tree(_prefixes(machine, rows, width)) for width in steps}
        self._taken = {width: _tree(_prefixes(machine, rows, width, open_ended=True)) for width in steps}

    def decode(self, word: int, width: int) -> Decoded | None:
        """The most specific instruction whose encoding of exactly `width` bits matches; None when there is none.

        A word that every continuation turns into a longer instruction is no instruction itself.
        """
        tree = self._whole.get(width)
        row = tree.find(word) if tree is not None else None
        if row is None or (width < self.longest and self._taken[width].find(word) is not None):
            return None
        operands = dict.fromkeys(row.names, 0)
        for part in row.parts:
            operands[part.operand] |= part.extract(word)
        return Decoded(row.instruction, row.encoding, word, operands, dict(row.constants))

    def decode_cells(self, read_parcel: ReadParcel) -> Decoded | None:
        """Fetches parcel 0, 1, .. while a longer encoding can still match; the longest that does match is the answer.

        `read_parcel` gives a parcel as a number: low byte first in a `little` machine, high byte first in the others.
        What it raises passes through.
        """
        found, word, width = None, 0, 0
        while width == 0 or (width < self.longest and self._longer[width].find(word) is not None):
            word = append_parcel(self.machine, word, width, read_parcel(width // self.machine.parcel))
            width += self.machine.parcel
            found = self.decode(word, width) or found
        return found

    def reserved(self, decoded: Decoded, guard_holds: GuardHolds | None = None) -> bool:
        """Whether the encoding is reserved: a guard over operands alone fails.

        `guard_holds(decoded, n)` evaluates the instruction's guard number n, and answers True for a guard that
        needs state. Without it nothing counts as reserved.
        """
        if guard_holds is None:
            return False
        return not all(guard_holds(decoded, number) for number in range(len(decoded.instruction.guards)))


def encode(machine: Machine, encoding: Encoding, operands: Mapping[str, int]) -> tuple[int, int]:
    """The word and its width. ValueError when an operand has bits that this encoding cannot hold."""
    word, held = encoding.value, dict.fromkeys(operands, 0)
    for part in operand_parts(machine, encoding):
        value = operands.get(part.operand, 0)
        word |= part.insert(value)
        held[part.operand] = held.get(part.operand, 0) | part.mask << part.low
    lost = [name for name, value in operands.items() if value & ~held[name]]
    if lost:
        raise ValueError(f"the encoding cannot hold {', '.join(f'{name} = {operands[name]}' for name in lost)}")
    return word, encoding.width


def append_parcel(machine: Machine, word: int, width: int, parcel: int) -> int:
    """The word of `width` bits with the next parcel fetched."""
    return word | parcel << width if machine.order == "little" else word << machine.parcel | parcel


def cell_width(machine: Machine) -> int:
    """Bits of one memory cell; of one parcel in a machine without memory."""
    return machine.arrays[machine.main_memory].width if machine.main_memory else machine.parcel


def to_cells(word: int, width: int, machine: Machine) -> list[int]:
    """The cells of an instruction word in storage order."""
    return split_cells(word, width, cell_width(machine), big=machine.order != "little")


def from_cells(cells: Sequence[int], machine: Machine) -> tuple[int, int]:
    """The word, and its width, that all of `cells` make up."""
    size = cell_width(machine)
    return join_cells(cells, size, big=machine.order != "little"), size * len(cells)


def parcel_reader(cells: Sequence[int], machine: Machine) -> ReadParcel:
    """Reads parcels from cells in storage order, for `decode_cells`; IndexError past the end."""
    step = machine.parcel // cell_width(machine)

    def read(number: int) -> int:
        piece = cells[number * step : (number + 1) * step]
        if len(piece) < step:
            raise IndexError(number)
        return from_cells(piece, machine)[0]

    return read


def split_cells(value: int, width: int, size: int, big: bool) -> list[int]:
    """`value` in cells of `size` bits, the highest first when `big`."""
    cells = [value >> at & ((1 << size) - 1) for at in range(0, width, size)]
    return cells[::-1] if big else cells


def join_cells(cells: Sequence[int], size: int, big: bool) -> int:
    """The inverse of `split_cells`."""
    return reduce(lambda value, cell: value << size | cell, cells if big else reversed(cells), 0)


# -- operands in a word ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Part:
    """Bits of an operand in the word: word bits from `at` up are operand bits from `low` up; `swap` counts bytes."""

    operand: str
    at: int
    low: int
    mask: int
    swap: int

    def extract(self, word: int) -> int:
        """The operand bits that the word holds, in place."""
        bits = word >> self.at & self.mask
        return (_swapped(bits, self.swap) if self.swap else bits) << self.low

    def insert(self, value: int) -> int:
        """The word bits that hold these operand bits."""
        bits = value >> self.low & self.mask
        return (_swapped(bits, self.swap) if self.swap else bits) << self.at


def operand_parts(machine: Machine, encoding: Encoding) -> tuple[Part, ...]:
    """Where the operands stand in the word, and which of them are stored low byte first."""
    counts: dict[str, int] = {}
    for piece in encoding.pieces:
        counts[piece.operand] = counts.get(piece.operand, 0) + 1
    parts = []
    for piece in encoding.pieces:
        width = piece.hi - piece.lo + 1
        whole_bytes = width > 8 and width % 8 == 0 and piece.at % 8 == 0 and counts[piece.operand] == 1
        swap = width // 8 if machine.order == "stream" and whole_bytes else 0
        parts.append(Part(piece.operand, piece.at, piece.lo, (1 << width) - 1, swap))
    return tuple(parts)


def _swapped(value: int, count: int) -> int:
    return int.from_bytes(value.to_bytes(count, "big"), "little")


# -- look-up ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Row:
    """One encoding with what decoding it needs, prepared."""

    instruction: Instruction
    encoding: Encoding
    names: tuple[str, ...]
    parts: tuple[Part, ...]
    constants: tuple[tuple[str, int], ...]


_Pattern: TypeAlias = tuple[int, int, _Row]


def _rows(machine: Machine) -> list[_Row]:
    """All encodings, an encoding before any that it lies inside of."""
    depths = _over_depths(machine)
    rows = [_row(machine, each, encoding) for each in machine.instructions.values() for encoding in each.encodings]
    return sorted(rows, key=lambda row: (-depths[row.instruction.name], -row.encoding.mask.bit_count()))


def _row(machine: Machine, instruction: Instruction, encoding: Encoding) -> _Row:
    constants = [(name, value) for name, value, _ in instruction.constants]
    chosen = [(f"{name}.alt", ordinal) for name, ordinal in encoding.choices]
    return _Row(
        instruction,
        encoding,
        tuple(operand.name for operand in instruction.operands),
        operand_parts(machine, encoding),
        (*encoding.constants, *constants, *chosen),
    )


def _over_depths(machine: Machine) -> dict[str, int]:
    """How many `over` steps lead down from each instruction; `over` names an instruction or a clause."""
    depths: dict[str, int] = {}

    def depth(instruction: Instruction) -> int:
        if instruction.name not in depths:
            depths[instruction.name] = 0  # in case of a cycle, which the resolver reports
            below = [i for i in machine.instructions.values() if {i.name, i.clause} & set(instruction.over)]
            depths[instruction.name] = max((1 + depth(each) for each in below), default=0)
        return depths[instruction.name]

    for instruction in machine.instructions.values():
        depth(instruction)
    return depths


def _pattern(row: _Row) -> _Pattern:
    return row.encoding.mask, row.encoding.value, row


def _prefixes(machine: Machine, rows: list[_Row], width: int, open_ended: bool = False) -> list[_Pattern]:
    """What the first `width` bits fetched must look like for each encoding that is longer.

    With `open_ended` only for those that accept anything in the bits that follow.
    """
    found: dict[tuple[int, int], _Row] = {}
    for row in rows:
        more = row.encoding.width - width
        if more > 0:
            mask, rest = _cut(machine, row.encoding.mask, width, more)
            if not (open_ended and rest):
                found.setdefault((mask, _cut(machine, row.encoding.value, width, more)[0]), row)
    return [(mask, value, row) for (mask, value), row in found.items()]


def _cut(machine: Machine, bits: int, width: int, more: int) -> tuple[int, int]:
    """The first `width` bits fetched of a word, and the `more` bits that follow."""
    if machine.order == "little":
        return bits & ((1 << width) - 1), bits >> width
    return bits >> more, bits & ((1 << more) - 1)


@dataclass(frozen=True, slots=True)
class _Tree:
    """Patterns, the preferred first, split by the bits that all of them decide."""

    common: int
    branches: dict[int, _Tree]
    patterns: tuple[_Pattern, ...]

    def find(self, word: int) -> _Row | None:
        tree = self
        while tree.common:
            below = tree.branches.get(word & tree.common)
            if below is None:
                return None
            tree = below
        return next((row for mask, value, row in tree.patterns if word & mask == value), None)


def _tree(patterns: list[_Pattern], decided: int = 0) -> _Tree:
    common = reduce(and_, (mask for mask, _, _ in patterns), -1) & ~decided if patterns else 0
    if not common or len(patterns) < 3:
        return _Tree(0, {}, tuple(patterns))
    groups: dict[int, list[_Pattern]] = {}
    for pattern in patterns:
        groups.setdefault(pattern[1] & common, []).append(pattern)
    return _Tree(common, {value: _tree(group, decided | common) for value, group in groups.items()}, ())
