"""What no difference shows alone: settings together; and the modes below the real one, which run as themselves."""

from __future__ import annotations

from popek.reports.summary import summaries
from popek_checker.virtualizability.check import Options, check
from popek_checker.virtualizability.verdict import Report, Truth
from popek_grammar.elaborate import elaborate
from popek_grammar.text.source import load_texts

TEXT = """
isa small { encoding big parcel 16 }
modes { U = 0 < S = 1 < M = 2 }
state { pc : bits(8) reset 0; m : mode role mode reset M; A : bits(8); ram : mem(8 -> 8) }
state { a : bits(8) role control; b : bits(8) role control; sp : bits(8) role control; sm : mode role control }
causes { ill = 0; call = 1 }
trap_stack T { vector = 0x10; save pc -> sp; save m -> sm; enter m = M }
instr pair { enc 00000001 00000000; guard a == b else trap ill; do { A = a } }
instr one { enc 00000010 00000000; do { A = a } }
instr user { enc 00000011 00000000; guard m == U else trap ill; do { A = b } }
instr same { enc 00000100 00000000; guard m == U else trap ill; do { A = 1 } }
instr set { enc 00000101 00000000; guard m == M else trap ill; do { a = A; b = A } }
otherwise trap ill
"""


def report(*theorems: str) -> Report:
    return check(elaborate(load_texts({"small.isa": "\n".join((TEXT, *theorems))})), Options())


def test_settings_that_show_only_together_are_named_so() -> None:
    """Each alone would end the run; one that shows alone keeps its name."""
    whole = report("theorem one { for S at U; show theorem1 }")
    found = {row.name: row for row in whole.rows}
    shown = {f.question for f in found["pair"].findings if f.truth is Truth.YES}
    assert {question for question in shown if question.startswith("config:")} == {"config:*"}
    assert found["one"].truth("config:a") is Truth.YES
    assert "config:*" not in {f.question for f in found["one"].findings}
    (summary,) = (each for each in summaries(whole) if each.name == "pair")
    assert summary.behaviour == ("config:*",)
    assert summary.reason == "shows settings, where several differ, and no trap"


def test_modes_below_the_real_one_are_asked_as_themselves() -> None:
    """`user` runs in U alone and shows b there; `same` shows nothing; a guest that is never run in U has no such hole."""
    lines = "theorem one { for M at S; show theorem1 }\ntheorem three { for M at S; show theorem3 }\n"
    lines += "theorem exact { for M at S; show exact }\ntheorem kept { for M at S; assume m == S; show theorem1 }\n"
    lines += "theorem kept_exact { for M at S; assume m == S; show exact }\ntheorem low { for U at U; show theorem1 }"
    found = {result.name: result.names for result in report(lines).theorems}
    assert found["one"] == found["three"] == found["exact"] == found["low"] == ("one", "pair", "user")
    assert found["kept"] == found["kept_exact"] == ("one", "pair")
