"""Lints of the text as it is written, and of guards against one another: each slip is named, and its correct form is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from examine_samples import RV, changed

from machines import FILES, SPEC
from popek_grammar.elaborate import elaborate_with_problems
from popek_grammar.load import lint_machine
from popek_grammar.text.diagnostics import Diagnostic
from popek_grammar.text.source import load_texts

MRET = "  guard mode == M else trap illegal_instruction(insn)\n  do { return_from M }"
SRET = "  guard mode >= S                               else trap illegal_instruction(insn)\n"
LW = "instr lw { enc imm:12 rs1:5 010 rd:5 0000011; do { X[rd] = sext(load(X[rs1] + sext(imm), 32)) } }"
LOADED = "enc imm:12 rs1:5 010 rd:5 0000011; do {"
EBREAK = "do { trap breakpoint(pc) }"
WRITE = "guard not (mode == S and mstatus.TSR == 1) else trap illegal_instruction(insn)\n  PPN"

SLIPS = [
    # what nothing uses
    ("let new = X[rs1]", "let old = X[rd]\n    let new = X[rs1]", "W0501", "`let old` is never used"),
    ("let new = X[rs1]", "let new = X[rd]\n    let new = X[rs1]", "W0501", "`let new` is never used"),
    ("fn jump(to", "fn skip(to: bits(XLEN)) { jump(to) }\nfn jump(to", "W0501", "function `skip`"),
    ("fn jump(to:", "fn skip() { hop() }\nfn hop() { leap() }\nfn leap() { pc = 0 }\nfn jump(to:", "W0501", "`leap`"),
    ("fn jump(to: bits(XLEN)) { pc = to & ~1 }", "fn jump(to: bits(XLEN)) { pc = 0 }", "W0501", "parameter `to`"),
    ("layout pte", "layout word : bits(8) { A[0] }\nlayout pte", "W0501", "layout `word`"),
    ("operand rd, rs1", "operand rd, rs3, rs1", "W0501", "operand `rs3`"),
    ("extension C\n", "extension C\nextension Zfoo\n", "W0501", "extension `Zfoo`"),
    ("param XLEN", "param VLEN in {1, 2} = 1\nparam XLEN", "W0501", "parameter `VLEN`"),
    ("instr lw", 'fragment m { alt a asm "a" enc 0 let f = true }\ninstr lw', "W0501", "fragment `m`"),
    (LW, 'fragment m { alt a enc 0 let f = 1 let g = true\n alt b enc 1 let f = 0 let g = false }\n'
     'instr lw { enc imm:11 m rs1:5 010 rd:5 0000011; do { if g { X[rd] = sext(load(X[rs1] + sext(imm), 32)) } } }',
     "W0501", "uses its `f`"),
    ("  record mtval", "  before { let spare = mtvec }\n  record mtval", "W0501", "`let spare`"),
    ("let e = load(base", "let f = base\n    let e = load(base", "W0501", "`let f`"),
    # what is never taken
    ("fetch => e.X == 1, load => e.R == 1, store | rmw", "fetch => e.X == 1, _ => e.R == 1, store | rmw", "W0502", "behind `_`"),
    ("store | rmw => e.W == 1", "_ => e.W == 1, rmw => e.R == 1", "W0502", "behind `_`"),
    (EBREAK, "do { match mode { U => { trap breakpoint(pc) }, _ => { pc = 0 }, M => { pc = 4 } } }", "W0502", "behind `_`"),
    (EBREAK, "do { if mode == M { pc = 0 } else if mode == U { pc = 4 } else if mode == M { pc = 8 } }", "W0503", "failed"),
    (EBREAK, "do { if mode == M or mode == U { pc = 0 } else if mode == U { pc = 4 } }", "W0503", "failed before"),
    (EBREAK, "do { if mode == M { pc = 0 } else if mode == M and mstatus.TSR == 1 { pc = 4 } }", "W0503", "failed before"),
    (EBREAK, "do { pc = if mode == M then 0 else if mode == U then 4 else if mode == M then 8 else 12 }", "W0503", "failed"),
    # guards
    (MRET, "  guard mode == M else trap breakpoint(pc)\n  guard mode < M else trap breakpoint(pc)\n  do { return_from M }",
     "W0504", "the body of `mret` never runs"),
    (MRET, "  guard mode == M else trap breakpoint(pc)\n  do { guard mode != M else trap breakpoint(pc); return_from M }",
     "W0504", "the body of `mret` never runs"),
    (SRET, "  guard mode >= S and mode == U else trap illegal_instruction(insn)\n", "W0504", "the body of `sret` never runs"),
    (SRET, SRET + "  guard mode != U else trap breakpoint(pc)\n", "W0509", "never fails"),
    (WRITE, "guard mode == S else trap illegal_instruction(insn)\n  guard mode == M else trap illegal_instruction(insn)\n  PPN",
     "W0504", "no access to `satp` completes"),
    (LOADED, "enc imm:12 rs1:5 010 rd:5 0000011; guard imm <s 0 and imm[11:0] == 5 else trap breakpoint(pc); do {", None, ""),
    (LOADED, "enc imm:12 rs1:5 010 rd:5 0000011; guard imm <s 0 else trap breakpoint(pc)\n"
     "guard imm >s 3 else trap breakpoint(pc); do {", "W0504", "the body of `lw` never runs"),
    (MRET, "  do { return_from M }\n  guard mode == M else trap illegal_instruction(insn)", "W0508", "stands after its body"),
    # text and fields
    (LW, 'fragment op { alt a asm "a" enc 0 let f = true\n alt b asm "b" enc 1 let f = false }\n'
     'instr lw { enc imm:11 op rs1:5 010 rd:5 0000011; asm "{op} {rd}"\n'
     'do { X[rd] = if f then sext(load(X[rs1] + sext(imm), 32)) else 0 } }',
     "W0506", "hidden by the mnemonic"),
    (LW, LW + "\n" + LW.replace("lw", "lwu").replace("010", "110").replace("do", 'asm "lw"; do'), "W0507", "text, `lw`"),
    ("else satp.MODE", "else satp.PPN[3:0]", None, ""),
    ("MPP  [12:11]  warl { U, S, M } else U ", "MPP  [12:11]  warl { U, S, M } else mstatus.FS ", "W0505", "copy of mstatus.FS"),
    # what nothing writes
    ("register seg[6] : bits(48) { sel[15:0] rw; base[47:16] rw }", "register seg[6] : bits(49) { sel[15:0] rw; base[47:16] rw\n"
     "G[48] ro }", "W0402", "seg.G"),
    ("X[32] : bits(XLEN)  zero", "Y[4] : bits(8)\n  X[32] : bits(XLEN)  zero", "W0402", "Y"),
]  # fmt: skip


def problems(text: str, config: str = "full") -> list[Diagnostic]:
    return elaborate_with_problems(load_texts({"rv.isa": text}), config)[1]


@pytest.mark.parametrize(("old", "new", "code", "words"), SLIPS, ids=lambda value: str(value)[:24])
def test_a_slip_is_named_where_it_stands(old: str, new: str, code: str | None, words: str) -> None:
    text = changed(RV, old, new)
    found = problems(text)
    assert not [d.message for d in found if d.severity == "error"]
    if code is None:
        assert not found, [f"{d.code} {d.message}" for d in found]
        return
    named = [d for d in found if d.code == code and words in d.message]
    assert named, [f"{d.code} {d.message}" for d in found]
    assert named[0].help or named[0].notes
    first = text.count("\n", 0, text.index(new.split("\n")[0])) + 1
    assert first - 1 <= named[0].span.line <= first + new.count("\n") + 8


def test_the_sample_earns_none() -> None:
    assert problems(RV) == []


def test_what_is_left_out_on_purpose_is_not_named() -> None:
    text = changed(RV, "let new = X[rs1]", "let _ignored = X[rd]\n    let new = X[rs1]")
    assert problems(text) == []


def test_an_assumption_on_what_nothing_can_set_is_named() -> None:
    forgets = "  TSR  [22]     rw                        role control reset 0 when S\n"
    text = changed(RV, forgets, "").replace("mstatus.TSR == 1", "mode2.LOCK == 1")
    forgetful = "csr mode2 at 0x7C0 : bits(XLEN) {\n LOCK [0] rw reset 0\n ON [1] rw reset 0\n write v { mode2.ON = v[1] }\n}\n"
    text = text.replace("csr mepc", forgetful + "csr mepc").replace("assume medeleg == 0", "assume mode2.LOCK == 1")
    found = {d.code: d.message for d in problems(text)}
    assert found["W0402"] == "nothing ever writes mode2.LOCK, which stays 0"
    assert "theorem u_mode assumes `mode2.LOCK == 1`" in found["W0510"]


def test_every_configuration_is_looked_at_and_named(tmp_path: Path) -> None:
    """A finding of all configurations is said once; one of some names them; one configuration can be asked for."""
    path = tmp_path / "rv.isa"
    path.write_text(changed(RV, "let new = X[rs1]", "let old = X[rd]\n    let new = X[rs1]"))
    found = lint_machine(str(path))[0]
    assert [d.message for d in found if d.code == "W0501"] == ["`let old` is never used"]
    assert not [note for d in found if d.code == "W0501" for note in d.notes]
    unread = [d for d in found if d.code == "W0401"]
    assert {note.message for d in unread for note in d.notes} == {"in configuration small"}
    assert not [d for d in lint_machine(str(path), "full")[0] if d.code == "W0401"]


KNOWN = {
    # An image comes with the program; nothing in the system calls that are modelled writes one.
    "nothing ever writes own_image", "nothing ever writes host_image",
    # The configuration `variants` is a hart that does not look at VTSR.
    "hstatus.VTSR has role control, and nothing reads it",
    # WRPKRU is not in the text, and a halted processor is the stepper's.
    "nothing ever writes pkru", "halted has role control, and nothing reads it",
    # So is a stopped one; and the MC68000, whose frames have no format, is a configuration of the MC68010's text.
    "stopped has role control, and nothing reads it", "cause `format_error` is never raised",
}  # fmt: skip


@pytest.mark.parametrize("file", FILES)
def test_the_library_is_clean(file: str) -> None:
    """In every configuration, but for what its texts leave out and say so."""
    assert {d.message for d in lint_machine(str(SPEC / file))[0]} <= KNOWN
