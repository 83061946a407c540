"""Going through terms: rebuilding, substitution, what occurs in them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final

from popek_grammar.meaning.terms.arithmetic import add, mul, neg, sdiv, srem, udiv, urem
from popek_grammar.meaning.terms.bits import ashr, bounds, bvand, bvnot, bvor, bvxor, concat, extract, lshr, sext, shl
from popek_grammar.meaning.terms.comparison import eq, slt, ult
from popek_grammar.meaning.terms.nodes import Term, apply
from popek_grammar.meaning.terms.truth import and_, ite, not_, or_

OPERATIONS: Final[dict[str, Callable[..., Term]]] = {
    "not": not_, "and": and_, "or": or_, "ite": ite, "eq": eq, "ult": ult, "slt": slt, "add": add, "neg": neg, "mul": mul,
    "udiv": udiv, "urem": urem, "sdiv": sdiv, "srem": srem, "bvnot": bvnot, "bvand": bvand, "bvor": bvor, "bvxor": bvxor,
    "shl": shl, "lshr": lshr, "ashr": ashr, "concat": concat,
}  # fmt: skip
"""The folding constructor of each operator that has no payload and takes its width from its arguments."""


def rebuild(term: Term, args: tuple[Term, ...]) -> Term:
    """The same operator on other arguments, folded."""
    match term.op:
        case "extract":
            return extract(args[0], *bounds(term))
        case "sext":
            return sext(args[0], term.width)
        case "apply":
            return apply(term.name, term.width, args)
        case "const" | "var":
            return term
        case op:
            return OPERATIONS[op](*args)


def postorder(roots: Iterable[Term], below: Collection[Term] = ()) -> list[Term]:
    """Every node below `roots` once, arguments first, but what is in `below`. No recursion: terms may be deep."""
    seen: set[Term] = set()
    order: list[Term] = []
    stack = [(root, False) for root in roots]
    while stack:
        term, done = stack.pop()
        if done:
            order.append(term)
        elif term not in seen and term not in below:
            seen.add(term)
            stack.append((term, True))
            stack.extend((arg, False) for arg in term.args if arg not in seen)
    return order


def substitute(
    roots: Iterable[Term],
    replace: Callable[[Term, tuple[Term, ...]], Term | None],
    known: dict[Term, Term] | None = None,
) -> dict[Term, Term]:
    """Rewrites bottom up: `replace(node, new_args)` gives the new node, or None to rebuild it folded.

    `known` holds what was rewritten before, and is added to.
    """
    new: dict[Term, Term] = {} if known is None else known
    for term in postorder(roots, new):
        args = tuple(new[arg] for arg in term.args)
        found = replace(term, args)
        new[term] = found if found is not None else (rebuild(term, args) if args else term)
    return new


def free(roots: Iterable[Term]) -> list[Term]:
    """The variables and function applications below `roots`, in a stable order."""
    return [term for term in postorder(roots) if term.op in ("var", "apply")]
