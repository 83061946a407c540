"""The host-target interface: characters, calls and exit codes, from halves of words too, in executables as they are found."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("llvmlite")

from elf_files import executable
from engine_programs import BASE, FILE, booted, fresh, said, shared

from machines import SPEC, machine
from popek.cli import popek
from popek_grammar.assembly.assemble import assemble
from popek_vmm.images.images import elf
from popek_vmm.interpreter import Reason


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


# -- executables -------------------------------------------------------------------------------------------------------

RISCV = 243
TABLE, DATA, LEAF = 0x2000, 0x3000, 0xCF
"""Where the root table and the data lie; a page that may be read, written and executed, and was."""
PREVIOUS = {
    "M": "lui t0, 2\n addi t0, t0, -2048\n csrs mstatus, t0",
    "S": "lui t0, 1\n addi t0, t0, -2048\n csrs mstatus, t0",
    "U": "",
}
"""Sets mstatus.MPP."""

FRAME = """
start:
    j reset
trap_vector:
    csrr t5, mcause
    li t6, 8
    beq t5, t6, write_tohost
    li t6, 9
    beq t5, t6, write_tohost
    li t6, 11
    beq t5, t6, write_tohost
    li gp, 155
write_tohost:
    auipc t5, 1
    addi t5, t5, start - write_tohost
    sw gp, 0(t5)
    sw zero, 4(t5)
    j write_tohost
reset:
    auipc t0, 0
    addi t0, t0, skipped - reset
    csrw mtvec, t0
    csrrwi zero, 0x744, 8
    .align 4
skipped:
    auipc t0, 0
    addi t0, t0, trap_vector - skipped
    csrw mtvec, t0
    auipc s1, 3
    addi s1, s1, start - skipped - 12
    li t0, -1
    csrw pmpaddr0, t0
    li t0, 31
    csrw pmpcfg0, t0
    LOAD t0, 8(s1)
    csrw satp, t0
    csrw mstatus, zero
    PREVIOUS
enter:
    auipc t0, 0
    addi t0, t0, body - enter
    csrw mepc, t0
    csrr a0, mhartid
    mret
body:
    li gp, 2
    lw t1, 0(s1)
    addi t1, t1, 1
    sw t1, 0(s1)
    lw t2, 0(s1)
    bne t1, t2, fail
    li gp, 3
    li t2, 42
    bne t1, t2, fail
    fence 15, 15
    li gp, 1
    ecall
fail:
    fence 15, 15
    slli gp, gp, 1
    addi gp, gp, 1
    ecall
"""
"""What tests of the architecture are commonly framed by: a register that may not be there is skipped, traps lead to M-mode, and
there the number of the test that failed goes to `tohost`, the high half after the low one."""


def framed(xlen: int, mode: str, paged: bool, data: int) -> bytes:
    """An executable that increments a word of memory and is content if it then is 42."""
    text = FRAME.replace("LOAD", "ld" if xlen == 64 else "lw").replace("PREVIOUS", PREVIOUS[mode])
    code = bytearray(bytes(assemble(machine(FILE, f"rv{xlen}"), text, BASE).image()[1]).ljust(0x4000, b"\0"))
    word, root = xlen // 8, (BASE >> 12) + 2
    satp = (8 << 60 if xlen == 64 else 1 << 31) | root if paged else 0
    entry = TABLE + word * (BASE >> (30 if xlen == 64 else 22))
    leaf = (BASE >> 12) << 10 | LEAF | (0x10 if mode == "U" else 0)
    for place, value, size in ((entry, leaf, word), (DATA, data, 4), (DATA + 8, satp, word)):
        code[place : place + size] = value.to_bytes(size, "little")
    return executable(xlen, RISCV, BASE, bytes(code), TOHOST, 0x1000)


CASES = [(xlen, mode, paged) for xlen in (32, 64) for mode in "MSU" for paged in (False, True) if mode != "M" or not paged]


@pytest.mark.parametrize(("xlen", "mode", "paged"), CASES)
@pytest.mark.parametrize(("data", "code"), [(41, 0), (40, 3)])
def test_framed_programs(xlen: int, mode: str, paged: bool, data: int, code: int) -> None:
    """In each mode, with paging and without: the number of the test that failed is the exit code."""
    running = fresh(f"rv{xlen}")
    running.boot(elf(framed(xlen, mode, paged, data), running.machine))
    ended = running.run(10_000)
    assert (ended.reason, ended.code) == (Reason.HALTED, code), ended
    assert running.get("mcause") == {"U": 8, "S": 9, "M": 11}[mode]
    assert running.get("satp.MODE") == (paged and (8 if xlen == 64 else 1))


@pytest.mark.parametrize("xlen", [32, 64])
@pytest.mark.parametrize(("data", "code"), [(41, 0), (40, 3)])
def test_framed_programs_by_command(xlen: int, data: int, code: int, tmp_path: Path) -> None:
    """`popek run`: the exit code is the process's."""
    path = tmp_path / "framed.elf"
    path.write_bytes(framed(xlen, "U", True, data))
    command = ["run", str(SPEC / FILE), str(path), "--config", f"rv{xlen}"]
    result = CliRunner().invoke(popek, command, standalone_mode=False)
    assert result.return_value == code, result.output


@pytest.mark.parametrize(("xlen", "mode", "paged"), CASES)
def test_framed_programs_elsewhere(xlen: int, mode: str, paged: bool, tmp_path: Path) -> None:
    """The same executables on QEMU's machine with a host-target interface."""
    qemu = shutil.which(f"qemu-system-riscv{xlen}")
    if qemu is None:
        pytest.skip(f"no qemu-system-riscv{xlen}")
    for data, code in ((41, 0), (40, 3)):
        path = tmp_path / "framed.elf"
        path.write_bytes(framed(xlen, mode, paged, data))
        command = [qemu, "-machine", "spike", "-bios", "none", "-nographic", "-monitor", "none", "-kernel", str(path)]
        assert subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60).returncode == code
