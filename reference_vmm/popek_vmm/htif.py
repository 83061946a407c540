"""The host-target interface of Berkeley's simulators: words that a guest stores at its symbol `tohost`.

An odd payload for device 0 ends the program; an even one is the address of a system call's number and arguments, of which
`write` is done. Device 1 takes characters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from popek_vmm.devices.device import Console, Halt, Memory

WRITE: Final = 64
UNKNOWN: Final = (1 << 64) - 38
"""-ENOSYS."""


@dataclass(frozen=True, slots=True)
class HostTarget:
    """The words' places; `fromhost` may be missing."""

    tohost: int
    fromhost: int | None
    memory: Memory
    console: Console

    def look(self) -> None:
        """Answers what the guest has stored. Raises Halt."""
        word = int.from_bytes(self.memory.fetch(self.tohost, 8), "little")
        if not word:
            return
        device, command, payload = word >> 56, word >> 48 & 0xFF, word & (1 << 48) - 1
        match device, command:
            case 0, 0 if payload & 1:
                raise Halt(payload >> 1)
            case 0, 0:
                self._system_call(payload)
                self._answer(1)
            case 1, 1:
                self.console.write(bytes([payload & 0xFF]))
                self._answer(word & ~0xFFFFFFFFFFFF)
            case _:
                self._answer(word & ~0xFFFFFFFFFFFF)

    def _answer(self, word: int) -> None:
        self.memory.put(self.tohost, bytes(8))
        if self.fromhost is not None:
            self.memory.put(self.fromhost, word.to_bytes(8, "little"))

    def _system_call(self, place: int) -> None:
        """Number and three arguments, 64 bits each; the result takes the number's place."""
        try:
            fields = self.memory.fetch(place, 32)
            number, _, buffer, size = (int.from_bytes(fields[at : at + 8], "little") for at in range(0, 32, 8))
            result = UNKNOWN
            if number == WRITE:
                self.console.write(self.memory.fetch(buffer, size))
                result = size
            self.memory.put(place, result.to_bytes(8, "little"))
        except IndexError:
            raise Halt(1) from None
