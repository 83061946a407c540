"""Memory that generated code works in: mapped from the host, never from the guest's own words."""

from __future__ import annotations

import ctypes
import mmap

NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)


class Block:
    """Zeroed bytes at a fixed host address, taken from the host only where they are touched."""

    def __init__(self, size: int) -> None:
        self.size = size
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NORESERVE
        self.bytes = mmap.mmap(-1, max(size, 1), flags)
        self._anchor = ctypes.c_char.from_buffer(self.bytes)
        self.address = ctypes.addressof(self._anchor)

    def number(self, offset: int, size: int) -> int:
        return int.from_bytes(self.bytes[offset : offset + size], "little")

    def put(self, offset: int, size: int, value: int) -> None:
        self.bytes[offset : offset + size] = value.to_bytes(size, "little")
