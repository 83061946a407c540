"""Words and the blanks between them: the raw tokens of a line, and a line printed with one blank where one belongs."""

# ruff: noqa: SIM905 - lists of words are easier to read and to search as text
from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

RAW = re.compile(
    r'"[^"\n]*"|(?P<comment>(?://|#)[^\n]*)|0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|\w+|\n'
    r"|<=s(?!\w)|<s(?!\w)|>=s(?!\w)|>>s(?!\w)|>s(?!\w)|/s(?!\w)|%s(?!\w)"
    r"|==|!=|<=|>=|<<|>>|->|=>|\.\.|\.\{|\+:|[^\s]"
)
OPENING = frozenset(("(", "[", "{", ".{"))
SET = "in {"
"""The bracket of a set after `in`, which is printed without blanks inside, unlike a block."""
NAMES = "fails {"
"""The bracket of the names that a claim is expected to fail with, in which a colon stands as in prose."""
CLOSING = frozenset((")", "]", "}"))
OPERATORS = frozenset("= -> => @ | ^ & + - * / % /s %s ~ == != < <= > >= <s <=s >s >=s << >> >>s +: < >".split())
TAKES_EXPRESSION = frozenset(
    """if then else match with and or not in guard when yield next return assume where reset at size pending enable
    leave save record enter clobber let for causes choose over needs"""
    .split()
)  # fmt: skip
"""Words before `(` and before a sign: what follows is no argument list and no right operand."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A token and whether a blank stands before it (when it is not first on its line)."""

    text: str
    spaced: bool
    depth: int
    """Brackets of this line that are open around it."""

    @property
    def is_comment(self) -> bool:
        """Whether this is a comment, which is always the last of its line."""
        return self.text.startswith(("//", "#"))


def raw_lines(text: str) -> list[list[str]]:
    """The tokens of each line, comments included and blanks left out."""
    lines: list[list[str]] = [[]]
    for match in RAW.finditer(text.replace("\r\n", "\n")):
        if match.group() == "\n":
            lines.append([])
        else:
            lines[-1].append(match.group().rstrip())
    return lines


def spaced(tokens: Sequence[str], outer: Sequence[str]) -> Iterator[Piece]:
    """The tokens of one line with their spacing. `outer` are the brackets open at its start."""
    brackets = list(outer)
    local = 0
    in_encoding = unary = False
    for position, token in enumerate(tokens):
        before = tokens[position - 1] if position else ""
        in_encoding = token == "enc" or (in_encoding and token not in ("let", ";", "do", "ops", "asm", "}"))
        if token in CLOSING:
            local -= 1
        inside = brackets[-1] if brackets else ""
        tight = unary or _tight(before, token, inside, in_encoding)
        yield Piece(token, not tight, local)
        unary = token in ("-", "~") and (not position or _wants_operand(before))
        if token in OPENING:
            brackets.append(kind_of(token, before))
            local += 1
        elif token in CLOSING and brackets:
            brackets.pop()


def kind_of(bracket: str, before: str) -> str:
    """An opening bracket by what it holds, as the word before it tells."""
    if bracket != "{":
        return bracket
    return SET if before == "in" else NAMES if before in ("fails", "exactly", "refuted") else bracket


def joined(pieces: Iterable[Piece]) -> str:
    """The pieces as text, without a blank before the first."""
    return "".join(" " + piece.text if piece.spaced else piece.text for piece in pieces).strip(" ")


def _wants_operand(before: str) -> bool:
    return before in OPERATORS or before in OPENING or before in TAKES_EXPRESSION or before in (",", ":", "..", ";")


def _tight(before: str, token: str, inside: str, in_encoding: bool) -> bool:
    """Whether nothing stands between two tokens of a line; `inside` is the innermost bracket open before `token`."""
    if token in (",", ";", ")", "]") or before in ("(", "[", ".{"):
        return True
    if token in (".", "..", ".{") or before in (".", ".."):
        return True
    if before == "{" and inside == SET:
        return True
    if token == "}":
        return inside in (".{", SET)
    if token == ":" or before == ":":
        return _tight_colon(token, inside, in_encoding)
    if in_encoding and inside == "[":
        return True
    return token in ("(", "[") and _ends_operand(before)


def _tight_colon(token: str, inside: str, in_encoding: bool) -> bool:
    return in_encoding or inside == "[" or (inside in ("(", NAMES) and token == ":")


def _ends_operand(before: str) -> bool:
    return (bool(re.match(r"\w", before)) and before not in TAKES_EXPRESSION) or before in (")", "]")
