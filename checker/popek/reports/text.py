"""The report that people read: the table, then the witnesses of the holes, then the theorems with H."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from popek.reports.asked import not_asked_lines, rests_on, scope, unseen_lines
from popek.reports.counts import because, counted, plural
from popek.reports.harm import escalation_line, lost_line
from popek.reports.matrix import Matrix, matrices
from popek.reports.summary import settings_line, summaries, word
from popek.reports.terminal import paper, written
from popek_checker.virtualizability.verdict import Report, Row, TheoremResult, Truth, Witness

MATRIX_STYLE = {"silent": "bold red", "fails": "red", "holds": "green", "traps": "green", "unknown": "yellow"}
TITLES = {
    "1": "Theorem 1",
    "3": "Theorem 3 (hybrid)",
    "exact": "Exact question",
    "noninterference": "Noninterference of hidden state",
}
STYLE = {"ok": "green", "violation": "bold red", "unknown": "yellow"}


def write(reports: Sequence[Report]) -> str:
    """All reports as text; colours only when standard output is a terminal."""
    console = paper()
    for report in reports:
        _report(console, report)
    for matrix in matrices(reports):
        _matrix(console, matrix)
    for line in not_asked_lines(reports):
        console.print(line, style="yellow", markup=False)
    return written(console)


def _report(console: Console, report: Report) -> None:
    claim = report.claim
    console.print(
        f"[bold]{report.machine}[/bold] ({report.config}): guest {claim.guest} run at {claim.host}, "
        f"memory {claim.memory}, {claim.reading} reading{scope(report)}"
    )
    console.print(_table(report))
    for summary in summaries(report):
        if summary.violation is not Truth.NO or summary.truth("leaks") is Truth.YES:
            row = next((row for row in summary.rows if row.witness is not None), None)
            if row is not None and row.witness is not None:
                _witness(console, row, row.witness)
    _theorems(console, report)


def _matrix(console: Console, matrix: Matrix) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in (matrix.machine, *matrix.settings):
        table.add_column(heading, no_wrap=True)
    for name, words in matrix.rows:
        table.add_row(name, *(Text(each, style=MATRIX_STYLE.get(each, "")) for each in words))
    console.print()
    console.print(table)
    console.print(f"{plural(matrix.same, 'instruction')} of the same verdict in every setting", style="dim")


def _table(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("instruction", no_wrap=True)
    table.add_column("class", no_wrap=True)
    table.add_column("privileged", no_wrap=True)
    table.add_column("exact", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("why")
    for summary in summaries(report):
        table.add_row(
            summary.name,
            summary.kind,
            summary.privileged.value,
            summary.exact.value,
            Text(summary.verdict, style=STYLE[summary.verdict]),
            summary.reason,
        )
    return table


def _witness(console: Console, row: Row, found: Witness) -> None:
    operands = operands_of(found)
    console.print(f"\n[bold]{row.label}[/bold]: {found.kind.replace('_', ' ')}" + (f"; {operands}" if operands else ""))
    console.print(state_table(found))
    if found.program:
        console.print(found.program, markup=False)
    if row.condition or row.searched:
        console.print(f"  condition: {' and '.join(row.condition) or row.searched}")
    if row.exact_when:
        console.print(f"  as on the bare machine when {', or when '.join(row.exact_when)}")


def operands_of(found: Witness) -> str:
    """`rd = 0x1, imm = 0x8`: the operands of a witness that are not zero."""
    return ", ".join(f"{name} = {value:#x}" for name, value in found.operands if value)


def state_table(found: Witness) -> Table:
    """The cells of a witness, each in every state that it shows."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("  role", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for name in found.labels:
        table.add_column(name, no_wrap=True)
    for cell in (cell for cell in found.cells if not cell.held):
        table.add_row(f"  {cell.role}", cell.shown, *_values(cell.before, cell.after))
    table.add_row("  ", "result", *found.results)
    return table


def _values(before: Sequence[int], after: Sequence[int]) -> list[str]:
    return [f"{old:#x}" if old == new else f"{old:#x} -> {new:#x}" for old, new in zip(before, after or before, strict=True)]


def _theorems(console: Console, report: Report) -> None:
    console.print()
    invariant = " and ".join(report.claim.invariant) or "nothing"
    console.print(f"H: {invariant}")
    console.print(f"f: {'; '.join(report.f)}", markup=False)
    for assumption in report.assumptions:
        console.print(f"assuming {assumption}", style="dim")
    for field, steps in report.left:
        told = f"assuming that {field} holds a value of its declared set, which is not shown of {', '.join(steps)}"
        console.print(Text(told, style="yellow"))
    for exclusion in report.exclusions:
        console.print(f"excluded: {exclusion}", style="dim")
    if report.roles:
        console.print(f"rests on these roles: {rests_on(report)}", style="dim", markup=False)
    for line in unseen_lines(report):
        console.print(line, style="dim", markup=False)
    console.print(counted(report))
    for number in report.asked:
        truth = report.theorem(number)
        style = {"holds": "green", "fails": "red"}.get(word(truth), "yellow")
        why = f": {because(report)}" if number == "1" else ""
        console.print(Text(f"{TITLES[number]}{scope(report)}: {word(truth)}{why}", style=style))
    if told := settings_line(report):
        console.print(told, markup=False)
    for told in (escalation_line(report), lost_line(report)):
        if told:
            console.print(told, markup=False)
    for theorem in report.theorems:
        console.print(_theorem(theorem, scope(report)))
    _invariants(console, report)
    console.print(f"{report.seconds:.2f} s, {report.cached} rows from the cache", style="dim")


def _invariants(console: Console, report: Report) -> None:
    """Each with the steps that break it and a state in which the first of them does."""
    quiet = [kept.name for kept in report.invariants if kept.about and kept.found == "holds" and kept.as_expected is Truth.YES]
    for kept in report.invariants:
        if kept.name in quiet:
            continue
        names = f" {{{', '.join(kept.broken)}}}" if kept.broken else f" ({kept.reason})" if kept.reason else ""
        since = ", once it holds" if kept.once else ""
        found = "is broken by" if kept.found == "fails" else kept.found
        line = f"invariant {kept.name}{since}: {kept.text}: {found}{names}: {TOLD[kept.as_expected]}"
        console.print(Text(line + (f" ({kept.difference})" if kept.difference else ""), style=COLOUR[kept.as_expected]))
        if kept.witness is not None and kept.as_expected is not Truth.YES:
            if operands := operands_of(kept.witness):
                console.print(f"  {operands}", markup=False)
            console.print(state_table(kept.witness))
    if quiet:
        told = f"{plural(len(quiet), 'sentence')} about steps {'holds' if len(quiet) == 1 else 'hold'}: {', '.join(quiet)}"
        console.print(Text(told, style=COLOUR[Truth.YES]))
        told = "each is asked of every single step that it names, from any state in which the invariants hold that always do"
        console.print(told, style="dim")
    if any(kept.found == "holds" and not kept.about for kept in report.invariants):
        told = "invariants are proved together by induction over instructions in every mode, trap entries, interrupts and inputs"
        console.print(f"{told}, from reset; state without a declared reset value begins as anything legal", style="dim")


TOLD = {Truth.YES: "as expected", Truth.NO: "NOT as expected", Truth.UNKNOWN: "not decided"}
COLOUR = {Truth.YES: "green", Truth.NO: "bold red", Truth.UNKNOWN: "yellow"}


def _theorem(theorem: TheoremResult, scope: str) -> Text:
    names = f" {{{', '.join(theorem.names)}}}" if theorem.names else ""
    told, style = TOLD[theorem.as_expected], COLOUR[theorem.as_expected]
    claim = theorem.claim
    memory = "" if claim.memory == "view" else f", memory {claim.memory}"
    given = f" given {' and '.join(claim.invariant)}" if claim.invariant else ""
    under = f", placement {claim.placement}" if claim.placement else ""
    shown = f"{theorem.show} for {claim.guest} at {claim.host}{memory}{under}{given}"
    found = "exactly" if theorem.expected == "exactly" and names else theorem.found  # a class is had, not failed
    line = f"theorem {theorem.name}{scope}: {shown}: {found}{names}: {told}"
    return Text(line + (f" ({theorem.difference})" if theorem.difference else ""), style=style)
