"""Memory that is relocated, and how the memories of two copies are then related.

Where every address lies at itself plus something, both physical memories are built from one view array, and results are compared
through the view (Popek and Goldberg's E|R).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from popek_checker.virtualizability.copies import fresh_index
from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.evaluator import Run
from popek_grammar.meaning.memory import Translated
from popek_grammar.meaning.state import ArrayValue, State
from popek_grammar.meaning.terms import Term


@dataclass(frozen=True, slots=True)
class Relocation:
    """A translation that adds: `forward` maps a virtual address, `backward` undoes it; `inside` says which physical
    addresses the view holds."""

    backward: Callable[[Term], Term]
    inside: Callable[[Term], Term]


def relocation(machine: m.Machine, state: State) -> Relocation | None:
    """The inverse of the declared translations, all stages, when what comes out is the address plus something; else None.

    Derived by translating a variable and looking at the term that comes out.
    """
    widths = {translation.va_width for translation in machine.translations.values() if translation.over is None}
    if machine.main_memory is None or len(widths) != 1:
        return None
    (width,) = widths
    array = machine.arrays[machine.main_memory]
    address = t.var("%va", width)
    run = Run(machine, state.copy(), Translated())
    result = Translated().translate(run, address, t.const(1, 32), "load", _mode(machine, state))
    physical = t.resize(result, array.index_width)
    offset = added(physical, address)
    if offset is None:
        return None
    faults = t.or_(*(trap.condition for trap in run.traps))

    def backward(place: Term) -> Term:
        return t.resize(t.sub(place, offset), width)

    def inside(place: Term) -> Term:
        back = backward(place)
        there = t.substitute([faults, physical], lambda term, _: back if term is address else None)
        reached = t.TRUE if width >= array.index_width else t.eq(there[physical], place)
        return t.and_(t.not_(there[faults]), reached)

    return Relocation(backward, inside)


def added(term: Term, address: Term) -> Term | None:
    """What `term` adds to `address`, modulo its width; None where it is not seen to be the address plus something.

    Seen through sums, whatever their carry is used for beside, choices that do not depend on the address, and cuts.
    """
    if term is t.resize(address, term.width):
        return t.const(0, term.width)
    match term.op, term.args:
        case "add", (left, right):
            moved, by = (left, right) if address in t.free([left]) else (right, left)
            inner = None if address in t.free([by]) else added(moved, address)
            return None if inner is None else t.add(inner, by)
        case "sub", (left, right) if address not in t.free([right]):
            inner = added(left, address)
            return None if inner is None else t.sub(inner, right)
        case "ite", (condition, yes, no) if address not in t.free([condition]):
            one, other = added(yes, address), added(no, address)
            return None if one is None or other is None else t.ite(condition, one, other)
        case "extract", (whole,) if t.bounds(term)[1] == 0:
            inner = added(whole, address)
            return None if inner is None else t.extract(inner, t.bounds(term)[0], 0)
        case _:
            return None


def _mode(machine: m.Machine, state: State) -> Term:
    return state.scalars[machine.mode] if machine.mode is not None else t.const(0, 1)


def with_view_memory(machine: m.Machine, state: State, suffix: str) -> State:
    """The state with its memory rebuilt: what lies in the view comes from the shared array `view`, the rest is its own."""
    move = relocation(machine, state)
    if move is None or machine.main_memory is None:
        return state
    array = machine.arrays[machine.main_memory]

    def base(index: Term) -> Term:
        shared = t.apply("view", array.width, (move.backward(index),))
        own = t.apply(f"{array.name}.outside{suffix}", array.width, (index,))
        return t.ite(move.inside(index), shared, own)

    arrays = dict(state.arrays)
    arrays[array.name] = ArrayValue(array, base)
    return State(dict(state.scalars), arrays)


def changed_outside(before: State, after: State, machine: m.Machine) -> Term:
    """Memory differs from before at some address outside the view."""
    move, name = relocation(machine, before), machine.main_memory
    if move is None or name is None:
        return t.FALSE
    place = fresh_index(machine.arrays[name])
    differs = t.ne(before.arrays[name].read(place), after.arrays[name].read(place))
    return t.and_(t.not_(move.inside(place)), differs)


def views_differ(one: State, other: State, first: State, second: State, machine: m.Machine) -> Term:
    """The memories differ at some address of the view, each seen through its own relocation (of the state before)."""
    move_one, move_other = relocation(machine, first), relocation(machine, second)
    name = machine.main_memory
    if name is None:
        return t.FALSE
    array = machine.arrays[name]
    place = fresh_index(array)
    if move_one is None or move_other is None:
        return t.ne(one.arrays[name].read(place), other.arrays[name].read(place))
    back = move_one.backward(place)
    twin = t.var(f"at.{array.name}~", array.index_width)
    same = t.eq(move_other.backward(twin), back)
    inside = t.and_(move_one.inside(place), move_other.inside(twin), same)
    return t.and_(inside, t.ne(one.arrays[name].read(place), other.arrays[name].read(twin)))
