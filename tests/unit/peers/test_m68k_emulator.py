"""The MC68000 against an emulator (unicorn): random instructions in random states of the user and of the supervisor.

The emulator knows no address errors, so that addresses are even, and takes no exception: it shows which one comes.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import pytest
from emulation import INVALID, Both, Emulator, Unmapped, changed, unicorn, word

from machines import machine
from popek_grammar.assembly.assemble import assemble_line
from popek_grammar.assembly.decode import Decoded, decoder_of, encode, to_cells
from popek_grammar.machine import Encoding, Machine

m68k = pytest.importorskip("unicorn.m68k_const")

CODE, END = 0x1000, 0x8000
DATA = bytes(0x2000) + bytes(
    byte & (0xFE if at & 1 else 0x7F) for at, byte in enumerate(random.Random(0).randbytes(END - 0x2000))
)
"""Memory, the words of which are even."""
CELLS = dict(enumerate(DATA))
USER, SUPERVISOR = 0, 0x2000
FLAGS = {"C": 0, "V": 1, "Z": 2, "N": 3, "X": 4, "I": 8, "S": 13, "T": 15}
KEPT = 0xA71F
"""The bits of SR that there are: the emulator keeps others too."""
ASIDE, TO_USP, MOVE_FROM_SR = 0x1800, b"\x4e\x60", b"\x40\xc0"
"""Only the second instruction shows the condition codes: the emulator makes them when they are asked for."""
Result = tuple[int | None, dict[str, int]]

LEFT_OUT = {
    "reset": "a line to devices, of which the emulator tells nothing",
    "stop": "the emulator stops its loop, too",
    "rte": "the emulator wants a frame of a later processor",
    **dict.fromkeys(("rtr", "trapv"), "the emulator takes it for illegal"),
}

SILENT = ("move.w sr, d0", "move.w d0, ccr", "andi.b #0x10, ccr")
REFUSED = ("move.w d0, sr", "ori.w #0x700, sr", "andi.w #0xf8ff, sr", "eori.w #0x2000, sr", "move.l a0, usp", "move.l usp, a0",
           "reset", "stop #0x2000", "rte")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """An instruction in a state: D0 to A6 and the stack pointer in force, and SR."""

    decoded: Decoded
    code: bytes
    registers: list[int]
    sr: int


def on_oracle(made: Machine, case: Case, choice: int) -> tuple[Result, bool]:
    oracle = Both(made, choice)
    oracle.scalars |= {"pc": CODE, "usp": case.registers[15 if case.sr & SUPERVISOR == USER else 8], "ssp": case.registers[15]}
    oracle.scalars |= {f"sr.{name}": case.sr >> bit & (7 if name == "I" else 1) for name, bit in FLAGS.items()}
    oracle.arrays |= {"D": dict(enumerate(case.registers[:8])), "A": dict(enumerate(case.registers[8:15]))}
    memory = CELLS | dict(enumerate(case.code, CODE))
    oracle.arrays["ram"] = memory
    done = oracle.execute_only(case.decoded)
    if done.trap is not None:
        cause = made.causes.find(done.trap).code
        return (cause + (case.code[1] & 15) if cause == 32 else cause, {}), oracle.chose
    stores = {f"{at:#x}": new for at, new in done.arrays["ram"].items() if memory.get(at) != new}
    oracle.set_state(done.scalars, {**done.arrays, "ram": {}})
    now = oracle.scalars
    sr = sum(now[f"sr.{name}"] << bit for name, bit in FLAGS.items())
    seen = {f"d{n}": oracle.arrays["D"].get(n, 0) for n in range(8)} | {f"a{n}": oracle.arrays["A"].get(n, 0) for n in range(7)}
    return (None, seen | {"a7": now["ssp" if sr & SUPERVISOR else "usp"], "sr": sr, "pc": now["pc"]} | stores), oracle.chose


@cache
def emulator() -> Emulator:
    return Emulator((unicorn.UC_ARCH_M68K, unicorn.UC_MODE_BIG_ENDIAN), {0: END}, m68k.UC_CPU_M68K_M68000)


def on_emulator(case: Case) -> Result:
    uc = emulator().uc
    uc.mem_write(0, DATA)
    uc.mem_write(CODE, case.code)
    uc.reg_write(m68k.UC_M68K_REG_SR, SUPERVISOR)
    uc.reg_write(m68k.UC_M68K_REG_A0, case.registers[8])
    assert emulator().step(ASIDE, TO_USP) is None
    uc.reg_write(m68k.UC_M68K_REG_SR, case.sr)
    names = {f"d{n}": m68k.UC_M68K_REG_D0 + n for n in range(8)} | {f"a{n}": m68k.UC_M68K_REG_A0 + n for n in range(8)}
    for number, value in zip(names.values(), case.registers, strict=True):
        uc.reg_write(number, value)
    old = bytes(uc.mem_read(0, END))
    trap = emulator().step(CODE, case.code)
    if trap is not None:
        return 4 if trap == INVALID else trap, {}
    names["pc"] = m68k.UC_M68K_REG_PC
    seen = {name: uc.reg_read(number) for name, number in names.items()} | changed(old, bytes(uc.mem_read(0, END)))
    assert emulator().step(ASIDE, MOVE_FROM_SR) is None
    return None, seen | {"sr": uc.reg_read(names["d0"]) & KEPT}


# -- cases ---------------------------------------------------------------------------------------------------------------


def operands_of(rng: random.Random, encoding: Encoding) -> dict[str, int]:
    """Random ones; displacements and addresses that are even and lead to memory."""
    fitting = {"d8": 0x40, "f8": 0x40, "d16": 0x800, "far": 0x800, "a32": 0x3000}
    return {
        piece.operand: 2 * rng.randrange(1, fitting[piece.operand] // 2)
        if piece.operand in fitting
        else rng.randrange(1 << piece.hi - piece.lo + 1)
        for piece in encoding.pieces
    }


def state(rng: random.Random, decoded: Decoded, code: bytes, sr: int | None = None) -> Case:
    """Addresses are even and in memory, and half of what may be an index is."""
    registers = [word(rng) if rng.getrandbits(1) else 2 * rng.getrandbits(8) for _ in range(8)]
    registers += [0x4000 + 2 * rng.getrandbits(11) for _ in range(8)]
    status = rng.choice((USER, SUPERVISOR)) | rng.getrandbits(5) | rng.getrandbits(3) << 8
    return Case(decoded, code, registers, status if sr is None else sr)


def cases(made: Machine) -> Iterator[Case]:
    decoder = decoder_of(made)
    for name, instruction in made.instructions.items():
        rng, several = random.Random(name), len(instruction.encodings)
        for n in range(0 if name in LEFT_OUT else max(3 * several, 20)):
            encoding = instruction.encodings[n % several]
            coded, width = encode(made, encoding, operands_of(rng, encoding))
            decoded = decoder.decode(coded, width)
            if decoded is not None and decoded.instruction.name == name:
                yield state(rng, decoded, bytes(to_cells(coded, width, made)))


def unlike(case: Case, ours: Result, theirs: Result) -> str | None:
    """Why the two may differ: where the emulator departs from the manual."""
    name, operands, state = case.decoded.instruction.name, case.decoded.operands, (ours[0], theirs[0])
    if ours[0] == 4 and case.code[1] & 0x38 == 8:
        return "PRM 4, addressing modes: no bytes of address registers, nor these as data; the emulator reads them"
    if name in ("link", "unlk") and operands["an"] == 7:
        return "PRM 4-111: SP has been decremented when An is stored; the emulator stores it as it was. UNLK A7 is not said"
    if name == "jsr" and case.code[1] & 0x3F == 0x17:
        return "PRM 4-109: the address is that before the push; the emulator's after it"
    if name in ("move_to_sr", "ori_sr", "eori_sr") and ours[1]["sr"] == theirs[1]["sr"] and theirs[1]["a7"] == 0:
        return "PRM 1.3.2: bit 12 is M, of a master stack, from the MC68020 on; the emulator has it in an MC68000 too"
    if name == "line_f" and state == (11, None):
        return "the emulator has a floating-point unit"
    return None


def differ(ours: Result, other: Result, theirs: Result) -> bool:
    """`ours` and `other` are the oracle's with every open choice zeros and ones: a bit must be like that of either."""
    if ours[0] is not None or theirs[0] is not None:
        return ours[0] != theirs[0]
    keys = {*ours[1], *other[1], *theirs[1]}
    first, second, third = (
        [side[1].get(key, CELLS.get(int(key, 16)) if "x" in key else 0) for key in keys] for side in (ours, other, theirs)
    )
    return any((a ^ c) & (b ^ c) for a, b, c in zip(first, second, third, strict=True))


def test_the_emulator_agrees() -> None:
    """Both raise the same exception, or both come to the same registers, condition codes and memory."""
    made = machine("m68k/m68000.isa", "mc68000")
    agreed: Counter[str] = Counter()
    strange = []
    for case in cases(made):
        ours, chose = on_oracle(made, case, 0)
        other = on_oracle(made, case, 1)[0] if chose else ours
        try:
            theirs = on_emulator(case)
        except Unmapped:
            continue
        name = case.decoded.instruction.name
        if ours[0] == 3:  # an index, or a word of the stack, has made it odd
            continue
        if not differ(ours, other, theirs):
            agreed[name] += 1
        elif unlike(case, ours, theirs) is None:
            strange.append(
                (name, case.code.hex(), hex(case.sr), ours[0], theirs[0], sorted({*ours[1].items()} ^ {*theirs[1].items()}))
            )
    assert strange == []
    assert {name for name in made.instructions if agreed[name] < 5} <= LEFT_OUT.keys()


@pytest.mark.parametrize("line", [*SILENT, *REFUSED])
def test_in_user_state(line: str) -> None:
    made, rng = machine("m68k/m68000.isa", "mc68000"), random.Random(line)
    coded, width = assemble_line(made, line)
    decoded = decoder_of(made).decode(coded, width)
    assert decoded is not None
    case = state(rng, decoded, bytes(to_cells(coded, width, made)), USER | 0x715)
    ours, theirs = on_oracle(made, case, 0)[0], on_emulator(case)
    assert not differ(ours, ours, theirs)
    assert ours[0] == (8 if line in REFUSED else None)
