"""One machine in several settings, side by side: a column a setting, a row for each answer that is not the same in all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from popek.reports.asked import scope
from popek.reports.summary import Summary, summaries, word
from popek_checker.virtualizability.verdict import Report, Truth

NUMBERS = {"1": "Theorem 1", "3": "Theorem 3", "exact": "Exact"}


@dataclass(frozen=True, slots=True)
class Matrix:
    """`rows` are (name, one word a setting): the theorems, then the instructions whose verdicts differ."""

    machine: str
    settings: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    same: int


def matrices(reports: Sequence[Report]) -> list[Matrix]:
    """A matrix for each machine that is reported in more than one setting, under the same modes and reading."""
    groups: dict[tuple[str, ...], list[Report]] = {}
    for report in reports:
        claim = report.claim
        groups.setdefault((report.machine, claim.guest, claim.host, claim.memory, claim.reading), []).append(report)
    return [_matrix(group) for group in groups.values() if len(group) > 1]


def _matrix(reports: Sequence[Report]) -> Matrix:
    tables = [{summary.name: summary for summary in summaries(report)} for report in reports]
    names = list(dict.fromkeys(name for table in tables for name in table))
    rows = [(name, tuple(verdict(table.get(name)) for table in tables)) for name in names]
    differing = [row for row in rows if len(set(row[1])) > 1]
    theorems = [(title, tuple(word(report.theorem(number)) for report in reports)) for number, title in NUMBERS.items()]
    settings = tuple(report.config for report in reports)
    return Matrix(f"{reports[0].machine}{scope(reports[0])}", settings, (*theorems, *differing), len(rows) - len(differing))


def verdict(summary: Summary | None) -> str:
    """`silent` (a hole), `traps`, `ok`, `unknown`, or a dash where the setting has no such instruction."""
    if summary is None:
        return "-"
    match summary.violation, summary.privileged:
        case Truth.YES, _:
            return "silent"
        case Truth.UNKNOWN, _:
            return "unknown"
        case _, Truth.YES:
            return "traps"
    return "ok"
