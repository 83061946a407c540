"""Where a monitor has what of a guest: pieces of arrays, banked by the guest's mode."""

from __future__ import annotations

import pytest

from popek_grammar.assembly.decode import decoder_of
from popek_grammar.elaborate import elaborate
from popek_grammar.machine import Machine
from popek_grammar.text.source import load_texts
from popek_vmm.monitor.hosted import Hosted
from popek_vmm.monitor.places import Places
from popek_vmm.oracle import Oracle

BANKED = """
isa banked { title "the last register is banked by mode"; encoding big parcel 8 }
modes { U = 0 < S = 1 }
state {
  pc : bits(8) reset 0
  m : mode role mode reset S
  A[4] : bits(8)
  ss : bits(8)
  ram : mem(8 -> 8)
}
causes { privileged = 1 }
fn read(n: bits(2)) -> bits(8) = if n == 3 and m == S then ss else A[n]
fn put(n: bits(2), v: bits(8)) { if n == 3 and m == S { ss = v } else { A[n] = v } }
trap_stack T { save pc -> ram[0]; save m -> ram[1][0]; vector = 16; enter m = S }
instr add { enc 0001 d:2 s:2; asm "add {d}, {s}"; do { put(d, read(d) + read(s)) } }
instr load_ { enc 0010 d:2 s:2; asm "load {d}, {s}"; do { put(d, load(read(s))) } }
instr user { enc 00110000; asm "user"; guard m == S else trap privileged; do { m = U } }
instr give { enc 0100 d:2 00; asm "give {d}"; guard m == S else trap privileged; do { A[d] = ss } }
otherwise trap privileged
"""
F = "bank A[3] by m { S => ss, U => A[3] }"


@pytest.fixture(scope="module")
def machine() -> Machine:
    return elaborate(load_texts({"b.vmm": f'vmm b for "b.isa" {{\n run S, U at U\n {F}\n}}\n', "b.isa": BANKED}))


@pytest.mark.parametrize("mode", [0, 1])
@pytest.mark.parametrize("program", [[0x13, 0x1C, 0x2E, 0x17], [0x1F, 0x4C, 0x13, 0x30, 0x1F, 0x13]])
def test_a_banked_element_of_registers_in_place(machine: Machine, mode: int, program: list[int]) -> None:
    """All registers after every instruction, by direct execution, by the monitor's own steps, and after a change of mode."""
    steps = Hosted(Places(machine, machine.monitors["b"]))
    alone, guest = Oracle(machine), Oracle(steps.machine, steps=steps)
    for oracle in (alone, guest):
        oracle.set_state({"m": mode, "ss": 40}, {"A": {0: 1, 1: 2, 2: 3, 3: 10}, "ram": {at: 200 - at for at in range(64)}})
    first = steps.places.held(guest.state())
    guest.set_state({name: value.value for name, value in first.scalars.items() if name.startswith("host.")}, {})
    for code in program:
        decoded = decoder_of(machine).decode_cells(lambda number, code=code: code)
        assert decoded is not None
        assert alone.execute(decoded).trap == guest.execute(decoded).trap
        for name in machine.scalars:
            assert guest.scalars[name] == alone.scalars[name], (hex(code), name)
        assert [guest.arrays["A"].get(n, 0) for n in range(4)] == [alone.arrays["A"].get(n, 0) for n in range(4)], hex(code)
        assert guest.arrays["ram"] == alone.arrays["ram"]


@pytest.mark.parametrize("mode", [0, 1])
def test_the_same_in_native_code(machine: Machine, mode: int) -> None:
    """A program from memory, bare and under the monitor: registers, memory, mode."""
    pytest.importorskip("llvmlite")
    from popek_vmm.interpreter import Machine as Running

    steps = Hosted(Places(machine, machine.monitors["b"]))
    found = []
    for running in (Running(machine), Running(machine, steps=steps)):
        for at, code in enumerate([0x1F, 0x2E, 0x13, 0x30, 0x1F, 0x13]):
            running.set("ram", code, 0x40 + at)
        for name, value in {"pc": 0x40, "m": mode, "ss": 0x50}.items():
            running.set(name, value)
        for number, value in enumerate((1, 2, 3, 10)):
            running.set("A", value, number)
        if running.steps is steps:
            running.set("host.A[3]", 0x50 if mode else 10)
        assert running.run(6).steps == 6
        found.append([running.get(name) for name in machine.scalars] + [running.get("A", n) for n in range(4)])
    assert found[0] == found[1]
