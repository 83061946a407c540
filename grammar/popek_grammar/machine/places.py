"""Places: what can be written."""

from __future__ import annotations

from typing import TypeAlias

from popek_grammar.machine.expressions import Expr
from popek_grammar.records import record


@record
class ScalarPlace:
    """Scalar state, or a stored register field written raw."""

    name: str
    width: int


@record
class ElementPlace:
    """An element of an array of state; physical when the array is memory."""

    array: str
    index: Expr
    width: int


@record
class RegisterPlace:
    """A whole register, written through its field rules and its `write` clause."""

    register: str
    index: Expr | None
    width: int


@record
class SlicePlace:
    """Bits `hi` down to `lo` of another place; the rest keeps its value."""

    place: Place
    hi: int
    lo: int
    width: int


@record
class ConcatPlace:
    """`a @ b = v`: the first part takes the highest bits."""

    parts: tuple[Place, ...]
    width: int


Place: TypeAlias = ScalarPlace | ElementPlace | RegisterPlace | SlicePlace | ConcatPlace
