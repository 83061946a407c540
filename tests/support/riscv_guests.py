"""Small bare-metal programs for the hypervisor extension: what they store at RESULTS is what they found.

Machine mode opens memory and enters HS-mode at `hs`; HS-mode enters VS-mode at `guest`. The handler of HS-mode stores
scause, stval, htval and bits 9:6 of hstatus of every trap, and goes on behind the instruction. An ecall of VS-mode ends the
program; one of U-mode or VU-mode does, but for the first with HU set, which clears it.
"""

from __future__ import annotations

from dataclasses import dataclass

ORIGIN = 0x8000_0000
RESULTS = 0x3000
G_ROOT = 0x10000
"""The second stage's root table, 16 KiB; the gigapage at ORIGIN maps to itself, nothing else is there."""
VS_ROOT = 0x14000
"""The first stage's root table: virtual 0.. is guest physical 0x40000000.., which is not there; at 0x40000000 begins what a
table at guest physical 0x40002000 would map; at ORIGIN memory maps to itself."""

V, R, W, X, U, A, D = (1 << bit for bit in (0, 1, 2, 3, 4, 6, 7))
PAGE = V | R | W | X | A | D


@dataclass(frozen=True)
class Guest:
    """One program: the code of HS-mode up to its entry of the guest, the guest's code, and what is to be found."""

    hs: str
    guest: str
    expected: tuple[int, ...]
    machine: str = "    li t0, -1\n    csrw mcounteren, t0"
    medeleg: int = -1
    unlike: frozenset[int] = frozenset()
    """Places among the results where QEMU 7.2 departs from the manual."""

    @property
    def text(self) -> str:
        return "\n".join((_boot(self.machine, self.medeleg), self.hs, _HANDLERS, self.guest, _end(len(self.expected)), _TABLES))


def at(register: str, label: str) -> str:
    """The address of a label, which lies within the first 64 KiB after ORIGIN."""
    return f"""
    lui {register}, ({label} - {ORIGIN} + 0x800) >> 12
    add {register}, {register}, s0
    addi {register}, {register}, (({label} & 0xfff) ^ 0x800) - 0x800"""


def note(*sources: str) -> str:
    """Stores CSRs or registers as the next results."""
    lines = []
    for source in sources:
        register = source if source in ("t0", "t1", "t2", "a0", "a1", "s5") else "t2"
        lines += [] if register == source else [f"    csrr t2, {source}"]
        lines += [f"    sd {register}, 0(s1)", "    addi s1, s1, 8"]
    return "\n".join(lines)


def _boot(machine: str, medeleg: int) -> str:
    return f"""
start:
    auipc s0, 0
    lui s1, {RESULTS >> 12}
    add s1, s1, s0
    li t0, -1
    csrw pmpaddr0, t0
    li t0, 31
    csrw pmpcfg0, t0
{machine}
    li t0, {medeleg}
    csrw medeleg, t0
    li t0, 0x222
    csrw mideleg, t0
{at("t0", "m_trap")}
    csrw mtvec, t0
{at("t0", "hs_trap")}
    csrw stvec, t0
{at("t0", "hs")}
    csrw mepc, t0
    li t0, 1
    slli t0, t0, 11
    csrw mstatus, t0
    mret
hs:
"""


_HANDLERS = f"""
    .align 4
hs_trap:
    csrr t1, scause
{note("t1", "stval", "htval", "hstatus")}
    ld t2, -8(s1)
    andi t2, t2, 0x3c0
    sd t2, -8(s1)
    addi t1, t1, -10
    beqz t1, finish
    addi t1, t1, -10
    beqz t1, lost
    addi t1, t1, 12
    bnez t1, onward
    csrr t1, hstatus
    andi t1, t1, 0x200
    beqz t1, finish
    csrc hstatus, t1
onward:
    csrr t1, sepc
    addi t1, t1, 4
    csrw sepc, t1
    sret
lost:
    csrw sepc, ra
    sret
    .align 4
m_trap:
{note("mcause", "mtval", "mtval2")}
    csrr t1, mstatus
    srli t1, t1, 38
    andi t1, t1, 3
{note("t1")}
    csrr t1, mstatus
    srli t1, t1, 11
    andi t1, t1, 3
{note("t1")}
    j finish
"""


def _end(count: int) -> str:
    """Writes the results to the serial port byte by byte, and stops the machine: for an emulator."""
    return f"""
finish:
    lui s1, {RESULTS >> 12}
    add s1, s1, s0
    addi t0, s1, {8 * count}
    lui t1, 0x10000
done:
    lbu t2, 0(s1)
    sb t2, 0(t1)
    addi s1, s1, 1
    bltu s1, t0, done
    lui t1, 0x100
    lui t0, 0x5
    addi t0, t0, 0x555
    sw t0, 0(t1)
stop:
    j stop
"""


_TABLES = f"""
    .org {ORIGIN + 0x4000}
word:
    .dword 0x1122334485868788
    .org {ORIGIN + G_ROOT + 16}
    .dword {ORIGIN >> 2 | PAGE | U}
    .org {ORIGIN + VS_ROOT}
    .dword {0x4000_0000 >> 2 | PAGE}, {0x4000_2000 >> 2 | V}, {ORIGIN >> 2 | PAGE}
    .org {ORIGIN + VS_ROOT + 0x1000}
    .dword 0
"""


def enter_guest(vsstatus: int = 0) -> str:
    """Into VS-mode at `guest`."""
    return f"""
    li t0, 0x180
    csrs hstatus, t0
    li t0, 0x100
    csrs sstatus, t0
    li t0, {vsstatus}
    csrw vsstatus, t0
{at("t0", "guest")}
    csrw sepc, t0
    sret
"""


def root(csr: str, offset: int) -> str:
    """Sv39 or Sv39x4 with the root table there."""
    return f"""
    li t0, 8
    slli t0, t0, 60
    lui t1, {offset >> 12}
    add t1, t1, s0
    srli t1, t1, 12
    or t0, t0, t1
    csrw {csr}, t0"""


TWO_STAGES = f"{root('hgatp', G_ROOT)}\n    hfence.gvma zero, zero\n{root('vsatp', VS_ROOT)}\n    hfence.vvma zero, zero"

SWITCHES = "    lui t0, 0x700\n    csrs hstatus, t0"
"""VTSR, VTW, VTVM."""


def trap(cause: int, tval: int, htval: int = 0, hstatus: int = 0x180) -> tuple[int, ...]:
    """What the handler stores of a trap; from VS-mode SPV and SPVP are set, and GVA if tval is a guest's address."""
    return cause, tval, htval, hstatus


ENDED = trap(10, 0)
GVA = 0x40

REFUSALS = {
    "csrrs t0, hstatus, zero": 22, "csrrs t0, vsstatus, zero": 22, "csrrw zero, hgatp, t0": 22, "csrrs t0, mstatus, zero": 2,
    "csrrw zero, cycle, t0": 2, "csrrs t0, cycle, zero": 22, "csrrs t0, instret, zero": 2, "csrrs t0, satp, zero": 22,
    "sret": 22, "wfi": 22, "sfence.vma zero, zero": 22, "mret": 2, "hlv.w t0, (t1)": 22, "hlvx.hu t0, (t1)": 22,
    "hsv.d t0, (t1)": 22, "hfence.vvma zero, zero": 22, "hfence.gvma zero, zero": 22,
}  # fmt: skip
"""H 8.6.1: what HS-mode could do is a virtual-instruction exception, what not even it could is illegal."""


def refusals(word_of: dict[str, int], left_out: frozenset[str] = frozenset()) -> Guest:
    """VS-mode tries all of REFUSALS with every switch set; mcounteren opens cycle alone."""
    tried = [line for line in REFUSALS if line not in left_out]
    found = tuple(value for line in tried for value in trap(REFUSALS[line], word_of[line]))
    guest = "guest:\n" + "\n".join(f"    {line}" for line in tried) + "\n    ecall"
    stale = frozenset(4 * number + 1 for number, line in enumerate(tried) if line.startswith(("hlv", "hsv")))
    return Guest(f"{SWITCHES}\n{enter_guest()}", guest, (*found, *ENDED), "    li t0, 1\n    csrw mcounteren, t0", unlike=stale)


UNCHECKED = frozenset({"csrrs t0, satp, zero"})
"""QEMU 7.2 lets a guest read satp under VTVM. Nor does it write stval for HLV, HLVX and HSV that a guest tries."""


BANK = Guest(
    f"""
    li t0, 0x111
    csrw sscratch, t0
{enter_guest()}""",
    f"""
guest:
    csrr s5, sscratch
{note("s5")}
    li t0, 0x222
    csrw sscratch, t0
    li t0, 2
    csrw sstatus, t0
    csrr s5, sstatus
{note("s5")}
{at("t0", "below")}
    csrw sepc, t0
    sret
below:
    csrr t0, sscratch
    wfi
    sret
    ecall
""",
    (0, 0x2_0000_0002, *trap(22, 0x140022F3, 0, 0x80), *trap(22, 0x10500073, 0, 0x80), *trap(22, 0x10200073, 0, 0x80),
     8, 0, 0, 0x80),
    unlike=frozenset({2, 10}),
)  # fmt: skip
"""VS-mode has a bank of its own; SRET in it goes to VU-mode, where supervisor instructions are virtual-instruction (QEMU 7.2
calls the CSR access and SRET illegal)."""

FAULTS = Guest(
    f"{TWO_STAGES}\n{enter_guest()}",
    f"""
guest:
{at("a1", "word")}
    lw t0, 0(a1)
{note("t0")}
    lui a1, 0x1
    lw t0, 0x238(a1)
    sd t0, 0x240(a1)
    lui a1, 0x40001
    lbu t0, 8(a1)
    lui a1, 0x60000
    slli a1, a1, 1
    lw t0, 0(a1)
    lui a1, 0x2
    jalr ra, 0(a1)
    ecall
""",
    (
        0xFFFF_FFFF_8586_8788,
        *trap(21, 0x1238, 0x4000_1238 >> 2, 0x180 | GVA), *trap(23, 0x1240, 0x4000_1240 >> 2, 0x180 | GVA),
        *trap(21, 0x4000_1008, 0x4000_2000 >> 2, 0x180 | GVA), *trap(13, 0xC000_0000, 0, 0x180 | GVA),
        *trap(20, 0x2000, 0x4000_2000 >> 2, 0x180 | GVA), *ENDED,
    ),
)  # fmt: skip
"""Two-stage translation: a load that succeeds, guest-page faults of all kinds (one of the walk itself), a page fault."""

HLV = Guest(
    f"""
{TWO_STAGES}
    li t0, 0x100
    csrs hstatus, t0
{at("t1", "word")}
    hlv.w t0, (t1)
{note("t0")}
    hlv.bu t0, (t1)
{note("t0")}
    hlvx.hu t0, (t1)
{note("t0")}
    li t0, 0x77
    addi t1, t1, 7
    hsv.b t0, (t1)
    addi t1, t1, -7
    hlv.d t0, (t1)
{note("t0")}
    lui t1, 0x1
    li ra, 0
    hlv.w t0, (t1)
    li t0, 0x100
    csrc sstatus, t0
    li t0, 0x200
    csrs hstatus, t0
{at("t0", "user")}
    csrw sepc, t0
    sret
""",
    f"""
user:
{at("t1", "word")}
    hlv.hu t0, (t1)
{note("t0")}
    ecall
    hlv.hu t0, (t1)
    ecall
""",
    (
        0xFFFF_FFFF_8586_8788, 0x88, 0x8788, 0x7722_3344_8586_8788,
        *trap(21, 0x1000, 0x4000_1000 >> 2, 0x100 | GVA), 0x8788, *trap(8, 0, 0, 0x300), *trap(2, 0x6413_42F3, 0, 0x100),
        *trap(8, 0, 0, 0x100),
    ),
    unlike=frozenset({14}),
)  # fmt: skip
"""HLV, HLVX and HSV from HS-mode and, with HU, from U-mode; the first ecall makes the handler clear HU, the second ends.
(QEMU 7.2 leaves stval of a refused HLV as it was.)"""

INTERRUPT = Guest(
    f"""
    li t0, 0x444
    csrw hideleg, t0
    li t0, 4
    csrw hvip, t0
{at("t0", "vs_trap")}
    ori t0, t0, 1
    csrw vstvec, t0
{enter_guest()}""",
    f"""
    .align 4
vs_trap:
    j stop
    j vs_software
vs_software:
    csrr s5, scause
    slli a0, s5, 1
    srli a0, a0, 1
    srli s5, s5, 48
    srli s5, s5, 15
{note("s5", "a0")}
    csrr s5, sip
{note("s5")}
    li t0, 2
    csrc sip, t0
    csrr s5, sip
{note("s5")}
    sret
guest:
    li t0, 2
    csrw sie, t0
    csrs sstatus, t0
    csrr s5, sstatus
    andi s5, s5, 2
{note("s5")}
    ecall
""",
    (1, 1, 2, 0, 2, *ENDED),
)
"""An interrupt that hideleg hands to VS-mode: code 2 is seen there as 1, in scause, in sip and in the vector."""

TO_MACHINE = Guest(
    enter_guest(),
    "guest:\n    ecall",
    (10, 0, 0, 2, 1),
    medeleg=0,
)
"""Without delegation the ecall of VS-mode goes to M-mode: cause 10, MPV = 1, GVA = 0, MPP = 1."""
