"""The assembler: lines, programs, and what it says of lines that fit nothing."""

from __future__ import annotations

import pytest
import small_machines as small

from machines import machine
from popek_grammar.assembly.assemble import assemble, assemble_line
from popek_grammar.assembly.disassemble import disassemble_word
from popek_grammar.elaborate import elaborate
from popek_grammar.machine import Machine
from popek_grammar.text.diagnostics import Diagnostic, SpecError, render
from popek_grammar.text.source import load_texts


def hex_of(order: str, text: str, pc: int = 0) -> str:
    machine = small.ALL[order]()
    program = assemble(machine, text, pc)
    return " ".join(f"{cell:02x}" for cell in program.image()[1])


def complaint(order: str, text: str) -> Diagnostic:
    with pytest.raises(SpecError) as caught:
        assemble(small.ALL[order](), text)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic


@pytest.mark.parametrize(
    ("order", "text", "expected"),
    [
        ("little", "addi a1, a0, -4", "93 05 c5 ff"),
        ("little", "  ADDI  x11 ,x10,-0x4  ", "93 05 c5 ff"),
        ("little", "slt.i a1, a0, 0", "93 25 05 00"),
        ("little", "lw a0, 8(sp)", "03 25 81 00"),
        ("little", "lw a0, (2 + 2) * 2 ( x2 )", "03 25 81 00"),
        ("little", "lui a5, 0x12345000", "b7 57 34 12"),
        ("little", "addi a1, a0, 0o7_4", "93 05 c5 03"),
        ("little", "csrrw zero, mstatus, a0", "73 10 05 30"),
        ("little", "csrrw zero, 0x7c0, a0", "73 10 05 7c"),
        ("little", "mv a0, a1", "13 85 05 00"),
        ("little", "nop", "13 00 00 00"),
        ("little", "c.lw s0, 4(a5)", "c0 43"),
        ("little", "c.mv a0, a1", "2e 85"),
        ("stream", "mov eax, ebx", "8b c3"),
        ("stream", "mov eax, ebx {2}", "89 d8"),
        ("stream", "mov eax, [ecx+edx*2]", "8b 04 91"),
        ("stream", "mov eax, [ecx+8]", "8b 41 08"),
        ("stream", "mov eax, [ecx-8]", "8b 41 f8"),
        ("stream", "mov eax, [0x12345678]", "8b 05 78 56 34 12"),
        ("stream", "movi [ebx+4], -1", "c7 43 04 ff ff ff ff"),
        ("big", "ar g1, g2", "1a 12"),
        ("big", "mvc 0(7, g1), 8(g2)", "d2 07 10 00 20 08"),
    ],
)
def test_a_line(order: str, text: str, expected: str) -> None:
    assert hex_of(order, text) == expected


@pytest.mark.parametrize("text", ["beq a0, a1, 0x1010", "beq a0, a1, . + 0x10"])
def test_targets_are_relative_to_the_line(text: str) -> None:
    machine = small.little()
    assert assemble_line(machine, text, 0x1000) == assemble_line(machine, "beq a0, a1, 16", 0)
    assert assemble_line(machine, "beq a0, a1, there", 0, {"there": 16}) == assemble_line(machine, "beq a0, a1, 16")


def test_a_program_with_labels_and_data() -> None:
    program = assemble(
        small.little(),
        """
        .equ SIZE, 3 * 4          ; a constant
        start:  addi a0, zero, SIZE
        loop:   beq a0, a1, done  # forwards
                j loop            // backwards
        done:   mret
                .align 3
        data:   .half 0x1234, -1
                .byte 'A'
                .space 1
                .word done
                .dword 1 << 40
        """,
        0x100,
    )
    assert program.labels == {"SIZE": 12, "start": 0x100, "loop": 0x104, "done": 0x10C, "data": 0x110}
    assert program.image() == (
        0x100,
        list(bytes.fromhex("13 05 c0 00  63 04 b5 00  6f f0 df ff  73 00 20 30"))
        + list(bytes.fromhex("34 12 ff ff 41 00 0c 01 00 00 00 00 00 00 00 01 00 00")),
    )
    assert program.listing[0].text == "addi a0, zero, SIZE"
    assert program.render().splitlines()[1].split() == ["104:", "63", "04", "b5", "00", "beq", "a0,", "a1,", "done"]


def test_lines_take_the_shortest_form_that_reaches() -> None:
    near = "jmp on\n .space 100\non: hlt"
    far = "jmp on\n .space 200\non: hlt"
    assert hex_of("stream", near).startswith("eb 64 ")
    assert hex_of("stream", far).startswith("e9 c8 00 00 00 ")


def test_forms_that_grow_push_others_over_their_limit() -> None:
    text = "a: jmp c\n jmp b\n .space 122\nb: hlt\n .space 3\nc: jmp a"
    program = assemble(small.stream(), text)
    sizes = [len(placed.cells) for placed in program.listing if placed.text.startswith("jmp")]
    assert sizes == [5, 2, 5]


def test_big_memory_has_big_data() -> None:
    assert hex_of("big", ".half 0x1234\n.word 1") == "12 34 00 00 00 01"


def test_org_leaves_gaps() -> None:
    program = assemble(small.stream(), "hlt\n.org 0x1000\nhlt")
    assert dict(program.cells) == {0: 0xF4, 0x1000: 0xF4}
    assert len(program.image()[1]) == 0x1001


@pytest.mark.parametrize(
    ("order", "text", "code", "column", "message", "help"),
    [
        ("little", " adi a0, a1, 1", "E0701", 2, "no instruction is named `adi`", "did you mean `addi`?"),
        ("little", "zzzzzz", "E0701", 1, "no instruction is named `zzzzzz`", ""),
        ("little", "addi a0, a1", "E0702", 1, "the operands of `addi` do not fit its template", ""),
        ("little", "addi a0, a1, 2048", "E0704", 14, "2048 is out of range", "`imm` holds -2048 to 2047"),
        ("little", "addi a0, aa1, 1", "E0703", 10, "expected an X register, found `aa1`", "did you mean `a1`?"),
        ("little", "x: addi a0, a1, y", "E0703", 17, "nothing is named `y`", ""),
        ("little", "beq a0, a1, 3", "E0704", 13, "3 is not a multiple of 2", "`imm` counts by 2"),
        ("little", "beq a0, a1, 0x4000", "E0704", 13, "16384 is too far", "`imm` holds -4096 to 4094"),
        ("little", "c.lw a0, 4(t0)", "E0704", 12, "register `t0` cannot stand here", "one of s0 to a5"),
        ("little", "c.mv a0, zero", "E0704", 1, "with these operands it would be the encoding of `c.jr`", ""),
        ("little", "csrrw a0, mstats, a0", "E0703", 11, "no CSR is named `mstats`", "did you mean `mstatus`?"),
        ("little", ".wrd 1", "E0706", 6, "no directive is named `.wrd`", "did you mean `.word`?"),
        ("little", ".byte 256", "E0702", 7, "256 is out of range", "`.byte` holds -128 to 255"),
        ("little", "a:\na:", "E0705", 1, "label `a` stands twice", ""),
        ("little", "nop\n.org 0\nnop", "E0707", 1, "address 0x0 is filled twice", "move one of the two by `.org`"),
        ("stream", "mov eax, [ebp]", "E0704", 1, "with these operands it would be the encoding of nothing", ""),
        ("stream", "int 0x1ff", "E0704", 5, "511 is out of range", "`vector` holds -128 to 255"),
    ],
)
def test_complaints(order: str, text: str, code: str, column: int, message: str, help: str) -> None:
    found = complaint(order, text)
    assert (found.code, found.span.column, found.message, found.help) == (code, column, message, help)


def test_labels_that_never_settle() -> None:
    found = complaint("little", ".org a + 2\na: nop")
    assert (found.code, found.message) == ("E0708", "the labels depend on their own places")


def test_a_complaint_shows_the_template() -> None:
    found = complaint("little", "\n   lw a0, 9999(sp)")
    assert render(found, {"<asm>": "\n   lw a0, 9999(sp)"}) == (
        "error[E0704]: 9999 is out of range\n"
        "  --> <asm>:2:11\n"
        "   |\n"
        " 2 |    lw a0, 9999(sp)\n"
        "   |           ^^^^ here\n"
        "   = note: written as: lw {rd}, {imm:s}({rs1})\n"
        "   = help: `imm` holds -2048 to 2047"
    )


def test_a_complaint_inside_an_alias_marks_the_line() -> None:
    found = complaint("little", "  j 3")
    assert (found.code, found.span.column, found.span.end_column, found.message) == (
        "E0704", 3, 6, "3 is not a multiple of 2",
    )  # fmt: skip


def test_hidden_operands_are_given_in_braces() -> None:
    machine = small.little()
    assert assemble_line(machine, "fence {pred=0xf, succ=3}") == (0x0F30000F, 32)
    with pytest.raises(SpecError, match="cannot hold nothing = 1"):
        assemble_line(machine, "fence {nothing=1}")


WORDY = """
isa t { encoding little parcel 16 }
state { pc : bits(16)
A : bits(8)
ram : mem(16 -> 8) }
operand cond : names "eq NE _"
instr one { enc 0001 cond:2 imm[9:0]
asm "go{cond} #{imm}" }
instr two { enc 0010 cond:2 to[10:1]
asm "b{cond} {to:pcrel8}" }
"""


def wordy(text: str = WORDY) -> Machine:
    return elaborate(load_texts({"t.isa": text}))


@pytest.mark.parametrize(
    ("text", "word"),
    [("goeq #5", 0x1005), ("GONE #5", 0x1405), ("go #5", 0x1805), ("go3 #5", 0x1C05), ("b 0x104", 0x2BFE), ("bne . + 8", 0x2400)],
)
def test_operands_spelled_by_words(text: str, word: int) -> None:
    """A word, the empty word, a value without one; and a target that is relative to a place after pc."""
    machine = wordy()
    assert assemble_line(machine, text, 0x100) == (word, 16)
    assert assemble_line(machine, disassemble_word(machine, word, 16, 0x100) or "", 0x100) == (word, 16)


def test_a_word_that_is_none() -> None:
    with pytest.raises(SpecError) as caught:
        assemble_line(wordy(), "gonx #5")
    assert [(d.message, d.help) for d in caught.value.diagnostics] == [("`cond` cannot be `nx`", "one of eq, ne")]
    with pytest.raises(SpecError, match="stands twice"):
        wordy(WORDY.replace("NE", "eq"))


def test_a_mark_of_templates_starts_no_comment() -> None:
    """`#` is a comment where no template holds one."""
    assert assemble(wordy(), "go #5 ; five\n go #6 // six").image()[1] == [0x05, 0x18, 0x06, 0x18]
    with pytest.raises(SpecError):
        assemble(wordy(), "go #5 # five")


@pytest.mark.parametrize(("line", "word", "width"), [("mov eax, cs", 0x8CC8, 16), ("push ds", 0x1E, 8), ("push fs", 0x0FA0, 16)])
def test_elements_of_an_array_of_registers_go_by_their_names(line: str, word: int, width: int) -> None:
    made = machine("x86/ia32.isa", "base")
    assert assemble_line(made, line) == (word, width)
    assert disassemble_word(made, word, width) == line
