"""The stack machine against the Java virtual machine: its encodings against `javap`, its programs against `java`, and
both against what JVMS (the Java Virtual Machine Specification, SE 17) says."""

from __future__ import annotations

import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import small_machines as small

from machines import machine
from popek_grammar.assembly.assemble import assemble, assemble_line
from popek_grammar.assembly.decode import Decoder, encode
from popek_grammar.assembly.disassemble import disassemble_word
from popek_vmm.oracle import Oracle

STACK = machine("stack/stack.isa")
MIN = -(1 << 31)

RUN, CALLEE, STOP, HANDLER, STATIC, LOCALS = 0x100, 0x300, 0x40, 0x80, 0x7000, 280
KINDS = {
    1: "java.lang.ArithmeticException",
    2: "java.lang.NullPointerException",
    3: "java.lang.ArrayIndexOutOfBoundsException",
    4: "java.lang.NegativeArraySizeException",
    5: "java.lang.StackOverflowError",
    6: "java.lang.OutOfMemoryError",
}


@dataclass(frozen=True)
class Program:
    """A method `run()I`, a method `callee(I)I` that it may call as entry 1 of the pool, and what JVMS says comes of it.

    Entry 2 of the pool is a static int, entry 3 the int constant 123456789.
    """

    name: str
    text: str
    result: int | str
    callee: str = "iload_0\nireturn"


def mixed(*pieces: str) -> str:
    """Straight-line code: each piece leaves an int, and all are mixed into one (h = 31 h + piece)."""
    lines = ["iconst_0", "istore_0"]
    for piece in pieces:
        lines += ["iload_0", "bipush 31", "imul", *piece.split("; "), "iadd", "istore_0"]
    return "\n".join([*lines, "iload_0", "ireturn"])


def hashed(*values: int) -> int:
    """What `mixed` makes of pieces with these values."""
    whole = 0
    for value in values:
        whole = (31 * whole + value) & 0xFFFFFFFF
    return whole - (1 << 32) if whole >> 31 else whole


LEAST = "iconst_1; bipush 31; ishl"
"""The least int, as a piece of code."""

ARITHMETIC = {
    f"{LEAST}; iconst_m1; idiv": MIN,  # 6.5 idiv: overflow gives the dividend
    f"{LEAST}; iconst_m1; irem": 0,
    "bipush -7; iconst_2; idiv": -3,  # towards zero
    "bipush -7; iconst_2; irem": -1,  # the sign of the dividend
    f"{LEAST}; ineg": MIN,
    "iconst_1; bipush 33; ishl": 2,  # 6.5 ishl: the low five bits
    "bipush -8; iconst_1; ishr": -4,
    "bipush -8; bipush 28; iushr": 15,
    "sipush 384; i2b": -128,
    "iconst_m1; i2c": 0xFFFF,
    "ldc 3; i2s": -13035,
    "ldc 3; ldc 3; imul": hashed(123456789 * 123456789),
    "bipush 12; bipush 10; iand": 8,
    "bipush 12; bipush 10; ior": 14,
    "bipush 12; bipush 10; ixor": 6,
    "iconst_2; iconst_5; isub": -3,
}

STACK_WORDS = {
    "iconst_5; iconst_2; swap; isub": -3,
    "iconst_5; iconst_2; dup_x1; isub; isub": -1,  # 2 5 2: 5 - 2, then 2 - 3
    "iconst_1; iconst_2; iconst_3; dup_x2; isub; isub; isub": 1,  # 3 1 2 3: 2 - 3, 1 - -1, 3 - 2
    "iconst_5; iconst_2; dup2; isub; isub; isub": 6,  # 5 2 5 2: 5 - 2, 2 - 3, 5 - -1
    "iconst_4; iconst_5; iconst_5; pop2": 4,
    "iconst_4; iconst_3; pop": 4,
    "iconst_4; dup; iadd": 8,
}

CONDITIONS = {"eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "lt": lambda a, b: a < b}
CONDITIONS |= {"ge": lambda a, b: a >= b, "gt": lambda a, b: a > b, "le": lambda a, b: a <= b}


def branches() -> Program:
    """Every comparison, of -1, 0 and 1, one bit each."""
    lines, bits = ["iconst_0", "istore_0"], 0
    for name, holds in CONDITIONS.items():
        for value in ("iconst_m1", "iconst_0", "iconst_1"):
            number = ("iconst_m1", "iconst_0", "iconst_1").index(value) - 1
            for operands, other in ((f"{value}\nif{name}", 0), (f"{value}\niconst_1\nif_icmp{name}", 1)):
                label = f"l{len(lines)}"
                lines += ["iload_0", "iconst_1", "ishl", "istore_0", f"{operands} {label}", "iinc 0, 1", f"{label}:"]
                bits = (2 * bits + (not holds(number, other))) & 0xFFFFFFFF
    whole = bits - (1 << 32) if bits >> 31 else bits
    return Program("branches", "\n".join([*lines, "iload_0", "ireturn"]), whole)


SUM = """
    bipush 10
    newarray int
    astore_1
    iconst_0
    istore_2
fill:
    iload_2
    aload_1
    arraylength
    if_icmpge filled
    aload_1
    iload_2
    iload_2
    iload_2
    imul
    iastore
    iinc 2, 1
    goto fill
filled:
    iconst_0
    istore_3
back:
    iinc 2, -1
    iload_2
    iflt done
    iload_3
    aload_1
    iload_2
    iaload
    iadd
    istore_3
    goto back
done:
    iload_3
    ireturn
"""

FIBONACCI = """
    iload_0
    iconst_2
    if_icmpge more
    iload_0
    ireturn
more:
    iload_0
    iconst_1
    isub
    invokestatic 1
    iload_0
    iconst_2
    isub
    invokestatic 1
    iadd
    ireturn
"""

REFERENCES = """
    iconst_1
    newarray int
    astore_1
    aconst_null
    astore_2
    aload_2
    ifnonnull wrong
    aload_1
    ifnull wrong
    aload_1
    aload_1
    if_acmpne wrong
    aload_1
    aload_2
    if_acmpeq wrong
    iconst_5
    ireturn
wrong:
    iconst_0
    ireturn
"""

WIDE = """
    sipush 1000
    wide.istore 270
    wide.iinc 270, -2000
    wide.iload 270
    istore 200
    iload 200
    ireturn
"""

PROGRAMS = (
    Program("arithmetic (6.5)", mixed(*ARITHMETIC), hashed(*ARITHMETIC.values())),
    Program("stack words (6.5)", mixed(*STACK_WORDS), hashed(*STACK_WORDS.values())),
    branches(),
    Program("a sum of squares (3.9)", SUM, 285),
    Program("recursion (3.6)", "bipush 7\ninvokestatic 1\nireturn", 13, FIBONACCI),
    Program("references (6.5)", REFERENCES, 5),
    Program("wide (6.5)", WIDE, -1000),
    Program("static fields", "bipush 9\nputstatic 2\ngetstatic 2\ngetstatic 2\nimul\nireturn", 81),
    Program("a fresh array is zero (2.3)", "iconst_5\nnewarray int\niconst_3\niaload\nireturn", 0),
    Program("division by zero", "iconst_1\niconst_0\nidiv\nireturn", KINDS[1]),
    Program("a null array", "aconst_null\niconst_0\niaload\nireturn", KINDS[2]),
    Program("an index too large", "iconst_2\nnewarray int\niconst_2\niaload\nireturn", KINDS[3]),
    Program("a negative index", "iconst_2\nnewarray int\niconst_m1\niaload\nireturn", KINDS[3]),
    Program("a negative size", "iconst_m1\nnewarray int\narraylength\nireturn", KINDS[4]),
    Program("a null exception", "aconst_null\nathrow", KINDS[2]),
    Program("recursion without end", "iconst_0\ninvokestatic 1\nireturn", KINDS[5], "iload_0\ninvokestatic 1\nireturn"),
)


def code(text: str, origin: int) -> bytes:
    return bytes(assemble(STACK, text, origin).image()[1])


def ran(program: Program) -> int | str:
    """The program on the oracle: the int that it returns, or the exception that nobody caught."""
    oracle = Oracle(STACK)
    oracle.load(code(program.text, RUN), RUN)
    oracle.load(code(program.callee, CALLEE), CALLEE)
    method = CALLEE << 16 | 1 << 8 | 4
    for index, entry in ((1, method), (2, STATIC), (3, 123456789)):
        oracle.load(struct.pack(">I", entry), 4 * index)
    frame = oracle.scalars["fp"] + 4 * LOCALS
    oracle.load(struct.pack(">HHI", STOP, oracle.scalars["fp"], oracle.scalars["link"]), frame)
    oracle.set_state({"pc": RUN, "link": frame, "sp": frame + 8}, {})
    for _ in range(5000):
        oracle.step()
        if oracle.scalars["pc"] == HANDLER:
            return KINDS[oracle.scalars["thrown"]]
        if oracle.scalars["pc"] == STOP:
            top = oracle.scalars["sp"] - 4
            cells = bytes(oracle.arrays["ram"].get(top + n, 0) for n in range(4))
            return int.from_bytes(cells, "big", signed=True)
    raise AssertionError("the program does not end")


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_programs_do_what_the_specification_says(program: Program) -> None:
    assert ran(program) == program.result


@pytest.mark.skipif(shutil.which("java") is None, reason="needs a Java virtual machine")
def test_a_java_virtual_machine_agrees(tmp_path: Path) -> None:
    """The same bytes as the code of class files (version 49: checked without stack maps, JVMS 4.10.2)."""
    for number, program in enumerate(PROGRAMS):
        following = f"P{number + 1}" if number + 1 < len(PROGRAMS) else ""
        (tmp_path / f"P{number}.class").write_bytes(
            class_file(f"P{number}", code(program.text, RUN), code(program.callee, CALLEE), following)
        )
    command = ["java", "-Xss512k", "-cp", str(tmp_path), "P0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    said = [line.partition(":")[0] for line in done.stdout.splitlines()]
    assert said == [str(program.result) for program in PROGRAMS], done.stderr


# -- class files (JVMS 4) -----------------------------------------------------------------------------------------------


class Pool:
    """The constant pool; the first three entries are those that programs name."""

    def __init__(self) -> None:
        self.entries: list[bytes] = [b""] * 3

    def add(self, entry: bytes) -> int:
        if entry not in self.entries:
            self.entries.append(entry)
        return self.entries.index(entry) + 1

    def text(self, text: str) -> int:
        return self.add(struct.pack(">BH", 1, len(text)) + text.encode())

    def named(self, tag: int, *parts: int) -> int:
        return self.add(struct.pack(">B" + "H" * len(parts), tag, *parts))

    def clazz(self, name: str) -> int:
        return self.named(7, self.text(name))

    def member(self, tag: int, owner: str, name: str, kind: str) -> bytes:
        described = self.named(12, self.text(name), self.text(kind))
        return struct.pack(">BHH", tag, self.clazz(owner), described)


def class_file(name: str, run_code: bytes, callee_code: bytes, following: str = "") -> bytes:
    """A class whose `main` prints what `run` returns or throws, and goes on with the next class."""
    pool = Pool()
    pool.entries[0] = pool.member(10, name, "callee", "(I)I")
    pool.entries[1] = pool.member(9, name, "field", "I")
    pool.entries[2] = struct.pack(">Bi", 3, 123456789)
    out = pool.add(pool.member(9, "java/lang/System", "out", "Ljava/io/PrintStream;"))
    number = pool.add(pool.member(10, "java/io/PrintStream", "println", "(I)V"))
    thing = pool.add(pool.member(10, "java/io/PrintStream", "println", "(Ljava/lang/Object;)V"))
    run = pool.add(pool.member(10, name, "run", "()I"))
    shown = struct.pack(">BHBHBBH", 0xB8, run, 0xB2, out, 0x5F, 0xB6, number) + b"\xa7\x00\x0a"
    caught = struct.pack(">BHBBH", 0xB2, out, 0x5F, 0xB6, thing)
    then = pool.add(pool.member(10, following, "main", "([Ljava/lang/String;)V")) if following else 0
    last = b"\x01" + struct.pack(">BH", 0xB8, then) + b"\xb1" if following else b"\xb1"
    table = struct.pack(">HHHHH", 1, 0, len(shown), len(shown), 0)
    methods = [
        method(pool, "run", "()I", run_code),
        method(pool, "callee", "(I)I", callee_code),
        method(pool, "main", "([Ljava/lang/String;)V", shown + caught + last, table),
    ]
    field = struct.pack(">HHHH", 8, pool.text("field"), pool.text("I"), 0)
    this, above = pool.clazz(name), pool.clazz("java/lang/Object")
    head = struct.pack(">IHHH", 0xCAFEBABE, 0, 49, len(pool.entries) + 1) + b"".join(pool.entries)
    body = struct.pack(">HHHHH", 0x21, this, above, 0, 1) + field
    return head + body + struct.pack(">H", len(methods)) + b"".join(methods) + struct.pack(">H", 0)


def method(pool: Pool, name: str, kind: str, body: bytes, table: bytes = b"\0\0") -> bytes:
    attribute = struct.pack(">HHI", 20, LOCALS, len(body)) + body + table + b"\0\0"
    head = struct.pack(">HHHH", 9, pool.text(name), pool.text(kind), 1)
    return head + struct.pack(">HI", pool.text("Code"), len(attribute)) + attribute


# -- encodings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STACK.instructions)
def test_encodings_round_trip(name: str) -> None:
    """Encoded, decoded, printed and assembled again, at the corners of the operands."""
    (encoding,) = STACK.instructions[name].encodings
    for operands in small.corner_operands(encoding):
        word, width = encode(STACK, encoding, operands)
        found = Decoder(STACK).decode_cells(lambda n, word=word, width=width: word >> (width - 8 - 8 * n) & 0xFF)
        assert found is not None
        assert (found.instruction.name, found.operands) == (name, operands)
        text = disassemble_word(STACK, word, width, 0x100)
        assert text is not None
        assert assemble_line(STACK, text, 0x100) == (word, width)


@pytest.mark.skipif(shutil.which("javap") is None, reason="needs a Java development kit")
def test_javap_reads_the_same_mnemonics(tmp_path: Path) -> None:
    """Each instruction once, with small operands: its length and its name, `wide iload` being iload_w there."""
    body, expected = b"", []
    for name, instruction in STACK.instructions.items():
        (encoding,) = instruction.encodings
        entry = {"ldc": 3, "getstatic": 2, "putstatic": 2}.get(name, 1)
        word, width = encode(STACK, encoding, {piece.operand: entry for piece in encoding.pieces})
        plain = name.removeprefix("wide_") + "_w" if name.startswith("wide_") else name
        expected.append((len(body), {"goto_": "goto", "return_void": "return"}.get(plain, plain)))
        body += word.to_bytes(width // 8, "big")
    (tmp_path / "All.class").write_bytes(class_file("All", body, code("iload_0\nireturn", 0)))
    command = ["javap", "-c", "-p", str(tmp_path / "All.class")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    listing = done.stdout.partition("run();")[2].partition("int callee")[0]
    lines = [line.split() for line in listing.splitlines() if line.strip()[:1].isdigit()]
    assert [(int(at.rstrip(":")), mnemonic) for at, mnemonic, *_ in lines] == expected
