"""RISC-V encodings against capstone, both ways, on all clauses and on 100,000 random words."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from machines import machine
from popek_grammar.assembly.decode import Decoded, Decoder
from popek_grammar.machine import Machine
from popek_grammar.meaning.evaluator import Run
from popek_grammar.meaning.instruction import decoded
from popek_grammar.meaning.state import symbolic
from popek_grammar.meaning.views import View

capstone = pytest.importorskip("capstone", reason="capstone is a development dependency")

RANDOM_WORDS = 100_000

ALIASES = {
    "beqz": "beq", "bgez": "bge", "blez": "bge", "bgtz": "blt", "bltz": "blt", "bnez": "bne", "csrc": "csrrc",
    "csrci": "csrrci", "csrr": "csrrs", "csrs": "csrrs", "csrsi": "csrrsi", "csrw": "csrrw", "csrwi": "csrrwi", "j": "jal",
    "jr": "jalr", "ret": "jalr", "li": "addi", "mv": "addi", "nop": "addi", "not": "xori", "neg": "sub", "negw": "subw",
    "seqz": "sltiu", "snez": "sltu", "sltz": "slt", "sgtz": "slt", "sext.w": "addiw", "zext.b": "andi", "unimp": "csrrw",
    "rdcycle": "csrrs", "rdtime": "csrrs", "rdinstret": "csrrs", "rdcycleh": "csrrs", "rdtimeh": "csrrs",
    "rdinstreth": "csrrs", "frcsr": "csrrs", "fscsr": "csrrw", "frrm": "csrrs", "fsrm": "csrrw", "frflags": "csrrs",
    "fsflags": "csrrw", "fsrmi": "csrrwi", "fsflagsi": "csrrwi", "pause": "fence", "fence.tso": "fence",
}  # fmt: skip
"""Names that capstone prints for special cases of an instruction."""

HINTS = {"c.add", "c.li", "c.lui", "c.mv", "c.nop", "c.slli", "c.addi", "c.srli", "c.srai"}
"""HINT encodings (Unpriv 26.7): they execute as the instruction, without effect; capstone refuses some of them."""

UNKNOWN_TO_CAPSTONE = {
    "fence": "capstone knows fm = 0 and rs1 = rd = x0 only; Unpriv 2.7: the other fields are ignored",
    "fence.i": "capstone wants imm = rs1 = rd = 0; Unpriv 6: they are ignored",
}

RESERVED = {
    "c.lui": "imm = 0 is reserved (Unpriv 26.3); capstone prints it",
    "c.srli": "RV32: shamt[5] = 1 is for custom extensions (Unpriv 26.5); capstone prints it",
    "c.srai": "RV32: as c.srli",
    "c.slli": "RV32: as c.srli",
    "slli": "RV32: shamt[5] must be 0 (Unpriv 2.4.1); capstone prints it",
    "srli": "RV32: as slli",
    "srai": "RV32: as slli",
}
"""Encodings that the manual reserves and capstone prints all the same."""

NOT_OURS = ("f", "c.f")
"""Mnemonics of F and D, and of their compressed forms: extensions that the machine does not have."""


def words(made: Machine) -> Iterator[tuple[int, int]]:
    rng = random.Random(1)
    for number in range(RANDOM_WORDS):
        yield (rng.getrandbits(30) << 2 | 3, 32) if number % 2 else (rng.getrandbits(14) << 2 | rng.randrange(3), 16)
    for instruction in made.instructions.values():
        for encoding in instruction.encodings:
            for _ in range(20):
                yield encoding.value | (rng.getrandbits(encoding.width) & ~encoding.mask), encoding.width


def reserved(made: Machine, found: Decoded) -> bool:
    """A guard over operands alone fails: the encoding is reserved."""
    run = Run(made, symbolic(made), View())
    run.env = dict(decoded(made, found.instruction, found.encoding, found.operands).locals)
    conditions = [run.value(guard.condition) for guard in found.instruction.guards]
    return any(condition.is_const and not condition.payload for condition in conditions)


@pytest.mark.parametrize("config", ["rv64", "rv32"])
def test_every_disagreement_is_explained(config: str) -> None:
    made = machine("riscv/riscv.isa", config)
    decoder = Decoder(made)
    width = capstone.CS_MODE_RISCV64 if config == "rv64" else capstone.CS_MODE_RISCV32
    peer = capstone.Cs(capstone.CS_ARCH_RISCV, width | capstone.CS_MODE_RISCVC)
    agreed, strange = 0, []
    for word, bits in words(made):
        ours = decoder.decode(word, bits)
        theirs = next(peer.disasm(word.to_bytes(bits // 8, "little"), 0), None)
        mine = ours.instruction.name.rstrip("_").replace("_", ".") if ours is not None and not reserved(made, ours) else None
        other = theirs.mnemonic if theirs is not None and theirs.size == bits // 8 else None
        if mine == canonical(other):
            agreed += 1
        elif not explained(mine, other):
            strange.append((hex(word), mine, other))
    assert strange == []
    assert agreed > RANDOM_WORDS // 2


def canonical(mnemonic: str | None) -> str | None:
    """Without the ordering suffixes of atomics, and with aliases resolved."""
    if mnemonic is None:
        return None
    if mnemonic.startswith(("amo", "lr.", "sc.")):
        mnemonic = mnemonic.removesuffix(".aqrl").removesuffix(".aq").removesuffix(".rl")
    return ALIASES.get(mnemonic, mnemonic)


def explained(mine: str | None, other: str | None) -> bool:
    if other is None and mine is not None:
        return mine in HINTS or mine in UNKNOWN_TO_CAPSTONE
    if mine is None and other in RESERVED:
        return True
    if mine is None and other is not None:
        # The all-zero word is defined to be illegal; capstone gives it a name.
        return (other.startswith(NOT_OURS) and not other.startswith("fence")) or other == "c.unimp"
    return False
