"""The disassembler: instruction words to lines that assemble back to the very same words.

A line that would assemble to something else, because several encodings fit it or because the template leaves operands
out, ends in a hint in braces, which the assembler reads. Words that are no instruction become data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from popek_grammar.assembly.asmexpr import Scope
from popek_grammar.assembly.asmline import Assembler, Candidate, Hint, assembler_of
from popek_grammar.assembly.assemble import DATA_WIDTHS
from popek_grammar.assembly.decode import Decoded, GuardHolds
from popek_grammar.assembly.words import cell_width, join_cells, parcel_reader, to_cells
from popek_grammar.machine import Machine


def disassemble_word(machine: Machine, word: int, width: int, pc: int = 0, guard_holds: GuardHolds | None = None) -> str | None:
    """The line for a word of `width` bits at address `pc`; None when it is no instruction."""
    assembler = assembler_of(machine, guard_holds)
    decoded = assembler.decoder.decode(word, width)
    return line_of(assembler, decoded, pc) if decoded is not None else None


def disassemble(machine: Machine, data: Sequence[int], origin: int = 0, guard_holds: GuardHolds | None = None) -> Disassembly:
    """The lines for memory cells (bytes, where cells have 8 bits) that start at `origin`.

    `guard_holds` must be what the lines are assembled with: which of several fits is the first depends on it.
    """
    assembler, rows, at = assembler_of(machine, guard_holds), [], 0
    while at < len(data):
        row = _row(assembler, data, at, origin + at)
        rows.append(row)
        at += len(row.cells)
    return Disassembly(origin, tuple(rows))


@dataclass(frozen=True, slots=True)
class Row:
    """An instruction, or data, at an address."""

    address: int
    cells: tuple[int, ...]
    text: str
    decoded: Decoded | None


@dataclass(frozen=True, slots=True)
class Disassembly:
    """Consecutive rows. `text` assembles at `origin` to the same cells."""

    origin: int
    rows: tuple[Row, ...]

    @property
    def text(self) -> str:
        return "".join(f"    {row.text}\n" for row in self.rows)

    def render(self) -> str:
        """With addresses and cells in front."""
        return "\n".join(f"{r.address:8x}: {' '.join(f'{c:02x}' for c in r.cells):24} {r.text}" for r in self.rows)


def line_of(assembler: Assembler, decoded: Decoded, pc: int) -> str:
    """The line of a decoded instruction, with a hint when the text alone says less than the word."""
    candidate = assembler.candidate(decoded.encoding)
    texts = [assembler.operands.show(place, decoded.operands[place.slot.name], pc) for place in candidate.places]
    text = candidate.template.fill(texts)
    shown = {place.slot.name for place in candidate.places}
    hidden = tuple((name, value) for name, value in decoded.operands.items() if value and name not in shown)
    choice = 0 if len(assembler.candidates(text)) == 1 else _choice(assembler, candidate, text, Hint(0, hidden), pc)
    hint = Hint(choice, hidden)
    return f"{text} {{{hint}}}" if choice or hidden else text


def _choice(assembler: Assembler, meant: Candidate, text: str, hint: Hint, pc: int) -> int:
    """Which of the encodings that fit the line is meant; 0 when it is the first."""
    for number, fit in enumerate(assembler.fits(text, hint, Scope(pc)), 1):
        if fit.candidate.encoding is meant.encoding:
            return number if number > 1 else 0
    return 0


# -- memory ----------------------------------------------------------------------------------------------------------


def _row(assembler: Assembler, data: Sequence[int], at: int, address: int) -> Row:
    decoded = _decoded(assembler, data, at)
    if decoded is not None:
        cells = to_cells(decoded.word, decoded.encoding.width, assembler.machine)
        return Row(address, tuple(cells), line_of(assembler, decoded, address), decoded)
    return _data(assembler.machine, data, at, address)


def _decoded(assembler: Assembler, data: Sequence[int], at: int) -> Decoded | None:
    longest = assembler.decoder.longest // cell_width(assembler.machine)
    read = parcel_reader(data[at : at + longest], assembler.machine)
    try:
        return assembler.decoder.decode_cells(read)
    except IndexError:
        return None


def _data(machine: Machine, data: Sequence[int], at: int, address: int) -> Row:
    """A parcel of data, or one cell at the end; `.byte` when a parcel has no directive of its own."""
    cell = cell_width(machine)
    big = machine.main_memory is not None and machine.arrays[machine.main_memory].big_endian
    directives = {width: name for name, width in DATA_WIDTHS.items()}
    cells = tuple(data[at : at + machine.parcel // cell])
    if machine.parcel not in directives or len(cells) * cell < machine.parcel:
        cells = cells[:1]
    width = len(cells) * cell
    name = directives.get(width, next(name for size, name in sorted(directives.items()) if size >= min(width, 64)))
    return Row(address, cells, f"{name} {join_cells(cells, cell, big):#0{width // 4 + 2}x}", None)
