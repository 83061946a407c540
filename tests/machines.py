"""The shipped machines, as tests go through them: every file in every configuration."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from popek_grammar.load import configs_of, load_machine
from popek_grammar.machine import Machine

SPEC = Path(__file__).resolve().parents[1] / "spec"
FILES = ("pg1974.isa", "riscv/riscv.isa", "x86/ia32.isa", "mips/mips.isa")


def variants() -> list[tuple[str, str]]:
    """Every (file, configuration) pair."""
    return [(file, config) for file in FILES for config in configs_of(str(SPEC / file))]


@lru_cache(maxsize=8)
def machine(file: str, config: str | None = None) -> Machine:
    """A shipped machine."""
    return load_machine(str(SPEC / file), config)
