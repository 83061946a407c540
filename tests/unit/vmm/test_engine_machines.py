"""At least one program on generated code for every machine of the library, against the oracle: loops, loads and stores.

Few of the steps may be the oracle's own: the first in a page, where the machine's text keeps reference bits or has addresses
below the page.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from machines import FILES, SPEC
from popek_grammar.assembly.assemble import assemble
from popek_vmm.oracle import Oracle

pytest.importorskip("llvmlite")

from engine_starts import put
from engine_states import beside_memory, not_too_long

from popek_vmm.consoles import Stream
from popek_vmm.interpreter import Exit, Machine, Reason

MOST_SLOW = 12


@dataclass(frozen=True)
class Loop:
    """A program: where it lies, what is set before, and what is found after so many steps. `name[index]` is an element."""

    file: str
    origin: int
    text: str
    steps: int
    found: Mapping[str, int]
    state: Mapping[str, int] = field(default_factory=dict)
    config: str | None = None
    place: int | None = None
    """Where in memory, if not where it is addressed."""
    words: tuple[tuple[int, int, int], ...] = ()
    """Numbers in memory: place, value, bits."""


RISCV = """
    li a1, 100
    auipc s0, 1
again:
    lw a0, 0(s0)
    add a0, a0, a1
    sw a0, 0(s0)
    addi a1, a1, -1
    bnez a1, again
    j .
"""
FLAT = {
    **{f"seg.{name}[{n}]": value for n in range(6) for name, value in (("limit", 0xFFFFFFFF), ("P", 1), ("type", 3))},
    **{f"seg.sel[{n}]": 16 for n in range(6)},
    "seg.type[1]": 11, "seg.sel[1]": 8,
}  # fmt: skip

X86 = """
    mov ecx, 100
    again: add eax, ecx
    push eax
    pop edx
    dec ecx
    jne again - here
    here: jmp here - there
    there: nop
"""

LOOPS = (
    Loop("riscv/riscv.isa", 0x80000000, RISCV, 503, {"X[10]": 5050, "X[11]": 0}, config="rv64"),
    Loop("riscv/riscv.isa", 0x80000000, RISCV, 503, {"X[10]": 5050, "X[11]": 0}, config="rv32"),
    Loop("riscv/hypervisor.isa", 0x80000000, RISCV, 503, {"X[10]": 5050, "X[11]": 0}),
    Loop("riscv/landing_pads.isa", 0x80000000, RISCV, 503, {"X[10]": 5050, "X[11]": 0}, config="rv64"),
    Loop("pdp10/ka10.isa", 1024, "MOVEI AC1, 100\nagain:\nADDI AC2, 3\nADDM AC2, 2048\nSOJG AC1, again\nhere:\nJRST here", 302,
         {"AC[1]": 0, "AC[2]": 300, "M[2048]": 15150}),
    Loop("m68k/m68000.isa", 0x1000, """
        moveq #99, d0
        lea (0x3000).w, a0
        again: add.w d0, d1
        move.l d1, (a0)
        add.l (a0), d2
        move.w d1, -(a7)
        sub.w (a7)+, d3
        dbf d0, again
        here: bra.s here
        """, 602, {"D[0]": 0xFFFF, "D[1]": 4950, "D[2]": 333300, "D[3]": (-333300) & 0xFFFF}, {"ssp": 0x4000}),
    Loop("s370/s370.isa", 0x200, """
        LA r1, 100(r0, r0)
        SR r2, r2
        again: AR r2, r1
        ST r2, 0xc00(r0, r0)
        A r3, 0xc00(r0, r0)
        BCT r1, again(r0, r0)
        here: B here(r0, r0)
        """, 403, {"R[1]": 0, "R[2]": 5050, "R[3]": 338350 }),
    Loop("mips/mips.isa", 0x80001000, """
        addiu $a0, $zero, 100
        lui $t0, 0x8000
        again: addu $a1, $a1, $a0
        sw $a1, 0x800($t0)
        lw $a2, 0x800($t0)
        addiu $a0, $a0, -1
        bne $a0, $zero, again
        addu $a3, $a3, $a2
        here: j here
        addu $t1, $zero, $zero
        """, 604, {"X[4]": 0, "X[5]": 5050, "X[7]": 338350}, {"npc": 0x80001004, "c0_status.BEV": 0}, place=0x1000),
    Loop("arm/armv7a.isa", 0x1000, """
        mov r1, #100
        mov r4, #240
        again: add r0, r0, r1
        str r0, [r4, #0]
        ldr r2, [r4, #0]
        add r3, r3, r2
        subs r1, r1, #1
        bne again
        here: b here
        """, 603, {"R[0]": 5050, "R[1]": 0, "R[3]": 338350}),
    Loop("x86/ia32.isa", 0x1000, X86, 502, {"R[0]": 5050, "R[1]": 0, "R[2]": 5050}, {**FLAT, "cr0.PE": 1, "R[4]": 0x8000}),
    Loop("x86/svm.isa", 0x1000, X86, 502, {"R[0]": 5050, "R[1]": 0, "R[2]": 5050}, {**FLAT, "cr0.PE": 1, "R[4]": 0x8000}),
    Loop("stack/stack.isa", 0x100, """
        iconst_0
        istore_0
        bipush 100
        istore_1
        again: iload_0
        iload_1
        iadd
        istore_0
        iinc 1, -1
        iload_1
        ifne again
        here: goto here
        """, 705, {"ram[32770]": 5050 >> 8, "ram[32771]": 5050 & 0xFF}),
    Loop("pg1974.isa", 0, "ADD 4, 5\nJMP 0", 200, {"E[4]": 300}, {"E[5]": 3}),
    Loop("abi/abi.isa", 0, "li x1, 7\nagain: getpid x2\nbnz x1, again", 101, {"X[1]": 7}),
)  # fmt: skip


OPEN = {"pmp_cfg": 0x1F, "pmp_addr": (1 << 54) - 1}
GIGAPAGE = 0x80000000 >> 2 | 0xCF


def paged(loop: Loop, state: Mapping[str, int], words: tuple[tuple[int, int, int], ...]) -> Loop:
    """The same program with translation on."""
    return replace(loop, state={**loop.state, **state}, words=words)


BY_NAME = {f"{loop.file} {loop.config or ''}".strip(): loop for loop in LOOPS}
PAGED = (
    paged(BY_NAME["riscv/riscv.isa rv64"], {**OPEN, "mode": 1, "satp.MODE": 8, "satp.PPN": 0x80004},
          ((0x80004010, GIGAPAGE, 64),)),
    paged(BY_NAME["riscv/riscv.isa rv32"], {**OPEN, "mode": 1, "satp.MODE": 1, "satp.PPN": 0x80004},
          ((0x80004800, GIGAPAGE, 32),)),
    paged(BY_NAME["x86/ia32.isa"], {"cr0.PG": 1, "cr3.BASE": 4},
          ((0x4000, 0x8007, 32), *((0x8000 + 4 * n, n << 12 | 0x67, 32) for n in range(16)))),
    paged(BY_NAME["arm/armv7a.isa"], {"sctlr.M": 1, "ttbr0.BASE": 1, "dacr": 0x55555555},
          ((0x4000, 0x8001, 32), *((0x8000 + 4 * n, n << 12 | 0x32, 32) for n in range(16)))),
    paged(replace(BY_NAME["mips/mips.isa"], origin=0x1000, text=BY_NAME["mips/mips.isa"].text.replace("0x8000", "0")),
          {"npc": 0x1004, "mode": 1,
           **{f"tlb.{name}[{n}]": value for n in range(2) for name, value in (("VPN", n), ("PFN", n), ("V", 1), ("D", 1))}}, ()),
    paged(BY_NAME["s370/s370.isa"], {"system.T": 1, "CTL[0]": 0x00800000, "CTL[1]": 0x2000},
          ((0x2000, 0xF0002040, 32), *((0x2040 + 2 * n, n << 4, 16) for n in range(16)))),
)  # fmt: skip


def started(loop: Loop) -> Machine:
    made = Machine.load(str(SPEC / loop.file), loop.config, Stream(io.BytesIO()))
    origin, cells = assemble(made.machine, loop.text, loop.origin).image()
    memory = made.machine.main_memory or ""
    for place, cell in enumerate(cells, origin if loop.place is None else loop.place):
        made.set(memory, cell, place)
    for name, value in loop.state.items():
        plain, index = split(name)
        made.set(plain, value, index)
    for place, value, width in loop.words:
        put(made, place, value, width)
    made.set(made.machine.pc, loop.origin)
    return made


def split(name: str) -> tuple[str, int]:
    """The name and index of `name[index]`."""
    plain, _, index = name.partition("[")
    return plain, int(index.rstrip("]") or 0)


def compared(made: Machine, steps: int) -> Oracle:
    """Runs so many steps on generated code, and as many on an oracle from the same state; all registers must be the same."""
    oracle = Oracle(made.machine)
    for name in oracle.scalars:
        oracle.scalars[name] = made.get(name)
    for array in made.machine.arrays.values():
        first = made.core.low if array.memory else 0
        size = min(array.count if not array.memory else 1 << 16, made.core.cells if array.memory else 1 << 12)
        found = {first + n: made.get(array.name, first + n) for n in range(size)}
        oracle.arrays[array.name] = {index: value for index, value in found.items() if value}
    assert made.run(steps) == Exit(Reason.BUDGET, steps)
    oracle.run(steps)
    assert {name: made.get(name) for name in oracle.scalars} == oracle.scalars
    for array in beside_memory(made.machine):
        got = {n: value for n in range(array.count) if (value := made.get(array.name, n))}
        assert got == {n: value for n, value in oracle.arrays[array.name].items() if value}, array.name
    return oracle


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: f"{loop.file} {loop.config}")
def test_a_program_on_every_machine(loop: Loop) -> None:
    """It finds what it should, all registers are as on the oracle, and the oracle itself was hardly asked."""
    not_too_long(loop.file)
    made = started(loop)
    compared(made, loop.steps)
    assert {name: made.get(*split(name)) for name in loop.found} == dict(loop.found)
    assert made.counts.slow <= MOST_SLOW


@pytest.mark.parametrize("loop", PAGED, ids=lambda loop: f"{loop.file} {loop.config}")
def test_programs_under_translation(loop: Loop) -> None:
    """As before, and through the machine's tables: what a walk finds is kept, for whole pages."""
    made = started(loop)
    compared(made, loop.steps)
    assert {name: made.get(*split(name)) for name in loop.found} == dict(loop.found)
    assert made.counts.slow <= MOST_SLOW


@pytest.mark.parametrize(
    ("access", "code"), [("lw $a1, 2($t0)", 4), ("lh $a1, 1($t0)", 4), ("sw $a1, 1($t0)", 5), ("sh $a1, 3($t0)", 5)]
)
def test_a_misaligned_access_where_an_aligned_one_was(access: str, code: int) -> None:
    """The page's entry in the TLB does not stand for it (Kane 6: address error)."""
    text = f"lui $t0, 0x8000\nlw $a0, 0($t0)\nsw $a0, 4($t0)\n{access}\nhere: j here\naddu $t1, $zero, $zero\n"
    handler = "again: addiu $s0, $s0, 1\nj again\naddu $t1, $zero, $zero"
    loop = Loop("mips/mips.isa", 0x80001000, text, 0, {}, {"npc": 0x80001004, "c0_status.BEV": 0}, place=0x1000)
    made = started(loop)
    for place, cell in enumerate(assemble(made.machine, handler, 0x80000080).image()[1], 0x80):
        made.set("ram", cell, place)
    compared(made, 20)
    assert (made.get("c0_cause.CODE"), made.get("c0_badvaddr")) == (code, 0x80000000 + int(access.split()[2].split("(")[0]))
    assert made.get("X", 16) > 3


def test_no_machine_is_left_out() -> None:
    assert {loop.file for loop in LOOPS} == set(FILES)
