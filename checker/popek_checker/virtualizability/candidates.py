"""What a monitor could hold: comparisons of held state that an instruction makes, and how the language says them."""

from __future__ import annotations

from collections.abc import Sequence

from popek_checker.virtualizability.copies import holds, pieces
from popek_checker.virtualizability.pinning import Escape
from popek_checker.virtualizability.questions import TWIN, Ask, Subject
from popek_grammar import machine as m
from popek_grammar.elaborate.assumptions import assumption
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.saying import Unsayable, say
from popek_grammar.meaning.state import State
from popek_grammar.meaning.terms import Term
from popek_grammar.text.diagnostics import SpecError

HELD = (m.Role.CONTROL, m.Role.MAP)
"""The roles of what a monitor sets while a guest runs, and no guest sees set: the rest of C is the mode, and inputs."""


def held_state(machine: m.Machine) -> frozenset[str]:
    """The control and map state, under the host copy's names."""
    return frozenset(name + TWIN for name, piece in pieces(machine) if piece.role in HELD)


def completion(subject: Subject) -> Escape:
    """The deprivileged run that must not complete; any of several, where f holds state at what the guest's mode says.

    Conditions go by the amended question, whatever the reading.
    """
    runs = [Escape(_facts(ask), t.and_(*ask.constraints)) for ask in Subject.runs(subject)]
    return runs[0] if len(runs) == 1 else Escape(t.or_(*(run.facts for run in runs)), t.or_(*(run.term for run in runs)))


def trapped(subject: Subject) -> Term:
    """Somewhere the bare run completes and the deprivileged one traps: what makes it privileged, not vacuous."""
    return t.or_(*(t.and_(_facts(ask), *ask.constraints) for ask in Subject.executable(subject)))


def _facts(ask: Ask) -> Term:
    return t.and_(*(fact for item in ask.copies for fact in item.facts))


def trapping(subject: Subject) -> list[Term]:
    """The atoms that decide whether the deprivileged run traps."""
    copies = [item for ask in Subject.runs(subject) for item in ask.copies]
    return atoms(subject, [root for item in copies for root in (item.ok, *(trap.condition for trap in item.outcome.traps))])


def atoms(subject: Subject, roots: Sequence[Term]) -> list[Term]:
    """Comparisons over held state alone that occur in `roots`, and their negations; equalities first.

    A bit that is not 1 is said to be 0.
    """
    held, told = held_state(subject.machine), dict[Term, bool | None]()
    found = [term for term in t.postorder(roots) if _only(term, held, told) and term.op in ("eq", "ult", "slt")]
    signed = [(negative, atom) for atom in found for negative in (False, True)]
    signed.sort(key=lambda pair: (pair[0], len(t.postorder([pair[1]])), pair[1].key))
    return list(dict.fromkeys(_denied(atom) if negative else atom for negative, atom in signed))


def _only(term: Term, held: frozenset[str], told: dict[Term, bool | None]) -> bool:
    """Whether `term` speaks of held state, and of nothing else. `told` has its arguments: None for what speaks of no state."""
    parts = [told[arg] for arg in term.args]
    if term.op in ("var", "apply"):
        parts.append(term.name in held)
    said = [part for part in parts if part is not None]
    told[term] = all(said) if said else None
    return bool(told[term])


def _denied(atom: Term) -> Term:
    if atom.op == "eq" and atom.args[0].width == 1 and atom.args[1].is_const:
        return t.eq(atom.args[0], t.const(1 - atom.args[1].value, 1))
    return t.not_(atom)


# -- words -------------------------------------------------------------------------------------------------------------


def said(machine: m.Machine, before: State, condition: Term) -> str | None:
    """A condition on the host's state `before` as an author would assume it; None when the language has no words for it.

    What is said is read again: words that mean another term are none.
    """
    text = words(machine, condition)
    return text if text is not None and meaning(machine, before, text) is condition else None


def words(machine: m.Machine, condition: Term) -> str | None:
    """The text of a condition, not read again."""
    try:
        return say(machine, condition, lambda name: name.removesuffix(TWIN))
    except Unsayable:
        return None


def meaning(machine: m.Machine, before: State, text: str) -> Term | None:
    """What a condition says of the state `before`; None when it is no condition on this machine."""
    try:
        return holds(machine, before, assumption(machine, text))
    except SpecError:
        return None
