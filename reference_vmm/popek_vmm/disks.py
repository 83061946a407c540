"""A disk of a guest: a file of the host, in blocks of 512 bytes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

BLOCK: Final = 512


class FileDisk:
    """A last block that is not whole is not there. Raises OSError; a file that cannot be written makes a disk that cannot."""

    def __init__(self, path: Path, read_only: bool = False) -> None:
        self.writable = not read_only and os.access(path, os.W_OK)
        self._file = path.open("r+b" if self.writable else "rb", buffering=0)
        self.blocks = path.stat().st_size // BLOCK

    def read(self, block: int, count: int) -> bytes:
        found = os.pread(self._file.fileno(), count * BLOCK, block * BLOCK)
        return found.ljust(count * BLOCK, b"\0")

    def write(self, block: int, data: bytes) -> None:
        while data:
            done = os.pwrite(self._file.fileno(), data, block * BLOCK)
            block, data = block + done // BLOCK, data[done:]
            if done % BLOCK:
                raise OSError("a block was written in part")

    def flush(self) -> None:
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()
