"""The generated machine: load, step, run, get, set, snapshot, restore. What the VMM and the test targets stand on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING

from popek_grammar import machine as m
from popek_grammar.assembly.decode import decoder_of
from popek_grammar.assembly.words import join_cells, split_cells
from popek_grammar.load import machine_and_key
from popek_vmm.consoles import Stream
from popek_vmm.devices.board import Board
from popek_vmm.devices.device import Console, Disk, Halt, Surroundings
from popek_vmm.engine.build import build
from popek_vmm.engine.core import WINDOW, Core, Stuck
from popek_vmm.engine.layout import Unsupported, memory_region
from popek_vmm.engine.shape import LEFT_BUDGET, LEFT_DECODE, LEFT_DEVICE, LEFT_WATCH
from popek_vmm.images.devicetree import place_devicetree
from popek_vmm.images.htif import HostTarget
from popek_vmm.images.images import BadImage, Image
from popek_vmm.snapshots import pack, unpack
from popek_vmm.steps import Bare, Steps

if TYPE_CHECKING:
    from popek_vmm.engine.slow import Slow


class Reason(Enum):
    """Why a run ended."""

    BUDGET = "budget"  # all steps asked for are done
    HALTED = "halted"  # a device ended the program
    STOPPED = "stopped"  # the machine cannot go on
    LEFT = "left"  # somebody at the console has had enough


@dataclass(frozen=True, slots=True)
class Exit:
    """How a run ended: after how many steps, with which exit code, and a sentence if the machine cannot go on."""

    reason: Reason
    steps: int
    code: int | None = None
    text: str = ""


@dataclass(slots=True)
class Counts:
    """What a run was made of: instructions decoded, and steps that the oracle took."""

    decoded: int = 0
    slow: int = 0
    cached: bool = False


class Machine:
    """A machine that runs programs. Names of state are those of its text. `steps` says what a step is: by default, the text."""

    def __init__(
        self, machine: m.Machine, key: str | None = None, console: Console | None = None, disk: Disk | None = None,
        steps: Steps | None = None,
    ) -> None:  # fmt: skip
        self.steps = steps or Bare(machine)
        self.machine = machine = self.steps.machine
        self.built, cached = build(self.steps, key)
        self.counts = Counts(cached=cached)
        low, cells = memory_region(machine)
        if low % (1 << self.built.shape.page):
            raise Unsupported(f"the memory of {machine.name} starts at {low:#x}, inside a page")
        self.core = Core(machine, self.built, low, cells)
        self.console = console or Stream(sys.stdout.buffer)
        self.disk = disk
        self.devices = self._board()
        self.decoder = decoder_of(machine)
        self.host: HostTarget | None = None
        self.reset()

    @classmethod
    def load(cls, path: str, config: str | None = None, console: Console | None = None, disk: Disk | None = None) -> Machine:
        """The machine that a file describes."""
        return cls(*machine_and_key(path, config), console, disk)

    @cached_property
    def slow(self) -> Slow:
        """The oracle on this machine's state. Most programs need none of its steps."""
        from popek_vmm.engine.slow import Slow

        return Slow(self.core, self.devices, self.steps)

    def _board(self) -> Board:
        """Fresh devices."""
        return Board(self.machine.regions.values(), self.core, Surroundings(self.console, self.disk, self.core))

    def reset(self) -> None:
        """Every scalar to its reset value, as the oracle starts, and fresh devices. Memory stays."""
        self.devices = self._board()
        vars(self).pop("slow", None)  # it holds the devices of before
        for name, scalar in self.machine.scalars.items():
            self.core.set(name, scalar.initial)

    def boot(self, image: Image) -> None:
        """Loads a program and points pc at its start. Raises BadImage when it does not fit."""
        for place, data in image.pieces:
            try:
                self.core.put(place, data)
            except IndexError as error:
                raise BadImage(str(error)) from None
        if image.entry is not None:
            self.set(self.machine.pc, image.entry)
        place_devicetree(self.machine, self.core)
        tohost, fromhost = (image.symbols.get(name) for name in ("tohost", "fromhost"))
        self.host = None
        self.core.watch(0, 0)
        if tohost is not None and self.core.inside(tohost, 8) and self.built.shape.cell_bytes == 1:
            self.host = HostTarget(tohost, fromhost, self.core, self.console)
            self.core.watch(tohost, 8)

    # -- state -------------------------------------------------------------------------------------------------------

    def get(self, name: str, index: int = 0) -> int:
        """A scalar, an element of an array, or a cell of memory."""
        return self.core.cell(index) if name == self.machine.main_memory else self.core.get(name, index)

    def set(self, name: str, value: int, index: int = 0) -> None:
        """Writes a scalar, an element (not one that is always zero) or a cell of memory."""
        if name == self.machine.main_memory:
            return self.core.put_cell(index, value)
        array = self.machine.arrays.get(name)
        if array is None or array.zero_at != index:
            self.core.set(name, value, index)

    def word(self, place: int, cells: int) -> int:
        """Cells of memory as one number, in the memory's order."""
        memory = self.machine.arrays[self.machine.main_memory or ""]
        return join_cells([self.core.cell(place + n) for n in range(cells)], memory.width, memory.big_endian)

    def snapshot(self) -> bytes:
        """All state, that of devices too (a disk's file apart), for a machine of the same text. Decoded code and translations
        are found anew."""
        return pack(self.core, self.devices.saved(), self.host and self.host.saved())

    def restore(self, snapshot: bytes) -> None:
        """Takes a state back. ValueError for a snapshot of another machine or version."""
        devices, host = unpack(self.core, snapshot)
        self.devices.restored(devices)
        if self.host is not None and host is not None:
            self.host.restored(host)

    # -- running -----------------------------------------------------------------------------------------------------

    def step(self) -> Exit:
        """One step: an instruction, with the trap that it raises, or an interrupt."""
        return self.run(1)

    def step_by_oracle(self) -> Exit:
        """The same step, by the oracle on the same state."""
        try:
            self.counts.slow += 1
            self.core.noted.clear()
            self.slow.step()
            self.devices.settle()
            if self.host is not None:
                self.host.passed(1)
                if self.core.noted:
                    self.host.stored(min(self.core.noted), len(self.core.noted))
        except Halt as halt:
            return Exit(Reason.HALTED, 1, halt.code)
        except Stuck as error:
            return Exit(Reason.STOPPED, 0, None, str(error))
        return Exit(Reason.BUDGET, 1)

    def run(self, budget: int) -> Exit:
        """At most `budget` steps. The same start and budgets give the same states, however a run is cut up."""
        left = budget
        try:
            while left > 0:
                room = min([left, *self._due()])
                why, rest = self.core.run(room)
                left -= room - rest
                if self.host is not None:
                    self.host.passed(room - rest)
                if why == LEFT_BUDGET:
                    self.devices.settle()
                elif why == LEFT_DEVICE and self._device_access():
                    left -= 1
                    if self.host is not None:
                        self.host.passed(1)
                elif why == LEFT_WATCH and self.host is not None:
                    self.host.stored(self.core.field("place"), self.core.field("size"))
                elif why != LEFT_DECODE or not self._decode(self.core.field("place")):
                    stepped = self.step_by_oracle()
                    left -= stepped.steps
                    if stepped.reason is not Reason.BUDGET:
                        return Exit(stepped.reason, budget - left, stepped.code, stepped.text)
        except Halt as halt:
            return Exit(Reason.HALTED, budget - left, halt.code)
        return Exit(Reason.BUDGET, budget - left)

    def _due(self) -> Iterator[int]:
        """Steps until something happens that the program does not do."""
        due = (self.devices.due(), None if self.host is None else self.host.due())
        return (steps for steps in due if steps is not None)

    def _device_access(self) -> bool:
        """Carries out the one access of the instruction at pc, to a device; False where there is none, and nothing is done."""
        core, memory = self.core, self.machine.arrays[self.machine.main_memory or ""]
        place, size, stores = core.field("place"), core.field("size"), core.field("store")
        if not self.devices.holds(place) or size > WINDOW:
            return False
        if not stores:
            for number, cell in enumerate(split_cells(self.devices.read(place, size), size * memory.width, memory.width, False)):
                core.put_window(number, cell)
        if not core.run_through_window():
            return False
        if stores:
            cells = [core.get_window(number) for number in range(size)]
            self.devices.write(place, size, join_cells(cells, memory.width, False))
        self.devices.settle()
        return True

    def _decode(self, place: int) -> bool:
        """Decodes the instruction at a place in memory; False where the oracle has to look."""
        parcel = self.built.shape.parcel_cells
        memory = self.machine.arrays[self.machine.main_memory or ""]
        if not self.core.inside(place, parcel):
            return False

        def read(number: int) -> int:
            at = place + number * parcel
            cells = [self.core.cell(at + n) for n in range(parcel)]
            return join_cells(cells, memory.width, self.machine.order != "little")

        found = self.decoder.decode_cells(read)
        if found is None or not self.core.enter(place, found):
            return False
        self.counts.decoded += 1
        return True
