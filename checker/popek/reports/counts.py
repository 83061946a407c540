"""How many instructions are what: the one place that counts them, for every format.

An instruction that is not decided is in no set: it is neither a violation nor innocuous.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from popek.reports.summary import Summary, summaries
from popek_checker.virtualizability.verdict import Report, Truth


@dataclass(frozen=True, slots=True)
class Regions:
    """Instructions by the sets of Theorem 1. `holes` are sensitive and not privileged: what sticks out."""

    privileged: tuple[str, ...] = ()
    both: tuple[str, ...] = ()
    holes: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    innocuous: tuple[str, ...] = ()

    @property
    def all_privileged(self) -> tuple[str, ...]:
        return (*self.privileged, *self.both)

    @property
    def sensitive(self) -> tuple[str, ...]:
        return (*self.both, *self.holes)

    @property
    def total(self) -> int:
        return len(self.all_privileged) + len(self.holes) + len(self.open) + len(self.innocuous)


def regions(rows: Iterable[Summary]) -> Regions:
    """Which set each instruction is in: each is in exactly one."""
    sets: dict[str, list[str]] = {"privileged": [], "both": [], "holes": [], "open": [], "innocuous": []}
    for row in rows:
        sets[_region(row)].append(row.name)
    return Regions(**{name: tuple(listed) for name, listed in sets.items()})


def _region(row: Summary) -> str:
    match row.violation, row.sensitive, row.privileged:
        case Truth.UNKNOWN, _, _:
            return "open"
        case Truth.YES, _, _:
            return "holes"
        case _, Truth.YES, _:
            return "both"
        case _, _, Truth.YES:
            return "privileged"
    return "innocuous"


def counted(report: Report) -> str:
    """`20 instructions: 14 sensitive, 5 privileged, 11 violations, 1 undecided`."""
    sets = regions(summaries(report))
    told = [f"{len(sets.sensitive)} sensitive", f"{len(sets.all_privileged)} privileged", plural(len(sets.holes), "violation")]
    told += [f"{len(sets.open)} undecided"] if sets.open else []
    return f"{plural(sets.total, 'instruction')}: {', '.join(told)}"


def because(report: Report) -> str:
    """Why Theorem 1 comes out as it does, in half a line."""
    if report.own:
        return "all state is the program's own, in one mode: there is nothing that an instruction could be sensitive to"
    sets = regions(summaries(report))
    left = f"{len(sets.open)} of {plural(sets.total, 'instruction')} could not be decided"
    match report.theorem("1"):
        case Truth.YES if len(sets.sensitive) == 1:
            return "the one sensitive instruction is privileged"
        case Truth.YES if sets.sensitive:
            return f"all {len(sets.sensitive)} sensitive instructions are privileged"
        case Truth.YES:
            return "no instruction is sensitive"
        case Truth.NO:
            found = f"{len(sets.holes)} of {len(sets.sensitive)} sensitive instructions are not privileged"
            return f"{found}; {left}" if sets.open else found
        case _:
            return left


def plural(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
