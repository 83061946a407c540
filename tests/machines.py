"""The shipped machines, as tests go through them: every file in every configuration."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from popek_grammar.load import configs_of, load_machine
from popek_grammar.machine import Machine

SPEC = Path(__file__).resolve().parents[1] / "spec"
FILES = (
    "pg1974.isa",
    "stack/stack.isa",
    "abi/abi.isa",
    "riscv/riscv.isa",
    "riscv/hypervisor.isa",
    "riscv/landing_pads.isa",
    "x86/ia32.isa",
    "x86/svm.isa",
    "mips/mips.isa",
    "arm/armv7a.isa",
    "s370/s370.isa",
    "pdp10/ka10.isa",
    "m68k/m68000.isa",
)


def variants() -> list[tuple[str, str]]:
    """Every (file, configuration) pair."""
    return [(file, config) for file in FILES for config in configs_of(str(SPEC / file))]


def representatives() -> list[tuple[str, str]]:
    """One configuration of each file, and those that are another machine at every turn: for what costs much."""
    return [(file, configs_of(str(SPEC / file))[0]) for file in FILES] + [("riscv/riscv.isa", "rv32")]


@lru_cache(maxsize=8)
def machine(file: str, config: str | None = None) -> Machine:
    """A shipped machine."""
    return load_machine(str(SPEC / file), config)
