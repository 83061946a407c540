"""MIPS encodings against capstone, both ways, on all clauses and on 30,000 random words.

What both decode must bear the same name, and what capstone prints must assemble to the same word.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from functools import cache

import pytest

from machines import machine
from popek_grammar.assembly.assemble import assemble_line
from popek_grammar.assembly.decode import Decoder
from popek_grammar.assembly.disassemble import disassemble_word
from popek_grammar.machine import Machine
from popek_grammar.text.diagnostics import SpecError

capstone = pytest.importorskip("capstone", reason="capstone is a development dependency")

RANDOM_WORDS = 30_000

ALIASES = {"move": ("addu", "or"), "beqz": ("beq",), "bnez": ("bne",), "bal": ("bgezal",), "b": ("beq",), "negu": ("subu",),
           "neg": ("sub",), "not": ("nor",), "jr": ("jalr",), "nop": ("sll",), "ehb": ("sll",), "ssnop": ("sll",),
           "pref": ("lwc3",)}  # fmt: skip
"""Names that capstone prints for special cases of an instruction; PREF has taken LWC3's place in MIPS32."""

UNKNOWN_TO_CAPSTONE = {
    "cop0": "the machine's name for what is left of CP0's operations",
    "cop1": "coprocessors 1 to 3 are not there: the machine has one clause for whatever their operations may be",
    "lwc3": "MIPS32 has made it PREF",
    "swc3": "not in MIPS32",
    "rfe": "not in MIPS32, which has ERET",
}

LATER = (
    (0xFC00003F, 0x00000001, "MOVF, MOVT: MIPS IV"), (0xFC00003E, 0x0000000A, "MOVZ, MOVN: MIPS IV"),
    (0xFC000030, 0x00000030, "TGE to TNE: MIPS II"), (0xFC00002F, 0x00000005, "LSA, DLSA: MIPS32 R6, MSA"),
    (0xFC00003F, 0x00000002, "ROTR: MIPS32 R2; R3000: bit 21 must be 0"),
    (0xFC00003F, 0x00000006, "ROTRV: MIPS32 R2; R3000: bit 6 must be 0"),
    (0xFC00003F, 0x0000000F, "SYNC with bits set that must be 0"),
    (0xFC00E7FE, 0x00000018, "MULT, MULTU with the number of an accumulator: DSP"),
    (0xFC0E0000, 0x04020000, "BLTZL and the like: MIPS II"), (0xFC180000, 0x04080000, "TGEI to TNEI: MIPS II"),
    (0xFC1F0000, 0x041F0000, "SYNCI: MIPS32 R2"), (0xFC1C0000, 0x041C0000, "BPOSGE32: DSP"),
    (0xF0000000, 0x50000000, "BEQL to BGTZL: MIPS II"),
    (0xFC000000, 0x70000000, "SPECIAL2: MIPS32"), (0xFC000000, 0x74000000, "JALX: MIPS16"),
    (0xFC000000, 0x78000000, "MSA"), (0xFC000000, 0x7C000000, "SPECIAL3: MIPS32 R2, DSP"),
    (0xFC000000, 0xBC000000, "CACHE: MIPS III"), (0xDC000000, 0xD4000000, "LDC1, SDC1: MIPS II"),
    (0xDC000000, 0xD8000000, "LDC2, SDC2: MIPS II"), (0xFC000000, 0x40000000, "CP0 after the R3000, with numbered selects"),
)  # fmt: skip
"""Encodings that capstone prints and that the R3000 has reserved: mask, value, reason."""

COPROCESSOR = re.compile(r"cop[123]|[ls]wc[123]")


def words(made: Machine) -> Iterator[int]:
    rng = random.Random(1)
    for _ in range(RANDOM_WORDS):
        yield rng.getrandbits(32)
    for mask, value, _ in LATER:
        for _ in range(100):
            yield value | (rng.getrandbits(32) & ~mask)
    for instruction in made.instructions.values():
        for encoding in instruction.encodings:
            for _ in range(20):
                yield encoding.value | (rng.getrandbits(32) & ~encoding.mask)


@cache
def peer() -> capstone.Cs:
    return capstone.Cs(capstone.CS_ARCH_MIPS, capstone.CS_MODE_MIPS32 | capstone.CS_MODE_BIG_ENDIAN)


@pytest.mark.parametrize("config", ["r3000", "mips32"])
def test_every_disagreement_is_explained(config: str) -> None:
    made = machine("mips/mips.isa", config)
    decoder = Decoder(made)
    agreed, strange, reasons = 0, [], set()
    for word in words(made):
        ours = decoder.decode(word, 32)
        theirs = next(peer().disasm(word.to_bytes(4, "big"), 0), None)
        mine = ours.instruction.name.rstrip("_") if ours is not None else None
        other = theirs.mnemonic if theirs is not None else None
        if mine == other or (other is not None and mine in ALIASES.get(other, ())):
            agreed += 1
            if mine == other and mine is not None and not COPROCESSOR.match(mine):
                text = rewritten(word, mine, theirs.op_str)
                if not means(made, text, word):
                    strange.append((hex(word), text, "assembles otherwise"))
        elif reason := explained(word, mine, other):
            reasons.add(reason)
        else:
            strange.append((hex(word), mine, other))
    assert strange == []
    assert {later for _, _, later in LATER} <= reasons
    assert agreed > RANDOM_WORDS // 2


def rewritten(word: int, mnemonic: str, operands: str) -> str:
    """Capstone's line with the few operands that it writes in its own way: CP0 registers, codes, DIV's target."""
    match mnemonic:
        case "mfc0" | "mtc0":
            return f"{mnemonic} {operands.split(',')[0]}, {word >> 11 & 31}"
        case "break":
            return f"break {word >> 6 & 0xFFFFF}"
        case "sync":
            return f"sync {{kind={word >> 6 & 31}}}"
        case "div" | "divu":
            return f"{mnemonic} {operands.removeprefix('$zero, ')}"
        case _:
            return f"{mnemonic} {operands}"


def means(made: Machine, text: str, word: int) -> bool:
    try:
        return assemble_line(made, text) == (word, 32)
    except SpecError:
        return False


def explained(word: int, mine: str | None, other: str | None) -> str | None:
    """The reason for a disagreement, from one of the two tables."""
    if mine is not None and (COPROCESSOR.match(mine) or other is None):
        return UNKNOWN_TO_CAPSTONE.get(mine, UNKNOWN_TO_CAPSTONE["cop1"] if COPROCESSOR.match(mine) else None)
    return next((reason for mask, value, reason in LATER if word & mask == value), None) if mine in (None, "cop0") else None


@pytest.mark.parametrize("config", ["r3000", "mips32"])
def test_every_encoding_comes_back(config: str) -> None:
    made, rng = machine("mips/mips.isa", config), random.Random(2)
    for instruction in made.instructions.values():
        for encoding in instruction.encodings:
            for filler in (0, -1, *(rng.getrandbits(32) for _ in range(4))):
                word = encoding.value | filler & ~encoding.mask & 0xFFFFFFFF
                text = disassemble_word(made, word, 32, 0x1000)
                assert text is not None
                assert assemble_line(made, text, 0x1000) == (word, 32), text
