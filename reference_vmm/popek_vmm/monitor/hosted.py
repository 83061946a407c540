"""A guest under a monitor, step by step (Popek and Goldberg 1974, section 4).

An instruction is executed as it stands, on the host's state: deprivileged. Where that traps, the dispatcher turns to the
monitor's interpreter v_i, which does on the vCPU what the instruction does on the guest's own machine: the same meaning, on
the other state. Where v_i completes, the instruction was emulated; where it traps, the trap is the guest's own, and is
reflected by being entered there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.evaluator import Run
from popek_grammar.meaning.instruction import Operands, execute
from popek_grammar.meaning.outcome import Outcome, TrapCase
from popek_grammar.meaning.paths import Chooser, MemoryModel
from popek_grammar.meaning.state import State, merge
from popek_grammar.meaning.terms import Term
from popek_grammar.meaning.traps import enter
from popek_vmm.monitor.places import BY_CAUSE, BY_INSTRUCTION, COUNTER, INTERPRETED, Places
from popek_vmm.steps import OUTSIDE


@dataclass(frozen=True)
class Hosted:
    """The steps of a machine that is the guest of a monitor."""

    places: Places

    @property
    def machine(self) -> m.Machine:
        return self.places.machine

    # -- the dispatcher ----------------------------------------------------------------------------------------------

    def execute(self, operands: Operands, state: State, memory: MemoryModel, choose: Chooser) -> Outcome:
        """Directly where the guest's mode runs and the host does not trap; else by v_i."""
        runs = self._runs(operands, state)
        if runs is t.FALSE:
            return _counted(self._interpreter(operands, state, memory, choose), self.machine, operands, t.FALSE, ())
        direct = self._direct(operands, state, memory, choose)
        caught = tuple(case for case in direct.traps if not _is_hidden(case))
        stops = t.or_(t.not_(runs), *(case.condition for case in caught))
        if stops is t.FALSE:
            return direct
        counted = _counted(self._interpreter(operands, state, memory, choose), self.machine, operands, runs, caught)
        hidden = (replace(case, condition=t.and_(runs, case.condition)) for case in direct.traps if _is_hidden(case))
        own = (replace(case, condition=t.and_(stops, case.condition)) for case in counted.traps)
        return Outcome(
            t.or_(t.and_(runs, direct.ok), t.and_(stops, counted.ok)),
            merge(stops, counted.state, direct.state),
            tuple(case for case in (*hidden, *own) if case.condition is not t.FALSE),
            (*(t.implies(runs, each) for each in direct.assumptions), *(t.implies(stops, each) for each in counted.assumptions)),
        )

    def enter(self, run: Run, cause: str, payload: Sequence[Term], following: Term) -> None:
        """A trap of the guest's own, or an interrupt: reflected. One that leads out of the guest's machine nobody answers."""
        enter(run, cause, payload, following)
        self._ends_outside(run, cause)
        if run.path is t.FALSE:
            return
        count = run.machine.arrays[BY_CAUSE]
        at = t.const([each.name for each in run.machine.causes.members].index(cause), count.index_width)
        run.write_element(BY_CAUSE, at, t.add(run.read_element(BY_CAUSE, at), t.const(1, COUNTER)))
        run.state = self.places.held(run.state)

    def _ends_outside(self, run: Run, cause: str) -> None:
        """No entry where it would come to a mode that the guest's machine has not; generated code leaves that to the oracle."""
        monitor, machine = self.places.monitor, self.machine
        if machine.mode is None or run.path is t.FALSE:
            return
        mode = run.state.scalars[machine.mode]
        for name, code in machine.modes.members:
            outside = t.eq(mode, t.const(code, mode.width)) if code not in monitor.modes else t.FALSE
            if outside is not t.FALSE:
                told = f"{OUTSIDE} leads to mode {name}, which the guest's machine has not"
                run.traps.append(TrapCase(t.and_(run.prefix, run.path, outside), told, (), False))
                run.path = t.and_(run.path, t.not_(outside))

    # -- the two ways ------------------------------------------------------------------------------------------------

    def _runs(self, operands: Operands, state: State) -> Term:
        """Whether the instruction is executed as it stands: not replaced by a call of the monitor, and in a mode that runs."""
        monitor, machine = self.places.monitor, self.places.bare
        if monitor.replaced_by(operands.instruction.name, _csr(machine, operands)):
            return t.FALSE
        if machine.mode is None or {code for _, code in machine.modes.members} <= set(monitor.runs):
            return t.TRUE
        mode = state.scalars[machine.mode]
        return t.or_(*(t.eq(mode, t.const(code, mode.width)) for code in monitor.runs))

    def _direct(self, operands: Operands, state: State, memory: MemoryModel, choose: Chooser) -> Outcome:
        """On the host's state, the guest's memory being reached as on its own machine."""
        places = self.places
        outcome = execute(self.machine, operands, places.exchanged(state), Shadow(places, memory), choose)
        return replace(outcome, state=places.given_back(state, places.exchanged(outcome.state)))

    def _interpreter(self, operands: Operands, state: State, memory: MemoryModel, choose: Chooser) -> Outcome:
        """v_i: the instruction on the vCPU, and what the host has is again f of that."""
        outcome = execute(self.machine, operands, state, memory, choose)
        return replace(outcome, state=self.places.held(outcome.state))


@dataclass(frozen=True)
class Shadow:
    """The memory of a guest that runs directly: the host's tables shadow the guest's, so that the guest's own translation holds,
    with the rights of its own mode."""

    places: Places
    memory: MemoryModel

    def load(self, run: Run, address: Term, width: int, kind: str, acting: Term | None) -> Term:
        with self._guest(run):
            return self.memory.load(run, address, width, kind, acting)

    def store(self, run: Run, address: Term, value: Term, kind: str, acting: Term | None) -> None:
        with self._guest(run):
            self.memory.store(run, address, value, kind, acting)

    def physical(self, run: Run, address: Term, width: int) -> Term:
        with self._guest(run):
            return self.memory.physical(run, address, width)

    def physical_store(self, run: Run, address: Term, value: Term) -> None:
        with self._guest(run):
            self.memory.physical_store(run, address, value)

    def own_cells(self, machine: m.Machine, array: str) -> str:
        return self.memory.own_cells(machine, array)

    @contextmanager
    def _guest(self, run: Run) -> Iterator[None]:
        run.state = self.places.exchanged(run.state)
        yield
        run.state = self.places.exchanged(run.state)


# -- counting ------------------------------------------------------------------------------------------------------------


def _counted(outcome: Outcome, machine: m.Machine, operands: Operands, runs: Term, caught: tuple[TrapCase, ...]) -> Outcome:
    """An emulated instruction counts by itself and by the cause that brought it here; interpreted, as a step of that kind.

    One that traps in the guest counts where its trap is entered.
    """
    state = State(dict(outcome.state.scalars), dict(outcome.state.arrays))
    one, interprets = t.const(1, COUNTER), t.not_(runs)
    counts = state.scalars[INTERPRETED]
    state.scalars[INTERPRETED] = t.ite(interprets, t.add(counts, one), counts)
    if runs is not t.FALSE:
        array = state.arrays[BY_INSTRUCTION]
        number = t.const([*machine.instructions].index(operands.instruction.name), array.array.index_width)
        more = t.ite(interprets, t.const(0, COUNTER), one)
        state.arrays[BY_INSTRUCTION] = array.write(number, t.add(array.read(number), more))
        causes = [each.name for each in machine.causes.members]
        for cause in dict.fromkeys(case.cause for case in caught):
            array = state.arrays[BY_CAUSE]
            number = t.const(causes.index(cause), array.array.index_width)
            here = t.and_(runs, t.or_(*(case.condition for case in caught if case.cause == cause)))
            more = t.ite(here, one, t.const(0, COUNTER))
            state.arrays[BY_CAUSE] = array.write(number, t.add(array.read(number), more))
    return replace(outcome, state=state)


def _is_hidden(case: TrapCase) -> bool:
    """A miss of the shadow: it is filled, and the guest does not see it."""
    return case.cause.startswith("%")


def _csr(machine: m.Machine, operands: Operands) -> str:
    """The control register that the instruction names, where that is known."""
    if not operands.instruction.split or operands.unknown_csr:
        return ""
    number = operands.locals[operands.instruction.split[0]]
    return machine.csrs.get(number.value, "") if number.is_const else ""
