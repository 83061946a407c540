"""A guest and f of it, side by side, for one instruction; what each obligation asks of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

from popek_checker.virtualizability.copies import Copy, fresh_index, is_resource
from popek_checker.virtualizability.decide import Item, item_operands
from popek_checker.virtualizability.embedding import Embedding, seen_through
from popek_checker.virtualizability.physical import with_physical
from popek_checker.virtualizability.questions import Ask, Subject
from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.terms import Term


def seen_by(machine: m.Machine, monitor: m.Monitor) -> m.Machine:
    """The machine as the questions about a monitor take it: with the host's memory, and what f lets through the guest's own."""
    return seen_through(with_physical(machine, monitor.memory), monitor.placement)


def subject_of(machine: m.Machine, monitor: m.Monitor, item: Item) -> Subject:
    """The instruction under the monitor's claim: the guest's modes are those that run, H is what f holds."""
    operands = item_operands(with_physical(machine, monitor.memory), item)
    return Subject(
        seen_by(machine, monitor), operands, monitor.runs, monitor.at, monitor.memory, (), placement=monitor.placement
    )  # fmt: skip


@dataclass(frozen=True)
class Sides:
    """The bare run in each mode that runs, and the run in the real mode from f of the same state."""

    subject: Subject

    @cached_property
    def pairs(self) -> tuple[tuple[int, Copy, Copy], ...]:
        """Mode, bare copy, host copy."""
        return tuple((mode, *self.subject.related(mode)) for mode in self.subject.modes)

    @property
    def never(self) -> bool:
        """Whether it shows in the terms that nothing completes, on either side."""
        return all(bare.ok is t.FALSE and host.ok is t.FALSE for _, bare, host in self.pairs)

    def ask(self, question: str) -> Iterator[Ask]:
        """The ways in which an obligation fails (or a question of `Handled` is answered yes)."""
        name, _, only = question.partition(":")
        for mode, bare, host in self.pairs:
            if name == "emulated" and self.subject.label(mode) != only:
                continue
            labels = (f"guest in {self.subject.label(mode)}", f"host in {self.subject.label(self.subject.host)}")
            yield Ask(question, labels, (bare, host), self._broken(name, bare, host))

    def _broken(self, name: str, bare: Copy, host: Copy) -> tuple[Term, ...]:
        f = self.subject.f
        match name:
            case "runs":
                return (host.ok,)
            case "direct":
                if t.and_(host.ok, bare.ok) is t.FALSE:
                    return (t.FALSE,)
                outside = (t.not_(condition) for condition in f.where(bare.after))
                return host.ok, bare.ok, t.or_(f.mismatch(bare, host), *outside)
            case "reflect":
                return (host.ok, t.not_(bare.ok))
            case "frame":
                return (host.ok, disturbed(f, bare, host)) if host.ok is not t.FALSE else (t.FALSE,)
            case "emulated":
                return (bare.ok, host.other_trap)
        raise ValueError(name)

    def sensitivities(self) -> Iterator[Ask]:
        """Every way in which the instruction is sensitive in the modes that run, traps apart: what has one does not trap in vain.

        It is of the guest's own machine: f matters where it says how memory is relocated, as in 1974, and not else.
        """
        subject, modes = self.subject, self.subject.modes
        if not subject.relocated:
            subject = replace(subject, placement=None, copies={})
        return chain(
            subject.control(modes), subject.behaviour_mode(), subject.behaviour_settings(modes),
            subject.behaviour_location(modes), subject.joint(modes),
        )  # fmt: skip


def disturbed(f: Embedding, bare: Copy, host: Copy) -> Term:
    """Something of the host's own has changed: state that does not follow the guest's, memory outside the guest."""
    return t.or_(*_disturbed(f, bare, host))


def _disturbed(f: Embedding, bare: Copy, host: Copy) -> Iterator[Term]:
    machine, moved = f.machine, f.moved(bare.before)
    for name, scalar in machine.scalars.items():
        if _own(f, scalar) and not follows(f, bare, name, None):
            yield t.ne(host.after.scalars[name], host.before.scalars[name])
    for name, array in machine.arrays.items():
        before, after = host.before.arrays[name], host.after.arrays[name]
        at = fresh_index(array)
        if moved is not None and name == moved[0]:
            _, base, size = moved
            yield t.and_(t.not_(t.ult(t.sub(at, base), size)), t.ne(after.read(at), before.read(at)))
        elif _own(f, array) and len(after.writes) > len(before.writes):
            followed = [index for target, index in f.held if target == name and follows(f, bare, name, index)]
            others = (t.ne(at, t.const(index, at.width)) for index in followed if index is not None)
            yield t.and_(*others, t.ne(after.read(at), before.read(at)))


def _own(f: Embedding, piece: m.Scalar | m.Array) -> bool:
    return is_resource(piece.role) or piece.name in f.apart


def follows(f: Embedding, bare: Copy, name: str, index: int | None) -> bool:
    """Whether the host has this piece at an expression that depends on the guest's state: what becomes of it is `direct`'s."""
    line = f.held.get((name, index))
    if line is None:
        return False
    return any(not leaf.name.startswith("placement.") for leaf in t.free([f.value(bare.before, line.value)]))
