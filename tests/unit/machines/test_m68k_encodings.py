"""MC68000 and MC68010 encodings against capstone, both ways, on all clauses and on random words.

What both decode must bear the same name and be as long, and what we print must assemble to the same word.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from functools import cache

import pytest

from machines import machine
from popek_grammar.assembly.assemble import assemble_line
from popek_grammar.assembly.decode import decoder_of
from popek_grammar.assembly.disassemble import disassemble_word
from popek_grammar.machine import Machine

capstone = pytest.importorskip("capstone", reason="capstone is a development dependency")

RANDOM_WORDS = 6_000
NAMES = {"lea": "lea.l", "pea": "pea.l", "link": "link.w", "tas": "tas.b", "dbf": "dbra"}
"""What capstone writes otherwise; a short branch is .b to it, and a move of USP has no size."""

LEFT_OUT = re.compile(
    r"(movem|movep|chk|addx|subx|negx|abcd|sbcd|nbcd|cmpm|exg|bchg|bclr|bset|btst|addi|subi|cmpi|andi|ori|eori|(as|ls|ro|rox)[lr])(\.|$)"
)
"""What the machine's description says that it leaves out."""
LATER = re.compile(r"bkpt|extb|mul[us]\.l|div|trap|callm|rtm|pack|unpk|cas|cmp2|chk2|cinv|cpush|move16|bf|f|p|tst|cmp")
"""What other members of the family have: among them TST and CMP of what is no operand on these."""


def words(made: Machine) -> Iterator[bytes]:
    rng = random.Random(1)
    for _ in range(RANDOM_WORDS):
        yield rng.randbytes(2)
    for instruction in made.instructions.values():
        for encoding in instruction.encodings:
            for _ in range(5):
                word = encoding.value | rng.getrandbits(encoding.width) & ~encoding.mask
                yield word.to_bytes(encoding.width // 8, "big")


@cache
def peer(config: str) -> capstone.Cs:
    mode = capstone.CS_MODE_M68K_010 if config == "mc68010" else capstone.CS_MODE_M68K_000
    return capstone.Cs(capstone.CS_ARCH_M68K, mode | capstone.CS_MODE_BIG_ENDIAN)


@pytest.mark.parametrize("config", ["mc68000", "mc68010"])
def test_every_disagreement_is_explained(config: str) -> None:
    made = machine("m68k/m68000.isa", config)
    decoder = decoder_of(made)
    agreed, strange, reasons = 0, [], set()
    for word in words(made):
        cells = word + bytes(8)
        ours = decoder.decode_cells(lambda n, cells=cells: int.from_bytes(cells[2 * n : 2 * n + 2], "big"))  # type: ignore[misc]
        theirs = next(peer(config).disasm(cells, 0x1000), None)
        mine, other = None, (theirs.mnemonic if theirs is not None and theirs.mnemonic != "dc.w" else None)
        if ours is not None:
            text = disassemble_word(made, ours.word, ours.encoding.width, 0x1000)
            assert text is not None
            assert assemble_line(made, text, 0x1000) == (ours.word, ours.encoding.width), text
            mine = named(text)
        if mine == other and (mine is None or theirs.size * 8 == ours.encoding.width):
            agreed += 1
        elif reason := explained(cells, mine, other):
            reasons.add(reason)
        else:
            strange.append((cells.hex(), mine, other))
    assert strange == []
    assert agreed > RANDOM_WORDS // 2
    assert len(reasons) > 3


def named(text: str) -> str | None:
    """Our line's mnemonic as capstone would write it; it knows no lines A and F."""
    mnemonic = text.split()[0]
    if mnemonic in ("linea", "linef"):
        return None
    if "usp" in text:
        return "move"
    if re.fullmatch("s(t|f|hi|ls|cc|cs|ne|eq|vc|vs|pl|mi|ge|lt|gt|le)", mnemonic):
        return f"{mnemonic}.b"
    return NAMES.get(mnemonic, re.sub(r"^(b..)\.s$", r"\1.b", mnemonic))


def explained(cells: bytes, mine: str | None, other: str | None) -> str | None:
    """The reason for a disagreement."""
    if other is not None and mine is None and LEFT_OUT.match(other):
        return "left out"
    if mine is None and other is not None and LATER.match(other):
        return "of other members of the family"
    if other is None and mine is not None and cells[1] & 0x38 == 8:
        return "an address register as data or as a byte: it decodes, and is illegal"
    if cells[0] & 0xF0 == 0x60 and cells[1] == 0xFF:
        return "a displacement of -1 is to an odd address on an MC68000, and a long one from the MC68020 on"
    return None
