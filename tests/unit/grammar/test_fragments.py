"""Fragments, families and overlaps: what is ambiguous is refused where it is written, and the rest can be used."""

from __future__ import annotations

import pytest

from popek_grammar.assembly.assemble import assemble_line
from popek_grammar.assembly.decode import decoder_of
from popek_grammar.assembly.disassemble import disassemble_word
from popek_grammar.elaborate import elaborate, elaborate_with_problems
from popek_grammar.elaborate.reserved import Guards
from popek_grammar.machine import Machine
from popek_grammar.text.source import load_texts
from popek_vmm.oracle import Oracle

HEAD = """
isa t { encoding big parcel 8 }
state { pc : bits(16); A : bits(8); R[4] : bits(8); ram : mem(16 -> 8) }
causes { no = 0 }
otherwise trap no
operand r, q : R
"""


def errors(text: str) -> list[tuple[str, str]]:
    _, found = elaborate_with_problems(load_texts({"t.isa": HEAD + text}))
    return [(problem.code, problem.message) for problem in found if problem.severity == "error"]


def machine(text: str) -> Machine:
    return elaborate(load_texts({"t.isa": HEAD + text}))


# -- fragments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alternatives", "both"),
    [
        ("alt a enc 0 i:2\n alt b enc i:2 0", "000"),
        ("alt a enc 0 i:1 1\n alt b enc 0 i:1 1", "001"),
        ("alt a enc 101\n alt b enc 101", "101"),
        ("alt a enc 111\n alt b enc 0 i:2\n alt c enc j:1 1 0", "010"),
    ],
)
def test_alternatives_that_match_the_same_bits(alternatives: str, both: str) -> None:
    (found,) = errors(
        f"fragment f {{ {alternatives} }}\ninstr a {{ enc 00000 f; do {{ A = 1 }} }}\ninstr b {{ enc 00001 f; do {{ }} }}"
    )
    assert found[0] == "E0292"
    assert found[1].endswith(f"of `f` both match {both}")


def test_an_alternative_may_lie_inside_another() -> None:
    """As addressing modes do whose last register number means something else: the special one is taken."""
    made = machine("fragment f { alt wide enc 0 r:2\n alt narrow enc 011 }\ninstr a { enc 00000 f; do { A = R[r] } }")
    for word, choice in ((0b010, 0), (0b011, 1)):
        found = decoder_of(made).decode(word, 8)
        assert found is not None
        assert found.constants["f.alt"] == choice


def test_two_fragments_that_add_up_alike() -> None:
    """Each keeps its own alternatives apart, by their lengths, and three bytes together can be read both ways."""
    text = """
fragment f { alt a enc 00000001
  alt b enc 00000001 11111111 }
fragment g { alt a enc 11111111 00000011
  alt b enc 00000011 }
instr a { enc f g; do { } }"""
    assert errors(text) == [("E0292", "two choices of alternatives of `a` both match 0x1ff03")]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (
            "fragment f { alt a enc 1 let v = A }\nfragment g { alt a enc 0 let v = 1 }\ninstr a { enc 000000 f g; do { } }",
            "E0295",
        ),
        ("fragment f { alt a enc 1 let r = A }\ninstr a { enc 00000 r:2 f; do { A = r } }", "E0295"),
        ("fragment f { alt a enc r:2 let r = A }\ninstr a { enc 000000 f; do { A = r } }", "E0295"),
        ("fragment f { alt a enc 1 let v = A let v = A + 1 }\ninstr a { enc 0000000 f; do { A = v } }", "E0203"),
        ("fragment f { alt a enc 1 }\ninstr a { enc 000000 f f; do { A = 1 } }", "E0294"),
        (
            "fragment f { alt a enc 1 }\nfragment g { alt a enc f\n alt b enc 0 }\ninstr a { enc 0000000 g; do { A = 1 } }",
            "E0293",
        ),
    ],
)
def test_what_a_fragment_cannot_do(text: str, code: str) -> None:
    """One error each: what uses a fragment that is wrong is not a second."""
    assert [found for found, _ in errors(text)] == [code]


# -- families --------------------------------------------------------------------------------------------------------

FAMILY = """
instr alu {
  enc 00 f:1 n:2 r:2 0
  ops f n { add_b = 0 00, add_w = 0 01, sub_b_ = 1 00 }
  asm "{f} {r}, {n}"
  do { if n == 0 { R[r] = 0x0b } else { R[r] = zext(n) } }
}
"""


@pytest.mark.parametrize(("word", "value"), [(0b00000010, 0x0B), (0b00001010, 1), (0b00100010, 0x0B)])
def test_every_field_of_a_family_can_be_used(word: int, value: int) -> None:
    oracle = Oracle(machine(FAMILY))
    oracle.load([word], 0)
    assert oracle.step().trap is None
    assert oracle.arrays["R"][1] == value


@pytest.mark.parametrize("line", ["add.b r1, 0", "add.w r3, 1", "sub.b r0, 0"])
def test_a_member_is_printed_without_its_last_bar(line: str) -> None:
    """By the name of its field too; the field that is no name is printed as a number."""
    made = machine(FAMILY)
    word, width = assemble_line(made, line)
    assert disassemble_word(made, word, width) == line


def test_a_clause_is_printed_without_its_last_bar() -> None:
    made = machine(
        'instr or_ { enc 00000001; do { A = 1 } }\ninstr a { enc k:1 0000010; ops k { ori_ = 0, ora_ = 1 }; asm "{k} x"; do { } }'
    )
    assert [disassemble_word(made, word, 8) for word in (1, 2, 0x82)] == ["or", "ori x", "ora x"]


# -- overlaps --------------------------------------------------------------------------------------------------------

BRANCHES = """
instr bcc   { enc 0110 c:4; do { if c == 0 { pc = 0 } } }
instr bcc_w { enc 0110 c:4 d:4 0000; over bcc; do { if c == 0 { pc = zext(d) } } }
instr bsr   { enc 0110 0001; over bcc; do { A = 1 } }
"""
THIRD = "instr bsr_w { enc 0110 0001 d:4 0000; over bcc_w, bsr; do { A = d @ 0x2 } }"


def test_a_third_clause_holds_what_two_share() -> None:
    assert [code for code, _ in errors(BRANCHES)] == ["E0433"]
    assert errors(BRANCHES + THIRD) == []
    found = decoder_of(machine(BRANCHES + THIRD)).decode(0x6150, 16)
    assert found is not None
    assert found.instruction.name == "bsr_w"


@pytest.mark.parametrize(
    "third",
    [
        THIRD.replace("over bcc_w, bsr;", "over bcc_w;"),
        THIRD.replace("d:4 0000", "0 d:3 0000").replace("d @ 0x2", "0b0 @ d @ 0x2"),
        THIRD.replace("0110 0001 d:4 0000", "0110 0011 d:4 0000"),
    ],
)
def test_a_third_clause_must_cover_all_of_it_and_say_so(third: str) -> None:
    assert "E0433" in [code for code, _ in errors(BRANCHES + third)]


def test_a_third_clause_of_the_same_length() -> None:
    two = "instr a { enc 0 c:7; do { A = zext(c) } }\ninstr b { enc c:7 1; do { A = zext(c) } }\n"
    assert [code for code, _ in errors(two)] == ["E0290"]
    assert errors(two + "instr both { enc 0 c:6 1; over a, b; do { A = zext(c) } }") == []


def test_operands_where_the_first_bits_are_fetched_are_pointed_at() -> None:
    """One error, whose help names the cause: the machine is big and says little."""
    text = (
        HEAD.replace("big parcel 8", "little parcel 8")
        + "instr a { enc 0000101 r:1; do { A = 1 } }\ninstr b { enc 00011111 a:8; do { A = a } }"
    )
    _, found = elaborate_with_problems(load_texts({"t.isa": text}))
    assert [(p.code, p.help) for p in found] == [
        ("E0433", "of `b` the last bits of `enc` are fetched first, and they are all operands: little or big?")
    ]


# -- reserved encodings ----------------------------------------------------------------------------------------------

RESERVED = """
fn odd(n : bits(2)) -> bool = n[0] == 1
fragment f { alt x asm "x" enc 0 let p = true
 alt y asm "y" enc 1 let p = false }
instr first  { enc 00 0 r:2 q:2 f; asm "add {r}, {q}, {f}"; guard not odd(r) or p else trap no; do { R[r] = 1 } }
instr second { enc 00 1 r:2 q:2 f; asm "add {r}, {q}, {f}"; do { R[r] = 2 } }
instr third  { enc 01 0 r:2 q:2 0; asm "sub {r}, {q}"; guard A == 0 else trap no; do { R[r] = 3 } }
instr fourth { enc 01 1 r:2 q:2 0; asm "sub {r}, {q}"; do { R[r] = 4 } }
instr alone  { enc 10 0 r:2 q:2 0; asm "one {r}, {q}"; guard r != q else trap no; do { R[r] = 5 } }
"""


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("add r0, r2, y", 0b00_0_00_10_1),
        ("add r1, r2, x", 0b00_0_01_10_0),
        ("add r1, r2, y", 0b00_1_01_10_1),
        ("add r1, r2, y {2}", 0b00_0_01_10_1),
        ("add r0, r2, y {2}", 0b00_1_00_10_1),
        ("sub r1, r2", 0b01_0_01_10_0),
        ("one r1, r2", 0b10_0_01_10_0),
        ("one r1, r1", 0b10_0_01_01_0),
    ],
)
def test_a_reserved_encoding_is_taken_last(line: str, word: int) -> None:
    """Where a guard over operands fails, as the body's function and the fragment's binding say; state decides nothing here."""
    made = machine(RESERVED)
    guards = Guards(made)
    assert assemble_line(made, line, guard_holds=guards) == (word, 8)
    assert disassemble_word(made, word, 8, guard_holds=guards) == line


def test_parcels_in_the_wrong_order_are_one_error() -> None:
    """Every long clause overlaps every short one; that is said once, with how often."""
    short = "\n".join(f"instr s{n} {{ enc 001{n:03b} r:2; do {{ A = 1 }} }}" for n in range(8))
    long = "\n".join(f"instr l{n} {{ enc 01{n:06b} a:8; do {{ A = a }} }}" for n in range(5))
    _, found = elaborate_with_problems(
        load_texts({"t.isa": HEAD.replace("big parcel 8", "little parcel 8") + short + "\n" + long})
    )
    assert [problem.code for problem in found] == ["E0433"]
    assert "so do 39 other pairs" in found[0].message


def test_a_clause_that_overlaps_many_is_told_once() -> None:
    """The error is about the clause, not about each that it meets."""
    short = "\n".join(f"instr s{n} {{ enc 001{n:03b} r:2; do {{ A = 1 }} }}" for n in range(8))
    assert [code for code, _ in errors(short + "\ninstr wide { enc 0 i:7 a:7 1; do { A = zext(a) } }")] == ["E0433"]
