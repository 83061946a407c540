"""What an instruction changes is felt by the next one: rights, tables, modes and interrupts, without a look from outside.

Each program runs in one go: a write by the host would empty the TLB, and hide that generated code does not.
"""

from __future__ import annotations

import pytest

pytest.importorskip("llvmlite")

from engine_programs import BASE, HANDLER, booted
from engine_starts import put

from popek_vmm.interpreter import Exit, Reason

ROOT, NEW = BASE + 0x10000, 0x60
"""The root table; where in the data its new entry lies."""


def at_once(text: str, steps: int, words: dict[int, int] | None = None, handler: str = "j .") -> list[int]:
    """Registers a0 to a7 after so many steps."""
    running = booted(text, handler)
    for place, value in (words or {}).items():
        put(running, place, value, 64)
    for place in (*range(BASE, BASE + 0x100, 2), *range(HANDLER, HANDLER + 0x20, 2)):
        running._decode(place)  # else the first look at an instruction is the host's, who empties the TLB
    assert running.run(steps) == Exit(Reason.BUDGET, steps)
    return [running.get("X", number) for number in range(10, 18)]


HANDLE = "lui t0, 0x80001; slli t0, t0, 32; srli t0, t0, 32; addi t0, t0, -2048; csrw mtvec, t0;"
"""mtvec = HANDLER."""


def test_rights_that_are_taken_away() -> None:
    """A locked entry of the PMP without rights: the load that was good before is not (Priv 3.7.1)."""
    text = f"{HANDLE} auipc s0, 1; srli t1, s0, 2; ori t1, t1, 511; csrw pmpaddr0, t1; ld a0, 0(s0); addi t2, zero, 0x98"
    text += "; ld a1, 0(s0); csrw pmpcfg0, t2; ld a2, 0(s0); addi a3, zero, 1"
    assert at_once(text, 16, handler="csrr a4, mcause\nj .")[3:5] == [0, 5]


def test_an_acting_mode_that_changes() -> None:
    """MPRV makes the next load the user's, for whom nothing is open (Priv 3.1.6.3)."""
    text = f"{HANDLE} auipc s0, 1; ld a0, 0(s0); lui t1, 0x20; csrs mstatus, t1; ld a2, 0(s0); addi a3, zero, 1"
    assert at_once(text, 14, handler="csrr a4, mcause\nj .")[3:5] == [0, 5]


def test_a_mode_that_is_entered() -> None:
    """MRET to the instruction behind it, for whose mode nothing is open: it is not fetched (Priv 3.7.1)."""
    text = f"{HANDLE} from:; auipc s0, 0; addi s0, s0, on - from; csrw mepc, s0; mret; on:; addi a3, zero, 1; j ."
    assert at_once(text, 14, handler="csrr a4, mcause\nj .")[3:5] == [0, 1]


def test_an_interrupt_that_is_enabled() -> None:
    """Pending where MIE is set, it is taken before the instruction after the one that enables it (Priv 3.1.9)."""
    text = f"{HANDLE} lui s0, 0x2000; addi t1, zero, 1; sw t1, 0(s0); csrrsi zero, mstatus, 8; addi a0, zero, 1"
    text += "; csrwi mie, 8; addi a0, a0, 1"
    found = at_once(text, 14, handler="csrr a4, mcause\nj .")
    assert (found[0], found[4]) == (1, 1 << 63 | 3)


def test_a_table_that_is_written() -> None:
    """In S under Sv39: a page's entry is stored anew by the program, and the next load goes where it says."""
    low, leaf, data = ROOT + 0x1000, ROOT + 0x2000, ROOT + 0x10000
    text = f"""
        addi t1, zero, -1
        csrw pmpaddr0, t1
        addi t1, zero, 31
        csrw pmpcfg0, t1
        auipc s0, 0x30
        ld t1, -16(s0)
        ld s2, -24(s0)
        csrw satp, t1
        lui t2, 1
        addi t2, t2, -2048
        csrs mstatus, t2
        csrw mepc, zero
        addi t0, zero, 64
        csrw mepc, t0
        lui s0, 0x200
        mret
        .org {BASE + 0x40}
        ld a0, 0(s0)
        ld a1, {NEW}(s0)
        sd a1, 0(s2)
        ld a2, 0(s0)
        j .
    """
    words = {
        ROOT: low >> 2 | 1, low: BASE >> 2 | 0xCF, low + 8: leaf >> 2 | 1, leaf: data >> 2 | 0xC7,
        data: 111, data + NEW: (data + 0x1000) >> 2 | 0xC7, data + 0x1000: 333,
        BASE + 0x30000: 8 << 60 | ROOT >> 12, BASE + 0x2FFF8: leaf - BASE,
    }  # fmt: skip
    found = at_once(text, 20, words)
    assert (found[0], found[2]) == (111, 333)
