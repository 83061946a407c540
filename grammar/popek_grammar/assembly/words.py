"""Instruction words as numbers: operands put in and taken out, and how a word lies in memory cells.

A word is one integer of the encoding's width. In a `little` machine it is stored low parcel first; in a `big` or
`stream` machine it is the bit string in storage order, so the first parcel is the most significant. In a `stream`
machine an operand of several whole bytes stands in the stream low byte first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from popek_grammar.machine import Encoding, Machine


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


def parcel_reader(cells: Sequence[int], machine: Machine) -> Callable[[int], int]:
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
