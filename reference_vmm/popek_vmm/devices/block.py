"""A disk: the block device of virtio 1.2 (5.2) over its memory-mapped registers (4.2.2), on a file of the host."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar, Final

from popek_vmm.devices.device import Device, Surroundings, part, replaced

MAGIC: Final = 0x74726976
BLOCK: Final = 512
QUEUE_MOST: Final = 256
VERSION_1, READ_ONLY, FLUSH = 1 << 32, 1 << 5, 1 << 9
"""Features: the device of version 1 (6), a disk that takes no writes, and one that can be flushed (5.2.3)."""
NEEDS_RESET: Final = 64
NEXT, DEVICE_WRITES = 1, 2
"""Flags of a descriptor (2.7.5)."""
OK, FAILED, UNSUPPORTED = 0, 1, 2


class BadQueue(Exception):
    """The driver's queue makes no sense; the device asks for a reset."""


@dataclass(frozen=True, slots=True)
class Buffer:
    """One descriptor: where in guest memory, how long, and whether the device writes it."""

    place: int
    size: int
    written: bool


class VirtioBlock(Device):
    """One queue. Requests are done at once, while the driver's notification is being written."""

    outputs: ClassVar = ("irq",)

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self._reset()

    def _reset(self) -> None:
        self.status = self.pending = self.selected = self.wanted = self.accepted = 0
        self.queue_size = self.ready = self.seen = 0
        self.rings = {"descriptors": 0, "driver": 0, "device": 0}

    @property
    def features(self) -> int:
        disk = self.around.disk
        return VERSION_1 | FLUSH | (0 if disk is None or disk.writable else READ_ONLY)

    # -- registers ---------------------------------------------------------------------------------------------------

    def read(self, offset: int, cells: int) -> int:
        disk = self.around.disk
        if offset >= 0x100:
            return part(disk.blocks if disk is not None else 0, offset, cells) if offset < 0x108 else 0
        values = {
            0x00: MAGIC, 0x04: 2, 0x08: 2 if disk is not None else 0, 0x0C: 0x4B504F50,
            0x10: self.features >> 32 * min(self.selected, 2) & 0xFFFFFFFF, 0x34: QUEUE_MOST, 0x44: self.ready,
            0x60: self.pending, 0x70: self.status,
        }  # fmt: skip
        return values.get(offset, 0)

    def write(self, offset: int, cells: int, value: int) -> None:
        match offset:
            case 0x14:
                self.selected = value
            case 0x24:
                self.wanted = value
            case 0x20 if self.wanted < 2:
                self.accepted = replaced(self.accepted, 4 * self.wanted, 4, value)
            case 0x38:
                self.queue_size = value
            case 0x44:
                self.ready = value & 1
            case 0x50 if self.ready and not self.status & NEEDS_RESET:
                self._notified()
            case 0x64:
                self.pending &= ~value
            case 0x70:
                self._set_status(value & 0xFF)
            case 0x80 | 0x84:
                self._place("descriptors", offset, value)
            case 0x90 | 0x94:
                self._place("driver", offset, value)
            case 0xA0 | 0xA4:
                self._place("device", offset, value)

    def _place(self, ring: str, offset: int, value: int) -> None:
        self.rings[ring] = replaced(self.rings[ring], offset, 4, value)

    def _set_status(self, value: int) -> None:
        if value == 0:
            return self._reset()
        refused = value & 8 and self.accepted & ~self.features
        self.status = value & ~8 if refused else value

    def level(self, pin: str) -> int:
        return int(self.pending != 0)

    # -- the queue ---------------------------------------------------------------------------------------------------

    def _notified(self) -> None:
        try:
            if not 0 < self.queue_size <= QUEUE_MOST or self.queue_size & self.queue_size - 1:
                raise BadQueue
            (last,) = self._numbers("<H", self.rings["driver"] + 2)
            while self.seen != last:
                slot = self.rings["driver"] + 4 + 2 * (self.seen % self.queue_size)
                (head,) = self._numbers("<H", slot)
                self._used(head, self._request(self._chain(head)))
        except (BadQueue, IndexError):
            self.status |= NEEDS_RESET
            self.pending |= 2

    def _chain(self, head: int) -> list[Buffer]:
        found: list[Buffer] = []
        at, more = head, True
        while more:
            if at >= self.queue_size or len(found) == self.queue_size:
                raise BadQueue
            place, size, flags, following = self._numbers("<QIHH", self.rings["descriptors"] + 16 * at)
            found.append(Buffer(place, size, bool(flags & DEVICE_WRITES)))
            at, more = following, bool(flags & NEXT)
        return found

    def _used(self, head: int, length: int) -> None:
        """Hands a chain back (2.7.8)."""
        ring = self.rings["device"]
        self.around.memory.put(ring + 4 + 8 * (self.seen % self.queue_size), struct.pack("<II", head, length))
        self.seen = self.seen + 1 & 0xFFFF
        self.around.memory.put(ring + 2, struct.pack("<H", self.seen))
        self.pending |= 1

    def _numbers(self, layout: str, place: int) -> tuple[int, ...]:
        return struct.unpack(layout, self.around.memory.fetch(place, struct.calcsize(layout)))

    # -- requests (5.2.6) ----------------------------------------------------------------------------------------------

    def _request(self, chain: list[Buffer]) -> int:
        """Carries one out; the bytes that were written to guest memory."""
        if len(chain) < 2 or chain[0].written or chain[0].size < 16 or not chain[-1].written:
            raise BadQueue
        kind, _, block = self._numbers("<IIQ", chain[0].place)
        middle = chain[1:-1]
        try:
            done, written = self._carried_out(kind, block, middle)
        except OSError:
            done, written = FAILED, 0
        self.around.memory.put(chain[-1].place, bytes([done]))
        return written + 1

    def _carried_out(self, kind: int, block: int, middle: list[Buffer]) -> tuple[int, int]:
        disk, size = self.around.disk, sum(each.size for each in middle)
        if disk is None:
            return FAILED, 0
        match kind:
            case 0 | 1 if size % BLOCK or block + size // BLOCK > disk.blocks:
                return FAILED, 0
            case 0:
                self._scatter(disk.read(block, size // BLOCK), middle)
                return OK, size
            case 1 if disk.writable:
                disk.write(block, b"".join(self.around.memory.fetch(each.place, each.size) for each in middle))
                return OK, 0
            case 1:
                return FAILED, 0
            case 4:
                disk.flush()
                return OK, 0
            case 8:
                name = b"popek".ljust(20, b"\0")[:size]
                self._scatter(name, middle)
                return OK, len(name)
        return UNSUPPORTED, 0

    def _scatter(self, data: bytes, into: list[Buffer]) -> None:
        for each in into:
            if not each.written:
                raise BadQueue
            piece, data = data[: each.size], data[each.size :]
            self.around.memory.put(each.place, piece)
