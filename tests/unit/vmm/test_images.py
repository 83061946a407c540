"""What is loaded: executables of the machine's own kind, whole ones, and a clear word about all others."""

from __future__ import annotations

import random

import pytest

pytest.importorskip("elftools")

from elf_files import executable

from machines import machine
from popek_vmm.images.images import BadImage, elf, flat, is_elf

RISCV, X86_64, ARM = 243, 62, 40
PLACE, CODE = 0x80000000, b"\x73\0\x10\0" * 8
MADE = executable(64, RISCV, PLACE, CODE, {"tohost": PLACE + 0x1000}, 16)


@pytest.mark.parametrize("bits", [32, 64])
def test_an_executable(bits: int) -> None:
    """Its content with the zeros behind, its start and its symbols."""
    image = elf(
        executable(bits, RISCV, PLACE, CODE, {"a": 1, "tohost": PLACE + 0x1000}, 16), machine("riscv/riscv.isa", f"rv{bits}")
    )
    assert image.pieces == ((PLACE, CODE + bytes(16)),)
    assert image.entry == PLACE
    assert {name: image.symbols[name] for name in ("a", "tohost")} == {"a": 1, "tohost": PLACE + 0x1000}


@pytest.mark.parametrize(
    ("file", "config", "bits", "code", "told"),
    [
        ("riscv/riscv.isa", "rv64", 64, X86_64, "X86-64"),
        ("riscv/riscv.isa", "rv32", 32, ARM, "ARM"),
        ("riscv/riscv.isa", "rv32", 64, RISCV, "64 bits"),
        ("mips/mips.isa", "r3000", 32, 8, "other order"),
        ("pdp10/ka10.isa", "ka10", 32, 64, "36 bits"),
        ("x86/ia32.isa", "base", 32, 0xFFFE, "another machine"),
    ],
)
def test_foreign_executables(file: str, config: str, bits: int, code: int, told: str) -> None:
    """Another processor, another width, another order of bytes, no bytes at all."""
    with pytest.raises(BadImage, match=told):
        elf(executable(bits, code, PLACE % (1 << bits), CODE, {}), machine(file, config))


def test_what_is_not_executable() -> None:
    """An object file has no addresses yet."""
    with pytest.raises(BadImage, match="no fixed addresses"):
        elf(MADE[:16] + b"\1\0" + MADE[18:], machine("riscv/riscv.isa", "rv64"))


def test_a_segment_larger_than_memory() -> None:
    """Nothing is made of it before it is refused."""
    with pytest.raises(BadImage, match="the memory has"):
        elf(executable(64, RISCV, PLACE, CODE, {}, 1 << 60), machine("riscv/riscv.isa", "rv64"))


def test_truncated_executables() -> None:
    """Cut at any place: loaded as it was, if only what is not loaded is missing, or refused."""
    whole = elf(MADE, machine("riscv/riscv.isa", "rv64"))
    refused = 0
    for length in [*range(4, 200), *range(0x1000 - 4, len(MADE), 3)]:
        try:
            image = elf(MADE[:length], machine("riscv/riscv.isa", "rv64"))
        except BadImage:
            refused += 1
        else:
            assert (image.pieces, image.entry) == (whole.pieces, whole.entry), length
    assert refused > 200


def test_damaged_executables() -> None:
    """Bytes of the headers at random: an image or a refusal, nothing else."""
    rng = random.Random(1)
    for _ in range(500):
        spoilt = bytearray(MADE)
        for _ in range(rng.randint(1, 4)):
            part = rng.choice((range(16, 120), range(0x1000, len(MADE))))
            spoilt[rng.choice(part)] = rng.randrange(256)
        try:
            elf(bytes(spoilt), machine("riscv/riscv.isa", "rv64"))
        except BadImage:
            continue


def test_flat_files() -> None:
    assert not is_elf(CODE) and is_elf(MADE)
    assert (flat(CODE, 4).pieces, flat(CODE, 4).entry) == (((4, CODE),), 4)
