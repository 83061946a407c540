"""Invariants: each kind of step can break one, the step is named with a state, and what holds is proved together."""

from __future__ import annotations

import json
import re

import pytest

from machines import SPEC
from popek.codes import exit_code
from popek.reports import writer
from popek_checker.solver.cache import Cache
from popek_checker.solver.smt import Smt, kept_solver
from popek_checker.virtualizability.check import Options, check
from popek_checker.virtualizability.invariants import Proof, prove
from popek_checker.virtualizability.verdict import InvariantResult, Truth
from popek_grammar.elaborate import elaborate, elaborate_with_problems
from popek_grammar.text.source import load_file, load_texts

BASE = """isa t { title "t"; encoding big parcel 16 }
modes { U = 0 < S = 1 }
state {
  pc : bits(8) reset 0
  m  : mode role mode reset S
  A  : bits(8)
  ie : bits(1) role control reset 0
  on : bits(1) role control reset 0
  saved : bits(8) role control
  pm : bits(1) role control
  line : bits(1) role env reset 0
  key[4] : bits(4) role map
  ram : mem(8 -> 8)
}
register R : bits(8) role control { F [1:0] warl { 0..2 } else 0 reset 0 }
causes { ill = 0; call = 1; mem = 2; interrupt tick = 3 }
fault f { fetch, load, store, rmw => mem }
trap_stack T { vector = 0x10; save pc -> saved; save m -> pm; enter m = S }
interrupts { pending line @ 0b000; level T : tick when ie == 1 }
instr ret { enc 00000101 00000000; asm "ret"; guard m == S else trap ill; do { return_from T } }
instr sys { enc 00000110 00000000; asm "sys"; do { trap call } }
instr get { enc 00000111 x:8; asm "get {x}"; do { A = load(x, 8) } }
otherwise trap ill
"""


PUT_IN_S = "instr put { enc 00000001 00000000; guard m == S else trap ill; do { ie = A[0] } }"


def proved(*lines: str, base: str = BASE) -> dict[str, InvariantResult]:
    return {kept.name: kept for kept in proof(*lines, base=base).invariants}


def proof(*lines: str, base: str = BASE) -> Proof:
    return prove(elaborate(load_texts({"t.isa": "\n".join((base, *lines))})), 10)


@pytest.mark.parametrize(
    ("lines", "broken"),
    [
        (("invariant i { ie == 0 }",), ()),
        (("instr put { enc 00000001 00000000; do { ie = A[0] } }", "invariant i { ie == 0 }"), ("put",)),
        ((PUT_IN_S, "invariant i { m == S or ie == 0 }"), ("ret",)),
        (("invariant i { on == 1 }",), ("reset",)),
        (("invariant i { A == 0 }",), ("get", "reset")),
        (("invariant i { line == 0 }",), ("inputs",)),
        (("invariant i { pm == 0 or m == S }",), ()),
        (("invariant i { pm == 1 }",), ("entry", "interrupt", "reset")),
        (("invariant i once { pc != 0x10 }",), ("entry", "get", "interrupt", "ret")),
    ],
)  # fmt: skip
def test_the_steps_that_break_it(lines: tuple[str, ...], broken: tuple[str, ...]) -> None:
    """Reset, instructions, returns, trap entries, interrupts where they are deliverable, inputs: each is asked, and named."""
    kept = proved(*lines)["i"]
    assert kept.broken == broken
    assert kept.found == ("fails" if broken else "holds")
    assert kept.as_expected is (Truth.NO if broken else Truth.YES)


def test_an_interrupt_that_is_never_enabled_breaks_nothing() -> None:
    """`ie` stays 0, which is proved together; alone, entry by interrupt would break the other."""
    interrupting = BASE.replace("enter m = S }", "enter m = S; record on = if cause.interrupt then 1 else on }")
    both = proved("invariant off { ie == 0 }", "invariant quiet { on == 0 }", base=interrupting)
    assert {kept.found for kept in both.values()} == {"holds"}
    assert both["quiet"].premises == ("off",)
    alone = proved("invariant quiet { on == 0 }", base=interrupting)
    assert alone["quiet"].broken == ("interrupt",)


def test_a_broken_premise_takes_the_others_with_it() -> None:
    """`quiet` stands on `off`; where `off` is broken, `quiet` is asked again without it."""
    interrupting = BASE.replace("enter m = S }", "enter m = S; record on = if cause.interrupt then 1 else on }")
    put = "instr put { enc 00000001 00000000; do { ie = A[0] } }"
    both = proved(put, "invariant off { ie == 0 }", "invariant quiet { on == 0 }", base=interrupting)
    assert both["off"].broken == ("put",)
    assert both["quiet"].broken == ("interrupt",)


def test_once_is_no_premise_of_what_always_holds() -> None:
    """What software has yet to bring about proves nothing of the states before."""
    put = "instr put { enc 00000001 00000000; do { if ie == 1 { on = 1 } } }"
    both = proved(put, "invariant off once { ie == 0 }", "invariant quiet { on == 0 }")
    assert both["off"].found == "holds"
    assert both["quiet"].broken == ("put",)


def test_the_witness_is_a_state_from_which_the_step_breaks_it() -> None:
    put = "instr put { enc 00000001 x:8; do { ie = x[3] } }"
    kept = proved(put, "invariant i { m == S or ie == 0; expect fails { ret } }")["i"]
    assert kept.witness is not None
    assert kept.broken == ("put", "ret")
    assert kept.witness.labels == ("put",)
    assert dict(kept.witness.operands) == {"x": 8}
    changed = {cell.name: (cell.before, cell.after) for cell in kept.witness.cells if cell.before != cell.after}
    assert changed["ie"] == ((0,), (1,))


def test_the_unexpected_step_is_shown_before_the_expected() -> None:
    put = "instr put { enc 00000001 x:8; do { ie = x[3] } }"
    kept = proved(put, "invariant i { m == S or ie == 0; expect fails { put } }")["i"]
    assert kept.difference == "unexpected: ret"
    assert kept.witness is not None
    assert kept.witness.labels == ("ret",)


def test_what_translation_writes_is_unknown() -> None:
    """A reference bit is set by accesses that the view does not show: neither proved nor refuted."""
    paging = "translation pages { va 8; key[va[7:6]] = 1; yield va }"
    kept = proved(paging, "invariant i once { key[0] == 0 }")["i"]
    assert (kept.found, kept.as_expected) == ("unknown", Truth.UNKNOWN)
    assert "key" in kept.reason
    assert exit_code(checked(paging, "invariant i once { key[0] == 0 }")) == 3


def checked(*lines: str):  # type: ignore[no-untyped-def]
    return check(elaborate(load_texts({"t.isa": "\n".join((BASE, *lines))})), Options())


def test_a_field_written_past_its_declared_set_is_reported() -> None:
    """`warl { 0..2 }` and a body that writes the field raw: all verdicts take the set for granted."""
    raw = "instr put { enc 00000001 x:8; do { R.F = x[1:0] } }"
    assert proof(raw).left == (("R.F", ("put",)),)
    whole = "instr put { enc 00000001 x:8; do { R = x } }"
    assert proof(whole).left == ()
    report = checked(raw)
    assert "R.F holds a value of its declared set, which is not shown of put" in " ".join(writer("text")([report]).split())
    assert json.loads(writer("json")([report]))["declared_sets_left"] == [{"field": "R.F", "by": ["put"]}]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("invariant i { expect holds }", "E0427"),
        ("invariant i { ie == 0; expect exactly { ret } }", "E0427"),
        ("invariant i { ie == 0; expect fails { rett } }", "E0201"),
        ("invariant i { ie == 0; expect fails { entry(nothing) } }", "E0201"),
        ("invariant i { iee == 0 }", "E0201"),
        ("invariant i { ie }", "E0240"),
        ("invariant i { ie == 0 }\ninvariant i { ie == 1 }", "E0203"),
        ("fn look() -> bool { ie = 1; return true }\ninvariant i { look() }", "E0426"),
        ("fn look() -> bool { guard ie == 1 else trap ill; return true }\ninvariant i { look() }", "E0426"),
        ("invariant i { load(0, 8) == 0 }", "E0426"),
        ("invariant i { ie == 0; expect fails }\ntheorem t { for S at U; assume invariant i; show exact }", "E0429"),
        ("theorem t { for S at U; assume invariant j; show exact }", "E0201"),
    ],
)
def test_what_cannot_be_an_invariant(line: str, code: str) -> None:
    _, problems = elaborate_with_problems(load_texts({"t.isa": BASE + line}))
    found = {problem.code for problem in problems if problem.severity == "error"}
    assert found == {code} or (code == "E0240" and found)


def test_assumed_by_a_theorem() -> None:
    """H takes the conjuncts in the author's words, with the name."""
    report = checked("invariant off { ie == 0; on == 0 }", "theorem t { for S at U; assume invariant off; show exact }")
    assert report.theorems[0].claim.invariant == ("ie == 0 (invariant off)", "on == 0 (invariant off)")


def test_every_format_names_it_and_the_exit_code_counts_it() -> None:
    report = checked("invariant on_reset { on == 1 }", "theorem t { for S at U; show theorem1 }")
    assert exit_code(report) == 1
    for name in ("text", "json", "sarif", "markdown", "junit"):
        assert "on_reset" in writer(name)([report])
    (row,) = json.loads(writer("json")([report]))["invariants"]
    assert row["verdict"] == "refuted"
    assert row["broken_by"] == ["reset"]
    assert exit_code(checked("invariant off { ie == 0 }", "theorem t { for S at U; show theorem1 }")) == 0


def test_a_second_run_asks_nothing(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """Answers are kept by the questions themselves: an edit that changes one is decided anew."""
    put = "instr put { enc 00000001 x:8; do { ie = x[3] & on } }"
    made = elaborate(load_texts({"t.isa": BASE + put + "\ninvariant i { ie == 0 or on == 1 }"}))
    cache = Cache(tmp_path / "rows.sqlite")
    first = prove(made, 10, cache=cache)
    assert first.invariants[0].found == "holds"
    monkeypatch.setattr(Smt, "_decided", None)
    kept_solver.cache_clear()
    assert prove(made, 10, cache=cache) == first
    edited = elaborate(load_texts({"t.isa": BASE + put.replace("& on", "") + "\ninvariant i { ie == 0 or on == 1 }"}))
    with pytest.raises(TypeError):
        prove(edited, 10, cache=cache)


# -- the library -----------------------------------------------------------------------------------------------------


def test_the_library_states_what_manuals_say() -> None:
    """At least 25, each with the section that says it; that they come out as expected is part of every machine's check.

    Sentences about steps may stand together under the words of the first.
    """
    texts = [
        re.sub(r"^(override )?invariant \w+ (after|of) .*", "", path.read_text(), flags=re.M) for path in SPEC.rglob("*.isa")
    ]
    stated = [
        block for text in texts for block in re.findall(r"((?:^///.*\n)*)^(?:override )?invariant (\w+)", text, re.MULTILINE)
    ]
    names = {name for _, name in stated}
    assert len(names) >= 25
    assert [name for doc, name in stated if not re.search(r"\d", doc) and "override" not in doc and name not in OVERRIDDEN] == []


SENTENCE = re.compile(r"^(?:override )?invariant \w+ (?:after|of) ", re.MULTILINE)


def test_sentences_about_steps_say_where_they_are_from() -> None:
    """At least 150; the first words of each paragraph of them, or the heading above, name the section."""
    count, bare = 0, []
    for path in SPEC.rglob("*.isa"):
        heading = ""
        for part in re.split(r"\n\n+", path.read_text()):
            if part.startswith("// -- "):
                heading = part
            if SENTENCE.search(part):
                count += len(SENTENCE.findall(part))
                words = heading + part[: SENTENCE.search(part).start()]  # type: ignore[union-attr]
                bare += [part] if not re.search(r"\d", words) else []
    assert count >= 150
    assert bare == []


OVERRIDDEN = ("paging_is_protected", "write_through", "no_virtual_8086")

SLIPS = [
    ("riscv/riscv.isa", "riscv/traps.isa", "leave  if mode != M { mstatus.MPRV = 0 }", "", "mprv", "mret"),
    ("riscv/riscv.isa", "riscv/traps.isa", "leave  mstatus.MPRV = 0\n", "\n", "mprv", "sret"),
    ("riscv/riscv.isa", "riscv/traps.isa", "base + (code << 2)", "base + code", "pc_is_even", "interrupt"),
    ("riscv/riscv.isa", "riscv/memory.isa", "if old.L == 0 and not", "if not", "pmp_lock", "csrrw"),
    ("mips/mips.isa", "mips/cp0.isa", "enter   npc = placed(target) + 4", "enter   npc = placed(target)", "sequential", "entry"),
    ("x86/ia32.isa", "x86/segments.isa", "guard not is_null(sel) else trap general_protection(0)\n  guard in_table(sel)    else",
     "if is_null(sel) { seg[2].P = 0; return }\n  guard in_table(sel)    else", "stack_ring", "pop_ss"),
    ("x86/ia32.isa", "x86/segments.isa", "    drop_inner_segment(5)\n", "", "inner_data", "iret"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "part", "old", "new", "name", "step"), SLIPS, ids=lambda value: str(value)[:24])
def test_a_slip_of_one_line_is_named(file: str, part: str, old: str, new: str, name: str, step: str) -> None:
    """Slips that public specifications and emulators have had, in the shipped texts: the invariant and the step are named."""
    texts = dict(load_file(SPEC / file).texts)
    (place,) = [known for known in texts if known.endswith(part)]
    assert old in texts[place]
    texts[place] = texts[place].replace(old, new)
    found = {kept.name: kept for kept in prove(elaborate(load_texts(texts)), 10).invariants}
    assert found[name].as_expected is Truth.NO
    assert step in found[name].broken
