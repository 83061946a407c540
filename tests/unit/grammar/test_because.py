"""What a monitor may set, in the report: settings that make a hole run rightly, cells that cannot vary, and machines
that have nothing to set. And two spellings of the language that such machines use."""

from __future__ import annotations

import json

from popek.reports import writer
from popek_checker.virtualizability.check import check
from popek_checker.virtualizability.options import Options
from popek_checker.virtualizability.verdict import Report
from popek_grammar import machine as m
from popek_grammar.elaborate import elaborate
from popek_grammar.text.source import load_texts

TABLE = """
isa t { encoding little parcel 8 }
modes { U = 0 < S = 1 }
state {
  pc : bits(8)
  mode : mode role mode reset S
  ours : bits(8)
  theirs : bits(8) role control
  A : bits(8)
  ram : mem(8 -> 8)
}
register R : bits(8) role map { OWN [0] rw reset 0; OTHER [1] rw reset 0; FIXED [3:2] warl { 2 } else 2 reset 2 }
causes { no = 0 }
fn own(bit: bits(1)) -> bool = mode == S or bit == 1
instr get { enc 00000001; do { A = if own(R.OWN) then ours else theirs } }
instr both { enc 00000010; do { A = if own(R.OWN) and own(R.OTHER) then ours else theirs } }
instr either { enc 00000011; do { A = if own(R.OWN) or own(R.OTHER) then ours else theirs } }
instr lost { enc 00000100; do { A = if mode == S then ours else theirs + zext(R) } }
theorem one { for S at U; show theorem1; expect fails { get, both, either, lost } }
"""

OWN = """
isa own { encoding little parcel 8 }
modes { G = 0 }
state { pc : bits(8); A : bits(8); ram : mem(8 -> 8) }
layout pair : bits(8) { HIGH[7:4]; LOW[3:0] }
register F : bits(8) { Z [0]; N [1] reset 1; V [7:2] role guest }
causes { no = 0 }
instr swap { enc 00000001; do { let p : pair = A; A = p.LOW @ p.HIGH; F.Z = 1 } }
theorem one { for G at G; show theorem1; expect holds }
"""


def made(text: str) -> m.Machine:
    return elaborate(load_texts({"t.isa": text}))


def report(text: str) -> Report:
    return check(made(text), Options())


def test_settings_under_which_a_hole_is_none() -> None:
    """All the smallest sets: one field, two together, either of two; none where nothing helps."""
    rows = {row.name: row for row in report(TABLE).rows}
    assert rows["get"].exact_when == ("R.OWN == 1",)
    assert [set(text.split(" and ")) for text in rows["both"].exact_when] == [{"R.OWN == 1", "R.OTHER == 1"}]
    assert set(rows["either"].exact_when) == {"R.OWN == 1", "R.OTHER == 1"}
    assert rows["lost"].exact_when == ()
    assert all(row.condition == () for row in rows.values())


def test_the_text_says_so_and_shows_no_constant() -> None:
    found = report(TABLE)
    text = writer("text")([found])
    assert "as on the bare machine when R.OWN == 1\n" in text
    assert "R.FIXED" not in text
    witness = next(row.witness for row in found.rows if row.name == "lost")
    assert witness is not None
    assert [cell.held for cell in witness.cells if cell.name == "R.FIXED"] == [True]
    assert json.loads(writer("json")([found]))["instructions"][0]["exact_when"] == ["R.OWN == 1"]


def test_the_report_says_why() -> None:
    """A machine that has no state but the program's own is trivially virtualizable; others are counted."""
    own, other = report(OWN), report(TABLE)
    assert own.own
    assert not other.own
    assert "all state is the program's own" in writer("text")([own])
    assert "Theorem 1: fails: 4 of 4 sensitive instructions are not privileged" in writer("text")([other])
    assert "all state is the program's own" in writer("markdown")([own])


def test_a_let_keeps_the_layout_that_it_is_given() -> None:
    """`let p : pair` has the fields of `pair`."""
    assert "swap" in made(OWN).instructions


def test_a_field_without_an_access_is_rw() -> None:
    """With attributes or without."""
    fields = made(OWN).registers["F"].fields
    assert [field.kind for field in fields] == [m.FieldKind.RW] * 3
    assert made(OWN).scalars["F.N"].reset == 1
