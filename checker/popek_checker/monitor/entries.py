"""O3: what a trap of the host keeps is enough to have the guest's state back.

Two guests that differ only in what the entry overwrites never come to one state of the host. What the monitor knows is the same
of both: its own state, its constants, the cause and its payload, the length of the instruction. Stores of an entry go to the
host's own memory, each cell to its own place, but where f says which cells are the guest's. An instruction traps where no
interrupt is taken before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from popek_checker.monitor.proof import Answer
from popek_checker.monitor.sides import seen_by
from popek_checker.solver.smt import Smt, Status
from popek_checker.virtualizability.copies import holds, start
from popek_checker.virtualizability.embedding import Embedding
from popek_checker.virtualizability.questions import TWIN
from popek_checker.virtualizability.steps import first_of
from popek_checker.virtualizability.verdict import Truth
from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.evaluator import Run
from popek_grammar.meaning.memory import main_array
from popek_grammar.meaning.state import PC_WRITTEN, ArrayValue, State, legal
from popek_grammar.meaning.terms import Term
from popek_grammar.meaning.traps import deliverable, enter
from popek_grammar.meaning.views import View

OTHER = "'"
"""Suffix of what the second guest has of its own."""


class Own(View):
    """The monitor's own memory, in which an address is its own place, and nothing faults."""

    def reached(self, run: Run, page: Term, kind: str, acting: Term | None) -> tuple[Term, Term]:
        return t.FALSE, page

    def _left_out(self, run: Run, places: list[Term]) -> list[Term]:
        return []

    def _place(self, run: Run, cell: Term, frame: Term, page: int) -> Term:
        return t.resize(cell, main_array(run).index_width)


@dataclass(frozen=True, slots=True)
class Entry:
    """A guest, the host's state at f of it, and what the entry of a trap makes of that: where `reached`, under `facts`."""

    guest: State
    host: State
    after: State
    reached: Term
    facts: tuple[Term, ...]

    def above(self, machine: m.Machine, monitor: m.Monitor) -> Term:
        """It has led to a mode above the real one: the monitor's."""
        if machine.mode is None:
            return t.TRUE
        found, rank = self.after.scalars[machine.mode], machine.modes.rank
        codes = [code for _, code in machine.modes.members if rank(code) > rank(monitor.at)]
        return t.or_(*(t.eq(found, t.const(code, found.width)) for code in codes))


def entries(machine: m.Machine, monitor: m.Monitor, smt: Smt) -> Answer:
    """The obligation, over every cause and every mode that runs; with the causes of which it is not shown that the monitor, in a
    mode above the real one, is what they enter."""
    seen = seen_by(machine, monitor)
    lost: dict[str, list[str]] = {}
    unknown = list[str]()
    elsewhere: dict[str, None] = {}
    for cause in (cause.name for cause in machine.causes.members if machine.trap_stacks):
        for mode in monitor.runs:
            if _stays(seen, monitor, cause, mode, smt):
                elsewhere[cause] = None
            for piece, status in _lost(seen, monitor, cause, mode, smt):
                if status is Status.SAT:
                    pieces = lost.setdefault(f"entry({cause})", [])
                    pieces += [piece] if piece not in pieces else []
                elif status is Status.UNKNOWN:
                    unknown.append(f"entry({cause}): {piece}")
    found = Truth.NO if lost else Truth.UNKNOWN if unknown else Truth.YES
    told = [f"{name} overwrites {', '.join(pieces)} and does not save it" for name, pieces in lost.items()]
    whole = len(elsewhere) == len(machine.causes.members)
    by = "every trap" if whole else f"traps of {', '.join(elsewhere)}"
    said = f"taken for granted that what the monitor has set up (vectors, tables) leads {by} to a mode above"
    notes = (f"{said} {machine.modes.name(monitor.at)}",) if elsewhere else ()
    return Answer("entry", found, tuple(lost), "; ".join(told or unknown), notes)


def _stays(machine: m.Machine, monitor: m.Monitor, cause: str, mode: int, smt: Smt) -> bool:
    """Whether the trap may lead to a mode that is not above the real one, or it is not known that it does not."""
    f = Embedding(machine, monitor.placement, TWIN, monitor.memory == "translated")
    entry = entered(machine, monitor, f, cause, start(machine, mode, ""))
    return _status(smt, [*entry.facts, entry.reached, t.not_(entry.above(machine, monitor))]) is not Status.UNSAT


def _lost(machine: m.Machine, monitor: m.Monitor, cause: str, mode: int, smt: Smt) -> Iterator[tuple[str, Status]]:
    """The pieces of the guest's state that the entry overwrites, each with whether it may be lost."""
    f = Embedding(machine, monitor.placement, TWIN, monitor.memory == "translated")
    one = entered(machine, monitor, f, cause, start(machine, mode, ""))
    names, elements = overwritten(f, one)
    guest = one.guest.copy()
    for name in names:
        guest.scalars[name] = t.var(name + OTHER, guest.scalars[name].width)
    for name, indices in elements.items():
        for number, index in enumerate(indices):
            value = guest.arrays[name]
            guest.arrays[name] = _based(value, index, t.var(f"{name}{OTHER}{number}", value.array.width))
    other = entered(machine, monitor, f, cause, guest)
    facts = [*one.facts, *other.facts, one.reached, other.reached, _alike(f, one.after, other.after)]
    facts += [one.above(machine, monitor), other.above(machine, monitor)]
    differences = {name: t.ne(one.guest.scalars[name], guest.scalars[name]) for name in names}
    for name, indices in elements.items():
        left, right = one.guest.arrays[name], guest.arrays[name]
        differences[name] = t.or_(*(t.ne(left.read(at), right.read(at)) for at in indices))
    if _status(smt, [*facts, t.or_(*differences.values())]) is not Status.UNSAT:  # which of them?
        yield from ((name, _status(smt, [*facts, differ])) for name, differ in differences.items())
    yield from _memory(f, one, smt)


def _status(smt: Smt, facts: list[Term]) -> Status:
    return Status.UNSAT if t.and_(*facts) is t.FALSE else smt.check(facts, model=False).status


def entered(machine: m.Machine, monitor: m.Monitor, f: Embedding, cause: str, guest: State) -> Entry:
    """The entry of a trap from f of the guest, in the real mode."""
    own = start(machine, monitor.at, TWIN)
    scalars = {
        name: guest.scalars[name] if f.in_place(name) else value for name, value in own.scalars.items() if name != PC_WRITTEN
    }
    arrays = {name: guest.arrays[name] if f.in_place(name) else value for name, value in own.arrays.items()}
    own = State({**scalars, PC_WRITTEN: t.FALSE}, arrays)
    guest, host = f.memories(guest, f.host(guest, own))
    run, definition = Run(machine, host.copy(), Own()), machine.causes.find(cause)
    due = deliverable(Run(machine, host.copy(), Own()))
    taken = first_of(due, cause) if definition.interrupt else t.not_(t.or_(*(condition for condition, _ in due)))
    payload = [t.var(f"cause.{name}", width) for name, width in machine.causes.payload]
    pc = host.scalars[machine.pc]
    enter(run, cause, payload, t.add(pc, t.var("length", pc.width)))
    kept = (holds(machine, guest, expr) for invariant in premises(machine) for expr, _ in invariant.conjuncts)
    facts = (legal(machine, guest), legal(machine, host), *f.where(guest), *kept, *run.assumptions)
    return Entry(guest, host, run.state, t.and_(taken, run.prefix, run.path), facts)


def premises(machine: m.Machine) -> list[m.Invariant]:
    """What is taken to hold of the guest's state: the invariants that hold from reset on, which `popek check` proves."""
    plain = (kept for kept in machine.invariants.values() if not (kept.once or kept.about or kept.parameters))
    return [kept for kept in plain if kept.expect.kind == "holds"]


def overwritten(f: Embedding, entry: Entry) -> tuple[list[str], dict[str, list[Term]]]:
    """The guest's state that lies where the entry writes, in place or carried: scalars, and of arrays the elements, by index."""
    host, after = entry.host, entry.after
    scalars = [name for name in f.machine.scalars if after.scalars[name] is not host.scalars[name]]
    names = dict.fromkeys(name for name in scalars if f.in_place(name))
    elements: dict[str, list[Term]] = {}
    arrays = {name: after.arrays[name].writes[len(host.arrays[name].writes) :] for name in f.machine.arrays}
    for name, written in arrays.items():
        if f.in_place(name) and not f.machine.arrays[name].memory:
            elsewhere = [index for target, index in f.held if target == name]
            in_place = [w.index for w in written if not (w.index.is_const and w.index.value in elsewhere)]
            elements |= {name: in_place} if in_place else {}
    for (target, _), line in f.held.items():
        if target in scalars or arrays.get(target):
            for leaf in t.free([f.value(entry.guest, line.value)]):
                if leaf.op == "var" and leaf.name in f.carried and leaf.name in entry.guest.scalars:
                    names[leaf.name] = None
                elif leaf.op == "apply" and leaf.name in f.carried and leaf.name in entry.guest.arrays:
                    elements.setdefault(leaf.name, []).append(leaf.args[0])
    return list(names), elements


def _alike(f: Embedding, one: State, other: State) -> Term:
    """The monitor sees the same: every scalar, and of arrays all that either entry wrote."""
    same = [t.eq(one.scalars[name], other.scalars[name]) for name in f.machine.scalars]
    for name in f.machine.arrays:
        left, right = one.arrays[name], other.arrays[name]
        same += [t.eq(left.read(write.index), right.read(write.index)) for write in (*left.writes, *right.writes)]
    return t.and_(*same)


def _memory(f: Embedding, entry: Entry, smt: Smt) -> Iterator[tuple[str, Status]]:
    """Where f says which cells are the guest's: the entry writes none of them."""
    moved = f.moved(entry.guest)
    if moved is None:
        return
    name, base, size = moved
    before, after = entry.host.arrays[name], entry.after.arrays[name]
    hit = [t.and_(w.guard, t.ult(t.sub(w.index, base), size)) for w in after.writes[len(before.writes) :]]
    if hit:
        yield f"the guest's {name}", _status(smt, [*entry.facts, entry.reached, t.or_(*hit)])


def _based(value: ArrayValue, index: Term, element: Term) -> ArrayValue:
    """The array with another element at `index` from the start."""
    base = value.base
    return ArrayValue(value.array, lambda at: t.ite(t.eq(at, index), element, base(at)), value.writes)


def stores(machine: m.Machine, monitor: m.Monitor) -> bool:
    """Whether entries store to a memory of which f does not say what of it is the guest's."""
    name = machine.main_memory
    if name is None or not machine.trap_stacks or (monitor.memory == "translated" and monitor.placement.memory is not None):
        return False
    seen = seen_by(machine, monitor)
    f = Embedding(seen, monitor.placement, TWIN, False)
    guests = (start(seen, mode, "") for mode in monitor.runs)
    return any(entered(seen, monitor, f, machine.causes.members[0].name, guest).after.arrays[name].writes for guest in guests)
