"""The disassembler: its output always assembles back to the same words."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import small_machines as small

from popek_grammar.assembly.assemble import assemble, assemble_line
from popek_grammar.assembly.decode import Decoder, encode
from popek_grammar.assembly.disassemble import disassemble, disassemble_word
from popek_grammar.load import load_machine

SPEC = Path(__file__).parents[3] / "spec"
LIBRARY = [path for path in sorted(SPEC.rglob("*.isa")) if "\nisa " in "\n" + path.read_text(encoding="utf-8")]
"""The files of the library that are machines, not parts of one."""


@pytest.mark.parametrize(
    ("order", "word", "width", "text"),
    [
        ("little", 0xFFC50593, 32, "addi a1, a0, -4"),
        ("little", 0xFEB50063, 32, "beq a0, a1, 0x7e0"),
        ("little", 0x30051073, 32, "csrrw zero, mstatus, a0"),
        ("little", 0x7C051073, 32, "csrrw zero, 0x7c0, a0"),
        ("little", 0x8082, 16, "c.jr ra"),
        ("little", 0x43C0, 16, "c.lw s0, 4(a5)"),
        ("little", 0x0F30000F, 32, "fence {pred=0xf, succ=0x3}"),
        ("stream", 0x8BC3, 16, "mov eax, ebx"),
        ("stream", 0x89D8, 16, "mov eax, ebx {2}"),
        ("stream", 0x8B41F8, 24, "mov eax, [ecx-8]"),
        ("stream", 0xEBFE, 16, "jmp 0x1000"),
        ("stream", 0xE9FBFFFFFF, 40, "jmp 0x1000 {2}"),
        ("big", 0xD20710002008, 48, "mvc 0(7, g1), 8(g2)"),
        ("big", 0xFFFF, 16, None),
    ],
)
def test_a_word(order: str, word: int, width: int, text: str | None) -> None:
    assert disassemble_word(small.ALL[order](), word, width, 0x1000) == text


def test_octal() -> None:
    """`{n:o}`: written in octal, read in any base."""
    machine = small.machine([small.instruction("jmp", small.encoding("1010 n:12", "jmp {n:o}"))], order="big")
    assert disassemble_word(machine, 0xAFC0, 16) == "jmp 0o7700"
    assert assemble_line(machine, "jmp 0o7700") == assemble_line(machine, "jmp 0xfc0") == (0xAFC0, 16)


@pytest.mark.parametrize("order", small.ALL)
def test_every_encoding_comes_back(order: str) -> None:
    machine, rng = small.ALL[order](), random.Random(3)
    decoder = Decoder(machine)
    for _, encoding in small.every_encoding(machine):
        words = [encode(machine, encoding, operands)[0] for operands in small.corner_operands(encoding)]
        words += [encoding.value | rng.getrandbits(encoding.width) & ~encoding.mask for _ in range(30)]
        for word in words:
            text = disassemble_word(machine, word, encoding.width, 0x2000)
            if decoder.decode(word, encoding.width) is None:
                assert text is None
            else:
                assert text is not None
                assert assemble_line(machine, text, 0x2000) == (word, encoding.width), text


@pytest.mark.parametrize("order", small.ALL)
@pytest.mark.parametrize("seed", range(5))
def test_any_bytes_come_back(order: str, seed: int) -> None:
    machine, rng = small.ALL[order](), random.Random(seed)
    heads = [encoding.value >> max(encoding.width - 8, 0) & 255 for _, encoding in small.every_encoding(machine)]
    data = [rng.choice([rng.getrandbits(8), rng.choice(heads)]) for _ in range(501)]
    listing = disassemble(machine, data, 0x4000)
    assert assemble(machine, listing.text, 0x4000).image() == (0x4000, data)


def test_a_listing() -> None:
    listing = disassemble(small.little(), bytes.fromhex("93 05 c5 ff 82 80 ff ff 01"), 0x80)
    assert [row.address for row in listing.rows] == [0x80, 0x84, 0x86, 0x88]
    assert listing.render().splitlines() == [
        "      80: 93 05 c5 ff              addi a1, a0, -4",
        "      84: 82 80                    c.jr ra",
        "      86: ff ff                    .half 0xffff",
        "      88: 01                       .byte 0x01",
    ]


def test_data_follows_the_order_of_memory() -> None:
    assert disassemble(small.big(), [0xFF, 0x12]).rows[0].text == ".half 0xff12"
    assert disassemble(small.little(), [0xFF, 0x12]).rows[0].text == ".half 0x12ff"


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_every_encoding_of_the_library_comes_back(path: Path) -> None:
    machine, rng = load_machine(str(path)), random.Random(5)
    for _, encoding in small.every_encoding(machine):
        for filler in (0, -1, *(rng.getrandbits(encoding.width) for _ in range(6))):
            word = encoding.value | filler & ~encoding.mask & ((1 << encoding.width) - 1)
            text = disassemble_word(machine, word, encoding.width, 0x1000)
            assert text is None or assemble_line(machine, text, 0x1000) == (word, encoding.width), text
