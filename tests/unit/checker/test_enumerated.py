"""Verdicts of random small machines are those that enumeration of their states finds; and what that has found, kept.

`tests/support/enumeration` decides by the definitions, over numbers; `python -m bench enumerate` goes on with other seeds.
"""

from __future__ import annotations

import pytest
from enumeration.compare import compare, shrunk
from enumeration.generate import generate

from popek_checker.solver.smt import Smt
from popek_checker.virtualizability.decide import Item, decide, make_subject
from popek_checker.virtualizability.literal import Literal
from popek_checker.virtualizability.questions import Subject
from popek_checker.virtualizability.theorems import SHOWS
from popek_checker.virtualizability.verdict import Claim, Row, Truth
from popek_grammar.elaborate import elaborate
from popek_grammar.text.source import load_texts

CHUNKS = [range(first, first + 20) for first in range(0, 100, 20)]
MOST_RUNS = 3000


@pytest.mark.parametrize("seeds", CHUNKS, ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_answers_are_those_of_enumeration(seeds: range) -> None:
    smt, asked = Smt(60), 0
    for seed in seeds:
        decided, found = compare(generate(seed), smt, MOST_RUNS)
        asked += decided
        assert not found, f"seed {seed}: {shrunk(found[0], smt)}"
    assert asked >= 25


# -- what enumeration has found ----------------------------------------------------------------------------------------

HEAD = """
isa toy { encoding big parcel 8 }
modes { U = 0 < S = 1 }
state {
  pc : bits(1); mode : mode role mode reset S; A : bits(1)
  c : bits(1) role control; d : bits(1) role control; t : bits(1) role env
  spc : bits(1) role control; sm : mode role control; MORE
}
causes { no = 0 }
trap_stack T { save pc -> spc; save mode -> sm; enter mode = S; vector = VECTOR }
otherwise trap no
theorem t { for S at U; HELDshow theorem1; expect holds }
"""


def row(instruction: str, reading: str = "amended", more: str = "", vector: str = "0", assume: str = "") -> Row:
    """The row of an instruction; `assume` is H, of every state."""
    text = HEAD.replace("MORE", more).replace("VECTOR", vector).replace("HELD", f"assume {assume}; " if assume else "")
    text += f"instr i {{ enc 00000000; {instruction} }}"
    made = elaborate(load_texts({"toy.isa": text}))
    held = tuple(expr for expr, _ in made.theorems["t"].assume)
    claim, item = Claim("S", "U", reading=reading, everywhere=bool(held)), Item("i")
    return decide(make_subject(made, item, claim, held), item, Smt(60), frozenset(SHOWS))


def test_by_the_letter_what_a_trap_entry_reads_is_a_setting() -> None:
    assert row("do { trap no }", "literal", vector="t").truth("config:t") is Truth.YES
    assert row("do { trap no }", "literal", vector="1").any_of("config:") is Truth.NO


def test_a_setting_that_is_written_alone_tells_by_being_kept() -> None:
    """Two runs that keep c have its value and d's alike: c shows d, though no run reads it."""
    assert row("do { c = d; A = c }").truth("config:*") is Truth.YES
    assert row("do { c = d; A = A }").any_of("config:") is Truth.NO


@pytest.mark.parametrize("hidden", ["", "h : bits(1) role hidden"])
def test_the_real_mode_is_the_real_one_beside_hidden_state(hidden: str) -> None:
    """Hidden state that nothing reads changes no answer: both runs of a question about the user are in user mode."""
    found = row("guard c == 1 else trap no; do { A = bits(mode) }", more=hidden, assume="c == 1")
    assert (found.truth("mode"), found.truth("user_sensitive")) == (Truth.YES, Truth.NO)


@pytest.mark.parametrize(("value", "holds"), [("d", Truth.NO), ("t", Truth.NO), ("A", Truth.YES), ("0", Truth.YES)])
def test_hidden_state_is_alike_only_where_instructions_leave_it_so(value: str, holds: Truth) -> None:
    """What begins alike in guest and host is taken for alike at the next instruction: a setting put into it ends that."""
    found = row(f"do {{ h = {value} }}", more="h : bits(1) role hidden reset 0")
    assert (found.truth("exact"), found.truth("exact_user")) == (holds, holds)
    assert SHOWS["theorem1"](found) is (Truth.YES if holds is Truth.NO else Truth.NO)


# -- that it would find a fault ----------------------------------------------------------------------------------------


def faults(monkeypatch: pytest.MonkeyPatch, kind: type[Subject], name: str) -> None:
    monkeypatch.setattr(kind, name, lambda self, *rest, **more: iter(()))


@pytest.mark.parametrize(
    ("kind", "name"),
    [(Subject, name) for name in ("runs", "control", "behaviour_location", "joint", "trap_sensitive", "leaks", "inexact")]
    + [(Literal, "control")],
)
def test_a_question_that_is_not_asked_is_noticed(monkeypatch: pytest.MonkeyPatch, kind: type[Subject], name: str) -> None:
    faults(monkeypatch, kind, name)
    smt = Smt(60)
    assert any(compare(generate(seed, 4), smt, 1000)[1] for seed in range(40))
