"""`popek diff`: what both machines have is compared by meaning, and every difference is shown by a state that replays."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest
from command import popek

from machines import SPEC, machine
from popek.codes import delta_code
from popek.reports import delta_writer
from popek_checker.difference import deciding, work
from popek_checker.difference.compare import Pair
from popek_checker.difference.delta import Contrast, Delta, DeltaRow, Status
from popek_checker.difference.diff import diff
from popek_checker.difference.sides import Unit
from popek_checker.solver.smt import Answer, Smt
from popek_checker.solver.smt import Status as Answered
from popek_checker.virtualizability.program import chosen
from popek_checker.virtualizability.verdict import Witness
from popek_grammar.assembly.decode import Decoded, encode
from popek_grammar.elaborate import elaborate
from popek_grammar.machine import Machine
from popek_grammar.text.source import load_file, load_texts
from popek_vmm.oracle import Oracle

PAPER = SPEC / "pg1974.isa"


def paper(*edits: tuple[str, str]) -> Machine:
    """The machine of the paper with pieces of its text replaced."""
    return edited("pg1974.isa", None, *edits)


def edited(file: str, config: str | None, *edits: tuple[str, str]) -> Machine:
    texts = dict(load_file(str(SPEC / file)).texts)
    for old, new in edits:
        found = [name for name, text in texts.items() if old in text]
        assert found, old
        texts[found[0]] = texts[found[0]].replace(old, new, 1)
    return elaborate(load_texts(texts), config)


def differing(delta: Delta) -> set[str]:
    return {row.label for row in delta.of(Status.DIFFERENT)}


def only(delta: Delta, name: str) -> DeltaRow:
    """The row that differs, which is the only one."""
    assert differing(delta) == {name}
    return delta.of(Status.DIFFERENT)[0]


def replay(row: DeltaRow, a: Machine, b: Machine) -> None:
    """The oracle of each machine, put in the state of the witness, does what the witness says."""
    assert row.witness is not None
    for side, made in enumerate((a, b)):
        replay_one(row.name, row.witness, made, side)


def replay_one(name: str, witness: Contrast, made: Machine, side: int) -> None:
    oracle = Oracle(made)
    oracle.scalars = dict.fromkeys(made.scalars, 0)
    for cell in witness.cells:
        state, _, index = cell.name.rstrip("]").partition("[")
        if index:
            oracle.arrays[state][int(index)] = cell.before
        elif state in made.scalars:
            oracle.scalars[state] = cell.before
    instruction = made.instructions[name]
    encoding, operands = chosen(instruction, Witness("", (), witness.operands, (), ()))
    word, _ = encode(made, encoding, operands)
    every = {operand.name: operands.get(operand.name, 0) for operand in instruction.operands}
    done = oracle.execute_only(Decoded(instruction, encoding, word, every, {}))
    ending = witness.endings[side]
    assert done.trap == ending.trap, name
    if ending.trap is not None:
        assert done.payload == tuple(value for _, value in ending.payload)
        return
    for cell in witness.cells:
        state, _, index = cell.name.rstrip("]").partition("[")
        if state in made.scalars or state in made.arrays:
            found = done.arrays[state].get(int(index), cell.before) if index else done.scalars[state]
            assert found == cell.after[side], f"{name}: {cell.name}"


# -- whole machines --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("file", "config"), [("pg1974.isa", None), ("riscv/riscv.isa", "rv64"), ("x86/ia32.isa", "base")])
def test_a_machine_is_the_same_as_itself(file: str, config: str | None) -> None:
    delta = diff(machine(file, config), machine(file, config))
    assert delta_code(delta) == 0
    assert delta.rows
    assert {row.how for row in delta.rows} == {"text"}


def test_umip_is_what_the_manual_says() -> None:
    """SDM 3A 2.5: five instructions are forbidden. CPUID reports UMIP, and CR4.UMIP may be set (SDM 2A, 3A 2.5)."""
    base, umip = machine("x86/ia32.isa", "base"), machine("x86/ia32.isa", "umip")
    delta = diff(base, umip)
    assert differing(delta) == {"sgdt", "sidt", "sldt", "smsw", "str", "cpuid", "mov_to_cr"}
    assert {row.status for row in delta.rows} == {Status.SAME, Status.DIFFERENT}
    for row in delta.of(Status.DIFFERENT):
        replay(row, base, umip)
        assert row.witness is not None
        if row.name in ("sgdt", "sidt", "sldt", "smsw", "str"):
            assert [ending.trap for ending in row.witness.endings] == [None, "general_protection"]
            assert ("cr4.UMIP", 1) in [(cell.name, cell.before) for cell in row.witness.cells]


def test_widths_that_differ_are_not_compared() -> None:
    delta = diff(machine("riscv/riscv.isa", "rv64"), machine("riscv/riscv.isa", "rv32"))
    assert {row.status for row in delta.rows} == {Status.INCOMPARABLE}
    assert {row.reason for row in delta.rows} == {"pc: 64 bits in A, 32 bits in B"}
    told = {(change.kind, change.name, change.where): change.detail for change in delta.changes}
    assert told["state", "X", "both"] == "elements of 64 bits at 5-bit places in A; elements of 32 bits at 5-bit places in B"
    assert ("instruction", "ld", "A") in told
    assert ("instruction", "c_jal", "B") in told
    assert ("CSR", "mstatush", "B") in told
    assert ("translation", "Sv39", "A") in told
    assert told["encoding", "slli", "both"].startswith("000000 shamt")
    assert "pc: 64 bits in A, 32 bits in B" in delta_writer("text")(delta)


# -- mutants ---------------------------------------------------------------------------------------------------------

GUARD = re.compile(r"\n *instr (\w+)(?:(?!\n *instr ).)*?(guard [^\n;]*? else trap \w+(?:\([^)\n]*\))?)", re.DOTALL)


def guarded(text: str) -> dict[str, str]:
    """Instructions written by themselves, with their first guard."""
    return {found[1]: found[2] for found in GUARD.finditer(text)}


@pytest.mark.parametrize("name", guarded(PAPER.read_text()))
def test_a_deleted_guard_is_that_instruction(name: str) -> None:
    text = PAPER.read_text()
    start = text.index(f"instr {name} ")
    guard = guarded(text)[name]
    mutant = elaborate(load_texts({"m.isa": text[:start] + text[start:].replace(guard, "", 1)}), None)
    replay(only(diff(paper(), mutant), name), paper(), mutant)


@pytest.mark.parametrize(
    ("file", "config", "guard", "names"),
    [
        ("riscv/riscv.isa", "rv64", "guard mode >= S else trap illegal_instruction(insn)", {"sret"}),
        ("riscv/riscv.isa", "rv64", "guard mode == M or mstatus.TW == 0 else trap illegal_instruction(insn)", {"wfi"}),
        ("x86/ia32.isa", "base", "guard cr4.TSD == 0 or level() == 0 else trap general_protection(0)", {"rdtsc"}),
    ],
)
def test_a_deleted_guard_of_a_large_machine(file: str, config: str, guard: str, names: set[str]) -> None:
    whole, mutant = machine(file, config), edited(file, config, (guard, ""))
    delta = diff(whole, mutant)
    assert differing(delta) == names
    for row in delta.of(Status.DIFFERENT):
        replay(row, whole, mutant)


def test_another_body_is_shown_small() -> None:
    """ADD that subtracts: one cell is enough to see it."""
    mutant = paper(("store(x, load(x, 14) + load(y, 14))", "store(x, load(x, 14) - load(y, 14))"))
    row = only(diff(paper(), mutant), "ADD")
    replay(row, paper(), mutant)
    assert row.witness is not None
    assert row.witness.assembly[0].startswith("ADD ")
    changed = [cell for cell in row.witness.cells if cell.after[0] != cell.after[1]]
    assert len(changed) == 1
    assert changed[0].name.startswith("E[")


def test_another_text_of_the_same_meaning() -> None:
    """Equal terms need no solver; what only arithmetic shows to be equal does."""
    old = "store(x, load(x, 14) + load(y, 14))"
    swapped = diff(paper(), paper((old, "let d = load(x, 14) ; store(x, load(y, 14) + d)")), ["ADD"])
    assert [(row.status, row.how) for row in swapped.rows] == [(Status.SAME, "terms")]
    sums = "let c = load(x, 14) ; let d = load(y, 14) ; store(x, (c | d) + (c & d))"
    assert [(row.status, row.how) for row in diff(paper(), paper((old, sums)), ["ADD"]).rows] == [(Status.SAME, "solver")]


# -- state, traps, encodings -----------------------------------------------------------------------------------------


def test_state_of_one_machine_alone_is_free() -> None:
    """A latch that only B has: the instruction that looks at it is reported, with the latch in the witness."""
    latched = paper(
        ("  E   : mem(4 -> 14)", "  E   : mem(4 -> 14)\n  latch : bits(1) role control"),
        ("do { pc = x }", "guard latch == 0 else trap bound\n  do { pc = x }"),
    )
    delta = diff(paper(), latched)
    row = only(delta, "JMP")
    assert row.own == ("latch (only in B)",)
    assert row.witness is not None
    assert ("latch", 1, (None, 1)) in [(cell.name, cell.before, cell.after) for cell in row.witness.cells]
    assert [(c.kind, c.name, c.where) for c in delta.changes] == [("state", "latch", "B")]
    replay(row, paper(), latched)


def test_entry_of_a_trap_is_compared_by_itself() -> None:
    """Another order of saved fields: every cause enters otherwise, and every instruction that traps is said to differ by it."""
    other = paper(("enter m @ pc @ l @ b = E[1]", "enter m @ pc @ l @ b = E[2]"))
    delta = diff(paper(), other)
    entries = [row for row in delta.rows if row.kind == "entry"]
    assert {row.status for row in entries} == {Status.DIFFERENT}
    assert all(row.witness is not None and row.witness.entered for row in entries)
    rows = {row.name: row for row in delta.rows if row.kind == "instruction"}
    assert rows["JMP"].status is Status.SAME
    assert rows["HALT"].status is Status.DIFFERENT
    assert rows["HALT"].reason == "the entry of privileged differs, which both raise"


def test_another_encoding_of_the_same_meaning() -> None:
    moved = paper(("enc 00001 00000 x:4; asm", "enc 10100 00000 x:4; asm"))
    delta = diff(paper(), moved)
    assert not differing(delta)
    assert [(c.kind, c.name, c.detail) for c in delta.changes] == [("encoding", "JMP", "0000100000 x in A; 1010000000 x in B")]
    assert delta_code(delta) == 1


TINY = """isa tiny {{ encoding big parcel 8 }}
modes {{ U = 0 }}
state {{ pc : bits(8) ; r : bits(4) ; ram : mem(8 -> 8) }}
causes {{ bad = 0 }}
/// Sets r.
instr set {{ {enc} ; asm "set {{x}}" ; do {{ {body} }} }}
"""


@lru_cache(maxsize=8)
def tiny(body: str, enc: str = "enc 0000 x:4") -> Machine:
    return elaborate(load_texts({"tiny.isa": TINY.format(enc=enc, body=body)}), None)


def test_operands_of_another_width_are_not_compared() -> None:
    delta = diff(tiny("r = zext(x)"), tiny("r = zext(x)", "enc 00000 x:3"), ["set"])
    assert [(row.status, row.reason) for row in delta.rows] == [(Status.INCOMPARABLE, "operand x: 4 bits in A, 3 bits in B")]


@pytest.mark.parametrize(
    ("one", "other", "status"),
    [
        ("r = choose x in {1, 2}", "r = choose x in {1, 2}", Status.SAME),
        ("r = choose x in {1, 2}", "r = choose x in {1, 2, 3}", Status.DIFFERENT),
        ("r = choose x in {1, 2}", "r = 3 - (choose x in {1, 2})", Status.SAME),
        ("r = unspecified", "r = x", Status.DIFFERENT),
        ("ram[0] = unspecified", "let v : bits(8) = unspecified ; ram[0] = v + 1", Status.UNKNOWN),
    ],
)
def test_open_choices_are_compared_as_sets(one: str, other: str, status: Status) -> None:
    """A result that one machine can choose and the other cannot is a difference; large sets, differently made, are not known."""
    assert [row.status for row in diff(tiny(one), tiny(other), ["set"]).rows] == [status]


def test_no_answer_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Smt, "check", lambda *_, **__: Answer(Answered.UNKNOWN, reason="timeout"))
    delta = diff(tiny("r = x"), tiny("r = x + 1"), ["set"])
    assert [(row.status, row.reason) for row in delta.rows] == [(Status.UNKNOWN, "timeout")]
    assert delta_code(delta) == 3


# -- the command -----------------------------------------------------------------------------------------------------


def written(folder: Path, edits: Mapping[str, str]) -> str:
    text = PAPER.read_text()
    for old, new in edits.items():
        assert old in text
        text = text.replace(old, new, 1)
    (folder / "b.isa").write_text(text)
    return str(folder / "b.isa")


def test_json_and_exit_codes(tmp_path: Path) -> None:
    """A second run answers from the cache, and says the same."""
    other = written(tmp_path, {"do { pc = x }": "do { pc = x + 1 }"})
    runs = [popek("diff", str(PAPER), other, "--format", "json", "-j", "2", cache=tmp_path) for _ in range(2)]
    assert [run.returncode for run in runs] == [1, 1], runs[0].stderr
    assert runs[0].stdout == runs[1].stdout
    found = json.loads(runs[0].stdout)
    assert found["schema"] == "popek/diff/1"
    assert [row["name"] for row in found["rows"] if row["status"] == "different"] == ["JMP"]
    assert popek("diff", str(PAPER), other, "--instr", "ADD,DIV", "-j", "1", cache=tmp_path).returncode == 0


def test_formats() -> None:
    delta = diff(paper(), paper(("do { pc = x }", "do { pc = x + 1 }")), ["JMP"])
    assert "| `JMP` | different | pc: " in delta_writer("markdown")(delta)
    assert "JMP: JMP 0" in delta_writer("text")(delta)


def test_bad_input_is_2(tmp_path: Path) -> None:
    """The same diagnostics as `check`, in the file that has the error."""
    bad = written(tmp_path, {"do { pc = x }": "do { pc = z }"})
    run, checked = popek("diff", str(PAPER), bad, cache=tmp_path), popek("check", bad, cache=tmp_path)
    assert run.returncode == 2
    assert run.stderr == checked.stderr
    assert "b.isa" in run.stderr
    for arguments, says in (
        (("--instr", "JMQ"), "JMP"),
        (("--config-b", "big"), "configuration"),
        (("--param", "N=*"), "N"),
    ):
        run = popek("diff", str(PAPER), str(PAPER), "-j", "1", *arguments, cache=tmp_path)
        assert run.returncode == 2, arguments
        assert says in run.stderr
        assert "Traceback" not in run.stderr


# -- which clause differs ----------------------------------------------------------------------------------------------

SHARED = """isa shared {{ encoding big parcel 8 }}
modes {{ U = 0 < S = 1 }}
state {{
  pc  : bits(8)
  m   : mode role mode
  r[8] : bits(8)
  key : bits(8) role control
  old : bits(8)
  om  : mode role control
  ram : mem(8 -> 8)
}}
causes {{ bad = 0 ; odd = 1 }}
trap_stack T {{
  save pc -> old
  save m -> om
  enter m = S
  enter pc = {vector}
}}
fn open(k: bits(8)) -> bool = {open}
fn twice(k: bits(8)) -> bits(8) = {twice}
fn never(k: bits(8)) -> bool = open(k) and k < 10
{many}
instr stop {{ enc 11110000 ; asm "stop" ; guard m == S else trap bad ; do {{ pc = pc }} }}
instr plain {{ enc 11110001 ; asm "plain" ; do {{ r[0] = r[1] }} }}
"""
MANY = "\n".join(
    f'instr op{n} {{ enc 0{n:04b} x:3 ; asm "op{n} {{x}}" ; {{}} do {{ r[x] = twice(r[x]) + {n} }} }}' for n in range(10)
)


def shared(open_: str = "key == k", twice: str = "k + k", guard: str = "open(r[0])", vector: str = "4") -> Machine:
    many = MANY.replace("{}", f"guard {guard} else trap odd ;")
    return elaborate(load_texts({"s.isa": SHARED.format(open=open_, twice=twice, many=many, vector=vector)}), None)


def statuses(delta: Delta) -> dict[str, Status]:
    return {row.label: row.status for row in delta.rows}


def test_many_differ_through_one_function() -> None:
    """The function is named, with its place and a state; few of its callers are asked about, the rest are said to stand on it."""
    delta = diff(shared(), shared(open_="key != k"))
    (clause,) = delta.clauses
    assert (clause.label, clause.a, clause.status) == ("function open", "s.isa:19:1", Status.DIFFERENT)
    assert clause.witness is not None
    assert [(cell.after[0], cell.after[1]) for cell in clause.witness.cells if cell.name == "result"] in ([(0, 1)], [(1, 0)])
    found = statuses(delta)
    assert [found[f"op{n}"] for n in range(10)].count(Status.THROUGH) == 9
    assert {found["stop"], found["plain"], found["entry of odd"]} == {Status.SAME}
    assert all(row.through == ("function open",) for row in delta.rows if row.status is not Status.SAME)
    assert len(delta.standing(clause)) == 10
    assert delta_code(delta) == 1


def test_each_and_named_ones_are_asked_about() -> None:
    a, b = shared(), shared(open_="key != k")
    assert len(diff(a, b, each=True).of(Status.DIFFERENT)) == 10
    assert statuses(diff(a, b, ["op3", "plain"])) == {"op3": Status.DIFFERENT, "plain": Status.SAME}


def test_a_function_of_the_same_meaning_explains_nothing() -> None:
    """What differs through it alone is the same, and no row is asked about."""
    delta = diff(shared(), shared(twice="k << 1"))
    assert not delta.differs and not delta.clauses
    assert {row.how for row in delta.rows if row.name.startswith("op")} == {"solver"}
    assert {row.how for row in delta.rows if not row.name.startswith("op")} == {"text"}


def test_a_function_whose_difference_none_meets() -> None:
    """It differs by itself, for arguments that no caller gives: every caller is asked about, and is the same."""
    guard = "never(20)"
    a, b = shared(guard=guard), shared(open_="key == k or k == 20", guard=guard)
    delta = diff(a, b)
    assert {row.status for row in delta.rows} == {Status.SAME}
    assert not delta.differs


def test_what_stands_beside_something_undecided_is_not_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes too long stands for the others, which are unknown then: no verdict, and no wait for each of them."""
    asked: list[str] = []

    def slow(smt: Smt, pair: Pair, unit: Unit, uneven: frozenset[str]) -> DeltaRow:
        row = deciding.decide(smt, pair, unit, uneven)
        if unit.kind != "instruction" or row.status is Status.SAME:
            return row
        asked.append(unit.name)
        return replace(row, status=Status.UNKNOWN, reason="timeout", witness=None)

    monkeypatch.setattr(work, "decide", slow)
    a, b = shared(), shared(open_="key != k")
    delta = diff(a, b)
    rows = [row for row in delta.rows if row.name.startswith("op")]
    assert {row.status for row in rows} == {Status.UNKNOWN}
    assert {row.through for row in rows} == {("function open",)}
    assert [row.reason for row in rows if row.name in asked] == ["timeout"]
    assert sum("was not decided" in row.reason for row in rows) == 9
    assert delta_code(delta) == 3
    asked.clear()
    diff(a, b, each=True)
    assert len(asked) == 10


def test_two_clauses_at_once() -> None:
    """A row stands under the first, and names both."""
    delta = diff(shared(), shared(open_="key != k", twice="k"))
    assert [clause.label for clause in delta.clauses] == ["function open", "function twice"]
    assert {row.through for row in delta.rows if row.name.startswith("op")} == {("function open", "function twice")}


def test_entries_once() -> None:
    """Another vector: the entries differ through the stack, and so do the many that may raise a cause."""
    delta = diff(shared(), shared(vector="8"))
    (clause,) = delta.clauses
    assert (clause.label, clause.status) == ("trap stack T", None)
    found = statuses(delta)
    assert found["entry of odd"] is Status.DIFFERENT
    assert found["plain"] is Status.SAME
    assert [found[f"op{n}"] for n in range(10)].count(Status.THROUGH) >= 9
    assert {row.through for row in delta.rows if row.status is not Status.SAME} == {("trap stack T",)}


def test_a_rebound_operand_is_any_csr() -> None:
    """An instruction that names another CSR than its operand stands on all of them."""
    text = """isa csrs {{ encoding big parcel 8 }}
modes {{ U = 0 }}
state {{
  pc  : bits(8)
  r   : bits(8)
  ram : mem(8 -> 8)
}}
causes {{ bad = 0 }}
csr_space c : bits(2) {{ guard exists(addr) else trap bad }}
csr one at 0 : bits(8) {{ V [7:0] rw role control }}
csr two at 1 : bits(8) {{
  V [7:0] rw role control
  read = {read}
}}
operand n : c
instr get {{ enc 000000 n:2 ; asm "get {{n}}" ; do {{ r = csr_read(n) }} }}
instr after {{ enc 000001 n:2 ; asm "after {{n}}" ; do {{ let n = n + 1 ; r = csr_read(n) }} }}
"""
    a, b = (elaborate(load_texts({"c.isa": text.format(read=read)}), None) for read in ("two.V", "two.V + 1"))
    found = statuses(diff(a, b, each=True))
    assert {name for name, status in found.items() if status is Status.DIFFERENT} == {"get(two)", "after(one)"}


@pytest.mark.parametrize("format_", ["text", "markdown", "json"])
def test_the_clause_is_printed(format_: str) -> None:
    said = delta_writer(format_)(diff(shared(), shared(open_="key != k")))
    assert "function open" in said or '"name": "open"' in said
    assert "s.isa:19:1" in said


MIDWAY = """isa midway {{ encoding big parcel 8 }}
modes {{ U = 0 }}
state {{
  pc  : bits(8)
  r   : bits(8)
  ram : mem(8 -> 8)
}}
register f : bits(8) {{ V [1:0] warl {{ 0..2 }} else 0 role control }}
causes {{ bad = 0 }}
fn seen() -> bits(8) = if f.V == 3 then {value} else 0
instr set {{ enc 00000001 ; asm "set" ; do {{ f.V = 3 ; r = seen() ; f.V = 0 }} }}
"""


def test_a_function_is_met_midway() -> None:
    """Where an instruction has just made state what it never is between two, a function may differ there alone."""
    a, b = (elaborate(load_texts({"m.isa": MIDWAY.format(value=value)}), None) for value in (1, 2))
    assert statuses(diff(a, b))["set"] is Status.DIFFERENT


PAGED = """isa paged {{ encoding big parcel 8 }}
modes {{ U = 0 < S = 1 }}
state {{
  pc   : bits(8)
  m    : mode role mode
  r[8] : bits(8)
  old  : bits(8)
  om   : mode role control
  ram  : mem(8 -> 8)
}}
causes {{ bad = 0 }}
fault bad_access {{ fetch, load, store, rmw => bad }}
fn limit(k: access) -> bits(8) = match k with {{ fetch => {fetch} ; load => {load} ; store | rmw => {store} }}
translation window {{
  va 8
  if va >= limit(access) {{ fault bad_access }}
  yield va + 1
}}
trap_stack T {{
  save pc -> old
  save m -> om
  enter m = S
  enter pc = 4
}}
{many}
"""
MOVES = "\n".join(
    f'instr load{n} {{ enc 00{n:03b} x:3 ; asm "load{n} {{x}}" ; do {{ r[x] = load(r[{n}], 8) }} }}\n'
    f'instr store{n} {{ enc 01{n:03b} x:3 ; asm "store{n} {{x}}" ; do {{ store(r[{n}], r[x]) }} }}'
    for n in range(8)
)


def paged(fetch: int = 100, load: int = 110, store: int = 120) -> Machine:
    return elaborate(load_texts({"p.isa": PAGED.format(fetch=fetch, load=load, store=store, many=MOVES)}), None)


@pytest.mark.parametrize("part", ["fetch", "load", "store"])
def test_accesses_of_one_kind(part: str) -> None:
    """The function of all accesses differs for one kind: those that make another kind only are the same."""
    delta = diff(paged(), paged(**{part: 90}))
    found = statuses(delta)
    of_kind = {name: status for name, status in found.items() if name.startswith(part)}
    assert Status.DIFFERENT in of_kind.values()
    assert set(of_kind.values()) <= {Status.DIFFERENT, Status.THROUGH}
    if part != "load":  # loads are asked about first: where they differ, stores stand with them
        assert {status for name, status in found.items() if not name.startswith(part)} == {Status.SAME}
    assert [clause.label for clause in delta.clauses] == ["function limit"]
