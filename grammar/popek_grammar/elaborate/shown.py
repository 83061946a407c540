"""Which bits of the state some terms show as they are: what could be had back from their values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term

Bit: TypeAlias = "tuple[str, int]"
"""A variable's name and the number of a bit of it."""

Shown: TypeAlias = "Bit | int | None"
"""A bit of a term: one of a variable (or its complement), a constant 0 or 1, or something that shows neither."""


def shown(roots: Iterable[Term]) -> set[Bit]:
    """The bits of variables that stand in the values of `roots`: copied, joined, shifted, extended, complemented, or in a
    sum with a constant, which a subtraction undoes."""
    roots = list(roots)
    found: dict[Term, Sequence[Shown]] = {}
    for term in t.postorder(roots):
        found[term] = _bits(term, [found[arg] for arg in term.args])
    return {bit for root in roots for bit in found[root] if isinstance(bit, tuple)}


def _bits(term: Term, args: list[Sequence[Shown]]) -> Sequence[Shown]:
    """The bits of a term, the lowest first. A bool has none."""
    match term.op, args:
        case "const", _:
            return [term.value >> at & 1 for at in range(term.width)]
        case "var", _:
            return [(term.name, at) for at in range(term.width)]
        case "concat", [high, low]:
            return [*low, *high]
        case "extract", [inner]:
            hi, lo = t.bounds(term)
            return inner[lo : hi + 1]
        case "sext", [inner]:
            return [*inner, *[inner[-1]] * (term.width - len(inner))]
        case (("bvnot" | "neg"), [inner]):
            return [bit if isinstance(bit, tuple) else None for bit in inner]
        case "ite", [_, yes, no]:
            return [a if a == b else None for a, b in zip(yes, no, strict=True)]
        case "bvand", [left, right]:
            return [_masked(a, b) for a, b in zip(left, right, strict=True)]
        case (("bvor" | "bvxor"), [left, right]):
            return [_laid_over(a, b) for a, b in zip(left, right, strict=True)]
        case "add", [left, right]:
            return _sum(left, right)
        case ("shl" | "lshr") as op, [left, _] if term.args[1].is_const:
            return _shifted(left, term.args[1].value if op == "shl" else -term.args[1].value)
    return [None] * term.width


def _masked(a: Shown, b: Shown) -> Shown:
    if 0 in (a, b):
        return 0
    return b if a == 1 else a if b == 1 else None


def _laid_over(a: Shown, b: Shown) -> Shown:
    """An `or` with 1 hides the other bit; an exclusive one turns it over. Both are told as nothing."""
    return b if a == 0 else a if b == 0 else None


def _sum(left: Sequence[Shown], right: Sequence[Shown]) -> Sequence[Shown]:
    if all(0 in (a, b) for a, b in zip(left, right, strict=True)):
        return [_laid_over(a, b) for a, b in zip(left, right, strict=True)]
    for one, other in ((left, right), (right, left)):
        if all(isinstance(bit, int) for bit in other):
            return [bit if isinstance(bit, tuple) else None for bit in one]
    return [None] * len(left)


def _shifted(bits: Sequence[Shown], by: int) -> Sequence[Shown]:
    """`bits` moved up by so many places, or down."""
    return [bits[at - by] if 0 <= at - by < len(bits) else 0 for at in range(len(bits))]
