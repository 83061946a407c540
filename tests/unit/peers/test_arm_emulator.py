"""ARMv7-A against an emulator (unicorn): random instructions in random states of every mode.

The processor is a Cortex-R5: ARMv7-R has the same modes and instructions, and no Security Extensions, which would keep
A and F from being written.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from emulation import INVALID, Both, Emulator, Unmapped, changed, encoded, unicorn

from machines import machine
from popek_grammar.assembly.decode import Decoded, decoder_of
from popek_grammar.machine import Machine

arm = pytest.importorskip("unicorn.arm_const")

USR, FIQ, IRQ, SVC, ABT, UND, SYS = MODES = (16, 17, 18, 19, 23, 27, 31)
BANKS = (SYS, FIQ, IRQ, SVC, ABT, UND)
"""A mode for each bank, in the order of the machine's arrays SP, LR and SPSR."""
RESERVED = 0x00F00000
"""Bits of an SPSR that should be zero, B1.3.3: kept here, and lost by the emulator."""
FLAGS = {"N": 31, "Z": 30, "C": 29, "V": 28, "Q": 27, "A": 8, "I": 7, "F": 6}
END, CODE = 0x8000, 0x100000
REGISTERS = [getattr(arm, f"UC_ARM_REG_R{n}") for n in range(13)] + [arm.UC_ARM_REG_SP, arm.UC_ARM_REG_LR]

SYSTEM = (
    "mrs_cpsr", "mrs_spsr", "msr_cpsr", "msr_cpsr_imm", "msr_spsr", "msr_spsr_imm", "cps", "cpsie", "cpsid", "subs_", "movs_",
    "rfe", "srs", "ldm_return", "ldm_user", "stm_user",
)  # fmt: skip
"""What decides the verdict: tried in every mode, often."""
ACCESSES = ("single", "extra", "user_access", "ldm", "stm", "rfe", "srs", "ldm_return", "ldm_user", "stm_user")
"""Clauses whose registers hold addresses."""
LEFT_OUT = {
    **dict.fromkeys(("mrc", "mcr"), "the registers of CP15 are those of another processor"),
    **dict.fromkeys(("dsb", "dmb", "isb", "wfi", "wfe", "sev", "yield_", "nop", "bkpt"), "no effect, or they stop the emulator"),
    **dict.fromkeys(
        ("ands_", "eors_", "rsbs_", "adds_", "adcs_", "sbcs_", "rscs_", "orrs_", "bics_", "mvns_"),
        "B9.3.20: CPSR becomes the SPSR; the emulator does so for SUBS and MOVS alone, and sets the flags for the others",
    ),
}


@dataclass(frozen=True, slots=True)
class Case:
    """An instruction in a state."""

    decoded: Decoded
    state: State


class State:
    """A machine state that both sides can take: the registers of all modes, and CPSR. Memory is MEMORY."""

    def __init__(self, rng: random.Random, mode: int, addresses: bool) -> None:
        def pick() -> int:
            near = [rng.randrange(0x3000, 0x5000, 4)] * 3
            return rng.choice([*near, rng.randrange(0x400)]) if addresses else word(rng)

        self.registers = [pick() for _ in range(15)]
        self.cpsr = {name: rng.getrandbits(1) for name in FLAGS}
        self.mode = mode
        self.stacks = {bank: (pick(), pick()) for bank in BANKS}
        self.status = {bank: status(rng) for bank in BANKS[1:]}
        self.high = [pick() for _ in range(5)]


def word(rng: random.Random) -> int:
    return rng.choice([rng.getrandbits(32), status(rng), rng.getrandbits(5), 0xFFFFFFFF >> rng.randrange(32)])


def status(rng: random.Random) -> int:
    """A status word: of a mode that exists, mostly; never of Thumb, Jazelle or big-endian data; reserved bits zero, B1.3.3."""
    return rng.getrandbits(32) & ~0x01F0023F | rng.choice([*MODES, 0])


MEMORY = b"".join(status(random.Random(at)).to_bytes(4, "little") for at in range(0, END, 4))
"""What lies from 0 to END; the instruction alone is elsewhere."""

# -- the two sides -----------------------------------------------------------------------------------------------------

FETCH_ABORT = 3
"""Of the instruction after: the one that is tried lies where it can be fetched."""

Result = tuple[str | None, dict[str, int]]


def bank_of(mode: int) -> int:
    return BANKS.index(SYS if mode == USR else mode)


def on_oracle(made: Machine, case: Case, choice: int) -> tuple[Result, bool]:
    oracle, state = Both(made, choice), case.state
    oracle.scalars |= {f"cpsr.{name}": bit for name, bit in state.cpsr.items()} | {"mode": state.mode, "pc": CODE}
    oracle.arrays["R"] = dict(enumerate(state.registers))
    oracle.arrays["ram"] = dict(enumerate(MEMORY))
    for n, bank in enumerate(BANKS):
        oracle.arrays["SP"][n], oracle.arrays["LR"][n] = state.stacks[bank]
        oracle.arrays["SPSR"][n] = state.status.get(bank, 0)
    oracle.arrays["HIGH" if state.mode == FIQ else "HIGH_FIQ"] = dict(enumerate(state.high))
    done = oracle.execute_only(case.decoded)
    if done.trap is not None:
        return (done.trap, {}), oracle.chose
    oracle.set_state(done.scalars, done.arrays)
    arrays, mode = oracle.arrays, oracle.scalars["mode"]
    seen = {f"r{n}": arrays["R"][n] for n in range(15)} | {"pc": oracle.scalars["pc"]}
    seen["cpsr"] = sum(oracle.scalars[f"cpsr.{name}"] << bit for name, bit in FLAGS.items()) | mode
    for n, bank in enumerate(BANKS):
        own = n == bank_of(mode)
        seen[f"sp{bank}"] = arrays["R"][13] if own else arrays["SP"][n]
        seen[f"lr{bank}"] = arrays["R"][14] if own else arrays["LR"][n]
        if bank != SYS:
            seen[f"spsr{bank}"] = arrays["SPSR"][n] & ~RESERVED
    for n in range(5):
        elsewhere = arrays["HIGH" if mode == FIQ else "HIGH_FIQ"][n]
        seen[f"high{n}"], seen[f"fiq{n}"] = (elsewhere, seen[f"r{8 + n}"]) if mode == FIQ else (seen[f"r{8 + n}"], elsewhere)
    stored = done.arrays["ram"].items()
    return (None, seen | {f"{at:#x}": new for at, new in stored if MEMORY[at : at + 1] != bytes([new])}), oracle.chose


def on_emulator(emulator: Emulator, case: Case) -> Result:
    put, get, state = emulator.uc.reg_write, emulator.uc.reg_read, case.state
    for bank in BANKS:
        put(arm.UC_ARM_REG_CPSR, bank | 0x1C0)
        put(arm.UC_ARM_REG_SP, state.stacks[bank][0])
        put(arm.UC_ARM_REG_LR, state.stacks[bank][1])
        if bank != SYS:
            put(arm.UC_ARM_REG_SPSR, state.status[bank])
    put(arm.UC_ARM_REG_CPSR, (SVC if state.mode == FIQ else FIQ) | 0x1C0)
    for n in range(5):
        put(REGISTERS[8 + n], state.high[n])
    put(arm.UC_ARM_REG_CPSR, sum(bit << FLAGS[name] for name, bit in state.cpsr.items()) | state.mode)
    for n, register in enumerate(REGISTERS):
        put(register, state.registers[n])
    emulator.uc.mem_write(0, MEMORY)
    trap = emulator.step(CODE, case.decoded.word.to_bytes(4, "little"))
    if trap not in (None, FETCH_ABORT):
        return {2: "supervisor_call", INVALID: "undefined"}.get(trap, str(trap)), {}
    cpsr = get(arm.UC_ARM_REG_CPSR)
    if cpsr & 0x20:
        return "excluded_thumb", {}
    seen = {f"r{n}": get(register) for n, register in enumerate(REGISTERS)}
    seen |= {"pc": get(arm.UC_ARM_REG_PC) & ~3, "cpsr": cpsr & 0xF80001DF}
    for bank in BANKS:
        put(arm.UC_ARM_REG_CPSR, bank | 0x1C0)
        seen |= {f"sp{bank}": get(arm.UC_ARM_REG_SP), f"lr{bank}": get(arm.UC_ARM_REG_LR)}
        if bank != SYS:
            seen[f"spsr{bank}"] = get(arm.UC_ARM_REG_SPSR) & ~RESERVED
        if bank in (SVC, FIQ):
            seen |= {f"{'fiq' if bank == FIQ else 'high'}{n}": get(REGISTERS[8 + n]) for n in range(5)}
    return None, seen | changed(MEMORY, bytes(emulator.uc.mem_read(0, END)))


# -- the comparison ----------------------------------------------------------------------------------------------------


def unlike(case: Case, chose: bool, ours: Result, theirs: Result) -> str | None:
    """Why the two may differ. `chose`: the manual leaves something open, and the emulator does a third thing."""
    name, operands = case.decoded.instruction.name, case.decoded.operands
    if name == "mrs_cpsr" and case.state.mode == USR and all((ours[1][n] ^ theirs[1][n]) & ~0x1FF == 0 for n in theirs[1]):
        return "B9.3.8: the bits that are not the program's are UNKNOWN in USR; the emulator shows them"
    if ours[0] == "data_abort" and theirs[0] is None:
        return "A3.2.1: blocks must be aligned; the emulator does not check"
    if chose and name in SYSTEM and case.state.mode == SYS:
        return "UNPREDICTABLE, as SYS has no SPSR: the emulator has one"
    if chose and 15 in (operands.get(one) for one in ("rd", "rn", "rm", "rs", "rt", "ra", "rdhi", "rdlo")):
        return "UNPREDICTABLE, as r15 cannot stand here: the emulator reads it, or jumps"
    if chose and operands.get("rn") == operands.get("rt"):
        return "UNPREDICTABLE, as the base is written back and loaded"
    return None


def cases(made: Machine) -> Iterator[Case]:
    decoder = decoder_of(made)
    for name, instruction in made.instructions.items():
        rng = random.Random(name)
        for n in range(21 if name in SYSTEM else 6):
            encoding = rng.choice(instruction.encodings)
            code = encoded(rng, encoding)
            if encoding.mask >> 28 == 0 and (n % 3 or code >> 28 == 15):
                code = code & 0x0FFFFFFF | 0xE0000000
            decoded = decoder.decode(code, 32)
            if decoded is not None and decoded.instruction.name not in LEFT_OUT:
                mode = MODES[n % 7] if name in SYSTEM else rng.choice(MODES)
                yield Case(decoded, State(rng, mode, decoded.instruction.clause in ACCESSES))


def test_the_emulator_agrees() -> None:
    """Both refuse, or both come to the same registers of every mode, CPSR, SPSRs and memory."""
    made = machine("arm/armv7a.isa", "base")
    emulator = Emulator((unicorn.UC_ARCH_ARM, unicorn.UC_MODE_ARM, arm.UC_CPU_ARM_CORTEX_R5), {0: END, CODE: 0x1000})
    agreed: Counter[int] = Counter()
    strange = []
    for case in cases(made):
        try:
            theirs = on_emulator(emulator, case)
        except Unmapped:
            continue
        ours, chose = on_oracle(made, case, 0)
        if ours == theirs or (chose and on_oracle(made, case, 1)[0] == theirs):
            agreed[case.state.mode] += 1
        elif unlike(case, chose, ours, theirs) is None:
            strange.append((case.decoded.instruction.name, hex(case.decoded.word), case.state.mode, ours, theirs))
    assert strange == []
    assert min(agreed[mode] for mode in MODES) > 60
