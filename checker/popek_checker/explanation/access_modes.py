"""In which modes an instruction runs: always, never, or depending on the state. Decided, never declared."""

from __future__ import annotations

from popek_checker.solver.smt import Smt, Status
from popek_checker.virtualizability.copies import Copy, copy, start
from popek_grammar import machine as m
from popek_grammar.meaning.instruction import general


def derived_access(machine: m.Machine, name: str, smt: Smt | None = None) -> dict[str, str]:
    """Mode to `always` (no trap but of memory), `never`, `depends`, or `unknown`."""
    smt = smt or Smt()
    operands = general(machine, machine.instructions[name])
    found = {}
    for mode, code in machine.modes.members:
        found[mode] = _access(smt, copy(machine, operands, start(machine, code, ""), "view"))
    return found


def _access(smt: Smt, item: Copy) -> str:
    runs = smt.check([*item.facts, item.ok], model=False).status
    traps = smt.check([*item.facts, item.other_trap], model=False).status
    if Status.UNKNOWN in (runs, traps):
        return "unknown"
    if runs is Status.UNSAT:
        return "never"
    return "always" if traps is Status.UNSAT else "depends"
