"""The proof that people read: how each instruction is handled, the states that refute it, then the obligations."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from popek.reports.proof_summary import Line, counted, heading, lines, sentence, verdict
from popek.reports.terminal import paper, written
from popek.reports.text import COLOUR, operands_of, state_table
from popek_checker.monitor.proof import REFUTING, Proof
from popek_checker.virtualizability.verdict import Truth

STYLE = {"refuted": "bold red", "unknown": "yellow"}


def write(proofs: Sequence[Proof]) -> str:
    """All proofs as text; colours only when standard output is a terminal."""
    console = paper()
    for number, proof in enumerate(proofs):
        if number:
            console.print()
        _proof(console, proof)
    return written(console)


def _proof(console: Console, proof: Proof) -> None:
    console.print(f"[bold]monitor {proof.monitor}[/bold] of {proof.machine} ({proof.config}): {heading(proof)}")
    found = lines(proof)
    if found:
        console.print(_table(found))
    for line in found:
        _witness(console, line)
    console.print()
    console.print(f"H: {'; '.join(proof.held) or 'nothing'}", markup=False)
    console.print(f"f: {'; '.join(proof.f)}", markup=False)
    for assumption in proof.assumptions:
        console.print(f"assuming {assumption}", style="dim", markup=False)
    for exclusion in proof.exclusions:
        console.print(f"excluded: {exclusion}", style="dim", markup=False)
    if proof.rows:
        console.print(counted(proof))
    for answer in proof.answers:
        style = COLOUR[answer.truth] if answer.name in REFUTING else "" if answer.truth is not Truth.UNKNOWN else "yellow"
        console.print(Text(sentence(answer), style=style))
        for note in answer.notes:
            console.print(f"  {note}", style="dim", markup=False)
    console.print(Text(f"monitor {proof.monitor}: {verdict(proof)}", style=COLOUR[proof.as_expected]))
    console.print(f"{proof.seconds:.2f} s, {proof.cached} rows from the cache", style="dim")


def _table(found: Sequence[Line]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("instruction", no_wrap=True)
    table.add_column("handled", no_wrap=True)
    table.add_column("what of it")
    for line in found:
        table.add_row(line.name, Text(line.how, style=STYLE.get(line.how, "")), line.why)
    return table


def _witness(console: Console, line: Line) -> None:
    if line.witness is None:
        return
    label, shown = line.witness
    operands = operands_of(shown)
    console.print(f"\n[bold]{label}[/bold]: {shown.kind}" + (f"; {operands}" if operands else ""))
    console.print(state_table(shown))
