"""What a monitor must save of a guest and give back: the view of `popek explain SPEC --state`, as text and JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.table import Table

from popek.reports.harm import why_lost
from popek.reports.json_report import restored
from popek.reports.terminal import paper, written
from popek_checker.virtualizability.verdict import Restored
from popek_grammar.machine import Machine

ALWAYS = "memory: by loads and stores; the program counter and the mode: by trap entry and return"


def as_json(machine: Machine, found: Sequence[Restored]) -> str:
    return json.dumps(
        {
            "schema": "popek/state/1",
            "machine": machine.name,
            "config": machine.config,
            "mode": _mode(machine),
            "state": [restored(piece) for piece in found],
        },
        indent=2,
    )


def as_text(machine: Machine, found: Sequence[Restored]) -> str:
    """A line a piece; elements of an array that are read and set alike together."""
    console = paper()
    at = f" in mode {_mode(machine)}" if _mode(machine) else ""
    title = "what a monitor saves and gives back, with which instructions"
    console.print(f"[bold]{machine.name}[/bold] ({machine.config}): {title}{at}")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("state", "role", "bits", "read by", "set by", ""):
        table.add_column(heading, no_wrap=heading != "")
    for label, piece in _grouped(found):
        why = "" if piece.reads and piece.sets else why_lost(piece)
        table.add_row(label, piece.role, str(piece.width), piece.reads or "-", piece.sets or "-", why)
    console.print(table)
    console.print(ALWAYS, style="dim")
    return written(console)


def _mode(machine: Machine) -> str:
    return machine.modes.members[-1][0] if machine.modes.members else ""


def _grouped(found: Sequence[Restored]) -> list[tuple[str, Restored]]:
    """Neighbouring elements with one answer under one label: `X[1..31]`."""
    groups: list[list[Restored]] = []
    for piece in found:
        last = groups[-1][-1] if groups else None
        if last is not None and piece.element is not None and last.name == piece.name and _answer(last) == _answer(piece):
            groups[-1].append(piece)
        else:
            groups.append([piece])
    return [(_label(group), group[0]) for group in groups]


def _label(group: Sequence[Restored]) -> str:
    first, last = group[0], group[-1]
    return first.label if len(group) == 1 else f"{first.name}[{first.element}..{last.element}]"


def _answer(piece: Restored) -> tuple[bool, bool]:
    return bool(piece.reads), bool(piece.sets)
