"""Zicfilp: programs run on the oracle as the manual's chapter on control-flow integrity says they do."""

from __future__ import annotations

import pytest

from machines import machine
from popek_grammar.assembly.assemble import assemble, assemble_line
from popek_vmm.oracle import Oracle

CODE, HANDLER = 0x80001000, 0x80002000
U, S, M = 0, 1, 3
SWITCH = {M: "mseccfg.MLPE", S: "menvcfg.LPE", U: "senvcfg.LPE"}


def started(text: str, mode: int = M, on: bool = True, config: str = "rv64", **scalars: int) -> Oracle:
    """The program in a mode whose switch is on or off; those of the other modes are the other way round."""
    oracle = Oracle(machine("riscv/landing_pads.isa", config))
    origin, cells = assemble(oracle.machine, text, CODE).image()
    oracle.load(cells, origin)
    oracle.scalars |= {switch: int((which == mode) == on) for which, switch in SWITCH.items()}
    oracle.scalars |= {"pc": CODE, "mode": mode, "mtvec.BASE": HANDLER >> 2, "stvec.BASE": HANDLER + 0x100 >> 2}
    oracle.scalars |= {name.replace("__", "."): value for name, value in scalars.items()}
    oracle.arrays["pmp_cfg"][0], oracle.arrays["pmp_addr"][0] = 0x1F, (1 << 54) - 1  # all of memory, for every mode
    return oracle


def traps(oracle: Oracle, steps: int) -> list[str | None]:
    return [oracle.step().trap for _ in range(steps)]


JUMP = "auipc t0, 0\n addi t0, t0, 16\n mv {rs1}, t0\n {jump}\n {pad}\n"
"""The instruction at CODE + 16 is what an indirect jump by `rs1` comes to."""


@pytest.mark.parametrize("jump", ["jalr zero, 0({rs1})", "c.jr {rs1}\n c.nop 0", "c.jalr {rs1}\n c.nop 0"])
@pytest.mark.parametrize(("rs1", "expects"), [("a0", 1), ("ra", 0), ("t0", 0), ("t2", 0), ("t1", 1)])
@pytest.mark.parametrize("on", [True, False])
def test_an_indirect_jump_expects_a_landing_pad(jump: str, rs1: str, expects: int, on: bool) -> None:
    """Returns by x1 and x5, and jumps by x7, expect none. CFI 2.1."""
    oracle = started(JUMP.format(rs1=rs1, jump=jump.format(rs1=rs1), pad="nop"), on=on)
    assert traps(oracle, 4) == [None] * 4
    assert oracle.scalars["elp"] == (expects if on else 0)
    assert oracle.scalars["pc"] == CODE + 16
    assert traps(oracle, 1) == ["software_check" if expects and on else None]
    if expects and on:
        assert (oracle.scalars["mcause"], oracle.scalars["mtval"], oracle.scalars["mepc.PC"] << 1) == (18, 2, CODE + 16)
        assert (oracle.scalars["elp"], oracle.scalars["previous.MPELP"]) == (0, 1)


@pytest.mark.parametrize(
    ("label", "x7", "fits"), [(0, 0x12345000, True), (0x12345, 0x12345FFF, True), (0x12345, 0x12346000, False)]
)
def test_labels(label: int, x7: int, fits: bool) -> None:
    """A label other than 0 must be bits 31 to 12 of x7. CFI 2.3."""
    oracle = started(f"lpad {label}\n", elp=1)
    oracle.arrays["X"][7] = 0xFFFFFFFF_00000000 | x7
    assert traps(oracle, 1) == [None if fits else "software_check"]
    assert oracle.scalars["elp"] == 0


def test_a_landing_pad_lies_at_a_multiple_of_four() -> None:
    oracle = started("c.nop 0\n lpad 0\n", elp=1)
    oracle.scalars["pc"] = CODE + 2
    assert traps(oracle, 1) == ["software_check"]


def test_a_landing_pad_that_nothing_expects_does_nothing() -> None:
    oracle = started("lpad 0x12345\n")
    assert traps(oracle, 1) == [None]
    assert oracle.scalars["pc"] == CODE + 4
    assert not any(oracle.arrays["X"].values())


def test_lpad_is_auipc_of_x0() -> None:
    assert assemble_line(machine("riscv/landing_pads.isa"), "lpad 0x12345") == (0x12345017, 32)
    assert assemble_line(machine("riscv/riscv.isa"), "auipc zero, 0x12345") == (0x12345017, 32)


@pytest.mark.parametrize("line", ["mret", "sret", "wfi", "sfence.vma zero, zero", "csrrs a0, cycle, zero", "ecall", "ebreak",
                                  "lw a0, 0(zero)", "c.ebreak", "c.lwsp a0, 0(sp)", "fence.i", "mul a0, a0, a0"])  # fmt: skip
def test_a_missed_landing_pad_comes_before_anything_else(line: str) -> None:
    """In user mode, where most of these would trap for other reasons. CFI 2.3."""
    oracle = started(line + "\n", U, elp=1, mstatus__TW=1)
    assert traps(oracle, 1) == ["software_check"]


@pytest.mark.parametrize("config", ["rv64", "rv32"])
@pytest.mark.parametrize(("mode", "delegated"), [(M, False), (S, False), (S, True), (U, True)])
def test_traps_keep_what_is_expected(config: str, mode: int, delegated: bool) -> None:
    """MPELP or SPELP, cleared by the return, which brings it back where the switch of the mode returned to is on. CFI 2.4."""
    handler = HANDLER + (0x100 if delegated else 0)
    oracle = started("nop\n", mode, True, config, elp=1, medeleg__CHECK=int(delegated))
    oracle.load(assemble(oracle.machine, "sret" if delegated else "mret", handler).image()[1], handler)
    kept = "mstatus.SPELP" if delegated else "previous.MPELP"
    assert traps(oracle, 1) == ["software_check"]
    assert (oracle.scalars["mode"], oracle.scalars["elp"], oracle.scalars[kept]) == (S if delegated else M, 0, 1)
    assert traps(oracle, 1) == [None]
    assert (oracle.scalars["mode"], oracle.scalars["elp"], oracle.scalars[kept]) == (mode, 1, 0)
    oracle.scalars[kept], oracle.scalars[SWITCH[mode]], oracle.scalars["elp"] = 1, 0, 0
    oracle.scalars |= {"pc": handler, "mode": S if delegated else M}
    oracle.scalars |= {"mstatus.SPP": mode & 1} if delegated else {"mstatus.MPP": mode}
    assert traps(oracle, 1) == [None]
    assert (oracle.scalars["mode"], oracle.scalars["elp"], oracle.scalars[kept]) == (mode, 0, 0)


@pytest.mark.parametrize(
    ("config", "csr", "bit", "state"),
    [
        ("rv64", "mstatus", 41, "previous.MPELP"),
        ("rv32", "mstatush", 9, "previous.MPELP"),
        ("rv64", "sstatus", 23, "mstatus.SPELP"),
        ("rv64", "mseccfg", 10, "mseccfg.MLPE"),
        ("rv64", "menvcfg", 2, "menvcfg.LPE"),
        ("rv64", "senvcfg", 2, "senvcfg.LPE"),
    ],
)
def test_registers(config: str, csr: str, bit: int, state: str) -> None:
    oracle = started(f"csrrs a1, {csr}, a0\n csrrc a2, {csr}, a0\n", M, False, config)
    oracle.scalars[state] = 0
    oracle.arrays["X"][10] = 1 << bit
    assert traps(oracle, 1) == [None]
    assert oracle.scalars[state] == 1
    assert traps(oracle, 1) == [None]
    assert oracle.scalars[state] == 0
    assert (oracle.arrays["X"].get(11, 0) >> bit & 1, oracle.arrays["X"][12] >> bit & 1) == (0, 1)
