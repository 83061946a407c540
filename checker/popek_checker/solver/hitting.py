"""Smallest hitting sets, by Z3's MaxSAT."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import z3  # type: ignore[import-untyped,unused-ignore]


def hitting(
    clauses: Iterable[frozenset[str]], conflicts: Iterable[frozenset[str]], order: Sequence[str]
) -> frozenset[str] | None:
    """A smallest set with a member of every clause and no conflict inside; among equals the first in `order`."""
    context = z3.Context()
    chosen = {word: z3.Bool(word, context) for word in order}
    search = z3.Optimize(ctx=context)
    for clause in clauses:
        search.add(z3.Or([chosen[word] for word in sorted(clause)] or [z3.BoolVal(False, context)]))
    for conflict in conflicts:
        search.add(z3.Not(z3.And([chosen[word] for word in sorted(conflict)])))
    for word in order:
        search.add_soft(z3.Not(chosen[word]), 1, "size")
    for place, word in enumerate(order):
        search.add_soft(z3.Not(chosen[word]), place + 1, "order")
    if search.check() != z3.sat:
        return None
    model = search.model()
    return frozenset(word for word, one in chosen.items() if z3.is_true(model.eval(one)))
