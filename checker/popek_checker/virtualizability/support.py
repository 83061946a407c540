"""What a term speaks of, to the bit and the element."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term


@dataclass(frozen=True, slots=True)
class Support:
    """Bits of variables and of elements, as (variable or element, bit); `loose` are the arrays of which any element is meant."""

    bits: frozenset[tuple[Term, int]]
    arrays: frozenset[str]
    loose: frozenset[str]

    def touches(self, other: Support) -> bool:
        """Whether some bit may be of both."""
        return not (
            self.bits.isdisjoint(other.bits) and self.loose.isdisjoint(other.arrays) and other.loose.isdisjoint(self.arrays)
        )


def support(roots: Iterable[Term]) -> Support:
    """What the terms below `roots` speak of: of a slice its bits, of an element at an open index the whole array."""
    bits: set[tuple[Term, int]] = set()
    leaves = t.free(roots := list(roots))
    cut = {leaf for leaf in leaves if leaf not in roots}
    for term in t.postorder(roots):
        inside = term.args[0] if term.op == "extract" else None
        for arg in term.args:
            if arg.op in ("var", "apply") and arg is not inside:
                cut.discard(arg)
        if inside is not None and inside.op in ("var", "apply"):
            hi, lo = t.bounds(term)
            bits |= {(inside, bit) for bit in range(lo, hi + 1)}
    bits |= {(leaf, bit) for leaf in leaves if leaf not in cut for bit in range(max(leaf.width, 1))}
    applied = [leaf for leaf in leaves if leaf.op == "apply"]
    loose = frozenset(leaf.name for leaf in applied if not all(arg.is_const for arg in leaf.args))
    return Support(frozenset(bits), frozenset(leaf.name for leaf in applied), loose)
