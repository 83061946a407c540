"""The fewest conditions under which instructions trap: exact, by implicit hitting sets.

An escape is a state in which some instruction still completes; of the conditions that are false in it, one must be held.
A smallest set that hits all escapes so far is tried; the escapes from it come next. Where no host state closes all
instructions together, as many as can be are closed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from popek_checker.solver.hitting import hitting
from popek_checker.solver.smt import Scope, Smt, Status
from popek_checker.virtualizability.pinning import Escape
from popek_checker.virtualizability.support import support
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term

MOST_ESCAPES = 48
"""An instruction with more escapes than this is given up."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Conditions, by their texts, and the labels of the instructions that they close."""

    conditions: frozenset[str]
    labels: frozenset[str]


@dataclass(slots=True)
class Search:
    """What is known so far: all conditions by text, and sets of them that no host state satisfies together."""

    smt: Smt
    facts: tuple[Term, ...]
    terms: dict[str, Term] = field(default_factory=dict)
    conflicts: list[frozenset[str]] = field(default_factory=list)

    def best(self, holes: Sequence[Hole]) -> Closed:
        """As many holes as can be closed against their escapes so far, by as few conditions as some host state satisfies."""
        while True:
            conditions, labels = hitting({hole.label: hole.clauses for hole in holes}, self.conflicts, list(self.terms))
            if self._possible(conditions):
                return Closed(conditions, labels)
            if not conditions:
                return Closed(frozenset(), frozenset())
            self.conflicts.append(self._core(conditions))

    def _possible(self, chosen: Iterable[str]) -> bool:
        return self.smt.check([*self.facts, *(self.terms[word] for word in chosen)], model=False).status is Status.SAT

    def _core(self, chosen: frozenset[str]) -> frozenset[str]:
        """A smaller set that is impossible already, of which nothing can be left out."""
        for word in sorted(chosen):
            if not self._possible(chosen - {word}):
                chosen -= {word}
        return chosen


@dataclass(slots=True)
class Hole:
    """An instruction that must be made to trap: its candidates, and a clause for each escape found."""

    label: str
    run: Escape
    scope: Scope
    candidates: tuple[str, ...]
    spoken: frozenset[str]
    clauses: list[frozenset[str]] = field(default_factory=list)
    given_up: bool = False

    def escapes(self, search: Search, chosen: frozenset[str]) -> bool:
        """Whether it completes somewhere under `chosen`; if so, what forbids that state is a new clause."""
        terms = [search.terms[word] for word in self.candidates if word in chosen]
        status = self.scope.status(t.and_(*terms))
        if status is Status.UNSAT:
            return False
        self.given_up = status is Status.UNKNOWN or len(self.clauses) >= MOST_ESCAPES
        if not self.given_up:
            self.clauses.append(self._against(search, terms))
        return True

    def _against(self, search: Search, chosen: Sequence[Term]) -> frozenset[str]:
        """The conditions of which one must be held, since all are false in a state that completes under `chosen`.

        It is one in which as many conditions hold as can; those that speak of nothing that the completion rests on are left out.
        """
        facts, completes = self._residue()
        enough = self._enough(search, facts, completes)
        rests = support([completes] if enough is None else enough)
        against = []
        with search.smt.within([*chosen, *(enough or ()), facts, completes]) as scope:
            for word in self.candidates:
                if not rests.touches(support([search.terms[word]])):
                    continue
                if scope.status(search.terms[word]) is Status.SAT:
                    scope.keep(search.terms[word])
                else:
                    against.append(word)
        return frozenset(against)

    def _residue(self) -> tuple[Term, Term]:
        """What is left of H and of completion, with all that no candidate speaks of as it is in the state found."""

        def known(term: Term, args: tuple[Term, ...]) -> Term | None:
            if term.op not in ("var", "apply") or term.name in self.spoken:
                return None
            return t.const(self.scope.found(term), term.width)

        left = t.substitute([self.run.facts, self.run.completes], known)
        return left[self.run.facts], left[self.run.completes]

    def _enough(self, search: Search, facts: Term, completes: Term) -> list[Term] | None:
        """As few of the candidates that hold in the state found as make it complete; None when all of them do not."""

        def suffices(some: Sequence[Term]) -> bool:
            return search.smt.check([*some, facts, t.not_(completes)], model=False).status is Status.UNSAT

        enough = [search.terms[word] for word in self.candidates if self.scope.found(search.terms[word])]
        if not suffices(enough):
            return None
        for term in tuple(enough):
            fewer = [other for other in enough if other is not term]
            enough = fewer if suffices(fewer) else enough
        return enough


def closed(search: Search, holes: Sequence[Hole]) -> Closed:
    """The most of these holes that can be closed together, and the fewest conditions that close them."""
    while True:
        live = [hole for hole in holes if not hole.given_up]
        best = search.best(live)
        if not [hole for hole in live if hole.label in best.labels and hole.escapes(search, best.conditions)]:
            return best
