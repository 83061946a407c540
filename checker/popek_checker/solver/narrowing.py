"""A model of a goal that is too hard, looked for where much of the state is zero.

A comparison of two page walks has a model, if any, most often with all stages of translation off but one; but a solver that has
them all before it does not come to think of that. With the switch at zero, the terms of a stage fold away.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term

WORTH: Final = 3 / 4
"""A variable is put at zero where no more than this part of the goal is left by it."""


def narrowed(goal: Term) -> Iterator[Term]:
    """The goal with the variable at zero that makes it smallest, then with another too, and so on while it is worth it.

    A model of any of them is one of the goal, with the variables that it does not have at zero.
    """
    while True:
        size = len(t.postorder([goal]))
        found = [_at_zero(goal, leaf) for leaf in t.free([goal]) if leaf.op == "var" and leaf.width > 0]
        sized = [(len(t.postorder([smaller])), place, smaller) for place, smaller in enumerate(found) if smaller is not t.FALSE]
        least = min(sized, default=None, key=lambda each: each[:2])
        if least is None or least[0] > WORTH * size:
            return
        goal = least[2]
        yield goal


def _at_zero(goal: Term, leaf: Term) -> Term:
    zero = t.const(0, leaf.width)
    return t.substitute([goal], lambda term, _: zero if term is leaf else None)[goal]
