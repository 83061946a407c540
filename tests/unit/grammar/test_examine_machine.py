"""The sample machine resolves in each configuration, and its parts come out as declared."""

from __future__ import annotations

import pytest
from examine_samples import RV, changed

from popek_grammar import machine as m
from popek_grammar.elaborate import elaborate, elaborate_with_problems
from popek_grammar.text.diagnostics import Diagnostic
from popek_grammar.text.source import load_texts


@pytest.fixture(scope="module", params=["full", "small"])
def machine(request: pytest.FixtureRequest) -> m.Machine:
    return elaborate(load_texts({"rv.isa": RV}), request.param)


@pytest.fixture(scope="module")
def full() -> m.Machine:
    return elaborate(load_texts({"rv.isa": RV}), "full")


def test_widths_follow_the_configuration(machine: m.Machine) -> None:
    assert machine.scalars["pc"].width == machine.parameters["XLEN"] == {"full": 64, "small": 32}[machine.config]


def test_a_mode_that_is_off_is_absent(machine: m.Machine) -> None:
    assert ("S" in dict(machine.modes.members)) == (machine.config == "full")
    assert ("sret" in machine.instructions) == (machine.config == "full")
    assert ("satp" in machine.registers) == (machine.config == "full")


def test_interrupts_are_told_from_exceptions(full: m.Machine) -> None:
    assert full.causes.find("MTI").interrupt
    assert not full.causes.find("breakpoint").interrupt


def test_fields_are_flattened(full: m.Machine) -> None:
    assert full.scalars["mstatus.MPP"].legal == ((0, 0), (1, 1), (3, 3))
    assert full.scalars["mepc"].width == 64
    assert (full.arrays["seg.base"].count, full.arrays["seg.base"].width) == (6, 32)


def test_views_share_the_stored_fields(full: m.Machine) -> None:
    view = {part.name: part.state for part in full.registers["sstatus"].fields}
    assert view["SIE"] == "mstatus.SIE"
    assert full.csrs[0x100] == "sstatus"


def test_a_csr_array_is_one_register_each(full: m.Machine) -> None:
    assert [full.csrs[0xB00 + i] for i in range(3, 7)] == ["mhpm3", "mhpm4", "mhpm5", "mhpm6"]


def test_a_family_is_one_instruction_a_member(full: m.Machine) -> None:
    andi = full.instructions["andi"]
    assert (andi.clause, andi.encodings[0].mask, andi.encodings[0].value) == ("itype", 0x707F, 0x7013)
    assert andi.constants == (("op", 5, m.EnumType("op", ("addi", "slti", "sltiu", "xori", "ori", "andi"))),)
    assert andi.encodings[0].asm == "andi {rd}, {rs1}, {imm:s}"


def test_scattered_operands(full: m.Machine) -> None:
    beq = full.instructions["beq"]
    imm = next(operand for operand in beq.operands if operand.name == "imm")
    assert (imm.width, imm.present) == (13, 0x1FFE)
    assert sum(piece.hi - piece.lo + 1 for piece in beq.encodings[0].pieces if piece.operand == "imm") == 12


def test_walks_are_resolved_level_by_level(full: m.Machine) -> None:
    (walk,) = [part for part in full.translations["Sv39"].body if isinstance(part, m.Walk)]
    assert [level for level, _ in walk.levels] == [2, 1, 0]


def test_csr_operands_split(full: m.Machine) -> None:
    assert full.instructions["csrrw"].split == ("csr",)


def problems(text: str) -> list[Diagnostic]:
    return elaborate_with_problems(load_texts({"rv.isa": text}), "full")[1]


def test_the_sample_has_no_problems() -> None:
    assert problems(RV) == []


def test_one_wrong_register_is_one_error() -> None:
    found = problems(changed(RV, "role map     reset 0\n  SUM", "role mapp     reset 0\n  SUM"))
    assert [(d.code, d.help) for d in found] == [("E0201", "did you mean `map`?")]


def test_one_wrong_let_is_one_error() -> None:
    found = problems(changed(RV, "let a = X[rs1]\n", "let a = X[rs7]\n"))
    assert [d.message for d in found] == ["unknown name `rs7`"]


def small(*lines: str) -> tuple[m.Machine | None, list[Diagnostic]]:
    """A machine of one 8-bit accumulator with these clauses, and what is wrong with it."""
    first = ("isa t { encoding big parcel 8 }", "state { pc : bits(8)\n A : bits(8)\n ram : mem(8 -> 8) }")
    return elaborate_with_problems(load_texts({"t.isa": "\n".join((*first, *lines))}), None)


def test_octal_numbers() -> None:
    """Three bits a digit when nothing decides; otherwise the width that is met."""
    made, found = small("instr a { enc 00000000\n do { A = 0o17 @ 0b01\n if A == 0o175 { A = 0o3 } } }")
    assert (made is not None, found) == (True, [])
    _, found = small("instr a { enc 00000000\n do { A = 0o17 @ 0b1 } }")
    assert [problem.code for problem in found] == ["E0231"]
    _, found = small("instr a { enc 00000000\n do { A = 0o400 } }")
    assert [problem.code for problem in found] == ["E0233"]


INDEXED = "fragment address { alt plain enc 00 y:2 let x = 0\n alt indexed enc i:2 y:2 let x = zext(i, 8) }"


def test_over_with_alternatives_inside_each_other() -> None:
    """An encoding inside one of the outer clause's may cut across another of them."""
    outer = "instr outer { enc n:4 address\n do { A = zext(n @ y) + x } }"
    inner = "instr inner { enc 0001 address\n over outer\n do { A = zext(y) + x } }"
    _, found = small(INDEXED, outer, inner)
    assert found == []
    _, found = small(INDEXED, outer, inner.replace("over outer\n", ""))
    assert {problem.code for problem in found} == {"E0290"}
