"""Whether a cache that knows a machine answers for an edit of it as a run without a cache does."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from popek_checker.mutation.edits import Edit, edits
from popek_checker.solver.cache import Cache
from popek_checker.solver.smt import kept_solver
from popek_checker.virtualizability.check import Asked, decide_all, main_claim, settled
from popek_checker.virtualizability.decide import EVERYTHING, Item, items
from popek_checker.virtualizability.options import Options
from popek_checker.virtualizability.verdict import Row
from popek_grammar import machine as m

TIMEOUT = 1.0
"""Seconds for one question: what an edit makes hard is not waited for."""


@dataclass(frozen=True, slots=True)
class Trial:
    """An edit, and the rows of some instructions: of the machine as it was, of the edit with its cache, and without one.

    All three are empty where the edit makes no machine whose instructions can be performed.
    """

    edit: Edit
    before: tuple[Row, ...] = ()
    cached: tuple[Row, ...] = ()
    fresh: tuple[Row, ...] = ()

    @property
    def stale(self) -> bool:
        """Whether a row that both decided in time is another with the cache than without."""
        pairs = zip(self.cached, self.fresh, strict=True)
        return any(one != other for one, other in pairs if settled(one) and settled(other))

    @property
    def changed(self) -> bool:
        """Whether any answer is another than before."""
        return self.fresh != self.before


def sampled(machine: m.Machine, seed: int, each: int) -> Iterator[Edit]:
    """So many edits of each kind, by chance."""
    by_kind: dict[str, list[Edit]] = defaultdict(list)
    for edit in edits(machine):
        by_kind[edit.kind].append(edit)
    chance = random.Random(seed)
    for found in by_kind.values():
        yield from chance.sample(found, min(each, len(found)))


def trial(machine: m.Machine, edit: Edit, cache: Path, seed: int, most: int) -> Trial:
    """The edit tried on at most so many instructions: the edited one, if it is one, and others by chance."""
    edited = edit.made(machine)
    work = _work(machine, edit, random.Random(seed), most)
    try:
        fresh = rows(edited, work, None)
    except Exception:  # an edit may make nonsense, on which anything may be raised
        return Trial(edit)
    before = rows(machine, work, cache)
    return Trial(edit, before, rows(edited, work, cache), fresh)


def _work(machine: m.Machine, edit: Edit, chance: random.Random, most: int) -> list[Item]:
    by_name: dict[str, list[Item]] = defaultdict(list)
    for item in items(machine):
        by_name[item.instruction].append(item)
    names = chance.sample(list(by_name), min(most, len(by_name)))
    if edit.path[0] == "instructions":
        names = [str(edit.path[1]), *names[1:]]
    return [chance.choice(by_name[name]) for name in names]


def rows(machine: m.Machine, work: Sequence[Item], cache: Path | None) -> tuple[Row, ...]:
    """Rows under the main claim, in full, and in each memory that theorems speak of; by a solver that knows nothing yet."""
    kept_solver.cache_clear()
    main, invariant = main_claim(machine, Options(), list(machine.theorems.values()))
    claims = {main: Asked(invariant, EVERYTHING)}
    for theorem in machine.theorems.values():
        claims.setdefault(replace(main, memory=theorem.memory), Asked(invariant, frozenset({"theorem1"})))
    store = Cache(cache) if cache is not None else None
    found, _ = decide_all(machine, claims, work, TIMEOUT, None, store, lambda done, total, name: None)
    return tuple(_timeless(row) for some in found.values() for row in some)


def _timeless(row: Row) -> Row:
    return replace(row, findings=tuple(replace(finding, seconds=0.0) for finding in row.findings))
