"""Conditions are true: real arithmetic, words that read back, "none" only where there is none, the fewest otherwise."""

from __future__ import annotations

import json
from itertools import product
from random import Random

import pytest

from popek.reports import writer
from popek_checker.solver.smt import Smt, Status
from popek_checker.virtualizability.candidates import meaning
from popek_checker.virtualizability.check import Options, check
from popek_checker.virtualizability.decide import Item, make_subject
from popek_checker.virtualizability.pinning import merged, needed
from popek_checker.virtualizability.support import support
from popek_checker.virtualizability.verdict import Claim, Report, Row, Truth
from popek_grammar import machine as m
from popek_grammar.elaborate import elaborate
from popek_grammar.meaning import terms as t
from popek_grammar.text.source import load_texts

HEAD = """
isa cond { encoding big parcel 16 }
modes { U = 0 < S = 1 }
state {
  pc : bits(8)
  mode : mode role mode reset S
  R[4] : bits(8)
  shown : bits(8) role control
  a : bits(1) role control
  b : bits(1) role control
  c : bits(8) role control
  q : bits(16) role control
  mask : bits(8) role control
  open[8] : bits(1) role control
  need : bits(2) role control
  few[4] : bits(1) role control
  base : bits(8) role control
  ram : mem(8 -> 8)
}
causes { no = 0; mem = 1 }
fault f { fetch, load, store, rmw => mem }
otherwise trap no
"""


def made(*guards: str, more: str = "") -> m.Machine:
    """A machine with an instruction `iN` a guard: it shows `shown` where the mode is S or the guard holds, else traps."""
    body = "do { R[r] = shown } }"
    lines = [
        f"instr i{place} {{ enc {place + 1:08b} 000 n:3 r:2\n guard mode == S or ({guard}) else trap no\n {body}"
        for place, guard in enumerate(guards)
    ]
    return elaborate(load_texts({"cond.isa": "\n".join([HEAD, *lines, more, "theorem one { for S at U\n show theorem1 }"])}))


def checked(*guards: str) -> Report:
    return check(made(*guards), Options())


def row(guard: str) -> Row:
    (only,) = checked(guard).rows
    return only


# -- one instruction ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("guard", "condition"),
    [
        ("a == 0", ("a == 1",)),
        ("c & 0x81 == 0", ("(c & 0x81) != 0",)),
        ("q * 3 != 9", ("(q * 3) == 9",)),
        ("q / 7 != 5", ("(q / 7) == 5",)),
        ("c <s 3", ("c >=s 3",)),
        ("c in {1, 2, 3, 4}", ("c == 0",)),
        ("mask[zext(n, 3) +: 1] == 1", ("mask == 0",)),
        ("mask[zext(n, 3) +: 1] == 0", ("mask == 0xff",)),
        ("open[n] == 1", ("open[0..7] == 0",)),
        ("open[n] == 0", ("open[0..7] == 1",)),
        ("n[1:0] < need", ("need == 0",)),
        ("zext(n, 8) < c[7:4] @ 0b0000", ("c[7:4] == 0",)),
        ("match n with { 0 => mask[0] == 1, 1 => mask[1] == 1, 2 => mask[2] == 1, _ => mask[3] == 1 }", ("mask[3:0] == 0",)),
        ("n == 7 and mask[zext(n, 3) +: 1] == 1", ("mask == 0",)),
    ],
)
def test_a_condition_that_works(guard: str, condition: tuple[str, ...]) -> None:
    """It is found, and with it assumed the theorem holds."""
    found = row(guard)
    assert (found.condition, found.searched) == (condition, "")
    held = "\n ".join(f"assume {text}" for text in found.condition)
    closed = check(made(guard, more=f"theorem closed {{ for S at U\n {held}\n show theorem1 }}"), Options())
    assert [theorem.found for theorem in closed.theorems if theorem.name == "closed"] == ["holds"]


@pytest.mark.parametrize(
    ("guard", "reads"),
    [
        ("q * q != 3", "q"),  # 3 is no square modulo 2^16; under opaque products it is one
        ("q * q == 3 or q * q != 3", "no state"),
        ("ram[base + zext(n)][0:0] == 1", "base"),
        ("mask[zext(n, 3) +: 1] == r[0]", "mask"),
        ("n != 0 or a == 0", "no state"),
        ("true", "no state"),
    ],
)
def test_none_where_there_is_none(guard: str, reads: str) -> None:
    """Whatever the monitor holds, some run completes; the reason names what was given all values."""
    found = row(guard)
    assert (found.condition, found.closable) == ((), Truth.NO)
    assert reads in found.searched or guard.startswith(("n", "q * q ==")), found.searched


def test_more_than_three_together() -> None:
    """Five fields of which each alone leaves the instruction running."""
    found = row("a == 0 or b == 0 or c != 7 or need != 2 or mask != 9")
    assert set(found.condition) == {"a == 1", "b == 1", "c == 7", "need == 2", "mask == 9"}


def test_a_condition_leaves_something_to_trap() -> None:
    """`base < 0` is met by no state, and a guard that always fails under it is not closed by it."""
    found = row("not (c == 3 and c == 4)")
    assert (found.condition, found.closable) == ((), Truth.NO)


def test_a_memory_trap_is_a_trap() -> None:
    """As for `privileged`: with nothing of memory reachable every access faults, and the settings verified say so."""
    text = HEAD.replace(
        "otherwise", "translation t for S, U { va 8\n page 2\n if va >= zext(base) { fault f }\n yield va }\notherwise"
    )
    text += "instr get { enc 00000001 000000 r:2\n do { R[r] = shown + load(0) } }\n"
    text += "theorem one { for S at U\n memory translated\n show theorem1 }"
    report = check(elaborate(load_texts({"t.isa": text})), Options())
    (only,) = report.rows
    assert only.violation is Truth.YES
    assert only.condition == ("base == 0",)
    assert report.settings is not None
    assert (report.settings.held, report.settings.verified) == (("base == 0",), Truth.YES)


def test_products_on_top_of_facts_without_any_are_real() -> None:
    """A scope asks what it is asked with real arithmetic, whatever its facts are made of."""
    q = t.var("q", 16)
    square = t.eq(t.mul(q, q), t.const(3, 16))
    with Smt().within([t.ult(q, t.const(1000, 16))]) as scope:
        assert scope.status(square) is Status.UNSAT
        assert scope.status(t.eq(t.mul(q, q), t.const(9, 16))) is Status.SAT
        assert (scope.found(t.mul(q, q)), scope.found(q) ** 2 & 0xFFFF) == (9, 9)


# -- all instructions --------------------------------------------------------------------------------------------------


def test_the_most_holes_that_any_host_closes() -> None:
    """i0 and i1 exclude each other, and so do i2 and i3, i3 and i4: three of five, by two settings."""
    found = checked("a == 0", "a == 1", "c < 4", "c > 2", "c != 9").settings
    assert found is not None
    assert (len(found.closes), len(found.held), found.verified) == (3, 2, Truth.YES)
    assert {"i2", "i4"} < set(found.closes)
    assert "c == 9" in found.held
    assert set(found.conflicts) == set(found.remains)
    assert found.unfound == ()


def test_another_hole_has_the_condition_for_both() -> None:
    """`c >= 4` is what i0 compares; `c == 9`, which i1 does, closes it too."""
    found = checked("c < 4", "c != 9").settings
    assert found is not None
    assert (found.held, found.remains) == (("c == 9",), ())


def test_a_bit_picked_by_an_operand_closes_with_the_bits_by_name() -> None:
    """Whole state where one needs all of it: one setting, not eight."""
    found = checked("mask[zext(n, 3) +: 1] == 1", "mask[3] == 1", "mask[5] == 1").settings
    assert found is not None
    assert (found.held, found.remains, found.verified) == (("mask == 0",), (), Truth.YES)


def test_what_cannot_be_closed_is_told_from_what_was_not_found() -> None:
    """In text, JSON and Markdown; the condition of every hole is told by each."""
    report = checked("ram[base + zext(n)][0:0] == 1", "open[n] == 1", "a == 0", "a == 1")
    settled = report.settings
    assert settled is not None
    assert (settled.unfound, len(settled.conflicts)) == ((), 1)
    text, markdown, document = (writer(kind)([report]) for kind in ("text", "markdown", "json"))
    for written in (text, markdown):
        told = " ".join(written.split())
        assert "under any values of base it completes somewhere" in told
        assert "open[0..7] == 0" in told
        assert "no setting closes {i0}" in told
        assert f"with other settings than these: {{{settled.conflicts[0]}}}" in told
    found = json.loads(document)
    assert found["instructions"][0]["searched"] == ["no setting makes it trap: under any values of base it completes somewhere"]
    assert found["instructions"][1]["condition"] == ["open[0..7] == 0"]
    assert found["settings"]["conflicts"] == list(settled.conflicts)


# -- against enumeration -----------------------------------------------------------------------------------------------

ATOMS = ("a == 0", "b == 0", "a == b", "need < 2", "need != 3", "n[1:0] < need", "n[0] == a", "few[n[1:0]] == b", "few[0] == a",
         "n == 0", "n[2:1] == need", "few[need] == 1")  # fmt: skip
WIDTHS = (1, 1, 2, 4)
"""Of a, b, need, and the elements of few together."""


@pytest.mark.parametrize("seed", range(12))
def test_random_guards_against_enumeration(seed: int) -> None:
    """All values of a, b, need and few against all operands: what is closed, what none closes, how many at most."""
    choose = Random(seed)
    guards = [guard(choose, 2) for _ in range(4)]
    machine = made(*guards)
    report = check(machine, Options())
    rows = {each.label: each for each in report.rows}
    closing = {label: closed_by(machine, label) for label in rows}
    hosts = list(product(*(range(1 << width) for width in WIDTHS)))
    for label, each in rows.items():
        if each.violation is not Truth.YES:
            continue
        assert each.closable is Truth.of(bool(closing[label])), (guards, label)
        if each.condition:
            under = {host for host in hosts if all(holds(machine, text, host) for text in each.condition)}
            assert under, (guards, label, each.condition)
            assert under <= closing[label], (guards, label, each.condition)
    settled = report.settings
    if settled is not None:
        under = {host for host in hosts if all(holds(machine, text, host) for text in settled.held)}
        assert under
        assert all(under <= closing[label] for label in settled.closes)
        holes = [label for label, each in rows.items() if each.violation is Truth.YES]
        assert len(settled.closes) == max(sum(host in closing[label] for label in holes) for host in hosts), (guards, settled)


def guard(choose: Random, depth: int) -> str:
    """A random guard over held state and an operand."""
    if depth == 0 or choose.randrange(4) == 0:
        return choose.choice(ATOMS)
    return f"({guard(choose, depth - 1)} {choose.choice(('and', 'or'))} {guard(choose, depth - 1)})"


def closed_by(machine: m.Machine, label: str) -> set[tuple[int, ...]]:
    """The held values under which the instruction traps whatever its operand."""
    subject = make_subject(machine, Item(label), Claim("S", "U"), ())
    operand = subject.operands.locals["n"]
    completes = [
        t.substitute([subject.host_copy.ok], lambda term, _, n=n: t.const(n, 3) if term is operand else None)[
            subject.host_copy.ok
        ]
        for n in range(8)
    ]
    hosts = product(*(range(1 << width) for width in WIDTHS))
    return {host for host in hosts if not any(value(run, host) for run in completes)}


def value(term: t.Term, host: tuple[int, ...]) -> int:
    """A term under held values: a, b, need, and the elements of few as bits."""
    scalars = dict(zip(("a~", "b~", "need~"), host, strict=False))

    def known(leaf: t.Term, args: tuple[t.Term, ...]) -> t.Term | None:
        if leaf.op == "var":
            return t.const(scalars.get(leaf.name, 0), leaf.width)
        return t.const(host[3] >> args[0].value, 1) if leaf.op == "apply" else None

    return t.substitute([term], known)[term].value


def holds(machine: m.Machine, text: str, host: tuple[int, ...]) -> bool:
    subject = make_subject(machine, Item("i0"), Claim("S", "U"), ())
    term = meaning(machine, subject.host_copy.before, text)
    assert term is not None
    return bool(value(term, host))


# -- parts -------------------------------------------------------------------------------------------------------------


def test_nothing_of_what_is_needed_can_be_left_out() -> None:
    for wanted in ({3}, {0, 7}, {1, 2, 5}, set(range(8)), set()):
        assert needed(range(8), lambda some, wanted=wanted: wanted <= set(some)) == sorted(wanted)


def test_pins_side_by_side_are_one() -> None:
    x = t.var("x", 8)
    bits = [t.eq(t.extract(x, bit, bit), t.const(bit & 1, 1)) for bit in (7, 6, 5, 2)]
    assert merged(bits) == [t.eq(t.extract(x, 7, 5), t.const(5, 3)), t.eq(t.extract(x, 2, 2), t.const(0, 1))]
    places = [t.eq(t.apply("f", 1, (t.const(place, 3),)), t.const(1, 1)) for place in (0, 1, 4)]
    assert merged(places) == [t.and_(*places[:2]), places[2]]


def test_what_a_term_speaks_of() -> None:
    x, y, f = t.var("x", 8), t.var("y", 3), t.apply("f", 1, (t.var("y", 3),))
    low, high = t.extract(x, 3, 0), t.extract(x, 7, 4)
    assert not support([low]).touches(support([high]))
    assert support([t.add(x, x)]).touches(support([high]))
    assert support([f]).touches(support([t.apply("f", 1, (t.const(2, 3),))]))
    assert not support([t.apply("f", 1, (t.const(1, 3),))]).touches(support([t.apply("f", 1, (t.const(2, 3),))]))
    assert support([f]).touches(support([y]))


def test_conditions_close_the_run_of_every_guest_mode() -> None:
    """f holds `b` at what the guest's mode says: with `a == 1` a guest in S traps, and one in U, for which b is 1, does not."""
    f = "placement { host b = if mode == S then 0 else 1 }"
    (only,) = check(made("b == 1 or a == 0", more=f), Options()).rows
    assert only.violation is Truth.YES
    assert (only.condition, only.closable) == ((), Truth.NO)
