"""Where a line ends: drops the line ends that mean nothing, and finds the doc comments.

The grammar's `_SEP` token is a run of line ends, `;`, blank lines and comments. A run before a line that starts with a
binary operator or a closing bracket is already ignored by the grammar (`_GOES_ON`); this module, Lark's post-lexer,
drops those inside `( )` and `[ ]`, after `{`, and after a token that cannot end a clause.
"""

# ruff: noqa: SIM905 - lists of words are easier to read and to search as text
from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lark import Token

MAX_NESTING = 100
"""Brackets in brackets. Far more than a reader can follow, far less than Python's recursion limit."""

OPENING = {"(": ")", "[": "]", "{": "}", ".{": "}"}
CLOSING = frozenset(OPENING.values())
GOES_ON_AFTER = frozenset(
    "= , -> => then else and or not in with @ | & ^ + - * / % /s %s ~ == != < <= > >= <s <=s >s >=s << >> >>s".split()
)


class NestedTooDeeply(Exception):
    """A bracket beyond `MAX_NESTING`; the parser reports it as E0003."""

    def __init__(self, token: Token) -> None:
        super().__init__(str(token))
        self.token = token


class Layout:
    """The post-lexer. It has no state of its own, so one instance serves every parse."""

    # The contextual lexer must see line ends also where the grammar has no place for them.
    always_accept = ("_SEP",)

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        """The tokens without insignificant line ends."""
        open_brackets: list[str] = []
        previous = "{"  # a line end at the start of the text says nothing either
        for token in stream:
            if token.type == "_SEP":
                if _says_nothing(previous, open_brackets):
                    continue
                previous = "\n"
            else:
                previous = token.value if token.type != "STRING" else '"'
                _follow_bracket(token, previous, open_brackets)
            yield token


def _says_nothing(previous: str, open_brackets: list[str]) -> bool:
    if previous in ("\n", "{", ".{") or previous in GOES_ON_AFTER:
        return True
    return bool(open_brackets) and open_brackets[-1] in "(["


def _follow_bracket(token: Token, text: str, open_brackets: list[str]) -> None:
    if text in OPENING:
        open_brackets.append(text)
        if len(open_brackets) > MAX_NESTING:
            raise NestedTooDeeply(token)
    elif text in CLOSING and open_brackets:
        open_brackets.pop()


# -- doc comments ----------------------------------------------------------------------------------------------------

DOC_LINE = re.compile(r"^[ \t]*///(?!/)[ \t]?([^\r\n]*)", re.MULTILINE)
"""A doc comment has a line to itself; `////...` is a rule drawn across the page."""


@dataclass(frozen=True, slots=True)
class Docs:
    """The doc comments of a text, by line."""

    by_line: Mapping[int, str]

    def before(self, line: int) -> str:
        """The `///` lines directly above `line`, joined by line ends; empty when there are none."""
        first = line
        while first - 1 in self.by_line:
            first -= 1
        return "\n".join(self.by_line[number] for number in range(first, line))


def find_docs(text: str) -> Docs:
    """The doc comments of `text`. Strings hold no line ends, so that a line alone shows what it is."""
    by_line: dict[int, str] = {}
    line = 1
    position = 0
    for match in DOC_LINE.finditer(text):
        line += text.count("\n", position, match.start())
        position = match.start()
        by_line[line] = match.group(1).rstrip()
    return Docs(by_line)
