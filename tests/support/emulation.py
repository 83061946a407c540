"""What the tests against Unicorn share: random values, an oracle with all its choices made, and an emulator that steps."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest

from popek_grammar.machine import Encoding, Machine
from popek_grammar.meaning import terms as t
from popek_grammar.meaning.paths import Ranges
from popek_grammar.meaning.terms import Term
from popek_vmm.oracle import Oracle

unicorn = pytest.importorskip("unicorn", reason="the emulator `unicorn` is not installed")

INVALID = -1
"""The number of the trap that Unicorn raises where it knows no instruction."""
BEYOND = 0x800
"""Emulation ends so far on if it has not counted before; the emulator wants an address that is mapped."""
BLOCK = 256


class Unmapped(Exception):
    """The access left the memory that the emulator has."""


class Both(Oracle):
    """The oracle, its open choices all resolved one way, and whether there were any."""

    def __init__(self, made: Machine, choice: int = 0) -> None:
        super().__init__(made)
        self.choice, self.chose = choice, False

    def _choose(self, site: str, width: int, ranges: Ranges) -> Term:
        self.chose = True
        return t.const(self.choice and (1 << width) - 1, width)


class Emulator:
    """A processor of Unicorn, of a model, with some memory (start and size), and a hook that stops it at its first trap."""

    def __init__(self, processor: tuple[int, ...], memory: Mapping[int, int], model: int | None = None) -> None:
        self.uc = unicorn.Uc(*processor)
        if model is not None:
            self.uc.ctl_set_cpu_model(model)
        for start, size in memory.items():
            self.uc.mem_map(start, size)
        self.traps: list[int] = []
        self.uc.hook_add(unicorn.UC_HOOK_INTR, self._trap)

    def _trap(self, uc: Any, number: int, _: object) -> None:
        self.traps.append(number)
        uc.emu_stop()

    def step(self, at: int, code: bytes, count: int = 1, physical: int | None = None) -> int | None:
        """Runs `count` instructions of the code, put there: the first trap, or None. It may end where nothing is."""
        self.uc.mem_write(at if physical is None else physical, code)
        self.uc.ctl_remove_cache(at, at + len(code))
        self.traps.clear()
        try:
            self.uc.emu_start(at, at + BEYOND, count=count)
        except unicorn.UcError as error:
            if error.errno == unicorn.UC_ERR_INSN_INVALID:
                return INVALID
            if error.errno != unicorn.UC_ERR_FETCH_UNMAPPED:
                raise Unmapped from error
        return self.traps[0] if self.traps else None


def word(rng: random.Random, width: int = 32) -> int:
    """Random, small, or at a boundary."""
    ones = (1 << width) - 1
    shifted = ones >> rng.randrange(width)
    return rng.choice([rng.getrandbits(width), rng.getrandbits(5), shifted, ones ^ shifted, shifted // 2 + 1])


def encoded(rng: random.Random, encoding: Encoding) -> int:
    """The encoding with random operands."""
    return encoding.value | rng.getrandbits(encoding.width) & ~encoding.mask


def changed(old: bytes, new: bytes) -> dict[str, int]:
    """The bytes of memory that are not what they were."""
    blocks = [at for at in range(0, len(old), BLOCK) if old[at : at + BLOCK] != new[at : at + BLOCK]]
    return {f"{at:#x}": new[at] for block in blocks for at in range(block, block + BLOCK) if old[at] != new[at]}
