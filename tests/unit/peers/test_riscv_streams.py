"""Random RISC-V streams on generated code, the oracle and QEMU: the same traps, registers and data. POPEK_FUZZ: how many."""

from __future__ import annotations

import io
import os
from functools import lru_cache
from pathlib import Path

import pytest
from riscv_guests import ORIGIN
from riscv_programs import qemu
from riscv_streams import DATA, REGION, Noted, Result, stream

from machines import SPEC, machine
from popek_grammar.assembly.decode import Decoded

pytest.importorskip("llvmlite")

from engine_states import restart

from popek_vmm.consoles import Stream as Output
from popek_vmm.images.images import flat
from popek_vmm.interpreter import Machine, Reason

EXAMPLES = int(os.environ.get("POPEK_FUZZ", "6"))
LENGTH = 120
MOST_STEPS = 400_000
PAGE = 0x1000
MAPPED = 0x10000


@lru_cache(maxsize=2)
def running(xlen: int) -> tuple[Machine, io.BytesIO]:
    output = io.BytesIO()
    return Machine.load(str(SPEC / "riscv/riscv.isa"), f"rv{xlen}", Output(output)), output


def written(xlen: int, image: bytes, by_oracle: int) -> bytes:
    """What a program writes to the serial port; its first steps are the oracle's."""
    made, output = running(xlen)
    output.seek(0)
    output.truncate()
    made.core.put(ORIGIN, bytes(1 << 16))
    restart(made)
    made.boot(flat(image, ORIGIN))
    for _ in range(by_oracle):
        made.step_by_oracle()
    assert made.run(MOST_STEPS).reason is Reason.HALTED
    return output.getvalue()


def unlike(ours: Noted, theirs: Noted) -> str | None:
    """Why a trap may differ: where QEMU 7.2 departs from the manual."""
    if ours.instruction.startswith("amo") and (ours.cause, theirs.cause) in ((6, 4), (7, 5)):
        return "Priv 3.1.15: what an AMO raises are store/AMO exceptions"
    if (ours.cause, ours.pc) == (theirs.cause, theirs.pc) and ours.value % PAGE == 0 and 0 < ours.value - theirs.value < 8:
        return "Priv 3.1.16: mtval has the address of the part of a misaligned access that failed, not of the whole"
    return None


def differences(ours: Result, theirs: Result) -> list[object]:
    pairs = zip(ours.traps, theirs.traps, strict=False)
    strange: list[object] = [(one, other) for one, other in pairs if one != other and unlike(one, other) is None]
    strange += [(len(ours.traps), len(theirs.traps))] if len(ours.traps) != len(theirs.traps) else []
    registers = enumerate(zip(ours.registers, theirs.registers, strict=True), 1)
    strange += [(f"x{number}", hex(one), hex(other)) for number, (one, other) in registers if one != other]
    return strange + (["data"] if ours.data != theirs.data else [])


@pytest.mark.parametrize("xlen", [64, 32])
@pytest.mark.parametrize("seed", range(EXAMPLES))
def test_qemu_does_the_same(xlen: int, seed: int, tmp_path: Path) -> None:
    made = stream(machine("riscv/riscv.isa", f"rv{xlen}"), seed, LENGTH)
    ours = made.result(written(xlen, made.image, 0))
    assert differences(ours, made.result(qemu(made.image, tmp_path, xlen, f"rv{xlen},h=false"))) == []


@pytest.mark.parametrize("xlen", [64, 32])
@pytest.mark.parametrize("seed", range(EXAMPLES))
def test_unicorn_does_the_same(xlen: int, seed: int) -> None:
    """In machine mode, stretch by stretch: what traps, and what asks for more than the ordinary, is skipped by both."""
    unicorn = pytest.importorskip("unicorn")
    first = pytest.importorskip("unicorn.riscv_const").UC_RISCV_REG_X0
    made, (ours, _) = stream(machine("riscv/riscv.isa", f"rv{xlen}"), seed, LENGTH), running(xlen)
    theirs = unicorn.Uc(unicorn.UC_ARCH_RISCV, getattr(unicorn, f"UC_MODE_RISCV{xlen}"))
    theirs.mem_map(ORIGIN, MAPPED)
    theirs.mem_write(ORIGIN, made.image)
    ours.core.put(ORIGIN, made.image.ljust(MAPPED, b"\0"))
    restart(ours)
    for number in range(32):
        ours.set("X", made.register(number), number)
        theirs.reg_write(first + number, made.register(number))
    ours.set("pmp_cfg", 0x9F, 0)  # locked: to machine mode too, what Unicorn has mapped and nothing else
    ours.set("pmp_addr", ORIGIN + (MAPPED >> 1) - 1 >> 2, 0)
    ours.set("pmp_cfg", 0x98, 1)
    ours.set("pmp_addr", (1 << 54) - 1, 1)
    done, at = 0, next(iter(made.instructions))
    while at in made.instructions:
        steps = 0
        ours.set("pc", at)
        ended = at
        while ended in made.instructions and ordinary(made.instructions[ended]):
            begun, steps = ended, steps + 1
            ours.run(1)
            ended = ours.get("pc")
        trapped = ended not in made.instructions and ended != made.end
        ended, steps = (begun, steps - 1) if trapped else (ended, steps)
        if steps:
            theirs.emu_start(at, made.end + 4, count=steps)
        for number in range(1, 32):
            assert ours.get("X", number) == theirs.reg_read(first + number), (number, hex(at), steps)
        done += steps
        at = ended + made.instructions[ended].encoding.width // 8 if ended in made.instructions else ended
    assert ours.core.fetch(ORIGIN + DATA, REGION) == bytes(theirs.mem_read(ORIGIN + DATA, REGION))
    assert done > LENGTH // 4


def ordinary(decoded: Decoded) -> bool:
    return not decoded.instruction.name.startswith(("csr", "wfi", "sret", "sfence", "fence"))


@pytest.mark.parametrize("xlen", [64, 32])
def test_the_oracle_does_the_same(xlen: int) -> None:
    """The whole stream step by step."""
    made = stream(machine("riscv/riscv.isa", f"rv{xlen}"), 1000, LENGTH)
    fast = made.result(written(xlen, made.image, 0))
    assert len(fast.traps) > 10
    assert differences(fast, made.result(written(xlen, made.image, 600))) == []
