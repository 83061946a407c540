"""Where a monitor has what of a guest: f, and the way back from it, on states.

The guest's state has the names of its text: what it holds of the resources is the vCPU's record. What the host has of these while
the guest runs lies beside it, as `host.NAME`, in one machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.evaluator import Run
from popek_grammar.meaning.memory import Translated
from popek_grammar.meaning.state import ArrayValue, Base, State
from popek_grammar.meaning.terms import Term

P = TypeVar("P", m.Scalar, m.Array)
V = TypeVar("V")

HOST = "host."
"""What the name of the host's own copy begins with."""
BY_CAUSE, BY_INSTRUCTION, INTERPRETED = "exits.cause", "exits.instruction", "exits.interpreted"
"""How often the monitor was entered: arrays by the place of cause and instruction in the text; and steps that it interpreted."""
COUNTER = 64
"""The bits of a count."""


@dataclass(frozen=True)
class Places:
    """What `monitor` makes of the state of `bare`. `constants` are the values of those that its placement leaves open."""

    bare: m.Machine
    monitor: m.Monitor
    constants: tuple[tuple[str, int], ...] = ()

    @cached_property
    def apart(self) -> tuple[str, ...]:
        """The state of which host and guest have one each: resources, but what is let through; and what lies elsewhere."""
        f = self.monitor.placement
        elsewhere = {name for name, index in self._elsewhere if index is None} | set(f.apart)

        def lies_apart(piece: m.Scalar | m.Array) -> bool:
            resource = piece.role in (m.Role.MODE, m.Role.MAP, m.Role.CONTROL)
            return piece.name in elsewhere or (resource and piece.name not in f.through)

        pieces: list[m.Scalar | m.Array] = [*self.bare.scalars.values(), *self.bare.arrays.values()]
        return tuple(piece.name for piece in pieces if lies_apart(piece))

    @cached_property
    def elements(self) -> tuple[tuple[str, int], ...]:
        """The elements that lie elsewhere of arrays that are in place: of each the host has one of its own."""
        return tuple((name, index) for name, index in self._elsewhere if index is not None and name not in self.apart)

    @cached_property
    def _elsewhere(self) -> dict[tuple[str, int | None], None]:
        """What the host has at an expression of the guest's state, and what it has so of the guest's: scalars, and elements."""
        lines = self.monitor.placement.held
        targets: list[tuple[str, int | None]] = [(line.target, line.index) for line in lines]
        return dict.fromkeys([*targets, *(piece for line in lines for piece in _carried(line.value))])

    @cached_property
    def machine(self) -> m.Machine:
        """The guest's machine, with the host's copies and the monitor's counts as further state."""
        bare, span = self.bare, self.monitor.span
        scalars = {HOST + name: _own(bare.scalars[name]) for name in self.apart if name in bare.scalars}
        for array, index in self.elements:
            width, name = bare.arrays[array].width, _element(array, index)
            scalars[name] = m.Scalar(name, m.Bits(width), width, m.Role.HIDDEN, None, None, "", span)
        arrays = {HOST + name: _own(bare.arrays[name]) for name in self.apart if name in bare.arrays}
        scalars |= {name: replace(scalars[name], reset=value) for name, value in self._first.items()}
        scalars[INTERPRETED] = m.Scalar(INTERPRETED, m.Bits(COUNTER), COUNTER, m.Role.HIDDEN, 0, None, "", span)
        for name, length in ((BY_CAUSE, len(bare.causes.members)), (BY_INSTRUCTION, len(bare.instructions))):
            width = max(1, (length - 1).bit_length())
            arrays[name] = m.Array(name, width, COUNTER, length, False, False, m.Role.HIDDEN, None, (), "", span)
        begins = {bare.mode: replace(bare.scalars[bare.mode], reset=self.begins)} if bare.mode is not None else {}
        return replace(bare, scalars={**bare.scalars, **begins, **scalars}, arrays={**bare.arrays, **arrays})

    @property
    def begins(self) -> int:
        """The mode of the guest at first."""
        mode = self.bare.scalars[self.bare.mode] if self.bare.mode is not None else None
        return self.monitor.begins(self.bare.modes, None if mode is None else mode.reset)

    @cached_property
    def _first(self) -> dict[str, int]:
        """What the host has of scalars at first, where that is no reset value: the real mode, and f of the guest at reset."""
        first = {HOST + self.bare.mode: self.monitor.at} if self.bare.mode in self.apart and self.bare.mode is not None else {}
        scalars: dict[str, Term] = {name: t.const(each.initial, each.width) for name, each in self.bare.scalars.items()}
        if self.bare.mode is not None:
            scalars[self.bare.mode] = t.const(self.begins, self.bare.scalars[self.bare.mode].width)
        arrays = {name: ArrayValue(each, _zero(each)) for name, each in self.bare.arrays.items()}
        state = State(scalars, arrays)
        places = {self.host_place(line): self._value(state, line.value).value for line in self.monitor.placement.held}
        return first | {name: value for (name, index), value in places.items() if index is None}

    def host_place(self, line: m.Held) -> tuple[str, int | None]:
        """Where the host has what is held: a scalar, or an element of an array of its own."""
        if line.index is None:
            return HOST + line.target, None
        if (line.target, line.index) in self.elements:
            return _element(line.target, line.index), None
        return HOST + line.target, line.index

    def exchanged(self, state: State) -> State:
        """The state seen from the other side: of what both have, the host's by its name, and the guest's as `host.NAME`."""
        scalars, arrays = dict(state.scalars), dict(state.arrays)
        for name in self.apart:
            if name in scalars:
                _exchange(scalars, name)
            else:
                _exchange(arrays, name)
        for name, index in self.elements:
            own = _element(name, index)
            arrays[name], scalars[own] = _with_element(arrays[name], index, scalars[own])
        return State(scalars, arrays)

    # -- f and back --------------------------------------------------------------------------------------------------

    def held(self, state: State) -> State:
        """The state with everything that the host has at an expression of the guest's at its value."""
        scalars, arrays = dict(state.scalars), dict(state.arrays)
        for line in self.monitor.placement.held:
            value, (name, index) = self._value(state, line.value), self.host_place(line)
            if index is None:
                scalars[name] = value
            else:
                arrays[name] = arrays[name].write(_at(arrays[name], index), value)
        return State(scalars, arrays)

    def given_back(self, before: State, after: State) -> State:
        """After direct execution from `before`: what the host has of the guest's own elsewhere is where the guest has it."""
        made = State(dict(after.scalars), dict(after.arrays))
        for line in self.monitor.placement.held:
            place = self.host_place(line)
            new = _read(after, place)
            if new is _read(before, place):
                continue
            for condition, leaf in self._leaves(before, line.value):
                match leaf:
                    case m.ReadScalar(name):
                        made.scalars[name] = t.ite(condition, new, made.scalars[name])
                    case m.ReadElement(array, m.Literal(index)):
                        old = made.arrays[array]
                        made.arrays[array] = old.write(_at(old, index), t.ite(condition, new, old.read(_at(old, index))))
                    case _:
                        pass  # a constant of the monitor's, or a setting that it derives: no guest's value to give back
        return made

    def _leaves(self, state: State, expr: m.Expr, condition: Term = t.TRUE) -> Iterator[tuple[Term, m.Expr]]:
        """What the value is, under which condition on the guest's state."""
        match expr:
            case m.Cond(test, yes, no):
                holds = self._value(state, test)
                yield from self._leaves(state, yes, t.and_(condition, holds))
                yield from self._leaves(state, no, t.and_(condition, t.not_(holds)))
            case m.Match(subject, arms):
                found, rest = self._value(state, subject), condition
                for values, arm in arms:
                    hit = t.or_(*(t.eq(found, t.const(value, found.width)) for value in values)) if values else t.TRUE
                    yield from self._leaves(state, arm, t.and_(rest, hit))
                    rest = t.and_(rest, t.not_(hit))
            case _:
                yield condition, expr

    def _value(self, state: State, expr: m.Expr) -> Term:
        run = Run(self.bare, state.copy(), Translated())
        values = dict(self.constants)
        run.env = {name: t.const(values.get(name, 0), width) for name, width in self.monitor.placement.parameters}
        return run.value(expr)


def _zero(array: m.Array) -> Base:
    return lambda index: t.const(0, array.width)


def _own(piece: P) -> P:
    """The host's copy of a piece of state: no program's, whatever the guest's own is."""
    return replace(piece, name=HOST + piece.name, role=m.Role.HIDDEN)


def _exchange(values: dict[str, V], name: str) -> None:
    values[name], values[HOST + name] = values[HOST + name], values[name]


def _element(array: str, index: int) -> str:
    """The name of the host's own element of an array that is in place otherwise."""
    return f"{HOST}{array}[{index}]"


def _at(value: ArrayValue, index: int) -> Term:
    return t.const(index, value.array.index_width)


def _with_element(value: ArrayValue, index: int, element: Term) -> tuple[ArrayValue, Term]:
    """The array with another element, and what it was. To put one back leaves no trace, where nothing was written between."""
    at = _at(value, index)
    was, writes = value.read(at), value.writes
    while writes and writes[-1].guard is t.TRUE and writes[-1].index is at:
        writes = writes[:-1]
    made = replace(value, writes=writes)
    return (made if made.read(at) is element else made.write(at, element)), was


def _carried(expr: m.Expr) -> Iterator[tuple[str, int | None]]:
    """The pieces whose value some held piece has: scalars, and elements of arrays."""
    match expr:
        case m.Cond(_, yes, no):
            yield from _carried(yes)
            yield from _carried(no)
        case m.Match(_, arms):
            for _, arm in arms:
                yield from _carried(arm)
        case m.ReadScalar(name):
            yield name, None
        case m.ReadElement(name, m.Literal(index)):
            yield name, index
        case _:
            pass


def _read(state: State, place: tuple[str, int | None]) -> Term:
    name, index = place
    return state.scalars[name] if index is None else state.arrays[name].read(_at(state.arrays[name], index))
