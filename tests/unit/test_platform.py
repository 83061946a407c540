"""Programs with the devices around them: timers, interrupt controllers, the console, a disk, the host-target interface."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from popek_grammar.diagnostics import SpecError
from popek_grammar.elaborate import elaborate
from popek_grammar.source import load_texts

pytest.importorskip("llvmlite")

from engine_programs import BASE, booted, said, shared

from popek_vmm.consoles import Stream
from popek_vmm.devices.board import Board, UnknownDevice
from popek_vmm.devices.device import Surroundings
from popek_vmm.disks import FileDisk
from popek_vmm.engine.layout import Unsupported
from popek_vmm.interpreter import Exit, Machine, Reason

TIMER = """
  auipc t0, 1
  addi  t0, t0, -2048
  csrrw zero, mtvec, t0
  lui   s0, 0x2004
  lui   t1, 1
  addi  t1, t1, -96
  sd    t1, 0(s0)
  addi  t0, zero, 128
  csrrw zero, mie, t0
  csrrsi zero, mstatus, 8
loop:
  addi  a0, a0, 1
  jal   zero, loop
"""


@pytest.mark.parametrize("cut", [1 << 20, 1, 7, 1000])
def test_the_timer_arrives_at_its_step(cut: int) -> None:
    """4000 steps after reset, however the run is cut up: the clock is the count of steps."""
    running = booted(
        TIMER, "csrrs a1, mcause, zero\n csrrs a2, mip, zero\n csrrs a3, mcycle, zero\n csrrs a4, minstret, zero\n ebreak"
    )
    done = 0
    while done < 4005:
        ended = running.run(min(cut, 4005 - done))
        assert ended.reason is Reason.BUDGET, ended
        done += ended.steps
    assert running.get("X", 11) == 1 << 63 | 7
    assert running.get("X", 12) == 0x80
    assert running.get("X", 13) == 4003  # the entry was step 4000, and two instructions followed
    assert running.get("X", 14) == 4003  # the entry is no instruction; the CSR read before it is one


def test_clocks_are_the_oracles() -> None:
    """The same program step by step by the oracle: the same state, clocks included."""
    states = []
    for by_oracle in (False, True):
        running = booted(
            TIMER.replace("lui   t1, 1", "addi  t1, zero, 160"), "csrrs a3, mcycle, zero\n csrrs a4, minstret, zero\n ebreak"
        )
        for _ in range(90):
            if by_oracle:
                running.step_by_oracle()
            else:
                running.run(1)
        states.append(({n: running.get(n) for n in running.machine.scalars}, [running.get("X", i) for i in range(32)]))
    assert states[0] == states[1]


def test_a_clock_that_is_set() -> None:
    """A write is seen by the next instruction (Priv 3.1.10)."""
    running = booted(
        "addi t0, zero, 100\n csrrw zero, mcycle, t0\n csrrs a0, mcycle, zero\n csrrs a1, mcycle, zero\n"
        "csrrw zero, minstret, t0\n csrrs a2, minstret, zero\n j ."
    )
    running.run(6)
    assert [running.get("X", index) for index in (10, 11, 12)] == [100, 101, 100]


def test_a_snapshot_has_the_devices() -> None:
    """The timer that was set, the character that waits and the lines that are up are there again."""
    running = booted(TIMER, "csrrs a1, mcause, zero\n csrrs a3, mcycle, zero\n ebreak")
    running.run(100)
    shared("rv64")[1].typed = b"k"
    running.devices.poll()
    kept = running.snapshot()
    running.run(5000)
    after = [running.get(name) for name in running.machine.scalars]
    running.reset()
    running.restore(kept)
    assert running.devices.read(0x10000005, 1) & 1
    running.run(5000)
    assert [running.get(name) for name in running.machine.scalars] == after


def test_a_software_interrupt() -> None:
    """A store to MSIP is a pending interrupt at once, and another store ends it."""
    running = booted(
        "auipc t0, 1\n addi t0, t0, -2048\n csrrw zero, mtvec, t0\n csrrwi zero, mie, 8\n csrrsi zero, mstatus, 8\n"
        "lui s0, 0x2000\n addi t1, zero, 1\n sw t1, 0(s0)\n addi a5, zero, 1\n j .",
        "csrrs a0, mcause, zero\n csrrs a1, mip, zero\n csrrs a3, mepc, zero\nsw zero, 0(s0)\n csrrs a2, mip, zero\n j .",
    )
    running.run(40)
    assert (running.get("X", 10), running.get("X", 11), running.get("X", 12)) == (1 << 63 | 3, 8, 0)
    assert (running.get("X", 13), running.get("X", 15)) == (BASE + 32, 0)


def test_a_key_through_the_controller() -> None:
    """What is typed raises the UART's line 10; the handler claims it, reads the character, echoes it and completes."""
    running = booted(
        "auipc t0, 1\n addi t0, t0, -2048\n csrrw zero, mtvec, t0\n"
        "lui s0, 0x10000\n addi t1, zero, 1\n sb t1, 1(s0)\n"  # the UART: an interrupt for each character
        "lui s1, 0xc000\n addi t1, zero, 7\n sw t1, 40(s1)\n"  # priority of line 10
        "lui s2, 0xc002\n addi t1, zero, 1024\n sw t1, 0(s2)\n"  # enabled for context 0
        "lui s3, 0xc200\n sw zero, 0(s3)\n"
        "addi t0, zero, 1\n slli t0, t0, 11\n csrrw zero, mie, t0\n csrrsi zero, mstatus, 8\n j .",
        "lw a0, 4(s3)\n lbu a1, 0(s0)\n sb a1, 0(s0)\n lw a2, 4(s3)\n sw a0, 4(s3)\n csrrs a3, mip, zero\n mret",
    )
    assert running.run(100).reason is Reason.BUDGET
    assert running.get("X", 10) == 0
    shared("rv64")[1].typed = b"k"
    running.devices.poll()
    running.run(100)
    assert [running.get("X", index) for index in (10, 11, 12, 13)] == [10, ord("k"), 0, 0]
    assert said() == b"k"


def test_the_host_target_interface() -> None:
    """A character, a `write`, and the end: two word stores as 32-bit programs make them."""
    symbols = {"tohost": BASE + 0x1000, "fromhost": BASE + 0x1040}
    text = (
        "auipc s0, 1\n lui t0, 0x10100\n slli t0, t0, 28\n addi t0, t0, 65\n sd t0, 0(s0)\n ld a0, 0(s0)\n ld a1, 64(s0)\n"
        "addi t1, s0, 256\n addi t2, zero, 64\n sd t2, 0(t1)\n addi t2, zero, 1\n sd t2, 8(t1)\n addi t2, s0, 512\n"
        "sd t2, 16(t1)\n"
        "addi t2, zero, 2\n sd t2, 24(t1)\n addi t2, zero, 98\n sb t2, 512(s0)\n sb t2, 513(s0)\n sd t1, 0(s0)\n ld a2, 256(s0)\n"
        "addi t0, zero, 15\n sw t0, 0(s0)\n sw zero, 4(s0)\n"
    )
    running = booted(text, symbols=symbols)
    ended = running.run(1000)
    assert (ended.reason, ended.code) == (Reason.HALTED, 7)
    assert said() == b"Abb"
    assert [running.get("X", index) for index in (10, 11, 12)] == [0, 0x0101 << 48, 2]


TOHOST = {"tohost": BASE + 0x1000, "fromhost": BASE + 0x1040}
PUT_A = "auipc s0, 1\n lui t0, 0x1010\n addi t1, zero, 65\n"
"""Registers for a character of 32-bit programs: the word is 0x01010000_00000041, its low half odd."""


@pytest.mark.parametrize("config", ["rv32", "rv64"])
@pytest.mark.parametrize(
    ("stores", "printed", "code"),
    [
        ("sw t1, 0(s0)\n sw t0, 4(s0)", b"A", None),
        ("sw t0, 4(s0)\n sw t1, 0(s0)", b"A", None),
        ("sw t1, 0(s0)\n sw zero, 4(s0)", b"", 32),
        ("sw zero, 4(s0)\n sw t1, 0(s0)", b"", 32),
        ("again: sw t1, 0(s0)\n j again", b"", 32),
        ("sw t1, 0(s0)", b"", 32),
    ],
    ids=["low then high", "high then low", "exit", "exit, high first", "low again and again", "low alone"],
)
@pytest.mark.parametrize("by_oracle", [False, True])
def test_halves_of_a_word(config: str, stores: str, printed: bytes, code: int | None, by_oracle: bool) -> None:
    """A word is what both stores make of it; one that comes alone is taken in the end, the program's loop or not."""
    running = booted(PUT_A + stores + "\n j .", config=config, symbols=TOHOST)
    done, reason, ended = 0, Reason.BUDGET, None
    while reason is Reason.BUDGET and done < 1100:
        ended = running.step_by_oracle() if by_oracle else running.run(700)
        reason, done = ended.reason, done + ended.steps
    assert ended is not None and ended.code == code
    assert shared(config)[1].output.getvalue() == printed


def test_half_a_word_in_a_snapshot() -> None:
    """What waits for its other half still does."""
    running = booted(PUT_A + "sw t1, 0(s0)\n j .", symbols=TOHOST)
    running.run(10)
    kept = running.snapshot()
    first = running.run(5000)
    running.restore(kept)
    assert first == running.run(5000) and first.code == 32


def test_the_exit_call() -> None:
    """Number 93, its code the first argument."""
    text = """
      auipc s0, 1
      addi  t1, s0, 256
      addi  t2, zero, 93
      sd    t2, 0(t1)
      addi  t2, zero, 5
      sd    t2, 8(t1)
      sd    t1, 0(s0)
      j     .
    """
    assert booted(text, symbols=TOHOST).run(1000).code == 5


def test_the_devicetree_is_there() -> None:
    """The address in a1, and a tree of version 17 at it that names the UART."""
    import fdt

    for config in ("rv64", "rv32"):
        running = booted("j .", config=config)
        at = running.get("X", 11)
        size = int.from_bytes(running.core.fetch(at + 4, 4), "big")
        tree = fdt.parse_dtb(running.core.fetch(at, size))
        assert tree.get_property("compatible", "/soc/serial@10000000").value == "ns16550a"


# -- the disk ----------------------------------------------------------------------------------------------------------


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


# -- the text ----------------------------------------------------------------------------------------------------------

SMALL = """
isa t { encoding little parcel 8 }
state { pc : bits(16); tick : bits(64) role env; line : bits(1) role env; ram : mem(16 -> 8) }
instr nop { enc 00000001; do { } }
clock tick
region main at 0 size 0x1000 : ram
region timer at 0x2000 size 0xC000 : io clint { timer -> line, time -> tick }
"""


@pytest.mark.parametrize(
    ("old", "new", "code", "told"),
    [
        ("timer -> line", "timer -> lime", "E0201", "line"),
        ("timer -> line", "timer -> plic 3", "E0438", "plic"),
        ("timer -> line", "timer -> ram[0]", "E0438", "plain"),
        ("clock tick", "clock line", "E0439", "64"),
        ("clock tick", "clock tock", "E0201", "tick"),
        ("at 0x2000", "at 0x800", "E0436", "overlaps"),
        (": io clint", ": io", "E0435", "device"),
        ("size 0xC000", "size 0xFF000", "E0437", "outside"),
        ("clock tick", 'devicetree "x.dts" at pc -> line', "E0434", "constant"),
    ],
)  # fmt: skip
def test_mistakes_in_a_platform(old: str, new: str, code: str, told: str) -> None:
    """Each has its own message."""
    with pytest.raises(SpecError) as raised:
        elaborate(load_texts({"t.isa": SMALL.replace(old, new)}))
    assert [found.code for found in raised.value.diagnostics] == [code]
    assert told in f"{raised.value.diagnostics[0].message} {raised.value.diagnostics[0].help}"


@pytest.mark.parametrize(("old", "new", "told"), [("clint", "clent", "clint"), ("timer ->", "tamer ->", "software")])
def test_devices_that_there_are_none_of(old: str, new: str, told: str) -> None:
    """Kinds and pins are known when a machine is run; the message lists them."""
    made = elaborate(load_texts({"t.isa": SMALL.replace(f"io {old}", f"io {new}").replace(f"{{ {old}", f"{{ {new}")}))
    with pytest.raises(UnknownDevice, match=told):
        Board(made.regions.values(), shared("rv64")[0].core, Surroundings(Stream(io.BytesIO()), None, shared("rv64")[0].core))


def test_memory_that_starts_inside_a_page() -> None:
    """Entries are by pages of memory, and pages are the machine's: such a memory is refused, not run wrongly."""
    made = elaborate(load_texts({"t.isa": SMALL.replace("main at 0 ", "main at 0x10 ")}))
    with pytest.raises(Unsupported, match="inside a page"):
        Machine(made, None, Stream(io.BytesIO()))


def test_another_machine_has_a_timer() -> None:
    """Nothing here is one instruction set's: eight bits, a clock and a line."""
    running = Machine(elaborate(load_texts({"t.isa": SMALL})), None, Stream(io.BytesIO()))
    running.core.put(0, b"\1" * 0x1000)
    running.devices.write(0x2000 + 0x4000, 8, 50)
    assert running.run(49) == Exit(Reason.BUDGET, 49)
    assert (running.get("tick"), running.get("line")) == (49, 0)
    running.run(1)
    assert (running.get("tick"), running.get("line")) == (50, 1)
