"""The host's memory, beside the guest's: what a body reaches that names memory by its physical cells, under an opaque view.

Under `view` and `per_mode` the machine's memory stands for the guest's own, in whatever cells of the host it lies. A body that
reads or writes `ram[a]` goes past the view, to memory of the host: a resource, of which the guest can be told (location
sensitive) and which it can change (control sensitive). What trap entry does with fixed cells is the monitor's matter.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from popek_checker.virtualizability.copies import Itself
from popek_grammar import machine as m
from popek_grammar.examine.effects import effects, followed
from popek_grammar.meaning.views import physical_array


def with_physical(machine: m.Machine, memory: str) -> m.Machine:
    """The machine in which the host's memory is state of its own, where bodies reach it under this memory model."""
    return machine if memory == "translated" else _with_physical(Itself(machine))


@lru_cache(maxsize=8)
def _with_physical(key: Itself[m.Machine]) -> m.Machine:
    (machine,) = key.things
    name = machine.main_memory
    if name is None or not bypasses(machine, name):
        return machine
    host = replace(machine.arrays[name], name=physical_array(name), role=m.Role.ENV)
    return replace(machine, arrays={**machine.arrays, host.name: host})


def bypasses(machine: m.Machine, memory: str) -> bool:
    """Whether some instruction can read or write elements of `memory` itself: in its body, what it calls, or a return."""
    functions = {name: effects(machine, function.body) for name, function in machine.functions.items()}
    registers = [(r.read, r.write, r.guards, tuple(f.value for f in r.fields)) for r in machine.registers.values()]
    saves = [(save.target, save.restore) for stack in machine.trap_stacks.values() for save in stack.saves]
    leaves = [stack.leaves for stack in machine.trap_stacks.values()]
    bodies = [(i.lets, i.guards, i.body) for i in machine.instructions.values()]
    returns = effects(machine, *bodies, *function_bodies(machine)).returns
    found = followed(machine, effects(machine, *bodies, *registers, *((saves, leaves) if returns else ())), functions)
    return memory in found.reads | found.writes


def function_bodies(machine: m.Machine) -> list[object]:
    return [function.body for function in machine.functions.values()]
