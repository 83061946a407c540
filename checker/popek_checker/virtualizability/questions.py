"""The questions of Popek and Goldberg about one instruction, as constraints over copies of the machine.

Each question is a disjunction of `Ask`s: if one is satisfiable the answer is yes, and its model is the evidence.
The amended reading excludes all traps and lets host and guest hold different resource states (docs/theory.md 1.4);
the literal reading excludes memory traps only and follows every other trap through its entry (the 1974 text).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeAlias

from popek_checker.virtualizability.copies import (
    Copy,
    copy,
    finished,
    holds,
    pieces,
    relocation,
    resources_differ,
    start,
    views_differ,
    visible_differ,
    with_view_memory,
)
from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.instruction import Operands
from popek_grammar.meaning.state import ArrayValue, State
from popek_grammar.meaning.terms import Term

TWIN = "~"
"""Suffix of the second copy's resource state."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One way for a question to be answered yes. `copies` are the executions it speaks of, with their labels."""

    question: str
    labels: tuple[str, ...]
    copies: tuple[Copy, ...]
    constraints: tuple[Term, ...]


Copies: TypeAlias = dict[tuple[int, str, str], Copy]
"""Executions of one instruction by mode, suffix and memory model; terms are hash-consed, so claims can share them."""


@dataclass(frozen=True)
class Subject:
    """One instruction under one claim: `guest` modes (least privileged first), the real mode `host`, invariant H."""

    machine: m.Machine
    operands: Operands
    modes: tuple[int, ...]
    host: int
    memory: str
    invariant: tuple[m.Expr, ...]
    copies: Copies = field(default_factory=dict)
    alone: bool = False

    # -- copies ------------------------------------------------------------------------------------------------------

    def copy(self, mode: int, suffix: str = "") -> Copy:
        """The instruction at `mode`; kept, since many questions ask of the same copies."""
        key = (mode, suffix, self.memory)
        if key not in self.copies:
            self.copies[key] = copy(self.machine, self.operands, start(self.machine, mode, suffix), self.memory)
        return self.copies[key]

    @cached_property
    def host_copy(self) -> Copy:
        """The deprivileged run: real mode, its own resource state, under H."""
        made = self.copy(self.host, TWIN)
        return replace(made, facts=(*made.facts, *(holds(self.machine, made.before, h) for h in self.invariant)))

    @cached_property
    def relocated(self) -> bool:
        """Whether memory is reached by a relocation that the machine says how to move (`placement`)."""
        state = start(self.machine, self.modes[-1], "")
        return self.memory == "translated" and self.machine.placement is not None and relocation(self.machine, state) is not None

    def pair(self, first: int, second: int, moved: bool) -> tuple[Copy, Copy]:
        """Two copies whose views agree: same relocation, or one moved by an arbitrary distance."""
        if not self.relocated:
            return self.copy(first), self.copy(second, TWIN if moved else "")
        one, other = start(self.machine, first, ""), start(self.machine, second, "")
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

    def following(self, item: Copy) -> Term:
        return t.add(item.before.scalars[self.machine.pc], self.operands.cells)

    def label(self, mode: int) -> str:
        return self.machine.modes.name(mode)

    @property
    def bare(self) -> tuple[int, ...]:
        """The guest's modes above the real one; the real one, under settings of its own, when there is no other."""
        return tuple(mode for mode in self.modes if mode != self.host) or self.modes

    @property
    def virtual(self) -> tuple[int, ...]:
        """The modes that the guest's own machine has."""
        return self.bare if self.alone else self.modes

    # -- the amended questions -----------------------------------------------------------------------------------------

    def ask(self, question: str) -> Iterator[Ask]:
        """All the ways for `question` to be answered yes."""
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
                return self.inexact(self.virtual)
            case "inexact_user":
                return self.inexact((self.host,))
            case _ if question.startswith("config:"):
                return self.behaviour_config(question.removeprefix("config:"), self.modes)
        raise ValueError(question)

    def runs(self) -> Iterator[Ask]:
        """Not privileged: the deprivileged run completes in some state that H allows."""
        host = self.host_copy
        yield Ask("runs", (self.label(self.host),), (host,), (host.ok,))

    def executable(self) -> Iterator[Ask]:
        """Not vacuous: somewhere the bare run completes and the deprivileged one traps, not by memory."""
        host = self.host_copy
        for mode in self.bare:
            bare = self.copy(mode)
            yield Ask("executable", (self.label(mode), self.label(self.host)), (bare, host), (bare.ok, host.other_trap))

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
                other = self._only_roles(mode, (m.Role.MAP,))
            labels = (self.label(mode), f"{self.label(mode)} elsewhere")
            yield self._behaviour("location", one, other, labels)

    def behaviour_config(self, name: str, modes: tuple[int, ...]) -> Iterator[Ask]:
        """One control field (or input) differs."""
        for mode in modes:
            one, other = self.copy(mode), self._only_names(mode, (name,))
            labels = (self.label(mode), f"{self.label(mode)}, other {name}")
            yield self._behaviour(f"config:{name}", one, other, labels)

    def _behaviour(self, question: str, one: Copy, other: Copy, labels: tuple[str, ...]) -> Ask:
        if one.outcome is other.outcome:
            return Ask(question, labels, (one, other), (t.FALSE,))
        kept = (t.not_(self.changed(one)), t.not_(self.changed(other)))
        return Ask(question, labels, (one, other), (one.ok, other.ok, *kept, self.seen(one, other)))

    def trap_sensitive(self, modes: tuple[int, ...]) -> Iterator[Ask]:
        """The deprivileged run completes where the bare one traps."""
        for mode in modes:
            bare, host = self.related(mode)
            labels = (self.label(mode), self.label(self.host))
            yield Ask("trap_sensitive", labels, (bare, host), (host.ok, t.not_(bare.ok)))

    def leaks(self) -> Iterator[Ask]:
        """Hidden state decides what comes of the instruction: completion, trap, or any state that is not hidden."""
        for mode in self.modes:
            one, other = self.copy(mode), self._only_roles(mode, (m.Role.HIDDEN,))
            if one is other:
                continue
            first, second = (finished(item, self.following(item)) for item in (one, other))
            shown = (visible_differ(first, second, self.machine), resources_differ(first, second, self.machine))
            apart = t.or_(t.ne(one.ok, other.ok), t.ne(one.memory_trap, other.memory_trap), *shown)
            yield Ask("leaks", (self.label(mode), f"{self.label(mode)}, other hidden state"), (one, other), (apart,))

    def user(self) -> Iterator[Ask]:
        """User sensitive: control sensitive, or sensitive to location or configuration, with both modes the real one."""
        here = (self.host,)
        yield from self.control(here)
        yield from self.behaviour_location(here)
        for name in self.configuration:
            yield from self.behaviour_config(name, here)

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

    def seen(self, one: Copy, other: Copy) -> Term:
        """The visible results differ, memory compared through each one's view."""
        if not self.relocated:
            return visible_differ(one.after, other.after, self.machine)
        plain = visible_differ(one.after, other.after, self.machine, self._memories)
        return t.or_(plain, views_differ(one.after, other.after, one.before, other.before, self.machine))

    @property
    def _memories(self) -> tuple[str, ...]:
        return (self.machine.main_memory,) if self.relocated and self.machine.main_memory else ()

    def _only_roles(self, mode: int, roles: tuple[m.Role, ...]) -> Copy:
        """The copy at `mode` in which only state of these roles is free, the rest shared with the unsuffixed copy."""
        names = tuple(n for n, s in pieces(self.machine) if s.role in roles)
        return self._only_names(mode, names)

    def _only_names(self, mode: int, names: tuple[str, ...]) -> Copy:
        base = self.copy(mode)
        leaves = {leaf.name for leaf in t.free(self.roots(base))}
        if not leaves & set(names):
            return base
        before = start(self.machine, mode, "")
        twin = start(self.machine, mode, TWIN)
        scalars = {n: twin.scalars[n] if n in names else v for n, v in before.scalars.items()}
        arrays = {n: twin.arrays[n] if n in names else v for n, v in before.arrays.items()}
        return copy(self.machine, self.operands, State(scalars, arrays), self.memory)

    def fingerprint(self) -> list[int]:
        """Digests of all that the answers depend on: the copies at every mode, the host's, and the relations between."""
        copies = [*(self.copy(mode) for mode in self.modes), self.host_copy]
        if self.relocated:
            copies += [*self.pair(self.host, self.modes[-1], moved=True), *self.related(self.host)]
        roots = [root for item in copies for root in (*self.roots(item), *item.facts, item.memory_trap, item.other_trap)]
        return [root.key for root in roots]

    def roots(self, item: Copy) -> list[Term]:
        """Every term that says what the copy does."""
        roots = [item.ok, *item.outcome.assumptions]
        roots += [value for name, value in item.after.scalars.items() if value is not item.before.scalars.get(name)]
        roots += [part for a in item.after.arrays.values() for w in a.writes for part in (w.guard, w.index, w.value)]
        return roots

    @cached_property
    def configuration(self) -> tuple[str, ...]:
        """The control fields and inputs that what the instruction does depends on, in some guest mode."""
        roots = [root for mode in self.modes for root in self.roots(self.copy(mode))]
        leaves = {leaf.name for leaf in t.free(roots)}
        wanted = (m.Role.CONTROL, m.Role.ENV)
        declared = pieces(self.machine)
        return tuple(name for name, piece in declared if piece.role in wanted and name in leaves)

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


class Literal(Subject):
    """The 1974 text: only memory traps are excluded; any other trap is followed through its entry."""

    def runs(self) -> Iterator[Ask]:
        """Not privileged: same state but for the mode, no memory trap, and not (user traps and supervisor does not)."""
        for mode in self.bare:
            bare, user = self.same(mode)
            bad = t.not_(t.and_(user.trap, bare.ok))
            quiet = (t.not_(bare.memory_trap), t.not_(user.memory_trap))
            yield Ask("runs", (self.label(mode), self.label(self.host)), (bare, user), (*quiet, bad))

    def executable(self) -> Iterator[Ask]:
        for mode in self.bare:
            bare, user = self.same(mode)
            quiet = (t.not_(bare.memory_trap), t.not_(user.memory_trap))
            yield Ask("executable", (self.label(mode), self.label(self.host)), (bare, user), quiet)

    def same(self, mode: int) -> tuple[Copy, Copy]:
        """One state in two modes; H holds of it."""
        bare, user = self.copy(mode), self.copy(self.host)
        facts = tuple(holds(self.machine, user.before, h) for h in self.invariant)
        return bare, replace(user, facts=(*user.facts, *facts))

    def control(self, modes: tuple[int, ...]) -> Iterator[Ask]:
        for mode in modes:
            one = self.copy(mode)
            after = finished(one, self.following(one))
            differ = resources_differ(one.before, after, self.machine)
            yield Ask("control_sensitive", (self.label(mode),), (one,), (t.not_(one.memory_trap), differ))

    def _behaviour(self, question: str, one: Copy, other: Copy, labels: tuple[str, ...]) -> Ask:
        if one.outcome is other.outcome:
            return Ask(question, labels, (one, other), (t.FALSE,))
        pair = [(item, finished(item, self.following(item))) for item in (one, other)]
        quiet = [t.not_(item.memory_trap) for item in (one, other)]
        kept = [t.not_(resources_differ(item.before, after, self.machine)) for item, after in pair]
        first, second = (replace(item, outcome=replace(item.outcome, state=after)) for item, after in pair)
        return Ask(question, labels, (one, other), (*quiet, *kept, self.seen(first, second)))

    def trap_sensitive(self, modes: tuple[int, ...]) -> Iterator[Ask]:
        """The 1974 text has no such class."""
        return iter(())


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
