"""By mode and setting, how an instruction ends: the first cause that applies, in the order in which the machine tests them.

The table is read off the instruction's outcome, in one mode at a time. Comparisons over state that a program does not own, in
the order in which they decide, split it into settings; what a setting leaves open is told by what it depends on. Only what
some state leads to is in the table: Z3 is asked of each row, and of each end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TypeAlias

from popek_checker.explanation.explain_views import CausesView, Ending, SettingRow
from popek_checker.solver.smt import Smt, Status
from popek_checker.virtualizability.copies import Copy, copy, pieces, start
from popek_checker.virtualizability.decide import Item, item_operands, items
from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.saying import Unsayable, say
from popek_grammar.meaning.terms import Term

DEEPEST, MOST = 8, 24
"""Settings told apart at most on the way to an end, and rows made of them: of what splits further, the settings are named."""
SETTING = frozenset({m.Role.MAP, m.Role.CONTROL, m.Role.ENV, m.Role.HIDDEN})


Row: TypeAlias = "tuple[tuple[Term, ...], tuple[Ending, ...]]"
"""Settings that hold together, and the ends under them."""


@dataclass(frozen=True, slots=True)
class Branch:
    """Under the settings `chosen`, the ends that are left, each with its condition: causes by priority, then completion."""

    chosen: tuple[Term, ...]
    ends: tuple[tuple[str, Term], ...]

    @property
    def roots(self) -> list[Term]:
        return [condition for _, condition in self.ends]


def causes(machine: m.Machine, name: str, smt: Smt) -> tuple[CausesView, ...]:
    """The tables of an instruction, `csrrw(satp)` being one with one CSR: one, or one for each set of CSRs that are alike."""
    work = [item for item in items(machine) if name in (item.instruction, item.label)]
    tables: dict[tuple[SettingRow, ...], list[str]] = {}
    for item in work:
        tables.setdefault(by_mode(machine, item, smt), []).append(item.part)
    instruction = name.partition("(")[0]
    return tuple(CausesView(instruction, tuple(part for part in parts if part), rows) for rows, parts in tables.items())


def by_mode(machine: m.Machine, item: Item, smt: Smt) -> tuple[SettingRow, ...]:
    """The rows of one unit of deciding; modes in which all is the same share theirs."""
    operands = item_operands(machine, item)
    tables = []
    for mode, code in machine.modes.members or (("", None),):
        made = copy(machine, operands, start(machine, code, ""), "view")
        tables.append((mode, tuple(_rows(machine, made, smt))))
    shared = [(tuple(mode for mode, _ in group), rows) for rows, group in groupby(tables, key=lambda table: table[1])]
    return tuple(replace(row, modes=modes) for modes, rows in shared for row in rows)


def _rows(machine: m.Machine, made: Copy, smt: Smt) -> Iterator[SettingRow]:
    """The rows of one mode, its name not yet in them."""
    settings = frozenset(name for name, piece in pieces(machine) if piece.role in SETTING)
    ends = [(trap.cause, trap.condition) for trap in made.outcome.traps]
    table = Table(settings, made.facts, smt)
    for chosen, endings in table.split(Branch((), joined((*ends, ("", made.ok)))), DEEPEST):
        yield SettingRow((), tuple(said(machine, atom) for atom in chosen), endings)


@dataclass(frozen=True, slots=True)
class Table:
    """What the rows of one mode are made with."""

    settings: frozenset[str]
    facts: Sequence[Term]
    smt: Smt

    def split(self, branch: Branch, depth: int) -> list[Row]:
        """The rows of a branch: by its first setting, what traps for sure first; one that makes no difference is left out."""
        atom = next(_atoms(branch.roots, self.settings), None)
        if atom is None or depth == 0:
            return [(branch.chosen, self.endings(branch))]
        choices = [chosen for chosen in (atom, t.not_(atom)) if self.status(branch, chosen) is not Status.UNSAT]
        if not choices:
            return []
        if len(choices) == 1:
            return self.split(_under(branch, atom, choices[0], branch.chosen), depth)
        below = [self.split(_under(branch, atom, chosen, (*branch.chosen, chosen)), depth - 1) for chosen in choices]
        one, other = ([(_without(chosen, atom), endings) for chosen, endings in rows] for rows in below)
        if one == other:
            return one
        order = [cause for cause, _ in branch.ends]
        below.sort(key=lambda rows: (not _certain(rows), _first(rows, order)))
        rows = [row for half in below for row in half]
        return rows if len(rows) <= MOST else [(branch.chosen, self.endings(branch))]

    def endings(self, branch: Branch) -> tuple[Ending, ...]:
        """The ends that some state leads to, with what decides between them; one not decided in time is not sure."""
        found = []
        named: set[str] = set()
        for cause, condition in branch.ends:
            status = self.status(branch, condition)
            if status is not Status.UNSAT:
                names = dict.fromkeys(_deciding(condition))
                by = tuple(name for name in names if name not in named)
                found.append(Ending(cause or None, by, status is Status.SAT))
                named |= names.keys()
        return tuple(found)

    def status(self, branch: Branch, condition: Term) -> Status:
        """Whether some state of the branch meets a condition."""
        return self.smt.check([*self.facts, *branch.chosen, condition], model=False).status


def _certain(rows: Sequence[Row]) -> bool:
    """Nothing is left to test: what a machine tests first stands first in the table."""
    return len(rows) == 1 and len(rows[0][1]) == 1 and rows[0][1][0].cause is not None


def _first(rows: Sequence[Row], order: Sequence[str]) -> int:
    """Where the first end of the first row stands among the ends that there were."""
    return next((order.index(ending.cause or "") for _, endings in rows for ending in endings), len(order))


def _without(chosen: tuple[Term, ...], atom: Term) -> tuple[Term, ...]:
    return tuple(each for each in chosen if each not in (atom, t.not_(atom)))


def _atoms(roots: Iterable[Term], settings: frozenset[str]) -> Iterator[Term]:
    """The comparisons over settings alone that decide, those of the first condition first.

    What is compared, and the address of an access, are not looked into: a setting there picks data, not an end.
    """
    seen: set[Term] = set()
    waiting = list(reversed(list(roots)))
    while waiting:
        term = waiting.pop()
        if term in seen:
            continue
        seen.add(term)
        if term.op in ("and", "or", "not", "ite"):
            waiting.extend(reversed(term.args))
        elif term.op in ("eq", "ult", "slt") and all(leaf.name in settings for leaf in t.free([term])):
            yield term


def _under(branch: Branch, atom: Term, chosen: Term, settings: tuple[Term, ...]) -> Branch:
    """What is left of a branch once an atom is `chosen`, or denied; ends that cannot be any more are dropped."""
    value = t.boolean(chosen is atom)
    known = _fixed(chosen)

    def decide(term: Term, args: tuple[Term, ...]) -> Term | None:
        return value if term is atom else known.get(term)

    new = t.substitute(branch.roots, decide)
    return Branch(settings, joined((cause, new[condition]) for cause, condition in branch.ends))


def joined(ends: Iterable[tuple[str, Term]]) -> tuple[tuple[str, Term], ...]:
    """The ends that can be; one after another of the same cause is one."""
    left = [(cause, condition) for cause, condition in ends if condition is not t.FALSE]
    groups = [(cause, [condition for _, condition in group]) for cause, group in groupby(left, key=lambda end: end[0])]
    return tuple((cause, t.or_(*conditions)) for cause, conditions in groups)


def _fixed(chosen: Term) -> dict[Term, Term]:
    """The value that an equality gives a piece of state."""
    denied = chosen.op == "not"
    inner = chosen.args[0] if denied else chosen
    if inner.op != "eq" or inner.args[0].op not in ("var", "apply") or not inner.args[1].is_const:
        return {}
    state, value = inner.args
    if not denied:
        return {state: value}
    return {state: t.const(1 - value.value, 1)} if state.width == 1 else {}


def _deciding(condition: Term) -> Iterator[str]:
    """The operands and pieces of state that a condition compares, their indices left out; `the access` for its view."""
    seen: set[Term] = set()
    waiting = [condition]
    while waiting:
        term = waiting.pop()
        if term in seen:
            continue
        seen.add(term)
        if term.op in ("var", "apply"):
            yield "the access" if term.name.startswith("view.") else term.name.removeprefix("op.").removesuffix(".alt")
        else:
            waiting.extend(reversed(term.args))


def said(machine: m.Machine, atom: Term) -> str:
    """An atom as an author would write it, `mstatus.TSR == 1`; as a term, where the language has no words for it."""
    inner = atom.args[0]
    try:
        if atom.op == "not" and inner.op == "eq" and inner.args[0].width == 1 and inner.args[1].is_const:
            return f"{say(machine, inner.args[0])} == {1 - inner.args[1].value}"
        return say(machine, atom)
    except Unsayable:
        return t.render(atom)
