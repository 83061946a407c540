"""What stands for a replaced instruction: one of the machine's own that always traps in the real mode."""

from __future__ import annotations

from collections.abc import Iterator

from popek_checker.monitor.proof import Answer
from popek_checker.monitor.sides import Sides, subject_of
from popek_checker.solver.smt import Smt
from popek_checker.virtualizability.decide import Item, first_found, items
from popek_checker.virtualizability.verdict import Truth
from popek_grammar import machine as m


def call(machine: m.Machine, monitor: m.Monitor, smt: Smt) -> Answer:
    """An instruction that never completes in the real mode, whatever the state: best one that the bare machine traps as well."""
    found, open_ = "", ""
    for item in _candidates(machine, monitor):
        sides = Sides(subject_of(machine, monitor, item))
        if any(host.other_trap.op == "const" and not host.other_trap.payload for _, _, host in sides.pairs):
            continue
        runs, _, why = first_found(smt, sides.ask("runs"))
        if runs is Truth.UNKNOWN:
            open_ = open_ or why
        elif runs is Truth.NO:
            if all(bare.ok.op == "const" and not bare.ok.payload for _, bare, _ in sides.pairs):
                return Answer("call", Truth.YES, notes=(f"a call of the monitor is `{item.label}`, which always traps",))
            found = found or item.label
    if found:
        return Answer("call", Truth.YES, notes=(f"a call of the monitor is `{found}`, which always traps in the real mode",))
    told = "no instruction always traps in the real mode: a replaced one cannot call the monitor"
    return Answer("call", Truth.UNKNOWN if open_ else Truth.NO, reason=open_ or told)


def _candidates(machine: m.Machine, monitor: m.Monitor) -> Iterator[Item]:
    """Instructions that do not name a CSR, those of the fewest operands first."""
    plain = [item for item in items(machine) if not item.part and not monitor.replaced_by(item.instruction)]
    return iter(sorted(plain, key=lambda item: len(machine.instructions[item.instruction].operands)))
