"""The programs about modes, traps, delegation, paging, protection and MPRV, in generated code: the oracle stores the same."""

from __future__ import annotations

import io

import pytest

pytest.importorskip("llvmlite")

from functools import lru_cache

from engine_states import restart
from riscv_guests import ORIGIN, RESULTS
from riscv_results import IN_BOTH, MOST_STEPS, PROGRAMS, found, program

from machines import SPEC
from popek_vmm.consoles import Stream
from popek_vmm.images.images import Image
from popek_vmm.interpreter import Machine, Reason


@lru_cache(maxsize=2)
def interpreter(xlen: int) -> Machine:
    return Machine.load(str(SPEC / "riscv/riscv.isa"), f"rv{xlen}", Stream(io.BytesIO()))


@pytest.mark.parametrize(("name", "xlen"), [(name, 64) for name in PROGRAMS] + [(name, 32) for name in IN_BOTH])
def test_generated_code_stores_the_same(name: str, xlen: int) -> None:
    running, made = interpreter(xlen), program(name, xlen)
    running.core.put(ORIGIN, bytes(1 << 22))
    restart(running)
    running.boot(Image(((ORIGIN, bytes(made.image()[1])),), ORIGIN, {}))
    running.set("X", 0, 11)  # the oracle starts without a devicetree
    steps = 0
    while running.get("pc") != made.labels["finish"]:
        ended = running.run(7)
        steps += ended.steps
        assert ended.reason is Reason.BUDGET, ended
        assert steps < MOST_STEPS
        if made.labels["finish"] <= running.get("pc") < made.labels["finish"] + 16:
            break
    first = ORIGIN + RESULTS
    assert running.core.fetch(first, running.get("X", 9) - first) == found(name, xlen)
