"""O1: the guest's first state has its place on the host, every later one has, and nothing is shown of an empty set of states."""

from __future__ import annotations

from collections.abc import Iterator

from popek_checker.monitor.proof import Answer
from popek_checker.monitor.sides import seen_by
from popek_checker.solver.smt import Smt, Status
from popek_checker.virtualizability.assumed import conflict, never, ruled_fields, unchanging
from popek_checker.virtualizability.copies import start
from popek_checker.virtualizability.embedding import Embedding
from popek_checker.virtualizability.questions import TWIN
from popek_checker.virtualizability.verdict import Truth
from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.state import State, legal, within
from popek_grammar.meaning.terms import Term


def first_state(machine: m.Machine, monitor: m.Monitor, smt: Smt) -> Answer:
    """The obligation, with what the monitor sets other than reset does, where f wants it so."""
    seen = seen_by(machine, monitor)
    f = Embedding(seen, monitor.placement, TWIN, monitor.memory == "translated")
    broken, open_ = list[str](), list[str]()
    for truth, why in _checks(seen, monitor, f, smt):
        if truth is not Truth.YES:
            (broken if truth is Truth.NO else open_).append(why)
    notes = () if broken else tuple(_begun(seen, monitor, f, smt, broken, open_))
    found = Truth.NO if broken else Truth.UNKNOWN if open_ else Truth.YES
    return Answer("first", found, reason="; ".join((*broken, *open_)), notes=notes)


def _checks(machine: m.Machine, monitor: m.Monitor, f: Embedding, smt: Smt) -> Iterator[tuple[Truth, str]]:
    """What must hold of f whatever the guest's state is: each with what is wrong where it does not."""
    for mode in monitor.runs:
        guest, host = _sides(machine, monitor, f, start(machine, mode, ""))
        said, facts = list(f.where(guest)), [legal(machine, guest), legal(machine, host)]
        if smt.check([*facts, *said], model=False).status is Status.UNSAT:
            place = conflict(smt, t.and_(*facts), said)
            at = f" (line {monitor.placement.where_at[place].line})" if place is not None and said else ""
            yield Truth.NO, f"no guest in mode {machine.modes.name(mode)} satisfies the conditions of f{at}"
        for name in sorted({target for target, index in f.held if index is None}):
            outside = t.not_(within(host.scalars[name], machine.scalars[name]))
            facts = [legal(machine, guest), *said, outside]
            yield _none(smt, facts), f"{name} is held at a value that it cannot have"
        yield from _fits(machine, f, guest, said, smt)
    state = start(machine, monitor.at, "")
    lines = [line for line in f.held.values() if line.index is None and isinstance(line.value, m.Literal)]
    held = [t.eq(state.scalars[line.target], f.value(state, line.value)) for line in lines]
    fixed = unchanging(machine)
    place = never(smt, machine, state, held, {n: fixed[n] for n in fixed if n in ruled_fields(machine)}) if held else None
    if place is not None:
        yield Truth.NO, f"{lines[place].place} keeps its value from reset on, which is another: no write rule changes it"


def _none(smt: Smt, facts: list[Term]) -> Truth:
    """That no state satisfies these."""
    if t.and_(*facts) is t.FALSE:
        return Truth.YES
    status = smt.check(facts, model=False).status
    return {Status.UNSAT: Truth.YES, Status.SAT: Truth.NO}.get(status, Truth.UNKNOWN)


def _sides(machine: m.Machine, monitor: m.Monitor, f: Embedding, guest: State) -> tuple[State, State]:
    return guest, f.host(guest, start(machine, monitor.at, TWIN))


def _fits(machine: m.Machine, f: Embedding, guest: State, said: list[Term], smt: Smt) -> Iterator[tuple[Truth, str]]:
    """The guest's memory lies in the host's, whole."""
    moved = f.moved(guest)
    if moved is None:
        return
    name, base, size = moved
    wide = base.width + 1
    end = t.add(t.zext(base, wide), t.zext(size, wide))
    beyond = t.ult(t.const(machine.arrays[name].count, wide), end)
    yield _none(smt, [legal(machine, guest), *said, beyond]), f"the guest's memory does not fit in {name}"


def _begun(
    machine: m.Machine, monitor: m.Monitor, f: Embedding, smt: Smt, broken: list[str], open_: list[str]
) -> Iterator[str]:  # fmt: skip
    """Reset, in the guest's first mode; where f refuses it, with the pieces that its conditions speak of as they want them."""
    mode = monitor.begins(machine.modes, machine.scalars[machine.mode].reset if machine.mode is not None else None)
    free = start(machine, mode, "")
    reset = free.copy()
    for name, scalar in machine.scalars.items():
        if scalar.reset is not None and name != machine.mode:
            reset.scalars[name] = t.const(scalar.reset, scalar.width)
    if _possible(machine, monitor, f, reset, smt) is Status.SAT:
        return
    spoken = sorted({leaf.name for leaf in t.free(f.where(free))} & set(machine.scalars))
    for name in spoken:
        reset.scalars[name] = free.scalars[name]
    match _possible(machine, monitor, f, reset, smt):
        case Status.SAT:
            values = ", ".join(f"{name} = {machine.scalars[name].reset}" for name in spoken)
            yield f"the guest begins with {', '.join(spoken)} within the conditions of f, where reset says {values}"
        case Status.UNSAT:
            broken.append("what reset makes of the guest has no place on the host")
        case _:
            open_.append("whether what reset makes of the guest has a place on the host")


def _possible(machine: m.Machine, monitor: m.Monitor, f: Embedding, guest: State, smt: Smt) -> Status:
    _, host = _sides(machine, monitor, f, guest)
    return smt.check([legal(machine, guest), legal(machine, host), *f.where(guest)], model=False).status
