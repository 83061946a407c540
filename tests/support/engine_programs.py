"""RISC-V programs on the interpreter with the devices around them, for tests: a machine that is started anew for each."""

from __future__ import annotations

import io
from functools import lru_cache

from engine_states import restart

from machines import SPEC, machine
from popek_grammar.assembly.assemble import assemble
from popek_vmm.consoles import Stream
from popek_vmm.images.images import Image
from popek_vmm.interpreter import Machine

FILE, BASE = "riscv/riscv.isa", 0x80000000
HANDLER = 0x80000800
EMPTIED = 1 << 20
"""Bytes of memory that a program finds zero."""


class Typed(Stream):
    """A console on which something is typed before the guest looks."""

    def __init__(self) -> None:
        self.output = io.BytesIO()
        self.typed = b""

    def read(self) -> bytes:
        found, self.typed = self.typed, b""
        return found


@lru_cache(maxsize=2)
def shared(config: str) -> tuple[Machine, Typed]:
    """The one machine of a configuration, and its console."""
    console = Typed()
    return Machine.load(str(SPEC / FILE), config, console), console


def said() -> bytes:
    """What the last program on rv64 has written."""
    return shared("rv64")[1].output.getvalue()


def fresh(config: str = "rv64") -> Machine:
    """The machine as after reset, its memory, arrays and console empty."""
    running, console = shared(config)
    console.output.seek(0)
    console.output.truncate()
    running.core.put(BASE, bytes(EMPTIED))
    restart(running)
    return running


def booted(text: str, handler: str = "", config: str = "rv64", symbols: dict[str, int] | None = None) -> Machine:
    """A fresh machine with a program at the start of memory, the handler of traps at `HANDLER`. `;` ends a line."""
    running = fresh(config)
    pieces = []
    for origin, part in ((BASE, text), (HANDLER, handler)):
        at, cells = assemble(machine(FILE, config), part.replace("; ", "\n"), origin).image()
        pieces.append((at, bytes(cells)))
    running.boot(Image(tuple(pieces), BASE, symbols or {}))
    return running
