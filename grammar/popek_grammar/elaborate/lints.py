"""Lints for privilege: what a specification that means what it says would not contain."""

from __future__ import annotations

from collections.abc import Iterator, Set

from popek_grammar import machine as m
from popek_grammar.diagnostics import Diagnostic


def lint(machine: m.Machine, used: Set[str]) -> list[Diagnostic]:
    """Warnings about a machine that resolves. `used` are the names that expressions read, and `write NAME`s."""
    return [*_unread(machine, used), *_unraised(machine, used), *_unreset(machine), *_modes(machine, used)]


def _warning(code: str, message: str, span: m.Span, hint: str = "") -> Diagnostic:
    return Diagnostic(code, "warning", message, span, "", (), hint)


def _unread(machine: m.Machine, used: Set[str]) -> Iterator[Diagnostic]:
    """Control and map state that no clause reads: stored, never checked."""
    pieces: list[tuple[str, m.Scalar | m.Array]] = [*machine.scalars.items(), *machine.arrays.items()]
    for name, piece in pieces:
        if piece.role in (m.Role.CONTROL, m.Role.MAP) and name not in used and "." in name:
            yield _warning(
                "W0401", f"{piece.role.value} field {name} is never read: it controls nothing", piece.span,
                "a guard should check it, or its role is `guest`",
            )  # fmt: skip


def _unraised(machine: m.Machine, used: Set[str]) -> Iterator[Diagnostic]:
    for cause in machine.causes.members:
        if f"cause {cause.name}" not in used and not cause.interrupt:
            yield _warning("W0406", f"cause {cause.name} is never raised", cause.span)


def _unreset(machine: m.Machine) -> Iterator[Diagnostic]:
    """The mode decides everything at reset, so it must have a value then."""
    if machine.mode is not None and machine.scalars[machine.mode].reset is None:
        scalar = machine.scalars[machine.mode]
        yield _warning("W0407", f"{scalar.name} has no reset value", scalar.span, "reset it to the most privileged mode")


def _modes(machine: m.Machine, used: Set[str]) -> Iterator[Diagnostic]:
    """A trap stack that nothing returns from leads into its mode and never out."""
    for stack in machine.trap_stacks.values():
        saved = [save for save in stack.saves if save.restore is not None]
        if saved and f"return_from {stack.name}" not in used and len(machine.trap_stacks) > 1:
            yield _warning("W0408", f"nothing returns from trap_stack {stack.name}", stack.span, f"return_from {stack.name}")
