"""The oracle: one step of the machine on numbers. Readable and slow; everything faster is tested against it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from popek_grammar import machine as m
from popek_grammar.assembly.decode import Decoded, decoder_of
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.evaluator import Run
from popek_grammar.meaning.instruction import Operands, cell_bits, decoded
from popek_grammar.meaning.memory import Translated
from popek_grammar.meaning.outcome import Outcome
from popek_grammar.meaning.paths import MemoryModel, Ranges
from popek_grammar.meaning.state import PC_WRITTEN, ArrayValue, Base, State
from popek_grammar.meaning.terms import Term
from popek_grammar.meaning.traps import deliverable
from popek_vmm.steps import OUTSIDE, Bare, Steps, Stopped

__all__ = ["Executed", "Oracle", "Stepped", "Stopped"]


@dataclass(frozen=True, slots=True)
class Stepped:
    """What one step did: the instruction it ran (None: an interrupt, or a fetch that faulted) and the trap it took."""

    instruction: str | None
    trap: str | None
    payload: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Executed:
    """An instruction's result: the trap it raises, or the state after it, arrays by the elements it wrote."""

    trap: str | None
    payload: tuple[int, ...]
    scalars: dict[str, int]
    arrays: dict[str, dict[int, int]]


class Oracle:
    """A machine with a concrete state.

    `scalars` maps names to numbers; `arrays` maps names to sparse dictionaries of elements (absent: zero). Open
    choices (`choose`, `unspecified`) take their first legal value, or a random one with `seed`. `memory` replaces the
    declared translation, as the view of a witness does; `steps` what a step is, as a monitor does.
    """

    def __init__(
        self, machine: m.Machine, seed: int | None = None, memory: MemoryModel | None = None, steps: Steps | None = None
    ) -> None:
        self.steps = steps or Bare(machine)
        self.machine = self.steps.machine
        self.memory = memory or Translated()
        self.decoder = decoder_of(self.machine)
        self.random = random.Random(seed) if seed is not None else None
        self.scalars: dict[str, int] = {}
        self.arrays: dict[str, dict[int, int]] = {}
        self.reset()

    def reset(self) -> None:
        """Every scalar to its declared reset value, else to its lowest legal one; arrays to zero."""
        self.scalars.update((name, scalar.initial) for name, scalar in self.machine.scalars.items())
        self.arrays = {name: {} for name in self.machine.arrays}

    def load(self, cells: bytes | list[int], origin: int) -> None:
        """Puts memory cells at a physical address."""
        assert self.machine.main_memory is not None
        memory = self.arrays[self.machine.main_memory]
        memory.update({origin + offset: cell for offset, cell in enumerate(cells)})

    def run(self, steps: int) -> list[Stepped]:
        """Up to `steps` steps."""
        return [self.step() for _ in range(steps)]

    # -- one step ----------------------------------------------------------------------------------------------------

    def step(self) -> Stepped:
        """An interrupt if one is deliverable; else fetch, decode, execute; a trap is entered in the same step. Clocks advance."""
        before = {clock.name: self.scalars[clock.name] for clock in self.machine.clocks}
        stepped = self._step()
        for clock in self.machine.clocks:
            if self.scalars[clock.name] == before[clock.name] and not (clock.completed and stepped.trap is not None):
                self.scalars[clock.name] = before[clock.name] + 1 & m.CLOCK_MASK
        return stepped

    def _step(self) -> Stepped:
        state = self.state()
        interrupt = self._interrupt(state)
        if interrupt is not None:
            self._trap(state, interrupt.name, (), state.scalars[self.machine.pc])
            return Stepped(None, interrupt.name)
        fetched, state = self._fetch(state)
        if isinstance(fetched, Outcome):
            return self._finish(state, None, fetched, state.scalars[self.machine.pc])
        operands = fetched
        outcome = self.steps.execute(operands, state, self.memory, self._choose)
        following = t.add(state.scalars[self.machine.pc], operands.cells)
        return self._finish(state, operands.instruction.name, outcome, following)

    def execute(self, instruction: Decoded) -> Stepped:
        """Executes a decoded instruction at the current state without fetching it."""
        state = self.state()
        operands = decoded(self.machine, instruction.instruction, instruction.encoding, instruction.operands)
        outcome = self.steps.execute(operands, state, self.memory, self._choose)
        following = t.add(state.scalars[self.machine.pc], operands.cells)
        return self._finish(state, operands.instruction.name, outcome, following)

    def execute_only(self, instruction: Decoded) -> Executed:
        """What a decoded instruction comes to from the current state, which stays; a trap is not entered."""
        state = self.state()
        operands = decoded(self.machine, instruction.instruction, instruction.encoding, instruction.operands)
        outcome = self.steps.execute(operands, state, self.memory, self._choose)
        if outcome.ok is not t.TRUE:
            taken = next(trap for trap in outcome.traps if trap.condition is t.TRUE)
            return Executed(taken.cause, tuple(value.value for value in taken.payload), {}, {})
        scalars = {name: outcome.state.scalars[name].value for name in self.machine.scalars}
        return Executed(None, (), scalars, {name: _written(array) for name, array in outcome.state.arrays.items()})

    def _interrupt(self, state: State) -> m.CauseDef | None:
        run = Run(self.machine, state.copy(), self.memory, self._choose)
        return next((cause for condition, cause in deliverable(run) if condition is t.TRUE), None)

    def _fetch(self, state: State) -> tuple[Operands | Outcome, State]:
        """The decoded instruction at the program counter, or the outcome of a fetch that faulted or found nothing.

        And the state then: a fetch that succeeds may leave something behind, as a reference bit.
        """
        run = Run(self.machine, state.copy(), self.memory, self._choose)
        parcel = self.machine.parcel
        cells = parcel // cell_bits(self.machine)
        parcels: list[int] = []

        def read_parcel(number: int) -> int:
            here = t.add(state.scalars[self.machine.pc], t.const(number * cells, state.scalars[self.machine.pc].width))
            value = run.memory.load(run, self._fetch_address(here), parcel, "fetch", None)
            if run.path is t.FALSE:
                raise _FetchFault
            parcels.append(value.value)
            return value.value

        try:
            found = self.decoder.decode_cells(read_parcel)
            for number in range(len(parcels), self._length(run, parcels) if found is None else 0):
                read_parcel(number)
        except _FetchFault:
            return run.outcome(), state
        after = run.state.copy()
        if found is not None:
            return decoded(self.machine, found.instruction, found.encoding, found.operands), after
        return self._undecodable(run, parcels), after

    def _length(self, run: Run, parcels: list[int]) -> int:
        """The parcels of what begins with these, as the machine says that it is so long."""
        run.special = {"insn": self._joined(parcels)}
        told = (each.width for each in self.machine.lengths if run.value(each.when) is t.TRUE)
        return next(told, 0) // self.machine.parcel

    def _joined(self, parcels: list[int]) -> Term:
        """Parcels as one number, `insn`."""
        word, width = 0, self.machine.parcel
        for number, parcel in enumerate(parcels):
            word = word | parcel << number * width if self.machine.order == "little" else word << width | parcel
        return t.const(word, self.machine.scalars[self.machine.pc].width)

    def _fetch_address(self, pc: Term) -> Term:
        """The virtual address of a fetch: pc, widened when the first translation takes more bits."""
        first = next((tr for tr in self.machine.translations.values() if tr.over is None), None)
        return t.zext(pc, first.va_width) if first is not None and first.va_width > pc.width else pc

    def _undecodable(self, run: Run, parcels: list[int]) -> Outcome:
        if self.machine.otherwise is None:
            raise Stopped(f"no instruction matches {parcels} and the machine has no `otherwise`")
        run.special = {"insn": self._joined(parcels), "next_pc": run.state.scalars[self.machine.pc]}
        run.trap(self.machine.otherwise)
        return run.outcome()

    def _finish(self, state: State, name: str | None, outcome: Outcome, following: Term) -> Stepped:
        """Commits a completed instruction, or enters its trap from the state before it."""
        if outcome.ok is t.TRUE:
            self._commit(outcome.state)
            return Stepped(name, None)
        taken = next(trap for trap in outcome.traps if trap.condition is t.TRUE)
        self._trap(state, taken.cause, taken.payload, following)
        return Stepped(name, taken.cause, tuple(value.value for value in taken.payload))

    def _trap(self, state: State, cause: str, payload: tuple[Term, ...], following: Term) -> None:
        payload = payload or tuple(t.const(0, width) for _, width in self.machine.causes.payload)
        run = Run(self.machine, state.copy(), self.memory, self._choose)
        if not self.machine.trap_stacks:
            raise Stopped(f"trap {cause}, and the machine declares no trap stack")
        self.steps.enter(run, cause, payload, following)
        if run.path is t.FALSE:
            why = run.traps[0].cause
            told = why.removeprefix(OUTSIDE) if why.startswith(OUTSIDE) else f": trap {why} on its entry"
            raise Stopped(f"trap {cause}{told}")
        self._commit(run.state)

    # -- between numbers and terms -----------------------------------------------------------------------------------

    def state(self) -> State:
        """The state as constant terms."""
        scalars = {name: t.const(value, self.machine.scalars[name].width) for name, value in self.scalars.items()}
        scalars[PC_WRITTEN] = t.FALSE
        return State(scalars, {name: ArrayValue(array, self._base(array)) for name, array in self.machine.arrays.items()})

    def set_state(self, scalars: Mapping[str, int], arrays: Mapping[str, Mapping[int, int]]) -> None:
        """Overwrites the scalars and array elements given."""
        self.scalars.update(scalars)
        for name, elements in arrays.items():
            self.arrays[name].update(elements)

    def _base(self, array: m.Array) -> Base:
        content = self.arrays[array.name]
        return lambda index: t.const(content.get(index.value, 0), array.width)

    def _commit(self, state: State) -> None:
        for name in self.scalars:
            self.scalars[name] = state.scalars[name].value
        for name, array in state.arrays.items():
            self.arrays[name].update(_written(array))

    def _choose(self, site: str, width: int, ranges: Ranges) -> Term:
        """The first legal value, or any legal one when seeded."""
        options = ranges or ((0, (1 << width) - 1),)
        low, high = options[0] if self.random is None else self.random.choice(options)
        return t.const(low if self.random is None else self.random.randint(low, high), width)


def _written(array: ArrayValue) -> dict[int, int]:
    """The elements that writes have changed, the last write of each standing; the zero element never changes."""
    writes = (write for write in array.writes if write.guard is t.TRUE)
    return {write.index.value: write.value.value for write in writes if write.index.value != array.array.zero_at}


class _FetchFault(Exception):
    """A parcel could not be fetched; the run holds the trap."""
