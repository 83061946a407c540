"""IA-32 beyond what the emulator checks."""

from __future__ import annotations

import pytest

from machines import machine
from popek_grammar.assembly.assemble import assemble_line
from popek_grammar.assembly.decode import decoder_of
from popek_vmm.oracle import Executed, Oracle

GDT = 0x400
SMALL = 0x00409B0000000FFF
"""A code segment of ring 0, its limit 0xFFF."""


def run(line: str, stack: tuple[int, ...] = (), **scalars: int) -> Executed:
    """One instruction in ring 0, all segments flat, the second entry of the GDT SMALL."""
    made = machine("x86/ia32.isa", "base")
    oracle = Oracle(made)
    oracle.scalars |= {"gdtr.base": GDT, "gdtr.limit": 0x1F, **scalars}
    oracle.load(SMALL.to_bytes(8, "little"), GDT + 8)
    oracle.load(b"".join(cell.to_bytes(4, "little") for cell in stack), 0x800)
    oracle.arrays["R"] = {0: 7, 4: 0x800}
    oracle.arrays["DR"] = {6: 0x66, 7: 0x77}
    for n in range(6):
        for part, value in {"limit": 0xFFFFFFFF, "type": 11 if n == 1 else 3, "P": 1}.items():
            oracle.arrays[f"seg.{part}"][n] = value
    decoded = decoder_of(made).decode(*assemble_line(made, line))
    assert decoded is not None
    return oracle.execute_only(decoded)


@pytest.mark.parametrize(
    ("line", "stack"), [("jmp 8:{:#x}", ()), ("call 8:{:#x}", ()), ("retf", ("at", 8)), ("iretd", ("at", 8, 2))]
)
@pytest.mark.parametrize(("at", "trap"), [(0xFFF, None), (0x1000, "general_protection")])
def test_the_new_eip_lies_within_the_new_segment(line: str, stack: tuple[str | int, ...], at: int, trap: str | None) -> None:
    """SDM 2 JMP, CALL, RET, IRET: else #GP(0), and nothing has happened."""
    did = run(line.format(at), tuple(at if isinstance(cell, str) else cell for cell in stack))
    assert did.trap == trap
    assert did.scalars.get("pc", at) == at


@pytest.mark.parametrize(("de", "expected"), [(0, 0x66), (1, "invalid_opcode")])
def test_dr4_is_dr6_unless_debug_extensions_are_on(de: int, expected: int | str) -> None:
    """SDM 3B 17.2.2."""
    did = run("mov eax, dr4", **{"cr4.DE": de})
    assert (did.trap or did.arrays["R"][0]) == expected
