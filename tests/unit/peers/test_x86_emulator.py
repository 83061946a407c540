"""IA-32 against an emulator (unicorn): random instructions in random states of every ring, among segments of all kinds.

The emulator shows which exception comes and not its error code; it checks no segment limits, so the segments in use are
flat. Interrupt delivery is left out, since the emulator's hook comes before it.
"""

from __future__ import annotations

import random
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import pytest
import x86_states as states
from emulation import INVALID, Both, Emulator, Unmapped, changed, unicorn
from x86_states import CODE, END, FIELDS, MSRS, SEGMENTS, TABLES, State, x86

from machines import machine
from popek_grammar.assembly.assemble import assemble_line
from popek_grammar.assembly.decode import Decoded, decoder_of
from popek_grammar.assembly.words import encode, to_cells
from popek_grammar.machine import Encoding, Machine

KEPT = {"cr0": 0xE005003F, "cr3": 0xFFFFF018, "sysenter_cs": 0xFFFF, "sysenter_esp": 0xFFFFFFFF, "sysenter_eip": 0xFFFFFFFF}
"""The bits that the manual defines and an IA-32 processor has, SDM 3A 2.5, SDM 4 2.1: the emulator stores others too."""

LEFT_OUT = {
    **dict.fromkeys(("in_al", "in_al_imm", "in_eax", "out_al", "out_al_imm", "out_eax", "insd", "outsd"),
                    "the emulator lets every port be used, on purpose: SDM 1 19.5 looks at IOPL and the I/O map"),
    "int_n": "the emulator reports it before it looks at the gate",
    "cpuid": "the constants of another processor",
    "rdpmc": "the emulator has no counters, and raises #UD",
    "sysenter": "the emulator calls a hook instead",
}  # fmt: skip

SILENT = (
    "sgdt [0x3000]", "sidt [0x3000]", "sldt eax", "str eax", "smsw eax", "pushfd", "popfd", "lar eax, ecx", "lsl eax, ecx",
    "verr ecx", "verw ecx", "mov eax, cs", "mov eax, ds", "push cs", "push fs", "arpl eax, ecx",
)  # fmt: skip
REFUSED = (
    "cli", "sti", "hlt", "lgdt [0x3000]", "lidt [0x3000]", "lldt ecx", "ltr ecx", "lmsw eax", "clts", "invd", "wbinvd",
    "invlpg [0x3000]", "rdmsr", "wrmsr", "mov cr0, eax", "mov eax, cr0", "mov eax, dr7", "mov dr7, eax", "sysexit",
)  # fmt: skip
"""In ring 3 with IOPL 0: what runs and ought to trap, for Robin and Irvine, and what does trap."""


@dataclass(frozen=True, slots=True)
class Case:
    """An instruction in a state."""

    decoded: Decoded
    code: bytes
    state: State


# -- the two sides -----------------------------------------------------------------------------------------------------

Result = tuple[str | int | None, dict[str, int]]


def on_oracle(made: Machine, case: Case, choice: int) -> tuple[Result, bool]:
    oracle, state = Both(made, choice), case.state
    oracle.scalars |= {"pc": CODE, "cpl": state.ring, "cr2": state.system["cr2"], **state.msrs}
    for name, (selector, base, limit, _) in TABLES.items():
        oracle.scalars |= {f"{name}.base": base, f"{name}.limit": limit}
        oracle.scalars |= {} if name[0] in "gi" else {f"{name}.sel": selector, f"{name}.P": 1}
    for name, fields in FIELDS.items():
        for field, bit in fields.items():
            width = made.scalars[f"{name}.{field}"].width
            oracle.scalars[f"{name}.{field}"] = state.system[name] >> bit & (1 << width) - 1
    oracle.arrays |= {"R": dict(enumerate(state.registers)), "DR": dict(states.DEBUG)}
    oracle.arrays["ram"] = states.CELLS | dict(enumerate(state.stack, state.registers[4]))
    for n, selector in enumerate(state.segments):
        for part, value in states.loaded(selector).items():
            oracle.arrays[f"seg.{part}"][n] = value
    done = oracle.execute_only(case.decoded)
    if done.trap is not None:
        return (done.trap if done.trap.startswith("excluded") else made.causes.find(done.trap).code, {}), oracle.chose
    old = oracle.arrays["ram"]
    stores = {f"{at:#x}": new for at, new in done.arrays["ram"].items() if old.get(at) != new}
    oracle.set_state(done.scalars, {**done.arrays, "ram": {}})
    now = oracle.scalars
    seen = {f"r{n}": value for n, value in oracle.arrays["R"].items()} | {"pc": now["pc"], "cr2": now["cr2"]}
    seen |= {name: sum(now[f"{name}.{field}"] << bit for field, bit in fields.items()) for name, fields in FIELDS.items()}
    seen |= {"eflags": seen["eflags"] | 2, "cr0": seen["cr0"] | 0x10} | {name: now[name] for name in MSRS}
    for n, name in enumerate(SEGMENTS):
        selector = oracle.arrays["seg.sel"][n]
        seen[name] = selector & ~3 | now["cpl"] if name in ("cs", "ss") else selector
    seen |= {f"{name}.{part}": now[f"{name}.{part}"] for name in ("gdtr", "idtr") for part in ("base", "limit")}
    return (None, seen | stores | {"ldtr": now["ldtr.sel"], "tr": now["tr.sel"]}), oracle.chose


class Rings:
    """The emulator, with a saved context in each ring, entered by IRET."""

    def __init__(self) -> None:
        self.emulator = Emulator((unicorn.UC_ARCH_X86, unicorn.UC_MODE_32), {0: END, CODE: 0x1000})
        self.uc = uc = self.emulator.uc
        uc.mem_write(0, states.memory())
        for name, table in TABLES.items():
            uc.reg_write(getattr(x86, f"UC_X86_REG_{name.upper()}"), table)
        for name, number in SEGMENTS.items():
            uc.reg_write(number, states.code_of(0) if name == "cs" else states.data_of(0))
        start, self.contexts = uc.context_save(), []
        for ring in range(4):
            uc.context_restore(start)
            uc.reg_write(x86.UC_X86_REG_ESP, 0x2000)
            uc.mem_write(0x2000, struct.pack("<5I", CODE, states.code_of(ring), 2, 0x3000, states.data_of(ring)))
            assert self.emulator.step(CODE, b"\xcf") is None
            self.contexts.append(uc.context_save())

    def run(self, case: Case) -> Result:
        uc, state = self.uc, case.state
        uc.context_restore(self.contexts[state.ring])
        uc.mem_write(0, states.memory())
        uc.mem_write(state.registers[4], state.stack)
        old = bytes(uc.mem_read(0, END))
        for name, number in SEGMENTS.items():
            if name not in ("cs", "ss"):
                uc.reg_write(number, state.segments[list(SEGMENTS).index(name)])
        for register, value in zip(states.REGISTERS, state.registers, strict=True):
            uc.reg_write(register, value)
        for name, number in MSRS.items():
            uc.reg_write(x86.UC_X86_REG_MSR, (number, state.msrs[name]))
        for name, number in states.SYSTEM.items():
            uc.reg_write(number, state.system[name])
        trap = self.emulator.step(CODE, case.code)
        if trap is not None:
            return 6 if trap == INVALID else trap, {}
        seen = {f"r{n}": uc.reg_read(register) for n, register in enumerate(states.REGISTERS)} | {
            "pc": uc.reg_read(x86.UC_X86_REG_EIP)
        }
        seen |= {name: uc.reg_read(number) for name, number in (SEGMENTS | states.SYSTEM).items()}
        seen |= {name: uc.msr_read(number) for name, number in MSRS.items()}
        for name in TABLES:
            selector, base, limit, _ = uc.reg_read(getattr(x86, f"UC_X86_REG_{name.upper()}"))
            seen |= {f"{name}.base": base, f"{name}.limit": limit} if name[0] in "gi" else {name: selector}
        return None, seen | changed(old, bytes(uc.mem_read(0, END)))


@cache
def rings() -> Rings:
    return Rings()


# -- the comparison ----------------------------------------------------------------------------------------------------


def unlike(case: Case, ours: Result, theirs: Result) -> str | None:
    """Why the two may differ: where the emulator departs from the manual."""
    name, operands, registers = case.decoded.instruction.name, case.decoded.operands, case.state.registers
    differ = {key for key in {*ours[1], *theirs[1]} if ours[1].get(key) != theirs[1].get(key)}
    if name == "rdtsc" and ours[0] == theirs[0]:
        return "the time"
    if name in ("ret_n", "ret_far_n") and operands["n"] >> 15 and differ == {"r4"}:
        return "SDM 2 RET: a number of bytes; the emulator extends its sign"
    if name in ("call_far", "call_far_mem") and differ == {"cs"}:
        return "SDM 2 CALL: RPL of CS becomes CPL; through a gate to conforming code the emulator shows the DPL"
    if name in ("ret_far", "ret_far_n", "iret") and (ours[0], theirs[0]) == (13, None):
        return "SDM 2 RET, IRET: #GP where EIP is not within the limit of CS; the emulator checks it for CALL and JMP alone"
    if name in ("rdmsr", "wrmsr") and registers[1] not in MSRS.values() and theirs[0] is None:
        return "SDM 2 RDMSR: #GP where there is no such register; the emulator has others, and reads 0 for the rest"
    if name in ("mov_from_cr", "mov_to_cr") and (ours[0], theirs[0]) == (6, 13):
        return "SDM 3A 6.9, table 6-2: #UD, of decoding, comes before #GP; the emulator looks at the CPL first"
    if name == "iret" and not case.state.ring and (ours[1]["eflags"] ^ theirs[1]["eflags"]) & ~0x180000 == 0:
        return "SDM 2 IRET: ring 0 loads VIF and VIP; the emulator keeps them"
    if name in ("mov_from_dr", "mov_to_dr") and (ours[0], theirs[0]) == (6, 13):
        return "the same"
    if name == "mov_to_cr" and theirs[0] == 14:
        return "paging is on, and the next fetch faults"
    if name == "mov_to_cr" and (ours[0], theirs[0]) == (13, None):
        return "SDM 2 MOV to control registers: #GP for reserved bits, and PG without PE; the emulator does not check"
    return None


def operands_of(rng: random.Random, encoding: Encoding) -> dict[str, int]:
    """Random ones; displacements that lead to memory, selectors that lead to the GDT mostly."""
    least = {"d32": (0x200, 0x4000), "sel": (0, 0x240)}
    return {
        piece.operand: rng.randrange(*least.get(piece.operand, (0, 1 << piece.hi - piece.lo + 1))) for piece in encoding.pieces
    }


def cases(made: Machine) -> Iterator[Case]:
    decoder = decoder_of(made)
    for name, instruction in made.instructions.items():
        rng, several = random.Random(name), len(instruction.encodings) > 1
        for n in range(0 if name in LEFT_OUT else 20):
            for encoding in instruction.encodings if n < 2 or not several else ():
                coded, width = encode(made, encoding, operands_of(rng, encoding))
                decoded = decoder.decode(coded, width)
                if decoded is not None and decoded.instruction.name == name:
                    direct = not encoding.choices or encoding.choices[0][1] == 0
                    near = not direct or bool(rng.getrandbits(1))
                    yield Case(decoded, bytes(to_cells(coded, width, made)), State(rng, rng.randrange(4), near))


def bits_differ(ours: Result, other: Result, theirs: Result) -> bool:
    """`ours` and `other` are the oracle's with every open choice zeros and ones: a bit must be like that of either."""
    if ours[0] is not None or theirs[0] is not None:
        return ours[0] != theirs[0]
    keys = {*ours[1], *other[1], *theirs[1]}
    first, second, third = ([side[1].get(key, 0) & KEPT.get(key, -1) for key in keys] for side in (ours, other, theirs))
    return any((a ^ c) & (b ^ c) for a, b, c in zip(first, second, third, strict=True))


def test_the_emulator_agrees() -> None:
    """Both raise the same exception, or both come to the same registers, flags, selectors, tables and memory."""
    made = machine("x86/ia32.isa", "base")
    agreed: Counter[str] = Counter()
    strange = []
    for case in cases(made):
        ours, chose = on_oracle(made, case, 0)
        if isinstance(ours[0], str):
            continue
        other = on_oracle(made, case, 1)[0] if chose else ours
        try:
            theirs = rings().run(case)
        except Unmapped:
            continue
        name = case.decoded.instruction.name
        if not bits_differ(ours, other, theirs):
            agreed[name] += 1
        elif unlike(case, ours, theirs) is None:
            differ = sorted({*ours[1].items()} ^ {*theirs[1].items()})
            strange.append((name, case.code.hex(), case.state.ring, ours[0], theirs[0], differ))
    assert strange == []
    assert {name for name in made.instructions if agreed[name] < 2} <= LEFT_OUT.keys()


@pytest.mark.parametrize("line", [*SILENT, *REFUSED])
def test_ring_3(line: str) -> None:
    made, rng = machine("x86/ia32.isa", "base"), random.Random(line)
    coded, width = assemble_line(made, line)
    decoded = decoder_of(made).decode(coded, width)
    assert decoded is not None
    for _ in range(3):
        case = Case(decoded, bytes(to_cells(coded, width, made)), State(rng, 3, True))
        case.state.system["eflags"] &= ~0x3000
        case.state.msrs["sysenter_cs"] = 8
        ours, theirs = on_oracle(made, case, 0)[0], rings().run(case)
        assert not bits_differ(ours, on_oracle(made, case, 1)[0], theirs)
        assert ours[0] == (13 if line in REFUSED else None)
        if line == "popfd":
            assert (ours[1]["eflags"] ^ case.state.system["eflags"]) & 0x3200 == 0
