"""RISC-V against QEMU: programs that try what the privileged architecture says, in M, S and U, for RV64 and RV32.

The same program runs on the oracle and must find the same.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import riscv_accesses
import riscv_privileged
from riscv_guests import ORIGIN, RESULTS
from riscv_programs import qemu, text, translate

from machines import machine
from popek_grammar.assembly.assemble import Program, assemble
from popek_vmm.oracle import Oracle

MOST_STEPS = 700

PROGRAMS = riscv_privileged.PROGRAMS | riscv_accesses.PROGRAMS
IN_BOTH = ("misaligned", "supervisor", "sum_mxr")
"""Programs to which the width matters: the others run on RV64 alone."""
UNLIKE = {
    "mprv": ({9: 0x20080, 12: 0x20080}, "3.1.6.3: MRET to a lower mode clears MPRV; not before QEMU 8.0"),
    "delegation": ({5: 0, 8: 0, 14: 0, 25: 4}, "3.1.16: mtval of a breakpoint may be zero; 3.1.15: an AMO raises cause 6, not 4"),
    "vectored": ({3: 0, 5: 7}, "mtval, again; 3.1.14: mepc[0] is always zero"),
    "misaligned": ({3: 4}, "3.1.15, again"),
}
"""Places among the results where QEMU 7.2 finds something else, what, and why."""


def words(data: bytes, xlen: int) -> list[int]:
    return [int.from_bytes(data[at : at + xlen // 8], "little") for at in range(0, len(data), xlen // 8)]


def spelled(body: str, xlen: int) -> str:
    """The program, with what depends on the width."""
    wild = "lui a1, 0x600\nlw a0, 4(a1)"
    if xlen == 64:
        wild += "\nli a1, 1\nslli a1, a1, 38\nlw a0, 0(a1)"
        wild += "\nli a1, 1\nslli a1, a1, 56\nadd a1, a1, s0\nlw a0, 0(a1)"
    lines = (line.split("  # ")[0] for line in body.splitlines())
    return text(xlen, "\n".join(lines).replace("TRANSLATE", translate(xlen)).replace("WILD", wild))


@cache
def program(name: str, xlen: int) -> Program:
    return assemble(machine("riscv/riscv.isa", f"rv{xlen}"), spelled(PROGRAMS[name], xlen), ORIGIN)


def found(name: str, xlen: int) -> bytes:
    """What the oracle has stored when the program is done."""
    oracle, made = Oracle(machine("riscv/riscv.isa", f"rv{xlen}")), program(name, xlen)
    oracle.load(made.image()[1], ORIGIN)
    for _ in range(MOST_STEPS):
        if oracle.scalars["pc"] == made.labels["finish"]:
            break
        oracle.step()
    else:
        raise AssertionError(f"still at {oracle.scalars['pc']:#x}")
    first = ORIGIN + RESULTS
    return bytes(oracle.arrays["ram"].get(at, 0) for at in range(first, oracle.arrays["X"][9]))


@pytest.mark.parametrize(("name", "xlen"), [(name, 64) for name in PROGRAMS] + [(name, 32) for name in IN_BOTH])
def test_qemu_agrees(name: str, xlen: int, tmp_path: Path) -> None:
    theirs = words(qemu(bytes(program(name, xlen).image()[1]), tmp_path, xlen, f"rv{xlen},h=false"), xlen)
    ours = words(found(name, xlen), xlen)
    assert len(ours) == len(theirs)
    differ = {number: pair for number, pair in enumerate(zip(ours, theirs, strict=True)) if pair[0] != pair[1]}
    assert {number: value for number, (_, value) in differ.items()} == UNLIKE.get(name, ({}, ""))[0]


@pytest.mark.parametrize("xlen", [64, 32])
def test_a_pointer_at_the_last_level_is_a_page_fault(xlen: int) -> None:
    """10.3.2, step 4."""
    results = words(found("supervisor", xlen), xlen)
    assert results[results.index(0x406008) - 1] == 13
