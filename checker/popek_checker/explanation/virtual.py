"""What becomes of an instruction in a virtual machine: it executes, or traps to the VMM, which passes it on or emulates it.

The table of trap-and-emulate, derived: for each virtual mode and each kind of instruction, which of the fates some state
leads to. An execution is `errant` when the bare machine traps in its most privileged mode too; an instruction is
`sensitive` here when it is sensitive or privileged (on a machine that Theorem 1 holds of, no difference but for the
privileged ones that show nothing).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from popek_checker.solver.smt import Smt, Status
from popek_checker.virtualizability.decide import Item, items, make_subject, virtual_modes
from popek_checker.virtualizability.questions import Subject
from popek_checker.virtualizability.verdict import Claim, Row, Truth
from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term


class Fate(Enum):
    """What happens to the guest's instruction, in words."""

    EXECUTES = "executes"
    REFLECTED = "traps to VMM, which causes a trap in the guest"
    EMULATED = "traps to VMM, which emulates"
    WRONG = "executes, and not as on the bare machine"


class Kind(Enum):
    """A row of the table."""

    PLAIN = "non-sensitive"
    ERRANT = "errant"
    SENSITIVE = "sensitive"


@dataclass(frozen=True, slots=True)
class Case:
    """A cell: the fates that occur, each with the instructions that meet it; `open` are those not decided in time."""

    kind: Kind
    mode: str
    fates: Mapping[Fate, tuple[str, ...]]
    open: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Meeting:
    """An instruction meets a fate in a virtual mode; not `sure` when that could not be decided in time."""

    instruction: str
    kind: Kind
    mode: str
    fate: Fate
    sure: bool


def virtual_table(machine: m.Machine, claim: Claim, invariant: tuple[m.Expr, ...], rows: Iterable[Row], smt: Smt) -> list[Case]:
    """The cells, by kind and then by virtual mode, the least privileged first."""
    return table(machine, claim, meetings(machine, claim, invariant, concerned(rows), items(machine), smt))


def concerned(rows: Iterable[Row]) -> frozenset[str]:
    """The labels of what is sensitive or privileged."""
    return frozenset(row.label for row in rows if Truth.YES in (row.sensitive, row.truth("privileged")))


def meetings(
    machine: m.Machine, claim: Claim, invariant: tuple[m.Expr, ...], sensitive: frozenset[str], work: Iterable[Item], smt: Smt
) -> Iterator[Meeting]:
    """The fates that some state leads these instructions to, and those that could not be decided."""
    for item in work:
        subject = make_subject(machine, item, claim, invariant)
        usual = Kind.SENSITIVE if item.label in sensitive else Kind.PLAIN
        for kind, mode, fate, status in _fates(subject, usual, smt):
            if status is not Status.UNSAT:
                yield Meeting(item.instruction, kind, mode, fate, status is Status.SAT)


def table(machine: m.Machine, claim: Claim, met: Iterable[Meeting]) -> list[Case]:
    """Meetings by kind and then by virtual mode."""
    found: dict[tuple[Kind, str], dict[Fate, dict[str, None]]] = {}
    undecided: dict[tuple[Kind, str], dict[str, None]] = {}
    for each in met:
        if each.sure:
            found.setdefault((each.kind, each.mode), {}).setdefault(each.fate, {})[each.instruction] = None
        else:
            undecided.setdefault((each.kind, each.mode), {})[each.instruction] = None
    modes = [machine.modes.name(mode) for mode in virtual_modes(machine, claim)]
    return [
        Case(
            kind,
            mode,
            {fate: tuple(fates[fate]) for fate in Fate if fate in (fates := found.get((kind, mode), {}))},
            tuple(undecided.get((kind, mode), {})),
        )
        for kind in Kind
        for mode in modes
    ]


def _fates(subject: Subject, usual: Kind, smt: Smt) -> Iterator[tuple[Kind, str, Fate, Status]]:
    """Which fates an instruction can meet in each virtual mode, where the bare machine's top mode traps and where not."""
    top, _ = subject.related(subject.modes[-1])
    for mode in subject.modes:
        bare, host = subject.related(mode)
        facts = (*top.facts, *bare.facts, *host.facts)
        for kind, here in ((Kind.ERRANT, t.not_(top.ok)), (usual, top.ok)):
            for fate, condition in _conditions(subject, mode, bare.ok, host.ok).items():
                yield kind, subject.label(mode), fate, smt.check([*facts, here, condition], model=False).status


def _conditions(subject: Subject, mode: int, bare: Term, host: Term) -> dict[Fate, Term]:
    """What must hold of the bare and of the real run for each fate."""
    wrong = t.or_(*(t.and_(*ask.constraints) for ask in subject.inexact((mode,))))
    return {
        Fate.EXECUTES: t.and_(host, bare),
        Fate.REFLECTED: t.and_(t.not_(host), t.not_(bare)),
        Fate.EMULATED: t.and_(t.not_(host), bare),
        Fate.WRONG: wrong,
    }
