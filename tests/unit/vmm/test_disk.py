"""The virtio block device: requests, refusals, and queues that make no sense."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

pytest.importorskip("llvmlite")

from engine_programs import BASE, booted

from popek_vmm.disks import FileDisk
from popek_vmm.interpreter import Machine


class Driver:
    """A driver of the virtio block device in the test: queue of 8 at fixed places in guest memory."""

    DESCRIPTORS, AVAILABLE, USED, HEADER, DATA, STATUS = (BASE + 0x10000 + 0x1000 * number for number in range(6))

    def __init__(self, running: Machine) -> None:
        self.running, self.board, self.sent = running, running.devices, 0
        for offset, value in (
            (0x70, 1), (0x70, 3), (0x24, 0), (0x20, 1 << 9), (0x24, 1), (0x20, 1), (0x70, 11), (0x30, 0), (0x38, 8),
            (0x80, self.DESCRIPTORS), (0x90, self.AVAILABLE), (0xA0, self.USED), (0x44, 1), (0x70, 15),
        ):  # fmt: skip
            self.store(offset, value)

    def store(self, offset: int, value: int) -> None:
        self.board.write(0x10001000 + offset, 4, value)
        self.board.settle()

    def load(self, offset: int) -> int:
        return self.board.read(0x10001000 + offset, 4)

    def request(self, kind: int, block: int, data: bytes, from_device: bool) -> tuple[int, bytes]:
        """One request in three descriptors: the status, and the data buffer afterwards."""
        put = self.running.core.put
        put(self.HEADER, kind.to_bytes(4, "little") + bytes(4) + block.to_bytes(8, "little"))
        put(self.DATA, data)
        put(self.STATUS, b"\xff")
        chain = ((self.HEADER, 16, 1, 1), (self.DATA, len(data), 3 if from_device else 1, 2), (self.STATUS, 1, 2, 0))
        for number, (place, size, flags, following) in enumerate(chain):
            entry = place.to_bytes(8, "little") + size.to_bytes(4, "little") + flags.to_bytes(2, "little")
            put(self.DESCRIPTORS + 16 * number, entry + following.to_bytes(2, "little"))
        put(self.AVAILABLE + 4 + 2 * (self.sent % 8), (0).to_bytes(2, "little"))
        self.sent += 1
        put(self.AVAILABLE + 2, self.sent.to_bytes(2, "little"))
        self.store(0x50, 0)
        fetch = self.running.core.fetch
        assert int.from_bytes(fetch(self.USED + 2, 2), "little") == self.sent or self.load(0x70) & 64
        return fetch(self.STATUS, 1)[0], fetch(self.DATA, len(data))


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk"
    path.write_bytes(b"".join(bytes([number]) * 512 for number in range(4)))
    return path


@contextmanager
def with_disk(path: Path, read_only: bool = False) -> Iterator[Machine]:
    running = booted("j .")
    with closing(FileDisk(path, read_only)) as running.disk:
        running.reset()
        yield running
    running.disk = None


def test_blocks_are_read_and_written(disk: Path) -> None:
    """Identity, capacity, a read, a write that is in the file, a flush, and the interrupt line until it is answered."""
    with with_disk(disk) as running:
        driver = Driver(running)
        assert (driver.load(0), driver.load(4), driver.load(8), driver.load(0x100)) == (0x74726976, 2, 2, 4)
        assert driver.request(0, 2, bytes(1024), True) == (0, b"\2" * 512 + b"\3" * 512)
        running.devices.write(0xC000004, 4, 1)
        running.devices.write(0xC002000, 4, 2)
        running.devices.settle()
        assert running.get("mip.MEIP") == 1
        driver.store(0x64, 1)
        assert running.get("mip.MEIP") == 0
        assert driver.request(1, 1, b"w" * 512, False)[0] == 0
        assert driver.request(4, 0, bytes(512), False)[0] == 0
        assert disk.read_bytes()[512:1024] == b"w" * 512
        assert driver.request(8, 0, bytes(20), True) == (0, b"popek".ljust(20, b"\0"))


def test_what_a_disk_refuses(disk: Path) -> None:
    """Beyond its end, half a block, writing what is read-only, an unknown request; nothing in the file changes."""
    before = disk.read_bytes()
    with with_disk(disk, read_only=True) as running:
        driver = Driver(running)
        assert driver.request(0, 4, bytes(512), True)[0] == 1
        assert driver.request(0, 0, bytes(100), True)[0] == 1
        assert driver.request(1, 0, b"w" * 512, False)[0] == 1
        assert driver.request(99, 0, bytes(512), True)[0] == 2
        driver.store(0x14, 0)
        assert driver.load(0x10) & 1 << 5
        assert disk.read_bytes() == before


@pytest.mark.parametrize("damage", ["outside", "loop", "size"])
def test_a_queue_that_makes_no_sense(disk: Path, damage: str) -> None:
    """The device asks for a reset, and does nothing until it has one."""
    with with_disk(disk) as running:
        driver = Driver(running)
        match damage:
            case "outside":
                driver.store(0x80, 0x1000)
            case "loop":
                running.core.put(driver.DESCRIPTORS, bytes(12) + b"\1\0\0\0")
            case "size":
                driver.store(0x38, 3)
        if damage == "loop":
            running.core.put(driver.AVAILABLE + 2, b"\1\0")
            driver.store(0x50, 0)
        else:
            driver.request(0, 0, bytes(512), True)
        assert driver.load(0x70) & 64
        driver.store(0x70, 0)
        assert driver.load(0x70) == 0
