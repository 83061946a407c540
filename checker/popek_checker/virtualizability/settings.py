"""The smallest settings: the fewest conditions on held state under which the holes of a machine trap.

Candidates are the comparisons that the holes make of held state and the conditions found for each hole alone. Exact among
these (`closing`): as many holes as can be closed together, by as few conditions as close them.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from popek_checker.solver.smt import Smt
from popek_checker.virtualizability.candidates import meaning, trapping, words
from popek_checker.virtualizability.closing import Hole, Search, closed
from popek_checker.virtualizability.copies import pieces
from popek_checker.virtualizability.questions import TWIN, Subject
from popek_grammar import machine as m
from popek_grammar.elaborate.assumptions import assumption
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term


@dataclass(frozen=True, slots=True)
class Found:
    """The settings, as an author would assume them, with their meanings; the instructions that they close."""

    settings: tuple[str, ...]
    exprs: tuple[m.Expr, ...]
    closes: tuple[str, ...]


def find(smt: Smt, holes: Mapping[str, tuple[Subject, tuple[str, ...]]]) -> Found:
    """The smallest settings that close all that can be closed together.

    `holes` are instructions under one claim, by label, each with the conditions that close it alone.
    """
    if not holes:
        return Found((), (), ())
    subjects = [subject for subject, _ in holes.values()]
    machine = subjects[0].machine
    valid = {subject.operands.valid for subject in subjects}
    search = Search(smt, tuple(dict.fromkeys(f for subject in subjects for f in subject.host_copy.facts if f not in valid)))
    own = {label: _candidates(subject, known) for label, (subject, known) in holes.items()}
    for terms in own.values():
        search.terms |= terms
    with ExitStack() as stack:
        made = [_hole(search, label, subject, own[label], stack) for label, (subject, _) in holes.items()]
        best = closed(search, made)
    places = {name + TWIN: place for place, (name, _) in enumerate(pieces(machine))}
    order = tuple(sorted(best.conditions, key=lambda text: _place(search.terms[text], places)))
    closes = tuple(label for label in holes if label in best.labels)
    return Found(order, tuple(assumption(machine, text) for text in order), closes)


def _place(term: Term, places: Mapping[str, int]) -> tuple[int, int]:
    """Where the state that a setting speaks of is declared."""
    return min(places.get(leaf.name, len(places)) for leaf in t.free([term])), term.key


def _candidates(subject: Subject, known: tuple[str, ...]) -> dict[str, Term]:
    """The comparisons of a hole, and the conditions that close it, by their texts."""
    machine, before = subject.machine, subject.host_copy.before
    terms = {text: atom for atom in trapping(subject) if (text := words(machine, atom)) is not None}
    return terms | {text: term for text in known if (term := meaning(machine, before, text)) is not None}


def _hole(search: Search, label: str, subject: Subject, own: Mapping[str, Term], stack: ExitStack) -> Hole:
    """A hole, with all conditions that speak of what its own speak of: another's may close it too."""
    host = subject.host_copy
    facts = t.and_(*host.facts)
    scope = stack.enter_context(search.smt.within([facts, host.ok]))
    spoken = frozenset(leaf.name for leaf in t.free(own.values()))
    near = [text for text, term in search.terms.items() if not spoken.isdisjoint(leaf.name for leaf in t.free([term]))]
    return Hole(label, host.ok, facts, scope, tuple(near), spoken)
