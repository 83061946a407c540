"""Random RISC-V instructions in a frame that notes every trap: one image for a simulator, an emulator or the machine itself.

The stream runs in S or U. Protection leaves it two regions: its own code, and data. Every trap is noted and skipped by machine
mode; at the end the registers are stored beside the notes, and all of it and the data go to the serial port.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from riscv_guests import ORIGIN

from popek_grammar import machine as m
from popek_grammar.assembly.assemble import assemble, assemble_line
from popek_grammar.assembly.decode import Decoded, decoder_of, encode

STREAM, DATA, KEPT, LOG = 0x1000, 0x4000, 0x8000, 0x9000
REGION = 0x4000
"""Bytes of the region of code, and of that of data."""
LEFT_OUT = {
    "jal", "jalr", "c_j", "c_jal", "c_jr", "c_jalr", "c_beqz", "c_bnez", "beq", "bne", "blt", "bge", "bltu", "bgeu",
    "mret", "ecall", "ebreak", "c_ebreak", "lr_w", "lr_d", "sc_w", "sc_d",
}  # fmt: skip
"""Jumps, which are made apart; traps to end the stream with; breakpoints, whose mtval is free (Priv 3.1.16); reservations, which
may be lost at any time (Unpriv 13.2)."""
BRANCHES = ("beq", "bne", "blt", "bge", "bltu", "bgeu")
REGISTERS = (0x140, 0x143, 0x340, 0x300, 0xC00, 0xC01, 0x7FF)
"""sscratch and stval; mscratch and mstatus, which are not for S; counters that are not open; no CSR at all. Not sepc,
whose lowest bit QEMU 7.2 keeps (Priv 3.1.14: it is zero), nor stvec, whose modes are WARL."""


@dataclass(frozen=True)
class Noted:
    """A trap: cause, value and address. And what raised it."""

    cause: int
    value: int
    pc: int
    instruction: str


@dataclass(frozen=True)
class Result:
    """What a stream comes to: its traps, registers 1 to 31, its data."""

    traps: tuple[Noted, ...]
    registers: tuple[int, ...]
    data: bytes


@dataclass(frozen=True)
class Stream:
    """The image, and the instructions by their addresses."""

    xlen: int
    image: bytes
    instructions: dict[int, Decoded]

    @property
    def end(self) -> int:
        """Where the stream ends."""
        last, decoded = list(self.instructions.items())[-1]
        return last + decoded.encoding.width // 8

    def register(self, number: int) -> int:
        """What a register holds at the beginning."""
        size = self.xlen // 8
        at = KEPT + (32 + number) * size
        return int.from_bytes(self.image[at : at + size], "little") if number else 0

    def result(self, written: bytes) -> Result:
        """What the program has written."""
        size = self.xlen // 8
        words = [int.from_bytes(written[at : at + size], "little") for at in range(0, len(written) - REGION, size)]
        traps = [words[at : at + 3] for at in range(31, len(words), 3)]
        found = (Noted(cause, value, pc, self.instructions[pc].instruction.name) for cause, value, pc in traps[:-1])
        return Result(tuple(found), tuple(words[:31]), written[len(written) - REGION :])


def stream(made: m.Machine, seed: int, length: int) -> Stream:
    """A random stream for a machine, the same for the same seed."""
    rng, xlen = random.Random(seed), made.scalars[made.pc].width
    words = list(_words(made, rng, length))
    instructions, body, at = {}, b"", ORIGIN + STREAM
    for found in words:
        instructions[at] = found
        body += found.word.to_bytes(found.encoding.width // 8, "little")
        at += found.encoding.width // 8
    frame = assemble(made, _frame(xlen, rng.choice(("S", "U")), at), ORIGIN).image()[1]
    image = bytearray(bytes(frame).ljust(KEPT + 0x100, b"\0"))
    image[STREAM : STREAM + len(body)] = body
    image[STREAM + len(body) : STREAM + len(body) + 4] = b"\x73\0\0\0"
    image[DATA : DATA + REGION] = rng.randbytes(REGION)
    for number in range(1, 32):
        at = KEPT + 32 * xlen // 8 + number * xlen // 8
        image[at : at + xlen // 8] = _register(rng, number, xlen).to_bytes(xlen // 8, "little")
    return Stream(xlen, bytes(image), instructions)


def _register(rng: random.Random, number: int, xlen: int) -> int:
    """Eight registers point into the data, or just out of it; the others hold numbers, many of them at a boundary."""
    if 8 <= number < 16:
        return (
            ORIGIN
            + DATA
            + rng.choice([rng.randrange(REGION) & -8, rng.randrange(REGION) & -8, rng.randrange(REGION), REGION - 4])
        )
    ones = (1 << xlen) - 1
    shifted = ones >> rng.randrange(xlen)
    return rng.choice([rng.getrandbits(xlen), rng.getrandbits(5), shifted, ones ^ shifted, shifted // 2 + 1])


def _words(made: m.Machine, rng: random.Random, length: int) -> list[Decoded]:
    """Instructions that do not jump, and branches and jumps over the next one, which has four bytes."""
    names = [name for name in made.instructions if name not in LEFT_OUT]
    found: list[Decoded] = []
    while len(found) < length:
        if rng.random() < 0.15:
            found += [_jump(made, rng), _word(made, rng, names, 32)]
        else:
            found.append(_word(made, rng, names))
    return found


def _word(made: m.Machine, rng: random.Random, names: list[str], width: int | None = None) -> Decoded:
    while True:
        instruction = made.instructions[rng.choice(names)]
        encoding = rng.choice(instruction.encodings)
        operands = {operand.name: _operand(rng, operand) for operand in instruction.operands}
        if instruction.split:
            operands[instruction.split[0]] = rng.choice(REGISTERS)
        present = {piece.operand for piece in encoding.pieces}
        word, bits = encode(made, encoding, {name: value for name, value in operands.items() if name in present})
        decoded = decoder_of(made).decode(word, bits)
        if decoded is not None and decoded.instruction.name not in LEFT_OUT and width in (None, bits):
            return decoded


def _operand(rng: random.Random, operand: m.Operand) -> int:
    """A base register points into the data more often than not, and offsets are small."""
    if operand.name == "rs1" and rng.random() < 0.6:
        return rng.randrange(8, 16) & operand.present
    value = rng.getrandbits(operand.width)
    return (value & 0x3F if operand.width > 6 and rng.random() < 0.6 else value) & operand.present


def _jump(made: m.Machine, rng: random.Random) -> Decoded:
    one, two = rng.randrange(32), rng.randrange(32)
    text = f"jal x{one}, 8" if rng.random() < 0.2 else f"{rng.choice(BRANCHES)} x{one}, x{two}, 8"
    decoded = decoder_of(made).decode(*assemble_line(made, text))
    assert decoded is not None
    return decoded


def _frame(xlen: int, mode: str, end: int) -> str:
    """Boot, the handler of traps, and what is written at the end."""
    size, store, load = xlen // 8, "sd" if xlen == 64 else "sw", "ld" if xlen == 64 else "lw"
    each = [number for number in range(1, 32) if number != 31]
    previous = "lui t0, 1\naddi t0, t0, -2048\ncsrs mstatus, t0" if mode == "S" else ""
    napot = {name: (ORIGIN + at >> 2) | REGION // 8 - 1 for name, at in (("code", 0), ("data", DATA))}
    return f"""
    j boot
    .align 4
trap:
    csrrw t6, mscratch, t6
    {store} t5, {30 * size}(t6)
    {store} t4, {29 * size}(t6)
    {load} t4, 0(t6)
    csrr t5, mcause
    {store} t5, 0(t4)
    csrr t5, mtval
    {store} t5, {size}(t4)
    csrr t5, mepc
    {store} t5, {2 * size}(t4)
    addi t4, t4, {3 * size}
    {store} t4, 0(t6)
    {load} t4, {65 * size}(t6)
    beq t4, t5, done
    lhu t4, 0(t5)
    andi t4, t4, 3
    addi t5, t5, 2
    addi t4, t4, -3
    bnez t4, short
    addi t5, t5, 2
short:
    csrw mepc, t5
    {load} t5, {30 * size}(t6)
    {load} t4, {29 * size}(t6)
    csrrw t6, mscratch, t6
    mret
done:
    {chr(10).join(f"{store} x{number}, {number * size}(t6)" for number in each if number not in (29, 30))}
    csrr t5, mscratch
    {store} t5, {31 * size}(t6)
    addi s2, t6, {size}
    addi s3, t6, {32 * size}
    lui t1, 0x10000
registers:
    lbu t2, 0(s2)
    sb t2, 0(t1)
    addi s2, s2, 1
    bltu s2, s3, registers
    {load} s3, 0(t6)
    lui s2, {LOG - KEPT >> 12}
    add s2, s2, t6
notes:
    lbu t2, 0(s2)
    sb t2, 0(t1)
    addi s2, s2, 1
    bltu s2, s3, notes
    lui s2, {KEPT - DATA >> 12}
    sub s2, t6, s2
data:
    lbu t2, 0(s2)
    sb t2, 0(t1)
    addi s2, s2, 1
    bltu s2, t6, data
    lui t1, 0x100
    lui t0, 0x5
    addi t0, t0, 0x555
    sw t0, 0(t1)
stop:
    j stop
    .align 8
words:
    .{"dword" if xlen == 64 else "word"} {napot["code"]}, {napot["data"]}, {ORIGIN + LOG}, {end}, {ORIGIN + STREAM}
boot:
    auipc t0, 0
    addi s0, t0, words - boot
    addi t0, t0, trap - boot
    csrw mtvec, t0
    lui t6, {KEPT >> 12}
    addi t0, s0, 0
    srli t0, t0, 12
    slli t0, t0, 12
    add t6, t6, t0
    {load} t0, 0(s0)
    csrw pmpaddr0, t0
    {load} t0, {size}(s0)
    csrw pmpaddr1, t0
    lui t0, {0x1B1D + 0x800 >> 12}
    addi t0, t0, {(0x1B1D & 0xFFF ^ 0x800) - 0x800}
    csrw pmpcfg0, t0
    {load} t0, {2 * size}(s0)
    {store} t0, 0(t6)
    {load} t0, {3 * size}(s0)
    {store} t0, {65 * size}(t6)
    {load} t0, {4 * size}(s0)
    csrw mepc, t0
    csrw mcounteren, zero
    lui t0, 0x700
    csrw mstatus, t0
    {previous}
    csrw mscratch, t6
    addi t6, t6, {32 * size}
    {chr(10).join(f"{load} x{number}, {number * size}(t6)" for number in each)}
    {load} t6, {31 * size}(t6)
    mret
"""
