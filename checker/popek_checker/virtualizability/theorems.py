"""Theorem clauses against what was found: does each hold, or fail where its author expects?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from popek_checker.virtualizability.verdict import Claim, Row, TheoremResult, Truth, conjunction, disjunction, negation
from popek_grammar import machine as m

Offends: TypeAlias = "Callable[[Row], Truth]"
"""Whether a row counts against (or, for a class, belongs to) what a theorem shows."""


UNDER_H = ("control_sensitive", "mode_sensitive", "location_sensitive", "config_sensitive", "user_sensitive")
"""Classes of which a theorem asks where H holds; in Theorem 1 and 3 the bare machine's settings are the guest's, and any."""


def claim_of(machine: m.Machine, theorem: m.Theorem, default: Claim) -> Claim:
    """What a theorem clause is relative to."""
    guest = machine.modes.name(theorem.guest) if theorem.guest is not None else default.guest
    host = machine.modes.name(theorem.host) if theorem.host is not None else default.host
    held = tuple(text for _, text in theorem.assume)
    everywhere = bool(held) and theorem.show in UNDER_H
    return Claim(guest, host, theorem.memory, theorem.reading, held, theorem.alone, everywhere, theorem.placement)


def judge(theorem: m.Theorem, claim: Claim, rows: Sequence[Row], only: Sequence[str] = ()) -> TheoremResult:
    """Compares the set of instructions found with the set expected; where `rows` are of some instructions only, for these alone.

    That it fails somewhere, without a name, is not decided by instructions that do not break it.
    """
    offends = SHOWS[theorem.show]
    guilty = {row.label for row in rows if offends(row) is Truth.YES}
    unknown = {row.label for row in rows if offends(row) is Truth.UNKNOWN}
    found = compared(theorem.expect, guilty, unknown, only)
    if theorem.expect.kinds:
        found = _in_these_ways(theorem, found, rows)
    return TheoremResult(
        theorem.name, theorem.show, claim, theorem.expect.kind, found.state, found.names, found.as_expected, found.difference
    )


def _in_these_ways(theorem: m.Theorem, found: Compared, rows: Sequence[Row]) -> Compared:
    """The comparison, with the ways in which each name breaks the theorem where its author says them: another is a difference."""
    differences, open_ = [], False
    for name, ways in theorem.expect.kinds:
        mine = [row for row in rows if name in named({row.label}, theorem.expect.names)]
        truths = {word: disjunction(row.any_of(question) for row in mine) for question, word in WAYS[theorem.show].items()}
        shown = [word for word, truth in truths.items() if truth is Truth.YES]
        open_ |= any(truth is Truth.UNKNOWN for word, truth in truths.items())
        if name in found.names and set(shown) != set(ways):
            differences.append(f"{name}: {' + '.join(shown)}, not {' + '.join(ways)}")
    if not differences:
        return replace(found, as_expected=Truth.UNKNOWN) if open_ and found.as_expected is Truth.YES else found
    told = "; ".join([*([found.difference] if found.difference else []), *differences])
    return replace(found, as_expected=Truth.NO, difference=told)


@dataclass(frozen=True, slots=True)
class Compared:
    """What was found against what was expected: `state` is `holds`, `fails` or `unknown`, `names` what breaks it."""

    state: str
    names: tuple[str, ...]
    as_expected: Truth
    difference: str


def compared(expect: m.Expectation, guilty: set[str], unknown: set[str], only: Sequence[str] = ()) -> Compared:
    """The labels that break a claim, and those of which that is not known, against its expectation; of `only` these names."""
    found = named(guilty, expect.names)
    open_ = named(unknown, expect.names) - found
    expected = {name for name in expect.names if not only or name.partition("(")[0] in only}
    if expect.kind == "fails" and not expect.names:
        as_expected = Truth.YES if found else (Truth.UNKNOWN if open_ or only else Truth.NO)
    elif found == expected and not open_:
        as_expected = Truth.YES
    else:
        as_expected = Truth.NO if (found - expected) or (expected - found - open_) else Truth.UNKNOWN
    told = difference(found, expected, open_) or "expected to fail of some instruction, which these do not settle"
    state = "unknown" if open_ and not found else ("fails" if found else "holds")
    return Compared(state, tuple(sorted(found)), as_expected, told if as_expected is not Truth.YES else "")


def named(labels: set[str], expected: Sequence[str]) -> set[str]:
    """Labels as the author named them: `csrrw(cycle)` counts as `csrrw` unless parts of csrrw are expected by name."""
    by_part = {name.partition("(")[0] for name in expected if "(" in name}
    return {label if label.partition("(")[0] in by_part else label.partition("(")[0] for label in labels}


def difference(found: set[str], expected: set[str], unknown: set[str]) -> str:
    """What was found and not expected, expected and not found, and what is open."""
    parts = [("unexpected", found - expected), ("missing", expected - found - unknown), ("unknown", unknown)]
    return "; ".join(f"{word}: {', '.join(sorted(names))}" for word, names in parts if names)


def _exact(row: Row) -> Truth:
    return negation(row.truth("exact"))


def _inclusion(row: Row) -> Truth:
    """Popek and Goldberg's inclusion as they wrote it: control or behaviour sensitive, and not privileged."""
    sensitive = disjunction([row.truth("control_sensitive"), row.behaviour])
    here = conjunction([sensitive, negation(row.truth("privileged"))])
    return disjunction([here, row.truth("below")])


def _escalates(row: Row) -> Truth:
    """Completes in the guest's real mode, or below, and raises the mode or writes control or map state."""
    return disjunction(row.truth(question) for question in WAYS["escalation"])


SHOWS: dict[str, Offends] = {
    "escalation": _escalates,
    "theorem1": lambda row: row.violation,
    "sensitive_implies_privileged": lambda row: row.violation,
    "inclusion": _inclusion,
    "theorem3": lambda row: row.user_violation,
    "user_sensitive_implies_privileged": lambda row: row.user_violation,
    "exact": _exact,
    "exact_user": lambda row: negation(row.truth("exact_user")),
    "privileged": lambda row: row.truth("privileged"),
    "sensitive": lambda row: row.sensitive,
    "control_sensitive": lambda row: row.truth("control_sensitive"),
    "mode_sensitive": lambda row: row.truth("mode"),
    "location_sensitive": lambda row: row.truth("location"),
    "config_sensitive": lambda row: row.any_of("config:"),
    "trap_sensitive": lambda row: row.truth("trap_sensitive"),
    "noninterference": lambda row: row.truth("leaks"),
    "user_sensitive": lambda row: row.truth("user_sensitive"),
}
"""What a theorem may `show`: for the theorems, the rows that break it; for a class, its members."""

_SENSITIVE: Final = {
    "control_sensitive": "control", "mode": "mode", "location": "location", "config:": "config",
    "joint": "joint", "trap_sensitive": "trap",
}  # fmt: skip
WAYS: Final[dict[str, dict[str, str]]] = {
    **dict.fromkeys(("theorem1", "sensitive_implies_privileged", "inclusion", "sensitive"), _SENSITIVE),
    "escalation": {"raises_mode": "raise", "writes_control": "control", "writes_map": "map"},
}
"""The ways in which a row can count against a show: the questions, and the words that expectations have for them."""
