"""Paths through a body, with the state on each: forked at a condition, left early, joined again.

Paths are merged, not enumerated: both sides of a condition go on, and where they meet their states are one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.outcome import Outcome, TrapCase
from popek_grammar.meaning.state import PC_WRITTEN, State, member, merge
from popek_grammar.meaning.terms import Term

if TYPE_CHECKING:
    from popek_grammar.meaning.evaluator import Run

Ranges: TypeAlias = "tuple[tuple[int, int], ...] | None"
Chooser: TypeAlias = "Callable[[str, int, Ranges], Term]"


class MemoryModel(Protocol):
    """How translated accesses reach memory: by the machine's own translations, or as an opaque guest view."""

    def load(self, run: Run, address: Term, width: int, kind: str, acting: Term | None) -> Term: ...

    def store(self, run: Run, address: Term, value: Term, kind: str, acting: Term | None) -> None: ...

    def physical(self, run: Run, address: Term, width: int) -> Term:
        """A load made by a page walk."""
        ...

    def physical_store(self, run: Run, address: Term, value: Term) -> None: ...

    def own_cells(self, machine: m.Machine, array: str) -> str:
        """The array that a body means by `array`: of memory, the physical one."""
        ...


@dataclass(slots=True)
class Exit:
    """A path that left a body early, with the value it carries."""

    path: Term
    value: Term | None
    state: State


def free_choice(site: str, width: int, ranges: Ranges) -> Term:
    """A choice left open: one variable a site, the same in every copy of the machine."""
    return t.var(f"?{site}", width)


@dataclass(slots=True)
class Paths:
    """What an evaluation has come to. `path` is the condition of the current path, within `prefix`, that of its caller."""

    machine: m.Machine
    state: State
    memory: MemoryModel
    choose: Chooser = free_choice
    env: dict[str, Term] = field(default_factory=dict)
    special: dict[str, Term] = field(default_factory=dict)
    unknown_csr: bool = False
    path: Term = t.TRUE
    prefix: Term = t.TRUE
    traps: list[TrapCase] = field(default_factory=list)
    returns: list[Exit] = field(default_factory=list)
    nexts: list[Exit] = field(default_factory=list)
    assumptions: list[Term] = field(default_factory=list)
    sites: dict[str, int] = field(default_factory=dict)
    walk_translation: m.Translation | None = None

    def branch(self, condition: Term, yes: Callable[[], Term], no: Callable[[], Term]) -> Term:
        """The value of one of two computations; traps and writes of each happen under its condition."""
        if condition.is_const:
            return yes() if condition.payload else no()
        values: list[Term] = []
        self.fork(condition, lambda: values.append(yes()), lambda: values.append(no()))
        return t.ite(condition, values[0], values[1])

    def fork(self, condition: Term, yes: Callable[[], None], no: Callable[[], None]) -> None:
        """Runs both sides, each under its condition, and joins paths and states."""
        path, before = self.path, self.state
        into_yes, into_no = t.and_(path, condition), t.and_(path, t.not_(condition))
        self.path, self.state = into_yes, before.copy()
        yes()
        path_yes, state_yes = self.path, self.state
        self.path, self.state = into_no, before.copy()
        no()
        path_no, state_no = self.path, self.state
        if path_yes is into_yes and path_no is into_no:
            self.path = path
        else:
            self.path = t.or_(path_yes, path_no)
        if path_yes is t.FALSE:
            self.state = state_no
        elif path_no is t.FALSE:
            self.state = state_yes
        else:
            self.state = merge(condition, state_yes, state_no)

    def leave(self, exits: list[Exit], value: Term | None) -> None:
        exits.append(Exit(self.path, value, self.state))
        self.path, self.state = t.FALSE, self.state.copy()

    def join(self, exits: list[Exit]) -> Term | None:
        """Continues on all exits at once: sets path and state, gives the selected value."""
        if not exits:
            self.path = t.FALSE
            return None
        last = exits[-1]
        value, self.state = last.value, last.state
        for leave in reversed(exits[:-1]):
            if leave.value is not None:
                value = leave.value if value is None else t.ite(leave.path, leave.value, value)
            self.state = merge(leave.path, leave.state, self.state)
        self.path = t.or_(*(leave.path for leave in exits))
        return value

    def open_choice(self, site: str, width: int, ranges: Ranges) -> Term:
        self.sites[site] = count = self.sites.get(site, 0) + 1
        chosen = self.choose(site if count == 1 else f"{site}@{count}", width, ranges)
        if ranges is not None:
            self.assumptions.append(member(chosen, ranges))
        return chosen

    # -- state -------------------------------------------------------------------------------------------------------

    def read_element(self, array: str, index: Term) -> Term:
        value = self.state.arrays[array]
        return value.read(t.resize(index, value.array.index_width))

    def write_element(self, array: str, index: Term, value: Term) -> None:
        old = self.state.arrays[array]
        self.state.arrays[array] = old.write(t.resize(index, old.array.index_width), value)

    def write_scalar(self, name: str, value: Term) -> None:
        self.state.scalars[name] = value
        if name == self.machine.pc:
            self.state.scalars[PC_WRITTEN] = t.TRUE

    @contextmanager
    def bound(self, **special: Term) -> Iterator[None]:
        """Binds built-in names (`va`, `access`, ...) for the duration."""
        outer = self.special
        self.special = {**outer, **special}
        try:
            yield
        finally:
            self.special = outer

    def outcome(self) -> Outcome:
        """What has happened so far, as a record."""
        return Outcome(t.and_(self.prefix, self.path), self.state, tuple(self.traps), tuple(self.assumptions))
