"""Integer expressions in assembly text, over numbers, characters, labels and `.`, the address of the line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean on a line: its address (`.`) and the labels."""

    pc: int = 0
    labels: Mapping[str, int] = field(default_factory=dict)


class Misfit(Exception):
    """A text that a slot cannot hold. The highest `rank` explains best why a line fits nothing."""

    def __init__(self, message: str, help: str = "", rank: int = 0, known: tuple[str, ...] = (), name: str = "") -> None:
        super().__init__(message)
        self.message, self.help, self.rank, self.known, self.name = message, help, rank, known, name


NOT_THIS_KIND, UNKNOWN_NAME, OUT_OF_RANGE = 0, 1, 2

_TOKEN = re.compile(
    r"\s*(0[xX][\da-fA-F][\da-fA-F_]*|0[oO][0-7][0-7_]*|0[bB][01][01_]*|\d[\d_]*\b|'(?:\\.|[^'])'|[A-Za-z_.$][\w.$]*|<<|>>|[-+*/%&|^~()])"
)
_LONGEST, _DEEPEST = 200, 32
_PREFIXES = ("(", "-", "+", "~")
_LEVELS = (("|",), ("^",), ("&",), ("<<", ">>"), ("+", "-"), ("*", "/", "%"))
_ESCAPES = {"\\n": "\n", "\\t": "\t", "\\0": "\0", "\\r": "\r", "\\\\": "\\", "\\'": "'"}


def evaluate(text: str, scope: Scope) -> int:
    """An integer expression over numbers, characters, labels and `.`, with the usual precedence."""
    tokens, at = [], 0
    text = text.strip()
    if len(text) > _LONGEST:
        raise Misfit(f"the expression is longer than {_LONGEST} characters")
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise Misfit(f"expected a number or a label, found `{text[at:].strip()}`")
        tokens.append(found[1])
        at = found.end()
    if sum(token in _PREFIXES for token in tokens) > _DEEPEST:
        raise Misfit("the expression is nested too deeply")
    value, rest = _binary(tokens, 0, scope)
    if rest:
        raise Misfit(f"expected an operator, found `{rest[0]}`")
    return value


def _binary(tokens: list[str], level: int, scope: Scope) -> tuple[int, list[str]]:
    if level == len(_LEVELS):
        return _unary(tokens, scope)
    value, rest = _binary(tokens, level + 1, scope)
    while rest and rest[0] in _LEVELS[level]:
        operator = rest[0]
        right, rest = _binary(rest[1:], level + 1, scope)
        value = _apply(operator, value, right)
    return value, rest


def _apply(operator: str, left: int, right: int) -> int:
    if (operator in "/%" and right == 0) or (operator in ("<<", ">>") and not 0 <= right <= 1024):
        raise Misfit(f"`{left} {operator} {right}` has no value", rank=OUT_OF_RANGE)
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return left // right
        case "%":
            return left % right
        case "&":
            return left & right
        case "|":
            return left | right
        case "^":
            return left ^ right
        case "<<":
            return left << right
        case _:
            return left >> right


def _unary(tokens: list[str], scope: Scope) -> tuple[int, list[str]]:
    match tokens:
        case ["-", *rest]:
            value, rest = _unary(rest, scope)
            return -value, rest
        case ["+", *rest]:
            return _unary(rest, scope)
        case ["~", *rest]:
            value, rest = _unary(rest, scope)
            return ~value, rest
        case ["(", *rest]:
            value, rest = _binary(rest, 0, scope)
            if not rest or rest[0] != ")":
                raise Misfit("expected `)`")
            return value, rest[1:]
        case [token, *rest]:
            return _atom(token, scope), rest
        case _:
            raise Misfit("expected a number or a label")


def _atom(token: str, scope: Scope) -> int:
    if token[0].isdigit():
        digits = token.replace("_", "").lower()
        return int(digits, {"0x": 16, "0o": 8, "0b": 2}.get(digits[:2], 10))
    if token[0] == "'":
        return ord(_ESCAPES.get(token[1:-1], token[1:-1][-1]))
    if token == ".":
        return scope.pc
    if token in scope.labels:
        return scope.labels[token]
    if not is_name(token):
        raise Misfit(f"expected a number or a label, found `{token}`")
    raise Misfit(f"nothing is named `{token}`", rank=UNKNOWN_NAME, known=tuple(scope.labels), name=token)


def is_name(text: str) -> bool:
    """Whether the text can be a label."""
    return re.fullmatch(r"[A-Za-z_.$][\w.$]*", text) is not None
