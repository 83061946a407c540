"""What a monitor says to no effect: an instruction replaced that always traps anyway."""

from __future__ import annotations

from collections.abc import Iterator

from popek_grammar import machine as m
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.instruction import execute, general
from popek_grammar.meaning.state import PC_WRITTEN, symbolic
from popek_grammar.meaning.views import View
from popek_grammar.text.diagnostics import Diagnostic


def idle(machine: m.Machine) -> Iterator[Diagnostic]:
    """W0480: an instruction that is replaced though it always traps in the real mode, whatever the rest of the state is."""
    for monitor in machine.monitors.values():
        for replaced in monitor.replaced:
            for label in replaced.names:
                if _always_traps(machine, monitor, label):
                    message = f"`{label}` always traps in mode {machine.modes.name(monitor.at)}: the monitor has it anyway"
                    hint = f"leave it out; `{replaced.how}` is for what does not trap"
                    yield Diagnostic("W0480", "warning", message, replaced.span, "", (), hint)


def _always_traps(machine: m.Machine, monitor: m.Monitor, label: str) -> bool:
    """Whether that shows in its meaning as it stands, with what f holds at a number in place."""
    name, _, part = label.removesuffix(")").partition("(")
    instruction = machine.instructions[name]
    numbers = {register: address for address, register in machine.csrs.items()}
    fixed = {instruction.split[0]: numbers[part]} if part in numbers else {}
    state = symbolic(machine)
    state.scalars[PC_WRITTEN] = t.FALSE
    if machine.mode is not None:
        state.scalars[machine.mode] = t.const(monitor.at, machine.scalars[machine.mode].width)
    for line in monitor.placement.held:
        if isinstance(line.value, m.Literal) and line.index is None:
            state.scalars[line.target] = t.const(line.value.value, machine.scalars[line.target].width)
    return execute(machine, general(machine, instruction, fixed), state, View()).ok is t.FALSE
