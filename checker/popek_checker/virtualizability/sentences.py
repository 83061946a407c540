"""Sentences about steps: what is so after each step of a kind that completes, or how one ends where something holds before it.

Every step is looked at from any state in which the invariants hold that always do. There is no induction: a step is one step.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from popek_checker.solver.answers import answers_in
from popek_checker.solver.cache import Cache
from popek_checker.solver.sharing import Shared
from popek_checker.solver.smt import Smt, Status, kept_solver
from popek_checker.virtualizability.accesses import ACCESSES, access
from popek_checker.virtualizability.decide import Item, items
from popek_checker.virtualizability.stated import beginning, contradicted, endings
from popek_checker.virtualizability.steps import Step, step
from popek_checker.virtualizability.verdict import Finding, Row, Truth
from popek_grammar import machine as m
from popek_grammar.elaborate.sentences import INTERRUPT, kind_of
from popek_grammar.examine.effects import LOADS, STORES, effects, followed
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term

CHUNK = 64
"""Steps handed to a worker at a time."""


@dataclass(frozen=True, slots=True)
class Told:
    """Work for one worker: steps with the sentences about each, and the invariants that they begin under."""

    machine: Shared[m.Machine]
    premises: tuple[str, ...]
    work: tuple[tuple[Item, tuple[str, ...]], ...]
    timeout: float
    cache: str | None


# -- the steps that a sentence is about -------------------------------------------------------------------------------


def about(machine: m.Machine, label: str) -> list[Item]:
    """The steps of a name as the author writes it: `csrrw` is every CSR's, `entry` every cause's that is no interrupt."""
    name, _, part = label.rstrip(")").partition("(")
    if name in machine.instructions:
        found = [item for item in items(machine) if item.instruction == name]
    elif kind := kind_of(name, machine.instructions):
        found = [Item(name, cause.name) for cause in machine.causes.members if cause.interrupt is (kind == INTERRUPT)]
    else:
        found = [Item(name, kind) for kind in ACCESSES]
    return [item for item in found if not part or item.part == part]


def spoken_of(machine: m.Machine, kept: m.Invariant) -> set[str]:
    """The scalars and arrays that a sentence reads, as its text says."""
    functions = {name: effects(machine, function.body) for name, function in machine.functions.items()}
    said = ([e for e, _ in kept.conjuncts], [e for _, e in kept.old], [ending.when for ending in kept.endings])
    return followed(machine, effects(machine, *said), functions).reads


def accesses_memory(machine: m.Machine, label: str) -> bool:
    """Whether the instruction of that name makes accesses, which translation may follow with writes of its own."""
    instruction = machine.instructions.get(label.partition("(")[0])
    if instruction is None:
        return False
    functions = {name: effects(machine, function.body) for name, function in machine.functions.items()}
    code = effects(machine, instruction.lets, instruction.guards, instruction.body)
    return bool(followed(machine, code, functions).builtins & {*LOADS, *STORES})


def made_step(machine: m.Machine, item: Item) -> Step | None:
    """The step from any state whatever: of the machine, or one of its translations and protections."""
    if item.instruction not in machine.instructions and not kind_of(item.instruction, machine.instructions):
        return access(machine, item.instruction, item.part)
    return step(machine, item)


def decided(
    machine: m.Machine, told: Sequence[m.Invariant], premises: tuple[str, ...], timeout: float, executor: Executor | None,
    cache: Cache | None,
) -> list[Row]:  # fmt: skip
    """A row a step that some sentence is about."""
    work: dict[Item, list[str]] = {}
    for kept in told:
        for item in dict.fromkeys(item for label in kept.steps for item in about(machine, label)):
            work.setdefault(item, []).append(kept.name)
    shared, path = Shared(machine), str(cache.path) if cache is not None else None
    pairs = [(item, tuple(names)) for item, names in work.items()]
    chunks = [tuple(pairs[at : at + CHUNK]) for at in range(0, len(pairs), CHUNK)]
    batches = [Told(shared, premises, chunk, timeout, path) for chunk in chunks]
    parts = map(decide_told, batches) if executor is None or len(batches) < 2 else executor.map(decide_told, batches)
    return [row for part in parts for row in part]


def decide_told(batch: Told) -> list[Row]:
    """The rows of a batch. Runs in a worker."""
    smt, machine = kept_solver(batch.timeout), batch.machine.value
    rows = []
    with smt.knowing(answers_in(batch.cache)):
        for item, names in batch.work:
            made = made_step(machine, item)
            if made is None:
                continue
            goals = {name: goal_of(machine, name, made, batch.premises) for name in names}
            findings = tuple(answer(name, goal, smt) for name, goal in goals.items() if goal is not t.FALSE)
            rows.append(Row(item.instruction, item.part, findings))
    return rows


def goal_of(machine: m.Machine, name: str, made: Step, premises: Sequence[str]) -> Term:
    """That a step from where the premises hold does not do what the sentence of that name says."""
    wrong = contradicted(machine, machine.invariants[name], made)
    if wrong is t.FALSE:
        return wrong
    return t.and_(*made.copy.facts, *(beginning(machine, each).term for each in premises), wrong)


def answer(name: str, goal: Term, smt: Smt) -> Finding:
    """Whether a goal, that something is broken, has no model."""
    start = time.perf_counter()
    found = smt.check([goal], model=False)
    seconds = time.perf_counter() - start
    match found.status:
        case Status.UNSAT:
            return Finding(name, Truth.YES, seconds=seconds)
        case Status.SAT:
            return Finding(name, Truth.NO, seconds=seconds)
        case _:
            return Finding(name, Truth.UNKNOWN, reason=found.reason, seconds=seconds)


def unsaid(machine: m.Machine, kept: m.Invariant, timeout: float, cache: Cache | None) -> str:
    """What a sentence says nothing of: a step that never completes, a condition that never holds. Empty where there is none."""
    smt = kept_solver(timeout)
    spoken: set[int] = set()
    with smt.knowing(answers_in(str(cache.path) if cache is not None else None)):
        for label in kept.steps:
            if not _speaks(machine, kept, label, spoken, smt):
                return f"says nothing of {label}, which never {'completes' if kept.about == 'after' else 'is where it says so'}"
    missing = [ending.words for number, ending in enumerate(kept.endings) if number not in spoken]
    return f"`{missing[0]}` says nothing: its condition never holds" if missing else ""


def _speaks(machine: m.Machine, kept: m.Invariant, label: str, spoken: set[int], smt: Smt) -> bool:
    """Whether something is said of the steps of that name. Adds the lines that are not idle to `spoken`."""
    said = False
    for item in about(machine, label):
        made = made_step(machine, item)
        if made is None:
            continue
        where = [made.copy.ok] if kept.about == "after" else [place for place, _ in endings(machine, kept, made)]
        for number, place in enumerate(where):
            if (number in spoken and said) or place is t.FALSE:
                continue
            if smt.check([*made.copy.facts, place], model=False).status is not Status.UNSAT:
                said = True
                spoken.add(number)
        if said and len(spoken) == len(where):
            return True
    return said
