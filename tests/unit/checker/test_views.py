"""The view that a monitor gives is a memory: pages keep offsets, what is stored is loaded; and what relocation is recognised."""

from __future__ import annotations

import pytest

from popek_checker.solver.smt import Smt, Status
from popek_checker.virtualizability.check import Options, check
from popek_checker.virtualizability.verdict import Report, Truth
from popek_grammar.elaborate import elaborate
from popek_grammar.meaning.instruction import execute, general
from popek_grammar.meaning.state import symbolic
from popek_grammar.meaning.views import View
from popek_grammar.text.source import load_texts

HEAD = """
isa small { encoding big parcel 16 }
modes { U = 0 < S = 1 }
state {
  pc : bits(16) reset 0
  m  : mode role mode reset S
  A : bits(16)
  B : bits(16)
  l : bits(16) role map
  b : bits(16) role map
  saved : bits(16) role control
  pm : bits(1) role control
  ram : mem(16 -> 8) big
}
causes { ill = 0; mem = 2 }
fault f { fetch, load, store, rmw => mem }
trap_stack T { vector = 0x10; save pc -> saved; save m -> pm; enter m = S }
otherwise trap ill
"""


def report(*lines: str, head: str = HEAD) -> Report:
    return check(elaborate(load_texts({"small.isa": "\n".join((head, *lines))})), Options())


def holes(found: Report, theorem: str) -> tuple[str, ...]:
    return next(result.names for result in found.theorems if result.name == theorem)


PAGED = "translation t { va 16; page 4; if b == 0 { fault f }; yield (va[15:4] ^ l[15:4]) @ va[3:0] }"
CELLS = "translation t { va 16; if b == 0 { fault f }; yield va ^ l }"
SHOWS_MODE = "A = zext(bits(m))"


STORE_THEN_LOAD = f"""
instr within {{
  enc 0000000100000000
  do {{ let a = B & 0xfffe; store(a, A); let v : bits(8) = load(a + 1); if v != A[7:0] {{ {SHOWS_MODE} }} }}
}}
instr cross {{
  enc 0000001000000000
  do {{ let twice = A[7:0] @ A[7:0]; store(B, twice); let v : bits(8) = load(B); if v != A[7:0] {{ {SHOWS_MODE} }} }}
}}
instr wide {{
  enc 0000001100000000
  do {{ let v : bits(16) = load(B); let w : bits(8) = load(B + 1); if v[7:0] != w {{ {SHOWS_MODE} }} }}
}}
instr wrong {{
  enc 0000010000000000
  do {{ let v : bits(16) = load(B); let w : bits(8) = load(B + 1); if v[15:8] != w {{ {SHOWS_MODE} }} }}
}}
"""


@pytest.mark.parametrize(("translation", "memory"), [("", "view"), (PAGED, "view"), (CELLS, "view"), ("", "per_mode")], ids=str)
def test_a_narrow_load_finds_what_a_wide_store_left(translation: str, memory: str) -> None:
    """Each shows the mode if memory is none; the cells of `cross` may lie in two pages; `wrong` shows that it can be seen."""
    found = report(translation, STORE_THEN_LOAD, f"theorem modes {{ for S at U; memory {memory}; show mode_sensitive }}")
    assert holes(found, "modes") == ("wrong",)


def test_a_page_faults_for_every_width() -> None:
    """Where a narrow load has come back, a wide one in its page comes back too; one that crosses into the next may not."""
    body = "let v : bits(8) = load({at}); let w : bits(16) = load({at}); A = w"
    names = {"in_page": "B & 0xfffe", "across": "B"}
    lines = [
        f"instr {name} {{ enc 000000010000000{len(name) % 2}; do {{ {body.format(at=at)} }} }}" for name, at in names.items()
    ]
    made = elaborate(load_texts({"small.isa": "\n".join((HEAD, PAGED, *lines))}))
    answers = {}
    for name in names:
        outcome = execute(made, general(made, made.instructions[name], {}), symbolic(made), View())
        _, wide = outcome.traps
        answers[name] = Smt().check([wide.condition]).status
    assert answers == {"in_page": Status.UNSAT, "across": Status.SAT}


def relocated(translation: str) -> Report:
    return report(
        translation,
        "instr ld { enc 00000001 x:8; do { A = load(x) } }",
        "instr ldw { enc 00000010 x:8; do { let v : bits(16) = load(x); A = v[15:8] ^ v[7:0] } }",
        "instr st { enc 00000011 x:8; do { store(x, A) } }",
        "instr stw { enc 00000100 x:8; do { store(x, A @ A) } }",
        "instr rdl { enc 0000010100000000; do { A = l } }",
        "placement { let k : bits(8); host l = l + k; host b = b; where zext(l, 9) + zext(b, 9) <= 0x80; where k <= 0x80",
        "  memory ram at k size 0x80 }",
        "theorem location { for S at U; memory translated; show location_sensitive; expect exactly { rdl } }",
        "theorem exact { for S at U; memory translated; show exact; expect fails { rdl } }",
        "theorem one { for S at U; memory translated; show theorem1; expect fails { rdl } }",
        head=HEAD.replace("bits(16)", "bits(8)").replace("mem(16", "mem(8"),
    )


FIRST_CELL = {
    "sum": "translation t { va 8; if va >= b { fault f }; yield va + l }",
    "carry": "translation t { va 8; let s : bits(9) = zext(va, 9) + zext(l, 9)"
    "\n if s[8:8] == 1 or va >= b { fault f }; yield s[7:0] }",
    "stages": "translation t { va 8; if va >= b { fault f }; yield va + 1 }\ntranslation u over t { va 8; yield va + l - 1 }",
    "choice": "translation t { va 8; if va >= b { fault f }; yield if m == U then va + l else l + va }",
}


@pytest.mark.parametrize("translation", FIRST_CELL.values(), ids=FIRST_CELL.keys())
def test_relocations_are_recognised(translation: str) -> None:
    """However the sum is written. The first cell alone is checked: accesses of two leave the view, as Theorem 1 sees too."""
    found = relocated(translation)
    for theorem in ("location", "exact", "one"):
        assert holes(found, theorem) == ("ldw", "rdl", "stw")


def test_accesses_that_are_checked_whole_stay_in_the_view() -> None:
    found = relocated("translation t { va 8; if zext(va, 9) + size[8:0] > zext(b, 9) { fault f }; yield va + l }")
    for theorem in ("location", "exact", "one"):
        assert holes(found, theorem) == ("rdl",)


def test_a_placement_that_is_not_used_is_said() -> None:
    found = relocated("translation t { va 8; if va >= b { fault f }; yield va ^ l }")
    main = [text for text in found.assumptions if text.startswith("placement: whether")]
    assert main
    plain = relocated(FIRST_CELL["sum"])
    assert not [text for text in plain.assumptions if text.startswith("placement")]


def test_what_hidden_state_is_taken_to_be_is_said() -> None:
    """Reset alike, it is shared; without a reset it is free, and decides a trap."""
    bodies = "instr strict { enc 0000000100000000; guard link == 0 else trap ill; do { A = 1 } }"
    theorems = "theorem one { for S at U; show theorem1 }\ntheorem n { for S at U; show noninterference }"
    shared = report("state { link : bits(1) role hidden reset 0 }", bodies, theorems)
    free = report("state { link : bits(1) role hidden }", bodies, theorems)
    assert holes(shared, "one") == ()
    assert holes(free, "one") == ("strict",)
    assert holes(shared, "n") == holes(free, "n") == ("strict",)
    assert any("hidden state link" in text for text in shared.assumptions)
    assert not any("hidden state" in text for text in free.assumptions)
    assert shared.theorem("noninterference") is Truth.NO
