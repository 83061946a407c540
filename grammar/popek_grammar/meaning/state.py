"""A machine's state as terms: scalars, and arrays as a base with a list of guarded writes laid over it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from popek_grammar.machine import Array, Machine, Scalar
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term

Base: TypeAlias = "Callable[[Term], Term]"
"""The content of an array before any write: index to element."""

PC_WRITTEN = "%pc_written"
"""Pseudo-scalar: whether the instruction wrote the program counter."""


@dataclass(frozen=True, slots=True)
class Write:
    guard: Term
    index: Term
    value: Term


@dataclass(frozen=True, slots=True)
class ArrayValue:
    """The content of an array: later writes hide earlier ones, all hide the base."""

    array: Array
    base: Base
    writes: tuple[Write, ...] = ()

    def read(self, index: Term) -> Term:
        """The element at `index`; the zero element reads zero whatever was written."""
        found = self._under(index)
        if self.array.zero_at is None:
            return found
        return t.ite(t.eq(index, t.const(self.array.zero_at, index.width)), t.const(0, self.array.width), found)

    def _under(self, index: Term) -> Term:
        hits: list[tuple[Term, Term]] = []
        for write in reversed(self.writes):
            hit = t.and_(write.guard, t.eq(write.index, index))
            if hit is t.TRUE:
                found = write.value
                break
            if hit is not t.FALSE:
                hits.append((hit, write.value))
        else:
            found = self.base(index)
        for hit, value in reversed(hits):
            found = t.ite(hit, value, found)
        return found

    def write(self, index: Term, value: Term) -> ArrayValue:
        return ArrayValue(self.array, self.base, (*self.writes, Write(t.TRUE, index, value)))


@dataclass(slots=True)
class State:
    """Scalars and arrays by name. `copy` is cheap; values are immutable."""

    scalars: dict[str, Term]
    arrays: dict[str, ArrayValue]

    def copy(self) -> State:
        return State(dict(self.scalars), dict(self.arrays))


def merge(condition: Term, yes: State, no: State) -> State:
    """The state that is `yes` when `condition` holds, else `no`."""
    scalars = {
        name: value if value is no.scalars[name] else t.ite(condition, value, no.scalars[name])
        for name, value in yes.scalars.items()
    }
    arrays = {
        name: value if value is no.arrays[name] else _merge_array(condition, value, no.arrays[name])
        for name, value in yes.arrays.items()
    }
    return State(scalars, arrays)


def _merge_array(condition: Term, yes: ArrayValue, no: ArrayValue) -> ArrayValue:
    common = 0
    for left, right in zip(yes.writes, no.writes, strict=False):
        if left is not right:
            break
        common += 1
    guarded = [
        Write(t.and_(side, write.guard), write.index, write.value)
        for side, writes in ((condition, yes.writes), (t.not_(condition), no.writes))
        for write in writes[common:]
    ]
    return ArrayValue(yes.array, yes.base, (*yes.writes[:common], *guarded))


def symbolic(machine: Machine, suffix: str = "", bases: dict[str, Base] | None = None) -> State:
    """A state in which everything is free: variables `name+suffix`, arrays uninterpreted functions of that name."""
    bases = bases or {}
    scalars = {name: t.var(name + suffix, scalar.width) for name, scalar in machine.scalars.items()}
    scalars[PC_WRITTEN] = t.FALSE
    arrays = {name: ArrayValue(array, bases.get(name) or free_base(array, suffix)) for name, array in machine.arrays.items()}
    return State(scalars, arrays)


def free_base(array: Array, suffix: str = "") -> Base:
    """Arbitrary content: an uninterpreted function of the index."""
    return lambda index: t.apply(array.name + suffix, array.width, (index,))


def legal(machine: Machine, state: State) -> Term:
    """Every scalar that has a declared set of legal values holds one of them."""
    return t.and_(*(within(state.scalars[name], scalar) for name, scalar in machine.scalars.items()))


def within(value: Term, scalar: Scalar) -> Term:
    return t.TRUE if scalar.legal is None else member(value, scalar.legal)


def member(value: Term, ranges: tuple[tuple[int, int], ...]) -> Term:
    """`value` lies in one of the inclusive unsigned ranges; no range at all holds nothing."""
    if sum(high - low + 1 for low, high in ranges) == 1 << value.width:
        return t.TRUE
    tests = []
    for low, high in ranges:
        if low == high:
            tests.append(t.eq(value, t.const(low, value.width)))
        else:
            bounds = (t.const(low, value.width), t.const(high, value.width))
            tests.append(t.and_(t.ule(bounds[0], value), t.ule(value, bounds[1])))
    return t.or_(*tests)
