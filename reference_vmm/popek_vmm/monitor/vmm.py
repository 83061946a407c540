"""The hypervisor made from a `.vmm` text: guests beside each other on one host, each with its share of the steps.

The allocator: each guest has memory, devices and a vCPU of its own. The scheduler: by strides, so that each guest's part of
the steps is that of its weight. Which guest runs when depends on nothing but the guests, their weights and the slice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from popek_grammar import machine as m
from popek_grammar.load import machine_and_key
from popek_grammar.meaning import terms as t
from popek_vmm.devices.device import Console, Disk
from popek_vmm.images.images import Image
from popek_vmm.interpreter import Exit, Machine, Reason
from popek_vmm.monitor.hosted import Hosted
from popek_vmm.monitor.places import BY_CAUSE, BY_INSTRUCTION, INTERPRETED, Places

STRIDE = 1 << 16
"""What a step moves a guest of weight 1 on; one of weight w, by a w-th of it."""
ALONE = 1 << 26
"""Steps of a turn when no other guest waits for its own."""


@dataclass(slots=True)
class Guest:
    """A virtual machine: its vCPU with memory and devices, its weight, and how far it has come."""

    name: str
    vcpu: Machine
    weight: int
    passed: int = 0
    steps: int = 0
    slices: int = 0
    ended: Exit | None = None

    @property
    def runs(self) -> bool:
        return self.ended is None

    def boot(self, places: Places, image: Image) -> None:
        """Loads a program; what the host has of the vCPU is then f of its first state."""
        self.vcpu.boot(image)
        oracle = self.vcpu.slow.oracle
        oracle.scalars.update((name, self.vcpu.core.get(name)) for name in oracle.scalars)
        first = places.held(oracle.state())
        for line in places.monitor.placement.held:
            name, index = places.host_place(line)
            if index is None:
                self.vcpu.core.set(name, first.scalars[name].value)
            else:
                at = t.const(index, places.machine.arrays[name].index_width)
                self.vcpu.core.set(name, first.arrays[name].read(at).value, index)

    def turn(self, steps: int) -> None:
        """Has so many steps, if it needs them."""
        ended = self.vcpu.run(steps)
        self.steps += ended.steps
        self.slices += 1
        if ended.reason is not Reason.BUDGET:
            self.ended = ended


@dataclass(frozen=True, slots=True)
class Exits:
    """How often the monitor was entered for a guest: by cause and by instruction emulated; `interpreted` steps beside that."""

    steps: int
    by_cause: Mapping[str, int]
    by_instruction: Mapping[str, int]
    interpreted: int

    @property
    def direct_fraction(self) -> float:
        """The part of the steps in which the monitor had no part (Popek and Goldberg's efficiency)."""
        return 1 - (sum(self.by_cause.values()) + self.interpreted) / self.steps if self.steps else 1.0


@dataclass
class Vmm:
    """A monitor with its guests."""

    places: Places
    key: str | None = None
    guests: list[Guest] = field(default_factory=list)

    @classmethod
    def load(cls, path: str, name: str | None = None) -> Vmm:
        """The monitor that a `.vmm` file describes; the first of several. KeyError for a name that it has not."""
        machine, key = machine_and_key(path, None)
        monitor = machine.monitors[name] if name is not None else next(iter(machine.monitors.values()))
        return cls(Places(machine, monitor), f"{key} monitor {monitor.name}")

    @cached_property
    def steps(self) -> Hosted:
        """What a step of a guest is."""
        return Hosted(self.places)

    @property
    def machine(self) -> m.Machine:
        """The guests' machine, with the state that the monitor has beside theirs."""
        return self.steps.machine

    def add(
        self, image: Image, name: str = "", console: Console | None = None, disk: Disk | None = None, weight: int | None = None
    ) -> Guest:
        """A further guest, with its program. Raises BadImage; nothing is added then."""
        monitor = self.places.monitor
        vcpu = Machine(self.places.bare, self.key, console, disk, self.steps)
        guest = Guest(name or f"guest{len(self.guests)}", vcpu, weight or monitor.weight)
        guest.boot(self.places, image)
        guest.passed = min((each.passed for each in self.guests if each.runs), default=0)
        self.guests.append(guest)
        return guest

    def run(self, steps: int | None = None) -> int:
        """Gives turns until no guest runs any more, or so many steps are done by all together; how many were.

        A guest that runs alone has all its turns at once.
        """
        done = 0
        while (steps is None or done < steps) and (turn := self._next()) is not None:
            before, wanted = turn.steps, self.places.monitor.slice if self._contended else ALONE
            turn.turn(wanted if steps is None else min(wanted, steps - done))
            turn.passed += STRIDE * (turn.steps - before) // turn.weight
            done += turn.steps - before
        return done

    @property
    def _contended(self) -> bool:
        """Whether more than one guest runs."""
        return sum(guest.runs for guest in self.guests) > 1

    def _next(self) -> Guest | None:
        """Whose turn it is: the guest that has come least far, the first of these."""
        return min((guest for guest in self.guests if guest.runs), key=lambda guest: guest.passed, default=None)

    def exits(self, guest: Guest) -> Exits:
        """What the monitor had to do for a guest."""
        bare, vcpu = self.places.bare, guest.vcpu
        causes = {cause.name: vcpu.get(BY_CAUSE, number) for number, cause in enumerate(bare.causes.members)}
        instructions = {name: vcpu.get(BY_INSTRUCTION, number) for number, name in enumerate(bare.instructions)}
        return Exits(guest.steps, _counted(causes), _counted(instructions), vcpu.get(INTERPRETED))


def _counted(counts: Mapping[str, int]) -> dict[str, int]:
    """Those that are not zero, the largest first."""
    return dict(sorted(((name, count) for name, count in counts.items() if count), key=lambda pair: -pair[1]))
