"""The proof of a monitor as values: its obligations, what became of each, how each instruction is handled. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from popek_checker.virtualizability.verdict import Finding, Row, Truth, Witness, disjunction

OBLIGATIONS: Final = {
    "first": ("O1", "the guest's first state is a state of the host, and so is f of every other"),
    "direct": ("O2", "what completes directly does what the guest's machine does, under f"),
    "entry": ("O3", "no trap of the host loses any of the guest's state"),
    "frame": ("O4", "what completes directly leaves the host's own state and memory alone"),
    "reflect": ("O5", "nothing completes directly where the guest's machine traps"),
    "call": ("O3", "what stands for a replaced instruction always traps"),
    "efficient": ("O7", "innocuous instructions do not trap"),
    "recursive": ("Theorem 2", "the guest's machine is one that the monitor itself can run on"),
}
"""Name to number (docs/theory.md 6) and sentence."""

REFUTING: Final = ("first", "direct", "entry", "frame", "reflect", "call")
"""Those that a right monitor meets; the others say how good it is."""

OF_ROWS: Final = ("direct", "frame", "reflect")
"""Those of each instruction by itself that refute."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One obligation: whether it is met, what does not meet it, why that is not known; and what was found on the way."""

    name: str
    truth: Truth
    names: tuple[str, ...] = ()
    reason: str = ""
    notes: tuple[str, ...] = ()
    witness: Witness | None = None

    @property
    def number(self) -> str:
        return OBLIGATIONS[self.name][0]

    @property
    def says(self) -> str:
        return OBLIGATIONS[self.name][1]

    @property
    def found(self) -> str:
        """`proved`, `refuted` or `unknown`."""
        return {Truth.YES: "proved", Truth.NO: "refuted", Truth.UNKNOWN: "unknown"}[self.truth]


@dataclass(frozen=True, slots=True)
class Handled:
    """How a monitor handles an instruction, or one with one CSR.

    The findings of `row` are `runs` (it completes in the real mode), `emulated:MODE` (it traps there where the bare machine
    completes in that mode), and the obligations. `replaced` is `rewrite`, `hypercall` or empty.
    """

    row: Row
    replaced: str = ""

    @property
    def label(self) -> str:
        return self.row.label

    @property
    def broken(self) -> tuple[Finding, ...]:
        """The obligations that it does not meet."""
        return tuple(f for f in self.row.findings if f.question in OF_ROWS and f.truth is Truth.NO)

    @property
    def open(self) -> tuple[Finding, ...]:
        """What of it is not known."""
        return tuple(f for f in self.row.findings if f.truth is Truth.UNKNOWN)

    @property
    def emulated(self) -> tuple[str, ...]:
        """The modes of the guest in which the monitor does it, at least in some states."""
        return tuple(
            f.question.partition(":")[2] for f in self.row.findings if f.question.startswith("emulated:") and f.truth is Truth.YES
        )

    @property
    def how(self) -> str:
        """`direct`, `emulated`, `direct, emulated in S`, `reflected`, `rewritten`, `hypercall`, `refuted` or `unknown`."""
        if self.replaced:
            return {"rewrite": "rewritten"}.get(self.replaced, self.replaced)
        if self.broken:
            return "refuted"
        if self.open:
            return "unknown"
        if self.row.truth("runs") is Truth.NO:
            return "emulated" if self.emulated else "reflected"
        return f"direct, emulated in {', '.join(self.emulated)}" if self.emulated else "direct"


@dataclass(frozen=True, slots=True)
class Proof:
    """What became of one monitor. `f`, `assumptions` and `exclusions` are sentences; `held` is H, what f keeps in the host.

    `only` are the instructions, and `asked` the obligations, that it was restricted to. `expected` is the author's word.
    """

    monitor: str
    machine: str
    config: str
    doc: str
    runs: tuple[str, ...]
    at: str
    interprets: tuple[str, ...]
    memory: str
    rows: tuple[Handled, ...]
    answers: tuple[Answer, ...]
    f: tuple[str, ...]
    held: tuple[str, ...]
    assumptions: tuple[str, ...]
    exclusions: tuple[str, ...]
    expected: str
    as_expected: Truth
    difference: str
    location: tuple[str, int, int]
    only: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    seconds: float = 0.0
    cached: int = 0

    @property
    def refuted(self) -> Truth:
        """Whether some obligation that a right monitor meets is not met."""
        return disjunction(
            {Truth.YES: Truth.NO, Truth.NO: Truth.YES}.get(a.truth, a.truth) for a in self.answers if a.name in REFUTING
        )

    @property
    def found(self) -> str:
        """`proved`, `refuted` or `unknown`."""
        return {Truth.NO: "proved", Truth.YES: "refuted", Truth.UNKNOWN: "unknown"}[self.refuted]

    @property
    def settled(self) -> bool:
        """Nothing was left open: only then is it worth keeping."""
        return all(answer.truth is not Truth.UNKNOWN for answer in self.answers)
