"""f over numbers (docs/language.md, "f: where the host has the guest"): the image of a guest, and what comes back of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product

from enumeration.language import Element, Expr, Op, Placement, Read, Toy
from enumeration.meaning import Meaning, State

NONE = Placement()


@dataclass(frozen=True)
class Embedding:
    """f of a machine: as its placement says, else the classic one."""

    meaning: Meaning

    @cached_property
    def toy(self) -> Toy:
        return self.meaning.toy

    @cached_property
    def placement(self) -> Placement:
        return self.toy.placement or NONE

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.placement.constants)

    def constants(self) -> Iterator[tuple[int, ...]]:
        """Every choice of the monitor's constants."""
        yield from product(*(range(1 << width) for _, width in self.placement.constants))

    @cached_property
    def _where(self) -> list[Callable[..., int]]:
        return [self.meaning.function(expr, self.names) for expr in self.placement.where]

    def where(self, guest: State, constants: tuple[int, ...]) -> bool:
        """Whether the placement's conditions hold."""
        return all(condition(guest, *constants) for condition in self._where)

    # -- which piece lies where ----------------------------------------------------------------------------------------

    @cached_property
    def held(self) -> dict[str, Callable[..., int]]:
        """What the host has at an expression of the guest's state and the constants."""
        found: dict[str, Callable[..., int]] = {
            name: self.meaning.function(expr, self.names) for name, expr in self.placement.held
        }
        slots = self.toy.slots
        for name, _, code, other in self.placement.banked:
            found[name] = self._banked(slots[name], slots["mode"], code, slots[other])
        return found

    @staticmethod
    def _banked(own: int, mode: int, code: int, other: int) -> Callable[..., int]:
        return lambda state, *_: state[other] if state[mode] == code else state[own]

    @cached_property
    def carried(self) -> set[str]:
        """The pieces of which some held value is made."""
        made = {name for _, expr in self.placement.held for name in _made_of(expr)} & set(self.toy.slots)
        return made | {name for bank in self.placement.banked for name in (bank[0], bank[3])}

    @cached_property
    def in_place(self) -> list[str]:
        """What host and guest have alike: the program's own and what is let through, but for what is held, carried or apart."""
        moved = {self.toy.ram.name} if self.placement.memory is not None and self.toy.ram is not None else set()
        elsewhere = set(self.held) | self.carried | set(self.placement.apart) | moved
        return [piece.name for piece in self.toy.all_pieces if self._visible(piece.name) and piece.name not in elsewhere]

    def _visible(self, name: str) -> bool:
        return self.toy.by_name[name].role == "guest" or name in self.placement.through

    @cached_property
    def _alike(self) -> list[int]:
        """The slots of what is in place, and of hidden state that begins alike."""
        hidden = [
            piece.name for piece in self.toy.all_pieces if piece.role == "hidden" and piece.reset is not None and not piece.count
        ]
        return [slot for name in (*self.in_place, *hidden) for slot in self.toy.places(self.toy.by_name[name])]

    def _cells(self, constants: tuple[int, ...]) -> dict[int, int]:
        """The host's slot of each of the guest's cells, where memory is moved."""
        if self.placement.memory is None or self.toy.ram is None:
            return {}
        if constants in self._moved:
            return self._moved[constants]
        base, size = self.placement.memory
        anywhere = (0,) * (self.toy.places(self.toy.all_pieces[-1])[-1] + 1)
        begin, first = self.meaning.function(base, self.names)(anywhere, *constants), self.toy.slots[self.toy.ram.name]
        self._moved[constants] = {first + cell: first + (begin + cell) % self.toy.ram.count for cell in range(size)}
        return self._moved[constants]

    @cached_property
    def _moved(self) -> dict[tuple[int, ...], dict[int, int]]:
        return {}

    def fixed(self, constants: tuple[int, ...]) -> tuple[int, ...]:
        """The slots of the host that f says."""
        held = (self.toy.slots[name] for name in self.held)
        return (*self._alike, *held, *self._cells(constants).values())

    def apart_from(self, slots: tuple[int, ...]) -> tuple[int, ...]:
        """The host's own: all that f does not say, but what is hidden."""
        left = [piece for piece in self.toy.all_pieces if piece.role != "hidden"]
        return tuple(slot for piece in left for slot in self.toy.places(piece) if slot not in slots)

    def image(self, guest: State, constants: tuple[int, ...]) -> State:
        """What f says of the host's slots, in the order of `fixed`."""
        made = [guest[slot] for slot in self._alike]
        if self.held:
            made += [value(guest, *constants) for value in self.held.values()]
        if self.placement.memory is not None:
            made += [guest[cell] for cell in self._cells(constants)]
        return tuple(made)

    # -- a step ------------------------------------------------------------------------------------------------------------

    def comes_back(self, before: State, after: State, constants: tuple[int, ...]) -> bool:
        """Whether the host's state tells all that a step has changed of what is not in place."""
        changed = (slot for slot in self._elsewhere if before[slot] != after[slot])
        return all(self._comes_back(self._elsewhere[slot], slot, after, constants) for slot in changed)

    @cached_property
    def _elsewhere(self) -> dict[int, str]:
        """The slots, with their pieces' names, of guest state that is not in place, not in memory that is moved, not hidden."""
        moved = self.toy.ram if self.placement.memory is not None else None
        away = [p for p in self.toy.all_pieces if p.role != "hidden" and p.name not in self.in_place and p is not moved]
        return {slot: piece.name for piece in away for slot in self.toy.places(piece)}

    def _comes_back(self, name: str, slot: int, after: State, constants: tuple[int, ...]) -> bool:
        """Whether the host's state tells what has become of a piece that is not in place."""
        if name not in self.carried:
            return False
        own = self.image(after, constants)
        values = range(1 << self.toy.by_name[name].width)
        changed = ((*after[:slot], value, *after[slot + 1 :]) for value in values if value != after[slot])
        return all(self.image(other, constants) != own for other in changed)


def _made_of(expr: Expr) -> Iterator[str]:
    """What a value is made of, not what it depends on."""
    match expr:
        case Read(name) | Element(name):
            yield name
        case Op("if", _, (_, yes, no)):
            yield from (*_made_of(yes), *_made_of(no))
        case Op(_, _, args):
            for arg in args:
                yield from _made_of(arg)
