"""The core-local interruptor: software interrupts and the timer (RISC-V ACLINT 1.0; SiFive's CLINT)."""

from __future__ import annotations

from typing import ClassVar, Final

from popek_vmm.devices.device import Device, Surroundings, part, replaced

MSIP: Final = 0x0
FOREVER: Final = (1 << 64) - 1


class Clint(Device):
    """One hart's registers. Its pin `time` is the machine's clock; `software` and `timer` are interrupt lines."""

    outputs: ClassVar = ("software", "timer")
    others: ClassVar = ("time",)

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self.software = 0
        self.compare = FOREVER

    @property
    def now(self) -> int:
        pin = self.around.pins.get("time")
        return pin.get() if pin is not None else 0

    def read(self, offset: int, cells: int) -> int:
        match offset & ~7:
            case 0x0:
                return self.software if offset == MSIP else 0
            case 0x4000:
                return part(self.compare, offset, cells)
            case 0xBFF8:
                return part(self.now, offset, cells)
        return 0

    def write(self, offset: int, cells: int, value: int) -> None:
        match offset & ~7:
            case 0x0 if offset == MSIP:
                self.software = value & 1
            case 0x4000:
                self.compare = replaced(self.compare, offset, cells, value)
            case 0xBFF8 if "time" in self.around.pins:
                self.around.pins["time"].set(replaced(self.now, offset, cells, value))

    def level(self, pin: str) -> int:
        return self.software if pin == "software" else int(self.now >= self.compare)

    def due(self) -> int | None:
        left = self.compare - self.now
        return left if left > 0 else None
