"""All devices of a machine and the wires between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from popek_grammar.machine import Region, Wire
from popek_vmm.devices.block import VirtioBlock
from popek_vmm.devices.device import Device, Pin, Surroundings
from popek_vmm.devices.finisher import Finisher
from popek_vmm.devices.plic import Plic
from popek_vmm.devices.timer import Clint
from popek_vmm.devices.uart import Uart16550

KINDS: Final[Mapping[str, Callable[[Surroundings], Device]]] = {
    "uart16550": Uart16550, "finisher": Finisher, "clint": Clint, "plic": Plic, "virtio_block": VirtioBlock,
}  # fmt: skip


class UnknownDevice(Exception):
    """A machine text names a kind of device that there is none of, or wires it wrongly."""


class State(Protocol):
    """The machine's scalars by name."""

    def get(self, name: str, index: int = 0) -> int: ...

    def set(self, name: str, value: int, index: int = 0) -> None: ...


@dataclass(frozen=True, slots=True)
class Placed:
    """A device where it lies."""

    region: Region
    device: Device


class Board:
    """The devices of a machine's regions, by physical address. `settle` carries levels along the wires."""

    def __init__(self, regions: Iterable[Region], state: State, around: Surroundings) -> None:
        self.state = state
        self.placed = [Placed(region, self._made(region, around)) for region in regions if region.device is not None]
        self._named = {each.region.name: each.device for each in self.placed}
        self._driven = [
            (each.device, wire) for each in self.placed for wire in each.region.wires if wire.pin in each.device.outputs
        ]
        self._levels = [0] * len(self._driven)

    def _made(self, region: Region, around: Surroundings) -> Device:
        kind = KINDS.get(region.device or "")
        if kind is None:
            raise UnknownDevice(f"region `{region.name}`: no device is called `{region.device}`; there are {', '.join(KINDS)}")
        made = kind(replace(around, pins={wire.pin: self._pin(wire) for wire in region.wires if wire.line is None}))
        known = (*made.outputs, *made.others)
        for wire in region.wires:
            if wire.pin not in known:
                pins = f"there are {', '.join(known)}" if known else "it has none"
                raise UnknownDevice(f"region `{region.name}`: {region.device} has no pin `{wire.pin}`; {pins}")
        return made

    def _pin(self, wire: Wire) -> Pin:
        return Pin(lambda: self.state.get(wire.target), lambda value: self.state.set(wire.target, value))

    # -- accesses ----------------------------------------------------------------------------------------------------

    def _at(self, place: int) -> Placed | None:
        return next((each for each in self.placed if 0 <= place - each.region.at < each.region.size), None)

    def holds(self, place: int) -> bool:
        return self._at(place) is not None

    def read(self, place: int, cells: int) -> int:
        found = self._at(place)
        return found.device.read(place - found.region.at, cells) & (1 << 8 * cells) - 1 if found is not None else 0

    def write(self, place: int, cells: int, value: int) -> None:
        found = self._at(place)
        if found is not None:
            found.device.write(place - found.region.at, cells, value)

    # -- wires -------------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Carries every output that has changed to where it leads, until none changes."""
        moved = True
        while moved:
            moved = False
            for number, (device, wire) in enumerate(self._driven):
                level = device.level(wire.pin)
                if level != self._levels[number]:
                    self._levels[number] = level
                    self._carry(wire, level)
                    moved = True

    def _carry(self, wire: Wire, level: int) -> None:
        if wire.line is None:
            self.state.set(wire.target, level)
        else:
            self._named[wire.target].raised(wire.line, level)

    def saved(self) -> list[Any]:
        """What every device remembers, and the levels of all wires."""
        return [[each.device.saved() for each in self.placed], list(self._levels)]

    def restored(self, saved: list[Any]) -> None:
        """Takes back what was `saved` of devices of the same regions."""
        for each, one in zip(self.placed, saved[0], strict=True):
            each.device.restored(one)
        self._levels = list(saved[1])

    def due(self) -> int | None:
        """Steps until some output changes by itself."""
        return min((found for each in self.placed if (found := each.device.due()) is not None), default=None)

    def poll(self) -> None:
        """Looks at the world outside, and lets it be felt."""
        for each in self.placed:
            each.device.poll()
        self.settle()
