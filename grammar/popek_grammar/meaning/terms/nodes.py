"""The node of a term and the table that makes equal terms one object; leaves; how a term is shown."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Final

BOOL: Final = 0
"""The width of a truth value."""


class Term:
    """A node: operator, width in bits (0: bool), arguments, and a payload.

    `payload` is the value of a constant, the name of a variable or function, or the `(hi, lo)` of an extract.
    `key` digests the whole structure: equal in every process, so it orders commutative operands and keys the cache.
    """

    __slots__ = ("args", "key", "op", "payload", "width")

    def __init__(self, op: str, width: int, args: tuple[Term, ...], payload: object, key: int) -> None:
        self.op: Final = op
        self.width: Final = width
        self.args: Final = args
        self.payload: Final = payload
        self.key: Final = key

    @property
    def is_const(self) -> bool:
        return self.op == "const"

    @property
    def value(self) -> int:
        """The value of a constant; ValueError for any other term."""
        if self.op != "const" or not isinstance(self.payload, int):
            raise ValueError(f"not a constant: {self!r}")
        return self.payload

    @property
    def name(self) -> str:
        """The name of a variable or an uninterpreted function."""
        return str(self.payload)

    def __repr__(self) -> str:
        return render(self)

    def __reduce__(self) -> tuple[Callable[..., Term], tuple[object, ...]]:
        return make, (self.op, self.width, self.args, self.payload)


_table: dict[tuple[object, ...], Term] = {}


def make(op: str, width: int, args: tuple[Term, ...] = (), payload: object = None) -> Term:
    """The unique node of this shape, with no simplification."""
    shape = (op, width, payload, args)
    found = _table.get(shape)
    if found is None:
        text = f"{op} {width} {payload} {[arg.key for arg in args]}"
        key = int.from_bytes(blake2b(text.encode(), digest_size=16).digest())
        found = _table[shape] = Term(op, width, args, payload, key)
    return found


def const(value: int, width: int) -> Term:
    """The constant `value` modulo 2**width; a bool when width is 0."""
    return make("const", width, (), value & ((1 << width) - 1) if width else int(value != 0))


TRUE: Final = const(1, BOOL)

FALSE: Final = const(0, BOOL)


def boolean(value: bool) -> Term:
    return TRUE if value else FALSE


def var(name: str, width: int) -> Term:
    """A free variable; the same name always has the same width."""
    return make("var", width, (), name)


def apply(function: str, width: int, args: tuple[Term, ...]) -> Term:
    """An uninterpreted function: the base content of an array, or an operation kept opaque."""
    return make("apply", width, args, function)


def render(term: Term, depth: int = 6) -> str:
    """A short text of a term, for messages and debugging."""
    match term.op:
        case "const":
            return str(bool(term.payload)).lower() if term.width == BOOL else hex(term.value)
        case "var":
            return term.name
        case _ if depth == 0:
            return "..."
    inside = ", ".join(render(arg, depth - 1) for arg in term.args)
    head = term.name if term.op == "apply" else term.op if term.payload is None else f"{term.op}{term.payload}"
    return f"{head}({inside})"
