"""The formatter: what it does to a text, and that it changes nothing else."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from syntax_samples import EVERYTHING

from popek_grammar.text.diagnostics import SpecError
from popek_grammar.text.formatter import format_text
from popek_grammar.text.parser import parse_text

SPEC = Path(__file__).resolve().parents[3] / "spec"
FUZZ = int(os.environ.get("POPEK_FUZZ", "25"))


def test_everything() -> None:
    """The same tree, the same comments, and nothing left to do."""
    formatted = format_text(EVERYTHING)
    assert parse_text(formatted).tree == parse_text(EVERYTHING).tree
    assert re.findall(r"//.*", formatted) == re.findall(r"//.*", EVERYTHING)
    assert format_text(formatted) == formatted
    assert not any(line != line.rstrip() for line in formatted.splitlines())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("fn f(a:bits(3))->bool=a==-1", "fn f(a: bits(3)) -> bool = a == -1\n"),
        ("fn f()->bits(6)=0o17+0x1f", "fn f() -> bits(6) = 0o17 + 0x1f\n"),
        ("fn f(){x=a-b;y=f( - a ,g [i].h )\n}", "fn f() { x = a - b; y = f(-a, g[i].h)\n}\n"),
        (
            "fn f() {\nif a {\nb()\n}\nelse {\nc()\n}\n}",
            "fn f() {\n  if a {\n    b()\n  }\n  else {\n    c()\n  }\n}\n",
        ),
        ("acting = a\n@ b\n@ c", "acting = a\n  @ b\n  @ c\n"),
        ("acting = f(\na,\nb\n)", "acting = f(\n  a,\n  b\n)\n"),
        ("\n\nacting = a;\n\n\n\nacting = b // c\n\n", "acting = a\n\nacting = b  // c\n"),
        ("state {\n\n  a:bits(3)\n  bc:bool role env\n\n}", "state {\n  a   : bits(3)\n  bc  : bool  role env\n}\n"),
        ("fn f(){x.{ A,B }=v[ 3:0 ]}", "fn f() { x.{A, B} = v[3:0] }\n"),
        ("instr a{enc imm[12|10 : 5] rd : 5 01\n}", "instr a { enc imm[12|10:5] rd:5 01\n}\n"),
        ("acting = a // x\r\nacting = bcd // y\r\n", "acting = a    // x\nacting = bcd  // y\n"),
        ("", ""),
        ("// only", "// only\n"),
    ],
)
def test_blanks_and_indents(before: str, after: str) -> None:
    """Small texts in full."""
    assert format_text(before) == after
    assert format_text(after) == after


def test_fields_and_guards_align() -> None:
    """The table of fields that manuals print."""
    text = """csr x at 3 : bits(64) {
SIE [1] rw role control
/// previous
MPP [12:11] warl {U, M} else U role control reset 0
guard a else trap b
guard abc == 3 else trap b
}"""
    assert (
        format_text(text)
        == """csr x at 3 : bits(64) {
  SIE  [1]      rw                    role control
  /// previous
  MPP  [12:11]  warl { U, M } else U  role control  reset 0
  guard a        else trap b
  guard abc == 3 else trap b
}
"""
    )


def test_clauses_and_arms_align() -> None:
    """Words that head a clause, and the arms of a match."""
    text = """instr a {
enc 01
needs Z
do {
match x {
a => { b() }
cde => { f() }
}
}
}"""
    assert (
        format_text(text)
        == """instr a {
  enc   01
  needs Z
  do    {
    match x {
      a   => { b() }
      cde => { f() }
    }
  }
}
"""
    )


def test_refusal() -> None:
    """What does not parse is not touched."""
    with pytest.raises(SpecError):
        format_text("instr {")


@settings(max_examples=FUZZ, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_blanks_do_not_matter(data: st.DataObject) -> None:
    """However badly a text is laid out, one pass settles it."""
    lines = EVERYTHING.splitlines()
    ragged = [" " * data.draw(st.integers(0, 3)) + re.sub(r" {2,}", " ", line) for line in lines]
    at = data.draw(st.integers(0, len(ragged)))
    text = "\n".join([*ragged[:at], *[""] * data.draw(st.integers(0, 3)), *ragged[at:]])
    once = format_text(text)
    assert format_text(once) == once


@pytest.mark.parametrize("path", sorted(SPEC.rglob("*.isa")), ids=lambda path: path.name)
def test_what_is_shipped_is_formatted(path: Path) -> None:
    """Nobody who formats a shipped text finds it changed."""
    text = path.read_text()
    assert format_text(text, path.name) == text
