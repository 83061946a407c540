"""The formatter: indentation, blanks and columns. Where lines break is the author's choice, and comments stay."""

# ruff: noqa: SIM905 - lists of words are easier to read and to search as text
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from popek_grammar.text.columns import Row, print_rows, table_of
from popek_grammar.text.layout import GOES_ON_AFTER
from popek_grammar.text.parser import parse_text
from popek_grammar.text.spacing import CLOSING, OPENING, Piece, kind_of, raw_lines, spaced

INDENT = 2
CONTINUES = frozenset("and or then else @ | & ^ + * / % /s %s = == != < <= > >= <s <=s >s >=s << >> >>s -> => ,".split())


def format_text(text: str, name: str = "<text>") -> str:
    """The text in the house style; it parses to the same tree. Raises `SpecError` if the text does not parse."""
    before = parse_text(text, name).tree
    rows = _without_idle_blanks(_rows(raw_lines(text.removeprefix("\ufeff"))))
    formatted = "".join(line + "\n" for line in print_rows(rows))
    # A formatter that changes the meaning of a specification would be worse than none.
    assert parse_text(formatted, name).tree == before, "the formatter changed the meaning; please report this"
    return formatted


@dataclass(frozen=True, slots=True)
class _Bracket:
    text: str
    indent: int
    block: str


@dataclass(slots=True)
class _Place:
    """What is open where a line begins."""

    brackets: list[_Bracket] = field(default_factory=list)
    clause_indent: int = 0
    last: str = "{"

    def advance(self, tokens: Sequence[str], indent: int) -> None:
        """Go on to the end of a line."""
        words = [token for token in tokens if token != "override"]
        for token in tokens:
            if token in OPENING:
                self.brackets.append(_Bracket(kind_of(token, self.last), indent, words[0]))
            elif token in CLOSING and self.brackets:
                self.brackets.pop()
            self.last = token


def _rows(lines: Sequence[list[str]]) -> Iterator[Row]:
    place = _Place()
    for line in lines:
        comment = line[-1] if line and line[-1].startswith(("//", "#")) else ""
        tokens = _without_idle_semicolons(line[:-1] if comment else line)
        indent, goes_on = _indent(tokens, place)
        pieces = tuple(spaced(tokens, [bracket.text for bracket in place.brackets]))
        yield Row(indent, pieces, "" if goes_on else _table(pieces, place), comment, goes_on)
        if tokens:
            place.clause_indent = place.clause_indent if goes_on else indent
            place.advance(tokens, indent)


def _table(pieces: tuple[Piece, ...], place: _Place) -> str:
    inside = place.brackets[-1] if place.brackets else None
    return table_of(pieces, inside.block if inside and inside.text == "{" else "")


def _indent(tokens: Sequence[str], place: _Place) -> tuple[int, bool]:
    """The indent of a line, and whether it goes on with the clause of the line before."""
    closed = 0
    while closed < min(len(tokens), len(place.brackets)) and tokens[closed] in CLOSING:
        closed += 1
    if closed:
        return place.brackets[-closed].indent, place.brackets[-closed].text in "(["
    base = place.brackets[-1].indent + INDENT if place.brackets else 0
    if tokens and place.brackets and place.brackets[-1].text in "([":
        return base, True
    goes_on = bool(tokens) and _goes_on(place.last, tokens[0])
    # An `else` under the `if` of a statement stands as deep as it; a list goes on without a further step.
    deeper = goes_on and place.last != "," and not (tokens[0] == "else" and place.last == "}")
    return (place.clause_indent + INDENT if deeper else base), goes_on


def _goes_on(last: str, first: str) -> bool:
    return last not in OPENING and (last in GOES_ON_AFTER or first in CONTINUES)


def _without_idle_semicolons(tokens: list[str]) -> list[str]:
    """A `;` at either end of a line says what the line end says."""
    start, end = 0, len(tokens)
    while start < end and tokens[start] == ";":
        start += 1
    while end > start and tokens[end - 1] == ";":
        end -= 1
    return tokens[start:end]


def _without_idle_blanks(rows: Iterator[Row]) -> list[Row]:
    """One blank line at most in a row; none at the ends of the text or of a block."""
    kept: list[Row] = []
    blank = False
    for row in rows:
        if not row.pieces and not row.comment:
            blank = True
            continue
        if blank and kept and not _ends_with_opening(kept[-1]) and not _starts_with_closing(row):
            kept.append(Row(0, ()))
        blank = False
        kept.append(row)
    return kept


def _ends_with_opening(row: Row) -> bool:
    return bool(row.pieces) and row.pieces[-1].text in OPENING and not row.comment


def _starts_with_closing(row: Row) -> bool:
    return bool(row.pieces) and row.pieces[0].text in CLOSING
