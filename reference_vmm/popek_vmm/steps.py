"""What a step of a machine is made of: what an instruction comes to, and how a trap is entered.

The oracle and the generated program ask for it here, so that a machine under a monitor is run by the same loops as a bare one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from popek_grammar import machine as m
from popek_grammar.meaning import instruction, traps
from popek_grammar.meaning.evaluator import Run
from popek_grammar.meaning.instruction import Operands
from popek_grammar.meaning.outcome import Outcome
from popek_grammar.meaning.paths import Chooser, MemoryModel
from popek_grammar.meaning.state import State
from popek_grammar.meaning.terms import Term

OUTSIDE = "%outside"
"""What the cause begins with, on entry of a trap, where that cannot be entered; the reason follows."""


class Stopped(Exception):
    """The machine cannot go on: a trap inside trap entry, one that it does not declare, or one that nobody answers."""


class Steps(Protocol):
    """How a machine steps. `machine` declares the state that its steps are over."""

    @property
    def machine(self) -> m.Machine: ...

    def execute(self, operands: Operands, state: State, memory: MemoryModel, choose: Chooser) -> Outcome:
        """What the instruction comes to from `state`; a trap is not entered."""
        ...

    def enter(self, run: Run, cause: str, payload: Sequence[Term], following: Term) -> None:
        """Enters a trap from the state before the instruction, which is that of `run`."""
        ...


@dataclass(frozen=True)
class Bare:
    """The machine as its text says."""

    machine: m.Machine

    def execute(self, operands: Operands, state: State, memory: MemoryModel, choose: Chooser) -> Outcome:
        return instruction.execute(self.machine, operands, state, memory, choose)

    def enter(self, run: Run, cause: str, payload: Sequence[Term], following: Term) -> None:
        traps.enter(run, cause, payload, following)
