"""What a trap entry keeps, whichever way it is written, and what a return finds again."""

from __future__ import annotations

import pytest

from popek_grammar.elaborate import elaborate, elaborate_with_problems
from popek_grammar.text.diagnostics import Diagnostic
from popek_grammar.text.source import load_texts
from popek_vmm.oracle import Oracle

TEXT = """
isa s {{ title "s"; encoding big parcel 8 }}
modes {{ U = 0 < S = 1 }}
state {{ pc : bits(16); mode : mode role mode reset S; sp : bits(16) reset 0x100; ram : mem(16 -> 8) big }}
register sr : bits(8) {{ T[7] rw role control; S[5] ro = bits(mode); C[0] rw }}
causes (x: bits(16)) {{ illegal = 1; priv = 2 }}
fn packed() -> bits(8) = zext(bits(mode), 8) << 5 | zext(sr.T, 8) << 3 | zext(sr.C)
fn push(v: bits(8)) {{ sp = sp - 1; ram[sp] = v }}
trap_stack S {{
  {before}
  vector = zext(cause.code)
  {save}
  enter mode = S
  enter sr.T = 0
  {more}
}}
instr nop {{ enc 00000000; do {{ }} }}
instr call {{ enc 00000010; do {{ trap priv(0) }} }}
instr ret {{ enc 00000001; guard mode == S else trap priv(0); do {{ {ret} }} }}
otherwise trap illegal(0)
"""
PC = "save pc -> ram[0] @ ram[1]"


def problems(save: str, before: str = "", more: str = "", ret: str = "pc = 0; mode = U; sr.T = 1") -> list[Diagnostic]:
    before = f"before {{ {before} }}" if before else ""
    text = TEXT.format(before=before, save=save, more=more, ret=ret)
    _, found = elaborate_with_problems(load_texts({"s.isa": text}))
    return [problem for problem in found if problem.severity == "error"]


@pytest.mark.parametrize(
    ("save", "before"),
    [
        ("save mode -> ram[2]; save sr.T -> ram[3][0]", ""),
        ("save sr -> ram[2]", ""),
        ("save old -> ram[2]", "let old = sr"),
        ("save packed() -> ram[2]", ""),
        ("save old -> ram[2]", "let old = packed()"),
        ("save 0x000 @ old -> ram[2] @ ram[3]", "let old : bits(4) = 0b00 @ sr.T @ bits(mode)"),
        ("save ~sr -> ram[2]", ""),
        ("save sr + 1 -> ram[2]", ""),
        ("save sr ^ 0x00 -> ram[2]", ""),
        ("record ram[2] = sr", ""),
        ("", "ram[2] = sr"),
        ("", "push(packed())"),
        ("", "store_as(S, sp, sr)"),
        ("", "store(sp, sr)"),
        ("", "if sp != 0 { push(sr) }"),
        ("clobber mode; clobber sr", ""),
    ],
)
def test_it_is_kept_however_it_is_written(save: str, before: str) -> None:
    assert problems(f"{PC}; {save}" if save else PC, before) == []


@pytest.mark.parametrize(
    ("save", "before", "lost"),
    [
        ("", "", ["mode", "sr.T"]),
        ("save mode -> ram[2]", "", ["sr.T"]),
        ("save sr.T -> ram[2][0]", "", ["mode"]),
        ("save sr & 0xdf -> ram[2]", "", ["mode"]),
        ("save sr | 0x20 -> ram[2]", "", ["mode"]),
        ("save sr[6:0] -> ram[2][6:0]", "", ["sr.T"]),
        ("save (if sr.C == 1 then sr else 0) -> ram[2]", "", ["mode", "sr.T"]),
        ("save old -> ram[2]", "let old = sr << 2", ["sr.T"]),
        ("save sr -> ram[2]", "mode = S", ["mode"]),
        ("save sr -> ram[2]", "sr.T = 1", ["sr.T"]),
        ("save old -> ram[2]", "mode = S; let old = packed()", ["mode"]),
        ("record ram[2] = sr & sr", "ram[3] = 0; mode = S", ["mode"]),
    ],
)
def test_what_is_lost_is_named(save: str, before: str, lost: list[str]) -> None:
    found = problems(f"{PC}; {save}" if save else PC, before)
    assert [(p.code, p.message) for p in found] == [
        ("E0412", f"trap_stack S changes {name} on entry and does not save it") for name in lost
    ]


def test_the_mode_that_before_has_set_is_not_the_mode_before() -> None:
    (found,) = problems(f"{PC}; save mode -> ram[2]; save sr.T -> ram[3][0]", "mode = S")
    assert (found.label, found.help) == (
        "`before` has changed mode by then",
        "let old = mode, first in `before`; save old -> ...",
    )
    assert problems(f"{PC}; save old -> ram[2][0]; save sr.T -> ram[3][0]", "let old = bits(mode); mode = S") == []


def test_a_part_that_is_lost_is_told_by_its_bits() -> None:
    (found,) = problems(
        "save sr -> ram[2]; save pc[15:2] @ 0b00 -> ram[0] @ ram[1]",
        more="enter sp = 0x200; save sp[15:4] @ 0x0 -> ram[4] @ ram[5]",
    )
    assert found.label == "bits 0, 1, 2, 3 of sp cannot be found in what is saved"


def test_a_line_that_is_wrong_is_all_that_is_told() -> None:
    """What it would have saved, or set, is not reported as lost or missing."""
    text = TEXT.format(before="", save=f"{PC}; save sr -> ran[2]", more="", ret="pc = 0")
    for wrong in (text, text.replace("ran", "ram").replace("zext(cause.code)", "zext(cause.cod)")):
        _, found = elaborate_with_problems(load_texts({"s.isa": wrong}))
        assert [p.code for p in found if p.severity == "error"] == ["E0201"]


def test_a_return_that_leaves_the_mode_is_told_of() -> None:
    """The mode is kept, in a word, and nothing puts it back: the program goes on in S."""
    for save, more, warned in (
        ("save sr -> ram[2]", "", ["mode"]),
        ("save sr -> ram[2]", "leave mode = U", []),
        ("save sr -> ram[2]; save mode -> ram[3]", "", []),
        ("save packed() -> ram[2]", "", ["mode", "sr.T"]),
    ):
        text = TEXT.format(before="", save=f"{PC}; {save}", more=more, ret="return_from S")
        _, found = elaborate_with_problems(load_texts({"s.isa": text}))
        told = [p.message.split()[3] for p in found if p.code == "W0410"]
        assert (told, [p.code for p in found if p.severity == "error"]) == (warned, [])


# -- return ----------------------------------------------------------------------------------------------------------

PUSHED = "save pc -> ram[p] @ ram[p + 1]; save sr.T -> ram[p + 2][0]; save mode -> ram[p + 3]"
AT = "sp = sp - 4; let p = sp"


def test_a_return_finds_what_was_pushed() -> None:
    """`call` in U at 0x40 traps to 2; the handler's `ret` pops."""
    text = TEXT.format(before=f"before {{ {AT} }}", save=PUSHED, more="leave sp = p + 4", ret="return_from S")
    oracle = Oracle(elaborate(load_texts({"s.isa": text})))
    oracle.scalars |= {"mode": 0, "pc": 0x40, "sr.T": 1}
    oracle.load([0b00000010], 0x40)
    oracle.load([0b00000001], 2)
    assert oracle.step().trap is not None
    assert (oracle.scalars["mode"], oracle.scalars["sp"], oracle.scalars["sr.T"], oracle.scalars["pc"]) == (1, 0xFC, 0, 2)
    assert oracle.step().trap is None
    assert (oracle.scalars["mode"], oracle.scalars["sp"], oracle.scalars["sr.T"], oracle.scalars["pc"]) == (0, 0x100, 1, 0x40)


@pytest.mark.parametrize(
    ("save", "before", "more", "code"),
    [
        (PUSHED, "let p = sp - 4; sp = p", "", "E0457"),
        (PUSHED, "let p = sp - 4; sp = p; let p = sp", "", None),
        ("save pc -> ram[sp] @ ram[sp + 1]; save sr -> ram[2]", "", "enter sp = sp + 4; save sp -> ram[8] @ ram[9]", "E0457"),
        ("save pc -> ram[zext(cause.code)] @ ram[0]; save sr -> ram[2]", "", "", "E0456"),
        (PUSHED, "let p = cause.x", "", "E0456"),
        (PUSHED, "let q = next_pc; let p = q + 4", "", "E0456"),
        (PUSHED, "let p = take(4)", "", "E0456"),
        (f"{PC}; save sr -> ram[2]", "let p = cause.x", "", None),
        (f"{PC}; save sr -> ram[2]", "let p = cause.x", "leave sp = p", "E0456"),
        ("save pc -> ram[q + 0] @ ram[q + 1]; save sr -> ram[q + 2]", "let p = 0x0200; let q = p + sp", "", None),
    ],
)
def test_a_place_that_only_the_entry_knows(save: str, before: str, more: str, code: str | None) -> None:
    """Refused where something returns from the stack; before, it ended in a traceback, or read another place."""
    functions = "fn take(n: bits(16)) -> bits(16) { sp = sp - n; return sp }\ninstr nop"
    before = f"before {{ {before} }}" if before else ""
    for ret, expected in (("return_from S", code), ("pc = 0", None)):
        text = TEXT.format(before=before, save=save, more=more, ret=ret).replace("instr nop", functions)
        _, found = elaborate_with_problems(load_texts({"s.isa": text}))
        assert {p.code for p in found if p.severity == "error"} == ({expected} if expected else set())
