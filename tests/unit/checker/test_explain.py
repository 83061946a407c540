"""What `explain` derives: bit fields, reads and writes by role, CSR tables, paging and segmentation arithmetic."""

from __future__ import annotations

import json

import pytest
import small_machines as small

from popek_checker.explanation.access import ANY_CSR, instruction_effects
from popek_checker.explanation.explain import (
    as_json,
    explain_csr,
    explain_instruction,
    explain_machine,
    explain_register,
    explain_translation,
)
from popek_checker.explanation.explain_text import as_text
from popek_checker.explanation.explain_views import View
from popek_checker.explanation.paging import derived_levels
from popek_grammar.elaborate import elaborate
from popek_grammar.machine import Machine
from popek_grammar.text.source import load_texts

TOY = """
isa toy { title "Toy"; manual "1"; encoding little parcel 16 }
modes { U = 0 < M = 1 }
state {
  pc    : bits(32)
  X[8]  : bits(32)  zero at 0 names "zero a b c d e f g"
  mode  : mode        role mode   reset M
  ram   : mem(34 -> 8)
  timer : bits(32)    role env
}
operand rd, rs : X
causes (tval: bits(32)) { illegal = 2; page_load = 13; page_store = 15; page_fetch = 12; trap_call = 8 }
fault page { fetch => page_fetch(va), load => page_load(va), store, rmw => page_store(va) }
csr_space csr12 : bits(12) {
  min_mode = mode_of(addr[8:8])
  guard exists(addr) else trap illegal(insn)
  guard mode >= min_mode else trap illegal(insn)
}
/// Status.
csr status at 0x100 : bits(32) min M {
  IE   [0]    rw  role control reset 1
  PIE  [1]    rw  role control
  PM   [2:2]  warl { U, M } else U role control
  /// Pages are on.
  PG   [3]    rw  role map
  SUM  [31]   ro = status.IE
}
csr root at 0x101 : bits(32) min M {
  guard not (mode == M and status.PIE == 1) else trap illegal
  BASE [21:0] rw role map
}
csr epc at 0x102 : bits(32) rw role control
operand n : csr12
register seg[64] : bits(64) { base[31:0] rw role map; limit[63:32] rw role map }
trap_stack M {
  vector = 0x80
  save pc -> epc
  save mode -> status.PM
  save status.IE -> status.PIE
  enter mode = M
  enter status.IE = 0
  leave status.PIE = 1
}
translation two for U when status.PG == 1 {
  va 32
  page 12
  entry bits(32) { V[0]; PPN[31:10] }
  walk i from 1 to 0, base = root.BASE {
    let e = load(base @ va[10 * i + 12 +: 10] @ 0b00)
    if e.V == 0 { fault page }
    yield splice(e.PPN, va, 10 * i)
  }
}
instr load_word {
  enc imm[11:0] rs:3 rd:3 00000000000001
  asm "lw {rd}, {imm:s}({rs})"
  do { X[rd] = load(X[rs] + sext(imm)) }
}
instr arithmetic {
  enc 0000000000 rs:3 op:2 rd:3 00000000000011
  ops op { plus = 00, clock = 01 }
  asm "{op} {rd}, {rs}"
  do { X[rd] = match op with { plus => X[rd] + X[rs], clock => timer } }
}
instr csr_write_any {
  enc 000 n:12 rs:3 00000000000100
  asm "csrw {n}, {rs}"
  do { csr_write(n, X[rs]) }
}
instr leave {
  enc 00000000000000000000000000000111
  asm "leave"
  guard mode == M else trap illegal(insn)
  guard status.PIE == 1
    or timer != 0 else trap illegal
  do { return_from M }
}
otherwise trap illegal(insn)
"""


@pytest.fixture(scope="module")
def toy() -> Machine:
    return elaborate(load_texts({"toy.isa": TOY}))


def test_the_bits_of_an_encoding(toy: Machine) -> None:
    (encoding,) = explain_instruction(toy, "load_word").encodings
    assert [(f.hi, f.lo, f.text, f.fixed) for f in encoding.fields] == [
        (31, 20, "imm", False), (19, 17, "rs", False), (16, 14, "rd", False), (13, 0, "00000000000001", True),
    ]  # fmt: skip


def test_scattered_and_swapped_fields_say_so() -> None:
    (beq,) = explain_instruction(small.little(), "beq").encodings
    assert [f.text for f in beq.fields] == [
        "imm[12]", "imm[10:5]", "rs2", "rs1", "000", "imm[4:1]", "imm[11]", "1100011",
    ]  # fmt: skip
    (jmp,) = explain_instruction(small.stream(), "jmp").encodings
    assert [f.text for f in jmp.fields] == ["11101001", "far (low byte first)"]


def test_a_load_reads_what_its_translation_reads(toy: Machine) -> None:
    view = explain_instruction(toy, "load_word", {"U": "depends", "M": "always"})
    assert view.reads == {"guest": ("X", "ram"), "mode": ("mode",), "map": ("status.PG", "root.BASE")}
    assert view.writes == {"guest": ("X",)}
    assert (view.memory, view.causes) == (("load",), ("page_load",))
    assert "access   U: depends  M: always" in as_text(view)


def test_members_of_a_family_are_told_apart(toy: Machine) -> None:
    assert instruction_effects(toy, toy.instructions["plus"]).reads == ("X",)
    assert instruction_effects(toy, toy.instructions["clock"]).reads == ("timer",)


def test_a_csr_that_an_operand_picks(toy: Machine) -> None:
    effects = instruction_effects(toy, toy.instructions["csr_write_any"])
    assert effects.reads == ("mode", "X")
    assert effects.writes == (ANY_CSR,)
    assert explain_instruction(toy, "csr.write.any").writes == {"csr": (ANY_CSR,)}


def test_a_return_restores_and_leaves(toy: Machine) -> None:
    effects = instruction_effects(toy, toy.instructions["leave"])
    assert effects.writes == ("pc", "mode", "status.IE", "status.PIE")
    assert set(effects.reads) >= {"mode", "timer", "status.PIE", "status.PM", "epc"}


def test_guards_keep_their_order_and_their_words(toy: Machine) -> None:
    view = explain_instruction(toy, "leave", sources={"toy.isa": TOY})
    assert [(guard.text, guard.cause) for guard in view.guards] == [
        ("guard mode == M else trap illegal(insn)", "illegal"),
        ("guard status.PIE == 1 or timer != 0 else trap illegal", "illegal"),
    ]
    assert [guard.text for guard in explain_instruction(toy, "leave").guards] == ["", ""]


def test_a_csr(toy: Machine) -> None:
    view = explain_csr(toy, "status")
    assert view == explain_csr(toy, "0x100")
    assert (view.kind, view.address, view.min_mode, view.width) == ("csr", 0x100, "M", 32)
    assert [(f.name, f.hi, f.lo, f.access, f.role) for f in view.fields] == [
        ("SUM", 31, 31, "ro (computed)", "guest"),
        ("PG", 3, 3, "rw", "map"),
        ("PM", 2, 2, "warl", "control"),
        ("PIE", 1, 1, "rw", "control"),
        ("IE", 0, 0, "rw", "control"),
    ]
    assert view.fields[2].legal == "0, 1" or view.fields[2].legal == "0..1"
    assert view.fields[4].reset == "0x1"
    text = as_text(explain_csr(toy, "root", {"toy.isa": TOY}))
    assert "csr root at 0x101: 32 bits, from mode M up" in text
    assert "guard 1  guard not (mode == M and status.PIE == 1) else trap illegal" in text


def test_registers_files_and_variables(toy: Machine) -> None:
    assert explain_register(toy, "seg").count == 64
    assert explain_register(toy, "X").notes[0] == "X[0] reads zero"
    assert explain_register(toy, "timer").role == "env"
    assert as_text(explain_register(toy, "ram")).startswith("memory ram [17179869184]: 8 bits")


def test_an_unknown_name_suggests_one(toy: Machine) -> None:
    with pytest.raises(KeyError, match="did you mean `load_word`"):
        explain_instruction(toy, "load_wrd")
    with pytest.raises(KeyError, match="no CSR is named `x`"):
        explain_csr(toy, "x")


def test_the_machine(toy: Machine) -> None:
    view = explain_machine(toy)
    assert view.modes == ("U", "M")
    assert view.encodings == {32: 5}
    assert view.state["mode"] == ("mode",)
    assert view.trap_stacks == {"M": ("pc -> epc", "mode -> status.PM", "status.IE -> status.PIE")}
    assert "traps        5 causes" in as_text(view)


def test_every_view_is_json(toy: Machine) -> None:
    views: list[View] = [
        explain_machine(toy), explain_instruction(toy, "leave"), explain_csr(toy, "status"),
        explain_translation(toy, "two"),
    ]  # fmt: skip
    for view in views:
        assert json.loads(json.dumps(as_json(view)))["name"]


# -- paging and segmentation -----------------------------------------------------------------------------------------


def test_levels_of_a_walk(toy: Machine) -> None:
    view = explain_translation(toy, "two")
    assert view.shape.widths == (10, 10, 12)
    assert [(level.number, level.hi, level.lo, level.reach) for level in view.shape.levels] == [
        (1, 31, 22, 1 << 22), (0, 21, 12, 1 << 12),
    ]  # fmt: skip
    assert (view.shape.derived, view.shape.notes, view.modes) == (False, (), ("U",))
    assert view.reads == {"guest": ("ram",), "map": ("status.PG", "root.BASE")}


@pytest.mark.parametrize(
    ("va", "page", "entry", "widths"),
    [
        (36, 11, 64, (1, 8, 8, 8)),
        (32, 11, 64, (5, 8, 8)),
        (32, 12, 32, (10, 10)),
        (39, 12, 64, (9, 9, 9)),
        (48, 12, 64, (9, 9, 9, 9)),
        (12, 12, 32, ()),
        (32, 2, 32, ()),
    ],
)
def test_levels_follow_from_page_and_entry_size(va: int, page: int, entry: int, widths: tuple[int, ...]) -> None:
    levels = derived_levels(va, page, entry)
    assert tuple(level.hi - level.lo + 1 for level in levels) == widths
    assert not levels or (levels[0].hi, levels[-1].lo) == (va - 1, page)


def with_translation(text: str) -> Machine:
    start, end = TOY.index("translation two"), TOY.index("instr load_word")
    return elaborate(load_texts({"toy.isa": TOY[:start] + text + TOY[end:]}))


def test_a_translation_without_slices_is_derived() -> None:
    machine = with_translation("translation t { va 36; page 11; entry bits(64) { V[0] }\n yield trunc(va) }\n")
    view = explain_translation(machine, "t")
    assert view.shape.widths == (1, 8, 8, 8, 11)
    assert "address  36 bits = [ 1 | 8 | 8 | 8 | 11 ]" in as_text(view)
    assert "levels   4, by page and entry size, entries of 64 bits" in as_text(view)


def test_the_largest_segment() -> None:
    body = "let s = va[31:26]\n yield zext(seg[s].base, 34) + zext(va[25:0], 34)"
    machine = with_translation(f"translation t {{ va 32\n {body} }}\n")
    view = explain_translation(machine, "t")
    assert view.shape.widths == (6, 26)
    assert view.shape.segments is not None
    assert (view.shape.segments.count, view.shape.segments.largest) == (64, 2**26)
    assert "selector bits 31..26: 64 segments of at most 2^26 = 67108864" in as_text(view)


def test_address_bits_that_no_level_uses_are_noted() -> None:
    text = TOY[TOY.index("translation two") : TOY.index("instr load_word")]
    view = explain_translation(with_translation(text.replace("+ 12 +: 10", "+ 11 +: 10")), "two")
    assert view.shape.notes == ("address bits 31..31 pick no entry", "the last level leaves 11 bits, the page has 12")


def test_a_whole_page(toy: Machine) -> None:
    assert as_text(explain_instruction(toy, "leave", {"U": "never", "M": "depends"}, {"toy.isa": TOY})) == (
        "instruction leave\n"
        "\n"
        "  leave\n"
        "    31                             0\n"
        "  +----------------------------------+\n"
        "  | 00000000000000000000000000000111 |\n"
        "  +----------------------------------+\n"
        "                   32\n"
        "\n"
        "  guard 1  guard mode == M else trap illegal(insn)\n"
        "  guard 2  guard status.PIE == 1 or timer != 0 else trap illegal\n"
        "  access   U: never  M: depends\n"
        "  reads    mode     mode\n"
        "           control  status.PIE, status.PM, epc\n"
        "           env      timer\n"
        "  writes   guest    pc\n"
        "           mode     mode\n"
        "           control  status.IE, status.PIE\n"
        "  raises   illegal"
    )
