"""What the privileged RISC-V programs find, run on the oracle."""

from __future__ import annotations

from functools import cache

import riscv_accesses
import riscv_privileged
from riscv_guests import ORIGIN, RESULTS
from riscv_programs import text, translate

from machines import machine
from popek_grammar.assembly.assemble import Program, assemble
from popek_vmm.oracle import Oracle
from popek_vmm.steps import Steps

MOST_STEPS = 700

PROGRAMS = riscv_privileged.PROGRAMS | riscv_accesses.PROGRAMS
IN_BOTH = ("misaligned", "supervisor", "sum_mxr")
"""Programs to which the width matters: the others run on RV64 alone."""


def spelled(body: str, xlen: int) -> str:
    """The program, with what depends on the width."""
    wild = "lui a1, 0x600\nlw a0, 4(a1)"
    if xlen == 64:
        wild += "\nli a1, 1\nslli a1, a1, 38\nlw a0, 0(a1)"
        wild += "\nli a1, 1\nslli a1, a1, 56\nadd a1, a1, s0\nlw a0, 0(a1)"
    lines = (line.split("  # ")[0] for line in body.splitlines())
    return text(xlen, "\n".join(lines).replace("TRANSLATE", translate(xlen)).replace("WILD", wild))


@cache
def program(name: str, xlen: int) -> Program:
    return assemble(machine("riscv/riscv.isa", f"rv{xlen}"), spelled(PROGRAMS[name], xlen), ORIGIN)


def found(name: str, xlen: int, steps: Steps | None = None) -> bytes:
    """What the oracle has stored when the program is done; `steps`: by which it is run, the bare machine's by default."""
    oracle, made = Oracle(machine("riscv/riscv.isa", f"rv{xlen}"), steps=steps), program(name, xlen)
    oracle.load(made.image()[1], ORIGIN)
    for _ in range(MOST_STEPS):
        if oracle.scalars["pc"] == made.labels["finish"]:
            break
        oracle.step()
    else:
        raise AssertionError(f"still at {oracle.scalars['pc']:#x}")
    first = ORIGIN + RESULTS
    return bytes(oracle.arrays["ram"].get(at, 0) for at in range(first, oracle.arrays["X"][9]))
