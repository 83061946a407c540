"""SVM on the oracle against AMD's manual (APM volume 2, chapter 15, appendices B and C): VMRUN, #VMEXIT, each intercept."""

from __future__ import annotations

from contextlib import suppress

import pytest

from machines import machine
from popek_grammar.assembly.assemble import assemble, assemble_line
from popek_grammar.assembly.disassemble import disassemble_word
from popek_vmm.oracle import Oracle, Stopped

VMCB, IOPM, MSRPM, HOST, GUEST, GDT = 0x4000, 0x8000, 0xB000, 0x6000, 0x7000, 0x1000
SAVE = VMCB + 0x400
HOST_CODE, HOST_DATA = 0x08, 0x10
FLAT = {"base": 0, "limit": 0xFFFFFFFF, "DPL": 0, "P": 1}


def get(oracle: Oracle, address: int, size: int = 4) -> int:
    return sum(oracle.arrays["ram"].get(address + byte, 0) << 8 * byte for byte in range(size))


def put(oracle: Oracle, address: int, value: int, size: int = 4) -> None:
    oracle.load(list(value.to_bytes(size, "little")), address)


def code(oracle: Oracle, text: str, origin: int) -> None:
    oracle.load(list(assemble(oracle.machine, text, origin).image()[1]), origin)


def root(guest: str, bits: tuple[int, ...] = (128,), save: tuple[tuple[int, int], ...] = ()) -> Oracle:
    """A root with flat segments and a VMCB ready; EAX points at it. `bits` are intercepts, `save` fields of the save area."""
    oracle = Oracle(machine("x86/svm.isa", "nested"))
    for number, (selector, kind) in enumerate(((HOST_DATA, 3), (HOST_CODE, 0b1011), (HOST_DATA, 3), (HOST_DATA, 3))):
        for name, value in {**FLAT, "sel": selector, "type": kind}.items():
            oracle.arrays[f"seg.{name}"][number] = value
        area = SAVE + 16 * number
        put(oracle, area, 0x20 + selector, 2)
        put(oracle, area + 2, 0xC90 | kind, 2)
        put(oracle, area + 4, 0xFFFFFFFF)
    oracle.scalars |= {"gdtr.base": GDT, "gdtr.limit": 0x17, "idtr.base": 0x2000, "idtr.limit": 0x7FF, "pc": HOST, "eflags.IF": 1}
    put(oracle, GDT + HOST_CODE, 0x00CF9B000000FFFF, 8)
    put(oracle, GDT + HOST_DATA, 0x00CF93000000FFFF, 8)
    oracle.arrays["R"] |= {0: VMCB, 4: 0x5000}
    for bit in bits:
        place = VMCB + bit // 8
        put(oracle, place, get(oracle, place, 1) | 1 << bit % 8, 1)
    put(oracle, VMCB + 0x40, IOPM)
    put(oracle, VMCB + 0x48, MSRPM)
    put(oracle, VMCB + 0x58, 1)
    fields = {0x64: 0x3F, 0x68: 0x3000, 0x84: 0x7F, 0x88: 0x3800, 0x148: 0, 0x158: 0x11, 0x170: 2, 0x178: GUEST, 0x1D8: 0x7F00}
    for field, value in {**fields, 0x1F8: 0x1234, 0x240: 0xCAFE, **dict(save)}.items():
        put(oracle, SAVE + field, value)
    code(oracle, "vmrun\nnop", HOST)
    code(oracle, guest, GUEST)
    return oracle


def test_vmrun_loads_the_guest() -> None:
    """APM 15.5.1: the guest's state from the save area, the global interrupt flag set."""
    oracle = root("nop")
    assert oracle.step().trap is None
    found = oracle.scalars
    assert (found["mode"], found["pc"], found["cpl"], found["gif"]) == (1, GUEST, 0, 1)
    assert (oracle.arrays["R"][0], oracle.arrays["R"][4]) == (0x1234, 0x7F00)
    assert (found["gdtr.base"], found["gdtr.limit"], found["idtr.base"], found["cr2"]) == (0x3000, 0x3F, 0x3800, 0xCAFE)
    assert (oracle.arrays["seg.sel"][1], oracle.arrays["seg.type"][1], found["eflags.IF"]) == (0x28, 0b1011, 0)


def test_a_round_trip() -> None:
    """APM 15.6: #VMEXIT saves the guest, says why, and gives the root back what VMRUN took, at the next instruction."""
    oracle = root("mov ebx, 7\nmov eax, 9\npushfd\ncpuid", bits=(128, 114))
    before = dict(oracle.scalars)
    for _ in range(4):
        assert oracle.step().trap is None
    assert oracle.step().trap == "vmexit"
    assert get(oracle, VMCB + 0x70, 8) == 0x72
    assert (get(oracle, SAVE + 0x178), get(oracle, SAVE + 0x1F8), get(oracle, SAVE + 0x1D8)) == (GUEST + 11, 9, 0x7EFC)
    assert (get(oracle, SAVE + 0x10, 2), get(oracle, SAVE + 0x12, 2) & 0xFF, get(oracle, SAVE + 0xCB, 1)) == (0x28, 0x9B, 0)
    changed = {name for name, value in oracle.scalars.items() if before[name] != value}
    assert {name for name in changed if not name.startswith(("host_", "intercept"))} == {"pc", "gif", "vmcb", "cr2"}
    assert (oracle.scalars["pc"], oracle.scalars["gif"], oracle.scalars["mode"]) == (HOST + 3, 0, 0)
    assert [oracle.arrays["R"][n] for n in (0, 3, 4)] == [VMCB, 7, 0x5000]
    assert [oracle.arrays["seg.sel"][n] for n in range(4)] == [HOST_DATA, HOST_CODE, HOST_DATA, HOST_DATA]
    oracle.scalars["pc"] = HOST  # the guest goes on where it was, with what it had
    assert [oracle.step().trap, oracle.step().trap] == [None, "vmexit"]


@pytest.mark.parametrize(
    "broken",
    [(VMCB + 0x10, 0), (VMCB + 0x58, 0), (SAVE + 0x158, 0x20000011)],
    ids=["no VMRUN intercept", "ASID 0", "NW without CD"],
)
def test_an_invalid_vmcb(broken: tuple[int, int]) -> None:
    """APM 15.5.1: VMEXIT_INVALID, -1, and the root goes on."""
    oracle = root("nop")
    put(oracle, *broken)
    assert oracle.step().trap is None
    assert (get(oracle, VMCB + 0x70, 8), oracle.scalars["mode"], oracle.scalars["pc"]) == (2**64 - 1, 0, HOST + 3)


INTERCEPTS = [
    ("mov eax, cr0", 0, 0x00), ("mov eax, cr2", 2, 0x02), ("mov eax, cr3", 3, 0x03), ("mov eax, cr4", 4, 0x04),
    ("smsw eax", 0, 0x00), ("mov cr0, ecx", 16, 0x10), ("mov cr2, eax", 18, 0x12), ("mov cr3, eax", 19, 0x13),
    ("mov cr4, edx", 20, 0x14), ("lmsw cx", 16, 0x10), ("clts", 16, 0x10),
    *((f"mov eax, dr{n}", 32 + n, 0x20 + n) for n in range(8)), *((f"mov dr{n}, eax", 48 + n, 0x30 + n) for n in range(8)),
    ("sidt [ebx]", 102, 0x66), ("sgdt [ebx]", 103, 0x67), ("sldt eax", 104, 0x68), ("str eax", 105, 0x69),
    ("lidt [ebx]", 106, 0x6A), ("lgdt [ebx]", 107, 0x6B), ("lldt dx", 108, 0x6C), ("ltr dx", 109, 0x6D),
    ("rdtsc", 110, 0x6E), ("rdpmc", 111, 0x6F), ("pushfd", 112, 0x70), ("popfd", 113, 0x71), ("cpuid", 114, 0x72),
    ("iretd", 116, 0x74), ("int 3", 117, 0x75), ("invd", 118, 0x76), ("hlt", 120, 0x78), ("invlpg [ebx]", 121, 0x79),
    ("vmrun", 128, 0x80), ("vmmcall", 129, 0x81), ("stgi", 132, 0x84), ("clgi", 133, 0x85), ("wbinvd", 137, 0x89),
]  # fmt: skip
"""Guest code, the bit of the VMCB's intercept words (APM table B-1), the exit code (APM appendix C)."""


@pytest.mark.parametrize(("text", "bit", "exit_code"), INTERCEPTS, ids=[text for text, _, _ in INTERCEPTS])
def test_an_intercept(text: str, bit: int, exit_code: int) -> None:
    """With its bit an instruction leaves the guest before it does anything; without, it does not leave by that."""
    oracle = root(spelling(text), bits=(128, bit), save=((0x1F8, VMCB),))
    oracle.arrays["R"] |= {1: 1 if text == "rdpmc" else 0x11, 2: 0, 3: 0x7800}
    oracle.step()
    assert oracle.step().trap == "vmexit"
    assert (get(oracle, VMCB + 0x70), get(oracle, SAVE + 0x178), oracle.scalars["mode"]) == (exit_code, GUEST, 0)
    if bit != 128:
        oracle = root(spelling(text), save=((0x1F8, VMCB),))
        oracle.arrays["R"] |= {1: 1 if text == "rdpmc" else 0x11, 2: 0, 3: 0x7800}
        oracle.step()
        with suppress(Stopped):  # an exception of the guest's own finds no IDT here
            assert oracle.step().trap != "vmexit"


def spelling(text: str) -> str:
    """16-bit operands are spelt by their 32-bit registers here."""
    return text.replace(" cx", " ecx").replace(" dx", " edx")


@pytest.mark.parametrize(
    ("text", "port", "info"),
    [
        ("in al, dx", 0x3F8, 0x03F80111),
        ("out dx, eax", 0xC000, 0xC0000140),
        ("in al, 96", 0x60, 0x00600111),
        ("outsd", 0x8000, 0x80000144),
    ],
)
def test_ports(text: str, port: int, info: int) -> None:
    """APM 15.10: IOIO_PROT and the port's bit; EXITINFO1 the port and kind, EXITINFO2 the next RIP."""
    for bit, trap in ((1, "vmexit"), (0, None)):
        oracle = root(text, bits=(128, 123))
        put(oracle, IOPM + (port & 0xC000) // 8, bit, 1)
        oracle.arrays["R"] |= {2: port, 6: 0x100}
        oracle.step()
        length = len(assemble(oracle.machine, text, 0).image()[1])
        assert oracle.step().trap == trap
    assert trap is None
    oracle = root(text, bits=(128, 123))
    put(oracle, IOPM + (port & 0xC000) // 8, 1, 1)
    oracle.arrays["R"] |= {2: port, 6: 0x100}
    oracle.run(2)
    assert [get(oracle, VMCB + at) for at in (0x70, 0x78, 0x80)] == [0x7B, info, GUEST + length]


@pytest.mark.parametrize(
    ("text", "msr", "byte", "bit", "info"),
    [
        ("rdmsr", 0x10, 4, 0, 0),
        ("wrmsr", 0x10, 4, 1, 1),
        ("rdmsr", 0x174, 93, 0, 0),
        ("wrmsr", 0x175, 93, 3, 1),
        ("wrmsr", 0x176, 93, 5, 1),
    ],
)
def test_msrs(text: str, msr: int, byte: int, bit: int, info: int) -> None:
    """APM 15.11: two bits an MSR, read and write; EXITINFO1 is 1 for WRMSR. An MSR that is not there is #GP first."""
    for value, trap in ((1 << bit, "vmexit"), (0xFF & ~(1 << bit), None)):
        oracle = root(text, bits=(128, 124))
        put(oracle, MSRPM + byte, value, 1)
        oracle.arrays["R"][1] = msr
        oracle.step()
        assert oracle.step().trap == trap
        if trap:
            assert [get(oracle, VMCB + at) for at in (0x70, 0x78)] == [0x7C, info]


def test_exceptions_and_interrupts() -> None:
    """APM 15.12, 15.13: an intercepted vector is exit 0x40 + n with its error code; an interrupt 0x60, under the host's IF."""
    oracle = root("ud2", bits=(128, 64 + 6))
    oracle.step()
    assert oracle.step().trap == "invalid_opcode"
    assert (get(oracle, VMCB + 0x70), oracle.scalars["mode"]) == (0x46, 0)
    oracle = root("nop", bits=(128, 96))
    oracle.step()
    oracle.scalars["intr"] = 1
    assert oracle.step().trap == "INTR"
    assert (get(oracle, VMCB + 0x70), get(oracle, SAVE + 0x178), oracle.scalars["mode"]) == (0x60, GUEST, 0)
    assert oracle.step().trap is None  # the global interrupt flag is clear


def test_privilege_comes_before_the_intercept() -> None:
    """APM 15.7: at CPL 3, HLT is #GP and not an exit, and the guest's own."""
    oracle = root("hlt", bits=(128, 120, 64 + 13), save=((0xC8, 3 << 24),))
    oracle.step()
    assert oracle.scalars["cpl"] == 3
    assert oracle.step().trap == "general_protection"
    assert (get(oracle, VMCB + 0x70), get(oracle, SAVE + 0xCB, 1)) == (0x4D, 3)


def test_nested_paging() -> None:
    """APM 15.25: the guest's physical addresses go through nCR3; a missing page is exit 0x400 with the address."""
    oracle = root("mov.l ebx, [0x9000]")
    put(oracle, VMCB + 0x90, 1)
    put(oracle, VMCB + 0xB0, 0x10000)
    put(oracle, 0x10000, 0x11000 | 7)
    for page in range(9):
        put(oracle, 0x11000 + 4 * page, page << 12 | 7)
    put(oracle, 0x11000 + 4 * 9, 0x20000 | 7)
    put(oracle, 0x20000, 0xABCD)
    oracle.run(2)
    assert oracle.arrays["R"][3] == 0xABCD
    put(oracle, 0x11000 + 4 * 9, 0)
    oracle.scalars["pc"] = GUEST
    assert oracle.step().trap == "nested_page_fault"
    assert [get(oracle, VMCB + at) for at in (0x70, 0x78, 0x80)] == [0x400, 4, 0x9000]


@pytest.mark.parametrize(
    ("text", "cells"),
    [("vmrun", "0f01d8"), ("vmmcall", "0f01d9"), ("stgi", "0f01dc"), ("clgi", "0f01dd")],
)
def test_encodings(text: str, cells: str) -> None:
    """APM volume 3: the bytes, and back."""
    made = machine("x86/svm.isa")
    word, width = assemble_line(made, text)
    assert bytes(assemble(made, text, 0).image()[1]) == bytes.fromhex(cells)
    assert disassemble_word(made, word, width) == text
