"""Monitors: what the author of a hypervisor says of it."""

from __future__ import annotations

from popek_grammar.machine.claims import Expectation
from popek_grammar.machine.memory import Placement
from popek_grammar.machine.state import Modes
from popek_grammar.machine.types import Span
from popek_grammar.records import record


@record
class Replaced:
    """Instructions of the guest that do not run as they stand: `how` is `rewrite` (by the monitor, while it runs) or `hypercall`
    (by the guest's author, beforehand). Each is a call of the monitor instead, which does what it says on the guest's machine.

    `names` are `instr` or `instr(csr)`.
    """

    how: str
    names: tuple[str, ...]
    span: Span


@record
class Monitor:
    """A hypervisor: a machine of the same kind for guests whose modes `runs` execute on the host in its mode `at`.

    `interprets` are the guest's modes of which the monitor executes each instruction itself (a hybrid monitor). `placement` is f,
    `memory` the model of the guest's memory (`view`, `per_mode`, `translated`). `slice` is how many steps a guest has before
    another's turn, `weight` its share of them.
    """

    name: str
    runs: tuple[int, ...]
    at: int
    interprets: tuple[int, ...]
    placement: Placement
    memory: str
    replaced: tuple[Replaced, ...]
    slice: int
    weight: int
    expect: Expectation
    doc: str
    span: Span

    @property
    def modes(self) -> tuple[int, ...]:
        """All modes of the guest's machine."""
        return (*self.runs, *self.interprets)

    def begins(self, modes: Modes, reset: int | None) -> int:
        """The mode of the guest at first: that of reset, if the guest's machine has it, else its most privileged one."""
        return reset if reset in self.modes and reset is not None else max(self.modes, key=modes.rank)

    def replaced_by(self, name: str, part: str = "") -> str:
        """How an instruction, or one with one CSR, is a call of the monitor: `rewrite` or `hypercall`; empty where it is none."""
        labels = {name, f"{name}({part})"}
        return next((each.how for each in self.replaced if not labels.isdisjoint(each.names)), "")
