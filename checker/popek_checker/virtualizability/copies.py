"""Copies of the machine to compare: what they share, and what is free in each.

Visible state V (role `guest`) is shared by the copies; the rest, C, is free in each, under the same name with a suffix.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Generic, TypeVarTuple

from popek_grammar import machine as m
from popek_grammar.examine.effects import effects, followed
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.evaluator import Run
from popek_grammar.meaning.instruction import Operands, execute
from popek_grammar.meaning.memory import Translated
from popek_grammar.meaning.outcome import Outcome
from popek_grammar.meaning.state import PC_WRITTEN, ArrayValue, State, free_base, legal, merge
from popek_grammar.meaning.terms import Term
from popek_grammar.meaning.traps import enter
from popek_grammar.meaning.views import MODELS, View

Things = TypeVarTuple("Things")

RESOURCE = (m.Role.MODE, m.Role.MAP, m.Role.CONTROL, m.Role.ENV)
"""The roles that make up the resource state C (with `hidden`, which no program may see)."""

CAUSE_WIDTH = 16
"""Bits that number the causes of a machine where two executions are compared by what they raise."""


@dataclass(frozen=True, slots=True)
class Copy:
    """One execution: the state before, what came of it, and the facts assumed of it."""

    machine: m.Machine
    before: State
    outcome: Outcome
    facts: tuple[Term, ...]

    @property
    def ok(self) -> Term:
        return self.outcome.ok

    @property
    def after(self) -> State:
        return self.outcome.state

    @property
    def memory_trap(self) -> Term:
        return t.or_(*(trap.condition for trap in self.outcome.traps if trap.memory))

    @property
    def other_trap(self) -> Term:
        return t.or_(*(trap.condition for trap in self.outcome.traps if not trap.memory))

    @property
    def trap(self) -> Term:
        return t.or_(*(trap.condition for trap in self.outcome.traps))


def pieces(machine: m.Machine) -> list[tuple[str, m.Scalar | m.Array]]:
    """Every piece of state by name: scalars, then arrays."""
    return [*machine.scalars.items(), *machine.arrays.items()]


def named(machine: m.Machine, roles: tuple[m.Role, ...]) -> tuple[str, ...]:
    """The names of the state of these roles."""
    return tuple(name for name, piece in pieces(machine) if piece.role in roles)


def is_resource(role: m.Role) -> bool:
    return role in RESOURCE


def shared(piece: m.Scalar | m.Array) -> bool:
    """Whether guest and host hold it alike: visible state, and hidden state that both reset to one value.

    That executing directly keeps the latter alike is asked with all that is visible. Whether what else happens (traps, the
    monitor) can be seen in it is the question of noninterference, for which alone it is apart.
    """
    return piece.role is m.Role.GUEST or (piece.role is m.Role.HIDDEN and isinstance(piece, m.Scalar) and piece.reset is not None)


class Itself(Generic[*Things]):
    """Things as a key: themselves, whatever equals them. To compare machines would cost more than what is looked up."""

    __slots__ = ("things",)

    def __init__(self, *things: *Things) -> None:
        self.things = things

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Itself) and all(map(operator.is_, self.things, other.things))

    def __hash__(self) -> int:
        return hash(tuple(map(id, self.things)))


def start(machine: m.Machine, mode: int | None, suffix: str) -> State:
    """The state before: what copies share unsuffixed, the rest suffixed; the mode a constant when given.

    It is one and the same for all who ask, and cannot be written to: `copy` can.
    """
    return _start(Itself(machine), mode, suffix)


@lru_cache(maxsize=64)
def _start(key: Itself[m.Machine], mode: int | None, suffix: str) -> State:
    (machine,) = key.things
    scalars: dict[str, Term] = {}
    for name, scalar in machine.scalars.items():
        scalars[name] = t.var(name if shared(scalar) else name + suffix, scalar.width)
    if machine.mode is not None and mode is not None:
        scalars[machine.mode] = t.const(mode, machine.scalars[machine.mode].width)
    scalars[PC_WRITTEN] = t.FALSE
    arrays = {
        name: ArrayValue(array, free_base(array, "" if shared(array) else suffix)) for name, array in machine.arrays.items()
    }
    return State(MappingProxyType(scalars), MappingProxyType(arrays))  # type: ignore[arg-type]  # as good as a dict to read


def copy(machine: m.Machine, operands: Operands, before: State, memory: str) -> Copy:
    """Executes the instruction from `before` under a memory model (a name of `MODELS`)."""
    outcome = execute(machine, operands, before, MODELS[memory]())
    return Copy(machine, before, outcome, (_legal(Itself(machine, before)), operands.valid, *outcome.assumptions))


@lru_cache(maxsize=64)
def _legal(key: Itself[m.Machine, State]) -> Term:
    return legal(*key.things)


def resources_differ(one: State, other: State, machine: m.Machine, skip: tuple[str, ...] = ()) -> Term:
    """Some piece of the resource state differs."""
    return _differ(one, other, machine, lambda piece: is_resource(piece.role), skip)


def resources_kept(before: State, after: State, machine: m.Machine) -> Term:
    """No piece of the resource state is other than before: of an array, no element that was written."""
    kept = []
    for name, scalar in machine.scalars.items():
        old, new = before.scalars[name], after.scalars[name]
        if old is not new and is_resource(scalar.role):
            kept.append(t.eq(old, new))
    for name, array in machine.arrays.items():
        if is_resource(array.role):
            was, now = before.arrays[name], after.arrays[name]
            written = now.writes[len(was.writes) :]
            kept += [t.or_(t.not_(w.guard), t.eq(was.read(w.index), now.read(w.index))) for w in written]
    return t.and_(*kept)


def visible_differ(one: State, other: State, machine: m.Machine, skip: tuple[str, ...] = ()) -> Term:
    """Some piece of the visible state differs, arrays at one fresh index; or of hidden state that is taken to remain alike."""
    return _differ(one, other, machine, shared, skip)


def roles_differ(one: State, other: State, machine: m.Machine, roles: tuple[m.Role, ...]) -> Term:
    """Some piece of state of these roles differs, arrays at one fresh index."""
    return _differ(one, other, machine, lambda piece: piece.role in roles, ())


def _differ(
    one: State, other: State, machine: m.Machine, wanted: Callable[[m.Scalar | m.Array], bool], skip: tuple[str, ...]
) -> Term:
    differences = []
    for name, scalar in machine.scalars.items():
        if one.scalars[name] is not other.scalars[name] and wanted(scalar) and name not in skip:
            differences.append(t.ne(one.scalars[name], other.scalars[name]))
    for name, array in machine.arrays.items():
        if wanted(array) and name not in skip:
            left, right = one.arrays[name], other.arrays[name]
            if left.writes != right.writes or left.base is not right.base:
                at = fresh_index(array)
                differences.append(t.ne(left.read(at), right.read(at)))
    return t.or_(*differences)


def fresh_index(array: m.Array) -> Term:
    """The one index at which two arrays are compared: a free variable, so any index."""
    return t.var(f"at.{array.name}", array.index_width)


def holds(machine: m.Machine, state: State, expr: m.Expr) -> Term:
    """A declared condition, in a state."""
    return _holds(Itself(machine, state, expr))


@lru_cache(maxsize=256)
def _holds(key: Itself[m.Machine, State, m.Expr]) -> Term:
    machine, state, expr = key.things
    return Run(machine, state.copy(), View()).value(expr)


def finished(item: Copy, following: Term) -> State:
    """The state after the instruction or after the entry of whichever trap it raised (the 1974 reading)."""
    state = None if item.ok is t.FALSE else item.after
    for trap in item.outcome.traps:
        if not trap.memory:
            run = Run(item.machine, item.before.copy(), Translated())
            enter(run, trap.cause, trap.payload, following)
            state = run.state if state is None else merge(trap.condition, run.state, state)
    return item.after if state is None else state


@lru_cache(maxsize=8)
def _entry_reads(key: Itself[m.Machine]) -> frozenset[str]:
    (machine,) = key.things
    functions = {name: effects(machine, function.body) for name, function in machine.functions.items()}
    found = followed(machine, effects(machine, *machine.trap_stacks.values(), machine.delegate), functions)
    return frozenset(found.reads)


def entry_reads(machine: m.Machine) -> frozenset[str]:
    """The state that trap entry, or the choice of its stack, may read."""
    return _entry_reads(Itself(machine))


def raised(item: Copy) -> tuple[Term, ...]:
    """What the copy comes to, as numbers: 0 where it completes, else that of the cause; then the payload, 0 without a trap."""
    declared = [definition.name for definition in item.machine.causes.members]
    found = [t.const(0, CAUSE_WIDTH), *(t.const(0, width) for _, width in item.machine.causes.payload)]
    for trap in item.outcome.traps:
        number = declared.index(trap.cause) + 2 if trap.cause in declared else 1
        values = [t.const(number, CAUSE_WIDTH), *trap.payload]
        found = [t.ite(trap.condition, value, other) for value, other in zip(values, found, strict=True)]
    return tuple(found)
