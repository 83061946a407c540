"""The semantic difference of two machines: what both have is performed in both, from one state, and the ends compared.

Equal text means the same, and so do equal terms; the solver is asked of the rest. An instruction is first compared up to
the trap that it raises. Entry of traps is compared by itself, cause by cause, and again for the instructions that raise
a cause whose entry differs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass, replace

from popek_checker.difference.compare import CARRIED, Pair, between, instructions
from popek_checker.difference.contrast import contrast
from popek_checker.difference.declared import changes
from popek_checker.difference.delta import Change, Delta, DeltaRow, Status, Subject
from popek_checker.difference.sets import chosen, compare_sets
from popek_checker.difference.sides import Side, Unit, item
from popek_checker.solver.cache import machine_digest, text_key
from popek_checker.solver.sharing import Shared
from popek_checker.solver.smt import Smt, kept_solver
from popek_checker.solver.smt import Status as Answered
from popek_checker.virtualizability.check import CHUNK, FEWEST_CHUNKS
from popek_checker.virtualizability.options import Progress
from popek_checker.virtualizability.witness import minimise
from popek_grammar import machine as m
from popek_grammar.meaning import terms as t

PAIRED = "differs where open choices are paired by position; the sets of results were not told apart"
"""Why a comparison with open choices is not decided."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Work for one worker. `uneven`: the causes whose entry is not known to be the same."""

    machines: Shared[tuple[m.Machine, m.Machine]]
    units: tuple[Unit, ...]
    uneven: frozenset[str]
    timeout: float


def diff(
    a: m.Machine,
    b: m.Machine,
    wanted: Sequence[str] = (),
    timeout: float = 30.0,
    executor: Executor | None = None,
    progress: Progress = lambda done, total, name: None,
) -> Delta:
    """All that differs between two machines; with `wanted`, of these instructions alone."""
    start = time.perf_counter()
    pair = Pair(a, b)
    first, second = list(between(pair)), list(instructions(pair, wanted))
    equal, shared = _equal_texts(pair), Shared((a, b))
    rows = {unit: known for unit in (*first, *second) if (known := _without_solver(pair, unit, equal)) is not None}
    for stage in (first, second):
        uneven = frozenset(u.name for u, row in rows.items() if u.kind == "entry" and row.status is not Status.SAME)
        left = tuple(unit for unit in stage if unit not in rows)
        for decided in _decide(Batch(shared, left, uneven, timeout), executor):
            rows |= decided
            progress(len(rows), len(first) + len(second), next(reversed(decided)).name)
    shown = tuple(rows[unit] for unit in (second if wanted else [*first, *second]))
    told = tuple(_kept(changes(a, b), wanted))
    return Delta(_subject(a), _subject(b), told, shown, assumptions(pair), time.perf_counter() - start)


def _without_solver(pair: Pair, unit: Unit, equal: Callable[[Unit], bool]) -> DeltaRow | None:
    """The row that the declarations alone decide."""
    reason = pair.obstacle(unit)
    if reason:
        return DeltaRow(unit.kind, unit.name, unit.part, Status.INCOMPARABLE, reason=reason)
    return DeltaRow(unit.kind, unit.name, unit.part, Status.SAME, "text") if equal(unit) else None


def _kept(found: Iterable[Change], wanted: Sequence[str]) -> Iterator[Change]:
    """The changes to report: all, or those of the instructions asked for."""
    return (c for c in found if not wanted or (c.kind in ("instruction", "encoding") and c.name in wanted))


def _subject(machine: m.Machine) -> Subject:
    return Subject(machine.name, machine.config, machine.files[0] if machine.files else "")


def _equal_texts(pair: Pair) -> Callable[[Unit], bool]:
    """Whether a unit reads the same in both machines, with all that it stands on."""
    plain = [
        replace(x, name="", config="", title="", manual="", parameters={}, extensions={}, choices={}, given={})
        for x in (pair.a, pair.b)
    ]
    bases = [machine_digest(machine) for machine in plain]

    def equal(unit: Unit) -> bool:
        if bases[0] != bases[1] or unit.kind != "instruction":
            return bases[0] == bases[1]
        one, other = (text_key("", x.instructions[unit.name], item(unit), ()) for x in plain)
        return one == other

    return equal


def assumptions(pair: Pair) -> tuple[str, ...]:
    """What every answer takes for granted."""
    paged = any(tr.page_bits for machine in (pair.a, pair.b) for tr in machine.translations.values())
    return (
        "both machines start from one state, legal in both; state of one machine alone holds anything",
        *(("no access crosses a page of the smallest size",) if paged else ()),
        "open choices (`unspecified`, `choose`) are paired by position; where they decide, sets of results are compared",
    )


# -- work ------------------------------------------------------------------------------------------------------------


def _decide(whole: Batch, executor: Executor | None) -> Iterator[dict[Unit, DeltaRow]]:
    """The rows of a batch, cut into parts for the workers, as they come."""
    size = max(1, min(CHUNK, len(whole.units) // FEWEST_CHUNKS))
    parts = [replace(whole, units=whole.units[at : at + size]) for at in range(0, len(whole.units), size)]
    if executor is None or len(parts) < 2:
        yield from (dict(zip(part.units, decide_batch(part), strict=True)) for part in parts)
        return
    futures = {executor.submit(decide_batch, part): part for part in parts}
    yield from (dict(zip(futures[done].units, done.result(), strict=True)) for done in as_completed(futures))


def decide_batch(batch: Batch) -> list[DeltaRow]:
    """The rows of a batch. Runs in a worker, which keeps its solver from batch to batch."""
    smt = kept_solver(batch.timeout)
    pair = Pair(*batch.machines.value)
    return [decide(smt, pair, unit, batch.uneven) for unit in batch.units]


# -- one unit --------------------------------------------------------------------------------------------------------


def decide(smt: Smt, pair: Pair, unit: Unit, uneven: frozenset[str] = frozenset()) -> DeltaRow:
    """Whether a unit comes to the same in both machines; and then its traps, where the entry of their causes may differ."""
    sides = pair.sides(unit)
    row = _answer(smt, pair, unit, DeltaRow(unit.kind, unit.name, unit.part, Status.UNKNOWN), sides, None)
    uneven = frozenset({unit.name}) if unit.kind == "entry" else uneven
    for number, trap in enumerate(sides[0].outcome.traps):
        if row.status is not Status.SAME:
            break
        if trap.cause in uneven and not pair.carries_alike:
            row = replace(row, status=Status.INCOMPARABLE, how="", reason=CARRIED)
        elif trap.cause in uneven:
            row = _answer(smt, pair, unit, row, sides, number)
    return row


def _answer(smt: Smt, pair: Pair, unit: Unit, row: DeltaRow, sides: tuple[Side, Side], trap: int | None) -> DeltaRow:
    """The row with the answer about its ends, or about the entry of one trap, added."""
    ends = pair.ends(sides, trap)
    touched = pair.touched(ends.final)
    if touched:
        shapes = (f"{name}: {pair.common.reshaped[name]}" for name in touched)
        return replace(row, status=Status.INCOMPARABLE, reason="; ".join(shapes))
    row = replace(row, own=tuple(dict.fromkeys((*row.own, *pair.own(ends.final, ends.question)))))
    if ends.goal is t.FALSE:
        return replace(row, status=Status.SAME, how=row.how or "terms")
    found = smt.check([ends.goal])
    if found.status is Answered.UNSAT:
        return replace(row, status=Status.SAME, how="solver")
    if found.model is None:
        return replace(row, status=Status.UNKNOWN, how="", reason=found.reason)
    entry = trap is not None and unit.kind != "entry"  # shown once, as the entry itself
    if chosen(ends.question):
        status, ends, model = compare_sets(smt, pair, unit, trap)
        if model is None:
            reason = PAIRED if status is Status.UNKNOWN else ""
            return replace(row, status=status, how="solver" if status is Status.SAME else "", reason=reason)
    else:
        model = found.model if entry else minimise(smt, ends.goal) or found.model
    row = replace(row, status=Status.DIFFERENT, how="")
    if trap is not None and entry:
        return replace(row, reason=f"the entry of {sides[0].outcome.traps[trap].cause} differs, which both raise")
    return replace(row, witness=contrast(pair, unit, ends, model))
