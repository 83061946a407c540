"""The gallery: what is known of every machine of a library, one row a machine and configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from popek.checking import Settings, Target, targets, whole_report
from popek.codes import AS_EXPECTED, BAD_INPUT, exit_code
from popek.reports.counts import Regions, regions
from popek.reports.summary import Summary, summaries, word
from popek_checker.virtualizability.verdict import Report, Truth
from popek_grammar.text.diagnostics import SpecError

Progress: TypeAlias = "Callable[[int, int, str], None]"

KINDS = ("control", "location", "mode", "config", "joint", "trap", "below")
"""The kinds of sensitivity that a violation can have, in the order of the theory."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One machine in one configuration; `problem` says why a broken one has no verdict."""

    name: str
    config: str
    title: str = ""
    guest: str = ""
    host: str = ""
    invariant: tuple[str, ...] = ()
    instructions: int = 0
    regions: Regions = Regions()
    violations: tuple[tuple[str, int], ...] = ()
    theorems: tuple[tuple[str, str], ...] = ()
    condition: tuple[str, ...] = ()
    reasons: tuple[tuple[str, str], ...] = ()
    seconds: float = 0.0
    code: int = AS_EXPECTED
    problem: str = ""

    @property
    def sensitive(self) -> int:
        return len(self.regions.sensitive)

    @property
    def privileged(self) -> int:
        return len(self.regions.all_privileged)


@dataclass(frozen=True, slots=True)
class Found:
    """A row, and what it was made from; neither for a broken machine."""

    entry: Entry
    target: Target | None = None
    report: Report | None = None


def found(specs: Iterable[str], options: Settings, pool: Executor | None, caching: bool, tell: Progress) -> Iterator[Found]:
    """A row for each configuration of each file; a broken file has one row, and does not stop the others."""
    for spec in specs:
        try:
            configurations = list(targets((spec,), ("all",)))
        except SpecError as error:
            yield Found(broken(spec, "", error))
            continue
        for target in configurations:
            try:
                report = whole_report(target, options, pool, caching, telling(target, tell))
                yield Found(entry(report), target, report)
            except SpecError as error:
                yield Found(broken(spec, target.config or "", error))


def telling(target: Target, tell: Progress) -> Progress:
    """Progress that names the machine too."""
    name = " ".join(filter(None, (Path(target.path).stem, target.config)))
    return lambda done, total, what: tell(done, total, f"{name}: {what}")


def broken(spec: str, config: str, error: SpecError) -> Entry:
    """The row of a machine that is none, with the first thing that is wrong with it."""
    first = error.diagnostics[0]
    more = f" (and {len(error.diagnostics) - 1} more)" if len(error.diagnostics) > 1 else ""
    place = f"{first.span.file}:{first.span.line}:{first.span.column}: " if first.span is not None else ""
    return Entry(spec, config, code=BAD_INPUT, problem=f"{place}{first.message}{more}")


def entry(report: Report) -> Entry:
    """The row of a report."""
    rows = summaries(report)
    holes = [row for row in rows if row.violation is Truth.YES]
    return Entry(
        name=report.machine, config=report.config, title=report.title, guest=report.claim.guest, host=report.claim.host,
        invariant=report.claim.invariant, instructions=len(rows), regions=regions(rows), violations=by_kind(holes),
        theorems=tuple((number, word(report.theorem(number))) for number in report.asked),
        condition=conditions(holes), reasons=tuple((row.name, row.reason) for row in holes), seconds=report.seconds,
        code=exit_code(report),
    )  # fmt: skip


def by_kind(holes: Iterable[Summary]) -> tuple[tuple[str, int], ...]:
    """How many violations there are of each kind; one instruction may be of several."""
    found = [row.kinds for row in holes]
    counts = {kind: sum(kind in kinds for kinds in found) for kind in KINDS}
    return tuple((kind, count) for kind, count in counts.items() if count)


def conditions(holes: Iterable[Summary]) -> tuple[str, ...]:
    """The settings that close holes, and how many holes no setting closes."""
    holes = list(holes)
    settings = dict.fromkeys(" and ".join(row.condition) for row in holes if row.condition)
    without = sum(not row.condition for row in holes)
    return (*settings, f"{without} without remedy") if without else tuple(settings)
