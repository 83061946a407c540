"""Whether something holds for a whole page: terms over intervals, as terms again.

Some variables range over an interval. A number becomes the least and the greatest value it can have, a truth value
whether it must and whether it may hold. The bounds are terms over the other variables, so they are compiled, and
evaluated when a TLB entry is filled. They may be too wide, never too narrow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term

Bounds: TypeAlias = tuple[Term, Term]


def bounds(roots: list[Term], ranges: Mapping[str, Bounds]) -> dict[Term, Bounds]:
    """The bounds of every node: (least, greatest), or (must, may) for a truth value."""
    found: dict[Term, Bounds] = {}
    for term in t.postorder(roots):
        parts = [found[arg] for arg in term.args]
        if term.op == "var" and term.name in ranges:
            found[term] = ranges[term.name]
        elif all(low is high for low, high in parts):
            exact = t.rebuild(term, tuple(low for low, _ in parts)) if parts else term
            found[term] = (exact, exact)
        else:
            found[term] = _bounds(term, parts)
    return found


def _bounds(term: Term, parts: list[Bounds]) -> Bounds:
    lows, highs = [part[0] for part in parts], [part[1] for part in parts]
    match term.op:
        case "not":
            return t.not_(highs[0]), t.not_(lows[0])
        case "and":
            return t.and_(*lows), t.and_(*highs)
        case "or":
            return t.or_(*lows), t.or_(*highs)
        case "eq" if term.args[0].width:
            apart = t.or_(t.ult(highs[0], lows[1]), t.ult(highs[1], lows[0]))
            one = t.and_(t.eq(lows[0], highs[0]), t.eq(lows[1], highs[1]), t.eq(lows[0], lows[1]))
            return one, t.not_(apart)
        case "ult":
            return t.ult(highs[0], lows[1]), t.ult(lows[0], highs[1])
        case "ite":
            return _ite(term, parts)
        case "add":
            return _add(lows, highs)
        case "concat":
            return _concat(parts)
        case "extract":
            return _extract(term, *parts[0])
        case "bvand" | "bvor" if parts[0][0] is parts[0][1] or parts[1][0] is parts[1][1]:
            exact, (low, high) = (parts[0][0], parts[1]) if parts[0][0] is parts[0][1] else (parts[1][0], parts[0])
            return _masked(term.op, exact, low, high)
        case "apply":
            return _read(term, parts)
    if term.width == t.BOOL:
        return t.FALSE, t.TRUE
    return _anything(term.width)


def _anything(width: int) -> Bounds:
    return t.const(0, width), t.const(-1, width)


def _read(term: Term, parts: list[Bounds]) -> Bounds:
    """What is read at one place only, though its bounds are two terms: an entry of a table, by the upper bits of an address."""
    one = t.and_(*(t.eq(low, high) for low, high in parts))
    value = t.rebuild(term, tuple(low for low, _ in parts))
    if term.width == t.BOOL:
        return t.and_(one, value), t.or_(t.not_(one), value)
    none, all_ = _anything(term.width)
    return t.ite(one, value, none), t.ite(one, value, all_)


def _ite(term: Term, parts: list[Bounds]) -> Bounds:
    (must, may), (yes_low, yes_high), (no_low, no_high) = parts
    if term.width == t.BOOL:
        low = t.ite(must, yes_low, t.ite(may, t.and_(yes_low, no_low), no_low))
        return low, t.ite(must, yes_high, t.ite(may, t.or_(yes_high, no_high), no_high))
    least = t.ite(t.ult(yes_low, no_low), yes_low, no_low)
    greatest = t.ite(t.ult(yes_high, no_high), no_high, yes_high)
    return t.ite(must, yes_low, t.ite(may, least, no_low)), t.ite(must, yes_high, t.ite(may, greatest, no_high))


def _add(lows: list[Term], highs: list[Term]) -> Bounds:
    """A sum, unless it wraps within the interval: both ends must wrap, or neither."""
    low, high = t.add(*lows), t.add(*highs)
    same = t.eq(t.from_bool(t.ult(low, lows[0])), t.from_bool(t.ult(high, highs[0])))
    none, all_ = _anything(low.width)
    return t.ite(same, low, none), t.ite(same, high, all_)


def _concat(parts: list[Bounds]) -> Bounds:
    """An exact lower part stays; exact upper bits keep the lower bounds; else the lower part may be anything."""
    (high_low, high_high), (low_low, low_high) = parts
    if low_low is low_high:
        return t.concat(high_low, low_low), t.concat(high_high, low_low)
    none, all_ = _anything(low_low.width)
    one = t.eq(high_low, high_high)
    return t.concat(high_low, t.ite(one, low_low, none)), t.concat(high_high, t.ite(one, low_high, all_))


def _extract(term: Term, low: Term, high: Term) -> Bounds:
    """The bounds cut, if what is cut off above is the same in both."""
    top, _ = t.bounds(term)
    none, all_ = _anything(term.width)
    same = t.TRUE
    if top + 1 < low.width:
        same = t.eq(t.extract(low, low.width - 1, top + 1), t.extract(high, high.width - 1, top + 1))
    return t.ite(same, t.rebuild(term, (low,)), none), t.ite(same, t.rebuild(term, (high,)), all_)


def _masked(op: str, mask: Term, low: Term, high: Term) -> Bounds:
    """With an exact mask: the bits above the topmost one in which the bounds differ are known, the rest is not."""
    unknown = t.bvxor(low, high)
    step = 1
    while step < low.width:
        unknown = t.bvor(unknown, t.lshr(unknown, t.const(step, low.width)))
        step *= 2
    least, most = t.bvand(low, t.bvnot(unknown)), t.bvor(low, unknown)
    how = t.bvand if op == "bvand" else t.bvor
    return how(least, mask), how(most, mask)
