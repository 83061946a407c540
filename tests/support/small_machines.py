"""Small machines built by hand, for tests that need encodings but no parser."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product

from popek_grammar import machine as m

SPAN = m.Span("hand.isa", 1, 1, 1, 2)
MODES = m.Modes((("U", 0), ("S", 1), ("M", 3)), 2)


def scalar(name: str, width: int, role: m.Role = m.Role.GUEST, doc: str = "") -> m.Scalar:
    return m.Scalar(name, m.Bits(width), width, role, None, None, doc, SPAN)


def file(name: str, count: int, width: int, names: str = "", zero_at: int | None = None) -> m.Array:
    index = max(1, (count - 1).bit_length())
    return m.Array(name, index, width, count, False, False, m.Role.GUEST, zero_at, tuple(names.split()), "", SPAN)


def memory(name: str, index: int, width: int = 8, big: bool = False) -> m.Array:
    return m.Array(name, index, width, 1 << index, True, big, m.Role.GUEST, None, (), "", SPAN)


def encoding(line: str, asm: str, choices: tuple[tuple[str, int], ...] = (), **fixed: int) -> m.Encoding:
    """An encoding from the items of an `enc` clause; `fixed` fills in a family's fields."""
    parts: list[tuple[int, int | None, str, int, int]] = []
    for item in line.split():
        if re.fullmatch("[01]+", item):
            parts.append((len(item), int(item, 2), "", 0, 0))
        elif ":" in item and "[" not in item:
            name, size = item.split(":")
            parts.append((int(size), fixed.get(name), name, int(size) - 1, 0))
        else:
            name, ranges = item.rstrip("]").split("[")
            for hi, lo in (([*map(int, r.split(":"))] * 2)[:2] for r in ranges.split("|")):
                parts.append((hi - lo + 1, None, name, hi, lo))
    width = at = sum(part[0] for part in parts)
    mask = value = 0
    pieces = []
    for taken, bits, name, hi, lo in parts:
        at -= taken
        if bits is None:
            pieces.append(m.Piece(name, hi, lo, at))
        else:
            mask, value = mask | ((1 << taken) - 1) << at, value | bits << at
    return m.Encoding(width, mask, value, tuple(pieces), choices, tuple(fixed.items()), asm)


def instruction(name: str, *encodings: m.Encoding, clause: str = "", over: tuple[str, ...] = ()) -> m.Instruction:
    present: dict[str, int] = {}
    for each in encodings:
        for piece in each.pieces:
            bits = ((1 << (piece.hi - piece.lo + 1)) - 1) << piece.lo
            present[piece.operand] = present.get(piece.operand, 0) | bits
    operands = tuple(m.Operand(operand, bits.bit_length(), bits, SPAN) for operand, bits in present.items())
    return m.Instruction(name, clause or name, encodings, operands, (), (), (), (), over, (), (), "", SPAN)


def family(clause: str, members: dict[str, dict[str, int]], line: str, asm: str) -> list[m.Instruction]:
    """One instruction for each member of an `ops` clause."""
    enum = m.EnumType(next(iter(next(iter(members.values())))), tuple(members))
    made = []
    for ordinal, (name, fixed) in enumerate(members.items()):
        one = instruction(name, encoding(line, asm.replace("{op}", name.replace("_", ".")), (), **fixed), clause=clause)
        made.append(replace(one, constants=((enum.name, ordinal, enum),)))
    return made


def machine(
    instructions: list[m.Instruction],
    order: str = "little",
    parcel: int = 16,
    arrays: tuple[m.Array, ...] = (),
    kinds: dict[str, tuple[str, int]] | None = None,
    aliases: dict[str, str] | None = None,
    csrs: dict[int, str] | None = None,
    pc_width: int = 32,
) -> m.Machine:
    ram = next((array.name for array in arrays if array.memory), None)
    space = m.CsrSpace("csr12", 12, (), ()) if csrs else None
    return m.Machine(
        name="hand", config="default", title="", manual="", files=(), parameters={}, extensions={},
        configs=("default",), order=order, parcel=parcel, modes=MODES, pc="pc", mode=None, main_memory=ram,
        scalars={"pc": scalar("pc", pc_width)}, arrays={array.name: array for array in arrays}, registers={},
        csrs=csrs or {}, csr_space=space, causes=m.Causes((), (), 5), faults={}, acting=None, layouts={}, functions={},
        fragments={}, instructions={i.name: i for i in instructions},
        operand_kinds={name: m.OperandKind(name, *kind) for name, kind in (kinds or {}).items()},
        aliases=tuple(m.Alias(pattern, text, SPAN) for pattern, text in (aliases or {}).items()), otherwise=None,
        trap_stacks={}, delegate=None, interrupts=None, translations={}, protections={}, placements={}, program=(),
        theorems={},
    )  # fmt: skip


# -- three machines, one for each storage order ----------------------------------------------------------------------

X_NAMES = "zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6"


def little() -> m.Machine:
    """16- and 32-bit words of 16-bit parcels, an `over`, scattered immediates, aliases and CSRs."""
    immediate = {"addi": {"op": 0}, "xori": {"op": 4}, "slt_i": {"op": 2}}
    instructions = [
        *family("itype", immediate, "imm[11:0] rs1:5 op:3 rd:5 0010011", "{op} {rd}, {rs1}, {imm:s}"),
        instruction("lui", encoding("imm[31:12] rd:5 0110111", "lui {rd}, {imm:x}")),
        instruction("lw", encoding("imm[11:0] rs1:5 010 rd:5 0000011", "lw {rd}, {imm:s}({rs1})")),
        instruction("beq", encoding("imm[12|10:5] rs2:5 rs1:5 000 imm[4:1|11] 1100011", "beq {rs1}, {rs2}, {imm:pcrel}")),
        instruction("jal", encoding("imm[20|10:1|11|19:12] rd:5 1101111", "jal {rd}, {imm:pcrel}")),
        instruction("csrrw", encoding("csr:12 rs1:5 001 rd:5 1110011", "csrrw {rd}, {csr}, {rs1}")),
        instruction("fence", encoding("fm:4 pred:4 succ:4 rs1:5 000 rd:5 0001111", "fence")),
        instruction("mret", encoding("0011000 00010 00000 000 00000 1110011", "mret")),
        instruction("c_mv", encoding("1000 rd:5 rs2:5 10", "c.mv {rd}, {rs2}")),
        instruction("c_jr", encoding("1000 rs1:5 00000 10", "c.jr {rs1}"), over=("c_mv",)),
        instruction("c_lw", encoding("010 imm[5:3] rs1p:3 imm[2|6] rdp:3 00", "c.lw {rdp}, {imm}({rs1p})")),
    ]
    kinds = dict.fromkeys(("rd", "rs1", "rs2"), ("X", 0)) | dict.fromkeys(("rdp", "rs1p"), ("X", 8))
    aliases = {"mv {rd}, {rs1}": "addi {rd}, {rs1}, 0", "j {imm}": "jal zero, {imm}", "nop": "mv x0, x0"}
    return machine(
        instructions, arrays=(file("X", 32, 32, X_NAMES, 0), memory("ram", 32)), kinds=kinds | {"csr": ("csr12", 0)},
        aliases=aliases, csrs={0x300: "mstatus", 0x341: "mepc"},
    )  # fmt: skip


MODRM = {
    "direct": ("11 reg:3 rm:3", "{rm}"),
    "sib": ("00 reg:3 100 scale:2 index:3 base:3", "[{base}+{index}*{scale}]"),
    "disp32": ("00 reg:3 101 disp:32", "[{disp:x}]"),
    "base": ("00 reg:3 rm:3", "[{rm}]"),
    "disp8": ("01 reg:3 rm:3 short:8", "[{rm}+{short:s}]"),
}


def with_modrm(name: str, opcode: str, asm: str, tail: str = "") -> m.Instruction:
    encodings = []
    for ordinal, (line, text) in enumerate(MODRM.values()):
        filled = asm.replace("{modrm}", text)
        encodings.append(encoding(f"{opcode} {line} {tail}".strip(), filled, (("modrm", ordinal),)))
    return instruction(name, *encodings)


def stream() -> m.Machine:
    """A byte stream with fragments: encodings of many lengths, two that print alike, immediates low byte first."""
    instructions = [
        with_modrm("mov_load", "10001011", "mov {reg}, {modrm}"),
        with_modrm("mov_store", "10001001", "mov {modrm}, {reg}"),
        with_modrm("mov_i", "11000111", "movi {modrm}, {imm:x}", "imm:32"),
        instruction("push", encoding("01010 reg:3", "push {reg}")),
        instruction("int", encoding("11001101 vector:8", "int {vector:x}")),
        instruction("jmp_short", encoding("11101011 rel:8", "jmp {rel:nextrel}")),
        instruction("jmp", encoding("11101001 far:32", "jmp {far:nextrel}")),
        instruction("hlt", encoding("11110100", "hlt")),
    ]
    names = "eax ecx edx ebx esp ebp esi edi"
    kinds = dict.fromkeys(("reg", "rm", "base", "index"), ("R", 0))
    return machine(instructions, "stream", 8, (file("R", 8, 32, names), memory("ram", 32)), kinds)


def big() -> m.Machine:
    """Big-endian halfword parcels, words of 2, 4 and 6 bytes, no register names."""
    instructions = [
        instruction("ar", encoding("00011010 r1:4 r2:4", "ar {r1}, {r2}")),
        instruction("l", encoding("01011000 r1:4 x2:4 b2:4 d2:12", "l {r1}, {d2}({x2}, {b2})")),
        instruction("mvc", encoding("11010010 n:8 b1:4 d1:12 b2:4 d2:12", "mvc {d1}({n}, {b1}), {d2}({b2})")),
        instruction("ssm", encoding("10000000 00000000 b2:4 d2:12", "ssm {d2}({b2})")),
    ]
    kinds = dict.fromkeys(("r1", "r2", "x2", "b1", "b2"), ("G", 0))
    return machine(instructions, "big", 16, (file("G", 16, 32), memory("ram", 24, big=True)), kinds)


ALL = {"little": little, "stream": stream, "big": big}


def every_encoding(of: m.Machine) -> list[tuple[m.Instruction, m.Encoding]]:
    return [(i, e) for i in of.instructions.values() for e in i.encodings]


def corner_operands(encoding: m.Encoding) -> list[dict[str, int]]:
    """All zeros, all ones, and each operand alone at one."""
    full: dict[str, int] = {}
    for piece in encoding.pieces:
        full[piece.operand] = full.get(piece.operand, 0) | ((1 << (piece.hi - piece.lo + 1)) - 1) << piece.lo
    lowest = {name: bits & -bits for name, bits in full.items()}
    corners = [dict(zip(full, values, strict=True)) for values in product(*((0, full[name]) for name in full))][:16]
    return [*corners, lowest, *({**dict.fromkeys(full, 0), name: bit} for name, bit in lowest.items())]
