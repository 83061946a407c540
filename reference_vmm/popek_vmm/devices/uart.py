"""A 16550 serial port on the console (National Semiconductor PC16550D)."""

from __future__ import annotations

from collections import deque
from typing import ClassVar

from popek_vmm.devices.device import Device, Surroundings

DATA, ENABLE, IDENTITY, LINE, MODEM, STATUS, _, SCRATCH = range(8)
RECEIVED, EMPTY = 1, 2
"""Bits of the interrupt enable register: there is a character; the transmitter takes one."""
LATCH = 0x80


class Uart16550(Device):
    """What is written goes out at once; what is typed waits in a queue without an end."""

    outputs: ClassVar = ("irq",)

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self.waiting: deque[int] = deque()
        self.enabled = 0
        self.line = 0
        self.modem = 0
        self.scratch = 0
        self.divisor = 1
        self.fifo = 0
        self.emptied = False

    def read(self, offset: int, cells: int) -> int:
        match offset:
            case 0 if self.line & LATCH:
                return self.divisor & 0xFF
            case 1 if self.line & LATCH:
                return self.divisor >> 8
            case 0:
                return self.waiting.popleft() if self.waiting else 0
            case 1:
                return self.enabled
            case 2:
                return self._identity()
            case 3:
                return self.line
            case 4:
                return self.modem
            case 5:
                return 0x60 | bool(self.waiting)
            case 6:
                return 0xB0
            case 7:
                return self.scratch
        return 0

    def write(self, offset: int, cells: int, value: int) -> None:
        value &= 0xFF
        match offset:
            case 0 if self.line & LATCH:
                self.divisor = self.divisor & 0xFF00 | value
            case 1 if self.line & LATCH:
                self.divisor = self.divisor & 0xFF | value << 8
            case 0:
                self.around.console.write(bytes([value]))
                self.emptied = True
            case 1:
                self.emptied = self.emptied or bool(value & EMPTY & ~self.enabled)
                self.enabled = value & 0xF
            case 2:
                self.fifo = 0xC0 if value & 1 else 0
                if value & 2:
                    self.waiting.clear()
            case 3:
                self.line = value
            case 4:
                self.modem = value & 0x1F
            case 7:
                self.scratch = value

    def _identity(self) -> int:
        """The interrupt that is pending, the highest first; reading it answers `transmitter empty`."""
        if self.enabled & RECEIVED and self.waiting:
            return self.fifo | 4
        if self.enabled & EMPTY and self.emptied:
            self.emptied = False
            return self.fifo | 2
        return self.fifo | 1

    def level(self, pin: str) -> int:
        return int(bool(self.enabled & RECEIVED and self.waiting) or bool(self.enabled & EMPTY and self.emptied))

    def poll(self) -> None:
        self.waiting.extend(self.around.console.read())
