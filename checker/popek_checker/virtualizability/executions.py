"""The executions of one instruction that questions compare: in every mode, with resource states shared or apart."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeAlias

from popek_checker.virtualizability.copies import Copy, copy, holds, pieces, start
from popek_checker.virtualizability.embedding import Embedding
from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.instruction import Operands
from popek_grammar.meaning.state import State
from popek_grammar.meaning.terms import Term

TWIN = "~"
"""Suffix of the second copy's resource state."""


Copies: TypeAlias = dict[tuple[int, str, str, tuple[str, ...]], Copy]
"""Executions of one instruction by mode, suffix, memory model and what f lets through; terms are hash-consed, so claims can
share them."""


@dataclass(frozen=True)
class Executions:
    """One instruction under one claim: `guest` modes (least privileged first), the real mode `host`, invariant H."""

    machine: m.Machine
    operands: Operands
    modes: tuple[int, ...]
    host: int
    memory: str
    invariant: tuple[m.Expr, ...]
    copies: Copies = field(default_factory=dict)
    alone: bool = False
    placement: m.Placement | None = None

    @cached_property
    def f(self) -> Embedding:
        """Where the host has the guest's state."""
        return Embedding(self.machine, self.placement, TWIN, self.memory == "translated")

    # -- copies ------------------------------------------------------------------------------------------------------

    def copy(self, mode: int, suffix: str = "") -> Copy:
        """The instruction at `mode`; kept, since many questions ask of the same copies."""
        key = (mode, suffix, self.memory, self.placement.through if self.placement is not None else ())
        if key not in self.copies:
            self.copies[key] = copy(self.machine, self.operands, start(self.machine, mode, suffix), self.memory)
        return self.copies[key]

    @cached_property
    def host_copy(self) -> Copy:
        """The deprivileged run: real mode, its own resource state, under H; what f holds is that of a guest in its top mode."""
        return self.related(self.modes[-1])[1]

    def related(self, mode: int) -> tuple[Copy, Copy]:
        """A guest at `mode` and f of it: the host's state at the real mode, under H."""
        guest, own = start(self.machine, mode, ""), start(self.machine, self.host, TWIN)
        if not self.f.bends and not self.f.moves:
            bare, real = self.copy(mode), self.copy(self.host, TWIN)
        else:
            guest, host = self.f.memories(guest, self.f.host(guest, own))
            bare, real = (copy(self.machine, self.operands, state, self.memory) for state in (guest, host))
        under = (*(holds(self.machine, real.before, h) for h in self.invariant), *self.f.where(guest))
        return bare, replace(real, facts=(*real.facts, *under))

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

    def only_roles(self, mode: int, roles: tuple[m.Role, ...]) -> Copy:
        """The copy at `mode` in which only state of these roles is free, the rest shared with the unsuffixed copy."""
        names = tuple(n for n, s in pieces(self.machine) if s.role in roles)
        return self.only_names(mode, names)

    def only_names(self, mode: int, names: tuple[str, ...]) -> Copy:
        base = self.copy(mode)
        leaves = {leaf.name for leaf in t.free(self.roots(base))}
        if not leaves & set(names):
            return base
        before = start(self.machine, mode, "")
        twin = start(self.machine, mode, TWIN)
        scalars = {n: twin.scalars[n] if n in names else v for n, v in before.scalars.items()}
        arrays = {n: twin.arrays[n] if n in names else v for n, v in before.arrays.items()}
        return copy(self.machine, self.operands, State(scalars, arrays), self.memory)

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
