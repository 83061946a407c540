"""The questions of Popek and Goldberg about one instruction, as constraints over copies of the machine.

Each question is a disjunction of `Ask`s: if one is satisfiable the answer is yes, and its model is the evidence.
The amended reading excludes all traps and lets host and guest hold different resource states (docs/theory.md 1.4);
the literal reading (`literal.py`) follows every trap but those of memory through its entry, as the 1974 text does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Self

from popek_checker.virtualizability.copies import (
    RESOURCE,
    Copy,
    copy,
    finished,
    named,
    raised,
    resources_differ,
    resources_kept,
    roles_differ,
    start,
    visible_differ,
)
from popek_checker.virtualizability.executions import TWIN, Copies, Executions
from popek_checker.virtualizability.relocation import changed_outside, relocation, views_differ, with_view_memory
from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.state import State
from popek_grammar.meaning.terms import Term

__all__ = ["TWIN", "Ask", "Copies", "Subject"]

_MAP = frozenset({m.Role.MAP})
_HELD = frozenset({*RESOURCE, m.Role.GUEST, m.Role.HIDDEN})
"""Whatever f may hold."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One way for a question to be answered yes. `copies` are the executions it speaks of, with their labels."""

    question: str
    labels: tuple[str, ...]
    copies: tuple[Copy, ...]
    constraints: tuple[Term, ...]


@dataclass(frozen=True)
class Subject(Executions):
    """One instruction under one claim, and what is asked of it."""

    @cached_property
    def relocated(self) -> bool:
        """Whether memory is reached by a relocation that the machine says how to move (`placement`)."""
        return self.f.moves and relocation(self.machine, start(self.machine, self.modes[-1], "")) is not None

    def moved(self, first: int, second: int, roles: frozenset[m.Role], suffix: str = TWIN) -> tuple[Copy, Copy]:
        """Two copies with the same view of memory, the second moved by the placement's distance: R and R (+) x.

        Of what f holds, only state of `roles` is; what of it is not, is that of `suffix` in the second.
        """
        one = start(self.machine, first, "")
        return self._viewing(one, self.f.host(one, start(self.machine, second, suffix), roles))

    def _viewing(self, one: State, other: State) -> tuple[Copy, Copy]:
        """The copies from two states, with memories that agree where both have them in view."""
        one, other = with_view_memory(self.machine, one, ""), with_view_memory(self.machine, other, TWIN)
        first, second = (copy(self.machine, self.operands, state, self.memory) for state in (one, other))
        return first, replace(second, facts=(*second.facts, *self._shared_vectors(one, other)))

    def _shared_vectors(self, one: State, other: State) -> list[Term]:
        """Fixed cells that trap entry reads are the same in both (Popek and Goldberg's footnote 4: E[1])."""
        name = self.machine.main_memory
        if name is None:
            return []
        return [t.eq(one.arrays[name].read(at), other.arrays[name].read(at)) for at in vector_cells(self.machine, name)]

    def at(self, mode: int) -> Self:
        """The same instruction where guest and host are both in `mode`."""
        return replace(self, modes=(mode,), host=mode)

    # -- the amended questions -----------------------------------------------------------------------------------------

    def ask(self, question: str) -> Iterator[Ask]:
        """All the ways for `question` to be answered yes; under H in every copy where that holds everywhere."""
        for ask in self._ways(question):
            yield replace(ask, copies=tuple(map(self.held, ask.copies))) if self.everywhere else ask

    def _ways(self, question: str) -> Iterator[Ask]:
        match question:
            case "runs":
                return self.runs()
            case "executable":
                return self.executable()
            case "control_sensitive":
                return self.control(self.modes)
            case "mode":
                return self.behaviour_mode()
            case "location":
                return self.behaviour_location(self.modes)
            case "trap_sensitive":
                return self.trap_sensitive(self.virtual)
            case "user_sensitive":
                return self.user()
            case "leaks":
                return self.leaks()
            case "inexact":
                return chain(self.inexact(self.virtual), *(self.at(mode).inexact((mode,)) for mode in self.below))
            case "inexact_user":
                return chain(self.inexact((self.host,)), *(self.at(mode).inexact((mode,)) for mode in self.below))
            case "joint":
                return self.joint(self.modes)
            case "config:*":
                return self.behaviour_settings(self.modes)
            case _ if question.startswith("config:"):
                return self.behaviour_config(question.removeprefix("config:"), self.modes)
        raise ValueError(question)

    def runs(self) -> Iterator[Ask]:
        """Not privileged: the deprivileged run completes in some state that H allows."""
        for mode in self.virtual if self.f.bends else self.modes[-1:]:
            _, host = self.related(mode)
            yield Ask("runs", (self.label(self.host),), (host,), (host.ok,))

    def executable(self) -> Iterator[Ask]:
        """Not vacuous: somewhere the bare run completes and the deprivileged one does not."""
        for mode in self.bare:
            bare, host = self.related(mode)
            yield Ask("executable", (self.label(mode), self.label(self.host)), (bare, host), (bare.ok, host.trap))

    def control(self, modes: tuple[int, ...]) -> Iterator[Ask]:
        """Completes and changes the resource state."""
        for mode in modes:
            one = self.copy(mode)
            yield Ask("control_sensitive", (self.label(mode),), (one,), (one.ok, self.changed(one)))

    def behaviour_mode(self) -> Iterator[Ask]:
        """Two modes, all else the same, different visible results.

        Where f holds state at what the guest's mode says, one of the two is the host's: no other pair is a guest and f of it.
        """
        for number, first in enumerate(self.modes):
            for second in self.modes[number + 1 :]:
                if not self.f.bends_beyond_maps:
                    one, other = self.same(first, second)
                    yield self._behaviour("mode", one, other, (self.label(first), self.label(second)))
                elif self.host in (first, second):
                    guest = second if first == self.host else first
                    one, other = self.embedded(guest, _HELD - _MAP if self.relocated else _HELD)
                    yield self._behaviour("mode", one, other, (self.label(guest), self.label(self.host)), embedded=True)

    def same(self, first: int, second: int) -> tuple[Copy, Copy]:
        """One state in two modes; of memory, what is in view."""
        if not self.relocated:
            return self.copy(first), self.copy(second)
        return self._viewing(start(self.machine, first, ""), start(self.machine, second, ""))

    def behaviour_location(self, modes: tuple[int, ...]) -> Iterator[Ask]:
        """The same view elsewhere: other map state, the same mode; in the real mode, wherever f has the guest's state."""
        held_map = any(self.f.speaks_of(name) for name in self.f.map)
        for mode in modes:
            labels = (self.label(mode), f"{self.label(mode)} elsewhere")
            placed = self.f.bends and mode == self.host
            if self.relocated:
                yield self._behaviour("location", *self.moved(mode, mode, _HELD if placed else _MAP, ""), labels, embedded=placed)
            elif placed or held_map:
                pair = self.embedded(mode, _HELD, {*self.f.map, *self.host_memories})
                yield self._behaviour("location", *pair, (labels[0], f"{self.label(self.host)} elsewhere"), embedded=True)
            else:
                yield self._behaviour("location", self.copy(mode), self.elsewhere(mode), labels)
            yield from self.outside("location", mode)

    def outside(self, question: str, mode: int) -> Iterator[Ask]:
        """Where memory is relocated: what lies outside the view is another's, and changes."""
        if self.relocated:
            one = self.copy(mode)
            changed = changed_outside(one.before, one.after, self.machine)
            yield Ask(question, (self.label(mode),), (one,), (one.ok, self.kept(one), changed))

    def behaviour_config(self, name: str, modes: tuple[int, ...]) -> Iterator[Ask]:
        """One control field (or input) differs: freely, or as f holds it."""
        for mode in modes:
            if self.f.speaks_of(name):
                labels = (self.label(mode), f"{self.label(self.host)}, {name} as held")
                yield self._behaviour(f"config:{name}", *self.embedded(mode, _HELD, {name}), labels, embedded=True)
            else:
                labels = (self.label(mode), f"{self.label(mode)}, other {name}")
                yield self._behaviour(f"config:{name}", self.copy(mode), self.only_names(mode, (name,)), labels)

    def behaviour_settings(self, modes: tuple[int, ...]) -> Iterator[Ask]:
        """Several control fields (or inputs) differ together: what shows in a run that one field alone would have ended."""
        for mode in modes:
            if any(self.f.speaks_of(name) for name in self.settings):
                pair, other = self.embedded(mode, _HELD, self.settings), f"{self.label(self.host)}, other settings"
                yield self._behaviour("config:*", *pair, (self.label(mode), other), embedded=True)
            else:
                pair = self.copy(mode), self.only_names(mode, self.settings)
                yield self._behaviour("config:*", *pair, (self.label(mode), f"{self.label(mode)}, other settings"))

    def joint(self, modes: tuple[int, ...]) -> Iterator[Ask]:
        """Mode, place and settings may all differ, as in 1974; one of the runs is in the real mode.

        Where f has state elsewhere, the pairs are a guest and f of it.
        """
        bent = self.f.bends_beyond_maps or (self.f.bends and not self.relocated)
        here = self.label(self.host)
        for mode in modes:
            if bent:
                own = {*named(self.machine, RESOURCE), *self.host_memories}
                pair = self.moved(mode, self.host, _HELD) if self.relocated else self.embedded(mode, _HELD, own)
                elsewhere = f"{here} as placed"
            else:
                pair = self.moved(mode, self.host, _MAP) if self.relocated else (self.copy(mode), self.all_apart(self.host))
                elsewhere = f"{here} elsewhere" if mode == self.host else here
            yield self._behaviour("joint", *pair, (self.label(mode), f"{elsewhere}, other settings"), embedded=bent)
            yield from self.outside("joint", mode)

    def _behaviour(self, question: str, one: Copy, other: Copy, labels: tuple[str, ...], embedded: bool = False) -> Ask:
        """Both complete and keep the resource state, and the visible results differ. `embedded`: the second is f of the first."""
        if one.outcome is other.outcome:
            return Ask(question, labels, (one, other), (t.FALSE,))
        kept = (self.kept(one), self.kept(other))
        return Ask(question, labels, (one, other), (one.ok, other.ok, *kept, self.seen(one, other, embedded)))

    def trap_sensitive(self, modes: tuple[int, ...]) -> Iterator[Ask]:
        """The deprivileged run completes where the bare one traps."""
        for mode in modes:
            bare, host = self.related(mode)
            labels = (self.label(mode), self.label(self.host))
            yield Ask("trap_sensitive", labels, (bare, host), (host.ok, t.not_(bare.ok)))

    def leaks(self) -> Iterator[Ask]:
        """Hidden state decides what comes of the instruction: completion, which trap, its payload, state not hidden."""
        for mode in self.modes:
            one, apart = self.copy(mode), self.hidden_apart(mode)
            if apart is None:
                continue
            one, other = self.held(one), self.held(apart)
            first, second = (finished(item, self.following(item)) for item in (one, other))
            shown = roles_differ(first, second, self.machine, (m.Role.GUEST, *RESOURCE))
            causes = (t.ne(left, right) for left, right in zip(raised(one), raised(other), strict=True))
            differ = t.or_(*causes, shown)
            yield Ask("leaks", (self.label(mode), f"{self.label(mode)}, other hidden state"), (one, other), (differ,))

    def user(self) -> Iterator[Ask]:
        """User sensitive: control sensitive, or sensitive to all else that differs, with both modes the real one.

        That a trap may be missed there is one more such difference (the amended reading's own).
        """
        here = (self.host,)
        yield from self.control(here)
        yield from self.joint(here)
        if self.host in self.virtual:
            yield from self.trap_sensitive(here)

    def inexact(self, modes: tuple[int, ...]) -> Iterator[Ask]:
        """A direct run that does not commute with f, or leaves its frame."""
        for mode in modes:
            bare, host = self.related(mode)
            broken = t.or_(t.not_(bare.ok), self.f.mismatch(bare, host))
            yield Ask("exact", (self.label(mode), self.label(self.host)), (bare, host), (host.ok, broken))

    # -- relations between states ------------------------------------------------------------------------------------

    def changed(self, item: Copy) -> Term:
        """The resource state is not what it was."""
        return resources_differ(item.before, item.after, self.machine)

    def kept(self, item: Copy) -> Term:
        """The resource state is what it was, every element of it."""
        return resources_kept(item.before, item.after, self.machine)

    def seen(self, one: Copy, other: Copy, embedded: bool = False) -> Term:
        """The visible results differ, memory compared through each one's view."""
        skip = (self.machine.main_memory,) if self.relocated and self.machine.main_memory else ()
        if embedded:
            plain = self.f.mismatch(one, other, visible_only=True)
        else:
            plain = visible_differ(one.after, other.after, self.machine, skip)
        return t.or_(plain, views_differ(one.after, other.after, one.before, other.before, self.machine)) if skip else plain

    def fingerprint(self) -> list[int]:
        """Digests of all that the answers depend on: the copies at every mode, the host's, and the relations between."""
        copies = [*(self.copy(mode) for mode in self.modes), self.host_copy]
        copies += [item for mode in self.below for item in (self.copy(mode), self.at(mode).host_copy)]
        if self.relocated:
            copies += [*self.moved(self.host, self.modes[-1], _MAP), *self.related(self.host)]
        roots = [root for item in copies for root in (*self.roots(item), *item.facts, item.memory_trap, item.other_trap)]
        return [root.key for root in roots]


def vector_cells(machine: m.Machine, memory: str) -> list[Term]:
    """The constant addresses at which trap entry reads physical memory."""
    from popek_grammar.meaning.evaluator import Run
    from popek_grammar.meaning.memory import Translated
    from popek_grammar.meaning.traps import enter_stack

    cells: set[Term] = set()
    for stack in machine.trap_stacks.values():
        run = Run(machine, start(machine, None, "").copy(), Translated())
        payload = {f"cause.{n}": t.const(0, w) for n, w in machine.causes.payload}
        code = {"cause.code": t.var("%code", machine.causes.code_width), "cause.interrupt": t.FALSE}
        run.special = {**payload, **code, "next_pc": run.state.scalars[machine.pc]}
        enter_stack(run, stack)
        roots = list(run.state.scalars.values())
        cells |= {leaf.args[0] for leaf in t.free(roots) if leaf.op == "apply" and leaf.name == memory and leaf.args[0].is_const}
    return sorted(cells, key=lambda cell: cell.value)
