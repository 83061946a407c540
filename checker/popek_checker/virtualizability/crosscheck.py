"""A second opinion: the constraints behind verdicts as SMT-LIB text, asked again of another solver."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from popek_checker.solver.second import second_solver
from popek_checker.solver.smt import Smt, Status
from popek_checker.virtualizability.decide import Item, make_subject
from popek_checker.virtualizability.verdict import Claim
from popek_grammar import machine as m
from popek_grammar.meaning import terms as t


@dataclass(frozen=True, slots=True)
class Opinion:
    """One goal, answered by both."""

    item: str
    question: str
    ours: str
    theirs: str


QUESTIONS = ("runs", "executable", "control_sensitive", "mode", "location", "trap_sensitive", "user_sensitive", "inexact")


def opinions(machine: m.Machine, work: Sequence[Item], claim: Claim, invariant: tuple[m.Expr, ...]) -> Iterator[Opinion]:
    """Both solvers' answers to every goal that folding does not decide."""
    smt, second = Smt(), second_solver()
    for item in work:
        subject = make_subject(machine, item, claim, invariant)
        for question in QUESTIONS:
            for ask in subject.ask(question):
                goal = t.and_(*(fact for one in ask.copies for fact in one.facts), *ask.constraints)
                if not goal.is_const:
                    ours = smt.check([goal]).status.value
                    yield Opinion(f"{item.instruction} {item.part}".strip(), question, ours, second(smt.smtlib(goal)))


def disagreements(found: Sequence[Opinion]) -> list[Opinion]:
    """Opinions that contradict each other; unknown contradicts nothing."""
    unknown = Status.UNKNOWN.value
    return [o for o in found if o.ours != o.theirs and unknown not in (o.ours, o.theirs)]
