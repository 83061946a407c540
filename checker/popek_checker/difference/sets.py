"""Open values (`unspecified`, `choose`): is what one machine can come to a thing that the other can come to?

A state and a choice of the one are looked for that no choice of the other answers. Each answer that is found is kept,
and from then on is not enough; when no state is left, the one's results are among the other's.
"""

from __future__ import annotations

from popek_checker.difference.compare import Ends, Pair
from popek_checker.difference.delta import Status
from popek_checker.difference.sides import CHOICE, OTHER, Unit
from popek_checker.solver.smt import Model, Smt
from popek_checker.solver.smt import Status as Answered
from popek_checker.virtualizability.witness import minimise
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term

ROUNDS = 16
"""At most this many answers are collected for a direction."""


def chosen(question: Term) -> bool:
    """Whether open values matter to a question."""
    return any(leaf.name.startswith(CHOICE) for leaf in t.free([question]))


def compare_sets(smt: Smt, pair: Pair, unit: Unit, trap: int | None) -> tuple[Status, Ends, Model | None]:
    """Whether both machines can come to the same, each way; where not, the ends and the state that show it."""
    answers = []
    for marks in (("", OTHER), (OTHER, "")):
        ends = pair.ends(pair.sides(unit, marks), trap)
        status, model = _unanswered(smt, ends)
        if status is Status.DIFFERENT:
            return status, ends, model
        answers.append(status)
    return (Status.UNKNOWN if Status.UNKNOWN in answers else Status.SAME), ends, None


def _unanswered(smt: Smt, ends: Ends) -> tuple[Status, Model | None]:
    """A state and a choice of the plain side that the marked side cannot answer, or that there is none."""
    goal = ends.goal
    for number in range(ROUNDS):
        found = smt.check([goal])
        if found.model is None:
            return (Status.SAME if found.status is Answered.UNSAT else Status.UNKNOWN), None
        answer = smt.check([_at(ends, found.model)])
        if answer.status is Answered.UNSAT:
            small = minimise(smt, goal)
            good = small is not None and smt.check([_at(ends, small)]).status is Answered.UNSAT
            return Status.DIFFERENT, small if good else found.model
        if answer.model is None:
            return Status.UNKNOWN, None
        goal = t.and_(goal, _not_answered(ends, answer.model, number))
    return Status.UNKNOWN, None


def _at(ends: Ends, model: Model) -> Term:
    """In the state of a model, and at the element that it looks at, the marked side comes to the same."""
    agree = t.and_(ends.facts, t.not_(ends.question))
    return t.substitute([agree], lambda term, args: _fixed(term, args, model))[agree]


def _fixed(term: Term, args: tuple[Term, ...], model: Model) -> Term | None:
    """What the model says of a leaf; the marked choices stay open, and what lies at places that depend on them."""
    if term.op == "var" and not term.name.startswith(CHOICE + OTHER):
        return t.const(model.variables.get(term.name, 0), term.width)
    if term.op == "apply" and all(arg.is_const for arg in args):
        return t.const(model.functions.get(term.name, {}).get(tuple(arg.value for arg in args), 0), term.width)
    return None


def _not_answered(ends: Ends, model: Model, number: int) -> Term:
    """The marked side's choices in the model do not answer; which element shows it is open anew."""

    def put(term: Term, _: tuple[Term, ...]) -> Term | None:
        if term.op == "var" and term.name.startswith(CHOICE + OTHER):
            return t.const(model.variables.get(term.name, 0), term.width)
        if term.op == "var" and term.name.startswith("at."):
            return t.var(f"{term.name}#{number}", term.width)
        return None

    missed = t.or_(t.not_(ends.facts), ends.question)
    return t.substitute([missed], put)[missed]
