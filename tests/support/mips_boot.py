"""MIPS machines about to run a program, and what is read from them afterwards."""

from __future__ import annotations

from functools import lru_cache

from machines import SPEC
from popek_grammar.assembly.assemble import assemble
from popek_grammar.load import load_machine
from popek_grammar.machine import Machine
from popek_vmm.oracle import Oracle

TEXT = 0x80001000
"""Where programs start: kseg0, physical 0x1000."""
USER = 0x00400000
GENERAL, REFILL = 0x80000080, 0x80000000
LINE = 0x80000180
"""The general vector of MIPS32 with BEV clear."""


@lru_cache
def mips(config: str = "r3000") -> Machine:
    """The machine with twelve entries in use, which the oracle searches faster than 64."""
    return load_machine(str(SPEC / "mips/mips.isa"), config, {"ENTRIES": 12})


def boot(text: str, config: str = "r3000", at: int = TEXT, **registers: int) -> Oracle:
    """A machine about to run the text in kernel mode, BEV and ERL off. Text for `USER` goes to physical 0x3000."""
    oracle = Oracle(mips(config))
    program = assemble(mips(config), text, at)
    first, cells = program.image()
    oracle.load(cells, (first & 0x1FFFFFFF) - (USER - 0x3000 if first < 0x80000000 else 0))
    oracle.scalars.update({"pc": at, "npc": at + 4, "c0_status.BEV": 0, "c0_random.INDEX": 8})
    if config == "mips32":
        oracle.scalars["c0_status.ERL"] = 0
    for name, value in registers.items():
        oracle.arrays["X"][number(name)] = value
    return oracle


def user(text: str, config: str = "r3000", **registers: int) -> Oracle:
    """The text in user mode at USER, mapped by entry 0."""
    oracle = boot(text, config, USER, **registers)
    oracle.scalars["mode"] = 1
    entry(oracle, 0, USER >> 12, 3)
    return oracle


def entry(oracle: Oracle, slot: int, page: int, frame: int, space: int = 0, flags: str = "VD") -> None:
    values = {"VPN": page, "PFN": frame, "ASID": space} | {flag: int(flag in flags) for flag in "NDVG"}
    for name, value in values.items():
        oracle.arrays[f"tlb.{name}"][slot] = value


def number(name: str) -> int:
    return mips().arrays["X"].names.index(f"${name}")


def register(oracle: Oracle, name: str) -> int:
    return oracle.arrays["X"].get(number(name), 0)


def word(oracle: Oracle, address: int) -> int:
    return int.from_bytes(bytes(oracle.arrays["ram"].get(address + i, 0) for i in range(4)), "big")


def cause(oracle: Oracle) -> tuple[int, int, int]:
    """ExcCode, BD, EPC."""
    scalars = oracle.scalars
    return scalars["c0_cause.CODE"], scalars["c0_cause.BD"], scalars["c0_epc"]
