"""The semantic difference of two machines: what both have is performed in both, from one state, and the ends compared.

Equal text means the same, and so do equal terms; the solver is asked of the rest. An instruction is first compared up to
the trap that it raises. Entry of traps is compared by itself, cause by cause, and again for the instructions that raise
a cause whose entry differs.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor

from popek_checker.difference.compare import Pair, between, instructions
from popek_checker.difference.declared import changes
from popek_checker.difference.delta import Change, Delta, Subject
from popek_checker.difference.work import Work
from popek_checker.solver.cache import Cache
from popek_checker.solver.sharing import Shared
from popek_checker.virtualizability.options import Progress
from popek_grammar import machine as m


def diff(
    a: m.Machine,
    b: m.Machine,
    wanted: Sequence[str] = (),
    timeout: float = 30.0,
    executor: Executor | None = None,
    progress: Progress = lambda done, total, name: None,
    each: bool = False,
    cache: Cache | None = None,
) -> Delta:
    """All that differs between two machines; with `wanted`, of these instructions alone.

    Of many things that differ through one clause few are asked about, but for `wanted` ones, or if `each` is to be.
    """
    start = time.perf_counter()
    pair = Pair(a, b)
    first, second = list(between(pair)), list(instructions(pair, wanted))
    store = str(cache.path) if cache is not None else None
    work = Work(pair, Shared((a, b)), timeout, store, executor, each or bool(wanted), len(first) + len(second), progress)
    work.begin([*first, *second])
    for stage in (first, second):
        work.stage(stage)
    shown = tuple(work.rows[unit] for unit in (second if wanted else [*first, *second]))
    told = tuple(_kept(changes(a, b), wanted))
    used = {label for row in shown for label in row.through}
    clauses = tuple(clause for label, clause in work.clauses.items() if label in used)
    return Delta(_subject(a), _subject(b), told, shown, assumptions(pair), time.perf_counter() - start, clauses)


def _kept(found: Iterable[Change], wanted: Sequence[str]) -> Iterator[Change]:
    """The changes to report: all, or those of the instructions asked for."""
    return (c for c in found if not wanted or (c.kind in ("instruction", "encoding") and c.name in wanted))


def _subject(machine: m.Machine) -> Subject:
    return Subject(machine.name, machine.config, machine.files[0] if machine.files else "")


def assumptions(pair: Pair) -> tuple[str, ...]:
    """What every answer takes for granted."""
    paged = any(tr.page_bits for machine in (pair.a, pair.b) for tr in machine.translations.values())
    return (
        "both machines start from one state, legal in both; state of one machine alone holds anything",
        *(("no access crosses a page of the smallest size",) if paged else ()),
        "open choices (`unspecified`, `choose`) are paired by position; where they decide, sets of results are compared",
    )
