"""The decoder: from fetched parcels to the most specific instruction that they encode.

Its inverse, and how words lie in memory, is `words.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import TypeAlias

from popek_grammar.assembly.words import (
    Part,
    append_parcel,
    cell_width,
    encode,
    from_cells,
    operand_parts,
    parcel_reader,
    to_cells,
)
from popek_grammar.machine import Encoding, Instruction, Machine

__all__ = [
    "Decoded", "Decoder", "cell_width", "decoder_of", "encode", "from_cells", "operand_parts", "parcel_reader", "to_cells",
]  # fmt: skip

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


_known: list[Decoder] = []


def decoder_of(machine: Machine) -> Decoder:
    """The decoder of a machine; the last few are kept, since building one orders every encoding."""
    for decoder in _known:
        if decoder.machine is machine:
            return decoder
    decoder = Decoder(machine)
    _known[:] = [decoder, *_known[:7]]
    return decoder


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
