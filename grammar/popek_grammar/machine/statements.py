"""Statements: what bodies of instructions, functions, walks and trap entry are made of."""

from __future__ import annotations

from typing import TypeAlias

from popek_grammar.machine.expressions import Builtin, Call, Expr
from popek_grammar.machine.places import Place
from popek_grammar.machine.types import Bits, Span
from popek_grammar.records import record


@record
class Cause:
    """A trap to raise: the cause's name and its payload (missing payloads are zero)."""

    name: str
    payload: tuple[Expr, ...]
    span: Span


@record
class Let:
    name: str
    value: Expr


@record
class Assign:
    place: Place
    value: Expr
    span: Span


@record
class If:
    condition: Expr
    yes: tuple[Stmt, ...]
    no: tuple[Stmt, ...]


@record
class MatchStmt:
    subject: Expr
    arms: tuple[tuple[tuple[int, ...], tuple[Stmt, ...]], ...]


@record
class For:
    """`for name in first .. last`, both constants, inclusive, counting down when first > last. Unrolled.

    In the body `Local(name)` is bits of the loop variable's declared type.
    """

    name: str
    first: int
    last: int
    type: Bits
    body: tuple[Stmt, ...]


@record
class Guard:
    """`guard condition else trap cause`, in a clause or in a body. A failing guard discards the instruction."""

    condition: Expr
    cause: Cause
    span: Span


@record
class Trap:
    cause: Cause


@record
class Return:
    """Ends a function (`return`) or yields the result of a translation or of `delegate` (`yield`)."""

    value: Expr | None


@record
class Next:
    """Goes to the next level of a walk with this base."""

    base: Expr


@record
class Fault:
    """Raises the declared fault kind, for the access under way."""

    kind: str
    span: Span


@record
class ReturnFrom:
    """Undoes the entry of a trap stack: saved places are restored, then its `leave` lines run."""

    stack: str


@record
class Do:
    """An expression run for its effect: a call, or the built-ins `store`, `store_as`, `csr_write`, `phys_store`."""

    call: Call | Builtin


@record
class Walk:
    """A page walk: the bodies of its levels in order, each resolved for its level number.

    `Local(base)` starts as `start` and is replaced by `next`; falling past the last level raises `fault`.
    """

    name: str
    base: str
    start: Expr
    levels: tuple[tuple[int, tuple[Stmt, ...]], ...]
    fault: str


Stmt: TypeAlias = Let | Assign | If | MatchStmt | For | Guard | Trap | Return | Next | Fault | ReturnFrom | Do | Walk
