"""Aligned columns: which lines form a table, where their cells begin, and how wide the columns are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest

from popek_grammar.text.spacing import Piece, joined

LONGEST_LINE = 120
LONGEST_CELL = 40
"""A longer cell sticks out of its column rather than widening it for all."""

FIELD_BLOCKS = frozenset(("csr", "register"))
ATTRIBUTES = frozenset(("role", "reset", "when", "zero", "names"))
KEYED: dict[str, frozenset[str]] = {
    "instr": frozenset(("enc", "ops", "asm", "needs", "when", "over", "do")),
    "trap_stack": frozenset(("vector", "save", "record", "enter", "leave", "clobber")),
    "fragment": frozenset(("alt",)),
    "program": frozenset(("state", "csr")),
}
"""The lines, by block and first word, whose first word is a column of its own."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line to be printed: `table` names the kind of table it may be a row of, and is empty for other lines.

    A line that only goes on with the one before, or only comments, does not end a table.
    """

    indent: int
    pieces: tuple[Piece, ...]
    table: str = ""
    comment: str = ""
    goes_on: bool = False


def table_of(pieces: Sequence[Piece], block: str) -> str:
    """The kind of table that a line in a block of kind `block` belongs to."""
    first = pieces[0].text if pieces else ""
    if any(p.text == "=>" and not p.depth for p in pieces):
        return "arm"
    if first == "guard" and any(p.text == "else" and not p.depth for p in pieces):
        return "guard"
    if any(p.text == ";" for p in pieces):
        return ""
    if block in FIELD_BLOCKS and len(pieces) > 1 and pieces[1].text == "[":
        return "field"
    if block == "state" and any(p.text == ":" and not p.depth for p in pieces):
        return "state"
    if first in KEYED.get(block, ()):
        return block
    return "rule" if block == "csr_space" and len(pieces) > 1 and pieces[1].text == "=" else ""


def print_rows(rows: Sequence[Row]) -> Iterator[str]:
    """The rows as text, runs of rows of one table with aligned cells, and then comments of a run aligned."""
    texts: list[str] = []
    for start, end in _runs(rows, _table_kind):
        texts += _aligned(rows[start:end])
    for start, end in _runs(rows, lambda row: row.indent if row.comment and row.pieces else ALONE):
        yield from _with_comments(rows[start:end], texts[start:end])


ALONE, ANY = "alone", "any"
"""Kinds of row: one that is in no run with others, and one that is in the run of those before it."""


def _table_kind(row: Row) -> object:
    if row.goes_on or (row.comment and not row.pieces):
        return ANY
    return (row.table, row.indent) if row.table else ALONE


def _runs(rows: Sequence[Row], kind: Callable[[Row], object]) -> Iterator[tuple[int, int]]:
    """Stretches of rows of equal kind."""
    start = 0
    for end in range(1, len(rows) + 1):
        if end == len(rows) or kind(rows[end]) == ALONE or kind(rows[end]) not in (kind(rows[start]), ANY):
            yield start, end
            start = end


def _aligned(rows: Sequence[Row]) -> list[str]:
    plain = [" " * row.indent + joined(row.pieces) for row in rows]
    cells = {position: _cells(row) for position, row in enumerate(rows) if row.table}
    if len(cells) < 2:
        return plain
    widths = [_width(column) for column in zip_longest(*(row[:-1] for row in cells.values()), fillvalue="")]
    aligned = list(plain)
    for position, row in cells.items():
        aligned[position] = " " * rows[position].indent + _padded(row, widths, rows[position].table)
    return aligned if max(map(len, aligned)) <= LONGEST_LINE else plain


def _width(column: Sequence[str]) -> int:
    return max((len(cell) for cell in column if len(cell) <= LONGEST_CELL), default=0)


def _padded(cells: Sequence[str], widths: Sequence[int], table: str) -> str:
    # Where the cells are whole phrases two blanks keep them apart.
    gap = "  " if table in ("field", "state", "fragment") else " "
    padded = [cell.ljust(width) for cell, width in zip(cells[:-1], widths, strict=False)]
    text = gap.join([*padded, cells[-1]])
    return text.rstrip()


def _cells(row: Row) -> list[str]:
    starts = [0, *(i for i in SPLITS[row.table](row.pieces) if i), len(row.pieces)]
    return [joined(row.pieces[a:b]) for a, b in pairwise(starts)]


def _with_comments(rows: Sequence[Row], texts: Sequence[str]) -> Iterator[str]:
    width = max(map(len, texts))
    fits = all(width + 2 + len(row.comment) <= LONGEST_LINE for row in rows)
    for row, text in zip(rows, texts, strict=True):
        if not row.comment:
            yield text
        elif not row.pieces:
            yield " " * row.indent + row.comment
        else:
            yield (text.ljust(width) if fits else text) + "  " + row.comment


# -- where cells begin -----------------------------------------------------------------------------------------------


def _before(words: frozenset[str], first_only: bool = False) -> Callable[[Sequence[Piece]], list[int]]:
    def split(pieces: Sequence[Piece]) -> list[int]:
        found = [i for i, p in enumerate(pieces) if p.text in words and not p.depth]
        return found[:1] if first_only else found

    return split


def _field(pieces: Sequence[Piece]) -> list[int]:
    close = next(i for i, p in enumerate(pieces) if p.text == "]" and not p.depth)
    return [1, *(i for i in (close + 1, *_before(ATTRIBUTES)(pieces)) if i < len(pieces))]


def _state(pieces: Sequence[Piece]) -> list[int]:
    colon = next(i for i, p in enumerate(pieces) if p.text == ":" and not p.depth)
    return [colon, *(i for i in _before(ATTRIBUTES)(pieces) if i > colon)]


SPLITS: dict[str, Callable[[Sequence[Piece]], list[int]]] = {
    "arm": _before(frozenset(("=>",)), first_only=True),
    "guard": lambda pieces: _before(frozenset(("else",)))(pieces)[-1:],
    "field": _field,
    "state": _state,
    "fragment": _before(frozenset(("asm", "enc", "let"))),
    "trap_stack": lambda pieces: [1, *_before(frozenset(("->",)))(pieces)],
    "instr": lambda pieces: [1],
    "program": lambda pieces: [len(pieces) - 1],
    "rule": lambda pieces: [1],
}
