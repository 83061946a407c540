"""Memory that generated code works in: mapped from the host, never from the guest's own words."""

from __future__ import annotations

import ctypes
import mmap
import os
import weakref
from functools import cache
from itertools import count
from typing import Any, Final

NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)
NO_ACCESS = 0
"""PROT_NONE, which the mmap module does not name."""

GUARD: Final = 1 << 20
"""Bytes before and behind that cannot be touched. They cost addresses, not memory."""
ALIGNMENT: Final = 64
"""Sizes are rounded up to this many bytes, so that blocks start aligned and yet end at a guard."""

_far = count(0x1000_0000_0000, 1 << 36)
"""Where blocks are asked for: far from all else, since linked code must lie within 2 GiB of its constants, and the host
scatters it when large blocks stand in between."""


class Block:
    """Zeroed bytes at a fixed host address, taken from the host only where they are touched.

    An access in the GUARD bytes behind the block or before its first host page is a SIGSEGV. `slack` are the bytes of that
    page before the block: nothing writes them. Raises OSError where the host gives no such memory.
    """

    def __init__(self, size: int) -> None:
        self.size = -(-max(size, 1) // ALIGNMENT) * ALIGNMENT
        room = -(-self.size // mmap.PAGESIZE) * mmap.PAGESIZE
        whole = GUARD + room + GUARD
        first = _mapped(next(_far), whole)
        self._unmapped = weakref.finalize(self, _unmap, first, whole)
        _forbid(first, GUARD)
        _forbid(first + GUARD + room, GUARD)
        self.address = first + GUARD + room - self.size
        self.slack = _view(first + GUARD, room - self.size)
        self.bytes = _view(self.address, self.size)

    def number(self, offset: int, size: int) -> int:
        return int.from_bytes(self.bytes[offset : offset + size], "little")

    def put(self, offset: int, size: int, value: int) -> None:
        self.bytes[offset : offset + size] = value.to_bytes(size, "little")


@cache
def _host() -> Any:
    host = ctypes.CDLL(None, use_errno=True)
    host.mmap.restype = ctypes.c_void_p
    host.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
    host.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    host.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return host


def _mapped(near: int, size: int) -> int:
    """Fresh pages, at an address if it is free."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NORESERVE
    found: int | None = _host().mmap(near, size, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)
    if found is None or found == ctypes.c_void_p(-1).value:
        raise _failed()
    return found


def _unmap(first: int, size: int) -> None:
    _host().munmap(first, size)


def _forbid(address: int, size: int) -> None:
    """Makes whole host pages inaccessible."""
    if _host().mprotect(address, size, NO_ACCESS):
        raise _failed()


def _failed() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def _view(address: int, size: int) -> memoryview:
    return memoryview((ctypes.c_ubyte * size).from_address(address)).cast("B")
