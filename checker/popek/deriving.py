"""What a page needs of the solver beside the report: access by mode, and what becomes of a guest's instructions.

Both are cut into parts that workers take, and remembered as a report is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Final, TypeAlias, TypeVar

from popek.checking import Target
from popek_checker.explanation.access_modes import derived_access
from popek_checker.explanation.virtual import Case, Meeting, concerned, meetings, table
from popek_checker.solver.cache import remembered
from popek_checker.solver.keys import remembered_name
from popek_checker.solver.plain import Plain
from popek_checker.solver.sharing import Shared
from popek_checker.solver.smt import kept_solver
from popek_checker.virtualizability.check import main_claim
from popek_checker.virtualizability.decide import Item, items
from popek_checker.virtualizability.options import Options, Progress
from popek_checker.virtualizability.verdict import Claim, Report
from popek_grammar.machine import Machine

Access: TypeAlias = "dict[str, dict[str, str]]"
"""Instruction to mode to `always`, `never`, `depends` or `unknown`."""
ACCESS: Final = Plain(dict[str, dict[str, str]])
CASES: Final = Plain(list[Case])
Part = TypeVar("Part", bound="AccessPart | VirtualPart")
Found = TypeVar("Found")

CHUNK = 16
"""Instructions handed to a worker at a time."""


@dataclass(frozen=True, slots=True)
class Means:
    """With what to decide: processes, the cache, seconds for one question, and whom to tell how far it is."""

    pool: Executor | None
    caching: bool
    timeout: float
    tell: Progress

    def telling(self, tell: Progress) -> Means:
        """The same, telling somebody else."""
        return replace(self, tell=tell)


@dataclass(frozen=True, slots=True)
class AccessPart:
    """Instructions whose access is to be found."""

    machine: Shared[Machine]
    names: tuple[str, ...]
    timeout: float

    @property
    def last(self) -> str:
        return self.names[-1]


@dataclass(frozen=True, slots=True)
class VirtualPart:
    """Instructions, CSR by CSR, whose fates are to be found."""

    machine: Shared[Machine]
    claim: Claim
    sensitive: frozenset[str]
    work: tuple[Item, ...]
    timeout: float

    @property
    def last(self) -> str:
        return self.work[-1].instruction


def access(target: Target, means: Means) -> Access:
    """Access to every instruction by mode."""

    def derive() -> Access:
        machine = target.machine
        shared = Shared(machine)
        parts = [AccessPart(shared, names, means.timeout) for names in _chunks(tuple(machine.instructions))]
        return {name: by_mode for found in _spread(find_access, parts, means) for name, by_mode in found.items()}

    def whole(found: Access) -> bool:
        return all("unknown" not in by_mode.values() for by_mode in found.values())

    return remembered(ACCESS, _key("access", target, means), derive, whole) if means.caching else derive()


def virtual_cases(target: Target, report: Report, means: Means) -> list[Case]:
    """The table of trap-and-emulate under the claim of a report."""

    sensitive = concerned(report.rows)

    def derive() -> list[Case]:
        machine = target.machine
        shared = Shared(machine)
        work = tuple(item for item in items(machine) if not report.only or item.instruction in report.only)
        parts = [VirtualPart(shared, report.claim, sensitive, chunk, means.timeout) for chunk in _chunks(work)]
        return table(machine, report.claim, [each for met in _spread(find_fates, parts, means) for each in met])

    def whole(found: list[Case]) -> bool:
        return not any(case.open for case in found)

    key = _key(f"virtual {report.claim} {report.only} {sorted(sensitive)}", target, means)
    return remembered(CASES, key, derive, whole) if means.caching else derive()


def find_access(part: AccessPart) -> Access:
    """Runs in a worker."""
    smt = kept_solver(part.timeout)
    return {name: derived_access(part.machine.value, name, smt) for name in part.names}


def find_fates(part: VirtualPart) -> list[Meeting]:
    """Runs in a worker."""
    machine = part.machine.value
    _, invariant = main_claim(machine, Options(), list(machine.theorems.values()))
    return list(meetings(machine, part.claim, invariant, part.sensitive, part.work, kept_solver(part.timeout)))


def _spread(do: Callable[[Part], Found], parts: Sequence[Part], means: Means) -> Iterator[Found]:
    """What is found for each part, in order."""
    done = map(do, parts) if means.pool is None or len(parts) < 2 else means.pool.map(do, parts)
    for number, (part, found) in enumerate(zip(parts, done, strict=True), 1):
        means.tell(number, len(parts), part.last)
        yield found


def _chunks(work: tuple[Found, ...]) -> Iterable[tuple[Found, ...]]:
    return (work[at : at + CHUNK] for at in range(0, len(work), CHUNK))


def _key(what: str, target: Target, means: Means) -> str:
    return remembered_name(what.partition(" ")[0], f"{what} {target.key} {means.timeout}")
