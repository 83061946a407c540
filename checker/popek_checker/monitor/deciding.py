"""The rows of a monitor: each instruction decided, from the cache or by the solver, in parallel."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from popek_checker.monitor.proof import OF_ROWS
from popek_checker.monitor.sides import Sides, subject_of
from popek_checker.solver.answers import answers_in
from popek_checker.solver.cache import Cache
from popek_checker.solver.sharing import Shared, as_decided
from popek_checker.solver.smt import Smt, kept_solver
from popek_checker.virtualizability.check import settled
from popek_checker.virtualizability.decide import Item, first_found
from popek_checker.virtualizability.filed import file_rows, known_rows, row_key, standing
from popek_checker.virtualizability.options import Progress
from popek_checker.virtualizability.verdict import Finding, Row, Truth, disjunction, negation
from popek_checker.virtualizability.witness import witness
from popek_grammar import machine as m

CHUNK = 16
"""Instructions handed to a worker at a time."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Work for one worker: instructions under one monitor, and the obligations that are asked of them."""

    machine: Shared[m.Machine]
    monitor: str
    items: tuple[Item, ...]
    wanted: frozenset[str]
    timeout: float
    cache: str | None


def decide(machine: m.Machine, monitor: m.Monitor, item: Item, smt: Smt, wanted: frozenset[str]) -> Row:
    """What becomes of one instruction in the modes that run."""
    sides = Sides(subject_of(machine, monitor, item))
    findings = [_asked(smt, sides, "runs")]
    if not sides.never:
        findings += [_asked(smt, sides, f"emulated:{sides.subject.label(mode)}") for mode in monitor.runs]
    runs = findings[0].truth
    for name in (name for name in OF_ROWS if name in wanted):
        # What never completes in the real mode breaks none of these: that has been asked.
        findings.append(Finding(name, Truth.YES) if runs is Truth.NO else _obligation(smt, sides, name))
    if "efficient" in wanted:
        findings.append(_efficient(smt, sides, disjunction(f.truth for f in findings if f.question.startswith("emulated:"))))
    return Row(item.instruction, item.part, tuple(findings))


def _asked(smt: Smt, sides: Sides, question: str) -> Finding:
    start = time.perf_counter()
    truth, _, why = first_found(smt, sides.ask(question))
    return Finding(question, truth, reason=why, seconds=time.perf_counter() - start)


def _obligation(smt: Smt, sides: Sides, name: str) -> Finding:
    """Met, where there is no state in which it fails; the smallest such state otherwise."""
    start = time.perf_counter()
    found, ask, why = first_found(smt, sides.ask(name))
    shown = witness(smt, sides.subject, ask) if ask is not None else None
    return Finding(name, negation(found), shown, why, time.perf_counter() - start)


def _efficient(smt: Smt, sides: Sides, emulated: Truth) -> Finding:
    """Not met by what traps though the guest's machine completes, and shows or changes nothing that is not the program's."""
    start = time.perf_counter()
    if emulated is Truth.NO:
        return Finding("efficient", Truth.YES)
    sensitive, _, why = first_found(smt, sides.sensitivities())
    truth = sensitive if emulated is Truth.YES or sensitive is Truth.YES else Truth.UNKNOWN
    return Finding("efficient", truth, reason=why, seconds=time.perf_counter() - start)


def decide_batch(batch: Batch) -> list[Row]:
    """The rows of a batch. Runs in a worker, which keeps its solver from batch to batch."""
    smt, machine = kept_solver(batch.timeout), batch.machine.value
    with smt.knowing(answers_in(batch.cache)):
        return [decide(machine, machine.monitors[batch.monitor], item, smt, batch.wanted) for item in batch.items]


def decide_all(
    machine: m.Machine, monitor: m.Monitor, work: Sequence[Item], wanted: frozenset[str], timeout: float,
    executor: Executor | None, cache: Cache | None, progress: Progress,
) -> tuple[tuple[Row, ...], int]:  # fmt: skip
    """The rows of all items in order, and how many came from the cache."""
    found: dict[Item, Row] = {}
    keys: dict[Item, str] = {}
    if cache is not None:
        base, said = standing(machine), (_standing(monitor), sorted(wanted))
        keys = {item: row_key(base, machine.instructions[item.instruction], item, said) for item in work}
        stored = known_rows(cache, keys.values())
        found = {item: stored[key] for item, key in keys.items() if key in stored}
    cached = len(found)
    progress(cached, len(work), "")
    missing = [item for item in work if item not in found]
    path = str(cache.path) if cache is not None else None
    shared = Shared(machine)
    batches = [
        Batch(shared, monitor.name, tuple(missing[first : first + CHUNK]), wanted, timeout, path)
        for first in range(0, len(missing), CHUNK)
    ]
    for batch, rows in as_decided(decide_batch, batches, executor):
        fresh = dict(zip(batch.items, rows, strict=True))
        found |= fresh
        if cache is not None:
            file_rows(cache, {keys[item]: row for item, row in fresh.items() if settled(row)})
        progress(len(found), len(work), batch.items[-1].instruction)
    return tuple(found[item] for item in work), cached


def _standing(monitor: m.Monitor) -> m.Monitor:
    """What of a monitor a row stands on: not its name, what else it replaces, its share of time, or what is expected of it."""
    place = replace(monitor.placement, name="")
    return replace(
        monitor,
        name="",
        placement=place,
        interprets=(),
        replaced=(),
        slice=1,
        weight=1,
        expect=m.Expectation("holds", ()),
        doc="",
    )
