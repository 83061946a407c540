"""Many things that differ through one clause: they are put together under it, and few of them are asked about.

What reads the same in both machines can differ only through a clause that it stands on and that does not. A function is asked
about by itself, for any arguments in any state; where it means the same, so does what differs through it alone. Of the things
under another clause, those that stand on least are asked about first, until one differs; where there are many, the rest are said
to differ through the clause, and are not asked about one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

from popek_checker.difference.clauses import ACCESS, ENTRY, MEMORY, NO_CSR, NOTHING, Key, Named, Standing, mentions_open
from popek_checker.difference.compare import Pair
from popek_checker.difference.delta import Clause, DeltaRow, Status
from popek_checker.difference.sides import Unit
from popek_checker.solver.keys import ASIDE, meaning
from popek_grammar import machine as m

FEW: Final = 6
"""Of so many things under one clause each is asked about."""


@dataclass(frozen=True)
class Apart:
    """Two machines' clauses, side by side."""

    a: Standing
    b: Standing

    @cached_property
    def differing(self) -> frozenset[Key]:
        """The clauses that do not read the same in both, or that one of them lacks."""
        return frozenset(key for key in {**self.a.clauses, **self.b.clauses} if self.a.digest(key) != self.b.digest(key))

    @cached_property
    def everything(self) -> bool:
        """Whether what everything stands on reads the same."""
        return self.a.base == self.b.base

    def told(self, key: Key) -> Clause:
        """A clause that differs, with its places."""
        return Clause(key[0], key[1], _place(self.a.clauses.get(key)), _place(self.b.clauses.get(key)))


def _place(clause: Any) -> str:
    span = getattr(clause, "span", None)
    return f"{span.file}:{span.line}:{span.column}" if isinstance(span, m.Span) else ""


@dataclass(frozen=True)
class Reading:
    """What two machines' things stand on; `same` are the clauses that were found to mean the same, with how."""

    pair: Pair
    apart: Apart
    same: Mapping[Key, str] = field(default_factory=dict)
    _stands: dict[Unit, tuple[Named, Named]] = field(default_factory=dict)
    _apart: dict[str, bool] = field(default_factory=dict)

    @staticmethod
    def of(pair: Pair) -> Reading:
        return Reading(pair, Apart(Standing(pair.a), Standing(pair.b)))

    @cached_property
    def _order(self) -> dict[Key, int]:
        return {key: number for number, key in enumerate({**self.apart.a.clauses, **self.apart.b.clauses})}

    def stands(self, unit: Unit) -> tuple[Named, Named]:
        """What it stands on in A and in B."""
        if unit not in self._stands:
            self._stands[unit] = (_on(self.apart.a, unit), _on(self.apart.b, unit))
        return self._stands[unit]

    def reads_apart(self, unit: Unit) -> bool:
        """Whether its own text differs, or what everything stands on."""
        if not self.apart.everything:
            return True
        if unit.kind != "instruction":
            return False
        if unit.name not in self._apart:
            one, other = (meaning(machine.instructions[unit.name], ASIDE) for machine in (self.pair.a, self.pair.b))
            self._apart[unit.name] = one != other
        return self._apart[unit.name]

    def differing(self, unit: Unit) -> tuple[Key, ...]:
        """The clauses that it stands on and that do not read the same, those in both machines first."""
        one, other = (each.clauses for each in self.stands(unit))
        found = (one & other & self.apart.differing) | (one ^ other)
        return tuple(sorted(found, key=lambda key: (key not in self.apart.differing, self._order.get(key, 0), key)))

    def through(self, unit: Unit) -> tuple[Key, ...]:
        """Those of them that are not known to mean the same."""
        return tuple(key for key in self.differing(unit) if key not in self.same)

    def how(self, unit: Unit) -> str:
        """What shows that a thing that differs through nothing is the same."""
        keys = (*self.differing(unit), *(self.apart.a.cut & self.stands(unit)[0].clauses))
        hows = [self.same[key] for key in keys]
        return next((how for how in ("solver", "terms") if how in hows), "text")

    def askable(self, units: Iterable[Unit]) -> Iterator[Unit]:
        """The functions that differ, that some of these stand on, and that can be asked about by themselves."""
        for kind, name in dict.fromkeys(key for unit in units for key in self.differing(unit)):
            if kind == "function" and all(name in machine.functions for machine in (self.pair.a, self.pair.b)):
                one, other = self.pair.a.functions[name], self.pair.b.functions[name]
                unit = Unit("function", name)
                alike = (one.parameters, one.result) == (other.parameters, other.result)
                if alike and not any(mentions_open(side, unit_of) for side, unit_of in self._both(unit)):
                    yield unit

    def accesses(self, units: Iterable[Unit]) -> list[Unit]:
        """The accesses that some of these make, where what accesses stand on differs; none where whose rights they have does."""
        memory = Unit("fetch", "fetch")
        if not self.through(memory) or ("acting", "") in self.apart.differing:
            return []
        found = dict.fromkeys(key for unit in units for key in sorted(self.stands(unit)[0].clauses) if key[0] == ACCESS)
        return [Unit(ACCESS, name) for _, name in found]

    def knowing(self, same: Mapping[Key, str]) -> Reading:
        """The same, where these clauses are known to mean the same; what accesses among them stand on does not matter then."""
        known = {**self.same, **same}
        for side in (self.apart.a, self.apart.b):
            side.cut = frozenset(key for key in known if key[0] == ACCESS)
        return Reading(self.pair, self.apart, known)

    def _both(self, unit: Unit) -> Iterator[tuple[Standing, Named]]:
        yield from zip((self.apart.a, self.apart.b), self.stands(unit), strict=True)

    def told(self, key: Key, row: DeltaRow | None) -> Clause:
        """A clause that things differ through, with what came of it where it was asked about."""
        clause = self.apart.told(key)
        return clause if row is None else replace(clause, status=row.status, witness=row.witness)


def _on(side: Standing, unit: Unit) -> Named:
    machine = side.machine
    match unit.kind:
        case "instruction":
            found = machine.instructions[unit.name]
            number = unit.fixed[0] if unit.fixed else (found.split[0], NO_CSR) if found.split else None
            return side.on(unit.name, picked=number)
        case "function":
            return side.on("", [("function", unit.name)])
        case "entry":
            return side.on("", [ENTRY, ("cause", unit.name)])
        case "interrupts":
            return side.on("", [ENTRY, ("interrupts", "")])
        case "access":
            return side.on("", [(ACCESS, unit.name)])
        case "fetch":
            return side.on("", [MEMORY])
        case "undecodable":
            return side.on("", [("otherwise", "")])
    return NOTHING


# -- asking about few --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Group:
    """Things under one clause, in the order in which they are asked about; so many were."""

    clause: Clause
    units: list[Unit]
    through: dict[Unit, tuple[str, ...]]
    asked: int = 0

    def next(self, rows: Mapping[Unit, DeltaRow], each: bool) -> list[Unit]:
        """Those to ask about now: one, then twice as many as before until one differs; all, if there are few.

        None after one that was not decided in time, while none differs: the others ask as much, and would take as long.
        """
        if self.asked and not each and (self.stuck(rows) is not None or (len(self.units) > FEW and self.shown(rows))):
            return []
        count = len(self.units) if each or self.shown(rows) else max(1, self.asked)
        chosen = self.units[self.asked : self.asked + count]
        self.asked += len(chosen)
        return chosen

    def shown(self, rows: Mapping[Unit, DeltaRow]) -> bool:
        """Whether one of them differs."""
        return any(rows[unit].status is Status.DIFFERENT for unit in self.units[: self.asked])

    def stuck(self, rows: Mapping[Unit, DeltaRow]) -> Unit | None:
        """One that was not decided, where none differs."""
        left = (unit for unit in self.units[: self.asked] if rows[unit].status is Status.UNKNOWN)
        return None if self.shown(rows) else next(left, None)

    def idle(self, rows: Mapping[Unit, DeltaRow]) -> bool:
        """Whether some were asked about, none differs, and there are more."""
        return 0 < self.asked < len(self.units) and not self.shown(rows)

    def without(self, known: Callable[[Unit], bool]) -> list[Unit]:
        """Takes out those not asked about yet that are `known`, and returns them."""
        left = self.units[self.asked :]
        gone = [unit for unit in left if known(unit)]
        self.units = [*self.units[: self.asked], *(unit for unit in left if unit not in gone)]
        return gone

    def rest(self, rows: Mapping[Unit, DeltaRow]) -> Iterator[tuple[Unit, DeltaRow]]:
        """The rows of those that were not asked about."""
        place, stuck = self.clause.a or self.clause.b, self.stuck(rows)
        status = Status.THROUGH if stuck is None else Status.UNKNOWN
        reason = f"through {self.clause.label}" + (f", {place}" if place else "")
        if stuck is not None:
            reason += f": not asked about, since {stuck.name} was not decided (--each asks)"
        for unit in self.units[self.asked :]:
            yield unit, DeltaRow(unit.kind, unit.name, unit.part, status, reason=reason, through=self.through[unit])


def groups(reading: Reading, through: Mapping[Unit, Sequence[Clause]]) -> list[Group]:
    """Units under the first of the clauses that each differs through; those that stand on least come first."""
    made: dict[str, Group] = {}
    for unit, clauses in sorted(through.items(), key=lambda pair: len(reading.stands(pair[0])[0].clauses)):
        group = made.setdefault(clauses[0].label, Group(clauses[0], [], {}))
        group.units.append(unit)
        group.through[unit] = tuple(clause.label for clause in clauses)
    return list(made.values())
