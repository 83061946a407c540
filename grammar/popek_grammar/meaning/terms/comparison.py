"""Comparisons, folded."""

from __future__ import annotations

from popek_grammar.meaning.terms.nodes import BOOL, FALSE, TRUE, Term, boolean, const, make
from popek_grammar.meaning.terms.truth import and_, ite, not_


def eq(a: Term, b: Term) -> Term:
    if a is b:
        return TRUE
    if a.op == "const":
        a, b = b, a
    if b.op == "const":
        if a.op == "const":
            return FALSE
        return _eq_const(a, b)
    if a.key > b.key:
        a, b = b, a
    return make("eq", BOOL, (a, b))


def _eq_const(a: Term, b: Term) -> Term:
    """`a == b` for a constant b, pushed through what hides a constant."""
    if a.width == BOOL:
        return a if b.payload else not_(a)
    value = b.value
    if a.op == "ite" and (a.args[1].op == "const" or a.args[2].op == "const"):
        return ite(a.args[0], eq(a.args[1], b), eq(a.args[2], b))
    if a.op == "concat":
        high, low = a.args
        return and_(eq(high, const(value >> low.width, high.width)), eq(low, const(value, low.width)))
    if a.op == "bvnot":
        return eq(a.args[0], const(~value, a.width))
    if a.op == "add" and a.args[1].op == "const":
        return eq(a.args[0], const(value - a.args[1].value, a.width))
    return make("eq", BOOL, (a, b))


def ne(a: Term, b: Term) -> Term:
    return not_(eq(a, b))


def signed(value: int, width: int) -> int:
    """`value`, unsigned in `width` bits, read as two's complement."""
    return value - (1 << width) if value >> (width - 1) else value


def ult(a: Term, b: Term) -> Term:
    if a is b or (b.op == "const" and b.payload == 0):
        return FALSE
    if a.op == "const" and b.op == "const":
        return boolean(a.value < b.value)
    if b.op == "const" and b.payload == 1:
        return eq(a, const(0, a.width))
    if a.op == "const" and a.payload == (1 << a.width) - 2:
        return eq(b, const(-1, a.width))
    if a.op == "const" and a.payload == (1 << a.width) - 1:
        return FALSE
    if a.op == "const" and a.payload == 0:
        return ne(b, a)
    if b.op == "const" and b.payload == (1 << a.width) - 1:
        return ne(a, b)
    return make("ult", BOOL, (a, b))


def ule(a: Term, b: Term) -> Term:
    return not_(ult(b, a))


def slt(a: Term, b: Term) -> Term:
    if a is b:
        return FALSE
    if a.op == "const" and b.op == "const":
        return boolean(signed(a.value, a.width) < signed(b.value, b.width))
    return make("slt", BOOL, (a, b))


def sle(a: Term, b: Term) -> Term:
    return not_(slt(b, a))
