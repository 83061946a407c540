"""The executions of one instruction that questions compare: in every mode, with resource states shared or apart."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TypeAlias

from popek_checker.virtualizability.copies import (
    RESOURCE,
    Copy,
    Itself,
    copy,
    entry_reads,
    holds,
    is_resource,
    named,
    pieces,
    shared,
    start,
)
from popek_checker.virtualizability.embedding import Embedding
from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.instruction import Operands
from popek_grammar.meaning.state import ArrayValue, State, free_base
from popek_grammar.meaning.terms import Term
from popek_grammar.meaning.views import physical_array

TWIN = "~"
"""Suffix of the second copy's resource state."""


Copies: TypeAlias = dict[tuple[int, str, str, tuple[str, ...], tuple[str, ...]], Copy]
"""Executions of one instruction by mode, suffix, memory model, what f lets through and what is apart; terms are hash-consed, so
claims can share them."""


@dataclass(frozen=True)
class Executions:
    """One instruction under one claim: the guest's `modes` (least privileged first), the real mode `host`, invariant H.

    `everywhere`: H holds in every copy, not of the host alone.
    """

    machine: m.Machine
    operands: Operands
    modes: tuple[int, ...]
    host: int
    memory: str
    invariant: tuple[m.Expr, ...]
    copies: Copies = field(default_factory=dict)
    alone: bool = False
    everywhere: bool = False
    placement: m.Placement | None = None

    @cached_property
    def f(self) -> Embedding:
        """Where the host has the guest's state."""
        return Embedding(self.machine, self.placement, TWIN, self.memory == "translated")

    # -- copies ------------------------------------------------------------------------------------------------------

    def copy(self, mode: int, suffix: str = "") -> Copy:
        """The instruction at `mode`; kept, since many questions ask of the same copies."""
        key = (mode, suffix, self.memory, self._through, ())
        if key not in self.copies:
            self.copies[key] = copy(self.machine, self.operands, start(self.machine, mode, suffix), self.memory)
        return self.copies[key]

    @property
    def _through(self) -> tuple[str, ...]:
        return self.placement.through if self.placement is not None else ()

    @cached_property
    def host_copy(self) -> Copy:
        """The deprivileged run: real mode, its own resource state, under H; what f holds is that of a guest in its top mode."""
        return self.related(self.modes[-1])[1]

    def held(self, item: Copy) -> Copy:
        """The same execution, under H."""
        return replace(item, facts=(*item.facts, *(holds(self.machine, item.before, h) for h in self.invariant)))

    def related(self, mode: int) -> tuple[Copy, Copy]:
        """A guest at `mode` and f of it: the host's state at the real mode, under H."""
        if mode not in self._related:
            self._related[mode] = self._made_related(mode)
        return self._related[mode]

    @cached_property
    def _related(self) -> dict[int, tuple[Copy, Copy]]:
        return {}

    def _made_related(self, mode: int) -> tuple[Copy, Copy]:
        if not self.f.bends and not self.f.moves:
            bare, real = self.copy(mode), self.copy(self.host, TWIN)
        else:
            guest = start(self.machine, mode, "")
            host = self.f.host(guest, start(self.machine, self.host, TWIN))
            bare, real = (copy(self.machine, self.operands, one, self.memory) for one in self.f.memories(guest, host))
        real = self.held(real)
        return bare, replace(real, facts=(*real.facts, *self.f.where(bare.before)))

    def embedded(self, mode: int, roles: frozenset[m.Role], free: Container[str] = ()) -> tuple[Copy, Copy]:
        """A guest at `mode`, and the host's state with all virtual state the guest's own but what is `free`.

        Only what f holds of `roles` is held. Memory is the same: moving it is `moved`'s.
        """
        guest = start(self.machine, mode, "")
        own, twin = start(self.machine, self.host, ""), start(self.machine, self.host, TWIN)
        scalars = {n: twin.scalars[n] if n in free else v for n, v in own.scalars.items()}
        arrays = {n: twin.arrays[n] if n in free else v for n, v in own.arrays.items()}
        host = self.f.host(guest, State(scalars, arrays), roles)
        real = copy(self.machine, self.operands, host, self.memory)
        return self.copy(mode), replace(real, facts=(*real.facts, *self.f.where(guest)))

    @property
    def below(self) -> tuple[int, ...]:
        """The guest's modes below the real one. In those it runs as itself, with settings of the host about it."""
        if self.alone:
            return ()
        rank = self.machine.modes.rank
        return tuple(code for _, code in self.machine.modes.members if rank(code) < rank(self.host))

    @property
    def asks_together(self) -> bool:
        """Whether mode, place and settings are also asked apart at once: not by the letter of 1974, which has no settings."""
        return True

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

    def elsewhere(self, mode: int) -> Copy:
        """The copy at `mode` with the guest elsewhere: other maps, and other memory of the host around it."""
        return self.only_names(mode, (*named(self.machine, (m.Role.MAP,)), *self.host_memories))

    def all_apart(self, mode: int) -> Copy:
        """The copy at `mode` with a resource state of its own; of what is not shared, hidden state alone is the same."""
        if not self.leaves(mode) & set(named(self.machine, RESOURCE)):
            return self.copy(mode)
        if _own_or_shared(Itself(self.machine)):
            return self.copy(mode, TWIN)
        return self.apart(mode, named(self.machine, RESOURCE))

    def only_names(self, mode: int, names: tuple[str, ...]) -> Copy:
        """The copy at `mode` with these pieces free; the unsuffixed copy itself where no completed run depends on them."""
        return self.apart(mode, names) if self.leaves(mode) & set(names) else self.copy(mode)

    def leaves(self, mode: int) -> frozenset[str]:
        """The state that a completed run at `mode` depends on, by name."""
        if mode not in self._leaves:
            made = self.copy(mode)
            self._leaves[mode] = _leaves(tuple(self.roots(made)))
        return self._leaves[mode]

    @cached_property
    def _leaves(self) -> dict[int, frozenset[str]]:
        return {}

    def apart(self, mode: int, names: tuple[str, ...]) -> Copy:
        """The copy at `mode` in which these pieces are free (the mode is not) and all else is that of the unsuffixed copy."""
        key = (mode, TWIN, self.memory, self._through, names)
        if key not in self.copies:
            self.copies[key] = copy(self.machine, self.operands, self.apart_before(mode, names), self.memory)
        return self.copies[key]

    def apart_before(self, mode: int, names: tuple[str, ...]) -> State:
        before = start(self.machine, mode, "")
        free = set(names) - {self.machine.mode}
        scalars = {n: t.var(n + TWIN, v.width) if n in free else v for n, v in before.scalars.items()}
        arrays = {n: ArrayValue(v.array, free_base(v.array, TWIN)) if n in names else v for n, v in before.arrays.items()}
        return State(scalars, arrays)

    def hidden_apart(self, mode: int) -> Copy | None:
        """The copy with other hidden state; None where neither what comes of the instruction nor a trap's entry reads any."""
        base, names = self.copy(mode), named(self.machine, (m.Role.HIDDEN,))
        told = [term for trap in base.outcome.traps for term in (trap.condition, *trap.payload)]
        if {leaf.name for leaf in t.free([*self.roots(base), *told])} & set(names):
            return self.apart(mode, names)
        if base.outcome.traps and entry_reads(self.machine) & set(names):
            return replace(base, before=self.apart_before(mode, names))
        return None

    def roots(self, item: Copy) -> list[Term]:
        """Every term that says what the copy does."""
        roots = [item.ok, *item.outcome.assumptions]
        roots += [value for name, value in item.after.scalars.items() if value is not item.before.scalars.get(name)]
        roots += [part for a in item.after.arrays.values() for w in a.writes for part in (w.guard, w.index, w.value)]
        return roots

    @cached_property
    def configuration(self) -> tuple[str, ...]:
        """The control fields and inputs that what the instruction does depends on, in some guest mode."""
        leaves = frozenset[str]().union(*(self.leaves(mode) for mode in self.modes))
        wanted = (m.Role.CONTROL, m.Role.ENV)
        declared = pieces(self.machine)
        return tuple(
            name for name, piece in declared if piece.role in wanted and name in leaves and name not in self.host_memories
        )

    @cached_property
    def settings(self) -> tuple[str, ...]:
        """Those, and the control fields and inputs that it writes: a run that keeps these tells by them what it read."""
        written = {name for mode in self.modes for name in self.writes(mode)} | set(self.configuration)
        own = named(self.machine, (m.Role.CONTROL, m.Role.ENV))
        return tuple(name for name in own if name in written and name not in self.host_memories)

    def writes(self, mode: int) -> frozenset[str]:
        """The state that a completed run at `mode` may leave other than it was, by name."""
        before, after = self.copy(mode).before, self.copy(mode).after
        scalars = {name for name, value in after.scalars.items() if value is not before.scalars.get(name)}
        return frozenset(scalars | {name for name, array in after.arrays.items() if array.writes})

    @property
    def host_memories(self) -> tuple[str, ...]:
        """The array that is the host's memory, where bodies reach past the view; none elsewhere."""
        name = physical_array(self.machine.main_memory) if self.machine.main_memory else ""
        return (name,) if name in self.machine.arrays else ()


@lru_cache(maxsize=16)
def _own_or_shared(key: Itself[m.Machine]) -> bool:
    """Whether all state is shared by copies or of the resources: none is hidden and free in each."""
    (machine,) = key.things
    return all(shared(piece) or is_resource(piece.role) for _, piece in pieces(machine))


@lru_cache(maxsize=64)
def _leaves(roots: tuple[Term, ...]) -> frozenset[str]:
    return frozenset(leaf.name for leaf in t.free(roots))
