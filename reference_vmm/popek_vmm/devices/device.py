"""What a device is: it answers accesses, drives pins, and sees the rest of the machine through one small interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol


class Halt(Exception):
    """A device ends the program, with an exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exit code {code}")
        self.code = code


class Console(Protocol):
    """Where characters come from and go to."""

    def read(self) -> bytes:
        """What was typed since the last time; never waits."""
        ...

    def write(self, data: bytes) -> None: ...


class Disk(Protocol):
    """Blocks of 512 bytes. Raises OSError."""

    blocks: int
    writable: bool

    def read(self, block: int, count: int) -> bytes: ...

    def write(self, block: int, data: bytes) -> None: ...

    def flush(self) -> None: ...


class Memory(Protocol):
    """Guest memory as devices reach it, in bytes. IndexError outside of it."""

    def fetch(self, place: int, size: int) -> bytes: ...

    def put(self, place: int, data: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class Pin:
    """A piece of the machine's state that a device may read and write."""

    get: Callable[[], int]
    set: Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a device of one region is connected to. `pins` are those of its wires that lead to the machine's state."""

    console: Console
    disk: Disk | None
    memory: Memory
    pins: Mapping[str, Pin] = field(default_factory=dict)


class Device:
    """Answers accesses at an offset in its region, in cells. `outputs` are the pins that it drives, `others` its other ones."""

    outputs: ClassVar[tuple[str, ...]] = ()
    others: ClassVar[tuple[str, ...]] = ()

    def __init__(self, around: Surroundings) -> None:
        self.around = around

    def read(self, offset: int, cells: int) -> int:
        return 0

    def write(self, offset: int, cells: int, value: int) -> None:
        """May raise Halt."""

    def level(self, pin: str) -> int:
        """What an output is at now: 0 or 1."""
        return 0

    def raised(self, line: int, level: int) -> None:
        """A numbered input has changed."""

    def due(self) -> int | None:
        """Steps until an output changes by itself; None when only an access can change it."""
        return None

    def poll(self) -> None:
        """Looks at the world outside."""

    def saved(self) -> dict[str, Any]:
        """All that it remembers."""
        return {name: deepcopy(value) for name, value in vars(self).items() if name != "around"}

    def restored(self, saved: Mapping[str, Any]) -> None:
        """Remembers again what was `saved`."""
        vars(self).update(deepcopy(dict(saved)))


def part(value: int, offset: int, cells: int, of: int = 8) -> int:
    """Some cells of a register of `of` bytes, read at an offset in it."""
    return value >> 8 * (offset % of) & (1 << 8 * cells) - 1


def replaced(old: int, offset: int, cells: int, value: int, of: int = 8) -> int:
    """A register of `of` bytes after some cells of it are written."""
    shift, mask = 8 * (offset % of), (1 << 8 * cells) - 1
    return (old & ~(mask << shift) | (value & mask) << shift) & (1 << 8 * of) - 1
