"""A machine's state as bytes, with a version."""

from __future__ import annotations

import hashlib
import pickle
import zlib
from typing import Any, Final

from popek_vmm.engine.core import Core

VERSION: Final = 4


def pack(core: Core, *beside: object) -> bytes:
    """Registers and memory, and what else there is."""
    state, memory = bytes(core.state.bytes), zlib.compress(bytes(core.memory.bytes), 1)
    return pickle.dumps((VERSION, _identity(core), state, memory, beside))


def unpack(core: Core, snapshot: bytes) -> tuple[Any, ...]:
    """Puts registers and memory back; what was beside them. ValueError for one of another machine or version."""
    version, identity, *parts = pickle.loads(snapshot)
    if version != VERSION or identity != _identity(core):
        raise ValueError("a snapshot of another machine, or of another version of popek")
    state, memory, beside = parts
    new = zlib.decompress(memory)
    for name in (name for name in core.shape.layout.slots if not name.startswith("%")):
        slot = core.shape.layout.slots[name]
        part = slice(slot.offset, slot.offset + slot.size * slot.count)
        core.state.bytes[part] = state[part]
    if bytes(core.memory.bytes) != new:
        core.memory.bytes[:] = new
        core.forget_all()
    core.control("dirty", 1)
    return tuple(beside)


def _identity(core: Core) -> str:
    return hashlib.blake2b(repr(core.shape.layout).encode(), digest_size=16).hexdigest()
