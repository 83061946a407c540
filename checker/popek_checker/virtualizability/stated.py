"""What invariants and sentences about steps say, as terms: of a state, of a step, for any value of their parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from popek_checker.virtualizability.copies import Itself, start
from popek_checker.virtualizability.steps import Step
from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.evaluator import Run
from popek_grammar.meaning.state import State, member, within
from popek_grammar.meaning.terms import Term
from popek_grammar.meaning.views import View
from popek_grammar.meaning.widths import width_of

DECLARED = "declared "
"""Before the name of a scalar: that it holds a value of its declared set."""


def satisfied(machine: m.Machine, state: State, name: str) -> Term:
    """The invariant or declared set of that name, of a state."""
    if name.startswith(DECLARED):
        scalar = machine.scalars[name.removeprefix(DECLARED)]
        return within(state.scalars[scalar.name], scalar)
    return holding(machine, machine.invariants[name], state)


@dataclass(frozen=True, slots=True)
class Beginning:
    """What an invariant says of the state before any step, and the scalars and arrays that it speaks of."""

    term: Term
    watched: frozenset[str]


@lru_cache(maxsize=4)
def _beginnings(_: Itself[m.Machine]) -> dict[str, Beginning]:
    return {}


def beginning(machine: m.Machine, name: str) -> Beginning:
    """The same for every step: all begin in the state in which everything is free."""
    known = _beginnings(Itself(machine))
    if name not in known:
        term = satisfied(machine, start(machine, None, ""), name)
        free = {leaf.name for leaf in t.free([term])}
        known[name] = Beginning(term, frozenset(free & {*machine.scalars, *machine.arrays}))
    return known[name]


def watched(machine: m.Machine, names: Iterable[str]) -> set[str]:
    """The scalars and arrays that invariants speak of."""
    return {piece for name in names for piece in beginning(machine, name).watched}


def untouched(machine: m.Machine, made: Step, name: str) -> bool:
    """Whether a step leaves all that an invariant speaks of as it was, as the terms alone show."""
    before, after = made.copy.before, made.copy.after
    pieces = beginning(machine, name).watched
    return all(
        after.scalars[piece] is before.scalars[piece] if piece in machine.scalars else after.arrays[piece] is before.arrays[piece]
        for piece in pieces
    )


def holding(machine: m.Machine, kept: m.Invariant, state: State, before: Step | None = None) -> Term:
    """That the conjuncts of an invariant hold of a state, for the values of its parameters; `before` is the step to it."""
    names, valid = _parameters(machine, kept)
    special = {}
    if before is not None:
        names, special = {**_bound(machine, before), **names}, dict(before.special)
        for name, expr in kept.old:
            names[name] = _value(machine, before.copy.before, expr, names, special)
    conjuncts = (_value(machine, state, expr, names, special) for expr, _ in kept.conjuncts)
    return t.implies(valid, t.and_(*conjuncts))


def endings(machine: m.Machine, kept: m.Invariant, made: Step) -> Iterator[tuple[Term, Term]]:
    """For each line about how the step ends: where it says something, and that the step ends so."""
    names, valid = _parameters(machine, kept)
    names, special = {**_bound(machine, made), **names}, dict(made.special)
    for ending in kept.endings:
        where = t.and_(valid, _value(machine, made.copy.before, ending.when, names, special))
        if where is t.FALSE:
            yield where, t.TRUE
            continue
        match ending.kind:
            case "completes":
                yield where, made.copy.ok
            case "traps":
                yield where, t.not_(made.copy.ok)
            case _:
                assert ending.cause is not None, "the grammar wants a cause"
                payload = [_value(machine, made.copy.before, expr, names, special) for expr in ending.cause.payload]
                yield where, _raised(made, ending.cause.name, payload)


def beside(machine: m.Machine, kept: m.Invariant, made: Step) -> dict[str, Term]:
    """What a sentence can name beside state and operands: its parameters, what a trap or an access is about."""
    names, _ = _parameters(machine, kept)
    if made.operands is None and kept.about:
        names |= {**made.locals, **made.special}
    return {name: term for name, term in names.items() if not term.is_const and term.width}


def _raised(made: Step, cause: str, payload: Sequence[Term]) -> Term:
    """The step raises this cause; with this payload, as far as it is given."""
    raised = (trap for trap in made.copy.outcome.traps if trap.cause == cause)
    return t.or_(*(t.and_(trap.condition, *map(t.eq, trap.payload, payload)) for trap in raised))


def _parameters(machine: m.Machine, kept: m.Invariant) -> tuple[dict[str, Term], Term]:
    """A free value for each parameter, and that each is one of its type."""
    names: dict[str, Term] = {}
    valid: list[Term] = []
    for name, type_ in kept.parameters:
        free = t.var(f"any.{kept.name}.{name}", max(1, width_of(type_, machine)))
        names[name] = t.ne(free, t.const(0, 1)) if isinstance(type_, m.Bool) else free
        if isinstance(type_, m.Mode):
            valid.append(member(free, tuple((code, code) for _, code in machine.modes.members)))
        elif isinstance(type_, m.EnumType):
            valid.append(member(free, ((0, len(type_.members) - 1),)))
    return names, t.and_(*valid)


def _bound(machine: m.Machine, made: Step) -> dict[str, Term]:
    """The names that the step lets be used: operands, and what fragments bind in the state before."""
    names = dict(made.locals)
    if made.operands is not None:
        for let in made.operands.instruction.lets:
            names[let.name] = _value(machine, made.copy.before, let.value, names, dict(made.special))
    return names


def _value(machine: m.Machine, state: State, expr: m.Expr, names: dict[str, Term], special: dict[str, Term]) -> Term:
    return Run(machine, state.copy(), View(), env=dict(names), special=special).value(expr)


def contradicted(machine: m.Machine, kept: m.Invariant, made: Step) -> Term:
    """That the step does not do what the sentence says; `false` where the terms alone show that it does."""
    if kept.about == "after":
        return t.and_(made.copy.ok, t.not_(holding(machine, kept, made.copy.after, made)))
    return t.or_(*(t.and_(where, t.not_(so)) for where, so in endings(machine, kept, made)))
