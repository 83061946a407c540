"""What a comparison comes to, folded for people: changes of one kind together, rows that say the same together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from popek_checker.difference.delta import Change, Clause, Delta, DeltaRow, Status

MANY = 16
"""More names than this are counted, not listed."""
FEW = 4
"""More parts of one instruction than this are counted."""
WHERE = {"A": "only in A", "B": "only in B", "both": "not alike"}


@dataclass(frozen=True, slots=True)
class Changes:
    """Declarations of one kind of which one and the same is to be said."""

    kind: str
    where: str
    detail: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one instruction, or of trap entry, or for one reason; the first that has a witness speaks for all."""

    status: Status
    reason: str
    rows: tuple[DeltaRow, ...]

    @property
    def shown(self) -> DeltaRow:
        return next((row for row in self.rows if row.witness is not None), self.rows[0])

    @property
    def names(self) -> str:
        return listed(labels(self.rows))

    @property
    def why(self) -> str:
        """The reason, or how it ended in the two machines."""
        found = self.shown.witness
        if found is None:
            return self.reason
        if found.endings[0] != found.endings[1]:
            return f"{found.endings[0]} | {found.endings[1]}"
        cell = next((cell for cell in found.cells if None not in cell.after and cell.after[0] != cell.after[1]), None)
        return str(found.endings[0]) if cell is None else f"{cell.name}: {cell.after[0]:#x} | {cell.after[1]:#x}"


def folded_changes(changes: Iterable[Change]) -> list[Changes]:
    """Changes by kind, place and what is said of them, in order."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for change in changes:
        groups.setdefault((change.kind, change.where, change.detail), []).append(change.name)
    return [Changes(kind, where, detail, tuple(names)) for (kind, where, detail), names in groups.items()]


@dataclass(frozen=True, slots=True)
class Through:
    """A clause that things differ through: its name, where it is, what came of it by itself, and what stands on it."""

    clause: Clause
    rows: tuple[DeltaRow, ...]

    @property
    def place(self) -> str:
        """Where it is written, in A and in B when these are two places."""
        return " | ".join(dict.fromkeys(place for place in (self.clause.a, self.clause.b) if place))

    @property
    def alone(self) -> str:
        """A state in which it does something else by itself, or why none is shown."""
        found = self.clause.witness
        if found is None:
            return "" if self.clause.status is None else self.clause.status.value
        given = ", ".join(f"{name} = {value:#x}" for name, value in found.operands if value)
        told = Rows(Status.DIFFERENT, "", (DeltaRow("function", "", "", Status.DIFFERENT, witness=found),)).why
        return f"{told} ({given})" if given else told

    @property
    def names(self) -> str:
        return listed(labels(self.rows))


def through(delta: Delta) -> list[Through]:
    """The clauses that explain what differs, each with the rows that stand on it."""
    return [Through(clause, delta.standing(clause)) for clause in delta.clauses]


def folded_rows(delta: Delta) -> list[Rows]:
    """The rows that are not the same: one group a mnemonic, one for trap entry, one a reason."""
    groups: dict[tuple[Status, str, str, str], list[DeltaRow]] = {}
    for row in delta.rows:
        if row.status is not Status.SAME:
            name = row.name if row.kind == "instruction" and not row.reason else ""
            groups.setdefault((row.status, row.reason, row.kind, name), []).append(row)
    return [Rows(status, reason, tuple(rows)) for (status, reason, _, _), rows in groups.items()]


def labels(rows: Iterable[DeltaRow]) -> list[str]:
    """The labels of rows, the many parts of one instruction as their number."""
    parts: dict[tuple[str, str], list[DeltaRow]] = {}
    for row in rows:
        parts.setdefault((row.kind, row.name), []).append(row)
    return [
        label
        for (_, name), some in parts.items()
        for label in ([row.label for row in some] if len(some) <= FEW else [f"{name} ({len(some)} CSRs)"])
    ]


def listed(names: Iterable[str]) -> str:
    """Names in a line; the rest of many is counted."""
    every = list(names)
    more = f" and {len(every) - MANY} more" if len(every) > MANY else ""
    return ", ".join(every[:MANY]) + more


def counted(delta: Delta) -> str:
    """How many instructions came out how. CSR parts count with their instruction, at their worst."""
    order = (Status.SAME, Status.INCOMPARABLE, Status.UNKNOWN, Status.THROUGH, Status.DIFFERENT)
    worst: dict[str, Status] = {}
    for row in delta.rows:
        if row.kind == "instruction":
            worst[row.name] = max(row.status, worst.get(row.name, Status.SAME), key=order.index)
    counts = [(status, sum(found is status for found in worst.values())) for status in order]
    return f"{len(worst)} instructions in both: " + ", ".join(f"{count} {status.value}" for status, count in counts if count)


def proofs(delta: Delta) -> str:
    """What showed that the same rows are the same."""
    hows = [row.how for row in delta.of(Status.SAME)]
    counts = [f"{hows.count(how)} by {text}" for how, text in HOW.items() if how in hows]
    return f"same, of {len(delta.rows)} comparisons: " + (", ".join(counts) or "none")


HOW = {"text": "equal text", "terms": "equal terms", "solver": "the solver"}


def verdict(delta: Delta) -> str:
    if delta.differs:
        return "the machines differ"
    return "not decided" if delta.of(Status.UNKNOWN) else "no difference"
