"""The mutation run: a machine's text with one fault at a time, and something must notice.

A mutant is noticed by a diagnosis (an error, or a warning that was not there), by a verdict that changes, or, where that is
asked too, by an invariant or a sentence about a step that no longer comes out as the text says. One that nothing notices is
listed with the reason: no instruction means anything else, or those that do keep their verdicts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from popek_checker.mutation.faults import Mutant
from popek_checker.solver.smt import Smt
from popek_checker.virtualizability.decide import Item, decide, items, make_subject
from popek_checker.virtualizability.invariants import prove
from popek_checker.virtualizability.verdict import Claim, Row, Truth
from popek_grammar import machine as m
from popek_grammar.elaborate import elaborate_with_problems
from popek_grammar.text.diagnostics import SpecError
from popek_grammar.text.source import load_texts

ELSEWHERE = "not part of this configuration"
UNSEEN = "no instruction means anything else under the view memory model"
SAME = "an instruction means something else, with the same verdict"

PLACES = {
    **dict.fromkeys(
        ("translation", "protection", "acting", "layout", "fault_kind"), "the view model stands for translation and protection"
    ),
    **dict.fromkeys(("trap_stack", "delegate"), "the entry of traps is the monitor's, and no verdict looks at it"),
    "interrupts": "interrupts are not instructions: no verdict looks at them",
    "placement": "the place of a guest, under a claim that does not ask for it",
}
"""Why what lies in some kinds of declaration changes no verdict."""

ASKED = frozenset({"theorem1", "theorem3", "exact"})
"""The questions whose answers count as verdicts here."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a mutant. `noticed` by a diagnosis, a verdict, an invariant; else `how` says why it makes no difference."""

    mutant: Mutant
    noticed: bool
    how: str

    @property
    def survives(self) -> str:
        """Why nothing notices it, as a category; empty where something does."""
        if self.noticed:
            return ""
        if self.how in (ELSEWHERE, UNSEEN):
            return self.how if self.how == ELSEWHERE else PLACES.get(self.mutant.place, UNSEEN)
        return SAME


@dataclass(frozen=True, slots=True)
class Trial:
    """Mutants to try against one machine under one claim; `stated`: what no verdict notices is asked of the invariants."""

    texts: Mapping[str, str]
    config: str | None
    claim: Claim
    mutants: tuple[Mutant, ...]
    stated: bool = False


def fates(trial: Trial, executor: Executor | None = None, parts: int = 8) -> list[Fate]:
    """The fate of every mutant; in parallel when an executor is given."""
    if executor is None:
        return run(trial)
    size = max(1, -(-len(trial.mutants) // parts))
    chunks = [trial.mutants[at : at + size] for at in range(0, len(trial.mutants), size)]
    futures = [executor.submit(run, replace(trial, mutants=chunk)) for chunk in chunks]
    return [fate for future in futures for fate in future.result()]


def run(trial: Trial) -> list[Fate]:
    """Tries each mutant of one chunk, deciding only what it changes."""
    base, known = elaborate_with_problems(load_texts(trial.texts), trial.config)
    assert base is not None, "the machine itself has errors"
    codes = {(p.code, p.message) for p in known}
    judge = Judge(base, trial.claim, trial.stated)
    return [_fate(trial, mutant, judge, codes) for mutant in trial.mutants]


class Judge:
    """Decides items of the machine as it is, once each, and of its mutants."""

    def __init__(self, base: m.Machine, claim: Claim, stated: bool = False) -> None:
        self.base, self.claim, self.smt, self.reach = base, claim, Smt(10), Reach(base)
        self.stated = stated and bool(base.invariants)
        self._rows: dict[Item, Row] = {}

    def invariant(self, machine: m.Machine) -> tuple[m.Expr, ...]:
        """H of the claim, resolved for a machine: that of the theorem which states it."""
        stated = [th for th in machine.theorems.values() if tuple(text for _, text in th.assume) == self.claim.invariant]
        return tuple(expr for expr, _ in stated[0].assume) if stated else ()

    def row(self, item: Item) -> Row:
        if item not in self._rows:
            self._rows[item] = self.decide(self.base, item)
        return self._rows[item]

    def decide(self, machine: m.Machine, item: Item) -> Row:
        subject = make_subject(machine, item, self.claim, self.invariant(machine))
        return decide(subject, item, self.smt, ASKED)

    def means(self, machine: m.Machine, item: Item) -> list[int]:
        """A digest of what an item means."""
        return make_subject(machine, item, self.claim, self.invariant(machine)).fingerprint()


def _fate(trial: Trial, mutant: Mutant, judge: Judge, codes: set[tuple[str, str]]) -> Fate:
    changed = mutant.applied(trial.texts[mutant.file])
    try:
        machine, problems = elaborate_with_problems(load_texts({**trial.texts, mutant.file: changed}), trial.config)
    except SpecError as error:
        return Fate(mutant, True, f"error {error.diagnostics[0].code}")
    fresh = [p for p in problems if (p.code, p.message) not in codes]
    if fresh:
        return Fate(mutant, True, f"{fresh[0].severity} {fresh[0].code}")
    assert machine is not None
    fate = _verdicts(mutant, machine, judge)
    name = broken(machine) if judge.stated and not fate.noticed and fate.how != ELSEWHERE else ""
    return Fate(mutant, True, f"invariant {name}") if name else fate


def _verdicts(mutant: Mutant, machine: m.Machine, judge: Judge) -> Fate:
    """Compares the verdicts of the items that mean something else now."""
    if machine == judge.base:
        return Fate(mutant, False, ELSEWHERE)
    moved = []
    for item in judge.reach.affected(machine):
        if item.instruction not in machine.instructions:
            return Fate(mutant, True, f"verdict of {_label(item)} is gone, with the instruction")
        if judge.means(machine, item) == judge.means(judge.base, item):
            continue
        moved.append(item)
        if summary(judge.decide(machine, item)) != summary(judge.row(item)):
            return Fate(mutant, True, f"verdict of {_label(item)} changes")
    if not moved:
        return Fate(mutant, False, UNSEEN)
    return Fate(mutant, False, f"{_label(moved[0])} means something else, with the same verdict ({len(moved)} in all)")


def broken(machine: m.Machine) -> str:
    """The first invariant or sentence that is not as the text expects; empty where all are."""
    wrong = (kept.name for kept in prove(machine, 10).invariants if kept.as_expected is Truth.NO)
    return next(wrong, "")


class Reach:
    """Which items of a machine a change of its text can reach: by name, through functions and registers."""

    def __init__(self, base: m.Machine) -> None:
        self.base, self.items = base, list(items(base))
        self._functions = {name: repr(function.body) for name, function in base.functions.items()}
        self._bodies = {name: repr((each.guards, each.body)) for name, each in base.instructions.items()}

    def affected(self, machine: m.Machine) -> list[Item]:
        """The items that mean something else in `machine`, or may do so."""
        base = self.base
        changed = _changed(base.functions, machine.functions) | _changed(base.registers, machine.registers)
        changed |= _changed(base.trap_stacks, machine.trap_stacks)
        everywhere = base.csr_space != machine.csr_space
        while more := {name for name, text in self._functions.items() if _mentions(text, changed)} - changed:
            changed |= more
        direct = _changed(base.instructions, machine.instructions)
        direct |= {name for name, text in self._bodies.items() if _mentions(text, changed)}
        return [item for item in self.items if everywhere or item.instruction in direct or item.part in changed]


def _changed(one: Mapping[str, object], other: Mapping[str, object]) -> set[str]:
    return {name for name, value in one.items() if other.get(name) != value}


def _mentions(text: str, names: set[str]) -> bool:
    return any(f"'{name}'" in text or f"'{name}." in text for name in names)


def summary(row: Row) -> Sequence[tuple[str, str]]:
    """A row's answers, without evidence and times."""
    return tuple((finding.question, finding.truth.value) for finding in row.findings)


def _label(item: Item) -> str:
    return f"{item.instruction}({item.part})" if item.part else item.instruction
