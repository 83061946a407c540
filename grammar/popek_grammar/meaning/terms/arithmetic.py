"""Sums, products and quotients, folded."""

from __future__ import annotations

from collections.abc import Callable

from popek_grammar.meaning.terms.comparison import signed
from popek_grammar.meaning.terms.nodes import Term, const, make


def add(a: Term, b: Term) -> Term:
    if a.op == "const":
        a, b = b, a
    if b.op == "const":
        if a.op == "const":
            return const(a.value + b.value, a.width)
        if b.payload == 0:
            return a
        if a.op == "add" and a.args[1].op == "const":
            return add(a.args[0], const(a.args[1].value + b.value, a.width))
        return make("add", a.width, (a, b))
    if (a.op == "neg" and a.args[0] is b) or (b.op == "neg" and b.args[0] is a):
        return const(0, a.width)
    for x, y in ((a, b), (b, a)):  # (p + q) - q = p, which addresses relocated and taken back need
        if x.op == "add" and y.op == "neg" and y.args[0] in x.args:
            return x.args[1] if x.args[0] is y.args[0] else x.args[0]
        if x.op == "add" and x.args[1].op == "neg" and x.args[1].args[0] is y:
            return x.args[0]
    if a.op == "add" and a.args[1].op == "const":
        return add(add(a.args[0], b), a.args[1])
    if b.op == "add" and b.args[1].op == "const":
        return add(add(a, b.args[0]), b.args[1])
    if a.key > b.key and b.op != "neg":
        a, b = b, a
    return make("add", a.width, (a, b))


def neg(a: Term) -> Term:
    if a.op == "const":
        return const(-a.value, a.width)
    if a.op == "neg":
        return a.args[0]
    return make("neg", a.width, (a,))


def sub(a: Term, b: Term) -> Term:
    return const(0, a.width) if a is b else add(a, neg(b))


def mul(a: Term, b: Term) -> Term:
    if a.op == "const":
        a, b = b, a
    if b.op == "const":
        if a.op == "const":
            return const(a.value * b.value, a.width)
        if b.payload == 0:
            return b
        if b.payload == 1:
            return a
    elif a.key > b.key:
        a, b = b, a
    return make("mul", a.width, (a, b))


def udiv(a: Term, b: Term) -> Term:
    """Unsigned quotient; all ones when b is zero (SMT-LIB, RISC-V M)."""
    return _arithmetic("udiv", a, b, lambda x, y, w: x // y if y else -1)


def urem(a: Term, b: Term) -> Term:
    """Unsigned remainder; the dividend when b is zero."""
    return _arithmetic("urem", a, b, lambda x, y, w: x % y if y else x)


def sdiv(a: Term, b: Term) -> Term:
    """Signed quotient, toward zero; all ones when b is zero, the dividend on overflow."""
    return _arithmetic("sdiv", a, b, _signed_quotient)


def srem(a: Term, b: Term) -> Term:
    """Signed remainder, the sign of the dividend; the dividend when b is zero."""
    return _arithmetic("srem", a, b, _signed_remainder)


def _arithmetic(op: str, a: Term, b: Term, fold: Callable[[int, int, int], int]) -> Term:
    if a.op == "const" and b.op == "const":
        return const(fold(a.value, b.value, a.width), a.width)
    return make(op, a.width, (a, b))


def _signed_quotient(x: int, y: int, width: int) -> int:
    x, y = signed(x, width), signed(y, width)
    if y == 0:
        return -1
    quotient = abs(x) // abs(y)
    return quotient if (x < 0) == (y < 0) else -quotient


def _signed_remainder(x: int, y: int, width: int) -> int:
    x, y = signed(x, width), signed(y, width)
    if y == 0:
        return x
    remainder = abs(x) % abs(y)
    return -remainder if x < 0 else remainder
