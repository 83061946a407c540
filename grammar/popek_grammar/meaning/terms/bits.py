"""Bitwise operations, shifts, slices, concatenation, changes of width, folded."""

from __future__ import annotations

from popek_grammar.meaning.terms.comparison import signed
from popek_grammar.meaning.terms.nodes import Term, const, make
from popek_grammar.meaning.terms.truth import ite


def bvnot(a: Term) -> Term:
    if a.op == "const":
        return const(~a.value, a.width)
    if a.op == "bvnot":
        return a.args[0]
    return make("bvnot", a.width, (a,))


def bvand(a: Term, b: Term) -> Term:
    if a.op == "const":
        a, b = b, a
    ones = (1 << a.width) - 1
    if b.op == "const":
        if a.op == "const":
            return const(a.value & b.value, a.width)
        if b.payload == 0:
            return b
        if b.payload == ones:
            return a
        if a.op == "concat":
            return concat(
                bvand(a.args[0], extract(b, a.width - 1, a.args[1].width)), bvand(a.args[1], extract(b, a.args[1].width - 1, 0))
            )
        return _masked(a, b.value)
    if a is b:
        return a
    return _commutative("bvand", a, b)


def _masked(a: Term, mask: int) -> Term:
    """`a & mask` for a constant mask, as extracts when the mask is one run of ones."""
    low = (mask & -mask).bit_length() - 1
    run = mask >> low
    if run & (run + 1) == 0:
        top = low + run.bit_length()
        return zext(concat_all(extract(a, top - 1, low), *([const(0, low)] if low else [])), a.width)
    return make("bvand", a.width, (a, const(mask, a.width)))


def bvor(a: Term, b: Term) -> Term:
    if a.op == "const":
        a, b = b, a
    if b.op == "const":
        if a.op == "const":
            return const(a.value | b.value, a.width)
        if b.payload == 0:
            return a
        if b.payload == (1 << a.width) - 1:
            return b
        if a.op == "concat":
            return concat(
                bvor(a.args[0], extract(b, a.width - 1, a.args[1].width)), bvor(a.args[1], extract(b, a.args[1].width - 1, 0))
            )
    if a is b:
        return a
    return _commutative("bvor", a, b)


def bvxor(a: Term, b: Term) -> Term:
    if a.op == "const":
        a, b = b, a
    if b.op == "const":
        if a.op == "const":
            return const(a.value ^ b.value, a.width)
        if b.payload == 0:
            return a
        if b.payload == (1 << a.width) - 1:
            return bvnot(a)
    if a is b:
        return const(0, a.width)
    return _commutative("bvxor", a, b)


def _commutative(op: str, a: Term, b: Term) -> Term:
    if a.key > b.key and b.op != "const":
        a, b = b, a
    return make(op, a.width, (a, b))


def shl(a: Term, b: Term) -> Term:
    """Shift left by b (same width); zero when b is at least the width."""
    if b.op == "const":
        n = min(b.value, a.width)
        if n == 0:
            return a
        return const(0, a.width) if n == a.width else concat(extract(a, a.width - n - 1, 0), const(0, n))
    return make("shl", a.width, (a, b))


def lshr(a: Term, b: Term) -> Term:
    if b.op == "const":
        n = min(b.value, a.width)
        if n == 0:
            return a
        return const(0, a.width) if n == a.width else zext(extract(a, a.width - 1, n), a.width)
    return make("lshr", a.width, (a, b))


def ashr(a: Term, b: Term) -> Term:
    if b.op == "const":
        n = min(b.value, a.width - 1)
        return a if n == 0 else sext(extract(a, a.width - 1, n), a.width)
    return make("ashr", a.width, (a, b))


def extract(a: Term, hi: int, lo: int) -> Term:
    """Bits `hi` down to `lo` of `a`."""
    width = hi - lo + 1
    if width == a.width:
        return a
    match a.op:
        case "const":
            return const(a.value >> lo, width)
        case "extract":
            below = bounds(a)[1]
            return extract(a.args[0], hi + below, lo + below)
        case "concat":
            high, low = a.args
            if lo >= low.width:
                return extract(high, hi - low.width, lo - low.width)
            if hi < low.width:
                return extract(low, hi, lo)
            return concat(extract(high, hi - low.width, 0), extract(low, low.width - 1, lo))
        case "sext" if hi < a.args[0].width:
            return extract(a.args[0], hi, lo)
        case "ite" if a.args[1].op in ("const", "concat") or a.args[2].op in ("const", "concat"):
            return ite(a.args[0], extract(a.args[1], hi, lo), extract(a.args[2], hi, lo))
        case "bvand" | "bvor" | "bvxor" if a.args[1].op == "const":
            fold = {"bvand": bvand, "bvor": bvor, "bvxor": bvxor}[a.op]
            return fold(extract(a.args[0], hi, lo), extract(a.args[1], hi, lo))
        case "bvnot":
            return bvnot(extract(a.args[0], hi, lo))
    return make("extract", width, (a,), (hi, lo))


def bounds(a: Term) -> tuple[int, int]:
    """The upper and lower bit of an extract."""
    assert isinstance(a.payload, tuple)
    return a.payload


def concat(high: Term, low: Term) -> Term:
    """`high` above `low`; adjacent constants and adjacent slices of one term are joined. Nests to the right."""
    if high.op == "const" and low.op == "const":
        return const(high.value << low.width | low.value, high.width + low.width)
    if high.op == "concat":
        return concat(high.args[0], concat(high.args[1], low))
    first, *rest = low.args if low.op == "concat" else (low,)
    joined = _joined(high, first)
    if joined is not None:
        return concat(joined, rest[0]) if rest else joined
    return make("concat", high.width + low.width, (high, low))


def _joined(high: Term, low: Term) -> Term | None:
    if high.op == "const" and low.op == "const":
        return const(high.value << low.width | low.value, high.width + low.width)
    if high.op == low.op == "extract" and high.args[0] is low.args[0] and bounds(high)[1] == bounds(low)[0] + 1:
        return extract(high.args[0], bounds(high)[0], bounds(low)[1])
    return None


def concat_all(*parts: Term) -> Term:
    """All parts, the first highest."""
    result = parts[-1]
    for part in reversed(parts[:-1]):
        result = concat(part, result)
    return result


def zext(a: Term, width: int) -> Term:
    return a if width == a.width else concat(const(0, width - a.width), a)


def sext(a: Term, width: int) -> Term:
    if width == a.width:
        return a
    if a.op == "const":
        return const(signed(a.value, a.width), width)
    if a.op == "concat" and a.args[0].op == "const":
        top = a.args[0].value >> (a.args[0].width - 1)
        return concat(const(-top, width - a.width), a)
    if a.op == "sext":
        return sext(a.args[0], width)
    return make("sext", width, (a,))


def resize(a: Term, width: int) -> Term:
    """`a` cut or zero-extended to `width`."""
    return zext(a, width) if width >= a.width else extract(a, width - 1, 0)


def from_bool(a: Term) -> Term:
    """One bit: 1 when `a` holds."""
    return ite(a, const(1, 1), const(0, 1))
