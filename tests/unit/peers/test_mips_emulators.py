"""MIPS against two emulators: ordinary instructions on random states against Unicorn, the R3000's privileged ones against
GXemul. Both run the words of the machine's own assembler. Where either is not installed its tests are skipped.
"""

from __future__ import annotations

import os
import random
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from mips_boot import TEXT, mips, word

from popek_grammar.assembly.assemble import assemble
from popek_grammar.assembly.decode import Decoder
from popek_vmm.oracle import Oracle

# -- Unicorn: ordinary instructions -----------------------------------------------------------------------------------

CODE, DATA = 0x1000, 0x2000
ROUNDS = 4
BOUNDARIES = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)

ORDINARY = (
    *(f"{op} $t0, $a0, $a1" for op in ("addu", "subu", "and", "or", "xor", "nor", "slt", "sltu", "add", "sub")),
    *(f"{op} $t0, $a0, -1234" for op in ("addiu", "slti", "sltiu", "addi")),
    *(f"{op} $t0, $a0, 0x9abc" for op in ("andi", "ori", "xori")),
    *(f"{op} $t0, $a0, 13" for op in ("sll", "srl", "sra")),
    *(f"{op} $t0, $a0, $a1" for op in ("sllv", "srlv", "srav")),
    *(f"{op} $a0, $a1" for op in ("mult", "multu", "div", "divu")),
    *("lui $t0, 0x1234", "mfhi $t0", "mflo $t0", "mthi $a0", "mtlo $a0", "syscall 0", "break 0", "sync"),
    *(f"{op} $a0, $a1, 0x1100" for op in ("beq", "bne")),
    *(f"{op} $a0, 0x1100" for op in ("blez", "bgtz", "bltz", "bgez", "bltzal", "bgezal")),
    *("j 0x1100", "jal 0x1100", "jr $a2", "jalr $t0, $a2"),
    *(f"{op} $t0, -4($a3)" for op in ("lb", "lbu", "lh", "lhu", "lw", "ll", "sb", "sh", "sw", "sc")),
    *(f"{op} $t0, {offset}($a3)" for op in ("lwl", "lwr", "swl", "swr") for offset in range(4)),
)

TRAPS = {17: "Sys", 18: "Bp", 21: "Ov"}
"""The numbers that Unicorn gives to exceptions."""


@pytest.mark.parametrize("text", ORDINARY)
def test_unicorn_agrees(text: str) -> None:
    """Registers, HI, LO, memory and the program counter after the instruction and its delay slot, on random states.
    Both start at reset: MIPS32 with ERL set, where kuseg is unmapped."""
    rng = random.Random(text)
    made = mips("mips32")
    code = assemble(made, f"{text}\n nop", CODE).image()[1]
    instruction = Decoder(made).decode(int.from_bytes(bytes(code[:4]), "big"), 32)
    assert instruction is not None
    steps = 2 if text.startswith(("b", "j")) and not text.startswith("break") else 1
    for _ in range(ROUNDS):
        registers = [0, *(rng.choice([rng.getrandbits(32), rng.choice(BOUNDARIES)]) for _ in range(31))]
        registers[6], registers[7] = CODE + 0x100, DATA + 4 * rng.randrange(1, 32)
        if rng.random() < 0.3:
            registers[5] = registers[4]
        if text.startswith("div") and registers[5] == 0:
            continue
        start = (registers, rng.getrandbits(32), rng.getrandbits(32), rng.randbytes(256))
        assert oracle_runs(text, code, steps, *start) == unicorn_runs(code, steps, *start), [hex(r) for r in registers]


Result = tuple[str | None, list[int], int, int, bytes, int]


def oracle_runs(text: str, code: list[int], steps: int, registers: list[int], hi: int, lo: int, data: bytes) -> Result:
    oracle = Oracle(mips("mips32"))
    oracle.load(code, CODE)
    oracle.load(list(data), DATA)
    oracle.arrays["X"].update(enumerate(registers))
    oracle.scalars.update({"pc": CODE, "npc": CODE + 4, "hi": hi, "lo": lo})
    traps = [step.trap for step in oracle.run(steps)]
    ram = oracle.arrays["ram"]
    trap = next((trap for trap in traps if trap), None)
    after = [oracle.arrays["X"].get(n, 0) for n in range(32)]
    pc = CODE if trap else oracle.scalars["pc"]
    return trap, after, oracle.scalars["hi"], oracle.scalars["lo"], bytes(ram[DATA + i] for i in range(256)), pc


def mips_emulator(size: int) -> tuple[Any, Any]:
    """Unicorn with so much memory, and its names of registers; the test is skipped where it is not installed."""
    from emulation import Emulator, unicorn
    from unicorn import mips_const

    return Emulator((unicorn.UC_ARCH_MIPS, unicorn.UC_MODE_MIPS32 | unicorn.UC_MODE_BIG_ENDIAN), {0: size}), mips_const


def unicorn_runs(code: list[int], steps: int, registers: list[int], hi: int, lo: int, data: bytes) -> Result:
    emulator, names = mips_emulator(0x4000)
    machine = emulator.uc
    machine.mem_write(DATA, data)
    for number, value in enumerate(registers):
        machine.reg_write(names.UC_MIPS_REG_0 + number, value)
    machine.reg_write(names.UC_MIPS_REG_HI, hi)
    machine.reg_write(names.UC_MIPS_REG_LO, lo)
    trap = emulator.step(CODE, bytes(code), steps)
    after = [machine.reg_read(names.UC_MIPS_REG_0 + number) for number in range(32)]
    pc = CODE if trap else machine.reg_read(names.UC_MIPS_REG_PC)
    hi, lo = machine.reg_read(names.UC_MIPS_REG_HI), machine.reg_read(names.UC_MIPS_REG_LO)
    return TRAPS[trap] if trap else None, after, hi, lo, bytes(machine.mem_read(DATA, 256)), pc


# -- Unicorn: what user mode may not do -------------------------------------------------------------------------------

KERNEL = """
        mtc0 $a0, 2             # EntryLo0 and EntryLo1 of MIPS32: virtual page 0x400000 is page 3, valid and global
        mtc0 $a0, 3
        mtc0 $a1, c0_entryhi
        mtc0 $zero, c0_index
        tlbwi
        mtc0 $a1, c0_epc
        mtc0 $a2, c0_status     # UM and EXL
        eret
"""
PRIVILEGED = ("mfc0 $t0, c0_status", "mtc0 $t0, c0_status", "tlbr", "tlbwi", "tlbwr", "tlbp", "eret", "cop0 0x2000020")
UNUSABLE = 19


@pytest.mark.parametrize("text", [*PRIVILEGED, "addiu $t0, $zero, 1"])
def test_unicorn_agrees_that_cp0_is_unusable_in_user_mode(text: str) -> None:
    emulator, names = mips_emulator(0x10000)
    emulator.uc.mem_write(0x3000, bytes(assemble(mips("mips32"), f"{text}\n nop", 0x400000).image()[1]))
    for register, value in ((4, 3 << 6 | 0x1F), (5, 0x400000), (6, 0x12)):
        emulator.uc.reg_write(names.UC_MIPS_REG_0 + register, value)
    trap = emulator.step(TEXT, bytes(assemble(mips("mips32"), KERNEL, TEXT).image()[1]), 9, 0x1000)
    assert trap == (UNUSABLE if text in PRIVILEGED else None)


# -- GXemul: the R3000's exceptions and TLB ---------------------------------------------------------------------------

SYSTEM = """
.org 0x80000000                 # TLB refill: kuseg, no entry matches
        addiu $k1, $zero, 1
        j log
        nop
.org 0x80000080                 # every other exception
        addiu $k1, $zero, 2
log:    sw $k1, 0($gp)
        mfc0 $k0, c0_cause
        sw $k0, 4($gp)
        mfc0 $k0, c0_status
        sw $k0, 8($gp)
        mfc0 $k0, c0_badvaddr
        sw $k0, 12($gp)
        mfc0 $k0, c0_entryhi
        sw $k0, 16($gp)
        mfc0 $k0, c0_context
        sw $k0, 20($gp)
        mfc0 $k0, c0_epc
        sw $k0, 24($gp)
        addiu $gp, $gp, 28
        addiu $k1, $zero, 99
        beq $v0, $k1, end
        nop
        mfc0 $k1, c0_badvaddr
        nop
        bne $k0, $k1, back      # a fetch that faulted: go to $ra
        addiu $k0, $k0, 4
        addu $k0, $ra, $zero
back:   jr $k0
        rfe

.org 0x80001000
start:  mtc0 $zero, c0_status   # BEV off
        lui $gp, 0xa000
        ori $gp, $gp, 0x7010
        lui $s0, 0x7f0
        mtc0 $s0, c0_context
        addiu $t0, $zero, 2 << 8
        addiu $t3, $zero, 1 << 8
        lui $t4, 0x3            # pages: code, data, invalid, read only
        lui $t1, 0x40
        ori $t1, $t1, 5 << 6
        ori $t2, $zero, 0x3200
        jal entry
        nop
        lui $t1, 0x1000
        ori $t1, $t1, 5 << 6
        ori $t2, $zero, 0x4600
        jal entry
        nop
        lui $t1, 0x1000
        ori $t1, $t1, 0x1140
        ori $t2, $zero, 0x5400
        jal entry
        nop
        lui $t1, 0x1000
        ori $t1, $t1, 0x2140
        ori $t2, $zero, 0x6200
        jal entry
        nop
        lui $t1, 0x1000
        ori $t1, $t1, 0x3000    # another space, but global
        ori $t2, $zero, 0x4700
        jal entry
        nop
        lui $t1, 0x1000
        ori $t1, $t1, 0x4000    # another space
        ori $t2, $zero, 0x4600
        jal entry
        nop
        lui $s1, 0xa000
        ori $s1, $s1, 0x7000
        lui $t1, 0x1000
        ori $t1, $t1, 0x2140
        mtc0 $t1, c0_entryhi
        tlbp
        mfc0 $t5, c0_index
        sw $t5, 0($s1)
        tlbr
        mfc0 $t5, c0_entrylo
        sw $t5, 4($s1)
        mfc0 $t5, c0_entryhi
        sw $t5, 8($s1)
        lui $t1, 0x1000
        ori $t1, $t1, 0x4140
        mtc0 $t1, c0_entryhi
        tlbp
        mfc0 $t5, c0_index
        bltz $t5, missed
        addiu $t6, $zero, 1
        addiu $t6, $zero, 2
missed: sw $t6, 12($s1)
        lui $t0, 0x4000         # kernel: a miss, and a load through the TLB
        lw $t1, 0($t0)
        nop
        lui $t0, 0xc000         # kseg2: the general vector
        lw $t1, 0($t0)
        nop
        addiu $t5, $zero, 0x2c    # KUp, IEp, KUo
        mtc0 $t5, c0_status
        lui $k0, 0x40
        jr $k0
        rfe
entry:  mtc0 $t0, c0_index
        mtc0 $t1, c0_entryhi
        mtc0 $t2, c0_entrylo
        nop
        tlbwi
        jr $ra
        addu $t0, $t0, $t3
end:    lui $s0, 0xb000         # the console at 0, and halt at 0x10
        lui $s1, 0xa000
        ori $s1, $s1, 0x7000
word:   lw $t0, 0($s1)
        addiu $s1, $s1, 4
        addiu $t1, $zero, 8
digit:  srl $t2, $t0, 28
        sltiu $t3, $t2, 10
        bne $t3, $zero, small
        addiu $t2, $t2, '0'
        addiu $t2, $t2, 'a' - '0' - 10
small:  sb $t2, 0($s0)
        addiu $t1, $t1, -1
        bne $t1, $zero, digit
        sll $t0, $t0, 4
        addiu $t2, $zero, 10
        bne $s1, $gp, word
        sb $t2, 0($s0)
        sb $zero, 0x10($s0)
        nop
"""
"""Handlers that log every exception; six entries of the TLB; the way to user mode; and at the end, on GXemul, the log."""

PROGRAM = """
        syscall 0
        tlbwi
        rfe
        lui $t0, 0x8000
        sw $t1, 4($t0)
        lui $t0, 0x1000
        sw $t0, 8($t0)
        lw $t1, 8($t0)
        nop
        lw $t1, 10($t0)
        sh $t1, 11($t0)
        lw $t1, 0x1000($t0)
        sw $t1, 0x1000($t0)
        sw $t1, 0x2000($t0)
        lw $t2, 0x2000($t0)
        lw $t3, 0x3008($t0)
        lw $t4, 0x4008($t0)
        sw $t4, 0x4008($t0)
        lwl $t5, 9($t0)
        swr $t4, 0x2001($t0)
        break 0
        lui $t6, 0x7fff
        add $t7, $t6, $t6
        .word 0x7000003f
        swc1 0
        cop2 0
        beq $zero, $zero, over  # a trap in a delay slot
        lw $t1, 1($t0)
over:   bne $zero, $zero, over  # not taken: a delay slot all the same
        syscall 0
        jal sub
        addiu $s2, $ra, 0
        addiu $v0, $zero, 99
        syscall 0
sub:    jr $ra
        addiu $s3, $ra, 0
"""
"""Runs in user mode at 0x400000, a trap at nearly every instruction. What GXemul is known not to check is left out:
MFC0 and MTC0 in user mode run there, WAIT is reserved, and user mode may load and fetch from a page of the kernel that it has
touched before (GXemul's documentation, "Miscellaneous": protection of kernel memory is not complete)."""

CACHE_MISS = 1 << 19
"""Status.CM, of the caches, which GXemul sets."""

Entry = tuple[int, ...]


@pytest.mark.skipif(shutil.which("gxemul") is None, reason="gxemul is not installed")
def test_gxemul_agrees(tmp_path: Path) -> None:
    """Vector, Cause, Status, BadVAddr, EntryHi, Context and EPC after each exception; and what TLBP and TLBR find."""
    system, program = assemble(mips(), SYSTEM, 0x80000000), assemble(mips(), PROGRAM, 0x400000)
    image = bytes(system.image()[1]).ljust(0x3000, b"\0") + bytes(program.image()[1])
    oracle = Oracle(mips())
    oracle.load(list(image), 0)
    oracle.scalars.update({"pc": TEXT, "npc": TEXT + 4})
    for _ in range(1000):
        oracle.step()
        if oracle.scalars["pc"] == system.labels["end"]:
            break
    end = oracle.arrays["X"][28] & 0x1FFFFFFF
    ours = [word(oracle, address) for address in range(0x7000, end, 4)]
    theirs = gxemul(tmp_path / "image", image)
    assert ours[:4] == theirs[:4]
    assert len(ours) == len(theirs) == 4 + 7 * 24
    assert entries(ours[4:]) == entries(theirs[4:])


def entries(log: list[int]) -> list[Entry]:
    """The log by exceptions. EntryHi and Context count only where the TLB was asked: Kane 6 leaves them open otherwise."""
    found = []
    for at in range(0, len(log), 7):
        vector, cause, status, address, entryhi, context, epc = log[at : at + 7]
        asked = (entryhi, context) if cause >> 2 & 31 in (1, 2, 3) else ()
        found.append((vector, cause, status & ~CACHE_MISS, address if cause >> 2 & 31 in range(1, 6) else 0, *asked, epc))
    return found


def gxemul(file: Path, image: bytes) -> list[int]:
    """The words that the program prints. Its standard input stays open: at the end of it GXemul slows down."""
    file.write_bytes(image)
    command = ["gxemul", "-A", "-q", "-E", "testmips", "-C", "R3000", "-M", "1", f"0x80000000:0:{TEXT:#x}:{file}"]
    read, write = os.pipe()
    with subprocess.Popen(command, stdin=read, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        printed, limit = b"", time.monotonic() + 20
        while time.monotonic() < limit and select.select([process.stdout], [], [], 1)[0]:
            piece = os.read(process.stdout.fileno(), 65536)
            if not piece:
                break
            printed += piece
        process.kill()
    os.close(read)
    os.close(write)
    return [int(line, 16) for line in printed.split()]
