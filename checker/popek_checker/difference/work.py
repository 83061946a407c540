"""A comparison under way: what is the same by text, what stands under one clause, and what the workers are handed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace

from popek_checker.difference.compare import Pair
from popek_checker.difference.deciding import ALONE, decide
from popek_checker.difference.delta import Clause, DeltaRow, Status
from popek_checker.difference.sides import Unit
from popek_checker.difference.through import Group, Reading, groups
from popek_checker.solver.answers import answers_in
from popek_checker.solver.sharing import Shared, as_decided
from popek_checker.solver.smt import kept_solver
from popek_checker.virtualizability.check import CHUNK, FEWEST_CHUNKS
from popek_checker.virtualizability.options import Progress
from popek_grammar import machine as m


@dataclass(frozen=True, slots=True)
class Batch:
    """Work for one worker. `uneven`: the causes whose entry is not known to be the same."""

    machines: Shared[tuple[m.Machine, m.Machine]]
    units: tuple[Unit, ...]
    uneven: frozenset[str]
    timeout: float
    cache: str | None = None


@dataclass(slots=True)
class Work:
    """A comparison under way: the rows so far, and the clauses that things were found to differ through."""

    pair: Pair
    shared: Shared[tuple[m.Machine, m.Machine]]
    timeout: float
    cache: str | None
    executor: Executor | None
    each: bool
    total: int
    progress: Progress
    rows: dict[Unit, DeltaRow] = field(default_factory=dict)
    clauses: dict[str, Clause] = field(default_factory=dict)
    accessed: bool = False
    reading: Reading = field(init=False)

    def begin(self, units: Sequence[Unit]) -> None:
        """What the declarations alone decide; and the functions that differ, each by itself."""
        self.reading = Reading.of(self.pair)
        for unit in units:
            reason = self.pair.obstacle(unit)
            if reason:
                self.rows[unit] = DeltaRow(unit.kind, unit.name, unit.part, Status.INCOMPARABLE, reason=reason)
        left = [unit for unit in units if unit not in self.rows and not self.reading.reads_apart(unit)]
        asked = self._ask(list(self.reading.askable(left)), frozenset())
        same = {(unit.kind, unit.name): row.how for unit, row in asked.items() if row.status is Status.SAME and not row.own}
        self.reading = self.reading.knowing(same)
        alone = {(unit.kind, unit.name): row for unit, row in asked.items()}
        for key in dict.fromkeys(key for unit in left for key in self.reading.through(unit)):
            clause = self.reading.told(key, alone.get(key))
            self.clauses[clause.label] = clause

    def stage(self, units: Sequence[Unit]) -> None:
        """Decides units. What differs in the entry of a trap alone stands under the clause that its entry differs through."""
        uneven = {u.name: row for u, row in self.rows.items() if u.kind == "entry" and row.status is not Status.SAME}
        alone: list[Unit] = []
        through: dict[Unit, tuple[Clause, ...]] = {}
        for unit in units:
            if unit in self.rows:
                continue
            if self.reading.reads_apart(unit):
                alone.append(unit)
                continue
            clauses = self._through(unit, uneven)
            if clauses:
                through[unit] = clauses
            else:
                self.rows[unit] = self._same(unit)
        grouped = groups(self.reading, through)
        asked = [*alone, *(unit for group in grouped for unit in group.next(self.rows, self.each))]
        while asked:
            for unit, row in self._ask(asked, frozenset(uneven)).items():
                known = next((group.through[unit] for group in grouped if unit in group.through), ())
                self.rows[unit] = replace(row, through=known if row.status is not Status.SAME else ())
            idle = (group for group in grouped if group.idle(self.rows) and group.stuck(self.rows) is None)
            if not self.each and not self.accessed and any(True for _ in idle):
                self._accesses(grouped)
                for group in grouped:
                    for unit in group.without(lambda unit: not self._through(unit, uneven)):
                        self.rows[unit] = self._same(unit)
            asked = [unit for group in grouped for unit in group.next(self.rows, self.each)]
        for group in grouped:
            self.rows |= dict(group.rest(self.rows))

    def _accesses(self, grouped: Sequence[Group]) -> None:
        """Asks about the accesses that things make which are not asked about yet: of each kind one width, then the others."""
        self.accessed = True
        found = self.reading.accesses(unit for group in grouped for unit in group.units[group.asked :])
        kinds: dict[str, list[Unit]] = {}
        for unit in found:
            kinds.setdefault(" ".join(unit.name.split()[:2]), []).append(unit)
        first = self._ask([units[0] for units in kinds.values()], frozenset())
        rest = [unit for units in kinds.values() if first[units[0]].status is Status.SAME for unit in units[1:]]
        asked = first | self._ask(rest, frozenset())
        same = {(unit.kind, unit.name): row.how for unit, row in asked.items() if row.status is Status.SAME and not row.own}
        self.reading = self.reading.knowing(same)

    def _through(self, unit: Unit, uneven: Mapping[str, DeltaRow]) -> tuple[Clause, ...]:
        """The clauses that a thing that reads the same itself may differ through."""
        clauses = tuple(self.clauses[self.reading.told(key, None).label] for key in self.reading.through(unit))
        return clauses or self._by_entry(unit, uneven)

    def _same(self, unit: Unit) -> DeltaRow:
        return DeltaRow(unit.kind, unit.name, unit.part, Status.SAME, self.reading.how(unit))

    def _by_entry(self, unit: Unit, uneven: Mapping[str, DeltaRow]) -> tuple[Clause, ...]:
        """The clauses through which the entry of traps differs that a thing that is the same itself may raise."""
        raised = sorted(self.reading.stands(unit)[0].raises & uneven.keys()) if unit.kind != "entry" else []
        labels = dict.fromkeys(label for cause in raised for label in uneven[cause].through)
        found = tuple(self.clauses[label] for label in labels)
        return found or tuple(self._entry(cause) for cause in raised)

    def _entry(self, cause: str) -> Clause:
        made = Clause("entry of", cause, "", "")
        return self.clauses.setdefault(made.label, made)

    def _ask(self, units: Sequence[Unit], uneven: frozenset[str]) -> dict[Unit, DeltaRow]:
        """The rows of units, as the solver has them."""
        found: dict[Unit, DeltaRow] = {}
        for decided in _decide(Batch(self.shared, tuple(units), uneven, self.timeout, self.cache), self.executor):
            found |= decided
            done = len(self.rows) + sum(unit.kind not in ALONE for unit in found)
            self.progress(min(done, self.total), self.total, next(reversed(decided)).name)
        return found


# -- workers ----------------------------------------------------------------------------------------------------------


def _decide(whole: Batch, executor: Executor | None) -> Iterator[dict[Unit, DeltaRow]]:
    """The rows of a batch, cut into parts for the workers, as they come."""
    size = max(1, min(CHUNK, len(whole.units) // FEWEST_CHUNKS))
    parts = [replace(whole, units=whole.units[at : at + size]) for at in range(0, len(whole.units), size)]
    yield from (dict(zip(part.units, rows, strict=True)) for part, rows in as_decided(decide_batch, parts, executor))


def decide_batch(batch: Batch) -> list[DeltaRow]:
    """The rows of a batch. Runs in a worker, which keeps its solver from batch to batch."""
    smt = kept_solver(batch.timeout)
    pair = Pair(*batch.machines.value)
    with smt.knowing(answers_in(batch.cache)):
        return [decide(smt, pair, unit, batch.uneven) for unit in batch.units]
