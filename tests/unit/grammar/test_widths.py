"""Literals and the widths that they take: what one comes to must not depend on whether it was given a name."""

from __future__ import annotations

from itertools import product

import pytest

from popek_grammar.elaborate import elaborate, elaborate_with_problems
from popek_grammar.machine import Machine
from popek_grammar.text.source import load_texts
from popek_vmm.oracle import Oracle

HEAD = """
isa t {{ encoding big parcel 8 }}
param K in {{0..255}} = 7
state {{ pc : bits(16); A : bits(8); B : bits(8) reset 0x80; D : bits(16); ram : mem(16 -> 8) big }}
causes (info : bits(8)) {{ no = 0 }}
fragment f {{ alt p enc 0 let k = {first}; alt q enc 1 let k = {second} }}
fn three(x : bits(3)) -> bits(8) = zext(x)
instr one {{ enc 0000000 f; do {{ {body} }} }}
instr two {{ enc 0000001 k:1; do {{ trap no({payload}) }} }}
otherwise trap no(0)
"""


def text(body: str, first: str = "0b000", second: str = "0b001", payload: str = "A") -> str:
    return HEAD.format(first=first, second=second, body=body, payload=payload).replace("; alt", "\n alt")


def machine(body: str, **parts: str) -> Machine:
    return elaborate(load_texts({"t.isa": text(body, **parts)}))


def result(body: str) -> int:
    """What A holds after the body."""
    oracle = Oracle(machine(body))
    oracle.load([0], 0)
    assert oracle.step().trap is None
    return oracle.scalars["A"]


def refusals(body: str, **parts: str) -> list[str]:
    _, problems = elaborate_with_problems(load_texts({"t.isa": text(body, **parts)}))
    return [problem.code for problem in problems if problem.severity == "error"]


# -- comparisons -----------------------------------------------------------------------------------------------------

COMPARISONS = ("==", "!=", "<", "<=", ">", ">=", "<s", "<=s", ">s", ">=s")
LITERALS = ("0b00", "0b01", "0b10", "0b11")


@pytest.mark.parametrize("op", COMPARISONS)
def test_a_comparison_of_literals_is_that_of_names(op: str) -> None:
    """All pairs at once: bit n of A says whether pair n holds."""
    pairs = list(product(LITERALS, repeat=2))
    for left, right in pairs:
        bare = f"A = if {left} {op} {right} then 1 else 0"
        named = f"let a = {left}; let b = {right}; A = if a {op} b then 1 else 0"
        assert result(bare) == result(named), f"{left} {op} {right}"


@pytest.mark.parametrize(
    ("bare", "named"),
    [
        ("0b11 + 0b01 == 0", "a + 0b01 == 0"),
        ("0b11 - 0b01 <s 0b00", "a - 0b01 <s 0b00"),
        ("-0b11 == 0b01", "-a == 0b01"),
        ("0b11 << 1 == 0b10", "a << 1 == 0b10"),
        ("0b11 >>s 1 == 0b11", "a >>s 1 == 0b11"),
        ("~0b11 == 0b00", "~a == 0b00"),
        ("0b11 /s 0b01 == 0b11", "a /s 0b01 == 0b11"),
        ("0b11 <s 1", "a <s 1"),
        ("0b11 == -1", "a == -1"),
        ("(if K == 7 then 0b11 else 0b01) <s 0b01", "(if K == 7 then a else 0b01) <s 0b01"),
    ],
)
def test_an_operation_on_literals_is_that_on_names(bare: str, named: str) -> None:
    expected = result(f"let a = 0b11; A = if {named} then 1 else 0")
    assert expected == 1
    assert result(f"A = if {bare} then 1 else 0") == expected


def test_integers_stay_integers() -> None:
    """Parameters and decimal numbers have no width: 7 is less than 0x80 = 128, whatever the sign bit of a byte is."""
    assert result("A = if K < 0x80 then 1 else 0") == 1
    assert result("A = if 5 <s 130 then 1 else 0") == 1
    assert result("A = if K == 0b11 then 1 else 0") == 0
    assert refusals("A = if K <s 0b11 then 1 else 0") == ["E0233"]


@pytest.mark.parametrize("test", ["0b011 <s 0b01", "0b011 + 0b01 == 0"])
def test_two_widths_in_one_comparison_are_refused(test: str) -> None:
    assert refusals(f"A = if {test} then 1 else 0") == ["E0236"]


def test_two_widths_that_do_not_matter() -> None:
    assert result("A = if 0x0f == 0b1111 then 1 else 0") == 1


@pytest.mark.parametrize("value", ["(0xff << 4) >> 4", "-1 >> 1", "(0 - 1) / 2", "-4 % 3"])
def test_a_constant_that_is_another_in_bits_is_refused(value: str) -> None:
    assert refusals(f"A = {value}") == ["E0237"]


def test_a_constant_whose_parts_are_wider_is_an_integer() -> None:
    assert result("A = 0x1000 >> 8") == 0x10
    assert result("A = (K + 1) * 2 - 1") == 15


# -- where a width comes from ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("A = zext(K, 8)", 7),
        ("A = zext(K)", 7),
        ("A = sext(-1, 8)", 255),
        ("A = trunc(0 - 2, 8)", 254),
        ("let x = zext(K + 1, 8); A = x", 8),
        ("A = sext(0b10)", 0xFE),
        ("let x = if B == 0 then 0x01 else 0x02; A = x", 2),
        ("let x = match B with { 0 => 0x00, _ => B + 1 }; A = x", 0x81),
        ("let x = match B with { 0 => 0, 1 => B, _ => 0x03 }; A = x", 3),
        ("let x = match B with { 0 => 0x00, _ => 0x03 }; A = x", 3),
        ("A = min(0x80, 1)", 1),
        ("let x = max(0x80, 0x7f); A = x", 0x80),
        ("A = if 0b110 in { 5..6 } then 1 else 0", 1),
        ("A = zext(popcount(0b101))", 2),
        ("A = zext(0b101[2])", 1),
        ("A = zext(0b1010[3:2])", 2),
        ("let x = 0x80 << B[0 +: 1]; A = x", 0x80),
        ("A = three(k)", 0),
        ("ram[zext(A[3:0])] = 5; A = ram[if B == 0 then 1 else 0]", 5),
        ("A = zext(B[zext(A[2:0]) +: 1] @ B[zext(A[2:0])])", 0),
    ],
)
def test_it_is_found(body: str, value: int) -> None:
    assert result(body) == value


def test_zext_of_what_does_not_fit() -> None:
    assert refusals("A = zext(300, 8)") == ["E0233"]
    assert refusals("A = zext(0x1ff, 8)") == ["E0251"]
    assert refusals("A = sext(0b11 + 0b11)") == ["E0233"]


@pytest.mark.parametrize("payload", ["zext(A[3:0])", "if A == 0 then 1 else 2", "zext(K)", "load(0)", "-1"])
def test_a_payload_has_the_declared_width(payload: str) -> None:
    assert machine("A = 1", payload=payload)


def test_a_fragment_binds_digits_of_a_width() -> None:
    """Three bits both, as `three` takes; decimal numbers alone stay as wide as the program counter."""
    assert refusals("A = three(k)", first="0b00", second="0b01") == ["E0231"]
    assert refusals("D = k", first="0", second="1") == []
    assert refusals("A = 1", first="0b00", second="0b001") == ["E0236"]
    assert refusals("A = three(k)", first="0", second="0b001") == []


@pytest.mark.parametrize(("reset", "code"), [("0x1ff", "E0233"), ("A", "E0211"), ("K << 4", None), ("0x70", None)])
def test_the_reset_of_a_whole_register_must_fit(reset: str, code: str | None) -> None:
    """Shared out to the fields, it was cut, or zero where it was no number."""
    register = f"register r : bits(8) reset {reset} {{ H[7:4] rw; L[3:0] rw }}\ninstr one"
    made, found = elaborate_with_problems(load_texts({"t.isa": text("A = r").replace("instr one", register)}))
    assert [p.code for p in found if p.severity == "error"] == ([code] if code else [])
    assert code or (made is not None and made.scalars["r.H"].reset == 7)
