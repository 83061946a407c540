"""The classes of docs/theory.md 2 and 3 by their definitions: every state, every operand, every pair that a definition speaks of.

Written from the definitions, over numbers. A run is an instruction with operands from a state; pairs are found by grouping
runs by what the definition says that they share.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property

from enumeration.meaning import State
from enumeration.runs import RESOURCES, Runs, others, picked


class Enumeration(Runs):
    """One instruction, all its runs, and which classes it is in."""

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
