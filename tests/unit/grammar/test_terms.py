"""The constructors fold soundly: random terms, folded and raw, are equal by Z3."""

from __future__ import annotations

import random

import pytest

from popek_checker.solver.smt import Smt, Status
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term

Pair = tuple[Term, Term]
COMPARISONS = ("not", "and", "or", "eq", "ult", "slt")


def raw(op: str, *args: Term) -> Term:
    """The node as it stands, not folded."""
    if op in COMPARISONS:
        width = 0
    elif op == "concat":
        width = sum(arg.width for arg in args)
    else:
        width = args[1].width if op == "ite" else args[0].width
    return t.make(op, width, args)


def pair(op: str, *parts: Pair) -> Pair:
    return t.OPERATIONS[op](*(folded for folded, _ in parts)), raw(op, *(plain for _, plain in parts))


def generate(rng: random.Random, width: int, depth: int) -> Pair:
    if depth == 0 or rng.random() < 0.1:
        if rng.random() < 0.4:
            leaf = t.const(rng.choice([0, 1, -1, rng.getrandbits(max(width, 1))]), width)
        else:
            leaf = t.var(f"v{width}_{rng.randrange(3)}", width)
        return leaf, leaf

    def sub(size: int) -> Pair:
        return generate(rng, size, depth - 1)

    if width == 0:
        match rng.choice(("not", "and", "or", "eq", "ult", "slt", "ite")):
            case "not":
                return pair("not", sub(0))
            case ("and" | "or") as op:
                return pair(op, sub(0), sub(0))
            case "ite":
                return pair("ite", sub(0), sub(0), sub(0))
            case op:
                size = rng.choice([1, 2, 4, 8])
                return pair(op, sub(size), sub(size))
    match rng.choice([*(op for op in t.OPERATIONS if op not in COMPARISONS), "extract", "sext"]):
        case ("neg" | "bvnot") as op:
            return pair(op, sub(width))
        case "ite":
            return pair("ite", sub(0), sub(width), sub(width))
        case "concat":
            cut = rng.randrange(1, width) if width > 1 else 0
            return pair("concat", sub(width - cut), sub(cut)) if cut else sub(width)
        case "extract":
            size = width + rng.randrange(4)
            low = rng.randrange(size - width + 1)
            folded, plain = sub(size)
            return t.extract(folded, low + width - 1, low), t.make("extract", width, (plain,), (low + width - 1, low))
        case "sext":
            size = rng.randrange(1, width + 1)
            folded, plain = sub(size)
            return t.sext(folded, width), t.make("sext", width, (plain,)) if size < width else plain
        case op:
            return pair(op, sub(width), sub(width))


@pytest.mark.parametrize("seed", range(4))
def test_folding_is_sound(seed: int) -> None:
    rng, smt = random.Random(seed), Smt()
    for _ in range(500):
        folded, plain = generate(rng, rng.choice([0, 1, 2, 4, 8]), 4)
        if folded is not plain:
            assert smt.check([t.make("not", 0, (t.make("eq", 0, (folded, plain)),))]).status is Status.UNSAT, plain


def test_a_wrong_fold_would_be_seen() -> None:
    x = t.var("x", 8)
    assert Smt().check([t.ne(t.add(x, x), t.bvor(x, x))]).status is Status.SAT


def test_terms_are_shared() -> None:
    x, y = t.var("x", 8), t.var("y", 8)
    assert t.add(x, y) is t.add(y, x)
    assert t.sub(t.add(x, y), y) is x
    assert t.concat(t.extract(x, 7, 4), t.extract(x, 3, 0)) is x
