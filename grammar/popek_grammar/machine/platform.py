"""What surrounds the processor: regions, wires, clocks, the device tree."""

from __future__ import annotations

from popek_grammar.machine.types import Span
from popek_grammar.records import record


@record
class Region:
    """A stretch of physical addresses, in cells: memory that programs run from, or a device of a kind."""

    name: str
    at: int
    size: int
    device: str | None
    span: Span
    wires: tuple[Wire, ...] = ()


@record
class Wire:
    """A device's pin and what it is connected to: a scalar, or a numbered line of another region's device."""

    pin: str
    target: str
    line: int | None
    span: Span


CLOCK_MASK = (1 << 64) - 1
"""A clock has 64 bits."""


@record
class Clock:
    """64 bits that advance by one with every step, or with every instruction that completes."""

    name: str
    completed: bool
    span: Span


@record
class Devicetree:
    """The file that describes the platform to guests, beside the machine's own; where it is put; what holds that address."""

    file: str
    at: int
    holder: str
    index: int
    span: Span
