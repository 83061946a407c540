"""Verdicts as values: what was asked, what was found, and the evidence. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Truth(Enum):
    """A decided question, or one that could not be decided. Unknown is never success."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"

    @staticmethod
    def of(value: bool) -> Truth:
        return Truth.YES if value else Truth.NO


@dataclass(frozen=True, slots=True)
class Cell:
    """One piece of state in a witness: its name (`mstatus.MIE`, `X[5]`), role and width, and its value in each state.

    `after` holds the values after the instruction, where they matter; `held` says that it can have no other value; `alias`
    is the name of an element (`t0`), if it has one.
    """

    name: str
    role: str
    width: int
    before: tuple[int, ...]
    after: tuple[int, ...] = ()
    held: bool = False
    alias: str = ""

    @property
    def shown(self) -> str:
        """The name for people: `X[5] t0`."""
        return f"{self.name} {self.alias}" if self.alias else self.name


@dataclass(frozen=True, slots=True)
class Witness:
    """Two states that show a sensitivity (or one, for control sensitivity), small numbers first.

    `kind` says which question it answers; `labels` name the states (`bare S`, `at U`); `operands` fill in the
    instruction; `results` says what happened in each state: `completes` or the trap's cause; `cells` are the pieces
    of state that are not zero or that differ; `tables` the points of free functions (memory, views) that it relies on.
    """

    kind: str
    labels: tuple[str, ...]
    operands: tuple[tuple[str, int], ...]
    results: tuple[str, ...]
    cells: tuple[Cell, ...]
    tables: tuple[tuple[str, tuple[tuple[tuple[int, ...], int], ...]], ...] = ()
    program: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one question about one instruction, with its evidence."""

    question: str
    truth: Truth
    witness: Witness | None = None
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """All that was found of one instruction, or of one instruction with one CSR (`part`).

    Of a hole: `condition` are settings under which it traps; `exact_when` sets of settings, each enough, under which it
    does what the bare machine does, where it completes. Without a condition, `closable` says whether that there is none
    is proved (NO) or not (UNKNOWN), and `searched` why, or what was looked through.
    """

    name: str
    part: str
    findings: tuple[Finding, ...]
    condition: tuple[str, ...] = ()
    exact_when: tuple[str, ...] = ()
    closable: Truth = Truth.YES
    searched: str = ""

    @property
    def label(self) -> str:
        """`csrrw(cycle)`, as theorems name it."""
        return f"{self.name}({self.part})" if self.part else self.name

    def truth(self, question: str) -> Truth:
        """The answer to `question`; NO when it was not asked because it cannot hold."""
        return next((f.truth for f in self.findings if f.question == question), Truth.NO)

    def any_of(self, prefix: str) -> Truth:
        """The disjunction of all questions whose name starts with `prefix`."""
        return disjunction(f.truth for f in self.findings if f.question.startswith(prefix))

    @property
    def witness(self) -> Witness | None:
        """The first witness of a sensitivity."""
        order = ("leaks", "control_sensitive", "mode", "location", "config:", "joint", "trap_sensitive", "exact", "below")
        found = [f for f in self.findings if f.witness is not None and f.question.startswith(order)]
        found.sort(key=lambda f: next(i for i, o in enumerate(order) if f.question.startswith(o)))
        return found[0].witness if found else None

    @property
    def sensitive(self) -> Truth:
        """Control, behaviour or trap sensitive."""
        return disjunction([self.truth("control_sensitive"), self.behaviour, self.truth("trap_sensitive")])

    @property
    def behaviour(self) -> Truth:
        return disjunction([self.truth("mode"), self.truth("location"), self.any_of("config:"), self.truth("joint")])

    @property
    def deprivileged_violation(self) -> Truth:
        """Sensitive and not privileged, of the modes that run deprivileged: what settings that make it trap can close."""
        return conjunction([self.sensitive, negation(self.truth("privileged"))])

    @property
    def violation(self) -> Truth:
        """What Theorem 1 forbids: sensitive and not privileged, or the same of a mode that runs as itself, below the real one."""
        return disjunction([self.deprivileged_violation, self.truth("below")])

    @property
    def user_violation(self) -> Truth:
        """What Theorem 3 forbids: user sensitive and not privileged, in the real mode or in one below it."""
        here = conjunction([self.truth("user_sensitive"), negation(self.truth("privileged"))])
        return disjunction([here, self.truth("below")])


def disjunction(truths: object) -> Truth:
    values = set(truths)  # type: ignore[call-overload]
    if Truth.YES in values:
        return Truth.YES
    return Truth.UNKNOWN if Truth.UNKNOWN in values else Truth.NO


def conjunction(truths: object) -> Truth:
    return negation(disjunction(negation(truth) for truth in truths))  # type: ignore[attr-defined]


def negation(truth: Truth) -> Truth:
    match truth:
        case Truth.YES:
            return Truth.NO
        case Truth.NO:
            return Truth.YES
        case _:
            return Truth.UNKNOWN


@dataclass(frozen=True, slots=True)
class Claim:
    """What a verdict is relative to: guest and host mode, host invariant H, memory model, reading.

    `alone`: the guest's machine has the mode `guest` and no other. `everywhere`: H is of every state that is asked about,
    as where a class is shown, and not of the host's alone. `placement` names the machine's f that is meant.
    """

    guest: str
    host: str
    memory: str = "view"
    reading: str = "amended"
    invariant: tuple[str, ...] = ()
    alone: bool = False
    everywhere: bool = False
    placement: str = ""


@dataclass(frozen=True, slots=True)
class TheoremResult:
    """A theorem clause of the machine, decided: `found` against `expected`. `names` are the instructions concerned."""

    name: str
    show: str
    claim: Claim
    expected: str
    found: str
    names: tuple[str, ...]
    as_expected: Truth
    difference: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """The fewest conditions that a host can hold so that the holes of a report trap.

    `closes` are the instructions that they close, `remains` the others: `conflicts` are those among them that have a
    condition of their own, which no host holds beside these settings, `unfound` those for which none was found though that
    there is none is not proved. `verified` says whether, with the settings added to H, Theorem 1 was asked again of the
    instructions that they close, and holds of them.
    """

    held: tuple[str, ...]
    closes: tuple[str, ...]
    remains: tuple[str, ...]
    verified: Truth
    conflicts: tuple[str, ...] = ()
    unfound: tuple[str, ...] = ()

    @property
    def settled(self) -> bool:
        return self.verified is not Truth.UNKNOWN


@dataclass(frozen=True, slots=True)
class Unseen:
    """Declarations that no answer of a report depends on: what they are, why, and what looks at them, if anything does."""

    what: str
    why: str
    seen_by: str = ""


@dataclass(frozen=True, slots=True)
class InvariantResult:
    """An invariant clause of the machine: kept by reset and every step (`holds`), broken by some (`fails`), or `unknown`.

    `premises` are the other invariants that every step was taken to begin under: all that hold are proved together. `broken`
    names the steps that break it, each from a state under those premises, shown by `witness` for the first. `about` is `after`
    or `of` for a sentence about single steps, which may hold and yet not be as expected: it says nothing of a step that it names.
    """

    name: str
    text: str
    found: str
    broken: tuple[str, ...]
    premises: tuple[str, ...]
    expected: str
    as_expected: Truth
    difference: str = ""
    reason: str = ""
    witness: Witness | None = None
    once: bool = False
    about: str = ""


@dataclass(frozen=True, slots=True)
class Restored:
    """One piece of a guest's state: an instruction that reads it, one that sets it to any value; empty where none does.

    `touched` are instructions that write it, though not to any value. `element` is one of an array, or None. `undecided` names
    what was not answered in time: `reads`, `sets`.
    """

    name: str
    element: int | None
    role: str
    width: int
    reads: str
    sets: str
    touched: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return self.name if self.element is None else f"{self.name}[{self.element}]"


@dataclass(frozen=True, slots=True)
class Report:
    """The verdict on one machine in one configuration.

    `own` says that all its state is the program's own. `inputs` are the pieces of role `env`, each with what it is to a reader.
    `only`: the instructions that everything in it was asked of, and `picked` the theorems, where not all were.
    `configs` are the configurations that the text has. `roles`: the state, by its role, that the answers rest on; `unseen`:
    what of the text they do not. `f`: where the host has the guest's state, a line each.
    `left` are fields whose declared set of values some step may leave, with those steps: verdicts take the sets for granted.
    `lost` is guest and hidden state that no instruction reads, or none sets to any value: a monitor cannot give it back.
    `settled`: nothing was left open in time, under any claim.
    """

    machine: str
    config: str
    claim: Claim
    rows: tuple[Row, ...]
    theorems: tuple[TheoremResult, ...] = ()
    assumptions: tuple[str, ...] = ()
    exclusions: tuple[str, ...] = ()
    seconds: float = 0.0
    cached: int = 0
    locations: tuple[tuple[str, tuple[str, int, int]], ...] = ()
    title: str = ""
    own: bool = False
    settings: Settings | None = None
    inputs: tuple[tuple[str, str], ...] = ()
    only: tuple[str, ...] = ()
    picked: tuple[str, ...] = ()
    configs: tuple[str, ...] = ()
    roles: tuple[tuple[str, tuple[str, ...]], ...] = ()
    unseen: tuple[Unseen, ...] = ()
    f: tuple[str, ...] = ()
    invariants: tuple[InvariantResult, ...] = ()
    left: tuple[tuple[str, tuple[str, ...]], ...] = ()
    lost: tuple[Restored, ...] = ()
    settled: bool = True

    def location(self, name: str) -> tuple[str, int, int] | None:
        """File, line and column where an instruction or theorem is declared."""
        return dict(self.locations).get(name)

    @property
    def hides(self) -> bool:
        """Whether the machine has hidden state, so that noninterference was asked."""
        return any(finding.question == "leaks" for row in self.rows for finding in row.findings)

    @property
    def asked(self) -> tuple[str, ...]:
        """The numbers that `theorem` answers for this machine."""
        return ("1", "3", "exact", "noninterference") if self.hides else ("1", "3", "exact")

    def theorem(self, number: str) -> Truth:
        """Theorem `1`, `3`, `exact` or `noninterference`, over all rows."""
        match number:
            case "1":
                return negation(disjunction(row.violation for row in self.rows))
            case "3":
                return negation(disjunction(row.user_violation for row in self.rows))
            case "noninterference":
                return negation(disjunction(row.truth("leaks") for row in self.rows))
            case _:
                return conjunction(row.truth("exact") for row in self.rows)
