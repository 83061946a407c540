"""Aligned columns: which lines of a specification form a table, where their cells begin, and how wide the columns are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from .spacing import Piece, joined

LONGEST_LINE = 120
LONGEST_CELL = 40
"""A longer cell sticks out of its column rather than widening it for all."""

FIELD_BLOCKS = frozenset(("csr", "register"))
ATTRIBUTES = frozenset(("role", "reset", "when", "zero", "names"))
CLAUSES = frozenset(("enc", "ops", "asm", "needs", "when", "over", "do"))


@dataclass(frozen=True, slots=True)
class Row:
    """A line to be printed: `table` names the kind of table it may be a row of, and is empty for other lines."""

    indent: int
    pieces: tuple[Piece, ...]
    table: str = ""
    comment: str = ""


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
    if (block, first) in (("fragment", "alt"), ("trap_stack", "save")):
        return first
    if block == "instr" and first in CLAUSES:
        return "clause"
    return "rule" if block == "csr_space" and len(pieces) > 1 and pieces[1].text == "=" else ""


def print_rows(rows: Sequence[Row]) -> Iterator[str]:
    """The rows as text, runs of rows of one table with aligned cells, and then comments of a run aligned."""
    texts: list[str] = []
    for start, end in _runs(rows, lambda row: (row.table, row.indent) if row.table else None):
        texts += _aligned(rows[start:end])
    for start, end in _runs(rows, lambda row: row.indent if row.comment and row.pieces else None):
        yield from _with_comments(rows[start:end], texts[start:end])


def _runs(rows: Sequence[Row], kind: Callable[[Row], object]) -> Iterator[tuple[int, int]]:
    """Stretches of rows of equal kind; a row of kind `None` is alone."""
    start = 0
    for end in range(1, len(rows) + 1):
        if end == len(rows) or kind(rows[end]) is None or kind(rows[end]) != kind(rows[start]):
            yield start, end
            start = end


def _aligned(rows: Sequence[Row]) -> list[str]:
    plain = [" " * row.indent + joined(row.pieces) for row in rows]
    if len(rows) < 2:
        return plain
    cells = [_cells(row) for row in rows]
    widths = [_width(column) for column in zip_longest(*(row[:-1] for row in cells), fillvalue="")]
    texts = [" " * row.indent + _padded(line, widths, row.table) for row, line in zip(rows, cells, strict=True)]
    return texts if max(map(len, texts)) <= LONGEST_LINE else plain


def _width(column: Sequence[str]) -> int:
    return max((len(cell) for cell in column if len(cell) <= LONGEST_CELL), default=0)


def _padded(cells: Sequence[str], widths: Sequence[int], table: str) -> str:
    # Where the cells are whole phrases two blanks keep them apart.
    gap = "  " if table in ("field", "state", "alt") else " "
    padded = [cell.ljust(width) for cell, width in zip(cells[:-1], widths, strict=False)]
    text = gap.join([*padded, cells[-1]])
    return text.rstrip()


def _cells(row: Row) -> list[str]:
    starts = [0, *(i for i in SPLITS[row.table](row.pieces) if i), len(row.pieces)]
    return [joined(row.pieces[a:b]) for a, b in zip(starts, starts[1:], strict=False)]


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
    "alt": _before(frozenset(("asm", "enc", "let"))),
    "save": _before(frozenset(("->",))),
    "clause": lambda pieces: [1] if len(pieces) > 1 else [],
    "rule": lambda pieces: [1],
}
