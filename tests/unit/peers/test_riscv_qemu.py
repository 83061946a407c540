"""RISC-V against QEMU: programs that try what the privileged architecture says, in M, S and U, for RV64 and RV32.

The same program runs on the oracle and must find the same.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from riscv_programs import qemu
from riscv_results import IN_BOTH, PROGRAMS, found, program

UNLIKE = {
    "mprv": ({9: 0x20080, 12: 0x20080}, "3.1.6.3: MRET to a lower mode clears MPRV; not before QEMU 8.0"),
    "delegation": ({5: 0, 8: 0, 14: 0, 25: 4}, "3.1.16: mtval of a breakpoint may be zero; 3.1.15: an AMO raises cause 6, not 4"),
    "vectored": ({3: 0, 5: 7}, "mtval, again; 3.1.14: mepc[0] is always zero"),
    "misaligned": ({3: 4}, "3.1.15, again"),
}
"""Places among the results where QEMU 7.2 finds something else, what, and why."""


def words(data: bytes, xlen: int) -> list[int]:
    return [int.from_bytes(data[at : at + xlen // 8], "little") for at in range(0, len(data), xlen // 8)]


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
