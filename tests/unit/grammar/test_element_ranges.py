"""`open[0..7] == 0`: a comparison of elements in a row, and what is said of ranges that are none."""

from __future__ import annotations

import pytest

from popek_grammar import machine as m
from popek_grammar.elaborate import elaborate
from popek_grammar.elaborate.assumptions import assumption
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.evaluator import Run
from popek_grammar.meaning.saying import say
from popek_grammar.meaning.state import symbolic
from popek_grammar.meaning.views import View
from popek_grammar.text.diagnostics import SpecError
from popek_grammar.text.source import load_texts

TEXT = """
isa rows { encoding little parcel 8 }
param LAST in {1..5} = 3
modes { U = 0 < S = 1 }
state {
  pc : bits(8)
  mode : mode role mode reset S
  byte : bits(8)
  open[6] : bits(2) role control
  ram : mem(8 -> 8)
}
register seg[4] : bits(8) role map { DPL [1:0] rw; BASE [7:2] rw }
causes { no = 0 }
otherwise trap no
instr nop { enc 00000000; do { } }
theorem one { for S at U
  assume open[1..LAST] == 0
  show theorem1 }
"""


@pytest.fixture(scope="module")
def made() -> m.Machine:
    return elaborate(load_texts({"rows.isa": TEXT}))


def term(made: m.Machine, text: str) -> t.Term:
    return Run(made, symbolic(made), View()).value(assumption(made, text))


@pytest.mark.parametrize(
    ("text", "long"),
    [
        ("open[0..5] == 0", " and ".join(f"open[{n}] == 0" for n in range(6))),
        ("open[2..2] != 3", "open[2] != 3"),
        ("open[1..2] < 3", "open[1] < 3 and open[2] < 3"),
        ("seg[0..3].DPL == 3", " and ".join(f"seg[{n}].DPL == 3" for n in range(4))),
        ("open[4..5][1:1] == 1", "open[4][1:1] == 1 and open[5][1:1] == 1"),
        ("not open[0..1] == 0", "not (open[0] == 0 and open[1] == 0)"),
        ("ram[0x10..0x11] == byte", "ram[0x10] == byte and ram[0x11] == byte"),
    ],
)
def test_each_of_them(made: m.Machine, text: str, long: str) -> None:
    assert term(made, text) is term(made, long)


def test_bounds_may_be_parameters(made: m.Machine) -> None:
    """`LAST` is 3."""
    ((expr, text),) = made.theorems["one"].assume
    assert text == "open[1..LAST] == 0"
    assert Run(made, symbolic(made), View()).value(expr) is term(made, "open[1..3] == 0")


@pytest.mark.parametrize(
    ("long", "short"),
    [
        ("open[0] == 1 and open[1] == 1 and open[2] == 1 and open[4] == 1", "open[0..2] == 1 and open[4] == 1"),
        ("open[3] != 1 and open[4] != 1", "open[3..4] != 1"),
        ("seg[1].BASE == 0x20 and seg[2].BASE == 0x20", "seg[1..2].BASE == 0x20"),
        ("open[1] == 1 and open[0] == 1", "open[1] == 1 and open[0] == 1"),
        ("open[0] == 1 and open[1] == 0", "open[0] == 1 and open[1] == 0"),
        ("open[0] == 1 and seg[1].DPL == 1", "open[0] == 1 and seg[1].DPL == 1"),
    ],
)
def test_rows_are_told_as_rows(made: m.Machine, long: str, short: str) -> None:
    assert say(made, term(made, long)) == short
    assert term(made, short) is term(made, long)


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        ("open[0..6] == 0", "E0264", "there is none at 6"),
        ("open[3..1] == 0", "E0238", "lower number"),
        ("byte[0..3] == 0", "E0238", "x[7:0]"),
        ("nothing[0..3] == 0", "E0238", "x[7:0]"),
        ("0 == open[0..3]", "E0269", "on the left"),
        ("open[0..byte] == 0", "E0211", "constant"),
    ],
)
def test_what_is_no_row(made: m.Machine, text: str, code: str, hint: str) -> None:
    with pytest.raises(SpecError) as caught:
        assumption(made, text)
    first = caught.value.diagnostics[0]
    assert first.code == code
    assert hint in f"{first.message} {first.help}"
    assert first.span is not None
