"""Where a guest's characters go to and come from: a stream, or the terminal that somebody sits at."""

from __future__ import annotations

import contextlib
import os
import select
import sys
from collections.abc import Iterator
from typing import BinaryIO, Final

PREFIX: Final = 1
"""Ctrl-A; then X leaves, and Ctrl-A is itself."""


class Left(Exception):
    """Somebody at the terminal has had enough."""


class Stream:
    """Output only."""

    def __init__(self, output: BinaryIO) -> None:
        self.output = output

    def read(self) -> bytes:
        return b""

    def write(self, data: bytes) -> None:
        self.output.write(data)
        self.output.flush()


class Keyboard(Stream):
    """Standard input too: a terminal's keys as they are pressed, or what a pipe holds. `read` may raise Left."""

    def __init__(self, source: int, output: BinaryIO) -> None:
        super().__init__(output)
        self.source = source
        self.prefixed = False
        self.ended = False

    def read(self) -> bytes:
        found = bytearray()
        while not self.ended and select.select([self.source], [], [], 0)[0]:
            data = os.read(self.source, 4096)
            self.ended = not data
            found += self._without_prefixes(data)
        return bytes(found)

    def _without_prefixes(self, data: bytes) -> bytes:
        kept = bytearray()
        for byte in data:
            if self.prefixed and byte in b"xX":
                raise Left
            if self.prefixed or byte != PREFIX:
                kept.append(byte)
            self.prefixed = not self.prefixed and byte == PREFIX
        return bytes(kept)


@contextlib.contextmanager
def keyboard() -> Iterator[Keyboard]:
    """Standard input, key by key and without echo if it is a terminal, which is as before afterwards whatever happens."""
    source = sys.stdin.fileno()
    made = Keyboard(source, sys.stdout.buffer)
    if not os.isatty(source):
        yield made
        return
    import termios
    import tty

    before = termios.tcgetattr(source)
    try:
        tty.setcbreak(source)
        yield made
    finally:
        termios.tcsetattr(source, termios.TCSADRAIN, before)
