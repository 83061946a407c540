"""Sentences about steps: what is so after one, how one ends, of which access; each has a mutant of the machine that breaks it."""

from __future__ import annotations

import json

import pytest

from machines import SPEC
from popek.codes import exit_code
from popek.reports import writer
from popek_checker.solver.cache import Cache
from popek_checker.solver.smt import Smt, kept_solver
from popek_checker.virtualizability.check import Options, check
from popek_checker.virtualizability.invariants import prove
from popek_checker.virtualizability.verdict import InvariantResult, Truth
from popek_grammar.elaborate import elaborate, elaborate_with_problems
from popek_grammar.text.formatter import format_text
from popek_grammar.text.source import load_file, load_texts

BASE = """isa t { title "t"; encoding big parcel 16 }
extension E = false
modes { U = 0 < S = 1 }
state {
  pc : bits(8) reset 0
  m  : mode role mode reset S
  A[4] : bits(8)
  ie : bits(1) role control reset 0
  on : bits(1) role control reset 0
  saved : bits(8) role control reset 0
  word : bits(8) role control reset 0
  pm : bits(1) role control reset 0
  pie : bits(1) role control reset 0
  line : bits(2) role env reset 0
  key[4] : bits(4) role map
  ram : mem(8 -> 8)
}
causes (info: bits(8)) { ill = 0; call = 1; mem = 2; interrupt tick = 3; interrupt tock = 4 }
fault f { fetch, load, store, rmw => mem(va) }
trap_stack T { vector = 0x10; save pc -> saved; save m -> pm; save ie -> pie; record word = cause.info;
  enter m = S; enter ie = 0
}
interrupts { pending line @ 0b000; level T : tick > tock when ie == 1 }
instr ret { enc 00000101 00000000; asm "ret"; guard m == S else trap ill; do { return_from T } }
instr sys { enc 00000110 n:8; asm "sys {n}"; do { trap call(n) } }
instr get { enc 00000111 a:2 x:6; asm "get {a}, {x}"; do { A[a] = load(zext(x, 8), 8) } }
instr put { enc 00001000 a:2 x:6; asm "put {a}, {x}"; guard m == S else trap ill(x @ a); do { A[a] = zext(x) } }
translation pages for U when on == 1 {
  va 8
  page 4
  entry bits(8) { V[0]; U[1]; W[2]; P[7:4] }
  walk i from 1 to 0, base = saved {
    let e = load(base + zext(va[7:4], 8))
    if e.V == 0 { fault f }
    if i == 1 and e.W == 0 { next e.P @ 0x0 }
    if e.U == 0 or access in {store, rmw} and e.W == 0 { fault f }
    yield e.P @ va[3:0]
  }
}
protection keys { if key[pa[7:6]][0] == 1 and acting == U and not implicit { fault f } }
otherwise trap ill
"""


def told(*lines: str, base: str = BASE) -> dict[str, InvariantResult]:
    machine = elaborate(load_texts({"t.isa": "\n".join((base, *lines))}))
    return {kept.name: kept for kept in prove(machine, 10).invariants}


RETURN = "invariant i after ret { m == mode_of(old(pm)); pc == old(saved) }"
ENTRY = "invariant i after entry, interrupt { m >= old(m); saved == old(pc) }"
INFO = "invariant i after entry { word == cause.info }"
ORDER = "invariant i after interrupt(tock) { old(line)[0] == 0 }"
RAISES = "invariant i of ret { raises ill when m == U; completes when m == S }"
PAYLOAD = "invariant i of sys { raises call(n) when true }"
OPERANDS = "invariant i after put { A[a] == zext(x); ie == old(ie) }"
COMMON = "invariant i of put, get { traps when x == 64 - 1 and a == 3 and on == 0 and m == U; expect fails { get } }"
WRITTEN = "traps when access in {store, rmw} and entry.W == 0"
PAGES = f"invariant i of pages {{ traps when entry.V == 0; traps when entry.U == 0; {WRITTEN} }}"
KEYS = "invariant i of keys { traps when key[pa[7:6]][0] == 1 and acting == U and not implicit; completes when implicit }"
ANY = "invariant i(n: bits(2)) once { key[n] != 3 or n == 2 }"


@pytest.mark.parametrize(
    ("line", "was", "slip", "broken"),
    [
        (RETURN, "vector = 0x10; save pc -> saved", "vector = 0x10; leave pc = 0x20; save pc -> saved", "ret"),
        (ENTRY, "enter m = S; enter ie", "enter m = U; enter ie", "entry"),
        (ENTRY, "save pc -> saved", "save next_pc -> saved", "entry"),
        (INFO, "record word = cause.info", "record word = zext(cause.code)", "entry"),
        (ORDER, "tick > tock", "tock > tick", "interrupt"),
        (RAISES, "guard m == S else trap ill; do { return", "guard m == S else trap mem; do { return", "ret"),
        (RAISES, "guard m == S else trap ill; do { return", "guard m == S and ie == 0 else trap ill; do { return", "ret"),
        (RAISES, "guard m == S else trap ill; do { return", "do { return", "ret"),
        (PAYLOAD, "trap call(n)", "trap call(n + 1)", "sys"),
        (OPERANDS, "do { A[a] = zext(x) }", "do { A[a] = zext(x); ie = 0 }", "put"),
        (OPERANDS, "do { A[a] = zext(x) }", "do { A[1] = zext(x) }", "put"),
        (COMMON, "guard m == S else trap ill(x @ a)", "guard m == S or x == 63 else trap ill(x @ a)", "put"),
        (PAGES, "if e.U == 0 or", "if e.U == 0 and i == 0 or", "pages"),
        (PAGES, "access in {store, rmw} and e.W == 0", "access == store and e.W == 0", "pages"),
        (PAGES, "if e.V == 0 { fault f }", "if e.V == 0 and acting != U { fault f }", "pages"),
        (KEYS, "acting == U and not implicit", "acting == U", "keys"),
        (KEYS, "pa[7:6]][0] == 1 and acting", "pa[7:6]][1] == 1 and acting", "keys"),
        (ANY, "do { A[a] = zext(x) }", "do { key[a] = x[3:0] }", "put"),
    ],
)  # fmt: skip
def test_a_slip_breaks_it(line: str, was: str, slip: str, broken: str) -> None:
    """It holds of the machine, and of the machine with the slip it does not: the step is named, with a state."""
    assert BASE.count(was) == 1
    sound, slipped = told(line)["i"], told(line, base=BASE.replace(was, slip))["i"]
    assert sound.as_expected is Truth.YES, sound.difference
    assert slipped.as_expected is Truth.NO
    assert broken in slipped.broken
    assert slipped.witness is not None


def test_only_what_always_holds_is_given() -> None:
    """Reset and every step keep `on == 0`. What holds `once` is not given: reset need not satisfy it."""
    after = "invariant i after ret { on == 0 }"
    assert told(after)["i"].broken == ("ret",)
    assert told(after, "invariant off { on == 0 }")["i"].found == "holds"
    assert told(after, "invariant off once { on == 0 }")["i"].broken == ("ret",)
    assert told(after, "invariant off { on == 0 }")["i"].premises == ("off",)


def test_one_is_no_premise_of_another() -> None:
    both = told("invariant i after ret { on == old(on) }", "invariant j { ie == 0 or m == S }")
    assert both["i"].found == "holds"
    assert both["j"].found == "fails"  # RET goes to U with interrupts on, whatever is said of its step


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("invariant i after sys { pc == 0 }", "says nothing of sys, which never completes"),
        ("invariant i after ret, sys { pc == old(saved) }", "says nothing of sys"),
        (
            "invariant i of ret { raises ill when m == U; raises mem when m == S and m == U }",
            "`raises mem when m == S and m == U`",
        ),
        ("invariant i of ret { raises ill when false }", "says nothing of ret"),
        ("invariant i after interrupt(tick) { m == S }\ninvariant never { ie == 0 }", ""),
    ],
)
def test_what_says_nothing(line: str, words: str) -> None:
    """A sentence about a step that there never is, or a condition that never holds, is not as expected."""
    found = told(line)["i"]
    assert words in found.difference
    assert found.found == "holds"
    assert found.as_expected is (Truth.NO if words else Truth.YES)


def test_a_step_that_no_level_takes_says_nothing() -> None:
    base = BASE.replace("level T : tick > tock", "level T : tick")
    assert "says nothing of interrupt(tock)" in told(ORDER, base=base)["i"].difference


def test_the_witness_shows_operands_parameters_and_how_it_ends() -> None:
    found = told("invariant i(n: bits(2)) of put { raises ill when m == U or x == 5 and a == n and n == 2 }")["i"]
    assert found.witness is not None
    assert found.witness.results == ("completes",)
    assert dict(found.witness.operands) == {"a": 2, "x": 5, "n": 2}
    found = told("invariant i of pages { traps when entry.P == 3 }")["i"]
    assert found.witness is not None
    assert found.witness.labels == ("pages(fetch)",)
    assert dict(found.witness.operands)["entry"] >> 4 == 3


def test_steps_of_other_configurations_are_left_out() -> None:
    """An instruction, or a member of a family, that this configuration has not; where none is left there is no sentence."""
    more = """instr more { enc 00001001 op:8; ops op { one = 00000001, two = 00000010 }; needs E; do { ie = 0 } }"""
    assert told(more, "invariant i after ret, two { ie == old(ie) }")["i"].text.startswith("after ret:")
    assert told(more, "invariant i after one { ie == 0 }") == {}
    with_e = BASE.replace("extension E = false", "extension E")
    assert told(more, "invariant i after one { ie == 0 }", base=with_e)["i"].found == "holds"


def test_an_instruction_may_be_called_as_a_step_is() -> None:
    """`reset` is then the instruction, and is asked as one; the machine's own reset is `reset_step`."""
    named = 'instr reset { enc 00001001 00000000; asm "reset"; do { on = 1 } }'
    assert told(named, "invariant i { on == 0 }")["i"].broken == ("reset",)
    assert told(named, "invariant i { on == 1 }")["i"].broken == ("reset_step",)
    assert told(named, "invariant i after reset { on == 1 }")["i"].found == "holds"
    entered = 'instr entry { enc 00001001 00000000; asm "entry"; do { saved = 1 } }'
    assert told(entered, "invariant i { saved == 0 }")["i"].broken == ("entry", "entry_step", "interrupt")
    assert told(entered, "invariant i after entry_step { saved == old(pc) }")["i"].found == "holds"


def test_what_translation_writes_is_unknown_of_accesses() -> None:
    """A key that accesses change: what RET leaves is told, what GET leaves is not."""
    base = BASE.replace("  va 8\n", "  va 8\n  key[va[7:6]] = 1\n")
    assert told("invariant i after get { key[0] == old(key[0]) }", base=base)["i"].found == "unknown"
    assert told("invariant i after ret { key[0] == old(key[0]) }", base=base)["i"].found == "holds"


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("invariant i after rett { m == U }", "E0201", "did you mean `ret`?"),
        ("invariant i after interrupt(call) { m == U }", "E0459", "entry(call)"),
        ("invariant i after entry(tick) { m == U }", "E0459", "interrupt(tick)"),
        ("invariant i after entry(tik) { m == U }", "E0201", "did you mean"),
        ("invariant i after ret(saved) { m == U }", "E0459", "name it alone: ret"),
        ("invariant i after reset { m == S }", "E0459", "holds from reset on"),
        ("invariant i after pages { m == S }", "E0459", "of pages { traps when .. }"),
        ("invariant i of pages(write) { traps when true }", "E0201", ""),
        ("invariant i of entry { traps when true }", "E0459", "after entry { .. }"),
        ("invariant i of ret { m == S }", "E0459", "`raises CAUSE when E`"),
        ("invariant i after ret { traps when m == U }", "E0459", "invariant i of INSTRUCTION { traps when m == U }"),
        ("invariant i { raises ill when m == U }", "E0459", "raises ill when m == U"),
        ("invariant i once after ret { m == S }", "E0459", "leave out `once`"),
        ("invariant i after ret { }", "E0427", ""),
        ("invariant i { ie == old(ie) }", "E0458", "after INSTRUCTION"),
        ("invariant i of ret { traps when old(m) == U }", "E0458", ""),
        ("fn was() -> bits(1) = old(ie)", "E0458", ""),
        ("invariant i of ret { raises cal when m == U }", "E0201", "did you mean `call`?"),
        ("invariant i of ret { raises ill(0, 0) when m == U }", "E0273", ""),
        ("invariant i after ret, put { x == 0 }", "E0201", ""),
        ("invariant i after entry { cause.inf == 0 }", "E0201", ""),
        ("invariant i after ret { load(0, 8) == 0 }", "E0426", ""),
        ("invariant i of ret { traps when load(0, 8) == 0 }", "E0426", ""),
        ("invariant i after ret { m == S; expect fails { rett } }", "E0201", ""),
        ("invariant i after ret { m == S }\ntheorem t { for S at U; assume invariant i; show exact }", "E0429", ""),
        ("invariant i(n: bits(2)) { A[n] == 0 }\ntheorem t { for S at U; assume invariant i; show exact }", "E0429", ""),
    ],
)
def test_what_cannot_be_said(line: str, code: str, said: str) -> None:
    """The code, at the line, and what to write instead."""
    _, problems = elaborate_with_problems(load_texts({"t.isa": BASE + line}))
    found = [problem for problem in problems if problem.severity == "error"]
    assert {problem.code for problem in found} == {code}
    assert all(problem.span.line > BASE.count("\n") for problem in found)
    assert said in " ".join(f"{problem.message} {problem.help}" for problem in found)


def test_every_format_names_it_and_the_exit_code_counts_it() -> None:
    line = "invariant back after ret { pc == old(pc) }\ntheorem t { for S at U; show theorem1 }"
    report = check(elaborate(load_texts({"t.isa": BASE + line})), Options())
    assert exit_code(report) == 1
    for name in ("text", "json", "sarif", "markdown", "junit"):
        assert "back" in writer(name)([report])
    (row,) = json.loads(writer("json")([report]))["invariants"]
    assert (row["about"], row["verdict"], row["broken_by"]) == ("after", "refuted", ["ret"])
    quiet = check(elaborate(load_texts({"t.isa": BASE + RETURN + "\n" + PAGES.replace("invariant i", "invariant j")})), Options())
    shown = " ".join(writer("text")([quiet]).split())
    assert "2 sentences about steps hold: i, j" in shown
    assert "asked by the sentences about them" in shown


def test_a_second_run_asks_nothing(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    made = elaborate(load_texts({"t.isa": "\n".join((BASE, ORDER, PAGES.replace("invariant i", "invariant j")))}))
    cache = Cache(tmp_path / "rows.sqlite")
    first = prove(made, 10, cache=cache)
    assert {kept.found for kept in first.invariants} == {"holds"}
    monkeypatch.setattr(Smt, "_decided", None)
    kept_solver.cache_clear()
    assert prove(made, 10, cache=cache) == first


def test_a_line_may_begin_with_a_word_of_another_clause() -> None:
    """`level`, `pending`, `save` open lines elsewhere; here they are names."""
    base = BASE.replace("  on : bits(1)", "  level : bits(1) reset 0\n  on : bits(1)")
    assert told("invariant i { level == 0 }", base=base)["i"].found == "holds"
    assert told("invariant i after ret { level == old(level) }", base=base)["i"].found == "holds"


def test_formatting_keeps_what_is_said() -> None:
    lines = "\n".join((RETURN, RAISES.replace("invariant i", "invariant j"), ANY.replace("invariant i", "invariant k"), ""))
    again = format_text(BASE + lines)
    assert format_text(again) == again
    assert "invariant i after ret {" in again
    assert "invariant k(n: bits(2)) once {" in again


DOCS = SPEC.parent / "docs" / "language.md"


def test_the_page_on_the_language_says_what_holds() -> None:
    """Every sentence of its example, of the machine above; and what is shown of one that a slip breaks."""
    section = DOCS.read_text().partition("## Sentences about a step")[2].partition("\n## ")[0]
    example, shown = section.split("```\n")[1::2]
    found = told(example)
    assert len(found) == example.count("\ninvariant ")
    assert {kept.as_expected for kept in found.values()} == {Truth.YES}
    slipped = BASE.replace("if e.U == 0 or", "if")
    line = "invariant page_rights of pages { traps when entry.U == 0 }"
    report = check(elaborate(load_texts({"t.isa": "\n".join((slipped, line))})), Options())
    assert " ".join(shown.split()) in " ".join(writer("text")([report]).split())


# -- the library -----------------------------------------------------------------------------------------------------

SLIPS = [
    ("riscv/riscv.isa", "rv64", "riscv/traps.isa", "  leave  mstatus.SPIE = 1\n", "\n", "after_sret", "sret"),
    ("riscv/riscv.isa", "rv32", "riscv/traps.isa", "MEI > MSI > MTI > SEI", "MSI > MEI > MTI > SEI", "external_first",
     "interrupt"),
    ("riscv/riscv.isa", "rv64", "riscv/memory.isa", "u == 0 or mstatus.SUM == 1 and k != fetch", "true", "user_pages", "Sv39"),
    ("riscv/riscv.isa", "rv32", "riscv/memory.isa", "store => w == 1", "store => r == 1", "page_rights", "Sv32"),
    ("riscv/riscv.isa", "rv64", "riscv/system.isa", "trap breakpoint(pc)", "trap breakpoint(0)", "breakpoints", "ebreak"),
    ("riscv/hypervisor.isa", "rv64", "riscv/hypervisor_traps.isa", "hstatus.SPV = bits(mode)[2]", "hstatus.SPV = bits(mode)[1]",
     "trap_virtual_s", "entry"),
    ("riscv/landing_pads.isa", "rv64", "riscv/landing_pads.isa", "  save   elp            -> previous.MPELP\n",
     "  save   elp            -> mstatus.SPELP\n", "trap_keeps_elp", "entry"),
    ("mips/mips.isa", "r3000", "mips/cp0.isa", "  save    c0_status.KUp    -> c0_status.KUo\n", "\n", "status_pushed", "entry"),
    ("mips/mips.isa", "mips32", "mips/cp0.isa", "    linked = 0\n    if c0_status.ERL", "    if c0_status.ERL",
     "after_eret", "eret"),
    ("x86/ia32.isa", "base", "x86/segments.isa", "seg[s].P == 0 or not in_limit", "not in_limit", "segment_checks", "segments"),
    ("x86/svm.isa", "nested", "x86/svm_switch.isa", "  mode = root\n  gif = 0\n", "  mode = root\n", "guest_left", "entry"),
    ("arm/armv7a.isa", "base", "arm/exceptions.isa", "then pc + 4 else pc + 8", "then pc + 4 else pc + 4",
     "entered_data_abort", "entry"),
    ("s370/s370.isa", "base", "s370/storage.isa", "or not writes and key[block].F == 0", "or key[block].F == 0",
     "storage_protection",
     "storage_keys"),
    ("pdp10/ka10.isa", "ka10", "pdp10/ka10.isa", "va[17:10] > area.PROTECTION", "va[17:10] >= area.PROTECTION", "bounds",
     "relocation"),
    ("m68k/m68000.isa", "mc68010", "m68k/exceptions.isa", "enter  sr = 0b00100 @", "enter  sr = sr[15] @ 0b0100 @",
     "supervisor_state",
     "entry"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "config", "part", "old", "new", "name", "step"), SLIPS, ids=lambda value: str(value)[:24])
def test_a_slip_of_one_line_is_named(file: str, config: str, part: str, old: str, new: str, name: str, step: str) -> None:
    """In the shipped texts: the sentence that the manual has and the step are named."""
    texts = dict(load_file(SPEC / file).texts)
    (place,) = [known for known in texts if known.endswith(part)]
    assert old in texts[place]
    texts[place] = texts[place].replace(old, new, 1)
    found = {kept.name: kept for kept in prove(elaborate(load_texts(texts), config), 10).invariants}
    assert found[name].as_expected is Truth.NO
    assert step in found[name].broken
