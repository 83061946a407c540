"""What two machines have in common: the state that they share by name and width, and the state before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from popek_checker.virtualizability.copies import pieces
from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.state import PC_WRITTEN, ArrayValue, State, free_base

SIDES: Final = ("|A", "|B")
"""Suffixes of the state that a machine has for itself."""


@dataclass(frozen=True, slots=True)
class Common:
    """`shared` state is one and the same in both machines; `reshaped` has one name and two shapes, and what it is in each."""

    shared: frozenset[str]
    reshaped: Mapping[str, str]


def common(a: m.Machine, b: m.Machine) -> Common:
    """Scalars are shared when their widths agree, arrays when those of index and element do."""
    one, other = dict(pieces(a)), dict(pieces(b))
    shapes = {name: (shape(one[name]), shape(other[name])) for name in one if name in other}
    shared = frozenset(name for name, (left, right) in shapes.items() if left == right)
    return Common(shared, {name: f"{x} in A, {y} in B" for name, (x, y) in shapes.items() if x != y})


def shape(piece: m.Scalar | m.Array) -> str:
    """What must agree for a piece of state to be one and the same."""
    if isinstance(piece, m.Scalar):
        return f"{piece.width} bits" if piece.width else "bool"
    return f"{'cells' if piece.memory else 'elements'} of {piece.width} bits at {piece.index_width}-bit places"


def beginning(machine: m.Machine, together: Common, suffix: str) -> State:
    """The state before: shared pieces under their names, the machine's own with its suffix."""

    def named(name: str) -> str:
        return name if name in together.shared else name + suffix

    scalars = {name: t.var(named(name), scalar.width) for name, scalar in machine.scalars.items()}
    scalars[PC_WRITTEN] = t.FALSE
    arrays = {
        name: ArrayValue(array, free_base(array, "" if name in together.shared else suffix))
        for name, array in machine.arrays.items()
    }
    return State(scalars, arrays)
