"""Whether some state can make conditions true together, as far as comparisons with constants tell.

Each value that conditions compare with constants is taken for free, and tried on both sides of each constant; what compares two
values is either true or false. More states are allowed so than there are: "impossible" is certain, "possible" is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from popek_grammar import machine as m
from popek_grammar.examine.effects import nodes

MOST_STEPS = 4000
"""Conditions that take longer than this are taken for possible."""

Key: TypeAlias = "m.Expr | int"
"""What is free: an expression; one that may come out otherwise each time goes by its identity."""

ORDERS = frozenset({"<", "<=", ">", ">=", "<s", "<=s", ">s", ">=s"})


def possible(machine: m.Machine, conditions: Sequence[m.Expr]) -> bool:
    """Whether all the conditions, of type bool, may hold in one state."""
    cuts: dict[Key, set[int]] = {}
    for condition in conditions:
        _cuts(machine, condition, cuts)
    search = _Search(machine, conditions, [(key, sorted(values)) for key, values in cuts.items()])
    return search.from_here({}, 0)


@dataclass(slots=True)
class _Search:
    machine: m.Machine
    conditions: Sequence[m.Expr]
    free: list[tuple[Key, list[int]]]
    steps: int = 0

    def from_here(self, chosen: Mapping[Key, int], position: int) -> bool:
        self.steps += 1
        if self.steps > MOST_STEPS:
            return True
        truths = [_truth(self.machine, condition, chosen) for condition in self.conditions]
        if False in truths:
            return False
        if position == len(self.free) or None not in truths:
            return True
        key, values = self.free[position]
        return any(self.from_here({**chosen, key: value}, position + 1) for value in values)


# -- what is free ----------------------------------------------------------------------------------------------------


def _cuts(machine: m.Machine, expr: m.Expr, found: dict[Key, set[int]]) -> None:
    """The free values of a condition, each with values that stand for all that its constants tell apart."""
    match expr:
        case m.Literal():
            return
        case m.Unary("not", inner):
            _cuts(machine, inner, found)
        case m.Binary("and" | "or", left, right):
            _cuts(machine, left, found)
            _cuts(machine, right, found)
        case m.Binary(op, left, m.Literal(number)) | m.Binary(op, m.Literal(number), left) if op in ORDERS | {"==", "!="}:
            found.setdefault(_key(left), set()).update(_around(machine, left.type, [number]))
        case m.Member(operand, ranges):
            ends = [end for low, high in ranges for end in (low, high)]
            found.setdefault(_key(operand), set()).update(_around(machine, operand.type, ends))
        case _:
            found.setdefault(_key(expr), set()).update((0, 1))


def _around(machine: m.Machine, type_: m.Type, numbers: Sequence[int]) -> Iterator[int]:
    """Values of a type that stand on every side of some numbers, in either order."""
    match type_:
        case m.Mode():
            yield from (code for _, code in machine.modes.members)
        case m.EnumType(_, members):
            yield from range(len(members))
        case m.Bits(width):
            top = (1 << width) - 1
            yield from (0, top, 1 << width - 1, (1 << width - 1) - 1)
            yield from (value for n in numbers for value in (n - 1, n, n + 1) if 0 <= value <= top)
        case _:
            yield from (0, 1)


def _key(expr: m.Expr) -> Key:
    acts = any(isinstance(node, (m.Unspecified, m.Call)) for node in nodes(expr))
    return id(expr) if acts else expr


# -- three-valued truth ----------------------------------------------------------------------------------------------


def _truth(machine: m.Machine, expr: m.Expr, chosen: Mapping[Key, int]) -> bool | None:
    """Whether a condition holds; None while that is not settled."""
    match expr:
        case m.Literal(number):
            return bool(number)
        case m.Unary("not", inner):
            known = _truth(machine, inner, chosen)
            return None if known is None else not known
        case m.Binary("and" | "or" as op, left, right):
            decisive = op == "or"
            sides = [_truth(machine, side, chosen) for side in (left, right)]
            if decisive in sides:
                return decisive
            return None if None in sides else not decisive
        case m.Binary(op, left, m.Literal(number)) if op in ORDERS | {"==", "!="}:
            subject = chosen.get(_key(left))
            return None if subject is None else _holds(machine, op, subject, number, left.type)
        case m.Binary(op, m.Literal(number), right) if op in ORDERS | {"==", "!="}:
            subject = chosen.get(_key(right))
            return None if subject is None else _holds(machine, op, number, subject, right.type)
        case m.Member(operand, ranges):
            subject = chosen.get(_key(operand))
            return None if subject is None else any(low <= subject <= high for low, high in ranges)
        case _:
            value = chosen.get(_key(expr))
            return None if value is None else bool(value)


def _holds(machine: m.Machine, op: str, left: int, right: int, type_: m.Type) -> bool:
    if isinstance(type_, m.Mode):
        left, right = machine.modes.rank(left), machine.modes.rank(right)
    elif op.endswith("s") and isinstance(type_, m.Bits):
        sign = 1 << type_.width - 1
        left, right = left ^ sign, right ^ sign
    match op.removesuffix("s"):
        case "==":
            return left == right
        case "!=":
            return left != right
        case "<":
            return left < right
        case "<=":
            return left <= right
        case ">":
            return left > right
        case _:
            return left >= right
