"""Trap causes, entry and return, interrupts."""

from __future__ import annotations

from popek_grammar.machine.expressions import Expr
from popek_grammar.machine.places import Place
from popek_grammar.machine.statements import Assign, Cause, Let, Stmt
from popek_grammar.machine.types import Span
from popek_grammar.records import record


@record
class CauseDef:
    name: str
    code: int
    interrupt: bool
    span: Span


@record
class Causes:
    """All trap causes and the payload they carry, as (name, width) pairs."""

    payload: tuple[tuple[str, int], ...]
    members: tuple[CauseDef, ...]
    code_width: int

    def find(self, name: str) -> CauseDef:
        """The cause of that name; KeyError when there is none."""
        for member in self.members:
            if member.name == name:
                return member
        raise KeyError(name)


@record
class FaultKind:
    """What `fault NAME` raises for each kind of access; payload expressions may use `va`."""

    name: str
    causes: tuple[tuple[str, Cause], ...]


@record
class Save:
    """On entry `source` goes to `target`; `return_from` restores it."""

    source: Expr
    restore: Place | None
    target: Place
    span: Span


@record
class TrapStack:
    """Entry and return of one kind of trap.

    Entry: `before`, then all `saves` (old values), `records`, `enters`, then pc := vector (when given). Right-hand
    sides of records and enters see the state after `before`. Return: restores, then `leaves`. `finds` are those of the names
    bound by `before` by which a return finds the places saved, or that `leaves` use.
    """

    name: str
    vector: Expr | None
    before: tuple[Stmt, ...]
    saves: tuple[Save, ...]
    records: tuple[Assign, ...]
    enters: tuple[Assign, ...]
    leaves: tuple[Stmt, ...]
    clobbers: tuple[str, ...]
    span: Span
    finds: tuple[Let, ...] = ()


@record
class Level:
    """Interrupts taken to stack `stack`, highest priority first, by cause name.

    Taken when the mode is below the stack's mode, or equal to it and `enable` holds; `when` replaces that rule.
    """

    stack: str
    order: tuple[str, ...]
    enable: Expr | None
    when: Expr | None
    span: Span


@record
class Interrupts:
    """`pending`: bits numbered by cause code."""

    pending: Expr
    levels: tuple[Level, ...]
