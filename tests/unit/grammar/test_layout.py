"""Where lines end, which line ends mean nothing, and which comments document what."""

from __future__ import annotations

import pytest
from lark import Token

from popek_grammar.text.diagnostics import SpecError
from popek_grammar.text.layout import MAX_NESTING, find_docs
from popek_grammar.text.parser import parse_text


def same(one: str, other: str) -> bool:
    """Whether two function bodies parse alike."""
    return bool(parse_text(f"fn f() {{ {one}\n}}").tree == parse_text(f"fn f() {{ {other}\n}}").tree)


@pytest.mark.parametrize(
    "broken",
    [
        "x = a +\n b + c",
        "x = a\n + b + c",
        "x =\n a + b + c",
        "x = a + // why\n b + c",
        "x = a // why\n\n /// and\n # how\n + b + c",
        "x = (a\n + b) + c",
        "\n\n x = a + b + c;\n",
        "; ;x = a + b + c ; \n ;",
        "x = a\r\n + b\r\n + c",
    ],
)
def test_a_line_goes_on(broken: str) -> None:
    """Inside brackets, after an operator and before one that cannot start a clause."""
    assert same(broken, "x = a + b + c")


@pytest.mark.parametrize(
    ("broken", "whole"),
    [
        ("x = a ==\n b and\n c", "x = a == b and c"),
        ("x = a == b\n and c\n or d", "x = a == b and c or d"),
        ("x = if a\n then b\n else c", "x = if a then b else c"),
        ("x = if a then\n b else\n c", "x = if a then b else c"),
        ("if a { b() }\n else if c { d() }\n\n else { e() }", "if a { b() } else if c { d() } else { e() }"),
        ("x = f(\n a\n ,\n b\n )", "x = f(a, b)"),
        ("x = a[\n 3\n :\n 0\n ]", "x = a[3:0]"),
        ("x = a in {\n 1,\n 2..3\n}", "x = a in { 1, 2..3 }"),
        ("x = a @\n b\n @ c", "x = a @ b @ c"),
        ("x = (match a with {\n b => c\n d =>\n e\n})", "x = (match a with { b => c, d => e })"),
        ("x = a\n / b", "x = a / b"),
        ("x = a\n // b", "x = a"),
        ("guard a\n else trap b", "guard a else trap b"),
        ("a()\n b()\n\n c()", "a(); b(); c()"),
    ],
)
def test_broken_like_whole(broken: str, whole: str) -> None:
    """Breaking lines where they may be broken changes nothing."""
    assert same(broken, whole)


@pytest.mark.parametrize("text", ["x = a\n - b", "x = a\n ~b", "x = a;\n + b", "x\n = \n\n", "x = a b"])
def test_a_line_ends(text: str) -> None:
    """A sign starts no continuation, nor does anything after `;`; two clauses need a line end."""
    with pytest.raises(SpecError):
        parse_text(f"fn f() {{ {text} }}")


def test_bits_and_numbers() -> None:
    """Bare bits stand in encodings only; the same digits are numbers elsewhere."""
    tree = parse_text("instr x { enc imm[11:0] rs1:5 op:3 rd:5 0010011\n ops op { a = 000, b = 010 } }").tree
    tokens = [t for t in tree.scan_values(lambda t: isinstance(t, Token)) if isinstance(t, Token)]
    bits = [t.value for t in tokens if t.type == "BITS"]
    numbers = [t.value for t in tokens if t.type == "INT"]
    assert bits == ["0010011", "000", "010"]
    assert numbers == ["11", "0", "5", "3", "5"]


def test_nesting_is_bounded() -> None:
    """Brackets up to the limit parse; beyond it is an error and nothing worse."""
    parse_text(f"acting = {'(' * MAX_NESTING}a{')' * MAX_NESTING}")
    with pytest.raises(SpecError, match="E0003"):
        parse_text(f"acting = {'(' * (MAX_NESTING + 1)}a{')' * (MAX_NESTING + 1)}")


def test_docs() -> None:
    """The lines directly above, without the slashes; trailing and interrupted comments are none."""
    docs = find_docs("/// one\n///two \nx /// no\n\n/// far\n\ny\n//// rule\nz\r\n/// crlf\r\nw")
    assert docs.before(3) == "one\ntwo"
    assert [docs.before(line) for line in (1, 4, 7, 9)] == ["", "", "", ""]
    assert docs.before(6) == "far"
    assert docs.before(11) == "crlf"
