"""RISC-V against an emulator (unicorn): ordinary instructions on random states, RV64 and RV32.

What the privileged architecture says is held against QEMU, in test_riscv_qemu.py.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest
from emulation import INVALID, Emulator, Unmapped, changed, encoded, unicorn, word

from machines import machine
from popek_grammar.assembly.decode import Decoded, decoder_of
from popek_grammar.machine import Machine
from popek_vmm.oracle import Oracle

riscv = pytest.importorskip("unicorn.riscv_const")
END, CODE = 0x8000, 0x100000
MEMORY = random.Random(1).randbytes(END)
CELLS = dict(enumerate(MEMORY))
LEFT_OUT = (
    "csrrw", "csrrwi", "csrrs", "csrrc", "csrrsi", "csrrci", "ecall", "ebreak", "c_ebreak", "mret", "sret", "wfi", "sfence_vma",
)  # fmt: skip
"""What the privileged architecture is about."""

Result = tuple[int | None, dict[str, int]]


def on_oracle(made: Machine, decoded: Decoded, registers: list[int]) -> Result:
    oracle = Oracle(made)
    oracle.scalars["pc"] = CODE
    oracle.arrays |= {"X": dict(enumerate(registers)), "ram": CELLS}
    done = oracle.execute_only(decoded)
    if done.trap is not None:
        return made.causes.find(done.trap).code, {}
    seen = {f"x{n}": value for n, value in (dict(enumerate(registers)) | done.arrays["X"]).items()}
    stored = {f"{at:#x}": new for at, new in done.arrays["ram"].items() if CELLS.get(at) != new}
    return None, seen | stored | {"pc": done.scalars["pc"]}


def on_emulator(emulator: Emulator, decoded: Decoded, registers: list[int]) -> Result:
    uc = emulator.uc
    uc.mem_write(0, MEMORY)
    for n, value in enumerate(registers):
        uc.reg_write(riscv.UC_RISCV_REG_X0 + n, value)
    trap = emulator.step(CODE, decoded.word.to_bytes(decoded.encoding.width // 8, "little"))
    if trap is not None:
        return 2 if trap == INVALID else trap, {}
    seen = {f"x{n}": uc.reg_read(riscv.UC_RISCV_REG_X0 + n) for n in range(32)} | {"pc": uc.reg_read(riscv.UC_RISCV_REG_PC)}
    return None, seen | changed(MEMORY, bytes(uc.mem_read(0, END)))


def cases(made: Machine, width: int) -> Iterator[tuple[Decoded, list[int]]]:
    for name, instruction in made.instructions.items():
        rng = random.Random(name)
        for n in range(0 if name in LEFT_OUT else 10):
            for encoding in instruction.encodings:
                decoded = decoder_of(made).decode(encoded(rng, encoding), encoding.width)
                if decoded is not None and decoded.instruction.name == name:
                    near = [rng.randrange(0x3000, 0x5000) & -8 | rng.choice([0, 0, rng.randrange(8)]) for _ in range(32)]
                    yield decoded, [0, *near[1:]] if n % 2 else [0, *(word(rng, width) for _ in range(31))]


def unlike(decoded: Decoded, width: int, ours: Result, theirs: Result) -> str | None:
    """Why the two may differ: where the emulator departs from the manual."""
    instruction, traps = decoded.instruction, (ours[0], theirs[0])
    if instruction.clause in ("sc_w", "sc_d") and traps == (6, None):
        return "Unpriv 13.2: the address must be aligned; where there is no reservation the emulator does not look"
    if instruction.clause in ("amo_w", "amo_d") and traps == (6, 4):
        return "Priv 3.1.15: an AMO raises store/AMO address misaligned"
    if instruction.name in ("c_slli", "c_srli", "c_srai") and width == 32 and traps == (2, None):
        return "Unpriv 26.5: RV32 leaves shamt[5] = 1 to custom extensions; the emulator shifts"
    return None


@pytest.mark.parametrize("config", ["rv64", "rv32"])
def test_unicorn_agrees(config: str) -> None:
    """Both raise the same exception, or both come to the same registers, program counter and memory."""
    made, width = machine("riscv/riscv.isa", config), int(config[2:])
    emulator = Emulator((unicorn.UC_ARCH_RISCV, getattr(unicorn, f"UC_MODE_RISCV{width}")), {0: END, CODE: 0x1000})
    agreed: Counter[str] = Counter()
    strange = []
    for decoded, registers in cases(made, width):
        try:
            theirs = on_emulator(emulator, decoded, registers)
        except Unmapped:
            continue
        ours = on_oracle(made, decoded, registers)
        if ours == theirs:
            agreed[decoded.instruction.name] += 1
        elif unlike(decoded, width, ours, theirs) is None:
            strange.append((decoded.instruction.name, hex(decoded.word), ours, theirs))
    assert strange == []
    assert {name for name in made.instructions if not agreed[name]} == {*LEFT_OUT}
