"""A comparison as people read it: declarations, then what differs with a state that shows it, then the count."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from popek.reports.diff_summary import (
    WHERE,
    Rows,
    Through,
    counted,
    folded_changes,
    folded_rows,
    listed,
    proofs,
    through,
    verdict,
)
from popek.reports.terminal import paper, written
from popek_checker.difference.delta import Contrast, Delta, Point, Status

STYLE = {
    Status.SAME: "green",
    Status.DIFFERENT: "bold red",
    Status.THROUGH: "red",
    Status.INCOMPARABLE: "magenta",
    Status.UNKNOWN: "yellow",
}


def write(delta: Delta) -> str:
    """The comparison as text; colours only when standard output is a terminal."""
    console = paper()
    for side, one in (("A", delta.a), ("B", delta.b)):
        console.print(Text.assemble((side, "bold"), f": {one.machine} ({one.config}), {one.file}"))
    _changes(console, delta)
    _through(console, through(delta))
    _rows(console, folded_rows(delta))
    for assumption in delta.assumptions:
        console.print(Text(f"assuming {assumption}", style="dim"))
    console.print(counted(delta), markup=False)
    console.print(proofs(delta), markup=False)
    console.print(Text(verdict(delta), style="bold red" if delta.differs else "yellow" if delta.of(Status.UNKNOWN) else "green"))
    console.print(f"{delta.seconds:.2f} s", style="dim")
    return written(console)


def _changes(console: Console, delta: Delta) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("declared", "where", "name", "how"):
        table.add_column(column, no_wrap=column in ("declared", "where"))
    for group in folded_changes(delta.changes):
        table.add_row(group.kind, WHERE[group.where], Text(listed(group.names)), Text(group.detail))
    if table.row_count:
        console.print(table)
        console.print()


def _through(console: Console, clauses: list[Through]) -> None:
    for each in clauses:
        place = f", {each.place}" if each.place else ""
        console.print(Text.assemble("through ", (each.clause.label, "bold"), f"{place}: {each.names}"))
        if each.alone:
            console.print(Text(f"  by itself, A | B: {each.alone}"))
    if clauses:
        console.print()


def _rows(console: Console, groups: list[Rows]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("compared", "result", "A | B"):
        table.add_column(column, no_wrap=column == "result")
    for group in groups:
        table.add_row(Text(group.names), Text(group.status.value, style=STYLE[group.status]), Text(group.why))
    if not groups:
        return
    console.print(table)
    for group in groups:
        if group.shown.witness is not None:
            _witness(console, group, group.shown.witness)
    console.print()


def _witness(console: Console, group: Rows, found: Contrast) -> None:
    operands = ", ".join(f"{name} = {value:#x}" for name, value in (*found.operands, *found.choices) if value)
    texts = " | ".join(dict.fromkeys(text for text in found.assembly if text))
    title = "; ".join(part for part in (texts, operands, *group.shown.own) if part)
    console.print()
    console.print(Text.assemble((group.shown.label, "bold"), f": {title}" if title else ""))
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("  role", "state", "before", "A", "B"):
        table.add_column(column, no_wrap=True)
    for cell in found.cells:
        table.add_row(f"  {cell.role}", Text(cell.name), hex(cell.before), *values(cell))
    if table.row_count:
        console.print(table)
    for side, ending in zip("AB", found.endings, strict=True):
        console.print(Text(f"  {side} {ending}{', entered' if found.entered else ''}"))


def values(cell: Point) -> list[str]:
    """The value after in A and in B; `=` where it stays, nothing where there is no such state."""
    return ["none" if value is None else "=" if value == cell.before else hex(value) for value in cell.after]
