"""The smallest settings: the fewest conditions on held state under which the holes of a machine trap.

Candidates are the comparisons that the holes make of held state and the conditions found for each hole alone. Exact among
these (`closing`): as many holes as can be closed together, by as few conditions as close them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from popek_checker.solver.hitting import hitting
from popek_checker.solver.smt import Smt
from popek_checker.virtualizability.candidates import completion, held_state, meaning, trapping, words
from popek_checker.virtualizability.closing import Closed, Hole, Search, closed
from popek_checker.virtualizability.copies import pieces
from popek_checker.virtualizability.pinning import Pinned, pinned
from popek_checker.virtualizability.questions import TWIN, Subject
from popek_grammar import machine as m
from popek_grammar.elaborate.assumptions import assumption
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term

MOST_SETS = 40
"""So many sets of holes are found to have no settings in common before it is left at the largest known."""


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
    subjects = {label: subject for label, (subject, _) in holes.items()}
    machine = next(iter(subjects.values())).machine
    search, best = _searched(smt, holes)
    if len(best.labels) < len(holes) and (larger := _largest(smt, subjects, search.facts, len(best.labels))):
        more = tuple(text for pin in larger if (text := words(machine, pin)) is not None)
        search, best = _searched(smt, {label: (subject, (*known, *more)) for label, (subject, known) in holes.items()})
    places = {name + TWIN: place for place, (name, _) in enumerate(pieces(machine))}
    order = tuple(sorted(best.conditions, key=lambda text: _place(search.terms[text], places)))
    closes = tuple(label for label in holes if label in best.labels)
    return Found(order, tuple(assumption(machine, text) for text in order), closes)


def _searched(smt: Smt, holes: Mapping[str, tuple[Subject, tuple[str, ...]]]) -> tuple[Search, Closed]:
    """The best of the conditions that are known."""
    valid = {subject.operands.valid for subject, _ in holes.values()}
    facts = dict.fromkeys(fact for subject, _ in holes.values() for fact in subject.host_copy.facts if fact not in valid)
    search = Search(smt, tuple(facts))
    own = {label: _candidates(subject, known) for label, (subject, known) in holes.items()}
    for terms in own.values():
        search.terms |= terms
    with ExitStack() as stack:
        made = [_hole(search, label, subject, own[label], stack) for label, (subject, _) in holes.items()]
        return search, closed(search, made)


def _largest(smt: Smt, subjects: Mapping[str, Subject], facts: Sequence[Term], fewest: int) -> tuple[Term, ...]:
    """Values of held state that close more than `fewest` holes, as many as any do; none where none are found.

    Of all sets of holes the largest that is not known to be impossible is tried next. What is found impossible is made small.
    """
    machine = next(iter(subjects.values())).machine
    held, order, impossible = held_state(machine), list(subjects), list[frozenset[str]]()

    def tried(labels: Iterable[str]) -> Pinned:
        return pinned(smt, machine, t.and_(*facts), [completion(subjects[label]) for label in order if label in labels], held)

    while len(impossible) < MOST_SETS:
        chosen, _ = hitting({label: [frozenset((label,))] for label in order}, impossible, order)
        found = tried(chosen) if len(chosen) > fewest else Pinned(())
        if not found.proved:
            return found.pins
        for label in sorted(chosen):
            if tried(chosen - {label}).proved:
                chosen -= {label}
        impossible.append(chosen)
    return ()


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
    run = completion(subject)
    scope = stack.enter_context(search.smt.within([run.term]))
    spoken = frozenset(leaf.name for leaf in t.free(own.values()))
    near = [text for text, term in search.terms.items() if not spoken.isdisjoint(leaf.name for leaf in t.free([term]))]
    return Hole(label, run, scope, tuple(near), spoken)
