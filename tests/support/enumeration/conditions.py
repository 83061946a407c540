"""Conditions that are printed, read again by a reader of its own, and held against every state: does each close its hole?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from enumeration.classes import Enumeration
from enumeration.language import Instruction, Toy
from enumeration.meaning import Meaning, State
from enumeration.runs import picked
from popek_checker.virtualizability.verdict import Row, Truth

TOKEN = re.compile(r"\s*(0x[0-9a-f]+|0b[01]+|\d+|[A-Za-z_]\w*|[<>]=?s\b|[=!<>]=|>>|<<|\.\.|[-+*&|^@~<>()\[\]:,])")
LEVELS = (("or",), ("and",), ("not",), ("==", "!=", "<", "<=", ">", ">=", "<s", "<=s", ">s", ">=s"),
          ("|",), ("^",), ("&",), ("@",), ("<<", ">>"), ("+", "-"), ("*",))  # fmt: skip
"""Binary operators, the loosest first (`not` is unary, and stands where it binds)."""


class Unread(Exception):
    """A condition of which this reader does not know the words."""


def condition(toy: Toy, text: str) -> Callable[[State], bool]:
    """What a condition says of a state (docs/language.md, "Types and expressions")."""
    rows = re.match(r"(\w+)\[(\d+)\.\.(\d+)\]", text)
    if rows:
        name, first, last = rows.group(1), int(rows.group(2)), int(rows.group(3))
        each = [condition(toy, f"{name}[{place}]{text[rows.end() :]}") for place in range(first, last + 1)]
        return lambda state: all(one(state) for one in each)
    reader = _Reader(toy, text)
    code, _ = reader.level(0)
    if reader.left:
        raise Unread(text)
    return Meaning.compiled(f"lambda n: bool({code})")  # type: ignore[return-value]


class _Reader:
    """Recursive descent, to Python; every value with its width, None for a literal."""

    def __init__(self, toy: Toy, text: str) -> None:
        self.toy, self.text, self.left = toy, text, []
        at = 0
        while at < len(text.rstrip()):
            found = TOKEN.match(text, at)
            if not found:
                raise Unread(text)
            self.left.append(found.group(1))
            at = found.end()

    def take(self, *wanted: str) -> str:
        if not self.left or (wanted and self.left[0] not in wanted):
            raise Unread(self.text)
        return self.left.pop(0)

    def level(self, level: int) -> tuple[str, int | None]:
        if level == len(LEVELS):
            return self.unary()
        if LEVELS[level] == ("not",):
            if self.left and self.left[0] == "not":
                self.take()
                return f"(not {self.level(level)[0]})", None
            return self.level(level + 1)
        left, width = self.level(level + 1)
        while self.left and self.left[0] in LEVELS[level]:
            op = self.take()
            right, other = self.level(level + 1)
            left, width = _binary(op, left, right, width, other, self.text)
        return left, width

    def unary(self) -> tuple[str, int | None]:
        if self.left and self.left[0] in ("~", "-"):
            op = self.take()
            inner, width = self.unary()
            if width is None:
                raise Unread(self.text)
            return f"({op}{inner} & {(1 << width) - 1})", width
        value, width = self.primary()
        while self.left and self.left[0] == "[":
            self.take("[")
            hi = int(self.take(), 0)
            lo = hi
            if self.left[0] == ":":
                self.take(":")
                lo = int(self.take(), 0)
            self.take("]")
            value, width = f"(({value} >> {lo}) & {(1 << (hi - lo + 1)) - 1})", hi - lo + 1
        return value, width

    def primary(self) -> tuple[str, int | None]:
        word = self.take()
        if word == "(":
            whole = self.level(0)
            self.take(")")
            return whole
        if word == "if":
            test, _ = self.level(0)
            self.take("then")
            yes, width = self.level(0)
            self.take("else")
            no, other = self.level(0)
            return f"({yes} if {test} else {no})", width if width is not None else other
        if word[0].isdigit():
            return str(int(word, 0)), None
        if word in ("zext", "low"):
            self.take("(")
            inner, width = self.level(0)
            self.take(",")
            size = int(self.take(), 0)
            self.take(")")
            return (inner, size) if word == "zext" else (f"({inner} & {(1 << size) - 1})", width)
        modes = dict(self.toy.modes)
        if word in modes:
            return str(modes[word]), None
        piece = self.toy.by_name.get(word)
        if piece is None:
            raise Unread(self.text)
        slot = self.toy.slots[word]
        if not piece.count:
            return f"n[{slot}]", piece.width
        self.take("[")
        index, _ = self.level(0)
        self.take("]")
        return f"n[{slot} + {index}]", piece.width


def _binary(op: str, left: str, right: str, width: int | None, other: int | None, text: str) -> tuple[str, int | None]:
    size = width if width is not None else other
    if op in ("and", "or"):
        return f"({left} {op} {right})", None
    if op in ("==", "!=", "<", "<=", ">", ">="):
        return f"({left} {op} {right})", None
    if size is None or (op == "@" and (width is None or other is None)):
        raise Unread(text)
    match op:
        case "<s" | "<=s" | ">s" | ">=s":
            top = 1 << (size - 1)
            return f"(({left} ^ {top}) {op[:-1]} ({right} ^ {top}))", None
        case "@":
            return f"(({left} << {other}) | {right})", width + other  # type: ignore[operator]
        case _:
            return f"(({left} {op} {right}) & {(1 << size) - 1})", size


# -- against every state -----------------------------------------------------------------------------------------------


class Closing:
    """The runs of one instruction, to hold conditions against; f is the classic one."""

    def __init__(self, meaning: Meaning, instruction: Instruction) -> None:
        self.it = Enumeration(meaning, instruction)
        self.shared = picked(self.it.f.fixed(()))
        above = (run for run in self.it.runs if run.after is not None and self.it.mode(run.before) in self.it.above)
        self.bare = {(run.operands, self.shared(run.before)) for run in above}
        real = (run for run in self.it.runs if self.it.mode(run.before) == self.it.host)
        self.real = [run for run in real if self.it.holds(run.before)]

    def closes(self, holds: Callable[[State], bool]) -> bool:
        """Under this beside H nothing completes, and something that the bare machine completes traps."""
        under = [run for run in self.real if holds(run.before)]
        traps = any((run.operands, self.shared(run.before)) in self.bare for run in under)
        return traps and all(run.after is None for run in under)

    def settings(self) -> Iterator[Callable[[State], bool]]:
        """Every choice of values of all control and map state."""
        slots = self.it.slots("control", "map")
        at = picked(slots)
        for values in sorted({at(run.before) for run in self.real}):
            yield lambda state, values=values: at(state) == values  # type: ignore[misc]

    def exact_under(self, holds: Callable[[State], bool]) -> bool:
        """What completes under this beside H does what the bare machine does in a mode above the real one."""
        assumed = self.it.holds
        narrow = Enumeration(self.it.meaning, self.it.instruction)
        narrow.__dict__["runs"] = self.it.runs
        narrow.__dict__["holds"] = lambda state: assumed(state) and holds(state)
        return not narrow.inexact(narrow.above)


def untrue(meaning: Meaning, instruction: Instruction, row: Row) -> Iterator[tuple[str, str]]:
    """What a row says of conditions and is not so: what it says, and what is. An unread condition raises Unread."""
    if not (row.violation is Truth.YES or row.truth("exact") is Truth.NO):
        return
    closing = Closing(meaning, instruction)
    if row.condition and not closing.closes(_all([condition(meaning.toy, text) for text in row.condition])):
        yield f"closes under {' and '.join(row.condition)}", "it does not"
    if row.closable is Truth.NO and any(closing.closes(setting) for setting in closing.settings()):
        yield f"never closes: {row.searched}", "some setting closes it"
    for text in row.exact_when:
        if not closing.exact_under(_all([condition(meaning.toy, part) for part in text.split(" and ")])):
            yield f"exact when {text}", "it is not"


def _all(conditions: Sequence[Callable[[State], bool]]) -> Callable[[State], bool]:
    return lambda state: all(one(state) for one in conditions)
