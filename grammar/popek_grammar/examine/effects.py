"""What a piece of a machine reads, writes, calls and raises: one pass over its typed trees, whatever their kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache

from popek_grammar import machine as m

NO_CODE = (m.Span, m.Bits, m.Bool, m.Mode, m.EnumType, m.Unit)
"""Parts of typed trees that hold no expressions."""
LOADS, STORES = ("load", "load_as"), ("store", "store_as")


@dataclass(slots=True)
class Effects:
    """Names only. State goes by the name of its scalar or array; `registers` are those read whole."""

    reads: set[str] = field(default_factory=set)
    registers: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    causes: set[str] = field(default_factory=set)
    faults: set[str] = field(default_factory=set)
    locals: set[str] = field(default_factory=set)
    builtins: set[str] = field(default_factory=set)
    returns: set[str] = field(default_factory=set)

    def add(self, other: Effects) -> None:
        """Takes in what another piece does."""
        for name in self.__slots__:
            getattr(self, name).update(getattr(other, name))


def effects(machine: m.Machine, *pieces: object) -> Effects:
    """The effects of the pieces themselves; calls are named, not followed."""
    found = Effects()
    for node in nodes(pieces):
        _note(machine, node, found)
    return found


def followed(machine: m.Machine, found: Effects, functions: Mapping[str, Effects]) -> Effects:
    """The effects with those of every function called, directly or not."""
    result, waiting, seen = Effects(), list(found.calls), set[str]()
    result.add(found)
    while waiting:
        name = waiting.pop()
        if name not in seen and name in functions:
            seen.add(name)
            result.add(functions[name])
            waiting += functions[name].calls
    return result


def nodes(root: object) -> Iterator[object]:
    """Every node of typed trees, places included, in no particular order."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, tuple | list):
            waiting.extend(node)
        elif is_dataclass(node) and not isinstance(node, (type, *NO_CODE)):
            yield node
            waiting.extend(getattr(node, name) for name in _parts(node.__class__))


@cache
def _parts(kind: type) -> tuple[str, ...]:
    # `name` and the like are strings, and cost more to visit than to leave out.
    return tuple(part.name for part in fields(kind) if part.type not in ("str", "int", "Span", "Type"))


def _note(machine: m.Machine, node: object, found: Effects) -> None:
    match node:
        case m.ReadScalar(name) | m.ReadElement(name):
            found.reads.add(name)
        case m.ReadRegister(name):
            found.registers.add(name)
            found.reads.update(stored(machine.registers.get(name)))
        case m.Local(name):
            found.locals.add(name)
        case m.Call(name):
            found.calls.add(name)
        case m.Builtin(name):
            found.builtins.add(name)
            _note_access(machine, name, found)
        case m.Cause(name):
            found.causes.add(name)
        case m.Fault(kind):
            found.faults.add(kind)
        case m.Walk():
            found.faults.add(node.fault)
        case m.ReturnFrom(stack):
            found.returns.add(stack)
        case m.ScalarPlace() | m.ElementPlace() | m.RegisterPlace():
            found.writes.update(written(machine, [node]))
        case _:
            pass


def _note_access(machine: m.Machine, name: str, found: Effects) -> None:
    """Accesses find what state is mapped into memory, and a part of it that is stored is written into the rest."""
    places = [mapped.place for mapped in machine.mapped]
    if name in LOADS:
        found.add(effects(machine, *(_read(place) for place in places)))
    if name in STORES:
        found.add(effects(machine, *(_read(place) for place in places)))
        found.writes |= written(machine, places)


def _read(place: m.Place) -> object:
    """What reads a place, as far as effects go."""
    match place:
        case m.ScalarPlace(name):
            return m.ReadScalar(name, m.Bits(place.width))
        case m.ElementPlace(array, index):
            return m.ReadElement(array, index, m.Bits(place.width))
        case m.RegisterPlace(register, index):
            return m.ReadRegister(register, index, m.Bits(place.width))
        case m.SlicePlace(inner):
            return _read(inner)
        case m.ConcatPlace(parts):
            return tuple(_read(part) for part in parts)


# -- names of state --------------------------------------------------------------------------------------------------


def written(machine: m.Machine, places: Iterable[m.Place]) -> set[str]:
    """The scalars and arrays that lie in some places."""
    found: set[str] = set()
    for place in places:
        match place:
            case m.ScalarPlace(name) | m.ElementPlace(name):
                found.add(name)
            case m.RegisterPlace(name):
                found |= by_rules(machine, machine.registers.get(name))
            case m.SlicePlace(inner):
                found |= written(machine, [inner])
            case m.ConcatPlace(parts):
                found |= written(machine, parts)
    return found


def by_rules(machine: m.Machine, register: m.Register | None) -> set[str]:
    """What a write of a whole register can change: by its `write` clause, else the fields that software may write."""
    if register is None:
        return set()
    if register.write is not None:
        return effects(machine, register.write[1]).writes
    kept = (m.FieldKind.RO, m.FieldKind.WPRI)
    return {part.state for part in register.fields if part.state is not None and part.kind not in kept}


def stored(register: m.Register | None) -> set[str]:
    """The scalars or arrays that hold a register's fields."""
    return {part.state for part in register.fields if part.state is not None} if register is not None else set()
