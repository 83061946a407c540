"""Whether an access may be made anywhere in a page, so that one TLB entry stands for all of it.

Where a machine refuses misaligned accesses, that can never be said of any access; then it is said of aligned ones.
"""

from __future__ import annotations

from dataclasses import dataclass

from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term
from popek_vmm.engine.accesses import Reach
from popek_vmm.engine.intervals import bounds

LARGEST_ACCESS = 16
"""Cells of the largest access that a filled TLB entry stands for."""


@dataclass(frozen=True, slots=True)
class Whole:
    """Whether accesses at a page are all allowed and at one distance; the places of its first and last cell.

    `aligned`: only those of 1, 2, 4 .. cells at multiples of their size are meant.
    """

    allowed: Term
    first: Term
    last: Term
    aligned: bool


def whole(each: Reach, page: int, width: int, least: int) -> Whole:
    """What must hold for the page of `%va`, of `width` bits, for accesses of at least so many cells. As much as can be shown."""
    any_ = _whole(each, page, width, 1, (least, LARGEST_ACCESS))
    if any_.allowed is not t.FALSE:
        return any_
    sizes = [1 << k for k in range(page + 1) if least <= 1 << k <= LARGEST_ACCESS]
    parts = [_whole(each, page, width, size, (size, size)) for size in sizes]
    same = [t.eq(part.first, parts[0].first) for part in parts[1:]]
    allowed = t.and_(*(part.allowed for part in parts), *same) if parts else t.FALSE
    last = t.add(parts[0].last, t.const(sizes[0] - 1, parts[0].last.width)) if parts else any_.last
    return Whole(allowed, parts[0].first if parts else any_.first, last, True)


def _whole(each: Reach, page: int, width: int, step: int, sizes: tuple[int, int]) -> Whole:
    """For accesses of these sizes at multiples of `step`."""
    va, low = t.var("%va", width), step.bit_length() - 1
    inner = t.var("%inner", page - low) if page > low else None
    above, below = [t.extract(va, width - 1, page)] if page < width else [], [t.const(0, low)] if low else []
    here = t.concat_all(*above, *([inner] if inner is not None else []), *below)
    size = t.const(sizes[0], 32) if sizes[0] == sizes[1] else None

    def there(term: Term, args: tuple[Term, ...]) -> Term | None:
        if term.op == "var":
            return here if term is va else size if term.name == "%size" else None
        return _above(term, args) or _below(term, args)

    asked = [t.and_(each.outcome.ok, each.unchanged), each.place]
    moved = t.substitute(asked, there)
    ranges = {"%size": (t.const(sizes[0], 32), t.const(sizes[1], 32))}
    if inner is not None:
        ranges["%inner"] = (t.const(0, inner.width), t.const(-1, inner.width))
    found = bounds([moved[root] for root in asked], ranges)
    (must, _), (first, last) = (found[moved[root]] for root in asked)
    distance = t.const((1 << page) - step, first.width)
    return Whole(t.and_(must, t.eq(t.sub(last, first), distance)), first, last, False)


def _above(term: Term, args: tuple[Term, ...]) -> Term | None:
    """Keeps what is known of the bits above a page's apart from those within it: that an address is canonical, say."""
    if term.op == "sext" and args[0].op == "concat":
        high, low = args[0].args
        return t.concat(t.sext(high, term.width - low.width), low)
    if term.op == "eq" and args[0].op == args[1].op == "concat" and args[0].args[1] is args[1].args[1]:
        return t.eq(args[0].args[0], args[1].args[0])
    return None


def _below(term: Term, args: tuple[Term, ...]) -> Term | None:
    """The low bits of a sum are those of its parts: whether an address that is moved is aligned does not hang on the page."""
    match term.op:
        case "extract" if args[0].op == "add":
            hi, lo = t.bounds(term)
            return t.extract(_low(args[0], hi), hi, lo) if hi + 1 < args[0].width else None
        case "bvand":
            for mask, other in (args, args[::-1]):
                count = mask.value.bit_length() if mask.is_const else 0
                if count and count < other.width and other.op == "add":
                    return t.zext(t.bvand(_low(other, count - 1), t.extract(mask, count - 1, 0)), other.width)
        case "urem" if args[1].is_const and args[1].value.bit_count() == 1:
            count = args[1].value.bit_length() - 1
            return t.zext(_low(args[0], count - 1), term.width) if count else t.const(0, term.width)
        case "shl" if args[1].is_const and args[0].op == "add" and 0 < args[1].value < term.width:
            by = args[1].value
            return t.concat(_low(args[0], term.width - by - 1), t.const(0, by))
    return None


def _low(term: Term, top: int) -> Term:
    """Bits `top` to 0."""
    return t.add(*(_low(arg, top) for arg in term.args)) if term.op == "add" else t.extract(term, top, 0)
