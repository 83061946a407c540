"""Ready states: vectors, tables and segments of the shipped machines laid in a small memory, so that random programs run on.

Each changes a random state as little as it takes; what is not mentioned stays random. Traps lead back to where the program
starts, so that the same code runs again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from engine_states import hot_places

from popek_grammar.assembly.words import split_cells
from popek_vmm.interpreter import Machine

Start: TypeAlias = "Callable[[Machine, random.Random, list[int]], list[int]]"


def ready(file: str, running: Machine, rng: random.Random) -> list[int]:
    """Makes a random state one that programs run on from: a few hot addresses, the first of which is where pc is.

    Others are data, and entries of the tables that translate these.
    """
    hot = hot_places(running, rng)
    running.set(running.machine.pc, hot[0])
    make = STARTS.get(file)
    return hot if make is None else make(running, rng, hot)


def put(running: Machine, place: int, value: int, width: int) -> None:
    """A number into memory at a place, `width` bits of it, in the machine's order."""
    memory = running.machine.arrays[running.machine.main_memory or ""]
    for offset, cell in enumerate(split_cells(value, width, memory.width, memory.big_endian)):
        running.core.put_cell(place + offset, cell)


def inside(running: Machine, rng: random.Random, aligned: int = 4) -> int:
    return running.core.low + rng.randrange(running.core.cells) // aligned * aligned


def assign(running: Machine, values: Mapping[str, int]) -> None:
    for name, value in values.items():
        running.set(name, value)


def every(running: Machine, values: Mapping[str, int]) -> None:
    """Sets all elements of arrays."""
    for name, value in values.items():
        for index in range(running.machine.arrays[name].count):
            running.set(name, value, index)


# -- machines ----------------------------------------------------------------------------------------------------------


def _riscv(running: Machine, rng: random.Random, hot: list[int]) -> list[int]:
    """Vectors at the start; below the most privileged mode memory is open, and often there are page tables, most entries good."""
    low, wide = running.core.low, running.machine.scalars["pc"].width == 64
    for mode in "ms":
        assign(running, {f"{mode}tvec.BASE": hot[0] >> 2, f"{mode}tvec.MODE": 0})
    every(running, {"pmp_cfg": 0})
    running.set("pmp_cfg", 0x1F, 0)
    running.set("pmp_addr", (1 << 54) - 1, 0)
    if rng.random() < 0.4:
        assign(running, {"satp.MODE": 0, "mode": rng.choice((0, 1, 3))})
        return hot
    for name in [name for name in running.machine.scalars if name.startswith("medeleg")] if rng.random() < 0.7 else ():
        running.set(name, 0xB1FF)
    size, root, below, last = 8 if wide else 4, low + 0x4000, low + 0x8000, low + 0xC000
    user = rng.choice((0, 0x10))
    for number in range(4096 // size):
        flags = rng.choice((0xCF, 0xCF, 0xCF, 0xCB, 0xC7, rng.getrandbits(8))) & ~0x10 | user
        page = low + number % (running.core.cells >> 12) * 4096 >> 2
        bottom = page | flags if rng.random() < 0.8 else low + rng.randrange(running.core.cells) >> 12 << 10 | flags
        put(running, root + number * size, below >> 2 | 1 if rng.random() < 0.9 else low >> 2 | flags, 8 * size)
        middle = last >> 2 | 1 if rng.random() < 0.9 else low >> 2 | flags
        put(running, below + number * size, middle if wide else bottom, 8 * size)
        put(running, last + number * size, bottom, 8 * size)
    assign(running, {"satp.MODE": 8 if wide else 1, "satp.PPN": root >> 12, "mode": 0 if user else 1})
    pages = [(last if wide else below) + (place - low >> 12) * size for place in hot]
    return [*hot, *pages, root + (2 if wide else 512) * size]


def _x86(running: Machine, rng: random.Random, hot: list[int]) -> list[int]:
    """Flat segments of the current ring, a table of them, gates for all interrupts to the start; often pages."""
    gdt, idt, tss = 0x400, 0x800, 0x300
    ring = rng.choice((0, 0, 3))
    put(running, gdt, 0, 64)
    for number in range(4):
        for kind, half in ((0x9B, 8), (0x93, 16)):
            put(running, gdt + 16 * number + half, 0x00CF_0000_0000_FFFF | (kind | number << 5) << 40, 64)
    for number in range(64):
        put(running, idt + 8 * number, hot[0] & 0xFFFF | 8 << 16 | 0xEE00 << 32 | hot[0] >> 16 << 48, 64)
    for number in range(3):
        put(running, tss + 4 + 8 * number, hot[-1], 32)
        put(running, tss + 8 + 8 * number, 16 * number + 16 | number, 32)
    assign(running, {
        "gdtr.base": gdt, "gdtr.limit": 0x47, "idtr.base": idt, "idtr.limit": 0x1FF, "tr.base": tss, "tr.limit": 0x67, "tr.P": 1,
        "cr0.PE": 1, "cr0.PG": 0, "eflags.VM": 0, "eflags.TF": 0, "halted": 0, "intr_vector": rng.randrange(64), "cpl": ring,
    })  # fmt: skip
    every(running, {"seg.base": 0, "seg.limit": 0xFFFFFFFF, "seg.P": 1, "seg.DPL": ring, "seg.type": 3})
    every(running, {"seg.sel": 16 * ring + 16 | ring})
    running.set("seg.type", 11, 1)
    running.set("seg.sel", 16 * ring + 8 | ring, 1)
    if rng.random() < 0.3:
        at = rng.randrange(16)
        running.set("seg.limit", running.core.cells - 1 - at, 3)
        running.set("seg.base", at, 3)
    if rng.random() < 0.4:
        return hot
    for number in range(1024):
        put(running, 0x4000 + 4 * number, 0x8007 if rng.random() < 0.9 else rng.choice((0x87, 0x8000 | rng.getrandbits(3))), 32)
        page = number << 12 if rng.random() < 0.8 else inside(running, rng, 4096)
        put(running, 0x8000 + 4 * number, page % running.core.cells | rng.choice((0x67, 0x67, 0x67, rng.getrandbits(7))), 32)
    assign(running, {"cr0.PG": 1, "cr3.BASE": 4, "cr4.PSE": 1, "cr4.PKE": 0})
    return [*hot, *(0x8000 + 4 * (place >> 12) for place in hot), 0x4000]


def _arm(running: Machine, rng: random.Random, hot: list[int]) -> list[int]:
    """Vectors among the first instructions; often a section, or small pages, mapped as they lie."""
    assign(running, {"sctlr.V": 0, "sctlr.M": 0, "vbar.BASE": hot[0] >> 5})
    if rng.random() < 0.4:
        return hot
    section = rng.random() < 0.3
    put(running, 0x4000, 0xC02 if section else 0x8001, 32)
    for number in range(256):
        page = number << 12 if rng.random() < 0.8 else inside(running, rng, 4096)
        put(running, 0x8000 + 4 * number, page % running.core.cells | rng.choice((0x32, 0x32, 0x32, rng.getrandbits(10))), 32)
    assign(running, {"sctlr.M": 1, "ttbr0.BASE": 1, "dacr": 0x55555555})
    return [*hot, *(0x8000 + 4 * (place >> 12) for place in hot), 0x4000]


def _mips(running: Machine, rng: random.Random, hot: list[int]) -> list[int]:
    """In an unmapped segment, or with pages mapped as they lie; vectors lie in memory anyhow."""
    kernel = rng.random() < 0.6
    assign(running, {"c0_status.BEV": 0, "slot": 0, "mode": 0 if kernel else rng.randrange(2)})
    for index in range(64):
        running.set("tlb.VPN", index if rng.random() < 0.9 else rng.getrandbits(20), index)
        running.set("tlb.PFN", index, index)
    every(running, {"tlb.V": 1, "tlb.G": 1})
    bias = rng.choice((0x80000000, 0xA0000000)) if kernel else 0
    running.set("pc", bias + hot[0])
    return [bias + place for place in hot]


def _s370(running: Machine, rng: random.Random, hot: list[int]) -> list[int]:
    """New PSWs for every class of interruption, in either state, at the start; no overflow is due."""
    for place in (0x58, 0x60, 0x68):
        masks = rng.choice((0, 0x0200, 0x0300, rng.getrandbits(16) & 0x03F0))
        put(running, place, (0x0008 | masks | rng.getrandbits(1)) << 48 | rng.getrandbits(6) << 40 | hot[0], 64)
    assign(running, {"overflow_due": 0, "system.T": 0, "system.KEY": rng.choice((0, 0, 5))})
    if rng.random() < 0.8:
        every(running, {"key.ACC": 0, "key.F": 0})
    return hot


def _pdp10(running: Machine, rng: random.Random, hot: list[int]) -> list[int]:
    """Traps and interrupts are jumps to the start that save pc; all of memory is the user's, as it lies or moved."""
    for place in range(32, 64):
        put(running, place, 0o264 << 27 | hot[0] - 1, 36)
    assign(running, {"halted": 0, "area.PROTECTION": 0xFF, "area.RELOCATION": rng.choice((0, 0, 1))})
    return hot


STARTS: Final[Mapping[str, Start]] = {
    "riscv/riscv.isa": _riscv,
    "x86/ia32.isa": _x86,
    "arm/armv7a.isa": _arm,
    "mips/mips.isa": _mips,
    "s370/s370.isa": _s370,
    "pdp10/ka10.isa": _pdp10,
}
