"""The conditions: which settings of state that the monitor holds make an instruction trap when it must, or run rightly.

A condition works when, with it added to H, the run always traps (or, where it does not, does what the bare machine does)
and H is still satisfiable, all with real arithmetic. Candidates are the atoms: comparisons over held state on which the
deprivileged run depends, single ones first. Where none works alone, the weakest question is asked (`pinning`): it finds
values that work, or that none do; and then the fewest atoms that work together are looked for (`closing`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from popek_checker.solver.smt import Scope, Smt, Status
from popek_checker.virtualizability.candidates import atoms, completion, held_state, said, trapped, trapping, words
from popek_checker.virtualizability.closing import Hole, Search, closed
from popek_checker.virtualizability.pinning import Escape, Pinned, merged, pinned
from popek_checker.virtualizability.questions import Subject
from popek_checker.virtualizability.verdict import Truth
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term

MOST_CANDIDATES = {1: 1000, 2: 24, 3: 16}
"""More atoms than this are not tried alone, in pairs, or in threes, where every smallest set is wanted."""
MOST_TOGETHER = 400
"""More atoms than this are not looked through for a smallest set that works together."""
MOST_NAMED = 4
"""So many pieces of state are named where values of them were tried."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What makes a hole trap: conditions to be held together; `closable` says whether there are any.

    Where there are none, `searched` says why, or what was looked through.
    """

    held: tuple[str, ...] = ()
    closable: Truth = Truth.YES
    searched: str = ""


def condition(smt: Smt, subject: Subject) -> Condition:
    """The settings that make the instruction privileged: the fewest atoms, else as few values as will do."""
    machine, escape, traps = subject.machine, completion(subject), trapped(subject)
    candidates = [atom for atom in trapping(subject) if words(machine, atom) is not None]
    if held := _first(subject, smallest(smt, candidates, (escape.term,), (traps,), most=1)):
        return Condition(held)
    found = pinned(smt, machine, traps, [escape], held_state(machine))
    if found.proved:
        return Condition((), Truth.NO, _refuted(found))
    if held := _first(subject, smallest(smt, candidates, (escape.term,), (traps,), most=3)):
        return Condition(held)
    every = list(dict.fromkeys([*candidates, *found.pins]))
    together = _together(smt, escape, traps, every) if len(every) <= MOST_TOGETHER else found.pins
    if held := _first(subject, [merged(together), found.pins]):
        return Condition(held)
    return Condition((), Truth.UNKNOWN, _searched(found, len(candidates)))


def _first(subject: Subject, found: Iterable[Sequence[Term]]) -> tuple[str, ...]:
    """The first of some sets of conditions that there are words for."""
    return next((held for chosen in found if (held := _told(subject, chosen))), ())


def _told(subject: Subject, chosen: Sequence[Term]) -> tuple[str, ...]:
    """Conditions as an author would assume them; nothing when one of them has no words."""
    told = [said(subject.machine, subject.host_copy.before, atom) for atom in chosen]
    return tuple(text for text in told if text is not None) if None not in told else ()


def _refuted(found: Pinned) -> str:
    if not found.read:
        return "no setting makes it trap: whether it does rests on no state that a monitor holds"
    return f"no setting makes it trap: under any values of {_named(found.read)} it completes somewhere"


def _searched(found: Pinned, candidates: int) -> str:
    alone = f"{candidates} comparisons of held state, alone and together, and " if candidates else ""
    return f"no setting found that makes it trap: tried {alone}{found.tried} choices of values of {_named(found.read)}"


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _together(smt: Smt, escape: Escape, traps: Term, candidates: Sequence[Term]) -> tuple[Term, ...]:
    """The fewest atoms that make the run trap together; none when they do not."""
    terms = {f"{place:04}": atom for place, atom in enumerate(candidates)}
    with smt.within([escape.term]) as scope:
        hole = Hole("", escape, scope, tuple(terms), frozenset(leaf.name for leaf in t.free(candidates)))
        best = closed(Search(smt, (traps,), terms), [hole])
    return tuple(terms[name] for name in sorted(best.conditions)) if best.labels else ()


def exact_when(smt: Smt, subject: Subject) -> tuple[str, ...]:
    """The smallest sets of settings, each enough, under which a deprivileged run that completes does what the bare one does.

    The bare machine is in a mode above the real one: what a guest does in the real mode itself has settings of its own.
    """
    machine, host = subject.machine, subject.host_copy
    candidates = [atom for atom in atoms(subject, subject.roots(host)) if words(machine, atom) is not None]
    if not candidates:
        return ()
    asks = subject.inexact(subject.bare or subject.modes)
    inexact = t.or_(*(t.and_(*(fact for item in ask.copies for fact in item.facts), *ask.constraints) for ask in asks))
    found = smallest(smt, candidates, (inexact,), (*host.facts, host.ok), most=3)
    return tuple(" and ".join(held) for held in (_told(subject, chosen) for chosen in found) if held)


def smallest(
    smt: Smt, candidates: Sequence[Term], escape: Sequence[Term], possible: Sequence[Term], most: int
) -> list[tuple[Term, ...]]:
    """The sets of candidates that rule out `escape` and leave something `possible`: all of the smallest size, up to `most`."""
    escapes: list[frozenset[Term]] = []
    with smt.within(escape) as escaping, smt.within(possible) as left:
        sizes = [n for n, limit in MOST_CANDIDATES.items() if n <= most and len(candidates) <= limit]
        for size in range(1 + max(sizes, default=0)):
            found = []
            for chosen in combinations(candidates, size):
                if any(known.issuperset(chosen) for known in escapes):
                    continue
                status = escaping.status(t.and_(*chosen))
                if status is Status.SAT:
                    escapes.append(true_atoms(escaping, candidates))
                elif status is Status.UNSAT and left.status(t.and_(*chosen)) is Status.SAT:
                    found.append(chosen)
            if found:
                return found
    return []


def true_atoms(scope: Scope, candidates: Sequence[Term]) -> frozenset[Term]:
    """The candidates that hold in a state where the run completes: no setting made of them alone can work."""
    return frozenset(atom for atom in candidates if scope.found(atom))
