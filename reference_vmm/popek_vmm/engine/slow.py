"""The oracle on the interpreter's state: the steps that generated code leaves to it, and devices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from popek_grammar import machine as m
from popek_grammar.assembly.words import join_cells, split_cells
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.evaluator import Run
from popek_grammar.meaning.memory import Translated, load_cells, main_array, store_cells
from popek_grammar.meaning.terms import Term
from popek_vmm.engine.core import Core, OutsideMemory, Stuck
from popek_vmm.oracle import Oracle, Stepped, Stopped
from popek_vmm.steps import Steps


class Bus(Protocol):
    """Devices by physical address."""

    def holds(self, place: int) -> bool: ...

    def read(self, place: int, cells: int) -> int: ...

    def write(self, place: int, cells: int, value: int) -> None: ...


class Elements(dict[int, int]):
    """An array of the interpreter, as the oracle reads and writes it."""

    def __init__(self, core: Core, array: m.Array) -> None:
        super().__init__()
        self.core, self.array = core, array

    def get(self, index: int, default: int = 0) -> int:  # type: ignore[override]
        return self.core.get(self.array.name, index)

    def update(self, elements: Mapping[int, int]) -> None:  # type: ignore[override]  # the one form that is used
        for index, value in elements.items():
            self.core.set(self.array.name, value, index)


class Cells(Elements):
    """The main memory."""

    def get(self, index: int, default: int = 0) -> int:  # type: ignore[override]
        return self.core.cell(index)

    def update(self, elements: Mapping[int, int]) -> None:  # type: ignore[override]
        for index in elements:
            if not self.core.inside(index):
                raise OutsideMemory(index)
        for index, value in elements.items():
            self.core.put_cell(index, value)


class OnBus(Translated):
    """The machine's own translation, then a device where there is one. A device is written when the step commits."""

    def __init__(self, bus: Bus, core: Core) -> None:
        self.bus, self.core = bus, core
        self.written: list[tuple[int, int, int]] = []

    def load(self, run: Run, address: Term, width: int, kind: str, acting: Term | None) -> Term:
        places = self._places(run, address, width, kind, acting)
        if run.path is t.FALSE:
            return t.const(0, width)
        first = places[0].value
        if not self.bus.holds(first):
            if not self.core.inside(first, len(places)):
                raise OutsideMemory(first)
            return load_cells(run, places)
        memory = main_array(run)
        cells = split_cells(self.bus.read(first, len(places)), width, memory.width, False)
        return t.const(join_cells(cells, memory.width, memory.big_endian), width)

    def store(self, run: Run, address: Term, value: Term, kind: str, acting: Term | None) -> None:
        places = self._places(run, address, value.width, kind, acting)
        if run.path is t.FALSE:
            return
        first, memory = places[0].value, main_array(run)
        if not self.bus.holds(first):
            return store_cells(run, places, value)
        cells = split_cells(value.value, value.width, memory.width, memory.big_endian)
        self.written.append((first, len(places), join_cells(cells, memory.width, False)))


class Slow:
    """Single steps on the same state as the generated code."""

    def __init__(self, core: Core, bus: Bus, steps: Steps) -> None:
        self.core = core
        self.memory = OnBus(bus, core)
        self.oracle = Oracle(core.machine, memory=self.memory, steps=steps)
        memory_name = core.machine.main_memory
        for name, array in core.machine.arrays.items():
            self.oracle.arrays[name] = Cells(core, array) if name == memory_name else Elements(core, array)

    def step(self) -> Stepped:
        """One step of the oracle. Raises Stuck, the state then being that before the step."""
        self.memory.written.clear()
        before = {name: self.core.get(name) for name in self.oracle.scalars}
        self.oracle.scalars.update(before)
        try:
            stepped = self.oracle.step()
        except Stopped as error:
            raise Stuck(str(error)) from None
        for name, value in self.oracle.scalars.items():
            if value != before[name]:
                self.core.set(name, value)
        if stepped.trap is None:
            for place, cells, value in self.memory.written:
                self.memory.bus.write(place, cells, value)
        return stepped
