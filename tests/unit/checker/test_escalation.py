"""Escalation: a hole that hands over the machine is told from one that does not; expectations by the way of failing."""

from __future__ import annotations

import json

import pytest

from machines import SPEC
from popek.codes import exit_code
from popek.reports import writer
from popek_checker.virtualizability.check import check
from popek_checker.virtualizability.options import Options
from popek_checker.virtualizability.verdict import Report, Truth
from popek_grammar.elaborate import elaborate, elaborate_with_problems
from popek_grammar.text.source import load_file, load_texts

LDF = """isa esc { title "esc"; encoding big parcel 16 }
modes { U = 0 < S = 1 < M = 2 }
state {
  pc : bits(8) reset 0
  m  : mode role mode reset M
  A : bits(8)
  c : bits(4)
  ie : bits(1) role control reset 0
  open : bits(1) role control reset 0
  base : bits(4) role map
  saved : bits(8) role control
  pm : bits(2) role control
  ram : mem(8 -> 8)
}
causes { ill = 0; call = 1; mem = 2 }
fault f { fetch, load, store, rmw => mem }
trap_stack T { vector = 0x10; save pc -> saved; save m -> pm; enter m = M }
instr ret { enc 00000101 00000000; asm "ret"; guard m == M else trap ill; do { return_from T } }
instr sys { enc 00000110 00000000; asm "sys"; do { trap call } }
otherwise trap ill
instr ldf { enc 00000001 00000000; asm "ldf"; do { c = A[3:0]; if m != U { ie = A[4] } BODY } }
"""


def report(body: str, *lines: str) -> Report:
    text = LDF.replace("BODY", f"; {body}" if body else "")
    return check(elaborate(load_texts({"t.isa": "\n".join((text, *lines))})), Options())


@pytest.mark.parametrize(
    ("body", "ways"),
    [
        ("", ""),
        ("if A[5] == 1 { m = S }", ": raise"),
        ("if A[5] == 1 { m = U }", ""),
        ("if A[5] == 1 { ie = 1 }", ": control"),
        ("if A[5] == 1 and open == 1 { ie = 1 }", ""),
        ("base = A[3:0]; if A[5] == 1 { m = M }", ": raise + map"),
        ("if m == S { m = M }", ": raise"),
        ("if m == S { base = 1 }", ""),
        ("return_from T", ": raise"),
    ],
)
def test_what_a_completed_instruction_does_to_the_machine(body: str, ways: str) -> None:
    """At U, under H; in S, the guest's top, only what goes beyond it. A return that user mode may make is one."""
    expect = f"fails {{ ldf{ways} }}" if ways else "holds"
    found = report(body, f"theorem e {{ for S at U; assume open == 0; show escalation; expect {expect} }}").theorems[0]
    assert (found.as_expected, found.difference) == (Truth.YES, "")


def test_another_way_is_a_difference() -> None:
    """The same instruction fails the same theorem, in a worse way: only the way tells."""
    line = "theorem t { for S at U; show theorem1; expect fails { ldf: control } }"
    e = "theorem e { for S at U; show escalation; expect fails { ldf: map } }"
    assert [t.as_expected for t in report("base = A[3:0]", line, e).theorems] == [Truth.YES, Truth.YES]
    worse = report("base = A[3:0]; if A[5] == 1 { m = S }; if m == U { A = 0 }", line, e)
    assert [t.difference for t in worse.theorems] == [
        "ldf: control + mode, not control",
        "ldf: raise + map, not map",
    ]
    assert exit_code(worse) == 1


def test_ways_are_asked_beside_the_main_claim_too() -> None:
    """Under another claim than the first, questions stop at the first reason for a hole; not where ways are expected."""
    first = "theorem a { for M at U; show theorem1; expect fails { ldf } }"
    second = "theorem b { for S at U; assume open == 1; show theorem1; expect fails { ldf: control + mode } }"
    found = report("base = A[3:0]; if m == U { A = 0 }", first, second).theorems
    assert [t.difference for t in found] == ["", ""]


@pytest.mark.parametrize(
    "line",
    [
        "theorem t { for S at U; show exact; expect fails { ldf: control } }",
        "theorem t { for S at U; show theorem1; expect fails { ldf: raise } }",
        "theorem t { for S at U; show escalation; expect fails { ldf: mode } }",
    ],
)
def test_a_way_that_the_show_does_not_have(line: str) -> None:
    _, problems = elaborate_with_problems(load_texts({"t.isa": LDF.replace("BODY", "") + line}))
    assert {problem.code for problem in problems if problem.severity == "error"} == {"E0428"}


def test_the_report_says_what_escalates() -> None:
    theorem = "theorem t { for S at U; show theorem1; expect fails { ldf } }"
    found = report("base = 1; if A[5] == 1 { m = S }", theorem)
    assert "Escalation at U: ldf: raise + map" in writer("text")([found])
    row = next(row for row in json.loads(writer("json")([found]))["instructions"] if row["name"] == "ldf")
    assert {word: row["escalation"][word] for word in ("raise", "control", "map")} == {
        "raise": True,
        "control": False,
        "map": True,
    }
    after = {cell["name"]: cell["after"] for cell in row["escalation"]["witness"]["cells"]}
    assert after["m"] == [1]
    assert "Escalation at U: none" in writer("text")(
        [report("", "theorem t { for S at U; show theorem1; expect fails { ldf } }")]
    )


SS_CHECKED = "  guard not is_null(sel) else trap general_protection(0)\n  guard in_table(sel)    else"
SS_UNCHECKED = "  if is_null(sel) { set_level(0); return }\n  guard in_table(sel)    else"
PSR = "if bytes[3] == 1 { cpsr"
MFC0 = "do { X[rt] = csr_read(cr); step() }"
WORSE = [
    ("pg1974.isa", None, "pg1974.isa", "do { m = U; pc = x }", "do { m = S; pc = x }"),
    ("riscv/riscv.isa", "rv64", "system.isa", "do { pc = next_pc }", "do { pc = next_pc; mode = M }"),
    ("x86/ia32.isa", "base", "segments.isa", SS_CHECKED, SS_UNCHECKED),
    ("mips/mips.isa", "leaky", "cp0.isa", MFC0, MFC0.replace("step()", "mode = K; step()")),
    ("arm/armv7a.isa", "base", "exceptions.isa", PSR, f"if bytes == 0xf {{ mode = SYS }}\n  {PSR}"),
    ("s370/s370.isa", "leaky", "control.isa", "R[2][7:0] = system.KEY", "mode = supervisor; R[2][7:0] = system.KEY"),
    ("pdp10/ka10.isa", "ka10", "system.isa", "  if left[12] == 1 { mode = user }", "  mode = mode_of(left[12:12])"),
]


@pytest.mark.parametrize(("file", "config", "part", "old", "new"), WORSE, ids=lambda value: str(value)[:20])
def test_a_hole_of_a_shipped_machine_that_takes_the_machine_is_noticed(
    file: str, config: str | None, part: str, old: str, new: str
) -> None:
    """Faults that real models have had (MOV SS of a null selector gives ring 0, JRSTF clears USER), in a hole as it is."""
    texts = dict(load_file(SPEC / file).texts)
    (place,) = [known for known in texts if known.endswith(part)]
    assert old in texts[place]
    texts[place] = texts[place].replace(old, new)
    changed = elaborate(load_texts(texts), config)
    asked = [theorem.name for theorem in changed.theorems.values() if theorem.show == "escalation"]
    found = check(changed, Options(theorems=tuple(asked)))
    differences = [result.difference for result in found.theorems if result.as_expected is Truth.NO]
    assert any("raise" in told or "unexpected" in told for told in differences)
