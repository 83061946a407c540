"""The hypervisor: guests beside each other, each as if alone, on native code."""

from __future__ import annotations

import io
import random

import pytest

pytest.importorskip("llvmlite")

from agreement import agree
from engine_states import word_of
from monitors import holding, monitor

from machines import machine
from popek_grammar.assembly.assemble import assemble
from popek_vmm.consoles import Stream
from popek_vmm.images.images import Image
from popek_vmm.interpreter import Machine, Reason
from popek_vmm.monitor.places import HOST, Places
from popek_vmm.monitor.vmm import Guest, Vmm

RISCV = machine("riscv/riscv.isa", "rv64")
BASE = 0x8000_0000
MODES = ("U", "S", "M")
SAYS = """
  lui   t0, 0x10000
  addi  t1, zero, {letter}
  addi  t2, zero, {count}
again:
  csrrw a0, mscratch, t2
  csrrs a1, mscratch, zero
  addi  a2, zero, 50
loop:
  addi  a2, a2, -1
  bne   a2, zero, loop
  sb    t1, 0(t0)
  addi  t2, t2, -1
  bne   t2, zero, again
  lui   t0, 0x100
  lui   t1, 0x5
  addi  t1, t1, 0x555
  sw    t1, 0(t0)
wait:
  jal   zero, wait
"""
"""A guest of machine mode that says a letter some times, with a CSR written and read between, and ends."""
HOSTILE = """
  auipc t0, 0
  addi  t0, t0, 0x100
  csrrw zero, mtvec, t0
  csrrw zero, satp, t0
  csrrw zero, pmpaddr0, t0
  addi  t1, zero, -1
  csrrw zero, mstatus, t1
  csrrw zero, mideleg, t1
  csrrw zero, mie, t1
  sd    t1, 0(t1)
  mret
"""
"""A guest that opens all that it can, and then traps for ever: at its vector lies nothing."""


def image(text: str) -> Image:
    return Image(((BASE, bytes(assemble(RISCV, text, BASE).image()[1])),), BASE, {})


def vmm(weight: int = 1, steps: int = 100) -> Vmm:
    return Vmm(
        Places(RISCV, monitor(RISCV, MODES, "U", f=holding({"mstatus.TW": 1}), steps=steps, weight=weight)), "test riscv in U"
    )


def started(host: Vmm, text: str, weight: int = 1) -> tuple[Guest, io.BytesIO]:
    said = io.BytesIO()
    return host.add(image(text), console=Stream(said), weight=weight), said


def alone(text: str) -> tuple[Machine, bytes, int]:
    """The bare machine after the program, what it has said, and its steps."""
    said = io.BytesIO()
    running = Machine(RISCV, None, Stream(said))
    running.boot(image(text))
    ended = running.run(1 << 20)
    assert ended.reason is Reason.HALTED
    return running, said.getvalue(), ended.steps


def test_generated_code_is_the_oracles() -> None:
    """Every instruction of a guest, from random states of guest and host: the same, with the monitor's counts."""
    host = vmm()
    fast = Machine(RISCV, host.key, Stream(io.BytesIO()), steps=host.steps)
    for name, instruction in RISCV.instructions.items():
        for number in range(2):
            rng = random.Random(f"{name} {number}")
            agree(host.machine, fast, word_of(rng, RISCV, instruction), rng, number == 1, name)


def test_four_guests_one_of_them_hostile_each_as_if_alone() -> None:
    host = vmm()
    texts = [SAYS.format(letter=65 + n, count=5 + n) for n in range(3)]
    guests = [started(host, text) for text in texts]
    hostile, _ = started(host, HOSTILE)
    host.run(100_000)
    for text, (guest, said) in zip(texts, guests, strict=True):
        bare, expected, steps = alone(text)
        assert (said.getvalue(), guest.steps) == (expected, steps)
        assert guest.ended is not None
        for name in RISCV.scalars:
            assert guest.vcpu.get(name) == bare.get(name), name
        assert [guest.vcpu.get("X", n) for n in range(32)] == [bare.get("X", n) for n in range(32)]
    assert hostile.runs
    assert all(hostile.vcpu.get(HOST + name) == guests[0][0].vcpu.get(HOST + name) for name in host.places.apart)


def test_what_the_monitor_did_is_counted() -> None:
    host = vmm()
    guest, _ = started(host, SAYS.format(letter=65, count=10))
    host.run()
    exits = host.exits(guest)
    assert exits.by_instruction == {"csrrw": 10, "csrrs": 10}
    assert exits.by_cause == {"illegal_instruction": 20}
    assert exits.direct_fraction == 1 - 20 / guest.steps


@pytest.mark.parametrize("weights", [(1, 1), (1, 2, 5)])
def test_shares_are_those_of_the_weights(weights: tuple[int, ...]) -> None:
    """Within 2 % of them, for guests that always run."""
    host = vmm()
    guests = [started(host, "loop:\n addi a0, a0, 1\n jal zero, loop", weight)[0] for weight in weights]
    done = host.run(100_000)
    assert done == 100_000 == sum(guest.steps for guest in guests)
    for guest, weight in zip(guests, weights, strict=True):
        assert abs(guest.steps / done - weight / sum(weights)) < 0.02 * weight / sum(weights)


def test_a_run_cut_up_is_the_same_run() -> None:
    """The same guests, weights and slices: the same turns, wherever the run pauses between slices."""
    runs = []
    for pieces in ([4000], [100] * 40):
        host = vmm()
        guests = [started(host, SAYS.format(letter=65 + n, count=30), n + 1)[0] for n in range(3)]
        for piece in pieces:
            host.run(piece)
        runs.append([(guest.steps, guest.slices, guest.vcpu.get("pc")) for guest in guests])
    assert runs[0] == runs[1]


def test_a_trap_that_leads_out_of_the_guests_machine_ends_it() -> None:
    """A guest of S and U only: what it asks of machine mode nobody answers, and the others go on."""
    host = Vmm(Places(RISCV, monitor(RISCV, ("U", "S"), "U", f=holding({"mstatus.TW": 1}), steps=100)), "test riscv without M")
    asks, _ = started(host, "ecall")
    host.run(1000)
    assert asks.ended is not None
    assert asks.ended.text.endswith("leads to mode M, which the guest's machine has not")
