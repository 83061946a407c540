"""All the runs of an instruction: every state, every operand; and every guest state with the host states that are f of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from operator import itemgetter
from typing import NamedTuple

from enumeration.embedding import Embedding
from enumeration.language import Instruction, Piece, Toy
from enumeration.meaning import Meaning, Raised, State
from enumeration.names import of_entry, of_instruction

RESOURCES = ("mode", "map", "control", "env")


class Run(NamedTuple):
    """An instruction from a state: the operands, the state, the one after it if it completes, else the trap."""

    operands: State
    before: State
    after: State | None
    raised: Raised | None


class Bare(NamedTuple):
    """What comes of a guest's run: its mode, whether it completes, whether the host can tell all that changed, f of it."""

    mode: int
    completes: bool
    told: bool
    image: State


class Real(NamedTuple):
    """What comes of the host's run: whether it completes and keeps all of its own, and its state where f says what it is."""

    completes: bool
    kept: bool
    image: State


class Seen(NamedTuple):
    """A run of which a definition looks at what comes after: by the letter, that may be the state after a trap's entry."""

    operands: State
    before: State
    after: State


@dataclass(frozen=True)
class Runs:
    """One instruction, all its runs. `literal`: the reading of 1974. `everywhere`: H holds of every run, not only the host's."""

    meaning: Meaning
    instruction: Instruction
    literal: bool = False
    everywhere: bool = False
    following: bool = False
    """Whether trap entry is looked at, so that what it speaks of is enumerated too."""

    # -- the machine -------------------------------------------------------------------------------------------------

    @cached_property
    def toy(self) -> Toy:
        return self.meaning.toy

    @cached_property
    def pieces(self) -> list[Piece]:
        """The state that is enumerated."""
        named = of_instruction(self.toy, self.instruction)
        named |= of_entry(self.toy) if self.literal or self.following else set()
        return [piece for piece in self.toy.all_pieces if piece.name in named]

    @cached_property
    def order(self) -> list[int]:
        """The modes, least privileged first."""
        return [code for _, code in self.toy.modes]

    @cached_property
    def host(self) -> int:
        return self.toy.code(self.toy.host)

    @cached_property
    def guest(self) -> list[int]:
        """The modes that a guest may believe to be in: from the real one to its top."""
        return self.order[self.order.index(self.host) : self.order.index(self.toy.code(self.toy.guest)) + 1]

    @cached_property
    def above(self) -> list[int]:
        return [mode for mode in self.guest if mode != self.host] or self.guest

    @cached_property
    def below(self) -> list[int]:
        return self.order[: self.order.index(self.host)]

    def slots(self, *roles: str) -> tuple[int, ...]:
        """The slots of the pieces of these roles; what f lets through is the guest's."""
        through = self.toy.placement.through if self.toy.placement is not None else ()
        found: list[int] = []
        for piece in self.toy.all_pieces:
            if ("guest" if piece.name in through else piece.role) in roles:
                found += self.toy.places(piece)
        return tuple(found)

    @cached_property
    def visible(self) -> tuple[int, ...]:
        """What must come out alike: the program's own, and hidden state that begins alike in guest and host, to remain so."""
        alike = [p for p in self.toy.all_pieces if p.role == "hidden" and p.reset is not None and not p.count]
        return (*self.slots("guest"), *(slot for piece in alike for slot in self.toy.places(piece)))

    @cached_property
    def settings(self) -> list[str]:
        """The pieces of control state and input."""
        through = self.toy.placement.through if self.toy.placement is not None else ()
        return [piece.name for piece in self.pieces if piece.role in ("control", "env") and piece.name not in through]

    # -- runs --------------------------------------------------------------------------------------------------------

    @cached_property
    def holds(self) -> Callable[[State], bool]:
        return self.meaning.predicate(self.toy.assume)

    @cached_property
    def runs(self) -> list[Run]:
        step = self.meaning.steps[self.instruction.name]
        operands = list(product(*(range(1 << width) for _, width in self.instruction.operands)))
        states = list(self.meaning.states(self.pieces))
        if self.everywhere:
            states = [state for state in states if self.holds(state)]
        return [Run(chosen, state, *step(state, *chosen)) for chosen in operands for state in states]

    @cached_property
    def size(self) -> int:
        """How many runs there are."""
        many = 1 << sum(width for _, width in self.instruction.operands)
        for piece in self.pieces:
            many *= (len(self.order) if piece.modes else 1 << piece.width) ** max(1, piece.count)
        return many

    @cached_property
    def mode(self) -> Callable[[State], int]:
        return itemgetter(self.toy.slots["mode"])

    def finished(self, run: Run) -> State:
        """The state after the instruction, or after the entry of its trap."""
        if run.after is not None:
            return run.after
        assert run.raised is not None
        cause, payload, _ = run.raised
        return self.meaning.enter(run.before, cause, payload)

    @cached_property
    def seen(self) -> list[Seen]:
        """The runs that definitions look at: those that complete; by the letter, all but those that trap on memory."""
        if not self.literal:
            return [Seen(run.operands, run.before, run.after) for run in self.runs if run.after is not None]
        quiet = (run for run in self.runs if run.raised is None or not run.raised[2])
        return [Seen(run.operands, run.before, self.finished(run)) for run in quiet]

    @cached_property
    def quiet(self) -> list[Seen]:
        """Those of them that keep the resource state."""
        resources = picked(self.slots(*RESOURCES))
        return [run for run in self.seen if resources(run.before) == resources(run.after)]

    # -- f -----------------------------------------------------------------------------------------------------------------

    @cached_property
    def f(self) -> Embedding:
        return Embedding(self.meaning)

    @cached_property
    def pairs(self) -> set[tuple[Bare, Real]]:
        """Every guest and every host state that is f of it under H, by what comes of either."""
        found: set[tuple[Bare, Real]] = set()
        for constants in self.f.constants():
            slots = self.f.fixed(constants)
            at, rest = picked(slots), picked(self.f.apart_from(slots))
            real: dict[tuple[State, State], set[Real]] = defaultdict(set)
            for run in self.runs:
                if self.mode(run.before) == self.host and self.holds(run.before):
                    after = run.after
                    real[run.operands, at(run.before)].add(
                        Real(False, True, ()) if after is None else Real(True, rest(run.before) == rest(after), at(after))
                    )
            bare: dict[tuple[State, State], set[Bare]] = defaultdict(set)
            for run in self.runs:
                mode = self.mode(run.before)
                if mode in self.guest and self.f.where(run.before, constants):
                    after = run.after
                    bare[run.operands, self.f.image(run.before, constants)].add(
                        Bare(mode, False, True, ())
                        if after is None
                        else Bare(mode, True, self.f.comes_back(run.before, after, constants), self.f.image(after, constants))
                    )
            found |= {pair for key, ones in bare.items() for pair in product(ones, real.get(key, ()))}
        return found


def picked(slots: Iterable[int]) -> Callable[[State], State]:
    """These slots of a state."""
    match tuple(slots):
        case ():
            return lambda state: ()
        case (slot,):
            return lambda state: (state[slot],)
        case chosen:
            return itemgetter(*chosen)


def others(toy: Toy, slots: Iterable[int]) -> tuple[int, ...]:
    """All slots but these."""
    left = set(slots)
    return tuple(slot for piece in toy.all_pieces for slot in toy.places(piece) if slot not in left)
