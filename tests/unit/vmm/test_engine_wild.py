"""No program reaches what is not the guest's: random ones run in a process of their own, and the guards around its memory bite.

POPEK_FUZZ is the number of programs a machine.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from machines import SPEC

pytest.importorskip("llvmlite")

import engine_wild

PROGRAMS = int(os.environ.get("POPEK_FUZZ", "5"))
MACHINES = (
    ("riscv/riscv.isa", "rv64"),
    ("mips/mips.isa", "r3000"),
    ("s370/s370.isa", "base"),
    ("pdp10/ka10.isa", "ka10"),
    ("x86/ia32.isa", "base"),
    ("arm/armv7a.isa", "base"),
    ("stack/stack.isa", "default"),
    ("pg1974.isa", "default"),
)


def alone(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A Python of its own, with this package and the tests' own modules in reach."""
    here = Path(engine_wild.__file__).parent
    folders = [*(SPEC.parent / part for part in ("grammar", "checker", "reference_vmm")), here.parent, here]
    path = {"PYTHONPATH": os.pathsep.join(map(str, folders))}
    return subprocess.run([sys.executable, *arguments], env={**os.environ, **path}, capture_output=True, text=True)


@pytest.mark.parametrize(("file", "config"), MACHINES)
def test_random_programs_stay_in_guest_memory(file: str, config: str) -> None:
    """Half are random cells and half valid instructions, with registers at the edges of memory; none does harm."""
    done = alone(engine_wild.__file__, file, config, "0", str(PROGRAMS))
    assert done.returncode == 0, f"{done.returncode} {done.stdout[-500:]} {done.stderr[-2000:]}"
    assert done.stdout.startswith(f"{PROGRAMS} programs, ")


# -- the guards bite ---------------------------------------------------------------------------------------------------

ACCESSES = """
import ctypes, mmap, os
from popek_vmm.engine.block import GUARD, Block

def fate(block, offset, write):
    child = os.fork()
    if not child:
        place = ctypes.c_ubyte.from_address(block.address + offset)
        if write:
            place.value = 1
        else:
            place.value
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

for size in (64, 1 << 16, 100032):
    block, before = Block(size), -size % mmap.PAGESIZE
    for write in (False, True):
        for offset in (size, size + GUARD - 1, -before - 1, -before - GUARD, 0, size - 1):
            print(fate(block, offset, write))
"""


def test_an_access_outside_a_block_dies() -> None:
    """The first byte behind and the last before, to the end of the guards; within, all is well. Reads and writes."""
    done = alone("-c", ACCESSES)
    one = [-signal.SIGSEGV] * 4 + [0] * 2
    assert [int(line) for line in done.stdout.split()] == one * 6, done.stderr


STORE = """
import sys
from engine_starts import assign, put
from engine_states import small
running = small("riscv/riscv.isa", "rv64")
core = running.core
put(running, core.low, 0x00553023, 32)  # sd t0, 0(a0)
running.set("X", core.low + core.cells + int(sys.argv[2]), 10)
core.control("ram_cells", core.cells + int(sys.argv[1]))
assign(running, {"mode": 3, "mstatus.MPRV": 0, "pc": core.low})
print(running.run(1).reason.name, running.counts.slow)
"""


@pytest.mark.parametrize(
    ("more", "offset", "fate"),
    [(0, -8, "BUDGET 0\n"), (0, 0, "STOPPED 1\n"), (1 << 12, 64, -signal.SIGSEGV), (1 << 18, 1 << 17, -signal.SIGSEGV)],
)
def test_generated_code_that_stores_outside_would_be_caught(more: int, offset: int, fate: int | str) -> None:
    """Told that memory is larger than it is, generated code runs into the guard; else it stores, or leaves to the oracle."""
    done = alone("-c", STORE, str(more), str(offset))
    assert fate == (done.stdout if done.returncode == 0 else done.returncode), done.stderr


def test_harm_is_seen() -> None:
    """The look at the state after a program finds what generated code must not have done."""
    running = engine_wild.small("pg1974.isa", "default")
    fixed = {name: running.core.field(name) for name in engine_wild.FIXED}
    running.run(1)
    assert engine_wild.problems(running, fixed) == []
    harms: dict[str, Callable[[], None]] = {
        "zeros": lambda: running.core.control("zeros", 1),
        "bias": lambda: running.core.control("bias", 0),
        "for one instruction": lambda: running.core.control("oneshot", 1),
        "holds": lambda: running.core.memory.put(0, 2, 0xFFFF),
        "before the state": lambda: running.core.state.slack.__setitem__(0, 1),
    }
    for number, (text, harm) in enumerate(harms.items(), 1):
        harm()
        found = engine_wild.problems(running, fixed)
        assert len(found) == number and any(text in each for each in found), (text, found)


def test_stray_entries_are_seen() -> None:
    """A TLB entry for a page that is partly outside guest memory."""
    core = (running := engine_wild.small("riscv/riscv.isa", "rv64")).core
    slot = running.built.shape.layout.slots["%tlb"]
    core.state.put(slot.offset, slot.size * slot.count, (1 << 8 * slot.size * slot.count) - 1)
    for place, wrong in ((core.low, 0), (core.low + core.cells - 4096, 0), (core.low + core.cells - 2048, 1), (0, 1)):
        core.state.put(slot.offset, 16, 5 | (place - (5 << 12)) % (1 << 64) << 64)
        assert len(engine_wild.strays(running)) == wrong
