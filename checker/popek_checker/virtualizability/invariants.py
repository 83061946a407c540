"""Invariants, by induction: reset satisfies each, and every step from a state that satisfies all leads to one that does.

Those that hold are proved together. Where one is broken it is no premise any more, and the others are asked again without it,
until what is left carries itself. A broken one is shown by a state from which a step breaks it; that some program reaches that
state is not said. Those that hold `once` software has brought them about come last: each stands on those that always hold and
on itself, and no other on it.

That a field holds a value of its declared set (`warl`, a mode) is what every verdict takes for granted, and is proved with
them: what a body writes into a field directly goes by no rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from popek_checker.solver.answers import answers_in
from popek_checker.solver.cache import Cache
from popek_checker.solver.sharing import Shared
from popek_checker.solver.smt import Smt, kept_solver
from popek_checker.virtualizability.decide import Item, items
from popek_checker.virtualizability.sentences import accesses_memory, answer, decided, goal_of, made_step, spoken_of, unsaid
from popek_checker.virtualizability.stated import DECLARED, beginning, beside, satisfied, untouched, watched
from popek_checker.virtualizability.steps import Step, candidates, step, translations_write
from popek_checker.virtualizability.theorems import compared, named
from popek_checker.virtualizability.verdict import InvariantResult, Row, Truth, Witness
from popek_checker.virtualizability.witness import cells_of, minimise, operands_of, result
from popek_grammar import machine as m
from popek_grammar.elaborate.sentences import RESET, called
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term

CHUNK = 12
"""Steps handed to a worker at a time."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Work for one worker: steps, the invariants that are asked of them, and those that they begin under."""

    machine: Shared[m.Machine]
    premises: tuple[str, ...]
    asked: tuple[str, ...]
    items: tuple[Item, ...]
    timeout: float
    cache: str | None


@dataclass(frozen=True, slots=True)
class Proof:
    """The invariants of a machine, decided, and the declared sets that some step leaves: the field and the steps."""

    invariants: tuple[InvariantResult, ...]
    left: tuple[tuple[str, tuple[str, ...]], ...]


def prove(machine: m.Machine, timeout: float, executor: Executor | None = None, cache: Cache | None = None) -> Proof:
    """Every invariant of the machine, and every declared set of values."""
    stated = {name: kept for name, kept in machine.invariants.items() if not kept.about}
    driven = translations_write(machine)
    unseen = {name: _unseen(machine, kept, driven) for name, kept in machine.invariants.items()}
    sets = tuple(DECLARED + name for name, scalar in machine.scalars.items() if scalar.legal is not None)
    found: dict[str, tuple[tuple[str, ...], list[Row]]] = {}
    proved: tuple[str, ...] = ()
    always: tuple[str, ...] = ()
    for once in (False, True):
        asked = tuple(name for name, kept in stated.items() if kept.once is once and not unseen[name])
        asked += () if once else sets
        fallen = set(asked)
        while asked and fallen:
            premises = proved if once else asked
            rows = _decided(machine, premises, asked, timeout, executor, cache)
            found |= dict.fromkeys(asked, (premises, rows))
            fallen = set() if once else {f.question for row in rows for f in row.findings if f.truth is not Truth.YES}
            asked = tuple(name for name in asked if name not in fallen)
        proved += asked
        always = always or proved
    told = tuple(kept for name, kept in machine.invariants.items() if kept.about and not unseen[name])
    premises = tuple(name for name in always if name.startswith(DECLARED) or not stated[name].parameters)
    rows = decided(machine, told, premises, timeout, executor, cache)
    found |= {kept.name: (premises, rows) for kept in told}
    results = [
        _result(machine, kept, *found[name], timeout, cache) if name in found else _not_asked(kept, unseen[name])
        for name, kept in machine.invariants.items()
    ]
    steps = [(name.removeprefix(DECLARED), _steps(name, found[name][1], Truth.YES)) for name in sets]
    return Proof(tuple(results), tuple((name, tuple(sorted(left))) for name, left in steps if left))


def _unseen(machine: m.Machine, kept: m.Invariant, driven: set[str]) -> str:
    """Why nothing is said of an invariant: translation writes some of what it speaks of, which the view does not show."""
    if not driven or (kept.about and not any(accesses_memory(machine, label) for label in kept.steps)):
        return ""
    changed = sorted(driven & (spoken_of(machine, kept) if kept.about else watched(machine, [kept.name])))
    return f"address translation writes {', '.join(changed)}, and is not followed" if changed else ""


# -- the steps -------------------------------------------------------------------------------------------------------


def _decided(
    machine: m.Machine, premises: tuple[str, ...], asked: tuple[str, ...], timeout: float, executor: Executor | None,
    cache: Cache | None,
) -> list[Row]:  # fmt: skip
    """A row a step that may concern the invariants `asked`, each asked of it under `premises`."""
    work = [Item(called(RESET, machine.instructions)), *candidates(machine, watched(machine, asked))]
    shared, path = Shared(machine), str(cache.path) if cache is not None else None
    chunks = [tuple(work[at : at + CHUNK]) for at in range(0, len(work), CHUNK)]
    batches = [Batch(shared, premises, asked, chunk, timeout, path) for chunk in chunks]
    parts = map(decide_batch, batches) if executor is None or len(batches) < 2 else executor.map(decide_batch, batches)
    return [row for part in parts for row in part]


def decide_batch(batch: Batch) -> list[Row]:
    """The rows of a batch. Runs in a worker."""
    smt, machine = kept_solver(batch.timeout), batch.machine.value
    with smt.knowing(answers_in(batch.cache)):
        made = (step(machine, item) for item in batch.items)
        return [_kept(machine, one, batch, smt) for one in made if one is not None]


def _kept(machine: m.Machine, made: Step, batch: Batch, smt: Smt) -> Row:
    goals = broken(machine, made, batch.premises, batch.asked)
    return Row(made.name, made.part, tuple(answer(name, goal, smt) for name, goal in goals.items() if goal is not t.FALSE))


def broken(machine: m.Machine, made: Step, premises: Sequence[str], asked: Sequence[str]) -> dict[str, Term]:
    """For each invariant asked, that the step leads out of it; `false` where the terms alone show that it does not.

    `premises` are what the step begins under, with the invariant itself. Reset begins under nothing.
    """
    begins = made.name == called(RESET, machine.instructions)
    goals: dict[str, Term] = {}
    for name in asked:
        if begins and name in machine.invariants and machine.invariants[name].once:
            continue
        if not begins and untouched(machine, made, name):
            goals[name] = t.FALSE
            continue
        then = satisfied(machine, made.copy.after, name)
        if begins:
            goals[name] = t.and_(*made.copy.facts, t.not_(then))
        elif then is beginning(machine, name).term:
            goals[name] = t.FALSE
        else:
            given = (beginning(machine, each).term for each in (*premises, name))
            goals[name] = t.and_(*made.copy.facts, *given, made.copy.ok, t.not_(then))
    return goals


def _witness(machine: m.Machine, kept: m.Invariant, premises: Sequence[str], item: Item, timeout: float) -> Witness | None:
    """A small state from which the step breaks the invariant: what it speaks of, and what else is not zero or changes."""
    made = made_step(machine, item) if kept.about else step(machine, item)
    assert made is not None, "the step has been asked about"
    name = kept.name
    goal = goal_of(machine, name, made, premises) if kept.about else broken(machine, made, premises, (name,))[name]
    model = minimise(kept_solver(timeout), goal)
    if model is None:
        return None
    operands = operands_of(made.operands, model) if made.operands is not None else ()
    operands += tuple((given, model.value(term)) for given, term in beside(machine, kept, made).items())
    ended = result(made.copy, model) if kept.about == "of" else "breaks it"
    return Witness(f"invariant {name}", (item.label,), operands, (ended,), tuple(cells_of(machine, [made.copy], model)))


# -- the answers -----------------------------------------------------------------------------------------------------


def _steps(name: str, rows: Sequence[Row], kept: Truth) -> set[str]:
    """The steps at which the answer is not `kept`."""
    return {row.name for row in rows for finding in row.findings if finding.question == name and finding.truth is not kept}


def _result(
    machine: m.Machine, kept: m.Invariant, premises: tuple[str, ...], rows: Sequence[Row], timeout: float, cache: Cache | None
) -> InvariantResult:
    """One invariant from the rows of the round that settled it, shown broken by a step that was not expected to, if any is."""
    findings = [(row, finding) for row in rows for finding in row.findings if finding.question == kept.name]
    guilty = [row for row, finding in findings if finding.truth is Truth.NO]
    unknown = {row.label: finding.reason for row, finding in findings if finding.truth is Truth.UNKNOWN}
    found = compared(kept.expect, {row.label for row in guilty}, set(unknown))
    guilty.sort(key=lambda row: bool(named({row.label}, kept.expect.names) & set(kept.expect.names)))
    idle = unsaid(machine, kept, timeout, cache) if kept.about and not unknown else ""
    others = tuple(name for name in premises if name != kept.name and not name.startswith(DECLARED))
    return InvariantResult(
        kept.name, kept.words, found.state, found.names, others, kept.expect.kind, Truth.NO if idle else found.as_expected,
        "; ".join(filter(None, (found.difference, idle))),
        "; ".join(f"{label}: {reason}" for label, reason in unknown.items()),
        _witness(machine, kept, premises, _item(machine, guilty[0]), timeout) if guilty else None, kept.once,
        kept.about,
    )  # fmt: skip


def _item(machine: m.Machine, row: Row) -> Item:
    """The step that a row is about."""
    known = (item for item in items(machine) if (item.instruction, item.part) == (row.name, row.part))
    return next(known, Item(row.name, row.part))


def _not_asked(kept: m.Invariant, why: str) -> InvariantResult:
    """One that was not asked of any step: neither proved nor refuted."""
    return InvariantResult(
        kept.name, kept.words, "unknown", (), (), kept.expect.kind, Truth.UNKNOWN, "", why, None, kept.once, kept.about
    )
