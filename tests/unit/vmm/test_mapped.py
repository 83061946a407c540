"""State that lies in memory: loads and stores find it there, a byte or the whole of it, on the oracle and on generated code."""

from __future__ import annotations

from pathlib import Path

import pytest

from popek_grammar.assembly.assemble import assemble
from popek_grammar.load import load_machine
from popek_vmm.oracle import Oracle

SPEC = str(Path(__file__).resolve().parents[2] / "corpus" / "mapped_state.isa")
ORIGIN = 0x8100
PROGRAM = (
    "mov (r2), r3",  # the status as it is: kernel, priority 2
    "movb r1, (r2)",  # its low byte: the mode stays, the priority is 5
    "mov (r2), r4",
    "mov r6, (r5)",  # both page addresses at once
    "mov (r5), r7",
    "mov (r0), r0",  # virtual 0x12, by the new one: 0x0212
)
START = {0: 0x0012, 1: 0x00A0, 2: 0xFFFE, 5: 0xFF80, 6: 0x0702}
FOUND = {0: 0xBEEF, 3: 0x0040, 4: 0x00A0, 7: 0x0702}
STATE = {"pc": ORIGIN, "ps.CM": 0, "ps.PRI": 2}


def cells() -> dict[int, int]:
    _, code = assemble(load_machine(SPEC), "\n".join(PROGRAM), ORIGIN).image()
    return {**dict(enumerate(code, ORIGIN)), 0x212: 0xEF, 0x213: 0xBE}


def test_the_oracle() -> None:
    oracle = Oracle(load_machine(SPEC))
    oracle.arrays["ram"].update(cells())
    oracle.arrays["R"].update(START)
    oracle.scalars.update(STATE)
    for _ in PROGRAM:
        assert oracle.step().trap is None
    assert {index: oracle.arrays["R"].get(index, 0) for index in FOUND} == FOUND
    assert [oracle.arrays["PAR"][number] for number in (0, 1)] == [0x02, 0x07]
    assert oracle.arrays["ram"].get(0xFFFE, 0) == 0


def test_generated_code() -> None:
    """The page where state lies is the oracle's; all else runs natively."""
    pytest.importorskip("llvmlite")
    from popek_vmm.interpreter import Machine

    running = Machine.load(SPEC)
    for place, cell in cells().items():
        running.core.put_cell(place, cell)
    for index, value in START.items():
        running.set("R", value, index)
    for name, value in STATE.items():
        running.set(name, value)
    running.run(len(PROGRAM))
    assert {index: running.get("R", index) for index in FOUND} == FOUND
    assert [running.get("PAR", number) for number in (0, 1)] == [0x02, 0x07]
