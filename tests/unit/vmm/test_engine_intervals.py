"""Bounds over intervals are never too narrow; and the regions that say where memory lies."""

from __future__ import annotations

import random

import pytest

from popek_grammar.elaborate import elaborate
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term
from popek_grammar.text.diagnostics import SpecError
from popek_grammar.text.source import load_texts
from popek_vmm.engine.intervals import bounds

WIDTH = 8


def build(rng: random.Random, depth: int) -> Term:
    """A number over `x`, which ranges, and `y`, which does not."""
    if depth == 0:
        return rng.choice([t.var("x", WIDTH), t.var("x", WIDTH), t.var("y", WIDTH), t.const(rng.getrandbits(WIDTH), WIDTH)])
    a, b = build(rng, depth - 1), build(rng, depth - 1)
    at = rng.randrange(1, WIDTH)
    return rng.choice(
        [
            lambda: t.add(a, b), lambda: t.bvand(a, b), lambda: t.bvor(a, b), lambda: t.mul(a, b), lambda: t.sub(a, b),
            lambda: t.concat(t.extract(a, at - 1, 0), t.extract(b, WIDTH - 1, at)),
            lambda: t.ite(truth(rng, a, b), a, b), lambda: t.zext(t.extract(a, WIDTH - 1, at), WIDTH),
        ]
    )()  # fmt: skip


def truth(rng: random.Random, a: Term, b: Term) -> Term:
    first, second = t.ult(a, b), t.eq(a, b)
    return rng.choice([first, second, t.not_(first), t.and_(first, t.not_(second)), t.or_(first, second)])


def test_bounds_hold_for_every_value() -> None:
    """Random terms, every value of an interval: within the bounds; `must` only where it always holds."""
    for seed in range(400):
        rng = random.Random(seed)
        number = build(rng, 3)
        claim = truth(rng, number, build(rng, 2))
        low, high = sorted((rng.getrandbits(WIDTH), rng.getrandbits(WIDTH)))
        y = rng.getrandbits(WIDTH)
        found = bounds([number, claim], {"x": (t.const(low, WIDTH), t.const(high, WIDTH))})
        least, most, must, may = (value(each, 0, y) for each in (*found[number], *found[claim]))
        seen = [(value(number, x, y), value(claim, x, y)) for x in range(low, high + 1)]
        assert all(least <= each <= most for each, _ in seen), (seed, number)
        assert not must or all(each for _, each in seen), (seed, claim)
        assert may or not any(each for _, each in seen), (seed, claim)


def value(term: Term, x: int, y: int) -> int:
    numbers = {"x": t.const(x, WIDTH), "y": t.const(y, WIDTH)}
    return t.substitute([term], lambda node, _: numbers.get(node.name) if node.op == "var" else None)[term].value


MACHINE = """isa small { title "Small"; manual "none"; encoding little parcel 8 }
state {
  pc : bits(16)
  ram : mem(16 -> 8)
}
instr nop { enc 00000000; asm "nop"; do { pc = next_pc } }
"""


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("region a at pc size 4 : ram", "E0434"),
        ("region a at 0 size 0 : ram", "E0434"),
        ("region a at 0 size 4 : ram uart", "E0435"),
        ("region a at 0 size 4 : io", "E0435"),
        ("region a at 0 size 4 : ram\nregion b at 3 size 4 : io uart16550", "E0436"),
        ("region a at 0xFFFF size 2 : ram", "E0437"),
    ],
)
def test_regions_that_cannot_be(line: str, code: str) -> None:
    with pytest.raises(SpecError) as raised:
        elaborate(load_texts({"small.isa": MACHINE + line}, "small.isa"))
    assert code in str(raised.value)


def test_regions() -> None:
    """Constants, and devices by their kind; one whose condition does not hold is not there."""
    text = "region a at 0x100 size 1 << 8 : ram\nregion b at 0 size 16 : io uart16550\nregion c at 0 size 4 : ram when 1 == 2\n"
    regions = elaborate(load_texts({"small.isa": MACHINE + text}, "small.isa")).regions
    assert {(r.name, r.at, r.size, r.device) for r in regions.values()} == {("a", 256, 256, None), ("b", 0, 16, "uart16550")}
