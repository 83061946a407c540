"""Smallest hitting sets, by Z3's MaxSAT."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import z3  # type: ignore[import-untyped,unused-ignore]


def hitting(
    groups: Mapping[str, Iterable[frozenset[str]]], conflicts: Iterable[frozenset[str]], order: Sequence[str]
) -> tuple[frozenset[str], frozenset[str]]:
    """A set without a conflict inside, and the groups of which it has a member of every clause.

    It hits as many groups as any set does; of those that do, it is a smallest; among equals, the first in `order`.
    """
    context = z3.Context()
    wanted = {name: [sorted(clause) for clause in clauses] for name, clauses in groups.items()}
    useful = {word for clauses in wanted.values() for clause in clauses for word in clause}
    chosen = {word: z3.Bool(f"word {word}", context) for word in order if word in useful}
    hit = {name: z3.Bool(f"group {name}", context) for name in wanted}
    search = z3.Optimize(ctx=context)
    for name, clauses in wanted.items():
        for clause in clauses:
            search.add(z3.Or([z3.Not(hit[name]), *(chosen[word] for word in clause)]))
    for conflict in conflicts:
        if useful.issuperset(conflict):
            search.add(z3.Not(z3.And([chosen[word] for word in sorted(conflict)])))
    for literal in hit.values():
        search.add_soft(literal, 1, "most")
    for literal in chosen.values():
        search.add_soft(z3.Not(literal), 1, "size")
    for place, literal in enumerate(chosen.values()):
        search.add_soft(z3.Not(literal), place + 1, "order")
    search.check()
    model = search.model()
    sets = [frozenset(name for name, literal in some.items() if z3.is_true(model.eval(literal))) for some in (chosen, hit)]
    return sets[0], sets[1]
