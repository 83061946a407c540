"""What the operators of the language mean, as terms."""

from __future__ import annotations

from collections.abc import Callable

from popek_grammar.machine import Modes
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term


def unary(op: str, a: Term) -> Term:
    return {"-": t.neg, "~": t.bvnot, "not": t.not_}[op](a)


def binary(op: str, a: Term, b: Term, modes: Modes | None = None) -> Term:
    """`a op b`; comparisons of modes follow the declared order of privilege."""
    if op in ("<<", ">>", ">>s"):
        return shift(op, a, b)
    if modes is not None and op in ("<", "<=", ">", ">="):
        a, b = rank(a, modes), rank(b, modes)
    return _BINARY[op](a, b)


def shift(op: str, a: Term, amount: Term) -> Term:
    """Shifts take an amount of any width, all of it significant; the result has the left operand's width."""
    wide = max(a.width, amount.width)
    by = t.zext(amount, wide)
    if op == "<<":
        return t.resize(t.shl(t.zext(a, wide), by), a.width)
    if op == ">>":
        return t.resize(t.lshr(t.zext(a, wide), by), a.width)
    return t.resize(t.ashr(t.sext(a, wide), by), a.width)


def rank(mode: Term, modes: Modes) -> Term:
    """The position of a mode in the order of privilege; the encoding itself where the two agree in order."""
    codes = [code for _, code in modes.members]
    if codes == sorted(codes):
        return mode
    result = t.const(0, mode.width + 1)
    for position, code in enumerate(codes):
        result = t.ite(t.eq(mode, t.const(code, mode.width)), t.const(position, mode.width + 1), result)
    return result


def popcount(a: Term) -> Term:
    total = t.const(0, a.width)
    for bit in range(a.width):
        total = t.add(total, t.zext(t.extract(a, bit, bit), a.width))
    return total


def count_zeros(a: Term, leading: bool) -> Term:
    """Leading (or trailing) zeros; the width when `a` is zero."""
    result = t.const(a.width, a.width)
    bits = range(a.width) if leading else reversed(range(a.width))
    for bit in bits:
        count = a.width - 1 - bit if leading else bit
        result = t.ite(t.eq(t.extract(a, bit, bit), t.const(1, 1)), t.const(count, a.width), result)
    return result


def parity(a: Term) -> Term:
    """The exclusive or of all bits, one bit."""
    result = t.extract(a, 0, 0)
    for bit in range(1, a.width):
        result = t.bvxor(result, t.extract(a, bit, bit))
    return result


def low(a: Term, count: int) -> Term:
    """The low `count` bits, in the width of `a`."""
    return t.const(0, a.width) if count == 0 else t.zext(t.extract(a, min(count, a.width) - 1, 0), a.width)


_BINARY: dict[str, Callable[[Term, Term], Term]] = {
    "+": t.add,
    "-": t.sub,
    "*": t.mul,
    "/": t.udiv,
    "%": t.urem,
    "/s": t.sdiv,
    "%s": t.srem,
    "&": t.bvand,
    "|": t.bvor,
    "^": t.bvxor,
    "@": t.concat,
    "==": t.eq,
    "!=": t.ne,
    "<": t.ult,
    "<=": t.ule,
    ">": lambda a, b: t.ult(b, a),
    ">=": lambda a, b: t.ule(b, a),
    "<s": t.slt,
    "<=s": t.sle,
    ">s": lambda a, b: t.slt(b, a),
    ">=s": lambda a, b: t.sle(b, a),
}


def slice_from(operand: Term, start: Term, width: int) -> Term:
    """`operand[start +: width]`, zero beyond the top."""
    if start.is_const:
        low = start.value
        if low >= operand.width:
            return t.const(0, width)
        return t.resize(t.extract(operand, min(low + width, operand.width) - 1, low), width)
    wide = max(operand.width, width, start.width)
    return t.extract(t.lshr(t.zext(operand, wide), t.zext(start, wide)), width - 1, 0)


def resize(kind: str, operand: Term, width: int) -> Term:
    if operand.width == t.BOOL:
        operand = t.from_bool(operand)
    if width == t.BOOL:
        return t.ne(operand, t.const(0, operand.width))
    return t.sext(operand, width) if kind == "sext" and width > operand.width else t.resize(operand, width)
