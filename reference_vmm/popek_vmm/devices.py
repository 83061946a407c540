"""Devices behind one small interface, by the kinds that `region ... : io KIND` names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final, Protocol

from popek_grammar.machine import Region


class Halt(Exception):
    """A device ends the program, with an exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exit code {code}")
        self.code = code


class Device(Protocol):
    """Answers accesses at an offset in its region, in cells. May raise Halt."""

    def read(self, offset: int, cells: int) -> int: ...

    def write(self, offset: int, cells: int, value: int) -> None: ...


@dataclass(slots=True)
class Uart16550:
    """The transmitter of a 16550: bytes written go to the console at once, and nothing is ever received."""

    console: BinaryIO
    scratch: int = 0
    control: int = 0

    def read(self, offset: int, cells: int) -> int:
        return {3: self.control, 5: 0x60, 7: self.scratch}.get(offset, 0)  # line status: transmitter empty

    def write(self, offset: int, cells: int, value: int) -> None:
        if offset == 0 and not self.control & 0x80:  # not while the divisor latch is open
            self.console.write(bytes([value & 0xFF]))
            self.console.flush()
        elif offset == 3:
            self.control = value & 0xFF
        elif offset == 7:
            self.scratch = value & 0xFF


@dataclass(slots=True)
class Finisher:
    """The test finisher: 0x5555 passes, 0x3333 fails with the code above it; 0x7777 asks for a reset, which ends too."""

    console: BinaryIO

    def read(self, offset: int, cells: int) -> int:
        return 0

    def write(self, offset: int, cells: int, value: int) -> None:
        match value & 0xFFFF:
            case 0x5555 | 0x7777:
                raise Halt(0)
            case 0x3333:
                raise Halt(value >> 16 & 0xFFFF)


KINDS: Final[Mapping[str, Callable[[BinaryIO], Device]]] = {"uart16550": Uart16550, "finisher": Finisher}


class UnknownDevice(Exception):
    """A machine text names a kind of device that there is none of."""


class Devices:
    """The devices of a machine's regions, by physical address."""

    def __init__(self, regions: Iterable[Region], console: BinaryIO) -> None:
        self.placed: list[tuple[Region, Device]] = []
        for region in regions:
            if region.device is not None:
                if region.device not in KINDS:
                    known = ", ".join(KINDS)
                    raise UnknownDevice(f"region `{region.name}`: no device is called `{region.device}`; there are {known}")
                self.placed.append((region, KINDS[region.device](console)))

    def _at(self, place: int) -> tuple[Region, Device] | None:
        return next(((r, device) for r, device in self.placed if r.at <= place < r.at + r.size), None)

    def holds(self, place: int) -> bool:
        return self._at(place) is not None

    def read(self, place: int, cells: int) -> int:
        found = self._at(place)
        return found[1].read(place - found[0].at, cells) if found is not None else 0

    def write(self, place: int, cells: int, value: int) -> None:
        found = self._at(place)
        if found is not None:
            found[1].write(place - found[0].at, cells, value)
