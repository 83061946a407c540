"""States of IA-32 that the oracle and Unicorn can both take: registers, and memory with segments and gates of all kinds."""

from __future__ import annotations

import random
import struct
from functools import cache

import pytest
from emulation import word

x86 = pytest.importorskip("unicorn.x86_const", reason="the emulator `unicorn` is not installed")

END, CODE = 0x8000, 0x100000
GDT, LDT, TSS, IDT = 0x400, 0x800, 0x900, 0xB00
BASED = 0x4B
"""A segment of ring 3 that does not begin at 0."""
TABLES = {"gdtr": (0, GDT, 0x1FF, 0), "idtr": (0, IDT, 63, 0), "ldtr": (0x60, LDT, 63, 0x8200), "tr": (0x68, TSS, 0x107, 0x8B00)}
"""Selector, base, limit and attributes."""
FIELDS = {
    "eflags": {
        "CF": 0, "PF": 2, "AF": 4, "ZF": 6, "SF": 7, "TF": 8, "IF": 9, "DF": 10, "OF": 11, "IOPL": 12, "NT": 14, "RF": 16,
        "VM": 17, "AC": 18, "VIF": 19, "VIP": 20, "ID": 21,
    },
    "cr0": {"PE": 0, "MP": 1, "EM": 2, "TS": 3, "NE": 5, "WP": 16, "AM": 18, "NW": 29, "CD": 30, "PG": 31},
    "cr3": {"PWT": 3, "PCD": 4, "BASE": 12},
    "cr4": {"TSD": 2, "DE": 3, "PSE": 4, "MCE": 6, "PGE": 7, "PCE": 8, "OSXSAVE": 18, "PKE": 22},
}  # fmt: skip
REGISTERS = [getattr(x86, f"UC_X86_REG_E{name}") for name in ("AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI")]
SEGMENTS = {name: getattr(x86, f"UC_X86_REG_{name.upper()}") for name in ("es", "cs", "ss", "ds", "fs", "gs")}
SYSTEM = {name: getattr(x86, f"UC_X86_REG_{name.upper()}") for name in (*FIELDS, "cr2")}
MSRS = {"sysenter_cs": 0x174, "sysenter_esp": 0x175, "sysenter_eip": 0x176}
DEBUG = {6: 0xFFFF0FF0, 7: 0x400}
"""What DR6 and DR7 hold at reset, SDM 3A 9.1.1."""


def descriptor(kind: int, dpl: int, base: int = 0, limit: int = 0xFFFFF, present: int = 1) -> int:
    """`kind`: S and the type, SDM 3A 3.4.5. 32 bits, pages."""
    rights = kind | dpl << 5 | present << 7
    return limit & 0xFFFF | (base & 0xFFFFFF) << 16 | rights << 40 | (limit >> 16) << 48 | 0xC << 52 | (base >> 24) << 56


def code_of(ring: int) -> int:
    return 0x10 * ring + 8 | ring


def data_of(ring: int) -> int:
    return 0x10 * ring + 16 | ring


def any_descriptor(rng: random.Random) -> int:
    """A call gate, or a segment or system descriptor; the accessed bit is set, as the machine never sets it."""
    if rng.random() < 0.3:
        to = rng.choice([code_of(rng.randrange(4)), rng.randrange(0x200)])
        return rng.randrange(END) | to << 16 | (12 | rng.randrange(4) << 5 | 1 << 7) << 40
    kind = rng.choice([rng.randrange(16), *[rng.randrange(16) | 0x11] * 2])
    return descriptor(kind, rng.randrange(4), rng.choice([0, 0x80]), word(rng, 20), rng.random() < 0.9)


@cache
def memory() -> bytes:
    """Random, with a GDT of flat segments for each ring and descriptors of all kinds, an LDT, a TSS, an IDT."""
    rng = random.Random(1)
    cells = bytearray(rng.randbytes(END))
    flat = [descriptor(kind, ring) for ring in range(4) for kind in (0x1B, 0x13)]
    table = [0, *flat, descriptor(0x13, 3, 0x80), *(any_descriptor(rng) for _ in range(54))]
    struct.pack_into("<64Q", cells, GDT, *table)
    struct.pack_into("<8Q", cells, LDT, *(any_descriptor(rng) for _ in range(8)))
    struct.pack_into("<7I", cells, TSS, 0, *(part for ring in range(3) for part in (0x3000 + 0x100 * ring, data_of(ring))))
    struct.pack_into("<8Q", cells, IDT, *(code_of(0) << 16 | 0xEE << 40 for _ in range(8)))
    return bytes(cells)


CELLS = dict(enumerate(memory()))


def loaded(selector: int) -> dict[str, int]:
    """What a segment register holds; the limits of our own segments are all the highest."""
    (entry,) = struct.unpack_from("<Q", memory(), GDT + (selector & 0xFFF8))
    base = entry >> 16 & 0xFFFFFF | entry >> 56 << 24
    rights = {"type": entry >> 40 & 15, "DPL": entry >> 45 & 3, "P": entry >> 47 & 1}
    return {"sel": selector, "base": base, "limit": 0xFFFFFFFF, **rights}


class State:
    """A machine state that both sides can take. `near`: the registers hold addresses."""

    def __init__(self, rng: random.Random, ring: int, near: bool) -> None:
        self.ring = ring
        self.registers = [rng.randrange(0x2000, 0x5000) if near else word(rng) for _ in range(8)]
        self.registers[4] = rng.randrange(0x3000, 0x5000, 4)
        self.registers[6:] = [rng.randrange(0x3000, 0x5000) for _ in range(2)]
        if rng.random() < 0.5:
            self.registers[rng.randrange(4)] = rng.choice([rng.randrange(0x240), *MSRS.values()])
        self.msrs = {name: rng.choice([0, 8, rng.randrange(END)]) for name in MSRS}
        self.segments = [rng.choice([data_of(3), BASED, 0]) if n > 3 else rng.choice([data_of(3), BASED]) for n in range(6)]
        self.segments[1:3] = [code_of(ring), data_of(ring)]
        self.system = {"eflags": rng.getrandbits(32) & 0x3C0CD5 | rng.choice([0, rng.randrange(4)]) << 12 | 2}
        self.system |= {
            "cr0": 0x11 | rng.getrandbits(32) & 0x1002A,
            "cr2": word(rng),
            "cr3": 0,
            "cr4": rng.getrandbits(32) & 0x10C,
        }
        selector = rng.choice([code_of(rng.randrange(ring, 4)), rng.randrange(0x240)])
        flags = rng.getrandbits(32) & ~0x20000
        first = rng.randrange(END) if near else rng.choice([selector, flags])
        frame = [first, selector, flags, rng.randrange(END), data_of(rng.randrange(ring, 4))]
        self.stack = struct.pack("<5I", *frame)
