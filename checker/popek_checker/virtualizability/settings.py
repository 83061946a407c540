"""The smallest settings: the fewest conditions on held state under which every hole of a machine traps.

Exact, by implicit hitting sets. An escape is a state in which some instruction still completes; of the conditions that
are false in it, one must be held. A smallest set that hits all escapes so far is tried; the escapes from it come next.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from popek_checker.solver.hitting import hitting
from popek_checker.solver.smt import Scope, Smt, Status
from popek_checker.virtualizability.conditions import text, trapping
from popek_checker.virtualizability.copies import holds, pieces
from popek_checker.virtualizability.questions import TWIN, Subject
from popek_grammar import machine as m
from popek_grammar.elaborate.assumptions import assumption
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term
from popek_grammar.text.diagnostics import SpecError

MOST_ESCAPES = 48
"""An instruction with more escapes than this counts as one that no setting closes."""


@dataclass(frozen=True, slots=True)
class Found:
    """The settings, as an author would assume them, with their meanings; the instructions that none of them closes."""

    settings: tuple[str, ...]
    exprs: tuple[m.Expr, ...]
    remains: tuple[str, ...]


@dataclass(slots=True)
class Search:
    """What is known so far: all candidates, and sets of them that no host state satisfies together."""

    smt: Smt
    facts: tuple[Term, ...] = ()
    exprs: dict[str, m.Expr] = field(default_factory=dict)
    terms: dict[str, Term] = field(default_factory=dict)
    conflicts: list[frozenset[str]] = field(default_factory=list)

    def candidates(self, subject: Subject) -> tuple[str, ...]:
        """The conditions that decide whether this instruction traps, those that the language can say."""
        named = []
        for word in dict.fromkeys(text(atom, subject.machine) for atom in trapping(subject)):
            try:
                self.exprs.setdefault(word, assumption(subject.machine, word))
            except SpecError:
                continue
            self.terms.setdefault(word, holds(subject.machine, subject.host_copy.before, self.exprs[word]))
            named.append(word)
        return tuple(named)

    def smallest(self, clauses: Iterable[frozenset[str]]) -> frozenset[str] | None:
        """A smallest set that holds one of each clause and that some host state satisfies; None when there is none."""
        wanted = sorted(set(clauses), key=lambda clause: (len(clause), sorted(clause)))
        while True:
            found = hitting(wanted, self.conflicts, list(self.terms))
            if found is None or self._possible(found):
                return found
            self.conflicts.append(self._core(found))

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
    completes: Term
    facts: Term
    scope: Scope
    candidates: tuple[str, ...]
    spoken: frozenset[str]
    clauses: list[frozenset[str]] = field(default_factory=list)

    def escape(self, search: Search, chosen: frozenset[str]) -> bool:
        """Whether it completes somewhere under `chosen`; if so, what forbids that state is a new clause."""
        terms = [search.terms[word] for word in self.candidates if word in chosen]
        if self.scope.status(t.and_(*terms)) is Status.UNSAT:
            return False
        enough = self._enough(search, *self._residue())
        with search.smt.within(enough) as scope:
            against = [word for word in self.candidates if scope.status(search.terms[word]) is Status.UNSAT]
        self.clauses.append(frozenset(against))
        return True

    def _residue(self) -> tuple[Term, Term]:
        """What is left of H and of completion, with all that no candidate speaks of as it is in the state found."""

        def known(term: Term, args: tuple[Term, ...]) -> Term | None:
            if term.op not in ("var", "apply") or term.name in self.spoken:
                return None
            return t.const(self.scope.found(term), term.width)

        left = t.substitute([self.facts, self.completes], known)
        return left[self.facts], left[self.completes]

    def _enough(self, search: Search, facts: Term, completes: Term) -> list[Term]:
        """As few of the candidates that hold in the state found as make it complete; all of them when they do not."""

        def suffices(some: Sequence[Term]) -> bool:
            return search.smt.check([*some, facts, t.not_(completes)], model=False).status is Status.UNSAT

        enough = [search.terms[word] for word in self.candidates if self.scope.found(search.terms[word])]
        for term in tuple(enough) if suffices(enough) else ():
            fewer = [other for other in enough if other is not term]
            enough = fewer if suffices(fewer) else enough
        return enough


def find(smt: Smt, subjects: Mapping[str, Subject]) -> Found:
    """The smallest settings that close all that can be closed. `subjects` are the holes, by label, under one claim."""
    places = {name + TWIN: place for subject in subjects.values() for place, (name, _) in enumerate(pieces(subject.machine))}
    with ExitStack() as stack:
        search = Search(smt)
        holes = [_hole(search, label, subject, stack) for label, subject in subjects.items()]
        can = [hole for hole in holes if closed(search, [hole]) is not None]
        chosen = closed(search, can)
        while chosen is None:  # each can be closed, and not all together
            can = can[:-1]
            chosen = closed(search, can)
    order = tuple(sorted(chosen, key=lambda word: _place(search.terms[word], places)))
    remains = tuple(hole.label for hole in holes if hole not in can)
    return Found(order, tuple(search.exprs[word] for word in order), remains)


def _place(term: Term, places: Mapping[str, int]) -> tuple[int, int]:
    """Where the state that a setting speaks of is declared."""
    return min(places.get(leaf.name, len(places)) for leaf in t.free([term])), term.key


def _hole(search: Search, label: str, subject: Subject, stack: ExitStack) -> Hole:
    host = subject.host_copy
    search.facts = tuple(fact for fact in host.facts if fact is not subject.operands.valid)
    facts = t.and_(*host.facts)
    scope = stack.enter_context(search.smt.within([facts, host.ok]))
    named = search.candidates(subject)
    spoken = frozenset(leaf.name for leaf in t.free(search.terms[word] for word in named))
    return Hole(label, host.ok, facts, scope, named, spoken)


def closed(search: Search, holes: Sequence[Hole]) -> frozenset[str] | None:
    """The smallest settings that close all these holes; None when there are none."""
    while all(len(hole.clauses) <= MOST_ESCAPES for hole in holes):
        chosen = search.smallest(clause for hole in holes for clause in hole.clauses)
        if chosen is None:
            return None
        if not [hole for hole in holes if hole.escape(search, chosen)]:
            return chosen
    return None
