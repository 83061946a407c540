"""`popek explain`: finds what an item names, and asks the solver for an instruction's access by mode."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from popek_checker.explanation.explain import (
    as_json,
    explain_csr,
    explain_instruction,
    explain_machine,
    explain_register,
    explain_translation,
)
from popek_checker.explanation.explain_text import as_text
from popek_checker.explanation.explain_views import View
from popek_grammar.machine import Machine
from popek_grammar.text.diagnostics import suggest

if TYPE_CHECKING:
    from popek.checking import Target
    from popek.deriving import Means
    from popek_checker.virtualizability.verdict import Report


def explained(machine: Machine, items: Sequence[str], format_: str) -> str:
    """The explanation of a machine, or of items in it, as text or JSON: one object for one, a list for several."""
    views = [_view(machine, item) for item in items] or [explain_machine(machine)]
    if format_ == "json":
        told = [as_json(view) for view in views]
        return json.dumps(told[0] if len(told) == 1 else told, indent=2)
    return "\n\n".join(as_text(view) for view in views)


def _view(machine: Machine, item: str) -> View:
    if item in machine.instructions:
        return explain_instruction(machine, item, access_by_mode(machine, item))
    if item in machine.translations:
        return explain_translation(machine, item)
    if item in machine.csrs.values() or item.lower().startswith("0x"):
        return explain_csr(machine, item)
    if item in machine.registers or item in machine.scalars or item in machine.arrays:
        return explain_register(machine, item)
    known = [*machine.instructions, *machine.translations, *machine.registers, *machine.scalars, *machine.arrays]
    near = suggest(item, known)
    raise click.UsageError(f"{machine.name} has nothing called `{item}`" + (f"; did you mean {near}?" if near else ""))


def causes_of(machine: Machine, names: Sequence[str], format_: str, timeout: float) -> str:
    """The tables of causes of instructions, as text or JSON (a list of tables); all instructions, where none is named."""
    from popek_checker.explanation.causes import causes
    from popek_checker.solver.smt import Smt

    smt = Smt(timeout)
    tables = [table for name in names or machine.instructions for table in causes(machine, _instruction(machine, name), smt)]
    return json.dumps([as_json(each) for each in tables], indent=2) if format_ == "json" else "\n\n".join(map(as_text, tables))


def _instruction(machine: Machine, name: str) -> str:
    """The name of an instruction, or of one with a CSR: `csrrw(satp)`."""
    from popek_checker.virtualizability.decide import items

    known = {*machine.instructions, *(item.label for item in items(machine))}
    if name in known:
        return name
    near = suggest(name, [*machine.instructions, *known])
    raise click.UsageError(f"{machine.name} has no instruction `{name}`" + (f"; did you mean {near}?" if near else ""))


def access_by_mode(machine: Machine, name: str) -> dict[str, str]:
    """For each mode whether the instruction traps: derived from its meaning, not from a declaration."""
    from popek_checker.explanation.access_modes import derived_access

    return derived_access(machine, name)


def state(machine: Machine, timeout: float, format_: str) -> str:
    """What a monitor must save of a guest, and with which instructions it reads and sets it."""
    from popek.reports import state_report
    from popek_checker.solver.smt import kept_solver
    from popek_checker.virtualizability.restoring import restored

    found = restored(machine, kept_solver(timeout))
    return state_report.as_json(machine, found) if format_ == "json" else state_report.as_text(machine, found)


def virtual(target: Target, report: Report, means: Means, format_: str) -> str:
    """What becomes of a guest's instructions, under the claim of a report."""
    from popek.deriving import virtual_cases
    from popek.reports import virtual_text

    cases = virtual_cases(target, report, means)
    return virtual_text.as_json(report, cases) if format_ == "json" else virtual_text.as_text(report, cases)


def whole(target: Target, report: Report, means: Means) -> str:
    """All of a machine, as HTML."""
    from popek.publishing import machine_page
    from popek.reports.page_report import as_html

    return as_html(machine_page(target, report, means))
