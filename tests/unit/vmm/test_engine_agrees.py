"""Generated code does what the oracle does: every instruction of every shipped machine, on random and boundary states."""

from __future__ import annotations

import io
import os
import random
from functools import lru_cache

import pytest
from agreement import agree
from engine_states import not_too_long, word_of

from machines import SPEC, machine, representatives

pytest.importorskip("llvmlite")

from popek_vmm.consoles import Stream
from popek_vmm.interpreter import Machine

STATES = int(os.environ.get("POPEK_STATES", "1"))


@lru_cache(maxsize=1)
def interpreter(file: str, config: str) -> Machine:
    return Machine.load(str(SPEC / file), config, Stream(io.BytesIO()))


@pytest.mark.parametrize(("file", "config"), representatives())
def test_interpreter_agrees_with_the_oracle(file: str, config: str) -> None:
    """One step from a random state, fetched from memory: all scalars, all array elements, the cells around."""
    not_too_long(file)
    made, fast = machine(file, config), interpreter(file, config)
    for name, instruction in made.instructions.items():
        for n in range(2 * STATES):
            rng = random.Random(f"{name}{n}")
            agree(made, fast, word_of(rng, made, instruction), rng, n % 2 == 1, name)


def test_most_steps_are_native() -> None:
    """The comparison above is of generated code, not of the oracle with itself."""
    made, fast = machine("riscv/riscv.isa", "rv64"), interpreter("riscv/riscv.isa", "rv64")
    before = fast.counts.slow
    for n, instruction in enumerate(made.instructions.values()):
        rng = random.Random(n)
        agree(made, fast, word_of(rng, made, instruction), rng, False, instruction.name)
    assert fast.counts.slow - before < len(made.instructions) // 2
