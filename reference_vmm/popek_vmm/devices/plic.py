"""The platform-level interrupt controller (RISC-V PLIC 1.0): numbered lines in, one line a context out."""

from __future__ import annotations

from typing import ClassVar, Final

from popek_vmm.devices.device import Device, Surroundings

LINES: Final = 64
CONTEXTS: Final = 4
PENDING, ENABLES, CONTEXT, STRIDE, SPACING = 0x1000, 0x2000, 0x200000, 0x1000, 0x80


class Plic(Device):
    """Its lines are levels: one stays pending while it is up and not being served. Priorities are 0 to 7."""

    outputs: ClassVar = tuple(f"context{number}" for number in range(CONTEXTS))

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self.priority = [0] * LINES
        self.enabled = [0] * CONTEXTS
        self.threshold = [0] * CONTEXTS
        self.up = 0
        self.pending = 0
        self.served = 0

    def raised(self, line: int, level: int) -> None:
        bit = 1 << line
        self.up = self.up | bit if level else self.up & ~bit
        self.pending = self.pending | bit & ~self.served if level else self.pending & ~bit

    def read(self, offset: int, cells: int) -> int:
        match self._register(offset):
            case "priority", number:
                return self.priority[number]
            case "pending", number:
                return self.pending >> 32 * number & 0xFFFFFFFF
            case "enable", number:
                return self.enabled[number // 2] >> 32 * (number % 2) & 0xFFFFFFFF
            case "threshold", number:
                return self.threshold[number]
            case "claim", number:
                return self._claim(number)
        return 0

    def write(self, offset: int, cells: int, value: int) -> None:
        match self._register(offset):
            case "priority", number if number:
                self.priority[number] = value & 7
            case "enable", number:
                shift = 32 * (number % 2)
                kept = self.enabled[number // 2] & ~(0xFFFFFFFF << shift)
                self.enabled[number // 2] = (kept | (value & 0xFFFFFFFF) << shift) & ~1
            case "threshold", number:
                self.threshold[number] = value & 7
            case "claim", number if value < LINES and self.enabled[number] >> value & 1:
                self.served &= ~(1 << value)
                self.pending |= self.up & 1 << value

    def _register(self, offset: int) -> tuple[str, int] | None:
        """What lies at an offset: a kind of register, and its number."""
        if offset < 4 * LINES:
            return "priority", offset // 4
        if PENDING <= offset < PENDING + LINES // 8:
            return "pending", (offset - PENDING) // 4
        context, inner = divmod(offset - ENABLES, SPACING)
        if 0 <= context < CONTEXTS and inner < LINES // 8:
            return "enable", 2 * context + inner // 4
        context, inner = divmod(offset - CONTEXT, STRIDE)
        if 0 <= context < CONTEXTS and inner in (0, 4):
            return ("claim" if inner else "threshold"), context
        return None

    def _best(self, context: int) -> int:
        """The line to serve next: the highest priority above the threshold, of equals the lowest number; 0 for none."""
        waiting = self.pending & self.enabled[context]
        above = [line for line in range(1, LINES) if waiting >> line & 1 and self.priority[line] > self.threshold[context]]
        return max(above, key=lambda line: (self.priority[line], -line), default=0)

    def _claim(self, context: int) -> int:
        line = self._best(context)
        if line:
            self.pending &= ~(1 << line)
            self.served |= 1 << line
        return line

    def level(self, pin: str) -> int:
        return int(self._best(int(pin.removeprefix("context"))) != 0)
