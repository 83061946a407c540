"""A model of a hard goal with some of the state at zero: a model of the goal itself."""

from __future__ import annotations

import pytest

from popek_checker.solver import smt
from popek_checker.solver.narrowing import narrowed
from popek_checker.solver.smt import Smt, Status
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term

SWITCH, X, Y = t.var("switch", 4), t.var("x", 16), t.var("y", 16)


def walk(at: Term, steps: int) -> Term:
    """A chain of reads, as a page walk makes."""
    for _ in range(steps):
        at = t.apply("ram", 16, (t.add(at, t.apply("ram", 16, (at,))),))
    return at


def staged(found: Term) -> Term:
    """Something of what is found behind a stage that a switch puts on."""
    return t.eq(t.ite(t.eq(SWITCH, t.const(0, 4)), X, walk(X, 20)), found)


def test_the_switch_that_leaves_least_goes_first() -> None:
    first = next(narrowed(staged(Y)))
    assert first is t.eq(X, Y)
    assert not list(narrowed(t.eq(t.add(X, Y), walk(Y, 2)))), "nothing folds away that is worth it"


def test_a_variable_that_cannot_be_zero_is_left() -> None:
    goal = t.and_(staged(Y), t.ne(SWITCH, t.const(0, 4)))
    assert all(SWITCH in t.free([smaller]) for smaller in narrowed(goal))


@pytest.mark.parametrize("model", [True, False])
def test_a_model_found_so_is_one_of_the_goal(monkeypatch: pytest.MonkeyPatch, model: bool) -> None:
    """Even where the first way of asking always gives up."""
    monkeypatch.setattr(smt, "FIRST_LIMIT", 1)
    goal = t.and_(staged(t.bvnot(Y)), t.ult(t.const(7, 16), walk(Y, 2)))
    answer = Smt(10).check([goal], model=model)
    assert answer.status is Status.SAT
    assert not model or (answer.model is not None and answer.model.value(goal))


def test_what_has_no_model_with_zero_is_asked_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """That there is none where the switch is off says nothing of where it is on."""
    monkeypatch.setattr(smt, "FIRST_LIMIT", 1)
    on = t.ne(t.ite(t.eq(SWITCH, t.const(0, 4)), X, walk(X, 8)), X)
    assert t.FALSE not in list(narrowed(on))
    answer = Smt(10).check([on])
    assert answer.status is Status.SAT
    assert answer.model is not None
    assert answer.model.value(on)
    assert answer.model.variables["switch"] != 0
