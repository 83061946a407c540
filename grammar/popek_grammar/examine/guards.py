"""Guards against one another: those that no state passes together, and those that the ones before them make idle."""

from __future__ import annotations

from collections.abc import Sequence

from popek_grammar import machine as m
from popek_grammar.examine.possible import possible
from popek_grammar.text.diagnostics import Diagnostics, Note


def check_guards(machine: m.Machine, found: Diagnostics) -> None:
    """W0504 and W0509, one a clause: members of a family share their guards."""
    seen = set[str]()
    for instruction in machine.instructions.values():
        if instruction.clause not in seen:
            seen.add(instruction.clause)
            body = f"the body of `{instruction.clause}` never runs"
            _together(machine, (*instruction.guards, *leading(instruction.body)), body, found)
    for register in machine.registers.values():
        _together(machine, register.guards, f"no access to `{register.name}` completes", found)


def leading(body: Sequence[m.Stmt]) -> tuple[m.Guard, ...]:
    """The guards that a body begins with, before it binds or writes anything."""
    made: list[m.Guard] = []
    for statement in body:
        if not isinstance(statement, m.Guard):
            break
        made.append(statement)
    return tuple(made)


def _together(machine: m.Machine, guards: Sequence[m.Guard], consequence: str, found: Diagnostics) -> None:
    # A condition that is constant here is a choice of the configuration, not a slip.
    asked = [guard for guard in guards if not isinstance(guard.condition, m.Literal)]
    passed: list[m.Expr] = []
    for guard in asked:
        if not possible(machine, [*passed, guard.condition]):
            notes = [Note("it fails whenever those before it pass", asked[0].span)] if passed else []
            found.warning(
                "W0504", f"no state passes this guard: {consequence}", guard.span, notes=notes, help="one of them is wrong"
            )
            return
        fails = m.Unary("not", guard.condition, m.Bool())
        if passed and possible(machine, [fails]) and not possible(machine, [*passed, fails]):
            notes = [Note("the guards before it begin here", asked[0].span)]
            message = "this guard never fails: those before it have asked as much"
            found.warning("W0509", message, guard.span, notes=notes, help="another condition was meant, or leave it out")
        passed.append(guard.condition)
