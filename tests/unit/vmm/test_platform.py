"""Programs with the devices around them: timers, interrupt controllers, the console, a disk, the host-target interface."""

from __future__ import annotations

import io

import pytest

from popek_grammar.elaborate import elaborate
from popek_grammar.text.diagnostics import SpecError
from popek_grammar.text.source import load_texts

pytest.importorskip("llvmlite")

from engine_programs import BASE, booted, said, shared

from popek_vmm.consoles import Stream
from popek_vmm.devices.board import Board, UnknownDevice
from popek_vmm.devices.device import Surroundings
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


def test_the_devicetree_is_there() -> None:
    """The address in a1, and a tree of version 17 at it that names the UART."""
    import fdt

    for config in ("rv64", "rv32"):
        running = booted("j .", config=config)
        at = running.get("X", 11)
        size = int.from_bytes(running.core.fetch(at + 4, 4), "big")
        tree = fdt.parse_dtb(running.core.fetch(at, size))
        assert tree.get_property("compatible", "/soc/serial@10000000").value == "ns16550a"


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
