"""What a monitor can save and give back: derived from what instructions do, not from their names."""

from __future__ import annotations

import json

import pytest

from machines import machine
from popek.explaining import state
from popek.reports import writer
from popek.reports.harm import why_lost
from popek_checker.solver.smt import Answer, Smt, Status
from popek_checker.virtualizability.check import check
from popek_checker.virtualizability.decide import items
from popek_checker.virtualizability.options import Options
from popek_checker.virtualizability.restoring import Piece, _known, lost, passed, restored
from popek_checker.virtualizability.verdict import Restored
from popek_grammar.elaborate import elaborate
from popek_grammar.machine import Machine
from popek_grammar.meaning import terms as t
from popek_grammar.text.source import load_texts

X, Y = t.var("x", 8), t.var("y", 8)
BASE = """isa t { title "t"; encoding big parcel 16 }
modes { U = 0 < S = 1 }
state {
  pc : bits(8) reset 0
  m  : mode role mode reset S
  A : bits(8)
  P : bits(8)
  F : bits(1)
  K : bits(4) reset 3
  X[4] : bits(8) zero at 0
  saved : bits(8) role control
  pm : bits(1) role control
  saved_p : bits(8) role control
  ram : mem(8 -> 8)
}
causes { ill = 0; call = 1; mem = 2 }
fault f { fetch, load, store, rmw => mem }
trap_stack T { vector = 0x10; save pc -> saved; save m -> pm; enter m = S; ENTRY }
instr put { enc 00000001 x:8; asm "put {x}"; do { store(x, A) } }
instr get { enc 00000010 x:8; asm "get {x}"; do { A = load(x, 8) } }
instr mv { enc 00000011 r:2 d:1 00000; asm "mv {r}, {d}"; do { if d == 0 { A = X[r] } else { X[r] = A } } }
instr sys { enc 00000110 00000000; asm "sys"; do { trap call } }
otherwise trap ill
"""


def made(*lines: str, entry: str = "") -> Machine:
    return elaborate(load_texts({"t.isa": "\n".join((BASE.replace("ENTRY", entry), *lines))}))


def found(*lines: str, entry: str = "") -> dict[str, Restored]:
    return {piece.label: piece for piece in restored(made(*lines, entry=entry), Smt(10))}


def test_a_trap_entry_reads_what_it_puts_into_the_systems_registers() -> None:
    """No instruction shows P; entry keeps it where the system's own instructions find it."""
    pieces = found("instr set { enc 00001001 00000000; do { P = A } }", entry="record saved_p = P").get("P")
    assert pieces is not None
    assert pieces.reads.startswith("entry(")


def test_a_register_file_is_saved_and_given_back_by_moves_and_stores() -> None:
    pieces = found("instr see { enc 00001000 00000000; do { A = P } }", "instr set { enc 00001001 00000000; do { P = A } }")
    assert (pieces["A"].reads, pieces["A"].sets) == ("put", "get")
    assert {label: (p.reads, p.sets) for label, p in pieces.items() if p.name == "X"} == {
        f"X[{n}]": ("mv", "mv") for n in (1, 2, 3)
    }
    assert (pieces["P"].reads, pieces["P"].sets) == ("see", "set")
    assert "K" not in pieces, "nothing writes it: it is what it was after reset, for every guest"


@pytest.mark.parametrize(
    ("reader", "reads"),
    [
        ("do { A = P }", True),
        ("do { A = P + 3 }", True),
        ("do { A = ~P ^ x }", True),
        ("do { A = P & 0x7f }", False),
        ("do { if P == x { A = 1 } }", False),
        ("guard x <= P else trap ill; do { A = 0 }", False),
        ("guard m == U else trap ill; do { A = P }", False),
        ("do { X[1] = zext(P[7:4]); X[2] = zext(P[3:0]) }", True),
    ],
)
def test_what_reads_a_piece(reader: str, reads: bool) -> None:
    """Every value must be told from every other, in the most privileged mode; a comparison tells one from the rest."""
    pieces = found(f"instr see {{ enc 00001000 x:8; {reader} }}", "instr set { enc 00001001 00000000; do { P = A } }")
    assert bool(pieces["P"].reads) is reads


@pytest.mark.parametrize(
    ("setter", "sets"),
    [
        ("do { P = A }", True),
        ("do { P = x }", True),
        ("do { P = load(x, 8) }", True),
        ("do { P = A[3:0] @ x[3:0] }", True),
        ("do { P = A[3:0] @ A[3:0] }", False),
        ("do { P = 0 }", False),
        ("do { if F == 1 { P = A } }", True),
        ("do { if A != 0 { P = A } }", False),
        ("guard m == U else trap ill; do { P = A }", False),
    ],
)
def test_what_sets_a_piece(setter: str, sets: bool) -> None:
    """To every value that it can have, conditions held: the same bit twice is not every value."""
    pieces = found("instr see { enc 00001000 00000000; do { A = P } }", f"instr set {{ enc 00001001 x:8; {setter} }}")
    assert bool(pieces["P"].sets) is sets
    assert sets or pieces["P"].touched == (() if setter.startswith("guard") else ("set",))


def test_a_declared_set_is_all_that_must_be_set() -> None:
    register = "register R : bits(8) { F [1:0] warl { 0..2 } else 0 }"
    pieces = found(
        register, "instr see { enc 00001000 00000000; do { A = R } }", "instr set { enc 00001001 00000000; do { R = A } }"
    )
    assert (pieces["R.F"].reads, pieces["R.F"].sets) == ("see", "set")


def test_the_cases() -> None:
    """The limit of a window that only comparisons show; the link of LL and SC."""
    window = "instr open { enc 00001000 00000000; do { P = load(A, 8) } }"
    test = "instr test { enc 00001001 x:8; do { guard x <= P else trap ill } }"
    (piece,) = [piece for piece in lost(restored(made(window, test), Smt(10))) if piece.name == "P"]
    assert (piece.reads, piece.sets) == ("", "open")
    assert {piece.name for piece in lost(restored(machine("riscv/riscv.isa"), Smt(10)))} == {"reserved", "reservation"}


def test_the_view_and_the_line_of_the_report() -> None:
    window = "instr open { enc 00001000 00000000; do { P = load(A, 8) } }"
    test = "instr test { enc 00001001 x:8; do { guard x <= P else trap ill } }"
    flag = "instr flag { enc 00001010 x:8; do { A = zext(F); F = x[0] } }"
    here = made(window, test, flag)
    text = state(here, 10, "text")
    assert "X[1..3]  guest" in text
    assert "nothing reads it" in text
    document = json.loads(state(here, 10, "json"))
    assert document["schema"] == "popek/state/1"
    assert next(row for row in document["state"] if row["name"] == "P")["read_by"] is None
    report = check(here, Options())
    assert "A monitor cannot give back: P (nothing reads it)" in writer("text")([report])
    assert [row["name"] for row in json.loads(writer("json")([report]))["not_restored"]] == ["P"]


def test_what_gives_only_an_address_is_known_without_a_solver(monkeypatch: pytest.MonkeyPatch) -> None:
    """No contents of memory tell every place from every other: what cells a piece leads to says little of it."""
    text = made(
        "instr see { enc 00001000 x:8; do { A = load(P, 8); store(P, A) } }", "instr set { enc 00001001 00000000; do { P = A } }"
    )
    monkeypatch.setattr(Smt, "check", lambda *_, **__: pytest.fail("asked"))
    (see,) = [_known(text, item) for item in items(text) if item.instruction == "see"]
    assert not Piece(text, Smt(10), text.scalars["P"], None).is_read(see)


@pytest.mark.parametrize(
    ("results", "counts"),
    [
        ([t.bvxor(X, Y)], (8, 0)),
        ([t.extract(X, 3, 0), t.extract(X, 5, 2)], (6, 0)),
        ([t.apply("ram", 8, (X,))], (0, 0)),
        ([t.ite(t.ult(X, Y), t.apply("ram", 8, (X,)), Y)], (0, 1)),
        ([t.ite(t.eq(t.apply("ram", 8, (X,)), Y), Y, t.const(0, 8))], (0, 0)),
    ],
)
def test_what_a_term_can_tell_of_a_piece(results: list[t.Term], counts: tuple[int, int]) -> None:
    assert passed(X, results) == counts


def test_what_is_not_decided_is_no_no(monkeypatch: pytest.MonkeyPatch) -> None:
    """A solver that gives up has not found that nothing reads or sets a piece; such a report is not kept."""
    monkeypatch.setattr(Smt, "check", lambda *_, **__: Answer(Status.UNKNOWN, reason="timeout"))
    pieces = found("instr see { enc 00001000 00000000; do { A = P } }", "instr set { enc 00001001 00000000; do { P = A } }")
    assert (pieces["P"].reads, pieces["P"].sets, pieces["P"].undecided) == ("", "", ("reads", "sets"))
    assert why_lost(pieces["P"]) == "not decided what reads it, not decided what sets it"
