"""What an outcome does to the state before it, in terms that generated code can be made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.outcome import Outcome, TrapCase
from popek_grammar.meaning.state import PC_WRITTEN, Write, symbolic
from popek_grammar.meaning.terms import Term
from popek_vmm.engine.accesses import without_zero_tests
from popek_vmm.engine.wide import WideWrite, wide_reads, wide_writes


@dataclass(frozen=True, slots=True)
class Effects:
    """An outcome, rewritten for lowering: what is written by name, and where control goes.

    Elements that always read zero are written as the element past the last one. `following` is where the next instruction
    lies; the entry of a trap has none. `follows`: an access that tables may translate comes after a write to memory.
    """

    traps: tuple[TrapCase, ...]
    scalars: Mapping[str, Term]
    arrays: Mapping[str, tuple[Write, ...]]
    memory: tuple[WideWrite, ...]
    pc: Term
    following: Term | None
    completes: bool
    follows: bool

    def lasting_roots(self) -> list[Term]:
        """The terms of all that is done where no trap is raised."""
        writes: list[Write | WideWrite] = [*(write for writes in self.arrays.values() for write in writes), *self.memory]
        onward = [self.pc] if self.following is None else [self.pc, self.following]
        return [*self.scalars.values(), *onward, *(part for w in writes for part in (w.guard, w.index, w.value))]

    def trap_roots(self) -> list[Term]:
        """The terms of all traps."""
        return [part for trap in self.traps for part in (trap.condition, *trap.payload)]

    def roots(self) -> list[Term]:
        """All terms."""
        return [*self.lasting_roots(), *self.trap_roots()]

    def mapped(self, new: Mapping[Term, Term]) -> Effects:
        """The same with other terms."""

        def write(old: Write) -> Write:
            return Write(new[old.guard], new[old.index], new[old.value])

        return replace(
            self,
            traps=tuple(
                TrapCase(new[c.condition], c.cause, tuple(new[part] for part in c.payload), c.memory) for c in self.traps
            ),
            scalars={name: new[value] for name, value in self.scalars.items()},
            arrays={name: tuple(write(old) for old in writes) for name, writes in self.arrays.items()},
            memory=tuple(WideWrite(new[w.guard], new[w.index], new[w.value], w.cells) for w in self.memory),
            pc=new[self.pc],
            following=None if self.following is None else new[self.following],
        )


def effects(machine: m.Machine, outcome: Outcome, following: Term | None, follows: bool = False) -> Effects:
    """What an outcome does beside the state before it, with cells and zero elements put together again."""
    before, after = symbolic(machine), outcome.state
    assert machine.main_memory is not None
    main = machine.arrays[machine.main_memory]
    changed = {
        name: value
        for name, value in after.scalars.items()
        if name not in (machine.pc, PC_WRITTEN) and value is not before.scalars[name]
    }
    arrays = {name: array.writes for name, array in after.arrays.items() if array.writes}
    memory = tuple(wide_writes(main, arrays.pop(main.name, ())))
    elements = {name: tuple(_past_zero(machine.arrays[name], write) for write in writes) for name, writes in arrays.items()}
    pc, completes = after.scalars[machine.pc], outcome.ok is not t.FALSE
    done = Effects(tuple(outcome.traps), changed, elements, memory, pc, following, completes, follows)
    done = done.mapped(without_zero_tests(machine, done.roots()))
    return done.mapped(wide_reads(main, done.roots()))


def _past_zero(array: m.Array, write: Write) -> Write:
    """A write to the element that stays zero goes to the element past the last one."""
    if array.zero_at is None:
        return write
    width = array.index_width + 1
    past, zero = t.const(1 << array.index_width, width), t.const(array.zero_at, array.index_width)
    return Write(write.guard, t.ite(t.eq(write.index, zero), past, t.zext(write.index, width)), write.value)
