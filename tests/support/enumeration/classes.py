"""The classes of docs/theory.md 2 and 3 by their definitions: every state, every operand, every pair that a definition speaks of.

Written from the definitions, over numbers. A run is an instruction with operands from a state; pairs are found by grouping
runs by what the definition says that they share.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from operator import itemgetter
from typing import NamedTuple

from enumeration.embedding import Embedding
from enumeration.language import Instruction, Meaning, Piece, Raised, State, Toy
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
class Enumeration:
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
        found = []
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
            return [Seen(*run[:3]) for run in self.runs if run.after is not None]
        quiet = (run for run in self.runs if run.raised is None or not run.raised[2])
        return [Seen(run.operands, run.before, self.finished(run)) for run in quiet]

    @cached_property
    def quiet(self) -> list[Seen]:
        """Those of them that keep the resource state."""
        resources = picked(self.slots(*RESOURCES))
        return [run for run in self.seen if resources(run.before) == resources(run.after)]

    # -- the classes -------------------------------------------------------------------------------------------------

    def control(self, modes: Collection[int]) -> bool:
        resources = picked(self.slots(*RESOURCES))
        return any(resources(run.before) != resources(run.after) for run in self.seen if self.mode(run.before) in modes)

    def alike_but_for(self, free: Iterable[int], modes: Collection[int]) -> bool:
        """Two runs from states that differ in `free` slots alone show something else."""
        rest, visible = picked(others(self.toy, free)), picked(self.visible)
        shown: dict[tuple[State, State], State] = {}
        for run in self.quiet:
            if self.mode(run.before) in modes:
                after = visible(run.after)
                if shown.setdefault((run.operands, rest(run.before)), after) != after:
                    return True
        return False

    def by_mode(self) -> bool:
        if self.moved:
            return self.views_show(self.guest, self.guest, self.slots("map", "control", "env", "hidden"), apart=True)
        return self.alike_but_for(self.slots("mode"), self.guest)

    def by_location(self, modes: Collection[int]) -> bool:
        if self.moved:
            shared = self.slots("mode", "control", "env", "hidden")
            within = (self.views_show([mode], [mode], shared) for mode in modes)
            return any(within) or self.outside(modes)
        free = self.slots("map")
        return bool(free) and self.alike_but_for(free, modes)

    def by_setting(self, name: str, modes: Collection[int]) -> bool:
        return self.alike_but_for(self.toy.places(self.toy.by_name[name]), modes)

    def by_settings(self, modes: Collection[int]) -> bool:
        return self.alike_but_for(self.slots("control", "env"), modes)

    def together(self, modes: Collection[int]) -> bool:
        """Mode, place and settings apart at once, one of the two in the real mode."""
        if self.moved:
            return self.views_show(modes, [self.host], self.slots("hidden")) or self.outside(modes)
        rest, visible = picked(self.slots("guest", "hidden")), picked(self.visible)
        here: dict[tuple[State, State], set[State]] = defaultdict(set)
        any_: dict[tuple[State, State], set[State]] = defaultdict(set)
        for run in self.quiet:
            key, after = (run.operands, rest(run.before)), visible(run.after)
            if self.mode(run.before) == self.host:
                here[key].add(after)
            if self.mode(run.before) in modes:
                any_[key].add(after)
        return any(len(found | any_[key]) > 1 for key, found in here.items() if any_[key])

    def leaks(self) -> bool:
        """Hidden state decides whether it completes, which trap it raises, its payload, or other state, after an entry too."""
        hidden, rest = self.slots("hidden"), picked(others(self.toy, self.slots("hidden")))
        if not hidden:
            return False
        shown: dict[tuple[State, State], object] = {}
        for run in self.runs:
            if self.mode(run.before) in self.guest and self.holds(run.before):
                comes = (run.after is None, run.raised, rest(self.finished(run)))
                if shown.setdefault((run.operands, rest(run.before)), comes) != comes:
                    return True
        return False

    # -- memory that is relocated ----------------------------------------------------------------------------------------

    @cached_property
    def moved(self) -> bool:
        """Whether views of memory are compared, each through its own relocation."""
        placement = self.toy.placement
        return self.toy.relocated and placement is not None and placement.memory is not None and self.toy.memory == "translated"

    def view(self, before: State, memory: State) -> tuple[int | None, ...]:
        """The memory of one state as the relocation of another shows it: by address, None where an access faults."""
        ram, slots = self.toy.ram, self.toy.slots
        assert ram is not None
        low, bound, first = before[slots["l"]], before[slots["b"]], slots[ram.name]
        return tuple(
            memory[first + address + low] if address < bound and address + low < ram.count else None
            for address in range(ram.count)
        )

    def views_show(self, ones: Collection[int], twos: Collection[int], shared: tuple[int, ...], apart: bool = False) -> bool:
        """Runs that share `shared`, visible state and bounds, and agree on memory where both view it, show different things.

        With `apart`, their modes differ.
        """
        assert self.toy.ram is not None
        memory = set(self.toy.places(self.toy.ram))
        visible = tuple(slot for slot in self.visible if slot not in memory)
        bound = self.toy.slots["b"]
        rest, plain = picked((*visible, *shared, bound)), picked(visible)
        groups: dict[tuple[State, State], tuple[set[object], set[object]]] = defaultdict(lambda: (set(), set()))
        for run in self.quiet:
            mode = self.mode(run.before)
            shown = self.view(run.before, run.before), plain(run.after), self.view(run.before, run.after), mode if apart else 0
            one, two = groups[run.operands, rest(run.before)]
            if mode in ones:
                one.add(shown)
            if mode in twos:
                two.add(shown)
        return any(_tell(a, b, apart) for one, two in groups.values() for a in one for b in two)

    def outside(self, modes: Collection[int]) -> bool:
        """Memory out of the view changes."""
        ram = self.toy.ram
        assert ram is not None
        for run in self.quiet:
            if self.mode(run.before) not in modes:
                continue
            low, bound = (run.before[self.toy.slots[name]] for name in ("l", "b"))
            for place, slot in enumerate(self.toy.places(ram)):
                if run.before[slot] != run.after[slot] and not low <= place < low + bound:
                    return True
        return False

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

    def privileged(self) -> bool:
        if self.literal:
            return self._privileged_literally()
        some = any(bare.completes and bare.mode in self.above for bare, _ in self.pairs)
        return some and not self.unprivileged()

    def _privileged_literally(self) -> bool:
        """Of states that differ in the mode alone, neither trapping on memory, the one traps in user mode, the other does not."""
        rest = picked(others(self.toy, self.slots("mode")))
        user = {(run.operands, rest(run.before)): run for run in self.runs if self.mode(run.before) == self.host}
        some = False
        for run in self.runs:
            other = user[run.operands, rest(run.before)]
            if self.mode(run.before) not in self.above or not self.holds(other.before):
                continue
            some |= run.after is not None
            quiet = all(one.raised is None or not one.raised[2] for one in (run, other))
            if quiet and (run.after is None or other.after is not None):
                return False
        return some

    def misses_traps(self, modes: Collection[int]) -> bool:
        return any(real.completes and not bare.completes for bare, real in self.pairs if bare.mode in modes)

    def inexact(self, modes: Collection[int]) -> bool:
        """Where the host copy completes, the bare one does not, or the host's state is not f of the guest's and all else kept."""
        return any(
            real.completes and not (bare.completes and bare.told and real.kept and real.image == bare.image)
            for bare, real in self.pairs
            if bare.mode in modes
        )

    # -- answers -----------------------------------------------------------------------------------------------------------

    def at(self, mode: int) -> Enumeration:
        """The same where guest and host are both in `mode`."""
        name = next(name for name, code in self.toy.modes if code == mode)
        made = Alone(self.meaning, self.instruction, self.literal, self.everywhere, self.following, name)
        made.__dict__["runs"] = self.runs
        return made

    def user(self) -> bool:
        here = [self.host]
        if self.literal:
            settings = any(self.by_setting(name, here) for name in self.settings)
            return self.control(here) or self.by_location(here) or settings
        return self.control(here) or self.together(here) or self.misses_traps(here)

    def completes_below(self) -> bool:
        """In a mode under the real one it completes under H and is user sensitive there."""
        return any(there.unprivileged() and there.user() for there in map(self.at, self.below))

    def unprivileged(self) -> bool:
        """The deprivileged run completes somewhere; by the letter, the two do not part as those of a privileged one do."""
        if self.literal:
            return any(
                self.mode(run.before) == self.host and self.holds(run.before) and (run.raised is None or not run.raised[2])
                for run in self.runs
            )
        return any(real.completes for _, real in self.pairs)


@dataclass(frozen=True)
class Alone(Enumeration):
    """An enumeration in which the guest has the one mode `only`, and that is the real one."""

    only: str = ""

    @cached_property
    def host(self) -> int:
        return self.toy.code(self.only)

    @cached_property
    def guest(self) -> list[int]:
        return [self.host]


def _tell(one: tuple, other: tuple, apart: bool) -> bool:  # type: ignore[type-arg]
    """Views agree before where both have them; afterwards what is visible, or a view, differs."""
    before, plain, after, mode = one
    before_too, plain_too, after_too, mode_too = other
    if apart and mode == mode_too:
        return False
    both = [place for place, (a, b) in enumerate(zip(before, before_too, strict=True)) if a is not None and b is not None]
    if any(before[place] != before_too[place] for place in both):
        return False
    return bool(plain != plain_too or any(after[place] != after_too[place] for place in both))


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


def amended(meaning: Meaning, instruction: Instruction) -> dict[str, bool]:
    """Every answer of the amended reading, by the name of the question."""
    it = Enumeration(meaning, instruction)
    below = any(there.inexact(there.guest) for there in map(it.at, it.below))
    answers = {
        "privileged": it.privileged(),
        "control_sensitive": it.control(it.guest),
        "trap_sensitive": it.misses_traps(it.guest),
        "user_sensitive": it.user(),
        "below": it.completes_below(),
        "exact": not (it.inexact(it.guest) or below),
        "exact_user": not (it.inexact([it.host]) or below),
        "leaks": Enumeration(meaning, instruction, following=True).leaks(),
        **_behaviour(it),
        **_escalation(it),
    }
    settings = any(answers[name] for name in answers if name.startswith("config:"))
    alone = answers["mode"] or answers["location"] or settings
    answers["behaviour"] = alone or answers.pop("together")
    answers["sensitive"] = answers["control_sensitive"] or answers["behaviour"] or answers["trap_sensitive"]
    answers["theorem1"] = (answers["sensitive"] and not answers["privileged"]) or answers["below"]
    answers["theorem3"] = (answers["user_sensitive"] and not answers["privileged"]) or answers["below"]
    return answers


def literally(meaning: Meaning, instruction: Instruction) -> dict[str, bool]:
    """Every answer of the reading of 1974."""
    it = Enumeration(meaning, instruction, literal=True)
    answers = {
        "privileged": it.privileged(),
        "control_sensitive": it.control(it.guest),
        "user_sensitive": it.user(),
        "below": it.completes_below(),
        **_behaviour(it),
    }
    del answers["together"], answers["config:*"]
    answers["sensitive"] = any(value for name, value in answers.items() if name not in ("privileged", "user_sensitive", "below"))
    return answers


def under_h(meaning: Meaning, instruction: Instruction) -> dict[str, bool]:
    """The classes where H holds in every copy."""
    it = Enumeration(meaning, instruction, everywhere=True)
    found = {"control_sensitive": it.control(it.guest), "user_sensitive": it.user(), **_behaviour(it)}
    del found["together"]
    return found


def _behaviour(it: Enumeration) -> dict[str, bool]:
    alone = {f"config:{name}": it.by_setting(name, it.guest) for name in it.settings}
    return {
        "mode": it.by_mode(),
        "location": it.by_location(it.guest),
        **alone,
        "config:*": any(alone.values()) or it.by_settings(it.guest),
        "together": it.together(it.guest),
    }


def _escalation(it: Enumeration) -> dict[str, bool]:
    """What a run that completes under H does: raises the mode (beyond the guest's top, from above the real one), writes."""
    rank = {code: place for place, code in enumerate(it.order)}
    real, top = rank[it.host], rank[it.guest[-1]]
    found = dict.fromkeys(("raises_mode", "writes_control", "writes_map"), False)
    written = {"writes_control": picked(it.slots("control")), "writes_map": picked(it.slots("map"))}
    for run in it.runs:
        at = rank[it.mode(run.before)]
        if run.after is None or at > top or not it.holds(run.before):
            continue
        found["raises_mode"] |= rank[it.mode(run.after)] > (at if at <= real else top)
        for name, slots in written.items():
            found[name] |= at <= real and slots(run.before) != slots(run.after)
    return found
