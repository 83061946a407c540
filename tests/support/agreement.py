"""One step of generated code against the same step of the oracle."""

from __future__ import annotations

import random

from engine_states import element, legal_value

from popek_grammar import machine as m
from popek_vmm.interpreter import Exit, Machine, Reason
from popek_vmm.oracle import Oracle, Stopped


def agree(made: m.Machine, fast: Machine, cells: list[int], rng: random.Random, boundary: bool, name: str) -> None:
    """One step from a random state, fetched from memory, by the interpreter and by the oracle on the same steps."""
    oracle = Oracle(made, steps=fast.steps)
    memory = made.main_memory or ""
    for scalar in made.scalars.values():
        oracle.scalars[scalar.name] = legal_value(rng, scalar, boundary)
    low, size = fast.core.low, fast.core.cells
    place = low + rng.randrange(max(size - 64, 1)) // 8 * 8
    calm = rng.random() < 0.7
    if calm:
        settle(made, oracle)
    oracle.scalars[made.pc] = place & ((1 << made.scalars[made.pc].width) - 1)
    for array in made.arrays.values():
        if not array.memory:
            count = min(array.count, 1 << array.index_width)
            values = {i: element(rng, array, boundary, low, size) for i in range(min(count, 256)) if i != array.zero_at}
            oracle.arrays[array.name] = values
    near = {low + (place - low + i) % size for i in range(-16, 64)}
    oracle.arrays[memory] = {at: rng.getrandbits(made.arrays[memory].width) for at in near}
    oracle.arrays[memory].update({low + (place - low + i) % size: cell for i, cell in enumerate(cells)})
    written = give(made, fast, oracle)
    before = dict(oracle.arrays[memory])
    stopped = False
    try:
        stepped = str(oracle.step())
    except Stopped:
        stopped, stepped = True, "stopped"
    found = fast.step()
    clear(fast, memory, {*written, *oracle.arrays[memory]}, before, made, oracle, found, stopped, f"{name}: {stepped}")


def settle(made: m.Machine, oracle: Oracle) -> None:
    """Control and map state as after reset, so that most instructions complete."""
    for scalar in made.scalars.values():
        if scalar.role in (m.Role.CONTROL, m.Role.MAP, m.Role.MODE, m.Role.ENV):
            oracle.scalars[scalar.name] = scalar.initial


def give(made: m.Machine, fast: Machine, oracle: Oracle) -> list[int]:
    """Puts the oracle's state into the interpreter; the cells that it wrote."""
    for name, value in oracle.scalars.items():
        fast.set(name, value)
    for array in made.arrays.values():
        if array.memory:
            continue
        for index in range(min(1 << array.index_width, 256)):
            fast.set(array.name, oracle.arrays[array.name].get(index, 0), index)
    cells = oracle.arrays[made.main_memory or ""]
    for at, value in cells.items():
        fast.set(made.main_memory or "", value, at)
    return list(cells)


def clear(
    fast: Machine, memory: str, touched: set[int], before: dict[int, int], made: m.Machine, oracle: Oracle, found: Exit,
    stopped: bool, text: str,
) -> None:  # fmt: skip
    """Compares the states after the step, then empties the memory."""
    inside = [at for at in touched if fast.core.inside(at)]
    try:
        if found.reason is Reason.STOPPED:
            assert stopped or any(not fast.core.inside(at) for at in oracle.arrays[memory]) or "no memory" in found.text, text
            return
        if found.reason is Reason.HALTED:
            return
        assert not stopped, text
        scalars = {name: fast.get(name) for name in made.scalars}
        wrong = {n: (hex(scalars[n]), hex(v)) for n, v in oracle.scalars.items() if scalars[n] != v}
        assert not wrong, f"{text} (interpreter, oracle): {wrong}"
        for array in made.arrays.values():
            if not array.memory:
                mine = {i: fast.get(array.name, i) for i in range(min(1 << array.index_width, 256))}
                theirs = {i: oracle.arrays[array.name].get(i, 0) for i in mine}
                assert mine == theirs, f"{text}: {array.name}"
        assert {at: fast.get(memory, at) for at in inside} == {at: oracle.arrays[memory].get(at, 0) for at in inside}, text
    finally:
        for at in inside:
            fast.set(memory, 0, at)
