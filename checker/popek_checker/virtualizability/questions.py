"""The questions of Popek and Goldberg about one instruction, as constraints over copies of the machine.

Each question is a disjunction of `Ask`s: if one is satisfiable the answer is yes, and its model is the evidence.
The amended reading excludes all traps and lets host and guest hold different resource states (theory.md 1.4);
the literal reading (`literal.py`) follows every trap but those of memory through its entry, as the 1974 text does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Self

from popek_checker.virtualizability.copies import (
    Copy,
    copy,
    finished,
    holds,
    raised,
    resources_differ,
    resources_kept,
    start,
    visible_differ,
)
from popek_checker.virtualizability.executions import TWIN, Copies, Executions
from popek_checker.virtualizability.relocation import changed_outside, relocation, views_differ, with_view_memory
from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.state import ArrayValue, State
from popek_grammar.meaning.terms import Term

__all__ = ["TWIN", "Ask", "Copies", "Subject"]


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
        state = start(self.machine, self.modes[-1], "")
        return self.memory == "translated" and self.machine.placement is not None and relocation(self.machine, state) is not None

    def pair(self, first: int, second: int, moved: bool, suffix: str = "") -> tuple[Copy, Copy]:
        """Two copies whose views agree: same relocation, or one moved by any distance; `suffix` is that of the second one."""
        if not self.relocated:
            return self.copy(first), self.copy(second, TWIN if moved else "")
        one, other = start(self.machine, first, ""), start(self.machine, second, suffix)
        if moved:
            other = self._moved(one, other)
        one = with_view_memory(self.machine, one, "")
        other = with_view_memory(self.machine, other, TWIN)
        pair = (
            copy(self.machine, self.operands, one, "translated"),
            copy(self.machine, self.operands, other, "translated"),
        )
        return pair[0], replace(pair[1], facts=(*pair[1].facts, *self._shared_vectors(one, other)))

    def _moved(self, one: State, other: State) -> State:
        """`other` with its map fields placed from those of `one`: R and R (+) x."""
        placement = self.machine.placement
        assert placement is not None
        scalars = dict(other.scalars)
        for name, value in placed(self.machine, one).items():
            scalars[name] = value
        return State(scalars, other.arrays)

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
        host = self.host_copy
        yield Ask("runs", (self.label(self.host),), (host,), (host.ok,))

    def executable(self) -> Iterator[Ask]:
        """Not vacuous: somewhere the bare run completes and the deprivileged one does not."""
        host = self.host_copy
        for mode in self.bare:
            bare = self.copy(mode)
            yield Ask("executable", (self.label(mode), self.label(self.host)), (bare, host), (bare.ok, host.trap))

    def control(self, modes: tuple[int, ...]) -> Iterator[Ask]:
        """Completes and changes the resource state."""
        for mode in modes:
            one = self.copy(mode)
            yield Ask("control_sensitive", (self.label(mode),), (one,), (one.ok, self.changed(one)))

    def behaviour_mode(self) -> Iterator[Ask]:
        """Two modes, all else the same, different visible results."""
        for number, first in enumerate(self.modes):
            for second in self.modes[number + 1 :]:
                one, other = self.pair(first, second, moved=False)
                yield self._behaviour("mode", one, other, (self.label(first), self.label(second)))

    def behaviour_location(self, modes: tuple[int, ...]) -> Iterator[Ask]:
        """The same view elsewhere: other map state, the same mode."""
        for mode in modes:
            if self.relocated:
                one, other = self.pair(mode, mode, moved=True)
            else:
                one = self.copy(mode)
                other = self.elsewhere(mode)
            labels = (self.label(mode), f"{self.label(mode)} elsewhere")
            yield self._behaviour("location", one, other, labels)
            yield from self.outside("location", mode)

    def outside(self, question: str, mode: int) -> Iterator[Ask]:
        """Where memory is relocated: what lies outside the view is another's, and changes."""
        if self.relocated:
            one = self.copy(mode)
            changed = changed_outside(one.before, one.after, self.machine)
            yield Ask(question, (self.label(mode),), (one,), (one.ok, self.kept(one), changed))

    def behaviour_config(self, name: str, modes: tuple[int, ...]) -> Iterator[Ask]:
        """One control field (or input) differs."""
        for mode in modes:
            one, other = self.copy(mode), self.only_names(mode, (name,))
            labels = (self.label(mode), f"{self.label(mode)}, other {name}")
            yield self._behaviour(f"config:{name}", one, other, labels)

    def behaviour_settings(self, modes: tuple[int, ...]) -> Iterator[Ask]:
        """Several control fields (or inputs) differ together: what shows in a run that one field alone would have ended."""
        for mode in modes:
            one, other = self.copy(mode), self.only_names(mode, self.configuration)
            yield self._behaviour("config:*", one, other, (self.label(mode), f"{self.label(mode)}, other settings"))

    def joint(self, modes: tuple[int, ...]) -> Iterator[Ask]:
        """Mode, place and settings may all differ, as in 1974: no behaviour is sensitive where this is answered no."""
        for number, first in enumerate(modes):
            for second in modes[number:]:
                other = self.label(second) if first != second else f"{self.label(second)}, elsewhere"
                if self.relocated:
                    pair = self.pair(first, second, moved=True, suffix=TWIN)
                else:
                    pair = self.copy(first), self.all_apart(second)
                yield self._behaviour("joint", *pair, (self.label(first), f"{other}, other settings"))
            yield from self.outside("joint", first)

    def _behaviour(self, question: str, one: Copy, other: Copy, labels: tuple[str, ...]) -> Ask:
        if one.outcome is other.outcome:
            return Ask(question, labels, (one, other), (t.FALSE,))
        kept = (self.kept(one), self.kept(other))
        return Ask(question, labels, (one, other), (one.ok, other.ok, *kept, self.seen(one, other)))

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
            shown = (visible_differ(first, second, self.machine), resources_differ(first, second, self.machine))
            causes = (t.ne(left, right) for left, right in zip(raised(one), raised(other), strict=True))
            differ = t.or_(*causes, *shown)
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
            broken = t.or_(
                t.not_(bare.ok),
                self.changed_but_placed(bare, host),
                visible_differ(bare.after, host.after, self.machine, self._memories),
            )
            yield Ask(
                "exact",
                (self.label(mode), self.label(self.host)),
                (bare, host),
                (host.ok, t.or_(broken, self.memories_differ(bare, host))),
            )

    # -- relations between states ------------------------------------------------------------------------------------

    def changed(self, item: Copy) -> Term:
        """The resource state is not what it was."""
        return resources_differ(item.before, item.after, self.machine)

    def kept(self, item: Copy) -> Term:
        """The resource state is what it was, every element of it."""
        return resources_kept(item.before, item.after, self.machine)

    def seen(self, one: Copy, other: Copy) -> Term:
        """The visible results differ, memory compared through each one's view."""
        if not self.relocated:
            return visible_differ(one.after, other.after, self.machine)
        plain = visible_differ(one.after, other.after, self.machine, self._memories)
        return t.or_(plain, views_differ(one.after, other.after, one.before, other.before, self.machine))

    @property
    def _memories(self) -> tuple[str, ...]:
        return (self.machine.main_memory,) if self.relocated and self.machine.main_memory else ()

    def fingerprint(self) -> list[int]:
        """Digests of all that the answers depend on: the copies at every mode, the host's, and the relations between."""
        copies = [*(self.copy(mode) for mode in self.modes), self.host_copy]
        if self.relocated:
            copies += [*self.pair(self.host, self.modes[-1], moved=True), *self.related(self.host)]
        roots = [root for item in copies for root in (*self.roots(item), *item.facts, item.memory_trap, item.other_trap)]
        return [root.key for root in roots]

    # -- f: the guest inside the host ----------------------------------------------------------------------------------

    def related(self, mode: int) -> tuple[Copy, Copy]:
        """A guest at `mode` and the host state f of it, at the real mode, under H."""
        placement = self.machine.placement
        if not self.relocated or placement is None or placement.memory is None:
            return self.copy(mode), self.host_copy
        guest = start(self.machine, mode, "")
        where = [holds_with(self.machine, guest, condition) for condition in placement.where]
        host = self._moved(guest, start(self.machine, self.host, TWIN))
        guest, host = self._placed_memories(guest, host)
        bare = copy(self.machine, self.operands, guest, "translated")
        real = copy(self.machine, self.operands, host, "translated")
        facts = (*real.facts, *where, *(holds(self.machine, host, h) for h in self.invariant))
        return bare, replace(real, facts=facts)

    def _placed_memories(self, guest: State, host: State) -> tuple[State, State]:
        """Guest cell a is host cell base + a, for a below size; all else is each one's own."""
        name, base, size = self._memory_placement(guest)
        array = self.machine.arrays[name]

        def guest_base(index: Term) -> Term:
            own = t.apply(f"{name}.outside", array.width, (index,))
            return t.ite(t.ult(index, size), t.apply("guest", array.width, (index,)), own)

        def host_base(index: Term) -> Term:
            back = t.sub(index, base)
            own = t.apply(f"{name}.outside{TWIN}", array.width, (index,))
            return t.ite(t.ult(back, size), t.apply("guest", array.width, (back,)), own)

        return _with(guest, name, ArrayValue(array, guest_base)), _with(host, name, ArrayValue(array, host_base))

    def _memory_placement(self, guest: State) -> tuple[str, Term, Term]:
        placement = self.machine.placement
        assert placement is not None and placement.memory is not None
        name, base, size = placement.memory
        width = self.machine.arrays[name].index_width
        return name, *(t.resize(holds_with(self.machine, guest, e), width) for e in (base, size))  # type: ignore[return-value]

    def memories_differ(self, bare: Copy, host: Copy) -> Term:
        """Some host cell is not what f makes of the guest's memory, or lies outside and changed."""
        placement = self.machine.placement
        if not self.relocated or placement is None or placement.memory is None:
            return t.FALSE
        name, base, size = self._memory_placement(bare.before)
        place = t.var(f"at.{name}", self.machine.arrays[name].index_width)
        back = t.sub(place, base)
        expected = t.ite(t.ult(back, size), bare.after.arrays[name].read(back), host.before.arrays[name].read(place))
        return t.ne(host.after.arrays[name].read(place), expected)

    def changed_but_placed(self, bare: Copy, host: Copy) -> Term:
        """The guest's resource state changed in a way that f does not carry to the host, or the host's changed."""
        placement = self.machine.placement
        if not self.relocated or placement is None:
            return t.or_(self.changed(bare), self.changed(host))
        fields = tuple(name for name, _ in placement.host)
        expected = placed(self.machine, bare.after)
        carried = t.or_(*(t.ne(host.after.scalars[name], value) for name, value in expected.items()))
        return t.or_(
            carried,
            resources_differ(bare.before, bare.after, self.machine, fields),
            resources_differ(host.before, host.after, self.machine, fields),
        )


def _with(state: State, name: str, value: ArrayValue) -> State:
    return State(dict(state.scalars), {**state.arrays, name: value})


def placed(machine: m.Machine, guest: State) -> dict[str, Term]:
    """The host's map fields that f makes of a guest state."""
    placement = machine.placement
    assert placement is not None
    return {name: holds_with(machine, guest, expr) for name, expr in placement.host}


def holds_with(machine: m.Machine, state: State, expr: m.Expr) -> Term:
    """An expression of the placement, its parameters free constants."""
    from popek_grammar.meaning.evaluator import Run
    from popek_grammar.meaning.memory import Translated

    placement = machine.placement
    assert placement is not None
    run = Run(machine, state.copy(), Translated())
    run.env = {name: t.var(f"placement.{name}", width) for name, width in placement.parameters}
    return run.value(expr)


def vector_cells(machine: m.Machine, memory: str) -> list[Term]:
    """The constant addresses at which trap entry reads physical memory."""
    from popek_grammar.meaning.evaluator import Run
    from popek_grammar.meaning.memory import Translated
    from popek_grammar.meaning.traps import enter_stack

    cells: set[Term] = set()
    for stack in machine.trap_stacks.values():
        run = Run(machine, start(machine, None, ""), Translated())
        payload = {f"cause.{n}": t.const(0, w) for n, w in machine.causes.payload}
        code = {"cause.code": t.var("%code", machine.causes.code_width), "cause.interrupt": t.FALSE}
        run.special = {**payload, **code, "next_pc": run.state.scalars[machine.pc]}
        enter_stack(run, stack)
        roots = list(run.state.scalars.values())
        cells |= {leaf.args[0] for leaf in t.free(roots) if leaf.op == "apply" and leaf.name == memory and leaf.args[0].is_const}
    return sorted(cells, key=lambda cell: cell.value)
