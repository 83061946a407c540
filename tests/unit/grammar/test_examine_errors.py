"""One change to the sample machine, one error: the code, and a word of the message."""

from __future__ import annotations

import pytest
from examine_samples import RV, changed

from popek_grammar.elaborate import elaborate_with_problems
from popek_grammar.text.diagnostics import Diagnostic, SpecError
from popek_grammar.text.source import load_texts

BROKEN = [
    # traps
    ("  save   mstatus.MIE -> mstatus.MPIE\n", "", "E0412", "mstatus.MIE"),
    ("  save   pc          -> mepc\n", "", "E0430", "does not save"),
    ("save   mode        -> mstatus.SPP", "save   mode        -> mstatus.SIE", "E0432", "twice"),
    ("mode   reset M", "guest  reset M", "E0431", "mode M"),
    ("  vector = mtvec\n", "", "E0414", "vector"),
    ("{ return_from M }", "{ return_from Q }", "E0201", "trap stack"),
    ("yield S }; yield M }", "yield S } }", "E0449", "every path"),
    ("  leave  mstatus.SPP = U\n", "  leave  mstatus.SPP = U\n  clobber mstatus.QQ\n", "E0201", "mstatus.QQ"),
    ("interrupt MSI = 3", "interrupt MSI = 7", "E0447", "same code"),
    ("trap illegal_instruction(insn)\n  guard mode >= min", "trap illegal(insn)\n  guard mode >= min", "E0201", "cause"),
    ("length 32 when", "length 24 when", "E0291", "16-bit parcels"),
    ("length 32 when insn[1:0] == 3", "length 32 when insn[1:0]", "E0232", "bool"),
    # CSRs and fields
    ("0x300 : bits(XLEN) min M", "0x300 : bits(XLEN) min S", "E0442", "says M"),
    ("0x300 : bits(XLEN) min M", "0x300 : bits(XLEN) min Q", "E0201", "mode `Q`"),
    ("sepc at 0x141", "sepc at 0x341", "E0440", "0x341"),
    ("sepc at 0x141", "sepc at 0x1141", "E0441", "12 bits"),
    ("MIE  [3] ", "MIE  [1] ", "E0204", "share bits"),
    ("warl { U, S, M }", "warl { U, S, 9 }", "E0223", "2-bit"),
    ("views mstatus { SIE,", "views mstatus { SIQ,", "E0201", "SIQ"),
    ("seg[i].base", "seg.base", "E0261", "array of registers"),
    ("zero at 0", "zero at 40", "E0443", "40"),
    ('names "zero 1', 'names "zero', "E0444", "31 names"),
    ("role env\n  mip", "role mode\n  mip", "E0445", "both"),
    # types
    ("  mip", "  flag : bool role control\n  mip", "E0293", "truth value"),
    ("mstatus.FS == 3", "mstatus.FS == 4", "E0233", "2 bits"),
    ("mstatus.FS == 3", "mstatus.FS", "E0232", "bool"),
    ("jump(pc + sext(imm))", "jump(pc + imm)", "E0231", "13 bits"),
    ("seg[1] = seg[i]", "seg[1] = 0 @ seg[i]", "E0230", "bits(48)"),
    ("let a = X[rs1]\n", "let a = X[rs1] / 0\n", "E0210", "zero"),
    ("let a = X[rs1]\n", "let a = X[rs1][64:3]\n", "E0265", "64 bits"),
    ("andi => a & b }", "}", "E0240", "andi"),
    ("andi => a & b }", "andi => a & b, addi => a }", "E0241", "addi"),
    ("{ pc = to & ~1 }", "{ jump(to) }", "E0279", "itself"),
    ("{ pc = to & ~1 }", "{ fault page }", "E0451", "no meaning"),
    ("for i in 0..3", "for i in 0..100000", "E0272", "100001"),
    ("walk i from 2 to 0", "walk i from 5000 to 0", "E0212", "level"),
    # encodings
    ("op:3 rd:5 0010011", "op:3 rd:5 001001", "E0285", "31 bits"),
    ("imm[12|10:5]", "imm[12|11:5]", "E0282", "twice"),
    ("imm[12|10:5]", "imm[12|9:5]0", "E0283", "middle"),
    ("andi = 111 }", "andi = 110 }", "E0290", "both match"),
    ("andi = 111 }", "andi = 1111 }", "E0289", "4 bits"),
    ("  over  c_mv\n", "", "E0290", "0x8002"),
    ("1000 rd:5 rs2:5 10;", "1000 rd:5 rs2:5 11;", "E0433", "overlap"),
    ('"csrrw {rd},', '"csrrw {rq},', "E0448", "rq"),
    ("parcel 16", "parcel 0", "E0212", "parcel"),
    # configurations and claims
    ("extension C\n", "extension C\nextension C\n", "E0203", "twice"),
    ("extension C\n", "extension C\nextension C conflicts Q\n", "E0201", "extension `Q`"),
    ("extension C\n", "extension C\nextension C conflicts S\n", "E0217", "conflict"),
    ("{32, 64} = 64", "{32, 64} = 48", "E0214", "48"),
    ("config full { XLEN = 64 }", "config full { XLEN = 16 }", "E0214", "16"),
    ("config full { XLEN = 64 }", "config full { XLEN = pc }", "E0211", "constant"),
    ("fails { mret,", "fails { mrt,", "E0201", "mrt"),
    ("role env\n  mip", "role env role map\n  mip", "E0218", "contradicts"),
    ("role env\n  mip", "role env\n  few[4] : bits(8) reset 3\n  mip", "E0219", "`reset` says nothing about an array"),
    ("role env\n  mip", "role env sticky\n  mip", "E0219", "`sticky` is no attribute"),
    ("role env\n  mip", "role env big\n  mip", "E0219", "`big` says nothing about a variable"),
    ("theorem m_mode {", "theorem u_mode {", "E0203", "twice"),
    # texts
    ('"addi {rd}, {rs1}, 0"', '"addi {rd}, {rs}, 0"', "E0454", "`rs`"),
    ('"addi {rd}, {rs1}, 0"', '"adi {rd}, {rs1}, 0"', "E0454", "`adi`"),
    ("program { state X", "program { stat X", "E0201", "stat"),
    ("program { state X", "program { state Y", "E0201", "`Y`"),
    ('program { state X "li {name}', 'program { state "li {name}', "E0422", "names a"),
    ('csr "li t0, {value}', 'csr "li t0, {valu}', "E0201", "valu"),
]


def errors(text: str, config: str | None = "full") -> list[Diagnostic]:
    try:
        _, found = elaborate_with_problems(load_texts({"rv.isa": text}), config)
    except SpecError as error:
        return list(error.diagnostics)
    return [diagnostic for diagnostic in found if diagnostic.severity == "error"]


@pytest.mark.parametrize(("old", "new", "code", "words"), BROKEN, ids=lambda value: str(value)[:24])
def test_a_broken_machine_is_refused(old: str, new: str, code: str, words: str) -> None:
    found = errors(changed(RV, old, new))
    assert any(d.code == code and words in d.message for d in found), [f"{d.code} {d.message}" for d in found]


INSIDE = """
isa t { encoding little parcel 8 }
state { pc : bits(8)
A : bits(8) }
fragment place {
alt low asm "low {n}" enc 0 n:2 let at = 0
alt high asm "high {n}" enc 1 n:2 let at = 1 }
instr outer { enc 001 place r:2
do { A = zext(r) } }
instr inner { enc 001 place 11
over outer }
"""


def test_over_compares_with_every_encoding_of_the_outer_instruction() -> None:
    """Alternatives of a fragment: each inner encoding lies inside one of the outer ones, and need not inside all."""
    assert errors(INSIDE, None) == []
    assert [d.code for d in errors(INSIDE.replace("over outer", ""), None)] == ["E0290"]
    assert "E0290" in [d.code for d in errors(INSIDE.replace("001 place 11", "00 m:1 place 11"), None)]
