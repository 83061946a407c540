"""One thing of two machines, decided: the same, different, or not to be compared; with a state that shows it."""

from __future__ import annotations

from dataclasses import replace

from popek_checker.difference.compare import CARRIED, Ends, Pair
from popek_checker.difference.contrast import contrast
from popek_checker.difference.delta import DeltaRow, Status
from popek_checker.difference.sets import chosen, compare_sets
from popek_checker.difference.sides import Side, Unit
from popek_checker.solver.smt import Model, Smt
from popek_checker.solver.smt import Status as Answered
from popek_checker.virtualizability.witness import minimise
from popek_grammar.meaning import terms as t

ALONE = ("function", "access")
"""What is asked about for the sake of what stands on it."""
CALLER = "reads what only a caller gives"
"""Why a function is not asked about by itself."""
PAIRED = "differs where open choices are paired by position; the sets of results were not told apart"
"""Why a comparison with open choices is not decided."""


def decide(smt: Smt, pair: Pair, unit: Unit, uneven: frozenset[str] = frozenset()) -> DeltaRow:
    """Whether a unit comes to the same in both machines; and then its traps, where the entry of their causes may differ."""
    try:
        sides = pair.sides(unit)
    except KeyError:
        if unit.kind not in ALONE:
            raise
        return DeltaRow(unit.kind, unit.name, unit.part, Status.UNKNOWN, reason=CALLER)
    row = _answer(smt, pair, unit, DeltaRow(unit.kind, unit.name, unit.part, Status.UNKNOWN), sides, None)
    uneven = frozenset({unit.name}) if unit.kind == "entry" else uneven
    for number, trap in enumerate(sides[0].outcome.traps):
        if row.status is not Status.SAME:
            break
        if trap.cause in uneven and not pair.carries_alike:
            row = replace(row, status=Status.INCOMPARABLE, how="", reason=CARRIED)
        elif trap.cause in uneven:
            row = _answer(smt, pair, unit, row, sides, number)
    return row


def _small(smt: Smt, ends: Ends, known: Model) -> Model:
    """The smallest model of a difference that is found in time."""
    return smt.smallest(ends.goal, lambda: minimise(smt, ends.goal, known)) or known


def _answer(smt: Smt, pair: Pair, unit: Unit, row: DeltaRow, sides: tuple[Side, Side], trap: int | None) -> DeltaRow:
    """The row with the answer about its ends, or about the entry of one trap, added."""
    ends = pair.ends(sides, trap)
    touched = pair.touched(ends.final)
    if touched:
        shapes = (f"{name}: {pair.common.reshaped[name]}" for name in touched)
        return replace(row, status=Status.INCOMPARABLE, reason="; ".join(shapes))
    row = replace(row, own=tuple(dict.fromkeys((*row.own, *pair.own(ends.final, ends.question)))))
    if ends.goal is t.FALSE:
        return replace(row, status=Status.SAME, how=row.how or "terms")
    found = smt.check([ends.goal])
    if found.status is Answered.UNSAT:
        return replace(row, status=Status.SAME, how="solver")
    if found.model is None:
        return replace(row, status=Status.UNKNOWN, how="", reason=found.reason)
    entry = trap is not None and unit.kind != "entry"  # shown once, as the entry itself
    if chosen(ends.question):
        status, ends, model = compare_sets(smt, pair, unit, trap)
        if model is None:
            reason = PAIRED if status is Status.UNKNOWN else ""
            return replace(row, status=status, how="solver" if status is Status.SAME else "", reason=reason)
    else:
        model = found.model if entry or unit.kind == "access" else _small(smt, ends, found.model)
    row = replace(row, status=Status.DIFFERENT, how="")
    if unit.kind == "access":
        return row
    if trap is not None and entry:
        return replace(row, reason=f"the entry of {sides[0].outcome.traps[trap].cause} differs, which both raise")
    return replace(row, witness=contrast(pair, unit, ends, model))
