"""The report as Markdown, for a CI job's summary."""

from __future__ import annotations

from collections.abc import Sequence

from popek.reports.asked import not_asked_lines, rests_on, scope, unseen_lines
from popek.reports.counts import because, counted
from popek.reports.harm import escalation_line
from popek.reports.matrix import Matrix, matrices
from popek.reports.summary import settings_line, summaries, word
from popek_checker.virtualizability.verdict import Report, Truth


def write(reports: Sequence[Report]) -> str:
    lines = [line for report in reports for line in _report(report)]
    lines += [line for matrix in matrices(reports) for line in _matrix(matrix)]
    return "\n".join([*lines, *(f"{line[0].upper()}{line[1:]}." for line in not_asked_lines(reports))]) + "\n"


def _matrix(matrix: Matrix) -> list[str]:
    head = [
        "## By setting",
        "",
        f"| {matrix.machine} | {' | '.join(matrix.settings)} |",
        "| --- " * (len(matrix.settings) + 1) + "|",
    ]
    return [*head, *(f"| {name} | {' | '.join(words)} |" for name, words in matrix.rows), ""]


def _report(report: Report) -> list[str]:
    claim = report.claim
    lines = [
        f"## {report.machine} ({report.config})",
        "",
        f"Guest {claim.guest} at {claim.host}, memory {claim.memory}, {claim.reading} reading{scope(report)}. "
        f"H: {' and '.join(claim.invariant) or 'nothing'}.",
        f"f: {'; '.join(report.f)}.",
        "",
        f"Theorem 1{scope(report)} **{word(report.theorem('1'))}** ({because(report)}), "
        f"Theorem 3 **{word(report.theorem('3'))}**, exact **{word(report.theorem('exact'))}**. {counted(report)}.",
        "",
        "| instruction | class | privileged | exact | verdict | why |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for s in summaries(report):
        lines.append(f"| `{s.name}` | {s.kind} | {s.privileged.value} | {s.exact.value} | {s.verdict} | {s.reason} |")
    lines += _conditions(report)
    relative = [f"rests on these roles: {rests_on(report)}"] if report.roles else []
    relative += [*(f"assuming {each}" for each in report.assumptions), *(f"excluded: {each}" for each in report.exclusions)]
    lines += ["", *(f"- {line}" for line in (*relative, *unseen_lines(report)))]
    if told := settings_line(report):
        lines += ["", told[0].upper() + told[1:] + "."]
    if told := escalation_line(report):
        lines += ["", told + "."]
    if report.theorems:
        lines += ["", f"| theorem{scope(report)} | shows | found | as expected |", "| --- | --- | --- | --- |"]
    for t in report.theorems:
        told = {Truth.YES: "yes", Truth.NO: f"**no**: {t.difference}", Truth.UNKNOWN: "unknown"}[t.as_expected]
        lines.append(f"| {t.name} | {t.show} | {t.found} {', '.join(t.names)} | {told} |")
    if report.invariants:
        lines += ["", "| invariant | says | found | as expected |", "| --- | --- | --- | --- |"]
    for kept in report.invariants:
        told = {Truth.YES: "yes", Truth.NO: f"**no**: {kept.difference}", Truth.UNKNOWN: "unknown"}[kept.as_expected]
        since = ", once it holds" if kept.once else ""
        text = kept.text.replace("|", "\\|")
        lines.append(f"| {kept.name}{since} | `{text}` | {kept.found} {', '.join(kept.broken)} | {told} |")
    return [*lines, ""]


def _conditions(report: Report) -> list[str]:
    """A table of the holes: the settings under which each traps, or what was looked through for one."""
    holes = [row for row in report.rows if row.violation is Truth.YES and (row.condition or row.searched)]
    told = [(row.label, " and ".join(f"`{text}`" for text in row.condition) or row.searched) for row in holes]
    return ["", "| hole | traps under |", "| --- | --- |", *(f"| `{label}` | {text} |" for label, text in told)] if told else []
