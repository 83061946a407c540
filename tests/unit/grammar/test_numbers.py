"""Numbers that stand in declarations: any base, wherever a number may stand."""

from __future__ import annotations

import re

import pytest

from popek_grammar.elaborate import elaborate
from popek_grammar.text.diagnostics import SpecError
from popek_grammar.text.source import load_texts

TEXT = """
isa t { encoding little parcel 16; elf 243 }
modes { U = 0 < S = 3 }
state { pc : bits(32); X[8] : bits(32) zero at 2; mode : mode role mode reset S; base : bits(20) role map
  lines : bits(16) role env; ram : mem(32 -> 8) }
register seg[6] : bits(8)
causes { no = 4; interrupt tick = 5 }
fault page { fetch, load, store, rmw => no }
operand r : X at 1
translation t {
  va 32
  page 12
  entry bits(32)
  walk i from 1 to 0, at = base {
    let e = load(at @ va[10 * i + 12 +: 10] @ 0b00)
    if i == 0 { yield e }
    next e[19:0]
  }
}
instr a { enc 0000000000000 r:3; do { X[r] = 1 } }
otherwise trap no
length 16 when insn[0] == 0
region main at 0 size 0x1000 : ram
region plic at 0x10000 size 0x1000 : io plic
region uart at 0x20000 size 0x100 : io uart16550 { irq -> plic 10 }
"""

PLACES = [
    ("parcel 16", "parcel 0x10"), ("elf 243", "elf 0xf3"), ("S = 3", "S = 0b11"), ("X[8]", "X[0o10]"),
    ("zero at 2", "zero at 0b10"),
    ("seg[6]", "seg[0x6]"), ("no = 4", "no = 0o4"), ("tick = 5", "tick = 0x5"), ("X at 1", "X at 0b1"), ("va 32", "va 0x20"),
    ("page 12", "page 0b1100"), ("from 1 to 0", "from 0b1 to 0b0"), ("length 16", "length 0x10"), ("plic 10", "plic 0xA"),
]  # fmt: skip


def without_columns(text: str) -> str:
    """The machine; where its parts stand in the text is another matter."""
    return re.sub(r"(end_)?(line|column)=\d+|'[^']*@[\d.]+'", "", repr(elaborate(load_texts({"t.isa": text}))))


@pytest.mark.parametrize(("decimal", "other"), PLACES)
def test_a_number_may_be_in_any_base(decimal: str, other: str) -> None:
    assert TEXT.count(decimal) == 1
    assert without_columns(TEXT.replace(decimal, other)) == without_columns(TEXT)


@pytest.mark.parametrize("digits", ["0x", "0b_", "0o__", "0b2"])
def test_a_base_without_digits_is_no_number(digits: str) -> None:
    for text in (TEXT.replace("no = 4", f"no = {digits}"), TEXT.replace("X[r] = 1", f"X[r] = {digits}")):
        with pytest.raises(SpecError) as error:
            elaborate(load_texts({"t.isa": text}))
        assert error.value.diagnostics[0].code in ("E0001", "E0002")
