"""The table of a virtual machine, as text and as JSON (`popek/virtual/1`)."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.table import Table

from popek.reports.asked import scope
from popek.reports.terminal import paper, written
from popek_checker.explanation.virtual import Case, Fate, Kind
from popek_checker.virtualizability.verdict import Report

SHOWN = 3
"""Instructions named in a cell, where it has several fates."""


def as_text(report: Report, cases: Sequence[Case]) -> str:
    """Kinds of instruction down, virtual modes across."""
    console = paper()
    claim = report.claim
    console.print(
        f"[bold]Virtual {report.title or report.machine}[/bold] ({report.config}): "
        f"guest {claim.guest} run at {claim.host}{scope(report)}"
    )
    modes = list(dict.fromkeys(case.mode for case in cases))
    table = Table(pad_edge=False, header_style="bold", show_lines=True)
    table.add_column("instruction")
    for mode in modes:
        table.add_column(f"virtual {mode}")
    for kind in Kind:
        table.add_row(kind.value, *(_cell(case) for case in cases if case.kind is kind))
    console.print(table)
    console.print(f"H: {' and '.join(claim.invariant) or 'nothing'}")
    console.print(
        "errant: the bare machine traps too, in its most privileged mode; sensitive: sensitive or privileged", style="dim"
    )
    return written(console)


def _cell(case: Case) -> str:
    """One fate alone, or each with the instructions that meet it."""
    lines = [fate.value for fate in case.fates]
    if len(case.fates) > 1:
        lines = [f"{fate.value}: {_names(names)}" for fate, names in case.fates.items()]
    if case.open:
        lines.append(f"not decided: {_names(case.open)}")
    return "\n".join(lines) or "does not occur"


def _names(names: Sequence[str]) -> str:
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + rest


def as_json(report: Report, cases: Sequence[Case]) -> str:
    cells = [
        {
            "instruction": case.kind.value,
            "virtual_mode": case.mode,
            "fates": {fate.name.lower(): list(names) for fate, names in case.fates.items()},
            "unknown": list(case.open),
        }
        for case in cases
    ]
    words = {fate.name.lower(): fate.value for fate in Fate}
    claim = report.claim
    head = {
        "schema": "popek/virtual/1",
        "machine": report.machine,
        "config": report.config,
        "guest": claim.guest,
        "only": list(report.only) or None,
    }
    return json.dumps(
        {**head, "mode": claim.host, "host_invariant": list(claim.invariant), "words": words, "cells": cells}, indent=2
    )
