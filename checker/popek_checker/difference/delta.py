"""What differs between two machines, as values. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Status(Enum):
    """Of one thing that both machines have. `INCOMPARABLE`: it rests on state or operands that have another shape.

    `THROUGH`: it reads the same itself, and stands on a clause that differs, as another that was asked about shows; it was not
    asked about by itself.
    """

    SAME = "same"
    DIFFERENT = "different"
    THROUGH = "through"
    INCOMPARABLE = "incomparable"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Change:
    """A declaration in one machine only (`where` is `A` or `B`), or in both with another shape (`both`)."""

    kind: str
    name: str
    where: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """One piece of state in a witness: its value before, and after in A and in B (None: that machine has no such state).

    A machine that traps keeps its state, unless the witness says that the traps are entered.
    """

    name: str
    role: str
    width: int
    before: int
    after: tuple[int | None, int | None]


@dataclass(frozen=True, slots=True)
class Ending:
    """How it ended in one machine: completed (`trap` is None), or the trap's cause with what it carries."""

    trap: str | None
    payload: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        carried = ", ".join(f"{name} = {value:#x}" for name, value in self.payload)
        return "completes" if self.trap is None else f"traps {self.trap}" + (f"({carried})" if carried else "")


@dataclass(frozen=True, slots=True)
class Contrast:
    """A state from which the two machines go different ways, small numbers first.

    `operands` fill in the instruction, `assembly` is its text in A and in B, `choices` are the open values taken.
    `entered`: both trap alike and the difference lies in the entry of the trap, so `after` is after the entry.
    """

    operands: tuple[tuple[str, int], ...]
    assembly: tuple[str, str]
    endings: tuple[Ending, Ending]
    cells: tuple[Point, ...]
    choices: tuple[tuple[str, int], ...] = ()
    entered: bool = False


@dataclass(frozen=True, slots=True)
class DeltaRow:
    """One thing compared: an `instruction` (perhaps with one CSR, `part`), the `entry` of a trap, `interrupts`, `fetch`, ...

    `how` says what showed that it is the same: equal `text`, equal `terms`, or the `solver`. `own` names the state of
    one machine alone that it writes, or that the difference depends on. `through` names the clauses that it stands on and
    that are not known to mean the same in both, where it reads the same itself.
    """

    kind: str
    name: str
    part: str
    status: Status
    how: str = ""
    reason: str = ""
    witness: Contrast | None = None
    own: tuple[str, ...] = ()
    through: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """`csrrw(cycle)`, as in verdicts; `entry of page_fault`."""
        name = f"entry of {self.name}" if self.kind == "entry" else self.name
        return f"{name}({self.part})" if self.part else name


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause that several things stand on and that does not read the same in both: a function, a register, a trap stack, ...

    `a` and `b` are its places (file:line:column), empty where a machine lacks it or it has none. `status` is None where it
    cannot be asked about by itself, as only functions can.
    """

    kind: str
    name: str
    a: str
    b: str
    status: Status | None = None
    witness: Contrast | None = None

    @property
    def label(self) -> str:
        """`function allowed`."""
        return f"{self.kind} {self.name}".rstrip()


@dataclass(frozen=True, slots=True)
class Subject:
    """One of the two machines: its name, configuration and file."""

    machine: str
    config: str
    file: str


@dataclass(frozen=True, slots=True)
class Delta:
    """The comparison of two machines."""

    a: Subject
    b: Subject
    changes: tuple[Change, ...]
    rows: tuple[DeltaRow, ...]
    assumptions: tuple[str, ...]
    seconds: float = 0.0
    clauses: tuple[Clause, ...] = ()

    def of(self, status: Status) -> tuple[DeltaRow, ...]:
        """The rows that came out so."""
        return tuple(row for row in self.rows if row.status is status)

    def standing(self, clause: Clause) -> tuple[DeltaRow, ...]:
        """The rows that differ, or may differ, through a clause."""
        return tuple(row for row in self.rows if clause.label in row.through)

    @property
    def differs(self) -> bool:
        """Something is not the same, or cannot even be compared."""
        return bool(self.changes) or any(row.status not in (Status.SAME, Status.UNKNOWN) for row in self.rows)
