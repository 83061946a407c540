"""The conditions: which settings of fields that the monitor holds make an instruction trap when it must, or run rightly.

Candidates are the atoms over resource fields on which the deprivileged run depends. A setting works when, with it added
to H, the run always traps (or, where it does not, does what the bare machine does) and H is still satisfiable; single
settings first, then pairs, then threes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from popek_checker.solver.smt import Scope, Smt, Status
from popek_checker.virtualizability.copies import pieces
from popek_checker.virtualizability.questions import TWIN, Subject
from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term

MOST_CANDIDATES = {1: 1000, 2: 24, 3: 16}
"""More atoms than this are not tried alone, in pairs, or in threes."""


def condition(smt: Smt, subject: Subject) -> tuple[str, ...]:
    """The smallest set of settings under which the deprivileged run always traps; empty when there is none."""
    host = subject.host_copy
    candidates = trapping(subject)
    found = smallest(smt, candidates, escape=(*host.facts, host.ok), possible=host.facts)
    return tuple(text(atom, subject.machine) for atom in found[0]) if found else ()


def exact_when(smt: Smt, subject: Subject) -> tuple[str, ...]:
    """The smallest sets of settings, each enough, under which a deprivileged run that completes does what the bare one does.

    The bare machine is in a mode above the real one: what a guest does in the real mode itself has settings of its own.
    """
    host = subject.host_copy
    candidates = atoms(subject, subject.roots(host))
    if not candidates:
        return ()
    asks = subject.inexact(subject.bare or subject.modes)
    inexact = t.or_(*(t.and_(*(fact for item in ask.copies for fact in item.facts), *ask.constraints) for ask in asks))
    found = smallest(smt, candidates, escape=(inexact,), possible=(*host.facts, host.ok))
    return tuple(" and ".join(text(atom, subject.machine) for atom in chosen) for chosen in found if chosen)


def smallest(smt: Smt, candidates: Sequence[Term], escape: Sequence[Term], possible: Sequence[Term]) -> list[tuple[Term, ...]]:
    """The sets of candidates that rule out `escape` and leave something `possible`: all of the smallest size there is."""
    escapes: list[frozenset[Term]] = []
    with smt.within(escape) as escaping, smt.within(possible) as left:
        for size in range(1 + max((n for n, most in MOST_CANDIDATES.items() if len(candidates) <= most), default=0)):
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


def trapping(subject: Subject) -> list[Term]:
    """The atoms that decide whether the deprivileged run traps."""
    host = subject.host_copy
    return atoms(subject, [host.ok, *(trap.condition for trap in host.outcome.traps)])


def atoms(subject: Subject, roots: Sequence[Term]) -> list[Term]:
    """Comparisons over held fields alone that occur in `roots`, and their negations; equalities first."""
    held = held_fields(subject.machine)
    found: dict[Term, None] = {}
    for term in t.postorder(roots):
        if term.width == t.BOOL and term.op in ("eq", "ult", "slt") and _only(term, held):
            for atom in (term, t.not_(term)):
                found[atom] = None
    return sorted(found, key=lambda atom: (atom.op == "not", len(t.postorder([atom])), atom.key))


def held_fields(machine: m.Machine) -> frozenset[str]:
    """The control and map state, under the host copy's names."""
    wanted = (m.Role.CONTROL, m.Role.MAP)
    return frozenset(name + TWIN for name, piece in pieces(machine) if piece.role in wanted)


def _only(term: Term, held: frozenset[str]) -> bool:
    leaves = t.free([term])
    return bool(leaves) and all(leaf.name in held for leaf in leaves)


def text(atom: Term, machine: m.Machine) -> str:
    """An atom as an author would write it."""
    negated = atom.op == "not"
    inner = atom.args[0] if negated else atom
    if inner.op == "eq" and negated and inner.args[0].width == 1 and inner.args[1].is_const:
        return f"{_side(inner.args[0])} == {1 - inner.args[1].value}"
    if inner.op == "eq" and inner.args[1].is_const and inner.args[0].op == "extract":
        return f"{_side(inner.args[0])} {'!=' if negated else '=='} {inner.args[1].value}"
    symbols = {"eq": ("==", "!="), "ult": ("<", ">="), "slt": ("<s", ">=s")}[inner.op]
    return f"{_side(inner.args[0])} {symbols[negated]} {_side(inner.args[1])}"


def _side(term: Term) -> str:
    match term.op:
        case "const":
            return str(term.value) if term.value < 10 else hex(term.value)
        case "var":
            return term.name.removesuffix(TWIN)
        case "extract":
            hi, lo = t.bounds(term)
            inside = _side(term.args[0])
            return f"{inside}[{lo}]" if hi == lo else f"{inside}[{hi}:{lo}]"
        case "apply":
            return f"{term.name.removesuffix(TWIN)}[{', '.join(_side(a) for a in term.args)}]"
        case "concat" if term.args[0].is_const and term.args[0].value == 0:
            return _side(term.args[1])
        case _:
            return t.render(term, 3).replace(TWIN, "")
