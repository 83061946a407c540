"""What the constants of an instruction's family decide: the choices that a walk over its clauses need not follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from popek_grammar import machine as m

Arm = TypeVar("Arm")


def known(expr: m.Expr, constants: Mapping[str, int]) -> int | None:
    """The value of an expression over literals and the constants; None when it is not one."""
    match expr:
        case m.Literal(value, _):
            return value
        case m.Local(name, _):
            return constants.get(name)
        case m.Binary("==", left, right, _):
            a, b = known(left, constants), known(right, constants)
            return None if a is None or b is None else int(a == b)
        case m.Member(operand, ranges, _):
            value_or_none = known(operand, constants)
            return None if value_or_none is None else int(any(a <= value_or_none <= b for a, b in ranges))
        case m.Unary("not", operand, _):
            inner = known(operand, constants)
            return None if inner is None else 1 - inner
        case _:
            return None


def live_arms(subject: int | None, arms: tuple[tuple[tuple[int, ...], Arm], ...]) -> list[Arm]:
    """The arms that can be taken: one when the subject is known."""
    if subject is None:
        return [arm for _, arm in arms]
    return [arm for values, arm in arms if not values or subject in values][:1]
