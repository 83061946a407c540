"""Proves a monitor: each obligation over all states of the guest, then what its author expects."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from popek_checker.monitor import granted
from popek_checker.monitor.calls import call
from popek_checker.monitor.deciding import decide_all
from popek_checker.monitor.entries import entries
from popek_checker.monitor.first import first_state
from popek_checker.monitor.proof import OBLIGATIONS, OF_ROWS, REFUTING, Answer, Handled, Proof
from popek_checker.solver.cache import Cache
from popek_checker.solver.smt import kept_solver
from popek_checker.virtualizability.decide import items
from popek_checker.virtualizability.granted import f_said
from popek_checker.virtualizability.options import Progress
from popek_checker.virtualizability.theorems import Compared, compared, named
from popek_checker.virtualizability.verdict import Row, Truth, conjunction
from popek_grammar import machine as m
from popek_grammar.elaborate.monitors import OTHERS


@dataclass(frozen=True, slots=True)
class Asked:
    """What to prove: of these instructions, these obligations; empty: all. `timeout` is for one question, in seconds."""

    instructions: tuple[str, ...] = ()
    obligations: tuple[str, ...] = ()
    timeout: float = 30.0

    def wants(self, name: str) -> bool:
        return not self.obligations or name in self.obligations


def prove(
    machine: m.Machine,
    name: str,
    asked: Asked,
    executor: Executor | None = None,
    cache: Cache | None = None,
    progress: Progress = lambda done, total, name: None,
) -> Proof:
    """The proof of the monitor of that name."""
    start, monitor = time.perf_counter(), machine.monitors[name]
    work = [item for item in items(machine) if not asked.instructions or item.instruction in asked.instructions]
    direct = [item for item in work if not monitor.replaced_by(item.instruction, item.part)]
    wanted = frozenset(each for each in (*OF_ROWS, "efficient") if asked.wants(each))
    decided, cached = decide_all(machine, monitor, direct if wanted else [], wanted, asked.timeout, executor, cache, progress)
    known = dict(zip((item.label for item in direct), decided, strict=False))
    rows = tuple(
        Handled(known.get(item.label, Row(item.instruction, item.part, ())), monitor.replaced_by(item.instruction, item.part))
        for item in work
        if wanted
    )
    answers = tuple(_answers(machine, monitor, asked, rows))
    found = _judged(monitor, asked, answers)
    said = granted.claim_of(machine, monitor)
    word = machine.modes.name
    return Proof(
        name, machine.name, machine.setting, monitor.doc, tuple(map(word, reversed(monitor.runs))), word(monitor.at),
        tuple(map(word, reversed(monitor.interprets))), monitor.memory, rows, answers, f_said(*said), _held(monitor),
        granted.assumptions(machine, monitor), granted.exclusions(machine, monitor), _expected(monitor.expect), found.as_expected,
        found.difference, (monitor.span.file, monitor.span.line, monitor.span.column), asked.instructions, asked.obligations,
        time.perf_counter() - start, cached,
    )  # fmt: skip


def _held(monitor: m.Monitor) -> tuple[str, ...]:
    """H: the lines that keep something in the host at a value or at an expression of the guest's."""
    return tuple(line for line in monitor.placement.lines if line.startswith(("host ", "bank ")))


def _answers(machine: m.Machine, monitor: m.Monitor, asked: Asked, rows: Sequence[Handled]) -> Iterator[Answer]:
    smt = kept_solver(asked.timeout)
    found: list[Answer] = []
    for name in OBLIGATIONS:
        if not asked.wants(name):
            continue
        match name:
            case "first":
                found.append(first_state(machine, monitor, smt))
            case "entry":
                found.append(entries(machine, monitor, smt))
            case "call":
                found += [call(machine, monitor, smt)] if monitor.replaced else []
            case "recursive":
                found.append(_recursive(machine, monitor, found))
            case _:
                found.append(_of_rows(name, rows))
    yield from found


def _of_rows(name: str, rows: Sequence[Handled]) -> Answer:
    """An obligation of single instructions: met by all that run as they are, or refuted by those that do not meet it."""
    mine = [row for row in rows if not row.replaced]
    guilty = {row.label for row in mine if row.row.truth(name) is Truth.NO}
    open_ = [f"{row.label}: {f.reason}" for row in mine for f in row.open if f.question in (name, "runs")]
    truth = Truth.NO if guilty else conjunction(row.row.truth(name) for row in mine)
    shown = next((f.witness for row in mine for f in row.row.findings if f.question == name and f.witness is not None), None)
    reason = "; ".join(open_[:3]) if truth is Truth.UNKNOWN else ""
    return Answer(name, truth, tuple(sorted(guilty)), reason, witness=shown)


def _recursive(machine: m.Machine, monitor: m.Monitor, found: Sequence[Answer]) -> Answer:
    """Theorem 2: the proof holds, and the guest's machine has all that the monitor itself runs on."""
    lacking = [name for name, code in machine.modes.members if code not in monitor.modes]
    if lacking:
        told = f"the guest's machine has no mode {', '.join(lacking)}, which the host's has"
        return Answer("recursive", Truth.NO, reason=told)
    others = [answer.truth for answer in found if answer.name in REFUTING]
    notes: tuple[str, ...] = ("the monitor must not depend on time, and as a guest it has less memory than its host",)
    if any(replaced.how == "hypercall" for replaced in monitor.replaced):
        notes = (*notes, "as a guest it must be modified as its guests are")
    holds = conjunction(others)
    return Answer(
        "recursive", holds, reason="it is refuted" if holds is Truth.NO else "", notes=notes if holds is Truth.YES else ()
    )


# -- what the author expects -------------------------------------------------------------------------------------------------


def _expected(expect: m.Expectation) -> str:
    names = f" {{{', '.join(expect.names)}}}" if expect.names else ""
    return f"refuted{names}" if expect.kind == "fails" else "proved"


def _of_asked(expect: m.Expectation, asked: Asked, guilty: set[str]) -> m.Expectation:
    """Of some obligations only: whatever of the names expected does not show in them may show in others."""
    if not asked.obligations or not expect.names:
        return expect
    names = tuple(name for name in expect.names if name in named(guilty, expect.names))
    return replace(expect, names=names) if names else m.Expectation("holds", ())


def _judged(monitor: m.Monitor, asked: Asked, answers: Sequence[Answer]) -> Compared:
    """What refutes the monitor, by label or as `first`, `entry(CAUSE)`, against what its author expects."""
    guilty, unknown = set[str](), set[str]()
    ways: dict[str, set[str]] = {}
    for answer in answers:
        if answer.name not in REFUTING:
            continue
        names = answer.names or ((answer.name,) if answer.truth is not Truth.YES else ())
        if answer.truth is Truth.UNKNOWN:
            unknown |= set(names)
        guilty |= set(names) if answer.truth is Truth.NO else set()
        for name in named(set(names), monitor.expect.names) if answer.truth is Truth.NO else ():
            ways.setdefault(name, set()).add(answer.name)
    found = compared(
        _of_asked(monitor.expect, asked, guilty), guilty, unknown, (*asked.instructions, *OTHERS) if asked.instructions else ()
    )
    wrong = [
        f"{name}: {' + '.join(sorted(ways[name]))}, not {' + '.join(said)}"
        for name, said in monitor.expect.kinds
        if name in ways and not asked.obligations and ways[name] != set(said)
    ]
    if not wrong:
        return found
    return replace(found, as_expected=Truth.NO, difference="; ".join([*([found.difference] if found.difference else []), *wrong]))
