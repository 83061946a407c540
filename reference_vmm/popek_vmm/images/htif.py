"""The host-target interface of Berkeley's simulators: words that a guest stores at its symbol `tohost`.

An odd payload for device 0 ends the program; an even one is the address of a system call's number and arguments, of which
`write` and `exit` are done. Device 1 takes characters.
"""

from __future__ import annotations

from typing import Final

from popek_vmm.devices.device import Console, Halt, Memory

WRITE: Final = 64
EXIT: Final = 93
UNKNOWN: Final = (1 << 64) - 38
"""-ENOSYS."""
PATIENCE: Final = 1000
"""Steps for which the other half of a word is waited for."""


class HostTarget:
    """The words' places; `fromhost` may be missing.

    A 32-bit program stores a word's halves one after the other, in either order, or the low one alone. So half a word is
    looked at when the other half follows, when it is stored again, or after PATIENCE steps.
    """

    def __init__(self, tohost: int, fromhost: int | None, memory: Memory, console: Console) -> None:
        self.tohost, self.fromhost, self.memory, self.console = tohost, fromhost, memory, console
        self._halves: frozenset[int] = frozenset()
        self._patience = 0

    def stored(self, place: int, size: int) -> None:
        """The program has stored bytes here. Raises Halt."""
        halves = frozenset(at for at in (self.tohost, self.tohost + 4) if place < at + 4 and at < place + size)
        again = halves & self._halves
        self._halves |= halves
        self._patience = PATIENCE
        if again or len(self._halves) == 2:
            self._look()

    def due(self) -> int | None:
        """Steps until half a word is looked at; None while there is none."""
        return self._patience if self._halves else None

    def passed(self, steps: int) -> None:
        """So many steps were made. Raises Halt."""
        self._patience -= steps
        if self._halves and self._patience <= 0:
            self._look()

    def saved(self) -> tuple[frozenset[int], int]:
        """What waits."""
        return self._halves, self._patience

    def restored(self, saved: tuple[frozenset[int], int]) -> None:
        """Takes back what was `saved`."""
        self._halves, self._patience = saved

    def _look(self) -> None:
        """Answers what the guest has stored. Raises Halt."""
        self._halves = frozenset()
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
            number, first, buffer, size = (int.from_bytes(fields[at : at + 8], "little") for at in range(0, 32, 8))
            result = UNKNOWN
            if number == EXIT:
                raise Halt(first)
            if number == WRITE:
                self.console.write(self.memory.fetch(buffer, size))
                result = size
            self.memory.put(place, result.to_bytes(8, "little"))
        except IndexError:
            raise Halt(1) from None
