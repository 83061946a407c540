"""The weakest question about a hole: do any values of all that its guard reads of held state make it trap?

Exists held values, for all guest states and operands, no run that completes: answered by counterexamples. A run that
completes under the values tried becomes, with all but the held state put in, a constraint on the next values. When none
are left, no condition exists, whatever it would say. When values are found, as little of them is kept as will do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias, TypeVar

from popek_checker.solver.smt import Scope, Smt, Status
from popek_checker.virtualizability.questions import TWIN
from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term

Part = TypeVar("Part")
Signature: TypeAlias = "tuple[str, int, tuple[int, ...]]"
"""Name, width, and widths of the arguments of a function."""

MOST_TRIES = 40
"""So many values are tried; a guard that needs more is left undecided."""
SIMPLE_TRIES = 8
"""The first tries are with values that are simple to say; the others with whatever is still possible."""
MOST_ELEMENTS = 256
"""The elements of an array that are pinned one by one; a larger array has no words that pin all of it."""


@dataclass(frozen=True, slots=True)
class Escape:
    """A run that must not complete: `completes`, given `facts`."""

    facts: Term
    completes: Term

    @property
    def term(self) -> Term:
        """The run completes."""
        return t.and_(self.facts, self.completes)


@dataclass(frozen=True, slots=True)
class Pinned:
    """What came of it: `pins`, conditions that together leave no escape; or none, with `proved` that there are none.

    `read` names the held state that was given values, `tried` counts how often.
    """

    read: tuple[str, ...]
    pins: tuple[Term, ...] = ()
    proved: bool = False
    tried: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """A function in a model: its values at points, and elsewhere the commonest of them, which makes it say the most."""

    points: tuple[tuple[int, int], ...]
    otherwise: int

    def at(self, index: Term, width: int) -> Term:
        """The value at an index, which may be open."""
        found = t.const(self.otherwise, width)
        for point, value in self.points:
            if value != self.otherwise:
                found = t.ite(t.eq(index, t.const(point, index.width)), t.const(value, width), found)
        return found


def signature(leaf: Term) -> Signature:
    """Which function an application is of: as for the solver, one name with other widths is another function."""
    return leaf.name, leaf.width, tuple(arg.width for arg in leaf.args)


def pinned(smt: Smt, machine: m.Machine, possible: Term, escapes: Sequence[Escape], held: frozenset[str]) -> Pinned:
    """Values of the held state under which none of `escapes` is met, made as few as they can be.

    `possible` must be met somewhere under them, lest they are values that no run has.
    """
    read = [leaf for leaf in t.free([escape.completes for escape in escapes]) if leaf.name in held]
    names = tuple(dict.fromkeys(leaf.name.removesuffix(TWIN) for leaf in read))
    every = t.or_(*(escape.term for escape in escapes))
    leaves = t.free([every])
    mine = {leaf: None for leaf in leaves if leaf.name in held}
    with smt.within([possible]) as left, smt.within([every]) as escaping:
        for tried in range(1, MOST_TRIES + 1):
            status = _simplest(left, list(mine)) if tried <= SIMPLE_TRIES else left.status()
            if status is not Status.SAT:
                return Pinned(names, (), status is Status.UNSAT, tried - 1)
            values = Values.of(left, list(mine))
            status = escaping.status(t.and_(*values.fix(machine, list(mine))))
            if status is Status.UNSAT:
                return Pinned(names, _fewest(machine, values, every, read, left, escaping), False, tried)
            if status is Status.UNKNOWN:
                return Pinned(names, (), False, tried)
            met = _instance(every, escaping, leaves, held)
            mine |= dict.fromkeys(t.free([met]))
            left.keep(t.not_(met))
    return Pinned(names, (), False, MOST_TRIES)


def _simplest(left: Scope, leaves: Sequence[Term]) -> Status:
    """Values that are still possible, as many of them zero as come to be one after the other."""
    zeros: list[Term] = []
    status = left.status()
    for leaf in leaves if status is Status.SAT else ():
        zero = t.eq(leaf, t.const(0, leaf.width))
        if left.found(zero) or left.status(t.and_(*zeros, zero)) is Status.SAT:
            zeros.append(zero)
    return status


def _instance(escape: Term, scope: Scope, leaves: Sequence[Term], held: frozenset[str]) -> Term:
    """The run that was found to complete, as a condition on the held state alone."""
    values = Values.of(scope, [leaf for leaf in leaves if leaf.name not in held])

    def known(term: Term, args: tuple[Term, ...]) -> Term | None:
        if term.op not in ("var", "apply") or term.name in held:
            return None
        if term.op == "var":
            return t.const(values.scalars[term], term.width)
        return values.arrays[signature(term)].at(t.concat_all(*args), term.width)

    return t.substitute([escape], known)[escape]


@dataclass(slots=True)
class Values:
    """What a model gives to variables and, at the points that were asked of, to functions."""

    scalars: dict[Term, int]
    arrays: dict[Signature, Table]

    @staticmethod
    def of(scope: Scope, leaves: Sequence[Term]) -> Values:
        """The values of `leaves` in the state that the scope found last. A function of several arguments is one of all joined."""
        points: dict[Signature, dict[int, int]] = {}
        for leaf in leaves:
            if leaf.op == "apply":
                points.setdefault(signature(leaf), {})[scope.found(t.concat_all(*leaf.args))] = scope.found(leaf)
        tables = {}
        for key, known in points.items():
            counts = Counter(known.values())
            commonest = max(counts, key=lambda value: (counts[value], value))
            tables[key] = Table(tuple(sorted(known.items())), commonest)
        return Values({leaf: scope.found(leaf) for leaf in leaves if leaf.op == "var"}, tables)

    def fix(self, machine: m.Machine, leaves: Sequence[Term]) -> list[Term]:
        """The state has these values: variables, and every element that there is of an array."""
        facts = [t.eq(leaf, t.const(self.scalars[leaf], leaf.width)) for leaf in leaves if leaf.op == "var"]
        for leaf in leaves:
            if leaf.op == "apply":
                array, index = machine.arrays[leaf.name.removesuffix(TWIN)], leaf.args[0]
                there = t.ult(index, t.const(array.count, index.width)) if array.count >> index.width == 0 else t.TRUE
                facts.append(t.implies(there, t.eq(leaf, self.arrays[signature(leaf)].at(index, leaf.width))))
        return facts


# -- as little as will do ----------------------------------------------------------------------------------------------


def _fewest(
    machine: m.Machine, values: Values, every: Term, read: Sequence[Term], left: Scope, escaping: Scope
) -> tuple[Term, ...]:
    """Conditions that pin no more than is needed: first whole pieces of state go, then slices and elements.

    Zero is preferred, and what is left of a piece is said in as few conditions as it can be. Empty when an array is too large.
    """

    def suffices(pins: Sequence[Term]) -> bool:
        return escaping.status(t.and_(*pins)) is Status.UNSAT and left.status(t.and_(*pins)) is Status.SAT

    slices = _slices(every)
    whole: dict[str, Sequence[Term]] = {}
    for leaf in read:
        whole.setdefault(leaf.name, _parts(machine, leaf, values, slices.get(leaf, [])))
    if any(not parts for parts in whole.values()) or not suffices([pin for parts in whole.values() for pin in parts]):
        return ()
    kept = needed(list(whole), lambda names: suffices([pin for name in names for pin in whole[name]]))
    for name in kept:
        zeros = [t.eq(pin.args[0], t.const(0, pin.args[0].width)) for pin in whole[name]]
        if suffices([*zeros, *(pin for other in kept if other != name for pin in whole[other])]):
            whole[name] = zeros
    pins = needed([pin for name in kept for pin in whole[name]], suffices)
    return tuple(merged(pins))


def _slices(root: Term) -> dict[Term, list[tuple[int, int]]]:
    """The slices by which `root` reads each variable, high to low and apart; nothing for one that it reads whole."""
    cuts: dict[Term, set[int]] = {}
    read: dict[Term, set[int]] = {}
    for term in t.postorder([root]):
        for arg in term.args:
            if arg.op == "var":
                hi, lo = t.bounds(term) if term.op == "extract" else (arg.width - 1, 0)
                cuts.setdefault(arg, set()).update((hi + 1, lo))
                read.setdefault(arg, set()).update(range(lo, hi + 1))
    edges = {leaf: sorted(found, reverse=True) for leaf, found in cuts.items()}
    return {leaf: [(hi - 1, lo) for hi, lo in pairwise(found) if lo in read[leaf]] for leaf, found in edges.items()}


def _parts(machine: m.Machine, leaf: Term, values: Values, slices: Sequence[tuple[int, int]]) -> list[Term]:
    """A piece of state pinned: the slices of it that are read, or its elements; none of an array that is too large."""
    if leaf.op == "var":
        value = values.scalars[leaf]
        return [t.eq(t.extract(leaf, hi, lo), t.const(value >> lo, hi - lo + 1)) for hi, lo in slices]
    array, index = machine.arrays[leaf.name.removesuffix(TWIN)], leaf.args[0]
    if array.count > MOST_ELEMENTS:
        return []
    places = [t.const(number, index.width) for number in range(array.count)]
    table = values.arrays[signature(leaf)]
    return [t.eq(t.apply(leaf.name, leaf.width, (place,)), table.at(place, leaf.width)) for place in places]


def needed(parts: Sequence[Part], suffices: Callable[[list[Part]], bool]) -> list[Part]:
    """Of `parts`, which suffice, some that do and of which none can be left out, in order (QuickXplain, Junker 2004)."""

    def explain(base: list[Part], added: bool, some: list[Part]) -> list[Part]:
        if added and suffices(base):
            return []
        if len(some) == 1:
            return some
        middle = len(some) // 2
        low = explain([*base, *some[:middle]], True, some[middle:])
        high = explain([*base, *low], bool(low), some[:middle])
        return high + low

    return [] if not parts or suffices([]) else explain([], False, list(parts))


def merged(pins: Sequence[Term]) -> list[Term]:
    """Adjacent bits of one piece of state as one comparison, elements in a row that hold the same as one condition."""
    made: list[Term] = []
    for pin in pins:
        last = made[-1] if made else None
        joined = _joined(last, pin) if last is not None else None
        made[-1:] = [joined] if joined is not None else [*made[-1:], pin]
    return made


def _joined(one: Term, other: Term) -> Term | None:
    """Two pins as one; None when they do not lie side by side."""
    last = one.args[-1] if one.op == "and" else one
    left, right = last.args[0], other.args[0]
    if left.op == "apply" and right.op == "apply" and left.name == right.name:
        row = right.args[0].value == left.args[0].value + 1 and last.args[1] is other.args[1]
        return t.and_(one, other) if row else None
    if one.op == "eq" and "apply" not in (left.op, right.op):
        place = t.concat(left, right)
        if place.op in ("extract", "var"):
            return t.eq(place, t.concat(last.args[1], other.args[1]))
    return None
