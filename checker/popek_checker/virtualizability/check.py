"""Checks a machine: all instructions under a claim, then the theorems that its author wrote down."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from popek_checker.solver.answers import answers_in
from popek_checker.solver.cache import Cache
from popek_checker.solver.sharing import Shared, as_decided
from popek_checker.solver.smt import kept_solver
from popek_checker.virtualizability.assumed import alike, brought_about, examine, unplaced
from popek_checker.virtualizability.copies import pieces
from popek_checker.virtualizability.decide import EVERYTHING, KINDS, Item, decide, items, make_subject
from popek_checker.virtualizability.filed import file_rows, known_rows, row_key, standing
from popek_checker.virtualizability.granted import assumptions, exclusions, f_said, roles, unseen
from popek_checker.virtualizability.invariants import Proof, prove
from popek_checker.virtualizability.options import Options, Progress
from popek_checker.virtualizability.questions import Copies
from popek_checker.virtualizability.restoring import scalars_lost
from popek_checker.virtualizability.settings import find
from popek_checker.virtualizability.theorems import claim_of, judge
from popek_checker.virtualizability.verdict import Claim, Report, Row, Settings, Truth, disjunction, negation
from popek_grammar import machine as m

Decisions: TypeAlias = "tuple[dict[Claim, tuple[Row, ...]], int]"
"""The rows under each claim, and how many came from the cache."""

CHUNK = 24
"""Rows handed to a worker at a time: enough to share terms and solver, few enough to show progress."""
FEWEST_CHUNKS = 8
"""A small machine is cut into at least this many parts, so that no worker waits for another."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked under a claim: H, resolved, and what the theorems under it show."""

    invariant: tuple[m.Expr, ...]
    wanted: frozenset[str]

    def said(self, claim: Claim) -> tuple[object, ...]:
        """What a row was asked, for its key."""
        return claim, self.invariant, sorted(self.wanted)


@dataclass(frozen=True, slots=True)
class Batch:
    """Work for one worker: items, each under all the claims that need its row, so that they share its copies."""

    machine: Shared[m.Machine]
    claims: tuple[tuple[Claim, Asked], ...]
    items: tuple[Item, ...]
    timeout: float
    cache: str | None

    @property
    def pairs(self) -> list[tuple[Claim, Item]]:
        return [(claim, item) for item in self.items for claim, _ in self.claims]


def check(
    machine: m.Machine,
    options: Options,
    executor: Executor | None = None,
    cache: Cache | None = None,
    progress: Progress = lambda done, total, name: None,
) -> Report:
    """The report of a machine: rows under the main claim, and every theorem under its own.

    Raises SpecError where a theorem assumes what no state of the machine satisfies.
    """
    start = time.perf_counter()
    theorems = [th for th in machine.theorems.values() if not options.theorems or th.name in options.theorems]
    theorems = [th for th in theorems if not th.configs or machine.config in th.configs]
    main, invariant = main_claim(machine, options, theorems)
    claims = {main: Asked(invariant, EVERYTHING)}
    chosen = {th.name: claim_of(machine, th, main) for th in theorems}
    said = [(th, chosen[th.name]) for th in theorems]
    examine(machine, said, kept_solver(options.timeout))
    for theorem in theorems:
        claim, held = chosen[theorem.name], tuple(expr for expr, _ in theorem.assume)
        known = claims.get(claim, Asked(held, frozenset()))
        if known.wanted != EVERYTHING:
            claims[claim] = Asked(held, known.wanted | {theorem.show} | ({KINDS} if theorem.expect.kinds else set()))
    work = [item for item in items(machine) if not options.instructions or item.instruction in options.instructions]
    whole = not options.instructions and not options.theorems
    losing = executor.submit(scalars_lost, machine, options.timeout) if executor is not None and whole else None
    rows, cached = decide_all(machine, claims, work, options.timeout, executor, cache, progress)
    results = tuple(judge(th, chosen[th.name], rows[chosen[th.name]], options.instructions) for th in theorems)
    decide_again = partial(decide_all, machine, timeout=options.timeout, executor=executor, cache=cache, progress=progress)
    settings = smallest_settings(machine, main, claims[main], rows[main], options.timeout, decide_again)
    proof = prove(machine, options.timeout, executor, cache) if whole else Proof((), ())
    lost = losing.result() if losing is not None else scalars_lost(machine, options.timeout) if whole else ()
    hides = any(piece.role is m.Role.HIDDEN for _, piece in pieces(machine))
    taken = (
        *assumptions(machine, main),
        *unplaced(machine, main),
        *alike(machine),
        *brought_about(machine, said, kept_solver(options.timeout)),
    )
    return Report(
        machine.name, machine.setting, main, rows[main], results, taken, exclusions(machine),
        time.perf_counter() - start, cached, locations(machine), machine.title, only_its_own(machine), settings, inputs(machine),
        options.instructions, options.theorems, machine.configs, roles(machine, claims, hides),
        unseen(machine, tuple(claims), hides), f_said(machine, main), proof.invariants, proof.left, lost,
        all(settled(row) for some in rows.values() for row in some)
        and all(kept.found != "unknown" for kept in proof.invariants)
        and not any(piece.undecided for piece in lost)
        and (settings is None or settings.settled),
    )  # fmt: skip


def inputs(machine: m.Machine) -> tuple[tuple[str, str], ...]:
    """The state that comes from outside, each with what it is."""
    clocks = {clock.name for clock in machine.clocks}
    named = (name for name, piece in pieces(machine) if piece.role is m.Role.ENV)
    return tuple((name, "a clock" if name in clocks else "an input") for name in named)


def only_its_own(machine: m.Machine) -> bool:
    """One mode, and every piece of state the program's: trivially virtualizable, as a process virtual machine is."""
    return len(machine.modes.members) < 2 and all(piece.role is m.Role.GUEST for _, piece in pieces(machine))


def smallest_settings(
    machine: m.Machine, claim: Claim, asked: Asked, rows: Sequence[Row], timeout: float, decide_again: Callable[..., Decisions]
) -> Settings | None:
    """The smallest settings that close the holes among `rows`, asked again with H as large; None without holes."""
    holes = {row.label: row for row in rows if row.deprivileged_violation is Truth.YES}
    if not holes or claim.reading == "literal":
        return None
    work = {item.label: item for item in items(machine) if item.label in holes}
    closable = {
        label: (make_subject(machine, item, claim, asked.invariant), holes[label].condition)
        for label, item in work.items()
        if holes[label].condition
    }
    found = find(kept_solver(timeout), closable)
    remains = tuple(label for label in holes if label not in found.closes)
    conflicts = tuple(label for label in remains if label in closable)
    unfound = tuple(label for label in remains if holes[label].closable is Truth.UNKNOWN)
    if not found.closes:
        return Settings((), (), remains, Truth.YES, conflicts, unfound)
    larger = replace(claim, invariant=(*claim.invariant, *found.settings))
    claims = {larger: Asked((*asked.invariant, *found.exprs), frozenset({"theorem1"}))}
    again, _ = decide_again(claims=claims, work=[item for label, item in work.items() if label in found.closes])
    verified = negation(disjunction(row.deprivileged_violation for row in again[larger]))
    return Settings(found.settings, found.closes, remains, verified, conflicts, unfound)


def locations(machine: m.Machine) -> tuple[tuple[str, tuple[str, int, int]], ...]:
    """Where instructions and theorems are declared, for reports that point into the text."""
    declared: list[m.Instruction | m.Theorem | m.Invariant] = [
        *machine.instructions.values(), *machine.theorems.values(), *machine.invariants.values()
    ]  # fmt: skip
    return tuple((d.name, (d.span.file, d.span.line, d.span.column)) for d in declared)


def main_claim(machine: m.Machine, options: Options, theorems: Sequence[m.Theorem]) -> tuple[Claim, tuple[m.Expr, ...]]:
    """The claim that the table is about: the options over the machine's first theorem about Theorem 1."""
    wanted = [th for th in theorems if th.show in ("theorem1", "sensitive_implies_privileged")] or list(theorems)
    wanted.sort(key=lambda th: th.reading != "amended")
    names = [name for name, _ in machine.modes.members]
    default = Claim(options.guest or names[-1], options.host or names[0], options.memory or "view", options.reading or "amended")
    default = replace(default, placement=options.placement or "")
    if not wanted:
        return default, ()
    if options.host is not None:
        wanted = [th for th in wanted if _mode_name(machine, th.host) == options.host] or wanted
    if options.guest is not None:
        wanted = [th for th in wanted if _mode_name(machine, th.guest) == options.guest]
    if not wanted:
        return default, ()
    first = claim_of(machine, wanted[0], default)
    first = replace(
        first,
        guest=options.guest or first.guest,
        host=options.host or first.host,
        memory=options.memory or first.memory,
        reading=options.reading or first.reading,
        placement=options.placement or first.placement,
        everywhere=False,
    )
    return first, tuple(expr for expr, _ in wanted[0].assume)


def _mode_name(machine: m.Machine, code: int | None) -> str | None:
    return None if code is None else machine.modes.name(code)


def decide_all(
    machine: m.Machine,
    claims: dict[Claim, Asked],
    work: Sequence[Item],
    timeout: float,
    executor: Executor | None,
    cache: Cache | None,
    progress: Progress,
) -> tuple[dict[Claim, tuple[Row, ...]], int]:
    """Rows of all items under all claims: from the cache where it has them, else decided, in parallel."""
    found: dict[tuple[Claim, Item], Row] = {}
    keys: dict[tuple[Claim, Item], str] = {}
    if cache is not None:
        base = standing(machine)
        for claim, asked in claims.items():
            said = asked.said(claim)
            for item in work:
                keys[claim, item] = row_key(base, machine.instructions[item.instruction], item, said)
        stored = known_rows(cache, keys.values())
        found = {pair: stored[key] for pair, key in keys.items() if key in stored}
    cached, total = len(found), len(claims) * len(work)
    progress(cached, total, "")
    path = str(cache.path) if cache is not None else None
    for batch, decided in as_decided(decide_batch, _batches(machine, claims, work, timeout, found, path), executor):
        fresh = dict(zip(batch.pairs, decided, strict=True))
        found |= fresh
        if cache is not None:
            file_rows(cache, {keys[pair]: row for pair, row in fresh.items() if settled(row)})
        progress(len(found), total, batch.items[-1].instruction)
    return {claim: tuple(found[claim, item] for item in work) for claim in claims}, cached


def settled(row: Row) -> bool:
    """Nothing in the row is unknown: only then is it worth keeping. More time might find a condition that was not found."""
    return all(finding.truth is not Truth.UNKNOWN for finding in row.findings) and row.closable is not Truth.UNKNOWN


def _batches(
    machine: m.Machine,
    claims: dict[Claim, Asked],
    work: Sequence[Item],
    timeout: float,
    found: dict[tuple[Claim, Item], Row],
    cache: str | None,
) -> list[Batch]:
    missing: dict[tuple[Claim, ...], list[Item]] = {}
    for item in work:
        lacking = tuple(claim for claim in claims if (claim, item) not in found)
        if lacking:
            missing.setdefault(lacking, []).append(item)
    shared = Shared(machine)
    return [
        Batch(shared, tuple((claim, claims[claim]) for claim in lacking), tuple(some[first : first + size]), timeout, cache)
        for lacking, some in missing.items()
        for size in [max(1, min(CHUNK // len(lacking), len(some) // FEWEST_CHUNKS))]
        for first in range(0, len(some), size)
    ]


def decide_batch(batch: Batch) -> list[Row]:
    """The rows of a batch. Runs in a worker, which keeps its solver from batch to batch."""
    smt = kept_solver(batch.timeout)
    decided = []
    with smt.knowing(answers_in(batch.cache)):
        for item in batch.items:
            copies: Copies = {}
            for claim, asked in batch.claims:
                subject = make_subject(batch.machine.value, item, claim, asked.invariant, copies)
                decided.append(decide(subject, item, smt, asked.wanted))
    return decided
