"""f: where the host has each piece of a guest's state while the guest runs (Popek and Goldberg 1974, section 4).

A placement says it, piece by piece. What it does not name is in place when its role is `guest`, and virtual, that is,
in the monitor's record, when it is not: the default f, in which host and guest hold resource states of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TypeVar

from popek_checker.virtualizability.copies import Copy, Itself, is_resource, shared, start
from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.evaluator import Run
from popek_grammar.meaning.memory import Translated
from popek_grammar.meaning.state import ArrayValue, State, free_base
from popek_grammar.meaning.terms import Term

T = TypeVar("T", m.Scalar, m.Array)


def seen_through(machine: m.Machine, placement: m.Placement | None) -> m.Machine:
    """The machine with what the placement lets `through` as the guest's own, so that every question takes it for that."""
    return machine if placement is None or not placement.through else _seen_through(Itself(machine), placement.through)


@lru_cache(maxsize=16)
def _seen_through(key: Itself[m.Machine], through: tuple[str, ...]) -> m.Machine:
    (machine,) = key.things

    def owned(piece: T) -> T:
        return replace(piece, role=m.Role.GUEST) if piece.name in through else piece

    scalars = {name: owned(scalar) for name, scalar in machine.scalars.items()}
    arrays = {name: owned(array) for name, array in machine.arrays.items()}
    return replace(machine, scalars=scalars, arrays=arrays)


@dataclass(frozen=True)
class Embedding:
    """f as a placement says it; without one, the default. `machine` is seen through it already.

    `suffix` marks the state that is the host's own. `relocates` says whether memory is placed as declared (under an opaque
    memory model it is the view's matter).
    """

    machine: m.Machine
    placement: m.Placement | None
    suffix: str
    relocates: bool

    # -- what lies where -----------------------------------------------------------------------------------------------

    @cached_property
    def held(self) -> Mapping[tuple[str, int | None], m.Held]:
        """What the host has at an expression of the guest's state."""
        lines = self.placement.held if self.placement is not None else ()
        return {(line.target, line.index): line for line in lines}

    @cached_property
    def carried(self) -> frozenset[str]:
        """The pieces whose value some held piece has: the host carries them for the guest."""
        anywhere = start(self.machine, None, "")
        return frozenset(name for line in self.held.values() for name, _ in _carried(self.value(anywhere, line.value)))

    @cached_property
    def apart(self) -> frozenset[str]:
        """Guest state that is not where it is in the guest: carried elsewhere, or said to be the monitor's.

        An array of which only elements of constant number are carried stays in place, but for those.
        """
        said = set(self.placement.apart) if self.placement is not None else set()
        anywhere = start(self.machine, None, "")
        for line in self.held.values():
            for name, index in _carried(self.value(anywhere, line.value)):
                if index is None and (name, None) not in self.held and self._is_guest(name):
                    said.add(name)
        return frozenset(said)

    @property
    def moves(self) -> bool:
        """Whether memory is placed as declared."""
        return self.relocates and self.placement is not None and self.placement.memory is not None

    @property
    def bends(self) -> bool:
        """Whether some state lies elsewhere than in the default f, memory aside."""
        return bool(self.held or self.apart)

    @property
    def bends_beyond_maps(self) -> bool:
        """Whether state that is no map's lies elsewhere."""
        return bool((self.apart | self.targets) - self.map)

    @cached_property
    def targets(self) -> frozenset[str]:
        """The pieces that the host has held, or elements of them."""
        return frozenset(target for target, _ in self.held)

    @cached_property
    def map(self) -> frozenset[str]:
        """The pieces of role `map`."""
        pieces: list[m.Scalar | m.Array] = [*self.machine.scalars.values(), *self.machine.arrays.values()]
        return frozenset(piece.name for piece in pieces if piece.role is m.Role.MAP)

    def speaks_of(self, name: str) -> bool:
        """Whether the host has this piece, or its value, at an expression of the guest's state."""
        return name in self.carried or name in self.targets

    def _is_guest(self, name: str) -> bool:
        piece = self.machine.scalars.get(name) or self.machine.arrays.get(name)
        return piece is not None and piece.role is m.Role.GUEST

    def in_place(self, name: str) -> bool:
        """Whether host and guest have this piece alike: a scalar, or what is not held of an array."""
        return self._is_guest(name) and name not in self.apart and (name, None) not in self.held

    def _together(self, name: str) -> bool:
        """Whether the values of this scalar are compared as they are: in place, or hidden."""
        return self.in_place(name) or self.machine.scalars[name].role is m.Role.HIDDEN

    # -- the host's state ------------------------------------------------------------------------------------------------

    def value(self, guest: State, expr: m.Expr) -> Term:
        """An expression of the placement over a guest's state, the monitor's constants free."""
        run = Run(self.machine, guest.copy(), Translated())
        parameters = self.placement.parameters if self.placement is not None else ()
        run.env = {name: t.var(f"placement.{name}", width) for name, width in parameters}
        return run.value(expr)

    def where(self, guest: State) -> tuple[Term, ...]:
        """What must hold of the guest."""
        return tuple(self.value(guest, expr) for expr in self.placement.where) if self.placement is not None else ()

    def host(self, guest: State, own: State, roles: frozenset[m.Role] | None = None) -> State:
        """f(guest): `own` with what is held in its place, and guest state that lies apart the host's own.

        Only pieces of `roles` are held, when given. Memory is not moved: see `memories`.
        """
        scalars, arrays = dict(own.scalars), dict(own.arrays)
        for name in self.apart:
            if name in scalars:
                scalars[name] = t.var(name + self.suffix, self.machine.scalars[name].width)
            else:
                arrays[name] = ArrayValue(self.machine.arrays[name], free_base(self.machine.arrays[name], self.suffix))
        for (name, index), line in self.held.items():
            piece = self.machine.scalars[name] if index is None else self.machine.arrays[name]
            if roles is not None and piece.role not in roles:
                continue
            value = self.value(guest, line.value)
            if index is None:
                scalars[name] = value
            else:
                arrays[name] = _based(arrays[name], index, value)
        return State(scalars, arrays)

    # -- memory ----------------------------------------------------------------------------------------------------------

    def memories(self, guest: State, host: State) -> tuple[State, State]:
        """Guest cell a is host cell base + a, for a below size; all else is each one's own."""
        placed = self.moved(guest)
        if placed is None:
            return guest, host
        name, base, size = placed
        array = self.machine.arrays[name]

        def guest_base(index: Term) -> Term:
            own = t.apply(f"{name}.outside", array.width, (index,))
            return t.ite(t.ult(index, size), t.apply("guest", array.width, (index,)), own)

        def host_base(index: Term) -> Term:
            back = t.sub(index, base)
            own = t.apply(f"{name}.outside{self.suffix}", array.width, (index,))
            return t.ite(t.ult(back, size), t.apply("guest", array.width, (back,)), own)

        return _with(guest, name, ArrayValue(array, guest_base)), _with(host, name, ArrayValue(array, host_base))

    def moved(self, guest: State) -> tuple[str, Term, Term] | None:
        """Which memory lies at which base, and how much of it, in cells; None where it is not moved."""
        if not self.moves or self.placement is None or self.placement.memory is None:
            return None
        name, base, size = self.placement.memory
        width = self.machine.arrays[name].index_width
        return name, t.resize(self.value(guest, base), width), t.resize(self.value(guest, size), width)

    # -- after a step ------------------------------------------------------------------------------------------------------

    def mismatch(self, bare: Copy, host: Copy, visible_only: bool = False) -> Term:
        """After a step of both, the host's state is not f of the guest's, or the guest's cannot be told from it.

        With `visible_only` of guest state alone, memory aside: whether the visible results differ.
        """
        return t.or_(*self._mismatches(bare, host, visible_only))

    def _mismatches(self, bare: Copy, host: Copy, visible_only: bool) -> Iterator[Term]:
        moved = self.moved(bare.before)
        for name, scalar in self.machine.scalars.items():
            if self._asked(scalar, visible_only):
                yield from self._scalar(name, bare, host)
        for name, array in self.machine.arrays.items():
            if self._asked(array, visible_only) and (moved is None or name != moved[0]):
                yield from self._array(array, bare, host)
        if moved is not None and not visible_only:
            name, base, size = moved
            place = t.var(f"at.{name}", self.machine.arrays[name].index_width)
            back = t.sub(place, base)
            expected = t.ite(t.ult(back, size), bare.after.arrays[name].read(back), host.before.arrays[name].read(place))
            yield t.ne(host.after.arrays[name].read(place), expected)

    def _asked(self, piece: m.Scalar | m.Array, visible_only: bool) -> bool:
        return shared(piece) or (not visible_only and is_resource(piece.role))

    def _scalar(self, name: str, bare: Copy, host: Copy) -> Iterator[Term]:
        after, real = bare.after.scalars[name], host.after.scalars[name]
        untouched = not self.held and after is bare.before.scalars[name] and real is host.before.scalars[name]
        if untouched and (after is real or not self._together(name)):
            return
        if self._together(name):
            yield t.ne(after, real)
            return
        line = self.held.get((name, None))
        expected = host.before.scalars[name] if line is None else self.value(bare.after, line.value)
        yield t.ne(real, expected)
        changed = t.ne(after, bare.before.scalars[name])
        if name not in self.carried:
            yield changed
        elif changed is not t.FALSE:
            other = t.var(f"lost.{name}", after.width)
            yield t.and_(changed, t.ne(other, after), self._looks_alike(bare.after, _set(bare.after, name, other)))

    def _array(self, array: m.Array, bare: Copy, host: Copy) -> Iterator[Term]:
        name = array.name
        before, after = bare.before.arrays[name], bare.after.arrays[name]
        own, real = host.before.arrays[name], host.after.arrays[name]
        if self.in_place(name) and name not in self.targets:
            if (after.writes, after.base) != (real.writes, real.base):
                at = t.var(f"at.{name}", array.index_width)
                yield t.ne(after.read(at), real.read(at))
            return
        if not (after.writes or real.writes or self.bends):
            return
        at = t.var(f"at.{name}", array.index_width)
        expected = after.read(at) if self.in_place(name) else own.read(at)
        for (target, index), line in self.held.items():
            if target == name and index is not None:
                hit = t.eq(at, t.const(index, at.width))
                expected = t.ite(hit, self.value(bare.after, line.value), expected)
        yield t.ne(real.read(at), expected)
        held = (index for target, index in self.held if target == name and index is not None)
        elsewhere = t.or_(*(t.eq(at, t.const(index, at.width)) for index in held)) if self.in_place(name) else t.TRUE
        changed = t.and_(elsewhere, t.ne(after.read(at), before.read(at)))
        if name not in self.carried:
            yield changed
        elif changed is not t.FALSE:
            other = t.var(f"lost.{name}", array.width)
            alike = self._looks_alike(bare.after, _with(bare.after, name, after.write(at, other)))
            yield t.and_(changed, t.ne(other, after.read(at)), alike)

    def _looks_alike(self, one: State, other: State) -> Term:
        """Whether f makes the same of two guest states: then a monitor cannot tell which one it has."""
        return t.and_(*(t.eq(self.value(one, line.value), self.value(other, line.value)) for line in self.held.values()))


def _carried(term: Term) -> Iterator[tuple[str, int | None]]:
    """What a value is made of, not what it depends on: variables, and arrays (with the element's number where constant)."""
    match term.op:
        case "ite":
            yield from _carried(term.args[1])
            yield from _carried(term.args[2])
        case "var":
            yield term.name, None
        case "apply":
            yield term.name, term.args[0].value if term.args[0].is_const else None
        case _:
            for arg in term.args:
                yield from _carried(arg)


def _based(value: ArrayValue, index: int, element: Term) -> ArrayValue:
    """The array with another element from the start: no write of the instruction's."""
    base = value.base

    def changed(at: Term) -> Term:
        return t.ite(t.eq(at, t.const(index, at.width)), element, base(at))

    return ArrayValue(value.array, changed, value.writes)


def _set(state: State, name: str, value: Term) -> State:
    return State({**state.scalars, name: value}, dict(state.arrays))


def _with(state: State, name: str, value: ArrayValue) -> State:
    return State(dict(state.scalars), {**state.arrays, name: value})
